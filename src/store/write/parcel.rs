//! Parcels: contents and items of many mails, copied from another store by any thread, that enter the store in one go.
//!
//! ```text
//!   writer                      worker                                     writer
//!   reserve() ── ids, pages ──► ParcelBuilder: rows, long values, streams ──► splice(), commit
//! ```
//!
//! Everything reserved is free on disk until the commit that takes the parcel in. A parcel names contents of other parcels only as
//! references; whoever splices sees to it that they are there (`needs`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use crate::ese::error::{EseError, EseResult, Refusal};
use crate::ese::page::Pgno;
use crate::ese::table::column::Lid;
use crate::ese::table::long_value::LvReader;
use crate::ese::table::rows::Row;
use crate::ese::table::write::{Lids, TableRun, TableRunBuilder};
use crate::ese::tree::{Extent, PageSupply};
use crate::ese::txn::{AheadWriter, Pages};
use crate::mapi::{ChangeNumber, FileTime, FolderId, GlobCnt, InstanceId};
use crate::stm::{AheadStreams, Cell, Draft, Owner, OwnerRow, SlvInfo};

use super::StoreWriter;
use super::flush::{FolderChange, ReferenceChange};
use crate::store::copy::{RowMap, with_row};
use crate::store::counts::{FolderCounts, ItemWeight};
use crate::store::item::{Item, ItemId};
use crate::store::read::CommittedStore;
use crate::store::schema::{Tables, columns as col};
use crate::store::view::{StoreInfo, View, owner_of};

/// Mails inside mails that are copied.
const DEPTH_MAX: usize = 32;

/// What a parcel will need.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ParcelWish {
    /// Content and attachment rows, and items that get new ids.
    pub ids: u64,
    /// Items.
    pub items: u64,
    /// Long values of contents, attachments and items, at most.
    pub long_values: [u32; 3],
    /// Lengths of the streams in bytes, in the order in which they are copied.
    pub streams: Vec<u64>,
    /// Items for each folder.
    pub articles: BTreeMap<FolderId, i32>,
}

/// What a parcel was given.
#[derive(Debug)]
pub struct Reservation {
    next_id: u64,
    id_end: u64,
    next_change: u64,
    change_end: u64,
    lids: [Lids; 3],
    streams: std::vec::IntoIter<SlvInfo>,
    /// Root and next article number of each folder.
    folders: BTreeMap<FolderId, (FolderId, i32)>,
    writer: AheadWriter,
    ahead: AheadStreams,
    now: FileTime,
}

/// What workers know of the store they build for; it does not change while they do.
#[derive(Debug, Clone)]
pub struct ParcelTarget {
    tables: Tables,
    info: StoreInfo,
}

/// How the rows of one source fit into the target.
#[derive(Debug, Clone)]
pub struct ParcelMaps {
    pub(super) contents: RowMap,
    pub(super) attachments: RowMap,
    pub(super) items: RowMap,
}

impl ParcelMaps {
    /// Columns of the source that the target does not have.
    pub fn left(&self) -> impl Iterator<Item = &str> {
        let maps = [&self.contents, &self.attachments, &self.items];
        maps.into_iter().flat_map(|map| map.left()).map(String::as_str)
    }
}

/// Contents and items ready to enter the store.
#[derive(Debug)]
pub struct Parcel {
    runs: Vec<TableRun>,
    streams: Vec<SlvInfo>,
    folders: BTreeMap<FolderId, FolderChange>,
    references: BTreeMap<InstanceId, ReferenceChange>,
    contents: BTreeSet<InstanceId>,
    items: u64,
}

impl Parcel {
    /// Contents that its items hold, but that it does not bring.
    pub fn needs(&self) -> impl Iterator<Item = InstanceId> {
        self.references.keys().copied()
    }

    /// Contents that it brings.
    pub fn brings(&self) -> &BTreeSet<InstanceId> {
        &self.contents
    }

    /// Number of items.
    pub fn item_count(&self) -> u64 {
        self.items
    }

