//! The tagged area of a record: an array that names columns, then their data.
//!
//! ```text
//! array entry   u16 column number, u16 ib
//!   ib          0x8000  derived: the number belongs to the template table
//!     small page: 0x4000 data starts with a header byte, 0x2000 explicit NULL, 0x1FFF offset
//!     large page: 0x7FFF offset; data always start with a header byte
//! offset        from the start of the array; a value ends where the next one starts
//! count         offset of the first entry / 4
//! header byte   01 long value type, 02 compressed, 04 separated, 08 several values,
//!               10 two values (with 08), 20 NULL (large pages), 40 encrypted
//! ```
//!
//! The linear form of the oldest databases has no array: `u16 column number, u16 w, w & 0x0FFF bytes`, repeated;
//! w: 0x2000 derived, 0x4000 NULL, 0x8000 long value. Sources: ese-logical 2.5, 2.6, 2.8.

use super::multi::{LinearItem, MultiValues};
use super::{FieldValues, Stored, broken, u16_at};
use crate::ese::error::{EseError, EseResult};
use crate::ese::page::PageSize;
use crate::ese::page::layout::u32_at;
use crate::ese::table::column::{Fid, Lid};

const ENTRY_BYTES: usize = 4;
const DERIVED: u16 = 0x8000;
const SMALL_HEADER: u16 = 0x4000;
const SMALL_NULL: u16 = 0x2000;
const SMALL_OFFSET: u16 = 0x1fff;
const LARGE_OFFSET: u16 = 0x7fff;

/// Bits of the header byte.
pub(super) mod header {
    pub(in super::super) const LONG_VALUE: u8 = 0x01;
    pub(in super::super) const COMPRESSED: u8 = 0x02;
    pub(in super::super) const SEPARATED: u8 = 0x04;
    pub(in super::super) const MULTI_VALUES: u8 = 0x08;
    pub(in super::super) const TWO_VALUES: u8 = 0x10;
    pub(in super::super) const NULL: u8 = 0x20;
    pub(in super::super) const ENCRYPTED: u8 = 0x40;
}

/// How the page that holds a record lays out its tagged area.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaggedStyle {
    /// Pages up to 8 KiB.
    Small,
    /// Pages of 16 and 32 KiB.
    Large,
    /// Pages without flag 0x800, written by engines before ESE98.
    Linear,
}

impl TaggedStyle {
    /// The style of a page; `new_format` is page flag 0x800.
    pub fn of_page(page_size: PageSize, new_format: bool) -> Self {
        match (new_format, page_size.is_small()) {
            (false, _) => Self::Linear,
            (true, true) => Self::Small,
            (true, false) => Self::Large,
        }
    }
}

/// The tagged area of one record.
#[derive(Debug, Clone, Copy)]
pub(super) struct TaggedArea<'a> {
    bytes: &'a [u8],
    style: TaggedStyle,
}

impl<'a> TaggedArea<'a> {
    pub(super) fn new(bytes: &'a [u8], style: TaggedStyle) -> Self {
        Self { bytes, style }
    }

    pub(super) fn style(self) -> TaggedStyle {
        self.style
    }

    fn offset_mask(self) -> u16 {
        if self.style == TaggedStyle::Large { LARGE_OFFSET } else { SMALL_OFFSET }
    }

    /// Number of array entries.
    fn count(self) -> EseResult<usize> {
        if self.bytes.is_empty() {
            return Ok(0);
        }
        let first = u16_at(self.bytes, 2).unwrap_or_default() & self.offset_mask();
        let array_bytes = usize::from(first);
        let whole = array_bytes % ENTRY_BYTES == 0 && array_bytes >= ENTRY_BYTES;
        if whole && array_bytes <= self.bytes.len() {
            Ok(array_bytes / ENTRY_BYTES)
        } else {
            Err(broken(format!(
                "tagged array of {array_bytes} bytes in an area of {}",
                self.bytes.len()
            )))
        }
    }

