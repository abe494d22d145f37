//! What several test programs need: the test data outside of the project, unpacked into memory.
#![allow(dead_code, reason = "no test program uses all of it")]

use std::io::Read as _;
use std::path::{Path, PathBuf};

use dialtone::ese::table::database::Database;
use dialtone::io::{MemoryVolume, OpenMode, Volume};

/// A directory of the shared test data, or `None` with a line that says so.
pub fn shared(directory: &str) -> Option<PathBuf> {
    let shared = std::env::var_os("DIALTONE_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
    let directory = shared.join("data").join(directory);
    if directory.is_dir() {
        return Some(directory);
    }
    eprintln!("SKIP: no test data in {} (set DIALTONE_SHARED)", directory.display());
    None
}

/// All databases of a directory: name without `.gz`, and the packed file.
pub fn databases(directory: &Path) -> Vec<(String, PathBuf)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        match name.strip_suffix(".gz") {
            Some(name) if !name.ends_with(".json") => found.push((name.to_owned(), path.clone())),
            _ => {}
        }
    }
    found.sort();
    assert!(!found.is_empty(), "no databases in {}", directory.display());
    found
}

pub fn gunzip(path: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).unwrap();
    flate2::read::GzDecoder::new(file).read_to_end(&mut bytes).unwrap();
    bytes
}

/// A volume that holds `bytes` under `path`.
pub fn volume_with(path: &Path, bytes: &[u8]) -> MemoryVolume {
    let volume = MemoryVolume::new();
    let file = volume.open(path, OpenMode::CreateNew).unwrap();
    file.write_all_at(bytes, 0).unwrap();
    volume
}

/// Opens a database that lies in memory.
pub fn open_bytes(name: &str, bytes: &[u8]) -> dialtone::ese::EseResult<Database> {
    let path = Path::new(name);
    Database::open(&volume_with(path, bytes), path)
}
