//! ESE database files: pages, transactions, trees and tables. Knows nothing of mail.
//!
//! | module | what it is for | may not know |
//! |---|---|---|
//! | [`check`] | checks a whole database | commands, mail |
//! | [`table`] | catalog, schema, records, keys, long values | commands, mail |
//! | [`tree`] | B+ trees: cursors, inserts and splits, sorted runs, space trees | what a key or a record means |
//! | [`txn`] | page sources, dirty pages, journal, commit | how pages form trees |
//! | [`page`] | the bytes of one page: header, tags, nodes, checksums; the database header | other pages |

pub mod check;
pub mod error;
pub mod page;
pub mod table;
pub mod tree;
pub mod txn;

pub use error::{EseError, EseResult};
