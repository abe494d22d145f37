//! Deleting entries, and joining pages that became too empty.
//!
//! Joining always keeps the *right* page of a pair: it takes the entries of its left neighbour, and the left one's line
//! goes from the parent. So no separator ever has to change, and nothing can overflow.

use std::collections::BTreeSet;

use super::descent::Target;
use super::insert::{Step, not_found};
use super::pack::{Division, Entry, Packing, divide, write_page};
use super::{Forest, Tree};
use crate::ese::error::{EseError, EseResult};
use crate::ese::page::{PageEditor, PageFlags, Pgno};
use crate::ese::txn::Pages;

impl Forest {
    /// Deletes the entry with this key (in trees ordered by data: key and data).
    ///
    /// # Errors
    /// [`crate::ese::error::Refusal::NotFound`].
    pub fn delete(&mut self, tree: &Tree, key: &[u8], data: &[u8]) -> EseResult<()> {
        self.undivided(|forest| forest.delete_undivided(tree, key, data))
    }

    fn delete_undivided(&mut self, tree: &Tree, key: &[u8], data: &[u8]) -> EseResult<()> {
        let path = self.descend(tree, Target::of(tree, key, data))?;
        let (leaf, branches) = path.split();
        if !path.is_found {
            return Err(not_found(tree));
        }
        let mut page = PageEditor::over(self.pager.edit(leaf.pgno)?, leaf.pgno);
        page.delete_node(leaf.line);
        let (is_empty, free_bytes) = (page.view().node_count() == 0, page.free_bytes());
        self.after_shrinking(tree, leaf.pgno, branches, is_empty, free_bytes)
    }

    /// Joins or removes a leaf from which entries were taken, if it holds too little.
    pub(super) fn after_shrinking(
        &mut self,
        tree: &Tree,
        leaf: Pgno,
        branches: &[Step],
        is_empty: bool,
        free_bytes: usize,
    ) -> EseResult<()> {
        let Some(parent) = branches.last().copied() else { return Ok(()) };
        let is_sparse = free_bytes > self.pager.page_size().data_bytes() / 4 * 3;
        if !is_empty && !is_sparse {
            return Ok(());
        }
        let child_count = self.pager.page(parent.pgno)?.view()?.node_count();
        if parent.line + 1 < child_count {
            let right = self.pager.page(parent.pgno)?.view()?.child(parent.line + 1)?;
            return self.join(tree, leaf, right, branches, parent.line);
        }
        if parent.line > 0 {
            let left = self.pager.page(parent.pgno)?.view()?.child(parent.line - 1)?;
            return self.join(tree, left, leaf, branches, parent.line - 1);
        }
        if is_empty {
            self.unlink_leaf(tree, leaf)?;
            return self.remove_only_child(tree, branches);
        }
        Ok(())
    }

    /// Moves the entries of `left` to `right`, its neighbour under the same parent, if they fit; `line` is `left`'s.
    fn join(
        &mut self,
        tree: &Tree,
        left: Pgno,
        right: Pgno,
        branches: &[Step],
        line: usize,
    ) -> EseResult<()> {
        if left == right {
            let reason = "its parent names the page twice";
            return Err(EseError::corrupt(left, reason).in_tree(tree.objid));
        }
        let mut entries = self.leaf_entries(tree, left)?;
        if !entries.is_empty() {
            entries.extend(self.leaf_entries(tree, right)?);
            let area_bytes = self.pager.page_size().data_bytes();
            if divide(&entries, Packing::of(tree, area_bytes), Division::Full).len() > 1 {
                return Ok(());
            }
            let (previous, next) = self.links_of(tree, right)?;
            let bytes = self.pager.edit(right)?;
            write_page(bytes, right, tree, PageFlags::LEAF, &entries);
            self.link_pages(tree, previous, &[right], next)?;
        }
        self.unlink_leaf(tree, left)?;
        match branches.last() {
            Some(parent) => self.delete_line(tree, Step { pgno: parent.pgno, line }),
            None => Ok(()),
        }
    }

    /// Takes a line out of a branch page.
    fn delete_line(&mut self, tree: &Tree, step: Step) -> EseResult<()> {
        self.edit_branch(tree, step)?.delete_node(step.line);
        Ok(())
    }

    /// Takes a leaf out of the chain and frees it.
    fn unlink_leaf(&mut self, tree: &Tree, leaf: Pgno) -> EseResult<()> {
        let (previous, next) = self.links_of(tree, leaf)?;
        self.link_pages(tree, previous, &[], next)?;
        self.free_page(tree.fdp, leaf)
    }

