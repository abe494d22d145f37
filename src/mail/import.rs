//! Mail files into a mailbox store. One message for several mailboxes is stored once.

use std::collections::HashMap;
use std::path::Path;

use super::{MailError, MailSource, SourceLimits, SourceMessage, promote, to_mapi};
use crate::ese::error::{EseError, EseResult, Refusal};
use crate::ese::txn::Pages;
use crate::mapi::{FolderId, InstanceId, MailboxGuid, Promoted, SearchKey};
use crate::store::{
    ATTACHMENT_ROWS_MAX, ItemId, Mailbox, MailboxProfile, Role, StoreWriter, View,
    fresh_mailbox_guid, split_path,
};

/// Changed pages are committed when they take so many bytes.
const COMMIT_BYTES: usize = 64 << 20;
/// Mail that would lie deeper is left out; readers of stores follow [`crate::store::DEPTH_MAX`] levels.
const FOLDER_DEPTH_MAX: usize = 200;
/// Share of the mail that clients would have submitted, in a mixed store: of 256. Source: exchange-store 7 (60 %).
const MAPI_SHARE: u8 = 154;

/// In which form mail is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StoredForm {
    /// As MIME in the streaming file, as mail from the Internet is.
    #[default]
    Mime,
    /// As properties and attachment rows in the database, as mail of MAPI clients is.
    Mapi,
    /// Some as the one, some as the other; which, depends on the mail alone.
    Mixed,
}

impl StoredForm {
    fn is_mapi(self, key: SearchKey) -> bool {
        match self {
            Self::Mime => false,
            Self::Mapi => true,
            Self::Mixed => key.0[0] < MAPI_SHARE,
        }
    }
}

/// What an import has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ImportReport {
    /// Messages read.
    pub messages: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Items made: messages times mailboxes.
    pub items: u64,
    /// Mailboxes made.
    pub mailboxes_made: u64,
    /// Folders made.
    pub folders_made: u64,
    /// Messages whose content the store had already, so that it was not stored again.
    pub shared: u64,
    /// Messages stored in MAPI form.
    pub mapi: u64,
    /// Messages that the MAPI form cannot hold, stored as MIME.
    pub fallbacks: u64,
    /// Files that are no mail, passed over.
    pub files_skipped: u64,
    /// Messages and files that could not be read; each was told.
    pub failed: u64,
}

/// Imports mail into some mailboxes of one store.
#[derive(Debug)]
pub struct Importer {
    writer: StoreWriter,
    mailboxes: Vec<Mailbox>,
    /// The folder asked for, with a role in front.
    top: Vec<String>,
    form: StoredForm,
    limits: SourceLimits,
    /// The folders of each source folder seen, one a mailbox.
    folders: HashMap<Vec<String>, Vec<FolderId>>,
    report: ImportReport,
}

impl Importer {
    /// Imports into these mailboxes, found by GUID, owner or name; one that is missing is made. `folder` is a path as
    /// [`crate::store::View::folder_at`] takes it.
    ///
    /// # Errors
    /// As [`crate::store::View::find_mailbox`] for a name that means several; [`EseError::Io`].
    pub fn new(
        mut writer: StoreWriter,
        names: &[String],
        folder: &str,
        form: StoredForm,
    ) -> EseResult<Self> {
        let mut report = ImportReport::default();
        let mailboxes = match mailboxes_of(&mut writer, names, &mut report) {
            Err(error @ EseError::Refused { .. }) => {
                // Nothing is half done, so the store need not look as if it were.
                let _ = writer.close();
                return Err(error);
            }
            found => found?,
        };
        let (top, limits) = (with_role(folder), SourceLimits::default());
        Ok(Self { writer, mailboxes, top, form, limits, folders: HashMap::new(), report })
    }

