//! Making the measurements, one after the other, each of them on disk before the next one begins.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::{BenchError, BenchResult, at};
use super::files::{copy_pair, drop_cached, noise, pair_bytes, read_pair, write_all};
use super::inside::Inside;
use super::machine::{Machine, now};
use super::meter::measure;
use super::parameters::{Cache, Parameters, Subject};
use super::state::{CheckFigures, JobFigures, Sample, State, state_path};
use super::steps::{COPY, Recovery, Step, StoreKind, Work, steps};
use super::stores::Stores;
use super::timeline::Recorder;
use crate::ese::check::{check, check_quick};
use crate::ese::error::EseResult;
use crate::io::Volume;
use crate::recover::{JobReport, Mode, Options, RunOptions, recover};
use crate::stm::stm_path;
use crate::store::check::check_store;
use crate::store::{Mailbox, Store};

/// Bytes that are written to learn how fast the disk is, at most.
const DISK_BYTES: u64 = 256 << 20;

/// What a run tells while it goes on.
#[derive(Debug)]
pub enum Event<'e> {
    /// A sample is about to be made.
    Begun {
        /// Samples made before it.
        done: usize,
        /// All samples.
        total: usize,
        /// Which step.
        step: &'e Step,
        /// The how-manieth time, from 0 on.
        repeat: u32,
    },
    /// It was made.
    Measured(&'e Sample),
    /// It had been made before.
    Kept(&'e Sample),
}

/// Measures whatever has not been measured yet, and answers all samples. With `is_fresh`, what has been is thrown away first.
///
/// # Errors
/// [`BenchError::OtherParameters`] when the directory holds samples of another measurement, [`BenchError::Foreign`] when it holds
/// something else; [`BenchError::Space`]; whatever a step fails with. What was measured by then is kept.
pub fn run(
    volume: &Arc<dyn Volume>,
    dir: &Path,
    parameters: &Parameters,
    is_fresh: bool,
    tell: &mut dyn FnMut(&Event<'_>),
) -> BenchResult<State> {
    let mut state = open(dir, parameters, is_fresh)?;
    let stores = Stores::new(volume, dir, parameters);
    if is_fresh {
        stores.discard_all()?;
    }
    let steps = steps(parameters);
    let todo: Vec<(&Step, u32)> =
        steps.iter().flat_map(|step| (0..step.repeats).map(move |repeat| (step, repeat))).collect();
    if todo.iter().any(|(step, repeat)| !state.has(&step.id, *repeat)) {
        require_space(&**volume, dir, parameters)?;
    }
    state.save(dir)?;
    let bench = Bench { volume, stores, parameters, dir };
    let total = todo.len();
    for (done, (step, repeat)) in todo.into_iter().enumerate() {
        if let Some(sample) = state.of(&step.id).find(|sample| sample.repeat == repeat) {
            tell(&Event::Kept(sample));
            continue;
        }
        tell(&Event::Begun { done, total, step, repeat });
        let sample = bench.sample(step, repeat)?;
        tell(&Event::Measured(&sample));
        state.samples.push(sample);
        state.save(dir)?;
    }
    Ok(state)
}

/// Throws away the stores of a directory; its samples stay.
///
/// # Errors
/// [`BenchError::Io`].
pub fn tidy_up(volume: &Arc<dyn Volume>, dir: &Path, parameters: &Parameters) -> BenchResult<()> {
    Stores::new(volume, dir, parameters).discard_all()
}

fn open(dir: &Path, parameters: &Parameters, is_fresh: bool) -> BenchResult<State> {
    fs::create_dir_all(dir).map_err(at(dir, "create"))?;
    let machine = Machine::here(dir);
    let is_ours = state_path(dir).exists();
    if !is_ours && !is_empty(dir)? {
        return Err(BenchError::Foreign(dir.into()));
    }
    let fresh = State::new(parameters.clone(), machine.clone());
    // What is thrown away need not be understood.
    let before = if is_fresh { None } else { State::load(dir)? };
    let Some(before) = before else { return Ok(fresh) };
    let mut differences = parameters.differences(&before.parameters);
    let Machine { cpu, cores, disk, commit, .. } = &before.machine;
    if (cpu, *cores, disk, commit) != (&machine.cpu, machine.cores, &machine.disk, &machine.commit)
    {
        differences.push("another machine, disk or build of the program".to_owned());
    }
    if differences.is_empty() {
        return Ok(before);
    }
    Err(BenchError::OtherParameters { path: dir.into(), differences: differences.join(", ") })
}

/// Whether a directory has nothing in it, but perhaps the draft of a first state.
fn is_empty(dir: &Path) -> BenchResult<bool> {
    let entries = fs::read_dir(dir).map_err(at(dir, "open"))?;
    let is_draft = |entry: fs::DirEntry| {
        Path::new(&entry.file_name()).extension().is_some_and(|end| end == "part")
    };
    Ok(entries.flatten().all(is_draft))
}

/// The source, its twin, a target, what the first copy made, the small ones, and the parts.
fn require_space(volume: &dyn Volume, dir: &Path, parameters: &Parameters) -> BenchResult<()> {
    let need_bytes = match &parameters.subject {
        Subject::Made { size_bytes, .. } => size_bytes.saturating_mul(7),
        Subject::Given { from, to } => {
            let to = to.as_ref().map_or(0, |to| to.bytes.total());
            from.bytes.total().saturating_add(to).saturating_mul(5)
        }
    };
    match volume.free_bytes(dir)? {
        Some(free_bytes) if free_bytes < need_bytes => {
            Err(BenchError::Space { path: dir.into(), need_bytes, free_bytes })
        }
        _ => Ok(()),
    }
}

struct Bench<'b> {
    volume: &'b Arc<dyn Volume>,
    stores: Stores<'b>,
    parameters: &'b Parameters,
    dir: &'b Path,
}

impl Bench<'_> {
    fn sample(&self, step: &Step, repeat: u32) -> BenchResult<Sample> {
        let mut sample = match step.work {
            Work::Disk => self.disk()?,
            Work::Make(kind) => self.make(kind)?,
            Work::Read => self.plain(|path| read_pair(path).map(drop))?,
            Work::Copy => {
                let to = self.stores.scratch("cp")?;
                let sample = self.plain(|path| copy_pair(path, &to))?;
                self.stores.discard(&to)?;
                sample
            }
            Work::Recover(recovery) => self.recovery(&recovery, step.id == COPY)?,
            Work::Rerun => self.rerun()?,
            Work::CheckQuick => self.checked(true)?,
            Work::Check => self.checked(false)?,
            Work::Exchange => self.exchange()?,
        };
        sample.step.clone_from(&step.id);
        sample.repeat = repeat;
        Ok(sample)
    }

    /// A store that is there, made if need be, and first what it is made from.
    fn store(&self, kind: StoreKind) -> BenchResult<PathBuf> {
        if !self.stores.has(kind) {
            self.require_origin(kind)?;
            match kind {
                StoreKind::Recovered => drop(self.recovery(&self.whole_copy(), false)?),
                StoreKind::Part(one_in) => self.make_part(kind, StoreKind::Source, one_in)?,
                StoreKind::TargetPart(one_in) => {
                    self.make_part(kind, self.merge_target(), one_in)?
                }
                _ => self.stores.make(kind)?,
            }
        }
        Ok(self.stores.path(kind))
    }

    fn require_origin(&self, kind: StoreKind) -> BenchResult<()> {
        let origin = match kind {
            StoreKind::Empty | StoreKind::Part(_) => StoreKind::Source,
            StoreKind::SmallEmpty => StoreKind::Small,
            StoreKind::PartEmpty(one_in) => StoreKind::Part(one_in),
            StoreKind::TargetPart(_) => self.merge_target(),
            _ => return Ok(()),
        };
        self.store(origin).map(drop)
    }

    /// What the source is merged into.
    fn merge_target(&self) -> StoreKind {
        match self.parameters.subject {
            Subject::Made { .. } => StoreKind::Twin,
            Subject::Given { .. } => StoreKind::DialTone,
        }
    }

    /// Makes a smaller store out of another one: some mailboxes are copied into a store that has none. Copying those mailboxes out of the
    /// large store would not do: a cold file is read ahead, much of it for nothing. Mailboxes are chosen by the sizes that they have in the source.
    fn make_part(&self, kind: StoreKind, of: StoreKind, one_in: usize) -> BenchResult<()> {
        let of = self.store(of)?;
        let mailboxes =
            Store::open(&**self.volume, &self.store(StoreKind::Source)?)?.view().mailboxes()?;
        let there = Store::open(&**self.volume, &of)?.view().mailboxes()?;
        let is_there = |guid| there.iter().any(|mailbox| mailbox.profile.guid == guid);
        let chosen = one_in_of(&mailboxes, one_in).into_iter().map(|mailbox| mailbox.profile.guid);
        let mut options = Options::new(Mode::CopyOverlay, now().0);
        options.mailboxes.only =
            chosen.filter(|guid| is_there(*guid)).map(|guid| guid.to_string()).collect();
        options.mailboxes.create_missing = true;
        let path = self.stores.bare()?;
        let run = RunOptions::new(*uuid::Uuid::new_v4().as_bytes());
        recover(self.volume, &of, &path, &options, &run, &mut |_| {})?;
        self.stores.adopt(&path, kind)
    }

    fn make(&self, kind: StoreKind) -> BenchResult<Sample> {
        self.require_origin(kind)?;
        let (result, cost) = measure(|| self.stores.make(kind));
        result?;
        let bytes = pair_bytes(&self.stores.path(kind))?;
        Ok(Sample { cost, bytes: bytes.total(), ..empty_sample() })
    }

    fn disk(&self) -> BenchResult<Sample> {
        let bytes = pair_bytes(&self.store(StoreKind::Source)?)?.total().min(DISK_BYTES);
        let path = self.dir.join("bench-disk.tmp");
        let mut noise = noise();
        let (result, cost) = measure(|| write_all(&path, &mut noise, bytes));
        result?;
        fs::remove_file(&path).map_err(at(&path, "remove"))?;
        Ok(Sample { cost, bytes, ..empty_sample() })
    }

    /// Something done to the source as plain files.
    fn plain(&self, work: impl FnOnce(&Path) -> BenchResult<()>) -> BenchResult<Sample> {
        let source = self.store(StoreKind::Source)?;
        self.set_cache(&[&source])?;
        let (result, cost) = measure(|| work(&source));
        result?;
        Ok(Sample { cost, bytes: pair_bytes(&source)?.total(), ..empty_sample() })
    }

    /// Brings the cache into the state that was asked for.
    fn set_cache(&self, stores: &[&Path]) -> BenchResult<()> {
        for store in stores {
            match self.parameters.cache {
                Cache::Cold => drop_cached(store)?,
                Cache::Warm => drop(read_pair(store)?),
            }
        }
        Ok(())
    }

    /// The copy of everything.
    fn whole_copy(&self) -> Recovery {
        let has_target = matches!(self.parameters.subject, Subject::Given { to: Some(_), .. });
        Recovery {
            from: StoreKind::Source,
            onto: if has_target { StoreKind::DialTone } else { StoreKind::Empty },
            is_merge: false,
            workers: self.parameters.workers,
        }
    }

    fn recovery(&self, recovery: &Recovery, keeps_timeline: bool) -> BenchResult<Sample> {
        let (from, base) = (self.store(recovery.from)?, self.store(recovery.onto)?);
        let target = self.stores.scratch("target")?;
        copy_pair(&base, &target)?;
        let mut sample = self.job(&from, &target, recovery)?;
        if let Some(job) = sample.job.as_mut().filter(|_| !keeps_timeline) {
            job.timeline = None;
        }
        if *recovery == self.whole_copy() && !self.stores.has(StoreKind::Recovered) {
            self.stores.adopt(&target, StoreKind::Recovered)?;
        } else {
            self.stores.discard(&target)?;
        }
        Ok(sample)
    }

    fn rerun(&self) -> BenchResult<Sample> {
        let (from, target) = (self.store(StoreKind::Source)?, self.store(StoreKind::Recovered)?);
        let mut sample =
            self.job(&from, &target, &Recovery { is_merge: true, ..self.whole_copy() })?;
        if let Some(job) = &mut sample.job {
            job.timeline = None;
        }
        Ok(sample)
    }

    /// A recovery into a target as it lies there, measured.
    fn job(&self, from: &Path, target: &Path, recovery: &Recovery) -> BenchResult<Sample> {
        let mailboxes = Store::open(&**self.volume, from)?.view().mailboxes()?;
        let charged_bytes =
            mailboxes.iter().map(|mailbox| u64::try_from(mailbox.bytes).unwrap_or(0)).sum();
        let mode = if recovery.is_merge { Mode::Merge } else { Mode::CopyOverlay };
        let options = Options::new(mode, now().0);
        let mut run = RunOptions::new(*uuid::Uuid::new_v4().as_bytes());
        run.workers = recovery.workers;
        run.memory_bytes = self.parameters.memory_bytes;
        let (source, before) = (pair_bytes(from)?, pair_bytes(target)?);
        self.set_cache(&[from, target])?;
        let (result, cost) = measure(|| {
            let mut recorder = Recorder::start();
            let report = recover(self.volume, from, target, &options, &run, &mut |progress| {
                recorder.note(&progress);
            });
            report.map(|report| (report, recorder.finish()))
        });
        let (report, timeline) = result?;
        let mut job = figures(&report);
        job.growth = pair_bytes(target)?.beyond(before);
        job.source_charged_bytes = charged_bytes;
        job.timeline = Some(timeline);
        let bytes = source.total();
        Ok(Sample { cost, bytes, source, job: Some(job), ..empty_sample() })
    }

    fn checked(&self, is_quick: bool) -> BenchResult<Sample> {
        let store = self.store(StoreKind::Recovered)?;
        self.set_cache(&[&store])?;
        let mut ignore = |_: &crate::ese::check::Finding| {};
        let (result, cost) = measure(|| -> EseResult<CheckFigures> {
            if is_quick {
                let summary = check_quick(&**self.volume, &store, &mut ignore)?;
                return Ok(CheckFigures { errors: summary.errors, ..CheckFigures::default() });
            }
            let pages = check(&**self.volume, &store, &mut ignore)?;
            let mail = check_store(&**self.volume, &store, &mut ignore)?;
            let errors = pages.errors + mail.errors;
            Ok(CheckFigures { errors, items: mail.items, contents: mail.contents })
        });
        let bytes = pair_bytes(&store)?;
        let bytes = if is_quick { bytes.edb } else { bytes.total() };
        Ok(Sample { cost, bytes, check: Some(result?), ..empty_sample() })
    }

    /// Two pairs change places by renames, each of them durable: the only moment in which users of a swap wait for files. Renames do not
    /// depend on what is in a file, so copies of the smallest store do; the stores themselves are never half exchanged.
    fn exchange(&self) -> BenchResult<Sample> {
        let base = self.store(self.whole_copy().onto)?;
        let [a, b, free] =
            ["exchange-a", "exchange-b", "exchange"].map(|name| self.stores.scratch(name));
        let (a, b, free) = (a?, b?, free?);
        copy_pair(&base, &a)?;
        copy_pair(&base, &b)?;
        let (result, cost) = measure(|| -> BenchResult<()> {
            for file in [|path: &Path| stm_path(path), |path: &Path| path.to_path_buf()] {
                for (from, to) in [(&a, &free), (&b, &a), (&free, &b)] {
                    let (from, to) = (file(from), file(to));
                    self.volume.rename(&from, &to)?;
                    self.volume.sync_parent(&to)?;
                }
            }
            Ok(())
        });
        result?;
        for scratch in [&a, &b, &free] {
            self.stores.discard(scratch)?;
        }
        Ok(Sample { cost, ..empty_sample() })
    }
}

