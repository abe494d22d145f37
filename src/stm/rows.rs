//! Rows by column name: reading them, and the keys that find them.
//!
//! For tables whose columns are known by name and not by number: the tables of the streaming file, and those of the
//! mailbox store. Values are bytes as stored; what they mean is the caller's affair.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use crate::ese::error::{EseError, EseResult};
use crate::ese::table::column::{ColumnClass, ColumnDef, ColumnType, Fid, Lid};
use crate::ese::table::fields::FieldReader;
use crate::ese::table::key::{IndexDef, KeyBuilder};
use crate::ese::table::record::{FieldValues, FixedPlace, Stored};
use crate::ese::table::rows::Row;
use crate::ese::table::schema::TableDef;
use crate::ese::txn::Pages;

/// A table and the places of its columns.
#[derive(Debug, Clone)]
pub struct NamedTable {
    def: Arc<TableDef>,
    places: Places,
    /// Columns that have a place in every record, and that place where it is known; of the others a record tells which it has.
    untagged: Vec<(usize, Option<FixedPlace>)>,
    /// Places of tagged columns, by their numbers from the first on.
    tagged: Vec<Option<usize>>,
}

impl NamedTable {
    /// The table that `def` describes.
    pub fn new(def: Arc<TableDef>) -> Self {
        let places = Places::new(&def);
        let (mut untagged, mut tagged) = (Vec::new(), Vec::new());
        for (at, column) in def.columns.iter().enumerate() {
            match column.fid.0.checked_sub(Fid::FIRST_TAGGED).filter(|_| !column.derived) {
                Some(number) => {
                    let number = usize::from(number);
                    tagged.resize(tagged.len().max(number + 1), None);
                    tagged[number] = Some(at);
                }
                None => untagged.push((at, FixedPlace::of(column))),
            }
        }
        Self { def, places, untagged, tagged }
    }

    /// Calls `visit` with each column that has a value in `row`, and its place. Cheaper than asking for each, where a row has few of many.
    ///
    /// # Errors
    /// [`EseError::Corrupt`] for a broken record; what `visit` reports.
    pub fn each_value<'t, 'r>(
        &'t self,
        row: &Row<'r>,
        visit: &mut dyn FnMut(usize, &'t ColumnDef, FieldValues<'r>) -> EseResult<()>,
    ) -> EseResult<()> {
        let mut give = |at: usize, column: &'t ColumnDef, values: FieldValues<'r>| match values {
            FieldValues::Null | FieldValues::Default => Ok(()),
            values => visit(at, column, values),
        };
        let record = row.record();
        for (at, place) in &self.untagged {
            let plain = place.and_then(|place| record.fixed_at(place));
            if let Some(None) = plain {
                continue;
            }
            let Some(column) = self.def.columns.get(*at) else { continue };
            let values = match plain.flatten() {
                Some(value) => FieldValues::One(Stored::Plain(value)),
                None => row.get(column)?,
            };
            give(*at, column, values)?;
        }
        let mut before = None;
        for field in record.tagged_fields() {
            let field = field?;
            let number = field.fid.0.checked_sub(Fid::FIRST_TAGGED).filter(|_| !field.derived);
            let is_in_order = number.is_none() || before.replace(number) < Some(number);
            let at =
                number.and_then(|number| self.tagged.get(usize::from(number)).copied().flatten());
            let column = at.and_then(|at| Some((at, self.def.columns.get(at)?)));
            if let Some((at, column)) =
                column.filter(|(_, column)| column.coltyp != ColumnType::Nil)
            {
                if !is_in_order {
                    // Some readers find it, others do not, so nobody has judged what it says.
                    let error = EseError::corrupt_bytes("tagged columns do not stand in order");
                    return Err(row.place(error, column));
                }
                let values = field.values().map_err(|error| row.place(error, column))?;
                give(at, column, values)?;
            }
        }
        Ok(())
    }

    /// The definition.
    pub fn def(&self) -> &TableDef {
        &self.def
    }

    /// The table, to be kept.
    pub fn shared_def(&self) -> &Arc<TableDef> {
        &self.def
    }

    /// Whether the table has a column of this name.
    pub fn has(&self, column: &str) -> bool {
        self.places.of(Name::of(column)).is_some()
    }

