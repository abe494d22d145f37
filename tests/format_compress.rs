//! Compression: the worked examples of the format sheet, round trips, and hostile input, which must end in an
//! error or in bounded output, never in a panic.

#![allow(clippy::unwrap_used, reason = "a test ends at its first surprise")]

use dialtone::ese::EseError;
use dialtone::ese::table::compress::{
    decompress, decompressed_len, seven_bit_ascii_compress, seven_bit_unicode_compress,
    xpress_compress,
};
use dialtone::ese::table::value::hex_text;
use proptest::prelude::*;

fn bytes_of(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

fn plain_of(compressed: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    decompress(compressed, 1 << 20, &mut out).unwrap();
    assert_eq!(decompressed_len(compressed).unwrap(), out.len());
    out
}

/// 1051 bytes of text as a real database holds them: 28 literals and one copy.
const REAL_CHUNK: &str =
    "18 1b04 0f000000 4c6f6e6720 636f6d7072657373656420 415343494920 7465787420 61 0700 0f ff fc03";

#[test]
fn a_real_xpress_chunk_is_read() {
    let plain = plain_of(&bytes_of(REAL_CHUNK));
    assert_eq!(plain.len(), 0x041b);
    assert!(plain.starts_with(b"Long compressed ASCII text a"));
    assert!(plain[27..].iter().all(|byte| *byte == b'a'));
}

#[test]
fn the_encoder_makes_the_same_bytes_as_the_engine_of_the_real_chunk() {
    let plain = plain_of(&bytes_of(REAL_CHUNK));
    let mut again = Vec::new();
    assert!(xpress_compress(&plain, &mut again));
    assert_eq!(hex_text(&again), hex_text(&bytes_of(REAL_CHUNK)));
}

#[test]
fn forty_one_letters_in_seven_bits() {
    let mut packed = Vec::new();
    assert!(seven_bit_ascii_compress(&[b'a'; 41], &mut packed));
    assert!(hex_text(&packed).starts_with("0ee170381c0e87c3e170381c0e87c3"));
    assert_eq!(packed.len(), 37);
    assert_eq!(packed.last(), Some(&0x61));
    assert_eq!(plain_of(&packed), [b'a'; 41]);
}

#[test]
fn seven_bit_unicode_holds_two_bytes_in_seven_bits() {
    let plain: Vec<u8> = "Simple text".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let mut packed = Vec::new();
    assert!(seven_bit_unicode_compress(&plain, &mut packed));
    assert_eq!((packed[0] >> 3, packed.len()), (2, 1 + 10));
    assert_eq!(plain_of(&packed), plain);
}

#[test]
fn encoders_refuse_what_would_not_become_shorter() {
    let mut out = vec![7];
    assert!(!seven_bit_ascii_compress(b"", &mut out));
    assert!(!seven_bit_ascii_compress(b"abcdefgh", &mut out));
    assert!(!seven_bit_ascii_compress(&[0x80; 100], &mut out));
    assert!(!seven_bit_unicode_compress(b"", &mut out));
    assert!(!seven_bit_unicode_compress(b"a\0b", &mut out));
    assert!(!seven_bit_unicode_compress(&[0x41, 1, 0x41, 0], &mut out));
    assert!(!xpress_compress(b"", &mut out));
    assert!(!xpress_compress(b"abc", &mut out));
    assert!(!xpress_compress(&(0..=255).collect::<Vec<u8>>(), &mut out));
    assert!(!xpress_compress(&[0; 65536], &mut out));
    assert_eq!(out, [7]);
}

#[test]
fn all_lengths_of_copies_survive() {
    // Around every border of the length field: 9/10, 24/25, 279/280, and the longest possible.
    for length in (3..40).chain(250..300).chain([8149, 8150, 65_535]) {
        let mut plain = b"0123456789".to_vec();
        plain.resize(length.max(11), b'9');
        let mut packed = Vec::new();
        if xpress_compress(&plain, &mut packed) {
            assert!(packed.len() < plain.len());
            assert_eq!(plain_of(&packed), plain, "{length}");
        } else {
            assert!(length < 40, "{length} bytes must shrink");
        }
    }
}

#[test]
fn half_bytes_are_shared_by_two_copies() {
    // Several copies of lengths 10 to 24, whose length goes through half bytes.
    let mut plain = Vec::new();
    for round in 0..40_u8 {
        plain.extend_from_slice(&b"abcdefghijklmnopqrstuvwxyz"[..10 + usize::from(round % 15)]);
        plain.extend_from_slice(&[round, 200 - round]);
    }
    let mut packed = Vec::new();
    assert!(xpress_compress(&plain, &mut packed));
    assert_eq!(plain_of(&packed), plain);
}

#[test]
fn a_copy_may_reach_back_the_whole_window_and_no_further() {
    for gap in [8190, 8191, 8192, 8193] {
        let mut plain: Vec<u8> = b"a string of twenty-six byt".to_vec();
        plain.resize(gap, b'.');
        plain.extend_from_slice(b"a string of twenty-six byt");
        let mut packed = Vec::new();
        assert!(xpress_compress(&plain, &mut packed));
        assert_eq!(plain_of(&packed), plain, "{gap}");
    }
}

#[test]
fn the_last_flag_word_always_has_a_bit_to_spare() {
    // 31, 32, 33 literals, then one long copy: decoders that wait for the end of input need a 1 there.
    for literals in 29..36_u8 {
        let mut plain: Vec<u8> = (0..literals).collect();
        plain.resize(plain.len() + 300, literals - 1);
        let mut packed = Vec::new();
        assert!(xpress_compress(&plain, &mut packed));
        let items = u32::from(literals) + 1;
        let last_word = if items < 32 { 3 } else { 3 + 4 + 32 + if items == 32 { 4 } else { 0 } };
        let word = packed[last_word..].first_chunk::<4>().map(|w| u32::from_le_bytes(*w));
        assert_eq!(word.map(|word| word & 1), Some(1), "{literals}");
        assert_eq!(plain_of(&packed), plain);
    }
}

#[test]
fn schemes_that_cannot_be_undone_are_named() {
    for (scheme, name) in [(4_u8, "scrub"), (5, "XPRESS9"), (6, "XPRESS10"), (7, "LZ4")] {
        let mut out = vec![1];
        let value = [&[scheme << 3][..], &[0; 40]].concat();
        let error = decompress(&value, 1 << 20, &mut out).unwrap_err();
        assert!(matches!(error, EseError::Unsupported { .. }) && error.to_string().contains(name));
        assert_eq!(out, [1]);
    }
    for first in [0x00, 0x07, 0x40, 0xff] {
        let error = decompress(&[first; 10], 1 << 20, &mut Vec::new()).unwrap_err();
        assert!(matches!(error, EseError::Corrupt { .. }), "{first}");
    }
    assert!(decompress(&[], 1 << 20, &mut Vec::new()).is_err());
}

#[test]
fn output_beyond_the_cap_is_refused_before_it_is_made() {
    let mut bomb = Vec::new();
    assert!(xpress_compress(&[0; 60_000], &mut bomb));
    let mut out = vec![1, 2, 3];
    let error = decompress(&bomb, 59_999, &mut out).unwrap_err();
    assert!(matches!(error, EseError::Limit { found: 60_000, limit: 59_999, .. }));
    assert_eq!(out, [1, 2, 3]);
    decompress(&bomb, 60_000, &mut out).unwrap();
    assert_eq!(out.len(), 60_003);
}

#[test]
fn damaged_streams_leave_the_output_as_it_was() {
    let whole = bytes_of(REAL_CHUNK);
    for length in 0..whole.len() {
        let mut out = vec![9];
        assert!(decompress(&whole[..length], 1 << 20, &mut out).is_err(), "{length}");
        assert_eq!(out, [9]);
    }
    // A copy from before the start.
    assert!(decompress(&bytes_of("18 0a00 ffffffff 0000"), 100, &mut Vec::new()).is_err());
    // A copy beyond the declared length.
    assert!(decompress(&bytes_of("18 0300 ffffff7f 41 0000"), 100, &mut Vec::new()).is_err());
    // A long length field below what led to it.
    assert!(
        decompress(&bytes_of("18 ff00 ffffff7f 41 0700 0f ff 1500"), 999, &mut Vec::new()).is_err()
    );
}

/// Bytes of every kind that values have: noise, runs, text, and mixtures with long matches.
fn plain_bytes() -> impl Strategy<Value = Vec<u8>> {
    let noise = prop::collection::vec(any::<u8>(), 50..8150);
    let few = prop::collection::vec(0_u8..4, 50..8150);
    let words = prop::collection::vec(
        prop::sample::select(vec!["lorem ", "ipsum ", "dolor, ", "<br>\r\n", "sit amet "]),
        10..1000,
    )
    .prop_map(|words| words.concat().into_bytes());
    let runs = prop::collection::vec((any::<u8>(), 1_usize..700), 1..20).prop_map(|runs| {
        runs.into_iter().flat_map(|(byte, count)| std::iter::repeat_n(byte, count)).collect()
    });
    prop_oneof![noise, few, words, runs]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn xpress_round_trips(plain in plain_bytes()) {
        let mut packed = vec![0xee];
        if xpress_compress(&plain, &mut packed) {
            prop_assert!(packed.len() - 1 < plain.len());
            prop_assert_eq!(plain_of(&packed[1..]), plain);
        } else {
            prop_assert_eq!(packed, [0xee]);
        }
    }

    #[test]
    fn seven_bit_round_trips(plain in prop::collection::vec(0_u8..0x80, 0..600)) {
        let mut packed = Vec::new();
        if seven_bit_ascii_compress(&plain, &mut packed) {
            prop_assert_eq!(plain_of(&packed), plain.clone());
        } else {
            prop_assert!(plain.len() < 16);
        }
        let wide: Vec<u8> = plain.iter().flat_map(|byte| [*byte, 0]).collect();
        let mut packed = Vec::new();
        if seven_bit_unicode_compress(&wide, &mut packed) {
            prop_assert_eq!(plain_of(&packed), wide);
        } else {
            prop_assert!(plain.len() < 2);
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(
        first in 0_u8..0x42,
        rest in prop::collection::vec(any::<u8>(), 0..300),
        cap in 0_usize..70_000,
    ) {
        let mut out = Vec::new();
        let value = [&[first][..], &rest].concat();
        if decompress(&value, cap, &mut out).is_err() {
            prop_assert!(out.is_empty());
        }
        prop_assert!(out.len() <= cap);
    }

    #[test]
    fn mutated_streams_never_panic(
        plain in plain_bytes(),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut packed = Vec::new();
        if xpress_compress(&plain, &mut packed) {
            let place = at.index(packed.len());
            packed[place] = byte;
            let mut out = Vec::new();
            let _ = decompress(&packed, 1 << 16, &mut out);
            prop_assert!(out.len() <= 1 << 16);
            packed.truncate(cut.index(packed.len()));
            let _ = decompress(&packed, 1 << 16, &mut out);
        }
    }
}
