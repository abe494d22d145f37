//! The figures of a report, computed from the samples and nothing else.

use serde::{Deserialize, Serialize};

use super::fit::{Band, Fit, Row, fit};
use super::inside::Inside;
use super::machine::Machine;
use super::model::{Load, Observation};
use super::parameters::{Parameters, Subject};
use super::profile::{Profile, Spread, WorkerPoint};
use super::state::{JobFigures, Sample, State};
use super::steps::{
    CHECK, CHECK_QUICK, COPY, CP, DISK, EXCHANGE, MERGE, PART, RERUN, SMALL, SWAP_COPY, SWAP_MERGE,
    Step, WORKERS, Work, steps,
};
use super::timeline::{Served, Timeline, percentile, reached_at};

/// Bytes an hour that was published for ExMerge, the tool of the time. Source: recover-semantics 16, [EXM-BP].
pub const EXMERGE_BYTES_PER_HOUR: f64 = 1e9;

/// A measurement, all repeats.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stage {
    /// Its name in files.
    pub id: String,
    /// For people.
    pub title: String,
    /// How often it was made.
    pub repeats: usize,
    /// Wall time.
    pub seconds: Spread,
    /// Bytes of the files that it went over.
    pub bytes: u64,
    /// Bytes of those a second.
    pub bytes_per_second: Option<Spread>,
    /// Items looked at a second.
    pub items_per_second: Option<Spread>,
    /// Mailboxes an hour.
    pub mailboxes_per_hour: Option<Spread>,
    /// Processor seconds.
    pub cpu_seconds: Spread,
    /// Processor seconds for each 10^9 bytes of those files.
    pub cpu_seconds_per_gb: Option<Spread>,
    /// Share of the processor time of all workers' wall time, in a recovery: 1 when none ever waited.
    pub workers_busy: Option<Spread>,
    /// Share of the wall time in which the committer computed.
    pub committer_busy: Option<Spread>,
    /// Anonymous memory when the clock started, in bytes.
    pub memory_before_bytes: Option<Spread>,
    /// The most anonymous memory, in bytes.
    pub memory_peak_bytes: Option<Spread>,
    /// Bytes handed to the system for each byte of the part of the source that was written.
    pub write_amplification: Option<Spread>,
    /// Bytes fetched from the device for each byte of those files: how cold it was.
    pub device_read_share: Option<Spread>,
    /// What the target's files grew by, in bytes.
    pub growth_bytes: Option<Spread>,
    /// Items written.
    pub written: Option<u64>,
    /// Bytes charged for what a recovery wrote.
    pub logical_bytes: Option<u64>,
    /// Bytes handed to the system.
    pub written_bytes: Option<Spread>,
    /// Bytes fetched from the device.
    pub device_read_bytes: Option<Spread>,
    /// Bytes that a recovery wrote to the journal.
    pub log_bytes: Option<Spread>,
    /// Items that needed no copy of a content, as a share of all that were written.
    pub shared_share: Option<f64>,
    /// What the threads of a recovery were at, in the repeat with the median wall time.
    pub inside: Option<Inside>,
}

/// A figure over mailboxes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct OverMailboxes {
    /// Of all together: sum by sum.
    pub mean: f64,
    /// What half of the mailboxes reached, or did not exceed.
    pub p50: f64,
    /// 95 of 100.
    pub p95: f64,
    /// 99 of 100.
    pub p99: f64,
}

/// The service curve of the copy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Service {
    /// The job over time: that repeat whose wall time was the median.
    pub timeline: Timeline,
    /// Its curve.
    pub curve: Vec<Served>,
    /// When the first mailbox was done, in seconds.
    pub first_seconds: f64,
    /// When 50, 90, 99 and 100 % of the mailboxes were.
    pub mailboxes_seconds: [f64; 4],
    /// When 50, 90, 99 and 100 % of the bytes were.
    pub bytes_seconds: [f64; 4],
    /// Seconds that a mailbox took: not exceeded by so many.
    pub seconds: OverMailboxes,
    /// Bytes a second of a mailbox: reached by so many.
    pub bytes_per_second: OverMailboxes,
    /// Items a second of a mailbox: reached by so many.
    pub items_per_second: OverMailboxes,
    /// Mailboxes an hour at the pace of a mailbox: reached by so many.
    pub mailboxes_per_hour: OverMailboxes,
}

