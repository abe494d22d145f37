//! The acceptance cases of recovery that are about pairing and deciding, as case files: what the source holds, what the
//! target holds, and what must be done about each source item.

#![allow(clippy::unwrap_used)]

use std::convert::Infallible;

use dialtone::mapi::{Fingerprint, SearchKey};
use dialtone::recover::{
    Action, ConflictRule, Counters, DeletedRule, Item, ItemFlag, Mode, MovedRule, Outcome, Rules,
    Side, decide, pair_items,
};
use proptest::prelude::*;

const INBOX: u32 = 1;
const PROJECTS: u32 = 2;
const DELETED_ITEMS: u32 = 3;

/// An item; its name is its search key, its version its content and its modification time.
#[derive(Debug, Clone, Copy)]
struct Mail {
    name: u8,
    version: u8,
    folder: u32,
    created: i64,
    lineage: u8,
    flags: ItemFlag,
}

fn mail(name: u8, version: u8, folder: u32) -> Mail {
    Mail { name, version, folder, created: 100, lineage: 0, flags: ItemFlag::empty() }
}

impl Mail {
    fn created(self, created: i64) -> Self {
        Self { created, ..self }
    }

    fn flagged(self, flags: ItemFlag) -> Self {
        Self { flags, ..self }
    }

    /// The row number carries the content, so that the fingerprint can be told from the item alone.
    fn item(self, side: Side, at: usize) -> Item {
        let lineage = if self.lineage > 0 {
            [self.lineage; 22]
        } else {
            [100 + at as u8 + 100 * side as u8; 22]
        };
        Item {
            row: u64::from(self.name) << 8 | u64::from(self.version),
            created: self.created,
            modified: i64::from(self.version) * 10,
            size_bytes: 1000 + u64::from(self.version),
            folder: self.folder,
            lineage,
            search_key: SearchKey([self.name; 16]),
            change_key: [at as u8 + 128 * side as u8; 16],
            flags: self.flags,
        }
    }
}

fn rules() -> Rules {
    Rules {
        mode: Mode::Merge,
        conflict: ConflictRule::Latest,
        moved: MovedRule::Skip,
        deleted: DeletedRule::Respect,
        planned_start: 1_000_000_000_000_000,
    }
}

fn fingerprint(_: Side, item: &Item) -> Result<Option<Fingerprint>, Infallible> {
    let content = (item.row as u128).to_le_bytes();
    Ok((!item.flags.contains(ItemFlag::DAMAGED)).then_some(Fingerprint(content)))
}

fn run_items(rules: &Rules, source: &[Item], target: &[Item]) -> (Vec<Outcome>, Vec<Action>) {
    let pairing = pair_items(source, target, rules.mode.scope(), &mut fingerprint).unwrap();
    let mut counters = Counters::default();
    let decide_one = |(item, outcome): (&Item, &Outcome)| {
        let has_twin = || {
            let same = |other: &&Item| other.folder == item.folder && other.row == item.row;
            target.iter().find(same).is_some()
        };
        let action = decide(rules, item, *outcome, target, has_twin);
        counters.count(action);
        action
    };
    let actions = source.iter().zip(&pairing.outcomes).map(decide_one).collect();
    assert!(counters.adds_up() && counters.scanned == source.len() as u64);
    (pairing.outcomes, actions)
}

fn run(rules: &Rules, source: &[Mail], target: &[Mail]) -> Vec<Action> {
    let items = |side: Side, mails: &[Mail]| -> Vec<Item> {
        mails.iter().enumerate().map(|(at, mail)| mail.item(side, at)).collect()
    };
    run_items(rules, &items(Side::Source, source), &items(Side::Target, target)).1
}

/// The target after the actions: kept items, replaced ones in their place, inserted ones behind.
fn apply(source: &[Item], target: &[Item], actions: &[Action]) -> Vec<Item> {
    let mut after = target.to_vec();
    for (item, action) in source.iter().zip(actions) {
        match action {
            Action::Insert => after.push(*item),
            Action::Replace(at) => {
                let kept = after[*at as usize];
                let place = (kept.folder, kept.lineage);
                after[*at as usize] = Item { folder: place.0, lineage: place.1, ..*item };
            }
            _ => {}
        }
    }
    after
}

