//! `check`: every rule that can be checked offline, or only the checksums.

use std::io;
use std::path::PathBuf;

use super::exit::Failure;
use super::output::Output;
use super::source::IoMode;
use crate::ese::check::{Finding, Summary, check, check_quick};

/// What `check` is asked for.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The database
    file: PathBuf,
    /// Only verify the checksum of every page
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
    written?;
    tell_summary(&summary, options, output)?;
    // Warnings and notes are told, but only errors make the check fail: exit 0 or 1.
    if summary.errors == 0 { Ok(()) } else { Err(Failure::Findings(summary.errors)) }
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
