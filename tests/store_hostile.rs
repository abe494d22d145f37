//! Stores with bytes changed at random, checksums put right again so that nothing is caught early: every reader, the check and
//! a writer end with an answer or an error, never with a panic or without end.

#![allow(clippy::unwrap_used)] // a test program

mod store_support;
mod support;

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use dialtone::ese::EseError;
use dialtone::ese::page::Pgno;
use dialtone::ese::page::checksum::stamp;
use dialtone::ese::table::database::Database;
use dialtone::io::MemoryVolume;
use dialtone::store::check::check_store;
use dialtone::store::{FolderBrief, Role, Store};

use support::random::{Random, Slice};

use store_support::{
    PATH, create, mapi, mime, overwrite, path, profile, promoted, read_all, write_some,
};

const CASES: u64 = 250;

fn sample() -> (Vec<u8>, Vec<u8>) {
    let (volume, mut writer) = create(1);
    for number in 1..=2 {
        let mailbox = writer.add_mailbox(&profile(number)).unwrap();
        let inbox = mailbox.logon_folder(Role::Inbox).unwrap();
        let sub = writer.ensure_folder(&mailbox, "A/B/C").unwrap().id;
        for mail in 1..6 {
            let bytes = mime(mail, 3000 * mail as usize);
            let id = writer.insert_mime(inbox, &promoted(mail, &bytes), &bytes).unwrap();
            writer.copy_item(id, sub).unwrap();
        }
        writer.insert_mapi(sub, &mapi(9, 9000, true)).unwrap();
    }
    writer.close().unwrap();
    let stm = Path::new(PATH).with_extension("stm");
    (volume.file_bytes(PATH).unwrap(), volume.file_bytes(stm).unwrap())
}

/// Changes some bytes of some pages; the pages stay sound to their checksums.
fn damage(edb: &mut [u8], dice: &mut Random) {
    let pages = edb.len() / 4096 - 2;
    for _ in 0..1 + dice.below(16) {
        // Pages with content come first.
        let number = 1 + dice.below(pages) as u32;
        let start = (number as usize + 1) * 4096;
        let page = &mut edb[start..start + 4096];
        if page.iter().all(|byte| *byte == 0) {
            continue;
        }
        for _ in 0..1 + dice.below(6) {
            let at = 40 + dice.below(4056);
            let interesting = [0, 1, 0x7f, 0x80, 0xff, dice.below(256) as u8];
            page[at] = interesting[dice.below(interesting.len())];
        }
        stamp(page, Pgno::new(number).unwrap());
    }
}

#[test]
fn no_bytes_make_a_reader_the_check_or_a_writer_panic() {
    let (edb, stm) = sample();
    let seed = Slice::of_this_run("damaged stores").seed();
    let mut dice = Random::new(seed);
    let (mut opened, mut wrote) = (0, 0);
    for case in 0..CASES {
        let mut bytes = edb.clone();
        damage(&mut bytes, &mut dice);
        let volume = MemoryVolume::new();
        overwrite(&volume, PATH, &bytes);
        overwrite(&volume, Path::new(PATH).with_extension("stm"), &stm);
        let look = AssertUnwindSafe(|| {
            if let Ok(store) = Store::open(&volume, &path()) {
                opened += 1;
                let _ = read_all(&store);
            }
            let _ = check_store(&volume, &path(), &mut |_| {});
            wrote += usize::from(write_some(&volume).is_ok());
        });
        assert!(catch_unwind(look).is_ok(), "case {case} of seed {seed} panicked");
    }
    println!("{opened} of {CASES} opened, {wrote} written");
    assert!(opened > 50 && wrote > 10, "{opened}, {wrote}");
}

/// Where the records of a table's rows stand in the file, with the tree's order kept.
fn records_of(edb: &[u8], table: &str) -> Vec<(Pgno, Range<usize>)> {
    let volume = MemoryVolume::new();
    overwrite(&volume, PATH, edb);
    let database = Database::open(&volume, Path::new(PATH)).unwrap();
    let mut rows = database.table(table).unwrap().rows();
    let (mut found, mut has_row) = (Vec::new(), rows.first().unwrap());
    while has_row {
        let row = rows.row().unwrap().unwrap();
        let start = (row.pgno().get() as usize + 1) * 4096;
        let page = &edb[start..start + 4096];
        let at = page.windows(row.bytes().len()).position(|bytes| bytes == row.bytes());
        let at = start + at.unwrap();
        found.push((row.pgno(), at..at + row.bytes().len()));
        has_row = rows.next().unwrap();
    }
    found
}

/// Opens the store with some bytes of one record changed, again and again.
fn with_damaged_records(table: &str, dice: &mut Random, look: &mut dyn FnMut(&Store)) {
    let (edb, stm) = sample();
    let records = records_of(&edb, table);
    for _ in 0..CASES * 2 {
        let (pgno, record) = &records[dice.below(records.len())];
        let mut bytes = edb.clone();
        for _ in 0..1 + dice.below(3) {
            let at = record.start + dice.below(record.len());
            let interesting = [0, 1, 0x7f, 0x80, 0xff, dice.below(256) as u8];
            bytes[at] = interesting[dice.below(interesting.len())];
        }
        let start = (pgno.get() as usize + 1) * 4096;
        stamp(&mut bytes[start..start + 4096], *pgno);
        let volume = MemoryVolume::new();
        overwrite(&volume, PATH, &bytes);
        overwrite(&volume, Path::new(PATH).with_extension("stm"), &stm);
        look(&Store::open(&volume, &path()).unwrap());
    }
}

#[test]
fn a_damaged_folder_is_the_same_in_short_and_whole() {
    let mut dice = Random::new(Slice::of_this_run("damaged folder rows").seed());
    let (mut broken, mut sound) = (0, 0);
    with_damaged_records("Folders", &mut dice, &mut |store| {
        let view = store.view();
        for mailbox in view.mailboxes().unwrap() {
            let (mut lost, mut lost_in_short) = (Vec::new(), Vec::new());
            let whole = view.folders_readable(mailbox.root, &mut lost).unwrap();
            let short = view.folder_briefs(mailbox.root, &mut lost_in_short).unwrap();
            let told = |errors: &[EseError]| errors.iter().map(EseError::to_string).collect();
            let [lost, lost_in_short]: [Vec<String>; 2] = [told(&lost), told(&lost_in_short)];
            assert_eq!(lost, lost_in_short);
            broken += lost.len();
            sound += whole.iter().count();
            let whole = whole.iter().map(|(folder, depth)| (folder.clone().into(), depth));
            let whole: Vec<(FolderBrief, usize)> = whole.collect();
            let short: Vec<_> =
                short.iter().map(|(folder, depth)| (folder.clone(), depth)).collect();
            assert_eq!(whole, short);
        }
    });
    assert!(broken > 20 && sound > 2000, "{broken} broken, {sound} sound");
}
