//! Whether the disk has room for what a job will write. Source: recover-semantics E11.

use std::path::Path;

use super::job::Job;
use super::planner::plan_mailbox;
use crate::ese::error::{EseError, EseResult, Refusal};
use crate::ese::txn::Pages;
use crate::io::{OpenMode, Volume};
use crate::stm::stm_path;
use crate::store::View;

/// What is asked for, in hundredths of what is predicted.
const MARGIN_PER_CENT: u64 = 115;

/// Refuses a job that the disk has no room for. What is written is at most the source as it lies there; only where that might be too
/// much are the mailboxes planned to know better.
///
/// # Errors
/// [`Refusal::Space`]; [`EseError::Io`].
pub fn require_space<Q: Pages + ?Sized>(
    volume: &dyn Volume,
    job: &Job<'_>,
    target: &View<'_, Q>,
    path: &Path,
) -> EseResult<()> {
    let Some(free_bytes) = volume.free_bytes(path)? else { return Ok(()) };
    let from = job.source.path();
    let most = len_bytes(volume, from)?.saturating_add(len_bytes(volume, &stm_path(from))?);
    if with_margin(most) <= free_bytes {
        return Ok(());
    }
    let need = with_margin(predicted_bytes(job, target)?.min(most));
    if need <= free_bytes {
        return Ok(());
    }
    let reason = format!(
        "about {need} bytes will be written, and {free_bytes} are free; make room, or choose fewer mailboxes"
    );
    Err(EseError::refused(Refusal::Space, reason).in_file(path))
}

fn len_bytes(volume: &dyn Volume, path: &Path) -> EseResult<u64> {
    Ok(volume.open(path, OpenMode::Read)?.len_bytes()?)
}

fn with_margin(bytes: u64) -> u64 {
    (bytes / 100).saturating_mul(MARGIN_PER_CENT)
}

/// Bytes that the plans of all mailboxes charge. A mailbox that cannot be planned writes nothing.
fn predicted_bytes<Q: Pages + ?Sized>(job: &Job<'_>, target: &View<'_, Q>) -> EseResult<u64> {
    let mut bytes = 0u64;
    for pair in job.pairs {
        match plan_mailbox(&job.source.view(), target, pair, job.options, job.known) {
            Ok(plan) => {
                let folders = plan.folders.iter().map(|folder| folder.write_bytes);
                bytes = folders.fold(bytes, u64::saturating_add);
            }
            Err(error @ EseError::Io(_)) => return Err(error),
            Err(_) => {}
        }
    }
    Ok(bytes)
}
