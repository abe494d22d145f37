//! Made stores: the same seed gives the same bytes, sizes and shapes are as asked for, and a twin has in common what it should.

#![allow(clippy::unwrap_used)] // a test program

use std::path::Path;
use std::sync::Arc;

use dialtone::ese::check::Severity;
use dialtone::io::{MemoryVolume, Volume};
use dialtone::mapi::FileTime;
use dialtone::recover::{Mode, Options, RunOptions, recover};
use dialtone::store::check::check_store;
use dialtone::store::{Form, Store};
use dialtone::synth::{Profile, Synth, SynthReport, Twin, build};

const FIRST: &str = "/s/first.edb";
const TWIN: &str = "/s/twin.edb";

fn synth(mailboxes: u32, size_bytes: u64) -> Synth {
    Synth { mailboxes, size_bytes, seed: 11, profile: Profile::Year2003, twin: None }
}

fn make(volume: &MemoryVolume, path: &str, synth: &Synth) -> SynthReport {
    build(Arc::new(volume.clone()), Path::new(path), synth, &mut |_| {}).unwrap()
}

fn bytes(volume: &MemoryVolume, path: &str) -> [Vec<u8>; 2] {
    [path.to_owned(), path.replace(".edb", ".stm")].map(|path| volume.file_bytes(path).unwrap())
}

fn assert_clean(volume: &MemoryVolume, path: &str) {
    let mut errors = Vec::new();
    let mut sink = |finding: &dialtone::ese::check::Finding| {
        if finding.severity == Severity::Error {
            errors.push(finding.clone());
        }
    };
    dialtone::ese::check::check(volume, Path::new(path), &mut sink).unwrap();
    check_store(volume, Path::new(path), &mut sink).unwrap();
    assert!(errors.is_empty(), "{errors:#?}");
}

#[test]
fn the_same_seed_gives_the_same_files_and_another_gives_others() {
    let volume = MemoryVolume::new();
    let asked = synth(5, 3_000_000);
    make(&volume, FIRST, &asked);
    make(&volume, TWIN, &asked);
    assert!(bytes(&volume, FIRST) == bytes(&volume, TWIN));
    make(&volume, "/s/other.edb", &Synth { seed: 12, ..asked });
    assert!(bytes(&volume, FIRST) != bytes(&volume, "/s/other.edb"));
}

#[test]
fn a_store_is_sound_about_as_large_as_asked_for_and_of_the_shape_of_its_age() {
    let volume = MemoryVolume::new();
    let asked = 24_000_000;
    let report = make(&volume, FIRST, &synth(6, asked));
    let size: u64 = bytes(&volume, FIRST).iter().map(|file| file.len() as u64).sum();
    // A store this small still shows the steps in which files grow.
    assert!((asked * 8 / 10..asked * 13 / 10).contains(&size), "{size}");
    assert_clean(&volume, FIRST);
    let store = Store::open(&volume, Path::new(FIRST)).unwrap();
    let view = store.view();
    let (mut items, mut mime, mut hidden, mut deleted, mut shared, mut contents) =
        (0, 0, 0, 0, 0, 0);
    let mut seen = std::collections::BTreeSet::new();
    view.each_folder(&mut |folder| {
        view.each_item(folder?.id, &mut |item| {
            let item = item?;
            items += 1;
            hidden += usize::from(item.associated);
            deleted += usize::from(item.deleted_on.is_some());
            if seen.insert(item.instance) {
                let content = view.content(item.instance)?.unwrap();
                contents += 1;
                mime += usize::from(content.form == Form::Mime);
                shared += usize::from(content.references + content.soft_references > 1);
            }
            Ok(())
        })
    })
    .unwrap();
    assert_eq!(items as u64, report.items);
    let share = |part: usize, of: usize| part as f64 / of as f64;
    assert!((0.30..0.50).contains(&share(mime, contents)), "{mime} of {contents} as MIME");
    assert!((0.05..0.17).contains(&share(shared, contents)), "{shared} of {contents} shared");
    assert!((0.002..0.03).contains(&share(hidden, items)), "{hidden} of {items} hidden");
    assert!((0.02..0.08).contains(&share(deleted, items)), "{deleted} of {items} deleted");
}

#[test]
fn what_a_twin_has_in_common_is_what_a_merge_finds() {
    let volume = MemoryVolume::new();
    let first = synth(4, 8_000_000);
    make(&volume, FIRST, &first);
    let twin = Twin { same: 0.6, moved: 0.15, edited: 0.1, new: 0.1, seed: 3 };
    let report = make(&volume, TWIN, &Synth { twin: Some(twin), ..first });
    assert_clean(&volume, TWIN);
    let made = report.same + report.moved + report.edited + report.deleted;
    let share = |part: u64| part as f64 / made as f64;
    assert!((share(report.same) - 0.6).abs() < 0.12, "{report:?}");
    let dynamic: Arc<dyn Volume> = Arc::new(volume.clone());
    let now = FileTime::from_unix_seconds(1_200_000_000);
    let options = Options::new(Mode::Merge, now.0);
    let run = RunOptions { dry_run: true, ..RunOptions::new([1; 16]) };
    let (from, to) = (Path::new(FIRST), Path::new(TWIN));
    let found = recover(&dynamic, from, to, &options, &run, &mut |_| {}).unwrap();
    let counters = found.counters;
    // Hidden and soft-deleted items are not counted; shared ones once a mailbox.
    let per_cent = |part: u64| 100 * part / counters.scanned;
    assert!((45..75).contains(&per_cent(counters.unchanged)), "{counters:?}");
    assert!((6..25).contains(&per_cent(counters.moved)), "{counters:?}");
    assert!((3..18).contains(&per_cent(counters.conflict_kept_target)), "{counters:?}");
    assert!((7..30).contains(&per_cent(counters.inserted)), "{counters:?}");
    assert_eq!(counters.replaced, 0, "what was edited is newer in the twin");
}
