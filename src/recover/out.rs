//! A copy of the target pair, to recover into (`--out`): the pair itself is only read.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::ese::error::{EseError, EseResult, Refusal};
use crate::ese::page::header::DbState;
use crate::io::{OpenMode, Volume};
use crate::stm::stm_path;
use crate::store::Store;

/// Bytes copied at a time.
const PART_BYTES: usize = 1 << 20;

/// Copies a closed store. The copies are made under other names, and get theirs when they are synced, the database last: what has
/// the name of a store is a whole one.
///
/// # Errors
/// [`Refusal::BadRequest`] when there is something under the new names; [`Refusal::Dirty`] when the store was not closed, or was written
/// meanwhile; [`EseError::Io`].
pub fn copy_store(volume: &Arc<dyn Volume>, store: &Path, copy: &Path) -> EseResult<()> {
    let (stm, stm_copy) = (stm_path(store), stm_path(copy));
    let (draft, stm_draft) = (part_path(copy), part_path(&stm_copy));
    // A copy that was interrupted between its two last steps has one file under its name.
    let is_leftover = !volume.exists(copy)? && volume.exists(&draft)?;
    if is_leftover && volume.exists(&stm_copy)? {
        volume.remove(&stm_copy)?;
    }
    for path in [copy, &stm_copy] {
        if volume.exists(path)? {
            let reason = "the file exists already; choose another name, or remove it first";
            return Err(EseError::refused(Refusal::BadRequest, reason).in_file(path));
        }
    }
    let dbtime = closed_at(volume, store)?;
    let drafts = [(&stm, &stm_draft), (&store.to_path_buf(), &draft)];
    for (from, to) in drafts {
        copy_file(&**volume, from, to)?;
    }
    if closed_at(volume, store)? != dbtime {
        for draft in [&stm_draft, &draft] {
            volume.remove(draft)?;
        }
        return Err(dirty(store, "the store was written while it was copied"));
    }
    // Both drafts are there before either gets its name, so that a copy that was interrupted is known as one.
    volume.sync_parent(&draft)?;
    for (from, to) in [(&*stm_draft, &*stm_copy), (&*draft, copy)] {
        volume.rename(from, to)?;
        volume.sync_parent(to)?;
    }
    Ok(())
}

/// The time of the last change of a closed store.
fn closed_at(volume: &Arc<dyn Volume>, path: &Path) -> EseResult<u64> {
    let store = Store::open(&**volume, path)?;
    let header = store.database().file().header();
    if header.state() != DbState::Clean {
        return Err(dirty(
            path,
            "the target was not closed properly; recover into it without --out",
        ));
    }
    Ok(header.dbtime().0)
}

fn dirty(path: &Path, reason: &str) -> EseError {
    EseError::refused(Refusal::Dirty, reason).in_file(path)
}

fn copy_file(volume: &dyn Volume, from: &Path, to: &Path) -> EseResult<()> {
    if volume.exists(to)? {
        // Left over from a copy that was interrupted.
        volume.remove(to)?;
    }
    let from = volume.open(from, OpenMode::Read)?;
    let to = volume.open(to, OpenMode::CreateNew)?;
    let len_bytes = from.len_bytes()?;
    to.preallocate(len_bytes)?;
    let mut part = vec![0; PART_BYTES];
    let mut at = 0;
    while at < len_bytes {
        let length = usize::try_from(len_bytes - at).unwrap_or(PART_BYTES).min(PART_BYTES);
        let part = &mut part[..length];
        from.read_exact_at(part, at)?;
        to.write_all_at(part, at)?;
        at += length as u64;
    }
    Ok(to.sync()?)
}

fn part_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    PathBuf::from(name)
}
