//! A mailbox into mail files. MIME comes out as it went in, byte for byte; mail in MAPI form is written as MIME.

use std::path::Path;

use super::{MailError, MailFormat, MailSink, OutgoingMail, SinkReport, to_mime};
use crate::ese::error::{EseError, EseResult};
use crate::ese::txn::Pages;
use crate::mapi::{FolderId, ItemFlags, MessageFlags};
use crate::store::{DEPTH_MAX, Folder, FolderKind, FolderTree, Item, Mailbox, Role, View};

/// Where the mail of folders goes that hang below no other.
const ORPHANS: &str = "Recovered Orphans";

/// Why an export stopped.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The store.
    #[error(transparent)]
    Store(#[from] EseError),
    /// The files.
    #[error(transparent)]
    Files(#[from] MailError),
}

/// What an export has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ExportReport {
    /// What was written.
    pub written: SinkReport,
    /// Soft-deleted items, left out.
    pub deleted: u64,
    /// Hidden items, left out.
    pub hidden: u64,
    /// Items and folders that could not be read or placed; each was told.
    pub failed: u64,
}

/// Writes the mail of a mailbox, or of one folder of it and those below, into `directory`. What cannot be read is given to `failed`,
/// and the rest goes on.
///
/// # Errors
/// [`ExportError::Store`] when the folders cannot be read or the machine fails; [`ExportError::Files`].
pub fn export_mailbox<P: Pages + ?Sized>(
    view: &View<'_, P>,
    mailbox: &Mailbox,
    folder: Option<&str>,
    format: MailFormat,
    directory: &Path,
    failed: &mut dyn FnMut(Option<&Folder>, &EseError),
) -> Result<ExportReport, ExportError> {
    let mut lost = Vec::new();
    let tree = readable_folders(view, mailbox, &mut lost)?;
    let top = match folder {
        Some(path) => view.folder_at(mailbox, path)?.id,
        None => mailbox.logon_folder(Role::IpmSubtree).unwrap_or(mailbox.root),
    };
    let sink = MailSink::create(directory, format)?;
    let mut export = Export { view, sink, report: ExportReport::default(), failed };
    lost.iter().for_each(|error| export.fail(None, error));
    for (folder, _) in tree.iter() {
        if let Some(path) = names_below(&tree, folder, top) {
            export.folder(folder, &path)?;
        }
    }
    // They may have lain anywhere, so a part of the mailbox has none.
    for orphan in tree.orphans().filter(|_| folder.is_none()) {
        let reason = format!("it hangs below no folder of the mailbox; its mail goes to {ORPHANS}");
        export.fail(Some(orphan), &EseError::corrupt_bytes(reason));
        export.folder(orphan, &[ORPHANS.to_owned(), orphan.name.clone()])?;
    }
    let Export { sink, mut report, .. } = export;
    report.written = sink.finish()?;
    Ok(report)
}

/// The folders of a mailbox, those that cannot be read left out; by a look at all rows where the index fails.
fn readable_folders<P: Pages + ?Sized>(
    view: &View<'_, P>,
    mailbox: &Mailbox,
    lost: &mut Vec<EseError>,
) -> EseResult<FolderTree> {
    match view.folders_readable(mailbox.root, lost) {
        Err(error @ EseError::Corrupt { .. }) => lost.push(error),
        found => return found,
    }
    let mut folders = Vec::new();
    view.each_folder(&mut |folder| {
        match folder {
            Ok(folder) if folder.root == mailbox.root => folders.push(folder),
            Ok(_) => {}
            Err(error) => lost.push(error),
        }
        Ok(())
    })?;
    Ok(FolderTree::new(mailbox.root, folders))
}

/// The names from below `top` down to a folder; none for a folder that is not below it.
fn names_below(tree: &FolderTree, folder: &Folder, top: FolderId) -> Option<Vec<String>> {
    let mut names = Vec::new();
    let mut at = folder;
    for _ in 0..=DEPTH_MAX {
        if at.id == top {
            names.reverse();
            return Some(names);
        }
        names.push(at.name.clone());
        at = tree.get(at.parent?)?;
    }
    None
}

struct Export<'e, 'v, P: Pages + ?Sized> {
    view: &'e View<'v, P>,
    sink: MailSink,
    report: ExportReport,
    failed: &'e mut dyn FnMut(Option<&Folder>, &EseError),
}

impl<P: Pages + ?Sized> Export<'_, '_, P> {
    fn fail(&mut self, folder: Option<&Folder>, error: &EseError) {
        self.report.failed += 1;
        (self.failed)(folder, error);
    }

    fn folder(&mut self, folder: &Folder, path: &[String]) -> Result<(), ExportError> {
        if folder.kind == FolderKind::Search {
            return Ok(());
        }
        let mut broken: Option<MailError> = None;
        let view = *self.view;
        view.each_item(folder.id, &mut |item| {
            if broken.is_some() {
                return Ok(());
            }
            match item.and_then(|item| self.item(&item, path)) {
                Ok(Ok(())) => Ok(()),
                Ok(Err(error)) => {
                    broken = Some(error);
                    Ok(())
                }
                Err(error @ EseError::Io(_)) => Err(error),
                Err(error) => {
                    self.fail(Some(folder), &error);
                    Ok(())
                }
            }
        })?;
        broken.map_or(Ok(()), |error| Err(error.into()))
    }

    fn item(&mut self, item: &Item, path: &[String]) -> EseResult<Result<(), MailError>> {
        if item.deleted_on.is_some() {
            self.report.deleted += 1;
            return Ok(Ok(()));
        }
        if item.associated {
            self.report.hidden += 1;
            return Ok(Ok(()));
        }
        let content = self.view.content(item.instance)?;
        let gone = || EseError::corrupt_bytes(format!("item {} has no content", item.id.message));
        let content = content.ok_or_else(gone)?;
        let bytes = match self.view.mime(&content)? {
            Some(mime) => mime,
            None => to_mime(&self.view.mapi_message(&content)?),
        };
        let mail = OutgoingMail {
            folder_path: path,
            bytes: &bytes,
            flags: flags_of(item),
            delivery_time: item.delivered,
            sender: &content.promoted.sender.address,
        };
        Ok(self.sink.write(&mail).map(drop))
    }
}

/// The flags of an item as mail files know them.
fn flags_of(item: &Item) -> ItemFlags {
    /// PR_FLAG_STATUS of an item that its reader has marked.
    const FLAGGED: i32 = 2;
    let mut flags = ItemFlags::of_message_status(item.status);
    flags.set(ItemFlags::READ, item.read);
    flags.set(ItemFlags::DRAFT, item.flags.contains(MessageFlags::UNSENT));
    flags.set(ItemFlags::FLAGGED, item.flag_status == Some(FLAGGED));
    flags
}
