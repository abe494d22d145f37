//! Catalog, schema, records, keys and long values.

pub mod catalog;
pub mod column;
pub mod compress;
pub mod key;
pub mod record;
pub mod schema;
pub mod value;
pub mod write;
