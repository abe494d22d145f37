//! Whatever is done to a store, its check stays clean; whatever is broken in it, the check names it.

#![allow(clippy::unwrap_used)] // a test program

mod store_support;
mod support;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use dialtone::ese::check::Severity;
use dialtone::ese::table::write::{DatabaseWriter, FieldValue};
use dialtone::io::{MemoryVolume, Volume};
use dialtone::mapi::FolderId;
use dialtone::store::check::{StoreSummary, check_store, check_streams};
use dialtone::store::{ItemId, Role, StoreWriter};

use support::random::Random;

use store_support::{PATH, create, mapi, mime, overwrite, profile, promoted, reopen};

/// Findings as `rule: message`, and the summary.
fn check(volume: &MemoryVolume) -> (Vec<String>, StoreSummary) {
    let mut findings = Vec::new();
    let summary = check_store(volume, Path::new(PATH), &mut |finding| {
        let object = finding.object.clone().unwrap_or_default();
        findings.push(format!(
            "{} {}: {object}: {}",
            finding.severity.name(),
            finding.rule,
            finding.message
        ));
    })
    .unwrap();
    (findings, summary)
}

/// The same of a quick check, which reads nothing but the streaming file's pages.
fn check_quickly(volume: &MemoryVolume) -> (Vec<String>, StoreSummary) {
    let mut findings = Vec::new();
    let summary = check_streams(volume, Path::new(PATH), &mut |finding| {
        let (severity, object) = (finding.severity.name(), finding.object.as_deref());
        let object = object.unwrap_or_default();
        findings.push(format!("{severity} {}: {object}: {}", finding.rule, finding.message));
    })
    .unwrap();
    (findings, summary)
}

#[test]
fn a_quick_check_verifies_every_page_that_has_an_owner() {
    let volume = sample();
    let (findings, quick) = check_quickly(&volume);
    assert_eq!(findings, [] as [&str; 0]);
    let whole = check(&volume).1;
    assert!(quick.stream_pages > 0);
    assert_eq!((quick.stream_pages, quick.errors), (whole.stream_pages, 0));
    // Each page in turn, a bit of it.
    let stm = Path::new(PATH).with_extension("stm");
    let sound = volume.file_bytes(&stm).unwrap();
    let mut wrong = 0;
    for page in 2..sound.len() / 4096 {
        let mut bytes = sound.clone();
        bytes[page * 4096 + page % 4096] ^= 1 << (page % 8);
        overwrite(&volume, &stm, &bytes);
        let (findings, _) = check_quickly(&volume);
        assert_eq!(findings, check(&volume).0);
        wrong += findings.len() as u64;
    }
    assert_eq!(wrong, quick.stream_pages);
    overwrite(&volume, &stm, &sound[..4096 * 3]);
    assert!(!check_quickly(&volume).0.is_empty());
    assert!(volume.remove(&stm).is_ok());
    let (findings, summary) = check_quickly(&volume);
    assert!(findings[0].starts_with("warning pair") && summary.errors == 0, "{findings:?}");
}

fn check_all(volume: &MemoryVolume) -> StoreSummary {
    let (findings, summary) = check(volume);
    assert_eq!(findings, [] as [&str; 0]);
    let mut findings = Vec::new();
    dialtone::ese::check::check(volume, Path::new(PATH), &mut |finding| {
        if finding.severity > Severity::Note {
            findings.push(finding.clone());
        }
    })
    .unwrap();
    assert_eq!(findings, []);
    summary
}

/// A store with mailboxes and folders, and what is in them.
struct Play {
    folders: Vec<FolderId>,
    items: Vec<ItemId>,
    deleted: BTreeSet<ItemId>,
    dice: Random,
}

impl Play {
    fn start(writer: &mut StoreWriter, seed: u64) -> Self {
        let mut folders = Vec::new();
        for number in 1..=3 {
            let mailbox = writer.add_mailbox(&profile(number)).unwrap();
            folders.push(mailbox.logon_folder(Role::Inbox).unwrap());
            folders.push(writer.ensure_folder(&mailbox, "Archive/Old").unwrap().id);
        }
        Self { folders, items: Vec::new(), deleted: BTreeSet::new(), dice: Random::new(seed) }
    }

