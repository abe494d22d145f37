//! What the seed wants: how large each mailbox is, and for each number in it one item. Pure; knows no store.

use super::Synth;
use super::message::{Letter, Mail, mime};
use super::odd::{ODD_MAILS, odd};
use super::profile::{
    ANSWERED, DELETED, FOLDERS, HIDDEN, Kind, MAILBOX_SIGMA, ODD_FROM_BYTES, READ, REPLIES,
    REPLY_REACH, SHARED, SHARED_MORE, Shape,
};
use super::random::Random;
use super::words::words;
use crate::mapi::{FileTime, ItemFlags};

/// 2003-01-06.
pub(super) const FIRST_DAY: i64 = 1_041_811_200;
/// Seconds between two mails of a mailbox, about.
const STEP_SECONDS: u64 = 1_800;
// What things cost, fitted to stores of four profiles and four sizes; trees take space in steps, so a single store may be some
// per cent off.
/// Row and index entries of an item.
const ROW_BYTES: u64 = 1_600;
/// Empty store, folders of one mailbox.
const BASE_BYTES: (u64, u64) = (500_000, 30_000);
/// From the first size on the steps weigh less, until the store is larger by the second.
const STEPS_WEIGH: (u64, u64) = (200_000_000, 800_000_000);
/// Headers and text in MAPI form, for ten bytes of MIME: UTF-16, and long values that fill their pages badly.
const TEXT_TENTHS: u64 = 36;
/// Attachments, for a hundred bytes of base64.
const ATTACHED_HUNDREDTHS: u64 = 78;
/// Mails of a thread that are looked back to.
const THREAD_MAX: usize = 20;
/// Other holders of a message at the most.
const HOLDERS_MAX: u64 = 20;
/// Folders that hold mail: those of the user after Inbox, Sent Items and Deleted Items.
pub(super) const MAIL_FOLDERS: usize = 3 + FOLDERS;
/// Items of a mailbox before the first odd one.
const BEFORE_ODD: u64 = 2;

// The streams of numbers, by what they are for.
const OF_ITEM: u64 = 2;
const OF_PLACE: u64 = 3;
pub(super) const OF_NEW: u64 = 5;
const OF_SIZES: u64 = 6;
const OF_REPLY: u64 = 7;
const OF_TOPIC: u64 = 8;

/// One item as the seed wants it.
#[derive(Debug)]
pub(super) struct Wish {
    /// Its number in the whole store.
    pub number: u64,
    pub mailbox: u32,
    /// Which of the mailbox's folders: Inbox, Sent Items, Deleted Items, those of the user, those of what is no mail.
    pub place: usize,
    pub kind: Kind,
    /// Which of the odd mails it is.
    pub odd: Option<u64>,
    /// Other mailboxes that hold it in their Inbox.
    pub others: Vec<u32>,
    pub is_mapi: bool,
    pub flags: ItemFlags,
    pub is_deleted: bool,
    pub is_hidden: bool,
    pub sent: FileTime,
}

impl Synth {
    /// How large the mailboxes are beside each other: a few are much larger than most.
    pub(super) fn weights(&self) -> Vec<f64> {
        let mut random = Random::of(&[self.seed, OF_SIZES]);
        (0..self.mailboxes)
            .map(|_| random.log_normal(1.0, MAILBOX_SIGMA).clamp(0.05, 20.0))
            .collect()
    }

    /// Bytes for all items together.
    pub(super) fn budget_bytes(&self) -> u64 {
        let empty = BASE_BYTES.0 + BASE_BYTES.1 * u64::from(self.mailboxes);
        let left = self.size_bytes.saturating_sub(empty);
        // The steps are bounded, so they weigh less in a large store: up to 6 % are left for more mail.
        let largeness = self.size_bytes.saturating_sub(STEPS_WEIGH.0).min(STEPS_WEIGH.1);
        left + (left as f64 * 0.06 * largeness as f64 / STEPS_WEIGH.1 as f64) as u64
    }

    /// The shape of the store's mail. One attachment never is a large part of a small store: sizes would be a matter of luck.
    pub(super) fn shape(&self) -> Shape {
        let shape = self.profile.shape();
        let largest = (self.size_bytes / 100) as f64;
        Shape { attachment_max: shape.attachment_max.min(largest).max(1.0), ..shape }
    }

    /// Items that a mailbox has whatever its size, so that the odd ones are there.
    pub(super) fn least_items(&self) -> u64 {
        if self.size_bytes < ODD_FROM_BYTES {
            return 0;
        }
        BEFORE_ODD + ODD_MAILS.div_ceil(self.mailboxes.max(1).into())
    }

    /// The odd mails go round the mailboxes, one each.
    fn odd_at(&self, mailbox: u32, at: u64) -> Option<u64> {
        let round = at.checked_sub(BEFORE_ODD)?;
        let which = round.checked_mul(self.mailboxes.into())?.checked_add(mailbox.into())?;
        (self.size_bytes >= ODD_FROM_BYTES && which < ODD_MAILS).then_some(which)
    }

