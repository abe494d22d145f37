//! Page checksums: verify, correct single wrong bits, stamp.
//!
//! Knows bytes, page sizes and page numbers, and of the page header only the fields that take part; not what a page
//! is for.
//!
//! Two formats. The *legacy* one is a seeded XOR of all 32-bit words with the page number as word 1; header pages use
//! it too. The current one (flag `0x2000`; always on large pages) is an XOR plus an error-correcting code for each
//! block; small pages are one block, large ones four.
//!
//! ```text
//! off size
//!   0    8  block 0: XOR u32, ECC u32; legacy: XOR u32, page number u32
//!  36    4  page flags; 0x2000 = current format (bit 301 of the page)
//!  40   24  large pages: the same 8 bytes for blocks 1, 2, 3
//!  64    4  large pages: page number
//! ```
//!
//! What the code promises, per block of the current format: every change of one bit is found and located (except in
//! the 8 checksum bytes and in bit 301: found only); every change of two bits is found and never taken for one.
//! Three wrong bits can look like one. The legacy XOR finds every odd number of wrong bits, but misses two that
//! stand at the same place of two words. Source: ese-physical 3.2 and 4.

#[cfg(target_arch = "x86_64")]
mod avx2;
mod lanes;
#[cfg(test)]
mod tests;
mod verdict;

use crate::ese::page::{PageSize, Pgno};

pub use verdict::{Note, Verdict, WrongBits};

/// Start value of the legacy XOR. Source: ese-physical 4.1.
pub const LEGACY_SEED: u32 = 0x89ab_cdef;

const FLAGS_OFFSET: usize = 36;
const FORMAT_FLAG: u32 = 0x2000;
/// Where [`FORMAT_FLAG`] stands on the page.
const FORMAT_FLAG_BIT: u32 = FLAGS_OFFSET as u32 * 8 + 13;
const CHECKSUM_BITS: u32 = 64;
const BLOCK_CHECKSUMS_OFFSET: usize = 40;
const PGNO_OFFSET: usize = 64;

const _: () = assert!(FORMAT_FLAG_BIT == 301 && FORMAT_FLAG == 1 << (FORMAT_FLAG_BIT % 32));

/// Legacy checksum of a header page or legacy data page: seeded XOR of all little-endian 32-bit words but the first.
///
/// Up to three bytes after the last whole word count as a word filled up with zeros. Source: ese-physical 4.1.
pub fn legacy_xor(bytes: &[u8]) -> u32 {
    LEGACY_SEED ^ lanes::xor_words(bytes.get(4..).unwrap_or_default())
}

/// `ECC << 32 | XOR` of one block under a page number, as ese-physical 4.2 defines them.
///
/// With `has_page_header` the first 8 bytes, where block 0 keeps its own checksum, count as zero.
///
/// # Panics
/// When the block is not 1024, 2048, 4096 or 8192 bytes long.
#[inline]
pub fn block_checksum(block: &[u8], pgno: u32, has_page_header: bool) -> u64 {
    #[cfg(target_arch = "x86_64")]
    if let Some(checksum) = avx2::block(block, pgno, has_page_header) {
        return checksum;
    }
    lanes::block(block, pgno, has_page_header)
}

/// The [`block_checksum`] of a block under another page number: the number takes part in the XOR alone.
pub fn moved_block(checksum: u64, from: u32, to: u32) -> u64 {
    checksum ^ u64::from(from ^ to)
}

/// What the page's checksums say when it is read as page `pgno`. The slice's length is taken for the page size.
///
/// [`Verdict::Correctable`] is said only when [`correct`] would make the page sound.
/// Source: ese-physical 3.2, 4.3, 4.4.
pub fn verify(page: &[u8], pgno: Pgno) -> Verdict {
    let Some(size) = size_of(page) else {
        return Verdict::Damaged { stored: 0, computed: 0, note: Note::Length };
    };
    if u64_at(page, 0) == 0 && is_zero(page) {
        return Verdict::Zero;
    }
    if is_legacy(page, size) {
        verify_legacy(page, pgno)
    } else if size.is_small() {
        verify_small(page, pgno)
    } else {
        verify_large(page, pgno)
    }
}

