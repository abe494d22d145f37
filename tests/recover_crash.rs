//! A small merge and a small copy, by both ways of writing, are cut at every write and sync. Whatever is left of the target checks
//! clean, holds whole items of a commit, and never less than what was reported done; the source is what it was; and a second run ends
//! where an undisturbed one does.

#![allow(clippy::unwrap_used)] // a test program

mod recover_stage;
mod recover_support;
mod store_support;
mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use dialtone::ese::check::Severity;
use dialtone::io::{FaultKind, FaultPlan, FaultVolume, MemoryVolume, Volume};
use dialtone::recover::{Mode, Options, Progress, RunOptions, WritePath, recover};
use dialtone::store::check::check_store;

use recover_stage::{PATHS, ours, theirs};
use recover_support::{SOURCE, Seen, TARGET, Two, assert_clean, options, seen, volume_bytes};
use store_support::{mapi, profile};
use support::random::Slice;

/// Images that one run looks at, of each scenario.
const CASES: usize = 60;
/// Failing calls that one run looks at, of each scenario.
const FAULTS: usize = 25;

type State = BTreeMap<(String, String), Vec<Seen>>;

/// Two mailboxes with a little of everything: new, edited, moved, shared, in both forms.
fn stores() -> MemoryVolume {
    let mut two = Two::new();
    let other = two.source.add_mailbox(&profile(2)).unwrap();
    two.target.add_mailbox(&profile(2)).unwrap();
    let mut hand = ours(&mut two);
    let shared = hand.put("#inbox#", 1);
    hand.put("New/Deep", 2);
    let edited = hand.put("#inbox#", 3);
    hand.edit(edited, "ours", 60);
    hand.put("#inbox#", 4);
    let folder = hand.folder("Mapi");
    hand.writer.insert_mapi(folder, &mapi(5, 9000, true)).unwrap();
    hand.mailbox = other;
    hand.copy(shared, "#inbox#", 0);
    hand.put("#inbox#", 6);
    let mut hand = theirs(&mut two);
    hand.put("#inbox#", 3);
    let moved = hand.put("#inbox#", 4);
    hand.shift(moved, "Projects");
    hand.put("#inbox#", 7);
    let volume = two.close();
    volume.forget_events();
    volume
}

