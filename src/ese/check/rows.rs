//! Records under their schema, keys under their indexes, and every index against the records.
//!
//! An index is compared by the sums of hashes of its entries, once as stored and once as the records give them: memory
//! does not grow with the index. Only when the sums differ, a second pass names entries. Source: ese-logical 2, 6.

use std::collections::HashSet;
use std::collections::hash_map::DefaultHasher;
use std::hash::Hasher;

use super::{References, Report, Severity};
use crate::ese::error::{EseError, EseResult};
use crate::ese::page::Pgno;
use crate::ese::table::column::{ColumnFlags, ColumnType};
use crate::ese::table::database::{Database, Table};
use crate::ese::table::fields::FieldReader;
use crate::ese::table::key::{IndexDef, IndexKeys, Key, index_has_unicode};
use crate::ese::table::record::{FieldValues, Stored};
use crate::ese::table::rows::Row;
use crate::ese::table::schema::TableDef;
use crate::ese::table::source::RecordSource;
use crate::ese::txn::DatabaseFile;

/// Findings of one kind in one table that are told.
const FINDINGS_MAX: usize = 20;
/// Entries of an index that the second pass holds in memory, as 8-byte hashes.
const NAMED_ENTRIES_MAX: u64 = 8 << 20;

/// The entries of an index as a whole: how many, and two sums of hashes, so that order does not matter.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Fingerprint {
    count: u64,
    sum: u64,
    mixed_sum: u64,
}

impl Fingerprint {
    fn add(&mut self, hash: u64) {
        self.count += 1;
        self.sum = self.sum.wrapping_add(hash);
        self.mixed_sum =
            self.mixed_sum.wrapping_add((hash ^ (hash >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9));
    }
}

/// Is given key, bookmark and page of an index entry.
type VisitEntry<'v> = dyn FnMut(&[u8], &[u8], Option<Pgno>) + 'v;

fn hash_of(key: &[u8], bookmark: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write_usize(key.len());
    hasher.write(key);
    hasher.write(bookmark);
    hasher.finish()
}

/// Checks all rows of a table and its indexes; answers the references to long values.
pub fn check(database: &Database, table: &TableDef, report: &mut Report<'_>) -> References {
    let mut checker = TableCheck::new(database, table, report);
    let computed = checker.rows();
    for (at, index) in table.indexes.iter().enumerate() {
        let computed = computed.get(at).copied().flatten();
        checker.index(index, computed);
    }
    checker.references
}

struct TableCheck<'c, 's> {
    table: Table<'c, DatabaseFile>,
    def: &'c TableDef,
    fields: FieldReader<'c, DatabaseFile>,
    report: &'c mut Report<'s>,
    references: References,
    told: usize,
    /// A record or value could not be read, so that computed keys are not complete.
    is_incomplete: bool,
}

impl<'c, 's> TableCheck<'c, 's> {
    fn new(database: &'c Database, def: &'c TableDef, report: &'c mut Report<'s>) -> Self {
        let table = Table::new(database.file(), def);
        let fields = table.fields(usize::MAX);
        let references = References::new();
        Self { table, def, fields, report, references, told: 0, is_incomplete: false }
    }

    fn tell(&mut self, rule: &'static str, pgno: Option<Pgno>, message: String) {
        self.told += 1;
        if self.told <= FINDINGS_MAX {
            self.report.error(rule, &self.def.name, pgno, message);
        }
    }

    fn unreadable(&mut self, rule: &'static str, error: &EseError) {
        self.is_incomplete = true;
        if !matches!(error, EseError::Unsupported { .. }) {
            self.told += 1;
        }
        if self.told <= FINDINGS_MAX {
            self.report.unreadable(rule, &self.def.name, error);
        }
    }

