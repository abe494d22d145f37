//! The acceptance cases of recovery from end to end, by both ways of writing. Source: recover-semantics 19; numbers as there.

#![allow(clippy::unwrap_used)] // a test program

mod recover_stage;
mod recover_support;
mod store_support;

use dialtone::io::MemoryVolume;
use dialtone::mapi::{Guid, MailboxGuid};
use dialtone::recover::{
    ConflictRule, DeletedRule, DumpsterRule, FolderMatch, JobReport, LeftOut, MailboxMatch, Mode,
    MovedRule, Options, RunOptions, SkipReason, WritePath, recover,
};
use dialtone::store::{MailboxProfile, Store};

use recover_stage::{PATHS, merge, ours, play, theirs};
use recover_support::{SOURCE, TARGET, Two, options, run, seen, subjects, volume_bytes};
use store_support::{NOW, profile};

fn inbox(volume: &MemoryVolume) -> Vec<String> {
    subjects(volume, TARGET, "/Inbox")
}

fn counts(report: &JobReport) -> Vec<(&'static str, u64)> {
    report.counters.named().into_iter().filter(|(_, count)| *count > 0).collect()
}

#[test]
fn case_1_what_is_missing_is_inserted_once() {
    let set = |two: &mut Two| {
        ours(two).put("#inbox#", 1);
    };
    play(&set, &merge(), &mut |volume, report| {
        assert_eq!(counts(report), [("scanned", 1), ("inserted", 1)]);
        assert_eq!(inbox(volume), ["RE: Mail 1"]);
    });
}

/// The source's version is older or newer than the target's.
fn edited(two: &mut Two, source_seconds: i64, target_seconds: i64) {
    let mut hand = ours(two);
    let id = hand.put("#inbox#", 1);
    hand.edit(id, "ours", source_seconds);
    let mut hand = theirs(two);
    let id = hand.put("#inbox#", 1);
    hand.edit(id, "theirs", target_seconds);
}

#[test]
fn case_2_and_3_the_conflict_rule_decides_which_version_stays() {
    let rule = |conflict| {
        let mut options = merge();
        options.rules.conflict = conflict;
        options
    };
    for (conflict, source, target, expected, counted) in [
        (ConflictRule::Latest, 10, 20, vec!["theirs"], "conflict_kept_target"),
        (ConflictRule::Latest, 20, 10, vec!["ours"], "replaced"),
        (ConflictRule::Latest, 10, 10, vec!["theirs"], "tie"),
        (ConflictRule::Source, 10, 20, vec!["ours"], "replaced"),
        (ConflictRule::Target, 20, 10, vec!["theirs"], "conflict_kept_target"),
        (ConflictRule::All, 10, 20, vec!["ours", "theirs"], "inserted"),
    ] {
        play(&|two| edited(two, source, target), &rule(conflict), &mut |volume, report| {
            assert_eq!(inbox(volume), expected, "{conflict:?} {source} {target}");
            assert_eq!(counts(report), [("scanned", 1), (counted, 1)], "{conflict:?}");
        });
    }
}

#[test]
fn case_4_a_moved_item_stays_where_the_user_put_it() {
    let set = |two: &mut Two| {
        ours(two).put("#inbox#", 1);
        let mut hand = theirs(two);
        let id = hand.put("#inbox#", 1);
        hand.shift(id, "Projects");
    };
    play(&set, &merge(), &mut |volume, report| {
        assert_eq!(counts(report), [("scanned", 1), ("moved", 1)]);
        assert_eq!(subjects(volume, TARGET, "/Projects"), ["RE: Mail 1"]);
    });
    let mut options = merge();
    options.rules.moved = MovedRule::Duplicate;
    for path in PATHS {
        let mut two = Two::new();
        set(&mut two);
        let volume = two.close();
        let report = run(&volume, &options, path, 2);
        assert_eq!(counts(&report), [("scanned", 1), ("inserted", 1)]);
        assert_eq!(inbox(&volume), ["RE: Mail 1"]);
    }
}

#[test]
fn case_5_a_copy_that_was_edited_is_an_item_of_its_own() {
    let set = |two: &mut Two| {
        let mut hand = ours(two);
        let id = hand.put("#inbox#", 1);
        let copy = hand.copy(id, "#inbox#", 60);
        hand.edit(copy, "edited copy", 120);
    };
    play(&set, &merge(), &mut |volume, report| {
        assert_eq!(report.counters.inserted, 2);
        assert_eq!(inbox(volume), ["RE: Mail 1", "edited copy"]);
    });
}

