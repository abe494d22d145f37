//! `types.edb`: every column type in every place it may stand, with an index on each that can have one.

use std::path::Path;

use anyhow::Result;
use dialtone::ese::table::column::{ColumnFlags, ColumnType};
use dialtone::ese::table::write::{FieldValue, NewColumn, NewIndex, NewTable, NullRule, Placement};

use super::dice::Dice;

const FIXED: [ColumnType; 14] = [
    ColumnType::Bit,
    ColumnType::UnsignedByte,
    ColumnType::Short,
    ColumnType::Long,
    ColumnType::Currency,
    ColumnType::IeeeSingle,
    ColumnType::IeeeDouble,
    ColumnType::DateTime,
    ColumnType::UnsignedLong,
    ColumnType::LongLong,
    ColumnType::Guid,
    ColumnType::UnsignedShort,
    ColumnType::Binary,
    ColumnType::Text,
];

/// A value of the type; `length` for those whose length is free.
fn value(dice: &mut Dice, coltyp: ColumnType, code_page: u16, length: usize) -> Vec<u8> {
    match coltyp {
        ColumnType::Bit => vec![if dice.once_in(2) { 0xff } else { 0 }],
        ColumnType::IeeeSingle => {
            (dice.below(1_000_000) as f32 / 7.0 - 50_000.0).to_le_bytes().to_vec()
        }
        ColumnType::IeeeDouble | ColumnType::DateTime => {
            (dice.below(1_000_000) as f64 / 3.0 - 100_000.0).to_le_bytes().to_vec()
        }
        ColumnType::Text | ColumnType::LongText if code_page == 1200 => {
            let text = format!("Grüße {} €", dice.words(length / 2));
            text.encode_utf16().take(length / 2).flat_map(u16::to_le_bytes).collect()
        }
        ColumnType::Text | ColumnType::LongText => dice.words(length).into_bytes(),
        other => dice.bytes(other.fixed_width_bytes().unwrap_or(length)),
    }
}

fn table() -> NewTable {
    let mut table = NewTable::new("Types").primary(NewIndex::new("ById", &["Id"]));
    table = table.column(
        NewColumn::new("Id", ColumnType::Long)
            .flagged(ColumnFlags::AUTO_INCREMENT | ColumnFlags::NOT_NULL),
    );
    for coltyp in FIXED {
        let name = format!("Fixed{coltyp}");
        let bytes = if coltyp.fixed_width_bytes().is_some() { 0 } else { 20 };
        table = table.column(NewColumn::new(&name, coltyp).placed(Placement::Fixed).bytes(bytes));
        let segment = if coltyp.number() % 2 == 0 { format!("-{name}") } else { name.clone() };
        table = table.index(NewIndex::new(&format!("Ix{name}"), &[&segment, "Id"]));
        table = table
            .column(NewColumn::new(&format!("Tagged{coltyp}"), coltyp).placed(Placement::Tagged));
        let many = NewColumn::new(&format!("Many{coltyp}"), coltyp).placed(Placement::Tagged);
        table = table.column(many.flagged(ColumnFlags::MULTI_VALUED));
    }
    table
        .column(NewColumn::new("Defaulted", ColumnType::Long).defaulting_to(42i32.to_le_bytes()))
        .column(NewColumn::new("VarText", ColumnType::Text))
        .column(NewColumn::new("VarUnicode", ColumnType::Text).encoded(1200))
        .column(NewColumn::new("VarBinary", ColumnType::Binary).bytes(100))
        .column(NewColumn::new("LongText", ColumnType::LongText))
        .column(NewColumn::new("LongUnicode", ColumnType::LongText).encoded(1200))
        .column(NewColumn::new("LongBinary", ColumnType::LongBinary))
        .column(NewColumn::new("Packed", ColumnType::LongBinary).flagged(ColumnFlags::COMPRESSED))
        .column(
            NewColumn::new("ManyBlobs", ColumnType::LongBinary).flagged(ColumnFlags::MULTI_VALUED),
        )
        .index(
            NewIndex::new("IxVarText", &["VarText", "-VarBinary"])
                .leaving_out(NullRule::IgnoreFirstNull),
        )
        .index(NewIndex::new("IxLong", &["LongBinary"]).leaving_out(NullRule::IgnoreNull))
        .index(NewIndex::new("IxMany", &["ManyShort"]).leaving_out(NullRule::IgnoreAnyNull))
        .index(NewIndex::new("IxWide", &["VarBinary", "LongText"]).key_bytes(400))
}

/// Writes the database.
pub fn write(directory: &Path) -> Result<()> {
    let (_, mut writer) = super::create(directory, "types.edb")?;
    let table = writer.create_table(&table())?;
    let mut dice = Dice::new(1);
    for _ in 0..400 {
        let mut owned: Vec<Vec<Vec<u8>>> = Vec::new();
        for column in &table.columns {
            let is_multi = column.flags.contains(ColumnFlags::MULTI_VALUED);
            let count = match (column.name.as_str(), is_multi) {
                ("Id" | "Defaulted", _) => 0,
                (_, true) => dice.below(4),
                (_, false) => usize::from(!dice.once_in(4)),
            };
            let length = match column.coltyp {
                // Short columns on purpose: the record holds every type at once.
                ColumnType::Binary | ColumnType::Text => 1 + dice.below(18),
                _ if dice.once_in(10) => 1000 + dice.below(20_000),
                _ if dice.once_in(12) => 0,
                _ => dice.below(40),
            };
            let values =
                (0..count).map(|_| value(&mut dice, column.coltyp, column.code_page, length));
            owned.push(values.collect());
        }
        let row: Vec<FieldValue<'_>> = owned
            .iter()
            .zip(&table.columns)
            .map(|(values, column)| match values.as_slice() {
                [] if column.default.is_some() => FieldValue::Default,
                [] => FieldValue::Null,
                [one] => FieldValue::Bytes(one),
                many => {
                    FieldValue::Many(many.iter().map(|value| FieldValue::Bytes(value)).collect())
                }
            })
            .collect();
        writer.insert(&table, &row)?;
    }
    let unordered = NewTable::new("Unordered")
        .column(NewColumn::new("Note", ColumnType::Text))
        .column(NewColumn::new("Number", ColumnType::Long));
    let unordered = writer.create_table(&unordered)?;
    for number in 0..500i32 {
        let (number, note) = (number.to_le_bytes(), dice.words(30));
        let row = [FieldValue::Bytes(&number), FieldValue::Bytes(note.as_bytes())];
        writer.insert(&unordered, &row)?;
    }
    writer
        .create_table(&NewTable::new("Nothing").column(NewColumn::new("Id", ColumnType::Long)))?;
    Ok(writer.close()?)
}
