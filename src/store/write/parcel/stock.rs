//! What parcels need from the writer, taken in stock, so that workers need not wait for it while it commits: ids, change numbers,
//! numbers of long values, pages for streams.
//!
//! Numbers that are not used are lost, which hurts nobody; pages are given back when the job is over.

use super::{ParcelWish, Reservation};
use crate::ese::error::EseResult;
use crate::ese::table::write::Lids;
use crate::ese::txn::AheadWriter;
use crate::mapi::FileTime;
use crate::stm::{AheadStreams, StreamNeed, StreamStock};
use crate::store::write::StoreWriter;

/// Most pages of streams that are kept here beyond what was asked for: 64 MiB. They are free pages of the file if nobody needs them.
const SPARE_STREAM_PAGES: u32 = 16_384;

/// Things reserved.
#[derive(Debug)]
pub struct ParcelStock {
    ids: Numbers,
    changes: Numbers,
    lids: [Lids; 3],
    streams: StreamStock,
    writer: AheadWriter,
    stream_file: std::sync::Arc<dyn crate::io::Storage>,
    now: FileTime,
    /// What was taken in the batch that grows, and half of what was taken in those before it.
    taken: Amounts,
}

/// Numbers that follow each other, from `next` up to `end` exclusive.
#[derive(Debug, Default)]
struct Numbers {
    next: u64,
    end: u64,
}

impl Numbers {
    fn left(&self) -> u64 {
        self.end - self.next
    }

    fn take(&mut self, count: u64) -> u64 {
        self.next += count;
        self.next - count
    }

    /// Fills up to `want`, from `reserve`, which hands out numbers that follow each other unless somebody else has taken some since.
    /// What is left here and cannot be joined to the new ones is dropped.
    fn fill(&mut self, want: u64, reserve: &mut dyn FnMut(u64) -> EseResult<u64>) -> EseResult<()> {
        let left = self.left();
        let missing = want.saturating_sub(left);
        if missing == 0 {
            return Ok(());
        }
        let first = reserve(missing)?;
        if self.end == first {
            self.end = first + missing;
        } else {
            *self = Self { next: first, end: reserve(left)? + left };
        }
        Ok(())
    }
}

/// How much of each thing.
#[derive(Debug, Clone, Copy, Default)]
struct Amounts {
    ids: u64,
    changes: u64,
    lids: [u32; 3],
    streams: StreamNeed,
}

impl Amounts {
    fn of(wish: &ParcelWish) -> Option<Self> {
        let streams = StreamNeed::of(&wish.streams)?;
        Some(Self { ids: wish.ids, changes: wish.items, lids: wish.long_values, streams })
    }

    fn plus(self, other: Self) -> Self {
        let mut lids = self.lids;
        for (lids, other) in lids.iter_mut().zip(other.lids) {
            *lids = lids.saturating_add(other);
        }
        Self {
            ids: self.ids.saturating_add(other.ids),
            changes: self.changes.saturating_add(other.changes),
            lids,
            streams: StreamNeed {
                clusters: self.streams.clusters.saturating_add(other.streams.clusters),
                pages: self.streams.pages.saturating_add(other.streams.pages),
            },
        }
    }

    fn half(self) -> Self {
        let StreamNeed { clusters, pages } = self.streams;
        Self {
            ids: self.ids / 2,
            changes: self.changes / 2,
            lids: self.lids.map(|lids| lids / 2),
            streams: StreamNeed { clusters: clusters / 2, pages: pages / 2 },
        }
    }

    /// The part of what was taken that is worth having in stock for the time of a commit.
    fn spare(self) -> Self {
        let half = self.half();
        let most_pages = SPARE_STREAM_PAGES / 2;
        let StreamNeed { clusters, pages } = half.streams;
        let clusters = clusters.min(most_pages / crate::stm::CLUSTER_PAGES);
        Self { streams: StreamNeed { clusters, pages: pages.min(most_pages) }, ..half }
    }
}

impl ParcelStock {
    /// A batch is complete: what was taken for it counts half from now on.
    pub fn end_batch(&mut self) {
        self.taken = self.taken.half();
    }

    /// Whether more than half is gone of what is worth having here.
    pub fn is_low(&self) -> bool {
        let wanted = self.taken.spare().half();
        let here = self.streams.holds();
        let mut lids = self.lids.iter().map(Lids::left).zip(wanted.lids);
        self.ids.left() < wanted.ids
            || self.changes.left() < wanted.changes
            || here.clusters < wanted.streams.clusters
            || here.pages < wanted.streams.pages
            || lids.any(|(left, wanted)| left < wanted)
    }

