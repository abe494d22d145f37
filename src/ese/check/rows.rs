//! Records under their schema, and keys under the primary index. Source: ese-logical 2, 6.6.

use std::collections::HashSet;

use super::indexes::IndexCheck;
use super::record::{Found, RecordCheck};
use super::references::References;
use super::report::Report;
use super::{Severity, is_tangled};
use crate::ese::error::EseError;
use crate::ese::page::Pgno;
use crate::ese::table::column::Lid;
use crate::ese::table::database::{Database, Table};
use crate::ese::table::fields::FieldReader;
use crate::ese::table::key::{FieldSource, IndexKeys, index_has_unicode};
use crate::ese::table::rows::Row;
use crate::ese::table::schema::TableDef;
use crate::ese::table::source::RecordSource;
use crate::ese::txn::DatabaseFile;

/// Length of the key that numbers the rows of a table without a primary index. Source: ese-logical 6.6.
const ROW_NUMBER_BYTES: usize = 4;

/// Checks all rows of a table and its indexes that are not `tangled`. Answers the references to long values.
pub fn check(
    database: &Database,
    table: &TableDef,
    tangled: &HashSet<Pgno>,
    report: &mut Report<'_>,
) -> References {
    let mut indexes = Vec::with_capacity(table.indexes.len());
    for index in &table.indexes {
        let name = format!("{}.{}", table.name, index.name);
        if !is_tangled(tangled, index.root, &name, report) {
            indexes.push(IndexCheck::new(table, index, name, report));
        }
    }
    let mut checker = TableCheck::new(database, table, report);
    checker.rows(&mut indexes);
    let TableCheck { table, is_incomplete, mut references, report, .. } = checker;
    for index in indexes {
        index.compare(&table, database.file(), !is_incomplete, report);
    }
    if is_incomplete {
        references.set_incomplete();
    }
    references.settle();
    references
}

struct TableCheck<'c, 's> {
    table: Table<'c, DatabaseFile>,
    def: &'c TableDef,
    fields: FieldReader<'c, DatabaseFile>,
    record: RecordCheck<'c>,
    primary: Option<IndexKeys<'c>>,
    report: &'c mut Report<'s>,
    references: References,
    /// A record or value could not be read, so that computed keys are not complete.
    is_incomplete: bool,
}

impl<'c, 's> TableCheck<'c, 's> {
    fn new(database: &'c Database, def: &'c TableDef, report: &'c mut Report<'s>) -> Self {
        let table = Table::new(database.file(), def);
        let fields = table.fields(usize::MAX);
        let primary = primary_keys(def, report);
        let (record, references) = (RecordCheck::new(def), References::new(Lid(0)));
        Self { table, def, fields, record, primary, report, references, is_incomplete: false }
    }

    fn unreadable(&mut self, rule: &'static str, error: &EseError) {
        self.is_incomplete = true;
        self.report.unreadable(rule, &self.def.name, error);
    }

    /// Walks the rows and adds to each index what its entries should be.
    fn rows(&mut self, indexes: &mut [IndexCheck<'_>]) {
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
                Ok(Some(row)) => self.row(&row, indexes),
                Ok(None) => {}
                Err(error) => self.unreadable("record", &error),
            }
            step = cursor.next();
        }
    }

    fn row(&mut self, row: &Row<'_>, indexes: &mut [IndexCheck<'_>]) {
        let Self { record, references, report, def, is_incomplete, .. } = self;
        record.check(row, &mut |found| match found {
            Found::LongValue(lid) => references.add(lid),
            Found::Rule(message) => {
                let message = format!("line {}: {message}", row.line());
                report.error("record", &def.name, Some(row.pgno()), message);
            }
            Found::Broken(error) => {
                // A value of unknown compression is whole all the same.
                *is_incomplete |= !matches!(error, EseError::Unsupported { .. });
                report.unreadable("record", &def.name, &error);
            }
        });
        let long_values = self.fields.long_values();
        let read = |lid, prefix_bytes| long_values.read_prefix(lid, prefix_bytes);
        let source = RecordSource::new(row.record(), self.def, &read);
        let mut failed = Vec::new();
        let bookmark = row.bookmark().to_vec();
        for index in indexes {
            failed.extend(index.add_row(&source, &bookmark).err());
        }
        let wrong = match wrong_key(self.primary.as_mut(), self.def, &source, &bookmark) {
            Ok(wrong) => wrong,
            Err(error) => {
                failed.push(error);
                None
            }
        };
        if let Some(message) = wrong {
            let message = format!("line {}: {message}", row.line());
            self.report.error("key", &self.def.name, Some(row.pgno()), message);
        }
        failed.iter().for_each(|error| self.unreadable("key", error));
    }
}

/// The keys of the primary index, if they can be computed.
fn primary_keys<'c>(def: &'c TableDef, report: &mut Report<'_>) -> Option<IndexKeys<'c>> {
    let index = def.primary.as_ref()?;
    let name = format!("{}.{}", def.name, index.name);
    if index_has_unicode(index, &def.columns) {
        let message =
            "keys of Unicode text depend on the system's sort tables and are not computed";
        report.find(Severity::Note, "key", Some(&name), Some(index.root), message);
        return None;
    }
    match IndexKeys::new(index, &def.columns) {
        Ok(keys) => Some(keys),
        Err(error) => {
            report.unreadable("index", &name, &error);
            None
        }
    }
}

/// What is wrong with the key of a row.
fn wrong_key(
    keys: Option<&mut IndexKeys<'_>>,
    def: &TableDef,
    source: &dyn FieldSource,
    bookmark: &[u8],
) -> Result<Option<&'static str>, EseError> {
    let is_right = match keys {
        Some(keys) => keys.single_key(source)?.0 == bookmark,
        None => def.primary.is_some() || bookmark.len() == ROW_NUMBER_BYTES,
    };
    Ok((!is_right).then_some("the key is not that of the record"))
}
