//! Databases of Windows and of programs on its ESE engine: all of them open and give the rows that other readers find,
//! and copies of them that were damaged on purpose give errors, never a panic and never silently less.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod real_data;

use std::collections::BTreeMap;

use dialtone::ese::EseResult;
use dialtone::ese::page::checksum::stamp;
use dialtone::ese::table::column::ColumnDef;
use dialtone::ese::table::database::{Database, Table};
use dialtone::ese::table::fields::VALUE_BYTES_MAX;
use dialtone::ese::table::schema::{TableDef, index_tree};
use dialtone::ese::table::value::decode_value;
use dialtone::ese::tree::{DATABASE_ROOT, Tree, TreeKind, read_space, verify_tree};
use dialtone::ese::txn::{DatabaseFile, Pages, scan_pages};

/// Rows of every table, in the order of object ids; libesedb and dissect count the same.
const ROWS: &[(&str, &str)] = &[
    (
        "Current.mdb",
        "MSysObjects 467, MSysObjectsShadow 467, MSysObjids 16, MSysLocales 8, ROLE_ACCESS 3, \
         CLIENTS 19, DNS 12, VIRTUALMACHINES 0",
    ),
    (
        "SRUDB.dat",
        "MSysObjects 161, MSysObjectsShadow 161, MSysObjids 28, MSysLocales 7, \
         SruDbIdMapTable 106, SruDbCheckpointTable 0, {17F4D97B-F26A-5E79-3A82-90040A47D13D} 6, \
         {841A7317-3805-518B-C2EA-AD224CB4AF84} 3, {D10CA2FE-6FCF-4F6D-848E-B2E99266FA89} 203, \
         {DC3D3B50-BB90-5066-FA4E-A5F90DD8B677} 3, {DD6636C4-8929-4683-974E-22C046A43763} 3, \
         {EEE2F477-0659-5C47-EF03-6D6BEFD441B3} 2",
    ),
    ("basic.edb", "MSysObjects 87, MSysObjectsShadow 87, MSysObjids 7, MSysLocales 7, basic 2"),
    ("binary.edb", "MSysObjects 87, MSysObjectsShadow 87, MSysObjids 8, MSysLocales 7, binary 1"),
    (
        "cis_benchmarks_enfor-1-secedit.sdb",
        "MSysObjects 108, MSysObjectsShadow 108, MSysObjids 17, MSysLocales 7, SmTblVersion 1, \
         SmTblSection 15, SmTblScp 0, SmTblSmp 1, SmTblScp2 0, SmTblGpo 0",
    ),
    (
        "decompress_test.edb",
        "MSysObjects 77, MSysObjectsShadow 77, MSysObjids 7, MSysLocales 7, test_table 10",
    ),
    ("default.edb", "MSysObjects 93, MSysObjectsShadow 93, MSysObjids 7, MSysLocales 7, default 1"),
    (
        "dsinternals-InitialLDS-adamntds.dit",
        "MSysObjects 364, MSysObjectsShadow 364, MSysUnicodeFixupVer2 0, datatable 318, \
         hiddentable 1, link_table 2, quota_table 0, sdpropcounttable 1, sdproptable 0, \
         sd_table 3",
    ),
    (
        "goese-SRUDB.dat",
        "MSysObjects 241, MSysObjectsShadow 241, MSysObjids 34, MSysLocales 7, \
         SruDbIdMapTable 1141, SruDbCheckpointTable 0, \
         {5C8CF1C7-7257-4F13-B223-970EF5939312} 4038, {7ACBBAA3-D029-4BE4-9A7A-0885927F1D8F} 44, \
         {973F5D5C-1D90-4944-BE8E-24B94231A174} 255, {D10CA2FE-6FCF-4F6D-848E-B2E99266FA89} 1778, \
         {DD6636C4-8929-4683-974E-22C046A43763} 17, {FEE4E14F-02A9-4550-B5CE-5FA2DA202E37} 0, \
         {FEE4E14F-02A9-4550-B5CE-5FA2DA202E37}LT 1, {D10CA2FE-6FCF-4F6D-848E-B2E99266FA86} 10",
    ),
    (
        "goese-qmgr.db",
        "MSysObjects 86, MSysObjectsShadow 86, MSysObjids 10, MSysLocales 7, Jobs 1, Files 1",
    ),
    ("index.edb", "MSysObjects 112, MSysObjectsShadow 112, MSysObjids 26, MSysLocales 8, index 1"),
    (
        "large.edb",
        "MSysObjects 65068, MSysObjectsShadow 65068, MSysObjids 7, MSysLocales 7, large 16",
    ),
    ("multi.edb", "MSysObjects 97, MSysObjectsShadow 97, MSysObjids 8, MSysLocales 7, multi 2"),
    (
        "plaso-Catalog1.edb",
        "MSysObjects 128, MSysObjectsShadow 0, MSysObjids 26, MSysLocales 8, namespace 1373, \
         string 994, file 912, backupset 150, global 20, library 14",
    ),
    ("text.edb", "MSysObjects 102, MSysObjectsShadow 102, MSysObjids 8, MSysLocales 7, text 1"),
];

