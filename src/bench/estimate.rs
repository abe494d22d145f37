//! How long a recovery will take and what it will add, from a profile of the machine.
//!
//! Nothing is made up: every number comes from the question or from the profile, and what had to be assumed is said.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::error::BenchResult;
use super::files::{PairBytes, pair_bytes};
use super::fit::Band;
use super::model::Load;
use super::profile::{Profile, Spread};
use crate::io::Volume;
use crate::recover::JobReport;
use crate::store::Store;

/// A prediction further than this from the largest measured source is one.
const FAR: f64 = 4.0;

/// What is to be recovered.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    /// What there is to do.
    pub load: Load,
    /// Bytes charged for all items of the source.
    pub source_charged_bytes: f64,
    /// Lengths of the source's files.
    pub source: PairBytes,
    /// What was assumed to come to these numbers.
    pub assumed: Vec<String>,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// What there is to do.
    pub load: Load,
    /// Seconds.
    pub seconds: Band,
    /// Bytes that the target's database grows by.
    pub edb_growth_bytes: Band,
    /// Bytes that its streaming file grows by.
    pub stm_growth_bytes: Band,
    /// What was assumed.
    pub assumed: Vec<String>,
}

/// Sizes and counts, for a store that nobody has at hand.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sizes {
    /// Bytes of the source's two files.
    pub source_bytes: u64,
    /// Bytes of its streaming file, when known.
    pub stm_bytes: Option<u64>,
    /// Items.
    pub items: u64,
    /// Mailboxes.
    pub mailboxes: u64,
    /// The share, 0 to 1, of the items that the target has already.
    pub present: f64,
}

/// What a source holds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Source {
    /// Lengths of its files.
    pub bytes: PairBytes,
    /// All of its mailboxes, items and bytes, as its mailboxes count them; all to be written.
    pub load: Load,
}

/// What the store at a path holds, by its own counters.
///
/// # Errors
/// As [`Store::open`]; [`super::BenchError::Io`].
pub fn source_of(volume: &dyn Volume, path: &Path) -> BenchResult<Source> {
    let mailboxes = Store::open(volume, path)?.view().mailboxes()?;
    let sum = |of: fn(&crate::store::Mailbox) -> i64| -> f64 {
        mailboxes.iter().map(|mailbox| of(mailbox).max(0) as f64).sum()
    };
    let items = sum(|mailbox| mailbox.items);
    let load = Load {
        mailboxes: mailboxes.len() as f64,
        looked: items,
        written: items,
        bytes: sum(|mailbox| mailbox.bytes),
    };
    Ok(Source { bytes: pair_bytes(path)?, load })
}

impl Question {
    /// The whole of a source into an empty target.
    pub fn of_whole(source: &Source) -> Self {
        let assumed = vec!["the target has none of the items: all are written".to_owned()];
        Self {
            load: source.load,
            source_charged_bytes: source.load.bytes,
            source: source.bytes,
            assumed,
        }
    }

    /// What a plan found: its counts are exact.
    pub fn of_plan(report: &JobReport, source: &Source) -> Self {
        let (counters, side) = (&report.counters, &report.side);
        let written =
            counters.inserted + counters.replaced + side.hidden_inserted + side.dumpster_inserted;
        Self {
            load: Load {
                mailboxes: report.mailboxes.len() as f64,
                looked: counters.scanned as f64,
                written: written as f64,
                bytes: report.write_bytes as f64,
            },
            source_charged_bytes: source.load.bytes,
            source: source.bytes,
            assumed: Vec::new(),
        }
    }

    /// From sizes and counts; the profile says what usually belongs to them.
    pub fn of_sizes(sizes: &Sizes, profile: &Profile) -> Self {
        let total = sizes.source_bytes as f64;
        let mut assumed = Vec::new();
        let stm = sizes.stm_bytes.map_or_else(
            || {
                let share = 1.0 - profile.edb_share;
                assumed.push(format!(
                    "{:.0} % of the source is its streaming file, as in the measured store",
                    share * 100.0
                ));
                total * share
            },
            |bytes| (bytes as f64).min(total),
        );
        assumed.push(format!(
            "{:.0} % of the files is mail as mailboxes are charged for it, as in the measured store",
            profile.charged_share * 100.0
        ));
        assumed.push(if sizes.present > 0.0 {
            format!(
                "{:.0} % of the items and of the bytes are in the target already",
                sizes.present * 100.0
            )
        } else {
            "the target has none of the items: all are written".to_owned()
        });
        let charged = total * profile.charged_share;
        let absent = 1.0 - sizes.present.clamp(0.0, 1.0);
        let items = sizes.items as f64;
        Self {
            load: Load {
                mailboxes: sizes.mailboxes as f64,
                looked: items,
                written: items * absent,
                bytes: charged * absent,
            },
            source_charged_bytes: charged,
            source: PairBytes { edb: (total - stm) as u64, stm: stm as u64 },
            assumed,
        }
    }
}

/// Answers a question for the workers and the cache of the profile.
///
/// # Errors
/// [`super::BenchError::NoAnswer`] when the profile has too few measurements.
pub fn estimate(question: &Question, profile: &Profile) -> BenchResult<Estimate> {
    let model = profile.model()?;
    let share = if question.source_charged_bytes > 0.0 {
        (question.load.bytes / question.source_charged_bytes).clamp(0.0, 1.0)
    } else {
        0.0
    };
    let grown = |bytes: u64, growth: &Spread| {
        let moved = bytes as f64 * share;
        Band { mid: moved * growth.median, low: moved * growth.min, high: moved * growth.max }
    };
    let mut assumed = question.assumed.clone();
    let machine = &profile.machine;
    assumed.push(format!(
        "this machine as it was measured on {}: {}, {} workers, cache {}",
        machine.date, machine.cpu, profile.workers, profile.cache
    ));
    assumed.push(
        "files grow as in the measured copies: free space in the target is not used".to_owned(),
    );
    let times = question.source.total() as f64 * share / (profile.source_bytes as f64).max(1.0);
    if times > FAR {
        assumed.push(format!(
            "cost goes on growing as it was measured: this is {times:.0} times the largest measured store; a larger `dialtone bench` narrows the band"
        ));
    }
    Ok(Estimate {
        load: question.load,
        seconds: model.seconds(&question.load),
        edb_growth_bytes: grown(question.source.edb, &profile.edb_growth),
        stm_growth_bytes: grown(question.source.stm, &profile.stm_growth),
        assumed,
    })
}
