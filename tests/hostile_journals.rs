//! Journals with wrong bytes: a damaged one is a commit that did not happen, a well-formed one that makes no sense is
//! refused before a byte of the database changes. Never a panic, and no memory for what a header merely claims.
#![allow(clippy::unwrap_used)] // helpers of tests, like the tests

mod support;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use dialtone::ese::EseError;
use dialtone::ese::error::Refusal;
use dialtone::ese::page::{PageSize, Pgno};
use dialtone::ese::txn::journal::{JournalFile, JournalWriter, journal_path};
use dialtone::ese::txn::{DatabaseFile, Pager};
use dialtone::io::{Event, MemoryVolume, OpenMode, Volume};

use support::PATH;
use support::hostile::{Base, PAGE, base, exercise, page_mut, volume_of};

const RECORD: usize = PAGE + 12;

fn journal() -> PathBuf {
    journal_path(Path::new(PATH))
}

/// A database that was cut off between journal and pages in place, and what its journal holds.
struct Interrupted {
    base: Base,
    journal: Vec<u8>,
    dbtime: u64,
}

fn interrupted() -> Interrupted {
    let base = base();
    let volume = volume_of(&base.bytes);
    let mut forest = support::reopen(&(Arc::new(volume.clone()) as Arc<dyn Volume>));
    for tree in &base.trees {
        forest.insert(tree, b"journaled\0", b"entry").unwrap();
    }
    forest.commit().unwrap();
    let dbtime = forest.pager().header().dbtime().0;
    // The last thing before the pages are put in place.
    let is_journaled =
        |event: &Event| matches!(event, Event::Sync { path, .. } if *path == journal());
    let cut = volume.events().iter().rposition(is_journaled).unwrap() + 1;
    let (_, image) = volume.crash_images(cut).next().unwrap();
    let bytes = image.file_bytes(PATH).unwrap();
    let journal = image.file_bytes(journal()).unwrap();
    assert!(journal.len() > 4 * RECORD, "{} bytes of journal", journal.len());
    Interrupted { base: Base { bytes, ..base }, journal, dbtime }
}

impl Interrupted {
    fn volume(&self, journal_bytes: &[u8]) -> MemoryVolume {
        let volume = volume_of(&self.base.bytes);
        volume.insert_file(journal(), journal_bytes);
        volume
    }

    /// The dbtime that a reader and then a writer see, or an error.
    fn open_both(&self, journal_bytes: &[u8]) -> Result<u64, EseError> {
        let volume = self.volume(journal_bytes);
        let reader = DatabaseFile::open(&volume, Path::new(PATH));
        let read = reader.map(|file| file.header().dbtime().0);
        let written = Pager::open(Arc::new(volume.clone()), Path::new(PATH));
        let written = written.map(|pager| pager.header().dbtime().0);
        if written.is_err() {
            assert_eq!(volume.file_bytes(PATH).unwrap(), self.base.bytes, "refused, but changed");
        }
        match (read, written) {
            (Ok(read), Ok(written)) => {
                assert_eq!(read, written, "P7");
                Ok(read)
            }
            (Err(_), Err(error)) => Err(error),
            (read, written) => panic!("reader {read:?}, writer {written:?}"),
        }
    }
}

#[test]
fn a_journal_with_a_wrong_byte_is_a_commit_that_did_not_happen() {
    let interrupted = interrupted();
    assert_eq!(interrupted.open_both(&interrupted.journal).unwrap(), interrupted.dbtime);
    let length = interrupted.journal.len();
    let heads = (0..length).filter(|at| *at < 64 || (*at - 64) % RECORD < 10 || *at >= length - 24);
    let bodies = (0..length).step_by(1031);
    for at in heads.chain(bodies) {
        for wrong in [1u8, 0x80, 0xff] {
            let mut journal = interrupted.journal.clone();
            journal[at] ^= wrong;
            let dbtime = interrupted.open_both(&journal).unwrap();
            assert_eq!(dbtime, interrupted.dbtime - 1, "P7: byte {at} ^ {wrong}");
        }
    }
}

#[test]
fn a_journal_may_end_anywhere_or_go_on_with_stale_bytes() {
    let interrupted = interrupted();
    let length = interrupted.journal.len();
    for end in (0..length).step_by(509).chain([63, 64, 65, 87, 88, length - 24, length - 1]) {
        let dbtime = interrupted.open_both(&interrupted.journal[..end]).unwrap();
        assert_eq!(dbtime, interrupted.dbtime - 1, "P7: {end} bytes");
    }
    let longer = [interrupted.journal.as_slice(), &[0xee; 9000]].concat();
    assert_eq!(interrupted.open_both(&longer).unwrap(), interrupted.dbtime);
}

/// Puts the right check sum behind the changed header of a journal.
fn with_header(journal: &[u8], change: impl FnOnce(&mut [u8])) -> Vec<u8> {
    let mut journal = journal.to_vec();
    change(&mut journal[..60]);
    let crc = crc32fast::hash(&journal[..60]).to_le_bytes();
    journal[60..64].copy_from_slice(&crc);
    journal
}

