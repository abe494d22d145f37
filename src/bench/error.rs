//! Why a measurement or a prediction cannot be made.

use std::io;
use std::path::{Path, PathBuf};

use crate::ese::error::EseError;
use crate::io::IoError;

/// What went wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BenchError {
    /// A store, or the engine.
    #[error(transparent)]
    Ese(#[from] EseError),
    /// A file that is no store.
    #[error(transparent)]
    Io(#[from] IoError),
    /// The working directory holds samples of another measurement.
    #[error(
        "{path} holds samples of another measurement: {differences}; use --restart to throw them away, or another --dir"
    )]
    OtherParameters {
        /// The directory.
        path: PathBuf,
        /// What differs.
        differences: String,
    },
    /// The working directory holds something else.
    #[error("{0} is not empty and was not made by bench; nothing was changed; use another --dir")]
    Foreign(PathBuf),
    /// A file of ours that cannot be understood.
    #[error("{path}: {reason}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The disk is too small.
    #[error("about {need_bytes} bytes are needed in {path}, and {free_bytes} are free")]
    Space {
        /// Where.
        path: PathBuf,
        /// Bytes that the stores will take.
        need_bytes: u64,
        /// Bytes there are.
        free_bytes: u64,
    },
    /// Nobody has measured this machine.
    #[error(
        "no profile of this machine at {0}; run `dialtone bench` (or `dialtone bench --quick`) first, or name one with --profile"
    )]
    NoProfile(PathBuf),
    /// Too little was measured, or asked, for an answer.
    #[error("{0}")]
    NoAnswer(String),
}

/// What calls of this layer answer.
pub type BenchResult<T> = Result<T, BenchError>;

/// Names the file and what was done to it.
pub(super) fn at<'p>(
    path: &'p Path,
    operation: &'static str,
) -> impl FnOnce(io::Error) -> BenchError + 'p {
    move |error| BenchError::Io(IoError::os(path, operation, error))
}
