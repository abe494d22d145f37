//! The plain way of writing: one thread, one item after the other, ordinary inserts. What the parallel way is held against, and what
//! it falls back on.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::job::{Job, Progress, Watch};
use super::partial;
use super::place::{Replicas, make_folders};
use super::plan::{BadItem, MailboxMatch, MailboxPair, MailboxPlan, PlannedWrite, WriteKind};
use super::planner::plan_mailbox;
use super::report::{ContentCounts, JobReport, MailboxReport, MailboxState};
use super::verify::{ContentProof, Written, verify_mailbox};
use crate::ese::error::{EseError, EseResult};
use crate::ese::txn::DatabaseFile;
use crate::mapi::{FolderId, InstanceId};
use crate::store::{Item, ItemId, JobRow, LostAttachment, ParcelMaps, StoreWriter, Summer, View};

/// The longest time between two commits.
const COMMIT_EVERY: Duration = Duration::from_secs(5);

/// Runs a job.
///
/// # Errors
/// [`EseError::Io`], and everything else that ends the writer.
pub fn run(job: &Job<'_>, writer: StoreWriter, watch: Watch<'_>) -> EseResult<JobReport> {
    let mut plain = Plain::new(job, writer)?;
    let mut report = JobReport::default();
    for pair in job.pairs {
        let started = Instant::now();
        let mut mailbox = plain.recover(pair, watch)?;
        mailbox.seconds = started.elapsed().as_secs_f64();
        watch(Progress::Mailbox(&mailbox));
        report.add(mailbox);
    }
    report.commits = plain.commits;
    report.columns_left = plain.maps.left().map(str::to_owned).collect();
    report.contents = plain.contents;
    report.log_bytes = plain.writer.close_counted()?;
    Ok(report)
}

/// One writer and what it has learnt.
pub(super) struct Plain<'j> {
    job: &'j Job<'j>,
    source: View<'j, DatabaseFile>,
    sums: Summer<'j, DatabaseFile>,
    pub(super) writer: StoreWriter,
    pub(super) maps: ParcelMaps,
    pub(super) replicas: Replicas,
    /// Contents that several items hold, once they are copied.
    copied: HashMap<InstanceId, InstanceId>,
    written_bytes: u64,
    last_commit: Instant,
    pub(super) commits: u64,
    contents: ContentCounts,
}

/// A content that could not be read.
pub(super) enum Fault {
    /// It is the source's: the item is lost.
    Bad(EseError),
    /// These attachments cannot be read, everything else can.
    Partial(Vec<LostAttachment>),
    /// It ends the writer.
    Fatal(EseError),
}

impl From<EseError> for Fault {
    fn from(error: EseError) -> Self {
        Self::Fatal(error)
    }
}

impl<'j> Plain<'j> {
    pub(super) fn new(job: &'j Job<'j>, mut writer: StoreWriter) -> EseResult<Self> {
        let source = job.source.view();
        let maps = writer.parcel_maps(&source)?;
        let replicas = Replicas::adopt(&source, &mut writer)?;
        Ok(Self {
            job,
            source,
            sums: source.summer()?,
            writer,
            maps,
            replicas,
            copied: HashMap::new(),
            written_bytes: 0,
            last_commit: Instant::now(),
            commits: 0,
            contents: ContentCounts::default(),
        })
    }

    fn recover(&mut self, pair: &MailboxPair, watch: Watch<'_>) -> EseResult<MailboxReport> {
        let pair = self.with_target(pair)?;
        self.writer.flush()?;
        let target = self.writer.view()?;
        let (options, known) = (self.job.options, self.job.known);
        let plan = match plan_mailbox(&self.source, &target, &pair, options, known) {
            Ok(plan) => plan,
            Err(error @ EseError::Io(_)) => return Err(error),
            Err(error) => return Ok(MailboxReport::failed(&pair, error.to_string())),
        };
        let mut report = MailboxReport::of_plan(&plan);
        report.state = MailboxState::InProgress;
        let written = self.write(&plan, &mut report, watch)?;
        report.state = MailboxState::CompletionInProgress;
        self.note(&report)?;
        self.commit()?;
        let strong = self.job.run.verify_full.then_some(&self.source);
        verify_mailbox(&self.writer.view()?, strong, &written, &(), &mut report)?;
        report.complete();
        // Durable with the next commit; until then a job of the same id does the mailbox again.
        self.note(&report)?;
        Ok(report)
    }

