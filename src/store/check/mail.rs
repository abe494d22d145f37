//! Mailboxes, folders, items, contents and attachments against each other.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::ese::error::{EseError, EseResult};
use crate::ese::txn::DatabaseFile;
use crate::mapi::{FolderId, GlobCnt, InstanceId, ReplId};

use super::Report;
use super::streams::Streams;
use crate::store::content::{Attachment, Content, Form};
use crate::store::counts::{FolderCounts, ItemWeight};
use crate::store::folder::{Folder, FolderKind, FolderTree};
use crate::store::item::Item;
use crate::store::mailbox::Mailbox;
use crate::store::read::Store;
use crate::store::scan;
use crate::store::schema::columns as col;
use crate::store::view::{StoreInfo, View};

/// What is known of a content, and how often it was met.
#[derive(Debug, Clone, Copy, Default)]
struct ContentFacts {
    references: i64,
    soft_references: i64,
    bytes: i64,
    recipients: i64,
    attachments: i64,
    live: i64,
    soft: i64,
}

/// What is known of a folder, and what its items add up to.
struct FolderFacts {
    folder: Folder,
    counted: FolderCounts,
    subfolders: i64,
    last_article: i32,
}

/// The check of one store.
struct Check<'c, 'r> {
    view: View<'c, DatabaseFile>,
    info: Option<StoreInfo>,
    replicas: HashSet<ReplId>,
    contents: HashMap<InstanceId, ContentFacts>,
    attachments: HashMap<InstanceId, (i64, i64)>,
    folders: BTreeMap<FolderId, FolderFacts>,
    report: &'c mut Report<'r>,
}

/// Checks the mail of a store; answers the streams that its rows refer to.
pub(super) fn check(store: &Store, report: &mut Report<'_>) -> EseResult<Streams> {
    let view = store.view();
    let mut check = Check {
        view,
        info: None,
        replicas: HashSet::new(),
        contents: HashMap::new(),
        attachments: HashMap::new(),
        folders: BTreeMap::new(),
        report,
    };
    check.names()?;
    let mut streams = Streams::default();
    check.gather_contents(&mut streams)?;
    check.gather_attachments(&mut streams)?;
    check.gather_folders()?;
    check.items()?;
    check.folder_counts();
    check.mailboxes()?;
    check.references();
    Ok(streams)
}

/// Passes errors of the machine on; everything else is told.
fn told<T>(report: &mut Report<'_>, object: &str, result: EseResult<T>) -> EseResult<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error @ EseError::Io(_)) => Err(error),
        Err(error) => {
            report.unreadable(object, &error);
            Ok(None)
        }
    }
}

impl Check<'_, '_> {
    fn names(&mut self) -> EseResult<()> {
        self.info = told(self.report, "Global", self.view.info())?;
        let replicas = told(self.report, "ReplidMap", self.view.replicas())?.unwrap_or_default();
        if let Some(info) = self.info {
            let is_known = replicas.contains(&(info.local_replica, info.replica));
            if !is_known {
                let replica = info.local_replica.0;
                let message = format!("the store's own replica {replica:X} is not listed");
                self.report.error("replica", "ReplidMap", message);
            }
        }
        self.replicas = replicas.into_iter().map(|(id, _)| id).collect();
        Ok(())
    }

    /// Ids must come from a replica that is listed, and below the next one to be issued.
    fn id(&mut self, object: &str, replica: ReplId, counter: GlobCnt) {
        if !self.replicas.contains(&replica) {
            let message = format!("an id of replica {:X}, which is not listed", replica.0);
            self.report.error("replica", object, message);
        }
        let next = self.info.filter(|info| info.local_replica == replica).map(|info| info.next_id);
        if next.is_some_and(|next| counter.get() >= next) {
            let message = format!("the id {:X} is to be issued yet", counter.get());
            self.report.error("counter", object, message);
        }
    }

    fn change(&mut self, object: &str, change: Option<crate::mapi::ChangeNumber>) {
        let (Some(change), Some(info)) = (change, self.info) else { return };
        if change.replica == info.local_replica && change.counter.get() >= info.next_change {
            let message = format!("the change {change} is to be issued yet");
            self.report.error("counter", object, message);
        }
    }

    fn gather_contents(&mut self, streams: &mut Streams) -> EseResult<()> {
        let (view, tables) = (self.view, self.view.tables);
        scan::rows(view.pages, &tables.contents, &[], &mut |fields| {
            let content = fields.and_then(|fields| Content::read(&fields));
            let Some(content) = told(self.report, "Msg", content)? else { return Ok(()) };
            self.report.summary.contents += 1;
            self.content(&content);
            if let Some(stream) = &content.stream {
                let owner = view.owner(&tables.contents, col::STREAM, content.instance)?;
                streams.expect(stream, &owner, self.report);
            }
            Ok(())
        })
    }

