//! Creating and dropping tables: trees, and the rows of both catalogs that describe them.

use std::sync::Arc;

use super::define::{NewIndex, NewTable, check_name, define_index, number_columns};
use super::row::FieldValue;
use super::writer::DatabaseWriter;
use crate::ese::error::{EseError, EseResult, Refusal};
use crate::ese::page::{ObjId, Pgno};
use crate::ese::table::catalog::{CatalogRow, RowKind};
use crate::ese::table::column::ColumnDef;
use crate::ese::table::key::{IndexDef, IndexFlags};
use crate::ese::table::schema::TableDef;
use crate::ese::tree::{Cursor, DATABASE_ROOT, Forest, TreeKind};

/// Density of tables and indexes in per cent: a hint for the engine's later inserts.
pub(super) const DENSITY: u32 = 80;

const CATALOG: &str = "MSysObjects";
const SHADOW: &str = "MSysObjectsShadow";
const OBJIDS: &str = "MSysObjids";

/// Pages that a new secondary index or long-value tree owns.
const CHILD_PAGES: u32 = 1;

impl DatabaseWriter {
    /// Creates an empty table.
    ///
    /// # Errors
    /// [`Refusal::BadRequest`] for what the format or one of its readers does not allow.
    pub fn create_table(&mut self, new: &NewTable) -> EseResult<Arc<TableDef>> {
        check_name(&new.name)?;
        if self.table(&new.name).is_ok() {
            let reason = "a table of this name exists already";
            return Err(EseError::refused(Refusal::BadRequest, reason).in_object(&new.name));
        }
        let table = plan_trees(&mut self.forest, new)?;
        for row in table_rows(&table) {
            self.insert_catalog_row(&row)?;
        }
        for (objid, kind) in trees_of(&table) {
            self.note_objid(objid, table.objid, kind)?;
        }
        let table = Arc::new(table);
        self.tables.insert(table.name.to_ascii_lowercase(), table.clone());
        Ok(table)
    }

    /// Drops a table with everything in it.
    ///
    /// # Errors
    /// [`Refusal::BadRequest`] for system tables.
    pub fn drop_table(&mut self, table: &TableDef) -> EseResult<()> {
        if table.flags != 0 {
            let reason = "only ordinary tables can be dropped";
            return Err(EseError::refused(Refusal::BadRequest, reason).in_object(&table.name));
        }
        for name in [CATALOG, SHADOW] {
            self.delete_rows_of(name, table.objid, &[table.objid])?;
        }
        let objids: Vec<ObjId> = trees_of(table).map(|(objid, _)| objid).collect();
        if self.table(OBJIDS).is_ok() {
            self.delete_rows_of(OBJIDS, table.objid, &objids)?;
        }
        for root in table
            .indexes
            .iter()
            .map(|index| index.root)
            .chain(table.long_values.map(|(_, root)| root))
        {
            self.forest.drop_tree(root)?;
        }
        self.forest.drop_tree(table.root)?;
        self.tables.remove(&table.name.to_ascii_lowercase());
        Ok(())
    }

    pub(super) fn insert_catalog_row(&mut self, row: &CatalogRow) -> EseResult<()> {
        for name in [CATALOG, SHADOW] {
            let table = self.table(name)?;
            let values: Vec<FieldValue<'_>> =
                table.columns.iter().map(|column| row.cell(column.fid).into()).collect();
            self.insert(&table, &values)?;
        }
        Ok(())
    }

    /// Adds a tree to `MSysObjids`, if the database has that table.
    fn note_objid(&mut self, objid: ObjId, table: ObjId, kind: RowKind) -> EseResult<()> {
        let Ok(objids) = self.table(OBJIDS) else { return Ok(()) };
        let [objid, table] = [objid.0.to_le_bytes(), table.0.to_le_bytes()];
        let kind = kind.number().to_le_bytes();
        let values = [objid.as_slice(), &table, &kind].map(FieldValue::Bytes);
        self.insert(&objids, &values)?;
        Ok(())
    }

    /// Deletes the rows of a system table whose key starts with one of `objids`.
    fn delete_rows_of(&mut self, name: &str, _table: ObjId, objids: &[ObjId]) -> EseResult<()> {
        let table = self.table(name)?;
        for objid in objids {
            let mut start = vec![0x7f];
            start.extend_from_slice(&(objid.0 ^ 0x8000_0000).to_be_bytes());
            while let Some(bookmark) = self.first_with(&table, &start)? {
                self.delete(&table, &bookmark)?;
            }
        }
        Ok(())
    }

