//! P and P-soft: the content fingerprints that pair items. Source: recover-semantics I6, I7; design D7.
//!
//! P is the first 128 bits of BLAKE3 (key derivation mode, a context of its own) over a canonical form; equal P means that
//! nobody could tell the two apart. The form is a sequence of fields, each framed, so that no content can pass for another:
//!
//! ```text
//! field:   u8 number | u64 length, little-endian | bytes
//!  1 message class       2 subject prefix      3 normalized subject
//!  4 sender              5 represented sender  6 recipients, sorted
//!  7 delivery time       8 submit time         9 body: kind and BLAKE3 of its bytes
//! 10 attachment, one field each, in order     11 importance, sensitivity
//! 12 categories, sorted                       13 named property, one field each, sorted
//! ```
//!
//! Text is UTF-8. Parties are type, address and name, each framed by a length; a time is 8 bytes little-endian or nothing. A body
//! is hashed in its native form and never converted. Left out, because they differ between copies: ids, change keys, creation and
//! modification time, read state, size, search key.
//!
//! P-soft compares a mail held as MIME with the same mail held as properties, and so takes what both have: subject, sender,
//! recipients' addresses, times in whole seconds, names and sizes of attachments, length of the text with white space folded.

use super::message::{
    AttachmentBody, AttachmentInfo, Importance, MapiMessage, Party, Promoted, Recipient,
    Sensitivity, truncated,
};
use super::property::{NamedProperty, PropName};
use super::time::FileTime;
use super::to_utf16le;

const CONTEXT: &str = "dialtone 2003 content fingerprint P, first form";
const SOFT_CONTEXT: &str = "dialtone 2003 content fingerprint P-soft, first form";

/// A 128-bit content fingerprint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(pub [u8; 16]);

/// Which form of the body is the native one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyKind {
    /// There is none.
    None,
    /// Plain text, UTF-16LE as stored.
    Text,
    /// HTML as stored.
    Html,
    /// Compressed RTF as stored.
    Rtf,
    /// The whole MIME in the `.stm`.
    Mime,
}

/// The native body: its kind and the BLAKE3 hash of its bytes, which may have come as a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyDigest {
    /// The form.
    pub kind: BodyKind,
    /// Hash of the stored bytes; zeros when there is no body.
    pub hash: [u8; 32],
}

impl BodyDigest {
    /// No body.
    pub const NONE: Self = Self { kind: BodyKind::None, hash: [0; 32] };

    /// The digest of a body that is in memory.
    pub fn of(kind: BodyKind, bytes: &[u8]) -> Self {
        Self { kind, hash: content_hash(bytes) }
    }
}

/// Full BLAKE3 of some content: also the key for sharing attachments (design D7).
pub fn content_hash(bytes: &[u8]) -> [u8; 32] {
    *blake3::hash(bytes).as_bytes()
}

/// Length of a text in characters, each run of white space counting one, none at either end.
pub fn folded_length(text: &str) -> u64 {
    let mut words = 0_u64;
    let mut characters = 0_u64;
    for word in text.split_whitespace() {
        words = words.saturating_add(1);
        characters = word.chars().fold(characters, |sum, _| sum.saturating_add(1));
    }
    characters.saturating_add(words.saturating_sub(1))
}

/// Everything that P looks at.
#[derive(Clone, Copy, Debug)]
pub struct Content<'a> {
    /// Message class.
    pub message_class: &'a str,
    /// Subject prefix.
    pub subject_prefix: &'a str,
    /// Normalized subject.
    pub normalized_subject: &'a str,
    /// Sender.
    pub sender: &'a Party,
    /// Represented sender.
    pub represented: &'a Party,
    /// Recipients, in any order.
    pub recipients: &'a [Recipient],
    /// Delivery time.
    pub delivery_time: Option<FileTime>,
    /// Submit time.
    pub submit_time: Option<FileTime>,
    /// The native body.
    pub body: BodyDigest,
    /// The attachments in order, each with the hash of its content. An embedded mail held as a row of its own is
    /// given by its own P, filled up with zeros.
    pub attachments: &'a [(AttachmentInfo, [u8; 32])],
    /// Importance.
    pub importance: Importance,
    /// Sensitivity.
    pub sensitivity: Sensitivity,
    /// Categories, in any order.
    pub categories: &'a [String],
    /// The named properties that a user sees (flags, reminders, tasks, appointments, contacts), in any order, with their stored bytes.
    pub named: &'a [(NamedProperty, Vec<u8>)],
}

impl<'a> Content<'a> {
    /// The content of a mail whose body is its MIME: attachments stand inside the MIME and are not repeated.
    pub fn of_promoted(promoted: &'a Promoted, body: BodyDigest) -> Self {
        Self {
            message_class: &promoted.message_class,
            subject_prefix: &promoted.subject_prefix,
            normalized_subject: &promoted.normalized_subject,
            sender: &promoted.sender,
            represented: &promoted.represented,
            recipients: &promoted.recipients,
            delivery_time: promoted.delivery_time,
            submit_time: promoted.submit_time,
            body,
            attachments: &[],
            importance: promoted.importance,
            sensitivity: promoted.sensitivity,
            categories: &promoted.categories,
            named: &[],
        }
    }

