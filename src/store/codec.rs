//! Between bytes of columns and the values of `mapi`: every value of a row is checked here once.

use crate::ese::error::EseResult;
use crate::ese::txn::Pages;
use crate::mapi::{
    ChangeNumber, FileTime, FolderId, Guid, InstanceId, MapiError, MessageId, from_utf16le,
    to_utf16le,
};
use crate::stm::Fields;

use crate::ese::EseError;

/// A value of `mapi` that a column should hold and does not.
pub(crate) fn broken<P: Pages + ?Sized>(
    fields: &Fields<'_, '_, P>,
    column: &str,
    error: &MapiError,
) -> EseError {
    fields.corrupt(column, error.to_string())
}

/// Turns what is read in a column into a value.
pub(crate) fn decoded<P: Pages + ?Sized, T>(
    fields: &Fields<'_, '_, P>,
    column: &str,
    decode: impl FnOnce(&[u8]) -> Result<T, MapiError>,
) -> EseResult<Option<T>> {
    match fields.bytes(column)? {
        None => Ok(None),
        Some(bytes) => decode(&bytes).map(Some).map_err(|error| broken(fields, column, &error)),
    }
}

/// The same for a column that every row must have.
pub(crate) fn required<P: Pages + ?Sized, T>(
    fields: &Fields<'_, '_, P>,
    column: &str,
    decode: impl FnOnce(&[u8]) -> Result<T, MapiError>,
) -> EseResult<T> {
    decoded(fields, column, decode)?.ok_or_else(|| fields.corrupt(column, "the value is missing"))
}

/// Ids of a row, by column.
pub(crate) trait Ids {
    /// A FID.
    fn folder_id(&self, column: &str) -> EseResult<FolderId>;
    /// A FID that may be NULL.
    fn folder_id_or_null(&self, column: &str) -> EseResult<Option<FolderId>>;
    /// A MID.
    fn message_id(&self, column: &str) -> EseResult<MessageId>;
    /// An Inid.
    fn instance_id(&self, column: &str) -> EseResult<InstanceId>;
    /// A CN that may be NULL.
    fn change_number(&self, column: &str) -> EseResult<Option<ChangeNumber>>;
    /// A GUID.
    fn guid(&self, column: &str) -> EseResult<Guid>;
    /// UTF-16 text, empty for NULL; broken units become U+FFFD.
    fn text(&self, column: &str) -> EseResult<String>;
    /// 8-bit text, empty for NULL; read as UTF-8, what is not becomes U+FFFD.
    fn narrow_text(&self, column: &str) -> EseResult<String>;
    /// A time that may be NULL.
    fn time(&self, column: &str) -> EseResult<Option<FileTime>>;
}

impl<P: Pages + ?Sized> Ids for Fields<'_, '_, P> {
    fn folder_id(&self, column: &str) -> EseResult<FolderId> {
        required(self, column, FolderId::from_store)
    }

    fn folder_id_or_null(&self, column: &str) -> EseResult<Option<FolderId>> {
        decoded(self, column, FolderId::from_store)
    }

    fn message_id(&self, column: &str) -> EseResult<MessageId> {
        required(self, column, MessageId::from_store)
    }

    fn instance_id(&self, column: &str) -> EseResult<InstanceId> {
        required(self, column, InstanceId::from_store)
    }

    fn change_number(&self, column: &str) -> EseResult<Option<ChangeNumber>> {
        decoded(self, column, ChangeNumber::from_store)
    }

    fn guid(&self, column: &str) -> EseResult<Guid> {
        required(self, column, Guid::from_slice)
    }

    fn text(&self, column: &str) -> EseResult<String> {
        Ok(self.bytes(column)?.map_or(String::new(), |bytes| from_utf16le(&bytes)))
    }

    fn narrow_text(&self, column: &str) -> EseResult<String> {
        let bytes = self.bytes(column)?;
        Ok(bytes.map_or(String::new(), |bytes| String::from_utf8_lossy(&bytes).into_owned()))
    }

    fn time(&self, column: &str) -> EseResult<Option<FileTime>> {
        Ok(self.i64_or_null(column)?.map(FileTime))
    }
}

/// A counter as a Long column holds it; what does not fit becomes the nearest value.
pub(crate) fn to_long(number: i64) -> i32 {
    i32::try_from(number).unwrap_or(if number < 0 { i32::MIN } else { i32::MAX })
}

/// Simple case folding of a name, as names are compared. Source: recover-semantics F9.
pub fn fold_name(name: &str) -> String {
    if name.is_ascii() {
        return name.to_ascii_lowercase();
    }
    // One character for one: what has no single lower-case partner stays as it is.
    let fold = |c: char| {
        let mut lower = c.to_lowercase();
        match (lower.next(), lower.next()) {
            (Some(one), None) => one,
            _ => c,
        }
    };
    name.chars().map(fold).collect()
}

/// The part of a folder's name by which it is looked up: the first 64 bytes of the folded name. Source: exchange-store 12.5.
pub(crate) fn name_key(name: &str) -> Vec<u8> {
    let mut key = to_utf16le(&fold_name(name));
    key.truncate(64);
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fold_character_by_character() {
        assert_eq!(fold_name("Größe ÄÖ İ"), "größe äö İ");
        assert_eq!(fold_name("ΑΣ"), "ας".replace('ς', "σ"));
    }

    #[test]
    fn counters_that_do_not_fit_are_clamped() {
        assert_eq!(to_long(5), 5);
        assert_eq!(to_long(i64::MAX), i32::MAX);
        assert_eq!(to_long(i64::MIN), i32::MIN);
    }
}
