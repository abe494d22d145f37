//! `ls`: the mailboxes of a store, the folders of a mailbox, the items of a folder.

use std::path::PathBuf;

use serde_json::{Value as Json, json};

use super::exit::Failure;
use super::output::Output;
use super::source::{IoMode, tell_state};
use crate::ese::txn::DatabaseFile;
use crate::ese::{EseError, EseResult};
use crate::mapi::{FileTime, FolderId};
use crate::store::{Folder, Item, Mailbox, Role, Store, View};

/// What `ls` is asked for.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The database of the store
    store: PathBuf,
    /// A mailbox: name, GUID or distinguished name
    mailbox: Option<String>,
    /// A folder: path below the top of the mailbox, or #role#
    folder: Option<String>,
    /// How pages are read
    #[arg(long, value_enum, default_value_t = IoMode::Map)]
    io: IoMode,
}

/// Runs the command.
pub fn run(options: &Options, output: &mut Output) -> Result<(), Failure> {
    let store = Store::open(&options.io.volume(), &options.store)?;
    tell_state(store.database(), &options.store, output)?;
    let view = store.view();
    let Some(name) = &options.mailbox else { return mailboxes(&view, output) };
    let mailbox = view.find_mailbox(name)?;
    match &options.folder {
        None => folders(&view, &mailbox, output),
        Some(path) => items(&view, &view.folder_at(&mailbox, path)?, output),
    }
}

/// Tells what could be read of a thing, warns of what could not.
fn each<T>(
    output: &mut Output,
    table: &str,
    walk: impl FnOnce(&mut dyn FnMut(EseResult<T>) -> EseResult<()>) -> EseResult<()>,
    mut tell: impl FnMut(&mut Output, &T) -> std::io::Result<()>,
) -> Result<(), Failure> {
    let mut written = Ok(());
    walk(&mut |found| {
        if written.is_ok() {
            written = match found {
                Ok(thing) => tell(output, &thing),
                Err(error) => output.warn_error(&error, Some(table)),
            };
        }
        Ok(())
    })?;
    Ok(written?)
}

fn mailboxes(view: &View<'_, DatabaseFile>, output: &mut Output) -> Result<(), Failure> {
    each(output, "Mailbox", |visit| view.each_mailbox(visit), tell_mailbox)
}

fn tell_mailbox(output: &mut Output, mailbox: &Mailbox) -> std::io::Result<()> {
    if output.is_json() {
        return output.line("mailbox", &mailbox_fields(mailbox));
    }
    let (guid, name) = (mailbox.profile.guid, &mailbox.profile.name);
    let (items, size) = (mailbox.items, size_text(mailbox.bytes));
    output.text(&format!("{guid}  {items:>9} items  {size:>10}  {name}"))
}

/// A mailbox for programs.
pub fn mailbox_fields(mailbox: &Mailbox) -> Vec<(&'static str, Json)> {
    let profile = &mailbox.profile;
    let mut fields = vec![
        ("guid", json!(profile.guid.to_string())),
        ("name", json!(profile.name)),
        ("dn", json!(profile.dn)),
        ("root", json!(mailbox.root.to_string())),
        ("items", json!(mailbox.items)),
        ("deleted_items", json!(mailbox.deleted_items)),
        ("bytes", json!(mailbox.bytes)),
    ];
    for (name, quota) in [
        ("quota_warning_kb", profile.quotas.warning_kb),
        ("quota_send_kb", profile.quotas.send_kb),
        ("quota_receive_kb", profile.quotas.receive_kb),
    ] {
        fields.extend(quota.map(|quota| (name, json!(quota))));
    }
    fields.extend(mailbox.disconnected.map(|time| ("disconnected", json!(time.to_string()))));
    fields
}

fn folders(
    view: &View<'_, DatabaseFile>,
    mailbox: &Mailbox,
    output: &mut Output,
) -> Result<(), Failure> {
    let roles = view.roles(mailbox)?;
    let tree = view.folders(mailbox.root)?;
    let top = mailbox.logon_folder(Role::IpmSubtree).unwrap_or(mailbox.root);
    for (folder, depth) in tree.iter() {
        let role = role_of(&roles, folder.id);
        if output.is_json() {
            output.line("folder", &folder_fields(folder, role, &tree.path(folder.id, top)))?;
            continue;
        }
        let (items, unread) = (folder.counts.normal.items, folder.counts.unread);
        let size = size_text(folder.counts.bytes());
        let name = format!("{:indent$}{}", "", folder.name, indent = 2 * depth);
        let role = role.map(|role| format!("  #{}#", role.word())).unwrap_or_default();
        output.text(&format!("{items:>9} items {unread:>7} unread {size:>10}  {name}{role}"))?;
    }
    for orphan in tree.orphans() {
        let reason = format!("folder {} ({}) has no way to the root", orphan.id, orphan.name);
        output.warn_error(&EseError::corrupt_bytes(reason), Some("Folders"))?;
    }
    Ok(())
}

