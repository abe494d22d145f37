//! Memory for pieces that wait for the committer: workers go on building while it commits, but not without end.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// A budget in bytes. Whatever is asked for is granted when nothing else is out, so that nobody waits for ever.
#[derive(Debug)]
pub struct Room {
    limit_bytes: u64,
    state: Mutex<State>,
    has_changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    taken_bytes: u64,
    is_closed: bool,
}

impl Room {
    /// A budget of so many bytes.
    pub fn new(limit_bytes: u64) -> Self {
        Self { limit_bytes, state: Mutex::default(), has_changed: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until there is room for `bytes`, and takes it; answers false when the budget was closed meanwhile.
    pub fn take(&self, bytes: u64) -> bool {
        let is_full = |state: &mut State| {
            let is_alone = state.taken_bytes == 0;
            !state.is_closed && !is_alone && state.taken_bytes + bytes > self.limit_bytes
        };
        let state = self.has_changed.wait_while(self.state(), is_full);
        let mut state = state.unwrap_or_else(PoisonError::into_inner);
        state.taken_bytes += bytes;
        !state.is_closed
    }

    /// The budget.
    pub fn limit_bytes(&self) -> u64 {
        self.limit_bytes
    }

    /// How much of it is out.
    pub fn taken_bytes(&self) -> u64 {
        self.state().taken_bytes
    }

    /// Gives back what was taken.
    pub fn give_back(&self, bytes: u64) {
        let mut state = self.state();
        state.taken_bytes = state.taken_bytes.saturating_sub(bytes);
        drop(state);
        self.has_changed.notify_all();
    }

    /// Nobody will give anything back any more.
    pub fn close(&self) {
        self.state().is_closed = true;
        self.has_changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    #[test]
    fn what_does_not_fit_waits_until_something_is_given_back() {
        let room = Room::new(10);
        let is_in = AtomicBool::new(false);
        assert!(room.take(6));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                assert!(room.take(6));
                is_in.store(true, Ordering::SeqCst);
            });
            std::thread::sleep(Duration::from_millis(20));
            assert!(!is_in.load(Ordering::SeqCst));
            room.give_back(6);
        });
        assert!(is_in.load(Ordering::SeqCst));
    }

    #[test]
    fn what_is_larger_than_the_room_gets_it_alone() {
        let room = Room::new(10);
        assert!(room.take(600));
        room.give_back(600);
        assert!(room.take(1));
    }

    #[test]
    fn nobody_waits_for_a_room_that_is_closed() {
        let room = Room::new(10);
        assert!(room.take(10));
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| room.take(10));
            std::thread::sleep(Duration::from_millis(20));
            room.close();
            assert!(!waiting.join().unwrap());
        });
    }
}
