//! What became of a job: per folder, per mailbox and in total. Source: recover-semantics 11, 14, E5.

use super::counters::Counters;
use super::plan::{
    BadItem, Counted, FolderMatch, FolderPlan, FolderTarget, LeftOut, MailboxMatch, MailboxPair,
    MailboxPlan, PlannedWrite, SideCounters, WriteKind,
};
use super::select::SkippedMailbox;
use super::stages::StageReport;
use crate::mapi::MailboxGuid;

/// The state of a mailbox in a job, in the words that administrators know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailboxState {
    /// Planned, not written: a dry run.
    Planned,
    /// Some of it is written.
    InProgress,
    /// All of it is written, and not verified yet.
    CompletionInProgress,
    /// All is there and verified.
    Completed,
    /// As far as possible.
    CompletedWithWarning,
    /// It could not be read, or what was written is not what was meant.
    Failed,
}

impl MailboxState {
    /// The state in one word, for programs.
    pub fn word(self) -> &'static str {
        match self {
            Self::Planned => "Planned",
            Self::InProgress => "InProgress",
            Self::CompletionInProgress => "CompletionInProgress",
            Self::Completed => "Completed",
            Self::CompletedWithWarning => "CompletedWithWarning",
            Self::Failed => "Failed",
        }
    }

    /// Whether the job is done with it.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::CompletedWithWarning | Self::Failed)
    }

    /// The number in the job's table.
    pub fn number(self) -> i32 {
        match self {
            Self::Planned => 0,
            Self::InProgress => 2,
            Self::CompletionInProgress => 3,
            Self::Completed => 4,
            Self::CompletedWithWarning => 5,
            Self::Failed => 8,
        }
    }
}

/// How much was lost. Source: recover-semantics E5.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grade {
    /// Nothing.
    Perfect,
    /// Only things that are not mail.
    Good,
    /// A few items: a person should look.
    Investigate,
    /// More than that.
    Poor,
}

impl Grade {
    /// The grade in one word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Perfect => "perfect",
            Self::Good => "good",
            Self::Investigate => "investigate",
            Self::Poor => "poor",
        }
    }

    /// The grade of a mailbox or job that lost `lost` of `scanned` items.
    pub fn of(lost: u64, scanned: u64, side: &SideCounters) -> Self {
        /// Items that may be lost before the grade is poor, and those that may be lost of any number.
        const MANY: u64 = 50;
        const FEW: u64 = 5;
        if lost == 0 {
            let left = side.hidden_left + side.dumpster_left + side.search_folders_left;
            return if left == 0 { Self::Perfect } else { Self::Good };
        }
        let is_small_share = lost <= MANY && lost.saturating_mul(1000) <= scanned;
        if lost <= FEW || is_small_share { Self::Investigate } else { Self::Poor }
    }
}

/// One folder.
#[derive(Debug, Clone, PartialEq)]
pub struct FolderReport {
    /// Names in the source.
    pub path: String,
    /// Why it went where it went.
    pub matched: FolderMatch,
    /// Whether the target has it, or will have it.
    pub has_target: bool,
    /// Its items.
    pub counters: Counters,
}

/// One mailbox.
#[derive(Debug, Clone, PartialEq)]
pub struct MailboxReport {
    /// GUID in the source.
    pub guid: MailboxGuid,
    /// Display name.
    pub name: String,
    /// How it found its counterpart.
    pub matched: MailboxMatch,
    /// What became of it.
    pub state: MailboxState,
    /// How much was lost.
    pub grade: Grade,
    /// Its folders.
    pub folders: Vec<FolderReport>,
    /// Its ordinary items.
    pub counters: Counters,
    /// Everything else.
    pub side: SideCounters,
    /// Items that could not be recovered.
    pub bad: Vec<BadItem>,
    /// Items of which only a part could be, and what is missing.
    pub partial: Vec<BadItem>,
    /// Bytes charged for what was written, or will be.
    pub write_bytes: u64,
    /// Items that were read back.
    pub verified: u64,
    /// Items that were not found as they were written, and why the mailbox failed.
    pub failures: Vec<String>,
    /// GUID of the counterpart.
    pub target: MailboxGuid,
    /// Size of the target mailbox before.
    pub bytes_before: i64,
    /// Its size after the last commit; none when nothing was written.
    pub bytes_after: Option<i64>,
    /// Quota above which its owner is warned, in bytes.
    pub quota_bytes: Option<i64>,
    /// Wall time in seconds.
    pub seconds: f64,
}

