//! Promotion: from the MIME of a mail to the properties that lists, searches and pairing need.
//!
//! Never fails and never asks a clock. The delivery time is that of the newest `Received` field with a date, else `Delivery-Date`,
//! else `Date`, else the mbox `From ` line: the line comes last, because the same mail may lie in an EML file or a Maildir too, where it has
//! none, and must be the same item there.

use super::bodies::Bodies;
use super::fields::{date, ids, parties, text, word};
use super::headers::{self, Headers};
use super::mime::Part;
use super::{class, subject};
use crate::mapi::{
    AttachmentInfo, FileTime, Importance, ItemFlags, Party, Promoted, Recipient, RecipientKind,
    SearchKey, Sensitivity, folded_length,
};

/// More recipients do not fit into the recipients blob.
const MAX_RECIPIENTS: usize = 65_535;
/// Categories beyond this number are left out.
const MAX_CATEGORIES: usize = 100;

/// What a mail file tells beside the bytes of the message.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Envelope {
    /// Flags; where the file has none to tell, those of `Status` headers count.
    pub flags: Option<ItemFlags>,
    /// Time of the mbox `From ` line.
    pub from_line_time: Option<FileTime>,
}

/// Promotes the properties of a mail from its bytes.
pub fn promote(mime: &[u8], envelope: &Envelope) -> Promoted {
    let root = Part::parse(mime);
    let bodies = Bodies::of(&root);
    let infos = bodies.attachments.iter().map(|attached| attached.info(&attached.part.data()));
    let infos = infos.collect();
    promote_parsed(mime, envelope, &root, &bodies, infos)
}

/// The same for a mail that is parsed already.
pub(super) fn promote_parsed(
    mime: &[u8],
    envelope: &Envelope,
    root: &Part<'_>,
    bodies: &Bodies<'_, '_>,
    attachments: Vec<AttachmentInfo>,
) -> Promoted {
    let headers = &root.headers;
    let whole_subject = headers.first("Subject").map(text).unwrap_or_default();
    let (prefix, normalized) = subject::split(&whole_subject);
    let (sender, represented) = senders(headers);
    let submit_time = headers.first("Date").and_then(date);
    let id_list = |name| headers.first(name).map(ids).unwrap_or_default();
    let first_id = |name| id_list(name).into_iter().next().unwrap_or_default();
    Promoted {
        search_key: SearchKey::of_mime(mime),
        message_class: class::of(root, bodies),
        subject_prefix: prefix.to_string(),
        normalized_subject: normalized.to_string(),
        sender,
        represented,
        recipients: recipients(headers),
        submit_time,
        delivery_time: delivery_time(headers).or(submit_time).or(envelope.from_line_time),
        message_id: first_id("Message-ID"),
        in_reply_to: first_id("In-Reply-To"),
        references: id_list("References"),
        importance: importance(headers),
        sensitivity: sensitivity(headers),
        categories: categories(headers),
        size_bytes: u64::try_from(mime.len()).unwrap_or(u64::MAX),
        attachments,
        has_attachments: bodies.has_attachments(),
        text_length: bodies.text().map_or(0, |text| folded_length(&text)),
        mime_type: root.content_type.mime_type(),
        flags: envelope.flags.unwrap_or_else(|| header_flags(headers)),
        subject: whole_subject,
    }
}

/// The subject of a message, for naming it where it is embedded.
pub(super) fn subject_of(mime: &[u8]) -> String {
    headers::split(mime).0.first("Subject").map(text).unwrap_or_default()
}

/// Sender and represented sender: `Sender` and the first of `From`, each standing in for the other.
fn senders(headers: &Headers<'_>) -> (Party, Party) {
    let first = |name| headers.first(name).map(parties).and_then(|list| list.into_iter().next());
    let (sender, from) = (first("Sender"), first("From"));
    let represented = from.clone().or_else(|| sender.clone()).unwrap_or_default();
    (sender.or(from).unwrap_or_default(), represented)
}

fn recipients(headers: &Headers<'_>) -> Vec<Recipient> {
    let lines = [("To", RecipientKind::To), ("Cc", RecipientKind::Cc), ("Bcc", RecipientKind::Bcc)];
    let mut found = Vec::new();
    for (name, kind) in lines {
        for value in headers.all(name) {
            found.extend(parties(value).into_iter().map(|party| Recipient { kind, party }));
            found.truncate(MAX_RECIPIENTS);
        }
    }
    found
}

fn delivery_time(headers: &Headers<'_>) -> Option<FileTime> {
    // Each hop puts its own line on top. Only a few are tried: the date of the top one is almost always sound.
    let received = headers.all("Received").take(5).find_map(date);
    received.or_else(|| headers.first("Delivery-Date").and_then(date))
}

fn importance(headers: &Headers<'_>) -> Importance {
    let fields = ["Importance", "X-Priority", "X-MSMail-Priority", "Priority"];
    let level = |name| match headers.first(name).map(word)?.as_str() {
        "high" | "1" | "2" | "urgent" => Some(Importance::High),
        "low" | "4" | "5" | "non-urgent" => Some(Importance::Low),
        "normal" | "3" => Some(Importance::Normal),
        _ => None,
    };
    fields.into_iter().find_map(level).unwrap_or_default()
}

fn sensitivity(headers: &Headers<'_>) -> Sensitivity {
    match headers.first("Sensitivity").map(word).unwrap_or_default().as_str() {
        "personal" => Sensitivity::Personal,
        "private" => Sensitivity::Private,
        "company-confidential" => Sensitivity::Confidential,
        _ => Sensitivity::Normal,
    }
}

fn categories(headers: &Headers<'_>) -> Vec<String> {
    let joined = headers.first("Keywords").map(text).unwrap_or_default();
    let words = joined.split(',').map(str::trim).filter(|word| !word.is_empty());
    words.take(MAX_CATEGORIES).map(str::to_string).collect()
}

/// The flags that the headers of a message tell: `Status`, `X-Status`, `X-Mozilla-Status`.
pub fn status_flags(mime: &[u8]) -> ItemFlags {
    header_flags(&headers::split(mime).0)
}

fn header_flags(headers: &Headers<'_>) -> ItemFlags {
    let value = |name| headers.first(name).map(text).unwrap_or_default();
    let letters = value("Status") + &value("X-Status");
    let mozilla = u16::from_str_radix(&value("X-Mozilla-Status"), 16).unwrap_or(0);
    let mut flags = ItemFlags::empty();
    for (flag, letter, bit) in [
        (ItemFlags::READ, 'R', 1),
        (ItemFlags::REPLIED, 'A', 2),
        (ItemFlags::FLAGGED, 'F', 4),
        (ItemFlags::DELETED, 'D', 8),
        (ItemFlags::DRAFT, 'T', 0),
        (ItemFlags::FORWARDED, ' ', 0x1000),
    ] {
        flags.set(flag, letters.contains(letter) && letter != ' ' || mozilla & bit != 0);
    }
    flags
}

#[cfg(test)]
#[path = "promote_tests.rs"]
mod tests;
