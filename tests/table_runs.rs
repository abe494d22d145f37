//! Rows built by several threads at once, long values copied chunk by chunk, enter a table that has rows already: the same rows
//! as by single inserts, and nothing for `check` to find.

#![allow(clippy::unwrap_used)] // a test program

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use dialtone::ese::EseResult;
use dialtone::ese::page::Pgno;
use dialtone::ese::page::header::{LogTime, Signature};
use dialtone::ese::table::column::{ColumnType, Lid};
use dialtone::ese::table::database::Database;
use dialtone::ese::table::record::{FieldValues, Stored};
use dialtone::ese::table::schema::TableDef;
use dialtone::ese::table::write::{
    DatabaseWriter, FieldValue, NewColumn, NewDatabase, NewIndex, NewTable, TableRun,
    TableRunBuilder,
};
use dialtone::ese::tree::{Extent, PageSupply};
use dialtone::io::{MemoryVolume, Volume};

const SOURCE: &str = "/db/source.edb";
const TARGET: &str = "/db/target.edb";
const PART: u32 = 1_000;
const PARTS: u32 = 6;

struct Lender<'w>(&'w Mutex<DatabaseWriter>);

impl PageSupply for Lender<'_> {
    fn lend_pages(&mut self, fdp: Pgno, want: u32) -> EseResult<Extent> {
        self.0.lock().unwrap().lend_pages(fdp, want)
    }
}

fn create(volume: &Arc<dyn Volume>, path: &str) -> (DatabaseWriter, Arc<TableDef>) {
    let sign_db = Signature { random: 1, created: LogTime::NEVER, computer: [0; 16] };
    let new = NewDatabase { sign_db, sign_slv: Signature::NONE };
    let mut writer = DatabaseWriter::create(volume.clone(), Path::new(path), &new).unwrap();
    let table = NewTable::new("Rows")
        .column(NewColumn::new("Number", ColumnType::Long))
        .column(NewColumn::new("Shade", ColumnType::Long))
        .column(NewColumn::new("Blob", ColumnType::LongBinary))
        .column(NewColumn::new("Note", ColumnType::LongBinary))
        .primary(NewIndex::new("Primary", &["Number"]))
        .index(NewIndex::new("ByShade", &["Shade"]))
        .index(NewIndex::new("ByBoth", &["-Shade", "Number"]).unique());
    let table = writer.create_table(&table).unwrap();
    (writer, table)
}

/// In the first parts every third row is in the target already, so that runs have no gap to themselves.
fn is_there(number: u32) -> bool {
    number < 2 * PART && number.is_multiple_of(3)
}

fn shade(number: u32) -> [u8; 4] {
    ((number.wrapping_mul(2_654_435_761) >> 20) as i32).to_le_bytes()
}

/// None, short, or several chunks; some compress, some do not.
fn blob(number: u32) -> Option<Vec<u8>> {
    let length = match number % 5 {
        0 => return None,
        1 => 20,
        2 => 1_500,
        3 => 4_014,
        _ => 9_000,
    };
    let mut state = number | 1;
    let mut byte = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        if number.is_multiple_of(2) { (state >> 24) as u8 } else { 0x18 }
    };
    Some((0..length).map(|_| byte()).collect())
}

fn note(number: u32) -> Option<Vec<u8>> {
    number.is_multiple_of(7).then(|| vec![number as u8; 1_100])
}

fn insert(writer: &mut DatabaseWriter, table: &TableDef, number: u32) {
    let (key, blob, note) = ((number as i32).to_le_bytes(), blob(number), note(number));
    let values = [
        FieldValue::Bytes(&key),
        FieldValue::Bytes(&shade(number)),
        blob.as_deref().into(),
        note.as_deref().into(),
    ];
    writer.insert(table, &values).unwrap();
}

/// The numbers of the long values of the source, by row.
fn source_lids(source: &Database) -> BTreeMap<u32, Lid> {
    let table = source.table("Rows").unwrap();
    let columns = &table.def().columns;
    let blob = columns.iter().find(|column| column.name == "Blob").unwrap();
    let mut rows = table.rows();
    let mut found = BTreeMap::new();
    let mut is_on_row = rows.first().unwrap();
    while is_on_row {
        let row = rows.row().unwrap().unwrap();
        let bookmark = row.bookmark().to_vec();
        let number = u32::from_be_bytes(bookmark[1..5].try_into().unwrap()) ^ 0x8000_0000;
        if let FieldValues::One(Stored::Separated(lid)) = row.get(blob).unwrap() {
            found.insert(number, lid);
        }
        is_on_row = rows.next().unwrap();
    }
    found
}

