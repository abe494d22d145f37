//! Does the enumeration of crash states find what it is for? A small commit protocol over two pages and a
//! journal is right in one form and wrong in several, each for the lack of one step. The states of the
//! right form must all recover; each wrong form must be caught.
#![allow(clippy::unwrap_used)] // helpers of tests, like the tests

use std::path::Path;

use dialtone::io::{MemoryVolume, OpenMode, Volume};

const PAGE: usize = 4096;
const JOURNAL: &str = "store.journal";
const STORE: &str = "store.edb";

/// A sync of the protocol that can be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sync {
    Journal,
    JournalsDirectory,
    Store,
}

const SYNCS: [Sync; 3] = [Sync::Journal, Sync::JournalsDirectory, Sync::Store];

/// A journal is both new pages and their sum, so that a torn one is seen.
fn journal_of(fill: u8) -> Vec<u8> {
    let mut bytes = vec![fill; 2 * PAGE];
    bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
    bytes
}

/// Commits pages filled with 1, then with 2, as the protocol says but without one sync.
fn commit_twice(volume: &MemoryVolume, without: Option<Sync>) {
    let is_done = |sync| Some(sync) != without;
    let store = volume.open(Path::new(STORE), OpenMode::Write).unwrap();
    let journal = volume.open(Path::new(JOURNAL), OpenMode::CreateNew).unwrap();
    if is_done(Sync::JournalsDirectory) {
        volume.sync_parent(Path::new(JOURNAL)).unwrap();
    }
    for fill in [1, 2] {
        journal.write_all_at(&journal_of(fill), 0).unwrap();
        if is_done(Sync::Journal) {
            journal.sync().unwrap();
        }
        store.write_all_at(&[fill; PAGE], 0).unwrap();
        store.write_all_at(&[fill; PAGE], PAGE as u64).unwrap();
        if is_done(Sync::Store) {
            store.sync().unwrap();
        }
        // Needs no sync of its own here: replaying a commit twice does no harm, and the next sync of
        // the journal comes before the store changes again.
        journal.set_len(0).unwrap();
    }
}

/// What an opening writer makes of a state: the store's content after a complete journal was replayed.
fn recovered(image: &MemoryVolume) -> Vec<u8> {
    let store = image.file_bytes(STORE).unwrap();
    let journal = image.file_bytes(JOURNAL).unwrap_or_default();
    match journal.split_at_checked(2 * PAGE) {
        Some((pages, sum)) if sum == crc32fast::hash(pages).to_le_bytes() => pages.to_vec(),
        _ => store,
    }
}

/// How many states were looked at, and those that mix commits or lose one that was reported done.
fn check(without: Option<Sync>) -> (usize, Vec<String>) {
    let volume = MemoryVolume::new();
    volume.insert_file(STORE, &[0; 2 * PAGE]);
    commit_twice(&volume, without);
    let (mut image_count, mut faults) = (0, Vec::new());
    let mut lowest = 0;
    for cut in 0..=volume.event_count() {
        // A commit is reported when its in-place pages are synced; here: when the journal is cut.
        let is_cut = |event: &_| matches!(event, dialtone::io::Event::SetLen { .. });
        let reported = volume.events().iter().take(cut).filter(|event| is_cut(event)).count();
        lowest = lowest.max(reported);
        for (kind, image) in volume.crash_images(cut) {
            image_count += 1;
            let content = recovered(&image);
            let is_whole = (lowest..=2).any(|fill| content == [fill as u8; 2 * PAGE]);
            if !is_whole {
                faults.push(format!("cut {cut}, {kind:?}"));
            }
        }
    }
    (image_count, faults)
}

#[test]
fn every_state_of_the_right_protocol_recovers() {
    let (image_count, faults) = check(None);
    assert!(image_count > 40, "{image_count}");
    assert_eq!(faults, [""; 0]);
}

#[test]
fn each_missing_sync_is_caught() {
    for sync in SYNCS {
        let (_, faults) = check(Some(sync));
        assert!(!faults.is_empty(), "nobody misses {sync:?}");
    }
}
