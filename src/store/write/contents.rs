//! Contents: stored once, found again by delivery time and search key, held by reference counts.

use crate::ese::error::{EseError, EseResult, Refusal};
use crate::mapi::{
    AttachmentBody, AttachmentInfo, InstanceId, MapiAttachment, MapiMessage, Promoted, to_utf16le,
};
use crate::stm::{Cell, Draft};

use super::StoreWriter;
use crate::store::codec::to_long;
use crate::store::content::{
    Content, Form, INLINE, METHOD_DATA, METHOD_EMBEDDED, put_list, put_promoted,
};
use crate::store::schema::columns as col;
use crate::store::sum::LostAttachment;
use crate::store::view::owner_of;

/// Attachment rows that the list in a content row can name. Mails with more are stored as MIME.
pub const ATTACHMENT_ROWS_MAX: usize = 256;
/// Mails inside mails.
const EMBEDDED_MAX: usize = 16;

/// A content that is in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    /// Its id.
    pub instance: InstanceId,
    /// Whether it was stored just now; it has one reference then, which the first holder takes over.
    pub is_new: bool,
}

impl StoreWriter {
    /// Stores a mail as MIME, unless the store holds the same bytes already.
    pub(super) fn store_mime(&mut self, mail: &Promoted, mime: &[u8]) -> EseResult<Stored> {
        if let Some(instance) = self.find_mime(mail, mime)? {
            return Ok(Stored { instance, is_new: false });
        }
        let instance = self.next_instance()?;
        let owner = owner_of(&self.tables.contents, col::STREAM, instance)?;
        let stream = self.stm.write(&mut self.db, &owner, mime)?;
        let mut draft = Draft::new(&self.tables.contents);
        put_promoted(&mut draft, mail)?;
        put_head(&mut draft, instance, Form::Mime);
        put_list(&mut draft, &mail.attachments)?;
        draft
            .bytes(col::STREAM, stream.encode())
            .i32(col::MIME_LENGTH, to_long(mime.len() as i64))
            .i64(col::STREAM_LENGTH, mime.len() as i64);
        draft.insert(&mut self.db)?;
        Ok(Stored { instance, is_new: true })
    }

    /// Equal delivery time, search key and length make it likely; only equal bytes make it sure (design D7).
    fn find_mime(&mut self, mail: &Promoted, mime: &[u8]) -> EseResult<Option<InstanceId>> {
        let candidates = self.look().contents_by_key(mail.delivery_time, mail.search_key)?;
        let fits = |content: &Content| {
            let length = content.stream.as_ref().map(crate::stm::SlvInfo::len_bytes);
            content.form == Form::Mime && length == Some(mime.len() as u64)
        };
        for content in candidates.into_iter().filter(fits) {
            let view = self.view()?;
            let mut left = mime;
            let mut is_equal = true;
            view.each_mime_part(&content, &mut |part| {
                let (head, tail) = left.split_at_checked(part.len()).unwrap_or((left, &[]));
                is_equal &= head == part;
                left = tail;
                Ok(())
            })?;
            if is_equal && left.is_empty() {
                return Ok(Some(content.instance));
            }
        }
        Ok(None)
    }

    /// Refuses what the MAPI form cannot hold, before anything is changed.
    pub(super) fn check_mapi(&self, mail: &MapiMessage, depth: usize) -> EseResult<()> {
        let count = mail.attachments.len();
        if count > ATTACHMENT_ROWS_MAX || depth > EMBEDDED_MAX {
            let reason = format!("{count} attachments at depth {depth}: store this mail as MIME");
            return Err(self.refused(Refusal::BadRequest, reason));
        }
        for attachment in &mail.attachments {
            if let AttachmentBody::Message { message, .. } = &attachment.body {
                self.check_mapi(message, depth + 1)?;
            }
        }
        Ok(())
    }

    /// Stores a mail in MAPI form, unless the store holds an equal one already.
    pub(super) fn store_mapi(&mut self, mail: &MapiMessage) -> EseResult<Stored> {
        let promoted = &mail.promoted;
        let candidates =
            self.look().contents_by_key(promoted.delivery_time, promoted.search_key)?;
        for content in candidates.iter().filter(|content| content.form == Form::Mapi) {
            let view = self.view()?;
            if content.attachments.len() == mail.attachments.len()
                && is_equal(&view.mapi_message(content)?, mail)
            {
                return Ok(Stored { instance: content.instance, is_new: false });
            }
        }
        let instance = self.put_mapi(mail)?;
        Ok(Stored { instance, is_new: true })
    }

