//! A small sound database to spoil, and everything that a program may do with a spoilt one.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Once};
use std::time::{Duration, Instant};

use dialtone::ese::EseResult;
use dialtone::ese::page::{Dbtime, ObjId, Pgno, checksum};
use dialtone::ese::tree::{
    Change, Cursor, DATABASE_ROOT, Forest, Tree, TreeBuilder, TreeKind, read_space, tree_of_root,
    verify_tree,
};
use dialtone::ese::txn::{DatabaseFile, Pager, Pages, scan_pages};
use dialtone::io::{MemoryVolume, Volume};

use super::random::Random;
use super::{PATH, create_at, database_root};

/// Bytes of a page of the test database.
pub const PAGE: usize = 4096;
/// Longest that one case may take.
const TIME_MAX: Duration = Duration::from_secs(2);
/// Most memory that the process may ever have used, in KiB.
const MEMORY_MAX_KIB: u64 = 600 << 10;

thread_local! {
    static IN_CASE: Cell<bool> = const { Cell::new(false) };
}

/// The database and its trees: a table of two levels with space trees, a non-unique index and long values under it, and a
/// table of one page with a single extent.
pub struct Base {
    pub bytes: Vec<u8>,
    pub trees: Vec<Tree>,
}

/// Makes the database: 64 pages.
pub fn base() -> Base {
    let memory = MemoryVolume::new();
    let volume: Arc<dyn Volume> = Arc::new(memory.clone());
    create_at(&volume, Path::new(PATH), 64).unwrap();
    let mut forest = super::reopen(&volume);
    let mut random = Random::new(3);
    let mut trees: Vec<Tree> = Vec::new();
    let kinds = [
        (TreeKind::Table, 1, 60, 250),
        (TreeKind::NonUniqueIndex, 2, 90, 90),
        (TreeKind::LongValue, 1, 8, 2500),
        (TreeKind::UniqueIndex, 6, 12, 20),
    ];
    for (number, (kind, pages, count, data_bytes)) in kinds.into_iter().enumerate() {
        let parent = if number % 3 == 0 { DATABASE_ROOT } else { trees[0].root };
        let objid = forest.pager_mut().next_objid().unwrap();
        let tree = forest.create_tree(parent, objid, kind, pages).unwrap();
        for entry in 0..count {
            forest.insert(&tree, &key(entry), &random.bytes(data_bytes)).unwrap();
        }
        trees.push(tree);
    }
    forest.commit().unwrap();
    forest.close().unwrap();
    Base { bytes: memory.file_bytes(PATH).unwrap(), trees }
}

/// Key number `entry` of each tree of the database.
pub fn key(entry: u32) -> Vec<u8> {
    format!("key {:04}\0", entry * 10).into_bytes()
}

impl Base {
    /// All trees, the space trees and the database root too.
    pub fn all_trees(&self) -> Vec<Tree> {
        let volume = volume_of(&self.bytes);
        let file = DatabaseFile::open(&volume, Path::new(PATH)).unwrap();
        let mut all = Vec::new();
        for tree in self.trees.iter().chain([&database_root()]) {
            all.push(*tree);
            let space = read_space(&file, tree.root).unwrap().space_trees();
            all.extend(space.into_iter().flat_map(|(owned, available)| [owned, available]));
        }
        all
    }

    /// Every page in use, with its tree.
    pub fn used_pages(&self) -> Vec<(Pgno, Tree)> {
        let volume = volume_of(&self.bytes);
        let file = DatabaseFile::open(&volume, Path::new(PATH)).unwrap();
        let pages = |tree: Tree| verify_tree(&file, &tree, Dbtime(u64::MAX)).pages;
        self.all_trees()
            .into_iter()
            .flat_map(|tree| pages(tree).into_iter().map(move |pgno| (pgno, tree)))
            .collect()
    }
}

/// The bytes of page `pgno` in a file.
pub fn page_mut(bytes: &mut [u8], pgno: Pgno) -> &mut [u8] {
    let start = (pgno.get() as usize + 1) * PAGE;
    &mut bytes[start..start + PAGE]
}

