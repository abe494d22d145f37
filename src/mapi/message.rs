//! A mail as values: what is promoted from its MIME, and the form in which MAPI clients store it.
//!
//! Plain data between the layers: `mail` makes it, the store keeps it. It knows neither MIME nor columns.

use super::error::{MapiResult, exact};
use super::time::FileTime;

bitflags::bitflags! {
    /// Message flags (PR_MESSAGE_FLAGS, `Le07`). Unknown bits are kept.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct MessageFlags: u32 {
        /// Has been read.
        const READ = 0x01;
        /// Not changed since it arrived.
        const UNMODIFIED = 0x02;
        /// Waits to be sent.
        const SUBMIT = 0x04;
        /// A draft.
        const UNSENT = 0x08;
        /// Has attachments that a reader sees.
        const HAS_ATTACHMENTS = 0x10;
        /// Sent by the mailbox's owner.
        const FROM_ME = 0x20;
        /// A hidden item of its folder.
        const ASSOCIATED = 0x40;
        /// Is being sent again.
        const RESEND = 0x80;
        const _ = !0;
    }
}

bitflags::bitflags! {
    /// What a mail file says about a message beside its content: flags of a Maildir name or of `Status` headers.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct ItemFlags: u8 {
        /// Read (`S`, seen).
        const READ = 0x01;
        /// Answered (`R`).
        const REPLIED = 0x02;
        /// Marked by its reader (`F`).
        const FLAGGED = 0x04;
        /// Marked as deleted (`T`, trashed).
        const DELETED = 0x08;
        /// A draft (`D`).
        const DRAFT = 0x10;
        /// Forwarded or bounced on (`P`, passed).
        const FORWARDED = 0x20;
    }
}

impl ItemFlags {
    /// The message flags that follow from these.
    pub fn to_message_flags(self) -> MessageFlags {
        let mut flags = MessageFlags::UNMODIFIED;
        flags.set(MessageFlags::READ, self.contains(Self::READ));
        flags.set(MessageFlags::UNSENT, self.contains(Self::DRAFT));
        flags
    }

    /// The message status (PR_MSG_STATUS) that follows from these.
    pub fn to_message_status(self) -> i32 {
        let bits = STATUS_BITS.iter().filter(|(_, flag)| self.contains(*flag));
        bits.fold(0, |status, (bit, _)| status | bit)
    }

    /// The flags that a message status tells of.
    pub fn of_message_status(status: i32) -> Self {
        let bits = STATUS_BITS.iter().filter(|(bit, _)| status & bit != 0);
        bits.fold(Self::empty(), |flags, (_, flag)| flags | *flag)
    }
}

/// Bits of PR_MSG_STATUS: answered, marked for deletion; for forwarded there is none, so one of those that are left to clients.
const STATUS_BITS: [(i32, ItemFlags); 3] =
    [(0x200, ItemFlags::REPLIED), (0x8, ItemFlags::DELETED), (0x1_0000, ItemFlags::FORWARDED)];

/// The search key of an item (PR_SEARCH_KEY, `N300b`). Source: recover-semantics I1, I2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SearchKey(pub [u8; 16]);

impl SearchKey {
    /// The key of a mail that came as MIME: first 16 bytes of BLAKE3 over its bytes, so that one mail has one key
    /// wherever it is imported.
    pub fn of_mime(mime: &[u8]) -> Self {
        Self(truncated(blake3::hash(mime)))
    }

    /// Reads the 16 stored bytes.
    ///
    /// # Errors
    /// [`super::MapiError::Length`] when there are not 16.
    pub fn from_slice(bytes: &[u8]) -> MapiResult<Self> {
        Ok(Self(exact("search key", bytes)?))
    }
}

/// The first 128 bits of a hash.
pub(super) fn truncated(hash: blake3::Hash) -> [u8; 16] {
    let mut first = [0; 16];
    first.iter_mut().zip(hash.as_bytes()).for_each(|(to, from)| *to = *from);
    first
}

/// Someone a mail names: sender or recipient. Empty text where the mail says nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Party {
    /// Display name.
    pub name: String,
    /// Address, as its type writes it.
    pub address: String,
    /// Address type: `SMTP`, `EX`; empty when there is no address.
    pub address_type: String,
}

impl Party {
    /// Someone with an Internet address.
    pub fn smtp(name: impl Into<String>, address: impl Into<String>) -> Self {
        let address: String = address.into();
        let address_type = if address.is_empty() { "" } else { "SMTP" }.to_string();
        Self { name: name.into(), address, address_type }
    }

