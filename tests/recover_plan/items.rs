//! The acceptance cases about items: what is there already, what was edited, moved or deleted since.

use dialtone::recover::{
    ConflictRule, DeletedRule, DumpsterRule, HiddenRule, Mode, MovedRule, Options, WriteKind,
};
use dialtone::store::{Item, ItemId, Role};

use crate::recover_support::{SOURCE, TARGET, Two, mail, options};
use crate::store_support::mapi;
use crate::world::{Side, copy_source_to_target, ours, plan, reopen, run_twice, set, theirs};

fn merge() -> Options {
    options(Mode::Merge)
}

fn with_rules(change: impl FnOnce(&mut Options)) -> Options {
    let mut options = merge();
    change(&mut options);
    options
}

#[test]
fn case_1_a_missing_item_is_inserted_once() {
    for mode in [Mode::Merge, Mode::CopyOverlay, Mode::CopyFolder] {
        let mut two = Two::new();
        ours(&mut two).put("#inbox#", 1);
        let plan = run_twice(&two.close(), &options(mode));
        assert_eq!(plan.counters.inserted, 1);
        assert_eq!(plan.writes[0].kind, WriteKind::Insert { keep_id: mode != Mode::CopyFolder });
    }
}

/// The same item on both sides, edited on one or both.
fn edited(source: i64, target: i64) -> Two {
    let mut two = Two::new();
    let a = ours(&mut two).put("#inbox#", 1);
    let b = theirs(&mut two).put("#inbox#", 1);
    if source > 0 {
        ours(&mut two).edit(a, source);
    }
    if target > 0 {
        theirs(&mut two).edit(b, target);
    }
    two
}

#[test]
fn cases_2_and_3_the_conflict_rule_decides_which_version_stays() {
    use ConflictRule::{All, Latest, Source, Target};
    let cases = [
        (Latest, 0, 5, [0, 0, 1]),
        (Latest, 5, 0, [0, 1, 0]),
        (Source, 0, 5, [0, 1, 0]),
        (Target, 5, 0, [0, 0, 1]),
        (All, 0, 5, [1, 0, 0]),
        (All, 5, 4, [1, 0, 0]),
    ];
    for (rule, source, target, expected) in cases {
        let volume = edited(source, target).close();
        let plan = run_twice(&volume, &with_rules(|options| options.rules.conflict = rule));
        let counters = plan.counters;
        let found = [counters.inserted, counters.replaced, counters.conflict_kept_target];
        assert_eq!(found, expected, "{rule:?} {source} {target}");
        assert_eq!(plan.side.target_only, 0);
    }
}

#[test]
fn a_clock_that_ran_ahead_does_not_win() {
    let volume = edited(3 * 24 * 60, 5).close();
    let plan = run_twice(&volume, &merge());
    assert_eq!((plan.counters.conflict_kept_target, plan.side.future_time), (1, 1));
}

#[test]
fn case_4_an_item_that_the_user_moved_stays_there_unless_duplicates_are_wanted() {
    let mut two = Two::new();
    ours(&mut two).put("#inbox#", 1);
    theirs(&mut two).put("Projects", 1);
    let volume = two.close();
    assert_eq!(run_twice(&volume, &merge()).counters.moved, 1);
    let twice = with_rules(|options| options.rules.moved = MovedRule::Duplicate);
    let plan = plan(&volume, &twice);
    assert_eq!((plan.counters.moved, plan.counters.inserted), (0, 1));
}

#[test]
fn case_5_a_copy_that_was_edited_is_an_item_of_its_own() {
    let mut two = Two::new();
    let mut source = ours(&mut two);
    let a = source.put("#inbox#", 1);
    let copy = source.writer.copy_item(a, a.folder).unwrap();
    source.edit(copy, 5);
    let plan = run_twice(&two.close(), &merge());
    assert_eq!((plan.counters.scanned, plan.counters.inserted), (2, 2));
}

#[test]
fn case_6_an_item_in_the_target_stands_for_one_item_of_the_source() {
    let mut two = Two::new();
    let mut source = ours(&mut two);
    let a = source.put("#inbox#", 1);
    let projects = source.folder("Projects");
    source.writer.copy_item(a, projects).unwrap();
    theirs(&mut two).put("Projects", 1);
    let plan = run_twice(&two.close(), &merge());
    assert_eq!((plan.counters.inserted, plan.counters.unchanged), (1, 1));
    assert_eq!(plan.writes[0].source, a);
}

#[test]
fn case_7_equal_items_are_counted() {
    let mut two = Two::new();
    for _ in 0..3 {
        ours(&mut two).put("#inbox#", 1);
    }
    for _ in 0..2 {
        theirs(&mut two).put("#inbox#", 1);
    }
    let plan = run_twice(&two.close(), &merge());
    assert_eq!((plan.counters.inserted, plan.counters.unchanged), (1, 2));
}

