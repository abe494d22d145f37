//! A mailbox into mail files. MIME comes out as it went in, byte for byte; mail in MAPI form is written as MIME.

use std::path::Path;

use super::{MailError, MailFormat, MailSink, OutgoingMail, SinkReport, to_mime};
use crate::ese::error::{EseError, EseResult};
use crate::ese::txn::Pages;
use crate::mapi::{ItemFlags, MessageFlags};
use crate::store::{Folder, FolderKind, FolderTree, Item, Mailbox, Role, View, split_path};

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
    /// Items that could not be read; each was told.
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
    failed: &mut dyn FnMut(&Folder, &EseError),
) -> Result<ExportReport, ExportError> {
    let tree = view.folders(mailbox.root)?;
    let top = match folder {
        Some(path) => view.folder_at(mailbox, path)?.id,
        None => mailbox.logon_folder(Role::IpmSubtree).unwrap_or(mailbox.root),
    };
    let sink = MailSink::create(directory, format)?;
    let mut export = Export { view, sink, report: ExportReport::default(), failed };
    for (folder, _) in tree.iter() {
        let path = names_below(&tree, folder, top);
        if let Some(path) = path.filter(|_| folder.kind != FolderKind::Search) {
            export.folder(folder, &path)?;
        }
    }
    let Export { sink, mut report, .. } = export;
    report.written = sink.finish()?;
    Ok(report)
}

/// The names from below `top` down to a folder; none for a folder that is not below it.
fn names_below(
    tree: &FolderTree,
    folder: &Folder,
    top: crate::mapi::FolderId,
) -> Option<Vec<String>> {
    if folder.id == top {
        return Some(Vec::new());
    }
    let path = tree.path(folder.id, top);
    (!path.is_empty()).then(|| split_path(&path))
}

struct Export<'e, 'v, P: Pages + ?Sized> {
    view: &'e View<'v, P>,
    sink: MailSink,
    report: ExportReport,
    failed: &'e mut dyn FnMut(&Folder, &EseError),
}

impl<P: Pages + ?Sized> Export<'_, '_, P> {
    fn folder(&mut self, folder: &Folder, path: &[String]) -> Result<(), ExportError> {
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
                    self.report.failed += 1;
                    (self.failed)(folder, &error);
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
