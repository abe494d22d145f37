//! Properties that the target never heard of, and named ones whose ids differ between the stores, keep their values and their
//! meaning (acceptance case 35; recover-semantics W7).

#![allow(clippy::unwrap_used)] // a test program

mod recover_stage;
mod recover_support;
mod store_support;

use std::collections::BTreeMap;
use std::path::Path;

use dialtone::ese::table::column::{ColumnFlags, ColumnType};
use dialtone::ese::table::database::Database;
use dialtone::ese::table::write::{DatabaseWriter, NewColumn, Placement};
use dialtone::io::MemoryVolume;
use dialtone::mapi::{Guid, NamedProperty, PropName, PropertySetGuid};
use dialtone::store::{Store, StoreWriter};

use recover_stage::tamper::{set, tamper};
use recover_stage::{PATHS, merge, ours, theirs};
use recover_support::{SOURCE, TARGET, Two, run};
use store_support::{mapi, profile};

fn named(set: u8, name: PropName) -> NamedProperty {
    NamedProperty { set: PropertySetGuid(Guid([set; 16])), name }
}

fn color() -> NamedProperty {
    named(1, PropName::Text("Farbe".into()))
}

fn rank() -> NamedProperty {
    named(2, PropName::Number(0x8503))
}

fn id_of(writer: &mut StoreWriter, property: &NamedProperty) -> u16 {
    writer.named_property(property).unwrap().0
}

fn add(writer: &mut DatabaseWriter, table: &str, column: NewColumn) {
    let table = writer.table(table).unwrap();
    writer.add_column(&table, &column.placed(Placement::Tagged)).unwrap();
}

/// Values of the columns that are no part of the schema, by table, named as the properties they stand for.
fn extras(volume: &MemoryVolume, path: &str) -> BTreeMap<String, Vec<String>> {
    let store = Store::open(volume, Path::new(path)).unwrap();
    let named: BTreeMap<u16, NamedProperty> = store
        .view()
        .named_properties()
        .unwrap()
        .into_iter()
        .map(|(id, name)| (id.0, name))
        .collect();
    let mut found = BTreeMap::new();
    let database = Database::open(volume, Path::new(path)).unwrap();
    for table in ["Msg", "1-23", "MsgFolder"] {
        let def = database.schema().tables().iter().find(|def| def.name == table).unwrap().clone();
        for column in def
            .columns
            .iter()
            .filter(|column| column.name.ends_with("7abc") || column.name.contains('8'))
        {
            let id =
                u16::from_str_radix(column.name.trim_start_matches(['M', 'L', 'U', 'N', 'F']), 16)
                    .unwrap_or(0);
            let Some(name) = named
                .get(&id)
                .map(|name| format!("{name:?}"))
                .or((id == 0x7abc).then(|| "tag".into()))
            else {
                continue;
            };
            let mut values = Vec::new();
            let opened = dialtone::ese::table::database::Table::new(database.file(), &def);
            let reader = opened.fields(1 << 20);
            let mut rows = opened.rows();
            let mut on = rows.first().unwrap();
            while on {
                let row = rows.row().unwrap().unwrap();
                let named_table = dialtone::stm::NamedTable::new(std::sync::Arc::new(def.clone()));
                let fields = dialtone::stm::Fields::new(row, &named_table, &reader);
                values.push(format!("{:02x?}", fields.all(&column.name).unwrap()));
                on = rows.next().unwrap();
            }
            values.sort();
            values.retain(|value| value != "[]");
            if !values.is_empty() {
                found.insert(format!("{table} {name}"), values);
            }
        }
    }
    found
}

/// A source with values in columns that no new store has. In the target the same ids mean something else.
fn stores() -> MemoryVolume {
    let mut two = Two::new();
    let (first, second) = (id_of(&mut two.source, &color()), id_of(&mut two.source, &rank()));
    assert_eq!((first, second), (0x8000, 0x8001));
    let other = named(9, PropName::Text("something else".into()));
    assert_eq!(id_of(&mut two.target, &other), 0x8000);
    assert_eq!(id_of(&mut two.target, &rank()), 0x8001, "the same by chance");
    let mut hand = ours(&mut two);
    hand.put("#inbox#", 1);
    hand.put("#inbox#", 2);
    let folder = hand.folder("Mapi");
    hand.writer.insert_mapi(folder, &mapi(5, 9000, true)).unwrap();
    theirs(&mut two).put("Elsewhere", 9);
    let volume = two.close();
    tamper(&volume, SOURCE, |writer| {
        let text = NewColumn::new("U8000", ColumnType::LongBinary);
        let many = NewColumn::new("MN8000", ColumnType::LongBinary);
        add(writer, "Msg", text);
        add(writer, "Msg", NewColumn::new("L8001", ColumnType::Long));
        add(writer, "Msg", NewColumn::new("L7abc", ColumnType::Long));
        add(writer, "1-23", many.flagged(ColumnFlags::MULTI_VALUED));
        add(writer, "MsgFolder", NewColumn::new("L8001", ColumnType::Long));
        add(writer, "Msg", NewColumn::new("L8077", ColumnType::Long));
        set(writer, "Msg", None, "U8000", Some(&"Grün".repeat(900).into_bytes()));
        set(writer, "Msg", Some(1), "U8000", Some(b"short"));
        set(writer, "Msg", Some(0), "L8001", Some(&7i32.to_le_bytes()));
        set(writer, "Msg", Some(1), "L7abc", Some(&8i32.to_le_bytes()));
        set(writer, "Msg", Some(2), "L8077", Some(&9i32.to_le_bytes()));
        set(writer, "1-23", None, "MN8000", Some(b"one"));
        set(writer, "MsgFolder", Some(2), "L8001", Some(&5i32.to_le_bytes()));
    });
    volume
}

#[test]
fn case_35_values_keep_their_meaning_whatever_the_ids() {
    for path in PATHS {
        let volume = stores();
        let expected = extras(&volume, SOURCE);
        assert_eq!(expected.len(), 5, "{expected:#?}");
        let report = run(&volume, &merge(), path, 2);
        assert_eq!(report.counters.inserted, 3);
        assert_eq!(extras(&volume, TARGET), expected, "{path:?}");
        // A property whose id means nothing in the source means nothing here.
        assert_eq!(report.columns_left, ["L8077"]);
        let again = run(&volume, &merge(), path, 2);
        assert_eq!((again.counters.inserted, again.counters.unchanged), (0, 3));
    }
}

#[test]
fn contents_with_properties_of_other_ids_are_shared_when_they_are_equal() {
    for path in PATHS {
        let volume = stores();
        run(&volume, &merge(), path, 1);
        let contents = |volume: &MemoryVolume| {
            let database = Database::open(volume, Path::new(TARGET)).unwrap();
            let def =
                database.schema().tables().iter().find(|def| def.name == "Msg").unwrap().clone();
            let mut rows = dialtone::ese::table::rows::RowCursor::new(database.file(), &def);
            let mut count = 0;
            let mut on = rows.first().unwrap();
            while on {
                count += 1;
                on = rows.next().unwrap();
            }
            count
        };
        let before = contents(&volume);
        // The same source into another mailbox of the target.
        let mut target = store_support::reopen_at(&volume, TARGET);
        target.add_mailbox(&profile(8)).unwrap();
        target.close().unwrap();
        let mut options = merge();
        options.mailboxes.map = vec![(profile(1).guid, profile(8).guid)];
        let report = run(&volume, &options, path, 1);
        assert_eq!(report.counters.inserted, 3);
        assert_eq!(contents(&volume), before, "{path:?}: nothing was stored twice");
    }
}
