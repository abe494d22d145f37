//! All trees of a database opened for writing: their pages, and who owns which free space.
//!
//! Free space is kept in memory for each tree that was touched and written into the space trees at commit, where it costs
//! a few nodes. Pages freed since the last commit are not used again before the next one (promise P1 of the pager).

use std::collections::{BTreeMap, BTreeSet};

use super::space::{
    Extent, ExtentSet, Extents, SPACE_HEADER_BYTES, SpaceHeader, TreeSpace, read_space,
};
use super::{Tree, TreeKind};
use crate::ese::error::{EseError, EseResult, Refusal};
use crate::ese::page::{ObjId, PageEditor, PageFlags, Pgno};
use crate::ese::txn::{PageRef, Pager, Pages};

/// Root of the database's own tree.
pub const DATABASE_ROOT: Pgno = Pgno::fixed(1);
/// Pages by which the file grows at least: 1 MiB, as the engine does.
const FILE_GROWTH_PAGES: u32 = 256;
/// Pages that a tree asks its parent for at most, unless it needs more at once: 16 MiB.
const EXTENT_PAGES_MAX: u32 = 4096;

/// Trees and their space, under one writer.
#[derive(Debug)]
pub struct Forest {
    pub(super) pager: Pager,
    pub(super) spaces: BTreeMap<Pgno, WrittenSpace>,
    /// Trees whose space differs from what is stored.
    pub(super) changed: BTreeSet<Pgno>,
}

/// Trees draw space from trees that draw space from the database root; no database has more levels.
const HIERARCHY_MAX: usize = 8;
/// Pages that the bitmap of a single extent covers, the root counted. Source: ese-physical 8.2.
const SINGLE_PAGES_MAX: u32 = 33;

/// The space of one tree, what of it is stored, and what was freed since the last commit.
#[derive(Debug)]
pub(super) struct WrittenSpace {
    pub(super) now: TreeSpace,
    pub(super) stored_owned: ExtentSet,
    pub(super) stored_available: ExtentSet,
    pub(super) stored_header: SpaceHeader,
    /// Pages that runs are being built on: free as long as no commit links them.
    pub(super) lent: ExtentSet,
    freed: BTreeSet<Pgno>,
}

impl WrittenSpace {
    /// What the next commit will call free.
    pub(super) fn available_after_commit(&self) -> ExtentSet {
        let mut available = self.now.available.clone();
        let lent = self.lent.iter().flat_map(|extent| extent.pages().collect::<Vec<_>>());
        for pgno in self.freed.iter().copied().chain(lent) {
            available.add_page(pgno, &self.now.owned);
        }
        available
    }
}

impl Forest {
    /// The trees under `pager`.
    pub fn new(pager: Pager) -> Self {
        Self { pager, spaces: BTreeMap::new(), changed: BTreeSet::new() }
    }

    /// The writer below.
    pub fn pager(&self) -> &Pager {
        &self.pager
    }

    /// The writer below, for object ids, spilling and truncation.
    pub fn pager_mut(&mut self) -> &mut Pager {
        &mut self.pager
    }

