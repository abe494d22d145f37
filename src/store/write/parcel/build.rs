//! Building one parcel, on any thread: rows copied as they are stored, long values chunk by chunk, streams page by page. What is built
//! is summed up on the way ([`crate::store::StoreRows::content_sum`]), so that it can be verified without the source.

use std::collections::{BTreeMap, BTreeSet};

use super::{Articles, Holders, Parcel, ParcelMaps, ParcelTarget, Reservation};
use crate::ese::error::{EseError, EseResult, Refusal};
use crate::ese::table::column::Lid;
use crate::ese::table::long_value::LvReader;
use crate::ese::table::record::OwnValues;
use crate::ese::table::rows::Row;
use crate::ese::table::write::{Lids, TableRunBuilder};
use crate::ese::tree::PageSupply;
use crate::ese::txn::Pages;
use crate::mapi::{ChangeNumber, FolderId, GlobCnt, InstanceId};
use crate::stm::{Cell, Draft, Owner, OwnerRow, SlvInfo};
use crate::store::copy::{RowMap, clear_own, own_attachment, own_content};
use crate::store::counts::{FolderCounts, ItemWeight};
use crate::store::item::{Item, ItemId};
use crate::store::parts::{AttachmentParts, ContentParts};
use crate::store::rows::StoreRows;
use crate::store::schema::columns as col;
use crate::store::stored::{scope_of_attachments, scope_of_contents, sum_with_inner};
use crate::store::view::owner_of;
use crate::store::write::flush::{FolderChange, ReferenceChange};

/// Builds one parcel.
#[derive(Debug)]
pub struct ParcelBuilder<'t> {
    target: &'t ParcelTarget,
    given: Reservation,
    contents: TableRunBuilder<'t>,
    attachments: TableRunBuilder<'t>,
    items: TableRunBuilder<'t>,
    /// What the copies of content rows, attachment rows and items have of their own: kept for their memory.
    own: [Draft<'t, 'static>; 3],
    owners: Vec<OwnerRow>,
    streams: Vec<SlvInfo>,
    folders: BTreeMap<FolderId, FolderChange>,
    references: BTreeMap<InstanceId, ReferenceChange>,
    brought: BTreeSet<InstanceId>,
    item_count: u64,
}

