//! What a job is asked to do. Source: recover-semantics 3 to 8.

use super::decide::{Mode, Rules};
use crate::mapi::MailboxGuid;

/// How a job recovers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Merge or copy, and the rules for edited, moved and deleted items.
    pub rules: Rules,
    /// Mailboxes.
    pub mailboxes: MailboxOptions,
    /// Folders.
    pub folders: FolderOptions,
    /// Soft-deleted items of the source.
    pub dumpster: DumpsterRule,
    /// Hidden (associated) items.
    pub hidden: HiddenRule,
    /// Whether an item that cannot be read whole is left out, rather than written with what can be read (`--partial=drop`, E7).
    pub drop_partial: bool,
    /// Whether an item that both have becomes read when the source's is (`--read-state=union`).
    pub unite_read_state: bool,
}

impl Options {
    /// The defaults of a mode; `planned_start` is a FILETIME.
    pub fn new(mode: Mode, planned_start: i64) -> Self {
        Self {
            rules: Rules {
                mode,
                conflict: super::ConflictRule::default(),
                moved: super::MovedRule::default(),
                deleted: super::DeletedRule::default(),
                planned_start,
            },
            mailboxes: MailboxOptions::default(),
            folders: FolderOptions::default(),
            dumpster: DumpsterRule::default(),
            hidden: HiddenRule::default(),
            drop_partial: false,
            unite_read_state: false,
        }
    }
}

/// Which mailboxes take part, and how they find each other. Source: recover-semantics 3.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MailboxOptions {
    /// GUIDs, distinguished names or display names of source mailboxes; none means all but system mailboxes.
    pub only: Vec<String>,
    /// Source and target GUIDs that belong together whatever else is known (M7).
    pub map: Vec<(MailboxGuid, MailboxGuid)>,
    /// Only equal GUIDs match; otherwise an owner's name that is unique in both stores does too (M1).
    pub by_guid_only: bool,
    /// A mailbox that the target lacks is made, with the same GUID (M9).
    pub create_missing: bool,
}

/// Which folders take part, and which are made. Source: recover-semantics 4.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FolderOptions {
    /// Source folders that take part: `Name/Sub`, `#inbox#`, either with `/*` for all below; none means all.
    pub include: Vec<String>,
    /// Source folders that do not, stronger than `include`.
    pub exclude: Vec<String>,
    /// Missing folders are not made; their items are left out (F12).
    pub create_none: bool,
    /// Empty source folders are made in a merge too (F13).
    pub create_empty: bool,
    /// Items of the Outbox go to Drafts (F15).
    pub include_outbox: bool,
    /// Name of the folder of [`Mode::CopyFolder`] (Y5).
    pub copy_folder: Option<String>,
}

/// What becomes of the source's soft-deleted items (`--dumpster`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DumpsterRule {
    /// Nothing.
    #[default]
    Exclude,
    /// They stay soft-deleted, in the same folder.
    Preserve,
}

/// What becomes of the source's hidden items (`--fai`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HiddenRule {
    /// Nothing.
    Skip,
    /// They are inserted where the target folder has none of that class and subject.
    #[default]
    ByClass,
}