#[test]
fn cases_8_and_9_what_the_user_deleted_stays_deleted() {
    let mut two = Two::new();
    ours(&mut two).put("#inbox#", 1);
    ours(&mut two).put("#inbox#", 2);
    let mut target = theirs(&mut two);
    let gone = target.put("#inbox#", 1);
    target.writer.soft_delete_item(gone).unwrap();
    target.put("#deleted_items#", 2);
    let volume = two.close();
    let plan = run_twice(&volume, &merge());
    assert_eq!((plan.counters.deleted_in_target, plan.counters.moved), (1, 1));
    let back = with_rules(|options| options.rules.deleted = DeletedRule::Resurrect);
    assert_eq!(run_twice(&volume, &back).counters.inserted, 1);
}

/// A hidden item, as views and settings of clients are.
fn hide(side: &mut Side<'_>, path: &str, number: u32, class: &str, subject: &str) {
    let id = side.put(path, number);
    let mut item = side.writer.view().unwrap().item(id).unwrap().unwrap();
    side.writer.delete_item(id).unwrap();
    let (promoted, bytes) = mail(number);
    let other = side.folder("Elsewhere");
    let holder = side.writer.insert_mime(other, &promoted, &bytes).unwrap();
    item.instance = side.writer.view().unwrap().item(holder).unwrap().unwrap().instance;
    item.associated = true;
    item.headers.class = class.into();
    item.headers.subject = subject.into();
    side.writer.insert_item(&item).unwrap();
    side.writer.delete_item(holder).unwrap();
}

#[test]
fn case_14_hidden_items_go_by_class_and_subject() {
    let mut two = Two::new();
    let mut source = ours(&mut two);
    hide(&mut source, "#inbox#", 1, "IPM.Microsoft.View", "by date");
    hide(&mut source, "#inbox#", 2, "IPM.Microsoft.View", "by sender");
    hide(&mut source, "Gone", 3, "IPM.Microsoft.View", "by date");
    hide(&mut theirs(&mut two), "#inbox#", 4, "ipm.microsoft.VIEW", "by date");
    let volume = two.close();
    let skipped = plan(&volume, &with_rules(|options| options.hidden = HiddenRule::Skip));
    assert_eq!((skipped.side.hidden_left, skipped.writes.len()), (3, 0));
    let plan = run_twice(&volume, &merge());
    let side = plan.side;
    // The folder that its owner removed is not made again for a view.
    assert_eq!((side.hidden_inserted, side.hidden_unchanged, side.hidden_left), (1, 1, 1));
    assert_eq!((side.folders_created, plan.counters.scanned), (0, 0));
}

#[test]
fn case_24_a_copy_laid_over_takes_the_sources_version_and_keeps_what_only_the_target_has() {
    let mut two = edited(0, 5);
    theirs(&mut two).put("#inbox#", 9);
    ours(&mut two).put("#inbox#", 2);
    theirs(&mut two).put("Projects", 2);
    let plan = run_twice(&two.close(), &options(Mode::CopyOverlay));
    let counters = plan.counters;
    // Pairing stays within folders: the moved one is put back.
    assert_eq!((counters.replaced, counters.inserted), (1, 1));
    assert_eq!(plan.side.target_only, 2);
}

#[test]
fn case_13_a_replaced_item_is_read_when_either_side_was() {
    for (source, target, expected) in [(false, true, true), (false, false, false)] {
        let mut two = edited(5, 0);
        for (side, read) in [(SOURCE, source), (TARGET, target)] {
            let side = if side == SOURCE { ours(&mut two) } else { theirs(&mut two) };
            let inbox = side.role(Role::Inbox);
            let mut id = None;
            let view = side.writer.view().unwrap();
            view.each_item(inbox, &mut |item| {
                id = Some(item?.id);
                Ok(())
            })
            .unwrap();
            side.writer.set_read(id.unwrap(), read).unwrap();
        }
        let plan = run_twice(&two.close(), &merge());
        assert_eq!((plan.counters.replaced, plan.writes[0].is_read), (1, expected));
    }
}

#[test]
fn read_state_is_united_only_when_asked() {
    let mut two = Two::new();
    for (path, other) in [("#inbox#", "#inbox#"), ("#inbox#", "Projects")] {
        let number = 1 + u32::from(other == "Projects") * 2;
        let a = ours(&mut two).put(path, number);
        ours(&mut two).writer.set_read(a, true).unwrap();
        let b = theirs(&mut two).put(other, number);
        theirs(&mut two).writer.set_read(b, false).unwrap();
    }
    let volume = two.close();
    assert_eq!(plan(&volume, &merge()).writes, []);
    let plan = run_twice(&volume, &with_rules(|options| options.unite_read_state = true));
    assert_eq!((plan.side.read_flags, plan.counters.unchanged, plan.counters.moved), (2, 1, 1));
}

