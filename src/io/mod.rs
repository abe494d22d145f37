//! The only place that touches files: read, write, map, sync, rename, lock.
//!
//! A store sees its files through two small traits, [`Volume`] (a file system) and [`Storage`] (one
//! open file). Three volumes implement them:
//!
//! | volume | what it is for |
//! |---|---|
//! | [`RealVolume`] | the operating system's files, mapped or with positioned reads only |
//! | [`MemoryVolume`] | files in memory; records every change, builds the states a crash may leave |
//! | [`FaultVolume`] | any of these, failing the n-th call |
//!
//! Nothing here knows what the bytes mean: no page, no checksum, no database. A failed write or sync
//! is reported once, as it came; that the writer must then end is the caller's rule (`ese::txn`).

mod error;
mod fault;
mod guard;
mod lock;
mod map;
mod memory;
mod real;
mod unsynced;
mod volume;

pub use error::{IoError, IoResult};
pub use fault::{FaultKind, FaultPlan, FaultVolume};
pub use lock::WriterLock;
pub use map::Map;
pub use memory::{CrashKind, Event, FileId, MemoryVolume};
pub use real::RealVolume;
pub use unsynced::{SyncMark, Unsynced};
pub use volume::{OpenMode, Storage, Volume};
