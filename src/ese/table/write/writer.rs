//! A database opened for writing, table by table.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use super::long_value;
use super::patch::patched;
use super::row::{EncodedRow, FieldValue, LidSource, RowKeys, encode_row, references, row_keys};
use super::run::Lids;
use crate::ese::error::{EseError, EseResult, Refusal};
use crate::ese::page::{ObjId, PageSize};
use crate::ese::table::column::{ColumnDef, ColumnFlags, Lid};
use crate::ese::table::key::{IndexFlags, Key, index_has_unicode};
use crate::ese::table::long_value::LvReader;
use crate::ese::table::record::{FieldValues, RecordView, Stored, TaggedStyle};
use crate::ese::table::schema::{Schema, TableDef, index_tree};
use crate::ese::tree::{Cursor, Forest, Tree};
use crate::ese::txn::Pager;
use crate::io::{SyncMark, Volume};

/// Flag of tables that derive from a template.
const DERIVED_TABLE: u32 = 0x1000_0000;
/// Flag of template tables.
const TEMPLATE_TABLE: u32 = 0x2000_0000;

/// A database opened for writing: one at a time, enforced by a lock.
///
/// Changes become visible to others, and durable, with [`DatabaseWriter::commit`].
#[derive(Debug)]
pub struct DatabaseWriter {
    pub(super) forest: Forest,
    pub(super) tables: BTreeMap<String, Arc<TableDef>>,
    states: HashMap<ObjId, TableState>,
}

/// The next numbers of one table, once they are known.
#[derive(Debug, Default, Clone, Copy)]
struct TableState {
    next_lid: Option<u32>,
    next_row: Option<u32>,
    next_auto: Option<i64>,
}

/// Hands out long-value numbers of one table.
struct NextLids<'w> {
    next: &'w mut u32,
}

impl LidSource for NextLids<'_> {
    fn next_lid(&mut self) -> EseResult<Lid> {
        if *self.next > Lid::MAX_32 {
            return Err(EseError::limit(
                "long value number",
                u64::from(*self.next),
                Lid::MAX_32.into(),
            ));
        }
        *self.next += 1;
        Ok(Lid(u64::from(*self.next - 1)))
    }
}

impl DatabaseWriter {
    /// Opens `path` for writing. What an interrupted writer had committed is brought into place first.
    ///
    /// # Errors
    /// As [`Pager::open`]; [`EseError::Corrupt`] when the catalog cannot be read.
    pub fn open(volume: Arc<dyn Volume>, path: &Path) -> EseResult<Self> {
        let forest = Forest::new(Pager::open(volume, path)?);
        let schema = Schema::read(forest.pager())?;
        let mut writer = Self::over(forest, schema.tables().to_vec());
        if writer.forest.pager().was_recovered() {
            writer.scrub()?;
        }
        Ok(writer)
    }

    pub(super) fn over(forest: Forest, tables: impl IntoIterator<Item = TableDef>) -> Self {
        let tables =
            tables.into_iter().map(|table| (table.name.to_ascii_lowercase(), Arc::new(table)));
        Self { forest, tables: tables.collect(), states: HashMap::new() }
    }

    /// Brings free pages that a crash left half-written back to zeros.
    fn scrub(&mut self) -> EseResult<()> {
        let mut roots = vec![crate::ese::tree::DATABASE_ROOT];
        for table in self.tables.values() {
            roots.push(table.root);
            roots.extend(table.indexes.iter().map(|index| index.root));
            roots.extend(table.long_values.map(|(_, root)| root));
        }
        self.forest.scrub_after_crash(&roots).map(drop)
    }

    /// Names of all tables.
    pub fn table_names(&self) -> impl Iterator<Item = &str> {
        self.tables.values().map(|table| table.name.as_str())
    }

    /// The table with this name, whatever its case.
    ///
    /// # Errors
    /// [`Refusal::NotFound`].
    pub fn table(&self, name: &str) -> EseResult<Arc<TableDef>> {
        self.tables.get(&name.to_ascii_lowercase()).cloned().ok_or_else(|| {
            EseError::refused(Refusal::NotFound, "there is no such table").in_object(name)
        })
    }

    /// The trees below, for building runs.
    pub fn forest(&self) -> &Forest {
        &self.forest
    }

