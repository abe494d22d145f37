//! The plan of one mailbox: folders matched, items paired, each item decided about. Reads both stores, writes neither.
//!
//! Source: recover-semantics 2 (P1 to P3), 4 to 8, 14.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::decide::{Action, Mode, decide, is_future};
use super::folders::{FolderSide, match_folders};
use super::gather::{Fingerprints, Gathered, Gatherer};
use super::item::{Item, ItemFlag, Side};
use super::options::{DumpsterRule, HiddenRule, Options};
use super::pair::{Outcome, Scope, pair_items};
use super::plan::{
    BadItem, FolderMatch, FolderPlan, FolderTarget, LeftOut, MailboxPair, MailboxPlan, NewParent,
    PlannedWrite, SideCounters, WriteKind,
};
use crate::ese::error::{EseError, EseResult};
use crate::ese::txn::Pages;
use crate::mapi::{FolderId, MessageId, ReplId};
use crate::store::{Brief, FolderKind, FolderTree, Mailbox, Role, View};

/// A target mailbox with more than so many times the source's items is asked for single keys instead of being read whole, so that
/// the cost of a small source does not follow a large target.
const LOOK_UP_FACTOR: i64 = 8;
/// The number of target folders that are not matched with any source folder starts here.
const OTHERS_FROM: u32 = 1 << 31;

/// What the replicas of the source are called in the target, of those that it knew before the job began: only they can have
/// issued ids that are in the target already.
#[derive(Debug, Clone, Default)]
pub struct KnownReplicas(HashMap<ReplId, ReplId>);

impl KnownReplicas {
    /// The replicas that both stores know.
    ///
    /// # Errors
    /// [`EseError::Corrupt`], [`EseError::Io`].
    pub fn between<P: Pages + ?Sized, Q: Pages + ?Sized>(
        source: &View<'_, P>,
        target: &View<'_, Q>,
    ) -> EseResult<Self> {
        let theirs: HashMap<_, _> =
            target.replicas()?.into_iter().map(|(id, guid)| (guid, id)).collect();
        let ours = source.replicas()?.into_iter();
        Ok(Self(ours.filter_map(|(id, guid)| Some((id, *theirs.get(&guid)?))).collect()))
    }
}

/// Plans one mailbox.
///
/// # Errors
/// [`EseError::Corrupt`] when the folders of a mailbox cannot be read; [`EseError::Io`].
pub fn plan_mailbox<P: Pages + ?Sized, Q: Pages + ?Sized>(
    source: &View<'_, P>,
    target: &View<'_, Q>,
    pair: &MailboxPair,
    options: &Options,
    replicas: &KnownReplicas,
) -> EseResult<MailboxPlan> {
    Planner::new(source, target, pair, options, replicas)?.plan()
}

/// One side's folders.
struct Folders {
    tree: FolderTree,
    roles: Vec<(Role, FolderId)>,
}

impl Folders {
    fn read<P: Pages + ?Sized>(view: &View<'_, P>, mailbox: &Mailbox) -> EseResult<Self> {
        Ok(Self { tree: view.folders(mailbox.root)?, roles: view.roles(mailbox)? })
    }

    fn side(&self) -> FolderSide<'_> {
        FolderSide { tree: &self.tree, roles: &self.roles }
    }
}

struct Planner<'p, P: Pages + ?Sized, Q: Pages + ?Sized> {
    source: &'p View<'p, P>,
    target: &'p View<'p, Q>,
    pair: &'p MailboxPair,
    options: &'p Options,
    theirs: Option<Folders>,
    folders: Vec<FolderPlan>,
    replicas: &'p HashMap<ReplId, ReplId>,
    writes: Vec<PlannedWrite>,
    side: SideCounters,
    bad: Vec<BadItem>,
}

impl<'p, P: Pages + ?Sized, Q: Pages + ?Sized> Planner<'p, P, Q> {
    fn new(
        source: &'p View<'p, P>,
        target: &'p View<'p, Q>,
        pair: &'p MailboxPair,
        options: &'p Options,
        KnownReplicas(replicas): &'p KnownReplicas,
    ) -> EseResult<Self> {
        let ours = Folders::read(source, &pair.source)?;
        let theirs =
            pair.target.as_ref().map(|mailbox| Folders::read(target, mailbox)).transpose()?;
        let target_side = theirs.as_ref().map(Folders::side);
        let translate = |id: ReplId| replicas.get(&id).copied();
        let folders = match_folders(&ours.side(), target_side.as_ref(), &translate, options);
        Ok(Self {
            source,
            target,
            pair,
            options,
            theirs,
            folders,
            replicas,
            writes: Vec::new(),
            side: SideCounters::default(),
            bad: Vec::new(),
        })
    }

