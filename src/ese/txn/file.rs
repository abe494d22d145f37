//! A database file opened for reading.
//!
//! Pages come from a memory map or from positioned reads through a cache; each is verified before it is handed out,
//! once per map or per stay in the cache. A complete journal beside the file is laid over it in memory: nothing is
//! written. Source: design section 5, D8; ese-physical 10.2.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::journal::{self, JournalFile, JournalState};
use super::reader::{PageReader, beyond_end, page_count};
use super::source::{PageRef, Pages};
use crate::ese::error::EseResult;
use crate::ese::page::header::{self, DbHeader, DbState};
use crate::ese::page::{PageSize, Pgno};
use crate::io::{OpenMode, Storage, Volume};

/// Enough of a file to hold both header pages of the largest page size.
const HEADERS_BYTES: u64 = 2 * 32768;

/// A database file, read-only.
#[derive(Debug)]
pub struct DatabaseFile {
    path: PathBuf,
    reader: PageReader,
    overlay: HashMap<Pgno, Arc<[u8]>>,
    header: DbHeader,
    warnings: Vec<String>,
    last_page: u32,
}

/// Reads the header pages of an open file.
///
/// # Errors
/// [`crate::ese::EseError::Io`], or [`crate::ese::EseError::Corrupt`] when neither copy is a header.
pub fn read_header(storage: &dyn Storage) -> EseResult<header::HeaderChoice> {
    let len_bytes = storage.len_bytes()?.min(HEADERS_BYTES);
    let mut first_bytes = vec![0; len_bytes as usize];
    storage.read_exact_at(&mut first_bytes, 0)?;
    header::choose_header(&first_bytes).map_err(|error| error.in_file(storage.path()))
}

impl DatabaseFile {
    /// Opens `path` for reading. A dirty database opens with a warning.
    ///
    /// # Errors
    /// [`crate::ese::EseError::Io`], or [`crate::ese::EseError::Corrupt`] when there is no usable header.
    pub fn open(volume: &dyn Volume, path: &Path) -> EseResult<Self> {
        let storage = volume.open(path, OpenMode::Read)?;
        let choice = read_header(&*storage)?;
        let page_size = choice.header.page_size();
        let mut file = Self {
            path: path.to_path_buf(),
            last_page: page_count(storage.len_bytes()?, page_size),
            reader: PageReader::new(storage, page_size)?,
            overlay: HashMap::new(),
            header: choice.header,
            warnings: choice.warnings,
        };
        file.lay_journal_over(volume)?;
        file.note_state();
        Ok(file)
    }

    fn lay_journal_over(&mut self, volume: &dyn Volume) -> EseResult<()> {
        let journal_path = journal::journal_path(&self.path);
        if !volume.exists(&journal_path)? {
            return Ok(());
        }
        let journal = volume.open(&journal_path, OpenMode::Read)?;
        let page_size = self.header.page_size();
        let signature = self.header.sign_db().encode();
        let state = journal::read_journal(&*journal, page_size, &signature)?;
        let JournalState::Complete(complete) = state else { return Ok(()) };
        complete.refuse_stale(&self.path, &self.header)?;
        let slots = self.len_bytes()? / page_size.bytes() as u64;
        for image in &complete.images {
            if image.file != JournalFile::Database {
                continue;
            }
            let mut bytes = vec![0; page_size.bytes()];
            journal.read_exact_at(&mut bytes, image.offset_bytes)?;
            image.check(&bytes, slots).map_err(|error| error.in_file(&journal_path))?;
            match image.slot.checked_sub(1).and_then(Pgno::new) {
                Some(pgno) => {
                    self.overlay.insert(pgno, bytes.into());
                }
                None if image.slot == 0 => self.header = DbHeader::decode(&bytes)?,
                None => {}
            }
        }
        self.warnings.push(format!(
            "{} holds a complete commit; it is read as if it were in place",
            journal_path.display()
        ));
        Ok(())
    }

    fn note_state(&mut self) {
        if self.header.state() != DbState::Clean {
            self.warnings.push(format!(
                "the database is in state {}: what is read may be half of a change",
                self.header.state()
            ));
        }
        self.warnings.extend(self.header.notes());
    }

    /// The header in force.
    pub fn header(&self) -> &DbHeader {
        &self.header
    }

    /// What a user should know about this file: a damaged header copy, a dirty state, a newer format.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Length of the file in bytes.
    ///
    /// # Errors
    /// [`crate::ese::EseError::Io`].
    pub fn len_bytes(&self) -> EseResult<u64> {
        Ok(self.reader.storage().len_bytes()?)
    }

    /// The open file, for scans that bypass trees.
    pub(super) fn storage(&self) -> &Arc<dyn Storage> {
        self.reader.storage()
    }

    /// A page of the journal that is laid over the file.
    pub(super) fn overlaid(&self, pgno: Pgno) -> Option<&Arc<[u8]>> {
        self.overlay.get(&pgno)
    }

    /// As [`crate::io::Map::let_go`].
    pub fn let_go(&self) {
        self.reader.let_go();
    }
}

impl Pages for DatabaseFile {
    fn page_size(&self) -> PageSize {
        self.header.page_size()
    }

    fn last_page(&self) -> u32 {
        self.last_page
    }

    fn path(&self) -> &Path {
        &self.path
    }

    fn page(&self, pgno: Pgno) -> EseResult<PageRef<'_>> {
        if pgno.get() > self.last_page {
            return Err(beyond_end(pgno, self.last_page).in_file(&self.path));
        }
        if !self.overlay.is_empty()
            && let Some(bytes) = self.overlay.get(&pgno)
        {
            return Ok(PageRef::shared(pgno, bytes.clone(), 0, bytes.len()));
        }
        self.reader.page(pgno).map_err(|error| error.in_file(&self.path))
    }

    fn will_need(&self, pages: &[Pgno]) {
        self.reader.will_need(pages);
    }
}