    fn folder(&mut self) -> FolderId {
        self.folders[self.dice.below(self.folders.len())]
    }

    fn step(&mut self, writer: &mut StoreWriter) {
        let folder = self.folder();
        let number = self.dice.below(12) as u32;
        let lengths = [1, 500, 4096, 9000, 70_000, 300_000];
        let bytes = mime(number, lengths[self.dice.below(lengths.len())]);
        let choice = if self.items.is_empty() { 0 } else { self.dice.below(12) };
        let at = self.dice.below(self.items.len().max(1));
        match choice {
            0..=3 => {
                self.items
                    .push(writer.insert_mime(folder, &promoted(number, &bytes), &bytes).unwrap());
            }
            4 | 5 => {
                let mail = mapi(number, bytes.len().min(20_000), number.is_multiple_of(2));
                self.items.push(writer.insert_mapi(folder, &mail).unwrap());
            }
            6 => self.items.push(writer.copy_item(self.items[at], folder).unwrap()),
            7 => {
                let old = self.items[at];
                self.items[at] = writer.move_item(old, folder).unwrap();
                if self.deleted.remove(&old) {
                    self.deleted.insert(self.items[at]);
                }
            }
            8 => {
                writer.soft_delete_item(self.items[at]).unwrap();
                self.deleted.insert(self.items[at]);
            }
            9 => {
                let gone = self.items.swap_remove(at);
                writer.delete_item(gone).unwrap();
                self.deleted.remove(&gone);
            }
            10 => writer.set_read(self.items[at], number.is_multiple_of(2)).unwrap(),
            _ => writer.edit_item(self.items[at], &promoted(number, &bytes), &bytes).unwrap(),
        }
    }
}

#[test]
fn counters_equal_a_recount_after_any_operations() {
    for seed in 1..=4 {
        let (volume, mut writer) = create(seed);
        let mut play = Play::start(&mut writer, seed * 77);
        for round in 0..4 {
            for _ in 0..40 {
                play.step(&mut writer);
            }
            match round {
                0 => writer.flush().unwrap(),
                1 => writer.commit().unwrap(),
                _ => {
                    writer.close().unwrap();
                    let summary = check_all(&volume);
                    assert_eq!(summary.items, play.items.len() as u64);
                    writer = reopen(&volume);
                }
            }
        }
        for item in std::mem::take(&mut play.items) {
            writer.delete_item(item).unwrap();
        }
        writer.close().unwrap();
        let summary = check_all(&volume);
        let left = (summary.items, summary.contents, summary.attachments, summary.stream_pages);
        assert_eq!(left, (0, 0, 0, 0), "contents go with their last holder");
    }
}

/// A small store, closed: one mail as MIME, one in MAPI form with a mail in it.
fn sample() -> MemoryVolume {
    let (volume, mut writer) = create(1);
    let mailbox = writer.add_mailbox(&profile(1)).unwrap();
    let inbox = mailbox.logon_folder(Role::Inbox).unwrap();
    let bytes = mime(1, 10_000);
    writer.insert_mime(inbox, &promoted(1, &bytes), &bytes).unwrap();
    writer.insert_mapi(inbox, &mapi(2, 5000, true)).unwrap();
    writer.close().unwrap();
    volume
}

/// Changes rows of a closed store behind its back. The pairing is kept by not counting the change as a new day.
fn tamper(volume: &MemoryVolume, change: impl FnOnce(&mut DatabaseWriter)) {
    let path = Path::new(PATH);
    let mut writer = DatabaseWriter::open(Arc::new(volume.clone()), path).unwrap();
    change(&mut writer);
    writer.commit().unwrap();
    let dbtime = writer.forest().pager().header().dbtime();
    writer.close().unwrap();
    // The streaming file is brought to the same dbtime, as if it had been closed with the database.
    let stm = path.with_extension("stm");
    let mut bytes = volume.file_bytes(&stm).unwrap();
    let mut header = dialtone::ese::page::header::DbHeader::decode(&bytes[..4096]).unwrap();
    header.set_dbtime(dbtime);
    let page = header.encode();
    bytes[..4096].copy_from_slice(&page);
    bytes[4096..8192].copy_from_slice(&page);
    overwrite(volume, &stm, &bytes);
}

