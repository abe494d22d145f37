//! What a store holds, read: the same view of a store opened for reading and of one being written.
//!
//! Every value that is answered has been checked. Walks go on behind damage: a visitor gets an error in place of what cannot
//! be read. Counters are those of the last flush.

use crate::ese::error::{EseError, EseResult, Refusal};
use crate::ese::table::database::Table;
use crate::ese::table::fields::VALUE_BYTES_MAX;
use crate::ese::txn::Pages;
use crate::mapi::{
    FileTime, FolderId, InstanceId, MailboxGuid, ReplGuid, ReplId, SearchKey, StoreGuid,
};
use crate::stm::{Fields, Owner, StmFile, StreamReader};

use super::codec::{Ids, fold_name, name_key};
use super::content::{Attachment, Content, ContentLinks};
use super::folder::{Folder, FolderTree, split_path};
use super::item::{Item, ItemId};
use super::mailbox::{Mailbox, dn_key};
use super::roles::Role;
use super::scan::{self, IndexScan};
use super::schema::{Tables, columns as col};

/// Identity and counters of a store (`Global`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreInfo {
    /// The store's GUID.
    pub store: StoreGuid,
    /// The GUID of the replica that issues its ids.
    pub replica: ReplGuid,
    /// What that replica is called in ids.
    pub local_replica: ReplId,
    /// The next id to be issued.
    pub next_id: u64,
    /// The next change number to be issued.
    pub next_change: u64,
    /// Version of the schema.
    pub schema_version: i32,
}

/// What a store holds.
#[derive(Debug)]
pub struct View<'s, P: Pages + ?Sized> {
    pub(super) pages: &'s P,
    pub(super) tables: &'s Tables,
    pub(super) stm: &'s StmFile,
}

impl<P: Pages + ?Sized> Clone for View<'_, P> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<P: Pages + ?Sized> Copy for View<'_, P> {}

impl<'s, P: Pages + ?Sized> View<'s, P> {
    /// The pages it looks at.
    pub fn pages(&self) -> &'s P {
        self.pages
    }

    /// The same store, its pages seen through `pages`, a layer over [`Self::pages`].
    pub fn through<Q: Pages + ?Sized>(&self, pages: &'s Q) -> View<'s, Q> {
        View { pages, tables: self.tables, stm: self.stm }
    }
}

/// Called with each thing found, or the error in its place; its own error ends the walk.
pub type Visit<'v, T> = &'v mut dyn FnMut(EseResult<T>) -> EseResult<()>;

impl<'s, P: Pages + ?Sized> View<'s, P> {
    /// Identity and counters.
    ///
    /// # Errors
    /// [`EseError::Corrupt`] when the row is missing or broken.
    pub fn info(&self) -> EseResult<StoreInfo> {
        let key = self.tables.global.key(&[Some(&1i32.to_le_bytes())])?;
        let read = |fields: &Fields<'_, '_, P>| {
            let counter = |column: &str| {
                let value = fields.i64(column)?;
                u64::try_from(value)
                    .map_err(|_| fields.corrupt(column, format!("{value} is no counter")))
            };
            let replica = fields.i32(col::LOCAL_REPLICA)?;
            let local_replica = u16::try_from(replica).map(ReplId).map_err(|_| {
                fields.corrupt(col::LOCAL_REPLICA, format!("{replica} is no replica id"))
            })?;
            Ok(StoreInfo {
                store: StoreGuid(fields.guid(col::STORE_GUID)?),
                replica: ReplGuid(fields.guid(col::REPL_GUID)?),
                local_replica,
                next_id: counter(col::NEXT_ID)?,
                next_change: counter(col::NEXT_CHANGE)?,
                schema_version: fields.i32(col::SCHEMA_VERSION)?,
            })
        };
        let info = scan::row(self.pages, &self.tables.global, &key, read)?;
        let missing = || EseError::corrupt_bytes("the store's own row is missing");
        info.ok_or_else(|| missing().in_object("Global").in_file(self.pages.path()))
    }

    /// Every mailbox, in the order of their root folders.
    ///
    /// # Errors
    /// [`EseError::Io`]; what `visit` reports.
    pub fn each_mailbox(&self, visit: Visit<'_, Mailbox>) -> EseResult<()> {
        scan::rows(self.pages, &self.tables.mailbox, &[], &mut |fields| {
            visit(fields.and_then(|fields| Mailbox::read(&fields)))
        })
    }

