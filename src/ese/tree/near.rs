//! Looking for an entry of a leaf, from where it is expected: mails are stored in the order in which they came, and read in nearly
//! that order, so that the entry behind the last one mostly is the right one.

use std::cmp::Ordering;

use super::descent::Target;
use crate::ese::error::EseResult;
use crate::ese::page::{NodeFlags, PageView};

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
    let mut search = Search::new(page, target, by_data);
    let last = search.count.saturating_sub(1);
    let expected = expected.min(last);
    for line in [expected, expected + 1] {
        if let Some(hit) = search.probe(line)? {
            return Ok(hit);
        }
    }
    // Behind the expected line there is nothing to be found more often than not, before it mostly the one next to it.
    let further =
        if search.high == expected { [expected.wrapping_sub(1), 0] } else { [last, last] };
    for line in further {
        if let Some(hit) = search.probe(line)? {
            return Ok(hit);
        }
    }
    search.halve()
}

/// Finds the spot of a target anywhere on a page.
///
/// # Errors
/// As [`spot_near`].
pub(super) fn spot_of(page: &PageView<'_>, target: Target<'_>, by_data: bool) -> EseResult<Spot> {
    Search::new(page, target, by_data).halve()
}

/// A search: entries on lines before `low` are before the target, those from `high` on are behind it.
struct Search<'s> {
    page: &'s PageView<'s>,
    target: Target<'s>,
    by_data: bool,
    count: usize,
    low: usize,
    high: usize,
}

impl<'s> Search<'s> {
    fn new(page: &'s PageView<'s>, target: Target<'s>, by_data: bool) -> Self {
        let count = page.node_count();
        Self { page, target, by_data, count, low: 0, high: count }
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
        match self.target.compare_leaf(&node, self.by_data) {
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
    use proptest::prelude::*;

    use super::*;
    use crate::ese::page::{ObjId, PageEditor, PageFlags, Pgno};

    proptest! {
        #[test]
        fn whatever_line_is_expected_the_spot_is_the_same(
            numbers in prop::collection::btree_set(0u32..120, 0..60),
            wanted in 0u32..120,
            expected in 0usize..70,
        ) {
            let mut bytes = vec![0; 4096];
            let flags = PageFlags::LEAF;
            let mut page =
                PageEditor::format(&mut bytes, Pgno::fixed(7), ObjId(9), flags, &[0, 0, 0, 7]);
            for (line, number) in numbers.iter().enumerate() {
                prop_assert!(page.insert_node(line, &number.to_be_bytes(), &[1]));
            }
            let key = wanted.to_be_bytes();
            let target = Target { key: &key, data: &[] };
            let line = numbers.range(..wanted).count();
            let right = match numbers.contains(&wanted) {
                true => Spot::At { line, is_hit: true },
                false if line == 0 => Spot::Before,
                false if line == numbers.len() => Spot::Behind,
                false => Spot::At { line, is_hit: false },
            };
            prop_assert_eq!(spot_near(&page.view(), expected, target, false).unwrap(), right);
            prop_assert_eq!(spot_of(&page.view(), target, false).unwrap(), right);
        }
    }
}