    fn plan(mut self) -> EseResult<MailboxPlan> {
        let (ours, hidden) = self.gather_source()?;
        let theirs = self.gather_target(&ours)?;
        self.decide_all(&ours, &theirs)?;
        self.plan_hidden(&hidden)?;
        self.plan_dumpster(&ours, &theirs);
        self.choose_ids(&theirs)?;
        self.settle_folders();
        self.writes.sort_by_key(|write| (write.folder, write.source));
        let mut counters = super::Counters::default();
        self.folders.iter().for_each(|folder| counters.add(&folder.counters));
        Ok(MailboxPlan {
            pair: self.pair.clone(),
            folders: self.folders,
            writes: self.writes,
            counters,
            side: self.side,
            bad: self.bad,
        })
    }

    fn takes_items(folder: &FolderPlan) -> bool {
        matches!(folder.matched, FolderMatch::LeftOut(LeftOut::Filter))
            || !matches!(folder.matched, FolderMatch::LeftOut(_))
    }

    /// The source's items of folders that take part, filtered ones too (X0), under the places of their folders in the plan.
    fn gather_source(&mut self) -> EseResult<(Gathered, Vec<(u32, Brief)>)> {
        let mut gatherer = Gatherer::new(*self.source)?;
        let mut hidden = Vec::new();
        for (number, folder) in (0u32..).zip(&self.folders) {
            let Some(id) = folder.source else { continue };
            match folder.matched {
                FolderMatch::LeftOut(LeftOut::Search) => self.side.search_folders_left += 1,
                FolderMatch::LeftOut(LeftOut::Queue) => {
                    let mut count = 0;
                    self.source.each_brief(id, &mut |brief| {
                        count += u64::from(brief.is_ok_and(|brief| !brief.associated));
                        Ok(())
                    })?;
                    self.side.queued_left += count;
                }
                _ if Self::takes_items(folder) => {
                    gatherer.add_folder(id, number, &folder.path, &mut |brief| {
                        hidden.push((number, *brief));
                    })?;
                }
                _ => {}
            }
        }
        let mut gathered = gatherer.finish()?;
        for (number, bad) in std::mem::take(&mut gathered.bad) {
            if let Some(folder) = self.folders.get_mut(number as usize) {
                folder.counters.scanned += 1;
                folder.counters.bad += 1;
            }
            self.bad.push(bad);
        }
        Ok((gathered, hidden))
    }

    /// The number of each target folder: the place of the source folder that is matched with it, or one of its own.
    fn target_numbers(&self) -> HashMap<FolderId, u32> {
        let Some(theirs) = &self.theirs else { return HashMap::new() };
        let mut numbers = HashMap::new();
        for (number, folder) in (0u32..).zip(&self.folders) {
            if let FolderTarget::Existing(id) = folder.target {
                numbers.entry(id).or_insert(number);
            }
        }
        if self.options.rules.mode.scope() == Scope::Mailbox {
            let all = theirs.tree.iter().map(|(folder, _)| folder).chain(theirs.tree.orphans());
            let others = all.filter(|folder| folder.kind != FolderKind::Search);
            for (number, folder) in (OTHERS_FROM..).zip(others) {
                numbers.entry(folder.id).or_insert(number);
            }
        }
        numbers
    }

    fn gather_target(&mut self, ours: &Gathered) -> EseResult<Gathered> {
        let mut gatherer = Gatherer::new(*self.target)?;
        let numbers = self.target_numbers();
        let Some(mailbox) = &self.pair.target else { return gatherer.finish() };
        let size = mailbox.items.saturating_add(mailbox.deleted_items);
        let few =
            i64::try_from(ours.items.len()).unwrap_or(i64::MAX).saturating_mul(LOOK_UP_FACTOR);
        // Items without a key are found by reading only.
        let all_keyed = ours.rows.iter().all(|brief| brief.search_key.is_some());
        if size > few && all_keyed {
            let keys: BTreeSet<_> = ours.items.iter().map(|item| item.search_key).collect();
            gatherer.add_by_keys(mailbox.root, &keys, &|folder| numbers.get(&folder).copied())?;
        } else {
            let mut order: Vec<_> = numbers.iter().map(|(id, number)| (*number, *id)).collect();
            order.sort_unstable();
            for (number, id) in order {
                gatherer.add_folder(id, number, "", &mut |_| {})?;
            }
        }
        gatherer.finish()
    }

