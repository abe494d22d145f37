//! Verified pages of one open file: from a memory map where there is one, else through the cache.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::cache::ChunkCache;
use super::source::PageRef;
use crate::ese::error::{EseError, EseResult};
use crate::ese::page::checksum::{self, Verdict};
use crate::ese::page::{PageSize, Pgno};
use crate::io::{Map, Storage};

/// Reads verified pages; knows nothing of journals and uncommitted changes.
#[derive(Debug)]
pub struct PageReader {
    storage: Arc<dyn Storage>,
    page_size: PageSize,
    mapped: Option<Arc<MappedPages>>,
    cache: ChunkCache,
}

/// The map, and what is known of its pages; readers of one file may share both.
#[derive(Debug)]
struct MappedPages {
    map: Map,
    verified: PageBits,
    /// Pages that were found fit for being changed.
    checked: PageBits,
    corrected: Mutex<HashMap<Pgno, Arc<[u8]>>>,
}

impl PageReader {
    /// Reads pages of `storage`, through its map if it has one.
    ///
    /// # Errors
    /// [`EseError::Io`].
    pub fn new(storage: Arc<dyn Storage>, page_size: PageSize) -> EseResult<Self> {
        let mapped = storage.map()?.map(|map| Arc::new(MappedPages::new(map, page_size)));
        let cache = ChunkCache::new(storage.clone(), page_size);
        Ok(Self { storage, page_size, mapped, cache })
    }

    /// Another reader of the same file, through the same map: what one of them has verified the other need not verify again. Who
    /// writes a page over tells this one ([`Self::forget`]) before the other may read it.
    pub fn another(&self) -> Self {
        let (storage, page_size) = (self.storage.clone(), self.page_size);
        let cache = ChunkCache::new(storage.clone(), page_size);
        Self { storage, page_size, mapped: self.mapped.clone(), cache }
    }

    /// The open file.
    pub fn storage(&self) -> &Arc<dyn Storage> {
        &self.storage
    }

    /// Shows the pages that the file has grown by: what was verified stays verified. Other readers of the same map see them, too, if there
    /// was room for them; none reads past the last page that it knows of.
    ///
    /// # Errors
    /// [`EseError::Io`].
    pub fn map_more(&mut self) -> EseResult<()> {
        let Some(before) = &self.mapped else { return Ok(()) };
        if before.map.grow(self.storage.len_bytes()?) {
            return Ok(());
        }
        let grown = self.storage.map()?.map(|map| Arc::new(before.grown(map, self.page_size)));
        self.mapped = grown;
        Ok(())
    }

    /// Maps the file anew after it was cut off.
    ///
    /// # Errors
    /// [`EseError::Io`].
    pub fn remap(&mut self) -> EseResult<()> {
        if self.mapped.is_some() {
            let anew = |map| Arc::new(MappedPages::new(map, self.page_size));
            self.mapped = self.storage.map()?.map(anew);
        }
        Ok(())
    }

    /// Forgets what is known of `pgno`, because it was written: whoever reads it next verifies it anew.
    pub fn forget(&mut self, pgno: Pgno) {
        self.cache.forget(pgno);
        if let Some(mapped) = &self.mapped {
            mapped.forget(pgno);
        }
    }

    /// Page `pgno`, verified.
    ///
    /// # Errors
    /// [`EseError::Io`] and [`EseError::Corrupt`].
    pub fn page(&self, pgno: Pgno) -> EseResult<PageRef<'_>> {
        match &self.mapped {
            Some(mapped) => match mapped.page(pgno, self.page_size)? {
                Some(page) => Ok(page),
                None => self.cache.page(pgno),
            },
            None => self.cache.page(pgno),
        }
    }

    /// Whether the page was found fit for being changed, and has not been written since.
    pub fn is_checked(&self, pgno: Pgno) -> bool {
        self.mapped.as_ref().is_some_and(|mapped| mapped.checked.has(pgno))
    }

    /// The page, which was verified, is fit for being changed.
    pub fn set_checked(&self, pgno: Pgno) {
        if let Some(mapped) = &self.mapped {
            mapped.checked.set(pgno);
        }
    }

    /// As [`Map::let_go`].
    pub fn let_go(&self) {
        if let Some(mapped) = &self.mapped {
            mapped.map.let_go();
        }
    }

    /// Asks the system to read these pages ahead, where they lie together; scattered ones would drag in half of the file.
    pub fn will_need(&self, pages: &[Pgno]) {
        let (Some(mapped), Some(first), Some(last)) =
            (&self.mapped, pages.iter().min(), pages.iter().max())
        else {
            return;
        };
        let span = last.get() - first.get();
        if (span as usize) < pages.len() * 2 {
            let start = first.offset_bytes(self.page_size);
            let len_bytes = (u64::from(span) + 1) * self.page_size.bytes() as u64;
            mapped.map.will_need(start, len_bytes);
        }
    }
}

/// A bit for each page, set and looked at by any thread.
#[derive(Debug)]
struct PageBits(Vec<AtomicU64>);

