//! Moving through a tree in key order, forward and back, without copying entries.

use super::Tree;
use super::descent::{Target, child_line};
use super::near::{Spot, child_near, spot_near, spot_of};
use super::path::{Level, Loader, Path};
use crate::ese::error::{EseError, EseResult};
use crate::ese::page::rules::stands_after;
use crate::ese::page::{Node, PageFlags, Pgno};
use crate::ese::txn::{PageRef, Pages, Rank};

/// A position in a tree: on an entry, before the first, or after the last.
///
/// The cursor walks by branches and trusts no sibling link that its neighbour does not confirm. A page that cannot be read gives an
/// error once; the next move goes on behind it, so that a damaged leaf costs its own entries only. Deleted nodes are passed over.
#[derive(Debug, Clone)]
pub struct Cursor<'p, P: Pages + ?Sized> {
    loader: Loader<'p, P>,
    /// From the root down; the last one is a leaf when the cursor stands on an entry.
    path: Path<'p>,
    direction: Direction,
    /// False when the path is a leaf alone, which was found without the way from the root.
    is_path_whole: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Forward,
    Back,
}

/// Where a search has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Landing {
    /// On the target.
    Hit,
    /// On the first entry behind the place of the target.
    Beyond,
    /// There is none.
    Nowhere,
}

impl<'p, P: Pages + ?Sized> Cursor<'p, P> {
    /// A cursor before the first entry of `tree`.
    pub fn new(pages: &'p P, tree: Tree) -> Self {
        Self {
            loader: Loader::new(pages, tree),
            path: Path::new(),
            direction: Direction::Forward,
            is_path_whole: true,
        }
    }

    /// The tree.
    pub fn tree(&self) -> &Tree {
        &self.loader.tree
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
        self.seek_target(Target { key, data: &[] }).map(|landing| landing != Landing::Nowhere)
    }

    /// As [`Self::seek`], in a tree ordered by data: the first entry at or after (`key`, `data`).
    ///
    /// # Errors
    /// As [`Self::first`].
    pub fn seek_bookmark(&mut self, key: &[u8], data: &[u8]) -> EseResult<bool> {
        let target = Target::of(self.tree(), key, data);
        self.seek_target(target).map(|landing| landing != Landing::Nowhere)
    }

    /// Goes to the entry with exactly this key; false, and nowhere in particular, when there is none.
    ///
    /// # Errors
    /// As [`Self::first`].
    pub fn find(&mut self, key: &[u8]) -> EseResult<bool> {
        Ok(match self.seek_target(Target { key, data: &[] })? {
            Landing::Hit => true,
            Landing::Beyond => self.entry()?.is_some_and(|node| node.key.compare(key).is_eq()),
            Landing::Nowhere => false,
        })
    }

    fn seek_target(&mut self, target: Target<'_>) -> EseResult<Landing> {
        self.turn(Direction::Forward);
        let spot = match self.spot_nearby(target) {
            Ok(Some(spot)) => spot,
            // Whatever is wrong with the pages near by is found on the way from the root.
            Ok(None) | Err(_) => self.descend(target)?,
        };
        self.land(spot)
    }

    /// Goes to a spot of the page that the path ends at: onto the entry there, or the first one behind that is not deleted.
    fn land(&mut self, spot: Spot) -> EseResult<Landing> {
        let mark = self.tree().mark();
        let Some(level) = self.path.last_mut() else { return Ok(Landing::Nowhere) };
        let (line, is_hit) = match spot {
            Spot::Before => (0, false),
            Spot::At { line, is_hit } => (line, is_hit),
            Spot::Behind => (level.frame.node_count(), false),
        };
        let expected = line + usize::from(is_hit);
        self.loader.pages.note(&mark, Rank::Leaf, level.page.pgno(), level.frame, expected);
        level.line = line as isize;
        if is_hit {
            return Ok(Landing::Hit);
        }
        level.line -= 1;
        Ok(if self.advance()? { Landing::Beyond } else { Landing::Nowhere })
    }

    /// The spot of the target, if it lies between the first and the last entry of the leaf that was visited last, or below the parent
    /// that was visited last: then it is there or nowhere. The path ends there.
    fn spot_nearby(&mut self, target: Target<'_>) -> EseResult<Option<Spot>> {
        let by_data = self.tree().is_by_data();
        let recent = self.loader.pages.recent(&self.tree().mark(), Rank::Leaf);
        let remembered = recent.as_ref().map(|recent| recent.line);
        if let Some(recent) = recent
            && self.path.last().is_none_or(|own| own.page.pgno() != recent.page.pgno())
        {
            self.enter(Level::new(recent.page, recent.frame, -1));
        }
        self.loader.start_over();
        let Some(leaf) = self.path.last().filter(|level| level.is_leaf()) else { return Ok(None) };
        let expected = remembered.unwrap_or((leaf.line + 1) as usize);
        let spot = spot_near(&leaf.view(), expected, target, by_data)?;
        if let Spot::At { .. } = spot {
            return Ok(Some(spot));
        }
        let Some(leaf) = self.leaf_nearby(target)? else { return Ok(None) };
        let spot = spot_of(&leaf.view(), target, by_data)?;
        self.enter(leaf);
        Ok(Some(spot))
    }

