//! Inserting and replacing single entries, with splits upwards to the root.

use super::descent::{Target, child_line, load};
use super::pack::{
    Division, Entry, KEY_BYTES_MAX, Packing, divide, fits_on_root, separator, write_page,
};
use super::space::SPACE_HEADER_BYTES;
use super::{DEPTH_MAX, Forest, Tree};
use crate::ese::error::{EseError, EseResult, Refusal};
use crate::ese::page::{NodeFlags, PageEditor, PageFlags, Pgno};
use crate::ese::txn::Pages;

/// Most bytes of key and data that one node may hold on a 4 KiB page: area - two tags - prefix and key counts. The key
/// stands in tag 0 then, two bytes of it in the node's counts.
pub const NODE_BYTES_MAX: usize = 4056 - 4 - 4 - 4;

/// One step of a path from the root to a leaf: a page, and the line taken (in the leaf: where the entry is or would be).
#[derive(Debug, Clone, Copy)]
pub struct Step {
    /// The page.
    pub pgno: Pgno,
    /// The line.
    pub line: usize,
}

/// A path from the root to a leaf.
#[derive(Debug, Clone)]
pub struct Path {
    /// From the root down; never empty.
    pub steps: Vec<Step>,
    /// Whether the leaf holds the entry itself at the last step's line.
    pub is_found: bool,
    /// Whether a node in that place is marked as deleted: there is no entry, but the node must make way for one.
    pub is_deleted: bool,
}

impl Path {
    /// The leaf, and the branch steps above it.
    pub fn split(&self) -> (Step, &[Step]) {
        match self.steps.split_last() {
            Some((leaf, branches)) => (*leaf, branches),
            None => unreachable!("a path has at least the root"),
        }
    }
}

impl Forest {
    /// Walks from the root to the leaf where `target` is, or would be.
    pub(super) fn descend(&self, tree: &Tree, target: Target<'_>) -> EseResult<Path> {
        let mut steps = Vec::with_capacity(4);
        let mut pgno = tree.root;
        loop {
            if steps.len() >= DEPTH_MAX {
                return Err(
                    EseError::corrupt(pgno, "the tree is too deep: a cycle").in_tree(tree.objid)
                );
            }
            let page = load(&self.pager, tree, pgno)?;
            let view = page.view()?;
            if view.reserved_tags() != 1 || view.flags() & PageFlags::TREE_KIND != tree.flags() {
                let reason = "the page has a form that this tree cannot have been given";
                return Err(EseError::corrupt(pgno, reason).in_tree(tree.objid));
            }
            if view.is_leaf() {
                let by_data = tree.is_by_data();
                let line = view.partition(|node| target.compare_leaf(node, by_data).is_lt())?;
                let node = if line < view.node_count() { Some(view.node(line)?) } else { None };
                let node = node.filter(|node| target.compare_leaf(node, by_data).is_eq());
                let is_deleted =
                    node.as_ref().is_some_and(|node| node.flags.contains(NodeFlags::DELETED));
                steps.push(Step { pgno, line });
                return Ok(Path { steps, is_found: node.is_some() && !is_deleted, is_deleted });
            }
            let line = child_line(&view, target)?;
            steps.push(Step { pgno, line });
            pgno = view.child(line)?;
        }
    }

    /// Inserts an entry.
    ///
    /// # Errors
    /// [`Refusal::DuplicateKey`] when the key (in trees ordered by data: key and data) is there already,
    /// [`EseError::Limit`] when the entry does not fit on a page.
    pub fn insert(&mut self, tree: &Tree, key: &[u8], data: &[u8]) -> EseResult<()> {
        check_length(tree, key, data)?;
        self.undivided(|forest| forest.insert_checked(tree, key, data))
    }

    fn insert_checked(&mut self, tree: &Tree, key: &[u8], data: &[u8]) -> EseResult<()> {
        let path = self.descend(tree, Target::of(tree, key, data))?;
        let (leaf, _) = path.split();
        if path.is_found {
            let reason = "an entry with this key exists already";
            return Err(EseError::refused(Refusal::DuplicateKey, reason).in_tree(tree.objid));
        }
        if path.is_deleted {
            // The engine marks first and removes later; the marked node makes way.
            PageEditor::over(self.pager.edit(leaf.pgno)?, leaf.pgno).delete_node(leaf.line);
        }
        let mut page = PageEditor::over(self.pager.edit(leaf.pgno)?, leaf.pgno);
        if page.insert_node(leaf.line, key, data) {
            return Ok(());
        }
        self.split_leaf(tree, &path, |entries| {
            let new = Entry { key: key.to_vec(), data: data.to_vec() };
            let is_before = |old: &Entry| old.cmp_place(&new, tree.is_by_data()).is_lt();
            entries.insert(entries.partition_point(is_before), new);
        })
    }

