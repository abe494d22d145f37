//! Tables against an ordered map: random inserts, updates, deletes, commits and reopened files must give the same rows,
//! byte for byte, the values that moved out of the record included.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use dialtone::ese::error::Refusal;
use dialtone::ese::page::header::{LogTime, Signature};
use dialtone::ese::table::column::{ColumnFlags, ColumnType};
use dialtone::ese::table::database::Database;
use dialtone::ese::table::schema::TableDef;
use dialtone::ese::table::write::{
    DatabaseWriter, FieldValue, NewColumn, NewDatabase, NewIndex, NewTable, NullRule, Placement,
};
use dialtone::io::{MemoryVolume, Volume};
use proptest::prelude::*;

const PATH: &str = "/db/table.edb";
/// Positions of the columns in the table's order: fixed, variable, tagged.
const NUMBER: usize = 0;
const KEY: usize = 1;
const TEXT: usize = 2;
const BLOB: usize = 3;
const MANY: usize = 4;

#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Row {
    key: Vec<u8>,
    number: Option<i32>,
    text: Option<Vec<u8>>,
    blob: Option<Vec<u8>>,
    many: Vec<Vec<u8>>,
}

#[derive(Debug, Clone)]
enum Step {
    Insert(Row),
    Update(prop::sample::Index, Row, [bool; 5]),
    Delete(prop::sample::Index),
    Commit,
    Reopen,
}

fn new_table() -> NewTable {
    NewTable::new("Model")
        .column(NewColumn::new("Number", ColumnType::Long))
        .column(NewColumn::new("Key", ColumnType::Binary).flagged(ColumnFlags::NOT_NULL))
        .column(NewColumn::new("Text", ColumnType::Text))
        .column(NewColumn::new("Blob", ColumnType::LongBinary))
        .column(
            NewColumn::new("Many", ColumnType::LongBinary)
                .placed(Placement::Tagged)
                .flagged(ColumnFlags::MULTI_VALUED),
        )
        .primary(NewIndex::new("Primary", &["Key"]))
        .index(NewIndex::new("ByNumber", &["-Number", "Text"]))
        .index(NewIndex::new("ByBlob", &["Blob"]).leaving_out(NullRule::IgnoreAnyNull))
        .index(NewIndex::new("ByMany", &["Many", "Number"]).leaving_out(NullRule::IgnoreFirstNull))
        .index(NewIndex::new("UniqueText", &["Text", "Key"]).unique())
}

fn long_value() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => prop::collection::vec(any::<u8>(), 0..40),
        2 => prop::collection::vec(any::<u8>(), 900..1200),
        1 => prop::collection::vec(0u8..3, 3900..4200),
        1 => (any::<u8>(), 8000usize..20_000).prop_map(|(byte, length)| vec![byte; length]),
    ]
}

fn row() -> impl Strategy<Value = Row> {
    let text = prop::collection::vec(b' '..=b'~', 0..60);
    (
        prop::collection::vec(any::<u8>(), 1..14),
        prop::option::of(-20i32..20),
        prop::option::of(text),
        prop::option::of(long_value()),
        prop::collection::vec(long_value(), 0..4),
    )
        .prop_map(|(key, number, text, blob, many)| Row { key, number, text, blob, many })
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let at = any::<prop::sample::Index>;
    let step = prop_oneof![
        12 => row().prop_map(Step::Insert),
        6 => (at(), row(), any::<[bool; 5]>()).prop_map(|(at, row, mask)| Step::Update(at, row, mask)),
        4 => at().prop_map(Step::Delete),
        1 => Just(Step::Commit),
        1 => Just(Step::Reopen),
    ];
    prop::collection::vec(step, 1..60)
}

