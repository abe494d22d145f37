//! A piece: some items of one mailbox and the contents they need, built into pages of the target.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use super::shared::{Claim, Shared};
use super::worker::Planned;
use crate::ese::error::{EseError, EseResult};
use crate::ese::txn::{DatabaseFile, RecentPages};
use crate::mapi::{FolderId, InstanceId};
use crate::recover::job::Job;
use crate::recover::partial::{reason_of, what_is_lost};
use crate::recover::plain::bad_item;
use crate::recover::plan::{BadItem, PlannedWrite, WriteKind};
use crate::recover::share::find_content;
use crate::recover::stages::Stage;
use crate::recover::verify::Written;
use crate::store::{
    ContentSum, Holders, Item, ItemId, ItemWeight, LostAttachment, Parcel, ParcelBuilder,
    ParcelWish, Summer, View,
};

/// Long values that a row may get beside those it has, because it grows by a few bytes.
const SPARE_VALUES: u32 = 4;

/// What the committer does by itself when a piece is in.
#[derive(Debug)]
pub enum Operation {
    /// Puts the source's item in the place of one of the target.
    Replace {
        /// The source's item.
        from: ItemId,
        /// The content that it loses.
        old: InstanceId,
        /// What stands there then.
        new: Box<Item>,
    },
    /// Marks an item read.
    MarkRead(ItemId),
    /// Inserts what can be read of an item.
    Partial {
        /// What was planned.
        write: PlannedWrite,
        /// Where it goes.
        folder: FolderId,
        /// What cannot be read.
        lost: Vec<LostAttachment>,
    },
}

/// Some items of one mailbox, built.
#[derive(Debug)]
pub struct Piece {
    /// Which mailbox.
    pub number: usize,
    /// Pages, if there are new contents or items.
    pub parcel: Parcel,
    /// What is done afterwards.
    pub operations: Vec<Operation>,
    /// What must be there then.
    pub written: Vec<Written>,
    /// Items that could not be read.
    pub bad: Vec<(PlannedWrite, BadItem)>,
    /// Items that could be read in part.
    pub partial: Vec<BadItem>,
    /// Contents of the target that its items hold.
    pub promised: Vec<InstanceId>,
    /// Bytes of content.
    pub bytes: u64,
    /// Bytes of memory that it takes, about.
    pub held_bytes: u64,
}

/// One item that can be read.
struct Readable<'p> {
    write: &'p PlannedWrite,
    item: Item,
    weight: ItemWeight,
    content: Holding,
}

/// Where an item's content comes from.
enum Holding {
    /// It is copied in this piece, under this place among the new ones.
    New(usize),
    /// It is in the target, or comes with another piece.
    There(Claim),
    /// None is needed.
    None,
}

/// How an item gets into the target.
enum Placed {
    /// With the pages of the parcel.
    Insert(Box<Item>),
    /// By the committer.
    Operation(Operation),
}

/// A content that is copied in this piece.
struct Copied {
    from: InstanceId,
    sum: ContentSum,
    holders: Holders,
    is_shared: bool,
    to: Option<InstanceId>,
}

struct Reading<'p> {
    view: View<'p, RecentPages<'p, DatabaseFile>>,
    sums: Summer<'p, RecentPages<'p, DatabaseFile>>,
    shared: &'p Shared,
    planned: &'p Planned,
    items: Vec<Readable<'p>>,
    copies: Vec<Copied>,
    /// Places in `copies`, by source content.
    places: HashMap<InstanceId, usize>,
    bad: Vec<(PlannedWrite, BadItem)>,
    partial: Vec<(PlannedWrite, Vec<LostAttachment>)>,
    promised: Vec<InstanceId>,
    keeps_partial: bool,
}

