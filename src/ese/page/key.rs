//! Keys as nodes hold them, in two parts, and how they are ordered: bytewise, then the shorter one first.
//!
//! Every look-up compares a dozen keys, nearly all of them short: those are compared as numbers, in a few instructions.
//! Source: ese-physical 6.2, 6.3.

use std::cmp::Ordering;

/// A key in two parts: what the node shares with tag 0, and its own bytes.
#[derive(Debug, Clone, Copy)]
pub struct KeyParts<'a> {
    /// Leading bytes, taken from tag 0.
    pub prefix: &'a [u8],
    /// The rest, taken from the node.
    pub suffix: &'a [u8],
}

impl KeyParts<'_> {
    /// Length of the whole key in bytes.
    #[inline]
    pub fn len_bytes(&self) -> usize {
        self.prefix.len() + self.suffix.len()
    }

    /// Whether the key has no bytes: "plus infinity" at the end of a branch page.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.prefix.is_empty() && self.suffix.is_empty()
    }

    /// The whole key in memory of its own.
    pub fn to_vec(&self) -> Vec<u8> {
        let mut key = Vec::with_capacity(self.len_bytes());
        self.append_to(&mut key);
        key
    }

    /// Appends the whole key.
    pub fn append_to(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.prefix);
        out.extend_from_slice(self.suffix);
    }

    /// The key as one big-endian number, if it has eight bytes.
    #[inline]
    pub fn as_number(&self) -> Option<u64> {
        (self.len_bytes() == 8).then(|| match self.prefix {
            [] => number_of(self.suffix),
            prefix => number_of(prefix) << (8 * self.suffix.len()) | number_of(self.suffix),
        })
    }

    /// Compares with a key in one piece.
    #[inline]
    pub fn compare(&self, other: &[u8]) -> Ordering {
        if self.prefix.is_empty() {
            return compare_bytes(self.suffix, other);
        }
        match other.split_at_checked(self.prefix.len()) {
            Some((head, tail)) => {
                compare_bytes(self.prefix, head).then_with(|| compare_bytes(self.suffix, tail))
            }
            // The prefix is the longer one, so that the suffix decides nothing.
            None => compare_bytes(self.prefix, other),
        }
    }
}

/// Compares two byte strings, each given in three pieces.
pub fn compare_parts(a: [&[u8]; 3], b: [&[u8]; 3]) -> Ordering {
    let (mut ai, mut bi) = (0, 0);
    let (mut left, mut right) = (a[0], b[0]);
    loop {
        while left.is_empty() && ai < 2 {
            ai += 1;
            left = a[ai];
        }
        while right.is_empty() && bi < 2 {
            bi += 1;
            right = b[bi];
        }
        let common = left.len().min(right.len());
        if common == 0 {
            return left.len().cmp(&right.len());
        }
        let (left_head, left_rest) = left.split_at(common);
        let (right_head, right_rest) = right.split_at(common);
        match compare_bytes(left_head, right_head) {
            Ordering::Equal => (left, right) = (left_rest, right_rest),
            unequal => return unequal,
        }
    }
}

/// As `a.cmp(b)`, without a call where what both have of each other is short.
#[inline]
pub fn compare_bytes(a: &[u8], b: &[u8]) -> Ordering {
    let common = a.len().min(b.len());
    let (Some(left), Some(right)) = (a.get(..common), b.get(..common)) else { return a.cmp(b) };
    let order = match common {
        0 => Ordering::Equal,
        1..4 => few_bytes(left).cmp(&few_bytes(right)),
        4..8 => two_words(left).cmp(&two_words(right)),
        8..=16 => two_long_words(left).cmp(&two_long_words(right)),
        _ => left.cmp(right),
    };
    order.then_with(|| a.len().cmp(&b.len()))
}