    /// Walks the rows; answers for each index what its entries should be, if that can be told.
    fn rows(&mut self) -> Vec<Option<Fingerprint>> {
        let (def, report_name) = (self.def, &self.def.name);
        let mut indexes: Vec<Option<IndexKeys<'_>>> = Vec::with_capacity(def.indexes.len());
        for index in &def.indexes {
            indexes.push(self.keys_of(index));
        }
        let mut primary = def.primary.as_ref().and_then(|index| self.keys_of(index));
        let mut fingerprints = vec![Fingerprint::default(); indexes.len()];
        let mut cursor = self.table.rows();
        let mut step = cursor.first();
        loop {
            match step {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => {
                    self.unreadable("row", &error);
                    step = cursor.next();
                    continue;
                }
            }
            self.report.summary.rows += 1;
            match cursor.row() {
                Ok(Some(row)) => {
                    self.fields_of(&row);
                    self.primary_key(&row, primary.as_mut());
                    self.secondary_keys(&row, &mut indexes, &mut fingerprints);
                }
                Ok(None) => {}
                Err(error) => self.unreadable("row", &error),
            }
            step = cursor.next();
        }
        if let Some(more) = self.told.checked_sub(FINDINGS_MAX + 1) {
            self.report.error(
                "row",
                report_name,
                None,
                format!("{} more findings in this table", more + 1),
            );
        }
        let known = indexes.iter().map(|keys| keys.is_some() && !self.is_incomplete);
        known.zip(fingerprints).map(|(is_known, print)| is_known.then_some(print)).collect()
    }

