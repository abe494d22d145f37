//! Checking a whole database: pages, trees, space, catalog, rows, index entries, long values.
//!
//! Everything that can be told offline from the file alone. Damage never ends a check: it is a [`Finding`], and the check
//! goes on behind it. Knows nothing of mail and prints nothing. Source: ese-physical 11.1, 8.1, 10.1; ese-logical 4, 6.
//!
//! | file | rules |
//! |---|---|
//! | `header` | both header copies, state, file length |
//! | `space` | every tree's pages, and that every page has exactly one fate |
//! | `catalog` | the catalog and its shadow |
//! | `rows` | records, keys, and each index against the records |
//! | `long_values` | chunks and reference counts |

mod catalog;
mod header;
mod long_values;
mod rows;
mod space;

use std::collections::BTreeMap;
use std::path::Path;

use crate::ese::error::{EseError, EseResult};
use crate::ese::page::Pgno;
use crate::ese::page::checksum::Verdict;
use crate::ese::table::column::Lid;
use crate::ese::table::database::Database;
use crate::ese::table::note::place_of;
use crate::ese::txn::{DatabaseFile, PageFinding, PageProblem, Pages, scan_pages};
use crate::io::Volume;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth knowing; nothing is wrong.
    Note,
    /// Wasteful or odd, but every reader gets the right content.
    Warning,
    /// The format is broken: content may be wrong or missing, or an engine will refuse the file.
    Error,
}

impl Severity {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// Something that a check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// The rule, a short fixed name.
    pub rule: &'static str,
    /// The table or index concerned.
    pub object: Option<String>,
    /// The page concerned.
    pub pgno: Option<Pgno>,
    /// What was found.
    pub message: String,
}

/// What a check looked at, and how many findings it had.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Pages whose checksum was verified.
    pub pages: u64,
    /// Tables.
    pub tables: u64,
    /// Rows.
    pub rows: u64,
    /// Entries of secondary indexes.
    pub index_entries: u64,
    /// Long values.
    pub long_values: u64,
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
    summary: Summary,
}

impl Report<'_> {
    fn tell(&mut self, finding: &Finding) {
        match finding.severity {
            Severity::Error => self.summary.errors += 1,
            Severity::Warning => self.summary.warnings += 1,
            Severity::Note => self.summary.notes += 1,
        }
        (self.sink)(finding);
    }

    fn find(
        &mut self,
        severity: Severity,
        rule: &'static str,
        object: Option<&str>,
        pgno: Option<Pgno>,
        message: impl Into<String>,
    ) {
        let (object, message) = (object.map(str::to_owned), message.into());
        self.tell(&Finding { severity, rule, object, pgno, message });
    }

    fn error(
        &mut self,
        rule: &'static str,
        object: &str,
        pgno: Option<Pgno>,
        message: impl Into<String>,
    ) {
        self.find(Severity::Error, rule, Some(object), pgno, message);
    }

    /// Turns an error of reading into a finding; what this program does not support is a note.
    fn unreadable(&mut self, rule: &'static str, object: &str, error: &EseError) {
        let pgno = place_of(error).and_then(|place| place.pgno);
        let severity = match error {
            EseError::Unsupported { .. } => Severity::Note,
            _ => Severity::Error,
        };
        self.find(severity, rule, Some(object), pgno, error.to_string());
    }
}

/// References that the records of one table make to its long values.
type References = BTreeMap<Lid, u32>;

/// Verifies both header copies and the checksum of every page, in file order, on all cores.
///
/// # Errors
/// [`EseError::Io`], and whatever keeps the file from being opened at all.
pub fn check_quick(
    volume: &dyn Volume,
    path: &Path,
    sink: &mut dyn FnMut(&Finding),
) -> EseResult<Summary> {
    Ok(check_pages(volume, path, sink)?.summary)
}

/// Checks everything.
///
/// # Errors
/// [`EseError::Io`], and whatever keeps the file from being opened at all.
pub fn check(
    volume: &dyn Volume,
    path: &Path,
    sink: &mut dyn FnMut(&Finding),
) -> EseResult<Summary> {
    let mut report = check_pages(volume, path, sink)?;
    let database = match Database::open(volume, path) {
        Ok(database) => database,
        Err(error @ EseError::Io(_)) => return Err(error),
        Err(error) => {
            report.unreadable("catalog", "MSysObjects", &error);
            return Ok(report.summary);
        }
    };
    catalog::check(&database, &mut report);
    space::check(&database, &mut report);
    for table in database.tables() {
        report.summary.tables += 1;
        let references = rows::check(&database, table.def(), &mut report);
        long_values::check(&database, table.def(), &references, &mut report);
    }
    Ok(report.summary)
}

/// What both kinds of check begin with.
fn check_pages<'s>(
    volume: &dyn Volume,
    path: &Path,
    sink: &'s mut dyn FnMut(&Finding),
) -> EseResult<Report<'s>> {
    let file = DatabaseFile::open(volume, path)?;
    let mut report = Report { sink, summary: Summary::default() };
    header::check(&file, volume, &mut report)?;
    checksums(&file, &mut report);
    Ok(report)
}

fn checksums(file: &DatabaseFile, report: &mut Report<'_>) {
    report.summary.pages += u64::from(file.last_page());
    let mut findings = scan_pages(file);
    findings.sort_unstable_by_key(|finding| finding.pgno);
    for PageFinding { pgno, problem } in findings {
        let (severity, message) = match problem {
            PageProblem::Checksum(verdict @ Verdict::Correctable { .. }) => {
                (Severity::Warning, verdict.to_string())
            }
            PageProblem::Checksum(verdict) => (Severity::Error, verdict.to_string()),
            PageProblem::Unreadable(reason) => (Severity::Error, reason),
        };
        report.find(severity, "checksum", None, Some(pgno), message);
    }
}
