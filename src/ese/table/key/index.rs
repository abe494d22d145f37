//! What an index is, and the catalog cells that list its segments, conditions and tuple limits.
//!
//! ```text
//! segment, flag ExtendedColumns set    u8 flags (80 template, 40 descending, 20 must be NULL), u8 0, u16 column
//! segment, clear (before revision 7)   i16 column, negative = descending or must be NULL
//! tuple limits   u32 shortest, longest, count [, increment, start], in characters
//! ```
//!
//! Sources: ese-logical 1.8, 1.9, 6.1, 6.9.

use bitflags::bitflags;

use crate::ese::error::{EseError, EseResult};
use crate::ese::page::{ObjId, Pgno};
use crate::ese::table::column::Fid;

/// Bound of a key in bytes unless the index says otherwise.
pub const KEY_MOST_BYTES: u16 = 255;

/// Most segments of one key.
pub(super) const MAX_SEGMENTS: usize = 16;

const SEGMENT_TEMPLATE: u8 = 0x80;
const SEGMENT_DESCENDING: u8 = 0x40;
const SEGMENT_MUST_BE_NULL: u8 = 0x20;

bitflags! {
    /// Index flags as the catalog stores them: `fidb` in the low half, `fidx` in the high one. Source: ese-logical 1.8.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct IndexFlags: u32 {
        /// No two entries have one key.
        const UNIQUE = 0x0001;
        /// Rows whose segments are all NULL have an entry.
        const ALLOW_ALL_NULLS = 0x0002;
        /// Rows whose first segment is NULL have an entry.
        const ALLOW_FIRST_NULL = 0x0004;
        /// Rows with another NULL segment have an entry.
        const ALLOW_SOME_NULLS = 0x0008;
        /// NULL in any segment is an error.
        const NO_NULL_SEGMENT = 0x0010;
        /// The primary index: its tree is the table.
        const PRIMARY = 0x0020;
        /// The creator named a locale.
        const LOCALE_SET = 0x0040;
        /// A segment is a multi-valued column.
        const MULTI_VALUED = 0x0080;
        /// Index of a template table.
        const TEMPLATE = 0x0100;
        /// Definition inherited from a template table.
        const DERIVED = 0x0200;
        /// A segment is text in code page 1200.
        const LOCALIZED_TEXT = 0x0400;
        /// NULL sorts after everything else.
        const NULLS_HIGH = 0x0800;
        /// Old mark of the Unicode fix-up.
        const UNICODE_FIXUP = 0x1000;
        /// One entry for each combination of values.
        const CROSS_PRODUCT = 0x2000;
        /// Keys that do not fit are an error.
        const TRUNCATION_DISALLOWED = 0x4000;
        /// The k-th values of all multi-valued columns form one entry.
        const NESTED_TABLE = 0x8000;
        /// Segments are stored in four bytes each.
        const EXTENDED_COLUMNS = 0x0001_0000;
        /// GUIDs sort in the order of .NET.
        const DOT_NET_GUID = 0x0002_0000;
        /// Filled later.
        const DEFERRED_POPULATE = 0x0004_0000;
        /// Unique as long as the caller wishes.
        const OPTIONALLY_UNIQUE = 0x0008_0000;
        const _ = !0;
    }
}

/// One column of an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IndexSegment {
    /// The column.
    pub fid: Fid,
    /// Sorts from high to low.
    pub descending: bool,
    /// The column lives in the template table.
    pub template: bool,
}

/// What must hold for a row to have entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Condition {
    /// The column.
    pub fid: Fid,
    /// The column lives in the template table.
    pub template: bool,
    /// It must be NULL; otherwise it must not be.
    pub must_be_null: bool,
}

/// Limits of a tuple index, in characters. Source: ese-logical 6.9.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TupleLimits {
    /// Shortest tuple.
    pub shortest: u32,
    /// Longest tuple.
    pub longest: u32,
    /// Most tuples of one value.
    pub count: u32,
    /// Step from one tuple's start to the next one's.
    pub increment: u32,
    /// Start of the first tuple.
    pub start: u32,
}

