//! The inside of a recovery: what its threads were at, what waited in its queues, what it wrote to the journal. No test looks at how
//! long anything took, only at what must be so however long it did. Source: recover-semantics 18.

#![allow(clippy::unwrap_used)] // a test program

mod recover_stage;
mod recover_support;
mod store_support;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use dialtone::ese::txn::journal::journal_path;
use dialtone::io::{Event, MemoryVolume, Volume};
use dialtone::recover::{
    Crew, JobReport, RunOptions, Stage, StageReport, StageTime, WritePath, recover,
};
use dialtone::store::{Role, Store};

use recover_stage::{PATHS, merge, ours};
use recover_support::{SOURCE, TARGET, Two, mail, run};
use store_support::profile;

const MAILBOXES: u8 = 12;
const MAILS: u32 = 15;
/// Sums of times that were rounded one by one.
const ROUNDING: f64 = 1e-6;

/// Two stores with the same mailboxes; those of the source have mail.
fn stores() -> MemoryVolume {
    let mut two = Two::new();
    for number in 1..=MAILBOXES {
        let mailbox = match number {
            1 => two.ours.clone(),
            _ => two.source.add_mailbox(&profile(number)).unwrap(),
        };
        if number > 1 {
            two.target.add_mailbox(&profile(number)).unwrap();
        }
        let inbox = mailbox.logon_folder(Role::Inbox).unwrap();
        for at in 0..MAILS {
            let (promoted, bytes) = mail(u32::from(number) * 100 + at);
            two.source.insert_mime(inbox, &promoted, &bytes).unwrap();
        }
    }
    two.close()
}

fn crew_seconds(report: &StageReport, crew: Crew) -> f64 {
    report.named().filter(|(stage, _)| stage.crew() == crew).map(|(_, time)| time.seconds).sum()
}

fn inside(report: &JobReport) -> &StageReport {
    report.stages.as_ref().unwrap()
}

/// What holds for every recovery by pages.
fn assert_inside(report: &JobReport, workers: usize) {
    let inside = inside(report);
    assert_eq!(inside.workers, workers);
    assert!(inside.wall_seconds <= report.seconds);
    // The committer is the thread that began and ended: every moment of it is told. Workers come later and go earlier.
    let committer = crew_seconds(inside, Crew::Committer);
    assert!((committer - inside.wall_seconds).abs() < ROUNDING, "{inside:?}");
    let all = workers as f64 * inside.wall_seconds;
    assert!(crew_seconds(inside, Crew::Worker) <= all + ROUNDING, "{inside:?}");
    for (stage, StageTime { seconds, span }) in inside.named() {
        let threads = if stage.crew() == Crew::Worker { workers as f64 } else { 1.0 };
        let Some((from, to)) = span else {
            assert_eq!(seconds, 0.0, "{stage:?}");
            continue;
        };
        assert!(0.0 <= from && from <= to && to <= inside.wall_seconds, "{stage:?}: {inside:?}");
        assert!(seconds <= threads * (to - from) + ROUNDING, "{stage:?}: {inside:?}");
        assert!((0.0..=1.0 + ROUNDING).contains(&inside.share(stage)), "{stage:?}");
    }
    for crew in [Crew::Worker, Crew::Committer] {
        assert!((0.0..=1.0 + ROUNDING).contains(&inside.busy_share(crew)), "{crew:?}");
    }
    let written = report.mailboxes.iter().filter(|mailbox| mailbox.counters.inserted > 0).count();
    for stage in [Stage::Prepare, Stage::Plan, Stage::Note, Stage::Verify, Stage::Close] {
        let is_due = stage != Stage::Verify || written > 0;
        assert_eq!(inside.time(stage).span.is_some(), is_due, "{stage:?}: {inside:?}");
    }
    assert_queues(inside, written as u64, (report.mailboxes.len() - written) as u64);
}

fn assert_queues(inside: &StageReport, written: u64, settled: u64) {
    assert!(inside.to_committer.max <= inside.to_committer.sent, "{inside:?}");
    assert!(inside.to_workers.max <= inside.to_workers.sent, "{inside:?}");
    for queue in [&inside.to_committer, &inside.to_workers, &inside.room] {
        assert!(queue.mean() <= queue.max as f64, "{queue:?}");
        assert!(queue.capacity.is_none_or(|capacity| queue.max <= capacity), "{queue:?}");
    }
    // A plan and a verified mailbox; its pieces and its verifying are in both. A mailbox with nothing to write is told once.
    assert_eq!(inside.to_committer.sent, inside.to_workers.sent + written + settled);
    assert_eq!(inside.to_workers.sent, inside.room.sent + written);
}

