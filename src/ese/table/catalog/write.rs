//! Making the rows of the catalog. Which cells a row has is part of the format: see ese-logical 1.4, 1.5, 8.3.

use super::RowKind;
use super::columns::{catalog_columns, catalog_fid};
use crate::ese::error::EseResult;
use crate::ese::page::{ObjId, PageSize, Pgno};
use crate::ese::table::column::{ColumnDef, Fid};
use crate::ese::table::key::{IndexDef, encode_conditions, encode_segments};
use crate::ese::table::record::{FieldInput, encode_record};

/// Flags of every index row for the system's sort keys. Source: ese-logical 8.1.
const LCMAP_FLAGS: i32 = 0x0003_0401;
/// Locale of every index row.
const LOCALE: &str = "en-US";
/// Density of a long-value tree.
const LONG_VALUE_DENSITY: i32 = 100;
/// Longest key when the row does not say.
const KEY_MOST_DEFAULT: u16 = 255;

/// One row of the catalog; what is `None` or empty is left NULL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogRow {
    /// Table that the row belongs to.
    pub table: ObjId,
    /// Kind.
    pub kind: RowKind,
    /// Object id or column number.
    pub id: u32,
    cells: Vec<(Fid, Vec<u8>)>,
}

impl CatalogRow {
    fn new(table: ObjId, kind: RowKind, id: u32, name: &str, numbers: [i32; 4]) -> Self {
        let [coltyp_or_root, space_usage, flags, pages_or_locale] = numbers;
        let long = |value: i32| value.to_le_bytes().to_vec();
        let cells = vec![
            (catalog_fid::OBJID_TABLE, table.0.to_le_bytes().to_vec()),
            (catalog_fid::TYPE, kind.number().to_le_bytes().to_vec()),
            (catalog_fid::ID, id.to_le_bytes().to_vec()),
            (catalog_fid::COLTYP_OR_ROOT, long(coltyp_or_root)),
            (catalog_fid::SPACE_USAGE, long(space_usage)),
            (catalog_fid::FLAGS, long(flags)),
            (catalog_fid::PAGES_OR_LOCALE, long(pages_or_locale)),
            (catalog_fid::NAME, name.as_bytes().to_vec()),
        ];
        Self { table, kind, id, cells }
    }

    fn with(mut self, fid: Fid, value: impl Into<Vec<u8>>) -> Self {
        self.cells.push((fid, value.into()));
        self
    }

    /// The row of a table.
    pub fn table(
        objid: ObjId,
        name: &str,
        root: Pgno,
        density: u32,
        flags: u32,
        pages: u32,
    ) -> Self {
        let numbers = [root.get() as i32, density as i32, flags as i32, pages as i32];
        Self::new(objid, RowKind::Table, objid.0, name, numbers)
            .with(catalog_fid::ROOT_FLAG, [0xff])
    }

    /// The row of a column. `record_offset` is that of the catalog: a constant 4 for its own columns.
    pub fn column(table: ObjId, column: &ColumnDef, record_offset: Option<u16>) -> Self {
        let numbers = [
            column.coltyp.number() as i32,
            column.max_bytes as i32,
            column.flags.bits() as i32,
            i32::from(column.code_page),
        ];
        let mut row = Self::new(table, RowKind::Column, column.fid.0.into(), &column.name, numbers);
        if let Some(offset) = record_offset {
            row = row.with(catalog_fid::RECORD_OFFSET, offset.to_le_bytes());
        }
        match &column.default {
            Some(default) => row.with(catalog_fid::DEFAULT_VALUE, default.clone()),
            None => row,
        }
    }

    /// The row of an index.
    pub fn index(table: ObjId, index: &IndexDef) -> Self {
        let flags = index.flags.bits() as i32;
        let numbers = [index.root.get() as i32, index.density as i32, flags, 0];
        let locale: Vec<u8> = LOCALE.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let mut row = Self::new(table, RowKind::Index, index.objid.0, &index.name, numbers)
            .with(catalog_fid::LCMAP_FLAGS, LCMAP_FLAGS.to_le_bytes())
            .with(catalog_fid::KEY_FIELDS, encode_segments(&index.segments))
            .with(catalog_fid::LOCALE_NAME, locale);
        if index.key_most_bytes != KEY_MOST_DEFAULT {
            row = row.with(catalog_fid::KEY_MOST, index.key_most_bytes.to_le_bytes());
        }
        if let Some(bytes) = index.var_seg_mac {
            row = row.with(catalog_fid::VAR_SEG_MAC, bytes.to_le_bytes());
        }
        if !index.conditions.is_empty() {
            row = row.with(catalog_fid::CONDITIONS, encode_conditions(&index.conditions));
        }
        row
    }

    /// The row of a table's long-value tree.
    pub fn long_values(table: ObjId, objid: ObjId, root: Pgno) -> Self {
        let numbers = [root.get() as i32, LONG_VALUE_DENSITY, 0, 1];
        Self::new(table, RowKind::LongValue, objid.0, "LV", numbers)
    }

    /// The cell of one column; `None` is NULL. By number, because the catalog of another engine may have more columns.
    pub fn cell(&self, fid: Fid) -> Option<&[u8]> {
        let cell = self.cells.iter().find(|(cell_fid, _)| *cell_fid == fid);
        cell.map(|(_, value)| value.as_slice())
    }

    /// The cells in the order of the columns that every catalog has.
    pub fn cells(&self) -> Vec<Option<&[u8]>> {
        catalog_columns().iter().map(|column| self.cell(column.fid)).collect()
    }

    /// The record.
    ///
    /// # Errors
    /// When a cell is too long, a name for example.
    pub fn record(&self) -> EseResult<Vec<u8>> {
        let cells = self.cells();
        let inputs: Vec<FieldInput<'_>> =
            cells.iter().map(|cell| cell.map_or(FieldInput::Null, FieldInput::bytes)).collect();
        let mut record = Vec::new();
        encode_record(&catalog_columns(), &inputs, PageSize::KIB4, &mut record)?;
        Ok(record)
    }
}
