//! The database header (`DBFILEHDR`): one page at the start of the file, and its shadow copy behind it.
//!
//! Decodes one copy into a checked type, chooses between the two copies, and makes new headers. Knows no other page and
//! reads no file: callers hand over the bytes. Bytes without a meaning here are kept and written back as they were.
//!
//! ```text
//! off size                                off size
//!   0  4 checksum (legacy XOR, page)      212  4 last objid handed out
//!   4  4 magic 89abcdef                   216 16 OS version: major, minor, build, service pack
//!   8  4 format version, 0x620            232  4 format revision (update major)
//!  12  4 attrib: 0 database, 1 .stm       236  4 page size in bytes; 0 = 4096
//!  16  8 dbtime                           240  4 repair count      244  8 LOGTIME of the repair
//!  24 28 database signature               252 28 signature of the streaming file
//!  52  4 state                            296  8 log generations required: first, last
//!  56 16 consistent: LGPOS, LOGTIME       340  8 version and revision at creation
//!  72 16 attach:     LOGTIME, LGPOS       348  8 LOGTIME of the last generation required
//!  88 16 detach:     LOGTIME, LGPOS       368 48 three EventCounts: ECC fixes, failed fixes, bad checksums
//! 104  4 dbid                             416  4 last generation committed
//! 108 28 log signature                    508  8 sort version, all ones
//! 184 24 backup in progress;              584 56 signatures that pair the flush map
//!        first generation at 200          644  4 update minor
//! 208  4 flags: 1 no shadow copy          667  4 file type: 0 unknown, 1 database, 2 .stm, 5 temporary
//! ```
//!
//! All integers are little-endian, the one at 667 unaligned. Source: ese-physical 1.

mod choose;
mod create;
mod judge;
mod logtime;
mod parts;

use crate::ese::error::{EseError, EseResult};
use crate::ese::page::checksum::{LEGACY_SEED, legacy_xor};
use crate::ese::page::{Dbtime, ObjId, PageSize};

pub use choose::{HeaderChoice, HeaderSource, choose_header};
pub use create::NewHeader;
pub use logtime::LogTime;
pub use parts::{
    DbState, EventCount, FileKind, Generations, LgPos, LogPoint, OsVersion, Signature,
};

/// `ulMagic`, the same number as the seed of the legacy checksum.
const MAGIC: u32 = LEGACY_SEED;
/// The one format version (`ulVersion`) there has been since 1997.
const FORMAT_VERSION: u32 = 0x620;
/// Revision of the databases that this program writes (design D1).
const WRITTEN_REVISION: u32 = 0x14;

const CHECKSUM: usize = 0;
const MAGIC_AT: usize = 4;
const VERSION: usize = 8;
const ATTRIB: usize = 12;
const DBTIME: usize = 16;
const SIGN_DB: usize = 24;
const STATE: usize = 52;
const CONSISTENT_POSITION: usize = 56;
const CONSISTENT_TIME: usize = 64;
const ATTACH_TIME: usize = 72;
const ATTACH_POSITION: usize = 80;
const DETACH_TIME: usize = 88;
const DETACH_POSITION: usize = 96;
const DBID: usize = 104;
const SIGN_LOG: usize = 108;
const BACKUP_GENERATION: usize = 200;
const FLAGS: usize = 208;
const OBJID_LAST: usize = 212;
const OS_VERSION: usize = 216;
const REVISION: usize = 232;
const PAGE_SIZE: usize = 236;
const REPAIR_COUNT: usize = 240;
const REPAIR_TIME: usize = 244;
const SIGN_SLV: usize = 252;
const GENERATIONS_REQUIRED: usize = 296;
const CREATED_VERSION: usize = 340;
const GENERATION_TIME: usize = 348;
const ECC_FIXES: usize = 368;
const ECC_FAILURES: usize = 384;
const BAD_CHECKSUMS: usize = 400;
const GENERATION_COMMITTED: usize = 416;
const SORT_VERSION: usize = 508;
const FLUSH_MAP_SIGNATURES: usize = 584;
const UPDATE_MINOR: usize = 644;
const FILE_TYPE: usize = 667;

const FLAG_NO_SHADOW: u32 = 1;
const FILE_TYPE_TEMPORARY: u32 = 5;

const _: () =
    assert!(CONSISTENT_POSITION == SIGN_DB + Signature::BYTES + 4, "state stands between");
const _: () = assert!(BAD_CHECKSUMS + 16 == GENERATION_COMMITTED);
const _: () = assert!(FILE_TYPE + 4 <= 2048, "every field lies within the smallest page");

/// A database header whose format, page size, kind and state are known to make sense.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DbHeader {
    /// The whole header page; at least 2048 bytes, so every field is there.
    raw: Vec<u8>,
    page_size: PageSize,
    kind: FileKind,
    state: DbState,
}

