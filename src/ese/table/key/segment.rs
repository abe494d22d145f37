//! Normalising one value and adding it to a key. Source: ese-logical 6.1-6.5.
//!
//! ```text
//! NULL                        00, or C0 where NULL sorts high
//! zero-length text or binary  40
//! anything else               7F + body
//!   Bit 00 or FF; unsigned: big-endian; signed: big-endian, top bit flipped;
//!   float, DateTime: big-endian, negative: all bits flipped, else the top bit;
//!   GUID: bytes 10-15, 8-9, 6-7, 4-5, 0-3, or the order of .NET
//!   fixed binary: the bytes; other binary: groups of 8, each followed by 9, the last zero-padded and
//!   followed by its length; 8-bit text: up to the first 00, a-z in upper case, then 00
//! ```

use super::index::{IndexDef, IndexFlags, KEY_MOST_BYTES};
use crate::ese::error::{EseError, EseResult, Refusal};
use crate::ese::table::column::{ColumnClass, ColumnDef, ColumnType};
use crate::ese::table::value::CODE_PAGE_UNICODE;

const NULL_LOW: u8 = 0x00;
const NULL_HIGH: u8 = 0xc0;
const ZERO_LENGTH: u8 = 0x40;
const DATA: u8 = 0x7f;

/// Bytes of a group of variable binary, and with its count byte.
const GROUP_BYTES: usize = 8;
const CODED_GROUP_BYTES: usize = 9;
/// Count byte of a group that another one follows.
const MORE_FOLLOWS: u8 = 9;

/// Builds one key, segment by segment.
#[derive(Debug, Clone)]
pub struct KeyBuilder {
    bytes: Vec<u8>,
    flags: IndexFlags,
    key_most_bytes: usize,
    var_seg_mac: usize,
}

impl KeyBuilder {
    /// An empty key of `index`.
    pub fn new(index: &IndexDef) -> Self {
        /// Most keys are shorter, so that one allocation does.
        const USUAL_BYTES: usize = 64;
        let key_most_bytes = usize::from(index.key_most_bytes);
        Self {
            bytes: Vec::with_capacity(USUAL_BYTES),
            flags: index.flags,
            key_most_bytes,
            var_seg_mac: index.var_seg_mac.map_or(key_most_bytes, usize::from),
        }
    }

    /// Bytes of a value beyond which its key cannot change: callers need not fetch more of a long value.
    ///
    /// Tuple indexes look at the whole value and have no such bound.
    pub fn source_bytes(index: &IndexDef) -> Option<usize> {
        if index.tuple.is_some() { None } else { Some(usize::from(index.key_most_bytes)) }
    }

