//! The streaming file (`.stm`) beside a database: MIME content in bare pages, accounted for by two tables of the `.edb`.
//!
//! Knows pages, runs, checksums and the pairing of the two files. Knows nothing of mail: an owner of a run is a table, a
//! column and a row key. Sources: exchange-store 6, 12.7; design D4 and section 5.
//!
//! ```text
//! .stm   0      header, as of a database but of kind "streaming file"
//!        4096   its second copy
//!        8192   page 1, then pages without a header of their own, 4096 bytes each
//! .edb   StmSpace   a row per chunk of 512 pages: counts and a state of 2 bits a page
//!        StmOwner   a row per run of at most 64 pages: who owns it, the checksum of each page
//!        a column of the owner's row: the list of its runs ([`SlvInfo`])
//! ```
//!
//! # Promises
//!
//! S1. New content goes only to pages that were free at the last commit, so a crash leaves nothing half-changed and
//!     the file needs no journal.
//! S2. The file is synced before the database commits a row that points into it.
//! S3. Pages freed in a job are not used again before the next one.
//! S4. Both headers carry the same signatures. The `.stm` header is marked dirty after the `.edb` header and clean before
//!     it, so a clean `.edb` has a clean `.stm` of the same dbtime beside it; anything else is refused.
//! S5. Every page read is verified against the checksum that its owner row holds.
//!
//! | file | what it is for |
//! |---|---|
//! | `run` | page numbers, runs, the value in the owner's column |
//! | `chunk` | the state of 512 pages |
//! | `space` | all chunks: finding free pages, freeing |
//! | `tables` | the two tables |
//! | `pair` | headers, and whether two files belong together |
//! | `file` | the file itself: pages in and out |
//! | `read` | a stream, verified page by page |
//! | `write` | new streams, frees, the steps of a commit |
//! | `ahead` | streams written by other threads, before the commit that takes them into use |
//! | `stock` | free pages taken ahead of demand |
//! | `rows` | rows of a table by column name, for these tables and the store's |
//! | `draft` | rows to be written, by column name |

mod ahead;
mod chunk;
mod draft;
mod file;
mod pair;
mod read;
mod rows;
mod run;
mod space;
mod stock;
mod tables;
mod write;

pub use ahead::{AheadStream, AheadStreams};
pub use chunk::{Chunk, PageState};
pub use draft::{Cell, Draft};
pub use file::StmFile;
pub use pair::{create_stm, stm_path, verify_pair};
pub use read::StreamReader;
pub(crate) use read::{first_bad_of, first_bad_page};
pub use rows::{Fields, NamedTable, column_of, prefix_end};
pub use run::{Run, SlvInfo, StmPgno};
pub use space::SpaceMap;
pub use stock::{StreamNeed, StreamStock};
pub(crate) use tables::CHECKSUM_BYTES;
pub use tables::{Owner, OwnerRow, StmTables, owner_table, read_owner_row, space_table};
pub use write::StmWriter;
pub(crate) use write::check_length;

/// Bytes of a page.
pub const PAGE_BYTES: usize = 4096;
/// Pages of a cluster, the unit in which large content is placed. Source: exchange-store 6.1.
pub const CLUSTER_PAGES: u32 = 16;
/// Pages of a chunk, the unit of the space table and of growth. Source: exchange-store 6.1.
pub const CHUNK_PAGES: u32 = 512;
/// Most pages of one row of the owner table. Source: design D4.
pub const OWNER_ROW_PAGES: u32 = 64;
