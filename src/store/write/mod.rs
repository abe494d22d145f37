//! A store opened for writing: one writer at a time, changes durable by commits, counters always exact.
//!
//! # How a commit goes (design section 5)
//!
//! 1. Changes of counters and references, gathered while items came and went, are put into their rows: once a folder,
//!    mailbox and content, not once an item.
//! 2. The space table of the streaming file is brought up to date, and the streaming file synced.
//! 3. The database commits.
//!
//! Closing marks the streaming file clean before the database. A call that fails after it changed something ends the
//! writer: what was not committed is gone, open the store again.
//!
//! | file | what it is for |
//! |---|---|
//! | `mod` | creating, opening, committing, closing; ids and change numbers |
//! | `flush` | counters and references into their rows |
//! | `mailboxes`, `folders`, `items`, `contents` | what they say |
//! | `names`, `columns` | replicas, named properties, the columns of properties |
//! | `transplant` | one mail, copied from another store |
//! | `parcel` | many mails at once, copied by other threads |

mod columns;
mod contents;
mod flush;
mod folders;
mod items;
mod mailboxes;
mod names;
mod parcel;
mod transplant;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::ese::error::{EseError, EseResult, Refusal};
use crate::ese::table::write::{DatabaseWriter, NewDatabase};
use crate::ese::txn::journal::journal_path;
use crate::ese::txn::{Pager, Pages};
use crate::io::{OpenMode, SyncMark, Volume};
use crate::mapi::{
    ChangeKey, ChangeNumber, FileTime, FolderId, GlobCnt, InstanceId, NamedProperty, PropName,
    PropertySetGuid,
};
use crate::stm::{Draft, StmWriter, create_stm, stm_path, verify_pair};

use super::identity::{StoreIdentity, now};
use super::read::Store;
use super::schema::{SCHEMA_VERSION, Tables, columns as col, new_tables};
use super::view::{StoreInfo, View};
use flush::{FolderChange, ReferenceChange};

pub use contents::{ATTACHMENT_ROWS_MAX, Stored};
pub use folders::NewFolder;
pub use parcel::{
    AheadFiles, Articles, Holders, Parcel, ParcelBuilder, ParcelMaps, ParcelStock, ParcelTarget,
    ParcelWish, Reservation,
};

/// Ids and change numbers below belong to the store itself. Source: exchange-store 3.3.
const FIRST_COUNTER: i64 = 0x100;

/// A store opened for writing.
#[derive(Debug)]
pub struct StoreWriter {
    pub(super) db: DatabaseWriter,
    stm: StmWriter,
    pub(super) tables: Tables,
    path: PathBuf,
    info: StoreInfo,
    /// Identity and counters as they are stored.
    stored_info: StoreInfo,
    now: FileTime,
    folders: BTreeMap<FolderId, FolderChange>,
    references: BTreeMap<InstanceId, ReferenceChange>,
    is_dead: bool,
}

impl StoreWriter {
    /// Creates an empty store, the pair of files, and opens it.
    ///
    /// # Errors
    /// [`Refusal::BadRequest`] when either file exists or the names of both are the same; [`EseError::Io`].
    pub fn create(
        volume: Arc<dyn Volume>,
        path: &Path,
        identity: &StoreIdentity,
    ) -> EseResult<Self> {
        let stm = stm_path(path);
        if stm == path {
            let reason = "a database must not end in .stm, the name of its streaming file";
            return Err(EseError::refused(Refusal::BadRequest, reason).in_file(path));
        }
        // Built under other names, so that a crash leaves no half of a store; the database gets its name last.
        let (draft, stm_draft) = (with_ending(path, ".part"), with_ending(&stm, ".part"));
        let is_leftover = is_unfinished(&*volume, path, &draft, &stm)?;
        for file in [path, &stm] {
            if volume.exists(file)? && !is_leftover {
                let reason = "the file exists already; choose another name, or remove it first";
                return Err(EseError::refused(Refusal::BadRequest, reason).in_file(file));
            }
        }
        for file in [&stm, &draft, &stm_draft, &journal_path(&draft)] {
            if volume.exists(file)? {
                volume.remove(file)?;
            }
        }
        build(&volume, &draft, identity)?;
        let header = crate::ese::txn::read_header(&*volume.open(&draft, OpenMode::Read)?)?.header;
        create_stm(&*volume, &stm_draft, &header)?;
        volume.rename(&stm_draft, &stm)?;
        volume.sync_parent(&stm)?;
        volume.rename(&draft, path)?;
        volume.sync_parent(path)?;
        Self::open(volume, path)
    }

