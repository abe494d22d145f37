//! The pages between the root of a tree and a place in it.

use super::descent::load_framed;
use super::{DEPTH_MAX, Tree};
use crate::ese::error::{EseError, EseResult};
use crate::ese::page::{PageFlags, PageFrame, PageView, Pgno};
use crate::ese::txn::{PageRef, Pages};

/// A page on the way, and the line that was taken there.
#[derive(Debug, Clone)]
pub(super) struct Level<'p> {
    pub(super) page: PageRef<'p>,
    /// Checked when the page was loaded.
    pub(super) frame: PageFrame,
    /// -1 before the first line, `count` after the last one.
    pub(super) line: isize,
    pub(super) count: isize,
}

impl<'p> Level<'p> {
    /// A page that belongs to the tree.
    #[inline]
    pub(super) fn new(page: PageRef<'p>, frame: PageFrame, line: isize) -> Self {
        Self { page, frame, line, count: frame.node_count() as isize }
    }

    #[inline]
    pub(super) fn view(&self) -> PageView<'_> {
        self.page.framed(self.frame)
    }

    #[inline]
    pub(super) fn is_leaf(&self) -> bool {
        self.frame.flags().contains(PageFlags::LEAF)
    }

    /// The line, when it is one of the page.
    #[inline]
    pub(super) fn line(&self) -> Option<usize> {
        usize::try_from(self.line).ok().filter(|_| self.line < self.count)
    }
}

/// Levels from the root down. Most paths are one leaf long: the last level lies apart, so that they need no memory.
#[derive(Debug, Clone)]
pub(super) struct Path<'p> {
    above: Vec<Level<'p>>,
    last: Option<Level<'p>>,
}

impl<'p> Path<'p> {
    pub(super) fn new() -> Self {
        Self { above: Vec::new(), last: None }
    }

    #[inline]
    pub(super) fn last(&self) -> Option<&Level<'p>> {
        self.last.as_ref()
    }

    #[inline]
    pub(super) fn last_mut(&mut self) -> Option<&mut Level<'p>> {
        self.last.as_mut()
    }

    pub(super) fn len(&self) -> usize {
        self.above.len() + usize::from(self.last.is_some())
    }

    pub(super) fn push(&mut self, level: Level<'p>) {
        self.above.extend(self.last.replace(level));
    }

    pub(super) fn pop(&mut self) -> Option<Level<'p>> {
        std::mem::replace(&mut self.last, self.above.pop())
    }

    pub(super) fn clear(&mut self) {
        self.above.clear();
        self.last = None;
    }

    /// Forgets all levels but this one.
    pub(super) fn set(&mut self, level: Level<'p>) {
        self.above.clear();
        self.last = Some(level);
    }
}

/// Loads pages of one tree for a walk, and ends walks that never would.
#[derive(Debug, Clone)]
pub(super) struct Loader<'p, P: Pages + ?Sized> {
    pub(super) pages: &'p P,
    pub(super) tree: Tree,
    /// Pages loaded since the last change of direction or place. A tree whose pages form a cycle, or hang in many places
    /// at once, would otherwise be walked for ever.
    loaded: u64,
}

impl<'p, P: Pages + ?Sized> Loader<'p, P> {
    pub(super) fn new(pages: &'p P, tree: Tree) -> Self {
        Self { pages, tree, loaded: 0 }
    }

    /// Another walk begins.
    #[inline]
    pub(super) fn start_over(&mut self) {
        self.loaded = 0;
    }

    /// Whether more pages were loaded than the tree can have.
    #[inline]
    pub(super) fn is_beyond_bounds(&self) -> bool {
        self.loaded > u64::from(self.pages.last_page()) + DEPTH_MAX as u64
    }

    /// Loads a page below `depth` others, before its first line.
    pub(super) fn load(&mut self, pgno: Pgno, depth: usize) -> EseResult<Level<'p>> {
        self.loaded += 1;
        if self.is_beyond_bounds() || depth >= DEPTH_MAX {
            let reason = "the tree is deeper, or has more pages, than the file can hold: its pages form a cycle";
            return Err(EseError::corrupt(pgno, reason).in_tree(self.tree.objid));
        }
        let (page, frame) = load_framed(self.pages, &self.tree, pgno)?;
        Ok(Level::new(page, frame, -1))
    }
}
