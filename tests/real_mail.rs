//! The dial-tone story with all real mail: three mailboxes of an old store; a store made like it, given part of the mail again, in which users
//! went on; a recovery in both modes by both ways of writing. Every byte is where it belongs, and a second run finds nothing to do.
//!
//! Needs the shared data directory; a line says so where it is not there.
#![allow(clippy::unwrap_used)] // a test program

#[path = "mail_files/support.rs"]
#[allow(dead_code)] // written for another program
mod files;
mod recover_support;
mod store_support;
#[path = "import_export/unpack.rs"]
mod unpack;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use dialtone::io::{MemoryVolume, Volume};
use dialtone::mail::{Importer, MailFormat, StoredForm, export_mailbox, promote};
use dialtone::mapi::FileTime;
use dialtone::recover::{Mode, WritePath};
use dialtone::store::{ItemId, Mailbox, Store, StoreIdentity, StoreWriter};

use files::{read_all, real_files};
use recover_support::{SOURCE, TARGET, options, run, seen};
use store_support::{NOW, create_at, overwrite, reopen_at};
use unpack::unpack;

/// One in so many mails was given to the new store again.
const STEP: usize = 5;
/// Items that users of a store move, and others that they edit.
const TOUCHED: usize = 20;

/// How often each mail is there.
type Mails = BTreeMap<Vec<u8>, usize>;

fn mails(root: &Path) -> Mails {
    let mut found = Mails::new();
    for message in read_all(root) {
        *found.entry(message.bytes).or_default() += 1;
    }
    found
}

fn import(writer: StoreWriter, names: &[&str], form: StoredForm, path: &Path) -> StoreWriter {
    let names: Vec<String> = names.iter().map(|name| name.to_string()).collect();
    let mut importer = Importer::new(writer, &names, "#inbox#", form).unwrap();
    importer.add(path, &mut |error| panic!("{error}"), &mut |_| {}).unwrap();
    importer.into_writer()
}

/// The mails of a mailbox, through an export.
fn exported(volume: &MemoryVolume, path: &str, name: &str, format: MailFormat) -> Mails {
    let store = Store::open(volume, Path::new(path)).unwrap();
    let mailbox = store.view().find_mailbox(name).unwrap();
    let out = tempfile::tempdir().unwrap();
    let mut failed = |_: Option<&_>, error: &dialtone::ese::EseError| panic!("{error}");
    let (view, root) = (store.view(), out.path());
    export_mailbox(&view, &mailbox, None, format, root, &mut failed).unwrap();
    mails(root)
}

/// Items of a mailbox below its Inbox that hold a mail which the mailbox has once, with their bytes.
fn single_items(writer: &mut StoreWriter, mailbox: &Mailbox) -> Vec<(ItemId, Vec<u8>)> {
    let view = writer.view().unwrap();
    let mut found: BTreeMap<Vec<u8>, Vec<ItemId>> = BTreeMap::new();
    for (folder, _) in view.folders(mailbox.root).unwrap().iter() {
        view.each_item(folder.id, &mut |item| {
            let item = item?;
            let content = view.content(item.instance)?.unwrap();
            found.entry(view.mime(&content)?.unwrap()).or_default().push(item.id);
            Ok(())
        })
        .unwrap();
    }
    let single = found.into_iter().filter(|(_, ids)| ids.len() == 1);
    single.map(|(bytes, ids)| (ids[0], bytes)).collect()
}

/// Ann edits some of these mails; answers what each became.
fn edit(
    writer: &mut StoreWriter,
    items: &[(ItemId, Vec<u8>)],
    word: &str,
    seconds: i64,
) -> Vec<(Vec<u8>, Vec<u8>)> {
    writer.set_now(FileTime(NOW.0 + seconds * 10_000_000));
    let mut edits = Vec::new();
    for (id, bytes) in items {
        let edited = [format!("X-Edited: {word}\r\n").as_bytes(), bytes].concat();
        writer.edit_item(*id, &promote(&edited, &Default::default()), &edited).unwrap();
        edits.push((bytes.clone(), edited));
    }
    writer.set_now(NOW);
    edits
}

