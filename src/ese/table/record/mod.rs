//! Records: the bytes of one row, read in place and written in one pass.
//!
//! Pure byte work. Knows column definitions, but not where they come from; knows neither pages nor trees,
//! and never follows a long value. Source: ese-logical 2.
//!
//! ```text
//! 0     u8    number of the last fixed column present (0 = none)
//! 1     u8    number of the last variable column present (127 = none)
//! 2     u16   E, offset of the variable offset table = end of the fixed area
//! 4     ...   fixed columns 1..=last, back to back, widths from the catalog
//! E-nb  nb    NULL bitmap, nb = ceil(last / 8), 1 = NULL, bit (n-1)%8 of byte (n-1)/8
//! E     u16*n variable offset table: bits 0-14 end of the value, bit 15 NULL
//! ...         variable data
//! ...         tagged area, to the end of the record (`tagged.rs`)
//! ```
//!
//! A record whose frame (head, bitmap, offset table) is broken is refused as a whole; a broken field is an
//! error of that field alone, so that salvage keeps the rest.

mod encode;
mod multi;
mod rewrite;
mod sum;
mod tagged;
mod view;

pub use encode::{FieldInput, encode_record};
pub use multi::MultiValues;
pub use rewrite::{OwnValues, Rewrite};
pub use sum::{RowSum, SumScope, joined};
pub use tagged::{TaggedField, TaggedFields, TaggedStyle};
pub use view::{FixedColumns, FixedPlace, RecordView};

use crate::ese::error::{EseError, EseResult};
use crate::ese::page::PageSize;
use crate::ese::table::column::Lid;

/// Bytes before the first fixed column.
pub(crate) const HEAD_BYTES: usize = 4;

/// Head byte 1 when no variable column is present.
const NO_VARIABLE: u8 = 127;

/// One value as a record holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored<'a> {
    /// The bytes of the value.
    Plain(&'a [u8]),
    /// The value is these bytes, decompressed (`compress`).
    Compressed(&'a [u8]),
    /// The value stands in the table's long-value tree.
    Separated(Lid),
    /// Encrypted with a key that only the application has.
    Encrypted(&'a [u8]),
}

/// What a record says about one column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldValues<'a> {
    /// NULL.
    Null,
    /// Not in the record; the column's default holds.
    Default,
    /// One value.
    One(Stored<'a>),
    /// Several values.
    Many(MultiValues<'a>),
}

impl<'a> FieldValues<'a> {
    /// Number of values in the record itself: 0 for NULL and for a default.
    pub fn len(&self) -> usize {
        match self {
            Self::Null | Self::Default => 0,
            Self::One(_) => 1,
            Self::Many(values) => values.len(),
        }
    }

    /// Whether the record itself holds no value.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Value `index`, counted from 0; `None` past the last one.
    ///
    /// # Errors
    /// [`EseError::Corrupt`] when that value is broken.
    pub fn get(&self, index: usize) -> Option<EseResult<Stored<'a>>> {
        match self {
            Self::Null | Self::Default => None,
            Self::One(value) => (index == 0).then_some(Ok(*value)),
            Self::Many(values) => values.get(index),
        }
    }

    /// All values of the record itself, in order; each may be broken on its own.
    pub fn iter(&self) -> impl Iterator<Item = EseResult<Stored<'a>>> + '_ {
        (0..self.len()).filter_map(|index| self.get(index))
    }
}

/// Longest record that a page of this size may hold, in bytes (ese-logical 2.10).
///
/// `key_most_bytes` is the bound of the primary key: 255 unless the index says otherwise, 4 without a primary index.
pub fn max_record_bytes(page_size: PageSize, key_most_bytes: u16) -> usize {
    let node_bytes = page_size.data_bytes() - 8;
    let key_bytes = usize::from(key_most_bytes);
    let reserved = if page_size.is_small() { 2 + (2 + key_bytes).max(255) } else { 4 + key_bytes };
    node_bytes.saturating_sub(reserved)
}

/// Little-endian u16 at `offset`.
fn u16_at(bytes: &[u8], offset: usize) -> Option<u16> {
    let pair = bytes.get(offset..offset.checked_add(2)?)?;
    Some(u16::from_le_bytes(pair.try_into().ok()?))
}

/// A broken rule inside a record.
fn broken(reason: impl Into<String>) -> EseError {
    EseError::corrupt_bytes(reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn record_limits_are_those_of_the_format_sheet() {
        let limits: Vec<_> =
            PageSize::ALL.into_iter().map(|size| max_record_bytes(size, 255)).collect();
        assert_eq!(limits, [1741, 3789, 7885, 16037, 32421]);
        assert_eq!(max_record_bytes(PageSize::KIB4, 4), 4048 - 2 - 255);
        assert_eq!(max_record_bytes(PageSize::ALL[0], u16::MAX), 0);
    }
}
