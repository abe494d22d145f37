//! Rows to be written, by column name: whole ones, and changes of others.

use std::borrow::Cow;

use super::rows::{Name, NamedTable};
use crate::ese::error::EseResult;
use crate::ese::table::column::{ColumnDef, Lid};
use crate::ese::table::record::{FieldInput, OwnValues, Stored};
use crate::ese::table::write::{DatabaseWriter, FieldValue};

/// The value of one column of a row to be written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Cell<'v> {
    /// NULL, or unchanged in an update.
    #[default]
    Empty,
    /// NULL, also in an update.
    Null,
    /// One value.
    One(Cow<'v, [u8]>),
    /// One short value: its length in bytes, and room for it.
    Short(u8, [u8; Cell::SHORT_BYTES]),
    /// Several.
    Many(Vec<Cow<'v, [u8]>>),
    /// A long value that the table holds already.
    Shared(Lid),
}

impl Cell<'_> {
    /// Longest value that needs no memory of its own: keys of changes have 22 bytes.
    pub const SHORT_BYTES: usize = 22;

    /// A value of its own.
    #[inline]
    pub fn copied(bytes: &[u8]) -> Self {
        let mut short = [0; Self::SHORT_BYTES];
        match short.get_mut(..bytes.len()) {
            Some(room) => {
                room.copy_from_slice(bytes);
                Self::Short(bytes.len() as u8, short)
            }
            None => Self::One(Cow::Owned(bytes.to_vec())),
        }
    }

    /// The value, if it is one.
    pub fn one(&self) -> Option<&[u8]> {
        match self {
            Self::One(bytes) => Some(bytes),
            Self::Short(len_bytes, bytes) => bytes.get(..usize::from(*len_bytes)),
            Self::Empty | Self::Null | Self::Many(_) | Self::Shared(_) => None,
        }
    }
}

/// A row to be written, or changes of one.
#[derive(Debug, Clone)]
pub struct Draft<'t, 'v> {
    table: &'t NamedTable,
    cells: Vec<Cell<'v>>,
}

impl<'t, 'v> Draft<'t, 'v> {
    /// A row without values.
    pub fn new(table: &'t NamedTable) -> Self {
        let mut cells = Vec::new();
        cells.resize_with(table.def().columns.len(), || Cell::Empty);
        Self { table, cells }
    }