impl PageBits {
    /// For the page numbers up to `pages`; others are never set.
    fn new(pages: usize) -> Self {
        Self((0..pages / 64 + 1).map(|_| AtomicU64::new(0)).collect())
    }

    fn word_of(&self, pgno: Pgno) -> (Option<&AtomicU64>, u64) {
        (self.0.get(pgno.get() as usize / 64), 1 << (pgno.get() % 64))
    }

    fn has(&self, pgno: Pgno) -> bool {
        let (word, bit) = self.word_of(pgno);
        word.is_some_and(|word| word.load(Ordering::Relaxed) & bit != 0)
    }

    fn set(&self, pgno: Pgno) {
        let (word, bit) = self.word_of(pgno);
        if let Some(word) = word {
            word.fetch_or(bit, Ordering::Relaxed);
        }
    }

    fn clear(&self, pgno: Pgno) {
        let (word, bit) = self.word_of(pgno);
        if let Some(word) = word {
            word.fetch_and(!bit, Ordering::Relaxed);
        }
    }

    fn copy_from(&mut self, other: &Self) {
        for (new, old) in self.0.iter_mut().zip(&other.0) {
            *new.get_mut() = old.load(Ordering::Relaxed);
        }
    }
}

/// Highest page number of a file of this length: two header pages come first.
pub(super) fn page_count(len_bytes: u64, page_size: PageSize) -> u32 {
    let pages = (len_bytes / page_size.bytes() as u64).saturating_sub(2);
    u32::try_from(pages).unwrap_or(u32::MAX).min(Pgno::LIMIT - 1)
}

/// The error for a page number past the end of the file.
pub(super) fn beyond_end(pgno: Pgno, last_page: u32) -> EseError {
    EseError::corrupt(pgno, format!("the file ends at page {last_page}; is it truncated?"))
}

/// The error for a page that cannot be used.
pub(super) fn unusable(pgno: Pgno, verdict: &Verdict) -> EseError {
    match verdict {
        Verdict::Zero => EseError::corrupt(pgno, "the page was never written (all bytes are zero)"),
        other => EseError::corrupt(pgno, other.to_string()),
    }
}

impl MappedPages {
    fn new(map: Map, page_size: PageSize) -> Self {
        let pages = map.room_bytes() / page_size.bytes();
        let (verified, checked) = (PageBits::new(pages), PageBits::new(pages));
        Self { map, verified, checked, corrected: Mutex::default() }
    }

    /// The same pages, in a map that holds more of them.
    fn grown(&self, map: Map, page_size: PageSize) -> Self {
        let mut grown = Self::new(map, page_size);
        grown.verified.copy_from(&self.verified);
        grown.checked.copy_from(&self.checked);
        let corrected = self.corrected.lock().unwrap_or_else(PoisonError::into_inner);
        grown.corrected = Mutex::new(corrected.clone());
        drop(corrected);
        grown
    }

    fn forget(&self, pgno: Pgno) {
        self.corrected.lock().unwrap_or_else(PoisonError::into_inner).remove(&pgno);
        self.verified.clear(pgno);
        self.checked.clear(pgno);
    }

    /// The page, or `None` when it lies past the map: the file has grown since.
    fn page(&self, pgno: Pgno, page_size: PageSize) -> EseResult<Option<PageRef<'_>>> {
        let start = pgno.offset_bytes(page_size);
        let bytes = usize::try_from(start)
            .ok()
            .and_then(|start| self.map.bytes().get(start..start.checked_add(page_size.bytes())?));
        let Some(bytes) = bytes else { return Ok(None) };
        if self.verified.has(pgno) {
            return Ok(Some(PageRef::borrowed(pgno, bytes)));
        }
        let verdict = checksum::verify(bytes, pgno);
        if self.map.is_unreadable(start, page_size.bytes() as u64) {
            return Err(EseError::corrupt(pgno, "the disk could not read the page"));
        }
        match verdict {
            Verdict::Sound => {
                self.verified.set(pgno);
                Ok(Some(PageRef::borrowed(pgno, bytes)))
            }
            Verdict::Correctable { .. } => self.corrected_page(pgno, bytes).map(Some),
            other => Err(unusable(pgno, &other)),
        }
    }

    fn corrected_page(&self, pgno: Pgno, bytes: &[u8]) -> EseResult<PageRef<'_>> {
        let mut corrected = self.corrected.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(page) = corrected.get(&pgno) {
            return Ok(PageRef::shared(pgno, page.clone(), 0, page.len()));
        }
        let mut copy = bytes.to_vec();
        checksum::correct(&mut copy, pgno);
        match checksum::verify(&copy, pgno) {
            Verdict::Sound => {
                tracing::warn!(pgno = pgno.get(), "a single wrong bit was corrected");
                let page: Arc<[u8]> = copy.into();
                corrected.insert(pgno, page.clone());
                let len_bytes = page.len();
                Ok(PageRef::shared(pgno, page, 0, len_bytes))
            }
            verdict => Err(unusable(pgno, &verdict)),
        }
    }
}
