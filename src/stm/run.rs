//! Page numbers of the streaming file, runs of pages, and the value by which a row refers to its stream.
//!
//! ```text
//! 0   1  version, 1
//! 1   1  flags: 1 a name is present, 2 the data was not logged
//! 2   2  length of the name in bytes
//! 4   4  number of runs, at most 512
//! 8   8  length of the content in bytes
//! 16  8  length of its pages in bytes
//! 24  n  name, UTF-16LE
//! then for each run, in the order of the content:
//!     4  first page
//!     4  number of pages
//! ```
//!
//! All numbers little-endian. Source: exchange-store 12.7 (a structure of the model).

use std::fmt;

use super::PAGE_BYTES;
use crate::ese::error::{EseError, EseResult};

const VERSION: u8 = 1;
const HEAD_BYTES: usize = 24;
const RUN_BYTES: usize = 8;
const FLAG_NAME: u8 = 1;
const FLAGS_KNOWN: u8 = 3;

/// Number of a page of the streaming file, 1-based.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StmPgno(pub u32);

impl StmPgno {
    /// Byte offset of the page in the file: two header pages come first. Source: exchange-store 6.1.
    pub const fn offset_bytes(self) -> u64 {
        (self.0 as u64 + 1) * PAGE_BYTES as u64
    }
}

impl fmt::Display for StmPgno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Pages that follow each other, at least one. Their numbers do not overflow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Run {
    first: StmPgno,
    count: u32,
}

impl Run {
    /// The run of `count` pages from `first` on; `None` when there is no such run.
    pub fn new(first: u32, count: u32) -> Option<Self> {
        let end = first.checked_add(count)?;
        (first > 0 && count > 0 && end < u32::MAX).then_some(Self { first: StmPgno(first), count })
    }

    /// The first page.
    pub fn first(self) -> StmPgno {
        self.first
    }

    /// The last page.
    pub fn last(self) -> StmPgno {
        StmPgno(self.first.0 + (self.count - 1))
    }

    /// Number of pages.
    pub fn count(self) -> u32 {
        self.count
    }

    /// The pages.
    pub fn pages(self) -> impl Iterator<Item = StmPgno> {
        (self.first.0..=self.last().0).map(StmPgno)
    }

    /// The first `count` pages, or all of them when there are no more, and the rest. `count` is at least one.
    pub(super) fn split_at(self, count: u32) -> (Self, Option<Self>) {
        let taken = Self { count: self.count.min(count.max(1)), ..self };
        (taken, Self::new(self.first.0 + taken.count, self.count - taken.count))
    }

    /// The run cut into pieces of at most `most` pages.
    ///
    /// # Panics
    /// When `most` is 0.
    pub fn pieces(self, most: u32) -> impl Iterator<Item = Self> {
        assert!(most > 0, "a piece has pages");
        let end = self.first.0 + self.count;
        (self.first.0..end)
            .step_by(most as usize)
            .map(move |first| Self { first: StmPgno(first), count: (end - first).min(most) })
    }
}

/// Appends a run, joining it with the last one where they touch.
pub(super) fn push_joined(runs: &mut Vec<Run>, run: Run) {
    if let Some(last) = runs.last_mut()
        && last.first.0 + last.count == run.first.0
    {
        last.count += run.count;
        return;
    }
    runs.push(run);
}

/// Where a stream is: its length and its runs. Checked: the pages are as many as the length needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlvInfo {
    len_bytes: u64,
    runs: Vec<Run>,
}

impl SlvInfo {
    /// Most runs of a value. Source: exchange-store 12.7.
    pub const RUNS_MAX: usize = 512;

    /// A stream of `len_bytes` bytes in these runs.
    ///
    /// # Panics
    /// When the runs are too many, or not as many pages as the length needs: the allocator's mistake.
    pub fn new(len_bytes: u64, runs: Vec<Run>) -> Self {
        let info = Self { len_bytes, runs };
        assert!(info.runs.len() <= Self::RUNS_MAX, "a stream has at most 512 runs");
        assert_eq!(info.page_count(), pages_for(len_bytes), "the runs hold the stream");
        info
    }

    /// Length of the content in bytes.
    pub fn len_bytes(&self) -> u64 {
        self.len_bytes
    }

    /// The runs in the order of the content.
    pub fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// Pages in all runs.
    pub fn page_count(&self) -> u64 {
        self.runs.iter().map(|run| u64::from(run.count)).sum()
    }

