//! Items: into a folder, out of it, from one to another, read and unread.

use crate::ese::error::{EseResult, Refusal};
use crate::mapi::{
    ChangeKey, FileTime, FolderId, InstanceId, ItemFlags, MapiMessage, MessageFlags, MessageId,
    Pcl, Promoted, RecipientKind, SourceKey,
};
use crate::stm::Draft;

use super::StoreWriter;
use super::contents::Stored;
use crate::store::content::{Content, creation_of};
use crate::store::counts::ItemWeight;
use crate::store::item::{Headers, Item, ItemId};
use crate::store::schema::columns as col;

/// PR_FLAG_STATUS of an item that its reader has marked.
const FLAGGED: i32 = 2;

impl StoreWriter {
    /// Puts a mail into a folder, its MIME into the streaming file, unless the store holds the same MIME already.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] when there is no such folder; [`crate::ese::EseError::Io`].
    pub fn insert_mime(
        &mut self,
        folder: FolderId,
        mail: &Promoted,
        mime: &[u8],
    ) -> EseResult<ItemId> {
        self.guard_folder(folder)?;
        self.guarded(|writer| {
            let stored = writer.store_mime(mail, mime)?;
            writer.put_new(folder, mail, stored)
        })
    }

    /// Puts a mail into a folder in MAPI form: bodies and attachments in the database.
    ///
    /// # Errors
    /// As [`Self::insert_mime`]; [`Refusal::BadRequest`] for more than [`super::ATTACHMENT_ROWS_MAX`] attachments.
    pub fn insert_mapi(&mut self, folder: FolderId, mail: &MapiMessage) -> EseResult<ItemId> {
        self.guard_folder(folder)?;
        self.check_mapi(mail, 0)?;
        self.guarded(|writer| {
            let stored = writer.store_mapi(mail)?;
            writer.put_new(folder, &mail.promoted, stored)
        })
    }

    /// Puts a mail whose content is in the store already into one more folder, of any mailbox.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] when there is no such folder or content.
    pub fn insert_shared(
        &mut self,
        folder: FolderId,
        mail: &Promoted,
        instance: InstanceId,
    ) -> EseResult<ItemId> {
        self.guard_folder(folder)?;
        self.require_content(instance)?;
        self.guarded(|writer| writer.put_new(folder, mail, Stored { instance, is_new: false }))
    }

    /// Puts an item into the store as it is given, but for what belongs to the target: the root follows from the folder, article
    /// number, change number and commit time are new. `item.instance` is one more holder of a content in the store.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] when there is no such folder or content; [`Refusal::DuplicateKey`] when the folder has an item
    /// with this id.
    pub fn insert_item(&mut self, item: &Item) -> EseResult<ItemId> {
        self.guard_folder(item.id.folder)?;
        let content = self.require_content(item.instance)?;
        if self.look().item(item.id)?.is_some() {
            let reason = format!("folder {} has an item {}", item.id.folder, item.id.message);
            return Err(self.refused(Refusal::DuplicateKey, reason));
        }
        self.guarded(|writer| {
            let (change, _) = writer.next_change()?;
            let item = Item { change: Some(change), ..item.clone() };
            writer.put_item(item, &content, false)
        })
    }

    pub(super) fn guard_folder(&mut self, folder: FolderId) -> EseResult<()> {
        self.alive()?;
        self.change_of(folder).map(drop)
    }

    /// The row of a mail that comes into the store.
    fn put_new(&mut self, folder: FolderId, mail: &Promoted, stored: Stored) -> EseResult<ItemId> {
        let content = self.require_content(stored.instance)?;
        let message = MessageId::new(self.info.local_replica, self.reserve_ids(1)?);
        let (change, change_key) = self.next_change()?;
        let created = creation_of(mail).or(Some(self.now));
        let item = Item {
            id: ItemId { folder, message },
            root: folder, // put_item knows better
            instance: stored.instance,
            associated: false,
            read: mail.flags.contains(ItemFlags::READ),
            flags: mail.message_flags(),
            status: mail.flags.to_message_status(),
            sort_time: mail.delivery_time.or(created),
            commit_time: None,
            created,
            modified: created,
            delivered: mail.delivery_time,
            deleted_on: None,
            change: Some(change),
            change_key: Some(change_key),
            pcl: Pcl::of(change_key),
            source_key: Some(self.source_key(message)),
            bytes: content.bytes,
            article: 0,
            partial: false,
            search_key: Some(mail.search_key),
            headers: headers_of(mail),
            flag_status: mail.flags.contains(ItemFlags::FLAGGED).then_some(FLAGGED),
            categories: mail.categories.clone(),
        };
        self.put_item(item, &content, stored.is_new)
    }