    /// All mailboxes; the first damage is an error.
    ///
    /// # Errors
    /// As [`Self::each_mailbox`].
    pub fn mailboxes(&self) -> EseResult<Vec<Mailbox>> {
        let mut all = Vec::new();
        self.each_mailbox(&mut |mailbox| {
            all.push(mailbox?);
            Ok(())
        })?;
        Ok(all)
    }

    /// The mailbox with this GUID.
    ///
    /// # Errors
    /// [`EseError::Corrupt`], [`EseError::Io`].
    pub fn mailbox(&self, guid: MailboxGuid) -> EseResult<Option<Mailbox>> {
        let table = &self.tables.mailbox;
        let prefix = table.index_key("MailboxGuid", &[Some(guid.as_bytes())])?;
        let Some(key) = IndexScan::new(self.pages, table, "MailboxGuid", prefix)?.next()? else {
            return Ok(None);
        };
        scan::row(self.pages, table, &key, |fields| Mailbox::read(fields))
    }

    /// The mailboxes whose owner has this distinguished name; case does not count.
    ///
    /// # Errors
    /// As [`Self::mailbox`].
    pub fn mailboxes_by_dn(&self, dn: &str) -> EseResult<Vec<Mailbox>> {
        let table = &self.tables.mailbox;
        let prefix = table.index_key("MailboxDN", &[Some(&dn_key(dn))])?;
        let mut entries = IndexScan::new(self.pages, table, "MailboxDN", prefix)?;
        let mut found = Vec::new();
        while let Some(key) = entries.next()? {
            let mailbox = scan::row(self.pages, table, &key, |fields| Mailbox::read(fields))?;
            let is_same =
                |mailbox: &Mailbox| mailbox.profile.dn.to_uppercase() == dn.to_uppercase();
            found.extend(mailbox.filter(is_same));
        }
        Ok(found)
    }

    /// The mailbox that a person means: by GUID, distinguished name or display name.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] when there is none; [`Refusal::BadRequest`] when several have the name.
    pub fn find_mailbox(&self, wanted: &str) -> EseResult<Mailbox> {
        if let Ok(guid) = wanted.parse::<MailboxGuid>()
            && let Some(mailbox) = self.mailbox(guid)?
        {
            return Ok(mailbox);
        }
        let mut found = if wanted.is_empty() { Vec::new() } else { self.mailboxes_by_dn(wanted)? };
        if found.is_empty() {
            let name = fold_name(wanted);
            self.each_mailbox(&mut |mailbox| {
                found.extend(mailbox.ok().filter(|m| fold_name(&m.profile.name) == name));
                Ok(())
            })?;
        }
        let refuse = |refusal, reason: String| {
            Err(EseError::refused(refusal, reason).in_file(self.pages.path()))
        };
        match (found.pop(), found.len()) {
            (Some(mailbox), 0) => Ok(mailbox),
            (Some(_), others) => {
                let reason = format!("{} mailboxes are called {wanted}; use the GUID", others + 1);
                refuse(Refusal::BadRequest, reason)
            }
            (None, _) => refuse(Refusal::NotFound, format!("there is no mailbox {wanted}")),
        }
    }

    /// The folder with this id.
    ///
    /// # Errors
    /// [`EseError::Corrupt`], [`EseError::Io`].
    pub fn folder(&self, id: FolderId) -> EseResult<Option<Folder>> {
        let key = self.tables.folders.key(&[Some(&id.to_store())])?;
        scan::row(self.pages, &self.tables.folders, &key, |fields| Folder::read(fields))
    }

    /// Every folder of every mailbox, in the order of their ids.
    ///
    /// # Errors
    /// As [`Self::each_mailbox`].
    pub fn each_folder(&self, visit: Visit<'_, Folder>) -> EseResult<()> {
        scan::rows(self.pages, &self.tables.folders, &[], &mut |fields| {
            visit(fields.and_then(|fields| Folder::read(&fields)))
        })
    }

    /// The folders of the mailbox with this root as a tree; the first damage is an error.
    ///
    /// # Errors
    /// [`EseError::Corrupt`], [`EseError::Io`].
    pub fn folders(&self, root: FolderId) -> EseResult<FolderTree> {
        let mut folders = Vec::new();
        self.each_by_index("FoldersRoot", &[Some(&root.to_store())], &mut |folder| {
            folders.push(folder?);
            Ok(())
        })?;
        Ok(FolderTree::new(root, folders))
    }