    /// The key so far, in memory of its own.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// The key so far.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Starts over with an empty key, keeping the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
    }

    /// Adds the value of `column`, `None` for NULL. What does not fit is cut, and further segments are ignored,
    /// unless the index disallows that.
    ///
    /// # Errors
    /// [`EseError::Unsupported`] for text in code page 1200; [`EseError::Corrupt`] when the value has not the
    /// width of its type; [`EseError::Refused`] when the key does not fit and the index disallows truncation.
    pub fn push(
        &mut self,
        column: &ColumnDef,
        descending: bool,
        value: Option<&[u8]>,
    ) -> EseResult<()> {
        let start = self.bytes.len();
        let space = self.key_most_bytes.saturating_sub(start);
        if space == 0 {
            return self.cut(column);
        }
        let mut fits = match value {
            None => {
                let high = self.flags.contains(IndexFlags::NULLS_HIGH);
                self.bytes.push(if high { NULL_HIGH } else { NULL_LOW });
                true
            }
            Some(value) => self.push_value(column, value, space)?,
        };
        if self.bytes.len() > self.key_most_bytes {
            self.bytes.truncate(self.key_most_bytes);
            fits = false;
        }
        if descending {
            self.bytes[start..].iter_mut().for_each(|byte| *byte = !*byte);
        }
        if fits { Ok(()) } else { self.cut(column) }
    }

    /// The key lost bytes for want of space.
    fn cut(&self, column: &ColumnDef) -> EseResult<()> {
        if !self.flags.contains(IndexFlags::TRUNCATION_DISALLOWED) {
            return Ok(());
        }
        let most = self.key_most_bytes;
        let reason = format!("the key does not fit into {most} bytes and must not be cut");
        Err(EseError::refused(Refusal::BadRequest, reason).in_object(&column.name))
    }

    /// Adds the segment of a value that is not NULL. Returns false when it was cut to `space`.
    fn push_value(&mut self, column: &ColumnDef, value: &[u8], space: usize) -> EseResult<bool> {
        match column.coltyp {
            ColumnType::Binary
            | ColumnType::LongBinary
            | ColumnType::Text
            | ColumnType::LongText
                if value.is_empty() =>
            {
                self.bytes.push(ZERO_LENGTH);
                Ok(true)
            }
            ColumnType::Text | ColumnType::LongText => {
                if column.code_page == CODE_PAGE_UNICODE {
                    return Err(EseError::unsupported("Unicode keys").in_object(&column.name));
                }
                Ok(self.push_text(value, space))
            }
            ColumnType::Binary if column.fid.class() == ColumnClass::Fixed => {
                Ok(self.push_fixed_binary(value, space))
            }
            ColumnType::Binary | ColumnType::LongBinary => Ok(self.push_binary(value, space)),
            coltyp if coltyp.fixed_width_bytes() != Some(value.len()) => {
                let reason = format!("a key of {} bytes for {coltyp}", value.len());
                Err(EseError::corrupt_bytes(reason).in_object(&column.name))
            }
            _ => {
                self.bytes.push(DATA);
                let body = self.bytes.len();
                self.bytes.extend_from_slice(value);
                self.normalise_scalar(column, body);
                Ok(true)
            }
        }
    }

    /// Limit of a segment of variable width, and whether it is the space in the key that limits.
    fn limit(&self, space: usize) -> (usize, bool) {
        if self.var_seg_mac < space { (self.var_seg_mac, false) } else { (space, true) }
    }

    /// 8-bit text. What does not fit ends in one source byte less 20 hex: an old slip of the engine that every
    /// existing index relies on.
    fn push_text(&mut self, value: &[u8], space: usize) -> bool {
        let (limit, limited_by_key) = self.limit(space);
        self.bytes.push(DATA);
        let body_limit = limit.saturating_sub(1);
        let source = match self.key_most_bytes {
            // Indexes of the classic bound never look further, so that older engines agree.
            most if most == usize::from(KEY_MOST_BYTES) => &value[..value.len().min(most)],
            _ => value,
        };
        let length = source.iter().take(body_limit).position(|byte| *byte == 0);
        let length = length.unwrap_or(source.len());
        if length < body_limit {
            self.bytes.extend(source[..length].iter().map(u8::to_ascii_uppercase));
            self.bytes.push(0);
            return true;
        }
        if let Some((last, before)) = source.get(..body_limit).and_then(<[u8]>::split_last) {
            self.bytes.extend(before.iter().map(u8::to_ascii_uppercase));
            self.bytes.push(last.wrapping_sub(0x20));
        }
        !limited_by_key
    }

    fn push_fixed_binary(&mut self, value: &[u8], space: usize) -> bool {
        let (limit, limited_by_key) = self.limit(space);
        let length = value.len().min(limit.saturating_sub(1));
        self.bytes.push(DATA);
        self.bytes.extend_from_slice(&value[..length]);
        length == value.len() || !limited_by_key
    }

    fn push_binary(&mut self, value: &[u8], space: usize) -> bool {
        let (limit, limited_by_key) = self.limit(space);
        let whole_bytes = 1 + value.len().div_ceil(GROUP_BYTES).saturating_mul(CODED_GROUP_BYTES);
        let is_whole = whole_bytes <= limit;
        let end = self.bytes.len() + whole_bytes.min(limit).max(1);
        self.bytes.push(DATA);
        for group in value.chunks(GROUP_BYTES) {
            let room = end - self.bytes.len();
            if room < CODED_GROUP_BYTES {
                self.bytes.extend_from_slice(&group[..group.len().min(room)]);
                break;
            }
            let group_end = self.bytes.len() + GROUP_BYTES;
            self.bytes.extend_from_slice(group);
            self.bytes.resize(group_end, 0);
            let is_last = end - group_end == 1 && is_whole;
            let full = group.len() == GROUP_BYTES;
            self.bytes.push(if full && !is_last { MORE_FOLLOWS } else { group.len() as u8 });
        }
        self.bytes.resize(end, 0);
        is_whole || !limited_by_key
    }

    /// Turns the bytes from `body` on, of the width of their type, into their sortable form.
    fn normalise_scalar(&mut self, column: &ColumnDef, body: usize) {
        let dot_net = self.flags.contains(IndexFlags::DOT_NET_GUID);
        let bytes = &mut self.bytes[body..];
        match column.coltyp {
            ColumnType::Bit => bytes.iter_mut().filter(|b| **b != 0).for_each(|b| *b = 0xff),
            ColumnType::Guid => sort_guid(bytes, dot_net),
            _ => bytes.reverse(),
        }
        match column.coltyp {
            ColumnType::Short | ColumnType::Long | ColumnType::Currency | ColumnType::LongLong => {
                bytes[0] ^= 0x80;
            }
            ColumnType::IeeeSingle | ColumnType::IeeeDouble | ColumnType::DateTime => {
                if bytes[0] & 0x80 == 0 {
                    bytes[0] ^= 0x80;
                } else {
                    bytes.iter_mut().for_each(|byte| *byte = !*byte);
                }
            }
            _ => {}
        }
    }
}

/// Puts the 16 bytes of a GUID into the order in which they are compared.
fn sort_guid(bytes: &mut [u8], dot_net: bool) {
    let order: [usize; 16] = if dot_net {
        [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15]
    } else {
        [10, 11, 12, 13, 14, 15, 8, 9, 6, 7, 4, 5, 0, 1, 2, 3]
    };
    let mut stored = [0; 16];
    stored.copy_from_slice(bytes);
    for (byte, from) in bytes.iter_mut().zip(order) {
        *byte = stored[from];
    }
}