    fn content(&mut self, content: &Content) {
        let instance = content.instance;
        let object = format!("content {instance}");
        self.id(&object, instance.replica, instance.counter);
        let has_stream = content.stream.is_some();
        if has_stream != (content.form == Form::Mime) {
            let message = format!("form {:?}, but a stream: {has_stream}", content.form);
            self.report.error("form", &object, message);
        }
        if let Some(stream) = &content.stream {
            let length = i64::try_from(stream.len_bytes()).unwrap_or(i64::MAX);
            self.report.compare("size", &object, "size of the stream", content.bytes, length);
        }
        for attachment in &content.attachments {
            self.attachments.entry(*attachment).or_default().1 += 1;
        }
        let facts = ContentFacts {
            references: content.references,
            soft_references: content.soft_references,
            bytes: content.bytes,
            recipients: content.recipient_count,
            attachments: content.attachment_count,
            ..ContentFacts::default()
        };
        self.contents.insert(instance, facts);
    }

    fn gather_attachments(&mut self, streams: &mut Streams) -> EseResult<()> {
        let (view, tables) = (self.view, self.view.tables);
        let mut found = HashSet::new();
        scan::rows(view.pages, &tables.attachments, &[], &mut |fields| {
            let row = fields.and_then(|fields| Attachment::read(&fields));
            let Some(row) = told(self.report, "1-23", row)? else { return Ok(()) };
            self.report.summary.attachments += 1;
            found.insert(row.instance);
            self.attachment(&row);
            if let Some(stream) = &row.stream {
                let owner = view.owner(&tables.attachments, col::DATA_STREAM, row.instance)?;
                streams.expect(stream, &owner, self.report);
            }
            Ok(())
        })?;
        for instance in self.attachments.keys().filter(|instance| !found.contains(instance)) {
            let message = "a content holds it, but there is no such row";
            self.report.error("reference", format!("attachment {instance}"), message);
        }
        Ok(())
    }

    fn attachment(&mut self, row: &Attachment) {
        let object = format!("attachment {}", row.instance);
        self.id(&object, row.instance.replica, row.instance.counter);
        let counted = self.attachments.get(&row.instance).map_or(0, |(_, counted)| *counted);
        if counted == 0 {
            self.report.error("orphan", &object, "no content holds it");
        }
        self.report.compare("reference", &object, "references", row.references, counted);
        let Some(embedded) = row.embedded else { return };
        match self.contents.get_mut(&embedded) {
            Some(content) => content.live += 1,
            None => {
                let message = format!("the embedded mail {embedded} is missing");
                self.report.error("reference", &object, message);
            }
        }
    }

    fn gather_folders(&mut self) -> EseResult<()> {
        let view = self.view;
        view.each_folder(&mut |folder| {
            let Some(folder) = told(self.report, "Folders", folder)? else { return Ok(()) };
            self.report.summary.folders += 1;
            let object = name_of(&folder);
            self.id(&object, folder.id.replica, folder.id.counter);
            self.change(&object, folder.change);
            let counted = FolderCounts::default();
            let facts = FolderFacts { folder, counted, subfolders: 0, last_article: 0 };
            self.folders.insert(facts.folder.id, facts);
            Ok(())
        })?;
        let parents: Vec<(FolderId, FolderId, FolderId)> = self
            .folders
            .values()
            .filter_map(|f| f.folder.parent.map(|parent| (f.folder.id, parent, f.folder.root)))
            .collect();
        for (id, parent, root) in parents {
            match self.folders.get_mut(&parent) {
                Some(above) if above.folder.root == root => above.subfolders += 1,
                Some(_) => self.folder_error("parent", id, "lies in a folder of another mailbox"),
                None => self.folder_error("parent", id, "lies in a folder that does not exist"),
            }
        }
        Ok(())
    }

    fn folder_error(&mut self, rule: &'static str, id: FolderId, message: &str) {
        let object = self.folders.get(&id).map_or(id.to_string(), |f| name_of(&f.folder));
        self.report.error(rule, object, message);
    }

    fn items(&mut self) -> EseResult<()> {
        let view = self.view;
        scan::rows(view.pages, &view.tables.items, &[], &mut |fields| {
            let item = fields.and_then(|fields| Item::read(&fields));
            if let Some(item) = told(self.report, "MsgFolder", item)? {
                self.report.summary.items += 1;
                self.item(&item);
            }
            Ok(())
        })
    }