/// Sets a column in the first row of a table (in all of them, if asked).
fn set(volume: &MemoryVolume, table: &str, column: &str, value: &[u8], all: bool) {
    tamper(volume, |writer| {
        let table = writer.table(table).unwrap();
        let place = table.columns.iter().position(|c| c.name == column).unwrap();
        for bookmark in bookmarks(writer, &table, all) {
            writer.update(&table, &bookmark, &[(place, FieldValue::Bytes(value))]).unwrap();
        }
    });
}

fn remove(volume: &MemoryVolume, table: &str) {
    tamper(volume, |writer| {
        let table = writer.table(table).unwrap();
        for bookmark in bookmarks(writer, &table, false) {
            writer.delete(&table, &bookmark).unwrap();
        }
    });
}

fn bookmarks(
    writer: &DatabaseWriter,
    table: &dialtone::ese::table::schema::TableDef,
    all: bool,
) -> Vec<Vec<u8>> {
    let mut rows = dialtone::ese::table::rows::RowCursor::new(writer.forest().pager(), table);
    let mut found = Vec::new();
    let mut on = rows.first().unwrap();
    while on && (all || found.is_empty()) {
        found.push(rows.row().unwrap().unwrap().bookmark().to_vec());
        on = rows.next().unwrap();
    }
    found
}

#[test]
fn every_kind_of_damage_is_named() {
    let long = |number: i32| number.to_le_bytes().to_vec();
    type Damage<'d> = (&'d str, Box<dyn Fn(&MemoryVolume)>);
    let set_to = |table: &'static str, column: &'static str, value: Vec<u8>, all: bool| {
        Box::new(move |volume: &MemoryVolume| set(volume, table, column, &value, all))
            as Box<dyn Fn(&MemoryVolume)>
    };
    let gone = |table: &'static str| {
        Box::new(move |volume: &MemoryVolume| remove(volume, table)) as Box<dyn Fn(&MemoryVolume)>
    };
    let damages: Vec<Damage<'_>> = vec![
        ("error count: mailbox", set_to("Mailbox", "L7e12", long(7), false)),
        ("error count: folder", set_to("Folders", "L3603", long(9), false)),
        ("error count: folder", set_to("Folders", "L66af", long(9), false)),
        ("error count: folder", set_to("Folders", "L6638", long(9), false)),
        ("error counter: folder", set_to("Folders", "L6751", long(1), true)),
        ("error reference: content", set_to("Msg", "L7e31", long(2), false)),
        ("error reference: content", set_to("Msg", "L7e32", long(1), false)),
        ("error reference: attachment", set_to("1-23", "L7e41", long(2), false)),
        ("error size: content", set_to("Msg", "Qe08", 5i64.to_le_bytes().to_vec(), false)),
        ("error size: item", set_to("MsgFolder", "Qe08", 5i64.to_le_bytes().to_vec(), false)),
        ("error form: content", set_to("Msg", "L7e33", long(3), false)),
        ("error root: item", set_to("MsgFolder", "Q6764", vec![9; 8], false)),
        (
            "error reference: item",
            set_to("MsgFolder", "Q7e30", vec![0, 1, 0, 0, 0, 0, 0, 1], false),
        ),
        ("error replica: item", set_to("MsgFolder", "Q674a", vec![9; 8], false)),
        ("error counter: item", set_to("MsgFolder", "Q674a", vec![0, 1, 9, 9, 9, 9, 9, 9], false)),
        ("error counter: item", set_to("MsgFolder", "Q67a4", vec![0, 1, 9, 9, 9, 9, 9, 9], false)),
        ("error orphan: item", set_to("MsgFolder", "Q6748", vec![0, 1, 0, 0, 0, 0, 0, 1], false)),
        ("error parent: folder", set_to("Folders", "Q6749", vec![0, 1, 0, 0, 0, 0, 0, 1], true)),
        ("error role: mailbox", set_to("Mailbox", "MQ7e11", vec![0, 1, 0, 0, 0, 0, 0, 1], false)),
        ("error unreadable: Mailbox", set_to("Mailbox", "N676c", vec![1; 15], false)),
        ("error unreadable: Msg", set_to("Msg", "H6659", vec![1; 15], false)),
        ("error unreadable: Global", set_to("Global", "L7e03", long(-1), false)),
        ("error replica: ReplidMap", gone("ReplidMap")),
        ("error reference: item", gone("Msg")),
        ("error orphan: content", gone("MsgFolder")),
        ("error reference: attachment", gone("1-23")),
        ("error orphan: folder", gone("Mailbox")),
        ("error parent: folder", gone("Folders")),
        ("error owner: StmOwner", gone("StmOwner")),
        ("error owner: StmOwner", set_to("StmOwner", "L7e74", long(99), false)),
        ("error owner: StmOwner", set_to("StmOwner", "N7e76", vec![1; 8], false)),
        ("error unreadable: StmOwner", set_to("StmOwner", "L7e73", long(65), false)),
        ("error checksum: streaming file", set_to("StmOwner", "N7e77", vec![7; 24], false)),
        ("error pair", set_to("StmSpace", "N7e71", vec![7; 136], false)),
    ];
    for (number, (expected, damage)) in damages.into_iter().enumerate() {
        let volume = sample();
        check_all(&volume);
        damage(&volume);
        let (findings, summary) = check(&volume);
        let is_named = findings.iter().any(|finding| finding.starts_with(expected));
        assert!(is_named, "damage {number}: {expected} is not in {findings:#?}");
        assert!(summary.errors > 0);
        // Whatever is wrong, reading and writing end with an answer or an error.
        if let Ok(store) = dialtone::store::Store::open(&volume, Path::new(PATH)) {
            store_support::read_all(&store).unwrap();
        }
        let _ = store_support::write_some(&volume);
    }
}