    fn decide_all(&mut self, ours: &Gathered, theirs: &Gathered) -> EseResult<()> {
        let mut source_items = ours.items.clone();
        for item in &mut source_items {
            let target = self.folders.get(item.folder as usize).map(|folder| &folder.target);
            if !matches!(target, Some(FolderTarget::Existing(_))) {
                item.folder = Item::NO_FOLDER;
            }
        }
        let mut prints = Fingerprints::new((*self.source, ours), (*self.target, theirs));
        let scope = self.options.rules.mode.scope();
        let pairing = pair_items(&source_items, &theirs.items, scope, &mut |side, item: &Item| {
            prints.of(side, item)
        })?;
        self.side.fingerprints = pairing.fingerprints;
        for (item, outcome) in ours.items.iter().zip(&pairing.outcomes) {
            if !item.flags.contains(ItemFlag::DELETED) {
                self.decide_one(ours, theirs, item, *outcome, &mut prints)?;
            }
        }
        self.count_target_only(&pairing.outcomes, theirs);
        Ok(())
    }

    fn count_target_only(&mut self, outcomes: &[Outcome], theirs: &Gathered) {
        let live = |at: u32| {
            let item = theirs.items.get(at as usize);
            item.is_some_and(|item| !item.flags.contains(ItemFlag::DELETED))
        };
        let paired = outcomes.iter().filter(|outcome| match outcome {
            Outcome::Missing => false,
            Outcome::Unchanged(at)
            | Outcome::Conflict(at)
            | Outcome::Moved(at)
            | Outcome::MovedConflict(at)
            | Outcome::DeletedInTarget(at) => live(*at),
        });
        let all: i64 =
            self.theirs.iter().flat_map(|theirs| theirs.tree.iter()).fold(0, |sum, (folder, _)| {
                if folder.kind == FolderKind::Search {
                    sum
                } else {
                    sum + folder.counts.normal.items
                }
            });
        let all = u64::try_from(all).unwrap_or(0);
        self.side.target_only = all.saturating_sub(paired.count() as u64);
    }

    fn decide_one(
        &mut self,
        ours: &Gathered,
        theirs: &Gathered,
        item: &Item,
        outcome: Outcome,
        prints: &mut Fingerprints<'_, '_, P, Q>,
    ) -> EseResult<()> {
        let rules = &self.options.rules;
        let Some(brief) = ours.rows.get(item.row as usize) else { return Ok(()) };
        let Some(folder) = self.folders.get(item.folder as usize) else { return Ok(()) };
        self.side.future_time += u64::from(is_future(rules, item));
        let is_filtered = folder.matched == FolderMatch::LeftOut(LeftOut::Filter);
        let mut failed = None;
        let action = decide(rules, item, outcome, &theirs.items, || {
            has_twin(item, theirs, prints).unwrap_or_else(|error| {
                failed = Some(error);
                true
            })
        });
        if let Some(error) = failed {
            return Err(error);
        }
        let writes = matches!(action, Action::Insert | Action::Replace(_));
        let has_no_place = matches!(folder.target, FolderTarget::None)
            || self.options.folders.create_none
                && matches!(folder.target, FolderTarget::New { .. });
        let place = item.folder as usize;
        let Some(folder) = self.folders.get_mut(place) else { return Ok(()) };
        if writes && is_filtered {
            folder.counters.scanned += 1;
            folder.counters.filtered += 1;
            return Ok(());
        }
        if action == Action::Insert && has_no_place {
            folder.counters.scanned += 1;
            folder.counters.skipped_no_folder += 1;
            return Ok(());
        }
        folder.counters.count(action);
        let partner = |at: u32| {
            theirs.items.get(at as usize).and_then(|item| theirs.rows.get(item.row as usize))
        };
        let (kind, is_read) = match (action, outcome) {
            (Action::Insert, _) => (WriteKind::Insert { keep_id: true }, brief.read),
            (Action::Replace(at), _) => {
                let Some(old) = partner(at) else { return Ok(()) };
                (WriteKind::Replace(old.id), brief.read || old.read)
            }
            (Action::Unchanged | Action::Moved, Outcome::Unchanged(at) | Outcome::Moved(at))
                if self.options.unite_read_state && !is_filtered =>
            {
                match partner(at).filter(|old| brief.read && !old.read) {
                    Some(old) => (WriteKind::MarkRead(old.id), true),
                    None => return Ok(()),
                }
            }
            _ => return Ok(()),
        };
        if writes {
            folder.write_bytes += u64::try_from(brief.bytes).unwrap_or(0);
            self.side.partial += u64::from(brief.partial);
        } else {
            self.side.read_flags += 1;
        }
        self.writes.push(write_of(brief, item.folder, kind, is_read));
        Ok(())
    }

