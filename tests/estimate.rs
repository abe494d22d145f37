//! Predictions: what comes out of a profile with known costs, that two stores and a dry run give the same answer, and that nothing is
//! predicted where nothing was measured.

#![allow(clippy::unwrap_used)] // a test program

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use assert_cmd::Command;
use dialtone::bench::Profile;
use dialtone::bench::machine::Machine;
use dialtone::bench::model::{Load, Observation};
use dialtone::bench::profile::Spread;
use dialtone::io::RealVolume;
use dialtone::synth::{self, Synth, Twin};
use serde_json::Value as Json;

const GB: f64 = 1e9;

/// Seconds by known costs.
fn seconds(load: &Load) -> f64 {
    0.5 + 0.02 * load.mailboxes + 3e-6 * load.looked + 5e-5 * load.written + 6e-9 * load.bytes
}

/// A machine that costs exactly that, a little more or less in turn when it is `noisy`.
fn profile(noise: f64) -> Profile {
    let load = |mailboxes, looked, written, bytes| Load { mailboxes, looked, written, bytes };
    let loads = [
        load(200.0, 40_000.0, 40_000.0, 0.8 * GB),
        load(100.0, 20_000.0, 20_000.0, 0.4 * GB),
        load(50.0, 10_000.0, 10_000.0, 0.2 * GB),
        load(200.0, 40_000.0, 0.0, 0.0),
        load(200.0, 40_000.0, 2_000.0, 0.05 * GB),
        load(200.0, 60_000.0, 60_000.0, 0.2 * GB),
        load(20.0, 90_000.0, 9_000.0, 0.3 * GB),
        load(400.0, 5_000.0, 5_000.0, 0.1 * GB),
    ];
    let signs = [1.0, -1.0].into_iter().cycle();
    let observe = |(load, sign): (Load, f64)| Observation {
        name: "known".into(),
        load,
        seconds: seconds(&load) * (1.0 + sign * noise),
    };
    let spread = |min, median, max| Spread { min, median, max };
    Profile {
        v: Profile::VERSION,
        machine: Machine::here(Path::new(".")),
        cache: "cold".into(),
        workers: 2,
        memory_bytes: 512 << 20,
        source_bytes: 1_000_000_000,
        edb_share: 0.7,
        charged_share: 0.8,
        observations: loads.into_iter().zip(signs).map(observe).collect(),
        edb_growth: spread(0.9, 1.0, 1.1),
        stm_growth: spread(0.95, 1.0, 1.0),
        worker_points: Vec::new(),
        costs: Vec::new(),
    }
}

struct Place {
    directory: tempfile::TempDir,
}

struct Run {
    code: i32,
    lines: Vec<Json>,
}

impl Run {
    fn of(&self, kind: &str) -> Vec<&Json> {
        self.lines.iter().filter(|line| line["type"] == kind).collect()
    }

    fn mode(&self, mode: &str) -> &Json {
        self.of("estimate").into_iter().find(|line| line["mode"] == mode).unwrap()
    }
}

impl Place {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    fn with(profile: &Profile) -> Self {
        let place = Self::new();
        profile.save(&place.path("config/dialtone/profile.json")).unwrap();
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn run(&self, arguments: &[&str]) -> Run {
        let mut command = Command::cargo_bin("dialtone").unwrap();
        command.env("XDG_CONFIG_HOME", self.path("config")).current_dir(self.directory.path());
        let result = command.args(arguments).arg("--json").output().unwrap();
        let text = String::from_utf8(result.stdout).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        Run { code: result.status.code().unwrap(), lines }
    }

