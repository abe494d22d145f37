//! The column names that code uses, so that none is spelt twice. What they mean: exchange-store 12.3 to 12.9.

// Ids.
pub(crate) const FOLDER: &str = "Q6748";
pub(crate) const PARENT: &str = "Q6749";
pub(crate) const ROOT: &str = "Q6764";
pub(crate) const MESSAGE: &str = "Q674a";
pub(crate) const CHANGE: &str = "Q67a4";
pub(crate) const READ_CHANGE: &str = "Q7e50";
pub(crate) const INSTANCE: &str = "Q7e30";
pub(crate) const SOURCE_KEY: &str = "N65e0";
pub(crate) const CHANGE_KEY: &str = "N65e2";
pub(crate) const PCL: &str = "N65e3";

// Global.
pub(crate) const ONE: &str = "L7e00";
pub(crate) const NEXT_ID: &str = "Q7e01";
pub(crate) const NEXT_CHANGE: &str = "Q7e02";
pub(crate) const LOCAL_REPLICA: &str = "L7e03";
pub(crate) const SCHEMA_VERSION: &str = "L7e04";
pub(crate) const STORE_GUID: &str = "N676a";
pub(crate) const REPL_GUID: &str = "N6762";
pub(crate) const STORE_DN: &str = "N6768";

// Mailboxes.
pub(crate) const MAILBOX_GUID: &str = "N676c";
pub(crate) const DN: &str = "S7e10";
pub(crate) const DN_KEY: &str = "N7e17";
pub(crate) const LOGON_FOLDERS: &str = "MQ7e11";
pub(crate) const ITEM_COUNT: &str = "L7e12";
pub(crate) const DELETED_COUNT: &str = "L7e13";
pub(crate) const LOCALE: &str = "L66a1";
pub(crate) const LOCALIZED: &str = "F7e14";
pub(crate) const CODE_PAGE: &str = "L66c3";
pub(crate) const OWNER_SID: &str = "N66a0";
pub(crate) const QUOTA_WARNING: &str = "L6721";
pub(crate) const QUOTA_SEND: &str = "L6722";
pub(crate) const QUOTA_RECEIVE: &str = "L6723";

// Folders.
pub(crate) const NAME: &str = "U3001";
pub(crate) const NAME_KEY: &str = "N7e26";
pub(crate) const COMMENT: &str = "U3004";
pub(crate) const CLASS: &str = "S3613";
pub(crate) const FOLDER_TYPE: &str = "L3601";
pub(crate) const CONTENT_COUNT: &str = "L3602";
pub(crate) const UNREAD_COUNT: &str = "L3603";
pub(crate) const ASSOCIATED_COUNT: &str = "L3617";
pub(crate) const SUBFOLDER_COUNT: &str = "L6638";
pub(crate) const SUBMITTED_COUNT: &str = "L7e20";
pub(crate) const RECEIVE_COUNT: &str = "L7e21";
pub(crate) const SOFT_COUNT: &str = "L6640";
pub(crate) const SOFT_FOLDER_COUNT: &str = "L6641";
pub(crate) const SOFT_ASSOCIATED_COUNT: &str = "L6643";
pub(crate) const NORMAL_SIZE: &str = "Q66b3";
pub(crate) const ASSOCIATED_SIZE: &str = "Q66b4";
pub(crate) const SOFT_SIZE: &str = "Q669b";
pub(crate) const SOFT_NORMAL_SIZE: &str = "Q669c";
pub(crate) const SOFT_ASSOCIATED_SIZE: &str = "Q669d";
pub(crate) const WITH_ATTACHMENTS: [&str; 2] = ["L66ad", "L66ae"];
pub(crate) const RECIPIENTS_ON: [&str; 2] = ["L66af", "L66b0"];
pub(crate) const ATTACHMENTS_ON: [&str; 2] = ["L66b1", "L66b2"];
pub(crate) const HIERARCHY_CHANGE: &str = "L663e";
pub(crate) const DELETED_TOTAL: &str = "L670b";
pub(crate) const NEXT_ARTICLE: &str = "L6751";
pub(crate) const FOLDER_FLAGS: &str = "L66a8";
pub(crate) const COMMIT_TIME_MAX: &str = "T670a";
pub(crate) const OLDEST_DELETED: &str = "T6642";
pub(crate) const SPECIAL_FOLDERS: &str = "MN36d8";

// Rows of folders.
pub(crate) const ASSOCIATED: &str = "F67aa";
pub(crate) const READ: &str = "Fe69";
pub(crate) const FLAGS: &str = "Le07";
pub(crate) const STATUS: &str = "Le17";
pub(crate) const SORT_TIME: &str = "T6654";
pub(crate) const COMMIT_TIME: &str = "T6709";
pub(crate) const ARTICLE: &str = "L7e51";
pub(crate) const PARTIAL: &str = "F7e53";
pub(crate) const FLAG_STATUS: &str = "L1090";
pub(crate) const CATEGORIES: &str = "MU9000";
pub(crate) const DELETED_ON: &str = "T668f";

