//! Every call to the disk fails once, and from then on always, with a failed medium and with a full disk: no commit is
//! reported that did not happen, nothing is synced again after a failed sync, a writer that cannot go on says so, and the
//! next one finds the last commit or the one under way.
#![allow(clippy::unwrap_used)] // helpers of tests, like the tests

mod support;

use std::path::Path;
use std::sync::Arc;

use dialtone::ese::EseResult;
use dialtone::ese::error::Refusal;
use dialtone::ese::page::Pgno;
use dialtone::ese::tree::{Change, Forest};
use dialtone::ese::txn::{DatabaseFile, Pager, scan_pages};
use dialtone::io::{FaultKind, FaultPlan, FaultVolume, MemoryVolume, Volume};

use support::random::Slice;
use support::script::{Op, Player, Snapshot, long_script};
use support::{PATH, check_content, check_space, create_at};

/// Failing calls that a run looks at when it is not full, of each kind of failure.
const CASES: usize = 60;

/// What a run under faults came to.
struct Ran {
    /// The state at the start, and after each commit that was reported done.
    snapshots: Vec<Snapshot>,
    /// The state that the last commit tried to leave, if it was not reported done.
    tried: Option<Snapshot>,
    /// Whether a call gave [`Refusal::WriterDead`].
    was_refused: bool,
}

fn database() -> MemoryVolume {
    let memory = MemoryVolume::new();
    let volume: Arc<dyn Volume> = Arc::new(memory.clone());
    create_at(&volume, Path::new(PATH), 16).unwrap();
    memory.forget_events();
    memory
}

fn is_dead(result: &EseResult<()>) -> bool {
    result.as_ref().is_err_and(|error| error.refusal() == Some(Refusal::WriterDead))
}

/// Plays the series. After the first error it goes on as a stubborn caller would, until the writer refuses.
fn run(volume: &FaultVolume<MemoryVolume>, script: &[Op]) -> Ran {
    let dynamic: Arc<dyn Volume> = Arc::new(volume.clone());
    let created = DatabaseFile::open(volume.inner(), Path::new(PATH)).unwrap();
    let start = Snapshot { dbtime: created.header().dbtime().0, trees: Vec::new() };
    let mut ran = Ran { snapshots: vec![start], tried: None, was_refused: false };
    let Ok(mut player) = Player::start(&dynamic) else { return ran };
    for op in script {
        let result = player.play(op);
        match (op, &result) {
            (Op::Commit, Ok(())) => ran.snapshots.push(player.snapshot()),
            (Op::Commit, Err(_)) => {
                ran.tried = Some(player.snapshot());
                break;
            }
            (_, Ok(())) => {}
            // A tree that could not be made is missed by all later steps.
            (_, Err(_)) => break,
        }
    }
    if volume.fired() {
        ran.was_refused = insist(&mut player, &mut ran);
    }
    let _ = player.close();
    ran
}

/// Tries to go on after a failure: either everything is refused, or the commit is a whole one.
fn insist(player: &mut Player, ran: &mut Ran) -> bool {
    let Some(forest) = player.forest() else { return true };
    let commit = forest.commit();
    match &commit {
        Ok(()) => {
            ran.snapshots.push(player.snapshot());
            ran.tried = None;
            return false;
        }
        Err(_) if ran.tried.is_none() => ran.tried = Some(player.snapshot()),
        Err(_) => {}
    }
    let forest = player.forest().unwrap();
    assert!(is_dead(&forest.commit()), "P8, P12: a second commit after {commit:?}");
    assert!(is_dead(&forest.pager_mut().spill()), "P8: spilled by a dead writer");
    assert!(forest.pager_mut().edit(Pgno::fixed(1)).is_err(), "P8: edited by a dead writer");
    true
}