#[test]
fn case_6_an_item_whose_copy_is_paired_already_is_inserted() {
    let set = |two: &mut Two| {
        let mut hand = ours(two);
        let id = hand.put("#inbox#", 1);
        hand.copy(id, "Projects", 60);
        theirs(two).put("Projects", 1);
    };
    play(&set, &merge(), &mut |volume, report| {
        assert_eq!(counts(report), [("scanned", 2), ("inserted", 1), ("unchanged", 1)]);
        assert_eq!(inbox(volume), ["RE: Mail 1"]);
        assert_eq!(subjects(volume, TARGET, "/Projects"), ["RE: Mail 1"]);
    });
}

#[test]
fn case_7_three_equal_copies_against_two_make_three() {
    let set = |two: &mut Two| {
        for _ in 0..3 {
            ours(two).put("#inbox#", 1);
        }
        for _ in 0..2 {
            theirs(two).put("#inbox#", 1);
        }
    };
    play(&set, &merge(), &mut |volume, report| {
        assert_eq!(counts(report), [("scanned", 3), ("inserted", 1), ("unchanged", 2)]);
        assert_eq!(inbox(volume).len(), 3);
    });
}

#[test]
fn case_8_what_the_user_deleted_stays_deleted_unless_it_is_to_come_back() {
    let set = |two: &mut Two| {
        ours(two).put("#inbox#", 1);
        let mut hand = theirs(two);
        let id = hand.put("#inbox#", 1);
        hand.writer.soft_delete_item(id).unwrap();
    };
    play(&set, &merge(), &mut |_, report| {
        assert_eq!(counts(report), [("scanned", 1), ("deleted_in_target", 1)]);
    });
    let mut options = merge();
    options.rules.deleted = DeletedRule::Resurrect;
    play(&set, &options, &mut |volume, report| {
        assert_eq!(counts(report), [("scanned", 1), ("inserted", 1)]);
        let items = seen(volume, TARGET);
        let live = items.values().flatten().filter(|item| !item.deleted).count();
        assert_eq!(live, 1);
    });
}

#[test]
fn case_9_what_lies_in_deleted_items_counts_as_moved() {
    let set = |two: &mut Two| {
        ours(two).put("#inbox#", 1);
        theirs(two).put("#deleted_items#", 1);
    };
    play(&set, &merge(), &mut |volume, report| {
        assert_eq!(counts(report), [("scanned", 1), ("moved", 1)]);
        assert_eq!(inbox(volume), Vec::<String>::new());
        assert_eq!(report.write_bytes, 0);
    });
}

#[test]
fn case_13_a_replaced_item_is_read_when_either_side_was() {
    for (source_read, target_read) in [(false, true), (true, false), (false, false)] {
        let set = |two: &mut Two| {
            let mut hand = ours(two);
            let id = hand.put("#inbox#", 1);
            hand.edit(id, "newer", 60);
            hand.writer.set_read(id, source_read).unwrap();
            let mut hand = theirs(two);
            let id = hand.put("#inbox#", 1);
            hand.writer.set_read(id, target_read).unwrap();
        };
        play(&set, &merge(), &mut |volume, report| {
            assert_eq!(counts(report), [("scanned", 1), ("replaced", 1)]);
            let items = seen(volume, TARGET);
            let item = items.values().flatten().next().unwrap();
            assert_eq!((item.subject.as_str(), item.read), ("newer", source_read || target_read));
        });
    }
}

#[test]
fn read_flags_of_items_that_both_have_are_united_only_when_asked_for() {
    let set = |two: &mut Two| {
        let mut hand = ours(two);
        let id = hand.put("#inbox#", 1);
        hand.writer.set_read(id, true).unwrap();
        theirs(two).put("#inbox#", 1);
    };
    for unite in [false, true] {
        let options = Options { unite_read_state: unite, ..merge() };
        play(&set, &options, &mut |volume, report| {
            assert_eq!(counts(report), [("scanned", 1), ("unchanged", 1)]);
            assert_eq!(report.side.read_flags, u64::from(unite));
            assert!(seen(volume, TARGET).values().flatten().all(|item| item.read == unite));
        });
    }
}

