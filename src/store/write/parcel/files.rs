//! The two files of a store that is being written, as threads beside the writer see them: syncing what was written ahead, and reserving
//! the disk space that will be needed next.
//!
//! A file grows while the writer is held, and finding free blocks waits for the disk when a sync has the file system's bitmaps in hand.
//! So space is reserved beyond the end of the file before each sync, and growing only has to move the end. What is left goes back when
//! the job is over; after a crash it stays with the file until its length is set again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::ese::error::EseResult;
use crate::io::Storage;

/// Least and most bytes that are reserved beyond the end of a file that grows.
const RESERVE_BYTES: std::ops::RangeInclusive<u64> = 32 << 20..=128 << 20;

/// The two files of a store that is being written. Whoever has it lets go of it before the writer: nobody else may make the files longer
/// while space is given back.
#[derive(Debug)]
pub struct AheadFiles {
    streams: GrowingFile,
    database: GrowingFile,
}

impl AheadFiles {
    pub(super) fn new(streams: Arc<dyn Storage>, database: Arc<dyn Storage>) -> EseResult<Self> {
        Ok(Self { streams: GrowingFile::new(streams)?, database: GrowingFile::new(database)? })
    }

    /// Syncs both, so that the commit which does it again has little left to wait for.
    ///
    /// # Errors
    /// [`crate::ese::EseError::Io`]: nothing that was written since the last commit may be committed any more.
    pub fn sync(&self) -> EseResult<()> {
        // Both first: one file system keeps the bitmaps of both.
        self.streams.reserve()?;
        self.database.reserve()?;
        self.streams.storage.sync()?;
        Ok(self.database.storage.sync()?)
    }
}

#[derive(Debug)]
struct GrowingFile {
    storage: Arc<dyn Storage>,
    /// Its length when space was reserved last, or at the beginning.
    known_bytes: AtomicU64,
    first_bytes: u64,
}

impl GrowingFile {
    fn new(storage: Arc<dyn Storage>) -> EseResult<Self> {
        let first_bytes = storage.len_bytes()?;
        Ok(Self { storage, known_bytes: AtomicU64::new(first_bytes), first_bytes })
    }

    /// Reserves twice as much as the file has grown by since the last time.
    fn reserve(&self) -> EseResult<()> {
        let len_bytes = self.storage.len_bytes()?;
        let grown_bytes = len_bytes.saturating_sub(self.known_bytes.load(Ordering::Relaxed));
        if grown_bytes > 0 {
            self.known_bytes.store(len_bytes, Ordering::Relaxed);
            let ahead = (2 * grown_bytes).clamp(*RESERVE_BYTES.start(), *RESERVE_BYTES.end());
            self.storage.reserve_beyond_end(len_bytes + ahead);
        }
        Ok(())
    }
}

impl Drop for GrowingFile {
    /// Gives back what was reserved and not used.
    fn drop(&mut self) {
        if self.known_bytes.load(Ordering::Relaxed) != self.first_bytes {
            self.storage.give_back_reserved();
        }
    }
}
