//! Reading one page: header fields, tags, nodes. Trusts nothing but the slice's length.

use std::cmp::Ordering;

use super::layout::{self, NodeFlags, PageFlags, u16_at, u32_at, u64_at};
use super::{Dbtime, ObjId, PageSize, Pgno};
use crate::ese::error::{EseError, EseResult};

/// A page whose frame was checked once: the size is legal and the tag array lies inside the page.
///
/// The content of each tag is checked when it is asked for.
#[derive(Debug, Clone, Copy)]
pub struct PageView<'a> {
    bytes: &'a [u8],
    pgno: Pgno,
    size: PageSize,
    tag_count: usize,
    reserved_tags: usize,
    flags: PageFlags,
}

/// One tag's raw fields. Source: ese-physical 5.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tag {
    /// Offset of the bytes from the end of the page header.
    pub offset: usize,
    /// Number of bytes.
    pub length_bytes: usize,
    /// Node flags of a small page's tag; always empty on large pages, where they stand in the node.
    pub flags: NodeFlags,
}

/// A key in two parts: what the node shares with tag 0, and its own bytes.
#[derive(Debug, Clone, Copy)]
pub struct KeyParts<'a> {
    /// Leading bytes, taken from tag 0.
    pub prefix: &'a [u8],
    /// The rest, taken from the node.
    pub suffix: &'a [u8],
}

/// One node of a page.
#[derive(Debug, Clone, Copy)]
pub struct Node<'a> {
    /// The node's key.
    pub key: KeyParts<'a>,
    /// Data after the key.
    pub data: &'a [u8],
    /// State.
    pub flags: NodeFlags,
}

impl<'a> KeyParts<'a> {
    /// Length of the whole key in bytes.
    pub fn len_bytes(&self) -> usize {
        self.prefix.len() + self.suffix.len()
    }

    /// Whether the key has no bytes: "plus infinity" at the end of a branch page.
    pub fn is_empty(&self) -> bool {
        self.prefix.is_empty() && self.suffix.is_empty()
    }

    /// The whole key in memory of its own.
    pub fn to_vec(&self) -> Vec<u8> {
        let mut key = Vec::with_capacity(self.len_bytes());
        self.append_to(&mut key);
        key
    }

    /// Appends the whole key.
    pub fn append_to(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.prefix);
        out.extend_from_slice(self.suffix);
    }

    /// Compares with a key in one piece: bytewise, then the shorter one first. Source: ese-physical 6.3.
    pub fn compare(&self, other: &[u8]) -> Ordering {
        compare_parts([self.prefix, self.suffix, &[]], [other, &[], &[]])
    }
}

/// Compares two byte strings, each given in three pieces.
pub fn compare_parts(a: [&[u8]; 3], b: [&[u8]; 3]) -> Ordering {
    let (mut ai, mut bi) = (0, 0);
    let (mut left, mut right) = (a[0], b[0]);
    loop {
        while left.is_empty() && ai < 2 {
            ai += 1;
            left = a[ai];
        }
        while right.is_empty() && bi < 2 {
            bi += 1;
            right = b[bi];
        }
        let common = left.len().min(right.len());
        if common == 0 {
            return left.len().cmp(&right.len());
        }
        let (left_head, left_rest) = left.split_at(common);
        let (right_head, right_rest) = right.split_at(common);
        match left_head.cmp(right_head) {
            Ordering::Equal => (left, right) = (left_rest, right_rest),
            unequal => return unequal,
        }
    }
}

impl<'a> PageView<'a> {
    /// Checks the frame of `bytes`, which is page `pgno`.
    ///
    /// # Errors
    /// [`EseError::Corrupt`] when the length is no page size or the tag array cannot be where it says.
    #[inline]
    pub fn new(bytes: &'a [u8], pgno: Pgno) -> EseResult<Self> {
        let size = PageSize::new(u32::try_from(bytes.len()).unwrap_or(u32::MAX))
            .map_err(|error| error.on_page(pgno))?;
        let state = u16_at(bytes, layout::TAG_COUNT).unwrap_or(0);
        let flags = PageFlags::from_bits_retain(u32_at(bytes, layout::FLAGS).unwrap_or(0));
        let tag_count = usize::from(state & layout::TAG_COUNT_MASK);
        let reserved_tags = usize::from((state >> 12) & 7).max(1);
        if tag_count * layout::TAG_BYTES > size.data_bytes() {
            return Err(EseError::corrupt(
                pgno,
                format!("{tag_count} tags do not fit on the page"),
            ));
        }
        let is_bare = flags.intersects(PageFlags::EMPTY | PageFlags::PRE_INIT);
        if tag_count < reserved_tags && !is_bare {
            return Err(EseError::corrupt(
                pgno,
                format!(
                    "{tag_count} tags, at least {reserved_tags} are needed; is the page unused?"
                ),
            ));
        }
        Ok(Self { bytes, pgno, size, tag_count, reserved_tags, flags })
    }

