//! All real mail into three mailboxes of one store, and out again.

use dialtone::mail::{MailFormat, SourceMessage, StoredForm};

use crate::files::{read_all, real_files};
use crate::stage::{assert_clean, assert_same, export, import, kept};
use crate::store_support::create;
use crate::unpack::unpack;

#[test]
fn real_mail_comes_back_from_three_mailboxes() {
    let Some(files) = real_files() else { return };
    let tree = tempfile::tempdir().unwrap();
    unpack(&files, tree.path(), 1);
    let messages: Vec<SourceMessage> = read_all(tree.path());
    let (volume, writer) = create(1);
    let (writer, first) = import(writer, &["Ann", "Bob"], "#inbox#", StoredForm::Mime, tree.path());
    let (writer, second) =
        import(writer, &["Carol"], "Archive/Real", StoredForm::Mime, tree.path());
    writer.close().unwrap();
    assert_eq!((first.messages, first.items), (messages.len() as u64, 2 * messages.len() as u64));
    assert_eq!((second.messages, second.shared), (first.messages, first.messages));
    assert_clean(&volume);
    for (name, folder, format) in [
        ("Ann", "#inbox#", MailFormat::Eml),
        ("Bob", "#inbox#", MailFormat::Mbox),
        ("Carol", "Archive/Real", MailFormat::Maildir),
    ] {
        let out = tempfile::tempdir().unwrap();
        export(&volume, name, Some(folder), format, out.path());
        let with_flags = format != MailFormat::Eml;
        assert_same(&kept(&read_all(out.path()), with_flags), &kept(&messages, with_flags), name);
    }
    println!("{} real messages, {} bytes", first.messages, first.bytes);
}
