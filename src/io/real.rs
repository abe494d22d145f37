//! Files of the operating system.
//!
//! Reads and writes are positioned, so that threads share one descriptor without a file pointer. This
//! module decides nothing: no retry after an error, no cache, no buffering.

use std::fs::{File, OpenOptions};
use std::io::{self, IoSlice};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::FallocateFlags;
use rustix::io::Errno;

use super::lock::lock_file;
use super::map::GROWTH_BYTES;
use super::{IoError, IoResult, Map, OpenMode, Storage, Volume, WriterLock};

/// The operating system's file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RealVolume {
    mapped: bool,
}

impl RealVolume {
    /// A volume whose files can be mapped. The first map installs this process's handler for bus errors,
    /// so this is for a program that owns its process, not for a library inside another's.
    pub fn mapped() -> Self {
        Self { mapped: true }
    }

    /// A volume that never maps: for network file systems, failing media (`--io pread`) and libraries.
    pub fn pread() -> Self {
        Self { mapped: false }
    }
}

impl Volume for RealVolume {
    fn open(&self, path: &Path, mode: OpenMode) -> IoResult<Arc<dyn Storage>> {
        let failed = |source: io::Error| IoError::os(path, "open", source);
        let file = OpenOptions::new()
            .read(true)
            .write(mode != OpenMode::Read)
            .create_new(mode == OpenMode::CreateNew)
            // A named pipe would block the open for ever; regular files ignore the flag.
            .custom_flags(libc::O_NONBLOCK)
            .open(path)
            .map_err(failed)?;
        if !file.metadata().map_err(failed)?.is_file() {
            return Err(failed(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file")));
        }
        let growth_bytes = if mode == OpenMode::Read { 0 } else { GROWTH_BYTES };
        let map_growth_bytes = self.mapped.then_some(growth_bytes);
        Ok(Arc::new(RealStorage { file, path: path.to_path_buf(), map_growth_bytes }))
    }

    fn exists(&self, path: &Path) -> IoResult<bool> {
        path.try_exists().map_err(|source| IoError::os(path, "look-up", source))
    }

    fn is_same_file(&self, a: &Path, b: &Path) -> IoResult<bool> {
        let identity = |path: &Path| {
            let metadata = std::fs::metadata(path);
            let metadata = metadata.map_err(|source| IoError::os(path, "look-up", source))?;
            Ok::<_, IoError>((metadata.dev(), metadata.ino()))
        };
        Ok(identity(a)? == identity(b)?)
    }

    fn remove(&self, path: &Path) -> IoResult<()> {
        std::fs::remove_file(path).map_err(|source| IoError::os(path, "remove", source))
    }

    fn rename(&self, from: &Path, to: &Path) -> IoResult<()> {
        std::fs::rename(from, to).map_err(|source| IoError::os(from, "rename", source))
    }

    fn free_bytes(&self, path: &Path) -> IoResult<Option<u64>> {
        let directory = match path.parent() {
            Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
            Some(parent) => parent,
            None => path,
        };
        let space = rustix::fs::statvfs(directory);
        let space = space.map_err(|errno| IoError::os(path, "look-up", io::Error::from(errno)))?;
        Ok(Some(space.f_bavail.saturating_mul(space.f_frsize)))
    }

    fn sync_parent(&self, path: &Path) -> IoResult<()> {
        let directory = match path.parent() {
            Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
            Some(parent) => parent,
            None => path,
        };
        File::open(directory)
            .and_then(|handle| handle.sync_all())
            .map_err(|source| IoError::os(directory, "directory sync", source))
    }

    fn lock_writer(&self, path: &Path) -> IoResult<WriterLock> {
        lock_file(path)
    }
}

/// At most this part of the free space is reserved ahead.
const RESERVED_SHARE: u64 = 16;

/// Most pieces in one write: what POSIX systems take in practice (IOV_MAX).
const PIECES_MAX: usize = 1024;

/// One open file of the operating system.
#[derive(Debug)]
struct RealStorage {
    file: File,
    path: PathBuf,
    /// Addresses to keep free behind a map; none where nothing is mapped.
    map_growth_bytes: Option<usize>,
}

impl RealStorage {
    fn failed(&self, operation: &'static str, source: impl Into<io::Error>) -> IoError {
        IoError::os(&self.path, operation, source)
    }

    fn reserve(&self, flags: FallocateFlags, from_bytes: u64, to_bytes: u64) -> Result<(), Errno> {
        let call = || rustix::fs::fallocate(&self.file, flags, from_bytes, to_bytes - from_bytes);
        rustix::io::retry_on_intr(call)
    }
}

impl Storage for RealStorage {
    fn path(&self) -> &Path {
        &self.path
    }

    fn len_bytes(&self) -> IoResult<u64> {
        Ok(self.file.metadata().map_err(|source| self.failed("look-up", source))?.len())
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset_bytes: u64) -> IoResult<()> {
        match self.file.read_exact_at(buffer, offset_bytes) {
            Ok(()) => Ok(()),
            Err(source) if source.kind() == io::ErrorKind::UnexpectedEof => {
                Err(IoError::ShortFile {
                    path: self.path.clone(),
                    offset_bytes,
                    wanted_bytes: buffer.len() as u64,
                    end_bytes: self.len_bytes()?,
                })
            }
            Err(source) => Err(self.failed("read", source)),
        }
    }

    fn write_all_at(&self, bytes: &[u8], offset_bytes: u64) -> IoResult<()> {
        self.file.write_all_at(bytes, offset_bytes).map_err(|source| self.failed("write", source))
    }

    fn write_all_pieces_at(
        &self,
        mut pieces: &mut [IoSlice<'_>],
        mut offset_bytes: u64,
    ) -> IoResult<()> {
        // A write of nothing would look like a disk that takes nothing.
        IoSlice::advance_slices(&mut pieces, 0);
        while !pieces.is_empty() {
            let now = pieces.len().min(PIECES_MAX);
            let written = match rustix::io::pwritev(&self.file, &pieces[..now], offset_bytes) {
                Ok(0) => Err(io::Error::from(io::ErrorKind::WriteZero)),
                Err(Errno::INTR) => Ok(0),
                result => result.map_err(io::Error::from),
            };
            let written = written.map_err(|source| self.failed("write", source))?;
            offset_bytes += written as u64;
            IoSlice::advance_slices(&mut pieces, written);
        }
        Ok(())
    }

    fn file(&self) -> Option<&File> {
        Some(&self.file)
    }

    #[cfg(target_os = "linux")]
    fn copy_from(
        &self,
        from: &dyn Storage,
        mut from_bytes: u64,
        mut offset_bytes: u64,
        len_bytes: u64,
    ) -> IoResult<bool> {
        let Some(from) = from.file() else { return Ok(false) };
        let mut left = len_bytes;
        while left > 0 {
            let ask = usize::try_from(left).unwrap_or(usize::MAX);
            let copied = rustix::fs::copy_file_range(
                from,
                Some(&mut from_bytes),
                &self.file,
                Some(&mut offset_bytes),
                ask,
            );
            match copied {
                // The caller writes all of it then, which does no harm to what is there already.
                Ok(0) | Err(Errno::XDEV | Errno::NOSYS | Errno::OPNOTSUPP | Errno::INVAL) => {
                    return Ok(false);
                }
                Ok(copied) => left = left.saturating_sub(copied as u64),
                Err(Errno::INTR) => {}
                Err(error) => return Err(self.failed("copy", io::Error::from(error))),
            }
        }
        Ok(true)
    }

    fn set_len(&self, len_bytes: u64) -> IoResult<()> {
        self.file.set_len(len_bytes).map_err(|source| self.failed("set length", source))
    }

    fn preallocate(&self, len_bytes: u64) -> IoResult<()> {
        let end_bytes = self.len_bytes()?;
        if len_bytes <= end_bytes {
            return Ok(());
        }
        match self.reserve(FallocateFlags::empty(), end_bytes, len_bytes) {
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => self.set_len(len_bytes),
            result => result.map_err(|errno| self.failed("preallocate", errno)),
        }
    }

    fn reserve_beyond_end(&self, len_bytes: u64) {
        let Ok(end_bytes) = self.len_bytes() else { return };
        // On a disk that is nearly full, what one file keeps for later another may need now.
        let is_roomy = |ahead_bytes: u64| {
            rustix::fs::fstatvfs(&self.file).is_ok_and(|space| {
                space.f_bavail.saturating_mul(space.f_frsize) / RESERVED_SHARE >= ahead_bytes
            })
        };
        if len_bytes <= end_bytes || !is_roomy(len_bytes - end_bytes) {
            return;
        }
        if let Err(error) = self.reserve(FallocateFlags::KEEP_SIZE, end_bytes, len_bytes) {
            tracing::debug!(%error, path = %self.path.display(), "no space is reserved ahead");
        }
    }

    fn write_behind(&self, offset_bytes: u64, len_bytes: u64) {
        let Some(len_bytes) = std::num::NonZeroU64::new(len_bytes) else { return };
        let advice = rustix::fs::Advice::DontNeed;
        if let Err(error) = rustix::fs::fadvise(&self.file, offset_bytes, Some(len_bytes), advice) {
            tracing::debug!(%error, "the system took no advice about what was written");
        }
    }

    fn give_back_reserved(&self) {
        // Cutting a file to the length that it has frees the blocks behind.
        if let Err(error) = self.len_bytes().and_then(|len_bytes| self.set_len(len_bytes)) {
            tracing::debug!(%error, "space beyond the end of a file stays reserved");
        }
    }

    fn sync(&self) -> IoResult<()> {
        self.file.sync_data().map_err(|source| self.failed("sync", source))
    }

    fn map(&self) -> IoResult<Option<Map>> {
        let Some(growth_bytes) = self.map_growth_bytes else { return Ok(None) };
        Map::new(&self.file, growth_bytes).map_err(|source| self.failed("map", source))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_mapped_volume_maps() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        std::fs::write(&path, b"content").unwrap();
        let open = |volume: RealVolume| volume.open(&path, OpenMode::Read).unwrap();
        let map = open(RealVolume::mapped()).map().unwrap().unwrap();
        assert_eq!(map.bytes(), b"content");
        assert!(open(RealVolume::pread()).map().unwrap().is_none());
    }

    #[test]
    fn preallocated_space_is_really_there() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        let file = RealVolume::pread().open(&path, OpenMode::CreateNew).unwrap();
        file.preallocate(1 << 20).unwrap();
        let metadata = std::fs::metadata(&path).unwrap();
        assert_eq!(metadata.len(), 1 << 20);
        let reserved = metadata.blocks() * 512;
        if reserved == 0 {
            println!("skipped: this file system cannot reserve space");
        } else {
            assert!(reserved >= 1 << 20, "{reserved} bytes reserved");
        }
    }

    #[test]
    fn pieces_of_memory_are_written_as_one_however_many_they_are() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        let file = RealVolume::pread().open(&path, OpenMode::CreateNew).unwrap();
        let pieces: Vec<Vec<u8>> =
            (0..2 * PIECES_MAX + 7).map(|n| vec![n as u8; n % 5 * 3]).collect();
        let mut slices: Vec<IoSlice<'_>> = pieces.iter().map(|piece| IoSlice::new(piece)).collect();
        file.write_all_pieces_at(&mut slices, 10).unwrap();
        file.write_all_pieces_at(&mut [], 5).unwrap();
        file.write_all_pieces_at(&mut [IoSlice::new(&[]), IoSlice::new(&[])], 5).unwrap();
        let written = std::fs::read(&path).unwrap();
        assert_eq!(written[..10], [0; 10]);
        assert_eq!(written[10..], pieces.concat());
    }

    #[test]
    fn space_beyond_the_end_is_no_part_of_the_file_and_can_be_given_back() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        let file = RealVolume::pread().open(&path, OpenMode::CreateNew).unwrap();
        file.write_all_at(&[1; 4096], 0).unwrap();
        file.reserve_beyond_end(1 << 60);
        assert!(file.len_bytes().unwrap() == 4096, "more than the disk has is not even tried");
        file.reserve_beyond_end(1 << 20);
        let metadata = || std::fs::metadata(&path).unwrap();
        assert_eq!(metadata().len(), 4096);
        if metadata().blocks() * 512 < 1 << 20 {
            println!("skipped: this file system cannot reserve space beyond the end");
            return;
        }
        file.preallocate(8192).unwrap();
        assert_eq!(metadata().len(), 8192);
        file.give_back_reserved();
        assert!(metadata().blocks() * 512 < 1 << 20, "it is given back");
        let mut bytes = [9; 8192];
        file.read_exact_at(&mut bytes, 0).unwrap();
        assert!(bytes[..4096].iter().all(|byte| *byte == 1));
        assert!(bytes[4096..].iter().all(|byte| *byte == 0));
    }

    #[test]
    fn what_is_not_a_regular_file_is_refused_and_never_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let pipe = directory.path().join("pipe");
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        for path in [directory.path(), &pipe] {
            let error = RealVolume::pread().open(path, OpenMode::Read).unwrap_err();
            assert!(error.to_string().contains("not a regular file"), "{error}");
        }
    }

    #[test]
    fn a_relative_name_has_the_current_directory_as_parent() {
        RealVolume::pread().sync_parent(Path::new("name")).unwrap();
        RealVolume::pread().sync_parent(Path::new("/")).unwrap();
        let missing = RealVolume::pread().sync_parent(Path::new("/no such place/name"));
        assert!(missing.unwrap_err().is_not_found());
    }
}
