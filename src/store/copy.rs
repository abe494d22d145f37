//! Copying a row of one store into a table of another, column by column, whatever the columns mean.
//!
//! Columns have the same name in both stores, save those of named properties, whose ids each store hands out by itself
//! (recover-semantics W7). Values are copied as they are stored; only ids and places are set anew by the caller.

use crate::ese::error::{EseError, EseResult};
use crate::ese::table::column::{ColumnDef, ColumnFlags, Lid};
use crate::ese::table::compress::decompress;
use crate::ese::table::database::Table;
use crate::ese::table::long_value::LvReader;
use crate::ese::table::record::{FieldValues, Rewrite, Stored};
use crate::ese::table::rows::Row;
use crate::ese::table::write::record_bounds;
use crate::ese::txn::Pages;
use crate::mapi::InstanceId;
use crate::stm::{Cell, Draft, NamedTable, SlvInfo};

use super::scan::VALUE_CAP_BYTES;
use super::schema::columns as col;

/// Which column of the target each column of the source goes to.
#[derive(Debug, Clone)]
pub struct RowMap {
    /// For each column of the source, the place of its column in the target.
    to: Vec<Option<usize>>,
    /// Columns of the source that the target does not have.
    left: Vec<String>,
    /// How whole records are copied, where both tables are so much alike.
    rewrite: Option<Rewrite>,
}

impl RowMap {
    /// The map between two tables; `name_of` gives a source column's name in the target, none for a column without a meaning there.
    pub fn new(
        source: &NamedTable,
        target: &NamedTable,
        name_of: &dyn Fn(&str) -> Option<String>,
    ) -> Self {
        let mut to = Vec::with_capacity(source.def().columns.len());
        let mut left = Vec::new();
        for column in &source.def().columns {
            let name = name_of(&column.name);
            let fits =
                |other: &ColumnDef| name.as_ref() == Some(&other.name) && can_hold(other, column);
            let found = target.def().columns.iter().position(fits);
            if found.is_none() {
                left.push(column.name.clone());
            }
            to.push(found);
        }
        let bounds = record_bounds(target.def());
        let rewrite = Rewrite::new(&source.def().columns, &target.def().columns, &to, bounds);
        Self { to, left, rewrite }
    }

    /// How whole records are copied, where both tables are so much alike.
    pub fn rewrite(&self) -> Option<&Rewrite> {
        self.rewrite.as_ref()
    }

    /// Columns of the source that the target does not have: what stands in them is not copied.
    pub fn left(&self) -> &[String] {
        &self.left
    }

    /// Puts the values of `row` into `draft`. Single long values are handed to `copy`, which answers what is put in their place.
    ///
    /// # Errors
    /// [`EseError::Corrupt`] for a broken row; [`EseError::Unsupported`] for an encrypted value; what `copy` reports.
    pub fn fill<'r, P: Pages + ?Sized>(
        &self,
        source: &NamedTable,
        row: &Row<'r>,
        values: &LvReader<'_, P>,
        copy: &mut dyn FnMut(Lid) -> EseResult<Cell<'r>>,
        draft: &mut Draft<'_, 'r>,
    ) -> EseResult<()> {
        source.each_value(row, &mut |at, column, found| {
            let Some(place) = self.to.get(at).copied().flatten() else { return Ok(()) };
            let cell = match found {
                FieldValues::Null | FieldValues::Default => return Ok(()),
                FieldValues::One(Stored::Separated(lid)) => copy(lid)?,
                FieldValues::One(stored) => Cell::One(plain(column, stored, values)?),
                many @ FieldValues::Many(_) => {
                    let plain = many.iter().map(|stored| plain(column, stored?, values));
                    Cell::Many(plain.collect::<EseResult<_>>()?)
                }
            };
            draft.set_at(place, cell);
            Ok(())
        })
    }
}

/// Whether every value of `from` may stand in `to`.
fn can_hold(to: &ColumnDef, from: &ColumnDef) -> bool {
    let is_multi = |column: &ColumnDef| column.flags.contains(ColumnFlags::MULTI_VALUED);
    let is_fixed = |column: &ColumnDef| column.record_offset.is_some();
    let has_width = |column: &ColumnDef| column.coltyp.fixed_width_bytes().is_some();
    let fits_length = if is_fixed(to) && !has_width(to) {
        is_fixed(from) && from.max_bytes == to.max_bytes
    } else {
        to.max_bytes == 0 || from.max_bytes != 0 && from.max_bytes <= to.max_bytes
    };
    to.coltyp == from.coltyp && fits_length && (is_multi(to) || !is_multi(from))
}

