//! Databases that the vendor's engine made are changed row by row: every third row goes with its index entries and long
//! values, a table comes. Nothing may be wrong afterwards that was not wrong before.
#![allow(clippy::unwrap_used)] // helpers of tests, like the tests

mod real_data;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use dialtone::ese::check::{Finding, Severity, check};
use dialtone::ese::table::column::ColumnType;
use dialtone::ese::table::database::Database;
use dialtone::ese::table::write::{DatabaseWriter, FieldValue, NewColumn, NewIndex, NewTable};
use dialtone::ese::{EseError, error::Refusal};
use dialtone::io::{MemoryVolume, Volume};

const PATH: &str = "/db/real.edb";

/// Errors by rule.
fn errors(volume: &MemoryVolume) -> BTreeMap<&'static str, Vec<Finding>> {
    let mut errors: BTreeMap<&'static str, Vec<Finding>> = BTreeMap::new();
    let mut sink = |finding: &Finding| {
        if finding.severity == Severity::Error {
            errors.entry(finding.rule).or_default().push(finding.clone());
        }
    };
    check(volume, Path::new(PATH), &mut sink).unwrap();
    errors
}

/// Bookmarks of every user table that has rows.
fn bookmarks(volume: &MemoryVolume) -> BTreeMap<String, Vec<Vec<u8>>> {
    let database = Database::open(volume, Path::new(PATH)).unwrap();
    let mut tables = BTreeMap::new();
    for table in database.tables().filter(|table| !table.def().is_system()) {
        let mut found = Vec::new();
        let mut rows = table.rows();
        let mut is_on_row = rows.first().unwrap();
        while is_on_row {
            found.push(rows.row().unwrap().unwrap().bookmark().to_vec());
            is_on_row = rows.next().unwrap();
        }
        tables.insert(table.def().name.clone(), found);
    }
    tables
}

/// Changes what this program may change; answers the number of deleted rows, `None` for formats that are only read.
fn change(volume: &MemoryVolume) -> Option<u64> {
    let rows = bookmarks(volume);
    let dynamic: Arc<dyn Volume> = Arc::new(volume.clone());
    let mut writer = match DatabaseWriter::open(dynamic, Path::new(PATH)) {
        Ok(writer) => writer,
        Err(error) => {
            let refusal = error.refusal();
            assert!(matches!(refusal, Some(Refusal::Version | Refusal::Dirty)), "{error}");
            return None;
        }
    };
    let mut deleted = 0;
    for (name, bookmarks) in &rows {
        let table = writer.table(name).unwrap();
        for bookmark in bookmarks.iter().step_by(3) {
            match writer.delete(&table, bookmark) {
                Ok(()) => deleted += 1,
                // Templates, Unicode indexes, chunk sizes of their own: said before anything is changed.
                Err(EseError::Unsupported { .. }) => break,
                Err(error) => panic!("{name}: {error}"),
            }
        }
    }
    let new = NewTable::new("Late")
        .column(NewColumn::new("Id", ColumnType::Long))
        .column(NewColumn::new("Body", ColumnType::LongBinary))
        .primary(NewIndex::new("ById", &["Id"]));
    let table = writer.create_table(&new).unwrap();
    for id in 0..400i32 {
        let body = vec![id as u8; if id % 20 == 0 { 9000 } else { 100 }];
        let key = id.to_le_bytes();
        let row = [FieldValue::Bytes(&key), FieldValue::Bytes(&body)];
        writer.insert(&table, &row).unwrap();
    }
    writer.close().unwrap();
    Some(deleted)
}

#[test]
fn rows_of_real_databases_go_without_leaving_a_trace() {
    let (mut changed, mut deleted) = (0, 0);
    for directory in ["ese", "ese-engine"] {
        let Some(directory) = real_data::shared(directory) else { return };
        for (name, path) in real_data::databases(&directory) {
            let volume = real_data::volume_with(Path::new(PATH), &real_data::gunzip(&path));
            volume.forget_events();
            let before = errors(&volume);
            let Some(gone) = change(&volume) else { continue };
            let after = errors(&volume);
            for (rule, findings) in &after {
                let known = before.get(rule).map_or(0, Vec::len);
                assert!(findings.len() <= known, "{name}: {rule}: {findings:#?}");
            }
            (changed, deleted) = (changed + 1, deleted + gone);
        }
    }
    assert!(changed >= 10 && deleted > 1000, "{changed} databases, {deleted} rows");
}
