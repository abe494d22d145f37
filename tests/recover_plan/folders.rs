//! The acceptance cases about folders: role, id, name, what is left out, what is made.

use dialtone::mapi::FolderId;
use dialtone::recover::{FolderMatch, FolderTarget, LeftOut, Mode, NewParent, Options};
use dialtone::store::{FolderKind, NewFolder, Role};

use crate::recover_support::{SOURCE, TARGET, Two, options, subjects};
use crate::world::{
    copy_source_to_target, fate, find, open, ours, plan, rename, reopen, run_twice, set, theirs,
};

fn merge() -> Options {
    options(Mode::Merge)
}

fn filtered(include: &[&str], exclude: &[&str]) -> Options {
    let mut options = merge();
    options.folders.include = include.iter().map(|text| (*text).to_owned()).collect();
    options.folders.exclude = exclude.iter().map(|text| (*text).to_owned()).collect();
    options
}

#[test]
fn case_10_roles_match_whatever_the_language() {
    let mut two = Two::new();
    ours(&mut two).put("#inbox#", 1);
    ours(&mut two).put("#calendar#", 2);
    ours(&mut two).put("#inbox#/Sub", 3);
    let inbox = two.theirs.logon_folder(Role::Inbox).unwrap();
    let calendar = theirs(&mut two).folder("#calendar#");
    theirs(&mut two).put("#inbox#", 1);
    let volume = two.close();
    rename(&volume, TARGET, inbox, "Posteingang");
    rename(&volume, TARGET, calendar, "Kalender");
    let only = plan(&volume, &filtered(&["#Inbox#"], &[]));
    assert_eq!(
        (only.counters.unchanged, only.counters.inserted, only.counters.filtered),
        (1, 0, 2)
    );
    let plan = run_twice(&volume, &merge());
    assert_eq!(fate(&plan, "Inbox"), (FolderMatch::Role, inbox.to_string()));
    assert_eq!(fate(&plan, "Calendar"), (FolderMatch::Role, calendar.to_string()));
    assert_eq!(plan.side.folders_created, 1);
    assert_eq!(subjects(&volume, TARGET, "Posteingang/Sub"), ["RE: Mail 3"]);
}

#[test]
fn case_11_folders_of_other_classes_are_not_mixed() {
    let mut two = Two::new();
    ours(&mut two).put("Plan", 1);
    ours(&mut two).put("Plan/Sub", 2);
    theirs(&mut two).class_folder("plan", "IPF.Appointment");
    theirs(&mut two).class_folder("Plan (Recovered)", "IPF.Task");
    let volume = two.close();
    let plan = run_twice(&volume, &merge());
    assert_eq!(fate(&plan, "Plan"), (FolderMatch::Created, "+Plan (recovered) 2".into()));
    assert_eq!(subjects(&volume, TARGET, "Plan (recovered) 2/Sub"), ["RE: Mail 2"]);
}

#[test]
fn a_name_of_the_source_is_not_made_up_for_another_folder() {
    let mut two = Two::new();
    ours(&mut two).put("Plan", 1);
    ours(&mut two).put("Plan (recovered)", 2);
    theirs(&mut two).class_folder("Plan", "IPF.Appointment");
    let volume = two.close();
    let plan = run_twice(&volume, &merge());
    assert_eq!(fate(&plan, "Plan").1, "+Plan (recovered) 2");
    assert_eq!(fate(&plan, "Plan (recovered)").1, "+Plan (recovered)");
}

