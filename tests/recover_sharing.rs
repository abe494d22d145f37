//! One mail for many is stored once before a recovery and after it, however it is written; and equal mail that both stores got by
//! themselves is one content afterwards. Source: recover-semantics W9; design D7.

#![allow(clippy::unwrap_used)] // a test program

mod recover_stage;
mod recover_support;
mod store_support;

use std::collections::BTreeMap;
use std::path::Path;

use dialtone::io::MemoryVolume;
use dialtone::mapi::{InstanceId, Promoted};
use dialtone::recover::Mode;
use dialtone::store::{Role, Store};

use recover_stage::{PATHS, merge, ours, theirs};
use recover_support::{SOURCE, TARGET, Two, mail, options, run, seen};
use store_support::{mapi, mime, profile, promoted};

/// How often each content of a store is held by folder rows, and what its row says.
fn holders(volume: &MemoryVolume, path: &str) -> BTreeMap<InstanceId, (i64, i64)> {
    let store = Store::open(volume, Path::new(path)).unwrap();
    let view = store.view();
    let mut held: BTreeMap<InstanceId, (i64, i64)> = BTreeMap::new();
    for mailbox in view.mailboxes().unwrap() {
        let tree = view.folders(mailbox.root).unwrap();
        for (folder, _) in tree.iter() {
            view.each_item(folder.id, &mut |item| {
                let item = item?;
                let content = view.content(item.instance)?.unwrap();
                let entry = held.entry(item.instance).or_default();
                *entry = (entry.0 + 1, content.references + content.soft_references);
                Ok(())
            })
            .unwrap();
        }
    }
    for (instance, (rows, counted)) in &held {
        assert_eq!(rows, counted, "content {instance}");
    }
    held
}

/// Two stores with so many mailboxes of the same GUIDs; every source Inbox gets the same mail.
fn shared_by(count: u8, mail: &Promoted, bytes: &[u8]) -> Two {
    let mut two = Two::new();
    let mut first = None;
    for number in 1..=count {
        if number > 1 {
            two.target.add_mailbox(&profile(number)).unwrap();
        }
        let mailbox = match number {
            1 => two.ours.clone(),
            _ => two.source.add_mailbox(&profile(number)).unwrap(),
        };
        let inbox = mailbox.logon_folder(Role::Inbox).unwrap();
        match first {
            None => first = Some(two.source.insert_mime(inbox, mail, bytes).unwrap()),
            Some(id) => {
                let instance = two.source.view().unwrap().item(id).unwrap().unwrap().instance;
                two.source.insert_shared(inbox, mail, instance).unwrap();
            }
        }
    }
    two
}

fn stm_bytes(volume: &MemoryVolume, path: &str) -> u64 {
    volume.len_bytes(path.replace(".edb", ".stm")).unwrap()
}

#[test]
fn one_large_mail_for_many_costs_one_copy_before_and_after() {
    const MAILBOXES: u8 = 40;
    const BYTES: usize = 1 << 20;
    let bytes = mime(1, BYTES);
    let mail = promoted(1, &bytes);
    for path in PATHS {
        for workers in [1, 4] {
            let volume = shared_by(MAILBOXES, &mail, &bytes).close();
            let report = run(&volume, &merge(), path, workers);
            assert_eq!(report.counters.inserted, u64::from(MAILBOXES));
            let held = holders(&volume, TARGET);
            assert_eq!(held.len(), 1, "{path:?}, {workers} workers");
            assert_eq!(held.values().next(), Some(&(i64::from(MAILBOXES), i64::from(MAILBOXES))));
            assert!(stm_bytes(&volume, TARGET) <= stm_bytes(&volume, SOURCE), "{path:?}");
            assert_eq!(seen(&volume, SOURCE), seen(&volume, TARGET));
            // A copy beside shares with what is there.
            let report = run(&volume, &options(Mode::CopyFolder), path, workers);
            assert_eq!(report.counters.inserted, u64::from(MAILBOXES));
            assert_eq!(holders(&volume, TARGET).len(), 1, "{path:?}, {workers} workers");
        }
    }
}

