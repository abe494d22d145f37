//! How fast are pages verified and stamped? The bound is a copy of the same bytes: nobody can use a page without
//! reading it once. Everything stays in the cache, so this is the cost of the arithmetic, not of the memory.
#![allow(missing_docs)]

mod support;

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use dialtone::ese::page::Pgno;
use dialtone::ese::page::checksum::{Verdict, legacy_xor, stamp, verify};

fn page(size_bytes: usize) -> Vec<u8> {
    let mut page = support::noise(size_bytes, 1);
    stamp(&mut page, Pgno::fixed(7));
    page
}

fn checksums(criterion: &mut Criterion) {
    for size_bytes in [4096, 32768] {
        let mut group = criterion.benchmark_group(format!("checksum/{}K", size_bytes / 1024));
        group.throughput(Throughput::Bytes(size_bytes as u64));
        let mut page = page(size_bytes);
        let mut copy = vec![0; size_bytes];

        assert_eq!(verify(&page, Pgno::fixed(7)), Verdict::Sound, "only sound pages are measured");
        group.bench_function("verify", |bencher| {
            bencher.iter(|| verify(black_box(&page), black_box(Pgno::fixed(7))));
        });
        group.bench_function("stamp", |bencher| {
            bencher.iter(|| stamp(black_box(&mut page), black_box(Pgno::fixed(7))));
        });
        group.bench_function("legacy", |bencher| {
            bencher.iter(|| legacy_xor(black_box(&page)));
        });
        group.bench_function("bound: copy", |bencher| {
            bencher.iter(|| black_box(&mut copy).copy_from_slice(black_box(&page)));
        });
        group.finish();
    }
}

criterion_group!(name = benches; config = support::criterion(); targets = checksums);
criterion_main!(benches);
