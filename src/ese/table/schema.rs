//! What the catalog says, put together: tables with their columns, indexes and long-value trees.
//!
//! Read by readers, writers and checkers alike; knows nothing of rows. Definitions that make no sense are left out and
//! noted, so that one broken index does not hide a table. Sources: ese-logical 1.4-1.12.

use std::collections::HashMap;

use crate::ese::error::EseResult;
use crate::ese::page::{ObjId, Pgno};
use crate::ese::table::catalog::{
    CATALOG_OBJID, CATALOG_ROOT, CatalogEntry, RowKind, SHADOW_OBJID, SHADOW_ROOT, catalog_columns,
    read_entries,
};
use crate::ese::table::column::{ColumnClass, ColumnDef, ColumnFlags, ColumnType, Fid};
use crate::ese::table::key::{
    IndexDef, IndexFlags, KEY_MOST_BYTES, TupleLimits, parse_conditions, parse_segments,
};
use crate::ese::table::note::Notes;
use crate::ese::tree::{Tree, TreeKind};
use crate::ese::txn::Pages;

/// Table flag: made by the engine for itself. Source: ese-logical 1.6.
const TABLE_SYSTEM: u32 = 0x8000_0000;
/// Table flag: other tables derive from this one.
const TABLE_TEMPLATE: u32 = 0x2000_0000;
/// Offset of the first fixed column in a record, in bytes.
const FIRST_FIXED_OFFSET: u16 = 4;

/// A table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableDef {
    /// Name.
    pub name: String,
    /// Object id, stamped on the pages of its tree.
    pub objid: ObjId,
    /// Root page of its tree.
    pub root: Pgno,
    /// Flags as stored. Source: ese-logical 1.6.
    pub flags: u32,
    /// How full pages are left, in per cent.
    pub density: u32,
    /// Pages that the table owned from the start.
    pub initial_pages: u32,
    /// All columns in the order of the record: fixed, variable, tagged of the template table, tagged. Those of the
    /// template table and deleted ones (type Nil) are among them.
    pub columns: Vec<ColumnDef>,
    /// Name of the template table.
    pub template: Option<String>,
    /// Secondary indexes.
    pub indexes: Vec<IndexDef>,
    /// Primary index; a table without one keeps its rows in the order in which they came.
    pub primary: Option<IndexDef>,
    /// Object id and root page of the long-value tree.
    pub long_values: Option<(ObjId, Pgno)>,
    /// Largest chunk of a long value in bytes; `None` = the default of the page size.
    pub lv_chunk_max: Option<u32>,
    /// Longest value that is kept in the record by preference, in bytes; `None` = the default.
    pub separate_lv: Option<u32>,
}

impl TableDef {
    /// Whether the engine made the table for itself.
    pub fn is_system(&self) -> bool {
        self.flags & TABLE_SYSTEM != 0
    }

    /// Whether other tables derive from this one.
    pub fn is_template(&self) -> bool {
        self.flags & TABLE_TEMPLATE != 0
    }

    /// The tree of the records.
    pub fn tree(&self) -> Tree {
        Tree::new(self.root, self.objid, TreeKind::Table)
    }

    /// The tree of the long values.
    pub fn long_value_tree(&self) -> Option<Tree> {
        self.long_values.map(|(objid, root)| Tree::new(root, objid, TreeKind::LongValue))
    }

    /// The column of this name (ASCII case does not count); deleted ones are not found.
    pub fn column(&self, name: &str) -> Option<&ColumnDef> {
        let mut columns = self.columns.iter().filter(|column| column.coltyp != ColumnType::Nil);
        columns.find(|column| column.name.eq_ignore_ascii_case(name))
    }

    /// The secondary index of this name (ASCII case does not count).
    pub fn index(&self, name: &str) -> Option<&IndexDef> {
        self.indexes.iter().find(|index| index.name.eq_ignore_ascii_case(name))
    }

    fn of_entry(entry: &CatalogEntry, root: Pgno) -> Self {
        Self {
            name: entry.name.clone(),
            objid: entry.table,
            root,
            flags: entry.flags,
            density: entry.space_usage,
            initial_pages: entry.pages_or_locale,
            columns: Vec::new(),
            template: entry.template.clone(),
            indexes: Vec::new(),
            primary: None,
            long_values: None,
            lv_chunk_max: entry.lv_chunk_max,
            separate_lv: entry.separate_lv,
        }
    }
}

/// The tree of a secondary index.
pub fn index_tree(index: &IndexDef) -> Tree {
    let is_unique = index.flags.contains(IndexFlags::UNIQUE);
    let kind = if is_unique { TreeKind::UniqueIndex } else { TreeKind::NonUniqueIndex };
    Tree::new(index.root, index.objid, kind)
}

