//! Reading an mbox, one message in memory at a time.
//!
//! A `From ` line separates only if a date stands in it (see [`FromLine`]) and it is the first line of the file or stands behind an
//! empty line. That empty line belongs to the separator, and so does an empty line at the end of the file. All other bytes are the
//! message's, as they are: lines `>From ` are not unquoted, because which of the mbox dialects wrote them cannot be known. Only where our own
//! writer's marks say so are lines unquoted or a line end taken away.

use std::io::{self, BufRead, Read as _};
use std::path::Path;

use crate::mail::error::MailError;
use crate::mail::from_line::{FromLine, MboxMarks};
use crate::mail::headers::is_empty_line;
use crate::mapi::FileTime;

/// Lines are read in pieces of so many bytes at most; longer than any `From ` line.
const PIECE_BYTES: u64 = 1 << 16;

/// A message of an mbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MboxMail {
    /// The message, without its `From ` line and separator.
    pub bytes: Vec<u8>,
    /// Time of the `From ` line.
    pub time: FileTime,
    /// The marks of the line, already acted upon.
    pub marks: MboxMarks,
    /// The empty line that was taken away from its end; empty when there was none.
    pub separator: Vec<u8>,
    /// Whether the file ends here.
    pub is_last: bool,
}

/// Why a message could not be read; the reader knows no path.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MboxFault {
    /// The input failed.
    #[error("reading failed: {0}")]
    Io(#[source] io::Error),
    /// The message is longer than the limit, in bytes.
    #[error("a message is longer than {0} bytes")]
    TooLarge(u64),
    /// The input does not begin with a `From ` line.
    #[error("no From line at the start")]
    NotMbox,
}

impl MboxFault {
    /// The error with the path it lacks.
    pub(super) fn at(self, path: &Path) -> MailError {
        let path = path.to_path_buf();
        match self {
            Self::Io(source) => MailError::Os { path, operation: "read", source },
            Self::TooLarge(limit_bytes) => MailError::TooLarge { path, limit_bytes },
            Self::NotMbox => MailError::NotMbox { path },
        }
    }
}

/// Reads an mbox message by message.
#[derive(Debug)]
pub struct MboxReader<R> {
    input: R,
    limit_bytes: u64,
    /// The `From ` line of the message to come; `None` before the first and behind the last.
    next: Option<FromLine>,
    begun: bool,
}

impl<R: BufRead> MboxReader<R> {
    /// Reads from `input`; messages longer than `limit_bytes` are left out with an error each.
    pub fn new(input: R, limit_bytes: u64) -> Self {
        Self { input, limit_bytes, next: None, begun: false }
    }

    /// The next message; `None` behind the last. After an input error there are no more.
    ///
    /// # Errors
    /// Each message that cannot be read is one [`MboxFault`].
    pub fn next_mail(&mut self) -> Option<Result<MboxMail, MboxFault>> {
        if !self.begun {
            self.begun = true;
            match self.first_line() {
                Ok(Some(line)) => self.next = Some(line),
                Ok(None) => return None,
                Err(fault) => return Some(Err(fault)),
            }
        }
        let line = self.next.take()?;
        Some(self.message(line))
    }

    fn first_line(&mut self) -> Result<Option<FromLine>, MboxFault> {
        let mut piece = Vec::new();
        self.piece(&mut piece).map_err(MboxFault::Io)?;
        if piece.is_empty() {
            return Ok(None);
        }
        FromLine::parse(&piece).map(Some).ok_or(MboxFault::NotMbox)
    }

    /// Appends a line, or a piece of a long one; nothing at the end of the input.
    fn piece(&mut self, out: &mut Vec<u8>) -> io::Result<usize> {
        (&mut self.input).take(PIECE_BYTES).read_until(b'\n', out)
    }

    fn message(&mut self, line: FromLine) -> Result<MboxMail, MboxFault> {
        let mut bytes = Vec::new();
        let mut too_large = false;
        let (mut at_line_start, mut behind_empty) = (true, false);
        loop {
            let start = bytes.len();
            if self.piece(&mut bytes).map_err(MboxFault::Io)? == 0 {
                break;
            }
            let piece = bytes.get(start..).unwrap_or_default();
            if at_line_start
                && behind_empty
                && let Some(next) = FromLine::parse(piece)
            {
                bytes.truncate(start);
                self.next = Some(next);
                break;
            }
            behind_empty = at_line_start && is_empty_line(piece);
            at_line_start = piece.ends_with(b"\n");
            if u64::try_from(bytes.len()).is_ok_and(|length| length > self.limit_bytes) {
                too_large = true;
                bytes.clear(); // the rest is still read, to find where the next message begins
            }
        }
        if too_large {
            return Err(MboxFault::TooLarge(self.limit_bytes));
        }
        Ok(self.finished(bytes, line, at_line_start && behind_empty))
    }

    /// Takes the separator away and does what the marks say.
    fn finished(&self, mut bytes: Vec<u8>, line: FromLine, ends_empty: bool) -> MboxMail {
        let ended = self.next.is_some() || ends_empty;
        let separator_bytes = match bytes.as_slice() {
            [.., b'\r', b'\n'] if ended && is_last_line_empty(&bytes, 2) => 2,
            [.., b'\n'] if ended => 1,
            _ => 0,
        };
        let separator = bytes.split_off(bytes.len().saturating_sub(separator_bytes));
        if line.marks.no_line_end && bytes.ends_with(b"\n") {
            bytes.pop();
        }
        if line.marks.quoted {
            bytes = unquoted(&bytes);
        }
        MboxMail {
            bytes,
            time: line.time,
            marks: line.marks,
            separator,
            is_last: self.next.is_none(),
        }
    }
}

/// Whether a line begins so many bytes before the end.
fn is_last_line_empty(bytes: &[u8], line_end_bytes: usize) -> bool {
    let before = bytes.get(..bytes.len().saturating_sub(line_end_bytes)).unwrap_or_default();
    before.is_empty() || before.ends_with(b"\n")
}

/// Takes one `>` from every line of the form `>+From `.
fn unquoted(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let inner = line.strip_prefix(b">").filter(|inner| is_quotable(inner));
        out.extend(inner.unwrap_or(line));
    }
    out
}

/// Whether a line has the form `>*From `.
pub(in crate::mail) fn is_quotable(line: &[u8]) -> bool {
    let quotes = line.iter().take_while(|byte| **byte == b'>').count();
    line.get(quotes..).is_some_and(|rest| rest.starts_with(b"From "))
}

#[cfg(test)]
#[path = "mbox_tests.rs"]
mod tests;