    /// Page `pgno`, with uncommitted changes.
    ///
    /// # Errors
    /// As [`Pages::page`].
    pub fn page(&self, pgno: Pgno) -> EseResult<PageRef<'_>> {
        self.pager.page(pgno)
    }

    /// The space of the tree with root `fdp`, uncommitted changes included.
    ///
    /// # Errors
    /// As [`read_space`].
    pub fn space(&mut self, fdp: Pgno) -> EseResult<&TreeSpace> {
        self.written_space(fdp).map(|space| &space.now)
    }

    pub(super) fn written_space(&mut self, fdp: Pgno) -> EseResult<&mut WrittenSpace> {
        self.load_space(fdp, 0)?;
        let space = self.spaces.get_mut(&fdp);
        space.ok_or_else(|| EseError::corrupt(fdp, "the space of a tree got lost"))
    }

    /// Reads the space of `fdp`, after that of all trees it comes from, and checks one against the other: a writer that
    /// trusted a wrong account would give live pages away.
    fn load_space(&mut self, fdp: Pgno, depth: usize) -> EseResult<()> {
        if self.spaces.contains_key(&fdp) {
            return Ok(());
        }
        if depth >= HIERARCHY_MAX {
            return Err(EseError::corrupt(fdp, "trees draw their space from one another"));
        }
        let mut space = read_space(&self.pager, fdp)?;
        check_space(&space, self.pager.last_page()).map_err(|error| error.on_page(fdp))?;
        if fdp != DATABASE_ROOT {
            let Some(parent) = space.header.parent else {
                return Err(EseError::corrupt(fdp, "a tree without a parent to draw space from"));
            };
            self.load_space(parent, depth + 1)?;
            let parent = self.spaces.get(&parent).map(|parent| &parent.now);
            check_within(&space, parent).map_err(|error| error.on_page(fdp))?;
        }
        if let (Extents::Single { .. }, Some(rest)) = (space.header.extents, space.beyond_bitmap())
        {
            space.available.take(rest);
        }
        let space = WrittenSpace {
            stored_owned: space.owned.clone(),
            stored_available: space.available.clone(),
            stored_header: space.header,
            now: space,
            lent: ExtentSet::default(),
            freed: BTreeSet::new(),
        };
        self.spaces.insert(fdp, space);
        Ok(())
    }

    /// The space of `fdp`, to be changed; it is written at the next commit.
    pub(super) fn change_space(&mut self, fdp: Pgno) -> EseResult<&mut WrittenSpace> {
        self.load_space(fdp, 0)?;
        self.changed.insert(fdp);
        self.written_space(fdp)
    }

    /// Runs an operation that may consist of several changes. When it stops after the first one, the writer is dead (P12).
    pub(super) fn undivided<T>(
        &mut self,
        operation: impl FnOnce(&mut Self) -> EseResult<T>,
    ) -> EseResult<T> {
        self.pager.alive()?;
        let before = self.pager.change_count();
        let result = operation(self);
        if result.is_err() && self.pager.change_count() != before {
            self.pager.give_up();
        }
        result
    }

    /// Takes a free page of the tree with root `fdp` into use, after `near` if possible. Its bytes are zeros.
    ///
    /// # Errors
    /// [`EseError::Io`] when the file cannot grow; [`EseError::Corrupt`] when the space of a tree is.
    pub fn allocate_page(&mut self, fdp: Pgno, near: Option<Pgno>) -> EseResult<Pgno> {
        loop {
            if let Some(pgno) = self.change_space(fdp)?.now.available.take_page(near) {
                self.pager.allocate(pgno)?;
                return Ok(pgno);
            }
            self.grow(fdp, 1)?;
        }
    }

    /// Gives a page back to the tree that owns it.
    ///
    /// # Errors
    /// As [`read_space`].
    pub fn free_page(&mut self, fdp: Pgno, pgno: Pgno) -> EseResult<()> {
        let space = &self.written_space(fdp)?.now;
        if pgno == fdp || !space.owned.contains(pgno) {
            return Err(EseError::corrupt(
                pgno,
                "a page is given back to a tree that it is not of",
            ));
        }
        let may_be_reused = self.pager.release(pgno);
        self.give_back(fdp, pgno, may_be_reused)
    }

    fn give_back(&mut self, fdp: Pgno, pgno: Pgno, may_be_reused: bool) -> EseResult<()> {
        let space = self.change_space(fdp)?;
        if space.now.available.contains(pgno) || space.freed.contains(&pgno) {
            return Err(EseError::corrupt(pgno, "the page is given back twice"));
        }
        if may_be_reused {
            space.now.available.add_page(pgno, &space.now.owned);
        } else {
            space.freed.insert(pgno);
        }
        Ok(())
    }

    /// Takes adjacent free pages out of `fdp`'s space, at least `min`, `want` where possible. They still belong to `fdp`'s
    /// owned space, and are free on disk until they are allocated.
    ///
    /// # Errors
    /// As [`Self::allocate_page`].
    pub fn take_extent(&mut self, fdp: Pgno, min: u32, want: u32) -> EseResult<Extent> {
        loop {
            if let Some(extent) = self.change_space(fdp)?.now.available.take_extent(min, want) {
                return Ok(extent);
            }
            self.grow(fdp, want)?;
        }
    }

    /// Draws an extent from the parent, or, for the database root, from the end of the file.
    fn grow(&mut self, fdp: Pgno, need: u32) -> EseResult<()> {
        if fdp == DATABASE_ROOT {
            return self.grow_file(need);
        }
        let space = &self.written_space(fdp)?.now;
        let owned_pages = u32::try_from(space.owned.page_count()).unwrap_or(u32::MAX);
        let is_single = matches!(space.header.extents, Extents::Single { .. });
        let Some(parent) = space.header.parent else {
            return Err(EseError::corrupt(fdp, "a tree without a parent to draw space from"));
        };
        let step = if owned_pages < 16 { 4 } else { (owned_pages / 4).clamp(16, EXTENT_PAGES_MAX) };
        // Two pages of the first extent become the roots of the space trees.
        let roots = if is_single { 2 } else { 0 };
        let min = need.saturating_add(roots);
        let extent = self.take_extent(parent, min, step.max(min))?;
        let space = self.change_space(fdp)?;
        space.now.owned.add(extent);
        space.now.header.extent_pages = extent.count;
        space.now.header.is_v2 = true;
        let free = if is_single { self.start_space_trees(fdp, extent)? } else { Some(extent) };
        if let Some(free) = free {
            let space = self.change_space(fdp)?;
            free.pages().for_each(|pgno| space.now.available.add_page(pgno, &space.now.owned));
        }
        Ok(())
    }

    /// Turns a tree with a single extent into one with extents in trees: the roots are the first pages of `extent`.
    fn start_space_trees(&mut self, fdp: Pgno, extent: Extent) -> EseResult<Option<Extent>> {
        let owned_root = extent.first();
        let space = self.change_space(fdp)?;
        space.now.header.extents = Extents::Multiple { owned_root };
        // Nothing is stored in the new trees yet.
        space.stored_owned = ExtentSet::default();
        space.stored_available = ExtentSet::default();
        if let Some(rest) = space.now.beyond_bitmap() {
            space.now.available.add(rest);
        }
        let Some((owned, available)) = space.now.space_trees() else {
            return Err(EseError::corrupt(fdp, "no place for the space trees"));
        };
        for tree in [owned, available] {
            self.format_root(&tree, &[0; SPACE_HEADER_BYTES])?;
        }
        let left = extent.count.saturating_sub(2);
        Ok((left > 0).then_some(Extent { last: extent.last, count: left }))
    }

    fn format_root(&mut self, tree: &Tree, tag_0: &[u8]) -> EseResult<()> {
        let bytes = self.pager.allocate(tree.root)?;
        let flags = tree.flags() | PageFlags::ROOT | PageFlags::LEAF;
        PageEditor::format(bytes, tree.root, tree.objid, flags, tag_0);
        Ok(())
    }

    fn grow_file(&mut self, need: u32) -> EseResult<()> {
        let space = self.change_space(DATABASE_ROOT)?;
        let Some(end) = space.now.owned.iter().next_back() else {
            return Err(EseError::corrupt(DATABASE_ROOT, "the database owns no pages"));
        };
        let step = need.max(FILE_GROWTH_PAGES).max((end.last.get() / 16).min(EXTENT_PAGES_MAX));
        let Some(last) = end.last.checked_add(step) else {
            return Err(EseError::limit("page number", end.last.get().into(), Pgno::LIMIT.into()));
        };
        space.now.owned.remove(end.last);
        space.now.owned.add(Extent { last, count: end.count + step });
        space.now.header.extent_pages = step;
        space.now.header.is_v2 = true;
        for pgno in (Extent { last, count: step }).pages() {
            space.now.available.add_page(pgno, &space.now.owned);
        }
        self.pager.extend(last.get())
    }

    /// Makes an empty tree that draws its space from `parent` and owns `pages` adjacent pages.
    ///
    /// # Errors
    /// As [`Self::allocate_page`].
    pub fn create_tree(
        &mut self,
        parent: Pgno,
        objid: ObjId,
        kind: TreeKind,
        pages: u32,
    ) -> EseResult<Tree> {
        self.undivided(|forest| {
            let extent = forest.take_extent(parent, pages.max(1), pages.max(1))?;
            let tree = Tree::new(extent.first(), objid, kind);
            if extent.count > SINGLE_PAGES_MAX {
                forest.create_fixed_tree(Some(parent), tree, extent)?;
            } else {
                forest.create_single(tree, parent, extent)?;
            }
            Ok(tree)
        })
    }

    fn create_single(&mut self, tree: Tree, parent: Pgno, extent: Extent) -> EseResult<()> {
        let free_pages = extent.count - 1;
        assert!(extent.count <= SINGLE_PAGES_MAX, "the bitmap tells of every page");
        let free_bits = u32::MAX.checked_shr(32 - free_pages).unwrap_or(0);
        let header = SpaceHeader {
            extent_pages: extent.count,
            parent: Some(parent),
            is_non_unique: tree.kind == TreeKind::NonUniqueIndex,
            is_v2: false,
            extents: Extents::Single { free_bits },
        };
        self.format_root(&tree, &header.encode())?;
        let mut owned = ExtentSet::default();
        owned.add(extent);
        let mut available = ExtentSet::default();
        if free_pages > 0 {
            available.add(Extent { last: extent.last, count: free_pages });
        }
        let now = TreeSpace {
            tree,
            header,
            owned: owned.clone(),
            available: available.clone(),
            reserved: ExtentSet::default(),
            split_buffer: ExtentSet::default(),
        };
        let space = WrittenSpace {
            now,
            stored_owned: owned,
            stored_available: available,
            stored_header: header,
            lent: ExtentSet::default(),
            freed: BTreeSet::new(),
        };
        self.spaces.insert(tree.root, space);
        Ok(())
    }

    /// Makes a tree at a fixed place, with space trees from the start: root, OE and AE are the first pages of `extent`,
    /// which the caller has taken out of the parent's space. Source: ese-physical 8.3, 8.5.
    ///
    /// # Errors
    /// [`EseError::Corrupt`] when the file ends before the extent.
    pub fn create_fixed_tree(
        &mut self,
        parent: Option<Pgno>,
        tree: Tree,
        extent: Extent,
    ) -> EseResult<()> {
        let fdp = tree.root;
        assert!(extent.first() == fdp && extent.count >= 3, "root, OE and AE come first");
        let owned_root = fdp.checked_add(1).unwrap_or(fdp);
        let header = SpaceHeader {
            extent_pages: extent.count,
            parent,
            is_non_unique: tree.kind == TreeKind::NonUniqueIndex,
            is_v2: false,
            extents: Extents::Multiple { owned_root },
        };
        self.format_root(&tree, &header.encode())?;
        let mut owned = ExtentSet::default();
        owned.add(extent);
        let mut available = ExtentSet::default();
        if extent.count > 3 {
            available.add(Extent { last: extent.last, count: extent.count - 3 });
        }
        let now = TreeSpace {
            tree,
            header,
            owned,
            available,
            reserved: ExtentSet::default(),
            split_buffer: ExtentSet::default(),
        };
        for space_tree in
            now.space_trees().into_iter().flat_map(|(owned, available)| [owned, available])
        {
            self.format_root(&space_tree, &[0; SPACE_HEADER_BYTES])?;
        }
        self.spaces.insert(
            fdp,
            WrittenSpace {
                now,
                stored_owned: ExtentSet::default(),
                stored_available: ExtentSet::default(),
                stored_header: header,
                lent: ExtentSet::default(),
                freed: BTreeSet::new(),
            },
        );
        self.changed.insert(fdp);
        Ok(())
    }

    /// Takes exactly `extent` out of the free space of `fdp`.
    ///
    /// # Errors
    /// As [`read_space`]; [`EseError::Corrupt`] when part of it is not free.
    pub fn take_exactly(&mut self, fdp: Pgno, extent: Extent) -> EseResult<()> {
        let available = &mut self.change_space(fdp)?.now.available;
        let whole = available.extent_of(extent.last);
        if whole.is_none_or(|whole| whole.first() > extent.first()) {
            let reason = format!("pages {}..{} are not free", extent.first(), extent.last);
            return Err(EseError::corrupt(fdp, reason));
        }
        available.take(extent);
        Ok(())
    }

    /// Drops a tree: everything it owns goes back to its parent. The caller has dropped its children.
    ///
    /// # Errors
    /// As [`read_space`].
    pub fn drop_tree(&mut self, fdp: Pgno) -> EseResult<()> {
        self.undivided(|forest| forest.drop_undivided(fdp))
    }

    fn drop_undivided(&mut self, fdp: Pgno) -> EseResult<()> {
        let space = self.written_space(fdp)?;
        let (owned, parent) = (space.now.owned.clone(), space.now.header.parent);
        let free = space.now.available.clone();
        let Some(parent) = parent.filter(|_| fdp != DATABASE_ROOT) else {
            return Err(EseError::refused(
                Refusal::BadRequest,
                "the database root cannot be dropped",
            ));
        };
        self.spaces.remove(&fdp);
        self.changed.remove(&fdp);
        for pgno in owned.iter().flat_map(|extent| extent.pages().collect::<Vec<_>>()) {
            let was_free = free.contains(pgno);
            let may_be_reused = self.pager.release(pgno) || was_free;
            self.give_back(parent, pgno, may_be_reused)?;
        }
        Ok(())
    }

    /// Makes all changes durable: first the space trees are brought up to date, then the pager commits.
    ///
    /// # Errors
    /// As [`Pager::commit`].
    pub fn commit(&mut self) -> EseResult<()> {
        self.commit_when(&mut || ())
    }

    /// As [`Self::commit`]; `alone` as in [`Pager::commit_when`].
    ///
    /// # Errors
    /// As [`Pager::commit`].
    pub fn commit_when(&mut self, alone: &mut dyn FnMut()) -> EseResult<()> {
        self.pager.alive()?;
        if let Err(error) = self.store_spaces() {
            // What counts as stored is noted before it is, so there is no way back (P12).
            self.pager.give_up();
            return Err(error);
        }
        self.pager.commit_when(alone)?;
        for space in self.spaces.values_mut() {
            for pgno in std::mem::take(&mut space.freed) {
                space.now.available.add_page(pgno, &space.now.owned);
            }
        }
        Ok(())
    }

    /// Ends the job; uncommitted changes are dropped.
    ///
    /// # Errors
    /// As [`Pager::close`].
    pub fn close(self) -> EseResult<()> {
        self.pager.close()
    }
}

