//! Writes the sample databases that independent readers, and other engines, are put before.
//!
//! `cargo run --release --example write_samples -- DIR`
//!
//! | file | what |
//! |---|---|
//! | `empty.edb` | no table of a user's |
//! | `types.edb` | every column type: fixed, variable, tagged, multi-valued; NULLs, defaults, an index on each |
//! | `rows.edb` | 200,000 rows with four indexes, loaded in one run, then changed row by row |
//! | `long-values.edb` | 2,000 long values up to 5 MB, 100 MB in all, some shared, some compressed |
//! | `scattered.edb` | free pages in hundreds of places: space trees of two levels |
//! | `awkward.edb` | what the format just allows: columns, keys, names, records at their limits, 300 tables |
//! | `random-00.edb` ... | ten made by random operations on several tables |
//!
//! The content depends on nothing but this program: the same files every time.

mod awkward;
mod dice;
mod long_values;
mod operations;
mod rows;
mod scattered;
mod types;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use dialtone::ese::page::header::{LogTime, Signature};
use dialtone::ese::table::write::{DatabaseWriter, NewDatabase};
use dialtone::io::{RealVolume, Volume};

/// Creates an empty database, replacing one of an earlier run.
pub fn create(directory: &Path, name: &str) -> Result<(PathBuf, DatabaseWriter)> {
    let path = directory.join(name);
    if path.exists() {
        std::fs::remove_file(&path)?;
    }
    // 2003-07-01, so that the files do not depend on the day they were made.
    let created = LogTime::from_unix_millis(1_057_017_600_000).context("a time in range")?;
    let random = name.bytes().fold(2003, |sum: u32, byte| sum.wrapping_mul(31) + u32::from(byte));
    let sign_db = Signature { random, created, computer: [0; 16] };
    let volume: Arc<dyn Volume> = Arc::new(RealVolume::mapped());
    let new = NewDatabase { sign_db, sign_slv: Signature::NONE };
    let writer = DatabaseWriter::create(volume, &path, &new)?;
    Ok((path, writer))
}

/// Opens a sample again.
pub fn reopen(path: &Path) -> Result<DatabaseWriter> {
    Ok(DatabaseWriter::open(Arc::new(RealVolume::mapped()), path)?)
}

fn main() -> Result<()> {
    let directory = std::env::args_os().nth(1).context("usage: write_samples DIR")?;
    let directory = PathBuf::from(directory);
    std::fs::create_dir_all(&directory)?;
    create(&directory, "empty.edb")?.1.close()?;
    types::write(&directory)?;
    rows::write(&directory)?;
    long_values::write(&directory)?;
    scattered::write(&directory)?;
    awkward::write(&directory)?;
    for number in 0..10 {
        operations::write(&directory, number)?;
    }
    println!("samples written to {}", directory.display());
    Ok(())
}
