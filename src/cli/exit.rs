//! Exit codes and error codes: what scripts rely on. They are never renumbered. Source: design section 6.

use std::io;
use std::process::ExitCode;

use crate::bench::BenchError;
use crate::ese::EseError;
use crate::ese::error::Refusal;
use crate::io::IoError;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// All was done.
    Done = 0,
    /// It failed.
    Failed = 1,
    /// The command line makes no sense.
    Usage = 2,
    /// All was done, with warnings.
    Warnings = 3,
    /// A file, table or item is not there, or the file cannot be opened.
    NotFound = 10,
    /// Much would be, or was, lost, and that was not accepted.
    NeedsApproval = 4,
    /// The disk is full; what was committed stays, the job can go on.
    Suspended = 5,
    /// Another process is the writer.
    Locked = 11,
    /// Files are dirty, do not belong together, or have a format that is not written.
    State = 12,
    /// Some mailboxes failed.
    SomeFailed = 20,
    /// A mistake of this program.
    Internal = 70,
}

impl Exit {
    /// The number.
    pub fn code(self) -> u8 {
        self as u8
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Why a command stopped.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The database.
    #[error(transparent)]
    Ese(#[from] EseError),
    /// Mail files.
    #[error(transparent)]
    Mail(#[from] crate::mail::MailError),
    /// A measurement or a prediction.
    #[error(transparent)]
    Bench(#[from] BenchError),
    /// What was measured is not correct.
    #[error("what was measured is not correct; see the report")]
    BenchWrong,
    /// Standard output.
    #[error("standard output failed: {0}")]
    Output(#[from] io::Error),
    /// A check found errors; each was told.
    #[error("{0} errors found")]
    Findings(u64),
    /// Mailboxes failed; each was told.
    #[error("{0} mailboxes failed")]
    MailboxesFailed(usize),
    /// The disk was full.
    #[error("{0}; make room, and run the job again: what was committed is kept")]
    Suspended(EseError),
    /// The grade is poor.
    #[error(
        "much could not be read (grade poor); look at the report, and use --accept-loss if that is all there is"
    )]
    NeedsApproval,
    /// The counters of a report do not add up.
    #[error("the counters of the report do not add up; please report this")]
    SumsDiffer,
}

impl From<IoError> for Failure {
    fn from(error: IoError) -> Self {
        Self::Ese(error.into())
    }
}

impl Failure {
    /// Whether the reader of the output has gone away, which is its right.
    pub fn is_closed_pipe(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }

    /// How the command ends.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Ese(error) => judge(error).0,
            Self::Bench(error) => judge_bench(error).0,
            Self::BenchWrong | Self::Mail(_) | Self::Output(_) | Self::Findings(_) => Exit::Failed,
            Self::MailboxesFailed(_) => Exit::SomeFailed,
            Self::Suspended(_) => Exit::Suspended,
            Self::NeedsApproval => Exit::NeedsApproval,
            Self::SumsDiffer => Exit::Internal,
        }
    }

    /// The error code for programs.
    pub fn error_code(&self) -> &'static str {
        match self {
            Self::Ese(error) => judge(error).1,
            Self::Bench(error) => judge_bench(error).1,
            Self::BenchWrong => "E_FINDINGS",
            Self::Mail(_) => "E_MAIL",
            Self::Output(_) => "E_OUTPUT",
            Self::Findings(_) => "E_FINDINGS",
            Self::MailboxesFailed(_) => "E_MBX_FAILED",
            Self::Suspended(_) => "E_SPACE",
            Self::NeedsApproval => "E_NEEDS_APPROVAL",
            Self::SumsDiffer => "E_INTERNAL",
        }
    }
}

fn judge_bench(error: &BenchError) -> (Exit, &'static str) {
    match error {
        BenchError::Ese(error) => judge(error),
        BenchError::Io(error) => judge_io(error),
        BenchError::OtherParameters { .. } | BenchError::Foreign(_) => {
            (Exit::State, "E_BENCH_STATE")
        }
        BenchError::Damaged { .. } => (Exit::Failed, "E_CORRUPT"),
        BenchError::Space { .. } => (Exit::Failed, "E_SPACE"),
        BenchError::NoProfile(_) => (Exit::NotFound, "E_NO_PROFILE"),
        BenchError::NoAnswer(_) => (Exit::Failed, "E_NO_ANSWER"),
    }
}

/// The exit and the error code that belong to an error of the library.
pub fn judge(error: &EseError) -> (Exit, &'static str) {
    match error {
        EseError::Io(error) => judge_io(error),
        EseError::Corrupt { .. } => (Exit::Failed, "E_CORRUPT"),
        EseError::Unsupported { .. } => (Exit::Failed, "E_UNSUPPORTED"),
        EseError::Limit { .. } => (Exit::Failed, "E_LIMIT"),
        EseError::Refused { refusal, .. } => match refusal {
            Refusal::Dirty => (Exit::State, "E_DIRTY"),
            Refusal::Version => (Exit::State, "E_VERSION"),
            Refusal::Mismatch => (Exit::State, "E_SIG_MISMATCH"),
            Refusal::Space => (Exit::Failed, "E_SPACE"),
            Refusal::SameStore => (Exit::State, "E_SAME_STORE"),
            Refusal::NotFound => (Exit::NotFound, "E_NOT_FOUND"),
            Refusal::DuplicateKey | Refusal::WriterDead | Refusal::BadRequest => {
                (Exit::Failed, "E_REFUSED")
            }
        },
    }
}

fn judge_io(error: &IoError) -> (Exit, &'static str) {
    match error {
        _ if error.is_not_found() => (Exit::NotFound, "E_NOT_FOUND"),
        _ if error.is_no_space() => (Exit::Failed, "E_SPACE"),
        IoError::Locked { .. } => (Exit::Locked, "E_LOCKED"),
        IoError::Os { operation: "open", .. } => (Exit::NotFound, "E_IO"),
        _ => (Exit::Failed, "E_IO"),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn every_refusal_has_its_code() {
        for (refusal, exit, code) in [
            (Refusal::Dirty, 12, "E_DIRTY"),
            (Refusal::Version, 12, "E_VERSION"),
            (Refusal::Mismatch, 12, "E_SIG_MISMATCH"),
            (Refusal::NotFound, 10, "E_NOT_FOUND"),
            (Refusal::BadRequest, 1, "E_REFUSED"),
        ] {
            let (found, name) = judge(&EseError::refused(refusal, "why"));
            assert_eq!((found.code(), name), (exit, code));
        }
    }

    #[test]
    fn errors_of_the_machine_are_told_apart() {
        let os = |kind: io::ErrorKind, operation| {
            judge(&IoError::os(Path::new("x"), operation, io::Error::from(kind)).into())
        };
        assert_eq!(os(io::ErrorKind::NotFound, "open"), (Exit::NotFound, "E_NOT_FOUND"));
        assert_eq!(os(io::ErrorKind::PermissionDenied, "open"), (Exit::NotFound, "E_IO"));
        assert_eq!(os(io::ErrorKind::StorageFull, "write"), (Exit::Failed, "E_SPACE"));
        assert_eq!(os(io::ErrorKind::Other, "read"), (Exit::Failed, "E_IO"));
        let locked = IoError::Locked { path: "x".into(), owner: "1".into() };
        assert_eq!(judge(&locked.into()), (Exit::Locked, "E_LOCKED"));
    }
}
