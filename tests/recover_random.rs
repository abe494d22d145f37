//! Random pairs of stores: both ways of writing, and any number of workers, give the same logical target and the same report; a second
//! run finds nothing to do; the report's sums come out.

#![allow(clippy::unwrap_used)] // a test program

mod recover_stage;
mod recover_support;
mod store_support;
mod support;

use std::path::Path;
use std::sync::Arc;

use dialtone::io::{MemoryVolume, Volume};
use dialtone::recover::{
    ConflictRule, DeletedRule, DumpsterRule, JobReport, Mode, Options, RunOptions, WritePath,
    recover,
};
use dialtone::store::{ItemId, Mailbox, StoreWriter};

use recover_stage::{Hand, merge};
use recover_support::{SOURCE, TARGET, Two, assert_clean, options, seen, volume_bytes};
use store_support::{mapi, profile};
use support::random::{Random, Slice};

/// Pairs of stores of one run.
const PAIRS: u64 = 24;
const MAILBOXES: usize = 3;
const FOLDERS: [&str; 6] = ["#inbox#", "Projects", "Projects/A", "#sent_items#", "#drafts#", "B/C"];

/// The user of a random mailbox does something.
fn step(
    writer: &mut StoreWriter,
    mailboxes: &[Mailbox],
    items: &mut [Vec<ItemId>],
    dice: &mut Random,
) {
    let who = dice.below(mailboxes.len());
    let mut hand = Hand { writer, mailbox: mailboxes[who].clone() };
    let folder = FOLDERS[dice.below(FOLDERS.len())];
    let number = dice.below(40) as u32;
    let items = &mut items[who];
    let choice = dice.below(10);
    if choice < 4 || items.is_empty() {
        items.push(hand.put(folder, number));
        return;
    }
    let at = dice.below(items.len());
    let id = items[at];
    let seconds = 60 + dice.below(5) as i64 * 60;
    match choice {
        4 => {
            let folder = hand.folder(folder);
            let message = mapi(100 + number, dice.below(9000), dice.below(2) == 0);
            items.push(hand.writer.insert_mapi(folder, &message).unwrap());
        }
        5 => items.push(hand.copy(id, folder, seconds)),
        6 => hand.edit(id, &format!("edited {}", dice.below(4)), seconds),
        7 => items[at] = hand.shift(id, folder),
        8 => hand.writer.set_read(id, dice.below(2) == 0).unwrap(),
        _ => {
            match dice.below(2) {
                0 => hand.writer.soft_delete_item(id).unwrap(),
                _ => hand.writer.delete_item(id).unwrap(),
            }
            items.swap_remove(at);
        }
    }
}

fn pair_of_stores(dice: &mut Random) -> MemoryVolume {
    let mut two = Two::new();
    for (writer, first) in [(&mut two.source, &two.ours), (&mut two.target, &two.theirs)] {
        let mut mailboxes = vec![first.clone()];
        for number in 2..=MAILBOXES {
            mailboxes.push(writer.add_mailbox(&profile(number as u8)).unwrap());
        }
        let mut items = vec![Vec::new(); MAILBOXES];
        for _ in 0..20 + dice.below(60) {
            step(writer, &mailboxes, &mut items, dice);
        }
    }
    two.close()
}

/// An independent copy of the files.
fn copy_of(volume: &MemoryVolume) -> MemoryVolume {
    let copy = MemoryVolume::new();
    for path in volume.paths() {
        if let Some(bytes) = volume.file_bytes(&path) {
            copy.insert_file(&path, &bytes);
        }
    }
    copy
}

fn run(
    volume: &MemoryVolume,
    options: &Options,
    path: WritePath,
    workers: usize,
    commit_bytes: u64,
) -> JobReport {
    let dynamic: Arc<dyn Volume> = Arc::new(volume.clone());
    let run = RunOptions { path, workers, commit_bytes, ..RunOptions::new([7; 16]) };
    recover(&dynamic, Path::new(SOURCE), Path::new(TARGET), options, &run, &mut |_| {}).unwrap()
}

fn random_options(dice: &mut Random) -> Options {
    let mode = [Mode::Merge, Mode::Merge, Mode::CopyOverlay, Mode::CopyFolder][dice.below(4)];
    let mut options = options(mode);
    options.rules.conflict =
        [ConflictRule::Latest, ConflictRule::Source, ConflictRule::Target, ConflictRule::All]
            [dice.below(4)];
    if dice.below(3) == 0 {
        options.rules.deleted = DeletedRule::Resurrect;
    }
    if dice.below(3) == 0 {
        options.dumpster = DumpsterRule::Preserve;
    }
    options.unite_read_state = dice.below(3) == 0;
    options
}

#[test]
fn both_ways_of_writing_give_the_same_target_whatever_the_number_of_workers() {
    let seed = Slice::of_this_run("random pairs").seed();
    for case in 0..PAIRS {
        let mut dice = Random::new(seed ^ case << 32);
        let volume = pair_of_stores(&mut dice);
        let options = random_options(&mut dice);
        let source = volume_bytes(&volume, SOURCE);
        let mut first = None;
        for (path, workers, commit_bytes) in [
            (WritePath::Plain, 1, 256 << 20),
            (WritePath::Plain, 1, 5000),
            (WritePath::Parallel, 1, 256 << 20),
            (WritePath::Parallel, 2, 5000),
            (WritePath::Parallel, 8, 1),
        ] {
            let context =
                format!("seed {seed}, case {case}, {path:?}, {workers} workers, {options:?}");
            let copy = copy_of(&volume);
            let report = run(&copy, &options, path, workers, commit_bytes);
            assert!(report.adds_up() && report.failed() == 0, "{context}: {report:#?}");
            assert!(source == volume_bytes(&copy, SOURCE), "{context}: the source was changed");
            assert_clean(&copy, TARGET);
            let found = (seen(&copy, TARGET), report.counters, report.side);
            match &first {
                None => first = Some(found),
                Some(first) => assert!(*first == found, "{context}:\n{first:#?}\n{found:#?}"),
            }
            let again = run(&copy, &options, path, workers, commit_bytes);
            assert_eq!(
                (again.counters.inserted, again.counters.replaced),
                (0, 0),
                "{context}: again"
            );
        }
    }
}

#[test]
fn a_merge_into_an_empty_target_is_the_source() {
    let seed = Slice::of_this_run("random sources").seed();
    for case in 0..8 {
        let mut dice = Random::new(seed ^ case << 40);
        let volume = pair_of_stores(&mut dice);
        let fresh = MemoryVolume::new();
        for path in [SOURCE.to_owned(), SOURCE.replace(".edb", ".stm")] {
            fresh.insert_file(&path, &volume.file_bytes(&path).unwrap());
        }
        let source = dialtone::store::Store::open(&fresh, Path::new(SOURCE)).unwrap();
        let dynamic: Arc<dyn Volume> = Arc::new(fresh.clone());
        let identity = dialtone::store::StoreIdentity::from_seed(99);
        StoreWriter::create_like(dynamic, Path::new(TARGET), &identity, &source)
            .unwrap()
            .close()
            .unwrap();
        let options = Options { dumpster: DumpsterRule::Preserve, ..merge() };
        let report = run(&fresh, &options, WritePath::Parallel, 3, 20_000);
        assert!(report.adds_up(), "seed {seed}, case {case}");
        assert!(seen(&fresh, SOURCE) == seen(&fresh, TARGET), "seed {seed}, case {case}");
        assert_clean(&fresh, TARGET);
    }
}
