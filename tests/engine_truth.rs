//! Databases of the vendor's own engine, read by this library, beside the engine's own answers: every table, column, row,
//! value and index entry must agree. The form of the answers is described beside the data.
//!
//! Two indexes are passed over: their keys are Unicode sort keys of a table other than Windows'.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod real_data;

use std::collections::BTreeSet;

use dialtone::ese::page::KeyParts;
use dialtone::ese::table::column::{ColumnDef, ColumnFlags, ColumnType};
use dialtone::ese::table::database::{Database, Table};
use dialtone::ese::table::fields::VALUE_BYTES_MAX;
use dialtone::ese::table::key::{IndexDef, IndexKeys, Key, index_has_unicode};
use dialtone::ese::table::record::FieldValues;
use dialtone::ese::table::schema::TableDef;
use dialtone::ese::table::source::RecordSource;
use dialtone::ese::table::value::{decode_value, hex_text};
use dialtone::ese::txn::{DatabaseFile, Pages};
use serde_json::{Map, Value as Json, json};
use sha2::{Digest as _, Sha256};

/// Indexes whose stored keys are not Windows'.
const FOREIGN_KEYS: [&str; 2] = ["i_u_enus", "i_lt_enus"];
/// Bit that the engine adds to the ids of a template table's columns, there and in the tables derived from it.
const INHERITED: u64 = 0x8000_0000;
/// Values longer than this are told by length and hash.
const SHORT_BYTES: usize = 96;

/// Runs `judge` on every database and its answers; none are there on machines without the data.
fn for_each_database(judge: impl Fn(&str, &Database, &Json)) {
    let Some(directory) = real_data::shared("ese-engine") else { return };
    for (name, path) in real_data::databases(&directory) {
        let answers = path.with_file_name(name.replace(".edb", ".json.gz"));
        let answers: Json = serde_json::from_slice(&real_data::gunzip(&answers)).unwrap();
        let database = real_data::open_bytes(&name, &real_data::gunzip(&path)).unwrap();
        assert_eq!(database.schema().notes().kept(), [], "{name}");
        judge(&name, &database, &answers);
    }
}

fn tables(answers: &Json) -> &Vec<Json> {
    answers["tables"].as_array().unwrap()
}

fn text<'j>(value: &'j Json, field: &str) -> &'j str {
    value[field].as_str().unwrap()
}

#[test]
fn header_and_tables_are_those_of_the_engine() {
    for_each_database(|name, database, answers| {
        let header = database.file().header();
        assert_eq!(json!(header.page_size().bytes()), answers["page_size"], "{name}");
        assert_eq!(json!(header.revision()), answers["update"], "{name}");
        assert_eq!(json!(header.state().number()), answers["dbstate"], "{name}");
        let ours: BTreeSet<&str> = database.tables().map(|table| &*table.def().name).collect();
        let theirs: BTreeSet<&str> = tables(answers).iter().map(|t| text(t, "table")).collect();
        assert_eq!(ours, theirs, "{name}");
    });
}

#[test]
fn columns_and_indexes_are_those_of_the_engine() {
    for_each_database(|name, database, answers| {
        for truth in tables(answers) {
            let def = database.schema().table(text(truth, "table")).unwrap();
            let place = format!("{name}, table {}", def.name);
            let ours: BTreeSet<_> = columns_of(def);
            let theirs: BTreeSet<_> = truth["columns"]
                .as_array()
                .unwrap()
                .iter()
                .map(|c| {
                    let number = |field: &str| c[field].as_u64().unwrap();
                    (text(c, "name").to_owned(), number("id"), number("coltyp"), number("cp"))
                })
                .collect();
            assert_eq!(ours, theirs, "{place}");
            let ours: BTreeSet<_> = def
                .indexes
                .iter()
                .chain(&def.primary)
                .map(|index| (index.name.clone(), key_text(def, index)))
                .collect();
            let theirs: BTreeSet<_> = truth["indexes"]
                .as_array()
                .unwrap()
                .iter()
                .map(|index| (text(index, "name").to_owned(), text(index, "key").to_owned()))
                .collect();
            assert_eq!(ours, theirs, "{place}");
        }
    });
}

fn columns_of(def: &TableDef) -> BTreeSet<(String, u64, u64, u64)> {
    let living = def.columns.iter().filter(|column| column.coltyp != ColumnType::Nil);
    living
        .map(|column| {
            let inherited =
                if column.flags.contains(ColumnFlags::TEMPLATE) { INHERITED } else { 0 };
            let id = u64::from(column.fid.0) | inherited;
            let coltyp = u64::from(column.coltyp.number());
            (column.name.clone(), id, coltyp, u64::from(column.code_page))
        })
        .collect()
}

fn key_text(def: &TableDef, index: &IndexDef) -> String {
    let segments = index.segments.iter().map(|segment| {
        let sign = if segment.descending { '-' } else { '+' };
        let mut columns = def.columns.iter().filter(|column| column.fid == segment.fid);
        let column = match columns.clone().find(|column| column.derived == segment.template) {
            Some(column) => column,
            None => columns.next().unwrap(),
        };
        format!("{sign}{}", column.name)
    });
    segments.collect::<Vec<_>>().join(" ")
}

