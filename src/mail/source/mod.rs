//! Reading mail files: EML, mbox, Maildir, and trees of directories of these, one message in memory at a time.
//!
//! The bytes of a message come as they lie in the file. Symbolic links below the root are not followed, so no loop can catch the
//! walk and nothing outside the tree is read; directories are followed to a fixed depth. One unreadable file is one error of the
//! iterator, and the walk goes on.
//!
//! | found | is |
//! |---|---|
//! | a directory with `cur` and `new` | a Maildir; subdirectories `.A.B` are its folder A/B (Maildir++), others folders by their names |
//! | a file that begins with a `From ` line with a date | an mbox: a folder of its file name without `.mbox`; a file named `mbox` is its directory's |
//! | such a file with one message, under a name other than an mbox would have | an EML file with a From line in front, which is left out |
//! | a file `.eml`, or one that begins with a header field | an EML file |
//! | another file, hidden or special file, symbolic link | skipped and counted |
//!
//! A file given as the root itself is read as mail whatever it looks like.

mod maildir;
mod mbox;
mod sniff;

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};

use super::error::{MailError, MailResult};
use super::promote::Envelope;
use crate::mapi::{FileTime, ItemFlags};
pub(super) use maildir::LETTERS;
pub use maildir::maildir_flags;
pub(super) use mbox::is_quotable;
pub use mbox::{MboxFault, MboxMail, MboxReader};

/// Directories are followed so deep.
const MAX_DEPTH: usize = 64;

/// Bounds of a reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceLimits {
    /// Longest message in bytes; a longer one is an error of the iterator and left out.
    pub message_bytes: u64,
}

impl Default for SourceLimits {
    /// 1 GiB.
    fn default() -> Self {
        Self { message_bytes: 1 << 30 }
    }
}

/// A message from a mail file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceMessage {
    /// The folder it lies in, from the root on; empty for the root's own.
    pub folder_path: Vec<String>,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Flags that the file tells; `None` where it has none to tell, and `Status` headers count.
    pub flags: Option<ItemFlags>,
    /// Time of the mbox `From ` line, if there is one.
    pub from_line_time: Option<FileTime>,
    /// The file.
    pub origin: PathBuf,
}

impl SourceMessage {
    /// What [`promote`](super::promote()) wants to know beside the bytes.
    pub fn envelope(&self) -> Envelope {
        Envelope { flags: self.flags, from_line_time: self.from_line_time }
    }
}

/// Something still to be read.
#[derive(Debug)]
enum Work {
    /// A directory that is no Maildir, or the folders inside one.
    Directory { path: PathBuf, folder: Vec<String>, depth: usize },
    /// A file of unknown kind; `root` when it was asked for by name.
    File { path: PathBuf, folder: Vec<String>, root: bool },
    /// A file of a Maildir.
    MaildirFile { path: PathBuf, folder: Vec<String> },
}

/// An mbox being read.
#[derive(Debug)]
struct OpenMbox {
    reader: MboxReader<BufReader<File>>,
    path: PathBuf,
    folder: Vec<String>,
    /// Whether it may turn out to be an EML file with a From line, and the folder it is in then.
    maybe_eml: Option<Vec<String>>,
}

/// Iterates over all messages of a file or tree, in the order of names.
#[derive(Debug)]
pub struct MailSource {
    work: Vec<Work>,
    mbox: Option<OpenMbox>,
    limits: SourceLimits,
    skipped: u64,
}

impl MailSource {
    /// Begins to read a file, a Maildir or a tree of them.
    ///
    /// # Errors
    /// [`MailError::Os`] when the root cannot be looked at.
    pub fn open(root: &Path, limits: SourceLimits) -> MailResult<Self> {
        let metadata = fs::metadata(root).map_err(MailError::os(root, "look"))?;
        let (path, folder) = (root.to_path_buf(), Vec::new());
        let work = if metadata.is_dir() {
            Work::Directory { path, folder, depth: 0 }
        } else {
            Work::File { path, folder, root: true }
        };
        Ok(Self { work: vec![work], mbox: None, limits, skipped: 0 })
    }

    /// How many files, links and hidden entries were passed over so far.
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    fn skip(&mut self, path: &Path) {
        tracing::debug!(path = %path.display(), "not mail, skipped");
        self.skipped = self.skipped.saturating_add(1);
    }

