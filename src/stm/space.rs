//! The space of the whole streaming file in memory: which pages are free, and which to take next.
//!
//! Content of a cluster or more takes whole aligned clusters first; its tail, and everything smaller, takes single free pages.
//! The file grows by chunks. Knows neither the file nor the tables; a chunk costs 144 bytes here.
//! Source: exchange-store 12.7 (allocator).

use std::collections::BTreeSet;

use super::run::{Run, SlvInfo, push_joined};
use super::stock::StreamNeed;
use super::{CHUNK_PAGES, CLUSTER_PAGES, Chunk, PAGE_BYTES, PageState, StmPgno};
use crate::ese::error::{EseError, EseResult};

const CLUSTERS: u32 = CHUNK_PAGES / CLUSTER_PAGES;
/// Content from this length on is placed in clusters.
const LARGE_BYTES: u64 = CLUSTER_PAGES as u64 * PAGE_BYTES as u64;
/// A file of 8 TiB: page numbers and offsets stay far from any overflow.
const CHUNKS_MAX: usize = 1 << 22;

/// All chunks, and where the next free pages may be.
#[derive(Debug, Default)]
pub struct SpaceMap {
    chunks: Vec<Chunk>,
    changed: BTreeSet<u32>,
    /// No chunk before this one has a free page. Pages freed in a job stay out until the next, so it only grows.
    pages_from: usize,
    /// No chunk before this one has a free cluster.
    clusters_from: usize,
}

impl SpaceMap {
    /// The space that these chunks, in the order of the file, make up.
    ///
    /// # Errors
    /// [`EseError::Limit`] for more chunks than a file can have.
    pub fn new(chunks: Vec<Chunk>) -> EseResult<Self> {
        if chunks.len() > CHUNKS_MAX {
            let found = chunks.len() as u64;
            return Err(EseError::limit("chunks of the streaming file", found, CHUNKS_MAX as u64));
        }
        Ok(Self { chunks, ..Self::default() })
    }

    /// The chunks in the order of the file.
    pub fn chunks(&self) -> &[Chunk] {
        &self.chunks
    }

    /// Pages of the file.
    pub fn page_count(&self) -> u32 {
        self.chunks.len() as u32 * CHUNK_PAGES
    }

    /// Numbers of the chunks that changed since the last call, in order.
    pub fn take_changed(&mut self) -> BTreeSet<u32> {
        std::mem::take(&mut self.changed)
    }

    /// Makes pages that an earlier job gave up, or left reserved, free; answers how many they were.
    pub fn tidy(&mut self) -> u64 {
        let mut tidied = 0;
        for (number, chunk) in self.chunks.iter_mut().enumerate() {
            let stale = chunk.tidy();
            if stale > 0 {
                self.changed.insert(number as u32);
            }
            tidied += u64::from(stale);
        }
        tidied
    }

    /// The state of a page; `None` beyond the end of the file.
    pub fn state(&self, page: StmPgno) -> Option<PageState> {
        let (chunk, page) = place(page)?;
        Some(self.chunks.get(chunk)?.state(page))
    }

    /// Sets pages aside for content of so many bytes that is written by another thread. They count as free if the job ends
    /// before [`Self::commit`].
    ///
    /// # Errors
    /// As [`Self::allocate`].
    pub fn reserve(&mut self, len_bytes: u64) -> EseResult<SlvInfo> {
        let info = self.allocate(len_bytes)?;
        info.runs().iter().for_each(|run| self.mark(*run, PageState::Reserved));
        Ok(info)
    }

    /// Sets whole clusters, and single pages, aside for content that is placed later. They lie where [`Self::reserve`] would have taken
    /// them.
    ///
    /// # Errors
    /// As [`Self::allocate`].
    pub fn reserve_ahead(&mut self, need: StreamNeed) -> EseResult<[Vec<Run>; 2]> {
        let mut reserved = [Vec::new(), Vec::new()];
        let [clusters, pages] = &mut reserved;
        self.take_clusters(need.clusters, clusters)?;
        self.take_pages(need.pages, pages)?;
        reserved.iter().flatten().for_each(|run| self.mark(*run, PageState::Reserved));
        Ok(reserved)
    }

    /// Reserved pages come into use.
    pub fn commit(&mut self, info: &SlvInfo) {
        info.runs().iter().for_each(|run| self.mark(*run, PageState::Committed));
    }

    /// Reserved pages are free again.
    pub fn give_back(&mut self, runs: &[Run]) {
        runs.iter().for_each(|run| self.mark(*run, PageState::Free));
        (self.pages_from, self.clusters_from) = (0, 0);
    }

