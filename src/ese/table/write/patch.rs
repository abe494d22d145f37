//! Changing a number of a record where it stands, instead of building the record anew.
//!
//! Counters are the most frequent change there is, and fixed columns have their place in every record that holds them. Nothing
//! else of the row moves, so neither its keys nor its long values need a look.

use super::row::FieldValue;
use crate::ese::error::EseResult;
use crate::ese::page::PageSize;
use crate::ese::table::column::{ColumnDef, ColumnType};
use crate::ese::table::key::IndexDef;
use crate::ese::table::record::{FieldValues, RecordView, Stored, TaggedStyle};
use crate::ese::table::schema::TableDef;

/// The record with these columns changed; none when that takes more than writing numbers over numbers: a column that is NULL or
/// becomes NULL, that is no integer of fixed place, or that an index is over.
///
/// # Errors
/// [`crate::ese::EseError::Corrupt`] when the record does not decode.
pub fn patched(
    table: &TableDef,
    record: &[u8],
    changes: &[(usize, FieldValue<'_>)],
) -> EseResult<Option<Vec<u8>>> {
    let view = RecordView::parse(record, TaggedStyle::of_page(PageSize::KIB4, true))?;
    let mut patched = None;
    for (at, value) in changes {
        let (Some(column), FieldValue::Bytes(new)) = (table.columns.get(*at), value) else {
            return Ok(None);
        };
        let Some(offset) = place_of(table, column) else { return Ok(None) };
        let FieldValues::One(Stored::Plain(old)) = view.get(column)? else { return Ok(None) };
        if old.len() != new.len() {
            return Ok(None);
        }
        let patched: &mut Vec<u8> = patched.get_or_insert_with(|| record.to_vec());
        let Some(slot) = patched.get_mut(offset..offset + new.len()) else { return Ok(None) };
        slot.copy_from_slice(new);
    }
    Ok(patched)
}

/// Where an integer column without an index stands in every record that holds it, in bytes.
fn place_of(table: &TableDef, column: &ColumnDef) -> Option<usize> {
    let is_integer = matches!(column.coltyp, ColumnType::Long | ColumnType::Currency);
    let is_in = |index: &IndexDef| {
        let segments = index.segments.iter().map(|segment| segment.fid);
        segments
            .chain(index.conditions.iter().map(|condition| condition.fid))
            .any(|fid| fid == column.fid)
    };
    let is_indexed = table.primary.iter().chain(&table.indexes).any(is_in);
    column.record_offset.filter(|_| is_integer && !is_indexed).map(usize::from)
}
