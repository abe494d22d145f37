//! The parallel way of writing.

use super::job::{Job, Watch};
use super::report::JobReport;
use crate::ese::error::EseResult;
use crate::store::StoreWriter;

/// Runs a job.
///
/// # Errors
/// As the plain way.
pub fn run(job: &Job<'_>, writer: StoreWriter, watch: Watch<'_>) -> EseResult<JobReport> {
    super::plain::run(job, writer, watch)
}
