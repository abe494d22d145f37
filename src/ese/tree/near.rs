//! Looking for an entry of a leaf, from where it is expected: mails are stored in the order in which they came, and read in nearly
//! that order, so that the entry behind the last one mostly is the right one.

use std::cmp::Ordering;

use super::descent::Target;
use crate::ese::error::EseResult;
use crate::ese::page::{Node, NodeFlags, PageView};

/// Where a target stands to the entries of one leaf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spot {
    /// Before the first one, or there is none.
    Before,
    /// At this line, behind all entries before it.
    At {
        /// The line.
        line: usize,
        /// Whether the entry there is the target, and not marked deleted.
        is_hit: bool,
    },
    /// Behind the last one.
    Behind,
}

/// Finds the spot of a target that is likely to be at the line that is expected, or beside it.
///
/// # Errors
/// What reading a node reports.
pub(super) fn spot_near(
    page: &PageView<'_>,
    expected: usize,
    target: Target<'_>,
    by_data: bool,
) -> EseResult<Spot> {
    let mut search = Search::new(page, |node| target.compare_leaf(node, by_data));
    let last = search.count.saturating_sub(1);
    let expected = expected.min(last);
    for line in [expected, expected + 1] {
        if let Some(hit) = search.probe(line)? {
            return Ok(hit);
        }
    }
    // Before the expected line it mostly is the one next to it; behind both, mostly nothing.
    let further = if search.high == expected { expected.checked_sub(1) } else { Some(last) };
    if let Some(line) = further
        && let Some(hit) = search.probe(line)?
    {
        return Ok(hit);
    }
    search.halve()
}

/// The line of the child that holds the target, if this page tells both of its bounds; likely at the line that is expected, or
/// a few lines behind it.
///
/// # Errors
/// As [`spot_near`].
pub(super) fn child_near(
    page: &PageView<'_>,
    expected: usize,
    target: Target<'_>,
) -> EseResult<Option<usize>> {
    let order = |separator: &Node<'_>| match target.is_past(separator) {
        true => Ordering::Less,
        false => Ordering::Greater,
    };
    let mut search = Search::new(page, order);
    let expected = expected.min(search.count.saturating_sub(1));
    search.probe(expected)?;
    // Forward in growing steps.
    let mut step = 1;
    while search.high == search.count && search.low < search.count {
        search.probe((search.low + step - 1).min(search.count - 1))?;
        step *= 2;
    }
    match search.halve()? {
        Spot::At { line, .. } => Ok((!page.node(line)?.key.is_empty()).then_some(line)),
        Spot::Before | Spot::Behind => Ok(None),
    }
}

/// Finds the spot of a target anywhere on a page.
///
/// # Errors
/// As [`spot_near`].
pub(super) fn spot_of(page: &PageView<'_>, target: Target<'_>, by_data: bool) -> EseResult<Spot> {
    Search::new(page, |node| target.compare_leaf(node, by_data)).halve()
}

/// A search: nodes on lines before `low` are before the target, those from `high` on are behind it.
struct Search<'s, O> {
    page: &'s PageView<'s>,
    /// How a node stands to the target.
    order: O,
    count: usize,
    low: usize,
    high: usize,
}

impl<'s, O: FnMut(&Node<'_>) -> Ordering> Search<'s, O> {
    fn new(page: &'s PageView<'s>, order: O) -> Self {
        let count = page.node_count();
        Self { page, order, count, low: 0, high: count }
    }

    fn halve(mut self) -> EseResult<Spot> {
        while self.low < self.high {
            if let Some(hit) = self.probe(self.low + (self.high - self.low) / 2)? {
                return Ok(hit);
            }
        }
        Ok(match self.low {
            0 => Spot::Before,
            line if line == self.count => Spot::Behind,
            line => Spot::At { line, is_hit: false },
        })
    }

    /// Looks at one line, if it may be the target's; answers the spot when it is.
    #[inline]
    fn probe(&mut self, line: usize) -> EseResult<Option<Spot>> {
        if line < self.low || line >= self.high {
            return Ok(None);
        }
        let node = self.page.node(line)?;
        match (self.order)(&node) {
            Ordering::Less => self.low = line + 1,
            Ordering::Greater => self.high = line,
            Ordering::Equal => {
                let is_hit = !node.flags.contains(NodeFlags::DELETED);
                return Ok(Some(Spot::At { line, is_hit }));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::super::descent::child_line;
    use super::*;
    use crate::ese::page::{ObjId, PageEditor, PageFlags, Pgno};

    /// A page with a node for each number.
    fn page_of(numbers: &BTreeSet<u32>, flags: PageFlags) -> Vec<u8> {
        let mut bytes = vec![0; 4096];
        let mut page =
            PageEditor::format(&mut bytes, Pgno::fixed(7), ObjId(9), flags, &[0, 0, 0, 7]);
        for (line, number) in numbers.iter().enumerate() {
            assert!(page.insert_node(line, &number.to_be_bytes(), &[1, 0, 0, 0]));
        }
        bytes
    }

    proptest! {
        #[test]
        fn whatever_line_is_expected_the_spot_is_the_same(
            numbers in prop::collection::btree_set(0u32..120, 0..60),
            wanted in 0u32..120,
            expected in 0usize..70,
        ) {
            let bytes = page_of(&numbers, PageFlags::LEAF);
            let page = PageView::new(&bytes, Pgno::fixed(7)).unwrap();
            let key = wanted.to_be_bytes();
            let target = Target { key: &key, data: &[] };
            let line = numbers.range(..wanted).count();
            let right = match numbers.contains(&wanted) {
                true => Spot::At { line, is_hit: true },
                false if line == 0 => Spot::Before,
                false if line == numbers.len() => Spot::Behind,
                false => Spot::At { line, is_hit: false },
            };
            prop_assert_eq!(spot_near(&page, expected, target, false).unwrap(), right);
            prop_assert_eq!(spot_of(&page, target, false).unwrap(), right);
        }

        #[test]
        fn whatever_line_is_expected_the_child_is_the_same(
            numbers in prop::collection::btree_set(0u32..120, 1..60),
            wanted in 0u32..120,
            expected in 0usize..70,
            ends_in_infinity in any::<bool>(),
        ) {
            let mut bytes = page_of(&numbers, PageFlags::PARENT_OF_LEAF);
            if ends_in_infinity {
                let mut page = PageEditor::over(&mut bytes, Pgno::fixed(7));
                assert!(page.insert_node(numbers.len(), &[], &[1, 0, 0, 0]));
            }
            let page = PageView::new(&bytes, Pgno::fixed(7)).unwrap();
            let key = wanted.to_be_bytes();
            let target = Target { key: &key, data: &[] };
            // Separators are exclusive upper bounds; what lies before the first one or behind the last one may lie elsewhere.
            let line = numbers.range(..=wanted).count();
            let right = (1..numbers.len()).contains(&line).then_some(line);
            prop_assert_eq!(child_near(&page, expected, target).unwrap(), right);
            if let Some(line) = right {
                prop_assert_eq!(child_line(&page, target).unwrap(), line);
            }
        }
    }
}