/// The shares of the service curve that are named.
pub const SHARES: [f64; 4] = [0.5, 0.9, 0.99, 1.0];

/// A point of the size sweep.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SizePoint {
    /// Bytes of the source that took part.
    pub bytes: u64,
    /// Seconds.
    pub seconds: f64,
}

/// The size sweep.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SizeSweep {
    /// All repeats of all sizes.
    pub points: Vec<SizePoint>,
    /// Seconds that nothing at all takes.
    pub fixed_seconds: f64,
    /// Seconds for each byte.
    pub seconds_per_byte: f64,
    /// Relative spread around the line.
    pub spread: f64,
    /// The line with its band, from the smallest to past the largest size.
    pub line: Vec<(f64, Band)>,
    /// The agreed time, when one was named.
    pub sla: Option<Sla>,
}

/// The largest store that can be recovered within an agreed time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Sla {
    /// The time in seconds.
    pub seconds: f64,
    /// Bytes by the line; `None` when not even an empty store can be.
    pub bytes: Option<f64>,
    /// Bytes by the upper end of the band: what one may promise.
    pub safe_bytes: Option<f64>,
}

/// What must be so, whatever the speed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Correctness {
    /// Items that the merge with nothing to do inserted, in all repeats.
    pub rerun_inserted: u64,
    /// And replaced.
    pub rerun_replaced: u64,
    /// Errors that the check of the recovered store found.
    pub check_errors: u64,
    /// Mailboxes that failed in any recovery.
    pub mailboxes_failed: u64,
    /// Items that were lost in any recovery.
    pub items_lost: u64,
    /// Recoveries whose counters did not come out.
    pub sums_wrong: u64,
    /// Recoveries that were looked at.
    pub recoveries: u64,
    /// Whether there was a re-run and a check at all.
    pub is_complete: bool,
}

impl Correctness {
    /// Whether all is as it must be.
    pub fn is_clean(&self) -> bool {
        let Self { rerun_inserted, rerun_replaced, check_errors, mailboxes_failed, .. } = *self;
        let wrong = rerun_inserted + rerun_replaced + check_errors + mailboxes_failed;
        self.is_complete && wrong + self.items_lost + self.sums_wrong == 0
    }
}

/// Everything that a report says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// The machine, the program, the day.
    pub machine: Machine,
    /// What was measured.
    pub parameters: Parameters,
    /// Bytes of the source's files.
    pub source_bytes: u64,
    /// What the disk writes, bytes a second, synced.
    pub disk_bytes_per_second: Option<Spread>,
    /// Every measurement.
    pub stages: Vec<Stage>,
    /// The copy over time.
    pub service: Option<Service>,
    /// The worker sweep.
    pub workers: Vec<WorkerPoint>,
    /// The size sweep.
    pub sizes: Option<SizeSweep>,
    /// Items of the recovered store that share a content with another, as a share of all.
    pub shared_share: Option<f64>,
    /// What must be so.
    pub correctness: Correctness,
    /// The record for predictions; none when too little was measured.
    pub profile: Option<Profile>,
}

impl Summary {
    /// The figures of what has been measured; `sla_seconds` is the time that was agreed on.
    pub fn of(state: &State, sla_seconds: Option<f64>) -> Self {
        let steps = steps(&state.parameters);
        let source_bytes = state.of(COPY).next().map_or(0, |sample| sample.bytes);
        let disk = |sample: &Sample| sample.bytes as f64 / sample.cost.wall_seconds;
        let workers = worker_points(state);
        Self {
            machine: state.machine.clone(),
            parameters: state.parameters.clone(),
            source_bytes,
            disk_bytes_per_second: Spread::of(state.of(DISK).map(disk)),
            stages: steps.iter().filter_map(|step| stage(state, step)).collect(),
            service: service(state),
            sizes: size_sweep(state, sla_seconds),
            shared_share: shared_share(state),
            correctness: correctness(state),
            profile: profile(state, &workers),
            workers,
        }
    }

    /// The stage of that name.
    pub fn stage(&self, id: &str) -> Option<&Stage> {
        self.stages.iter().find(|stage| stage.id == id)
    }

    /// How many times as long as another stage one took, by their medians.
    pub fn ratio(&self, of: &str, to: &str) -> Option<f64> {
        Some(self.stage(of)?.seconds.median / self.stage(to)?.seconds.median)
    }

