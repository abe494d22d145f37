//! `import` and `export` as a user runs them: exit codes, JSON lines, text.

use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use serde_json::Value as Json;

use crate::files::{fixtures, read_all};
use crate::stage::{assert_same, files, kept};

fn run(arguments: &[&str]) -> (i32, Vec<Json>, String) {
    let mut command = Command::cargo_bin("dialtone").unwrap();
    let result = command.arg("--json").args(arguments).output().unwrap();
    let lines = String::from_utf8(result.stdout).unwrap();
    let lines = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    (result.status.code().unwrap(), lines, String::from_utf8(result.stderr).unwrap())
}

fn text(arguments: &[&str]) -> (i32, String, String) {
    let mut command = Command::cargo_bin("dialtone").unwrap();
    let result = command.args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (result.status.code().unwrap(), text(result.stdout), text(result.stderr))
}

/// The line of one type; there must be one.
fn line<'j>(all: &'j [Json], kind: &str) -> &'j Json {
    let found: Vec<_> = all.iter().filter(|line| line["type"] == kind).collect();
    assert_eq!(found.len(), 1, "{kind} in {all:?}");
    found[0]
}

struct Stage {
    root: tempfile::TempDir,
}

impl Stage {
    fn new() -> Self {
        let stage = Self { root: tempfile::tempdir().unwrap() };
        let (code, _, errors) = run(&["create", &stage.store()]);
        assert_eq!((code, errors.as_str()), (0, ""));
        stage
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_string()
    }

    fn store(&self) -> String {
        self.text("priv1.edb")
    }

    /// Imports the Maildir of the fixtures for Ann and Bob.
    fn with_mail() -> Self {
        let stage = Self::new();
        let maildir = maildir();
        let (code, _, _) =
            run(&["import", &stage.store(), "--mailbox", "Ann", "--mailbox", "Bob", &maildir]);
        assert_eq!(code, 0);
        stage
    }
}

fn maildir() -> String {
    fixtures().join("maildir").to_str().unwrap().to_string()
}

#[test]
fn mail_goes_in_and_comes_out() {
    let stage = Stage::new();
    let (store, maildir) = (stage.store(), maildir());
    let sources = read_all(Path::new(&maildir));
    let arguments = ["import", &store, "--mailbox", "Ann", "--mailbox", "Bob", &maildir];
    let (code, all, errors) = run(&arguments);
    assert_eq!((code, errors.as_str()), (0, ""));
    assert_eq!((&all[0]["type"], &all[0]["command"]), (&"hello".into(), &"import".into()));
    let imported = line(&all, "imported");
    let bytes: usize = sources.iter().map(|message| message.bytes.len()).sum();
    for (name, value) in [
        ("messages", sources.len()),
        ("items", 2 * sources.len()),
        ("bytes", bytes),
        ("mailboxes_made", 2),
        // Archive, Logbooks and Entwürfe, for each.
        ("folders_made", 6),
        ("shared", 0),
        ("mapi", 0),
        ("fallbacks", 0),
        ("failed", 0),
    ] {
        assert_eq!(imported[name], value, "{name}");
    }
    assert_eq!(
        (&all.last().unwrap()["type"], &all.last().unwrap()["code"]),
        (&"exit".into(), &0.into())
    );
    for format in ["eml", "mbox", "maildir"] {
        let out = stage.text(format);
        let (code, all, errors) = run(&[
            "export",
            &store,
            "--mailbox",
            "bob",
            "--folder",
            "#inbox#",
            "--format",
            format,
            &out,
        ]);
        assert_eq!((code, errors.as_str()), (0, ""));
        let exported = line(&all, "exported");
        assert_eq!(
            (&exported["messages"], &exported["bytes"]),
            (&sources.len().into(), &bytes.into())
        );
        assert_eq!((&exported["deleted_left"], &exported["failed"]), (&0.into(), &0.into()));
        let with_flags = format != "eml";
        let again = kept(&read_all(Path::new(&out)), with_flags);
        assert_same(&again, &kept(&sources, with_flags), format);
    }
    let (code, all, _) = run(&["check", &store]);
    assert_eq!(
        (code, line(&all, "mail_summary")["items"].as_u64()),
        (0, Some(2 * sources.len() as u64))
    );
}

#[test]
fn people_read_what_was_done() {
    let stage = Stage::new();
    let (store, maildir) = (stage.store(), maildir());
    let (code, said, errors) = text(&[
        "import",
        &store,
        "--mailbox",
        "Ann",
        "--form",
        "mapi",
        "--folder",
        "Old/Mail",
        &maildir,
    ]);
    assert_eq!((code, errors.as_str()), (0, ""));
    let messages = read_all(Path::new(&maildir)).len();
    assert!(said.starts_with(&format!("imported {messages} messages (")), "{said}");
    assert!(said.contains("1 mailboxes made") && said.contains("5 folders made"), "{said}");
    assert!(said.contains(&format!("{messages} in MAPI form")), "{said}");
    let (code, said, errors) =
        text(&["export", &store, "--mailbox", "Ann", "--format", "mbox", &stage.text("out")]);
    assert_eq!((code, errors.as_str()), (0, ""));
    assert!(said.starts_with(&format!("exported {messages} messages (")), "{said}");
    assert!(stage.path("out/Old/Mail.mbox").is_file());
}

