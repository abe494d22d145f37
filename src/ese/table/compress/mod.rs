//! Compression of single values and of long-value chunks.
//!
//! Pure byte work on one value. Knows nothing of the record or tree that holds it, and does not decide whether
//! bytes are compressed: no flag in the value says so. Sources: ese-logical 5, 4.4.
//!
//! ```text
//! byte 0   scheme << 3 | low3
//! 08-0F    1  7-bit ASCII     low3 + 1 = bits used in the last byte; packed 7-bit values
//! 10-17    2  7-bit Unicode   the same, each value stands for a u16
//! 18       3  XPRESS          u16 plain length, plain LZ77
//! 20       4  scrub           erased on purpose
//! 28       5  XPRESS9         u32 checksum, ...
//! 30       6  XPRESS10        u16 plain length, u32 CRC32C, u64 checksum, ...
//! 38       7  LZ4             u16 plain length, ...
//! ```

mod seven_bit;
mod xpress;
mod xpress_encode;

pub use seven_bit::{seven_bit_ascii_compress, seven_bit_unicode_compress};
pub use xpress_encode::xpress_compress;

use crate::ese::error::{EseError, EseResult};

const SEVEN_BIT_ASCII: u8 = 1;
const SEVEN_BIT_UNICODE: u8 = 2;
const XPRESS: u8 = 3;
const SCRUB: u8 = 4;
const XPRESS9: u8 = 5;
const XPRESS10: u8 = 6;
const LZ4: u8 = 7;

/// Bytes before an XPRESS stream: scheme and plain length.
const XPRESS_HEADER_BYTES: usize = 3;

/// Appends the plain form of a compressed value to `out`.
///
/// # Errors
/// [`EseError::Corrupt`] when the bytes are no compressed value, [`EseError::Unsupported`] for schemes that this
/// program cannot undo (scrubbed, XPRESS9, XPRESS10, LZ4), [`EseError::Limit`] when the plain form has more than
/// `cap_bytes` bytes. `out` is then as before.
pub fn decompress(bytes: &[u8], cap_bytes: usize, out: &mut Vec<u8>) -> EseResult<()> {
    let plain_bytes = decompressed_len(bytes)?;
    if plain_bytes > cap_bytes {
        return Err(EseError::limit(
            "decompressed length in bytes",
            plain_bytes as u64,
            cap_bytes as u64,
        ));
    }
    let (scheme, body) = split(bytes)?;
    let start = out.len();
    let result = match scheme {
        SEVEN_BIT_ASCII => {
            seven_bit::expand(body, plain_bytes, |byte| out.push(byte));
            Ok(())
        }
        SEVEN_BIT_UNICODE => {
            seven_bit::expand(body, plain_bytes / 2, |byte| out.extend_from_slice(&[byte, 0]));
            Ok(())
        }
        _ => {
            let stream = bytes.get(XPRESS_HEADER_BYTES..).unwrap_or_default();
            xpress::expand(stream, plain_bytes, out)
        }
    };
    if result.is_err() {
        out.truncate(start);
    }
    result
}

/// Plain length in bytes of a compressed value, as its first bytes declare it; nothing is decompressed.
///
/// # Errors
/// As [`decompress`], except for what only the body can show.
pub fn decompressed_len(bytes: &[u8]) -> EseResult<usize> {
    let (scheme, body) = split(bytes)?;
    let low3 = usize::from(bytes.first().copied().unwrap_or_default() & 7);
    match scheme {
        SEVEN_BIT_ASCII => Ok(seven_bit::count(body, low3)),
        SEVEN_BIT_UNICODE => Ok(2 * seven_bit::count(body, low3)),
        XPRESS => match body {
            [low, high, ..] => Ok(usize::from(u16::from_le_bytes([*low, *high]))),
            _ => Err(EseError::corrupt_bytes("an XPRESS value without its length")),
        },
        SCRUB => Err(EseError::unsupported("reading a value erased by scrubbing")),
        XPRESS9 => Err(EseError::unsupported("XPRESS9 compression")),
        XPRESS10 => Err(EseError::unsupported("XPRESS10 compression")),
        LZ4 => Err(EseError::unsupported("LZ4 compression")),
        other => Err(EseError::corrupt_bytes(format!("compression scheme {other} does not exist"))),
    }
}

fn split(bytes: &[u8]) -> EseResult<(u8, &[u8])> {
    let (first, body) =
        bytes.split_first().ok_or_else(|| EseError::corrupt_bytes("an empty compressed value"))?;
    Ok((first >> 3, body))
}
