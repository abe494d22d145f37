//! What a checksum says about a page. Plain data: nothing here looks at bytes.

use std::fmt;

use crate::ese::page::Pgno;

/// What the checksum says about a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The bytes are those that were checksummed, under this page number.
    Sound,
    /// All bytes are zero: allocated, but never written. Whether that is an error is for the reader to say.
    Zero,
    /// Single bits are wrong; [`correct`](super::correct) makes the page sound.
    Correctable {
        /// Which ones, at most one in each of the page's blocks.
        bits: WrongBits,
    },
    /// The bytes cannot be trusted.
    Damaged {
        /// Checksum found on the page (`ECC << 32 | XOR`, or `page number << 32 | XOR` on legacy pages); on large
        /// pages that of the first bad block. For [`Note::PgnoField`] the page number found.
        stored: u64,
        /// What should be in its place.
        computed: u64,
        /// What the difference points to.
        note: Note,
    },
}

/// Numbers of the wrong bits on a page: 8 × byte offset + bit, bit 0 being a byte's lowest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WrongBits {
    bits: [u32; Self::LIMIT],
    count: usize,
}

impl WrongBits {
    /// One bit for each block of a large page.
    pub const LIMIT: usize = 4;

    /// The numbers, in the order of the blocks.
    pub fn as_slice(&self) -> &[u32] {
        self.bits.get(..self.count).unwrap_or_default()
    }

    pub(super) fn push(&mut self, bit: u32) {
        assert!(self.count < Self::LIMIT, "a page has four blocks at most");
        self.bits[self.count] = bit;
        self.count += 1;
    }
}

/// What the difference between two checksums points to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Note {
    /// More than one bit is wrong in this block (0 on small pages).
    Block(usize),
    /// The bytes agree with each other, but probably belong to another page: a misdirected read or write.
    OtherPage(Pgno),
    /// A large page is sound but calls itself another page.
    PgnoField,
    /// The only wrong bit is the one that says how the page is checksummed; it is never corrected (ese-physical 4.4).
    FormatFlag,
    /// Wrong bytes on a page with the legacy checksum, which can correct nothing.
    Legacy,
    /// The slice is not as long as any page.
    Length,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Block(block) => write!(f, "more than one bit is wrong in block {block}"),
            Self::OtherPage(pgno) => write!(f, "the bytes are probably those of page {pgno}"),
            Self::PgnoField => f.write_str("the page says that it is another one"),
            Self::FormatFlag => f.write_str("the flag for the checksum format is wrong"),
            Self::Legacy => f.write_str("legacy checksum, nothing can be corrected"),
            Self::Length => f.write_str("not as long as a page"),
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sound => f.write_str("sound"),
            Self::Zero => f.write_str("all bytes are zero"),
            Self::Correctable { bits } => {
                write!(f, "correctable, wrong bits {:?}", bits.as_slice())
            }
            Self::Damaged { stored, computed, note } => {
                write!(f, "checksum is {stored:016x}, should be {computed:016x}: {note}")
            }
        }
    }
}
