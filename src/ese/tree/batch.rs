//! Merging a sorted batch of changes into a tree: one descent and one rewrite per leaf touched.

use std::cmp::Ordering;
use std::iter::Peekable;

use super::descent::Target;
use super::insert::{Step, check_length, not_found};
use super::pack::{Division, Entry, Packing, divide, write_page};
use super::{Forest, Tree};
use crate::ese::error::{EseError, EseResult, Refusal};
use crate::ese::page::view::compare_parts;
use crate::ese::page::{PageEditor, PageFlags, Pgno};
use crate::ese::txn::Pages;

/// Changes gathered for one leaf before it is divided: bounds memory when a whole batch falls into one gap.
const GATHERED_BYTES_MAX: usize = 1 << 20;

/// One new entry among this many old ones, or fewer, is worth adding by itself.
const FEW_PART: usize = 8;
/// Most bytes of a node beside its key and data: two counts and a tag.
const NODE_OVERHEAD_BYTES: usize = 8;

/// One change of a batch, with keys and data of its own or with those of a buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change<B = Vec<u8>> {
    /// Adds an entry; the key (in trees ordered by data: key and data) must be new.
    Insert {
        /// Key.
        key: B,
        /// Data.
        data: B,
    },
    /// Adds an entry or replaces its data.
    Put {
        /// Key.
        key: B,
        /// Data.
        data: B,
    },
    /// Removes an entry that must be there.
    Delete {
        /// Key.
        key: B,
        /// Data; looked at only in trees ordered by data.
        data: B,
    },
}

impl<B: AsRef<[u8]>> Change<B> {
    fn bookmark(&self) -> (&[u8], &[u8]) {
        match self {
            Self::Insert { key, data } | Self::Put { key, data } | Self::Delete { key, data } => {
                (key.as_ref(), data.as_ref())
            }
        }
    }

    fn target(&self, tree: &Tree) -> Target<'_> {
        let (key, data) = self.bookmark();
        Target::of(tree, key, data)
    }
}

fn compare(a: (&[u8], &[u8]), b: (&[u8], &[u8]), by_data: bool) -> Ordering {
    a.0.cmp(b.0).then_with(|| if by_data { a.1.cmp(b.1) } else { Ordering::Equal })
}

impl Forest {
    /// Merges `changes`, sorted by key (in trees ordered by data: by key and data), each place at most once.
    ///
    /// # Errors
    /// [`Refusal::DuplicateKey`], [`Refusal::NotFound`], [`Refusal::BadRequest`] when the batch is not sorted,
    /// [`EseError::Limit`]. When changes before the offending one have been made, the writer is dead (promise P12).
    pub fn merge<B: AsRef<[u8]>>(
        &mut self,
        tree: &Tree,
        changes: impl IntoIterator<Item = Change<B>>,
    ) -> EseResult<u64> {
        let mut changes = changes.into_iter().peekable();
        self.undivided(|forest| forest.merge_all(tree, &mut changes))
    }

    fn merge_all<B: AsRef<[u8]>, I: Iterator<Item = Change<B>>>(
        &mut self,
        tree: &Tree,
        changes: &mut Peekable<I>,
    ) -> EseResult<u64> {
        let mut count = 0;
        let mut last = Last::default();
        while let Some(change) = changes.peek() {
            let path = self.descend(tree, change.target(tree))?;
            let (leaf, branches) = path.split();
            let bound = self.upper_bound(branches)?;
            let gathered = gather(changes, tree, bound.as_deref(), &mut last)?;
            count += gathered.len() as u64;
            self.merge_leaf(tree, leaf, branches, gathered)?;
        }
        Ok(count)
    }

