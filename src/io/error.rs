//! Errors of the io layer.

use std::io;
use std::path::{Path, PathBuf};

/// What can go wrong with a file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IoError {
    /// The operating system refused or failed a call.
    #[error("{}: {operation} failed: {source}", path.display())]
    Os {
        /// The file.
        path: PathBuf,
        /// The call, as a verb: "open", "read", "write", "sync".
        operation: &'static str,
        /// The cause.
        source: io::Error,
    },
    /// The file ends before the bytes that were asked for.
    #[error(
        "{}: the file ends at byte {end_bytes}, but {wanted_bytes} bytes were wanted from byte {offset_bytes} on",
        path.display()
    )]
    ShortFile {
        /// The file.
        path: PathBuf,
        /// Where the read began.
        offset_bytes: u64,
        /// How much was asked for.
        wanted_bytes: u64,
        /// The length of the file.
        end_bytes: u64,
    },
    /// Another process is the writer of the file (`E_LOCKED`, exit 11).
    #[error("{}: process {owner} is writing this file; wait until it ends, or stop it", path.display())]
    Locked {
        /// The file.
        path: PathBuf,
        /// Process id, host and start of the owner, as far as it left them.
        owner: String,
    },
}

impl IoError {
    /// An operating system error of `operation` (a verb) on `path`.
    pub fn os(path: &Path, operation: &'static str, source: impl Into<io::Error>) -> Self {
        Self::Os { path: path.to_path_buf(), operation, source: source.into() }
    }

    /// Tells whether a file was not there.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Os { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }

    /// Tells whether the disk (or a quota) is full.
    pub fn is_no_space(&self) -> bool {
        use io::ErrorKind::{QuotaExceeded, StorageFull};
        matches!(self, Self::Os { source, .. } if matches!(source.kind(), StorageFull | QuotaExceeded))
    }
}

/// Result of the io layer.
pub type IoResult<T> = Result<T, IoError>;
