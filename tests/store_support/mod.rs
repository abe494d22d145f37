//! What tests of the mailbox store share: mails made by hand, stores in memory, and the recount that all counters must
//! equal.
#![allow(clippy::unwrap_used)] // helpers of tests, like the tests
#![allow(dead_code)] // each test program uses a part

use std::path::{Path, PathBuf};
use std::sync::Arc;

use dialtone::ese::EseResult;
use dialtone::io::{MemoryVolume, Volume};
use dialtone::mapi::{
    AttachmentBody, AttachmentInfo, FileTime, Guid, Importance, ItemFlags, MailboxGuid,
    MapiAttachment, MapiMessage, Party, Promoted, Recipient, RecipientKind, SearchKey, Sensitivity,
    encode_recipients,
};
use dialtone::store::{MailboxProfile, Store, StoreIdentity, StoreWriter};

/// The store of most tests.
pub const PATH: &str = "/s/priv1.edb";

/// 2003-10-21, so that no test depends on the day it runs.
pub const NOW: FileTime = FileTime::from_unix_seconds(1_066_700_000);

pub fn path() -> PathBuf {
    PathBuf::from(PATH)
}

/// An empty store in memory, open for writing.
pub fn create(seed: u64) -> (MemoryVolume, StoreWriter) {
    let volume = MemoryVolume::new();
    let writer = create_at(&volume, PATH, seed);
    (volume, writer)
}

pub fn create_at(volume: &MemoryVolume, path: &str, seed: u64) -> StoreWriter {
    let dynamic: Arc<dyn Volume> = Arc::new(volume.clone());
    let identity = StoreIdentity::from_seed(seed);
    let mut writer = StoreWriter::create(dynamic, Path::new(path), &identity).unwrap();
    writer.set_now(NOW);
    writer
}

pub fn reopen(volume: &MemoryVolume) -> StoreWriter {
    let mut writer = StoreWriter::open(Arc::new(volume.clone()), Path::new(PATH)).unwrap();
    writer.set_now(NOW);
    writer
}

pub fn reopen_at(volume: &MemoryVolume, path: &str) -> StoreWriter {
    let mut writer = StoreWriter::open(Arc::new(volume.clone()), Path::new(path)).unwrap();
    writer.set_now(NOW);
    writer
}

pub fn open(volume: &MemoryVolume) -> Store {
    Store::open(volume, Path::new(PATH)).unwrap()
}

pub fn profile(number: u8) -> MailboxProfile {
    let mut profile =
        MailboxProfile::new(MailboxGuid(Guid([number; 16])), &format!("User {number}"));
    profile.dn = format!("/o=Example/ou=First/cn=Recipients/cn=user{number}");
    profile.quotas.send_kb = Some(1000 + i32::from(number));
    profile
}

