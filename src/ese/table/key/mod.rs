//! Keys: the bytes by which rows and index entries are sorted, made from column values.
//!
//! Pure byte work: knows index and column definitions and asks a [`FieldSource`] for values. Knows neither
//! records nor trees. Sources: ese-logical 1.8, 1.9, 6.
//!
//! A key is the segments of its index one after the other, each normalised so that comparing bytes compares
//! values, each inverted if it is descending, cut at the index's bound. Text in code page 1200 needs the sort
//! tables of Windows and is refused; such trees are kept and copied, not built.

mod entries;
mod index;
mod segment;

pub use entries::{FieldSource, IndexKeys, index_has_unicode, index_keys, primary_key};
pub use index::{
    Condition, IndexDef, IndexFlags, IndexSegment, KEY_MOST_BYTES, TupleLimits, encode_conditions,
    encode_segments, parse_conditions, parse_segments,
};
pub use segment::KeyBuilder;

/// A normalised key. Keys compare as their bytes do.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Key(pub Vec<u8>);

impl AsRef<[u8]> for Key {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}
