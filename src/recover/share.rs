//! Contents that the target has already: found by cheap keys, settled by a strong hash of everything (design D7; recover-semantics W9).

use crate::ese::error::{EseError, EseResult};
use crate::ese::txn::Pages;
use crate::mapi::InstanceId;
use crate::store::{ContentBrief, View};

/// The target's content that is a copy of this one of the source.
///
/// # Errors
/// [`EseError::Io`]. A target content that cannot be read is none.
pub fn find_content<P: Pages + ?Sized, Q: Pages + ?Sized>(
    source: &View<'_, P>,
    content: &ContentBrief,
    target: &View<'_, Q>,
) -> EseResult<Option<InstanceId>> {
    let Some(key) = content.search_key else { return Ok(None) };
    let candidates = passable(target.contents_by_key(content.delivered, key))?.unwrap_or_default();
    let mut own = None;
    for other in candidates {
        let is_alike = i64::from(other.form.number()) == content.form
            && other.bytes == content.bytes
            && other.attachment_count == content.attachments
            && other.recipient_count == content.recipients;
        if !is_alike {
            continue;
        }
        let hash = match own {
            Some(hash) => hash,
            None => match passable(source.summer()?.content_hash(content.instance))? {
                Some(hash) => *own.insert(hash),
                None => return Ok(None),
            },
        };
        if passable(target.summer()?.content_hash(other.instance))? == Some(hash) {
            return Ok(Some(other.instance));
        }
    }
    Ok(None)
}

fn passable<T>(found: EseResult<T>) -> EseResult<Option<T>> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error @ EseError::Io(_)) => Err(error),
        Err(_) => Ok(None),
    }
}
