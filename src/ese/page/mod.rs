//! The bytes of one page, and of the database header. Knows nothing of other pages.

pub mod checksum;
pub mod edit;
pub mod header;
mod ids;
pub mod key;
pub mod layout;
pub mod rules;
pub mod view;

pub use edit::PageEditor;
pub use ids::{Dbtime, ObjId, PageSize, Pgno};
pub use key::KeyParts;
pub use layout::{NodeFlags, PageFlags};
pub use view::{Node, PageFrame, PageView};