    /// The stages of a swap and of its opposite.
    pub fn swap(&self) -> Option<(&Stage, &Stage)> {
        let unswapped = match self.parameters.subject {
            Subject::Made { .. } => SWAP_COPY,
            Subject::Given { .. } => COPY,
        };
        Some((self.stage(SWAP_MERGE)?, self.stage(unswapped)?))
    }
}

fn stage(state: &State, step: &Step) -> Option<Stage> {
    let samples: Vec<&Sample> = state.of(&step.id).collect();
    let spread = |of: &dyn Fn(&Sample) -> Option<f64>| {
        Spread::of(samples.iter().filter_map(|sample| of(sample)))
    };
    let seconds = |sample: &Sample| sample.cost.wall_seconds.max(1e-9);
    let bytes = samples.first()?.bytes;
    let per_byte = |value: f64| (bytes > 0).then(|| value / bytes as f64);
    let workers = match step.work {
        Work::Recover(recovery) => recovery.workers,
        _ => state.parameters.workers,
    };
    Some(Stage {
        id: step.id.clone(),
        title: step.title.clone(),
        repeats: samples.len(),
        seconds: spread(&|sample| Some(sample.cost.wall_seconds))?,
        bytes,
        bytes_per_second: spread(&|sample| (bytes > 0).then(|| bytes as f64 / seconds(sample))),
        items_per_second: spread(&|sample| {
            Some(sample.job.as_ref()?.looked as f64 / seconds(sample))
        }),
        mailboxes_per_hour: spread(&|sample| {
            Some(sample.job.as_ref()?.mailboxes as f64 * 3600.0 / seconds(sample))
        }),
        cpu_seconds: spread(&|sample| Some(sample.cost.cpu_seconds))?,
        cpu_seconds_per_gb: spread(&|sample| per_byte(sample.cost.cpu_seconds * 1e9)),
        workers_busy: spread(&|sample| {
            sample.job.as_ref()?;
            let others = sample.cost.cpu_seconds - sample.cost.caller_cpu_seconds;
            Some(others / (seconds(sample) * workers as f64))
        }),
        committer_busy: spread(&|sample| {
            sample.job.as_ref()?;
            Some(sample.cost.caller_cpu_seconds / seconds(sample))
        }),
        memory_before_bytes: spread(&|sample| Some(sample.cost.memory_before_bytes? as f64)),
        memory_peak_bytes: spread(&|sample| Some(sample.cost.memory_peak_bytes? as f64)),
        write_amplification: spread(&write_amplification),
        device_read_share: spread(&|sample| per_byte(sample.cost.device_read_bytes? as f64)),
        growth_bytes: spread(&|sample| Some(sample.job.as_ref()?.growth.total() as f64)),
        written: samples.first()?.job.as_ref().map(JobFigures::written),
        logical_bytes: samples.first()?.job.as_ref().map(|job| job.charged_bytes),
        written_bytes: spread(&|sample| Some(sample.cost.written_bytes? as f64)),
        device_read_bytes: spread(&|sample| Some(sample.cost.device_read_bytes? as f64)),
        log_bytes: spread(&|sample| Some(sample.job.as_ref()?.log_bytes as f64)),
        shared_share: samples.first()?.job.as_ref().and_then(shared_in),
        inside: middle(samples.iter().copied())
            .and_then(|sample| sample.job.as_ref()?.inside.clone()),
    })
}

/// Items of a recovery that needed no copy, as a share of all that it wrote.
fn shared_in(job: &JobFigures) -> Option<f64> {
    let shared = job.placed.saturating_sub(job.contents_copied);
    (job.placed > 0).then(|| shared as f64 / job.placed as f64)
}

/// Bytes written for each byte of that part of the source which was to be written.
fn write_amplification(sample: &Sample) -> Option<f64> {
    let part = sample.bytes as f64 * charged_share(sample)?;
    (part > 0.0).then_some(sample.cost.written_bytes? as f64 / part)
}

/// The share of the charged bytes that took part and were written.
fn charged_share(sample: &Sample) -> Option<f64> {
    let job = sample.job.as_ref()?;
    (job.source_charged_bytes > 0)
        .then(|| (job.charged_bytes as f64 / job.source_charged_bytes as f64).min(1.0))
}

/// The sample whose wall time is the median, or the upper one of two.
fn middle<'s>(samples: impl Iterator<Item = &'s Sample>) -> Option<&'s Sample> {
    let mut samples: Vec<&Sample> = samples.collect();
    samples.sort_by(|a, b| a.cost.wall_seconds.total_cmp(&b.cost.wall_seconds));
    samples.get(samples.len() / 2).copied()
}

