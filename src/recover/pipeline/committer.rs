//! The committer: takes pieces in, commits them a batch at a time, and keeps the reports of mailboxes.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError};

use super::admit::Waiting;
use super::piece::{Operation, Piece};
use super::shared::{Shared, ended};
use super::syncer::Syncer;
use super::worker::{Planned, Tasks};
use crate::ese::error::{EseError, EseResult};
use crate::ese::table::write::IndexEntries;
use crate::mapi::FolderId;
use crate::recover::job::{Job, Progress, Watch};
use crate::recover::partial::insert_partial;
use crate::recover::place::make_folders;
use crate::recover::plain::job_row;
use crate::recover::plan::{MailboxPair, MailboxPlan, WriteKind};
use crate::recover::report::{ContentCounts, JobReport, MailboxReport, MailboxState};
use crate::recover::stages::Stage;
use crate::recover::verify::Written;
use crate::store::StoreWriter;

/// The longest time between two commits, while there is something to commit.
const COMMIT_SECONDS: Duration = Duration::from_secs(5);

/// Bytes written ahead whose index entries are brought in together while the batch still grows.
const SETTLE_BYTES: u64 = 64 << 20;

/// Bytes written ahead that are synced together meanwhile.
const SYNC_BYTES: u64 = 16 << 20;

/// This part of the memory budget may be pages that wait for the next commit: small enough that a store of 1 GB gets there, too.
const CHANGED_SHARE: u64 = 8;

/// A batch that is full waits for the last pieces of the job when they are this part of it, or fewer.
const LAST_PART: usize = 4;

/// When so many pieces are still to come, or fewer, each is settled at once.
const LAST_PIECES: usize = 8;

/// What workers tell.
pub enum Message {
    /// A mailbox was planned.
    Planned {
        /// Which mailbox.
        number: usize,
        /// Its report as planned.
        report: Box<MailboxReport>,
        /// What is to be done, and the pieces in which that is built; none where the plan failed.
        work: Option<(Box<MailboxPlan>, Vec<Range<usize>>)>,
        /// When it was begun.
        started: Instant,
    },
    /// A mailbox was planned, and nothing is to be written into it: it is done.
    Settled {
        /// Which mailbox.
        number: usize,
        /// Its report.
        report: Box<MailboxReport>,
        /// When it was begun.
        started: Instant,
    },
    /// A piece is ready.
    Built(Box<Piece>),
    /// A mailbox was read back.
    Verified {
        /// Which mailbox.
        number: usize,
        /// Its report.
        report: Box<MailboxReport>,
    },
    /// Nothing to tell.
    Idle,
    /// The job cannot go on.
    Failed(EseError),
    /// A worker broke one of the program's own rules.
    Died,
}

/// A mailbox that is not done.
struct Open {
    report: MailboxReport,
    pieces_left: usize,
    written: Vec<Written>,
    started: Instant,
}

pub struct Committer<'c, 'env> {
    job: &'c Job<'c>,
    pub(super) shared: &'c Shared,
    tasks: &'c Tasks,
    syncer: Syncer<'c, 'env>,
    mailboxes: usize,
    /// Mailboxes whose items are not all decided about yet.
    unplanned: usize,
    open: BTreeMap<usize, Open>,
    /// Pieces that cannot go in yet.
    pub(super) waiting: Vec<Waiting>,
    /// What has been linked in since the last commit.
    batch: Batch,
    started: BTreeMap<usize, Instant>,
    /// What has come and is not taken yet.
    queue: VecDeque<Message>,
    last_commit: Instant,
    is_source_let_go: bool,
    done: BTreeMap<usize, MailboxReport>,
    commits: u64,
    contents: ContentCounts,
}