    /// A mailbox that the target lacks is made, in a commit of its own.
    pub(super) fn with_target(&mut self, pair: &MailboxPair) -> EseResult<MailboxPair> {
        let mut pair = pair.clone();
        if pair.matched == MailboxMatch::Created && pair.target.is_none() {
            pair.target = Some(self.writer.add_mailbox(&pair.source.profile)?);
            self.commit()?;
        }
        Ok(pair)
    }

    fn write(
        &mut self,
        plan: &MailboxPlan,
        report: &mut MailboxReport,
        watch: Watch<'_>,
    ) -> EseResult<Vec<Written>> {
        let places = make_folders(&mut self.writer, &plan.folders)?;
        let idle = plan.counters.scanned.saturating_sub(plan.writes.len() as u64);
        watch(Progress::Items { items: idle, bytes: 0 });
        let mut all = Vec::new();
        for write in &plan.writes {
            match self.write_one(write, places.get(write.folder as usize).copied().flatten()) {
                Ok((written, bytes)) => {
                    watch(Progress::Items { items: 1, bytes });
                    self.written_bytes += bytes;
                    all.push(written);
                }
                Err(Fault::Partial(lost)) => {
                    let place = places.get(write.folder as usize).copied().flatten();
                    all.push(self.write_partial(write, place, &lost)?);
                    report.turn_partial(bad_item(plan, write, partial::reason_of(&lost)));
                }
                Err(Fault::Bad(error)) => {
                    let bad = bad_item(plan, write, error.to_string());
                    report.turn_bad(write, bad);
                }
                Err(Fault::Fatal(error)) => return Err(error),
            }
            if self.is_time_to_commit() {
                self.note(report)?;
                self.commit()?;
            }
        }
        Ok(all)
    }

    /// Writes an item; answers what must be there then, and the bytes of its content.
    pub(super) fn write_one(
        &mut self,
        write: &PlannedWrite,
        folder: Option<FolderId>,
    ) -> Result<(Written, u64), Fault> {
        if let WriteKind::MarkRead(id) = write.kind {
            self.writer.set_read(id, true)?;
            return Ok((Written::marked(id), 0));
        }
        let item = self.source.item(write.source);
        let missing = || EseError::corrupt_bytes(format!("item {} is gone", write.source.message));
        let item = item.and_then(|item| item.ok_or_else(missing)).map_err(bad)?;
        let sum = match self.sums.content_sum(write.instance) {
            Ok(sum) => sum,
            Err(error @ EseError::Io(_)) => return Err(Fault::Fatal(error)),
            Err(error) => {
                let is_wanted = !self.job.options.drop_partial;
                let lost = partial::what_is_lost(&self.source, write, is_wanted)?;
                return Err(lost.map_or(Fault::Bad(error), Fault::Partial));
            }
        };
        let (instance, is_new) = self.content_for(write.instance)?;
        self.contents.add(1, u64::from(is_new));
        let id = match write.kind {
            WriteKind::Replace(id) => {
                let old = self.writer.view()?.item(id)?;
                let old = old.ok_or_else(|| {
                    EseError::corrupt_bytes(format!("target item {} is gone", id.message))
                })?;
                let new = self.replicas.replaced(&item, write, &old, instance)?;
                let (source, maps) = (&self.source, &self.maps);
                self.writer.replace_by_copy(source, maps, write.source, &new, is_new)?;
                id
            }
            _ => self.insert(&item, write, folder, instance, is_new)?,
        };
        let proof = ContentProof::Values(sum.crc);
        Ok((Written::new(id, instance, &item, write, proof), sum.bytes))
    }

