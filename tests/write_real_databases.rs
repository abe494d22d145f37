//! Databases that the vendor's engine made are changed row by row: every third row goes with its index entries and long
//! values, a table comes; or every row is written again as it is, or taken out and put back. Nothing may be wrong afterwards
//! that was not wrong before, and what was put back reads as it did.
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

/// All values of all rows of the user tables, by table and bookmark.
type Content = BTreeMap<String, BTreeMap<Vec<u8>, Vec<Vec<Vec<u8>>>>>;

fn content(volume: &MemoryVolume) -> Content {
    let database = Database::open(volume, Path::new(PATH)).unwrap();
    let mut content = Content::new();
    for table in database.tables().filter(|table| !table.def().is_system()) {
        let fields = table.fields(64 << 20);
        let mut found = BTreeMap::new();
        let mut rows = table.rows();
        let mut is_on_row = rows.first().unwrap();
        while is_on_row {
            let row = rows.row().unwrap().unwrap();
            let values = table.def().columns.iter().map(|column| {
                let mut values = Vec::new();
                fields.each(&row, column, &mut |value| {
                    values.extend(value.map(|value| value.into_owned()))
                });
                values
            });
            found.insert(row.bookmark().to_vec(), values.collect());
            is_on_row = rows.next().unwrap();
        }
        content.insert(table.def().name.clone(), found);
    }
    content
}

/// Whether an error says that the profile of what we write leaves something out, before anything was changed.
fn is_left_out(error: &EseError) -> bool {
    matches!(error, EseError::Unsupported { .. }) || error.refusal() == Some(Refusal::BadRequest)
}

#[test]
fn rows_of_real_databases_written_again_or_put_back_read_as_before() {
    let (mut updated, mut put_back) = (0, 0);
    for directory in ["ese", "ese-engine"] {
        let Some(directory) = real_data::shared(directory) else { return };
        for (name, path) in real_data::databases(&directory) {
            let volume = real_data::volume_with(Path::new(PATH), &real_data::gunzip(&path));
            volume.forget_events();
            let dynamic: Arc<dyn Volume> = Arc::new(volume.clone());
            let errors_before = errors(&volume);
            let before = content(&volume);
            let Ok(mut writer) = DatabaseWriter::open(dynamic, Path::new(PATH)) else { continue };
            for (table_name, rows) in &before {
                let table = writer.table(table_name).unwrap();
                for (number, (bookmark, values)) in rows.iter().enumerate() {
                    let result = if number % 3 == 0 && table.primary.is_some() {
                        reinsert(&mut writer, &table, bookmark, values).map(|()| put_back += 1)
                    } else {
                        writer.update(&table, bookmark, &[]).map(|same| {
                            assert_eq!(same, *bookmark, "{name}.{table_name}");
                            updated += 1;
                        })
                    };
                    if let Err(error) = result {
                        assert!(is_left_out(&error), "{name}.{table_name}: {error}");
                    }
                }
            }
            writer.close().unwrap();
            let after = content(&volume);
            for (table_name, rows) in &before {
                for (bookmark, values) in rows {
                    let found = after[table_name].get(bookmark);
                    assert!(found == Some(values), "{name}.{table_name}: a row reads differently");
                }
            }
            for (rule, findings) in &errors(&volume) {
                let known = errors_before.get(rule).map_or(0, Vec::len);
                assert!(findings.len() <= known, "{name}: {rule}: {findings:#?}");
            }
        }
    }
    println!("{updated} rows written again, {put_back} put back");
    assert!(updated > 2000 && put_back > 1000, "{updated} updated, {put_back} put back");
}

/// Takes a row out and puts it back. It is written again in place first: a row that the profile of what we write cannot hold
/// is refused there, before it is taken out.
fn reinsert(
    writer: &mut DatabaseWriter,
    table: &dialtone::ese::table::schema::TableDef,
    bookmark: &[u8],
    values: &[Vec<Vec<u8>>],
) -> Result<(), EseError> {
    writer.update(table, bookmark, &[])?;
    let row: Vec<FieldValue<'_>> = values
        .iter()
        .map(|values| match values.as_slice() {
            [] => FieldValue::Null,
            [one] => FieldValue::Bytes(one),
            many => FieldValue::Many(many.iter().map(|value| FieldValue::Bytes(value)).collect()),
        })
        .collect();
    writer.delete(table, bookmark)?;
    let back = writer.insert(table, &row)?;
    assert_eq!(back, bookmark);
    Ok(())
}
