//! Pairing the items of one mailbox in two stores, one to one. Source: recover-semantics 5.1.
//!
//! Steps, each over what the ones before have left:
//!
//! | step | where | same | outcome |
//! |---|---|---|---|
//! | A1 | folder | lineage, search key, content | unchanged |
//! | A2 | folder | search key, content | unchanged |
//! | A3 | folder | search key, and lineage or creation time | conflict |
//! | B1 | mailbox | search key, and lineage or content | moved, or moved conflict |
//! | B2 | mailbox | search key, creation time; one of the kind on each side | moved conflict |
//! | C | dumpster | search key, content | deleted in target |
//!
//! A gap that is known: two source items of one search key and equal content, but other creation times, one of which was
//! moved *and* edited in the target, may be paired the other way round by a second run, which then inserts one of them.
//!
//! What is left of the source is missing; what is left of the target is nobody's business. Items are taken in the order in
//! which they are given, so that the result depends on nothing but the two stores.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;

use super::item::{Item, ItemFlag, Side};
use crate::mapi::Fingerprint;

/// What became of a source item; the number is the place of its partner among the target's items.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The target has no such item.
    Missing,
    /// In the same folder, with equal content.
    Unchanged(u32),
    /// In the same folder, with other content: one of them was edited.
    Conflict(u32),
    /// In another folder, with equal content.
    Moved(u32),
    /// In another folder, with other content.
    MovedConflict(u32),
    /// In the target's dumpster.
    DeletedInTarget(u32),
}

/// The outcome for each source item, in the order of the source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pairing {
    /// One for each source item.
    pub outcomes: Vec<Outcome>,
    /// Fingerprints that had to be computed: what pairing cost beyond the folder rows.
    pub fingerprints: u64,
}

/// Which steps take part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// A1 to C: merge.
    Mailbox,
    /// A1 to A3: copy over the existing mailbox.
    Folders,
}

/// Computes the content fingerprint (P) of an item; `None` when its content cannot be read.
pub type ReadContent<'f, E> = dyn FnMut(Side, &Item) -> Result<Option<Fingerprint>, E> + 'f;

/// Pairs `source` with `target`.
///
/// # Errors
/// What `fingerprint` reports.
///
/// # Panics
/// When a side has more than 2^32 items.
pub fn pair_items<E>(
    source: &[Item],
    target: &[Item],
    scope: Scope,
    fingerprint: &mut ReadContent<'_, E>,
) -> Result<Pairing, E> {
    pair_by_steps(source, target, scope, fingerprint, true)
}

fn pair_by_steps<E>(
    source: &[Item],
    target: &[Item],
    scope: Scope,
    fingerprint: &mut ReadContent<'_, E>,
    takes_equal_folders: bool,
) -> Result<Pairing, E> {
    assert!(source.len().max(target.len()) < u32::MAX as usize, "too many items");
    let mut state = State {
        source,
        target,
        outcomes: vec![Outcome::Missing; source.len()],
        is_taken: vec![false; target.len()],
        contents: Contents { known: HashMap::new(), compute: fingerprint },
    };
    let live = |item: &Item| !item.flags.contains(ItemFlag::DELETED);
    let in_folder = |item: &Item| {
        (live(item) && item.folder != Item::NO_FOLDER).then_some((item.folder, item.search_key))
    };
    if takes_equal_folders {
        state.take_equal_folders();
    }
    state.in_groups(in_folder, in_folder, State::pair_in_folder)?;
    if scope == Scope::Mailbox {
        let in_mailbox = |item: &Item| live(item).then_some(item.search_key);
        state.in_groups(in_mailbox, in_mailbox, State::pair_moved)?;
        let edited = |item: &Item| live(item).then_some((item.search_key, item.created));
        let mut all: Option<[Occurrences<_>; 2]> = None;
        state.in_groups(edited, edited, |state, ours, theirs| {
            // One of a kind among all items, not only among those still open: what an earlier run inserted beside them
            // must not make a kind unique that was not.
            if let ([ours], [theirs]) = (ours, theirs) {
                let [all_ours, all_theirs] = all.get_or_insert_with(|| {
                    [source, target].map(|side| Occurrences::of(side, edited))
                });
                let is_only =
                    |all: &Occurrences<_>, item| edited(item).is_some_and(|key| all.is_single(key));
                if is_only(all_ours, &source[*ours as usize])
                    && is_only(all_theirs, &target[*theirs as usize])
                {
                    state.take(*ours, Outcome::MovedConflict(*theirs));
                }
            }
            Ok(())
        })?;
        let deleted = |item: &Item| (!live(item)).then_some(item.search_key);
        state.in_groups(in_mailbox, deleted, |state, ours, theirs| {
            state.pair_by_content(ours, theirs, Outcome::DeletedInTarget)
        })?;
    }
    let fingerprints = state.contents.known.len() as u64;
    Ok(Pairing { outcomes: state.outcomes, fingerprints })
}