/// The values of a row in column order, in the form that the writer takes.
fn with_values<T>(row: &Row, run: impl FnOnce(&[FieldValue<'_>; 5]) -> T) -> T {
    let number = row.number.map(i32::to_le_bytes);
    let many = match row.many.as_slice() {
        [] => FieldValue::Null,
        [one] => FieldValue::Bytes(one),
        many => FieldValue::Many(many.iter().map(|value| FieldValue::Bytes(value)).collect()),
    };
    run(&[
        number.as_ref().map(<[u8; 4]>::as_slice).into(),
        FieldValue::Bytes(&row.key),
        row.text.as_deref().into(),
        row.blob.as_deref().into(),
        many,
    ])
}

/// The row's bookmark: its primary key, read back through the cursor's order.
type Model = BTreeMap<Vec<u8>, Row>;

fn insert(writer: &mut DatabaseWriter, table: &Arc<TableDef>, model: &mut Model, row: Row) {
    let is_new = !model.values().any(|other| other.key == row.key);
    match with_values(&row, |values| writer.insert(table, values)) {
        Ok(bookmark) => {
            assert!(is_new, "a key was inserted twice");
            model.insert(bookmark, row);
        }
        Err(error) => {
            assert!(!is_new, "{error}");
            assert_eq!(error.refusal(), Some(Refusal::DuplicateKey));
        }
    }
}

fn update(
    writer: &mut DatabaseWriter,
    table: &Arc<TableDef>,
    model: &mut Model,
    at: prop::sample::Index,
    (new, mask): (&Row, [bool; 5]),
) {
    let Some(bookmark) =
        (!model.is_empty()).then(|| at.get(&model.keys().collect::<Vec<_>>()).to_vec())
    else {
        return;
    };
    let mut row = model[&bookmark].clone();
    let picks: [&mut dyn FnMut(&mut Row); 5] = [
        &mut |row| row.number = new.number,
        &mut |row| row.key.clone_from(&new.key),
        &mut |row| row.text.clone_from(&new.text),
        &mut |row| row.blob.clone_from(&new.blob),
        &mut |row| row.many.clone_from(&new.many),
    ];
    picks.into_iter().zip(mask).filter(|(_, pick)| *pick).for_each(|(change, _)| change(&mut row));
    let clashes = model.iter().any(|(other, old)| *other != bookmark && old.key == row.key);
    let result = with_values(new, |values| {
        let changes: Vec<(usize, FieldValue<'_>)> = [NUMBER, KEY, TEXT, BLOB, MANY]
            .into_iter()
            .filter(|column| mask[*column])
            .map(|column| (column, values[column].clone()))
            .collect();
        writer.update(table, &bookmark, &changes)
    });
    match result {
        Ok(new_bookmark) => {
            assert!(!clashes, "a key was given twice");
            model.remove(&bookmark);
            model.insert(new_bookmark, row);
        }
        Err(error) => assert!(clashes, "{error}"),
    }
}

fn check(volume: &Arc<dyn Volume>, model: &Model) {
    let database = Database::open(&**volume, Path::new(PATH)).unwrap();
    let table = database.table("model").unwrap();
    let fields = table.fields(1 << 20);
    let columns = &table.def().columns;
    let mut rows = table.rows();
    let mut found = Model::new();
    let mut is_on_row = rows.first().unwrap();
    while is_on_row {
        let row = rows.row().unwrap().unwrap();
        let values = |column: usize| {
            let mut values = Vec::new();
            fields.each(&row, &columns[column], &mut |value| {
                values.push(value.unwrap().into_owned())
            });
            values
        };
        let one = |column: usize| values(column).into_iter().next();
        let read = Row {
            key: one(KEY).unwrap(),
            number: one(NUMBER).map(|bytes| i32::from_le_bytes(bytes.try_into().unwrap())),
            text: one(TEXT),
            blob: one(BLOB),
            many: values(MANY),
        };
        found.insert(row.bookmark().to_vec(), read);
        is_on_row = rows.next().unwrap();
    }
    assert_eq!(&found, model);
}

fn run(steps: Vec<Step>) {
    let volume: Arc<dyn Volume> = Arc::new(MemoryVolume::new());
    let sign_db = Signature { random: 1, created: LogTime::NEVER, computer: [0; 16] };
    let new = NewDatabase { sign_db, sign_slv: Signature::NONE };
    let mut writer = DatabaseWriter::create(volume.clone(), Path::new(PATH), &new).unwrap();
    let mut table = writer.create_table(&new_table()).unwrap();
    let mut model = Model::new();
    for step in steps {
        match step {
            Step::Insert(row) => insert(&mut writer, &table, &mut model, row),
            Step::Update(at, row, mask) => {
                update(&mut writer, &table, &mut model, at, (&row, mask))
            }
            Step::Delete(_) if model.is_empty() => {}
            Step::Delete(at) => {
                let bookmark = at.get(&model.keys().collect::<Vec<_>>()).to_vec();
                writer.delete(&table, &bookmark).unwrap();
                assert!(writer.delete(&table, &bookmark).is_err());
                model.remove(&bookmark);
            }
            Step::Commit => writer.commit().unwrap(),
            Step::Reopen => {
                writer.close().unwrap();
                writer = DatabaseWriter::open(volume.clone(), Path::new(PATH)).unwrap();
                table = writer.table("Model").unwrap();
            }
        }
    }
    writer.close().unwrap();
    check(&volume, &model);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_table_holds_what_an_ordered_map_holds(steps in steps()) {
        run(steps);
    }
}
