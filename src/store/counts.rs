//! The counters of a folder, and what one item adds to them. Source: exchange-store 4.

use crate::ese::error::EseResult;
use crate::ese::txn::Pages;
use crate::stm::{Draft, Fields};

use super::codec::to_long;
use super::schema::columns as col;

/// What an item counts for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ItemWeight {
    /// Hidden (associated) rather than ordinary.
    pub associated: bool,
    /// Has been read.
    pub read: bool,
    /// Soft-deleted: in the dumpster.
    pub deleted: bool,
    /// Size charged, in bytes; not divided by sharing.
    pub bytes: i64,
    /// Shows attachments.
    pub has_attachments: bool,
    /// Number of recipients.
    pub recipients: i64,
    /// Number of attachments.
    pub attachments: i64,
}

/// Counters of the ordinary or of the hidden items of a folder.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KindCounts {
    /// Items.
    pub items: i64,
    /// Their size in bytes.
    pub bytes: i64,
    /// Items that show attachments.
    pub with_attachments: i64,
    /// Recipients of all of them.
    pub recipients: i64,
    /// Attachments of all of them.
    pub attachments: i64,
    /// Soft-deleted items.
    pub deleted_items: i64,
    /// Their size in bytes.
    pub deleted_bytes: i64,
}

/// Counters of a folder, or changes of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FolderCounts {
    /// Of ordinary items.
    pub normal: KindCounts,
    /// Of hidden items.
    pub associated: KindCounts,
    /// Ordinary items that have not been read.
    pub unread: i64,
}

impl FolderCounts {
    /// Adds an item (`sign` 1) or takes it away (-1).
    pub fn count(&mut self, item: &ItemWeight, sign: i64) {
        let kind = if item.associated { &mut self.associated } else { &mut self.normal };
        let add = |counter: &mut i64, by: i64| {
            *counter = counter.saturating_add(by.saturating_mul(sign));
        };
        if item.deleted {
            add(&mut kind.deleted_items, 1);
            add(&mut kind.deleted_bytes, item.bytes);
            return;
        }
        add(&mut kind.items, 1);
        add(&mut kind.bytes, item.bytes);
        add(&mut kind.with_attachments, i64::from(item.has_attachments));
        add(&mut kind.recipients, item.recipients);
        add(&mut kind.attachments, item.attachments);
        add(&mut self.unread, i64::from(!item.associated && !item.read));
    }

    /// Adds other counters to these.
    pub fn add(&mut self, other: &Self) {
        for ((_, counter), (_, by)) in self.named_mut().into_iter().zip(other.named()) {
            *counter = counter.saturating_add(by);
        }
    }

    /// Size of all items that are not deleted.
    pub fn bytes(&self) -> i64 {
        self.normal.bytes.saturating_add(self.associated.bytes)
    }

