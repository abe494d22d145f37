//! Sets of pages kept as extents.

use std::collections::BTreeMap;

use crate::ese::error::{EseError, EseResult};
use crate::ese::page::Pgno;

/// Adjacent pages, named by the last one. Source: ese-physical 8.4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// Last page.
    pub last: Pgno,
    /// Number of pages, at least one, at most `last`.
    pub count: u32,
}

impl Extent {
    /// The extent of `count` pages that ends with `last`, if there can be one.
    pub fn new(last: Pgno, count: u32) -> Option<Self> {
        (1..=last.get()).contains(&count).then_some(Self { last, count })
    }

    /// First page.
    pub fn first(&self) -> Pgno {
        // `count` is between 1 and `last`, so this is a page number.
        Pgno::new(self.last.get().saturating_sub(self.count.saturating_sub(1))).unwrap_or(self.last)
    }

    /// Whether `pgno` lies inside.
    pub fn contains(&self, pgno: Pgno) -> bool {
        self.first() <= pgno && pgno <= self.last
    }

    /// The page numbers inside.
    pub fn pages(&self) -> impl Iterator<Item = Pgno> {
        (self.first().get()..=self.last.get()).filter_map(Pgno::new)
    }
}

/// Disjoint extents, by their last page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExtentSet {
    extents: BTreeMap<Pgno, u32>,
}

impl ExtentSet {
    /// Adds an extent that overlaps no other.
    pub fn add(&mut self, extent: Extent) {
        debug_assert!(extent.count > 0 && extent.count <= extent.last.get());
        let replaced = self.extents.insert(extent.last, extent.count);
        debug_assert!(replaced.is_none());
    }

    /// Adds an extent read from a file.
    ///
    /// # Errors
    /// [`EseError::Corrupt`] when it overlaps another.
    pub fn add_new(&mut self, extent: Extent) -> EseResult<()> {
        if self.overlaps(extent) {
            let reason = format!("the extent {}..{} overlaps another", extent.first(), extent.last);
            return Err(EseError::corrupt(extent.last, reason));
        }
        self.extents.insert(extent.last, extent.count);
        Ok(())
    }