#[test]
fn case_1_what_is_missing_is_inserted_once() {
    let source = [mail(1, 1, INBOX)];
    assert_eq!(run(&rules(), &source, &[]), [Action::Insert]);
    assert_eq!(run(&rules(), &source, &source), [Action::Unchanged]);
}

#[test]
fn case_2_a_newer_target_wins_unless_the_rule_says_otherwise() {
    let (source, target) = ([mail(1, 1, INBOX)], [mail(1, 2, INBOX)]);
    assert_eq!(run(&rules(), &source, &target), [Action::ConflictKeptTarget]);
    let prefer = |conflict| Rules { conflict, ..rules() };
    assert_eq!(run(&prefer(ConflictRule::Source), &source, &target), [Action::Replace(0)]);
    assert_eq!(run(&prefer(ConflictRule::Target), &source, &target), [Action::ConflictKeptTarget]);
    assert_eq!(run(&prefer(ConflictRule::All), &source, &target), [Action::Insert]);
    let both = [mail(1, 2, INBOX), mail(1, 1, INBOX)];
    assert_eq!(run(&prefer(ConflictRule::All), &source, &both), [Action::Unchanged]);
}

#[test]
fn case_3_a_newer_source_replaces() {
    assert_eq!(run(&rules(), &[mail(1, 2, INBOX)], &[mail(1, 1, INBOX)]), [Action::Replace(0)]);
}

#[test]
fn case_4_what_the_user_moved_stays_where_it_is() {
    let (source, target) = ([mail(1, 1, INBOX)], [mail(1, 1, PROJECTS)]);
    assert_eq!(run(&rules(), &source, &target), [Action::Moved]);
    let duplicate = Rules { moved: MovedRule::Duplicate, ..rules() };
    assert_eq!(run(&duplicate, &source, &target), [Action::Insert]);
}

#[test]
fn case_5_a_copy_that_was_edited_is_an_item_of_its_own() {
    let source = [mail(1, 1, INBOX), mail(1, 2, INBOX).created(200)];
    assert_eq!(run(&rules(), &source, &[]), [Action::Insert, Action::Insert]);
    assert_eq!(run(&rules(), &source, &[source[0]]), [Action::Unchanged, Action::Insert]);
}

#[test]
fn case_6_a_pair_is_taken_by_one_item_only() {
    let source = [mail(1, 1, INBOX), mail(1, 1, PROJECTS)];
    let target = [mail(1, 1, PROJECTS)];
    assert_eq!(run(&rules(), &source, &target), [Action::Insert, Action::Unchanged]);
}

#[test]
fn case_7_equal_copies_are_counted() {
    let a = mail(1, 1, INBOX);
    let actions = run(&rules(), &[a, a, a], &[a, a]);
    let inserted = actions.iter().filter(|action| **action == Action::Insert).count();
    assert_eq!((inserted, actions.len()), (1, 3));
}

#[test]
fn case_8_what_the_user_deleted_stays_deleted_unless_asked_for() {
    let (source, target) = ([mail(1, 1, INBOX)], [mail(1, 1, INBOX).flagged(ItemFlag::DELETED)]);
    assert_eq!(run(&rules(), &source, &target), [Action::DeletedInTarget]);
    let undelete = Rules { deleted: DeletedRule::Resurrect, ..rules() };
    assert_eq!(run(&undelete, &source, &target), [Action::Insert]);
}

#[test]
fn case_9_an_item_in_deleted_items_was_moved_there() {
    assert_eq!(run(&rules(), &[mail(1, 1, INBOX)], &[mail(1, 1, DELETED_ITEMS)]), [Action::Moved]);
}

#[test]
fn case_24_copy_lays_the_source_over_the_target() {
    let copy = Rules { mode: Mode::CopyOverlay, ..rules() };
    let source = [mail(1, 1, INBOX), mail(2, 1, INBOX), mail(3, 1, INBOX)];
    let target = [mail(1, 2, INBOX), mail(2, 1, INBOX), mail(3, 1, PROJECTS), mail(4, 1, INBOX)];
    let expected = [Action::Replace(0), Action::Unchanged, Action::Insert];
    assert_eq!(run(&copy, &source, &target), expected);
}

