//! Writing streams, freeing them, and the streaming file's part of a job: dirty, commits, clean.
//!
//! ```text
//!   clean ──open()──► DIRTY ──write()/free()──► CHANGED ──store_space(), sync()──► DIRTY ──close()──► clean
//! ```

use std::sync::Arc;

use super::file::StmFile;
use super::pair::mark;
use super::read::{StreamReader, checksums_of};
use super::tables::StmTables;
use super::{
    OWNER_ROW_PAGES, Owner, OwnerRow, PAGE_BYTES, Run, SlvInfo, SpaceMap, StreamNeed, StreamStock,
};
use crate::ese::error::{EseError, EseResult};
use crate::ese::page::Dbtime;
use crate::ese::page::header::{DbHeader, DbState};
use crate::ese::table::database::Table;
use crate::ese::table::write::DatabaseWriter;
use crate::ese::txn::Pager;
use crate::io::{Storage, SyncMark, Unsynced};

use super::rows::Fields;
use super::tables::read_owner_row;

/// The streaming file of a database that is open for writing. Whoever holds it commits in the order of S2.
#[derive(Debug)]
pub struct StmWriter {
    file: StmFile,
    header: DbHeader,
    tables: StmTables,
    space: SpaceMap,
    unsynced: Unsynced,
}

/// Whether the file is as long as its space table says.
///
/// # Errors
/// [`EseError::Corrupt`] when it is shorter: content is missing.
pub(crate) fn check_length(file: &StmFile, space: &SpaceMap) -> EseResult<()> {
    let (found, expected) = (file.page_count()?, space.page_count());
    if found < u64::from(expected) {
        let reason =
            format!("the file has {found} pages, its space table {expected}: it was cut off");
        return Err(EseError::corrupt_bytes(reason).in_file(file.storage().path()));
    }
    Ok(())
}

impl StmWriter {
    /// Takes over the streaming file of `writer`'s database, which was verified to belong to it, and marks it dirty. What an
    /// interrupted job left beyond the recorded end is cut off, what it gave up is free again.
    ///
    /// # Errors
    /// [`EseError::Corrupt`] when the space table is broken or the file too short, [`EseError::Io`].
    pub fn open(
        storage: Arc<dyn Storage>,
        mut header: DbHeader,
        tables: StmTables,
        writer: &DatabaseWriter,
    ) -> EseResult<Self> {
        let mut space = SpaceMap::new(tables.read_chunks(writer.forest().pager())?)?;
        let mut file = StmFile::new(storage);
        check_length(&file, &space)?;
        mark(&**file.storage(), &mut header, DbState::Dirty)?;
        file.resize(space.page_count())?;
        let tidied = space.tidy();
        if tidied > 0 {
            tracing::info!(pages = tidied, "pages given up by an earlier job are free again");
        }
        Ok(Self { file, header, tables, space, unsynced: Unsynced::default() })
    }

    /// The two tables.
    pub fn tables(&self) -> &StmTables {
        &self.tables
    }

    /// The space of the file, changes of this job included.
    pub fn space(&self) -> &SpaceMap {
        &self.space
    }

    /// Stores a stream of `len_bytes` bytes, which `fill` delivers in order, into free pages; the row that `owner` names
    /// must be written in the same commit with the value that is answered.
    ///
    /// # Errors
    /// [`EseError::Io`], [`EseError::Limit`], what `fill` reports. The writer must not be used any more then.
    pub fn write_from(
        &mut self,
        writer: &mut DatabaseWriter,
        owner: &Owner,
        len_bytes: u64,
        fill: &mut dyn FnMut(&mut [u8]) -> EseResult<()>,
    ) -> EseResult<SlvInfo> {
        let info = self.with_room(|space| space.allocate(len_bytes))?;
        let mut buffer = vec![0; OWNER_ROW_PAGES as usize * PAGE_BYTES];
        let mut left_bytes = len_bytes;
        for run in info.runs() {
            for piece in run.pieces(OWNER_ROW_PAGES) {
                let bytes = &mut buffer[..piece.count() as usize * PAGE_BYTES];
                let wanted = left_bytes.min(bytes.len() as u64) as usize;
                let (content, padding) = bytes.split_at_mut(wanted);
                fill(content)?;
                padding.fill(0);
                left_bytes -= wanted as u64;
                self.put(writer, owner, piece, bytes)?;
            }
        }
        assert_eq!(left_bytes, 0, "the runs hold the whole stream");
        Ok(info)
    }

    /// Makes room in the file for what `take` takes.
    fn with_room<T>(&mut self, take: impl FnOnce(&mut SpaceMap) -> EseResult<T>) -> EseResult<T> {
        let pages_before = self.space.page_count();
        let info = take(&mut self.space)?;
        if self.space.page_count() > pages_before {
            self.unsynced.wrote();
            self.file.resize(self.space.page_count())?;
        }
        Ok(info)
    }

    /// Sets pages aside for a stream that an [`super::AheadStreams`] writes.
    ///
    /// # Errors
    /// As [`Self::write_from`].
    pub fn reserve(&mut self, len_bytes: u64) -> EseResult<SlvInfo> {
        self.unsynced.wrote();
        self.with_room(|space| space.reserve(len_bytes))
    }

    /// Sets pages aside so that `stock` holds `need`.
    ///
    /// # Errors
    /// As [`Self::write_from`].
    pub fn fill_stock(&mut self, stock: &mut StreamStock, need: StreamNeed) -> EseResult<()> {
        let holds = stock.holds();
        let missing = StreamNeed {
            clusters: need.clusters.saturating_sub(holds.clusters),
            pages: need.pages.saturating_sub(holds.pages),
        };
        let [clusters, pages] = self.with_room(|space| space.reserve_ahead(missing))?;
        stock.add_clusters(clusters);
        stock.add_pages(pages);
        Ok(())
    }

