//! Changing one page in place: nodes come and go, free space is accounted for to the byte.
//!
//! Works on small pages (node flags in the tag), because those are the only ones that this program
//! writes (design D1). After every operation the page satisfies ese-physical 5.3, except for the
//! checksum, which is stamped when the page is written.
//!
//! Callers hand over pages that [`super::rules::check_page`] has accepted; the asserts here guard
//! against mistakes of this program, not against bytes of a file.

use super::key::common_bytes;
use super::layout::{self, NodeFlags, PageFlags};
use super::view::PageView;
use super::{Dbtime, ObjId, PageSize, Pgno};
use crate::ese::error::EseResult;

/// A node's key is compressed when it shares more than this many bytes with tag 0. Source: ese-physical 6.2.
const MIN_SHARED_BYTES: usize = 2;

/// An editable page.
#[derive(Debug)]
pub struct PageEditor<'a> {
    bytes: &'a mut [u8],
    pgno: Pgno,
    size: PageSize,
}

/// How a key is laid down on a page: shared with tag 0, and own bytes.
#[derive(Debug, Clone, Copy)]
struct SplitKey<'k> {
    shared_bytes: usize,
    suffix: &'k [u8],
}

impl SplitKey<'_> {
    fn is_compressed(self) -> bool {
        self.shared_bytes > 0
    }

    /// Bytes in front of the data.
    fn header_bytes(self) -> usize {
        2 + if self.is_compressed() { 2 } else { 0 } + self.suffix.len()
    }
}

impl<'a> PageEditor<'a> {
    /// Lays out an empty page: no node, empty tag 0, no links.
    ///
    /// # Panics
    /// When `bytes` is not as long as a small page.
    pub fn format(
        bytes: &'a mut [u8],
        pgno: Pgno,
        objid: ObjId,
        flags: PageFlags,
        external_header: &[u8],
    ) -> Self {
        bytes.fill(0);
        Self::format_zeroed(bytes, pgno, objid, flags, external_header)
    }

    /// As [`Self::format`], in bytes that are zero already.
    ///
    /// # Panics
    /// As there.
    pub fn format_zeroed(
        bytes: &'a mut [u8],
        pgno: Pgno,
        objid: ObjId,
        flags: PageFlags,
        external_header: &[u8],
    ) -> Self {
        let mut page = Self::over(bytes, pgno);
        page.put_u32(layout::OBJID, objid.0);
        page.put_u32(layout::FLAGS, (flags | PageFlags::WRITTEN).bits());
        page.put_u16(layout::TAG_COUNT, 1);
        let area = page.size.data_bytes();
        page.set_free_bytes(area - layout::TAG_BYTES);
        page.set_external_header(external_header);
        page
    }

    /// Opens a page for changes.
    ///
    /// # Errors
    /// [`crate::ese::EseError::Corrupt`] when the page breaks a rule that editing relies on.
    pub fn open(bytes: &'a mut [u8], pgno: Pgno) -> EseResult<Self> {
        super::rules::check_page(&PageView::new(bytes, pgno)?)?;
        Ok(Self::over(bytes, pgno))
    }

    /// Opens a page that this program has laid out or checked before.
    ///
    /// # Panics
    /// When `bytes` is not as long as a small page.
    pub fn over(bytes: &'a mut [u8], pgno: Pgno) -> Self {
        let size = u32::try_from(bytes.len()).ok().and_then(|bytes| PageSize::new(bytes).ok());
        let size = size.unwrap_or_else(|| panic!("{} bytes are no page", bytes.len()));
        assert!(size.is_small(), "only small pages are written");
        Self { bytes, pgno, size }
    }

