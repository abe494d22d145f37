//! Every secondary index against the records.
//!
//! An index is compared by the sums of hashes of its entries, once as stored and once as the records give them: memory
//! does not grow with the index. Only when the sums differ, two more passes name entries: one finds the groups of hashes
//! that differ, one holds the entries of a few such groups. Source: ese-logical 6.7-6.9.
//!
//! Keys of Unicode text cannot be computed. Of such an index only the bookmarks are compared, and that only where each row
//! has one entry at most; this is noted.

use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::Hasher;

use super::Severity;
use super::report::Report;
use crate::ese::error::EseResult;
use crate::ese::page::Pgno;
use crate::ese::table::database::Table;
use crate::ese::table::index_entries::EntryCursor;
use crate::ese::table::key::{FieldSource, IndexDef, IndexKeys, Key, index_has_unicode};
use crate::ese::table::schema::TableDef;
use crate::ese::table::source::RecordSource;
use crate::ese::txn::DatabaseFile;

/// Groups of hashes into which the second pass divides an index.
const GROUPS: usize = 1 << GROUP_BITS;
const GROUP_BITS: u32 = 12;
/// Differing groups whose entries are looked at.
const GROUPS_NAMED: usize = 16;
/// Entries that are held to find out which ones differ: far more than so many groups of any real index have.
const ENTRIES_MAX: usize = 4 << 20;
/// Entries of each kind that are named.
const NAMED: usize = 20;

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

/// What of an index can be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Compared {
    Entries,
    /// Keys are opaque.
    Bookmarks,
    Nothing,
}

impl Compared {
    fn hash(self, key: &[u8], bookmark: &[u8]) -> u64 {
        let mut hasher = DefaultHasher::new();
        if self == Self::Entries {
            hasher.write_usize(key.len());
            hasher.write(key);
        }
        hasher.write(bookmark);
        hasher.finish()
    }
}

/// What the records say that an index should hold.
pub struct IndexCheck<'d> {
    index: &'d IndexDef,
    name: String,
    compared: Compared,
    /// None when the definition does not work, which is told.
    keys: Option<IndexKeys<'d>>,
    expected: Fingerprint,
    found: Vec<Key>,
}

impl<'d> IndexCheck<'d> {
    /// `name` is what findings call the index.
    pub fn new(
        table: &'d TableDef,
        index: &'d IndexDef,
        name: String,
        report: &mut Report<'_>,
    ) -> Self {
        let keys = match IndexKeys::new(index, &table.columns) {
            Ok(keys) => Some(keys),
            Err(error) => {
                report.unreadable("index", &name, &error);
                None
            }
        };
        let is_opaque = index_has_unicode(index, &table.columns);
        let compared = match &keys {
            Some(_) if !is_opaque => Compared::Entries,
            Some(keys) if keys.gives_one_entry_at_most() => Compared::Bookmarks,
            _ => Compared::Nothing,
        };
        if is_opaque {
            let what = if compared == Compared::Bookmarks {
                "; only its bookmarks are compared"
            } else {
                ""
            };
            let message = format!(
                "keys of Unicode text depend on the system's sort tables and are not computed{what}"
            );
            report.find(Severity::Note, "key", Some(&name), Some(index.root), message);
        }
        Self { index, name, compared, keys, expected: Fingerprint::default(), found: Vec::new() }
    }

    /// Adds the entries that a row should have.
    pub fn add_row(&mut self, source: &dyn FieldSource, bookmark: &[u8]) -> EseResult<()> {
        let Self { expected, .. } = self;
        let mut sums = *expected;
        self.each_hash(source, bookmark, &mut |hash| sums.add(hash))?;
        self.expected = sums;
        Ok(())
    }

    fn each_hash(
        &mut self,
        source: &dyn FieldSource,
        bookmark: &[u8],
        visit: &mut dyn FnMut(u64),
    ) -> EseResult<()> {
        let Some(keys) = &mut self.keys else { return Ok(()) };
        let compared = self.compared;
        match compared {
            Compared::Nothing => {}
            Compared::Bookmarks => {
                if keys.has_entry(source)? {
                    visit(compared.hash(&[], bookmark));
                }
            }
            Compared::Entries => {
                self.found.clear();
                keys.keys(source, &mut self.found)?;
                self.found.iter().for_each(|key| visit(compared.hash(&key.0, bookmark)));
            }
        }
        Ok(())
    }