/// Fingerprints, each computed once and only when asked for.
struct Contents<'f, E> {
    known: HashMap<(Side, u32), Option<Fingerprint>>,
    compute: &'f mut ReadContent<'f, E>,
}

impl<E> Contents<'_, E> {
    fn of(&mut self, side: Side, at: u32, item: &Item) -> Result<Option<Fingerprint>, E> {
        if let Some(known) = self.known.get(&(side, at)) {
            return Ok(*known);
        }
        let content = (self.compute)(side, item)?;
        self.known.insert((side, at), content);
        Ok(content)
    }
}

struct State<'s, E> {
    source: &'s [Item],
    target: &'s [Item],
    outcomes: Vec<Outcome>,
    is_taken: Vec<bool>,
    contents: Contents<'s, E>,
}

impl<E> State<'_, E> {
    /// Calls `run` with the open items of each key that both sides have. Memory: one number an item.
    fn in_groups<K: Ord + Copy>(
        &mut self,
        key_of_source: impl Fn(&Item) -> Option<K>,
        key_of_target: impl Fn(&Item) -> Option<K>,
        mut run: impl FnMut(&mut Self, &[u32], &[u32]) -> Result<(), E>,
    ) -> Result<(), E> {
        let open_source = |at: &u32| self.outcomes[*at as usize] == Outcome::Missing;
        let mut ours = keyed(self.source, open_source, key_of_source);
        if ours.is_empty() {
            return Ok(());
        }
        let mut theirs = keyed(self.target, |at| !self.is_taken[*at as usize], key_of_target);
        ours.sort_by_key(|(key, _)| *key);
        theirs.sort_by_key(|(key, _)| *key);
        let mut rest = theirs.as_slice();
        for group in ours.chunk_by(|a, b| a.0 == b.0) {
            let key = group[0].0;
            rest = &rest[rest.partition_point(|(other, _)| *other < key)..];
            let count = rest.partition_point(|(other, _)| *other == key);
            if count > 0 {
                let ours: Vec<u32> = group.iter().map(|(_, at)| *at).collect();
                let theirs: Vec<u32> = rest[..count].iter().map(|(_, at)| *at).collect();
                run(self, &ours, &theirs)?;
            }
        }
        Ok(())
    }

    /// Takes folders that hold the same on both sides, item by item: each has its partner by A1, and none is left for any other step.
    /// That is what a repeated job finds in most folders (where it finds it in all of them, the planner does not come here), and needs no
    /// order of keys.
    fn take_equal_folders(&mut self) {
        let theirs = single_runs(self.target);
        for (folder, ours) in single_runs(self.source) {
            let Some(theirs) = theirs.get(&folder) else { continue };
            let (ours, theirs) = (live(self.source, ours), live(self.target, theirs.clone()));
            let mut others = theirs.clone();
            let is_same = |ours: usize| {
                let other = others.next().and_then(|other| self.target.get(other));
                other.is_some_and(|other| is_same_change(&self.source[ours], other))
            };
            if ours.clone().all(is_same) && others.next().is_none() {
                for (ours, theirs) in ours.zip(theirs) {
                    self.take(ours as u32, Outcome::Unchanged(theirs as u32));
                }
            }
        }
    }

    fn take(&mut self, ours: u32, outcome: Outcome) {
        debug_assert_eq!(self.outcomes[ours as usize], Outcome::Missing);
        self.outcomes[ours as usize] = outcome;
        let (Outcome::Unchanged(at)
        | Outcome::Conflict(at)
        | Outcome::Moved(at)
        | Outcome::MovedConflict(at)
        | Outcome::DeletedInTarget(at)) = outcome
        else {
            return;
        };
        debug_assert!(!self.is_taken[at as usize]);
        self.is_taken[at as usize] = true;
    }

    fn open(&self, ours: &[u32], theirs: &[u32]) -> (Vec<u32>, Vec<u32>) {
        let is_open = |at: &&u32| self.outcomes[**at as usize] == Outcome::Missing;
        let is_free = |at: &&u32| !self.is_taken[**at as usize];
        (
            ours.iter().filter(is_open).copied().collect(),
            theirs.iter().filter(is_free).copied().collect(),
        )
    }

    /// Whether two items with one search key have equal content. Damaged ones are judged by their modification time.
    fn is_same(&mut self, ours: u32, theirs: u32, are_alone: bool) -> Result<bool, E> {
        let (source, target) = (&self.source[ours as usize], &self.target[theirs as usize]);
        let same_change =
            source.lineage == target.lineage && source.change_key == target.change_key;
        let same_row = source.modified == target.modified && source.size_bytes == target.size_bytes;
        // A mail of which only a part could be recovered keeps the keys of the whole.
        let both_whole = !(source.flags | target.flags).contains(ItemFlag::DAMAGED);
        if both_whole && (same_change || are_alone && same_row) {
            return Ok(true);
        }
        let content = self.contents.of(Side::Source, ours, source)?;
        let other = self.contents.of(Side::Target, theirs, target)?;
        Ok(match (content, other) {
            (Some(content), Some(other)) => content == other,
            _ => source.modified == target.modified,
        })
    }

    /// A1 to A3 within one folder and one search key.
    fn pair_in_folder(&mut self, ours: &[u32], theirs: &[u32]) -> Result<(), E> {
        let are_alone = ours.len() == 1 && theirs.len() == 1;
        for (ours, theirs) in self.same_lineage(ours, theirs) {
            if self.is_same(ours, theirs, are_alone)? {
                self.take(ours, Outcome::Unchanged(theirs));
            }
        }
        let (open, free) = self.open(ours, theirs);
        if let (true, [ours], [theirs]) = (are_alone, open.as_slice(), free.as_slice()) {
            if self.is_same(*ours, *theirs, true)? {
                self.take(*ours, Outcome::Unchanged(*theirs));
            }
        } else {
            self.pair_by_content(&open, &free, Outcome::Unchanged)?;
        }
        let (open, free) = self.open(&open, &free);
        for (ours, theirs) in self.same_lineage(&open, &free) {
            self.take(ours, Outcome::Conflict(theirs));
        }
        let (open, free) = self.open(&open, &free);
        self.pair_by_creation(open, free);
        Ok(())
    }

    /// Open items with one lineage, one to one.
    fn same_lineage(&self, ours: &[u32], theirs: &[u32]) -> Vec<(u32, u32)> {
        let mut by_lineage: BTreeMap<[u8; 22], Vec<u32>> = BTreeMap::new();
        for at in theirs.iter().rev() {
            by_lineage.entry(self.target[*at as usize].lineage).or_default().push(*at);
        }
        let partner = |at: &u32| {
            let free = by_lineage.get_mut(&self.source[*at as usize].lineage)?;
            Some((*at, free.pop()?))
        };
        ours.iter().filter_map(partner).collect()
    }

    /// Items of equal content, one to one in order; first those of one creation time. A row that an earlier run wrote has
    /// the creation time of its source, so that run finds the same pairs when it is repeated.
    fn pair_by_content(
        &mut self,
        ours: &[u32],
        theirs: &[u32],
        outcome: fn(u32) -> Outcome,
    ) -> Result<(), E> {
        self.pair_by(ours, theirs, outcome, |item| item.created)?;
        let (ours, theirs) = self.open(ours, theirs);
        self.pair_by(&ours, &theirs, outcome, |_| 0)
    }

    fn pair_by(
        &mut self,
        ours: &[u32],
        theirs: &[u32],
        outcome: fn(u32) -> Outcome,
        detail: fn(&Item) -> i64,
    ) -> Result<(), E> {
        if ours.is_empty() || theirs.is_empty() {
            return Ok(());
        }
        let mut free: HashMap<ContentKey, Vec<u32>> = HashMap::new();
        for at in theirs.iter().rev() {
            let item = &self.target[*at as usize];
            let content = self.contents.of(Side::Target, *at, item)?;
            free.entry(content_key(content, item, detail)).or_default().push(*at);
        }
        for at in ours {
            let item = &self.source[*at as usize];
            let content = self.contents.of(Side::Source, *at, item)?;
            let partner = free.get_mut(&content_key(content, item, detail)).and_then(Vec::pop);
            if let Some(partner) = partner {
                self.take(*at, outcome(partner));
            }
        }
        Ok(())
    }

    /// What a user edited keeps its creation time; what a user copied and edited does not. In order of lineage.
    fn pair_by_creation(&mut self, mut ours: Vec<u32>, mut theirs: Vec<u32>) {
        ours.sort_by_key(|at| self.source[*at as usize].lineage);
        theirs.sort_by_key(|at| self.target[*at as usize].lineage);
        for at in ours {
            let created = self.source[at as usize].created;
            let partner =
                theirs.iter().position(|other| self.target[*other as usize].created == created);
            if let Some(partner) = partner {
                self.take(at, Outcome::Conflict(theirs.remove(partner)));
            }
        }
    }

    /// B1: the whole mailbox, one search key.
    fn pair_moved(&mut self, ours: &[u32], theirs: &[u32]) -> Result<(), E> {
        for (ours, theirs) in self.same_lineage(ours, theirs) {
            let is_same = self.is_same(ours, theirs, false)?;
            let outcome = if is_same { Outcome::Moved } else { Outcome::MovedConflict };
            self.take(ours, outcome(theirs));
        }
        let (open, free) = self.open(ours, theirs);
        self.pair_by_content(&open, &free, Outcome::Moved)
    }
}

