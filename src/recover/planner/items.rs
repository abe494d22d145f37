//! What is done about each ordinary item, and what that counts for. Source: recover-semantics 5 to 7, 14.

use super::{Planner, is_filtered, write_of};
use crate::ese::error::EseResult;
use crate::ese::txn::Pages;
use crate::recover::decide::{Action, decide, is_future};
use crate::recover::gather::{Fingerprints, Gathered};
use crate::recover::item::{Item, ItemFlag};
use crate::recover::pair::{Outcome, pair_items};
use crate::recover::plan::{FolderTarget, WriteKind};
use crate::store::{Brief, FolderKind};

impl<P: Pages + ?Sized, Q: Pages + ?Sized> Planner<'_, P, Q> {
    pub(super) fn decide_all(&mut self, ours: &Gathered, theirs: &Gathered) -> EseResult<()> {
        let mut prints = Fingerprints::new((*self.source, ours), (*self.target, theirs));
        let scope = self.options.rules.mode.scope();
        let pairing = pair_items(&ours.items, &theirs.items, scope, &mut |side, item: &Item| {
            prints.of(side, item)
        })?;
        self.side.fingerprints = pairing.fingerprints;
        for (item, outcome) in ours.items.iter().zip(&pairing.outcomes) {
            if !item.flags.contains(ItemFlag::DELETED) {
                self.decide_one((ours, theirs), item, *outcome, &mut prints)?;
            }
        }
        self.count_target_only(live_partners(&pairing.outcomes, theirs));
        Ok(())
    }

    fn decide_one(
        &mut self,
        (ours, theirs): (&Gathered, &Gathered),
        item: &Item,
        outcome: Outcome,
        prints: &mut Fingerprints<'_, '_, P, Q>,
    ) -> EseResult<()> {
        let row = item.row as usize;
        let Some((brief, place)) = ours.rows.get(row).zip(ours.places.get(row)) else {
            return Ok(());
        };
        let Some(folder) = self.folders.get_mut(*place as usize) else { return Ok(()) };
        if is_filtered(folder) {
            folder.counters.scanned += 1;
            folder.counters.filtered += 1;
            return Ok(());
        }
        let rules = &self.options.rules;
        self.side.future_time += u64::from(is_future(rules, item));
        let mut judged = *item;
        if prints.is_unreadable(item) {
            judged.flags |= ItemFlag::DAMAGED;
        }
        let mut failed = None;
        let action = decide(rules, &judged, outcome, &theirs.items, || {
            prints.has_twin(item).unwrap_or_else(|error| {
                failed = Some(error);
                true
            })
        });
        if let Some(error) = failed {
            return Err(error);
        }
        if action == Action::Insert && !self.has_place(*place) {
            self.skip_without_folder(*place);
            return Ok(());
        }
        self.count(*place, action);
        if let Some((kind, is_read)) = self.write_for(action, outcome, brief, theirs) {
            self.add_write(brief, *place, kind, is_read);
        }
        Ok(())
    }

    /// Whether items can be put where the items of this folder go.
    pub(super) fn has_place(&self, place: u32) -> bool {
        match self.folders.get(place as usize).map(|folder| &folder.target) {
            Some(FolderTarget::Existing(_) | FolderTarget::Role(_)) => true,
            Some(FolderTarget::New { .. }) => !self.options.folders.create_none,
            Some(FolderTarget::None) | None => false,
        }
    }

    fn skip_without_folder(&mut self, place: u32) {
        if let Some(folder) = self.folders.get_mut(place as usize) {
            folder.counters.scanned += 1;
            folder.counters.skipped_no_folder += 1;
        }
    }

    fn count(&mut self, place: u32, action: Action) {
        if let Some(folder) = self.folders.get_mut(place as usize) {
            folder.counters.count(action);
        }
    }

    /// What is written, and whether it will be read (R1).
    fn write_for(
        &self,
        action: Action,
        outcome: Outcome,
        brief: &Brief,
        theirs: &Gathered,
    ) -> Option<(WriteKind, bool)> {
        let partner = |at: u32| theirs.rows.get(theirs.items.get(at as usize)?.row as usize);
        match (action, outcome) {
            (Action::Insert, _) => Some((WriteKind::Insert { keep_id: true }, brief.read)),
            (Action::Replace(at), _) => {
                let old = partner(at)?;
                Some((WriteKind::Replace(old.id), brief.read || old.read))
            }
            (Action::Unchanged | Action::Moved, Outcome::Unchanged(at) | Outcome::Moved(at))
                if self.options.unite_read_state =>
            {
                let old = partner(at).filter(|old| brief.read && !old.read)?;
                Some((WriteKind::MarkRead(old.id), true))
            }
            _ => None,
        }
    }

    fn add_write(&mut self, brief: &Brief, place: u32, kind: WriteKind, is_read: bool) {
        if let WriteKind::MarkRead(_) = kind {
            self.side.read_flags += 1;
        } else {
            self.side.partial += u64::from(brief.partial);
            if let Some(folder) = self.folders.get_mut(place as usize) {
                folder.write_bytes += u64::try_from(brief.bytes).unwrap_or(0);
            }
        }
        self.writes.push(write_of(brief, place, kind, is_read));
    }

    /// Live ordinary items of the target that no source item was paired with, by the counters of its folders: they are not read.
    pub(super) fn count_target_only(&mut self, paired: u64) {
        let folders = self.theirs.iter().flat_map(|theirs| theirs.all());
        let folders = folders.filter(|folder| folder.kind != FolderKind::Search);
        let items = folders.map(|folder| folder.items);
        let all = items.fold(0_i64, i64::saturating_add);
        let all = u64::try_from(all).unwrap_or(0);
        self.side.target_only = all.saturating_sub(paired);
    }
}

/// How many items of the target that are not deleted have a partner.
fn live_partners(outcomes: &[Outcome], theirs: &Gathered) -> u64 {
    let is_live = |at: u32| {
        let item = theirs.items.get(at as usize);
        item.is_some_and(|item| !item.flags.contains(ItemFlag::DELETED))
    };
    let paired = outcomes.iter().filter(|outcome| match outcome {
        Outcome::Missing => false,
        Outcome::Unchanged(at)
        | Outcome::Conflict(at)
        | Outcome::Moved(at)
        | Outcome::MovedConflict(at)
        | Outcome::DeletedInTarget(at) => is_live(*at),
    });
    paired.count() as u64
}
