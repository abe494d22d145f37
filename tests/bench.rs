//! `bench` from outside and through the library: what a report must hold whatever the machine, that nothing is measured twice, that
//! foreign files are left alone. No test looks at how fast anything is.

#![allow(clippy::unwrap_used)] // a test program

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use assert_cmd::Command;
use dialtone::bench::profile::Spread;
use dialtone::bench::state::State;
use dialtone::bench::steps::{COPY, RERUN, steps};
use dialtone::bench::{Profile, Summary, write_report};
use dialtone::io::RealVolume;
use dialtone::recover::{Crew, Stage};
use dialtone::synth::{self, Synth, Twin};
use serde_json::Value as Json;

const MAILBOXES: usize = 5;

struct Place {
    directory: tempfile::TempDir,
}

struct Run {
    code: i32,
    lines: Vec<Json>,
}

impl Run {
    fn samples(&self, kept: bool) -> Vec<(String, u64)> {
        let of = self.lines.iter().filter(|line| line["type"] == "sample" && line["kept"] == kept);
        of.map(|line| (line["step"].as_str().unwrap().into(), line["repeat"].as_u64().unwrap()))
            .collect()
    }

    fn one(&self, kind: &str) -> &Json {
        let told: Vec<_> = self.lines.iter().filter(|line| line["type"] == kind).collect();
        assert_eq!(told.len(), 1, "{kind}: {:?}", self.lines);
        told[0]
    }
}

impl Place {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    fn bench(&self, more: &[&str]) -> Run {
        let mut command = Command::cargo_bin("dialtone").unwrap();
        command.env("XDG_CONFIG_HOME", self.path("config"));
        let out = self.path("out");
        command.args(["bench", "--json", "--out"]).arg(out).args(more);
        let result = command.output().unwrap();
        let text = String::from_utf8(result.stdout).unwrap();
        let lines: Vec<Json> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.first().unwrap()["type"], "hello");
        assert_eq!(lines.last().unwrap()["type"], "exit");
        Run { code: result.status.code().unwrap(), lines }
    }

    fn small(&self, more: &[&str]) -> Run {
        let mailboxes = MAILBOXES.to_string();
        let mut arguments =
            vec!["--size", "3MB", "--mailboxes", &mailboxes, "--repeats", "1", "--workers", "2"];
        arguments.extend(more);
        self.bench(&arguments)
    }

    fn summary(&self) -> Summary {
        serde_json::from_str(&self.text("out/report.json")).unwrap()
    }

    /// All files below, with what is in them.
    fn files(&self, name: &str) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut found = BTreeMap::new();
        let mut open = vec![self.path(name)];
        while let Some(directory) = open.pop() {
            for entry in fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    open.push(path);
                } else {
                    found.insert(path.clone(), fs::read(&path).unwrap());
                }
            }
        }
        found
    }
}

fn rises(values: impl Iterator<Item = f64>) -> bool {
    values.collect::<Vec<_>>().windows(2).all(|pair| pair[0] <= pair[1])
}

fn assert_ordered(spread: &Spread, what: &str) {
    assert!(spread.min <= spread.median && spread.median <= spread.max, "{what}: {spread:?}");
}

/// What holds for the report of any measurement.
fn assert_report(summary: &Summary, mailboxes: usize) {
    assert!(summary.correctness.is_clean(), "{:?}", summary.correctness);
    for stage in &summary.stages {
        assert_ordered(&stage.seconds, &stage.id);
        assert!(stage.seconds.min >= 0.0, "{}", stage.id);
        assert!(stage.repeats as u32 == summary.parameters.repeats || stage.repeats == 1);
    }
    let ids: Vec<&str> = summary.stages.iter().map(|stage| stage.id.as_str()).collect();
    let asked = steps(&summary.parameters);
    assert_eq!(ids, asked.iter().map(|step| step.id.as_str()).collect::<Vec<_>>());
    let service = summary.service.as_ref().unwrap();
    assert_eq!(service.curve.len(), mailboxes);
    assert!(rises(service.curve.iter().map(|point| point.at_seconds)));
    assert!(rises(service.curve.iter().map(|point| point.mailboxes)));
    assert!(rises(service.curve.iter().map(|point| point.bytes)));
    let last = service.curve.last().unwrap();
    assert_eq!((last.mailboxes, last.bytes), (1.0, 1.0));
    assert!(last.at_seconds <= service.timeline.end_seconds);
    assert!(rises(service.mailboxes_seconds.into_iter()));
    assert!(rises(service.bytes_seconds.into_iter()));
    assert!(service.first_seconds <= service.mailboxes_seconds[0]);
    let in_bins: u64 = service.timeline.bins.iter().map(|bin| bin.mailboxes).sum();
    assert_eq!(in_bins, mailboxes as u64);
    let items: u64 = service.timeline.finished.iter().map(|one| one.items).sum();
    assert!(service.timeline.bins.iter().map(|bin| bin.items).sum::<u64>() >= items);
    assert!(
        service.seconds.p50 <= service.seconds.p95 && service.seconds.p95 <= service.seconds.p99
    );
    // A rate that more mailboxes reach is no higher.
    let rate = &service.bytes_per_second;
    assert!(rate.p50 >= rate.p95 && rate.p95 >= rate.p99);
}