    /// P.
    pub fn fingerprint(&self) -> Fingerprint {
        let mut form = Form::new(CONTEXT);
        form.field(1, self.message_class.as_bytes());
        form.field(2, self.subject_prefix.as_bytes());
        form.field(3, self.normalized_subject.as_bytes());
        form.field(4, &party(self.sender));
        form.field(5, &party(self.represented));
        form.field(6, &recipients(self.recipients, party));
        form.field(7, &time(self.delivery_time));
        form.field(8, &time(self.submit_time));
        form.field(9, &body(&self.body));
        for (info, hash) in self.attachments {
            let mut bytes = attachment(info);
            bytes.extend(hash);
            form.field(10, &bytes);
        }
        let grades = [self.importance.to_i32(), self.sensitivity.to_i32()];
        form.field(11, &grades.map(i32::to_le_bytes).concat());
        form.field(12, &sorted(self.categories.iter().map(|c| framed(c.as_bytes())).collect()));
        let mut named: Vec<_> = self.named.iter().collect();
        named.sort_by(|a, b| a.0.cmp(&b.0));
        for (property, value) in named {
            form.field(13, &[name(property), framed(value)].concat());
        }
        form.finish()
    }

    /// P-soft: `attachments` are those of the mail in either form, `text_length` the [`folded_length`] of its text body.
    pub fn soft(&self, attachments: &[AttachmentInfo], text_length: u64) -> Fingerprint {
        let mut form = Form::new(SOFT_CONTEXT);
        form.field(2, self.subject_prefix.as_bytes());
        form.field(3, self.normalized_subject.as_bytes());
        form.field(4, &address(self.sender));
        form.field(6, &recipients(self.recipients, address));
        form.field(7, &seconds(self.delivery_time));
        form.field(8, &seconds(self.submit_time));
        for info in attachments {
            form.field(10, &attachment(info));
        }
        form.field(14, &text_length.to_le_bytes());
        form.finish()
    }
}

/// P of a mail in MAPI form: the body is the HTML if there is one, else the text; an embedded mail counts by its own P. The
/// recursion is as deep as the value, which its maker bounds.
pub fn fingerprint_of_mapi(message: &MapiMessage) -> Fingerprint {
    let html =
        message.body_html.as_ref().map(|html| BodyDigest::of(BodyKind::Html, html.as_bytes()));
    let text =
        message.body_text.as_ref().map(|text| BodyDigest::of(BodyKind::Text, &to_utf16le(text)));
    let hash = |body: &AttachmentBody| match body {
        AttachmentBody::Data(bytes) => content_hash(bytes),
        AttachmentBody::Message { message, .. } => {
            let mut padded = [0; 32];
            let own = fingerprint_of_mapi(message).0;
            padded.iter_mut().zip(own).for_each(|(to, from)| *to = from);
            padded
        }
    };
    let attachments: Vec<_> =
        message.attachments.iter().map(|a| (a.info.clone(), hash(&a.body))).collect();
    let body = html.or(text).unwrap_or(BodyDigest::NONE);
    let content = Content::of_promoted(&message.promoted, body);
    Content { attachments: &attachments, ..content }.fingerprint()
}

struct Form(blake3::Hasher);

impl Form {
    fn new(context: &str) -> Self {
        Self(blake3::Hasher::new_derive_key(context))
    }

    fn field(&mut self, number: u8, bytes: &[u8]) {
        self.0.update(&[number]).update(&length(bytes)).update(bytes);
    }

    fn finish(self) -> Fingerprint {
        Fingerprint(truncated(self.0.finalize()))
    }
}

fn length(bytes: &[u8]) -> [u8; 8] {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_le_bytes()
}

fn framed(bytes: &[u8]) -> Vec<u8> {
    [&length(bytes)[..], bytes].concat()
}

fn sorted(mut pieces: Vec<Vec<u8>>) -> Vec<u8> {
    pieces.sort_unstable();
    pieces.concat()
}

fn party(party: &Party) -> Vec<u8> {
    let parts = [&party.address_type, &party.address, &party.name];
    parts.map(|text| framed(text.as_bytes())).concat()
}

/// The address alone, in lower case: clients rewrite names and the case of addresses.
fn address(party: &Party) -> Vec<u8> {
    framed(party.address.to_lowercase().as_bytes())
}

fn recipients(list: &[Recipient], form: fn(&Party) -> Vec<u8>) -> Vec<u8> {
    let piece = |r: &Recipient| [r.kind.to_i32().to_le_bytes().to_vec(), form(&r.party)].concat();
    sorted(list.iter().map(piece).collect())
}

fn time(time: Option<FileTime>) -> Vec<u8> {
    time.map(|time| time.0.to_le_bytes().to_vec()).unwrap_or_default()
}

fn seconds(time: Option<FileTime>) -> Vec<u8> {
    time.map(|time| time.to_unix_seconds().to_le_bytes().to_vec()).unwrap_or_default()
}

fn body(digest: &BodyDigest) -> Vec<u8> {
    let kind = match digest.kind {
        BodyKind::None => 0,
        BodyKind::Text => 1,
        BodyKind::Html => 2,
        BodyKind::Rtf => 3,
        BodyKind::Mime => 4,
    };
    [&[kind], &digest.hash[..]].concat()
}

fn attachment(info: &AttachmentInfo) -> Vec<u8> {
    let mut bytes = framed(info.name.as_bytes());
    bytes.extend(info.size_bytes.to_le_bytes());
    bytes
}

fn name(property: &NamedProperty) -> Vec<u8> {
    let mut bytes = property.set.as_bytes().to_vec();
    match &property.name {
        PropName::Number(number) => {
            bytes.push(0);
            bytes.extend(number.to_le_bytes());
        }
        PropName::Text(text) => {
            bytes.push(1);
            bytes.extend(framed(text.as_bytes()));
        }
    }
    bytes
}

#[cfg(test)]
#[path = "fingerprint_tests.rs"]
mod tests;
