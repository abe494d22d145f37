//! What a report counts, and the sum that must come out. Source: recover-semantics 14.

use super::decide::Action;

/// Items of one folder, one mailbox or a whole job, by what became of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Ordinary items of folders that take part.
    pub scanned: u64,
    /// Written as new items.
    pub inserted: u64,
    /// Written in place of the target's version.
    pub replaced: u64,
    /// In the target already.
    pub unchanged: u64,
    /// In another folder of the target.
    pub moved: u64,
    /// In another folder of the target, in another version, which stays.
    pub moved_conflict_kept: u64,
    /// Deleted by the user since.
    pub deleted_in_target: u64,
    /// In another version, which stays.
    pub conflict_kept_target: u64,
    /// In another, equally old version, which stays.
    pub tie: u64,
    /// Left out by filters.
    pub filtered: u64,
    /// Left out because their folder may not be created.
    pub skipped_no_folder: u64,
    /// Lost whole.
    pub bad: u64,
    /// Not decided yet.
    pub pending: u64,
}

impl Counters {
    /// Counts one decided item.
    pub fn count(&mut self, action: Action) {
        self.scanned += 1;
        let counter = match action {
            Action::Insert => &mut self.inserted,
            Action::Replace(_) => &mut self.replaced,
            Action::Unchanged => &mut self.unchanged,
            Action::Moved => &mut self.moved,
            Action::MovedConflictKept => &mut self.moved_conflict_kept,
            Action::DeletedInTarget => &mut self.deleted_in_target,
            Action::ConflictKeptTarget => &mut self.conflict_kept_target,
            Action::Tie => &mut self.tie,
        };
        *counter += 1;
    }

    /// Adds the items of another folder or mailbox.
    pub fn add(&mut self, other: &Self) {
        let terms = [
            (&mut self.scanned, other.scanned),
            (&mut self.inserted, other.inserted),
            (&mut self.replaced, other.replaced),
            (&mut self.unchanged, other.unchanged),
            (&mut self.moved, other.moved),
            (&mut self.moved_conflict_kept, other.moved_conflict_kept),
            (&mut self.deleted_in_target, other.deleted_in_target),
            (&mut self.conflict_kept_target, other.conflict_kept_target),
            (&mut self.tie, other.tie),
            (&mut self.filtered, other.filtered),
            (&mut self.skipped_no_folder, other.skipped_no_folder),
            (&mut self.bad, other.bad),
            (&mut self.pending, other.pending),
        ];
        terms.into_iter().for_each(|(sum, more)| *sum += more);
    }

    /// Every counter with its name, in the order of reports.
    pub fn named(&self) -> [(&'static str, u64); 13] {
        [
            ("scanned", self.scanned),
            ("inserted", self.inserted),
            ("replaced", self.replaced),
            ("unchanged", self.unchanged),
            ("moved", self.moved),
            ("moved_conflict_kept", self.moved_conflict_kept),
            ("deleted_in_target", self.deleted_in_target),
            ("conflict_kept_target", self.conflict_kept_target),
            ("tie", self.tie),
            ("filtered", self.filtered),
            ("skipped_no_folder", self.skipped_no_folder),
            ("bad", self.bad),
            ("pending", self.pending),
        ]
    }

    /// Whether every scanned item stands in exactly one other counter.
    pub fn adds_up(&self) -> bool {
        let terms = [
            self.inserted,
            self.replaced,
            self.unchanged,
            self.moved,
            self.moved_conflict_kept,
            self.deleted_in_target,
            self.conflict_kept_target,
            self.tie,
            self.filtered,
            self.skipped_no_folder,
            self.bad,
            self.pending,
        ];
        self.scanned == terms.iter().sum::<u64>()
    }
}
