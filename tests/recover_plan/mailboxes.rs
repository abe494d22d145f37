//! The acceptance cases about mailboxes: GUID, owner, map, names, what is left.

use dialtone::ese::error::Refusal;
use dialtone::ese::page::Pgno;
use dialtone::ese::page::checksum::stamp;
use dialtone::io::MemoryVolume;
use dialtone::mapi::{Guid, MailboxGuid};
use dialtone::recover::{
    FolderTarget, MailboxMatch, Mode, Options, SkipReason, WritePath, match_mailboxes,
};
use dialtone::store::{MailboxProfile, StoreWriter};

use crate::recover_support::{SOURCE, TARGET, options, run, seen};
use crate::store_support::{create_at, overwrite, profile};
use crate::world::{Side, matches, open, plan, set};

fn guid(number: u8) -> MailboxGuid {
    MailboxGuid(Guid([number; 16]))
}

fn named(number: u8, name: &str, dn: &str) -> MailboxProfile {
    let mut profile = profile(number);
    (profile.name, profile.dn) = (name.into(), dn.into());
    profile
}

fn stores(ours: &[MailboxProfile], theirs: &[MailboxProfile]) -> MemoryVolume {
    let volume = MemoryVolume::new();
    for (path, seed, mailboxes) in [(SOURCE, 1, ours), (TARGET, 2, theirs)] {
        let mut writer = create_at(&volume, path, seed);
        mailboxes.iter().for_each(|profile| drop(writer.add_mailbox(profile).unwrap()));
        writer.close().unwrap();
    }
    volume
}

fn merge(change: impl FnOnce(&mut Options)) -> Options {
    let mut options = options(Mode::Merge);
    change(&mut options);
    options
}

/// Who goes where, and who is skipped.
fn told(volume: &MemoryVolume, options: &Options) -> (Vec<String>, Vec<(String, SkipReason)>) {
    let found = matches(volume, options);
    let mut pairs: Vec<_> = found
        .pairs
        .iter()
        .map(|pair| {
            let target = pair.target.as_ref().map_or("new".into(), |m| m.profile.name.clone());
            format!("{} -> {target} {:?}", pair.source.profile.name, pair.matched)
        })
        .collect();
    pairs.sort();
    let skipped = found.skipped.into_iter().map(|skipped| (skipped.name, skipped.reason));
    (pairs, skipped.collect())
}

#[test]
fn a_guid_matches_and_so_does_an_owner_that_is_unique_in_both() {
    let ours = [named(1, "Ann", "/cn=ann"), named(2, "Bob", "/cn=bob"), named(3, "Cid", "/cn=cid")];
    let theirs =
        [named(1, "Ann too", "/cn=x"), named(9, "Bob too", "/CN=BOB"), named(8, "C", "/cn=cid")];
    let volume = stores(&ours, &theirs);
    let (pairs, skipped) = told(&volume, &merge(|_| {}));
    assert_eq!(pairs, ["Ann -> Ann too Guid", "Bob -> Bob too ByDn", "Cid -> C ByDn"]);
    assert_eq!(skipped, []);
    let (pairs, skipped) = told(&volume, &merge(|options| options.mailboxes.by_guid_only = true));
    assert_eq!((pairs.len(), skipped.len()), (1, 2));
}

#[test]
fn an_owner_of_two_mailboxes_matches_nobody() {
    let twice = [named(5, "A", "/cn=a"), named(6, "B", "/cn=a")];
    let once = [named(1, "Ann", "/cn=a")];
    for (ours, theirs) in [(&once[..], &twice[..]), (&twice[..], &once[..])] {
        let (pairs, _) = told(&stores(ours, theirs), &merge(|_| {}));
        assert_eq!(pairs, [] as [&str; 0]);
    }
    // A mailbox that has its own counterpart by GUID is nobody else's, whatever owner it names.
    let ours = [named(1, "Ann", "/cn=a"), named(2, "Bob", "")];
    let theirs = [named(2, "Bob", "/cn=a")];
    let (pairs, skipped) = told(&stores(&ours, &theirs), &merge(|_| {}));
    assert_eq!(pairs, ["Bob -> Bob Guid"]);
    assert_eq!(skipped, [("Ann".into(), SkipReason::TargetMissing)]);
}