    /// Creates an empty store with the mailboxes of another: same GUIDs, names, owners and quotas, new folders and ids.
    ///
    /// # Errors
    /// As [`Self::create`] and [`Self::add_mailbox`].
    pub fn create_like(
        volume: Arc<dyn Volume>,
        path: &Path,
        identity: &StoreIdentity,
        like: &Store,
    ) -> EseResult<Self> {
        let mailboxes = like.view().mailboxes()?;
        let mut writer = Self::create(volume, path, identity)?;
        for mailbox in mailboxes.iter().filter(|mailbox| mailbox.disconnected.is_none()) {
            writer.add_mailbox(&mailbox.profile)?;
        }
        Ok(writer)
    }

    /// Opens a store for writing. What an interrupted writer had committed is brought into place first.
    ///
    /// # Errors
    /// Those of [`Store::open`], found before anything is changed; [`crate::io::IoError::Locked`] when another writer
    /// has it; [`Refusal::Dirty`], [`Refusal::Version`].
    pub fn open(volume: Arc<dyn Volume>, path: &Path) -> EseResult<Self> {
        // The whole pair is judged before the first byte changes.
        Store::open(&*volume, path)?.view().info()?;
        let db = DatabaseWriter::open(volume.clone(), path)?;
        let tables = Tables::find(|name| db.table(name))?;
        let header = db.forest().pager().header();
        let (storage, header) = verify_pair(&*volume, &stm_path(path), header, OpenMode::Write)?;
        let stm = StmWriter::open(storage, header, tables.stm.clone(), &db)?;
        let pages = db.forest().pager();
        let info = View { pages, tables: &tables, stm: stm.file() }.info()?;
        Ok(Self {
            db,
            stm,
            tables,
            path: path.to_path_buf(),
            info,
            stored_info: info,
            now: now(),
            folders: BTreeMap::new(),
            references: BTreeMap::new(),
            is_dead: false,
        })
    }

    /// The path of the database.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Identity and counters.
    pub fn info(&self) -> &StoreInfo {
        &self.info
    }

    /// The time that changes are stamped with; the clock's when the store was opened, unless it is set.
    pub fn now(&self) -> FileTime {
        self.now
    }

    /// Sets the time that changes are stamped with.
    pub fn set_now(&mut self, now: FileTime) {
        self.now = now;
    }