/// What reading all of a database gives.
#[derive(Debug, Default, PartialEq, Eq)]
struct Survey {
    /// Rows of each table as text, every value with its column.
    rows: BTreeMap<String, Vec<String>>,
    /// Entries of each secondary index.
    entries: BTreeMap<String, usize>,
    errors: Vec<String>,
}

fn survey(database: &Database) -> Survey {
    let mut survey = Survey::default();
    let notes = database.schema().notes();
    survey.errors.extend(notes.kept().iter().map(|note| note.message.clone()));
    for table in database.tables() {
        survey_rows(&table, &mut survey);
        for index in &table.def().indexes {
            let mut entries = table.index(&index.name).unwrap();
            let mut count = 0;
            let mut step = entries.first();
            while step.as_ref().is_ok_and(|found| *found) || step.is_err() {
                match step.and_then(|_| entries.entry().map(|_| ())) {
                    Ok(()) => count += 1,
                    Err(error) => survey.errors.push(error.to_string()),
                }
                step = entries.next();
            }
            survey.entries.insert(format!("{}/{}", table.def().name, index.name), count);
        }
    }
    survey
}

fn survey_rows(table: &Table<'_, DatabaseFile>, survey: &mut Survey) {
    let fields = table.fields(VALUE_BYTES_MAX);
    let mut lines = Vec::new();
    let mut rows = table.rows();
    let mut step = rows.first();
    loop {
        match step.and_then(|found| if found { rows.row() } else { Ok(None) }) {
            Ok(None) => break,
            Ok(Some(row)) => {
                let mut line = String::new();
                for column in &table.def().columns {
                    fields.each(&row, column, &mut |bytes| match bytes
                        .and_then(|b| shown(column, &b))
                    {
                        Ok(text) => line.push_str(&text),
                        Err(error) => survey.errors.push(error.to_string()),
                    });
                }
                lines.push(line);
            }
            Err(error) => survey.errors.push(error.to_string()),
        }
        step = rows.next();
    }
    survey.rows.insert(table.def().name.clone(), lines);
}

fn shown(column: &ColumnDef, bytes: &[u8]) -> EseResult<String> {
    let value = decode_value(column.coltyp, column.code_page, bytes)?;
    Ok(format!("{}={};", column.name, value.to_json()))
}

fn trees(def: &TableDef) -> Vec<Tree> {
    let indexes = def.indexes.iter().map(index_tree);
    std::iter::once(def.tree()).chain(indexes).chain(def.long_value_tree()).collect()
}

#[test]
fn every_real_database_gives_the_rows_that_others_find() {
    let Some(directory) = real_data::shared("ese") else { return };
    let databases = real_data::databases(&directory);
    let names: Vec<&str> = databases.iter().map(|(name, _)| name.as_str()).collect();
    let pinned: Vec<&str> = ROWS.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, pinned);
    for ((name, path), (_, rows)) in databases.iter().zip(ROWS) {
        let database = real_data::open_bytes(name, &real_data::gunzip(path)).unwrap();
        let survey = survey(&database);
        assert_eq!(survey.errors, [""; 0], "{name}");
        let counts: Vec<String> = database
            .tables()
            .map(|table| format!("{} {}", table.def().name, survey.rows[&table.def().name].len()))
            .collect();
        assert_eq!(counts.join(", "), *rows, "{name}");
    }
}