/// Gives page `pgno` the checksum that its bytes deserve.
pub fn restamp(bytes: &mut [u8], pgno: Pgno) {
    checksum::stamp(page_mut(bytes, pgno), pgno);
}

/// A volume with such a database.
pub fn volume_of(bytes: &[u8]) -> MemoryVolume {
    let volume = MemoryVolume::new();
    volume.insert_file(PATH, bytes);
    volume
}

/// What one case did.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Typed errors met while reading.
    pub read_errors: usize,
    /// Errors of the writer, as text.
    pub write_errors: Vec<String>,
}

/// Reads and writes a database in every way; a panic, a hang or a flood of memory is told as text.
pub fn exercise(volume: &MemoryVolume, trees: &[Tree], variant: usize) -> Result<Outcome, String> {
    static QUIET: Once = Once::new();
    // A panic is told by the case that it belongs to.
    QUIET.call_once(|| {
        let usual = std::panic::take_hook();
        let unless_in_case = move |info: &std::panic::PanicHookInfo<'_>| {
            if !IN_CASE.get() {
                usual(info);
            }
        };
        std::panic::set_hook(Box::new(unless_in_case));
    });
    let started = Instant::now();
    let mut outcome = Outcome::default();
    IN_CASE.set(true);
    let result = catch_unwind(AssertUnwindSafe(|| {
        outcome.read_errors = read(volume, trees);
        outcome.write_errors = write(volume, trees, variant);
    }));
    IN_CASE.set(false);
    if let Err(panic) = result {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| text.to_string()));
        return Err(format!("panic: {}", text.unwrap_or_default()));
    }
    if started.elapsed() > TIME_MAX {
        return Err(format!("took {:?}", started.elapsed()));
    }
    // The peak never falls again: only the case that raises it is to blame.
    static PEAK_KIB: AtomicU64 = AtomicU64::new(MEMORY_MAX_KIB);
    match memory_peak_kib() {
        Some(kib) if kib > PEAK_KIB.fetch_max(kib, Ordering::Relaxed) => {
            Err(format!("{kib} KiB of memory were used"))
        }
        _ => Ok(outcome),
    }
}

/// The most memory that this process has had, where the system tells.
fn memory_peak_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches("kB").trim().parse().ok()
}

/// Walks everything, going on after errors; answers how many there were.
fn read(volume: &MemoryVolume, trees: &[Tree]) -> usize {
    let Ok(file) = DatabaseFile::open(volume, Path::new(PATH)) else { return 1 };
    let mut errors = usize::from(!scan_pages(&file).is_empty());
    for tree in trees.iter().chain([&database_root()]) {
        errors += walk(&file, tree) + verify_tree(&file, tree, Dbtime(u64::MAX)).findings.len();
        match read_space(&file, tree.root) {
            Ok(space) => {
                for part in space.space_trees().into_iter().flat_map(|(a, b)| [a, b]) {
                    errors += verify_tree(&file, &part, Dbtime(u64::MAX)).findings.len();
                }
            }
            Err(_) => errors += 1,
        }
        let named = file.page(tree.root).and_then(|page| Ok(tree_of_root(&page.view()?)));
        errors += named.map_or(1, |tree| walk(&file, &tree));
    }
    errors
}

fn walk(file: &DatabaseFile, tree: &Tree) -> usize {
    let (mut errors, mut moves) = (0, 0);
    for forward in [true, false] {
        let mut cursor = Cursor::new(file, *tree);
        let mut step = if forward { cursor.first() } else { cursor.last() };
        loop {
            match step {
                Ok(false) => break,
                Ok(true) => errors += usize::from(cursor.entry().is_err()),
                Err(_) => errors += 1,
            }
            moves += 1;
            assert!(moves < 1_000_000, "the walk does not end");
            step = if forward { cursor.next() } else { cursor.previous() };
        }
    }
    for entry in [0, 17, 300] {
        let mut cursor = Cursor::new(file, *tree);
        errors += usize::from(cursor.seek_bookmark(&key(entry), b"data").is_err());
    }
    errors
}

