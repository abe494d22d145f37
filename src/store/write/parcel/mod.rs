//! Parcels: contents and items of many mails, copied from another store by any thread, that enter the store in one go.
//!
//! ```text
//!   writer                      worker                                     writer
//!   reserve() ── ids, pages ──► ParcelBuilder: rows, long values, streams ──► splice(), commit
//! ```
//!
//! Whoever may not wait for the writer takes what it would reserve from a [`ParcelStock`], which is filled ahead.
//!
//! Everything reserved is free on disk until the commit that takes the parcel in. A parcel names contents of other parcels only as
//! references; whoever splices sees to it that they are there (`needs`).

mod build;
mod files;
mod stock;

use std::collections::{BTreeMap, BTreeSet};

use crate::ese::error::EseResult;
use crate::ese::page::Pgno;
use crate::ese::table::write::{IndexBatch, IndexEntries, Lids, TableRun};
use crate::ese::tree::Extent;
#[cfg(doc)]
use crate::ese::tree::PageSupply;
use crate::ese::txn::{AheadWriter, Pages};
use crate::mapi::{FileTime, FolderId, InstanceId};
use crate::stm::{AheadStreams, SlvInfo};

use crate::store::copy::RowMap;
use crate::store::read::CommittedStore;
use crate::store::schema::Tables;
use crate::store::view::{StoreInfo, View};
use crate::store::write::StoreWriter;
use crate::store::write::flush::{FolderChange, ReferenceChange};

pub use build::ParcelBuilder;
pub use files::AheadFiles;
pub use stock::ParcelStock;

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
    /// For each folder that gets items: article numbers that [`StoreWriter::reserve_articles`] has given.
    pub articles: BTreeMap<FolderId, Articles>,
}

/// Article numbers of a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Articles {
    /// The root of the folder's mailbox.
    pub root: FolderId,
    /// The first number; the others follow it.
    pub first: i32,
}

/// Places for streams, in the order in which they are copied.
type StreamPlaces = std::collections::VecDeque<SlvInfo>;

/// What a parcel was given.
#[derive(Debug)]
pub struct Reservation {
    next_id: u64,
    id_end: u64,
    next_change: u64,
    change_end: u64,
    lids: [Lids; 3],
    streams: StreamPlaces,
    folders: BTreeMap<FolderId, Articles>,
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

    /// Bytes of memory that it takes, about: index entries, and the pages at the ends of its runs.
    pub fn held_bytes(&self) -> usize {
        self.runs.iter().map(TableRun::held_bytes).sum()
    }

    /// Pages that it has written ahead.
    pub fn page_count(&self) -> usize {
        self.runs.iter().map(TableRun::page_count).sum()
    }
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
    /// [`crate::ese::EseError::Limit`] for a counter that cannot be.
    pub fn instance_of(&self, target: &ParcelTarget, counter: u64) -> EseResult<InstanceId> {
        let counter = crate::store::write::counter(counter, "object id")?;
        Ok(InstanceId::new(target.info.local_replica, counter))
    }
}

impl StoreWriter {
    /// What workers need to know of this store.
    pub fn parcel_target(&self) -> ParcelTarget {
        ParcelTarget { tables: self.tables.clone(), info: self.info }
    }

    /// How the rows of `source` fit into this store. Named properties get their ids here, and columns that are missing are added.
    ///
    /// # Errors
    /// [`crate::ese::EseError::Corrupt`] when a named property of the source cannot be read; as [`Self::named_property`].
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

    /// Reserves article numbers: so many for each folder.
    ///
    /// # Errors
    /// [`crate::ese::error::Refusal::NotFound`] for a folder that is not there; [`crate::ese::EseError::Io`].
    pub fn reserve_articles(
        &mut self,
        counts: impl IntoIterator<Item = (FolderId, i32)>,
    ) -> EseResult<BTreeMap<FolderId, Articles>> {
        self.guarded(|writer| {
            let mut articles = BTreeMap::new();
            for (id, count) in counts {
                let change = writer.change_of(id)?;
                articles.insert(id, Articles { root: change.root, first: change.next_article });
                change.next_article = change.next_article.saturating_add(count);
            }
            Ok(articles)
        })
    }

