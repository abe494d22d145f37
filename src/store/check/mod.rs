//! Whether a store agrees with itself: counters, sizes, references, ids, and who owns which page of the streaming file.
//!
//! Everything is counted again from the rows and compared with what is stored, as the vendor's own checker does. Damage never
//! ends a check: it is a [`Finding`], and the check goes on. The database below is checked by `ese::check`. Memory follows
//! the number of contents and streams. Source: exchange-store 4, 6.7, 10.
//!
//! | file | rules |
//! |---|---|
//! | `mail` | mailboxes, folders, items, contents, attachments, ids |
//! | `quick` | checksums of the streaming file and nothing else, on all cores |
//! | `streams` | space map, owners, runs, checksums of the streaming file |

mod mail;
mod quick;
mod streams;

use std::fmt::Display;
use std::path::Path;

use crate::ese::check::{Finding, Severity};
use crate::ese::error::{EseError, EseResult};
use crate::ese::table::note::place_of;
use crate::io::Volume;

use super::read::Store;
pub use quick::check_streams;

/// What a check of a store looked at, and how many findings it had.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StoreSummary {
    /// Mailboxes.
    pub mailboxes: u64,
    /// Folders.
    pub folders: u64,
    /// Items of all folders.
    pub items: u64,
    /// Contents.
    pub contents: u64,
    /// Attachment rows.
    pub attachments: u64,
    /// Pages of the streaming file whose checksum was verified.
    pub stream_pages: u64,
    /// Findings that are errors.
    pub errors: u64,
    /// Findings that are warnings.
    pub warnings: u64,
    /// Findings that are notes.
    pub notes: u64,
}

/// Counts findings and passes them on.
struct Report<'s> {
    sink: &'s mut dyn FnMut(&Finding),
    summary: StoreSummary,
}

impl Report<'_> {
    fn find(
        &mut self,
        severity: Severity,
        rule: &'static str,
        object: impl Display,
        message: impl Into<String>,
    ) {
        self.tell(&Finding {
            severity,
            rule,
            object: Some(object.to_string()),
            pgno: None,
            message: message.into(),
        });
    }

    fn error(&mut self, rule: &'static str, object: impl Display, message: impl Into<String>) {
        self.find(Severity::Error, rule, object, message);
    }

    fn warn(&mut self, rule: &'static str, object: impl Display, message: impl Into<String>) {
        self.find(Severity::Warning, rule, object, message);
    }

    /// Turns an error of reading into a finding.
    fn unreadable(&mut self, object: &str, error: &EseError) {
        let pgno = place_of(error).and_then(|place| place.pgno);
        self.tell(&Finding {
            severity: Severity::Error,
            rule: "unreadable",
            object: Some(object.to_owned()),
            pgno,
            message: error.to_string(),
        });
    }

    fn tell(&mut self, finding: &Finding) {
        match finding.severity {
            Severity::Error => self.summary.errors += 1,
            Severity::Warning => self.summary.warnings += 1,
            Severity::Note => self.summary.notes += 1,
        }
        (self.sink)(finding);
    }

    /// A stored number against the one that was counted.
    fn compare(&mut self, rule: &'static str, object: &str, what: &str, stored: i64, counted: i64) {
        if stored != counted {
            self.error(rule, object, format!("{what}: stored {stored}, counted {counted}"));
        }
    }
}

/// Checks the pair of files at `path` as a mailbox store.
///
/// # Errors
/// [`EseError::Io`]; [`crate::ese::error::Refusal::Mismatch`] when the files do not belong together. Whatever else keeps the
/// store from being opened is a finding.
pub fn check_store(
    volume: &dyn Volume,
    path: &Path,
    sink: &mut dyn FnMut(&Finding),
) -> EseResult<StoreSummary> {
    let mut report = Report { sink, summary: StoreSummary::default() };
    let store = match Store::open(volume, path) {
        Ok(store) => store,
        Err(error @ (EseError::Io(_) | EseError::Refused { .. })) => return Err(error),
        Err(error) => {
            report.error("pair", path.display(), error.to_string());
            return Ok(report.summary);
        }
    };
    let streams = mail::check(&store, &mut report)?;
    streams::check(&store, streams, &mut report)?;
    Ok(report.summary)
}
