//! `awkward.edb`: what the format just allows. As many columns as a record can have, keys of 1,000 bytes, names of 64, records
//! to the last byte, keys that are NULL, and 300 tables, every third of which goes again.

use std::path::Path;

use anyhow::Result;
use dialtone::ese::table::column::{ColumnFlags, ColumnType};
use dialtone::ese::table::write::{
    DatabaseWriter, FieldValue, NewColumn, NewIndex, NewTable, NullRule, Placement,
};

use super::dice::Dice;

/// Longest record of a table with an ordinary key on 4 KiB pages. Source: ese-logical 2.10.
const RECORD_BYTES_MAX: usize = 3789;

/// 127 fixed, 128 variable and 300 tagged columns; rows fill a few of each.
fn many_columns(writer: &mut DatabaseWriter, dice: &mut Dice) -> Result<()> {
    let mut table = NewTable::new(&"T".repeat(64));
    for number in 0..127 {
        let coltyp = if number == 0 { ColumnType::Long } else { ColumnType::UnsignedByte };
        table = table.column(NewColumn::new(&format!("Fixed{number:03}"), coltyp));
    }
    for number in 0..128 {
        let coltyp = if number % 2 == 0 { ColumnType::Binary } else { ColumnType::Text };
        table = table.column(NewColumn::new(&format!("{number:03}{}", "v".repeat(61)), coltyp));
    }
    for number in 0..300 {
        let long = NewColumn::new(&format!("Tagged{number:03}"), ColumnType::LongBinary);
        table = table.column(long.placed(Placement::Tagged));
    }
    let table =
        writer.create_table(&table.primary(NewIndex::new(&"P".repeat(64), &["Fixed000"])))?;
    for id in 0..150i32 {
        let key = id.to_le_bytes();
        let byte = dice.bytes(1);
        let words = dice.words(9);
        let values: Vec<FieldValue<'_>> = (0..table.columns.len())
            .map(|at| match at {
                0 => FieldValue::Bytes(&key),
                1..127 if dice.once_in(3) => FieldValue::Bytes(&byte),
                127..255 if dice.once_in(6) => FieldValue::Bytes(words.as_bytes()),
                255.. if dice.once_in(9) => FieldValue::Bytes(words.as_bytes()),
                _ => FieldValue::Null,
            })
            .collect();
        writer.insert(&table, &values)?;
    }
    Ok(())
}

/// Keys of up to 1,000 bytes, ascending and descending, many equal in their first hundreds of bytes.
fn long_keys(writer: &mut DatabaseWriter, dice: &mut Dice) -> Result<()> {
    let binary = |name: &str| NewColumn::new(name, ColumnType::Binary);
    let table = NewTable::new("LongKeys")
        .column(binary("A").flagged(ColumnFlags::NOT_NULL))
        .column(binary("B"))
        .column(binary("C"))
        .column(NewColumn::new("D", ColumnType::Text))
        .primary(NewIndex::new("Primary", &["A"]))
        .index(NewIndex::new("Wide", &["B", "-C", "D", "-A"]).key_bytes(1000))
        .index(NewIndex::new("Default", &["-D", "B", "C"]))
        .index(NewIndex::new("Unique", &["-A", "D"]).unique())
        .index(NewIndex::new("Nulls", &["B", "C"]).leaving_out(NullRule::IgnoreNull))
        .index(NewIndex::new("FirstNull", &["C", "B"]).leaving_out(NullRule::IgnoreFirstNull));
    let table = writer.create_table(&table)?;
    for id in 0..1200u32 {
        let mut a = vec![7; 180];
        a.extend_from_slice(&id.to_be_bytes());
        let b = vec![(id % 5) as u8; 255 - (id % 3) as usize];
        let c = vec![(id % 11) as u8; 200 + (id % 50) as usize];
        let d = dice.words(1 + id as usize % 250);
        let or_null = |is_null: bool, value| {
            if is_null { FieldValue::Null } else { FieldValue::Bytes(value) }
        };
        let row = [
            FieldValue::Bytes(&a),
            or_null(id % 7 == 0, &b),
            or_null(id % 14 == 0, &c),
            or_null(id % 21 == 0, d.as_bytes()),
        ];
        writer.insert(&table, &row)?;
    }
    Ok(())
}

/// Records of every length around the longest one, and values that have to leave the record to make it fit.
fn full_records(writer: &mut DatabaseWriter, dice: &mut Dice) -> Result<()> {
    let mut table = NewTable::new("Full")
        .column(NewColumn::new("Id", ColumnType::Long).flagged(ColumnFlags::AUTO_INCREMENT))
        .primary(NewIndex::new("ById", &["Id"]));
    for number in 0..4 {
        table = table.column(NewColumn::new(&format!("Long{number}"), ColumnType::LongBinary));
    }
    let table = writer.create_table(&table)?;
    for spare in 0..60 {
        // Head, number, bitmap; then an array entry and a header byte for each of the four values.
        let room = RECORD_BYTES_MAX + 20 - spare - (4 + 4 + 1 + 4 * 5);
        let values: Vec<Vec<u8>> =
            [1000, 1000, 1000, room - 3000].into_iter().map(|bytes| dice.bytes(bytes)).collect();
        let mut row = vec![FieldValue::Null];
        row.extend(values.iter().map(|value| FieldValue::Bytes(value)));
        writer.insert(&table, &row)?;
        let empty: &[u8] = &[];
        writer.insert(
            &table,
            &[
                FieldValue::Default,
                FieldValue::Bytes(empty),
                FieldValue::Null,
                FieldValue::Bytes(empty),
                FieldValue::Null,
            ],
        )?;
    }
    Ok(())
}

/// Writes the database.
pub fn write(directory: &Path) -> Result<()> {
    let (path, mut writer) = super::create(directory, "awkward.edb")?;
    let mut dice = Dice::new(4);
    many_columns(&mut writer, &mut dice)?;
    long_keys(&mut writer, &mut dice)?;
    full_records(&mut writer, &mut dice)?;
    for number in 0..300 {
        let table = NewTable::new(&format!("Small{number:03}"))
            .column(NewColumn::new("Id", ColumnType::Long))
            .primary(NewIndex::new("ById", &["Id"]));
        let table = writer.create_table(&table)?;
        writer.insert(&table, &[FieldValue::Bytes(&i32::to_le_bytes(number))])?;
    }
    writer.close()?;
    let mut writer = super::reopen(&path)?;
    for number in (0..300).step_by(3) {
        let table = writer.table(&format!("Small{number:03}"))?;
        writer.drop_table(&table)?;
    }
    Ok(writer.close()?)
}
