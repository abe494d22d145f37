//! The values of a record, as the key code asks for them: one source for writers, whose long values may not be stored yet,
//! and for readers.
//!
//! Knows records and columns; where long values are read is the caller's affair. Sources: ese-logical 2.9, 6.

use std::borrow::Cow;

use crate::ese::error::{EseError, EseResult};
use crate::ese::table::column::{ColumnClass, ColumnDef, Fid, Lid};
use crate::ese::table::compress::decompress;
use crate::ese::table::key::{FieldSource, KeyBuilder};
use crate::ese::table::record::{FieldValues, RecordView, Stored};
use crate::ese::table::schema::TableDef;

/// Longest part of a value that a key can take in, with room for any encoding of it.
const KEY_SOURCE_BYTES: usize = 4096;

/// Reads the first bytes of a long value.
pub type ReadLongValue<'r> = dyn Fn(Lid, usize) -> EseResult<Vec<u8>> + 'r;

/// A record with its table; defaults are filled in.
pub struct RecordSource<'r> {
    view: RecordView<'r>,
    table: &'r TableDef,
    /// How much of a long value the keys can take in, in bytes.
    prefix_bytes: usize,
    long_value: &'r ReadLongValue<'r>,
}

impl<'r> RecordSource<'r> {
    /// The values of `view`, a record of `table`; long values are read through `long_value`.
    pub fn new(
        view: RecordView<'r>,
        table: &'r TableDef,
        long_value: &'r ReadLongValue<'r>,
    ) -> Self {
        // A tuple index takes in the whole value.
        let takes_all = table.indexes.iter().any(|index| KeyBuilder::source_bytes(index).is_none());
        let prefix_bytes = if takes_all { usize::MAX } else { KEY_SOURCE_BYTES };
        Self { view, table, prefix_bytes, long_value }
    }

    /// Tagged numbers exist twice where a table derives from a template.
    fn column(&self, fid: Fid, template: bool) -> Option<&'r ColumnDef> {
        let columns = &self.table.columns;
        let find = |derived: bool| {
            let class = fid.class();
            let wanted = (class, class == ColumnClass::Tagged && !derived, fid);
            let found = columns.binary_search_by_key(&wanted, ColumnDef::record_order);
            found.ok().and_then(|at| columns.get(at))
        };
        find(template).or_else(|| find(!template))
    }

    fn plain(&self, stored: Stored<'r>) -> EseResult<Cow<'r, [u8]>> {
        match stored {
            Stored::Plain(bytes) => Ok(Cow::Borrowed(bytes)),
            Stored::Compressed(bytes) => {
                let mut plain = Vec::new();
                decompress(bytes, u16::MAX.into(), &mut plain)?;
                Ok(Cow::Owned(plain))
            }
            Stored::Separated(lid) => (self.long_value)(lid, self.prefix_bytes).map(Cow::Owned),
            Stored::Encrypted(_) => Err(EseError::unsupported("a key made of an encrypted value")),
        }
    }
}

impl FieldSource for RecordSource<'_> {
    fn value_count(&self, fid: Fid, template: bool) -> usize {
        let Some(column) = self.column(fid, template) else { return 0 };
        match self.view.get(column) {
            Ok(FieldValues::Default) => usize::from(column.default_value().is_some()),
            Ok(values) => values.len(),
            // Asking for the value gives the error.
            Err(_) => 1,
        }
    }

    fn value(&self, fid: Fid, template: bool, nth: usize) -> EseResult<Option<Cow<'_, [u8]>>> {
        let Some(column) = self.column(fid, template) else { return Ok(None) };
        self.value_in(column, template, nth)
    }

    fn value_in(
        &self,
        column: &ColumnDef,
        _: bool,
        nth: usize,
    ) -> EseResult<Option<Cow<'_, [u8]>>> {
        if nth == 0
            && let Some(value) = self.view.plain(column)
        {
            return Ok(value.map(Cow::Borrowed));
        }
        let named = |error: EseError| error.in_object(&column.name);
        match self.view.get(column).map_err(named)? {
            // A default is the table's, not that of whoever asks.
            FieldValues::Default => {
                let own = self.column(column.fid, column.derived);
                Ok(own.and_then(ColumnDef::default_value).filter(|_| nth == 0).map(Cow::Borrowed))
            }
            values => match values.get(nth) {
                Some(stored) => self.plain(stored.map_err(named)?).map(Some).map_err(named),
                None => Ok(None),
            },
        }
    }
}
