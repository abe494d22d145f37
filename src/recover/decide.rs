//! What is to be done about each source item, by mode and rules. Source: recover-semantics 6, 8.

use super::item::{Item, ItemFlag};
use super::pair::{Outcome, Scope};

/// A FILETIME day: times further ahead of the job's start than this do not count.
const DAY: i64 = 24 * 3600 * 10_000_000;

/// How a mailbox is recovered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Adds what is missing; newer versions win; moved items stay where the user put them.
    Merge,
    /// Lays the source over the existing mailbox: the source wins where both have an item.
    CopyOverlay,
    /// Puts the source's folders beside the existing ones, under one new folder.
    CopyFolder,
}

impl Mode {
    /// How far pairing looks.
    pub fn scope(self) -> Scope {
        match self {
            Self::Merge => Scope::Mailbox,
            Self::CopyOverlay | Self::CopyFolder => Scope::Folders,
        }
    }
}

/// Which version of an edited item stays (`--conflict`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ConflictRule {
    /// The newer one; the target's when they are equally old.
    #[default]
    Latest,
    /// The source's.
    Source,
    /// The target's.
    Target,
    /// Both.
    All,
}

/// What is done about items that lie in another folder of the target (`--moved`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MovedRule {
    /// Nothing: the user filed them.
    #[default]
    Skip,
    /// They are inserted again, as the tools of 2003 did.
    Duplicate,
}

/// What is done about items that the user has deleted since (`--deleted`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DeletedRule {
    /// They stay deleted.
    #[default]
    Respect,
    /// They come back.
    Resurrect,
}

/// The rules of one job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// Merge or copy.
    pub mode: Mode,
    /// Edited items.
    pub conflict: ConflictRule,
    /// Moved items.
    pub moved: MovedRule,
    /// Deleted items.
    pub deleted: DeletedRule,
    /// Planned start of the job, FILETIME: kept in the plan, so that a later run decides alike.
    pub planned_start: i64,
}

/// What is to be done about one source item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Written as a new item.
    Insert,
    /// Written in place of the target's item.
    Replace(u32),
    /// Nothing: the target has the same.
    Unchanged,
    /// Nothing: the user moved it.
    Moved,
    /// Nothing: the user moved it, and the target's version stays.
    MovedConflictKept,
    /// Nothing: the user deleted it.
    DeletedInTarget,
    /// Nothing: the target's version is newer, or the rule says so.
    ConflictKeptTarget,
    /// Nothing: both versions are equally old.
    Tie,
}

/// Decides about one source item. `target` are the items that pairing saw.
///
/// `has_twin` answers, for `--conflict=all`, whether an item of equal search key and content is in that folder already.
pub fn decide(
    rules: &Rules,
    item: &Item,
    outcome: Outcome,
    target: &[Item],
    has_twin: impl FnOnce() -> bool,
) -> Action {
    let other = |at: u32| target.get(at as usize);
    match outcome {
        Outcome::Missing => Action::Insert,
        Outcome::Unchanged(_) => Action::Unchanged,
        Outcome::Moved(_) if rules.moved == MovedRule::Duplicate => Action::Insert,
        Outcome::Moved(_) => Action::Moved,
        Outcome::DeletedInTarget(_) if rules.deleted == DeletedRule::Resurrect => Action::Insert,
        Outcome::DeletedInTarget(_) => Action::DeletedInTarget,
        Outcome::MovedConflict(_) if rules.moved == MovedRule::Duplicate => Action::Insert,
        Outcome::MovedConflict(at) => match conflict(rules, item, at, other(at), has_twin) {
            Action::ConflictKeptTarget | Action::Tie => Action::MovedConflictKept,
            action => action,
        },
        Outcome::Conflict(at) => conflict(rules, item, at, other(at), has_twin),
    }
}

fn conflict(
    rules: &Rules,
    item: &Item,
    at: u32,
    other: Option<&Item>,
    has_twin: impl FnOnce() -> bool,
) -> Action {
    let Some(other) = other else { return Action::Insert };
    let is_whole_there = !other.flags.contains(ItemFlag::DAMAGED);
    if item.flags.contains(ItemFlag::DAMAGED) && is_whole_there {
        // Half a mail never replaces a whole one.
        return Action::ConflictKeptTarget;
    }
    if !item.flags.contains(ItemFlag::DAMAGED)
        && !is_whole_there
        && age(rules, item) == age(rules, other)
    {
        // The same version, of which an earlier job could save a part only.
        return Action::Replace(at);
    }
    let rule = match rules.mode {
        Mode::CopyOverlay => ConflictRule::Source,
        // What the user did to the copy stays; a repeated job only adds what is missing (Y6).
        Mode::CopyFolder => ConflictRule::Target,
        Mode::Merge => rules.conflict,
    };
    match rule {
        ConflictRule::Source => Action::Replace(at),
        ConflictRule::Target => Action::ConflictKeptTarget,
        ConflictRule::All if has_twin() => Action::Unchanged,
        ConflictRule::All => Action::Insert,
        ConflictRule::Latest => match age(rules, item).cmp(&age(rules, other)) {
            std::cmp::Ordering::Greater => Action::Replace(at),
            std::cmp::Ordering::Equal => Action::Tie,
            std::cmp::Ordering::Less => Action::ConflictKeptTarget,
        },
    }
}

/// The time that counts: a missing one, or one of a clock that ran ahead, is the oldest.
fn age(rules: &Rules, item: &Item) -> i64 {
    if is_future(rules, item) { 0 } else { item.modified.max(0) }
}

/// Whether the item was changed by a clock that ran ahead (`future_time`).
pub fn is_future(rules: &Rules, item: &Item) -> bool {
    is_future_time(rules, item.modified)
}

/// Whether a time of modification, a FILETIME, is that of a clock that ran ahead.
pub fn is_future_time(rules: &Rules, modified: i64) -> bool {
    modified > rules.planned_start.saturating_add(DAY)
}
