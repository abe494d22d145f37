//! The commands that read: `info` and `dump`. Lines, exit codes, and what they do with damage, on a database made here
//! and, where they are at hand, on real ones.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod real_data;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use dialtone::ese::page::header::Signature;
use dialtone::ese::table::column::{ColumnFlags, ColumnType};
use dialtone::ese::table::schema::TableDef;
use dialtone::ese::table::value::{CODE_PAGE_UNICODE, hex_text};
use dialtone::ese::table::write::{
    DatabaseWriter, FieldValue, NewColumn, NewDatabase, NewIndex, NewTable, Placement,
};
use dialtone::io::MemoryVolume;
use serde_json::{Value as Json, json};
use tempfile::TempDir;

/// Length of the value that stands outside of its record.
const LONG_BYTES: usize = 9000;

fn dialtone(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_dialtone")).args(arguments).output().unwrap()
}

fn lines(output: &Output) -> Vec<Json> {
    let text = std::str::from_utf8(&output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn of_type<'l>(lines: &'l [Json], kind: &str) -> Vec<&'l Json> {
    lines.iter().filter(|line| line["type"] == kind).collect()
}

/// Runs with `--json` and checks the frame: hello first, exit last, its code that of the process.
fn json_run(arguments: &[&str]) -> (i32, Vec<Json>) {
    let output = dialtone(&[arguments, &["--json"]].concat());
    let lines = lines(&output);
    let code = output.status.code().unwrap();
    assert_eq!(lines[0]["type"], "hello");
    assert_eq!(lines[0]["v"], 1);
    let last = lines.last().unwrap();
    assert_eq!((&last["type"], &last["code"]), (&json!("exit"), &json!(code)));
    (code, lines)
}

fn sample_table() -> NewTable {
    NewTable::new("Sample \"one\"")
        .column(NewColumn::new("Id", ColumnType::Long).flagged(ColumnFlags::NOT_NULL))
        .column(NewColumn::new("Flag", ColumnType::Bit))
        .column(NewColumn::new("Guid", ColumnType::Guid))
        .column(NewColumn::new("Ratio", ColumnType::IeeeDouble))
        .column(NewColumn::new("Name", ColumnType::Text))
        .column(NewColumn::new("Subject", ColumnType::LongText).encoded(CODE_PAGE_UNICODE))
        .column(NewColumn::new("Body", ColumnType::LongBinary))
        .column(
            NewColumn::new("Numbers", ColumnType::Short)
                .placed(Placement::Tagged)
                .flagged(ColumnFlags::MULTI_VALUED),
        )
        .primary(NewIndex::new("ById", &["Id"]))
        .index(NewIndex::new("ByName", &["-Name", "Id"]))
}

fn long_value() -> Vec<u8> {
    (0..LONG_BYTES).map(|at| (at * 31 % 251) as u8).collect()
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// The values of a row in the order of the columns; the others are NULL.
fn row<'v>(table: &TableDef, values: &[(&str, FieldValue<'v>)]) -> Vec<FieldValue<'v>> {
    let value = |name: &str| values.iter().find(|(n, _)| *n == name).map(|(_, v)| v.clone());
    table.columns.iter().map(|c| value(&c.name).unwrap_or(FieldValue::Null)).collect()
}

/// A directory with `sample.edb`: two rows with values of many kinds, one with nothing but its key.
fn sample() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("sample.edb");
    std::fs::write(&path, sample_bytes()).unwrap();
    (directory, path)
}

/// Made in memory: the lock of a real file could be inherited by a command that another test starts just then.
fn sample_bytes() -> Vec<u8> {
    let path = Path::new("sample.edb");
    let mut sign_db = [0; Signature::BYTES];
    sign_db[0] = 7;
    let new = NewDatabase { sign_db: Signature::decode(sign_db), sign_slv: Signature::NONE };
    let volume = MemoryVolume::new();
    let mut writer = DatabaseWriter::create(Arc::new(volume.clone()), path, &new).unwrap();
    let table = writer.create_table(&sample_table()).unwrap();
    let (subject, body) = (utf16("Größe\n\u{1f98a}"), long_value());
    let (one, two, three) = (1_i32.to_le_bytes(), 2_i32.to_le_bytes(), 3_i32.to_le_bytes());
    let ratio = 0.5_f64.to_le_bytes();
    let numbers = |bytes: &'static [[u8; 2]]| {
        FieldValue::Many(bytes.iter().map(|number| FieldValue::Bytes(number)).collect())
    };
    let rows = [
        row(
            &table,
            &[
                ("Id", FieldValue::Bytes(&one)),
                ("Flag", FieldValue::Bytes(&[0xff])),
                ("Guid", FieldValue::Bytes(&[7; 16])),
                ("Ratio", FieldValue::Bytes(&ratio)),
                ("Name", FieldValue::Bytes(b"caf\xe9 \"x\"")),
                ("Subject", FieldValue::Bytes(&subject)),
                ("Body", FieldValue::Bytes(&body)),
                ("Numbers", numbers(&[[1, 0], [0xff, 0xff], [3, 0]])),
            ],
        ),
        row(
            &table,
            &[
                ("Id", FieldValue::Bytes(&two)),
                ("Flag", FieldValue::Bytes(&[0])),
                ("Name", FieldValue::Bytes(b"")),
                ("Body", FieldValue::Bytes(&[0, 0xab])),
                ("Numbers", FieldValue::Bytes(&[9, 0])),
            ],
        ),
        row(&table, &[("Id", FieldValue::Bytes(&three))]),
    ];
    for values in &rows {
        writer.insert(&table, values).unwrap();
    }
    writer.commit().unwrap();
    writer.close().unwrap();
    volume.file_bytes(path).unwrap()
}

