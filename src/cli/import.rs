//! `import`: mail files into mailboxes of a store.

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::sync::Arc;

use clap::ValueEnum;
use serde_json::json;

use super::exit::Failure;
use super::output::{Output, Warning};
use crate::io::RealVolume;
use crate::mail::{ImportReport, Importer, MailError, StoredForm};
use crate::store::StoreWriter;

/// What `import` is asked for.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The store
    store: PathBuf,
    /// Mailbox to import into, by GUID, owner or name; made when it is missing. May be repeated: a message is stored once for all
    #[arg(long, value_name = "NAME", required = true)]
    mailbox: Vec<String>,
    /// Folder to import into (Name/Sub, #inbox#); made when it is missing
    #[arg(long, value_name = "PATH", default_value = "#inbox#")]
    folder: String,
    /// How mail is stored: as MIME, as properties and attachment rows as MAPI clients do, or some of each
    #[arg(long, value_enum, default_value = "mime")]
    form: Form,
    /// EML files, mbox files, Maildirs, or trees of them
    #[arg(required = true)]
    paths: Vec<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    Mime,
    Mapi,
    Mixed,
}

/// Runs the command.
pub fn run(options: &Options, output: &mut Output) -> Result<(), Failure> {
    for path in &options.paths {
        std::fs::metadata(path).map_err(|error| crate::io::IoError::os(path, "open", error))?;
    }
    let form = match options.form {
        Form::Mime => StoredForm::Mime,
        Form::Mapi => StoredForm::Mapi,
        Form::Mixed => StoredForm::Mixed,
    };
    let writer = StoreWriter::open(Arc::new(RealVolume::mapped()), &options.store)?;
    let mut importer = Importer::new(writer, &options.mailbox, &options.folder, form)?;
    let bar = spinner(output.is_json());
    let mut told = Ok(());
    for path in &options.paths {
        let mut failed = |error: &MailError| {
            let (code, message) = (code_of(error), error.to_string());
            let mut warn =
                || output.warn(Warning { code, message: &message, table: None, page: None });
            if told.is_ok() {
                told = match &bar {
                    Some(bar) => bar.suspend(warn),
                    None => warn(),
                };
            }
        };
        importer.add(path, &mut failed, &mut |_| {
            if let Some(bar) = &bar {
                bar.inc(1);
            }
        })?;
    }
    let report = importer.finish()?;
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    told?;
    tell(options, &report, output)
}

fn spinner(is_json: bool) -> Option<indicatif::ProgressBar> {
    if is_json || !std::io::stderr().is_terminal() {
        return None;
    }
    let bar = indicatif::ProgressBar::new_spinner();
    let style = indicatif::ProgressStyle::with_template("{pos} messages, {per_sec}");
    bar.set_style(style.unwrap_or_else(|_| indicatif::ProgressStyle::default_spinner()));
    Some(bar)
}

fn code_of(error: &MailError) -> &'static str {
    match error {
        MailError::TooLarge { .. } => "E_TOO_LARGE",
        MailError::Os { .. } => "E_IO",
        _ => "E_MAIL",
    }
}

fn tell(options: &Options, report: &ImportReport, output: &mut Output) -> Result<(), Failure> {
    if output.is_json() {
        let fields = [
            ("file", json!(options.store.display().to_string())),
            ("messages", json!(report.messages)),
            ("items", json!(report.items)),
            ("bytes", json!(report.bytes)),
            ("shared", json!(report.shared)),
            ("mapi", json!(report.mapi)),
            ("fallbacks", json!(report.fallbacks)),
            ("mailboxes_made", json!(report.mailboxes_made)),
            ("folders_made", json!(report.folders_made)),
            ("files_skipped", json!(report.files_skipped)),
            ("failed", json!(report.failed)),
        ];
        output.line("imported", &fields)?;
        return Ok(());
    }
    let megabytes = report.bytes as f64 / 1e6;
    let mut text = format!(
        "imported {} messages ({megabytes:.1} MB) as {} items into {}",
        report.messages,
        report.items,
        options.store.display()
    );
    let more = [
        ("mailboxes made", report.mailboxes_made),
        ("folders made", report.folders_made),
        ("whose content was there already", report.shared),
        ("in MAPI form", report.mapi),
        ("too large for the MAPI form, kept as MIME", report.fallbacks),
        ("files passed over that are no mail", report.files_skipped),
        ("not readable", report.failed),
    ];
    for (name, count) in more.iter().filter(|(_, count)| *count > 0) {
        text.push_str(&format!("; {count} {name}"));
    }
    output.text(&text)?;
    Ok(())
}
