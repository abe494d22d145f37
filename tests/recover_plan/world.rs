//! Two mailboxes to plan between, and what a plan says in words that tests can compare.

use std::path::Path;
use std::sync::Arc;

use dialtone::ese::page::header::DbHeader;
use dialtone::ese::table::write::{DatabaseWriter, FieldValue};
use dialtone::io::MemoryVolume;
use dialtone::mapi::{FileTime, FolderId};
use dialtone::recover::{
    FolderMatch, FolderPlan, FolderTarget, KnownReplicas, MailboxMatches, MailboxPlan, Options,
    TargetSearch, WriteKind, WritePath, match_mailboxes, plan_mailbox_by,
};
use dialtone::stm::NamedTable;
use dialtone::store::{ItemId, Mailbox, NewFolder, Role, Store, StoreWriter};

use crate::recover_support::{SOURCE, TARGET, Two, mail, run};
use crate::store_support::{NOW, overwrite, path};

pub const MINUTE: i64 = 600_000_000;

/// One side of [`Two`].
pub struct Side<'t> {
    pub writer: &'t mut StoreWriter,
    pub mailbox: Mailbox,
}

pub fn ours(two: &mut Two) -> Side<'_> {
    Side { mailbox: two.ours.clone(), writer: &mut two.source }
}

pub fn theirs(two: &mut Two) -> Side<'_> {
    Side { mailbox: two.theirs.clone(), writer: &mut two.target }
}

impl Side<'_> {
    /// The folder at this path, made if need be.
    pub fn folder(&mut self, path: &str) -> FolderId {
        self.writer.ensure_folder(&self.mailbox, path).unwrap().id
    }

    pub fn role(&self, role: Role) -> FolderId {
        self.mailbox.logon_folder(role).unwrap()
    }

    /// Puts mail `number` into a folder.
    pub fn put(&mut self, path: &str, number: u32) -> ItemId {
        let folder = self.folder(path);
        self.put_in(folder, number)
    }

    pub fn put_in(&mut self, folder: FolderId, number: u32) -> ItemId {
        let (promoted, bytes) = mail(number);
        self.writer.insert_mime(folder, &promoted, &bytes).unwrap()
    }

    /// Edits an item, so many minutes after all mails arrived.
    pub fn edit(&mut self, id: ItemId, minutes: i64) {
        let (mut edited, bytes) = mail(7000 + minutes as u32);
        edited.subject = format!("edited at {minutes}");
        self.writer.set_now(FileTime(NOW.0 + minutes * MINUTE));
        self.writer.edit_item(id, &edited, &bytes).unwrap();
        self.writer.set_now(NOW);
    }

    pub fn class_folder(&mut self, name: &str, class: &str) -> FolderId {
        let new = NewFolder { class: class.into(), ..NewFolder::named(name) };
        let top = self.role(Role::IpmSubtree);
        self.writer.create_folder(top, &new).unwrap()
    }
}

pub fn open(volume: &MemoryVolume, path: &str) -> Store {
    Store::open(volume, Path::new(path)).unwrap()
}

pub fn matches(volume: &MemoryVolume, options: &Options) -> MailboxMatches {
    let (source, target) = (open(volume, SOURCE), open(volume, TARGET));
    match_mailboxes(&source.view(), &target.view(), &options.mailboxes).unwrap()
}

/// The plans of all mailboxes, made in every way.
pub fn plans(volume: &MemoryVolume, options: &Options) -> Vec<MailboxPlan> {
    let (source, target) = (open(volume, SOURCE), open(volume, TARGET));
    let (source, target) = (source.view(), target.view());
    let known = KnownReplicas::between(&source, &target).unwrap();
    let pairs = match_mailboxes(&source, &target, &options.mailboxes).unwrap().pairs;
    let plan = |pair| {
        let ways = [TargetSearch::Scan, TargetSearch::LookUp, TargetSearch::Cheapest];
        let [scan, look_up, cheapest] = ways.map(|search| {
            plan_mailbox_by(&source, &target, pair, options, &known, search).unwrap()
        });
        assert_eq!(scan, look_up, "reading all and looking keys up give one plan");
        assert_eq!(scan, cheapest, "so does the short way for what is there already");
        assert_sums(&scan);
        scan
    };
    pairs.iter().map(plan).collect()
}

/// The plan of the only mailbox.
pub fn plan(volume: &MemoryVolume, options: &Options) -> MailboxPlan {
    let [plan] = plans(volume, options).try_into().expect("one mailbox");
    plan
}

