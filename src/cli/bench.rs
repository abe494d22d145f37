//! `bench`: the restore window of this machine, measured.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::ValueEnum;
use serde_json::json;

use super::estimate::default_profile_path;
use super::exit::Failure;
use super::output::Output;
use super::recover::parse_size;
use crate::bench::document::{bytes_text, figures, seconds_text};
use crate::bench::run::tidy_up;
use crate::bench::state::Sample;
use crate::bench::steps::{COPY, CP};
use crate::bench::{
    BenchResult, Cache, Event, Given, Parameters, Profile, Subject, Summary, run as measure,
    write_report,
};
use crate::io::{RealVolume, Volume};

/// What `bench` is asked for.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Directory for the report: report.md, report.html, report.json, profile.json and tables
    #[arg(long, value_name = "DIR", default_value = "dialtone-bench")]
    out: PathBuf,
    /// Directory on the disk to measure, for stores and for what has been measured so far [default: work, in --out]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Small stores: done within two minutes on two cores. Good for a look, not for a promise
    #[arg(long)]
    quick: bool,
    /// Measure with copies of this store instead of stores that are made; it is only read
    #[arg(long, value_name = "SRC.edb", conflicts_with_all = ["size", "mailboxes", "seed", "age"])]
    from: Option<PathBuf>,
    /// The target that belongs to it; without it, an empty store with its mailboxes
    #[arg(long, value_name = "DST.edb", requires = "from")]
    to: Option<PathBuf>,
    /// Size of the store to make; about seven times as much is needed on the disk [default: 1GB, quick: 320MB]
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    size: Option<u64>,
    /// Mailboxes of the store to make [default: 200, quick: 80]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    mailboxes: Option<u32>,
    /// The same seed makes the same store
    #[arg(long, default_value_t = 2003)]
    seed: u64,
    /// The shape of mail in the store to make
    #[arg(long, value_enum, default_value = "2003")]
    age: Age,
    /// Most workers; fewer are measured too [default: cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    workers: Option<u16>,
    /// How often each measurement is made
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    repeats: u32,
    /// cold: stores are dropped from the cache before the clock starts; warm: they are read once [default: cold, on Linux]
    #[arg(long, value_enum)]
    cache: Option<CacheArgument>,
    /// Memory that a recovery may use
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    memory: Option<u64>,
    /// The time that was agreed on, for example 4h or 90m: tells the largest store that can be recovered in it
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    sla: Option<Duration>,
    /// Throw away what was measured in --dir before
    #[arg(long)]
    restart: bool,
    /// Leave the stores in --dir
    #[arg(long)]
    keep: bool,
    /// Where to keep the profile that `estimate` reads [default: dialtone/profile.json in the user's configuration]
    #[arg(long, value_name = "FILE")]
    profile: Option<PathBuf>,
    /// Keep no profile but the one in --out
    #[arg(long, conflicts_with = "profile")]
    no_profile: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Age {
    /// Mean of 15 to 25 KB a message
    #[value(name = "2003")]
    Year2003,
    /// Mean of 50 KB
    #[value(name = "2007")]
    Year2007,
    /// Mean of 75 KB
    #[value(name = "2010")]
    Year2010,
    /// Items of 2 to 8 KB
    Small,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum CacheArgument {
    Cold,
    Warm,
}

/// A time: `30s`, `90m`, `4h`, `1h30m`.
fn parse_time(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text} is no time; use for example 4h, 90m or 1h30m");
    let mut rest = text.trim();
    let mut seconds = 0u64;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let (number, tail) = rest.split_at(digits);
        let number: u64 = number.parse().map_err(|_| wrong())?;
        let unit = match tail.chars().next() {
            Some('s') => 1,
            Some('m') => 60,
            Some('h') => 3600,
            _ => return Err(wrong()),
        };
        rest = tail.get(1..).unwrap_or_default();
        let part = number.checked_mul(unit).and_then(|part| seconds.checked_add(part));
        seconds = part.ok_or_else(wrong)?;
    }
    if seconds == 0 { Err(wrong()) } else { Ok(Duration::from_secs(seconds)) }
}