    /// The column of this name.
    ///
    /// # Errors
    /// [`EseError::Corrupt`] when the table lacks it: it was made by something else.
    #[inline]
    pub fn column(&self, name: &str) -> EseResult<&ColumnDef> {
        self.named(Name::of(name))
    }

    /// The place of the column of this name.
    #[inline]
    pub(super) fn place_of(&self, name: Name<'_>) -> Option<usize> {
        self.places.of(name)
    }

    #[inline]
    fn place(&self, name: Name<'_>) -> EseResult<usize> {
        self.places.of(name).ok_or_else(|| missing(&self.def, name.text))
    }

    #[inline]
    fn named(&self, name: Name<'_>) -> EseResult<&ColumnDef> {
        column_of(&self.def, self.place(name)?, name.text)
    }

    /// The key, or the beginning of one, of the rows whose first columns of the primary index have these values.
    ///
    /// # Errors
    /// [`EseError::Corrupt`] when there is no primary index, or a value does not fit its column.
    pub fn key(&self, values: &[Option<&[u8]>]) -> EseResult<Vec<u8>> {
        let primary = self.def.primary.as_ref();
        self.key_in(primary.ok_or_else(|| missing(&self.def, "primary index"))?, values)
    }

    /// The same in a secondary index.
    ///
    /// # Errors
    /// As [`Self::key`].
    pub fn index_key(&self, index: &str, values: &[Option<&[u8]>]) -> EseResult<Vec<u8>> {
        self.key_in(self.index(index)?, values)
    }

    /// The secondary index of this name.
    ///
    /// # Errors
    /// [`EseError::Corrupt`] when the table lacks it.
    pub fn index(&self, name: &str) -> EseResult<&IndexDef> {
        self.def.index(name).ok_or_else(|| missing(&self.def, name))
    }

    fn key_in(&self, index: &IndexDef, values: &[Option<&[u8]>]) -> EseResult<Vec<u8>> {
        let mut key = KeyBuilder::new(index);
        for (segment, value) in index.segments.iter().zip(values) {
            let column = self.def.columns.iter().find(|column| column.fid == segment.fid);
            let column = column.ok_or_else(|| missing(&self.def, &index.name))?;
            key.push(column, segment.descending, *value)?;
        }
        Ok(key.into_bytes())
    }
}

/// The places of columns by their names. Every value that is read by name costs a look-up, and names are short: those of up to
/// eight letters are numbers here, and sought in an open table of numbers.
#[derive(Debug, Clone)]
struct Places {
    /// Name and place; half of the slots or more are empty (name 0). As many as a power of two.
    slots: Vec<(u64, usize)>,
    /// All other names.
    others: HashMap<String, usize>,
}

impl Places {
    fn new(def: &TableDef) -> Self {
        let slot_count = (2 * def.columns.len()).next_power_of_two();
        let mut places = Self { slots: vec![(0, 0); slot_count], others: HashMap::new() };
        for (at, column) in def.columns.iter().enumerate() {
            match packed(&column.name) {
                Some(name) => {
                    if let Some((slot, _)) = places.slot_of(name) {
                        places.slots[slot] = (name, at);
                    }
                }
                None => {
                    places.others.insert(column.name.clone(), at);
                }
            }
        }
        places
    }

    /// The slot of a name, or the empty one where it would be.
    #[inline]
    fn slot_of(&self, name: u64) -> Option<(usize, (u64, usize))> {
        let mask = self.slots.len() - 1;
        let mut slot = (name.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize & mask;
        loop {
            let found = *self.slots.get(slot)?;
            if found.0 == name || found.0 == 0 {
                return Some((slot, found));
            }
            slot = (slot + 1) & mask;
        }
    }

    #[inline]
    fn of(&self, name: Name<'_>) -> Option<usize> {
        match name.packed {
            Some(packed) => {
                let (_, (known, place)) = self.slot_of(packed)?;
                (known == packed).then_some(place)
            }
            None => self.others.get(name.text).copied(),
        }
    }
}

/// A column's name, packed where it is written down: nearly all names are constants, and so are their numbers then.
#[derive(Debug, Clone, Copy)]
pub(super) struct Name<'n> {
    /// The name.
    pub(super) text: &'n str,
    packed: Option<u64>,
}

impl<'n> Name<'n> {
    #[inline(always)]
    pub(super) fn of(text: &'n str) -> Self {
        Self { text, packed: packed(text) }
    }
}

