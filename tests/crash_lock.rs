//! One writer at a time: a second one is refused at once and told who the first is, in this process and in another; a writer
//! that is killed in the middle of its commits leaves all that were reported done.
#![allow(clippy::unwrap_used)] // helpers of tests, like the tests

mod support;

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use dialtone::ese::EseError;
use dialtone::ese::page::{Dbtime, ObjId};
use dialtone::ese::tree::{DATABASE_ROOT, Forest, Tree, TreeKind, verify_tree};
use dialtone::ese::txn::{DatabaseFile, Pager, scan_pages};
use dialtone::io::{IoError, MemoryVolume, RealVolume, Volume};

use support::{check_space, create_at, entries};

/// Set for the process that plays the other writer: the database.
const CHILD: &str = "DIALTONE_TEST_WRITER_PATH";

/// The one tree of the test database.
fn tree(root: dialtone::ese::page::Pgno) -> Tree {
    Tree::new(root, ObjId(2), TreeKind::Table)
}

/// Not a test of its own: what the other process runs. Commits numbers and says each one, until it is killed.
#[test]
fn other_writer() {
    let Some(path) = std::env::var_os(CHILD) else { return };
    let volume: Arc<dyn Volume> = Arc::new(RealVolume::pread());
    let mut forest = Forest::new(Pager::open(volume, Path::new(&path)).unwrap());
    let objid = forest.pager_mut().next_objid().unwrap();
    let tree = forest.create_tree(DATABASE_ROOT, objid, TreeKind::Table, 1).unwrap();
    forest.commit().unwrap();
    let mut out = std::io::stdout();
    writeln!(out, "\nroot {}", tree.root).unwrap();
    for number in 0u32.. {
        forest.insert(&tree, &number.to_be_bytes(), &[number as u8; 700]).unwrap();
        if number % 5 == 4 {
            forest.commit().unwrap();
            // Nobody listens any more when the parent is gone.
            if writeln!(out, "done {number}").is_err() {
                return;
            }
        }
    }
}

/// Held by each test: a process that is being started has this one's descriptors for a moment, and with them its lock,
/// which would still stand when another test has closed its database.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends the process however the test ends.
struct OtherWriter(Child);

impl Drop for OtherWriter {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start_other_writer(path: &Path) -> (OtherWriter, impl Iterator<Item = String>) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "other_writer", "--nocapture"])
        .env(CHILD, path)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    (OtherWriter(child), lines.map_while(Result::ok))
}

fn database() -> (tempfile::TempDir, PathBuf, Arc<dyn Volume>) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("priv.edb");
    let volume: Arc<dyn Volume> = Arc::new(RealVolume::pread());
    create_at(&volume, &path, 16).unwrap();
    (directory, path, volume)
}

/// The owner that a refusal names.
fn refused_by(result: Result<Pager, EseError>) -> String {
    match result.map(|_| ()) {
        Err(EseError::Io(IoError::Locked { owner, .. })) => owner,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_second_writer_in_this_process_is_refused_at_once() {
    let _alone = alone();
    let (_directory, real_path, real) = database();
    let memory: Arc<dyn Volume> = Arc::new(MemoryVolume::new());
    let memory_path = PathBuf::from(support::PATH);
    create_at(&memory, &memory_path, 16).unwrap();
    for (volume, path) in [(real, real_path), (memory, memory_path)] {
        let first = Pager::open(volume.clone(), &path).unwrap();
        let started = Instant::now();
        let owner = refused_by(Pager::open(volume.clone(), &path));
        assert!(started.elapsed() < Duration::from_secs(1));
        assert!(owner.starts_with(&std::process::id().to_string()), "{owner}");
        first.close().unwrap();
        Pager::open(volume.clone(), &path).unwrap().close().unwrap();
    }
}

#[test]
fn a_writer_in_another_process_is_named_and_a_killed_one_loses_no_commit() {
    let _alone = alone();
    let (directory, path, volume) = database();
    let (other, mut lines) = start_other_writer(&path);
    let said = lines.by_ref().find_map(|line| line.strip_prefix("root ")?.parse().ok());
    let tree = tree(dialtone::ese::page::Pgno::new(said.unwrap()).unwrap());
    let owner = refused_by(Pager::open(volume.clone(), &path));
    assert!(owner.starts_with(&format!("{} on host ", other.0.id())), "{owner}");
    let done = |line: String| line.strip_prefix("done ").and_then(|rest| rest.parse::<u32>().ok());
    assert!(lines.by_ref().filter_map(done).any(|number| number >= 40));
    drop(other); // killed, most likely in the middle of a commit
    let last_said = lines.filter_map(done).last().unwrap_or(40);

    let mut forest = Forest::new(Pager::open(volume.clone(), &path).unwrap());
    assert!(forest.pager().was_recovered());
    forest.scrub_after_crash(&[tree.root]).unwrap();
    forest.close().unwrap();
    let file = DatabaseFile::open(&*volume, &path).unwrap();
    let found = entries(&file, &tree).unwrap();
    assert!(found.len() as u32 > last_said, "{} entries after {last_said}", found.len());
    assert_eq!(found.len() % 5, 0, "half a commit is there");
    for (number, (key, data)) in (0u32..).zip(&found) {
        assert_eq!((key.as_slice(), data), (&number.to_be_bytes()[..], &vec![number as u8; 700]));
    }
    assert_eq!(verify_tree(&file, &tree, Dbtime(u64::MAX)).findings, []);
    check_space(&file, &[tree]);
    assert_eq!(scan_pages(&file), []);
    let left: Vec<_> = std::fs::read_dir(directory.path()).unwrap().collect();
    assert_eq!(left.len(), 1, "only the database is left: {left:?}");
}