    fn directory(&mut self, path: PathBuf, folder: Vec<String>, depth: usize) -> MailResult<()> {
        if depth > MAX_DEPTH {
            return Err(MailError::TooDeep { path, limit: MAX_DEPTH });
        }
        let is_maildir = maildir::is_one(&path);
        let mut found = Vec::new();
        for entry in fs::read_dir(&path).map_err(MailError::os(&path, "list"))? {
            let entry = entry.map_err(MailError::os(&path, "list"))?;
            let kind = entry.file_type().map_err(MailError::os(&path, "list"))?;
            found.push((entry.file_name(), kind));
        }
        found.sort_by(|a, b| a.0.cmp(&b.0));
        // Last in, first out: folders go in first, so that the directory's own messages come before them.
        let mut files = Vec::new();
        let mut folders = Vec::new();
        for (name, kind) in found {
            let inner = path.join(&name);
            let hidden = name.as_encoded_bytes().starts_with(b".");
            if kind.is_dir() {
                match maildir::folder_of(&name, hidden, is_maildir) {
                    Some(parts) => {
                        let folder = [&folder[..], &parts].concat();
                        folders.push(Work::Directory { path: inner, folder, depth: depth + 1 });
                    }
                    None if is_maildir && maildir::is_own(&name) => {}
                    None => self.skip(&inner),
                }
            } else if kind.is_file() && !hidden && !is_maildir {
                files.push(Work::File { path: inner, folder: folder.clone(), root: false });
            } else if !is_maildir || !kind.is_file() {
                self.skip(&inner);
            }
        }
        if is_maildir {
            files = maildir::files(&path, &mut self.skipped)?
                .into_iter()
                .map(|path| Work::MaildirFile { path, folder: folder.clone() })
                .collect();
        }
        self.work.extend(folders.into_iter().rev());
        self.work.extend(files.into_iter().rev());
        Ok(())
    }

    fn file(
        &mut self,
        path: PathBuf,
        folder: Vec<String>,
        root: bool,
    ) -> MailResult<Option<SourceMessage>> {
        match sniff::kind(&path)? {
            sniff::Kind::Mbox => {
                self.mbox = Some(OpenMbox::open(path, folder, root, self.limits)?);
                Ok(None)
            }
            sniff::Kind::Other if !root => {
                self.skip(&path);
                Ok(None)
            }
            sniff::Kind::Eml | sniff::Kind::Other => {
                let bytes = self.whole(&path)?;
                let (flags, from_line_time) = (None, None);
                Ok(Some(SourceMessage {
                    folder_path: folder,
                    bytes,
                    flags,
                    from_line_time,
                    origin: path,
                }))
            }
        }
    }

    fn maildir_file(&self, path: PathBuf, folder: Vec<String>) -> MailResult<SourceMessage> {
        let bytes = self.whole(&path)?;
        let flags = Some(maildir::flags_of_name(path.file_name().unwrap_or(OsStr::new(""))));
        Ok(SourceMessage { folder_path: folder, bytes, flags, from_line_time: None, origin: path })
    }

    fn whole(&self, path: &Path) -> MailResult<Vec<u8>> {
        use std::io::Read as _;
        let limit_bytes = self.limits.message_bytes;
        let file = File::open(path).map_err(MailError::os(path, "open"))?;
        let mut bytes = Vec::new();
        // The file may grow while it is read; the limit holds for what is read.
        let read = file.take(limit_bytes.saturating_add(1)).read_to_end(&mut bytes);
        let read = read.map_err(MailError::os(path, "read"))?;
        if u64::try_from(read).is_ok_and(|read| read <= limit_bytes) {
            Ok(bytes)
        } else {
            Err(MailError::TooLarge { path: path.to_path_buf(), limit_bytes })
        }
    }

    fn next_of_mbox(&mut self) -> Option<MailResult<SourceMessage>> {
        let open = self.mbox.as_mut()?;
        let found = open.next();
        if found.is_none() || matches!(found, Some(Err(MailError::Os { .. }))) {
            self.mbox = None;
        }
        found
    }
}

impl OpenMbox {
    fn open(
        path: PathBuf,
        folder: Vec<String>,
        root: bool,
        limits: SourceLimits,
    ) -> MailResult<Self> {
        let file = File::open(&path).map_err(MailError::os(&path, "open"))?;
        let reader = MboxReader::new(BufReader::with_capacity(1 << 18, file), limits.message_bytes);
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let own = if root { None } else { sniff::mbox_folder(&name) };
        let maybe_eml = (!sniff::is_mbox_name(&path)).then(|| folder.clone());
        let folder = folder.into_iter().chain(own).collect();
        Ok(Self { reader, path, folder, maybe_eml })
    }

    fn next(&mut self) -> Option<MailResult<SourceMessage>> {
        let mail = match self.reader.next_mail()? {
            Ok(mail) => mail,
            Err(error) => return Some(Err(error.at(&self.path))),
        };
        let mut bytes = mail.bytes;
        let mut folder_path = self.folder.clone();
        let maybe_eml = self.maybe_eml.take();
        if let (true, Some(folder)) = (mail.is_last, maybe_eml) {
            // The only message of a file that is not named like an mbox: everything behind the From line is its own.
            folder_path = folder;
            bytes.extend(mail.separator);
        }
        Some(Ok(SourceMessage {
            folder_path,
            bytes,
            flags: mail.marks.flags,
            from_line_time: Some(mail.time),
            origin: self.path.clone(),
        }))
    }
}

impl Iterator for MailSource {
    type Item = MailResult<SourceMessage>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(found) = self.next_of_mbox() {
                return Some(found);
            }
            let outcome = match self.work.pop()? {
                Work::Directory { path, folder, depth } => {
                    self.directory(path, folder, depth).map(|()| None)
                }
                Work::File { path, folder, root } => self.file(path, folder, root),
                Work::MaildirFile { path, folder } => self.maildir_file(path, folder).map(Some),
            };
            if let Some(item) = outcome.transpose() {
                return Some(item);
            }
        }
    }
}
