//! Two files are opened as a store only when they belong together, and a refusal changes nothing.

#![allow(clippy::unwrap_used)] // a test program

mod store_support;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use dialtone::ese::error::{EseError, Refusal};
use dialtone::io::{MemoryVolume, Volume};
use dialtone::store::{Role, Store, StoreWriter};

use store_support::{PATH, create, create_at, mime, overwrite, path, profile, promoted, reopen};

fn stm() -> PathBuf {
    Path::new(PATH).with_extension("stm")
}

/// A closed store with a mail.
fn sample() -> MemoryVolume {
    let (volume, mut writer) = create(1);
    let mailbox = writer.add_mailbox(&profile(1)).unwrap();
    add(&mut writer, 1);
    assert_eq!(mailbox.items, 0);
    writer.close().unwrap();
    volume
}

fn add(writer: &mut StoreWriter, number: u32) {
    let mailbox = writer.view().unwrap().mailboxes().unwrap().remove(0);
    let bytes = mime(number, 9000);
    let inbox = mailbox.logon_folder(Role::Inbox).unwrap();
    writer.insert_mime(inbox, &promoted(number, &bytes), &bytes).unwrap();
}

/// Both ways of opening refuse, with this reason, and leave every byte as it was.
fn refused(volume: &MemoryVolume, reason: &str) -> EseError {
    let before: Vec<_> =
        volume.paths().iter().map(|path| (path.clone(), volume.file_bytes(path))).collect();
    let reader = Store::open(volume, &path()).unwrap_err();
    let writer = StoreWriter::open(Arc::new(volume.clone()), &path()).unwrap_err();
    assert_eq!(reader.to_string(), writer.to_string());
    assert!(reader.to_string().contains(reason), "{reader}");
    let after: Vec<_> =
        volume.paths().iter().map(|path| (path.clone(), volume.file_bytes(path))).collect();
    assert!(before == after, "{reason}: a refusal changes nothing");
    reader
}

fn mismatched(volume: &MemoryVolume, reason: &str) {
    let error = refused(volume, reason);
    assert_eq!(error.refusal(), Some(Refusal::Mismatch), "{error}");
    assert!(error.to_string().contains("put back the .stm and .edb"), "the way out: {error}");
}

#[test]
fn a_missing_streaming_file_is_refused() {
    let volume = sample();
    volume.remove(&stm()).unwrap();
    mismatched(&volume, "missing");
}

#[test]
fn a_streaming_file_of_another_store_is_refused() {
    let volume = sample();
    let other = MemoryVolume::new();
    create_at(&other, PATH, 2).close().unwrap();
    overwrite(&volume, stm(), &other.file_bytes(stm()).unwrap());
    mismatched(&volume, "another database");
}

#[test]
fn files_of_different_days_are_refused_either_way() {
    let volume = sample();
    let old = [PathBuf::from(PATH), stm()].map(|path| volume.file_bytes(path).unwrap());
    let mut writer = reopen(&volume);
    add(&mut writer, 2);
    writer.close().unwrap();
    let new = [PathBuf::from(PATH), stm()].map(|path| volume.file_bytes(path).unwrap());
    overwrite(&volume, stm(), &old[1]);
    mismatched(&volume, "was closed at change");
    overwrite(&volume, stm(), &new[1]);
    overwrite(&volume, PATH, &old[0]);
    mismatched(&volume, "was closed at change");
    overwrite(&volume, stm(), &old[1]);
    reopen(&volume).close().unwrap();
}

#[test]
fn a_streaming_file_left_dirty_or_of_the_future_is_refused() {
    let volume = sample();
    let clean = [PathBuf::from(PATH), stm()].map(|path| volume.file_bytes(path).unwrap());
    let mut writer = reopen(&volume);
    add(&mut writer, 2);
    writer.commit().unwrap();
    let dirty = volume.file_bytes(stm()).unwrap();
    drop(writer);
    // The database of before the job beside the streaming file of a job that did not end.
    let fresh = MemoryVolume::new();
    fresh.insert_file(PATH, &clean[0]);
    fresh.insert_file(stm(), &dirty);
    mismatched(&fresh, "the database is clean, but");
    // The store as the interrupted job left it opens, and ends clean.
    reopen(&volume).close().unwrap();
    let store = Store::open(&volume, &path()).unwrap();
    assert_eq!(store.view().mailboxes().unwrap()[0].items, 2);
}

#[test]
fn a_streaming_file_that_was_cut_off_or_is_none_is_refused() {
    let volume = sample();
    let whole = volume.file_bytes(stm()).unwrap();
    for len_bytes in [8192, 8192 + 4096, whole.len() - 1] {
        overwrite(&volume, stm(), &whole[..len_bytes]);
        refused(&volume, "cut off");
    }
    for len_bytes in [0, 100, 4095] {
        overwrite(&volume, stm(), &whole[..len_bytes]);
        refused(&volume, "priv1.stm");
    }
    overwrite(&volume, stm(), &volume.file_bytes(PATH).unwrap());
    mismatched(&volume, "not a streaming file");
    // A longer one is what a crash leaves: what is beyond the recorded end is cut off.
    let mut longer = whole.clone();
    longer.resize(whole.len() + 100_000, 7);
    overwrite(&volume, stm(), &longer);
    reopen(&volume).close().unwrap();
    assert_eq!(volume.len_bytes(stm()), Some(whole.len() as u64));
}

#[test]
fn one_readable_copy_of_the_header_is_enough() {
    for offset_bytes in [0, 4096] {
        let volume = sample();
        let mut bytes = volume.file_bytes(stm()).unwrap();
        bytes[offset_bytes + 30] ^= 1;
        overwrite(&volume, stm(), &bytes);
        reopen(&volume).close().unwrap();
        let healed = volume.file_bytes(stm()).unwrap();
        assert_eq!(healed[..4096], healed[4096..8192]);
    }
}

#[test]
fn a_database_that_is_no_store_is_refused() {
    use dialtone::ese::page::header::{LogTime, Signature};
    use dialtone::ese::table::write::{DatabaseWriter, NewDatabase};
    let volume = MemoryVolume::new();
    let sign_db = Signature { random: 1, created: LogTime::NEVER, computer: [0; 16] };
    let new = NewDatabase { sign_db, sign_slv: Signature::NONE };
    let dynamic: Arc<dyn Volume> = Arc::new(volume.clone());
    DatabaseWriter::create(dynamic, &path(), &new).unwrap().close().unwrap();
    let error = refused(&volume, "not a mailbox store");
    assert_eq!(error.refusal(), Some(Refusal::Mismatch));
}

#[test]
fn one_writer_at_a_time() {
    let volume = sample();
    let writer = reopen(&volume);
    let second = StoreWriter::open(Arc::new(volume.clone()), &path()).unwrap_err();
    assert!(matches!(second, EseError::Io(dialtone::io::IoError::Locked { .. })), "{second}");
    writer.close().unwrap();
    reopen(&volume).close().unwrap();
}
