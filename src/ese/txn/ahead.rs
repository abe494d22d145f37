//! Pages written ahead of a commit by other threads, and the last commit as those threads read it.
//!
//! Both rest on P2: a page that was free at the last commit may be written at any time. The writer reserves such pages, a
//! worker fills them without asking again, and the writer takes them into use when it links them into a tree. Until then
//! they are free on disk, so a crash leaves nothing behind but bytes that nobody points at.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::commit::finish_page;
use super::pager::{Pager, check_editable};
use super::reader::{PageReader, beyond_end};
use super::rooms::Rooms;
use super::source::{PageRef, Pages};
use crate::ese::error::{EseError, EseResult};
use crate::ese::page::header::DbHeader;
use crate::ese::page::{Dbtime, PageSize, PageView, Pgno};
use crate::io::Storage;

/// Writes finished pages into reserved places, from any thread.
#[derive(Debug, Clone)]
pub struct AheadWriter {
    storage: Arc<dyn Storage>,
    page_size: PageSize,
    dbtime: Dbtime,
    rooms: Rooms,
}

impl AheadWriter {
    /// Size of every page.
    pub fn page_size(&self) -> PageSize {
        self.page_size
    }

    /// Memory to fill pages in.
    pub fn rooms(&self) -> &Rooms {
        &self.rooms
    }

    /// Checks, stamps and writes pages; `numbers` belong to `pages` one to one and ascend. Adjacent ones are written together.
    /// Not synced: the commit that links them does that.
    ///
    /// # Errors
    /// [`EseError::Io`]; [`EseError::Corrupt`] when a page breaks a rule of the format, which is a mistake of this program.
    pub fn write(&self, numbers: &[Pgno], pages: &mut [u8]) -> EseResult<()> {
        let page_bytes = self.page_size.bytes();
        assert_eq!(numbers.len() * page_bytes, pages.len(), "a number for each page");
        for (pgno, page) in numbers.iter().zip(pages.chunks_exact_mut(page_bytes)) {
            finish_page(page, *pgno, self.dbtime)?;
        }
        // Adjacent pages lie together here too, and are written from where they lie.
        let mut rest: &[u8] = pages;
        for adjacent in numbers.chunk_by(|before, after| before.get() + 1 == after.get()) {
            let (now, later) = rest.split_at(adjacent.len() * page_bytes);
            if let Some(first) = adjacent.first() {
                self.storage.write_all_at(now, first.offset_bytes(self.page_size))?;
            }
            rest = later;
        }
        Ok(())
    }
}

/// The database as the last commit left it, for threads that read while the writer goes on. The caller sees to it that nobody
/// reads while a commit puts pages in place, and takes a new view after each commit.
#[derive(Debug)]
pub struct CommittedPages {
    reader: PageReader,
    header: DbHeader,
    last_page: u32,
    path: PathBuf,
}

impl CommittedPages {
    /// The header of that commit.
    pub fn header(&self) -> &DbHeader {
        &self.header
    }

    /// Checks a page as whoever changes it must, and remembers that it was found good. A page that is not is no concern of readers.
    pub fn check_ahead(&self, page: &PageView<'_>) {
        let pgno = page.pgno();
        if !self.reader.is_checked(pgno) && check_editable(page).is_ok() {
            self.reader.set_checked(pgno);
        }
    }

    /// As [`crate::io::Map::let_go`].
    pub fn let_go(&self) {
        self.reader.let_go();
    }
}

impl Pages for CommittedPages {
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
        self.reader.page(pgno).map_err(|error| error.in_file(&self.path))
    }

    fn will_need(&self, pages: &[Pgno]) {
        self.reader.will_need(pages);
    }
}

impl Pager {
    /// A writer of reserved pages. Its pages carry the dbtime of the next commit, so it serves until that, and pages that it wrote may
    /// be linked by that commit or a later one (P9).
    pub fn ahead_writer(&self) -> AheadWriter {
        AheadWriter {
            storage: self.storage.clone(),
            page_size: self.page_size(),
            dbtime: self.next_dbtime(),
            rooms: self.rooms.clone(),
        }
    }

    /// The last commit, to be read by other threads. They share the writer's map: a page is verified once, whoever reads it, until it is
    /// written over.
    pub fn committed(&self) -> CommittedPages {
        CommittedPages {
            reader: self.reader.another(),
            header: self.header.clone(),
            last_page: self.last_page,
            path: self.path.clone(),
        }
    }

    /// Takes a reserved page into use that has been written ahead.
    ///
    /// # Errors
    /// As [`Pager::allocate`].
    pub fn adopt(&mut self, pgno: Pgno) -> EseResult<()> {
        self.alive()?;
        if pgno.get() > self.last_page {
            return Err(beyond_end(pgno, self.last_page).in_file(&self.path));
        }
        if self.dirty.contains_key(&pgno) || !self.fresh.insert(pgno) {
            let reason = "the page is said to be free, but it is in use";
            return Err(EseError::corrupt(pgno, reason).in_file(&self.path));
        }
        self.changes += 1;
        self.unsynced.wrote();
        self.reader.forget(pgno);
        Ok(())
    }
}