impl MailboxReport {
    /// The report of a plan: nothing was written yet.
    pub fn of_plan(plan: &MailboxPlan) -> Self {
        let MailboxPair { source, target, matched } = &plan.pair;
        let quota = target.as_ref().unwrap_or(source).profile.quotas.warning_kb;
        let write_bytes = plan.folders.iter().map(|folder| folder.write_bytes).sum();
        let mut report = Self {
            guid: source.profile.guid,
            name: source.profile.name.clone(),
            matched: *matched,
            state: MailboxState::Planned,
            grade: Grade::Perfect,
            folders: plan.folders.iter().map(FolderReport::of).collect(),
            counters: plan.counters,
            side: plan.side,
            bad: plan.bad.clone(),
            partial: Vec::new(),
            write_bytes,
            verified: 0,
            failures: Vec::new(),
            target: target.as_ref().unwrap_or(source).profile.guid,
            bytes_after: None,
            bytes_before: target.as_ref().map_or(0, |target| target.bytes),
            quota_bytes: quota.map(|kilobytes| i64::from(kilobytes).saturating_mul(1024)),
            seconds: 0.0,
        };
        report.grade();
        report
    }

    /// The report of a mailbox that could not even be planned.
    pub fn failed(pair: &MailboxPair, reason: String) -> Self {
        let plan = MailboxPlan {
            pair: pair.clone(),
            folders: Vec::new(),
            writes: Vec::new(),
            counters: Counters::default(),
            side: SideCounters::default(),
            bad: Vec::new(),
        };
        let mut report = Self::of_plan(&plan);
        report.fail(reason);
        report
    }

    /// Grades what was lost.
    pub fn grade(&mut self) {
        let lost = self.counters.bad + self.side.partial;
        self.grade = if self.has_lost_folder() {
            Grade::Poor
        } else {
            Grade::of(lost, self.counters.scanned, &self.side)
        };
    }

    fn has_lost_folder(&self) -> bool {
        let lost = FolderMatch::LeftOut(LeftOut::Unreadable);
        self.folders.iter().any(|folder| folder.matched == lost)
    }

    /// Whether the mailbox has, or will have, more than its owner may have without a warning (E9).
    pub fn is_over_quota(&self) -> bool {
        let predicted = i64::try_from(self.write_bytes).unwrap_or(i64::MAX);
        let after = self.bytes_after.unwrap_or(self.bytes_before.saturating_add(predicted));
        self.quota_bytes.is_some_and(|quota| after > quota)
    }

    /// The mailbox failed.
    pub fn fail(&mut self, reason: String) {
        /// More are not told one by one.
        const FAILURES_MAX: usize = 100;
        self.state = MailboxState::Failed;
        if self.failures.len() < FAILURES_MAX {
            self.failures.push(reason);
        }
    }

    /// Ends a mailbox that was written and verified (T1).
    pub fn complete(&mut self) {
        self.grade();
        if self.state != MailboxState::Failed {
            self.state = if self.grade <= Grade::Good && self.counters.bad == 0 {
                MailboxState::Completed
            } else {
                MailboxState::CompletedWithWarning
            };
        }
    }

    /// An item that was to be written could not be read.
    pub fn turn_bad(&mut self, write: &PlannedWrite, bad: BadItem) {
        self.bad.push(bad);
        let side = &mut self.side;
        let sides = match (write.counted, write.kind) {
            (_, WriteKind::MarkRead(_)) => {
                side.read_flags = side.read_flags.saturating_sub(1);
                return;
            }
            (Counted::Hidden, _) => Some((&mut side.hidden_inserted, &mut side.hidden_left)),
            (Counted::Dumpster, _) => Some((&mut side.dumpster_inserted, &mut side.dumpster_left)),
            (Counted::Ordinary, _) => None,
        };
        if let Some((inserted, left)) = sides {
            *inserted = inserted.saturating_sub(1);
            *left += 1;
            return;
        }
        let folder = self.folders.get_mut(write.folder as usize);
        let folder = folder.map(|folder| &mut folder.counters);
        for counters in folder.into_iter().chain([&mut self.counters]) {
            let term = match write.kind {
                WriteKind::Insert { .. } => &mut counters.inserted,
                _ => &mut counters.replaced,
            };
            *term = term.saturating_sub(1);
            counters.bad += 1;
        }
    }

