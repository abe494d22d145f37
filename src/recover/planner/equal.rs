//! Mailboxes of which the target has everything already, as a repeated job finds them: seen by comparing the keys of either side a
//! folder at a time. Nothing is kept but what the hidden items need.
//!
//! Answers either what pairing would, or nothing. Source: recover-semantics 5.1 (A1), X1.

use std::collections::{HashMap, HashSet};

use super::{Hidden, HiddenThere, LOOK_UP_FACTOR, Planner, TargetSearch};
use crate::ese::error::{EseError, EseResult};
use crate::ese::txn::Pages;
use crate::mapi::{FolderId, ReplGuid, ReplId, SearchKey};
use crate::recover::decide::is_future_time;
use crate::recover::gather::lineage_of;
use crate::recover::options::DumpsterRule;
use crate::recover::plan::{FolderMatch, FolderTarget};
use crate::store::{Brief, BriefReader, View};

/// What makes two whole items of a folder the same without a look at their contents. Sorted by search key first, because items of one
/// search key are paired among each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Keys {
    search_key: SearchKey,
    lineage: [u8; 22],
    change_key: [u8; 16],
}

/// What was found out about a mailbox so far.
#[derive(Default)]
struct Equal {
    /// Ordinary items of each folder, by its place in the plan.
    unchanged: Vec<(u32, u64)>,
    /// Soft-deleted items of the source.
    dumpster: u64,
    /// Changed by a clock that ran ahead.
    future_time: u64,
    hidden: Vec<Hidden>,
    hidden_there: HiddenThere,
}

/// The ordinary items of a folder in one store.
struct Side<'v, P: Pages + ?Sized> {
    briefs: BriefReader<'v, P>,
    replicas: HashMap<ReplId, ReplGuid>,
    keys: Vec<Keys>,
    /// A row that cannot be read, or that its keys do not tell enough of.
    is_unclear: bool,
}

impl<P: Pages + ?Sized, Q: Pages + ?Sized> Planner<'_, P, Q> {
    /// Where each item of the source has its like in the target's folder, and none can be mistaken for another, that is what pairing
    /// would find, and all of it is decided here; answers the source's hidden items. Otherwise answers none, and nothing is decided.
    pub(super) fn take_as_equal(&mut self) -> EseResult<Option<Vec<Hidden>>> {
        let folders = self.taking_part();
        if !self.may_be_equal(&folders) {
            return Ok(None);
        }
        let Some(equal) = self.compare(&folders)? else { return Ok(None) };
        let paired = equal.unchanged.iter().map(|(_, count)| count).sum();
        for (place, count) in equal.unchanged {
            if let Some(folder) = self.folders.get_mut(place as usize) {
                folder.counters.scanned += count;
                folder.counters.unchanged += count;
            }
        }
        self.side.future_time += equal.future_time;
        self.side.dumpster_left += equal.dumpster;
        self.hidden_there = Some(equal.hidden_there);
        self.count_target_only(paired);
        Ok(Some(equal.hidden))
    }

    /// Whether a look is worth while, and the question as simple as [`Keys`] can answer it.
    fn may_be_equal(&self, folders: &[(u32, FolderId)]) -> bool {
        let Some(target) = &self.pair.target else { return false };
        let source = &self.pair.source;
        let size = target.items.saturating_add(target.deleted_items);
        let few = source.items.saturating_add(source.deleted_items);
        let mut targets = HashSet::new();
        let mut is_simple = |(place, _): &(u32, FolderId)| {
            let folder = self.folders.get(*place as usize);
            folder.is_some_and(|folder| {
                !matches!(folder.matched, FolderMatch::LeftOut(_))
                    && match folder.target {
                        FolderTarget::Existing(id) => targets.insert(id),
                        _ => true,
                    }
            })
        };
        self.search == TargetSearch::Cheapest
            && !self.options.unite_read_state
            && source.items <= target.items
            && size <= few.saturating_mul(LOOK_UP_FACTOR)
            && folders.iter().all(&mut is_simple)
    }

    fn compare(&self, folders: &[(u32, FolderId)]) -> EseResult<Option<Equal>> {
        let mut equal = Equal::default();
        let (mut ours, mut theirs) = (Side::new(self.source)?, Side::new(self.target)?);
        let keeps_dumpster = self.options.dumpster == DumpsterRule::Preserve;
        for (place, id) in folders {
            let rules = &self.options.rules;
            ours.read(*id, &mut |brief| {
                if brief.associated {
                    equal.hidden.push((*place, *brief));
                } else if brief.deleted {
                    equal.dumpster += 1;
                } else {
                    equal.future_time += u64::from(is_future_time(rules, brief.modified));
                }
            })?;
            let folder = self.folders.get(*place as usize);
            theirs.keys.clear();
            if let Some(FolderTarget::Existing(id)) = folder.map(|folder| &folder.target) {
                theirs.read(*id, &mut |brief| {
                    if brief.associated && !brief.deleted {
                        equal.hidden_there.entry(*id).or_default().push(brief.id);
                    }
                })?;
            }
            let is_clear = !ours.is_unclear && !theirs.is_unclear;
            let is_kept = keeps_dumpster && equal.dumpster > 0;
            if !is_clear || is_kept || !has_all(&mut ours.keys, &mut theirs.keys) {
                return Ok(None);
            }
            equal.unchanged.push((*place, ours.keys.len() as u64));
        }
        Ok(Some(equal))
    }
}

