//! Errors of reading and writing mail files. Parsing has none: it never fails.

use std::io;
use std::path::{Path, PathBuf};

/// What can go wrong with files of mail.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MailError {
    /// The operating system refused or failed a call.
    #[error("{}: {operation} failed: {source}", path.display())]
    Os {
        /// The file or directory.
        path: PathBuf,
        /// The call, as a verb.
        operation: &'static str,
        /// The cause.
        source: io::Error,
    },
    /// A message is longer than the reader was told to take.
    #[error("{}: a message is longer than {limit_bytes} bytes; it was left out", path.display())]
    TooLarge {
        /// The file that holds it.
        path: PathBuf,
        /// The limit.
        limit_bytes: u64,
    },
    /// Directories are nested deeper than the reader follows.
    #[error("{}: more than {limit} directories deep; it was left out", path.display())]
    TooDeep {
        /// The directory.
        path: PathBuf,
        /// The limit.
        limit: usize,
    },
    /// The file does not begin with a `From ` line, as an mbox does.
    #[error("{}: does not begin with a From line, so it is no mbox", path.display())]
    NotMbox {
        /// The file.
        path: PathBuf,
    },
    /// Something in the output directory stands where a directory is needed, or is a link out of it.
    #[error("{}: is not a directory of this export; choose an empty output directory", path.display())]
    InTheWay {
        /// What stands there.
        path: PathBuf,
    },
}

/// Result of reading and writing mail files.
pub type MailResult<T> = Result<T, MailError>;

impl MailError {
    /// Makes the error of a call, for `map_err`.
    pub(super) fn os<'a>(
        path: &'a Path,
        operation: &'static str,
    ) -> impl FnOnce(io::Error) -> Self + 'a {
        move |source| Self::Os { path: path.to_path_buf(), operation, source }
    }
}
