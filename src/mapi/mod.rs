//! The vocabulary of MAPI: ids, change keys, entry ids, property tags, times, and mail as plain values.
//!
//! Bytes in, values out: nothing here reads a file, knows a table or a page, or looks at a clock. The mailbox
//! store keeps these values in columns; the `mail` layer makes them from MIME. Sources: exchange-store 3 and 12,
//! recover-semantics 5.

mod change;
mod entry_id;
mod error;
mod fingerprint;
mod guid;
mod ids;
mod message;
mod property;
mod recipients;
pub mod tags;
mod time;

pub use change::{ChangeKey, LocalId, Pcl, PclOrder, SourceKey};
pub use entry_id::{EntryObject, FolderEntryId, LongTermId, MessageEntryId};
pub use error::{MapiError, MapiResult};
pub use fingerprint::{
    BodyDigest, BodyKind, Content, Fingerprint, content_hash, fingerprint_of_mapi, folded_length,
};
pub use guid::{Guid, MailboxGuid, PropertySetGuid, ReplGuid, StoreGuid};
pub use ids::{ChangeNumber, FolderId, GlobCnt, InstanceId, MessageId, ReplId};
pub use message::{
    AttachmentBody, AttachmentInfo, Importance, ItemFlags, MapiAttachment, MapiMessage,
    MessageFlags, Party, Promoted, Recipient, RecipientKind, SearchKey, Sensitivity,
};
pub use property::{NamedProperty, PropId, PropName, PropTag, PropType};
pub use recipients::{Cell, RecipientTable, decode_recipients, encode_recipients};
pub use time::FileTime;
pub(crate) use time::unix_seconds;

/// Encodes text as the `U` columns hold it: UTF-16LE without a terminator. Source: exchange-store 12.2.
pub fn to_utf16le(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len().saturating_mul(2));
    for unit in text.encode_utf16() {
        bytes.extend_from_slice(&unit.to_le_bytes());
    }
    bytes
}

/// Decodes a `U` column. Never fails: an unpaired surrogate or an odd last byte becomes U+FFFD.
pub fn from_utf16le(bytes: &[u8]) -> String {
    if let Some(text) = ascii_of_utf16le(bytes) {
        return text;
    }
    let units = bytes.chunks_exact(2).map(|pair| match pair {
        [low, high] => u16::from_le_bytes([*low, *high]),
        _ => 0xfffd, // chunks_exact gives pairs only
    });
    let mut text: String =
        char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
    if bytes.len() % 2 == 1 {
        text.push(char::REPLACEMENT_CHARACTER);
    }
    text
}

/// The text, when it is all ASCII: most of what a store holds, and much cheaper.
fn ascii_of_utf16le(bytes: &[u8]) -> Option<String> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let is_ascii = pairs.iter().fold(0, |or, [low, high]| or | low & 0x80 | high) == 0;
    if !is_ascii || !rest.is_empty() {
        return None;
    }
    String::from_utf8(pairs.iter().map(|[low, _]| *low).collect()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_comes_back_from_utf16() {
        for text in ["", "plain", "Grüße", "日本語", "\u{1f4e7} mail"] {
            assert_eq!(from_utf16le(&to_utf16le(text)), text);
        }
    }

    #[test]
    fn broken_utf16_becomes_replacement_characters() {
        assert_eq!(from_utf16le(&[0x41, 0, 0x42]), "A\u{fffd}");
        assert_eq!(from_utf16le(&[0x00, 0xd8, 0x41, 0]), "\u{fffd}A");
    }
}
