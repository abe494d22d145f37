//! What is not an ordinary item: the dumpster, hidden items, and folders that nothing goes into. Source: recover-semantics 7, F13.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use super::{Hidden, Planner, readable, write_of};
use crate::ese::error::{EseError, EseResult};
use crate::ese::txn::Pages;
use crate::mapi::FolderId;
use crate::recover::decide::Mode;
use crate::recover::gather::Gathered;
use crate::recover::item::{Item, ItemFlag};
use crate::recover::options::{DumpsterRule, HiddenRule};
use crate::recover::plan::{FolderMatch, FolderTarget, LeftOut, NewParent, WriteKind};
use crate::store::{ItemId, View};

/// What makes two hidden items one: class, whatever its case, and subject.
type HiddenKey = (String, String);

impl<P: Pages + ?Sized, Q: Pages + ?Sized> Planner<'_, P, Q> {
    /// Soft-deleted items are left, or go to the same folder of the target, still deleted, unless it has an item of that key and
    /// creation time.
    pub(super) fn plan_dumpster(&mut self, ours: &Gathered, theirs: &Gathered) {
        let key = |item: &Item| (item.folder, item.search_key, item.created);
        // Made for the first that needs it: mostly there is none.
        let mut there: Option<HashSet<_>> = None;
        for item in ours.items.iter().filter(|item| item.flags.contains(ItemFlag::DELETED)) {
            let row = item.row as usize;
            let Some((brief, place)) = ours.rows.get(row).zip(ours.places.get(row)) else {
                continue;
            };
            let is_open = self.options.dumpster == DumpsterRule::Preserve
                && self.is_recovered(*place)
                && self.has_place(*place);
            if !is_open {
                self.side.dumpster_left += 1;
            } else if there
                .get_or_insert_with(|| theirs.items.iter().map(key).collect())
                .contains(&key(item))
            {
                self.side.dumpster_unchanged += 1;
            } else {
                self.side.dumpster_inserted += 1;
                let kind = WriteKind::Insert { keep_id: true };
                self.writes.push(write_of(brief, *place, kind, brief.read));
            }
        }
    }

    fn is_recovered(&self, place: u32) -> bool {
        let folder = self.folders.get(place as usize);
        folder.is_some_and(|folder| !matches!(folder.matched, FolderMatch::LeftOut(_)))
    }

    /// Hidden items: those of a class and subject that the target folder does not have. They are no reason to make a folder.
    pub(super) fn plan_hidden(&mut self, hidden: &[Hidden]) -> EseResult<()> {
        let is_skipped =
            self.options.hidden == HiddenRule::Skip || self.options.rules.mode == Mode::CopyFolder;
        let mut known: HashMap<u32, HashSet<HiddenKey>> = HashMap::new();
        for (place, brief) in hidden {
            let is_open = !is_skipped
                && !brief.deleted
                && self.is_recovered(*place)
                && self.has_place(*place);
            let key = if is_open { hidden_key(self.source, brief.id)? } else { None };
            let Some(key) = key else {
                self.side.hidden_left += 1;
                continue;
            };
            let known = match known.entry(*place) {
                Entry::Occupied(entry) => entry.into_mut(),
                Entry::Vacant(entry) => entry.insert(self.hidden_in_target(*place)?),
            };
            if known.contains(&key) {
                self.side.hidden_unchanged += 1;
            } else if readable(self.source.item(brief.id))?.is_none() {
                self.side.hidden_left += 1;
            } else {
                known.insert(key);
                self.side.hidden_inserted += 1;
                let kind = WriteKind::Insert { keep_id: true };
                self.writes.push(write_of(brief, *place, kind, brief.read));
            }
        }
        Ok(())
    }

    fn hidden_in_target(&self, place: u32) -> EseResult<HashSet<HiddenKey>> {
        let target = self.folders.get(place as usize).map(|folder| &folder.target);
        let Some(FolderTarget::Existing(folder)) = target else { return Ok(HashSet::new()) };
        match &self.hidden_there {
            Some(known) => keys_of(self.target, known.get(folder).map_or(&[], Vec::as_slice)),
            None => keys_of(self.target, &hidden_of(self.target, *folder)?),
        }
    }

    /// Folders that nothing goes into are not made, unless empty ones are wanted (F13). Children are settled before their parents.
    pub(super) fn settle_folders(&mut self) {
        let mut is_needed = vec![false; self.folders.len()];
        let inserts =
            self.writes.iter().filter(|write| matches!(write.kind, WriteKind::Insert { .. }));
        for write in inserts {
            if let Some(needed) = is_needed.get_mut(write.folder as usize) {
                *needed = true;
            }
        }
        let options = &self.options.folders;
        let wants_empty = options.create_empty || self.options.rules.mode != Mode::Merge;
        for (place, folder) in self.folders.iter_mut().enumerate().rev() {
            let FolderTarget::New { parent, .. } = &folder.target else { continue };
            let is_left_out = matches!(folder.matched, FolderMatch::LeftOut(_));
            let is_wanted = is_needed.get(place).copied().unwrap_or(false);
            if options.create_none || !(is_wanted || wants_empty && !is_left_out) {
                folder.target = FolderTarget::None;
                if !is_left_out {
                    let reason =
                        if options.create_none { LeftOut::NotCreated } else { LeftOut::Empty };
                    folder.matched = FolderMatch::LeftOut(reason);
                }
                continue;
            }
            if let NewParent::Planned(above) = parent
                && let Some(slot) = is_needed.get_mut(*above)
            {
                *slot = true;
            }
            self.side.folders_created += 1;
        }
    }
}

/// The key of a hidden item; none when it cannot be read.
fn hidden_key<P: Pages + ?Sized>(view: &View<'_, P>, item: ItemId) -> EseResult<Option<HiddenKey>> {
    let found = readable(view.class_and_subject(item))?;
    Ok(found.map(|(class, subject)| (class.to_lowercase(), subject)))
}

/// The hidden items of a folder, soft-deleted ones left out.
fn hidden_of<Q: Pages + ?Sized>(target: &View<'_, Q>, folder: FolderId) -> EseResult<Vec<ItemId>> {
    let mut ids = Vec::new();
    target.each_brief(folder, &mut |brief| match brief {
        Err(error @ EseError::Io(_)) => Err(error),
        brief => {
            let hidden = brief.ok().filter(|brief| brief.associated && !brief.deleted);
            ids.extend(hidden.map(|brief| brief.id));
            Ok(())
        }
    })?;
    Ok(ids)
}

fn keys_of<Q: Pages + ?Sized>(
    target: &View<'_, Q>,
    items: &[ItemId],
) -> EseResult<HashSet<HiddenKey>> {
    let mut known = HashSet::new();
    for item in items {
        known.extend(hidden_key(target, *item)?);
    }
    Ok(known)
}
