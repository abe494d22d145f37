//! Pairs of files as plain bytes: copied, read, measured, taken out of the cache. The yardsticks are made of these.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::path::Path;

use super::error::{BenchResult, at};
use crate::stm::stm_path;

/// Bytes moved at a time.
const PART_BYTES: usize = 1 << 20;

/// Lengths of a pair in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct PairBytes {
    /// The database.
    pub edb: u64,
    /// The streaming file.
    pub stm: u64,
}

impl PairBytes {
    /// Both.
    pub fn total(self) -> u64 {
        self.edb.saturating_add(self.stm)
    }

    /// What this pair has more than another.
    pub fn beyond(self, other: Self) -> Self {
        let stm = self.stm.saturating_sub(other.stm);
        Self { edb: self.edb.saturating_sub(other.edb), stm }
    }
}

/// How long a pair is.
///
/// # Errors
/// [`super::BenchError::Io`].
pub fn pair_bytes(edb: &Path) -> BenchResult<PairBytes> {
    let length =
        |path: &Path| fs::metadata(path).map(|file| file.len()).map_err(at(path, "look-up"));
    Ok(PairBytes { edb: length(edb)?, stm: length(&stm_path(edb))? })
}

/// Copies a pair through memory, and returns when both copies would survive a power cut. No clone and no copy inside the file
/// system: the bytes are read and written, on every system alike.
///
/// # Errors
/// [`super::BenchError::Io`].
pub fn copy_pair(from: &Path, to: &Path) -> BenchResult<()> {
    for (from, to) in [(from, to), (&*stm_path(from), &*stm_path(to))] {
        let mut target = File::create(to).map_err(at(to, "create"))?;
        each_part(from, |part| target.write_all(part).map_err(at(to, "write")))?;
        target.sync_all().map_err(at(to, "sync"))?;
    }
    Ok(())
}

/// Reads a pair from end to end.
///
/// # Errors
/// [`super::BenchError::Io`].
pub fn read_pair(from: &Path) -> BenchResult<u64> {
    let mut bytes = 0u64;
    for path in [from, &*stm_path(from)] {
        each_part(path, |part| {
            bytes += part.len() as u64;
            Ok(())
        })?;
    }
    Ok(bytes)
}

fn each_part(path: &Path, mut visit: impl FnMut(&[u8]) -> BenchResult<()>) -> BenchResult<()> {
    let mut file = File::open(path).map_err(at(path, "open"))?;
    let mut part = vec![0; PART_BYTES];
    loop {
        let length = file.read(&mut part).map_err(at(path, "read"))?;
        match part.get(..length) {
            Some([]) | None => return Ok(()),
            Some(part) => visit(part)?,
        }
    }
}

/// Bytes for [`write_all`]: no two of their blocks are alike, so that nothing below can save itself the work.
pub fn noise() -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let words = (0..PART_BYTES / 8).flat_map(|_| {
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        state.to_le_bytes()
    });
    words.collect()
}

/// Writes so many bytes of `noise` into a file, part by part, each block of a part with its own number, and syncs it.
///
/// # Errors
/// [`super::BenchError::Io`].
pub fn write_all(path: &Path, noise: &mut [u8], bytes: u64) -> BenchResult<()> {
    /// What a device or file system may compare.
    const BLOCK_BYTES: usize = 4096;
    let mut file = File::create(path).map_err(at(path, "create"))?;
    let (mut left, mut number) = (bytes, 0u64);
    while left > 0 && !noise.is_empty() {
        for block in noise.chunks_mut(BLOCK_BYTES) {
            number += 1;
            block.iter_mut().zip(number.to_le_bytes()).for_each(|(to, from)| *to = from);
        }
        let length = usize::try_from(left).unwrap_or(usize::MAX).min(noise.len());
        file.write_all(noise.get(..length).unwrap_or_default()).map_err(at(path, "write"))?;
        left -= length as u64;
    }
    file.sync_all().map_err(at(path, "sync"))
}

/// Takes a pair out of the system's cache, so that its next reader has to go to the device. Its files must be synced.
///
/// # Errors
/// [`super::BenchError::Io`].
pub fn drop_cached(edb: &Path) -> BenchResult<()> {
    for path in [edb, &*stm_path(edb)] {
        drop_file(&File::open(path).map_err(at(path, "open"))?, path)?;
    }
    Ok(())
}

#[cfg(target_os = "linux")]
fn drop_file(file: &File, path: &Path) -> BenchResult<()> {
    use rustix::fs::{Advice, fadvise};
    file.sync_all().map_err(at(path, "sync"))?;
    fadvise(file, 0, None, Advice::DontNeed).map_err(|error| at(path, "drop")(error.into()))
}

#[cfg(not(target_os = "linux"))]
fn drop_file(_: &File, path: &Path) -> BenchResult<()> {
    let reason = "the cache can be dropped on Linux only; use --cache warm";
    Err(super::BenchError::NoAnswer(format!("{}: {reason}", path.display())))
}
