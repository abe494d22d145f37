//! The block checksum compiled for processors with AVX2, chosen when the program runs.
//!
//! One of the few modules with unsafe code, and the only unsafe act is the call itself: the body is the safe code
//! of `lanes.rs`, which the compiler inlines here and turns into 256-bit operations.
#![allow(unsafe_code)]

use super::lanes;

/// The block's checksum, or `None` on a processor without AVX2; see [`super::block_checksum`].
#[inline]
pub(super) fn block(block: &[u8], pgno: u32, has_page_header: bool) -> Option<u64> {
    // The standard library keeps what it has detected in an atomic word: asking again is a load and a test.
    if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("popcnt") {
        // SAFETY: the function needs nothing but the processor features that were just found.
        Some(unsafe { block_avx2(block, pgno, has_page_header) })
    } else {
        None
    }
}

/// # Safety
/// The processor must have AVX2 and POPCNT.
#[target_feature(enable = "avx2,popcnt")]
unsafe fn block_avx2(block: &[u8], pgno: u32, has_page_header: bool) -> u64 {
    lanes::block(block, pgno, has_page_header)
}
