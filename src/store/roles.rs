//! The folders that a mailbox has from the start, and what each is for.
//!
//! A role does not depend on names: the 13 logon folders are known by their place in the mailbox row, the others by entry
//! ids on the Inbox and the root. Source: exchange-store 4; recover-semantics F5.

use crate::ese::error::EseResult;
use crate::ese::txn::Pages;
use crate::mapi::{FolderEntryId, FolderId};
use crate::stm::Fields;

use super::mailbox::Mailbox;
use super::scan;
use super::schema::columns as col;
use super::view::View;

/// What a well-known folder is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// The root of the mailbox.
    Root,
    /// Deferred actions of rules.
    DeferredAction,
    /// The spooler's queue.
    SpoolerQueue,
    /// Root of what users see.
    IpmSubtree,
    /// Inbox.
    Inbox,
    /// Outbox.
    Outbox,
    /// Sent Items.
    SentItems,
    /// Deleted Items.
    DeletedItems,
    /// Views that belong to all folders.
    CommonViews,
    /// Free/busy data.
    Schedule,
    /// Root of search folders.
    Finder,
    /// Personal views.
    Views,
    /// Shortcuts.
    Shortcuts,
    /// Calendar.
    Calendar,
    /// Contacts.
    Contacts,
    /// Journal.
    Journal,
    /// Notes.
    Notes,
    /// Tasks.
    Tasks,
    /// Drafts.
    Drafts,
    /// Conflicts found by an offline client.
    Conflicts,
    /// Sync Issues.
    SyncIssues,
    /// Local Failures.
    LocalFailures,
    /// Server Failures.
    ServerFailures,
    /// Junk E-mail.
    JunkEmail,
}

/// The logon folders in their order in the mailbox row. Source: exchange-store 4.
pub const LOGON_ROLES: [Role; 13] = [
    Role::Root,
    Role::DeferredAction,
    Role::SpoolerQueue,
    Role::IpmSubtree,
    Role::Inbox,
    Role::Outbox,
    Role::SentItems,
    Role::DeletedItems,
    Role::CommonViews,
    Role::Schedule,
    Role::Finder,
    Role::Views,
    Role::Shortcuts,
];

/// The folders known by an entry id on the Inbox and the root, with the column that holds it. Source: exchange-store 3.2.
pub const ENTRY_ID_ROLES: [(Role, &str); 6] = [
    (Role::Calendar, "N36d0"),
    (Role::Contacts, "N36d1"),
    (Role::Journal, "N36d2"),
    (Role::Notes, "N36d3"),
    (Role::Tasks, "N36d4"),
    (Role::Drafts, "N36d7"),
];

/// The folders known by their place in the list of entry ids (`MN36d8`). Source: exchange-store 3.2.
pub const LISTED_ROLES: [Role; 5] =
    [Role::Conflicts, Role::SyncIssues, Role::LocalFailures, Role::ServerFailures, Role::JunkEmail];

impl Role {
    /// Every role.
    pub fn all() -> impl Iterator<Item = Self> {
        let by_entry_id = ENTRY_ID_ROLES.map(|(role, _)| role);
        LOGON_ROLES.into_iter().chain(by_entry_id).chain(LISTED_ROLES)
    }