    fn put_mapi(&mut self, mail: &MapiMessage) -> EseResult<InstanceId> {
        let instance = self.next_instance()?;
        let mut attachments = Vec::with_capacity(mail.attachments.len());
        for (number, attachment) in mail.attachments.iter().enumerate() {
            attachments.push(self.put_attachment(number, attachment)?);
        }
        let mut draft = Draft::new(&self.tables.contents);
        put_promoted(&mut draft, &mail.promoted)?;
        put_head(&mut draft, instance, Form::Mapi);
        let wide = |text: &Option<String>| text.as_deref().map(to_utf16le).unwrap_or_default();
        let html = mail.body_html.as_deref().unwrap_or_default().as_bytes();
        draft
            .filled(col::TRANSPORT_HEADERS, to_utf16le(&mail.transport_headers))
            .filled(col::BODY, wide(&mail.body_text))
            .filled(col::BODY_HTML, html)
            .filled(col::RECIPIENTS, mail.recipients_blob.as_slice())
            .i32(col::ATTACHMENT_COUNT, to_long(mail.attachments.len() as i64));
        if !html.is_empty() {
            draft.i32(col::BODY_CODE_PAGE, 65001);
        }
        if !attachments.is_empty() {
            let ids = attachments.iter().map(|id| id.to_store().to_vec().into());
            draft.set(col::ATTACHMENTS, Cell::Many(ids.collect()));
        }
        draft.insert(&mut self.db)?;
        Ok(instance)
    }

    /// A text in the place of an attachment that could not be read (recover-semantics E7).
    pub(super) fn put_lost(&mut self, lost: &LostAttachment) -> EseResult<InstanceId> {
        let text = format!(
            "This attachment could not be recovered: {}\r\n{}\r\n",
            lost.name_or_number(),
            lost.reason
        );
        let data = text.into_bytes();
        let info = AttachmentInfo {
            name: format!("{} (not recovered).txt", lost.name_or_number()),
            mime_type: "text/plain".to_owned(),
            size_bytes: data.len() as u64,
            ..AttachmentInfo::default()
        };
        let note = MapiAttachment { info, body: AttachmentBody::Data(data) };
        self.put_attachment(lost.number, &note)
    }

    fn put_attachment(
        &mut self,
        number: usize,
        attachment: &MapiAttachment,
    ) -> EseResult<InstanceId> {
        let embedded = match &attachment.body {
            AttachmentBody::Data(_) => None,
            AttachmentBody::Message { message, .. } => Some(self.put_mapi(message)?),
        };
        let instance = self.next_instance()?;
        let info = &attachment.info;
        let data = attachment.body.bytes();
        let extension = info.name.rsplit_once('.').map_or("", |(_, extension)| extension);
        let extension = if extension.is_empty() { String::new() } else { format!(".{extension}") };
        let mut draft = Draft::new(&self.tables.attachments);
        draft
            .copied(col::ATTACHMENT, &instance.to_store())
            .i32(col::ATTACHMENT_REFERENCES, 1)
            .i32(col::ATTACHMENT_SOFT_REFERENCES, 0)
            .i32(col::METHOD, if embedded.is_some() { METHOD_EMBEDDED } else { METHOD_DATA })
            .i32(col::ATTACHMENT_SIZE, to_long(info.size_bytes.min(i64::MAX as u64) as i64))
            .i32(col::ATTACHMENT_NUMBER, to_long(number as i64))
            .i32(col::RENDERING_POSITION, -1)
            .i32(col::ATTACHMENT_FLAGS, if info.inline { INLINE } else { 0 })
            .filled(col::FILE_NAME, to_utf16le(&info.name))
            .filled(col::EXTENSION, to_utf16le(&extension))
            .filled(col::ATTACHMENT_MIME, info.mime_type.as_bytes())
            .filled(col::CONTENT_ID, to_utf16le(&info.content_id))
            .bytes(col::DATA, data);
        if let Some(embedded) = embedded {
            draft.copied(col::EMBEDDED, &embedded.to_store());
        }
        draft.insert(&mut self.db)?;
        Ok(instance)
    }

    /// The content row that an item should get.
    pub(super) fn require_content(&self, instance: InstanceId) -> EseResult<Content> {
        let content = self.look().content(instance)?;
        content.ok_or_else(|| -> EseError { self.look().missing("content", instance) })
    }
}

fn put_head(draft: &mut Draft<'_, '_>, instance: InstanceId, form: Form) {
    draft
        .copied(col::INSTANCE, &instance.to_store())
        .i32(col::REFERENCES, 1)
        .i32(col::SOFT_REFERENCES, 0)
        .i32(col::CONVERSION, form.number());
}

/// Whether two mails are the same but for what belongs to their items. Recursion follows `mail`, whose depth was checked.
fn is_equal(stored: &MapiMessage, mail: &MapiMessage) -> bool {
    let bare = |mail: &MapiMessage| {
        let mut promoted = mail.promoted.clone();
        promoted.flags = crate::mapi::ItemFlags::empty();
        promoted.categories.clear();
        promoted
    };
    let without = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let attachments = || stored.attachments.iter().zip(&mail.attachments);
    bare(stored) == bare(mail)
        && stored.transport_headers == mail.transport_headers
        && without(&stored.body_text) == without(&mail.body_text)
        && without(&stored.body_html) == without(&mail.body_html)
        && stored.recipients_blob == mail.recipients_blob
        && stored.attachments.len() == mail.attachments.len()
        && attachments().all(|(a, b)| a.info == b.info && is_equal_body(&a.body, &b.body))
}

fn is_equal_body(stored: &AttachmentBody, body: &AttachmentBody) -> bool {
    match (stored, body) {
        (AttachmentBody::Data(a), AttachmentBody::Data(b)) => a == b,
        (
            AttachmentBody::Message { message: a, mime },
            AttachmentBody::Message { message: b, mime: other },
        ) => mime == other && is_equal(a, b),
        _ => false,
    }
}
