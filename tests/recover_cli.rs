//! `recover` from outside: exit codes, error codes, JSON lines, the job's folder; and that a refusal changes no byte of either pair.

#![allow(clippy::unwrap_used)] // a test program

mod store_support;

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Command as Process, Stdio};
use std::sync::Arc;

use assert_cmd::Command;
use dialtone::io::RealVolume;
use dialtone::store::{Role, StoreIdentity, StoreWriter};
use serde_json::Value as Json;

use store_support::{NOW, mapi, mime, profile, promoted};

/// Set for the process that holds a store open for writing.
const CHILD: &str = "DIALTONE_TEST_HOLD_STORE";

struct Run {
    code: i32,
    lines: Vec<Json>,
    errors: String,
}

impl Run {
    fn of(&self, kind: &str) -> Vec<&Json> {
        self.lines.iter().filter(|line| line["type"] == kind).collect()
    }

    fn error(&self) -> String {
        let told = self.of("error");
        assert_eq!(told.len(), 1, "{:?}", self.lines);
        told[0]["code"].as_str().unwrap().to_owned()
    }
}

fn run(arguments: &[&str]) -> Run {
    let mut command = Command::cargo_bin("dialtone").unwrap();
    let result = command.args(["recover", "--json"]).args(arguments).output().unwrap();
    let text = String::from_utf8(result.stdout).unwrap();
    let lines: Vec<Json> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let code = result.status.code().unwrap();
    assert_eq!(lines.first().unwrap()["type"], "hello");
    assert_eq!(lines.last().unwrap()["type"], "exit");
    assert_eq!(lines.last().unwrap()["code"], code);
    Run { code, lines, errors: String::from_utf8(result.stderr).unwrap() }
}

/// Two pairs of files: the source has two mailboxes with mail, the target only the first of them.
struct Place {
    directory: tempfile::TempDir,
}

fn make(path: &Path, seed: u64, mailboxes: u8, mails: std::ops::Range<u32>) {
    let identity = StoreIdentity::from_seed(seed);
    let volume = Arc::new(RealVolume::pread());
    let mut writer = StoreWriter::create(volume, path, &identity).unwrap();
    writer.set_now(NOW);
    for number in 1..=mailboxes {
        let mailbox = writer.add_mailbox(&profile(number)).unwrap();
        let inbox = mailbox.logon_folder(Role::Inbox).unwrap();
        for mail in mails.clone() {
            let bytes = mime(mail, 3000);
            writer.insert_mime(inbox, &promoted(mail, &bytes), &bytes).unwrap();
        }
        writer.insert_mapi(inbox, &mapi(90 + mails.start, 200, false)).unwrap();
    }
    writer.close().unwrap();
}

impl Place {
    fn new() -> Self {
        let place = Self { directory: tempfile::tempdir().unwrap() };
        make(&place.path("src.edb"), 1, 2, 0..6);
        make(&place.path("dst.edb"), 2, 1, 4..8);
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn name(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    /// All files below, with what is in them.
    fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut found = BTreeMap::new();
        let mut open = vec![self.directory.path().to_path_buf()];
        while let Some(directory) = open.pop() {
            for entry in fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    open.push(path);
                } else {
                    found.insert(path.clone(), fs::read(&path).unwrap());
                }
            }
        }
        found
    }

    fn recover(&self, more: &[&str]) -> Run {
        let (from, to) = (self.name("src.edb"), self.name("dst.edb"));
        let mut arguments = vec!["--from", &from, "--to", &to, "--mode", "merge"];
        arguments.extend(more);
        run(&arguments)
    }

    /// The run ends with this code, and no file is another one afterwards.
    fn refuses(&self, what: &str, result: impl FnOnce() -> Run, code: i32, error: &str) -> Run {
        let before = self.files();
        let run = result();
        assert_eq!((run.code, run.error().as_str()), (code, error), "{what}: {}", run.errors);
        assert!(before == self.files(), "{what}: a refusal changes nothing");
        run
    }
}

