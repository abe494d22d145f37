//! What benches share: databases on the disk under `target/`, bytes of two kinds, and how long to measure.
//!
//! Databases are real files, read through a map and written with positioned writes, as the program does it.
#![allow(dead_code)] // each bench uses a part
#![allow(missing_docs)]

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use criterion::Criterion;
use dialtone::ese::page::header::{LogTime, Signature};
use dialtone::ese::page::{Dbtime, Pgno};
use dialtone::ese::table::column::{ColumnFlags, ColumnType};
use dialtone::ese::table::schema::TableDef;
use dialtone::ese::table::write::{
    DatabaseWriter, FieldValue, NewColumn, NewDatabase, NewIndex, NewTable,
};
use dialtone::ese::tree::verify_tree;
use dialtone::ese::txn::{DatabaseFile, Pages};
use dialtone::io::{RealVolume, Volume};
use dialtone::synth::{Profile, Synth, Twin, build};
use tempfile::TempDir;

/// Bytes of the body of each made row; the row has about 250.
pub const BODY_BYTES: usize = 200;

/// Short measurements, so that all benches together end within a few minutes.
pub fn criterion() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .sample_size(30)
}

/// For whole recoveries and commits, each of which takes a good part of a second.
pub fn few_samples() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(4))
        .sample_size(10)
}

/// A directory on the disk that the build uses, removed with the value.
pub fn directory() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory under target/")
}

pub fn volume() -> Arc<dyn Volume> {
    Arc::new(RealVolume::mapped())
}

/// Bytes that no compression shortens.
pub fn noise(len_bytes: usize, seed: u32) -> Vec<u8> {
    let mut state = seed | 1;
    let next = || {
        state = state.wrapping_mul(1_103_515_245).wrapping_add(12_345);
        (state >> 16) as u8
    };
    std::iter::repeat_with(next).take(len_bytes).collect()
}

/// Bytes as in an HTML body.
pub fn text(len_bytes: usize) -> Vec<u8> {
    (0u32..)
        .flat_map(|n| {
            format!("<td>row {} of {}</td>\r\n", n.wrapping_mul(n) % 97, n % 13).into_bytes()
        })
        .take(len_bytes)
        .collect()
}

/// An empty database, open for writing.
pub fn create(path: &Path) -> DatabaseWriter {
    let sign_db = Signature { random: 7, created: LogTime::NEVER, computer: [0; 16] };
    let new = NewDatabase { sign_db, sign_slv: Signature::NONE };
    DatabaseWriter::create(volume(), path, &new).expect("a new database")
}

/// An empty table with one secondary index.
pub fn create_table(writer: &mut DatabaseWriter) -> Arc<TableDef> {
    let table = NewTable::new("Rows")
        .column(NewColumn::new("Id", ColumnType::Long).flagged(ColumnFlags::NOT_NULL))
        .column(NewColumn::new("Number", ColumnType::Long))
        .column(NewColumn::new("Name", ColumnType::Text))
        .column(NewColumn::new("Body", ColumnType::LongBinary))
        .primary(NewIndex::new("ById", &["Id"]))
        .index(NewIndex::new("ByNumber", &["Number"]));
    writer.create_table(&table).expect("a table")
}

/// Fills a table of [`create_table`].
pub fn load(writer: &mut DatabaseWriter, table: &Arc<TableDef>, rows: i32) {
    let mut loader = writer.load(table).expect("an empty table");
    for id in 0..rows {
        let number = id.wrapping_mul(0x9e37_79b1_u32 as i32).to_le_bytes();
        let (id, body) = (id.to_le_bytes(), [id as u8; BODY_BYTES]);
        let row = [
            FieldValue::Bytes(&id),
            FieldValue::Bytes(&number),
            FieldValue::Bytes(b"a name of twenty-six bytes"),
            FieldValue::Bytes(&body),
        ];
        loader.push(&row).expect("a row in order");
    }
    loader.finish().expect("a loaded table");
}

/// A database of so many rows, closed; its table.
pub fn database(path: &Path, rows: i32) -> Arc<TableDef> {
    let mut writer = create(path);
    let table = create_table(&mut writer);
    load(&mut writer, &table, rows);
    writer.close().expect("a clean end");
    table
}

pub fn open(path: &Path) -> DatabaseFile {
    DatabaseFile::open(&*volume(), path).expect("the database")
}

/// The pages of a table's tree, which is checked: only sound trees are measured.
pub fn pages_of(file: &DatabaseFile, table: &TableDef) -> Vec<Pgno> {
    let report = verify_tree(file, &table.tree(), Dbtime(u64::MAX));
    assert!(report.findings.is_empty(), "only sound trees are measured");
    report.pages
}

/// Copies of those pages, so that reading and verifying the file is not measured with what is done to them.
pub fn bytes_of(file: &DatabaseFile, pages: &[Pgno]) -> Vec<(Pgno, Vec<u8>)> {
    let copy = |pgno: &Pgno| (*pgno, file.page(*pgno).expect("a sound page").to_vec());
    pages.iter().map(copy).collect()
}

/// A store of mail from a seed, or its twin.
pub fn store(path: &Path, mailboxes: u32, size_bytes: u64, twin: Option<Twin>) {
    let synth = Synth { mailboxes, size_bytes, seed: 2003, profile: Profile::Year2003, twin };
    build(Arc::new(RealVolume::pread()), path, &synth, &mut |_| {}).expect("a made store");
}

/// A twin that has nine of ten items.
pub fn nine_tenths() -> Twin {
    Twin { same: 0.9, moved: 0.0, edited: 0.0, new: 0.0, seed: 1 }
}

/// The two files of a store.
pub fn pair(path: &Path) -> [PathBuf; 2] {
    [path.to_owned(), path.with_extension("stm")]
}

pub fn pair_bytes(path: &Path) -> u64 {
    pair(path).iter().map(|file| fs::metadata(file).expect("a file").len()).sum()
}

/// What `cp` and `sync` of a store do.
pub fn copy_pair_and_sync(from: &Path, to: &Path) {
    for (from, to) in pair(from).iter().zip(&pair(to)) {
        fs::copy(from, to).expect("a copy");
        File::open(to).and_then(|file| file.sync_all()).expect("a synced copy");
    }
}

/// Removes the store at `path` with all that lies beside it.
pub fn remove_pair(path: &Path) {
    for file in pair(path) {
        let _ = fs::remove_file(file);
    }
    let _ = fs::remove_dir_all(path.with_extension("edb.jobs"));
    let _ = fs::remove_file(path.with_extension("edb.lock"));
}