/// The role of a folder, if it has one.
pub fn role_of(roles: &[(Role, FolderId)], id: FolderId) -> Option<Role> {
    roles.iter().find(|(_, folder)| *folder == id).map(|(role, _)| *role)
}

/// A folder for programs.
pub fn folder_fields(folder: &Folder, role: Option<Role>, path: &str) -> Vec<(&'static str, Json)> {
    let mut fields = vec![
        ("id", json!(folder.id.to_string())),
        ("parent", json!(folder.parent.map(|parent| parent.to_string()))),
        ("name", json!(folder.name)),
        ("path", json!(path)),
        ("class", json!(folder.class)),
        ("kind", json!(folder.kind.number())),
        ("items", json!(folder.counts.normal.items)),
        ("unread", json!(folder.counts.unread)),
        ("hidden_items", json!(folder.counts.associated.items)),
        ("deleted_items", json!(folder.counts.normal.deleted_items)),
        ("bytes", json!(folder.counts.bytes())),
        ("subfolders", json!(folder.subfolders)),
    ];
    fields.extend(role.map(|role| ("role", json!(role.word()))));
    fields
}

fn items(
    view: &View<'_, DatabaseFile>,
    folder: &Folder,
    output: &mut Output,
) -> Result<(), Failure> {
    each(output, "MsgFolder", |visit| view.each_item_by_date(folder.id, visit), tell_item)
}

fn tell_item(output: &mut Output, item: &Item) -> std::io::Result<()> {
    if output.is_json() {
        return output.line("item", &item_fields(item));
    }
    let read = if item.read { ' ' } else { '*' };
    let clip = if item.headers.has_attachments { '@' } else { ' ' };
    let time = item.sort_time.map_or(String::new(), |time| time.to_string());
    let (id, size) = (item.id.message, size_text(item.bytes));
    let sender = one_line(&item.headers.sender, 24);
    let subject = one_line(&item.headers.subject, 60);
    output.text(&format!("{id:<12} {read}{clip} {time:<20} {size:>10}  {sender:<24}  {subject}"))
}

/// An item for programs.
pub fn item_fields(item: &Item) -> Vec<(&'static str, Json)> {
    let time = |time: Option<FileTime>| json!(time.map(|time| time.to_string()));
    let key = item.search_key.map(|key| crate::ese::table::value::hex_text(&key.0));
    vec![
        ("id", json!(item.id.message.to_string())),
        ("article", json!(item.article)),
        ("content", json!(item.instance.to_string())),
        ("subject", json!(item.headers.subject)),
        ("sender", json!(item.headers.sender)),
        ("to", json!(item.headers.display_to)),
        ("class", json!(item.headers.class)),
        ("time", time(item.sort_time)),
        ("created", time(item.created)),
        ("modified", time(item.modified)),
        ("read", json!(item.read)),
        ("has_attachments", json!(item.headers.has_attachments)),
        ("categories", json!(item.categories)),
        ("bytes", json!(item.bytes)),
        ("search_key", json!(key)),
    ]
}

/// Text on one line, cut after so many characters.
fn one_line(text: &str, most: usize) -> String {
    let flat = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    flat.take(most).collect()
}

/// A size for people.
pub fn size_text(bytes: i64) -> String {
    let mut size = bytes as f64;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if size.abs() < 1024.0 {
            let digits = usize::from(unit != "B");
            return format!("{size:.digits$} {unit}");
        }
        size /= 1024.0;
    }
    format!("{size:.1} TiB")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_told_in_their_unit() {
        for (bytes, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1536, "1.5 KiB"),
            (5 << 30, "5.0 GiB"),
            (3 << 40, "3.0 TiB"),
        ] {
            assert_eq!(size_text(bytes), text);
        }
        assert_eq!(one_line("a\r\nb c", 4), "a  b");
    }
}
