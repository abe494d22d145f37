//! Which keys a row has in an index. Source: ese-logical 6.6-6.9.

use std::borrow::Cow;

use super::index::{IndexDef, IndexFlags, MAX_SEGMENTS, TupleLimits};
use super::{Key, KeyBuilder};
use crate::ese::error::{EseError, EseResult, Refusal};
use crate::ese::table::column::{ColumnDef, ColumnFlags, Fid};
use crate::ese::table::value::CODE_PAGE_UNICODE;

/// Most keys that one row may have in one index: a bound for hostile cross products, far beyond real rows.
const MAX_KEYS: usize = 1 << 17;

/// Where the values of a row come from. Defaults are applied by the source.
///
/// Of long values only the first [`KeyBuilder::source_bytes`] bytes are looked at; the source may leave out the rest.
pub trait FieldSource {
    /// Number of values of a column, 0 when it is NULL. `template` as in the index definition.
    fn value_count(&self, fid: Fid, template: bool) -> usize;

    /// Value `nth`, counted from 0; `None` when there is no such value.
    ///
    /// # Errors
    /// Whatever keeps the source from telling.
    fn value(&self, fid: Fid, template: bool, nth: usize) -> EseResult<Option<Cow<'_, [u8]>>>;

    /// The same for a column that was looked up before.
    ///
    /// # Errors
    /// As [`Self::value`].
    fn value_in(
        &self,
        column: &ColumnDef,
        template: bool,
        nth: usize,
    ) -> EseResult<Option<Cow<'_, [u8]>>> {
        self.value(column.fid, template, nth)
    }
}

/// An index with its columns looked up: makes the keys of many rows.
#[derive(Debug, Clone)]
pub struct IndexKeys<'d> {
    index: &'d IndexDef,
    segments: Vec<Segment<'d>>,
    builder: KeyBuilder,
}

#[derive(Debug, Clone, Copy)]
struct Segment<'d> {
    column: &'d ColumnDef,
    descending: bool,
    template: bool,
    /// The column may have several values and the index has entries for them.
    multi_valued: bool,
}

impl Segment<'_> {
    fn count(&self, source: &dyn FieldSource) -> usize {
        source.value_count(self.column.fid, self.template)
    }
}

impl<'d> IndexKeys<'d> {
    /// Looks the columns of `index` up in `columns`.
    ///
    /// # Errors
    /// [`EseError::Corrupt`] when the index has no segment, more than 16, or names a column that does not exist.
    pub fn new(index: &'d IndexDef, columns: &'d [ColumnDef]) -> EseResult<Self> {
        let has_multi = index.flags.contains(IndexFlags::MULTI_VALUED);
        let segments: Vec<_> = index
            .segments
            .iter()
            .map(|segment| {
                let column = find_column(columns, segment.fid, segment.template)
                    .ok_or_else(|| no_column(index, segment.fid))?;
                let multi_valued = has_multi && column.flags.contains(ColumnFlags::MULTI_VALUED);
                let (descending, template) = (segment.descending, segment.template);
                Ok(Segment { column, descending, template, multi_valued })
            })
            .collect::<EseResult<_>>()?;
        if segments.is_empty() || segments.len() > MAX_SEGMENTS {
            let count = segments.len();
            return Err(EseError::corrupt_bytes(format!("an index of {count} columns"))
                .in_object(&index.name));
        }
        Ok(Self { index, segments, builder: KeyBuilder::new(index) })
    }

    /// Appends the keys of a row to `out`, ascending and without duplicates.
    ///
    /// # Errors
    /// What the source reports; what [`KeyBuilder::push`] reports; [`EseError::Refused`] for NULL where the index
    /// forbids it; [`EseError::Limit`] for rows with far too many values.
    pub fn keys(&mut self, source: &dyn FieldSource, out: &mut Vec<Key>) -> EseResult<()> {
        if !self.conditions_hold(source)? {
            return Ok(());
        }
        let start = out.len();
        let result = self.sequences(source, out);
        if result.is_err() {
            out.truncate(start);
        } else if out.len() > start + 1 {
            let mut keys = out.split_off(start);
            keys.sort_unstable();
            keys.dedup();
            out.append(&mut keys);
        }
        result.map_err(|error| error.in_object(&self.index.name))
    }

    /// Gives the keys of a row to `sink`, ascending and without duplicates.
    ///
    /// # Errors
    /// As [`IndexKeys::keys`].
    pub fn each(&mut self, source: &dyn FieldSource, sink: &mut dyn FnMut(&[u8])) -> EseResult<()> {
        if !self.gives_one_entry_at_most() {
            let mut keys = Vec::new();
            self.keys(source, &mut keys)?;
            keys.iter().for_each(|key| sink(&key.0));
            return Ok(());
        }
        let named = |error: EseError| error.in_object(&self.index.name);
        if !self.conditions_hold(source)? {
            return Ok(());
        }
        let picks = self.first_picks();
        self.builder.clear();
        let nulls = self.push_segments(0, source, picks).map_err(named)?;
        if self.allows(nulls).map_err(named)? {
            sink(self.builder.as_bytes());
        }
        Ok(())
    }

