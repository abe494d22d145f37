//! XOR and ECC of one block in safe Rust, on eight 64-bit lanes that a compiler can turn into vector code.
//!
//! Knows nothing of pages: it gets a block and returns its value. It is both the portable implementation and the twin
//! that `avx2.rs` is tested against.
//!
//! The ECC is the XOR of the indexes of all set bits (ese-physical 4.2), so bit `b` of it is the parity of the set bits
//! whose index has bit `b`. Nine index bits say where a bit stands within a 64-byte line: they come from the XOR of all
//! lines. The others say in which line it stands: for each, the lines whose number has that bit are XORed together, by
//! a binary tree (ese-physical 4.6), and the parity of the result is taken:
//!
//! ```text
//! lines    l0 l1   l2 l3   l4 l5   l6 l7     odd[0] ^= l1 ^ l3 ^ l5 ^ l7      index bit 9
//! pairs      p0      p1      p2      p3      odd[1] ^= p1 ^ p3                index bit 10
//! quads          q0              q1          odd[2] ^= q1                     index bit 11
//! group                  g                   then the same over all groups    index bits 12..
//! ```

/// 64 bytes of a block as little-endian words.
type Line = [u64; LINE_WORDS];

const LINE_WORDS: usize = 8;
const LINE_BYTES: usize = 64;
const GROUP_LINES: usize = 8;
/// Bytes that one pass of the inner tree takes in.
const GROUP_BYTES: usize = GROUP_LINES * LINE_BYTES;

/// For each of the lowest six index bits: the bits of a word whose index has it.
const WITHIN_WORD: [u64; 6] = [
    0xaaaa_aaaa_aaaa_aaaa,
    0xcccc_cccc_cccc_cccc,
    0xf0f0_f0f0_f0f0_f0f0,
    0xff00_ff00_ff00_ff00,
    0xffff_0000_ffff_0000,
    0xffff_ffff_0000_0000,
];

/// `ECC << 32 | XOR` of a block; see [`super::block_checksum`] for the meaning.
///
/// # Panics
/// When the block is not 1024, 2048, 4096 or 8192 bytes long.
#[inline(always)]
pub(super) fn block(block: &[u8], pgno: u32, has_page_header: bool) -> u64 {
    match block.len() {
        1024 => sized::<2>(block, pgno, has_page_header),
        2048 => sized::<4>(block, pgno, has_page_header),
        4096 => sized::<8>(block, pgno, has_page_header),
        8192 => sized::<16>(block, pgno, has_page_header),
        other => panic!("{other} bytes are no checksum block"),
    }
}

#[inline(always)]
fn sized<const GROUPS: usize>(block: &[u8], pgno: u32, has_page_header: bool) -> u64 {
    let mut odd = [[0; LINE_WORDS]; 3];
    let mut groups = [[0; LINE_WORDS]; GROUPS];
    for (group, bytes) in groups.iter_mut().zip(block.chunks_exact(GROUP_BYTES)) {
        *group = fold_group(bytes, &mut odd);
    }

    let mut lo = 0;
    for (level, line) in odd.iter().enumerate() {
        lo |= parity(fold(line)) << (9 + level);
    }
    let (mut total, upper) = fold_tree(groups);
    lo |= upper << 12;
    if has_page_header {
        // The first line counts into no odd sum, so taking the checksum field out of the total takes it out of all.
        total[0] ^= block.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
    }
    finish(&total, lo, GROUPS * GROUP_BYTES, pgno)
}

/// The inner tree: returns the XOR of the eight lines, and adds the odd ones of each level to `odd`.
#[inline(always)]
fn fold_group(bytes: &[u8], odd: &mut [Line; 3]) -> Line {
    let [l0, l1, l2, l3, l4, l5, l6, l7] = lines(bytes);
    let pairs = [xor(l0, l1), xor(l2, l3), xor(l4, l5), xor(l6, l7)];
    odd[0] = xor(odd[0], xor(xor(l1, l3), xor(l5, l7)));
    odd[1] = xor(odd[1], xor(pairs[1], pairs[3]));
    let quads = [xor(pairs[0], pairs[1]), xor(pairs[2], pairs[3])];
    odd[2] = xor(odd[2], quads[1]);
    xor(quads[0], quads[1])
}

/// The outer tree: returns the XOR of all groups and one index bit per level, lowest first.
#[inline(always)]
fn fold_tree<const GROUPS: usize>(mut groups: [Line; GROUPS]) -> (Line, u32) {
    let mut bits = 0;
    let mut level = 0;
    let mut count = GROUPS;
    while count > 1 {
        let mut odd = [0; LINE_WORDS];
        for index in 0..count / 2 {
            let right = groups[2 * index + 1];
            odd = xor(odd, right);
            groups[index] = xor(groups[2 * index], right);
        }
        bits |= parity(fold(&odd)) << level;
        level += 1;
        count /= 2;
    }
    (groups[0], bits)
}

/// Adds the nine lowest index bits, which the XOR of all lines tells, and puts the words together.
#[inline(always)]
fn finish(total: &Line, mut lo: u32, block_bytes: usize, pgno: u32) -> u64 {
    let word = fold(total);
    for (bit, mask) in WITHIN_WORD.iter().enumerate() {
        lo |= parity(word & mask) << bit;
    }
    lo |= parity(total[1] ^ total[3] ^ total[5] ^ total[7]) << 6;
    lo |= parity(total[2] ^ total[3] ^ total[6] ^ total[7]) << 7;
    lo |= parity(total[4] ^ total[5] ^ total[6] ^ total[7]) << 8;

    let highest_index = (block_bytes * 8 - 1) as u32;
    let hi = lo ^ (highest_index * parity(word));
    let xor = word as u32 ^ (word >> 32) as u32 ^ pgno;
    u64::from(hi << 16 | lo) << 32 | u64::from(xor)
}

/// The eight lines of a group.
#[inline(always)]
fn lines(bytes: &[u8]) -> [Line; GROUP_LINES] {
    let mut lines = [[0; LINE_WORDS]; GROUP_LINES];
    for (line, bytes) in lines.iter_mut().zip(bytes.chunks_exact(LINE_BYTES)) {
        for (word, bytes) in line.iter_mut().zip(bytes.chunks_exact(8)) {
            if let Some(bytes) = bytes.first_chunk() {
                *word = u64::from_le_bytes(*bytes);
            }
        }
    }
    lines
}

#[inline(always)]
fn xor(mut left: Line, right: Line) -> Line {
    for (left, right) in left.iter_mut().zip(right) {
        *left ^= right;
    }
    left
}

#[inline(always)]
fn fold(line: &Line) -> u64 {
    line.iter().fold(0, |sum, word| sum ^ word)
}

#[inline(always)]
fn parity(word: u64) -> u32 {
    word.count_ones() & 1
}

/// XOR of all 32-bit little-endian words; up to three last bytes count as a word that ends in zeros.
pub(super) fn xor_words(bytes: &[u8]) -> u32 {
    let mut sum: Line = [0; LINE_WORDS];
    let lines = bytes.chunks_exact(LINE_BYTES);
    let rest = lines.remainder();
    for line in lines {
        for (sum, bytes) in sum.iter_mut().zip(line.chunks_exact(8)) {
            if let Some(bytes) = bytes.first_chunk() {
                *sum ^= u64::from_le_bytes(*bytes);
            }
        }
    }
    let word = fold(&sum);
    let mut xor = word as u32 ^ (word >> 32) as u32;
    for (index, byte) in rest.iter().enumerate() {
        xor ^= u32::from(*byte) << (8 * (index % 4));
    }
    xor
}
