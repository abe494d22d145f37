//! How a job is run: room on the disk, a copy to recover into, going on with a job, the strong comparison, a source that was not closed.

#![allow(clippy::unwrap_used)] // a test program

mod recover_stage;
mod recover_support;
mod store_support;

use std::path::Path;
use std::sync::Arc;

use dialtone::ese::error::{EseError, EseResult, Refusal};
use dialtone::io::{IoResult, MemoryVolume, OpenMode, Storage, Volume, WriterLock};
use dialtone::recover::{JobReport, MailboxState, Options, RunOptions, recover, recover_into_copy};
use dialtone::store::{Store, StoreWriter};

use recover_stage::{PATHS, merge, ours, theirs};
use recover_support::{SOURCE, TARGET, Two, assert_clean, mail, seen, volume_bytes};
use store_support::{NOW, profile};

const COPY: &str = "/s/copy.edb";

/// Memory that says how much room it has.
#[derive(Debug, Clone)]
struct Small {
    inner: MemoryVolume,
    free_bytes: u64,
}

impl Volume for Small {
    fn open(&self, path: &Path, mode: OpenMode) -> IoResult<Arc<dyn Storage>> {
        self.inner.open(path, mode)
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
    fn free_bytes(&self, _path: &Path) -> IoResult<Option<u64>> {
        Ok(Some(self.free_bytes))
    }
    fn lock_writer(&self, path: &Path) -> IoResult<WriterLock> {
        self.inner.lock_writer(path)
    }
}

fn stores() -> MemoryVolume {
    let mut two = Two::new();
    two.source.add_mailbox(&profile(2)).unwrap();
    two.target.add_mailbox(&profile(2)).unwrap();
    let mut hand = ours(&mut two);
    for number in 0..20 {
        hand.put("#inbox#", number);
    }
    hand.mailbox = hand.writer.view().unwrap().mailboxes().unwrap().remove(1);
    for number in 20..25 {
        hand.put("#inbox#", number);
    }
    theirs(&mut two).put("#inbox#", 1);
    two.close()
}

fn job(volume: Arc<dyn Volume>, options: &Options, run: &RunOptions) -> EseResult<JobReport> {
    recover(&volume, Path::new(SOURCE), Path::new(TARGET), options, run, &mut |_| {})
}

fn everything(volume: &MemoryVolume) -> Vec<(std::path::PathBuf, Option<Vec<u8>>)> {
    volume.paths().into_iter().map(|path| (path.clone(), volume.file_bytes(&path))).collect()
}

fn refused(result: EseResult<JobReport>, refusal: Refusal) -> EseError {
    let error = result.unwrap_err();
    assert_eq!(error.refusal(), Some(refusal), "{error}");
    error
}

#[test]
fn a_disk_without_room_is_found_out_before_the_first_write() {
    let volume = stores();
    let before = everything(&volume);
    let small = |free_bytes| Arc::new(Small { inner: volume.clone(), free_bytes });
    let run = RunOptions::new([1; 16]);
    let error = refused(job(small(50_000), &merge(), &run), Refusal::Space);
    assert!(error.to_string().contains("50000 are free"), "{error}");
    assert!(before == everything(&volume), "a refusal changes nothing");
    // About 100 KB are missing, though the source's files are larger than what is free.
    let files: u64 = volume_bytes(&volume, SOURCE).iter().map(|bytes| bytes.len() as u64).sum();
    assert!(files > 300_000, "{files}");
    job(small(300_000), &merge(), &run).unwrap();
    // Now nothing is missing, and nothing is needed.
    assert_eq!(job(small(0), &merge(), &run).unwrap().counters.inserted, 0);
}

#[test]
fn a_copy_of_the_target_takes_the_mail_and_the_target_stays() {
    for path in PATHS {
        let volume = stores();
        let dynamic: Arc<dyn Volume> = Arc::new(volume.clone());
        let before = everything(&volume);
        let paths = (Path::new(SOURCE), Path::new(TARGET), Path::new(COPY));
        let run = RunOptions { path, ..RunOptions::new([1; 16]) };
        let dry = RunOptions { dry_run: true, ..run };
        let plan = recover_into_copy(&dynamic, paths, &merge(), &dry, &mut |_| {}).unwrap();
        assert!(before == everything(&volume), "{path:?}: a dry run makes no copy");
        let report = recover_into_copy(&dynamic, paths, &merge(), &run, &mut |_| {}).unwrap();
        assert_eq!((report.counters.inserted, plan.counters), (24, report.counters));
        for (name, bytes) in &before {
            assert!(volume.file_bytes(name) == *bytes, "{path:?}: {} changed", name.display());
        }
        assert_clean(&volume, COPY);
        let found = seen(&volume, COPY);
        run_plainly(&volume);
        assert!(found == seen(&volume, TARGET), "{path:?}");
        assert_eq!(volume.paths().len(), 6, "{:?}", volume.paths());
        // Nothing is written over.
        let again = recover_into_copy(&dynamic, paths, &merge(), &run, &mut |_| {});
        refused(again, Refusal::BadRequest);
    }
}

fn run_plainly(volume: &MemoryVolume) {
    job(Arc::new(volume.clone()), &merge(), &RunOptions::new([1; 16])).unwrap();
}

#[test]
fn a_copy_cut_off_anywhere_leaves_a_whole_store_under_its_name_or_none() {
    let volume = stores();
    volume.forget_events();
    let paths = (Path::new(SOURCE), Path::new(TARGET), Path::new(COPY));
    let dynamic: Arc<dyn Volume> = Arc::new(volume.clone());
    dialtone::recover::out::copy_store(&dynamic, paths.1, paths.2).unwrap();
    let (mut images, mut made) = (0, 0);
    for cut in 0..=volume.event_count() {
        for (kind, image) in volume.crash_images(cut) {
            images += 1;
            let dynamic: Arc<dyn Volume> = Arc::new(image.clone());
            if image.exists(Path::new(COPY)).unwrap() {
                made += 1;
                assert_clean(&image, COPY);
            } else {
                let again = dialtone::recover::out::copy_store(&dynamic, paths.1, paths.2);
                again.unwrap_or_else(|error| panic!("cut {cut}, {kind:?}: {error}"));
                assert_clean(&image, COPY);
            }
        }
    }
    assert!(images > 20 && made > 0, "{images}, {made}");
}

#[test]
fn a_job_goes_on_behind_the_mailboxes_that_it_completed() {
    for path in PATHS {
        let volume = stores();
        let run = RunOptions { path, resume: true, ..RunOptions::new([9; 16]) };
        let mut only = merge();
        only.mailboxes.only = vec!["User 2".into()];
        let first = job(Arc::new(volume.clone()), &only, &run).unwrap();
        assert_eq!((first.counters.inserted, first.done_before), (5, 0));
        let rows = Store::open(&volume, Path::new(TARGET)).unwrap().view().jobs().unwrap();
        let states: Vec<_> = rows.iter().map(|row| (row.job, row.state)).collect();
        assert_eq!(states, [([9; 16], MailboxState::Completed.number())], "{path:?}");
        assert!(rows[0].ended.is_some());
        let second = job(Arc::new(volume.clone()), &merge(), &run).unwrap();
        assert_eq!((second.counters.inserted, second.done_before), (19, 1), "{path:?}");
        assert_eq!(second.mailboxes.len(), 1);
        // Another job looks at all of them.
        let other = RunOptions::new([8; 16]);
        let third = job(Arc::new(volume.clone()), &merge(), &other).unwrap();
        assert_eq!((third.mailboxes.len(), third.counters.unchanged), (2, 25));
    }
}

#[test]
fn contents_can_be_compared_by_a_strong_hash() {
    for path in PATHS {
        let volume = stores();
        let run = RunOptions { path, verify_full: true, ..RunOptions::new([1; 16]) };
        let report = job(Arc::new(volume.clone()), &merge(), &run).unwrap();
        assert_eq!((report.verified, report.failed()), (24, 0), "{path:?}");
    }
}

#[test]
fn the_size_of_a_mailbox_is_told_before_and_after_and_held_against_its_quota() {
    for path in PATHS {
        let mut two = Two::new();
        let mut profile = profile(3);
        profile.quotas.warning_kb = Some(20);
        two.ours = two.source.add_mailbox(&profile).unwrap();
        two.theirs = two.target.add_mailbox(&profile).unwrap();
        theirs(&mut two).put("#inbox#", 1);
        for number in 1..9 {
            ours(&mut two).put("#inbox#", number);
        }
        let volume = two.close();
        let run = RunOptions { path, ..RunOptions::new([1; 16]) };
        let report = job(Arc::new(volume.clone()), &merge(), &run).unwrap();
        let mailbox = report.mailboxes.iter().find(|mailbox| mailbox.name == "User 3").unwrap();
        let store = Store::open(&volume, Path::new(TARGET)).unwrap();
        let after = store.view().mailbox(profile.guid).unwrap().unwrap().bytes;
        assert_eq!(mailbox.bytes_after, Some(after), "{path:?}");
        assert_eq!(mailbox.bytes_before + mailbox.write_bytes as i64, after);
        assert_eq!(mailbox.is_over_quota(), after > 20 * 1024);
        assert!(mailbox.is_over_quota(), "{after}");
    }
}

/// A source whose writer stopped in the middle of a commit: its journal is complete, its pages are not in place.
fn interrupted() -> (MemoryVolume, usize) {
    let mut two = Two::new();
    ours(&mut two).put("#inbox#", 1);
    let volume = two.close();
    volume.forget_events();
    let mut writer = StoreWriter::open(Arc::new(volume.clone()), Path::new(SOURCE)).unwrap();
    writer.set_now(NOW);
    let mailbox = writer.view().unwrap().mailboxes().unwrap().remove(0);
    let inbox = writer.view().unwrap().folder_at(&mailbox, "#inbox#").unwrap().id;
    let (promoted, bytes) = mail(2);
    writer.insert_mime(inbox, &promoted, &bytes).unwrap();
    writer.commit().unwrap();
    let committed = volume.event_count();
    drop(writer);
    // The first image that says two mails through its journal, and is not clean.
    for cut in (0..=committed).rev() {
        for (_, image) in volume.crash_images(cut) {
            let Ok(store) = Store::open(&image, Path::new(SOURCE)) else { continue };
            let mailbox = store.view().mailboxes().unwrap().remove(0);
            if mailbox.items == 2 && image.paths().iter().any(|p| p.ends_with("old.edb.journal")) {
                return (image, cut);
            }
        }
    }
    panic!("no image with a complete journal")
}

#[test]
fn case_29_a_source_that_was_not_closed_is_refused_or_read_through_its_journal() {
    for path in PATHS {
        let (volume, _) = interrupted();
        let mut source = everything(&volume);
        source.retain(|(path, _)| path.to_string_lossy().contains("old"));
        let run = RunOptions { path, ..RunOptions::new([1; 16]) };
        let error = refused(job(Arc::new(volume.clone()), &merge(), &run), Refusal::Dirty);
        assert!(error.to_string().contains("--dirty replay"), "{error}");
        let replay = RunOptions { replay_source: true, ..run };
        let report = job(Arc::new(volume.clone()), &merge(), &replay).unwrap();
        assert_eq!(report.counters.inserted, 2, "{path:?}: the committed content");
        for (name, bytes) in &source {
            assert!(volume.file_bytes(name) == *bytes, "{path:?}: {} changed", name.display());
        }
        // Without the journal nothing can be read.
        let (volume, _) = interrupted();
        volume.remove(Path::new("/s/old.edb.journal")).unwrap();
        let result = job(Arc::new(volume), &merge(), &replay);
        refused(result, Refusal::Dirty);
    }
}
