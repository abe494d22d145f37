//! A piece: some items of one mailbox and the contents they need, built into pages of the target.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use super::shared::Shared;
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
use crate::recover::verify::{ContentProof, Written};
use crate::store::{
    ContentBrief, ContentParts, CopyNeeds, Holders, Item, ItemId, ItemWeight, LostAttachment,
    Parcel, ParcelBuilder, ParcelWish, StoreRows,
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
    /// It comes with another piece, as this copy.
    Shared(InstanceId),
    /// It is in the target, with this sum over what is stored.
    There(InstanceId, u32),
    /// None is needed.
    None,
}

/// How an item gets into the target.
enum Placed {
    /// With the pages of the parcel.
    Insert(Box<Insert>),
    /// By the committer.
    Operation(Operation),
}

/// An item that goes in with the pages of the parcel, and its content.
struct Insert {
    item: Item,
    instance: InstanceId,
    proof: ContentProof,
}

/// A content that is copied in this piece.
struct Copied {
    parts: ContentParts,
    needs: CopyNeeds,
    holders: Holders,
    is_shared: bool,
    to: Option<InstanceId>,
    /// The sum over what was built.
    sum: u32,
}

impl Copied {
    fn proof(&self) -> ContentProof {
        if self.is_shared { ContentProof::Shared } else { ContentProof::Stored(self.sum) }
    }
}

