//! Damaged stores: whatever is lost, the rest is recovered, nothing hangs, and the sums come out.

use dialtone::mapi::FolderId;
use dialtone::recover::{FolderMatch, LeftOut, Mode};
use dialtone::store::{DEPTH_MAX, ItemId, NewFolder, Role};

use crate::recover_support::{SOURCE, TARGET, Two, options, subjects};
use crate::world::{find, open, ours, plan, run_twice, set, theirs};

fn set_parent(volume: &dialtone::io::MemoryVolume, folder: FolderId, parent: FolderId) {
    let (key, value) = (folder.to_store(), parent.to_store());
    set(volume, SOURCE, "Folders", &[&key], &[("Q6749", Some(&value))]);
}

#[test]
fn circles_of_folders_are_cut_and_orphans_keep_what_is_below_them() {
    for mode in [Mode::Merge, Mode::CopyOverlay, Mode::CopyFolder] {
        for exclude in [&[][..], &["Nothing/*".to_owned()][..]] {
            let mut two = Two::new();
            let mut source = ours(&mut two);
            let lost = source.put("Lost", 1).folder;
            source.put("Lost/Below/Deep", 2);
            let a = source.put("A", 3).folder;
            let b = source.put("A/B", 4).folder;
            let own = source.put("Own", 5).folder;
            source.put("#inbox#", 6);
            let volume = two.close();
            set_parent(&volume, a, b);
            set_parent(&volume, own, own);
            let nowhere = FolderId::new(lost.replica, dialtone::mapi::GlobCnt::MAX);
            set_parent(&volume, lost, nowhere);
            let mut options = options(mode);
            options.folders.exclude = exclude.to_vec();
            let plan = run_twice(&volume, &options);
            assert_eq!(plan.counters.inserted, 6, "{mode:?}");
            for (path, subject) in
                [("Lost", 1), ("Lost/Below/Deep", 2), ("A", 3), ("A/B", 4), ("Own", 5)]
            {
                find(&plan, &format!("Recovered Orphans/{path}"));
                let found = subjects(&volume, TARGET, &format!("Recovered Orphans/{path}"));
                assert_eq!(found, [format!("RE: Mail {subject}")], "{mode:?} {path}");
            }
        }
    }
}

#[test]
fn folders_too_deep_are_recovered_higher_up() {
    for mode in [Mode::Merge, Mode::CopyFolder] {
        let mut two = Two::new();
        let mut source = ours(&mut two);
        let mut at = source.role(Role::IpmSubtree);
        for depth in 0..DEPTH_MAX + 20 {
            at = source.writer.create_folder(at, &NewFolder::named("f")).unwrap();
            if depth % 50 == 0 || depth + 25 > DEPTH_MAX {
                source.put_in(at, depth as u32);
            }
        }
        let items = plan_items(&mut two);
        let volume = two.close();
        let plan = run_twice(&volume, &options(mode));
        assert_eq!(plan.counters.inserted, items, "{mode:?}");
        let store = open(&volume, TARGET);
        let root = store.view().mailboxes().unwrap()[0].root;
        assert_eq!(store.view().folders(root).unwrap().orphans().count(), 0, "{mode:?}");
    }
}

fn plan_items(two: &mut Two) -> u64 {
    two.source.flush().unwrap();
    let mailbox = two.source.view().unwrap().mailboxes().unwrap().remove(0);
    mailbox.items as u64
}

#[test]
fn a_folder_whose_row_is_lost_costs_its_own_items_only() {
    let mut two = Two::new();
    let mut source = ours(&mut two);
    let lost = source.put("Lost", 1).folder;
    source.put("Lost/Below", 2);
    source.put("#inbox#", 3);
    let volume = two.close();
    set(&volume, SOURCE, "Folders", &[&lost.to_store()], &[("N65e0", Some(&[1; 3]))]);
    let plan = plan(&volume, &options(Mode::Merge));
    assert_eq!((plan.counters.inserted, plan.counters.bad, plan.bad.len()), (2, 1, 1));
    find(&plan, "Recovered Orphans/Below");
    let unreadable =
        |f: &&dialtone::recover::FolderPlan| f.matched == FolderMatch::LeftOut(LeftOut::Unreadable);
    assert_eq!(plan.folders.iter().filter(unreadable).count(), 1);
    run_twice(&volume, &options(Mode::Merge));
}