/// The places of each folder's items, for folders whose items are given in one piece; none for items without a folder.
fn single_runs(items: &[Item]) -> BTreeMap<u32, Range<usize>> {
    let (mut runs, mut start) = (BTreeMap::new(), 0);
    let mut broken = BTreeSet::from([Item::NO_FOLDER]);
    for run in items.chunk_by(|a, b| a.folder == b.folder) {
        let (folder, end) = (run[0].folder, start + run.len());
        if runs.insert(folder, start..end).is_some() {
            broken.insert(folder);
        }
        start = end;
    }
    runs.retain(|folder, _| !broken.contains(folder));
    runs
}

/// The places of a run's items that are not deleted.
fn live(items: &[Item], run: Range<usize>) -> impl Iterator<Item = usize> + Clone {
    run.filter(|at| !items[*at].flags.contains(ItemFlag::DELETED))
}

/// Whether two items have one search key and, by lineage and change key, one content, both of them whole.
fn is_same_change(ours: &Item, theirs: &Item) -> bool {
    ours.search_key == theirs.search_key
        && ours.lineage == theirs.lineage
        && ours.change_key == theirs.change_key
        && !(ours.flags | theirs.flags).contains(ItemFlag::DAMAGED)
}

/// How often each key occurs.
struct Occurrences<K>(Vec<K>);