#[test]
fn every_row_and_value_is_that_of_the_engine() {
    for_each_database(|name, database, answers| {
        for truth in tables(answers) {
            let table = database.table(text(truth, "table")).unwrap();
            let place = format!("{name}, table {}", table.def().name);
            let rows = rows_of(&table);
            assert_eq!(json!(rows.len()), truth["row_count"], "{place}");
            let Some(theirs) = truth.get("rows") else { continue };
            for (number, (ours, theirs)) in rows.iter().zip(theirs.as_array().unwrap()).enumerate()
            {
                compare_rows(&format!("{place}, row {number}"), ours, theirs);
            }
        }
    });
}

fn compare_rows(place: &str, ours: &Map<String, Json>, theirs: &Json) {
    let theirs = theirs.as_object().unwrap();
    for (column, value) in theirs {
        assert_eq!(ours.get(column).unwrap_or(&Json::Null), value, "{place}, column {column}");
    }
    let extra: Vec<_> = ours.keys().filter(|column| !theirs.contains_key(*column)).collect();
    assert!(extra.is_empty(), "{place}: the engine has no value in {extra:?}");
}

/// All rows in the engine's form.
fn rows_of(table: &Table<'_, DatabaseFile>) -> Vec<Map<String, Json>> {
    let fields = table.fields(VALUE_BYTES_MAX);
    let mut rows = table.rows();
    let mut all = Vec::new();
    let mut found = rows.first().unwrap();
    while found {
        let row = rows.row().unwrap().unwrap();
        let mut line = Map::new();
        for column in table.def().columns.iter().filter(|c| c.coltyp != ColumnType::Nil) {
            let mut values = Vec::new();
            fields
                .each(&row, column, &mut |bytes| values.push(engine_form(column, &bytes.unwrap())));
            let is_list = matches!(row.get(column).unwrap(), FieldValues::Many(_));
            match (values.len(), is_list || column.flags.contains(ColumnFlags::MULTI_VALUED)) {
                (0, _) => {}
                (_, true) => drop(line.insert(column.name.clone(), Json::Array(values))),
                (_, false) => drop(line.insert(column.name.clone(), values.remove(0))),
            }
        }
        all.push(line);
        found = rows.next().unwrap();
    }
    all
}

fn engine_form(column: &ColumnDef, bytes: &[u8]) -> Json {
    if bytes.len() > SHORT_BYTES {
        let hash = hex_text(&Sha256::digest(bytes));
        return json!({"len": bytes.len(), "sha256": hash, "head": hex_text(&bytes[..16])});
    }
    match column.coltyp {
        ColumnType::IeeeSingle
        | ColumnType::IeeeDouble
        | ColumnType::DateTime
        | ColumnType::Guid
        | ColumnType::Binary
        | ColumnType::LongBinary => json!({"hex": hex_text(bytes)}),
        _ => decode_value(column.coltyp, column.code_page, bytes).unwrap().to_json(),
    }
}

/// Key and bookmark.
type Entry = (Vec<u8>, Vec<u8>);

#[test]
fn index_entries_are_those_of_the_engine() {
    let judged = std::cell::Cell::new(0);
    for_each_database(|name, database, answers| {
        for truth in tables(answers) {
            let table = database.table(text(truth, "table")).unwrap();
            for index in truth["indexes"].as_array().unwrap() {
                let index_name = text(index, "name");
                let Some(count) = index.get("entries") else { continue };
                let entries = entries_of(&table, index_name);
                let place = format!("{name}, table {}, index {index_name}", table.def().name);
                assert_eq!(json!(entries.len()), *count, "{place}");
                if FOREIGN_KEYS.contains(&index_name) {
                    continue;
                }
                let first = index["first_entries_key_bookmark"].as_array().unwrap();
                for (ours, theirs) in entries.iter().zip(first) {
                    assert_eq!(json!([hex_text(&ours.0), hex_text(&ours.1)]), *theirs, "{place}");
                }
                assert_eq!(hash_of(&entries), text(index, "sha256_of_entries"), "{place}");
                judged.set(judged.get() + 1);
            }
        }
    });
    if real_data::shared("ese-engine").is_some() {
        assert!(judged.get() >= 60, "only {} indexes were compared", judged.get());
    }
}

fn entries_of(table: &Table<'_, DatabaseFile>, index: &str) -> Vec<Entry> {
    let mut all = Vec::new();
    let is_primary = table.def().primary.as_ref().is_some_and(|primary| primary.name == index);
    if is_primary {
        let mut rows = table.rows();
        let mut found = rows.first().unwrap();
        while found {
            let key = rows.row().unwrap().unwrap().bookmark().to_vec();
            all.push((key.clone(), key));
            found = rows.next().unwrap();
        }
        return all;
    }
    let mut entries = table.index(index).unwrap();
    let mut found = entries.first().unwrap();
    while found {
        let entry = entries.entry().unwrap().unwrap();
        all.push((entry.key.to_vec(), entry.bookmark.to_vec()));
        found = entries.next().unwrap();
    }
    all
}

