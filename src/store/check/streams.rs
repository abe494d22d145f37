//! The streaming file: the rows that refer to it, its owner table, its space map and its bytes against each other.

use std::collections::HashMap;

use crate::ese::error::{EseError, EseResult};
use crate::stm::{
    CHUNK_PAGES, OWNER_ROW_PAGES, Owner, OwnerRow, PAGE_BYTES, PageState, Run, SlvInfo, SpaceMap,
    StmPgno, first_bad_page,
};

use super::Report;
use crate::store::read::Store;

/// Findings about single pages are gathered into ranges of pages; beyond this number they are counted only.
const RANGES_MAX: usize = 1000;

/// The pieces of streams that rows refer to: an owner row must stand for each.
#[derive(Debug, Default)]
pub(super) struct Streams {
    expected: HashMap<StmPgno, (u32, Owner)>,
}

impl Streams {
    /// Notes the stream of a row.
    pub(super) fn expect(&mut self, stream: &SlvInfo, owner: &Owner, report: &mut Report<'_>) {
        for piece in stream.runs().iter().flat_map(|run| run.pieces(OWNER_ROW_PAGES)) {
            let entry = (piece.count(), owner.clone());
            if let Some((_, other)) = self.expected.insert(piece.first(), entry) {
                let (page, a, b) = (piece.first(), describe(owner), describe(&other));
                let message = format!("page {page} is referred to by {a} and by {b}");
                report.error("stream", "streaming file", message);
            }
        }
    }
}

fn describe(owner: &Owner) -> String {
    let key: String = owner.key.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("column {} of row {key} of table {}", owner.column, owner.table)
}

/// What is known while the owner table is walked.
struct Walk {
    space: SpaceMap,
    /// A bit a page: it has an owner.
    owned: Vec<u64>,
    last_page: u32,
    buffer: Vec<u8>,
}

/// Checks the streaming file.
pub(super) fn check(store: &Store, mut streams: Streams, report: &mut Report<'_>) -> EseResult<()> {
    let pages = store.database().file();
    let tables = store.tables().stm();
    let space = match tables.read_chunks(pages).and_then(SpaceMap::new) {
        Ok(space) => space,
        Err(error @ EseError::Io(_)) => return Err(error),
        Err(error) => {
            report.unreadable("StmSpace", &error);
            return Ok(());
        }
    };
    let words = (space.page_count() as usize).div_ceil(64);
    let buffer = vec![0; OWNER_ROW_PAGES as usize * PAGE_BYTES];
    let mut walk = Walk { space, owned: vec![0; words], last_page: 0, buffer };
    tables.each_owner(pages, &mut |row| match row {
        Ok(row) => walk.owner(store, &row, &mut streams, report),
        Err(error @ EseError::Io(_)) => Err(error),
        Err(error) => {
            report.unreadable("StmOwner", &error);
            Ok(())
        }
    })?;
    let mut missing: Vec<_> = streams.expected.into_iter().collect();
    missing.sort_unstable_by_key(|(page, _)| *page);
    for (page, (count, owner)) in missing {
        let owner = describe(&owner);
        let message = format!("{count} pages from {page} on, of {owner}, have no owner row");
        report.error("owner", "StmOwner", message);
    }
    walk.space_map(report);
    Ok(())
}

impl Walk {
    fn owner(
        &mut self,
        store: &Store,
        row: &OwnerRow,
        streams: &mut Streams,
        report: &mut Report<'_>,
    ) -> EseResult<()> {
        let (first, count) = (row.run.first(), row.run.count());
        match streams.expected.remove(&first) {
            Some((expected, owner)) if expected == count && owner == row.owner => {}
            Some((expected, owner)) => {
                let (found, owner) = (describe(&row.owner), describe(&owner));
                let message = format!(
                    "{count} pages from {first} on are listed for {found}, but {owner} refers to {expected}"
                );
                report.error("owner", "StmOwner", message);
            }
            None => {
                let owner = describe(&row.owner);
                let message = format!(
                    "{count} pages from {first} on are listed for {owner}, which refers to none"
                );
                report.error("owner", "StmOwner", message);
            }
        }
        if first.0 <= self.last_page {
            let message = format!("page {first} is listed twice");
            report.error("owner", "StmOwner", message);
        }
        self.last_page = self.last_page.max(row.run.last().0);
        self.states(row.run, report);
        self.bytes(store, row, report)
    }

    /// Pages with an owner are in use.
    fn states(&mut self, run: Run, report: &mut Report<'_>) {
        for page in run.pages() {
            let state = self.space.state(page);
            if state != Some(PageState::Committed) {
                let state =
                    state.map_or("beyond the end of the file".to_owned(), |s| format!("{s:?}"));
                report.error(
                    "space",
                    "StmSpace",
                    format!("page {page} has an owner, but is {state}"),
                );
            }
            let bit = page.0 as usize - 1;
            if let Some(word) = self.owned.get_mut(bit / 64) {
                *word |= 1 << (bit % 64);
            }
        }
    }

    fn bytes(&mut self, store: &Store, row: &OwnerRow, report: &mut Report<'_>) -> EseResult<()> {
        let length = row.run.count() as usize * PAGE_BYTES;
        let bytes = self.buffer.get_mut(..length).unwrap_or_default();
        match store.stm().read(row.run, bytes) {
            Ok(()) => {
                report.summary.stream_pages += u64::from(row.run.count());
                if let Some(page) = first_bad_page(row, bytes) {
                    let message = format!("page {page}: its bytes are not those that were stored");
                    report.error("checksum", "streaming file", message);
                }
                Ok(())
            }
            Err(error @ EseError::Io(_)) => Err(error),
            Err(error) => {
                report.unreadable("streaming file", &error);
                Ok(())
            }
        }
    }

    /// Pages that are in use have an owner; a store at rest has no page in between.
    fn space_map(&self, report: &mut Report<'_>) {
        let mut stale = 0;
        let mut lost: Vec<(u32, u32)> = Vec::new();
        for (number, chunk) in self.space.chunks().iter().enumerate() {
            stale += chunk.count(PageState::Reserved) + chunk.count(PageState::Deleted);
            for page in (0..CHUNK_PAGES).filter(|page| chunk.state(*page) == PageState::Committed) {
                let bit = number * CHUNK_PAGES as usize + page as usize;
                let is_owned = self.owned.get(bit / 64).is_some_and(|w| w >> (bit % 64) & 1 == 1);
                if is_owned {
                    continue;
                }
                let page = bit as u32 + 1;
                match lost.last_mut() {
                    Some((_, last)) if *last + 1 == page => *last = page,
                    _ => lost.push((page, page)),
                }
            }
        }
        for (first, last) in lost.iter().take(RANGES_MAX) {
            let message = format!("pages {first} to {last} are in use, but have no owner");
            report.warn("orphan", "StmSpace", message);
        }
        if lost.len() > RANGES_MAX {
            let message = format!("{} more ranges have no owner", lost.len() - RANGES_MAX);
            report.warn("orphan", "StmSpace", message);
        }
        if stale > 0 {
            let message =
                format!("{stale} pages are neither free nor in use; the next writer frees them");
            report.find(crate::ese::check::Severity::Note, "space", "StmSpace", message);
        }
    }
}
