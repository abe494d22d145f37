//! How fast are pages decoded: header, tag array, the key and data of every node?
//!
//! The pages are leaves and branches of a table of 100,000 rows, verified before the clock starts. The bound is a copy of the same
//! bytes: whoever decodes a page must at least read it. Decoding reads the frame of a page and not the data of its nodes, so it
//! may be faster than that.

mod support;

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use dialtone::ese::page::{PageView, Pgno};

fn decode(pages: &[(Pgno, Vec<u8>)]) -> usize {
    let mut bytes = 0;
    for (pgno, page) in pages {
        let view = PageView::new(page, *pgno).expect("a sound page");
        for line in 0..view.node_count() {
            bytes += view.node(line).map_or(0, |node| node.data.len());
        }
    }
    bytes
}

fn touch(pages: &[(Pgno, Vec<u8>)]) -> usize {
    let frames = pages.iter().map(|(pgno, page)| PageView::new(page, *pgno).expect("a sound page"));
    frames.map(|view| view.node_count()).sum()
}

fn pages(criterion: &mut Criterion) {
    let directory = support::directory();
    let path = directory.path().join("pages.edb");
    let table = support::database(&path, 100_000);
    let file = support::open(&path);
    let pages = support::bytes_of(&file, &support::pages_of(&file, &table));
    let plain: Vec<u8> = pages.iter().flat_map(|(_, page)| page.iter().copied()).collect();
    let mut copy = vec![0; plain.len()];

    let mut group = criterion.benchmark_group("page decode");
    group.throughput(Throughput::Bytes(plain.len() as u64));
    group.bench_function("every node", |bencher| bencher.iter(|| decode(black_box(&pages))));
    group.bench_function("the frame only", |bencher| bencher.iter(|| touch(black_box(&pages))));
    group.bench_function("bound: copy", |bencher| {
        bencher.iter(|| black_box(&mut copy).copy_from_slice(black_box(&plain)));
    });
    group.finish();
}

criterion_group!(name = benches; config = support::criterion(); targets = pages);
criterion_main!(benches);