    fn source_key(&self, message: MessageId) -> SourceKey {
        SourceKey { replica: self.info.replica, counter: message.counter }
    }

    /// Writes a row and counts it. A content that was stored for it has its reference already.
    fn put_item(&mut self, item: Item, content: &Content, is_new: bool) -> EseResult<ItemId> {
        self.put_item_over(item, content, is_new, |_| Ok(()))
    }

    /// As [`Self::put_item`], over what `fill` has put into the row before.
    pub(super) fn put_item_over<'v>(
        &mut self,
        mut item: Item,
        content: &Content,
        is_new: bool,
        fill: impl FnOnce(&mut Draft<'_, 'v>) -> EseResult<()>,
    ) -> EseResult<ItemId> {
        let now = self.now;
        let change = self.change_of(item.id.folder)?;
        item.root = change.root;
        item.article = change.next_article;
        item.commit_time = Some(now);
        item.bytes = content.bytes;
        change.next_article = change.next_article.saturating_add(1);
        self.count(&item, content, 1)?;
        let (live, soft) = if item.deleted_on.is_some() { (0, 1) } else { (1, 0) };
        self.refer(item.instance, live - i64::from(is_new), soft);
        let mut draft = Draft::new(&self.tables.items);
        fill(&mut draft)?;
        item.put(&mut draft);
        draft.insert(&mut self.db)?;
        Ok(item.id)
    }

    /// Adds an item to the counters of its folder, or takes it away.
    fn count(&mut self, item: &Item, content: &Content, sign: i64) -> EseResult<()> {
        let (now, deleted_on) = (self.now, item.deleted_on);
        let change = self.change_of(item.id.folder)?;
        change.counts.count(&weight_of(item, content), sign);
        change.commit_time_max = change.commit_time_max.max(Some(now));
        change.is_changed = true;
        if sign > 0 && deleted_on.is_some() {
            let earlier = change.oldest_deleted.into_iter().chain(deleted_on).min();
            change.oldest_deleted = earlier;
        }
        if sign < 0 && deleted_on.is_none() {
            change.deletions = change.deletions.wrapping_add(1);
        }
        Ok(())
    }

    fn require_item(&self, id: ItemId) -> EseResult<Item> {
        self.alive()?;
        let item = self.look().item(id)?;
        item.ok_or_else(|| self.look().missing("item", id.message))
    }

    fn item_key(&self, id: ItemId) -> EseResult<Vec<u8>> {
        self.tables.items.key(&[Some(&id.folder.to_store()), Some(&id.message.to_store())])
    }

    /// Removes an item for good; its content goes with its last holder.
    ///
    /// # Errors
    /// [`Refusal::NotFound`].
    pub fn delete_item(&mut self, id: ItemId) -> EseResult<()> {
        let item = self.require_item(id)?;
        let content = self.require_content(item.instance)?;
        self.guarded(|writer| {
            let key = writer.item_key(id)?;
            writer.db.delete(writer.tables.items.def(), &key)?;
            writer.count(&item, &content, -1)?;
            let (live, soft) = if item.deleted_on.is_some() { (0, -1) } else { (-1, 0) };
            writer.refer(item.instance, live, soft);
            Ok(())
        })
    }

    /// Moves an item to the dumpster of its folder. One that is there already stays.
    ///
    /// # Errors
    /// [`Refusal::NotFound`].
    pub fn soft_delete_item(&mut self, id: ItemId) -> EseResult<()> {
        let item = self.require_item(id)?;
        if item.deleted_on.is_some() {
            return Ok(());
        }
        let content = self.require_content(item.instance)?;
        self.guarded(|writer| {
            let FileTime(now) = writer.now;
            let (change, key) = writer.next_change()?;
            let mut draft = Draft::new(&writer.tables.items);
            draft.i64(col::DELETED_ON, now).i64(col::COMMIT_TIME, now);
            put_change(&mut draft, change, key, &item.pcl);
            let bookmark = writer
                .tables
                .items
                .key(&[Some(&id.folder.to_store()), Some(&id.message.to_store())])?;
            draft.update(&mut writer.db, &bookmark)?;
            writer.count(&item, &content, -1)?;
            let deleted = Item { deleted_on: Some(FileTime(now)), ..item };
            writer.count(&deleted, &content, 1)?;
            writer.refer(deleted.instance, -1, 1);
            Ok(())
        })
    }

    /// Marks an item read or unread. The item's change number stays: read state is tracked apart (exchange-store 3.4).
    ///
    /// # Errors
    /// [`Refusal::NotFound`].
    pub fn set_read(&mut self, id: ItemId, read: bool) -> EseResult<()> {
        let item = self.require_item(id)?;
        if item.read == read {
            return Ok(());
        }
        let content = self.require_content(item.instance)?;
        self.guarded(|writer| {
            let (change, _) = writer.next_change()?;
            let mut flags = item.flags;
            flags.set(MessageFlags::READ, read);
            let bookmark = writer.item_key(id)?;
            let mut draft = Draft::new(&writer.tables.items);
            draft
                .bit(col::READ, read)
                .i32(col::FLAGS, flags.bits().cast_signed())
                .i64(col::COMMIT_TIME, writer.now.0)
                .copied(col::READ_CHANGE, &change.to_store());
            draft.update(&mut writer.db, &bookmark)?;
            let weight = weight_of(&item, &content);
            let now = writer.now;
            let folder = writer.change_of(id.folder)?;
            folder.counts.count(&weight, -1);
            folder.counts.count(&ItemWeight { read, ..weight }, 1);
            folder.commit_time_max = folder.commit_time_max.max(Some(now));
            folder.is_changed = true;
            Ok(())
        })
    }

    /// Copies an item into a folder as its owner would: new ids, a creation time of its own, the same content and search key.
    ///
    /// # Errors
    /// [`Refusal::NotFound`].
    pub fn copy_item(&mut self, id: ItemId, folder: FolderId) -> EseResult<ItemId> {
        let item = self.require_item(id)?;
        self.guard_folder(folder)?;
        let content = self.require_content(item.instance)?;
        self.guarded(|writer| {
            let created = Some(writer.now);
            let copy = writer.renewed(&Item { created, ..item }, folder)?;
            writer.put_item(copy, &content, false)
        })
    }

    /// Moves an item into another folder; it gets new ids there (exchange-store 3.3).
    ///
    /// # Errors
    /// [`Refusal::NotFound`].
    pub fn move_item(&mut self, id: ItemId, folder: FolderId) -> EseResult<ItemId> {
        let item = self.require_item(id)?;
        self.guard_folder(folder)?;
        let content = self.require_content(item.instance)?;
        self.guarded(|writer| {
            let moved = writer.renewed(&item, folder)?;
            let moved = writer.put_item(moved, &content, false)?;
            let key = writer.item_key(id)?;
            writer.db.delete(writer.tables.items.def(), &key)?;
            writer.count(&item, &content, -1)?;
            let (live, soft) = if item.deleted_on.is_some() { (0, -1) } else { (-1, 0) };
            writer.refer(item.instance, live, soft);
            Ok(moved)
        })
    }

    /// The same item with new ids in a folder.
    fn renewed(&mut self, item: &Item, folder: FolderId) -> EseResult<Item> {
        let message = MessageId::new(self.info.local_replica, self.reserve_ids(1)?);
        let (change, change_key) = self.next_change()?;
        let mut pcl = item.pcl.clone();
        pcl.add(change_key);
        Ok(Item {
            id: ItemId { folder, message },
            change: Some(change),
            change_key: Some(change_key),
            pcl,
            source_key: Some(self.source_key(message)),
            ..item.clone()
        })
    }

    /// Gives an item another content, stored as MIME, as an edit does: same ids and search key, a new change and modification
    /// time (the writer's). Other holders of the old content keep it.
    ///
    /// # Errors
    /// [`Refusal::NotFound`]; [`crate::ese::EseError::Io`].
    pub fn edit_item(&mut self, id: ItemId, mail: &Promoted, mime: &[u8]) -> EseResult<()> {
        let item = self.require_item(id)?;
        let old = self.require_content(item.instance)?;
        self.guarded(|writer| {
            let mut mail = mail.clone();
            mail.search_key = item.search_key.unwrap_or(mail.search_key);
            let stored = writer.store_mime(&mail, mime)?;
            let edited = writer.edited(&item, &mail, stored)?;
            writer.replace(&item, &old, edited, stored.is_new)
        })
    }

    fn edited(&mut self, item: &Item, mail: &Promoted, stored: Stored) -> EseResult<Item> {
        let (change, change_key) = self.next_change()?;
        let mut pcl = item.pcl.clone();
        pcl.add(change_key);
        Ok(Item {
            instance: stored.instance,
            headers: headers_of(mail),
            modified: Some(self.now),
            change: Some(change),
            change_key: Some(change_key),
            pcl,
            flags: item.flags.difference(MessageFlags::UNMODIFIED),
            ..item.clone()
        })
    }

    /// Puts `new` in the place of `old`, whose ids it has; `new.instance` is in the store.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] when `new` names another place or a content that is missing.
    pub fn replace_item(&mut self, id: ItemId, new: &Item) -> EseResult<()> {
        let old = self.require_item(id)?;
        if new.id != id {
            return Err(self.refused(Refusal::BadRequest, "a replacement keeps the item's ids"));
        }
        let old_content = self.require_content(old.instance)?;
        self.require_content(new.instance)?;
        self.guarded(|writer| {
            let (change, _) = writer.next_change()?;
            let new = Item { change: Some(change), ..new.clone() };
            writer.replace(&old, &old_content, new, false)
        })
    }

    /// As [`Self::replace_item`], over what `fill` has put into the row before; `is_new` when the new content has its reference
    /// already.
    pub(super) fn replace_item_over<'v>(
        &mut self,
        new: Item,
        is_new: bool,
        fill: impl FnOnce(&mut Draft<'_, 'v>) -> EseResult<()>,
    ) -> EseResult<()> {
        let old = self.require_item(new.id)?;
        let old_content = self.require_content(old.instance)?;
        self.require_content(new.instance)?;
        self.guarded(|writer| {
            let (change, _) = writer.next_change()?;
            let new = Item { change: Some(change), ..new };
            writer.replace_over(&old, &old_content, new, is_new, fill)
        })
    }

    fn replace(
        &mut self,
        old: &Item,
        old_content: &Content,
        new: Item,
        is_new: bool,
    ) -> EseResult<()> {
        self.replace_over(old, old_content, new, is_new, |_| Ok(()))
    }

    fn replace_over<'v>(
        &mut self,
        old: &Item,
        old_content: &Content,
        mut new: Item,
        is_new: bool,
        fill: impl FnOnce(&mut Draft<'_, 'v>) -> EseResult<()>,
    ) -> EseResult<()> {
        let content = self.require_content(new.instance)?;
        let key = self.item_key(old.id)?;
        (new.root, new.article, new.bytes) = (old.root, old.article, content.bytes);
        new.commit_time = Some(self.now);
        let mut draft = Draft::new(&self.tables.items);
        fill(&mut draft)?;
        new.put(&mut draft);
        self.db.delete(self.tables.items.def(), &key)?;
        draft.insert(&mut self.db)?;
        let now = self.now;
        let change = self.change_of(old.id.folder)?;
        change.counts.count(&weight_of(old, old_content), -1);
        change.counts.count(&weight_of(&new, &content), 1);
        change.commit_time_max = change.commit_time_max.max(Some(now));
        change.is_changed = true;
        let holds = |item: &Item| if item.deleted_on.is_some() { (0, 1) } else { (1, 0) };
        let (live, soft) = holds(old);
        self.refer(old.instance, -live, -soft);
        let (live, soft) = holds(&new);
        self.refer(new.instance, live - i64::from(is_new), soft);
        Ok(())
    }
}

