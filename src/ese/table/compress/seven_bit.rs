//! Seven-bit packing: value k occupies bits 7k..7k+6 of the stream, lowest bit first. Source: ese-logical 5.1.

use super::{SEVEN_BIT_ASCII, SEVEN_BIT_UNICODE};

/// Number of packed values; `low3` + 1 bits of the last byte are in use.
pub(super) fn count(body: &[u8], low3: usize) -> usize {
    match body.len().checked_sub(1) {
        Some(whole_bytes) => (whole_bytes * 8 + low3 + 1) / 7,
        None => 0,
    }
}

/// Hands out the first `count` packed values.
pub(super) fn expand(body: &[u8], count: usize, mut put: impl FnMut(u8)) {
    let (mut bits, mut bit_count) = (0_u32, 0);
    let mut bytes = body.iter();
    for _ in 0..count {
        if bit_count < 7 {
            let Some(byte) = bytes.next() else { return };
            bits |= u32::from(*byte) << bit_count;
            bit_count += 8;
        }
        put((bits & 0x7f) as u8);
        bits >>= 7;
        bit_count -= 7;
    }
}

/// Appends `plain` as 7-bit ASCII, header byte included. Returns false, with `out` as before, when `plain` is empty,
/// has a byte of 80 or more, or would not become strictly shorter.
pub fn seven_bit_ascii_compress(plain: &[u8], out: &mut Vec<u8>) -> bool {
    if !plain.is_ascii() || packed_bytes(plain.len()) >= plain.len() {
        return false;
    }
    pack(SEVEN_BIT_ASCII, plain.len(), plain.iter().copied(), out);
    true
}

/// Appends UTF-16LE `plain` as 7-bit Unicode, header byte included. Returns false, with `out` as before, when
/// `plain` is empty or of odd length, or has a character above 7F.
pub fn seven_bit_unicode_compress(plain: &[u8], out: &mut Vec<u8>) -> bool {
    let fits = |pair: &[u8]| matches!(pair, [0..=0x7f, 0]);
    let count = plain.len() / 2;
    if !plain.chunks(2).all(fits) || packed_bytes(count) >= plain.len() {
        return false;
    }
    pack(SEVEN_BIT_UNICODE, count, plain.iter().step_by(2).copied(), out);
    true
}

/// Bytes of `count` packed values, header byte included.
fn packed_bytes(count: usize) -> usize {
    1 + (7 * count).div_ceil(8)
}

fn pack(scheme: u8, count: usize, values: impl Iterator<Item = u8>, out: &mut Vec<u8>) {
    assert!(count > 0, "callers refuse empty input, which cannot become shorter");
    let low3 = ((7 * count - 1) % 8) as u8;
    out.reserve(packed_bytes(count));
    out.push(scheme << 3 | low3);
    let (mut bits, mut bit_count) = (0_u32, 0);
    for value in values {
        bits |= u32::from(value) << bit_count;
        bit_count += 7;
        if bit_count >= 8 {
            out.push(bits as u8);
            bits >>= 8;
            bit_count -= 8;
        }
    }
    if bit_count > 0 {
        out.push(bits as u8);
    }
}