fn build(
    target: &Mutex<DatabaseWriter>,
    table: &Arc<TableDef>,
    source: &Database,
    lids: &BTreeMap<u32, Lid>,
    part: u32,
) -> TableRun {
    let (writer, range) = {
        let mut target = target.lock().unwrap();
        (target.ahead_writer(), target.reserve_lids(table, 2 * PART).unwrap())
    };
    let mut supply = Lender(target);
    let mut builder = TableRunBuilder::new(table, writer, range).unwrap();
    let from = source.table("Rows").unwrap();
    let reader = from.long_values();
    for number in (part * PART..(part + 1) * PART).filter(|number| !is_there(*number)) {
        let copied =
            lids.get(&number).map(|lid| builder.copy_long_value(&mut supply, &reader, *lid));
        let copied = copied.map(Result::unwrap);
        let (key, plain, note) = ((number as i32).to_le_bytes(), blob(number), note(number));
        let blob = match copied {
            Some(lid) => FieldValue::Shared(lid),
            None => plain.as_deref().into(),
        };
        let values = [
            FieldValue::Bytes(&key),
            FieldValue::Bytes(&shade(number)),
            blob,
            note.as_deref().into(),
        ];
        builder.push(&mut supply, &values).unwrap();
    }
    builder.finish(&mut supply).unwrap()
}

fn rows(volume: &dyn Volume, path: &str) -> Vec<Vec<Vec<u8>>> {
    let database = Database::open(volume, Path::new(path)).unwrap();
    let table = database.table("Rows").unwrap();
    let fields = table.fields(1 << 20);
    let mut rows = table.rows();
    let mut found = Vec::new();
    let mut is_on_row = rows.first().unwrap();
    while is_on_row {
        let row = rows.row().unwrap().unwrap();
        let mut values = Vec::new();
        for column in &table.def().columns {
            fields.each(&row, column, &mut |value| values.push(value.unwrap().into_owned()));
        }
        found.push(values);
        is_on_row = rows.next().unwrap();
    }
    found
}

#[test]
fn rows_built_by_two_threads_are_the_rows_that_single_inserts_give() {
    let volume: Arc<dyn Volume> = Arc::new(MemoryVolume::new());
    let (mut writer, table) = create(&volume, SOURCE);
    (0..PARTS * PART).for_each(|number| insert(&mut writer, &table, number));
    writer.close().unwrap();
    let source = Database::open(&*volume, Path::new(SOURCE)).unwrap();
    let lids = source_lids(&source);
    assert!(lids.len() > PART as usize);

    let (mut writer, table) = create(&volume, TARGET);
    let there = (0..PARTS * PART).filter(|number| is_there(*number));
    there.for_each(|number| insert(&mut writer, &table, number));
    writer.close().unwrap();
    let writer = DatabaseWriter::open(volume.clone(), Path::new(TARGET)).unwrap();
    let table = writer.table("Rows").unwrap();
    let target = Mutex::new(writer);
    std::thread::scope(|scope| {
        for worker in 0..2 {
            let (target, table, source, lids) = (&target, &table, &source, &lids);
            scope.spawn(move || {
                for part in (worker..PARTS).step_by(2) {
                    let run = build(target, table, source, lids, part);
                    assert!(run.page_count() > 100);
                    let mut target = target.lock().unwrap();
                    target.splice(vec![run]).unwrap();
                    target.commit().unwrap();
                }
            });
        }
    });
    target.into_inner().unwrap().close().unwrap();
    assert!(rows(&*volume, SOURCE) == rows(&*volume, TARGET), "the same rows");
    let mut findings = Vec::new();
    let mut sink = |finding: &dialtone::ese::check::Finding| findings.push(finding.clone());
    dialtone::ese::check::check(&*volume, Path::new(TARGET), &mut sink).unwrap();
    assert_eq!(findings, [], "check");
}
