//! The store itself: mailboxes, folders, and items until each mailbox is as large as it should be.

use std::path::Path;
use std::sync::Arc;

use super::Synth;
use super::message::{Letter, mime, words};
use super::profile::{DELETED, FOLDERS, Fate, HIDDEN, MAILBOX_SIGMA, READ, SHARED, Shape, Twin};
use super::random::Random;
use crate::ese::error::EseResult;
use crate::io::Volume;
use crate::mail::{Envelope, promote, to_mapi};
use crate::mapi::{FileTime, FolderId, Guid, ItemFlags, MailboxGuid};
use crate::store::{ItemId, MailboxProfile, NewFolder, Role, StoreIdentity, StoreWriter};

/// Changed pages are committed when they take so many bytes.
const COMMIT_BYTES: usize = 48 << 20;
/// 2003-01-06.
const FIRST_DAY: i64 = 1_041_811_200;
/// Seconds between two mails of a mailbox, about.
const STEP_SECONDS: u64 = 1_800;
/// What an item costs beside its bytes: rows and index entries.
const ROW_BYTES: u64 = 2_600;
/// Empty store, folders of one mailbox.
const BASE_BYTES: (u64, u64) = (3 << 20, 24_000);

// The streams of numbers, by what they are for.
const OF_MAILBOX: u64 = 1;
const OF_ITEM: u64 = 2;
const OF_PLACE: u64 = 3;
const OF_FATE: u64 = 4;
const OF_NEW: u64 = 5;
const OF_SIZES: u64 = 6;

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
        shape: synth.profile.shape(),
        writer,
        folders: Vec::new(),
        report: SynthReport::default(),
    };
    for number in 0..synth.mailboxes {
        builder.add_mailbox(number)?;
    }
    for (number, budget_bytes) in (0u32..).zip(builder.budgets()) {
        builder.fill_mailbox(number, budget_bytes, progress)?;
    }
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

