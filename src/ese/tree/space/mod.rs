//! Which pages a tree owns, and which of them are free.
//!
//! Ownership is a hierarchy: the database root owns the file, a table draws extents from it, the table's indexes and its
//! long-value tree draw from the table. `owned = free + pages of the tree and its space trees + owned by children`.
//!
//! ```text
//! space header, tag 0 of a root (16 bytes)          owned / available extents tree (OE / AE)
//!   0  4  pages of the first, or of the last extent   key   last page of the extent, big-endian
//!   4  4  root of the tree it draws from, 0 = none    data  number of pages, little-endian
//!   8  4  1 multiple extents, 2 not unique, 4 = v2
//!  12  4  multiple: root of OE, AE is the next page;
//!         single: bit i set = page root + 1 + i free
//! ```
//!
//! Source: ese-physical 8.

mod extents;

pub use extents::{Extent, ExtentSet};

use super::{Cursor, Tree, TreeKind};
use crate::ese::error::{EseError, EseResult};
use crate::ese::page::layout::u32_at;
use crate::ese::page::{PageFlags, PageView, Pgno};
use crate::ese::txn::Pages;

/// Bytes of a space header.
pub const SPACE_HEADER_BYTES: usize = 16;
/// Pages after the root that the bitmap of a single extent covers.
const BITMAP_PAGES: u32 = 32;

const MULTIPLE: u32 = 1;
const NON_UNIQUE: u32 = 2;
const VERSION_2: u32 = 4;

/// Tag 0 of a root. Source: ese-physical 8.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpaceHeader {
    /// Pages of the first extent, or of the last one taken (`is_v2`).
    pub extent_pages: u32,
    /// Root of the tree that this one draws space from; none for the database root.
    pub parent: Option<Pgno>,
    /// Whether keys may repeat: agrees with the catalog and the page flags.
    pub is_non_unique: bool,
    /// How `extent_pages` is meant.
    pub is_v2: bool,
    /// Where the extents stand.
    pub extents: Extents,
}

/// Where a tree's extents stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extents {
    /// One extent that starts with the root; bit i set = page root + 1 + i is free.
    Single {
        /// The bits.
        free_bits: u32,
    },
    /// In trees of their own; the available extents' root is the page after this one.
    Multiple {
        /// Root of the owned extents.
        owned_root: Pgno,
    },
}

impl SpaceHeader {
    /// Reads tag 0 of the root `page`: 16 bytes, or the newer form with a leading byte that names its fields.
    ///
    /// # Errors
    /// [`EseError::Corrupt`] when it has no known form.
    pub fn of(page: &PageView<'_>) -> EseResult<Self> {
        let bytes = page.external_header()?;
        let corrupt = |reason: &str| EseError::corrupt(page.pgno(), reason).in_tree(page.objid());
        let fields = match bytes {
            fields if fields.len() == SPACE_HEADER_BYTES => fields,
            [flags, fields @ ..] if flags & 1 != 0 => fields,
            _ => return Err(corrupt("the root has no space header")),
        };
        let word =
            |index: usize| u32_at(fields, index * 4).ok_or_else(|| corrupt("a short space header"));
        let flags = word(2)?;
        let last = word(3)?;
        let extents = if flags & MULTIPLE == 0 {
            Extents::Single { free_bits: last }
        } else {
            let owned_root = Pgno::new(last).filter(|pgno| pgno.checked_add(1).is_some());
            Extents::Multiple {
                owned_root: owned_root.ok_or_else(|| corrupt("no root of owned extents"))?,
            }
        };
        Ok(Self {
            extent_pages: word(0)?,
            parent: Pgno::new(word(1)?),
            is_non_unique: flags & NON_UNIQUE != 0,
            is_v2: flags & VERSION_2 != 0,
            extents,
        })
    }

    /// The 16 bytes.
    pub fn encode(&self) -> [u8; SPACE_HEADER_BYTES] {
        let (multiple, last) = match self.extents {
            Extents::Single { free_bits } => (0, free_bits),
            Extents::Multiple { owned_root } => (MULTIPLE, owned_root.get()),
        };
        let non_unique = if self.is_non_unique { NON_UNIQUE } else { 0 };
        let version = if self.is_v2 { VERSION_2 } else { 0 };
        let words =
            [self.extent_pages, Pgno::link(self.parent), multiple | non_unique | version, last];
        let mut bytes = [0; SPACE_HEADER_BYTES];
        for (field, word) in bytes.chunks_exact_mut(4).zip(words) {
            field.copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }
}

/// The space of one tree: as stored, or with the changes of a writer.
#[derive(Debug, Clone)]
pub struct TreeSpace {
    /// The tree.
    pub tree: Tree,
    /// Its space header.
    pub header: SpaceHeader,
    /// Extents that the tree owns, those handed on to its children included.
    pub owned: ExtentSet,
    /// Free pages.
    pub available: ExtentSet,
    /// Free pages that are set aside for a purpose (pooled nodes of newer engines); left alone.
    pub reserved: ExtentSet,
    /// Pages set aside in the split buffers of the space trees' roots.
    pub split_buffer: ExtentSet,
}

impl TreeSpace {
    /// The trees of owned and available extents, if the tree has them.
    pub fn space_trees(&self) -> Option<(Tree, Tree)> {
        let Extents::Multiple { owned_root } = self.header.extents else { return None };
        let available_root = owned_root.checked_add(1)?;
        let space_tree = |root| Tree { root, is_space: true, ..self.tree };
        Some((space_tree(owned_root), space_tree(available_root)))
    }

