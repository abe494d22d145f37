//! The process is cut at every write and sync of a long series of changes, and again inside the recovery from each cut:
//! what is read afterwards, and what a writer finds, is the last commit that had returned or a later one that was under
//! way, whole and accounted for to the page.
#![allow(clippy::unwrap_used)] // helpers of tests, like the tests

mod support;

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::RangeInclusive;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use dialtone::ese::page::Pgno;
use dialtone::ese::page::header::DbState;
use dialtone::ese::tree::Forest;
use dialtone::ese::txn::journal::journal_path;
use dialtone::ese::txn::{DatabaseFile, Pager, Pages, scan_pages};
use dialtone::io::{CrashKind, IoResult, Map, MemoryVolume, OpenMode, Storage, Volume, WriterLock};

use support::random::Slice;
use support::script::{Op, Player, Snapshot, last_page, long_script};
use support::{PATH, check_space, create_at, database_root, entries};

/// Crashes inside recovery that a run looks at when it is not full.
const NESTED_CASES: usize = 100;

/// A series that was played to its end, with all events recorded.
struct Played {
    volume: MemoryVolume,
    /// What each commit left, the starting state first.
    snapshots: Vec<Snapshot>,
    /// Number of events when the commit with that index was begun, and when it had returned.
    begun: Vec<usize>,
    returned: Vec<usize>,
}

fn play(script: &[Op]) -> Played {
    let volume = MemoryVolume::new();
    play_on(&volume, Arc::new(volume.clone()), script)
}

/// Plays a series on `dynamic`, which ends in `volume`.
fn play_on(volume: &MemoryVolume, dynamic: Arc<dyn Volume>, script: &[Op]) -> Played {
    create_at(&dynamic, Path::new(PATH), 16).unwrap();
    volume.forget_events();
    let mut player = Player::start(&dynamic).unwrap();
    let volume = volume.clone();
    let mut played =
        Played { volume, snapshots: vec![player.snapshot()], begun: vec![0], returned: vec![0] };
    let mut grown = Vec::new();
    for op in script {
        let begun = played.volume.event_count();
        player.play(op).unwrap();
        grown.push(last_page(&mut player));
        if matches!(op, Op::Commit) {
            played.begun.push(begun);
            played.returned.push(played.volume.event_count());
            played.snapshots.push(player.snapshot());
        }
    }
    player.close().unwrap();
    grown.dedup();
    assert!(grown.len() >= 3, "the file grows at least twice: {grown:?}");
    played
}

impl Played {
    /// The commits that may be found after a cut: the last one that had returned, and one that was under way.
    fn allowed(&self, cut: usize) -> RangeInclusive<usize> {
        let low = self.returned.iter().rposition(|returned| *returned <= cut).unwrap();
        let high = self.begun.iter().rposition(|begun| *begun < cut.max(1)).unwrap();
        low..=high.max(low)
    }

    /// The commit that left this dbtime (P9: each has one of its own).
    fn snapshot_of(&self, file: &DatabaseFile) -> usize {
        let dbtime = file.header().dbtime().0;
        let found = self.snapshots.iter().position(|snapshot| snapshot.dbtime == dbtime);
        found.unwrap_or_else(|| panic!("P7: no commit left dbtime {dbtime}"))
    }

    /// Everything in the file is as the commit left it.
    fn check(&self, file: &DatabaseFile, index: usize) {
        let snapshot = &self.snapshots[index];
        for (tree, model) in &snapshot.trees {
            let expected: Vec<_> =
                model.iter().map(|((key, _), data)| (key.clone(), data.clone())).collect();
            let found = entries(file, tree).unwrap();
            assert!(found == expected, "P1, P2: {tree:?} differs from commit {index}");
        }
        check_space(file, &snapshot.bare_trees());
    }

    /// Reads an image without changing it; answers which commit it holds.
    fn check_reader(&self, image: &MemoryVolume) -> usize {
        let file = DatabaseFile::open(image, Path::new(PATH)).unwrap();
        let index = self.snapshot_of(&file);
        self.check(&file, index);
        assert_eq!(image.event_count(), 0, "P7: a reader writes nothing");
        index
    }

