//! Errors of the ESE layer: one enum, four families a user can act on.
//!
//! *I/O* (the machine), *corrupt* (the file), *unsupported* (this program), *refused* (the state of the
//! file or of the caller's request). Every one names the place; the message ends with what to do next
//! where there is something to do.

use std::fmt;
use std::path::PathBuf;

use crate::ese::page::{ObjId, Pgno};
use crate::io::IoError;

/// Result of the ESE layer.
pub type EseResult<T> = Result<T, EseError>;

/// Where in a database something was found. Unknown parts stay empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    /// The database file.
    pub path: Option<PathBuf>,
    /// The page.
    pub pgno: Option<Pgno>,
    /// The tree that the page belongs to.
    pub objid: Option<ObjId>,
    /// Line (node number, tag 0 not counted) on the page.
    pub line: Option<usize>,
    /// The table, index or column concerned.
    pub object: Option<String>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        let mut part = |f: &mut fmt::Formatter<'_>, text: String| {
            let result = write!(f, "{separator}{text}");
            separator = ", ";
            result
        };
        if let Some(path) = &self.path {
            part(f, path.display().to_string())?;
        }
        if let Some(pgno) = self.pgno {
            part(f, format!("page {pgno}"))?;
        }
        if let Some(objid) = self.objid {
            part(f, format!("object {objid}"))?;
        }
        if let Some(line) = self.line {
            part(f, format!("line {line}"))?;
        }
        if let Some(object) = &self.object {
            part(f, object.clone())?;
        }
        if separator.is_empty() { f.write_str("unknown place") } else { Ok(()) }
    }
}

/// Why a request was refused although the bytes are sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// The database was not shut down cleanly (`E_DIRTY`).
    Dirty,
    /// The format is readable, but not one that this program writes (`E_VERSION`).
    Version,
    /// Two files that should belong together do not (`E_SIG_MISMATCH`).
    Mismatch,
    /// Two stores that must differ are the same (`E_SAME_STORE`).
    SameStore,
    /// The disk has less room than the work will need (`E_SPACE`).
    Space,
    /// A table, column or index of that name or id does not exist.
    NotFound,
    /// A key that must be unique is there already.
    DuplicateKey,
    /// The writer has failed before; it must be reopened.
    WriterDead,
    /// The request makes no sense, for example a value too long for its column.
    BadRequest,
}

/// What can go wrong with an ESE database.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EseError {
    /// The machine failed: open, read, write, sync, lock.
    #[error(transparent)]
    Io(#[from] IoError),
    /// The bytes break a rule of the format.
    #[error("{place}: {reason}")]
    Corrupt {
        /// Where.
        place: Box<Place>,
        /// Which rule is broken, with the values found.
        reason: String,
    },
    /// The bytes are sound, but this program does not support what they say.
    #[error("{place}: {what} is not supported")]
    Unsupported {
        /// Where.
        place: Box<Place>,
        /// The feature.
        what: String,
    },
    /// A declared size is beyond what this program is willing to handle.
    #[error("{place}: {what} is {found}, the limit is {limit}")]
    Limit {
        /// Where.
        place: Box<Place>,
        /// The quantity.
        what: &'static str,
        /// What the file or the caller asked for.
        found: u64,
        /// The bound.
        limit: u64,
    },
    /// Refused because of the state of the file or because of the request itself.
    #[error("{place}: {reason}")]
    Refused {
        /// Where.
        place: Box<Place>,
        /// The kind, for programs.
        refusal: Refusal,
        /// The reason and the way out, for people.
        reason: String,
    },
}

impl EseError {
    /// A broken rule on page `pgno`.
    pub fn corrupt(pgno: Pgno, reason: impl Into<String>) -> Self {
        let place = Place { pgno: Some(pgno), ..Place::default() };
        Self::Corrupt { place: Box::new(place), reason: reason.into() }
    }

    /// A broken rule without a known page.
    pub fn corrupt_bytes(reason: impl Into<String>) -> Self {
        Self::Corrupt { place: Box::default(), reason: reason.into() }
    }

    /// A feature that this program does not have.
    pub fn unsupported(what: impl Into<String>) -> Self {
        Self::Unsupported { place: Box::default(), what: what.into() }
    }

    /// A size beyond a bound.
    pub fn limit(what: &'static str, found: u64, limit: u64) -> Self {
        Self::Limit { place: Box::default(), what, found, limit }
    }

    /// A request or state that is refused.
    pub fn refused(refusal: Refusal, reason: impl Into<String>) -> Self {
        Self::Refused { place: Box::default(), refusal, reason: reason.into() }
    }

    /// Fills in parts of the place that are not known yet.
    #[must_use]
    pub fn at(mut self, fill: impl FnOnce(&mut Place)) -> Self {
        match &mut self {
            Self::Corrupt { place, .. }
            | Self::Unsupported { place, .. }
            | Self::Limit { place, .. }
            | Self::Refused { place, .. } => fill(place),
            Self::Io(_) => {}
        }
        self
    }

    /// Names the page, unless one is named already.
    #[must_use]
    pub fn on_page(self, pgno: Pgno) -> Self {
        self.at(|place| {
            place.pgno.get_or_insert(pgno);
        })
    }

    /// Names the tree, unless one is named already.
    #[must_use]
    pub fn in_tree(self, objid: ObjId) -> Self {
        self.at(|place| {
            place.objid.get_or_insert(objid);
        })
    }

    /// Names the line on the page, unless one is named already.
    #[must_use]
    pub fn on_line(self, line: usize) -> Self {
        self.at(|place| {
            place.line.get_or_insert(line);
        })
    }

    /// Names the table, index or column, unless one is named already.
    #[must_use]
    pub fn in_object(self, object: impl fmt::Display) -> Self {
        self.at(|place| {
            place.object.get_or_insert_with(|| object.to_string());
        })
    }

    /// Names the file, unless one is named already.
    #[must_use]
    pub fn in_file(self, path: &std::path::Path) -> Self {
        self.at(|place| {
            place.path.get_or_insert_with(|| path.to_path_buf());
        })
    }

    /// The refusal, if this is one.
    pub fn refusal(&self) -> Option<Refusal> {
        match self {
            Self::Refused { refusal, .. } => Some(*refusal),
            _ => None,
        }
    }
}
