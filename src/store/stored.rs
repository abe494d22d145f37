//! Contents and items as they are stored: one number over what was written for each, to be compared with what lies there afterwards.
//!
//! The number of a content is taken over its record, the chunks of its long values, and the numbers of its attachments; it leaves out
//! the counts of who holds it. Of a stream it takes the place, which is in the record; its pages have checksums of their own, which are
//! verified. Contents that are equal but stored in another way have other numbers: [`super::Summer`] is for those. Source:
//! recover-semantics P4.

use crate::ese::error::EseResult;
use crate::ese::table::record::{RowSum, Stored, SumScope, joined};
use crate::ese::table::rows::Row;
use crate::ese::txn::Pages;
use crate::mapi::InstanceId;
use crate::stm::{NamedTable, SlvInfo};

use super::content::{Content, read_stream};
use super::copy::check_depth;
use super::item::ItemId;
use super::rows::{RowRest, StoreRows};
use super::schema::columns as col;
use super::view::owner_of;

/// Columns of a content row that its sum leaves out: every new holder changes them.
const COUNTS_OF_CONTENT: [&str; 2] = [col::REFERENCES, col::SOFT_REFERENCES];
/// The same of an attachment row.
const COUNTS_OF_ATTACHMENT: [&str; 2] =
    [col::ATTACHMENT_REFERENCES, col::ATTACHMENT_SOFT_REFERENCES];

/// What the sum of a content row leaves out.
pub(super) fn scope_of_contents(table: &NamedTable) -> SumScope {
    scope_without(table, &COUNTS_OF_CONTENT)
}

/// What the sum of an attachment row leaves out.
pub(super) fn scope_of_attachments(table: &NamedTable) -> SumScope {
    scope_without(table, &COUNTS_OF_ATTACHMENT)
}

fn scope_without(table: &NamedTable, columns: &[&str]) -> SumScope {
    SumScope::without(columns.iter().filter_map(|name| table.column(name).ok()))
}

/// The sum of a content or an attachment: that of its row, then those of what it holds, in order.
pub(super) fn sum_with_inner(row: u32, inner: impl IntoIterator<Item = u32>) -> u32 {
    joined(std::iter::once(row).chain(inner))
}

impl<P: Pages + ?Sized> StoreRows<'_, P> {
    /// The sum over a content as it is stored.
    ///
    /// # Errors
    /// [`crate::ese::EseError::Corrupt`] when a part is missing or damaged; [`crate::ese::EseError::Io`].
    pub fn content_sum(&mut self, instance: InstanceId) -> EseResult<u32> {
        self.content_sum_at(instance, 0)
    }

    /// The sum over an item's row as it is stored; `None` when there is no such item.
    ///
    /// # Errors
    /// [`crate::ese::EseError::Corrupt`], [`crate::ese::EseError::Io`].
    pub fn item_sum(&mut self, id: ItemId) -> EseResult<Option<u32>> {
        self.items.of_item(id, |row, rest| row_sum(row, rest))
    }

    fn content_sum_at(&mut self, instance: InstanceId, depth: usize) -> EseResult<u32> {
        check_depth(instance, depth)?;
        let found = self.contents.of(instance, |row, rest| {
            Ok((row_sum(row, rest)?, Content::of_links(&rest.fields_of(row))?))
        })?;
        let (sum, links) = found.ok_or_else(|| self.contents.missing(&self.view, instance))?;
        let mut inner = Vec::with_capacity(links.attachments.len());
        for attachment in links.attachments {
            inner.push(self.attachment_sum(attachment, depth)?);
        }
        if let Some(stream) = &links.stream {
            self.verify_stream(self.contents.table, (instance, col::STREAM), stream)?;
        }
        Ok(sum_with_inner(sum, inner))
    }

    fn attachment_sum(&mut self, instance: InstanceId, depth: usize) -> EseResult<u32> {
        let found = self.attachments.of(instance, |row, rest| {
            let fields = rest.fields_of(row);
            let embedded = super::codec::decoded(&fields, col::EMBEDDED, InstanceId::from_store)?;
            Ok((row_sum(row, rest)?, embedded, read_stream(&fields, col::DATA_STREAM)?))
        })?;
        let (sum, embedded, stream) =
            found.ok_or_else(|| self.attachments.missing(&self.view, instance))?;
        let embedded = match embedded {
            Some(inner) => Some(self.content_sum_at(inner, depth + 1)?),
            None => None,
        };
        if let Some(stream) = &stream {
            self.verify_stream(self.attachments.table, (instance, col::DATA_STREAM), stream)?;
        }
        Ok(sum_with_inner(sum, embedded))
    }

    fn verify_stream(
        &mut self,
        table: &NamedTable,
        (instance, column): (InstanceId, &str),
        stream: &SlvInfo,
    ) -> EseResult<()> {
        let owner = owner_of(table, column, instance)?;
        self.streams.read(stream, &owner, &mut |_| Ok(()))
    }
}

fn row_sum<P: Pages + ?Sized>(row: &Row<'_>, rest: &RowRest<'_, '_, P>) -> EseResult<u32> {
    let mut sum = RowSum::default();
    sum.record(rest.scope, row.bytes());
    for field in row.record().tagged_fields() {
        for stored in field?.values()?.iter() {
            if let Stored::Separated(lid) = stored? {
                sum.value(rest.values.stored_crc(lid)?);
            }
        }
    }
    Ok(sum.finish())
}
