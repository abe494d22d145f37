//! Where the time of a recovery went: what each of its threads did, from the first moment to the last, and how much work waited in
//! the queues between them. It knows only names and numbers; `pipeline::clock` takes them. Source: recover-semantics 18.

/// Who does a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Crew {
    /// Any of the workers.
    Worker,
    /// The one thread that commits: the caller's.
    Committer,
}

impl Crew {
    /// The name for programs.
    pub fn word(self) -> &'static str {
        match self {
            Self::Worker => "worker",
            Self::Committer => "committer",
        }
    }
}

/// What a thread can be at. Each is at exactly one of these at any moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Opens both stores, matches mailboxes, makes those that the target lacks.
    Prepare,
    /// Decides what is to be done about each item of a mailbox.
    Plan,
    /// Reads items, and looks through all of their contents before they are copied.
    Read,
    /// Builds rows, long values and streams into pages of the target, and writes them.
    Copy,
    /// Reads back what was committed.
    Verify,
    /// A worker has nothing to do.
    AwaitTask,
    /// A worker is ahead of the committer, and there is no memory for more of what it builds.
    AwaitRoom,
    /// A worker waits for what another thread holds: the writer, the last commit, the shared contents.
    AwaitLock,
    /// Takes messages in, makes the folders of planned mailboxes, and keeps the reports and the record of jobs.
    Note,
    /// Brings built pages of rows into their trees.
    Link,
    /// Brings index entries into theirs, and the counts of contents and folders into their rows.
    Index,
    /// Syncs what workers have written.
    Sync,
    /// Takes pages in stock for workers, then replacements, counters, journal, changed pages in place.
    Commit,
    /// The committer has nothing to do.
    AwaitPiece,
    /// The committer waits for what a worker holds, or lets workers go first.
    AwaitWorker,
    /// Gives back what was reserved, writes the last commit, closes the target.
    Close,
}

impl Stage {
    /// How many there are.
    pub const COUNT: usize = Self::ALL.len();

    /// All of them, in the order in which mail goes through them.
    pub const ALL: [Self; 16] = [
        Self::Prepare,
        Self::Plan,
        Self::Read,
        Self::Copy,
        Self::Verify,
        Self::AwaitTask,
        Self::AwaitRoom,
        Self::AwaitLock,
        Self::Note,
        Self::Link,
        Self::Index,
        Self::Sync,
        Self::Commit,
        Self::AwaitPiece,
        Self::AwaitWorker,
        Self::Close,
    ];

    /// The name for programs.
    pub fn word(self) -> &'static str {
        match self {
            Self::Prepare => "prepare",
            Self::Plan => "plan",
            Self::Read => "read",
            Self::Copy => "copy",
            Self::Verify => "verify",
            Self::AwaitTask => "await_task",
            Self::AwaitRoom => "await_room",
            Self::AwaitLock => "await_lock",
            Self::Note => "note",
            Self::Link => "link",
            Self::Index => "index",
            Self::Sync => "sync",
            Self::Commit => "commit",
            Self::AwaitPiece => "await_piece",
            Self::AwaitWorker => "await_worker",
            Self::Close => "close",
        }
    }

    /// Whose work it is.
    pub fn crew(self) -> Crew {
        match self {
            Self::Plan
            | Self::Read
            | Self::Copy
            | Self::Verify
            | Self::AwaitTask
            | Self::AwaitRoom
            | Self::AwaitLock => Crew::Worker,
            _ => Crew::Committer,
        }
    }

    /// Whether nothing is done meanwhile.
    pub fn is_waiting(self) -> bool {
        matches!(
            self,
            Self::AwaitTask
                | Self::AwaitRoom
                | Self::AwaitLock
                | Self::AwaitPiece
                | Self::AwaitWorker
        )
    }
}

/// What a stage took.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct StageTime {
    /// Wall time of all threads that were at it, added up, in seconds. Where there are more threads than cores, a part of it is waiting for a core.
    pub seconds: f64,
    /// When it began for the first time and ended for the last, in seconds since the recovery began; none when nobody was ever at it.
    pub span: Option<(f64, f64)>,
}

/// How much waited in a queue, looked at whenever something was put in: messages, or bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct QueueDepth {
    /// The most that it holds; none where it has no limit.
    pub capacity: Option<u64>,
    /// How often something was put in.
    pub sent: u64,
    /// What waited each of these times, itself included, added up.
    pub sum: u64,
    /// And at most.
    pub max: u64,
}

impl QueueDepth {
    /// What waited on the average when something was put in; 0 when nothing was.
    pub fn mean(&self) -> f64 {
        self.sum as f64 / self.sent.max(1) as f64
    }
}

/// The inside of a recovery.
#[derive(Debug, Clone, PartialEq)]
pub struct StageReport {
    /// Threads that planned, built and verified.
    pub workers: usize,
    /// From the beginning to the end, in seconds.
    pub wall_seconds: f64,
    /// By [`Stage::ALL`].
    pub stages: [StageTime; Stage::COUNT],
    /// Messages to the committer: plans, pieces and verified mailboxes.
    pub to_committer: QueueDepth,
    /// Pieces to build and mailboxes to verify that no worker has begun. Mailboxes to plan all wait from the beginning, and are not in it.
    pub to_workers: QueueDepth,
    /// Bytes of pieces that are built and not linked in. A single piece that is larger than the capacity may take it alone.
    pub room: QueueDepth,
}

impl StageReport {
    /// What a stage took.
    pub fn time(&self, stage: Stage) -> StageTime {
        self.stages.get(stage as usize).copied().unwrap_or_default()
    }

    /// Each stage with what it took.
    pub fn named(&self) -> impl Iterator<Item = (Stage, StageTime)> + '_ {
        Stage::ALL.into_iter().zip(self.stages)
    }

    /// The share of a crew's time that a stage took, 0 to 1: of the wall time of all workers, or of the committer.
    pub fn share(&self, stage: Stage) -> f64 {
        let threads = match stage.crew() {
            Crew::Worker => self.workers as f64,
            Crew::Committer => 1.0,
        };
        let all_seconds = threads * self.wall_seconds;
        if all_seconds > 0.0 { self.time(stage).seconds / all_seconds } else { 0.0 }
    }

    /// The share of a crew's time in which it was at work, 0 to 1.
    pub fn busy_share(&self, crew: Crew) -> f64 {
        let busy = Stage::ALL.into_iter().filter(|stage| stage.crew() == crew);
        busy.filter(|stage| !stage.is_waiting()).map(|stage| self.share(stage)).sum()
    }
}
