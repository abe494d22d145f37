//! A record made from one of a table with the same columns: what is not set anew is copied as it is stored, without being decoded.
//!
//! For copying rows by the million. What is not as simple as that is refused before anything is written, and goes the long way, value by
//! value ([`super::encode_record`]); both ways give the same bytes.

use super::encode::{Encoder, TaggedWriting, single};
use super::tagged::{TaggedField, header};
use super::{FieldInput, HEAD_BYTES, NO_VARIABLE, RecordView, Stored, TaggedStyle};
use crate::ese::error::{EseError, EseResult};
use crate::ese::table::column::{ColumnClass, ColumnDef, ColumnFlags, ColumnType, Fid, Lid};

/// Most variable columns of a table that is rewritten.
const VARIABLE_MAX: usize = 16;

/// How records of one table become records of another.
#[derive(Debug, Clone)]
pub struct Rewrite {
    /// Offset behind each fixed column of the target, from the start of the record.
    fixed_ends: Vec<u16>,
    /// Offsets of fixed columns of type Bit.
    bits: Vec<u16>,
    /// Fixed columns that a source record may have.
    source_fixed: usize,
    /// Place of the first tagged column in the target.
    tagged_from: usize,
    /// What becomes of tagged columns, by their numbers from the first on.
    fates: Vec<Fate>,
    /// Places of columns that must not be NULL.
    needed: Vec<usize>,
    /// Longest value of a long type that stays in a record, in bytes.
    intrinsic_bytes: usize,
    /// Longest record in bytes.
    limit_bytes: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// The target does not have it.
    Dropped,
    /// It has the same number and type: one of long values or not, and the bytes of a value where all have as many.
    Kept { is_long: bool, width_bytes: Option<usize> },
    /// It has another number.
    Moved,
}

/// New values of some columns, by their places in the target's table, in ascending order.
pub type OwnValues<'v> = [(usize, FieldInput<'v>)];

impl Rewrite {
    /// The way from `source` to `target`, both in the order of their numbers; `to` gives for each column of the source its place in the
    /// target. None when the fixed and variable columns of both differ, or have defaults.
    pub fn new(
        source: &[ColumnDef],
        target: &[ColumnDef],
        to: &[Option<usize>],
        (intrinsic_bytes, limit_bytes): (usize, usize),
    ) -> Option<Self> {
        let is_plain = |column: &ColumnDef| {
            !column.derived && !column.has_default() && column.coltyp != ColumnType::Nil
        };
        if !source.iter().chain(target).all(is_plain) {
            return None;
        }
        let of_class = |columns: &[ColumnDef], class: ColumnClass| {
            columns.partition_point(|column| column.fid.class() < class)
        };
        let variable_from = of_class(target, ColumnClass::Variable);
        let tagged_from = of_class(target, ColumnClass::Tagged);
        let source_fixed = of_class(source, ColumnClass::Variable);
        let mut fixed_ends = Vec::with_capacity(variable_from);
        for (number, column) in (1..).zip(target.get(..variable_from)?) {
            let end = usize::from(column.record_offset?) + column.width_bytes();
            (column.fid == Fid(number)).then_some(())?;
            fixed_ends.push(u16::try_from(end).ok()?);
        }
        let mut fates = Vec::new();
        for (at, column) in source.iter().enumerate() {
            let place = to.get(at).copied().flatten();
            let same = place.and_then(|place| target.get(place)).filter(|other| {
                other.fid == column.fid
                    && other.coltyp == column.coltyp
                    && other.record_offset == column.record_offset
                    && (column.record_offset.is_none() || other.max_bytes == column.max_bytes)
            });
            let Some(number) = column.fid.0.checked_sub(Fid::FIRST_TAGGED) else {
                same?;
                continue;
            };
            let number = usize::from(number);
            fates.resize(fates.len().max(number + 1), Fate::Dropped);
            fates[number] = match (same, place) {
                (Some(column), _) => Fate::Kept {
                    is_long: column.coltyp.is_long_value(),
                    width_bytes: column.coltyp.fixed_width_bytes(),
                },
                (None, Some(_)) => Fate::Moved,
                (None, None) => Fate::Dropped,
            };
        }
        let is_bit = |column: &&ColumnDef| column.coltyp == ColumnType::Bit;
        let bits = target.get(..variable_from)?.iter().filter(is_bit);
        let is_needed = |(place, column): (usize, &ColumnDef)| {
            column.flags.contains(ColumnFlags::NOT_NULL).then_some(place)
        };
        (tagged_from - variable_from <= VARIABLE_MAX).then(|| Self {
            bits: bits.filter_map(|column| column.record_offset).collect(),
            fixed_ends,
            source_fixed,
            tagged_from,
            fates,
            needed: target.iter().enumerate().filter_map(is_needed).collect(),
            intrinsic_bytes,
            limit_bytes,
        })
    }

