//! The parallel way of writing: workers read, pair and build whole pages; one committer links them in. Source: design section 4.
//!
//! ```text
//!               plan ──► build (pieces of a mailbox)                     ┌─► splice, replace, note, commit
//!   mailboxes ─►  worker 1 ... worker n  ──bounded channel of pieces──►  committer
//!               verify ◄──────────── mailboxes whose last piece is committed ──┘
//! ```
//!
//! Workers read the target as its last commit left it, and write only into pages that were reserved for them. So nothing that a worker
//! does can be seen before the committer says so, and a crash leaves a commit with whole items.
//!
//! | file | what it is for |
//! |---|---|
//! | `mod` | the threads, and what ends them |
//! | `shared` | what all of them look at: the target, its last commit, contents that several items hold |
//! | `worker` | planning, verifying, and in which order |
//! | `ranks` | in which order what they share is taken |
//! | `pool` | free pages for what workers write |
//! | `room` | memory for what is built and not linked in yet |
//! | `piece` | some items of a mailbox, built |
//! | `committer` | folders, commits, and the reports of mailboxes |
//! | `admit` | when a piece may be linked in |
//! | `syncer` | syncs while everybody goes on |
//! | `clock` | what each thread is at |

mod admit;
mod clock;
mod committer;
mod piece;
mod pool;
mod ranks;
mod room;
mod shared;
mod syncer;
mod worker;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::time::Instant;

use super::job::{Job, Watch};
use super::place::Replicas;
use super::plan::{MailboxMatch, MailboxPair};
use super::report::JobReport;
use super::stages::Stage;
use crate::ese::error::EseResult;
use crate::store::{Store, StoreWriter};
use clock::Clock;
use committer::{Committer, Message};
use shared::Shared;
use syncer::Syncer;
use worker::Worker;

/// A job of which everything is committed; the target is still open.
pub struct Done {
    report: JobReport,
    shared: Shared,
    workers: usize,
}

/// Runs a job, which `began` when its stores were opened.
///
/// # Errors
/// As the plain way.
pub fn run(
    job: &Job<'_>,
    mut writer: StoreWriter,
    watch: Watch<'_>,
    began: Instant,
) -> EseResult<Done> {
    let clock = Arc::new(Clock::since(began));
    let pairs = make_mailboxes(job, &mut writer)?;
    let maps = writer.parcel_maps(&job.source.view())?;
    let replicas = Replicas::adopt(&job.source.view(), &mut writer)?;
    let shared = Shared::new(job, writer, maps, replicas, pairs.len(), clock.clone())?;
    let (to_committer, from_workers) = crossbeam_channel::unbounded();
    let tasks = worker::Tasks::new(pairs.len());
    let workers = job.run.workers.max(1);
    let report = std::thread::scope(|scope| {
        for _ in 0..workers {
            let (to_committer, tasks) = (to_committer.clone(), tasks.clone());
            let with_pairs = (&shared, pairs.as_slice());
            scope.spawn(move || {
                let worker = Worker::new(job, with_pairs, tasks, to_committer.clone());
                // A worker that dies must not leave the committer waiting.
                if let Err(panic) = catch_unwind(AssertUnwindSafe(|| worker.run())) {
                    let _ = to_committer.send(Message::Died);
                    resume_unwind(panic);
                }
            });
        }
        drop(to_committer);
        let with_syncer = (&shared, Syncer::new(scope, &shared));
        let result = Committer::new(job, with_syncer, &tasks, &pairs).run(&from_workers, watch);
        tasks.end();
        // Workers that wait for room find that nobody listens any more.
        drop(from_workers);
        clock.turn(Stage::AwaitWorker);
        shared.room.close();
        result
    })?;
    Ok(Done { report, shared, workers })
}

impl Done {
    /// Closes the target. Nobody reads any more: other threads let go of the source and of the target's last commit meanwhile,
    /// because unmapping gigabytes takes as long as the syncs of a close.
    ///
    /// # Errors
    /// As the plain way.
    pub fn close(self, source: Store) -> EseResult<JobReport> {
        let Self { report, shared, workers } = self;
        let clock = shared.clock.clone();
        clock.turn(Stage::Close);
        let columns_left = shared.maps.left().map(str::to_owned).collect();
        let room_bytes = shared.room.limit_bytes();
        let (writer, committed) = shared.into_writer()?;
        let log_bytes = std::thread::scope(|scope| {
            scope.spawn(move || drop(source));
            // The writer has the same map, and unmaps it last.
            scope.spawn(move || committed.let_go());
            writer.close_counted()
        })?;
        let stages = clock.report(workers, room_bytes);
        Ok(JobReport { columns_left, log_bytes, stages: Some(stages), ..report })
    }
}

/// Mailboxes that the target lacks are made first, in a commit of their own, so that workers find their folders.
fn make_mailboxes(job: &Job<'_>, writer: &mut StoreWriter) -> EseResult<Vec<MailboxPair>> {
    let mut pairs = job.pairs.to_vec();
    let mut is_changed = false;
    for pair in &mut pairs {
        if pair.matched == MailboxMatch::Created && pair.target.is_none() {
            pair.target = Some(writer.add_mailbox(&pair.source.profile)?);
            is_changed = true;
        }
    }
    if is_changed {
        writer.commit()?;
    }
    Ok(pairs)
}