fn hash_of(entries: &[Entry]) -> String {
    let mut hash = Sha256::new();
    for (key, bookmark) in entries {
        hash.update((key.len() as u16).to_le_bytes());
        hash.update((bookmark.len() as u16).to_le_bytes());
        hash.update(key);
        hash.update(bookmark);
    }
    hex_text(&hash.finalize())
}

#[test]
fn keys_made_from_the_records_are_the_stored_ones() {
    for_each_database(|name, database, _| {
        for table in database.tables() {
            for index in table.def().indexes.iter().chain(&table.def().primary) {
                let place = format!("{name}, table {}, index {}", table.def().name, index.name);
                if index_has_unicode(index, &table.def().columns) {
                    assert!(FOREIGN_KEYS.contains(&&*index.name), "{place} is passed over");
                    continue;
                }
                let stored = entries_of(&table, &index.name);
                same_entries(&place, &keys_of(&table, index), &stored);
            }
        }
    });
}

fn same_entries(place: &str, ours: &[Entry], theirs: &[Entry]) {
    let different = ours.iter().zip(theirs).position(|(ours, theirs)| ours != theirs);
    if let Some(at) = different {
        let show = |entry: &Entry| format!("{} -> {}", hex_text(&entry.0), hex_text(&entry.1));
        panic!("{place}: entry {at} is {}, stored {}", show(&ours[at]), show(&theirs[at]));
    }
    assert_eq!(ours.len(), theirs.len(), "{place}");
}

fn keys_of(table: &Table<'_, DatabaseFile>, index: &IndexDef) -> Vec<Entry> {
    let fields = table.fields(VALUE_BYTES_MAX);
    let mut maker = IndexKeys::new(index, &table.def().columns).unwrap();
    let read = |lid, prefix_bytes| fields.long_values().read_prefix(lid, prefix_bytes);
    let mut all = Vec::new();
    let mut rows = table.rows();
    let mut found = rows.first().unwrap();
    while found {
        let row = rows.row().unwrap().unwrap();
        let source = RecordSource::new(row.record(), table.def(), &read);
        let mut keys: Vec<Key> = Vec::new();
        maker.keys(&source, &mut keys).unwrap();
        all.extend(keys.into_iter().map(|key| (key.0, row.bookmark().to_vec())));
        found = rows.next().unwrap();
    }
    all.sort();
    all
}

#[test]
fn rows_are_found_by_key_backwards_and_in_ranges() {
    for_each_database(|name, database, _| {
        for table in database.tables().filter(|table| !table.def().is_system()) {
            let place = format!("{name}, table {}", table.def().name);
            let keys = bookmarks(&table, None, None);
            let mut backwards = Vec::new();
            let mut rows = table.rows();
            let mut found = rows.last().unwrap();
            while found {
                backwards.push(rows.row().unwrap().unwrap().bookmark().to_vec());
                found = rows.previous().unwrap();
            }
            backwards.reverse();
            assert_eq!(backwards, keys, "{place}");
            for key in keys.iter().step_by(7) {
                assert!(rows.find(key).unwrap(), "{place}");
                let same = |found: KeyParts<'_>| found.to_vec() == *key;
                assert!(same(rows.row().unwrap().unwrap().bookmark()), "{place}");
            }
            let (low, high) = (keys.len() / 3, keys.len() * 2 / 3);
            if low < high {
                let (start, end) = (keys[low].as_slice(), keys[high].as_slice());
                let part = bookmarks(&table, Some(start), Some(end));
                assert_eq!(part, keys[low..high], "{place}");
                let mut rows = table.rows().within(Some(start), Some(end));
                assert!(rows.last().unwrap());
                assert_eq!(rows.row().unwrap().unwrap().bookmark().to_vec(), keys[high - 1]);
                assert!(!rows.find(end).unwrap() && rows.row().unwrap().is_none());
            }
        }
    });
}

fn bookmarks(
    table: &Table<'_, DatabaseFile>,
    start: Option<&[u8]>,
    end: Option<&[u8]>,
) -> Vec<Vec<u8>> {
    let mut rows = table.rows().within(start, end);
    let mut keys = Vec::new();
    let mut found = rows.first().unwrap();
    while found {
        keys.push(rows.row().unwrap().unwrap().bookmark().to_vec());
        found = rows.next().unwrap();
    }
    keys
}

#[test]
fn names_are_found_whatever_their_case_and_missing_ones_are_refused() {
    for_each_database(|_, database, _| {
        assert_eq!(database.table("msysobjects").unwrap().def().name, "MSysObjects");
        let error = database.table("no such table").unwrap_err();
        assert_eq!(error.refusal(), Some(dialtone::ese::error::Refusal::NotFound));
        assert!(error.to_string().contains(database.file().path().to_str().unwrap()));
        let table = database.table("MSysObjects").unwrap();
        assert!(table.index("nothing").is_err() && table.index("ROOTOBJECTS").is_ok());
    });
}
