//! Export and import give the same bytes, in every format, for the fixtures and for all real mail; an export of an import of an
//! export is the same export, file by file.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use dialtone::mail::{MailFormat, MailSink, OutgoingMail, SourceMessage, promote};

use crate::support::{fixture_mail, fixtures, read_all, real_files};

const FORMATS: [MailFormat; 3] = [MailFormat::Eml, MailFormat::Mbox, MailFormat::Maildir];

/// What must survive: folder, bytes, and flags where the format has any.
type Kept = (Vec<String>, Vec<u8>, Option<u8>);

fn export(messages: &[SourceMessage], format: MailFormat, root: &Path) {
    let mut sink = MailSink::create(root, format).unwrap();
    for message in messages {
        let mail = promote(&message.bytes, &message.envelope());
        let outgoing = OutgoingMail {
            folder_path: &message.folder_path,
            bytes: &message.bytes,
            flags: mail.flags,
            delivery_time: mail.delivery_time,
            sender: &mail.sender.address,
        };
        sink.write(&outgoing).unwrap();
    }
    assert_eq!(sink.finish().unwrap().messages, messages.len() as u64);
}

fn kept(messages: &[SourceMessage], format: MailFormat) -> Vec<Kept> {
    let flags = |m: &SourceMessage| {
        (format != MailFormat::Eml).then(|| promote(&m.bytes, &m.envelope()).flags.bits())
    };
    messages.iter().map(|m| (m.folder_path.clone(), m.bytes.clone(), flags(m))).collect()
}

/// Messages grouped by folder, in the order of each: folders may come back in another order.
fn by_folder(mut kept: Vec<Kept>) -> Vec<Kept> {
    kept.sort_by(|a, b| a.0.cmp(&b.0));
    kept
}

/// The files of a directory, by path below it.
fn files(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut left = vec![root.to_path_buf()];
    while let Some(path) = left.pop() {
        if path.is_dir() {
            left.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_string();
            found.insert(name, fs::read(&path).unwrap());
        }
    }
    found
}

/// The same files under the order of their contents.
fn numbered(files: BTreeMap<String, Vec<u8>>) -> BTreeMap<String, Vec<u8>> {
    let mut contents: Vec<_> = files.into_values().collect();
    contents.sort();
    contents.into_iter().enumerate().map(|(at, bytes)| (format!("{at:08}"), bytes)).collect()
}

fn round_trip(messages: &[SourceMessage]) {
    for format in FORMATS {
        let out = tempfile::tempdir().unwrap();
        let (first, second) = (out.path().join("1"), out.path().join("2"));
        export(messages, format, &first);
        let again = read_all(&first);
        let (mut before, mut after) = (kept(messages, format), kept(&again, format));
        if format == MailFormat::Maildir {
            // A Maildir orders by time.
            before.sort();
            after.sort();
        }
        let (before, after) = (by_folder(before), by_folder(after));
        assert_eq!(before.len(), after.len(), "{format:?}");
        for (before, after) in before.iter().zip(&after) {
            let text = String::from_utf8_lossy(&after.1);
            assert!(
                before == after,
                "{format:?}: {:?} came back as {:?} {text}",
                before.0,
                after.0
            );
        }
        export(&again, format, &second);
        let (mut first, mut second) = (files(&first), files(&second));
        if format == MailFormat::Maildir {
            // Its file names count the messages in the order in which they came.
            (first, second) = (numbered(first), numbered(second));
        }
        assert!(first == second, "{format:?}: the second export differs");
    }
}

#[test]
fn fixtures_come_back_through_every_format() {
    round_trip(&fixture_mail());
}

#[test]
fn the_bytes_of_eml_files_are_the_messages() {
    let mut seen = 0;
    for message in
        fixture_mail().iter().filter(|m| m.origin.extension().is_some_and(|e| e == "eml"))
    {
        let file = fs::read(&message.origin).unwrap();
        let is_cut = message.origin.ends_with("from-line-in-front.eml");
        let line = file.iter().position(|byte| *byte == b'\n').unwrap() + 1;
        assert_eq!(
            message.bytes,
            if is_cut { &file[line..] } else { &file[..] },
            "{:?}",
            message.origin
        );
        seen += 1;
    }
    assert!(seen >= 80);
}

#[test]
fn an_mbox_of_our_own_making_is_cut_where_it_was_put_together() {
    let file = fs::read(fixtures().join("archive/Tides 2004.mbox")).unwrap();
    let out = tempfile::tempdir().unwrap();
    let copy = out.path().join("Tides");
    fs::write(&copy, &file).unwrap();
    let messages = read_all(&copy);
    assert_eq!(messages.len(), 4);
    for message in &messages {
        let at = file.windows(message.bytes.len()).position(|found| found == message.bytes);
        let before = file[..at.unwrap()].strip_suffix(b"\n").unwrap();
        assert!(before.rsplit(|byte| *byte == b'\n').next().unwrap().starts_with(b"From "));
    }
    assert!(messages[0].bytes.ends_with(b"\nFrom my notes: 0.4 metres below the chart.\n"));
    assert!(
        messages[1].bytes.ends_with(b"\n>From here the tide comes in faster than a dog runs.\n\n")
    );
}

#[test]
fn real_mail_comes_back_through_every_format() {
    let Some(files) = real_files() else { return };
    let tree = tempfile::tempdir().unwrap();
    let mut expected = BTreeMap::new();
    for (at, (name, bytes)) in files.iter().enumerate() {
        // One directory for each archive; names of our own, because the archives' differ only in case or are of no use.
        let archive = name.split(".tar").next().unwrap();
        let extension = name.rsplit('.').next().unwrap();
        let path = tree.path().join(archive).join(format!("{at:05}.{extension}"));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        expected.insert(path, bytes);
    }
    let messages = read_all(tree.path());
    let mut mboxes = 0;
    for message in &messages {
        let file = expected[&message.origin].as_slice();
        let content = match message.from_line_time {
            Some(_) => &file[file.iter().position(|byte| *byte == b'\n').unwrap() + 1..],
            None => file,
        };
        if message.bytes != content {
            // A file of the collections that is an mbox of several messages.
            assert!(content.windows(message.bytes.len()).any(|found| found == message.bytes));
            mboxes += 1;
        }
    }
    println!("{} real messages, {mboxes} of them cut from mboxes", messages.len());
    let origins: std::collections::BTreeSet<_> = messages.iter().map(|m| &m.origin).collect();
    let missing: Vec<_> = expected.keys().filter(|path| !origins.contains(path)).collect();
    assert!(missing.is_empty(), "not taken for mail: {missing:?}");
    round_trip(&messages);
}
