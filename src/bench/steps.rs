//! Which measurements there are.

use super::parameters::{Parameters, Subject};

/// A store in the working directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreKind {
    /// The restored store.
    Source,
    /// An empty store with its mailboxes.
    Empty,
    /// Its twin: 90 % of its items are there already.
    Twin,
    /// The store of the dial-tone day: the same mailboxes, a little new mail.
    DialTone,
    /// Many small items, many mailboxes.
    Small,
    /// An empty store with those mailboxes.
    SmallEmpty,
    /// What the first copy made.
    Recovered,
    /// A store that has one in so many mailboxes of the source, and nothing else.
    Part(usize),
    /// An empty store with those mailboxes.
    PartEmpty(usize),
    /// A store that has these mailboxes of the target of a merge, and nothing else.
    TargetPart(usize),
}

impl StoreKind {
    /// The name of its folder.
    pub fn name(self) -> String {
        match self {
            Self::Source => "source".to_owned(),
            Self::Empty => "empty".to_owned(),
            Self::Twin => "twin".to_owned(),
            Self::DialTone => "dialtone".to_owned(),
            Self::Small => "small".to_owned(),
            Self::SmallEmpty => "small-empty".to_owned(),
            Self::Recovered => "recovered".to_owned(),
            Self::Part(one_in) => format!("part-{one_in}"),
            Self::PartEmpty(one_in) => format!("part-{one_in}-empty"),
            Self::TargetPart(one_in) => format!("target-part-{one_in}"),
        }
    }
}

/// A recovery that is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recovery {
    /// The source.
    pub from: StoreKind,
    /// What the target is a copy of.
    pub onto: StoreKind,
    /// Merge, or copy.
    pub is_merge: bool,
    /// Threads.
    pub workers: usize,
}

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// How fast the disk writes.
    Disk,
    /// A store is made.
    Make(StoreKind),
    /// The source is read as plain files.
    Read,
    /// The source is copied as plain files.
    Copy,
    /// A recovery.
    Recover(Recovery),
    /// A merge with nothing to do.
    Rerun,
    /// Checksums only.
    CheckQuick,
    /// Every rule.
    Check,
    /// Two pairs change places.
    Exchange,
}

/// One measurement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Its name in files.
    pub id: String,
    /// For people.
    pub title: String,
    /// What is done.
    pub work: Work,
    /// How often.
    pub repeats: u32,
}

/// The copy of everything, with all workers.
pub const COPY: &str = "copy";
/// The merge of a source that is mostly there.
pub const MERGE: &str = "merge";
/// The merge with nothing to do.
pub const RERUN: &str = "rerun";
/// The dial-tone store merged into the restored one.
pub const SWAP_MERGE: &str = "swap-merge";
/// The restored store copied into the dial-tone one.
pub const SWAP_COPY: &str = "swap-copy";
/// Two pairs change places.
pub const EXCHANGE: &str = "exchange";
/// The plain copy of the files.
pub const CP: &str = "cp";
/// The plain reading of the files.
pub const READ: &str = "read";
/// Checksums.
pub const CHECK_QUICK: &str = "check-quick";
/// All rules.
pub const CHECK: &str = "check";
/// The disk.
pub const DISK: &str = "disk";
/// The copy of many small items.
pub const SMALL: &str = "small";
/// The beginning of the names of copies of a part of the mailboxes.
pub const PART: &str = "copy-part-";
/// The beginning of the names of merges of a part of the mailboxes.
pub const MERGE_PART: &str = "merge-part-";
/// The beginning of the names of copies with fewer workers.
pub const WORKERS: &str = "copy-workers-";
/// The beginning of the names of makings.
pub const MAKE: &str = "make-";

/// The parts of the size sweep: one in so many mailboxes.
pub const PARTS: [usize; 3] = [8, 4, 2];

/// The parts that are merged, too.
const MERGE_PARTS: [usize; 2] = [4, 2];

/// All measurements of these parameters, in their order.
pub fn steps(parameters: &Parameters) -> Vec<Step> {
    let list = List { parameters, steps: Vec::new() };
    match &parameters.subject {
        Subject::Made { .. } => list.made(),
        Subject::Given { to, .. } => list.given(to.is_some()),
    }
}

struct List<'p> {
    parameters: &'p Parameters,
    steps: Vec<Step>,
}