fn plain<'r, P: Pages + ?Sized>(
    column: &ColumnDef,
    stored: Stored<'r>,
    values: &LvReader<'_, P>,
) -> EseResult<std::borrow::Cow<'r, [u8]>> {
    match stored {
        Stored::Plain(bytes) => Ok(bytes.into()),
        Stored::Compressed(bytes) => {
            let mut value = Vec::new();
            decompress(bytes, u16::MAX.into(), &mut value)?;
            Ok(value.into())
        }
        Stored::Separated(lid) => Ok(values.read_to_vec(lid, VALUE_CAP_BYTES)?.into()),
        Stored::Encrypted(_) => {
            Err(EseError::unsupported("copying an encrypted value").in_object(&column.name))
        }
    }
}

/// Reads all values of a row that do not simply stand in it.
///
/// # Errors
/// [`EseError::Corrupt`] for the first that cannot be read; [`EseError::Unsupported`] for an encrypted one.
pub(crate) fn check_values<P: Pages + ?Sized>(
    pages: &P,
    table: &NamedTable,
    row: &Row<'_>,
) -> EseResult<()> {
    let values = LvReader::new(pages, table.def());
    table.each_value(row, &mut |_, column, found| {
        for stored in found.iter() {
            match stored? {
                Stored::Plain(_) => {}
                Stored::Separated(lid) => drop(values.read(lid, &mut |_| ())?),
                stored => drop(plain(column, stored, &values)?),
            }
        }
        Ok(())
    })
}

/// Reads the row with this primary key and gives it to `visit`, with the reader of its long values; `None` when there is none.
pub(crate) fn with_row<P: Pages + ?Sized, T>(
    pages: &P,
    table: &NamedTable,
    key: &[u8],
    visit: impl FnOnce(&Row<'_>, &LvReader<'_, P>) -> EseResult<T>,
) -> EseResult<Option<T>> {
    let opened = Table::new(pages, table.def());
    let long_values = opened.long_values();
    let mut rows = opened.rows();
    if !rows.find(key)? {
        return Ok(None);
    }
    match rows.row()? {
        Some(row) => visit(&row, &long_values).map(Some),
        None => Ok(None),
    }
}

/// Mails inside mails that are followed.
const DEPTH_MAX: usize = 32;

/// Refuses to follow mails inside mails for ever.
pub(crate) fn check_depth(instance: InstanceId, depth: usize) -> EseResult<()> {
    if depth <= DEPTH_MAX {
        return Ok(());
    }
    let reason = format!("mails inside mails, more than {DEPTH_MAX} deep: a cycle");
    Err(EseError::corrupt_bytes(reason).in_object(format!("content {instance}")))
}

/// Rows that one content may consist of: mails that hold the same mails again and again grow beyond any bound.
const ROWS_MAX: u32 = 100_000;

/// Refuses a content with more rows of contents and attachments than can be meant.
pub(crate) fn check_rows(instance: InstanceId, rows: u32) -> EseResult<()> {
    if rows <= ROWS_MAX {
        return Ok(());
    }
    let error = EseError::limit("rows of a content", rows.into(), ROWS_MAX.into());
    Err(error.in_object(format!("content {instance}")))
}

/// Gives the copy of a content row what is its own: id, references (live and soft), places of its stream and attachments. Nothing
/// of that may come from the source's row, whatever a damaged catalog calls its columns.
pub(crate) fn own_content(
    draft: &mut Draft<'_, '_>,
    new: InstanceId,
    (live, soft): (i32, i32),
    stream: Option<&SlvInfo>,
    attachments: &[InstanceId],
) {
    let ids = attachments.iter().map(|id| id.to_store().to_vec().into());
    let ids = if attachments.is_empty() { Cell::Null } else { Cell::Many(ids.collect()) };
    draft
        .copied(col::INSTANCE, &new.to_store())
        .i32(col::REFERENCES, live)
        .i32(col::SOFT_REFERENCES, soft)
        .set(col::STREAM, one(stream.map(SlvInfo::encode)))
        .set(col::ATTACHMENTS, ids);
}

/// Gives the copy of an attachment row what is its own, and nothing of that from the source's.
pub(crate) fn own_attachment(
    draft: &mut Draft<'_, '_>,
    new: InstanceId,
    embedded: Option<InstanceId>,
    stream: Option<&SlvInfo>,
) {
    draft
        .copied(col::ATTACHMENT, &new.to_store())
        .i32(col::ATTACHMENT_REFERENCES, 1)
        .i32(col::ATTACHMENT_SOFT_REFERENCES, 0)
        .set(col::EMBEDDED, one(embedded.map(|embedded| embedded.to_store().to_vec())))
        .set(col::DATA_STREAM, one(stream.map(SlvInfo::encode)));
}

fn one(value: Option<Vec<u8>>) -> Cell<'static> {
    value.map_or(Cell::Null, |value| Cell::One(value.into()))
}

/// Empties the columns of an item's copy that have a value of its own there, or none.
pub(crate) fn clear_own(draft: &mut Draft<'_, '_>) {
    for own in [col::READ_CHANGE, col::CHANGE_KEY, col::PCL, col::SOURCE_KEY, col::DELETED_ON] {
        draft.set(own, Cell::Null);
    }
}