    /// Replaces the data of the entry with this key. Not for trees ordered by data, where the data is part of the place.
    ///
    /// # Errors
    /// [`Refusal::NotFound`], [`EseError::Limit`].
    pub fn replace(&mut self, tree: &Tree, key: &[u8], data: &[u8]) -> EseResult<()> {
        assert!(!tree.is_by_data(), "entries of such a tree are deleted and inserted");
        check_length(tree, key, data)?;
        self.undivided(|forest| forest.replace_checked(tree, key, data))
    }

    fn replace_checked(&mut self, tree: &Tree, key: &[u8], data: &[u8]) -> EseResult<()> {
        let path = self.descend(tree, Target::of(tree, key, &[]))?;
        let (leaf, _) = path.split();
        if !path.is_found {
            return Err(not_found(tree));
        }
        let mut page = PageEditor::over(self.pager.edit(leaf.pgno)?, leaf.pgno);
        if page.replace_data(leaf.line, data) {
            return Ok(());
        }
        self.split_leaf(tree, &path, |entries| {
            if let Some(entry) = entries.iter_mut().find(|entry| entry.key == key) {
                entry.data = data.to_vec();
            }
        })
    }

    /// Divides a full leaf; `change` makes the change that does not fit.
    fn split_leaf(
        &mut self,
        tree: &Tree,
        path: &Path,
        change: impl FnOnce(&mut Vec<Entry>),
    ) -> EseResult<()> {
        let (leaf, branches) = path.split();
        let mut entries = self.leaf_entries(tree, leaf.pgno)?;
        let (_, next) = self.links_of(tree, leaf.pgno)?;
        let (is_last, old_count) = (next.is_none(), entries.len());
        change(&mut entries);
        // Rows that arrive in order leave full pages behind them.
        let is_append = is_last && leaf.line == old_count && entries.len() > 1;
        let division = if is_append { Division::Full } else { Division::Halves };
        self.replace_leaf(tree, leaf.pgno, branches, &entries, division)
    }

    /// Writes `entries` in place of a leaf's content, into as many pages as they need, at least two of them.
    pub(super) fn replace_leaf(
        &mut self,
        tree: &Tree,
        leaf: Pgno,
        branches: &[Step],
        entries: &[Entry],
        division: Division,
    ) -> EseResult<()> {
        let area_bytes = self.pager.page_size().data_bytes();
        let runs = divide(entries, Packing::of(tree, area_bytes), division);
        let groups: Vec<&[Entry]> = runs.iter().map(|run| &entries[run.clone()]).collect();
        let is_root = branches.is_empty();
        let mut pages = Vec::with_capacity(groups.len());
        if !is_root {
            pages.push(leaf);
        }
        while pages.len() < groups.len() {
            let near = pages.last().copied().unwrap_or(leaf);
            pages.push(self.allocate_page(tree.fdp, Some(near))?);
        }
        let (before, after) = if is_root { (None, None) } else { self.links_of(tree, leaf)? };
        let separators = separators_between(tree, leaf, &groups)?;
        self.write_level(tree, PageFlags::LEAF, &pages, &groups)?;
        self.link_pages(tree, before, &pages, after)?;
        if is_root {
            self.raise_root(tree, PageFlags::PARENT_OF_LEAF, separators, &pages)
        } else {
            self.replace_child(tree, branches, separators, &pages)
        }
    }

    fn write_level(
        &mut self,
        tree: &Tree,
        level: PageFlags,
        pages: &[Pgno],
        groups: &[&[Entry]],
    ) -> EseResult<()> {
        for (pgno, group) in pages.iter().zip(groups) {
            write_page(self.pager.edit(*pgno)?, *pgno, tree, level, group);
        }
        Ok(())
    }

