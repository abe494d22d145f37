//! XPRESS decoder: the plain LZ77 form of MS-XCA. Source: ese-logical 5.2.
//!
//! ```text
//! flag word  u32, consumed from bit 31 down; the next one is read when none are left
//! flag 0     one literal byte
//! flag 1     u16 m: distance (m >> 3) + 1, length field m & 7
//!   7        then a half byte (low half of a new byte, high half of the last such byte in turn)
//!   + 15     then u8 x
//!   255      then u16, or if that is 0 u32: the whole length field at once
//! length     field + 3
//! ```
//!
//! Every read is checked; output never exceeds the declared length.

use crate::ese::error::{EseError, EseResult};

/// Appends exactly `plain_bytes` bytes to `out`, or fails with part of them there.
pub(super) fn expand(stream: &[u8], plain_bytes: usize, out: &mut Vec<u8>) -> EseResult<()> {
    let mut input = Input { bytes: stream, at: 0, half_byte: None };
    let start = out.len();
    let end = start + plain_bytes;
    out.reserve(plain_bytes);
    let (mut flags, mut flag_count) = (0_u32, 0);
    while out.len() < end {
        if flag_count == 0 {
            flags = u32::from_le_bytes(input.take()?);
            flag_count = 32;
        }
        flag_count -= 1;
        if flags >> flag_count & 1 == 0 {
            let [literal] = input.take()?;
            out.push(literal);
            continue;
        }
        let (distance, length) = input.copy()?;
        if distance > out.len() - start || length > end - out.len() {
            return Err(EseError::corrupt_bytes(format!(
                "XPRESS copies {length} bytes from {distance} bytes back at {} of {plain_bytes}",
                out.len() - start
            )));
        }
        copy_back(out, distance, length);
    }
    Ok(())
}

/// Copies bytewise from `distance` bytes back; source and target may overlap.
fn copy_back(out: &mut Vec<u8>, distance: usize, length: usize) {
    let from = out.len() - distance;
    let mut left = length;
    while left > 0 {
        // Whatever lies between `from` and the end repeats, so each round may copy all of it.
        let step = left.min(out.len() - from);
        out.extend_from_within(from..from + step);
        left -= step;
    }
}

struct Input<'a> {
    bytes: &'a [u8],
    at: usize,
    /// High half of the last byte read for its low half.
    half_byte: Option<u8>,
}

impl Input<'_> {
    fn take<const N: usize>(&mut self) -> EseResult<[u8; N]> {
        let taken = self.bytes.get(self.at..).and_then(|rest| rest.first_chunk::<N>());
        let taken = taken.ok_or_else(|| {
            EseError::corrupt_bytes(format!("XPRESS stream of {} bytes is cut", self.bytes.len()))
        })?;
        self.at += N;
        Ok(*taken)
    }

    fn half_byte(&mut self) -> EseResult<usize> {
        if let Some(high) = self.half_byte.take() {
            return Ok(usize::from(high));
        }
        let [byte] = self.take()?;
        self.half_byte = Some(byte >> 4);
        Ok(usize::from(byte & 15))
    }

    /// Distance and length of a copy.
    fn copy(&mut self) -> EseResult<(usize, usize)> {
        let word = usize::from(u16::from_le_bytes(self.take()?));
        let mut field = word & 7;
        if field == 7 {
            field += match self.half_byte()? {
                15 => 15 + self.long_field()?,
                short => short,
            };
        }
        Ok(((word >> 3) + 1, field + 3))
    }

    /// What is beyond the 7 + 15 that the word and the half byte told.
    fn long_field(&mut self) -> EseResult<usize> {
        let [byte] = self.take()?;
        if byte < 255 {
            return Ok(usize::from(byte));
        }
        let whole = match u16::from_le_bytes(self.take()?) {
            0 => u32::from_le_bytes(self.take()?),
            short => u32::from(short),
        };
        // Plain lengths have 16 bits, so longer fields are damage and need not be told apart.
        let whole = usize::from(u16::try_from(whole).unwrap_or(u16::MAX));
        whole.checked_sub(22).ok_or_else(|| {
            EseError::corrupt_bytes(format!("XPRESS length field {whole} in the long form"))
        })
    }
}