/// One item as the seed wants it.
struct Wish {
    number: u64,
    mailbox: u32,
    place: usize,
    /// Other mailboxes that hold it in their Inbox.
    others: Vec<u32>,
    is_mapi: bool,
    is_read: bool,
    is_deleted: bool,
    is_hidden: bool,
    sent: FileTime,
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
        self.folders.push(folders);
        self.report.mailboxes += 1;
        Ok(())
    }

    /// Bytes of each mailbox: a few are much larger than most.
    fn budgets(&self) -> Vec<u64> {
        let mut random = Random::of(&[self.synth.seed, OF_SIZES]);
        let count = u64::from(self.synth.mailboxes);
        let weights: Vec<f64> =
            (0..count).map(|_| random.log_normal(1.0, MAILBOX_SIGMA).clamp(0.05, 20.0)).collect();
        let sum: f64 = weights.iter().sum();
        let all = self.synth.size_bytes.saturating_sub(BASE_BYTES.0 + BASE_BYTES.1 * count);
        weights.iter().map(|weight| (all as f64 * weight / sum) as u64).collect()
    }

    fn fill_mailbox(
        &mut self,
        mailbox: u32,
        budget_bytes: u64,
        progress: &mut dyn FnMut(u64),
    ) -> EseResult<()> {
        let mut spent = 0;
        let mut number = 0;
        while spent < budget_bytes {
            let wish = self.wish(mailbox, number);
            let bytes = self.mail_of(&wish, 0);
            spent += cost_of(&wish, bytes.len() as u64);
            match self.synth.twin {
                None => self.put(&wish, &bytes)?,
                Some(twin) => self.put_in_twin(&twin, wish, &bytes)?,
            }
            progress(bytes.len() as u64);
            number += 1;
            if self.writer.dirty_bytes() > COMMIT_BYTES {
                self.writer.commit()?;
            }
        }
        Ok(())
    }

    fn wish(&self, mailbox: u32, at: u64) -> Wish {
        let mut random = Random::of(&[self.synth.seed, OF_PLACE, mailbox.into(), at]);
        let mut others = Vec::new();
        let count = u64::from(self.synth.mailboxes);
        if count > 1 && random.chance(SHARED) {
            // Geometric: one other holder, and with an even chance each one more.
            let most = (count - 1).min(20) as usize;
            while others.len() < most {
                let step = 1 + random.below(count - 1);
                let other = ((u64::from(mailbox) + step) % count) as u32;
                if !others.contains(&other) {
                    others.push(other);
                }
                if random.chance(0.5) {
                    break;
                }
            }
        }
        let second = at * STEP_SECONDS + random.below(STEP_SECONDS);
        let second = i64::try_from(second).unwrap_or(0) % (900 * 86_400);
        Wish {
            number: u64::from(mailbox) << 40 | at,
            mailbox,
            place: place(&mut random),
            is_mapi: !random.chance(self.shape.mime),
            is_read: random.chance(READ),
            is_hidden: random.chance(HIDDEN),
            is_deleted: random.chance(DELETED),
            sent: FileTime::from_unix_seconds(FIRST_DAY + second),
            others,
        }
    }

    fn mail_of(&self, wish: &Wish, version: u32) -> Vec<u8> {
        let labels = [self.synth.seed, OF_ITEM, wish.number, version.into()];
        let letter = Letter { number: wish.number, sent: wish.sent, version };
        mime(&self.shape, letter, &mut Random::of(&labels))
    }

    fn put(&mut self, wish: &Wish, bytes: &[u8]) -> EseResult<()> {
        self.insert(wish, bytes).map(drop)
    }

    fn folder(&self, mailbox: u32, place: usize) -> FolderId {
        let folders = self.folders.get(mailbox as usize);
        let folder = folders.and_then(|folders| folders.get(place).or(folders.first()));
        folder.copied().unwrap_or_else(|| unreachable!("every mailbox has an Inbox"))
    }

    fn insert(&mut self, wish: &Wish, bytes: &[u8]) -> EseResult<ItemId> {
        let flags = if wish.is_read { ItemFlags::READ } else { ItemFlags::empty() };
        let envelope = Envelope { flags: Some(flags), from_line_time: None };
        let folder = self.folder(wish.mailbox, wish.place);
        let (id, promoted) = if wish.is_mapi {
            let mail = to_mapi(bytes, &envelope);
            (self.writer.insert_mapi(folder, &mail)?, mail.promoted)
        } else {
            let promoted = promote(bytes, &envelope);
            (self.writer.insert_mime(folder, &promoted, bytes)?, promoted)
        };
        self.report.items += 1;
        self.report.bytes += bytes.len() as u64;
        if !wish.others.is_empty() || wish.is_hidden {
            let item = self.writer.view()?.item(id)?;
            let item = item.unwrap_or_else(|| unreachable!("the item was just made"));
            for other in &wish.others {
                let folder = self.folder(*other, 0);
                self.writer.insert_shared(folder, &promoted, item.instance)?;
                self.report.items += 1;
            }
            if wish.is_hidden {
                let mut hidden = item.clone();
                hidden.associated = true;
                hidden.headers.class = "IPM.Configuration.Harbour".to_owned();
                self.writer.replace_item(id, &hidden)?;
            }
        }
        if wish.is_deleted && !wish.is_hidden {
            self.writer.soft_delete_item(id)?;
        }
        Ok(id)
    }

    fn put_in_twin(&mut self, twin: &Twin, mut wish: Wish, bytes: &[u8]) -> EseResult<()> {
        let mut random = Random::of(&[self.synth.seed, OF_FATE, twin.seed, wish.number]);
        match twin.fate(random.unit()) {
            Fate::Same => {
                self.report.same += 1;
                self.put(&wish, bytes)?;
            }
            Fate::Moved => {
                self.report.moved += 1;
                wish.place = (wish.place + 1 + random.below(5) as usize) % (FOLDERS + 3);
                self.put(&wish, bytes)?;
            }
            Fate::Edited => {
                self.report.edited += 1;
                let id = self.insert(&wish, bytes)?;
                let edited = self.mail_of(&wish, 1);
                let now = self.writer.now();
                // A day after it was sent, so that the newer version is the twin's.
                self.writer.set_now(FileTime(wish.sent.0 + 864_000_000_000));
                self.writer.edit_item(id, &promote(&edited, &Envelope::default()), &edited)?;
                self.writer.set_now(now);
            }
            Fate::Deleted => self.report.deleted += 1,
        }
        if random.chance(twin.new) {
            self.report.new += 1;
            let labels = [self.synth.seed, OF_NEW, twin.seed, wish.number];
            let sent = FileTime(wish.sent.0 + 600_000_000);
            let number = wish.number | 1 << 63;
            let letter = Letter { number, sent, version: 0 };
            let bytes = mime(&self.shape, letter, &mut Random::of(&labels));
            let new = Wish { number, sent, others: Vec::new(), is_hidden: false, ..wish };
            self.put(&new, &bytes)?;
        }
        Ok(())
    }
}

/// Inbox, Sent Items and Deleted Items take 70 %; the others by Zipf's law.
fn place(random: &mut Random) -> usize {
    match random.unit() {
        at if at < 0.38 => 0,
        at if at < 0.58 => 1,
        at if at < 0.70 => 2,
        _ => {
            let harmonic: f64 = (1..=FOLDERS).map(|rank| 1.0 / rank as f64).sum();
            let mut left = random.unit() * harmonic;
            for rank in 1..=FOLDERS {
                left -= 1.0 / rank as f64;
                if left <= 0.0 {
                    return 2 + rank;
                }
            }
            2 + FOLDERS
        }
    }
}

/// Bytes that an item takes in the two files, about.
fn cost_of(wish: &Wish, bytes: u64) -> u64 {
    const PAGE: u64 = 4096;
    let content = if wish.is_mapi {
        // Attachments lose a quarter when base64 is undone; text doubles as UTF-16.
        if bytes > 30_000 { bytes * 3 / 4 } else { bytes * 5 / 3 }
    } else {
        bytes.div_ceil(PAGE) * PAGE
    };
    // Pages of trees that grow by single inserts are not full.
    (content + ROW_BYTES + wish.others.len() as u64 * (ROW_BYTES / 2)) * 5 / 4
}