    /// The separator that everything in the leaf below `branches` lies under; none at the right edge of the tree.
    pub(super) fn upper_bound(&self, branches: &[Step]) -> EseResult<Option<Vec<u8>>> {
        for step in branches.iter().rev() {
            let page = self.pager.page(step.pgno)?;
            let key = page.view()?.node(step.line)?.key.to_vec();
            if !key.is_empty() {
                return Ok(Some(key));
            }
        }
        Ok(None)
    }

    fn merge_leaf(
        &mut self,
        tree: &Tree,
        leaf: Step,
        branches: &[Step],
        changes: Vec<Change<impl AsRef<[u8]>>>,
    ) -> EseResult<()> {
        if !branches.is_empty() && self.insert_in_place(tree, leaf.pgno, &changes)? {
            return Ok(());
        }
        let old = self.leaf_entries(tree, leaf.pgno)?;
        let is_last = self.links_of(tree, leaf.pgno)?.1.is_none();
        let by_data = tree.is_by_data();
        let is_append = is_last && leaf.line >= old.len();
        let entries = merged(tree, old, changes, by_data)?;
        let area_bytes = self.pager.page_size().data_bytes();
        let is_root = branches.is_empty();
        if is_root && super::pack::fits_on_root(&entries, self.tag_0_bytes(leaf)?, area_bytes) {
            return self.rewrite_root_leaf(tree, &entries);
        }
        let fits =
            !is_root && divide(&entries, Packing::of(tree, area_bytes), Division::Full).len() <= 1;
        if !fits {
            let division = if is_append { Division::Full } else { Division::Halves };
            return self.replace_leaf(tree, leaf.pgno, branches, &entries, division);
        }
        let (previous, next) = self.links_of(tree, leaf.pgno)?;
        write_page(self.pager.edit(leaf.pgno)?, leaf.pgno, tree, PageFlags::LEAF, &entries);
        self.link_pages(tree, previous, &[leaf.pgno], next)?;
        let free_bytes = self.pager.page(leaf.pgno)?.view()?.free_bytes();
        self.after_shrinking(tree, leaf.pgno, branches, entries.is_empty(), free_bytes)
    }

    /// Adds a few entries to a leaf of many that has room for them, without laying it out anew; false when it is another case, and
    /// nothing has changed.
    fn insert_in_place(
        &mut self,
        tree: &Tree,
        leaf: Pgno,
        changes: &[Change<impl AsRef<[u8]>>],
    ) -> EseResult<bool> {
        let mut lines = Vec::with_capacity(changes.len());
        let page = self.pager.page(leaf)?;
        let view = page.view()?;
        if changes.len() * FEW_PART > view.node_count() {
            return Ok(false);
        }
        let (by_data, mut needed_bytes) = (tree.is_by_data(), 0);
        for change in changes {
            let (Change::Insert { .. }, (key, data)) = (change, change.bookmark()) else {
                return Ok(false);
            };
            let target = change.target(tree);
            let line = view.partition(|node| target.compare_leaf(node, by_data).is_lt())?;
            // What stands there may be a duplicate, or marked as deleted.
            if line < view.node_count() && target.compare_leaf(&view.node(line)?, by_data).is_eq() {
                return Ok(false);
            }
            needed_bytes += key.len() + data.len() + NODE_OVERHEAD_BYTES;
            lines.push(line);
        }
        if needed_bytes > view.free_bytes() {
            return Ok(false);
        }
        let mut page = PageEditor::over(self.pager.edit(leaf)?, leaf);
        for (before, (line, change)) in lines.into_iter().zip(changes).enumerate() {
            let (key, data) = change.bookmark();
            assert!(page.insert_node(line + before, key, data), "the room was counted before");
        }
        Ok(true)
    }

    fn tag_0_bytes(&self, leaf: Step) -> EseResult<usize> {
        Ok(self.pager.page(leaf.pgno)?.view()?.external_header()?.len())
    }