#[test]
fn giant_counts_and_sizes_are_not_believed() {
    let interrupted = interrupted();
    for count in [0u32, 1, 1 << 20, u32::MAX, u32::MAX / RECORD as u32] {
        let journal = with_header(&interrupted.journal, |header| {
            header[48..52].copy_from_slice(&count.to_le_bytes());
        });
        let dbtime = interrupted.open_both(&journal).unwrap();
        assert_eq!(dbtime, interrupted.dbtime - 1, "{count} records");
    }
    for size in [0u32, 1, 2048, 8192, u32::MAX] {
        let journal = with_header(&interrupted.journal, |header| {
            header[8..12].copy_from_slice(&size.to_le_bytes());
        });
        let dbtime = interrupted.open_both(&journal).unwrap();
        assert_eq!(dbtime, interrupted.dbtime - 1, "pages of {size} bytes");
    }
}

/// File, slot and bytes of one image.
type Image = (JournalFile, u32, Vec<u8>);

/// A well-formed journal with the given images.
fn written(signature: [u8; 28], transaction: u64, images: &[Image]) -> Vec<u8> {
    let volume = MemoryVolume::new();
    let storage = volume.open(Path::new("j"), OpenMode::CreateNew).unwrap();
    let count = images.len() as u32;
    let mut writer =
        JournalWriter::start(&*storage, PageSize::KIB4, &signature, transaction, count);
    for (file, slot, image) in images {
        writer.add(*file, *slot, image).unwrap();
    }
    writer.finish().unwrap();
    volume.file_bytes("j").unwrap()
}

#[test]
fn a_well_formed_journal_that_makes_no_sense_is_refused() {
    let interrupted = interrupted();
    let mut bytes = interrupted.base.bytes.clone();
    let header = bytes[..PAGE].to_vec();
    let page = page_mut(&mut bytes, Pgno::fixed(4)).to_vec();
    let (sign, dbtime) = (support::signature().encode(), interrupted.dbtime);
    let database = JournalFile::Database;
    let cases: [(&str, Vec<Image>); 7] = [
        ("a page past the end of the file", vec![(database, 5000, page.clone())]),
        ("the last page there can be", vec![(database, u32::MAX, page.clone())]),
        ("a page for another place", vec![(database, 9, page.clone())]),
        ("a page of zeros", vec![(database, 5, vec![0; PAGE])]),
        ("a header of zeros", vec![(database, 0, vec![0; PAGE])]),
        ("a page as header", vec![(database, 1, page.clone())]),
        ("the second image wrong", vec![(database, 5, page.clone()), (database, 9, page.clone())]),
    ];
    for (what, images) in cases {
        let result = interrupted.open_both(&written(sign, dbtime, &images));
        assert!(matches!(result, Err(EseError::Corrupt { .. })), "{what}: {result:?}");
    }
    let sound = vec![(database, 5, page.clone()), (JournalFile::Stream, 77, page.clone())];
    assert_eq!(interrupted.open_both(&written(sign, dbtime, &sound)).unwrap(), dbtime - 1);
    let refused = |result: Result<u64, EseError>| result.unwrap_err().refusal();
    let mismatch = Some(Refusal::Mismatch);
    let older = interrupted.open_both(&written(sign, dbtime - 2, &sound));
    assert_eq!(refused(older), mismatch, "a journal older than the database");
    let foreign = interrupted.open_both(&written([1; 28], dbtime, &sound));
    assert_eq!(refused(foreign), mismatch, "the journal of another database");
    // A header that this program could not go on writing.
    let mut newer = header;
    newer[232] = 0x20;
    let sum = dialtone::ese::page::checksum::legacy_xor(&newer).to_le_bytes();
    newer[..4].copy_from_slice(&sum);
    let volume = interrupted.volume(&written(sign, dbtime, &[(database, 0, newer)]));
    let result = Pager::open(Arc::new(volume), Path::new(PATH)).map(drop);
    assert_eq!(result.unwrap_err().refusal(), Some(Refusal::Version));
}

#[test]
fn a_hostile_page_out_of_a_journal_is_no_danger() {
    let interrupted = interrupted();
    let sign = support::signature().encode();
    for (number, (pgno, _)) in interrupted.base.used_pages().into_iter().enumerate() {
        let mut bytes = interrupted.base.bytes.clone();
        for offset in [17, 21, 24, 33, 35, 36, 45, 4090, 4093] {
            let page = page_mut(&mut bytes, pgno);
            page[offset] ^= 0x41;
            support::hostile::restamp(&mut bytes, pgno);
            let image = page_mut(&mut bytes, pgno).to_vec();
            let images = [(JournalFile::Database, pgno.get() + 1, image)];
            let volume = interrupted.volume(&written(sign, interrupted.dbtime, &images));
            exercise(&volume, &interrupted.base.trees, number + offset).unwrap();
        }
    }
}
