//! Reading long values, chunk by chunk.
//!
//! Declared lengths are believed only as far as chunks bear them out: memory grows with what was read.

use std::cmp::Ordering;

use crate::ese::error::{EseError, EseResult};
use crate::ese::page::layout::u32_at;
use crate::ese::page::{Node, PageSize};
use crate::ese::table::column::Lid;
use crate::ese::table::compress::{decompress, decompressed_len};
use crate::ese::table::schema::TableDef;
use crate::ese::tree::{Cursor, Tree};
use crate::ese::txn::Pages;

/// Reference count of a value that is being deleted.
const BEING_DELETED: u32 = u32::MAX;
/// Flag in the ninth byte of a root.
const ENCRYPTED: u8 = 1;
const OFFSET_BYTES: usize = 4;

/// Largest chunk in bytes when the table names none. Source: ese-logical 4.3.
pub fn default_chunk_bytes(page_size: PageSize) -> usize {
    match page_size.bytes() {
        16384 => 4050,
        32768 => 8150,
        small => small - 82,
    }
}

/// What the root of a long value says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LvInfo {
    /// How many values of records name it.
    pub references: u32,
    /// Declared plain length in bytes; not to be trusted before the value is read.
    pub len_bytes: u32,
}

/// Reads the long values of one table.
#[derive(Debug)]
pub struct LvReader<'d, P: Pages + ?Sized> {
    pages: &'d P,
    tree: Option<Tree>,
    chunk_bytes: usize,
}

impl<'d, P: Pages + ?Sized> LvReader<'d, P> {
    /// A reader for `table`.
    pub fn new(pages: &'d P, table: &TableDef) -> Self {
        let default = default_chunk_bytes(pages.page_size());
        let declared = table.lv_chunk_max.and_then(|bytes| usize::try_from(bytes).ok());
        let chunk_bytes = declared.filter(|bytes| (1..=default).contains(bytes)).unwrap_or(default);
        Self { pages, tree: table.long_value_tree(), chunk_bytes }
    }

    /// What the root of `lid` says, without reading the value.
    ///
    /// # Errors
    /// [`EseError::Corrupt`] when there is no such value or its root is broken, [`EseError::Unsupported`] when it is
    /// encrypted, [`EseError::Io`].
    pub fn info(&self, lid: Lid) -> EseResult<LvInfo> {
        self.open(lid).map(|value| value.info)
    }

    /// Gives the plain bytes of `lid` to `sink`, piece by piece in order. What was given before an error is sound.
    ///
    /// # Errors
    /// As [`Self::info`]; [`EseError::Corrupt`] when a chunk is missing, out of place or of the wrong length, or does
    /// not decompress.
    pub fn read(&self, lid: Lid, sink: &mut dyn FnMut(&[u8])) -> EseResult<LvInfo> {
        self.chunks(lid, &mut |chunk| {
            sink(chunk);
            true
        })
    }

    /// Appends the plain bytes of `lid` to `out`, which is as before after an error.
    ///
    /// # Errors
    /// As [`Self::read`]; [`EseError::Limit`] when the value declares more than `cap_bytes` bytes.
    pub fn read_into(&self, lid: Lid, cap_bytes: usize, out: &mut Vec<u8>) -> EseResult<()> {
        let start = out.len();
        let mut value = self.open(lid)?;
        let len_bytes = value.info.len_bytes;
        if len_bytes as usize > cap_bytes {
            let found = u64::from(len_bytes);
            return Err(value.place(EseError::limit("length in bytes", found, cap_bytes as u64)));
        }
        let result = value.each_plain(self, &mut |chunk| {
            out.extend_from_slice(chunk);
            true
        });
        if result.is_err() {
            out.truncate(start);
        }
        result
    }

    /// The plain bytes of `lid`.
    ///
    /// # Errors
    /// As [`Self::read_into`].
    pub fn read_to_vec(&self, lid: Lid, cap_bytes: usize) -> EseResult<Vec<u8>> {
        let mut bytes = Vec::new();
        self.read_into(lid, cap_bytes, &mut bytes)?;
        Ok(bytes)
    }

