//! What a disk holds: files, names for them, and how an event changes both.
//!
//! Used for the live state of a volume and for the states that a crash may leave: those are the same
//! events with some left out. So no event may depend on another: each names the file it is about, and
//! an event on a file that is not there changes nothing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::content::Content;

/// Number of a file in a [`MemoryVolume`](super::MemoryVolume), kept through renames, like an inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(pub u64);

/// One recorded change, in the order the calls returned.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A file was created under a name that was free.
    Create {
        /// Its name.
        path: PathBuf,
        /// The file.
        file: FileId,
    },
    /// Bytes were written.
    Write {
        /// The name the file was opened by.
        path: PathBuf,
        /// The file.
        file: FileId,
        /// Where.
        offset_bytes: u64,
        /// What.
        bytes: Arc<[u8]>,
    },
    /// The length was set, also by a preallocation that extended the file.
    SetLen {
        /// The name the file was opened by.
        path: PathBuf,
        /// The file.
        file: FileId,
        /// The new length.
        len_bytes: u64,
    },
    /// A file was synced: its writes and lengths so far are durable. Its name is not.
    Sync {
        /// The name the file was opened by.
        path: PathBuf,
        /// The file.
        file: FileId,
    },
    /// A name was removed.
    Remove {
        /// The name.
        path: PathBuf,
    },
    /// A file got another name, in place of any file of that name.
    Rename {
        /// The old name.
        from: PathBuf,
        /// The new name.
        to: PathBuf,
        /// The file.
        file: FileId,
    },
    /// A directory was synced: creations, removals and renames in it so far are durable.
    SyncDirectory {
        /// The directory.
        directory: PathBuf,
    },
}

/// The directory that holds `path`; the empty path stands for the current one.
pub(super) fn directory_of(path: &Path) -> &Path {
    path.parent().unwrap_or(path)
}

/// Files and their names. A clone costs one counter per file and a copy of the names.
#[derive(Debug, Clone, Default)]
pub(super) struct Disk {
    pub(super) names: BTreeMap<PathBuf, FileId>,
    /// Also those without a name, which a handle may still have open.
    files: BTreeMap<FileId, Arc<Content>>,
}

impl Disk {
    /// The content of a file; a file whose creation was never seen is empty.
    pub(super) fn content(&self, file: FileId) -> Arc<Content> {
        self.files.get(&file).cloned().unwrap_or_default()
    }

    /// Puts a file there with all its content, in place of one of the same name.
    pub(super) fn insert(&mut self, path: &Path, file: FileId, content: Content) {
        self.names.insert(path.to_path_buf(), file);
        self.files.insert(file, Arc::new(content));
    }

    pub(super) fn apply(&mut self, event: &Event) {
        match event {
            Event::Create { path, file } => {
                self.names.insert(path.clone(), *file);
            }
            Event::Write { file, offset_bytes, bytes, .. } => {
                self.content_mut(*file).write(bytes, *offset_bytes);
            }
            Event::SetLen { file, len_bytes, .. } => self.content_mut(*file).set_len(*len_bytes),
            Event::Remove { path } => {
                self.names.remove(path);
            }
            Event::Rename { from, to, file } => {
                if self.names.get(from) == Some(file) {
                    self.names.remove(from);
                }
                self.names.insert(to.clone(), *file);
            }
            Event::Sync { .. } | Event::SyncDirectory { .. } => {}
        }
    }

    fn content_mut(&mut self, file: FileId) -> &mut Content {
        Arc::make_mut(self.files.entry(file).or_default())
    }
}
