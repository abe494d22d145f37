//! `rows.edb`: many rows with four indexes.

use std::path::Path;

use anyhow::Result;
use dialtone::ese::table::column::{ColumnFlags, ColumnType};
use dialtone::ese::table::write::{FieldValue, NewColumn, NewIndex, NewTable, NullRule};

use super::dice::Dice;

const LOADED: i32 = 199_000;
const ALL: i32 = 200_000;

/// One row's values in the order of the columns: Id, Number, Stamp, Guid, Name, Tag, Note.
struct Row {
    id: [u8; 4],
    number: [u8; 4],
    stamp: Option<[u8; 8]>,
    guid: Vec<u8>,
    name: String,
    tag: Option<Vec<u8>>,
    note: Option<String>,
}

impl Row {
    fn new(dice: &mut Dice, id: i32) -> Self {
        Self {
            id: id.to_le_bytes(),
            number: (dice.below(5000) as i32 - 2500).to_le_bytes(),
            stamp: (!dice.once_in(5)).then(|| (dice.below(1 << 30) as f64 / 1024.0).to_le_bytes()),
            guid: dice.bytes(16),
            name: format!("user {:05} {}", dice.below(40_000), dice.words(12)),
            tag: dice.once_in(2).then(|| {
                let length = 1 + dice.below(24);
                dice.bytes(length)
            }),
            note: dice.once_in(8).then(|| {
                let length = dice.below(300);
                dice.words(length)
            }),
        }
    }

    fn values(&self) -> [FieldValue<'_>; 7] {
        [
            FieldValue::Bytes(&self.id),
            FieldValue::Bytes(&self.number),
            self.stamp.as_ref().map(<[u8; 8]>::as_slice).into(),
            FieldValue::Bytes(&self.guid),
            FieldValue::Bytes(self.name.as_bytes()),
            self.tag.as_deref().into(),
            self.note.as_ref().map(String::as_bytes).into(),
        ]
    }
}

/// Writes the database.
pub fn write(directory: &Path) -> Result<()> {
    let (path, mut writer) = super::create(directory, "rows.edb")?;
    let table = NewTable::new("Rows")
        .column(NewColumn::new("Id", ColumnType::Long).flagged(ColumnFlags::NOT_NULL))
        .column(NewColumn::new("Number", ColumnType::Long))
        .column(NewColumn::new("Stamp", ColumnType::DateTime))
        .column(NewColumn::new("Guid", ColumnType::Guid))
        .column(NewColumn::new("Name", ColumnType::Text))
        .column(NewColumn::new("Tag", ColumnType::Binary))
        .column(NewColumn::new("Note", ColumnType::LongText))
        .primary(NewIndex::new("ById", &["Id"]))
        .index(NewIndex::new("ByNumber", &["Number"]))
        .index(NewIndex::new("ByName", &["Name", "-Number"]))
        .index(NewIndex::new("ByGuid", &["Guid"]).unique())
        .index(NewIndex::new("ByStamp", &["-Stamp", "Tag"]).leaving_out(NullRule::IgnoreAnyNull));
    let table = writer.create_table(&table)?;
    let mut dice = Dice::new(2);
    // Even numbers first, so that the rows that follow fall between them.
    let mut loader = writer.load(&table)?;
    for id in 0..LOADED {
        loader.push(&Row::new(&mut dice, id * 2).values())?;
    }
    loader.finish()?;
    writer.close()?;

    let mut writer = super::reopen(&path)?;
    let table = writer.table("Rows")?;
    for extra in 0..(ALL - LOADED) {
        let id = (extra * 397) % LOADED * 2 + 1;
        let row = Row::new(&mut dice, id);
        let bookmark = writer.insert(&table, &row.values())?;
        if extra % 3 == 0 {
            let name = format!("renamed {extra}");
            writer.update(
                &table,
                &bookmark,
                &[(4, FieldValue::Bytes(name.as_bytes())), (5, FieldValue::Null)],
            )?;
        }
        if extra % 7 == 0 {
            writer.delete(&table, &bookmark)?;
            writer.insert(&table, &row.values())?;
        }
    }
    Ok(writer.close()?)
}