    /// The folders that can be read, and the errors of those that cannot.
    ///
    /// # Errors
    /// [`EseError::Corrupt`] when the index itself is damaged; [`EseError::Io`].
    pub fn folders_readable(
        &self,
        root: FolderId,
        lost: &mut Vec<EseError>,
    ) -> EseResult<FolderTree> {
        let mut folders = Vec::new();
        self.each_by_index("FoldersRoot", &[Some(&root.to_store())], &mut |folder| {
            match folder {
                Ok(folder) => folders.push(folder),
                Err(error) => lost.push(error),
            }
            Ok(())
        })?;
        Ok(FolderTree::new(root, folders))
    }

    /// The folder of that name in `parent`; names compare as [`fold_name`] says.
    ///
    /// # Errors
    /// [`EseError::Corrupt`], [`EseError::Io`].
    pub fn subfolder(&self, parent: FolderId, name: &str) -> EseResult<Option<Folder>> {
        let folded = fold_name(name);
        let key = name_key(name);
        let mut found = None;
        let values = [Some(&parent.to_store()[..]), Some(&key[..])];
        self.each_by_index("FoldersParent", &values, &mut |folder| {
            let folder = folder?;
            if found.is_none() && fold_name(&folder.name) == folded {
                found = Some(folder);
            }
            Ok(())
        })?;
        Ok(found)
    }

    fn each_by_index(
        &self,
        index: &str,
        values: &[Option<&[u8]>],
        visit: Visit<'_, Folder>,
    ) -> EseResult<()> {
        let table = &self.tables.folders;
        let prefix = table.index_key(index, values)?;
        let mut entries = IndexScan::new(self.pages, table, index, prefix)?;
        let reader = Table::new(self.pages, table.def()).fields(scan::VALUE_CAP_BYTES);
        let mut rows = Table::new(self.pages, table.def()).rows();
        while let Some(key) = entries.next()? {
            let folder = rows.find(&key).and_then(|found| match rows.row()?.filter(|_| found) {
                Some(row) => Folder::read(&Fields::new(row, table, &reader)).map(Some),
                None => Ok(None),
            });
            match folder.transpose() {
                Some(Err(error @ EseError::Io(_))) => return Err(error),
                Some(folder) => visit(folder)?,
                None => {}
            }
        }
        Ok(())
    }

    /// The folder at a path of names below the IPM subtree, or of a well-known role (`#inbox#`, `#inbox#/Sub`); the empty path is
    /// the subtree itself.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] naming the part that is not there.
    pub fn folder_at(&self, mailbox: &Mailbox, path: &str) -> EseResult<Folder> {
        let missing = |name: &str| {
            let reason =
                format!("there is no folder {name} in the mailbox {}", mailbox.profile.name);
            EseError::refused(Refusal::NotFound, reason).in_file(self.pages.path())
        };
        let mut names = split_path(path);
        let mut role = Role::IpmSubtree;
        let first = names.first().and_then(|name| name.strip_prefix('#')?.strip_suffix('#'));
        if let Some(word) = first {
            let word = word.to_lowercase();
            role = Role::all().find(|role| role.word() == word).ok_or_else(|| missing(path))?;
            names.remove(0);
        }
        let roles = self.roles(mailbox)?;
        let top = roles.iter().find(|(known, _)| *known == role).map(|(_, folder)| *folder);
        let top = top.map(|id| self.folder(id)).transpose()?.flatten();
        let mut folder = top.ok_or_else(|| missing(role.default_name()))?;
        for name in names {
            folder = self.subfolder(folder.id, &name)?.ok_or_else(|| missing(&name))?;
        }
        Ok(folder)
    }

    /// What a content row points at.
    pub(super) fn content_links(&self, instance: InstanceId) -> EseResult<ContentLinks> {
        let key = self.tables.contents.key(&[Some(&instance.to_store())])?;
        let links =
            scan::row(self.pages, &self.tables.contents, &key, |fields| Content::of_links(fields))?;
        links.ok_or_else(|| self.missing("content", instance))
    }