#[test]
fn what_cannot_be_found_is_told_before_anything_is_done() {
    let stage = Stage::with_mail();
    let (store, maildir, out) = (stage.store(), maildir(), stage.text("out"));
    let before = fs::read(&store).unwrap();
    let nowhere = stage.text("nowhere");
    let guid = "11111111-2222-3333-4444-555555555555";
    for arguments in [
        vec!["import", &nowhere, "--mailbox", "Ann", &maildir],
        vec!["import", &store, "--mailbox", "Ann", &maildir, &nowhere],
        vec!["import", &store, "--mailbox", guid, &maildir],
        vec!["import", &store, "--mailbox", "Ann", "--folder", "#nonsense#", &maildir],
        vec!["export", &nowhere, "--mailbox", "Ann", "--format", "eml", &out],
        vec!["export", &store, "--mailbox", "Nobody", "--format", "eml", &out],
        vec!["export", &store, "--mailbox", "Ann", "--folder", "No/Such", "--format", "eml", &out],
    ] {
        let (code, all, errors) = run(&arguments);
        assert_eq!(code, 10, "{arguments:?}: {errors}");
        let code = line(&all, "error")["code"].as_str().unwrap();
        assert!(matches!(code, "E_NOT_FOUND" | "E_IO"), "{code}");
        assert!(!Path::new(&out).exists());
        assert!(fs::read(&store).unwrap() == before, "{arguments:?}: the store was changed");
    }
    for arguments in [
        vec!["import", &store, &maildir],
        vec!["import", &store, "--mailbox", "Ann"],
        vec!["export", &store, "--mailbox", "Ann", &out],
        vec!["export", &store, "--mailbox", "Ann", "--format", "pst", &out],
    ] {
        assert_eq!(text(&arguments).0, 2, "{arguments:?}");
    }
}

#[test]
fn a_directory_with_something_in_it_is_refused_and_left_alone() {
    let stage = Stage::with_mail();
    let out = stage.text("out");
    fs::create_dir(&out).unwrap();
    fs::write(stage.path("out/.hidden"), "mine").unwrap();
    let (code, all, errors) =
        run(&["export", &stage.store(), "--mailbox", "Ann", "--format", "eml", &out]);
    assert_eq!((code, &line(&all, "error")["code"]), (1, &"E_REFUSED".into()));
    assert!(errors.contains("not empty"), "{errors}");
    let left: Vec<_> = files(Path::new(&out)).into_iter().collect();
    assert_eq!(left, [(".hidden".to_string(), b"mine".to_vec())]);
    let (code, _, _) = run(&[
        "export",
        &stage.store(),
        "--mailbox",
        "Ann",
        "--format",
        "eml",
        &stage.text("out/.hidden"),
    ]);
    assert_eq!(code, 10, "a file is no directory");
}

#[test]
fn sources_that_cannot_be_read_are_warnings() {
    let stage = Stage::new();
    let mut deep = stage.path("tree");
    fs::create_dir(&deep).unwrap();
    fs::write(deep.join("1.eml"), "Subject: 1\n\n1\n").unwrap();
    for _ in 0..70 {
        deep.push("d");
    }
    fs::create_dir_all(&deep).unwrap();
    fs::write(deep.join("2.eml"), "Subject: 2\n\n2\n").unwrap();
    let (code, all, errors) =
        run(&["import", &stage.store(), "--mailbox", "Ann", &stage.text("tree")]);
    assert_eq!((code, errors.as_str()), (3, ""));
    let imported = line(&all, "imported");
    assert_eq!((&imported["messages"], &imported["failed"]), (&1.into(), &1.into()));
    let warning = line(&all, "warning");
    assert_eq!(warning["code"], "E_MAIL");
    assert!(warning["message"].as_str().unwrap().contains("directories deep"), "{warning}");
    assert_eq!(
        (&all.last().unwrap()["code"], &all.last().unwrap()["warnings"]),
        (&3.into(), &1.into())
    );
}

#[test]
fn items_that_cannot_be_read_are_warnings() {
    let stage = Stage::with_mail();
    let first = read_all(Path::new(&maildir())).remove(0);
    let path = stage.path("priv1.stm");
    let mut bytes = fs::read(&path).unwrap();
    let needle = &first.bytes[..64];
    let at = bytes.windows(64).position(|window| window == needle).unwrap();
    bytes[at + 10] ^= 0x55;
    fs::write(&path, bytes).unwrap();
    let arguments =
        ["export", &stage.store(), "--mailbox", "Ann", "--format", "maildir", &stage.text("out")];
    let (code, all, errors) = run(&arguments);
    assert_eq!((code, errors.as_str()), (3, ""), "{all:?}");
    let exported = line(&all, "exported");
    let total = read_all(Path::new(&maildir())).len();
    assert_eq!((&exported["messages"], &exported["failed"]), (&(total - 1).into(), &1.into()));
    let warning = line(&all, "warning");
    assert_eq!(warning["code"], "E_CORRUPT");
    assert!(warning["message"].as_str().unwrap().contains("folder \"Inbox\""), "{warning}");
    assert_eq!(files(&stage.path("out")).len(), total - 1);
}
