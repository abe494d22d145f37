//! How fast is a whole recovery of 64 MB: a copy into an empty store, a merge of which nine tenths are there, a merge with
//! nothing to do?
//!
//! Everything is in it: plan, pages, commit with its syncs, reading back. The bound of the copy is `cp` of the pair and `sync` of the
//! copies; of the merge that same copy; of the merge with nothing to do reading the pair once from the page cache. Fixed costs weigh
//! at this size: `tools/targets.sh` measures large stores.

mod support;

use std::fs::File;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use dialtone::recover::{JobReport, Mode, Options, RunOptions, recover};
use dialtone::store::{Store, StoreIdentity, StoreWriter};

const STORE_BYTES: u64 = 64_000_000;
const MAILBOXES: u32 = 12;

fn run(from: &Path, to: &Path, mode: Mode) -> JobReport {
    let run = RunOptions { memory_bytes: 256 << 20, workers: 2, ..RunOptions::new([7; 16]) };
    let options = Options::new(mode, 0);
    let report = recover(&support::volume(), from, to, &options, &run, &mut |_| {});
    report.expect("a recovery")
}

fn empty_like(from: &Path, to: &Path) {
    support::remove_pair(to);
    let like = Store::open(&*support::volume(), from).expect("the source");
    let identity = StoreIdentity::from_seed(9);
    let writer = StoreWriter::create_like(support::volume(), to, &identity, &like);
    writer.expect("an empty store").close().expect("a clean end");
}

/// Times `work` alone; `prepare` comes before each round.
fn timed(rounds: u64, mut prepare: impl FnMut(), mut work: impl FnMut()) -> Duration {
    let mut taken = Duration::ZERO;
    for _ in 0..rounds {
        prepare();
        let start = Instant::now();
        work();
        taken += start.elapsed();
    }
    taken
}

fn read_pair(path: &Path) {
    for file in support::pair(path) {
        let mut file = File::open(file).expect("a file");
        io::copy(&mut file, &mut io::sink()).expect("a readable file");
    }
}

fn recoveries(criterion: &mut Criterion) {
    let directory = support::directory();
    let path = |name: &str| directory.path().join(name);
    let (from, twin, to, copy) =
        (path("old.edb"), path("twin.edb"), path("new.edb"), path("cp.edb"));
    support::store(&from, MAILBOXES, STORE_BYTES, None);
    support::store(&twin, MAILBOXES, STORE_BYTES, Some(support::nine_tenths()));

    let mut group = criterion.benchmark_group("recovery of 64 MB");
    group.throughput(Throughput::Bytes(support::pair_bytes(&from)));
    group.bench_function("copy", |bencher| {
        bencher.iter_custom(|rounds| {
            timed(
                rounds,
                || empty_like(&from, &to),
                || {
                    let counters = run(&from, &to, Mode::CopyOverlay).counters;
                    assert_eq!(counters.inserted, counters.scanned, "everything is copied");
                },
            )
        });
    });
    group.bench_function("bound: cp and sync", |bencher| {
        bencher.iter_custom(|rounds| {
            timed(
                rounds,
                || support::remove_pair(&copy),
                || support::copy_pair_and_sync(&from, &copy),
            )
        });
    });
    group.bench_function("merge, nine of ten are there", |bencher| {
        bencher.iter_custom(|rounds| {
            let prepare = || {
                support::remove_pair(&to);
                support::copy_pair_and_sync(&twin, &to);
            };
            timed(rounds, prepare, || {
                let counters = run(&from, &to, Mode::Merge).counters;
                assert!(counters.unchanged > 8 * counters.inserted, "{counters:?}");
            })
        });
    });
    empty_like(&from, &to);
    run(&from, &to, Mode::CopyOverlay);
    group.bench_function("merge, nothing to do", |bencher| {
        bencher.iter(|| assert_eq!(run(&from, &to, Mode::Merge).counters.inserted, 0));
    });
    group.bench_function("bound: read the pair", |bencher| bencher.iter(|| read_pair(&from)));
    group.finish();
}

criterion_group!(name = benches; config = support::few_samples(); targets = recoveries);
criterion_main!(benches);
