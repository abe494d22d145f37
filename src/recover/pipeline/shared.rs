//! What all threads of a job look at.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{
    Arc, LockResult, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, TryLockError,
    TryLockResult,
};

use super::clock::Clock;
use super::pool::PagePool;
use super::ranks::{Held, Rank};
use super::room::Room;
use crate::ese::error::{EseError, EseResult};
use crate::ese::page::Pgno;
use crate::ese::table::write::IndexBatch;
use crate::ese::tree::{Extent, PageSupply};
use crate::mapi::InstanceId;
use crate::recover::job::Job;
use crate::recover::place::Replicas;
use crate::recover::verify::{SharedContents, SharedSum};
use crate::store::{
    AheadFiles, CommittedStore, ParcelMaps, ParcelStock, ParcelTarget, ParcelWish, Reservation,
    StoreWriter,
};

/// Contents that several items hold: whoever comes first copies one, the others refer to it.
#[derive(Debug, Default)]
pub struct Claims {
    /// Copies, by the source's ids.
    pub copies: HashMap<InstanceId, InstanceId>,
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
    /// Stands before the writer, whose lock must outlive it.
    files: AheadFiles,
    target: Mutex<StoreWriter>,
    committed: RwLock<Arc<CommittedStore>>,
    claims: Mutex<Claims>,
    /// What was built of contents that several items hold, by the source's ids. Not among the claims: whoever verifies keeps the last
    /// commit, for which a thread that holds the claims may be waiting.
    built: Mutex<HashMap<InstanceId, SharedSum>>,
    pool: Mutex<PagePool>,
    stock: Mutex<ParcelStock>,
    /// Threads that wait for the writer.
    waiting: AtomicUsize,
    is_ending: AtomicBool,
    is_committing: AtomicBool,
    /// Memory for pieces that are built and not linked in: an eighth of the budget.
    pub room: Room,
    /// How rows of the source fit into the target.
    pub maps: ParcelMaps,
    /// Replicas of the source in the target.
    pub replicas: Replicas,
    /// The target, as builders see it.
    pub parcel_target: ParcelTarget,
    /// The target held contents before the job. Where it did not, no content of the source can be there but by this job, which knows
    /// its copies.
    pub had_contents: bool,
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
        let committed = target.committed();
        Ok(Self {
            clock,
            had_contents: committed.view().has_contents()?,
            committed: RwLock::new(Arc::new(committed)),
            parcel_target: target.parcel_target(),
            pool: Mutex::default(),
            stock: Mutex::new(target.parcel_stock()),
            files: target.ahead_files()?,
            target: Mutex::new(target),
            waiting: AtomicUsize::new(0),
            claims: Mutex::default(),
            built: Mutex::default(),
            is_ending: AtomicBool::new(false),
            is_committing: AtomicBool::new(false),
            room: Room::new(job.run.memory_bytes / 8),
            maps,
            replicas,
        })
    }

    /// The writer.
    pub fn target(&self) -> Held<MutexGuard<'_, StoreWriter>> {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let target = self.lock(Rank::Target, || self.target.try_lock(), || self.target.lock());
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
    fn lock<G>(
        &self,
        rank: Rank,
        at_once: impl FnOnce() -> TryLockResult<G>,
        wait: impl FnOnce() -> LockResult<G>,
    ) -> Held<G> {
        Held::new(rank, || match at_once() {
            Ok(guard) => guard,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => {
                self.clock.waiting(wait).unwrap_or_else(PoisonError::into_inner)
            }
        })
    }

    fn pool(&self) -> Held<MutexGuard<'_, PagePool>> {
        self.lock(Rank::Pool, || self.pool.try_lock(), || self.pool.lock())
    }

    fn stock(&self) -> Held<MutexGuard<'_, ParcelStock>> {
        self.lock(Rank::Stock, || self.stock.try_lock(), || self.stock.lock())
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

    /// Takes in stock what has become scarce, so that workers need not wait for the writer to get it.
    pub fn restock(&self) -> EseResult<()> {
        let mut stock = self.stock();
        if !stock.is_low() && !self.pool().is_low() {
            return Ok(());
        }
        let mut target = self.target();
        if stock.is_low() {
            target.fill_stock(&mut stock, &ParcelWish::default())?;
        }
        self.pool().fill_low(&mut |fdp, want| target.lend_pages(fdp, want))
    }

    /// Syncs what has been written so far, while everybody goes on; what the next commit links in it need not sync again.
    pub fn sync_ahead(&self) -> EseResult<()> {
        let marks = self.target().sync_marks()?;
        self.files.sync()?;
        self.target().note_synced(marks);
        Ok(())
    }

    /// As [`Self::sync_ahead`] after the last large commit, whose journal will not be written over.
    pub fn sync_last(&self) -> EseResult<()> {
        self.sync_ahead()?;
        self.target().empty_journal()
    }

    /// The target's last commit. As long as the guard lives, no commit puts pages in place.
    pub fn committed(&self) -> Held<RwLockReadGuard<'_, Arc<CommittedStore>>> {
        self.lock(Rank::Committed, || self.committed.try_read(), || self.committed.read())
    }

    /// Runs `work`, which brings these entries into their indexes, while other threads look at the pages that will change. Where the
    /// target held nothing, few pages are there to be looked at.
    pub fn look_ahead<T>(&self, batches: &[IndexBatch], work: impl FnOnce() -> T) -> T {
        if !self.had_contents {
            return work();
        }
        let committed = self.committed().clone();
        rayon::in_place_scope(|scope| {
            for batch in batches {
                let committed = &committed;
                scope.spawn(move |_| committed.look_ahead(batch));
            }
            work()
        })
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
            let rank = Rank::Committed;
            let (at_once, wait) = (|| self.committed.try_write(), || self.committed.write());
            alone = Some(self.lock(rank, at_once, wait));
        })?;
        if let Some(mut committed) = alone {
            *committed = Arc::new(target.committed());
        }
        Ok(())
    }

    /// The shared contents.
    pub fn claims(&self) -> Held<MutexGuard<'_, Claims>> {
        self.lock(Rank::Claims, || self.claims.try_lock(), || self.claims.lock())
    }

    /// Tells what was built of contents that several items hold.
    pub fn note_built(&self, sums: impl IntoIterator<Item = (InstanceId, u32)>) {
        let known = |(source, sum)| (source, SharedSum { sum, is_verified: false });
        self.sums().extend(sums.into_iter().map(known));
    }

    fn sums(&self) -> Held<MutexGuard<'_, HashMap<InstanceId, SharedSum>>> {
        self.lock(Rank::Built, || self.built.try_lock(), || self.built.lock())
    }

    /// Tells everyone to stop.
    pub fn end(&self) {
        self.is_ending.store(true, Ordering::Relaxed);
    }

    /// Whether everyone should stop.
    pub fn is_ending(&self) -> bool {
        self.is_ending.load(Ordering::Relaxed)
    }

    /// The writer, when all threads are done, and the last commit as they read it.
    pub fn into_writer(self) -> EseResult<(StoreWriter, Arc<CommittedStore>)> {
        let mut target = self.target.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut pool = self.pool.into_inner().unwrap_or_else(PoisonError::into_inner);
        for (fdp, extent) in pool.empty() {
            target.take_back(fdp, extent)?;
        }
        let mut stock = self.stock.into_inner().unwrap_or_else(PoisonError::into_inner);
        target.take_back_stock(&mut stock)?;
        let committed = self.committed.into_inner().unwrap_or_else(PoisonError::into_inner);
        Ok((target, committed))
    }
}

impl SharedContents for Shared {
    fn built(&self, source: InstanceId) -> Option<SharedSum> {
        self.sums().get(&source).copied()
    }

    fn set_verified(&self, source: InstanceId) {
        if let Some(known) = self.sums().get_mut(&source) {
            known.is_verified = true;
        }
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
