//! Opening a database for writing: lock, replay of a complete journal, mark dirty.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use super::commit::write_headers_one_by_one;
use super::file::read_header;
use super::journal::{self, JournalFile, JournalState};
use super::pager::Pager;
use super::reader::{PageReader, page_count};
use super::rooms::Rooms;
use crate::ese::error::{EseError, EseResult, Refusal};
use crate::ese::page::Dbtime;
use crate::ese::page::header::{DbHeader, DbState};
use crate::io::{OpenMode, Storage, Unsynced, Volume, WriterLock};

impl Pager {
    /// Opens `path` for writing: takes the lock, replays a complete journal, marks the database dirty.
    ///
    /// # Errors
    /// [`EseError::Io`] (also when another process is writing it), [`Refusal::Version`] for formats that are only
    /// read, [`Refusal::Dirty`] when the database is dirty and its journal is gone.
    pub fn open(volume: Arc<dyn Volume>, path: &Path) -> EseResult<Self> {
        let lock = volume.lock_writer(path)?;
        let storage = volume.open(path, OpenMode::Write)?;
        let mut header = read_header(&*storage)?.header;
        header.writable_format().map_err(|error| error.in_file(path))?;
        check_counters(path, &header)?;
        let journal_path = journal::journal_path(path);
        let was_recovered = volume.exists(&journal_path)?;
        let journal = if was_recovered {
            let journal = volume.open(&journal_path, OpenMode::Write)?;
            replay(&*storage, &*journal, &header)?;
            header = read_header(&*storage)?.header;
            header.writable_format().map_err(|error| error.in_file(path))?;
            journal
        } else {
            if header.state() != DbState::Clean {
                return Err(dirty(path, &header));
            }
            let journal = volume.open(&journal_path, OpenMode::CreateNew)?;
            volume.sync_parent(&journal_path)?;
            journal
        };
        header.set_state(DbState::Dirty);
        // An engine's flush map knows nothing of what is written from here on.
        header.clear_flush_map_signatures();
        write_headers_one_by_one(&*storage, &header)?; // P6
        Self::with_parts(volume, path, storage, Some(journal), header, was_recovered, lock)
    }

    /// Starts a new file without a journal: until it is closed it is no database, so nothing can be lost.
    ///
    /// # Errors
    /// [`EseError::Io`], also when the file exists.
    pub fn create(volume: Arc<dyn Volume>, path: &Path, mut header: DbHeader) -> EseResult<Self> {
        let storage = volume.open(path, OpenMode::CreateNew)?;
        let lock = volume.lock_writer(path)?;
        header.set_state(DbState::Dirty);
        storage.set_len(2 * header.page_size().bytes() as u64)?;
        Self::with_parts(volume, path, storage, None, header, false, lock)
    }

    fn with_parts(
        volume: Arc<dyn Volume>,
        path: &Path,
        storage: Arc<dyn Storage>,
        journal: Option<Arc<dyn Storage>>,
        header: DbHeader,
        was_recovered: bool,
        lock: WriterLock,
    ) -> EseResult<Self> {
        Ok(Self {
            reader: PageReader::new(storage.clone(), header.page_size())?,
            last_page: page_count(storage.len_bytes()?, header.page_size()),
            objid_last: header.objid_last(),
            volume,
            path: path.to_path_buf(),
            storage,
            rooms: Rooms::default(),
            journal,
            header,
            dirty: BTreeMap::new(),
            fresh: HashSet::new(),
            is_dead: false,
            changes: 0,
            was_recovered,
            unsynced: Unsynced::default(),
            journal_bytes: 0,
            _lock: lock,
        })
    }
}

/// Counters that leave room to count on.
fn check_counters(path: &Path, header: &DbHeader) -> EseResult<()> {
    /// Commits that must still be possible.
    const COMMITS_LEFT: u64 = 1 << 40;
    let (dbtime, limit) = (header.dbtime().0, Dbtime::LIMIT - COMMITS_LEFT);
    if dbtime > limit {
        return Err(EseError::limit("dbtime of the header", dbtime, limit).in_file(path));
    }
    if header.objid_last().0 == 0 {
        return Err(EseError::corrupt_bytes("the header knows of no tree").in_file(path));
    }
    Ok(())
}

fn dirty(path: &Path, header: &DbHeader) -> EseError {
    let reason = format!(
        "the database is in state {} and has no journal of this program beside it; bring it to a clean shutdown \
         with the engine's own logs, or recover from a copy",
        header.state()
    );
    EseError::refused(Refusal::Dirty, reason).in_file(path)
}

/// Repeats the last steps of the commit that a complete journal holds; drops an incomplete one.
fn replay(storage: &dyn Storage, journal: &dyn Storage, header: &DbHeader) -> EseResult<()> {
    let page_size = header.page_size();
    let signature = header.sign_db().encode();
    if let JournalState::Complete(complete) = journal::read_journal(journal, page_size, &signature)?
    {
        complete.refuse_stale(storage.path(), header)?;
        let slots = storage.len_bytes()? / page_size.bytes() as u64;
        let images = || complete.images.iter().filter(|entry| entry.file == JournalFile::Database);
        let mut image = vec![0; page_size.bytes()];
        // All are looked at before the first one is written.
        for entry in images() {
            journal.read_exact_at(&mut image, entry.offset_bytes)?;
            entry.check(&image, slots).map_err(|error| error.in_file(journal.path()))?;
        }
        for entry in images() {
            journal.read_exact_at(&mut image, entry.offset_bytes)?;
            storage.write_all_at(&image, u64::from(entry.slot) * page_size.bytes() as u64)?;
        }
        storage.sync()?;
        tracing::info!(pages = complete.images.len(), "replayed the journal");
    }
    journal.set_len(0)?;
    Ok(journal.sync()?)
}
