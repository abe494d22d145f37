//! Pages with a memory of where they were last asked for, for whoever asks again and again near the same place.
//!
//! Mails are stored in the order in which they came, and read in nearly that order: the leaf that held the last row mostly holds the
//! next one too, and then no walk down from the root is needed.

use std::cell::RefCell;
use std::path::Path;

use super::source::{PageRef, Pages, RecentLeaf, TreeMark};
use crate::ese::error::EseResult;
use crate::ese::page::{PageFrame, PageSize, Pgno};

/// Trees that are remembered at a time: tables, long values and indexes of one mail.
const TREES: usize = 12;

/// A source of pages that do not change while this lives, and the leaf of each tree that was visited last.
#[derive(Debug)]
pub struct RecentPages<'p, P: ?Sized> {
    pages: &'p P,
    leaves: RefCell<Leaves<'p>>,
}

#[derive(Debug, Default)]
struct Leaves<'p> {
    known: Vec<(TreeMark, RecentLeaf<'p>)>,
    /// Which is forgotten next.
    next: usize,
}

impl<'p, P: Pages + ?Sized> RecentPages<'p, P> {
    /// Nothing has been visited yet.
    pub fn new(pages: &'p P) -> Self {
        Self { pages, leaves: RefCell::default() }
    }
}

impl<P: Pages + ?Sized> Pages for RecentPages<'_, P> {
    fn page_size(&self) -> PageSize {
        self.pages.page_size()
    }

    fn last_page(&self) -> u32 {
        self.pages.last_page()
    }

    fn path(&self) -> &Path {
        self.pages.path()
    }

    fn page(&self, pgno: Pgno) -> EseResult<PageRef<'_>> {
        self.pages.page(pgno)
    }

    fn will_need(&self, pages: &[Pgno]) {
        self.pages.will_need(pages);
    }

    fn recent_leaf(&self, tree: &TreeMark) -> Option<RecentLeaf<'_>> {
        let leaves = self.leaves.borrow();
        leaves.known.iter().find(|(known, _)| known == tree).map(|(_, leaf)| leaf.clone())
    }

    fn note_leaf(&self, tree: &TreeMark, leaf: Pgno, frame: PageFrame, line: usize) {
        let mut leaves = self.leaves.borrow_mut();
        let Leaves { known, next } = &mut *leaves;
        let mut slot = known.iter_mut().find(|(known, _)| known == tree).map(|(_, leaf)| leaf);
        if let Some(recent) = slot.as_deref_mut().filter(|recent| recent.page.pgno() == leaf) {
            recent.line = line;
            return;
        }
        // It was read a moment ago, so that this does not fail.
        let Ok(page) = self.pages.page(leaf) else { return };
        let recent = RecentLeaf { page, frame, line };
        if let Some(known) = slot {
            *known = recent;
        } else if known.len() < TREES {
            known.push((*tree, recent));
        } else if let Some(slot) = known.get_mut(*next) {
            *slot = (*tree, recent);
            *next = (*next + 1) % TREES;
        }
    }
}
