//! What does a commit cost that changes existing pages: journal, pages in place, and four syncs?
//!
//! The bound is what the protocol asks of the disk and nothing else: the same bytes written to two plain files with the same four
//! syncs. What lies between is checking and stamping the pages, the journal's records, and gathering. The disk decides: on a
//! disk that really waits for its medium, small commits are nothing but syncs.

mod support;

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use dialtone::ese::page::Pgno;
use dialtone::ese::txn::Pager;

const PAGE_BYTES: usize = 4096;
/// The two header pages are part of every commit.
const HEADER_PAGES: usize = 2;

fn commit(pager: &mut Pager, pages: &[Pgno]) {
    for pgno in pages {
        pager.edit(*pgno).expect("a page of the tree");
    }
    pager.commit().expect("a commit");
}

/// The same writes and syncs by hand.
fn bare(database: &File, journal: &File, pages: &[u8]) {
    database.sync_data().expect("a sync");
    journal.write_all_at(pages, 0).expect("a write");
    journal.sync_data().expect("a sync");
    database.write_all_at(pages, 0).expect("a write");
    database.sync_data().expect("a sync");
    journal.set_len(0).expect("a cut");
    journal.sync_data().expect("a sync");
}

fn bound(group: &mut BenchmarkGroup<'_, WallTime>, directory: &Path, count: usize) {
    let bytes = support::noise((count + HEADER_PAGES) * PAGE_BYTES, 1);
    let file = |name: &str| File::create(directory.join(name)).expect("a file");
    let (database, journal) = (file("bound.edb"), file("bound.journal"));
    database.write_all_at(&bytes, 0).expect("a write");
    group.bench_function(format!("bound: {count} pages, same writes and syncs"), |bencher| {
        bencher.iter(|| bare(&database, &journal, &bytes));
    });
}

fn commits(criterion: &mut Criterion) {
    let directory = support::directory();
    let path = directory.path().join("commit.edb");
    let table = support::database(&path, 100_000);
    let file = support::open(&path);
    let pages = support::pages_of(&file, &table);
    drop(file);
    let mut pager = Pager::open(support::volume(), &path).expect("the database");
    let mut group = criterion.benchmark_group("journal commit");
    for count in [1, 64, 2048] {
        // Scattered, as the pages of indexes are.
        let step = pages.len() / count;
        let some: Vec<Pgno> = pages.iter().copied().step_by(step).take(count).collect();
        assert_eq!(some.len(), count, "the tree has that many pages");
        group.throughput(Throughput::Bytes((count * PAGE_BYTES) as u64));
        group.bench_function(format!("{count} changed pages"), |bencher| {
            bencher.iter(|| commit(&mut pager, &some));
        });
        bound(&mut group, directory.path(), count);
    }
    group.finish();
    pager.close().expect("a clean end");
}

criterion_group!(name = benches; config = support::few_samples(); targets = commits);
criterion_main!(benches);