    /// All bytes of the page.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The page's number.
    pub fn pgno(&self) -> Pgno {
        self.pgno
    }

    /// The page's size.
    pub fn size(&self) -> PageSize {
        self.size
    }

    /// What the page is.
    pub fn flags(&self) -> PageFlags {
        self.flags
    }

    /// Whether all of `flags` are set.
    pub fn has(&self, flags: PageFlags) -> bool {
        self.flags.contains(flags)
    }

    /// Whether this is a leaf.
    pub fn is_leaf(&self) -> bool {
        self.has(PageFlags::LEAF)
    }

    /// Whether this is a root.
    pub fn is_root(&self) -> bool {
        self.has(PageFlags::ROOT)
    }

    /// Change counter of the last modification.
    pub fn dbtime(&self) -> Dbtime {
        Dbtime(u64_at(self.bytes, layout::DBTIME).unwrap_or(0))
    }

    /// Tree that owns the page.
    pub fn objid(&self) -> ObjId {
        ObjId(u32_at(self.bytes, layout::OBJID).unwrap_or(0))
    }

    /// Link to the previous leaf.
    pub fn previous(&self) -> Option<Pgno> {
        Pgno::new(u32_at(self.bytes, layout::PREVIOUS).unwrap_or(0))
    }

    /// Link to the next leaf.
    pub fn next(&self) -> Option<Pgno> {
        Pgno::new(u32_at(self.bytes, layout::NEXT).unwrap_or(0))
    }

    /// Both links as stored, previous first; 0 = none.
    pub fn raw_links(&self) -> (u32, u32) {
        let link = |offset| u32_at(self.bytes, offset).unwrap_or(0);
        (link(layout::PREVIOUS), link(layout::NEXT))
    }

    /// Free bytes as stored, holes included.
    pub fn free_bytes(&self) -> usize {
        usize::from(u16_at(self.bytes, layout::FREE_BYTES).unwrap_or(0))
    }

    /// Uncommitted free bytes as stored.
    pub fn uncommitted_free_bytes(&self) -> usize {
        usize::from(u16_at(self.bytes, layout::UNCOMMITTED_FREE_BYTES).unwrap_or(0))
    }

    /// First free byte as stored, from the end of the page header.
    pub fn first_free(&self) -> usize {
        usize::from(u16_at(self.bytes, layout::FIRST_FREE).unwrap_or(0))
    }

    /// Tags in use, tag 0 and reserved ones included.
    pub fn tag_count(&self) -> usize {
        self.tag_count
    }

    /// Tags in front of the nodes: tag 0 and those that newer formats reserve.
    pub fn reserved_tags(&self) -> usize {
        self.reserved_tags
    }

    /// Number of nodes (lines).
    pub fn node_count(&self) -> usize {
        self.tag_count.saturating_sub(self.reserved_tags)
    }

    /// The raw fields of tag `index`.
    ///
    /// # Errors
    /// [`EseError::Corrupt`] when there is no such tag or its bytes lie outside the page.
    #[inline]
    pub fn tag(&self, index: usize) -> EseResult<Tag> {
        if index >= self.tag_count {
            return Err(self.no_tag(index));
        }
        // The frame was checked to hold all tags, so this is never too short.
        let at = self.bytes.len() - layout::TAG_BYTES * (index + 1);
        let raw = self.bytes.get(at..).and_then(|rest| rest.first_chunk::<{ layout::TAG_BYTES }>());
        let [length_low, length_high, offset_low, offset_high] = *raw.unwrap_or(&[0; 4]);
        let raw_length = u16::from_le_bytes([length_low, length_high]);
        let raw_offset = u16::from_le_bytes([offset_low, offset_high]);
        let small = self.size.is_small();
        let mask = if small { 0x1fff } else { 0x7fff };
        let tag = Tag {
            offset: usize::from(raw_offset & mask),
            length_bytes: usize::from(raw_length & mask),
            flags: NodeFlags::from_bits_truncate(if small { (raw_offset >> 13) as u8 } else { 0 }),
        };
        if tag.length_bytes > 0 && tag.offset + tag.length_bytes > self.tags_start() {
            return Err(self.tag_out_of_place(index, tag));
        }
        Ok(tag)
    }

    /// Where the tag array begins, from the end of the page header.
    fn tags_start(&self) -> usize {
        self.size.data_bytes() - layout::TAG_BYTES * self.tag_count
    }

    #[cold]
    fn no_tag(&self, index: usize) -> EseError {
        let reason = format!("tag {index}: the page has {} tags", self.tag_count);
        EseError::corrupt(self.pgno, reason)
    }

