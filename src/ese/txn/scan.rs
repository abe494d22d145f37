//! Verifying every page of a file in file order, on all cores. Knows nothing of trees.

use rayon::prelude::*;

use super::file::DatabaseFile;
use super::pager::Pager;
use super::source::Pages;
use crate::ese::error::EseResult;
use crate::ese::page::Pgno;
use crate::ese::page::checksum::{self, Verdict};

/// Bytes verified in one piece of work: small enough for the cache, large enough for one read.
const PIECE_BYTES: usize = 256 << 10;

/// What is wrong with a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PageProblem {
    /// Its checksum does not agree.
    Checksum(Verdict),
    /// The system could not read it, for this reason.
    Unreadable(String),
}

/// A page that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageFinding {
    /// The page.
    pub pgno: Pgno,
    /// What is wrong.
    pub problem: PageProblem,
}

/// Verifies the checksum of every page of the file. Pages of zeros are free pages and no findings.
///
/// Reads in large pieces even where the file is mapped: each page is looked at once, and faulting it in one by one would
/// cost more than the checksum.
pub fn scan_pages(file: &DatabaseFile) -> Vec<PageFinding> {
    let pages_per_piece = (PIECE_BYTES / file.page_size().bytes()) as u32;
    let pieces = file.last_page().div_ceil(pages_per_piece);
    (0..pieces)
        .into_par_iter()
        .map_init(Vec::new, |buffer, piece| {
            let first = piece * pages_per_piece + 1;
            let last = file.last_page().min(first + (pages_per_piece - 1));
            scan_piece(file, first, last, buffer)
        })
        .reduce(Vec::new, |mut all, more| {
            all.extend(more);
            all
        })
}

fn scan_piece(
    file: &DatabaseFile,
    first: u32,
    last: u32,
    buffer: &mut Vec<u8>,
) -> Vec<PageFinding> {
    let page_bytes = file.page_size().bytes();
    let start = (u64::from(first) + 1) * page_bytes as u64;
    buffer.resize((last - first + 1) as usize * page_bytes, 0);
    if file.storage().read_exact_at(buffer, start).is_err() {
        // A bad sector, or a file that is cut off in the middle of the piece: find out which pages it costs.
        return (first..=last)
            .filter_map(|number| scan_page(file, Pgno::new(number)?, buffer))
            .collect();
    }
    let pages = buffer.chunks_exact(page_bytes).zip(first..);
    pages.filter_map(|(page, number)| judge(file, Pgno::new(number)?, page)).collect()
}

fn scan_page(file: &DatabaseFile, pgno: Pgno, buffer: &mut [u8]) -> Option<PageFinding> {
    let page = buffer.get_mut(..file.page_size().bytes())?;
    match file.storage().read_exact_at(page, pgno.offset_bytes(file.page_size())) {
        Err(error) if file.overlaid(pgno).is_none() => {
            Some(PageFinding { pgno, problem: PageProblem::Unreadable(error.to_string()) })
        }
        _ => judge(file, pgno, page),
    }
}

fn judge(file: &DatabaseFile, pgno: Pgno, page: &[u8]) -> Option<PageFinding> {
    let page = file.overlaid(pgno).map_or(page, |overlaid| &**overlaid);
    match checksum::verify(page, pgno) {
        Verdict::Sound | Verdict::Zero => None,
        verdict => Some(PageFinding { pgno, problem: PageProblem::Checksum(verdict) }),
    }
}

impl Pager {
    /// Pages in `first..=last` of the file as it is on disk whose checksums do not agree. Pages of zeros are none.
    ///
    /// # Errors
    /// [`crate::ese::EseError::Io`].
    pub fn damaged_pages(&self, first: u32, last: u32) -> EseResult<Vec<Pgno>> {
        let page_bytes = self.page_size().bytes();
        let pages_per_piece = (PIECE_BYTES / page_bytes) as u32;
        let mut damaged = Vec::new();
        let mut buffer = Vec::new();
        let mut start = first.max(1);
        while start <= last {
            let end = last.min(start.saturating_add(pages_per_piece - 1));
            buffer.resize((end - start + 1) as usize * page_bytes, 0);
            let offset_bytes = (u64::from(start) + 1) * page_bytes as u64;
            self.storage.read_exact_at(&mut buffer, offset_bytes)?;
            for (page, number) in buffer.chunks_exact(page_bytes).zip(start..) {
                let Some(pgno) = Pgno::new(number) else { continue };
                if !matches!(checksum::verify(page, pgno), Verdict::Sound | Verdict::Zero) {
                    damaged.push(pgno);
                }
            }
            start = end + 1;
        }
        Ok(damaged)
    }
}
