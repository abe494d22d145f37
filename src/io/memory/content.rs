//! The bytes of one file in memory, in blocks that copies share until one of them writes.
//!
//! Knows nothing of names, events or crashes. Blocks that were never written are not stored, so a
//! declared length costs nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

const BLOCK_BYTES: usize = 4096;

type Block = [u8; BLOCK_BYTES];

/// The content of a file. A clone costs one counter per stored block.
#[derive(Debug, Clone, Default)]
pub(super) struct Content {
    len_bytes: u64,
    /// By block number. Bytes of a stored block past `len_bytes` are zero.
    blocks: BTreeMap<u64, Arc<Block>>,
}

/// The part of one block that a byte range covers.
struct Piece {
    block_number: u64,
    /// Where in the block it starts.
    at: usize,
    len: usize,
}

/// Cuts a byte range at block borders. The end of the range must fit a `u64`.
fn pieces(mut offset: u64, len: usize) -> impl Iterator<Item = Piece> {
    let mut left = len;
    std::iter::from_fn(move || {
        let at = (offset % BLOCK_BYTES as u64) as usize;
        let piece = Piece {
            block_number: offset / BLOCK_BYTES as u64,
            at,
            len: left.min(BLOCK_BYTES - at),
        };
        offset += piece.len as u64;
        left -= piece.len;
        (piece.len > 0).then_some(piece)
    })
}

impl Content {
    pub(super) fn from_bytes(bytes: &[u8]) -> Self {
        let mut content = Self::default();
        content.write(bytes, 0);
        content
    }

    pub(super) fn len_bytes(&self) -> u64 {
        self.len_bytes
    }

    /// Fills the buffer; `false` if the content ends before.
    pub(super) fn read(&self, buffer: &mut [u8], offset_bytes: u64) -> bool {
        let end = offset_bytes.checked_add(buffer.len() as u64);
        if end.is_none_or(|end| end > self.len_bytes) {
            return false;
        }
        let mut done = 0;
        for piece in pieces(offset_bytes, buffer.len()) {
            let to = &mut buffer[done..done + piece.len];
            match self.blocks.get(&piece.block_number) {
                Some(block) => to.copy_from_slice(&block[piece.at..piece.at + piece.len]),
                None => to.fill(0),
            }
            done += piece.len;
        }
        true
    }

    /// Writes all bytes, extending the content. The end of the range must fit a `u64`.
    pub(super) fn write(&mut self, bytes: &[u8], offset_bytes: u64) {
        let mut done = 0;
        for piece in pieces(offset_bytes, bytes.len()) {
            let block = self.blocks.entry(piece.block_number).or_insert_with(zero_block);
            Arc::make_mut(block)[piece.at..piece.at + piece.len]
                .copy_from_slice(&bytes[done..done + piece.len]);
            done += piece.len;
        }
        if !bytes.is_empty() {
            self.len_bytes = self.len_bytes.max(offset_bytes + bytes.len() as u64);
        }
    }

    /// Cuts the content, or extends it with zeros.
    pub(super) fn set_len(&mut self, len_bytes: u64) {
        if len_bytes < self.len_bytes {
            drop(self.blocks.split_off(&len_bytes.div_ceil(BLOCK_BYTES as u64)));
            let kept = (len_bytes % BLOCK_BYTES as u64) as usize;
            if let Some(last) = self.blocks.get_mut(&(len_bytes / BLOCK_BYTES as u64)) {
                Arc::make_mut(last)[kept..].fill(0);
            }
        }
        self.len_bytes = len_bytes;
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![0; usize::try_from(self.len_bytes).unwrap_or(usize::MAX)];
        self.read(&mut bytes, 0);
        bytes
    }
}

fn zero_block() -> Arc<Block> {
    Arc::new([0; BLOCK_BYTES])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Debug, Clone)]
    enum Step {
        Write(u64, Vec<u8>),
        SetLen(u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        let near_blocks = 0_u64..20_000;
        prop_oneof![
            3 => (near_blocks.clone(), prop::collection::vec(1_u8.., 0..9_000))
                .prop_map(|(offset, bytes)| Step::Write(offset, bytes)),
            1 => near_blocks.prop_map(Step::SetLen),
            1 => (0_u64..5).prop_map(|n| Step::SetLen(n * BLOCK_BYTES as u64)),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn content_behaves_like_a_vector_of_bytes(steps in prop::collection::vec(step(), 0..12)) {
            let (mut content, mut model) = (Content::default(), Vec::new());
            for step in steps {
                let before = (content.clone(), model.clone());
                match step {
                    Step::Write(_, bytes) if bytes.is_empty() => content.write(&bytes, 50_000),
                    Step::Write(offset, bytes) => {
                        let end = offset as usize + bytes.len();
                        model.resize(model.len().max(end), 0);
                        model[offset as usize..end].copy_from_slice(&bytes);
                        content.write(&bytes, offset);
                    }
                    Step::SetLen(len) => {
                        model.resize(len as usize, 0);
                        content.set_len(len);
                    }
                }
                prop_assert_eq!(content.len_bytes(), model.len() as u64);
                prop_assert!(content.to_bytes() == model);
                prop_assert!(before.0.to_bytes() == before.1, "a clone saw a later write");
            }
        }
    }

    #[test]
    fn a_read_past_the_end_or_past_all_numbers_fails() {
        let content = Content::from_bytes(&[1; 5000]);
        assert!(content.read(&mut [0; 5], 4995));
        assert!(!content.read(&mut [0; 6], 4995));
        assert!(!content.read(&mut [0; 6], u64::MAX));
    }

    #[test]
    fn a_huge_length_costs_no_memory() {
        let mut content = Content::default();
        content.set_len(i64::MAX as u64);
        content.set_len(3);
        assert_eq!(content.to_bytes(), [0; 3]);
    }
}