/// Nothing in the page is fetched from anywhere, and what is opened is closed.
fn assert_self_contained(html: &str) {
    for outside in
        ["http:", "https:", "src=", "href=", "url(", "@import", "<script", "<link", "<img"]
    {
        assert!(!html.contains(outside), "{outside}");
    }
    for tag in ["svg", "table", "figure", "figcaption", "body", "html", "style", "p", "h2", "text"]
    {
        let opened =
            html.matches(&format!("<{tag}>")).count() + html.matches(&format!("<{tag} ")).count();
        assert_eq!(opened, html.matches(&format!("</{tag}>")).count(), "{tag}");
    }
    assert!(
        html.matches("<svg ").count() >= 9,
        "stages, service, series, inside, workers, sizes, swap"
    );
    for svg in html.split("<svg ").skip(1) {
        let svg = svg.split("</svg>").next().unwrap();
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "a number is none: {svg}");
    }
}

#[test]
fn a_measurement_is_reported_whole_and_not_made_twice() {
    let place = Place::new();
    let first = place.small(&["--sla", "4h"]);
    assert_eq!(first.code, 0, "{:?}", first.lines);
    assert!(first.samples(true).is_empty());
    assert_eq!(first.one("report")["is_correct"], true);
    let summary = place.summary();
    assert_report(&summary, MAILBOXES);
    assert_eq!(first.samples(false).len(), summary.stages.len());
    let workers: Vec<usize> = summary.workers.iter().map(|point| point.workers).collect();
    assert_eq!(workers, [1, 2]);
    let sizes = summary.sizes.as_ref().unwrap();
    assert_eq!(sizes.points.len(), 4);
    let bytes = |at: usize| sizes.points[at].bytes;
    // Files grow in steps: the smallest parts may be of one size.
    assert!(bytes(1) <= bytes(2) && bytes(2) <= bytes(3) && bytes(3) < bytes(0));
    let sla = sizes.sla.unwrap();
    assert!(sla.safe_bytes.unwrap() <= sla.bytes.unwrap());
    assert!(sizes.line.iter().all(|(_, band)| band.low <= band.mid && band.mid <= band.high));
    let (swapped, unswapped) = summary.swap().unwrap();
    assert!(swapped.written.unwrap() < unswapped.written.unwrap());
    assert_eq!(summary.stage(RERUN).unwrap().written, Some(0));
    assert_files(&place, &summary);

    // A second run finds all of it, measures nothing, and says the same.
    let before = place.text("out/work/bench-state.json");
    let again = place.small(&["--sla", "4h"]);
    assert_eq!((again.code, again.samples(false).len()), (0, 0));
    assert_eq!(again.samples(true), first.samples(false));
    assert_eq!(place.text("out/work/bench-state.json"), before);
    assert_eq!(place.summary(), summary);

    assert_older_state_is_read(&place);

    // Other parameters are refused, and change nothing.
    let other = place.small(&["--seed", "7"]);
    assert_eq!(other.code, 12);
    let error = other.one("error");
    assert_eq!(error["code"], "E_BENCH_STATE");
    assert!(error["message"].as_str().unwrap().contains("seed 2003 instead of 7"), "{error}");
    assert_eq!(place.text("out/work/bench-state.json"), before);
}