    /// Makes a record of the table `columns`, the target, from `source` and `own`, and appends it to `out`. Numbers of long values are
    /// exchanged by `copy`. Answers false, and leaves `out` as it was, when the long way must be gone; `copy` may have been called then.
    ///
    /// # Errors
    /// What `copy` reports; [`crate::ese::EseError::Refused`] when a new value does not fit its column.
    pub fn record(
        &self,
        columns: &[ColumnDef],
        source: &RecordView<'_>,
        own: &OwnValues<'_>,
        copy: &mut dyn FnMut(Lid) -> EseResult<Lid>,
        out: &mut Vec<u8>,
    ) -> EseResult<bool> {
        let start = out.len();
        let written = match self.kept_fields(columns, source, own) {
            Some(kept) => self.write(columns, source, (own, kept), copy, out),
            None => Ok(None),
        };
        let is_done = matches!(written, Ok(Some(())));
        if !is_done {
            out.truncate(start);
        }
        match written {
            // What is too long goes the long way too: that moves values out of the record.
            Ok(_) | Err(EseError::Limit { .. }) => Ok(is_done),
            Err(error) => Err(error),
        }
    }

    /// How many tagged columns of the source stay; none when a part of its record that stays is not stored as this program stores it,
    /// or a new value does not fit.
    fn kept_fields(
        &self,
        columns: &[ColumnDef],
        source: &RecordView<'_>,
        own: &OwnValues<'_>,
    ) -> Option<usize> {
        let last_fixed = usize::from(source.last_fixed());
        let is_framed = source.style() == TaggedStyle::Small
            && last_fixed <= self.source_fixed
            && source.fixed_end() == self.fixed_end(last_fixed);
        let fits = |(place, input): &(usize, FieldInput<'_>)| {
            let Some(column) = columns.get(*place) else { return false };
            let is_long = column.coltyp.is_long_value();
            match input {
                FieldInput::One(Stored::Plain(value)) => {
                    !is_long || value.len() <= self.intrinsic_bytes
                }
                FieldInput::Many(_) => *place >= self.tagged_from && !is_long,
                FieldInput::Null => true,
                FieldInput::Default | FieldInput::One(_) => false,
            }
        };
        let has = |place: &usize| {
            let found = own.binary_search_by_key(place, |(place, _)| *place).ok();
            found.is_some_and(|at| own.get(at).is_some_and(|(_, input)| *input != FieldInput::Null))
        };
        if !is_framed || !own.iter().all(fits) || !self.needed.iter().all(has) {
            return None;
        }
        let mut own = OwnTagged::new(columns, self.tagged_of(own));
        let (mut kept, mut before) = (0, None);
        for field in source.tagged_fields() {
            // Out of order they are found by some readers and not by others: none of that is handed on.
            let field = field.ok().filter(|field| before < Some(field.fid))?;
            before = Some(field.fid);
            if !self.may_stay(&field) {
                return None;
            }
            while own.next_before(field.fid).is_some() {}
            kept += usize::from(self.stays(&field, &own));
        }
        Some(kept)
    }

    /// The new values of tagged columns.
    fn tagged_of<'o, 'v>(&self, own: &'o OwnValues<'v>) -> &'o OwnValues<'v> {
        let from = own.partition_point(|(place, _)| *place < self.tagged_from);
        own.get(from..).unwrap_or_default()
    }

    /// Whether a field of the source goes into the copy; `own` are the new values from this field on.
    #[inline]
    fn stays(&self, field: &TaggedField<'_>, own: &OwnTagged<'_, '_>) -> bool {
        !field.is_null()
            && matches!(self.fate(field.fid), Fate::Kept { .. })
            && !own.is_next(field.fid)
    }

    fn fate(&self, fid: Fid) -> Fate {
        let number = fid.0.checked_sub(Fid::FIRST_TAGGED).map(usize::from);
        number.and_then(|number| self.fates.get(number).copied()).unwrap_or(Fate::Dropped)
    }

    fn may_stay(&self, field: &TaggedField<'_>) -> bool {
        match self.fate(field.fid) {
            _ if field.derived => false,
            Fate::Dropped => true,
            Fate::Moved => false,
            Fate::Kept { is_long, width_bytes } => {
                field.is_as_written(is_long, width_bytes, self.intrinsic_bytes)
            }
        }
    }

    fn fixed_end(&self, count: usize) -> usize {
        let before = count.checked_sub(1);
        before.map_or(HEAD_BYTES, |last| self.fixed_ends.get(last).map_or(0, |end| (*end).into()))
    }

