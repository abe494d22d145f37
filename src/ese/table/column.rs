//! What a column is: its number, its type, its flags; and the number of a long value.
//!
//! Plain definitions that the record, key and catalog code share. Knows nothing of where definitions come
//! from (the catalog) and nothing of pages. Sources: ese-logical 1.7, 2.1, 3.1, 4.2.

use std::fmt;

use bitflags::bitflags;

use crate::ese::error::{EseError, EseResult};

/// Column number inside one table (`FID`). Source: ese-logical 2.1.
///
/// 1-127 are fixed, 128-255 variable, 256 and up tagged columns. 0 is no column; every lookup finds it absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fid(pub u16);

impl Fid {
    /// Number of the first variable column.
    pub const FIRST_VARIABLE: u16 = 128;
    /// Number of the first tagged column.
    pub const FIRST_TAGGED: u16 = 256;

    /// Where in a record the column is stored.
    pub const fn class(self) -> ColumnClass {
        match self.0 {
            ..Self::FIRST_VARIABLE => ColumnClass::Fixed,
            Self::FIRST_VARIABLE..Self::FIRST_TAGGED => ColumnClass::Variable,
            Self::FIRST_TAGGED.. => ColumnClass::Tagged,
        }
    }
}

impl fmt::Display for Fid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The three ways in which a record stores a column, in the order of their column numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ColumnClass {
    /// At a fixed offset, with a bit in the NULL bitmap.
    Fixed,
    /// Through the variable offset table.
    Variable,
    /// Through the tagged array, which names its columns.
    Tagged,
}

/// Type of a column (`JET_coltyp`). Source: ese-logical 3.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ColumnType {
    /// 0: a deleted column that only keeps its place.
    Nil,
    /// 1: one byte, 00 or FF.
    Bit,
    /// 2: u8.
    UnsignedByte,
    /// 3: i16.
    Short,
    /// 4: i32.
    Long,
    /// 5: i64.
    Currency,
    /// 6: f32.
    IeeeSingle,
    /// 7: f64.
    IeeeDouble,
    /// 8: 8 bytes, nominally an OLE date (f64), often a FILETIME.
    DateTime,
    /// 9: at most 255 bytes.
    Binary,
    /// 10: at most 255 bytes of text.
    Text,
    /// 11: bytes, may live outside the record.
    LongBinary,
    /// 12: text, may live outside the record.
    LongText,
    /// 13: reference into the streaming file of Exchange 2000 and 2003.
    Slv,
    /// 14: u32.
    UnsignedLong,
    /// 15: i64.
    LongLong,
    /// 16: GUID in the mixed byte order of Windows.
    Guid,
    /// 17: u16.
    UnsignedShort,
    /// 18: u64, newest engines only.
    UnsignedLongLong,
}

impl ColumnType {
    /// All types; the position is the number on disk.
    pub const ALL: [Self; 19] = [
        Self::Nil,
        Self::Bit,
        Self::UnsignedByte,
        Self::Short,
        Self::Long,
        Self::Currency,
        Self::IeeeSingle,
        Self::IeeeDouble,
        Self::DateTime,
        Self::Binary,
        Self::Text,
        Self::LongBinary,
        Self::LongText,
        Self::Slv,
        Self::UnsignedLong,
        Self::LongLong,
        Self::Guid,
        Self::UnsignedShort,
        Self::UnsignedLongLong,
    ];

    /// The type with this number, or `None` when there is none.
    pub fn from_number(number: u32) -> Option<Self> {
        usize::try_from(number).ok().and_then(|at| Self::ALL.get(at)).copied()
    }

    /// The number in the catalog.
    pub fn number(self) -> u32 {
        self as u32
    }

    /// Bytes of every non-NULL value, or `None` for types whose values differ in length.
    pub const fn fixed_width_bytes(self) -> Option<usize> {
        match self {
            Self::Bit | Self::UnsignedByte => Some(1),
            Self::Short | Self::UnsignedShort => Some(2),
            Self::Long | Self::UnsignedLong | Self::IeeeSingle => Some(4),
            Self::Currency
            | Self::IeeeDouble
            | Self::DateTime
            | Self::LongLong
            | Self::UnsignedLongLong => Some(8),
            Self::Guid => Some(16),
            Self::Nil | Self::Binary | Self::Text => None,
            Self::LongBinary | Self::LongText | Self::Slv => None,
        }
    }