/// How many bytes two strings have in common at their beginning.
#[inline]
pub fn common_bytes(a: &[u8], b: &[u8]) -> usize {
    let (mut left, mut right) = (a, b);
    while let (Some((head, left_rest)), Some((other, right_rest))) =
        (left.split_first_chunk::<8>(), right.split_first_chunk::<8>())
    {
        let difference = u64::from_le_bytes(*head) ^ u64::from_le_bytes(*other);
        if difference != 0 {
            return a.len() - left.len() + difference.trailing_zeros() as usize / 8;
        }
        (left, right) = (left_rest, right_rest);
    }
    let rest = left.iter().zip(right).take_while(|(a, b)| a == b).count();
    a.len() - left.len() + rest
}

/// One to three bytes as a number that orders strings of one length: first, middle and last byte, some of which are one.
#[inline]
fn few_bytes(bytes: &[u8]) -> u32 {
    let at = |index: usize| u32::from(bytes.get(index).copied().unwrap_or(0));
    at(0) << 16 | at(bytes.len() / 2) << 8 | at(bytes.len() - 1)
}

/// Four to eight bytes likewise: the first four and the last four. Bytes that are in both were equal already when they count
/// for the second time.
#[inline]
fn two_words(bytes: &[u8]) -> u64 {
    let word = |word: Option<&[u8; 4]>| u64::from(word.map_or(0, |word| u32::from_be_bytes(*word)));
    word(bytes.first_chunk()) << 32 | word(bytes.last_chunk())
}

/// Eight to sixteen bytes likewise.
#[inline]
fn two_long_words(bytes: &[u8]) -> (u64, u64) {
    let word = |word: Option<&[u8; 8]>| word.map_or(0, |word| u64::from_be_bytes(*word));
    (word(bytes.first_chunk()), word(bytes.last_chunk()))
}

/// Up to eight bytes as a big-endian number. Bytes that are in both of its halves stand at one place.
#[inline]
fn number_of(bytes: &[u8]) -> u64 {
    let word = |word: &[u8; 4]| u64::from(u32::from_be_bytes(*word));
    match (bytes.first_chunk(), bytes.last_chunk()) {
        (Some(head), Some(tail)) => word(head) << (8 * (bytes.len() - 4)) | word(tail),
        _ => bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Few different bytes, so that strings often agree for a while.
    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(prop_oneof![Just(0u8), Just(1), Just(0x80), Just(0xff)], 0..24)
    }

    proptest! {
        #[test]
        fn short_strings_are_ordered_as_slices_are(a in bytes(), b in bytes(), kept in 0usize..24) {
            prop_assert_eq!(compare_bytes(&a, &b), a.cmp(&b));
            // The same beginning, which a random pair rarely has for long.
            let like_a = [&a[..kept.min(a.len())], b.as_slice()].concat();
            prop_assert_eq!(compare_bytes(&a, &like_a), a.cmp(&like_a));
            prop_assert_eq!(compare_bytes(&a, &a), Ordering::Equal);
            for b in [&b, &like_a, &a] {
                let common = a.iter().zip(b).take_while(|(a, b)| a == b).count();
                prop_assert_eq!(common_bytes(&a, b), common);
            }
        }

        #[test]
        fn a_key_in_parts_is_ordered_like_the_whole(
            key in bytes(),
            other in bytes(),
            cut in 0usize..24,
            kept in 0usize..24,
        ) {
            let (prefix, suffix) = key.split_at(cut.min(key.len()));
            let parts = KeyParts { prefix, suffix };
            let like_key = [&key[..kept.min(key.len())], other.as_slice()].concat();
            for other in [&other, &like_key, &key] {
                prop_assert_eq!(parts.compare(other), key.cmp(other));
                let general = compare_parts([prefix, suffix, &[]], [other, &[], &[]]);
                prop_assert_eq!(general, key.cmp(other));
            }
            let number = <[u8; 8]>::try_from(key.as_slice()).ok().map(u64::from_be_bytes);
            prop_assert_eq!(parts.as_number(), number);
        }
    }
}
