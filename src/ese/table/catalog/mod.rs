//! The catalog: the table `MSysObjects` that describes all tables, itself among them.
//!
//! Its columns are hard-wired here, because nothing can be read before the catalog is. Sources: ese-logical 1.

mod columns;
mod read;
mod write;

pub use columns::{CatalogColumn, catalog_columns, catalog_fid};
pub use read::{CatalogEntry, read_entries};
pub use write::CatalogRow;

use crate::ese::page::{ObjId, Pgno};

/// Root of `MSysObjects`. Source: ese-logical 1.1.
pub const CATALOG_ROOT: Pgno = Pgno::fixed(4);
/// Object id of `MSysObjects`.
pub const CATALOG_OBJID: ObjId = ObjId(2);
/// Root of its secondary index `Name`.
pub const CATALOG_NAME_ROOT: Pgno = Pgno::fixed(7);
/// Object id of `Name`.
pub const CATALOG_NAME_OBJID: ObjId = ObjId(4);
/// Root of its secondary index `RootObjects`.
pub const CATALOG_ROOTS_ROOT: Pgno = Pgno::fixed(10);
/// Object id of `RootObjects`.
pub const CATALOG_ROOTS_OBJID: ObjId = ObjId(5);
/// Root of the shadow, `MSysObjectsShadow`: the same rows, no secondary index.
pub const SHADOW_ROOT: Pgno = Pgno::fixed(24);
/// Object id of the shadow.
pub const SHADOW_OBJID: ObjId = ObjId(3);

/// What a catalog row describes (`Type`). Source: ese-logical 1.4.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RowKind {
    /// A table.
    Table,
    /// A column.
    Column,
    /// An index, the primary one included.
    Index,
    /// A long-value tree.
    LongValue,
    /// A callback.
    Callback,
    /// Free pages of the streaming file (Exchange 2000 and 2003).
    StreamAvailable,
    /// Owners of the streaming file's pages (Exchange 2000 and 2003).
    StreamOwner,
}

impl RowKind {
    const ALL: [Self; 7] = [
        Self::Table,
        Self::Column,
        Self::Index,
        Self::LongValue,
        Self::Callback,
        Self::StreamAvailable,
        Self::StreamOwner,
    ];

    /// The number on disk, 1 to 7.
    pub const fn number(self) -> i16 {
        self as i16 + 1
    }

    /// The kind with this number.
    pub fn from_number(number: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.number() == number)
    }
}