#[test]
fn the_row_of_the_inbox_can_be_lost_and_its_role_is_still_known_of_the_others() {
    let mut two = Two::new();
    ours(&mut two).put("#sent_items#", 1);
    let inbox = ours(&mut two).role(Role::Inbox);
    let volume = two.close();
    set(&volume, SOURCE, "Folders", &[&inbox.to_store()], &[("N65e0", Some(&[1; 3]))]);
    let plan = run_twice(&volume, &options(Mode::Merge));
    assert_eq!(find(&plan, "Sent Items").matched, FolderMatch::Role);
    assert_eq!((plan.counters.inserted, plan.counters.bad), (1, 1));
}

fn break_item(volume: &dialtone::io::MemoryVolume, store: &str, id: ItemId) {
    let key = [&id.folder.to_store()[..], &id.message.to_store()[..]];
    set(volume, store, "MsgFolder", &key, &[("N300b", Some(&[1; 15]))]);
}

#[test]
fn a_row_that_cannot_be_read_is_bad_and_the_others_are_recovered() {
    let mut two = Two::new();
    let broken = ours(&mut two).put("#inbox#", 1);
    ours(&mut two).put("#inbox#", 2);
    let filtered = ours(&mut two).put("Plan", 3);
    let volume = two.close();
    break_item(&volume, SOURCE, broken);
    break_item(&volume, SOURCE, filtered);
    let mut options = options(Mode::Merge);
    options.folders.exclude = vec!["Plan".into()];
    let plan = run_twice(&volume, &options);
    let counters = plan.counters;
    assert_eq!((counters.inserted, counters.bad, counters.filtered), (1, 1, 1));
    assert_eq!(plan.bad.len(), 1);
    assert_eq!(plan.bad[0].folder_path, "Inbox");
}

#[test]
fn a_broken_row_of_the_target_hides_itself_only() {
    let mut two = Two::new();
    ours(&mut two).put("#inbox#", 1);
    ours(&mut two).put("#inbox#", 2);
    let broken = theirs(&mut two).put("#inbox#", 1);
    theirs(&mut two).put("#inbox#", 2);
    let volume = two.close();
    break_item(&volume, TARGET, broken);
    let plan = plan(&volume, &options(Mode::Merge));
    assert_eq!((plan.counters.inserted, plan.counters.unchanged), (1, 1));
}

#[test]
fn content_that_cannot_be_read_never_replaces_a_whole_mail() {
    let mut two = Two::new();
    let id = ours(&mut two).put("#inbox#", 1);
    ours(&mut two).edit(id, 5);
    theirs(&mut two).put("#inbox#", 1);
    let item = two.source.view().unwrap().item(id).unwrap().unwrap();
    let volume = two.close();
    let stream = [("H6659", Some(&[1_u8; 15][..]))];
    set(&volume, SOURCE, "Msg", &[&item.instance.to_store()], &stream);
    let plan = run_twice(&volume, &options(Mode::Merge));
    assert_eq!((plan.counters.conflict_kept_target, plan.counters.replaced), (1, 0));
}

#[test]
fn a_mailbox_row_that_names_folders_of_another_gives_no_roles() {
    let volume = {
        let mut two = Two::new();
        ours(&mut two).put("#inbox#", 1);
        two.target.add_mailbox(&crate::store_support::profile(2)).unwrap();
        two.close()
    };
    let store = open(&volume, TARGET);
    let mailboxes = store.view().mailboxes().unwrap();
    let (own, other) = (mailboxes[0].clone(), mailboxes[1].clone());
    drop(store);
    assert_eq!(own.profile.guid, crate::store_support::profile(1).guid);
    crate::world::tamper(&volume, TARGET, |writer| {
        use dialtone::ese::table::write::FieldValue;
        use dialtone::stm::NamedTable;
        let named = NamedTable::new(writer.table("Mailbox").unwrap());
        let place = named.def().columns.iter().position(|c| c.name == "MQ7e11").unwrap();
        let ids: Vec<[u8; 8]> = other.logon_folders.iter().map(|id| id.to_store()).collect();
        let ids = ids.iter().map(|id| FieldValue::Bytes(&id[..])).collect();
        let key = named.key(&[Some(&own.root.to_store())]).unwrap();
        writer.update(named.def(), &key, &[(place, FieldValue::Many(ids))]).unwrap();
    });
    let plan = plan(&volume, &options(Mode::Merge));
    let store = open(&volume, TARGET);
    for folder in &plan.folders {
        if let dialtone::recover::FolderTarget::Existing(id) = &folder.target {
            assert_eq!(store.view().folder(*id).unwrap().unwrap().root, own.root, "{folder:?}");
        }
    }
    assert_eq!(plan.counters.inserted, 1);
}