#[test]
fn case_14_hidden_items_come_by_class_and_never_over_existing_ones() {
    let set = |two: &mut Two| {
        let mut hand = ours(two);
        for (number, class) in [(1, "IPM.Both"), (2, "IPM.Ours")] {
            let id = hand.put("#inbox#", number);
            hand.hide(id, class);
        }
        let mut hand = theirs(two);
        let id = hand.put("#inbox#", 1);
        hand.hide(id, "IPM.Both");
    };
    play(&set, &merge(), &mut |volume, report| {
        assert_eq!(counts(report), []);
        assert_eq!((report.side.hidden_inserted, report.side.hidden_unchanged), (1, 1));
        let items = seen(volume, TARGET);
        let mut classes: Vec<_> = items.values().flatten().map(|item| item.class.clone()).collect();
        classes.sort();
        assert_eq!(classes, ["IPM.Both", "IPM.Ours"]);
        assert!(items.values().flatten().all(|item| item.associated));
    });
}

#[test]
fn case_23_a_copy_beside_keeps_to_one_folder_and_another_name_makes_another() {
    let mut options = options(Mode::CopyFolder);
    let set = |two: &mut Two| {
        let mut hand = ours(two);
        hand.put("#inbox#", 1);
        hand.put("Projects/Deep", 2);
        hand.folder("Empty");
        theirs(two).put("#inbox#", 1);
    };
    play(&set, &options, &mut |volume, report| {
        assert_eq!(report.counters.inserted, 2);
        assert_eq!(inbox(volume).len(), 2, "the user's own, and the copy beside");
    });
    let mut two = Two::new();
    set(&mut two);
    let volume = two.close();
    for name in ["Copy 1", "Copy 2", "Copy 1"] {
        options.folders.copy_folder = Some(name.to_owned());
        run(&volume, &options, WritePath::Parallel, 2);
    }
    let store = Store::open(&volume, std::path::Path::new(TARGET)).unwrap();
    let view = store.view();
    let mailbox = view.mailboxes().unwrap().remove(0);
    for copy in ["Copy 1", "Copy 2"] {
        assert_eq!(
            view.folder_at(&mailbox, &format!("{copy}/Inbox")).unwrap().counts.normal.items,
            1
        );
        let deep = view.folder_at(&mailbox, &format!("{copy}/Projects/Deep")).unwrap();
        assert_eq!(deep.counts.normal.items, 1);
        view.folder_at(&mailbox, &format!("{copy}/Empty")).unwrap();
    }
    assert_eq!(view.folder_at(&mailbox, "#inbox#").unwrap().counts.normal.items, 1);
}

#[test]
fn case_24_a_copy_over_the_mailbox_keeps_what_only_the_target_has() {
    let set = |two: &mut Two| {
        let mut hand = ours(two);
        let id = hand.put("#inbox#", 1);
        hand.edit(id, "ours", 10);
        hand.put("#inbox#", 2);
        let mut hand = theirs(two);
        let id = hand.put("#inbox#", 1);
        hand.edit(id, "theirs", 20);
        hand.put("#inbox#", 3);
    };
    play(&set, &options(Mode::CopyOverlay), &mut |volume, report| {
        assert_eq!(counts(report), [("scanned", 2), ("inserted", 1), ("replaced", 1)]);
        assert_eq!(report.side.target_only, 1);
        assert_eq!(inbox(volume), ["RE: Mail 2", "RE: Mail 3", "ours"]);
    });
}

#[test]
fn case_26_a_mailbox_that_the_target_lacks_is_left_out_or_made_with_its_guid() {
    let set = |two: &mut Two| {
        let profile = MailboxProfile { dn: "/o=x/cn=only".into(), ..profile(9) };
        two.ours = two.source.add_mailbox(&profile).unwrap();
        let mut hand = ours(two);
        hand.put("#inbox#", 1);
        hand.put("Own/Folder", 2);
    };
    play(&set, &merge(), &mut |_, report| {
        assert_eq!(report.skipped.len(), 1);
        assert_eq!(report.skipped[0].reason, SkipReason::TargetMissing);
        assert_eq!(report.counters.scanned, 0);
    });
    let mut options = merge();
    options.mailboxes.create_missing = true;
    play(&set, &options, &mut |volume, report| {
        assert!(report.skipped.is_empty());
        assert_eq!(report.counters.inserted, 2);
        let made = report.mailboxes.iter().find(|mailbox| mailbox.name == "User 9").unwrap();
        assert_eq!(made.guid, MailboxGuid(Guid([9; 16])));
        assert_eq!(made.matched, MailboxMatch::Created);
        assert_eq!(inbox(volume), ["RE: Mail 1"]);
        assert_eq!(subjects(volume, TARGET, "/Own/Folder"), ["RE: Mail 2"]);
    });
}