    /// Takes pages for content of so many bytes into use.
    ///
    /// # Errors
    /// [`EseError::Limit`] when the file cannot grow so far.
    pub fn allocate(&mut self, len_bytes: u64) -> EseResult<SlvInfo> {
        let (Some(clusters), Some(pages)) = (clusters_of(len_bytes), single_pages_of(len_bytes))
        else {
            let page_count = len_bytes.div_ceil(PAGE_BYTES as u64);
            return Err(EseError::limit("pages of a stream", page_count, u32::MAX.into()));
        };
        let page_count = clusters * CLUSTER_PAGES + pages;
        let mut runs = Vec::new();
        self.take_clusters(clusters, &mut runs)?;
        self.take_pages(pages, &mut runs)?;
        if runs.len() > SlvInfo::RUNS_MAX {
            // Too scattered for one value: all of it goes to new chunks at the end instead.
            runs.iter().for_each(|run| self.mark(*run, PageState::Free));
            (self.pages_from, self.clusters_from) = (0, 0);
            runs = vec![self.take_at_end(page_count)?];
        }
        Ok(SlvInfo::new(len_bytes, runs))
    }

    fn take_clusters(&mut self, count: u32, runs: &mut Vec<Run>) -> EseResult<()> {
        for _ in 0..count {
            let first = self.next_cluster()?;
            self.take(first, CLUSTER_PAGES, runs);
        }
        Ok(())
    }

    fn next_cluster(&mut self) -> EseResult<u32> {
        loop {
            let Some(chunk) = self.chunks.get(self.clusters_from) else {
                self.grow()?;
                continue;
            };
            let is_promising = chunk.count(PageState::Free) >= CLUSTER_PAGES;
            let found =
                (0..CLUSTERS).find(|cluster| is_promising && chunk.is_cluster_free(*cluster));
            if let Some(cluster) = found {
                return Ok(self.clusters_from as u32 * CHUNK_PAGES + cluster * CLUSTER_PAGES + 1);
            }
            self.clusters_from += 1;
        }
    }

    fn take_pages(&mut self, count: u32, runs: &mut Vec<Run>) -> EseResult<()> {
        let mut left = count;
        while left > 0 {
            let Some(chunk) = self.chunks.get(self.pages_from) else {
                self.grow()?;
                continue;
            };
            let base = self.pages_from as u32 * CHUNK_PAGES + 1;
            let free: Vec<u32> = (0..CHUNK_PAGES)
                .filter(|page| chunk.state(*page) == PageState::Free)
                .take(left as usize)
                .collect();
            for page in &free {
                self.take(base + page, 1, runs);
            }
            left -= free.len() as u32;
            if left > 0 {
                self.pages_from += 1;
            }
        }
        Ok(())
    }

    fn take_at_end(&mut self, page_count: u32) -> EseResult<Run> {
        let first = self.page_count() + 1;
        for _ in 0..page_count.div_ceil(CHUNK_PAGES) {
            self.grow()?;
        }
        let run = Run::new(first, page_count).ok_or_else(too_long)?;
        self.mark(run, PageState::Committed);
        Ok(run)
    }

    fn take(&mut self, first: u32, count: u32, runs: &mut Vec<Run>) {
        if let Some(run) = Run::new(first, count) {
            self.mark(run, PageState::Committed);
            push_joined(runs, run);
        }
    }

    fn grow(&mut self) -> EseResult<()> {
        if self.chunks.len() >= CHUNKS_MAX {
            return Err(too_long());
        }
        self.changed.insert(self.chunks.len() as u32);
        self.chunks.push(Chunk::default());
        Ok(())
    }

    /// Gives up the pages of a stream; they are free from the next job on (S3).
    ///
    /// # Errors
    /// [`EseError::Corrupt`] when one of them is not in use; nothing is changed then.
    pub fn free(&mut self, info: &SlvInfo) -> EseResult<()> {
        for page in info.runs().iter().flat_map(|run| run.pages()) {
            let state = self.state(page);
            if state != Some(PageState::Committed) {
                let state =
                    state.map_or("beyond the end of the file".to_owned(), |s| format!("{s:?}"));
                let reason =
                    format!("page {page} of the streaming file should be in use, but is {state}");
                return Err(EseError::corrupt_bytes(reason));
            }
        }
        info.runs().iter().for_each(|run| self.mark(*run, PageState::Deleted));
        Ok(())
    }

    fn mark(&mut self, run: Run, state: PageState) {
        for page in run.pages() {
            if let Some((number, page)) = place(page)
                && let Some(chunk) = self.chunks.get_mut(number)
            {
                chunk.set(page, state);
                self.changed.insert(number as u32);
            }
        }
    }
}