    /// Hidden items: those of a class and subject that the target folder does not have.
    fn plan_hidden(&mut self, hidden: &[(u32, Brief)]) -> EseResult<()> {
        let is_copy = self.options.rules.mode == Mode::CopyFolder;
        let mut known: HashMap<u32, HashSet<(String, String)>> = HashMap::new();
        for (number, brief) in hidden {
            let Some(folder) = self.folders.get(*number as usize) else { continue };
            let is_left = self.options.hidden == HiddenRule::Skip
                || is_copy
                || brief.deleted
                || matches!(folder.matched, FolderMatch::LeftOut(_))
                || matches!(folder.target, FolderTarget::None);
            let item = if is_left { None } else { readable(self.source.item(brief.id))? };
            let Some(item) = item else {
                self.side.hidden_left += 1;
                continue;
            };
            let known = match known.entry(*number) {
                std::collections::hash_map::Entry::Occupied(entry) => entry.into_mut(),
                std::collections::hash_map::Entry::Vacant(entry) => {
                    entry.insert(hidden_of(self.target, &folder.target)?)
                }
            };
            if known.insert((item.headers.class.to_lowercase(), item.headers.subject)) {
                self.side.hidden_inserted += 1;
                let kind = WriteKind::Insert { keep_id: true };
                self.writes.push(write_of(brief, *number, kind, brief.read));
            } else {
                self.side.hidden_left += 1;
            }
        }
        Ok(())
    }

    /// Soft-deleted items stay where they are, or go to the same folder of the target, still deleted, unless it has an item of that
    /// key and creation time.
    fn plan_dumpster(&mut self, ours: &Gathered, theirs: &Gathered) {
        let there: HashSet<_> =
            theirs.items.iter().map(|item| (item.folder, item.search_key, item.created)).collect();
        for item in ours.items.iter().filter(|item| item.flags.contains(ItemFlag::DELETED)) {
            let Some(brief) = ours.rows.get(item.row as usize) else { continue };
            let Some(folder) = self.folders.get(item.folder as usize) else { continue };
            let is_wanted = self.options.dumpster == DumpsterRule::Preserve
                && !matches!(folder.matched, FolderMatch::LeftOut(_))
                && !matches!(folder.target, FolderTarget::None)
                && !there.contains(&(item.folder, item.search_key, item.created));
            if is_wanted {
                self.side.dumpster_inserted += 1;
                let kind = WriteKind::Insert { keep_id: true };
                self.writes.push(write_of(brief, item.folder, kind, brief.read));
            } else {
                self.side.dumpster_left += 1;
            }
        }
    }

    /// An item keeps its id when no item of the target mailbox has it, and no other of the plan (W3). Never in a copy beside.
    fn choose_ids(&mut self, theirs: &Gathered) -> EseResult<()> {
        let is_copy = self.options.rules.mode == Mode::CopyFolder;
        let mut used: HashSet<MessageId> = HashSet::new();
        let needs_look = self.writes.iter().any(|write| {
            let is_insert = matches!(write.kind, WriteKind::Insert { .. });
            is_insert && self.replicas.contains_key(&write.source.message.replica)
        });
        if needs_look && !is_copy {
            used = self.used_ids(theirs)?;
        }
        // Source ids in the target's names; those of a replica that is new to it are under the source's own, beyond any name in use.
        let mut kept: HashSet<(bool, MessageId)> = HashSet::new();
        for write in &mut self.writes {
            let WriteKind::Insert { keep_id } = &mut write.kind else { continue };
            let id = write.source.message;
            let translated = self.replicas.get(&id.replica);
            let named = translated.map_or(id, |replica| MessageId::new(*replica, id.counter));
            let is_free = translated.is_none() || !used.contains(&named);
            *keep_id = !is_copy && is_free && kept.insert((translated.is_some(), named));
        }
        Ok(())
    }

