//! Building runs: whole leaf pages, filled, checked and written by any thread, apart from the tree that they will belong to.
//!
//! A builder knows the tree only by its kind and id. It takes entries in order, fills pages, gets places for them from a
//! [`PageSupply`], and writes them there. The first and the last page of a run stay in memory, because their links are known
//! only when the run gets its place ([`Forest::splice`](super::Forest::splice)). A run of a few pages is not worth that: it stays a list of entries.

use super::Tree;
use super::insert::check_length;
use super::pack::{Entry, entries_of, separator_between};
use super::space::Extent;
use crate::ese::error::{EseError, EseResult, Refusal};
use crate::ese::page::{PageEditor, PageFlags, PageSize, PageView, Pgno};
use crate::ese::txn::AheadWriter;

/// Pages gathered before they get their places and are written: 1 MiB.
const BUFFER_PAGES: usize = 256;
/// Runs of fewer pages are handed over as entries.
const RUN_PAGES_MIN: usize = 4;

/// Where a builder gets places for its pages.
pub trait PageSupply {
    /// Reserves adjacent free pages of the tree with root `fdp`, at least one, `want` where possible.
    ///
    /// # Errors
    /// As [`super::Forest::lend_pages`].
    fn lend_pages(&mut self, fdp: Pgno, want: u32) -> EseResult<Extent>;
}

/// A finished run.
#[derive(Debug)]
pub struct Run {
    pub(super) tree: Tree,
    pub(super) entries: u64,
    pub(super) form: RunForm,
    /// Reserved pages that were not needed.
    pub(super) spare: Vec<Extent>,
}

#[derive(Debug)]
pub(super) enum RunForm {
    /// Too short for pages of its own.
    Entries(Vec<Entry>),
    /// Leaf pages in order.
    Pages(RunPages),
}

#[derive(Debug)]
pub(super) struct RunPages {
    /// All pages in key order, at least two.
    pub(super) numbers: Vec<Pgno>,
    /// Between each page and the next: an exclusive upper bound of the one before.
    pub(super) separators: Vec<Vec<u8>>,
    /// The first page, not written yet.
    pub(super) first: Vec<u8>,
    /// The last page, not written yet.
    pub(super) last: Vec<u8>,
    pub(super) first_entry: Entry,
    pub(super) last_entry: Entry,
}

impl Run {
    /// Number of entries.
    pub fn entry_count(&self) -> u64 {
        self.entries
    }

    /// The tree it is for.
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// Bytes of memory that it takes, about.
    pub fn held_bytes(&self) -> usize {
        match &self.form {
            RunForm::Entries(entries) => {
                entries.iter().map(|entry| entry.key.len() + entry.data.len()).sum()
            }
            RunForm::Pages(pages) => {
                let of_page = std::mem::size_of::<Pgno>() + std::mem::size_of::<Vec<u8>>();
                let separators = pages.separators.iter().map(Vec::len).sum::<usize>();
                let ends = pages.first.capacity() + pages.last.capacity();
                ends + pages.numbers.len() * of_page + separators
            }
        }
    }

    /// Pages that it takes; 0 when it is a list of entries.
    pub fn page_count(&self) -> usize {
        match &self.form {
            RunForm::Entries(_) => 0,
            RunForm::Pages(pages) => pages.numbers.len(),
        }
    }
}

/// Builds one run.
#[derive(Debug)]
pub struct RunBuilder {
    tree: Tree,
    page_bytes: usize,
    /// Full pages that are not written; the last one is being filled.
    buffer: Vec<u8>,
    /// Whether the first page of the buffer has its place already, and only lacks a page after it.
    holds_last: bool,
    /// Nodes on the page being filled.
    count: usize,
    entries: u64,
    first_entry: Option<Entry>,
    /// The last entry; its data only where that is part of the order.
    last: Option<Entry>,
    numbers: Vec<Pgno>,
    separators: Vec<Vec<u8>>,
    first: Option<Vec<u8>>,
    spare: Vec<Extent>,
}

