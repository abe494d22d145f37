//! The content of a mail: one row however many folders hold it, with a MIME stream in the `.stm` or bodies and attachment
//! rows in the database.

use crate::ese::error::EseResult;
use crate::ese::txn::Pages;
use crate::mapi::{
    AttachmentInfo, Cell as TableCell, FileTime, Importance, InstanceId, ItemFlags, Party,
    Promoted, PropTag, RecipientKind, RecipientTable, SearchKey, Sensitivity, decode_recipients,
    encode_recipients, from_utf16le, tags, to_utf16le,
};
use crate::stm::{Cell, Draft, Fields, SlvInfo};

use super::codec::{Ids, broken, decoded, to_long};
use super::schema::columns as col;

/// In what form the content is stored (`L7e33`). Source: exchange-store 2.4, 6.6.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// As MIME in the streaming file, with some properties repeated in the row: 0.
    Mime,
    /// As MAPI properties and attachment rows: 3.
    Mapi,
    /// Another number.
    Other(i32),
}

impl Form {
    /// The stored number.
    pub fn number(self) -> i32 {
        match self {
            Self::Mime => 0,
            Self::Mapi => 3,
            Self::Other(number) => number,
        }
    }

    fn from_number(number: i32) -> Self {
        match number {
            0 => Self::Mime,
            3 => Self::Mapi,
            other => Self::Other(other),
        }
    }
}

/// The content row of a mail.
#[derive(Debug, Clone, PartialEq)]
pub struct Content {
    /// Its id.
    pub instance: InstanceId,
    /// Folder rows, and attachments, that hold it.
    pub references: i64,
    /// Soft-deleted folder rows that hold it.
    pub soft_references: i64,
    /// In what form it is stored.
    pub form: Form,
    /// Size charged to each holder, in bytes.
    pub bytes: i64,
    /// Number of recipients.
    pub recipient_count: i64,
    /// Number of attachments.
    pub attachment_count: i64,
    /// Creation.
    pub created: Option<FileTime>,
    /// Last modification.
    pub modified: Option<FileTime>,
    /// The properties of the mail. Flags and categories belong to the item and are empty here. Attachments are those of the
    /// list that a MIME mail has; those of the MAPI form are rows of their own.
    pub promoted: Promoted,
    /// Where the MIME is.
    pub stream: Option<SlvInfo>,
    /// Attachment rows, in order.
    pub attachments: Vec<InstanceId>,
}

impl Content {
    pub(crate) fn read<P: Pages + ?Sized>(fields: &Fields<'_, '_, P>) -> EseResult<Self> {
        let links = Self::of_links(fields)?;
        Ok(Self {
            instance: fields.instance_id(col::INSTANCE)?,
            references: fields.i32(col::REFERENCES)?.into(),
            soft_references: fields.i32(col::SOFT_REFERENCES)?.into(),
            form: Form::from_number(fields.i32(col::CONVERSION)?),
            bytes: fields.i64(col::SIZE)?,
            recipient_count: fields.i32(col::RECIPIENT_COUNT)?.into(),
            attachment_count: fields.i32(col::ATTACHMENT_COUNT)?.into(),
            created: fields.time(col::CREATED)?,
            modified: fields.time(col::MODIFIED)?,
            promoted: read_promoted(fields)?,
            stream: links.stream,
            attachments: links.attachments,
        })
    }
}

/// What a content row points at.
pub(crate) struct ContentLinks {
    pub(crate) stream: Option<SlvInfo>,
    pub(crate) attachments: Vec<InstanceId>,
}

impl Content {
    /// Only what the row points at.
    pub(crate) fn of_links<P: Pages + ?Sized>(
        fields: &Fields<'_, '_, P>,
    ) -> EseResult<ContentLinks> {
        let attachments = fields.all(col::ATTACHMENTS)?;
        let attachments = attachments.iter().map(|bytes| InstanceId::from_store(bytes));
        let attachments = attachments.collect::<Result<_, _>>();
        Ok(ContentLinks {
            stream: read_stream(fields, col::STREAM)?,
            attachments: attachments.map_err(|error| broken(fields, col::ATTACHMENTS, &error))?,
        })
    }
}

