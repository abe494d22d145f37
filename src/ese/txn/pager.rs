//! The writer's pages: what it changed, what it added, and what lies below on disk.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::reader::{PageReader, beyond_end};
use super::rooms::Rooms;
use super::source::{PageRef, Pages};
use crate::ese::error::{EseError, EseResult, Refusal};
use crate::ese::page::header::DbHeader;
use crate::ese::page::{Dbtime, ObjId, PageFlags, PageSize, PageView, Pgno, rules};
use crate::io::{Storage, SyncMark, Unsynced, Volume, WriterLock};

/// A database opened for writing. Promises and states: see the module.
#[derive(Debug)]
pub struct Pager {
    pub(super) volume: Arc<dyn Volume>,
    pub(super) path: PathBuf,
    pub(super) storage: Arc<dyn Storage>,
    /// What pages are built in by those that write ahead.
    pub(super) rooms: Rooms,
    pub(super) journal: Option<Arc<dyn Storage>>,
    pub(super) reader: PageReader,
    pub(super) header: DbHeader,
    /// Changed and new pages, not yet written.
    pub(super) dirty: BTreeMap<Pgno, Box<[u8]>>,
    /// Pages that were free at the last commit and are in use now: they may be written at any time (P2).
    pub(super) fresh: HashSet<Pgno>,
    pub(super) objid_last: ObjId,
    pub(super) last_page: u32,
    pub(super) is_dead: bool,
    /// Grows with every change, so that a caller can tell whether it has changed anything.
    pub(super) changes: u64,
    /// Whether the journal of a writer that did not end properly was found.
    pub(super) was_recovered: bool,
    /// Whether the file has been written since it was synced: the last commit's pages may not be on disk but in the journal only.
    pub(super) unsynced: Unsynced,
    /// Bytes written to the journal so far.
    pub(super) journal_bytes: u64,
    /// Released last, when everything else is closed.
    pub(super) _lock: WriterLock,
}

impl Pager {
    /// The header of the last commit.
    pub fn header(&self) -> &DbHeader {
        &self.header
    }

    /// Whether the writer before this one was interrupted. What it had committed is in place; free pages may hold
    /// half-written bytes and the file may be longer than its last commit says.
    pub fn was_recovered(&self) -> bool {
        self.was_recovered
    }

    /// Bytes that the commits of this writer have written to the journal.
    pub fn journal_bytes(&self) -> u64 {
        self.journal_bytes
    }

    /// The dbtime that the pages of the next commit will carry (P9).
    pub fn next_dbtime(&self) -> Dbtime {
        Dbtime(self.header.dbtime().0 + 1)
    }

    /// The file.
    pub fn storage(&self) -> &Arc<dyn Storage> {
        &self.storage
    }

    /// Highest object id handed out.
    pub fn objid_last(&self) -> ObjId {
        self.objid_last
    }

    /// Hands out the next object id.
    ///
    /// # Errors
    /// [`EseError::Limit`] when the format's last id is in use.
    pub fn next_objid(&mut self) -> EseResult<ObjId> {
        /// First value that is no object id any more. Source: ese-physical 7.2.
        const OBJID_LIMIT: u32 = 0xffff_ff00;
        let next = self.objid_last.0.saturating_add(1);
        if next >= OBJID_LIMIT {
            return Err(EseError::limit("object id", next.into(), OBJID_LIMIT.into()));
        }
        self.objid_last = ObjId(next);
        Ok(self.objid_last)
    }

    /// Whether the writer may go on.
    ///
    /// # Errors
    /// [`Refusal::WriterDead`] after a failure.
    pub fn alive(&self) -> EseResult<()> {
        if self.is_dead {
            let reason = "an earlier operation failed half-way; open the database again to return to the last commit";
            return Err(EseError::refused(Refusal::WriterDead, reason).in_file(&self.path));
        }
        Ok(())
    }

    /// Runs one step that touches the disk; its failure ends the writer (P8).
    pub(super) fn guarded<T>(
        &mut self,
        step: impl FnOnce(&mut Self) -> EseResult<T>,
    ) -> EseResult<T> {
        self.alive()?;
        let result = step(self);
        self.is_dead |= result.is_err();
        result
    }

    /// Ends the writer because an operation stopped half-way (P12).
    pub fn give_up(&mut self) {
        self.is_dead = true;
    }

    /// What has been written to the file by now, among it pages that others have written and this writer has taken into use.
    pub fn sync_mark(&self) -> SyncMark {
        self.unsynced.mark()
    }

    /// The file was synced by somebody who began after `mark` was made: a commit need not do that again (P3, P5).
    pub fn note_synced(&mut self, mark: SyncMark) {
        self.unsynced.synced(mark);
    }

    /// A number that differs from what it was whenever pages were changed, taken or given back since.
    pub fn change_count(&self) -> u64 {
        self.changes
    }

    /// Whether `pgno` has been changed, and so checked, since the last commit or spilling.
    pub fn is_changed(&self, pgno: Pgno) -> bool {
        self.dirty.contains_key(&pgno)
    }

    /// The bytes of `pgno`, to be changed. The page counts as changed from now on.
    ///
    /// # Errors
    /// As [`Pages::page`]; [`Refusal::WriterDead`] after a failure.
    pub fn edit(&mut self, pgno: Pgno) -> EseResult<&mut [u8]> {
        self.alive()?;
        if !self.dirty.contains_key(&pgno) {
            let page = self.page(pgno)?;
            // Editing trusts the page's frame, so it is checked in full before the first change.
            if !self.reader.is_checked(pgno) {
                check_editable(&page.view()?).map_err(|error| error.in_file(&self.path))?;
            }
            let bytes = page.to_vec().into_boxed_slice();
            self.dirty.insert(pgno, bytes);
        }
        self.changes += 1;
        match self.dirty.get_mut(&pgno) {
            Some(bytes) => Ok(bytes),
            None => Err(EseError::corrupt(pgno, "a changed page got lost")),
        }
    }

