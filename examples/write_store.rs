//! Writes a mailbox store from mail files, for readers and engines of others to judge.
//!
//! `cargo run --release --example write_store -- STORE.edb FILE...`
//!
//! Three mailboxes get every mail in turn, every third mail in MAPI form; some are copied, moved, read and deleted after
//! that. The same files give the same store every time.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result};
use dialtone::io::RealVolume;
use dialtone::mail::{Envelope, promote, to_mapi};
use dialtone::mapi::{FileTime, FolderId, Guid, MailboxGuid};
use dialtone::store::{ItemId, MailboxProfile, Role, StoreIdentity, StoreWriter};

const NAMES: [&str; 3] = ["Ann Example", "Bob Größe", "Carol"];

fn main() -> Result<()> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let path = arguments.next().context("usage: write_store STORE.edb FILE...")?;
    let files: Vec<PathBuf> = arguments.collect();
    let volume = Arc::new(RealVolume::mapped());
    let mut writer = StoreWriter::create(volume, &path, &StoreIdentity::from_seed(2003))?;
    writer.set_now(FileTime::from_unix_seconds(1_057_017_600));
    let folders = add_mailboxes(&mut writer)?;
    let mut items = Vec::new();
    for (number, file) in files.iter().enumerate() {
        let mime = std::fs::read(file).with_context(|| file.display().to_string())?;
        items.push(insert(&mut writer, &folders, number, &mime)?);
        if writer.dirty_bytes() > 64 << 20 {
            writer.commit()?;
        }
    }
    change(&mut writer, &folders, &items)?;
    writer.close()?;
    println!("{} mails written to {}", items.len(), path.display());
    Ok(())
}

/// The mailboxes; of each the Inbox and a folder of its own.
fn add_mailboxes(writer: &mut StoreWriter) -> Result<Vec<FolderId>> {
    let mut folders = Vec::new();
    for (number, name) in (1..).zip(NAMES) {
        let profile = MailboxProfile::new(MailboxGuid(Guid([number; 16])), name);
        let mailbox = writer.add_mailbox(&profile)?;
        folders.push(mailbox.logon_folder(Role::Inbox).context("an Inbox")?);
        folders.push(writer.ensure_folder(&mailbox, "Archive/2003/Späte")?.id);
    }
    Ok(folders)
}

fn insert(
    writer: &mut StoreWriter,
    folders: &[FolderId],
    number: usize,
    mime: &[u8],
) -> Result<ItemId> {
    let folder = folders[number % folders.len()];
    let envelope = Envelope::default();
    if number.is_multiple_of(3)
        && let Ok(item) = writer.insert_mapi(folder, &to_mapi(mime, &envelope))
    {
        return Ok(item);
    }
    Ok(writer.insert_mime(folder, &promote(mime, &envelope), mime)?)
}

fn change(writer: &mut StoreWriter, folders: &[FolderId], items: &[ItemId]) -> Result<()> {
    for (number, item) in items.iter().enumerate() {
        let folder = folders[(number / 7) % folders.len()];
        match number % 7 {
            0 => drop(writer.copy_item(*item, folder)?),
            1 => drop(writer.move_item(*item, folder)?),
            2 => writer.set_read(*item, true)?,
            3 => writer.soft_delete_item(*item)?,
            4 => writer.delete_item(*item)?,
            _ => {}
        }
    }
    Ok(())
}
