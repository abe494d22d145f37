//! A volume that fails the n-th call.
//!
//! Counted, from 1: open, read, write, set length, preallocate, sync, remove, rename and directory sync, on
//! the volume and on all files opened through it. Asking for lengths or existence and locking are not.
//! Maps are not offered, so that every read is counted.
//!
//! A failed call does nothing, with one exception: a write that finds the disk full leaves the
//! first half of its bytes (whole sectors of 512), as real ones do. A failed sync syncs nothing.
//!
//! The volume also watches the rule that a failed sync ends the writer: see
//! [`FaultVolume::synced_after_failed_sync`]. It knows nothing of what the bytes mean.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{IoError, IoResult, Map, OpenMode, Storage, Volume, WriterLock};

/// What a full disk writes in whole.
const SECTOR_BYTES: usize = 512;

/// The error that a failing call returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// The medium failed (`EIO`).
    InputOutput,
    /// The disk is full (`ENOSPC`).
    NoSpace,
}

/// Which call fails, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FaultPlan {
    /// Number of the call, the first one being 1; `None` for no failure.
    failing_call: Option<u64>,
    is_lasting: bool,
    kind: FaultKind,
}

impl FaultPlan {
    /// No call fails: for counting them.
    pub fn none() -> Self {
        Self { failing_call: None, is_lasting: false, kind: FaultKind::InputOutput }
    }

    /// Only call `number` fails, the first call being 1.
    pub fn once(number: u64, kind: FaultKind) -> Self {
        Self { failing_call: Some(number), is_lasting: false, kind }
    }

    /// Call `number` and all later ones fail.
    pub fn from(number: u64, kind: FaultKind) -> Self {
        Self { failing_call: Some(number), is_lasting: true, kind }
    }

    fn fails(&self, number: u64) -> bool {
        self.failing_call.is_some_and(|n| number == n || (self.is_lasting && number > n))
    }
}

/// Wraps a volume and fails calls as planned. Clones share the count.
#[derive(Debug, Clone)]
pub struct FaultVolume<V> {
    inner: V,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    plan: FaultPlan,
    watch: Mutex<Watch>,
}

#[derive(Debug, Default)]
struct Watch {
    calls: u64,
    first_failure: Option<String>,
    /// Files whose last sync failed and that were not opened for writing since.
    failed_syncs: BTreeSet<PathBuf>,
    is_rule_broken: bool,
}

impl Shared {
    /// Counts a call; an error if it is one that fails.
    fn call(&self, path: &Path, operation: &'static str) -> IoResult<()> {
        let mut watch = self.watch();
        watch.calls += 1;
        if !self.plan.fails(watch.calls) {
            return Ok(());
        }
        let call = watch.calls;
        let failure = || format!("call {call}: {operation} of {}", path.display());
        watch.first_failure.get_or_insert_with(failure);
        let errno = match self.plan.kind {
            FaultKind::InputOutput => libc::EIO,
            FaultKind::NoSpace => libc::ENOSPC,
        };
        Err(IoError::os(path, operation, io::Error::from_raw_os_error(errno)))
    }

    fn watch(&self) -> MutexGuard<'_, Watch> {
        self.watch.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<V: Volume> FaultVolume<V> {
    /// Wraps `inner`.
    pub fn new(inner: V, plan: FaultPlan) -> Self {
        Self { inner, shared: Arc::new(Shared { plan, watch: Mutex::default() }) }
    }

    /// The volume inside, on which nothing fails or is counted.
    pub fn inner(&self) -> &V {
        &self.inner
    }

    /// How many calls were made, failed ones too.
    pub fn calls(&self) -> u64 {
        self.shared.watch().calls
    }

    /// Tells whether a planned failure has happened.
    pub fn fired(&self) -> bool {
        self.first_failure().is_some()
    }

    /// The first planned failure that happened, in words.
    pub fn first_failure(&self) -> Option<String> {
        self.shared.watch().first_failure.clone()
    }

    /// Tells whether a file was synced again after a sync of it had failed (by plan or for real), which
    /// proves nothing and so must not be done. Opening the file for writing anew starts over:
    /// whoever does so is taken to write again what may be lost.
    pub fn synced_after_failed_sync(&self) -> bool {
        self.shared.watch().is_rule_broken
    }
}

impl<V: Volume> Volume for FaultVolume<V> {
    fn open(&self, path: &Path, mode: OpenMode) -> IoResult<Arc<dyn Storage>> {
        self.shared.call(path, "open")?;
        let inner = self.inner.open(path, mode)?;
        if mode != OpenMode::Read {
            self.shared.watch().failed_syncs.remove(path);
        }
        Ok(Arc::new(FaultStorage { inner, shared: Arc::clone(&self.shared) }))
    }

