//! The writer's lock between processes: a second process is refused and told who holds it, and a killed
//! owner leaves no lock, only its data, which the next writer takes over.
#![allow(clippy::unwrap_used)] // helpers of tests, like the tests

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use dialtone::io::{IoError, RealVolume, Volume};

/// Set for the process that plays the other writer; holds the path to lock.
const CHILD: &str = "DIALTONE_TEST_LOCK_PATH";
const HELD: &str = "the lock is held";

/// Not a test of its own: what the other process runs.
#[test]
fn other_writer() {
    let Some(path) = std::env::var_os(CHILD) else { return };
    let _lock = RealVolume::pread().lock_writer(Path::new(&path)).unwrap();
    println!("\n{HELD}");
    // Ends when it is killed, or when the parent is gone and its pipe with it.
    let _ = std::io::stdin().read_line(&mut String::new());
}

/// Ends the process however the test ends.
struct OtherWriter(Child);

impl Drop for OtherWriter {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts another process and returns when it holds the lock.
fn start_other_writer(path: &Path) -> OtherWriter {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "other_writer", "--nocapture"])
        .env(CHILD, path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let other = OtherWriter(child);
    assert!(lines.map_while(Result::ok).any(|line| line == HELD), "the other process got no lock");
    other
}

fn database() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("priv.edb");
    std::fs::write(&path, b"content").unwrap();
    (directory, path)
}

#[test]
fn another_process_is_refused_and_told_who_holds_the_lock() {
    let (_directory, path) = database();
    let other = start_other_writer(&path);
    let refused = RealVolume::pread().lock_writer(&path).unwrap_err();
    let IoError::Locked { owner, .. } = &refused else { panic!("{refused}") };
    assert!(owner.starts_with(&format!("{} on host ", other.0.id())), "{owner}");
}

#[test]
fn a_killed_owner_leaves_no_lock_and_its_data_is_taken_over() {
    let (directory, path) = database();
    drop(start_other_writer(&path));
    let owner_path = directory.path().join("priv.edb.lock");
    assert!(owner_path.exists(), "a killed process cannot tidy up");
    let lock = RealVolume::pread().lock_writer(&path).unwrap();
    let owner = std::fs::read_to_string(&owner_path).unwrap();
    assert!(owner.starts_with(&format!("pid={}\n", std::process::id())), "{owner}");
    drop(lock);
    assert!(!owner_path.exists());
}
