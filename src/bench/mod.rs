//! How long a night of recovery will be: measured on this machine (`dialtone bench`), and predicted from what was measured
//! (`dialtone estimate`).
//!
//! A measurement runs the engine through the calls that everybody has, on stores in a directory of its own; it sees no page and
//! changes no file that it did not make. Every finished sample is on disk before the next one begins, so that a run can be
//! stopped anywhere. No figure here is anything but measured, or computed from measured ones in a way that the report states.
//!
//! | files | what they are for |
//! |---|---|
//! | `parameters`, `state` | what is measured; what has been, kept between two runs |
//! | `meter`, `timeline`, `machine`, `files` | the instruments: clocks, memory, bytes; when mailboxes were done; the machine; plain copies |
//! | `steps`, `stores`, `run` | which measurements there are, the stores they need, and making them |
//! | `fit`, `model`, `profile`, `estimate` | least squares; what a recovery costs; the record of a machine; predictions |
//! | `inside` | what the threads of a recovery were at |
//! | `summary` | the figures of a report, out of the samples |
//! | `pages`, `inside_pages`, `document`, `markdown`, `html`, `plot`, `tables` | the report: what it says, and its faces |

pub mod document;
pub mod error;
pub mod estimate;
pub mod files;
pub mod fit;
mod html;
pub mod inside;
mod inside_pages;
pub mod machine;
mod markdown;
pub mod meter;
pub mod model;
mod pages;
pub mod parameters;
mod plot;
pub mod profile;
pub mod run;
pub mod state;
pub mod steps;
pub mod stores;
pub mod summary;
mod tables;
pub mod timeline;

pub use error::{BenchError, BenchResult};
pub use estimate::{Estimate, Question, estimate};
pub use parameters::{Cache, Given, Parameters, Subject};
pub use profile::{Profile, profile_path};
pub use run::{Event, run};
pub use summary::Summary;
pub use tables::write_report;
