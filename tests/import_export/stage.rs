//! What these tests share: an import, an export, and what must be equal between them.

use std::collections::BTreeMap;
use std::path::Path;

use dialtone::io::{MemoryVolume, Volume};
use dialtone::mail::{
    ExportReport, ImportReport, Importer, MailFormat, SourceMessage, StoredForm, export_mailbox,
    promote,
};
use dialtone::mapi::InstanceId;
use dialtone::store::check::check_store;
use dialtone::store::{Mailbox, Store, StoreWriter, View};

use crate::store_support::{PATH, create, open};

pub const FORMATS: [MailFormat; 3] = [MailFormat::Eml, MailFormat::Mbox, MailFormat::Maildir];

/// Folder, bytes, and flags where the format has any.
pub type Kept = (Vec<String>, Vec<u8>, Option<u8>);

/// What came in, sorted.
pub fn kept(messages: &[SourceMessage], with_flags: bool) -> Vec<Kept> {
    let flags =
        |m: &SourceMessage| with_flags.then(|| promote(&m.bytes, &m.envelope()).flags.bits());
    let mut kept: Vec<_> =
        messages.iter().map(|m| (m.folder_path.clone(), m.bytes.clone(), flags(m))).collect();
    kept.sort();
    kept
}

/// Fails with the first difference instead of all bytes.
pub fn assert_same(found: &[Kept], expected: &[Kept], what: &str) {
    for (found, expected) in found.iter().zip(expected) {
        let text = |kept: &Kept| String::from_utf8_lossy(&kept.1).chars().take(300).collect();
        let (left, right): (String, String) = (text(found), text(expected));
        assert!(
            found == expected,
            "{what}: {:?} {:?} {left}\nshould be {:?} {:?} {right}",
            found.0,
            found.2,
            expected.0,
            expected.2
        );
    }
    assert_eq!(found.len(), expected.len(), "{what}");
}

/// Imports a path into mailboxes; nothing may fail.
pub fn import(
    writer: StoreWriter,
    mailboxes: &[&str],
    folder: &str,
    form: StoredForm,
    path: &Path,
) -> (StoreWriter, ImportReport) {
    let names: Vec<String> = mailboxes.iter().map(|name| name.to_string()).collect();
    let mut importer = Importer::new(writer, &names, folder, form).unwrap();
    let mut bytes = 0;
    let mut failed = |error: &_| panic!("{error}");
    importer.add(path, &mut failed, &mut |message| bytes += message).unwrap();
    let report = *importer.report();
    assert_eq!(report.bytes, bytes);
    (importer.into_writer(), report)
}

/// A closed store with the mail of a path in the Inboxes of these mailboxes.
pub fn store_of(mailboxes: &[&str], form: StoredForm, path: &Path) -> (MemoryVolume, ImportReport) {
    let (volume, writer) = create(1);
    let (writer, report) = import(writer, mailboxes, "#inbox#", form, path);
    writer.close().unwrap();
    (volume, report)
}

pub fn mailbox<'s>(
    store: &'s Store,
    name: &str,
) -> (View<'s, impl dialtone::ese::txn::Pages>, Mailbox) {
    let view = store.view();
    let mailbox = view.find_mailbox(name).unwrap();
    (view, mailbox)
}

/// Exports a mailbox; nothing may fail.
pub fn export(
    volume: &MemoryVolume,
    name: &str,
    folder: Option<&str>,
    format: MailFormat,
    root: &Path,
) -> ExportReport {
    let store = open(volume);
    let (view, mailbox) = mailbox(&store, name);
    let mut failed =
        |folder: Option<&dialtone::store::Folder>, error: &_| panic!("{folder:?}: {error}");
    let report = export_mailbox(&view, &mailbox, folder, format, root, &mut failed).unwrap();
    assert_eq!(report.failed, 0);
    report
}

/// Exports what can be read, and tells what could not.
pub fn export_damaged(
    volume: &MemoryVolume,
    name: &str,
    root: &Path,
) -> (ExportReport, Vec<String>) {
    let store = open(volume);
    let (view, mailbox) = mailbox(&store, name);
    let mut told = Vec::new();
    let mut failed = |_: Option<&_>, error: &dialtone::ese::EseError| told.push(error.to_string());
    let report = export_mailbox(&view, &mailbox, None, MailFormat::Eml, root, &mut failed).unwrap();
    (report, told)
}

pub fn assert_clean(volume: &dyn Volume) {
    let mut findings = Vec::new();
    check_store(volume, Path::new(PATH), &mut |finding| findings.push(format!("{finding:?}")))
        .unwrap();
    assert!(findings.is_empty(), "{findings:#?}");
}

/// The instance of every item below a mailbox's Inbox.
pub fn instances(store: &Store, name: &str) -> Vec<InstanceId> {
    let (view, mailbox) = mailbox(store, name);
    let top = view.folder_at(&mailbox, "#inbox#").unwrap().id;
    let tree = view.folders(mailbox.root).unwrap();
    let mut found = Vec::new();
    for (folder, _) in tree.iter() {
        if folder.id != top && tree.path(folder.id, top).is_empty() {
            continue;
        }
        view.each_item(folder.id, &mut |item| {
            found.push(item?.instance);
            Ok(())
        })
        .unwrap();
    }
    found
}

/// The files below a directory, by path; links are not followed.
pub fn files(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut left = vec![root.to_path_buf()];
    while let Some(path) = left.pop() {
        if path.symlink_metadata().unwrap().is_dir() {
            left.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_string();
            found.insert(name, std::fs::read(&path).unwrap());
        }
    }
    found
}
