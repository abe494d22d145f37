//! Reading a record in place: the frame is checked once, fields are found on demand, nothing is copied.

use super::{FieldValues, HEAD_BYTES, NO_VARIABLE, Stored, TaggedFields, TaggedStyle};
use super::{broken, tagged::TaggedArea, u16_at};
use crate::ese::error::EseResult;
use crate::ese::table::column::{ColumnClass, ColumnDef, ColumnType, Fid};

/// Set in a variable column's end offset when the column is NULL.
const VARIABLE_NULL: u16 = 0x8000;
const VARIABLE_END: u16 = 0x7fff;

/// A record whose frame is sound. Byte map: the module page of `record`.
#[derive(Debug, Clone, Copy)]
pub struct RecordView<'a> {
    /// Head, fixed values, NULL bitmap.
    fixed: &'a [u8],
    null_bitmap_offset: usize,
    last_fixed: u8,
    last_variable: u8,
    variable_table: &'a [u8],
    variable_data: &'a [u8],
    tagged: TaggedArea<'a>,
}

/// Where records of a table hold an ordinary fixed column, one whose absence means NULL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FixedPlace {
    fid: Fid,
    offset: u16,
    width_bytes: usize,
}

impl FixedPlace {
    /// The place of `column`; `None` for columns of other kinds.
    #[inline]
    pub fn of(column: &ColumnDef) -> Option<Self> {
        let is_ordinary = column.fid.class() == ColumnClass::Fixed
            && column.coltyp != ColumnType::Nil
            && !column.has_default();
        let offset = column.record_offset.filter(|_| is_ordinary)?;
        Some(Self { fid: column.fid, offset, width_bytes: column.width_bytes() })
    }
}

impl<'a> RecordView<'a> {
    /// Checks the frame of a record.
    ///
    /// # Errors
    /// [`crate::ese::EseError::Corrupt`] when the head, the NULL bitmap or the variable offset table do not fit
    /// into `bytes` or contradict each other.
    pub fn parse(bytes: &'a [u8], style: TaggedStyle) -> EseResult<Self> {
        let [last_fixed, last_variable, end_low, end_high, ..] = *bytes else {
            return Err(broken(format!("a record of {} bytes has no head", bytes.len())));
        };
        if last_fixed > 127 || last_variable < NO_VARIABLE {
            return Err(broken(format!(
                "last fixed column {last_fixed} and last variable column {last_variable} are out of range"
            )));
        }
        let fixed_end = usize::from(u16::from_le_bytes([end_low, end_high]));
        let bitmap_bytes = usize::from(last_fixed).div_ceil(8);
        let null_bitmap_offset = fixed_end
            .checked_sub(bitmap_bytes)
            .filter(|offset| *offset >= HEAD_BYTES + usize::from(last_fixed))
            .ok_or_else(|| {
                broken(format!("{last_fixed} fixed columns do not end at offset {fixed_end}"))
            })?;
        let (fixed, rest) = bytes.split_at_checked(fixed_end).ok_or_else(|| {
            broken(format!("fixed columns end at {fixed_end} in a record of {}", bytes.len()))
        })?;
        let table_bytes = 2 * usize::from(last_variable - NO_VARIABLE);
        let (variable_table, rest) = rest.split_at_checked(table_bytes).ok_or_else(|| {
            broken(format!(
                "{table_bytes} bytes of variable offsets, {} left in the record",
                rest.len()
            ))
        })?;
        let tagged_offset = match table_bytes.checked_sub(2) {
            Some(last) => u16_at(variable_table, last).unwrap_or_default() & VARIABLE_END,
            None => 0,
        };
        let (variable_data, tagged) =
            rest.split_at_checked(usize::from(tagged_offset)).ok_or_else(|| {
                broken(format!(
                    "{tagged_offset} bytes of variable data, {} left in the record",
                    rest.len()
                ))
            })?;
        Ok(Self {
            fixed,
            null_bitmap_offset,
            last_fixed,
            last_variable,
            variable_table,
            variable_data,
            tagged: TaggedArea::new(tagged, style),
        })
    }

    /// Number of the last fixed column in the record, 0 = none.
    pub fn last_fixed(&self) -> u8 {
        self.last_fixed
    }

    /// Number of the last variable column in the record, 127 = none.
    pub fn last_variable(&self) -> u8 {
        self.last_variable
    }

    /// How the tagged area is laid out.
    pub(super) fn style(&self) -> TaggedStyle {
        self.tagged.style()
    }

