//! `long-values.edb`: long values of all sizes, some shared, some compressed.

use std::path::Path;

use anyhow::Result;
use dialtone::ese::table::column::{ColumnFlags, ColumnType, Lid};
use dialtone::ese::table::write::{FieldValue, NewColumn, NewIndex, NewTable};

use super::dice::Dice;

const VALUES: i32 = 2000;
const LARGEST: usize = 5_000_000;

/// Sizes with a long tail: 100 MB over all values, the largest 5 MB.
fn size(dice: &mut Dice, number: i32) -> usize {
    match number {
        0 => LARGEST,
        1..=6 => 2_500_000 + dice.below(2_000_000),
        _ if number % 10 == 3 => 100_000 + dice.below(460_000),
        _ if number % 3 == 0 => 1024 + dice.below(40_000),
        _ => 1024 + dice.below(8000),
    }
}

/// Writes the database.
pub fn write(directory: &Path) -> Result<()> {
    let (_, mut writer) = super::create(directory, "long-values.edb")?;
    let table = NewTable::new("Values")
        .column(NewColumn::new("Id", ColumnType::Long).flagged(ColumnFlags::NOT_NULL))
        .column(NewColumn::new("Body", ColumnType::LongBinary))
        .column(NewColumn::new("Text", ColumnType::LongText).flagged(ColumnFlags::COMPRESSED))
        .column(NewColumn::new("Copy", ColumnType::LongBinary))
        .primary(NewIndex::new("ById", &["Id"]));
    let table = writer.create_table(&table)?;
    let mut dice = Dice::new(3);
    for number in 0..VALUES {
        let length = size(&mut dice, number);
        let id = number.to_le_bytes();
        let value =
            if number % 2 == 0 { dice.bytes(length) } else { dice.words(length).into_bytes() };
        let text = (number % 5 == 0).then(|| dice.words(2000 + number as usize));
        let text = text.as_ref().map(String::as_bytes).into();
        // The first value of the row takes the next number, so its neighbour can share an earlier one.
        let shared = if number % 4 == 1 {
            FieldValue::Shared(Lid(1 + number as u64 / 4))
        } else {
            FieldValue::Null
        };
        writer
            .insert(&table, &[FieldValue::Bytes(&id), FieldValue::Bytes(&value), text, shared])?;
        if number % 200 == 199 {
            writer.commit()?;
        }
    }
    for number in (50..VALUES).step_by(40) {
        let mut bookmark = vec![0x7f];
        bookmark.extend_from_slice(&(number as u32 ^ 0x8000_0000).to_be_bytes());
        if number % 80 == 10 {
            writer.delete(&table, &bookmark)?;
        } else {
            let body = dice.bytes(6000);
            writer.update(&table, &bookmark, &[(1, FieldValue::Bytes(&body))])?;
        }
    }
    Ok(writer.close()?)
}
