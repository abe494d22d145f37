//! How a database is opened for reading, and what is told of it before anything else.

use std::io;
use std::path::Path;

use clap::ValueEnum;

use super::output::{Output, Warning};
use crate::ese::page::header::DbState;
use crate::ese::table::database::Database;
use crate::io::RealVolume;

/// How pages are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum IoMode {
    /// Through a memory map
    Map,
    /// With positioned reads: for network file systems and failing disks
    Pread,
}

impl IoMode {
    /// The volume that reads in this way.
    pub fn volume(self) -> RealVolume {
        match self {
            Self::Map => RealVolume::mapped(),
            Self::Pread => RealVolume::pread(),
        }
    }
}

/// Tells what is wrong with the file as a whole and with its catalog. What is merely worth knowing is no warning.
pub fn tell_state(database: &Database, path: &Path, output: &mut Output) -> io::Result<()> {
    let header = database.file().header();
    let notes = header.notes();
    let code = if header.state() == DbState::Clean { "E_HEADER" } else { "E_DIRTY" };
    for message in database.file().warnings() {
        if notes.contains(message) {
            tell_note(path, message, output)?;
        } else {
            output.warn(Warning { code, message, table: None, page: None })?;
        }
    }
    let notes = database.schema().notes();
    for note in notes.kept() {
        output.warn_note(note)?;
    }
    if notes.dropped() > 0 {
        let message = format!("{} more findings in the catalog are not shown", notes.dropped());
        output.warn(Warning { code: "E_CORRUPT", message: &message, table: None, page: None })?;
    }
    Ok(())
}

fn tell_note(path: &Path, message: &str, output: &mut Output) -> io::Result<()> {
    if output.is_json() {
        return output.line("note", &[("message", message.into())]);
    }
    eprintln!("note: {}: {message}", path.display());
    Ok(())
}
