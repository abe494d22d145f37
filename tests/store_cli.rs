//! The commands of mailbox stores from outside: `create`, `ls`, `show`, `check`, their JSON and their exit codes.

#![allow(clippy::unwrap_used)] // a test program

mod store_support;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use assert_cmd::Command;
use dialtone::io::RealVolume;
use dialtone::store::{Role, StoreWriter};
use serde_json::Value as Json;

use store_support::{NOW, mapi, mime, promoted};

fn run(arguments: &[&str]) -> (i32, Vec<Json>, String) {
    let mut command = Command::cargo_bin("dialtone").unwrap();
    let result = command.arg("--json").args(arguments).output().unwrap();
    let lines = String::from_utf8(result.stdout).unwrap();
    let lines = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    (result.status.code().unwrap(), lines, String::from_utf8(result.stderr).unwrap())
}

/// The lines of one type.
fn lines<'j>(all: &'j [Json], kind: &str) -> Vec<&'j Json> {
    all.iter().filter(|line| line["type"] == kind).collect()
}

fn text(arguments: &[&str]) -> String {
    let mut command = Command::cargo_bin("dialtone").unwrap();
    let result = command.args(arguments).output().unwrap();
    assert!(result.status.success(), "{arguments:?}");
    String::from_utf8(result.stdout).unwrap()
}

/// A store made by `create`, with two mails put into the Inbox of the first mailbox.
fn sample(directory: &Path) -> PathBuf {
    let list = directory.join("list.json");
    let boxes = r#"[{"name": "Ann", "dn": "/o=x/cn=ann", "quota_send_kb": 77}, {"name": "Bob"}]"#;
    std::fs::write(&list, boxes).unwrap();
    let store = directory.join("priv1.edb");
    let (code, all, _) =
        run(&["create", store.to_str().unwrap(), "--mailboxes", list.to_str().unwrap()]);
    assert_eq!((code, lines(&all, "created")[0]["mailboxes"].as_u64()), (0, Some(2)));
    let mut writer = StoreWriter::open(Arc::new(RealVolume::mapped()), &store).unwrap();
    writer.set_now(NOW);
    let ann = writer.view().unwrap().find_mailbox("ann").unwrap();
    let inbox = ann.logon_folder(Role::Inbox).unwrap();
    let bytes = mime(3, 500);
    writer.insert_mime(inbox, &promoted(3, &bytes), &bytes).unwrap();
    writer.insert_mapi(inbox, &mapi(4, 10, true)).unwrap();
    writer.close().unwrap();
    store
}

#[test]
fn a_store_is_created_listed_shown_and_checked() {
    let directory = tempfile::tempdir().unwrap();
    let path = sample(directory.path());
    let store = path.to_str().unwrap();

    let (code, all, errors) = run(&["ls", store]);
    assert_eq!((code, errors.as_str()), (0, ""));
    let names: Vec<_> = lines(&all, "mailbox").iter().map(|line| line["name"].clone()).collect();
    assert_eq!(names, ["Ann", "Bob"]);
    assert_eq!(lines(&all, "mailbox")[0]["quota_send_kb"], 77);
    assert_eq!(lines(&all, "mailbox")[0]["items"], 2);

    let (_, all, _) = run(&["ls", store, "Ann"]);
    let folders = lines(&all, "folder");
    assert_eq!(folders.len(), 19);
    let inbox = folders.iter().find(|folder| folder["role"] == "inbox").unwrap();
    assert_eq!((&inbox["path"], &inbox["items"]), (&Json::from("Inbox"), &Json::from(2)));

    let (_, all, _) = run(&["ls", store, "Ann", "Inbox"]);
    let items = lines(&all, "item");
    assert_eq!(items.len(), 2);
    assert_eq!(items[0]["subject"], "RE: Mail 3", "the newest first");
    let id = items[0]["id"].as_str().unwrap();
    let (_, all, _) = run(&["show", store, "Ann", "#inbox#", id]);
    let message = lines(&all, "message")[0];
    assert_eq!(
        (&message["form"], &message["from"]),
        (&"mime".into(), &"Ann <ann@example.com>".into())
    );
    assert_eq!(message["attachments"][0]["name"], "Bericht Größe.pdf");
    let (_, all, _) = run(&["show", store, "Ann", "Inbox", "2"]);
    assert_eq!(lines(&all, "message")[0]["form"], "mapi");
    assert_eq!(lines(&all, "message")[0]["attachments"][1]["embedded_message"], true);

    let mut raw = Command::cargo_bin("dialtone").unwrap();
    let raw = raw.args(["show", store, "Ann", "Inbox", "1", "--raw"]).output().unwrap();
    assert_eq!(raw.stdout, mime(3, 500));

    assert!(text(&["ls", store]).contains("Ann"));
    assert!(text(&["ls", store, "Ann"]).contains("Inbox  #inbox#"));
    assert!(text(&["ls", store, "Ann", "Inbox"]).contains("RE: Mail 4"));
    assert!(text(&["show", store]).contains("replica"));
    assert!(text(&["show", store, "Bob"]).contains("guid"));
    assert!(text(&["show", store, "Bob", "Drafts"]).contains("drafts"));
    assert!(text(&["show", store, "Ann", "Inbox", "2"]).contains("Subject: RE: Mail 4"));

    let (code, all, _) = run(&["check", store]);
    assert_eq!((code, lines(&all, "finding").len()), (0, 0), "{all:?}");
    assert_eq!(lines(&all, "mail_summary")[0]["items"], 2);
}

#[test]
fn a_store_like_another_takes_its_mailboxes() {
    let directory = tempfile::tempdir().unwrap();
    let path = sample(directory.path());
    let like = directory.path().join("dial.edb");
    let (code, ..) = run(&["create", like.to_str().unwrap(), "--like", path.to_str().unwrap()]);
    assert_eq!(code, 0);
    let guids = |path: &Path| -> Vec<Json> {
        let (_, all, _) = run(&["ls", path.to_str().unwrap()]);
        lines(&all, "mailbox").iter().map(|line| line["guid"].clone()).collect()
    };
    assert_eq!(guids(&path), guids(&like));
    let (_, all, _) = run(&["ls", like.to_str().unwrap()]);
    assert_eq!(lines(&all, "mailbox")[0]["items"], 0);
}

#[test]
fn what_is_not_there_or_does_not_fit_ends_with_its_code() {
    let directory = tempfile::tempdir().unwrap();
    let path = sample(directory.path());
    let store = path.to_str().unwrap();
    let code_of = |arguments: &[&str]| {
        let (code, all, _) = run(arguments);
        (code, lines(&all, "error")[0]["code"].as_str().unwrap().to_owned())
    };
    assert_eq!(code_of(&["ls", store, "Nobody"]), (10, "E_NOT_FOUND".into()));
    assert_eq!(code_of(&["ls", store, "Ann", "Nowhere"]), (10, "E_NOT_FOUND".into()));
    assert_eq!(code_of(&["show", store, "Ann", "Inbox", "99"]), (10, "E_NOT_FOUND".into()));
    assert_eq!(code_of(&["create", store]), (1, "E_REFUSED".into()));
    let stm = path.with_extension("stm");
    std::fs::rename(&stm, directory.path().join("away")).unwrap();
    for command in ["ls", "show", "check"] {
        assert_eq!(code_of(&[command, store]), (12, "E_SIG_MISMATCH".into()));
    }
    let missing = directory.path().join("none.edb");
    assert_eq!(code_of(&["ls", missing.to_str().unwrap()]), (10, "E_NOT_FOUND".into()));
}
