//! A database opened for reading: its file, its schema, its tables.
//!
//! The door for everybody who reads. Never writes, and takes no lock.

use std::path::Path;

use crate::ese::error::{EseError, EseResult, Refusal};
use crate::ese::table::fields::FieldReader;
use crate::ese::table::index_entries::EntryCursor;
use crate::ese::table::long_value::LvReader;
use crate::ese::table::rows::RowCursor;
use crate::ese::table::schema::{Schema, TableDef};
use crate::ese::txn::{DatabaseFile, Pages};
use crate::io::Volume;

/// A database opened for reading.
#[derive(Debug)]
pub struct Database {
    file: DatabaseFile,
    schema: Schema,
}

impl Database {
    /// Opens the file and reads its catalog. A dirty database opens with a warning, see [`DatabaseFile::warnings`];
    /// damage of the catalog is noted in the schema.
    ///
    /// # Errors
    /// [`EseError::Io`]; [`EseError::Corrupt`] when there is no usable header or nothing is left of the catalog.
    pub fn open(volume: &dyn Volume, path: &Path) -> EseResult<Self> {
        let file = DatabaseFile::open(volume, path)?;
        let schema = Schema::read(&file)?;
        Ok(Self { file, schema })
    }

    /// The file.
    pub fn file(&self) -> &DatabaseFile {
        &self.file
    }

    /// What the catalog says.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// All tables, those of the system too, in the order of their object ids.
    pub fn tables(&self) -> impl Iterator<Item = Table<'_, DatabaseFile>> {
        self.schema.tables().iter().map(|def| Table::new(&self.file, def))
    }

    /// The table of this name (ASCII case does not count).
    ///
    /// # Errors
    /// [`Refusal::NotFound`].
    pub fn table(&self, name: &str) -> EseResult<Table<'_, DatabaseFile>> {
        match self.schema.table(name) {
            Some(def) => Ok(Table::new(&self.file, def)),
            None => {
                let reason = format!("there is no table {name}");
                Err(EseError::refused(Refusal::NotFound, reason).in_file(self.file.path()))
            }
        }
    }
}

/// A table of an open database, or of a writer.
#[derive(Debug)]
pub struct Table<'d, P: Pages + ?Sized> {
    pages: &'d P,
    def: &'d TableDef,
}

impl<'d, P: Pages + ?Sized> Table<'d, P> {
    /// The table that `def` describes, read from `pages`.
    pub fn new(pages: &'d P, def: &'d TableDef) -> Self {
        Self { pages, def }
    }

    /// The definition.
    pub fn def(&self) -> &'d TableDef {
        self.def
    }

    /// Its rows in the order of the primary key.
    pub fn rows(&self) -> RowCursor<'d, P> {
        RowCursor::new(self.pages, self.def)
    }

    /// A reader of the values of its rows that refuses values of more than `cap_bytes` bytes.
    pub fn fields(&self, cap_bytes: usize) -> FieldReader<'d, P> {
        FieldReader::new(self.pages, self.def, cap_bytes)
    }

    /// A reader of its long values.
    pub fn long_values(&self) -> LvReader<'d, P> {
        LvReader::new(self.pages, self.def)
    }

    /// The entries of its secondary index of this name (ASCII case does not count).
    ///
    /// # Errors
    /// [`Refusal::NotFound`].
    pub fn index(&self, name: &str) -> EseResult<EntryCursor<'d, P>> {
        match self.def.index(name) {
            Some(index) => Ok(EntryCursor::new(self.pages, index)),
            None => {
                let reason = format!("there is no secondary index {name}");
                let error = EseError::refused(Refusal::NotFound, reason);
                Err(error.in_object(&self.def.name).in_file(self.pages.path()))
            }
        }
    }
}
