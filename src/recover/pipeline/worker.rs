//! A worker: plans mailboxes, builds pieces of them, verifies what is committed. So that it is never without work while the writer
//! commits, some pieces are planned ahead, and verifying, which needs no writer, waits for the next commit.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, never, select, unbounded};

use super::committer::Message;
use super::piece;
use super::shared::Shared;
use crate::ese::error::{EseError, EseResult};
use crate::ese::txn::RecentPages;
use crate::mapi::FolderId;
use crate::recover::job::Job;
use crate::recover::plan::{MailboxPair, MailboxPlan};
use crate::recover::planner::plan_mailbox;
use crate::recover::report::MailboxReport;
use crate::recover::stages::Stage;
use crate::recover::verify::{Written, verify_mailbox};
use crate::store::Articles;

/// Bytes of content in one piece, at most, save for a single larger item.
const PIECE_BYTES: u64 = 16 << 20;
/// Items in one piece, at most.
const PIECE_ITEMS: usize = 2048;

/// Items that may wait for being verified while there is something else to do: what is kept of them is what memory would grow by from
/// mailbox to mailbox.
const UNVERIFIED_ITEMS: usize = 16_384;

/// Pieces that are planned ahead: their folders are made by the committer, which may be at a commit.
const BUILDS_AHEAD: usize = 64;

/// Mailboxes that may wait for their folders: a plan names every item, and the committer may be busy for long.
const PLANS_AHEAD: usize = 32;

/// How long a worker with nothing to do waits before it looks whether it may plan again.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// A planned mailbox whose pieces are being built.
#[derive(Debug)]
pub struct Planned {
    /// Which mailbox.
    pub number: usize,
    /// What is to be done.
    pub plan: MailboxPlan,
    /// Where the items of each folder of the plan go.
    pub places: Vec<Option<FolderId>>,
    /// Article numbers that are left for the items of each folder.
    articles: Mutex<BTreeMap<FolderId, Articles>>,
}

impl Planned {
    /// A plan whose folders are there, with what was reserved for their items.
    pub fn new(
        number: usize,
        plan: MailboxPlan,
        places: Vec<Option<FolderId>>,
        articles: BTreeMap<FolderId, Articles>,
    ) -> Self {
        Self { number, plan, places, articles: Mutex::new(articles) }
    }

    /// Article numbers for so many items of each folder.
    ///
    /// # Errors
    /// [`EseError::Corrupt`] for a folder that the plan does not insert into.
    pub fn take_articles(
        &self,
        counts: &BTreeMap<FolderId, i32>,
    ) -> EseResult<BTreeMap<FolderId, Articles>> {
        let mut left = self.articles.lock().unwrap_or_else(PoisonError::into_inner);
        let take = |(folder, count): (&FolderId, &i32)| {
            let none =
                || EseError::corrupt_bytes(format!("folder {folder} has no article numbers"));
            let articles = left.get_mut(folder).ok_or_else(none)?;
            let taken = *articles;
            articles.first = articles.first.saturating_add(*count);
            Ok((*folder, taken))
        };
        counts.iter().map(take).collect()
    }
}

/// Work.
enum Task {
    /// The mailbox with this number.
    Plan(usize),
    Build(Arc<Planned>, Range<usize>),
    Verify {
        number: usize,
        written: Vec<Written>,
        report: Box<MailboxReport>,
    },
}

/// All work that waits.
#[derive(Clone)]
pub struct Tasks {
    verify: (Sender<Task>, Receiver<Task>),
    build: (Sender<Task>, Receiver<Task>),
    plan: Receiver<Task>,
    stop: (Sender<()>, Receiver<()>),
    /// Items of the mailboxes that wait for being verified.
    unverified: Arc<AtomicUsize>,
    /// Mailboxes that are planned, and whose pieces wait for their folders.
    unplaced: Arc<AtomicUsize>,
}

