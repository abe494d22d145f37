//! Pages with a memory of where they were last asked for, for whoever asks again and again near the same place.
//!
//! Mails are stored in the order in which they came, and read in nearly that order: the leaf that held the last row mostly holds the
//! next one too, and then no walk down from the root is needed.

use std::cell::RefCell;
use std::path::Path;

use super::source::{PageRef, Pages};
use crate::ese::error::EseResult;
use crate::ese::page::{PageSize, Pgno};

/// Trees that are remembered at a time: tables, long values and indexes of one mail.
const TREES: usize = 12;

/// A source of pages that do not change while this lives, and the leaf of each tree that was visited last.
#[derive(Debug)]
pub struct RecentPages<'p, P: ?Sized> {
    pages: &'p P,
    leaves: RefCell<Leaves>,
}

#[derive(Debug, Default)]
struct Leaves {
    /// Root and leaf.
    known: Vec<(Pgno, Pgno)>,
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

    fn recent_leaf(&self, root: Pgno) -> Option<Pgno> {
        let leaves = self.leaves.borrow();
        leaves.known.iter().find(|(known, _)| *known == root).map(|(_, leaf)| *leaf)
    }

    fn note_leaf(&self, root: Pgno, leaf: Pgno) {
        let mut leaves = self.leaves.borrow_mut();
        let Leaves { known, next } = &mut *leaves;
        if let Some(slot) = known.iter_mut().find(|(known, _)| *known == root) {
            slot.1 = leaf;
        } else if known.len() < TREES {
            known.push((root, leaf));
        } else if let Some(slot) = known.get_mut(*next) {
            *slot = (root, leaf);
            *next = (*next + 1) % TREES;
        }
    }
}
