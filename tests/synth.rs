//! Made stores: the same seed gives the same bytes, sizes and shapes are as asked for, and a twin has in common what it should.

#![allow(clippy::unwrap_used)] // a test program

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use assert_cmd::Command;
use dialtone::ese::check::Severity;
use dialtone::io::{MemoryVolume, Volume};
use dialtone::mapi::FileTime;
use dialtone::recover::{Counters, Mode, Options, RunOptions, recover};
use dialtone::store::check::check_store;
use dialtone::store::{Content, Form, Item, Role, Store};
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
    assert!((asked * 9 / 10..asked * 11 / 10).contains(&size), "{size}");
    assert_clean(&volume, FIRST);
    let store = Store::open(&volume, Path::new(FIRST)).unwrap();
    let view = store.view();
    let (mut items, mut mime, mut hidden, mut deleted, mut shared, mut contents) =
        (0, 0, 0, 0, 0, 0);
    let mut seen = BTreeSet::new();
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
    let ratio = share(items, contents);
    assert!((1.1..1.5).contains(&ratio), "{items} items of {contents} contents");
    assert!((0.30..0.50).contains(&share(mime, contents)), "{mime} of {contents} as MIME");
    assert!((0.05..0.17).contains(&share(shared, contents)), "{shared} of {contents} shared");
    assert!((0.002..0.03).contains(&share(hidden, items)), "{hidden} of {items} hidden");
    assert!((0.02..0.08).contains(&share(deleted, items)), "{deleted} of {items} deleted");
}

/// What a merge of the first store into its twin would do.
fn merged(volume: &MemoryVolume) -> Counters {
    let dynamic: Arc<dyn Volume> = Arc::new(volume.clone());
    let now = FileTime::from_unix_seconds(1_200_000_000);
    let options = Options::new(Mode::Merge, now.0);
    let run = RunOptions { dry_run: true, ..RunOptions::new([1; 16]) };
    let (from, to) = (Path::new(FIRST), Path::new(TWIN));
    recover(&dynamic, from, to, &options, &run, &mut |_| {}).unwrap().counters
}

/// Without other mailboxes there is no sharing, and every item of the twin has one fate.
#[test]
fn each_fate_alone_is_what_a_merge_finds_for_every_single_item() {
    let nothing = Twin { same: 0.0, moved: 0.0, edited: 0.0, new: 0.0, seed: 5 };
    let first = synth(1, 3_000_000);
    let found = |twin: Twin| {
        let volume = MemoryVolume::new();
        make(&volume, FIRST, &first);
        make(&volume, TWIN, &Synth { twin: Some(twin), ..first.clone() });
        let counters = merged(&volume);
        assert!(counters.scanned > 50, "{counters:?}");
        counters
    };
    let same = found(Twin { same: 1.0, ..nothing });
    assert_eq!(same.unchanged, same.scanned, "{same:?}");
    let moved = found(Twin { moved: 1.0, ..nothing });
    assert_eq!(moved.moved, moved.scanned, "{moved:?}");
    let edited = found(Twin { edited: 1.0, ..nothing });
    assert_eq!(edited.conflict_kept_target, edited.scanned, "{edited:?}");
    let deleted = found(nothing);
    assert_eq!(deleted.inserted, deleted.scanned, "{deleted:?}");
    let beside = found(Twin { same: 1.0, new: 1.0, ..nothing });
    assert_eq!((beside.unchanged, beside.inserted), (same.scanned, 0), "{beside:?}");
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
    let counters = merged(&volume);
    // Hidden and soft-deleted items are not counted; shared ones once a mailbox.
    let per_cent = |part: u64| 100 * part / counters.scanned;
    assert!((45..75).contains(&per_cent(counters.unchanged)), "{counters:?}");
    assert!((6..25).contains(&per_cent(counters.moved)), "{counters:?}");
    assert!((3..18).contains(&per_cent(counters.conflict_kept_target)), "{counters:?}");
    assert!((7..30).contains(&per_cent(counters.inserted)), "{counters:?}");
    assert_eq!(counters.replaced, 0, "what was edited is newer in the twin");
}

/// The role of an item's folder, the item, its content, its MIME.
type Visit<'v> = &'v mut dyn FnMut(Option<Role>, &Item, &Content, Option<Vec<u8>>);

/// Goes through the items of a store.
fn each(store: &Store, visit: Visit<'_>) {
    let view = store.view();
    for mailbox in view.mailboxes().unwrap() {
        let roles = view.roles(&mailbox).unwrap();
        for (folder, _) in view.folders(mailbox.root).unwrap().iter() {
            let role = roles.iter().find(|(_, id)| *id == folder.id).map(|(role, _)| *role);
            view.each_item(folder.id, &mut |item| {
                let item = item?;
                let content = view.content(item.instance)?.unwrap();
                visit(role, &item, &content, view.mime(&content)?);
                Ok(())
            })
            .unwrap();
        }
    }
}

#[test]
fn sizes_are_within_a_tenth_from_twenty_megabytes_on_and_small_stores_are_small() {
    let size = |mailboxes, asked, profile| {
        let volume = MemoryVolume::new();
        make(&volume, FIRST, &Synth { profile, ..synth(mailboxes, asked) });
        bytes(&volume, FIRST).iter().map(|file| file.len() as f64).sum::<f64>()
    };
    for (mailboxes, profile) in [(4, Profile::Year2003), (30, Profile::Year2010)] {
        let size = size(mailboxes, 20_000_000, profile) / 20e6;
        assert!((0.9..1.1).contains(&size), "{mailboxes} {profile:?} {size}");
    }
    // A file of each kind grows by 1 and 2 MiB.
    assert!(size(2, 2_000_000, Profile::Year2003) < 5e6);
}

