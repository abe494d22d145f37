//! Mail in and out: EML files, mbox files and Maildirs; promotion of properties; mail in the form of MAPI.
//!
//! Reading, the bytes of a message are kept exactly as they are; everything else is derived from them and never
//! from a clock, so that one mail imported into two stores is one item. Parsing never fails: a header that is missing or broken
//! gives an empty field, a wrong charset replacement characters, and nothing a mail says makes it take more than bounded
//! depth, parts and time. Only `import` and `export` know a store; everything else makes and takes the plain values of [`crate::mapi`].

mod bodies;
mod charset;
mod class;
mod error;
mod export;
mod fields;
mod form;
mod from_line;
mod headers;
mod import;
mod mime;

mod promote;
mod sink;
mod source;
mod subject;
mod transfer;
mod utf7;
mod write;

pub use error::{MailError, MailResult};
pub use export::{ExportError, ExportReport, export_mailbox};
pub use form::to_mapi;
pub use from_line::{FromLine, MboxMarks};
pub use import::{ImportReport, Importer, StoredForm};
pub use promote::{Envelope, promote, status_flags};
pub use sink::{MailFormat, MailSink, OutgoingMail, SinkReport};
pub use source::{
    MailSource, MboxFault, MboxMail, MboxReader, SourceLimits, SourceMessage, maildir_flags,
};
pub use write::to_mime;