#[test]
fn case_26_a_missing_mailbox_is_skipped_or_made() {
    let volume = stores(&[], &[]);
    {
        let mut writer = crate::world::reopen(&volume, SOURCE);
        let mailbox = writer.add_mailbox(&named(7, "Ann", "/cn=ann")).unwrap();
        let mut side = Side { mailbox, writer: &mut writer };
        side.put("#inbox#", 1);
        side.put("#calendar#/Team", 2);
        side.put("Plan", 3);
        side.put("#outbox#", 4);
        writer.close().unwrap();
    }
    let (pairs, skipped) = told(&volume, &merge(|_| {}));
    assert_eq!((pairs.len(), skipped), (0, vec![("Ann".into(), SkipReason::TargetMissing)]));
    for mode in [Mode::Merge, Mode::CopyOverlay, Mode::CopyFolder] {
        for include_outbox in [false, true] {
            let volume = copied(&volume);
            let mut create = options(mode);
            create.mailboxes.create_missing = true;
            create.folders.include_outbox = include_outbox;
            let before = plan(&volume, &create);
            assert_eq!(before.pair.matched, MailboxMatch::Created);
            let is_there =
                |f: &&dialtone::recover::FolderPlan| matches!(f.target, FolderTarget::Existing(_));
            assert_eq!(before.folders.iter().filter(is_there).count(), 0);
            let report = run(&volume, &create, WritePath::Plain, 1);
            assert_eq!(report.counters, before.counters, "{mode:?}");
            assert_eq!(report.side.folders_created, before.side.folders_created, "{mode:?}");
            assert_eq!(report.counters.inserted, 3 + u64::from(include_outbox));
            let (pairs, _) = told(&volume, &create);
            assert_eq!(pairs, ["Ann -> Ann Guid"]);
            assert_eq!(plan(&volume, &create).writes, []);
        }
    }
}

fn copied(volume: &MemoryVolume) -> MemoryVolume {
    let copy = MemoryVolume::new();
    for path in [SOURCE, TARGET] {
        for path in [path.to_owned(), path.replace(".edb", ".stm")] {
            copy.insert_file(&path, &volume.file_bytes(&path).unwrap());
        }
    }
    copy
}

#[test]
fn case_27_names_are_only_candidates() {
    let ours = [named(1, "Ann", "/cn=a"), named(2, "Bob", "/cn=b")];
    let theirs = [named(8, "ANN", "/cn=z"), named(9, "Nobody", "/cn=y")];
    let found = matches(&stores(&ours, &theirs), &merge(|_| {}));
    assert_eq!(found.pairs, []);
    let candidates: Vec<_> = found.skipped.iter().map(|s| s.candidates.clone()).collect();
    assert_eq!(candidates, [vec![format!("{} ANN", guid(8))], vec![]]);
}

#[test]
fn case_28_a_guid_that_is_there_twice_matches_nobody() {
    for store in [SOURCE, TARGET] {
        let three = [named(1, "Ann", "/cn=a"), named(2, "Bob", "/cn=b"), named(3, "Cid", "/cn=c")];
        let volume = stores(&three, &three);
        // The index does not let a writer do this, so the bytes of the row are changed.
        let mut bytes = volume.file_bytes(store).unwrap();
        let at: Vec<usize> =
            (0..bytes.len() - 16).filter(|at| bytes[*at..*at + 16] == [2; 16]).collect();
        assert!(!at.is_empty());
        for at in at {
            bytes[at..at + 16].copy_from_slice(&[1; 16]);
            let page = at / 4096;
            let number = Pgno::new(page as u32 - 1).unwrap();
            stamp(&mut bytes[page * 4096..(page + 1) * 4096], number);
        }
        overwrite(&volume, store, &bytes);
        let (pairs, skipped) =
            told(&volume, &merge(|options| options.mailboxes.by_guid_only = true));
        assert_eq!(pairs, ["Cid -> Cid Guid"], "{store}");
        let doubled = skipped.iter().filter(|(_, reason)| *reason == SkipReason::DuplicateGuid);
        assert_eq!(doubled.count(), if store == SOURCE { 2 } else { 1 }, "{skipped:?}");
    }
}

