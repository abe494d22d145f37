//! Commit: new pages, journal, pages in place. The order is the point; the promises are in the module above.

use std::collections::BTreeMap;
use std::io::IoSlice;

use rayon::iter::{IntoParallelRefMutIterator, ParallelIterator};

use super::journal::{JournalFile, JournalWriter, journal_path};
use super::pager::Pager;
use super::source::Pages;
use crate::ese::error::EseResult;
use crate::ese::page::header::{DbHeader, DbState};
use crate::ese::page::{Dbtime, PageEditor, PageView, Pgno, checksum, rules};
use crate::io::Storage;

/// Adjacent pages are gathered into writes of up to this many bytes.
const WRITE_BYTES: usize = 1 << 20;

/// Most new pages that a commit writes into the journal, because everything else is synced already: a megabyte there costs less than one
/// more sync.
const JOURNALED_NEW_PAGES: usize = 256;

/// As many pages are finished in about a millisecond.
const PARALLEL_PAGES: usize = 1024;

impl Pager {
    /// Makes all changes since the last commit durable, all or none.
    ///
    /// # Errors
    /// [`crate::ese::EseError::Io`]: the writer is dead then, and the file holds the last commit or this one.
    pub fn commit(&mut self) -> EseResult<()> {
        self.commit_when(&mut || ())
    }

    /// As [`Self::commit`]; calls `alone` before the first page of the last commit is written over, unless nothing changed. Whoever
    /// reads the last commit ([`super::CommittedPages`]) must be kept out from then on.
    ///
    /// # Errors
    /// As [`Self::commit`].
    pub fn commit_when(&mut self, alone: &mut dyn FnMut()) -> EseResult<()> {
        self.alive()?;
        if self.dirty.is_empty()
            && self.fresh.is_empty()
            && self.objid_last == self.header.objid_last()
        {
            return Ok(());
        }
        self.guarded(|pager| pager.commit_steps(alone))
    }

    fn commit_steps(&mut self, alone: &mut dyn FnMut()) -> EseResult<()> {
        let dbtime = self.next_dbtime();
        // Somebody else may have synced everything.
        let is_synced = self.journal.is_some() && self.unsynced.is_empty();
        if !is_synced || !self.has_few_new_pages() {
            self.write_new_pages(dbtime, |_| false)?;
            self.sync_in_place()?; // P3, P5
        }
        let mut header = self.header.clone();
        header.set_dbtime(dbtime);
        header.set_objid_last(self.objid_last);
        finish_pages(&mut self.dirty, dbtime)?;
        if let Some(journal) = self.journal.clone() {
            self.journal_bytes += self.write_journal(&*journal, &header)?; // P4
        }
        alone();
        self.unsynced.wrote();
        self.write_changed_pages()?;
        write_headers(&*self.storage, &header)?;
        if self.journal.is_none() {
            self.storage.sync()?;
        }
        tracing::debug!(dbtime = dbtime.0, pages = self.dirty.len(), "committed");
        self.header = header;
        self.fresh.clear();
        for pgno in std::mem::take(&mut self.dirty).into_keys() {
            self.reader.forget(pgno);
        }
        Ok(())
    }

    /// Whether the new pages that are not written yet are so few that they may go by the journal like changed ones.
    fn has_few_new_pages(&self) -> bool {
        let new_pages = self.dirty.keys().filter(|pgno| self.fresh.contains(pgno));
        new_pages.take(JOURNALED_NEW_PAGES + 1).count() <= JOURNALED_NEW_PAGES
    }

    /// Syncs the file: all that was written, the pages that the last commit put in place among it. The journal of that commit has done its
    /// duty then (P5), and the next one may be written over it. Until then it stays complete, and laying it over what it says already
    /// changes nothing.
    fn sync_in_place(&mut self) -> EseResult<()> {
        let mark = self.sync_mark();
        self.storage.sync()?;
        self.note_synced(mark);
        Ok(())
    }

    /// Empties the journal if everything is synced, so that whoever closes need not wait for that (P5).
    ///
    /// # Errors
    /// [`crate::ese::EseError::Io`]: the writer is dead then.
    pub fn empty_journal(&mut self) -> EseResult<()> {
        self.guarded(|pager| match &pager.journal {
            Some(journal) if pager.unsynced.is_empty() => Ok(journal.set_len(0)?),
            _ => Ok(()),
        })
    }

    /// Writes new pages ahead of the commit, to free memory. Changed pages must stay until the commit (P1).
    ///
    /// # Errors
    /// [`crate::ese::EseError::Io`]: the writer is dead then.
    pub fn spill(&mut self) -> EseResult<()> {
        let dbtime = self.next_dbtime();
        // A page that was handed out but not laid out yet has nothing to write.
        self.guarded(|pager| {
            pager.write_new_pages(dbtime, |page| page.iter().all(|byte| *byte == 0))
        })
    }