    fn item(&mut self, item: &Item) {
        let object = format!("item {} of folder {}", item.id.message, item.id.folder);
        self.id(&object, item.id.message.replica, item.id.message.counter);
        self.change(&object, item.change);
        let facts = self.contents.get_mut(&item.instance).map(|content| {
            let counter =
                if item.deleted_on.is_some() { &mut content.soft } else { &mut content.live };
            *counter += 1;
            *content
        });
        match facts {
            Some(content) => {
                self.report.compare("size", &object, "size", item.bytes, content.bytes);
            }
            None => {
                let message = format!("its content {} is missing", item.instance);
                self.report.error("reference", &object, message);
            }
        }
        let Some(folder) = self.folders.get_mut(&item.id.folder) else {
            self.report.error("orphan", &object, "there is no such folder");
            return;
        };
        let content = facts.unwrap_or_default();
        let weight = ItemWeight {
            recipients: content.recipients,
            attachments: content.attachments,
            ..weight_of(item)
        };
        folder.counted.count(&weight, 1);
        folder.last_article = folder.last_article.max(item.article);
        if folder.folder.root != item.root {
            let message = format!("says that its mailbox is {}", item.root);
            self.report.error("root", &object, message);
        }
    }

    fn folder_counts(&mut self) {
        for facts in self.folders.values() {
            let folder = &facts.folder;
            // Links of search folders are dropped and made again; they count nothing.
            if folder.kind == FolderKind::Search {
                continue;
            }
            let object = name_of(folder);
            let counters = folder.counts.named().into_iter().zip(facts.counted.named());
            for ((what, stored), (_, counted)) in counters {
                self.report.compare("count", &object, what, stored, counted);
            }
            self.report.compare(
                "count",
                &object,
                "subfolders",
                folder.subfolders,
                facts.subfolders,
            );
            if facts.last_article >= folder.next_article {
                let (last, next) = (facts.last_article, folder.next_article);
                let message = format!("article {last} exists, the next one would be {next}");
                self.report.error("counter", &object, message);
            }
        }
    }

    fn mailboxes(&mut self) -> EseResult<()> {
        let mut mailboxes = Vec::new();
        self.view.each_mailbox(&mut |mailbox| {
            mailboxes.extend(told(self.report, "Mailbox", mailbox)?);
            Ok(())
        })?;
        let mut by_root: HashMap<FolderId, Vec<Folder>> = HashMap::new();
        for facts in self.folders.values() {
            by_root.entry(facts.folder.root).or_default().push(facts.folder.clone());
        }
        for mailbox in &mailboxes {
            self.report.summary.mailboxes += 1;
            let folders = by_root.remove(&mailbox.root).unwrap_or_default();
            self.mailbox(mailbox, folders);
        }
        for folders in by_root.values() {
            for folder in folders {
                self.report.error("orphan", name_of(folder), "belongs to no mailbox");
            }
        }
        Ok(())
    }

    fn mailbox(&mut self, mailbox: &Mailbox, folders: Vec<Folder>) {
        let object = format!("mailbox {}", mailbox.profile.guid);
        let mut sum = FolderCounts::default();
        folders.iter().for_each(|folder| sum.add(&folder.counts));
        let items = sum.normal.items + sum.associated.items;
        let deleted = sum.normal.deleted_items + sum.associated.deleted_items;
        self.report.compare("count", &object, "size", mailbox.bytes, sum.bytes());
        self.report.compare("count", &object, "items", mailbox.items, items);
        self.report.compare("count", &object, "deleted items", mailbox.deleted_items, deleted);
        for folder in &mailbox.logon_folders {
            if folders.iter().all(|known| known.id != *folder) {
                let message = format!("the logon folder {folder} is missing");
                self.report.error("role", &object, message);
            }
        }
        if mailbox.logon_folders.len() != crate::store::LOGON_ROLES.len() {
            let message = format!("{} logon folders", mailbox.logon_folders.len());
            self.report.error("role", &object, message);
        }
        for orphan in FolderTree::new(mailbox.root, folders).orphans() {
            let message = "has no way to the root of its mailbox";
            self.report.error("parent", name_of(orphan), message);
        }
    }

    fn references(&mut self) {
        for (instance, content) in &self.contents {
            let object = format!("content {instance}");
            if content.live + content.soft == 0 {
                self.report.error("orphan", &object, "nothing holds it");
                continue;
            }
            let (report, live, soft) = (&mut *self.report, content.live, content.soft);
            report.compare("reference", &object, "references", content.references, live);
            report.compare("reference", &object, "soft references", content.soft_references, soft);
        }
    }
}

fn weight_of(item: &Item) -> ItemWeight {
    ItemWeight {
        associated: item.associated,
        read: item.read,
        deleted: item.deleted_on.is_some(),
        bytes: item.bytes,
        has_attachments: item.headers.has_attachments,
        ..ItemWeight::default()
    }
}

fn name_of(folder: &Folder) -> String {
    format!("folder {} ({})", folder.id, folder.name)
}
