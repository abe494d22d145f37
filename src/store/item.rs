//! An item of a folder: the row that lists show and pairing compares, without its content.

use crate::ese::error::EseResult;
use crate::ese::txn::Pages;
use crate::mapi::{
    ChangeKey, ChangeNumber, FileTime, FolderId, InstanceId, MessageFlags, MessageId, Pcl,
    SearchKey, SourceKey, from_utf16le, to_utf16le,
};
use crate::stm::{Cell, Draft, Fields};

use super::codec::{Ids, decoded};
use super::schema::columns as col;

/// Where an item is: no two items of a store have the same place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ItemId {
    /// The folder.
    pub folder: FolderId,
    /// The message in it.
    pub message: MessageId,
}

/// The header fields that a row repeats for lists.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Headers {
    /// Subject.
    pub subject: String,
    /// Name of the sender.
    pub sender: String,
    /// Name of whom it was sent for.
    pub represented: String,
    /// Names in `To`.
    pub display_to: String,
    /// Message class.
    pub class: String,
    /// PR_IMPORTANCE, if it is stored.
    pub importance: Option<i32>,
    /// PR_SENSITIVITY, if it is stored.
    pub sensitivity: Option<i32>,
    /// Shows attachments.
    pub has_attachments: bool,
}

/// An item.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// Where it is.
    pub id: ItemId,
    /// Root of its mailbox.
    pub root: FolderId,
    /// Its content.
    pub instance: InstanceId,
    /// Hidden (associated) rather than ordinary.
    pub associated: bool,
    /// Has been read.
    pub read: bool,
    /// Message flags.
    pub flags: MessageFlags,
    /// Message status.
    pub status: i32,
    /// What lists sort by: delivery, else creation.
    pub sort_time: Option<FileTime>,
    /// Last change in this database.
    pub commit_time: Option<FileTime>,
    /// Creation.
    pub created: Option<FileTime>,
    /// Last modification.
    pub modified: Option<FileTime>,
    /// Delivery.
    pub delivered: Option<FileTime>,
    /// When it was soft-deleted, if it was.
    pub deleted_on: Option<FileTime>,
    /// Its last change, local to the store.
    pub change: Option<ChangeNumber>,
    /// The same, globally.
    pub change_key: Option<ChangeKey>,
    /// The changes it contains.
    pub pcl: Pcl,
    /// Where it was born.
    pub source_key: Option<SourceKey>,
    /// Size charged in bytes.
    pub bytes: i64,
    /// Article number.
    pub article: i32,
    /// Some of its content was lost on the way here.
    pub partial: bool,
    /// Search key.
    pub search_key: Option<SearchKey>,
    /// Header fields for lists.
    pub headers: Headers,
    /// PR_FLAG_STATUS: 1 done, 2 flagged.
    pub flag_status: Option<i32>,
    /// Categories.
    pub categories: Vec<String>,
}

impl Item {
    pub(crate) fn read<P: Pages + ?Sized>(fields: &Fields<'_, '_, P>) -> EseResult<Self> {
        let mut item = Self::read_without_texts(fields)?;
        item.headers.read_texts(fields)?;
        let categories = fields.all(col::CATEGORIES)?;
        item.categories = categories.iter().map(|bytes| from_utf16le(bytes)).collect();
        Ok(item)
    }

    /// The item with empty texts (and no categories): for a copy whose row brings its texts along.
    pub(crate) fn read_without_texts<P: Pages + ?Sized>(
        fields: &Fields<'_, '_, P>,
    ) -> EseResult<Self> {
        let id = ItemId {
            folder: fields.folder_id(col::FOLDER)?,
            message: fields.message_id(col::MESSAGE)?,
        };
        Ok(Self {
            id,
            root: fields.folder_id(col::ROOT)?,
            instance: fields.instance_id(col::INSTANCE)?,
            associated: fields.bit(col::ASSOCIATED)?,
            read: fields.bit(col::READ)?,
            flags: MessageFlags::from_bits_retain(fields.i32(col::FLAGS)?.cast_unsigned()),
            status: fields.i32(col::STATUS)?,
            sort_time: fields.time(col::SORT_TIME)?,
            commit_time: fields.time(col::COMMIT_TIME)?,
            created: fields.time(col::CREATED)?,
            modified: fields.time(col::MODIFIED)?,
            delivered: fields.time(col::DELIVERED)?,
            deleted_on: fields.time(col::DELETED_ON)?,
            change: fields.change_number(col::CHANGE)?,
            change_key: decoded(fields, col::CHANGE_KEY, ChangeKey::from_bytes)?,
            pcl: decoded(fields, col::PCL, Pcl::from_bytes)?.unwrap_or_default(),
            source_key: decoded(fields, col::SOURCE_KEY, SourceKey::from_bytes)?,
            bytes: fields.i64(col::SIZE)?,
            article: fields.i32(col::ARTICLE)?,
            partial: fields.bit(col::PARTIAL)?,
            search_key: decoded(fields, col::SEARCH_KEY, SearchKey::from_slice)?,
            headers: Headers {
                importance: fields.i32_or_null(col::IMPORTANCE)?,
                sensitivity: fields.i32_or_null(col::SENSITIVITY)?,
                has_attachments: fields.bit(col::HAS_ATTACHMENTS)?,
                ..Headers::default()
            },
            flag_status: fields.i32_or_null(col::FLAG_STATUS)?,
            categories: Vec::new(),
        })
    }

