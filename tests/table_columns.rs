//! Columns added to a table that has rows: old rows read as before and are NULL there, new ones hold values, and the database stays
//! sound through commits and reopening.

#![allow(clippy::unwrap_used)] // a test program

use std::path::Path;
use std::sync::Arc;

use dialtone::ese::check::{Severity, check};
use dialtone::ese::error::Refusal;
use dialtone::ese::page::header::{LogTime, Signature};
use dialtone::ese::table::column::{ColumnFlags, ColumnType};
use dialtone::ese::table::database::{Database, Table};
use dialtone::ese::table::record::{FieldValues, Stored};
use dialtone::ese::table::write::{
    DatabaseWriter, FieldValue, NewColumn, NewDatabase, NewIndex, NewTable, Placement,
};
use dialtone::io::{MemoryVolume, Volume};

const PATH: &str = "/db/columns.edb";

fn create() -> (MemoryVolume, DatabaseWriter) {
    let volume = MemoryVolume::new();
    let dynamic: Arc<dyn Volume> = Arc::new(volume.clone());
    let signature = Signature { random: 1, created: LogTime::NEVER, computer: [0; 16] };
    let new = NewDatabase { sign_db: signature, sign_slv: Signature::NONE };
    let mut writer = DatabaseWriter::create(dynamic, Path::new(PATH), &new).unwrap();
    let table = NewTable::new("Things")
        .column(NewColumn::new("Number", ColumnType::Long).flagged(ColumnFlags::NOT_NULL))
        .column(NewColumn::new("Text", ColumnType::LongBinary))
        .primary(NewIndex::new("Primary", &["Number"]));
    let bare = NewTable::new("Bare").column(NewColumn::new("Number", ColumnType::Long));
    writer.create_table(&table).unwrap();
    writer.create_table(&bare).unwrap();
    (volume, writer)
}

fn tagged(name: &str, coltyp: ColumnType) -> NewColumn {
    NewColumn::new(name, coltyp).placed(Placement::Tagged)
}

fn put(writer: &mut DatabaseWriter, number: i32, values: &[(&str, &[u8])]) {
    let table = writer.table("Things").unwrap();
    let number = number.to_le_bytes();
    let value = |name: &str| match name {
        "Number" => FieldValue::Bytes(&number),
        name => values
            .iter()
            .find(|(known, _)| *known == name)
            .map_or(FieldValue::Null, |(_, value)| FieldValue::Bytes(value)),
    };
    let row: Vec<_> = table.columns.iter().map(|column| value(&column.name)).collect();
    writer.insert(&table, &row).unwrap();
}

/// The rows as `column=length` words.
fn rows(volume: &MemoryVolume) -> Vec<String> {
    let database = Database::open(volume, Path::new(PATH)).unwrap();
    let def = database.schema().tables().iter().find(|def| def.name == "Things").unwrap();
    let table = Table::new(database.file(), def);
    let long_values = table.long_values();
    let mut rows = table.rows();
    let mut found = Vec::new();
    let mut on = rows.first().unwrap();
    while on {
        let row = rows.row().unwrap().unwrap();
        let mut words = Vec::new();
        for column in &def.columns {
            let length = match row.get(column).unwrap() {
                FieldValues::One(Stored::Plain(bytes)) => bytes.len(),
                FieldValues::One(Stored::Separated(lid)) => {
                    long_values.read_to_vec(lid, 1 << 20).unwrap().len()
                }
                _ => continue,
            };
            words.push(format!("{}={length}", column.name));
        }
        found.push(words.join(" "));
        on = rows.next().unwrap();
    }
    found
}

#[test]
fn old_rows_stay_and_new_rows_hold_values_in_added_columns() {
    let (volume, mut writer) = create();
    put(&mut writer, 1, &[("Text", &[1; 9000])]);
    put(&mut writer, 2, &[]);
    let table = writer.table("Things").unwrap();
    writer.add_column(&table, &tagged("L8001", ColumnType::Long)).unwrap();
    // The definition from before will do to name the table.
    writer.add_column(&table, &tagged("N8002", ColumnType::LongBinary)).unwrap();
    put(&mut writer, 3, &[("L8001", &[7; 4]), ("N8002", &[8; 30_000]), ("Text", b"t")]);
    writer.commit().unwrap();
    let table = writer.table("Things").unwrap();
    let place = table.columns.iter().position(|column| column.name == "N8002").unwrap();
    let key = [0x7f, 0x80, 0, 0, 2];
    writer.update(&table, &key, &[(place, FieldValue::Bytes(b"later"))]).unwrap();
    writer.close().unwrap();
    assert_eq!(
        rows(&volume),
        ["Number=4 Text=9000", "Number=4 N8002=5", "Number=4 Text=1 L8001=4 N8002=30000"]
    );
    let mut writer = DatabaseWriter::open(Arc::new(volume.clone()), Path::new(PATH)).unwrap();
    let table = writer.table("Things").unwrap();
    for number in 0..200 {
        let name = format!("L{:x}", 0x8100 + number);
        writer.add_column(&table, &tagged(&name, ColumnType::Long)).unwrap();
    }
    put(&mut writer, 4, &[("L8100", &[1; 4]), ("L81c7", &[2; 4])]);
    writer.close().unwrap();
    assert_eq!(rows(&volume)[3], "Number=4 L8100=4 L81c7=4");
    let mut errors = Vec::new();
    check(&volume, Path::new(PATH), &mut |finding| {
        if finding.severity == Severity::Error {
            errors.push(finding.clone());
        }
    })
    .unwrap();
    assert!(errors.is_empty(), "{errors:#?}");
}

#[test]
fn columns_that_would_change_old_rows_are_refused() {
    let (_, mut writer) = create();
    let (things, bare) = (writer.table("Things").unwrap(), writer.table("Bare").unwrap());
    let system = writer.table("MSysObjects").unwrap();
    let before = writer.table("Things").unwrap().columns.len();
    for (table, column) in [
        (&things, NewColumn::new("Fixed", ColumnType::Long)),
        (&things, NewColumn::new("Variable", ColumnType::Binary)),
        (&things, tagged("text", ColumnType::Long)),
        (&things, tagged("Grün", ColumnType::Long)),
        (&things, tagged("Full", ColumnType::Long).flagged(ColumnFlags::NOT_NULL)),
        (&things, tagged("Preset", ColumnType::Long).defaulting_to([1, 0, 0, 0])),
        (&things, tagged("Stream", ColumnType::Slv)),
        (&bare, tagged("Long", ColumnType::LongBinary)),
        (&system, tagged("More", ColumnType::Long)),
    ] {
        let error = writer.add_column(table, &column).unwrap_err();
        assert_eq!(error.refusal(), Some(Refusal::BadRequest), "{}: {error}", column.name);
    }
    assert_eq!(writer.table("Things").unwrap().columns.len(), before);
}
