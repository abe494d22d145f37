//! The catalog against its shadow, and against itself. Source: ese-logical 1.1, 1.4.

use std::collections::HashMap;

use super::{Report, Severity};
use crate::ese::error::EseResult;
use crate::ese::page::Pgno;
use crate::ese::table::catalog::{CATALOG_OBJID, CATALOG_ROOT, SHADOW_OBJID, SHADOW_ROOT};
use crate::ese::table::database::Database;
use crate::ese::tree::{Cursor, Tree, TreeKind};
use crate::ese::txn::DatabaseFile;

const CATALOG: &str = "MSysObjects";

/// Checks what the catalog says as a whole.
pub fn check(database: &Database, report: &mut Report<'_>) {
    for note in database.schema().notes().kept() {
        report.find(Severity::Error, "catalog", note.table.as_deref(), note.pgno, &note.message);
    }
    if let Err(error) = compare_with_shadow(database.file(), report) {
        report.unreadable("shadow", "MSysObjectsShadow", &error);
    }
    check_roots(database, report);
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

/// No two trees may share a root or an object id.
fn check_roots(database: &Database, report: &mut Report<'_>) {
    let mut roots: HashMap<Pgno, String> = HashMap::new();
    let mut objids = HashMap::new();
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
                report.error(
                    "catalog",
                    &name,
                    Some(root),
                    format!("shares its root page with {other}"),
                );
            }
            if let Some(other) = objids.insert(objid, name.clone()) {
                report.error(
                    "catalog",
                    &name,
                    Some(root),
                    format!("shares object id {objid} with {other}"),
                );
            }
        }
    }
}