/// What the next commit will hold.
#[derive(Default)]
struct Batch {
    pieces: usize,
    /// Index entries that are not in yet.
    entries: IndexEntries,
    /// What cannot be done by pages, by mailbox.
    operations: Vec<(usize, Operation)>,
    /// Bytes of its pieces, and of those that wait.
    bytes: u64,
    /// How many of them have index entries that are not in yet.
    unsettled_bytes: u64,
    /// How many of them nobody has begun to sync.
    unsynced_bytes: u64,
    /// Bytes of changed pages in memory, and of those that will change when counts of contents are written.
    changed_bytes: u64,
}

impl<'c, 'env> Committer<'c, 'env> {
    pub fn new(
        job: &'c Job<'c>,
        (shared, syncer): (&'c Shared, Syncer<'c, 'env>),
        tasks: &'c Tasks,
        pairs: &[MailboxPair],
    ) -> Self {
        Self {
            job,
            shared,
            tasks,
            syncer,
            mailboxes: pairs.len(),
            unplanned: pairs.len(),
            open: BTreeMap::new(),
            waiting: Vec::new(),
            batch: Batch::default(),
            started: BTreeMap::new(),
            queue: VecDeque::new(),
            last_commit: Instant::now(),
            is_source_let_go: false,
            done: BTreeMap::new(),
            commits: 0,
            contents: ContentCounts::default(),
        }
    }

    /// Runs until every mailbox is reported.
    ///
    /// # Errors
    /// The first that ends the job; workers are told to stop then.
    pub fn run(mut self, from: &Receiver<Message>, watch: Watch<'_>) -> EseResult<JobReport> {
        let result = self.serve(from, watch);
        if result.is_err() {
            self.shared.end();
        }
        result?;
        let (commits, contents) = (self.commits, self.contents);
        let mut report = JobReport { commits, contents, ..JobReport::default() };
        // In the order of the job, not in that of the threads.
        self.done.into_values().for_each(|mailbox| report.add(mailbox));
        Ok(report)
    }

    fn serve(&mut self, from: &Receiver<Message>, watch: Watch<'_>) -> EseResult<()> {
        while self.done.len() < self.mailboxes {
            self.take_plans(from, watch)?;
            let message = match self.queue.pop_front() {
                Some(message) => message,
                None => self.await_message(from)?,
            };
            self.take(message, watch)?;
            let is_quiet = self.queue.is_empty() && from.is_empty();
            if self.is_time_to_commit(is_quiet) {
                self.commit(from, watch)?;
            } else {
                self.go_ahead(is_quiet)?;
            }
        }
        self.shared.clock.turn(Stage::Sync);
        self.syncer.finish()
    }

    fn await_message(&self, from: &Receiver<Message>) -> EseResult<Message> {
        self.shared.clock.turn(Stage::AwaitPiece);
        let message = match from.recv_timeout(Duration::from_millis(200)) {
            Ok(message) => message,
            Err(RecvTimeoutError::Timeout) => Message::Idle,
            Err(RecvTimeoutError::Disconnected) => return Err(ended()),
        };
        self.shared.clock.turn(Stage::Note);
        Ok(message)
    }

    /// Takes planned mailboxes before everything else that has come: workers may be waiting for their folders.
    fn take_plans(&mut self, from: &Receiver<Message>, watch: Watch<'_>) -> EseResult<()> {
        while let Ok(message) = from.try_recv() {
            match message {
                Message::Planned { .. } => self.take(message, watch)?,
                other => self.queue.push_back(other),
            }
        }
        Ok(())
    }

    /// Does what can be done before a commit, while workers go on.
    fn go_ahead(&mut self, is_quiet: bool) -> EseResult<()> {
        // Whatever is left when the last piece comes, everybody waits for.
        let is_ending = is_quiet && self.pieces_to_come().is_some_and(|left| left <= LAST_PIECES);
        let most = if is_ending { 1 } else { SETTLE_BYTES };
        if self.batch.unsettled_bytes >= most {
            self.settle()?;
        }
        // A batch of a few megabytes has syncs of its own, too.
        let most = SYNC_BYTES.min(self.job.run.commit_bytes / 4);
        if self.batch.unsynced_bytes > most && self.syncer.start()? {
            self.batch.unsynced_bytes = 0;
        }
        Ok(())
    }

    fn take(&mut self, message: Message, watch: Watch<'_>) -> EseResult<()> {
        match message {
            Message::Planned { number, report, work, started } => {
                self.unplanned -= 1;
                let pieces_left = work.as_ref().map_or(0, |(_, pieces)| pieces.len());
                let open = Open { report: *report, pieces_left, written: Vec::new(), started };
                self.open.insert(number, open);
                if let Some((plan, pieces)) = work {
                    let items = plan.counters.scanned.saturating_sub(plan.writes.len() as u64);
                    watch(Progress::Items { items, bytes: 0 });
                    self.place(number, *plan, pieces)?;
                }
            }
            Message::Built(piece) => {
                self.shared.room.give_back(piece.held_bytes);
                let items = (piece.written.len() + piece.bad.len()) as u64;
                watch(Progress::Items { items, bytes: piece.bytes });
                // Pages of its own, and what of it stays in memory.
                let bytes = piece.bytes + (piece.parcel.page_count() as u64) * 64;
                self.batch.bytes += bytes;
                self.batch.unsettled_bytes += bytes;
                self.batch.unsynced_bytes += bytes;
                self.admit(*piece)?;
            }
            Message::Settled { number, report, started } => {
                self.unplanned -= 1;
                watch(Progress::Items { items: report.counters.scanned, bytes: 0 });
                self.finish(number, *report, Some(started), watch)?;
            }
            Message::Verified { number, report } => {
                let started = self.started.remove(&number);
                self.finish(number, *report, started, watch)?;
            }
            Message::Idle => {}
            Message::Failed(error) => return Err(error),
            Message::Died => return Err(ended()),
        }
        Ok(())
    }

    /// Makes the folders of a planned mailbox, and gives its pieces to the workers. Folders need the writer, which is nearer at hand here
    /// than in a worker, who would wait for it.
    fn place(
        &mut self,
        number: usize,
        plan: MailboxPlan,
        pieces: Vec<Range<usize>>,
    ) -> EseResult<()> {
        let planned = {
            let mut target = self.shared.target();
            let places = make_folders(&mut target, &plan.folders)?;
            let articles = target.reserve_articles(inserts_of(&plan, &places))?;
            Arc::new(Planned::new(number, plan, places, articles))
        };
        for piece in pieces {
            self.tasks.build(planned.clone(), piece);
            self.shared.clock.to_workers.sent(self.tasks.waiting() as u64);
        }
        self.tasks.placed();
        Ok(())
    }

    /// A mailbox is done. Durable with the next commit; until then a job of the same id does the mailbox again.
    fn finish(
        &mut self,
        number: usize,
        mut report: MailboxReport,
        started: Option<Instant>,
        watch: Watch<'_>,
    ) -> EseResult<()> {
        report.seconds = started.map_or(0.0, |started| started.elapsed().as_secs_f64());
        let mut target = self.shared.target();
        let row = job_row(self.job, target.now(), &report);
        target.put_job(&row)?;
        drop(target);
        watch(Progress::Mailbox(&report));
        self.done.insert(number, report);
        Ok(())
    }

    /// Batches are large, but nobody waits for one: when nothing comes any more, what is there is committed.
    fn is_time_to_commit(&self, is_quiet: bool) -> bool {
        let has_work = self.batch.pieces > 0
            || !self.waiting.is_empty()
            || self.open.values().any(|open| open.pieces_left == 0);
        // Changed pages stay in memory until the commit, and mails of a few bytes change many.
        let is_full = self.batch.bytes >= self.job.run.commit_bytes
            || self.batch.changed_bytes >= self.job.run.memory_bytes / CHANGED_SHARE;
        let is_last = is_quiet && self.is_all_built();
        // A commit for a few pieces more would cost as much as this one.
        let few = (self.batch.pieces + self.waiting.len()) / LAST_PART;
        let is_near_the_end = self.pieces_to_come().is_some_and(|left| left > 0 && left <= few);
        let is_late = self.last_commit.elapsed() >= COMMIT_SECONDS;
        has_work && (is_full && !is_near_the_end || is_last || is_late)
    }

    fn is_all_built(&self) -> bool {
        self.pieces_to_come() == Some(0)
    }

    /// Pieces that workers have not built yet; none while mailboxes are not planned.
    fn pieces_to_come(&self) -> Option<usize> {
        let left: usize = self.open.values().map(|open| open.pieces_left).sum();
        (self.unplanned == 0).then_some(left.saturating_sub(self.waiting.len()))
    }

    /// Commits what is ready. Workers go on meanwhile: the writer is let go between steps, and the last commit can be read until
    /// this one is put in its place.
    fn commit(&mut self, from: &Receiver<Message>, watch: Watch<'_>) -> EseResult<()> {
        let started = Instant::now();
        self.take_plans(from, watch)?;
        for piece in self.take_ready() {
            self.link(piece)?;
        }
        self.settle()?;
        if self.is_all_built() {
            self.let_source_go();
        } else {
            // Before the sync: what grows a file afterwards has to be synced with the writer in hand.
            self.shared.clock.during(Stage::Commit, || self.shared.stock_up())?;
            self.take_plans(from, watch)?;
        }
        self.sync()?;
        let settled = started.elapsed();
        let shared = self.shared;
        let batch = std::mem::take(&mut self.batch);
        shared.clock.turn(Stage::Commit);
        shared.set_committing(true);
        let mut target = shared.target();
        for (number, operation) in batch.operations {
            let written = self.operate(&mut target, operation)?;
            if let (Some(written), Some(open)) = (written, self.open.get_mut(&number)) {
                open.written.push(written);
            }
        }
        let done = self.note_progress(&mut target)?;
        shared.commit(&mut target)?;
        drop(target);
        shared.set_committing(false);
        shared.claims().going.clear();
        shared.clock.turn(Stage::Note);
        let pieces = batch.pieces;
        tracing::debug!(pieces, ?settled, committed = ?started.elapsed(), "a batch is in");
        self.batch.bytes = self.waiting.iter().map(|waiting| waiting.piece.bytes).sum();
        self.commits += 1;
        self.last_commit = Instant::now();
        for number in done {
            if let Some(open) = self.open.remove(&number) {
                self.started.insert(number, open.started);
                self.tasks.verify(number, open.written, open.report);
                self.shared.clock.to_workers.sent(self.tasks.waiting() as u64);
            }
        }
        // What the commit has put in place the next one must find synced (P5).
        if self.is_all_built() { self.syncer.start_last() } else { self.syncer.start().map(drop) }
    }

    /// Unmapping gigabytes takes time that everybody waits for in the end; while the last batch is committed, cores are idle.
    fn let_source_go(&mut self) {
        let job = self.job;
        if !std::mem::replace(&mut self.is_source_let_go, true) && !job.run.verify_full {
            self.syncer.do_aside(|| job.source.database().file().let_go());
        }
    }

    /// Links the pages of a piece in. Others may have the writer again afterwards.
    pub(super) fn link(&mut self, piece: Piece) -> EseResult<()> {
        self.contents.add(items_of(&piece), piece.parcel.brings().len() as u64);
        let number = piece.number;
        if let Some(open) = self.open.get_mut(&number) {
            open.pieces_left = open.pieces_left.saturating_sub(1);
            open.written.extend(piece.written);
            for (write, bad) in piece.bad {
                open.report.turn_bad(&write, bad);
            }
            piece.partial.into_iter().for_each(|part| open.report.turn_partial(part));
        }
        let operations = piece.operations.into_iter();
        self.batch.operations.extend(operations.map(|operation| (number, operation)));
        self.batch.pieces += 1;
        self.shared.clock.turn(Stage::Link);
        let mut target = self.shared.target();
        target.splice_rows(piece.parcel, &mut self.batch.entries)?;
        self.batch.changed_bytes = target.changing_bytes() as u64;
        drop(target);
        if self.pieces_to_come().is_none_or(|left| left > LAST_PIECES) {
            self.shared.restock()?;
        }
        self.shared.let_others_in();
        self.shared.clock.turn(Stage::Note);
        Ok(())
    }

    /// Brings index entries in, one index at a time, and the counts of contents and folders, and writes all pages that are new: the
    /// commit itself is short then, what it will have to change is known, and nothing else is kept in memory.
    fn settle(&mut self) -> EseResult<()> {
        self.batch.unsettled_bytes = 0;
        self.shared.clock.turn(Stage::Index);
        let batches = std::mem::take(&mut self.batch.entries).into_batches();
        self.shared.look_ahead(&batches, || {
            batches.iter().try_for_each(|batch| {
                let result = self.shared.target().splice_entries(batch);
                self.shared.let_others_in();
                result
            })
        })?;
        let mut target = self.shared.target();
        target.flush()?;
        target.write_new_pages()?;
        self.batch.changed_bytes = target.changing_bytes() as u64;
        drop(target);
        self.shared.let_others_in();
        self.shared.clock.turn(Stage::Note);
        Ok(())
    }

    /// Syncs everything that is written.
    fn sync(&mut self) -> EseResult<()> {
        self.batch.unsynced_bytes = 0;
        self.shared.clock.turn(Stage::Sync);
        self.syncer.finish()?;
        self.shared.sync_ahead()
    }

    /// Does what pages cannot do; answers what must be there then, if the piece could not tell.
    fn operate(
        &mut self,
        target: &mut StoreWriter,
        operation: Operation,
    ) -> EseResult<Option<Written>> {
        let (source, maps) = (self.job.source.view(), &self.shared.maps);
        match operation {
            Operation::MarkRead(id) => target.set_read(id, true).map(|()| None),
            Operation::Replace { from, new, .. } => {
                target.replace_by_copy(&source, maps, from, &new, false).map(|()| None)
            }
            Operation::Partial { write, folder, lost } => {
                let context = (maps, &self.shared.replicas);
                self.contents.add(1, 1);
                insert_partial(target, &source, context, (&write, folder), &lost).map(Some)
            }
        }
    }

    /// Writes the rows of mailboxes into the record of jobs; answers those that are complete with this commit.
    fn note_progress(&mut self, target: &mut StoreWriter) -> EseResult<Vec<usize>> {
        let mut done = Vec::new();
        for (number, open) in &mut self.open {
            let is_done = open.pieces_left == 0;
            let is_touched = is_done || !open.written.is_empty();
            if is_touched && open.report.state != MailboxState::Failed {
                open.report.state = if is_done {
                    MailboxState::CompletionInProgress
                } else {
                    MailboxState::InProgress
                };
                target.put_job(&job_row(self.job, target.now(), &open.report))?;
            }
            if is_done {
                done.push(*number);
            }
        }
        Ok(done)
    }
}

/// Items that a piece inserts or replaces; what is saved in part is not among them.
fn items_of(piece: &Piece) -> u64 {
    let marks = piece.operations.iter().filter(|one| matches!(one, Operation::MarkRead(_)));
    piece.written.len().saturating_sub(marks.count()) as u64
}

/// How many items each folder of the target gets.
fn inserts_of(plan: &MailboxPlan, places: &[Option<FolderId>]) -> BTreeMap<FolderId, i32> {
    let mut inserts = BTreeMap::new();
    for write in &plan.writes {
        let place = places.get(write.folder as usize).copied().flatten();
        if let (WriteKind::Insert { .. }, Some(folder)) = (write.kind, place) {
            let count: &mut i32 = inserts.entry(folder).or_default();
            *count = count.saturating_add(1);
        }
    }
    inserts
}
