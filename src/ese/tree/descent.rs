//! Following a branch page: which child, and is it what it should be.

use std::cmp::Ordering;

use super::Tree;
use crate::ese::error::{EseError, EseResult};
use crate::ese::page::view::compare_parts;
use crate::ese::page::{Node, PageFlags, PageFrame, PageView, Pgno};
use crate::ese::txn::{PageRef, Pages};

/// What is looked for: a key, and for trees ordered by data also the data.
#[derive(Debug, Clone, Copy)]
pub struct Target<'k> {
    /// The key.
    pub key: &'k [u8],
    /// The data; empty where only the key counts.
    pub data: &'k [u8],
}

impl<'k> Target<'k> {
    /// The place of an entry in `tree`: data counts only where entries are ordered by it.
    pub fn of(tree: &Tree, key: &'k [u8], data: &'k [u8]) -> Self {
        Self { key, data: if tree.is_by_data() { data } else { &[] } }
    }

    /// How a leaf node stands to the target.
    #[inline]
    pub fn compare_leaf(&self, node: &Node<'_>, by_data: bool) -> Ordering {
        match node.key.compare(self.key) {
            Ordering::Equal if by_data => node.data.cmp(self.data),
            order => order,
        }
    }

    /// Whether a branch node's separator is at or below the target, so that the target lies further right.
    ///
    /// A separator is an exclusive upper bound; the empty one is plus infinity. In trees ordered by data it is compared
    /// with key and data in one string. Source: ese-physical 6.4.
    #[inline]
    pub fn is_past(&self, separator: &Node<'_>) -> bool {
        let key = &separator.key;
        if self.data.is_empty() {
            return !key.is_empty() && key.compare(self.key).is_le();
        }
        !key.is_empty()
            && compare_parts([key.prefix, key.suffix, &[]], [self.key, self.data, &[]]).is_le()
    }
}

/// The line of the child that holds `target`. A page whose last separator is no infinity answers its last line.
pub fn child_line(page: &PageView<'_>, target: Target<'_>) -> EseResult<usize> {
    let line = page.partition(|node| target.is_past(node))?;
    Ok(line.min(page.node_count().saturating_sub(1)))
}

/// Loads a page of `tree` and checks that it belongs there.
///
/// # Errors
/// [`EseError::Corrupt`] for a page of another tree or kind, or one that is neither leaf nor branch.
pub fn load<'p, P: Pages + ?Sized>(
    pages: &'p P,
    tree: &Tree,
    pgno: Pgno,
) -> EseResult<PageRef<'p>> {
    load_framed(pages, tree, pgno).map(|(page, _)| page)
}

/// As [`load`], with the page's frame, which was checked in passing.
///
/// # Errors
/// As there.
pub fn load_framed<'p, P: Pages + ?Sized>(
    pages: &'p P,
    tree: &Tree,
    pgno: Pgno,
) -> EseResult<(PageRef<'p>, PageFrame)> {
    let page = pages.page(pgno)?;
    let view = page.view()?;
    check_member(&view, tree).map_err(|error| error.in_file(pages.path()))?;
    let frame = view.frame();
    Ok((page, frame))
}

fn check_member(page: &PageView<'_>, tree: &Tree) -> EseResult<()> {
    let corrupt = |reason: String| Err(EseError::corrupt(page.pgno(), reason).in_tree(tree.objid));
    if page.objid() != tree.objid {
        return corrupt(format!("the page belongs to object {}", page.objid()));
    }
    if page.flags().intersects(PageFlags::EMPTY | PageFlags::PRE_INIT) {
        return corrupt("the page is free, but the tree points at it".into());
    }
    if !page.has(tree.flags()) || page.has(PageFlags::SPACE_TREE) != tree.is_space {
        return corrupt(format!("page flags {:#x} do not fit the tree", page.flags().bits()));
    }
    if page.has(PageFlags::ROOT) != (page.pgno() == tree.root) {
        return corrupt("the root flag is on the wrong page".into());
    }
    if !page.is_leaf() && page.node_count() == 0 {
        return corrupt("a branch page without nodes".into());
    }
    if page.has(PageFlags::LEAF | PageFlags::PARENT_OF_LEAF) {
        return corrupt("the page is leaf and branch at once".into());
    }
    Ok(())
}
