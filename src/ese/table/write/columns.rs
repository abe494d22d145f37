//! Columns added to tables that have rows already.

use std::sync::Arc;

use super::define::{NewColumn, Placement, bad, next_tagged_column};
use super::writer::DatabaseWriter;
use crate::ese::error::EseResult;
use crate::ese::table::catalog::CatalogRow;
use crate::ese::table::column::ColumnFlags;
use crate::ese::table::schema::TableDef;

impl DatabaseWriter {
    /// Adds a tagged column, which is NULL in every row there is: a record says which tagged columns it has, so none is rewritten.
    /// Answers the table as it is now; definitions of it that were handed out before do not know the column.
    ///
    /// # Errors
    /// [`crate::ese::error::Refusal::BadRequest`] for a column that is not tagged, may not be NULL or has a default, for a name that
    /// the table has already, and for a long type in a table without long values.
    pub fn add_column(&mut self, table: &TableDef, new: &NewColumn) -> EseResult<Arc<TableDef>> {
        let mut table = TableDef::clone(&*self.table(&table.name)?);
        let refuse = |reason: &str| Err(bad(&new.name, reason));
        if table.flags != 0 {
            return refuse("only ordinary tables get new columns");
        }
        if new.placement != Placement::Tagged {
            return refuse("only tagged columns can be added to a table that has rows");
        }
        if new.flags.contains(ColumnFlags::NOT_NULL) || new.default.is_some() {
            return refuse("a new column is NULL in all rows there are");
        }
        if new.coltyp.is_long_value() && table.long_values.is_none() {
            return refuse("the table was made without long values");
        }
        let column = next_tagged_column(&table.columns, new)?;
        self.insert_catalog_row(&CatalogRow::column(table.objid, &column, None))?;
        table.columns.push(column);
        let table = Arc::new(table);
        self.tables.insert(table.name.to_ascii_lowercase(), table.clone());
        Ok(table)
    }
}
