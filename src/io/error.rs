//! Errors of the io layer.

use std::path::PathBuf;

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
        source: std::io::Error,
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

/// Result of the io layer.
pub type IoResult<T> = Result<T, IoError>;