fn try_run(
    volume: Arc<dyn Volume>,
    options: &Options,
    path: WritePath,
    watch: &mut (dyn FnMut(Progress<'_>) + Send),
) -> dialtone::ese::EseResult<dialtone::recover::JobReport> {
    let run = RunOptions { path, workers: 2, commit_bytes: 1500, ..RunOptions::new([7; 16]) };
    recover(&volume, Path::new(SOURCE), Path::new(TARGET), options, &run, watch)
}

/// A run that nothing disturbs: what it left, and how many events had happened when each mailbox was reported done, with what the
/// target held then.
struct Undisturbed {
    volume: MemoryVolume,
    last: State,
    done: Vec<(usize, State)>,
}

fn undisturbed(options: &Options, path: WritePath) -> Undisturbed {
    let volume = stores();
    let mut done = Vec::new();
    let report = try_run(Arc::new(volume.clone()), options, path, &mut |progress| {
        if let Progress::Mailbox(_) = progress {
            done.push((volume.event_count(), seen(&volume, TARGET)));
        }
    })
    .unwrap();
    assert!(report.adds_up() && report.failed() == 0);
    let last = seen(&volume, TARGET);
    Undisturbed { volume, last, done }
}

/// The mail level of what a crash left agrees with itself; that the database says it is dirty is true.
fn assert_sound(image: &MemoryVolume, context: &str) {
    let mut findings = Vec::new();
    check_store(image, Path::new(TARGET), &mut |finding| findings.push(finding.clone())).unwrap();
    findings.retain(|finding| finding.severity == Severity::Error);
    assert!(findings.is_empty(), "{context}: {findings:#?}");
}

/// Every item of `part` is in `whole`.
fn is_part(part: &State, whole: &State) -> bool {
    part.iter().all(|(folder, items)| {
        let mut left = whole.get(folder).cloned().unwrap_or_default();
        items.iter().all(|item| {
            let at = left.iter().position(|other| other == item);
            at.map(|at| left.swap_remove(at)).is_some()
        })
    })
}

#[test]
fn a_run_cut_anywhere_leaves_whole_items_and_can_be_repeated() {
    let slice = Slice::of_this_run("cuts of a recovery");
    for (mode, path) in
        [Mode::Merge, Mode::CopyFolder].into_iter().flat_map(|mode| PATHS.map(|path| (mode, path)))
    {
        let options = options(mode);
        let plain = undisturbed(&options, path);
        let first = seen(&stores(), TARGET);
        let source = volume_bytes(&plain.volume, SOURCE);
        let cuts = plain.volume.event_count() + 1;
        let total: usize = (0..cuts).map(|cut| plain.volume.crash_images(cut).count()).sum();
        // What a reader finds after each event, if all of them had reached the disk: the commits.
        let (mut images, mut looked, mut states) = (0, 0, 0);
        let mut previous = None;
        for cut in 0..cuts {
            for (kind, image) in plain.volume.crash_images(cut) {
                images += 1;
                if !slice.takes(images, total, CASES) {
                    continue;
                }
                looked += 1;
                let context = format!("{mode:?} {path:?}, cut {cut} of {cuts}, {kind:?}");
                assert!(volume_bytes(&image, SOURCE) == source, "{context}: the source");
                assert_sound(&image, &context);
                let found = seen(&image, TARGET);
                let reported = plain.done.iter().rfind(|(events, _)| *events <= cut);
                let least = reported.map_or(&first, |(_, state)| state);
                let has_least = least == &first || is_part(least, &found);
                assert!(has_least, "{context}: less than what was reported done");
                // Replaced items stand in the first or in the last form, all others in the last.
                let allowed = join(&first, &plain.last);
                assert!(is_part(&found, &allowed), "{context}: something else\n{found:#?}");
                states += usize::from(previous.as_ref() != Some(&found));
                let report = try_run(Arc::new(image.clone()), &options, path, &mut |_| {});
                let report = report.unwrap_or_else(|error| panic!("{context}: again: {error}"));
                assert!(report.adds_up() && report.failed() == 0, "{context}: {report:#?}");
                assert_clean(&image, TARGET);
                assert!(
                    seen(&image, TARGET) == plain.last,
                    "{context}: a second run ends elsewhere"
                );
                previous = Some(found);
            }
        }
        println!(
            "{mode:?} {path:?}: {cuts} cuts, {images} images, {looked} looked at, {states} states"
        );
        // How many commits workers make depends on their speed: at least before and after.
        let least = if path == WritePath::Plain { 3 } else { 2 };
        assert!(looked > 20 && states >= least, "{looked}, {states}");
    }
}

/// All items of either.
fn join(a: &State, b: &State) -> State {
    let mut all = a.clone();
    for (folder, items) in b {
        all.entry(folder.clone()).or_default().extend(items.iter().cloned());
    }
    all
}

#[test]
fn a_disk_that_fails_or_fills_ends_the_run_and_the_next_one_finishes() {
    let slice = Slice::of_this_run("faults of a recovery");
    for path in PATHS {
        let options = options(Mode::Merge);
        let last = undisturbed(&options, path).last;
        let counting = FaultVolume::new(stores(), FaultPlan::none());
        try_run(Arc::new(counting.clone()), &options, path, &mut |_| {}).unwrap();
        let calls = counting.calls();
        let mut looked = 0;
        for number in 1..=calls {
            if !slice.takes(number as usize, calls as usize, FAULTS) {
                continue;
            }
            for kind in [FaultKind::InputOutput, FaultKind::NoSpace] {
                for plan in [FaultPlan::once(number, kind), FaultPlan::from(number, kind)] {
                    let volume = FaultVolume::new(stores(), plan);
                    let source = volume_bytes(volume.inner(), SOURCE);
                    let result = try_run(Arc::new(volume.clone()), &options, path, &mut |_| {});
                    if !volume.fired() {
                        // With several workers the number of calls is not always the same.
                        continue;
                    }
                    looked += 1;
                    let what = volume.first_failure().unwrap_or_default();
                    let context = format!("{path:?}, call {number} of {calls}, {kind:?}: {what}");
                    assert!(!volume.synced_after_failed_sync(), "{context}: synced again");
                    let image = volume.inner();
                    assert!(volume_bytes(image, SOURCE) == source, "{context}: the source");
                    if let Ok(report) = &result {
                        // A failure that does not matter: a lock's note, a preallocation.
                        assert!(report.adds_up() && report.failed() == 0, "{context}");
                        assert!(
                            seen(image, TARGET) == last,
                            "{context}: reported done, but is not"
                        );
                    }
                    assert_sound(image, &context);
                    let report = try_run(Arc::new(image.clone()), &options, path, &mut |_| {});
                    let report = report.unwrap_or_else(|error| panic!("{context}: again: {error}"));
                    assert!(report.failed() == 0, "{context}: {report:#?}");
                    assert_clean(image, TARGET);
                    assert!(seen(image, TARGET) == last, "{context}: a second run ends elsewhere");
                }
            }
        }
        println!("{path:?}: {calls} calls, {looked} failures looked at");
        assert!(looked > 20, "{looked}");
    }
}
