//! Dividing a sorted list of nodes among pages.
//!
//! Every page but a root starts with the whole key of its first node as common prefix (tag 0), so what fits on a page
//! depends on where the page starts.

use std::cmp::Ordering;
use std::ops::Range;

use super::Tree;
use crate::ese::error::{EseError, EseResult};
use crate::ese::page::key::common_bytes;
use crate::ese::page::layout::TAG_BYTES;
use crate::ese::page::{NodeFlags, PageEditor, PageFlags, PageSize, PageView, Pgno};

/// Longest key of a leaf (in trees ordered by data: key and data) and of a branch page: two of them fit on a branch page,
/// so that each level has at most two thirds of the pages of the one below. The engine's own limit is lower.
pub const KEY_BYTES_MAX: usize = 2000;
/// Bytes of the header of the small pages that are written.
const PAGE_HEADER_BYTES: usize = PageSize::KIB4.header_bytes();

/// Key and data of one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Key; empty for the infinity at the end of a branch page.
    pub key: Vec<u8>,
    /// Data; on a branch page the child's number.
    pub data: Vec<u8>,
}

impl Entry {
    /// Compares the places of two entries: keys, in trees ordered by data then data.
    pub fn cmp_place(&self, other: &Self, by_data: bool) -> Ordering {
        let by_key = self.key.cmp(&other.key);
        by_key.then_with(|| if by_data { self.data.cmp(&other.data) } else { Ordering::Equal })
    }

    /// A branch node.
    pub fn branch(key: Vec<u8>, child: Pgno) -> Self {
        Self { key, data: child.get().to_le_bytes().to_vec() }
    }
}

/// How to divide nodes that do not fit on one page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Division {
    /// Into halves, and halves again: room for later inserts everywhere.
    Halves,
    /// Full pages, the last one as it comes: for rows that arrive in order.
    Full,
}

/// All nodes of a page that are not deleted.
pub fn entries_of(page: &PageView<'_>) -> EseResult<Vec<Entry>> {
    let mut entries = Vec::with_capacity(page.node_count() + 1);
    for line in 0..page.node_count() {
        let node = page.node(line)?;
        if !node.flags.contains(NodeFlags::DELETED) {
            entries.push(Entry { key: node.key.to_vec(), data: node.data.to_vec() });
        }
    }
    Ok(entries)
}

/// Bytes that a node takes on a page whose tag 0 is `prefix`.
fn node_bytes(prefix: &[u8], entry: &Entry) -> usize {
    let saved = common_bytes(prefix, &entry.key).saturating_sub(2);
    TAG_BYTES + 2 + entry.key.len() - saved + entry.data.len()
}

/// How the pages of a tree are filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packing {
    /// Bytes for tags and nodes on a page.
    area_bytes: usize,
    /// Whether keys share a prefix. The engine never compresses space trees, so neither do we (ese-physical 6.2).
    shares_prefix: bool,
}

impl Packing {
    /// The packing of `tree` on pages with this many bytes for tags and nodes.
    pub fn of(tree: &Tree, area_bytes: usize) -> Self {
        Self { area_bytes, shares_prefix: !tree.is_space }
    }

    /// The common prefix of a page with these entries: the whole first key, unless a single entry fits only without.
    fn prefix_of(self, entries: &[Entry]) -> &[u8] {
        match entries {
            [first, rest @ ..] if self.shares_prefix => {
                let bytes = TAG_BYTES + first.key.len() + node_bytes(&first.key, first);
                if rest.is_empty() && bytes > self.area_bytes { &[] } else { &first.key }
            }
            _ => &[],
        }
    }

    /// How many of `entries`, from the first on, fit on one page that is no root.
    fn fitting(self, entries: &[Entry]) -> usize {
        let Some(first) = entries.first() else { return 0 };
        let prefix: &[u8] = if self.shares_prefix { &first.key } else { &[] };
        if TAG_BYTES + prefix.len() + node_bytes(prefix, first) > self.area_bytes {
            return usize::from(TAG_BYTES + node_bytes(&[], first) <= self.area_bytes);
        }
        let mut used = TAG_BYTES + prefix.len();
        let fits = |entry: &&Entry| {
            used += node_bytes(prefix, entry);
            used <= self.area_bytes
        };
        entries.iter().take_while(fits).count()
    }
}

