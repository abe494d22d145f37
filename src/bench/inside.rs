//! The inside of a measured recovery, as it is kept with a sample: what its threads were at, and what waited between them.

use serde::{Deserialize, Serialize};

use crate::recover::{Crew, QueueDepth, Stage, StageReport, StageTime};

/// The inside of one recovery.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Inside {
    /// Threads that planned, built and verified; one more committed.
    pub workers: usize,
    /// Wall time in seconds.
    pub wall_seconds: f64,
    /// What threads were at; what none ever was at is left out.
    pub stages: Vec<InsideStage>,
    /// What waited.
    pub queues: Vec<InsideQueue>,
}

/// What a stage took.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InsideStage {
    /// Its name for programs, that of [`Stage::word`].
    pub stage: String,
    /// Whose it is, [`Crew::word`].
    pub crew: String,
    /// Whether nothing was done meanwhile.
    pub waits: bool,
    /// Wall time of all threads that were at it, in seconds.
    pub seconds: f64,
    /// When it began for the first time, in seconds.
    pub from_seconds: f64,
    /// When it ended for the last time.
    pub to_seconds: f64,
}

/// How much waited in a queue, looked at whenever something was put in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InsideQueue {
    /// Its name for programs.
    pub queue: String,
    /// The most that it holds, where it has a limit.
    pub capacity: Option<u64>,
    /// How often something was put in.
    pub sent: u64,
    /// What waited each of these times, added up.
    pub sum: u64,
    /// And at most.
    pub max: u64,
}

/// The queues: name for programs, and what it counts.
pub const QUEUES: [(&str, &str); 3] = [
    ("to_committer", "messages to the committer"),
    ("to_workers", "pieces and mailboxes for workers"),
    ("room_bytes", "memory of what is built and not linked in"),
];

impl InsideQueue {
    /// What waited on the average when something was put in.
    pub fn mean(&self) -> f64 {
        self.sum as f64 / self.sent.max(1) as f64
    }
}

impl Inside {
    /// What a recovery told.
    pub fn of(report: &StageReport) -> Self {
        let stage = |(stage, time): (Stage, StageTime)| {
            let (from_seconds, to_seconds) = time.span?;
            Some(InsideStage {
                stage: stage.word().to_owned(),
                crew: stage.crew().word().to_owned(),
                waits: stage.is_waiting(),
                seconds: time.seconds,
                from_seconds,
                to_seconds,
            })
        };
        let queue = |((name, _), depth): ((&str, &str), &QueueDepth)| InsideQueue {
            queue: name.to_owned(),
            capacity: depth.capacity,
            sent: depth.sent,
            sum: depth.sum,
            max: depth.max,
        };
        let depths = [&report.to_committer, &report.to_workers, &report.room];
        Self {
            workers: report.workers,
            wall_seconds: report.wall_seconds,
            stages: report.named().filter_map(stage).collect(),
            queues: QUEUES.into_iter().zip(depths).map(queue).collect(),
        }
    }

    /// What a stage took, unless nobody was ever at it.
    pub fn stage(&self, stage: Stage) -> Option<&InsideStage> {
        self.stages.iter().find(|one| one.stage == stage.word())
    }

    /// The share of its crew's wall time that a stage took, 0 to 1.
    pub fn share(&self, one: &InsideStage) -> f64 {
        let threads = if one.crew == Crew::Worker.word() { self.workers as f64 } else { 1.0 };
        one.seconds / (threads * self.wall_seconds).max(1e-9)
    }

    /// The share of a crew's time in which it was at work, 0 to 1.
    pub fn busy_share(&self, crew: Crew) -> f64 {
        let busy = self.stages.iter().filter(|one| one.crew == crew.word() && !one.waits);
        busy.map(|one| self.share(one)).sum()
    }

    /// A queue by its name for programs.
    pub fn queue(&self, name: &str) -> Option<&InsideQueue> {
        self.queues.iter().find(|one| one.queue == name)
    }
}

/// A stage in words.
pub fn title(stage: Stage) -> &'static str {
    match stage {
        Stage::Prepare => "open, match mailboxes",
        Stage::Plan => "plan",
        Stage::Read => "read, look through",
        Stage::Copy => "build pages",
        Stage::Verify => "read back",
        Stage::AwaitTask => "without work",
        Stage::AwaitRoom => "waiting for room",
        Stage::AwaitLock => "waiting for others",
        Stage::Note => "reports",
        Stage::Link => "link rows",
        Stage::Index => "link index entries",
        Stage::Sync => "sync",
        Stage::Commit => "commit",
        Stage::AwaitPiece => "without work",
        Stage::AwaitWorker => "waiting for workers",
        Stage::Close => "close",
    }
}
