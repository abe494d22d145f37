//! The catalog against its shadow, and against itself. Source: ese-logical 1.1, 1.4.

use std::collections::{HashMap, HashSet};

use super::Severity;
use super::report::Report;
use crate::ese::error::EseResult;
use crate::ese::page::{ObjId, Pgno};
use crate::ese::table::catalog::{
    CATALOG_NAME_OBJID, CATALOG_NAME_ROOT, CATALOG_OBJID, CATALOG_ROOT, CATALOG_ROOTS_OBJID,
    CATALOG_ROOTS_ROOT, RowKind, SHADOW_OBJID, SHADOW_ROOT,
};
use crate::ese::table::column::{ColumnClass, ColumnDef, ColumnFlags, ColumnType};
use crate::ese::table::database::Database;
use crate::ese::table::schema::TableDef;
use crate::ese::table::value::Value;
use crate::ese::tree::{Cursor, Tree, TreeKind};
use crate::ese::txn::DatabaseFile;

const CATALOG: &str = "MSysObjects";
const OBJIDS: &str = "MSysObjids";
/// Highest number of a column. Source: ese-logical 2.1.
const FID_MAX: u16 = 0xfee0;

/// Checks what the catalog says as a whole. Answers root pages that several trees claim: walking them would tell nothing.
pub fn check(database: &Database, report: &mut Report<'_>) -> HashSet<Pgno> {
    let notes = database.schema().notes();
    for note in notes.kept() {
        report.find(Severity::Error, "catalog", note.table.as_deref(), note.pgno, &note.message);
    }
    if notes.dropped() > 0 {
        let message = format!("{} more findings of this kind", notes.dropped());
        report.error("catalog", CATALOG, None, message);
    }
    if let Err(error) = compare_with_shadow(database.file(), report) {
        report.unreadable("shadow", "MSysObjectsShadow", &error);
    }
    fixed_objects(database, report);
    for table in database.schema().tables() {
        columns(table, report);
    }
    if let Err(error) = object_ids(database, report) {
        report.unreadable("objids", OBJIDS, &error);
    }
    check_roots(database, report)
}

/// The catalog's own trees stand where the engine expects them. Source: ese-physical 8.5.
fn fixed_objects(database: &Database, report: &mut Report<'_>) {
    let mut expect = |name: &str, found: Option<(ObjId, Pgno)>, objid: ObjId, root: Pgno| {
        if found != Some((objid, root)) {
            let message =
                format!("the catalog does not describe {name} as object {objid}, page {root}");
            report.error("catalog", CATALOG, Some(root), message);
        }
    };
    let schema = database.schema();
    let place = |table: &TableDef| (table.objid, table.root);
    let catalog = schema.table_by_objid(CATALOG_OBJID);
    let shadow = schema.table_by_objid(SHADOW_OBJID);
    expect(CATALOG, catalog.map(place), CATALOG_OBJID, CATALOG_ROOT);
    expect("MSysObjectsShadow", shadow.map(place), SHADOW_OBJID, SHADOW_ROOT);
    for (name, objid, root) in [
        ("Name", CATALOG_NAME_OBJID, CATALOG_NAME_ROOT),
        ("RootObjects", CATALOG_ROOTS_OBJID, CATALOG_ROOTS_ROOT),
    ] {
        let index = catalog.and_then(|catalog| catalog.index(name));
        expect(name, index.map(|index| (index.objid, index.root)), objid, root);
    }
}

/// Columns must be such that records can hold them. Source: ese-logical 2.1-2.3.
fn columns(table: &TableDef, report: &mut Report<'_>) {
    let mut fixed_end = 4;
    for column in &table.columns {
        if let Some(message) = implausible(column, &mut fixed_end) {
            let message = format!("column {} ({}): {message}", column.name, column.fid);
            report.error("column", &table.name, None, message);
        }
    }
}

/// What is wrong with a column. `fixed_end`: where the fixed column before it ends in a record.
fn implausible(column: &ColumnDef, fixed_end: &mut usize) -> Option<&'static str> {
    if column.fid.0 == 0 || column.fid.0 > FID_MAX {
        return Some("there is no such number");
    }
    let class = column.fid.class();
    if class == ColumnClass::Fixed {
        let offset = usize::from(column.record_offset.unwrap_or(0));
        let is_behind = offset >= *fixed_end;
        *fixed_end = offset + column.width_bytes();
        if column.coltyp.is_long_value() {
            return Some("a long value cannot have a fixed place");
        }
        return (!is_behind).then_some("it overlaps the fixed column before it");
    }
    let has_room = matches!(column.coltyp, ColumnType::Binary | ColumnType::Text | ColumnType::Nil);
    if class == ColumnClass::Variable && !has_room {
        return Some("only short binary and text can be variable");
    }
    let is_multi = column.flags.contains(ColumnFlags::MULTI_VALUED);
    (class != ColumnClass::Tagged && is_multi).then_some("only a tagged column has several values")
}