    /// A source and a twin that has most of it.
    fn make_stores(&self) {
        let twin = Twin { same: 0.7, moved: 0.0, edited: 0.1, new: 0.1, seed: 1 };
        for (name, twin) in [("src.edb", None), ("dst.edb", Some(twin))] {
            let profile = synth::Profile::Year2003;
            let synth = Synth { mailboxes: 3, size_bytes: 2_000_000, seed: 9, profile, twin };
            let volume = Arc::new(RealVolume::pread());
            synth::build(volume, &self.path(name), &synth, &mut |_| {}).unwrap();
        }
    }
}

fn band(line: &Json, name: &str) -> (f64, f64, f64) {
    let value = |end: &str| line[name][end].as_f64().unwrap();
    (value("low"), value("mid"), value("high"))
}

const SIZES: [&str; 7] =
    ["estimate", "--source-size", "40GB", "--items", "1500000", "--mailboxes", "5000"];

#[test]
fn known_costs_give_the_known_time_and_growth() {
    let place = Place::with(&profile(0.0));
    let mut arguments = SIZES.to_vec();
    arguments.extend(["--present", "75", "--target-size", "10GB"]);
    let run = place.run(&arguments);
    assert_eq!(run.code, 0, "{:?}", run.lines);
    for (mode, absent) in [("copy", 1.0), ("merge", 0.25)] {
        let line = run.mode(mode);
        let load = Load {
            mailboxes: 5000.0,
            looked: 1.5e6,
            written: 1.5e6 * absent,
            bytes: 40.0 * GB * 0.8 * absent,
        };
        let (low, mid, high) = band(line, "seconds");
        assert!((mid / seconds(&load) - 1.0).abs() < 1e-6, "{mode}: {mid}");
        assert!(low <= mid && mid <= high && high - low < mid * 1e-3);
        let (low, mid, high) = band(line, "edb_growth_bytes");
        let moved = 40.0 * GB * 0.7 * absent;
        assert!((mid / moved - 1.0).abs() < 1e-6, "{mode}: {mid}");
        assert!((low / moved - 0.9).abs() < 1e-6 && (high / moved - 1.1).abs() < 1e-6);
        let (_, stm, _) = band(line, "stm_growth_bytes");
        assert!((stm / (40.0 * GB * 0.3 * absent) - 1.0).abs() < 1e-6, "{mode}: {stm}");
        let after = line["target_bytes_after"].as_f64().unwrap();
        assert!((after - 10.0 * GB - mid - stm).abs() < 1.0);
        let assumed = line["assumed"].as_array().unwrap();
        let says = |words: &str| assumed.iter().any(|text| text.as_str().unwrap().contains(words));
        assert!(says("in the measured store") && says("cache cold"), "{assumed:?}");
    }
    let far = run.mode("copy")["assumed"].to_string();
    assert!(far.contains("40 times the largest measured store"), "{far}");
}

#[test]
fn noise_in_the_profile_widens_the_band() {
    let wide = |noise: f64| {
        let run = Place::with(&profile(noise)).run(&SIZES);
        let (low, mid, high) = band(run.mode("copy"), "seconds");
        assert!(0.0 <= low && low <= mid && mid <= high);
        (high - low) / mid
    };
    assert!(wide(0.05) > 0.02);
    assert!(wide(0.2) > wide(0.05));
}

#[test]
fn two_stores_and_a_dry_run_give_the_same_answer() {
    let place = Place::with(&profile(0.02));
    place.make_stores();
    let answer = place.run(&["estimate", "--from", "src.edb", "--to", "dst.edb"]);
    assert_eq!(answer.code, 0, "{:?}", answer.lines);
    for mode in ["merge", "copy"] {
        let plan = place.run(&[
            "recover",
            "--from",
            "src.edb",
            "--to",
            "dst.edb",
            "--mode",
            mode,
            "--dry-run",
        ]);
        let (line, predicted) = (answer.mode(mode), plan.of("estimate")[0]);
        for field in ["items_looked", "items_written", "write_bytes", "seconds", "edb_growth_bytes"]
        {
            assert_eq!(line[field], predicted[field], "{mode}: {field}");
        }
        let counters = &plan.of("report")[0]["counters"];
        let count = |name: &str| counters[name].as_f64().unwrap();
        assert_eq!(line["items_looked"].as_f64().unwrap(), count("scanned"));
        assert!(line["items_written"].as_f64().unwrap() >= count("inserted") + count("replaced"));
        assert!(count("inserted") > 0.0 && count("unchanged") + count("replaced") > 0.0);
    }
    // Without a target all of it is written.
    let whole = place.run(&["estimate", "--from", "src.edb"]);
    let line = whole.mode("merge");
    assert_eq!(line["items_looked"], line["items_written"]);
    assert!(band(line, "seconds").1 >= band(answer.mode("merge"), "seconds").1);
}

#[test]
fn without_a_profile_nothing_is_predicted() {
    let place = Place::new();
    let run = place.run(&SIZES);
    assert_eq!(run.code, 10);
    let error = run.of("error")[0];
    assert_eq!(error["code"], "E_NO_PROFILE");
    assert!(error["message"].as_str().unwrap().contains("dialtone bench"));
    assert!(run.of("estimate").is_empty());
    place.make_stores();
    let dry = ["recover", "--from", "src.edb", "--to", "dst.edb", "--mode", "merge", "--dry-run"];
    let plan = place.run(&dry);
    assert_eq!(plan.code, 0, "{:?}", plan.lines);
    assert!(plan.of("estimate").is_empty() && plan.of("report").len() == 1);
}

#[test]
fn a_profile_that_cannot_be_used_is_told() {
    let few = Profile { observations: profile(0.0).observations[..1].to_vec(), ..profile(0.0) };
    let run = Place::with(&few).run(&SIZES);
    assert_eq!((run.code, run.of("error")[0]["code"].as_str()), (1, Some("E_NO_ANSWER")));
    let place = Place::with(&profile(0.0));
    fs::write(place.path("config/dialtone/profile.json"), "{\"v\": 1}").unwrap();
    let run = place.run(&SIZES);
    assert_eq!((run.code, run.of("error")[0]["code"].as_str()), (1, Some("E_CORRUPT")));
    let newer = Profile { v: 99, ..profile(0.0) };
    let run = Place::with(&newer).run(&SIZES);
    assert_eq!((run.code, run.of("error")[0]["code"].as_str()), (1, Some("E_CORRUPT")));
}
