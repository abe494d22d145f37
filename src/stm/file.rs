//! The bytes of the streaming file: runs in, runs out, adjacent writes gathered into large ones.
//!
//! Knows no table and no checksum.

use std::sync::Arc;

use super::{PAGE_BYTES, Run};
use crate::ese::error::{EseError, EseResult};
use crate::io::Storage;

/// Adjacent writes are gathered up to this length.
const GATHER_BYTES: usize = 1 << 20;
/// Shorter ones are not worth asking the system to copy them.
const COPY_BYTES_MIN: usize = 64 << 10;
/// The two header pages.
const HEAD_BYTES: u64 = 2 * PAGE_BYTES as u64;

/// An open streaming file.
#[derive(Debug)]
pub struct StmFile {
    storage: Arc<dyn Storage>,
    /// Bytes not written yet, and where they belong.
    gathered: Vec<u8>,
    gathered_at: u64,
    /// Where the gathered bytes stand in another file, if they all do.
    origin: Option<(Arc<dyn Storage>, u64)>,
}

impl StmFile {
    /// The file behind `storage`.
    pub fn new(storage: Arc<dyn Storage>) -> Self {
        Self { storage, gathered: Vec::new(), gathered_at: 0, origin: None }
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
        self.gather(run, bytes, None)
    }

    /// The same for pages that stand in `from` at `offset_bytes`: the system may copy them from there.
    pub(super) fn write_copy(
        &mut self,
        run: Run,
        bytes: &[u8],
        from: &Arc<dyn Storage>,
        offset_bytes: u64,
    ) -> EseResult<()> {
        self.gather(run, bytes, Some((from, offset_bytes)))
    }

    fn gather(
        &mut self,
        run: Run,
        bytes: &[u8],
        origin: Option<(&Arc<dyn Storage>, u64)>,
    ) -> EseResult<()> {
        assert_eq!(bytes.len() as u64, u64::from(run.count()) * PAGE_BYTES as u64);
        let offset_bytes = run.first().offset_bytes();
        let is_adjacent = self.gathered_at + self.gathered.len() as u64 == offset_bytes;
        if !is_adjacent || self.gathered.len() + bytes.len() > GATHER_BYTES {
            self.flush()?;
        }
        if self.gathered.is_empty() {
            self.gathered_at = offset_bytes;
            self.origin = origin.map(|(from, at)| (from.clone(), at));
        } else if !self.goes_on(origin) {
            self.origin = None;
        }
        self.gathered.extend_from_slice(bytes);
        Ok(())
    }

    /// Whether these bytes follow the gathered ones in the file that those come from.
    fn goes_on(&self, origin: Option<(&Arc<dyn Storage>, u64)>) -> bool {
        match (&self.origin, origin) {
            (Some((from, start)), Some((same, at))) => {
                Arc::ptr_eq(from, same) && *start + self.gathered.len() as u64 == at
            }
            _ => false,
        }
    }

    /// Writes what is gathered.
    pub(super) fn flush(&mut self) -> EseResult<()> {
        if self.gathered.is_empty() {
            return Ok(());
        }
        let origin = self.origin.take().filter(|_| self.gathered.len() >= COPY_BYTES_MIN);
        let is_copied = match &origin {
            Some((from, at)) => {
                let len_bytes = self.gathered.len() as u64;
                self.storage.copy_from(&**from, *at, self.gathered_at, len_bytes)?
            }
            None => false,
        };
        if !is_copied {
            self.storage.write_all_at(&self.gathered, self.gathered_at)?;
        }
        self.gathered.clear();
        Ok(())
    }
}
