//! Catalog, schema, records, keys and long values.

pub mod compress;
pub mod key;
pub mod record;