fn arguments<'a>(command: &'a str, path: &'a Path) -> [&'a str; 2] {
    [command, path.to_str().unwrap()]
}

#[test]
fn a_dump_has_the_schema_and_every_value() {
    let (_directory, path) = sample();
    let (code, lines) = json_run(&arguments("dump", &path));
    assert_eq!(code, 0);
    let name = "Sample \"one\"";
    let tables = of_type(&lines, "table");
    let names: Vec<_> = tables.iter().map(|line| line["table"].as_str().unwrap()).collect();
    assert_eq!(names, ["MSysObjects", "MSysObjectsShadow", "MSysObjids", "MSysLocales", name]);
    assert_eq!((&tables[0]["system"], &tables[4]["system"]), (&json!(true), &json!(false)));
    let columns = tables[4]["columns"].as_array().unwrap();
    assert_eq!(columns[0], json!({"name": "Id", "id": 1, "coltyp": 4, "cp": 0}));
    let subject = json!({"name": "Subject", "id": 256, "coltyp": 12, "cp": 1200});
    assert!(columns.contains(&subject), "{columns:?}");
    assert_eq!(tables[4]["indexes"][1]["key"], "-Name +Id");
    let rows: Vec<_> = of_type(&lines, "row").into_iter().filter(|r| r["table"] == name).collect();
    let rows: Vec<_> = rows.into_iter().map(|line| line["row"].clone()).collect();
    let expected = [
        json!({
            "Id": 1, "Flag": true, "Guid": "07070707-0707-0707-0707-070707070707", "Ratio": 0.5,
            "Name": "café \"x\"", "Subject": "Größe\n\u{1f98a}", "Body": hex_text(&long_value()),
            "Numbers": [1, -1, 3],
        }),
        json!({"Id": 2, "Flag": false, "Name": "", "Body": "00ab", "Numbers": [9]}),
        json!({"Id": 3}),
    ];
    assert_eq!(rows, expected);
    let of_catalog = of_type(&lines, "row").iter().filter(|r| r["table"] == "MSysObjects").count();
    let of_shadow =
        of_type(&lines, "row").iter().filter(|r| r["table"] == "MSysObjectsShadow").count();
    assert!(of_catalog > 70 && of_catalog == of_shadow);
}

#[test]
fn a_dump_for_people_cuts_long_values_and_tells_their_length() {
    let (_directory, path) = sample();
    let output =
        dialtone(&[&arguments("dump", &path)[..], &["--table", "SAMPLE \"ONE\""]].concat());
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8(output.stdout).unwrap();
    for part in ["index ByName: -Name +Id", "row 1: Id=1 Flag=true", "... (9000 bytes)", "3 rows"] {
        assert!(text.contains(part), "no {part} in {text}");
    }
    assert!(!text.contains("MSysObjects") && text.len() < 3000, "{text}");
}

#[test]
fn both_ways_of_reading_give_the_same_dump() {
    let (directory, path) = sample();
    let mut paths = vec![path];
    if let Some(shared) = real_data::shared("ese") {
        for (name, packed) in real_data::databases(&shared) {
            // The largest one takes a second in each way and shows nothing more.
            if name != "large.edb" {
                let path = directory.path().join(name);
                std::fs::write(&path, real_data::gunzip(&packed)).unwrap();
                paths.push(path);
            }
        }
    }
    for path in paths {
        let dump =
            |io| dialtone(&[&arguments("dump", &path)[..], &["--json", "--io", io]].concat());
        let (mapped, read) = (dump("map"), dump("pread"));
        assert_eq!(mapped.status, read.status);
        assert!(mapped.stdout == read.stdout && mapped.stdout.len() > 9000, "{}", path.display());
    }
}

#[test]
fn info_tells_header_space_and_tables() {
    let (_directory, path) = sample();
    let (code, lines) = json_run(&arguments("info", &path));
    assert_eq!(code, 0);
    let [database] = of_type(&lines, "database")[..] else { panic!("{lines:?}") };
    assert_eq!(database["page_size"], 4096);
    assert_eq!(database["state"], "clean shutdown");
    assert_eq!(database["revision"], 20);
    assert_eq!(
        database["header"],
        json!({"used": "primary", "primary": "sound", "shadow": "sound"})
    );
    let len_bytes = std::fs::metadata(&path).unwrap().len();
    assert_eq!(database["file_bytes"], len_bytes);
    assert_eq!(database["pages"], len_bytes / 4096 - 2);
    let tables = of_type(&lines, "table");
    let table = tables.iter().find(|table| table["table"] == "Sample \"one\"").unwrap();
    assert_eq!(table["columns"], 8);
    assert_eq!(table["indexes"].as_array().unwrap().len(), 2);
    assert!(table["long_values"]["root"].as_u64().unwrap() > 30);
    assert!(table["owned_pages"].as_u64() > table["free_pages"].as_u64());

    let text = String::from_utf8(dialtone(&arguments("info", &path)).stdout).unwrap();
    for part in ["clean shutdown", "0x620.0x14.0", "table Sample \"one\""] {
        assert!(text.contains(part), "no {part} in {text}");
    }
}