    fn write(
        &self,
        columns: &[ColumnDef],
        source: &RecordView<'_>,
        (own, kept): (&OwnValues<'_>, usize),
        copy: &mut dyn FnMut(Lid) -> EseResult<Lid>,
        out: &mut Vec<u8>,
    ) -> EseResult<Option<()>> {
        let start = out.len();
        let own_tagged = self.tagged_of(own);
        let (own_untagged, _) = own.split_at(own.len() - own_tagged.len());
        let of_fixed = own_untagged.partition_point(|(place, _)| *place < self.fixed_ends.len());
        let (own_fixed, own_variable) = own_untagged.split_at(of_fixed);
        if !self.write_fixed(columns, source, own_fixed, out)? {
            return Ok(None);
        }
        let mut encoder = Encoder::continued(out, start);
        if !self.write_variable(columns, source, own_variable, &mut encoder)? {
            return Ok(None);
        }
        self.write_tagged(columns, source, (own_tagged, kept), copy, &mut encoder)?;
        Ok((out.len() - start <= self.limit_bytes).then_some(()))
    }

    /// Head and fixed columns; false when a new value is not as wide as its column.
    fn write_fixed(
        &self,
        columns: &[ColumnDef],
        source: &RecordView<'_>,
        own: &OwnValues<'_>,
        out: &mut Vec<u8>,
    ) -> EseResult<bool> {
        let start = out.len();
        let last = usize::from(source.last_fixed());
        let mut nulls = source.null_bitmap();
        out.extend_from_slice(&[0; HEAD_BYTES]);
        out.extend_from_slice(source.fixed_values());
        out.resize(start + self.fixed_end(self.fixed_ends.len()), 0);
        let (_, record) = out.split_at_mut(start);
        let place_of = |index: usize| self.fixed_end(index)..self.fixed_end(index + 1);
        for index in (0..last).filter(|index| is_set(&nulls, *index)) {
            record[place_of(index)].fill(0);
        }
        for offset in &self.bits {
            let byte = &mut record[usize::from(*offset)];
            *byte = if *byte == 0 { 0 } else { 0xff };
        }
        for (place, input) in own {
            let (Some(column), range) = (columns.get(*place), place_of(*place)) else {
                return Ok(false);
            };
            match single(column, input)? {
                Some(value) if value.len() == range.len() && column.coltyp != ColumnType::Bit => {
                    record[range].copy_from_slice(value);
                    nulls[place / 8] &= !(1 << (place % 8));
                }
                Some([byte]) if column.coltyp == ColumnType::Bit => {
                    record[range].fill(if *byte == 0 { 0 } else { 0xff });
                    nulls[place / 8] &= !(1 << (place % 8));
                }
                Some(_) => return Ok(false),
                None => {
                    record[range].fill(0);
                    nulls[place / 8] |= 1 << (place % 8);
                }
            }
        }
        let is_stored = |index: &usize| !is_set(&nulls, *index);
        let count = (0..self.fixed_ends.len()).rev().find(is_stored).map_or(0, |last| last + 1);
        out.truncate(start + self.fixed_end(count));
        out.extend_from_slice(&nulls[..count.div_ceil(8)]);
        let end = (out.len() - start) as u16;
        let [low, high] = end.to_le_bytes();
        out[start..start + HEAD_BYTES].copy_from_slice(&[count as u8, NO_VARIABLE, low, high]);
        Ok(true)
    }

    /// Variable columns; false when one of the source's is not a plain value.
    fn write_variable(
        &self,
        columns: &[ColumnDef],
        source: &RecordView<'_>,
        own: &OwnValues<'_>,
        encoder: &mut Encoder<'_>,
    ) -> EseResult<bool> {
        let from = self.fixed_ends.len();
        let variable = columns.get(from..self.tagged_from).unwrap_or_default();
        let mut values = [FieldInput::Null; VARIABLE_MAX];
        for (column, value) in variable.iter().zip(&mut values) {
            match source.variable_plain(column.fid) {
                Some(Some(plain)) => *value = FieldInput::One(Stored::Plain(plain)),
                Some(None) => {}
                None => return Ok(false),
            }
        }
        for (place, input) in own {
            if let Some(value) = values.get_mut(place - from) {
                *value = *input;
            }
        }
        let is_stored = |value: &FieldInput<'_>| *value != FieldInput::Null;
        let count = values.iter().rposition(is_stored).map_or(0, |last| last + 1);
        encoder.set_last_variable(NO_VARIABLE + count as u8);
        encoder.variable(&variable[..count], &values[..count])?;
        Ok(true)
    }

    /// Tagged columns, old and new ones merged in the order of their numbers.
    fn write_tagged(
        &self,
        columns: &[ColumnDef],
        source: &RecordView<'_>,
        (own, kept): (&OwnValues<'_>, usize),
        copy: &mut dyn FnMut(Lid) -> EseResult<Lid>,
        encoder: &mut Encoder<'_>,
    ) -> EseResult<()> {
        let is_new = |(_, input): &&(usize, FieldInput<'_>)| *input != FieldInput::Null;
        let mut area = encoder.begin_tagged(kept + own.iter().filter(is_new).count());
        let mut own = OwnTagged::new(columns, own);
        // All were seen to be sound before.
        for field in source.tagged_fields().flatten() {
            while let Some(new) = own.next_before(field.fid) {
                write_own(encoder, &mut area, new)?;
            }
            if self.stays(&field, &own) {
                encoder.tagged_as_stored(&mut area, &field, copy)?;
            }
        }
        while let Some(new) = own.next() {
            write_own(encoder, &mut area, new)?;
        }
        Ok(())
    }
}

/// A new value of a tagged column. NULL is told by no entry.
fn write_own(
    encoder: &mut Encoder<'_>,
    area: &mut TaggedWriting,
    (column, input): (&ColumnDef, &FieldInput<'_>),
) -> EseResult<()> {
    match input {
        FieldInput::Null => Ok(()),
        input => encoder.tagged_column(area, column, input),
    }
}

/// The new values of tagged columns, taken one after another in the order of the columns' numbers.
struct OwnTagged<'o, 'v> {
    columns: &'o [ColumnDef],
    left: &'o OwnValues<'v>,
    /// The column of the first one that is left.
    ahead: Option<&'o ColumnDef>,
}

impl<'o, 'v> OwnTagged<'o, 'v> {
    fn new(columns: &'o [ColumnDef], own: &'o OwnValues<'v>) -> Self {
        let mut own = Self { columns, left: own, ahead: None };
        own.look_ahead();
        own
    }

    fn look_ahead(&mut self) {
        self.ahead = self.left.first().and_then(|(place, _)| self.columns.get(*place));
    }

    /// Whether the next one belongs to this column.
    #[inline]
    fn is_next(&self, fid: Fid) -> bool {
        self.ahead.is_some_and(|column| column.fid == fid)
    }

    /// Takes the next one.
    fn next(&mut self) -> Option<(&'o ColumnDef, &'o FieldInput<'v>)> {
        let column = self.ahead?;
        let ((_, input), left) = self.left.split_first()?;
        self.left = left;
        self.look_ahead();
        Some((column, input))
    }

    /// Takes the next one if it belongs to a column before `fid`.
    #[inline]
    fn next_before(&mut self, fid: Fid) -> Option<(&'o ColumnDef, &'o FieldInput<'v>)> {
        if self.ahead?.fid < fid { self.next() } else { None }
    }
}

fn is_set(bitmap: &[u8; 16], index: usize) -> bool {
    bitmap[index / 8] >> (index % 8) & 1 != 0
}

impl TaggedField<'_> {
    /// Whether the field is stored as [`super::encode_record`] would store its value.
    fn is_as_written(
        &self,
        is_long: bool,
        width_bytes: Option<usize>,
        intrinsic_bytes: usize,
    ) -> bool {
        match self.stored_parts() {
            None => self.is_null(),
            Some((None, data)) => {
                let fits = width_bytes.is_none_or(|width_bytes| width_bytes == data.len());
                !is_long && !data.is_empty() && fits
            }
            Some((Some(byte), data)) => {
                let type_bit = if is_long { header::LONG_VALUE } else { 0 };
                match byte ^ type_bit {
                    0 => is_long && data.len() <= intrinsic_bytes,
                    header::SEPARATED => is_long && Lid::from_record_bytes(data).is_ok(),
                    header::MULTI_VALUES => is_plain_list(data, width_bytes),
                    _ => false,
                }
            }
        }
    }
}

/// Whether a list holds two or more values, none of them separated, all of this width if one is given.
fn is_plain_list(data: &[u8], width_bytes: Option<usize>) -> bool {
    let entry = |index: usize| super::u16_at(data, 2 * index);
    let Some(array_bytes) = entry(0) else { return false };
    let count = usize::from(array_bytes) / 2;
    let mut before = array_bytes;
    count >= 2
        && array_bytes % 2 == 0
        && (0..count).all(|index| {
            let here = entry(index).filter(|here| {
                *here >= before && *here < 0x8000 && usize::from(*here) <= data.len()
            });
            let has_width = width_bytes.is_none_or(|width_bytes| {
                here.map(usize::from) == Some(usize::from(array_bytes) + index * width_bytes)
            });
            before = here.unwrap_or(0);
            here.is_some() && has_width
        })
        && width_bytes
            .is_none_or(|width_bytes| usize::from(array_bytes) + count * width_bytes == data.len())
}