/// Corrects the wrong bits of a page that [`verify`] calls correctable, and returns what `verify` said before.
///
/// The page is left as it was unless it becomes sound. Source: ese-physical 4.4.
pub fn correct(page: &mut [u8], pgno: Pgno) -> Verdict {
    let verdict = verify(page, pgno);
    if let Verdict::Correctable { bits } = &verdict {
        flip(page, bits.as_slice());
        if verify(page, pgno) != Verdict::Sound {
            flip(page, bits.as_slice());
        }
    }
    verdict
}

/// Makes `page` a sound page `pgno` in the current format: sets flag `0x2000`, the page number of large pages and all
/// checksums. Source: ese-physical 4.3.
///
/// # Panics
/// When the slice is not as long as a page.
pub fn stamp(page: &mut [u8], pgno: Pgno) {
    let size = size_of(page).expect("only whole pages are stamped");
    let flags = u32_at(page, FLAGS_OFFSET) | FORMAT_FLAG;
    put(page, FLAGS_OFFSET, &flags.to_le_bytes());
    if !size.is_small() {
        put(page, PGNO_OFFSET, &pgno.get().to_le_bytes());
        // Block 0 covers the other blocks' checksums and therefore comes last.
        for block in 1..BLOCKS {
            let checksum = block_checksum(block_of(page, block), pgno.get(), false);
            put(page, checksum_offset(block), &checksum.to_le_bytes());
        }
    }
    put(page, 0, &checksum_of(page, pgno).to_le_bytes());
}

/// What [`verify`] expects in the first 8 bytes of the page: `ECC << 32 | XOR` of block 0, or `page number << 32 | XOR`
/// of a legacy page.
///
/// # Panics
/// When the slice is not as long as a page.
pub fn checksum_of(page: &[u8], pgno: Pgno) -> u64 {
    let size = size_of(page).expect("only whole pages have checksums");
    if is_legacy(page, size) {
        u64::from(pgno.get()) << 32 | u64::from(legacy_xor(page))
    } else if size.is_small() {
        block_checksum(page, pgno.get(), true)
    } else {
        block_checksum(block_of(page, 0), pgno.get(), true)
    }
}

/// Blocks of a large page.
const BLOCKS: usize = 4;

fn verify_legacy(page: &[u8], pgno: Pgno) -> Verdict {
    let stored = u64_at(page, 0);
    let computed = u64::from(pgno.get()) << 32 | u64::from(legacy_xor(page));
    if stored == computed {
        return Verdict::Sound;
    }
    let note = match Pgno::new((stored >> 32) as u32) {
        Some(found) if stored as u32 == computed as u32 => Note::OtherPage(found),
        _ => Note::Legacy,
    };
    Verdict::Damaged { stored, computed, note }
}

fn verify_small(page: &[u8], pgno: Pgno) -> Verdict {
    let mut bits = WrongBits::default();
    match check_block(page, 0, u64_at(page, 0), pgno) {
        Finding::Sound => Verdict::Sound,
        Finding::WrongBit(bit) => {
            bits.push(bit);
            Verdict::Correctable { bits }
        }
        Finding::Damaged(verdict) => verdict,
    }
}

fn verify_large(page: &[u8], pgno: Pgno) -> Verdict {
    let mut bits = WrongBits::default();
    // Bit that block 0 shows to be wrong. The fields that block 0 holds are used as if it were corrected already.
    let mut wrong = None;
    for block in 0..BLOCKS {
        let bytes = block_of(page, block);
        let stored =
            u64_at(page, checksum_offset(block)) ^ repair(wrong, checksum_offset(block), 64);
        match check_block(bytes, block, stored, pgno) {
            Finding::Sound => {}
            Finding::WrongBit(bit) => {
                bits.push(bit + (block * bytes.len() * 8) as u32);
                if block == 0 {
                    wrong = Some(bit);
                }
            }
            Finding::Damaged(verdict) => return verdict,
        }
    }
    let found = u64::from(u32_at(page, PGNO_OFFSET)) ^ repair(wrong, PGNO_OFFSET, 32);
    let expected = u64::from(pgno.get());
    if found != expected {
        return Verdict::Damaged { stored: found, computed: expected, note: Note::PgnoField };
    }
    if bits.as_slice().is_empty() { Verdict::Sound } else { Verdict::Correctable { bits } }
}