/// A name of one to eight ASCII characters as a number: its first four bytes and its last four, which overlap in most names, and its
/// length in bits that such characters leave free, so that no two names make one number.
#[inline(always)]
fn packed(name: &str) -> Option<u64> {
    let bytes = name.as_bytes();
    if bytes.is_empty() || bytes.len() > 8 {
        return None;
    }
    let halves = match (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        (Some(head), Some(tail)) => {
            u64::from(u32::from_le_bytes(*tail)) << 32 | u64::from(u32::from_le_bytes(*head))
        }
        _ => bytes.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
    };
    if halves & 0x8080_8080_8080_8080 != 0 {
        return None;
    }
    let length = bytes.len() as u64;
    let bit = |number: u32, place: u32| (length >> number & 1) << place;
    Some(halves | bit(0, 31) | bit(1, 39) | bit(2, 47) | bit(3, 55))
}

/// The column at a place that was looked up by `name`.
///
/// # Errors
/// [`EseError::Corrupt`] when there is none.
pub fn column_of<'t>(def: &'t TableDef, place: usize, name: &str) -> EseResult<&'t ColumnDef> {
    def.columns.get(place).ok_or_else(|| missing(def, name))
}

fn missing(def: &TableDef, name: &str) -> EseError {
    EseError::corrupt_bytes(format!("there is no {name}; the table was made by another program"))
        .in_object(&def.name)
}

/// The first key after all that begin with `prefix`; `None` when every later key does.
pub fn prefix_end(prefix: &[u8]) -> Option<Vec<u8>> {
    let kept = prefix.iter().rposition(|byte| *byte != 0xff)?;
    let mut end = prefix.get(..=kept)?.to_vec();
    *end.last_mut()? += 1;
    Some(end)
}

/// The values of one row, by column name.
#[derive(Debug)]
pub struct Fields<'r, 'd, P: Pages + ?Sized> {
    row: Row<'r>,
    table: &'r NamedTable,
    reader: &'r FieldReader<'d, P>,
}

impl<'r, 'd, P: Pages + ?Sized> Fields<'r, 'd, P> {
    /// The values of `row`, a row of `table`.
    pub fn new(row: Row<'r>, table: &'r NamedTable, reader: &'r FieldReader<'d, P>) -> Self {
        Self { row, table, reader }
    }

