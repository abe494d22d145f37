//! What a source item becomes in the target: its ids and keys (design D6; recover-semantics W1 to W4, C8).

use std::collections::HashMap;

use super::plan::{FolderPlan, FolderTarget, NewParent, PlannedWrite};
use crate::ese::error::{EseError, EseResult};
use crate::ese::txn::Pages;
use crate::mapi::{
    ChangeKey, FolderId, GlobCnt, InstanceId, MessageFlags, MessageId, ReplGuid, ReplId, SourceKey,
};
use crate::store::{Item, ItemId, StoreInfo, StoreWriter, View};

/// What the replicas of the source are called in the target.
#[derive(Debug, Clone)]
pub struct Replicas {
    names: HashMap<ReplId, (ReplGuid, ReplId)>,
    local: (ReplGuid, ReplId),
}

impl Replicas {
    /// Gives every replica of the source a name in the target.
    ///
    /// # Errors
    /// As [`StoreWriter::replica_id`].
    pub fn adopt<P: Pages + ?Sized>(
        source: &View<'_, P>,
        target: &mut StoreWriter,
    ) -> EseResult<Self> {
        let StoreInfo { replica, local_replica, .. } = *target.info();
        let mut names = HashMap::new();
        for (id, guid) in source.replicas()? {
            names.insert(id, (guid, target.replica_id(guid)?));
        }
        Ok(Self { names, local: (replica, local_replica) })
    }

    /// A source id under the target's name for its replica.
    ///
    /// # Errors
    /// [`EseError::Corrupt`] when the source does not say which replica issued it.
    pub fn kept_id(&self, id: MessageId) -> EseResult<MessageId> {
        let (_, name) = self.of(id.replica)?;
        Ok(MessageId::new(name, id.counter))
    }

    /// A new id of the target.
    pub fn new_id(&self, counter: GlobCnt) -> MessageId {
        MessageId::new(self.local.1, counter)
    }

    fn of(&self, replica: ReplId) -> EseResult<(ReplGuid, ReplId)> {
        self.names.get(&replica).copied().ok_or_else(|| {
            let reason = format!("an id of replica {}, which the store does not list", replica.0);
            EseError::corrupt_bytes(reason)
        })
    }

    /// The item as it will be inserted. `own` is its new id where the source's is not kept.
    ///
    /// # Errors
    /// As [`Self::kept_id`].
    pub fn inserted(
        &self,
        item: &Item,
        write: &PlannedWrite,
        folder: FolderId,
        instance: InstanceId,
        own: Option<GlobCnt>,
    ) -> EseResult<Item> {
        let (message, source_key) = match own {
            Some(counter) => (self.new_id(counter), SourceKey { replica: self.local.0, counter }),
            None => (self.kept_id(write.source.message)?, self.source_key_of(item)?),
        };
        let change_key = self.change_key_of(item)?;
        let mut new = Item {
            id: ItemId { folder, message },
            instance,
            read: write.is_read,
            flags: with_read(item.flags, write.is_read),
            change_key: Some(change_key),
            source_key: Some(source_key),
            ..item.clone()
        };
        new.pcl.add(change_key);
        Ok(new)
    }

    /// The item as it will stand in the place of `old`, whose ids stay.
    ///
    /// # Errors
    /// As [`Self::kept_id`].
    pub fn replaced(
        &self,
        item: &Item,
        write: &PlannedWrite,
        old: &Item,
        instance: InstanceId,
    ) -> EseResult<Item> {
        let change_key = self.change_key_of(item)?;
        let mut pcl = item.pcl.join(&old.pcl);
        pcl.add(change_key);
        Ok(Item {
            id: old.id,
            instance,
            read: write.is_read,
            flags: with_read(item.flags, write.is_read),
            change_key: Some(change_key),
            pcl,
            source_key: old.source_key,
            deleted_on: old.deleted_on,
            associated: old.associated,
            ..item.clone()
        })
    }

    fn source_key_of(&self, item: &Item) -> EseResult<SourceKey> {
        match item.source_key {
            Some(key) => Ok(key),
            None => {
                let (replica, _) = self.of(item.id.message.replica)?;
                Ok(SourceKey { replica, counter: item.id.message.counter })
            }
        }
    }

    /// An item without a change key has the change that it was made by.
    fn change_key_of(&self, item: &Item) -> EseResult<ChangeKey> {
        match (item.change_key, item.change) {
            (Some(key), _) => Ok(key),
            (None, Some(change)) => Ok(ChangeKey::new(self.of(change.replica)?.0, change.counter)),
            (None, None) => {
                let key = self.source_key_of(item)?;
                Ok(ChangeKey::new(key.replica, key.counter))
            }
        }
    }
}

fn with_read(mut flags: MessageFlags, is_read: bool) -> MessageFlags {
    flags.set(MessageFlags::READ, is_read);
    flags
}

/// Makes the folders that a plan needs; answers where the items of each go.
///
/// # Errors
/// As [`StoreWriter::create_folder`].
pub fn make_folders(
    writer: &mut StoreWriter,
    folders: &[FolderPlan],
) -> EseResult<Vec<Option<FolderId>>> {
    let mut places: Vec<Option<FolderId>> = Vec::with_capacity(folders.len());
    for folder in folders {
        let place = match &folder.target {
            FolderTarget::Existing(id) => Some(*id),
            FolderTarget::New { parent, folder } => {
                let parent = match parent {
                    NewParent::Existing(id) => Some(*id),
                    NewParent::Planned(above) => places.get(*above).copied().flatten(),
                };
                let parent = parent.ok_or_else(|| {
                    EseError::corrupt_bytes(format!("no parent was made for {}", folder.name))
                })?;
                Some(writer.create_folder(parent, folder)?)
            }
            FolderTarget::Role(_) | FolderTarget::None => None,
        };
        places.push(place);
    }
    Ok(places)
}