    /// The value of the column.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEAD_BYTES + self.runs.len() * RUN_BYTES);
        out.extend([VERSION, 0, 0, 0]);
        out.extend((self.runs.len() as u32).to_le_bytes());
        out.extend(self.len_bytes.to_le_bytes());
        out.extend((self.page_count() * PAGE_BYTES as u64).to_le_bytes());
        for run in &self.runs {
            out.extend(run.first.0.to_le_bytes());
            out.extend(run.count.to_le_bytes());
        }
        out
    }

    /// Reads the value of a column. Work and memory follow its length. A name is skipped.
    ///
    /// # Errors
    /// [`EseError::Corrupt`] when it breaks a rule of the form, when a page is listed twice, or when the pages are fewer or
    /// more than the length needs.
    pub fn decode(bytes: &[u8]) -> EseResult<Self> {
        let corrupt =
            |reason: String| EseError::corrupt_bytes(format!("stream reference: {reason}"));
        let Some((head, rest)) = bytes.split_at_checked(HEAD_BYTES) else {
            return Err(corrupt(format!("{} bytes are too few", bytes.len())));
        };
        let head: [u8; HEAD_BYTES] = head.try_into().unwrap_or([0; HEAD_BYTES]);
        let [version, flags, n0, n1, r0, r1, r2, r3, lengths @ ..] = head;
        if version != VERSION || flags & !FLAGS_KNOWN != 0 {
            return Err(corrupt(format!("version {version}, flags {flags:#x}")));
        }
        let name_bytes = usize::from(u16::from_le_bytes([n0, n1]));
        if (flags & FLAG_NAME != 0) != (name_bytes > 0) {
            return Err(corrupt(format!("flags {flags:#x} with a name of {name_bytes} bytes")));
        }
        let run_count = u32::from_le_bytes([r0, r1, r2, r3]) as usize;
        let runs = rest.get(name_bytes..).unwrap_or_default();
        if run_count > Self::RUNS_MAX || Some(runs.len()) != run_count.checked_mul(RUN_BYTES) {
            return Err(corrupt(format!("{run_count} runs in {} bytes", runs.len())));
        }
        let (length, reserved) = lengths.split_at(8);
        let info = Self { len_bytes: u64_of(length), runs: decode_runs(runs)? };
        let page_count = info.page_count();
        if page_count != pages_for(info.len_bytes)
            || Some(u64_of(reserved)) != page_count.checked_mul(PAGE_BYTES as u64)
        {
            let (length, reserved) = (info.len_bytes, u64_of(reserved));
            let reason =
                format!("{length} bytes in {page_count} pages with {reserved} bytes reserved");
            return Err(corrupt(reason));
        }
        Ok(info)
    }
}

/// Pages that so many bytes need.
pub(super) fn pages_for(len_bytes: u64) -> u64 {
    len_bytes.div_ceil(PAGE_BYTES as u64)
}

fn u64_of(bytes: &[u8]) -> u64 {
    bytes.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

fn decode_runs(bytes: &[u8]) -> EseResult<Vec<Run>> {
    let mut runs = Vec::with_capacity(bytes.len() / RUN_BYTES);
    for run in bytes.chunks_exact(RUN_BYTES) {
        let (first, count) = run.split_at(4);
        let number =
            |bytes: &[u8]| bytes.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes));
        let (first, count) = (number(first), number(count));
        let reason = || format!("stream reference: no run of {count} pages from {first} on");
        runs.push(Run::new(first, count).ok_or_else(|| EseError::corrupt_bytes(reason()))?);
    }
    let mut sorted = runs.clone();
    sorted.sort_unstable();
    let overlap = |pair: &&[Run]| matches!(pair, [a, b] if a.last() >= b.first());
    if let Some([_, again]) = sorted.windows(2).find(overlap) {
        let reason = format!("stream reference: page {} is listed twice", again.first());
        return Err(EseError::corrupt_bytes(reason));
    }
    Ok(runs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> SlvInfo {
        let runs =
            [(17, 16), (3, 1), (513, 2)].map(|(first, count)| Run::new(first, count).unwrap());
        SlvInfo::new(18 * 4096 + 5, runs.to_vec())
    }

    #[test]
    fn a_reference_comes_back_from_its_bytes() {
        for info in [sample(), SlvInfo::new(0, Vec::new())] {
            assert_eq!(SlvInfo::decode(&info.encode()).unwrap(), info);
        }
        assert_eq!(sample().encode().len(), 24 + 3 * 8);
    }

    #[test]
    fn a_name_is_skipped() {
        let mut bytes = sample().encode();
        bytes[1] |= FLAG_NAME;
        bytes[2] = 4;
        bytes.splice(24..24, [b'a', 0, b'b', 0]);
        assert_eq!(SlvInfo::decode(&bytes).unwrap(), sample());
    }

    #[test]
    fn every_changed_byte_of_the_head_and_every_cut_is_noticed() {
        let good = sample().encode();
        for at in 0..24 {
            let mut bad = good.clone();
            bad[at] ^= 0x40;
            // Only the low bits of the length may change without another number of pages.
            let found = SlvInfo::decode(&bad);
            assert!(found.is_err() || at == 8, "byte {at}");
        }
        for end in 0..good.len() {
            assert!(SlvInfo::decode(&good[..end]).is_err(), "cut at {end}");
        }
    }

    #[test]
    fn runs_that_cannot_be_are_refused() {
        for (first, count) in [(0, 1), (1, 0), (u32::MAX, 1), (u32::MAX - 1, 1), (2, u32::MAX)] {
            assert_eq!(Run::new(first, count), None);
        }
        let info = SlvInfo {
            len_bytes: 3 * 4096,
            runs: vec![Run::new(5, 2).unwrap(), Run::new(6, 1).unwrap()],
        };
        assert!(SlvInfo::decode(&info.encode()).unwrap_err().to_string().contains("twice"));
    }

    #[test]
    fn pieces_cover_a_run_in_order() {
        let run = Run::new(10, 130).unwrap();
        let pieces: Vec<_> = run.pieces(64).map(|piece| (piece.first().0, piece.count())).collect();
        assert_eq!(pieces, [(10, 64), (74, 64), (138, 2)]);
        assert_eq!(run.last(), StmPgno(139));
    }

    #[test]
    fn touching_runs_are_joined() {
        let mut runs = Vec::new();
        for (first, count) in [(1, 2), (3, 1), (5, 1)] {
            push_joined(&mut runs, Run::new(first, count).unwrap());
        }
        assert_eq!(runs, [Run::new(1, 3).unwrap(), Run::new(5, 1).unwrap()]);
    }
}
