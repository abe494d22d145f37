//! Several values in one tagged field.
//!
//! ```text
//! MultiValues (header 08)  u16 offsets[n] from the start of this array, n = (offsets[0] & 0x7FFF) / 2;
//!                          bit 15: this value is a long value number; then the values, back to back
//! TwoValues (header 18)    u8 length of value 1, value 1, value 2 to the end
//! linear (oldest engines)  consecutive items with one column number
//! ```
//!
//! Source: ese-logical 2.7, 2.8. Nothing is copied; every access is checked.

use super::tagged::header;
use super::{FieldValues, Stored, broken, u16_at};
use crate::ese::error::EseResult;
use crate::ese::table::column::{Fid, Lid};

const VALUE_SEPARATED: u16 = 0x8000;
const VALUE_OFFSET: u16 = 0x7fff;

/// The values of a multi-valued field, in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MultiValues<'a> {
    count: usize,
    form: Form<'a>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form<'a> {
    Offsets { data: &'a [u8], first_compressed: bool },
    Two { first: &'a [u8], second: &'a [u8], first_compressed: bool },
    Linear { items: &'a [u8] },
}

impl<'a> MultiValues<'a> {
    /// Reads what follows header byte `byte`.
    pub(super) fn parse(byte: u8, data: &'a [u8]) -> EseResult<Self> {
        let first_compressed = byte & header::COMPRESSED != 0;
        if byte & header::TWO_VALUES != 0 {
            let (first, second) = data
                .split_first()
                .and_then(|(length, rest)| rest.split_at_checked(usize::from(*length)))
                .ok_or_else(|| broken(format!("two values in {} bytes", data.len())))?;
            return Ok(Self { count: 2, form: Form::Two { first, second, first_compressed } });
        }
        let array_bytes = usize::from(u16_at(data, 0).map_or(0, |offset| offset & VALUE_OFFSET));
        if array_bytes < 2 || array_bytes % 2 != 0 || array_bytes > data.len() {
            return Err(broken(format!(
                "multi-value array of {array_bytes} bytes in {}",
                data.len()
            )));
        }
        Ok(Self { count: array_bytes / 2, form: Form::Offsets { data, first_compressed } })
    }

    /// The values of `count` linear items of one column; checked by the caller to be whole.
    pub(super) fn linear(items: &'a [u8], count: usize) -> EseResult<FieldValues<'a>> {
        let first = LinearItem::parse(items)?;
        if first.null {
            return Ok(FieldValues::Null);
        }
        if count == 1 {
            return first.value().map(FieldValues::One);
        }
        Ok(FieldValues::Many(Self { count, form: Form::Linear { items } }))
    }

    /// Number of values, at least 1.
    #[expect(clippy::len_without_is_empty, reason = "never empty")]
    pub fn len(&self) -> usize {
        self.count
    }

    /// Value `index`, counted from 0; `None` past the last one.
    ///
    /// # Errors
    /// [`crate::ese::EseError::Corrupt`] when that value lies outside of the field.
    pub fn get(&self, index: usize) -> Option<EseResult<Stored<'a>>> {
        if index >= self.count {
            return None;
        }
        Some(match self.form {
            Form::Offsets { data, first_compressed } => {
                self.by_offset(data, index, first_compressed && index == 0)
            }
            Form::Two { first, first_compressed, .. } if index == 0 => {
                Ok(plain_or_compressed(first, first_compressed))
            }
            Form::Two { second, .. } => Ok(Stored::Plain(second)),
            Form::Linear { items } => linear_value(items, index),
        })
    }

    /// All values in order; each may be broken on its own.
    pub fn iter(&self) -> impl Iterator<Item = EseResult<Stored<'a>>> + '_ {
        (0..self.count).filter_map(|index| self.get(index))
    }

    fn by_offset(&self, data: &'a [u8], index: usize, compressed: bool) -> EseResult<Stored<'a>> {
        let offset = |at: usize| u16_at(data, 2 * at).unwrap_or_default();
        let entry = offset(index);
        let start = usize::from(entry & VALUE_OFFSET);
        let end = if index + 1 < self.count {
            usize::from(offset(index + 1) & VALUE_OFFSET)
        } else {
            data.len()
        };
        let value = data
            .get(start..end)
            .filter(|_| start >= 2 * self.count)
            .ok_or_else(|| broken(format!("value {index} at {start}..{end} of {}", data.len())))?;
        if entry & VALUE_SEPARATED != 0 {
            Lid::from_record_bytes(value).map(Stored::Separated)
        } else {
            Ok(plain_or_compressed(value, compressed))
        }
    }
}

fn plain_or_compressed(value: &[u8], compressed: bool) -> Stored<'_> {
    if compressed { Stored::Compressed(value) } else { Stored::Plain(value) }
}

fn linear_value(mut items: &[u8], index: usize) -> EseResult<Stored<'_>> {
    for _ in 0..index {
        let skip = LinearItem::parse(items)?.total_bytes();
        items = items.get(skip..).unwrap_or_default();
    }
    LinearItem::parse(items)?.value()
}

/// One item of the linear form. Byte map: `tagged.rs`.
#[derive(Debug, Clone, Copy)]
pub(super) struct LinearItem<'a> {
    pub(super) fid: Fid,
    pub(super) derived: bool,
    null: bool,
    long_value: bool,
    data: &'a [u8],
}

impl<'a> LinearItem<'a> {
    /// Reads the item at the start of `bytes`.
    pub(super) fn parse(bytes: &'a [u8]) -> EseResult<Self> {
        let (Some(fid), Some(word)) = (u16_at(bytes, 0), u16_at(bytes, 2)) else {
            return Err(broken(format!("{} bytes of a linear tagged column", bytes.len())));
        };
        let length = usize::from(word & 0x0fff);
        let data = bytes.get(4..4 + length).ok_or_else(|| {
            broken(format!("linear tagged column {fid} of {length} bytes, {} left", bytes.len()))
        })?;
        Ok(Self {
            fid: Fid(fid),
            derived: word & 0x2000 != 0,
            null: word & 0x4000 != 0,
            long_value: word & 0x8000 != 0,
            data,
        })
    }

    pub(super) fn total_bytes(&self) -> usize {
        4 + self.data.len()
    }

    pub(super) fn same_column(&self, other: &LinearItem<'_>) -> bool {
        self.fid == other.fid && self.derived == other.derived
    }

    /// The value; a long value starts with a byte whose bit 0 says that a number follows.
    fn value(&self) -> EseResult<Stored<'a>> {
        if !self.long_value {
            return Ok(Stored::Plain(self.data));
        }
        match self.data.split_first() {
            Some((flags, lid)) if flags & 1 != 0 => {
                Lid::from_record_bytes(lid).map(Stored::Separated)
            }
            Some((_, value)) => Ok(Stored::Plain(value)),
            None => Err(broken(format!("long value column {} without its first byte", self.fid))),
        }
    }
}
