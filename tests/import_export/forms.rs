//! In what form mail is held: shared between mailboxes in both, MAPI where it can be, MIME where it cannot.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use dialtone::mail::{
    Importer, MailError, MailFormat, SourceLimits, SourceMessage, StoredForm, promote,
};
use dialtone::mapi::{BodyDigest, Content};
use dialtone::store::{Form, Store};

use crate::files::{fixture_mail, fixtures, read_all};
use crate::stage::{assert_clean, export, instances, mailbox, store_of};
use crate::store_support::{create, open};

/// The form of each content of a mailbox, by search key.
fn forms(store: &Store, name: &str) -> BTreeMap<Vec<u8>, bool> {
    let (view, _) = mailbox(store, name);
    let contents = instances(store, name).into_iter().map(|id| view.content(id).unwrap().unwrap());
    contents.map(|c| (c.promoted.search_key.0.to_vec(), c.form == Form::Mapi)).collect()
}

#[test]
fn two_mailboxes_hold_one_content_in_every_form() {
    for form in [StoredForm::Mime, StoredForm::Mapi, StoredForm::Mixed] {
        let (volume, report) = store_of(&["Ann", "Bob", "ann"], form, &fixtures());
        assert_eq!(report.mailboxes_made, 2);
        assert_eq!(report.items, 2 * report.messages);
        assert_clean(&volume);
        let store = open(&volume);
        let (ann, bob) = (instances(&store, "Ann"), instances(&store, "Bob"));
        assert_eq!(ann.len() as u64, report.messages);
        let (view, _) = mailbox(&store, "Ann");
        for instance in ann.iter().collect::<BTreeSet<_>>() {
            let count = |held: &[_]| held.iter().filter(|id| *id == instance).count() as i64;
            let content = view.content(*instance).unwrap().unwrap();
            assert_eq!(count(&ann), count(&bob), "{form:?}");
            assert_eq!(content.references, 2 * count(&ann), "{form:?}");
        }
        assert!(ann.iter().collect::<BTreeSet<_>>() == bob.iter().collect::<BTreeSet<_>>());
    }
}

/// What a reader of the mail sees, by folder; equal values are counted.
fn softly(messages: &[SourceMessage]) -> BTreeMap<String, usize> {
    let mut seen = BTreeMap::new();
    for message in messages {
        let mail = promote(&message.bytes, &message.envelope());
        let soft =
            Content::of_promoted(&mail, BodyDigest::NONE).soft(&mail.attachments, mail.text_length);
        let named =
            (&mail.subject, &mail.sender, &mail.recipients, &mail.message_id, mail.submit_time);
        let what = format!("{} {named:?} {soft:?}", message.folder_path.join("/"));
        *seen.entry(what).or_insert(0) += 1;
    }
    seen
}

#[test]
fn fixtures_in_mapi_form_come_out_as_mail_that_says_the_same() {
    let messages = fixture_mail();
    let (volume, report) = store_of(&["Ann"], StoredForm::Mapi, &fixtures());
    assert_eq!((report.mapi, report.fallbacks), (messages.len() as u64, 0));
    assert_clean(&volume);
    assert!(forms(&open(&volume), "Ann").values().all(|is_mapi| *is_mapi));
    let out = tempfile::tempdir().unwrap();
    export(&volume, "Ann", Some("#inbox#"), MailFormat::Maildir, out.path());
    let (found, expected) = (softly(&read_all(out.path())), softly(&messages));
    for (what, count) in &expected {
        assert_eq!(found.get(what), Some(count), "{what} of {found:#?}");
    }
    assert_eq!(found.len(), expected.len());
}

#[test]
fn the_mixed_form_follows_from_the_mail_and_nothing_else() {
    let (one, report) = store_of(&["Ann"], StoredForm::Mixed, &fixtures());
    let (two, _) = store_of(&["Zoe", "Ann"], StoredForm::Mixed, &fixtures());
    let (one, two) = (forms(&open(&one), "Ann"), forms(&open(&two), "Ann"));
    assert_eq!(one, two);
    assert!(report.mapi * 10 > report.messages * 4 && report.mapi * 10 < report.messages * 8);
}

/// A mail with so many attachments; inside another one, where `inside`.
fn mail_with(attachments: usize, inside: bool) -> Vec<u8> {
    let mut inner = String::from(
        "From: Ann <ann@example.org>\r\nSubject: many\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n",
    );
    for number in 0..attachments {
        inner += &format!(
            "--x\r\nContent-Type: text/plain\r\nContent-Disposition: attachment; filename=\"{number}.txt\"\r\n\r\nnumber {number}\r\n"
        );
    }
    inner += "--x--\r\n";
    if inside {
        inner = format!(
            "From: Bob <bob@example.org>\r\nSubject: outer\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=y\r\n\r\n\
             --y\r\nContent-Type: message/rfc822\r\n\r\n{inner}\r\n--y--\r\n"
        );
    }
    inner.into_bytes()
}

