//! Rows of one table built by any thread, apart from the database: whole leaf pages of rows and long values, index entries in order.
//!
//! A builder needs from the database only what was reserved for it: numbers of long values, and pages through a
//! [`PageSupply`]. What it built enters the tables with [`DatabaseWriter::splice`].

use std::sync::Arc;

use super::batches::IndexEntries;
use super::entries::EntryList;
use super::long_value::{nodes_of, root_data, tree_of};
use super::row::{FieldValue, LidSource, TableKeys, encode_row};
use super::writer::{DatabaseWriter, check_writable};
use crate::ese::error::{EseError, EseResult, Refusal};
use crate::ese::page::{PageSize, Pgno};
use crate::ese::table::column::Lid;
use crate::ese::table::long_value::{LvReader, StoredPart};
use crate::ese::table::record::{OwnValues, RecordView, Rewrite, RowSum, SumScope};
use crate::ese::table::schema::TableDef;
use crate::ese::tree::{Extent, PageSupply, Run, RunBuilder};
use crate::ese::txn::{AheadWriter, Pages};

/// Numbers for long values, reserved.
#[derive(Debug, Default)]
pub struct Lids {
    next: u32,
    end: u32,
}

impl Lids {
    pub(super) fn new(next: u32, end: u32) -> Self {
        Self { next, end }
    }

    /// How many there are.
    pub fn left(&self) -> u32 {
        self.end - self.next
    }

    /// Takes the first `count` away, or all when there are fewer.
    pub fn split_off(&mut self, count: u32) -> Self {
        let end = self.next.saturating_add(count).min(self.end);
        let taken = Self { next: self.next, end };
        self.next = end;
        taken
    }

    /// Adds more; those that are left are dropped unless the new ones follow them.
    pub fn add(&mut self, more: Self) {
        if self.end != more.next {
            self.next = more.next;
        }
        self.end = more.end;
    }
}

impl LidSource for Lids {
    fn next_lid(&mut self) -> EseResult<Lid> {
        if self.next >= self.end {
            let reason = "more long values than numbers were reserved for";
            return Err(EseError::refused(Refusal::BadRequest, reason));
        }
        self.next += 1;
        Ok(Lid(u64::from(self.next - 1)))
    }
}

/// Builds rows of one table whose primary keys ascend.
#[derive(Debug)]
pub struct TableRunBuilder<'t> {
    table: &'t Arc<TableDef>,
    keys: TableKeys<'t>,
    writer: AheadWriter,
    lids: Lids,
    rows: RunBuilder,
    long_values: Option<RunBuilder>,
    entries: Vec<EntryList>,
    /// Room for a record.
    record: Vec<u8>,
    /// What sums over rows leave out.
    scope: SumScope,
    /// Over what was added since the last sum was taken.
    sum: RowSum,
}

/// Rows ready to enter their table.
#[derive(Debug)]
pub struct TableRun {
    table: Arc<TableDef>,
    rows: Option<Run>,
    long_values: Option<Run>,
    /// For each index of the table, in the order in which they came.
    entries: Vec<EntryList>,
}

impl TableRun {
    /// The table.
    pub fn table(&self) -> &TableDef {
        &self.table
    }

    /// Number of rows.
    pub fn row_count(&self) -> u64 {
        self.rows.as_ref().map_or(0, Run::entry_count)
    }

    /// Bytes of memory that it takes, about.
    pub fn held_bytes(&self) -> usize {
        let entries = self.entries.iter().map(EntryList::held_bytes).sum::<usize>();
        entries + self.rows.iter().chain(&self.long_values).map(Run::held_bytes).sum::<usize>()
    }

    /// Pages of rows and long values.
    pub fn page_count(&self) -> usize {
        self.rows.iter().chain(&self.long_values).map(Run::page_count).sum()
    }
}

