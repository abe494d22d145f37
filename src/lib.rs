//! Recovers mailboxes from one mailbox store into another, at the page level of the database file.
//!
//! The crate is a house of layers. Each one knows only those below it:
//!
//! | module | what it is for |
//! |---|---|
//! | `cli` | the command line: arguments, terminal output, JSON lines |
//! | [`ese`] | ESE database files: pages, transactions, trees, tables. Knows nothing of mail |
//! | [`io`] | the only place that touches files |
//!
//! A test (`tests/tidy.rs`) rejects an import that points upwards.

pub mod cli;
pub mod ese;
pub mod io;