fn empty_sample() -> Sample {
    Sample {
        step: String::new(),
        repeat: 0,
        cost: super::meter::Cost::default(),
        bytes: 0,
        source: super::files::PairBytes::default(),
        job: None,
        check: None,
    }
}

/// One in so many mailboxes, of all sizes alike; at least one.
fn one_in_of(mailboxes: &[Mailbox], one_in: usize) -> Vec<&Mailbox> {
    let mut sorted: Vec<&Mailbox> = mailboxes.iter().collect();
    sorted.sort_by_key(|mailbox| (std::cmp::Reverse(mailbox.bytes), mailbox.profile.guid));
    let first = (one_in / 2).min(sorted.len().saturating_sub(1));
    sorted.into_iter().skip(first).step_by(one_in.max(1)).collect()
}

fn figures(report: &JobReport) -> JobFigures {
    let (counters, side) = (&report.counters, &report.side);
    JobFigures {
        mailboxes: report.mailboxes.len() as u64,
        failed: report.failed() as u64,
        looked: counters.scanned,
        inserted: counters.inserted + side.hidden_inserted + side.dumpster_inserted,
        replaced: counters.replaced,
        bad: counters.bad,
        verified: report.verified,
        charged_bytes: report.write_bytes,
        commits: report.commits,
        adds_up: report.adds_up(),
        placed: report.contents.items,
        contents_copied: report.contents.copied,
        log_bytes: report.log_bytes,
        inside: report.stages.as_ref().map(Inside::of),
        ..JobFigures::default()
    }
}