    /// The item with this id.
    ///
    /// # Errors
    /// [`EseError::Corrupt`], [`EseError::Io`].
    pub fn item(&self, id: ItemId) -> EseResult<Option<Item>> {
        let values = [Some(&id.folder.to_store()[..]), Some(&id.message.to_store()[..])];
        let key = self.tables.items.key(&values)?;
        scan::row(self.pages, &self.tables.items, &key, |fields| Item::read(fields))
    }

    /// Every item of a folder, soft-deleted and hidden ones too, in the order of their ids.
    ///
    /// # Errors
    /// As [`Self::each_mailbox`].
    pub fn each_item(&self, folder: FolderId, visit: Visit<'_, Item>) -> EseResult<()> {
        let prefix = self.tables.items.key(&[Some(&folder.to_store())])?;
        scan::rows(self.pages, &self.tables.items, &prefix, &mut |fields| {
            visit(fields.and_then(|fields| Item::read(&fields)))
        })
    }

    /// The ordinary items of a folder, the newest first, soft-deleted ones left out.
    ///
    /// # Errors
    /// As [`Self::each_mailbox`].
    pub fn each_item_by_date(&self, folder: FolderId, visit: Visit<'_, Item>) -> EseResult<()> {
        let table = &self.tables.items;
        let values = [Some(&folder.to_store()[..]), Some(&[0][..])];
        let prefix = table.index_key("MsgFolderIndex7", &values)?;
        let mut entries = IndexScan::new(self.pages, table, "MsgFolderIndex7", prefix)?;
        while let Some(key) = entries.next()? {
            match scan::row(self.pages, table, &key, |fields| Item::read(fields)) {
                Ok(item) => {
                    if let Some(item) = item.filter(|item| item.deleted_on.is_none()) {
                        visit(Ok(item))?;
                    }
                }
                Err(error @ EseError::Io(_)) => return Err(error),
                Err(error) => visit(Err(error))?,
            }
        }
        Ok(())
    }

    /// The items with this search key anywhere in the mailbox with this root.
    ///
    /// # Errors
    /// [`EseError::Corrupt`], [`EseError::Io`].
    pub fn items_by_key(&self, root: FolderId, key: SearchKey) -> EseResult<Vec<Item>> {
        let table = &self.tables.items;
        let values = [Some(&root.to_store()[..]), Some(&key.0[..])];
        let prefix = table.index_key("MsgFolderIdentity", &values)?;
        let mut entries = IndexScan::new(self.pages, table, "MsgFolderIdentity", prefix)?;
        let mut found = Vec::new();
        while let Some(key) = entries.next()? {
            found.extend(scan::row(self.pages, table, &key, |fields| Item::read(fields))?);
        }
        Ok(found)
    }

    /// A content row.
    ///
    /// # Errors
    /// [`EseError::Corrupt`], [`EseError::Io`].
    pub fn content(&self, instance: InstanceId) -> EseResult<Option<Content>> {
        let key = self.tables.contents.key(&[Some(&instance.to_store())])?;
        scan::row(self.pages, &self.tables.contents, &key, |fields| Content::read(fields))
    }

    /// The contents with this delivery time and search key: what may be the same mail.
    ///
    /// # Errors
    /// [`EseError::Corrupt`], [`EseError::Io`].
    pub fn contents_by_key(
        &self,
        delivered: Option<FileTime>,
        key: SearchKey,
    ) -> EseResult<Vec<Content>> {
        let table = &self.tables.contents;
        let time = delivered.map(|FileTime(time)| time.to_le_bytes());
        let values = [time.as_ref().map(|time| &time[..]), Some(&key.0[..])];
        let prefix = table.index_key("MsgShare", &values)?;
        let mut entries = IndexScan::new(self.pages, table, "MsgShare", prefix)?;
        let mut found = Vec::new();
        while let Some(key) = entries.next()? {
            found.extend(scan::row(self.pages, table, &key, |fields| Content::read(fields))?);
        }
        Ok(found)
    }

    /// An attachment row.
    ///
    /// # Errors
    /// [`EseError::Corrupt`], [`EseError::Io`].
    pub fn attachment(&self, instance: InstanceId) -> EseResult<Option<Attachment>> {
        let key = self.tables.attachments.key(&[Some(&instance.to_store())])?;
        scan::row(self.pages, &self.tables.attachments, &key, |fields| Attachment::read(fields))
    }