    fn first_with(&self, table: &TableDef, start: &[u8]) -> EseResult<Option<Vec<u8>>> {
        let mut cursor = Cursor::new(self.forest.pager(), table.tree());
        if !cursor.seek(start)? {
            return Ok(None);
        }
        let key = cursor.entry()?.map(|node| node.key.to_vec());
        Ok(key.filter(|key| key.starts_with(start)))
    }
}

/// Creates the trees of a table, in the order in which the engine numbers them: table, indexes, long values.
fn plan_trees(forest: &mut Forest, new: &NewTable) -> EseResult<TableDef> {
    let columns = number_columns(&new.columns)?;
    let primary =
        new.primary.as_ref().map(|index| define_index(index, &columns, true)).transpose()?;
    let indexes = new.indexes.iter().map(|index| define_index(index, &columns, false));
    let indexes = indexes.collect::<EseResult<Vec<_>>>()?;
    let objid = forest.pager_mut().next_objid()?;
    let tree = forest.create_tree(DATABASE_ROOT, objid, TreeKind::Table, new.initial_pages)?;
    let primary = match (&new.primary, primary) {
        (Some(index), Some(parts)) => Some(index_def(index, parts, objid, tree.root)),
        _ => None,
    };
    let mut secondary = Vec::with_capacity(indexes.len());
    for (index, parts) in new.indexes.iter().zip(indexes) {
        let is_unique = parts.0.contains(IndexFlags::UNIQUE);
        let kind = if is_unique { TreeKind::UniqueIndex } else { TreeKind::NonUniqueIndex };
        let objid = forest.pager_mut().next_objid()?;
        let tree = forest.create_tree(tree.root, objid, kind, CHILD_PAGES)?;
        secondary.push(index_def(index, parts, objid, tree.root));
    }
    let long_values = if columns.iter().any(|column| column.coltyp.is_long_value()) {
        let objid = forest.pager_mut().next_objid()?;
        let tree = forest.create_tree(tree.root, objid, TreeKind::LongValue, CHILD_PAGES)?;
        Some((objid, tree.root))
    } else {
        None
    };
    Ok(TableDef {
        name: new.name.clone(),
        objid,
        root: tree.root,
        flags: 0,
        density: DENSITY,
        initial_pages: new.initial_pages,
        columns,
        template: None,
        indexes: secondary,
        primary,
        long_values,
        lv_chunk_max: None,
        separate_lv: None,
    })
}

type IndexParts =
    (IndexFlags, Vec<crate::ese::table::key::IndexSegment>, Vec<crate::ese::table::key::Condition>);

fn index_def(new: &NewIndex, parts: IndexParts, objid: ObjId, root: Pgno) -> IndexDef {
    let (flags, segments, conditions) = parts;
    IndexDef {
        name: new.name.clone(),
        objid,
        root,
        flags,
        segments,
        key_most_bytes: new.key_most_bytes,
        var_seg_mac: None,
        conditions,
        tuple: None,
        density: DENSITY,
        lcmap_flags: None,
        locale: None,
        sort_version: None,
        sort_id: None,
    }
}

/// Every tree of a table but its primary index, which is the table itself.
fn trees_of(table: &TableDef) -> impl Iterator<Item = (ObjId, RowKind)> + '_ {
    let indexes = table.indexes.iter().map(|index| (index.objid, RowKind::Index));
    let long_values = table.long_values.iter().map(|(objid, _)| (*objid, RowKind::LongValue));
    std::iter::once((table.objid, RowKind::Table)).chain(indexes).chain(long_values)
}

/// The catalog rows of a table in the order of their keys.
pub(super) fn table_rows(table: &TableDef) -> Vec<CatalogRow> {
    let offset = |column: &ColumnDef| column.record_offset;
    rows_with(table, offset)
}

/// As [`table_rows`], with the record offsets that the caller wants to see in the column rows.
pub(super) fn rows_with(
    table: &TableDef,
    offset: impl Fn(&ColumnDef) -> Option<u16>,
) -> Vec<CatalogRow> {
    let (objid, pages) = (table.objid, table.initial_pages);
    let mut rows =
        vec![CatalogRow::table(objid, &table.name, table.root, table.density, table.flags, pages)];
    rows.extend(
        table.columns.iter().map(|column| CatalogRow::column(objid, column, offset(column))),
    );
    let indexes = table.primary.iter().chain(&table.indexes);
    rows.extend(indexes.map(|index| CatalogRow::index(objid, index)));
    rows.extend(table.long_values.map(|(lv, root)| CatalogRow::long_values(objid, lv, root)));
    rows
}