impl TupleLimits {
    /// Reads the catalog cell, old or new form.
    ///
    /// # Errors
    /// [`EseError::Corrupt`] on any other length than 12 or 20 bytes, and on limits that would never end:
    /// no step, no length, more than 32767 tuples.
    pub fn parse(bytes: &[u8]) -> EseResult<Self> {
        let word = |index: usize| {
            let word = bytes.get(4 * index..4 * index + 4)?;
            Some(u32::from_le_bytes(word.try_into().ok()?))
        };
        let (Some(shortest), Some(longest), Some(count), 12 | 20) =
            (word(0), word(1), word(2), bytes.len())
        else {
            return Err(EseError::corrupt_bytes(format!("{} bytes of tuple limits", bytes.len())));
        };
        let limits = Self {
            shortest,
            longest,
            count,
            increment: word(3).unwrap_or(1),
            start: word(4).unwrap_or(0),
        };
        let small = [longest, count, limits.increment, limits.start].iter().all(|n| *n <= 0x7fff);
        if small && shortest > 0 && shortest <= longest && limits.increment > 0 {
            Ok(limits)
        } else {
            Err(EseError::corrupt_bytes(format!("tuple limits {limits:?} make no sense")))
        }
    }
}

/// An index as the key code needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexDef {
    /// The name.
    pub name: String,
    /// The tree; the table's own for the primary index.
    pub objid: ObjId,
    /// Root page of the tree.
    pub root: Pgno,
    /// The flags.
    pub flags: IndexFlags,
    /// The columns, most significant first.
    pub segments: Vec<IndexSegment>,
    /// Bound of a key in bytes, 255 unless the catalog says otherwise.
    pub key_most_bytes: u16,
    /// Bound of each segment of variable width in bytes; `None` = no bound of its own.
    pub var_seg_mac: Option<u16>,
    /// All must hold for a row to have entries.
    pub conditions: Vec<Condition>,
    /// Set for tuple indexes.
    pub tuple: Option<TupleLimits>,
    /// How full pages are left when the index is built, in percent.
    pub density: u32,
    /// Flags of the Windows function that makes sort keys; `None` = the default.
    pub lcmap_flags: Option<u32>,
    /// Locale of Unicode segments.
    pub locale: Option<String>,
    /// Version of the sort tables.
    pub sort_version: Option<u64>,
    /// GUID of the sort tables.
    pub sort_id: Option<[u8; 16]>,
}

/// Reads the segments of an index (`KeyFldIDs`).
///
/// # Errors
/// [`EseError::Corrupt`] when the length is no multiple of the item size or there are more than 16.
pub fn parse_segments(bytes: &[u8], flags: IndexFlags) -> EseResult<Vec<IndexSegment>> {
    let segment = |fid, bits, negative| IndexSegment {
        fid,
        descending: negative || bits & SEGMENT_DESCENDING != 0,
        template: bits & SEGMENT_TEMPLATE != 0,
    };
    parse_items(bytes, flags, segment)
}

/// Reads the conditions of an index (`ConditionalColumns`).
///
/// # Errors
/// As [`parse_segments`].
pub fn parse_conditions(bytes: &[u8], flags: IndexFlags) -> EseResult<Vec<Condition>> {
    let condition = |fid, bits, negative| Condition {
        fid,
        must_be_null: negative || bits & SEGMENT_MUST_BE_NULL != 0,
        template: bits & SEGMENT_TEMPLATE != 0,
    };
    parse_items(bytes, flags, condition)
}

fn parse_items<T>(
    bytes: &[u8],
    flags: IndexFlags,
    make: impl Fn(Fid, u8, bool) -> T,
) -> EseResult<Vec<T>> {
    let item_bytes = if flags.contains(IndexFlags::EXTENDED_COLUMNS) { 4 } else { 2 };
    let count = bytes.len() / item_bytes;
    if count * item_bytes != bytes.len() || count > MAX_SEGMENTS {
        let length = bytes.len();
        return Err(EseError::corrupt_bytes(format!("index columns in {length} bytes")));
    }
    let items = bytes.chunks_exact(item_bytes).map(|item| match *item {
        [bits, _, low, high] => make(Fid(u16::from_le_bytes([low, high])), bits, false),
        [low, high] => {
            let number = i16::from_le_bytes([low, high]);
            make(Fid(number.unsigned_abs()), 0, number < 0)
        }
        _ => unreachable!("chunks of exactly two or four bytes"),
    });
    Ok(items.collect())
}