    /// The leaf that holds the target or nothing does, if it hangs below the parent of leaves that was visited last.
    fn leaf_nearby(&mut self, target: Target<'_>) -> EseResult<Option<Level<'p>>> {
        let mark = self.tree().mark();
        let Some(parent) = self.loader.pages.recent(&mark, Rank::Parent) else { return Ok(None) };
        let page = parent.page.framed(parent.frame);
        let Some(line) = child_near(&page, parent.line, target)? else { return Ok(None) };
        self.loader.pages.note(&mark, Rank::Parent, parent.page.pgno(), parent.frame, line);
        let leaf = self.loader.load(page.child(line)?, 0)?;
        Ok(Some(leaf).filter(Level::is_leaf))
    }

    /// Makes the path one leaf alone.
    fn enter(&mut self, leaf: Level<'p>) {
        self.is_path_whole = leaf.page.pgno() == self.tree().root;
        self.path.set(leaf);
    }

    /// Finds the way from the root to the leaf that the cursor stands on, when it came there without.
    fn complete_path(&mut self) -> EseResult<()> {
        let Some(level) = self.path.pop() else { return Ok(()) };
        let node = level.view().node(0)?;
        let key = node.key.to_vec();
        self.descend(Target::of(&self.loader.tree, &key, node.data))?;
        let pgno = level.page.pgno();
        match self.path.last_mut().filter(|found| found.page.pgno() == pgno) {
            Some(found) => {
                found.line = level.line;
                Ok(())
            }
            None => {
                self.path.clear();
                let reason = "the way to the first entry of this leaf leads elsewhere";
                Err(EseError::corrupt(pgno, reason).in_tree(self.tree().objid))
            }
        }
    }

    /// Goes on before the leaf that the one at the end of the path names as the next; false, and nowhere, unless that names this one
    /// in turn and holds the entries behind it.
    fn follow_link(&mut self) -> bool {
        let Ok(Some(next)) = self.linked_leaf() else { return false };
        let mark = self.tree().mark();
        self.loader.pages.note(&mark, Rank::Leaf, next.page.pgno(), next.frame, 0);
        self.enter(next);
        true
    }

    fn linked_leaf(&mut self) -> EseResult<Option<Level<'p>>> {
        let Some(level) = self.path.last() else { return Ok(None) };
        let page = level.view();
        let Some(next) = page.next() else { return Ok(None) };
        let next = self.loader.load(next, 0)?;
        let after = next.view();
        if !next.is_leaf() || after.previous() != Some(page.pgno()) {
            return Ok(None);
        }
        let last = page.node(page.node_count().saturating_sub(1))?;
        let is_behind = stands_after(&last, &after.node(0)?, self.loader.tree.is_by_data());
        Ok(is_behind.then_some(next))
    }

    /// Goes to the leaf of the target, and answers its spot there. Look-ups mostly come in order: what is wanted often lies below a page
    /// that the cursor is in already, and the way begins there; else at the root.
    fn descend(&mut self, target: Target<'_>) -> EseResult<Spot> {
        let kept = self.branch_over(target);
        self.is_path_whole = true;
        self.loader.start_over();
        let mut level = match kept {
            Some(level) => level,
            None => self.load_level(self.tree().root)?,
        };
        loop {
            let page = level.view();
            if level.is_leaf() {
                let spot = spot_of(&page, target, self.loader.tree.is_by_data())?;
                self.path.push(level);
                return Ok(spot);
            }
            let line = child_line(&page, target)?;
            let child = page.child(line)?;
            if page.has(PageFlags::PARENT_OF_LEAF) {
                let mark = self.loader.tree.mark();
                self.loader.pages.note(&mark, Rank::Parent, page.pgno(), level.frame, line);
            }
            level.line = line as isize;
            self.path.push(level);
            level = self.load_level(child)?;
        }
    }

    /// Takes the lowest page off the path that the target can be nowhere but below, and all pages below that.
    fn branch_over(&mut self, target: Target<'_>) -> Option<Level<'p>> {
        if !self.is_path_whole {
            self.path.clear();
        }
        while let Some(level) = self.path.pop() {
            if self.path.len() == 0 || !level.is_leaf() && spans(&level, target) {
                return Some(level);
            }
        }
        None
    }

    /// The entry the cursor stands on; `None` before the first and after the last.
    ///
    /// # Errors
    /// [`EseError::Corrupt`] when the node does not decode.
    pub fn entry(&self) -> EseResult<Option<Node<'_>>> {
        let Some((level, line)) = self.leaf_level() else { return Ok(None) };
        let node = level.view().node(line);
        node.map(Some)
            .map_err(|error| error.in_tree(self.tree().objid).in_file(self.loader.pages.path()))
    }