/// The files beside the report in JSON, and the profile.
fn assert_files(place: &Place, summary: &Summary) {
    assert_self_contained(&place.text("out/report.html"));
    let markdown = place.text("out/report.md");
    for stage in &summary.stages {
        assert!(markdown.contains(&stage.title), "{}", stage.title);
    }
    let lines = |name: &str| place.text(name).lines().count() - 1;
    assert_eq!(lines("out/samples.csv"), summary.stages.len());
    assert_eq!(lines("out/service.csv"), MAILBOXES);
    assert_eq!(lines("out/mailboxes.csv"), MAILBOXES);
    for name in ["samples", "service", "series", "mailboxes", "inside", "queues"] {
        let text = place.text(&format!("out/{name}.csv"));
        let cells: Vec<usize> = text.lines().map(|line| line.split(',').count()).collect();
        assert!(cells.iter().all(|count| *count == cells[0]), "{name}: {cells:?}");
    }
    let profile = Profile::load(&place.path("config/dialtone/profile.json")).unwrap();
    assert_eq!(Some(&profile), summary.profile.as_ref());
    assert_eq!(profile, Profile::load(&place.path("out/profile.json")).unwrap());
    assert_eq!(profile.observations.len(), 11);
    assert!(profile.costs.iter().all(|(_, seconds)| *seconds >= 0.0));
    assert_ordered(&profile.edb_growth, "database");
    assert_inside(summary);
    // The stores themselves are gone.
    assert!(!place.path("out/work/stores").exists());
}

/// What threads were at in a copy, and in a merge with nothing to do.
fn assert_inside(summary: &Summary) {
    let copy = summary.stage(COPY).unwrap();
    let inside = copy.inside.as_ref().unwrap();
    for stage in [Stage::Plan, Stage::Read, Stage::Copy, Stage::Verify, Stage::Link, Stage::Commit]
    {
        assert!(inside.stage(stage).unwrap().seconds > 0.0, "{stage:?}");
    }
    for crew in [Crew::Worker, Crew::Committer] {
        let all = inside.stages.iter().filter(|one| one.crew == crew.word());
        assert!(all.map(|one| inside.share(one)).sum::<f64>() <= 1.0 + 1e-6, "{crew:?}");
        assert!(inside.busy_share(crew) > 0.0);
    }
    assert_eq!(inside.queues.len(), 3);
    assert!(copy.logical_bytes.unwrap() > 0);
    assert!((0.0..1.0).contains(&copy.shared_share.unwrap()));
    let log = copy.log_bytes.unwrap();
    assert!(0.0 < log.min && copy.written_bytes.is_none_or(|written| log.min < written.min));
    let rerun = summary.stage(RERUN).unwrap();
    let inside = rerun.inside.as_ref().unwrap();
    assert!(inside.stage(Stage::Plan).is_some() && inside.stage(Stage::Copy).is_none());
    assert_eq!((rerun.shared_share, rerun.logical_bytes), (None, Some(0)));
    // Nothing but recoveries has an inside.
    assert!(summary.stages.iter().all(|one| one.inside.is_some() == one.written.is_some()));
}

/// Samples that were made before the inside was known are still good.
fn assert_older_state_is_read(place: &Place) {
    let work = place.path("older");
    let mut state: Json = serde_json::from_str(&place.text("out/work/bench-state.json")).unwrap();
    for sample in state["samples"].as_array_mut().unwrap() {
        if let Some(job) = sample["job"].as_object_mut() {
            for new in ["inside", "log_bytes", "placed", "contents_copied"] {
                assert!(job.remove(new).is_some(), "{new}");
            }
        }
    }
    fs::create_dir_all(&work).unwrap();
    fs::write(work.join("bench-state.json"), state.to_string()).unwrap();
    let state = State::load(&work).unwrap().unwrap();
    let summary = Summary::of(&state, None);
    assert!(summary.stages.iter().all(|stage| stage.inside.is_none()));
    write_report(&work, &state, &summary).unwrap();
    assert!(!place.text("older/report.md").contains("Inside a recovery"));
    assert!(place.text("out/report.md").contains("Inside a recovery"));
}

