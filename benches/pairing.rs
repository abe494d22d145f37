//! What does it cost to find out what is to be done: pairing the items of two mailboxes, and the whole plan from their rows?
//!
//! Pairing sees 100,000 items a side. Its bound is sorting both sides by folder and search key, which whoever joins two unordered
//! sets by key has to do or to do better. The bound of a plan is a walk over the folder rows of both stores that looks at
//! no column.

mod support;

use std::convert::Infallible;
use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use dialtone::ese::tree::Cursor;
use dialtone::mapi::SearchKey;
use dialtone::recover::item::{Item, ItemFlag};
use dialtone::recover::pair::{Scope, pair_items};
use dialtone::recover::{
    KnownReplicas, MailboxOptions, Mode, Options, Outcome, match_mailboxes, plan_mailbox,
};
use dialtone::store::Store;

const ITEMS: u64 = 100_000;
const FOLDERS: u64 = 40;
const STORE_BYTES: u64 = 100_000_000;

fn item(number: u64) -> Item {
    let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut search_key = [0; 16];
    search_key[..8].copy_from_slice(&mixed.to_be_bytes());
    let mut lineage = [0; 22];
    lineage[14..].copy_from_slice(&number.to_be_bytes());
    Item {
        row: number,
        created: number as i64,
        modified: number as i64,
        size_bytes: 4000 + number % 50_000,
        folder: (mixed % FOLDERS) as u32,
        lineage,
        search_key: SearchKey(search_key),
        change_key: search_key,
        flags: ItemFlag::empty(),
    }
}

fn pairing(criterion: &mut Criterion) {
    let source: Vec<Item> = (0..ITEMS).map(item).collect();
    let nine_tenths: Vec<Item> = (0..ITEMS).filter(|n| n % 10 != 0).map(item).collect();
    let others: Vec<Item> = (ITEMS..2 * ITEMS).map(item).collect();
    let pair = |target: &[Item]| {
        let mut none = |_, _: &Item| Ok::<_, Infallible>(None);
        match pair_items(black_box(&source), black_box(target), Scope::Mailbox, &mut none) {
            Ok(pairing) => pairing,
            Err(never) => match never {},
        }
    };
    let mut group = criterion.benchmark_group("pairing");
    group.throughput(Throughput::Elements(ITEMS));
    for (name, target, missing) in [
        ("all are there", &source, 0),
        ("nine of ten are there", &nine_tenths, ITEMS / 10),
        ("none is there", &others, ITEMS),
    ] {
        let open = pair(target).outcomes.iter().filter(|one| **one == Outcome::Missing).count();
        assert_eq!(open as u64, missing, "the pairing is the right one");
        group.bench_function(name, |bencher| bencher.iter(|| pair(target)));
    }
    group.bench_function("bound: sort both sides by key", |bencher| {
        let keys = |items: &[Item]| -> Vec<_> {
            items.iter().map(|item| (item.folder, item.search_key, item.row)).collect()
        };
        bencher.iter_batched(
            || (keys(&source), keys(&nine_tenths)),
            |(mut ours, mut theirs)| {
                ours.sort_unstable();
                theirs.sort_unstable();
                (ours, theirs)
            },
            BatchSize::LargeInput,
        );
    });
    group.finish();
}

fn planning(criterion: &mut Criterion) {
    let directory = support::directory();
    let (from, to) = (directory.path().join("old.edb"), directory.path().join("new.edb"));
    support::store(&from, 1, STORE_BYTES, None);
    support::store(&to, 1, STORE_BYTES, Some(support::nine_tenths()));
    let open = |path| Store::open(&*support::volume(), path).expect("a store");
    let (source, target) = (open(&from), open(&to));
    let (ours, theirs) = (source.view(), target.view());
    let matched = match_mailboxes(&ours, &theirs, &MailboxOptions::default()).expect("mailboxes");
    let pair = matched.pairs.first().expect("the twin has the same mailbox");
    let known = KnownReplicas::between(&ours, &theirs).expect("replicas");
    let options = Options::new(Mode::Merge, 0);
    let plan = || plan_mailbox(&ours, &theirs, pair, &options, &known).expect("a plan");
    let counters = plan().counters;
    assert!(counters.unchanged > 8 * counters.inserted, "nine of ten are there: {counters:?}");
    assert!(counters.inserted > 0, "one of ten is missing");

    let mut group = criterion.benchmark_group("planning");
    group.throughput(Throughput::Elements(counters.scanned));
    group.bench_function("merge, nine of ten are there", |bencher| bencher.iter(plan));
    group.bench_function("bound: walk over the rows of both", |bencher| {
        bencher.iter(|| [&source, &target].map(walk));
    });
    group.finish();
}

fn walk(store: &Store) -> u64 {
    let table = store.database().table("MsgFolder").expect("the table");
    let mut cursor = Cursor::new(store.database().file(), table.def().tree());
    let mut rows = 0;
    let mut is_on_row = cursor.first().expect("a readable tree");
    while is_on_row {
        rows += 1;
        is_on_row = cursor.next().expect("a readable tree");
    }
    rows
}

criterion_group!(name = benches; config = support::criterion(); targets = pairing, planning);
criterion_main!(benches);
