//! Memory for pages that are filled or read, kept for whoever needs some next.
//!
//! Runs are built by the thousand, up to a mebibyte at a time. Memory of that size comes from the system and goes back to it; it must be
//! made page by page when it is touched first, and growing copies it. That took more time than filling it.

use std::sync::{Arc, Mutex, PoisonError};

/// Rooms that are kept at a time.
const ROOMS_MAX: usize = 8;
/// Smaller ones are had as cheaply as from here.
const ROOM_BYTES_MIN: usize = 32 << 10;
/// Larger ones are not what this is for.
const ROOM_BYTES_MAX: usize = 2 << 20;

/// Rooms that all clones share.
#[derive(Debug, Clone, Default)]
pub struct Rooms(Arc<Mutex<Vec<Vec<u8>>>>);

impl Rooms {
    /// A room with any content, large if there is one.
    pub fn take(&self) -> Vec<u8> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    /// Keeps a room that is not needed any more.
    pub fn keep(&self, room: Vec<u8>) {
        if !(ROOM_BYTES_MIN..=ROOM_BYTES_MAX).contains(&room.capacity()) {
            return;
        }
        let mut rooms = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if rooms.len() < ROOMS_MAX {
            rooms.push(room);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rooms_are_kept_up_to_a_number_and_within_bounds() {
        let rooms = Rooms::default();
        assert_eq!(rooms.take().capacity(), 0);
        for bytes in [ROOM_BYTES_MIN - 1, 4 * ROOM_BYTES_MAX] {
            rooms.keep(Vec::with_capacity(bytes));
            assert_eq!(rooms.clone().take().capacity(), 0);
        }
        for _ in 0..ROOMS_MAX + 3 {
            rooms.keep(vec![7; ROOM_BYTES_MIN]);
        }
        for _ in 0..ROOMS_MAX {
            let room = rooms.take();
            assert!(room.capacity() >= ROOM_BYTES_MIN);
        }
        assert_eq!(rooms.take().capacity(), 0);
    }
}