    /// Inserts a row and answers its bookmark. `values[i]` belongs to `table.columns[i]`.
    ///
    /// # Errors
    /// [`Refusal::DuplicateKey`] when a unique index has the key already (nothing is inserted then),
    /// [`Refusal::BadRequest`] for values that do not fit their column, [`EseError::Limit`] for rows that are too long.
    pub fn insert(&mut self, table: &TableDef, values: &[FieldValue<'_>]) -> EseResult<Vec<u8>> {
        check_writable(table)?;
        let numbers = self.auto_increment(table, values)?;
        let values = with_numbers(values, &numbers);
        let row = self.encode(table, &values)?;
        let keys = self.keys_of(table, &row.record, &row)?;
        let bookmark = match &keys.primary {
            Some(key) => key.0.clone(),
            None => self.next_row_number(table)?.to_be_bytes().to_vec(),
        };
        self.check_unique(table, &keys, None)?;
        self.forest
            .insert(&table.tree(), &bookmark, &row.record)
            .map_err(|error| error.in_object(&table.name))?;
        for (index, keys) in table.indexes.iter().zip(&keys.secondary) {
            for key in keys {
                self.forest.insert(&index_tree(index), &key.0, &bookmark)?;
            }
        }
        self.store_long_values(table, &row)?;
        Ok(bookmark)
    }

    /// Deletes a row, its index entries and its references to long values.
    ///
    /// # Errors
    /// [`Refusal::NotFound`].
    pub fn delete(&mut self, table: &TableDef, bookmark: &[u8]) -> EseResult<()> {
        check_writable(table)?;
        let record = self.record(table, bookmark)?;
        let keys = self.keys_of_stored(table, &record)?;
        for (index, keys) in table.indexes.iter().zip(&keys.secondary) {
            for key in keys {
                self.forest.delete(&index_tree(index), &key.0, bookmark)?;
            }
        }
        self.forest.delete(&table.tree(), bookmark, &[])?;
        self.drop_references(table, &record)
    }

    /// Changes some columns of a row: pairs of a column's position in `table.columns` and its new value. Answers the row's
    /// bookmark, which changes with its primary key.
    ///
    /// # Errors
    /// [`Refusal::NotFound`]; [`Refusal::DuplicateKey`] when a unique index has a new key already (nothing is changed then).
    pub fn update(
        &mut self,
        table: &TableDef,
        bookmark: &[u8],
        changes: &[(usize, FieldValue<'_>)],
    ) -> EseResult<Vec<u8>> {
        check_writable(table)?;
        let old_record = self.record(table, bookmark)?;
        if let Some(record) = patched(table, &old_record, changes)? {
            self.forest.replace(&table.tree(), bookmark, &record)?;
            return Ok(bookmark.to_vec());
        }
        let old_keys = self.keys_of_stored(table, &old_record)?;
        let kept = kept_values(table, &old_record, changes)?;
        let values: Vec<FieldValue<'_>> = kept.iter().map(Kept::as_value).collect();
        let values = with_changes(values, changes);
        let row = self.encode(table, &values)?;
        let keys = self.keys_of(table, &row.record, &row)?;
        let new_bookmark =
            keys.primary.as_ref().map_or_else(|| bookmark.to_vec(), |key| key.0.clone());
        self.check_unique(table, &keys, Some((&old_keys, bookmark)))?;
        let tree = table.tree();
        if new_bookmark == bookmark {
            self.forest.replace(&tree, bookmark, &row.record)?;
        } else {
            self.forest.delete(&tree, bookmark, &[])?;
            self.forest.insert(&tree, &new_bookmark, &row.record)?;
        }
        self.change_entries(table, (&old_keys, bookmark), (&keys, &new_bookmark))?;
        // New references first, so that a value kept by the row never falls to none in between.
        self.store_long_values(table, &row)?;
        self.drop_references(table, &old_record)?;
        Ok(new_bookmark)
    }

    fn change_entries(
        &mut self,
        table: &TableDef,
        (old, old_bookmark): (&RowKeys, &[u8]),
        (new, new_bookmark): (&RowKeys, &[u8]),
    ) -> EseResult<()> {
        let is_moved = old_bookmark != new_bookmark;
        for (at, index) in table.indexes.iter().enumerate() {
            let tree = index_tree(index);
            let (old_keys, new_keys) = (&old.secondary[at], &new.secondary[at]);
            for key in old_keys.iter().filter(|key| is_moved || !new_keys.contains(key)) {
                self.forest.delete(&tree, &key.0, old_bookmark)?;
            }
            for key in new_keys.iter().filter(|key| is_moved || !old_keys.contains(key)) {
                self.forest.insert(&tree, &key.0, new_bookmark)?;
            }
        }
        Ok(())
    }

    /// The record of a row.
    ///
    /// # Errors
    /// [`Refusal::NotFound`].
    pub fn record(&self, table: &TableDef, bookmark: &[u8]) -> EseResult<Vec<u8>> {
        let mut cursor = Cursor::new(self.forest.pager(), table.tree());
        let missing =
            || EseError::refused(Refusal::NotFound, "there is no such row").in_object(&table.name);
        if !cursor.find(bookmark)? {
            return Err(missing());
        }
        Ok(cursor.entry()?.ok_or_else(missing)?.data.to_vec())
    }

    /// The numbers that auto-increment columns take: position and value.
    fn auto_increment(
        &mut self,
        table: &TableDef,
        values: &[FieldValue<'_>],
    ) -> EseResult<Vec<(usize, Vec<u8>)>> {
        let mut numbers = Vec::new();
        for (at, (column, value)) in table.columns.iter().zip(values).enumerate() {
            let is_open = matches!(value, FieldValue::Null | FieldValue::Default);
            if is_open && column.flags.contains(ColumnFlags::AUTO_INCREMENT) {
                let number = self.next_auto(table, column)?;
                numbers.push((at, number.to_le_bytes()[..column.width_bytes().min(8)].to_vec()));
            }
        }
        Ok(numbers)
    }

    fn next_auto(&mut self, table: &TableDef, column: &ColumnDef) -> EseResult<i64> {
        let next = match self.state(table).next_auto {
            Some(next) => next,
            None => self.largest_auto(table, column)? + 1,
        };
        self.states.entry(table.objid).or_default().next_auto = Some(next + 1);
        Ok(next)
    }

    fn largest_auto(&self, table: &TableDef, column: &ColumnDef) -> EseResult<i64> {
        let mut largest = 0;
        let mut cursor = Cursor::new(self.forest.pager(), table.tree());
        let mut is_on_row = cursor.first()?;
        while is_on_row {
            if let Some(node) = cursor.entry()? {
                let view =
                    RecordView::parse(node.data, TaggedStyle::of_page(PageSize::KIB4, true))?;
                if let FieldValues::One(Stored::Plain(bytes)) = view.get(column)? {
                    largest = largest.max(match *bytes {
                        [a, b, c, d] => i64::from(i32::from_le_bytes([a, b, c, d])),
                        [a, b, c, d, e, f, g, h] => i64::from_le_bytes([a, b, c, d, e, f, g, h]),
                        _ => 0,
                    });
                }
            }
            is_on_row = cursor.next()?;
        }
        Ok(largest)
    }

    fn state(&self, table: &TableDef) -> TableState {
        self.states.get(&table.objid).copied().unwrap_or_default()
    }

    fn next_row_number(&mut self, table: &TableDef) -> EseResult<u32> {
        let next = match self.state(table).next_row {
            Some(next) => next,
            None => {
                let mut cursor = Cursor::new(self.forest.pager(), table.tree());
                let is_filled = cursor.last()?;
                let key = cursor.entry()?.filter(|_| is_filled).map(|node| node.key.to_vec());
                let last =
                    key.and_then(|key| key.first_chunk::<4>().map(|n| u32::from_be_bytes(*n)));
                last.unwrap_or(0) + 1
            }
        };
        self.states.entry(table.objid).or_default().next_row = Some(next.saturating_add(1));
        Ok(next)
    }

    pub(super) fn encode<'v>(
        &mut self,
        table: &TableDef,
        values: &[FieldValue<'v>],
    ) -> EseResult<EncodedRow<'v>> {
        let mut next = self.next_lid(table)?;
        let row = encode_row(table, values, &mut NextLids { next: &mut next });
        self.states.entry(table.objid).or_default().next_lid = Some(next);
        row
    }

    fn next_lid(&self, table: &TableDef) -> EseResult<u32> {
        match (self.state(table).next_lid, table.long_value_tree()) {
            (Some(next), _) => Ok(next),
            (None, Some(tree)) => Ok(long_value::last_lid(&self.forest, &tree)? + 1),
            (None, None) => Ok(1),
        }
    }

    /// Reserves `count` numbers for long values of `table` in a row.
    ///
    /// # Errors
    /// [`EseError::Limit`] when the format has no more.
    pub fn reserve_lids(&mut self, table: &TableDef, count: u32) -> EseResult<Lids> {
        let first = self.next_lid(table)?;
        let end = first.checked_add(count).filter(|end| *end <= Lid::MAX_32 + 1);
        let Some(end) = end else {
            let found = u64::from(first) + u64::from(count);
            return Err(EseError::limit("long value number", found, Lid::MAX_32.into()));
        };
        self.states.entry(table.objid).or_default().next_lid = Some(end);
        Ok(Lids::new(first, end))
    }

    /// The trees below, to be changed by runs.
    pub(super) fn forest_mut(&mut self) -> &mut Forest {
        &mut self.forest
    }

    /// Keys of a record whose new long values are not stored yet.
    fn keys_of(&self, table: &TableDef, record: &[u8], row: &EncodedRow<'_>) -> EseResult<RowKeys> {
        row_keys(table, record, &|lid, cap_bytes| match row
            .long_values
            .iter()
            .find(|value| value.lid == lid)
        {
            Some(value) => Ok(value.bytes[..value.bytes.len().min(cap_bytes)].to_vec()),
            None => LvReader::new(self.forest.pager(), table).read_prefix(lid, cap_bytes),
        })
    }

    fn keys_of_stored(&self, table: &TableDef, record: &[u8]) -> EseResult<RowKeys> {
        row_keys(table, record, &|lid, cap_bytes| {
            LvReader::new(self.forest.pager(), table).read_prefix(lid, cap_bytes)
        })
    }

    /// Looks for keys that must be unique before anything is changed. `old` are the row's own keys, when it exists.
    fn check_unique(
        &self,
        table: &TableDef,
        keys: &RowKeys,
        old: Option<(&RowKeys, &[u8])>,
    ) -> EseResult<()> {
        let duplicate = |name: &str| {
            let reason = "a row with this key exists already";
            EseError::refused(Refusal::DuplicateKey, reason)
                .in_object(format!("{}.{name}", table.name))
        };
        let is_there = |tree: Tree, key: &Key| Cursor::new(self.forest.pager(), tree).find(&key.0);
        if let (Some(primary), Some(index)) = (&keys.primary, &table.primary) {
            let is_own = old.is_some_and(|(_, bookmark)| bookmark == primary.0);
            if !is_own && is_there(table.tree(), primary)? {
                return Err(duplicate(&index.name));
            }
        }
        for (at, index) in table.indexes.iter().enumerate() {
            if !index.flags.contains(IndexFlags::UNIQUE) {
                continue;
            }
            for key in &keys.secondary[at] {
                let is_own = old.is_some_and(|(old, _)| old.secondary[at].contains(key));
                if !is_own && is_there(index_tree(index), key)? {
                    return Err(duplicate(&index.name));
                }
            }
        }
        Ok(())
    }

    fn store_long_values(&mut self, table: &TableDef, row: &EncodedRow<'_>) -> EseResult<()> {
        if row.long_values.is_empty() && row.shared.is_empty() {
            return Ok(());
        }
        let tree = long_value::tree_of(table)?;
        for value in &row.long_values {
            long_value::store(
                &mut self.forest,
                &tree,
                value.lid,
                value.bytes,
                1,
                value.is_compressed,
            )?;
        }
        for lid in &row.shared {
            long_value::refer(&mut self.forest, table, *lid, 1)?;
        }
        Ok(())
    }

    fn drop_references(&mut self, table: &TableDef, record: &[u8]) -> EseResult<()> {
        for (lid, count) in references(table, record)? {
            long_value::refer(&mut self.forest, table, lid, -i64::from(count))?;
        }
        Ok(())
    }

    /// Makes all changes durable.
    ///
    /// # Errors
    /// [`EseError::Io`]: the writer is dead then, and the file holds the last commit or this one.
    pub fn commit(&mut self) -> EseResult<()> {
        self.forest.commit()
    }

    /// As [`Self::commit`]; `alone` as in [`crate::ese::txn::Pager::commit_when`].
    ///
    /// # Errors
    /// As [`Self::commit`].
    pub fn commit_when(&mut self, alone: &mut dyn FnMut()) -> EseResult<()> {
        self.forest.commit_when(alone)
    }

    /// Writes pages that were free at the last commit ahead of the next one; see [`Pager::spill`].
    ///
    /// # Errors
    /// [`EseError::Io`]: the writer is dead then.
    pub fn write_new_pages(&mut self) -> EseResult<()> {
        self.forest.pager_mut().spill()
    }

    /// As [`crate::ese::txn::Pager::empty_journal`].
    ///
    /// # Errors
    /// As there.
    pub fn empty_journal(&mut self) -> EseResult<()> {
        self.forest.pager_mut().empty_journal()
    }

    /// As [`crate::ese::txn::Pager::note_synced`].
    pub fn note_synced(&mut self, mark: SyncMark) {
        self.forest.pager_mut().note_synced(mark);
    }

    /// Commits and ends: the database is clean afterwards.
    ///
    /// # Errors
    /// [`EseError::Io`]: the database stays dirty, with its journal, and can be opened for writing again.
    pub fn close(mut self) -> EseResult<()> {
        self.commit()?;
        self.forest.close()
    }
}

/// Refuses tables whose rows this program cannot keep right.
pub(super) fn check_writable(table: &TableDef) -> EseResult<()> {
    let what = if table.flags & (DERIVED_TABLE | TEMPLATE_TABLE) != 0 {
        "writing into a table with a template"
    } else if table
        .indexes
        .iter()
        .chain(&table.primary)
        .any(|index| index_has_unicode(index, &table.columns))
    {
        "writing into a table with an index on Unicode text"
    } else if table.lv_chunk_max.is_some() {
        "writing into a table with its own size of chunks"
    } else {
        return Ok(());
    };
    Err(EseError::unsupported(what).in_object(&table.name))
}

fn with_numbers<'v>(
    values: &[FieldValue<'v>],
    numbers: &'v [(usize, Vec<u8>)],
) -> Vec<FieldValue<'v>> {
    let mut values = values.to_vec();
    for (at, number) in numbers {
        values[*at] = FieldValue::Bytes(number);
    }
    values
}

fn with_changes<'v>(
    mut values: Vec<FieldValue<'v>>,
    changes: &[(usize, FieldValue<'v>)],
) -> Vec<FieldValue<'v>> {
    for (at, value) in changes {
        if let Some(slot) = values.get_mut(*at) {
            *slot = value.clone();
        }
    }
    values
}

/// A column's value as it was, in memory of its own.
enum Kept {
    Null,
    Default,
    Plain(Vec<u8>),
    Shared(Lid),
    Many(Vec<Kept>),
}

impl Kept {
    fn as_value(&self) -> FieldValue<'_> {
        match self {
            Self::Null => FieldValue::Null,
            Self::Default => FieldValue::Default,
            Self::Plain(value) => FieldValue::Bytes(value),
            Self::Shared(lid) => FieldValue::Shared(*lid),
            Self::Many(values) => FieldValue::Many(values.iter().map(Self::as_value).collect()),
        }
    }
}

/// What the columns that do not change hold now.
fn kept_values(
    table: &TableDef,
    record: &[u8],
    changes: &[(usize, FieldValue<'_>)],
) -> EseResult<Vec<Kept>> {
    let view = RecordView::parse(record, TaggedStyle::of_page(PageSize::KIB4, true))?;
    let mut kept = Vec::with_capacity(table.columns.len());
    for (at, column) in table.columns.iter().enumerate() {
        let is_changed = changes.iter().any(|(changed, _)| *changed == at);
        kept.push(match if is_changed { FieldValues::Null } else { view.get(column)? } {
            FieldValues::Null => Kept::Null,
            FieldValues::Default => Kept::Default,
            FieldValues::One(stored) => kept_value(column, stored)?,
            many @ FieldValues::Many(_) => {
                let values = many.iter().map(|stored| kept_value(column, stored?));
                Kept::Many(values.collect::<EseResult<_>>()?)
            }
        });
    }
    Ok(kept)
}

fn kept_value(column: &ColumnDef, stored: Stored<'_>) -> EseResult<Kept> {
    match stored {
        Stored::Plain(bytes) => Ok(Kept::Plain(bytes.to_vec())),
        Stored::Compressed(bytes) => {
            let mut value = Vec::new();
            crate::ese::table::compress::decompress(bytes, u16::MAX.into(), &mut value)?;
            Ok(Kept::Plain(value))
        }
        Stored::Separated(lid) => Ok(Kept::Shared(lid)),
        Stored::Encrypted(_) => {
            let what = "keeping an encrypted value in an update";
            Err(EseError::unsupported(what).in_object(&column.name))
        }
    }
}
