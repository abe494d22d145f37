//! Reads every row and every long value of a database, for measuring: `cargo run --release --example read_large -- FILE`.

use std::path::PathBuf;

use anyhow::{Context, Result};
use dialtone::ese::table::database::Database;
use dialtone::ese::table::record::Stored;
use dialtone::io::RealVolume;

fn main() -> Result<()> {
    let path = PathBuf::from(std::env::args_os().nth(1).context("usage: read_large FILE")?);
    let database = Database::open(&RealVolume::mapped(), &path)?;
    let (mut rows, mut values, mut bytes) = (0u64, 0u64, 0u64);
    for table in database.tables() {
        let long_values = table.long_values();
        let mut cursor = table.rows();
        let mut is_on_row = cursor.first()?;
        while is_on_row {
            if let Some(row) = cursor.row()? {
                rows += 1;
                for column in &table.def().columns {
                    for stored in row.get(column)?.iter() {
                        values += 1;
                        match stored? {
                            Stored::Plain(plain) => bytes += plain.len() as u64,
                            Stored::Separated(lid) => {
                                long_values.read(lid, &mut |chunk| bytes += chunk.len() as u64)?;
                            }
                            _ => {}
                        }
                    }
                }
            }
            is_on_row = cursor.next()?;
        }
    }
    println!("{rows} rows, {values} values, {bytes} bytes");
    Ok(())
}
