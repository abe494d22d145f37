//! What a content consists of, looked through before it is copied: whether all of it can be read, and what the copy will need.
//!
//! A copy that is built of what was found here does not look for it again, and does not fail for the source's sake.

use crate::ese::error::{EseError, EseResult};
use crate::ese::table::compress::decompress;
use crate::ese::table::record::Stored;
use crate::ese::table::rows::Row;
use crate::ese::txn::Pages;
use crate::mapi::InstanceId;
use crate::stm::SlvInfo;

use super::content::{Content, read_stream};
use super::copy::{check_depth, check_rows};
use super::rows::{RowRest, StoreRows};
use super::schema::columns as col;
use super::view::owner_of;

/// A content and everything that it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContentParts {
    /// Its id.
    pub instance: InstanceId,
    /// Where its MIME is.
    pub stream: Option<SlvInfo>,
    /// Its attachments, in order.
    pub attachments: Vec<AttachmentParts>,
}

/// An attachment and what it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttachmentParts {
    /// Its id.
    pub instance: InstanceId,
    /// Where its data is, when that is in the streaming file.
    pub stream: Option<SlvInfo>,
    /// The mail that it is.
    pub embedded: Option<Box<ContentParts>>,
}

/// What the copy of a content needs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CopyNeeds {
    /// Bytes of records, long values and streams, about.
    pub bytes: u64,
    /// Content rows: the content itself and the mails embedded in it.
    pub contents: u32,
    /// Attachment rows.
    pub attachments: u32,
    /// Long values of the content rows, and of the attachment rows.
    pub long_values: [u32; 2],
    /// Lengths of the streams in bytes, in the order in which [`super::ParcelBuilder`] copies them: what is inside comes first.
    pub streams: Vec<u64>,
}

impl<P: Pages + ?Sized> StoreRows<'_, P> {
    /// Reads everything that a content holds, and answers what that is and what its copy needs.
    ///
    /// # Errors
    /// [`EseError::Corrupt`] when a part is missing or damaged; [`EseError::Io`].
    pub fn parts(&mut self, instance: InstanceId) -> EseResult<(ContentParts, CopyNeeds)> {
        let mut needs = CopyNeeds::default();
        let parts = self.content_parts(instance, 0, &mut needs)?;
        Ok((parts, needs))
    }

    fn content_parts(
        &mut self,
        instance: InstanceId,
        depth: usize,
        needs: &mut CopyNeeds,
    ) -> EseResult<ContentParts> {
        check_depth(instance, depth)?;
        needs.contents += 1;
        check_rows(instance, needs.contents + needs.attachments)?;
        let found = self.contents.of(instance, |row, rest| {
            let read = read_values(row, rest)?;
            Ok((read, Content::of_links(&rest.fields_of(row))?))
        })?;
        let ((values, bytes), links) =
            found.ok_or_else(|| self.contents.missing(&self.view, instance))?;
        needs.long_values[0] += values;
        needs.bytes += bytes;
        let mut attachments = Vec::with_capacity(links.attachments.len());
        for attachment in links.attachments {
            attachments.push(self.attachment_parts(attachment, depth, needs)?);
        }
        if let Some(stream) = &links.stream {
            let owner = owner_of(self.contents.table, col::STREAM, instance)?;
            self.streams.read(stream, &owner, &mut |_| Ok(()))?;
            needs.bytes += stream.len_bytes();
            needs.streams.push(stream.len_bytes());
        }
        Ok(ContentParts { instance, stream: links.stream, attachments })
    }

    fn attachment_parts(
        &mut self,
        instance: InstanceId,
        depth: usize,
        needs: &mut CopyNeeds,
    ) -> EseResult<AttachmentParts> {
        needs.attachments += 1;
        check_rows(instance, needs.contents + needs.attachments)?;
        let found = self.attachments.of(instance, |row, rest| {
            let fields = rest.fields_of(row);
            let embedded = super::codec::decoded(&fields, col::EMBEDDED, InstanceId::from_store)?;
            Ok((read_values(row, rest)?, embedded, read_stream(&fields, col::DATA_STREAM)?))
        })?;
        let ((values, bytes), embedded, stream) =
            found.ok_or_else(|| self.attachments.missing(&self.view, instance))?;
        needs.long_values[1] += values;
        needs.bytes += bytes;
        let embedded = match embedded {
            Some(inner) => Some(Box::new(self.content_parts(inner, depth + 1, needs)?)),
            None => None,
        };
        if let Some(stream) = &stream {
            let owner = owner_of(self.attachments.table, col::DATA_STREAM, instance)?;
            self.streams.read(stream, &owner, &mut |_| Ok(()))?;
            needs.bytes += stream.len_bytes();
            needs.streams.push(stream.len_bytes());
        }
        Ok(AttachmentParts { instance, stream, embedded })
    }
}

/// Reads all values of a row; answers how many are long ones, and the bytes of the row with them.
fn read_values<P: Pages + ?Sized>(
    row: &Row<'_>,
    rest: &RowRest<'_, '_, P>,
) -> EseResult<(u32, u64)> {
    let (mut long_values, mut bytes) = (0, row.bytes().len() as u64);
    rest.table.each_value(row, &mut |_, column, found| {
        for stored in found.iter() {
            match stored? {
                Stored::Plain(bytes) => {
                    let width_bytes = column.coltyp.fixed_width_bytes();
                    if width_bytes.is_some_and(|width_bytes| width_bytes != bytes.len()) {
                        let reason = format!("a value of {} bytes", bytes.len());
                        return Err(row.place(EseError::corrupt_bytes(reason), column));
                    }
                }
                Stored::Separated(lid) => {
                    long_values += 1;
                    bytes += u64::from(rest.values.read(lid, &mut |_| ())?.len_bytes);
                }
                Stored::Compressed(bytes) => decompress(bytes, u16::MAX.into(), &mut Vec::new())?,
                Stored::Encrypted(_) => {
                    let error = EseError::unsupported("copying an encrypted value");
                    return Err(error.in_object(&column.name));
                }
            }
        }
        Ok(())
    })?;
    Ok((long_values, bytes))
}
