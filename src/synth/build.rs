//! The store itself: mailboxes, folders, and items until each mailbox is as large as it should be.

use std::path::Path;
use std::sync::Arc;

use super::Synth;
use super::message::Mail;
use super::profile::{FOLDERS, Fate, OWN_ROLES, Shape, Twin};
use super::random::Random;
use super::wish::{FIRST_DAY, MAIL_FOLDERS, Wish, cost_of};
use super::words::words;
use crate::ese::error::EseResult;
use crate::io::Volume;
use crate::mail::{Envelope, promote, to_mapi};
use crate::mapi::{FileTime, FolderId, Guid, MailboxGuid, Promoted};
use crate::store::{ItemId, MailboxProfile, NewFolder, Role, StoreIdentity, StoreWriter};

/// Changed pages are committed when they take so many bytes.
const COMMIT_BYTES: usize = 48 << 20;
/// Units of a FILETIME in a second.
const SECOND: i64 = 10_000_000;

// The streams of numbers, by what they are for.
const OF_MAILBOX: u64 = 1;
const OF_FATE: u64 = 4;

/// What was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SynthReport {
    /// Mailboxes.
    pub mailboxes: u64,
    /// Items.
    pub items: u64,
    /// Bytes of their mails, shared ones once.
    pub bytes: u64,
    /// Items that are the same as in the store this is the twin of.
    pub same: u64,
    /// Items in another folder.
    pub moved: u64,
    /// Items with newer content.
    pub edited: u64,
    /// Items that the twin does not have.
    pub deleted: u64,
    /// Items that only the twin has.
    pub new: u64,
}

/// Makes a store at `path`. `progress` is called with bytes of mail made.
///
/// # Errors
/// As [`StoreWriter::create`]; [`crate::ese::EseError::Io`].
pub fn build(
    volume: Arc<dyn Volume>,
    path: &Path,
    synth: &Synth,
    progress: &mut dyn FnMut(u64),
) -> EseResult<SynthReport> {
    let own_seed = synth.twin.map_or(0, |twin| twin.seed.wrapping_add(1));
    let identity = StoreIdentity::from_seed(synth.seed ^ own_seed.rotate_left(32));
    let mut writer = StoreWriter::create(volume, path, &identity)?;
    writer.set_now(FileTime::from_unix_seconds(FIRST_DAY));
    let mut builder = Builder {
        synth,
        shape: synth.shape(),
        writer,
        folders: Vec::new(),
        report: SynthReport::default(),
    };
    for number in 0..synth.mailboxes {
        builder.add_mailbox(number)?;
    }
    builder.fill(progress)?;
    builder.writer.close()?;
    Ok(builder.report)
}

struct Builder<'s> {
    synth: &'s Synth,
    shape: Shape,
    writer: StoreWriter,
    /// Of each mailbox, the Inbox first.
    folders: Vec<Vec<FolderId>>,
    report: SynthReport,
}

