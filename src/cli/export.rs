//! `export`: a mailbox into mail files.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use serde_json::json;

use super::exit::{Failure, judge};
use super::output::{Output, Warning};
use super::source::{IoMode, tell_state};
use crate::ese::EseError;
use crate::ese::error::Refusal;
use crate::ese::table::note::place_of;
use crate::io::IoError;
use crate::mail::{ExportError, MailFormat, export_mailbox};
use crate::store::{Folder, Store};

/// What `export` is asked for.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The store
    store: PathBuf,
    /// The mailbox, by GUID, owner or name
    #[arg(long, value_name = "M")]
    mailbox: String,
    /// Only this folder and those below it (Name/Sub, #inbox#)
    #[arg(long, value_name = "PATH")]
    folder: Option<String>,
    /// A file a message, a file a folder, or a Maildir a folder
    #[arg(long, value_enum)]
    format: Format,
    /// How pages are read
    #[arg(long, value_enum, default_value = "map")]
    io: IoMode,
    /// Where the files go; an empty directory, or none yet
    directory: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Eml,
    Mbox,
    Maildir,
}

/// Runs the command.
pub fn run(options: &Options, output: &mut Output) -> Result<(), Failure> {
    require_empty(&options.directory)?;
    let store = Store::open(&options.io.volume(), &options.store)?;
    tell_state(store.database(), &options.store, output)?;
    let mailbox = store.view().find_mailbox(&options.mailbox)?;
    let format = match options.format {
        Format::Eml => MailFormat::Eml,
        Format::Mbox => MailFormat::Mbox,
        Format::Maildir => MailFormat::Maildir,
    };
    let mut told = Ok(());
    let mut failed = |folder: Option<&Folder>, error: &EseError| {
        let place = folder.map_or("folders".into(), |folder| format!("folder {:?}", folder.name));
        let (code, message) = (judge(error).1, format!("{place}: {error}"));
        let page = place_of(error).and_then(|place| place.pgno);
        if told.is_ok() {
            told = output.warn(Warning { code, message: &message, table: None, page });
        }
    };
    let (view, folder) = (store.view(), options.folder.as_deref());
    let exported = export_mailbox(&view, &mailbox, folder, format, &options.directory, &mut failed);
    told?;
    let report = exported.map_err(|error| match error {
        ExportError::Store(error) => Failure::Ese(error),
        ExportError::Files(error) => Failure::Mail(error),
    })?;
    let written = report.written;
    if output.is_json() {
        let fields = [
            ("directory", json!(options.directory.display().to_string())),
            ("messages", json!(written.messages)),
            ("bytes", json!(written.bytes)),
            ("folders", json!(written.folders)),
            ("deleted_left", json!(report.deleted)),
            ("hidden_left", json!(report.hidden)),
            ("failed", json!(report.failed)),
        ];
        output.line("exported", &fields)?;
        return Ok(());
    }
    let mut text = format!(
        "exported {} messages ({:.1} MB) in {} folders to {}",
        written.messages,
        written.bytes as f64 / 1e6,
        written.folders,
        options.directory.display()
    );
    for (name, count) in [
        ("soft-deleted items left out", report.deleted),
        ("hidden items left out", report.hidden),
        ("items or folders not readable", report.failed),
    ] {
        if count > 0 {
            text.push_str(&format!("; {count} {name}"));
        }
    }
    output.text(&text)?;
    Ok(())
}

fn require_empty(directory: &Path) -> Result<(), Failure> {
    let failed = |error| IoError::os(directory, "open", error);
    match std::fs::read_dir(directory) {
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) => {
                let reason = "the directory is not empty; an export never mixes with what is there";
                Err(EseError::refused(Refusal::BadRequest, reason).in_file(directory).into())
            }
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(failed(error).into()),
    }
}