impl Options {
    fn parameters(&self) -> BenchResult<Parameters> {
        let (size_bytes, mailboxes) =
            if self.quick { (320_000_000, 80) } else { (1_000_000_000, 200) };
        let age = match self.age {
            Age::Year2003 => "2003",
            Age::Year2007 => "2007",
            Age::Year2010 => "2010",
            Age::Small => "small",
        };
        let subject = match &self.from {
            Some(from) => Subject::Given {
                from: Given::at(from)?,
                to: self.to.as_deref().map(Given::at).transpose()?,
            },
            None => Subject::Made {
                size_bytes: self.size.unwrap_or(size_bytes),
                mailboxes: self.mailboxes.unwrap_or(mailboxes),
                seed: self.seed,
                age: age.to_owned(),
            },
        };
        let mut parameters = Parameters::new(subject);
        parameters.repeats = self.repeats;
        parameters.workers = self.workers.map_or(parameters.workers, usize::from);
        parameters.memory_bytes = self.memory.unwrap_or(parameters.memory_bytes);
        parameters.cache = match self.cache {
            None => parameters.cache,
            Some(CacheArgument::Cold) => Cache::Cold,
            Some(CacheArgument::Warm) => Cache::Warm,
        };
        Ok(parameters)
    }
}

/// Runs the command.
pub fn run(options: &Options, output: &mut Output) -> Result<(), Failure> {
    let parameters = options.parameters()?;
    let dir = options.dir.clone().unwrap_or_else(|| options.out.join("work"));
    let volume: Arc<dyn Volume> = Arc::new(RealVolume::mapped());
    let mut teller = Teller::new(output);
    let result =
        measure(&volume, &dir, &parameters, options.restart, &mut |event| teller.tell(event));
    teller.end()?;
    let state = result?;
    let summary = Summary::of(&state, options.sla.map(|time| time.as_secs_f64()));
    write_report(&options.out, &state, &summary)?;
    if !options.keep {
        tidy_up(&volume, &dir, &parameters)?;
    }
    let profile = keep_profile(options, &summary)?;
    if output.is_json() {
        tell_report(options, &summary, profile.as_deref(), output)?;
    } else {
        print_report(options, &summary, profile.as_deref(), output)?;
    }
    if summary.correctness.is_clean() { Ok(()) } else { Err(Failure::BenchWrong) }
}

/// Keeps the profile where `estimate` looks for it; answers where. One of a larger store is better, and stays, as long as it is of the
/// same machine and program.
fn keep_profile(options: &Options, summary: &Summary) -> Result<Option<PathBuf>, Failure> {
    let path = options.profile.clone().or_else(default_profile_path);
    let (Some(profile), Some(path), false) = (&summary.profile, path, options.no_profile) else {
        return Ok(None);
    };
    let is_asked_for = options.profile.is_some();
    let is_better = |kept: &Profile| {
        let (ours, theirs) = (&profile.machine, &kept.machine);
        let is_alike =
            (&ours.cpu, ours.cores, &ours.version) == (&theirs.cpu, theirs.cores, &theirs.version);
        is_alike && kept.source_bytes > profile.source_bytes
    };
    if !is_asked_for && Profile::load(&path).is_ok_and(|kept| is_better(&kept)) {
        return Ok(None);
    }
    profile.save(&path)?;
    Ok(Some(path))
}

fn tell_report(
    options: &Options,
    summary: &Summary,
    profile: Option<&Path>,
    output: &mut Output,
) -> std::io::Result<()> {
    let stages = summary.stages.iter().map(|stage| {
        json!({"id": stage.id, "seconds": stage.seconds, "bytes_per_second": stage.bytes_per_second})
    });
    let fields = [
        ("directory", json!(options.out.display().to_string())),
        ("profile", json!(profile.map(|path| path.display().to_string()))),
        ("source_bytes", json!(summary.source_bytes)),
        ("is_correct", json!(summary.correctness.is_clean())),
        ("correctness", json!(summary.correctness)),
        ("stages", json!(stages.collect::<Vec<_>>())),
        ("sla", json!(summary.sizes.as_ref().and_then(|sizes| sizes.sla))),
    ];
    output.line("report", &fields)
}