#[test]
fn a_run_is_told_in_lines_and_kept_in_the_folder_of_the_job() {
    let place = Place::new();
    let first = place.recover(&[]);
    // The second mailbox of the source has no counterpart.
    assert_eq!(first.code, 3, "{}", first.errors);
    assert_eq!(first.of("started")[0]["items"], 7);
    assert_eq!(first.of("skipped")[0]["reason"], "target_missing");
    assert_eq!(first.of("warning")[0]["code"], "E_MBX_SKIPPED");
    let mailbox = first.of("mailbox")[0];
    assert_eq!((&mailbox["state"], &mailbox["match"]), (&"Completed".into(), &"guid".into()));
    assert_eq!(mailbox["counters"]["inserted"], 5);
    assert_eq!(mailbox["over_quota_after"], false);
    let report = first.of("report")[0];
    assert_eq!((&report["grade"], &report["verified"]), (&"perfect".into(), &5.into()));
    assert_inside(report);
    let job = report["run"]["job"].as_str().unwrap();
    let folder = place.path("dst.edb.jobs").join(job);
    let kept: Json =
        serde_json::from_slice(&fs::read(folder.join("report.json")).unwrap()).unwrap();
    assert_eq!(kept["total"]["counters"], report["counters"]);
    assert_eq!(kept["mailboxes"][0]["counters"], mailbox["counters"]);
    let options: Json =
        serde_json::from_slice(&fs::read(folder.join("options.json")).unwrap()).unwrap();
    assert!(options["arguments"].as_array().unwrap().contains(&"merge".into()));

    let again = place.recover(&["--create-missing", "--verify", "full", "--path", "plain"]);
    assert_eq!(again.code, 0, "{}", again.errors);
    let counters = &again.of("report")[0]["counters"];
    assert_eq!((&counters["inserted"], &counters["unchanged"]), (&7.into(), &7.into()));
    let on = place.recover(&["--job", job]);
    assert_eq!((on.code, &on.of("report")[0]["done_before"]), (0, &1.into()));
    let check =
        Command::cargo_bin("dialtone").unwrap().args(["check", &place.name("dst.edb")]).output();
    assert!(check.unwrap().status.success());
}

/// What is told of the inside of a run of one mailbox with five new mails.
fn assert_inside(report: &Json) {
    assert_eq!(report["contents"], serde_json::json!({"items": 5, "copied": 5}));
    assert!(report["log_bytes"].as_u64().unwrap() > 0);
    let inside = &report["stages"];
    let stages = inside["stages"].as_array().unwrap();
    let shares = |crew: &str| {
        let of = stages.iter().filter(|stage| stage["crew"] == crew);
        of.map(|stage| stage["share"].as_f64().unwrap()).sum::<f64>()
    };
    assert!(shares("worker") <= 1.0 + 1e-6, "{inside}");
    assert!((shares("committer") - 1.0).abs() < 1e-6, "{inside}");
    for name in ["plan", "read", "copy", "link", "commit", "verify"] {
        assert!(stages.iter().any(|stage| stage["stage"] == name), "{name}: {inside}");
    }
    // A plan, a piece, and that the mailbox was verified.
    assert_eq!(
        (&inside["to_committer"]["sent"], &inside["room_bytes"]["sent"]),
        (&3.into(), &1.into())
    );
}

#[test]
fn people_get_a_table() {
    let place = Place::new();
    let mut command = Command::cargo_bin("dialtone").unwrap();
    let (from, to) = (place.name("src.edb"), place.name("dst.edb"));
    let arguments = ["recover", "--from", &from, "--to", &to, "--mode", "copy", "--into", "folder"];
    let result = command.args(arguments).args(["--mailbox", "User 1"]).output().unwrap();
    let text = String::from_utf8(result.stdout).unwrap();
    assert!(result.status.success(), "{text}");
    assert!(text.contains("User 1") && text.contains("Completed"), "{text}");
    assert!(text.contains("read back"), "{text}");
    assert!(!text.contains('\u{1b}'), "no colours in a pipe");
}

#[test]
fn a_dry_run_changes_no_byte_and_leaves_no_file() {
    let place = Place::new();
    let before = place.files();
    let out = place.name("new.edb");
    for more in [&["--dry-run"][..], &["--dry-run", "--out", &out]] {
        let run = place.recover(more);
        assert_eq!((run.code, &run.of("mailbox")[0]["state"]), (3, &"Planned".into()));
        assert_eq!(run.of("report")[0]["counters"]["inserted"], 5);
        assert!(run.of("report")[0]["stages"].is_null());
        assert!(before == place.files(), "{more:?}");
    }
}

