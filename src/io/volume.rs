//! The two traits that everything above `io` reads and writes through.
//!
//! They hold what a store needs and no more, so that a volume of one's own is a short file. They know
//! nothing of formats; offsets and lengths are plain bytes.

use std::fmt::Debug;
use std::io::IoSlice;
use std::path::Path;
use std::sync::Arc;

use super::{IoResult, Map, WriterLock};

/// How a file is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenMode {
    /// For reading; the file must exist.
    Read,
    /// For reading and writing; the file must exist.
    Write,
    /// For reading and writing; the file must not exist.
    CreateNew,
}

/// One open file.
///
/// Calls may come from several threads at once. Writes that overlap each other or a read are ordered by
/// the caller.
pub trait Storage: Send + Sync + Debug {
    /// The path the file was opened by, for messages.
    fn path(&self) -> &Path;

    /// The length of the file now, in bytes.
    ///
    /// # Errors
    /// [`IoError::Os`](super::IoError::Os) if the system cannot tell.
    fn len_bytes(&self) -> IoResult<u64>;

    /// Fills the whole buffer from `offset_bytes` on.
    ///
    /// # Errors
    /// [`IoError::ShortFile`](super::IoError::ShortFile) if the file ends before the buffer is full;
    /// `Os` if the read failed. The buffer's content is then undefined.
    fn read_exact_at(&self, buffer: &mut [u8], offset_bytes: u64) -> IoResult<()>;

    /// Writes all bytes at `offset_bytes`; a gap up to there is filled with zeros.
    ///
    /// # Errors
    /// `Os`; any part of the bytes may then have been written. The caller must not go on writing.
    fn write_all_at(&self, bytes: &[u8], offset_bytes: u64) -> IoResult<()>;

    /// Writes pieces of memory, which follow each other in the file from `offset_bytes` on, as one write.
    ///
    /// # Errors
    /// As [`write_all_at`](Self::write_all_at).
    fn write_all_pieces_at(&self, pieces: &mut [IoSlice<'_>], offset_bytes: u64) -> IoResult<()> {
        let bytes: Vec<u8> = pieces.iter().flat_map(|piece| piece.iter().copied()).collect();
        self.write_all_at(&bytes, offset_bytes)
    }

    /// Has the system copy `len_bytes` bytes from `from_bytes` on in another file to `offset_bytes` in this one, if it can do that
    /// without this program touching them; false, and nothing written, if it cannot. Counts as a write.
    ///
    /// # Errors
    /// As [`write_all_at`](Self::write_all_at).
    fn copy_from(
        &self,
        _from: &dyn Storage,
        _from_bytes: u64,
        _offset_bytes: u64,
        _len_bytes: u64,
    ) -> IoResult<bool> {
        Ok(false)
    }

    /// The open file, where there is one.
    fn file(&self) -> Option<&std::fs::File> {
        None
    }

    /// Cuts the file, or extends it with zeros, to exactly `len_bytes`.
    ///
    /// # Errors
    /// `Os`.
    fn set_len(&self, len_bytes: u64) -> IoResult<()>;

    /// Extends a shorter file to `len_bytes`, and reserves disk space for what is new, so that later writes there cannot fail for
    /// lack of it. Never cuts a file. Where the file system cannot reserve, it only extends.
    ///
    /// # Errors
    /// `Os`, for example a full disk.
    fn preallocate(&self, len_bytes: u64) -> IoResult<()>;

    /// Reserves disk space for a file that grows, up to `len_bytes`, without making it longer: finding free blocks may have to wait for
    /// the disk, and whoever does that in time makes nobody else wait. A hint.
    fn reserve_beyond_end(&self, _len_bytes: u64) {}

    /// Gives back what is reserved beyond the end, if possible. Not while somebody may make the file longer.
    fn give_back_reserved(&self) {}

    /// Says that what was just written here will not be read soon, so that the system may begin to move it to the disk: whoever syncs
    /// waits less then. A hint.
    fn write_behind(&self, _offset_bytes: u64, _len_bytes: u64) {}

    /// Returns when every finished write and length change of this file would survive a power cut.
    ///
    /// # Errors
    /// `Os`; what was written since the last good sync may then be lost although it can still be read.
    /// A second sync proves nothing: the system may have dropped the failed pages.
    fn sync(&self) -> IoResult<()>;

    /// Maps the file read-only, as long as it is now, if this storage can; `None` means: use
    /// [`read_exact_at`](Self::read_exact_at). For files that this process does not write.
    ///
    /// # Errors
    /// `Os` if the system refuses the map.
    fn map(&self) -> IoResult<Option<Map>>;
}

/// A file system, as much of it as a store needs.
pub trait Volume: Send + Sync + Debug {
    /// Opens a regular file.
    ///
    /// # Errors
    /// `Os`: not there, already there (`CreateNew`), no access, not a regular file.
    fn open(&self, path: &Path, mode: OpenMode) -> IoResult<Arc<dyn Storage>>;

    /// Tells whether `path` names something.
    ///
    /// # Errors
    /// `Os` if that cannot be found out.
    fn exists(&self, path: &Path) -> IoResult<bool>;

    /// Tells whether two paths name one file, by whatever names, links or mounts.
    ///
    /// # Errors
    /// `Os` if one of them is not there or cannot be looked at.
    fn is_same_file(&self, a: &Path, b: &Path) -> IoResult<bool>;

    /// Removes a file's name. Open handles keep working. Durable after [`sync_parent`](Self::sync_parent).
    ///
    /// # Errors
    /// `Os`, also when the file is not there.
    fn remove(&self, path: &Path) -> IoResult<()>;

    /// Renames a file, in one step replacing what `to` named. Durable after
    /// [`sync_parent`](Self::sync_parent).
    ///
    /// # Errors
    /// `Os`.
    fn rename(&self, from: &Path, to: &Path) -> IoResult<()>;

    /// Returns when creations, removals and renames in the directory that holds `path` would survive a
    /// power cut.
    ///
    /// # Errors
    /// `Os`.
    fn sync_parent(&self, path: &Path) -> IoResult<()>;

    /// Bytes that can still be written to the file system that holds `path`, or its directory; `None` where that is not known.
    ///
    /// # Errors
    /// `Os` if the file system cannot be asked.
    fn free_bytes(&self, path: &Path) -> IoResult<Option<u64>> {
        let _ = path;
        Ok(None)
    }

    /// Takes the writer's lock of the database at `path`, an existing file. Readers take no lock.
    ///
    /// # Errors
    /// [`IoError::Locked`](super::IoError::Locked) at once if another writer holds it, in this process
    /// or another; `Os` if the file cannot be opened for writing.
    fn lock_writer(&self, path: &Path) -> IoResult<WriterLock>;
}
