//! Names that are local to a store: short ids of replicas, ids of named properties.

use crate::ese::error::{EseError, EseResult, Refusal};
use crate::ese::table::write::DatabaseWriter;
use crate::mapi::{NamedProperty, PropId, PropName, ReplGuid, ReplId, to_utf16le};
use crate::stm::Draft;

use super::StoreWriter;
use crate::store::scan::{self, IndexScan};
use crate::store::schema::{Tables, columns as col};

/// First id of a named property that the store hands out; 0x9000 is taken by the categories.
const FIRST_NAMED_ID: i32 = 0x8000;
/// Last id of a named property.
const LAST_NAMED_ID: i32 = 0xfffe;

/// Stores what a replica is called.
pub(super) fn put_replica(
    tables: &Tables,
    db: &mut DatabaseWriter,
    id: ReplId,
    guid: ReplGuid,
) -> EseResult<()> {
    let mut draft = Draft::new(&tables.replicas);
    draft
        .i32(col::REPLICA_ID, id.0.into())
        .bytes(col::REPLICA_GUID, guid.as_bytes().to_vec())
        .i32(col::REPLICA_FLAGS, 0);
    draft.insert(db)?;
    Ok(())
}

/// Stores the id of a named property.
pub(super) fn put_named(
    tables: &Tables,
    db: &mut DatabaseWriter,
    id: u16,
    property: &NamedProperty,
) -> EseResult<()> {
    let mut draft = Draft::new(&tables.named);
    draft
        .i32(col::PROPERTY_ID, id.into())
        .bytes(col::PROPERTY_SET, property.set.as_bytes().to_vec())
        .bytes(col::PROPERTY_HASH, property.hash().to_vec());
    match &property.name {
        PropName::Number(number) => {
            draft.i32(col::PROPERTY_KIND, 0).i32(col::PROPERTY_NUMBER, number.cast_signed());
        }
        PropName::Text(text) => {
            draft.i32(col::PROPERTY_KIND, 1).bytes(col::PROPERTY_TEXT, to_utf16le(text));
        }
    }
    draft.insert(db)?;
    Ok(())
}

impl StoreWriter {
    /// What a replica is called in ids of this store; it gets a name when it has none.
    ///
    /// # Errors
    /// [`EseError::Limit`] when all 65,535 names are taken.
    pub fn replica_id(&mut self, guid: ReplGuid) -> EseResult<ReplId> {
        let known = self.look().replicas()?;
        if let Some((id, _)) = known.iter().find(|(_, known)| *known == guid) {
            return Ok(*id);
        }
        let last = known.iter().map(|(id, _)| id.0).max().unwrap_or(0);
        let next = last.checked_add(1).map(ReplId);
        let next = next.ok_or(EseError::limit("replica id", 0x1_0000, 0xffff))?;
        self.guarded(|writer| put_replica(&writer.tables, &mut writer.db, next, guid))?;
        Ok(next)
    }

    /// The id of a named property in this store; it gets one when it has none.
    ///
    /// # Errors
    /// [`EseError::Limit`] when all ids are taken; [`Refusal::BadRequest`] when the stored id makes no sense.
    pub fn named_property(&mut self, property: &NamedProperty) -> EseResult<PropId> {
        let table = &self.tables.named;
        let pages = self.db.forest().pager();
        let prefix = table.index_key("NamedPropsHash", &[Some(&property.hash())])?;
        if let Some(key) = IndexScan::new(pages, table, "NamedPropsHash", prefix)?.next()? {
            let id = scan::row(pages, table, &key, |fields| fields.i32(col::PROPERTY_ID))?;
            let id = id.and_then(|id| u16::try_from(id).ok()).map(PropId);
            let wrong = || self.refused(Refusal::BadRequest, "a named property without an id");
            return id.ok_or_else(wrong);
        }
        let mut next = FIRST_NAMED_ID;
        scan::rows(pages, table, &[], &mut |fields| {
            let id = fields?.i32(col::PROPERTY_ID)?;
            // Ids come in order: the first gap is the next id.
            next += i32::from(id == next);
            Ok(())
        })?;
        let limit = LAST_NAMED_ID as u64;
        let id = u16::try_from(next).ok().filter(|_| next <= LAST_NAMED_ID);
        let id = id.ok_or(EseError::limit("named property", limit + 1, limit))?;
        self.guarded(|writer| put_named(&writer.tables, &mut writer.db, id, property))?;
        Ok(PropId(id))
    }
}
