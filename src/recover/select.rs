//! Which source mailbox goes into which target mailbox. Source: recover-semantics 3.

use std::collections::{BTreeMap, BTreeSet};

use super::options::MailboxOptions;
use super::plan::{MailboxMatch, MailboxPair};
use crate::ese::error::{EseError, EseResult, Refusal};
use crate::ese::txn::Pages;
use crate::mapi::{Guid, MailboxGuid};
use crate::store::{Mailbox, View, fold_name};

/// Why a source mailbox is not recovered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SkipReason {
    /// The target has no counterpart, and none is to be made.
    TargetMissing,
    /// One of the stores has the GUID twice (M10).
    DuplicateGuid,
    /// A mailbox of the system, and it was not asked for (M11).
    System,
    /// The target has it, but nobody owns it there any more (M3).
    Disconnected,
    /// Its row cannot be read.
    Unreadable,
}

impl SkipReason {
    /// The reason in one word, for programs.
    pub fn word(self) -> &'static str {
        match self {
            Self::TargetMissing => "target_missing",
            Self::DuplicateGuid => "duplicate_guid",
            Self::System => "system",
            Self::Disconnected => "target_disconnected",
            Self::Unreadable => "unreadable",
        }
    }
}

/// A source mailbox that is not recovered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkippedMailbox {
    /// Its GUID.
    pub guid: MailboxGuid,
    /// Its name; what is wrong, where that is all there is to tell.
    pub name: String,
    /// Why.
    pub reason: SkipReason,
    /// Target mailboxes of that name or owner: a person may mean one of them (M8).
    pub candidates: Vec<String>,
}

/// Who goes where.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MailboxMatches {
    /// Mailboxes to recover: the longest first, then by GUID (recover-semantics D3).
    pub pairs: Vec<MailboxPair>,
    /// The others, of those that were asked for.
    pub skipped: Vec<SkippedMailbox>,
}

/// Matches the mailboxes of two stores.
///
/// # Errors
/// [`Refusal::NotFound`] for a name or a line of the map that means no mailbox; [`Refusal::BadRequest`] for a name that means
/// several, and for a map that names a mailbox twice on one side; [`EseError::Corrupt`] for a damaged mailbox of the target;
/// [`EseError::Io`].
pub fn match_mailboxes<P: Pages + ?Sized, Q: Pages + ?Sized>(
    source: &View<'_, P>,
    target: &View<'_, Q>,
    options: &MailboxOptions,
) -> EseResult<MailboxMatches> {
    let wanted = wanted_guids(source, options)?;
    let (ours, unreadable) = readable_mailboxes(source)?;
    let sides = Sides::new(&ours, target.mailboxes()?, options);
    sides.check_map(&ours, options)?;
    let mut matches = MailboxMatches::default();
    for mailbox in ours {
        let is_named = wanted.as_ref().is_some_and(|wanted| wanted.contains(&mailbox.profile.guid));
        if wanted.is_some() && !is_named {
            continue;
        }
        match sides.counterpart(&mailbox, options, is_named) {
            Ok((target, matched)) => {
                matches.pairs.push(MailboxPair { source: mailbox, target, matched });
            }
            Err(reason) => matches.skipped.push(sides.skipped(mailbox, reason)),
        }
    }
    if wanted.is_none() {
        matches.skipped.extend(unreadable);
    }
    let order =
        |pair: &MailboxPair| (std::cmp::Reverse(pair.source.bytes), pair.source.profile.guid);
    matches.pairs.sort_by_key(order);
    Ok(matches)
}

fn wanted_guids<P: Pages + ?Sized>(
    source: &View<'_, P>,
    options: &MailboxOptions,
) -> EseResult<Option<BTreeSet<MailboxGuid>>> {
    if options.only.is_empty() {
        return Ok(None);
    }
    let guids = options.only.iter().map(|name| Ok(source.find_mailbox(name)?.profile.guid));
    guids.collect::<EseResult<_>>().map(Some)
}

/// The mailboxes that can be read, and the others: one broken row must not keep all the others from their mail.
fn readable_mailboxes<P: Pages + ?Sized>(
    view: &View<'_, P>,
) -> EseResult<(Vec<Mailbox>, Vec<SkippedMailbox>)> {
    let (mut found, mut unreadable) = (Vec::new(), Vec::new());
    view.each_mailbox(&mut |mailbox| {
        match mailbox {
            Ok(mailbox) => found.push(mailbox),
            Err(error @ EseError::Io(_)) => return Err(error),
            Err(error) => unreadable.push(SkippedMailbox {
                guid: MailboxGuid(Guid([0; 16])),
                name: error.to_string(),
                reason: SkipReason::Unreadable,
                candidates: Vec::new(),
            }),
        }
        Ok(())
    })?;
    Ok((found, unreadable))
}

struct Sides {
    /// Mailboxes of the target that have an owner.
    theirs: Vec<Mailbox>,
    disconnected: BTreeSet<MailboxGuid>,
    doubled: BTreeSet<MailboxGuid>,
    our_dns: BTreeMap<String, MailboxGuid>,
    their_dns: BTreeMap<String, MailboxGuid>,
    /// Mailboxes of the target that only their own GUID, or only the map, may claim.
    reserved: BTreeSet<MailboxGuid>,
    mapped: BTreeSet<MailboxGuid>,
}

