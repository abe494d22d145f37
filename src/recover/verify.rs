//! The verify pass: every item that was written is read back, and everything of its content. Source: recover-semantics P4.
//!
//! What was built of pages is compared, by sums, with what lies there as it is stored; what went in by ordinary inserts is compared with
//! the source, value by value.

use std::collections::{BTreeSet, HashSet};

use super::plan::PlannedWrite;
use super::report::MailboxReport;
use crate::ese::error::{EseError, EseResult};
use crate::ese::txn::Pages;
use crate::mapi::{FileTime, FolderId, InstanceId, SearchKey};
use crate::store::{Item, ItemId, Mailbox, StoreRows, Summer, View};

/// One item that was written, and what it must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Where it is in the target.
    pub id: ItemId,
    row: RowProof,
    content: Option<Content>,
}

/// What an item's row must be.
#[derive(Debug, Clone, PartialEq, Eq)]
enum RowProof {
    /// The row of an item that was only marked read.
    Read,
    /// The sum of the row as it was built.
    Sum(u32),
    /// Its values, whatever else there is in it.
    Values(Box<Values>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Values {
    search_key: Option<SearchKey>,
    created: Option<FileTime>,
    modified: Option<FileTime>,
    is_read: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Content {
    source: InstanceId,
    instance: InstanceId,
    proof: ContentProof,
    is_whole: bool,
}

/// What an item's content must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContentProof {
    /// The sum over its values ([`View::content_sum`]).
    Values(u32),
    /// The sum over what is stored ([`StoreRows::content_sum`]).
    Stored(u32),
    /// The same, of a content that several items hold: whoever copied it has told [`SharedContents`].
    Shared,
}

/// Contents that several items hold.
pub trait SharedContents {
    /// What was built for this content of the source.
    fn built(&self, source: InstanceId) -> Option<SharedSum>;

    /// Its copy was read back and is as it should be.
    fn set_verified(&self, source: InstanceId);
}

/// What is known of the copy of a content that several items hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SharedSum {
    /// The sum over what is stored.
    pub sum: u32,
    /// Somebody has read it back.
    pub is_verified: bool,
}

/// Where every content is copied for one item.
impl SharedContents for () {
    fn built(&self, _: InstanceId) -> Option<SharedSum> {
        None
    }

    fn set_verified(&self, _: InstanceId) {}
}

impl Written {
    /// An item whose row was built, with this sum.
    pub fn built(
        id: ItemId,
        row_sum: u32,
        write: &PlannedWrite,
        instance: InstanceId,
        proof: ContentProof,
    ) -> Self {
        Self { id, row: RowProof::Sum(row_sum), content: Some(Content::of(write, instance, proof)) }
    }

    /// An item that was inserted, or put in the place of another, row by row.
    pub fn new(
        id: ItemId,
        instance: InstanceId,
        item: &Item,
        write: &PlannedWrite,
        proof: ContentProof,
    ) -> Self {
        let values = Values {
            search_key: item.search_key,
            created: item.created,
            modified: item.modified,
            is_read: write.is_read,
        };
        let content = Some(Content::of(write, instance, proof));
        Self { id, row: RowProof::Values(Box::new(values)), content }
    }

    /// Notes that a part of it was lost, so that its content is not the source's.
    #[must_use]
    pub fn in_part(mut self) -> Self {
        if let Some(content) = &mut self.content {
            content.is_whole = false;
        }
        self
    }