    /// Ids of the target mailbox that were issued by a replica of the source.
    fn used_ids(&self, theirs: &Gathered) -> EseResult<HashSet<MessageId>> {
        let shared: HashSet<ReplId> = self.replicas.values().copied().collect();
        let of_shared =
            |brief: &Brief| shared.contains(&brief.id.message.replica).then_some(brief.id.message);
        let mut used: HashSet<MessageId> = theirs.rows.iter().filter_map(of_shared).collect();
        let Some(folders) = &self.theirs else { return Ok(used) };
        let all = folders.tree.iter().map(|(folder, _)| folder).chain(folders.tree.orphans());
        for folder in all {
            self.target.each_brief(folder.id, &mut |brief| {
                used.extend(brief.ok().as_ref().and_then(of_shared));
                Ok(())
            })?;
        }
        Ok(used)
    }

    /// Folders that nothing goes into are not made, unless empty ones are wanted (F13).
    fn settle_folders(&mut self) {
        let mut is_needed = vec![false; self.folders.len()];
        for write in &self.writes {
            if let Some(needed) = is_needed.get_mut(write.folder as usize) {
                *needed = true;
            }
        }
        let wants_empty =
            self.options.folders.create_empty || self.options.rules.mode != Mode::Merge;
        let may_create = !self.options.folders.create_none;
        for place in (0..self.folders.len()).rev() {
            let folder = &self.folders[place];
            let FolderTarget::New { parent, .. } = &folder.target else { continue };
            let is_left_out = matches!(folder.matched, FolderMatch::LeftOut(_));
            let needed = is_needed[place] || wants_empty && may_create && !is_left_out;
            match (needed, *parent) {
                (true, NewParent::Planned(above)) => {
                    if let Some(slot) = is_needed.get_mut(above) {
                        *slot = true;
                    }
                }
                (true, NewParent::Existing(_)) => {}
                (false, _) => {
                    let folder = &mut self.folders[place];
                    folder.target = FolderTarget::None;
                    if !is_left_out {
                        let reason = if may_create { LeftOut::Empty } else { LeftOut::NotCreated };
                        folder.matched = FolderMatch::LeftOut(reason);
                    }
                    continue;
                }
            }
            self.side.folders_created += 1;
        }
    }
}

fn write_of(brief: &Brief, folder: u32, kind: WriteKind, is_read: bool) -> PlannedWrite {
    PlannedWrite { source: brief.id, instance: brief.instance, folder, kind, is_read }
}

/// Whether the target folder has an item of equal key and content already (C5).
fn has_twin<P: Pages + ?Sized, Q: Pages + ?Sized>(
    item: &Item,
    theirs: &Gathered,
    prints: &mut Fingerprints<'_, '_, P, Q>,
) -> EseResult<bool> {
    let own = prints.of(Side::Source, item)?;
    for other in theirs.items.iter() {
        if other.folder == item.folder
            && other.search_key == item.search_key
            && !other.flags.contains(ItemFlag::DELETED)
            && own.is_some()
            && prints.of(Side::Target, other)? == own
        {
            return Ok(true);
        }
    }
    Ok(false)
}

fn hidden_of<Q: Pages + ?Sized>(
    target: &View<'_, Q>,
    folder: &FolderTarget,
) -> EseResult<HashSet<(String, String)>> {
    let mut known = HashSet::new();
    if let FolderTarget::Existing(id) = folder {
        let mut ids = Vec::new();
        target.each_brief(*id, &mut |brief| {
            ids.extend(brief.ok().filter(|brief| brief.associated && !brief.deleted));
            Ok(())
        })?;
        for brief in ids {
            if let Some(item) = readable(target.item(brief.id))? {
                known.insert((item.headers.class.to_lowercase(), item.headers.subject));
            }
        }
    }
    Ok(known)
}

fn readable<T>(found: EseResult<Option<T>>) -> EseResult<Option<T>> {
    match found {
        Err(error @ EseError::Io(_)) => Err(error),
        Err(_) => Ok(None),
        found => found,
    }
}
