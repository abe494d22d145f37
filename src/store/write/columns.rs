//! Columns for the properties that another store has and this one does not (recover-semantics W7).
//!
//! A column is called by the id of its property. Ids below 0x8000 mean the same everywhere; those above are handed out by each store,
//! and its `NamedProps` says what they mean.

use std::collections::BTreeMap;

use super::StoreWriter;
use crate::ese::error::{EseError, EseResult};
use crate::ese::table::column::{ColumnDef, ColumnFlags, ColumnType};
use crate::ese::table::write::{NewColumn, Placement};
use crate::ese::txn::Pages;
use crate::mapi::{PropId, PropTag};
use crate::stm::NamedTable;
use crate::store::schema::Tables;
use crate::store::view::View;

/// The first id that a store hands out by itself.
const FIRST_NAMED_ID: PropId = PropId(0x8000);
/// Columns that one source may add: what a hostile schema costs.
const ADDED_MAX: u64 = 2000;

/// What the columns of another store are called in this one.
#[derive(Debug)]
pub(super) struct ColumnNames(BTreeMap<PropId, PropId>);

impl ColumnNames {
    /// The name; none for the id of a named property whose meaning the other store does not know itself.
    pub(super) fn of(&self, name: &str) -> Option<String> {
        match PropTag::from_column_name(name) {
            Ok(tag) if tag.id >= FIRST_NAMED_ID => {
                let id = *self.0.get(&tag.id)?;
                Some(PropTag { id, ..tag }.column_name())
            }
            _ => Some(name.to_owned()),
        }
    }
}

impl StoreWriter {
    /// Gives every named property of `source` an id here, and every column of its mail tables a counterpart, if the format has one.
    pub(super) fn adopt_columns<P: Pages + ?Sized>(
        &mut self,
        source: &View<'_, P>,
    ) -> EseResult<ColumnNames> {
        let mut ids = BTreeMap::new();
        for (id, property) in source.named_properties()? {
            ids.insert(id, self.named_property(&property)?);
        }
        let names = ColumnNames(ids);
        let tables = source.tables;
        let mut added = 0;
        for (from, pick) in [
            (&tables.contents, contents as fn(&mut Tables) -> &mut NamedTable),
            (&tables.attachments, attachments),
            (&tables.items, items),
        ] {
            for column in &from.def().columns {
                let Some(new) = counterpart(column, &names) else { continue };
                let known = pick(&mut self.tables);
                if known.def().columns.iter().any(|known| known.name == new.name) {
                    continue;
                }
                added += 1;
                if added > ADDED_MAX {
                    return Err(EseError::limit("columns to be added", added, ADDED_MAX));
                }
                self.add_property_column(pick, &new)?;
            }
        }
        Ok(names)
    }

    fn add_property_column(
        &mut self,
        pick: fn(&mut Tables) -> &mut NamedTable,
        new: &NewColumn,
    ) -> EseResult<()> {
        self.guarded(|writer| {
            let table = pick(&mut writer.tables);
            *table = NamedTable::new(writer.db.add_column(table.def(), new)?);
            Ok(())
        })
    }
}

fn contents(tables: &mut Tables) -> &mut NamedTable {
    &mut tables.contents
}

fn attachments(tables: &mut Tables) -> &mut NamedTable {
    &mut tables.attachments
}

fn items(tables: &mut Tables) -> &mut NamedTable {
    &mut tables.items
}

/// The column that would hold the same here; none for one that is no property, or of a type that is not written.
fn counterpart(column: &ColumnDef, names: &ColumnNames) -> Option<NewColumn> {
    PropTag::from_column_name(&column.name).ok()?;
    let is_unknown =
        matches!(column.coltyp, ColumnType::Nil | ColumnType::Slv | ColumnType::UnsignedLongLong);
    let is_written =
        !is_unknown && (!column.coltyp.is_text() || [1200, 1252].contains(&column.code_page));
    let new = NewColumn::new(&names.of(&column.name)?, column.coltyp)
        .placed(Placement::Tagged)
        .bytes(if column.coltyp.is_long_value() { 0 } else { column.max_bytes })
        .encoded(column.code_page)
        .flagged(column.flags & ColumnFlags::MULTI_VALUED);
    is_written.then_some(new)
}
