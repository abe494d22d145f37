//! Checking a whole database: pages, trees, space, catalog, rows, index entries, long values.
//!
//! Everything that can be told offline from the file alone. Damage never ends a check: it is a [`Finding`], and the check
//! goes on behind it. Knows nothing of mail and prints nothing. Source: ese-physical 11.1, 8.1, 10.1; ese-logical 4, 6.
//!
//! | file | rules |
//! |---|---|
//! | `header` | both header copies, state, file length |
//! | `space` | every tree's pages, and that every page has exactly one fate |
//! | `catalog` | the catalog, its shadow, its list of object ids |
//! | `rows` | records and keys |
//! | `record` | every field of one record |
//! | `indexes` | each secondary index against the records |
//! | `long_values` | chunks and reference counts |
//! | `references` | which long values the records name |
//! | `report` | counting findings and telling not too many of them |
//!
//! Memory: one byte for a page, references in batches of a bounded size, an index never as a whole. What grows with the store is
//! only the catalog and, of damage, what is told.

mod catalog;
mod header;
mod indexes;
mod long_values;
mod record;
mod references;
mod report;
mod rows;
mod space;

use std::collections::HashSet;
use std::path::Path;

use crate::ese::error::{EseError, EseResult};
use crate::ese::page::Pgno;
use crate::ese::page::checksum::Verdict;
use crate::ese::table::database::Database;
use crate::ese::txn::{DatabaseFile, PageFinding, PageProblem, Pages, scan_pages};
use crate::io::Volume;
use report::Report;

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

/// Verifies both header copies and the checksum of every page, in file order, on all cores.
///
/// # Errors
/// [`EseError::Io`], and whatever keeps the file from being opened at all.
pub fn check_quick(
    volume: &dyn Volume,
    path: &Path,
    sink: &mut dyn FnMut(&Finding),
) -> EseResult<Summary> {
    Ok(check_pages(volume, path, sink)?.finish())
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
            return Ok(report.finish());
        }
    };
    let mut tangled = catalog::check(&database, &mut report);
    tangled.extend(space::check(&database, &mut report));
    for table in database.schema().tables() {
        report.summary.tables += 1;
        if is_tangled(&tangled, table.root, &table.name, &mut report) {
            continue;
        }
        let references = rows::check(&database, table, &tangled, &mut report);
        long_values::check(&database, table, references, &tangled, &mut report);
    }
    Ok(report.finish())
}

/// Whether a tree's pages hang together in such a way that walking its entries would tell nothing, if it ended at all.
fn is_tangled(tangled: &HashSet<Pgno>, root: Pgno, object: &str, report: &mut Report<'_>) -> bool {
    if tangled.contains(&root) {
        let message =
            "its pages belong to another tree too, or form a cycle: entries are not checked";
        report.find(Severity::Note, "tree", Some(object), Some(root), message);
        return true;
    }
    false
}

/// What both kinds of check begin with.
fn check_pages<'s>(
    volume: &dyn Volume,
    path: &Path,
    sink: &'s mut dyn FnMut(&Finding),
) -> EseResult<Report<'s>> {
    let file = DatabaseFile::open(volume, path)?;
    let mut report = Report::new(sink);
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