impl DbHeader {
    /// Reads one copy of the header: a slice of exactly one page.
    ///
    /// # Errors
    /// [`EseError::Corrupt`] when this is no database header, or one with a wrong checksum, page size or state;
    /// [`EseError::Unsupported`] for another format version or kind of file.
    pub fn decode(page: &[u8]) -> EseResult<Self> {
        check_magic(page)?;
        let (stored, computed) = (u32_at(page, CHECKSUM), legacy_xor(page));
        if stored != computed {
            let reason = format!("header checksum is {stored:08x}, should be {computed:08x}");
            return Err(EseError::corrupt_bytes(reason));
        }
        Self::decode_unverified(page)
    }

    /// As [`DbHeader::decode`], but whatever the checksum says.
    fn decode_unverified(page: &[u8]) -> EseResult<Self> {
        check_magic(page)?;
        let version = u32_at(page, VERSION);
        if version != FORMAT_VERSION {
            return Err(EseError::unsupported(format!("database format version {version:#x}")));
        }
        let page_size = PageSize::new(declared_page_size(page))?;
        if page_size.bytes() != page.len() {
            let found = page.len();
            let reason = format!("header of {found} bytes says that pages have {page_size} bytes");
            return Err(EseError::corrupt_bytes(reason));
        }
        let kind = kind_of(u32_at(page, ATTRIB), u32_at(page, FILE_TYPE))?;
        let state = DbState::new(u32_at(page, STATE))?;
        Ok(Self { raw: page.to_vec(), page_size, kind, state })
    }

    /// The header as one page of [`DbHeader::page_size`] bytes, with its checksum. Both copies get these bytes.
    pub fn encode(&self) -> Vec<u8> {
        assert_eq!(self.raw.len(), self.page_size.bytes(), "the header fills a page");
        let mut page = self.raw.clone();
        let checksum = legacy_xor(&page);
        put(&mut page, CHECKSUM, checksum.to_le_bytes());
        page
    }

    /// Format version (`ulVersion`), always 0x620.
    pub fn format_version(&self) -> u32 {
        self.u32(VERSION)
    }

    /// Format revision (`ulDaeUpdateMajor`), the middle part of the version. Source: ese-physical 1.5.
    pub fn revision(&self) -> u32 {
        self.u32(REVISION)
    }

    /// Last part of the version (`ulDaeUpdateMinor`); 0 before newer engines.
    pub fn update_minor(&self) -> u32 {
        self.u32(UPDATE_MINOR)
    }

    /// Version and revision under which the database was made.
    pub fn created_version(&self) -> (u32, u32) {
        (self.u32(CREATED_VERSION), self.u32(CREATED_VERSION + 4))
    }

    /// Size of all pages.
    pub fn page_size(&self) -> PageSize {
        self.page_size
    }

    /// Database or streaming file.
    pub fn kind(&self) -> FileKind {
        self.kind
    }

    /// File type of newer engines: 0 unknown, 1 database, 2 streaming file, 5 temporary database.
    pub fn file_type(&self) -> u32 {
        self.u32(FILE_TYPE)
    }

    /// State that the database was left in.
    pub fn state(&self) -> DbState {
        self.state
    }

    /// Sets the state. What else a state asks for (generations, times) is the caller's affair.
    pub fn set_state(&mut self, state: DbState) {
        self.state = state;
        put(&mut self.raw, STATE, state.number().to_le_bytes());
    }

    /// Highest change counter handed out; no page of a clean database has a higher one.
    pub fn dbtime(&self) -> Dbtime {
        Dbtime(u64::from_le_bytes(self.bytes(DBTIME)))
    }

    /// Sets the change counter.
    ///
    /// # Panics
    /// When the number is one of the engine's marks.
    pub fn set_dbtime(&mut self, dbtime: Dbtime) {
        assert!(dbtime.0 < Dbtime::LIMIT, "{dbtime} is a mark, not a counter");
        put(&mut self.raw, DBTIME, dbtime.0.to_le_bytes());
    }

    /// Highest tree number handed out.
    pub fn objid_last(&self) -> ObjId {
        ObjId(self.u32(OBJID_LAST))
    }

    /// Sets the highest tree number handed out.
    ///
    /// # Panics
    /// When it is 0: the database root is tree 1.
    pub fn set_objid_last(&mut self, objid: ObjId) {
        assert_ne!(objid.0, 0, "every database has trees");
        put(&mut self.raw, OBJID_LAST, objid.0.to_le_bytes());
    }

    /// Identity of the database.
    pub fn sign_db(&self) -> Signature {
        Signature::decode(self.bytes(SIGN_DB))
    }

    /// Identity of the log stream; none when the database was never logged.
    pub fn sign_log(&self) -> Signature {
        Signature::decode(self.bytes(SIGN_LOG))
    }

    /// Identity of the streaming file that belongs to the database (`signSLV`, offset 252).
    pub fn sign_slv(&self) -> Signature {
        Signature::decode(self.bytes(SIGN_SLV))
    }

    /// Operating system whose sorting rules built the indexes.
    pub fn os_version(&self) -> OsVersion {
        OsVersion {
            major: self.u32(OS_VERSION),
            minor: self.u32(OS_VERSION + 4),
            build: self.u32(OS_VERSION + 8),
            service_pack: self.u32(OS_VERSION + 12),
        }
    }

