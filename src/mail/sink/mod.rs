//! Writing mail files: EML, mbox or Maildir, one file or directory a folder, the bytes of each message as they are.
//!
//! | format | a folder A/B | a message |
//! |---|---|---|
//! | EML | `A/B/` | `00000001.eml`, numbered within its folder |
//! | mbox | `A/B.mbox`; the root folder's is `mbox` | behind its `From ` line; see [`super::MboxMarks`] |
//! | Maildir | `A/B/{cur,new,tmp}` | `cur/SECONDS.NUMBER.dialtone:2,FLAGS` |
//!
//! Names of folders are made safe and told apart by [`names`]. Nothing leaves the output directory: every directory below it is made
//! here or was one already (a link is refused), and every file is new, never an existing one. What is written is not synced: an
//! export that was cut off is started again.

mod names;

use std::fs::{self, File, OpenOptions};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use super::error::{MailError, MailResult};
use super::from_line::{FromLine, MboxMarks};
use super::promote::status_flags;
use super::source::{LETTERS, is_quotable};
use crate::mapi::{FileTime, ItemFlags};
use names::FolderNames;

/// The form in which mail is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailFormat {
    /// A file a message.
    Eml,
    /// A file a folder.
    Mbox,
    /// A Maildir a folder, nested as directories.
    Maildir,
}

/// A message to be written.
#[derive(Debug, Clone, Copy)]
pub struct OutgoingMail<'a> {
    /// The folder, from the root on.
    pub folder_path: &'a [String],
    /// The message.
    pub bytes: &'a [u8],
    /// Its flags.
    pub flags: ItemFlags,
    /// Delivery time, for names and `From ` lines.
    pub delivery_time: Option<FileTime>,
    /// Address of the sender, for `From ` lines; may be empty.
    pub sender: &'a str,
}

/// What has been written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SinkReport {
    /// Messages.
    pub messages: u64,
    /// Bytes of messages, without what the format adds.
    pub bytes: u64,
    /// Folders.
    pub folders: u64,
}

/// Writes messages into a directory.
#[derive(Debug)]
pub struct MailSink {
    format: MailFormat,
    names: FolderNames,
    /// The mbox written last, so that it need not be opened for each message.
    open: Option<(PathBuf, BufWriter<File>)>,
    report: SinkReport,
}

impl MailSink {
    /// Begins an export into `root`, which is made if it is not there.
    ///
    /// # Errors
    /// [`MailError::Os`] when the directory cannot be made.
    pub fn create(root: &Path, format: MailFormat) -> MailResult<Self> {
        fs::create_dir_all(root).map_err(MailError::os(root, "create"))?;
        let names = FolderNames::new(root.to_path_buf(), format);
        Ok(Self { format, names, open: None, report: SinkReport::default() })
    }

    /// Makes a folder, even if no message will be written into it.
    ///
    /// # Errors
    /// [`MailError::Os`]; [`MailError::InTheWay`] when something else stands where a directory is needed.
    pub fn folder(&mut self, folder_path: &[String]) -> MailResult<()> {
        self.target(folder_path).map(|_| ())
    }

    /// Writes a message and returns the file it lies in.
    ///
    /// # Errors
    /// [`MailError::Os`], also when a file of its name is there already; [`MailError::InTheWay`] as for [`Self::folder`].
    pub fn write(&mut self, mail: &OutgoingMail<'_>) -> MailResult<PathBuf> {
        let (target, number) = self.target(mail.folder_path)?;
        let path = match self.format {
            MailFormat::Eml => {
                let path = target.join(format!("{number:08}.eml"));
                write_new(&path, mail.bytes)?;
                path
            }
            MailFormat::Maildir => {
                let path = target.join("cur").join(maildir_name(mail, number));
                write_new(&path, mail.bytes)?;
                path
            }
            MailFormat::Mbox => {
                self.append(&target, mail)?;
                target
            }
        };
        self.report.messages = self.report.messages.saturating_add(1);
        let length = u64::try_from(mail.bytes.len()).unwrap_or(u64::MAX);
        self.report.bytes = self.report.bytes.saturating_add(length);
        Ok(path)
    }

    /// Ends the export.
    ///
    /// # Errors
    /// [`MailError::Os`] when the last bytes cannot be written.
    pub fn finish(mut self) -> MailResult<SinkReport> {
        self.close()?;
        Ok(self.report)
    }

