//! Entry ids of folders (46 bytes) and messages (70 bytes), as properties and links hold them.
//!
//! ```text
//! 0   4   flags, 0
//! 4   16  provider: in a private store the mailbox GUID
//! 20  2   kind of object, little-endian: 1 private folder, 3 public folder, 7 private message, 9 public message
//! 22  24  folder: replica GUID, 6-byte counter big-endian, 2 bytes 0
//! 46  24  message, likewise                                    (messages only)
//! ```
//!
//! Source: exchange-store 3.3 (the layout of messages and the numbers of the kinds are recalled there, not re-read).

use super::error::{Fields, MapiError, MapiResult, exact};
use super::guid::{Guid, MailboxGuid, ReplGuid};
use super::ids::GlobCnt;

const FOLDER_BYTES: usize = 46;
const MESSAGE_BYTES: usize = 70;

/// A global id: replica GUID and counter; 24 bytes with its padding (LTID).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LongTermId {
    /// The replica that issued it.
    pub replica: ReplGuid,
    /// Its counter.
    pub counter: GlobCnt,
}

impl LongTermId {
    /// The 24 bytes.
    pub fn to_bytes(self) -> [u8; 24] {
        let mut bytes = [0; 24];
        let (guid, rest) = bytes.split_at_mut(16);
        guid.copy_from_slice(self.replica.as_bytes());
        let (counter, _padding) = rest.split_at_mut(6);
        counter.copy_from_slice(&self.counter.to_be_bytes());
        bytes
    }

    fn read(fields: &mut Fields<'_>) -> MapiResult<Self> {
        let replica = ReplGuid(Guid(fields.array()?));
        let counter = GlobCnt::from_be_bytes(fields.array()?);
        let padding = fields.u16()?;
        if padding != 0 {
            let found = u64::from(padding);
            return Err(MapiError::Field { what: "long-term id", field: "padding", found });
        }
        Ok(Self { replica, counter })
    }

    /// Reads the 24 bytes.
    ///
    /// # Errors
    /// [`MapiError::Length`] when there are not 24, [`MapiError::Field`] when the padding is not zero.
    pub fn from_bytes(bytes: &[u8]) -> MapiResult<Self> {
        let all: [u8; 24] = exact("long-term id", bytes)?;
        Self::read(&mut Fields::new("long-term id", &all))
    }
}

/// What an entry id points at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EntryObject {
    /// A folder or message of a mailbox.
    Private,
    /// A folder or message of the public folders.
    Public,
}

/// The entry id of a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FolderEntryId {
    /// The provider: the mailbox, in a private store.
    pub provider: MailboxGuid,
    /// Mailbox or public folders.
    pub object: EntryObject,
    /// The folder.
    pub folder: LongTermId,
}

impl FolderEntryId {
    /// The 46 bytes.
    pub fn to_bytes(self) -> Vec<u8> {
        let kind = match self.object {
            EntryObject::Private => 1,
            EntryObject::Public => 3,
        };
        let mut bytes = head(self.provider, kind);
        bytes.extend(self.folder.to_bytes());
        bytes
    }

    /// Reads the 46 bytes.
    ///
    /// # Errors
    /// [`MapiError::Length`] for another length, [`MapiError::Field`] when flags, kind or padding are not a folder's.
    pub fn from_bytes(bytes: &[u8]) -> MapiResult<Self> {
        let all: [u8; FOLDER_BYTES] = exact("folder entry id", bytes)?;
        let mut fields = Fields::new("folder entry id", &all);
        let (provider, object) = read_head(&mut fields, "folder entry id", [1, 3])?;
        Ok(Self { provider, object, folder: LongTermId::read(&mut fields)? })
    }
}

/// The entry id of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MessageEntryId {
    /// The provider: the mailbox, in a private store.
    pub provider: MailboxGuid,
    /// Mailbox or public folders.
    pub object: EntryObject,
    /// The folder that holds it.
    pub folder: LongTermId,
    /// The message.
    pub message: LongTermId,
}

impl MessageEntryId {
    /// The 70 bytes.
    pub fn to_bytes(self) -> Vec<u8> {
        let kind = match self.object {
            EntryObject::Private => 7,
            EntryObject::Public => 9,
        };
        let mut bytes = head(self.provider, kind);
        bytes.extend(self.folder.to_bytes());
        bytes.extend(self.message.to_bytes());
        bytes
    }

    /// Reads the 70 bytes.
    ///
    /// # Errors
    /// [`MapiError::Length`] for another length, [`MapiError::Field`] when flags, kind or padding are not a message's.
    pub fn from_bytes(bytes: &[u8]) -> MapiResult<Self> {
        let all: [u8; MESSAGE_BYTES] = exact("message entry id", bytes)?;
        let mut fields = Fields::new("message entry id", &all);
        let (provider, object) = read_head(&mut fields, "message entry id", [7, 9])?;
        let folder = LongTermId::read(&mut fields)?;
        Ok(Self { provider, object, folder, message: LongTermId::read(&mut fields)? })
    }
}

fn head(provider: MailboxGuid, kind: u16) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(MESSAGE_BYTES);
    bytes.extend([0; 4]);
    bytes.extend(provider.as_bytes());
    bytes.extend(kind.to_le_bytes());
    bytes
}

fn read_head(
    fields: &mut Fields<'_>,
    what: &'static str,
    [private, public]: [u16; 2],
) -> MapiResult<(MailboxGuid, EntryObject)> {
    let refused = |field, found| MapiError::Field { what, field, found };
    let flags = fields.u32()?;
    if flags != 0 {
        return Err(refused("flags", flags.into()));
    }
    let provider = MailboxGuid(Guid(fields.array()?));
    let kind = fields.u16()?;
    if kind == private {
        Ok((provider, EntryObject::Private))
    } else if kind == public {
        Ok((provider, EntryObject::Public))
    } else {
        Err(refused("kind of object", kind.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(byte: u8) -> LongTermId {
        let counter = GlobCnt::new(0x1ac4).unwrap();
        LongTermId { replica: ReplGuid(Guid([byte; 16])), counter }
    }

    #[test]
    fn entry_ids_come_back_from_their_bytes() {
        let provider = MailboxGuid(Guid([3; 16]));
        for object in [EntryObject::Private, EntryObject::Public] {
            let folder = FolderEntryId { provider, object, folder: id(4) };
            assert_eq!(folder.to_bytes().len(), FOLDER_BYTES);
            assert_eq!(FolderEntryId::from_bytes(&folder.to_bytes()), Ok(folder));
            let message = MessageEntryId { provider, object, folder: id(4), message: id(5) };
            assert_eq!(message.to_bytes().len(), MESSAGE_BYTES);
            assert_eq!(MessageEntryId::from_bytes(&message.to_bytes()), Ok(message));
        }
    }

    #[test]
    fn every_fixed_byte_is_checked() {
        let provider = MailboxGuid(Guid([3; 16]));
        let good =
            FolderEntryId { provider, object: EntryObject::Private, folder: id(4) }.to_bytes();
        for at in [0, 3, 20, 21, 44, 45] {
            let mut bad = good.clone();
            bad[at] ^= 0x40;
            assert!(
                matches!(FolderEntryId::from_bytes(&bad), Err(MapiError::Field { .. })),
                "{at}"
            );
        }
        for length in [0, 45, 47, 70] {
            assert!(FolderEntryId::from_bytes(&vec![0; length]).is_err());
        }
        assert!(MessageEntryId::from_bytes(&[0; 70]).is_err());
    }
}