#[test]
fn a_stopped_measurement_goes_on_where_it_stopped() {
    let place = Place::new();
    let first = place.small(&["--no-profile"]);
    assert!(!place.path("config").exists());
    let work = place.path("out/work");
    let whole = State::load(&work).unwrap().unwrap();
    // As if it had been stopped in the middle of the re-run, before anything later: no store is left either.
    let mut stopped = whole.clone();
    let at = stopped.samples.iter().position(|sample| sample.step == RERUN).unwrap();
    stopped.samples.truncate(at);
    stopped.save(&work).unwrap();
    let second = place.small(&["--no-profile"]);
    assert_eq!(second.code, 0, "{:?}", second.lines);
    let all = first.samples(false);
    assert_eq!(second.samples(true), all[..at]);
    assert_eq!(second.samples(false), all[at..]);
    let state = State::load(&work).unwrap().unwrap();
    assert_eq!(state.samples[..at], whole.samples[..at]);
    assert_report(&place.summary(), MAILBOXES);

    // A report says so when the program was wrong, and the command fails.
    let mut wrong = state;
    let rerun = wrong.samples.iter_mut().find(|sample| sample.step == RERUN).unwrap();
    rerun.job.as_mut().unwrap().inserted = 3;
    let summary = Summary::of(&wrong, None);
    assert!(!summary.correctness.is_clean());
    write_report(&place.path("wrong"), &wrong, &summary).unwrap();
    assert!(place.text("wrong/report.md").contains("Not correct"));
    wrong.save(&work).unwrap();
    let run = place.small(&["--no-profile"]);
    assert_eq!((run.code, run.one("report")["is_correct"].as_bool()), (1, Some(false)));
}

#[test]
fn a_restart_throws_away_what_cannot_be_understood() {
    let place = Place::new();
    fs::create_dir_all(place.path("out/work/stores/source")).unwrap();
    fs::write(place.path("out/work/bench-state.json"), "{").unwrap();
    let tiny = ["--size", "1MB", "--mailboxes", "2", "--repeats", "1", "--workers", "1"];
    let run = place.bench(&tiny);
    assert_eq!((run.code, run.one("error")["code"].as_str()), (1, Some("E_CORRUPT")));
    let mut again = tiny.to_vec();
    again.push("--restart");
    let run = place.bench(&again);
    assert_eq!(run.code, 0, "{:?}", run.lines);
    assert_report(&place.summary(), 2);
}

#[test]
fn a_directory_of_somebody_else_is_left_alone() {
    let place = Place::new();
    let (dir, name) = (place.path("theirs"), place.path("theirs").display().to_string());
    fs::create_dir_all(dir.join("stores")).unwrap();
    fs::write(dir.join("stores/thesis.txt"), "years of work").unwrap();
    let run = place.small(&["--dir", &name, "--restart"]);
    assert_eq!((run.code, run.one("error")["code"].as_str()), (12, Some("E_BENCH_STATE")));
    assert_eq!(fs::read_to_string(dir.join("stores/thesis.txt")).unwrap(), "years of work");
}

#[test]
fn a_given_pair_is_measured_and_never_changed() {
    let place = Place::new();
    let make = |name: &str, twin| {
        let path = place.path("given").join(name).join("priv1.edb");
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let profile = synth::Profile::Year2003;
        let synth = Synth { mailboxes: 4, size_bytes: 2_500_000, seed: 5, profile, twin };
        synth::build(Arc::new(RealVolume::pread()), &path, &synth, &mut |_| {}).unwrap();
        path
    };
    let from = make("restored", None);
    let to = make("dialtone", Some(Twin { same: 0.0, moved: 0.0, edited: 0.0, new: 0.2, seed: 1 }));
    let before = place.files("given");
    let name = |path: &Path| path.display().to_string();
    let (from, to) = (name(&from), name(&to));
    let run = place.bench(&[
        "--from",
        &from,
        "--to",
        &to,
        "--repeats",
        "1",
        "--workers",
        "1",
        "--cache",
        "warm",
    ]);
    assert_eq!(run.code, 0, "{:?}", run.lines);
    assert!(place.files("given") == before, "the given pairs are only read");
    let summary = place.summary();
    assert_report(&summary, 4);
    let workers: Vec<usize> = summary.workers.iter().map(|point| point.workers).collect();
    assert_eq!(workers, [1, 2], "at least one and two");
    let (swapped, unswapped) = summary.swap().unwrap();
    assert_eq!((swapped.id.as_str(), unswapped.id.as_str()), ("swap-merge", "copy"));
    assert_self_contained(&place.text("out/report.html"));
}
