//! Gathered changes of counters and references, and how they get into their rows.

use std::collections::BTreeMap;

use crate::ese::error::{EseError, EseResult};
use crate::mapi::{FileTime, FolderId, InstanceId};
use crate::stm::Draft;

use super::StoreWriter;
use crate::store::codec::to_long;
use crate::store::content::{Attachment, Content};
use crate::store::counts::FolderCounts;
use crate::store::scan;
use crate::store::schema::columns as col;
use crate::store::view::owner_of;

/// Folders kept in memory after a flush.
const FOLDERS_KEPT: usize = 10_000;

/// What happened in a folder since the last flush.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FolderChange {
    pub(super) root: FolderId,
    pub(super) counts: FolderCounts,
    pub(super) subfolders: i64,
    pub(super) deletions: i32,
    pub(super) commit_time_max: Option<FileTime>,
    pub(super) oldest_deleted: Option<FileTime>,
    /// Absolute.
    pub(super) next_article: i32,
    pub(super) is_changed: bool,
}

/// Holders that a content got or lost since the last flush.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct ReferenceChange {
    pub(super) live: i64,
    pub(super) soft: i64,
}

impl StoreWriter {
    /// Puts gathered counters and references into their rows; contents without a holder go. Not durable before the commit, and best
    /// done long before it: each changes a page, and pages that wait for the commit are what bounds it.
    ///
    /// # Errors
    /// [`EseError::Corrupt`] when a count would fall below zero or a row is missing: the writer is dead then.
    pub fn flush(&mut self) -> EseResult<()> {
        self.guarded(|writer| {
            writer.flush_references()?;
            writer.flush_folders()?;
            writer.flush_info()
        })
    }

    /// The changes of a folder, to be added to.
    pub(super) fn change_of(&mut self, id: FolderId) -> EseResult<&mut FolderChange> {
        if !self.folders.contains_key(&id) {
            let folder = self.look().folder(id)?;
            let folder = folder.ok_or_else(|| self.look().missing("folder", id))?;
            self.folders.insert(
                id,
                FolderChange {
                    root: folder.root,
                    counts: FolderCounts::default(),
                    subfolders: 0,
                    deletions: 0,
                    commit_time_max: None,
                    oldest_deleted: None,
                    next_article: folder.next_article.max(1),
                    is_changed: false,
                },
            );
        }
        match self.folders.get_mut(&id) {
            Some(change) => Ok(change),
            None => Err(EseError::corrupt_bytes(format!("folder {id} got lost"))),
        }
    }

    /// Notes that a content has got or lost holders.
    pub(super) fn refer(&mut self, instance: InstanceId, live: i64, soft: i64) {
        let change = self.references.entry(instance).or_default();
        change.live += live;
        change.soft += soft;
    }

    fn flush_references(&mut self) -> EseResult<()> {
        // Removing a content takes references from the mails embedded in it, so there may be several rounds.
        while let Some((instance, change)) = self.references.pop_first() {
            if change != ReferenceChange::default() {
                self.apply(instance, change)?;
            }
        }
        Ok(())
    }

    fn apply(&mut self, instance: InstanceId, change: ReferenceChange) -> EseResult<()> {
        let key = self.tables.contents.key(&[Some(&instance.to_store())])?;
        let pages = self.db.forest().pager();
        let counts = scan::row(pages, &self.tables.contents, &key, |fields| {
            Ok((fields.i32(col::REFERENCES)?, fields.i32(col::SOFT_REFERENCES)?))
        })?;
        let missing = || self.look().missing("content", instance);
        let (old_live, old_soft) = counts.ok_or_else(missing)?;
        let live = i64::from(old_live).saturating_add(change.live);
        let soft = i64::from(old_soft).saturating_add(change.soft);
        if live < 0 || soft < 0 {
            let reason = format!(
                "content {instance} has {old_live} and {old_soft} references, {} and {} were to be added",
                change.live, change.soft
            );
            return Err(EseError::corrupt_bytes(reason).in_file(&self.path));
        }
        if live == 0 && soft == 0 {
            let content = self.look().content(instance)?;
            let content = content.ok_or_else(|| self.look().missing("content", instance))?;
            return self.remove_content(&content);
        }
        let mut draft = Draft::new(&self.tables.contents);
        draft.i32(col::REFERENCES, to_long(live)).i32(col::SOFT_REFERENCES, to_long(soft));
        draft.update(&mut self.db, &key)?;
        Ok(())
    }

    fn remove_content(&mut self, content: &Content) -> EseResult<()> {
        let instance = content.instance;
        if let Some(stream) = &content.stream {
            let owner = owner_of(&self.tables.contents, col::STREAM, instance)?;
            self.stm.free(&mut self.db, &owner, stream)?;
        }
        for attachment in &content.attachments {
            self.release_attachment(*attachment)?;
        }
        let key = self.tables.contents.key(&[Some(&instance.to_store())])?;
        self.db.delete(self.tables.contents.def(), &key)
    }