impl<'t> ParcelBuilder<'t> {
    /// Starts a parcel with what was reserved for it.
    ///
    /// # Errors
    /// [`EseError::Unsupported`] when a table of the store cannot be written.
    pub fn new(target: &'t ParcelTarget, mut given: Reservation) -> EseResult<Self> {
        let [contents, attachments, items] = std::mem::take(&mut given.lids);
        let tables = &target.tables;
        let builder = |table: &'t crate::stm::NamedTable, lids: Lids| {
            TableRunBuilder::new(table.shared_def(), given.writer.clone(), lids)
        };
        Ok(Self {
            target,
            contents: builder(&tables.contents, contents)?
                .summing(scope_of_contents(&tables.contents)),
            attachments: builder(&tables.attachments, attachments)?
                .summing(scope_of_attachments(&tables.attachments)),
            items: builder(&tables.items, items)?,
            given,
            own: [&tables.contents, &tables.attachments, &tables.items].map(Draft::new),
            owners: Vec::new(),
            streams: Vec::new(),
            folders: BTreeMap::new(),
            references: BTreeMap::new(),
            brought: BTreeSet::new(),
            item_count: 0,
        })
    }

    /// A new id of the target.
    ///
    /// # Errors
    /// [`Refusal::BadRequest`] when more are taken than were wished for.
    pub fn next_id(&mut self) -> EseResult<GlobCnt> {
        take(&mut self.given.next_id, self.given.id_end, "ids")
    }

    fn next_instance(&mut self) -> EseResult<InstanceId> {
        let counter = self.next_id()?;
        Ok(InstanceId::new(self.target.info.local_replica, counter))
    }

    /// Copies a content with its attachments and streams; answers its new id, and the sum of what was built.
    ///
    /// # Errors
    /// What the source reports: the parcel must be given up then. [`StoreRows::parts`] has seen that everything can be read.
    pub fn copy_content<P: Pages + ?Sized>(
        &mut self,
        supply: &mut dyn PageSupply,
        source: &mut StoreRows<'_, P>,
        maps: &ParcelMaps,
        parts: &ContentParts,
        holders: Holders,
    ) -> EseResult<(InstanceId, u32)> {
        let instance = parts.instance;
        // Rows enter their table in the order of their ids, so what is inside gets its id, and its row, first.
        let mut attachments = Vec::with_capacity(parts.attachments.len());
        let mut sums = Vec::with_capacity(parts.attachments.len());
        for attachment in &parts.attachments {
            let (new, sum) = self.copy_attachment(supply, source, maps, attachment)?;
            attachments.push(new);
            sums.push(sum);
        }
        let new = self.next_instance()?;
        let stream = match &parts.stream {
            Some(stream) => {
                let from = owner_of(source.contents.table, col::STREAM, instance)?;
                let to = owner_of(&self.target.tables.contents, col::STREAM, new)?;
                Some(self.copy_stream(source, stream, &from, &to)?)
            }
            None => None,
        };
        let ([own, _, _], builder) = (&mut self.own, &mut self.contents);
        own.clear();
        own_content(own, new, (holders.live, holders.soft), stream.as_ref(), &attachments);
        let copied = source.contents.of(instance, |row, rest| {
            copy_row(builder, supply, &maps.contents, (rest.table, row, rest.values), own)
        })?;
        copied.ok_or_else(|| source.contents.missing(&source.view, instance))?;
        self.brought.insert(new);
        Ok((new, sum_with_inner(self.contents.take_sum(), sums)))
    }

    fn copy_attachment<P: Pages + ?Sized>(
        &mut self,
        supply: &mut dyn PageSupply,
        source: &mut StoreRows<'_, P>,
        maps: &ParcelMaps,
        parts: &AttachmentParts,
    ) -> EseResult<(InstanceId, u32)> {
        let instance = parts.instance;
        let one = Holders { live: 1, soft: 0 };
        let embedded = match &parts.embedded {
            Some(inner) => Some(self.copy_content(supply, source, maps, inner, one)?),
            None => None,
        };
        let (embedded, sum) = embedded.unzip();
        let new = self.next_instance()?;
        let stream = match &parts.stream {
            Some(stream) => {
                let from = owner_of(source.attachments.table, col::DATA_STREAM, instance)?;
                let to = owner_of(&self.target.tables.attachments, col::DATA_STREAM, new)?;
                Some(self.copy_stream(source, stream, &from, &to)?)
            }
            None => None,
        };
        let ([_, own, _], builder) = (&mut self.own, &mut self.attachments);
        own.clear();
        own_attachment(own, new, embedded, stream.as_ref());
        let copied = source.attachments.of(instance, |row, rest| {
            copy_row(builder, supply, &maps.attachments, (rest.table, row, rest.values), own)
        })?;
        copied.ok_or_else(|| source.attachments.missing(&source.view, instance))?;
        Ok((new, sum_with_inner(self.attachments.take_sum(), sum)))
    }

    fn copy_stream<P: Pages + ?Sized>(
        &mut self,
        source: &mut StoreRows<'_, P>,
        stream: &SlvInfo,
        from: &Owner,
        to: &Owner,
    ) -> EseResult<SlvInfo> {
        let place = self.given.streams.pop_front();
        let place =
            place.filter(|place| place.len_bytes() == stream.len_bytes()).ok_or_else(|| {
                let reason = "a stream was not wished for, or has another length";
                EseError::refused(Refusal::BadRequest, reason)
            })?;
        let mut copy = self.given.ahead.start(&place, to);
        // Looked through before, so read and verified.
        source.streams.copy(stream, from, &mut copy)?;
        self.owners.extend(copy.finish()?);
        self.streams.push(place.clone());
        Ok(place)
    }

    /// One more item holds a content that another parcel brings, or that the store has.
    pub fn refer(&mut self, instance: InstanceId, is_deleted: bool) {
        let change = self.references.entry(instance).or_default();
        if is_deleted { change.soft += 1 } else { change.live += 1 }
    }

    /// Adds an item, a copy of the source's `from`, as `item` says: its place, ids, flags and content are those of the target. Items must
    /// come in the order of their places. Texts that it leaves empty are those of the source. Article, change number and commit time are
    /// set here. `weight` is what it counts for. Answers the sum of its row.
    ///
    /// # Errors
    /// [`Refusal::BadRequest`] when it was not wished for or is out of order; what the source reports.
    pub fn put_item<P: Pages + ?Sized>(
        &mut self,
        supply: &mut dyn PageSupply,
        source: &mut StoreRows<'_, P>,
        maps: &ParcelMaps,
        from: ItemId,
        mut item: Item,
        weight: &ItemWeight,
    ) -> EseResult<u32> {
        let change = take(&mut self.given.next_change, self.given.change_end, "change numbers")?;
        let change = ChangeNumber::new(self.target.info.local_replica, change);
        let folder = self.folder(item.id.folder)?;
        item.root = folder.root;
        item.article = folder.next_article;
        item.change = Some(change);
        folder.next_article = folder.next_article.saturating_add(1);
        folder.counts.count(weight, 1);
        folder.is_changed = true;
        if let Some(deleted_on) = item.deleted_on {
            folder.oldest_deleted = folder.oldest_deleted.into_iter().chain([deleted_on]).min();
        }
        item.bytes = weight.bytes;
        item.commit_time = Some(self.given.now);
        let ([_, _, own], builder) = (&mut self.own, &mut self.items);
        own.clear();
        clear_own(own);
        item.put_own(own);
        let copied = source.items.of_item(from, |row, rest| {
            copy_row(builder, supply, &maps.items, (rest.table, row, rest.values), own)
        })?;
        copied.ok_or_else(|| source.view.missing("item", from.message))?;
        self.item_count += 1;
        Ok(self.items.take_sum())
    }

    fn folder(&mut self, id: FolderId) -> EseResult<&mut FolderChange> {
        let Some(Articles { root, first }) = self.given.folders.get(&id).copied() else {
            let reason = format!("nothing was reserved in folder {id}");
            return Err(EseError::refused(Refusal::BadRequest, reason));
        };
        let now = self.given.now;
        Ok(self.folders.entry(id).or_insert_with(|| FolderChange {
            root,
            counts: FolderCounts::default(),
            subfolders: 0,
            deletions: 0,
            commit_time_max: Some(now),
            oldest_deleted: None,
            next_article: first,
            is_changed: false,
        }))
    }

    /// Ends the parcel.
    ///
    /// # Errors
    /// What writing reports.
    pub fn finish(mut self, supply: &mut dyn PageSupply) -> EseResult<Parcel> {
        self.given.ahead.flush()?;
        let mut runs = vec![
            self.attachments.finish(supply)?,
            self.contents.finish(supply)?,
            self.items.finish(supply)?,
        ];
        self.owners.sort_by_key(|row| row.run.first());
        let stm = self.target.tables.stm();
        let writer = self.given.writer.clone();
        // Checksums of 64 pages stay in the row: no long value is needed.
        let mut owners = TableRunBuilder::new(stm.owner().shared_def(), writer, Lids::default())?;
        for row in &self.owners {
            owners.push(supply, &stm.owner_draft(row).values())?;
        }
        runs.push(owners.finish(supply)?);
        Ok(Parcel {
            runs,
            streams: self.streams,
            folders: self.folders,
            references: self.references,
            contents: self.brought,
            items: self.item_count,
        })
    }
}

