//! The shapes of mailboxes in three ages, and what a twin has in common with its store. Sources: distributions.md (proposal for a
//! generator); exchange-store 7.

use super::random::Random;
use crate::store::Role;

/// An age of mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Profile {
    /// Mean of 15 to 25 KB a message.
    #[default]
    Year2003,
    /// Mean of 50 KB.
    Year2007,
    /// Mean of 75 KB.
    Year2010,
    /// Small items only, 2 to 8 KB: many rows, few bytes.
    Small,
}

/// The numbers of an age.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    /// Median and spread of text bodies in bytes.
    pub body: (f64, f64),
    /// Share of messages with attachments.
    pub with_attachments: f64,
    /// Median and spread of an attachment in bytes.
    pub attachment: (f64, f64),
    /// Longest attachment in bytes.
    pub attachment_max: f64,
    /// Share of messages with an HTML body.
    pub html: f64,
    /// Share that is held as MIME; the rest in MAPI form.
    pub mime: f64,
}

/// Share of messages that others hold, too.
pub(super) const SHARED: f64 = 0.10;
/// Share of those that one more holds, too: three others on average, 1.3 items to a message.
pub(super) const SHARED_MORE: f64 = 2.0 / 3.0;
/// Share of rows that are hidden.
pub(super) const HIDDEN: f64 = 0.01;
/// Share of rows that are soft-deleted.
pub(super) const DELETED: f64 = 0.05;
/// Share of messages that are read.
pub(super) const READ: f64 = 0.85;
/// Folders that a user has made.
pub(super) const FOLDERS: usize = 22;
/// Spread of mailbox sizes.
pub(super) const MAILBOX_SIGMA: f64 = 0.97;

/// Share of messages that answer another: what gives threads of two mails in the middle, as in distributions.md.
pub(super) const REPLIES: f64 = 0.47;
/// A mail answers one of so many before it.
pub(super) const REPLY_REACH: u64 = 30;
/// Share of messages that were answered, and that are flagged.
pub(super) const ANSWERED: (f64, f64) = (0.15, 0.03);
/// A store of this size has the tails.
pub(super) const ODD_FROM_BYTES: u64 = 20_000_000;

/// Folders of what is no mail.
pub(super) const OWN_ROLES: [Role; 4] = [Role::Calendar, Role::Contacts, Role::Tasks, Role::Notes];

/// What an item is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Note,
    Meeting,
    Appointment,
    Contact,
    Task,
    Sticky,
}

impl Kind {
    pub fn pick(random: &mut Random) -> Self {
        match random.unit() {
            at if at < 0.020 => Self::Meeting,
            at if at < 0.045 => Self::Appointment,
            at if at < 0.065 => Self::Contact,
            at if at < 0.075 => Self::Task,
            at if at < 0.080 => Self::Sticky,
            _ => Self::Note,
        }
    }

    /// Class of what is no mail, and which of [`OWN_ROLES`] it lies in.
    pub fn own(self) -> Option<(&'static str, usize)> {
        match self {
            Self::Note | Self::Meeting => None,
            Self::Appointment => Some(("IPM.Appointment", 0)),
            Self::Contact => Some(("IPM.Contact", 1)),
            Self::Task => Some(("IPM.Task", 2)),
            Self::Sticky => Some(("IPM.StickyNote", 3)),
        }
    }
}

impl Profile {
    pub(super) fn shape(self) -> Shape {
        let base = Shape {
            body: (3_000.0, 1.0),
            with_attachments: 0.075,
            attachment: (40_000.0, 1.6),
            attachment_max: 25e6,
            html: 0.2,
            mime: 0.4,
        };
        match self {
            Self::Year2003 => base,
            Self::Year2007 => {
                Shape { with_attachments: 0.15, attachment: (40_000.0, 1.8), html: 0.6, ..base }
            }
            Self::Year2010 => {
                Shape { with_attachments: 0.2, attachment: (45_000.0, 1.9), html: 0.75, ..base }
            }
            Self::Small => Shape { body: (3_500.0, 0.4), with_attachments: 0.0, html: 0.0, ..base },
        }
    }
}

/// What a twin has in common with the store it is the twin of: shares of that store's items, and new ones beside them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Twin {
    /// The same item in the same folder.
    pub same: f64,
    /// The same item in another folder.
    pub moved: f64,
    /// An item that was edited since: same search key and creation, other content, newer.
    pub edited: f64,
    /// Items that only the twin has, as a share of the store's. What is not same, moved or edited is deleted.
    pub new: f64,
    /// Where the choice comes from.
    pub seed: u64,
}

/// What became of an item in the twin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Same,
    Moved,
    Edited,
    Deleted,
}

impl Twin {
    pub(super) fn fate(&self, at: f64) -> Fate {
        if at < self.same {
            Fate::Same
        } else if at < self.same + self.moved {
            Fate::Moved
        } else if at < self.same + self.moved + self.edited {
            Fate::Edited
        } else {
            Fate::Deleted
        }
    }
}