    /// Removes a branch page whose only child is gone, and whatever becomes childless above it.
    fn remove_only_child(&mut self, tree: &Tree, branches: &[Step]) -> EseResult<()> {
        let Some((step, above)) = branches.split_last() else { return Ok(()) };
        let Some(parent) = above.last().copied() else { return self.empty_root(tree) };
        let (child_count, is_parent_of_leaf) = {
            let page = self.pager.page(step.pgno)?;
            let count = self.pager.page(parent.pgno)?.view()?.node_count();
            (count, page.view()?.has(PageFlags::PARENT_OF_LEAF))
        };
        if child_count == 1 {
            self.free_page(tree.fdp, step.pgno)?;
            return self.remove_only_child(tree, above);
        }
        if parent.line + 1 < child_count {
            self.free_page(tree.fdp, step.pgno)?;
            return self.delete_line(tree, parent);
        }
        // The last child: its bound must stay, so its left neighbour's entries move here under that bound.
        let Some(before) = parent.line.checked_sub(1) else {
            let reason = "a branch page lost its children while one of them was deleted";
            return Err(EseError::corrupt(parent.pgno, reason).in_tree(tree.objid));
        };
        let left = self.pager.page(parent.pgno)?.view()?.child(before)?;
        let mut entries = self.branch_entries(tree, left)?;
        let bound = self.pager.page(parent.pgno)?.view()?.node(parent.line)?.key.to_vec();
        if let Some(last) = entries.last_mut() {
            last.key = bound;
        }
        let area_bytes = self.pager.page_size().data_bytes();
        let fits = divide(&entries, Packing::of(tree, area_bytes), Division::Full).len() == 1;
        if !fits || !is_parent_of_leaf {
            // Last keys further down would have to follow the bound; rare enough to build all branches anew.
            return self.rebuild_branches(tree, Some(step.pgno));
        }
        let bytes = self.pager.edit(step.pgno)?;
        write_page(bytes, step.pgno, tree, PageFlags::PARENT_OF_LEAF, &entries);
        self.free_page(tree.fdp, left)?;
        self.delete_line(tree, Step { pgno: parent.pgno, line: before })
    }

    fn empty_root(&mut self, tree: &Tree) -> EseResult<()> {
        let tag_0 = self.pager.page(tree.root)?.view()?.external_header()?.to_vec();
        let flags = tree.flags() | PageFlags::ROOT | PageFlags::LEAF;
        let bytes = self.pager.edit(tree.root)?;
        PageEditor::format(bytes, tree.root, tree.objid, flags, &tag_0);
        Ok(())
    }

    /// Builds all branch levels anew from the entries of the lowest one. `dropped` is a branch page without children.
    fn rebuild_branches(&mut self, tree: &Tree, dropped: Option<Pgno>) -> EseResult<()> {
        let mut leaves = Vec::new();
        let mut branch_pages = BTreeSet::new();
        self.collect_branches(tree, tree.root, dropped, &mut leaves, &mut branch_pages, 0)?;
        for pgno in branch_pages.into_iter().filter(|pgno| *pgno != tree.root) {
            self.free_page(tree.fdp, pgno)?;
        }
        let separators = leaves
            .iter()
            .take(leaves.len().saturating_sub(1))
            .map(|(key, _)| key.clone())
            .collect();
        let pages: Vec<Pgno> = leaves.into_iter().map(|(_, child)| child).collect();
        self.raise_root(tree, PageFlags::PARENT_OF_LEAF, separators, &pages)
    }

    fn collect_branches(
        &self,
        tree: &Tree,
        pgno: Pgno,
        dropped: Option<Pgno>,
        leaves: &mut Vec<(Vec<u8>, Pgno)>,
        branch_pages: &mut BTreeSet<Pgno>,
        depth: usize,
    ) -> EseResult<()> {
        if depth >= super::DEPTH_MAX || !branch_pages.insert(pgno) {
            let reason = "the tree is too deep, or reaches a page twice";
            return Err(EseError::corrupt(pgno, reason).in_tree(tree.objid));
        }
        if Some(pgno) == dropped {
            return Ok(());
        }
        let entries = self.branch_entries(tree, pgno)?;
        let is_parent_of_leaf = self.pager.page(pgno)?.view()?.has(PageFlags::PARENT_OF_LEAF);
        for Entry { key, data } in entries {
            let number = <[u8; 4]>::try_from(data.as_slice()).map(u32::from_le_bytes);
            let Some(child) = number.ok().and_then(Pgno::new) else { continue };
            if is_parent_of_leaf {
                leaves.push((key, child));
            } else {
                self.collect_branches(tree, child, dropped, leaves, branch_pages, depth + 1)?;
            }
        }
        Ok(())
    }
}
