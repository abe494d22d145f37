//! The quick ways of reading folder rows say what the plain ways say: items in short, whole pages of rows, values by name.

#![allow(clippy::unwrap_used)] // a test program

use std::path::Path;
use std::sync::Arc;

use dialtone::ese::table::database::Database;
use dialtone::io::MemoryVolume;
use dialtone::store::{Brief, Store};
use dialtone::synth::{Profile, Synth, build};

const STORE: &str = "/s/briefs.edb";

fn made() -> MemoryVolume {
    let volume = MemoryVolume::new();
    let synth = Synth {
        mailboxes: 4,
        size_bytes: 12_000_000,
        seed: 5,
        profile: Profile::Year2003,
        twin: None,
    };
    build(Arc::new(volume.clone()), Path::new(STORE), &synth, &mut |_| {}).unwrap();
    volume
}

#[test]
fn items_in_short_are_the_same_by_walk_and_one_by_one() {
    let volume = made();
    let store = Store::open(&volume, Path::new(STORE)).unwrap();
    let view = store.view();
    let mut reader = view.briefs().unwrap();
    let (mut all, mut deleted, mut hidden) = (0, 0, 0);
    let mut folders = Vec::new();
    view.each_folder(&mut |folder| {
        folders.push(folder?);
        Ok(())
    })
    .unwrap();
    // Back and forth, so that the reader has to find its way anew.
    folders.sort_by_key(|folder| (folder.id.counter.get() % 7, folder.id));
    for folder in &folders {
        let mut found: Vec<Brief> = Vec::new();
        reader
            .each(folder.id, &mut |brief| {
                found.push(brief?);
                Ok(())
            })
            .unwrap();
        assert!(found.is_sorted_by_key(|brief| brief.id));
        let live = found.iter().filter(|brief| !brief.deleted && !brief.associated).count();
        assert_eq!(live as i64, folder.counts.normal.items, "{}", folder.name);
        for brief in &found {
            assert_eq!(view.brief(brief.id).unwrap().as_ref(), Some(brief));
            all += 1;
            deleted += u32::from(brief.deleted);
            hidden += u32::from(brief.associated);
        }
    }
    assert!(
        all > 300 && deleted > 0 && hidden > 0,
        "{all} items, {deleted} deleted, {hidden} hidden"
    );
}

#[test]
fn whole_pages_give_the_rows_that_single_steps_give() {
    let volume = made();
    let database = Database::open(&volume, Path::new(STORE)).unwrap();
    for table in database.tables().filter(|table| !table.def().is_system()) {
        let mut singly = Vec::new();
        let mut rows = table.rows();
        let mut found = rows.first().unwrap();
        while found {
            let row = rows.row().unwrap().unwrap();
            singly.push((row.bookmark().to_vec(), row.bytes().to_vec(), row.pgno(), row.line()));
            found = rows.next().unwrap();
        }
        let bounds = [0, 1, singly.len() / 3, singly.len().saturating_sub(1), singly.len()];
        for (from, to) in bounds.iter().flat_map(|from| bounds.map(|to| (*from, to))) {
            let key = |at: usize| singly.get(at).map(|(key, ..)| key.as_slice());
            let mut rows = table.rows().within(key(from), key(to));
            let mut paged = Vec::new();
            let mut goes_on = rows.first().unwrap();
            while goes_on {
                goes_on = rows
                    .rest_of_page(&mut |row| {
                        let row = row?;
                        let place = (row.pgno(), row.line());
                        paged.push((
                            row.bookmark().to_vec(),
                            row.bytes().to_vec(),
                            place.0,
                            place.1,
                        ));
                        Ok(())
                    })
                    .unwrap()
                    && rows.next().unwrap();
            }
            let from = if from >= singly.len() { 0 } else { from };
            let to = if to >= singly.len() { singly.len() } else { to };
            let expected = singly.get(from..to).unwrap_or_default();
            assert!(paged == expected, "{} from {from} to {to}", table.def().name);
        }
    }
}