/// Builds the piece of these writes.
///
/// # Errors
/// [`EseError::Io`], and what ends the job.
pub fn build(
    job: &Job<'_>,
    shared: &Shared,
    planned: &Planned,
    range: Range<usize>,
) -> EseResult<Piece> {
    let recent = RecentPages::new(job.source.view().pages());
    let view = job.source.view().through(&recent);
    let mut reading = Reading {
        sums: view.summer()?,
        view,
        shared,
        planned,
        items: Vec::new(),
        copies: Vec::new(),
        places: HashMap::new(),
        bad: Vec::new(),
        partial: Vec::new(),
        promised: Vec::new(),
        keeps_partial: !job.options.drop_partial,
    };
    for write in planned.plan.writes.get(range).unwrap_or_default() {
        reading.read(write)?;
    }
    shared.clock.turn(Stage::Copy);
    reading.build()
}

impl<'p> Reading<'p> {
    /// Reads everything of an item that will be needed: what follows does not fail for the source's sake.
    fn read(&mut self, write: &'p PlannedWrite) -> EseResult<()> {
        match self.try_read(write) {
            Ok(item) => {
                self.items.push(item);
                Ok(())
            }
            Err(error @ EseError::Io(_)) => Err(error),
            Err(error) => {
                if let Some(lost) = what_is_lost(&self.view, write, self.keeps_partial)? {
                    self.partial.push((*write, lost));
                    return Ok(());
                }
                let bad = bad_item(&self.planned.plan, write, error.to_string());
                self.bad.push((*write, bad));
                Ok(())
            }
        }
    }