    /// Slot of the attachment in its instance.
    pub fn dbid(&self) -> u32 {
        self.u32(DBID)
    }

    /// Last point at which the database was consistent; the detach in a clean one.
    pub fn consistent(&self) -> LogPoint {
        self.log_point(CONSISTENT_POSITION, CONSISTENT_TIME)
    }

    /// Last attach.
    pub fn attach(&self) -> LogPoint {
        self.log_point(ATTACH_POSITION, ATTACH_TIME)
    }

    /// Last clean detach; zero while attached.
    pub fn detach(&self) -> LogPoint {
        self.log_point(DETACH_POSITION, DETACH_TIME)
    }

    /// Log generations without which the database cannot become clean. Source: ese-logical 7.5.
    pub fn generations_required(&self) -> Generations {
        let min = self.u32(GENERATIONS_REQUIRED);
        Generations { min, max: self.u32(GENERATIONS_REQUIRED + 4) }
    }

    /// When the last required generation was made.
    pub fn generation_time(&self) -> LogTime {
        self.time(GENERATION_TIME)
    }

    /// Last log generation that holds committed changes.
    pub fn generation_committed(&self) -> u32 {
        self.u32(GENERATION_COMMITTED)
    }

    /// How often the database went through a repair, which may have dropped data.
    pub fn repair_count(&self) -> u32 {
        self.u32(REPAIR_COUNT)
    }

    /// Last repair.
    pub fn repair_time(&self) -> LogTime {
        self.time(REPAIR_TIME)
    }

    /// Whether the engine keeps no shadow copies (header flag 1).
    pub fn is_shadow_disabled(&self) -> bool {
        self.u32(FLAGS) & FLAG_NO_SHADOW != 0
    }

    /// First log generation of a backup that is in progress, or that this file was restored from; 0 for none.
    pub fn backup_generation(&self) -> u32 {
        self.u32(BACKUP_GENERATION)
    }

    /// Single wrong bits that the engine corrected.
    pub fn ecc_fixes(&self) -> EventCount {
        self.event_count(ECC_FIXES)
    }

    /// Corrections that failed.
    pub fn ecc_failures(&self) -> EventCount {
        self.event_count(ECC_FAILURES)
    }

    /// Checksums that could not be explained by single wrong bits.
    pub fn bad_checksums(&self) -> EventCount {
        self.event_count(BAD_CHECKSUMS)
    }

    /// Zeroes the signatures that pair the database with an engine's flush map, so that the engine drops the map
    /// instead of taking pages written without it for lost writes. Source: ese-physical 1.3 and 11.
    pub fn clear_flush_map_signatures(&mut self) {
        put(&mut self.raw, FLUSH_MAP_SIGNATURES, [0; 2 * Signature::BYTES]);
    }

    fn u32(&self, offset_bytes: usize) -> u32 {
        u32_at(&self.raw, offset_bytes)
    }

    fn bytes<const N: usize>(&self, offset_bytes: usize) -> [u8; N] {
        bytes_at(&self.raw, offset_bytes)
    }

    fn time(&self, offset_bytes: usize) -> LogTime {
        LogTime::from_bytes(self.bytes(offset_bytes))
    }

    fn log_point(&self, position: usize, time: usize) -> LogPoint {
        LogPoint { position: LgPos::decode(self.bytes(position)), time: self.time(time) }
    }

    fn event_count(&self, offset_bytes: usize) -> EventCount {
        EventCount {
            count: self.u32(offset_bytes),
            last: self.time(offset_bytes + 4),
            before_repair: self.u32(offset_bytes + 12),
        }
    }
}

fn check_magic(page: &[u8]) -> EseResult<()> {
    let magic = u32_at(page, MAGIC_AT);
    if magic == MAGIC {
        return Ok(());
    }
    Err(EseError::corrupt_bytes(format!("no database header: magic number is {magic:08x}")))
}

/// The page size a header names, in bytes, whether there is such a size or not.
fn declared_page_size(page: &[u8]) -> u32 {
    match u32_at(page, PAGE_SIZE) {
        0 => 4096,
        bytes => bytes,
    }
}

fn kind_of(attrib: u32, file_type: u32) -> EseResult<FileKind> {
    match (attrib, file_type) {
        (0, 0 | 1 | FILE_TYPE_TEMPORARY) => Ok(FileKind::Database),
        (1, 0 | 2) => Ok(FileKind::Streaming),
        _ => {
            let what = format!("a file of kind {attrib} and type {file_type}");
            Err(EseError::unsupported(what))
        }
    }
}

fn put<const N: usize>(page: &mut [u8], offset_bytes: usize, value: [u8; N]) {
    page[offset_bytes..offset_bytes + N].copy_from_slice(&value);
}

/// Zeros when the slice ends before; callers check lengths where it matters.
fn bytes_at<const N: usize>(page: &[u8], offset_bytes: usize) -> [u8; N] {
    page.get(offset_bytes..).and_then(<[u8]>::first_chunk).copied().unwrap_or([0; N])
}

fn u32_at(page: &[u8], offset_bytes: usize) -> u32 {
    u32::from_le_bytes(bytes_at(page, offset_bytes))
}
