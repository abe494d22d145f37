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

/// A page whose checksum does not agree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageFinding {
    /// The page.
    pub pgno: Pgno,
    /// What is wrong.
    pub verdict: Verdict,
}

/// Verifies the checksum of every page of the file. Pages of zeros are free pages and no findings.
///
/// # Errors
/// [`crate::ese::EseError::Io`].
pub fn scan_pages(file: &DatabaseFile) -> EseResult<Vec<PageFinding>> {
    let page_bytes = file.page_size().bytes();
    let pages_per_piece = (PIECE_BYTES / page_bytes) as u32;
    let pieces = file.last_page().div_ceil(pages_per_piece);
    let found = (0..pieces)
        .into_par_iter()
        .map_init(Vec::new, |buffer, piece| {
            let first = piece * pages_per_piece + 1;
            let last = file.last_page().min(first + pages_per_piece - 1);
            scan_piece(file, first, last, buffer)
        })
        .try_reduce(Vec::new, |mut all, more| {
            all.extend(more);
            Ok(all)
        })?;
    Ok(found)
}

fn scan_piece(
    file: &DatabaseFile,
    first: u32,
    last: u32,
    buffer: &mut Vec<u8>,
) -> EseResult<Vec<PageFinding>> {
    let page_bytes = file.page_size().bytes();
    let start = (u64::from(first) + 1) * page_bytes as u64;
    let len_bytes = (last - first + 1) as usize * page_bytes;
    let mapped = file.map().and_then(|map| {
        let start = usize::try_from(start).ok()?;
        map.bytes().get(start..start.checked_add(len_bytes)?)
    });
    let bytes = match mapped {
        Some(bytes) => bytes,
        None => {
            buffer.resize(len_bytes, 0);
            file.storage().read_exact_at(buffer, start)?;
            buffer
        }
    };
    let findings = bytes.chunks_exact(page_bytes).zip(first..).filter_map(|(page, number)| {
        let pgno = Pgno::new(number)?;
        let page = file.overlaid(pgno).map_or(page, |overlaid| &**overlaid);
        match checksum::verify(page, pgno) {
            Verdict::Sound | Verdict::Zero => None,
            verdict => Some(PageFinding { pgno, verdict }),
        }
    });
    Ok(findings.collect())
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
