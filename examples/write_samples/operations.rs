//! `random-NN.edb`: several tables under random operations, with commits, reopened files and dropped tables between.

use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use dialtone::ese::table::column::{ColumnFlags, ColumnType};
use dialtone::ese::table::schema::TableDef;
use dialtone::ese::table::write::{
    DatabaseWriter, FieldValue, NewColumn, NewIndex, NewTable, NullRule, Placement,
};

use super::dice::Dice;

const OPERATIONS: usize = 4000;

fn new_table(name: &str, dice: &mut Dice) -> NewTable {
    let mut table = NewTable::new(name)
        .column(NewColumn::new("Key", ColumnType::Binary).flagged(ColumnFlags::NOT_NULL))
        .column(NewColumn::new("Number", ColumnType::Long))
        .column(NewColumn::new("Text", ColumnType::Text))
        .column(NewColumn::new("Blob", ColumnType::LongBinary))
        .column(
            NewColumn::new("Many", ColumnType::Long)
                .placed(Placement::Tagged)
                .flagged(ColumnFlags::MULTI_VALUED),
        )
        .primary(NewIndex::new("Primary", &["Key"]));
    if !dice.once_in(3) {
        table = table.index(NewIndex::new("ByNumber", &["-Number", "Text"]));
    }
    if dice.once_in(2) {
        table =
            table.index(NewIndex::new("ByText", &["Text"]).leaving_out(NullRule::IgnoreAnyNull));
    }
    table.index(NewIndex::new("ByMany", &["Many"]).leaving_out(NullRule::IgnoreNull))
}

/// What one row is made of; the columns' positions are Number, Key, Text, Blob, Many.
struct Row {
    key: Vec<u8>,
    number: Option<[u8; 4]>,
    text: String,
    blob: Vec<u8>,
    many: Vec<[u8; 4]>,
}

impl Row {
    fn new(dice: &mut Dice) -> Self {
        let blob_length = match dice.below(20) {
            0 => 3000 + dice.below(60_000),
            1..=4 => 900 + dice.below(400),
            _ => dice.below(200),
        };
        let key_length = 4 + dice.below(30);
        let text_length = dice.below(120);
        Self {
            key: dice.bytes(key_length),
            number: (!dice.once_in(6)).then(|| (dice.below(300) as i32 - 100).to_le_bytes()),
            text: dice.words(text_length),
            blob: if dice.once_in(2) {
                dice.bytes(blob_length)
            } else {
                dice.words(blob_length).into_bytes()
            },
            many: (0..dice.below(5)).map(|_| (dice.below(50) as i32).to_le_bytes()).collect(),
        }
    }

    fn values(&self) -> [FieldValue<'_>; 5] {
        let many = match self.many.as_slice() {
            [] => FieldValue::Null,
            [one] => FieldValue::Bytes(one),
            many => FieldValue::Many(many.iter().map(|value| FieldValue::Bytes(value)).collect()),
        };
        [
            self.number.as_ref().map(<[u8; 4]>::as_slice).into(),
            FieldValue::Bytes(&self.key),
            FieldValue::Bytes(self.text.as_bytes()),
            FieldValue::Bytes(&self.blob),
            many,
        ]
    }
}

type Rows = Vec<Vec<u8>>;

fn operate(
    writer: &mut DatabaseWriter,
    table: &Arc<TableDef>,
    rows: &mut Rows,
    dice: &mut Dice,
) -> Result<()> {
    let row = Row::new(dice);
    match dice.below(10) {
        0..=5 => rows.push(writer.insert(table, &row.values())?),
        6 | 7 if !rows.is_empty() => {
            let at = dice.below(rows.len());
            writer.delete(table, &rows.swap_remove(at))?;
        }
        _ if !rows.is_empty() => {
            let at = dice.below(rows.len());
            let changes: Vec<(usize, FieldValue<'_>)> = row
                .values()
                .into_iter()
                .enumerate()
                .filter(|(column, _)| *column != 1 || dice.once_in(4))
                .collect();
            rows[at] = writer.update(table, &rows[at], &changes)?;
        }
        _ => {}
    }
    Ok(())
}

/// Writes database `number`.
pub fn write(directory: &Path, number: u64) -> Result<()> {
    let (path, mut writer) = super::create(directory, &format!("random-{number:02}.edb"))?;
    let mut dice = Dice::new(100 + number);
    let mut tables: Vec<(String, Rows)> = Vec::new();
    for operation in 0..OPERATIONS {
        if tables.len() < 2 || tables.len() < 4 && dice.once_in(500) {
            let name = format!("Table{operation}");
            writer.create_table(&new_table(&name, &mut dice))?;
            tables.push((name, Vec::new()));
        }
        if tables.len() > 2 && dice.once_in(900) {
            let (name, _) = tables.swap_remove(dice.below(tables.len()));
            let table = writer.table(&name)?;
            writer.drop_table(&table)?;
        }
        if dice.once_in(100) {
            writer.commit()?;
        }
        if dice.once_in(400) {
            writer.close()?;
            writer = super::reopen(&path)?;
        }
        let at = dice.below(tables.len());
        let (name, rows) = &mut tables[at];
        let table = writer.table(name)?;
        operate(&mut writer, &table, rows, &mut dice)?;
    }
    Ok(writer.close()?)
}