/// Opens for writing, makes some changes, commits and closes; goes on after errors as long as the writer lets it.
fn write(volume: &MemoryVolume, trees: &[Tree], variant: usize) -> Vec<String> {
    let mut errors = Vec::new();
    let pager = match Pager::open(Arc::new(volume.clone()), Path::new(PATH)) {
        Ok(pager) => pager,
        Err(error) => return vec![error.to_string()],
    };
    let mut forest = Forest::new(pager);
    let roots: Vec<Pgno> = trees.iter().map(|tree| tree.root).collect();
    let mut note = |result: EseResult<()>| {
        if let Err(error) = result {
            errors.push(error.to_string());
        }
    };
    note(forest.scrub_after_crash(&roots).map(drop));
    let mut order: Vec<Tree> = trees.to_vec();
    order.rotate_left(variant % trees.len().max(1));
    for tree in &order {
        match variant / trees.len().max(1) % 4 {
            0 => inserts(&mut forest, tree, &mut note),
            1 => deletes(&mut forest, tree, &mut note),
            2 => batches(&mut forest, tree, &mut note),
            _ => trees_come_and_go(&mut forest, tree, &mut note),
        }
        note(forest.commit());
    }
    note(forest.close());
    errors
}

fn inserts(forest: &mut Forest, tree: &Tree, note: &mut impl FnMut(EseResult<()>)) {
    for entry in 0..40u32 {
        let key = format!("key {:04}\0", entry * 17 + 3).into_bytes();
        note(forest.insert(tree, &key, &vec![1; 30 + entry as usize * 20]));
    }
    for entry in [0, 5, 11] {
        if !tree.is_by_data() {
            note(forest.replace(tree, &key(entry), &[2; 3000]));
        }
    }
    for number in 0..6 {
        note(forest.insert(tree, &[b'z', number], &[3; 3900]));
    }
}

fn deletes(forest: &mut Forest, tree: &Tree, note: &mut impl FnMut(EseResult<()>)) {
    for entry in (0..90).rev() {
        let data = data_of(forest, tree, &key(entry)).unwrap_or_default();
        note(forest.delete(tree, &key(entry), &data));
        if entry == 40 {
            note(forest.commit());
        }
    }
    note(forest.insert(tree, b"one", b"more"));
}

/// The data of an entry, which a tree ordered by data wants to know.
fn data_of(forest: &Forest, tree: &Tree, key: &[u8]) -> Option<Vec<u8>> {
    let mut cursor = Cursor::new(forest.pager(), *tree);
    cursor.find(key).ok().filter(|found| *found)?;
    cursor.entry().ok().flatten().map(|node| node.data.to_vec())
}

fn batches(forest: &mut Forest, tree: &Tree, note: &mut impl FnMut(EseResult<()>)) {
    for (number, data_bytes) in [(1, 5), (2, 150), (3, 1800)] {
        let put = |entry: u32| Change::Put {
            key: format!("key {:04}\0", entry * 13 + number).into_bytes(),
            data: vec![4; data_bytes],
        };
        note(forest.merge(tree, (0..50).map(put)).map(drop));
        note(forest.pager_mut().spill());
    }
    let delete = |entry| {
        data_of(forest, tree, &key(entry)).map(|data| Change::Delete { key: key(entry), data })
    };
    let changes: Vec<Change> = (0..60).filter_map(delete).collect();
    note(forest.merge(tree, changes).map(drop));
}

fn trees_come_and_go(forest: &mut Forest, tree: &Tree, note: &mut impl FnMut(EseResult<()>)) {
    let objid = forest.pager_mut().next_objid().unwrap_or(ObjId(99));
    match forest.create_tree(tree.root, objid, TreeKind::LongValue, 3) {
        Ok(new) => {
            note(build(forest, new));
            note(forest.commit());
            note(forest.drop_tree(new.root));
        }
        Err(error) => note(Err(error)),
    }
    note(forest.commit());
    note(forest.drop_tree(tree.root));
}

fn build(forest: &mut Forest, tree: Tree) -> EseResult<()> {
    let mut builder = TreeBuilder::new(forest, tree)?;
    for entry in 0..30 {
        builder.push(forest, &key(entry), &[5; 700])?;
    }
    builder.finish(forest).map(drop)
}