fn put_change(
    draft: &mut Draft<'_, '_>,
    change: crate::mapi::ChangeNumber,
    key: ChangeKey,
    pcl: &Pcl,
) {
    let mut pcl = pcl.clone();
    pcl.add(key);
    draft
        .copied(col::CHANGE, &change.to_store())
        .copied(col::CHANGE_KEY, &key.to_bytes())
        .bytes(col::PCL, pcl.to_bytes());
}

/// What an item with this content counts for.
pub(crate) fn weight_of(item: &Item, content: &Content) -> ItemWeight {
    ItemWeight {
        associated: item.associated,
        read: item.read,
        deleted: item.deleted_on.is_some(),
        bytes: item.bytes,
        has_attachments: item.headers.has_attachments,
        recipients: content.recipient_count,
        attachments: content.attachment_count,
    }
}

/// The header fields that a list shows of a mail.
fn headers_of(mail: &Promoted) -> Headers {
    Headers {
        subject: mail.subject.clone(),
        sender: mail.sender.display().to_owned(),
        represented: mail.represented.display().to_owned(),
        display_to: mail.display_list(RecipientKind::To),
        class: mail.message_class.clone(),
        importance: Some(mail.importance.to_i32()),
        sensitivity: Some(mail.sensitivity.to_i32()),
        has_attachments: mail.has_attachments,
    }
}