/// Bytes that look like a mail and that nothing compresses to the same.
pub fn mime(number: u32, len_bytes: usize) -> Vec<u8> {
    let mut bytes = format!(
        "From: Ann <ann@example.com>\r\nTo: Bob <bob@example.com>\r\nSubject: Mail {number}\r\n\r\n"
    )
    .into_bytes();
    let mut state = number.wrapping_mul(2_654_435_761) | 1;
    while bytes.len() < len_bytes {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(len_bytes.max(1));
    bytes
}

/// What is promoted from such a mail.
pub fn promoted(number: u32, mime: &[u8]) -> Promoted {
    let time = FileTime(NOW.0 - i64::from(number) * 10_000_000);
    let recipient =
        |kind, name: &str| Recipient { kind, party: Party::smtp(name, "bob@example.com") };
    let attachments = match number % 3 {
        0 => vec![AttachmentInfo {
            name: "Bericht Größe.pdf".into(),
            mime_type: "application/pdf".into(),
            size_bytes: 5_000_000_000,
            content_id: "x@y".into(),
            inline: true,
            embedded_message: false,
        }],
        _ => Vec::new(),
    };
    Promoted {
        search_key: SearchKey::of_mime(mime),
        message_class: "IPM.Note".into(),
        subject: format!("RE: Mail {number}"),
        subject_prefix: "RE: ".into(),
        normalized_subject: format!("Mail {number}"),
        sender: Party::smtp("Ann", "ann@example.com"),
        represented: Party::smtp("Ann", "ann@example.com"),
        recipients: vec![
            recipient(RecipientKind::To, "Bob"),
            recipient(RecipientKind::Cc, "\u{1f4e7} Robert"),
        ],
        submit_time: Some(time),
        delivery_time: Some(time),
        message_id: format!("<{number}@example.com>"),
        in_reply_to: String::new(),
        references: vec!["<a@b>".into(), "<c@d>".into()],
        importance: Importance::High,
        sensitivity: Sensitivity::Private,
        categories: vec!["Work".into(), "Später".into()],
        size_bytes: mime.len() as u64,
        has_attachments: !attachments.is_empty(),
        attachments,
        text_length: 17,
        mime_type: "text/plain".into(),
        flags: if number.is_multiple_of(2) {
            ItemFlags::READ | ItemFlags::FLAGGED
        } else {
            ItemFlags::empty()
        },
    }
}

/// The same mail in MAPI form, with an attachment of `data_bytes` and, if asked for, a mail in it.
pub fn mapi(number: u32, data_bytes: usize, embeds: bool) -> MapiMessage {
    let bytes = mime(number, 300);
    let mut promoted = promoted(number, &bytes);
    let info = |name: &str, size: usize, embedded_message| AttachmentInfo {
        name: name.into(),
        mime_type: "application/octet-stream".into(),
        size_bytes: size as u64,
        embedded_message,
        ..AttachmentInfo::default()
    };
    let data = mime(number ^ 0xaaaa, data_bytes);
    let mut attachments = vec![MapiAttachment {
        info: info("data.bin", data.len(), false),
        body: AttachmentBody::Data(data),
    }];
    if embeds {
        let mime = bytes.clone();
        let message = Box::new(mapi(number + 1000, 50, false));
        attachments.push(MapiAttachment {
            info: info("Mail", mime.len(), true),
            body: AttachmentBody::Message { message, mime },
        });
    }
    promoted.attachments = attachments.iter().map(|a| a.info.clone()).collect();
    promoted.has_attachments = true;
    MapiMessage {
        recipients_blob: encode_recipients(&promoted.recipients).unwrap(),
        promoted,
        transport_headers: "Received: by x\r\n".into(),
        body_text: Some("Text \u{1f4e7}".repeat(500)),
        body_html: Some("<p>Größe</p>".into()),
        attachments,
    }
}

/// Replaces the content of a file behind everybody's back.
pub fn overwrite(volume: &MemoryVolume, path: impl AsRef<Path>, bytes: &[u8]) {
    volume.forget_events();
    volume.insert_file(path, bytes);
}

/// Looks at everything that a store says; errors are answers.
pub fn read_all(store: &Store) -> EseResult<()> {
    let view = store.view();
    let _ = view.info();
    let _ = view.replicas();
    let mut mailboxes = Vec::new();
    view.each_mailbox(&mut |mailbox| {
        mailboxes.extend(mailbox.ok());
        Ok(())
    })?;
    for mailbox in &mailboxes {
        let _ = view.roles(mailbox);
        let _ = view.folder_at(mailbox, "A/B");
        let _ = view.find_mailbox(&mailbox.profile.name);
        let Ok(tree) = view.folders(mailbox.root) else { continue };
        for (folder, _) in tree.iter() {
            let _ = tree.path(folder.id, mailbox.root);
            let mut items = Vec::new();
            let _ = view.each_item_by_date(folder.id, &mut |item| {
                items.extend(item.ok());
                Ok(())
            });
            for item in items {
                let Ok(Some(content)) = view.content(item.instance) else { continue };
                let _ = view.mime(&content);
                let _ = view.mapi_message(&content);
            }
        }
    }
    Ok(())
}

/// Does some of everything that a writer does.
pub fn write_some(volume: &MemoryVolume) -> EseResult<()> {
    let mut writer = StoreWriter::open(Arc::new(volume.clone()), &path())?;
    writer.set_now(NOW);
    let mailbox = writer.view()?.mailboxes()?.into_iter().next();
    let Some(mailbox) = mailbox else { return writer.close() };
    let inbox = writer.view()?.folder_at(&mailbox, "#inbox#")?;
    let bytes = mime(50, 9000);
    writer.insert_mime(inbox.id, &promoted(50, &bytes), &bytes)?;
    writer.ensure_folder(&mailbox, "A/B/D")?;
    let mut items = Vec::new();
    writer.view()?.each_item(inbox.id, &mut |item| {
        items.push(item?.id);
        Ok(())
    })?;
    for (number, item) in items.into_iter().enumerate() {
        match number % 3 {
            0 => writer.delete_item(item)?,
            1 => writer.soft_delete_item(item)?,
            _ => writer.set_read(item, true)?,
        }
    }
    writer.close()
}
