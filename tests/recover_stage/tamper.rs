//! Changes to a closed store behind its back.

use std::path::Path;
use std::sync::Arc;

use dialtone::ese::page::header::DbHeader;
use dialtone::ese::table::rows::RowCursor;
use dialtone::ese::table::schema::TableDef;
use dialtone::ese::table::write::{DatabaseWriter, FieldValue};
use dialtone::io::MemoryVolume;

use crate::store_support::overwrite;

/// Changes the database of a pair. The pairing is kept, as if both had been closed together.
pub fn tamper(volume: &MemoryVolume, path: &str, change: impl FnOnce(&mut DatabaseWriter)) {
    let path = Path::new(path);
    let mut writer = DatabaseWriter::open(Arc::new(volume.clone()), path).unwrap();
    change(&mut writer);
    writer.commit().unwrap();
    let dbtime = writer.forest().pager().header().dbtime();
    writer.close().unwrap();
    let stm = path.with_extension("stm");
    let mut bytes = volume.file_bytes(&stm).unwrap();
    let mut header = DbHeader::decode(&bytes[..4096]).unwrap();
    header.set_dbtime(dbtime);
    let page = header.encode();
    bytes[..4096].copy_from_slice(&page);
    bytes[4096..8192].copy_from_slice(&page);
    overwrite(volume, &stm, &bytes);
}

pub fn bookmarks(writer: &DatabaseWriter, table: &TableDef) -> Vec<Vec<u8>> {
    let mut rows = RowCursor::new(writer.forest().pager(), table);
    let mut found = Vec::new();
    let mut on = rows.first().unwrap();
    while on {
        found.push(rows.row().unwrap().unwrap().bookmark().to_vec());
        on = rows.next().unwrap();
    }
    found
}

/// Sets a column in all rows of a table, or in the one at a place; `None` makes it NULL.
pub fn set(
    writer: &mut DatabaseWriter,
    table: &str,
    at: Option<usize>,
    column: &str,
    value: Option<&[u8]>,
) {
    let table = writer.table(table).unwrap();
    let place = table.columns.iter().position(|c| c.name == column).unwrap();
    let rows = bookmarks(writer, &table);
    let rows = match at {
        Some(at) => vec![rows[at].clone()],
        None => rows,
    };
    let value = value.map_or(FieldValue::Null, FieldValue::Bytes);
    for row in rows {
        writer.update(&table, &row, &[(place, value.clone())]).unwrap();
    }
}