    /// The name to show: the display name, else the address.
    pub fn display(&self) -> &str {
        if self.name.is_empty() { &self.address } else { &self.name }
    }

    /// The search key of the address: type, colon and address in upper case, ended by a zero byte.
    pub fn search_key(&self) -> Vec<u8> {
        let mut key = format!("{}:{}", self.address_type, self.address).to_uppercase().into_bytes();
        key.push(0);
        key
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.name.is_empty() && self.address.is_empty()
    }
}

/// Which line of the mail names a recipient (PR_RECIPIENT_TYPE).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecipientKind {
    /// `To`: 1.
    To,
    /// `Cc`: 2.
    Cc,
    /// `Bcc`: 3.
    Bcc,
}

impl RecipientKind {
    /// The stored number.
    pub fn to_i32(self) -> i32 {
        match self {
            Self::To => 1,
            Self::Cc => 2,
            Self::Bcc => 3,
        }
    }

    /// The kind of a stored number; the bits above 0xf are states of a delivery and do not matter here.
    pub fn from_i32(number: i32) -> Option<Self> {
        match number & 0xf {
            1 => Some(Self::To),
            2 => Some(Self::Cc),
            3 => Some(Self::Bcc),
            _ => None,
        }
    }
}

/// A recipient, in the order of the mail.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Recipient {
    /// Which line names it.
    pub kind: RecipientKind,
    /// Who it is.
    pub party: Party,
}

/// PR_IMPORTANCE.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Importance {
    /// 0.
    Low,
    /// 1.
    #[default]
    Normal,
    /// 2.
    High,
}

impl Importance {
    /// The number of PR_IMPORTANCE.
    pub fn to_i32(self) -> i32 {
        match self {
            Self::Low => 0,
            Self::Normal => 1,
            Self::High => 2,
        }
    }

    /// The number of PR_PRIORITY that goes with it: -1, 0 or 1.
    pub fn to_priority(self) -> i32 {
        self.to_i32() - 1
    }
}

/// PR_SENSITIVITY.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Sensitivity {
    /// 0.
    #[default]
    Normal,
    /// 1.
    Personal,
    /// 2.
    Private,
    /// 3: company-confidential.
    Confidential,
}

impl Sensitivity {
    /// The number of PR_SENSITIVITY.
    pub fn to_i32(self) -> i32 {
        match self {
            Self::Normal => 0,
            Self::Personal => 1,
            Self::Private => 2,
            Self::Confidential => 3,
        }
    }
}

/// One attachment as a list shows it, without its data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AttachmentInfo {
    /// File name, or the subject of an embedded message; empty when there is none.
    pub name: String,
    /// MIME type in lower case: `image/png`.
    pub mime_type: String,
    /// Length of the decoded data in bytes.
    pub size_bytes: u64,
    /// `Content-ID` without its angle brackets; empty when there is none.
    pub content_id: String,
    /// Part of the text rather than beside it: a related part that a body refers to.
    pub inline: bool,
    /// Is itself a mail.
    pub embedded_message: bool,
}

/// What is copied from the MIME of a mail into columns, so that lists and searches need no MIME ("promotion").
/// Source: exchange-store 6.6, 12.6, 12.8.
#[derive(Clone, Debug, PartialEq)]
pub struct Promoted {
    /// PR_SEARCH_KEY.
    pub search_key: SearchKey,
    /// PR_MESSAGE_CLASS: `IPM.Note` and its relatives.
    pub message_class: String,
    /// The whole subject.
    pub subject: String,
    /// Its prefix with the blank behind it (`RE: `); empty when it has none.
    pub subject_prefix: String,
    /// The subject behind the prefix; also the conversation topic.
    pub normalized_subject: String,
    /// Who sent it: the `Sender` line, else the first of `From`.
    pub sender: Party,
    /// On whose behalf: the first of `From`, else the sender.
    pub represented: Party,
    /// Everyone in `To`, `Cc`, `Bcc`, in this order.
    pub recipients: Vec<Recipient>,
    /// When it was sent, by its `Date`.
    pub submit_time: Option<FileTime>,
    /// When it arrived; see `mail::promote` for where this comes from.
    pub delivery_time: Option<FileTime>,
    /// `Message-ID` with its angle brackets; empty when there is none.
    pub message_id: String,
    /// First id of `In-Reply-To` with its angle brackets; empty when there is none.
    pub in_reply_to: String,
    /// The ids of `References`, with their angle brackets.
    pub references: Vec<String>,
    /// Importance, also giving the priority.
    pub importance: Importance,
    /// Sensitivity.
    pub sensitivity: Sensitivity,
    /// `Keywords`, each one a category.
    pub categories: Vec<String>,
    /// Length of the MIME in bytes.
    pub size_bytes: u64,
    /// The attachments in the order of the mail.
    pub attachments: Vec<AttachmentInfo>,
    /// Whether an attachment stands beside the text (the paper clip).
    pub has_attachments: bool,
    /// Length of the text body in characters, runs of white space counting one; for P-soft.
    pub text_length: u64,
    /// MIME type of the whole, as `Content-Type` gives it, in lower case and without parameters.
    pub mime_type: String,
    /// Flags of the mail file joined with those of `Status` and `X-Status` headers.
    pub flags: ItemFlags,
}

