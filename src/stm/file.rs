//! The bytes of the streaming file: runs in, runs out, adjacent writes gathered into large ones.
//!
//! Knows no table and no checksum.

use std::sync::Arc;

use super::{PAGE_BYTES, Run};
use crate::ese::error::{EseError, EseResult};
use crate::ese::txn::Rooms;
use crate::io::Storage;

/// Adjacent writes are gathered up to this length.
const GATHER_BYTES: u64 = 1 << 20;
/// Shorter ones are not worth asking the system to copy them.
const COPY_BYTES_MIN: u64 = 64 << 10;
/// The two header pages.
const HEAD_BYTES: u64 = 2 * PAGE_BYTES as u64;

/// An open streaming file.
#[derive(Debug)]
pub struct StmFile {
    storage: Arc<dyn Storage>,
    /// Bytes not written yet, and where they belong.
    gathered: Vec<u8>,
    gathered_at: u64,
    /// What belongs behind them and still stands in another file.
    origin: Option<Origin>,
    /// What pages are read into: a reader lives for one stream, and memory that is new to the process is dear.
    rooms: Rooms,
}

/// Bytes of another file.
#[derive(Debug)]
struct Origin {
    from: Arc<dyn Storage>,
    offset_bytes: u64,
    len_bytes: u64,
}

impl StmFile {
    /// The file behind `storage`.
    pub fn new(storage: Arc<dyn Storage>) -> Self {
        Self {
            storage,
            gathered: Vec::new(),
            gathered_at: 0,
            origin: None,
            rooms: Rooms::default(),
        }
    }

    /// The open file.
    pub fn storage(&self) -> &Arc<dyn Storage> {
        &self.storage
    }

    /// Memory to read pages into.
    pub(super) fn rooms(&self) -> &Rooms {
        &self.rooms
    }

    /// Whole pages in the file, headers not counted.
    ///
    /// # Errors
    /// [`EseError::Io`].
    pub fn page_count(&self) -> EseResult<u64> {
        Ok(self.storage.len_bytes()?.saturating_sub(HEAD_BYTES) / PAGE_BYTES as u64)
    }

    /// Makes the file hold exactly `pages` pages, with disk space reserved for them.
    pub(super) fn resize(&mut self, pages: u32) -> EseResult<()> {
        let len_bytes = HEAD_BYTES + u64::from(pages) * PAGE_BYTES as u64;
        if self.storage.len_bytes()? > len_bytes {
            return Ok(self.storage.set_len(len_bytes)?);
        }
        Ok(self.storage.preallocate(len_bytes)?)
    }

    /// Fills `buffer` with the pages of `run`, as far as it reaches.
    ///
    /// # Errors
    /// [`EseError::Corrupt`] when the file ends before them, [`EseError::Io`].
    ///
    /// # Panics
    /// When the buffer is longer than the run, or when writes are still gathered.
    pub fn read(&self, run: Run, buffer: &mut [u8]) -> EseResult<()> {
        assert!(buffer.len() as u64 <= u64::from(run.count()) * PAGE_BYTES as u64);
        assert!(self.gathered_bytes() == 0, "what was written is flushed before it is read");
        match self.storage.read_exact_at(buffer, run.first().offset_bytes()) {
            Ok(()) => Ok(()),
            Err(_) if u64::from(run.last().0) > self.page_count()? => {
                let reason = format!("the file ends before page {}", run.last());
                Err(EseError::corrupt_bytes(reason).in_file(self.storage.path()))
            }
            Err(error) => Err(error.into()),
        }
    }

    fn gathered_bytes(&self) -> u64 {
        self.gathered.len() as u64 + self.origin.as_ref().map_or(0, |origin| origin.len_bytes)
    }

    /// Writes the pages of `run`; they may stay in memory until [`Self::flush`].
    pub(super) fn write(&mut self, run: Run, bytes: &[u8]) -> EseResult<()> {
        assert_eq!(bytes.len() as u64, u64::from(run.count()) * PAGE_BYTES as u64);
        self.make_room(run.first().offset_bytes(), bytes.len() as u64)?;
        self.fetch_origin()?;
        self.gathered.extend_from_slice(bytes);
        Ok(())
    }

    /// The same for pages that stand in `from` at `offset_bytes`, without reading them: the system copies them where there are enough
    /// of them in a row.
    pub(super) fn write_copy(
        &mut self,
        run: Run,
        from: &Arc<dyn Storage>,
        offset_bytes: u64,
    ) -> EseResult<()> {
        let len_bytes = u64::from(run.count()) * PAGE_BYTES as u64;
        self.make_room(run.first().offset_bytes(), len_bytes)?;
        if let Some(origin) = &mut self.origin
            && Arc::ptr_eq(&origin.from, from)
            && origin.offset_bytes + origin.len_bytes == offset_bytes
        {
            origin.len_bytes += len_bytes;
            return Ok(());
        }
        if self.origin.as_ref().is_some_and(|origin| origin.len_bytes >= COPY_BYTES_MIN) {
            self.flush()?;
            self.gathered_at = run.first().offset_bytes();
        }
        self.fetch_origin()?;
        self.origin = Some(Origin { from: from.clone(), offset_bytes, len_bytes });
        Ok(())
    }

    /// Writes what is gathered unless so many bytes at this offset belong behind it.
    fn make_room(&mut self, offset_bytes: u64, len_bytes: u64) -> EseResult<()> {
        let gathered_bytes = self.gathered_bytes();
        let is_adjacent = self.gathered_at + gathered_bytes == offset_bytes;
        if !is_adjacent || gathered_bytes + len_bytes > GATHER_BYTES {
            self.flush()?;
            self.gathered_at = offset_bytes;
        }
        Ok(())
    }

    /// Reads what still stands in another file.
    fn fetch_origin(&mut self) -> EseResult<()> {
        if let Some(Origin { from, offset_bytes, len_bytes }) = self.origin.take() {
            let start = self.gathered.len();
            self.gathered.resize(start + len_bytes as usize, 0);
            from.read_exact_at(&mut self.gathered[start..], offset_bytes)?;
        }
        Ok(())
    }

    /// Writes what is gathered.
    pub(super) fn flush(&mut self) -> EseResult<()> {
        if let Some(origin) = self.origin.take() {
            let to_bytes = self.gathered_at + self.gathered.len() as u64;
            let Origin { from, offset_bytes, len_bytes } = &origin;
            let is_copied = *len_bytes >= COPY_BYTES_MIN
                && self.storage.copy_from(&**from, *offset_bytes, to_bytes, *len_bytes)?;
            self.origin = (!is_copied).then_some(origin);
        }
        self.fetch_origin()?;
        if !self.gathered.is_empty() {
            self.storage.write_all_at(&self.gathered, self.gathered_at)?;
        }
        self.gathered.clear();
        Ok(())
    }
}
