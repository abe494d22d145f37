//! A mail in the form in which MAPI clients store it: bodies, recipients blob, attachments with their data.

use super::bodies::{Attached, Bodies};
use super::charset;
use super::mime::Part;
use super::promote::{Envelope, promote_parsed};
use crate::mapi::{AttachmentBody, MapiAttachment, MapiMessage, encode_recipients};

/// Messages inside messages that are taken apart; deeper ones stay data.
const MAX_EMBEDDED: usize = 8;

/// Turns the MIME of a mail into its MAPI form. Never fails; memory follows the length of the mail times the depth of mails in
/// it, which is bounded.
pub fn to_mapi(mime: &[u8], envelope: &Envelope) -> MapiMessage {
    message(mime, envelope, 0)
}

fn message(mime: &[u8], envelope: &Envelope, depth: usize) -> MapiMessage {
    let root = Part::parse(mime);
    let bodies = Bodies::of(&root);
    let attachments: Vec<_> = bodies.attachments.iter().map(|a| attachment(a, depth)).collect();
    let infos = attachments.iter().map(|a| a.info.clone()).collect();
    let promoted = promote_parsed(mime, envelope, &root, &bodies, infos);
    let recipients_blob = encode_recipients(&promoted.recipients)
        .expect("promotion keeps to the number of recipients that a blob holds");
    MapiMessage {
        transport_headers: charset::guess(root.headers.block),
        body_text: bodies.text(),
        body_html: bodies.html(),
        recipients_blob,
        attachments,
        promoted,
    }
}

fn attachment(attached: &Attached<'_, '_>, depth: usize) -> MapiAttachment {
    let data = attached.part.data().into_owned();
    let info = attached.info(&data);
    let body = if info.embedded_message && depth < MAX_EMBEDDED {
        let message = Box::new(message(&data, &Envelope::default(), depth + 1));
        AttachmentBody::Message { message, mime: data }
    } else {
        AttachmentBody::Data(data)
    };
    MapiAttachment { info, body }
}
