//! Writing tables: databases from nothing, new tables, rows with their index entries and long values, bulk loads.
//!
//! What is written keeps to the profile that the vendor's engine and the independent readers all accept
//! (ese-logical 9.4). Catalog rows are rows like any other and go through the same code.

mod batches;
mod columns;
mod create;
mod define;
mod entries;
mod load;
mod long_value;
mod patch;
mod row;
mod run;
mod tables;
mod writer;

pub use batches::{IndexBatch, IndexEntries};
pub use create::{NewDatabase, create_database};
pub use define::{NewColumn, NewIndex, NewTable, NullRule, Placement};
pub use load::TableLoader;
pub use row::{FieldValue, record_bounds};
pub use run::{Lids, TableRun, TableRunBuilder};
pub use writer::DatabaseWriter;
