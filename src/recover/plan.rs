//! What is to be done to one mailbox: the words that planning, writing, verifying and reporting share.
//!
//! A plan depends only on the two stores and the options (recover-semantics P3). It names items by their ids and holds no content;
//! memory is bounded by [`PlannedWrite`] for each item that will be written.

use super::counters::Counters;
use crate::mapi::{FolderId, InstanceId};
use crate::store::{ItemId, Mailbox, NewFolder, Role};

/// How two mailboxes found each other. Source: recover-semantics 3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailboxMatch {
    /// Equal GUIDs.
    Guid,
    /// Equal owners, by distinguished name.
    ByDn,
    /// The map said so.
    Map,
    /// The target lacks it; it is to be made.
    Created,
}

/// A source mailbox and its counterpart.
#[derive(Debug, Clone, PartialEq)]
pub struct MailboxPair {
    /// In the source.
    pub source: Mailbox,
    /// In the target; none when it is to be made.
    pub target: Option<Mailbox>,
    /// Why they belong together.
    pub matched: MailboxMatch,
}

/// Why a folder was matched as it was. Source: recover-semantics F4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FolderMatch {
    /// Both have the same role.
    Role,
    /// Both have the same id, in stores of one lineage.
    Id,
    /// Equal names below matched parents.
    Name,
    /// The target has none; it is to be made.
    Created,
    /// It does not take part.
    LeftOut(LeftOut),
}

/// Why a folder does not take part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeftOut {
    /// A search folder: its items are links (F14).
    Search,
    /// Outbox, spooler and deferred actions: their items could be sent or run again (F15).
    Queue,
    /// Views, shortcuts, free/busy: made by clients.
    Client,
    /// A filter.
    Filter,
    /// The target lacks it, and folders are not to be made (F12).
    NotCreated,
    /// None of its items would be written (F13).
    Empty,
    /// Its row cannot be read: name and parent are lost, and its items with it.
    Unreadable,
}

/// Where the items of a source folder go.
#[derive(Debug, Clone, PartialEq)]
pub enum FolderTarget {
    /// Into this folder.
    Existing(FolderId),
    /// Into a folder that is made first, in the folder of `parent`.
    New {
        /// Where it is made.
        parent: NewParent,
        /// What it is called.
        folder: NewFolder,
    },
    /// Into the folder that a mailbox which is itself to be made will have for this role.
    Role(Role),
    /// Nowhere.
    None,
}

/// The parent of a folder to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NewParent {
    /// It exists.
    Existing(FolderId),
    /// That of an earlier folder of the plan, by its place there.
    Planned(usize),
}

/// One source folder.
#[derive(Debug, Clone, PartialEq)]
pub struct FolderPlan {
    /// In the source; none for a folder that only the plan needs (the folder of a copy).
    pub source: Option<FolderId>,
    /// Names from the IPM subtree down, for people.
    pub path: String,
    /// Why it goes where it goes.
    pub matched: FolderMatch,
    /// Where its items go.
    pub target: FolderTarget,
    /// The target has no folder of its role, so that it becomes a plain one (F6).
    pub is_role_lost: bool,
    /// Its ordinary items.
    pub counters: Counters,
    /// Bytes charged for the items to be written.
    pub write_bytes: u64,
}

/// What a write does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteKind {
    /// A new item. The source's id is kept when it is free in the target mailbox (W3, D6).
    Insert {
        /// Whether it is.
        keep_id: bool,
    },
    /// A new version of this target item, whose ids stay (C8).
    Replace(ItemId),
    /// The target's item is marked read (R1); nothing else changes.
    MarkRead(ItemId),
}

/// What a written item counts as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// An ordinary item.
    Ordinary,
    /// A hidden one.
    Hidden,
    /// A soft-deleted one.
    Dumpster,
}

/// One item that is to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlannedWrite {
    /// The source item.
    pub source: ItemId,
    /// Its content.
    pub instance: InstanceId,
    /// Bytes charged for it.
    pub bytes: u64,
    /// Which of the plan's folders it is in.
    pub folder: u32,
    /// What is done.
    pub kind: WriteKind,
    /// What it counts as.
    pub counted: Counted,
    /// Whether the written item is read: the source's flag, or either side's for a replacement (R1).
    pub is_read: bool,
}

/// Things that are counted beside the ordinary items. Source: recover-semantics 14.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SideCounters {
    /// Hidden items inserted.
    pub hidden_inserted: u64,
    /// Hidden items of a class and subject that the target folder has already.
    pub hidden_unchanged: u64,
    /// Hidden items left.
    pub hidden_left: u64,
    /// Soft-deleted source items written.
    pub dumpster_inserted: u64,
    /// Soft-deleted source items that the target folder has already.
    pub dumpster_unchanged: u64,
    /// Soft-deleted source items left.
    pub dumpster_left: u64,
    /// Items in queues (Outbox), listed and left.
    pub queued_left: u64,
    /// Search folders left.
    pub search_folders_left: u64,
    /// Items that only the target has.
    pub target_only: u64,
    /// Items whose clock ran ahead.
    pub future_time: u64,
    /// Items with damage that were written all the same.
    pub partial: u64,
    /// Read flags to be set.
    pub read_flags: u64,
    /// Folders to be made.
    pub folders_created: u64,
    /// Fingerprints that pairing had to compute.
    pub fingerprints: u64,
}

impl SideCounters {
    /// Adds those of another mailbox.
    pub fn add(&mut self, other: &Self) {
        let terms = [
            (&mut self.hidden_inserted, other.hidden_inserted),
            (&mut self.hidden_unchanged, other.hidden_unchanged),
            (&mut self.hidden_left, other.hidden_left),
            (&mut self.dumpster_inserted, other.dumpster_inserted),
            (&mut self.dumpster_unchanged, other.dumpster_unchanged),
            (&mut self.dumpster_left, other.dumpster_left),
            (&mut self.queued_left, other.queued_left),
            (&mut self.search_folders_left, other.search_folders_left),
            (&mut self.target_only, other.target_only),
            (&mut self.future_time, other.future_time),
            (&mut self.partial, other.partial),
            (&mut self.read_flags, other.read_flags),
            (&mut self.folders_created, other.folders_created),
            (&mut self.fingerprints, other.fingerprints),
        ];
        terms.into_iter().for_each(|(sum, more)| *sum += more);
    }
}

/// An item that cannot be recovered. Source: recover-semantics E6.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadItem {
    /// Where it is.
    pub folder_path: String,
    /// Its ids, when they could be read.
    pub item: Option<ItemId>,
    /// What is wrong, naming the place in the file.
    pub reason: String,
}

/// The plan of one mailbox.
#[derive(Debug, Clone, PartialEq)]
pub struct MailboxPlan {
    /// The two mailboxes.
    pub pair: MailboxPair,
    /// Source folders, parents before children.
    pub folders: Vec<FolderPlan>,
    /// What will be written, by folder and in the order of the source's ids.
    pub writes: Vec<PlannedWrite>,
    /// All ordinary items.
    pub counters: Counters,
    /// Everything else.
    pub side: SideCounters,
    /// Items that cannot be read.
    pub bad: Vec<BadItem>,
}