/// Adds a copy of a source row, in which the cells that are set in `own` have other values; long values go with it, chunk by chunk.
fn copy_row<P: Pages + ?Sized>(
    builder: &mut TableRunBuilder<'_>,
    supply: &mut dyn PageSupply,
    map: &RowMap,
    (table, row, values): (&crate::stm::NamedTable, &Row<'_>, &LvReader<'_, P>),
    own: &Draft<'_, 'static>,
) -> EseResult<()> {
    let mut copied = Vec::new();
    if let Some(rewrite) = map.rewrite() {
        let source = (&row.record(), values);
        let copy =
            |own: &OwnValues<'_>| builder.push_copy(supply, rewrite, source, own, &mut copied);
        if own.with_own(copy).transpose()?.unwrap_or(false) {
            return Ok(());
        }
    }
    let mut copy = |lid: Lid| {
        let known = copied.iter().position(|(old, _)| *old == lid);
        match known.map(|at| copied.swap_remove(at)) {
            Some((_, new)) => Ok(Cell::Shared(new)),
            None => builder.copy_long_value(supply, values, lid).map(Cell::Shared),
        }
    };
    let mut draft = Draft::new(own.table());
    map.fill(table, row, values, &mut copy, &mut draft)?;
    draft.overlay(own);
    builder.push(supply, &draft.values())
}

fn take(next: &mut u64, end: u64, what: &str) -> EseResult<GlobCnt> {
    if *next >= end {
        let reason = format!("more {what} are taken than were reserved");
        return Err(EseError::refused(Refusal::BadRequest, reason));
    }
    *next += 1;
    crate::store::write::counter(*next - 1, "reserved number")
}