#[test]
fn trees_and_space_of_real_databases_are_sound_but_for_one_known_damage() {
    let Some(directory) = real_data::shared("ese") else { return };
    for (name, path) in real_data::databases(&directory) {
        let database = real_data::open_bytes(&name, &real_data::gunzip(&path)).unwrap();
        let file = database.file();
        let mut findings = Vec::new();
        for def in database.schema().tables() {
            for tree in trees(def) {
                let report = verify_tree(file, &tree, file.header().dbtime());
                findings.extend(report.findings.into_iter().map(|f| format!("{name} {f:?}")));
                if let Err(error) = read_space(file, tree.root) {
                    findings.push(error.to_string());
                }
            }
        }
        // Pages behind the owned range, and free ones, hold whatever was there before.
        let space = read_space(file, DATABASE_ROOT).unwrap();
        let mut damaged = scan_pages(file);
        damaged
            .retain(|page| space.owned.contains(page.pgno) && !space.available.contains(page.pgno));
        findings.extend(damaged.into_iter().map(|page| format!("{page:?}")));
        // The header of this one is older than three of its pages.
        let known = if name.starts_with("plaso") { 3 } else { 0 };
        let is_dbtime = findings.iter().all(|finding| finding.contains("above the header's 51536"));
        assert!(findings.len() == known && is_dbtime, "{name}: {findings:#?}");
    }
}

/// Reads a damaged copy of a database: what is missing must have been told.
fn judge_damaged(place: &str, sound: &Survey, bytes: &[u8]) -> Vec<String> {
    let database = match real_data::open_bytes("damaged.edb", bytes) {
        Ok(database) => database,
        Err(error) => return vec![error.to_string()],
    };
    let found = survey(&database);
    let is_whole = found.rows == sound.rows && found.entries == sound.entries;
    assert!(is_whole || !found.errors.is_empty(), "{place}: less was read, and nothing was told");
    found.errors
}

fn database_bytes(directory: &str, name: &str) -> Option<(Vec<u8>, Survey)> {
    let path = real_data::shared(directory)?.join(format!("{name}.gz"));
    let bytes = real_data::gunzip(&path);
    let sound = survey(&real_data::open_bytes(name, &bytes).unwrap());
    assert_eq!(sound.errors, [""; 0]);
    Some((bytes, sound))
}

#[test]
fn truncated_copies_tell_what_is_missing() {
    for name in ["text.edb", "goese-qmgr.db", "plaso-Catalog1.edb"] {
        let Some((bytes, sound)) = database_bytes("ese", name) else { return };
        for part in 0..24 {
            // Some cuts lie on page borders, some do not.
            let len_bytes = bytes.len() * part / 24 + part % 3 * 1111;
            let errors = judge_damaged(&format!("{name} cut"), &sound, &bytes[..len_bytes]);
            assert!(part > 2 || !errors.is_empty(), "{name} cut to {len_bytes} bytes");
        }
    }
}

#[test]
fn a_page_of_zeros_costs_its_own_entries_only_and_is_told() {
    for (directory, name) in
        [("ese", "text.edb"), ("ese", "multi.edb"), ("ese-engine", "ddl-32k.edb")]
    {
        let Some((bytes, sound)) = database_bytes(directory, name) else { return };
        let database = real_data::open_bytes(name, &bytes).unwrap();
        let page_size = database.file().page_size();
        let limit = database.file().header().dbtime();
        for def in database.schema().tables().iter().filter(|def| !def.is_system()) {
            for tree in trees(def) {
                for pgno in verify_tree(database.file(), &tree, limit).pages {
                    let mut copy = bytes.clone();
                    let start = pgno.offset_bytes(page_size) as usize;
                    copy[start..start + page_size.bytes()].fill(0);
                    let place = format!("{name}, page {pgno} of {}", def.name);
                    let errors = judge_damaged(&place, &sound, &copy);
                    assert!(
                        errors.iter().all(|e| e.contains(&format!("page {pgno}"))),
                        "{errors:?}"
                    );
                    // Rows may name no value on a page of long values.
                    assert!(tree.kind == TreeKind::LongValue || !errors.is_empty(), "{place}");
                }
            }
        }
    }
}