    /// Takes `pgno`, which was free at the last commit, into use; its bytes start as zeros.
    ///
    /// # Errors
    /// [`Refusal::WriterDead`] after a failure, [`EseError::Corrupt`] when the file ends before that page, or when it is in
    /// use already: the free space that is stored is wrong then, and going on would destroy data.
    pub fn allocate(&mut self, pgno: Pgno) -> EseResult<&mut [u8]> {
        self.alive()?;
        if pgno.get() > self.last_page {
            return Err(beyond_end(pgno, self.last_page).in_file(&self.path));
        }
        if self.dirty.contains_key(&pgno) || !self.fresh.insert(pgno) {
            let reason = "the page is said to be free, but it is in use";
            return Err(EseError::corrupt(pgno, reason).in_file(&self.path));
        }
        self.changes += 1;
        let bytes = vec![0; self.page_size().bytes()].into_boxed_slice();
        Ok(self.dirty.entry(pgno).or_insert(bytes))
    }

    /// Gives `pgno` up. Answers whether it may be used again before the next commit, because the last commit
    /// did not use it (P1).
    pub fn release(&mut self, pgno: Pgno) -> bool {
        self.changes += 1;
        self.dirty.remove(&pgno);
        self.reader.forget(pgno);
        self.fresh.remove(&pgno)
    }

    /// Makes room for pages up to `last_page`.
    ///
    /// # Errors
    /// [`EseError::Io`]: the writer is dead then.
    pub fn extend(&mut self, last_page: u32) -> EseResult<()> {
        if last_page <= self.last_page {
            return Ok(());
        }
        let Some(last) = Pgno::new(last_page) else {
            let limit = u64::from(Pgno::LIMIT);
            return Err(EseError::limit("page number", last_page.into(), limit));
        };
        self.guarded(|pager| {
            let page_size = pager.page_size();
            let len_bytes = last.offset_bytes(page_size) + page_size.bytes() as u64;
            pager.unsynced.wrote();
            pager.storage.preallocate(len_bytes)?;
            pager.last_page = last_page;
            // What is linked in before the commit is read here again; through the cache that would cost 256 KiB for each page.
            pager.reader.map_more()
        })
    }

    /// Cuts the file off after `last_page`. Only for pages that no commit knows.
    ///
    /// # Errors
    /// [`EseError::Io`]: the writer is dead then.
    pub fn truncate(&mut self, last_page: Pgno) -> EseResult<()> {
        assert!(self.dirty.is_empty(), "truncated with uncommitted changes");
        self.guarded(|pager| {
            let page_size = pager.page_size();
            let end = last_page.offset_bytes(page_size) + page_size.bytes() as u64;
            // The map must not reach past the end of the file.
            pager.storage.set_len(end)?;
            pager.storage.sync()?;
            pager.last_page = last_page.get();
            pager.reader.remap()
        })
    }

    /// Rewrites pages as zeros, at once and synced. Only for pages that were free at the last commit (P2).
    ///
    /// # Errors
    /// [`EseError::Io`]: the writer is dead then.
    ///
    /// # Panics
    /// When there are uncommitted changes: one of the pages might be in use by now.
    pub fn zero_free_pages(&mut self, pages: &[Pgno]) -> EseResult<()> {
        let is_unchanged = self.dirty.is_empty() && self.fresh.is_empty();
        assert!(is_unchanged, "free pages are zeroed before the first change");
        if pages.is_empty() {
            return Ok(());
        }
        self.guarded(|pager| {
            let zeros = vec![0; pager.page_size().bytes()];
            for pgno in pages {
                pager.storage.write_all_at(&zeros, pgno.offset_bytes(pager.page_size()))?;
                pager.reader.forget(*pgno);
            }
            Ok(pager.storage.sync()?)
        })
    }

    /// Bytes of changed pages held in memory.
    pub fn dirty_bytes(&self) -> usize {
        self.dirty.len() * self.page_size().bytes()
    }
}

/// Whether a page may be changed: its content keeps the rules, and it has the form that this program edits.
///
/// # Errors
/// [`EseError::Corrupt`], or [`EseError::Unsupported`] for a page with more than one reserved tag.
pub fn check_editable(page: &PageView<'_>) -> EseResult<()> {
    if page.flags().intersects(PageFlags::EMPTY | PageFlags::PRE_INIT) {
        return Err(EseError::corrupt(page.pgno(), "the page is free, but it should be changed"));
    }
    if page.reserved_tags() != 1 || !page.size().is_small() {
        let what = format!("changing a page with {} reserved tags", page.reserved_tags());
        return Err(EseError::unsupported(what).on_page(page.pgno()));
    }
    rules::check_page(page)
}

impl Pages for Pager {
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
        if let Some(bytes) = self.dirty.get(&pgno) {
            return Ok(PageRef::borrowed(pgno, bytes));
        }
        if pgno.get() > self.last_page {
            return Err(beyond_end(pgno, self.last_page).in_file(&self.path));
        }
        self.reader.page(pgno).map_err(|error| error.in_file(&self.path))
    }

    fn will_need(&self, pages: &[Pgno]) {
        self.reader.will_need(pages);
    }
}
