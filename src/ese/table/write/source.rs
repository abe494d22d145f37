//! The values of a record, as the key code asks for them.

use std::borrow::Cow;

use crate::ese::error::EseResult;
use crate::ese::table::column::{ColumnDef, Fid, Lid};
use crate::ese::table::compress::decompress;
use crate::ese::table::key::FieldSource;
use crate::ese::table::record::{FieldValues, RecordView, Stored};

/// Longest part of a value that a key can take in, with room for any encoding of it.
pub const KEY_SOURCE_BYTES: usize = 4096;

/// Reads the first bytes of a long value.
pub type ReadLongValue<'r> = dyn Fn(Lid, usize) -> EseResult<Vec<u8>> + 'r;

/// A record with its columns; defaults are filled in.
pub struct RecordSource<'r> {
    /// The record.
    pub view: RecordView<'r>,
    /// All columns of the table.
    pub columns: &'r [ColumnDef],
    /// How much of a separated value the keys can take in, in bytes.
    pub cap_bytes: usize,
    /// Where separated values are read.
    pub long_value: &'r ReadLongValue<'r>,
}

impl RecordSource<'_> {
    fn column(&self, fid: Fid) -> Option<&ColumnDef> {
        self.columns.iter().find(|column| column.fid == fid)
    }

    fn plain<'v>(&self, stored: Stored<'v>) -> EseResult<Cow<'v, [u8]>> {
        match stored {
            Stored::Plain(bytes) | Stored::Encrypted(bytes) => Ok(Cow::Borrowed(bytes)),
            Stored::Compressed(bytes) => {
                let mut plain = Vec::new();
                decompress(bytes, u16::MAX.into(), &mut plain)?;
                Ok(Cow::Owned(plain))
            }
            Stored::Separated(lid) => (self.long_value)(lid, self.cap_bytes).map(Cow::Owned),
        }
    }
}

impl FieldSource for RecordSource<'_> {
    fn value_count(&self, fid: Fid, _template: bool) -> usize {
        let Some(column) = self.column(fid) else { return 0 };
        match self.view.get(column) {
            Ok(FieldValues::Default) => usize::from(column.default_value().is_some()),
            Ok(values) => values.len(),
            // Asking for the value gives the error.
            Err(_) => 1,
        }
    }

    fn value(&self, fid: Fid, _template: bool, nth: usize) -> EseResult<Option<Cow<'_, [u8]>>> {
        let Some(column) = self.column(fid) else { return Ok(None) };
        match self.view.get(column)? {
            FieldValues::Default => {
                Ok(column.default_value().filter(|_| nth == 0).map(Cow::Borrowed))
            }
            values => match values.get(nth) {
                Some(stored) => self.plain(stored?).map(Some),
                None => Ok(None),
            },
        }
    }
}