/// The two stores, and what a merge and a copy must leave in Ann's mailbox.
struct Story {
    files: Vec<(String, Vec<u8>)>,
    all: Mails,
    merged_of_ann: Mails,
    copied_of_ann: Mails,
    given_again: u64,
    items: u64,
}

impl Story {
    /// `None` where there is no real mail.
    fn new() -> Option<Self> {
        let (tree, part) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let real = real_files()?;
        unpack(&real, tree.path(), 1);
        unpack(&real, part.path(), STEP);
        let volume = MemoryVolume::new();
        let source = create_at(&volume, SOURCE, 1);
        let source = import(source, &["Ann", "Bob"], StoredForm::Mime, tree.path());
        let mut source = import(source, &["Carol"], StoredForm::Mixed, tree.path());
        let like = Arc::new(volume.clone()) as Arc<dyn Volume>;
        source.commit().unwrap();
        let ann = source.view().unwrap().find_mailbox("Ann").unwrap();
        let ours = single_items(&mut source, &ann);
        source.close().unwrap();
        let old = Store::open(&volume, Path::new(SOURCE)).unwrap();
        let identity = StoreIdentity::from_seed(2);
        let mut target =
            StoreWriter::create_like(like, Path::new(TARGET), &identity, &old).unwrap();
        target.set_now(NOW);
        drop(old);
        let mut target = import(target, &["Ann", "Bob"], StoredForm::Mime, part.path());

        let all = mails(tree.path());
        let ann = target.view().unwrap().find_mailbox("Ann").unwrap();
        let theirs = single_items(&mut target, &ann);
        assert!(theirs.len() > 4 * TOUCHED, "{}", theirs.len());
        let moved = target.ensure_folder(&ann, "Moved/By Ann").unwrap().id;
        for (id, _) in &theirs[..TOUCHED] {
            target.move_item(*id, moved).unwrap();
        }
        let is_single = |mail: &(ItemId, Vec<u8>)| all[&mail.1] == 1;
        let kept: Vec<_> = theirs[TOUCHED..].iter().filter(|m| is_single(m)).cloned().collect();
        let mut edits = edit(&mut target, &kept[..TOUCHED], "in the new store", 60);
        target.close().unwrap();
        // What Ann had edited in the old store, the new one has in its first state, or not at all.
        let untouched = |mail: &&(ItemId, Vec<u8>)| edits.iter().all(|(old, _)| *old != mail.1);
        let ours: Vec<_> =
            ours.iter().filter(|m| is_single(m)).filter(untouched).cloned().collect();
        let given: Vec<_> =
            ours.iter().filter(|(_, bytes)| kept.iter().any(|(_, other)| other == bytes)).collect();
        let chosen: Vec<_> = given.iter().take(TOUCHED).map(|mail| (*mail).clone()).collect();
        assert_eq!(chosen.len(), TOUCHED);
        let mut source = reopen_at(&volume, SOURCE);
        edits.extend(edit(&mut source, &chosen, "in the old store", 30));
        source.close().unwrap();

        let mut merged_of_ann = all.clone();
        for (old, new) in edits {
            merged_of_ann.remove(&old);
            merged_of_ann.insert(new, 1);
        }
        let mut copied_of_ann = exported(&volume, SOURCE, "Ann", MailFormat::Eml);
        for (_, bytes) in &theirs[..TOUCHED] {
            *copied_of_ann.entry(bytes.clone()).or_default() += 1;
        }
        let count = |mails: &Mails| mails.values().sum::<usize>() as u64;
        let items = 3 * count(&all);
        let given_again = 2 * count(&mails(part.path()));
        let files = [SOURCE, TARGET].into_iter().flat_map(|path| {
            let stm = path.replace(".edb", ".stm");
            [path.to_owned(), stm].map(|path| (path.clone(), volume.file_bytes(&path).unwrap()))
        });
        Some(Self { files: files.collect(), all, merged_of_ann, copied_of_ann, given_again, items })
    }

