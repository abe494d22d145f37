//! Where columns stand in records, found out once for walks over many rows of one table.
//!
//! Answers only what is as simple as it mostly is: a plain value where this program puts it. Whoever gets nothing asks for the columns
//! one by one, which tells what is there, or what is wrong.

use crate::ese::table::column::{ColumnClass, ColumnDef, ColumnType, Fid};
use crate::ese::table::record::{FixedColumns, RecordView};

/// A fixed column of `N` bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct FixedSlot<const N: usize> {
    fid: Fid,
    offset_bytes: u16,
}

impl<const N: usize> FixedSlot<N> {
    /// The place of a column; none for one of another kind or width, or with a default.
    pub(super) fn of(column: &ColumnDef) -> Option<Self> {
        let is_plain = column.fid.class() == ColumnClass::Fixed
            && column.coltyp != ColumnType::Nil
            && column.width_bytes() == N
            && !column.has_default();
        let offset_bytes = column.record_offset.filter(|_| is_plain)?;
        Some(Self { fid: column.fid, offset_bytes })
    }

    /// The value in a record: `None` where it is not simple, `Some(None)` for NULL.
    #[inline]
    pub(super) fn read<'r>(&self, columns: &FixedColumns<'r>) -> Option<Option<&'r [u8; N]>> {
        columns.array(self.fid, self.offset_bytes)
    }
}

/// Some tagged columns, read in one pass.
#[derive(Debug, Clone, Copy)]
pub(super) struct TaggedPlaces<const N: usize> {
    /// Their numbers, sorted.
    fids: [Fid; N],
    /// Which of `fids` each of them is, in the order in which they were named.
    order: [usize; N],
}

impl<const N: usize> TaggedPlaces<N> {
    /// The places of these columns; none when one is no tagged column of the table itself, or has a default.
    pub(super) fn of(columns: [&ColumnDef; N]) -> Option<Self> {
        let is_plain = |column: &&ColumnDef| {
            column.fid.class() == ColumnClass::Tagged
                && column.coltyp != ColumnType::Nil
                && !column.derived
                && !column.has_default()
        };
        if !columns.iter().all(is_plain) {
            return None;
        }
        let named = columns.map(|column| column.fid);
        let mut fids = named;
        fids.sort_unstable();
        let order = named.map(|fid| fids.iter().position(|other| *other == fid).unwrap_or(0));
        Some(Self { fids, order })
    }

    /// The values in a record, in the order in which the columns were named: `None` where one is not simple.
    #[inline]
    pub(super) fn read<'r>(&self, record: &RecordView<'r>) -> Option<[Option<&'r [u8]>; N]> {
        let found = record.tagged_plain(&self.fids)?;
        Some(self.order.map(|at| found.get(at).copied().flatten()))
    }
}