struct Reading<'p> {
    rows: StoreRows<'p, RecentPages<'p, DatabaseFile>>,
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
        rows: view.rows(),
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
                if let Some(lost) = what_is_lost(self.rows.view(), write, self.keeps_partial)? {
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
        let item = self.rows.item_to_copy(write.source)?;
        let missing = || EseError::corrupt_bytes(format!("item {} is gone", write.source.message));
        let item = item.ok_or_else(missing)?;
        if let WriteKind::MarkRead(_) = write.kind {
            let weight = ItemWeight::default();
            return Ok(Readable { write, item, weight, content: Holding::None });
        }
        let content = self.rows.content_brief(write.instance)?;
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
        if is_shared && let Some(copy) = self.shared.claims().copies.get(&write.instance).copied() {
            return Ok(Readable { write, item, weight, content: Holding::Shared(copy) });
        }
        let (parts, needs) = self.rows.parts(write.instance)?;
        if let Some((copy, sum)) = self.find_in_target(&content)? {
            return Ok(Readable { write, item, weight, content: Holding::There(copy, sum) });
        }
        let place = self.copies.len();
        self.places.insert(write.instance, place);
        let mut holders = Holders { live: 0, soft: 0 };
        if !is_replace {
            holders.add(weight.deleted);
        }
        self.copies.push(Copied { parts, needs, holders, is_shared, to: None, sum: 0 });
        Ok(Readable { write, item, weight, content: Holding::New(place) })
    }

    /// A content of the last commit, if it is still there, and from now on stays; and its sum.
    fn find_in_target(&mut self, content: &ContentBrief) -> EseResult<Option<(InstanceId, u32)>> {
        if !self.shared.had_contents {
            return Ok(None);
        }
        let (copy, sum) = {
            let committed = self.shared.committed();
            let view = committed.view();
            let Some(copy) = find_content(self.rows.view(), content, &view)? else {
                return Ok(None);
            };
            (copy, view.rows().content_sum(copy)?)
        };
        let mut claims = self.shared.claims();
        if claims.going.contains(&copy)
            || self.shared.target().view()?.content_brief(copy)?.is_none()
        {
            return Ok(None);
        }
        *claims.promised.entry(copy).or_default() += 1;
        self.promised.push(copy);
        Ok(Some((copy, sum)))
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
        let bytes = self.copy_contents(&mut builder)?;
        let (mut operations, partial) = self.save_parts()?;
        let mut written = Vec::with_capacity(self.items.len());
        let mut inserts: Vec<(Insert, usize)> = Vec::with_capacity(self.items.len());
        for (at, readable) in self.items.iter().enumerate() {
            match self.place(readable, &mut builder, &mut written)? {
                Placed::Insert(new) => inserts.push((*new, at)),
                Placed::Operation(operation) => operations.push(operation),
            }
        }
        self.insert(&mut builder, inserts, &mut written)?;
        let parcel = builder.finish(&mut self.shared)?;
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

    /// Copies the contents that are new, and tells the others what was built of those that they share; answers their bytes.
    fn copy_contents(&mut self, builder: &mut ParcelBuilder<'_>) -> EseResult<u64> {
        let (mut supply, maps) = (self.shared, &self.shared.maps);
        let mut bytes = 0;
        for copy in &mut self.copies {
            // Replacements add their references when they are made, in the same commit.
            let (rows, holders) = (&mut self.rows, copy.holders);
            let (made, sum) =
                builder.copy_content(&mut supply, rows, maps, &copy.parts, holders)?;
            assert!(copy.to == Some(made), "ids are handed out in the order of the copies");
            copy.sum = sum;
            bytes += copy.needs.bytes;
        }
        let shared = self.copies.iter().filter(|copy| copy.is_shared);
        self.shared.note_built(shared.map(|copy| (copy.parts.instance, copy.sum)));
        Ok(bytes)
    }

    /// Adds the rows of the items, in the order of their places.
    fn insert(
        &mut self,
        builder: &mut ParcelBuilder<'_>,
        mut inserts: Vec<(Insert, usize)>,
        written: &mut Vec<Written>,
    ) -> EseResult<()> {
        let (mut supply, maps) = (self.shared, &self.shared.maps);
        let place = |item: &Item| (item.id.folder.to_store(), item.id.message.to_store());
        inserts.sort_by_cached_key(|(new, _)| place(&new.item));
        for (new, at) in inserts {
            let Some(Readable { write, weight, .. }) = self.items.get(at) else { continue };
            let Insert { item, instance, proof } = new;
            let (id, from) = (item.id, write.source);
            let rows = &mut self.rows;
            let sum = builder.put_item(&mut supply, rows, maps, from, item, weight)?;
            written.push(Written::built(id, sum, write, instance, proof));
        }
        Ok(())
    }

    /// Where an item goes, and what must be there afterwards if the committer puts it there.
    fn place(
        &self,
        readable: &Readable<'_>,
        builder: &mut ParcelBuilder<'_>,
        written: &mut Vec<Written>,
    ) -> EseResult<Placed> {
        let (item, write) = (&readable.item, readable.write);
        let (instance, proof) = match &readable.content {
            Holding::New(place) => match self.copies.get(*place) {
                Some(copy) => (copy.to.unwrap_or(copy.parts.instance), copy.proof()),
                None => return Err(EseError::corrupt_bytes("a copy got lost")),
            },
            Holding::Shared(copy) => (*copy, ContentProof::Shared),
            Holding::There(copy, sum) => (*copy, ContentProof::Stored(*sum)),
            Holding::None => (write.instance, ContentProof::Shared),
        };
        match write.kind {
            WriteKind::MarkRead(id) => {
                written.push(Written::marked(id));
                Ok(Placed::Operation(Operation::MarkRead(id)))
            }
            WriteKind::Replace(id) => {
                written.push(Written::new(id, instance, item, write, proof));
                self.replacement(readable, id, instance).map(Placed::Operation)
            }
            WriteKind::Insert { keep_id } => {
                let folder = self.place_of(write)?;
                let own = if keep_id { None } else { Some(builder.next_id()?) };
                let item = self.shared.replicas.inserted(item, write, folder, instance, own)?;
                if let Holding::Shared(copy) | Holding::There(copy, _) = &readable.content {
                    builder.refer(*copy, readable.weight.deleted);
                }
                Ok(Placed::Insert(Box::new(Insert { item, instance, proof })))
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
            next += u64::from(copy.needs.contents + copy.needs.attachments);
            let id = given.instance_of(&shared.parcel_target, next - 1)?;
            copy.to = Some(id);
            if copy.is_shared {
                claims.copies.insert(copy.parts.instance, id);
                claims.outstanding.insert(id);
            }
        }
        drop(claims);
        ParcelBuilder::new(&shared.parcel_target, given)
    }

    /// Contents that another worker has claimed since they were read.
    fn leave_to_others(&mut self, claimed: &HashMap<InstanceId, InstanceId>) {
        let is_mine =
            |copy: &Copied| !(copy.is_shared && claimed.contains_key(&copy.parts.instance));
        if self.copies.iter().all(is_mine) {
            return;
        }
        let mut kept = Vec::with_capacity(self.copies.len());
        let mut moved: HashMap<usize, Holding> = HashMap::new();
        for (place, copy) in std::mem::take(&mut self.copies).into_iter().enumerate() {
            if is_mine(&copy) {
                moved.insert(place, Holding::New(kept.len()));
                kept.push(copy);
            } else if let Some(other) = claimed.get(&copy.parts.instance) {
                moved.insert(place, Holding::Shared(*other));
            }
        }
        self.copies = kept;
        for item in &mut self.items {
            if let Holding::New(place) = item.content {
                match moved.get(&place) {
                    Some(Holding::New(place)) => item.content = Holding::New(*place),
                    Some(Holding::Shared(copy)) => item.content = Holding::Shared(*copy),
                    _ => {}
                }
            }
        }
    }

    fn wish(&self) -> EseResult<ParcelWish> {
        let mut wish = ParcelWish::default();
        for copy in &self.copies {
            let rows = [copy.needs.contents, copy.needs.attachments];
            wish.ids += rows.iter().map(|rows| u64::from(*rows)).sum::<u64>();
            for ((sum, rows), values) in
                wish.long_values.iter_mut().zip(rows).zip(copy.needs.long_values)
            {
                *sum = sum.saturating_add(values).saturating_add(rows.saturating_mul(SPARE_VALUES));
            }
            wish.streams.extend(&copy.needs.streams);
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