    /// The data of an attachment, wherever it is.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] when there is no such attachment; [`EseError::Corrupt`], [`EseError::Io`].
    pub fn attachment_data(&self, instance: InstanceId) -> EseResult<Vec<u8>> {
        let attachment = self.attachment(instance)?;
        let attachment = attachment.ok_or_else(|| self.missing("attachment", instance))?;
        if let Some(stream) = &attachment.stream {
            let owner = self.owner(&self.tables.attachments, col::DATA_STREAM, instance)?;
            return self.streams().read_to_vec(stream, &owner);
        }
        self.value(&self.tables.attachments, col::DATA, instance)
    }

    /// A value of any length of a content or attachment row; empty when there is none.
    pub(super) fn value(
        &self,
        table: &crate::stm::NamedTable,
        column: &str,
        instance: InstanceId,
    ) -> EseResult<Vec<u8>> {
        let key = table.key(&[Some(&instance.to_store())])?;
        let opened = Table::new(self.pages, table.def());
        let reader = opened.fields(VALUE_BYTES_MAX);
        let mut rows = opened.rows();
        if !rows.find(&key)? {
            return Err(self.missing(&table.def().name, instance));
        }
        match rows.row()? {
            Some(row) => Fields::new(row, table, &reader).bytes_or_empty(column),
            None => Ok(Vec::new()),
        }
    }

    /// A body of a mail in MAPI form as stored, or nothing.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] when there is no such content; [`EseError::Corrupt`], [`EseError::Io`].
    pub fn body(&self, instance: InstanceId, body: Body) -> EseResult<Vec<u8>> {
        self.value(&self.tables.contents, body.column(), instance)
    }

    /// The MIME of a mail that is stored as such; `None` for one in MAPI form.
    ///
    /// # Errors
    /// [`EseError::Corrupt`] when a page is damaged or belongs to something else, [`EseError::Io`].
    pub fn mime(&self, content: &Content) -> EseResult<Option<Vec<u8>>> {
        let Some(stream) = &content.stream else { return Ok(None) };
        let owner = self.owner(&self.tables.contents, col::STREAM, content.instance)?;
        self.streams().read_to_vec(stream, &owner).map(Some)
    }

    /// Gives the MIME of a mail to `sink` piece by piece; false for one in MAPI form.
    ///
    /// # Errors
    /// As [`Self::mime`]; what `sink` reports.
    pub fn each_mime_part(
        &self,
        content: &Content,
        sink: &mut dyn FnMut(&[u8]) -> EseResult<()>,
    ) -> EseResult<bool> {
        let Some(stream) = &content.stream else { return Ok(false) };
        let owner = self.owner(&self.tables.contents, col::STREAM, content.instance)?;
        self.streams().read(stream, &owner, sink)?;
        Ok(true)
    }

    /// A reader of streams.
    pub fn streams(&self) -> StreamReader<'s, P> {
        StreamReader::new(self.pages, &self.tables.stm, self.stm)
    }

    pub(super) fn owner(
        &self,
        table: &crate::stm::NamedTable,
        column: &str,
        instance: InstanceId,
    ) -> EseResult<Owner> {
        owner_of(table, column, instance)
    }

    pub(super) fn missing(&self, what: &str, id: impl std::fmt::Display) -> EseError {
        let reason = format!("there is no {what} {id}");
        EseError::refused(Refusal::NotFound, reason).in_file(self.pages.path())
    }
}

/// The owner that the pages of a stream in this row are listed for.
pub(super) fn owner_of(
    table: &crate::stm::NamedTable,
    column: &str,
    instance: InstanceId,
) -> EseResult<Owner> {
    Ok(Owner {
        table: table.def().objid.0,
        column: table.column(column)?.fid.0.into(),
        key: instance.to_store().to_vec(),
    })
}

/// Which body of a mail in MAPI form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    /// Text, as UTF-16LE.
    Text,
    /// HTML, as bytes in the code page of the row.
    Html,
    /// Compressed RTF.
    Rtf,
    /// The header block, as UTF-16LE.
    TransportHeaders,
}

impl Body {
    pub(super) fn column(self) -> &'static str {
        match self {
            Self::Text => col::BODY,
            Self::Html => col::BODY_HTML,
            Self::Rtf => col::BODY_RTF,
            Self::TransportHeaders => col::TRANSPORT_HEADERS,
        }
    }
}
