//! Mail made to do harm: nothing panics, nothing takes long, nothing is read or written outside its place.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use dialtone::mail::{
    Envelope, FromLine, MailError, MailFormat, MailSink, MailSource, MboxReader, OutgoingMail,
    SourceLimits, promote, to_mapi, to_mime,
};
use dialtone::mapi::ItemFlags;
use proptest::prelude::*;

use crate::support::{fixture_mail, read_all, real_files};

/// Everything that is done with the bytes of a message.
fn digest(bytes: &[u8]) {
    let form = to_mapi(bytes, &Envelope::default());
    assert_eq!(form.promoted, promote(bytes, &Envelope::default()));
    let written = to_mime(&form);
    promote(&written, &Envelope::default());
}

fn read_mbox(bytes: &[u8]) -> usize {
    let mut reader = MboxReader::new(bytes, 1 << 20);
    std::iter::from_fn(|| reader.next_mail()).count()
}

#[test]
fn every_real_message_is_read_and_promoted_the_same_way_twice() {
    let Some(files) = real_files() else { return };
    for (name, bytes) in &files {
        let form = to_mapi(bytes, &Envelope::default());
        let mail = promote(bytes, &Envelope::default());
        assert!(form.promoted == mail, "{name}");
        assert_eq!(mail.size_bytes, bytes.len() as u64);
        to_mime(&form);
    }
}

#[test]
fn hostile_structures_take_no_long_time() {
    let started = Instant::now();
    let repeated =
        |head: &str, piece: &str| format!("{head}{}", piece.repeat((2 << 20) / piece.len()));
    for mime in [
        repeated("", "Content-Type: message/rfc822\n\n"),
        repeated("", "Content-Type: multipart/digest; boundary=a\n\n--a\n\n"),
        repeated("Content-Type: multipart/mixed; boundary=a\n\n", "--a\n\n"),
        repeated(
            "Content-Type: multipart/mixed; boundary=a\n\n",
            "--a\nContent-Type: message/rfc822\n\n",
        ),
        repeated("Subject: ", "=?aa?q?x"),
        repeated("To: ", "=?aa?q?x@y,"),
        repeated("From: ", "(((<\"\\"),
        repeated("Content-Type: text/plain", "; a*1=x"),
        repeated("References: ", "<a@b> "),
        repeated("Received: ", "; Thu, 1 Jan 2004 00:00:00 +0000"),
        repeated("", "A: b\n"),
        repeated("", "Received: x\n"),
        repeated("Content-Type: text/html\n\n", "<a href=\"<!--<p><div>&amp;&#"),
        repeated("Content-Type: text/plain; charset=utf-7\n\n", "+AAA"),
        repeated("Content-Transfer-Encoding: base64\n\n", "a="),
        repeated("Content-Transfer-Encoding: quoted-printable\n\n", "="),
        repeated("From a Thu Aug 22 11:36:23 2002\n", "From a Thu Aug 22 11:36:23 2002\n\n"),
    ] {
        digest(mime.as_bytes());
        read_mbox(mime.as_bytes());
        let head: String = mime.chars().take(80).collect();
        assert!(started.elapsed() < Duration::from_secs(60), "{head}: {:?}", started.elapsed());
    }
}

/// A message with a few bytes changed, cut, doubled.
fn mangled() -> impl Strategy<Value = Vec<u8>> {
    let mail: Vec<Vec<u8>> = fixture_mail().into_iter().map(|message| message.bytes).collect();
    let edits = proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12);
    let splice = (any::<prop::sample::Index>(), any::<prop::sample::Index>());
    (prop::sample::select(mail.clone()), prop::sample::select(mail), edits, splice).prop_map(
        |(mut bytes, other, edits, (cut, from))| {
            let cut = cut.index(bytes.len() + 1);
            let from = from.index(other.len() + 1);
            bytes.truncate(cut);
            bytes.extend(&other[from..]);
            for (at, to) in edits {
                if !bytes.is_empty() {
                    let at = at.index(bytes.len());
                    bytes[at] = to;
                }
            }
            bytes
        },
    )
}