    /// The leaf that the cursor stands in and the line; none before the first entry and after the last.
    #[inline]
    fn leaf_level(&self) -> Option<(&Level<'p>, usize)> {
        let level = self.path.last().filter(|level| level.is_leaf())?;
        Some((level, level.line()?))
    }

    /// The page and line the cursor stands on.
    pub fn place(&self) -> Option<(Pgno, usize)> {
        let level = self.path.last().filter(|level| level.is_leaf())?;
        Some((level.page.pgno(), usize::try_from(level.line).ok()?))
    }

    /// Remembers that the entry the cursor stands on is likely to be looked for next; see [`Pages::note`].
    pub fn expect_here(&self) {
        if let Some((level, line)) = self.leaf_level() {
            let mark = self.tree().mark();
            self.loader.pages.note(&mark, Rank::Leaf, level.page.pgno(), level.frame, line);
        }
    }

    /// The leaf that the cursor stands in, with its line; `None` before the first entry and after the last.
    pub fn leaf(&self) -> Option<(&PageRef<'p>, usize)> {
        self.leaf_level().map(|(level, line)| (&level.page, line))
    }

    /// Goes to the last line of the leaf that the cursor stands in.
    pub fn leave_leaf(&mut self) {
        if let Some(level) = self.path.last_mut().filter(|level| level.is_leaf()) {
            level.line = level.count - 1;
        }
    }

    /// Whether the records of the current page are in the format with sorted tagged columns (page flag 0x800).
    pub fn is_new_record_format(&self) -> bool {
        let level = self.path.last();
        level.is_none_or(|level| level.frame.flags().contains(PageFlags::NEW_RECORD_FORMAT))
    }

    fn turn(&mut self, direction: Direction) {
        if self.direction != direction {
            self.direction = direction;
            self.loader.start_over();
        }
    }

    fn restart(&mut self, direction: Direction) -> EseResult<()> {
        self.path.clear();
        self.is_path_whole = true;
        self.direction = direction;
        self.loader.start_over();
        let level = self.load_level(self.tree().root)?;
        self.path.push(level);
        Ok(())
    }

    /// Loads the next page of the path, positioned before its first line in the direction of travel.
    fn load_level(&mut self, pgno: Pgno) -> EseResult<Level<'p>> {
        let mut level = self.loader.load(pgno, self.path.len())?;
        if self.direction == Direction::Back {
            level.line = level.count;
        }
        Ok(level)
    }

    /// Moves one step in the direction of travel, down into children and up out of finished pages.
    fn advance(&mut self) -> EseResult<bool> {
        let step = if self.direction == Direction::Forward { 1 } else { -1 };
        loop {
            if self.loader.is_beyond_bounds() {
                self.path.clear();
            }
            let Some(level) = self.path.last_mut() else { return Ok(false) };
            level.line = (level.line + step).clamp(-1, level.count);
            let Some(line) = level.line() else {
                if !self.leave_page(step)? {
                    return Ok(false);
                }
                continue;
            };
            let view = level.view();
            if level.is_leaf() {
                if !view.is_deleted(line)? {
                    return Ok(true);
                }
                continue;
            }
            let child = view.child(line)?;
            if line == 0 && step == 1 && view.has(PageFlags::PARENT_OF_LEAF) {
                let children: Vec<Pgno> =
                    (0..view.node_count()).map_while(|line| view.child(line).ok()).collect();
                self.loader.pages.will_need(&children);
            }
            let level = self.load_level(child)?;
            if level.is_leaf() {
                let mark = self.tree().mark();
                self.loader.pages.note(&mark, Rank::Leaf, level.page.pgno(), level.frame, 0);
            }
            self.path.push(level);
        }
    }

    /// Goes up out of a finished page, or on to the leaf behind it; false at the end of the tree.
    fn leave_page(&mut self, step: isize) -> EseResult<bool> {
        if !self.is_path_whole {
            if step < 0 || !self.follow_link() {
                self.complete_path()?;
            }
            return Ok(true);
        }
        if self.path.len() == 1 {
            return Ok(false);
        }
        self.path.pop();
        Ok(true)
    }
}

/// Whether `target` can be nowhere but below this branch page: it lies between the page's first and last key. The bounds that the
/// pages above set are not needed then.
fn spans(level: &Level<'_>, target: Target<'_>) -> bool {
    let page = level.view();
    let last = page.node_count().saturating_sub(1);
    let (Ok(first), Ok(last)) = (page.node(0), page.node(last)) else { return false };
    !level.is_leaf() && target.is_past(&first) && !last.key.is_empty() && !target.is_past(&last)
}