    /// The first bytes of `lid`, at most `len_bytes`; chunks behind them are not looked at.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn read_prefix(&self, lid: Lid, len_bytes: usize) -> EseResult<Vec<u8>> {
        let mut bytes = Vec::new();
        self.chunks(lid, &mut |chunk| {
            bytes.extend_from_slice(chunk);
            bytes.len() < len_bytes
        })?;
        bytes.truncate(len_bytes);
        Ok(bytes)
    }

    /// As [`Self::read`], until `sink` answers false.
    fn chunks(&self, lid: Lid, sink: &mut dyn FnMut(&[u8]) -> bool) -> EseResult<LvInfo> {
        let mut value = self.open(lid)?;
        value.each_plain(self, sink)?;
        Ok(value.info)
    }

    /// Gives `lid` to `sink` as it is stored: its length, then its chunks, raw or compressed, in order. For copying a value without
    /// decoding it; what `sink` reports ends the walk.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn copy_stored(
        &self,
        lid: Lid,
        sink: &mut dyn FnMut(StoredPart<'_>) -> EseResult<()>,
    ) -> EseResult<LvInfo> {
        let mut value = self.open(lid)?;
        sink(StoredPart::Start { len_bytes: value.info.len_bytes })?;
        value.each_chunk(self, &mut |chunk| {
            let is_whole = chunk.stored.len() == chunk.plain_bytes
                || chunk.stored.len() < chunk.plain_bytes
                    && decompressed_len(chunk.stored)? == chunk.plain_bytes;
            if !is_whole {
                let (found, expected) = (chunk.stored.len(), chunk.plain_bytes);
                let reason = format!("a chunk stored in {found} bytes does not hold {expected}");
                return Err(EseError::corrupt_bytes(reason));
            }
            sink(StoredPart::Chunk { offset: chunk.offset, stored: chunk.stored }).map(|()| true)
        })?;
        Ok(value.info)
    }

    /// CRC32 of all chunks of `lid` as they are stored, in order.
    ///
    /// # Errors
    /// As [`Self::read`], but chunks are not decompressed.
    pub fn stored_crc(&self, lid: Lid) -> EseResult<u32> {
        let mut crc = crc32fast::Hasher::new();
        self.copy_stored(lid, &mut |part| {
            if let StoredPart::Chunk { stored, .. } = part {
                crc.update(stored);
            }
            Ok(())
        })?;
        Ok(crc.finalize())
    }

    /// Bytes of every chunk but the last one in this table.
    pub fn chunk_bytes(&self) -> usize {
        self.chunk_bytes
    }

    /// Finds the root of `lid`.
    fn open(&self, lid: Lid) -> EseResult<OpenValue<'d, P>> {
        let tree = self.tree.ok_or_else(|| {
            let reason = "the record names a long value, but the table has none";
            EseError::corrupt_bytes(reason).in_object(name(lid))
        })?;
        let info = LvInfo { references: 0, len_bytes: 0 };
        let cursor = Cursor::new(self.pages, tree);
        let mut value = OpenValue { cursor, lid, key: RootKey::of(lid), info };
        value.info = match value.cursor.find(value.key.as_slice()) {
            Ok(true) => value.root().map_err(|error| value.place(error))?,
            Ok(false) => return Err(absent(lid).in_tree(tree.objid).in_file(self.pages.path())),
            Err(error) => return Err(error.in_tree(tree.objid).in_object(name(lid))),
        };
        Ok(value)
    }

    /// The plain length of every chunk but the last one.
    ///
    /// It is the table's chunk size, unless the keys say that this value was made with another one.
    fn span_bytes(&self, value: &OpenValue<'_, P>, first: &[u8]) -> EseResult<usize> {
        let is_single = value.info.len_bytes as usize <= self.chunk_bytes;
        if is_single || first.len() == self.chunk_bytes {
            return Ok(self.chunk_bytes);
        }
        if decompressed_len(first).is_ok_and(|plain| plain == self.chunk_bytes) {
            return Ok(self.chunk_bytes);
        }
        let second = [value.key.as_slice(), &1_u32.to_be_bytes()].concat();
        let mut cursor = Cursor::new(self.pages, *value.cursor.tree());
        let found = cursor.seek(&second)?;
        let offset = match cursor.entry()?.filter(|_| found) {
            Some(node) => value.key.offset_of(&node),
            None => None,
        };
        match offset.map(|offset| offset as usize) {
            Some(offset) if offset <= self.chunk_bytes || offset == first.len() => Ok(offset),
            _ => Err(EseError::corrupt_bytes(format!(
                "the second chunk is not at {}: a chunk is missing",
                self.chunk_bytes
            ))),
        }
    }
}

