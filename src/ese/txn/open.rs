//! Opening a database for writing: lock, replay of a complete journal, mark dirty.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use super::commit::write_headers_one_by_one;
use super::file::read_header;
use super::journal::{self, CompleteJournal, JournalFile, JournalState};
use super::pager::Pager;
use super::reader::{PageReader, page_count};
use crate::ese::error::{EseError, EseResult, Refusal};
use crate::ese::page::header::{DbHeader, DbState};
use crate::io::{OpenMode, Storage, Volume, WriterLock};

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
        let journal_path = journal::journal_path(path);
        let was_recovered = volume.exists(&journal_path)?;
        let journal = if was_recovered {
            let journal = volume.open(&journal_path, OpenMode::Write)?;
            replay(&*storage, &*journal, &header)?;
            header = read_header(&*storage)?.header;
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
            journal,
            header,
            dirty: BTreeMap::new(),
            fresh: HashSet::new(),
            is_dead: false,
            was_recovered,
            _lock: lock,
        })
    }
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
        refuse_stale(storage.path(), header, &complete)?;
        let mut image = vec![0; page_size.bytes()];
        for entry in complete.images.iter().filter(|entry| entry.file == JournalFile::Database) {
            journal.read_exact_at(&mut image, entry.offset_bytes)?;
            storage.write_all_at(&image, u64::from(entry.slot) * page_size.bytes() as u64)?;
        }
        storage.sync()?;
        tracing::info!(pages = complete.images.len(), "replayed the journal");
    }
    journal.set_len(0)?;
    Ok(journal.sync()?)
}

/// A journal older than the file would undo later commits.
fn refuse_stale(path: &Path, header: &DbHeader, journal: &CompleteJournal) -> EseResult<()> {
    if journal.transaction >= header.dbtime().0 {
        return Ok(());
    }
    let reason = format!(
        "its journal is older (dbtime {}) than the database (dbtime {}); move the journal away",
        journal.transaction,
        header.dbtime()
    );
    Err(EseError::refused(Refusal::Mismatch, reason).in_file(path))
}
