//! What goes in as MIME comes out byte for byte, in its folder and with its flags, whatever the formats are.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use dialtone::mail::{MailFormat, StoredForm, promote};
use dialtone::store::StoreWriter;

use crate::files::{fixture_mail, fixtures, read_all};
use crate::stage::{
    FORMATS, assert_clean, assert_same, export, files, import, instances, kept, store_of,
};
use crate::store_support::{create, open, reopen};

#[test]
fn every_fixture_comes_back_in_every_format() {
    let messages = fixture_mail();
    let (volume, report) = store_of(&["Ann"], StoredForm::Mime, &fixtures());
    assert_eq!((report.messages, report.items), (messages.len() as u64, messages.len() as u64));
    assert_eq!((report.mapi, report.fallbacks, report.failed), (0, 0, 0));
    assert_clean(&volume);
    for format in FORMATS {
        let out = tempfile::tempdir().unwrap();
        let exported = export(&volume, "Ann", Some("#inbox#"), format, out.path());
        assert_eq!(
            (exported.written.messages, exported.written.bytes),
            (report.messages, report.bytes)
        );
        assert_eq!((exported.deleted, exported.hidden), (0, 0));
        let with_flags = format != MailFormat::Eml;
        let again = kept(&read_all(out.path()), with_flags);
        assert_same(&again, &kept(&messages, with_flags), &format!("{format:?}"));
    }
}

#[test]
fn folders_are_made_once_below_the_one_asked_for_and_come_out_from_the_top() {
    let (volume, writer) = create(1);
    let (writer, report) =
        import(writer, &["Ann"], "Old/2003", StoredForm::Mime, &fixtures().join("maildir"));
    // Old, 2003, and Archive, Logbooks and Entwürfe of the Maildir.
    assert_eq!((report.mailboxes_made, report.folders_made), (1, 5));
    let (writer, again) =
        import(writer, &["ann"], "old/2003", StoredForm::Mime, &fixtures().join("maildir"));
    assert_eq!((again.mailboxes_made, again.folders_made), (0, 0));
    writer.close().unwrap();
    let out = tempfile::tempdir().unwrap();
    export(&volume, "Ann", None, MailFormat::Eml, out.path());
    let folders: BTreeMap<_, _> =
        read_all(out.path()).iter().map(|m| (m.folder_path.join("/"), ())).collect();
    let folders: Vec<_> = folders.into_keys().collect();
    assert_eq!(folders, ["Old/2003", "Old/2003/Archive/Logbooks", "Old/2003/Entwürfe"]);
}

#[test]
fn a_folder_of_the_source_is_never_taken_for_a_role() {
    let tree = tempfile::tempdir().unwrap();
    fs::create_dir(tree.path().join("#drafts#")).unwrap();
    fs::write(tree.path().join("#drafts#/1.eml"), "Subject: x\n\nx\n").unwrap();
    let (volume, writer) = create(1);
    let (writer, _) = import(writer, &["Ann"], "", StoredForm::Mime, tree.path());
    writer.close().unwrap();
    let out = tempfile::tempdir().unwrap();
    export(&volume, "Ann", None, MailFormat::Eml, out.path());
    assert_eq!(files(out.path()).into_keys().collect::<Vec<_>>(), ["#drafts#/00000001.eml"]);
}

/// A Maildir with a message for every set of flags.
fn maildir_of_all_flags(root: &Path) {
    for name in ["cur", "new", "tmp"] {
        fs::create_dir_all(root.join(name)).unwrap();
    }
    for set in 0..64_u32 {
        let letters = "DFPRST".chars().enumerate().filter(|(at, _)| set & (1 << at) != 0);
        let letters: String = letters.map(|(_, letter)| letter).collect();
        let bytes = format!("Subject: {set}\nDate: Thu, 22 Aug 2002 11:36:23 +0000\n\n{letters}\n");
        fs::write(root.join(format!("cur/1030016183.{set}.host:2,{letters}")), bytes).unwrap();
    }
}

/// The flags of each message, by its bytes.
fn flags_of(root: &Path) -> BTreeMap<Vec<u8>, u8> {
    let messages = read_all(root);
    messages
        .iter()
        .map(|m| (m.bytes.clone(), promote(&m.bytes, &m.envelope()).flags.bits()))
        .collect()
}