fn print_report(
    options: &Options,
    summary: &Summary,
    profile: Option<&Path>,
    output: &mut Output,
) -> std::io::Result<()> {
    let mut table = comfy_table::Table::new();
    table.load_preset(comfy_table::presets::NOTHING);
    table.set_header(["stage", "median", "least", "most", "MB/s"]);
    for stage in &summary.stages {
        let rate = stage.bytes_per_second.map(|rate| figures(rate.median / 1e6));
        let [median, least, most] =
            [stage.seconds.median, stage.seconds.min, stage.seconds.max].map(seconds_text);
        table.add_row([stage.title.clone(), median, least, most, rate.unwrap_or_default()]);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(comfy_table::CellAlignment::Right);
    }
    output.text(&table.to_string())?;
    if let Some(ratio) = summary.ratio(COPY, CP) {
        output.text(&format!(
            "copying all mailboxes takes {} times as long as cp and sync",
            figures(ratio)
        ))?;
    }
    if let Some(sla) = summary.sizes.as_ref().and_then(|sizes| sizes.sla) {
        let store = |bytes: Option<f64>| bytes.map_or_else(|| "no store".to_owned(), bytes_text);
        let (line, safe) = (store(sla.bytes), store(sla.safe_bytes));
        output.text(&format!(
            "within {}: {line} by the fitted line, {safe} to be safe",
            seconds_text(sla.seconds)
        ))?;
    }
    output.text(&format!("report: {}", options.out.join("report.html").display()))?;
    match profile {
        Some(path) => output.text(&format!("profile for estimate: {}", path.display())),
        None => output.text(&format!("profile: {}", options.out.join("profile.json").display())),
    }
}

/// Tells how far a measurement is: a bar on a terminal, a line for each sample as JSON.
struct Teller<'t> {
    output: &'t mut Output,
    bar: Option<indicatif::ProgressBar>,
    failed: std::io::Result<()>,
}

impl<'t> Teller<'t> {
    fn new(output: &'t mut Output) -> Self {
        let is_shown = !output.is_json() && std::io::stderr().is_terminal();
        let bar = is_shown.then(|| {
            let bar = indicatif::ProgressBar::new(0);
            let look = "{bar:30} {pos}/{len} {elapsed} {msg}";
            if let Ok(style) = indicatif::ProgressStyle::with_template(look) {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(500));
            bar
        });
        Self { output, bar, failed: Ok(()) }
    }

    fn tell(&mut self, event: &Event<'_>) {
        match event {
            Event::Begun { done, total, step, repeat } => {
                if let Some(bar) = &self.bar {
                    bar.set_length(*total as u64);
                    bar.set_position(*done as u64);
                    bar.set_message(format!("{} ({} of {})", step.title, repeat + 1, step.repeats));
                }
            }
            Event::Measured(sample) => self.line(sample, false),
            Event::Kept(sample) => self.line(sample, true),
        }
    }

    fn line(&mut self, sample: &Sample, was_kept: bool) {
        if !self.output.is_json() || self.failed.is_err() {
            return;
        }
        let fields = [
            ("step", json!(sample.step)),
            ("repeat", json!(sample.repeat)),
            ("kept", json!(was_kept)),
            ("bytes", json!(sample.bytes)),
            ("cost", json!(sample.cost)),
        ];
        self.failed = self.output.line("sample", &fields).and_then(|()| self.output.flush());
    }

    fn end(self) -> std::io::Result<()> {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
        self.failed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units() {
        let seconds = |text: &str| parse_time(text).map(|time| time.as_secs());
        assert_eq!(seconds("30s"), Ok(30));
        assert_eq!(seconds("4h"), Ok(14_400));
        assert_eq!(seconds("1h30m"), Ok(5400));
        for wrong in ["", "4", "h", "4d", "0s", "99999999999999999999h", "9999999999999999999h"] {
            assert!(parse_time(wrong).is_err(), "{wrong}");
        }
    }
}