    fn exists(&self, path: &Path) -> IoResult<bool> {
        self.inner.exists(path)
    }

    fn is_same_file(&self, a: &Path, b: &Path) -> IoResult<bool> {
        self.inner.is_same_file(a, b)
    }

    fn remove(&self, path: &Path) -> IoResult<()> {
        self.shared.call(path, "remove")?;
        self.inner.remove(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> IoResult<()> {
        self.shared.call(from, "rename")?;
        self.inner.rename(from, to)
    }

    fn sync_parent(&self, path: &Path) -> IoResult<()> {
        self.shared.call(path, "directory sync")?;
        self.inner.sync_parent(path)
    }

    fn free_bytes(&self, path: &Path) -> IoResult<Option<u64>> {
        self.inner.free_bytes(path)
    }

    fn lock_writer(&self, path: &Path) -> IoResult<WriterLock> {
        self.inner.lock_writer(path)
    }
}

/// One open file of a [`FaultVolume`].
#[derive(Debug)]
struct FaultStorage {
    inner: Arc<dyn Storage>,
    shared: Arc<Shared>,
}

impl FaultStorage {
    fn call(&self, operation: &'static str) -> IoResult<()> {
        self.shared.call(self.path(), operation)
    }
}

impl Storage for FaultStorage {
    fn path(&self) -> &Path {
        self.inner.path()
    }

    fn len_bytes(&self) -> IoResult<u64> {
        self.inner.len_bytes()
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset_bytes: u64) -> IoResult<()> {
        self.call("read")?;
        self.inner.read_exact_at(buffer, offset_bytes)
    }

    fn write_all_at(&self, bytes: &[u8], offset_bytes: u64) -> IoResult<()> {
        let result = self.call("write");
        if result.as_ref().is_err_and(IoError::is_no_space) {
            let half = bytes.len() / 2;
            if let Some(written) = bytes.get(..half - half % SECTOR_BYTES) {
                self.inner.write_all_at(written, offset_bytes)?;
            }
        }
        result?;
        self.inner.write_all_at(bytes, offset_bytes)
    }

    fn set_len(&self, len_bytes: u64) -> IoResult<()> {
        self.call("set length")?;
        self.inner.set_len(len_bytes)
    }

    fn preallocate(&self, len_bytes: u64) -> IoResult<()> {
        self.call("preallocate")?;
        self.inner.preallocate(len_bytes)
    }

    fn sync(&self) -> IoResult<()> {
        let has_failed_before = self.shared.watch().failed_syncs.contains(self.path());
        let result = self.call("sync").and_then(|()| self.inner.sync());
        let mut watch = self.shared.watch();
        watch.is_rule_broken |= has_failed_before;
        if result.is_err() {
            watch.failed_syncs.insert(self.path().to_path_buf());
        }
        result
    }

    fn map(&self) -> IoResult<Option<Map>> {
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::MemoryVolume;

    const PATH: &str = "a.edb";

    /// Makes one call of each counted kind and goes on after failures; returns which of them failed.
    fn make_every_call(volume: &dyn Volume) -> Vec<usize> {
        let path = Path::new(PATH);
        let mut results = vec![volume.open(path, OpenMode::Write).map(drop)];
        // The handle for the rest comes from a second open, so that the first may fail.
        match volume.open(path, OpenMode::Write) {
            Err(error) => results.extend([Err(error)]),
            Ok(file) => results.extend([
                Ok(()),
                file.read_exact_at(&mut [0; 1], 0),
                file.write_all_at(&[7; 2048], 0),
                file.set_len(4096),
                file.preallocate(8192),
                file.sync(),
            ]),
        }
        results.push(volume.rename(path, Path::new("b.edb")));
        results.push(volume.remove(Path::new("b.edb")));
        results.push(volume.sync_parent(path));
        results.iter().enumerate().filter(|(_, r)| r.is_err()).map(|(index, _)| index).collect()
    }

    fn memory() -> MemoryVolume {
        let volume = MemoryVolume::new();
        volume.insert_file(PATH, &[1; 2048]);
        volume
    }

    #[test]
    fn every_call_is_counted_once() {
        let volume = FaultVolume::new(memory(), FaultPlan::none());
        assert_eq!(make_every_call(&volume), [0; 0]);
        assert_eq!(volume.calls(), 10);
        assert!(!volume.fired());
        let _lock = volume.lock_writer(Path::new("b.edb")).unwrap_err();
        assert!(!volume.exists(Path::new("b.edb")).unwrap());
        assert_eq!(volume.calls(), 10);
    }

    #[test]
    fn exactly_the_planned_call_fails() {
        for number in [1, 3, 4, 5, 6, 7, 10] {
            let volume =
                FaultVolume::new(memory(), FaultPlan::once(number, FaultKind::InputOutput));
            assert_eq!(make_every_call(&volume), [number as usize - 1]);
            assert!(volume.fired());
            let failure = volume.first_failure().unwrap();
            assert!(failure.starts_with(&format!("call {number}: ")), "{failure}");
        }
    }

    #[test]
    fn a_lasting_fault_fails_all_later_calls_and_changes_nothing() {
        let volume = FaultVolume::new(memory(), FaultPlan::from(4, FaultKind::InputOutput));
        assert_eq!(make_every_call(&volume), [3, 4, 5, 6, 7, 8, 9]);
        assert_eq!(volume.inner().event_count(), 0);
    }

    #[test]
    fn the_error_is_the_one_of_the_plan() {
        for (kind, errno) in
            [(FaultKind::InputOutput, libc::EIO), (FaultKind::NoSpace, libc::ENOSPC)]
        {
            let volume = FaultVolume::new(memory(), FaultPlan::once(1, kind));
            let error = volume.open(Path::new(PATH), OpenMode::Read).unwrap_err();
            let IoError::Os { source, operation: "open", .. } = &error else { panic!("{error}") };
            assert_eq!(source.raw_os_error(), Some(errno));
            assert_eq!(error.is_no_space(), kind == FaultKind::NoSpace);
        }
    }

    #[test]
    fn a_full_disk_takes_the_first_half_of_a_write() {
        let volume = FaultVolume::new(memory(), FaultPlan::once(2, FaultKind::NoSpace));
        let file = volume.open(Path::new(PATH), OpenMode::Write).unwrap();
        file.write_all_at(&[7; 2048], 0).unwrap_err();
        let bytes = volume.inner().file_bytes(PATH).unwrap();
        assert_eq!(bytes, [[7; 1024], [1; 1024]].concat());
    }

    #[test]
    fn a_second_sync_after_a_failed_one_is_noticed() {
        let volume = FaultVolume::new(memory(), FaultPlan::once(3, FaultKind::InputOutput));
        let file = volume.open(Path::new(PATH), OpenMode::Write).unwrap();
        file.sync().unwrap();
        file.sync().unwrap_err();
        assert!(!volume.synced_after_failed_sync());
        let reader = volume.open(Path::new(PATH), OpenMode::Read).unwrap();
        reader.sync().unwrap();
        assert!(volume.synced_after_failed_sync());
    }

    #[test]
    fn a_sync_after_opening_anew_is_allowed() {
        let volume = FaultVolume::new(memory(), FaultPlan::once(2, FaultKind::InputOutput));
        let file = volume.open(Path::new(PATH), OpenMode::Write).unwrap();
        file.sync().unwrap_err();
        let file = volume.open(Path::new(PATH), OpenMode::Write).unwrap();
        file.sync().unwrap();
        assert!(!volume.synced_after_failed_sync());
    }
}
