//! How fast are pages decoded, trees scanned, searched and built, and what does a commit cost?
//!
//! The bound of everything that looks at each page once is reading the same pages and verifying their checksums; the
//! bound of building is copying the same bytes. All of it happens in memory, so that the disk does not drown the program.
#![allow(missing_docs)]

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use dialtone::ese::page::header::{LogTime, Signature};
use dialtone::ese::page::{Dbtime, PageView};
use dialtone::ese::table::column::{ColumnFlags, ColumnType};
use dialtone::ese::table::schema::TableDef;
use dialtone::ese::table::write::{
    DatabaseWriter, FieldValue, NewColumn, NewDatabase, NewIndex, NewTable,
};
use dialtone::ese::tree::{Cursor, verify_tree};
use dialtone::ese::txn::{DatabaseFile, Pages, scan_pages};
use dialtone::io::{MemoryVolume, Volume};

const PATH: &str = "/bench/trees.edb";
const ROWS: i32 = 100_000;

fn create() -> (Arc<dyn Volume>, DatabaseWriter) {
    let volume: Arc<dyn Volume> = Arc::new(MemoryVolume::new());
    let sign_db = Signature { random: 7, created: LogTime::NEVER, computer: [0; 16] };
    let new = NewDatabase { sign_db, sign_slv: Signature::NONE };
    let writer =
        DatabaseWriter::create(volume.clone(), Path::new(PATH), &new).expect("a new database");
    (volume, writer)
}

fn table(writer: &mut DatabaseWriter) -> Arc<TableDef> {
    let table = NewTable::new("Rows")
        .column(NewColumn::new("Id", ColumnType::Long).flagged(ColumnFlags::NOT_NULL))
        .column(NewColumn::new("Number", ColumnType::Long))
        .column(NewColumn::new("Name", ColumnType::Text))
        .column(NewColumn::new("Body", ColumnType::LongBinary))
        .primary(NewIndex::new("ById", &["Id"]))
        .index(NewIndex::new("ByNumber", &["Number"]));
    writer.create_table(&table).expect("a table")
}

/// Rows of about 250 bytes.
fn load(writer: &mut DatabaseWriter, table: &Arc<TableDef>, rows: i32) {
    let mut loader = writer.load(table).expect("an empty table");
    for id in 0..rows {
        let number = id.wrapping_mul(0x9e37_79b1_u32 as i32).to_le_bytes();
        let (id, body) = (id.to_le_bytes(), [id as u8; 200]);
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

fn reading(criterion: &mut Criterion) {
    let (volume, mut writer) = create();
    let table = table(&mut writer);
    load(&mut writer, &table, ROWS);
    writer.close().expect("a clean end");
    let file = DatabaseFile::open(&*volume, Path::new(PATH)).expect("the database");
    let report = verify_tree(&file, &table.tree(), Dbtime(u64::MAX));
    assert!(report.findings.is_empty(), "only sound trees are measured");
    let tree_bytes = report.pages.len() as u64 * 4096;

    let mut group = criterion.benchmark_group("tree");
    group.throughput(Throughput::Bytes(tree_bytes));
    group.bench_function("scan", |bencher| {
        bencher.iter(|| {
            let mut cursor = Cursor::new(&file, table.tree());
            let mut is_on_entry = cursor.first().expect("a readable tree");
            let mut bytes = 0;
            while is_on_entry {
                bytes += cursor.entry().expect("an entry").map_or(0, |node| node.data.len());
                is_on_entry = cursor.next().expect("a readable tree");
            }
            bytes
        });
    });
    group.bench_function("decode each node of each page", |bencher| {
        bencher.iter(|| {
            let mut bytes = 0;
            for pgno in &report.pages {
                let page = file.page(*pgno).expect("a page");
                let view = PageView::new(&page, *pgno).expect("a page");
                for line in 0..view.node_count() {
                    bytes += view.node(line).map_or(0, |node| node.data.len());
                }
            }
            bytes
        });
    });
    group.throughput(Throughput::Elements(1));
    group.bench_function("seek", |bencher| {
        let mut cursor = Cursor::new(&file, table.tree());
        let mut id = 0i32;
        bencher.iter(|| {
            id = (id.wrapping_mul(48271) & 0x7fff_ffff) % ROWS + 1;
            let mut key = [0x7f, 0, 0, 0, 0];
            key[1..].copy_from_slice(&(id as u32 ^ 0x8000_0000).to_be_bytes());
            black_box(cursor.seek(&key).expect("a readable tree"))
        });
    });
    let len_bytes = file.len_bytes().expect("a length");
    group.throughput(Throughput::Bytes(len_bytes));
    group.bench_function("bound: every checksum of the file", |bencher| {
        bencher.iter(|| scan_pages(&file).len());
    });
    group.finish();
}

fn writing(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("write");
    group.sample_size(10);
    group.throughput(Throughput::Bytes(20_000 * 250));
    group.bench_function("build a table of 20,000 rows with an index", |bencher| {
        bencher.iter_batched(
            || {
                let (volume, mut writer) = create();
                let table = table(&mut writer);
                (volume, writer, table)
            },
            |(volume, mut writer, table)| {
                load(&mut writer, &table, 20_000);
                writer.commit().expect("a commit");
                (volume, writer)
            },
            BatchSize::PerIteration,
        );
    });
    let source = vec![7u8; 20_000 * 250];
    let mut copy = vec![0u8; source.len()];
    group.bench_function("bound: copy of the same bytes", |bencher| {
        bencher.iter(|| black_box(&mut copy).copy_from_slice(black_box(&source)));
    });
    group.throughput(Throughput::Elements(1));
    group.bench_function("commit of one changed row", |bencher| {
        let (_volume, mut writer) = create();
        let table = table(&mut writer);
        load(&mut writer, &table, 1000);
        writer.commit().expect("a commit");
        let mut key = vec![0x7f];
        key.extend_from_slice(&(500u32 ^ 0x8000_0000).to_be_bytes());
        let mut number = 0u32;
        bencher.iter(|| {
            number += 1;
            let value = number.to_le_bytes();
            writer.update(&table, &key, &[(1, FieldValue::Bytes(&value))]).expect("a row");
            writer.commit().expect("a commit");
        });
    });
    group.finish();
}

criterion_group!(benches, reading, writing);
criterion_main!(benches);
