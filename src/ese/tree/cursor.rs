//! Moving through a tree in key order, forward and back, without copying entries.

use std::cmp::Ordering;

use super::descent::{Target, child_line, load};
use super::{DEPTH_MAX, Tree};
use crate::ese::error::{EseError, EseResult};
use crate::ese::page::{Node, PageFlags, PageView, Pgno};
use crate::ese::txn::{PageRef, Pages};

/// A position in a tree: on an entry, before the first, or after the last.
///
/// The cursor walks by branches and never trusts sibling links. A page that cannot be read gives an error once; the next
/// move goes on behind it, so that a damaged leaf costs its own entries only. Deleted nodes are passed over.
#[derive(Debug, Clone)]
pub struct Cursor<'p, P: Pages + ?Sized> {
    pages: &'p P,
    tree: Tree,
    /// From the root down; the last one is a leaf when the cursor stands on an entry.
    path: Vec<Level<'p>>,
    /// Pages loaded since the last change of direction or place. A tree whose pages form a cycle, or hang in many places
    /// at once, would otherwise be walked for ever.
    loaded: u64,
    direction: Direction,
    /// False when the path is a leaf alone, which was found without the way from the root.
    is_path_whole: bool,
}

#[derive(Debug, Clone)]
struct Level<'p> {
    page: PageRef<'p>,
    /// -1 before the first line, `count` after the last one.
    line: isize,
    count: isize,
    is_leaf: bool,
    /// Page flag 0x800.
    is_new_format: bool,
}

impl Level<'_> {
    /// Where the target lies: before the first entry, behind the last one, or between. Pages that are no leaves lie behind everything.
    fn side_of(&self, target: Target<'_>, by_data: bool) -> EseResult<Ordering> {
        if !self.is_leaf || self.count == 0 {
            return Ok(Ordering::Less);
        }
        let page = self.page.view()?;
        if target.compare_leaf(&page.node(page.node_count() - 1)?, by_data).is_lt() {
            return Ok(Ordering::Greater);
        }
        let is_before = target.compare_leaf(&page.node(0)?, by_data).is_gt();
        Ok(if is_before { Ordering::Less } else { Ordering::Equal })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Forward,
    Back,
}

impl<'p, P: Pages + ?Sized> Cursor<'p, P> {
    /// A cursor before the first entry of `tree`.
    pub fn new(pages: &'p P, tree: Tree) -> Self {
        Self {
            pages,
            tree,
            path: Vec::new(),
            loaded: 0,
            direction: Direction::Forward,
            is_path_whole: true,
        }
    }

    /// The tree.
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// Goes to the first entry; false when the tree is empty.
    ///
    /// # Errors
    /// [`EseError::Corrupt`] naming the page, [`EseError::Io`].
    pub fn first(&mut self) -> EseResult<bool> {
        self.restart(Direction::Forward)?;
        self.advance()
    }

    /// Goes to the last entry; false when the tree is empty.
    ///
    /// # Errors
    /// As [`Self::first`].
    pub fn last(&mut self) -> EseResult<bool> {
        self.restart(Direction::Back)?;
        self.advance()
    }