/// What one block's checksum says.
enum Finding {
    Sound,
    /// Number of the bit within the block.
    WrongBit(u32),
    Damaged(Verdict),
}

fn check_block(bytes: &[u8], block: usize, stored: u64, pgno: Pgno) -> Finding {
    let computed = block_checksum(bytes, pgno.get(), block == 0);
    if stored == computed {
        return Finding::Sound;
    }
    let difference = stored ^ computed;
    let note = match wrong_bit(difference, bytes.len()) {
        // The checksum field itself is not covered, so no single wrong bit in it looks like this.
        Some(bit) if block == 0 && bit < CHECKSUM_BITS => Note::Block(block),
        Some(FORMAT_FLAG_BIT) if block == 0 => Note::FormatFlag,
        Some(bit) => return Finding::WrongBit(bit),
        None if difference >> 32 == 0 => match Pgno::new(pgno.get() ^ difference as u32) {
            Some(found) => Note::OtherPage(found),
            None => Note::Block(block),
        },
        None => Note::Block(block),
    };
    Finding::Damaged(Verdict::Damaged { stored, computed, note })
}

/// The one bit of a block that explains the difference of two checksums completely, if there is one.
///
/// The engine asks for one differing XOR bit at any place; asking for the place that the ECC names refuses no
/// page that could become sound.
fn wrong_bit(difference: u64, block_bytes: usize) -> Option<u32> {
    let ecc = (difference >> 32) as u32;
    let (hi, lo) = (ecc >> 16, ecc & 0xffff);
    let highest_index = (block_bytes * 8 - 1) as u32;
    let explained =
        hi ^ lo == highest_index && lo <= highest_index && difference as u32 == 1 << (lo % 32);
    explained.then_some(lo)
}

/// Mask that corrects the field at `offset_bytes` when bit `wrong` of the page lies in it, else 0.
fn repair(wrong: Option<u32>, offset_bytes: usize, field_bits: u32) -> u64 {
    match wrong.and_then(|bit| bit.checked_sub(offset_bytes as u32 * 8)) {
        Some(bit) if bit < field_bits => 1 << bit,
        _ => 0,
    }
}

fn size_of(page: &[u8]) -> Option<PageSize> {
    PageSize::ALL.into_iter().find(|size| size.bytes() == page.len())
}

fn is_legacy(page: &[u8], size: PageSize) -> bool {
    size.is_small() && u32_at(page, FLAGS_OFFSET) & FORMAT_FLAG == 0
}

fn is_zero(page: &[u8]) -> bool {
    page.chunks(64).all(|line| line.iter().fold(0, |sum, byte| sum | byte) == 0)
}

fn block_of(page: &[u8], block: usize) -> &[u8] {
    let block_bytes = page.len() / BLOCKS;
    page.get(block * block_bytes..(block + 1) * block_bytes).unwrap_or_default()
}

const fn checksum_offset(block: usize) -> usize {
    if block == 0 { 0 } else { BLOCK_CHECKSUMS_OFFSET + (block - 1) * 8 }
}

fn flip(page: &mut [u8], bits: &[u32]) {
    for bit in bits {
        if let Some(byte) = page.get_mut(*bit as usize / 8) {
            *byte ^= 1 << (bit % 8);
        }
    }
}

fn put<const N: usize>(page: &mut [u8], offset_bytes: usize, value: &[u8; N]) {
    page[offset_bytes..offset_bytes + N].copy_from_slice(value);
}

/// Little-endian; callers have checked that the slice is as long as a page.
fn u32_at(page: &[u8], offset_bytes: usize) -> u32 {
    page.get(offset_bytes..)
        .and_then(<[u8]>::first_chunk)
        .map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

fn u64_at(page: &[u8], offset_bytes: usize) -> u64 {
    page.get(offset_bytes..)
        .and_then(<[u8]>::first_chunk)
        .map_or(0, |bytes| u64::from_le_bytes(*bytes))
}
