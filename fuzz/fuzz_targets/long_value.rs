//! The decompressors: no panic, never more output than declared or allowed, and nothing left behind by a failure.
#![no_main]

use dialtone::ese::table::compress::{decompress, decompressed_len};
use libfuzzer_sys::fuzz_target;

/// Kept low, so that limits are met often.
const CAP_BYTES: usize = 20_000;

fuzz_target!(|bytes: &[u8]| {
    let declared = decompressed_len(bytes);
    let mut out = b"before".to_vec();
    match decompress(bytes, CAP_BYTES, &mut out) {
        Ok(()) => {
            assert!(out.len() - 6 <= CAP_BYTES);
            assert!(declared.is_ok_and(|length| length == out.len() - 6), "declared otherwise");
        }
        Err(_) => assert_eq!(out, b"before"),
    }
});