    /// Opens an image for writing, tidies and closes it; answers which commit it holds.
    fn check_writer(&self, image: &MemoryVolume, with_commit: bool) -> usize {
        let mut forest = self.recover(image);
        let dbtime = forest.pager().header().dbtime().0;
        let index = self.snapshots.iter().position(|snapshot| snapshot.dbtime == dbtime).unwrap();
        if with_commit {
            self.change_and_take_back(&mut forest, index);
        }
        forest.close().unwrap();
        assert_eq!(image.file_bytes(journal_path(Path::new(PATH))), None, "closed with a journal");
        let file = DatabaseFile::open(image, Path::new(PATH)).unwrap();
        assert_eq!(file.header().state(), DbState::Clean, "P6");
        assert_eq!(file.warnings(), [""; 0], "P6, P11");
        assert_eq!(scan_pages(&file), [], "P10: no page is left half-written");
        self.check(&file, index);
        index
    }

    /// What every writer does after a crash.
    fn recover(&self, image: &MemoryVolume) -> Forest {
        let pager = Pager::open(Arc::new(image.clone()), Path::new(PATH)).unwrap();
        let mut forest = Forest::new(pager);
        let dbtime = forest.pager().header().dbtime().0;
        let found = self.snapshots.iter().find(|snapshot| snapshot.dbtime == dbtime);
        let roots: Vec<Pgno> = found.unwrap().trees.iter().map(|(tree, _)| tree.root).collect();
        forest.scrub_after_crash(&roots).unwrap();
        let owned = forest.space(database_root().root).unwrap().owned.last_page();
        if forest.pager().was_recovered() {
            assert_eq!(
                owned,
                Pgno::new(forest.pager().last_page()),
                "the file ends where it should"
            );
        }
        forest
    }

    /// Two commits that leave what was there before, on pages that may have been torn.
    fn change_and_take_back(&self, forest: &mut Forest, index: usize) {
        let trees = self.snapshots[index].bare_trees();
        let fill = |number: u32| format!("after the crash {number}").into_bytes();
        for tree in &trees {
            for number in 0..12 {
                forest.insert(tree, &fill(number), &[9; 900]).unwrap();
            }
        }
        forest.commit().unwrap();
        for tree in &trees {
            for number in 0..12 {
                forest.delete(tree, &fill(number), &[9; 900]).unwrap();
            }
        }
        forest.commit().unwrap();
    }
}

/// States that were looked at already, by the bytes of both files: many cuts leave the same ones.
#[derive(Default)]
struct Seen(HashMap<u64, usize>);

impl Seen {
    fn key(image: &MemoryVolume) -> u64 {
        let mut hasher = DefaultHasher::new();
        image.file_bytes(PATH).hash(&mut hasher);
        image.file_bytes(journal_path(Path::new(PATH))).hash(&mut hasher);
        hasher.finish()
    }

    /// The commit that an image holds, found by `look` unless its like was seen before.
    fn commit_of(&mut self, image: &MemoryVolume, look: impl FnOnce() -> usize) -> usize {
        *self.0.entry(Self::key(image)).or_insert_with(look)
    }
}

#[test]
fn a_cut_at_any_event_leaves_the_last_commit_or_the_one_under_way() {
    let played = play(&long_script());
    let (mut images, mut later) = (0, 0);
    let mut seen = Seen::default();
    for cut in 0..=played.volume.event_count() {
        let allowed = played.allowed(cut);
        for (kind, image) in played.volume.crash_images(cut) {
            images += 1;
            let found = seen.commit_of(&image, || {
                let read = played.check_reader(&image);
                let written = played.check_writer(&image, images % 5 == 0);
                assert_eq!(read, written, "P7: reader and writer disagree, cut {cut}, {kind:?}");
                read
            });
            assert!(
                allowed.contains(&found),
                "P4, P5: cut {cut}, {kind:?}: commit {found} instead of {allowed:?}"
            );
            later += usize::from(found > *allowed.start());
        }
    }
    let (cuts, states) = (played.volume.event_count() + 1, seen.0.len());
    println!("{cuts} cuts, {images} images, {states} different states");
    assert!(images > 700 && states > 400 && later > 50, "{images}, {states}, {later}");
}

