//! Mails copied from another store one by one, by ordinary inserts: rows column by column, streams page by page.
//!
//! Everything of a content is read before the first change, by [`View::content_sum`], so that damage in the source does not end the
//! writer. [`super::parcel`] does the same for many mails at once; both give the same rows.

use crate::ese::error::EseResult;
use crate::ese::table::column::Lid;
use crate::ese::table::long_value::LvReader;
use crate::ese::txn::Pages;
use crate::mapi::InstanceId;
use crate::stm::{AheadStreams, Cell, Draft, NamedTable, Owner, SlvInfo};

use super::StoreWriter;
use super::parcel::ParcelMaps;
use crate::store::copy::{RowMap, check_depth, clear_own, own_attachment, own_content, with_row};
use crate::store::item::{Item, ItemId};
use crate::store::schema::columns as col;
use crate::store::sum::LostAttachment;
use crate::store::view::{View, owner_of};

/// Longest value that is copied.
const VALUE_BYTES_MAX: usize = 0x7fff_ffff;

/// A source row on its way: where it is from, and how its columns fit.
struct From<'f, 'v, P: Pages + ?Sized> {
    view: &'f View<'v, P>,
    maps: &'f ParcelMaps,
    /// Attachments that notes stand for.
    lost: &'f [LostAttachment],
}

impl StoreWriter {
    /// Copies a content with its attachments and streams; it has one reference, which the item that it was copied for takes over.
    ///
    /// # Errors
    /// What the source reports: the writer is dead then, so read the content with [`View::content_sum`] before.
    pub fn copy_content<P: Pages + ?Sized>(
        &mut self,
        source: &View<'_, P>,
        maps: &ParcelMaps,
        instance: InstanceId,
    ) -> EseResult<InstanceId> {
        self.copy_content_without(source, maps, instance, &[])
    }

    /// As [`Self::copy_content`], with notes in the place of attachments that cannot be read.
    ///
    /// # Errors
    /// As there, for everything else; [`crate::store::Summer::lost_attachments`] tells beforehand.
    pub fn copy_content_without<P: Pages + ?Sized>(
        &mut self,
        source: &View<'_, P>,
        maps: &ParcelMaps,
        instance: InstanceId,
        lost: &[LostAttachment],
    ) -> EseResult<InstanceId> {
        let from = From { view: source, maps, lost };
        self.guarded(|writer| writer.copy_at_depth(&from, instance, 0))
    }

    fn copy_at_depth<P: Pages + ?Sized>(
        &mut self,
        from: &From<'_, '_, P>,
        instance: InstanceId,
        depth: usize,
    ) -> EseResult<InstanceId> {
        check_depth(instance, depth)?;
        let links = from.view.content_links(instance)?;
        let mut attachments = Vec::with_capacity(links.attachments.len());
        for attachment in links.attachments {
            let lost = from.lost.iter().find(|lost| depth == 0 && lost.attachment == attachment);
            attachments.push(match lost {
                Some(lost) => self.put_lost(lost)?,
                None => self.copy_attachment(from, attachment, depth)?,
            });
        }
        let new = self.next_instance()?;
        let table = &from.view.tables.contents;
        let stream = match &links.stream {
            Some(stream) => {
                let old = owner_of(table, col::STREAM, instance)?;
                let owner = owner_of(&self.tables.contents, col::STREAM, new)?;
                Some(self.copy_stream(from, stream, &old, &owner)?)
            }
            None => None,
        };
        let key = table.key(&[Some(&instance.to_store())])?;
        let copied = with_row(from.view.pages, table, &key, |row, values| {
            let mut draft = Draft::new(&self.tables.contents);
            fill(&from.maps.contents, table, row, values, &mut draft)?;
            own_content(&mut draft, new, (1, 0), stream.as_ref(), &attachments);
            draft.insert(&mut self.db)
        })?;
        copied.map(|_| new).ok_or_else(|| from.view.missing("content", instance))
    }