#[test]
fn siblings_of_one_name_get_folders_of_their_own() {
    let mut two = Two::new();
    let mut source = ours(&mut two);
    let ids: Vec<FolderId> = (1..=3).map(|n| source.put(&format!("F{n}"), n).folder).collect();
    let volume = two.close();
    ids.iter().for_each(|id| rename(&volume, SOURCE, *id, "Same"));
    let plan = run_twice(&volume, &merge());
    let made = plan.folders.iter().filter(|folder| folder.path == "Same");
    let names: Vec<_> = made
        .map(|folder| match &folder.target {
            FolderTarget::New { folder, .. } => folder.name.clone(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(names, ["Same", "Same (recovered)", "Same (recovered) 2"]);
}

#[test]
fn case_12_a_renamed_folder_of_one_lineage_still_gets_its_items() {
    let mut two = Two::new();
    let (old, other) = (ours(&mut two).put("Old", 1).folder, ours(&mut two).put("Other", 2).folder);
    let volume = two.close();
    copy_source_to_target(&volume);
    let mut source = reopen(&volume, SOURCE);
    let (promoted, bytes) = crate::recover_support::mail(3);
    source.insert_mime(old, &promoted, &bytes).unwrap();
    // A new folder of the source takes the name that the old one has in the target now.
    let mailbox = source.view().unwrap().mailboxes().unwrap().remove(0);
    let news = source.ensure_folder(&mailbox, "New").unwrap().id;
    let (promoted, bytes) = crate::recover_support::mail(4);
    source.insert_mime(news, &promoted, &bytes).unwrap();
    source.close().unwrap();
    rename(&volume, TARGET, old, "New");
    let plan = run_twice(&volume, &merge());
    assert_eq!(fate(&plan, "Old"), (FolderMatch::Id, old.to_string()));
    assert_eq!(fate(&plan, "Other"), (FolderMatch::Id, other.to_string()));
    assert_eq!(fate(&plan, "New").1, "+New (recovered)");
    assert_eq!(plan.counters.inserted, 2);
    assert_eq!(subjects(&volume, TARGET, "/New").len(), 2);
}

#[test]
fn one_id_and_another_creation_time_is_another_folder() {
    let two = Two::new();
    let volume = two.close();
    copy_source_to_target(&volume);
    let mut ids = Vec::new();
    for (store, name, minutes) in [(SOURCE, "Ours", 1), (TARGET, "Theirs", 2)] {
        let mut writer = reopen(&volume, store);
        writer.set_now(dialtone::mapi::FileTime(
            crate::store_support::NOW.0 + minutes * crate::world::MINUTE,
        ));
        let mailbox = writer.view().unwrap().mailboxes().unwrap().remove(0);
        let folder = writer.ensure_folder(&mailbox, name).unwrap().id;
        let (promoted, bytes) = crate::recover_support::mail(minutes as u32);
        writer.insert_mime(folder, &promoted, &bytes).unwrap();
        ids.push(folder);
        writer.close().unwrap();
    }
    assert_eq!(ids[0], ids[1], "both stores went on from the same number");
    let plan = run_twice(&volume, &merge());
    assert_eq!(fate(&plan, "Ours"), (FolderMatch::Created, "+Ours".into()));
}

#[test]
fn case_17_search_folders_and_what_clients_make_are_left() {
    let mut two = Two::new();
    let mut source = ours(&mut two);
    let finder = source.role(Role::Finder);
    let search = NewFolder { kind: FolderKind::Search, ..NewFolder::named("Unread") };
    let found = source.writer.create_folder(finder, &search).unwrap();
    source.put_in(found, 1);
    let views = source.role(Role::Views);
    source.put_in(views, 2);
    let beside = NewFolder { kind: FolderKind::Search, ..NewFolder::named("Beside") };
    let top = source.role(Role::IpmSubtree);
    let beside = source.writer.create_folder(top, &beside).unwrap();
    source.put_in(beside, 3);
    for mode in [Mode::Merge, Mode::CopyOverlay, Mode::CopyFolder] {
        let mut two = Two::new();
        let mut source = ours(&mut two);
        let finder = source.role(Role::Finder);
        let found = source.writer.create_folder(finder, &search).unwrap();
        source.put_in(found, 1);
        let views = source.role(Role::Views);
        source.put_in(views, 2);
        let plan = run_twice(&two.close(), &options(mode));
        assert_eq!((plan.counters.scanned, plan.side.search_folders_left), (0, 1), "{mode:?}");
    }
    let plan = run_twice(&two.close(), &merge());
    assert_eq!((plan.counters.scanned, plan.side.search_folders_left), (0, 2));
    assert_eq!(find(&plan, "Beside").matched, FolderMatch::LeftOut(LeftOut::Search));
    assert_eq!(find(&plan, "Views").matched, FolderMatch::LeftOut(LeftOut::Client));
}

#[test]
fn case_37_queued_mail_is_listed_and_left_or_goes_to_drafts() {
    for mode in [Mode::Merge, Mode::CopyOverlay] {
        let mut two = Two::new();
        ours(&mut two).put("#outbox#", 1);
        ours(&mut two).put("#drafts#", 2);
        theirs(&mut two).put("#drafts#", 3);
        let volume = two.close();
        let left = run_twice(&volume, &options(mode));
        assert_eq!((left.side.queued_left, left.counters.scanned), (1, 1));
        assert_eq!(find(&left, "Outbox").matched, FolderMatch::LeftOut(LeftOut::Queue));
        let mut with = options(mode);
        with.folders.include_outbox = true;
        let plan = run_twice(&volume, &with);
        assert_eq!((plan.counters.inserted, plan.counters.unchanged), (1, 1), "{mode:?}");
        assert_eq!(fate(&plan, "Outbox").1, fate(&plan, "Drafts").1);
        assert_eq!(subjects(&volume, TARGET, "Drafts").len(), 3);
    }
}

#[test]
fn a_plain_folder_called_outbox_does_not_become_the_outbox() {
    let mut two = Two::new();
    let outbox = two.theirs.logon_folder(Role::Outbox).unwrap();
    let mine = ours(&mut two).role(Role::Outbox);
    ours(&mut two).put("Ausgang", 1);
    let volume = two.close();
    rename(&volume, SOURCE, mine, "Postausgang");
    let store = open(&volume, SOURCE);
    let ausgang = store.view().folder_at(&store.view().mailboxes().unwrap()[0], "Ausgang").unwrap();
    drop(store);
    rename(&volume, SOURCE, ausgang.id, "Outbox");
    let plan = run_twice(&volume, &merge());
    assert_eq!(fate(&plan, "Outbox").1, "+Outbox (recovered)");
    assert_ne!(fate(&plan, "Outbox").1, outbox.to_string());
}

#[test]
fn empty_folders_are_made_in_copies_and_when_asked() {
    let mut two = Two::new();
    ours(&mut two).folder("Empty/Below");
    ours(&mut two).put("Full/Deep", 1);
    let volume = two.close();
    assert_eq!(plan(&volume, &merge()).side.folders_created, 2);
    assert_eq!(fate(&plan(&volume, &merge()), "Empty").0, FolderMatch::LeftOut(LeftOut::Empty));
    let mut with = merge();
    with.folders.create_empty = true;
    assert_eq!(plan(&volume, &with).side.folders_created, 4);
    assert_eq!(run_twice(&volume, &options(Mode::CopyOverlay)).side.folders_created, 4);
}

#[test]
fn without_making_folders_their_items_are_counted_and_left() {
    let mut two = Two::new();
    ours(&mut two).put("Missing/Deep", 1);
    ours(&mut two).put("#inbox#", 2);
    let moved = ours(&mut two).put("Missing", 3);
    ours(&mut two).edit(moved, 5);
    theirs(&mut two).put("Elsewhere", 3);
    let deleted = ours(&mut two).put("Missing", 4);
    two.source.soft_delete_item(deleted).unwrap();
    let volume = two.close();
    let mut none = merge();
    none.folders.create_none = true;
    none.dumpster = dialtone::recover::DumpsterRule::Preserve;
    let plan = run_twice(&volume, &none);
    let counters = plan.counters;
    assert_eq!((counters.skipped_no_folder, counters.inserted, counters.replaced), (1, 1, 1));
    assert_eq!((plan.side.folders_created, plan.side.dumpster_left), (0, 1));
    assert_eq!(fate(&plan, "Missing").0, FolderMatch::LeftOut(LeftOut::NotCreated));
}

#[test]
fn a_replaced_item_elsewhere_is_no_reason_to_make_its_old_folder() {
    let mut two = Two::new();
    let id = ours(&mut two).put("Gone", 1);
    ours(&mut two).edit(id, 5);
    theirs(&mut two).put("Elsewhere", 1);
    let plan = run_twice(&two.close(), &merge());
    assert_eq!((plan.counters.replaced, plan.side.folders_created), (1, 0));
    assert_eq!(fate(&plan, "Gone").0, FolderMatch::LeftOut(LeftOut::Empty));
}

#[test]
fn filters_choose_what_is_written_and_not_what_is_compared() {
    let mut two = Two::new();
    ours(&mut two).put("#inbox#", 1);
    ours(&mut two).put("#inbox#/A", 2);
    ours(&mut two).put("Plan/B", 3);
    ours(&mut two).put("#sent_items#", 4);
    // Of two equal items the one in its old folder is the same, though that folder is filtered out.
    ours(&mut two).put("Plan/B", 5);
    ours(&mut two).put("#inbox#", 5);
    theirs(&mut two).put("Plan/B", 5);
    let volume = two.close();
    let counts = |include: &[&str], exclude: &[&str]| {
        let plan = plan(&volume, &filtered(include, exclude));
        (plan.counters.inserted, plan.counters.filtered)
    };
    assert_eq!(counts(&["#inbox#"], &[]), (2, 4));
    assert_eq!(counts(&["#INBOX#/*"], &[]), (3, 3));
    assert_eq!(counts(&["plan/*"], &[]), (1, 4));
    assert_eq!(counts(&["plan"], &[]), (0, 6));
    assert_eq!(counts(&[], &["#Inbox#/*"]), (2, 3));
    assert_eq!(counts(&["#inbox#/*"], &["inbox/a"]), (2, 4));
    run_twice(&volume, &filtered(&["#inbox#/*", "plan/b"], &[]));
}

#[test]
fn a_copy_beside_holds_the_hierarchy_below_the_subtree_and_touches_nothing_else() {
    let mut two = Two::new();
    ours(&mut two).put("#inbox#", 1);
    ours(&mut two).put("#inbox#/Sub", 2);
    let top = ours(&mut two).role(Role::IpmSubtree);
    ours(&mut two).put_in(top, 3);
    ours(&mut two).put("#outbox#", 4);
    theirs(&mut two).put("#inbox#", 1);
    let volume = two.close();
    let mut named = options(Mode::CopyFolder);
    named.folders.copy_folder = Some("Inbox".into());
    let plan = run_twice(&volume, &named);
    // The name of a folder that clients know is not taken from it.
    assert_eq!(fate(&plan, "Inbox").1, "+Inbox (recovered)");
    assert_eq!((plan.counters.inserted, plan.side.queued_left), (3, 1));
    let FolderTarget::New { parent: NewParent::Planned(above), .. } =
        &find(&plan, "Inbox/Sub").target
    else {
        panic!("{:?}", find(&plan, "Inbox/Sub"))
    };
    assert_eq!(plan.folders[*above].path, "Inbox");
    let outside = plan.folders.iter().filter(|f| matches!(f.target, FolderTarget::Existing(_)));
    assert_eq!(outside.count(), 0);
    assert_eq!(subjects(&volume, TARGET, "Inbox (recovered)/Inbox/Sub"), ["RE: Mail 2"]);
}

#[test]
fn a_copy_beside_with_a_filter_leaves_the_rest() {
    let mut two = Two::new();
    ours(&mut two).put("#inbox#/Sub", 1);
    ours(&mut two).put("Other", 2);
    let root = ours(&mut two).role(Role::Root);
    let beside = two.source.create_folder(root, &NewFolder::named("Beside")).unwrap();
    ours(&mut two).put_in(beside, 3);
    let volume = two.close();
    let mut only = filtered(&["#inbox#/Sub", "Beside"], &[]);
    only.rules.mode = Mode::CopyFolder;
    let plan = run_twice(&volume, &only);
    assert_eq!((plan.counters.inserted, plan.counters.filtered), (1, 1));
    assert_eq!(plan.side.folders_created, 3, "the copy, Inbox and Sub: {:#?}", plan.folders);
}

#[test]
fn a_role_that_the_target_does_not_have_becomes_a_plain_folder() {
    let mut two = Two::new();
    ours(&mut two).put("#notes#", 1);
    let inbox = theirs(&mut two).role(Role::Inbox);
    let root = theirs(&mut two).role(Role::Root);
    let notes = theirs(&mut two).folder("#notes#");
    let volume = two.close();
    for holder in [inbox, root] {
        set(&volume, TARGET, "Folders", &[&holder.to_store()], &[("N36d3", None)]);
    }
    rename(&volume, TARGET, notes, "Notizen");
    let plan = run_twice(&volume, &merge());
    assert!(find(&plan, "Notes").is_role_lost);
    assert_eq!(fate(&plan, "Notes"), (FolderMatch::Created, "+Notes".into()));
    assert!(!find(&plan, "Inbox").is_role_lost);
}