/// Everything that the catalog says.
#[derive(Debug, Clone, Default)]
pub struct Schema {
    tables: Vec<TableDef>,
    by_name: HashMap<String, usize>,
    notes: Notes,
}

impl Schema {
    /// Reads the catalog, or its shadow copy where the catalog is damaged.
    ///
    /// # Errors
    /// When neither copy gives a single row. Everything less is noted, see [`Schema::notes`].
    pub fn read<P: Pages + ?Sized>(pages: &P) -> EseResult<Self> {
        let mut notes = Notes::default();
        let entries = read_entries(pages, &mut notes)?;
        let mut tables = Vec::new();
        for rows in entries.chunk_by(|a, b| a.table == b.table) {
            tables.extend(assemble(rows, &mut notes));
        }
        add_catalog_tables(&mut tables);
        Ok(Self::of_tables(tables, notes))
    }

    /// A schema of these tables, sorted by object id; columns of template tables are handed on to those derived.
    fn of_tables(mut tables: Vec<TableDef>, mut notes: Notes) -> Self {
        tables.sort_by_key(|table| table.objid);
        let mut by_name = HashMap::with_capacity(tables.len());
        for (at, table) in tables.iter().enumerate() {
            let first = *by_name.entry(table.name.to_ascii_lowercase()).or_insert(at);
            if first != at {
                notes.say_of(&table.name, "two tables have this name; the second one is hidden");
            }
        }
        let mut schema = Self { tables, by_name, notes };
        schema.inherit_columns();
        schema
    }

    /// All tables in the order of their object ids, those of the system too.
    pub fn tables(&self) -> &[TableDef] {
        &self.tables
    }

    /// The table of this name (ASCII case does not count).
    pub fn table(&self, name: &str) -> Option<&TableDef> {
        self.by_name.get(&name.to_ascii_lowercase()).and_then(|at| self.tables.get(*at))
    }

    /// The table with this object id.
    pub fn table_by_objid(&self, objid: ObjId) -> Option<&TableDef> {
        let found = self.tables.binary_search_by_key(&objid, |table| table.objid);
        found.ok().and_then(|at| self.tables.get(at))
    }

    /// What is wrong with the catalog.
    pub fn notes(&self) -> &Notes {
        &self.notes
    }

    /// Puts the columns of template tables in front of those of the tables derived from them.
    fn inherit_columns(&mut self) {
        for at in 0..self.tables.len() {
            let Some(template) = self.tables.get(at).and_then(|table| table.template.clone())
            else {
                continue;
            };
            let found = self.table(&template).filter(|table| table.template.is_none());
            let inherited = found.map(|table| table.columns.clone());
            let Some(table) = self.tables.get_mut(at) else { continue };
            match inherited {
                Some(columns) => inherit(table, columns, &mut self.notes),
                None => {
                    let message = format!(
                        "its template table {template} is missing: columns and values are incomplete"
                    );
                    self.notes.say_of(&table.name, message);
                }
            }
        }
    }
}

/// Source: ese-logical 1.12.
fn inherit(table: &mut TableDef, inherited: Vec<ColumnDef>, notes: &mut Notes) {
    let own = std::mem::take(&mut table.columns);
    table.columns = inherited;
    for column in &mut table.columns {
        column.derived = column.fid.class() == ColumnClass::Tagged
            && column.flags.contains(ColumnFlags::TEMPLATE);
    }
    table.columns.extend(own);
    sort_columns(table, notes);
}

/// Sorts columns as records hold them; of two with one number the first is kept.
fn sort_columns(table: &mut TableDef, notes: &mut Notes) {
    table.columns.sort_by_key(ColumnDef::record_order);
    let before = table.columns.len();
    table.columns.dedup_by_key(|column| column.record_order());
    if table.columns.len() < before {
        notes.say_of(&table.name, "two columns have one number; the second one is left out");
    }
}

/// Puts the rows of one table together; none when there is no usable table row.
fn assemble(rows: &[CatalogEntry], notes: &mut Notes) -> Option<TableDef> {
    let entry = match rows.first() {
        Some(entry) if entry.kind == RowKind::Table => entry,
        Some(entry) => {
            // The maps of old streaming files stand here without a table of their own.
            if !matches!(entry.kind, RowKind::StreamAvailable | RowKind::StreamOwner) {
                let objid = entry.table;
                notes.say(format!("the catalog describes table {objid}, but does not name it"));
            }
            return None;
        }
        None => return None,
    };
    let Some(root) = Pgno::new(entry.coltyp_or_root) else {
        notes.say_of(&entry.name, format!("its root cannot be page {}", entry.coltyp_or_root));
        return None;
    };
    let mut table = TableDef::of_entry(entry, root);
    for row in rows.iter().skip(1) {
        match row.kind {
            RowKind::Column => table.columns.extend(column_of(row, &table.name, notes)),
            RowKind::Index => add_index(&mut table, row, notes),
            RowKind::LongValue if table.long_values.is_none() => {
                table.long_values = Pgno::new(row.coltyp_or_root).map(|root| (ObjId(row.id), root));
                if table.long_values.is_none() {
                    notes.say_of(&table.name, "its long values have no root page");
                }
            }
            _ => {}
        }
    }
    sort_columns(&mut table, notes);
    if is_catalog(table.objid) {
        compute_offsets(&mut table.columns);
    }
    Some(table)
}