/// The catalog cell of an index's segments, in the four-byte form.
pub fn encode_segments(segments: &[IndexSegment]) -> Vec<u8> {
    let items = segments.iter().map(|segment| {
        let descending = if segment.descending { SEGMENT_DESCENDING } else { 0 };
        item(segment.fid, segment.template, descending)
    });
    items.flatten().collect()
}

/// The catalog cell of an index's conditions, in the four-byte form.
pub fn encode_conditions(conditions: &[Condition]) -> Vec<u8> {
    let items = conditions.iter().map(|condition| {
        let must_be_null = if condition.must_be_null { SEGMENT_MUST_BE_NULL } else { 0 };
        item(condition.fid, condition.template, must_be_null)
    });
    items.flatten().collect()
}

fn item(fid: Fid, template: bool, bits: u8) -> [u8; 4] {
    let [low, high] = fid.0.to_le_bytes();
    [bits | if template { SEGMENT_TEMPLATE } else { 0 }, 0, low, high]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_read_in_both_forms() {
        let bytes = [0x00, 0, 1, 0, 0x40, 0, 2, 0, 0x80, 0, 0, 1];
        let segments = parse_segments(&bytes, IndexFlags::EXTENDED_COLUMNS).unwrap();
        let told: Vec<_> = segments.iter().map(|s| (s.fid.0, s.descending, s.template)).collect();
        assert_eq!(told, [(1, false, false), (2, true, false), (256, false, true)]);
        assert_eq!(encode_segments(&segments), bytes);
        let old = parse_segments(&[1, 0, 0xfe, 0xff], IndexFlags::empty()).unwrap();
        assert_eq!(old, segments[..2]);
    }

    #[test]
    fn conditions_are_read_in_both_forms() {
        let bytes = [0x20, 0, 1, 0, 0x00, 0, 2, 0];
        let conditions = parse_conditions(&bytes, IndexFlags::EXTENDED_COLUMNS).unwrap();
        let told: Vec<_> = conditions.iter().map(|c| (c.fid.0, c.must_be_null)).collect();
        assert_eq!(told, [(1, true), (2, false)]);
        assert_eq!(encode_conditions(&conditions), bytes);
        let old = parse_conditions(&[0xff, 0xff, 2, 0], IndexFlags::empty()).unwrap();
        assert_eq!(old, conditions);
    }

    #[test]
    fn broken_lists_are_refused() {
        assert!(parse_segments(&[0; 6], IndexFlags::EXTENDED_COLUMNS).is_err());
        assert!(parse_segments(&[0; 3], IndexFlags::empty()).is_err());
        assert!(parse_segments(&[0; 17 * 4], IndexFlags::EXTENDED_COLUMNS).is_err());
        assert_eq!(parse_segments(&[], IndexFlags::EXTENDED_COLUMNS).unwrap(), []);
    }

    #[test]
    fn tuple_limits_that_never_end_are_refused() {
        let cell = |words: &[u32]| words.iter().flat_map(|w| w.to_le_bytes()).collect::<Vec<_>>();
        let old = TupleLimits::parse(&cell(&[3, 10, 32767])).unwrap();
        assert_eq!((old.increment, old.start), (1, 0));
        assert!(TupleLimits::parse(&cell(&[2, 5, 4, 3, 1])).is_ok());
        for bad in [&[3, 10, 32767, 0, 0][..], &[0, 0, 9, 1, 0], &[4, 3, 9], &[3, 10, 9, 1], &[3]] {
            assert!(TupleLimits::parse(&cell(bad)).is_err(), "{bad:?}");
        }
    }
}