    /// The page, for reading.
    ///
    /// # Panics
    /// Never on a page of this program: the frame was checked when it was opened.
    pub fn view(&self) -> PageView<'_> {
        match PageView::new(self.bytes, self.pgno) {
            Ok(view) => view,
            Err(error) => panic!("an edited page lost its frame: {error}"),
        }
    }

    fn put_u16(&mut self, offset: usize, value: u16) {
        self.bytes[offset..offset + 2].copy_from_slice(&value.to_le_bytes());
    }

    fn put_u32(&mut self, offset: usize, value: u32) {
        self.bytes[offset..offset + 4].copy_from_slice(&value.to_le_bytes());
    }

    /// Sets the change counter.
    pub fn set_dbtime(&mut self, dbtime: Dbtime) {
        self.bytes[layout::DBTIME..layout::DBTIME + 8].copy_from_slice(&dbtime.0.to_le_bytes());
    }

    /// Links to the leaf before this one.
    pub fn set_previous(&mut self, pgno: Option<Pgno>) {
        self.put_u32(layout::PREVIOUS, Pgno::link(pgno));
    }

    /// Links to the leaf after this one.
    pub fn set_next(&mut self, pgno: Option<Pgno>) {
        self.put_u32(layout::NEXT, Pgno::link(pgno));
    }

    /// Sets what the page is.
    pub fn set_flags(&mut self, flags: PageFlags) {
        self.put_u32(layout::FLAGS, (flags | PageFlags::WRITTEN).bits());
    }

    fn set_free_bytes(&mut self, free_bytes: usize) {
        debug_assert!(free_bytes <= self.size.data_bytes());
        self.put_u16(layout::FREE_BYTES, free_bytes as u16);
    }

    fn tag_position(&self, index: usize) -> usize {
        self.size.bytes() - layout::TAG_BYTES * (index + 1)
    }

    fn put_tag(&mut self, index: usize, offset: usize, length_bytes: usize, flags: NodeFlags) {
        debug_assert!(offset <= 0x1fff && length_bytes <= 0x1fff);
        let at = self.tag_position(index);
        self.put_u16(at, length_bytes as u16);
        self.put_u16(at + 2, offset as u16 | u16::from(flags.bits()) << 13);
    }

    /// Offset, length and flags of a tag. An empty one has no place on the page, whatever offset a file gives it.
    fn raw_tag(&self, index: usize) -> (usize, usize, NodeFlags) {
        let at = self.tag_position(index);
        let (length_bytes, raw_offset) = (self.u16(at) & 0x1fff, self.u16(at + 2));
        let offset = if length_bytes == 0 { 0 } else { raw_offset & 0x1fff };
        (offset, length_bytes, NodeFlags::from_bits_truncate((raw_offset >> 13) as u8))
    }

    fn u16(&self, offset: usize) -> usize {
        usize::from(u16::from_le_bytes([self.bytes[offset], self.bytes[offset + 1]]))
    }

    fn tag_count(&self) -> usize {
        self.u16(layout::TAG_COUNT) & usize::from(layout::TAG_COUNT_MASK)
    }

    fn first_free(&self) -> usize {
        self.u16(layout::FIRST_FREE)
    }

    /// Bytes between the last node and the tag array.
    fn gap_bytes(&self) -> usize {
        self.size.data_bytes() - self.first_free() - layout::TAG_BYTES * self.tag_count()
    }

    /// Replaces tag 0. The page must not hold compressed nodes.
    ///
    /// # Panics
    /// When the bytes do not fit; callers ask [`Self::free_bytes`] first.
    pub fn set_external_header(&mut self, header: &[u8]) {
        let fits = self.replace_tag_bytes(0, NodeFlags::empty(), &[header]);
        assert!(fits, "no room for an external header of {} bytes", header.len());
    }

    /// Free bytes, holes included.
    pub fn free_bytes(&self) -> usize {
        self.u16(layout::FREE_BYTES)
    }

    fn split_key<'k>(&self, key: &'k [u8]) -> SplitKey<'k> {
        let common = common_bytes(self.key_prefix(), key);
        let shared_bytes = if common > MIN_SHARED_BYTES { common } else { 0 };
        SplitKey { shared_bytes, suffix: &key[shared_bytes..] }
    }

    /// Tag 0, but nothing on a root, where that is the space header.
    fn key_prefix(&self) -> &[u8] {
        if self.u16(layout::FLAGS) & usize::from(PageFlags::ROOT.bits() as u16) != 0 {
            return &[];
        }
        let (offset, len_bytes, _) = self.raw_tag(0);
        let start = self.size.header_bytes() + offset;
        self.bytes.get(start..start + len_bytes).unwrap_or(&[])
    }

    /// Whether a node with this key and this much data fits, were it inserted now.
    pub fn has_room_for(&self, key: &[u8], data_bytes: usize) -> bool {
        let needed = self.split_key(key).header_bytes() + data_bytes + layout::TAG_BYTES;
        needed <= self.free_bytes()
    }

    /// Inserts a node before `line`; answers false, and changes nothing, when it does not fit.
    ///
    /// # Panics
    /// When `line` is past the end or the data is empty, which no tree may hold (ese-physical 5.3).
    pub fn insert_node(&mut self, line: usize, key: &[u8], data: &[u8]) -> bool {
        self.insert_node_pieces(line, key, &[data])
    }

    /// As [`Self::insert_node`], with the data in pieces.
    ///
    /// # Panics
    /// As [`Self::insert_node`].
    pub fn insert_node_pieces(&mut self, line: usize, key: &[u8], data: &[&[u8]]) -> bool {
        let data_bytes = data.iter().map(|piece| piece.len()).sum::<usize>();
        assert!(data_bytes > 0, "a node must have data");
        let count = self.tag_count();
        let index = line + 1;
        assert!(index <= count, "line {line} of {} nodes", count - 1);
        let split = self.split_key(key);
        let length_bytes = split.header_bytes() + data_bytes;
        let free_bytes = self.free_bytes();
        if length_bytes + layout::TAG_BYTES > free_bytes {
            return false;
        }
        if length_bytes + layout::TAG_BYTES > self.gap_bytes() {
            self.compact();
        }
        let offset = self.first_free();
        let moved = self.tag_position(count - 1)..self.tag_position(index) + layout::TAG_BYTES;
        if index < count {
            self.bytes.copy_within(moved.clone(), moved.start - layout::TAG_BYTES);
        }
        self.write_node_at(offset, split, data);
        self.put_tag(index, offset, length_bytes, node_flags(split));
        self.put_u16(layout::TAG_COUNT, (count + 1) as u16);
        self.put_u16(layout::FIRST_FREE, (offset + length_bytes) as u16);
        self.set_free_bytes(free_bytes - length_bytes - layout::TAG_BYTES);
        true
    }

    fn write_node_at(&mut self, offset: usize, split: SplitKey<'_>, data: &[&[u8]]) {
        let mut at = self.size.header_bytes() + offset;
        let mut put = |piece: &[u8]| {
            self.bytes[at..at + piece.len()].copy_from_slice(piece);
            at += piece.len();
        };
        if split.is_compressed() {
            put(&(split.shared_bytes as u16).to_le_bytes());
        }
        put(&(split.suffix.len() as u16).to_le_bytes());
        put(split.suffix);
        data.iter().for_each(|piece| put(piece));
    }

    /// Removes node `line`.
    ///
    /// # Panics
    /// When there is no such node.
    pub fn delete_node(&mut self, line: usize) {
        let index = line + 1;
        let count = self.tag_count();
        assert!(index < count, "line {line} of {} nodes", count - 1);
        let (offset, length_bytes, _) = self.raw_tag(index);
        let first_free = self.first_free();
        let free_bytes = self.free_bytes();
        let start = self.size.header_bytes() + offset;
        // Zeroed, so that deleted mail does not linger in holes.
        self.bytes[start..start + length_bytes].fill(0);
        let last = self.tag_position(count - 1);
        let removed = self.tag_position(index);
        self.bytes.copy_within(last..removed, last + layout::TAG_BYTES);
        self.bytes[last..last + layout::TAG_BYTES].fill(0);
        self.put_u16(layout::TAG_COUNT, (count - 1) as u16);
        self.set_free_bytes(free_bytes + length_bytes + layout::TAG_BYTES);
        if offset + length_bytes == first_free {
            self.put_u16(layout::FIRST_FREE, offset as u16);
        }
    }

    /// Replaces the data of node `line`, key unchanged; answers false, and changes nothing, when it does not fit.
    ///
    /// # Panics
    /// When there is no such node or the data is empty.
    pub fn replace_data(&mut self, line: usize, data: &[u8]) -> bool {
        assert!(!data.is_empty(), "a node must have data");
        let index = line + 1;
        let (offset, length_bytes, flags) = self.raw_tag(index);
        let old_data_bytes = match self.view().node(line) {
            Ok(node) => node.data.len(),
            Err(error) => panic!("an edited page lost a node: {error}"),
        };
        let start = self.size.header_bytes() + offset;
        let key_bytes = length_bytes - old_data_bytes;
        let kept = flags & NodeFlags::COMPRESSED;
        if old_data_bytes == data.len() {
            self.bytes[start + key_bytes..start + length_bytes].copy_from_slice(data);
            self.put_tag(index, offset, length_bytes, kept);
            return true;
        }
        let key = self.bytes[start..start + key_bytes].to_vec();
        self.replace_tag_bytes(index, kept, &[&key, data])
    }

    /// Replaces the bytes of one tag by `pieces`.
    fn replace_tag_bytes(&mut self, index: usize, flags: NodeFlags, pieces: &[&[u8]]) -> bool {
        let (offset, old_bytes, _) = self.raw_tag(index);
        let new_bytes = pieces.iter().map(|piece| piece.len()).sum::<usize>();
        let free_bytes = self.free_bytes();
        if new_bytes > free_bytes + old_bytes {
            return false;
        }
        let start = self.size.header_bytes() + offset;
        if new_bytes == old_bytes {
            put_pieces(&mut self.bytes[start..start + old_bytes], pieces);
            return true;
        }
        self.bytes[start..start + old_bytes].fill(0);
        self.put_tag(index, 0, 0, flags);
        self.set_free_bytes(free_bytes + old_bytes);
        if new_bytes > self.gap_bytes() {
            self.compact();
        }
        if new_bytes > 0 {
            let first_free = self.first_free();
            let start = self.size.header_bytes() + first_free;
            put_pieces(&mut self.bytes[start..start + new_bytes], pieces);
            self.put_tag(index, first_free, new_bytes, flags);
            self.put_u16(layout::FIRST_FREE, (first_free + new_bytes) as u16);
        }
        self.set_free_bytes(free_bytes + old_bytes - new_bytes);
        true
    }

    /// Moves all tags' bytes together, in tag order, and zeroes the rest.
    pub fn compact(&mut self) {
        let count = self.tag_count();
        let header_bytes = self.size.header_bytes();
        let old = self.bytes[header_bytes..].to_vec();
        let mut first_free = 0;
        for index in 0..count {
            let (offset, length_bytes, flags) = self.raw_tag(index);
            let target = header_bytes + first_free;
            self.bytes[target..target + length_bytes]
                .copy_from_slice(&old[offset..offset + length_bytes]);
            self.put_tag(
                index,
                if length_bytes == 0 { 0 } else { first_free },
                length_bytes,
                flags,
            );
            first_free += length_bytes;
        }
        let tags_start = self.tag_position(count - 1);
        self.bytes[header_bytes + first_free..tags_start].fill(0);
        self.put_u16(layout::FIRST_FREE, first_free as u16);
    }
}