    /// Every counter with its name.
    pub fn named(&self) -> [(&'static str, i64); 15] {
        let mut copy = *self;
        copy.named_mut().map(|(name, counter)| (name, *counter))
    }

    fn named_mut(&mut self) -> [(&'static str, &mut i64); 15] {
        let Self { normal: n, associated: a, unread } = self;
        [
            ("items", &mut n.items),
            ("unread items", unread),
            ("hidden items", &mut a.items),
            ("size of items", &mut n.bytes),
            ("size of hidden items", &mut a.bytes),
            ("items with attachments", &mut n.with_attachments),
            ("hidden items with attachments", &mut a.with_attachments),
            ("recipients", &mut n.recipients),
            ("recipients of hidden items", &mut a.recipients),
            ("attachments", &mut n.attachments),
            ("attachments of hidden items", &mut a.attachments),
            ("deleted items", &mut n.deleted_items),
            ("deleted hidden items", &mut a.deleted_items),
            ("size of deleted items", &mut n.deleted_bytes),
            ("size of deleted hidden items", &mut a.deleted_bytes),
        ]
    }

    /// Reads the counters of a folder row.
    pub(crate) fn read<P: Pages + ?Sized>(fields: &Fields<'_, '_, P>) -> EseResult<Self> {
        let kind = |which: usize, columns: [&str; 4]| -> EseResult<KindCounts> {
            let [items, bytes, deleted_items, deleted_bytes] = columns;
            let long = |column: &str| fields.i32(column).map(i64::from);
            let of = |columns: [&'static str; 2]| columns.get(which).copied().unwrap_or_default();
            Ok(KindCounts {
                items: long(items)?,
                bytes: fields.i64(bytes)?,
                with_attachments: long(of(col::WITH_ATTACHMENTS))?,
                recipients: long(of(col::RECIPIENTS_ON))?,
                attachments: long(of(col::ATTACHMENTS_ON))?,
                deleted_items: long(deleted_items)?,
                deleted_bytes: fields.i64(deleted_bytes)?,
            })
        };
        Ok(Self {
            normal: kind(
                0,
                [col::CONTENT_COUNT, col::NORMAL_SIZE, col::SOFT_COUNT, col::SOFT_NORMAL_SIZE],
            )?,
            associated: kind(
                1,
                [
                    col::ASSOCIATED_COUNT,
                    col::ASSOCIATED_SIZE,
                    col::SOFT_ASSOCIATED_COUNT,
                    col::SOFT_ASSOCIATED_SIZE,
                ],
            )?,
            unread: fields.i32(col::UNREAD_COUNT)?.into(),
        })
    }

    /// Puts the counters into a folder row.
    pub(crate) fn put(&self, draft: &mut Draft<'_, '_>) {
        let (n, a) = (&self.normal, &self.associated);
        for (columns, [normal, associated]) in [
            ([col::CONTENT_COUNT, col::ASSOCIATED_COUNT], [n.items, a.items]),
            (col::WITH_ATTACHMENTS, [n.with_attachments, a.with_attachments]),
            (col::RECIPIENTS_ON, [n.recipients, a.recipients]),
            (col::ATTACHMENTS_ON, [n.attachments, a.attachments]),
            ([col::SOFT_COUNT, col::SOFT_ASSOCIATED_COUNT], [n.deleted_items, a.deleted_items]),
        ] {
            let [of_normal, of_associated] = columns;
            draft.i32(of_normal, to_long(normal)).i32(of_associated, to_long(associated));
        }
        draft
            .i32(col::UNREAD_COUNT, to_long(self.unread))
            .i64(col::SIZE, self.bytes())
            .i64(col::NORMAL_SIZE, n.bytes)
            .i64(col::ASSOCIATED_SIZE, a.bytes)
            .i64(col::SOFT_SIZE, n.deleted_bytes.saturating_add(a.deleted_bytes))
            .i64(col::SOFT_NORMAL_SIZE, n.deleted_bytes)
            .i64(col::SOFT_ASSOCIATED_SIZE, a.deleted_bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item() -> ItemWeight {
        ItemWeight {
            bytes: 100,
            has_attachments: true,
            recipients: 3,
            attachments: 2,
            ..ItemWeight::default()
        }
    }

    #[test]
    fn an_unread_item_counts_until_it_is_read_deleted_or_gone() {
        let mut counts = FolderCounts::default();
        counts.count(&item(), 1);
        assert_eq!((counts.normal.items, counts.unread, counts.bytes()), (1, 1, 100));
        assert_eq!((counts.normal.recipients, counts.normal.attachments), (3, 2));
        counts.count(&item(), -1);
        counts.count(&ItemWeight { deleted: true, ..item() }, 1);
        assert_eq!((counts.normal.items, counts.unread, counts.bytes()), (0, 0, 0));
        assert_eq!((counts.normal.deleted_items, counts.normal.deleted_bytes), (1, 100));
        assert_eq!(counts.normal.recipients, 0);
    }

    #[test]
    fn hidden_items_are_never_unread() {
        let mut counts = FolderCounts::default();
        counts.count(&ItemWeight { associated: true, ..item() }, 1);
        assert_eq!((counts.associated.items, counts.normal.items, counts.unread), (1, 0, 0));
        let mut sum = counts;
        sum.add(&counts);
        assert_eq!(sum.associated.bytes, 200);
    }
}