    /// The row.
    pub fn row(&self) -> &Row<'r> {
        &self.row
    }

    /// The first value of a column; `None` for NULL.
    ///
    /// # Errors
    /// As [`FieldReader::first`].
    #[inline]
    pub fn bytes(&self, column: &str) -> EseResult<Option<Cow<'r, [u8]>>> {
        self.bytes_of(Name::of(column))
    }

    fn bytes_of(&self, column: Name<'_>) -> EseResult<Option<Cow<'r, [u8]>>> {
        let column = self.table.named(column)?;
        let is_simple = column.fid.class() == ColumnClass::Tagged
            && column.coltyp != ColumnType::Nil
            && !column.derived
            && !column.has_default();
        let plain = if is_simple { self.row.record().tagged_plain(&[column.fid]) } else { None };
        match plain {
            Some([value]) => Ok(value.map(Cow::Borrowed)),
            None => self.reader.first(&self.row, column),
        }
    }

    /// The first value of a column, or nothing.
    ///
    /// # Errors
    /// As [`Self::bytes`].
    #[inline]
    pub fn bytes_or_empty(&self, column: &str) -> EseResult<Vec<u8>> {
        Ok(self.bytes(column)?.map_or(Vec::new(), Cow::into_owned))
    }

    /// All values of a column.
    ///
    /// # Errors
    /// As [`Self::bytes`]; the first error of any value.
    pub fn all(&self, column: &str) -> EseResult<Vec<Vec<u8>>> {
        let mut values = Vec::new();
        let mut failed = None;
        self.reader.each(&self.row, self.table.column(column)?, &mut |value| match value {
            Ok(value) => values.push(value.into_owned()),
            Err(error) => failed = failed.take().or(Some(error)),
        });
        failed.map_or(Ok(values), Err)
    }

    /// A value of exactly so many bytes.
    ///
    /// # Errors
    /// As [`Self::bytes`]; [`EseError::Corrupt`] for another length.
    #[inline]
    pub fn array<const N: usize>(&self, column: &str) -> EseResult<Option<[u8; N]>> {
        self.array_of(Name::of(column))
    }

    fn array_of<const N: usize>(&self, name: Name<'_>) -> EseResult<Option<[u8; N]>> {
        if let Some(found) = self.fixed_array(self.table.named(name)?) {
            return Ok(found.copied());
        }
        let Some(bytes) = self.bytes_of(name)? else { return Ok(None) };
        let array = bytes.as_ref().try_into().map_err(|_| {
            let reason = format!("{} bytes where {N} are expected", bytes.len());
            self.corrupt(name.text, reason)
        });
        array.map(Some)
    }

    /// The value of an ordinary fixed column; `None` for every other column, and where something is wrong.
    #[inline]
    fn fixed_array<const N: usize>(&self, column: &ColumnDef) -> Option<Option<&'r [u8; N]>> {
        let is_simple = column.fid.class() == ColumnClass::Fixed
            && column.coltyp != ColumnType::Nil
            && column.width_bytes() == N
            && !column.has_default();
        let offset = column.record_offset.filter(|_| is_simple)?;
        self.row.record().fixed_array(column.fid, offset)
    }

    /// A Long; 0 for NULL.
    ///
    /// # Errors
    /// As [`Self::array`].
    #[inline]
    pub fn i32(&self, column: &str) -> EseResult<i32> {
        Ok(self.array(column)?.map_or(0, i32::from_le_bytes))
    }

    /// A Long that may be NULL.
    ///
    /// # Errors
    /// As [`Self::array`].
    #[inline]
    pub fn i32_or_null(&self, column: &str) -> EseResult<Option<i32>> {
        Ok(self.array(column)?.map(i32::from_le_bytes))
    }

    /// A Currency; 0 for NULL.
    ///
    /// # Errors
    /// As [`Self::array`].
    #[inline]
    pub fn i64(&self, column: &str) -> EseResult<i64> {
        Ok(self.i64_or_null(column)?.unwrap_or(0))
    }

    /// A Currency that may be NULL.
    ///
    /// # Errors
    /// As [`Self::array`].
    #[inline]
    pub fn i64_or_null(&self, column: &str) -> EseResult<Option<i64>> {
        Ok(self.array(column)?.map(i64::from_le_bytes))
    }

    /// A Bit; false for NULL.
    ///
    /// # Errors
    /// As [`Self::array`].
    #[inline]
    pub fn bit(&self, column: &str) -> EseResult<bool> {
        Ok(self.array::<1>(column)?.is_some_and(|byte| byte != [0]))
    }

    /// The number of a column's value in the long-value tree, when it stands there.
    ///
    /// # Errors
    /// [`EseError::Corrupt`] when the field is broken.
    #[inline]
    pub fn separated(&self, column: &str) -> EseResult<Option<Lid>> {
        match self.row.get(self.table.column(column)?)? {
            FieldValues::One(Stored::Separated(lid)) => Ok(Some(lid)),
            _ => Ok(None),
        }
    }

    /// A broken rule in the value of a column, with its place.
    pub fn corrupt(&self, column: &str, reason: impl Into<String>) -> EseError {
        let error = EseError::corrupt_bytes(reason);
        match self.table.column(column) {
            Ok(column) => self.row.place(error, column),
            Err(_) => error.in_object(&self.table.def.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_names_make_one_number() {
        let names = [
            "Q674", "Q6748", "Q67448", "U", "U3", "U37", "3U", "Q6748748", "aaaa", "aaaaa",
            "aaaaaa", "aaaaaaa", "aaaaaaaa",
        ];
        let numbers: std::collections::HashSet<_> = names.iter().map(|name| packed(name)).collect();
        assert_eq!(numbers.len(), names.len());
        assert!(!numbers.contains(&None) && !numbers.contains(&Some(0)));
        for other in ["", "123456789", "nämen"] {
            assert_eq!(packed(other), None, "{other:?}");
        }
    }

    #[test]
    fn the_end_of_a_prefix_comes_after_all_that_begin_with_it() {
        assert_eq!(prefix_end(&[1, 2]), Some(vec![1, 3]));
        assert_eq!(prefix_end(&[1, 0xff, 0xff]), Some(vec![2]));
        assert_eq!(prefix_end(&[0xff]), None);
        assert_eq!(prefix_end(&[]), None);
    }
}