#[test]
fn what_is_no_mail_lies_in_its_folder_and_mail_answers_mail() {
    let volume = MemoryVolume::new();
    make(&volume, FIRST, &synth(3, 30_000_000));
    let store = Store::open(&volume, Path::new(FIRST)).unwrap();
    let mut classes: BTreeMap<(String, Option<Role>), u32> = BTreeMap::new();
    let (mut items, mut answers, mut attached, mut flagged, mut topics) = (0, 0, 0, 0, 0);
    let (mut ids, mut answered) = (BTreeMap::new(), Vec::new());
    each(&store, &mut |role, item, content, _| {
        let mail = &content.promoted;
        items += 1;
        attached += u32::from(mail.has_attachments);
        flagged += u32::from(item.flag_status.is_some());
        let own = role.filter(|_| item.headers.class != "IPM.Note");
        *classes.entry((item.headers.class.clone(), own)).or_default() += 1;
        ids.insert(mail.message_id.clone(), mail.normalized_subject.clone());
        if !mail.in_reply_to.is_empty() {
            answers += 1;
            answered.push((mail.in_reply_to.clone(), mail.normalized_subject.clone()));
        }
    });
    for (parent, subject) in &answered {
        // A word of another character set may stand at the end of one of the two.
        let of_parent = ids.get(parent).map(String::as_str).unwrap_or_default();
        let words = |text: &str| text.split(' ').take(2).map(str::to_owned).collect::<Vec<_>>();
        topics += u32::from(words(of_parent) == words(subject));
    }
    let share = |part: u32, of: u32| f64::from(part) / f64::from(of);
    assert!((0.35..0.55).contains(&share(answers, items)), "{answers} of {items} answer");
    assert!(share(topics, answers) > 0.9, "{topics} of {answers} keep the topic");
    assert!((0.04..0.12).contains(&share(attached, items)), "{attached} of {items}");
    assert!((0.01..0.06).contains(&share(flagged, items)), "{flagged} of {items} flagged");
    for (class, role) in [
        ("IPM.Appointment", Role::Calendar),
        ("IPM.Contact", Role::Contacts),
        ("IPM.Task", Role::Tasks),
        ("IPM.StickyNote", Role::Notes),
    ] {
        assert!(classes.contains_key(&(class.to_owned(), Some(role))), "{class}: {classes:?}");
    }
    let meeting = "IPM.Schedule.Meeting.Request";
    assert!(classes.keys().any(|(class, _)| class == meeting), "{classes:?}");
}

#[test]
fn the_rare_mails_and_several_character_sets_are_there() {
    let volume = MemoryVolume::new();
    make(&volume, FIRST, &synth(3, 20_000_000));
    let store = Store::open(&volume, Path::new(FIRST)).unwrap();
    let mut seen = BTreeSet::new();
    each(&store, &mut |_, _, content, mime| {
        let Some(mime) = mime else { return };
        let end = mime.windows(4).position(|four| four == b"\r\n\r\n");
        let (head, body) = mime.split_at(end.unwrap_or(mime.len()));
        let attachments = &content.promoted.attachments;
        let has = |text: &[u8]| mime.windows(text.len()).any(|part| part == text);
        for (name, is_so) in [
            ("long headers", head.len() > 130_000),
            ("many parts", attachments.len() >= 300),
            ("no body", body.is_empty()),
            ("empty attachment", attachments.iter().any(|info| info.size_bytes == 0)),
            ("raw header", head.iter().any(|byte| *byte > 127)),
            ("default", has(b"charset=default")),
            ("unknown-8bit", has(b"charset=unknown-8bit")),
            ("chinesebig5", has(b"charset=chinesebig5")),
            ("iso-8859-1", has(b"charset=iso-8859-1")),
            ("windows-1251", has(b"charset=windows-1251")),
            ("encoded word", has(b"Subject: =?") || has(b"Subject: RE: =?")),
            ("quoted-printable", has(b"Encoding: quoted-printable")),
        ] {
            if is_so {
                seen.insert(name);
            }
        }
    });
    assert_eq!(seen.len(), 12, "{seen:?}");
}

#[test]
fn the_command_makes_a_store_that_check_accepts_and_says_what_it_made() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("made.edb");
    let run = |arguments: &[&str]| {
        let mut command = Command::cargo_bin("dialtone").unwrap();
        command.arg("--json").args(arguments).output().unwrap()
    };
    let store = path.to_str().unwrap();
    let asked = ["synth", store, "--mailboxes", "3", "--size", "6MB", "--seed", "9"];
    let twin = ["--twin", "same=80,moved=5,edited=5,new=10"];
    let output = run(&[&asked[..], &twin].concat());
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let made = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let made = made.into_iter().find(|line| line["type"] == "made").unwrap();
    assert_eq!(made["mailboxes"], 3);
    for field in ["items", "same", "deleted", "new"] {
        assert!(made[field].as_u64().unwrap() > 0, "{made}");
    }
    assert!(run(&["check", store]).status.success());
    assert!(!run(&asked).status.success(), "a store that is there is not written over");
}
