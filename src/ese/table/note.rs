//! What a reader met that should be told, but did not stop it.
//!
//! Knows errors and where they were; decides nothing and prints nothing.

use crate::ese::error::{EseError, Place};
use crate::ese::page::Pgno;

/// Most notes that are kept; hostile files could give millions.
const NOTES_MAX: usize = 1000;

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// What was found, with its place.
    pub message: String,
    /// The table concerned, if one is.
    pub table: Option<String>,
    /// The page concerned, if one is.
    pub pgno: Option<Pgno>,
}

/// Findings in the order in which they were met; of very many the first ones.
#[derive(Debug, Clone, Default)]
pub struct Notes {
    kept: Vec<Note>,
    dropped: u64,
}

impl Notes {
    /// Notes an error.
    pub fn push(&mut self, error: &EseError, table: Option<&str>) {
        let pgno = place_of(error).and_then(|place| place.pgno);
        self.add(Note { message: error.to_string(), table: table.map(str::to_owned), pgno });
    }

    /// Notes something that concerns no single place.
    pub fn say(&mut self, message: impl Into<String>) {
        self.add(Note { message: message.into(), table: None, pgno: None });
    }

    /// Notes something about a table.
    pub fn say_of(&mut self, table: &str, message: impl Into<String>) {
        let table = Some(table.to_owned());
        self.add(Note { message: message.into(), table, pgno: None });
    }

    fn add(&mut self, note: Note) {
        if self.kept.len() < NOTES_MAX {
            self.kept.push(note);
        } else {
            self.dropped += 1;
        }
    }

    /// The notes that were kept.
    pub fn kept(&self) -> &[Note] {
        &self.kept
    }

    /// How many more there were.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }
}

/// The place that an error names; errors of the machine name a file only.
pub fn place_of(error: &EseError) -> Option<&Place> {
    match error {
        EseError::Corrupt { place, .. }
        | EseError::Unsupported { place, .. }
        | EseError::Limit { place, .. }
        | EseError::Refused { place, .. } => Some(place),
        EseError::Io(_) => None,
    }
}