    /// What the store holds, uncommitted changes included; counters and reference counts as of the last flush.
    ///
    /// # Errors
    /// [`EseError::Io`].
    pub fn view(&mut self) -> EseResult<View<'_, Pager>> {
        self.stm.flush()?;
        Ok(self.look())
    }

    /// The same for whoever reads no stream.
    fn look(&self) -> View<'_, Pager> {
        let pages = self.db.forest().pager();
        View { pages, tables: &self.tables, stm: self.stm.file() }
    }

    /// Bytes of changed pages held in memory, for deciding when to commit.
    pub fn dirty_bytes(&self) -> usize {
        self.db.forest().pager().dirty_bytes()
    }

    /// The same, and the pages that [`Self::flush`] will change for references, were each content on a page of its own.
    pub fn changing_bytes(&self) -> usize {
        let page_bytes = self.db.forest().pager().page_size().bytes();
        self.dirty_bytes().saturating_add(self.references.len().saturating_mul(page_bytes))
    }

    /// Writes pages that were free at the last commit, which need not wait for the next one, and lets them go from memory.
    ///
    /// # Errors
    /// [`EseError::Io`]; the writer is dead then.
    pub fn write_new_pages(&mut self) -> EseResult<()> {
        self.guarded(|writer| writer.db.write_new_pages())
    }

    /// What has been written to the two files by now; whoever syncs them afterwards tells [`Self::note_synced`].
    ///
    /// # Errors
    /// [`EseError::Io`]; the writer is dead then.
    pub fn sync_marks(&mut self) -> EseResult<SyncMarks> {
        self.guarded(|writer| {
            let database = writer.db.forest().pager().sync_mark();
            Ok(SyncMarks { streams: writer.stm.sync_mark()?, database })
        })
    }

    /// Both files were synced by somebody who began after `marks` were made: the next commit need not do that again.
    pub fn note_synced(&mut self, marks: SyncMarks) {
        self.stm.note_synced(marks.streams);
        self.db.note_synced(marks.database);
    }

    /// Empties the journal if everything is synced: a large one takes a while, and the close would wait for that.
    ///
    /// # Errors
    /// [`EseError::Io`]; the writer is dead then.
    pub fn empty_journal(&mut self) -> EseResult<()> {
        self.guarded(|writer| writer.db.empty_journal())
    }

    /// Hands out `count` ids in a row; the first is answered.
    ///
    /// # Errors
    /// [`EseError::Limit`] when the counter of 48 bits ends.
    pub fn reserve_ids(&mut self, count: u64) -> EseResult<GlobCnt> {
        let first = self.info.next_id;
        self.info.next_id = after(first, count, "object id")?;
        counter(first, "object id")
    }

    /// Hands out `count` change numbers in a row; the first is answered.
    ///
    /// # Errors
    /// [`EseError::Limit`] when the counter of 48 bits ends.
    pub fn reserve_changes(&mut self, count: u64) -> EseResult<GlobCnt> {
        let first = self.info.next_change;
        self.info.next_change = after(first, count, "change number")?;
        counter(first, "change number")
    }

    /// Lets the counters step over those of another store with the same replica (design D6).
    pub fn step_over(&mut self, next_id: u64, next_change: u64) {
        self.info.next_id = self.info.next_id.max(next_id.min(GlobCnt::MAX.get()));
        self.info.next_change = self.info.next_change.max(next_change.min(GlobCnt::MAX.get()));
    }

    fn next_instance(&mut self) -> EseResult<InstanceId> {
        Ok(InstanceId::new(self.info.local_replica, self.reserve_ids(1)?))
    }

    fn next_change(&mut self) -> EseResult<(ChangeNumber, ChangeKey)> {
        let counter = self.reserve_changes(1)?;
        let change = ChangeNumber::new(self.info.local_replica, counter);
        Ok((change, ChangeKey::new(self.info.replica, counter)))
    }

    /// Whether the writer may go on.
    ///
    /// # Errors
    /// [`Refusal::WriterDead`] after a failure.
    fn alive(&self) -> EseResult<()> {
        if self.is_dead {
            let reason = "an earlier change failed half-way; open the store again to return to the last commit";
            return Err(EseError::refused(Refusal::WriterDead, reason).in_file(&self.path));
        }
        Ok(())
    }

    /// Runs a step that changes rows; its failure ends the writer.
    pub(super) fn guarded<T>(
        &mut self,
        step: impl FnOnce(&mut Self) -> EseResult<T>,
    ) -> EseResult<T> {
        self.alive()?;
        let result = step(self);
        self.is_dead |= result.is_err();
        result
    }

    fn refused(&self, refusal: Refusal, reason: impl Into<String>) -> EseError {
        EseError::refused(refusal, reason).in_file(&self.path)
    }

    /// Makes all changes durable, all or none.
    ///
    /// # Errors
    /// [`EseError::Io`], [`EseError::Corrupt`] when counters do not fit what was changed; the writer is dead then.
    pub fn commit(&mut self) -> EseResult<()> {
        self.commit_when(&mut || ())
    }

    /// As [`Self::commit`]; `alone` as in [`Pager::commit_when`].
    ///
    /// # Errors
    /// As [`Self::commit`].
    pub fn commit_when(&mut self, alone: &mut dyn FnMut()) -> EseResult<()> {
        self.flush()?;
        self.guarded(|writer| {
            writer.stm.store_space(&mut writer.db)?;
            writer.stm.sync()?;
            writer.db.commit_when(alone)
        })
    }

    /// Commits and ends: both files are clean and paired afterwards.
    ///
    /// # Errors
    /// As [`Self::commit`]; the store stays dirty, with its journal, and can be opened again.
    pub fn close(self) -> EseResult<()> {
        self.close_counted().map(drop)
    }

    /// As [`Self::close`]; answers how many bytes this writer has written to the journal, from its first commit on.
    ///
    /// # Errors
    /// As there.
    pub fn close_counted(mut self) -> EseResult<u64> {
        self.alive()?;
        self.commit()?;
        self.stm.end_job();
        self.commit()?;
        let pager = self.db.forest().pager();
        let (dbtime, journal_bytes) = (pager.header().dbtime(), pager.journal_bytes());
        self.stm.close(dbtime)?;
        self.db.close()?;
        Ok(journal_bytes)
    }
}

