//! The stage clock: what each thread of a job is at, and how full the queues are. A thread says only what it turns to; so no moment
//! is counted twice, and none is left out. Costs a look at the time and a few atomic additions for each turn, and there are some
//! ten turns for each piece or mailbox, none for an item, unless it has to wait.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use crate::recover::stages::{QueueDepth, Stage, StageReport, StageTime};

thread_local! {
    /// What this thread is at, and since when, in nanoseconds of its clock. A thread works for one job at a time.
    static AT: Cell<Option<(Stage, u64)>> = const { Cell::new(None) };
}

/// The clock of a job.
#[derive(Debug)]
pub struct Clock {
    began: Instant,
    stages: [Total; Stage::COUNT],
    /// Messages to the committer.
    pub to_committer: Gauge,
    /// Work for workers.
    pub to_workers: Gauge,
    /// Bytes of pieces that are built and not linked in.
    pub room: Gauge,
}

/// Nanoseconds.
#[derive(Debug)]
struct Total {
    spent: AtomicU64,
    first: AtomicU64,
    last: AtomicU64,
}

/// The depth of a queue, in messages or in bytes.
#[derive(Debug, Default)]
pub struct Gauge {
    sent: AtomicU64,
    sum: AtomicU64,
    max: AtomicU64,
}

impl Clock {
    /// The clock of a job that `began` some time ago in this thread, and has been preparing itself since.
    pub fn since(began: Instant) -> Self {
        let total =
            |_| Total { spent: 0.into(), first: u64::MAX.into(), last: AtomicU64::default() };
        let clock = Self {
            began,
            stages: std::array::from_fn(total),
            to_committer: Gauge::default(),
            to_workers: Gauge::default(),
            room: Gauge::default(),
        };
        AT.set(Some((Stage::Prepare, 0)));
        clock
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// This thread turns to another stage; answers the one that it was at.
    pub fn turn(&self, stage: Stage) -> Option<Stage> {
        let now = self.now();
        self.book(now, AT.replace(Some((stage, now))))
    }

    /// This thread goes home.
    pub fn leave(&self) {
        self.book(self.now(), AT.take());
    }

    fn book(&self, now: u64, was: Option<(Stage, u64)>) -> Option<Stage> {
        let (stage, since) = was?;
        if let Some(total) = self.stages.get(stage as usize) {
            total.spent.fetch_add(now.saturating_sub(since), Relaxed);
            total.first.fetch_min(since, Relaxed);
            total.last.fetch_max(now, Relaxed);
        }
        Some(stage)
    }

    /// Does something that belongs to another stage than what is around it.
    pub fn during<T>(&self, stage: Stage, work: impl FnOnce() -> T) -> T {
        let was = self.turn(stage);
        let result = work();
        if let Some(was) = was {
            self.turn(was);
        }
        result
    }

    /// Waits for what another thread holds.
    pub fn waiting<T>(&self, work: impl FnOnce() -> T) -> T {
        let stage = match AT.get() {
            Some((stage, _)) => stage.wait(),
            None => return work(),
        };
        self.during(stage, work)
    }

    /// The last thread goes home. `room_bytes` is the budget of what may wait to be linked in.
    pub fn report(&self, workers: usize, room_bytes: u64) -> StageReport {
        let end = self.now();
        self.book(end, AT.take());
        let seconds = |nanos: u64| nanos as f64 / 1e9;
        let time = |total: &Total| {
            let (first, last) = (total.first.load(Relaxed), total.last.load(Relaxed));
            StageTime {
                seconds: seconds(total.spent.load(Relaxed)),
                span: (first <= last).then(|| (seconds(first), seconds(last))),
            }
        };
        StageReport {
            workers,
            wall_seconds: seconds(end),
            stages: std::array::from_fn(|at| self.stages.get(at).map(time).unwrap_or_default()),
            to_committer: self.to_committer.depth(None),
            to_workers: self.to_workers.depth(None),
            room: self.room.depth(Some(room_bytes)),
        }
    }
}

impl Stage {
    /// What a thread is at when it waits in the middle of this.
    fn wait(self) -> Self {
        use crate::recover::stages::Crew;
        match self.crew() {
            Crew::Worker => Self::AwaitLock,
            Crew::Committer => Self::AwaitWorker,
        }
    }
}

impl Gauge {
    /// Something was put into the queue, which holds so many now.
    pub fn sent(&self, waiting: u64) {
        self.sent.fetch_add(1, Relaxed);
        self.sum.fetch_add(waiting, Relaxed);
        self.max.fetch_max(waiting, Relaxed);
    }

    fn depth(&self, capacity: Option<u64>) -> QueueDepth {
        QueueDepth {
            capacity,
            sent: self.sent.load(Relaxed),
            sum: self.sum.load(Relaxed),
            max: self.max.load(Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recover::stages::Crew;

    fn sum(report: &StageReport, crew: Crew) -> f64 {
        report.named().filter(|(stage, _)| stage.crew() == crew).map(|(_, time)| time.seconds).sum()
    }

    #[test]
    fn every_moment_of_a_thread_belongs_to_one_stage() {
        let clock = Clock::since(Instant::now());
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    assert_eq!(clock.turn(Stage::AwaitTask), None, "a thread begins at nothing");
                    assert_eq!(clock.turn(Stage::Read), Some(Stage::AwaitTask));
                    clock.waiting(|| assert_eq!(AT.get().unwrap().0, Stage::AwaitLock));
                    assert_eq!(clock.turn(Stage::Copy), Some(Stage::Read));
                    clock.leave();
                    assert_eq!(AT.get(), None);
                });
            }
        });
        assert_eq!(clock.turn(Stage::Link), Some(Stage::Prepare));
        clock.waiting(|| assert_eq!(AT.get().unwrap().0, Stage::AwaitWorker));
        let report = clock.report(3, 4);
        // Sums of nanoseconds that were rounded one by one.
        assert!((sum(&report, Crew::Committer) - report.wall_seconds).abs() < 1e-9);
        assert!(sum(&report, Crew::Worker) <= 3.0 * report.wall_seconds);
        assert!(report.busy_share(Crew::Committer) <= 1.0 + 1e-9);
        let (from, to) = report.time(Stage::Prepare).span.unwrap();
        assert!(from == 0.0 && to <= report.wall_seconds);
        assert_eq!(report.time(Stage::Verify), StageTime::default());
        assert_eq!(AT.get(), None);
    }

    #[test]
    fn a_gauge_knows_mean_and_most() {
        let gauge = Gauge::default();
        assert_eq!(gauge.depth(None), QueueDepth::default());
        [1, 4, 1].into_iter().for_each(|waiting| gauge.sent(waiting));
        let expected = QueueDepth { capacity: Some(4), sent: 3, sum: 6, max: 4 };
        assert_eq!((expected.mean(), QueueDepth::default().mean()), (2.0, 0.0));
        assert_eq!(gauge.depth(Some(4)), expected);
    }
}