/// The stream that a column refers to.
pub(crate) fn read_stream<P: Pages + ?Sized>(
    fields: &Fields<'_, '_, P>,
    column: &str,
) -> EseResult<Option<SlvInfo>> {
    let Some(bytes) = fields.bytes(column)? else { return Ok(None) };
    SlvInfo::decode(&bytes).map(Some).map_err(|error| fields.corrupt(column, error.to_string()))
}

fn read_promoted<P: Pages + ?Sized>(fields: &Fields<'_, '_, P>) -> EseResult<Promoted> {
    let list = decoded(fields, col::ATTACHMENT_LIST, RecipientTable::from_bytes)?;
    let references = fields.text(col::MESSAGE_REFERENCES)?;
    let text_length = fields.i64(col::TEXT_LENGTH)?;
    let number = |column: &str| fields.i32_or_null(column);
    Ok(Promoted {
        search_key: decoded(fields, col::SEARCH_KEY, SearchKey::from_slice)?
            .unwrap_or(SearchKey([0; 16])),
        message_class: fields.narrow_text(col::MESSAGE_CLASS)?,
        subject: fields.text(col::SUBJECT)?,
        subject_prefix: fields.text(col::SUBJECT_PREFIX)?,
        normalized_subject: fields.text(col::NORMALIZED_SUBJECT)?,
        sender: Party {
            name: fields.text(col::SENDER_NAME)?,
            address: fields.text(col::SENDER_ADDRESS)?,
            address_type: fields.narrow_text(col::SENDER_ADDRESS_TYPE)?,
        },
        represented: Party {
            name: fields.text(col::REPRESENTED_NAME)?,
            address: fields.text(col::REPRESENTED_ADDRESS)?,
            address_type: fields.narrow_text(col::REPRESENTED_ADDRESS_TYPE)?,
        },
        recipients: decoded(fields, col::RECIPIENTS, decode_recipients)?.unwrap_or_default(),
        submit_time: fields.time(col::SUBMITTED)?,
        delivery_time: fields.time(col::DELIVERED)?,
        message_id: fields.narrow_text(col::MESSAGE_ID)?,
        in_reply_to: fields.text(col::IN_REPLY_TO)?,
        references: references.split_whitespace().map(str::to_owned).collect(),
        importance: match number(col::IMPORTANCE)? {
            Some(0) => Importance::Low,
            Some(2) => Importance::High,
            _ => Importance::Normal,
        },
        sensitivity: match number(col::SENSITIVITY)? {
            Some(1) => Sensitivity::Personal,
            Some(2) => Sensitivity::Private,
            Some(3) => Sensitivity::Confidential,
            _ => Sensitivity::Normal,
        },
        categories: Vec::new(),
        size_bytes: u64::try_from(fields.i64(col::SIZE)?).unwrap_or(0),
        attachments: list.map(|list| infos_of(&list)).unwrap_or_default(),
        has_attachments: fields.bit(col::HAS_ATTACHMENTS)?,
        text_length: u64::try_from(text_length).unwrap_or(0),
        mime_type: fields.narrow_text(col::MIME_TYPE)?,
        flags: ItemFlags::empty(),
    })
}