    /// Item `at` of a mailbox.
    pub(super) fn wish(&self, shape: &Shape, mailbox: u32, at: u64) -> Wish {
        let mut random = Random::of(&[self.seed, OF_PLACE, mailbox.into(), at]);
        let odd = self.odd_at(mailbox, at);
        let kind = if odd.is_some() { Kind::Note } else { Kind::pick(&mut random) };
        let others = self.others(mailbox, &mut random);
        let second = at * STEP_SECONDS + random.below(STEP_SECONDS);
        let second = i64::try_from(second).unwrap_or(0) % (900 * 86_400);
        let mut flags = ItemFlags::empty();
        flags.set(ItemFlags::READ, random.chance(READ));
        flags.set(ItemFlags::REPLIED, random.chance(ANSWERED.0));
        flags.set(ItemFlags::FLAGGED, random.chance(ANSWERED.1));
        let mail_place = place(&mut random);
        let own_place = kind.own().map(|(_, role)| MAIL_FOLDERS + role);
        let is_own = own_place.is_some();
        Wish {
            number: u64::from(mailbox) << 40 | at,
            mailbox,
            place: own_place.unwrap_or(mail_place),
            kind,
            odd,
            is_mapi: (!random.chance(shape.mime) || is_own) && odd.is_none(),
            flags,
            is_hidden: random.chance(HIDDEN) && odd.is_none(),
            is_deleted: random.chance(DELETED) && odd.is_none(),
            sent: FileTime::from_unix_seconds(FIRST_DAY + second),
            others: if is_own { Vec::new() } else { others },
        }
    }

    fn others(&self, mailbox: u32, random: &mut Random) -> Vec<u32> {
        let mut others = Vec::new();
        let count = u64::from(self.mailboxes);
        if count < 2 || !random.chance(SHARED) {
            return others;
        }
        let most = (count - 1).min(HOLDERS_MAX) as usize;
        while others.len() < most {
            let step = 1 + random.below(count - 1);
            let other = ((u64::from(mailbox) + step) % count) as u32;
            if !others.contains(&other) {
                others.push(other);
            }
            if !random.chance(SHARED_MORE) {
                break;
            }
        }
        others
    }

    /// The mail of an item.
    pub(super) fn mail_of(&self, shape: &Shape, wish: &Wish, version: u32) -> Mail {
        let mut random = Random::of(&[self.seed, OF_ITEM, wish.number, version.into()]);
        let ancestors = self.ancestors(wish);
        let first = ancestors.first().copied().unwrap_or(wish.number);
        let letter = Letter {
            number: wish.number,
            sent: wish.sent,
            version,
            kind: wish.kind,
            topic: self.topic(first),
            ancestors,
        };
        match wish.odd {
            Some(which) if version == 0 => odd(which, &letter, &mut random),
            _ => mime(shape, &letter, &mut random),
        }
    }

    /// A mail that only the twin of this seed has; it begins a thread.
    pub(super) fn new_mail(&self, shape: &Shape, wish: &Wish, twin_seed: u64) -> Mail {
        let mut random = Random::of(&[self.seed, OF_NEW, twin_seed, wish.number]);
        let letter = Letter {
            number: wish.number,
            sent: wish.sent,
            version: 0,
            kind: wish.kind,
            topic: words(&mut random, 2, 7),
            ancestors: Vec::new(),
        };
        mime(shape, &letter, &mut random)
    }

    fn topic(&self, first: u64) -> String {
        words(&mut Random::of(&[self.seed, OF_TOPIC, first]), 2, 7)
    }

    /// Numbers of the mails that an item answers, the first of the thread first.
    fn ancestors(&self, wish: &Wish) -> Vec<u64> {
        let mut found = Vec::new();
        let mut number = wish.number;
        while found.len() < THREAD_MAX && matches!(wish.kind, Kind::Note | Kind::Meeting) {
            let mut random = Random::of(&[self.seed, OF_REPLY, number]);
            let before = number & ((1 << 40) - 1);
            if before == 0 || !random.chance(REPLIES) {
                break;
            }
            number -= 1 + random.below(before.min(REPLY_REACH));
            found.push(number);
        }
        found.reverse();
        found
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
pub(super) fn cost_of(wish: &Wish, mail: &Mail) -> u64 {
    const PAGE: u64 = 4096;
    let bytes = mail.bytes.len() as u64;
    let content = if wish.is_mapi {
        let attached = mail.attached_bytes as u64;
        attached * ATTACHED_HUNDREDTHS / 100 + (bytes - attached) * TEXT_TENTHS / 10
    } else {
        bytes.div_ceil(PAGE) * PAGE
    };
    content + ROW_BYTES * (1 + wish.others.len() as u64)
}
