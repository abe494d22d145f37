//! A whole database, read and written in every way. The input is either a file, or a list of changes to a small sound
//! database, after which the checksums are put right.
#![no_main]

#[path = "../../tests/support/mod.rs"]
mod support;

use std::sync::LazyLock;

use dialtone::ese::page::Pgno;
use libfuzzer_sys::fuzz_target;

use support::hostile::{Base, PAGE, base, exercise, page_mut, restamp, volume_of};

static BASE: LazyLock<Base> = LazyLock::new(base);

fuzz_target!(|input: &[u8]| {
    let Some((choice, input)) = input.split_first() else { return };
    let variant = usize::from(choice >> 1);
    let bytes = if choice % 2 == 0 { input.to_vec() } else { changed(input) };
    if let Err(text) = exercise(&volume_of(&bytes), &BASE.trees, variant) {
        panic!("{text}");
    }
});

/// Four bytes a change: page, offset (two), value.
fn changed(input: &[u8]) -> Vec<u8> {
    let mut bytes = BASE.bytes.clone();
    for change in input.chunks_exact(4) {
        let pgno = Pgno::fixed(u32::from(change[0]) % 64 + 1);
        let offset = usize::from(u16::from_le_bytes([change[1], change[2]])) % PAGE;
        page_mut(&mut bytes, pgno)[offset] = change[3];
        restamp(&mut bytes, pgno);
    }
    bytes
}