/// What a disk holds after the failed run must be one of the states that it may hold.
fn check_after(image: &MemoryVolume, ran: &Ran, what: &str) {
    let pager = Pager::open(Arc::new(image.clone()), Path::new(PATH)).unwrap();
    let dbtime = pager.header().dbtime().0;
    let mut forest = Forest::new(pager);
    let last = ran.snapshots.last().unwrap();
    let tried = ran.tried.as_ref().filter(|_| dbtime == last.dbtime + 1);
    let found = if dbtime == last.dbtime { Some(last) } else { tried };
    let found = found.unwrap_or_else(|| panic!("{what}: P7: dbtime {dbtime}"));
    let roots: Vec<Pgno> = found.trees.iter().map(|(tree, _)| tree.root).collect();
    forest.scrub_after_crash(&roots).unwrap();
    forest.close().unwrap();
    let file = DatabaseFile::open(image, Path::new(PATH)).unwrap();
    assert_eq!(scan_pages(&file), [], "{what}: P10");
    found.trees.iter().for_each(|(tree, model)| check_content(&file, tree, model));
    check_space(&file, &found.bare_trees());
}

fn fails_at(number: u64, kind: FaultKind, is_lasting: bool, script: &[Op]) -> Ran {
    let plan =
        if is_lasting { FaultPlan::from(number, kind) } else { FaultPlan::once(number, kind) };
    let volume = FaultVolume::new(database(), plan);
    let ran = run(&volume, script);
    let what = volume.first_failure().unwrap_or_default();
    assert!(volume.fired(), "call {number} is not reached");
    assert!(!volume.synced_after_failed_sync(), "P8: {what}: synced after a failed sync");
    // As the system would see it now, and as it would be after a power cut now.
    let memory = volume.inner();
    for (kind, image) in memory.crash_images(memory.event_count()) {
        check_after(&image, &ran, &format!("{what}, {kind:?}"));
    }
    check_after(memory, &ran, &what);
    ran
}

fn every_call_fails(kind: FaultKind) {
    let script = long_script();
    let commits = script.iter().filter(|op| matches!(op, Op::Commit)).count();
    let counted = FaultVolume::new(database(), FaultPlan::none());
    let ran = run(&counted, &script);
    assert_eq!(ran.snapshots.len(), commits + 1, "all commits without a fault");
    let (slice, calls) = (Slice::of_this_run("failing calls"), counted.calls());
    let (mut refused, mut done) = (0, 0);
    for number in 1..=calls {
        if slice.takes(number as usize, calls as usize, CASES) {
            for is_lasting in [false, true] {
                refused += usize::from(fails_at(number, kind, is_lasting, &script).was_refused);
                done += 1;
            }
        }
    }
    println!("{calls} calls, {done} failures, {refused} writers refused to go on");
    assert!(refused > done / 2, "{refused} of {done}");
}

#[test]
fn a_failed_medium_never_makes_a_commit_that_did_not_happen() {
    every_call_fails(FaultKind::InputOutput);
}

#[test]
fn a_full_disk_never_makes_a_commit_that_did_not_happen() {
    every_call_fails(FaultKind::NoSpace);
}

#[test]
fn an_operation_that_stops_half_way_ends_the_writer() {
    let memory = database();
    let volume: Arc<dyn Volume> = Arc::new(memory.clone());
    let mut player = Player::start(&volume).unwrap();
    let script = long_script();
    let last_commit = script.iter().rposition(|op| matches!(op, Op::Commit)).unwrap();
    script[..last_commit].iter().for_each(|op| player.play(op).unwrap());
    let (tree, model) = player.snapshot().trees[0].clone();
    let last_key = &model.last_key_value().unwrap().0.0;
    let forest = player.forest().unwrap();
    let put = |key: &[u8]| Change::Insert { key: key.into(), data: vec![1] };
    // Refused before the first change: the writer goes on.
    let refused = forest.merge(&tree, [put(last_key)]).unwrap_err();
    assert_eq!(refused.refusal(), Some(Refusal::DuplicateKey));
    forest.commit().unwrap();
    // Refused after a change in another leaf: half a batch must not be committed.
    let refused = forest.merge(&tree, [put(b"\0first"), put(last_key)]).unwrap_err();
    assert_eq!(refused.refusal(), Some(Refusal::DuplicateKey));
    assert!(is_dead(&forest.commit()), "P12: half a batch can be committed");
}