    /// Goes to the next entry; false past the last one. On an error the next call goes on behind the damaged page.
    ///
    /// # Errors
    /// As [`Self::first`].
    #[allow(
        clippy::should_implement_trait,
        reason = "a cursor lends its entries, so it cannot be an iterator"
    )]
    pub fn next(&mut self) -> EseResult<bool> {
        self.turn(Direction::Forward);
        self.advance()
    }

    /// Goes to the entry before; false before the first one. On an error the next call goes on before the damaged page.
    ///
    /// # Errors
    /// As [`Self::first`].
    pub fn previous(&mut self) -> EseResult<bool> {
        self.turn(Direction::Back);
        self.advance()
    }

    /// Goes to the first entry whose key is at or after `key`; false when there is none.
    ///
    /// # Errors
    /// As [`Self::first`].
    pub fn seek(&mut self, key: &[u8]) -> EseResult<bool> {
        self.seek_target(Target { key, data: &[] })
    }

    /// As [`Self::seek`], in a tree ordered by data: the first entry at or after (`key`, `data`).
    ///
    /// # Errors
    /// As [`Self::first`].
    pub fn seek_bookmark(&mut self, key: &[u8], data: &[u8]) -> EseResult<bool> {
        self.seek_target(Target::of(&self.tree, key, data))
    }

    /// Goes to the entry with exactly this key; false, and nowhere in particular, when there is none.
    ///
    /// # Errors
    /// As [`Self::first`].
    pub fn find(&mut self, key: &[u8]) -> EseResult<bool> {
        Ok(self.seek(key)? && self.entry()?.is_some_and(|node| node.key.compare(key).is_eq()))
    }

    fn seek_target(&mut self, target: Target<'_>) -> EseResult<bool> {
        self.turn(Direction::Forward);
        if self.seek_nearby(target).unwrap_or(false) {
            return self.advance();
        }
        self.descend(target)?;
        self.advance()
    }

    /// Stands before the target if it lies between the first and the last entry of the leaf that was visited last, or of the one that
    /// this names as the next: then it is there or nowhere. Whatever is wrong with these leaves is found on the way from the root.
    fn seek_nearby(&mut self, target: Target<'_>) -> EseResult<bool> {
        let Some(leaf) = self.pages.recent_leaf(self.tree.root) else { return Ok(false) };
        self.path.clear();
        self.loaded = 0;
        let mut level = self.load_level(leaf)?;
        let mut side = level.side_of(target, self.tree.is_by_data())?;
        if side == Ordering::Greater
            && let Some(next) = level.page.view()?.next()
        {
            level = self.load_level(next)?;
            side = level.side_of(target, self.tree.is_by_data())?;
        }
        if side != Ordering::Equal {
            return Ok(false);
        }
        let by_data = self.tree.is_by_data();
        let page = level.page.view()?;
        let line = page.partition(|node| target.compare_leaf(node, by_data).is_lt())? as isize - 1;
        self.is_path_whole = level.page.pgno() == self.tree.root;
        self.path.push(Level { line, ..level });
        Ok(true)
    }

    /// Finds the way from the root to the leaf that the cursor stands on, when it came there without.
    fn complete_path(&mut self) -> EseResult<()> {
        let Some(level) = self.path.last().filter(|_| !self.is_path_whole) else { return Ok(()) };
        let (page, line) = (level.page.clone(), level.line);
        let node = page.view()?.node(0)?;
        let key = node.key.to_vec();
        self.descend(Target::of(&self.tree, &key, node.data))?;
        match self.path.last_mut().filter(|level| level.page.pgno() == page.pgno()) {
            Some(level) => {
                level.line = line;
                Ok(())
            }
            None => {
                self.path.clear();
                let reason = "the way to the first entry of this leaf leads elsewhere";
                Err(EseError::corrupt(page.pgno(), reason).in_tree(self.tree.objid))
            }
        }
    }

    /// Goes to the leaf of the target, and stands before it. Look-ups mostly come in order: what is wanted often lies below a page that
    /// the cursor is in already, and the way begins there; else at the root.
    fn descend(&mut self, target: Target<'_>) -> EseResult<()> {
        let kept = (0..self.path.len()).rev().find(|at| self.spans(*at, target));
        self.path.truncate(kept.filter(|_| self.is_path_whole).map_or(0, |at| at + 1));
        self.is_path_whole = true;
        self.loaded = 0;
        let mut level = match self.path.pop() {
            Some(level) => level,
            None => self.load_level(self.tree.root)?,
        };
        loop {
            let page = level.page.view()?;
            let by_data = self.tree.is_by_data();
            let line = if level.is_leaf && is_next(&level, &page, target, by_data) {
                level.line
            } else if level.is_leaf {
                page.partition(|node| target.compare_leaf(node, by_data).is_lt())? as isize - 1
            } else {
                child_line(&page, target)? as isize
            };
            let child = if level.is_leaf { None } else { Some(page.child(line as usize)?) };
            self.path.push(Level { line, ..level });
            match child {
                Some(child) => level = self.load_level(child)?,
                None => return Ok(()),
            }
        }
    }

    /// Whether `target` can be nowhere but below the page at this level of the path: it lies between the page's first and last key.
    /// The bounds that the pages above set are not needed then.
    fn spans(&self, at: usize, target: Target<'_>) -> bool {
        let Some(level) = self.path.get(at).filter(|_| at > 0) else { return at == 0 };
        let Ok(page) = level.page.view() else { return false };
        let last = page.node_count().saturating_sub(1);
        let (Ok(first), Ok(last)) = (page.node(0), page.node(last)) else { return false };
        if level.is_leaf {
            let by_data = self.tree.is_by_data();
            target.compare_leaf(&first, by_data).is_le()
                && target.compare_leaf(&last, by_data).is_ge()
        } else {
            target.is_past(&first) && !last.key.is_empty() && !target.is_past(&last)
        }
    }

    /// The entry the cursor stands on; `None` before the first and after the last.
    ///
    /// # Errors
    /// [`EseError::Corrupt`] when the node does not decode.
    pub fn entry(&self) -> EseResult<Option<Node<'_>>> {
        match self.path.last() {
            Some(level) if level.is_leaf && (0..level.count).contains(&level.line) => {
                let node = level.page.view()?.node(level.line as usize);
                node.map(Some)
                    .map_err(|error| error.in_tree(self.tree.objid).in_file(self.pages.path()))
            }
            _ => Ok(None),
        }
    }

    /// The page and line the cursor stands on.
    pub fn place(&self) -> Option<(Pgno, usize)> {
        let level = self.path.last().filter(|level| level.is_leaf)?;
        Some((level.page.pgno(), usize::try_from(level.line).ok()?))
    }

    /// The leaf that the cursor stands in, with its line; `None` before the first entry and after the last.
    pub fn leaf(&self) -> Option<(&PageRef<'p>, usize)> {
        let level = self.path.last().filter(|level| level.is_leaf)?;
        let line = usize::try_from(level.line).ok().filter(|_| level.line < level.count)?;
        Some((&level.page, line))
    }

    /// Goes to the last line of the leaf that the cursor stands in.
    pub fn leave_leaf(&mut self) {
        if let Some(level) = self.path.last_mut().filter(|level| level.is_leaf) {
            level.line = level.count - 1;
        }
    }

    /// Whether the records of the current page are in the format with sorted tagged columns (page flag 0x800).
    pub fn is_new_record_format(&self) -> bool {
        self.path.last().is_none_or(|level| level.is_new_format)
    }

    fn turn(&mut self, direction: Direction) {
        if self.direction != direction {
            self.direction = direction;
            self.loaded = 0;
        }
    }

    fn restart(&mut self, direction: Direction) -> EseResult<()> {
        self.path.clear();
        self.is_path_whole = true;
        self.direction = direction;
        self.loaded = 0;
        let level = self.load_level(self.tree.root)?;
        self.path.push(level);
        Ok(())
    }

    /// Loads a page, positioned before its first line in the direction of travel.
    fn load_level(&mut self, pgno: Pgno) -> EseResult<Level<'p>> {
        let limit = u64::from(self.pages.last_page()) + DEPTH_MAX as u64;
        self.loaded += 1;
        if self.loaded > limit || self.path.len() >= DEPTH_MAX {
            let reason = "the tree is deeper, or has more pages, than the file can hold: its pages form a cycle";
            return Err(EseError::corrupt(pgno, reason).in_tree(self.tree.objid));
        }
        let page = load(self.pages, &self.tree, pgno)?;
        let view = page.view()?;
        let (count, is_leaf) = (view.node_count() as isize, view.is_leaf());
        let is_new_format = view.has(PageFlags::NEW_RECORD_FORMAT);
        if is_leaf {
            self.pages.note_leaf(self.tree.root, pgno);
        }
        let line = if self.direction == Direction::Forward { -1 } else { count };
        Ok(Level { page, line, count, is_leaf, is_new_format })
    }

    /// Moves one step in the direction of travel, down into children and up out of finished pages.
    fn advance(&mut self) -> EseResult<bool> {
        let step = if self.direction == Direction::Forward { 1 } else { -1 };
        loop {
            if self.loaded > u64::from(self.pages.last_page()) + DEPTH_MAX as u64 {
                self.path.clear();
            }
            let Some(level) = self.path.last_mut() else { return Ok(false) };
            level.line = (level.line + step).clamp(-1, level.count);
            if !(0..level.count).contains(&level.line) {
                if !self.is_path_whole {
                    self.complete_path()?;
                    continue;
                }
                if self.path.len() == 1 {
                    return Ok(false);
                }
                self.path.pop();
                continue;
            }
            let view = level.page.view()?;
            let line = level.line as usize;
            if level.is_leaf {
                if !view.is_deleted(line)? {
                    return Ok(true);
                }
                continue;
            }
            let child = view.child(line)?;
            if level.line == 0 && step == 1 && view.has(PageFlags::PARENT_OF_LEAF) {
                let children: Vec<Pgno> =
                    (0..view.node_count()).map_while(|line| view.child(line).ok()).collect();
                self.pages.will_need(&children);
            }
            let level = self.load_level(child)?;
            self.path.push(level);
        }
    }
}

/// Whether `target` lies between the entry at the level's line and the one behind it: the place of most look-ups that come in order.
fn is_next(level: &Level<'_>, page: &PageView<'_>, target: Target<'_>, by_data: bool) -> bool {
    let Ok(line) = usize::try_from(level.line) else { return false };
    let is_before = page.node(line).is_ok_and(|node| target.compare_leaf(&node, by_data).is_lt());
    is_before && page.node(line + 1).is_ok_and(|node| target.compare_leaf(&node, by_data).is_ge())
}