#[test]
fn the_shadow_stands_in_for_a_damaged_catalog() {
    let Some((bytes, sound)) = database_bytes("ese", "text.edb") else { return };
    let page_4 = 5 * 4096..6 * 4096;
    let mut copy = bytes.clone();
    copy[page_4.clone()].fill(0);
    let database = real_data::open_bytes("text.edb", &copy).unwrap();
    let found = survey(&database);
    assert_eq!(found.rows["text"], sound.rows["text"]);
    assert!(found.errors.iter().any(|error| error.contains("shadow")), "{:?}", found.errors);
    assert!(found.errors.iter().any(|error| error.contains("page 4")), "{:?}", found.errors);
    // This one has no shadow.
    let Some((mut bytes, _)) = database_bytes("ese", "plaso-Catalog1.edb") else { return };
    bytes[page_4].fill(0);
    let error = real_data::open_bytes("plaso.edb", &bytes).unwrap_err().to_string();
    assert!(error.contains("page 4") && error.contains("plaso.edb"), "{error}");
}

#[test]
fn a_damaged_long_value_costs_nothing_but_itself() {
    let Some((bytes, sound)) = database_bytes("ese-engine", "lv-4k.edb") else { return };
    let database = real_data::open_bytes("lv-4k.edb", &bytes).unwrap();
    let def = database.schema().table("t_lv").unwrap();
    let tree = def.long_value_tree().unwrap();
    let pages = verify_tree(database.file(), &tree, database.file().header().dbtime()).pages;
    let mut missed = 0;
    for pgno in pages.into_iter().skip(1).step_by(20) {
        let mut copy = bytes.clone();
        let start = pgno.offset_bytes(database.file().page_size()) as usize;
        copy[start + 100] ^= 0xff;
        copy[start + 201] ^= 0x0f;
        let found = survey(&real_data::open_bytes("lv-4k.edb", &copy).unwrap());
        assert_eq!(found.rows["t_lv"].len(), sound.rows["t_lv"].len());
        let rows = || found.rows["t_lv"].iter().zip(&sound.rows["t_lv"]);
        let differing = rows().filter(|(ours, theirs)| ours != theirs).count();
        assert!(differing <= found.errors.len(), "{:?}", found.errors);
        missed += usize::from(differing > 0);
        for error in &found.errors {
            for part in ["table t_lv, column ", "long value ", &format!("page {pgno}")] {
                assert!(error.contains(part), "{error} should name {part}");
            }
        }
    }
    assert!(missed >= 10, "{missed} pages held values of rows");
}

/// A generator of numbers that needs no crate: the same ones in every run.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) as usize % below
    }
}

#[test]
fn lies_with_right_checksums_never_panic() {
    let files = [
        ("ese", "multi.edb", 400),
        ("ese-engine", "types-32k.edb", 40),
        ("ese-engine", "lv-4k.edb", 40),
    ];
    for (directory, name, rounds) in files {
        let Some((bytes, _)) = database_bytes(directory, name) else { return };
        let database = real_data::open_bytes(name, &bytes).unwrap();
        let page_size = database.file().page_size();
        let limit = database.file().header().dbtime();
        let mut pages = Vec::new();
        for tree in database.schema().tables().iter().flat_map(trees) {
            pages.extend(verify_tree(database.file(), &tree, limit).pages);
        }
        let mut numbers = Numbers(7);
        for round in 0..rounds {
            let mut copy = bytes.clone();
            for _ in 0..1 + numbers.next(4) {
                let pgno = pages[numbers.next(pages.len())];
                let start = pgno.offset_bytes(page_size) as usize;
                let page = &mut copy[start..start + page_size.bytes()];
                lie(page, &mut numbers, round);
                stamp(page, pgno);
            }
            if let Ok(database) = real_data::open_bytes(name, &copy) {
                survey(&database);
            }
        }
    }
}

/// Changes a few bytes where it hurts: in the header, the nodes or the tags.
fn lie(page: &mut [u8], numbers: &mut Numbers, round: usize) {
    for _ in 0..1 + numbers.next(6) {
        let at = match round % 3 {
            0 => numbers.next(48),
            1 => page.len() - 1 - numbers.next(64),
            _ => 40 + numbers.next(page.len() - 40),
        };
        page[at] = [0, 0xff, 0x80, 0x7f, numbers.next(256) as u8][numbers.next(5)];
    }
}
