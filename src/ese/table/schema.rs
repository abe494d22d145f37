//! What the catalog says (stand-in while the reading side is built).

use crate::ese::page::{ObjId, Pgno};
use crate::ese::table::column::ColumnDef;
use crate::ese::table::key::IndexDef;

/// A table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableDef {
    /// Name.
    pub name: String,
    /// Object id.
    pub objid: ObjId,
    /// Root page.
    pub root: Pgno,
    /// Flags.
    pub flags: u32,
    /// Density.
    pub density: u32,
    /// Initial pages.
    pub initial_pages: u32,
    /// Columns.
    pub columns: Vec<ColumnDef>,
    /// Template.
    pub template: Option<String>,
    /// Secondary indexes.
    pub indexes: Vec<IndexDef>,
    /// Primary index.
    pub primary: Option<IndexDef>,
    /// Long values.
    pub long_values: Option<(ObjId, Pgno)>,
    /// Chunk.
    pub lv_chunk_max: Option<u32>,
    /// Separate.
    pub separate_lv: Option<u32>,
}

/// All tables.
#[derive(Debug)]
pub struct Schema(Vec<TableDef>);

impl Schema {
    /// Reads.
    pub fn read<P: crate::ese::txn::Pages + ?Sized>(_pages: &P) -> crate::ese::EseResult<Self> {
        Ok(Self(Vec::new()))
    }

    /// All tables.
    pub fn into_tables(self) -> Vec<TableDef> {
        self.0
    }
}