    /// The keys of an index, unless they cannot be computed.
    fn keys_of(&mut self, index: &'c IndexDef) -> Option<IndexKeys<'c>> {
        let name = format!("{}.{}", self.def.name, index.name);
        if index_has_unicode(index, &self.def.columns) {
            let message =
                "keys of Unicode text depend on the system's sort tables and are not recomputed";
            self.report.find(Severity::Note, "key", Some(&name), Some(index.root), message);
            return None;
        }
        match IndexKeys::new(index, &self.def.columns) {
            Ok(keys) => Some(keys),
            Err(error) => {
                self.report.unreadable("index", &name, &error);
                None
            }
        }
    }

    /// Every field must decode; long values are counted.
    fn fields_of(&mut self, row: &Row<'_>) {
        let def = self.def;
        for column in &def.columns {
            if column.coltyp == ColumnType::Nil {
                continue;
            }
            let values = match row.get(column) {
                Ok(values) => values,
                Err(error) => {
                    self.unreadable("record", &row.place(error, column));
                    continue;
                }
            };
            let is_null = matches!(values, FieldValues::Null);
            if is_null && column.flags.contains(ColumnFlags::NOT_NULL) {
                let message = format!("line {}: column {} is NULL", row.line(), column.name);
                self.tell("record", Some(row.pgno()), message);
            }
            for stored in values.iter() {
                match stored {
                    Ok(Stored::Separated(lid)) => *self.references.entry(lid).or_insert(0) += 1,
                    Ok(compressed @ Stored::Compressed(_)) => {
                        if let Err(error) = self.fields.bytes(compressed) {
                            self.unreadable("value", &row.place(error, column));
                        }
                    }
                    Ok(_) => {}
                    Err(error) => self.unreadable("record", &row.place(error, column)),
                }
            }
        }
    }

    fn primary_key(&mut self, row: &Row<'_>, keys: Option<&mut IndexKeys<'_>>) {
        let Some(keys) = keys else { return };
        let long_values = self.fields.long_values();
        let read = |lid, prefix_bytes| long_values.read_prefix(lid, prefix_bytes);
        let source = RecordSource::new(row.record(), self.def, &read);
        match keys.single_key(&source) {
            Ok(key) if row.bookmark().compare(&key.0).is_eq() => {}
            Ok(_) => {
                let message = format!("line {}: the key is not that of the record", row.line());
                self.tell("key", Some(row.pgno()), message);
            }
            Err(error) => self.unreadable("key", &error),
        }
    }

    fn secondary_keys(
        &mut self,
        row: &Row<'_>,
        indexes: &mut [Option<IndexKeys<'_>>],
        fingerprints: &mut [Fingerprint],
    ) {
        let bookmark = row.bookmark().to_vec();
        let read = |lid, prefix_bytes| self.table.long_values().read_prefix(lid, prefix_bytes);
        let source = RecordSource::new(row.record(), self.def, &read);
        let mut found: Vec<Key> = Vec::new();
        let mut failed = Vec::new();
        for (keys, print) in indexes.iter_mut().zip(fingerprints) {
            let Some(keys) = keys else { continue };
            found.clear();
            match keys.keys(&source, &mut found) {
                Ok(()) => found.iter().for_each(|key| print.add(hash_of(&key.0, &bookmark))),
                Err(error) => failed.push(error),
            }
        }
        failed.iter().for_each(|error| self.unreadable("key", error));
    }

    /// Compares an index as stored with what the records give.
    fn index(&mut self, index: &'c IndexDef, computed: Option<Fingerprint>) {
        let name = format!("{}.{}", self.def.name, index.name);
        let mut stored = Fingerprint::default();
        let read =
            self.each_entry(index, &mut |key, bookmark, _| stored.add(hash_of(key, bookmark)));
        self.report.summary.index_entries += stored.count;
        if let Err(error) = read {
            return self.report.unreadable("index", &name, &error);
        }
        let Some(computed) = computed.filter(|computed| *computed != stored) else { return };
        let message = format!("{} entries, the records give {}", stored.count, computed.count);
        self.report.error("index", &name, Some(index.root), message);
        if stored.count.max(computed.count) <= NAMED_ENTRIES_MAX
            && let Err(error) = self.name_differences(index, &name)
        {
            self.report.unreadable("index", &name, &error);
        }
    }

    fn each_entry(&self, index: &IndexDef, visit: &mut VisitEntry<'_>) -> EseResult<()> {
        let mut cursor = self.table.index(&index.name)?;
        let mut key = Vec::new();
        let mut is_on_entry = cursor.first()?;
        while is_on_entry {
            if let Some(entry) = cursor.entry()? {
                key.clear();
                entry.key.append_to(&mut key);
                visit(&key, entry.bookmark, cursor.place().map(|(pgno, _)| pgno));
            }
            is_on_entry = cursor.next()?;
        }
        Ok(())
    }

    /// The second pass: which entries are too many, and which rows miss theirs.
    fn name_differences(&mut self, index: &'c IndexDef, name: &str) -> EseResult<()> {
        let mut stored = HashSet::new();
        self.each_entry(index, &mut |key, bookmark, _| {
            stored.insert(hash_of(key, bookmark));
        })?;
        let mut computed = HashSet::new();
        let mut missing = Vec::new();
        let mut keys = IndexKeys::new(index, &self.def.columns)?;
        let read = |lid, prefix_bytes| self.table.long_values().read_prefix(lid, prefix_bytes);
        let mut cursor = self.table.rows();
        let mut is_on_row = cursor.first()?;
        while is_on_row {
            if let Some(row) = cursor.row()? {
                let mut found = Vec::new();
                keys.keys(&RecordSource::new(row.record(), self.def, &read), &mut found)?;
                let bookmark = row.bookmark().to_vec();
                for key in found {
                    let hash = hash_of(&key.0, &bookmark);
                    computed.insert(hash);
                    if !stored.contains(&hash) {
                        missing.push((row.pgno(), row.line()));
                    }
                }
            }
            is_on_row = cursor.next()?;
        }
        let mut surplus = Vec::new();
        self.each_entry(index, &mut |key, bookmark, pgno| {
            if !computed.contains(&hash_of(key, bookmark)) {
                surplus.push(pgno);
            }
        })?;
        for pgno in surplus.into_iter().take(FINDINGS_MAX) {
            self.report.error("index", name, pgno, "an entry that no record gives");
        }
        for (pgno, line) in missing.into_iter().take(FINDINGS_MAX) {
            let message = format!("the record at line {line} has no entry");
            self.report.error("index", name, Some(pgno), message);
        }
        Ok(())
    }
}
