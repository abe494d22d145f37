//! What became of a job: per folder, per mailbox and in total. Source: recover-semantics 11, 14, E5.

use super::counters::Counters;
use super::plan::{
    BadItem, FolderMatch, FolderPlan, FolderTarget, MailboxMatch, MailboxPair, MailboxPlan,
    SideCounters,
};
use super::select::SkippedMailbox;
use crate::mapi::MailboxGuid;

/// The state of a mailbox in a job, in the words that administrators know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailboxState {
    /// Planned, not written: a dry run.
    Planned,
    /// Some of it is written.
    InProgress,
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
            Self::Completed => "Completed",
            Self::CompletedWithWarning => "CompletedWithWarning",
            Self::Failed => "Failed",
        }
    }

    /// The number in the job's table.
    pub fn number(self) -> i32 {
        match self {
            Self::Planned => 0,
            Self::InProgress => 2,
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
    /// Bytes charged for what was written, or will be.
    pub write_bytes: u64,
    /// Items that were read back.
    pub verified: u64,
    /// Items that were not found as they were written, and why the mailbox failed.
    pub failures: Vec<String>,
    /// Size of the target mailbox before.
    pub bytes_before: i64,
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
            write_bytes,
            verified: 0,
            failures: Vec::new(),
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
        self.grade = Grade::of(lost, self.counters.scanned, &self.side);
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
    pub fn turn_bad(&mut self, folder: u32, was_insert: bool, bad: BadItem) {
        let folder = self.folders.get_mut(folder as usize).map(|folder| &mut folder.counters);
        for counters in folder.into_iter().chain([&mut self.counters]) {
            let term = if was_insert { &mut counters.inserted } else { &mut counters.replaced };
            *term = term.saturating_sub(1);
            counters.bad += 1;
        }
        self.bad.push(bad);
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
    /// Columns of the source that the target has no place for.
    pub columns_left: Vec<String>,
    /// Bytes charged for what was written.
    pub write_bytes: u64,
    /// Items read back.
    pub verified: u64,
    /// Commits of the target.
    pub commits: u64,
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
        Grade::of(lost, self.counters.scanned, &self.side)
    }

    /// Whether all sums come out; anything else is a mistake of this program.
    pub fn adds_up(&self) -> bool {
        let mut sum = Counters::default();
        self.mailboxes.iter().for_each(|mailbox| sum.add(&mailbox.counters));
        sum == self.counters && self.mailboxes.iter().all(MailboxReport::adds_up)
    }
}