    fn try_read(&mut self, write: &'p PlannedWrite) -> EseResult<Readable<'p>> {
        let item = self.view.item_to_copy(write.source)?;
        let missing = || EseError::corrupt_bytes(format!("item {} is gone", write.source.message));
        let item = item.ok_or_else(missing)?;
        if let WriteKind::MarkRead(_) = write.kind {
            let weight = ItemWeight::default();
            return Ok(Readable { write, item, weight, content: Holding::None });
        }
        let content = self.view.content_brief(write.instance)?;
        let missing = || EseError::corrupt_bytes(format!("content {} is gone", write.instance));
        let content = content.ok_or_else(missing)?;
        let weight = ItemWeight {
            associated: item.associated,
            read: write.is_read,
            deleted: item.deleted_on.is_some(),
            bytes: content.bytes,
            has_attachments: item.headers.has_attachments,
            recipients: content.recipients,
            attachments: content.attachments,
        };
        let is_replace = matches!(write.kind, WriteKind::Replace(_));
        if let Some(place) = self.places.get(&write.instance).copied() {
            if let Some(copy) = self.copies.get_mut(place).filter(|_| !is_replace) {
                copy.holders.add(weight.deleted);
            }
            return Ok(Readable { write, item, weight, content: Holding::New(place) });
        }
        let is_shared = content.holders > 1;
        if is_shared && let Some(claim) = self.shared.claims().copies.get(&write.instance).copied()
        {
            return Ok(Readable { write, item, weight, content: Holding::There(claim) });
        }
        let sum = self.sums.content_sum(write.instance)?;
        if let Some(copy) = self.find_in_target(&content)? {
            let claim = Claim { copy, crc: sum.crc };
            return Ok(Readable { write, item, weight, content: Holding::There(claim) });
        }
        let place = self.copies.len();
        self.places.insert(write.instance, place);
        let mut holders = Holders { live: 0, soft: 0 };
        if !is_replace {
            holders.add(weight.deleted);
        }
        let from = write.instance;
        self.copies.push(Copied { from, sum, holders, is_shared, to: None });
        Ok(Readable { write, item, weight, content: Holding::New(place) })
    }

    /// A content of the last commit, if it is still there, and from now on stays.
    fn find_in_target(
        &mut self,
        content: &crate::store::ContentBrief,
    ) -> EseResult<Option<InstanceId>> {
        let found = {
            let committed = self.shared.committed();
            find_content(&self.view, content, &committed.view())?
        };
        let Some(copy) = found else { return Ok(None) };
        let mut claims = self.shared.claims();
        if claims.going.contains(&copy)
            || self.shared.target().view()?.content_brief(copy)?.is_none()
        {
            return Ok(None);
        }
        *claims.promised.entry(copy).or_default() += 1;
        self.promised.push(copy);
        Ok(Some(copy))
    }

    fn place_of(&self, write: &PlannedWrite) -> EseResult<FolderId> {
        let place = self.planned.places.get(write.folder as usize).copied().flatten();
        place.ok_or_else(|| {
            let reason = format!("item {} has no folder to go to", write.source.message);
            EseError::corrupt_bytes(reason)
        })
    }

    fn build(mut self) -> EseResult<Piece> {
        let mut builder = self.reserve()?;
        let mut supply = self.shared;
        let (source, maps) = (self.view, &self.shared.maps);
        let mut bytes = 0;
        for copy in &mut self.copies {
            // Replacements add their references when they are made, in the same commit.
            let made = builder.copy_content(&mut supply, &source, maps, copy.from, copy.holders)?;
            assert!(copy.to == Some(made), "ids are handed out in the order of the copies");
            bytes += copy.sum.bytes;
        }
        let (mut operations, partial) = self.save_parts()?;
        let mut written = Vec::with_capacity(self.items.len());
        let mut inserts: Vec<(Item, usize)> = Vec::with_capacity(self.items.len());
        for (at, readable) in self.items.iter().enumerate() {
            match self.place(readable, &mut builder, &mut written)? {
                Placed::Insert(new) => inserts.push((*new, at)),
                Placed::Operation(operation) => operations.push(operation),
            }
        }
        inserts.sort_by_key(|(item, _)| (item.id.folder.to_store(), item.id.message.to_store()));
        for (new, at) in inserts {
            let Some(readable) = self.items.get(at) else { continue };
            let from = readable.write.source;
            builder.put_item(&mut supply, &source, maps, from, new, &readable.weight)?;
        }
        let parcel = builder.finish(&mut supply)?;
        let rest_bytes = std::mem::size_of_val(&*written) + std::mem::size_of_val(&*operations);
        Ok(Piece {
            number: self.planned.number,
            held_bytes: (parcel.held_bytes() + rest_bytes) as u64,
            parcel,
            operations,
            written,
            bad: self.bad,
            partial,
            promised: self.promised,
            bytes,
        })
    }

    /// Where an item goes, and what must be there afterwards.
    fn place(
        &self,
        readable: &Readable<'_>,
        builder: &mut ParcelBuilder<'_>,
        written: &mut Vec<Written>,
    ) -> EseResult<Placed> {
        let (instance, crc) = match &readable.content {
            Holding::New(place) => match self.copies.get(*place) {
                Some(copy) => (copy.to.unwrap_or(copy.from), copy.sum.crc),
                None => return Err(EseError::corrupt_bytes("a copy got lost")),
            },
            Holding::There(claim) => (claim.copy, claim.crc),
            Holding::None => (readable.write.instance, 0),
        };
        let sum = ContentSum { crc, ..ContentSum::default() };
        let (item, write) = (&readable.item, readable.write);
        match write.kind {
            WriteKind::MarkRead(id) => {
                written.push(Written::marked(id));
                Ok(Placed::Operation(Operation::MarkRead(id)))
            }
            WriteKind::Replace(id) => {
                written.push(Written::new(id, instance, item, write, &sum));
                self.replacement(readable, id, instance).map(Placed::Operation)
            }
            WriteKind::Insert { keep_id } => {
                let folder = self.place_of(write)?;
                let own = if keep_id { None } else { Some(builder.next_id()?) };
                let new = self.shared.replicas.inserted(item, write, folder, instance, own)?;
                written.push(Written::new(new.id, instance, item, write, &sum));
                if let Holding::There(claim) = &readable.content {
                    builder.refer(claim.copy, readable.weight.deleted);
                }
                Ok(Placed::Insert(Box::new(new)))
            }
        }
    }

    /// What the committer does about items of which a part can be saved, and what is reported of them.
    fn save_parts(&mut self) -> EseResult<(Vec<Operation>, Vec<BadItem>)> {
        let (mut operations, mut partial) = (Vec::new(), Vec::new());
        for (write, lost) in std::mem::take(&mut self.partial) {
            partial.push(bad_item(&self.planned.plan, &write, reason_of(&lost)));
            let folder = self.place_of(&write)?;
            operations.push(Operation::Partial { write, folder, lost });
        }
        Ok((operations, partial))
    }

    fn replacement(
        &self,
        readable: &Readable<'_>,
        id: ItemId,
        instance: InstanceId,
    ) -> EseResult<Operation> {
        let old = self.shared.committed().view().item(id)?;
        let gone = || EseError::corrupt_bytes(format!("target item {} is gone", id.message));
        let (old, write) = (old.ok_or_else(gone)?, readable.write);
        let new = self.shared.replicas.replaced(&readable.item, write, &old, instance)?;
        Ok(Operation::Replace { from: write.source, old: old.instance, new: Box::new(new) })
    }

    /// Reserves what the piece needs, and tells the others which shared contents it copies.
    fn reserve(&mut self) -> EseResult<ParcelBuilder<'p>> {
        let shared = self.shared;
        let mut claims = shared.claims();
        self.leave_to_others(&claims.copies);
        let wish = self.wish()?;
        let given = shared.reserve(&wish)?;
        let mut next = given.first_id();
        for copy in &mut self.copies {
            // Rows come inside out: the content's own is the last of its rows.
            next += u64::from(copy.sum.contents + copy.sum.attachments);
            let id = given.instance_of(&shared.parcel_target, next - 1)?;
            copy.to = Some(id);
            if copy.is_shared {
                claims.copies.insert(copy.from, Claim { copy: id, crc: copy.sum.crc });
                claims.outstanding.insert(id);
            }
        }
        drop(claims);
        ParcelBuilder::new(&shared.parcel_target, given)
    }