/// A long value whose root was found; the cursor stands on the root, then on its chunks.
struct OpenValue<'d, P: Pages + ?Sized> {
    cursor: Cursor<'d, P>,
    lid: Lid,
    key: RootKey,
    info: LvInfo,
}

/// The key of a root.
#[derive(Debug, Clone, Copy)]
struct RootKey {
    lid: Lid,
    bytes: [u8; 8],
    len_bytes: usize,
}

/// A part of a long value as it is stored.
#[derive(Debug, Clone, Copy)]
pub enum StoredPart<'c> {
    /// What comes first.
    Start {
        /// Declared plain length in bytes.
        len_bytes: u32,
    },
    /// A chunk.
    Chunk {
        /// Where it begins in the plain value.
        offset: u32,
        /// Its bytes, raw or compressed.
        stored: &'c [u8],
    },
}

/// One chunk as it is stored.
struct StoredChunk<'c> {
    /// Where it begins in the plain value.
    offset: u32,
    /// Its bytes, raw or compressed.
    stored: &'c [u8],
    /// Its plain length.
    plain_bytes: usize,
}

impl<P: Pages + ?Sized> OpenValue<'_, P> {
    fn root(&self) -> EseResult<LvInfo> {
        let Some(node) = self.cursor.entry()? else { return Err(absent(self.lid)) };
        let (Some(references), Some(len_bytes)) = (u32_at(node.data, 0), u32_at(node.data, 4))
        else {
            let found = node.data.len();
            return Err(EseError::corrupt_bytes(format!("a root of {found} bytes")));
        };
        if references == BEING_DELETED {
            return Err(EseError::corrupt_bytes("the value is being deleted"));
        }
        if node.data.get(8).is_some_and(|flags| flags & ENCRYPTED != 0) {
            return Err(EseError::unsupported("reading an encrypted value"));
        }
        Ok(LvInfo { references, len_bytes })
    }

    /// Completes the place of an error with where the cursor stands.
    fn place(&self, error: EseError) -> EseError {
        let error = match self.cursor.place() {
            Some((pgno, line)) => error.on_page(pgno).on_line(line),
            None => error,
        };
        error.in_tree(self.cursor.tree().objid).in_object(name(self.lid))
    }

    fn each_plain(
        &mut self,
        reader: &LvReader<'_, P>,
        sink: &mut dyn FnMut(&[u8]) -> bool,
    ) -> EseResult<()> {
        let mut plain = Vec::new();
        self.each_chunk(reader, &mut |chunk| {
            Ok(sink(plain_chunk(chunk.stored, chunk.plain_bytes, &mut plain)?))
        })
    }

    fn each_chunk(
        &mut self,
        reader: &LvReader<'_, P>,
        sink: &mut dyn FnMut(StoredChunk<'_>) -> EseResult<bool>,
    ) -> EseResult<()> {
        let result = self.walk(reader, sink);
        result.map_err(|error| self.place(error))
    }

    /// Walks the chunks; each must start where the one before ended.
    fn walk(
        &mut self,
        reader: &LvReader<'_, P>,
        sink: &mut dyn FnMut(StoredChunk<'_>) -> EseResult<bool>,
    ) -> EseResult<()> {
        let len_bytes = self.info.len_bytes as usize;
        let (mut offset, mut span) = (0, 0);
        while offset < len_bytes {
            if !self.cursor.next()? {
                return Err(self.missing(offset));
            }
            let Some(node) = self.cursor.entry()? else { return Err(self.missing(offset)) };
            match self.key.offset_of(&node) {
                Some(found) if found as usize == offset => {}
                _ => return Err(self.missing(offset)),
            }
            if offset == 0 {
                span = reader.span_bytes(self, node.data)?;
            }
            let plain_bytes = span.min(len_bytes - offset);
            let chunk = StoredChunk { offset: offset as u32, stored: node.data, plain_bytes };
            if !sink(chunk)? {
                return Ok(());
            }
            offset += plain_bytes;
        }
        self.nothing_follows()
    }

    fn missing(&self, offset: usize) -> EseError {
        let len_bytes = self.info.len_bytes;
        EseError::corrupt_bytes(format!("the chunk at {offset} of {len_bytes} bytes is missing"))
    }

    /// A chunk past the declared length says that the length is wrong.
    fn nothing_follows(&mut self) -> EseResult<()> {
        // A damaged page here is none of this value's business.
        if !self.cursor.next().unwrap_or(false) {
            return Ok(());
        }
        // Values are mostly read in the order of their numbers.
        self.cursor.expect_here();
        match self.cursor.entry()?.and_then(|node| self.key.offset_of(&node)) {
            None => Ok(()),
            Some(offset) => {
                let len_bytes = self.info.len_bytes;
                let reason =
                    format!("the value should end at {len_bytes}, but has a chunk at {offset}");
                Err(EseError::corrupt_bytes(reason))
            }
        }
    }
}

/// The plain bytes of one chunk; `plain` is room for decompression.
fn plain_chunk<'c>(data: &'c [u8], expected: usize, plain: &'c mut Vec<u8>) -> EseResult<&'c [u8]> {
    match data.len().cmp(&expected) {
        Ordering::Equal => Ok(data),
        Ordering::Less => {
            plain.clear();
            decompress(data, expected, plain)?;
            if plain.len() == expected {
                return Ok(plain);
            }
            let found = plain.len();
            Err(EseError::corrupt_bytes(format!("a chunk of {found} bytes instead of {expected}")))
        }
        Ordering::Greater => {
            let found = data.len();
            Err(EseError::corrupt_bytes(format!("a chunk of {found} bytes instead of {expected}")))
        }
    }
}

impl RootKey {
    fn of(lid: Lid) -> Self {
        let (bytes, len_bytes) = lid.key_array();
        Self { lid, bytes, len_bytes }
    }

    fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.len_bytes).unwrap_or_default()
    }

    /// The offset in the key of a chunk of this value; none for any other node.
    #[inline]
    fn offset_of(&self, node: &Node<'_>) -> Option<u32> {
        if self.lid.is_64() {
            return self.offset_in_long_key(node);
        }
        let number = node.key.as_number()?;
        (number >> 32 == self.lid.0).then_some(number as u32)
    }

    fn offset_in_long_key(&self, node: &Node<'_>) -> Option<u32> {
        if node.key.len_bytes() != self.len_bytes + OFFSET_BYTES {
            return None;
        }
        let key = node.key.to_vec();
        let (number, offset) = key.split_last_chunk::<OFFSET_BYTES>()?;
        (number == self.as_slice()).then(|| u32::from_be_bytes(*offset))
    }
}

fn name(lid: Lid) -> String {
    format!("long value {lid}")
}

fn absent(lid: Lid) -> EseError {
    EseError::corrupt_bytes("there is no such long value").in_object(name(lid))
}