impl<'v, P: Pages + ?Sized> Side<'v, P> {
    fn new(view: &View<'v, P>) -> EseResult<Self> {
        let replicas = view.replicas()?.into_iter().collect();
        Ok(Self { briefs: view.briefs()?, replicas, keys: Vec::new(), is_unclear: false })
    }

    /// Reads a folder: the keys of its live ordinary items; every item is given to `visit`.
    fn read(&mut self, id: FolderId, visit: &mut dyn FnMut(&Brief)) -> EseResult<()> {
        let (keys, replicas, is_unclear) = (&mut self.keys, &self.replicas, &mut self.is_unclear);
        keys.clear();
        self.briefs.each(id, &mut |brief| {
            match brief {
                Err(error @ EseError::Io(_)) => return Err(error),
                Err(_) => *is_unclear = true,
                Ok(brief) => {
                    visit(&brief);
                    if brief.associated || brief.deleted {
                        return Ok(());
                    }
                    let lineage = lineage_of(&brief, replicas);
                    match brief.search_key.filter(|_| !brief.partial) {
                        Some(search_key) => {
                            keys.push(Keys { search_key, lineage, change_key: brief.change_key });
                        }
                        None => *is_unclear = true,
                    }
                }
            }
            Ok(())
        })
    }
}

/// Whether each of `ours` is among `theirs`, and what else is there has the search key of none of them.
fn has_all(ours: &mut [Keys], theirs: &mut [Keys]) -> bool {
    if ours == theirs {
        return true; // the usual case: copied in the order of the source
    }
    if ours.len() > theirs.len() {
        return false;
    }
    ours.sort_unstable();
    theirs.sort_unstable();
    let mut theirs = theirs.iter();
    for (at, own) in ours.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|at| ours.get(at));
        let is_free = |other: &Keys| {
            other.search_key < own.search_key
                && before.is_none_or(|before| before.search_key < other.search_key)
        };
        let other = theirs.find(|other| !is_free(other));
        if other != Some(own) {
            return false;
        }
    }
    let last = ours.last();
    theirs.all(|other| last.is_none_or(|last| last.search_key < other.search_key))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(all: &[(u8, u8, u8)]) -> Vec<Keys> {
        let keys = |(search, lineage, change): &(u8, u8, u8)| Keys {
            search_key: SearchKey([*search; 16]),
            lineage: [*lineage; 22],
            change_key: [*change; 16],
        };
        all.iter().map(keys).collect()
    }

    fn holds(ours: &[(u8, u8, u8)], theirs: &[(u8, u8, u8)]) -> bool {
        has_all(&mut keys(ours), &mut keys(theirs))
    }

    #[test]
    fn the_same_items_in_any_order_are_all_there() {
        assert!(holds(&[], &[]));
        assert!(holds(&[(1, 1, 1), (2, 2, 2)], &[(1, 1, 1), (2, 2, 2)]));
        assert!(holds(&[(1, 1, 1), (2, 2, 2)], &[(2, 2, 2), (1, 1, 1)]));
        assert!(holds(&[(1, 1, 1), (1, 1, 1)], &[(1, 1, 1), (1, 1, 1)]));
    }

    #[test]
    fn other_items_of_the_target_do_not_matter() {
        assert!(holds(&[], &[(1, 1, 1)]));
        assert!(holds(&[(2, 2, 2)], &[(1, 1, 1), (3, 3, 3), (2, 2, 2)]));
        assert!(holds(&[(2, 2, 2), (4, 4, 4)], &[(4, 4, 4), (5, 5, 5), (3, 3, 3), (2, 2, 2)]));
    }

    #[test]
    fn what_could_be_taken_for_another_item_is_not_decided_here() {
        assert!(!holds(&[(2, 2, 2)], &[(2, 2, 2), (2, 3, 3)]));
        assert!(!holds(&[(2, 2, 2)], &[(2, 1, 1), (2, 2, 2)]));
        assert!(!holds(&[(2, 2, 2)], &[(2, 2, 2), (2, 2, 2)]));
        assert!(!holds(&[(1, 1, 1), (2, 2, 2)], &[(1, 1, 1), (1, 2, 2), (2, 2, 2)]));
    }

    #[test]
    fn a_missing_or_changed_item_is_seen() {
        assert!(!holds(&[(1, 1, 1)], &[]));
        assert!(!holds(&[(1, 1, 1)], &[(1, 1, 2)]));
        assert!(!holds(&[(1, 1, 1)], &[(2, 1, 1)]));
        assert!(!holds(&[(1, 1, 1), (1, 1, 1)], &[(1, 1, 1), (3, 3, 3)]));
    }
}
