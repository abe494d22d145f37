//! The record of a machine: what recoveries cost there. `bench` writes it, `estimate` reads it.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::{BenchError, BenchResult, at};
use super::machine::Machine;
use super::model::{Model, Observation};
use super::state::{read_json, write_json};

/// The form of the file.
const VERSION: u32 = 1;

/// The least, the middle and the greatest of what was measured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// The least.
    pub min: f64,
    /// The median.
    pub median: f64,
    /// The greatest.
    pub max: f64,
}

impl Spread {
    /// Of some values; `None` of none.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().filter(|value| value.is_finite()).collect();
        values.sort_by(f64::total_cmp);
        let (min, max) = (*values.first()?, *values.last()?);
        let upper = *values.get(values.len() / 2)?;
        let lower = *values.get((values.len() - 1) / 2)?;
        Some(Self { min, median: (lower + upper) / 2.0, max })
    }
}

/// How many seconds all mailboxes took with so many workers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct WorkerPoint {
    /// Workers.
    pub workers: usize,
    /// Seconds.
    pub seconds: Spread,
}

/// The record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    /// The form of the file.
    pub v: u32,
    /// The machine, the program and the day.
    pub machine: Machine,
    /// What the cache held.
    pub cache: String,
    /// Workers of all observations.
    pub workers: usize,
    /// Memory that recoveries could use, in bytes.
    pub memory_bytes: u64,
    /// Bytes of the largest source that was recovered.
    pub source_bytes: u64,
    /// The share of the source's files that is the database.
    pub edb_share: f64,
    /// The share of the source's files that is charged to its mailboxes.
    pub charged_share: f64,
    /// The recoveries.
    pub observations: Vec<Observation>,
    /// Bytes that the database grew by for each byte of the source's database that was recovered.
    pub edb_growth: Spread,
    /// The same of the streaming files.
    pub stm_growth: Spread,
    /// The worker sweep.
    pub worker_points: Vec<WorkerPoint>,
    /// For readers: seconds for one of each cost, as fitted to the observations.
    pub costs: Vec<(String, f64)>,
}

impl Profile {
    /// The form that this program writes.
    pub const VERSION: u32 = VERSION;

    /// Reads a record.
    ///
    /// # Errors
    /// [`BenchError::NoProfile`] when there is none; [`BenchError::Damaged`] when it cannot be understood.
    pub fn load(path: &Path) -> BenchResult<Self> {
        if !path.exists() {
            return Err(BenchError::NoProfile(path.into()));
        }
        let profile: Self = read_json(path)?;
        if profile.v != VERSION {
            let reason = format!("a profile of form {}; measure again", profile.v);
            return Err(BenchError::Damaged { path: path.into(), reason });
        }
        Ok(profile)
    }

    /// Writes it.
    ///
    /// # Errors
    /// [`BenchError::Io`].
    pub fn save(&self, path: &Path) -> BenchResult<()> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(at(folder, "create"))?;
        }
        write_json(path, self)
    }

    /// What recoveries cost.
    ///
    /// # Errors
    /// [`BenchError::NoAnswer`] when too few recoveries were measured.
    pub fn model(&self) -> BenchResult<Model> {
        let few = || {
            BenchError::NoAnswer(
                "the profile has too few measured recoveries; run `dialtone bench`".to_owned(),
            )
        };
        Model::of(&self.observations).ok_or_else(few)
    }
}

/// Where the profile of this machine is: `dialtone/profile.json` in the user's configuration, as the two variables `XDG_CONFIG_HOME`
/// and `HOME` say; `None` when neither does.
pub fn profile_path(xdg_config_home: Option<OsString>, home: Option<OsString>) -> Option<PathBuf> {
    let given =
        |variable: Option<OsString>| variable.map(PathBuf::from).filter(|path| path.is_absolute());
    let folder = given(xdg_config_home).or_else(|| given(home).map(|home| home.join(".config")))?;
    Some(folder.join("dialtone").join("profile.json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spreads_have_their_middle() {
        assert_eq!(Spread::of([3.0, 1.0, 2.0]), Some(Spread { min: 1.0, median: 2.0, max: 3.0 }));
        assert_eq!(Spread::of([4.0, 1.0]), Some(Spread { min: 1.0, median: 2.5, max: 4.0 }));
        assert_eq!(Spread::of([]), None);
    }

    #[test]
    fn the_profile_lies_where_configuration_lies() {
        let path = |xdg: &str, home: &str| {
            let variable = |text: &str| (!text.is_empty()).then(|| OsString::from(text));
            profile_path(variable(xdg), variable(home))
        };
        assert_eq!(path("/c", "/h"), Some("/c/dialtone/profile.json".into()));
        assert_eq!(path("", "/h"), Some("/h/.config/dialtone/profile.json".into()));
        assert_eq!(path("relative", ""), None);
    }
}