impl Builder<'_> {
    fn add_mailbox(&mut self, number: u32) -> EseResult<()> {
        let mut random = Random::of(&[self.synth.seed, OF_MAILBOX, number.into()]);
        let mut guid = [0; 16];
        random.fill(&mut guid);
        let mut profile =
            MailboxProfile::new(MailboxGuid(Guid(guid)), &format!("User {:05}", number + 1));
        profile.dn = format!("/o=Harbour/ou=First/cn=Recipients/cn=user{:05}", number + 1);
        let mailbox = self.writer.add_mailbox(&profile)?;
        let role = |role| mailbox.logon_folder(role).unwrap_or(mailbox.root);
        let top = role(Role::IpmSubtree);
        let mut folders = vec![role(Role::Inbox), role(Role::SentItems), role(Role::DeletedItems)];
        for place in 0..FOLDERS {
            let name = format!("{} {}", words(&mut random, 1, 2), place + 1);
            let created = Some(FileTime::from_unix_seconds(FIRST_DAY + place as i64));
            let new = NewFolder { created, ..NewFolder::named(&name) };
            let parent = if place % 5 == 4 { folders.last().copied().unwrap_or(top) } else { top };
            folders.push(self.writer.create_folder(parent, &new)?);
        }
        let roles = self.writer.view()?.roles(&mailbox)?;
        folders.extend(OWN_ROLES.iter().map(|own| {
            roles.iter().find(|(role, _)| role == own).map_or(mailbox.root, |(_, folder)| *folder)
        }));
        self.folders.push(folders);
        self.report.mailboxes += 1;
        Ok(())
    }

    /// Each mailbox gets its part of what the ones before have left, so that no mailbox's last item counts twice.
    fn fill(&mut self, progress: &mut dyn FnMut(u64)) -> EseResult<()> {
        let weights = self.synth.weights();
        let mut left_bytes = self.synth.budget_bytes();
        let mut left_weight: f64 = weights.iter().sum();
        for (number, weight) in (0u32..).zip(weights) {
            let share = (weight / left_weight).min(1.0);
            let budget_bytes = (left_bytes as f64 * share) as u64;
            let spent_bytes = self.fill_mailbox(number, budget_bytes, progress)?;
            left_bytes = left_bytes.saturating_sub(spent_bytes);
            left_weight -= weight;
        }
        Ok(())
    }

    fn fill_mailbox(
        &mut self,
        mailbox: u32,
        budget_bytes: u64,
        progress: &mut dyn FnMut(u64),
    ) -> EseResult<u64> {
        let mut spent = 0;
        let mut number = 0;
        while spent < budget_bytes || number < self.synth.least_items() {
            let wish = self.synth.wish(&self.shape, mailbox, number);
            let mail = self.synth.mail_of(&self.shape, &wish, 0);
            spent += cost_of(&wish, &mail);
            match self.synth.twin {
                None => drop(self.insert(&wish, &mail)?),
                Some(twin) => self.put_in_twin(&twin, wish, &mail)?,
            }
            progress(mail.bytes.len() as u64);
            number += 1;
            if self.writer.dirty_bytes() > COMMIT_BYTES {
                self.writer.commit()?;
            }
        }
        Ok(spent)
    }

    fn folder(&self, mailbox: u32, place: usize) -> FolderId {
        let folders = self.folders.get(mailbox as usize);
        let folder = folders.and_then(|folders| folders.get(place).or(folders.first()));
        folder.copied().unwrap_or_else(|| unreachable!("every mailbox has an Inbox"))
    }

    fn insert(&mut self, wish: &Wish, mail: &Mail) -> EseResult<ItemId> {
        let envelope = Envelope { flags: Some(wish.flags), from_line_time: None };
        let folder = self.folder(wish.mailbox, wish.place);
        let (id, promoted) = if wish.is_mapi {
            let mut mapi = to_mapi(&mail.bytes, &envelope);
            classify(wish, &mut mapi.promoted);
            (self.writer.insert_mapi(folder, &mapi)?, mapi.promoted)
        } else {
            let promoted = promote(&mail.bytes, &envelope);
            (self.writer.insert_mime(folder, &promoted, &mail.bytes)?, promoted)
        };
        self.report.items += 1;
        self.report.bytes += mail.bytes.len() as u64;
        if !wish.others.is_empty() || wish.is_hidden {
            self.share_and_hide(wish, id, &promoted)?;
        }
        if wish.is_deleted && !wish.is_hidden {
            self.writer.soft_delete_item(id)?;
        }
        Ok(id)
    }

    fn share_and_hide(&mut self, wish: &Wish, id: ItemId, promoted: &Promoted) -> EseResult<()> {
        let item = self.writer.view()?.item(id)?;
        let item = item.unwrap_or_else(|| unreachable!("the item was just made"));
        for other in &wish.others {
            let folder = self.folder(*other, 0);
            self.writer.insert_shared(folder, promoted, item.instance)?;
            self.report.items += 1;
        }
        if wish.is_hidden {
            let mut hidden = item;
            hidden.associated = true;
            hidden.headers.class = "IPM.Configuration.Harbour".to_owned();
            self.writer.replace_item(id, &hidden)?;
        }
        Ok(())
    }

    fn put_in_twin(&mut self, twin: &Twin, mut wish: Wish, mail: &Mail) -> EseResult<()> {
        let mut random = Random::of(&[self.synth.seed, OF_FATE, twin.seed, wish.number]);
        match twin.fate(random.unit()) {
            Fate::Same => {
                self.report.same += 1;
                self.insert(&wish, mail)?;
            }
            Fate::Moved => {
                self.report.moved += 1;
                wish.place = (wish.place + 1 + random.below(5) as usize) % MAIL_FOLDERS;
                self.insert(&wish, mail)?;
            }
            Fate::Edited => {
                self.report.edited += 1;
                let id = self.insert(&wish, mail)?;
                self.edit(&wish, id)?;
            }
            Fate::Deleted => self.report.deleted += 1,
        }
        if random.chance(twin.new) {
            self.report.new += 1;
            let sent = FileTime(wish.sent.0 + 60 * SECOND);
            let number = wish.number | 1 << 63;
            let new =
                Wish { number, sent, others: Vec::new(), is_hidden: false, odd: None, ..wish };
            let mail = self.synth.new_mail(&self.shape, &new, twin.seed);
            self.insert(&new, &mail)?;
        }
        Ok(())
    }

    /// Gives an item its next version, a day after it was sent: the newer one is the twin's.
    fn edit(&mut self, wish: &Wish, id: ItemId) -> EseResult<()> {
        let edited = self.synth.mail_of(&self.shape, wish, 1);
        let mut promoted = promote(&edited.bytes, &Envelope::default());
        classify(wish, &mut promoted);
        let now = self.writer.now();
        self.writer.set_now(FileTime(wish.sent.0 + 86_400 * SECOND));
        self.writer.edit_item(id, &promoted, &edited.bytes)?;
        self.writer.set_now(now);
        Ok(())
    }
}

/// What is no mail has a class of its own.
fn classify(wish: &Wish, promoted: &mut Promoted) {
    if let Some((class, _)) = wish.kind.own() {
        promoted.message_class = class.to_owned();
    }
}
