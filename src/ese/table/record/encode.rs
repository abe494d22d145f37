//! Writing a record in the profile that the vendor's engine and the independent readers all accept.
//!
//! Fixed columns up to the highest one needed, NULL ones zero-filled and flagged; variable columns likewise;
//! tagged columns ascending; long value types always with a header byte; several values always in the
//! MultiValues form; no explicit NULL on small pages. Sources: ese-logical 2.2-2.7, 9.1, 9.4.

use super::tagged::{TaggedField, header};
use super::{HEAD_BYTES, NO_VARIABLE, Stored, max_record_bytes};
use crate::ese::error::{EseError, EseResult, Refusal};
use crate::ese::page::PageSize;
use crate::ese::table::column::{ColumnClass, ColumnDef, ColumnType, Fid, Lid};

/// What to store for one column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldInput<'a> {
    /// NULL, also where the column has a default.
    Null,
    /// The default: written out for fixed and variable columns, left to the reader for tagged ones.
    Default,
    /// One value.
    One(Stored<'a>),
    /// Two or more values of a tagged column.
    Many(&'a [Stored<'a>]),
}

impl<'a> FieldInput<'a> {
    /// One plain value.
    pub fn bytes(value: &'a [u8]) -> Self {
        Self::One(Stored::Plain(value))
    }
}

/// Appends a record to `out`: `values[i]` belongs to `columns[i]`, and the columns are all those of the table
/// in the order of their numbers (a template table's tagged columns first).
///
/// # Errors
/// [`EseError::Refused`] when a value does not fit its column, when NULL or a zero-length value cannot be told
/// apart from something else in this profile, or when columns are missing; [`EseError::Limit`] when the record
/// is longer than any page of this size can hold. `out` is then as before.
///
/// # Panics
/// When `columns` and `values` differ in number.
pub fn encode_record(
    columns: &[ColumnDef],
    values: &[FieldInput<'_>],
    page_size: PageSize,
    out: &mut Vec<u8>,
) -> EseResult<()> {
    assert_eq!(columns.len(), values.len(), "one value for each column");
    let start = out.len();
    let result = Encoder { start, small: page_size.is_small(), out }.record(columns, values);
    let limit = max_record_bytes(page_size, 4);
    let length = out.len() - start;
    let result = match result {
        Ok(()) if length > limit => Err(too_long(length, limit)),
        result => result,
    };
    if result.is_err() {
        out.truncate(start);
    }
    result
}

fn too_long(length: usize, limit: usize) -> EseError {
    EseError::limit("record length in bytes", length as u64, limit as u64)
}

fn refused(column: &ColumnDef, reason: impl Into<String>) -> EseError {
    EseError::refused(Refusal::BadRequest, reason).in_object(&column.name)
}

/// Largest offset inside the tagged area: 13 bits on small pages, 15 on large ones.
fn tagged_offset_limit(small: bool) -> usize {
    if small { 0x1fff } else { 0x7fff }
}

pub(super) struct Encoder<'o> {
    out: &'o mut Vec<u8>,
    /// Where the record starts in `out`.
    start: usize,
    small: bool,
}

/// A tagged area that is being written.
pub(super) struct TaggedWriting {
    /// Where it starts.
    area: usize,
    /// Columns written.
    count: usize,
}

impl<'o> Encoder<'o> {
    /// Goes on with a record of a small page that starts at `start` in `out`; head and fixed columns are there.
    pub(super) fn continued(out: &'o mut Vec<u8>, start: usize) -> Self {
        Self { out, start, small: true }
    }

    /// Says in the head which variable column is the last one.
    pub(super) fn set_last_variable(&mut self, number: u8) {
        self.out[self.start + 1] = number;
    }

