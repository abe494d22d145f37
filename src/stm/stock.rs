//! Free pages of the streaming file taken out of its space ahead of demand, so that streams can be placed while the writer is busy.
//!
//! Places are those that [`super::SpaceMap`] would give: content of a cluster or more in whole aligned clusters, the rest in single
//! pages. Whatever lies here is reserved: free on disk, and given back in the end. Source: exchange-store 12.7 (allocator).

use std::collections::VecDeque;

use super::CLUSTER_PAGES;
use super::run::{Run, SlvInfo, push_joined};
use super::space::{clusters_of, single_pages_of};

/// Reserved pages.
#[derive(Debug, Default)]
pub struct StreamStock {
    clusters: Shelf,
    pages: Shelf,
}

/// Runs of one kind, in the order in which they are used up.
#[derive(Debug, Default)]
struct Shelf {
    runs: VecDeque<Run>,
    page_count: u32,
}

/// Numbers of clusters and of single pages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StreamNeed {
    /// Whole clusters.
    pub clusters: u32,
    /// Single pages.
    pub pages: u32,
}

impl StreamNeed {
    /// What streams of these lengths in bytes take; none when that is more than a file can have.
    pub fn of(lengths: &[u64]) -> Option<Self> {
        let mut need = Self::default();
        for len_bytes in lengths {
            need.clusters = need.clusters.checked_add(clusters_of(*len_bytes)?)?;
            need.pages = need.pages.checked_add(single_pages_of(*len_bytes)?)?;
        }
        Some(need)
    }
}

impl Shelf {
    fn add(&mut self, runs: impl IntoIterator<Item = Run>) {
        for run in runs {
            self.page_count += run.count();
            self.runs.push_back(run);
        }
    }

    /// Moves `count` pages, which must be here, to `out`.
    fn take(&mut self, mut count: u32, out: &mut Vec<Run>) {
        self.page_count -= count;
        while count > 0
            && let Some(run) = self.runs.pop_front()
        {
            let (taken, rest) = run.split_at(count);
            count -= taken.count();
            push_joined(out, taken);
            if let Some(rest) = rest {
                self.runs.push_front(rest);
            }
        }
    }
}

impl StreamStock {
    /// What is here.
    pub fn holds(&self) -> StreamNeed {
        StreamNeed {
            clusters: self.clusters.page_count / CLUSTER_PAGES,
            pages: self.pages.page_count,
        }
    }

    /// Adds reserved clusters.
    pub fn add_clusters(&mut self, runs: Vec<Run>) {
        self.clusters.add(runs);
    }

    /// Adds reserved single pages.
    pub fn add_pages(&mut self, runs: Vec<Run>) {
        self.pages.add(runs);
    }

    /// Places for streams of these lengths in bytes; none, and nothing is taken, when there are too few pages or they lie too scattered.
    pub fn take(&mut self, lengths: &[u64]) -> Option<Vec<SlvInfo>> {
        let (need, holds) = (StreamNeed::of(lengths)?, self.holds());
        if need.clusters > holds.clusters || need.pages > holds.pages {
            return None;
        }
        let mut places: Vec<(u64, Vec<Run>)> = Vec::with_capacity(lengths.len());
        for len_bytes in lengths {
            let mut runs = Vec::new();
            self.clusters.take(clusters_of(*len_bytes)? * CLUSTER_PAGES, &mut runs);
            self.pages.take(single_pages_of(*len_bytes)?, &mut runs);
            places.push((*len_bytes, runs));
        }
        if places.iter().any(|(_, runs)| runs.len() > SlvInfo::RUNS_MAX) {
            // Back it goes; what were clusters may serve as pages.
            self.pages.add(places.into_iter().flat_map(|(_, runs)| runs));
            return None;
        }
        Some(places.into_iter().map(|(len_bytes, runs)| SlvInfo::new(len_bytes, runs)).collect())
    }

    /// Everything that is here, to be given back.
    pub fn empty(&mut self) -> Vec<Run> {
        let shelves = [std::mem::take(&mut self.clusters), std::mem::take(&mut self.pages)];
        shelves.into_iter().flat_map(|shelf| shelf.runs).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stm::PAGE_BYTES;

    const PAGE: u64 = PAGE_BYTES as u64;

    fn run(first: u32, count: u32) -> Run {
        Run::new(first, count).unwrap()
    }

    #[test]
    fn long_streams_get_clusters_and_their_tails_pages() {
        let mut stock = StreamStock::default();
        stock.add_clusters(vec![run(65, 32)]);
        stock.add_pages(vec![run(1, 3), run(9, 9)]);
        let lengths = [CLUSTER_PAGES as u64 * PAGE + 1, 2 * PAGE, 0];
        let places = stock.take(&lengths).unwrap();
        assert_eq!(places[0].runs(), [run(65, CLUSTER_PAGES), run(1, 1)]);
        assert_eq!(places[1].runs(), [run(2, 2)]);
        assert_eq!(places[2].runs(), []);
        assert_eq!(stock.holds(), StreamNeed { clusters: 32 / CLUSTER_PAGES - 1, pages: 9 });
    }

    #[test]
    fn nothing_is_taken_when_there_is_too_little() {
        let mut stock = StreamStock::default();
        stock.add_pages(vec![run(1, 3)]);
        assert_eq!(stock.take(&[2 * PAGE, 2 * PAGE]), None);
        assert_eq!(stock.take(&[CLUSTER_PAGES as u64 * PAGE]), None);
        assert_eq!(stock.holds().pages, 3);
        assert_eq!(stock.empty(), [run(1, 3)]);
        assert_eq!(stock.take(&[1]), None);
    }

    #[test]
    fn what_lies_too_scattered_for_one_value_stays() {
        let mut stock = StreamStock::default();
        let scattered: Vec<Run> =
            (0..600).map(|number| run(1 + 2 * number * CLUSTER_PAGES, CLUSTER_PAGES)).collect();
        stock.add_clusters(scattered);
        let whole = 600 * u64::from(CLUSTER_PAGES) * PAGE;
        assert_eq!(stock.take(&[whole]), None);
        assert_eq!(stock.empty().iter().map(|run| run.count()).sum::<u32>(), 600 * CLUSTER_PAGES);
    }
}