#[test]
fn the_map_is_stronger_and_gives_each_mailbox_away_once() {
    let ours = [named(1, "Ann", "/cn=a"), named(2, "Bob", "/cn=b")];
    let theirs = [named(1, "Ann", "/cn=a"), named(2, "Bob", "/cn=b"), named(3, "Cid", "/cn=c")];
    let volume = stores(&ours, &theirs);
    let map = |lines: &[(u8, u8)]| {
        let lines: Vec<_> = lines.iter().map(|(a, b)| (guid(*a), guid(*b))).collect();
        merge(|options| options.mailboxes.map = lines)
    };
    let (pairs, _) = told(&volume, &map(&[(1, 3)]));
    assert_eq!(pairs, ["Ann -> Cid Map", "Bob -> Bob Guid"]);
    // What the map gave away is nobody else's, not even by GUID.
    let (pairs, skipped) = told(&volume, &map(&[(1, 2)]));
    assert_eq!(pairs, ["Ann -> Bob Map"]);
    assert_eq!(skipped, [("Bob".into(), SkipReason::TargetMissing)]);
    let (source, target) = (open(&volume, SOURCE), open(&volume, TARGET));
    let refused = |options: &Options| {
        let found = match_mailboxes(&source.view(), &target.view(), &options.mailboxes);
        found.unwrap_err().refusal()
    };
    assert_eq!(refused(&map(&[(9, 1)])), Some(Refusal::NotFound));
    assert_eq!(refused(&map(&[(1, 9)])), Some(Refusal::NotFound));
    assert_eq!(refused(&map(&[(1, 2), (1, 3)])), Some(Refusal::BadRequest));
    assert_eq!(refused(&map(&[(1, 3), (2, 3)])), Some(Refusal::BadRequest));
}

#[test]
fn only_what_is_named_takes_part_and_a_wrong_name_is_refused() {
    let ours = [
        named(1, "Ann", "/cn=a"),
        named(2, "Bob", "/cn=b"),
        named(3, "SystemMailbox{1}", "/cn=s"),
        named(4, "X", "/o=E/cn=Microsoft System Attendant"),
    ];
    let volume = stores(&ours, &ours);
    let only = |names: &[&str]| {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        merge(|options| options.mailboxes.only = names)
    };
    let (pairs, skipped) = told(&volume, &merge(|_| {}));
    assert_eq!(pairs.len(), 2);
    assert!(skipped.iter().all(|(_, reason)| *reason == SkipReason::System) && skipped.len() == 2);
    let (pairs, skipped) = told(&volume, &only(&["BOB", "/CN=S"]));
    assert_eq!(pairs, ["Bob -> Bob Guid", "SystemMailbox{1} -> SystemMailbox{1} Guid"]);
    assert_eq!(skipped, []);
    let (source, target) = (open(&volume, SOURCE), open(&volume, TARGET));
    let options = only(&["Ann", "Nobody"]);
    let error = match_mailboxes(&source.view(), &target.view(), &options.mailboxes).unwrap_err();
    assert_eq!(error.refusal(), Some(Refusal::NotFound));
}

fn disconnect(volume: &MemoryVolume, store: &str, number: u8) {
    let root = open(volume, store).view().mailbox(guid(number)).unwrap().unwrap().root;
    let time = 1_000_000_i64.to_le_bytes();
    set(volume, store, "Mailbox", &[&root.to_store()], &[("T668f", Some(&time))]);
}

#[test]
fn a_mailbox_without_an_owner_is_a_source_and_no_target() {
    let both = [named(1, "Ann", "/cn=a")];
    let volume = stores(&both, &both);
    disconnect(&volume, SOURCE, 1);
    assert_eq!(told(&volume, &merge(|_| {})).0, ["Ann -> Ann Guid"]);
    disconnect(&volume, TARGET, 1);
    let create = merge(|options| options.mailboxes.create_missing = true);
    let (pairs, skipped) = told(&volume, &create);
    assert_eq!((pairs.len(), skipped), (0, vec![("Ann".into(), SkipReason::Disconnected)]));
    // The owner got a new mailbox: that is the one.
    let mut writer: StoreWriter = crate::world::reopen(&volume, TARGET);
    writer.add_mailbox(&named(9, "Ann again", "/cn=a")).unwrap();
    writer.close().unwrap();
    assert_eq!(told(&volume, &create).0, ["Ann -> Ann again ByDn"]);
}

#[test]
fn one_broken_row_of_the_source_skips_one_mailbox() {
    let both = [named(1, "Ann", "/cn=a"), named(2, "Bob", "/cn=b")];
    let volume = stores(&both, &both);
    let root = open(&volume, SOURCE).view().mailbox(guid(1)).unwrap().unwrap().root;
    set(&volume, SOURCE, "Mailbox", &[&root.to_store()], &[("N676c", Some(&[1; 15]))]);
    let (pairs, skipped) = told(&volume, &merge(|_| {}));
    assert_eq!(pairs, ["Bob -> Bob Guid"]);
    assert_eq!(skipped.len(), 1);
    assert_eq!(skipped[0].1, SkipReason::Unreadable);
    assert!(seen(&volume, TARGET).is_empty());
}