    fn copy_attachment<P: Pages + ?Sized>(
        &mut self,
        from: &From<'_, '_, P>,
        instance: InstanceId,
        depth: usize,
    ) -> EseResult<InstanceId> {
        let attachment = from.view.attachment(instance)?;
        let attachment = attachment.ok_or_else(|| from.view.missing("attachment", instance))?;
        let embedded = match attachment.embedded {
            Some(inner) => Some(self.copy_at_depth(from, inner, depth + 1)?),
            None => None,
        };
        let new = self.next_instance()?;
        let table = &from.view.tables.attachments;
        let stream = match &attachment.stream {
            Some(stream) => {
                let old = owner_of(table, col::DATA_STREAM, instance)?;
                let owner = owner_of(&self.tables.attachments, col::DATA_STREAM, new)?;
                Some(self.copy_stream(from, stream, &old, &owner)?)
            }
            None => None,
        };
        let key = table.key(&[Some(&instance.to_store())])?;
        let copied = with_row(from.view.pages, table, &key, |row, values| {
            let mut draft = Draft::new(&self.tables.attachments);
            fill(&from.maps.attachments, table, row, values, &mut draft)?;
            own_attachment(&mut draft, new, embedded, stream.as_ref());
            draft.insert(&mut self.db)
        })?;
        copied.map(|_| new).ok_or_else(|| from.view.missing("attachment", instance))
    }

    fn copy_stream<P: Pages + ?Sized>(
        &mut self,
        from: &From<'_, '_, P>,
        stream: &SlvInfo,
        old: &Owner,
        owner: &Owner,
    ) -> EseResult<SlvInfo> {
        self.stm.flush()?;
        let place = self.stm.reserve(stream.len_bytes())?;
        let mut ahead = AheadStreams::new(self.stm.file().storage().clone());
        let mut copy = ahead.start(&place, owner);
        from.view.streams().read(stream, old, &mut |part| copy.push(part))?;
        let rows = copy.finish()?;
        ahead.flush()?;
        self.stm.commit_reserved(&place);
        for row in &rows {
            self.tables.stm().owner_draft(row).insert(&mut self.db)?;
        }
        Ok(place)
    }

    /// Inserts an item as a copy of the source's `from`: its place, ids, flags and content are those of `item`; article, change number
    /// and commit time are new. `is_new` when the content was copied for it just now.
    ///
    /// # Errors
    /// As [`Self::insert_item`].
    pub fn insert_copy<P: Pages + ?Sized>(
        &mut self,
        source: &View<'_, P>,
        maps: &ParcelMaps,
        from: ItemId,
        item: &Item,
        is_new: bool,
    ) -> EseResult<()> {
        self.guard_folder(item.id.folder)?;
        let content = self.require_content(item.instance)?;
        let (change, _) = self.next_change()?;
        let item = Item { change: Some(change), ..item.clone() };
        let copied = with_item(source, from, |row, values| {
            self.guarded(|writer| {
                writer.put_item_over(item, &content, is_new, |draft| {
                    fill_item(source, maps, row, values, draft)
                })
            })
        })?;
        copied.map(drop).ok_or_else(|| source.missing("item", from.message))
    }

    /// Puts a copy of the source's `from` in the place of the item whose id `new` has (C8).
    ///
    /// # Errors
    /// As [`Self::replace_item`].
    pub fn replace_by_copy<P: Pages + ?Sized>(
        &mut self,
        source: &View<'_, P>,
        maps: &ParcelMaps,
        from: ItemId,
        new: &Item,
        is_new: bool,
    ) -> EseResult<()> {
        let copied = with_item(source, from, |row, values| {
            self.replace_item_over(new.clone(), is_new, |draft| {
                fill_item(source, maps, row, values, draft)
            })
        })?;
        copied.ok_or_else(|| source.missing("item", from.message))
    }
}

fn with_item<P: Pages + ?Sized, T>(
    source: &View<'_, P>,
    from: ItemId,
    visit: impl FnOnce(&crate::ese::table::rows::Row<'_>, &LvReader<'_, P>) -> EseResult<T>,
) -> EseResult<Option<T>> {
    let table = &source.tables.items;
    let key = table.key(&[Some(&from.folder.to_store()), Some(&from.message.to_store())])?;
    with_row(source.pages, table, &key, visit)
}

fn fill_item<'r, P: Pages + ?Sized>(
    source: &View<'_, P>,
    maps: &ParcelMaps,
    row: &crate::ese::table::rows::Row<'r>,
    values: &LvReader<'_, P>,
    draft: &mut Draft<'_, 'r>,
) -> EseResult<()> {
    fill(&maps.items, &source.tables.items, row, values, draft)?;
    clear_own(draft);
    Ok(())
}

/// Fills a draft from a source row, long values whole.
fn fill<'r, P: Pages + ?Sized>(
    map: &RowMap,
    table: &NamedTable,
    row: &crate::ese::table::rows::Row<'r>,
    values: &LvReader<'_, P>,
    draft: &mut Draft<'_, 'r>,
) -> EseResult<()> {
    let mut copy = |lid: Lid| Ok(Cell::One(values.read_to_vec(lid, VALUE_BYTES_MAX)?.into()));
    map.fill(table, row, values, &mut copy, draft)
}
