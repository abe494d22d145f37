//! Pages with a memory of where they were last asked for, for whoever asks again and again near the same place.
//!
//! Mails are stored in the order in which they came, and read in nearly that order: the leaf that held the last row mostly holds the
//! next one too, and then no walk down from the root is needed. Those of one mailbox lie among those of others: what is not in that
//! leaf is a few leaves further, below the same parent.

use std::cell::RefCell;
use std::path::Path;

use super::source::{PageRef, Pages, Rank, RecentPage, TreeMark};
use crate::ese::error::EseResult;
use crate::ese::page::{PageFrame, PageSize, Pgno};

/// Trees that are remembered at a time: tables, long values and indexes of one mail.
const TREES: usize = 12;

/// A source of pages that do not change while this lives, and the leaf and the parent of leaves of each tree that were visited last.
#[derive(Debug)]
pub struct RecentPages<'p, P: ?Sized> {
    pages: &'p P,
    trees: RefCell<Trees<'p>>,
}

#[derive(Debug, Default)]
struct Trees<'p> {
    known: Vec<Known<'p>>,
    /// Which is forgotten next.
    next: usize,
}

/// What is remembered of one tree.
#[derive(Debug)]
struct Known<'p> {
    tree: TreeMark,
    leaf: Option<RecentPage<'p>>,
    parent: Option<RecentPage<'p>>,
}

impl<'p> Known<'p> {
    fn of(tree: &TreeMark) -> Self {
        Self { tree: *tree, leaf: None, parent: None }
    }

    fn slot(&mut self, rank: Rank) -> &mut Option<RecentPage<'p>> {
        match rank {
            Rank::Leaf => &mut self.leaf,
            Rank::Parent => &mut self.parent,
        }
    }
}

impl<'p> Trees<'p> {
    /// The tree; a new one takes the place of another when there are too many.
    fn known(&mut self, tree: &TreeMark) -> Option<&mut Known<'p>> {
        let at = match self.known.iter().position(|known| known.tree == *tree) {
            Some(at) => at,
            None if self.known.len() < TREES => {
                self.known.push(Known::of(tree));
                self.known.len() - 1
            }
            None => {
                let at = self.next;
                self.next = (at + 1) % TREES;
                *self.known.get_mut(at)? = Known::of(tree);
                at
            }
        };
        self.known.get_mut(at)
    }
}

impl<'p, P: Pages + ?Sized> RecentPages<'p, P> {
    /// Nothing has been visited yet.
    pub fn new(pages: &'p P) -> Self {
        Self { pages, trees: RefCell::default() }
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

    fn recent(&self, tree: &TreeMark, rank: Rank) -> Option<RecentPage<'_>> {
        let trees = self.trees.borrow();
        let known = trees.known.iter().find(|known| known.tree == *tree)?;
        match rank {
            Rank::Leaf => known.leaf.clone(),
            Rank::Parent => known.parent.clone(),
        }
    }

    fn note(&self, tree: &TreeMark, rank: Rank, pgno: Pgno, frame: PageFrame, line: usize) {
        let mut trees = self.trees.borrow_mut();
        let Some(slot) = trees.known(tree).map(|known| known.slot(rank)) else { return };
        match slot {
            Some(recent) if recent.page.pgno() == pgno => recent.line = line,
            // It was read a moment ago, so that this does not fail.
            _ => *slot = self.pages.page(pgno).ok().map(|page| RecentPage { page, frame, line }),
        }
    }
}