#[test]
fn a_changed_byte_of_the_streaming_file_is_found_and_never_given_away() {
    let volume = sample();
    let stm = Path::new(PATH).with_extension("stm");
    let mut bytes = volume.file_bytes(&stm).unwrap();
    bytes[8192 + 5000] ^= 4;
    overwrite(&volume, &stm, &bytes);
    let (findings, _) = check(&volume);
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert!(findings[0].contains("checksum") && findings[0].contains("page 2"), "{findings:?}");
    assert_eq!(check_quickly(&volume).0, findings);
    let store = store_support::open(&volume);
    let view = store.view();
    let inbox = view.mailboxes().unwrap()[0].logon_folder(Role::Inbox).unwrap();
    let mut streams = 0;
    view.each_item(inbox, &mut |item| {
        let content = view.content(item?.instance)?.unwrap();
        if content.stream.is_some() {
            streams += 1;
            assert!(view.mime(&content).unwrap_err().to_string().contains("page 2"));
        }
        Ok(())
    })
    .unwrap();
    assert_eq!(streams, 1);
}

#[test]
fn pages_without_an_owner_are_a_warning() {
    let volume = sample();
    tamper(&volume, |writer| {
        let table = writer.table("StmSpace").unwrap();
        let key = bookmarks(writer, &table, false).remove(0);
        let mut chunk = dialtone::stm::Chunk::default();
        (0..5).for_each(|page| chunk.set(page, dialtone::stm::PageState::Committed));
        chunk.set(9, dialtone::stm::PageState::Deleted);
        let place = table.columns.iter().position(|c| c.name == "N7e71").unwrap();
        let value = chunk.encode();
        writer.update(&table, &key, &[(place, FieldValue::Bytes(&value))]).unwrap();
    });
    let (findings, summary) = check(&volume);
    assert_eq!((summary.errors, summary.warnings, summary.notes), (0, 1, 1), "{findings:?}");
    assert!(findings[0].contains("pages 4 to 5"), "{findings:?}");
}