    /// The table.
    pub fn table(&self) -> &'t NamedTable {
        self.table
    }

    /// Sets a column.
    ///
    /// # Panics
    /// When the table has no such column; tables are checked when a store is opened.
    #[inline]
    pub fn set(&mut self, column: &str, cell: Cell<'v>) -> &mut Self {
        self.set_named(Name::of(column), cell)
    }

    fn set_named(&mut self, column: Name<'_>, cell: Cell<'v>) -> &mut Self {
        let place = self.table.place_of(column);
        match place.and_then(|place| self.cells.get_mut(place)) {
            Some(slot) => *slot = cell,
            None => panic!("{} has no column {}", self.table.def().name, column.text),
        }
        self
    }

    /// Sets the column at this place of the table; beyond its last one nothing happens.
    pub fn set_at(&mut self, place: usize, cell: Cell<'v>) -> &mut Self {
        if let Some(slot) = self.cells.get_mut(place) {
            *slot = cell;
        }
        self
    }

    /// The cell of a column; [`Cell::Empty`] when it was not set.
    #[inline]
    pub fn cell(&self, column: &str) -> &Cell<'v> {
        let place = self.table.place_of(Name::of(column));
        place.and_then(|place| self.cells.get(place)).unwrap_or(&Cell::Empty)
    }

    /// Sets a column to bytes.
    #[inline]
    pub fn bytes(&mut self, column: &str, value: impl Into<Cow<'v, [u8]>>) -> &mut Self {
        self.set(column, Cell::One(value.into()))
    }

    /// Sets a column to a copy of these bytes.
    #[inline]
    pub fn copied(&mut self, column: &str, value: &[u8]) -> &mut Self {
        self.set(column, Cell::copied(value))
    }

    /// Sets a column to bytes unless they are empty.
    #[inline]
    pub fn filled(&mut self, column: &str, value: impl Into<Cow<'v, [u8]>>) -> &mut Self {
        let value = value.into();
        if value.is_empty() { self } else { self.set(column, Cell::One(value)) }
    }

    /// Sets a Long column.
    #[inline]
    pub fn i32(&mut self, column: &str, value: i32) -> &mut Self {
        self.copied(column, &value.to_le_bytes())
    }

    /// Sets a Currency column.
    #[inline]
    pub fn i64(&mut self, column: &str, value: i64) -> &mut Self {
        self.copied(column, &value.to_le_bytes())
    }

    /// Sets a Bit column.
    #[inline]
    pub fn bit(&mut self, column: &str, value: bool) -> &mut Self {
        self.copied(column, &[if value { 0xff } else { 0 }])
    }

    /// The cells with the names of their columns, in the table's order.
    pub fn cells(&self) -> impl Iterator<Item = (&ColumnDef, &Cell<'v>)> {
        self.table.def().columns.iter().zip(&self.cells)
    }

    /// The values in the order of the table's columns, as a table loader takes them.
    pub fn values(&self) -> Vec<FieldValue<'_>> {
        self.cells.iter().map(value_of).collect()
    }

    /// Gives the cells that are set to `visit`, with their places, as a record's values; none, and nothing is called, when one names a
    /// long value.
    pub fn with_own<T>(&self, visit: impl FnOnce(&OwnValues<'_>) -> T) -> Option<T> {
        let lists = self.cells.iter().filter_map(|cell| match cell {
            Cell::Many(values) => Some(values.iter().map(|value| Stored::Plain(value)).collect()),
            _ => None,
        });
        let lists: Vec<Vec<Stored<'_>>> = lists.collect();
        let mut lists = lists.iter();
        let mut own = Vec::with_capacity(self.cells.len() / 2);
        for (place, cell) in self.cells.iter().enumerate() {
            let input = match cell {
                Cell::Empty => continue,
                Cell::Null => FieldInput::Null,
                Cell::One(_) | Cell::Short(..) => FieldInput::bytes(cell.one()?),
                Cell::Many(_) => match lists.next()?.as_slice() {
                    [] => FieldInput::Null,
                    [one] => FieldInput::One(*one),
                    many => FieldInput::Many(many),
                },
                Cell::Shared(_) => return None,
            };
            own.push((place, input));
        }
        Some(visit(&own))
    }

    /// Sets all cells that are set in `other`, a draft of the same table.
    pub fn overlay(&mut self, other: &Draft<'_, 'v>) {
        let set = self.cells.iter_mut().zip(&other.cells);
        set.filter(|(_, new)| **new != Cell::Empty).for_each(|(cell, new)| *cell = new.clone());
    }

    /// Empties all cells.
    pub fn clear(&mut self) {
        self.cells.iter_mut().for_each(|cell| *cell = Cell::Empty);
    }

    /// Inserts the row; answers its bookmark.
    ///
    /// # Errors
    /// As [`DatabaseWriter::insert`].
    pub fn insert(&self, writer: &mut DatabaseWriter) -> EseResult<Vec<u8>> {
        writer.insert(self.table.def(), &self.values())
    }

    /// Changes the columns that are set in the row at `bookmark`; answers its new bookmark.
    ///
    /// # Errors
    /// As [`DatabaseWriter::update`].
    pub fn update(&self, writer: &mut DatabaseWriter, bookmark: &[u8]) -> EseResult<Vec<u8>> {
        let set = self.cells.iter().enumerate().filter(|(_, cell)| **cell != Cell::Empty);
        let changes: Vec<_> = set.map(|(place, cell)| (place, value_of(cell))).collect();
        writer.update(self.table.def(), bookmark, &changes)
    }
}

fn value_of<'c>(cell: &'c Cell<'_>) -> FieldValue<'c> {
    match cell {
        Cell::Empty | Cell::Null => FieldValue::Null,
        Cell::One(_) | Cell::Short(..) => FieldValue::Bytes(cell.one().unwrap_or_default()),
        Cell::Many(values) => {
            FieldValue::Many(values.iter().map(|value| FieldValue::Bytes(value)).collect())
        }
        Cell::Shared(lid) => FieldValue::Shared(*lid),
    }
}