    /// Column number and `ib` of an entry below the count.
    #[inline(always)]
    fn entry(self, index: usize) -> (Fid, u16) {
        let entry = u32_at(self.bytes, index * ENTRY_BYTES).unwrap_or_default();
        (Fid(entry as u16), (entry >> 16) as u16)
    }

    /// Where the data of an entry begin.
    #[inline]
    fn start(self, ib: u16) -> usize {
        usize::from(ib & self.offset_mask())
    }

    /// The field of an entry below `count`.
    fn field(self, index: usize, count: usize) -> EseResult<TaggedField<'a>> {
        let end = match index + 1 < count {
            true => self.start(self.entry(index + 1).1),
            false => self.bytes.len(),
        };
        self.field_of(self.entry(index), end, count)
    }

    /// The field of an entry whose data end at `end`.
    #[inline(always)]
    fn field_of(
        self,
        (fid, ib): (Fid, u16),
        end: usize,
        count: usize,
    ) -> EseResult<TaggedField<'a>> {
        let start = self.start(ib);
        let data = self.bytes.get(start..end).filter(|_| start >= count * ENTRY_BYTES);
        let Some(data) = data else { return Err(out_of_place(fid, start, end)) };
        let has_header = self.style == TaggedStyle::Large || ib & SMALL_HEADER != 0;
        let content = if self.style == TaggedStyle::Small && ib & SMALL_NULL != 0 {
            Content::Null
        } else if has_header {
            match data.split_first() {
                Some((header, data)) => Content::Headed(*header, data),
                None => return Err(headless(fid)),
            }
        } else {
            Content::Bare(data)
        };
        Ok(TaggedField { fid, derived: ib & DERIVED != 0, small: self.is_small(), content })
    }

    fn is_small(self) -> bool {
        self.style != TaggedStyle::Large
    }

    /// The field of a column; `None` when it is absent.
    pub(super) fn find(self, fid: Fid, derived: bool) -> EseResult<Option<TaggedField<'a>>> {
        if self.style == TaggedStyle::Linear {
            return self.find_linear(fid, derived);
        }
        let wanted = (!derived, fid);
        let count = self.count()?;
        let (mut low, mut high) = (0, count);
        while low < high {
            let middle = low + (high - low) / 2;
            let (fid, ib) = self.entry(middle);
            match (ib & DERIVED == 0, fid).cmp(&wanted) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => return self.field(middle, count).map(Some),
            }
        }
        Ok(None)
    }

    /// The plain values of these columns, which must be sorted and of the table itself; `None` when a field is anything else than
    /// absent, NULL or plain, or the area is not in the sorted form.
    pub(super) fn plain<const N: usize>(self, fids: &[Fid; N]) -> Option<[Option<&'a [u8]>; N]> {
        if self.style == TaggedStyle::Linear {
            return None;
        }
        let mut found = [None; N];
        let (entries, mut index) = (self.entries()?, 0);
        for (fid, slot) in fids.iter().zip(&mut found) {
            while let Some([fid_low, fid_high, ib_low, ib_high]) = entries.get(index) {
                let here = Fid(u16::from_le_bytes([*fid_low, *fid_high]));
                let ib = u16::from_le_bytes([*ib_low, *ib_high]);
                if ib & DERIVED != 0 {
                    return None;
                }
                if here >= *fid {
                    if here == *fid {
                        *slot = self.plain_field(index, ib, entries)?;
                    }
                    break;
                }
                index += 1;
            }
        }
        Some(found)
    }

    /// The array of the sorted form; `None` when it is not whole.
    #[inline]
    fn entries(self) -> Option<&'a [[u8; ENTRY_BYTES]]> {
        let Some([_, _, low, high]) = self.bytes.first_chunk() else {
            return self.bytes.is_empty().then_some(&[]);
        };
        let array_bytes = usize::from(u16::from_le_bytes([*low, *high]) & self.offset_mask());
        let (entries, rest) = self.bytes.get(..array_bytes)?.as_chunks();
        (rest.is_empty() && !entries.is_empty()).then_some(entries)
    }

    /// The value of an entry with this `ib`, if it is plain: that of a bare field, or of one whose header says nothing else.
    #[inline]
    fn plain_field(
        self,
        index: usize,
        ib: u16,
        entries: &[[u8; ENTRY_BYTES]],
    ) -> Option<Option<&'a [u8]>> {
        let start = usize::from(ib & self.offset_mask());
        let end = match entries.get(index + 1) {
            Some([_, _, low, high]) => {
                usize::from(u16::from_le_bytes([*low, *high]) & self.offset_mask())
            }
            None => self.bytes.len(),
        };
        let data = self.bytes.get(start..end).filter(|_| start >= entries.len() * ENTRY_BYTES)?;
        if self.style == TaggedStyle::Small && ib & (SMALL_HEADER | SMALL_NULL) == 0 {
            return Some(Some(data));
        }
        match data {
            [header::LONG_VALUE, value @ ..] if ib & SMALL_NULL == 0 || !self.is_small() => {
                Some(Some(value))
            }
            _ => match self.field(index, entries.len()).ok()?.values().ok()? {
                FieldValues::One(Stored::Plain(value)) => Some(Some(value)),
                FieldValues::Null => Some(None),
                _ => None,
            },
        }
    }

    fn find_linear(self, fid: Fid, derived: bool) -> EseResult<Option<TaggedField<'a>>> {
        for field in self.fields() {
            let field = field?;
            if field.fid == fid && field.derived == derived {
                return Ok(Some(field));
            }
        }
        Ok(None)
    }

    pub(super) fn fields(self) -> TaggedFields<'a> {
        let next = if self.style == TaggedStyle::Linear { Ok(0) } else { self.count() };
        let (count, failed) = match next {
            Ok(count) => (count, None),
            Err(error) => (0, Some(error)),
        };
        TaggedFields { area: self, count, next: 0, ahead: self.entry(0), failed }
    }
}