    /// Contents that another worker has claimed since they were read.
    fn leave_to_others(&mut self, claimed: &HashMap<InstanceId, Claim>) {
        let is_mine = |copy: &Copied| !(copy.is_shared && claimed.contains_key(&copy.from));
        if self.copies.iter().all(is_mine) {
            return;
        }
        let mut kept = Vec::with_capacity(self.copies.len());
        let mut moved: HashMap<usize, Holding> = HashMap::new();
        for (place, copy) in std::mem::take(&mut self.copies).into_iter().enumerate() {
            if is_mine(&copy) {
                moved.insert(place, Holding::New(kept.len()));
                kept.push(copy);
            } else if let Some(claim) = claimed.get(&copy.from) {
                moved.insert(place, Holding::There(*claim));
            }
        }
        self.copies = kept;
        for item in &mut self.items {
            if let Holding::New(place) = item.content {
                match moved.get(&place) {
                    Some(Holding::New(place)) => item.content = Holding::New(*place),
                    Some(Holding::There(claim)) => item.content = Holding::There(*claim),
                    _ => {}
                }
            }
        }
    }

    fn wish(&self) -> EseResult<ParcelWish> {
        let mut wish = ParcelWish::default();
        for copy in &self.copies {
            let rows = [copy.sum.contents, copy.sum.attachments];
            wish.ids += rows.iter().map(|rows| u64::from(*rows)).sum::<u64>();
            for ((sum, rows), values) in
                wish.long_values.iter_mut().zip(rows).zip(copy.sum.long_values)
            {
                *sum = sum.saturating_add(values).saturating_add(rows.saturating_mul(SPARE_VALUES));
            }
            wish.streams.extend(&copy.sum.streams);
        }
        let mut inserts = BTreeMap::new();
        for readable in &self.items {
            if let WriteKind::Insert { keep_id } = readable.write.kind {
                wish.items += 1;
                wish.ids += u64::from(!keep_id);
                wish.long_values[2] = wish.long_values[2].saturating_add(SPARE_VALUES);
                *inserts.entry(self.place_of(readable.write)?).or_default() += 1;
            }
        }
        wish.articles = self.planned.take_articles(&inserts)?;
        Ok(wish)
    }
}
