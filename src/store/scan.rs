//! Walking the rows of a table, by primary key or by an index, as [`Fields`].
//!
//! A row that cannot be read is an error of that row: the walk goes on behind it. Only a failure of the machine ends it.

use crate::ese::error::{EseError, EseResult};
use crate::ese::table::database::Table;
use crate::ese::table::index_entries::EntryCursor;
use crate::ese::txn::Pages;
use crate::stm::{Fields, NamedTable, prefix_end};

/// Longest value of a property that lists and rows show. Bodies and attachments are read with a bound of their own.
pub(crate) const VALUE_CAP_BYTES: usize = 16 << 20;

/// Gives each row whose primary key begins with `prefix` to `visit`.
pub(crate) fn rows<P: Pages + ?Sized>(
    pages: &P,
    table: &NamedTable,
    prefix: &[u8],
    visit: &mut dyn FnMut(EseResult<Fields<'_, '_, P>>) -> EseResult<()>,
) -> EseResult<()> {
    let opened = Table::new(pages, table.def());
    let reader = opened.fields(VALUE_CAP_BYTES);
    let end = prefix_end(prefix);
    let start = (!prefix.is_empty()).then_some(prefix);
    let mut rows = opened.rows().within(start, end.as_deref().filter(|_| start.is_some()));
    let mut found = rows.first();
    loop {
        match found {
            Ok(false) => return Ok(()),
            Ok(true) => match rows.row() {
                Ok(Some(row)) => visit(Ok(Fields::new(row, table, &reader)))?,
                Ok(None) => {}
                Err(error) => visit(Err(error))?,
            },
            Err(error @ EseError::Io(_)) => return Err(error),
            Err(error) => visit(Err(error))?,
        }
        found = rows.next();
    }
}

/// Gives the row with this primary key to `visit`; `None` when there is none.
pub(crate) fn row<P: Pages + ?Sized, T>(
    pages: &P,
    table: &NamedTable,
    key: &[u8],
    visit: impl FnOnce(&Fields<'_, '_, P>) -> EseResult<T>,
) -> EseResult<Option<T>> {
    let opened = Table::new(pages, table.def());
    let reader = opened.fields(VALUE_CAP_BYTES);
    let mut rows = opened.rows();
    if !rows.find(key)? {
        return Ok(None);
    }
    match rows.row()? {
        Some(row) => visit(&Fields::new(row, table, &reader)).map(Some),
        None => Ok(None),
    }
}

/// The primary keys of the rows whose key in `index` begins with `prefix`, in the order of the index.
pub(crate) struct IndexScan<'p, P: Pages + ?Sized> {
    entries: EntryCursor<'p, P>,
    prefix: Vec<u8>,
    end: Option<Vec<u8>>,
    has_started: bool,
}

impl<'p, P: Pages + ?Sized> IndexScan<'p, P> {
    /// A scan before the first of them.
    pub(crate) fn new(
        pages: &'p P,
        table: &'p NamedTable,
        index: &str,
        prefix: Vec<u8>,
    ) -> EseResult<Self> {
        let entries = EntryCursor::new(pages, table.index(index)?);
        let end = if prefix.is_empty() { None } else { prefix_end(&prefix) };
        Ok(Self { entries, prefix, end, has_started: false })
    }

    /// The next primary key.
    pub(crate) fn next(&mut self) -> EseResult<Option<Vec<u8>>> {
        let found = match std::mem::replace(&mut self.has_started, true) {
            true => self.entries.next()?,
            false if self.prefix.is_empty() => self.entries.first()?,
            false => self.entries.seek(&self.prefix)?,
        };
        let Some(entry) = self.entries.entry()?.filter(|_| found) else { return Ok(None) };
        let is_inside = self.end.as_ref().is_none_or(|end| entry.key.compare(end).is_lt());
        Ok(is_inside.then(|| entry.bookmark.to_vec()))
    }
}
