//! Mail files into a store and out of it again: every byte, every flag, one content however many mailboxes hold it; and the two commands
//! from outside.

#![allow(clippy::unwrap_used)] // a test program: what cannot be read must fail it

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use assert_cmd::Command;
use dialtone::ese::check::Severity;
use dialtone::io::RealVolume;
use dialtone::mail::{
    Importer, MailFormat, MailSource, SourceLimits, StoredForm, export_mailbox, promote,
};
use dialtone::store::check::check_store;
use dialtone::store::{Form, Store, StoreIdentity, StoreWriter};
use serde_json::Value as Json;

const FORMATS: [MailFormat; 3] = [MailFormat::Eml, MailFormat::Mbox, MailFormat::Maildir];

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/mail")
}

/// The messages of a tree by folder, each folder's sorted.
fn messages(root: &Path) -> BTreeMap<Vec<String>, Vec<Vec<u8>>> {
    let mut found: BTreeMap<Vec<String>, Vec<Vec<u8>>> = BTreeMap::new();
    for message in MailSource::open(root, SourceLimits::default()).unwrap() {
        let message = message.unwrap();
        found.entry(message.folder_path).or_default().push(message.bytes);
    }
    found.values_mut().for_each(|bytes| bytes.sort());
    found
}

fn create(path: &Path) -> StoreWriter {
    let volume = Arc::new(RealVolume::pread());
    StoreWriter::create(volume, path, &StoreIdentity::from_seed(7)).unwrap()
}

fn import(writer: StoreWriter, mailboxes: &[&str], form: StoredForm, from: &Path) -> StoreWriter {
    let names: Vec<String> = mailboxes.iter().map(|name| (*name).to_owned()).collect();
    let mut importer = Importer::new(writer, &names, "", form).unwrap();
    importer.add(from, &mut |error| panic!("{error}"), &mut |_| {}).unwrap();
    importer.into_writer()
}

fn assert_clean(path: &Path) {
    let mut findings = Vec::new();
    let mut sink = |finding: &dialtone::ese::check::Finding| {
        if finding.severity == Severity::Error {
            findings.push(finding.clone());
        }
    };
    check_store(&RealVolume::pread(), path, &mut sink).unwrap();
    assert!(findings.is_empty(), "{findings:#?}");
}

/// Exports a mailbox and reads it back as mail files.
fn exported(
    store: &Path,
    mailbox: &str,
    format: MailFormat,
    into: &Path,
) -> BTreeMap<Vec<String>, Vec<Vec<u8>>> {
    let store = Store::open(&RealVolume::pread(), store).unwrap();
    let mailbox = store.view().find_mailbox(mailbox).unwrap();
    let mut failed = |folder: &dialtone::store::Folder, error: &dialtone::ese::EseError| {
        panic!("{}: {error}", folder.name)
    };
    export_mailbox(&store.view(), &mailbox, None, format, into, &mut failed).unwrap();
    messages(into)
}

/// Names that a file system cannot take are changed, so folders compare by their number and their messages.
fn contents(tree: &BTreeMap<Vec<String>, Vec<Vec<u8>>>) -> Vec<&Vec<Vec<u8>>> {
    let mut all: Vec<_> = tree.values().collect();
    all.sort();
    all
}

#[test]
fn every_fixture_comes_out_as_it_went_in_whatever_the_format() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("priv1.edb");
    let source = messages(&fixtures());
    assert!(source.values().map(Vec::len).sum::<usize>() >= 90);
    import(create(&path), &["Ann"], StoredForm::Mime, &fixtures()).close().unwrap();
    assert_clean(&path);
    for (number, format) in FORMATS.into_iter().enumerate() {
        let into = directory.path().join(number.to_string());
        let back = exported(&path, "Ann", format, &into);
        assert_eq!(contents(&back), contents(&source), "{format:?}");
        if format == MailFormat::Eml {
            assert_eq!(back, source, "folders keep their names");
        }
    }
}

#[test]
fn flags_of_a_maildir_survive_the_store() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("priv1.edb");
    let maildir = fixtures().join("maildir");
    import(create(&path), &["Ann"], StoredForm::Mime, &maildir).close().unwrap();
    let into = directory.path().join("out");
    exported(&path, "Ann", MailFormat::Maildir, &into);
    let flags = |root: &Path| {
        let all = MailSource::open(root, SourceLimits::default()).unwrap().map(Result::unwrap);
        let mut flags: Vec<_> = all.map(|message| (message.bytes, message.flags)).collect();
        flags.sort_by(|a, b| a.0.cmp(&b.0));
        flags
    };
    assert_eq!(flags(&into), flags(&maildir));
}

#[test]
fn one_message_for_three_mailboxes_is_stored_once() {
    for form in [StoredForm::Mime, StoredForm::Mapi] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("priv1.edb");
        let mail = fixtures().join("eml/Inbox/plain-short.eml");
        import(create(&path), &["Ann", "Bo", "Cleo"], form, &mail).close().unwrap();
        assert_clean(&path);
        let store = Store::open(&RealVolume::pread(), &path).unwrap();
        let view = store.view();
        let promoted = promote(&std::fs::read(&mail).unwrap(), &Default::default());
        let contents = view.contents_by_key(promoted.delivery_time, promoted.search_key).unwrap();
        let references: Vec<_> = contents.iter().map(|content| content.references).collect();
        assert_eq!(references, [3], "{form:?}");
        for name in ["Ann", "Bo", "Cleo"] {
            let mailbox = view.find_mailbox(name).unwrap();
            assert_eq!(mailbox.items, 1);
        }
    }
}