impl Sides {
    fn new(ours: &[Mailbox], theirs: Vec<Mailbox>, options: &MailboxOptions) -> Self {
        let doubled = doubled(ours).union(&doubled(&theirs)).copied().collect();
        let (theirs, without_owner): (Vec<Mailbox>, Vec<Mailbox>) =
            theirs.into_iter().partition(|mailbox| mailbox.disconnected.is_none());
        let mapped: BTreeSet<_> = options.map.iter().map(|(_, to)| *to).collect();
        let own = ours.iter().map(|mailbox| mailbox.profile.guid);
        Self {
            disconnected: without_owner.iter().map(|mailbox| mailbox.profile.guid).collect(),
            doubled,
            our_dns: single_dns(ours),
            their_dns: single_dns(&theirs),
            theirs,
            reserved: own.chain(mapped.iter().copied()).collect(),
            mapped,
        }
    }

    fn target(&self, guid: MailboxGuid) -> Option<&Mailbox> {
        self.theirs.iter().find(|mailbox| mailbox.profile.guid == guid)
    }

    /// A line of the map whose ends do not exist is an error before anything is written (M7).
    fn check_map(&self, ours: &[Mailbox], options: &MailboxOptions) -> EseResult<()> {
        let (mut from_seen, mut to_seen) = (BTreeSet::new(), BTreeSet::new());
        for (from, to) in &options.map {
            let missing = |which: &str, guid: &MailboxGuid| {
                let reason = format!("the map names {guid}, which is no mailbox of the {which}");
                Err(EseError::refused(Refusal::NotFound, reason))
            };
            if !ours.iter().any(|mailbox| mailbox.profile.guid == *from) {
                return missing("source", from);
            }
            if self.target(*to).is_none() {
                return missing("target", to);
            }
            if !from_seen.insert(*from) || !to_seen.insert(*to) {
                let reason = format!("the map names {from} or {to} twice");
                return Err(EseError::refused(Refusal::BadRequest, reason));
            }
        }
        Ok(())
    }

    fn counterpart(
        &self,
        mailbox: &Mailbox,
        options: &MailboxOptions,
        is_named: bool,
    ) -> Result<(Option<Mailbox>, MailboxMatch), SkipReason> {
        let guid = mailbox.profile.guid;
        if is_system(mailbox) && !is_named {
            return Err(SkipReason::System);
        }
        if self.doubled.contains(&guid) {
            return Err(SkipReason::DuplicateGuid);
        }
        if let Some((_, to)) = options.map.iter().find(|(from, _)| *from == guid) {
            let to = self.target(*to).ok_or(SkipReason::TargetMissing)?;
            return Ok((Some(to.clone()), MailboxMatch::Map));
        }
        if let Some(same) = self.target(guid).filter(|_| !self.mapped.contains(&guid)) {
            return Ok((Some(same.clone()), MailboxMatch::Guid));
        }
        if !options.by_guid_only
            && let Some(same) = self.same_owner(mailbox)
        {
            return Ok((Some(same.clone()), MailboxMatch::ByDn));
        }
        if self.disconnected.contains(&guid) {
            return Err(SkipReason::Disconnected);
        }
        // A GUID that the map has given away cannot be made a second time.
        if options.create_missing && self.target(guid).is_none() {
            return Ok((None, MailboxMatch::Created));
        }
        Err(SkipReason::TargetMissing)
    }

    /// The target mailbox of the same owner, when no other mailbox of either store has that owner, and none of the source has its
    /// GUID: a mailbox that was deleted and made again.
    fn same_owner(&self, mailbox: &Mailbox) -> Option<&Mailbox> {
        let dn = dn_of(mailbox)?;
        let is_single = self.our_dns.get(&dn) == Some(&mailbox.profile.guid);
        let found = self.their_dns.get(&dn).filter(|_| is_single)?;
        if self.reserved.contains(found) { None } else { self.target(*found) }
    }

    fn skipped(&self, mailbox: Mailbox, reason: SkipReason) -> SkippedMailbox {
        let name = fold_name(&mailbox.profile.name);
        let dn = dn_of(&mailbox);
        let is_near = |other: &&Mailbox| {
            fold_name(&other.profile.name) == name || dn.is_some() && dn_of(other) == dn
        };
        let near = if reason == SkipReason::TargetMissing { self.theirs.as_slice() } else { &[] };
        SkippedMailbox {
            guid: mailbox.profile.guid,
            name: mailbox.profile.name,
            reason,
            candidates: near
                .iter()
                .filter(is_near)
                .map(|other| format!("{} {}", other.profile.guid, other.profile.name))
                .collect(),
        }
    }
}

fn dn_of(mailbox: &Mailbox) -> Option<String> {
    let dn = mailbox.profile.dn.to_uppercase();
    (!dn.is_empty()).then_some(dn)
}

/// Owners that have exactly one mailbox.
fn single_dns(mailboxes: &[Mailbox]) -> BTreeMap<String, MailboxGuid> {
    let mut found: BTreeMap<String, Option<MailboxGuid>> = BTreeMap::new();
    for mailbox in mailboxes {
        if let Some(dn) = dn_of(mailbox) {
            let guid = mailbox.profile.guid;
            found.entry(dn).and_modify(|only| *only = None).or_insert(Some(guid));
        }
    }
    found.into_iter().filter_map(|(dn, guid)| Some((dn, guid?))).collect()
}

fn doubled(mailboxes: &[Mailbox]) -> BTreeSet<MailboxGuid> {
    let mut seen = BTreeSet::new();
    let guids = mailboxes.iter().map(|mailbox| mailbox.profile.guid);
    guids.filter(|guid| !seen.insert(*guid)).collect()
}

/// Mailboxes that belong to the server, not to a person.
fn is_system(mailbox: &Mailbox) -> bool {
    let name = mailbox.profile.name.to_lowercase();
    let dn = mailbox.profile.dn.to_lowercase();
    name.starts_with("systemmailbox{")
        || name == "system attendant"
        || name.starts_with("smtp (")
        || dn.contains("/cn=microsoft system attendant")
        || dn.contains("/cn=microsoft mta")
}