    /// What a parcel needs, if all of it is here.
    pub fn take(&mut self, wish: &ParcelWish) -> Option<Reservation> {
        let amounts = Amounts::of(wish)?;
        let lids = self.lids.iter().map(Lids::left).zip(amounts.lids);
        let is_enough = amounts.ids <= self.ids.left()
            && amounts.changes <= self.changes.left()
            && lids.clone().all(|(left, wanted)| wanted <= left);
        if !is_enough {
            return None;
        }
        let streams = self.streams.take(&wish.streams)?;
        self.taken = self.taken.plus(amounts);
        let next_id = self.ids.take(amounts.ids);
        let next_change = self.changes.take(amounts.changes);
        let [contents, attachments, items] = &mut self.lids;
        let [of_contents, of_attachments, of_items] = amounts.lids;
        Some(Reservation {
            next_id,
            id_end: next_id + amounts.ids,
            next_change,
            change_end: next_change + amounts.changes,
            lids: [
                contents.split_off(of_contents),
                attachments.split_off(of_attachments),
                items.split_off(of_items),
            ],
            streams: streams.into(),
            folders: wish.articles.clone(),
            writer: self.writer.clone(),
            ahead: AheadStreams::new(self.stream_file.clone()),
            now: self.now,
        })
    }
}

impl StoreWriter {
    /// An empty stock.
    pub fn parcel_stock(&self) -> ParcelStock {
        ParcelStock {
            ids: Numbers::default(),
            changes: Numbers::default(),
            lids: Default::default(),
            streams: StreamStock::default(),
            writer: self.db.ahead_writer(),
            stream_file: self.stm.file().storage().clone(),
            now: self.now,
            taken: Amounts::default(),
        }
    }

    /// Fills `stock` up: with what `wish` needs, and in proportion to what was taken for the last batches.
    ///
    /// # Errors
    /// [`crate::ese::EseError::Limit`]; [`crate::ese::EseError::Io`].
    pub fn fill_stock(&mut self, stock: &mut ParcelStock, wish: &ParcelWish) -> EseResult<()> {
        self.guarded(|writer| {
            let too_much =
                || crate::ese::EseError::limit("pages of streams", u64::MAX, u32::MAX.into());
            let wished = Amounts::of(wish).ok_or_else(too_much)?;
            let want = wished.plus(stock.taken.spare());
            stock.writer = writer.db.ahead_writer();
            stock.ids.fill(want.ids, &mut |count| Ok(writer.reserve_ids(count)?.get()))?;
            let changes = &mut |count| Ok(writer.reserve_changes(count)?.get());
            stock.changes.fill(want.changes, changes)?;
            let tables =
                [&writer.tables.contents, &writer.tables.attachments, &writer.tables.items];
            for ((lids, table), want) in stock.lids.iter_mut().zip(tables).zip(want.lids) {
                // Those that were left are dropped if somebody else took some since.
                while lids.left() < want {
                    let missing = want - lids.left();
                    lids.add(writer.db.reserve_lids(table.def(), missing)?);
                }
            }
            writer.stm.fill_stock(&mut stock.streams, want.streams)
        })
    }

    /// Takes back what was not needed.
    ///
    /// # Errors
    /// [`crate::ese::error::Refusal::WriterDead`].
    pub fn take_back_stock(&mut self, stock: &mut ParcelStock) -> EseResult<()> {
        self.guarded(|writer| {
            writer.stm.give_back(&stock.streams.empty());
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_filled_up_to_what_is_wanted_whoever_takes_some_between() {
        let mut counter = 7;
        let mut reserve = |count: u64| {
            counter += count;
            Ok(counter - count)
        };
        let mut numbers = Numbers::default();
        numbers.fill(3, &mut reserve).unwrap();
        assert_eq!((numbers.take(2), numbers.left()), (7, 1));
        numbers.fill(3, &mut reserve).unwrap();
        assert_eq!((numbers.take(2), numbers.left()), (9, 1), "joined");
        reserve(28).unwrap();
        numbers.fill(1, &mut reserve).unwrap();
        assert_eq!(numbers.left(), 1, "what is enough stays");
        numbers.fill(5, &mut reserve).unwrap();
        assert_eq!((numbers.take(5), numbers.left()), (40, 0), "all of them follow each other");
    }
}
