//! What pairing knows of an item: keys and times from its folder row, no content.

use crate::mapi::SearchKey;

/// Which store an item is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// The store that is read.
    Source,
    /// The store that is written.
    Target,
}

bitflags::bitflags! {
    /// Marks of an item.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct ItemFlag: u16 {
        /// Soft-deleted: in the dumpster of its folder.
        const DELETED = 1;
        /// Its content cannot be read whole.
        const DAMAGED = 2;
    }
}

/// One item, as small as a mailbox of a million of them needs it. Source: recover-semantics 5, D4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Item {
    /// The caller's number for the row.
    pub row: u64,
    /// Creation time, FILETIME; 0 = none.
    pub created: i64,
    /// Last modification time, FILETIME; 0 = none, which counts as oldest.
    pub modified: i64,
    /// Size in bytes.
    pub size_bytes: u64,
    /// Folder, by the target's numbering: source items carry the folder that theirs is matched with,
    /// [`Item::NO_FOLDER`] where there is none yet.
    pub folder: u32,
    /// Lineage (L): issuing replica and counter.
    pub lineage: [u8; 22],
    /// Search key (S); derived from the content by the caller where the store has none.
    pub search_key: SearchKey,
    /// Change key, or a hash of a long one.
    pub change_key: [u8; 16],
    /// Marks.
    pub flags: ItemFlag,
}

impl Item {
    /// A folder that the target does not have yet.
    pub const NO_FOLDER: u32 = u32::MAX;
}

// A mailbox's pairing state is bounded by this size (recover-semantics D4).
const _: () = assert!(size_of::<Item>() <= 96);