#[test]
fn the_target_is_only_read_when_the_outcome_goes_elsewhere() {
    let place = Place::new();
    let before = place.files();
    let out = place.name("new.edb");
    let run = place.recover(&["--out", &out]);
    assert_eq!(run.code, 3, "{}", run.errors);
    let after = place.files();
    assert!(before.iter().all(|(path, bytes)| after.get(path) == Some(bytes)));
    assert!(place.path("new.edb").exists() && place.path("new.stm").exists());
    let check = Command::cargo_bin("dialtone").unwrap().args(["check", &out]).output().unwrap();
    assert!(check.status.success());
    place.refuses("over a store", || place.recover(&["--out", &out]), 1, "E_REFUSED");
}

#[test]
fn one_store_is_not_recovered_into_itself_by_whatever_name() {
    let place = Place::new();
    std::os::unix::fs::symlink(place.path("src.edb"), place.path("link.edb")).unwrap();
    std::os::unix::fs::symlink(place.path("src.stm"), place.path("link.stm")).unwrap();
    fs::hard_link(place.path("src.edb"), place.path("hard.edb")).unwrap();
    fs::hard_link(place.path("src.stm"), place.path("hard.stm")).unwrap();
    let from = place.name("src.edb");
    for other in ["src.edb", "link.edb", "hard.edb", "./src.edb"] {
        let to = place.name(other);
        let merge = || run(&["--from", &from, "--to", &to, "--mode", "merge"]);
        place.refuses(other, merge, 12, "E_SAME_STORE");
        let turned = || run(&["--from", &to, "--to", &from, "--mode", "merge", "--dry-run"]);
        place.refuses(other, turned, 12, "E_SAME_STORE");
    }
}

#[test]
fn pairs_that_are_torn_missing_or_cut_are_refused_with_the_reason() {
    for side in ["src", "dst"] {
        let (edb, stm) = (format!("{side}.edb"), format!("{side}.stm"));
        let place = Place::new();
        let other = if side == "src" { "dst.stm" } else { "src.stm" };
        fs::copy(place.path(other), place.path(&stm)).unwrap();
        let run = place.refuses("another store's stm", || place.recover(&[]), 12, "E_SIG_MISMATCH");
        assert!(run.errors.contains("put back the .stm and .edb"), "{}", run.errors);

        let place = Place::new();
        let earlier = fs::read(place.path(&stm)).unwrap();
        let mut writer =
            StoreWriter::open(Arc::new(RealVolume::pread()), &place.path(&edb)).unwrap();
        writer.add_mailbox(&profile(77)).unwrap();
        writer.close().unwrap();
        fs::write(place.path(&stm), earlier).unwrap();
        place.refuses("the stm of another day", || place.recover(&[]), 12, "E_SIG_MISMATCH");

        let place = Place::new();
        fs::remove_file(place.path(&stm)).unwrap();
        place.refuses("no stm", || place.recover(&[]), 12, "E_SIG_MISMATCH");

        let place = Place::new();
        fs::remove_file(place.path(&edb)).unwrap();
        place.refuses("no edb", || place.recover(&[]), 10, "E_NOT_FOUND");

        let place = Place::new();
        let bytes = fs::read(place.path(&edb)).unwrap();
        fs::write(place.path(&edb), &bytes[..5000]).unwrap();
        let before = place.files();
        let run = place.recover(&[]);
        assert_ne!(run.code, 0, "a database cut short: {:?}", run.lines);
        assert!(before == place.files(), "{side}");
        fs::write(place.path(&edb), b"not a database").unwrap();
        let before = place.files();
        assert!([1, 10, 12].contains(&place.recover(&[]).code));
        assert!(before == place.files(), "{side}");

        let place = Place::new();
        let bytes = fs::read(place.path(&stm)).unwrap();
        fs::write(place.path(&stm), &bytes[..4000]).unwrap();
        place.refuses("a stm without a header", || place.recover(&[]), 1, "E_CORRUPT");
        fs::write(place.path(&stm), &bytes[..5 * 4096]).unwrap();
        let run = place.refuses("a stm cut short", || place.recover(&[]), 1, "E_CORRUPT");
        assert!(run.errors.contains("cut off"), "{}", run.errors);
    }
}

