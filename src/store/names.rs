//! Names that are local to a store, read: short ids of replicas, ids of named properties.

use crate::ese::error::EseResult;
use crate::ese::txn::Pages;
use crate::mapi::{NamedProperty, PropId, PropName, PropertySetGuid, ReplGuid, ReplId};

use super::codec::Ids;
use super::scan;
use super::schema::columns as col;
use super::view::View;

impl<P: Pages + ?Sized> View<'_, P> {
    /// The replicas whose ids the store knows by short names.
    ///
    /// # Errors
    /// [`crate::ese::EseError::Corrupt`], [`crate::ese::EseError::Io`].
    pub fn replicas(&self) -> EseResult<Vec<(ReplId, ReplGuid)>> {
        let mut found = Vec::new();
        scan::rows(self.pages, &self.tables.replicas, &[], &mut |fields| {
            let fields = fields?;
            let id = fields.i32(col::REPLICA_ID)?;
            let id = u16::try_from(id)
                .map_err(|_| fields.corrupt(col::REPLICA_ID, format!("{id} is no replica id")))?;
            found.push((ReplId(id), ReplGuid(fields.guid(col::REPLICA_GUID)?)));
            Ok(())
        })?;
        Ok(found)
    }

    /// The named properties, with the id that each has in this store.
    ///
    /// # Errors
    /// [`crate::ese::EseError::Corrupt`], [`crate::ese::EseError::Io`].
    pub fn named_properties(&self) -> EseResult<Vec<(PropId, NamedProperty)>> {
        let mut found = Vec::new();
        scan::rows(self.pages, &self.tables.named, &[], &mut |fields| {
            let fields = fields?;
            let id = fields.i32(col::PROPERTY_ID)?;
            let id = u16::try_from(id)
                .map_err(|_| fields.corrupt(col::PROPERTY_ID, format!("{id} is no property id")))?;
            let name = match fields.i32(col::PROPERTY_KIND)? {
                0 => PropName::Number(fields.i32(col::PROPERTY_NUMBER)?.cast_unsigned()),
                _ => PropName::Text(fields.text(col::PROPERTY_TEXT)?),
            };
            let set = PropertySetGuid(fields.guid(col::PROPERTY_SET)?);
            found.push((PropId(id), NamedProperty { set, name }));
            Ok(())
        })?;
        Ok(found)
    }
}