#[test]
fn case_37_mail_in_the_outbox_is_told_and_left() {
    let set = |two: &mut Two| {
        ours(two).put("#outbox#", 1);
    };
    play(&set, &merge(), &mut |volume, report| {
        assert_eq!(counts(report), []);
        assert_eq!(report.side.queued_left, 1);
        let folders = &report.mailboxes[0].folders;
        let outbox = folders.iter().find(|folder| folder.path == "Outbox").unwrap();
        assert_eq!(outbox.matched, FolderMatch::LeftOut(LeftOut::Queue));
        assert!(seen(volume, TARGET).is_empty());
    });
    let mut options = merge();
    options.folders.include_outbox = true;
    play(&set, &options, &mut |volume, report| {
        assert_eq!(report.counters.inserted, 1);
        assert_eq!(subjects(volume, TARGET, "/Drafts"), ["RE: Mail 1"]);
    });
}

#[test]
fn soft_deleted_items_come_only_when_asked_for_and_stay_deleted() {
    let set = |two: &mut Two| {
        let mut hand = ours(two);
        let id = hand.put("#inbox#", 1);
        hand.writer.soft_delete_item(id).unwrap();
    };
    play(&set, &merge(), &mut |volume, report| {
        assert_eq!((report.side.dumpster_left, report.side.dumpster_inserted), (1, 0));
        assert!(seen(volume, TARGET).is_empty());
    });
    let options = Options { dumpster: DumpsterRule::Preserve, ..merge() };
    play(&set, &options, &mut |volume, report| {
        // The second run finds it.
        assert_eq!((report.side.dumpster_left, report.side.dumpster_inserted), (0, 1));
        assert!(seen(volume, TARGET).values().flatten().all(|item| item.deleted));
    });
}

#[test]
fn filters_leave_out_without_making_anything_look_missing() {
    let mut options = merge();
    options.folders.include = vec!["#Inbox#/*".into()];
    options.folders.exclude = vec!["#inbox#/Private".into()];
    let set = |two: &mut Two| {
        let mut hand = ours(two);
        hand.put("#inbox#", 1);
        hand.put("#inbox#/Private", 2);
        hand.put("Projects", 3);
    };
    play(&set, &options, &mut |volume, report| {
        assert_eq!(counts(report), [("scanned", 3), ("inserted", 1), ("filtered", 2)]);
        assert_eq!(seen(volume, TARGET).len(), 1);
    });
}

#[test]
fn a_dry_run_tells_what_a_run_does_and_changes_nothing() {
    for mode in [Mode::Merge, Mode::CopyOverlay, Mode::CopyFolder] {
        let mut two = Two::new();
        edited(&mut two, 20, 10);
        ours(&mut two).put("Projects", 2);
        ours(&mut two).put("#outbox#", 3);
        theirs(&mut two).put("Elsewhere", 4);
        let volume = two.close();
        let before = (volume.paths(), volume_bytes(&volume, TARGET));
        volume.forget_events();
        let dynamic: std::sync::Arc<dyn dialtone::io::Volume> = std::sync::Arc::new(volume.clone());
        let dry = RunOptions { dry_run: true, ..RunOptions::new([1; 16]) };
        let (from, to) = (std::path::Path::new(SOURCE), std::path::Path::new(TARGET));
        let plan = recover(&dynamic, from, to, &options(mode), &dry, &mut |_| {}).unwrap();
        assert_eq!(volume.event_count(), 0, "{:?}", volume.events());
        assert_eq!((volume.paths(), volume_bytes(&volume, TARGET)), before);
        let report = run(&volume, &options(mode), WritePath::Plain, 1);
        assert_eq!((plan.counters, plan.side), (report.counters, report.side), "{mode:?}");
        assert_eq!(plan.write_bytes, report.write_bytes);
    }
}

