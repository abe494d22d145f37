//! The checksum of every page of the streaming file that has one, on all cores: what `check --quick` does beside the database's pages.
//!
//! One thread walks the owner table, whose rows hold the checksums in the order of the pages, and cuts it into spans of the file that
//! are read at once; all threads read and verify spans. Knows nothing of who owns what. Source: exchange-store 12.7.

use std::cell::RefCell;
use std::path::Path;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use super::{Report, StoreSummary};
use crate::ese::check::Finding;
use crate::ese::error::{EseError, EseResult};
use crate::io::Volume;
use crate::stm::{CHECKSUM_BYTES, OWNER_ROW_PAGES, PAGE_BYTES, Run, StmFile, first_bad_of};
use crate::store::read::Store;

/// Pages that are read at once, at most; every row fits.
const SPAN_PAGES: u32 = OWNER_ROW_PAGES;
/// Spans that wait for a thread; beyond them the walking thread works too, so that memory has a bound.
const WAITING_MAX: usize = 256;

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Runs that lie close together, and the checksums of their pages.
#[derive(Default)]
struct Span {
    runs: Vec<Run>,
    sums: Vec<u8>,
}

/// What the threads share.
struct Scan<'s> {
    file: &'s StmFile,
    page_count: u64,
    waiting: AtomicUsize,
    verified: AtomicU64,
    /// Wrong pages, and what cannot be read, by the first page concerned.
    findings: Mutex<Vec<(u32, SpanFinding)>>,
    failed: Mutex<Option<EseError>>,
}

enum SpanFinding {
    WrongBytes,
    Unreadable(EseError),
}

/// Verifies every page of the streaming file that a row of the owner table has a checksum of. Pages that nobody owns have none.
///
/// # Errors
/// [`EseError::Io`]. A file that is missing or does not belong to the database is a finding.
pub fn check_streams(
    volume: &dyn Volume,
    path: &Path,
    sink: &mut dyn FnMut(&Finding),
) -> EseResult<StoreSummary> {
    let mut report = Report { sink, summary: StoreSummary::default() };
    let store = match Store::open(volume, path) {
        Ok(store) => store,
        Err(error @ EseError::Io(_)) => return Err(error),
        Err(error @ EseError::Refused { .. }) => {
            report.warn("pair", "streaming file", format!("not checked: {error}"));
            return Ok(report.summary);
        }
        Err(error) => {
            report.error("pair", path.display(), error.to_string());
            return Ok(report.summary);
        }
    };
    let scan = Scan {
        file: store.stm(),
        page_count: store.stm().page_count()?,
        waiting: AtomicUsize::new(0),
        verified: AtomicU64::new(0),
        findings: Mutex::default(),
        failed: Mutex::default(),
    };
    let broken = rayon::scope(|scope| scan.walk(&store, scope))?;
    if let Some(error) = scan.failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(error);
    }
    broken.iter().for_each(|error| report.unreadable("StmOwner", error));
    let mut findings = scan.findings.into_inner().unwrap_or_else(PoisonError::into_inner);
    findings.sort_by_key(|(page, _)| *page);
    for (page, finding) in findings {
        match finding {
            SpanFinding::WrongBytes => {
                let message = format!("page {page}: its bytes are not those that were stored");
                report.error("checksum", "streaming file", message);
            }
            SpanFinding::Unreadable(error) => report.unreadable("streaming file", &error),
        }
    }
    report.summary.stream_pages = scan.verified.into_inner();
    Ok(report.summary)
}

impl Span {
    /// Whether a run goes into one read with what is here. Rows come in the order of their pages, unless the table is damaged.
    fn takes(&self, run: Run) -> bool {
        self.runs.first().is_none_or(|first| {
            first.first() <= run.first() && run.last().0 - first.first().0 < SPAN_PAGES
        })
    }

    fn pages(&self) -> Option<Run> {
        let first = self.runs.first()?.first().0;
        let last = self.runs.iter().map(|run| run.last().0).max()?;
        Run::new(first, last.checked_sub(first)?.checked_add(1)?)
    }
}

impl<'s> Scan<'s> {
    /// Hands out all spans; answers what was wrong with rows.
    fn walk<'scope>(
        &'scope self,
        store: &Store,
        scope: &rayon::Scope<'scope>,
    ) -> EseResult<Vec<EseError>> {
        let mut broken = Vec::new();
        let mut span = Span::default();
        store.tables().stm().each_sums(store.database().file(), &mut |row| {
            let (run, sums) = match row {
                Ok(row) => row,
                Err(error @ EseError::Io(_)) => return Err(error),
                Err(error) => {
                    broken.push(error);
                    return Ok(());
                }
            };
            if !span.takes(run) {
                self.hand_out(std::mem::take(&mut span), scope);
            }
            span.runs.push(run);
            span.sums.extend_from_slice(sums);
            Ok(())
        })?;
        self.hand_out(span, scope);
        Ok(broken)
    }

    fn hand_out<'scope>(&'scope self, span: Span, scope: &rayon::Scope<'scope>) {
        if self.waiting.load(Ordering::Relaxed) >= WAITING_MAX {
            return self.verify(&span);
        }
        self.waiting.fetch_add(1, Ordering::Relaxed);
        scope.spawn(move |_| {
            self.verify(&span);
            self.waiting.fetch_sub(1, Ordering::Relaxed);
        });
    }

    fn verify(&self, span: &Span) {
        let result = BUFFER.with_borrow_mut(|buffer| self.verify_in(span, buffer));
        if let Err(error) = result {
            let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
            failed.get_or_insert(error);
        }
    }

    fn verify_in(&self, span: &Span, buffer: &mut Vec<u8>) -> EseResult<()> {
        let Some(whole) = span.pages() else { return Ok(()) };
        buffer.resize(SPAN_PAGES as usize * PAGE_BYTES, 0);
        let is_inside = u64::from(whole.last().0) <= self.page_count;
        let bytes = buffer.get_mut(..whole.count() as usize * PAGE_BYTES).unwrap_or_default();
        if is_inside {
            self.file.read(whole, bytes)?;
        }
        let mut sums = span.sums.as_slice();
        for run in &span.runs {
            let (own, rest) =
                sums.split_at_checked(run.count() as usize * CHECKSUM_BYTES).unwrap_or((sums, &[]));
            sums = rest;
            let start = (run.first().0 - whole.first().0) as usize * PAGE_BYTES;
            let end = start + run.count() as usize * PAGE_BYTES;
            let Some(bytes) = bytes.get_mut(start..end) else { continue };
            // The file ends before some page of the span: single runs may be inside.
            match if is_inside { Ok(()) } else { self.file.read(*run, bytes) } {
                Ok(()) => self.compare(*run, own, bytes),
                Err(error @ EseError::Io(_)) => return Err(error),
                Err(error) => self.note(run.first().0, SpanFinding::Unreadable(error)),
            }
        }
        Ok(())
    }

    fn compare(&self, run: Run, sums: &[u8], bytes: &[u8]) {
        let (sums, _) = sums.as_chunks::<CHECKSUM_BYTES>();
        let stored = sums.iter().map(|sum| u64::from_le_bytes(*sum));
        self.verified.fetch_add(u64::from(run.count()), Ordering::Relaxed);
        if let Some(page) = first_bad_of(run, stored, bytes) {
            self.note(page.0, SpanFinding::WrongBytes);
        }
    }

    fn note(&self, page: u32, finding: SpanFinding) {
        let mut findings = self.findings.lock().unwrap_or_else(PoisonError::into_inner);
        findings.push((page, finding));
    }
}