    /// Pages that it has written ahead.
    pub fn page_count(&self) -> usize {
        self.runs.iter().map(TableRun::page_count).sum()
    }
}

/// Lends pages out of a writer that several threads share.
#[derive(Debug)]
pub struct SharedSupply<'w>(pub &'w Mutex<StoreWriter>);

impl PageSupply for SharedSupply<'_> {
    fn lend_pages(&mut self, fdp: Pgno, want: u32) -> EseResult<Extent> {
        let mut writer = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        writer.alive()?;
        writer.db.lend_pages(fdp, want)
    }
}

/// Builds one parcel.
#[derive(Debug)]
pub struct ParcelBuilder<'t> {
    target: &'t ParcelTarget,
    given: Reservation,
    contents: TableRunBuilder,
    attachments: TableRunBuilder,
    items: TableRunBuilder,
    owners: Vec<OwnerRow>,
    streams: Vec<SlvInfo>,
    folders: BTreeMap<FolderId, FolderChange>,
    references: BTreeMap<InstanceId, ReferenceChange>,
    brought: BTreeSet<InstanceId>,
    item_count: u64,
}

/// How many hold a new content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holders {
    /// Folder rows, and attachments.
    pub live: i32,
    /// Soft-deleted folder rows.
    pub soft: i32,
}

impl Holders {
    /// One more.
    pub fn add(&mut self, is_deleted: bool) {
        if is_deleted { self.soft += 1 } else { self.live += 1 }
    }
}

impl Reservation {
    /// The first of the ids; the others follow it.
    pub fn first_id(&self) -> u64 {
        self.next_id
    }

    /// The id with this counter, as one of a content.
    ///
    /// # Errors
    /// [`EseError::Limit`] for a counter that cannot be.
    pub fn instance_of(&self, target: &ParcelTarget, counter: u64) -> EseResult<InstanceId> {
        let counter = super::counter(counter, "object id")?;
        Ok(InstanceId::new(target.info.local_replica, counter))
    }
}