#[test]
fn a_commit_that_has_returned_stands_in_its_journal_until_its_pages_are_synced() {
    let played = play(&long_script());
    let mut lost_in_place = 0;
    for cut in &played.returned[1..] {
        let allowed = played.allowed(*cut);
        assert_eq!(allowed.start(), allowed.end(), "nothing is under way");
        for (kind, image) in played.volume.crash_images(*cut) {
            let found = played.check_reader(&image);
            assert_eq!(found, *allowed.start(), "P4, P5: cut {cut}, {kind:?}");
            let has_journal = image
                .file_bytes(journal_path(Path::new(PATH)))
                .is_some_and(|journal| !journal.is_empty());
            lost_in_place += usize::from(has_journal && kind == CrashKind::NothingUnsynced);
        }
    }
    assert!(lost_in_place > 2, "{lost_in_place} commits were found in their journals alone");
}

/// The images from which a writer has something to replay or to tidy.
fn interesting(played: &Played) -> Vec<(usize, CrashKind, MemoryVolume)> {
    let mut seen = Seen::default();
    let mut found = Vec::new();
    for cut in 0..=played.volume.event_count() {
        for (kind, image) in played.volume.crash_images(cut) {
            let journal = image.file_bytes(journal_path(Path::new(PATH)));
            if journal.is_some_and(|journal| !journal.is_empty()) {
                seen.commit_of(&image, || {
                    found.push((cut, kind, image.clone()));
                    0
                });
            }
        }
    }
    found
}

#[test]
fn a_cut_inside_the_recovery_loses_nothing_either() {
    let played = play(&long_script());
    let first = interesting(&played);
    let slice = Slice::of_this_run("crashes inside recovery");
    let mut seen = Seen::default();
    let (mut outer, mut images) = (0, 0);
    for (number, (cut, kind, image)) in first.iter().enumerate() {
        if !slice.takes(number, first.len(), NESTED_CASES) {
            continue;
        }
        outer += 1;
        let before = played.check_reader(image);
        // Replay and tidying are recorded, then cut anywhere.
        played.recover(image).close().unwrap();
        for inner in 0..=image.event_count() {
            for (inner_kind, nested) in image.crash_images(inner) {
                images += 1;
                let found = seen.commit_of(&nested, || {
                    let read = played.check_reader(&nested);
                    assert_eq!(read, played.check_writer(&nested, false), "P7");
                    read
                });
                assert_eq!(
                    found, before,
                    "P5, P7: cut {cut}, {kind:?}, then {inner}, {inner_kind:?}"
                );
            }
        }
    }
    println!("{outer} of {} recoveries, {images} images", first.len());
    assert!(first.len() > 100, "{}", first.len());
    assert!(images > 20 * outer, "{images}");
}

/// A volume on which some syncs do nothing, for showing that the tests would notice.
#[derive(Debug, Clone)]
struct Lazy {
    inner: MemoryVolume,
    lost: Lost,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lost {
    Database,
    Journal,
    Directory,
}

#[derive(Debug)]
struct LazyStorage {
    inner: Arc<dyn Storage>,
    is_lost: bool,
}

impl Volume for Lazy {
    fn open(&self, path: &Path, mode: OpenMode) -> IoResult<Arc<dyn Storage>> {
        let inner = self.inner.open(path, mode)?;
        let kind = if path == Path::new(PATH) { Lost::Database } else { Lost::Journal };
        Ok(Arc::new(LazyStorage { inner, is_lost: kind == self.lost }))
    }
    fn exists(&self, path: &Path) -> IoResult<bool> {
        self.inner.exists(path)
    }
    fn is_same_file(&self, a: &Path, b: &Path) -> IoResult<bool> {
        self.inner.is_same_file(a, b)
    }

