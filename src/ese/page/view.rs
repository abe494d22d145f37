//! Reading one page: header fields, tags, nodes. Trusts nothing but the slice's length.

pub use super::key::{KeyParts, compare_parts};
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
    frame: PageFrame,
}

/// What the frame of a page says, checked once: kept by those who look at one page again and again.
#[derive(Debug, Clone, Copy)]
pub struct PageFrame {
    size: PageSize,
    tag_count: u16,
    reserved_tags: u16,
    flags: PageFlags,
    /// Where the common key prefix lies on the page, if that was looked up: its start and its length in bytes.
    key_prefix: Option<(u16, u16)>,
}

impl PageFrame {
    /// What the page is.
    pub fn flags(&self) -> PageFlags {
        self.flags
    }

    /// Number of nodes (lines).
    #[inline]
    pub fn node_count(&self) -> usize {
        usize::from(self.tag_count.saturating_sub(self.reserved_tags))
    }
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
        let tag_count = state & layout::TAG_COUNT_MASK;
        let reserved_tags = ((state >> 12) & 7).max(1);
        if usize::from(tag_count) * layout::TAG_BYTES > size.data_bytes() {
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
        let frame = PageFrame { size, tag_count, reserved_tags, flags, key_prefix: None };
        Ok(Self { bytes, pgno, frame })
    }

    /// The page whose frame was checked before. Bytes of another page give nodes without meaning, or errors.
    #[inline]
    pub fn framed(bytes: &'a [u8], pgno: Pgno, frame: PageFrame) -> Self {
        Self { bytes, pgno, frame }
    }

    /// The frame, to be kept for [`Self::framed`]. The common key prefix is looked up, so that nodes need not do it.
    #[inline]
    pub fn frame(&self) -> PageFrame {
        let key_prefix = self.frame.key_prefix.or_else(|| self.key_prefix_place());
        PageFrame { key_prefix, ..self.frame }
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
        self.frame.size
    }

    /// What the page is.
    pub fn flags(&self) -> PageFlags {
        self.frame.flags
    }

    /// Whether all of `flags` are set.
    pub fn has(&self, flags: PageFlags) -> bool {
        self.frame.flags.contains(flags)
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
        usize::from(self.frame.tag_count)
    }

    /// Tags in front of the nodes: tag 0 and those that newer formats reserve.
    pub fn reserved_tags(&self) -> usize {
        usize::from(self.frame.reserved_tags)
    }

    /// Number of nodes (lines).
    #[inline]
    pub fn node_count(&self) -> usize {
        self.frame.node_count()
    }

    /// The raw fields of tag `index`.
    ///
    /// # Errors
    /// [`EseError::Corrupt`] when there is no such tag or its bytes lie outside the page.
    #[inline]
    pub fn tag(&self, index: usize) -> EseResult<Tag> {
        if index >= self.tag_count() {
            return Err(self.no_tag(index));
        }
        // The frame was checked to hold all tags, so this is never too short.
        let at = self.size().bytes() - layout::TAG_BYTES * (index + 1);
        let raw = self.bytes.get(at..).and_then(|rest| rest.first_chunk::<{ layout::TAG_BYTES }>());
        let [length_low, length_high, offset_low, offset_high] = *raw.unwrap_or(&[0; 4]);
        let raw_length = u16::from_le_bytes([length_low, length_high]);
        let raw_offset = u16::from_le_bytes([offset_low, offset_high]);
        let small = self.size().is_small();
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
        self.size().data_bytes() - layout::TAG_BYTES * self.tag_count()
    }

    #[cold]
    fn no_tag(&self, index: usize) -> EseError {
        let reason = format!("tag {index}: the page has {} tags", self.tag_count());
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
        let start = self.size().header_bytes() + tag.offset;
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
    #[inline]
    fn key_prefix(&self) -> EseResult<&'a [u8]> {
        match self.frame.key_prefix {
            Some((start, len_bytes)) => {
                let start = usize::from(start);
                Ok(self.bytes.get(start..start + usize::from(len_bytes)).unwrap_or(&[]))
            }
            None if self.is_root() => Ok(&[]),
            None => self.external_header(),
        }
    }

    /// Where the common key prefix lies; none when tag 0 is broken, which is an error only of nodes that need it.
    #[inline]
    fn key_prefix_place(&self) -> Option<(u16, u16)> {
        if self.is_root() {
            return Some((0, 0));
        }
        let tag = self.tag(0).ok()?;
        let start = self.size().header_bytes() + tag.offset;
        Some((u16::try_from(start).ok()?, u16::try_from(tag.length_bytes).ok()?))
    }

    /// Whether node `line` is marked deleted, for walks that do not look at every node.
    ///
    /// # Errors
    /// As [`Self::node`], but a node whose lengths do not add up may pass.
    #[inline]
    pub fn is_deleted(&self, line: usize) -> EseResult<bool> {
        if !self.size().is_small() {
            return Ok(self.node(line)?.flags.contains(NodeFlags::DELETED));
        }
        Ok(self.tag(line + self.reserved_tags())?.flags.contains(NodeFlags::DELETED))
    }

