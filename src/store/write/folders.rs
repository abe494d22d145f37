//! New folders.

use crate::ese::error::{EseError, EseResult, Refusal};
use crate::mapi::{ChangeKey, ChangeNumber, FileTime, FolderId, Pcl, SourceKey, to_utf16le};
use crate::stm::Draft;

use super::StoreWriter;
use crate::store::codec::name_key;
use crate::store::counts::FolderCounts;
use crate::store::folder::{Folder, FolderKind, split_path};
use crate::store::mailbox::Mailbox;
use crate::store::schema::columns as col;
use crate::store::view::StoreInfo;

/// A folder to be created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFolder {
    /// Name to show; unique among its siblings, whatever the case.
    pub name: String,
    /// Container class; empty for none.
    pub class: String,
    /// Comment; empty for none.
    pub comment: String,
    /// What kind it is.
    pub kind: FolderKind,
    /// Creation; the writer's time unless given.
    pub created: Option<FileTime>,
}

impl NewFolder {
    /// An ordinary folder for mail.
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            class: "IPF.Note".to_owned(),
            comment: String::new(),
            kind: FolderKind::Generic,
            created: None,
        }
    }
}

/// What the store adds to a new folder.
pub(super) struct FolderRow {
    pub(super) id: FolderId,
    pub(super) parent: Option<FolderId>,
    pub(super) root: FolderId,
    pub(super) change: ChangeNumber,
    pub(super) change_key: ChangeKey,
    pub(super) subfolders: i32,
}

impl FolderRow {
    pub(super) fn put(
        &self,
        draft: &mut Draft<'_, '_>,
        new: &NewFolder,
        store: &StoreInfo,
        now: FileTime,
    ) {
        let FileTime(created) = new.created.unwrap_or(now);
        let source_key = SourceKey { replica: store.replica, counter: self.id.counter };
        FolderCounts::default().put(draft);
        draft
            .copied(col::FOLDER, &self.id.to_store())
            .copied(col::ROOT, &self.root.to_store())
            .i32(col::FOLDER_TYPE, new.kind.number())
            .i32(col::SUBFOLDER_COUNT, self.subfolders)
            .i32(col::SUBMITTED_COUNT, 0)
            .i32(col::RECEIVE_COUNT, 0)
            .i32(col::SOFT_FOLDER_COUNT, 0)
            .i32(col::HIERARCHY_CHANGE, 0)
            .i32(col::DELETED_TOTAL, 0)
            .i32(col::NEXT_ARTICLE, 1)
            .i32(col::FOLDER_FLAGS, 0)
            .i64(col::CREATED, created)
            .i64(col::MODIFIED, created)
            .i64(col::COMMIT_TIME, now.0)
            .copied(col::CHANGE, &self.change.to_store())
            .bytes(col::CHANGE_KEY, self.change_key.to_bytes())
            .bytes(col::PCL, Pcl::of(self.change_key).to_bytes())
            .bytes(col::SOURCE_KEY, source_key.to_bytes().to_vec())
            .bytes(col::NAME_KEY, name_key(&new.name))
            .bytes(col::NAME, to_utf16le(&new.name))
            .filled(col::COMMENT, to_utf16le(&new.comment))
            .filled(col::CLASS, new.class.clone().into_bytes());
        if let Some(parent) = self.parent {
            draft.copied(col::PARENT, &parent.to_store());
        }
    }
}

impl StoreWriter {
    /// Creates a folder in `parent`.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] when there is no such parent; [`Refusal::DuplicateKey`] when it has a folder of that name;
    /// [`Refusal::BadRequest`] for an empty name.
    pub fn create_folder(&mut self, parent: FolderId, new: &NewFolder) -> EseResult<FolderId> {
        self.alive()?;
        if new.name.is_empty() {
            return Err(self.refused(Refusal::BadRequest, "a folder needs a name"));
        }
        let above = self.look().folder(parent)?;
        let above = above.ok_or_else(|| self.look().missing("folder", parent))?;
        if let Some(twin) = self.look().subfolder(parent, &new.name)? {
            let reason = format!("{} has a folder {} already", above.name, twin.name);
            return Err(self.refused(Refusal::DuplicateKey, reason));
        }
        self.guarded(|writer| {
            let id = FolderId::new(writer.info.local_replica, writer.reserve_ids(1)?);
            let (change, change_key) = writer.next_change()?;
            let (parent_id, root) = (Some(parent), above.root);
            let row = FolderRow { id, parent: parent_id, root, change, change_key, subfolders: 0 };
            let mut draft = Draft::new(&writer.tables.folders);
            row.put(&mut draft, new, &writer.info, writer.now);
            draft.insert(&mut writer.db)?;
            let change = writer.change_of(parent)?;
            change.subfolders += 1;
            change.is_changed = true;
            Ok(id)
        })
    }

    /// The folder at a path as [`crate::store::View::folder_at`] reads it; what is missing of it is created.
    ///
    /// # Errors
    /// As there, for a role that is missing; those of [`Self::create_folder`].
    pub fn ensure_folder(&mut self, mailbox: &Mailbox, path: &str) -> EseResult<Folder> {
        let names = split_path(path);
        let is_role =
            names.first().is_some_and(|name| name.starts_with('#') && name.ends_with('#'));
        let (top, names) = match names.split_first() {
            Some((role, rest)) if is_role => (role.as_str(), rest),
            _ => ("", names.as_slice()),
        };
        let mut folder = self.look().folder_at(mailbox, top)?;
        for name in names {
            folder = match self.look().subfolder(folder.id, name)? {
                Some(folder) => folder,
                None => {
                    let new = NewFolder { class: folder.class.clone(), ..NewFolder::named(name) };
                    let new = if new.class.is_empty() { NewFolder::named(name) } else { new };
                    let id = self.create_folder(folder.id, &new)?;
                    let created = self.look().folder(id)?;
                    created.ok_or_else(|| self.lost(id))?
                }
            };
        }
        Ok(folder)
    }

    fn lost(&self, id: FolderId) -> EseError {
        self.look().missing("folder", id)
    }
}
