//! The three implementations against each other: the definition word for word, the portable one, the vector one.

use proptest::prelude::*;

use super::*;

/// Ese-physical 4.2 read aloud: one bit after the other.
fn naive(block: &[u8], pgno: u32, has_page_header: bool) -> u64 {
    let mut block = block.to_vec();
    if has_page_header {
        block[..8].fill(0);
    }
    let highest_index = block.len() as u32 * 8 - 1;
    let (mut lo, mut hi, mut xor) = (0, 0, pgno);
    for index in 0..=highest_index {
        if block[index as usize / 8] >> (index % 8) & 1 == 1 {
            lo ^= index;
            hi ^= highest_index - index;
            xor ^= 1 << (index % 32);
        }
    }
    u64::from(hi << 16 | lo) << 32 | u64::from(xor)
}

fn naive_legacy(bytes: &[u8]) -> u32 {
    let words = bytes.chunks_exact(4).map(|word| u32::from_le_bytes(word.try_into().unwrap()));
    words.skip(1).fold(0x89ab_cdef, |sum, word| sum ^ word)
}

/// Blocks of all lengths there are: full of noise, or with a few bytes that are not zero.
fn any_block() -> impl Strategy<Value = Vec<u8>> {
    prop::sample::select(vec![1024, 2048, 4096, 8192]).prop_flat_map(|length_bytes| {
        let noise = prop::collection::vec(any::<u8>(), length_bytes);
        let bytes = prop::collection::vec((0..length_bytes, any::<u8>()), 0..4);
        let sparse = bytes.prop_map(move |bytes| {
            let mut block = vec![0; length_bytes];
            for (offset, byte) in bytes {
                block[offset] = byte;
            }
            block
        });
        prop_oneof![noise, sparse]
    })
}

fn config() -> ProptestConfig {
    ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn all_implementations_agree_on_any_block(block in any_block(), pgno: u32, header: bool) {
        let expected = naive(&block, pgno, header);
        prop_assert_eq!(lanes::block(&block, pgno, header), expected);
        prop_assert_eq!(block_checksum(&block, pgno, header), expected);
        #[cfg(target_arch = "x86_64")]
        if let Some(checksum) = avx2::block(&block, pgno, header) {
            prop_assert_eq!(checksum, expected);
        }
    }

    #[test]
    fn a_block_under_another_number_is_told_by_its_checksum(
        block in any_block(),
        from: u32,
        to: u32,
        header: bool,
    ) {
        let moved = moved_block(block_checksum(&block, from, header), from, to);
        prop_assert_eq!(moved, block_checksum(&block, to, header));
    }

    #[test]
    fn the_legacy_xor_is_the_xor_of_the_words(words in prop::collection::vec(any::<[u8; 4]>(), 0..600)) {
        let bytes = words.concat();
        prop_assert_eq!(legacy_xor(&bytes), naive_legacy(&bytes));
    }

    #[test]
    fn no_bytes_of_any_length_make_verify_or_correct_panic(
        mut bytes in prop_oneof![any_block(), prop::collection::vec(any::<u8>(), 0..5000)],
        pgno in 1..Pgno::LIMIT,
    ) {
        let pgno = Pgno::fixed(pgno);
        let before = bytes.clone();
        let refused = matches!(verify(&bytes, pgno), Verdict::Damaged { .. } | Verdict::Zero);
        prop_assert!(refused, "noise was taken for a page");
        correct(&mut bytes, pgno);
        prop_assert_eq!(bytes, before);
    }
}

#[test]
fn unaligned_blocks_have_the_same_checksum() {
    let bytes: Vec<u8> = (0..4096 + 64).map(|index: u32| (index * 37 % 251) as u8).collect();
    for start in 0..64 {
        let block = &bytes[start..start + 4096];
        assert_eq!(block_checksum(block, 3, true), naive(block, 3, true), "from byte {start}");
    }
}

#[test]
fn bytes_after_the_last_word_count_as_a_word() {
    assert_eq!(legacy_xor(&[9, 9, 9, 9, 1, 2, 3]), LEGACY_SEED ^ 0x0003_0201);
    assert_eq!(legacy_xor(&[]), LEGACY_SEED);
}

#[test]
fn a_difference_is_one_wrong_bit_only_when_every_bit_of_it_says_so() {
    let difference = |lo: u32, hi: u32, xor: u32| u64::from(hi << 16 | lo) << 32 | u64::from(xor);
    assert_eq!(wrong_bit(difference(804, 0x7fff ^ 804, 1 << 4), 4096), Some(804));
    assert_eq!(
        wrong_bit(difference(804, 0x7fff ^ 804, 1 << 5), 4096),
        None,
        "XOR names another bit"
    );
    assert_eq!(wrong_bit(difference(804, 0x7fff ^ 804, 0x11), 4096), None, "two XOR bits");
    assert_eq!(wrong_bit(difference(804, 804, 1 << 4), 4096), None, "an even number of bits");
    assert_eq!(wrong_bit(difference(0x8000, 0xffff, 1), 4096), None, "no such bit in the block");
    assert_eq!(wrong_bit(difference(0x8000, 0x7fff, 1), 8192), Some(0x8000));
}
