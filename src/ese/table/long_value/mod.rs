//! Long values: values too large for their record, kept in chunks in a tree of their table.
//!
//! Knows the tree and its chunks; knows nothing of the records that name them.
//!
//! ```text
//! node    key (big-endian)                  data (little-endian)
//! root    u32 number, or u64 with bit 63    u32 references, u32 plain length [, u8 flags: 1 encrypted]
//! chunk   number, u32 plain offset          the bytes, raw or compressed
//! ```
//!
//! A chunk that is shorter than the plain bytes it stands for is compressed; nothing else says so.
//! Sources: ese-logical 4.

mod read;
#[cfg(test)]
mod tests;

pub use read::{LvInfo, LvReader, StoredPart, default_chunk_bytes};
