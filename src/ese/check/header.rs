//! The header copies, the state, the file's length. Source: ese-physical 1, 2, 10.1.

use super::{Report, Severity};
use crate::ese::error::EseResult;
use crate::ese::page::header::{DbHeader, DbState};
use crate::ese::tree::{DATABASE_ROOT, read_space};
use crate::ese::txn::{DatabaseFile, Pages};
use crate::io::{OpenMode, Volume};

pub fn check(file: &DatabaseFile, volume: &dyn Volume, report: &mut Report<'_>) -> EseResult<()> {
    check_copies(file, volume, report)?;
    check_state(file.header(), report);
    for warning in
        file.warnings().iter().filter(|warning| !file.header().notes().contains(*warning))
    {
        report.find(Severity::Note, "header", None, None, warning);
    }
    check_length(file, report)
}

/// Both copies must be sound and equal. Source: ese-physical 1.1.
fn check_copies(
    file: &DatabaseFile,
    volume: &dyn Volume,
    report: &mut Report<'_>,
) -> EseResult<()> {
    let storage = volume.open(file.path(), OpenMode::Read)?;
    let page_bytes = file.page_size().bytes();
    let mut copies = Vec::with_capacity(2);
    for (name, offset_bytes) in [("primary", 0), ("shadow", page_bytes as u64)] {
        let mut page = vec![0; page_bytes];
        if storage.len_bytes()? < offset_bytes + page_bytes as u64 {
            report.find(
                Severity::Error,
                "header",
                None,
                None,
                format!("the {name} header is cut off"),
            );
            continue;
        }
        storage.read_exact_at(&mut page, offset_bytes)?;
        if let Err(error) = DbHeader::decode(&page) {
            report.find(Severity::Error, "header", None, None, format!("{name} header: {error}"));
        }
        copies.push(page);
    }
    if let [primary, shadow] = copies.as_slice()
        && primary != shadow
    {
        report.find(Severity::Warning, "header", None, None, "the two header copies differ");
    }
    Ok(())
}

fn check_state(header: &DbHeader, report: &mut Report<'_>) {
    if header.state() != DbState::Clean {
        let message = format!("the database is in state {}", header.state());
        report.find(Severity::Error, "state", None, None, message);
    } else if !header.generations_required().is_none() {
        let message = "a clean database names log generations that it needs";
        report.find(Severity::Error, "state", None, None, message);
    }
}

/// The file must hold every page that the database root owns, and whole pages only. Source: ese-physical 2.
fn check_length(file: &DatabaseFile, report: &mut Report<'_>) -> EseResult<()> {
    let len_bytes = file.len_bytes()?;
    let page_bytes = file.page_size().bytes() as u64;
    if len_bytes % page_bytes != 0 {
        let message = format!("{} bytes after the last whole page", len_bytes % page_bytes);
        report.find(Severity::Error, "length", None, None, message);
    }
    let Ok(space) = read_space(file, DATABASE_ROOT) else { return Ok(()) };
    let Some(owned) = space.owned.last_page() else { return Ok(()) };
    if owned.get() > file.last_page() {
        let message =
            format!("the file ends at page {}, the database owns {owned}", file.last_page());
        report.find(Severity::Error, "length", None, Some(owned), message);
    } else if owned.get() < file.last_page() {
        let more = file.last_page() - owned.get();
        let message = format!("{more} pages after the last one that the database owns");
        report.find(Severity::Note, "length", None, Some(owned), message);
    }
    Ok(())
}
