//! `estimate`: how long a recovery will take and what it will add, from a profile that `bench` has recorded.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::exit::Failure;
use super::output::Output;
use super::recover::parse_size;
use crate::bench::document::{bytes_text, count_text, seconds_text};
use crate::bench::estimate::{Sizes, source_of};
use crate::bench::fit::Band;
use crate::bench::{BenchError, BenchResult, Estimate, Profile, Question, estimate, profile_path};
use crate::io::{RealVolume, Volume};
use crate::recover::{JobReport, Mode, Options as RecoverOptions, RunOptions, recover};

/// What `estimate` is asked for.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("source").required(true).args(["from", "source_size"]))]
pub struct Options {
    /// The store to recover from; it is only read
    #[arg(long, value_name = "SRC.edb")]
    from: Option<PathBuf>,
    /// The store to recover into, only read: what is to be written is found out by a dry run. Without it, an empty store
    #[arg(long, value_name = "DST.edb", requires = "from")]
    to: Option<PathBuf>,
    /// Size of the two files of a source that is not at hand, for example 40GB
    #[arg(long, value_name = "SIZE", value_parser = parse_size, requires_all = ["items", "mailboxes"])]
    source_size: Option<u64>,
    /// Size of its streaming file alone; otherwise its share is taken from the profile
    #[arg(long, value_name = "SIZE", value_parser = parse_size, requires = "source_size")]
    stm_size: Option<u64>,
    /// Its items
    #[arg(long, value_name = "N", requires = "source_size")]
    items: Option<u64>,
    /// Its mailboxes
    #[arg(long, value_name = "N", requires = "source_size")]
    mailboxes: Option<u64>,
    /// Share of its items, in per cent, that the target has already, for a merge
    #[arg(long, value_name = "PERCENT", requires = "source_size", default_value_t = 0.0, value_parser = parse_per_cent)]
    present: f64,
    /// Size of the target's two files now, to tell what they will be
    #[arg(long, value_name = "SIZE", value_parser = parse_size, requires = "source_size")]
    target_size: Option<u64>,
    /// The profile [default: dialtone/profile.json in the user's configuration]
    #[arg(long, value_name = "FILE")]
    profile: Option<PathBuf>,
}

fn parse_per_cent(text: &str) -> Result<f64, String> {
    let share: f64 =
        text.trim_end_matches('%').parse().map_err(|_| format!("{text} is no number"))?;
    if (0.0..=100.0).contains(&share) {
        Ok(share)
    } else {
        Err(format!("{text} is no share in per cent"))
    }
}

/// Where the profile of this machine is looked for.
pub fn default_profile_path() -> Option<PathBuf> {
    profile_path(std::env::var_os("XDG_CONFIG_HOME"), std::env::var_os("HOME"))
}

fn load(path: Option<&Path>) -> BenchResult<Profile> {
    let path = path.map(Path::to_owned).or_else(default_profile_path);
    Profile::load(&path.unwrap_or_else(|| PathBuf::from("dialtone/profile.json")))
}

/// Runs the command.
pub fn run(options: &Options, output: &mut Output) -> Result<(), Failure> {
    let profile = load(options.profile.as_deref())?;
    let questions = match &options.from {
        Some(from) => of_stores(from, options.to.as_deref())?,
        None => of_sizes(options, &profile),
    };
    let mut answers = Vec::new();
    for (mode, question) in questions {
        answers.push((mode, estimate(&question, &profile)?));
    }
    let target_bytes = match (&options.to, options.target_size) {
        (Some(to), _) => Some(crate::bench::files::pair_bytes(to)?.total()),
        (None, size) => size,
    };
    if output.is_json() {
        for (mode, answer) in &answers {
            output.line("estimate", &fields(mode, answer, target_bytes))?;
        }
        return Ok(());
    }
    Ok(print(&answers, target_bytes, output)?)
}

