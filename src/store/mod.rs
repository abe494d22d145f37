//! The mailbox store: mailboxes, folders, items, shared contents, attachments, ids and counters, over a database and its
//! streaming file.
//!
//! Knows the schema and keeps it consistent: every counter of exchange-store 4, every reference count, every change number.
//! Knows neither MIME nor files of mail (`mail` makes the values it stores), and decides nothing about what should be
//! stored (`recover`). Errors are those of the layers below: I/O, corrupt, unsupported, refused. Sources: exchange-store 4, 6, 10, 12;
//! design D3 to D7.
//!
//! | file | what it is for |
//! |---|---|
//! | `schema` | tables, columns and indexes, as data |
//! | `view`, `brief`, `scan`, `codec` | reading: the same for [`Store`] and [`StoreWriter`] |
//! | `mailbox`, `folder`, `item`, `content` | one row of each kind as a value |
//! | `counts` | what an item adds to its folder's counters |
//! | `roles`, `names` | well-known folders; replicas and named properties |
//! | `job` | the store's record of recoveries |
//! | `identity` | GUIDs and signatures of a new store |
//! | `read`, `write` | a store opened for reading, and for writing |
//! | `copy`, `sum` | rows of one store in another; whether two contents are copies |
//! | `rows`, `parts`, `stored` | rows looked up one after the other; what a copy needs; whether what was written is there |
//! | `check` | whether counters, references and streams of a store agree |

mod brief;
pub mod check;
mod codec;
mod content;
mod copy;
mod counts;
mod folder;
mod folder_brief;
mod identity;
mod item;
mod job;
mod mailbox;
mod mapi_form;
mod names;
mod parts;
mod places;
mod read;
mod roles;
mod rows;
mod scan;
pub mod schema;
mod stored;
mod sum;
mod view;
mod write;

pub use brief::{Brief, BriefReader, ContentBrief};
pub use codec::fold_name;
pub use content::{Attachment, Content, Form};
pub use counts::{FolderCounts, ItemWeight, KindCounts};
pub use folder::{DEPTH_MAX, Folder, FolderChild, FolderKind, FolderTree, InTree, split_path};
pub use folder_brief::FolderBrief;
pub use identity::{StoreIdentity, fresh_mailbox_guid};
pub use item::{Headers, Item, ItemId};
pub use job::JobRow;
pub use mailbox::{Mailbox, MailboxProfile, Quotas};
pub use parts::{AttachmentParts, ContentParts, CopyNeeds};
pub use read::{CommittedStore, Store, is_store};
pub use roles::{ENTRY_ID_ROLES, LOGON_ROLES, Role};
pub use rows::StoreRows;
pub use schema::Tables;
pub use sum::{ContentSum, LostAttachment, Summer};
pub use view::{Body, StoreInfo, View, Visit};
pub use write::{
    ATTACHMENT_ROWS_MAX, AheadFiles, Articles, Holders, NewFolder, Parcel, ParcelBuilder,
    ParcelMaps, ParcelStock, ParcelTarget, ParcelWish, Reservation, StoreWriter, Stored,
};
