//! What has been measured so far, on disk after every sample.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::error::{BenchError, BenchResult, at};
use super::files::PairBytes;
use super::inside::Inside;
use super::machine::Machine;
use super::meter::Cost;
use super::parameters::Parameters;
use super::timeline::Timeline;

/// The form of the file.
const VERSION: u32 = 1;
/// Its name in the working directory.
const NAME: &str = "bench-state.json";

/// What a recovery did.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct JobFigures {
    /// Mailboxes done.
    pub mailboxes: u64,
    /// Mailboxes that failed.
    pub failed: u64,
    /// Ordinary items of the source that were looked at.
    pub looked: u64,
    /// Items that were new in the target, hidden and soft-deleted ones too.
    pub inserted: u64,
    /// Items written in place of another version.
    pub replaced: u64,
    /// Items that were lost.
    pub bad: u64,
    /// Items read back.
    pub verified: u64,
    /// Bytes charged for what was written.
    pub charged_bytes: u64,
    /// Bytes charged for all items of the mailboxes that took part.
    pub source_charged_bytes: u64,
    /// Commits.
    pub commits: u64,
    /// Whether every counter of the report came out.
    pub adds_up: bool,
    /// What the target's files have grown by.
    pub growth: PairBytes,
    /// Items that were inserted or replaced, and contents copied for them.
    #[serde(default)]
    pub placed: u64,
    /// Contents that were copied for those.
    #[serde(default)]
    pub contents_copied: u64,
    /// Bytes written to the journal.
    #[serde(default)]
    pub log_bytes: u64,
    /// What its threads were at.
    #[serde(default)]
    pub inside: Option<Inside>,
    /// The job over time, where it is kept.
    pub timeline: Option<Timeline>,
}

impl JobFigures {
    /// Items written.
    pub fn written(&self) -> u64 {
        self.inserted + self.replaced
    }
}

/// What a check found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckFigures {
    /// Findings that are errors.
    pub errors: u64,
    /// Items.
    pub items: u64,
    /// Contents that these items share.
    pub contents: u64,
}

/// One measurement, once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Which.
    pub step: String,
    /// The how-manieth time, from 0 on.
    pub repeat: u32,
    /// What it cost.
    pub cost: Cost,
    /// Bytes of the files that it went over: of a recovery, the part of the source that took part.
    pub bytes: u64,
    /// Lengths of the source's files, of a recovery.
    pub source: PairBytes,
    /// What a recovery did.
    pub job: Option<JobFigures>,
    /// What a check found.
    pub check: Option<CheckFigures>,
}

/// All samples, and what they belong to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// The form of the file.
    pub v: u32,
    /// What is measured.
    pub parameters: Parameters,
    /// Where.
    pub machine: Machine,
    /// Samples in the order in which they were made.
    pub samples: Vec<Sample>,
}

impl State {
    /// Nothing measured yet.
    pub fn new(parameters: Parameters, machine: Machine) -> Self {
        Self { v: VERSION, parameters, machine, samples: Vec::new() }
    }

    /// What was measured in a directory before, if anything was.
    ///
    /// # Errors
    /// [`BenchError::Damaged`], [`BenchError::Io`].
    pub fn load(dir: &Path) -> BenchResult<Option<Self>> {
        let path = state_path(dir);
        if !path.exists() {
            return Ok(None);
        }
        let state: Self = read_json(&path)?;
        if state.v != VERSION {
            let reason = format!("form {} is not known", state.v);
            return Err(BenchError::Damaged { path, reason });
        }
        Ok(Some(state))
    }

    /// Keeps all of it; the file is the old or the new one, whatever happens.
    ///
    /// # Errors
    /// [`BenchError::Io`].
    pub fn save(&self, dir: &Path) -> BenchResult<()> {
        write_json(&state_path(dir), self)
    }

    /// All samples of a step.
    pub fn of<'s>(&'s self, step: &'s str) -> impl Iterator<Item = &'s Sample> {
        self.samples.iter().filter(move |sample| sample.step == step)
    }

    /// Whether that sample was made.
    pub fn has(&self, step: &str, repeat: u32) -> bool {
        self.of(step).any(|sample| sample.repeat == repeat)
    }
}

/// Where a directory has its state.
pub fn state_path(dir: &Path) -> PathBuf {
    dir.join(NAME)
}

/// Reads a JSON file.
pub(super) fn read_json<T: DeserializeOwned>(path: &Path) -> BenchResult<T> {
    let text = fs::read(path).map_err(at(path, "open"))?;
    let damaged = |error: serde_json::Error| BenchError::Damaged {
        path: path.to_owned(),
        reason: error.to_string(),
    };
    serde_json::from_slice(&text).map_err(damaged)
}

/// Writes a JSON file in one step.
pub(super) fn write_json<T: Serialize>(path: &Path, value: &T) -> BenchResult<()> {
    let damaged = |error: serde_json::Error| BenchError::Damaged {
        path: path.to_owned(),
        reason: error.to_string(),
    };
    let mut text = serde_json::to_vec_pretty(value).map_err(damaged)?;
    text.push(b'\n');
    write_whole(path, &text)
}

/// Writes a file under another name and gives it its own when it is synced.
pub(super) fn write_whole(path: &Path, bytes: &[u8]) -> BenchResult<()> {
    let mut draft = path.as_os_str().to_owned();
    draft.push(".part");
    let draft = PathBuf::from(draft);
    let mut file = File::create(&draft).map_err(at(&draft, "create"))?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(at(&draft, "write"))?;
    fs::rename(&draft, path).map_err(at(path, "rename"))
}