    /// Compares the index as stored with what the rows gave; `is_complete`: that was all of them.
    pub fn compare(
        mut self,
        table: &Table<'_, DatabaseFile>,
        file: &DatabaseFile,
        is_complete: bool,
        report: &mut Report<'_>,
    ) {
        let mut stored = Fingerprint::default();
        let read = self.each_entry(file, &mut |hash, _| stored.add(hash));
        report.summary.index_entries += stored.count;
        let name = self.name.clone();
        if let Err(error) = read {
            return report.unreadable("index", &name, &error);
        }
        if !is_complete || self.compared == Compared::Nothing || self.expected == stored {
            return;
        }
        let message = format!("{} entries, the records give {}", stored.count, self.expected.count);
        report.error("index", &name, Some(self.index.root), message);
        if let Err(error) = self.name_differences(table, file, report) {
            report.unreadable("index", &name, &error);
        }
    }

    fn each_entry(
        &self,
        file: &DatabaseFile,
        visit: &mut dyn FnMut(u64, Option<Pgno>),
    ) -> EseResult<()> {
        let mut cursor = EntryCursor::new(file, self.index);
        let mut key = Vec::new();
        let mut is_on_entry = cursor.first()?;
        while is_on_entry {
            if let Some(entry) = cursor.entry()? {
                key.clear();
                entry.key.append_to(&mut key);
                let hash = self.compared.hash(&key, entry.bookmark);
                visit(hash, cursor.place().map(|(pgno, _)| pgno));
            }
            is_on_entry = cursor.next()?;
        }
        Ok(())
    }

    /// Visits what the records give, with page and line of the row.
    fn each_expected(
        &mut self,
        table: &Table<'_, DatabaseFile>,
        visit: &mut dyn FnMut(u64, Pgno, usize),
    ) -> EseResult<()> {
        let long_values = table.long_values();
        let read = |lid, prefix_bytes| long_values.read_prefix(lid, prefix_bytes);
        let mut cursor = table.rows();
        let mut is_on_row = cursor.first()?;
        while is_on_row {
            if let Some(row) = cursor.row()? {
                let source = RecordSource::new(row.record(), table.def(), &read);
                let bookmark = row.bookmark().to_vec();
                let mut visit = |hash| visit(hash, row.pgno(), row.line());
                self.each_hash(&source, &bookmark, &mut visit)?;
            }
            is_on_row = cursor.next()?;
        }
        Ok(())
    }

    /// Which entries are too many, and which rows miss theirs: examples of both.
    fn name_differences(
        &mut self,
        table: &Table<'_, DatabaseFile>,
        file: &DatabaseFile,
        report: &mut Report<'_>,
    ) -> EseResult<()> {
        let differing = self.differing_groups(table, file)?;
        let is_wanted = |hash: u64| differing.get(group_of(hash)).copied().unwrap_or(false);
        let mut stored: HashMap<u64, Option<Pgno>> = HashMap::new();
        self.each_entry(file, &mut |hash, pgno| {
            if is_wanted(hash) && stored.len() <= ENTRIES_MAX {
                stored.insert(hash, pgno);
            }
        })?;
        if stored.len() > ENTRIES_MAX {
            return Ok(());
        }
        let mut missing = Vec::new();
        self.each_expected(table, &mut |hash, pgno, line| {
            if is_wanted(hash) && stored.remove(&hash).is_none() && missing.len() < NAMED {
                missing.push((pgno, line));
            }
        })?;
        let mut surplus: Vec<_> = stored.into_values().collect();
        surplus.sort_unstable();
        for pgno in surplus.into_iter().take(NAMED) {
            report.error("index", &self.name, pgno, "an entry that no record gives");
        }
        for (pgno, line) in missing {
            let message = format!("the record at line {line} has no entry");
            report.error("index", &self.name, Some(pgno), message);
        }
        Ok(())
    }

    /// The first groups of hashes in which index and records differ.
    fn differing_groups(
        &mut self,
        table: &Table<'_, DatabaseFile>,
        file: &DatabaseFile,
    ) -> EseResult<Vec<bool>> {
        let mut stored = vec![Fingerprint::default(); GROUPS];
        let mut expected = stored.clone();
        let add = |groups: &mut Vec<Fingerprint>, hash| {
            if let Some(group) = groups.get_mut(group_of(hash)) {
                group.add(hash);
            }
        };
        self.each_entry(file, &mut |hash, _| add(&mut stored, hash))?;
        self.each_expected(table, &mut |hash, _, _| add(&mut expected, hash))?;
        let mut named = 0;
        let differs = stored.iter().zip(&expected).map(|(stored, expected)| {
            let is_named = stored != expected && named < GROUPS_NAMED;
            named += usize::from(is_named);
            is_named
        });
        Ok(differs.collect())
    }
}

/// The group of a hash: its highest bits.
fn group_of(hash: u64) -> usize {
    (hash >> (u64::BITS - GROUP_BITS)) as usize
}
