//! The journal file: after-images of the pages that one commit changes in place.
//!
//! ```text
//! header, 64 bytes                          record, 12 + page size bytes
//!   0   8  magic "DTJRNL01"                   0  4  file: 0 database, 1 stream
//!   8   4  page size                          4  4  slot: 0 header, 1 shadow, n + 1 = page n
//!  12  28  signature of the database          8  n  image
//!  40   8  transaction number (dbtime)     8+n   4  CRC-32 of the bytes 0..8+n
//!  48   4  record count
//!  52   8  zero                             closing record, 24 bytes
//!  60   4  CRC-32 of the bytes 0..60          0  8  magic "DTJRNEND"
//!                                             8  8  transaction number
//!                                            16  4  record count
//!                                            20  4  CRC-32 of all bytes before this field
//! ```
//!
//! All numbers are little-endian. A journal is *complete* when every check sum agrees and the closing record
//! repeats the header; anything else is *incomplete* and means that the commit did not happen.
//! Source: design section 5.

use std::io::IoSlice;
use std::path::{Path, PathBuf};

use crate::ese::error::{EseError, EseResult, Refusal};
use crate::ese::page::checksum::{self, Verdict};
use crate::ese::page::header::DbHeader;
use crate::ese::page::layout::{u32_at, u64_at};
use crate::ese::page::{PageSize, Pgno};
use crate::io::Storage;

const MAGIC: &[u8; 8] = b"DTJRNL01";
const END_MAGIC: &[u8; 8] = b"DTJRNEND";
const HEADER_BYTES: usize = 64;
const END_BYTES: usize = 24;
const RECORD_OVERHEAD_BYTES: usize = 12;
const SIGNATURE_BYTES: usize = 28;

/// Where the journal of the database at `path` lies.
pub fn journal_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".journal");
    PathBuf::from(name)
}

/// Which file an image belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum JournalFile {
    /// The database.
    Database,
    /// The streaming file.
    Stream,
}

/// One image: file, slot (page-sized piece of the file, counted from 0) and where in the journal the bytes stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JournalImage {
    /// The file.
    pub file: JournalFile,
    /// Offset in that file, in pages: 0 is the header, 1 its shadow, page n stands at n + 1.
    pub slot: u32,
    /// Offset of the image in the journal, in bytes.
    pub offset_bytes: u64,
}

/// A complete journal, found when a database is opened.
#[derive(Debug)]
pub struct CompleteJournal {
    /// Transaction number of the commit.
    pub transaction: u64,
    /// Its images.
    pub images: Vec<JournalImage>,
}

impl CompleteJournal {
    /// A journal older than the file would undo later commits.
    ///
    /// # Errors
    /// [`Refusal::Mismatch`].
    pub fn refuse_stale(&self, database: &Path, header: &DbHeader) -> EseResult<()> {
        if self.transaction >= header.dbtime().0 {
            return Ok(());
        }
        let reason = format!(
            "its journal is older (dbtime {}) than the database (dbtime {}); move the journal away",
            self.transaction,
            header.dbtime()
        );
        Err(EseError::refused(Refusal::Mismatch, reason).in_file(database))
    }
}

impl JournalImage {
    /// Checks that the image may be put in its place: a commit journals only pages that the file has, each with a checksum
    /// that agrees. `slots` is the length of the file in pages.
    ///
    /// # Errors
    /// [`EseError::Corrupt`], or [`EseError::Unsupported`] for a header that is of no use.
    pub fn check(&self, image: &[u8], slots: u64) -> EseResult<()> {
        if u64::from(self.slot) >= slots {
            let reason = format!("an image for slot {} of a file of {slots} pages", self.slot);
            return Err(EseError::corrupt_bytes(reason));
        }
        match self.slot.checked_sub(1).and_then(Pgno::new) {
            Some(pgno) => match checksum::verify(image, pgno) {
                Verdict::Sound => Ok(()),
                verdict => Err(EseError::corrupt(pgno, format!("image in the journal: {verdict}"))),
            },
            None => DbHeader::decode(image).map(drop),
        }
    }
}

/// What a journal file holds.
#[derive(Debug)]
pub enum JournalState {
    /// Nothing, or a commit that did not happen.
    Incomplete,
    /// A commit that may not have reached its place yet.
    Complete(CompleteJournal),
}