    /// The extents in ascending order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Extent> + '_ {
        self.extents.iter().map(|(last, count)| Extent { last: *last, count: *count })
    }

    /// Number of pages in all extents.
    pub fn page_count(&self) -> u64 {
        self.extents.values().map(|count| u64::from(*count)).sum()
    }

    /// Whether there is no page.
    pub fn is_empty(&self) -> bool {
        self.extents.is_empty()
    }

    /// The last page.
    pub fn last_page(&self) -> Option<Pgno> {
        self.extents.keys().next_back().copied()
    }

    /// The extent that holds `pgno`.
    pub fn extent_of(&self, pgno: Pgno) -> Option<Extent> {
        let (last, count) = self.extents.range(pgno..).next()?;
        let extent = Extent { last: *last, count: *count };
        extent.contains(pgno).then_some(extent)
    }

    /// Whether `pgno` is in the set.
    pub fn contains(&self, pgno: Pgno) -> bool {
        self.extent_of(pgno).is_some()
    }

    /// Removes the extent that ends with `last`.
    pub fn remove(&mut self, last: Pgno) -> Option<Extent> {
        self.extents.remove(&last).map(|count| Extent { last, count })
    }

    /// Takes `part` out of the extent that holds it whole.
    ///
    /// # Panics
    /// When no extent holds it whole.
    pub fn take(&mut self, part: Extent) {
        let whole = self.extent_of(part.last).filter(|whole| whole.first() <= part.first());
        let Some(whole) = whole else {
            panic!("pages {}..{} are not free", part.first(), part.last)
        };
        self.extents.remove(&whole.last);
        let before = part.first().get() - whole.first().get();
        if let Some(last) = Pgno::new(part.first().get() - 1).filter(|_| before > 0) {
            self.extents.insert(last, before);
        }
        let after = whole.last.get() - part.last.get();
        if after > 0 {
            self.extents.insert(whole.last, after);
        }
    }

    /// Takes `part` out, in however many extents it lies.
    ///
    /// # Panics
    /// When the set does not cover it.
    pub fn take_all(&mut self, part: Extent) {
        let mut next = part.first();
        loop {
            let whole = self.extent_of(next).map_or(next, |whole| whole.last);
            let last = whole.min(part.last);
            self.take(Extent { last, count: last.get() - next.get() + 1 });
            match last.checked_add(1) {
                Some(after) if after <= part.last => next = after,
                _ => return,
            }
        }
    }

    /// Takes one page: the first one after `near`, else the first one of all.
    pub fn take_page(&mut self, near: Option<Pgno>) -> Option<Pgno> {
        let start = near.unwrap_or(Pgno::fixed(1));
        let found = self.extents.range(start..).next().or_else(|| self.extents.iter().next());
        let (last, count) = found?;
        let extent = Extent { last: *last, count: *count };
        let pgno = extent.first().max(start.min(extent.last));
        self.take(Extent { last: pgno, count: 1 });
        Some(pgno)
    }

    /// Takes `want` adjacent pages where there are so many, else the longest extent of at least `min`.
    pub fn take_extent(&mut self, min: u32, want: u32) -> Option<Extent> {
        let found = self.iter().find(|extent| extent.count >= want).or_else(|| {
            self.iter().max_by_key(|extent| extent.count).filter(|extent| extent.count >= min)
        })?;
        let count = want.min(found.count);
        let last = found.first().checked_add(count - 1)?;
        let part = Extent { last, count };
        self.take(part);
        Some(part)
    }

    /// Whether every page of `extent` is in the set, be it in several adjacent extents.
    pub fn covers(&self, extent: Extent) -> bool {
        let mut next = extent.first();
        while let Some(part) = self.extent_of(next) {
            match part.last.checked_add(1) {
                Some(after) if after <= extent.last => next = after,
                _ => return true,
            }
        }
        false
    }

    /// Whether a page of `extent` is in the set.
    pub fn overlaps(&self, extent: Extent) -> bool {
        let at_or_after = self.extents.range(extent.first()..).next();
        at_or_after.is_some_and(|(last, count)| {
            Extent { last: *last, count: *count }.first() <= extent.last
        })
    }

    /// Adds one page, joined to its neighbours as far as they lie in the same extent of `bounds`.
    pub fn add_page(&mut self, pgno: Pgno, bounds: &Self) {
        debug_assert!(!self.contains(pgno), "page {pgno} is free already");
        let bound = bounds.extent_of(pgno).unwrap_or(Extent { last: pgno, count: 1 });
        let mut joined = Extent { last: pgno, count: 1 };
        let after = pgno.checked_add(1).filter(|next| *next <= bound.last);
        if let Some(after) = after.and_then(|next| self.extent_of(next)) {
            self.extents.remove(&after.last);
            joined = Extent { last: after.last, count: joined.count + after.count };
        }
        let before = Pgno::new(pgno.get() - 1).filter(|previous| *previous >= bound.first());
        if let Some(before) = before.and_then(|previous| self.extent_of(previous)) {
            self.extents.remove(&before.last);
            joined.count += before.count;
        }
        self.extents.insert(joined.last, joined.count);
    }

    /// Joins adjacent extents that lie in the same extent of `bounds`.
    pub fn coalesce(&mut self, bounds: &Self) {
        let mut joined: Vec<Extent> = Vec::with_capacity(self.extents.len());
        for extent in self.iter() {
            match joined.last_mut() {
                Some(before)
                    if before.last.checked_add(1) == Some(extent.first())
                        && bounds.extent_of(before.last) == bounds.extent_of(extent.first()) =>
                {
                    *before = Extent { last: extent.last, count: before.count + extent.count };
                }
                _ => joined.push(extent),
            }
        }
        self.extents = joined.into_iter().map(|extent| (extent.last, extent.count)).collect();
    }
}
