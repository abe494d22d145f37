//! The recovery engine: which items of the source are in the target already, what is to be done about each, and doing it.
//!
//! Its core, pairing ([`mod@pair`]) and deciding ([`mod@decide`]), is pure: both see a few numbers of each item, never a
//! store, and ask for fingerprints only where cheaper keys collide. So the plain and the parallel way of recovering, a dry
//! run and a run, cannot disagree. Source: recover-semantics 5, 6, 8, 14.
//!
//! | files | what they are for |
//! |---|---|
//! | `job`, `space`, `out`, `options` | a recovery from beginning to end, what it is asked for, what is refused before it starts |
//! | `select`, `folders`, `hierarchy`, `filter` | which mailbox and folder goes where |
//! | `gather`, `pair`, `item`, `decide`, `planner`, `plan` | the plan of one mailbox |
//! | `plain`, `pipeline` | two ways of writing it: item by item, and by whole pages that several threads build |
//! | `place`, `share`, `partial` | what an item becomes in the target; contents that are there already; mails saved in part |
//! | `verify`, `report`, `counters`, `stages` | reading back what was written; what is told of it, and of the time it took |

pub mod counters;
pub mod decide;
pub mod filter;
mod folder_names;
pub mod folders;
pub mod gather;
pub mod hierarchy;
pub mod item;
pub mod job;
pub mod options;
pub mod out;
pub mod pair;
mod partial;
mod pipeline;
pub mod place;
mod plain;
pub mod plan;
pub mod planner;
pub mod report;
pub mod select;
pub mod share;
pub mod space;
pub mod stages;
pub mod verify;

pub use counters::Counters;
pub use decide::{Action, ConflictRule, DeletedRule, Mode, MovedRule, Rules, decide};
pub use item::{Item, ItemFlag, Side};
pub use job::{Progress, RunOptions, Watch, WritePath, recover, recover_into_copy};
pub use options::{DumpsterRule, FolderOptions, HiddenRule, MailboxOptions, Options};
pub use pair::{Outcome, Pairing, pair_items};
pub use plan::{
    BadItem, FolderMatch, FolderPlan, FolderTarget, LeftOut, MailboxMatch, MailboxPair,
    MailboxPlan, NewParent, PlannedWrite, SideCounters, WriteKind,
};
pub use planner::{KnownReplicas, TargetSearch, plan_mailbox, plan_mailbox_by};
pub use report::{ContentCounts, FolderReport, Grade, JobReport, MailboxReport, MailboxState};
pub use select::{MailboxMatches, SkipReason, SkippedMailbox, match_mailboxes};
pub use stages::{Crew, QueueDepth, Stage, StageReport, StageTime};
