//! The small structures that the database header is made of. Plain data; knows nothing of where it stands.

use std::fmt;

use super::LogTime;
use crate::ese::error::{EseError, EseResult};

/// Position in the transaction log (`LGPOS`). Source: ese-physical 1.2.
///
/// ```text
/// 0 2 byte within the sector    2 2 sector    4 4 log generation
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct LgPos {
    /// Number of the log file.
    pub generation: u32,
    /// Sector within the log file.
    pub sector: u16,
    /// Byte within the sector.
    pub byte: u16,
}

impl LgPos {
    pub(super) fn decode(bytes: [u8; 8]) -> Self {
        let [b0, b1, s0, s1, generation @ ..] = bytes;
        Self {
            generation: u32::from_le_bytes(generation),
            sector: u16::from_le_bytes([s0, s1]),
            byte: u16::from_le_bytes([b0, b1]),
        }
    }
}

impl fmt::Display for LgPos {
    /// Generation, sector and byte, hexadecimal, as the vendor's tools print them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "(0x{:X},{:X},{:X})", self.generation, self.sector, self.byte)
    }
}

/// A log position and when it was reached: the last consistent point, attach or detach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LogPoint {
    /// Where in the log; all zero when nothing was logged.
    pub position: LgPos,
    /// When.
    pub time: LogTime,
}

impl fmt::Display for LogPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.position, self.time)
    }
}

/// Identity of a database, log stream or streaming file (`SIGNATURE`, 28 bytes). Source: ese-physical 1.2.
///
/// ```text
/// 0 4 random number    4 8 creation time (LOGTIME)    12 16 computer name
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Signature {
    /// Random number, chosen when the file was made.
    pub random: u32,
    /// When the file was made.
    pub created: LogTime,
    /// Name of the computer, filled up with zeros; all zero in every file seen.
    pub computer: [u8; 16],
}

impl Signature {
    /// Length on disk in bytes.
    pub const BYTES: usize = 28;
    /// The signature of nothing: never logged, or no streaming file.
    pub const NONE: Self = Self { random: 0, created: LogTime::NEVER, computer: [0; 16] };

    /// Whether this is [`Signature::NONE`].
    pub fn is_none(&self) -> bool {
        *self == Self::NONE
    }

    /// Reads the stored form; every 28 bytes are a signature.
    pub fn decode(bytes: [u8; Self::BYTES]) -> Self {
        let mut signature = Self::NONE;
        let mut created = [0; 8];
        let (random, rest) = bytes.split_at(4);
        let (time, computer) = rest.split_at(8);
        signature.random = random.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes));
        created.copy_from_slice(time);
        signature.created = LogTime::from_bytes(created);
        signature.computer.copy_from_slice(computer);
        signature
    }

    /// The stored form.
    pub fn encode(&self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[..4].copy_from_slice(&self.random.to_le_bytes());
        bytes[4..12].copy_from_slice(&self.created.to_bytes());
        bytes[12..].copy_from_slice(&self.computer);
        bytes
    }
}

impl fmt::Display for Signature {
    /// `9ef0c387 made 2022-08-19T11:46:32.573Z on NAME`, or `none`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_none() {
            return f.write_str("none");
        }
        write!(f, "{:08x} made {}", self.random, self.created)?;
        let name = self.computer.split(|byte| *byte == 0).next().unwrap_or_default();
        if name.is_empty() { Ok(()) } else { write!(f, " on {}", name.escape_ascii()) }
    }
}

/// Version of the operating system whose sorting rules built the Unicode indexes. Source: ese-physical 1.3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OsVersion {
    /// Major version, for example 6.
    pub major: u32,
    /// Minor version.
    pub minor: u32,
    /// Build number.
    pub build: u32,
    /// Service pack.
    pub service_pack: u32,
}

impl OsVersion {
    /// 6.2.9200, the oldest system whose databases have revision 0x14; ours say the same.
    pub const WINDOWS_8: Self = Self { major: 6, minor: 2, build: 9200, service_pack: 0 };
}

impl fmt::Display for OsVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.build)?;
        if self.service_pack == 0 { Ok(()) } else { write!(f, " SP{}", self.service_pack) }
    }
}

/// How often something happened to the database, and when last. Source: ese-physical 1.3, offset 368.
///
/// ```text
/// 0 4 count    4 8 last time (LOGTIME)    12 4 count before the last repair
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EventCount {
    /// Times since the last repair.
    pub count: u32,
    /// The last time.
    pub last: LogTime,
    /// Times before the last repair.
    pub before_repair: u32,
}

/// First and last log generation of a range; 0 and 0 for none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Generations {
    /// First one.
    pub min: u32,
    /// Last one.
    pub max: u32,
}

impl Generations {
    /// Whether there are none.
    pub fn is_none(self) -> bool {
        self.min == 0 && self.max == 0
    }
}

/// State of a database (`dbstate`). Source: ese-physical 1.4.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DbState {
    /// Being created.
    JustCreated,
    /// In use, or left by a crash.
    Dirty,
    /// Cleanly shut down: complete without any log.
    Clean,
    /// Being converted to a newer format.
    BeingConverted,
    /// Detached by force; no engine writes this any more.
    ForceDetached,
    /// Pages are being replaced by those of another copy.
    IncrementalReseed,
    /// Pages were replaced; the logs have to be replayed.
    DirtyAndPatched,
    /// Being taken back to an earlier time.
    RevertInProgress,
}

impl DbState {
    const ALL: [Self; 8] = [
        Self::JustCreated,
        Self::Dirty,
        Self::Clean,
        Self::BeingConverted,
        Self::ForceDetached,
        Self::IncrementalReseed,
        Self::DirtyAndPatched,
        Self::RevertInProgress,
    ];

    /// The number in the header, 1 to 8.
    pub const fn number(self) -> u32 {
        self as u32 + 1
    }

    pub(super) fn new(number: u32) -> EseResult<Self> {
        Self::ALL
            .into_iter()
            .find(|state| state.number() == number)
            .ok_or_else(|| EseError::corrupt_bytes(format!("header says unknown state {number}")))
    }
}

impl fmt::Display for DbState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::JustCreated => "just created",
            Self::Dirty => "dirty shutdown",
            Self::Clean => "clean shutdown",
            Self::BeingConverted => "being converted",
            Self::ForceDetached => "force detached",
            Self::IncrementalReseed => "incremental reseed in progress",
            Self::DirtyAndPatched => "dirty and patched",
            Self::RevertInProgress => "revert in progress",
        })
    }
}

/// Which file of a store the header belongs to (`attrib`). Source: ese-physical 1.3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FileKind {
    /// The database (.edb).
    Database,
    /// The streaming file beside it (.stm).
    Streaming,
}

impl FileKind {
    /// The number in `attrib`.
    pub const fn number(self) -> u32 {
        self as u32
    }
}

impl fmt::Display for FileKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Database => "database",
            Self::Streaming => "streaming file",
        })
    }
}
