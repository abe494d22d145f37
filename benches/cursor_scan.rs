//! How fast does a cursor walk a tree from end to end, and find a single key?
//!
//! A table of 100,000 rows, mapped and in the page cache. The bound of a walk is reading each page of the tree once and verifying
//! its checksum; beside it the parallel scan of the whole file, which is what `check --quick` does. The bound of a search is one
//! binary search over the same keys in memory, which is what is left when pages cost nothing.

mod support;

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use dialtone::ese::page::checksum::verify;
use dialtone::ese::table::schema::TableDef;
use dialtone::ese::tree::Cursor;
use dialtone::ese::txn::{DatabaseFile, Pages, scan_pages};

const ROWS: i32 = 100_000;

/// Visits every entry.
fn walk(file: &DatabaseFile, table: &TableDef, mut visit: impl FnMut(&Cursor<'_, DatabaseFile>)) {
    let mut cursor = Cursor::new(file, table.tree());
    let mut is_on_entry = cursor.first().expect("a readable tree");
    while is_on_entry {
        visit(&cursor);
        is_on_entry = cursor.next().expect("a readable tree");
    }
}

fn walking(criterion: &mut Criterion, file: &DatabaseFile, table: &TableDef) {
    let pages = support::pages_of(file, table);
    let mut group = criterion.benchmark_group("cursor scan");
    group.throughput(Throughput::Bytes(pages.len() as u64 * 4096));
    group.bench_function("every entry", |bencher| {
        bencher.iter(|| {
            let mut bytes = 0;
            walk(file, table, |cursor| {
                bytes += cursor.entry().expect("an entry").map_or(0, |node| node.data.len());
            });
            bytes
        });
    });
    group.bench_function("bound: verify each page", |bencher| {
        let sound = |pgno| verify(&file.page(pgno).expect("a page"), pgno);
        bencher.iter(|| pages.iter().map(|pgno| black_box(sound(*pgno))).count());
    });
    group.throughput(Throughput::Bytes(file.len_bytes().expect("a length")));
    group.bench_function("the whole file's checksums, all cores", |bencher| {
        bencher.iter(|| scan_pages(file).len());
    });
    group.finish();
}

fn seeking(criterion: &mut Criterion, file: &DatabaseFile, table: &TableDef) {
    let mut keys: Vec<Vec<u8>> = Vec::new();
    walk(file, table, |cursor| {
        keys.extend(cursor.entry().expect("an entry").map(|node| node.key.to_vec()));
    });
    assert_eq!(keys.len(), ROWS as usize, "every row has its key");
    let mut at = 0usize;
    let mut next = || {
        at = (at * 48_271 + 1) % ROWS as usize;
        at
    };
    let mut group = criterion.benchmark_group("cursor seek");
    group.throughput(Throughput::Elements(1));
    group.bench_function("a key anywhere", |bencher| {
        let mut cursor = Cursor::new(file, table.tree());
        bencher.iter(|| cursor.seek(&keys[next()]).expect("a readable tree"));
    });
    group.bench_function("bound: binary search in memory", |bencher| {
        bencher.iter(|| black_box(keys.binary_search(&keys[next()])).is_ok());
    });
    group.finish();
}

fn cursors(criterion: &mut Criterion) {
    let directory = support::directory();
    let path = directory.path().join("scan.edb");
    let table = support::database(&path, ROWS);
    let file = support::open(&path);
    walking(criterion, &file, &table);
    seeking(criterion, &file, &table);
}

criterion_group!(name = benches; config = support::criterion(); targets = cursors);
criterion_main!(benches);