impl<'t> TableRunBuilder<'t> {
    /// A builder of rows for `table`.
    ///
    /// # Errors
    /// [`EseError::Unsupported`] for tables whose rows this program cannot keep right, [`Refusal::BadRequest`] for one
    /// without a primary index.
    pub fn new(table: &'t Arc<TableDef>, writer: AheadWriter, lids: Lids) -> EseResult<Self> {
        check_writable(table)?;
        if table.primary.is_none() {
            let reason = "rows without a primary key cannot be built apart";
            return Err(EseError::refused(Refusal::BadRequest, reason).in_object(&table.name));
        }
        let long_values = table.long_value_tree();
        Ok(Self {
            table,
            keys: TableKeys::new(table)?,
            writer,
            lids,
            rows: RunBuilder::new(table.tree(), PageSize::KIB4),
            long_values: long_values.map(|tree| RunBuilder::new(tree, PageSize::KIB4)),
            entries: table.indexes.iter().map(|_| EntryList::default()).collect(),
            record: Vec::new(),
            scope: SumScope::default(),
            sum: RowSum::default(),
        })
    }

    /// The same builder; sums over its rows leave out what `scope` does.
    #[must_use]
    pub fn summing(mut self, scope: SumScope) -> Self {
        self.scope = scope;
        self
    }

    /// The sum over the row that was added last, and over the long values that were copied for it: what must lie there once it is in
    /// its table.
    pub fn take_sum(&mut self) -> u32 {
        std::mem::take(&mut self.sum).finish()
    }

    /// Adds a row; `values[i]` belongs to `table.columns[i]`. [`FieldValue::Shared`] names a value that [`Self::copy_long_value`] has
    /// put here for this row alone.
    ///
    /// # Errors
    /// [`Refusal::BadRequest`] for a row out of order or values that do not fit; [`EseError::Limit`]; what the supply reports.
    pub fn push(
        &mut self,
        supply: &mut dyn PageSupply,
        values: &[FieldValue<'_>],
    ) -> EseResult<()> {
        let row = encode_row(self.table, values, &mut self.lids)?;
        self.push_record(supply, &row.record)?;
        if let Some(builder) = &mut self.long_values {
            for value in &row.long_values {
                let (mut crc, root_bytes) = (crc32fast::Hasher::new(), value.lid.key_bytes().len());
                nodes_of(value.lid, value.bytes, 1, value.is_compressed, |key, data| {
                    if key.len() > root_bytes {
                        crc.update(data);
                    }
                    builder.push(supply, &self.writer, key, data)
                })?;
                self.sum.value(crc.finalize());
            }
        }
        Ok(())
    }

    /// Adds a copy of another table's row, with its long values. Answers false when nothing was added, because the row must go the long
    /// way, value by value; long values that were copied already stand in `copied` then, their old numbers and their new ones.
    ///
    /// # Errors
    /// As [`Self::push`] and [`Self::copy_long_value`].
    pub fn push_copy<P: Pages + ?Sized>(
        &mut self,
        supply: &mut dyn PageSupply,
        rewrite: &Rewrite,
        (record, values): (&RecordView<'_>, &LvReader<'_, P>),
        own: &OwnValues<'_>,
        copied: &mut Vec<(Lid, Lid)>,
    ) -> EseResult<bool> {
        let mut out = std::mem::take(&mut self.record);
        out.clear();
        let columns = &self.table.columns;
        let mut copy = |lid: Lid| {
            let new = self.copy_long_value(supply, values, lid)?;
            copied.push((lid, new));
            Ok(new)
        };
        let is_done = rewrite.record(columns, record, own, &mut copy, &mut out)?;
        if is_done {
            self.push_record(supply, &out)?;
        }
        self.record = out;
        Ok(is_done)
    }

    fn push_record(&mut self, supply: &mut dyn PageSupply, record: &[u8]) -> EseResult<()> {
        let unsupported = |_: Lid, _: usize| {
            let what = "an index over long values in rows that are built apart";
            Err(EseError::unsupported(what).in_object(&self.table.name))
        };
        self.sum.record(&self.scope, record);
        let bookmark = self.keys.primary(record, &unsupported)?;
        let named = |error: EseError| error.in_object(&self.table.name);
        self.rows.push(supply, &self.writer, bookmark, record).map_err(named)?;
        self.keys.secondary(record, &unsupported, |index, key, bookmark| {
            self.entries[index].push(key, bookmark);
        })?;
        Ok(())
    }

    /// Copies a long value of another table, chunk by chunk as it is stored; answers its new number.
    ///
    /// # Errors
    /// As [`LvReader::copy_stored`]: the builder must be given up then, unless the value was read before.
    pub fn copy_long_value<P: Pages + ?Sized>(
        &mut self,
        supply: &mut dyn PageSupply,
        source: &LvReader<'_, P>,
        lid: Lid,
    ) -> EseResult<Lid> {
        let new = self.lids.next_lid()?;
        let Some(builder) = &mut self.long_values else {
            return tree_of(self.table).map(|_| new);
        };
        let mut key = new.key_bytes();
        let root_bytes = key.len();
        let mut crc = crc32fast::Hasher::new();
        source.copy_stored(lid, &mut |part| match part {
            StoredPart::Start { len_bytes } => {
                builder.push(supply, &self.writer, &key, &root_data(1, len_bytes))
            }
            StoredPart::Chunk { offset, stored } => {
                key.truncate(root_bytes);
                key.extend_from_slice(&offset.to_be_bytes());
                crc.update(stored);
                builder.push(supply, &self.writer, &key, stored)
            }
        })?;
        self.sum.value(crc.finalize());
        Ok(new)
    }

    /// Ends the run.
    ///
    /// # Errors
    /// What the supply and writing report.
    pub fn finish(self, supply: &mut dyn PageSupply) -> EseResult<TableRun> {
        let rows = self.rows.finish(supply, &self.writer)?;
        let long_values = match self.long_values {
            Some(builder) => builder.finish(supply, &self.writer)?,
            None => None,
        };
        Ok(TableRun { table: self.table.clone(), rows, long_values, entries: self.entries })
    }
}

impl DatabaseWriter {
    /// What builders write their pages with until the next commit.
    pub fn ahead_writer(&self) -> AheadWriter {
        self.forest().pager().ahead_writer()
    }

