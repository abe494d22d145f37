//! Stores with bytes changed at random, checksums put right again so that nothing is caught early: every reader, the check and
//! a writer end with an answer or an error, never with a panic or without end.

#![allow(clippy::unwrap_used)] // a test program

mod store_support;
mod support;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use dialtone::ese::page::Pgno;
use dialtone::ese::page::checksum::stamp;
use dialtone::io::MemoryVolume;
use dialtone::store::check::check_store;
use dialtone::store::{Role, Store};

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
