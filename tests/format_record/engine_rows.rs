//! Every row of the engine's own databases, compared with what the engine itself reads, and written again.

use dialtone::ese::EseError;
use dialtone::ese::table::column::{ColumnDef, ColumnType, Fid};
use dialtone::ese::table::record::{FieldInput, FieldValues, RecordView, encode_record};
use dialtone::ese::table::value::{decode_value, hex_text};
use sha2::{Digest as _, Sha256};

use super::engine_files::{self, Database, LongValues, Table};
use super::inputs;

/// A value in the words of the engine's answers.
fn told(column: &ColumnDef, bytes: &[u8]) -> serde_json::Value {
    if bytes.len() > 96 {
        return serde_json::json!({
            "len": bytes.len(),
            "sha256": hex_text(&Sha256::digest(bytes)),
            "head": hex_text(&bytes[..16]),
        });
    }
    match column.coltyp {
        ColumnType::IeeeSingle
        | ColumnType::IeeeDouble
        | ColumnType::DateTime
        | ColumnType::Guid
        | ColumnType::Binary
        | ColumnType::LongBinary => serde_json::json!({ "hex": hex_text(bytes) }),
        _ => decode_value(column.coltyp, column.code_page, bytes).unwrap().to_json(),
    }
}

#[test]
fn every_row_of_the_engines_databases_reads_as_the_engine_reads_it() {
    let Some(directory) = engine_files::engine_directory() else { return };
    let mut counts = Counts::default();
    for kind in ["types", "lv", "index", "prefix", "ddl", "limits"] {
        for page in ["4k", "32k"] {
            let database = Database::open(&directory.join(format!("{kind}-{page}.edb.gz")));
            let answers = engine_files::answers(&directory.join(format!("{kind}-{page}.json.gz")));
            for answer in answers["tables"].as_array().unwrap() {
                let table = &database.tables[answer["table"].as_str().unwrap()];
                let Some(rows) = answer["rows"].as_array() else { continue };
                let rewrite = |record: &[u8]| counts.rewrite(&database, table, record);
                compare_rows(&database, table, rows, rewrite);
                let stored = database.nodes(table.root).len() as u64;
                assert_eq!(answer["row_count"], stored, "rows of {}", table.name);
            }
        }
    }
    assert!(
        counts.same_bytes > 1000 && counts.same_values > 100 && counts.refused < 50,
        "{counts:?}"
    );
}

fn compare_rows(
    database: &Database,
    table: &Table,
    expected: &[serde_json::Value],
    mut rewrite: impl FnMut(&[u8]),
) {
    let long_values = LongValues::read(database, table);
    let records = database.nodes(table.root);
    for ((key, record), expected) in records.iter().zip(expected) {
        let view = RecordView::parse(record, database.style()).unwrap();
        rewrite(record);
        for column in table.columns.iter().filter(|c| c.coltyp != ColumnType::Nil) {
            let bytes: Vec<Vec<u8>> = match view.get(column).unwrap() {
                FieldValues::Default => vec![column.default_value().unwrap().to_vec()],
                values => values.iter().map(|value| long_values.plain(value.unwrap())).collect(),
            };
            let mut values: Vec<_> = bytes.iter().map(|bytes| told(column, bytes)).collect();
            let expected = &expected[&column.name];
            let read = if expected.is_array() {
                serde_json::Value::Array(values)
            } else {
                assert!(values.len() < 2);
                values.pop().unwrap_or_default()
            };
            assert_eq!(read, *expected, "{}.{} of {}", table.name, column.name, hex_text(key));
        }
    }
}

/// How records came out when they were written again.
#[derive(Debug, Default)]
struct Counts {
    /// Byte for byte as the engine wrote them, filler of NULL columns apart.
    same_bytes: usize,
    /// Other bytes, same values: two values in the form that all readers know, defaults written out.
    same_values: usize,
    /// Cannot be said in the profile: explicit NULL, zero length without a header.
    refused: usize,
}

impl Counts {
    fn rewrite(&mut self, database: &Database, table: &Table, record: &[u8]) {
        let view = RecordView::parse(record, database.style()).unwrap();
        let mut lists = Vec::new();
        let values = inputs(&view, &table.columns, &mut lists);
        let mut again = Vec::new();
        if let Err(error) = encode_record(&table.columns, &values, database.page_size, &mut again) {
            assert!(matches!(error, EseError::Refused { .. }), "{error}");
            self.refused += 1;
            return;
        }
        let mut expected = record.to_vec();
        for (column, value) in table.columns.iter().zip(&values) {
            if let (Some(offset), FieldInput::Null) = (column.record_offset, value) {
                let end = usize::from(offset) + column.width_bytes();
                if let Some(filler) = expected.get_mut(usize::from(offset)..end) {
                    filler.fill(0);
                }
            }
        }
        if again == expected {
            self.same_bytes += 1;
            return;
        }
        self.same_values += 1;
        let view = RecordView::parse(&again, database.style()).unwrap();
        let mut lists = Vec::new();
        let read = inputs(&view, &table.columns, &mut lists);
        for ((column, read), value) in table.columns.iter().zip(read).zip(values) {
            // Defaults of fixed and variable columns are written out.
            let value = match (value, column.default_value()) {
                (FieldInput::Default, Some(default)) if column.fid.0 < Fid::FIRST_TAGGED => {
                    FieldInput::bytes(default)
                }
                _ => value,
            };
            assert_eq!(read, value, "{} of {}", column.name, hex_text(record));
        }
    }
}