impl<'t> ParcelBuilder<'t> {
    /// Starts a parcel with what was reserved for it.
    ///
    /// # Errors
    /// [`EseError::Unsupported`] when a table of the store cannot be written.
    pub fn new(target: &'t ParcelTarget, mut given: Reservation) -> EseResult<Self> {
        let [contents, attachments, items] = std::mem::take(&mut given.lids);
        let tables = &target.tables;
        let builder = |table: &crate::stm::NamedTable, lids: Lids| {
            TableRunBuilder::new(table.shared_def(), given.writer.clone(), lids)
        };
        Ok(Self {
            target,
            contents: builder(&tables.contents, contents)?,
            attachments: builder(&tables.attachments, attachments)?,
            items: builder(&tables.items, items)?,
            given,
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

    /// Copies a content with its attachments and streams; answers its new id.
    ///
    /// # Errors
    /// What the source reports: the parcel must be given up then. [`View::content_sum`] tells beforehand whether a content can be read.
    pub fn copy_content<P: Pages + ?Sized>(
        &mut self,
        supply: &mut dyn PageSupply,
        source: &View<'_, P>,
        maps: &ParcelMaps,
        instance: InstanceId,
        holders: Holders,
    ) -> EseResult<InstanceId> {
        self.copy_at_depth(supply, (source, maps), instance, holders, 0)
    }

    fn copy_at_depth<P: Pages + ?Sized>(
        &mut self,
        supply: &mut dyn PageSupply,
        (source, maps): (&View<'_, P>, &ParcelMaps),
        instance: InstanceId,
        holders: Holders,
        depth: usize,
    ) -> EseResult<InstanceId> {
        if depth > DEPTH_MAX {
            let reason = format!("mails inside mails, more than {DEPTH_MAX} deep: a cycle");
            return Err(EseError::corrupt_bytes(reason).in_object(format!("content {instance}")));
        }
        let table = &source.tables.contents;
        let key = table.key(&[Some(&instance.to_store())])?;
        let links = source.content_links(instance)?;
        // Rows enter their table in the order of their ids, so what is inside gets its id, and its row, first.
        let mut attachments = Vec::with_capacity(links.attachments.len());
        for attachment in links.attachments {
            let (source, maps) = (source, maps);
            attachments.push(self.copy_attachment(supply, (source, maps), attachment, depth)?);
        }
        let new = self.next_instance()?;
        let stream = match &links.stream {
            Some(stream) => {
                let from = source.owner(table, col::STREAM, instance)?;
                let to = owner_of(&self.target.tables.contents, col::STREAM, new)?;
                Some(self.copy_stream(source, stream, &from, &to)?)
            }
            None => None,
        };
        let target = self.target;
        let builder = &mut self.contents;
        let copied = with_row(source.pages, table, &key, |row, values| {
            let mut draft = Draft::new(&target.tables.contents);
            let (map, values) = (&maps.contents, values);
            fill(builder, supply, map, (table, row, values), &mut draft)?;
            draft
                .bytes(col::INSTANCE, new.to_store().to_vec())
                .i32(col::REFERENCES, holders.live)
                .i32(col::SOFT_REFERENCES, holders.soft);
            if let Some(stream) = &stream {
                draft.bytes(col::STREAM, stream.encode());
            }
            if !attachments.is_empty() {
                let ids = attachments.iter().map(|id| id.to_store().to_vec().into());
                draft.set(col::ATTACHMENTS, Cell::Many(ids.collect()));
            }
            builder.push(supply, &draft.values())
        })?;
        copied.ok_or_else(|| source.missing("content", instance))?;
        self.brought.insert(new);
        Ok(new)
    }

    fn copy_attachment<P: Pages + ?Sized>(
        &mut self,
        supply: &mut dyn PageSupply,
        (source, maps): (&View<'_, P>, &ParcelMaps),
        instance: InstanceId,
        depth: usize,
    ) -> EseResult<InstanceId> {
        let table = &source.tables.attachments;
        let key = table.key(&[Some(&instance.to_store())])?;
        let attachment = source.attachment(instance)?;
        let attachment = attachment.ok_or_else(|| source.missing("attachment", instance))?;
        let one = Holders { live: 1, soft: 0 };
        let embedded = match attachment.embedded {
            Some(inner) => {
                Some(self.copy_at_depth(supply, (source, maps), inner, one, depth + 1)?)
            }
            None => None,
        };
        let new = self.next_instance()?;
        let stream = match &attachment.stream {
            Some(stream) => {
                let from = source.owner(table, col::DATA_STREAM, instance)?;
                let to = owner_of(&self.target.tables.attachments, col::DATA_STREAM, new)?;
                Some(self.copy_stream(source, stream, &from, &to)?)
            }
            None => None,
        };
        let target = self.target;
        let builder = &mut self.attachments;
        let copied = with_row(source.pages, table, &key, |row, values| {
            let mut draft = Draft::new(&target.tables.attachments);
            fill(builder, supply, &maps.attachments, (table, row, values), &mut draft)?;
            draft
                .bytes(col::ATTACHMENT, new.to_store().to_vec())
                .i32(col::ATTACHMENT_REFERENCES, 1)
                .i32(col::ATTACHMENT_SOFT_REFERENCES, 0);
            if let Some(embedded) = embedded {
                draft.bytes(col::EMBEDDED, embedded.to_store().to_vec());
            }
            if let Some(stream) = &stream {
                draft.bytes(col::DATA_STREAM, stream.encode());
            }
            builder.push(supply, &draft.values())
        })?;
        copied.ok_or_else(|| source.missing("attachment", instance))?;
        Ok(new)
    }

    fn copy_stream<P: Pages + ?Sized>(
        &mut self,
        source: &View<'_, P>,
        stream: &SlvInfo,
        from: &Owner,
        to: &Owner,
    ) -> EseResult<SlvInfo> {
        let place = self.given.streams.next();
        let place =
            place.filter(|place| place.len_bytes() == stream.len_bytes()).ok_or_else(|| {
                let reason = "a stream was not wished for, or has another length";
                EseError::refused(Refusal::BadRequest, reason)
            })?;
        let mut copy = self.given.ahead.start(&place, to);
        source.streams().read(stream, from, &mut |part| copy.push(part))?;
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
    /// come in the order of their places. Article, change number and commit time are set here. `weight` is what it counts for.
    ///
    /// # Errors
    /// [`Refusal::BadRequest`] when it was not wished for or is out of order; what the source reports.
    pub fn put_item<P: Pages + ?Sized>(
        &mut self,
        supply: &mut dyn PageSupply,
        source: &View<'_, P>,
        maps: &ParcelMaps,
        from: ItemId,
        item: &Item,
        weight: &ItemWeight,
    ) -> EseResult<()> {
        let change = take(&mut self.given.next_change, self.given.change_end, "change numbers")?;
        let change = ChangeNumber::new(self.target.info.local_replica, change);
        let folder = self.folder(item.id.folder)?;
        let mut item = Item {
            root: folder.root,
            article: folder.next_article,
            change: Some(change),
            ..item.clone()
        };
        folder.next_article = folder.next_article.saturating_add(1);
        folder.counts.count(weight, 1);
        folder.is_changed = true;
        if let Some(deleted_on) = item.deleted_on {
            folder.oldest_deleted = folder.oldest_deleted.into_iter().chain([deleted_on]).min();
        }
        item.bytes = weight.bytes;
        item.commit_time = Some(self.given.now);
        let table = &source.tables.items;
        let key = table.key(&[Some(&from.folder.to_store()), Some(&from.message.to_store())])?;
        let target = self.target;
        let builder = &mut self.items;
        let copied = with_row(source.pages, table, &key, |row, values| {
            let mut draft = Draft::new(&target.tables.items);
            fill(builder, supply, &maps.items, (table, row, values), &mut draft)?;
            for own in
                [col::READ_CHANGE, col::CHANGE_KEY, col::PCL, col::SOURCE_KEY, col::DELETED_ON]
            {
                draft.set(own, Cell::Empty);
            }
            item.put(&mut draft);
            builder.push(supply, &draft.values())
        })?;
        copied.ok_or_else(|| source.missing("item", from.message))?;
        self.item_count += 1;
        Ok(())
    }

    fn folder(&mut self, id: FolderId) -> EseResult<&mut FolderChange> {
        let Some((root, article)) = self.given.folders.get(&id).copied() else {
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
            next_article: article,
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

/// Fills a draft from a source row; long values go with it, chunk by chunk.
fn fill<'r, P: Pages + ?Sized>(
    builder: &mut TableRunBuilder,
    supply: &mut dyn PageSupply,
    map: &RowMap,
    (table, row, values): (&crate::stm::NamedTable, &Row<'r>, &LvReader<'_, P>),
    draft: &mut Draft<'_, 'r>,
) -> EseResult<()> {
    let mut copy = |lid: Lid| builder.copy_long_value(supply, values, lid).map(Cell::Shared);
    map.fill(table, row, values, &mut copy, draft)
}

fn take(next: &mut u64, end: u64, what: &str) -> EseResult<GlobCnt> {
    if *next >= end {
        let reason = format!("more {what} are taken than were reserved");
        return Err(EseError::refused(Refusal::BadRequest, reason));
    }
    *next += 1;
    super::counter(*next - 1, "reserved number")
}

impl StoreWriter {
    /// What workers need to know of this store.
    pub fn parcel_target(&self) -> ParcelTarget {
        ParcelTarget { tables: self.tables.clone(), info: self.info }
    }

    /// How the rows of `source` fit into this store. Named properties get their ids here, and columns that are missing are added.
    ///
    /// # Errors
    /// [`EseError::Corrupt`] when a named property of the source cannot be read; as [`Self::named_property`].
    pub fn parcel_maps<P: Pages + ?Sized>(
        &mut self,
        source: &View<'_, P>,
    ) -> EseResult<ParcelMaps> {
        let names = self.adopt_columns(source)?;
        let map = |from: &crate::stm::NamedTable, to: &crate::stm::NamedTable| {
            RowMap::new(from, to, &|name| names.of(name))
        };
        Ok(ParcelMaps {
            contents: map(&source.tables.contents, &self.tables.contents),
            attachments: map(&source.tables.attachments, &self.tables.attachments),
            items: map(&source.tables.items, &self.tables.items),
        })
    }

    /// Reserves what a parcel needs.
    ///
    /// # Errors
    /// [`EseError::Limit`]; [`Refusal::NotFound`] for a folder that is not there; [`EseError::Io`].
    pub fn reserve(&mut self, wish: &ParcelWish) -> EseResult<Reservation> {
        self.guarded(|writer| {
            let mut folders = BTreeMap::new();
            for (id, count) in &wish.articles {
                let change = writer.change_of(*id)?;
                folders.insert(*id, (change.root, change.next_article));
                change.next_article = change.next_article.saturating_add(*count);
            }
            let next_id = writer.reserve_ids(wish.ids)?.get();
            let next_change = writer.reserve_changes(wish.items)?.get();
            let streams = wish.streams.iter().map(|len_bytes| writer.stm.reserve(*len_bytes));
            let streams = streams.collect::<EseResult<Vec<_>>>()?;
            let tables =
                [&writer.tables.contents, &writer.tables.attachments, &writer.tables.items];
            let mut lids = [Lids::default(), Lids::default(), Lids::default()];
            for ((slot, table), count) in lids.iter_mut().zip(tables).zip(wish.long_values) {
                *slot = writer.db.reserve_lids(table.def(), count)?;
            }
            Ok(Reservation {
                next_id,
                id_end: next_id + wish.ids,
                next_change,
                change_end: next_change + wish.items,
                lids,
                streams: streams.into_iter(),
                folders,
                writer: writer.db.ahead_writer(),
                ahead: AheadStreams::new(writer.stm.file().storage().clone()),
                now: writer.now,
            })
        })
    }

    /// Takes parcels in. Contents that they need must be in the store or among them. Not durable before the commit.
    ///
    /// # Errors
    /// [`Refusal::DuplicateKey`] when an item is there already; [`EseError::Io`]. The writer is dead then.
    pub fn splice(&mut self, parcels: Vec<Parcel>) -> EseResult<()> {
        self.guarded(|writer| {
            let mut runs = Vec::new();
            for parcel in parcels {
                runs.extend(parcel.runs);
                parcel.streams.iter().for_each(|stream| writer.stm.commit_reserved(stream));
                for (id, change) in parcel.folders {
                    let folder = writer.change_of(id)?;
                    folder.counts.add(&change.counts);
                    folder.commit_time_max = folder.commit_time_max.max(change.commit_time_max);
                    folder.is_changed |= change.is_changed;
                    let deleted = folder.oldest_deleted.into_iter().chain(change.oldest_deleted);
                    folder.oldest_deleted = deleted.min();
                }
                for (instance, change) in parcel.references {
                    writer.refer(instance, change.live, change.soft);
                }
            }
            writer.db.splice(runs).map(drop)
        })
    }

    /// Gives up parcels: what was reserved for them is free again, but for ids.
    ///
    /// # Errors
    /// [`EseError::Corrupt`] when pages were not reserved; the writer is dead then.
    pub fn discard(&mut self, parcels: Vec<Parcel>) -> EseResult<()> {
        self.guarded(|writer| {
            for parcel in parcels {
                parcel.streams.iter().for_each(|stream| writer.stm.give_back(stream));
                writer.db.discard(parcel.runs)?;
            }
            Ok(())
        })
    }

    /// The store as the last commit left it, for threads that read while this writer goes on; see
    /// [`crate::ese::txn::CommittedPages`].
    ///
    /// # Errors
    /// [`EseError::Io`].
    pub fn committed(&self) -> EseResult<CommittedStore> {
        let pages = self.db.forest().pager().committed()?;
        Ok(CommittedStore::new(pages, self.tables.clone(), self.stm.file().storage().clone()))
    }
}