fn put_pieces(mut target: &mut [u8], pieces: &[&[u8]]) {
    for piece in pieces {
        let (head, rest) = target.split_at_mut(piece.len());
        head.copy_from_slice(piece);
        target = rest;
    }
}

fn node_flags(split: SplitKey<'_>) -> NodeFlags {
    if split.is_compressed() { NodeFlags::COMPRESSED } else { NodeFlags::empty() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn nodes(page: &PageEditor<'_>) -> Vec<(Vec<u8>, Vec<u8>)> {
        let view = page.view();
        let lines = 0..view.node_count();
        lines
            .map(|line| view.node(line).unwrap())
            .map(|node| (node.key.to_vec(), node.data.to_vec()))
            .collect()
    }

    #[derive(Debug, Clone)]
    enum Step {
        Insert(Vec<u8>, Vec<u8>),
        Delete(prop::sample::Index),
        Replace(prop::sample::Index, Vec<u8>),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let key = prop::collection::vec(0u8..4, 1..40);
        let data = || prop::collection::vec(any::<u8>(), 1..600);
        let step = prop_oneof![
            4 => (key, data()).prop_map(|(key, data)| Step::Insert(key, data)),
            1 => any::<prop::sample::Index>().prop_map(Step::Delete),
            2 => (any::<prop::sample::Index>(), data()).prop_map(|(at, data)| Step::Replace(at, data)),
        ];
        prop::collection::vec(step, 1..60)
    }

    proptest! {
        #[test]
        fn an_edited_page_holds_what_a_sorted_map_holds(
            steps in steps(),
            prefix in prop::collection::vec(0u8..4, 0..12),
        ) {
            let pgno = Pgno::fixed(77);
            let mut bytes = vec![0xaa; 4096];
            let mut page =
                PageEditor::format(&mut bytes, pgno, ObjId(9), PageFlags::LEAF, &prefix);
            let mut model = std::collections::BTreeMap::new();
            for step in steps {
                match step {
                    Step::Insert(key, data) => {
                        if model.contains_key(&key) { continue }
                        let line = model.range(..key.clone()).count();
                        let fits = page.has_room_for(&key, data.len());
                        prop_assert_eq!(page.insert_node(line, &key, &data), fits);
                        if fits { model.insert(key, data); }
                    }
                    Step::Delete(at) if !model.is_empty() => {
                        let line = at.index(model.len());
                        let key = model.keys().nth(line).unwrap().clone();
                        page.delete_node(line);
                        model.remove(&key);
                    }
                    Step::Replace(at, data) if !model.is_empty() => {
                        let line = at.index(model.len());
                        let key = model.keys().nth(line).unwrap().clone();
                        if page.replace_data(line, &data) { model.insert(key, data); }
                    }
                    _ => {}
                }
                super::super::rules::check_page(&page.view()).unwrap();
                prop_assert_eq!(nodes(&page), model.clone().into_iter().collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn a_page_takes_nodes_to_its_last_byte() {
        let mut bytes = vec![0; 4096];
        let pgno = Pgno::fixed(5);
        let mut page = PageEditor::format(&mut bytes, pgno, ObjId(9), PageFlags::LEAF, &[]);
        assert_eq!(page.free_bytes(), 4052);
        let data = vec![7; 4052 - layout::TAG_BYTES - 2 - 3];
        assert!(!page.insert_node(0, b"long", &data));
        assert!(page.insert_node(0, b"key", &data));
        assert_eq!(page.free_bytes(), 0);
        super::super::rules::check_page(&page.view()).unwrap();
    }
}
