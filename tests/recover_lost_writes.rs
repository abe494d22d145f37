//! A disk that loses a write, or stores other bytes than it was given, and says nothing: whatever that does to mail, a recovery does not
//! call the mailbox complete. The verify pass reads back what was built, and compares it with what was handed over.

#![allow(clippy::unwrap_used)] // a test program

mod recover_stage;
mod recover_support;
mod store_support;
mod support;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use dialtone::io::{IoResult, Map, MemoryVolume, OpenMode, Storage, Volume, WriterLock};
use dialtone::recover::{MailboxState, Mode, Progress, RunOptions, WritePath, recover};
use dialtone::store::Store;

use recover_stage::{PATHS, ours};
use recover_support::{SOURCE, Seen, TARGET, Two, options, seen_in};
use store_support::{mapi, profile};

/// What becomes of the one write that goes wrong.
#[derive(Debug, Clone, Copy)]
enum Lie {
    /// Nothing of it is stored.
    Lost,
    /// Some bytes in its middle are stored as others, more than a page's checksum can correct.
    Spoiled,
}

/// A volume where one write to the target goes wrong: the one with this number, counted from 1.
#[derive(Debug, Clone)]
struct LyingVolume {
    inner: MemoryVolume,
    lie: Lie,
    wrong: u64,
    writes: Arc<AtomicU64>,
}

#[derive(Debug)]
struct LyingFile {
    inner: Arc<dyn Storage>,
    volume: LyingVolume,
}

impl Volume for LyingVolume {
    fn open(&self, path: &Path, mode: OpenMode) -> IoResult<Arc<dyn Storage>> {
        let inner = self.inner.open(path, mode)?;
        let is_target = path.with_extension("edb") == Path::new(TARGET);
        match is_target {
            true => Ok(Arc::new(LyingFile { inner, volume: self.clone() })),
            false => Ok(inner),
        }
    }

    fn exists(&self, path: &Path) -> IoResult<bool> {
        self.inner.exists(path)
    }

    fn is_same_file(&self, a: &Path, b: &Path) -> IoResult<bool> {
        self.inner.is_same_file(a, b)
    }

    fn remove(&self, path: &Path) -> IoResult<()> {
        self.inner.remove(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> IoResult<()> {
        self.inner.rename(from, to)
    }

    fn sync_parent(&self, path: &Path) -> IoResult<()> {
        self.inner.sync_parent(path)
    }

    fn lock_writer(&self, path: &Path) -> IoResult<WriterLock> {
        self.inner.lock_writer(path)
    }
}

impl Storage for LyingFile {
    fn path(&self) -> &Path {
        self.inner.path()
    }

    fn len_bytes(&self) -> IoResult<u64> {
        self.inner.len_bytes()
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset_bytes: u64) -> IoResult<()> {
        self.inner.read_exact_at(buffer, offset_bytes)
    }

    fn write_all_at(&self, bytes: &[u8], offset_bytes: u64) -> IoResult<()> {
        let number = self.volume.writes.fetch_add(1, Ordering::Relaxed) + 1;
        if number != self.volume.wrong {
            return self.inner.write_all_at(bytes, offset_bytes);
        }
        match self.volume.lie {
            Lie::Lost => Ok(()),
            Lie::Spoiled => {
                let mut spoiled = bytes.to_vec();
                let middle = spoiled.len() / 2;
                // No two alike: a checksum made of sums over words does not see changes that cancel each other.
                let changes = (0u8..40).map(|number| number.wrapping_mul(37) | 1);
                spoiled[middle..]
                    .iter_mut()
                    .zip(changes)
                    .for_each(|(byte, change)| *byte ^= change);
                self.inner.write_all_at(&spoiled, offset_bytes)
            }
        }
    }

    fn set_len(&self, len_bytes: u64) -> IoResult<()> {
        self.inner.set_len(len_bytes)
    }

    fn preallocate(&self, len_bytes: u64) -> IoResult<()> {
        self.inner.preallocate(len_bytes)
    }

    fn sync(&self) -> IoResult<()> {
        self.inner.sync()
    }

    fn map(&self) -> IoResult<Option<Map>> {
        self.inner.map()
    }
}

/// Mail in both forms, some of it shared by two mailboxes. What the job does not write it does not read back, so the target has none.
fn stores() -> MemoryVolume {
    let mut two = Two::new();
    let other = two.source.add_mailbox(&profile(2)).unwrap();
    two.target.add_mailbox(&profile(2)).unwrap();
    let mut hand = ours(&mut two);
    let shared = hand.put("#inbox#", 1);
    hand.put("New/Deep", 2);
    for number in 10..40 {
        hand.put("#inbox#", number);
    }
    let folder = hand.folder("Mapi");
    hand.writer.insert_mapi(folder, &mapi(5, 40_000, true)).unwrap();
    hand.mailbox = other;
    hand.copy(shared, "#inbox#", 0);
    two.close()
}

/// Runs a job over a volume; answers the mailbox that is called complete first, and how many writes there were until then.
fn first_complete(volume: &LyingVolume, path: WritePath) -> Option<(String, u64)> {
    let shared: Arc<dyn Volume> = Arc::new(volume.clone());
    let run = RunOptions { path, workers: 1, ..RunOptions::new([7; 16]) };
    let mut first = None;
    let mut watch = |progress: Progress<'_>| {
        if let Progress::Mailbox(report) = progress
            && report.state == MailboxState::Completed
        {
            let writes = volume.writes.load(Ordering::Relaxed);
            first.get_or_insert((report.name.clone(), writes));
        }
    };
    let options = options(Mode::Merge);
    let report = recover(&shared, Path::new(SOURCE), Path::new(TARGET), &options, &run, &mut watch);
    report.is_ok().then_some(())?;
    first
}

fn lying(lie: Lie, wrong: u64) -> LyingVolume {
    LyingVolume { inner: stores(), lie, wrong, writes: Arc::default() }
}

/// What a mailbox holds; none when it cannot be read.
fn mail_of(volume: &MemoryVolume, mailbox: &str) -> Option<BTreeMap<(String, String), Vec<Seen>>> {
    // What cannot be read makes this helper panic.
    catch_unwind(AssertUnwindSafe(|| seen_in(volume, TARGET, |name| name == mailbox))).ok()
}

#[test]
fn a_mailbox_is_not_complete_when_the_disk_has_lost_or_spoiled_some_of_it() {
    for path in PATHS {
        let honest = lying(Lie::Lost, 0);
        let (mailbox, writes) = first_complete(&honest, path).unwrap();
        let expected = mail_of(&honest.inner, &mailbox).unwrap();
        assert!(writes > 20 && !expected.is_empty(), "{writes} writes");
        let mut noticed = 0;
        for (lie, wrong) in [Lie::Lost, Lie::Spoiled]
            .into_iter()
            .flat_map(|lie| (1..=writes).map(move |at| (lie, at)))
        {
            let volume = lying(lie, wrong);
            match first_complete(&volume, path) {
                // Damage elsewhere, that keeps the store from being opened, cannot be overlooked.
                Some(_) if Store::open(&volume.inner, Path::new(TARGET)).is_err() => {}
                Some((name, _)) if name == mailbox => {
                    let found = mail_of(&volume.inner, &mailbox);
                    assert!(found == Some(expected.clone()), "{lie:?}, write {wrong}, {path:?}");
                }
                _ => noticed += 1,
            }
        }
        assert!(noticed > 10, "most writes hold mail, and {noticed} wrong ones were noticed");
    }
}