    /// The bytes of the fixed columns.
    pub(super) fn fixed_values(&self) -> &'a [u8] {
        self.fixed.get(HEAD_BYTES..self.null_bitmap_offset).unwrap_or_default()
    }

    /// Offset behind the fixed columns.
    pub(super) fn fixed_end(&self) -> usize {
        self.null_bitmap_offset
    }

    /// A bit for each fixed column, set when it is NULL or beyond the last one.
    pub(super) fn null_bitmap(&self) -> [u8; 16] {
        let mut bitmap = [0xff; 16];
        let stored = self.fixed.get(self.null_bitmap_offset..).unwrap_or_default();
        bitmap.iter_mut().zip(stored).for_each(|(to, from)| *to = *from);
        for index in usize::from(self.last_fixed)..bitmap.len() * 8 {
            bitmap[index / 8] |= 1 << (index % 8);
        }
        bitmap
    }

    /// What the record says about `column`, whatever its class. A deleted column (type Nil) is NULL.
    ///
    /// # Errors
    /// [`crate::ese::EseError::Corrupt`], naming the column, when its bytes are broken.
    #[inline]
    pub fn get(&self, column: &ColumnDef) -> EseResult<FieldValues<'a>> {
        match self.plain(column) {
            Some(value) => {
                Ok(value.map_or(FieldValues::Null, |value| FieldValues::One(Stored::Plain(value))))
            }
            None => self.get_any(column),
        }
    }

    /// The value of an ordinary fixed or variable column, on the terms of [`Self::fixed_array`]: what most columns are asked for.
    #[inline]
    pub fn plain(&self, column: &ColumnDef) -> Option<Option<&'a [u8]>> {
        match column.fid.class() {
            ColumnClass::Fixed => self.fixed_at(FixedPlace::of(column)?),
            ColumnClass::Variable if column.coltyp != ColumnType::Nil && !column.has_default() => {
                self.variable_plain(column.fid)
            }
            ColumnClass::Variable | ColumnClass::Tagged => None,
        }
    }

    /// Any column, step by step.
    fn get_any(&self, column: &ColumnDef) -> EseResult<FieldValues<'a>> {
        if column.coltyp == ColumnType::Nil {
            return Ok(FieldValues::Null);
        }
        let found = match column.fid.class() {
            ColumnClass::Fixed => self.fixed(column),
            ColumnClass::Variable => self.variable(column.fid),
            ColumnClass::Tagged => self.tagged(column.fid, column.derived),
        };
        match found {
            Ok(Some(values)) => Ok(values),
            Ok(None) if column.has_default() => Ok(FieldValues::Default),
            Ok(None) => Ok(FieldValues::Null),
            Err(error) => Err(error.in_object(&column.name)),
        }
    }

    /// A fixed column; `None` when the record ends before it.
    fn fixed(&self, column: &ColumnDef) -> EseResult<Option<FieldValues<'a>>> {
        let fid = column.fid.0;
        if fid == 0 || fid > u16::from(self.last_fixed) {
            return Ok(None);
        }
        let bit = usize::from(fid - 1);
        let null_byte = self.fixed.get(self.null_bitmap_offset + bit / 8).copied().unwrap_or(0xff);
        if null_byte >> (bit % 8) & 1 != 0 {
            return Ok(Some(FieldValues::Null));
        }
        let offset = column
            .record_offset
            .map(usize::from)
            .filter(|offset| *offset >= HEAD_BYTES)
            .ok_or_else(|| broken("a fixed column without an offset in the record"))?;
        let end = offset.saturating_add(column.width_bytes());
        match self.fixed.get(offset..end) {
            Some(value) if end <= self.null_bitmap_offset => {
                Ok(Some(FieldValues::One(Stored::Plain(value))))
            }
            _ => Err(broken(format!(
                "fixed column at {offset}..{end}, but fixed values end at {}",
                self.null_bitmap_offset
            ))),
        }
    }

    /// The value of a fixed column of `N` bytes at a known offset, for walks over many records: `None` when it is not as simple as
    /// that and [`Self::get`] has to tell; `Some(None)` when the record has no value.
    #[inline]
    pub fn fixed_array<const N: usize>(
        &self,
        fid: Fid,
        offset: u16,
    ) -> Option<Option<&'a [u8; N]>> {
        match self.fixed_at(FixedPlace { fid, offset, width_bytes: N })? {
            Some(value) => value.first_chunk().map(Some),
            None => Some(None),
        }
    }

    /// The value of a fixed column, on the terms of [`Self::fixed_array`].
    #[inline]
    pub fn fixed_at(&self, place: FixedPlace) -> Option<Option<&'a [u8]>> {
        if place.fid.0 > u16::from(self.last_fixed) {
            return Some(None);
        }
        let bit = usize::from(place.fid.0.checked_sub(1)?);
        if self.fixed.get(self.null_bitmap_offset + bit / 8)? >> (bit % 8) & 1 != 0 {
            return Some(None);
        }
        let offset = usize::from(place.offset);
        let end = offset.checked_add(place.width_bytes)?;
        let is_inside = offset >= HEAD_BYTES && end <= self.null_bitmap_offset;
        self.fixed.get(offset..end).filter(|_| is_inside).map(Some)
    }

    /// The fixed columns in one piece, for walks over many records that are alike; `None` when there are more than it takes.
    #[inline]
    pub fn fixed_columns(&self) -> Option<FixedColumns<'a>> {
        let mut bitmap = [0xff; 8];
        let (values, stored) = self.fixed.split_at_checked(self.null_bitmap_offset)?;
        if stored.len() > bitmap.len() {
            return None;
        }
        bitmap.iter_mut().zip(stored).for_each(|(to, from)| *to = *from);
        let beyond = u64::MAX.checked_shl(u32::from(self.last_fixed)).unwrap_or(0);
        Some(FixedColumns { values, nulls: u64::from_le_bytes(bitmap) | beyond })
    }

    /// The plain values of some tagged columns, in the order of `fids`, which must be sorted: all of them in one pass, on the terms
    /// of [`Self::fixed_array`].
    #[inline]
    pub fn tagged_plain<const N: usize>(&self, fids: &[Fid; N]) -> Option<[Option<&'a [u8]>; N]> {
        self.tagged.plain(fids)
    }

    /// A variable column; `None` when the record ends before it.
    #[inline]
    fn variable(&self, fid: Fid) -> EseResult<Option<FieldValues<'a>>> {
        let index = usize::from(fid.0.saturating_sub(Fid::FIRST_VARIABLE));
        let Some(entry) = u16_at(self.variable_table, 2 * index) else {
            return Ok(None);
        };
        if entry & VARIABLE_NULL != 0 {
            return Ok(Some(FieldValues::Null));
        }
        let start = match index.checked_sub(1) {
            Some(before) => {
                u16_at(self.variable_table, 2 * before).unwrap_or_default() & VARIABLE_END
            }
            None => 0,
        };
        let value = self.variable_data.get(usize::from(start)..usize::from(entry));
        let value = value.ok_or_else(|| {
            broken(format!(
                "variable column at {start}..{entry} in {} bytes",
                self.variable_data.len()
            ))
        })?;
        Ok(Some(FieldValues::One(Stored::Plain(value))))
    }

    /// A tagged column; `None` when it is absent.
    fn tagged(&self, fid: Fid, derived: bool) -> EseResult<Option<FieldValues<'a>>> {
        match self.tagged.find(fid, derived)? {
            Some(field) => field.values().map(Some),
            None => Ok(None),
        }
    }

    /// The value of a variable column, on the terms of [`Self::fixed_array`].
    #[inline]
    pub fn variable_plain(&self, fid: Fid) -> Option<Option<&'a [u8]>> {
        let index = usize::from(fid.0.checked_sub(Fid::FIRST_VARIABLE)?);
        let Some(end) = u16_at(self.variable_table, 2 * index) else { return Some(None) };
        if end & VARIABLE_NULL != 0 {
            return Some(None);
        }
        let start = match index.checked_sub(1) {
            Some(before) => u16_at(self.variable_table, 2 * before)? & VARIABLE_END,
            None => 0,
        };
        self.variable_data.get(usize::from(start)..usize::from(end)).map(Some)
    }

    /// All tagged columns present, in stored order, also those that no definition names.
    pub fn tagged_fields(&self) -> TaggedFields<'a> {
        self.tagged.fields()
    }
}

/// The fixed columns of a record with at most 64 of them.
#[derive(Debug, Clone, Copy)]
pub struct FixedColumns<'a> {
    /// The head and the values.
    values: &'a [u8],
    /// A bit for each column, set when it is NULL or beyond the last one.
    nulls: u64,
}

impl<'a> FixedColumns<'a> {
    /// The value of the column with this number, of `N` bytes at this offset in the record, on the terms of
    /// [`RecordView::fixed_array`].
    #[inline]
    pub fn array<const N: usize>(&self, fid: Fid, offset: u16) -> Option<Option<&'a [u8; N]>> {
        let bit = u32::from(fid.0.checked_sub(1)?);
        if self.nulls.checked_shr(bit).is_none_or(|rest| rest & 1 != 0) {
            return Some(None);
        }
        let offset = usize::from(offset);
        let value = self.values.get(offset..)?.first_chunk();
        value.filter(|_| offset >= HEAD_BYTES).map(Some)
    }
}
