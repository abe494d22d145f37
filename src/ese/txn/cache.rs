//! Pages by positioned reads of 256 KiB, kept in a cache of bounded size (design D8).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::reader::{beyond_end, page_count, unusable};
use super::source::PageRef;
use crate::ese::error::EseResult;
use crate::ese::page::checksum::{self, Verdict};
use crate::ese::page::{PageSize, Pgno};
use crate::io::Storage;

/// Bytes of one read.
const CHUNK_BYTES: usize = 256 << 10;
/// Chunks kept: 64 MiB.
const CHUNKS_MAX: usize = 256;

/// A cache of verified chunks.
#[derive(Debug)]
pub struct ChunkCache {
    storage: Arc<dyn Storage>,
    page_size: PageSize,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    chunks: HashMap<u64, (Chunk, u64)>,
    clock: u64,
}

/// One chunk, and for each page in it what is wrong, if anything.
#[derive(Debug, Clone)]
struct Chunk {
    bytes: Arc<[u8]>,
    damage: Arc<[Option<Verdict>]>,
}

impl ChunkCache {
    /// An empty cache over `storage`.
    pub fn new(storage: Arc<dyn Storage>, page_size: PageSize) -> Self {
        Self { storage, page_size, kept: Mutex::default() }
    }

    /// Page `pgno`, verified.
    ///
    /// # Errors
    /// [`crate::ese::EseError::Io`] and [`crate::ese::EseError::Corrupt`].
    pub fn page(&self, pgno: Pgno) -> EseResult<PageRef<'_>> {
        let offset_bytes = pgno.offset_bytes(self.page_size);
        let index = offset_bytes / CHUNK_BYTES as u64;
        let start = (offset_bytes % CHUNK_BYTES as u64) as usize;
        let chunk = self.chunk(index)?;
        match chunk.damage.get(start / self.page_size.bytes()) {
            None => Err(beyond_end(pgno, page_count(self.storage.len_bytes()?, self.page_size))),
            Some(Some(verdict)) => Err(unusable(pgno, verdict)),
            Some(None) => Ok(PageRef::shared(pgno, chunk.bytes, start, self.page_size.bytes())),
        }
    }

    /// Drops the chunk that holds `pgno`.
    pub fn forget(&mut self, pgno: Pgno) {
        let index = pgno.offset_bytes(self.page_size) / CHUNK_BYTES as u64;
        self.kept.get_mut().unwrap_or_else(PoisonError::into_inner).chunks.remove(&index);
    }

    fn chunk(&self, index: u64) -> EseResult<Chunk> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.clock += 1;
        let now = kept.clock;
        if let Some((chunk, used)) = kept.chunks.get_mut(&index) {
            *used = now;
            return Ok(chunk.clone());
        }
        drop(kept);
        let chunk = self.read_chunk(index)?;
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.chunks.len() >= CHUNKS_MAX {
            let oldest = kept.chunks.iter().min_by_key(|(_, (_, used))| *used).map(|(key, _)| *key);
            oldest.and_then(|key| kept.chunks.remove(&key));
        }
        kept.chunks.insert(index, (chunk.clone(), now));
        Ok(chunk)
    }

    fn read_chunk(&self, index: u64) -> EseResult<Chunk> {
        let start = index * CHUNK_BYTES as u64;
        let available = self.storage.len_bytes()?.saturating_sub(start).min(CHUNK_BYTES as u64);
        let page_bytes = self.page_size.bytes();
        let whole_pages = available as usize / page_bytes;
        let mut bytes = vec![0; whole_pages * page_bytes];
        self.storage.read_exact_at(&mut bytes, start)?;
        let first_slot = start / page_bytes as u64;
        let damage = bytes
            .chunks_exact_mut(page_bytes)
            .zip(first_slot..)
            .map(|(page, slot)| verify_slot(page, slot))
            .collect();
        Ok(Chunk { bytes: bytes.into(), damage })
    }
}

/// Verifies the page in `slot` (0 and 1 are the headers, which nobody asks for here), correcting a single wrong bit.
fn verify_slot(page: &mut [u8], slot: u64) -> Option<Verdict> {
    let pgno = u32::try_from(slot.checked_sub(1)?).ok().and_then(Pgno::new)?;
    let verdict = checksum::correct(page, pgno);
    match verdict {
        Verdict::Sound => None,
        Verdict::Correctable { .. } if checksum::verify(page, pgno) == Verdict::Sound => {
            tracing::warn!(pgno = pgno.get(), "a single wrong bit was corrected");
            None
        }
        other => Some(other),
    }
}