#[test]
fn equal_times_with_other_content_are_a_tie() {
    // Same modification time, other content: only the row number, which stands for the content, differs.
    let source = mail(1, 1, INBOX).item(Side::Source, 0);
    let target = Item { row: 77, size_bytes: 5, ..mail(1, 1, INBOX).item(Side::Target, 0) };
    assert_eq!(run_items(&rules(), &[source], &[target]).1, [Action::Tie]);
}

#[test]
fn a_clock_that_ran_ahead_never_wins() {
    let ahead = Item { modified: i64::MAX, ..mail(1, 2, INBOX).item(Side::Source, 0) };
    let target = mail(1, 1, INBOX).item(Side::Target, 0);
    assert_eq!(run_items(&rules(), &[ahead], &[target]).1, [Action::ConflictKeptTarget]);
}

#[test]
fn half_a_mail_never_replaces_a_whole_one() {
    let half = mail(1, 2, INBOX).flagged(ItemFlag::DAMAGED);
    assert_eq!(run(&rules(), &[half], &[mail(1, 1, INBOX)]), [Action::ConflictKeptTarget]);
    let target_half = mail(1, 1, INBOX).flagged(ItemFlag::DAMAGED);
    assert_eq!(run(&rules(), &[mail(1, 2, INBOX)], &[target_half]), [Action::Replace(0)]);
}

#[test]
fn identical_rows_are_paired_without_reading_their_content() {
    let items: Vec<Item> =
        (0..200u8).map(|name| mail(name, 1, INBOX).item(Side::Source, 0)).collect();
    let pairing = pair_items(&items, &items, Mode::Merge.scope(), &mut fingerprint).unwrap();
    assert_eq!(pairing.fingerprints, 0);
    assert!(pairing.outcomes.iter().all(|outcome| matches!(outcome, Outcome::Unchanged(_))));
}

/// Mails whose content tells their creation time: see "a gap that is known" in `recover::pair`.
fn mails() -> impl Strategy<Value = Vec<Mail>> {
    let flags = prop_oneof![9 => Just(ItemFlag::empty()), 1 => Just(ItemFlag::DELETED)];
    let one = (0u8..6, 1u8..4, 1u32..4, 0i64..3, flags).prop_map(
        |(name, version, folder, created, flags)| {
            mail(name, version + 4 * created as u8, folder).created(created).flagged(flags)
        },
    );
    prop::collection::vec(one, 0..14)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn each_partner_is_taken_once_and_a_second_run_changes_nothing(
        source in mails(), target in mails(), copy in any::<bool>(),
    ) {
        let mode = if copy { Mode::CopyOverlay } else { Mode::Merge };
        let rules = Rules { mode, ..rules() };
        let live = |mails: &[Mail], side: Side| -> Vec<Item> {
            mails.iter().enumerate().map(|(at, mail)| mail.item(side, at)).collect()
        };
        let source: Vec<Item> = live(&source, Side::Source)
            .into_iter().filter(|item| !item.flags.contains(ItemFlag::DELETED)).collect();
        let target = live(&target, Side::Target);
        let (outcomes, actions) = run_items(&rules, &source, &target);
        let mut taken: Vec<u32> = outcomes.iter().filter_map(|outcome| match outcome {
            Outcome::Missing => None,
            Outcome::Unchanged(at) | Outcome::Conflict(at) | Outcome::Moved(at)
            | Outcome::MovedConflict(at) | Outcome::DeletedInTarget(at) => Some(*at),
        }).collect();
        let count = taken.len();
        taken.sort_unstable();
        taken.dedup();
        prop_assert_eq!(taken.len(), count, "a target item was paired twice");

        let after = apply(&source, &target, &actions);
        prop_assert!(after.len() >= target.len(), "nothing is ever deleted");
        let (_, again) = run_items(&rules, &source, &after);
        for action in again {
            prop_assert!(!matches!(action, Action::Insert | Action::Replace(_)), "{:?}", action);
        }
    }
}
