//! The bytes of one page, and of the database header. Knows nothing of other pages.

pub mod checksum;
pub mod header;
mod ids;

pub use ids::{Dbtime, ObjId, PageSize, Pgno};
