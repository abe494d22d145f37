//! How fast are runs of leaf pages built: entries packed into pages, linked, checksummed and written ahead of the commit?
//!
//! The bounds are writing the same bytes to a file in pieces of 1 MiB, which a builder does too, and copying them in memory.
//! Nothing is synced: that is the commit's business.

mod support;

use std::fs::File;
use std::hint::black_box;
use std::os::unix::fs::FileExt as _;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use dialtone::ese::EseResult;
use dialtone::ese::page::{ObjId, PageSize, Pgno};
use dialtone::ese::tree::{
    DATABASE_ROOT, Extent, Forest, PageSupply, Run, RunBuilder, Tree, TreeKind,
};
use dialtone::ese::txn::{AheadWriter, Pager};

struct Lender<'f>(&'f mut Forest);

impl PageSupply for Lender<'_> {
    fn lend_pages(&mut self, fdp: Pgno, want: u32) -> EseResult<Extent> {
        self.0.lend_pages(fdp, want)
    }
}

fn build(
    forest: &mut Forest,
    writer: &AheadWriter,
    tree: Tree,
    entries: &[[u8; 8]],
    data: &[u8],
) -> Run {
    let mut builder = RunBuilder::new(tree, PageSize::KIB4);
    let mut lender = Lender(forest);
    for key in entries {
        builder.push(&mut lender, writer, key, data).expect("an entry in order");
    }
    builder.finish(&mut lender, writer).expect("a run").expect("entries were added")
}

fn runs(criterion: &mut Criterion) {
    let directory = support::directory();
    let path = directory.path().join("runs.edb");
    support::create(&path).close().expect("an empty database");
    let pager = Pager::open(support::volume(), &path).expect("the database");
    let mut forest = Forest::new(pager);
    let tree = forest.create_tree(DATABASE_ROOT, ObjId(1000), TreeKind::Table, 64).expect("a tree");
    forest.commit().expect("a commit");
    let writer = forest.pager().ahead_writer();

    let mut group = criterion.benchmark_group("leaf runs");
    for (name, data_bytes, count) in
        [("rows of 250 bytes", 250, 32_000u64), ("rows of 2,000 bytes", 2000, 4_000)]
    {
        let keys: Vec<[u8; 8]> = (0..count).map(u64::to_be_bytes).collect();
        let data = support::noise(data_bytes, 3);
        group.throughput(Throughput::Bytes(count * data_bytes as u64));
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|rounds| {
                let mut taken = Duration::ZERO;
                for _ in 0..rounds {
                    let start = Instant::now();
                    let run = build(&mut forest, &writer, tree, &keys, &data);
                    taken += start.elapsed();
                    assert_eq!(run.entry_count(), count, "every entry is in the run");
                    forest.discard(run).expect("pages that are free again");
                }
                taken
            });
        });
    }
    let bytes = support::noise(8_000_000, 5);
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    group.bench_function("bound: write of the same bytes", |bencher| {
        let file = File::create(directory.path().join("bound")).expect("a file");
        bencher.iter(|| {
            for (piece, at) in bytes.chunks(1 << 20).zip(0u64..) {
                file.write_all_at(piece, at << 20).expect("a write");
            }
        });
    });
    let mut copy = vec![0; bytes.len()];
    group.bench_function("bound: copy in memory", |bencher| {
        bencher.iter(|| black_box(&mut copy).copy_from_slice(black_box(&bytes)));
    });
    group.finish();
}

criterion_group!(name = benches; config = support::criterion(); targets = runs);
criterion_main!(benches);
