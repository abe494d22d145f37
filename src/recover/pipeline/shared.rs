//! What all threads of a job look at.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{
    Arc, LockResult, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, TryLockError,
    TryLockResult,
};

use super::clock::Clock;
use super::pool::PagePool;
use super::room::Room;
use crate::ese::error::{EseError, EseResult};
use crate::ese::page::Pgno;
use crate::ese::tree::{Extent, PageSupply};
use crate::mapi::InstanceId;
use crate::recover::job::Job;
use crate::recover::place::Replicas;
use crate::store::{
    AheadFiles, CommittedStore, ParcelMaps, ParcelStock, ParcelTarget, ParcelWish, Reservation,
    StoreWriter,
};

/// A source content that several items hold, and its copy.
#[derive(Debug, Clone, Copy)]
pub struct Claim {
    /// The copy.
    pub copy: InstanceId,
    /// Sum over the content.
    pub crc: u32,
}

/// Contents that several items hold: whoever comes first copies one, the others refer to it.
#[derive(Debug, Default)]
pub struct Claims {
    /// Copies, by the source's ids.
    pub copies: HashMap<InstanceId, Claim>,
    /// Copies that are not in the target yet.
    pub outstanding: HashSet<InstanceId>,
    /// Contents of the target that items which are not there yet will hold: they must not go.
    pub promised: HashMap<InstanceId, usize>,
    /// Contents of the target that the batch which is going in may let go: nobody may count on them.
    pub going: HashSet<InstanceId>,
}

/// What all threads of a job look at.
pub struct Shared {
    /// What the threads are at.
    pub clock: Arc<Clock>,
    target: Mutex<StoreWriter>,
    committed: RwLock<Arc<CommittedStore>>,
    claims: Mutex<Claims>,
    pool: Mutex<PagePool>,
    stock: Mutex<ParcelStock>,
    files: AheadFiles,
    /// Threads that wait for the writer.
    waiting: AtomicUsize,
    is_ending: AtomicBool,
    is_committing: AtomicBool,
    /// Memory for pieces that are built and not linked in: an eighth of the budget.
    pub room: Room,
    /// Mailboxes whose items are not all decided about yet.
    pub unplanned: AtomicUsize,
    /// How rows of the source fit into the target.
    pub maps: ParcelMaps,
    /// Replicas of the source in the target.
    pub replicas: Replicas,
    /// The target, as builders see it.
    pub parcel_target: ParcelTarget,
}

impl Shared {
    pub fn new(
        job: &Job<'_>,
        mut target: StoreWriter,
        maps: ParcelMaps,
        replicas: Replicas,
        mailboxes: usize,
        clock: Arc<Clock>,
    ) -> EseResult<Self> {
        // The pages that the last commit knows are on disk; what was prepared for this job so far must be, too.
        target.commit()?;
        tracing::debug!(workers = job.run.workers, mailboxes, "the pipeline starts");
        Ok(Self {
            clock,
            committed: RwLock::new(Arc::new(target.committed())),
            parcel_target: target.parcel_target(),
            pool: Mutex::default(),
            stock: Mutex::new(target.parcel_stock()),
            files: target.ahead_files(),
            target: Mutex::new(target),
            waiting: AtomicUsize::new(0),
            claims: Mutex::default(),
            is_ending: AtomicBool::new(false),
            is_committing: AtomicBool::new(false),
            room: Room::new(job.run.memory_bytes / 8),
            unplanned: AtomicUsize::new(mailboxes),
            maps,
            replicas,
        })
    }

