//! Where the fields of a page stand.
//!
//! ```text
//! off  size  field                 notes (all little-endian)
//!   0     8  checksum              XOR u32, then ECC u32 (legacy: XOR u32, then page number)
//!   8     8  dbtime                change counter at the last modification
//!  16     4  previous page         leaves only, 0 = none
//!  20     4  next page             leaves only, 0 = none
//!  24     4  objid                 tree that owns the page
//!  28     2  free bytes            holes included
//!  30     2  uncommitted free      0 at rest
//!  32     2  first free byte       relative to the end of the page header (`ibMicFree`)
//!  34     2  tag count             low 12 bits, tag 0 included; bits 12-14 count reserved tags
//!  36     4  flags                 [`PageFlags`]
//!  40    24  block checksums       large pages only
//!  64     4  own page number       large pages only
//!  68    12  reserved              large pages only
//! ```
//!
//! Tag *i* stands at `page size - 4 * (i + 1)`: u16 length, u16 offset from the end of the page header.
//! Source: ese-physical 3.1, 5.1.

/// Offset of the checksum (8 bytes).
pub const CHECKSUM: usize = 0;
/// Offset of the change counter (8 bytes).
pub const DBTIME: usize = 8;
/// Offset of the link to the previous leaf (4 bytes).
pub const PREVIOUS: usize = 16;
/// Offset of the link to the next leaf (4 bytes).
pub const NEXT: usize = 20;
/// Offset of the owning tree's id (4 bytes).
pub const OBJID: usize = 24;
/// Offset of the number of free bytes (2 bytes).
pub const FREE_BYTES: usize = 28;
/// Offset of the uncommitted free bytes (2 bytes).
pub const UNCOMMITTED_FREE_BYTES: usize = 30;
/// Offset of the first free byte's position (2 bytes).
pub const FIRST_FREE: usize = 32;
/// Offset of the tag count (2 bytes).
pub const TAG_COUNT: usize = 34;
/// Offset of the page flags (4 bytes).
pub const FLAGS: usize = 36;
/// Bytes of one tag.
pub const TAG_BYTES: usize = 4;
/// Tag count without the reserved-tag bits.
pub const TAG_COUNT_MASK: u16 = 0x0fff;
/// Mask of the lengths in a node (prefix and suffix count).
pub const KEY_LENGTH_MASK: u16 = 0x1fff;

bitflags::bitflags! {
    /// What a page is. Source: ese-physical 3.3.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct PageFlags: u32 {
        /// Root of a tree or of a space tree.
        const ROOT = 0x1;
        /// Leaf.
        const LEAF = 0x2;
        /// Branch page whose children are leaves.
        const PARENT_OF_LEAF = 0x4;
        /// Emptied by a merge and freed; the content is stale.
        const EMPTY = 0x8;
        /// Touched by a repair.
        const REPAIR = 0x10;
        /// Page of an owned or available extents tree.
        const SPACE_TREE = 0x20;
        /// Secondary index.
        const INDEX = 0x40;
        /// Long-value tree.
        const LONG_VALUE = 0x80;
        /// Secondary index ordered by key and data.
        const NON_UNIQUE = 0x400;
        /// Records in the format with sorted tagged columns; set on all pages of modern engines.
        const NEW_RECORD_FORMAT = 0x800;
        /// XOR and ECC checksum.
        const NEW_CHECKSUM = 0x2000;
        /// Scrubbed.
        const SCRUBBED = 0x4000;
        /// Allocated, not yet used.
        const PRE_INIT = 0x2_0000;
        /// Left by a revert to a snapshot.
        const FDP_DELETE = 0x4_0000;
        /// Every other bit, among them the flush type (0x18000), is kept as it is.
        const _ = !0;
    }
}

impl PageFlags {
    /// The flags that every page of a tree shares with its root: the kind of tree.
    pub const TREE_KIND: Self =
        Self::SPACE_TREE.union(Self::INDEX).union(Self::LONG_VALUE).union(Self::NON_UNIQUE);

    /// Set on each page that this program writes.
    pub const WRITTEN: Self = Self::NEW_RECORD_FORMAT.union(Self::NEW_CHECKSUM);
}

bitflags::bitflags! {
    /// State of one node. Source: ese-physical 5.1.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct NodeFlags: u8 {
        /// Had entries in the version store; means nothing at rest.
        const VERSIONED = 1;
        /// Deleted, but still in place.
        const DELETED = 2;
        /// Key starts with bytes of tag 0.
        const COMPRESSED = 4;
    }
}

/// Reads a little-endian u16 at `offset`; `None` past the end.
pub fn u16_at(bytes: &[u8], offset: usize) -> Option<u16> {
    bytes.get(offset..)?.first_chunk().map(|chunk| u16::from_le_bytes(*chunk))
}

/// Reads a little-endian u32 at `offset`; `None` past the end.
pub fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    bytes.get(offset..)?.first_chunk().map(|chunk| u32::from_le_bytes(*chunk))
}

/// Reads a little-endian u64 at `offset`; `None` past the end.
pub fn u64_at(bytes: &[u8], offset: usize) -> Option<u64> {
    bytes.get(offset..)?.first_chunk().map(|chunk| u64::from_le_bytes(*chunk))
}