    /// The one key of a row: value 0 of every segment, whatever the index says of NULLs.
    ///
    /// # Errors
    /// As [`IndexKeys::keys`], except that only the NULL rule for primary keys holds.
    pub fn single_key(&mut self, source: &dyn FieldSource) -> EseResult<Key> {
        self.one_key(source).map(|key| Key(key.to_vec()))
    }

    /// As [`Self::single_key`]; the key stays here until the next one is made.
    ///
    /// # Errors
    /// As there.
    pub fn one_key(&mut self, source: &dyn FieldSource) -> EseResult<&[u8]> {
        let picks = self.first_picks();
        self.builder.clear();
        let nulls = self.push_segments(0, source, picks)?;
        if nulls > 0 && self.index.flags.contains(IndexFlags::NO_NULL_SEGMENT) {
            return Err(null_refused(self.index));
        }
        Ok(self.builder.as_bytes())
    }

    /// Whether no row can have more than one entry: no segment has several values, and there are no tuples.
    pub fn gives_one_entry_at_most(&self) -> bool {
        self.index.tuple.is_none() && self.segments.iter().all(|segment| !segment.multi_valued)
    }

    /// Whether a row has an entry, for indexes that [give one at most](Self::gives_one_entry_at_most). Builds no key, so
    /// that it can tell of Unicode text too.
    ///
    /// # Errors
    /// What the source reports; [`EseError::Refused`] for NULL where the index forbids it.
    pub fn has_entry(&self, source: &dyn FieldSource) -> EseResult<bool> {
        if !self.conditions_hold(source)? {
            return Ok(false);
        }
        let nulls = self.segments.iter().enumerate().fold(0, |nulls, (at, segment)| {
            if segment.count(source) == 0 { nulls | 1 << at } else { nulls }
        });
        self.allows(nulls)
    }

