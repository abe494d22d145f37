//! Builds one large database in one run, for measuring: `cargo run --release --example write_large -- FILE MEGABYTES`.
//!
//! Rows of about 400 bytes with a secondary index, and on every fourth row a long value of 40 KB, so that most bytes are
//! long values, as in a mailbox store. One independent reader refuses tables of more than 32,768 leaf pages; the rows of
//! one gigabyte stay well below that.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result};
use dialtone::ese::page::header::{LogTime, Signature};
use dialtone::ese::table::column::{ColumnFlags, ColumnType};
use dialtone::ese::table::write::{
    DatabaseWriter, FieldValue, NewColumn, NewDatabase, NewIndex, NewTable,
};
use dialtone::io::RealVolume;

/// Bytes that a row and its share of a long value take.
const ROW_BYTES: u64 = 400 + 40_000 / 4;

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let usage = "usage: write_large FILE MEGABYTES";
    let path = PathBuf::from(arguments.next().context(usage)?);
    let megabytes: u64 = arguments.next().context(usage)?.parse()?;
    let sign_db = Signature { random: 2003, created: LogTime::NEVER, computer: [0; 16] };
    let new = NewDatabase { sign_db, sign_slv: Signature::NONE };
    let mut writer = DatabaseWriter::create(Arc::new(RealVolume::mapped()), &path, &new)?;
    let table = NewTable::new("Messages")
        .column(NewColumn::new("Id", ColumnType::Long).flagged(ColumnFlags::NOT_NULL))
        .column(NewColumn::new("Hash", ColumnType::Currency))
        .column(NewColumn::new("Subject", ColumnType::Text))
        .column(NewColumn::new("Head", ColumnType::LongBinary))
        .column(NewColumn::new("Body", ColumnType::LongBinary))
        .primary(NewIndex::new("ById", &["Id"]))
        .index(NewIndex::new("ByHash", &["Hash"]));
    let table = writer.create_table(&table)?;
    let mut loader = writer.load(&table)?;
    let noise: Vec<u8> =
        (0..80_000u32).map(|n| (n.wrapping_mul(0x9e37_79b1) >> 24) as u8).collect();
    for id in 0..(megabytes * 1_000_000 / ROW_BYTES) {
        let hash = id.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes();
        let start = (id % 40_000) as usize;
        let subject = format!("message {id:09} about nothing in particular");
        let body = if id % 4 == 0 {
            FieldValue::Bytes(&noise[start..start + 40_000])
        } else {
            FieldValue::Null
        };
        loader.push(&[
            FieldValue::Bytes(&(id as i32).to_le_bytes()),
            FieldValue::Bytes(&hash),
            FieldValue::Bytes(subject.as_bytes()),
            FieldValue::Bytes(&noise[start..start + 300]),
            body,
        ])?;
    }
    println!("{} rows", loader.finish()?);
    Ok(writer.close()?)
}