#[test]
fn an_item_keeps_its_ids_times_flags_and_categories() {
    let set = |two: &mut Two| {
        let mut hand = ours(two);
        let id = hand.put("#inbox#", 4);
        hand.edit(id, "edited", 60);
    };
    play(&set, &merge(), &mut |volume, _| {
        let read = |path| {
            let store = Store::open(volume, std::path::Path::new(path)).unwrap();
            let view = store.view();
            let mailbox = view.mailboxes().unwrap().remove(0);
            let folder = view.folder_at(&mailbox, "#inbox#").unwrap().id;
            let mut items = Vec::new();
            view.each_item(folder, &mut |item| {
                items.push(item?);
                Ok(())
            })
            .unwrap();
            (items.remove(0), view.replicas().unwrap())
        };
        let ((source, replicas), (target, known)) = (read(SOURCE), read(TARGET));
        assert_eq!(target.source_key, source.source_key);
        assert_eq!(target.change_key, source.change_key);
        assert_eq!(target.pcl, source.pcl);
        assert_eq!(target.id.message.counter, source.id.message.counter);
        let guid =
            |all: &[(dialtone::mapi::ReplId, _)], id| all.iter().find(|(r, _)| *r == id).unwrap().1;
        assert_eq!(
            guid(&known, target.id.message.replica),
            guid(&replicas, source.id.message.replica)
        );
        assert_ne!(target.change, source.change, "a change number of the target's own");
        assert_eq!(target.search_key, source.search_key);
        let times = |item: &dialtone::store::Item| {
            (item.created, item.modified, item.delivered, item.sort_time)
        };
        assert_eq!(times(&target), times(&source));
        assert_eq!(source.modified.unwrap().0, NOW.0 + 60 * 10_000_000);
        assert_eq!(target.flags, source.flags);
        assert_eq!(target.categories, source.categories);
        assert_eq!((target.flag_status, &target.headers), (source.flag_status, &source.headers));
    });
}

/// Both stores go on from one backup: their counters give out the same numbers for different things.
#[test]
fn stores_that_went_on_from_one_backup_do_not_mix_up_their_ids() {
    for path in PATHS {
        let mut two = Two::new();
        ours(&mut two).put("#inbox#", 1);
        let volume = two.close();
        for (from, to) in [("old.edb", "new.edb"), ("old.stm", "new.stm")] {
            let bytes = volume.file_bytes(format!("/s/{from}")).unwrap();
            store_support::overwrite(&volume, format!("/s/{to}"), &bytes);
        }
        let go_on = |store: &str, numbers: std::ops::Range<u32>| {
            let mut writer = store_support::reopen_at(&volume, store);
            // Nothing is made at the same moment in both.
            writer.set_now(dialtone::mapi::FileTime(NOW.0 + i64::from(numbers.start)));
            let mailbox = writer.view().unwrap().mailboxes().unwrap().remove(0);
            let mut hand = recover_stage::Hand { writer: &mut writer, mailbox };
            let ids: Vec<_> = numbers.clone().map(|number| hand.put("#inbox#", number)).collect();
            let name = format!("Of {}", store.trim_start_matches("/s/"));
            let folder = hand.folder(&name);
            hand.put(&name, 50 + numbers.start);
            writer.close().unwrap();
            (ids, folder)
        };
        let (our_ids, our_folder) = go_on(SOURCE, 10..14);
        let (their_ids, their_folder) = go_on(TARGET, 20..24);
        assert_eq!((&our_ids, our_folder), (&their_ids, their_folder), "the same numbers");
        for options in [merge(), options(Mode::CopyOverlay)] {
            let report = run(&volume, &options, path, 2);
            let is_first = options == merge();
            let inserted = if is_first { 5 } else { 0 };
            assert_eq!(report.counters.inserted, inserted, "{path:?}: {:?}", report.counters);
            assert_eq!((report.counters.replaced, report.counters.scanned), (0, 6));
        }
        let mut found = inbox(&volume);
        found.sort();
        let all = [1, 10, 11, 12, 13, 20, 21, 22, 23];
        assert_eq!(found, all.map(|number| format!("RE: Mail {number}")), "{path:?}");
        for (name, number) in [("/Of old.edb", 60), ("/Of new.edb", 70)] {
            let expected = [format!("RE: Mail {number}")];
            assert_eq!(subjects(&volume, TARGET, name), expected, "{path:?}");
        }
        // What comes next gets numbers that neither store has given out.
        let (next, _) = go_on(TARGET, 30..31);
        let highest = our_ids.iter().map(|id| id.message.counter).max();
        assert!(Some(next[0].message.counter) > highest, "{path:?}");
    }
}
