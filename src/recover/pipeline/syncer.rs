//! Syncs what was written while everybody goes on writing, so that a commit has little left to wait for.

use std::panic::resume_unwind;
use std::thread::{Scope, ScopedJoinHandle};

use super::shared::Shared;
use crate::ese::error::EseResult;

/// At most one sync at a time, on a thread of its own.
///
/// The system tells of a failed write once. So whoever commits asks [`Self::finish`] first: a sync of its own would find nothing wrong
/// any more.
pub struct Syncer<'scope, 'env> {
    scope: &'scope Scope<'scope, 'env>,
    shared: &'scope Shared,
    running: Option<ScopedJoinHandle<'scope, EseResult<()>>>,
}

impl<'scope, 'env> Syncer<'scope, 'env> {
    /// Nothing runs yet.
    pub fn new(scope: &'scope Scope<'scope, 'env>, shared: &'scope Shared) -> Self {
        Self { scope, shared, running: None }
    }

    /// Begins to sync what has been written so far; answers false when the sync before is not done, and nothing was begun.
    ///
    /// # Errors
    /// What the sync before met: nothing that was written since the last commit may be committed any more.
    pub fn start(&mut self) -> EseResult<bool> {
        if self.running.as_ref().is_some_and(|running| !running.is_finished()) {
            return Ok(false);
        }
        self.finish()?;
        let shared = self.shared;
        self.running = Some(self.scope.spawn(|| shared.sync_ahead()));
        Ok(true)
    }

    /// The same after the last commit, with what the close would do otherwise.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_last(&mut self) -> EseResult<()> {
        self.finish()?;
        let shared = self.shared;
        self.running = Some(self.scope.spawn(|| shared.sync_last()));
        Ok(())
    }

    /// Does something beside everything else that nobody waits for before the end.
    pub fn do_aside(&self, work: impl FnOnce() + Send + 'scope) {
        self.scope.spawn(work);
    }

    /// Waits for the sync that runs, if there is one.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn finish(&mut self) -> EseResult<()> {
        match self.running.take().map(ScopedJoinHandle::join) {
            None => Ok(()),
            Some(Ok(result)) => result,
            Some(Err(panic)) => resume_unwind(panic),
        }
    }
}