    /// Reserves free pages for a builder; see [`crate::ese::tree::Forest::lend_pages`].
    ///
    /// # Errors
    /// As there.
    pub fn lend_pages(&mut self, fdp: Pgno, want: u32) -> EseResult<Extent> {
        self.forest_mut().lend_pages(fdp, want)
    }

    /// Takes reserved pages back; see [`crate::ese::tree::Forest::take_back`].
    ///
    /// # Errors
    /// As there.
    pub fn take_back(&mut self, fdp: Pgno, extent: Extent) -> EseResult<()> {
        self.forest_mut().take_back(fdp, extent)
    }

    /// Lets rows that were built apart enter their table: long values first, then rows, then index entries.
    ///
    /// # Errors
    /// [`Refusal::DuplicateKey`] when a key that must be unique is there already: the writer is dead then.
    pub fn splice(&mut self, runs: Vec<TableRun>) -> EseResult<u64> {
        let mut entries = IndexEntries::default();
        let rows = self.splice_pages(runs, &mut entries)?;
        for batch in entries.into_batches() {
            self.splice_entries(&batch)?;
        }
        Ok(rows)
    }

    /// The first half of [`Self::splice`]: long values and rows. Nothing may be committed before the index entries, which are added
    /// to `entries`, are in as well; those of many runs are best gathered, because they are merged in one go.
    ///
    /// # Errors
    /// As [`Self::splice`].
    pub fn splice_pages(
        &mut self,
        runs: Vec<TableRun>,
        entries: &mut IndexEntries,
    ) -> EseResult<u64> {
        let mut rows = 0;
        for run in runs {
            let TableRun { table, rows: of_rows, long_values, entries: of_indexes } = run;
            for run in long_values.into_iter().chain(of_rows) {
                let is_rows = *run.tree() == table.tree();
                let named = |error: EseError| error.in_object(&table.name);
                let count = self.forest_mut().splice(run).map_err(named)?;
                rows += if is_rows { count } else { 0 };
            }
            entries.add(table, of_indexes);
        }
        Ok(rows)
    }

    /// Gives up runs that will not enter their table; their pages are free again.
    ///
    /// # Errors
    /// As [`crate::ese::tree::Forest::discard`].
    pub fn discard(&mut self, runs: Vec<TableRun>) -> EseResult<()> {
        for run in runs {
            for run in run.rows.into_iter().chain(run.long_values) {
                self.forest_mut().discard(run)?;
            }
        }
        Ok(())
    }
}
