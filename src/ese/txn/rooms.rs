//! Memory for pages that are filled or read, kept for whoever needs some next.
//!
//! Runs are built by the thousand, up to a mebibyte at a time. Memory of that size comes from the system and goes back to it; it must be
//! made page by page when it is touched first, and growing copies it. That took more time than filling it.

use std::sync::{Arc, Mutex, PoisonError};

/// Rooms that are kept at a time: about as many as two workers fill.
const ROOMS_MAX: usize = 16;
/// Smaller ones are had as cheaply as from here.
const ROOM_BYTES_MIN: usize = 32 << 10;
/// Larger ones are not what this is for.
const ROOM_BYTES_MAX: usize = 2 << 20;

/// Rooms that all clones share.
#[derive(Debug, Clone, Default)]
pub struct Rooms(Arc<Mutex<Vec<Vec<u8>>>>);

impl Rooms {
    /// The largest room there is, with any content; one of no size when there is none.
    pub fn take(&self) -> Vec<u8> {
        let mut rooms = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let largest = (0..rooms.len()).max_by_key(|at| rooms.get(*at).map(Vec::capacity));
        largest.map(|at| rooms.swap_remove(at)).unwrap_or_default()
    }

    /// Keeps a room that is not needed any more, unless there are enough that are as large.
    pub fn keep(&self, room: Vec<u8>) {
        if !(ROOM_BYTES_MIN..=ROOM_BYTES_MAX).contains(&room.capacity()) {
            return;
        }
        let mut rooms = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if rooms.len() < ROOMS_MAX {
            rooms.push(room);
        } else if let Some(smallest) = rooms.iter_mut().min_by_key(|room| room.capacity())
            && smallest.capacity() < room.capacity()
        {
            *smallest = room;
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
            rooms.keep(Vec::with_capacity(ROOM_BYTES_MIN));
        }
        rooms.keep(Vec::with_capacity(ROOM_BYTES_MAX));
        assert_eq!(rooms.take().capacity(), ROOM_BYTES_MAX, "the largest one, though it came last");
        for _ in 1..ROOMS_MAX {
            assert_eq!(rooms.take().capacity(), ROOM_BYTES_MIN);
        }
        assert_eq!(rooms.take().capacity(), 0);
    }
}