    fn conditions_hold(&self, source: &dyn FieldSource) -> EseResult<bool> {
        for condition in &self.index.conditions {
            let is_null = source.value_count(condition.fid, condition.template) == 0;
            if is_null != condition.must_be_null {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Goes through the combinations of values that have a key (rule 3 of ese-logical 6.8).
    fn sequences(&mut self, source: &dyn FieldSource, out: &mut Vec<Key>) -> EseResult<()> {
        if self.segments.iter().all(|segment| !segment.multi_valued) {
            let picks = self.first_picks();
            return self.keys_of(source, picks, out);
        }
        let counts: Vec<usize> = self
            .segments
            .iter()
            .map(|s| if s.multi_valued { s.count(source).max(1) } else { 1 })
            .collect();
        let limit = out.len() + MAX_KEYS;
        let mut picks = vec![0; counts.len()];
        loop {
            self.keys_of(source, &picks, out)?;
            if out.len() > limit {
                return Err(EseError::limit(
                    "keys of one row in one index",
                    (out.len() - (limit - MAX_KEYS)) as u64,
                    MAX_KEYS as u64,
                ));
            }
            if !self.next_picks(&counts, &mut picks) {
                return Ok(());
            }
        }
    }

    /// The first value of every segment.
    fn first_picks(&self) -> &'static [usize] {
        static ZEROS: [usize; MAX_SEGMENTS] = [0; MAX_SEGMENTS];
        ZEROS.get(..self.segments.len()).unwrap_or(&ZEROS)
    }

    /// Steps to the next combination; false after the last one.
    fn next_picks(&self, counts: &[usize], picks: &mut [usize]) -> bool {
        let Some(first) = self.segments.iter().position(|segment| segment.multi_valued) else {
            return false;
        };
        if self.index.flags.contains(IndexFlags::NESTED_TABLE) {
            let mut any_left = false;
            for ((segment, count), pick) in self.segments.iter().zip(counts).zip(picks) {
                if segment.multi_valued {
                    *pick += 1;
                    any_left |= *pick < *count;
                }
            }
            return any_left;
        }
        if !self.index.flags.contains(IndexFlags::CROSS_PRODUCT) {
            picks[first] += 1;
            return picks[first] < counts[first];
        }
        for (pick, count) in picks.iter_mut().zip(counts).rev() {
            *pick += 1;
            if *pick < *count {
                return true;
            }
            *pick = 0;
        }
        false
    }

    /// Appends the key, or the keys of all tuples, of one combination of values.
    fn keys_of(
        &mut self,
        source: &dyn FieldSource,
        picks: &[usize],
        out: &mut Vec<Key>,
    ) -> EseResult<()> {
        if let Some(limits) = self.index.tuple {
            return self.tuple_keys(limits, source, picks, out);
        }
        self.builder.clear();
        let nulls = self.push_segments(0, source, picks)?;
        self.finish(nulls, out)
    }

    /// Adds segments from `from` on. Returns a bit for each that is NULL, bit 0 for segment 0.
    fn push_segments(
        &mut self,
        from: usize,
        source: &dyn FieldSource,
        picks: &[usize],
    ) -> EseResult<u32> {
        let mut nulls = 0;
        for (at, (segment, pick)) in self.segments.iter().zip(picks).enumerate().skip(from) {
            let value = source.value_in(segment.column, segment.template, *pick)?;
            if value.is_none() {
                nulls |= 1 << at;
            }
            self.builder.push(segment.column, segment.descending, value.as_deref())?;
        }
        Ok(nulls)
    }

    fn tuple_keys(
        &mut self,
        limits: TupleLimits,
        source: &dyn FieldSource,
        picks: &[usize],
        out: &mut Vec<Key>,
    ) -> EseResult<()> {
        let (Some(segment), Some(pick)) = (self.segments.first().copied(), picks.first()) else {
            return Ok(());
        };
        if segment.column.coltyp.is_text() && segment.column.code_page == CODE_PAGE_UNICODE {
            return Err(EseError::unsupported("Unicode keys").in_object(&segment.column.name));
        }
        let value = source.value_in(segment.column, segment.template, *pick)?;
        let Some(value) = value else { return Ok(()) };
        let mut offset = limits.start as usize;
        for _ in 0..limits.count {
            let rest = value.get(offset..).unwrap_or_default();
            if rest.len() < (limits.shortest as usize).max(1) {
                break;
            }
            self.builder.clear();
            let tuple = &rest[..rest.len().min(limits.longest as usize)];
            self.builder.push(segment.column, segment.descending, Some(tuple))?;
            let nulls = self.push_segments(1, source, picks)?;
            self.finish(nulls, out)?;
            offset += limits.increment as usize;
        }
        Ok(())
    }

    /// Appends the key just built unless the rule on NULLs leaves it out.
    fn finish(&self, nulls: u32, out: &mut Vec<Key>) -> EseResult<()> {
        if self.allows(nulls)? {
            out.push(Key(self.builder.as_bytes().to_vec()));
        }
        Ok(())
    }

    /// Whether there is an entry when the segments with a bit in `nulls` are NULL (rule 2 of ese-logical 6.8).
    fn allows(&self, nulls: u32) -> EseResult<bool> {
        let flags = self.index.flags;
        if nulls != 0 && flags.contains(IndexFlags::NO_NULL_SEGMENT) {
            return Err(null_refused(self.index));
        }
        let needed = if nulls == 0 {
            IndexFlags::empty()
        } else if nulls.count_ones() as usize == self.segments.len() {
            IndexFlags::ALLOW_ALL_NULLS
        } else if nulls & 1 != 0 {
            IndexFlags::ALLOW_FIRST_NULL
        } else {
            IndexFlags::ALLOW_SOME_NULLS
        };
        Ok(flags.contains(needed))
    }
}

/// Appends the keys of one row in `index` to `out`, ascending and without duplicates.
///
/// # Errors
/// As [`IndexKeys::new`] and [`IndexKeys::keys`].
pub fn index_keys(
    index: &IndexDef,
    columns: &[ColumnDef],
    source: &dyn FieldSource,
    out: &mut Vec<Key>,
) -> EseResult<()> {
    IndexKeys::new(index, columns)?.keys(source, out)
}

/// The primary key of a row.
///
/// # Errors
/// As [`IndexKeys::new`] and [`IndexKeys::single_key`].
pub fn primary_key(
    index: &IndexDef,
    columns: &[ColumnDef],
    source: &dyn FieldSource,
) -> EseResult<Key> {
    IndexKeys::new(index, columns)?.single_key(source)
}

/// Whether a key of the index may contain Unicode text, so that this program must treat its tree as opaque.
pub fn index_has_unicode(index: &IndexDef, columns: &[ColumnDef]) -> bool {
    index.segments.iter().any(|segment| {
        find_column(columns, segment.fid, segment.template)
            .is_some_and(|c| c.coltyp.is_text() && c.code_page == CODE_PAGE_UNICODE)
    })
}

/// The column of a segment. Only tagged numbers exist twice, in the template table and in the derived one.
fn find_column(columns: &[ColumnDef], fid: Fid, template: bool) -> Option<&ColumnDef> {
    let of_number = || columns.iter().filter(|column| column.fid == fid);
    of_number().find(|column| column.derived == template).or_else(|| of_number().next())
}

fn no_column(index: &IndexDef, fid: Fid) -> EseError {
    EseError::corrupt_bytes(format!("an index names column {fid}, which does not exist"))
        .in_object(&index.name)
}

fn null_refused(index: &IndexDef) -> EseError {
    EseError::refused(Refusal::BadRequest, "NULL in a key that must not hold one")
        .in_object(&index.name)
}
