//! A store opened for reading: the pair of files, checked to belong together. Writes nothing and takes no lock.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::ese::error::{EseError, EseResult, Refusal};
use crate::ese::page::header::DbHeader;
use crate::ese::table::database::Database;
use crate::ese::table::write::IndexBatch;
use crate::ese::txn::{CommittedPages, DatabaseFile};
use crate::io::{OpenMode, Storage, Volume};
use crate::stm::{SpaceMap, StmFile, check_length, stm_path, verify_pair};

use super::schema::Tables;
use super::view::View;

/// A store opened for reading.
#[derive(Debug)]
pub struct Store {
    database: Database,
    stm: StmFile,
    stm_header: DbHeader,
    tables: Tables,
    path: PathBuf,
}

impl Store {
    /// Opens the database at `path` and the streaming file beside it. A store whose writer was interrupted opens at its last
    /// commit.
    ///
    /// # Errors
    /// [`Refusal::Mismatch`] when the streaming file is missing, belongs to another database or another day, or when
    /// the database is no mailbox store; [`EseError::Corrupt`] when the streaming file was cut off; those of
    /// [`Database::open`].
    pub fn open(volume: &dyn Volume, path: &Path) -> EseResult<Self> {
        let database = Database::open(volume, path)?;
        require_store(&database)?;
        let stm = stm_path(path);
        let (storage, stm_header) =
            verify_pair(volume, &stm, database.file().header(), OpenMode::Read)?;
        let find = |name: &str| {
            let table = database.schema().table(name).cloned().map(Arc::new);
            table.ok_or_else(|| not_a_store(path, name))
        };
        let tables = Tables::find(find)?;
        let stm = StmFile::new(storage);
        let chunks = tables.stm.read_chunks(database.file())?;
        check_length(&stm, &SpaceMap::new(chunks)?)?;
        Ok(Self { database, stm, stm_header, tables, path: path.to_path_buf() })
    }

    /// What it holds.
    pub fn view(&self) -> View<'_, DatabaseFile> {
        View { pages: self.database.file(), tables: &self.tables, stm: &self.stm }
    }

    /// The database.
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// The streaming file.
    pub fn stm(&self) -> &StmFile {
        &self.stm
    }

    /// The header of the streaming file.
    pub fn stm_header(&self) -> &DbHeader {
        &self.stm_header
    }

    /// The tables.
    pub fn tables(&self) -> &Tables {
        &self.tables
    }

    /// The path of the database.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn not_a_store(path: &Path, missing: &str) -> EseError {
    let reason = format!("this is not a mailbox store of this program: it has no table {missing}");
    EseError::refused(Refusal::Mismatch, reason).in_file(path)
}

/// Whether a database is a mailbox store, as far as its tables tell. Source: exchange-store 1, fact 3.
pub fn is_store(database: &Database) -> bool {
    ["Global", "Mailbox", "Folders", "Msg", "MsgFolder"]
        .iter()
        .all(|name| database.schema().table(name).is_some())
}

fn require_store(database: &Database) -> EseResult<()> {
    if is_store(database) {
        return Ok(());
    }
    Err(not_a_store(
        crate::ese::txn::Pages::path(database.file()),
        "Global, Mailbox, Folders, Msg or MsgFolder",
    ))
}

/// A store as its last commit left it, read while a writer goes on.
#[derive(Debug)]
pub struct CommittedStore {
    pages: CommittedPages,
    tables: Tables,
    stm: StmFile,
}

impl CommittedStore {
    pub(crate) fn new(pages: CommittedPages, tables: Tables, stm: Arc<dyn Storage>) -> Self {
        Self { pages, tables, stm: StmFile::new(stm) }
    }

    /// As [`IndexBatch::look_ahead`].
    pub fn look_ahead(&self, batch: &IndexBatch) {
        batch.look_ahead(&self.pages);
    }

    /// Says that nobody will read it any more; see [`crate::io::Map::let_go`].
    pub fn let_go(&self) {
        self.pages.let_go();
    }

    /// What the store held then.
    pub fn view(&self) -> View<'_, CommittedPages> {
        View { pages: &self.pages, tables: &self.tables, stm: &self.stm }
    }
}
