//! Free pages taken out of the writer ahead of demand, so that workers need not wait for it while it commits.
//!
//! Whatever lies here is lent: free on disk at every commit, and free in the store again when the job is over.

use std::collections::HashMap;

use crate::ese::error::EseResult;
use crate::ese::page::Pgno;
use crate::ese::tree::Extent;

/// Most pages in stock for one tree: 64 MiB.
const STOCK_PAGES: u32 = 16_384;
/// The stock follows demand: this part of what a tree has been lent so far.
const STOCK_SHARE: u32 = 2;

/// The pages in stock.
#[derive(Debug, Default)]
pub struct PagePool {
    trees: HashMap<Pgno, Stock>,
}

#[derive(Debug, Default)]
struct Stock {
    extents: Vec<Extent>,
    lent_pages: u32,
}

impl Stock {
    fn pages(&self) -> u32 {
        self.extents.iter().map(|extent| extent.count).sum()
    }

    /// How many pages should be here.
    fn wanted_pages(&self) -> u32 {
        (self.lent_pages / STOCK_SHARE).min(STOCK_PAGES)
    }

    fn is_low(&self) -> bool {
        self.pages() < self.wanted_pages() / 2
    }
}

impl PagePool {
    /// Up to `want` adjacent pages of the tree with root `fdp`; none when there are none in stock.
    pub fn take(&mut self, fdp: Pgno, want: u32) -> Option<Extent> {
        let stock = self.trees.entry(fdp).or_default();
        let extent = stock.extents.pop()?;
        let (taken, rest) = divide(extent, want.max(1));
        stock.extents.extend(rest);
        stock.lent_pages = stock.lent_pages.saturating_add(taken.count);
        Some(taken)
    }

    /// How many pages to ask the writer for when `want` are needed and none are in stock.
    pub fn order(&self, fdp: Pgno, want: u32) -> u32 {
        want.max(self.trees.get(&fdp).map_or(0, Stock::wanted_pages) / 8)
    }

    /// Of pages that were ordered, gives `want` away and takes the rest in stock.
    pub fn keep_rest(&mut self, fdp: Pgno, extent: Extent, want: u32) -> Extent {
        let stock = self.trees.entry(fdp).or_default();
        let (taken, rest) = divide(extent, want.max(1));
        stock.extents.extend(rest);
        stock.lent_pages = stock.lent_pages.saturating_add(taken.count);
        taken
    }

    /// Fills up before a commit, from `lend`.
    ///
    /// # Errors
    /// What `lend` reports.
    pub fn fill(&mut self, lend: &mut dyn FnMut(Pgno, u32) -> EseResult<Extent>) -> EseResult<()> {
        self.fill_where(&|_| true, lend)
    }

    /// Fills up what is half gone. More often than that would make extents short, and what is built on them scattered.
    ///
    /// # Errors
    /// What `lend` reports.
    pub fn fill_low(
        &mut self,
        lend: &mut dyn FnMut(Pgno, u32) -> EseResult<Extent>,
    ) -> EseResult<()> {
        self.fill_where(&Stock::is_low, lend)
    }

    /// Whether there is something to fill up.
    pub fn is_low(&self) -> bool {
        self.trees.values().any(Stock::is_low)
    }

    fn fill_where(
        &mut self,
        is_wanted: &dyn Fn(&Stock) -> bool,
        lend: &mut dyn FnMut(Pgno, u32) -> EseResult<Extent>,
    ) -> EseResult<()> {
        for (fdp, stock) in self.trees.iter_mut().filter(|(_, stock)| is_wanted(stock)) {
            loop {
                let missing = stock.wanted_pages().saturating_sub(stock.pages());
                if missing == 0 {
                    break;
                }
                stock.extents.push(lend(*fdp, missing)?);
            }
        }
        Ok(())
    }

    /// Everything in stock, to be given back.
    pub fn empty(&mut self) -> Vec<(Pgno, Extent)> {
        let stocks = std::mem::take(&mut self.trees).into_iter();
        stocks.flat_map(|(fdp, stock)| stock.extents.into_iter().map(move |it| (fdp, it))).collect()
    }
}

/// The first pages of an extent, and what is left of it.
fn divide(extent: Extent, want: u32) -> (Extent, Option<Extent>) {
    if extent.count <= want {
        return (extent, None);
    }
    let rest = Extent { last: extent.last, count: extent.count - want };
    let taken = extent.pages().nth(want as usize - 1).map(|last| Extent { last, count: want });
    match taken {
        Some(taken) => (taken, Some(rest)),
        None => (extent, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extent(first: u32, count: u32) -> Extent {
        Extent { last: Pgno::new(first + count - 1).unwrap(), count }
    }

    #[test]
    fn pages_come_out_once_and_in_order() {
        let root = Pgno::new(7).unwrap();
        let mut pool = PagePool::default();
        assert_eq!(pool.take(root, 3), None);
        assert_eq!(pool.keep_rest(root, extent(100, 8), 3), extent(100, 3));
        assert_eq!(pool.take(root, 9), Some(extent(103, 5)));
        assert_eq!(pool.take(root, 1), None);
    }

    #[test]
    fn the_stock_follows_what_was_lent() {
        let root = Pgno::new(7).unwrap();
        let mut pool = PagePool::default();
        pool.keep_rest(root, extent(100, 400), 400);
        let mut asked = Vec::new();
        pool.fill(&mut |fdp, want| {
            asked.push((fdp, want));
            Ok(extent(1000, want.min(60)))
        })
        .unwrap();
        assert_eq!(asked, [(root, 200), (root, 140), (root, 80), (root, 20)]);
        assert_eq!(pool.empty().len(), 4);
        assert_eq!(pool.take(root, 1), None);
    }
    #[test]
    fn what_is_half_gone_is_filled_up_meanwhile() {
        let root = Pgno::new(7).unwrap();
        let mut pool = PagePool::default();
        pool.keep_rest(root, extent(100, 500), 400);
        assert!(!pool.is_low());
        pool.fill_low(&mut |_, _| unreachable!("a hundred pages are here")).unwrap();
        pool.take(root, 10);
        assert!(pool.is_low());
        pool.fill_low(&mut |_, want| Ok(extent(1000, want))).unwrap();
        assert!(!pool.is_low());
        assert_eq!(pool.take(root, 200).map(|taken| taken.count), Some(115));
    }
}