#[cold]
fn out_of_place(fid: Fid, start: usize, end: usize) -> EseError {
    broken(format!("tagged column {fid} at {start}..{end}"))
}

#[cold]
fn headless(fid: Fid) -> EseError {
    broken(format!("tagged column {fid} without its header byte"))
}

/// Iterator over the tagged columns present, in stored order. A broken area ends it after one error.
#[derive(Debug)]
pub struct TaggedFields<'a> {
    area: TaggedArea<'a>,
    /// Entries of the array; unused in the linear form.
    count: usize,
    /// Next entry, or next byte in the linear form.
    next: usize,
    /// The next entry, if there is one.
    ahead: (Fid, u16),
    failed: Option<EseError>,
}

impl<'a> TaggedFields<'a> {
    /// What comes behind the entries of the array: nothing, the one error of a broken area, or columns of the linear form.
    #[inline(never)]
    fn next_of_other_form(&mut self) -> Option<EseResult<TaggedField<'a>>> {
        match self.failed.take() {
            Some(error) => Some(Err(error)),
            None if self.area.style == TaggedStyle::Linear => self.next_linear(),
            None => None,
        }
    }

    /// The items of the next column of the linear form.
    fn next_linear(&mut self) -> Option<EseResult<TaggedField<'a>>> {
        let rest = self.area.bytes.get(self.next..).filter(|rest| !rest.is_empty())?;
        let first = match LinearItem::parse(rest) {
            Ok(item) => item,
            Err(error) => {
                self.next = self.area.bytes.len();
                return Some(Err(error));
            }
        };
        let (mut count, mut length) = (0, 0);
        while let Some(Ok(item)) = rest.get(length..).map(LinearItem::parse) {
            if !item.same_column(&first) {
                break;
            }
            count += 1;
            length += item.total_bytes();
        }
        self.next += length;
        let items = rest.get(..length).unwrap_or_default();
        Some(Ok(TaggedField {
            fid: first.fid,
            derived: first.derived,
            small: true,
            content: Content::Linear { items, count },
        }))
    }
}

