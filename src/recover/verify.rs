//! The verify pass: every item that was written is read back, and everything of its content. Source: recover-semantics P4.

use std::collections::HashSet;

use super::plan::PlannedWrite;
use super::report::MailboxReport;
use crate::ese::error::{EseError, EseResult};
use crate::ese::txn::Pages;
use crate::mapi::{FileTime, InstanceId, SearchKey};
use crate::store::{ContentSum, Item, ItemId, Summer, View};

/// One item that was written, and what it must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// Where it is in the target.
    pub id: ItemId,
    /// Bytes of its content, for progress.
    pub bytes: u64,
    expected: Option<Expected>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Expected {
    source: InstanceId,
    is_whole: bool,
    instance: InstanceId,
    crc: u32,
    search_key: Option<SearchKey>,
    created: Option<FileTime>,
    modified: Option<FileTime>,
    is_read: bool,
}

impl Written {
    /// An item that was inserted, or put in the place of another.
    pub fn new(
        id: ItemId,
        instance: InstanceId,
        item: &Item,
        write: &PlannedWrite,
        sum: &ContentSum,
    ) -> Self {
        let expected = Expected {
            source: write.instance,
            is_whole: true,
            instance,
            crc: sum.crc,
            search_key: item.search_key,
            created: item.created,
            modified: item.modified,
            is_read: write.is_read,
        };
        Self { id, bytes: sum.bytes, expected: Some(expected) }
    }

    /// Notes that a part of it was lost, so that its content is not the source's.
    #[must_use]
    pub fn in_part(mut self) -> Self {
        if let Some(expected) = &mut self.expected {
            expected.is_whole = false;
        }
        self
    }

    /// An item that was only marked read.
    pub fn marked(id: ItemId) -> Self {
        Self { id, bytes: 0, expected: None }
    }
}

/// Reads back what was written into one mailbox; what is not as it should be makes the mailbox fail. With `strong`, which is the source,
/// contents are compared by a hash that no accident and no attacker meets (`--verify full`).
///
/// # Errors
/// [`EseError::Io`].
pub fn verify_mailbox<P: Pages + ?Sized, Q: Pages + ?Sized>(
    target: &View<'_, Q>,
    strong: Option<&View<'_, P>>,
    written: &[Written],
    report: &mut MailboxReport,
) -> EseResult<()> {
    let mut summed: HashSet<InstanceId> = HashSet::new();
    let (sums, strong) = (target.summer()?, strong.map(View::summer).transpose()?);
    report.bytes_after = target.mailbox(report.target)?.map(|mailbox| mailbox.bytes);
    for written in written {
        match verify_one(target, (&sums, strong.as_ref()), written, &mut summed) {
            Ok(()) => report.verified += 1,
            Err(error @ EseError::Io(_)) => return Err(error),
            Err(error) => {
                report.fail(format!(
                    "item {} was not written as planned: {error}",
                    written.id.message
                ));
            }
        }
    }
    Ok(())
}

fn verify_one<P: Pages + ?Sized, Q: Pages + ?Sized>(
    target: &View<'_, Q>,
    (sums, strong): (&Summer<'_, Q>, Option<&Summer<'_, P>>),
    written: &Written,
    summed: &mut HashSet<InstanceId>,
) -> EseResult<()> {
    let wrong =
        |what: &str| Err(EseError::corrupt_bytes(format!("its {what} is not the source's")));
    let Some(item) = target.brief(written.id)? else {
        return Err(EseError::corrupt_bytes("it is not there"));
    };
    let Some(expected) = &written.expected else {
        return if item.read { Ok(()) } else { wrong("read flag") };
    };
    if item.search_key != expected.search_key {
        return wrong("search key");
    }
    let time = |time: Option<FileTime>| time.map_or(0, |time| time.0);
    if (item.created, item.modified) != (time(expected.created), time(expected.modified)) {
        return wrong("time");
    }
    if item.read != expected.is_read {
        return wrong("read flag");
    }
    if item.instance != expected.instance {
        return wrong("content id");
    }
    if !summed.insert(item.instance) {
        return Ok(());
    }
    if sums.content_sum(item.instance)?.crc != expected.crc {
        return wrong("content");
    }
    match strong.filter(|_| expected.is_whole) {
        Some(source)
            if source.content_hash(expected.source)? != sums.content_hash(item.instance)? =>
        {
            wrong("content")
        }
        _ => Ok(()),
    }
}
