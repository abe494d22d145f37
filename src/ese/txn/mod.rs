//! Page sources, and the writer that changes a database so that a crash at any moment loses nothing that was committed.
//!
//! # Promises
//!
//! P1. A page of the last commit is never overwritten before its new image is in a synced journal.
//! P2. A page that was free at the last commit may be written at any time: nothing of that commit points at it.
//! P3. Before the journal is written, every new page of the commit is written and synced, or goes into the journal itself. A sync by
//!     somebody else counts, if nothing was written since it began ([`Pager::note_synced`]).
//! P4. The journal is complete (all records and the closing one) and synced before the first page is changed in place.
//! P5. The journal is written over, or emptied, only after the pages in place are synced. Nobody waits for that: the sync of the next
//!     commit (P3), or of the close, does it, and until then the commit stands in the journal. Between commits it is not cut: what an
//!     earlier one left behind its end is no part of it, and its blocks are there already.
//! P6. The header says *dirty* from before the first change until all changes are in place and synced.
//! P7. A reader that finds a complete journal sees the commit; with an incomplete one it sees the commit before.
//! P8. After a write or sync has failed nothing more is written, synced or promised: reopen and replay.
//! P9. All pages of one commit carry one dbtime, higher than that of any commit before; pages written ahead by other threads may
//!     carry that of an earlier commit, never of a later one.
//! P10. A page is checked against the rules of the format before it is written, and its checksum whenever it is read.
//! P11. The changed fields of a header (checksum, dbtime, state, objid) lie in its first 512 bytes, and the second copy is
//!      written after the first one is synced: one readable copy is left, whatever is torn.
//! P12. An operation that stops after its first change ends the writer: half a change is never committed.
//!
//! # States of a writer
//!
//! ```text
//!   clean file ──open()──► OPEN ──edit()/allocate()──► CHANGED ──commit()──► NEW PAGES SYNCED ──► JOURNALED
//!                           ▲ │                                        │                             │
//!      replay at open() ────┘ │ close(), which empties the journal     │                           OPEN ◄── IN PLACE ◄──┘
//!                             ▼                                        ▼
//!                        clean file                     any failure ──► DEAD (P8, P12)
//! ```
//!
//! | move | function |
//! |---|---|
//! | lock, replay, mark dirty | [`Pager::open`] |
//! | OPEN to CHANGED | [`Pager::edit`], [`Pager::allocate`] |
//! | new pages written early, when memory is short | [`Pager::spill`] |
//! | CHANGED to OPEN | [`Pager::commit`] |
//! | back to a clean file | [`Pager::close`] |
//!
//! May not know how pages form trees. Source: design section 5.

mod ahead;
mod cache;
mod commit;
mod file;
pub mod journal;
mod open;
mod pager;
mod reader;
mod recent;
mod rooms;
mod scan;
mod source;

pub use ahead::{AheadWriter, CommittedPages};
pub use file::{DatabaseFile, read_header};
pub use pager::{Pager, check_editable};
pub use recent::RecentPages;
pub use rooms::Rooms;
pub use scan::{PageFinding, PageProblem, scan_pages};
pub use source::{PageRef, Pages, Rank, RecentPage, TreeMark};
