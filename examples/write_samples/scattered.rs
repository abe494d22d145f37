//! `scattered.edb`: a table whose every second page was freed, so that its space trees have two levels.

use std::path::Path;

use anyhow::Result;
use dialtone::ese::table::column::{ColumnFlags, ColumnType};
use dialtone::ese::table::write::{FieldValue, NewColumn, NewIndex, NewTable, Placement};

/// Rows; each fills a page.
const ROWS: i32 = 1500;

/// Writes the database.
pub fn write(directory: &Path) -> Result<()> {
    let (path, mut writer) = super::create(directory, "scattered.edb")?;
    let mut table = NewTable::new("Wide")
        .column(NewColumn::new("Id", ColumnType::Long).flagged(ColumnFlags::NOT_NULL))
        .primary(NewIndex::new("ById", &["Id"]));
    for number in 0..12 {
        let wide = NewColumn::new(&format!("Wide{number}"), ColumnType::Binary);
        table = table.column(wide.placed(Placement::Variable).bytes(255));
    }
    let table = writer.create_table(&table)?;
    let mut bookmarks = Vec::new();
    for id in 0..ROWS {
        let (id, wide) = (id.to_le_bytes(), vec![id as u8; 250]);
        let mut row = vec![FieldValue::Bytes(&id)];
        row.resize(13, FieldValue::Bytes(&wide));
        bookmarks.push(writer.insert(&table, &row)?);
    }
    writer.close()?;
    let mut writer = super::reopen(&path)?;
    let table = writer.table("Wide")?;
    for bookmark in bookmarks.iter().step_by(2) {
        writer.delete(&table, bookmark)?;
    }
    Ok(writer.close()?)
}
