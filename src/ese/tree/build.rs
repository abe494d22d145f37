//! Building a tree from entries that arrive in order: whole leaf pages, filled to the last byte, branches above them.

use super::insert::check_length;
use super::pack::{Division, Entry, Packing, divide, fits_on_root, separator_between, write_page};
use super::space::SPACE_HEADER_BYTES;
use super::{Forest, Tree};
use crate::ese::error::{EseError, EseResult, Refusal};
use crate::ese::page::{PageEditor, PageFlags, Pgno};
use crate::ese::txn::Pages;

/// Changed and new pages kept in memory while building; more are written ahead of the commit.
const SPILL_BYTES: usize = 32 << 20;

/// What was built.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TreeShape {
    /// Entries.
    pub entries: u64,
    /// Leaf pages; 0 when all entries stand on the root.
    pub leaves: u64,
    /// Branch levels below the root.
    pub branch_levels: usize,
}

/// Fills an empty tree. Keeps one leaf and one branch page a level in memory.
#[derive(Debug)]
pub struct TreeBuilder {
    tree: Tree,
    leaf: LeafInProgress,
    levels: Vec<BranchInProgress>,
    shape: TreeShape,
}

/// The leaf being filled.
#[derive(Debug)]
struct LeafInProgress {
    bytes: Vec<u8>,
    /// Its place; none while everything may still fit on the root.
    pgno: Option<Pgno>,
    previous: Option<Pgno>,
    count: usize,
    last: Option<Entry>,
}

/// The entries of the branch page being filled on one level.
#[derive(Debug, Default)]
struct BranchInProgress {
    entries: Vec<Entry>,
    used_bytes: usize,
}

impl TreeBuilder {
    /// Starts filling `tree`, which must be empty.
    ///
    /// # Errors
    /// [`Refusal::BadRequest`] when it is not.
    pub fn new(forest: &Forest, tree: Tree) -> EseResult<Self> {
        let root = forest.sound_page(&tree, tree.root)?;
        let tag_0_bytes = root.view()?.external_header()?.len();
        if tag_0_bytes != SPACE_HEADER_BYTES {
            let reason = format!("a space header of {tag_0_bytes} bytes");
            return Err(EseError::corrupt(tree.root, reason).in_tree(tree.objid));
        }
        if root.view()?.node_count() > 0 {
            let reason = "only an empty tree can be built in one run";
            return Err(EseError::refused(Refusal::BadRequest, reason).in_tree(tree.objid));
        }
        let bytes = vec![0; forest.pager().page_size().bytes()];
        let leaf = LeafInProgress { bytes, pgno: None, previous: None, count: 0, last: None };
        Ok(Self { tree, leaf, levels: Vec::new(), shape: TreeShape::default() })
    }

    /// Adds the next entry.
    ///
    /// # Errors
    /// [`Refusal::BadRequest`] when it does not stand after the one before, [`EseError::Limit`] when it is too long.
    pub fn push(&mut self, forest: &mut Forest, key: &[u8], data: &[u8]) -> EseResult<()> {
        check_length(&self.tree, key, data)?;
        self.check_order(key, data)?;
        if self.leaf.count == 0 {
            self.start_leaf(key);
        }
        if !self.put(key, data) {
            self.finish_leaf(forest, Some((key, data)))?;
            self.start_leaf(key);
            assert!(self.put(key, data), "an entry that passed the length check fits on a page");
        }
        self.shape.entries += 1;
        self.note_last(key, data);
        Ok(())
    }

    fn check_order(&self, key: &[u8], data: &[u8]) -> EseResult<()> {
        let by_data = self.tree.is_by_data();
        let is_after = self.leaf.last.as_ref().is_none_or(|last| {
            let order = last.key.as_slice().cmp(key);
            order.is_lt() || by_data && order.is_eq() && last.data.as_slice() < data
        });
        if is_after {
            return Ok(());
        }
        let reason = "the entries of a run are not in ascending order";
        Err(EseError::refused(Refusal::BadRequest, reason).in_tree(self.tree.objid))
    }

    /// Remembers the last entry, its data only where that is part of the order.
    fn note_last(&mut self, key: &[u8], data: &[u8]) {
        let by_data = self.tree.is_by_data();
        let last =
            self.leaf.last.get_or_insert_with(|| Entry { key: Vec::new(), data: Vec::new() });
        last.key.clear();
        last.key.extend_from_slice(key);
        last.data.clear();
        last.data.extend_from_slice(if by_data { data } else { &[] });
    }

    /// The page number is not known yet and plays no part in the layout, so the root's stands in for it.
    fn start_leaf(&mut self, first_key: &[u8]) {
        let flags = self.tree.flags() | PageFlags::LEAF;
        let (root, objid) = (self.tree.root, self.tree.objid);
        PageEditor::format(&mut self.leaf.bytes, root, objid, flags, first_key);
        self.leaf.count = 0;
    }

    fn put(&mut self, key: &[u8], data: &[u8]) -> bool {
        let mut page = PageEditor::over(&mut self.leaf.bytes, self.tree.root);
        let fits = page.insert_node(self.leaf.count, key, data);
        self.leaf.count += usize::from(fits);
        fits
    }