    /// The free pages of a first extent that its bitmap cannot tell of. They may be used only once there are space trees.
    /// Source: ese-physical 8.2.
    pub(super) fn beyond_bitmap(&self) -> Option<Extent> {
        let fdp = self.tree.root;
        let first = self.owned.extent_of(fdp)?;
        let distance = first.last.get().checked_sub(fdp.get())?;
        Extent::new(first.last, distance.saturating_sub(BITMAP_PAGES))
    }
}

/// The tree whose root is `root`, by what its pages say.
pub fn tree_of_root(page: &PageView<'_>) -> Tree {
    let kind = if page.has(PageFlags::LONG_VALUE) {
        TreeKind::LongValue
    } else if page.has(PageFlags::INDEX | PageFlags::NON_UNIQUE) {
        TreeKind::NonUniqueIndex
    } else if page.has(PageFlags::INDEX) {
        TreeKind::UniqueIndex
    } else {
        TreeKind::Table
    };
    Tree::new(page.pgno(), page.objid(), kind)
}

/// Reads the space of the tree whose root is `fdp`.
///
/// # Errors
/// [`EseError::Corrupt`] when the header or the space trees break a rule.
pub fn read_space<P: Pages + ?Sized>(pages: &P, fdp: Pgno) -> EseResult<TreeSpace> {
    let root = pages.page(fdp)?;
    let view = root.view()?;
    let header = SpaceHeader::of(&view)?;
    let mut space = TreeSpace {
        tree: tree_of_root(&view),
        header,
        owned: ExtentSet::default(),
        available: ExtentSet::default(),
        reserved: ExtentSet::default(),
        split_buffer: ExtentSet::default(),
    };
    match header.extents {
        Extents::Single { free_bits } => read_single(&mut space, free_bits, pages.last_page())?,
        Extents::Multiple { .. } => read_multiple(pages, &mut space)?,
    }
    Ok(space)
}

fn read_single(space: &mut TreeSpace, free_bits: u32, last_page: u32) -> EseResult<()> {
    let fdp = space.tree.root;
    let count = space.header.extent_pages.max(1);
    let last = fdp.checked_add(count - 1).filter(|last| last.get() <= last_page || count == 1);
    let Some(last) = last else {
        let reason = format!("an extent of {count} pages in a file of {last_page}");
        return Err(EseError::corrupt(fdp, reason));
    };
    space.owned.add(Extent { last, count });
    for distance in 1..count.min(BITMAP_PAGES + 1) {
        let is_free = free_bits & (1 << (distance - 1)) != 0;
        if let Some(pgno) = fdp.checked_add(distance).filter(|_| is_free) {
            space.available.add(Extent { last: pgno, count: 1 });
        }
    }
    if let Some(rest) = space.beyond_bitmap() {
        space.available.add(rest);
    }
    space.available.coalesce(&space.owned);
    Ok(())
}

fn read_multiple<P: Pages + ?Sized>(pages: &P, space: &mut TreeSpace) -> EseResult<()> {
    let Some((owned, available)) = space.space_trees() else { return Ok(()) };
    for_each_extent(pages, owned, |extent, _| space.owned.add_new(extent))?;
    let (free, reserved) = (&mut space.available, &mut space.reserved);
    for_each_extent(pages, available, |extent, pool| {
        if pool == 0 { free.add_new(extent) } else { reserved.add_new(extent) }
    })?;
    for tree in [owned, available] {
        let page = pages.page(tree.root)?;
        let view = page.view()?;
        // Two extents that the engine keeps for splits of the space trees themselves: last page, count.
        for field in view.external_header()?.chunks_exact(8) {
            let count = u32_at(field, 4).unwrap_or(0);
            if let (Some(last), 1..) = (Pgno::new(u32_at(field, 0).unwrap_or(0)), count) {
                let Some(extent) = Extent::new(last, count) else {
                    let reason = format!("a split buffer of {count} pages up to {last}");
                    return Err(EseError::corrupt(tree.root, reason).in_tree(tree.objid));
                };
                space.split_buffer.add_new(extent)?;
            }
        }
    }
    Ok(())
}

/// Visits every extent of a space tree, with its pool (0 = general). Source: ese-physical 8.4.
fn for_each_extent<P: Pages + ?Sized>(
    pages: &P,
    tree: Tree,
    mut visit: impl FnMut(Extent, u8) -> EseResult<()>,
) -> EseResult<()> {
    let mut cursor = Cursor::new(pages, tree);
    let mut is_on_entry = cursor.first()?;
    while is_on_entry {
        if let Some(node) = cursor.entry()? {
            let key = node.key.to_vec();
            let corrupt = |reason: &str| {
                let pgno = cursor.place().map_or(tree.root, |(pgno, _)| pgno);
                EseError::corrupt(pgno, reason).in_tree(tree.objid)
            };
            let (pool, last) = match *key.as_slice() {
                [a, b, c, d] => (0, [a, b, c, d]),
                [pool, a, b, c, d] => (pool & 0x3f, [a, b, c, d]),
                _ => return Err(corrupt("the key of an extent has a wrong length")),
            };
            let last = Pgno::new(u32::from_be_bytes(last));
            let count = <[u8; 4]>::try_from(node.data).map(u32::from_le_bytes).ok();
            let (Some(last), Some(count)) = (last, count) else {
                return Err(corrupt("an extent that is none"));
            };
            match Extent::new(last, count) {
                Some(extent) => {
                    visit(extent, pool).map_err(|error| error.in_tree(tree.objid))?;
                }
                None if count == 0 => {}
                None => return Err(corrupt("an extent that starts before the file")),
            }
        }
        is_on_entry = cursor.next()?;
    }
    Ok(())
}
