//! A mailbox as its row has it.

use crate::ese::error::EseResult;
use crate::ese::txn::Pages;
use crate::mapi::{FileTime, FolderId, MailboxGuid, to_utf16le};
use crate::stm::{Cell, Draft, Fields};

use super::codec::Ids;
use super::roles::{LOGON_ROLES, Role};
use super::schema::columns as col;

/// Most well-known folders that are looked at in a row.
const LOGON_FOLDERS_MAX: usize = 64;
/// Bytes of a name that are compared in the index. Source: exchange-store 12.4.
const DN_KEY_BYTES: usize = 200;

/// Quotas in kilobytes; `None` = the store's default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Quotas {
    /// Warn from here on.
    pub warning_kb: Option<i32>,
    /// Refuse to send from here on.
    pub send_kb: Option<i32>,
    /// Refuse to receive from here on.
    pub receive_kb: Option<i32>,
}

/// Who a mailbox belongs to, and how it is set up: what `--like` copies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailboxProfile {
    /// Its GUID, fixed for life.
    pub guid: MailboxGuid,
    /// Name to show.
    pub name: String,
    /// Legacy distinguished name of the owner; may be empty.
    pub dn: String,
    /// Security identifier of the owner; may be empty.
    pub owner_sid: Vec<u8>,
    /// Quotas.
    pub quotas: Quotas,
    /// Windows locale, 0 when unknown.
    pub locale: i32,
    /// Whether the folders have got their names in that language.
    pub localized: bool,
    /// Code page of 8-bit text, 0 when unknown.
    pub code_page: i32,
}

impl MailboxProfile {
    /// A mailbox with this GUID and name, everything else at its default.
    pub fn new(guid: MailboxGuid, name: &str) -> Self {
        Self {
            guid,
            name: name.to_owned(),
            dn: String::new(),
            owner_sid: Vec::new(),
            quotas: Quotas::default(),
            locale: 0x409,
            localized: true,
            code_page: 1252,
        }
    }
}

/// A mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mailbox {
    /// Whose it is.
    pub profile: MailboxProfile,
    /// Its root folder, by which the store knows it.
    pub root: FolderId,
    /// The logon folders in the order of [`LOGON_ROLES`].
    pub logon_folders: Vec<FolderId>,
    /// Size of all items that are not deleted, in bytes.
    pub bytes: i64,
    /// Items that are not deleted.
    pub items: i64,
    /// Soft-deleted items.
    pub deleted_items: i64,
    /// When it was disconnected, if it was.
    pub disconnected: Option<FileTime>,
    /// Last logon.
    pub last_logon: Option<FileTime>,
    /// Last logoff.
    pub last_logoff: Option<FileTime>,
}

impl Mailbox {
    /// The folder of a role that the mailbox row knows.
    pub fn logon_folder(&self, role: Role) -> Option<FolderId> {
        let place = LOGON_ROLES.iter().position(|logon| *logon == role)?;
        self.logon_folders.get(place).copied()
    }

    pub(crate) fn read<P: Pages + ?Sized>(fields: &Fields<'_, '_, P>) -> EseResult<Self> {
        let mut logon_folders = Vec::new();
        for bytes in fields.all(col::LOGON_FOLDERS)?.into_iter().take(LOGON_FOLDERS_MAX) {
            let folder = FolderId::from_store(&bytes);
            logon_folders.push(
                folder.map_err(|error| super::codec::broken(fields, col::LOGON_FOLDERS, &error))?,
            );
        }
        Ok(Self {
            profile: MailboxProfile {
                guid: MailboxGuid(fields.guid(col::MAILBOX_GUID)?),
                name: fields.text(col::NAME)?,
                dn: fields.narrow_text(col::DN)?,
                owner_sid: fields.bytes_or_empty(col::OWNER_SID)?,
                quotas: Quotas {
                    warning_kb: fields.i32_or_null(col::QUOTA_WARNING)?,
                    send_kb: fields.i32_or_null(col::QUOTA_SEND)?,
                    receive_kb: fields.i32_or_null(col::QUOTA_RECEIVE)?,
                },
                locale: fields.i32(col::LOCALE)?,
                localized: fields.bit(col::LOCALIZED)?,
                code_page: fields.i32(col::CODE_PAGE)?,
            },
            root: fields.folder_id(col::ROOT)?,
            logon_folders,
            bytes: fields.i64(col::SIZE)?,
            items: fields.i32(col::ITEM_COUNT)?.into(),
            deleted_items: fields.i32(col::DELETED_COUNT)?.into(),
            disconnected: fields.time(col::DELETED_ON)?,
            last_logon: fields.time("T66a2")?,
            last_logoff: fields.time("T66a3")?,
        })
    }

    /// The row of a new mailbox.
    pub(crate) fn put(
        draft: &mut Draft<'_, '_>,
        profile: &MailboxProfile,
        store: &[u8; 16],
        logon_folders: &[FolderId; LOGON_ROLES.len()],
    ) {
        let [root, ..] = logon_folders;
        let ids = logon_folders.iter().map(|folder| folder.to_store().to_vec().into());
        draft
            .copied(col::ROOT, &root.to_store())
            .i64(col::SIZE, 0)
            .i32(col::ITEM_COUNT, 0)
            .i32(col::DELETED_COUNT, 0)
            .i32(col::LOCALE, profile.locale)
            .bit(col::LOCALIZED, profile.localized)
            .i32(col::CODE_PAGE, profile.code_page)
            .bytes(col::MAILBOX_GUID, profile.guid.as_bytes().to_vec())
            .bytes(col::STORE_GUID, store.to_vec())
            .filled(col::OWNER_SID, profile.owner_sid.clone())
            .filled(col::DN_KEY, dn_key(&profile.dn))
            .filled(col::DN, profile.dn.clone().into_bytes())
            .bytes(col::NAME, to_utf16le(&profile.name))
            .set(col::LOGON_FOLDERS, Cell::Many(ids.collect()));
        for (column, quota) in [
            (col::QUOTA_WARNING, profile.quotas.warning_kb),
            (col::QUOTA_SEND, profile.quotas.send_kb),
            (col::QUOTA_RECEIVE, profile.quotas.receive_kb),
        ] {
            if let Some(quota) = quota {
                draft.i32(column, quota);
            }
        }
    }
}

/// The part of a distinguished name by which it is looked up. Source: exchange-store 12.4.
pub(crate) fn dn_key(dn: &str) -> Vec<u8> {
    let mut key = dn.to_uppercase().into_bytes();
    key.truncate(DN_KEY_BYTES);
    key
}