fn service(state: &State) -> Option<Service> {
    let timeline = middle(state.of(COPY))?.job.as_ref()?.timeline.clone()?;
    let curve = timeline.curve();
    let at = |of: fn(&Served) -> f64| {
        SHARES.map(|share| reached_at(&curve, share, of).unwrap_or(timeline.end_seconds))
    };
    let finished = &timeline.finished;
    let end = timeline.end_seconds.max(1e-9);
    let (items, bytes) =
        finished.iter().fold((0, 0), |(items, bytes), one| (items + one.items, bytes + one.bytes));
    let count = finished.len() as f64;
    let seconds: Vec<f64> = finished.iter().map(|one| one.seconds.max(1e-9)).collect();
    // A rate that 95 of 100 mailboxes reach is the one that 5 of 100 do not.
    let rates = |mean: f64, amount: &dyn Fn(usize) -> f64| {
        let rates: Vec<f64> =
            seconds.iter().enumerate().map(|(at, seconds)| amount(at) / seconds).collect();
        let reached = |by: f64| percentile(&rates, 100.0 - by);
        Some(OverMailboxes { mean, p50: reached(50.0)?, p95: reached(95.0)?, p99: reached(99.0)? })
    };
    let of = |at: usize, value: fn(&super::timeline::Finished) -> u64| {
        finished.get(at).map_or(0.0, |one| value(one) as f64)
    };
    Some(Service {
        first_seconds: finished.first()?.at_seconds,
        mailboxes_seconds: at(|point| point.mailboxes),
        bytes_seconds: at(|point| point.bytes),
        seconds: OverMailboxes {
            mean: seconds.iter().sum::<f64>() / count,
            p50: percentile(&seconds, 50.0)?,
            p95: percentile(&seconds, 95.0)?,
            p99: percentile(&seconds, 99.0)?,
        },
        bytes_per_second: rates(bytes as f64 / end, &|at| of(at, |one| one.bytes))?,
        items_per_second: rates(items as f64 / end, &|at| of(at, |one| one.items))?,
        mailboxes_per_hour: rates(count * 3600.0 / end, &|_| 3600.0)?,
        curve,
        timeline,
    })
}

fn worker_points(state: &State) -> Vec<WorkerPoint> {
    let seconds = |id: &str| Spread::of(state.of(id).map(|sample| sample.cost.wall_seconds));
    let all = steps(&state.parameters);
    let sweep = all.iter().filter(|step| step.id == COPY || step.id.starts_with(WORKERS));
    let point = |step: &Step| match step.work {
        Work::Recover(recovery) => {
            Some(WorkerPoint { workers: recovery.workers, seconds: seconds(&step.id)? })
        }
        _ => None,
    };
    let mut points: Vec<WorkerPoint> = sweep.filter_map(point).collect();
    points.sort_by_key(|point| point.workers);
    points
}

fn size_sweep(state: &State, sla_seconds: Option<f64>) -> Option<SizeSweep> {
    let is_of_sweep = |sample: &&Sample| sample.step == COPY || sample.step.starts_with(PART);
    let point =
        |sample: &Sample| SizePoint { bytes: sample.bytes, seconds: sample.cost.wall_seconds };
    let points: Vec<SizePoint> = state.samples.iter().filter(is_of_sweep).map(point).collect();
    let row = |point: &SizePoint| Row { x: vec![1.0, point.bytes as f64], y: point.seconds };
    let fit = fit(&points.iter().map(row).collect::<Vec<_>>())?;
    let largest = points.iter().map(|point| point.bytes).max()? as f64;
    let at = |step: u32| largest * 1.25 * f64::from(step) / 40.0;
    let line = (0..=40).map(|step| (at(step), fit.predict(&[1.0, at(step)]))).collect();
    let sla = sla_seconds.map(|seconds| Sla {
        seconds,
        bytes: largest_within(&fit, seconds, |band| band.mid),
        safe_bytes: largest_within(&fit, seconds, |band| band.high),
    });
    let [fixed_seconds, seconds_per_byte] = fit.coefficients.as_slice().try_into().ok()?;
    Some(SizeSweep { points, fixed_seconds, seconds_per_byte, spread: fit.spread, line, sla })
}