impl<K: Ord> Occurrences<K> {
    fn of(items: &[Item], key_of: impl Fn(&Item) -> Option<K>) -> Self {
        let mut keys: Vec<K> = items.iter().filter_map(key_of).collect();
        keys.sort_unstable();
        Self(keys)
    }

    fn is_single(&self, key: K) -> bool {
        let first = self.0.partition_point(|other| *other < key);
        self.0[first..].iter().take_while(|other| **other == key).take(2).count() == 1
    }
}

/// Content, modification time, and what else must agree.
type ContentKey = (Option<Fingerprint>, i64, i64);

/// Damaged items have no content to compare; their modification time stands in for it.
fn content_key(content: Option<Fingerprint>, item: &Item, detail: fn(&Item) -> i64) -> ContentKey {
    (content, if content.is_none() { item.modified } else { 0 }, detail(item))
}

fn keyed<K>(
    items: &[Item],
    is_open: impl Fn(&u32) -> bool,
    key_of: impl Fn(&Item) -> Option<K>,
) -> Vec<(K, u32)> {
    let numbered = items.iter().zip(0u32..).filter(|(_, at)| is_open(at));
    numbered.filter_map(|(item, at)| Some((key_of(item)?, at))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapi::SearchKey;
    use proptest::prelude::*;

    /// Items of few kinds, so that many are like others; folder 3 stands for none.
    fn items() -> impl Strategy<Value = Vec<Item>> {
        let item = (0..4u32, 0..3u8, 0..3u8, 0..2u8, 0..3i64, 0..16u16).prop_map(
            |(folder, key, lineage, change, created, marks)| Item {
                row: 0,
                created,
                modified: created,
                size_bytes: 1,
                folder: if folder == 3 { Item::NO_FOLDER } else { folder },
                lineage: [lineage; 22],
                search_key: SearchKey([key; 16]),
                change_key: [change; 16],
                flags: match marks {
                    0 => ItemFlag::DELETED,
                    1 => ItemFlag::DAMAGED,
                    _ => ItemFlag::empty(),
                },
            },
        );
        prop::collection::vec(item, 0..24)
    }

    fn pair(source: &[Item], target: &[Item], scope: Scope, is_quick: bool) -> Pairing {
        // What is read depends on the item alone; now and then it cannot be read.
        let mut read = |_: Side, item: &Item| -> Result<_, std::convert::Infallible> {
            let byte = item.change_key[0] + item.search_key.0[0];
            Ok((byte > 0).then_some(Fingerprint([byte; 16])))
        };
        let Ok(pairing) = pair_by_steps(source, target, scope, &mut read, is_quick);
        pairing
    }

    proptest! {
        #[test]
        fn folders_that_are_equal_are_paired_as_by_all_steps(
            (mut source, mut target) in (items(), items()),
            equal in any::<[bool; 3]>(),
            is_sorted in any::<bool>(),
        ) {
            // Some folders are the same on both sides.
            for (folder, _) in (0u32..).zip(equal).filter(|(_, is_equal)| *is_equal) {
                target.retain(|item| item.folder != folder);
                target.extend(source.iter().filter(|item| item.folder == folder).copied());
            }
            if is_sorted {
                source.sort_by_key(|item| item.folder);
                target.sort_by_key(|item| item.folder);
            }
            for scope in [Scope::Mailbox, Scope::Folders] {
                let quick = pair(&source, &target, scope, true);
                prop_assert_eq!(&quick, &pair(&source, &target, scope, false));
            }
        }
    }

    #[test]
    fn equal_folders_are_taken_without_reading_any_content() {
        let item = |created, folder| Item {
            row: 0,
            created,
            modified: 1,
            size_bytes: 1,
            folder,
            lineage: [7; 22],
            search_key: SearchKey([created as u8; 16]),
            change_key: [1; 16],
            flags: ItemFlag::empty(),
        };
        let items: Vec<Item> = (0..9).map(|n| item(n % 3, (n / 3) as u32)).collect();
        let mut state = State {
            source: &items,
            target: &items,
            outcomes: vec![Outcome::Missing; 9],
            is_taken: vec![false; 9],
            contents: Contents { known: HashMap::new(), compute: &mut |_, _| Err(()) },
        };
        state.take_equal_folders();
        let expected: Vec<_> = (0..9).map(Outcome::Unchanged).collect();
        assert_eq!(state.outcomes, expected);
    }
}