    /// Node `line`, counted from 0.
    ///
    /// # Errors
    /// [`EseError::Corrupt`] when there is no such node or its lengths do not add up.
    #[inline]
    pub fn node(&self, line: usize) -> EseResult<Node<'a>> {
        match self.plain_node(line) {
            Some(node) => Ok(node),
            None => self.any_node(line),
        }
    }

    /// A sound node of a small page whose key prefix is known, which is what searches look at by the million: `None` for everything
    /// else, whatever may be wrong with it.
    #[inline]
    fn plain_node(&self, line: usize) -> Option<Node<'a>> {
        let size = self.frame.size;
        let index = line + self.reserved_tags();
        if index >= self.tag_count() || !size.is_small() {
            return None;
        }
        let raw = u32_at(self.bytes, size.bytes() - layout::TAG_BYTES * (index + 1))?;
        let (length_bytes, offset) = (raw as usize & 0x1fff, (raw >> 16) as usize & 0x1fff);
        let start = size.header_bytes() + offset;
        let tags_start = size.bytes() - layout::TAG_BYTES * self.tag_count();
        let bytes = self.bytes.get(start..start + length_bytes);
        let mut rest = bytes.filter(|_| start + length_bytes <= tags_start)?;
        let mut take_count = || -> Option<usize> {
            let (count, tail) = rest.split_first_chunk::<2>()?;
            rest = tail;
            Some(usize::from(u16::from_le_bytes(*count) & layout::KEY_LENGTH_MASK))
        };
        let flags = NodeFlags::from_bits_truncate((raw >> 29) as u8);
        let mut prefix: &[u8] = &[];
        if flags.contains(NodeFlags::COMPRESSED) {
            let (start, len_bytes) = self.frame.key_prefix?;
            let count = take_count().filter(|count| *count <= usize::from(len_bytes))?;
            prefix = self.bytes.get(usize::from(start)..usize::from(start) + count)?;
        }
        let count = take_count()?;
        let (suffix, data) = rest.split_at_checked(count)?;
        Some(Node { key: KeyParts { prefix, suffix }, data, flags })
    }

    /// Any node, step by step.
    #[inline(never)]
    fn any_node(&self, line: usize) -> EseResult<Node<'a>> {
        let tag = self.tag(line + self.reserved_tags())?;
        let bytes = self.tag_bytes(tag);
        let flags = if self.size().is_small() {
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
            let Some(count) = take_count() else {
                return Err(self.bad_node(line, "no room for the prefix count"));
            };
            let Some(prefix) = self.key_prefix()?.get(..count) else {
                return Err(self.bad_node(line, "the key prefix is longer than tag 0"));
            };
            prefix
        } else {
            &[]
        };
        let Some(count) = take_count() else {
            return Err(self.bad_node(line, "no room for the key length"));
        };
        let Some((suffix, data)) = rest.split_at_checked(count) else {
            return Err(self.bad_node(line, "the key is longer than the node"));
        };
        Ok(Node { key: KeyParts { prefix, suffix }, data, flags })
    }

    #[cold]
    fn bad_node(&self, line: usize, reason: &str) -> EseError {
        EseError::corrupt(self.pgno, reason.to_owned()).on_line(line)
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
        // Most pages share one prefix: it is looked up once.
        let page = Self { frame: self.frame(), ..*self };
        let (mut low, mut high) = (0, page.node_count());
        while low < high {
            let middle = low + (high - low) / 2;
            if is_before(&page.node(middle)?) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(low)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ese::page::{ObjId, PageEditor};

    /// A leaf, some bytes of which are then written over.
    fn damaged_page(keys: &[Vec<u8>], damage: &[(usize, u8)]) -> Vec<u8> {
        let mut bytes = vec![0; 4096];
        let flags = PageFlags::LEAF;
        let mut page = PageEditor::format(&mut bytes, Pgno::fixed(7), ObjId(9), flags, b"abcd");
        for (line, key) in keys.iter().enumerate() {
            page.insert_node(line, key, b"data");
        }
        for (at, byte) in damage {
            // Half of the damage hits header and first nodes, half the last nodes and tags.
            let at = if *at < 256 { *at } else { 4096 - 512 + *at };
            bytes[at] = *byte;
        }
        bytes
    }

    proptest! {
        #[test]
        fn the_short_way_to_a_node_gives_what_the_long_one_gives(
            keys in prop::collection::vec(prop::collection::vec(b'a'..b'f', 1..9), 0..12),
            damage in prop::collection::vec((0usize..512, any::<u8>()), 0..6),
        ) {
            let bytes = damaged_page(&keys, &damage);
            let Ok(page) = PageView::new(&bytes, Pgno::fixed(7)) else { return Ok(()) };
            let framed = PageView::framed(&bytes, page.pgno(), page.frame());
            for line in 0..page.node_count() + 2 {
                let shown = |node: EseResult<Node<'_>>| format!("{node:?}");
                let right = shown(page.any_node(line));
                prop_assert_eq!(&shown(page.node(line)), &right);
                prop_assert_eq!(&shown(framed.node(line)), &right);
            }
        }
    }
}
