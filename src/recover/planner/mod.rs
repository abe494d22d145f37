//! The plan of one mailbox: folders matched, items paired, each item decided about. Reads both stores, writes neither.
//!
//! Source: recover-semantics 2 (P1 to P3), 4 to 8, 14.
//!
//! | file | what it is for |
//! |---|---|
//! | `mod` | the order of the steps, and the items of both sides |
//! | `items` | what is done about each ordinary item |
//! | `side` | soft-deleted and hidden items; folders that nothing goes into |
//! | `ids` | which items keep their ids |
//! | `equal` | mailboxes of which the target has everything already |

mod equal;
mod ids;
mod items;
mod side;

use std::collections::{BTreeSet, HashMap};

use super::counters::Counters;
use super::folders::match_folders;
use super::gather::{Gathered, Gatherer};
use super::hierarchy::Hierarchy;
use super::item::Item;
use super::options::Options;
use super::pair::Scope;
use super::plan::{
    BadItem, Counted, FolderMatch, FolderPlan, FolderTarget, LeftOut, MailboxPair, MailboxPlan,
    PlannedWrite, SideCounters, WriteKind,
};
use crate::ese::error::{EseError, EseResult};
use crate::ese::txn::Pages;
use crate::mapi::FolderId;
use crate::store::{Brief, FolderKind, ItemId, Role, View};

pub use ids::KnownReplicas;

/// A target mailbox with more than so many times the source's items is asked for single keys instead of being read whole, so that
/// the cost of a small source does not follow a large target.
const LOOK_UP_FACTOR: i64 = 8;
/// The number of target folders that are not matched with any source folder starts here.
const OTHERS_FROM: u32 = 1 << 31;

/// How the items of the target are found. Both ways give the same plan; tests hold one against the other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum TargetSearch {
    /// Whatever costs less.
    #[default]
    Cheapest,
    /// All rows are read.
    Scan,
    /// Each search key of the source is looked up, as far as the source's items have keys.
    LookUp,
}

/// Plans one mailbox.
///
/// # Errors
/// [`EseError::Corrupt`] when the target's folders, or the index of the source's, cannot be read; [`EseError::Io`].
pub fn plan_mailbox<P: Pages + ?Sized, Q: Pages + ?Sized>(
    source: &View<'_, P>,
    target: &View<'_, Q>,
    pair: &MailboxPair,
    options: &Options,
    replicas: &KnownReplicas,
) -> EseResult<MailboxPlan> {
    plan_mailbox_by(source, target, pair, options, replicas, TargetSearch::Cheapest)
}

/// Plans one mailbox, finding the target's items in this way.
///
/// # Errors
/// As [`plan_mailbox`].
pub fn plan_mailbox_by<P: Pages + ?Sized, Q: Pages + ?Sized>(
    source: &View<'_, P>,
    target: &View<'_, Q>,
    pair: &MailboxPair,
    options: &Options,
    replicas: &KnownReplicas,
    search: TargetSearch,
) -> EseResult<MailboxPlan> {
    Planner::new((source, target), pair, (options, search), replicas)?.plan()
}

struct Planner<'p, P: Pages + ?Sized, Q: Pages + ?Sized> {
    source: &'p View<'p, P>,
    target: &'p View<'p, Q>,
    pair: &'p MailboxPair,
    options: &'p Options,
    search: TargetSearch,
    replicas: &'p KnownReplicas,
    ours: Hierarchy,
    theirs: Option<Hierarchy>,
    folders: Vec<FolderPlan>,
    /// Hidden items of the target, where all of its rows were read.
    hidden_there: Option<HiddenThere>,
    writes: Vec<PlannedWrite>,
    side: SideCounters,
    bad: Vec<BadItem>,
}

/// The hidden items of each folder of the target, soft-deleted ones left out.
type HiddenThere = HashMap<FolderId, Vec<ItemId>>;

/// An item of the source that ordinary pairing does not see, with the place of its folder in the plan.
type Hidden = (u32, Brief);