/// Whether `entries` fit on a root page whose tag 0 has `header_bytes`; keys are whole there.
pub fn fits_on_root(entries: &[Entry], header_bytes: usize, area_bytes: usize) -> bool {
    let nodes: usize = entries.iter().map(|entry| node_bytes(&[], entry)).sum();
    TAG_BYTES + header_bytes + nodes <= area_bytes
}

/// Divides `entries` into runs that fit on a page each.
///
/// # Panics
/// When a single entry does not fit on a page. Lengths of new keys and data are checked first, and an entry of a page
/// that keeps the rules fits on one by itself.
pub fn divide(entries: &[Entry], packing: Packing, division: Division) -> Vec<Range<usize>> {
    let mut runs = Vec::new();
    match division {
        Division::Halves => halve(entries, 0, packing, &mut runs),
        Division::Full => {
            let mut start = 0;
            while start < entries.len() {
                let count = packing.fitting(&entries[start..]);
                assert!(count > 0, "an entry is longer than a page");
                runs.push(start..start + count);
                start += count;
            }
        }
    }
    runs
}

fn halve(entries: &[Entry], offset: usize, packing: Packing, runs: &mut Vec<Range<usize>>) {
    if packing.fitting(entries) == entries.len() {
        runs.push(offset..offset + entries.len());
        return;
    }
    assert!(entries.len() > 1, "an entry is longer than a page");
    let total: usize = entries.iter().map(|entry| node_bytes(&[], entry)).sum();
    let mut left = 0;
    let before_half = |entry: &&Entry| {
        left += node_bytes(&[], entry);
        left <= total / 2
    };
    let middle = entries.iter().take_while(before_half).count().clamp(1, entries.len() - 1);
    halve(&entries[..middle], offset, packing, runs);
    halve(&entries[middle..], offset + middle, packing, runs);
}

/// Lays out a page that is no root with `entries`; links are none.
///
/// # Panics
/// When the entries do not fit.
pub fn write_page(bytes: &mut [u8], pgno: Pgno, tree: &Tree, level: PageFlags, entries: &[Entry]) {
    let packing = Packing::of(tree, bytes.len() - PAGE_HEADER_BYTES);
    let prefix = packing.prefix_of(entries);
    let mut page = PageEditor::format(bytes, pgno, tree.objid, tree.flags() | level, prefix);
    for (line, entry) in entries.iter().enumerate() {
        assert!(page.insert_node(line, &entry.key, &entry.data), "page {pgno} overflows");
    }
}

/// Shortest string above every bookmark up to `before` and not above `after`. Source: ese-physical 6.4.
///
/// In trees ordered by data the strings compared are key and data in one.
///
/// # Errors
/// [`EseError::Corrupt`] when `after` does not stand after `before`, [`EseError::Limit`] when the string is so long that
/// a branch page could not hold two of its kind.
pub fn separator(before: &Entry, after: &Entry, by_data: bool) -> EseResult<Vec<u8>> {
    separator_between((&before.key, &before.data), (&after.key, &after.data), by_data)
}

/// As [`separator`], of keys and data that are no entries.
///
/// # Errors
/// As there.
pub fn separator_between(
    (before_key, before_data): (&[u8], &[u8]),
    (key, data): (&[u8], &[u8]),
    by_data: bool,
) -> EseResult<Vec<u8>> {
    let in_key = common_bytes(before_key, key);
    let in_data = common_bytes(before_data, data);
    let separator = match (key.get(..=in_key), data.get(..=in_data)) {
        (Some(key), _) => key.to_vec(),
        (None, Some(data)) if by_data && before_key == key => [key, data].concat(),
        _ => return Err(EseError::corrupt_bytes("the entries of a tree are not ascending")),
    };
    if separator.len() > KEY_BYTES_MAX {
        let length = separator.len() as u64;
        return Err(EseError::limit("length of a separator", length, KEY_BYTES_MAX as u64));
    }
    Ok(separator)
}
