//! The bytes of the streaming file: runs in, runs out, adjacent writes gathered into large ones.
//!
//! Knows no table and no checksum.

use std::sync::Arc;

use super::{PAGE_BYTES, Run};
use crate::ese::error::{EseError, EseResult};
use crate::io::Storage;

/// Adjacent writes are gathered up to this length.
const GATHER_BYTES: usize = 1 << 20;
/// The two header pages.
const HEAD_BYTES: u64 = 2 * PAGE_BYTES as u64;

/// An open streaming file.
#[derive(Debug)]
pub struct StmFile {
    storage: Arc<dyn Storage>,
    /// Bytes not written yet, and where they belong.
    gathered: Vec<u8>,
    gathered_at: u64,
}

impl StmFile {
    /// The file behind `storage`.
    pub fn new(storage: Arc<dyn Storage>) -> Self {
        Self { storage, gathered: Vec::new(), gathered_at: 0 }
    }

    /// The open file.
    pub fn storage(&self) -> &Arc<dyn Storage> {
        &self.storage
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
        assert!(self.gathered.is_empty(), "what was written is flushed before it is read");
        if u64::from(run.last().0) > self.page_count()? {
            let reason = format!("the file ends before page {}", run.last());
            return Err(EseError::corrupt_bytes(reason).in_file(self.storage.path()));
        }
        Ok(self.storage.read_exact_at(buffer, run.first().offset_bytes())?)
    }

    /// Writes the pages of `run`; they may stay in memory until [`Self::flush`].
    pub(super) fn write(&mut self, run: Run, bytes: &[u8]) -> EseResult<()> {
        assert_eq!(bytes.len() as u64, u64::from(run.count()) * PAGE_BYTES as u64);
        let offset_bytes = run.first().offset_bytes();
        let is_adjacent = self.gathered_at + self.gathered.len() as u64 == offset_bytes;
        if !is_adjacent || self.gathered.len() + bytes.len() > GATHER_BYTES {
            self.flush()?;
        }
        if self.gathered.is_empty() {
            self.gathered_at = offset_bytes;
        }
        self.gathered.extend_from_slice(bytes);
        Ok(())
    }

    /// Writes what is gathered.
    pub(super) fn flush(&mut self) -> EseResult<()> {
        if !self.gathered.is_empty() {
            self.storage.write_all_at(&self.gathered, self.gathered_at)?;
            self.gathered.clear();
        }
        Ok(())
    }
}
