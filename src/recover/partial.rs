//! Mails of which a part can be saved: an attachment that cannot be read is replaced by a note, the item is marked as partial.
//! Source: recover-semantics E7. Both ways of writing do this alike, item by item.

use super::place::Replicas;
use super::plan::{PlannedWrite, WriteKind};
use super::verify::{ContentProof, Written};
use crate::ese::error::{EseError, EseResult};
use crate::ese::txn::Pages;
use crate::mapi::FolderId;
use crate::store::{LostAttachment, ParcelMaps, StoreWriter, View};

/// What can be saved of an item whose content cannot be read whole: the attachments that are lost then. None when it is not to be
/// written, because nothing can be saved or because it would take the place of a whole one.
///
/// # Errors
/// [`EseError::Io`].
pub fn what_is_lost<P: Pages + ?Sized>(
    source: &View<'_, P>,
    write: &PlannedWrite,
    is_wanted: bool,
) -> EseResult<Option<Vec<LostAttachment>>> {
    if !is_wanted || !matches!(write.kind, WriteKind::Insert { .. }) {
        return Ok(None);
    }
    match source.summer()?.lost_attachments(write.instance) {
        Ok(lost) if !lost.is_empty() => Ok(Some(lost)),
        Ok(_) => Ok(None),
        Err(error @ EseError::Io(_)) => Err(error),
        Err(_) => Ok(None),
    }
}

/// Inserts what can be read of an item.
///
/// # Errors
/// As [`StoreWriter::insert_item`].
pub fn insert_partial<P: Pages + ?Sized>(
    writer: &mut StoreWriter,
    source: &View<'_, P>,
    (maps, replicas): (&ParcelMaps, &Replicas),
    (write, folder): (&PlannedWrite, FolderId),
    lost: &[LostAttachment],
) -> EseResult<Written> {
    let item = source.item(write.source)?;
    let missing = || EseError::corrupt_bytes(format!("item {} is gone", write.source.message));
    let item = item.ok_or_else(missing)?;
    let instance = writer.copy_content_without(source, maps, write.instance, lost)?;
    let keeps = matches!(write.kind, WriteKind::Insert { keep_id: true });
    let own = if keeps { None } else { Some(writer.reserve_ids(1)?) };
    let mut new = replicas.inserted(&item, write, folder, instance, own)?;
    new.partial = true;
    writer.insert_copy(source, maps, write.source, &new, true)?;
    // The source has no sum that this one could be compared with.
    let sum = writer.view()?.content_sum(instance)?;
    let proof = ContentProof::Values(sum.crc);
    Ok(Written::new(new.id, instance, &item, write, proof).in_part())
}

/// What a report says of such an item.
pub fn reason_of(lost: &[LostAttachment]) -> String {
    let parts = lost.iter().map(|lost| format!("{}: {}", lost.name_or_number(), lost.reason));
    format!("attachments lost: {}", parts.collect::<Vec<_>>().join("; "))
}
