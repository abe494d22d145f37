//! Which items keep the ids that they have in the source. Source: recover-semantics W3; design D6.

use std::collections::{HashMap, HashSet};

use super::Planner;
use crate::ese::error::{EseError, EseResult};
use crate::ese::txn::Pages;
use crate::mapi::{FolderId, MessageId, ReplId};
use crate::recover::decide::Mode;
use crate::recover::plan::WriteKind;
use crate::store::{Brief, ItemId, View};

/// Looking for an id in a folder costs about as much as reading so many rows.
const PROBE_ROWS: u64 = 8;

/// What the replicas of the source are called in the target, of those that it knew before the job began: only they can have
/// issued ids that are in the target already.
#[derive(Debug, Clone, Default)]
pub struct KnownReplicas {
    both: HashMap<ReplId, ReplId>,
    ours: HashSet<ReplId>,
}

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
        let ours = source.replicas()?;
        let both = ours.iter().filter_map(|(id, guid)| Some((*id, *theirs.get(guid)?)));
        Ok(Self { both: both.collect(), ours: ours.iter().map(|(id, _)| *id).collect() })
    }

    /// What a replica of the source is called in the target.
    pub(super) fn in_target(&self, id: ReplId) -> Option<ReplId> {
        self.both.get(&id).copied()
    }
}

impl<P: Pages + ?Sized, Q: Pages + ?Sized> Planner<'_, P, Q> {
    /// An item keeps its id when no item of the target mailbox has it, and no other of the plan. Never in a copy beside.
    pub(super) fn choose_ids(&mut self) -> EseResult<()> {
        let is_copy = self.options.rules.mode == Mode::CopyFolder;
        let used = if is_copy { HashSet::new() } else { self.used_ids()? };
        // Source ids in the target's names; those of a replica that is new to it are under the source's own, beyond any name in use.
        let mut kept: HashSet<(bool, MessageId)> = HashSet::new();
        for write in &mut self.writes {
            let WriteKind::Insert { keep_id } = &mut write.kind else { continue };
            let id = write.source.message;
            let named = self.replicas.in_target(id.replica);
            let is_named = named.is_some();
            let named = named.map_or(id, |replica| MessageId::new(replica, id.counter));
            // An id of a replica that the source does not list means nothing in another store.
            let is_free =
                self.replicas.ours.contains(&id.replica) && !(is_named && used.contains(&named));
            *keep_id = !is_copy && is_free && kept.insert((is_named, named));
        }
        Ok(())
    }

    /// Which of the ids that inserts would like to keep are in use in the target mailbox.
    fn used_ids(&self) -> EseResult<HashSet<MessageId>> {
        let inserts =
            self.writes.iter().filter(|write| matches!(write.kind, WriteKind::Insert { .. }));
        let wanted: HashSet<MessageId> = inserts
            .filter_map(|write| {
                let id = write.source.message;
                let replica = self.replicas.in_target(id.replica)?;
                Some(MessageId::new(replica, id.counter))
            })
            .collect();
        let Some(mailbox) = self.pair.target.as_ref().filter(|_| !wanted.is_empty()) else {
            return Ok(HashSet::new());
        };
        let folders: Vec<FolderId> =
            self.theirs.iter().flat_map(|theirs| theirs.all()).map(|folder| folder.id).collect();
        let probes = (wanted.len() as u64).saturating_mul(folders.len() as u64);
        let rows = u64::try_from(mailbox.items.saturating_add(mailbox.deleted_items)).unwrap_or(0);
        if probes.saturating_mul(PROBE_ROWS) < rows {
            self.probe(&wanted, &folders)
        } else {
            self.find_among_rows(&wanted, &folders)
        }
    }

    fn probe(
        &self,
        wanted: &HashSet<MessageId>,
        folders: &[FolderId],
    ) -> EseResult<HashSet<MessageId>> {
        let mut used = HashSet::new();
        for message in wanted {
            for folder in folders {
                let is_there =
                    match self.target.has_item(ItemId { folder: *folder, message: *message }) {
                        Err(error @ EseError::Io(_)) => return Err(error),
                        // Behind damage the id may be in use.
                        found => found.unwrap_or(true),
                    };
                if is_there {
                    used.insert(*message);
                    break;
                }
            }
        }
        Ok(used)
    }

    fn find_among_rows(
        &self,
        wanted: &HashSet<MessageId>,
        folders: &[FolderId],
    ) -> EseResult<HashSet<MessageId>> {
        let mut used = HashSet::new();
        let mut is_damaged = false;
        for folder in folders {
            let mut look = |brief: EseResult<Brief>| match brief {
                Err(error @ EseError::Io(_)) => Err(error),
                brief => {
                    is_damaged |= brief.is_err();
                    let id = brief.ok().map(|brief| brief.id.message);
                    used.extend(id.filter(|id| wanted.contains(id)));
                    Ok(())
                }
            };
            self.target.each_brief(*folder, &mut look)?;
        }
        if is_damaged {
            // A row that cannot be read has its id all the same.
            used.extend(self.probe(wanted, folders)?);
        }
        Ok(used)
    }
}