/// The account of one tree by itself: within the file, free pages within owned ones, its fixed pages not free.
fn check_space(space: &TreeSpace, last_page: u32) -> EseResult<()> {
    let corrupt = |reason: String| Err(EseError::corrupt_bytes(reason).in_tree(space.tree.objid));
    if let Some(last) = space.owned.last_page().filter(|last| last.get() > last_page) {
        return corrupt(format!("the tree owns page {last}, the file ends at {last_page}"));
    }
    if let Some(extent) = space.available.iter().find(|extent| !space.owned.covers(*extent)) {
        return corrupt(format!("free pages {}..{} are not owned", extent.first(), extent.last));
    }
    let space_roots = space.space_trees().map(|(owned, available)| [owned.root, available.root]);
    for root in space_roots.into_iter().flatten().chain([space.tree.root]) {
        if space.available.contains(root) || !space.owned.contains(root) {
            return corrupt(format!(
                "page {root} is a root of the tree, but is not owned, or is free"
            ));
        }
    }
    Ok(())
}

/// The account of a tree against that of the tree it draws from.
fn check_within(space: &TreeSpace, parent: Option<&TreeSpace>) -> EseResult<()> {
    let is_within = |extent: &Extent| {
        parent.is_some_and(|parent| {
            parent.owned.covers(*extent) && !parent.available.overlaps(*extent)
        })
    };
    match space.owned.iter().find(|extent| !is_within(extent)) {
        None => Ok(()),
        Some(Extent { last, count }) => {
            let reason = format!("the {count} pages up to {last} are not drawn from its parent");
            Err(EseError::corrupt_bytes(reason).in_tree(space.tree.objid))
        }
    }
}