    pub(super) fn rewrite_root_leaf(&mut self, tree: &Tree, entries: &[Entry]) -> EseResult<()> {
        let tag_0 = self.pager.page(tree.root)?.view()?.external_header()?.to_vec();
        let flags = tree.flags() | PageFlags::ROOT | PageFlags::LEAF;
        let bytes = self.pager.edit(tree.root)?;
        let mut page = PageEditor::format(bytes, tree.root, tree.objid, flags, &tag_0);
        for (line, entry) in entries.iter().enumerate() {
            assert!(page.insert_node(line, &entry.key, &entry.data), "the root overflows");
        }
        Ok(())
    }
}

/// The bookmark of the change before.
#[derive(Default)]
struct Last {
    is_there: bool,
    key: Vec<u8>,
    data: Vec<u8>,
}

impl Last {
    /// Answers whether the next bookmark stands after this one, and takes its place.
    fn advance(&mut self, (key, data): (&[u8], &[u8]), by_data: bool) -> bool {
        let is_after =
            !self.is_there || compare((&self.key, &self.data), (key, data), by_data).is_lt();
        self.is_there = true;
        self.key.clear();
        self.key.extend_from_slice(key);
        self.data.clear();
        self.data.extend_from_slice(if by_data { data } else { &[] });
        is_after
    }
}

/// Takes the changes that fall under `bound`, as many as memory allows.
fn gather<B: AsRef<[u8]>, I: Iterator<Item = Change<B>>>(
    changes: &mut Peekable<I>,
    tree: &Tree,
    bound: Option<&[u8]>,
    last: &mut Last,
) -> EseResult<Vec<Change<B>>> {
    let mut gathered = Vec::new();
    let mut gathered_bytes = 0;
    let is_under = |change: &Change<B>| {
        let (key, data) = change.bookmark();
        let data = if tree.is_by_data() { data } else { &[] };
        bound.is_none_or(|bound| compare_parts([key, data, &[]], [bound, &[], &[]]).is_lt())
    };
    while gathered_bytes < GATHERED_BYTES_MAX {
        // The first one led here, so it belongs here even when a damaged separator says otherwise.
        let is_first = gathered.is_empty();
        let Some(change) = changes.next_if(|change| is_first || is_under(change)) else { break };
        let (key, data) = change.bookmark();
        if !matches!(change, Change::Delete { .. }) {
            check_length(tree, key, data)?;
        }
        if !last.advance((key, data), tree.is_by_data()) {
            let reason = "the changes of a batch are not in ascending order";
            return Err(EseError::refused(Refusal::BadRequest, reason).in_tree(tree.objid));
        }
        gathered_bytes += key.len() + data.len();
        gathered.push(change);
    }
    Ok(gathered)
}

/// The leaf's entries with the changes applied.
fn merged(
    tree: &Tree,
    old: Vec<Entry>,
    changes: Vec<Change<impl AsRef<[u8]>>>,
    by_data: bool,
) -> EseResult<Vec<Entry>> {
    let mut entries = Vec::with_capacity(old.len() + changes.len());
    let mut old = old.into_iter().peekable();
    for change in changes {
        let bookmark = change.bookmark();
        let order = |entry: &Entry| compare((&entry.key, &entry.data), bookmark, by_data);
        while let Some(entry) = old.next_if(|entry| order(entry).is_lt()) {
            entries.push(entry);
        }
        let present = old.next_if(|entry| order(entry).is_eq());
        match (change, present) {
            (Change::Insert { .. }, Some(_)) => {
                let reason = "an entry with this key exists already";
                return Err(EseError::refused(Refusal::DuplicateKey, reason).in_tree(tree.objid));
            }
            (Change::Delete { .. }, None) => return Err(not_found(tree)),
            (Change::Delete { .. }, Some(_)) => {}
            (Change::Insert { key, data } | Change::Put { key, data }, _) => {
                entries.push(Entry { key: key.as_ref().to_vec(), data: data.as_ref().to_vec() });
            }
        }
    }
    entries.extend(old);
    Ok(entries)
}
