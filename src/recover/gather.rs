//! From the rows of two mailboxes to the items that pairing compares, and the fingerprints it asks for.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::item::{Item, ItemFlag, Side};
use super::plan::BadItem;
use crate::ese::error::{EseError, EseResult};
use crate::ese::txn::Pages;
use crate::mapi::{
    AttachmentInfo, BodyDigest, BodyKind, Content as Canonical, Fingerprint, FolderId, ReplGuid,
    ReplId, SearchKey, fingerprint_of_mapi,
};
use crate::store::{Brief, BriefReader, Content, Form, View};

/// Items that room is made for in advance, at most.
const EXPECTED_MAX: usize = 1 << 18;

/// Items of one mailbox in one store, and the rows they stand for.
#[derive(Debug, Default)]
pub struct Gathered {
    /// What pairing sees; `row` is the place in `rows`.
    pub items: Vec<Item>,
    /// The rows.
    pub rows: Vec<Brief>,
    /// The place in the plan of the folder of each row; empty for the target.
    pub places: Vec<u32>,
    /// Rows that cannot be read, with the number of their folder, or its place in the plan for the source.
    pub bad: Vec<(u32, BadItem)>,
}

/// Reads items of one store.
pub struct Gatherer<'v, P: Pages + ?Sized> {
    view: View<'v, P>,
    briefs: BriefReader<'v, P>,
    replicas: HashMap<ReplId, ReplGuid>,
    gathered: Gathered,
}

impl<'v, P: Pages + ?Sized> Gatherer<'v, P> {
    /// A reader of `view`.
    ///
    /// # Errors
    /// [`EseError::Corrupt`], [`EseError::Io`].
    pub fn new(view: View<'v, P>) -> EseResult<Self> {
        let replicas = view.replicas()?.into_iter().collect();
        Ok(Self { view, briefs: view.briefs()?, replicas, gathered: Gathered::default() })
    }

    /// Makes room for so many items.
    pub fn expect(&mut self, items: i64) {
        // The number is the store's own, and a store may be damaged.
        let items = usize::try_from(items).unwrap_or(0).min(EXPECTED_MAX);
        self.gathered.items.reserve(items);
        self.gathered.rows.reserve(items);
    }

    /// Adds the ordinary items of a folder, under the number `folder`: in the order of creation and lineage, so that nothing depends
    /// on ids. Hidden items are given to `hidden`.
    ///
    /// # Errors
    /// [`EseError::Io`].
    pub fn add_folder(
        &mut self,
        id: FolderId,
        folder: u32,
        path: &str,
        hidden: &mut dyn FnMut(&Brief),
    ) -> EseResult<()> {
        let start = self.gathered.items.len();
        let mut bad = Vec::new();
        let (rows, items) = (&mut self.gathered.rows, &mut self.gathered.items);
        let replicas = &self.replicas;
        self.briefs.each(id, &mut |brief| {
            match brief {
                Ok(brief) if brief.associated => hidden(&brief),
                Ok(brief) => {
                    items.push(item_of(&brief, folder, rows.len() as u64, replicas));
                    rows.push(brief);
                }
                Err(error @ EseError::Io(_)) => return Err(error),
                Err(error) => bad.push(BadItem {
                    folder_path: path.to_owned(),
                    item: None,
                    reason: error.to_string(),
                }),
            }
            Ok(())
        })?;
        self.gathered.bad.extend(bad.into_iter().map(|bad| (folder, bad)));
        let added = self.gathered.items.get_mut(start..).unwrap_or_default();
        added.sort_by_key(|item| (item.created, item.lineage, item.row));
        Ok(())
    }

    /// The same for a folder of the source, at this place of the plan.
    ///
    /// # Errors
    /// [`EseError::Io`].
    pub fn add_source(
        &mut self,
        id: FolderId,
        (place, folder): (u32, u32),
        path: &str,
        hidden: &mut dyn FnMut(&Brief),
    ) -> EseResult<()> {
        let bad = self.gathered.bad.len();
        self.add_folder(id, folder, path, hidden)?;
        self.gathered.places.resize(self.gathered.rows.len(), place);
        let bad = self.gathered.bad.get_mut(bad..).unwrap_or_default();
        bad.iter_mut().for_each(|(number, _)| *number = place);
        Ok(())
    }

    /// Adds the items of the mailbox with this root that have one of `keys`; `number` gives a folder's number, none for folders that
    /// do not count.
    ///
    /// # Errors
    /// [`EseError::Corrupt`], [`EseError::Io`].
    pub fn add_by_keys(
        &mut self,
        root: FolderId,
        keys: &BTreeSet<SearchKey>,
        number: &dyn Fn(FolderId) -> Option<u32>,
    ) -> EseResult<()> {
        for key in keys {
            for brief in self.view.briefs_by_key(root, *key)? {
                if let (false, Some(folder)) = (brief.associated, number(brief.id.folder)) {
                    let row = self.gathered.rows.len() as u64;
                    self.gathered.items.push(item_of(&brief, folder, row, &self.replicas));
                    self.gathered.rows.push(brief);
                }
            }
        }
        let order = |item: &Item| (item.folder, item.created, item.lineage, item.row);
        self.gathered.items.sort_by_key(order);
        Ok(())
    }