    /// Whether values may live outside the record and always carry a header byte: LongBinary, LongText and
    /// the obsolete SLV.
    pub const fn is_long_value(self) -> bool {
        matches!(self, Self::LongBinary | Self::LongText | Self::Slv)
    }

    /// Whether the value is text in the column's code page.
    pub const fn is_text(self) -> bool {
        matches!(self, Self::Text | Self::LongText)
    }
}

impl fmt::Display for ColumnType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

bitflags! {
    /// Column flags as the catalog stores them (`FIELD` flags, not the API's `JET_bitColumn`). Source: ese-logical 1.7.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct ColumnFlags: u32 {
        /// NULL is not allowed.
        const NOT_NULL = 0x0001;
        /// Counts the updates of the row.
        const VERSION = 0x0002;
        /// Filled from a counter on insert.
        const AUTO_INCREMENT = 0x0004;
        /// May hold several values; tagged columns only.
        const MULTI_VALUED = 0x0008;
        /// Has a default value.
        const DEFAULT = 0x0010;
        /// Updated by differences under concurrency.
        const ESCROW_UPDATE = 0x0020;
        /// Escrow column with a callback at zero.
        const FINALIZE = 0x0040;
        /// The default comes from a callback; nobody but the application can tell it.
        const USER_DEFINED_DEFAULT = 0x0080;
        /// Column of a template table whose values carry the derived bit in derived tables.
        const TEMPLATE = 0x0100;
        /// Escrow column whose row goes at zero.
        const DELETE_ON_ZERO = 0x0200;
        /// Placeholder in the primary index.
        const PRIMARY_INDEX_PLACEHOLDER = 0x0800;
        /// Values may be stored compressed.
        const COMPRESSED = 0x1000;
        /// Values are stored encrypted.
        const ENCRYPTED = 0x2000;
        const _ = !0;
    }
}

/// A column as the record and key code need it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnDef {
    /// The number.
    pub fid: Fid,
    /// The name.
    pub name: String,
    /// The type.
    pub coltyp: ColumnType,
    /// Declared length in bytes (`SpaceUsage`): the width of a fixed column, the bound of the others; 0 = none.
    pub max_bytes: u32,
    /// The flags.
    pub flags: ColumnFlags,
    /// Windows code page of text: 1252 or 1200; 0 otherwise.
    pub code_page: u16,
    /// Offset of a fixed column's bytes from the start of the record, at least 4.
    pub record_offset: Option<u16>,
    /// Default value as stored.
    pub default: Option<Vec<u8>>,
    /// Inherited from the template table in such a way that its tagged values carry the derived bit.
    pub derived: bool,
}

impl ColumnDef {
    /// Bytes that a fixed column occupies in every record that reaches it, NULL or not.
    pub fn width_bytes(&self) -> usize {
        self.coltyp.fixed_width_bytes().unwrap_or(self.max_bytes as usize)
    }

    /// Whether a record without the column stands for a default that is known (ese-logical 2.9, rules 1-3).
    pub fn has_default(&self) -> bool {
        self.flags.contains(ColumnFlags::DEFAULT)
            && !self.flags.contains(ColumnFlags::USER_DEFINED_DEFAULT)
    }

    /// The default value as stored, if there is one and it is known.
    pub fn default_value(&self) -> Option<&[u8]> {
        if self.has_default() { self.default.as_deref() } else { None }
    }

    /// Order in which a record stores columns: fixed, variable, tagged with the derived bit, other tagged.
    pub(crate) fn record_order(&self) -> (ColumnClass, bool, Fid) {
        let class = self.fid.class();
        (class, class == ColumnClass::Tagged && !self.derived, self.fid)
    }
}

/// Number of a long value (`LID`), unique in one table. Source: ese-logical 4.2.
///
/// Numbers with bit 63 set are 8 bytes on disk, all others 4.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lid(pub u64);

impl Lid {
    /// Largest number of the 4-byte kind that the engine hands out.
    pub const MAX_32: u32 = 0x7fff_feff;
    const BIT_64: u64 = 1 << 63;

    /// Whether the number is of the 8-byte kind.
    pub const fn is_64(self) -> bool {
        self.0 & Self::BIT_64 != 0
    }

