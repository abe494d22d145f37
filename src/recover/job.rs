//! A recovery from beginning to end: two stores opened, mailboxes matched, each one planned, written, committed, verified and
//! reported. How it is written is the business of `plain` and `pipeline`; both decide alike and give the same mailboxes.
//!
//! Source: recover-semantics 2, 11, 12, 14; design sections 4 and 5.

use std::collections::BTreeSet;
use std::panic::resume_unwind;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use super::decide::Mode;
use super::options::Options;
use super::out::copy_store;
use super::plan::MailboxPair;
use super::planner::{KnownReplicas, plan_mailbox};
use super::report::{JobReport, MailboxReport, MailboxState};
use super::select::{MailboxMatches, match_mailboxes};
use super::space::require_space;
use super::{pipeline, plain};
use crate::ese::error::{EseError, EseResult, Refusal};
use crate::ese::page::header::DbState;
use crate::io::Volume;
use crate::mapi::MailboxGuid;
use crate::stm::stm_path;
use crate::store::{JobRow, Store, StoreWriter};

/// How a job is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WritePath {
    /// One writer, one item after the other.
    Plain,
    /// Whole pages, built by several workers.
    #[default]
    Parallel,
}

/// How a job is run; none of this changes what comes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunOptions {
    /// Its id: a job of the same id goes on where it was interrupted.
    pub job: [u8; 16],
    /// How it is written.
    pub path: WritePath,
    /// Threads that read and build.
    pub workers: usize,
    /// Memory that may be used, in bytes; mapped pages do not count.
    pub memory_bytes: u64,
    /// Bytes written between two commits.
    pub commit_bytes: u64,
    /// Whether nothing is written at all.
    pub dry_run: bool,
    /// Whether the journal of an interrupted writer may be laid over the source.
    pub replay_source: bool,
    /// Whether contents are compared by a strong hash in the end, instead of by their sums.
    pub verify_full: bool,
    /// Whether mailboxes that a job of this id has completed before are left as they are.
    pub resume: bool,
}

impl RunOptions {
    /// The defaults for a new job.
    pub fn new(job: [u8; 16]) -> Self {
        Self {
            job,
            path: WritePath::default(),
            workers: std::thread::available_parallelism().map_or(1, usize::from),
            memory_bytes: 512 << 20,
            commit_bytes: 256 << 20,
            dry_run: false,
            replay_source: false,
            verify_full: false,
            resume: false,
        }
    }
}

/// What a job tells while it runs.
#[derive(Debug)]
pub enum Progress<'p> {
    /// So many mailboxes with so many items and bytes are to be read.
    Started {
        /// Mailboxes.
        mailboxes: u64,
        /// Their items.
        items: u64,
        /// Bytes charged for them.
        bytes: u64,
    },
    /// Items were read and decided about, or written.
    Items {
        /// How many more.
        items: u64,
        /// Bytes charged for them.
        bytes: u64,
    },
    /// A mailbox is done.
    Mailbox(&'p MailboxReport),
}

/// Called with news of the job, in the caller's thread.
pub type Watch<'w> = &'w mut dyn FnMut(Progress<'_>);

/// Recovers mailboxes from one store into another.
///
/// # Errors
/// [`Refusal::SameStore`], [`Refusal::Dirty`], [`Refusal::Mismatch`], [`Refusal::Version`], [`Refusal::NotFound`], all before
/// anything is changed; [`EseError::Io`]: what was committed stays, the job can be run again.
pub fn recover(
    volume: &Arc<dyn Volume>,
    from: &Path,
    to: &Path,
    options: &Options,
    run: &RunOptions,
    watch: Watch<'_>,
) -> EseResult<JobReport> {
    let started = Instant::now();
    let (source, target, mut matches) = open_both(&**volume, (from, to), options, run)?;
    let done_before = leave_out_done(&mut matches, &target, run)?;
    announce(&matches.pairs, watch);
    let known = KnownReplicas::between(&source.view(), &target.view())?;
    let job = Job { source: &source, pairs: &matches.pairs, options, run, known: &known };
    let mut report = if run.dry_run {
        plan_only(&job, &target, watch)?
    } else {
        require_space(&**volume, &job, &target.view(), to)?;
        drop(target);
        let mut writer = StoreWriter::open(volume.clone(), to)?;
        step_over(&source, &mut writer)?;
        match run.path {
            WritePath::Plain => plain::run(&job, writer, watch)?,
            WritePath::Parallel => pipeline::run(&job, writer, watch, started)?.close(source)?,
        }
    };
    report.skipped = matches.skipped;
    report.done_before = done_before;
    report.seconds = started.elapsed().as_secs_f64();
    Ok(report)
}

/// As [`recover`], into a copy of `to` that is made first: `to` is only read. Everything that [`recover`] refuses is refused before.
///
/// # Errors
/// As there; as [`copy_store`].
pub fn recover_into_copy(
    volume: &Arc<dyn Volume>,
    (from, to, copy): (&Path, &Path, &Path),
    options: &Options,
    run: &RunOptions,
    watch: Watch<'_>,
) -> EseResult<JobReport> {
    if run.dry_run {
        return recover(volume, from, to, options, run, watch);
    }
    drop(open_both(&**volume, (from, to), options, run)?);
    copy_store(volume, to, copy)?;
    recover(volume, from, copy, options, run, watch)
}

/// Opens source and target for reading, and finds out which mailboxes belong together.
fn open_both(
    volume: &dyn Volume,
    (from, to): (&Path, &Path),
    options: &Options,
    run: &RunOptions,
) -> EseResult<(Store, Store, MailboxMatches)> {
    // Each reads its catalog and its space map first.
    let (source, target) = std::thread::scope(|scope| {
        let target = scope.spawn(|| Store::open(volume, to));
        let source = open_source(volume, from, to, run);
        (source, target.join().unwrap_or_else(|panic| resume_unwind(panic)))
    });
    let (source, target) = (source?, target?);
    let matches = match_mailboxes(&source.view(), &target.view(), &options.mailboxes)?;
    Ok((source, target, matches))
}

/// Takes out the mailboxes that a job of this id has completed before; answers how many.
fn leave_out_done(
    matches: &mut MailboxMatches,
    target: &Store,
    run: &RunOptions,
) -> EseResult<u64> {
    if !run.resume {
        return Ok(0);
    }
    let done = [MailboxState::Completed, MailboxState::CompletedWithWarning];
    let is_done = |row: &JobRow| done.iter().any(|state| state.number() == row.state);
    let rows = target.view().jobs()?;
    let rows = rows.iter().filter(|row| row.job == run.job && is_done(row));
    let done: BTreeSet<MailboxGuid> = rows.map(|row| row.mailbox).collect();
    let before = matches.pairs.len();
    matches.pairs.retain(|pair| !done.contains(&pair.source.profile.guid));
    Ok((before - matches.pairs.len()) as u64)
}

/// What both ways of writing need to know.
#[derive(Debug)]
pub struct Job<'j> {
    /// The source.
    pub source: &'j Store,
    /// Mailboxes, the longest first.
    pub pairs: &'j [MailboxPair],
    /// What is asked for.
    pub options: &'j Options,
    /// How it is run.
    pub run: &'j RunOptions,
    /// Replicas that both stores knew before.
    pub known: &'j KnownReplicas,
}