/// The counters of a plan agree with each other and with its writes.
fn assert_sums(plan: &MailboxPlan) {
    assert!(plan.counters.adds_up(), "{plan:#?}");
    let mut sum = dialtone::recover::Counters::default();
    plan.folders.iter().for_each(|folder| sum.add(&folder.counters));
    assert_eq!(sum, plan.counters);
    let count = |wanted: fn(&WriteKind) -> bool| {
        plan.writes.iter().filter(|write| wanted(&write.kind)).count() as u64
    };
    let (counters, side) = (&plan.counters, &plan.side);
    assert_eq!(
        count(|kind| matches!(kind, WriteKind::Insert { .. })),
        counters.inserted + side.hidden_inserted + side.dumpster_inserted
    );
    assert_eq!(count(|kind| matches!(kind, WriteKind::Replace(_))), counters.replaced);
    assert_eq!(count(|kind| matches!(kind, WriteKind::MarkRead(_))), side.read_flags);
    for write in &plan.writes {
        let folder = &plan.folders[write.folder as usize];
        let has_place = !matches!(folder.target, FolderTarget::None);
        assert!(has_place || !matches!(write.kind, WriteKind::Insert { .. }), "{write:?}");
    }
    let new = plan.folders.iter().filter(|f| matches!(f.target, FolderTarget::New { .. }));
    assert_eq!(new.count() as u64, side.folders_created);
}

/// Runs the job: what is done is what was planned.
pub fn run_once(volume: &MemoryVolume, options: &Options) -> MailboxPlan {
    let first = plan(volume, options);
    let report = run(volume, options, WritePath::Plain, 1);
    assert_eq!(report.counters, first.counters, "what is done is what was planned");
    first
}

/// Runs the job and plans again: a second run has nothing to do (Z1). Answers the first plan.
pub fn run_twice(volume: &MemoryVolume, options: &Options) -> MailboxPlan {
    let first = run_once(volume, options);
    let second = plan(volume, options);
    assert_eq!(second.writes, [], "{:#?}", second.folders);
    assert_eq!(second.counters.scanned, first.counters.scanned);
    assert_eq!(second.side.folders_created, 0);
    first
}

pub fn find<'p>(plan: &'p MailboxPlan, path: &str) -> &'p FolderPlan {
    let found = plan.folders.iter().find(|folder| folder.path == path);
    found.unwrap_or_else(|| panic!("no {path} in {:#?}", plan.folders))
}

/// How a folder was matched, and the name of the one that is made for it, if so.
pub fn fate(plan: &MailboxPlan, path: &str) -> (FolderMatch, String) {
    let folder = find(plan, path);
    let name = match &folder.target {
        FolderTarget::New { folder, .. } => format!("+{}", folder.name),
        FolderTarget::Existing(id) => id.to_string(),
        FolderTarget::Role(role) => role.word().to_owned(),
        FolderTarget::None => String::new(),
    };
    (folder.matched, name)
}

/// Changes rows of a closed store behind its back, in a way that the pair of files still fits.
pub fn tamper(volume: &MemoryVolume, store: &str, change: impl FnOnce(&mut DatabaseWriter)) {
    let mut writer = DatabaseWriter::open(Arc::new(volume.clone()), Path::new(store)).unwrap();
    change(&mut writer);
    writer.commit().unwrap();
    let dbtime = writer.forest().pager().header().dbtime();
    writer.close().unwrap();
    let stm = store.replace(".edb", ".stm");
    let mut bytes = volume.file_bytes(&stm).unwrap();
    let mut header = DbHeader::decode(&bytes[..4096]).unwrap();
    header.set_dbtime(dbtime);
    let page = header.encode();
    bytes[..4096].copy_from_slice(&page);
    bytes[4096..8192].copy_from_slice(&page);
    overwrite(volume, &stm, &bytes);
}

/// Sets columns of the row with this key.
pub fn set(
    volume: &MemoryVolume,
    store: &str,
    table: &str,
    key: &[&[u8]],
    values: &[(&str, Option<&[u8]>)],
) {
    tamper(volume, store, |writer| {
        let named = NamedTable::new(writer.table(table).unwrap());
        let key: Vec<_> = key.iter().map(|part| Some(*part)).collect();
        let bookmark = named.key(&key).unwrap();
        let place = |name: &str| named.def().columns.iter().position(|c| c.name == name).unwrap();
        let values: Vec<_> = values
            .iter()
            .map(|(name, value)| (place(name), value.map_or(FieldValue::Null, FieldValue::Bytes)))
            .collect();
        writer.update(named.def(), &bookmark, &values).unwrap();
    });
}

/// Gives a folder another name, as a client does.
pub fn rename(volume: &MemoryVolume, store: &str, folder: FolderId, name: &str) {
    let wide = dialtone::mapi::to_utf16le(name);
    let mut key = dialtone::mapi::to_utf16le(&dialtone::store::fold_name(name));
    key.truncate(64);
    let values = [("U3001", Some(&wide[..])), ("N7e26", Some(&key[..]))];
    set(volume, store, "Folders", &[&folder.to_store()], &values);
}

/// Makes the target a copy of the source, as a restored backup is one.
pub fn copy_source_to_target(volume: &MemoryVolume) {
    for end in [".edb", ".stm"] {
        let bytes = volume.file_bytes(SOURCE.replace(".edb", end)).unwrap();
        overwrite(volume, TARGET.replace(".edb", end), &bytes);
    }
}

pub fn reopen(volume: &MemoryVolume, store: &str) -> StoreWriter {
    assert_ne!(Path::new(store), path());
    let mut writer = StoreWriter::open(Arc::new(volume.clone()), Path::new(store)).unwrap();
    writer.set_now(NOW);
    writer
}
