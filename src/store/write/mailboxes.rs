//! New mailboxes, with the folders that every client finds.

use crate::ese::error::{EseResult, Refusal};
use crate::mapi::{EntryObject, FolderEntryId, FolderId, GlobCnt, LongTermId, MailboxGuid};
use crate::stm::Draft;

use super::StoreWriter;
use super::folders::{FolderRow, NewFolder};
use crate::store::folder::FolderKind;
use crate::store::mailbox::{Mailbox, MailboxProfile};
use crate::store::roles::{ENTRY_ID_ROLES, LOGON_ROLES, Role};
use crate::store::schema::columns as col;

/// Folders of a new mailbox.
const FOLDERS: usize = LOGON_ROLES.len() + ENTRY_ID_ROLES.len();

impl StoreWriter {
    /// Adds a mailbox with its 13 logon folders, and Calendar, Contacts, Journal, Notes, Tasks and Drafts.
    ///
    /// # Errors
    /// [`Refusal::DuplicateKey`] when the store has a mailbox with this GUID.
    pub fn add_mailbox(&mut self, profile: &MailboxProfile) -> EseResult<Mailbox> {
        self.alive()?;
        if self.look().mailbox(profile.guid)?.is_some() {
            let reason = format!("there is a mailbox {} already", profile.guid);
            return Err(self.refused(Refusal::DuplicateKey, reason));
        }
        self.guarded(|writer| {
            let folders = writer.number_folders()?;
            let [root, ..] = folders;
            for place in 0..FOLDERS {
                writer.put_role(profile.guid, &folders, place)?;
            }
            let mut logon = [root; LOGON_ROLES.len()];
            logon.iter_mut().zip(folders).for_each(|(slot, folder)| *slot = folder);
            let store = *writer.info.store.as_bytes();
            let mut draft = Draft::new(&writer.tables.mailbox);
            Mailbox::put(&mut draft, profile, &store, &logon);
            draft.insert(&mut writer.db)?;
            if let Some(inbox) = folders.get(place_of(Role::Inbox)) {
                writer.put_receive_folder(root, *inbox)?;
            }
            let mailbox = writer.look().mailbox(profile.guid)?;
            mailbox.ok_or_else(|| writer.look().missing("mailbox", profile.guid))
        })
    }

    fn number_folders(&mut self) -> EseResult<[FolderId; FOLDERS]> {
        let first = self.reserve_ids(FOLDERS as u64)?;
        let mut folders = [FolderId::new(self.info.local_replica, first); FOLDERS];
        for (step, folder) in folders.iter_mut().enumerate() {
            folder.counter = first.checked_add(step as u64).unwrap_or(GlobCnt::MAX);
        }
        Ok(folders)
    }

    fn put_role(
        &mut self,
        mailbox: MailboxGuid,
        folders: &[FolderId; FOLDERS],
        place: usize,
    ) -> EseResult<()> {
        let [root, ..] = *folders;
        let Some((role, id)) = roles().nth(place).zip(folders.get(place)) else { return Ok(()) };
        let parent = role.parent().and_then(|parent| folders.get(place_of(parent)).copied());
        let kind = if role == Role::Root { FolderKind::Root } else { FolderKind::Generic };
        let new = NewFolder {
            kind,
            class: role.container_class().to_owned(),
            ..NewFolder::named(role.default_name())
        };
        let below = roles().filter(|other| other.parent() == Some(role)).count();
        let (change, change_key) = self.next_change()?;
        let row = FolderRow { id: *id, parent, root, change, change_key, subfolders: below as i32 };
        let mut draft = Draft::new(&self.tables.folders);
        row.put(&mut draft, &new, &self.info, self.now);
        if role == Role::Inbox {
            draft.i32(col::RECEIVE_COUNT, 1);
        }
        if matches!(role, Role::Inbox | Role::Root) {
            for (named, column) in ENTRY_ID_ROLES {
                let Some(folder) = folders.get(place_of(named)) else { continue };
                let folder = LongTermId { replica: self.info.replica, counter: folder.counter };
                let object = EntryObject::Private;
                let id = FolderEntryId { provider: mailbox, object, folder };
                draft.bytes(column, id.to_bytes());
            }
        }
        draft.insert(&mut self.db)?;
        Ok(())
    }

    /// Mail of every class goes to the Inbox.
    fn put_receive_folder(&mut self, root: FolderId, inbox: FolderId) -> EseResult<()> {
        let mut draft = Draft::new(&self.tables.receive);
        draft
            .copied(col::ROOT, &root.to_store())
            .copied(col::FOLDER, &inbox.to_store())
            .bytes(col::RECEIVE_KEY, &b""[..])
            .bytes(col::RECEIVE_CLASS, &b""[..]);
        draft.insert(&mut self.db)?;
        Ok(())
    }
}

/// The roles of a new mailbox in the order of their ids.
fn roles() -> impl Iterator<Item = Role> {
    LOGON_ROLES.into_iter().chain(ENTRY_ID_ROLES.map(|(role, _)| role))
}

fn place_of(role: Role) -> usize {
    roles().position(|other| other == role).unwrap_or(0)
}