    /// Takes reserved pages into use; their rows in the owner table are written in the same commit.
    pub fn commit_reserved(&mut self, info: &SlvInfo) {
        self.unsynced.wrote();
        self.space.commit(info);
    }

    /// Reserved pages will not be used.
    pub fn give_back(&mut self, runs: &[Run]) {
        self.space.give_back(runs);
    }

    /// As [`Self::write_from`] for bytes in memory.
    ///
    /// # Errors
    /// As there.
    pub fn write(
        &mut self,
        writer: &mut DatabaseWriter,
        owner: &Owner,
        mut bytes: &[u8],
    ) -> EseResult<SlvInfo> {
        self.write_from(writer, owner, bytes.len() as u64, &mut |buffer| {
            let (now, later) = bytes.split_at(buffer.len());
            buffer.copy_from_slice(now);
            bytes = later;
            Ok(())
        })
    }

    fn put(
        &mut self,
        writer: &mut DatabaseWriter,
        owner: &Owner,
        run: Run,
        bytes: &[u8],
    ) -> EseResult<()> {
        let checksums = checksums_of(run, bytes);
        self.unsynced.wrote();
        self.file.write(run, bytes)?;
        self.tables.put_owner(writer, &OwnerRow { run, owner: owner.clone(), checksums })
    }

    /// Gives up a stream: its pages are free from the next job on (S3).
    ///
    /// # Errors
    /// [`EseError::Corrupt`] when the pages are not `owner`'s. The writer must not be used any more then.
    pub fn free(
        &mut self,
        writer: &mut DatabaseWriter,
        owner: &Owner,
        info: &SlvInfo,
    ) -> EseResult<()> {
        for run in info.runs() {
            for piece in run.pieces(OWNER_ROW_PAGES) {
                let key = self.tables.owner_key(piece.first().0)?;
                self.check_owner(writer, &key, piece, owner)?;
                writer.delete(self.tables.owner().def(), &key)?;
            }
        }
        self.space.free(info)
    }

    fn check_owner(
        &self,
        writer: &DatabaseWriter,
        key: &[u8],
        piece: Run,
        owner: &Owner,
    ) -> EseResult<()> {
        let table = Table::new(writer.forest().pager(), self.tables.owner().def());
        let reader = table.fields(OWNER_ROW_PAGES as usize * super::tables::CHECKSUM_BYTES);
        let mut rows = table.rows();
        let found = match rows.find(key)?.then(|| rows.row()).transpose()?.flatten() {
            Some(row) => Some(read_owner_row(&Fields::new(row, self.tables.owner(), &reader))?),
            None => None,
        };
        match found {
            Some(row) if row.run == piece && row.owner == *owner => Ok(()),
            _ => {
                let reason = format!("page {} is not listed for its owner", piece.first());
                Err(EseError::corrupt_bytes(reason).in_file(self.file.storage().path()))
            }
        }
    }

    /// A reader that sees what was written so far.
    ///
    /// # Errors
    /// [`EseError::Io`].
    pub fn reader<'s>(
        &'s mut self,
        writer: &'s DatabaseWriter,
    ) -> EseResult<StreamReader<'s, Pager>> {
        self.file.flush()?;
        Ok(StreamReader::new(writer.forest().pager(), &self.tables, &self.file))
    }

    /// The file; what was written last may still be gathered, see [`Self::flush`].
    pub fn file(&self) -> &StmFile {
        &self.file
    }

    /// Writes what is gathered, so that it can be read.
    ///
    /// # Errors
    /// [`EseError::Io`].
    pub fn flush(&mut self) -> EseResult<()> {
        self.file.flush()
    }

    /// Brings the space table up to date, as part of the commit that is being prepared.
    ///
    /// # Errors
    /// As [`DatabaseWriter::update`].
    pub fn store_space(&mut self, writer: &mut DatabaseWriter) -> EseResult<()> {
        for number in self.space.take_changed() {
            if let Some(chunk) = self.space.chunks().get(number as usize) {
                self.tables.put_chunk(writer, number, chunk)?;
            }
        }
        Ok(())
    }

    /// Syncs the file: the first step of a commit (S2).
    ///
    /// # Errors
    /// [`EseError::Io`]; nothing may be committed any more then.
    pub fn sync(&mut self) -> EseResult<()> {
        if self.unsynced.is_empty() {
            return Ok(());
        }
        let mark = self.sync_mark()?;
        self.file.storage().sync()?;
        self.note_synced(mark);
        Ok(())
    }

    /// What has been written to the file by now, among it pages that others have written and this writer has taken into use.
    ///
    /// # Errors
    /// [`EseError::Io`], for what was gathered; nothing may be committed any more then.
    pub fn sync_mark(&mut self) -> EseResult<SyncMark> {
        self.file.flush()?;
        Ok(self.unsynced.mark())
    }

    /// The file was synced by somebody who began after `mark` was made.
    pub fn note_synced(&mut self, mark: SyncMark) {
        self.unsynced.synced(mark);
    }

    /// Frees the pages that this job gave up. What is committed next ends the job.
    pub fn end_job(&mut self) {
        self.space.tidy();
    }

    /// Marks the file clean; the database, at `dbtime`, follows (S4).
    ///
    /// # Errors
    /// [`EseError::Io`].
    pub fn close(mut self, dbtime: Dbtime) -> EseResult<()> {
        self.sync()?;
        self.header.set_dbtime(dbtime);
        mark(&**self.file.storage(), &mut self.header, DbState::Clean)
    }
}