/// Clusters that content of so many bytes takes; none when it has more pages than a file.
pub(super) fn clusters_of(len_bytes: u64) -> Option<u32> {
    let pages = u32::try_from(len_bytes.div_ceil(PAGE_BYTES as u64)).ok()?;
    Some(if len_bytes >= LARGE_BYTES { pages / CLUSTER_PAGES } else { 0 })
}

/// Pages that it takes beside them.
pub(super) fn single_pages_of(len_bytes: u64) -> Option<u32> {
    let pages = u32::try_from(len_bytes.div_ceil(PAGE_BYTES as u64)).ok()?;
    Some(pages - clusters_of(len_bytes)? * CLUSTER_PAGES)
}

fn too_long() -> EseError {
    let limit = CHUNKS_MAX as u64;
    EseError::limit("chunks of the streaming file", limit + 1, limit)
}

/// The chunk of a page, and the page's number within it.
fn place(page: StmPgno) -> Option<(usize, u32)> {
    let index = page.0.checked_sub(1)?;
    Some(((index / CHUNK_PAGES) as usize, index % CHUNK_PAGES))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(info: &SlvInfo) -> Vec<(u32, u32)> {
        info.runs().iter().map(|run| (run.first().0, run.count())).collect()
    }

    #[test]
    fn large_content_takes_aligned_clusters_and_a_shared_tail() {
        let mut space = SpaceMap::default();
        assert_eq!(runs(&space.allocate(1).unwrap()), [(1, 1)]);
        // Two clusters and three pages: the clusters are whole ones, the tail shares the first.
        assert_eq!(runs(&space.allocate(35 * 4096).unwrap()), [(17, 32), (2, 3)]);
        assert_eq!(runs(&space.allocate(4097).unwrap()), [(5, 2)]);
        assert_eq!(space.page_count(), 512);
        assert_eq!(space.take_changed().into_iter().collect::<Vec<_>>(), [0]);
        assert!(space.take_changed().is_empty());
    }

    #[test]
    fn freed_pages_come_back_only_after_tidying() {
        let mut space = SpaceMap::default();
        let first = space.allocate(3 * 4096).unwrap();
        space.free(&first).unwrap();
        assert_eq!(space.state(StmPgno(2)), Some(PageState::Deleted));
        assert!(space.free(&first).is_err(), "freed twice");
        assert_eq!(runs(&space.allocate(4096).unwrap()), [(4, 1)]);
        let mut next = SpaceMap::new(space.chunks().to_vec()).unwrap();
        assert_eq!(next.tidy(), 3);
        assert_eq!(runs(&next.allocate(4 * 4096).unwrap()), [(1, 3), (5, 1)]);
    }

    #[test]
    fn the_file_grows_by_chunks_and_empty_content_takes_nothing() {
        let mut space = SpaceMap::default();
        assert_eq!(space.allocate(0).unwrap(), SlvInfo::new(0, Vec::new()));
        assert_eq!(space.page_count(), 0);
        let big = space.allocate(3 << 20).unwrap();
        assert_eq!(runs(&big), [(1, 768)]);
        assert_eq!(space.page_count(), 1024);
    }

    #[test]
    fn content_too_scattered_for_one_value_goes_to_the_end() {
        // Every second cluster is taken: 600 free ones, none beside another.
        let mut chunk = Chunk::default();
        (0..CLUSTERS).step_by(2).for_each(|c| chunk.set(c * CLUSTER_PAGES, PageState::Committed));
        let mut space = SpaceMap::new(vec![chunk; 40]).unwrap();
        let info = space.allocate(600 * LARGE_BYTES).unwrap();
        assert_eq!(runs(&info), [(40 * 512 + 1, 600 * 16)]);
        // What was tried first is free again.
        assert_eq!(runs(&space.allocate(LARGE_BYTES).unwrap()), [(17, 16)]);
        let used: u32 = space.chunks().iter().map(|chunk| chunk.count(PageState::Committed)).sum();
        assert_eq!(used, 40 * 16 + 600 * 16 + 16);
    }

    #[test]
    fn pages_beyond_the_end_have_no_state() {
        let mut space = SpaceMap::default();
        space.allocate(1).unwrap();
        assert_eq!(space.state(StmPgno(513)), None);
        assert_eq!(space.state(StmPgno(0)), None);
        let beyond = SlvInfo::new(4096, vec![Run::new(513, 1).unwrap()]);
        assert!(space.free(&beyond).is_err());
    }
}