    /// Puts the whole item into its row.
    pub(crate) fn put(&self, draft: &mut Draft<'_, '_>) {
        self.put_own(draft);
        draft
            .bit(col::ASSOCIATED, self.associated)
            .i32(col::STATUS, self.status)
            .bit(col::PARTIAL, self.partial);
        for (column, time) in [
            (col::SORT_TIME, self.sort_time),
            (col::CREATED, self.created),
            (col::MODIFIED, self.modified),
            (col::DELIVERED, self.delivered),
        ] {
            if let Some(FileTime(time)) = time {
                draft.i64(column, time);
            }
        }
        if let Some(SearchKey(key)) = self.search_key {
            draft.copied(col::SEARCH_KEY, &key);
        }
        if let Some(status) = self.flag_status {
            draft.i32(col::FLAG_STATUS, status);
        }
        self.headers.put(draft);
        if !self.categories.is_empty() {
            let categories = self.categories.iter().map(|text| to_utf16le(text).into());
            draft.set(col::CATEGORIES, Cell::Many(categories.collect()));
        }
    }

    /// Puts what a copy of an item has of its own into its row.
    pub(crate) fn put_own(&self, draft: &mut Draft<'_, '_>) {
        draft
            .copied(col::FOLDER, &self.id.folder.to_store())
            .copied(col::MESSAGE, &self.id.message.to_store())
            .copied(col::ROOT, &self.root.to_store())
            .copied(col::INSTANCE, &self.instance.to_store())
            .bit(col::READ, self.read)
            .i32(col::FLAGS, self.flags.bits().cast_signed())
            .i64(col::SIZE, self.bytes)
            .i32(col::ARTICLE, self.article)
            .filled(col::PCL, self.pcl.to_bytes());
        for (column, time) in
            [(col::COMMIT_TIME, self.commit_time), (col::DELETED_ON, self.deleted_on)]
        {
            if let Some(FileTime(time)) = time {
                draft.i64(column, time);
            }
        }
        if let Some(change) = self.change {
            draft.copied(col::CHANGE, &change.to_store());
        }
        if let Some(key) = self.change_key {
            draft.copied(col::CHANGE_KEY, &key.to_bytes());
        }
        if let Some(key) = self.source_key {
            draft.copied(col::SOURCE_KEY, &key.to_bytes());
        }
    }
}

impl Headers {
    fn read_texts<P: Pages + ?Sized>(&mut self, fields: &Fields<'_, '_, P>) -> EseResult<()> {
        self.subject = fields.text(col::SUBJECT)?;
        self.sender = fields.text(col::SENDER_NAME)?;
        self.represented = fields.text(col::REPRESENTED_NAME)?;
        self.display_to = fields.text(col::DISPLAY_TO)?;
        self.class = fields.narrow_text(col::MESSAGE_CLASS)?;
        Ok(())
    }

    fn put(&self, draft: &mut Draft<'_, '_>) {
        draft
            .filled(col::SUBJECT, to_utf16le(&self.subject))
            .filled(col::SENDER_NAME, to_utf16le(&self.sender))
            .filled(col::REPRESENTED_NAME, to_utf16le(&self.represented))
            .filled(col::DISPLAY_TO, to_utf16le(&self.display_to))
            .filled(col::MESSAGE_CLASS, self.class.clone().into_bytes())
            .bit(col::HAS_ATTACHMENTS, self.has_attachments);
        for (column, number) in
            [(col::IMPORTANCE, self.importance), (col::SENSITIVITY, self.sensitivity)]
        {
            if let Some(number) = number {
                draft.i32(column, number);
            }
        }
    }
}