    /// The name that the folder is created with.
    pub fn default_name(self) -> &'static str {
        match self {
            Self::Root => "Root",
            Self::DeferredAction => "Deferred Action",
            Self::SpoolerQueue => "Spooler Queue",
            Self::IpmSubtree => "Top of Information Store",
            Self::Inbox => "Inbox",
            Self::Outbox => "Outbox",
            Self::SentItems => "Sent Items",
            Self::DeletedItems => "Deleted Items",
            Self::CommonViews => "Common Views",
            Self::Schedule => "Schedule",
            Self::Finder => "Finder",
            Self::Views => "Views",
            Self::Shortcuts => "Shortcuts",
            Self::Calendar => "Calendar",
            Self::Contacts => "Contacts",
            Self::Journal => "Journal",
            Self::Notes => "Notes",
            Self::Tasks => "Tasks",
            Self::Drafts => "Drafts",
            Self::Conflicts => "Conflicts",
            Self::SyncIssues => "Sync Issues",
            Self::LocalFailures => "Local Failures",
            Self::ServerFailures => "Server Failures",
            Self::JunkEmail => "Junk E-mail",
        }
    }

    /// The role in one word of ASCII, for programs.
    pub fn word(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::DeferredAction => "deferred_action",
            Self::SpoolerQueue => "spooler_queue",
            Self::IpmSubtree => "ipm_subtree",
            Self::Inbox => "inbox",
            Self::Outbox => "outbox",
            Self::SentItems => "sent_items",
            Self::DeletedItems => "deleted_items",
            Self::CommonViews => "common_views",
            Self::Schedule => "schedule",
            Self::Finder => "finder",
            Self::Views => "views",
            Self::Shortcuts => "shortcuts",
            Self::Calendar => "calendar",
            Self::Contacts => "contacts",
            Self::Journal => "journal",
            Self::Notes => "notes",
            Self::Tasks => "tasks",
            Self::Drafts => "drafts",
            Self::Conflicts => "conflicts",
            Self::SyncIssues => "sync_issues",
            Self::LocalFailures => "local_failures",
            Self::ServerFailures => "server_failures",
            Self::JunkEmail => "junk_email",
        }
    }

    /// The container class that the folder is created with.
    pub fn container_class(self) -> &'static str {
        match self {
            Self::Calendar => "IPF.Appointment",
            Self::Contacts => "IPF.Contact",
            Self::Journal => "IPF.Journal",
            Self::Notes => "IPF.StickyNote",
            Self::Tasks => "IPF.Task",
            Self::Inbox
            | Self::Outbox
            | Self::SentItems
            | Self::DeletedItems
            | Self::Drafts
            | Self::Conflicts
            | Self::SyncIssues
            | Self::LocalFailures
            | Self::ServerFailures
            | Self::JunkEmail => "IPF.Note",
            _ => "",
        }
    }

    /// The role of the folder that it is created in; none for the root.
    pub fn parent(self) -> Option<Self> {
        match self {
            Self::Root => None,
            Self::DeferredAction
            | Self::SpoolerQueue
            | Self::IpmSubtree
            | Self::CommonViews
            | Self::Schedule
            | Self::Finder
            | Self::Views
            | Self::Shortcuts => Some(Self::Root),
            Self::Conflicts | Self::LocalFailures | Self::ServerFailures => Some(Self::SyncIssues),
            _ => Some(Self::IpmSubtree),
        }
    }
}

impl<P: Pages + ?Sized> View<'_, P> {
    /// The well-known folders of a mailbox: those of its row, then those that its Inbox, or its root, names by entry ids.
    /// Each is a folder of this mailbox.
    ///
    /// # Errors
    /// [`crate::ese::EseError::Corrupt`], [`crate::ese::EseError::Io`].
    pub fn roles(&self, mailbox: &Mailbox) -> EseResult<Vec<(Role, FolderId)>> {
        self.roles_among(mailbox, &mut |id| {
            Ok(self.folder(id)?.is_some_and(|folder| folder.root == mailbox.root))
        })
    }

    /// The same for a caller who knows the folders of the mailbox: those that `is_own` says yes to.
    ///
    /// # Errors
    /// As [`Self::roles`]; what `is_own` reports.
    pub fn roles_among(
        &self,
        mailbox: &Mailbox,
        is_own: &mut dyn FnMut(FolderId) -> EseResult<bool>,
    ) -> EseResult<Vec<(Role, FolderId)>> {
        let mut roles: Vec<(Role, FolderId)> =
            LOGON_ROLES.into_iter().zip(mailbox.logon_folders.iter().copied()).collect();
        let replicas = self.replicas()?;
        for holder in [mailbox.logon_folder(Role::Inbox), Some(mailbox.root)].into_iter().flatten()
        {
            for (role, entry_id) in self.entry_ids(holder)? {
                let Ok(id) = FolderEntryId::from_bytes(&entry_id) else { continue };
                let replica = replicas.iter().find(|(_, guid)| *guid == id.folder.replica);
                let Some((replica, _)) = replica else { continue };
                let folder = FolderId::new(*replica, id.folder.counter);
                let is_new = roles.iter().all(|(known, _)| *known != role);
                if is_new && is_own(folder)? {
                    roles.push((role, folder));
                }
            }
        }
        Ok(roles)
    }

    fn entry_ids(&self, holder: FolderId) -> EseResult<Vec<(Role, Vec<u8>)>> {
        let key = self.tables.folders.key(&[Some(&holder.to_store())])?;
        let read = |fields: &Fields<'_, '_, P>| {
            let mut found = Vec::new();
            for (role, column) in ENTRY_ID_ROLES {
                found.push((role, fields.bytes_or_empty(column)?));
            }
            let listed = fields.all(col::SPECIAL_FOLDERS)?;
            found.extend(LISTED_ROLES.into_iter().zip(listed));
            Ok(found)
        };
        Ok(scan::row(self.pages, &self.tables.folders, &key, read)?.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_role_has_words_of_its_own_and_a_way_to_the_root() {
        let (words, names): (HashSet<_>, HashSet<_>) =
            Role::all().map(|role| (role.word(), role.default_name())).unzip();
        assert_eq!((words.len(), names.len()), (24, 24));
        for role in Role::all() {
            let steps = std::iter::successors(Some(role), |role| role.parent()).take(9);
            assert_eq!(steps.last(), Some(Role::Root));
        }
    }
}