    /// An item that was only marked read.
    pub fn marked(id: ItemId) -> Self {
        Self { id, row: RowProof::Read, content: None }
    }
}

impl Content {
    fn of(write: &PlannedWrite, instance: InstanceId, proof: ContentProof) -> Self {
        Self { source: write.instance, instance, proof, is_whole: true }
    }
}

/// The target, and what its contents are compared with.
struct Verifier<'v, 's, P: Pages + ?Sized, Q: Pages + ?Sized> {
    target: View<'s, Q>,
    rows: StoreRows<'s, Q>,
    sums: Summer<'s, Q>,
    strong: Option<Summer<'v, P>>,
    shared: &'v dyn SharedContents,
    /// Contents that were compared already.
    done: HashSet<InstanceId>,
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
    shared: &dyn SharedContents,
    report: &mut MailboxReport,
) -> EseResult<()> {
    let mailbox = target.mailbox(report.target)?;
    report.bytes_after = mailbox.as_ref().map(|mailbox| mailbox.bytes);
    if let Err(error) = verify_folders(target, mailbox.as_ref(), written) {
        match error {
            EseError::Io(_) => return Err(error),
            error => report.fail(format!("its folders are not as planned: {error}")),
        }
    }
    let mut verifier = Verifier {
        target: *target,
        rows: target.rows(),
        sums: target.summer()?,
        strong: strong.map(View::summer).transpose()?,
        shared,
        done: HashSet::new(),
    };
    for written in written {
        match verifier.verify(written) {
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

/// Whether the folders that items were written into are there, where clients look for them.
fn verify_folders<Q: Pages + ?Sized>(
    target: &View<'_, Q>,
    mailbox: Option<&Mailbox>,
    written: &[Written],
) -> EseResult<()> {
    let wanted: BTreeSet<FolderId> = written.iter().map(|written| written.id.folder).collect();
    let Some(mailbox) = mailbox.filter(|_| !wanted.is_empty()) else { return Ok(()) };
    let tree = target.folders(mailbox.root)?;
    let there: BTreeSet<FolderId> = tree.iter().map(|(folder, _)| folder.id).collect();
    match wanted.difference(&there).next() {
        Some(folder) => Err(EseError::corrupt_bytes(format!("folder {folder} is not there"))),
        None => Ok(()),
    }
}

impl<P: Pages + ?Sized, Q: Pages + ?Sized> Verifier<'_, '_, P, Q> {
    fn verify(&mut self, written: &Written) -> EseResult<()> {
        match &written.row {
            RowProof::Sum(sum) => self.verify_sum(written.id, *sum)?,
            RowProof::Values(values) => {
                let instance = written.content.map(|content| content.instance);
                self.verify_values(written.id, values, instance)?;
            }
            RowProof::Read => {
                let brief = self.target.brief(written.id)?.ok_or_else(absent)?;
                if !brief.read {
                    return wrong("read flag");
                }
            }
        }
        match &written.content {
            Some(content) if self.done.insert(content.instance) => self.verify_content(content),
            _ => Ok(()),
        }
    }

    fn verify_sum(&mut self, id: ItemId, sum: u32) -> EseResult<()> {
        let found = self.rows.item_sum(id)?.ok_or_else(absent)?;
        if found == sum { Ok(()) } else { wrong("row") }
    }

    fn verify_values(
        &self,
        id: ItemId,
        values: &Values,
        instance: Option<InstanceId>,
    ) -> EseResult<()> {
        let item = self.target.brief(id)?.ok_or_else(absent)?;
        let time = |time: Option<FileTime>| time.map_or(0, |time| time.0);
        if item.search_key != values.search_key {
            return wrong("search key");
        }
        if (item.created, item.modified) != (time(values.created), time(values.modified)) {
            return wrong("time");
        }
        if item.read != values.is_read {
            return wrong("read flag");
        }
        if Some(item.instance) != instance {
            return wrong("content id");
        }
        Ok(())
    }

    fn verify_content(&mut self, content: &Content) -> EseResult<()> {
        let is_same = match content.proof {
            ContentProof::Values(crc) => self.sums.content_sum(content.instance)?.crc == crc,
            ContentProof::Stored(sum) => self.rows.content_sum(content.instance)? == sum,
            ContentProof::Shared => self.verify_shared(content)?,
        };
        if !is_same {
            return wrong("content");
        }
        match &self.strong {
            Some(source)
                if content.is_whole
                    && source.content_hash(content.source)?
                        != self.sums.content_hash(content.instance)? =>
            {
                wrong("content")
            }
            _ => Ok(()),
        }
    }

    fn verify_shared(&mut self, content: &Content) -> EseResult<bool> {
        let Some(SharedSum { sum, is_verified }) = self.shared.built(content.source) else {
            return Ok(false);
        };
        if is_verified {
            return Ok(true);
        }
        let is_same = self.rows.content_sum(content.instance)? == sum;
        if is_same {
            self.shared.set_verified(content.source);
        }
        Ok(is_same)
    }
}

fn absent() -> EseError {
    EseError::corrupt_bytes("it is not there")
}

fn wrong(what: &str) -> EseResult<()> {
    Err(EseError::corrupt_bytes(format!("its {what} is not what was written")))
}