/// Puts the properties of a mail into its content row: all but id, counts, bodies, stream and attachment rows.
pub(crate) fn put_promoted<'v>(draft: &mut Draft<'_, 'v>, mail: &'v Promoted) -> EseResult<()> {
    let wide = |text: &str| to_utf16le(text);
    draft
        .bytes(col::SEARCH_KEY, &mail.search_key.0[..])
        .filled(col::MESSAGE_CLASS, mail.message_class.as_bytes())
        .filled(col::SUBJECT, wide(&mail.subject))
        .filled(col::SUBJECT_PREFIX, wide(&mail.subject_prefix))
        .filled(col::NORMALIZED_SUBJECT, wide(&mail.normalized_subject))
        .filled(col::TOPIC, wide(&mail.normalized_subject))
        .filled(col::SENDER_NAME, wide(&mail.sender.name))
        .filled(col::SENDER_ADDRESS, wide(&mail.sender.address))
        .filled(col::SENDER_ADDRESS_TYPE, mail.sender.address_type.as_bytes())
        .filled(col::SENDER_SEARCH_KEY, party_key(&mail.sender))
        .filled(col::REPRESENTED_NAME, wide(&mail.represented.name))
        .filled(col::REPRESENTED_ADDRESS, wide(&mail.represented.address))
        .filled(col::REPRESENTED_ADDRESS_TYPE, mail.represented.address_type.as_bytes())
        .filled(col::REPRESENTED_SEARCH_KEY, party_key(&mail.represented))
        .filled(col::DISPLAY_TO, wide(&mail.display_list(RecipientKind::To)))
        .filled(col::DISPLAY_CC, wide(&mail.display_list(RecipientKind::Cc)))
        .filled(col::DISPLAY_BCC, wide(&mail.display_list(RecipientKind::Bcc)))
        .filled(col::MESSAGE_ID, mail.message_id.as_bytes())
        .filled(col::IN_REPLY_TO, wide(&mail.in_reply_to))
        .filled(col::MESSAGE_REFERENCES, wide(&mail.references.join(" ")))
        .filled(col::MIME_TYPE, mail.mime_type.as_bytes())
        .i32(col::IMPORTANCE, mail.importance.to_i32())
        .i32(col::PRIORITY, mail.importance.to_priority())
        .i32(col::SENSITIVITY, mail.sensitivity.to_i32())
        .i64(col::SIZE, charged(mail))
        .i64(col::TEXT_LENGTH, i64::try_from(mail.text_length).unwrap_or(i64::MAX))
        .bit(col::HAS_ATTACHMENTS, mail.has_attachments);
    let dates = creation_of(mail);
    for (column, time) in [
        (col::SUBMITTED, mail.submit_time),
        (col::DELIVERED, mail.delivery_time),
        (col::CREATED, dates),
        (col::MODIFIED, dates),
    ] {
        if let Some(FileTime(time)) = time {
            draft.i64(column, time);
        }
    }
    if !mail.recipients.is_empty() {
        let blob = encode_recipients(&mail.recipients).map_err(refused)?;
        draft.bytes(col::RECIPIENTS, blob);
    }
    let counts = [
        (col::RECIPIENT_COUNT, mail.recipients.len()),
        (col::ATTACHMENT_COUNT, mail.attachments.len()),
    ];
    for (column, count) in counts {
        draft.i32(column, to_long(count as i64));
    }
    Ok(())
}

fn party_key(party: &Party) -> Vec<u8> {
    if party.address.is_empty() { Vec::new() } else { party.search_key() }
}

fn refused(error: crate::mapi::MapiError) -> crate::ese::EseError {
    crate::ese::EseError::refused(crate::ese::error::Refusal::BadRequest, error.to_string())
}

/// Size charged for a mail.
pub(crate) fn charged(mail: &Promoted) -> i64 {
    i64::try_from(mail.size_bytes).unwrap_or(i64::MAX)
}

/// When a mail came into being, as the mail itself tells: one mail imported twice has one creation time.
pub(crate) fn creation_of(mail: &Promoted) -> Option<FileTime> {
    mail.delivery_time.or(mail.submit_time)
}

/// Columns of the list of attachments: name, MIME type, size, content id, method (5 embedded mail), flags (4 inline).
const LIST: [PropTag; 6] = [
    tags::ATTACH_LONG_FILE_NAME,
    tags::ATTACH_MIME_TAG,
    tags::MESSAGE_SIZE,
    tags::ATTACH_CONTENT_ID,
    tags::ATTACH_METHOD,
    tags::ATTACH_FLAGS,
];
/// Rows that the form of the list can hold.
const LIST_MAX: usize = u16::MAX as usize;
/// Attachment flag: the text shows it.
pub(crate) const INLINE: i32 = 4;
/// Attachment method: an embedded mail.
pub(crate) const METHOD_EMBEDDED: i32 = 5;
/// Attachment method: data.
pub(crate) const METHOD_DATA: i32 = 1;