impl List<'_> {
    fn add(&mut self, id: &str, title: &str, work: Work) {
        let is_once = matches!(work, Work::Make(_));
        let repeats = if is_once { 1 } else { self.parameters.repeats };
        self.steps.push(Step { id: id.to_owned(), title: title.to_owned(), work, repeats });
    }

    fn make(&mut self, kind: StoreKind, title: &str) {
        self.add(&format!("{MAKE}{}", kind.name()), title, Work::Make(kind));
    }

    fn recovery(&self, from: StoreKind, onto: StoreKind, is_merge: bool) -> Recovery {
        Recovery { from, onto, is_merge, workers: self.parameters.workers }
    }

    fn made(mut self) -> Vec<Step> {
        use StoreKind::{DialTone, Empty, Small, SmallEmpty, Source, Twin};
        self.make(Source, "make the restored store");
        self.make(Empty, "create an empty store with its mailboxes");
        self.common(Empty);
        self.make(Twin, "make its twin, which has 90 % of its items");
        let merge = self.recovery(Source, Twin, true);
        self.add(MERGE, "merge into the twin", Work::Recover(merge));
        self.merge_parts();
        self.make(DialTone, "make the dial-tone store, with 5 % of new mail");
        let merge = self.recovery(DialTone, Source, true);
        self.add(
            SWAP_MERGE,
            "swapped: merge the dial-tone store into the restored one",
            Work::Recover(merge),
        );
        let copy = self.recovery(Source, DialTone, false);
        self.add(
            SWAP_COPY,
            "not swapped: copy the restored store into the dial-tone one",
            Work::Recover(copy),
        );
        self.add(EXCHANGE, "exchange the two pairs of files", Work::Exchange);
        self.make(Small, "make a store of small items");
        self.make(SmallEmpty, "create an empty store with its mailboxes");
        let copy = self.recovery(Small, SmallEmpty, false);
        self.add(SMALL, "copy small items", Work::Recover(copy));
        self.steps
    }

    fn given(mut self, has_target: bool) -> Vec<Step> {
        use StoreKind::{DialTone, Empty, Source};
        self.make(Source, "copy the given source");
        let onto = if has_target { DialTone } else { Empty };
        let title = if has_target {
            "copy the given target"
        } else {
            "create an empty store with its mailboxes"
        };
        self.make(onto, title);
        self.common(onto);
        if has_target {
            let merge = self.recovery(Source, DialTone, true);
            self.add(MERGE, "merge into the target", Work::Recover(merge));
            self.merge_parts();
            let merge = self.recovery(DialTone, Source, true);
            self.add(SWAP_MERGE, "swapped: merge the target into the source", Work::Recover(merge));
            self.add(EXCHANGE, "exchange the two pairs of files", Work::Exchange);
        }
        self.steps
    }

    /// Merges of a part of the mailboxes: what tells the cost of writing among items that are there from all others.
    fn merge_parts(&mut self) {
        for one_in in MERGE_PARTS {
            let title = format!("merge one in {one_in} mailboxes");
            let (from, onto) = (StoreKind::Part(one_in), StoreKind::TargetPart(one_in));
            let merge = self.recovery(from, onto, true);
            self.add(&format!("{MERGE_PART}{one_in}"), &title, Work::Recover(merge));
        }
    }

    /// What every pair can be asked.
    fn common(&mut self, onto: StoreKind) {
        self.add(DISK, "write to the disk", Work::Disk);
        self.add(READ, "read the source as plain files", Work::Read);
        self.add(CP, "copy the source as plain files, and sync", Work::Copy);
        let copy = self.recovery(StoreKind::Source, onto, false);
        self.add(COPY, "copy all mailboxes", Work::Recover(copy));
        self.add(RERUN, "merge once more: nothing to do", Work::Rerun);
        self.add(CHECK_QUICK, "check: checksums", Work::CheckQuick);
        self.add(CHECK, "check: every rule", Work::Check);
        for one_in in PARTS {
            let title = format!("copy one in {one_in} mailboxes");
            let (from, onto) = (StoreKind::Part(one_in), StoreKind::PartEmpty(one_in));
            let part = self.recovery(from, onto, false);
            self.add(&format!("{PART}{one_in}"), &title, Work::Recover(part));
        }
        for workers in 1..self.parameters.workers {
            let title = format!("copy all mailboxes, workers: {workers}");
            let copy = Recovery { workers, ..copy };
            self.add(&format!("{WORKERS}{workers}"), &title, Work::Recover(copy));
        }
        if self.parameters.workers == 1 {
            let copy = Recovery { workers: 2, ..copy };
            self.add(&format!("{WORKERS}2"), "copy all mailboxes, workers: 2", Work::Recover(copy));
        }
    }
}
