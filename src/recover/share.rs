//! Contents that the target has already: found by cheap keys, settled by a strong hash of everything (design D7; recover-semantics W9).

use crate::ese::error::{EseError, EseResult};
use crate::ese::txn::Pages;
use crate::mapi::InstanceId;
use crate::store::{Content, View};

/// The target's content that is a copy of this one of the source.
///
/// # Errors
/// [`EseError::Io`]. A target content that cannot be read is none.
pub fn find_content<P: Pages + ?Sized, Q: Pages + ?Sized>(
    source: &View<'_, P>,
    content: &Content,
    target: &View<'_, Q>,
) -> EseResult<Option<InstanceId>> {
    let (delivered, key) = (content.promoted.delivery_time, content.promoted.search_key);
    let candidates = passable(target.contents_by_key(delivered, key))?.unwrap_or_default();
    let mut own = None;
    for other in candidates {
        let is_alike = other.form == content.form
            && other.bytes == content.bytes
            && other.attachments.len() == content.attachments.len()
            && length_of(&other) == length_of(content);
        if !is_alike {
            continue;
        }
        let hash = match own {
            Some(hash) => hash,
            None => match passable(source.content_hash(content.instance))? {
                Some(hash) => *own.insert(hash),
                None => return Ok(None),
            },
        };
        if passable(target.content_hash(other.instance))? == Some(hash) {
            return Ok(Some(other.instance));
        }
    }
    Ok(None)
}

fn length_of(content: &Content) -> Option<u64> {
    content.stream.as_ref().map(crate::stm::SlvInfo::len_bytes)
}

fn passable<T>(found: EseResult<T>) -> EseResult<Option<T>> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error @ EseError::Io(_)) => Err(error),
        Err(_) => Ok(None),
    }
}