    /// Items without a search key get one made of their content (I8), so that they can be paired.
    ///
    /// # Errors
    /// [`EseError::Io`].
    pub fn finish(mut self) -> EseResult<Gathered> {
        for item in &mut self.gathered.items {
            let Some(brief) = self.gathered.rows.get(item.row as usize) else { continue };
            if brief.search_key.is_none() {
                let content = content_of(&self.view, brief)?;
                item.search_key =
                    SearchKey(content.map_or_else(|| lineage_key(item), |content| content.0));
            }
        }
        Ok(self.gathered)
    }
}

fn item_of(brief: &Brief, folder: u32, row: u64, replicas: &HashMap<ReplId, ReplGuid>) -> Item {
    let mut flags = ItemFlag::empty();
    flags.set(ItemFlag::DELETED, brief.deleted);
    flags.set(ItemFlag::DAMAGED, brief.partial);
    Item {
        row,
        created: brief.created,
        modified: brief.modified,
        size_bytes: u64::try_from(brief.bytes).unwrap_or(0),
        folder,
        lineage: lineage_of(brief, replicas),
        search_key: brief.search_key.unwrap_or(SearchKey([0; 16])),
        change_key: brief.change_key,
        flags,
    }
}

/// L: where an item was born; by its own id, where the store does not say.
pub(super) fn lineage_of(brief: &Brief, replicas: &HashMap<ReplId, ReplGuid>) -> [u8; 22] {
    brief.source_key.unwrap_or_else(|| {
        let mut lineage = [0; 22];
        let (replica, counter) = lineage.split_at_mut(16);
        if let Some(guid) = replicas.get(&brief.id.message.replica) {
            replica.copy_from_slice(guid.as_bytes());
        }
        counter.copy_from_slice(&brief.id.message.counter.to_be_bytes());
        lineage
    })
}

/// Stands in for the search key of an item that has none and cannot be read: it is like no other.
fn lineage_key(item: &Item) -> [u8; 16] {
    let mut key = [0; 16];
    key.copy_from_slice(&item.lineage[6..]);
    key
}

/// Computes fingerprints of either side. Where one search key has mails in both forms, all of them are compared by what both forms
/// have (P-soft, I7).
pub struct Fingerprints<'g, 'v, P: Pages + ?Sized, Q: Pages + ?Sized> {
    source: (View<'v, P>, &'g Gathered),
    target: (View<'v, Q>, &'g Gathered),
    soft_keys: HashMap<SearchKey, bool>,
    /// Places of the items of either side in the order of their keys; made when first asked for.
    by_key: Option<[Vec<(SearchKey, u32)>; 2]>,
    /// Rows of the source whose content cannot be read.
    unreadable: HashSet<u64>,
}

impl<'g, 'v, P: Pages + ?Sized, Q: Pages + ?Sized> Fingerprints<'g, 'v, P, Q> {
    /// Fingerprints of these items.
    pub fn new(source: (View<'v, P>, &'g Gathered), target: (View<'v, Q>, &'g Gathered)) -> Self {
        let (soft_keys, unreadable) = (HashMap::new(), HashSet::new());
        Self { source, target, soft_keys, by_key: None, unreadable }
    }

    /// P of an item; `None` when its content cannot be read.
    ///
    /// # Errors
    /// [`EseError::Io`].
    pub fn of(&mut self, side: Side, item: &Item) -> EseResult<Option<Fingerprint>> {
        let is_soft = self.is_soft(item.search_key)?;
        if side == Side::Target {
            return of_row(&self.target.0, self.target.1, item, is_soft);
        }
        let content = of_row(&self.source.0, self.source.1, item, is_soft)?;
        if content.is_none() {
            self.unreadable.insert(item.row);
        }
        Ok(content)
    }

    /// Whether the content of a source item was asked for and could not be read.
    pub fn is_unreadable(&self, item: &Item) -> bool {
        self.unreadable.contains(&item.row)
    }

