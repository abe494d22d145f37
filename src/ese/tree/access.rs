//! What a writer needs to know of a page before it goes by it: that the page belongs to the tree, has the kind and the
//! level that are expected, and keeps the rules of its format.
//!
//! A reader may pass over damage; a writer that does would spread it. Everything here answers with a typed error, because
//! the bytes of a file decide.

use super::descent::load;
use super::insert::Step;
use super::pack::{Entry, entries_of};
use super::{Forest, Tree};
use crate::ese::error::{EseError, EseResult};
use crate::ese::page::{PageEditor, PageFlags, Pgno};
use crate::ese::txn::{PageRef, check_editable};

impl Forest {
    /// Page `pgno` of `tree`, sound enough to build on.
    ///
    /// # Errors
    /// [`EseError::Corrupt`] when it belongs to another tree or kind of tree, or breaks a rule of its format.
    pub(super) fn sound_page(&self, tree: &Tree, pgno: Pgno) -> EseResult<PageRef<'_>> {
        let page = load(&self.pager, tree, pgno)?;
        let view = page.view()?;
        if view.flags() & PageFlags::TREE_KIND != tree.flags() {
            let reason = format!("page flags {:#x} are of another tree", view.flags().bits());
            return Err(EseError::corrupt(pgno, reason).in_tree(tree.objid));
        }
        // Changed pages were checked when they were changed first.
        if !self.pager.is_changed(pgno) {
            check_editable(&view).map_err(|error| error.in_tree(tree.objid))?;
        }
        Ok(page)
    }

    /// All entries of a leaf of `tree`.
    ///
    /// # Errors
    /// As [`Self::sound_page`], and for a page that is no leaf.
    pub(super) fn leaf_entries(&self, tree: &Tree, pgno: Pgno) -> EseResult<Vec<Entry>> {
        self.level_entries(tree, pgno, true)
    }

    /// All entries of a branch page of `tree`.
    ///
    /// # Errors
    /// As [`Self::sound_page`], and for a page that is no branch page.
    pub(super) fn branch_entries(&self, tree: &Tree, pgno: Pgno) -> EseResult<Vec<Entry>> {
        self.level_entries(tree, pgno, false)
    }

    fn level_entries(&self, tree: &Tree, pgno: Pgno, is_leaf: bool) -> EseResult<Vec<Entry>> {
        let page = self.sound_page(tree, pgno)?;
        let view = page.view()?;
        if view.is_leaf() != is_leaf {
            let reason = if is_leaf { "a leaf was expected" } else { "a branch page was expected" };
            return Err(EseError::corrupt(pgno, reason).in_tree(tree.objid));
        }
        entries_of(&view)
    }

    /// The previous and the next leaf of one.
    ///
    /// # Errors
    /// As [`Self::sound_page`], and for a page that is no leaf.
    pub(super) fn links_of(
        &self,
        tree: &Tree,
        leaf: Pgno,
    ) -> EseResult<(Option<Pgno>, Option<Pgno>)> {
        let page = self.sound_page(tree, leaf)?;
        let view = page.view()?;
        if !view.is_leaf() {
            let reason = "a page that is no leaf is linked with leaves";
            return Err(EseError::corrupt(leaf, reason).in_tree(tree.objid));
        }
        Ok((view.previous(), view.next()))
    }

    /// A branch page, to be changed at the line of `step`, which must exist.
    ///
    /// # Errors
    /// As [`Self::sound_page`], and when the page is no branch page with that line.
    pub(super) fn edit_branch(&mut self, tree: &Tree, step: Step) -> EseResult<PageEditor<'_>> {
        {
            let page = self.sound_page(tree, step.pgno)?;
            let view = page.view()?;
            if view.is_leaf() || step.line >= view.node_count() {
                let reason =
                    format!("a branch page with more than {} nodes was expected", step.line);
                return Err(EseError::corrupt(step.pgno, reason).in_tree(tree.objid));
            }
        }
        Ok(PageEditor::over(self.pager.edit(step.pgno)?, step.pgno))
    }
}