    /// Links leaves in a row between `before` and `after`.
    pub(super) fn link_pages(
        &mut self,
        tree: &Tree,
        before: Option<Pgno>,
        pages: &[Pgno],
        after: Option<Pgno>,
    ) -> EseResult<()> {
        for (index, pgno) in pages.iter().enumerate() {
            let previous = if index == 0 { before } else { pages.get(index - 1).copied() };
            let next = pages.get(index + 1).copied().or(after);
            self.relink(tree, *pgno, Some(previous), Some(next))?;
        }
        if let Some(before) = before {
            self.relink(tree, before, None, Some(pages.first().copied().or(after)))?;
        }
        if let Some(after) = after {
            self.relink(tree, after, Some(pages.last().copied().or(before)), None)?;
        }
        Ok(())
    }

    /// Sets the links that are given; a page whose links are right already stays unchanged.
    fn relink(
        &mut self,
        tree: &Tree,
        pgno: Pgno,
        previous: Option<Option<Pgno>>,
        next: Option<Option<Pgno>>,
    ) -> EseResult<()> {
        let (old_previous, old_next) = self.links_of(tree, pgno)?;
        let (previous, next) = (previous.unwrap_or(old_previous), next.unwrap_or(old_next));
        if (previous, next) != (old_previous, old_next) {
            let mut page = PageEditor::over(self.pager.edit(pgno)?, pgno);
            page.set_previous(previous);
            page.set_next(next);
        }
        Ok(())
    }

    /// Makes a root the parent of `pages`. Its old content has moved there.
    pub(super) fn raise_root(
        &mut self,
        tree: &Tree,
        level: PageFlags,
        separators: Vec<Vec<u8>>,
        pages: &[Pgno],
    ) -> EseResult<()> {
        let tag_0 = self.pager.page(tree.root)?.view()?.external_header()?.to_vec();
        let entries = branch_entries(separators, pages);
        let area_bytes = self.pager.page_size().data_bytes();
        if !fits_on_root(&entries, tag_0.len(), area_bytes) {
            return self.raise_root_higher(tree, level, &entries);
        }
        let flags = tree.flags() | PageFlags::ROOT | level;
        let bytes = self.pager.edit(tree.root)?;
        let mut page = PageEditor::format(bytes, tree.root, tree.objid, flags, &tag_0);
        for (line, entry) in entries.iter().enumerate() {
            assert!(page.insert_node(line, &entry.key, &entry.data), "the root overflows");
        }
        Ok(())
    }

    /// Puts a level of branch pages between the root and `entries`.
    fn raise_root_higher(
        &mut self,
        tree: &Tree,
        level: PageFlags,
        entries: &[Entry],
    ) -> EseResult<()> {
        let area_bytes = self.pager.page_size().data_bytes();
        let runs = divide(entries, Packing::of(tree, area_bytes), Division::Halves);
        let groups: Vec<&[Entry]> = runs.iter().map(|run| &entries[run.clone()]).collect();
        if groups.len() >= entries.len() {
            let reason = "the root has no room, or its keys are too long for branch pages";
            return Err(EseError::corrupt(tree.root, reason).in_tree(tree.objid));
        }
        let mut pages: Vec<Pgno> = Vec::with_capacity(groups.len());
        for _ in &groups {
            pages.push(self.allocate_page(tree.fdp, pages.last().copied())?);
        }
        self.write_level(tree, level, &pages, &groups)?;
        self.raise_root(tree, PageFlags::empty(), last_keys(&groups), &pages)
    }

    /// Replaces the child at the last of `branches` by `pages`, with `separators` between them.
    pub(super) fn replace_child(
        &mut self,
        tree: &Tree,
        branches: &[Step],
        separators: Vec<Vec<u8>>,
        pages: &[Pgno],
    ) -> EseResult<()> {
        let Some((step, above)) = branches.split_last() else {
            unreachable!("a root has no place in a parent")
        };
        let Some((last, firsts)) = pages.split_last() else { unreachable!("no child is left") };
        if let [separator] = separators.as_slice() {
            let mut page = self.edit_branch(tree, *step)?;
            if page.has_room_for(separator, 4) {
                page.replace_data(step.line, &last.get().to_le_bytes());
                page.insert_node(step.line, separator, &firsts[0].get().to_le_bytes());
                return Ok(());
            }
        }
        let mut entries = self.branch_entries(tree, step.pgno)?;
        let Some(kept_key) = entries.get(step.line).map(|entry| entry.key.clone()) else {
            let reason = format!("a branch page with more than {} nodes was expected", step.line);
            return Err(EseError::corrupt(step.pgno, reason).in_tree(tree.objid));
        };
        let new = separators
            .into_iter()
            .zip(firsts)
            .map(|(key, child)| Entry::branch(key, *child))
            .chain([Entry::branch(kept_key, *last)]);
        entries.splice(step.line..=step.line, new.collect::<Vec<_>>());
        self.replace_branch(tree, *step, above, &entries)
    }