    /// Reads the number from a record: 4 or 8 bytes, little-endian.
    ///
    /// # Errors
    /// [`EseError::Corrupt`] on any other length, and on 8 bytes without bit 63.
    pub fn from_record_bytes(bytes: &[u8]) -> EseResult<Self> {
        if let Ok(short) = <[u8; 4]>::try_from(bytes) {
            return Ok(Self(u64::from(u32::from_le_bytes(short))));
        }
        match <[u8; 8]>::try_from(bytes).map(u64::from_le_bytes) {
            Ok(number) if number & Self::BIT_64 != 0 => Ok(Self(number)),
            Ok(number) => {
                Err(EseError::corrupt_bytes(format!("{number:#x} is no 8-byte long value number")))
            }
            Err(_) => Err(EseError::corrupt_bytes(format!(
                "a long value number has 4 or 8 bytes, not {}",
                bytes.len()
            ))),
        }
    }

    /// Appends the number as a record holds it: little-endian.
    ///
    /// # Panics
    /// When a number without bit 63 needs more than 4 bytes: no such number exists.
    pub fn put_record_bytes(self, out: &mut Vec<u8>) {
        if self.is_64() {
            out.extend_from_slice(&self.0.to_le_bytes());
        } else {
            out.extend_from_slice(&self.short().to_le_bytes());
        }
    }

    /// Appends the number as the keys of the long-value tree hold it: big-endian.
    ///
    /// # Panics
    /// As [`Lid::put_record_bytes`].
    pub fn put_key_bytes(self, out: &mut Vec<u8>) {
        let (bytes, len_bytes) = self.key_array();
        out.extend_from_slice(bytes.get(..len_bytes).unwrap_or_default());
    }

    /// As [`Self::put_key_bytes`], with room for the longer kind: the bytes, and how many of them count.
    pub fn key_array(self) -> ([u8; 8], usize) {
        if self.is_64() {
            return (self.0.to_be_bytes(), 8);
        }
        let mut bytes = [0; 8];
        bytes[..4].copy_from_slice(&self.short().to_be_bytes());
        (bytes, 4)
    }

    /// The number as a record holds it, in a vector of its own.
    pub fn record_bytes(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(8);
        self.put_record_bytes(&mut bytes);
        bytes
    }

    /// The number as keys hold it, in a vector of its own.
    pub fn key_bytes(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(8);
        self.put_key_bytes(&mut bytes);
        bytes
    }

    fn short(self) -> u32 {
        assert!(self.0 <= u64::from(u32::MAX), "long value number {self} fits neither kind");
        self.0 as u32
    }
}

impl fmt::Display for Lid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_number_tells_where_the_column_is_stored() {
        for (number, class) in [
            (1, ColumnClass::Fixed),
            (127, ColumnClass::Fixed),
            (128, ColumnClass::Variable),
            (255, ColumnClass::Variable),
            (256, ColumnClass::Tagged),
            (0xfee0, ColumnClass::Tagged),
        ] {
            assert_eq!(Fid(number).class(), class, "{number}");
        }
    }

    #[test]
    fn type_numbers_are_those_of_the_catalog() {
        assert_eq!(ColumnType::from_number(10), Some(ColumnType::Text));
        assert_eq!(ColumnType::from_number(12), Some(ColumnType::LongText));
        assert_eq!(ColumnType::from_number(16), Some(ColumnType::Guid));
        assert_eq!(ColumnType::from_number(18), Some(ColumnType::UnsignedLongLong));
        assert_eq!(ColumnType::from_number(19), None);
        for (number, coltyp) in (0..).zip(ColumnType::ALL) {
            assert_eq!(coltyp.number(), number);
        }
    }

    #[test]
    fn long_value_numbers_are_little_endian_in_records_and_big_endian_in_keys() {
        assert_eq!(Lid(0x0102).record_bytes(), [2, 1, 0, 0]);
        assert_eq!(Lid(0x0102).key_bytes(), [0, 0, 1, 2]);
        let long = Lid(0x8000_0000_8000_0001);
        assert!(long.is_64());
        assert_eq!(long.record_bytes(), [1, 0, 0, 0x80, 0, 0, 0, 0x80]);
        assert_eq!(long.key_bytes(), [0x80, 0, 0, 0, 0x80, 0, 0, 1]);
        for lid in [Lid(0x0102), long] {
            assert_eq!(Lid::from_record_bytes(&lid.record_bytes()).unwrap(), lid);
        }
        assert!(Lid::from_record_bytes(&[1, 2, 3]).is_err());
        assert!(Lid::from_record_bytes(&[1; 8]).is_err());
    }
}
