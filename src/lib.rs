//! Recovers mailboxes from one mailbox store into another, at the page level of the database file.
//!
//! The crate is a house of layers. Each one knows only those below it:
//!
//! | module | what it is for |
//! |---|---|
//! | `cli` | the command line: arguments, terminal output, JSON lines |
//! | [`mod@bench`] | the restore window: measured, reported, and predicted from a profile of the machine |
//! | [`recover`] | the engine: mailboxes, folders and items matched, written by several workers, verified, reported |
//! | [`synth`] | stores of any size from a seed |
//! | [`mail`] | EML, mbox and Maildir in and out of stores; what is promoted from a mail; mail in the form of MAPI |
//! | [`store`] | the mailbox store: mailboxes, folders, items, shared contents, counters |
//! | [`mapi`] | the vocabulary: ids, change keys, property tags, recipients, fingerprints. Plain values |
//! | [`stm`] | the streaming file beside a database: runs, space, page checksums, pairing |
//! | [`ese`] | ESE database files: pages, transactions, trees, tables. Knows nothing of mail |
//! | [`io`] | the only place that touches files |
//!
//! A test (`tests/tidy.rs`) rejects an import that points upwards.

pub mod bench;
pub mod cli;
pub mod ese;
pub mod io;
pub mod mail;
pub mod mapi;
pub mod recover;
pub mod stm;
pub mod store;
pub mod synth;
