//! `show`: one store, mailbox, folder or message in detail.

use std::path::PathBuf;

use serde_json::json;

use super::exit::Failure;
use super::ls::{folder_fields, item_fields, mailbox_fields, role_of, size_text};
use super::output::Output;
use super::source::{IoMode, tell_state};
use crate::ese::error::Refusal;
use crate::ese::txn::DatabaseFile;
use crate::ese::{EseError, EseResult};
use crate::mapi::{AttachmentInfo, MessageId, Party, RecipientKind};
use crate::store::{Content, Folder, Form, Item, ItemId, Role, Store, View};

/// What `show` is asked for.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The database of the store
    store: PathBuf,
    /// A mailbox: name, GUID or distinguished name
    mailbox: Option<String>,
    /// A folder: path below the top of the mailbox, or #role#
    folder: Option<String>,
    /// An item: its id (1-1AC4) or article number (17)
    item: Option<String>,
    /// Write the MIME of the message as it is, and nothing else
    #[arg(long, requires = "item", conflicts_with = "json")]
    raw: bool,
    /// How pages are read
    #[arg(long, value_enum, default_value_t = IoMode::Map)]
    io: IoMode,
}

type Fields = Vec<(&'static str, serde_json::Value)>;

/// Runs the command.
pub fn run(options: &Options, output: &mut Output) -> Result<(), Failure> {
    let store = Store::open(&options.io.volume(), &options.store)?;
    tell_state(store.database(), &options.store, output)?;
    let view = store.view();
    let Some(name) = &options.mailbox else { return show_store(&store, output) };
    let mailbox = view.find_mailbox(name)?;
    let Some(path) = &options.folder else {
        return tell(output, "mailbox", &mailbox_fields(&mailbox));
    };
    let folder = view.folder_at(&mailbox, path)?;
    let Some(wanted) = &options.item else {
        let role = role_of(&view.roles(&mailbox)?, folder.id);
        let top = mailbox.logon_folder(Role::IpmSubtree).unwrap_or(mailbox.root);
        let path = view.folders(mailbox.root)?.path(folder.id, top);
        return tell(output, "folder", &folder_fields(&folder, role, &path));
    };
    let item = find_item(&view, &folder, wanted)?;
    let content = view.content(item.instance)?;
    let content = content.ok_or_else(|| not_found(format!("the content of item {wanted}")))?;
    if options.raw {
        let mime = view.mime(&content)?;
        let mime = mime.ok_or_else(|| not_found(format!("MIME of item {wanted}")))?;
        return Ok(output.raw(&mime)?);
    }
    show_message(&view, &item, &content, output)
}

fn not_found(what: String) -> EseError {
    EseError::refused(Refusal::NotFound, format!("there is no {what}"))
}

fn tell(output: &mut Output, kind: &str, fields: &Fields) -> Result<(), Failure> {
    if output.is_json() {
        return Ok(output.line(kind, fields)?);
    }
    for (name, value) in fields {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        output.text(&format!("{name:<20} {text}"))?;
    }
    Ok(())
}

fn show_store(store: &Store, output: &mut Output) -> Result<(), Failure> {
    let view = store.view();
    let info = view.info()?;
    let (mut mailboxes, mut items, mut bytes) = (0, 0, 0);
    view.each_mailbox(&mut |mailbox| {
        if let Ok(mailbox) = mailbox {
            mailboxes += 1;
            items += mailbox.items;
            bytes += mailbox.bytes;
        }
        Ok(())
    })?;
    let (edb, stm) = (store.database().file().len_bytes()?, store.stm().storage().len_bytes());
    let stm = stm.map_err(EseError::from)?;
    let fields = vec![
        ("file", json!(store.path().display().to_string())),
        ("guid", json!(info.store.to_string())),
        ("replica", json!(info.replica.to_string())),
        ("local_replica", json!(info.local_replica.0)),
        ("next_id", json!(info.next_id)),
        ("next_change", json!(info.next_change)),
        ("schema_version", json!(info.schema_version)),
        ("mailboxes", json!(mailboxes)),
        ("items", json!(items)),
        ("bytes", json!(bytes)),
        ("edb_bytes", json!(edb)),
        ("stm_bytes", json!(stm)),
    ];
    tell(output, "store", &fields)
}

/// The item of that id or article number.
fn find_item(view: &View<'_, DatabaseFile>, folder: &Folder, wanted: &str) -> EseResult<Item> {
    let missing = || not_found(format!("item {wanted} in the folder {}", folder.name));
    if let Ok(message) = wanted.parse::<MessageId>() {
        let id = ItemId { folder: folder.id, message };
        return view.item(id)?.ok_or_else(missing);
    }
    let article: i32 = wanted.parse().map_err(|_| missing())?;
    let mut found = None;
    view.each_item(folder.id, &mut |item| {
        found = found.take().or(item.ok().filter(|item| item.article == article));
        Ok(())
    })?;
    found.ok_or_else(missing)
}

fn show_message(
    view: &View<'_, DatabaseFile>,
    item: &Item,
    content: &Content,
    output: &mut Output,
) -> Result<(), Failure> {
    let (text, attachments) = match content.form {
        Form::Mime => (mime_text(view, content)?, content.promoted.attachments.clone()),
        _ => {
            let message = view.mapi_message(content)?;
            let attachments = message.promoted.attachments;
            (message.body_text.or(message.body_html).unwrap_or_default(), attachments)
        }
    };
    if output.is_json() {
        let mut fields = item_fields(item);
        let mail = &content.promoted;
        fields.extend([
            ("form", json!(if content.form == Form::Mime { "mime" } else { "mapi" })),
            ("references", json!(content.references)),
            ("message_id", json!(mail.message_id)),
            ("from", json!(party_text(&mail.represented))),
            ("recipients", json!(recipients(content, None))),
            ("attachments", json!(attachments.iter().map(attachment_json).collect::<Vec<_>>())),
            ("text", json!(text)),
        ]);
        return Ok(output.line("message", &fields)?);
    }
    let mail = &content.promoted;
    let lines = [
        ("From", party_text(&mail.represented)),
        ("To", recipients(content, Some(RecipientKind::To)).join(", ")),
        ("Cc", recipients(content, Some(RecipientKind::Cc)).join(", ")),
        ("Date", mail.submit_time.map_or(String::new(), |time| time.to_string())),
        ("Subject", mail.subject.clone()),
        ("Message-ID", mail.message_id.clone()),
        ("Categories", item.categories.join(", ")),
    ];
    for (name, value) in lines.iter().filter(|(_, value)| !value.is_empty()) {
        output.text(&format!("{name}: {}", value.replace(['\r', '\n'], " ")))?;
    }
    for attachment in &attachments {
        let size = size_text(i64::try_from(attachment.size_bytes).unwrap_or(i64::MAX));
        let line = format!("Attachment: {} ({}, {size})", attachment.name, attachment.mime_type);
        output.text(&line)?;
    }
    output.text("")?;
    Ok(output.text(&text.replace('\r', ""))?)
}

/// The MIME as text; bytes that are none show as U+FFFD.
fn mime_text(view: &View<'_, DatabaseFile>, content: &Content) -> EseResult<String> {
    let mime = view.mime(content)?.unwrap_or_default();
    Ok(String::from_utf8_lossy(&mime).into_owned())
}

fn party_text(party: &Party) -> String {
    match (party.name.as_str(), party.address.as_str()) {
        (name, "") => name.to_owned(),
        ("", address) => address.to_owned(),
        (name, address) => format!("{name} <{address}>"),
    }
}

fn recipients(content: &Content, kind: Option<RecipientKind>) -> Vec<String> {
    let all = content.promoted.recipients.iter();
    let wanted = all.filter(|recipient| kind.is_none_or(|kind| recipient.kind == kind));
    wanted.map(|recipient| party_text(&recipient.party)).collect()
}

fn attachment_json(info: &AttachmentInfo) -> serde_json::Value {
    json!({
        "name": info.name,
        "mime_type": info.mime_type,
        "bytes": info.size_bytes,
        "inline": info.inline,
        "embedded_message": info.embedded_message,
    })
}
