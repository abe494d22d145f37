//! A journal beside a sound database: reader and writer agree on whether it holds a commit, and a refused journal changes
//! nothing. The fuzzer cannot guess check sums, so the target puts right ones behind some inputs.
#![no_main]

#[path = "../../tests/support/mod.rs"]
mod support;

use std::path::Path;
use std::sync::{Arc, LazyLock};

use dialtone::ese::page::PageSize;
use dialtone::ese::page::Pgno;
use dialtone::ese::page::checksum;
use dialtone::ese::txn::journal::{JournalFile, JournalWriter, journal_path};
use dialtone::ese::txn::{DatabaseFile, Pager};
use dialtone::io::{MemoryVolume, OpenMode, Volume};
use libfuzzer_sys::fuzz_target;

use support::PATH;
use support::hostile::{Base, PAGE, base, exercise, volume_of};

static BASE: LazyLock<Base> = LazyLock::new(base);

fuzz_target!(|input: &[u8]| {
    let Some((choice, input)) = input.split_first() else { return };
    let journal = if choice % 2 == 0 { input.to_vec() } else { written(*choice, input) };
    let volume = volume_of(&BASE.bytes);
    volume.insert_file(journal_path(Path::new(PATH)), &journal);
    let read = DatabaseFile::open(&volume, Path::new(PATH)).map(|file| file.header().dbtime());
    let pager = Pager::open(Arc::new(volume.clone()), Path::new(PATH));
    match (read, pager.map(|pager| pager.header().dbtime())) {
        (Ok(read), Ok(written)) => assert_eq!(read, written),
        (_, Err(_)) => assert_eq!(volume.file_bytes(PATH).as_ref(), Some(&BASE.bytes)),
        (Err(error), Ok(_)) => panic!("only the reader refuses: {error}"),
    }
    volume.insert_file_again(&journal);
    if let Err(text) = exercise(&volume, &BASE.trees, usize::from(*choice)) {
        panic!("{text}");
    }
});

/// Starts over with the journal in place.
trait InsertAgain {
    fn insert_file_again(&self, journal: &[u8]);
}

impl InsertAgain for MemoryVolume {
    fn insert_file_again(&self, journal: &[u8]) {
        self.forget_events();
        self.insert_file(PATH, &BASE.bytes);
        self.insert_file(journal_path(Path::new(PATH)), journal);
    }
}

/// A well-formed journal: three bytes of place, the rest laid over the page that stands there.
fn written(choice: u8, input: &[u8]) -> Vec<u8> {
    let volume = MemoryVolume::new();
    let Ok(storage) = volume.open(Path::new("j"), OpenMode::CreateNew) else { return Vec::new() };
    let [low, high, at, laid @ ..] = input else { return Vec::new() };
    let slot = u32::from(u16::from_le_bytes([*low, *high])) % 80;
    let start = slot as usize * PAGE;
    let mut image = BASE.bytes.get(start..start + PAGE).map_or(vec![0; PAGE], <[u8]>::to_vec);
    let at = usize::from(*at) * 16;
    image[at..].iter_mut().zip(laid).for_each(|(byte, new)| *byte = *new);
    if let Some(pgno) = slot.checked_sub(1).and_then(Pgno::new) {
        checksum::stamp(&mut image, pgno);
    } else {
        let sum = checksum::legacy_xor(&image).to_le_bytes();
        image[..4].copy_from_slice(&sum);
    }
    let (sign, transaction) = (support::signature().encode(), u64::from(choice / 2));
    let mut writer = JournalWriter::start(&*storage, PageSize::KIB4, &sign, transaction, 1);
    let added = writer.add(JournalFile::Database, slot, &image);
    if added.is_err() || writer.finish().is_err() {
        return Vec::new();
    }
    volume.file_bytes("j").unwrap_or_default()
}
