//! What has been written to a file since it was synced, told by numbers, so that a sync made beside the writer counts for the writer,
//! too. Knows nothing of files.

/// A moment in the life of a file: all that was written before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct SyncMark(u64);

/// Whether a file has been written since its last sync.
#[derive(Debug, Default)]
pub struct Unsynced {
    written: SyncMark,
    synced: SyncMark,
}

impl Unsynced {
    /// Something was written, or the file became longer.
    pub fn wrote(&mut self) {
        self.written.0 += 1;
    }

    /// Now. Whoever syncs the file afterwards says so with [`Self::synced`].
    pub fn mark(&self) -> SyncMark {
        self.written
    }

    /// A sync that was begun after `mark` was made has succeeded.
    pub fn synced(&mut self, mark: SyncMark) {
        self.synced = self.synced.max(mark);
    }

    /// Whether nothing was written since the last sync.
    pub fn is_empty(&self) -> bool {
        self.synced == self.written
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sync_counts_for_what_was_written_before_it_began() {
        let mut file = Unsynced::default();
        assert!(file.is_empty());
        file.wrote();
        let mark = file.mark();
        assert!(!file.is_empty());
        file.wrote();
        file.synced(mark);
        assert!(!file.is_empty(), "the second write came later");
        let later = file.mark();
        file.synced(later);
        file.synced(mark);
        assert!(file.is_empty(), "an older mark takes nothing back");
    }
}