#[test]
fn every_set_of_flags_survives_maildir_and_mbox_in_both_forms() {
    let source = tempfile::tempdir().unwrap();
    maildir_of_all_flags(source.path());
    let expected = flags_of(source.path());
    assert_eq!(expected.values().collect::<BTreeSet<_>>().len(), 64);
    for form in [StoredForm::Mime, StoredForm::Mapi] {
        let (volume, _) = store_of(&["Ann", "Bob"], form, source.path());
        assert_clean(&volume);
        for (format, name) in [(MailFormat::Maildir, "Ann"), (MailFormat::Mbox, "Bob")] {
            let out = tempfile::tempdir().unwrap();
            export(&volume, name, Some("#inbox#"), format, out.path());
            let found = flags_of(out.path());
            if form == StoredForm::Mime {
                assert_eq!(found, expected, "{format:?}");
            } else {
                // The bytes are others; the subject tells which is which.
                let letters = |(bytes, flags): (&Vec<u8>, &u8)| {
                    (promote(bytes, &Default::default()).subject, *flags)
                };
                let found: BTreeMap<_, _> = found.iter().map(letters).collect();
                let expected: BTreeMap<_, _> = expected.iter().map(letters).collect();
                assert_eq!(found.len(), 64, "{format:?}");
                assert_eq!(found, expected, "{format:?}");
            }
        }
    }
}

#[test]
fn an_mbox_of_an_import_of_an_mbox_is_the_same_file() {
    let tree = tempfile::tempdir().unwrap();
    let steps: Vec<_> = (0..3).map(|step| tree.path().join(step.to_string())).collect();
    let (volume, _) = store_of(&["Ann"], StoredForm::Mime, &fixtures());
    export(&volume, "Ann", Some("#inbox#"), MailFormat::Mbox, &steps[0]);
    for step in 1..3 {
        let (volume, _) = store_of(&["Ann"], StoredForm::Mime, &steps[step - 1]);
        export(&volume, "Ann", Some("#inbox#"), MailFormat::Mbox, &steps[step]);
    }
    let first = files(&steps[0]);
    assert!(first.len() == 10, "{:?}", first.keys());
    assert!(files(&steps[1]) == first, "the second export differs");
    assert!(files(&steps[2]) == first, "the third export differs");
}

#[test]
fn a_second_import_adds_items_and_shares_their_contents() {
    for form in [StoredForm::Mime, StoredForm::Mapi, StoredForm::Mixed] {
        let (volume, first) = store_of(&["Ann"], form, &fixtures());
        let before: BTreeSet<_> = instances(&open(&volume), "Ann").into_iter().collect();
        assert_eq!(before.len() as u64 + first.shared, first.messages, "{form:?}");
        let (writer, second) = import(reopen(&volume), &["Ann"], "#inbox#", form, &fixtures());
        writer.close().unwrap();
        assert_eq!((second.messages, second.mapi), (first.messages, first.mapi), "{form:?}");
        assert_eq!(second.shared, first.messages, "{form:?}");
        let after = instances(&open(&volume), "Ann");
        assert_eq!(after.len() as u64, 2 * first.messages, "{form:?}");
        assert_eq!(after.into_iter().collect::<BTreeSet<_>>(), before, "{form:?}");
        assert_clean(&volume);
    }
}

#[test]
fn soft_deleted_items_are_left_out_and_counted() {
    let (volume, report) = store_of(&["Ann"], StoredForm::Mime, &fixtures().join("maildir"));
    let mut writer: StoreWriter = reopen(&volume);
    let mailbox = writer.view().unwrap().find_mailbox("Ann").unwrap();
    let view = writer.view().unwrap();
    let inbox = view.folder_at(&mailbox, "#inbox#").unwrap().id;
    let mut first = None;
    view.each_item(inbox, &mut |item| {
        first = first.or(Some(item?.id));
        Ok(())
    })
    .unwrap();
    writer.soft_delete_item(first.unwrap()).unwrap();
    writer.close().unwrap();
    let out = tempfile::tempdir().unwrap();
    let exported = export(&volume, "Ann", None, MailFormat::Maildir, out.path());
    assert_eq!((exported.deleted, exported.written.messages), (1, report.messages - 1));
    assert_eq!(read_all(out.path()).len() as u64, report.messages - 1);
}