    /// An item was written, but a part of it could not be read.
    pub fn turn_partial(&mut self, part: BadItem) {
        self.side.partial += 1;
        self.partial.push(part);
    }

    /// Whether all sums come out.
    pub fn adds_up(&self) -> bool {
        let mut sum = Counters::default();
        self.folders.iter().for_each(|folder| sum.add(&folder.counters));
        self.counters.adds_up() && sum == self.counters
    }
}

impl FolderReport {
    fn of(plan: &FolderPlan) -> Self {
        Self {
            path: plan.path.clone(),
            matched: plan.matched,
            has_target: !matches!(plan.target, FolderTarget::None),
            counters: plan.counters,
        }
    }
}

/// How many contents had to be copied for the items that were written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ContentCounts {
    /// Items that were inserted or replaced.
    pub items: u64,
    /// Contents copied for them: the other items hold one of these, or one that the target had.
    pub copied: u64,
}

impl ContentCounts {
    /// Counts items, and contents that were copied for them.
    pub fn add(&mut self, items: u64, copied: u64) {
        self.items += items;
        self.copied += copied;
    }

    /// The share of items that needed no copy of their own, 0 to 1; none when nothing was written.
    pub fn shared_share(&self) -> Option<f64> {
        let shared = self.items.saturating_sub(self.copied);
        (self.items > 0).then(|| shared as f64 / self.items as f64)
    }
}

/// A whole job.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct JobReport {
    /// Mailboxes in the order in which they were done.
    pub mailboxes: Vec<MailboxReport>,
    /// Those that were not.
    pub skipped: Vec<SkippedMailbox>,
    /// All ordinary items.
    pub counters: Counters,
    /// Everything else.
    pub side: SideCounters,
    /// Mailboxes that an earlier run of this job completed.
    pub done_before: u64,
    /// Columns of the source that the target has no place for.
    pub columns_left: Vec<String>,
    /// Bytes charged for what was written.
    pub write_bytes: u64,
    /// Items read back.
    pub verified: u64,
    /// Commits of the target.
    pub commits: u64,
    /// Contents behind the items that were written.
    pub contents: ContentCounts,
    /// Bytes written to the journal.
    pub log_bytes: u64,
    /// Where the time went; told by the parallel way of writing only.
    pub stages: Option<StageReport>,
    /// Wall time in seconds.
    pub seconds: f64,
}

impl JobReport {
    /// Adds a mailbox that is done.
    pub fn add(&mut self, mailbox: MailboxReport) {
        self.counters.add(&mailbox.counters);
        self.side.add(&mailbox.side);
        self.write_bytes += mailbox.write_bytes;
        self.verified += mailbox.verified;
        self.mailboxes.push(mailbox);
    }

    /// Mailboxes that failed.
    pub fn failed(&self) -> usize {
        self.mailboxes.iter().filter(|mailbox| mailbox.state == MailboxState::Failed).count()
    }

    /// The grade of the job.
    pub fn grade(&self) -> Grade {
        let lost = self.counters.bad + self.side.partial;
        let all = Grade::of(lost, self.counters.scanned, &self.side);
        if self.mailboxes.iter().any(MailboxReport::has_lost_folder) { Grade::Poor } else { all }
    }

    /// Whether all sums come out; anything else is a mistake of this program.
    pub fn adds_up(&self) -> bool {
        let mut sum = Counters::default();
        self.mailboxes.iter().for_each(|mailbox| sum.add(&mailbox.counters));
        sum == self.counters && self.mailboxes.iter().all(MailboxReport::adds_up)
    }
}