fn is_catalog(objid: ObjId) -> bool {
    objid == CATALOG_OBJID || objid == SHADOW_OBJID
}

/// The catalog's own rows name no true offsets. Source: ese-logical 2.3.
fn compute_offsets(columns: &mut [ColumnDef]) {
    let mut offset = FIRST_FIXED_OFFSET;
    for column in columns.iter_mut().filter(|c| c.fid.class() == ColumnClass::Fixed) {
        column.record_offset = Some(offset);
        offset = offset.saturating_add(u16::try_from(column.width_bytes()).unwrap_or(u16::MAX));
    }
}

fn column_of(row: &CatalogEntry, table: &str, notes: &mut Notes) -> Option<ColumnDef> {
    let Ok(fid) = u16::try_from(row.id) else {
        notes.say_of(table, format!("column {} has the impossible number {}", row.name, row.id));
        return None;
    };
    let coltyp = ColumnType::from_number(row.coltyp_or_root).unwrap_or_else(|| {
        let (name, number) = (&row.name, row.coltyp_or_root);
        notes.say_of(table, format!("column {name} has type {number}, which nobody knows"));
        ColumnType::Nil
    });
    Some(ColumnDef {
        fid: Fid(fid),
        name: row.name.clone(),
        coltyp,
        max_bytes: row.space_usage,
        flags: ColumnFlags::from_bits_retain(row.flags),
        code_page: u16::try_from(row.pages_or_locale).unwrap_or(u16::MAX),
        record_offset: row.record_offset,
        default: row.default.clone(),
        derived: false,
    })
}

fn add_index(table: &mut TableDef, row: &CatalogEntry, notes: &mut Notes) {
    let is_primary = ObjId(row.id) == table.objid
        || IndexFlags::from_bits_retain(row.flags).contains(IndexFlags::PRIMARY);
    let root = if is_primary { Some(table.root) } else { Pgno::new(row.coltyp_or_root) };
    let Some(root) = root else {
        notes.say_of(&table.name, format!("index {} has no root page and is left out", row.name));
        return;
    };
    match index_of(row, root) {
        Ok(index) if is_primary => table.primary = Some(index),
        Ok(index) => table.indexes.push(index),
        Err(error) => {
            let error = error.in_object(format!("table {}, index {}", table.name, row.name));
            notes.push(&error, Some(&table.name));
        }
    }
}

fn index_of(row: &CatalogEntry, root: Pgno) -> EseResult<IndexDef> {
    let flags = IndexFlags::from_bits_retain(row.flags);
    Ok(IndexDef {
        name: row.name.clone(),
        objid: ObjId(row.id),
        root,
        flags,
        segments: parse_segments(&row.key_fields, flags)?,
        key_most_bytes: row.key_most.unwrap_or(KEY_MOST_BYTES),
        var_seg_mac: row.var_seg_mac,
        conditions: parse_conditions(&row.conditions, flags)?,
        tuple: row.tuple_limits.as_deref().map(TupleLimits::parse).transpose()?,
        density: row.space_usage,
        lcmap_flags: row.lcmap_flags,
        locale: row.locale.clone(),
        sort_version: row.sort_version,
        sort_id: row.sort_id,
    })
}

/// A catalog that does not describe itself and its shadow can be read all the same.
fn add_catalog_tables(tables: &mut Vec<TableDef>) {
    let own = [("MSysObjects", CATALOG_OBJID, CATALOG_ROOT)];
    let shadow = [("MSysObjectsShadow", SHADOW_OBJID, SHADOW_ROOT)];
    for (name, objid, root) in own.into_iter().chain(shadow) {
        match tables.iter_mut().find(|table| table.objid == objid) {
            Some(table) if table.columns.is_empty() => table.columns = catalog_columns(),
            Some(_) => {}
            None => tables.push(TableDef {
                name: name.to_owned(),
                objid,
                root,
                flags: TABLE_SYSTEM,
                density: 80,
                initial_pages: 0,
                columns: catalog_columns(),
                template: None,
                indexes: Vec::new(),
                primary: None,
                long_values: None,
                lv_chunk_max: None,
                separate_lv: None,
            }),
        }
    }
}

#[cfg(test)]
mod tests;