    /// The two stores as they were before a recovery.
    fn stage(&self) -> MemoryVolume {
        let volume = MemoryVolume::new();
        for (path, bytes) in &self.files {
            overwrite(&volume, path, bytes);
        }
        volume
    }
}

/// Fails without printing megabytes.
fn assert_mails(found: &Mails, expected: &Mails, what: &str) {
    let differs = |one: &Mails, other: &Mails| {
        let missing = one.iter().filter(|(bytes, count)| other.get(*bytes) != Some(count));
        missing
            .map(|(bytes, _)| String::from_utf8_lossy(&bytes[..bytes.len().min(200)]).into_owned())
            .take(3)
            .collect::<Vec<_>>()
    };
    assert!(
        found == expected,
        "{what}: missing {:#?}, not expected {:#?}",
        differs(expected, found),
        differs(found, expected)
    );
}

#[test]
fn real_mail_is_recovered_by_every_way_and_a_second_time_changes_nothing() {
    let Some(story) = Story::new() else { return };
    println!(
        "{} items in the old store, {} of them in the new one",
        story.items, story.given_again
    );
    let merges = [
        (WritePath::Plain, 1),
        (WritePath::Parallel, 1),
        (WritePath::Parallel, 2),
        (WritePath::Parallel, 8),
    ];
    let copies = [(WritePath::Plain, 1), (WritePath::Parallel, 2)];
    // A merge leaves alone what Ann moved, and keeps what she edited later.
    let expected = Expected { again: 0, replaced: TOUCHED as u64, ann: &story.merged_of_ann };
    story.recover(Mode::Merge, &merges, &expected);
    // A copy looks for a mail in its own folder only, and the old store's state of it wins (recover-semantics 19, case 24).
    let touched = TOUCHED as u64;
    let expected = Expected { again: touched, replaced: 2 * touched, ann: &story.copied_of_ann };
    story.recover(Mode::CopyOverlay, &copies, &expected);
}

/// What a recovery must do.
struct Expected<'e> {
    /// Items inserted although the target has them elsewhere.
    again: u64,
    replaced: u64,
    ann: &'e Mails,
}

impl Story {
    fn recover(&self, mode: Mode, ways: &[(WritePath, usize)], expected: &Expected<'_>) {
        let mut first = None;
        for (path, workers) in ways {
            let what = format!("{mode:?} {path:?} {workers}");
            let volume = self.stage();
            let report = run(&volume, &options(mode), *path, *workers);
            let inserted = self.items - self.given_again + expected.again;
            let counted = (report.counters.inserted, report.counters.replaced);
            assert_eq!(counted, (inserted, expected.replaced), "{what}");
            let again = run(&volume, &options(mode), *path, *workers);
            assert_eq!((again.counters.inserted, again.counters.replaced), (0, 0), "{what}");
            let target = seen(&volume, TARGET);
            if let Some(first) = &first {
                assert!(target == *first, "{what}: another target");
                continue;
            }
            assert_eq!(seen_of(&volume, SOURCE, "Carol"), seen_of(&volume, TARGET, "Carol"));
            let bob = exported(&volume, TARGET, "Bob", MailFormat::Mbox);
            assert_mails(&bob, &self.all, &format!("Bob, {what}"));
            let ann = exported(&volume, TARGET, "Ann", MailFormat::Maildir);
            assert_mails(&ann, expected.ann, &format!("Ann, {what}"));
            first = Some(target);
        }
    }
}

/// What a user of one mailbox sees, by folder.
fn seen_of(
    volume: &MemoryVolume,
    path: &str,
    name: &str,
) -> BTreeMap<(String, String), Vec<recover_support::Seen>> {
    seen(volume, path).into_iter().filter(|((mailbox, _), _)| mailbox == name).collect()
}
