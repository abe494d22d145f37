//! What is measured: two measurements belong together only if all of this is equal.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::error::{BenchResult, at};
use super::files::{PairBytes, pair_bytes};
use crate::synth;

/// What the system's cache holds when the clock starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cache {
    /// Nothing of the stores: they have to come from the device.
    Cold,
    /// The stores, as far as they fit.
    Warm,
}

impl Cache {
    /// In one word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Cold => "cold",
            Self::Warm => "warm",
        }
    }
}

/// A store that somebody has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Given {
    /// Where its database is.
    pub path: String,
    /// How long its files are.
    pub bytes: PairBytes,
    /// When its database was written last, in seconds since 1970.
    pub modified_seconds: u64,
}

impl Given {
    /// The store at a path.
    ///
    /// # Errors
    /// [`super::BenchError::Io`].
    pub fn at(path: &Path) -> BenchResult<Self> {
        let path = &fs::canonicalize(path).map_err(at(path, "open"))?;
        let modified =
            fs::metadata(path).and_then(|file| file.modified()).map_err(at(path, "look-up"))?;
        let since = modified.duration_since(std::time::UNIX_EPOCH);
        Ok(Self {
            path: path.display().to_string(),
            bytes: pair_bytes(path)?,
            modified_seconds: since.map_or(0, |since| since.as_secs()),
        })
    }
}

/// Which stores are recovered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Subject {
    /// Stores from a seed.
    Made {
        /// Bytes of the pair.
        size_bytes: u64,
        /// Mailboxes.
        mailboxes: u32,
        /// The seed.
        seed: u64,
        /// The age of the mail: `2003`, `2007`, `2010` or `small`.
        age: String,
    },
    /// Copies of stores that are there.
    Given {
        /// The source.
        from: Given,
        /// The target, if it is not to be an empty one.
        to: Option<Given>,
    },
}

/// All of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parameters {
    /// Version of the program.
    pub version: String,
    /// The stores.
    pub subject: Subject,
    /// Most workers; the sweep goes from one to these.
    pub workers: usize,
    /// How often each measurement is made.
    pub repeats: u32,
    /// The cache.
    pub cache: Cache,
    /// Memory that a recovery may use, in bytes.
    pub memory_bytes: u64,
}

impl Parameters {
    /// Of stores that are made, with this program.
    pub fn new(subject: Subject) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            subject,
            workers: std::thread::available_parallelism().map_or(1, usize::from),
            repeats: 3,
            cache: if cfg!(target_os = "linux") { Cache::Cold } else { Cache::Warm },
            memory_bytes: 512 << 20,
        }
    }

    /// What is different in another measurement, for people; nothing when they belong together.
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let mut found = Vec::new();
        let values = |parameters| serde_json::to_value(parameters).unwrap_or_default();
        differ("", &values(self), &values(other), &mut found);
        found
    }
}

fn differ(name: &str, ours: &Json, theirs: &Json, found: &mut Vec<String>) {
    match (ours, theirs) {
        (Json::Object(ours), Json::Object(theirs)) if ours.keys().eq(theirs.keys()) => {
            for (key, ours) in ours {
                differ(key, ours, theirs.get(key).unwrap_or(&Json::Null), found);
            }
        }
        (ours, theirs) if ours != theirs => {
            found.push(format!("{name} {theirs} instead of {ours}"))
        }
        _ => {}
    }
}

/// The shape of mail of that name.
pub fn age_of(name: &str) -> Option<synth::Profile> {
    match name {
        "2003" => Some(synth::Profile::Year2003),
        "2007" => Some(synth::Profile::Year2007),
        "2010" => Some(synth::Profile::Year2010),
        "small" => Some(synth::Profile::Small),
        _ => None,
    }
}
