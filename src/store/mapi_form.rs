//! A mail in MAPI form, put together again from its rows.

use crate::ese::error::{EseError, EseResult};
use crate::ese::txn::Pages;
use crate::mapi::{AttachmentBody, InstanceId, MapiAttachment, MapiMessage, from_utf16le};

use super::content::Content;
use super::schema::columns as col;
use super::view::{Body, View};

/// Mails inside mails that are followed; rows that name each other must not be followed for ever.
const DEPTH_MAX: usize = 16;

impl<P: Pages + ?Sized> View<'_, P> {
    /// The whole mail of a content row in MAPI form, attachments and their data included. Flags and categories belong to the
    /// item and are empty.
    ///
    /// # Errors
    /// [`crate::ese::error::Refusal::NotFound`] when a row it names is missing; [`EseError::Corrupt`], also when mails
    /// hold each other; [`EseError::Io`].
    pub fn mapi_message(&self, content: &Content) -> EseResult<MapiMessage> {
        self.message(content, 0)
    }

    fn message(&self, content: &Content, depth: usize) -> EseResult<MapiMessage> {
        if depth > DEPTH_MAX {
            let reason = format!("content {} holds mails in mails without end", content.instance);
            return Err(EseError::corrupt_bytes(reason).in_file(self.pages.path()));
        }
        let instance = content.instance;
        let text = |body| -> EseResult<Option<String>> {
            let bytes = self.body(instance, body)?;
            Ok((!bytes.is_empty()).then(|| from_utf16le(&bytes)))
        };
        let html = self.body(instance, Body::Html)?;
        let attachments = content.attachments.iter();
        let attachments = attachments
            .map(|id| self.mapi_attachment(*id, depth))
            .collect::<EseResult<Vec<_>>>()?;
        let mut promoted = content.promoted.clone();
        promoted.attachments = attachments.iter().map(|a| a.info.clone()).collect();
        Ok(MapiMessage {
            promoted,
            transport_headers: text(Body::TransportHeaders)?.unwrap_or_default(),
            body_text: text(Body::Text)?,
            body_html: (!html.is_empty()).then(|| String::from_utf8_lossy(&html).into_owned()),
            recipients_blob: self.value(&self.tables.contents, col::RECIPIENTS, instance)?,
            attachments,
        })
    }

    fn mapi_attachment(&self, id: InstanceId, depth: usize) -> EseResult<MapiAttachment> {
        let row = self.attachment(id)?.ok_or_else(|| self.missing("attachment", id))?;
        let data = self.attachment_data(id)?;
        let body = match row.embedded {
            None => AttachmentBody::Data(data),
            Some(embedded) => {
                let content = self.content(embedded)?;
                let content = content.ok_or_else(|| self.missing("content", embedded))?;
                let message = Box::new(self.message(&content, depth + 1)?);
                AttachmentBody::Message { message, mime: data }
            }
        };
        Ok(MapiAttachment { info: row.info, body })
    }
}
