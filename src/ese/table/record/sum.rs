//! One number over a row as it is stored: its record, and the chunks of its long values.
//!
//! Whoever builds rows sums up what it hands over; whoever reads them back sums up what lies there, and nothing has to be decoded for
//! it. A CRC32 finds every accident of the machine. It says nothing of rows that are stored in another way, and is no proof against an
//! attacker.

use std::ops::Range;

use crate::ese::table::column::ColumnDef;

/// What a sum leaves out: fixed columns that change while the rest of the row stays as it is, such as counts of references.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SumScope {
    /// Where they stand in a record, ascending.
    left_out: Vec<Range<usize>>,
}

impl SumScope {
    /// Everything but these fixed columns.
    pub fn without<'c>(columns: impl IntoIterator<Item = &'c ColumnDef>) -> Self {
        let place = |column: &ColumnDef| {
            let start = usize::from(column.record_offset?);
            Some(start..start + column.width_bytes())
        };
        let mut left_out: Vec<_> = columns.into_iter().filter_map(place).collect();
        left_out.sort_by_key(|place| place.start);
        Self { left_out }
    }

    fn sum(&self, record: &[u8]) -> u32 {
        let mut hasher = crc32fast::Hasher::new();
        let mut from = 0;
        for place in &self.left_out {
            let end = place.start.min(record.len());
            hasher.update(record.get(from..end).unwrap_or_default());
            from = place.end;
        }
        hasher.update(record.get(from..).unwrap_or_default());
        hasher.finalize()
    }
}

/// The sum over one row, while it is being taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RowSum {
    record: u32,
    values: u32,
}

impl RowSum {
    /// Takes the record in.
    pub fn record(&mut self, scope: &SumScope, record: &[u8]) {
        self.record = scope.sum(record);
    }

    /// Takes in a long value, of whose chunks in order `crc` is the CRC32. Values may come in any order: which is whose, the record says.
    pub fn value(&mut self, crc: u32) {
        self.values = self.values.wrapping_add(crc);
    }

    /// The sum.
    pub fn finish(self) -> u32 {
        joined([self.record, self.values])
    }
}

/// One number for several, in their order.
pub fn joined(sums: impl IntoIterator<Item = u32>) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    sums.into_iter().for_each(|sum| hasher.update(&sum.to_le_bytes()));
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum_of(scope: &SumScope, record: &[u8]) -> u32 {
        let mut sum = RowSum::default();
        sum.record(scope, record);
        sum.finish()
    }

    #[test]
    fn what_is_left_out_may_change_and_nothing_else() {
        let scope = SumScope { left_out: vec![4..8, 12..14] };
        let record: Vec<u8> = (0..20).collect();
        for at in 0..record.len() {
            let mut changed = record.clone();
            changed[at] ^= 0x10;
            let is_left_out = (4..8).contains(&at) || (12..14).contains(&at);
            let is_same = sum_of(&scope, &changed) == sum_of(&scope, &record);
            assert_eq!(is_same, is_left_out, "byte {at}");
        }
    }

    #[test]
    fn a_record_that_ends_early_still_has_a_sum() {
        let scope = SumScope { left_out: vec![4..8, 12..14] };
        let sums: Vec<u32> = (0..20).map(|len| sum_of(&scope, &vec![7; len])).collect();
        assert_ne!(sums[3], sums[2], "bytes before the first place count");
        assert_eq!(sums[6], sums[5], "those in it do not");
    }

    #[test]
    fn values_count_in_any_order() {
        let mut one = RowSum::default();
        let mut other = RowSum::default();
        [3, 5].into_iter().for_each(|crc| one.value(crc));
        [5, 3].into_iter().for_each(|crc| other.value(crc));
        assert_eq!(one.finish(), other.finish());
        other.value(1);
        assert_ne!(one.finish(), other.finish());
    }
}