#[test]
fn the_dumpster_is_left_or_preserved() {
    let mut two = Two::new();
    let mut source = ours(&mut two);
    for number in 1..=3 {
        let id = source.put(if number == 3 { "Gone" } else { "#inbox#" }, number);
        source.writer.soft_delete_item(id).unwrap();
    }
    let mut target = theirs(&mut two);
    let there = target.put("#inbox#", 1);
    target.writer.soft_delete_item(there).unwrap();
    let volume = two.close();
    let left = plan(&volume, &merge());
    assert_eq!((left.side.dumpster_left, left.writes.len(), left.counters.scanned), (3, 0, 0));
    let kept = run_twice(&volume, &with_rules(|options| options.dumpster = DumpsterRule::Preserve));
    assert_eq!((kept.side.dumpster_inserted, kept.side.dumpster_unchanged), (2, 1));
}

#[test]
fn items_without_a_search_key_are_paired_by_their_content() {
    let mut two = Two::new();
    let mut ids = Vec::new();
    for number in [1, 2] {
        ids.push(ours(&mut two).put("#inbox#", number));
    }
    let there = theirs(&mut two).put("#inbox#", 1);
    let volume = two.close();
    for (store, id) in [(SOURCE, ids[0]), (SOURCE, ids[1]), (TARGET, there)] {
        let key = [&id.folder.to_store()[..], &id.message.to_store()[..]];
        set(&volume, store, "MsgFolder", &key, &[("N300b", None)]);
    }
    let plan = run_twice(&volume, &merge());
    assert_eq!((plan.counters.inserted, plan.counters.unchanged), (1, 1));
}

#[test]
fn one_mail_in_two_forms_is_one_mail() {
    let mut two = Two::new();
    let mut mail = mapi(5, 3000, false);
    mail.promoted.text_length = 17;
    let bytes = crate::store_support::mime(5, 900);
    let mut promoted = mail.promoted.clone();
    promoted.size_bytes = bytes.len() as u64;
    for _ in 0..2 {
        let inbox = ours(&mut two).role(Role::Inbox);
        two.source.insert_mime(inbox, &promoted, &bytes).unwrap();
    }
    let inbox = theirs(&mut two).role(Role::Inbox);
    two.target.insert_mapi(inbox, &mail).unwrap();
    let plan = run_twice(&two.close(), &merge());
    assert_eq!((plan.counters.unchanged, plan.counters.inserted), (1, 1));
}

#[test]
fn ids_are_kept_where_they_are_free_in_the_whole_mailbox() {
    // In a large target single ids are looked for; a small one is read.
    for others in [0, 600] {
        ids_beside(others);
    }
}

fn ids_beside(others: u32) {
    let two = Two::new();
    let (ours_then, theirs_then) = (two.ours.clone(), two.ours.clone());
    let volume = two.close();
    copy_source_to_target(&volume);
    // Both stores go on from one backup: the same numbers are issued twice.
    let (source, target) = (reopen(&volume, SOURCE), reopen(&volume, TARGET));
    let mut two = Two { volume, source, target, ours: ours_then, theirs: theirs_then };
    let taken = ours(&mut two).put("#inbox#", 1);
    let other = theirs(&mut two).put("#drafts#", 50);
    assert_eq!(taken.message, other.message);
    for number in 0..others {
        theirs(&mut two).put("#sent_items#", 100 + number);
    }
    let free = loop {
        // Beyond the numbers that the target has issued by now.
        let free = ours(&mut two).put("#inbox#", 2);
        if free.message.counter.get() > other.message.counter.get() + 2 * u64::from(others) {
            break free;
        }
        two.source.delete_item(free).unwrap();
    };
    // Damage: another folder has an item of the same id.
    let mut source = ours(&mut two);
    let item = source.writer.view().unwrap().item(free).unwrap().unwrap();
    let drafts = source.folder("#drafts#");
    let twin = Item { id: ItemId { folder: drafts, message: free.message }, ..item };
    source.writer.insert_item(&twin).unwrap();
    let plan = run_twice(&two.close(), &merge());
    assert_eq!(plan.counters.inserted, 3);
    let kept = |id: ItemId| {
        let write = plan.writes.iter().find(|write| write.source == id).unwrap();
        write.kind == WriteKind::Insert { keep_id: true }
    };
    assert!(!kept(taken), "the target has issued this id for another item, in another folder");
    assert!(kept(free) != kept(twin.id), "one id is given once");
}
