//! The order in which threads of a recovery take what they share. Whoever holds something may only take what ranks above it, so that no
//! two threads can wait for each other; a thread that goes about it in another way is a mistake of this program, and stops at once
//! instead of hanging in one run of a thousand.

use std::cell::Cell;
use std::ops::{Deref, DerefMut};

/// What can be taken, in the order in which it must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// Contents that several items hold, and who copies them.
    Claims,
    /// What workers need of the writer, taken in stock.
    Stock,
    /// The writer.
    Target,
    /// Free pages.
    Pool,
    /// The last commit.
    Committed,
    /// What was built of shared contents.
    Built,
}

impl Rank {
    fn bit(self) -> u8 {
        1 << self as u8
    }
}

thread_local! {
    /// What this thread holds, a bit for each rank.
    static HELD: Cell<u8> = const { Cell::new(0) };
}

/// A lock that is held, and its rank.
#[derive(Debug)]
pub struct Held<G> {
    guard: G,
    rank: Rank,
}

impl<G> Held<G> {
    /// Takes a lock of this rank.
    ///
    /// # Panics
    /// When this thread holds one of the same or a higher rank.
    pub fn new(rank: Rank, take: impl FnOnce() -> G) -> Self {
        let held = HELD.get();
        assert!(held < rank.bit(), "{rank:?} is taken after what ranks above it ({held:#b})");
        let guard = take();
        HELD.set(held | rank.bit());
        Self { guard, rank }
    }
}

impl<G> Drop for Held<G> {
    fn drop(&mut self) {
        HELD.set(HELD.get() & !self.rank.bit());
    }
}

impl<G: Deref> Deref for Held<G> {
    type Target = G::Target;

    fn deref(&self) -> &G::Target {
        &self.guard
    }
}

impl<G: DerefMut> DerefMut for Held<G> {
    fn deref_mut(&mut self) -> &mut G::Target {
        &mut self.guard
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(rank: Rank) -> Held<Box<()>> {
        Held::new(rank, Box::default)
    }

    #[test]
    fn what_was_let_go_may_be_taken_again() {
        let claims = take(Rank::Claims);
        drop(take(Rank::Target));
        let target = take(Rank::Target);
        drop(claims);
        drop(target);
        drop(take(Rank::Claims));
    }

    #[test]
    #[should_panic(expected = "Claims is taken after what ranks above it")]
    fn what_ranks_below_is_not_waited_for() {
        let _committed = take(Rank::Committed);
        take(Rank::Claims);
    }

    #[test]
    #[should_panic(expected = "Target is taken after")]
    fn nothing_is_taken_twice() {
        let _target = take(Rank::Target);
        take(Rank::Target);
    }
}