    /// The directory of a folder (its file, for mbox), made when it is new, and the number of the message to come.
    fn target(&mut self, folder_path: &[String]) -> MailResult<(PathBuf, u64)> {
        let (folder, is_new) = self.names.folder(folder_path);
        let (path, number) = (folder.path.clone(), folder.take_number());
        if is_new {
            self.report.folders = self.report.folders.saturating_add(1);
            self.make(&path)?;
        }
        Ok((path, number))
    }

    fn make(&mut self, path: &Path) -> MailResult<()> {
        let root = self.names.root().to_path_buf();
        match self.format {
            MailFormat::Eml => directories(&root, path),
            MailFormat::Maildir => {
                directories(&root, path)?;
                ["cur", "new", "tmp"].iter().try_for_each(|own| directory(&path.join(own)))
            }
            MailFormat::Mbox => {
                directories(&root, path.parent().unwrap_or(&root))?;
                self.close()?;
                let file = create_new(path)?;
                self.open = Some((path.to_path_buf(), BufWriter::new(file)));
                Ok(())
            }
        }
    }

    fn append(&mut self, path: &Path, mail: &OutgoingMail<'_>) -> MailResult<()> {
        if self.open.as_ref().is_none_or(|(open, _)| open != path) {
            self.close()?;
            let file = OpenOptions::new().append(true).open(path);
            let file = file.map_err(MailError::os(path, "open"))?;
            self.open = Some((path.to_path_buf(), BufWriter::new(file)));
        }
        match &mut self.open {
            Some((_, out)) => mbox_message(out, mail).map_err(MailError::os(path, "write")),
            None => Ok(()),
        }
    }

    fn close(&mut self) -> MailResult<()> {
        match self.open.take() {
            Some((path, mut out)) => out.flush().map_err(MailError::os(&path, "write")),
            None => Ok(()),
        }
    }
}

/// Writes a message of an mbox: `From ` line, message, line end if it has none, empty line.
fn mbox_message(out: &mut impl Write, mail: &OutgoingMail<'_>) -> std::io::Result<()> {
    let lines = || mail.bytes.split_inclusive(|byte| *byte == b'\n');
    // Other programs cut at any line that begins with `From `, so one such line makes us quote.
    let quoted = lines().any(|line| line.starts_with(b"From "));
    let no_line_end = !mail.bytes.is_empty() && !mail.bytes.ends_with(b"\n");
    let flags = (status_flags(mail.bytes) != mail.flags).then_some(mail.flags);
    let marks = MboxMarks { quoted, no_line_end, flags };
    out.write_all(FromLine::write(mail.sender, mail.delivery_time, marks).as_bytes())?;
    if quoted {
        for line in lines() {
            out.write_all(if is_quotable(line) { b">" } else { b"" })?;
            out.write_all(line)?;
        }
    } else {
        out.write_all(mail.bytes)?;
    }
    out.write_all(if no_line_end { b"\n\n" } else { b"\n" })
}

/// The letters of Maildir for flags, in the order that names want.
pub(super) fn flag_letters(flags: ItemFlags) -> String {
    LETTERS.iter().filter(|(_, flag)| flags.contains(*flag)).map(|(letter, _)| *letter).collect()
}

fn maildir_name(mail: &OutgoingMail<'_>, number: u64) -> String {
    let seconds = mail.delivery_time.map_or(0, FileTime::to_unix_seconds).max(0);
    format!("{seconds}.{number:08}.dialtone:2,{}", flag_letters(mail.flags))
}

fn create_new(path: &Path) -> MailResult<File> {
    let file = OpenOptions::new().write(true).create_new(true).open(path);
    file.map_err(MailError::os(path, "create"))
}

fn write_new(path: &Path, bytes: &[u8]) -> MailResult<()> {
    create_new(path)?.write_all(bytes).map_err(MailError::os(path, "write"))
}

/// Makes the directories between `root` and `path`, one by one.
fn directories(root: &Path, path: &Path) -> MailResult<()> {
    let Ok(inner) = path.strip_prefix(root) else {
        return Err(MailError::InTheWay { path: path.to_path_buf() });
    };
    let mut at = root.to_path_buf();
    for part in inner.components() {
        at.push(part);
        directory(&at)?;
    }
    Ok(())
}

fn directory(path: &Path) -> MailResult<()> {
    match fs::create_dir(path) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            let there = fs::symlink_metadata(path).map_err(MailError::os(path, "look"))?;
            if there.is_dir() {
                Ok(())
            } else {
                Err(MailError::InTheWay { path: path.to_path_buf() })
            }
        }
        made => made.map_err(MailError::os(path, "create")),
    }
}
