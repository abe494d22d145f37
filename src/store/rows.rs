//! Rows of a store that are looked up one after the other: what is wanted next mostly stands next to what was found last, so cursors,
//! and room for what they read, are kept from one look-up to the other.
//!
//! `parts` and `stored` say what is read through these.

use crate::ese::error::{EseError, EseResult};
use crate::ese::table::database::Table;
use crate::ese::table::fields::FieldReader;
use crate::ese::table::long_value::LvReader;
use crate::ese::table::record::SumScope;
use crate::ese::table::rows::{Row, RowCursor};
use crate::ese::txn::Pages;
use crate::mapi::InstanceId;
use crate::stm::{Fields, NamedTable, StreamReader};

use super::brief::ContentBrief;
use super::copy::check_values;
use super::item::{Item, ItemId};
use super::scan::VALUE_CAP_BYTES;
use super::stored::{scope_of_attachments, scope_of_contents};
use super::view::View;

/// The rows of items, contents and attachments of one store, and its streams. The store must not change while this lives.
#[derive(Debug)]
pub struct StoreRows<'s, P: Pages + ?Sized> {
    pub(super) view: View<'s, P>,
    pub(super) items: TableRows<'s, P>,
    pub(super) contents: TableRows<'s, P>,
    pub(super) attachments: TableRows<'s, P>,
    pub(super) streams: StreamReader<'s, P>,
}

/// The rows of one table.
#[derive(Debug)]
pub(super) struct TableRows<'s, P: Pages + ?Sized> {
    pub(super) table: &'s NamedTable,
    pub(super) values: LvReader<'s, P>,
    fields: FieldReader<'s, P>,
    rows: RowCursor<'s, P>,
    /// What sums over its rows leave out.
    scope: SumScope,
}

impl<'s, P: Pages + ?Sized> View<'s, P> {
    /// Whether the store has a content at all.
    ///
    /// # Errors
    /// [`EseError::Corrupt`], [`EseError::Io`].
    pub fn has_contents(&self) -> EseResult<bool> {
        Table::new(self.pages, self.tables.contents.def()).rows().first()
    }

    /// The rows of this store, to be looked up one after the other.
    pub fn rows(&self) -> StoreRows<'s, P> {
        let tables = self.tables;
        StoreRows {
            view: *self,
            items: TableRows::new(self.pages, &tables.items, SumScope::default()),
            contents: TableRows::new(
                self.pages,
                &tables.contents,
                scope_of_contents(&tables.contents),
            ),
            attachments: TableRows::new(
                self.pages,
                &tables.attachments,
                scope_of_attachments(&tables.attachments),
            ),
            streams: self.streams(),
        }
    }
}

impl<'s, P: Pages + ?Sized> StoreRows<'s, P> {
    /// The store.
    pub fn view(&self) -> &View<'s, P> {
        &self.view
    }

    /// The content with this id, in short.
    ///
    /// # Errors
    /// [`EseError::Corrupt`], [`EseError::Io`].
    pub fn content_brief(&mut self, instance: InstanceId) -> EseResult<Option<ContentBrief>> {
        let table = self.contents.table;
        self.contents.of(instance, |row, _| ContentBrief::read(instance, table, row))
    }

    /// The item with empty texts, for a copy whose row brings them along ([`super::ParcelBuilder::put_item`]). Whatever else the row
    /// holds can be read, too.
    ///
    /// # Errors
    /// [`EseError::Corrupt`], [`EseError::Io`].
    pub fn item_to_copy(&mut self, id: ItemId) -> EseResult<Option<Item>> {
        let pages = self.view.pages;
        self.items.of_item(id, |row, rest| {
            check_values(pages, rest.table, row)?;
            Item::read_without_texts(&rest.fields_of(row))
        })
    }
}

/// What reading a row needs besides the row.
pub(super) struct RowRest<'r, 's, P: Pages + ?Sized> {
    pub(super) table: &'s NamedTable,
    pub(super) values: &'r LvReader<'s, P>,
    pub(super) scope: &'r SumScope,
    fields: &'r FieldReader<'s, P>,
}

impl<'r, 's, P: Pages + ?Sized> RowRest<'r, 's, P> {
    /// The row's values by the names of their columns.
    pub(super) fn fields_of(&self, row: &Row<'r>) -> Fields<'r, 's, P> {
        Fields::new(*row, self.table, self.fields)
    }
}

impl<'s, P: Pages + ?Sized> TableRows<'s, P> {
    fn new(pages: &'s P, table: &'s NamedTable, scope: SumScope) -> Self {
        let opened = Table::new(pages, table.def());
        Self {
            table,
            values: opened.long_values(),
            fields: opened.fields(VALUE_CAP_BYTES),
            rows: opened.rows(),
            scope,
        }
    }

    /// Gives the row of a content or an attachment to `visit`; `None` when there is none.
    pub(super) fn of<T>(
        &mut self,
        instance: InstanceId,
        visit: impl for<'r> FnOnce(&Row<'r>, &RowRest<'r, 's, P>) -> EseResult<T>,
    ) -> EseResult<Option<T>> {
        let key = self.table.key(&[Some(&instance.to_store())])?;
        self.with(&key, visit)
    }

    /// Gives the row of an item to `visit`; `None` when there is none.
    pub(super) fn of_item<T>(
        &mut self,
        id: ItemId,
        visit: impl for<'r> FnOnce(&Row<'r>, &RowRest<'r, 's, P>) -> EseResult<T>,
    ) -> EseResult<Option<T>> {
        let (folder, message) = (id.folder.to_store(), id.message.to_store());
        let key = self.table.key(&[Some(&folder), Some(&message)])?;
        self.with(&key, visit)
    }

    fn with<T>(
        &mut self,
        key: &[u8],
        visit: impl for<'r> FnOnce(&Row<'r>, &RowRest<'r, 's, P>) -> EseResult<T>,
    ) -> EseResult<Option<T>> {
        if !self.rows.find(key)? {
            return Ok(None);
        }
        let Self { table, values, fields, scope, .. } = &*self;
        let rest = RowRest { table, values, fields, scope };
        match self.rows.row()? {
            Some(row) => visit(&row, &rest).map(Some),
            None => Ok(None),
        }
    }

    /// The error for a row that is named somewhere and is not there.
    pub(super) fn missing(&self, view: &View<'_, P>, instance: InstanceId) -> EseError {
        view.missing(&self.table.def().name, instance)
    }
}