type Questions = Vec<(&'static str, Question)>;

fn of_sizes(options: &Options, profile: &Profile) -> Questions {
    let sizes = Sizes {
        source_bytes: options.source_size.unwrap_or(0),
        stm_bytes: options.stm_size,
        items: options.items.unwrap_or(0),
        mailboxes: options.mailboxes.unwrap_or(0),
        present: 0.0,
    };
    let merge = Sizes { present: options.present / 100.0, ..sizes };
    vec![
        ("merge", Question::of_sizes(&merge, profile)),
        ("copy", Question::of_sizes(&sizes, profile)),
    ]
}

fn of_stores(from: &Path, to: Option<&Path>) -> Result<Questions, Failure> {
    let volume: Arc<dyn Volume> = Arc::new(RealVolume::mapped());
    let source = source_of(&*volume, from)?;
    let Some(to) = to else {
        return Ok(["merge", "copy"].map(|mode| (mode, Question::of_whole(&source))).to_vec());
    };
    let mut questions = Vec::new();
    for (name, mode) in [("merge", Mode::Merge), ("copy", Mode::CopyOverlay)] {
        let mut run = RunOptions::new([0; 16]);
        run.dry_run = true;
        let options = RecoverOptions::new(mode, super::recover::now().0);
        let report = recover(&volume, from, to, &options, &run, &mut |_| {})?;
        questions.push((name, Question::of_plan(&report, &source)));
    }
    Ok(questions)
}

fn fields(mode: &str, answer: &Estimate, target_bytes: Option<u64>) -> Vec<(&'static str, Json)> {
    let after = target_bytes
        .map(|bytes| bytes as f64 + answer.edb_growth_bytes.mid + answer.stm_growth_bytes.mid);
    let mut fields = vec![("mode", json!(mode))];
    fields.extend(answer_fields(answer));
    fields.push(("target_bytes", json!(target_bytes)));
    fields.push(("target_bytes_after", json!(after)));
    fields
}

fn answer_fields(answer: &Estimate) -> Vec<(&'static str, Json)> {
    vec![
        ("mailboxes", json!(answer.load.mailboxes)),
        ("items_looked", json!(answer.load.looked)),
        ("items_written", json!(answer.load.written)),
        ("write_bytes", json!(answer.load.bytes)),
        ("seconds", json!(answer.seconds)),
        ("edb_growth_bytes", json!(answer.edb_growth_bytes)),
        ("stm_growth_bytes", json!(answer.stm_growth_bytes)),
        ("assumed", json!(answer.assumed)),
    ]
}

fn range(band: &Band, text: fn(f64) -> String) -> String {
    format!("{} ({} to {})", text(band.mid), text(band.low), text(band.high))
}

fn print(
    answers: &[(&str, Estimate)],
    target_bytes: Option<u64>,
    output: &mut Output,
) -> std::io::Result<()> {
    let mut table = comfy_table::Table::new();
    table.load_preset(comfy_table::presets::NOTHING);
    table.set_header([
        "mode",
        "items to write",
        "mail to write",
        "time",
        "database grows by",
        "streaming file grows by",
    ]);
    for (mode, answer) in answers {
        table.add_row([
            (*mode).to_owned(),
            count_text(answer.load.written.round() as u64),
            bytes_text(answer.load.bytes),
            range(&answer.seconds, seconds_text),
            range(&answer.edb_growth_bytes, bytes_text),
            range(&answer.stm_growth_bytes, bytes_text),
        ]);
    }
    output.text(&table.to_string())?;
    if let Some(bytes) = target_bytes {
        let (now, after) = (bytes as f64, |answer: &Estimate| {
            answer.edb_growth_bytes.mid + answer.stm_growth_bytes.mid
        });
        for (mode, answer) in answers {
            let after = bytes_text(now + after(answer));
            output.text(&format!(
                "{mode}: the target's files, {} now, will be about {after}",
                bytes_text(now)
            ))?;
        }
    }
    output.text("in brackets: where 95 of 100 measurements are expected (time), the least and the most measured (growth); assumed:")?;
    let mut told: Vec<&String> = Vec::new();
    for assumed in answers.iter().flat_map(|(_, answer)| &answer.assumed) {
        if !told.contains(&assumed) {
            output.text(&format!("- {assumed}"))?;
            told.push(assumed);
        }
    }
    Ok(())
}

/// What a dry run predicts, when there is a profile: its counts are those of the plan. Without one nothing is predicted, and people are
/// told how to get one.
pub fn tell_dry_run(report: &JobReport, from: &Path, output: &mut Output) -> Result<(), Failure> {
    let predict = || -> BenchResult<Estimate> {
        let profile = load(None)?;
        let source = source_of(&RealVolume::pread(), from)?;
        estimate(&Question::of_plan(report, &source), &profile)
    };
    match predict() {
        Ok(answer) if output.is_json() => output.line("estimate", &answer_fields(&answer))?,
        Ok(answer) => {
            let edb = range(&answer.edb_growth_bytes, bytes_text);
            let stm = range(&answer.stm_growth_bytes, bytes_text);
            let time = range(&answer.seconds, seconds_text);
            output.text(&format!(
                "predicted: {time}; the database grows by {edb}, the streaming file by {stm}"
            ))?;
        }
        // Neither keeps the plan from being told; for programs the line is simply not there.
        Err(_) if output.is_json() => {}
        Err(
            error @ (BenchError::NoProfile(_)
            | BenchError::Damaged { .. }
            | BenchError::NoAnswer(_)),
        ) => {
            output.text(&format!("no prediction of time and growth: {error}"))?;
        }
        Err(error) => return Err(error.into()),
    }
    Ok(())
}