impl RunBuilder {
    /// An empty run for `tree`.
    pub fn new(tree: Tree, page_size: PageSize) -> Self {
        Self {
            tree,
            page_bytes: page_size.bytes(),
            buffer: Vec::new(),
            holds_last: false,
            count: 0,
            entries: 0,
            first_entry: None,
            last: None,
            numbers: Vec::new(),
            separators: Vec::new(),
            first: None,
            spare: Vec::new(),
        }
    }

    /// Adds the next entry.
    ///
    /// # Errors
    /// [`Refusal::BadRequest`] when it does not stand after the one before; [`EseError::Limit`]; what the supply reports.
    pub fn push(
        &mut self,
        supply: &mut dyn PageSupply,
        writer: &AheadWriter,
        key: &[u8],
        data: &[u8],
    ) -> EseResult<()> {
        check_length(&self.tree, key, data)?;
        self.check_order(key, data)?;
        if self.entries == 0 {
            self.first_entry = Some(Entry { key: key.to_vec(), data: self.data_in_place(data) });
            self.start_page(key);
        }
        if !self.put(key, data) {
            self.note_separator(key, data)?;
            if self.buffer.len() > BUFFER_PAGES * self.page_bytes {
                self.write_buffer(supply, writer)?;
            }
            self.start_page(key);
            assert!(self.put(key, data), "an entry that passed the length check fits on a page");
        }
        self.entries += 1;
        self.note_last(key, data);
        Ok(())
    }

    fn data_in_place(&self, data: &[u8]) -> Vec<u8> {
        if self.tree.is_by_data() { data.to_vec() } else { Vec::new() }
    }

    fn check_order(&self, key: &[u8], data: &[u8]) -> EseResult<()> {
        let is_after = self.last.as_ref().is_none_or(|last| {
            let order = last.key.as_slice().cmp(key);
            order.is_lt() || self.tree.is_by_data() && order.is_eq() && last.data.as_slice() < data
        });
        if is_after {
            return Ok(());
        }
        let reason = "the entries of a run are not in ascending order";
        Err(EseError::refused(Refusal::BadRequest, reason).in_tree(self.tree.objid))
    }

    fn note_last(&mut self, key: &[u8], data: &[u8]) {
        let by_data = self.tree.is_by_data();
        let last = self.last.get_or_insert_with(|| Entry { key: Vec::new(), data: Vec::new() });
        last.key.clear();
        last.key.extend_from_slice(key);
        last.data.clear();
        last.data.extend_from_slice(if by_data { data } else { &[] });
    }

    fn note_separator(&mut self, key: &[u8], data: &[u8]) -> EseResult<()> {
        let Some(last) = &self.last else { return Ok(()) };
        let by_data = self.tree.is_by_data();
        let after = (key, if by_data { data } else { &[] });
        self.separators.push(separator_between((&last.key, &last.data), after, by_data)?);
        Ok(())
    }

    /// The page number plays no part in the layout, so the root's stands in for it.
    fn start_page(&mut self, first_key: &[u8]) {
        let start = self.buffer.len();
        if start == self.buffer.capacity() {
            // Most runs are short: the room grows in a few steps.
            self.buffer.reserve_exact(
                (3 * start / self.page_bytes).clamp(4, BUFFER_PAGES + 1) * self.page_bytes,
            );
        }
        self.buffer.resize(start + self.page_bytes, 0);
        let flags = self.tree.flags() | PageFlags::LEAF;
        let page = &mut self.buffer[start..];
        PageEditor::format_zeroed(page, self.tree.root, self.tree.objid, flags, first_key);
        self.count = 0;
    }

    fn put(&mut self, key: &[u8], data: &[u8]) -> bool {
        let start = self.buffer.len() - self.page_bytes;
        let mut page = PageEditor::over(&mut self.buffer[start..], self.tree.root);
        let fits = page.insert_node(self.count, key, data);
        self.count += usize::from(fits);
        fits
    }