    fn release_attachment(&mut self, instance: InstanceId) -> EseResult<()> {
        let attachment = self.look().attachment(instance)?;
        let attachment = attachment.ok_or_else(|| self.look().missing("attachment", instance))?;
        let key = self.tables.attachments.key(&[Some(&instance.to_store())])?;
        if attachment.references > 1 {
            let mut draft = Draft::new(&self.tables.attachments);
            draft.i32(col::ATTACHMENT_REFERENCES, to_long(attachment.references - 1));
            draft.update(&mut self.db, &key)?;
            return Ok(());
        }
        let Attachment { embedded, stream, .. } = attachment;
        if let Some(stream) = &stream {
            let owner = owner_of(&self.tables.attachments, col::DATA_STREAM, instance)?;
            self.stm.free(&mut self.db, &owner, stream)?;
        }
        if let Some(embedded) = embedded {
            self.refer(embedded, -1, 0);
        }
        self.db.delete(self.tables.attachments.def(), &key)
    }

    fn flush_folders(&mut self) -> EseResult<()> {
        let mut mailboxes: BTreeMap<FolderId, FolderCounts> = BTreeMap::new();
        let changed: Vec<(FolderId, FolderChange)> = self
            .folders
            .iter()
            .filter(|(_, change)| change.is_changed)
            .map(|(id, change)| (*id, *change))
            .collect();
        for (id, change) in changed {
            self.store_folder(id, &change)?;
            mailboxes.entry(change.root).or_default().add(&change.counts);
            if let Some(kept) = self.folders.get_mut(&id) {
                *kept = FolderChange {
                    counts: FolderCounts::default(),
                    subfolders: 0,
                    deletions: 0,
                    is_changed: false,
                    ..*kept
                };
            }
        }
        for (root, counts) in mailboxes {
            self.store_mailbox(root, &counts)?;
        }
        if self.folders.len() > FOLDERS_KEPT {
            self.folders.clear();
        }
        Ok(())
    }

    fn store_folder(&mut self, id: FolderId, change: &FolderChange) -> EseResult<()> {
        let folder = self.look().folder(id)?;
        let folder = folder.ok_or_else(|| self.look().missing("folder", id))?;
        let key = self.tables.folders.key(&[Some(&id.to_store())])?;
        let hierarchy = |fields: &crate::stm::Fields<'_, '_, _>| {
            Ok((fields.i32(col::HIERARCHY_CHANGE)?, fields.i64_or_null(col::OLDEST_DELETED)?))
        };
        let pages = self.db.forest().pager();
        let found = scan::row(pages, &self.tables.folders, &key, hierarchy)?;
        let (hierarchy_change, oldest) = found.unwrap_or_default();
        let mut counts = folder.counts;
        counts.add(&change.counts);
        if let Some((name, count)) = counts.named().into_iter().find(|(_, count)| *count < 0) {
            let reason = format!("folder {id}: the counter of {name} falls to {count}");
            return Err(EseError::corrupt_bytes(reason).in_file(&self.path));
        }
        let mut draft = Draft::new(&self.tables.folders);
        counts.put(&mut draft);
        draft
            .i32(col::NEXT_ARTICLE, change.next_article)
            .i32(col::DELETED_TOTAL, folder.deleted_total.wrapping_add(change.deletions));
        if change.subfolders != 0 {
            let subfolders = folder.subfolders.saturating_add(change.subfolders);
            draft
                .i32(col::SUBFOLDER_COUNT, to_long(subfolders))
                .i32(col::HIERARCHY_CHANGE, hierarchy_change.wrapping_add(1));
        }
        if let Some(FileTime(time)) = change.commit_time_max.max(folder.commit_time_max) {
            draft.i64(col::COMMIT_TIME_MAX, time);
        }
        if let Some(FileTime(time)) = change.oldest_deleted {
            draft.i64(col::OLDEST_DELETED, oldest.map_or(time, |oldest| oldest.min(time)));
        }
        draft.update(&mut self.db, &key)?;
        Ok(())
    }

    fn store_mailbox(&mut self, root: FolderId, change: &FolderCounts) -> EseResult<()> {
        let key = self.tables.mailbox.key(&[Some(&root.to_store())])?;
        let read = |fields: &crate::stm::Fields<'_, '_, _>| {
            let long = |column: &str| fields.i32(column).map(i64::from);
            Ok((fields.i64(col::SIZE)?, long(col::ITEM_COUNT)?, long(col::DELETED_COUNT)?))
        };
        let found = scan::row(self.db.forest().pager(), &self.tables.mailbox, &key, read)?;
        let (bytes, items, deleted) =
            found.ok_or_else(|| self.look().missing("mailbox with root", root))?;
        let (normal, associated) = (&change.normal, &change.associated);
        let mut draft = Draft::new(&self.tables.mailbox);
        draft
            .i64(col::SIZE, bytes.saturating_add(change.bytes()))
            .i32(col::ITEM_COUNT, to_long(items + normal.items + associated.items))
            .i32(
                col::DELETED_COUNT,
                to_long(deleted + normal.deleted_items + associated.deleted_items),
            );
        draft.update(&mut self.db, &key)?;
        Ok(())
    }

    fn flush_info(&mut self) -> EseResult<()> {
        if self.info == self.stored_info {
            return Ok(());
        }
        let key = self.tables.global.key(&[Some(&1i32.to_le_bytes())])?;
        let mut draft = Draft::new(&self.tables.global);
        draft
            .i64(col::NEXT_ID, self.info.next_id.cast_signed())
            .i64(col::NEXT_CHANGE, self.info.next_change.cast_signed());
        draft.update(&mut self.db, &key)?;
        self.stored_info = self.info;
        Ok(())
    }
}