#[test]
fn mail_in_mapi_form_comes_out_as_mail_of_the_same_properties() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("priv1.edb");
    import(create(&path), &["Ann"], StoredForm::Mapi, &fixtures()).close().unwrap();
    assert_clean(&path);
    let store = Store::open(&RealVolume::pread(), &path).unwrap();
    let view = store.view();
    let mailbox = view.find_mailbox("Ann").unwrap();
    let mut in_mapi_form = 0;
    for (folder, _) in view.folders(mailbox.root).unwrap().iter() {
        view.each_item(folder.id, &mut |item| {
            let content = view.content(item?.instance)?.unwrap();
            in_mapi_form += usize::from(content.form == Form::Mapi);
            Ok(())
        })
        .unwrap();
    }
    let source = messages(&fixtures());
    assert_eq!(in_mapi_form, source.values().map(Vec::len).sum::<usize>());
    let back = exported(&path, "Ann", MailFormat::Eml, &directory.path().join("out"));
    let said = |tree: &BTreeMap<Vec<String>, Vec<Vec<u8>>>| {
        let all = tree.values().flatten().map(|bytes| {
            let mail = promote(bytes, &Default::default());
            (mail.subject, mail.sender, mail.recipients.len(), mail.submit_time, mail.message_id)
        });
        let mut all: Vec<_> = all.map(|said| format!("{said:?}")).collect();
        all.sort();
        all
    };
    let (back, source) = (said(&back), said(&source));
    let different = back.iter().zip(&source).filter(|(a, b)| a != b).count();
    // Headers that break the rules are mended on the way out: no more than those few fixtures differ.
    assert!(different <= 6, "{different} differ");
}

fn command(arguments: &[&str]) -> (i32, Vec<Json>) {
    let result = Command::cargo_bin("dialtone").unwrap().arg("--json").args(arguments).output();
    let result = result.unwrap();
    let lines = String::from_utf8(result.stdout).unwrap();
    let lines = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    (result.status.code().unwrap(), lines)
}

#[test]
fn the_commands_count_what_they_do_and_refuse_what_they_must() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name).display().to_string();
    let (store, out, mail) = (at("priv1.edb"), at("out"), fixtures().display().to_string());
    assert_eq!(command(&["create", &store]).0, 0);
    let (code, lines) = command(&[
        "import",
        &store,
        "--mailbox",
        "Ann",
        "--mailbox",
        "Bo",
        "--form",
        "mixed",
        &mail,
    ]);
    assert_eq!(code, 0);
    let imported = lines.iter().find(|line| line["type"] == "imported").unwrap();
    assert_eq!(imported["mailboxes_made"], 2);
    assert_eq!(imported["items"].as_u64(), imported["messages"].as_u64().map(|count| 2 * count));
    let (code, lines) =
        command(&["export", &store, "--mailbox", "Bo", "--format", "maildir", &out]);
    assert_eq!(code, 0);
    let exported = lines.iter().find(|line| line["type"] == "exported").unwrap();
    assert_eq!(exported["messages"], imported["messages"]);
    // A directory that is not empty, a mailbox and files that are not there, no mailbox at all.
    assert_eq!(command(&["export", &store, "--mailbox", "Bo", "--format", "eml", &out]).0, 1);
    let none = at("none");
    assert_eq!(command(&["export", &store, "--mailbox", "Dov", "--format", "eml", &none]).0, 10);
    assert!(!Path::new(&none).exists());
    assert_eq!(command(&["import", &store, "--mailbox", "Ann", &none]).0, 10);
    assert_eq!(command(&["import", &store, &mail]).0, 2);
}

#[test]
fn folder_names_of_any_kind_stay_inside_the_output_directory() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("priv1.edb");
    let mut writer = import(create(&path), &["Ann"], StoredForm::Mime, &fixtures().join("maildir"));
    let mailbox = writer.view().unwrap().find_mailbox("Ann").unwrap();
    let bytes = std::fs::read(fixtures().join("eml/Inbox/plain-short.eml")).unwrap();
    let names =
        ["..", "../../escape", "/etc", "CON", "a\u{0}b\n", "Same", "same.", ".hidden", "\u{202e}x"];
    for name in names {
        let path = name.replace('\\', "\\\\").replace('/', "\\/");
        let folder = writer.ensure_folder(&mailbox, &path).unwrap();
        writer.insert_mime(folder.id, &promote(&bytes, &Default::default()), &bytes).unwrap();
    }
    writer.close().unwrap();
    for (number, format) in FORMATS.into_iter().enumerate() {
        let outer = directory.path().join(format!("outer{number}"));
        std::fs::create_dir(&outer).unwrap();
        let back = exported(&path, "Ann", format, &outer.join("out"));
        let count = back.values().flatten().filter(|mail| **mail == bytes).count();
        assert_eq!(count, names.len(), "{format:?}");
        let entries: Vec<_> = std::fs::read_dir(&outer).unwrap().collect();
        assert_eq!(entries.len(), 1, "nothing leaves the output directory");
    }
}