    /// Writes `entries` in place of a branch page's content, into as many pages as they need.
    fn replace_branch(
        &mut self,
        tree: &Tree,
        step: Step,
        above: &[Step],
        entries: &[Entry],
    ) -> EseResult<()> {
        let (level, tag_0_bytes) = {
            let page = self.pager.page(step.pgno)?;
            let view = page.view()?;
            (view.flags() & PageFlags::PARENT_OF_LEAF, view.external_header()?.len())
        };
        let area_bytes = self.pager.page_size().data_bytes();
        if above.is_empty() {
            let header_bytes = tag_0_bytes.max(SPACE_HEADER_BYTES);
            if fits_on_root(entries, header_bytes, area_bytes) {
                let (separators, pages) = unzip_branch(entries)?;
                return self.raise_root(tree, level, separators, &pages);
            }
            return self.raise_root_higher(tree, level, entries);
        }
        let runs = divide(entries, Packing::of(tree, area_bytes), Division::Halves);
        let groups: Vec<&[Entry]> = runs.iter().map(|run| &entries[run.clone()]).collect();
        let mut pages = vec![step.pgno];
        while pages.len() < groups.len() {
            pages.push(self.allocate_page(tree.fdp, pages.last().copied())?);
        }
        self.write_level(tree, level, &pages, &groups)?;
        if pages.len() == 1 {
            return Ok(());
        }
        self.replace_child(tree, above, last_keys(&groups), &pages)
    }
}

/// What the parent of the leaves keeps between them.
fn separators_between(tree: &Tree, leaf: Pgno, groups: &[&[Entry]]) -> EseResult<Vec<Vec<u8>>> {
    let between = |pair: &[&[Entry]]| match (pair[0].last(), pair[1].first()) {
        (Some(left), Some(right)) => separator(left, right, tree.is_by_data()),
        _ => unreachable!("no group is empty"),
    };
    let separators: EseResult<_> = groups.windows(2).map(between).collect();
    separators.map_err(|error| error.on_page(leaf).in_tree(tree.objid))
}

/// The last key of each group but the last: what the parent keeps for that child, unchanged (ese-physical 6.4).
fn last_keys(groups: &[&[Entry]]) -> Vec<Vec<u8>> {
    let keys = groups.iter().filter_map(|group| group.last()).map(|entry| entry.key.clone());
    keys.take(groups.len().saturating_sub(1)).collect()
}

fn branch_entries(separators: Vec<Vec<u8>>, pages: &[Pgno]) -> Vec<Entry> {
    let keys = separators.into_iter().chain([Vec::new()]);
    keys.zip(pages).map(|(key, child)| Entry::branch(key, *child)).collect()
}

/// Keys (but the last, empty one) and children of a root's entries.
fn unzip_branch(entries: &[Entry]) -> EseResult<(Vec<Vec<u8>>, Vec<Pgno>)> {
    let mut pages = Vec::with_capacity(entries.len());
    for entry in entries {
        let number = <[u8; 4]>::try_from(entry.data.as_slice()).map(u32::from_le_bytes);
        let child = number.ok().and_then(Pgno::new);
        pages.push(child.ok_or_else(|| EseError::corrupt_bytes("a branch node without a child"))?);
    }
    let last = entries.len().saturating_sub(1);
    Ok((entries[..last].iter().map(|entry| entry.key.clone()).collect(), pages))
}

pub(super) fn check_length(tree: &Tree, key: &[u8], data: &[u8]) -> EseResult<()> {
    assert!(!data.is_empty(), "an entry must have data");
    let length = key.len() + data.len();
    if length > NODE_BYTES_MAX {
        let error = EseError::limit("length of a node", length as u64, NODE_BYTES_MAX as u64);
        return Err(error.in_tree(tree.objid));
    }
    let place_bytes = if tree.is_by_data() { length } else { key.len() };
    if place_bytes > KEY_BYTES_MAX {
        let error = EseError::limit("length of a key", place_bytes as u64, KEY_BYTES_MAX as u64);
        return Err(error.in_tree(tree.objid));
    }
    Ok(())
}

pub(super) fn not_found(tree: &Tree) -> EseError {
    EseError::refused(Refusal::NotFound, "no entry with this key").in_tree(tree.objid)
}