impl Job<'_> {
    /// The mode as a number, for the record of jobs.
    pub fn mode_number(&self) -> i32 {
        match self.options.rules.mode {
            Mode::Merge => 0,
            Mode::CopyOverlay => 1,
            Mode::CopyFolder => 2,
        }
    }
}

fn open_source(volume: &dyn Volume, from: &Path, to: &Path, run: &RunOptions) -> EseResult<Store> {
    for (a, b) in [(from, to), (&*stm_path(from), &*stm_path(to))] {
        if volume.exists(a)? && volume.exists(b)? && volume.is_same_file(a, b)? {
            let reason = format!("{} and {} are one file", a.display(), b.display());
            return Err(EseError::refused(Refusal::SameStore, reason).in_file(from));
        }
    }
    let source = Store::open(volume, from)?;
    if source.database().file().header().state() != DbState::Clean {
        let has_journal = volume.exists(&crate::ese::txn::journal::journal_path(from))?;
        if !(run.replay_source && has_journal) {
            let reason = if has_journal {
                "the source was not closed properly; its last commit can be read with --dirty replay"
            } else {
                "the source was not closed properly and has no journal of this program beside it; bring it to a clean shutdown \
                 with the engine's own logs"
            };
            return Err(EseError::refused(Refusal::Dirty, reason).in_file(from));
        }
    }
    Ok(source)
}

fn announce(pairs: &[MailboxPair], watch: Watch<'_>) {
    let sum = |of: fn(&MailboxPair) -> i64| {
        pairs.iter().map(|pair| u64::try_from(of(pair)).unwrap_or(0)).sum()
    };
    watch(Progress::Started {
        mailboxes: pairs.len() as u64,
        items: sum(|pair| pair.source.items),
        bytes: sum(|pair| pair.source.bytes),
    });
}

fn plan_only(job: &Job<'_>, target: &Store, watch: Watch<'_>) -> EseResult<JobReport> {
    let mut report = JobReport::default();
    for pair in job.pairs {
        let started = Instant::now();
        let source = job.source.view();
        let plan = plan_mailbox(&source, &target.view(), pair, job.options, job.known);
        let mut mailbox = match plan {
            Ok(plan) => MailboxReport::of_plan(&plan),
            Err(error @ EseError::Io(_)) => return Err(error),
            Err(error) => MailboxReport::failed(pair, error.to_string()),
        };
        mailbox.seconds = started.elapsed().as_secs_f64();
        watch(Progress::Items { items: mailbox.counters.scanned, bytes: mailbox.write_bytes });
        watch(Progress::Mailbox(&mailbox));
        report.add(mailbox);
    }
    Ok(report)
}

/// Two stores of one replica that both went on issue the same numbers for different things: the target's counters step over the
/// source's (D6).
fn step_over(source: &Store, writer: &mut StoreWriter) -> EseResult<()> {
    let ours = source.view().info()?;
    if ours.replica == writer.info().replica {
        writer.step_over(ours.next_id, ours.next_change);
    }
    Ok(())
}