    /// Writes the leaf; `next` is the entry after it, none at the end.
    fn finish_leaf(&mut self, forest: &mut Forest, next: Option<(&[u8], &[u8])>) -> EseResult<()> {
        let fdp = self.tree.fdp;
        let pgno = match self.leaf.pgno {
            Some(pgno) => pgno,
            None => forest.allocate_page(fdp, None)?,
        };
        let next_pgno = match next {
            Some(_) => Some(forest.allocate_page(fdp, Some(pgno))?),
            None => None,
        };
        let mut page = PageEditor::over(&mut self.leaf.bytes, pgno);
        page.set_previous(self.leaf.previous);
        page.set_next(next_pgno);
        forest.pager_mut().edit(pgno)?.copy_from_slice(&self.leaf.bytes);
        self.shape.leaves += 1;
        let key = match (next, &self.leaf.last) {
            (Some((key, data)), Some(last)) => {
                separator_between((&last.key, &last.data), (key, data), self.tree.is_by_data())?
            }
            _ => Vec::new(),
        };
        self.leaf.previous = Some(pgno);
        self.leaf.pgno = next_pgno;
        self.push_child(forest, 0, key, pgno)?;
        if forest.pager().dirty_bytes() > SPILL_BYTES {
            forest.pager_mut().spill()?;
        }
        Ok(())
    }

    /// Adds a child to the branch page in progress on `level` (0 = parents of leaves), finishing a full one first.
    fn push_child(
        &mut self,
        forest: &mut Forest,
        level: usize,
        key: Vec<u8>,
        child: Pgno,
    ) -> EseResult<()> {
        if self.levels.len() <= level {
            self.levels.push(BranchInProgress::default());
        }
        let entry = Entry::branch(key, child);
        // Tag and key count come with each node; no prefix is assumed, so that the bound holds for any keys.
        let entry_bytes = 4 + 2 + entry.key.len() + 4;
        let area_bytes = forest.pager().page_size().data_bytes();
        let branch = &mut self.levels[level];
        let first_key_bytes = branch.entries.first().map_or(0, |first| first.key.len());
        let is_full = branch.used_bytes + entry_bytes + first_key_bytes + 8 > area_bytes;
        if is_full && branch.entries.len() > 1 {
            let finished = std::mem::take(branch);
            self.finish_branch(forest, level, finished.entries)?;
        }
        let branch = &mut self.levels[level];
        branch.used_bytes += entry_bytes;
        branch.entries.push(entry);
        Ok(())
    }

    /// Writes a branch page; its last key is its bound in the parent (ese-physical 6.4).
    fn finish_branch(
        &mut self,
        forest: &mut Forest,
        level: usize,
        entries: Vec<Entry>,
    ) -> EseResult<()> {
        let pgno = forest.allocate_page(self.tree.fdp, self.leaf.previous)?;
        let flags = if level == 0 { PageFlags::PARENT_OF_LEAF } else { PageFlags::empty() };
        write_page(forest.pager_mut().edit(pgno)?, pgno, &self.tree, flags, &entries);
        let bound = entries.last().map(|last| last.key.clone()).unwrap_or_default();
        self.push_child(forest, level + 1, bound, pgno)
    }

    /// Writes what is left and the root.
    ///
    /// # Errors
    /// As [`Forest::allocate_page`].
    pub fn finish(mut self, forest: &mut Forest) -> EseResult<TreeShape> {
        if self.levels.is_empty() && self.finish_on_root(forest)? {
            return Ok(self.shape);
        }
        self.finish_leaf(forest, None)?;
        let area_bytes = forest.pager().page_size().data_bytes();
        let mut level = 0;
        loop {
            let entries = std::mem::take(&mut self.levels[level]).entries;
            let is_top = level + 1 == self.levels.len();
            if is_top && fits_on_root(&entries, SPACE_HEADER_BYTES, area_bytes) {
                return self.finish_branch_root(forest, level, &entries);
            }
            if !entries.is_empty() {
                self.finish_branch(forest, level, entries)?;
            }
            level += 1;
        }
    }

    /// Puts everything on the root if it fits there.
    fn finish_on_root(&mut self, forest: &mut Forest) -> EseResult<bool> {
        if self.leaf.count == 0 {
            return Ok(true);
        }
        let page = PageEditor::over(&mut self.leaf.bytes, self.tree.root);
        let entries = super::pack::entries_of(&page.view())?;
        let area_bytes = forest.pager().page_size().data_bytes();
        if !fits_on_root(&entries, SPACE_HEADER_BYTES, area_bytes) {
            debug_assert!(
                divide(&entries, Packing::of(&self.tree, area_bytes), Division::Full).len() == 1
            );
            return Ok(false);
        }
        forest.rewrite_root_leaf(&self.tree, &entries)?;
        Ok(true)
    }

    fn finish_branch_root(
        &mut self,
        forest: &mut Forest,
        level: usize,
        entries: &[Entry],
    ) -> EseResult<TreeShape> {
        let tag_0 = forest.page(self.tree.root)?.view()?.external_header()?.to_vec();
        let parent_of_leaf =
            if level == 0 { PageFlags::PARENT_OF_LEAF } else { PageFlags::empty() };
        let flags = self.tree.flags() | PageFlags::ROOT | parent_of_leaf;
        let bytes = forest.pager_mut().edit(self.tree.root)?;
        let (root, objid) = (self.tree.root, self.tree.objid);
        let mut page = PageEditor::format(bytes, root, objid, flags, &tag_0);
        for (line, entry) in entries.iter().enumerate() {
            assert!(page.insert_node(line, &entry.key, &entry.data), "the root overflows");
        }
        self.shape.branch_levels = level;
        Ok(self.shape)
    }
}