    /// Whether an import into these mailboxes and this folder can begin, without a change to the store.
    ///
    /// # Errors
    /// As [`Self::new`]; [`Refusal::NotFound`] for a role that the mailbox does not have.
    pub fn check<P: Pages + ?Sized>(
        view: &View<'_, P>,
        names: &[String],
        folder: &str,
    ) -> EseResult<()> {
        let top = with_role(folder).swap_remove(0);
        for name in names {
            let mailbox = view.find_mailbox(name);
            match mailbox {
                Err(error) if may_be_made(&error, name) => {
                    let word = top.trim_matches('#').to_lowercase();
                    if Role::all().all(|role| role.word() != word) {
                        let reason = format!("there is no role {top}");
                        return Err(EseError::refused(Refusal::NotFound, reason));
                    }
                }
                mailbox => view.folder_at(&mailbox?, &top).map(drop)?,
            }
        }
        Ok(())
    }

    /// Takes messages up to these bounds only.
    pub fn set_limits(&mut self, limits: SourceLimits) {
        self.limits = limits;
    }

    /// Imports a file, a Maildir, or a tree of them. What cannot be read is given to `failed`, and the rest goes on. `progress` is
    /// called with the bytes of each message.
    ///
    /// # Errors
    /// [`EseError::Io`] of the store; a folder that cannot be made.
    pub fn add(
        &mut self,
        path: &Path,
        failed: &mut dyn FnMut(&MailError),
        progress: &mut dyn FnMut(u64),
    ) -> EseResult<()> {
        let mut source = match MailSource::open(path, self.limits) {
            Ok(source) => source,
            Err(error) => {
                self.report.failed += 1;
                failed(&error);
                return Ok(());
            }
        };
        for message in source.by_ref() {
            match message {
                Ok(message) if self.top.len() + message.folder_path.len() > FOLDER_DEPTH_MAX => {
                    self.report.failed += 1;
                    failed(&MailError::TooDeep { path: message.origin, limit: FOLDER_DEPTH_MAX });
                }
                Ok(message) => {
                    self.add_message(&message)?;
                    progress(message.bytes.len() as u64);
                }
                Err(error) => {
                    self.report.failed += 1;
                    failed(&error);
                }
            }
        }
        self.report.files_skipped += source.skipped();
        Ok(())
    }

    fn add_message(&mut self, message: &SourceMessage) -> EseResult<()> {
        let folders = self.folders_of(&message.folder_path)?;
        let Some((first, others)) = folders.split_first() else { return Ok(()) };
        let (instance, promoted) = self.insert(*first, message)?;
        let mut items = 1;
        for folder in others {
            self.writer.insert_shared(*folder, &promoted, instance)?;
            items += 1;
        }
        self.report.messages += 1;
        self.report.items += items;
        self.report.bytes += message.bytes.len() as u64;
        if self.writer.dirty_bytes() > COMMIT_BYTES {
            self.writer.commit()?;
        }
        Ok(())
    }