    #[cold]
    fn tag_out_of_place(&self, index: usize, tag: Tag) -> EseError {
        let end = tag.offset + tag.length_bytes;
        let (start, limit) = (tag.offset, self.tags_start());
        let reason =
            format!("tag {index}: bytes {start}..{end} reach into the tag array at {limit}");
        EseError::corrupt(self.pgno, reason)
    }

    /// The bytes of tag `index`, as stored.
    fn tag_bytes(&self, tag: Tag) -> &'a [u8] {
        let start = self.size.header_bytes() + tag.offset;
        self.bytes.get(start..start + tag.length_bytes).unwrap_or(&[])
    }

    /// Tag 0: the space header of a root, the common key prefix of any other page. Source: ese-physical 5.4.
    ///
    /// # Errors
    /// [`EseError::Corrupt`] when its bytes lie outside the page.
    pub fn external_header(&self) -> EseResult<&'a [u8]> {
        Ok(self.tag_bytes(self.tag(0)?))
    }

    /// The common key prefix: tag 0, but nothing on a root, where tag 0 is the space header.
    fn key_prefix(&self) -> EseResult<&'a [u8]> {
        if self.is_root() { Ok(&[]) } else { self.external_header() }
    }

    /// Node `line`, counted from 0.
    ///
    /// # Errors
    /// [`EseError::Corrupt`] when there is no such node or its lengths do not add up.
    #[inline]
    pub fn node(&self, line: usize) -> EseResult<Node<'a>> {
        self.node_over(line, || self.key_prefix())
    }

    /// Whether node `line` is marked deleted, for walks that do not look at every node.
    ///
    /// # Errors
    /// As [`Self::node`], but a node whose lengths do not add up may pass.
    #[inline]
    pub fn is_deleted(&self, line: usize) -> EseResult<bool> {
        if !self.size.is_small() {
            return Ok(self.node(line)?.flags.contains(NodeFlags::DELETED));
        }
        Ok(self.tag(line + self.reserved_tags)?.flags.contains(NodeFlags::DELETED))
    }

    /// Node `line`; `key_prefix` answers [`Self::key_prefix`].
    #[inline]
    fn node_over(
        &self,
        line: usize,
        key_prefix: impl FnOnce() -> EseResult<&'a [u8]>,
    ) -> EseResult<Node<'a>> {
        let tag = self.tag(line + self.reserved_tags)?;
        let bytes = self.tag_bytes(tag);
        let corrupt =
            |reason: &str| Err(EseError::corrupt(self.pgno, reason.to_owned()).on_line(line));
        let flags = if self.size.is_small() {
            tag.flags
        } else {
            NodeFlags::from_bits_truncate(bytes.get(1).copied().unwrap_or(0) >> 5)
        };
        let mut rest = bytes;
        let mut take_count = || -> Option<usize> {
            let (count, tail) = rest.split_first_chunk::<2>()?;
            rest = tail;
            Some(usize::from(u16::from_le_bytes(*count) & layout::KEY_LENGTH_MASK))
        };
        let prefix = if flags.contains(NodeFlags::COMPRESSED) {
            let Some(count) = take_count() else { return corrupt("no room for the prefix count") };
            let Some(prefix) = key_prefix()?.get(..count) else {
                return corrupt("the key prefix is longer than tag 0");
            };
            prefix
        } else {
            &[]
        };
        let Some(count) = take_count() else { return corrupt("no room for the key length") };
        let Some((suffix, data)) = rest.split_at_checked(count) else {
            return corrupt("the key is longer than the node");
        };
        Ok(Node { key: KeyParts { prefix, suffix }, data, flags })
    }

    /// The child page that branch node `line` points at.
    ///
    /// # Errors
    /// [`EseError::Corrupt`] when the data is not one page number.
    pub fn child(&self, line: usize) -> EseResult<Pgno> {
        let node = self.node(line)?;
        let number = <[u8; 4]>::try_from(node.data).map(u32::from_le_bytes);
        number.ok().and_then(Pgno::new).ok_or_else(|| {
            EseError::corrupt(self.pgno, "a branch node does not hold a page number").on_line(line)
        })
    }

    /// First line for which `is_before` answers false; lines must be sorted by it.
    ///
    /// # Errors
    /// Whatever reading a node reports.
    pub fn partition(&self, mut is_before: impl FnMut(&Node<'a>) -> bool) -> EseResult<usize> {
        let key_prefix = self.key_prefix();
        let (mut low, mut high) = (0, self.node_count());
        while low < high {
            let middle = low + (high - low) / 2;
            // Most pages share one prefix: it is looked up once.
            let node = self.node_over(middle, || match &key_prefix {
                Ok(prefix) => Ok(prefix),
                Err(_) => self.key_prefix(),
            })?;
            if is_before(&node) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(low)
    }
}
