//! How fast are chunks of long values compressed and decompressed?
//!
//! The bound is a copy of the same bytes in memory. Noise is what most attachments are: it must be given up on quickly.

mod support;

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use dialtone::ese::table::compress::{decompress, xpress_compress};

const CHUNK_BYTES: usize = 4014;

fn chunks(c: &mut Criterion) {
    let (text, noise) = (support::text(CHUNK_BYTES), support::noise(CHUNK_BYTES, 1));
    let mut packed = Vec::new();
    assert!(xpress_compress(&text, &mut packed), "text shrinks");
    let mut group = c.benchmark_group("xpress");
    group.throughput(Throughput::Bytes(text.len() as u64));
    let mut out = Vec::with_capacity(2 * text.len());
    for (name, plain) in [("compress text", &text), ("compress noise", &noise)] {
        group.bench_function(name, |b| {
            b.iter(|| {
                out.clear();
                xpress_compress(black_box(plain), &mut out)
            });
        });
    }
    group.bench_function("decompress text", |b| {
        b.iter(|| {
            out.clear();
            decompress(black_box(&packed), text.len(), &mut out)
        });
    });
    group.bench_function("bound: copy", |b| {
        b.iter(|| {
            out.clear();
            out.extend_from_slice(black_box(&text));
        });
    });
    group.finish();
}

criterion_group!(name = benches; config = support::criterion(); targets = chunks);
criterion_main!(benches);