    /// Writes new pages but those that `stays` picks, which remain in memory.
    fn write_new_pages(&mut self, dbtime: Dbtime, stays: impl Fn(&[u8]) -> bool) -> EseResult<()> {
        let fresh = &self.fresh;
        let mut pages = std::mem::take(&mut self.dirty);
        let is_kept = |pgno: &Pgno, page: &mut Box<[u8]>| !fresh.contains(pgno) || stays(page);
        self.dirty = pages.extract_if(.., is_kept).collect();
        if pages.is_empty() {
            return Ok(());
        }
        finish_pages(&mut pages, dbtime)?;
        self.unsynced.wrote();
        write_pages(
            &*self.storage,
            pages.iter().map(|(pgno, page)| (*pgno, &**page)),
            self.page_size().bytes(),
        )?;
        for pgno in pages.into_keys() {
            self.reader.forget(pgno);
        }
        Ok(())
    }

    fn write_journal(&self, journal: &dyn Storage, header: &DbHeader) -> EseResult<u64> {
        let signature = header.sign_db().encode();
        let count = self.dirty.len() as u32 + 2;
        let transaction = header.dbtime().0;
        let mut writer =
            JournalWriter::start(journal, self.page_size(), &signature, transaction, count);
        let header_page = header.encode();
        writer.add(JournalFile::Database, 0, &header_page)?;
        writer.add(JournalFile::Database, 1, &header_page)?;
        for (pgno, page) in &self.dirty {
            writer.add(JournalFile::Database, pgno.get() + 1, page)?;
        }
        writer.finish()
    }

    fn write_changed_pages(&self) -> EseResult<()> {
        let pages = self.dirty.iter().map(|(pgno, page)| (*pgno, &**page));
        write_pages(&*self.storage, pages, self.page_size().bytes())
    }

    /// Ends the job: header clean, journal removed, lock released. Uncommitted changes are dropped.
    ///
    /// # Errors
    /// [`crate::ese::EseError::Io`]: the database stays dirty, with its journal, and can be opened again.
    pub fn close(mut self) -> EseResult<()> {
        self.guarded(|pager| {
            if !pager.unsynced.is_empty() {
                pager.sync_in_place()?;
            }
            // A clean file must not be found with a journal that somebody could lay over it.
            if let Some(journal) = &pager.journal {
                journal.set_len(0)?;
            }
            let mut header = pager.header.clone();
            header.set_state(DbState::Clean);
            write_headers_one_by_one(&*pager.storage, &header)?; // P6, P11
            if pager.journal.take().is_some() {
                let journal = journal_path(&pager.path);
                pager.volume.remove(&journal)?;
                pager.volume.sync_parent(&journal)?;
            }
            Ok(())
        })
    }
}

/// As [`finish_page`], on all cores when it is much: whoever waits for a commit has nothing else to do, and for a few pages waking threads
/// costs more than they save.
fn finish_pages(pages: &mut BTreeMap<Pgno, Box<[u8]>>, dbtime: Dbtime) -> EseResult<()> {
    if pages.len() < PARALLEL_PAGES {
        return pages.iter_mut().try_for_each(|(pgno, page)| finish_page(page, *pgno, dbtime));
    }
    pages.par_iter_mut().try_for_each(|(pgno, page)| finish_page(page, *pgno, dbtime))
}

/// Stamps dbtime and checksum, after checking the page against the rules (P10).
pub(super) fn finish_page(page: &mut [u8], pgno: Pgno, dbtime: Dbtime) -> EseResult<()> {
    PageView::new(page, pgno)?;
    let mut editor = PageEditor::over(page, pgno);
    editor.set_dbtime(dbtime);
    rules::check_page(&editor.view())?;
    checksum::stamp(page, pgno);
    Ok(())
}

/// Writes pages given in ascending order, adjacent ones together, from where they lie.
pub(super) fn write_pages<'p>(
    storage: &dyn Storage,
    pages: impl Iterator<Item = (Pgno, &'p [u8])>,
    page_bytes: usize,
) -> EseResult<()> {
    let mut adjacent: Vec<IoSlice<'p>> = Vec::with_capacity(WRITE_BYTES / page_bytes);
    let (mut start_bytes, mut end_bytes) = (0, 0);
    for (pgno, page) in pages {
        let offset_bytes = (u64::from(pgno.get()) + 1) * page_bytes as u64;
        let is_full = offset_bytes != end_bytes || end_bytes - start_bytes >= WRITE_BYTES as u64;
        if is_full && !adjacent.is_empty() {
            storage.write_all_pieces_at(&mut adjacent, start_bytes)?;
            adjacent.clear();
        }
        if adjacent.is_empty() {
            start_bytes = offset_bytes;
        }
        adjacent.push(IoSlice::new(page));
        end_bytes = offset_bytes + page_bytes as u64;
    }
    if adjacent.is_empty() {
        return Ok(());
    }
    Ok(storage.write_all_pieces_at(&mut adjacent, start_bytes)?)
}

/// Writes both header copies; the journal protects them.
fn write_headers(storage: &dyn Storage, header: &DbHeader) -> EseResult<()> {
    let page = header.encode();
    storage.write_all_at(&page, 0)?;
    Ok(storage.write_all_at(&page, page.len() as u64)?)
}

/// Writes both header copies so that one is readable at any moment (P11).
pub(super) fn write_headers_one_by_one(storage: &dyn Storage, header: &DbHeader) -> EseResult<()> {
    let page = header.encode();
    storage.write_all_at(&page, 0)?;
    storage.sync()?;
    storage.write_all_at(&page, page.len() as u64)?;
    Ok(storage.sync()?)
}
