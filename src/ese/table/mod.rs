//! Catalog, schema, records, keys and long values.

pub mod catalog;
pub mod column;
pub mod compress;
pub mod database;
pub mod fields;
pub mod index_entries;
pub mod key;
pub mod long_value;
pub mod note;
pub mod record;
pub mod rows;
pub mod schema;
pub mod source;
pub mod value;
pub mod write;