impl<'a> Iterator for TaggedFields<'a> {
    type Item = EseResult<TaggedField<'a>>;

    // Called from few places, for each field of each record: where it is inlined nothing of a field passes through memory.
    #[inline(always)]
    fn next(&mut self) -> Option<Self::Item> {
        if self.next >= self.count {
            return self.next_of_other_form();
        }
        let here = self.ahead;
        self.next += 1;
        let mut end = self.area.bytes.len();
        if self.next < self.count {
            self.ahead = self.area.entry(self.next);
            end = self.area.start(self.ahead.1);
        }
        Some(self.area.field_of(here, end, self.count))
    }
}

/// One tagged column of a record.
#[derive(Debug, Clone, Copy)]
pub struct TaggedField<'a> {
    /// The column.
    pub fid: Fid,
    /// The column belongs to the template table.
    pub derived: bool,
    small: bool,
    content: Content<'a>,
}

#[derive(Debug, Clone, Copy)]
enum Content<'a> {
    Null,
    Bare(&'a [u8]),
    Headed(u8, &'a [u8]),
    Linear { items: &'a [u8], count: usize },
}

impl<'a> TaggedField<'a> {
    /// Whether the field says that it belongs to a LongBinary or LongText column; `None` when it does not tell.
    pub fn is_long_value(&self) -> Option<bool> {
        match self.content {
            Content::Headed(byte, _) => Some(byte & header::LONG_VALUE != 0),
            _ => None,
        }
    }

    /// Header byte, if there is one, and what follows it; none for NULL, and in the linear form.
    pub(super) fn stored_parts(&self) -> Option<(Option<u8>, &'a [u8])> {
        match self.content {
            Content::Bare(data) => Some((None, data)),
            Content::Headed(byte, data) => Some((Some(byte), data)),
            Content::Null | Content::Linear { .. } => None,
        }
    }

    /// Whether the field says that the column is NULL.
    pub(super) fn is_null(&self) -> bool {
        matches!(self.content, Content::Null)
    }

    /// The values of the field; never [`FieldValues::Default`].
    ///
    /// # Errors
    /// [`EseError::Corrupt`] when header byte and data contradict each other.
    #[inline]
    pub fn values(&self) -> EseResult<FieldValues<'a>> {
        match self.content {
            Content::Null => Ok(FieldValues::Null),
            Content::Bare(data) | Content::Headed(header::LONG_VALUE, data) => {
                Ok(FieldValues::One(Stored::Plain(data)))
            }
            Content::Headed(byte, data) => self.headed(byte, data),
            Content::Linear { items, count } => MultiValues::linear(items, count),
        }
    }

    fn headed(&self, byte: u8, data: &'a [u8]) -> EseResult<FieldValues<'a>> {
        let has = |bits: u8| byte & bits != 0;
        let clash = has(header::SEPARATED)
            && has(header::COMPRESSED | header::ENCRYPTED | header::MULTI_VALUES);
        let lone_two = has(header::TWO_VALUES) && !has(header::MULTI_VALUES);
        let small_null = has(header::NULL) && self.small;
        if clash || lone_two || small_null || byte & 0x80 != 0 {
            return Err(broken(format!("tagged column {} with header {byte:#04x}", self.fid)));
        }
        if has(header::NULL) {
            return Ok(FieldValues::Null);
        }
        if has(header::MULTI_VALUES) {
            if has(header::ENCRYPTED) {
                return Err(EseError::unsupported("an encrypted multi-valued column"));
            }
            return MultiValues::parse(byte, data).map(FieldValues::Many);
        }
        Ok(FieldValues::One(if has(header::SEPARATED) {
            Stored::Separated(Lid::from_record_bytes(data)?)
        } else if has(header::ENCRYPTED) {
            Stored::Encrypted(data)
        } else if has(header::COMPRESSED) {
            Stored::Compressed(data)
        } else {
            Stored::Plain(data)
        }))
    }
}
