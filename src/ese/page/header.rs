//! The database header.