#[test]
fn what_does_not_exist_is_found_out_before_anything_changes() {
    let place = Place::new();
    let nobody = || place.recover(&["--mailbox", "Nobody"]);
    place.refuses("a mailbox", nobody, 10, "E_NOT_FOUND");
    let map = place.path("map.csv");
    let one = profile(1).guid;
    for (text, code, error) in [
        (format!("# empty\n\n{one},{}\n", profile(99).guid), 10, "E_NOT_FOUND"),
        (format!("{one}\n"), 1, "E_REFUSED"),
        ("x,y\n".to_owned(), 1, "E_REFUSED"),
    ] {
        fs::write(&map, &text).unwrap();
        let mapped = || place.recover(&["--map", map.to_str().unwrap()]);
        place.refuses(&text, mapped, code, error);
    }
    let gone = place.name("gone.csv");
    place.refuses("the map", || place.recover(&["--map", &gone]), 10, "E_NOT_FOUND");
    let usage = run(&["--from", &place.name("src.edb"), "--mode", "merge"]);
    assert_eq!((usage.code, usage.error().as_str()), (2, "E_USAGE"));
}

#[test]
fn a_map_joins_mailboxes_of_different_guids() {
    let place = Place::new();
    let map = place.path("map.csv");
    fs::write(&map, format!("{}, {}\n", profile(2).guid, profile(1).guid)).unwrap();
    let map = map.to_str().unwrap();
    let run = place.recover(&["--mailbox", "User 2", "--map", map]);
    assert_eq!(run.code, 0, "{}", run.errors);
    assert_eq!(run.of("mailbox")[0]["match"], "map");
}

/// Not a test of its own: what the process does that has the store.
#[test]
fn holder_of_a_store() {
    let Some(path) = std::env::var_os(CHILD) else { return };
    let writer = StoreWriter::open(Arc::new(RealVolume::pread()), Path::new(&path)).unwrap();
    println!("\nheld");
    let _ = std::io::stdin().read(&mut [0]);
    drop(writer);
}

#[test]
fn a_target_that_another_process_writes_is_left_alone() {
    let place = Place::new();
    let mut child = Process::new(std::env::current_exe().unwrap())
        .args(["holder_of_a_store", "--exact", "--nocapture"])
        .env(CHILD, place.path("dst.edb"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap() == "held"));
    let run = place.refuses("held", || place.recover(&[]), 11, "E_LOCKED");
    assert!(run.errors.contains(&child.id().to_string()), "says who: {}", run.errors);
    drop(child.stdin.take());
    child.wait().unwrap();
    // Its writer died without closing: the next one puts it right.
    let run = place.recover(&[]);
    assert_eq!(run.code, 3, "{}", run.errors);
}

#[test]
fn a_source_that_was_not_closed_is_refused() {
    let place = Place::new();
    // A store whose journal was lost.
    let mut bytes = fs::read(place.path("src.edb")).unwrap();
    let mut header = dialtone::ese::page::header::DbHeader::decode(&bytes[..4096]).unwrap();
    header.set_state(dialtone::ese::page::header::DbState::Dirty);
    let page = header.encode();
    bytes[..4096].copy_from_slice(&page);
    bytes[4096..8192].copy_from_slice(&page);
    fs::write(place.path("src.edb"), bytes).unwrap();
    let run = place.refuses("dirty", || place.recover(&[]), 12, "E_DIRTY");
    assert!(run.errors.contains("clean shutdown"), "the way out: {}", run.errors);
    place.refuses("no journal", || place.recover(&["--dirty", "replay"]), 12, "E_DIRTY");
}

#[test]
fn a_poor_outcome_needs_approval() {
    let place = Place { directory: tempfile::tempdir().unwrap() };
    make(&place.path("src.edb"), 1, 1, 0..20);
    make(&place.path("dst.edb"), 2, 1, 50..51);
    // Most of the source's streams are unreadable.
    let mut bytes = fs::read(place.path("src.stm")).unwrap();
    for (at, byte) in bytes.iter_mut().enumerate().skip(3 * 4096) {
        *byte ^= (at % 251) as u8;
    }
    fs::write(place.path("src.stm"), bytes).unwrap();
    let run = place.recover(&["--mailbox", "User 1"]);
    let report = run.of("report")[0];
    let counters = &report["counters"];
    assert!(counters["bad"].as_u64().unwrap() > 5 && counters["inserted"] != 0, "{report}");
    assert_eq!((run.code, report["grade"].as_str().unwrap()), (4, "poor"));
    assert_eq!(run.error(), "E_NEEDS_APPROVAL");
    let accepted = place.recover(&["--mailbox", "User 1", "--accept-loss"]);
    assert_eq!(accepted.code, 3, "{}", accepted.errors);
}