// Times, sizes and headers, on several tables.
pub(crate) const CREATED: &str = "T3007";
pub(crate) const MODIFIED: &str = "T3008";
pub(crate) const DELIVERED: &str = "Te06";
pub(crate) const SUBMITTED: &str = "T39";
pub(crate) const SIZE: &str = "Qe08";
pub(crate) const SEARCH_KEY: &str = "N300b";
pub(crate) const SUBJECT: &str = "U37";
pub(crate) const SUBJECT_PREFIX: &str = "U3d";
pub(crate) const NORMALIZED_SUBJECT: &str = "Ue1d";
pub(crate) const TOPIC: &str = "U70";
pub(crate) const MESSAGE_CLASS: &str = "S1a";
pub(crate) const IMPORTANCE: &str = "L17";
pub(crate) const PRIORITY: &str = "L26";
pub(crate) const SENSITIVITY: &str = "L36";
pub(crate) const HAS_ATTACHMENTS: &str = "Fe1b";
pub(crate) const DISPLAY_TO: &str = "Ue04";
pub(crate) const DISPLAY_CC: &str = "Ue03";
pub(crate) const DISPLAY_BCC: &str = "Ue02";
pub(crate) const SENDER_NAME: &str = "Uc1a";
pub(crate) const SENDER_ADDRESS: &str = "Uc1f";
pub(crate) const SENDER_ADDRESS_TYPE: &str = "Sc1e";
pub(crate) const SENDER_SEARCH_KEY: &str = "Nc1d";
pub(crate) const REPRESENTED_NAME: &str = "U42";
pub(crate) const REPRESENTED_ADDRESS: &str = "U65";
pub(crate) const REPRESENTED_ADDRESS_TYPE: &str = "S64";
pub(crate) const REPRESENTED_SEARCH_KEY: &str = "N3b";

// Contents.
pub(crate) const REFERENCES: &str = "L7e31";
pub(crate) const SOFT_REFERENCES: &str = "L7e32";
pub(crate) const CONVERSION: &str = "L7e33";
pub(crate) const RECIPIENT_COUNT: &str = "L7e34";
pub(crate) const ATTACHMENT_COUNT: &str = "L7e35";
pub(crate) const TEXT_LENGTH: &str = "Q7e36";
pub(crate) const ATTACHMENT_LIST: &str = "N7e37";
pub(crate) const MIME_TYPE: &str = "N6720";
pub(crate) const STREAM: &str = "H6659";
pub(crate) const MIME_LENGTH: &str = "L6746";
pub(crate) const STREAM_LENGTH: &str = "Q6747";
pub(crate) const TRANSPORT_HEADERS: &str = "U7d";
pub(crate) const BODY: &str = "U1000";
pub(crate) const BODY_RTF: &str = "N1009";
pub(crate) const BODY_HTML: &str = "N1013";
pub(crate) const BODY_CODE_PAGE: &str = "L3fde";
pub(crate) const RECIPIENTS: &str = "Ne12";
pub(crate) const ATTACHMENTS: &str = "MQe13";
pub(crate) const MESSAGE_ID: &str = "S1035";
pub(crate) const MESSAGE_REFERENCES: &str = "U1039";
pub(crate) const IN_REPLY_TO: &str = "U1042";

// Attachments.
pub(crate) const ATTACHMENT: &str = "Q7e40";
pub(crate) const ATTACHMENT_REFERENCES: &str = "L7e41";
pub(crate) const ATTACHMENT_SOFT_REFERENCES: &str = "L7e42";
pub(crate) const METHOD: &str = "L3705";
pub(crate) const ATTACHMENT_SIZE: &str = "Le20";
pub(crate) const ATTACHMENT_NUMBER: &str = "Le21";
pub(crate) const RENDERING_POSITION: &str = "L370b";
pub(crate) const ATTACHMENT_FLAGS: &str = "L3714";
pub(crate) const FILE_NAME: &str = "U3707";
pub(crate) const EXTENSION: &str = "U3703";
pub(crate) const ATTACHMENT_MIME: &str = "S370e";
pub(crate) const CONTENT_ID: &str = "U3712";
pub(crate) const DATA: &str = "N3701";
pub(crate) const DATA_STREAM: &str = "H3701";
pub(crate) const EMBEDDED: &str = "Q7e45";

// Replicas, named properties, receive folders.
pub(crate) const REPLICA_ID: &str = "L7e60";
pub(crate) const REPLICA_GUID: &str = "N7e61";
pub(crate) const REPLICA_FLAGS: &str = "L7e62";
pub(crate) const PROPERTY_ID: &str = "L7e67";
pub(crate) const PROPERTY_SET: &str = "N7e68";
pub(crate) const PROPERTY_KIND: &str = "L7e69";
pub(crate) const PROPERTY_NUMBER: &str = "L7e6a";
pub(crate) const PROPERTY_TEXT: &str = "U7e6b";
pub(crate) const PROPERTY_HASH: &str = "N7e6c";
pub(crate) const RECEIVE_CLASS: &str = "S7e6d";
pub(crate) const RECEIVE_KEY: &str = "N7e6e";