/// Writes the journal of one commit, record by record, from where the images lie.
#[derive(Debug)]
pub struct JournalWriter<'s, 'p> {
    storage: &'s dyn Storage,
    /// The header, while it is not written.
    header: Vec<u8>,
    /// Records that are not written.
    records: Vec<Record<'p>>,
    written_bytes: u64,
    crc: crc32fast::Hasher,
    transaction: u64,
    declared: u32,
    added: u32,
}

#[derive(Debug)]
struct Record<'p> {
    head: [u8; 8],
    image: &'p [u8],
    crc: [u8; 4],
}

/// Images gathered before they are written: 1 MiB in pages of 4 KiB, in no more pieces than one system call takes.
const WRITE_RECORDS: usize = 256;

impl<'s, 'p> JournalWriter<'s, 'p> {
    /// Starts a journal of `count` records at the beginning of `storage`.
    pub fn start(
        storage: &'s dyn Storage,
        page_size: PageSize,
        signature: &[u8; SIGNATURE_BYTES],
        transaction: u64,
        count: u32,
    ) -> Self {
        let mut header = Vec::with_capacity(HEADER_BYTES);
        header.extend_from_slice(MAGIC);
        header.extend_from_slice(&(page_size.bytes() as u32).to_le_bytes());
        header.extend_from_slice(signature);
        header.extend_from_slice(&transaction.to_le_bytes());
        header.extend_from_slice(&count.to_le_bytes());
        header.resize(HEADER_BYTES - 4, 0);
        header.extend_from_slice(&crc32fast::hash(&header).to_le_bytes());
        let mut crc = crc32fast::Hasher::new();
        crc.update(&header);
        Self {
            storage,
            header,
            records: Vec::with_capacity(WRITE_RECORDS),
            written_bytes: 0,
            crc,
            transaction,
            declared: count,
            added: 0,
        }
    }

    /// Writes what is gathered, and `end` behind it.
    fn write_out(&mut self, end: &[u8]) -> EseResult<()> {
        let records = self.records.iter();
        let records = records.flat_map(|record| [&record.head[..], record.image, &record.crc]);
        let pieces = std::iter::once(&*self.header).chain(records).chain([end]);
        let mut pieces: Vec<IoSlice<'_>> = pieces.map(IoSlice::new).collect();
        let len_bytes: usize = pieces.iter().map(|piece| piece.len()).sum();
        self.storage.write_all_pieces_at(&mut pieces, self.written_bytes)?;
        self.storage.write_behind(self.written_bytes, len_bytes as u64);
        self.written_bytes += len_bytes as u64;
        self.header.clear();
        self.records.clear();
        Ok(())
    }

    /// Adds one image.
    ///
    /// # Errors
    /// [`EseError::Io`].
    pub fn add(&mut self, file: JournalFile, slot: u32, image: &'p [u8]) -> EseResult<()> {
        let mut head = [0; 8];
        head[..4].copy_from_slice(&(file as u32).to_le_bytes());
        head[4..].copy_from_slice(&slot.to_le_bytes());
        let mut crc = crc32fast::Hasher::new();
        crc.update(&head);
        crc.update(image);
        let record = Record { head, image, crc: crc.finalize().to_le_bytes() };
        self.crc.update(&record.head);
        self.crc.update(record.image);
        self.crc.update(&record.crc);
        self.records.push(record);
        self.added += 1;
        if self.records.len() >= WRITE_RECORDS { self.write_out(&[]) } else { Ok(()) }
    }

    /// Writes the closing record and syncs: from here on the commit will happen, whatever crashes. Answers the journal's length in bytes.
    ///
    /// # Errors
    /// [`EseError::Io`].
    ///
    /// # Panics
    /// When fewer or more records were added than declared.
    pub fn finish(mut self) -> EseResult<u64> {
        assert_eq!(self.added, self.declared, "journal records");
        let mut end = END_MAGIC.to_vec();
        end.extend_from_slice(&self.transaction.to_le_bytes());
        end.extend_from_slice(&self.declared.to_le_bytes());
        self.crc.update(&end);
        end.extend_from_slice(&self.crc.clone().finalize().to_le_bytes());
        self.write_out(&end)?;
        self.storage.sync()?;
        Ok(self.written_bytes)
    }
}