impl Tasks {
    /// So many mailboxes to plan, in the order of their numbers.
    pub fn new(mailboxes: usize) -> Self {
        let (to_plan, plan) = unbounded();
        for number in 0..mailboxes {
            let _ = to_plan.send(Task::Plan(number));
        }
        Self {
            verify: unbounded(),
            build: unbounded(),
            plan,
            stop: unbounded(),
            unverified: Arc::default(),
            unplaced: Arc::default(),
        }
    }

    /// A mailbox is committed and can be verified.
    pub fn verify(&self, number: usize, written: Vec<Written>, report: MailboxReport) {
        self.unverified.fetch_add(written.len(), Ordering::Relaxed);
        let _ = self.verify.0.send(Task::Verify { number, written, report: Box::new(report) });
    }

    /// A piece can be built.
    pub fn build(&self, planned: Arc<Planned>, piece: Range<usize>) {
        let _ = self.build.0.send(Task::Build(planned, piece));
    }

    /// The folders of a mailbox are there, and its pieces wait to be built.
    pub fn placed(&self) {
        self.unplaced.fetch_sub(1, Ordering::Relaxed);
    }

    /// Pieces to build and mailboxes to verify that wait.
    pub fn waiting(&self) -> usize {
        self.verify.1.len() + self.build.1.len()
    }

    /// Workers may go home: each takes one of these.
    pub fn end(&self) {
        for _ in 0..1024 {
            let _ = self.stop.0.send(());
        }
    }

    /// The next piece of work; none when there will be no more.
    fn next(&self, plans: &mut Receiver<Task>, is_committing: bool) -> Option<Task> {
        loop {
            if self.stop.1.try_recv().is_ok() {
                return None;
            }
            let is_far_ahead = self.unplaced.load(Ordering::Relaxed) >= PLANS_AHEAD;
            let plan = if is_far_ahead { never() } else { plans.clone() };
            let ready = self.ready(&plan, is_committing);
            if ready.is_some() {
                return ready;
            }
            select! {
                recv(self.verify.1) -> task => return task.ok(),
                recv(self.build.1) -> task => return task.ok(),
                recv(plan) -> task => match task {
                    Ok(task) => return Some(task),
                    Err(_) => *plans = never(),
                },
                recv(self.stop.1) -> _ => return None,
                // Nobody tells that plans are wanted again.
                default(LOOK_AGAIN) => {}
            }
        }
    }

    fn ready(&self, plan: &Receiver<Task>, is_committing: bool) -> Option<Task> {
        let (verify, build) = (&self.verify.1, &self.build.1);
        let is_much = self.unverified.load(Ordering::Relaxed) > UNVERIFIED_ITEMS;
        let order = if is_committing || is_much {
            [verify, build, plan]
        } else if build.len() + self.unplaced.load(Ordering::Relaxed) < BUILDS_AHEAD {
            [plan, build, verify]
        } else {
            [build, plan, verify]
        };
        order.into_iter().find_map(|queue| queue.try_recv().ok())
    }
}

/// One thread's work.
pub struct Worker<'w> {
    job: &'w Job<'w>,
    shared: &'w Shared,
    pairs: &'w [MailboxPair],
    tasks: Tasks,
    to_committer: Sender<Message>,
}

impl<'w> Worker<'w> {
    pub fn new(
        job: &'w Job<'w>,
        (shared, pairs): (&'w Shared, &'w [MailboxPair]),
        tasks: Tasks,
        to_committer: Sender<Message>,
    ) -> Self {
        Self { job, shared, pairs, tasks, to_committer }
    }

    /// Works until there is nothing more to do.
    pub fn run(&self) {
        let clock = &self.shared.clock;
        clock.turn(Stage::AwaitTask);
        self.work();
        clock.leave();
    }