/// A moment in the life of the two files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SyncMarks {
    streams: SyncMark,
    database: SyncMark,
}

/// Whether a creation of this store was interrupted between its two last steps: the streaming file has its name already, and
/// belongs to the draft of a database that has not.
fn is_unfinished(volume: &dyn Volume, path: &Path, draft: &Path, stm: &Path) -> EseResult<bool> {
    if volume.exists(path)? || !volume.exists(draft)? || !volume.exists(stm)? {
        return Ok(false);
    }
    let storage = volume.open(draft, OpenMode::Read)?;
    let Ok(choice) = crate::ese::txn::read_header(&*storage) else { return Ok(false) };
    Ok(verify_pair(volume, stm, &choice.header, OpenMode::Read).is_ok())
}

fn after(first: u64, count: u64, what: &'static str) -> EseResult<u64> {
    let next = first.checked_add(count).filter(|next| *next <= GlobCnt::MAX.get());
    next.ok_or_else(|| EseError::limit(what, first.saturating_add(count), GlobCnt::MAX.get()))
}

fn counter(number: u64, what: &'static str) -> EseResult<GlobCnt> {
    GlobCnt::new(number).map_err(|_| EseError::limit(what, number, GlobCnt::MAX.get()))
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// Builds the database of an empty store and leaves it clean.
fn build(volume: &Arc<dyn Volume>, path: &Path, identity: &StoreIdentity) -> EseResult<()> {
    let new = NewDatabase { sign_db: identity.sign_db, sign_slv: identity.sign_slv };
    let mut db = DatabaseWriter::create(volume.clone(), path, &new)?;
    for table in new_tables() {
        db.create_table(&table)?;
    }
    let tables = Tables::find(|name| db.table(name))?;
    let mut global = Draft::new(&tables.global);
    global
        .i32(col::ONE, 1)
        .i64(col::NEXT_ID, FIRST_COUNTER)
        .i64(col::NEXT_CHANGE, FIRST_COUNTER)
        .i32(col::LOCAL_REPLICA, identity.local_replica.0.into())
        .i32(col::SCHEMA_VERSION, SCHEMA_VERSION)
        .bytes(col::STORE_GUID, identity.store.as_bytes().to_vec())
        .bytes(col::REPL_GUID, identity.replica.as_bytes().to_vec())
        .bytes(col::STORE_DN, &b"/o=dialtone/cn=Mailbox Store"[..]);
    global.insert(&mut db)?;
    names::put_replica(&tables, &mut db, identity.local_replica, identity.replica)?;
    // The column of categories is a named property with a fixed place.
    let keywords = NamedProperty { set: PUBLIC_STRINGS, name: PropName::Text("Keywords".into()) };
    names::put_named(&tables, &mut db, CATEGORIES_ID, &keywords)?;
    db.close()
}

/// The set of named properties that all programs share (PS_PUBLIC_STRINGS).
const PUBLIC_STRINGS: PropertySetGuid =
    PropertySetGuid(crate::mapi::Guid::from_written(0x0002_0329_0000_0000, 0xc000_0000_0000_0046));
/// Id of the categories in every store of this program; the column `MU9000`. Source: exchange-store 12.8.
const CATEGORIES_ID: u16 = 0x9000;