/// Pieces that mean something to the parsers, in any order.
fn grammar() -> impl Strategy<Value = Vec<u8>> {
    let pieces: &[&[u8]] = &[
        b"From: ",
        b"To: ",
        b"Subject: ",
        b"Date: ",
        b"Content-Type: ",
        b"multipart/mixed; boundary=",
        b"message/rfc822",
        b"a",
        b"\"",
        b"(",
        b")",
        b"<",
        b">",
        b"@",
        b",",
        b";",
        b":",
        b"=?utf-8?q?",
        b"=?utf-8?b?",
        b"?=",
        b"=",
        b"*0*=",
        b"''",
        b"--a",
        b"--a--",
        b"\r\n",
        b"\n",
        b"\n ",
        b"\n\n",
        b"\\",
        b"%",
        b"\xff",
        b"\0",
        b"99999999999",
        b"-",
        b"+",
        b" ",
        b"Thu",
        b"Jan",
        b"From x Thu Jan  1 00:00:00 1970",
        b"charset=",
        b"name=",
        b"utf-7",
        b"Content-Transfer-Encoding: base64\n",
        b"Received: ",
    ];
    let piece = prop::sample::select(pieces.to_vec());
    proptest::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_a_parser_panic(bytes in prop_oneof![
        mangled(), grammar(), proptest::collection::vec(any::<u8>(), 0..400)
    ]) {
        digest(&bytes);
        read_mbox(&bytes);
        _ = FromLine::parse(&bytes);
    }

    #[test]
    fn any_messages_come_back_through_an_mbox(messages in proptest::collection::vec(prop_oneof![mangled(), grammar()], 1..4)) {
        let out = tempfile::tempdir().unwrap();
        let mut sink = MailSink::create(out.path(), MailFormat::Mbox).unwrap();
        for bytes in &messages {
            let flags = ItemFlags::FLAGGED;
            sink.write(&OutgoingMail { folder_path: &[], bytes, flags, delivery_time: None, sender: "a b" }).unwrap();
        }
        sink.finish().unwrap();
        let read: Vec<_> = read_all(out.path()).into_iter().map(|m| (m.bytes, m.folder_path.len())).collect();
        prop_assert_eq!(read, messages.into_iter().map(|m| (m, 0)).collect::<Vec<_>>());
    }

    #[test]
    fn folder_names_never_lead_out(path in proptest::collection::vec("\\PC{0,12}|\\.\\.|/|\\.|[a-z]{300}|CUR|new", 0..6), format in 0..3_usize) {
        let format = [MailFormat::Eml, MailFormat::Mbox, MailFormat::Maildir][format];
        let out = tempfile::tempdir().unwrap();
        let root = out.path().join("inner");
        let mut sink = MailSink::create(&root, format).unwrap();
        for folder_path in [&path[..], &[], &path[..path.len() / 2]] {
            let mail = OutgoingMail { folder_path, bytes: b"A: b\n\n", flags: ItemFlags::empty(), delivery_time: None, sender: "" };
            let file = sink.write(&mail).unwrap();
            prop_assert!(file.starts_with(&root));
            prop_assert!(file.components().all(|part| part.as_os_str() != ".."));
        }
        sink.finish().unwrap();
        prop_assert_eq!(fs::read_dir(out.path()).unwrap().count(), 1);
        prop_assert_eq!(read_all(&root).len(), 3);
    }
}

#[cfg(unix)]
#[test]
fn links_are_neither_followed_in_nor_out() {
    let dir = tempfile::tempdir().unwrap();
    let (tree, outside) = (dir.path().join("tree"), dir.path().join("outside"));
    fs::create_dir_all(tree.join("a")).unwrap();
    fs::create_dir_all(&outside).unwrap();
    fs::write(outside.join("secret.eml"), "Subject: x\n\n").unwrap();
    fs::write(tree.join("a/1.eml"), "Subject: y\n\n").unwrap();
    std::os::unix::fs::symlink(&tree, tree.join("a/loop")).unwrap();
    std::os::unix::fs::symlink(&outside, tree.join("out")).unwrap();
    std::os::unix::fs::symlink(outside.join("secret.eml"), tree.join("a/2.eml")).unwrap();
    let mut source = MailSource::open(&tree, SourceLimits::default()).unwrap();
    let found: Vec<_> = source.by_ref().map(|message| message.unwrap().bytes).collect();
    assert_eq!((found.len(), source.skipped()), (1, 3));

    for format in [MailFormat::Eml, MailFormat::Maildir] {
        let mut sink = MailSink::create(&tree, format).unwrap();
        let folder_path = ["out".to_string()];
        let mail = OutgoingMail {
            folder_path: &folder_path,
            bytes: b"",
            flags: ItemFlags::empty(),
            delivery_time: None,
            sender: "",
        };
        assert!(matches!(sink.write(&mail), Err(MailError::InTheWay { .. })));
    }
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
}

#[test]
fn an_export_never_writes_over_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let export = |format| {
        let mut sink = MailSink::create(dir.path(), format).unwrap();
        let mail = OutgoingMail {
            folder_path: &[],
            bytes: b"x",
            flags: ItemFlags::empty(),
            delivery_time: None,
            sender: "",
        };
        sink.write(&mail).and_then(|_| sink.finish())
    };
    for format in [MailFormat::Eml, MailFormat::Mbox, MailFormat::Maildir] {
        assert_eq!(export(format).unwrap().messages, 1);
        assert!(
            matches!(export(format), Err(MailError::Os { operation: "create", .. })),
            "{format:?}"
        );
    }
}

#[test]
fn trees_too_deep_and_messages_too_long_are_errors_and_the_rest_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let deep: std::path::PathBuf = std::iter::repeat_n("d", 70).collect();
    fs::create_dir_all(dir.path().join(&deep)).unwrap();
    fs::write(dir.path().join(deep).join("1.eml"), "Subject: deep\n\n").unwrap();
    fs::write(dir.path().join("big.eml"), format!("Subject: big\n\n{}", "x".repeat(2_000)))
        .unwrap();
    fs::write(dir.path().join("small.eml"), "Subject: small\n\n").unwrap();
    fs::write(dir.path().join("notes.json"), "{}").unwrap();
    let mut source = MailSource::open(dir.path(), SourceLimits { message_bytes: 1_000 }).unwrap();
    let found: Vec<_> = source.by_ref().collect();
    assert!(matches!(found[0], Err(MailError::TooLarge { limit_bytes: 1_000, .. })));
    assert_eq!(found[1].as_ref().unwrap().bytes, b"Subject: small\n\n");
    assert!(matches!(found[2], Err(MailError::TooDeep { .. })));
    assert_eq!((found.len(), source.skipped()), (3, 1));
    assert!(MailSource::open(Path::new("not there"), SourceLimits::default()).is_err());
}