    fn record(&mut self, columns: &[ColumnDef], values: &[FieldInput<'_>]) -> EseResult<()> {
        if !columns.is_sorted_by(|a, b| a.record_order() < b.record_order()) {
            return Err(EseError::refused(
                Refusal::BadRequest,
                "columns are not in ascending order",
            ));
        }
        let variable = columns.partition_point(|c| c.fid.class() < ColumnClass::Variable);
        let tagged = columns.partition_point(|c| c.fid.class() < ColumnClass::Tagged);
        let fixed_columns = stored_prefix(&columns[..variable], &values[..variable], 1)?;
        let variable_columns =
            stored_prefix(&columns[variable..tagged], &values[variable..tagged], 128)?;
        let last_variable = NO_VARIABLE + variable_columns.len() as u8;
        self.out.extend_from_slice(&[fixed_columns.len() as u8, last_variable, 0, 0]);
        self.fixed(fixed_columns, values)?;
        self.variable(variable_columns, &values[variable..])?;
        self.tagged(&columns[tagged..], &values[tagged..])
    }

    fn fixed(&mut self, columns: &[ColumnDef], values: &[FieldInput<'_>]) -> EseResult<()> {
        // At most 127 columns, so 16 bytes; bits of columns that do not exist stay 1.
        let mut null_bitmap = [0xff_u8; 16];
        for (index, (column, input)) in columns.iter().zip(values).enumerate() {
            let offset = self.out.len() - self.start;
            if column.record_offset.is_some_and(|expected| usize::from(expected) != offset) {
                return Err(refused(column, format!("fixed column found at offset {offset}")));
            }
            if column.width_bytes() > usize::from(u16::MAX) {
                return Err(too_long(column.width_bytes(), usize::from(u16::MAX)));
            }
            match single(column, input)? {
                Some(value) => {
                    null_bitmap[index / 8] &= !(1 << (index % 8));
                    self.put_fixed(column, value);
                }
                None => self.out.extend(std::iter::repeat_n(0, column.width_bytes())),
            }
            self.check_length()?;
        }
        self.out.extend_from_slice(&null_bitmap[..columns.len().div_ceil(8)]);
        let end = u16::try_from(self.out.len() - self.start)
            .map_err(|_| too_long(self.out.len() - self.start, usize::from(u16::MAX)))?;
        self.out[self.start + 2..self.start + HEAD_BYTES].copy_from_slice(&end.to_le_bytes());
        Ok(())
    }

    /// A fixed value, checked before: short text is padded with spaces, short binary with zeros.
    fn put_fixed(&mut self, column: &ColumnDef, value: &[u8]) {
        self.put_value(column, value);
        let padding = column.width_bytes() - value.len();
        match (column.coltyp, column.code_page) {
            (ColumnType::Text, 1200) => {
                self.out.extend([b' ', 0].iter().cycle().take(padding));
            }
            (ColumnType::Text, _) => self.out.extend(std::iter::repeat_n(b' ', padding)),
            _ => self.out.extend(std::iter::repeat_n(0, padding)),
        }
    }

    /// The bytes of a value. The engine makes every non-zero Bit FF.
    fn put_value(&mut self, column: &ColumnDef, value: &[u8]) {
        if column.coltyp == ColumnType::Bit {
            self.out.extend(value.iter().map(|byte| if *byte == 0 { 0 } else { 0xff }));
        } else {
            self.out.extend_from_slice(value);
        }
    }

    pub(super) fn variable(
        &mut self,
        columns: &[ColumnDef],
        values: &[FieldInput<'_>],
    ) -> EseResult<()> {
        let table = self.out.len();
        let data = table + 2 * columns.len();
        self.out.resize(data, 0);
        for (index, (column, input)) in columns.iter().zip(values).enumerate() {
            let value = single(column, input)?;
            self.out.extend_from_slice(value.unwrap_or_default());
            // A NULL entry repeats the previous end, because one reader starts values there.
            let end = (self.out.len() - data) as u16;
            let entry = if value.is_some() { end } else { end | 0x8000 };
            let at = table + 2 * index;
            self.out[at..at + 2].copy_from_slice(&entry.to_le_bytes());
            self.check_length()?;
        }
        Ok(())
    }

    fn tagged(&mut self, columns: &[ColumnDef], values: &[FieldInput<'_>]) -> EseResult<()> {
        let stored = columns.iter().zip(values).filter(|(column, input)| has_entry(column, input));
        let mut area = self.begin_tagged(stored.clone().count());
        for (column, input) in stored {
            self.tagged_column(&mut area, column, input)?;
        }
        Ok(())
    }

    /// Makes room for the array of a tagged area of so many columns.
    pub(super) fn begin_tagged(&mut self, count: usize) -> TaggedWriting {
        let area = self.out.len();
        self.out.resize(area + 4 * count, 0);
        TaggedWriting { area, count: 0 }
    }

    /// Adds the next column.
    pub(super) fn tagged_column(
        &mut self,
        area: &mut TaggedWriting,
        column: &ColumnDef,
        input: &FieldInput<'_>,
    ) -> EseResult<()> {
        let offset = self.tagged_offset(area)?;
        let has_header = self.put_tagged(column, input)?;
        self.tagged_entry(area, (column.fid, column.derived), offset, has_header)
    }

    /// Adds the next column as another record of a small page holds it; the number of a long value is exchanged by `copy`.
    pub(super) fn tagged_as_stored(
        &mut self,
        area: &mut TaggedWriting,
        field: &TaggedField<'_>,
        copy: &mut dyn FnMut(Lid) -> EseResult<Lid>,
    ) -> EseResult<()> {
        let Some((byte, data)) = field.stored_parts() else { return Ok(()) };
        let offset = self.tagged_offset(area)?;
        self.out.extend(byte);
        if byte.is_some_and(|byte| byte & header::SEPARATED != 0) {
            copy(Lid::from_record_bytes(data)?)?.put_record_bytes(self.out);
        } else {
            self.out.extend_from_slice(data);
        }
        self.tagged_entry(area, (field.fid, field.derived), offset, byte.is_some())
    }

    fn tagged_offset(&self, area: &TaggedWriting) -> EseResult<u16> {
        let offset = self.out.len() - area.area;
        if offset > tagged_offset_limit(self.small) {
            return Err(too_long(self.out.len() - self.start, tagged_offset_limit(self.small)));
        }
        Ok(offset as u16)
    }

    fn tagged_entry(
        &mut self,
        area: &mut TaggedWriting,
        (fid, derived): (Fid, bool),
        offset: u16,
        has_header: bool,
    ) -> EseResult<()> {
        let header_bit = if self.small && has_header { 0x4000 } else { 0 };
        let derived_bit = if derived { 0x8000 } else { 0 };
        let ib = offset | header_bit | derived_bit;
        let at = area.area + 4 * area.count;
        self.out[at..at + 2].copy_from_slice(&fid.0.to_le_bytes());
        self.out[at + 2..at + 4].copy_from_slice(&ib.to_le_bytes());
        area.count += 1;
        self.check_length()
    }

    /// The data of one tagged column. Returns whether they start with a header byte.
    fn put_tagged(&mut self, column: &ColumnDef, input: &FieldInput<'_>) -> EseResult<bool> {
        let is_long_value = column.coltyp.is_long_value();
        let type_bit = if is_long_value { header::LONG_VALUE } else { 0 };
        match input {
            FieldInput::Many(list) => {
                self.put_many(column, list, type_bit)?;
                Ok(true)
            }
            FieldInput::One(value) => {
                let state_bit = check(column, value)?;
                let has_header = is_long_value || !self.small;
                if has_header {
                    self.out.push(type_bit | state_bit);
                } else if *value == Stored::Plain(&[]) {
                    return Err(refused(
                        column,
                        "a zero-length value without header byte is misread by other programs",
                    ));
                }
                self.put_stored(column, value);
                Ok(has_header)
            }
            FieldInput::Null if self.small => {
                Err(refused(column, "NULL over a default is misread by other programs"))
            }
            FieldInput::Null | FieldInput::Default => {
                self.out.push(type_bit | header::NULL);
                Ok(true)
            }
        }
    }

    fn put_many(&mut self, column: &ColumnDef, list: &[Stored<'_>], type_bit: u8) -> EseResult<()> {
        if list.len() < 2 {
            return Err(refused(column, format!("{} values in a list of values", list.len())));
        }
        let array_bytes = 2 * list.len();
        if array_bytes > tagged_offset_limit(self.small) {
            return Err(too_long(array_bytes, tagged_offset_limit(self.small)));
        }
        let compressed = matches!(list[0], Stored::Compressed(_));
        let compressed_bit = if compressed { header::COMPRESSED } else { 0 };
        self.out.push(type_bit | header::MULTI_VALUES | compressed_bit);
        let array = self.out.len();
        self.out.resize(array + array_bytes, 0);
        for (index, value) in list.iter().enumerate() {
            let state_bit = check(column, value)?;
            if state_bit == header::COMPRESSED && index > 0 {
                return Err(refused(column, "only the first of several values may be compressed"));
            }
            let separated_bit = if state_bit == header::SEPARATED { 0x8000 } else { 0 };
            // Lengths are checked after each value, so the offset stays far below 15 bits.
            let entry = (self.out.len() - array) as u16 | separated_bit;
            let at = array + 2 * index;
            self.out[at..at + 2].copy_from_slice(&entry.to_le_bytes());
            self.put_stored(column, value);
            self.check_length()?;
        }
        Ok(())
    }

    fn put_stored(&mut self, column: &ColumnDef, value: &Stored<'_>) {
        match value {
            Stored::Plain(bytes) => self.put_value(column, bytes),
            Stored::Compressed(bytes) | Stored::Encrypted(bytes) => {
                self.out.extend_from_slice(bytes);
            }
            Stored::Separated(lid) => lid.put_record_bytes(self.out),
        }
    }

    /// No record is longer than 15 bits can tell: keeps every offset in its field and hostile input short.
    fn check_length(&self) -> EseResult<()> {
        let length = self.out.len() - self.start;
        if length > 0x7fff { Err(too_long(length, 0x7fff)) } else { Ok(()) }
    }
}

/// Whether a tagged column gets an array entry. NULL needs one only to override a default.
fn has_entry(column: &ColumnDef, input: &FieldInput<'_>) -> bool {
    match input {
        FieldInput::Null => column.has_default(),
        FieldInput::Default => false,
        FieldInput::One(_) | FieldInput::Many(_) => true,
    }
}

/// The columns from the first one up to the last one that must be stored; their numbers must have no gap.
fn stored_prefix<'c>(
    columns: &'c [ColumnDef],
    values: &[FieldInput<'_>],
    first_fid: u16,
) -> EseResult<&'c [ColumnDef]> {
    // Where the record ends a reader takes the default, so NULL over a default must be stored.
    let needed = |(column, input): (&ColumnDef, &FieldInput<'_>)| match input {
        FieldInput::Null => column.has_default(),
        FieldInput::Default => column.default_value().is_some(),
        FieldInput::One(_) | FieldInput::Many(_) => true,
    };
    let count = columns.iter().zip(values).rposition(needed).map_or(0, |last| last + 1);
    let prefix = &columns[..count];
    for (fid, column) in (first_fid..).zip(prefix) {
        if column.fid != Fid(fid) {
            return Err(refused(column, format!("column {fid} is missing before {}", column.fid)));
        }
    }
    Ok(prefix)
}

/// The value of a fixed or variable column, checked; `None` for NULL.
pub(super) fn single<'v>(
    column: &'v ColumnDef,
    input: &FieldInput<'v>,
) -> EseResult<Option<&'v [u8]>> {
    let value = match input {
        FieldInput::Null => return Ok(None),
        FieldInput::Default => match column.default_value() {
            Some(value) => value,
            None => return Ok(None),
        },
        FieldInput::One(Stored::Plain(value)) => value,
        FieldInput::One(_) | FieldInput::Many(_) => {
            return Err(refused(column, "only tagged columns hold other than one plain value"));
        }
    };
    check(column, &Stored::Plain(value))?;
    if column.fid.class() == ColumnClass::Fixed && value.len() > column.width_bytes() {
        return Err(refused(column, format!("{} bytes in a fixed column", value.len())));
    }
    Ok(Some(value))
}

/// Checks type and length. Returns the bit of the header byte for the state of the value.
fn check(column: &ColumnDef, value: &Stored<'_>) -> EseResult<u8> {
    if matches!(column.coltyp, ColumnType::Nil | ColumnType::Slv) {
        return Err(refused(column, format!("values of type {} are not written", column.coltyp)));
    }
    let (bytes, state) = match value {
        Stored::Plain(bytes) => (*bytes, 0),
        Stored::Compressed(bytes) if column.coltyp.is_long_value() => {
            // The bound is on the plain length, which only decompression could tell.
            if bytes.is_empty() {
                return Err(refused(column, "an empty compressed value"));
            }
            return Ok(header::COMPRESSED);
        }
        Stored::Separated(_) if column.coltyp.is_long_value() => return Ok(header::SEPARATED),
        Stored::Encrypted(_) => return Err(refused(column, "encrypted values are not written")),
        Stored::Compressed(_) | Stored::Separated(_) => {
            return Err(refused(column, format!("{} holds plain values only", column.coltyp)));
        }
    };
    let fits = match (column.coltyp, column.coltyp.fixed_width_bytes()) {
        (_, Some(width)) => bytes.len() == width,
        (ColumnType::Binary | ColumnType::Text, _) => {
            let most = if column.max_bytes == 0 { 255 } else { column.max_bytes.min(255) };
            bytes.len() <= most as usize
        }
        _ => column.max_bytes == 0 || bytes.len() <= column.max_bytes as usize,
    };
    if fits {
        Ok(state)
    } else {
        let (length, coltyp, most) = (bytes.len(), column.coltyp, column.max_bytes);
        Err(refused(column, format!("{length} bytes for {coltyp} of at most {most} bytes")))
    }
}
