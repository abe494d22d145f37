//! Index entries of rows that were built apart, gathered from many runs and brought into their indexes one index at a time.
//!
//! Entries of a few mails for many folders change one page each, all over an index. Looking at such a page for the first time takes
//! longer than changing it, and needs no writer: [`IndexBatch::look_ahead`] does it in other threads.

use std::sync::Arc;

use rayon::iter::{IntoParallelRefMutIterator, ParallelIterator};

use super::entries::EntryList;
use super::writer::DatabaseWriter;
use crate::ese::error::{EseError, EseResult, Refusal};
use crate::ese::table::key::IndexFlags;
use crate::ese::table::schema::{TableDef, index_tree};
use crate::ese::tree::{Change, Cursor};
use crate::ese::txn::CommittedPages;

/// Entries that are worth sorting on all cores.
const PARALLEL_ENTRIES: usize = 4096;

/// Index entries of rows that are in their tables already, gathered from many runs.
#[derive(Debug, Default)]
pub struct IndexEntries {
    tables: Vec<(Arc<TableDef>, Vec<EntryList>)>,
}

impl IndexEntries {
    pub(super) fn add(&mut self, table: Arc<TableDef>, entries: Vec<EntryList>) {
        match self.tables.iter_mut().find(|(known, _)| known.objid == table.objid) {
            Some((_, gathered)) => {
                gathered.iter_mut().zip(entries).for_each(|(all, new)| all.append(new));
            }
            None => self.tables.push((table, entries)),
        }
    }

    /// The entries index by index, sorted.
    pub fn into_batches(self) -> Vec<IndexBatch> {
        let indexes = |(table, entries): (Arc<TableDef>, Vec<EntryList>)| {
            let entries = entries.into_iter().enumerate();
            entries.map(move |(place, sorted)| IndexBatch { table: table.clone(), place, sorted })
        };
        let mut batches: Vec<IndexBatch> = self.tables.into_iter().flat_map(indexes).collect();
        let count: usize = batches.iter().map(|batch| batch.sorted.len()).sum();
        if count < PARALLEL_ENTRIES {
            batches.iter_mut().for_each(|batch| batch.sorted.sort());
        } else {
            batches.par_iter_mut().for_each(|batch| batch.sorted.sort());
        }
        batches
    }
}

/// Sorted entries of one index.
#[derive(Debug)]
pub struct IndexBatch {
    table: Arc<TableDef>,
    place: usize,
    sorted: EntryList,
}

impl IndexBatch {
    /// Looks at the pages where the entries will go, as the last commit left them, so that the writer finds them verified and checked.
    /// What is wrong with them the writer will find itself.
    pub fn look_ahead(&self, pages: &CommittedPages) {
        let Some(index) = self.table.indexes.get(self.place) else { return };
        let mut cursor = Cursor::new(pages, index_tree(index));
        let mut entries = self.sorted.iter().peekable();
        while let Some((key, bookmark)) = entries.next() {
            // An error or the end of the index: nothing to look at.
            if !cursor.seek_bookmark(key, bookmark).unwrap_or(false) {
                return;
            }
            let Some((page, _)) = cursor.leaf() else { return };
            let Ok(view) = page.view() else { return };
            pages.check_ahead(&view);
            let Some(last) = view.node_count().checked_sub(1) else { return };
            let Ok(last) = view.node(last) else { return };
            while entries.next_if(|(key, _)| last.key.compare(key).is_ge()).is_some() {}
        }
    }
}

impl DatabaseWriter {
    /// The second half of [`Self::splice`], for one index.
    ///
    /// # Errors
    /// As [`Self::splice`].
    pub fn splice_entries(&mut self, batch: &IndexBatch) -> EseResult<()> {
        let IndexBatch { table, place, sorted } = batch;
        let Some(index) = table.indexes.get(*place) else { return Ok(()) };
        let named = |error: EseError| error.in_object(&index.name);
        if index.flags.contains(IndexFlags::UNIQUE) && sorted.has_repeats() {
            let reason = "two rows have the same key in a unique index";
            self.forest_mut().pager_mut().give_up();
            return Err(named(EseError::refused(Refusal::DuplicateKey, reason)));
        }
        let changes = sorted.iter().map(|(key, data)| Change::Insert { key, data });
        self.forest_mut().merge(&index_tree(index), changes).map(drop).map_err(named)
    }
}