impl<'p, P: Pages + ?Sized, Q: Pages + ?Sized> Planner<'p, P, Q> {
    fn new(
        (source, target): (&'p View<'p, P>, &'p View<'p, Q>),
        pair: &'p MailboxPair,
        (options, search): (&'p Options, TargetSearch),
        replicas: &'p KnownReplicas,
    ) -> EseResult<Self> {
        let (ours, lost) = Hierarchy::read_what_is_left(source, &pair.source)?;
        let theirs =
            pair.target.as_ref().map(|mailbox| Hierarchy::read(target, mailbox)).transpose()?;
        let translate = |id| replicas.in_target(id);
        let folders = match_folders(&ours, theirs.as_ref(), &translate, options);
        let mut planner = Self {
            source,
            target,
            pair,
            options,
            search,
            replicas,
            ours,
            theirs,
            folders,
            hidden_there: None,
            writes: Vec::new(),
            side: SideCounters::default(),
            bad: Vec::new(),
        };
        planner.note_lost(lost);
        Ok(planner)
    }

    /// A folder whose row is lost counts as one item lost, so that no report is perfect.
    fn note_lost(&mut self, lost: Vec<EseError>) {
        for error in lost {
            let path = "(unreadable folder)".to_owned();
            self.bad.push(BadItem {
                folder_path: path.clone(),
                item: None,
                reason: error.to_string(),
            });
            self.folders.push(FolderPlan {
                source: None,
                path,
                matched: FolderMatch::LeftOut(LeftOut::Unreadable),
                target: FolderTarget::None,
                is_role_lost: false,
                counters: Counters { scanned: 1, bad: 1, ..Counters::default() },
                write_bytes: 0,
            });
        }
    }

    fn plan(mut self) -> EseResult<MailboxPlan> {
        self.count_left_out()?;
        let hidden = match self.take_as_equal()? {
            Some(hidden) => hidden,
            None => self.pair_and_decide()?,
        };
        self.settle_folders();
        self.plan_hidden(&hidden)?;
        self.choose_ids()?;
        self.writes.sort_by_key(|write| (write.folder, write.source));
        let mut counters = Counters::default();
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

    /// Pairs all items and decides about each; answers the source's hidden ones.
    fn pair_and_decide(&mut self) -> EseResult<Vec<Hidden>> {
        let numbers = self.target_numbers();
        let (ours, hidden) = self.gather_source(&numbers)?;
        let theirs = self.gather_target(&ours, &numbers)?;
        self.decide_all(&ours, &theirs)?;
        self.plan_dumpster(&ours, &theirs);
        Ok(hidden)
    }

    /// The number of each target folder that pairing looks into: the first place in the plan that has it, or a number beyond all
    /// places.
    fn target_numbers(&self) -> HashMap<FolderId, u32> {
        let Some(theirs) = &self.theirs else { return HashMap::new() };
        let mut numbers = HashMap::new();
        for (number, folder) in (0u32..).zip(&self.folders) {
            if let FolderTarget::Existing(id) = folder.target {
                numbers.entry(id).or_insert(number);
            }
        }
        if self.options.rules.mode.scope() == Scope::Mailbox {
            let others = theirs.all().filter(|folder| folder.kind != FolderKind::Search);
            for (number, folder) in (OTHERS_FROM..).zip(others) {
                numbers.entry(folder.id).or_insert(number);
            }
        }
        numbers
    }

    /// The source's folders whose items are looked at, filtered ones too (X0), with their places in the plan.
    fn taking_part(&self) -> Vec<(u32, FolderId)> {
        let takes_part = |folder: &FolderPlan| {
            matches!(folder.matched, FolderMatch::LeftOut(LeftOut::Filter))
                || !matches!(folder.matched, FolderMatch::LeftOut(_))
        };
        let folders = (0u32..).zip(&self.folders).filter(|(_, folder)| takes_part(folder));
        folders.filter_map(|(place, folder)| Some((place, folder.source?))).collect()
    }

    /// Counts what lies in folders that take no part.
    fn count_left_out(&mut self) -> EseResult<()> {
        for folder in &self.folders {
            let Some(id) = folder.source else { continue };
            match folder.matched {
                FolderMatch::LeftOut(LeftOut::Search) => {
                    let is_folder = self.ours.role_of(id) != Some(Role::Finder);
                    self.side.search_folders_left += u64::from(is_folder);
                }
                FolderMatch::LeftOut(LeftOut::Queue) => {
                    self.side.queued_left += count_ordinary(self.source, id)?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The source's items of folders that take part, filtered ones too (X0), under the numbers of the target folders that theirs are
    /// matched with; and the hidden ones.
    fn gather_source(
        &mut self,
        numbers: &HashMap<FolderId, u32>,
    ) -> EseResult<(Gathered, Vec<Hidden>)> {
        let mut gatherer = Gatherer::new(*self.source)?;
        gatherer.expect(self.pair.source.items.saturating_add(self.pair.source.deleted_items));
        let mut hidden = Vec::new();
        for (place, id) in self.taking_part() {
            let Some(folder) = self.folders.get(place as usize) else { continue };
            let number = match folder.target {
                FolderTarget::Existing(target) => numbers.get(&target).copied(),
                _ => None,
            };
            let number = number.unwrap_or(Item::NO_FOLDER);
            gatherer.add_source(id, (place, number), &folder.path, &mut |brief| {
                hidden.push((place, *brief));
            })?;
        }
        let mut gathered = gatherer.finish()?;
        self.note_bad(std::mem::take(&mut gathered.bad));
        Ok((gathered, hidden))
    }

    /// Rows that cannot be read are lost, unless a filter leaves them out anyway.
    fn note_bad(&mut self, all: Vec<(u32, BadItem)>) {
        for (place, bad) in all {
            let Some(folder) = self.folders.get_mut(place as usize) else { continue };
            folder.counters.scanned += 1;
            if is_filtered(folder) {
                folder.counters.filtered += 1;
            } else {
                folder.counters.bad += 1;
                self.bad.push(bad);
            }
        }
    }

    /// The target's items; what is hidden among them is kept for later, so that nothing is read twice.
    fn gather_target(
        &mut self,
        ours: &Gathered,
        numbers: &HashMap<FolderId, u32>,
    ) -> EseResult<Gathered> {
        let Some(mailbox) = &self.pair.target else {
            return Gatherer::new(*self.target)?.finish();
        };
        if self.looks_up(ours) {
            let keys: BTreeSet<_> = ours.items.iter().map(|item| item.search_key).collect();
            let mut gatherer = Gatherer::new(*self.target)?;
            let number = |folder| numbers.get(&folder).copied();
            match gatherer.add_by_keys(mailbox.root, &keys, &number) {
                Ok(()) => return gatherer.finish(),
                Err(error @ EseError::Io(_)) => return Err(error),
                Err(_) => {} // the index is damaged; the rows are still there
            }
        }
        let mut gatherer = Gatherer::new(*self.target)?;
        gatherer.expect(mailbox.items.saturating_add(mailbox.deleted_items));
        let mut order: Vec<_> = numbers.iter().map(|(id, number)| (*number, *id)).collect();
        order.sort_unstable();
        let mut hidden = HiddenThere::new();
        for (number, id) in order {
            gatherer.add_folder(id, number, "", &mut |brief| {
                if !brief.deleted {
                    hidden.entry(id).or_default().push(brief.id);
                }
            })?;
        }
        self.hidden_there = Some(hidden);
        gatherer.finish()
    }

    /// Whether single keys are looked up. Items without a key can be found by reading only.
    fn looks_up(&self, ours: &Gathered) -> bool {
        let size = self
            .pair
            .target
            .as_ref()
            .map_or(0, |mailbox| mailbox.items.saturating_add(mailbox.deleted_items));
        let few = i64::try_from(ours.items.len()).unwrap_or(i64::MAX);
        let is_wanted = match self.search {
            TargetSearch::Cheapest => size > few.saturating_mul(LOOK_UP_FACTOR),
            TargetSearch::Scan => false,
            TargetSearch::LookUp => true,
        };
        is_wanted && ours.rows.iter().all(|brief| brief.search_key.is_some())
    }
}

fn count_ordinary<P: Pages + ?Sized>(view: &View<'_, P>, folder: FolderId) -> EseResult<u64> {
    let mut count = 0;
    view.each_brief(folder, &mut |brief| match brief {
        Err(error @ EseError::Io(_)) => Err(error),
        brief => {
            count += u64::from(brief.is_ok_and(|brief| !brief.associated && !brief.deleted));
            Ok(())
        }
    })?;
    Ok(count)
}

fn is_filtered(folder: &FolderPlan) -> bool {
    folder.matched == FolderMatch::LeftOut(LeftOut::Filter)
}

fn write_of(brief: &Brief, folder: u32, kind: WriteKind, is_read: bool) -> PlannedWrite {
    let counted = match (brief.associated, brief.deleted) {
        (true, _) => Counted::Hidden,
        (false, true) => Counted::Dumpster,
        (false, false) => Counted::Ordinary,
    };
    let bytes = u64::try_from(brief.bytes).unwrap_or(0);
    PlannedWrite {
        source: brief.id,
        instance: brief.instance,
        bytes,
        folder,
        kind,
        counted,
        is_read,
    }
}

/// What can be read; only a failure of the machine is an error.
fn readable<T>(found: EseResult<Option<T>>) -> EseResult<Option<T>> {
    match found {
        Err(error @ EseError::Io(_)) => Err(error),
        Err(_) => Ok(None),
        found => found,
    }
}
