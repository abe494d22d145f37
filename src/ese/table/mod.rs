//! Catalog, schema, records, keys and long values.

pub mod column;
pub mod compress;
pub mod key;
pub mod record;
pub mod value;
