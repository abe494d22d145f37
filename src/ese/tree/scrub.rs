//! Tidying after a crash: the file is cut to what the database owns, and half-written free pages become zeros.
//!
//! A writer that was interrupted may have left more behind than its last commit: pages written ahead of a commit that never
//! happened (promise P2 of the pager allows that, nothing points at them), some of them torn, and a longer file. Trees do
//! not care; a scan of all checksums, here or by other programs, would report them.

use super::{DATABASE_ROOT, Forest, read_space};
use crate::ese::error::{EseError, EseResult};
use crate::ese::page::Pgno;
use crate::ese::txn::Pages;

impl Forest {
    /// Tidies a database whose last writer was interrupted; does nothing to any other. Call it right after opening, with
    /// the roots of all trees: the free pages of a tree that is not named stay as they are, so do damaged pages that are
    /// not free. Answers how many pages were rewritten as zeros. A crash while tidying does no harm: the next
    /// writer tidies again.
    ///
    /// # Errors
    /// [`EseError::Corrupt`] when the space of the database root cannot be read or the file ends before it;
    /// [`EseError::Io`]: the writer is dead then.
    ///
    /// # Panics
    /// When something was changed before.
    pub fn scrub_after_crash(&mut self, roots: &[Pgno]) -> EseResult<u64> {
        if !self.pager.was_recovered() {
            return Ok(0);
        }
        self.cut_to_owned()?;
        let mut torn = Vec::new();
        for fdp in roots.iter().copied().filter(|fdp| *fdp != DATABASE_ROOT).chain([DATABASE_ROOT])
        {
            let space = match read_space(&self.pager, fdp) {
                Ok(space) => space,
                Err(error @ EseError::Io(_)) => return Err(error),
                Err(error) => {
                    tracing::warn!(fdp = fdp.get(), %error, "free pages of a tree are not tidied");
                    continue;
                }
            };
            for extent in space.available.iter() {
                let last = extent.last.get().min(self.pager.last_page());
                torn.extend(self.pager.damaged_pages(extent.first().get(), last)?);
            }
        }
        torn.sort_unstable();
        torn.dedup();
        self.pager.zero_free_pages(&torn)?;
        tracing::info!(pages = torn.len(), "tidied free pages after a crash");
        Ok(torn.len() as u64)
    }

    fn cut_to_owned(&mut self) -> EseResult<()> {
        let owned = read_space(&self.pager, DATABASE_ROOT)?.owned;
        let file_end = self.pager.last_page();
        match owned.last_page() {
            Some(last) if last.get() > file_end => {
                let reason = format!("the database owns page {last}, the file ends at {file_end}");
                Err(EseError::corrupt(DATABASE_ROOT, reason).in_file(self.pager.path()))
            }
            Some(last) if last.get() < file_end => self.pager.truncate(last),
            Some(_) => Ok(()),
            None => Err(EseError::corrupt(DATABASE_ROOT, "the database owns no pages")),
        }
    }
}