    /// Gives the new pages of the buffer their places and writes all pages there but the first and the last of the run. The last one
    /// stays at the beginning of the buffer, because it lacks its link to the next.
    fn write_buffer(&mut self, supply: &mut dyn PageSupply, writer: &AheadWriter) -> EseResult<()> {
        let page_bytes = self.page_bytes;
        let new = self.buffer.len() / page_bytes - usize::from(self.holds_last);
        let linked_from = self.numbers.len() - usize::from(self.holds_last);
        let numbers = self.take_places(supply, new)?;
        self.numbers.extend(numbers);
        let previous = linked_from.checked_sub(1).and_then(|at| self.numbers.get(at).copied());
        link(&mut self.buffer, page_bytes, &self.numbers[linked_from..], previous);
        let (last, end) = (self.buffer.len() - page_bytes, self.numbers.len() - 1);
        let mut from = 0;
        if self.first.is_none() && last > 0 {
            self.first = Some(self.buffer[..page_bytes].to_vec());
            from = 1;
        }
        let pages = &mut self.buffer[from * page_bytes..last];
        writer.write(&self.numbers[linked_from + from..end], pages)?;
        self.buffer.copy_within(last.., 0);
        self.buffer.truncate(page_bytes);
        self.holds_last = true;
        Ok(())
    }

    /// Numbers for `count` pages, ascending where the supply allows.
    fn take_places(&mut self, supply: &mut dyn PageSupply, count: usize) -> EseResult<Vec<Pgno>> {
        let mut numbers = Vec::with_capacity(count);
        while numbers.len() < count {
            let want = (count - numbers.len()) as u32;
            let extent = match self.spare.pop() {
                Some(extent) => extent,
                None => supply.lend_pages(self.tree.fdp, want)?,
            };
            let used = extent.count.min(want);
            numbers.extend(extent.pages().take(used as usize));
            if used < extent.count {
                self.spare.extend(Extent::new(extent.last, extent.count - used));
            }
        }
        Ok(numbers)
    }

    /// Ends the run; `None` when nothing was added.
    ///
    /// # Errors
    /// As [`Self::push`].
    pub fn finish(
        mut self,
        supply: &mut dyn PageSupply,
        writer: &AheadWriter,
    ) -> EseResult<Option<Run>> {
        if self.entries == 0 {
            return Ok(None);
        }
        let is_short =
            self.numbers.is_empty() && self.buffer.len() < RUN_PAGES_MIN * self.page_bytes;
        let form = if is_short {
            RunForm::Entries(self.buffered_entries()?)
        } else {
            self.write_buffer(supply, writer)?;
            RunForm::Pages(self.take_pages())
        };
        Ok(Some(Run { tree: self.tree, entries: self.entries, form, spare: self.spare }))
    }

    fn buffered_entries(&self) -> EseResult<Vec<Entry>> {
        let mut entries = Vec::new();
        for page in self.buffer.chunks_exact(self.page_bytes) {
            entries.extend(entries_of(&PageView::new(page, self.tree.root)?)?);
        }
        Ok(entries)
    }

    fn take_pages(&mut self) -> RunPages {
        let empty = || Entry { key: Vec::new(), data: Vec::new() };
        RunPages {
            numbers: std::mem::take(&mut self.numbers),
            separators: std::mem::take(&mut self.separators),
            first: self.first.take().unwrap_or_default(),
            // Not the buffer itself: runs wait in memory, and it is up to a mebibyte large.
            last: self.buffer.clone(),
            first_entry: self.first_entry.take().unwrap_or_else(empty),
            last_entry: self.last.take().unwrap_or_else(empty),
        }
    }
}

/// Links pages in a row; `numbers` are theirs, the last one has no page after it yet.
fn link(pages: &mut [u8], page_bytes: usize, numbers: &[Pgno], previous: Option<Pgno>) {
    for (at, page) in pages.chunks_exact_mut(page_bytes).enumerate() {
        let Some(pgno) = numbers.get(at) else { return };
        let mut page = PageEditor::over(page, *pgno);
        page.set_previous(if at == 0 { previous } else { numbers.get(at - 1).copied() });
        page.set_next(numbers.get(at + 1).copied());
    }
}
