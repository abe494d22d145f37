//! How fast is an empty table filled in key order, its secondary index and the commit included?
//!
//! The bound is writing and syncing the same bytes once.

mod support;

use std::fs::File;
use std::io::Write as _;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};

const ROWS: i32 = 20_000;
const ROW_BYTES: usize = 250;

fn loading(criterion: &mut Criterion) {
    let directory = support::directory();
    let path = directory.path().join("load.edb");
    let mut group = criterion.benchmark_group("table load");
    group.throughput(Throughput::Bytes(ROWS as u64 * ROW_BYTES as u64));
    group.bench_function("20,000 rows with an index", |bencher| {
        bencher.iter_batched(
            || {
                support::remove_pair(&path);
                let mut writer = support::create(&path);
                let table = support::create_table(&mut writer);
                (writer, table)
            },
            |(mut writer, table)| {
                support::load(&mut writer, &table, ROWS);
                writer.commit().expect("a commit");
                writer
            },
            BatchSize::PerIteration,
        );
    });
    let bytes = support::noise(ROWS as usize * ROW_BYTES, 9);
    group.bench_function("bound: write and sync", |bencher| {
        bencher.iter(|| {
            let mut file = File::create(directory.path().join("bound")).expect("a file");
            file.write_all(&bytes).expect("a write");
            file.sync_data().expect("a sync");
        });
    });
    group.finish();
}

criterion_group!(name = benches; config = support::few_samples(); targets = loading);
criterion_main!(benches);