    /// Reserves what a parcel needs.
    ///
    /// # Errors
    /// [`crate::ese::EseError::Limit`]; [`crate::ese::EseError::Io`].
    pub fn reserve(&mut self, wish: &ParcelWish) -> EseResult<Reservation> {
        self.guarded(|writer| {
            let next_id = writer.reserve_ids(wish.ids)?.get();
            let next_change = writer.reserve_changes(wish.items)?.get();
            let streams = wish.streams.iter().map(|len_bytes| writer.stm.reserve(*len_bytes));
            let streams = streams.collect::<EseResult<_>>()?;
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
                streams,
                folders: wish.articles.clone(),
                writer: writer.db.ahead_writer(),
                ahead: AheadStreams::new(writer.stm.file().storage().clone()),
                now: writer.now,
            })
        })
    }

    /// Takes parcels in. Contents that they need must be in the store or among them. Not durable before the commit.
    ///
    /// # Errors
    /// [`crate::ese::error::Refusal::DuplicateKey`] when an item is there already; [`crate::ese::EseError::Io`]. The writer is dead then.
    pub fn splice(&mut self, parcels: Vec<Parcel>) -> EseResult<()> {
        let mut entries = IndexEntries::default();
        for parcel in parcels {
            self.splice_rows(parcel, &mut entries)?;
        }
        entries.into_batches().iter().try_for_each(|batch| self.splice_entries(batch))
    }

    /// The first half of [`Self::splice`], for one parcel: its rows, but not their index entries, which are added to `entries`. Until
    /// those are in as well, others may reserve, and make folders, but nobody may commit.
    ///
    /// # Errors
    /// As [`Self::splice`].
    pub fn splice_rows(&mut self, parcel: Parcel, entries: &mut IndexEntries) -> EseResult<()> {
        self.guarded(|writer| {
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
            writer.db.splice_pages(parcel.runs, entries).map(drop)
        })
    }

    /// The second half of [`Self::splice`], for one index.
    ///
    /// # Errors
    /// As [`Self::splice`].
    pub fn splice_entries(&mut self, batch: &IndexBatch) -> EseResult<()> {
        self.guarded(|writer| writer.db.splice_entries(batch))
    }

    /// Gives up parcels: what was reserved for them is free again, but for ids.
    ///
    /// # Errors
    /// [`crate::ese::EseError::Corrupt`] when pages were not reserved; the writer is dead then.
    pub fn discard(&mut self, parcels: Vec<Parcel>) -> EseResult<()> {
        self.guarded(|writer| {
            for parcel in parcels {
                parcel.streams.iter().for_each(|stream| writer.stm.give_back(stream.runs()));
                writer.db.discard(parcel.runs)?;
            }
            Ok(())
        })
    }

    /// Reserves free pages for a parcel; see [`PageSupply`].
    ///
    /// # Errors
    /// As [`crate::ese::tree::Forest::lend_pages`].
    pub fn lend_pages(&mut self, fdp: Pgno, want: u32) -> EseResult<Extent> {
        self.alive()?;
        self.db.lend_pages(fdp, want)
    }

    /// Takes back pages that were reserved and are not needed.
    ///
    /// # Errors
    /// As [`crate::ese::tree::Forest::take_back`].
    pub fn take_back(&mut self, fdp: Pgno, extent: Extent) -> EseResult<()> {
        self.guarded(|writer| writer.db.take_back(fdp, extent))
    }

    /// Both files, for syncing what parcels have written ahead while others go on.
    ///
    /// # Errors
    /// [`crate::ese::EseError::Io`].
    pub fn ahead_files(&self) -> EseResult<AheadFiles> {
        let database = self.db.forest().pager().storage().clone();
        AheadFiles::new(self.stm.file().storage().clone(), database)
    }

    /// The store as the last commit left it, for threads that read while this writer goes on; see
    /// [`crate::ese::txn::CommittedPages`].
    pub fn committed(&self) -> CommittedStore {
        let pages = self.db.forest().pager().committed();
        CommittedStore::new(pages, self.tables.clone(), self.stm.file().storage().clone())
    }
}
