//! `check`: every rule that can be checked offline, or only the checksums. A mailbox store is checked as such too.

use std::io;
use std::path::PathBuf;

use super::exit::Failure;
use super::output::Output;
use super::source::IoMode;
use crate::ese::check::{Finding, Summary, check, check_quick};
use crate::ese::table::database::Database;
use crate::store::check::{StoreSummary, check_store, check_streams};
use crate::store::is_store;

/// What `check` is asked for.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The database
    file: PathBuf,
    /// Only verify the checksum of every page, of a mailbox store also those of the streaming file
    #[arg(long)]
    quick: bool,
    /// How pages are read
    #[arg(long, value_enum, default_value_t = IoMode::Map)]
    io: IoMode,
}

/// Runs the command.
pub fn run(options: &Options, output: &mut Output) -> Result<(), Failure> {
    let volume = options.io.volume();
    let mut written: io::Result<()> = Ok(());
    let mut tell = |finding: &Finding| {
        if written.is_ok() {
            written = tell_finding(finding, output);
        }
    };
    let run = if options.quick { check_quick } else { check };
    let summary = run(&volume, &options.file, &mut tell)?;
    let is_mail = Database::open(&volume, &options.file).is_ok_and(|d| is_store(&d));
    let run = if options.quick { check_streams } else { check_store };
    let mail = is_mail.then(|| run(&volume, &options.file, &mut tell));
    written?;
    tell_summary(&summary, options, output)?;
    let mail = mail.transpose()?;
    if let Some(mail) = &mail {
        tell_mail(mail, options.quick, output)?;
    }
    // Warnings and notes are told, but only errors make the check fail: exit 0 or 1.
    let errors = summary.errors + mail.map_or(0, |mail| mail.errors);
    if errors == 0 { Ok(()) } else { Err(Failure::Findings(errors)) }
}

fn tell_mail(summary: &StoreSummary, is_quick: bool, output: &mut Output) -> io::Result<()> {
    let StoreSummary { mailboxes, folders, items, contents, attachments, .. } = *summary;
    let StoreSummary { stream_pages, errors, warnings, notes, .. } = *summary;
    if output.is_json() {
        let counts = [
            ("mailboxes", mailboxes),
            ("folders", folders),
            ("items", items),
            ("contents", contents),
            ("attachments", attachments),
            ("stream_pages", stream_pages),
            ("errors", errors),
            ("warnings", warnings),
            ("notes", notes),
        ];
        // A quick check counts no rows.
        let told = counts.get(if is_quick { 5 } else { 0 }..).unwrap_or_default();
        let fields: Vec<_> = told.iter().map(|(name, count)| (*name, (*count).into())).collect();
        return output.line("mail_summary", &fields);
    }
    if is_quick {
        return output
            .text(&format!("{stream_pages} stream pages: {errors} errors, {warnings} warnings"));
    }
    output.text(&format!(
        "{mailboxes} mailboxes, {folders} folders, {items} items, {contents} contents, {attachments} attachments, \
         {stream_pages} stream pages: {errors} errors, {warnings} warnings"
    ))
}

fn tell_finding(finding: &Finding, output: &mut Output) -> io::Result<()> {
    let Finding { severity, rule, object, pgno, message } = finding;
    let page = pgno.map(|pgno| pgno.get());
    if output.is_json() {
        let mut fields = vec![("severity", severity.name().into()), ("rule", (*rule).into())];
        fields.extend(object.as_deref().map(|object| ("object", object.into())));
        fields.extend(page.map(|page| ("page", page.into())));
        fields.push(("message", message.as_str().into()));
        return output.line("finding", &fields);
    }
    let mut place = Vec::new();
    place.extend(object.clone());
    place.extend(page.map(|page| format!("page {page}")));
    let place = if place.is_empty() { "database".to_owned() } else { place.join(", ") };
    output.text(&format!("{}: {place}: {rule}: {message}", severity.name()))
}

fn tell_summary(summary: &Summary, options: &Options, output: &mut Output) -> io::Result<()> {
    let Summary { pages, tables, rows, index_entries, long_values, errors, warnings, notes } =
        *summary;
    if output.is_json() {
        let counts = [
            ("pages", pages),
            ("tables", tables),
            ("rows", rows),
            ("index_entries", index_entries),
            ("long_values", long_values),
            ("errors", errors),
            ("warnings", warnings),
            ("notes", notes),
        ];
        return output.line("summary", &counts.map(|(name, count)| (name, count.into())));
    }
    let seen = if options.quick {
        format!("{pages} pages")
    } else {
        format!(
            "{pages} pages, {tables} tables, {rows} rows, {index_entries} index entries, {long_values} long values"
        )
    };
    output.text(&format!("{seen}: {errors} errors, {warnings} warnings"))
}
