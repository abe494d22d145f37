//! The numbers by which pages, trees and changes are known, each a type of its own.

use std::fmt;

use crate::ese::error::{EseError, EseResult};

/// Logical page number, 1-based (`pgno`). 0 on disk means "none" and is `Option::None` here.
///
/// Source: ese-physical 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pgno(std::num::NonZeroU32);

impl Pgno {
    /// First number that is no page number any more (`pgnoMax` of the engine).
    pub const LIMIT: u32 = 0x7fef_ffff;

    /// The page with this number, or `None` for 0 and for numbers no database can reach.
    pub const fn new(number: u32) -> Option<Self> {
        if number >= Self::LIMIT {
            return None;
        }
        match std::num::NonZeroU32::new(number) {
            Some(number) => Some(Self(number)),
            None => None,
        }
    }

    /// A page number known when the program is compiled.
    ///
    /// # Panics
    /// When `number` is no page number.
    pub const fn fixed(number: u32) -> Self {
        match Self::new(number) {
            Some(pgno) => pgno,
            None => panic!("not a page number"),
        }
    }

    /// The number.
    pub const fn get(self) -> u32 {
        self.0.get()
    }

    /// The page `count` pages further on, if there can be one.
    pub fn checked_add(self, count: u32) -> Option<Self> {
        self.get().checked_add(count).and_then(Self::new)
    }

    /// Byte offset of the page in the file: two header pages come first.
    pub const fn offset_bytes(self, page_size: PageSize) -> u64 {
        (self.get() as u64 + 1) * page_size.bytes() as u64
    }

    /// The number as stored in a link: 0 for none.
    pub const fn link(pgno: Option<Self>) -> u32 {
        match pgno {
            Some(pgno) => pgno.get(),
            None => 0,
        }
    }
}

impl fmt::Display for Pgno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Serial number of a tree (`objid`), stamped on each of its pages. Source: ese-logical 0.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjId(pub u32);

impl fmt::Display for ObjId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Change counter stamped on a page when it is dirtied (`dbtime`); not a clock. Source: ese-physical 7.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Dbtime(pub u64);

impl Dbtime {
    /// Values from here on are marks of the engine and never counters.
    pub const LIMIT: u64 = 0xffff_ffff_ffff_fffb;
}

impl fmt::Display for Dbtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Size of every page of a database in bytes: 2048, 4096, 8192, 16384 or 32768.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PageSize(u32);

impl PageSize {
    /// 4 KiB, the size of every database that this program creates (design D1).
    pub const KIB4: Self = Self(4096);

    /// All sizes, smallest first.
    pub const ALL: [Self; 5] = [Self(2048), Self(4096), Self(8192), Self(16384), Self(32768)];

    /// Checks a size from a header.
    ///
    /// # Errors
    /// [`EseError::Corrupt`] when no database can have pages of that size.
    #[inline]
    pub fn new(bytes: u32) -> EseResult<Self> {
        match bytes {
            2048 | 4096 | 8192 | 16384 | 32768 => Ok(Self(bytes)),
            _ => Err(EseError::corrupt_bytes(format!("{bytes} bytes is no page size"))),
        }
    }

    /// The size in bytes.
    pub const fn bytes(self) -> usize {
        self.0 as usize
    }

    /// Whether this is a small page (at most 8 KiB): 40-byte header, node flags in the tag. Source: ese-physical 2.
    pub const fn is_small(self) -> bool {
        self.0 <= 8192
    }

    /// Bytes of the page header: 40 on small pages, 80 on large ones. Source: ese-physical 3.1.
    pub const fn header_bytes(self) -> usize {
        if self.is_small() { 40 } else { 80 }
    }

    /// Bytes between the page header and the page's end: nodes and tags share them. Source: ese-physical 9.
    pub const fn data_bytes(self) -> usize {
        self.bytes() - self.header_bytes()
    }
}

impl fmt::Display for PageSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
