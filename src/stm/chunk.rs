//! The state of the 512 pages of a chunk, as a row of `StmSpace` holds it.
//!
//! ```text
//! 0   2    number of free pages
//! 2   2    reserved pages
//! 4   2    deleted pages
//! 6   2    committed pages
//! 8   128  2 bits a page, the first page in the lowest bits of the first byte: 0 free, 1 reserved, 2 deleted, 3 committed
//! ```
//!
//! Source: exchange-store 12.7. Pages are numbered from 0 within the chunk here.

use super::{CHUNK_PAGES, CLUSTER_PAGES};
use crate::ese::error::{EseError, EseResult};

/// Bytes of the map.
const MAP_BYTES: usize = CHUNK_PAGES as usize / 4;

/// What a page is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageState {
    /// Free.
    Free,
    /// Handed out, but not in use yet. Not left behind by this program.
    Reserved,
    /// Given up in this job; free from the next one on.
    Deleted,
    /// In use.
    Committed,
}

impl PageState {
    const ALL: [Self; 4] = [Self::Free, Self::Reserved, Self::Deleted, Self::Committed];
}

/// The states of one chunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    counts: [u16; 4],
    map: [u8; MAP_BYTES],
}

impl Default for Chunk {
    fn default() -> Self {
        Self { counts: [CHUNK_PAGES as u16, 0, 0, 0], map: [0; MAP_BYTES] }
    }
}

impl Chunk {
    /// Bytes of the stored form.
    pub const BYTES: usize = 8 + MAP_BYTES;

    /// How many pages are in a state.
    pub fn count(&self, state: PageState) -> u32 {
        self.counts[state as usize].into()
    }

    /// The state of a page of this chunk.
    ///
    /// # Panics
    /// When the chunk has no such page.
    pub fn state(&self, page: u32) -> PageState {
        let bits = self.map[(page / 4) as usize] >> (page % 4 * 2) & 3;
        PageState::ALL[usize::from(bits)]
    }

    /// Changes the state of a page.
    ///
    /// # Panics
    /// When the chunk has no such page.
    pub fn set(&mut self, page: u32, state: PageState) {
        let old = self.state(page);
        self.counts[old as usize] -= 1;
        self.counts[state as usize] += 1;
        let byte = &mut self.map[(page / 4) as usize];
        let shift = page % 4 * 2;
        *byte = *byte & !(3 << shift) | (state as u8) << shift;
    }

    /// Whether all pages of a cluster of this chunk are free.
    ///
    /// # Panics
    /// When the chunk has no such cluster.
    pub fn is_cluster_free(&self, cluster: u32) -> bool {
        let start = (cluster * CLUSTER_PAGES / 4) as usize;
        self.map[start..start + CLUSTER_PAGES as usize / 4] == [0; CLUSTER_PAGES as usize / 4]
    }

    /// Makes reserved and deleted pages free; answers how many they were.
    pub fn tidy(&mut self) -> u32 {
        let stale = self.count(PageState::Reserved) + self.count(PageState::Deleted);
        if stale > 0 {
            for page in 0..CHUNK_PAGES {
                if matches!(self.state(page), PageState::Reserved | PageState::Deleted) {
                    self.set(page, PageState::Free);
                }
            }
        }
        stale
    }

    /// The stored form.
    pub fn encode(&self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        let (counts, map) = bytes.split_at_mut(8);
        for (slot, count) in counts.chunks_exact_mut(2).zip(self.counts) {
            slot.copy_from_slice(&count.to_le_bytes());
        }
        map.copy_from_slice(&self.map);
        bytes
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// [`EseError::Corrupt`] for another length, and when the counts are not those of the map.
    pub fn decode(bytes: &[u8]) -> EseResult<Self> {
        let corrupt = |reason: &str| {
            let reason = format!("space of the streaming file: {reason}");
            Err(EseError::corrupt_bytes(reason))
        };
        let Some((counts, map)) = bytes.split_first_chunk::<8>() else {
            return corrupt("a chunk without counts");
        };
        let Ok(map) = <[u8; MAP_BYTES]>::try_from(map) else {
            return corrupt("a map of a wrong length");
        };
        let mut found = [0u16; 4];
        for byte in map {
            for shift in [0, 2, 4, 6] {
                found[usize::from(byte >> shift & 3)] += 1;
            }
        }
        let stored = [0, 2, 4, 6].map(|at| u16::from_le_bytes([counts[at], counts[at + 1]]));
        if stored != found {
            return corrupt(&format!("counts are {stored:?}, the map has {found:?}"));
        }
        Ok(Self { counts: found, map })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_comes_back_from_its_bytes() {
        let mut chunk = Chunk::default();
        for (page, state) in
            [(0, PageState::Committed), (511, PageState::Deleted), (17, PageState::Reserved)]
        {
            chunk.set(page, state);
            assert_eq!(chunk.state(page), state);
        }
        assert_eq!(Chunk::decode(&chunk.encode()).unwrap(), chunk);
        assert_eq!(chunk.count(PageState::Free), 509);
        assert_eq!(chunk.tidy(), 2);
        assert_eq!(chunk.count(PageState::Free), 511);
        assert_eq!(chunk.state(0), PageState::Committed);
    }

    #[test]
    fn clusters_are_free_only_as_a_whole() {
        let mut chunk = Chunk::default();
        chunk.set(31, PageState::Committed);
        assert_eq!(
            [0, 1, 2, 31].map(|cluster| chunk.is_cluster_free(cluster)),
            [true, false, true, true]
        );
    }

    #[test]
    fn wrong_counts_and_lengths_are_refused() {
        let good = Chunk::default().encode();
        for end in [0, 7, 8, 135] {
            assert!(Chunk::decode(&good[..end]).is_err());
        }
        for at in [0, 6, 8, 135] {
            let mut bad = good;
            bad[at] ^= 1;
            assert!(Chunk::decode(&bad).is_err(), "byte {at}");
        }
    }
}