/// Puts the list of a MIME mail's attachments into its row.
pub(crate) fn put_list(draft: &mut Draft<'_, '_>, infos: &[AttachmentInfo]) -> EseResult<()> {
    if infos.is_empty() {
        return Ok(());
    }
    let text = |text: &str| (!text.is_empty()).then(|| to_utf16le(text));
    let row = |info: &AttachmentInfo| -> Vec<TableCell> {
        let method = if info.embedded_message { METHOD_EMBEDDED } else { METHOD_DATA };
        let flags = if info.inline { INLINE } else { 0 };
        vec![
            text(&info.name),
            Some(info.mime_type.clone().into_bytes()),
            Some(info.size_bytes.to_le_bytes().to_vec()),
            text(&info.content_id),
            Some(method.to_le_bytes().to_vec()),
            Some(flags.to_le_bytes().to_vec()),
        ]
    };
    let rows = infos.iter().take(LIST_MAX).map(row).collect();
    let blob = RecipientTable { columns: LIST.to_vec(), rows }.to_bytes().map_err(refused)?;
    draft.set(col::ATTACHMENT_LIST, Cell::One(blob.into()));
    Ok(())
}

fn infos_of(list: &RecipientTable) -> Vec<AttachmentInfo> {
    let place = |tag: PropTag| list.columns.iter().position(|column| *column == tag);
    let places = LIST.map(place);
    let info = |row: &Vec<TableCell>| {
        let cell = |which: usize| -> &[u8] {
            let place = places.get(which).copied().flatten();
            place.and_then(|place| row.get(place)?.as_deref()).unwrap_or_default()
        };
        let long =
            |which: usize| cell(which).first_chunk().map_or(0, |bytes| i32::from_le_bytes(*bytes));
        AttachmentInfo {
            name: from_utf16le(cell(0)),
            mime_type: String::from_utf8_lossy(cell(1)).into_owned(),
            size_bytes: cell(2).first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes)),
            content_id: from_utf16le(cell(3)),
            embedded_message: long(4) == METHOD_EMBEDDED,
            inline: long(5) & INLINE != 0,
        }
    };
    list.rows.iter().map(info).collect()
}

/// An attachment row.
#[derive(Debug, Clone, PartialEq)]
pub struct Attachment {
    /// Its id.
    pub instance: InstanceId,
    /// Contents that hold it.
    pub references: i64,
    /// What lists show.
    pub info: AttachmentInfo,
    /// PR_ATTACH_METHOD.
    pub method: i32,
    /// The content row of an embedded mail.
    pub embedded: Option<InstanceId>,
    /// Where its data is, when that is in the streaming file.
    pub stream: Option<SlvInfo>,
}

impl Attachment {
    pub(crate) fn read<P: Pages + ?Sized>(fields: &Fields<'_, '_, P>) -> EseResult<Self> {
        let method = fields.i32(col::METHOD)?;
        let size_bytes = fields.i32(col::ATTACHMENT_SIZE)?;
        Ok(Self {
            instance: fields.instance_id(col::ATTACHMENT)?,
            references: fields.i32(col::ATTACHMENT_REFERENCES)?.into(),
            info: AttachmentInfo {
                name: fields.text(col::FILE_NAME)?,
                mime_type: fields.narrow_text(col::ATTACHMENT_MIME)?,
                size_bytes: u64::try_from(size_bytes).unwrap_or(0),
                content_id: fields.text(col::CONTENT_ID)?,
                inline: fields.i32(col::ATTACHMENT_FLAGS)? & INLINE != 0,
                embedded_message: method == METHOD_EMBEDDED,
            },
            method,
            embedded: decoded(fields, col::EMBEDDED, InstanceId::from_store)?,
            stream: read_stream(fields, col::DATA_STREAM)?,
        })
    }
}