#[test]
fn a_damaged_header_copy_is_told_and_the_other_one_used() {
    let (_directory, path) = sample();
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[100] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    let (code, lines) = json_run(&arguments("info", &path));
    assert_eq!(code, 3);
    let header = &of_type(&lines, "database")[0]["header"];
    assert_eq!((&header["used"], &header["shadow"]), (&json!("shadow"), &json!("sound")));
    assert!(header["primary"].as_str().unwrap().contains("checksum"));
    assert_eq!(of_type(&lines, "warning").len(), 1);
}

#[test]
fn a_damaged_page_is_a_warning_and_the_rest_is_dumped() {
    let (_directory, path) = sample();
    let (_, lines) = json_run(&arguments("info", &path));
    let tables = of_type(&lines, "table");
    let table = tables.iter().find(|table| table["table"] == "Sample \"one\"").unwrap();
    let root = table["long_values"]["root"].as_u64().unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    let start = (root as usize + 1) * 4096;
    bytes[start..start + 4096].fill(0);
    std::fs::write(&path, &bytes).unwrap();

    let (code, lines) = json_run(&arguments("dump", &path));
    assert_eq!(code, 3);
    let [warning] = of_type(&lines, "warning")[..] else { panic!("one warning expected") };
    assert_eq!(warning["code"], "E_CORRUPT");
    assert_eq!((&warning["table"], &warning["page"]), (&json!("Sample \"one\""), &json!(root)));
    let message = warning["message"].as_str().unwrap();
    assert!(message.contains("column Body, long value 1"), "{message}");
    let rows = of_type(&lines, "row");
    let rows: Vec<_> = rows.iter().filter(|row| row["table"] == "Sample \"one\"").collect();
    assert_eq!(rows.len(), 3);
    assert!(rows[0]["row"].get("Body").is_none() && rows[0]["row"]["Flag"] == true);

    let output = dialtone(&arguments("dump", &path));
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8(output.stderr).unwrap().contains("warning: "));
}

#[test]
fn what_cannot_be_opened_has_its_exit_code() {
    let (directory, path) = sample();
    let (code, lines) = json_run(&["dump", "no such file"]);
    assert_eq!((code, &lines[1]["code"]), (10, &json!("E_NOT_FOUND")));
    let table = [&arguments("dump", &path)[..], &["--table", "no such table"]].concat();
    let (code, lines) = json_run(&table);
    assert_eq!((code, &lines[1]["code"]), (10, &json!("E_NOT_FOUND")));
    assert_eq!(lines.len(), 3);
    let other = directory.path().join("letter.txt");
    for bytes in [&b""[..], &b"no database".repeat(9000)] {
        std::fs::write(&other, bytes).unwrap();
        let (code, lines) = json_run(&arguments("info", &other));
        assert_eq!((code, &lines[1]["code"]), (1, &json!("E_CORRUPT")));
        assert!(lines[1]["message"].as_str().unwrap().contains("letter.txt"), "{lines:?}");
    }
    let (code, _) = json_run(&["dump", directory.path().to_str().unwrap()]);
    assert_eq!(code, 10);
}

#[test]
fn wrong_command_lines_are_usage_errors() {
    for arguments in [&["dump"][..], &["dumb"], &["dump", "x", "--io", "magic"], &[]] {
        let output = dialtone(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(output.stdout.is_empty() && !output.stderr.is_empty());
    }
    let (code, lines) = json_run(&["dump"]);
    assert_eq!((code, &lines[1]["code"]), (2, &json!("E_USAGE")));
    assert_eq!(dialtone(&["dump", "--help"]).status.code(), Some(0));
    assert_eq!(dialtone(&["--version"]).status.code(), Some(0));
}

#[test]
fn a_reader_that_goes_away_ends_the_dump_quietly() {
    let (_directory, path) = sample();
    let mut child = Command::new(env!("CARGO_BIN_EXE_dialtone"))
        .args(arguments("dump", &path))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Nobody will ever read.
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
}

#[test]
fn a_dirty_database_is_read_with_a_warning() {
    let Some(shared) = real_data::shared("ese") else { return };
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("dirty.db");
    std::fs::write(&path, real_data::gunzip(&shared.join("goese-qmgr.db.gz"))).unwrap();
    let (code, lines) = json_run(&arguments("dump", &path));
    assert_eq!(code, 3);
    let [warning] = of_type(&lines, "warning")[..] else { panic!("{lines:?}") };
    assert_eq!(warning["code"], "E_DIRTY");
    assert_eq!(of_type(&lines, "row").len(), 191);
}