    /// Whether the target has an item of equal key and content in the folder of this source item (C5).
    ///
    /// # Errors
    /// [`EseError::Io`].
    pub fn has_twin(&mut self, item: &Item) -> EseResult<bool> {
        let Some(own) = self.of(Side::Source, item)? else { return Ok(false) };
        for place in self.places_of(item.search_key)[1].clone() {
            let other = self.target.1.items.get(place as usize).copied();
            let is_near = |other: &Item| {
                other.folder == item.folder && !other.flags.contains(ItemFlag::DELETED)
            };
            if let Some(other) = other.filter(is_near)
                && self.of(Side::Target, &other)? == Some(own)
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The places of all items with this key, on either side.
    fn places_of(&mut self, key: SearchKey) -> [Vec<u32>; 2] {
        let by_key =
            self.by_key.get_or_insert_with(|| [keyed(self.source.1), keyed(self.target.1)]);
        [0, 1].map(|side: usize| {
            let keys = by_key.get(side).map_or(&[][..], Vec::as_slice);
            let from = keys.partition_point(|(other, _)| *other < key);
            let same = keys.iter().skip(from).take_while(|(other, _)| *other == key);
            same.map(|(_, place)| *place).collect()
        })
    }

    fn is_soft(&mut self, key: SearchKey) -> EseResult<bool> {
        if let Some(known) = self.soft_keys.get(&key) {
            return Ok(*known);
        }
        let [ours, theirs] = self.places_of(key);
        let mut forms = BTreeSet::new();
        forms_of(&self.source.0, self.source.1, &ours, &mut forms)?;
        forms_of(&self.target.0, self.target.1, &theirs, &mut forms)?;
        let is_soft = forms.len() > 1;
        self.soft_keys.insert(key, is_soft);
        Ok(is_soft)
    }
}

fn keyed(gathered: &Gathered) -> Vec<(SearchKey, u32)> {
    let mut keys: Vec<_> =
        gathered.items.iter().zip(0u32..).map(|(item, place)| (item.search_key, place)).collect();
    keys.sort_unstable();
    keys
}

fn forms_of<P: Pages + ?Sized>(
    view: &View<'_, P>,
    gathered: &Gathered,
    places: &[u32],
    forms: &mut BTreeSet<i32>,
) -> EseResult<()> {
    for place in places {
        let item = gathered.items.get(*place as usize);
        let brief = item.and_then(|item| gathered.rows.get(item.row as usize));
        let Some(brief) = brief else { continue };
        match view.content(brief.instance) {
            Ok(Some(content)) => {
                forms.insert(content.form.number());
            }
            Err(error @ EseError::Io(_)) => return Err(error),
            Ok(None) | Err(_) => {}
        }
    }
    Ok(())
}

fn of_row<P: Pages + ?Sized>(
    view: &View<'_, P>,
    gathered: &Gathered,
    item: &Item,
    is_soft: bool,
) -> EseResult<Option<Fingerprint>> {
    let Some(brief) = gathered.rows.get(item.row as usize) else { return Ok(None) };
    if is_soft { soft_of(view, brief) } else { content_of(view, brief) }
}

/// P. A failure of the machine is an error; anything else that keeps the content from being read gives none.
fn content_of<P: Pages + ?Sized>(
    view: &View<'_, P>,
    brief: &Brief,
) -> EseResult<Option<Fingerprint>> {
    readable(whole_of(view, brief))
}

fn soft_of<P: Pages + ?Sized>(view: &View<'_, P>, brief: &Brief) -> EseResult<Option<Fingerprint>> {
    readable(soft_form_of(view, brief))
}

fn readable(found: EseResult<Option<Fingerprint>>) -> EseResult<Option<Fingerprint>> {
    match found {
        Err(error @ EseError::Io(_)) => Err(error),
        Err(_) => Ok(None),
        found => found,
    }
}

fn categories_of<P: Pages + ?Sized>(view: &View<'_, P>, brief: &Brief) -> EseResult<Vec<String>> {
    Ok(view.item(brief.id)?.map(|item| item.categories).unwrap_or_default())
}

fn whole_of<P: Pages + ?Sized>(
    view: &View<'_, P>,
    brief: &Brief,
) -> EseResult<Option<Fingerprint>> {
    let Some(mut content) = view.content(brief.instance)? else { return Ok(None) };
    let categories = categories_of(view, brief)?;
    if content.form != Form::Mime {
        let mut message = view.mapi_message(&content)?;
        message.promoted.categories = categories;
        return Ok(Some(fingerprint_of_mapi(&message)));
    }
    content.promoted.categories = categories;
    let mut hasher = blake3::Hasher::new();
    view.each_mime_part(&content, &mut |part| {
        hasher.update(part);
        Ok(())
    })?;
    let body = BodyDigest { kind: BodyKind::Mime, hash: *hasher.finalize().as_bytes() };
    Ok(Some(Canonical::of_promoted(&content.promoted, body).fingerprint()))
}

fn soft_form_of<P: Pages + ?Sized>(
    view: &View<'_, P>,
    brief: &Brief,
) -> EseResult<Option<Fingerprint>> {
    let Some(content) = view.content(brief.instance)? else { return Ok(None) };
    let canonical = Canonical::of_promoted(&content.promoted, BodyDigest::NONE);
    let attachments = attachments_of(view, &content)?;
    Ok(Some(canonical.soft(&attachments, content.promoted.text_length)))
}

fn attachments_of<P: Pages + ?Sized>(
    view: &View<'_, P>,
    content: &Content,
) -> EseResult<Vec<AttachmentInfo>> {
    if content.form == Form::Mime {
        return Ok(content.promoted.attachments.clone());
    }
    let infos = content.attachments.iter().map(|id| view.attachment(*id));
    let infos: EseResult<Vec<_>> = infos.collect();
    Ok(infos?.into_iter().flatten().map(|attachment| attachment.info).collect())
}