#[test]
fn mail_that_the_mapi_form_cannot_hold_is_kept_as_mime() {
    for (attachments, inside, fallbacks) in
        [(256, false, 0), (257, false, 1), (256, true, 0), (257, true, 1)]
    {
        let tree = tempfile::tempdir().unwrap();
        let bytes = mail_with(attachments, inside);
        fs::write(tree.path().join("1.eml"), &bytes).unwrap();
        let (volume, report) = store_of(&["Ann", "Bob"], StoredForm::Mapi, tree.path());
        let case = format!("{attachments} {inside}");
        assert_eq!(
            (report.fallbacks, report.mapi, report.items),
            (fallbacks, 1 - fallbacks, 2),
            "{case}"
        );
        assert_clean(&volume);
        let out = tempfile::tempdir().unwrap();
        export(&volume, "Bob", None, MailFormat::Eml, out.path());
        let again = read_all(out.path());
        assert_eq!(again.len(), 1);
        if fallbacks == 1 {
            assert_eq!(again[0].bytes, bytes, "{case}");
        } else {
            let listed = promote(&again[0].bytes, &Default::default()).attachments.len();
            assert_eq!(listed, if inside { 1 } else { 256 });
        }
    }
}

/// Imports with a bound for messages; answers what was told.
fn import_bounded(
    path: &Path,
    message_bytes: u64,
) -> (dialtone::mail::ImportReport, Vec<MailError>, usize) {
    let (volume, writer) = create(1);
    let names = ["Ann".to_string()];
    let mut importer = Importer::new(writer, &names, "#inbox#", StoredForm::Mime).unwrap();
    importer.set_limits(SourceLimits { message_bytes });
    let mut told = Vec::new();
    let mut failed = |error: &MailError| match error {
        MailError::TooLarge { path, limit_bytes } => {
            told.push(MailError::TooLarge { path: path.clone(), limit_bytes: *limit_bytes });
        }
        MailError::TooDeep { path, limit } => {
            told.push(MailError::TooDeep { path: path.clone(), limit: *limit });
        }
        other => panic!("{other}"),
    };
    importer.add(path, &mut failed, &mut |_| {}).unwrap();
    let report = importer.finish().unwrap();
    let items = instances(&open(&volume), "Ann").len();
    assert_clean(&volume);
    (report, told, items)
}

#[test]
fn mail_over_the_limit_is_told_and_the_rest_goes_in() {
    let tree = tempfile::tempdir().unwrap();
    let line = "From a@example.org Thu Aug 22 11:36:23 2002";
    let mbox = format!(
        "{line}\nA: 1\n\n1\n\n{line}\nA: 2\n\n{}\n\n{line}\nA: 3\n\n3\n",
        "x".repeat(2_000)
    );
    fs::write(tree.path().join("box.mbox"), mbox).unwrap();
    fs::write(tree.path().join("large.eml"), format!("A: 4\n\n{}", "x".repeat(2_000))).unwrap();
    fs::write(tree.path().join("small.eml"), "A: 5\n\n5\n").unwrap();
    fs::write(tree.path().join("notes.json"), "{}").unwrap();
    let (report, told, items) = import_bounded(tree.path(), 1_000);
    assert_eq!((report.messages, report.failed, report.files_skipped, items), (3, 2, 1, 3));
    assert!(
        told.iter().all(|error| matches!(error, MailError::TooLarge { limit_bytes: 1_000, .. }))
    );
    assert_eq!(told.len(), 2);
}

#[test]
fn folders_nested_deeper_than_a_store_can_show_are_told() {
    let tree = tempfile::tempdir().unwrap();
    // Each directory of a Maildir stands for many folders.
    let mut at = tree.path().to_path_buf();
    for level in 0..4 {
        for own in ["cur", "new"] {
            fs::create_dir_all(at.join(own)).unwrap();
        }
        fs::write(at.join("cur/1:2,"), format!("A: {level}\n\nx\n")).unwrap();
        at.push(".a".repeat(90));
    }
    let (report, told, items) = import_bounded(tree.path(), 1_000);
    assert_eq!((report.messages, report.failed, items), (3, 1, 3));
    assert!(matches!(told[..], [MailError::TooDeep { .. }]), "{told:?}");
}

#[test]
fn empty_mail_is_mail() {
    let tree = tempfile::tempdir().unwrap();
    fs::write(tree.path().join("1.eml"), "").unwrap();
    for form in [StoredForm::Mime, StoredForm::Mapi] {
        let (volume, report) = store_of(&["Ann"], form, tree.path());
        assert_eq!((report.messages, report.bytes), (1, 0));
        assert_clean(&volume);
        let out = tempfile::tempdir().unwrap();
        export(&volume, "Ann", None, MailFormat::Eml, out.path());
        let again = read_all(out.path());
        assert_eq!(again.len(), 1);
        assert!(form == StoredForm::Mapi || again[0].bytes.is_empty());
    }
}

#[test]
fn a_mailbox_is_found_by_guid_dn_and_name_and_taken_once() {
    let (volume, mut writer) = create(1);
    let made = writer.add_mailbox(&crate::store_support::profile(3)).unwrap();
    let guid = made.profile.guid.to_string();
    let tree = tempfile::tempdir().unwrap();
    fs::write(tree.path().join("1.eml"), "A: 1\n\n1\n").unwrap();
    let names = [guid.as_str(), "/O=example/ou=first/cn=recipients/cn=USER3", "user 3"];
    let (writer, report) =
        crate::stage::import(writer, &names, "#sent_items#", StoredForm::Mime, tree.path());
    writer.close().unwrap();
    assert_eq!((report.items, report.mailboxes_made), (1, 0));
    let store = open(&volume);
    let (view, mailbox) = mailbox(&store, &guid);
    let sent = view.folder_at(&mailbox, "#sent_items#").unwrap().id;
    let mut items = 0;
    view.each_item(sent, &mut |item| item.map(|_| items += 1)).unwrap();
    assert_eq!(items, 1);
}
