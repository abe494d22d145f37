//! The properties that the schema of the mailbox store uses, by name.
//!
//! Ids and letters as in exchange-store 3.2 and 12.3 to 12.8; 0x64, 0x65, 0x71, 0x7d, 0xc1d and 0x1042 from the published
//! property list. Columns invented for the model (ids 0x7e00 to 0x7eff) belong to the store and are not here.

use super::property::{PropTag, PropType};

macro_rules! tags {
    ($($(#[$doc:meta])* $name:ident = $kind:ident $id:literal $prop_type:ident;)+) => {
        $($(#[$doc])* pub const $name: PropTag = PropTag::$kind($id, PropType::$prop_type);)+

        /// Every tag above, with its name.
        pub const ALL: &[(&str, PropTag)] = &[$((stringify!($name), $name),)+];
    };
}

tags! {
    /// PR_SUBJECT, prefix included.
    SUBJECT = new 0x0037 Unicode;
    /// PR_SUBJECT_PREFIX: `RE: ` and the like.
    SUBJECT_PREFIX = new 0x003d Unicode;
    /// PR_NORMALIZED_SUBJECT: without the prefix.
    NORMALIZED_SUBJECT = new 0x0e1d Unicode;
    /// PR_CONVERSATION_TOPIC.
    CONVERSATION_TOPIC = new 0x0070 Unicode;
    /// PR_CONVERSATION_INDEX.
    CONVERSATION_INDEX = new 0x0071 Binary;
    /// PR_MESSAGE_CLASS.
    MESSAGE_CLASS = new 0x001a String8;
    /// PR_IMPORTANCE: 0 low, 1 normal, 2 high.
    IMPORTANCE = new 0x0017 Long;
    /// PR_PRIORITY: -1, 0 or 1.
    PRIORITY = new 0x0026 Long;
    /// PR_SENSITIVITY: 0 to 3.
    SENSITIVITY = new 0x0036 Long;
    /// PR_CLIENT_SUBMIT_TIME.
    SUBMIT_TIME = new 0x0039 SysTime;
    /// PR_MESSAGE_DELIVERY_TIME.
    DELIVERY_TIME = new 0x0e06 SysTime;
    /// PR_CREATION_TIME.
    CREATION_TIME = new 0x3007 SysTime;
    /// PR_LAST_MODIFICATION_TIME.
    LAST_MODIFICATION_TIME = new 0x3008 SysTime;
    /// PR_SENDER_ENTRYID.
    SENDER_ENTRY_ID = new 0x0c19 Binary;
    /// PR_SENDER_NAME.
    SENDER_NAME = new 0x0c1a Unicode;
    /// PR_SENDER_SEARCH_KEY.
    SENDER_SEARCH_KEY = new 0x0c1d Binary;
    /// PR_SENDER_ADDRTYPE.
    SENDER_ADDRESS_TYPE = new 0x0c1e String8;
    /// PR_SENDER_EMAIL_ADDRESS.
    SENDER_ADDRESS = new 0x0c1f Unicode;
    /// PR_SENT_REPRESENTING_SEARCH_KEY.
    REPRESENTING_SEARCH_KEY = new 0x003b Binary;
    /// PR_SENT_REPRESENTING_ENTRYID.
    REPRESENTING_ENTRY_ID = new 0x0041 Binary;
    /// PR_SENT_REPRESENTING_NAME.
    REPRESENTING_NAME = new 0x0042 Unicode;
    /// PR_SENT_REPRESENTING_ADDRTYPE.
    REPRESENTING_ADDRESS_TYPE = new 0x0064 String8;
    /// PR_SENT_REPRESENTING_EMAIL_ADDRESS.
    REPRESENTING_ADDRESS = new 0x0065 Unicode;
    /// PR_TRANSPORT_MESSAGE_HEADERS.
    TRANSPORT_HEADERS = new 0x007d Unicode;
    /// PR_BODY: the text body.
    BODY = new 0x1000 Unicode;
    /// PR_RTF_COMPRESSED.
    BODY_RTF = new 0x1009 Binary;
    /// PR_HTML, bytes in the code page of 0x3fde.
    BODY_HTML = new 0x1013 Binary;
    /// PR_INTERNET_CPID.
    INTERNET_CODE_PAGE = new 0x3fde Long;
    /// PR_INTERNET_MESSAGE_ID.
    INTERNET_MESSAGE_ID = new 0x1035 String8;
    /// PR_INTERNET_REFERENCES.
    INTERNET_REFERENCES = new 0x1039 Unicode;
    /// PR_IN_REPLY_TO_ID.
    IN_REPLY_TO_ID = new 0x1042 Unicode;
    /// PR_DISPLAY_BCC.
    DISPLAY_BCC = new 0x0e02 Unicode;
    /// PR_DISPLAY_CC.
    DISPLAY_CC = new 0x0e03 Unicode;
    /// PR_DISPLAY_TO.
    DISPLAY_TO = new 0x0e04 Unicode;
    /// PR_MESSAGE_RECIPIENTS, here the recipients blob.
    RECIPIENTS = new 0x0e12 Binary;
    /// PR_MESSAGE_ATTACHMENTS, here the ordered Inids.
    ATTACHMENTS = multi 0x0e13 I8;
    /// PR_MESSAGE_SIZE_EXTENDED.
    MESSAGE_SIZE = new 0x0e08 I8;
    /// PR_HASATTACH.
    HAS_ATTACHMENTS = new 0x0e1b Boolean;
    /// PR_SEARCH_KEY, 16 bytes.
    SEARCH_KEY = new 0x300b Binary;
    /// PR_INTERNET_FREE_DOC_INFO: text about the MIME type.
    INTERNET_FREE_DOC_INFO = new 0x6720 Binary;
    /// PR_INTERNET_CONTENT: the MIME stream.
    INTERNET_CONTENT = new 0x6659 FileHandle;
    /// Length of the MIME.
    MIME_LENGTH = new 0x6746 Long;
    /// Length of the stream.
    STREAM_LENGTH = new 0x6747 I8;
    /// The MID.
    MESSAGE_ID = new 0x674a I8;
    /// PR_ASSOCIATED: hidden item.
    ASSOCIATED = new 0x67aa Boolean;
    /// PR_READ.
    READ = new 0x0e69 Boolean;
    /// PR_MESSAGE_FLAGS.
    MESSAGE_FLAGS = new 0x0e07 Long;
    /// PR_MSG_STATUS.
    MESSAGE_STATUS = new 0x0e17 Long;
    /// Delivery time, else creation time.
    SORT_TIME = new 0x6654 SysTime;
    /// PR_LOCAL_COMMIT_TIME: last change in this database.
    LOCAL_COMMIT_TIME = new 0x6709 SysTime;
    /// PR_DELETED_ON.
    DELETED_ON = new 0x668f SysTime;
    /// The CN.
    CHANGE_NUMBER = new 0x67a4 I8;
    /// PR_CHANGE_KEY.
    CHANGE_KEY = new 0x65e2 Binary;
    /// PR_PREDECESSOR_CHANGE_LIST.
    PREDECESSOR_CHANGE_LIST = new 0x65e3 Binary;
    /// PR_SOURCE_KEY.
    SOURCE_KEY = new 0x65e0 Binary;
    /// Hash of the URL component.
    URL_COMP_NAME_HASH = new 0x6710 Long;
    /// PR_URL_COMP_NAME.
    URL_COMP_NAME = new 0x10f3 Unicode;
    /// PR_FLAG_STATUS.
    FLAG_STATUS = new 0x1090 Long;
    /// PR_SENTMAIL_SVREID.
    SENT_MAIL_SVREID = new 0x6740 SvrEid;
    /// Id of a rule.
    RULE_ID = new 0x65a0 I8;
    /// PR_RULE_MSG_STATE.
    RULE_MSG_STATE = new 0x65e9 Long;
    /// PR_RULE_MSG_PROVIDER.
    RULE_MSG_PROVIDER = new 0x65eb String8;
    /// Actions of a rule.
    RULE_MSG_ACTIONS = new 0x65ef Binary;
    /// Condition of a rule.
    RULE_MSG_CONDITION = new 0x65f0 Binary;
    /// PR_RULE_MSG_SEQUENCE.
    RULE_MSG_SEQUENCE = new 0x65f3 Long;
    /// The FID.
    FOLDER_ID = new 0x6748 I8;
    /// FID of the parent.
    PARENT_FOLDER_ID = new 0x6749 I8;
    /// FID of the mailbox's root.
    ROOT_FOLDER_ID = new 0x6764 I8;
    /// PR_FOLDER_TYPE: 0 root, 1 generic, 2 search, 4 attachments.
    FOLDER_TYPE = new 0x3601 Long;
    /// PR_CONTENT_COUNT.
    CONTENT_COUNT = new 0x3602 Long;
    /// PR_CONTENT_UNREAD.
    UNREAD_COUNT = new 0x3603 Long;
    /// PR_ASSOC_CONTENT_COUNT.
    ASSOCIATED_COUNT = new 0x3617 Long;
    /// PR_FOLDER_CHILD_COUNT.
    SUBFOLDER_COUNT = new 0x6638 Long;
    /// PR_DELETED_MSG_COUNT.
    DELETED_MESSAGE_COUNT = new 0x6640 Long;
    /// PR_DELETED_FOLDER_COUNT.
    DELETED_FOLDER_COUNT = new 0x6641 Long;
    /// PR_DELETED_ASSOC_MSG_COUNT.
    DELETED_ASSOCIATED_COUNT = new 0x6643 Long;
    /// PR_OLDEST_DELETED_ON.
    OLDEST_DELETED_ON = new 0x6642 SysTime;
    /// Size of the ordinary items.
    NORMAL_SIZE = new 0x66b3 I8;
    /// Size of the hidden items.
    ASSOCIATED_SIZE = new 0x66b4 I8;
    /// Size of the soft-deleted items.
    DELETED_SIZE = new 0x669b I8;
    /// Of these, ordinary ones.
    DELETED_NORMAL_SIZE = new 0x669c I8;
    /// Of these, hidden ones.
    DELETED_ASSOCIATED_SIZE = new 0x669d I8;
    /// PR_HIERARCHY_CHANGE_NUM.
    HIERARCHY_CHANGE_NUMBER = new 0x663e Long;
    /// PR_DELETED_COUNT_TOTAL, wraps.
    DELETED_COUNT_TOTAL = new 0x670b Long;
    /// Next article number.
    NEXT_ARTICLE_NUMBER = new 0x6751 Long;
    /// PR_FOLDER_FLAGS.
    FOLDER_FLAGS = new 0x66a8 Long;
    /// PR_LOCAL_COMMIT_TIME_MAX.
    LOCAL_COMMIT_TIME_MAX = new 0x670a SysTime;
    /// PR_DISPLAY_NAME.
    DISPLAY_NAME = new 0x3001 Unicode;
    /// PR_COMMENT.
    COMMENT = new 0x3004 Unicode;
    /// PR_CONTAINER_CLASS.
    CONTAINER_CLASS = new 0x3613 String8;
    /// PR_ACL_DATA.
    ACL_DATA = new 0x3fe0 Binary;
    /// PR_NT_SECURITY_DESCRIPTOR.
    NT_SECURITY_DESCRIPTOR = new 0x0e27 Binary;
    /// SID of the creator.
    CREATOR_SID = new 0x0e58 Binary;
    /// SID of the last modifier.
    LAST_MODIFIER_SID = new 0x0e59 Binary;
    /// PR_DEFAULT_VIEW_ENTRYID.
    DEFAULT_VIEW_ENTRY_ID = new 0x3616 Binary;
    /// PR_IPM_APPOINTMENT_ENTRYID.
    CALENDAR_ENTRY_ID = new 0x36d0 Binary;
    /// PR_IPM_CONTACT_ENTRYID.
    CONTACTS_ENTRY_ID = new 0x36d1 Binary;
    /// PR_IPM_JOURNAL_ENTRYID.
    JOURNAL_ENTRY_ID = new 0x36d2 Binary;
    /// PR_IPM_NOTE_ENTRYID.
    NOTES_ENTRY_ID = new 0x36d3 Binary;
    /// PR_IPM_TASK_ENTRYID.
    TASKS_ENTRY_ID = new 0x36d4 Binary;
    /// PR_REM_ONLINE_ENTRYID.
    REMINDERS_ENTRY_ID = new 0x36d5 Binary;
    /// PR_IPM_DRAFTS_ENTRYID.
    DRAFTS_ENTRY_ID = new 0x36d7 Binary;
    /// PR_ADDITIONAL_REN_ENTRYIDS.
    ADDITIONAL_REN_ENTRY_IDS = multi 0x36d8 Binary;
    /// PR_FREEBUSY_ENTRYIDS.
    FREE_BUSY_ENTRY_IDS = multi 0x36e4 Binary;
    /// The mailbox GUID.
    MAILBOX_GUID = new 0x676c Binary;
    /// The store GUID.
    STORE_GUID = new 0x676a Binary;
    /// REPLGUID of the local replica.
    LOCAL_REPL_GUID = new 0x6762 Binary;
    /// X.500 name of the store.
    STORE_DN = new 0x6768 Binary;
    /// SID of the owner.
    OWNER_SID = new 0x66a0 Binary;
    /// Locale of the mailbox.
    LOCALE = new 0x66a1 Long;
    /// Last logon.
    LAST_LOGON_TIME = new 0x66a2 SysTime;
    /// Last logoff.
    LAST_LOGOFF_TIME = new 0x66a3 SysTime;
    /// PR_CODE_PAGE_ID.
    CODE_PAGE = new 0x66c3 Long;
    /// Quota in KB that warns.
    QUOTA_WARNING = new 0x6721 Long;
    /// Quota in KB that stops sending.
    QUOTA_SEND = new 0x6722 Long;
    /// Quota in KB that stops receiving.
    QUOTA_RECEIVE = new 0x6723 Long;
    /// Replica GUID of a read-state row.
    REPLICA_GUID = new 0x67d0 Binary;
    /// PR_IMPLIED_RESTRICTIONS.
    IMPLIED_RESTRICTIONS = multi 0x667f Binary;
    /// PR_ATTACH_METHOD: 1 by value, 5 embedded message.
    ATTACH_METHOD = new 0x3705 Long;
    /// PR_ATTACH_SIZE.
    ATTACH_SIZE = new 0x0e20 Long;
    /// PR_ATTACH_NUM.
    ATTACH_NUMBER = new 0x0e21 Long;
    /// PR_RENDERING_POSITION.
    RENDERING_POSITION = new 0x370b Long;
    /// PR_ATTACH_FLAGS.
    ATTACH_FLAGS = new 0x3714 Long;
    /// PR_ATTACH_FILENAME.
    ATTACH_FILE_NAME = new 0x3704 Unicode;
    /// PR_ATTACH_LONG_FILENAME.
    ATTACH_LONG_FILE_NAME = new 0x3707 Unicode;
    /// PR_ATTACH_EXTENSION.
    ATTACH_EXTENSION = new 0x3703 Unicode;
    /// PR_ATTACH_MIME_TAG.
    ATTACH_MIME_TAG = new 0x370e String8;
    /// PR_ATTACH_CONTENT_ID.
    ATTACH_CONTENT_ID = new 0x3712 Unicode;
    /// PR_ATTACH_DATA_BIN.
    ATTACH_DATA = new 0x3701 Binary;
    /// The same in the `.stm`.
    ATTACH_STREAM = new 0x3701 FileHandle;
    /// PR_ATTACH_RENDERING.
    ATTACH_RENDERING = new 0x3709 Binary;
    /// PR_ATTACH_TAG.
    ATTACH_TAG = new 0x370a Binary;
    /// PR_RECIPIENT_TYPE: 1 to, 2 cc, 3 bcc.
    RECIPIENT_TYPE = new 0x0c15 Long;
    /// PR_ADDRTYPE.
    ADDRESS_TYPE = new 0x3002 Unicode;
    /// PR_EMAIL_ADDRESS.
    EMAIL_ADDRESS = new 0x3003 Unicode;
    /// PR_ENTRYID.
    ENTRY_ID = new 0x0fff Binary;
    /// PR_RESPONSIBILITY.
    RESPONSIBILITY = new 0x0e0f Boolean;
    /// PR_SEND_RICH_INFO.
    SEND_RICH_INFO = new 0x3a40 Boolean;
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn no_two_tags_share_a_column() {
        let mut seen = HashSet::new();
        for (name, tag) in ALL {
            assert!(seen.insert(tag.column_name()), "{name}");
            assert!(!tag.id.is_named(), "{name}");
        }
        assert!(seen.len() > 100);
    }
}
