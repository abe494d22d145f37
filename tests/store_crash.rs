//! A pair of files is cut at every write and sync: of its creation, and of a job of two commits. Whatever is left is a store
//! that checks clean and holds the last commit or a later one, or no store at all; and it can be written again.

#![allow(clippy::unwrap_used)] // a test program

mod store_support;
mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use dialtone::io::{MemoryVolume, Volume};
use dialtone::store::check::check_store;
use dialtone::store::{FolderTree, Role, Store, StoreIdentity, StoreWriter};

use store_support::{PATH, create, mapi, mime, path, profile, promoted, reopen};
use support::random::Slice;

/// Images that one run looks at.
const CASES: usize = 400;

/// Everything a store says: items with the bytes of their mails.
type Said = BTreeMap<String, Vec<u8>>;

fn said(store: &Store) -> Said {
    let view = store.view();
    let mut said = Said::new();
    for mailbox in view.mailboxes().unwrap() {
        let tree: FolderTree = view.folders(mailbox.root).unwrap();
        for (folder, _) in tree.iter() {
            said.insert(format!("{} {:?}", folder.name, folder.id), Vec::new());
            view.each_item(folder.id, &mut |item| {
                let item = item?;
                let content = view.content(item.instance)?.unwrap();
                let bytes = match view.mime(&content)? {
                    Some(bytes) => bytes,
                    None => format!("{:?}", view.mapi_message(&content)?).into_bytes(),
                };
                said.insert(format!("{:?} {}", item.id, item.headers.subject), bytes);
                Ok(())
            })
            .unwrap();
        }
    }
    said
}

fn check(volume: &MemoryVolume, context: &str) {
    let mut findings = Vec::new();
    check_store(volume, Path::new(PATH), &mut |finding| findings.push(finding.clone())).unwrap();
    findings.retain(|f| f.severity > dialtone::ese::check::Severity::Note);
    assert_eq!(findings, [], "{context}");
}

/// A job of two commits and a clean end, on a store that holds something.
fn play() -> (MemoryVolume, Vec<(usize, usize, Said)>) {
    let (volume, mut writer) = create(1);
    let mailbox = writer.add_mailbox(&profile(1)).unwrap();
    let inbox = mailbox.logon_folder(Role::Inbox).unwrap();
    let put = |writer: &mut StoreWriter, number: u32, len_bytes: usize| {
        let bytes = mime(number, len_bytes);
        writer.insert_mime(inbox, &promoted(number, &bytes), &bytes).unwrap()
    };
    let first = put(&mut writer, 1, 9000);
    let second = put(&mut writer, 2, 70_000);
    writer.close().unwrap();
    let mut commits = vec![(0, 0, said(&store_support::open(&volume)))];
    volume.forget_events();

    let mut writer = reopen(&volume);
    put(&mut writer, 3, 5000);
    writer.insert_mapi(inbox, &mapi(4, 6000, true)).unwrap();
    writer.delete_item(first).unwrap();
    let begun = volume.event_count();
    writer.commit().unwrap();
    commits.push((begun, volume.event_count(), said(&store_support::open(&volume))));
    writer.delete_item(second).unwrap();
    // The file grows, and the pages freed above stay untouched.
    put(&mut writer, 5, 3 << 20);
    writer.ensure_folder(&mailbox, "New/Folder").unwrap();
    let begun = volume.event_count();
    writer.commit().unwrap();
    commits.push((begun, volume.event_count(), said(&store_support::open(&volume))));
    writer.close().unwrap();
    (volume, commits)
}

#[test]
fn a_job_cut_anywhere_leaves_the_last_commit_or_a_later_one() {
    let (volume, commits) = play();
    let cuts = volume.event_count() + 1;
    let slice = Slice::of_this_run("cuts of a pair");
    let (mut images, mut looked) = (0, 0);
    let total: usize = (0..cuts).map(|cut| volume.crash_images(cut).count()).sum();
    for cut in 0..cuts {
        for (kind, image) in volume.crash_images(cut) {
            images += 1;
            if !slice.takes(images, total, CASES) {
                continue;
            }
            looked += 1;
            let context = format!("cut {cut}, {kind:?}");
            let low = commits.iter().rposition(|(_, returned, _)| *returned <= cut).unwrap();
            let high = commits.iter().rposition(|(begun, ..)| *begun <= cut).unwrap();
            check(&image, &context);
            let found = said(&store_support::open(&image));
            let is_allowed = (low..=high.max(low)).any(|index| commits[index].2 == found);
            assert!(is_allowed, "{context}: neither commit {low} nor {high}");
            go_on(&image, found, &context);
        }
    }
    println!("{cuts} cuts, {images} images, {looked} looked at");
    assert!(images > 300 && looked > 100, "{images}, {looked}");
}

/// A writer goes on from an image; nothing that was there is lost.
fn go_on(image: &MemoryVolume, mut expected: Said, context: &str) {
    let mut writer = reopen(image);
    let mailbox = writer.view().unwrap().mailboxes().unwrap().remove(0);
    let bytes = mime(77, 200_000);
    let mail = promoted(77, &bytes);
    let id = writer.insert_mime(mailbox.logon_folder(Role::Inbox).unwrap(), &mail, &bytes).unwrap();
    writer.close().unwrap();
    check(image, context);
    expected.insert(format!("{id:?} {}", mail.subject), bytes);
    assert!(said(&store_support::open(image)) == expected, "{context}: after going on");
}

#[test]
fn a_creation_cut_anywhere_leaves_a_store_or_none_and_can_be_repeated() {
    let (volume, writer) = create(1);
    writer.close().unwrap();
    let cuts = volume.event_count() + 1;
    let slice = Slice::of_this_run("cuts of a creation");
    let total: usize = (0..cuts).map(|cut| volume.crash_images(cut).count()).sum();
    let (mut images, mut made) = (0, 0);
    for cut in 0..cuts {
        for (kind, image) in volume.crash_images(cut) {
            images += 1;
            if !slice.takes(images, total, CASES) {
                continue;
            }
            let context = format!("cut {cut}, {kind:?}");
            if image.exists(Path::new(PATH)).unwrap() {
                made += 1;
                check(&image, &context);
            } else {
                let identity = StoreIdentity::from_seed(2);
                let dynamic: Arc<dyn Volume> = Arc::new(image.clone());
                let writer = StoreWriter::create(dynamic, &path(), &identity);
                writer.unwrap_or_else(|error| panic!("{context}: {error}")).close().unwrap();
            }
            reopen(&image).close().unwrap();
            check(&image, &context);
        }
    }
    println!("{cuts} cuts, {images} images, {made} with a store");
    assert!(images > 100 && made > 5, "{images}, {made}");
}
