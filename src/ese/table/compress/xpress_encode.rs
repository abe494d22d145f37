//! XPRESS encoder: greedy, hash chains of bounded depth, window of 8192 bytes. Format: `xpress.rs`.
//!
//! Flag words start as soon as the one before is full, so the last one always has a bit to spare. Spare bits
//! are 1: decoders that look for the end of the input instead of the plain length stop there.

use super::{XPRESS, XPRESS_HEADER_BYTES};

const WINDOW_BYTES: usize = 8192;
const MIN_COPY_BYTES: usize = 3;
const HASH_BITS: u32 = 12;
/// Earlier places looked at for one copy: more is slower and finds little more in mail.
const CHAIN_DEPTH: usize = 16;
/// A copy of this length is taken without a look for a longer one.
const GOOD_COPY_BYTES: usize = 64;
const NOWHERE: u16 = u16::MAX;

/// Appends `plain` in XPRESS form, header included. Returns false, with `out` as before, when the result would
/// not be strictly shorter than `plain` (the reader of a chunk takes equal length for raw bytes), or when
/// `plain` has more than 65535 bytes.
pub fn xpress_compress(plain: &[u8], out: &mut Vec<u8>) -> bool {
    let start = out.len();
    let Ok(length) = u16::try_from(plain.len()) else { return false };
    if plain.len() <= XPRESS_HEADER_BYTES {
        return false;
    }
    out.reserve(plain.len());
    out.push(XPRESS << 3);
    out.extend_from_slice(&length.to_le_bytes());
    let limit = start + plain.len();
    let shorter = encode(plain, limit, out);
    if !shorter {
        out.truncate(start);
    }
    shorter
}

/// Encodes all of `plain` unless `out` reaches `limit` bytes first.
fn encode(plain: &[u8], limit: usize, out: &mut Vec<u8>) -> bool {
    let mut output = Output::new(out);
    let mut finder = Finder::new(plain);
    let mut at = 0;
    while at < plain.len() {
        match finder.longest(at) {
            Some((distance, length)) => {
                output.copy(distance, length);
                for skipped in at..at + length {
                    finder.insert(skipped);
                }
                at += length;
            }
            None => {
                output.literal(plain[at]);
                finder.insert(at);
                at += 1;
            }
        }
        if output.out.len() >= limit {
            return false;
        }
    }
    output.finish();
    true
}

/// Places of three-byte strings seen so far.
struct Finder<'p> {
    plain: &'p [u8],
    /// Latest place for each hash.
    head: [u16; 1 << HASH_BITS],
    /// The place before, for each place of the window.
    previous: [u16; WINDOW_BYTES],
}

impl<'p> Finder<'p> {
    fn new(plain: &'p [u8]) -> Self {
        assert!(plain.len() <= usize::from(u16::MAX), "places have 16 bits");
        Self { plain, head: [NOWHERE; 1 << HASH_BITS], previous: [NOWHERE; WINDOW_BYTES] }
    }

    fn hash(&self, at: usize) -> Option<usize> {
        let [a, b, c] = *self.plain.get(at..)?.first_chunk::<3>()?;
        let word = u32::from_le_bytes([a, b, c, 0]);
        Some((word.wrapping_mul(0x9e37_79b1) >> (32 - HASH_BITS)) as usize)
    }

    fn insert(&mut self, at: usize) {
        if let Some(hash) = self.hash(at) {
            self.previous[at % WINDOW_BYTES] = self.head[hash];
            self.head[hash] = at as u16;
        }
    }

    /// Distance and length of the longest copy found for the bytes at `at`.
    fn longest(&self, at: usize) -> Option<(usize, usize)> {
        let hash = self.hash(at)?;
        let (mut best_distance, mut best_length) = (0, MIN_COPY_BYTES - 1);
        let mut place = self.head[hash];
        for _ in 0..CHAIN_DEPTH {
            let from = usize::from(place);
            // A place that leads forward was overwritten by a newer lap of the window.
            if place == NOWHERE || from >= at || at - from > WINDOW_BYTES {
                break;
            }
            let length = common_bytes(&self.plain[from..], &self.plain[at..]);
            if length > best_length {
                (best_distance, best_length) = (at - from, length);
                if length >= GOOD_COPY_BYTES {
                    break;
                }
            }
            let before = self.previous[from % WINDOW_BYTES];
            if before >= place {
                break;
            }
            place = before;
        }
        (best_length >= MIN_COPY_BYTES).then_some((best_distance, best_length))
    }
}

fn common_bytes(earlier: &[u8], later: &[u8]) -> usize {
    earlier.iter().zip(later).take_while(|(a, b)| a == b).count()
}

/// The stream being written.
struct Output<'o> {
    out: &'o mut Vec<u8>,
    /// Place of the current flag word.
    flags_at: usize,
    flags: u32,
    flag_count: u32,
    /// Place of a byte whose high half is free.
    half_byte_at: Option<usize>,
}

impl<'o> Output<'o> {
    fn new(out: &'o mut Vec<u8>) -> Self {
        let flags_at = out.len();
        out.extend_from_slice(&[0; 4]);
        Self { out, flags_at, flags: 0, flag_count: 0, half_byte_at: None }
    }

    fn literal(&mut self, byte: u8) {
        self.out.push(byte);
        self.flag(0);
    }

    fn copy(&mut self, distance: usize, length: usize) {
        assert!((1..=WINDOW_BYTES).contains(&distance) && length >= MIN_COPY_BYTES);
        let field = length - MIN_COPY_BYTES;
        let word = ((distance - 1) << 3 | field.min(7)) as u16;
        self.out.extend_from_slice(&word.to_le_bytes());
        if field >= 7 {
            self.half_byte((field - 7).min(15) as u8);
        }
        if let Some(rest) = field.checked_sub(22) {
            if rest < 255 {
                self.out.push(rest as u8);
            } else {
                self.out.push(255);
                self.out.extend_from_slice(&(field as u16).to_le_bytes());
            }
        }
        self.flag(1);
    }

    fn half_byte(&mut self, value: u8) {
        match self.half_byte_at.take() {
            Some(at) => self.out[at] |= value << 4,
            None => {
                self.half_byte_at = Some(self.out.len());
                self.out.push(value);
            }
        }
    }

    /// Adds the flag of the item just written.
    fn flag(&mut self, flag: u32) {
        self.flags = self.flags << 1 | flag;
        self.flag_count += 1;
        if self.flag_count == 32 {
            self.put_flags();
            self.flags_at = self.out.len();
            self.out.extend_from_slice(&[0; 4]);
            (self.flags, self.flag_count) = (0, 0);
        }
    }

    fn put_flags(&mut self) {
        self.out[self.flags_at..self.flags_at + 4].copy_from_slice(&self.flags.to_le_bytes());
    }

    /// Fills the spare flags with ones.
    fn finish(mut self) {
        let spare = 32 - self.flag_count;
        self.flags = (u64::from(self.flags) << spare | ((1_u64 << spare) - 1)) as u32;
        self.put_flags();
    }
}
