//! Values of rows as plain bytes, wherever they stand: in the record, compressed, in the long-value tree, or in the
//! definition of the column as its default.
//!
//! Bytes only: what they mean is `value`'s affair. One value that cannot be read is an error of that value alone.
//! Sources: ese-logical 2.9, 4, 5.

use std::borrow::Cow;

use crate::ese::error::{EseError, EseResult};
use crate::ese::table::column::ColumnDef;
use crate::ese::table::compress::decompress;
use crate::ese::table::long_value::LvReader;
use crate::ese::table::record::{FieldValues, Stored};
use crate::ese::table::rows::Row;
use crate::ese::table::schema::TableDef;
use crate::ese::table::value::{Value, decode_value};
use crate::ese::txn::Pages;

/// Longest value that a column can hold, in bytes. Source: ese-logical 3.1.
pub const VALUE_BYTES_MAX: usize = 0x7fff_ffff;

/// Reads values of the rows of one table.
#[derive(Debug)]
pub struct FieldReader<'d, P: Pages + ?Sized> {
    long_values: LvReader<'d, P>,
    cap_bytes: usize,
}

impl<'d, P: Pages + ?Sized> FieldReader<'d, P> {
    /// A reader for the rows of `table` that refuses values of more than `cap_bytes` bytes.
    pub fn new(pages: &'d P, table: &TableDef, cap_bytes: usize) -> Self {
        Self { long_values: LvReader::new(pages, table), cap_bytes }
    }

    /// The long values of the table.
    pub fn long_values(&self) -> &LvReader<'d, P> {
        &self.long_values
    }

    /// The plain bytes of a value.
    ///
    /// # Errors
    /// [`EseError::Corrupt`], [`EseError::Unsupported`] for encrypted values and unknown compression,
    /// [`EseError::Limit`] for values beyond the cap, [`EseError::Io`].
    pub fn bytes<'r>(&self, stored: Stored<'r>) -> EseResult<Cow<'r, [u8]>> {
        match stored {
            Stored::Plain(bytes) => Ok(Cow::Borrowed(bytes)),
            Stored::Compressed(bytes) => {
                let mut plain = Vec::new();
                decompress(bytes, self.cap_bytes, &mut plain)?;
                Ok(Cow::Owned(plain))
            }
            Stored::Separated(lid) => {
                self.long_values.read_to_vec(lid, self.cap_bytes).map(Cow::Owned)
            }
            Stored::Encrypted(_) => Err(EseError::unsupported("reading an encrypted value")),
        }
    }

    /// Gives the plain bytes of each value of a column to `sink`, in order; nothing for NULL. A column without a value
    /// in the record gives its default.
    pub fn each<'r>(
        &self,
        row: &Row<'r>,
        column: &'r ColumnDef,
        sink: &mut dyn FnMut(EseResult<Cow<'r, [u8]>>),
    ) {
        let mut give = |result: EseResult<Cow<'r, [u8]>>| {
            sink(result.map_err(|error| row.place(error, column)));
        };
        match row.get(column) {
            Ok(FieldValues::Null) => {}
            Ok(FieldValues::Default) => {
                if let Some(default) = column.default_value() {
                    give(Ok(Cow::Borrowed(default)));
                }
            }
            Ok(FieldValues::One(stored)) => give(self.bytes(stored)),
            Ok(FieldValues::Many(values)) => {
                for stored in values.iter() {
                    give(stored.and_then(|stored| self.bytes(stored)));
                }
            }
            Err(error) => sink(Err(error)),
        }
    }

    /// The first value of a column, or its default; `None` when it is NULL.
    ///
    /// # Errors
    /// As [`Self::bytes`].
    pub fn first<'r>(
        &self,
        row: &Row<'r>,
        column: &'r ColumnDef,
    ) -> EseResult<Option<Cow<'r, [u8]>>> {
        let bytes = match row.get(column)? {
            FieldValues::Default => return Ok(column.default_value().map(Cow::Borrowed)),
            values => match values.get(0) {
                Some(stored) => stored.and_then(|stored| self.bytes(stored)),
                None => return Ok(None),
            },
        };
        bytes.map(Some).map_err(|error| row.place(error, column))
    }

    /// The first value of a column, or its default, read as its type says; `None` when it is NULL.
    ///
    /// # Errors
    /// As [`Self::bytes`] and [`decode_value`].
    pub fn value<'r>(&self, row: &Row<'r>, column: &'r ColumnDef) -> EseResult<Option<Value<'r>>> {
        let value = match self.first(row, column)? {
            None => return Ok(None),
            Some(Cow::Borrowed(bytes)) => decode_value(column.coltyp, column.code_page, bytes),
            Some(Cow::Owned(bytes)) => {
                decode_value(column.coltyp, column.code_page, &bytes).map(into_owned)
            }
        };
        value.map(Some).map_err(|error| row.place(error, column))
    }
}

fn into_owned(value: Value<'_>) -> Value<'static> {
    match value {
        Value::Bit(value) => Value::Bit(value),
        Value::U8(value) => Value::U8(value),
        Value::I16(value) => Value::I16(value),
        Value::U16(value) => Value::U16(value),
        Value::I32(value) => Value::I32(value),
        Value::U32(value) => Value::U32(value),
        Value::I64(value) => Value::I64(value),
        Value::U64(value) => Value::U64(value),
        Value::F32(value) => Value::F32(value),
        Value::F64(value) => Value::F64(value),
        Value::DateTime(value) => Value::DateTime(value),
        Value::Guid(value) => Value::Guid(value),
        Value::Text(text) => Value::Text(Cow::Owned(text.into_owned())),
        Value::Bytes(bytes) => Value::Bytes(Cow::Owned(bytes.into_owned())),
    }
}