/// Reads what `storage` holds. The images stay where they are; their check sums are verified here.
///
/// # Errors
/// [`EseError::Io`], or [`EseError::Refused`] when a complete journal belongs to another database.
pub fn read_journal(
    storage: &dyn Storage,
    page_size: PageSize,
    signature: &[u8; SIGNATURE_BYTES],
) -> EseResult<JournalState> {
    let len_bytes = storage.len_bytes()?;
    let record_bytes = (page_size.bytes() + RECORD_OVERHEAD_BYTES) as u64;
    if len_bytes < (HEADER_BYTES + END_BYTES) as u64 {
        return Ok(JournalState::Incomplete);
    }
    let mut header = [0; HEADER_BYTES];
    storage.read_exact_at(&mut header, 0)?;
    let Some(header) = JournalHeader::decode(&header) else { return Ok(JournalState::Incomplete) };
    let expected = u64::from(header.count)
        .checked_mul(record_bytes)
        .and_then(|bytes| bytes.checked_add((HEADER_BYTES + END_BYTES) as u64));
    // A longer file is what an earlier, larger commit left behind: stale bytes after the end are no harm.
    if header.page_size_bytes != page_size.bytes() as u32 || expected.is_none_or(|n| n > len_bytes)
    {
        return Ok(JournalState::Incomplete);
    }
    let Some(images) = read_records(storage, page_size, &header)? else {
        return Ok(JournalState::Incomplete);
    };
    if header.signature != *signature {
        return Err(EseError::refused(
            Refusal::Mismatch,
            "the journal beside it belongs to another database; move it to the store it came from",
        )
        .in_file(storage.path()));
    }
    Ok(JournalState::Complete(CompleteJournal { transaction: header.transaction, images }))
}

struct JournalHeader {
    page_size_bytes: u32,
    signature: [u8; SIGNATURE_BYTES],
    transaction: u64,
    count: u32,
    raw: [u8; HEADER_BYTES],
}

impl JournalHeader {
    fn decode(raw: &[u8; HEADER_BYTES]) -> Option<Self> {
        let crc = u32_at(raw, HEADER_BYTES - 4)?;
        if !raw.starts_with(MAGIC) || crc32fast::hash(raw.get(..HEADER_BYTES - 4)?) != crc {
            return None;
        }
        Some(Self {
            page_size_bytes: u32_at(raw, 8)?,
            signature: *raw.get(12..)?.first_chunk()?,
            transaction: u64_at(raw, 40)?,
            count: u32_at(raw, 48)?,
            raw: *raw,
        })
    }
}

/// Verifies the records and the closing record; `None` when one of them is not what it should be.
fn read_records(
    storage: &dyn Storage,
    page_size: PageSize,
    header: &JournalHeader,
) -> EseResult<Option<Vec<JournalImage>>> {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&header.raw);
    let mut images = Vec::new();
    let mut record = vec![0; page_size.bytes() + RECORD_OVERHEAD_BYTES];
    let mut offset_bytes = HEADER_BYTES as u64;
    for _ in 0..header.count {
        storage.read_exact_at(&mut record, offset_bytes)?;
        crc.update(&record);
        let (body, sum) = record.split_at(record.len() - 4);
        let file = match u32_at(body, 0) {
            Some(0) => JournalFile::Database,
            Some(1) => JournalFile::Stream,
            _ => return Ok(None),
        };
        let (Some(slot), Some(sum)) = (u32_at(body, 4), u32_at(sum, 0)) else { return Ok(None) };
        if crc32fast::hash(body) != sum {
            return Ok(None);
        }
        images.push(JournalImage { file, slot, offset_bytes: offset_bytes + 8 });
        offset_bytes += record.len() as u64;
    }
    let mut end = [0; END_BYTES];
    storage.read_exact_at(&mut end, offset_bytes)?;
    crc.update(&end[..END_BYTES - 4]);
    let is_complete = end.starts_with(END_MAGIC)
        && u64_at(&end, 8) == Some(header.transaction)
        && u32_at(&end, 16) == Some(header.count)
        && u32_at(&end, 20) == Some(crc.finalize());
    Ok(is_complete.then_some(images))
}