/// The list of object ids names trees that exist. It may be absent or short of some: the engine adds them.
/// Source: ese-logical 1.11.
fn object_ids(database: &Database, report: &mut Report<'_>) -> EseResult<()> {
    let Some(def) = database.schema().table(OBJIDS) else { return Ok(()) };
    let [Some(objid), Some(owner), Some(kind)] =
        ["objid", "objidTable", "type"].map(|name| def.column(name))
    else {
        report.error("objids", OBJIDS, Some(def.root), "a column is missing");
        return Ok(());
    };
    let table = database.table(OBJIDS)?;
    let (fields, mut cursor) = (table.fields(64), table.rows());
    let mut is_on_row = cursor.first()?;
    while is_on_row {
        if let Some(row) = cursor.row()? {
            let number = |column| fields.value(&row, column).map(|value| value.map(integer));
            let named = (number(objid)?, number(owner)?, number(kind)?);
            if !matches!(named, (Some(objid), Some(owner), Some(kind))
                if is_tree(database, objid, owner, kind))
            {
                let text = |number: Option<i64>| number.map_or("-".into(), |n| n.to_string());
                let (objid, owner, kind) = (text(named.0), text(named.1), text(named.2));
                let message =
                    format!("object {objid} of table {owner}, kind {kind}, is not in the catalog");
                report.find(Severity::Warning, "objids", Some(OBJIDS), Some(row.pgno()), message);
            }
        }
        is_on_row = cursor.next()?;
    }
    Ok(())
}

fn integer(value: Value<'_>) -> i64 {
    match value {
        Value::I16(number) => number.into(),
        Value::I32(number) => number.into(),
        Value::I64(number) => number,
        _ => -1,
    }
}

/// Whether the catalog has this tree, of this table and kind.
fn is_tree(database: &Database, objid: i64, owner: i64, kind: i64) -> bool {
    let objid_of = |number: i64| u32::try_from(number).ok().map(ObjId);
    let (Some(objid), Some(owner)) = (objid_of(objid), objid_of(owner)) else { return false };
    let kind = i16::try_from(kind).ok().and_then(RowKind::from_number);
    let Some(table) = database.schema().table_by_objid(owner) else { return false };
    match kind {
        Some(RowKind::Table) => objid == owner,
        Some(RowKind::Index) => table.indexes.iter().any(|index| index.objid == objid),
        Some(RowKind::LongValue) => table.long_values.is_some_and(|(of, _)| of == objid),
        _ => false,
    }
}

/// Every row stands in both tables, with the same key and the same data.
fn compare_with_shadow(file: &DatabaseFile, report: &mut Report<'_>) -> EseResult<()> {
    let mut catalog = Cursor::new(file, Tree::new(CATALOG_ROOT, CATALOG_OBJID, TreeKind::Table));
    let mut shadow = Cursor::new(file, Tree::new(SHADOW_ROOT, SHADOW_OBJID, TreeKind::Table));
    let (mut in_catalog, mut in_shadow) = (catalog.first()?, shadow.first()?);
    while in_catalog || in_shadow {
        let (row, copy) = (entry_of(&catalog, in_catalog)?, entry_of(&shadow, in_shadow)?);
        let order = match (&row, &copy) {
            (Some((key, _)), Some((other, _))) => key.cmp(other),
            (Some(_), None) => std::cmp::Ordering::Less,
            _ => std::cmp::Ordering::Greater,
        };
        let place = |cursor: &Cursor<'_, DatabaseFile>| cursor.place().map(|(pgno, _)| pgno);
        let message = match order {
            std::cmp::Ordering::Less => {
                Some((place(&catalog), "a row of the catalog is missing in its shadow"))
            }
            std::cmp::Ordering::Greater => {
                Some((place(&shadow), "a row of the shadow is missing in the catalog"))
            }
            std::cmp::Ordering::Equal if row != copy => {
                Some((place(&catalog), "a row differs between the catalog and its shadow"))
            }
            std::cmp::Ordering::Equal => None,
        };
        if let Some((pgno, message)) = message {
            report.error("shadow", CATALOG, pgno, message);
        }
        if order.is_le() {
            in_catalog = catalog.next()?;
        }
        if order.is_ge() {
            in_shadow = shadow.next()?;
        }
    }
    Ok(())
}

type Entry = Option<(Vec<u8>, Vec<u8>)>;

fn entry_of(cursor: &Cursor<'_, DatabaseFile>, is_on_entry: bool) -> EseResult<Entry> {
    let node = if is_on_entry { cursor.entry()? } else { None };
    Ok(node.map(|node| (node.key.to_vec(), node.data.to_vec())))
}

/// No two trees may share a root or an object id. Answers the roots that are shared.
fn check_roots(database: &Database, report: &mut Report<'_>) -> HashSet<Pgno> {
    let mut roots: HashMap<Pgno, String> = HashMap::new();
    let mut objids: HashMap<ObjId, String> = HashMap::new();
    let mut shared = HashSet::new();
    for table in database.schema().tables() {
        let indexes = table
            .indexes
            .iter()
            .map(|index| (format!("{}.{}", table.name, index.name), index.objid, index.root));
        let long_values =
            table.long_values.map(|(objid, root)| (format!("{}.LV", table.name), objid, root));
        let own = [(table.name.clone(), table.objid, table.root)];
        for (name, objid, root) in own.into_iter().chain(indexes).chain(long_values) {
            if let Some(other) = roots.insert(root, name.clone()) {
                let message = format!("shares its root page with {other}");
                report.error("catalog", &name, Some(root), message);
                shared.insert(root);
            }
            if let Some(other) = objids.insert(objid, name.clone()) {
                let message = format!("shares object id {objid} with {other}");
                report.error("catalog", &name, Some(root), message);
            }
        }
    }
    shared
}