    fn work(&self) {
        let mut plans = self.tasks.plan.clone();
        while let Some(task) = self.tasks.next(&mut plans, self.shared.is_committing()) {
            if self.shared.is_ending() {
                return;
            }
            self.shared.clock.turn(match &task {
                Task::Plan(..) => Stage::Plan,
                Task::Build(..) => Stage::Read,
                Task::Verify { .. } => Stage::Verify,
            });
            let result = match task {
                Task::Plan(number) => self.plan(number),
                Task::Build(planned, range) => self.build(&planned, range),
                Task::Verify { number, written, report } => {
                    self.tasks.unverified.fetch_sub(written.len(), Ordering::Relaxed);
                    self.verify(number, &written, *report)
                }
            };
            let message = match result {
                Ok(message) => message,
                Err(error) => Message::Failed(error),
            };
            if !self.tell(message) {
                return;
            }
            self.shared.clock.turn(Stage::AwaitTask);
        }
    }

    /// Tells the committer something; false when nobody listens any more.
    fn tell(&self, message: Message) -> bool {
        let is_sent = self.to_committer.send(message).is_ok();
        self.shared.clock.to_committer.sent(self.to_committer.len() as u64);
        is_sent
    }

    fn plan(&self, number: usize) -> EseResult<Message> {
        let started = Instant::now();
        let no_such = || EseError::corrupt_bytes(format!("there is no mailbox {number} to plan"));
        let pair = self.pairs.get(number).ok_or_else(no_such)?;
        let planned = {
            let committed = self.shared.committed();
            let (source, target) = (self.job.source.view(), committed.view());
            plan_mailbox(&source, &target, pair, self.job.options, self.job.known)
        };
        let plan = match planned {
            Ok(plan) => plan,
            Err(error @ EseError::Io(_)) => return Err(error),
            Err(error) => {
                let report = Box::new(MailboxReport::failed(pair, error.to_string()));
                return Ok(Message::Planned { number, report, work: None, started });
            }
        };
        let mut report = Box::new(MailboxReport::of_plan(&plan));
        if plan.writes.is_empty() && plan.side.folders_created == 0 {
            report.bytes_after = pair.target.as_ref().map(|target| target.bytes);
            report.complete();
            return Ok(Message::Settled { number, report, started });
        }
        let pieces = self.cut(&plan);
        self.tasks.unplaced.fetch_add(1, Ordering::Relaxed);
        Ok(Message::Planned { number, report, work: Some((Box::new(plan), pieces)), started })
    }

    /// Cuts the writes of a mailbox into pieces that any worker can build.
    fn cut(&self, plan: &MailboxPlan) -> Vec<Range<usize>> {
        let share = self.job.run.memory_bytes / (8 * self.job.run.workers.max(1) as u64);
        let most = PIECE_BYTES.min(share.max(1 << 20));
        let mut ranges = Vec::new();
        let (mut start, mut bytes) = (0, 0u64);
        for (at, write) in plan.writes.iter().enumerate() {
            let charged = write.bytes;
            if at > start && (bytes + charged > most || at - start >= PIECE_ITEMS) {
                ranges.push(start..at);
                (start, bytes) = (at, 0);
            }
            bytes += charged;
        }
        if start < plan.writes.len() {
            ranges.push(start..plan.writes.len());
        }
        ranges
    }

    fn build(&self, planned: &Planned, range: Range<usize>) -> EseResult<Message> {
        let piece = piece::build(self.job, self.shared, planned, range)?;
        let (clock, room) = (&self.shared.clock, &self.shared.room);
        if !clock.during(Stage::AwaitRoom, || room.take(piece.held_bytes)) {
            return Err(super::shared::ended());
        }
        clock.room.sent(room.taken_bytes());
        Ok(Message::Built(Box::new(piece)))
    }

    fn verify(
        &self,
        number: usize,
        written: &[Written],
        mut report: MailboxReport,
    ) -> EseResult<Message> {
        let committed = self.shared.committed();
        let source = self.job.source.view();
        let strong = self.job.run.verify_full.then_some(&source);
        let recent = RecentPages::new(committed.view().pages());
        let view = committed.view().through(&recent);
        verify_mailbox(&view, strong, written, self.shared, &mut report)?;
        report.complete();
        Ok(Message::Verified { number, report: Box::new(report) })
    }
}
