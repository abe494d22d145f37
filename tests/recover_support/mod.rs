//! What tests of recovery share: two stores in memory, what users see of a store, and a run that is checked in every way.
#![allow(clippy::unwrap_used)] // helpers of tests, like the tests
#![allow(dead_code)] // each test program uses a part

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use dialtone::ese::EseResult;
use dialtone::ese::check::Severity;
use dialtone::io::{MemoryVolume, Volume};
use dialtone::mapi::Promoted;
use dialtone::recover::{JobReport, MailboxState, Mode, Options, RunOptions, WritePath, recover};
use dialtone::store::check::check_store;
use dialtone::store::{Form, Mailbox, Store, StoreWriter};

use crate::store_support::{NOW, create_at, mime, profile, promoted};

pub const SOURCE: &str = "/s/old.edb";
pub const TARGET: &str = "/s/new.edb";

/// A mailbox in each of two stores, both open for writing.
pub struct Two {
    pub volume: MemoryVolume,
    pub source: StoreWriter,
    pub target: StoreWriter,
    pub ours: Mailbox,
    pub theirs: Mailbox,
}

impl Two {
    pub fn new() -> Self {
        let volume = MemoryVolume::new();
        let mut source = create_at(&volume, SOURCE, 1);
        let mut target = create_at(&volume, TARGET, 2);
        let ours = source.add_mailbox(&profile(1)).unwrap();
        let theirs = target.add_mailbox(&profile(1)).unwrap();
        Self { volume, source, target, ours, theirs }
    }

    pub fn close(self) -> MemoryVolume {
        self.source.close().unwrap();
        self.target.close().unwrap();
        self.volume
    }
}

/// Mail `number`, with what is promoted from it.
pub fn mail(number: u32) -> (Promoted, Vec<u8>) {
    let bytes = mime(number, 200 + (number as usize * 997) % 9_000);
    (promoted(number, &bytes), bytes)
}

/// Runs a recovery by this path and checks both stores afterwards.
pub fn run(volume: &MemoryVolume, options: &Options, path: WritePath, workers: usize) -> JobReport {
    let before = volume_bytes(volume, SOURCE);
    let report = try_run(volume, options, path, workers).unwrap();
    assert_eq!(before, volume_bytes(volume, SOURCE), "the source is never changed");
    assert!(report.adds_up(), "{report:#?}");
    for mailbox in &report.mailboxes {
        assert_ne!(mailbox.state, MailboxState::Failed, "{:?}", mailbox.failures);
    }
    assert_clean(volume, TARGET);
    report
}

pub fn try_run(
    volume: &MemoryVolume,
    options: &Options,
    path: WritePath,
    workers: usize,
) -> EseResult<JobReport> {
    let dynamic: Arc<dyn Volume> = Arc::new(volume.clone());
    let run = RunOptions { path, workers, ..RunOptions::new([7; 16]) };
    recover(&dynamic, Path::new(SOURCE), Path::new(TARGET), options, &run, &mut |_| {})
}

pub fn options(mode: Mode) -> Options {
    Options::new(mode, NOW.0)
}

pub fn volume_bytes(volume: &MemoryVolume, path: &str) -> Vec<Vec<u8>> {
    [path.to_owned(), path.replace(".edb", ".stm")]
        .iter()
        .map(|path| volume.file_bytes(path).unwrap())
        .collect()
}

pub fn assert_clean(volume: &dyn Volume, path: &str) {
    let mut findings = Vec::new();
    let mut sink = |finding: &dialtone::ese::check::Finding| {
        if finding.severity == Severity::Error {
            findings.push(finding.clone());
        }
    };
    dialtone::ese::check::check(volume, Path::new(path), &mut sink).unwrap();
    check_store(volume, Path::new(path), &mut sink).unwrap();
    assert!(findings.is_empty(), "{findings:#?}");
}

/// What a user sees of an item, whatever ids the store gave it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seen {
    pub subject: String,
    pub class: String,
    pub key: Option<[u8; 16]>,
    pub created: Option<i64>,
    pub modified: Option<i64>,
    pub read: bool,
    pub deleted: bool,
    pub associated: bool,
    pub flag: Option<i32>,
    pub categories: Vec<String>,
    pub content: (i32, u32, u64),
}

/// All items of a store by mailbox and folder, each folder's in order of what is seen.
pub fn seen(volume: &dyn Volume, path: &str) -> BTreeMap<(String, String), Vec<Seen>> {
    seen_in(volume, path, |_| true)
}

/// The same of some mailboxes, by their names; nothing of the others is read.
pub fn seen_in(
    volume: &dyn Volume,
    path: &str,
    is_wanted: impl Fn(&str) -> bool,
) -> BTreeMap<(String, String), Vec<Seen>> {
    let store = Store::open(volume, Path::new(path)).unwrap();
    let view = store.view();
    let mut all = BTreeMap::new();
    for mailbox in view.mailboxes().unwrap() {
        if !is_wanted(&mailbox.profile.name) {
            continue;
        }
        let tree = view.folders(mailbox.root).unwrap();
        for (folder, _) in tree.iter() {
            let mut items = Vec::new();
            view.each_item(folder.id, &mut |item| {
                let item = item?;
                let content = view.content(item.instance)?.unwrap();
                let sum = view.content_sum(item.instance)?;
                let form = if content.form == Form::Mime { 0 } else { 3 };
                items.push(Seen {
                    subject: item.headers.subject,
                    class: item.headers.class,
                    key: item.search_key.map(|key| key.0),
                    created: item.created.map(|time| time.0),
                    modified: item.modified.map(|time| time.0),
                    read: item.read,
                    deleted: item.deleted_on.is_some(),
                    associated: item.associated,
                    flag: item.flag_status,
                    categories: item.categories,
                    content: (form, sum.crc, sum.bytes),
                });
                Ok(())
            })
            .unwrap();
            items.sort();
            let path = tree.path(folder.id, mailbox.root);
            if !items.is_empty() {
                all.insert((mailbox.profile.name.clone(), path), items);
            }
        }
    }
    all
}

/// The subjects in one folder of the target.
pub fn subjects(volume: &dyn Volume, path: &str, folder: &str) -> Vec<String> {
    let all = seen(volume, path);
    let items = all.iter().filter(|((_, path), _)| path.ends_with(folder));
    items.flat_map(|(_, items)| items.iter().map(|item| item.subject.clone())).collect()
}