    fn insert(
        &mut self,
        folder: FolderId,
        message: &SourceMessage,
    ) -> EseResult<(InstanceId, Promoted)> {
        let envelope = message.envelope();
        if self.form.is_mapi(SearchKey::of_mime(&message.bytes)) {
            let mail = to_mapi(&message.bytes, &envelope);
            if mail.attachments.len() <= ATTACHMENT_ROWS_MAX {
                let known = self.known(&mail.promoted)?;
                match self.writer.insert_mapi(folder, &mail) {
                    Ok(id) => {
                        self.report.mapi += 1;
                        return Ok((self.instance_of(id, &known)?, mail.promoted));
                    }
                    // Attachments inside embedded mails have the same bound.
                    Err(EseError::Refused { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
            self.report.fallbacks += 1;
        }
        let promoted = promote(&message.bytes, &envelope);
        let known = self.known(&promoted)?;
        let id = self.writer.insert_mime(folder, &promoted, &message.bytes)?;
        Ok((self.instance_of(id, &known)?, promoted))
    }

    /// The contents that may be this mail's.
    fn known(&mut self, mail: &Promoted) -> EseResult<Vec<InstanceId>> {
        let found = self.writer.view()?.contents_by_key(mail.delivery_time, mail.search_key)?;
        Ok(found.iter().map(|content| content.instance).collect())
    }

    /// The content of a new item; counted as shared when it is one of those known before.
    fn instance_of(&mut self, id: ItemId, known: &[InstanceId]) -> EseResult<InstanceId> {
        let item = self.writer.view()?.item(id)?;
        let lost = || EseError::corrupt_bytes("an item that was just made is not there");
        let instance = item.map(|item| item.instance).ok_or_else(lost)?;
        self.report.shared += u64::from(known.contains(&instance));
        Ok(instance)
    }

    /// The folder of each mailbox for mail that lies in this folder of the source.
    fn folders_of(&mut self, path: &[String]) -> EseResult<Vec<FolderId>> {
        if let Some(known) = self.folders.get(path) {
            return Ok(known.clone());
        }
        let whole: Vec<String> = self.top.iter().chain(path).map(|name| escaped(name)).collect();
        let mut folders = Vec::with_capacity(self.mailboxes.len());
        for place in 0..self.mailboxes.len() {
            folders.extend(self.folder_of(place, &whole)?);
        }
        self.folders.insert(path.to_vec(), folders.clone());
        Ok(folders)
    }

    /// A folder of one mailbox; what is missing of its path is made and counted.
    fn folder_of(&mut self, place: usize, whole: &[String]) -> EseResult<Option<FolderId>> {
        let Some(mailbox) = self.mailboxes.get(place) else { return Ok(None) };
        let mut found = None;
        for levels in 1..=whole.len() {
            let path = whole.get(..levels).unwrap_or_default().join("/");
            let there = self.writer.view()?.folder_at(mailbox, &path);
            let folder = match there {
                Err(error) if is_missing(&error) && levels > 1 => {
                    self.report.folders_made += 1;
                    self.writer.ensure_folder(mailbox, &path)?
                }
                there => there?,
            };
            found = Some(folder.id);
        }
        Ok(found)
    }

    /// What was done so far.
    pub fn report(&self) -> &ImportReport {
        &self.report
    }

    /// The writer, for what comes next; what was imported is not committed yet.
    pub fn into_writer(self) -> StoreWriter {
        self.writer
    }

    /// Commits and closes the store.
    ///
    /// # Errors
    /// [`EseError::Io`].
    pub fn finish(self) -> EseResult<ImportReport> {
        self.writer.close()?;
        Ok(self.report)
    }
}

/// The mailboxes of these names, each once; those that are missing are made.
fn mailboxes_of(
    writer: &mut StoreWriter,
    names: &[String],
    report: &mut ImportReport,
) -> EseResult<Vec<Mailbox>> {
    let mut mailboxes: Vec<Mailbox> = Vec::new();
    for name in names {
        let found = writer.view()?.find_mailbox(name);
        let mailbox = match found {
            Err(error) if may_be_made(&error, name) => {
                report.mailboxes_made += 1;
                writer.add_mailbox(&MailboxProfile::new(fresh_mailbox_guid(), name))?
            }
            found => found?,
        };
        if mailboxes.iter().all(|known| known.root != mailbox.root) {
            mailboxes.push(mailbox);
        }
    }
    Ok(mailboxes)
}

/// Whether a mailbox was not found and its name can be given to a new one; a GUID cannot.
fn may_be_made(error: &EseError, name: &str) -> bool {
    is_missing(error) && name.parse::<MailboxGuid>().is_err()
}

fn is_missing(error: &EseError) -> bool {
    error.refusal() == Some(Refusal::NotFound)
}

/// A name as paths hold it.
fn escaped(name: &str) -> String {
    name.replace('\\', "\\\\").replace('/', "\\/")
}

/// The names of a path, a role first, so that no folder of a source is taken for a role.
fn with_role(path: &str) -> Vec<String> {
    let mut names = split_path(path);
    let is_role = |name: &String| name.len() > 1 && name.starts_with('#') && name.ends_with('#');
    if !names.first().is_some_and(is_role) {
        names.insert(0, format!("#{}#", Role::IpmSubtree.word()));
    }
    names
}