impl Promoted {
    /// The names of all recipients of a kind, joined as lists show them (`Ue02` to `Ue04`).
    pub fn display_list(&self, kind: RecipientKind) -> String {
        let shown: Vec<&str> =
            self.recipients.iter().filter(|r| r.kind == kind).map(|r| r.party.display()).collect();
        shown.join("; ")
    }

    /// The flags for PR_MESSAGE_FLAGS.
    pub fn message_flags(&self) -> MessageFlags {
        let mut flags = self.flags.to_message_flags();
        flags.set(MessageFlags::HAS_ATTACHMENTS, self.has_attachments);
        flags
    }
}

/// A mail as MAPI clients store it: properties, bodies, recipients blob, attachment rows.
#[derive(Clone, Debug, PartialEq)]
pub struct MapiMessage {
    /// The properties that a promoted mail has too.
    pub promoted: Promoted,
    /// The header block as it came, decoded (PR_TRANSPORT_MESSAGE_HEADERS).
    pub transport_headers: String,
    /// Text body, if there is one.
    pub body_text: Option<String>,
    /// HTML body as UTF-8, if there is one; `L3fde` is then 65001.
    pub body_html: Option<String>,
    /// The recipients blob (`Ne12`).
    pub recipients_blob: Vec<u8>,
    /// The attachments in order, data included.
    pub attachments: Vec<MapiAttachment>,
}

/// An attachment row.
#[derive(Clone, Debug, PartialEq)]
pub struct MapiAttachment {
    /// What lists show.
    pub info: AttachmentInfo,
    /// Its content.
    pub body: AttachmentBody,
}

/// The content of an attachment.
#[derive(Clone, Debug, PartialEq)]
pub enum AttachmentBody {
    /// Method 1: the data.
    Data(Vec<u8>),
    /// Method 5: a mail of its own; its MIME is the data it was made from.
    Message {
        /// The mail taken apart.
        message: Box<MapiMessage>,
        /// Its MIME.
        mime: Vec<u8>,
    },
}

impl AttachmentBody {
    /// PR_ATTACH_METHOD.
    pub fn method(&self) -> i32 {
        match self {
            Self::Data(_) => 1,
            Self::Message { .. } => 5,
        }
    }

    /// The data, or the MIME of an embedded mail.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Data(bytes) | Self::Message { mime: bytes, .. } => bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_search_key_is_the_head_of_blake3() {
        // The published test vector of BLAKE3 for no input begins af1349b9 f5f9a1a6 a0404dea 36dcc949.
        let key = SearchKey::of_mime(b"");
        assert_eq!(key.0[..4], [0xaf, 0x13, 0x49, 0xb9]);
        assert_eq!(key.0[12..], [0x36, 0xdc, 0xc9, 0x49]);
        assert_eq!(SearchKey::from_slice(&key.0), Ok(key));
        assert!(SearchKey::from_slice(&[0; 20]).is_err());
    }

    #[test]
    fn address_search_keys_ignore_case() {
        let (a, b) = (Party::smtp("A", "Ann@Example.com"), Party::smtp("", "ann@example.COM"));
        assert_eq!(a.search_key(), b"SMTP:ANN@EXAMPLE.COM\0");
        assert_eq!(a.search_key(), b.search_key());
        assert_eq!(b.display(), "ann@example.COM");
        assert!(Party::default().is_empty() && Party::smtp("x", "").address_type.is_empty());
    }

    #[test]
    fn recipient_kinds_come_back_from_their_numbers() {
        for kind in [RecipientKind::To, RecipientKind::Cc, RecipientKind::Bcc] {
            assert_eq!(RecipientKind::from_i32(kind.to_i32()), Some(kind));
            assert_eq!(RecipientKind::from_i32(kind.to_i32() | 0x1000_0000), Some(kind));
        }
        assert_eq!(RecipientKind::from_i32(0), None);
        assert_eq!(Importance::Low.to_priority(), -1);
    }
}