/// The most bytes that an end of the band allows within so many seconds, by halving.
fn largest_within(fit: &Fit, seconds: f64, end: fn(Band) -> f64) -> Option<f64> {
    let fits = |bytes: f64| end(fit.predict(&[1.0, bytes])) <= seconds;
    if !fits(0.0) {
        return None;
    }
    /// More than any disk.
    const MOST: f64 = 1e18;
    let (mut low, mut high) = (0.0, MOST);
    for _ in 0..200 {
        let middle = (low + high) / 2.0;
        if fits(middle) { low = middle } else { high = middle }
    }
    Some(low)
}

fn shared_share(state: &State) -> Option<f64> {
    let check = state.of(CHECK).find_map(|sample| sample.check)?;
    (check.items > 0).then(|| 1.0 - check.contents as f64 / check.items as f64)
}

fn correctness(state: &State) -> Correctness {
    let mut found = Correctness::default();
    for job in state.samples.iter().filter_map(|sample| sample.job.as_ref()) {
        found.recoveries += 1;
        found.mailboxes_failed += job.failed;
        found.items_lost += job.bad;
        found.sums_wrong += u64::from(!job.adds_up);
    }
    for job in state.of(RERUN).filter_map(|sample| sample.job.as_ref()) {
        found.rerun_inserted += job.inserted;
        found.rerun_replaced += job.replaced;
    }
    let checks = state.of(CHECK).chain(state.of(CHECK_QUICK));
    found.check_errors = checks.filter_map(|sample| sample.check).map(|check| check.errors).sum();
    found.is_complete = state.of(RERUN).next().is_some() && state.of(CHECK).next().is_some();
    found
}

fn profile(state: &State, workers: &[WorkerPoint]) -> Option<Profile> {
    let copy = middle(state.of(COPY))?;
    let all = steps(&state.parameters);
    // Only what was measured with the same workers can be compared.
    let is_alike = |step: &&Step| match step.work {
        Work::Recover(recovery) => recovery.workers == state.parameters.workers,
        work => work == Work::Rerun,
    };
    let alike: Vec<&Sample> =
        all.iter().filter(is_alike).filter_map(|step| middle(state.of(&step.id))).collect();
    let observations: Vec<Observation> =
        alike.iter().filter_map(|sample| observation(state, sample)).collect();
    let model = super::model::Model::of(&observations)?;
    let grows = [COPY, SMALL, SWAP_COPY, MERGE];
    let growing = alike.iter().filter(|sample| grows.contains(&&*sample.step));
    // Files grow in steps: a merge that writes little shows the steps, not the growth.
    let growing: Vec<_> =
        growing.filter(|sample| charged_share(sample).is_some_and(|share| share > 0.5)).collect();
    let growth = |of: fn(&super::files::PairBytes) -> u64| {
        Spread::of(growing.iter().filter_map(|sample| {
            let base = of(&sample.source) as f64 * charged_share(sample)?;
            (base > 0.0).then_some(of(&sample.job.as_ref()?.growth) as f64 / base)
        }))
    };
    let total = copy.source.total() as f64;
    Some(Profile {
        v: Profile::VERSION,
        machine: state.machine.clone(),
        cache: state.parameters.cache.word().to_owned(),
        workers: state.parameters.workers,
        memory_bytes: state.parameters.memory_bytes,
        source_bytes: copy.bytes,
        edb_share: copy.source.edb as f64 / total,
        charged_share: copy.job.as_ref()?.source_charged_bytes as f64 / total,
        observations,
        edb_growth: growth(|pair| pair.edb)?,
        stm_growth: growth(|pair| pair.stm).unwrap_or_default(),
        worker_points: workers.to_vec(),
        costs: model.costs().map(|(name, seconds)| (name.to_owned(), seconds)).collect(),
    })
}

fn observation(state: &State, sample: &Sample) -> Option<Observation> {
    let job = sample.job.as_ref()?;
    let load = Load {
        mailboxes: job.mailboxes as f64,
        looked: job.looked as f64,
        written: job.written() as f64,
        bytes: job.charged_bytes as f64,
    };
    let seconds = Spread::of(state.of(&sample.step).map(|sample| sample.cost.wall_seconds))?.median;
    Some(Observation { name: sample.step.clone(), load, seconds })
}

/// The names of the reference lines, and of what is no part of a recovery's stages.
pub const REFERENCES: [&str; 3] = [super::steps::READ, CP, EXCHANGE];