    fn remove(&self, path: &Path) -> IoResult<()> {
        self.inner.remove(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> IoResult<()> {
        self.inner.rename(from, to)
    }
    fn sync_parent(&self, path: &Path) -> IoResult<()> {
        if self.lost == Lost::Directory { Ok(()) } else { self.inner.sync_parent(path) }
    }
    fn lock_writer(&self, path: &Path) -> IoResult<WriterLock> {
        self.inner.lock_writer(path)
    }
}

impl Storage for LazyStorage {
    fn path(&self) -> &Path {
        self.inner.path()
    }
    fn len_bytes(&self) -> IoResult<u64> {
        self.inner.len_bytes()
    }
    fn read_exact_at(&self, buffer: &mut [u8], offset_bytes: u64) -> IoResult<()> {
        self.inner.read_exact_at(buffer, offset_bytes)
    }
    fn write_all_at(&self, bytes: &[u8], offset_bytes: u64) -> IoResult<()> {
        self.inner.write_all_at(bytes, offset_bytes)
    }
    fn set_len(&self, len_bytes: u64) -> IoResult<()> {
        self.inner.set_len(len_bytes)
    }
    fn preallocate(&self, len_bytes: u64) -> IoResult<()> {
        self.inner.preallocate(len_bytes)
    }
    fn sync(&self) -> IoResult<()> {
        if self.is_lost { Ok(()) } else { self.inner.sync() }
    }
    fn map(&self) -> IoResult<Option<Map>> {
        self.inner.map()
    }
}

/// Whether an image of the last two commits of a short series is not what it should be.
fn is_noticed(played: &Played) -> bool {
    let first = played.begun[played.begun.len() - 2];
    (first..=played.volume.event_count()).any(|cut| {
        played.volume.crash_images(cut).any(|(_, image)| {
            let look = AssertUnwindSafe(|| played.check_reader(&image));
            let writes = || Pager::open(Arc::new(image.clone()), Path::new(PATH)).is_err();
            !catch_unwind(look).is_ok_and(|found| played.allowed(cut).contains(&found)) || writes()
        })
    })
}

#[test]
fn syncs_that_do_nothing_would_be_noticed() {
    let volume = MemoryVolume::new();
    let honest = play_on(&volume, Arc::new(volume.clone()), &long_script());
    assert!(!is_noticed(&honest));
    for lost in [Lost::Database, Lost::Journal, Lost::Directory] {
        let inner = MemoryVolume::new();
        let lazy = Arc::new(Lazy { inner: inner.clone(), lost });
        let played = play_on(&inner, lazy, &long_script());
        assert!(is_noticed(&played), "nobody misses the syncs of {lost:?}");
    }
}

#[test]
fn torn_free_pages_are_found_and_zeroed_and_damaged_pages_in_use_are_left_alone() {
    let played = play(&long_script());
    let (mut torn, mut longer) = (0, 0);
    for cut in 0..=played.volume.event_count() {
        for (_, image) in played.volume.crash_images(cut) {
            let pager = Pager::open(Arc::new(image.clone()), Path::new(PATH)).unwrap();
            if !pager.was_recovered() {
                continue;
            }
            let damaged = pager.damaged_pages(1, pager.last_page()).unwrap().len();
            if damaged == 0 && longer > 0 {
                continue;
            }
            drop(pager);
            let before = image.len_bytes(PATH);
            played.recover(&image);
            longer += usize::from(image.len_bytes(PATH) < before);
            torn += damaged;
        }
    }
    assert!(torn > 10 && longer > 0, "{torn} torn pages, {longer} files cut");
}

#[test]
fn a_damaged_page_in_use_stays_as_it_is() {
    let played = play(&long_script());
    let cut = *played.returned.last().unwrap();
    let (_, image) = played.volume.crash_images(cut).next().unwrap();
    let (tree, model) = &played.snapshots.last().unwrap().trees[0];
    assert!(!model.is_empty());
    let mut bytes = image.file_bytes(PATH).unwrap();
    let at = tree.root.offset_bytes(dialtone::ese::page::PageSize::KIB4) as usize + 100;
    bytes[at..at + 8].fill(0x5a);
    let spoilt = MemoryVolume::new();
    spoilt.insert_file(PATH, &bytes);
    spoilt.insert_file(journal_path(Path::new(PATH)), &[]);
    let mut forest = Forest::new(Pager::open(Arc::new(spoilt.clone()), Path::new(PATH)).unwrap());
    let roots = played.snapshots.last().unwrap().bare_trees();
    let roots: Vec<Pgno> = roots.iter().map(|tree| tree.root).collect();
    forest.scrub_after_crash(&roots).unwrap();
    forest.close().unwrap();
    assert_eq!(spoilt.file_bytes(PATH).unwrap()[at..at + 8], [0x5a; 8]);
}
