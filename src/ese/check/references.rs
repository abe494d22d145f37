//! Which long values the records of a table name, and how often.
//!
//! A bounded number of values is held at once, 12 bytes each and as much again while they are sorted: where there are
//! more, the values with higher numbers are left for another pass over the records. Numbers ascend in the long-value tree,
//! so each batch meets one stretch of it. Source: ese-logical 4.6.

use crate::ese::table::column::Lid;
use crate::ese::table::database::Table;
use crate::ese::table::record::{RecordView, Stored};
use crate::ese::table::schema::TableDef;
use crate::ese::txn::DatabaseFile;

/// Values whose references are held at once.
const VALUES_MAX: usize = 2 << 20;
/// References that are gathered before they are sorted in.
const FRESH_MIN: usize = 1 << 16;

/// How often each value with a number in a range is named. Values found in the tree are taken out.
#[derive(Debug)]
pub struct References {
    from: Lid,
    /// First value that is left for the next pass; `None` = there is none.
    until: Option<Lid>,
    /// Ascending.
    counts: Vec<(Lid, u32)>,
    fresh: Vec<Lid>,
    values_max: usize,
    /// Every record could be read, so that counts are not too low.
    is_complete: bool,
}

impl References {
    /// An account of the values from number `from` on.
    pub fn new(from: Lid) -> Self {
        Self::bounded(from, VALUES_MAX)
    }

    fn bounded(from: Lid, values_max: usize) -> Self {
        let (counts, fresh) = (Vec::new(), Vec::new());
        Self { from, until: None, counts, fresh, values_max, is_complete: true }
    }

    /// Goes through all records of a table. Records that cannot be read are passed over: somebody else tells of them.
    pub fn of_table(file: &DatabaseFile, table: &TableDef, from: Lid) -> Self {
        let mut references = Self::new(from);
        let mut cursor = Table::new(file, table).rows();
        let mut step = cursor.first();
        while !matches!(step, Ok(false)) {
            match (step, cursor.row()) {
                (Ok(true), Ok(Some(row))) => references.add_record(&row.record()),
                _ => references.set_incomplete(),
            }
            step = cursor.next();
        }
        references.settle();
        references
    }

    fn add_record(&mut self, record: &RecordView<'_>) {
        for field in record.tagged_fields() {
            let Ok(values) = field.and_then(|field| field.values()) else {
                self.set_incomplete();
                continue;
            };
            for value in values.iter() {
                match value {
                    Ok(Stored::Separated(lid)) => self.add(lid),
                    Ok(_) => {}
                    Err(_) => self.set_incomplete(),
                }
            }
        }
    }

    /// Notes that some record or field could not be read.
    pub fn set_incomplete(&mut self) {
        self.is_complete = false;
    }

    /// Whether every reference is counted; otherwise there may be more.
    pub fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// Counts one reference.
    pub fn add(&mut self, lid: Lid) {
        if lid < self.from || self.until.is_some_and(|until| lid >= until) {
            return;
        }
        self.fresh.push(lid);
        if self.fresh.len() >= FRESH_MIN.max(self.counts.len() / 2) {
            self.settle();
        }
    }

    /// Sorts in what was added last. To be called before the account is read.
    pub fn settle(&mut self) {
        if self.fresh.is_empty() {
            return;
        }
        self.fresh.sort_unstable();
        let mut merged = Vec::with_capacity(self.counts.len() + self.fresh.len());
        let mut old = std::mem::take(&mut self.counts).into_iter().peekable();
        let mut add = |(lid, count): (Lid, u32)| match merged.last_mut() {
            Some((last, sum)) if *last == lid => *sum = count.saturating_add(*sum),
            _ => merged.push((lid, count)),
        };
        for lid in self.fresh.drain(..) {
            while let Some(entry) = old.next_if(|(before, _)| *before <= lid) {
                add(entry);
            }
            add((lid, 1));
        }
        old.for_each(add);
        self.counts = merged;
        if self.counts.len() > self.values_max {
            // Half of the bound, so that the next values do not lead here again at once.
            let keep = self.values_max / 2;
            self.until = self.counts.get(keep).map(|(lid, _)| *lid);
            self.counts.truncate(keep);
        }
        self.counts.shrink_to(self.counts.len() * 5 / 4);
    }

    /// The first value that this account knows nothing of, because it is left for the next one.
    pub fn until(&self) -> Option<Lid> {
        self.until
    }

    /// How often a value is named; afterwards it counts as found.
    pub fn take(&mut self, lid: Lid) -> u32 {
        let found = self.counts.binary_search_by_key(&lid, |(lid, _)| *lid).ok();
        found.and_then(|at| self.counts.get_mut(at)).map_or(0, |(_, count)| std::mem::take(count))
    }

    /// The values that were named and never found.
    pub fn rest(self) -> impl Iterator<Item = (Lid, u32)> {
        self.counts.into_iter().filter(|(_, count)| *count > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_counted_whatever_their_order() {
        let mut references = References::new(Lid(0));
        for lid in [5, 3, 5, 9, 5, 3] {
            references.add(Lid(lid));
            references.settle();
        }
        assert_eq!(references.take(Lid(5)), 3);
        assert_eq!(references.take(Lid(4)), 0);
        assert_eq!(references.until(), None);
        assert_eq!(references.rest().collect::<Vec<_>>(), [(Lid(3), 2), (Lid(9), 1)]);
    }

    #[test]
    fn batches_together_count_every_reference_once() {
        let named: Vec<Lid> = (0..1000u64).map(|n| Lid(n * 7919 % 300 + 1)).collect();
        let mut expected = std::collections::BTreeMap::new();
        named.iter().for_each(|lid| *expected.entry(*lid).or_insert(0u32) += 1);
        let (mut found, mut from, mut batches) = (Vec::new(), Some(Lid(0)), 0);
        while let Some(start) = from {
            let mut batch = References::bounded(start, 64);
            for lid in &named {
                batch.add(*lid);
                if batch.fresh.len() > 20 {
                    batch.settle();
                }
            }
            batch.settle();
            assert!(batch.counts.len() <= 64);
            (from, batches) = (batch.until(), batches + 1);
            found.extend(batch.rest());
        }
        assert_eq!(found, expected.into_iter().collect::<Vec<_>>());
        assert!(batches > 4, "{batches} batches");
    }
}