#[test]
fn a_copy_is_planned_built_linked_committed_and_verified() {
    for workers in [1, 2, 5] {
        let report = run(&stores(), &merge(), WritePath::Parallel, workers);
        assert_eq!(report.counters.inserted, u64::from(MAILBOXES) * u64::from(MAILS));
        assert_inside(&report, workers);
        let inside = inside(&report);
        let began = |stage| inside.time(stage).span.unwrap().0;
        // Nothing can begin before what it needs has begun.
        let order = [
            Stage::Prepare,
            Stage::Plan,
            Stage::Read,
            Stage::Copy,
            Stage::Link,
            Stage::Commit,
            Stage::Verify,
            Stage::Close,
        ];
        assert!(order.windows(2).all(|two| began(two[0]) < began(two[1])), "{inside:?}");
        for stage in [Stage::Index, Stage::Sync] {
            assert!(began(Stage::Link) < began(stage) && began(stage) < began(Stage::Close));
        }
        let (_, end) = inside.time(Stage::Close).span.unwrap();
        assert_eq!(end, inside.wall_seconds);
        // A piece for each mailbox, and its verifying.
        assert_eq!(inside.to_workers.sent, 2 * u64::from(MAILBOXES));
    }
}

#[test]
fn where_there_is_nothing_to_do_nothing_is_built() {
    let volume = stores();
    run(&volume, &merge(), WritePath::Parallel, 2);
    let again = run(&volume, &merge(), WritePath::Parallel, 2);
    assert_eq!(again.counters.inserted, 0);
    assert_inside(&again, 2);
    for stage in [Stage::Read, Stage::Copy, Stage::AwaitRoom, Stage::Link, Stage::Commit] {
        assert_eq!(inside(&again).time(stage), StageTime::default(), "{stage:?}");
    }
    assert_eq!((again.contents.items, again.contents.copied), (0, 0));
    assert_eq!(again.contents.shared_share(), None);
    assert_eq!((inside(&again).to_workers.sent, again.commits), (0, 0));
    assert_eq!(again.mailboxes.len(), usize::from(MAILBOXES));
    // Each has its row in the record of jobs all the same, as done.
    let store = Store::open(&volume, Path::new(TARGET)).unwrap();
    let rows = store.view().jobs().unwrap();
    let done = rows.iter().filter(|row| row.ended.is_some()).count();
    assert_eq!((rows.len(), done), (usize::from(MAILBOXES), usize::from(MAILBOXES)));
}

#[test]
fn what_waits_to_be_linked_in_keeps_to_its_budget() {
    let volume: Arc<dyn Volume> = Arc::new(stores());
    let options = merge();
    // Room for the pieces of a few of the mailboxes.
    let run = RunOptions { workers: 5, memory_bytes: 2 << 20, ..RunOptions::new([7; 16]) };
    let paths = (Path::new(SOURCE), Path::new(TARGET));
    let report = recover(&volume, paths.0, paths.1, &options, &run, &mut |_| {}).unwrap();
    assert_inside(&report, 5);
    let room = inside(&report).room;
    assert_eq!(room.capacity, Some(run.memory_bytes / 8));
    assert!(room.max > 0 && room.sent >= u64::from(MAILBOXES), "{room:?}");
}

#[test]
fn only_the_parallel_way_tells_its_stages() {
    assert_eq!(run(&stores(), &merge(), WritePath::Plain, 1).stages, None);
}

#[test]
fn a_content_that_several_items_hold_is_copied_once() {
    for path in PATHS {
        let mut two = Two::new();
        let mut hand = ours(&mut two);
        let first = hand.put("#inbox#", 1);
        let instance = hand.item(first).instance;
        let (inbox, (promoted, _)) = (hand.folder("#inbox#"), mail(1));
        for _ in 0..3 {
            hand.writer.insert_shared(inbox, &promoted, instance).unwrap();
        }
        hand.put("#inbox#", 2);
        let report = run(&two.close(), &merge(), path, 2);
        assert_eq!((report.contents.items, report.contents.copied), (5, 2), "{path:?}");
        assert_eq!(report.contents.shared_share(), Some(0.6));
    }
}

/// Bytes of all writes to a file, by the volume's own record.
fn written_bytes(volume: &MemoryVolume, path: &Path) -> u64 {
    let length = |event: &Event| match event {
        Event::Write { path: written, bytes, .. } if written == path => bytes.len() as u64,
        _ => 0,
    };
    volume.events().iter().map(length).sum()
}

#[test]
fn log_bytes_are_what_was_written_to_the_journal() {
    for path in PATHS {
        let volume = stores();
        volume.forget_events();
        let report = run(&volume, &merge(), path, 2);
        let journal: PathBuf = journal_path(Path::new(TARGET));
        assert!(report.log_bytes > 0);
        assert_eq!(report.log_bytes, written_bytes(&volume, &journal), "{path:?}");
    }
}