    fn write_partial(
        &mut self,
        write: &PlannedWrite,
        folder: Option<FolderId>,
        lost: &[LostAttachment],
    ) -> EseResult<Written> {
        let folder = folder.ok_or_else(|| no_folder(write))?;
        self.contents.add(1, 1);
        let context = (&self.maps, &self.replicas);
        partial::insert_partial(&mut self.writer, &self.source, context, (write, folder), lost)
    }

    fn insert(
        &mut self,
        item: &Item,
        write: &PlannedWrite,
        folder: Option<FolderId>,
        instance: InstanceId,
        is_new: bool,
    ) -> EseResult<ItemId> {
        let folder = folder.ok_or_else(|| no_folder(write))?;
        let keeps = matches!(write.kind, WriteKind::Insert { keep_id: true });
        let own = if keeps { None } else { Some(self.writer.reserve_ids(1)?) };
        let new = self.replicas.inserted(item, write, folder, instance, own)?;
        let (source, maps) = (&self.source, &self.maps);
        self.writer.insert_copy(source, maps, write.source, &new, is_new)?;
        Ok(new.id)
    }

    /// The target's content for one of the source: copied before, there already, or copied now.
    fn content_for(&mut self, instance: InstanceId) -> Result<(InstanceId, bool), Fault> {
        if let Some(copy) = self.copied.get(&instance) {
            return Ok((*copy, false));
        }
        let content = self.source.content_brief(instance);
        let missing = || EseError::corrupt_bytes(format!("content {instance} is gone"));
        let content = content.and_then(|content| content.ok_or_else(missing)).map_err(bad)?;
        let target = self.writer.view()?;
        let there = super::share::find_content(&self.source, &content, &target)?;
        let (copy, is_new) = match there {
            Some(copy) => (copy, false),
            None => (self.writer.copy_content(&self.source, &self.maps, instance)?, true),
        };
        if content.holders > 1 {
            self.copied.insert(instance, copy);
        }
        Ok((copy, is_new))
    }

    fn is_time_to_commit(&self) -> bool {
        let run = self.job.run;
        self.written_bytes >= run.commit_bytes
            || self.writer.dirty_bytes() as u64 >= run.memory_bytes / 4
            || self.last_commit.elapsed() >= COMMIT_EVERY
    }

    pub(super) fn commit(&mut self) -> EseResult<()> {
        self.writer.commit()?;
        self.written_bytes = 0;
        self.last_commit = Instant::now();
        self.commits += 1;
        Ok(())
    }

    /// The mailbox's row in the record of jobs, for the next commit.
    pub(super) fn note(&mut self, report: &MailboxReport) -> EseResult<()> {
        let row = job_row(self.job, self.writer.now(), report);
        self.writer.put_job(&row)
    }
}

/// The row of a mailbox in the record of jobs.
pub(super) fn job_row(job: &Job<'_>, now: crate::mapi::FileTime, report: &MailboxReport) -> JobRow {
    let counters = report.counters.named();
    let pairs = counters.iter().filter(|(_, count)| *count > 0);
    let pairs: Vec<String> = pairs.map(|(name, count)| format!("\"{name}\":{count}")).collect();
    JobRow {
        job: job.run.job,
        mailbox: report.guid,
        state: report.state.number(),
        mode: job.mode_number(),
        started: now,
        ended: report.state.is_final().then_some(now),
        counters: format!("{{{}}}", pairs.join(",")),
    }
}

fn no_folder(write: &PlannedWrite) -> EseError {
    EseError::corrupt_bytes(format!("item {} has no folder to go to", write.source.message))
}

/// What a report says of an item that was lost, whole or in part.
pub(super) fn bad_item(plan: &MailboxPlan, write: &PlannedWrite, reason: String) -> BadItem {
    let folder = plan.folders.get(write.folder as usize);
    let folder_path = folder.map_or_else(String::new, |folder| folder.path.clone());
    BadItem { folder_path, item: Some(write.source), reason }
}

fn bad(error: EseError) -> Fault {
    match error {
        EseError::Io(_) => Fault::Fatal(error),
        error => Fault::Bad(error),
    }
}