    /// The writer.
    pub fn target(&self) -> MutexGuard<'_, StoreWriter> {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let target = self.lock(self.target.try_lock(), || self.target.lock());
        self.waiting.fetch_sub(1, Ordering::SeqCst);
        target
    }

    /// Lets those go first who wait for the writer: a mutex is not fair, and the committer would take it again before they wake.
    pub fn let_others_in(&self) {
        let is_wanted = || self.waiting.load(Ordering::SeqCst) > 0 && !self.is_ending();
        if is_wanted() {
            self.clock.waiting(|| {
                while is_wanted() {
                    std::thread::yield_now();
                }
            });
        }
    }

    /// Takes a lock at once, or waits for it by the clock.
    fn lock<G>(&self, at_once: TryLockResult<G>, wait: impl FnOnce() -> LockResult<G>) -> G {
        match at_once {
            Ok(guard) => guard,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => {
                self.clock.waiting(wait).unwrap_or_else(PoisonError::into_inner)
            }
        }
    }

    fn pool(&self) -> MutexGuard<'_, PagePool> {
        self.lock(self.pool.try_lock(), || self.pool.lock())
    }

    /// Taken before the writer where both are needed.
    fn stock(&self) -> MutexGuard<'_, ParcelStock> {
        self.lock(self.stock.try_lock(), || self.stock.lock())
    }

    /// Reserves what a parcel needs, from the stock if that has it.
    pub fn reserve(&self, wish: &ParcelWish) -> EseResult<Reservation> {
        let mut stock = self.stock();
        if let Some(given) = stock.take(wish) {
            return Ok(given);
        }
        let mut target = self.target();
        target.fill_stock(&mut stock, wish)?;
        match stock.take(wish) {
            Some(given) => Ok(given),
            // Free pages lie too scattered for a long stream: only the writer can place it.
            None => target.reserve(wish),
        }
    }

    /// Takes in stock what workers will need while the writer is busy.
    pub fn stock_up(&self) -> EseResult<()> {
        let mut stock = self.stock();
        let mut target = self.target();
        target.fill_stock(&mut stock, &ParcelWish::default())?;
        stock.end_batch();
        self.pool().fill(&mut |fdp, want| target.lend_pages(fdp, want))
    }

    /// Syncs what workers have written so far, while they go on.
    pub fn sync_ahead(&self) -> EseResult<()> {
        self.files.sync()
    }

    /// The target's last commit. As long as the guard lives, no commit puts pages in place.
    pub fn committed(&self) -> RwLockReadGuard<'_, Arc<CommittedStore>> {
        self.lock(self.committed.try_read(), || self.committed.read())
    }

    /// Whether the writer is kept for a commit: what needs it has to wait.
    pub fn is_committing(&self) -> bool {
        self.is_committing.load(Ordering::Relaxed)
    }

    /// Says that the writer is kept for a commit, or is free again.
    pub fn set_committing(&self, is_committing: bool) {
        self.is_committing.store(is_committing, Ordering::Relaxed);
    }

    /// Commits, and lets everybody read this commit. They may read the one before until its pages are written over.
    pub fn commit(&self, target: &mut StoreWriter) -> EseResult<()> {
        let mut alone = None;
        target.commit_when(&mut || {
            alone = Some(self.lock(self.committed.try_write(), || self.committed.write()));
        })?;
        if let Some(mut committed) = alone {
            *committed = Arc::new(target.committed());
        }
        Ok(())
    }

    /// The shared contents. Taken before the writer where both are needed.
    pub fn claims(&self) -> MutexGuard<'_, Claims> {
        self.lock(self.claims.try_lock(), || self.claims.lock())
    }

    /// Tells everyone to stop.
    pub fn end(&self) {
        self.is_ending.store(true, Ordering::Relaxed);
    }

    /// Whether everyone should stop.
    pub fn is_ending(&self) -> bool {
        self.is_ending.load(Ordering::Relaxed)
    }

    /// The writer, when all threads are done.
    pub fn into_writer(self) -> EseResult<StoreWriter> {
        let mut target = self.target.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut pool = self.pool.into_inner().unwrap_or_else(PoisonError::into_inner);
        for (fdp, extent) in pool.empty() {
            target.take_back(fdp, extent)?;
        }
        let mut stock = self.stock.into_inner().unwrap_or_else(PoisonError::into_inner);
        target.take_back_stock(&mut stock)?;
        Ok(target)
    }
}

/// Lends pages out of the writer that all share.
impl PageSupply for &Shared {
    fn lend_pages(&mut self, fdp: Pgno, want: u32) -> EseResult<Extent> {
        if let Some(extent) = self.pool().take(fdp, want) {
            return Ok(extent);
        }
        let order = self.pool().order(fdp, want);
        let extent = self.target().lend_pages(fdp, order)?;
        Ok(self.pool().keep_rest(fdp, extent, want))
    }
}

/// The error for a job that another thread has ended.
pub fn ended() -> EseError {
    EseError::corrupt_bytes("the job was ended by another thread")
}