#[test]
fn a_thousand_recipients_of_one_mail_hold_one_content() {
    let bytes = mime(1, 1 << 20);
    let mail = promoted(1, &bytes);
    for path in PATHS {
        let mut two = Two::new();
        let mut hand = ours(&mut two);
        let inbox = hand.folder("#inbox#");
        let id = hand.writer.insert_mime(inbox, &mail, &bytes).unwrap();
        let instance = hand.item(id).instance;
        for _ in 1..1000 {
            hand.writer.insert_shared(inbox, &mail, instance).unwrap();
        }
        let volume = two.close();
        let report = run(&volume, &merge(), path, 4);
        assert_eq!(report.counters.inserted, 1000);
        let held: Vec<_> = holders(&volume, TARGET).into_values().collect();
        assert_eq!(held, [(1000, 1000)], "{path:?}");
        assert!(stm_bytes(&volume, TARGET) <= stm_bytes(&volume, SOURCE), "{path:?}");
    }
}

#[test]
fn mail_that_both_stores_got_by_themselves_is_one_content() {
    for path in PATHS {
        let mut two = Two::new();
        for number in 0..6 {
            let mut hand = ours(&mut two);
            hand.put("#inbox#", number);
            let folder = hand.folder("Mapi");
            hand.writer.insert_mapi(folder, &mapi(200 + number, 3000, true)).unwrap();
            // The target has each mail, but elsewhere in the mailbox of somebody else.
            let mut hand = theirs(&mut two);
            if number == 0 {
                hand.mailbox = hand.writer.add_mailbox(&profile(7)).unwrap();
            } else {
                hand.mailbox = hand.writer.view().unwrap().mailboxes().unwrap().remove(1);
            }
            hand.put("Other", number);
            let folder = hand.folder("Other");
            hand.writer.insert_mapi(folder, &mapi(200 + number, 3000, true)).unwrap();
        }
        let volume = two.close();
        let report = run(&volume, &merge(), path, 2);
        assert_eq!(report.counters.inserted, 12);
        let held = holders(&volume, TARGET);
        assert_eq!(held.len(), 12, "{path:?}");
        assert!(held.values().all(|held| *held == (2, 2)), "{path:?}: {held:?}");
    }
}

#[test]
fn equal_keys_alone_share_nothing() {
    for path in PATHS {
        let mut two = Two::new();
        let (promoted, bytes) = mail(3);
        let mut other = bytes.clone();
        *other.last_mut().unwrap() ^= 1;
        let inbox = ours(&mut two).folder("#inbox#");
        two.source.insert_mime(inbox, &promoted, &bytes).unwrap();
        let elsewhere = two.target.add_mailbox(&profile(7)).unwrap();
        let folder = elsewhere.logon_folder(Role::Inbox).unwrap();
        // The same delivery time, search key and length, but other bytes.
        two.target.insert_mime(folder, &promoted, &other).unwrap();
        let volume = two.close();
        run(&volume, &merge(), path, 1);
        assert_eq!(holders(&volume, TARGET).len(), 2, "{path:?}");
    }
}

#[test]
fn a_content_that_replacements_let_go_is_shared_or_gone_but_never_missing() {
    // The target's old version is what another source item holds: it is let go and taken up in one job.
    for path in PATHS {
        for workers in [1, 4] {
            let mut two = Two::new();
            let mut hand = ours(&mut two);
            for number in 0..30 {
                let id = hand.put("#inbox#", number);
                hand.copy(id, "Kept", 30);
                hand.edit(id, &format!("edited {number}"), 60);
            }
            let mut hand = theirs(&mut two);
            for number in 0..30 {
                hand.put("#inbox#", number);
            }
            let volume = two.close();
            let report = run(&volume, &merge(), path, workers);
            assert_eq!((report.counters.replaced, report.counters.inserted), (30, 30));
            assert_eq!(holders(&volume, TARGET).len(), 60, "{path:?}, {workers} workers");
            assert_eq!(seen(&volume, SOURCE), seen(&volume, TARGET));
        }
    }
}
