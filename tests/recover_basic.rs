//! One mailbox recovered from one store into another, in both modes and by both ways of writing.

#![allow(clippy::unwrap_used)] // a test program

mod recover_support;
mod store_support;

use dialtone::recover::{Mode, WritePath};
use dialtone::store::NewFolder;

use recover_support::{SOURCE, TARGET, Two, mail, options, run, seen, subjects};
use store_support::mapi;

const PATHS: [WritePath; 2] = [WritePath::Plain, WritePath::Parallel];

/// Mail in both forms, in several folders, some of it twice, and one soft-deleted.
fn fill(two: &mut Two) {
    let inbox = two.source.view().unwrap().folder_at(&two.ours, "#inbox#").unwrap().id;
    let plan = two.source.create_folder(inbox, &NewFolder::named("Plan")).unwrap();
    for number in 0..40 {
        let (promoted, bytes) = mail(number);
        let folder = if number % 3 == 0 { plan } else { inbox };
        two.source.insert_mime(folder, &promoted, &bytes).unwrap();
    }
    for number in 100..120 {
        let embeds = number % 4 == 0;
        two.source.insert_mapi(inbox, &mapi(number, number as usize * 90, embeds)).unwrap();
    }
    let (promoted, bytes) = mail(1);
    two.source.insert_mime(plan, &promoted, &bytes).unwrap();
}

#[test]
fn a_mailbox_is_copied_whole_and_a_second_run_finds_nothing_to_do() {
    for path in PATHS {
        for mode in [Mode::Merge, Mode::CopyOverlay] {
            let mut two = Two::new();
            fill(&mut two);
            let volume = two.close();
            let report = run(&volume, &options(mode), path, 2);
            assert_eq!(report.counters.inserted, 61, "{path:?} {mode:?}");
            assert_eq!(report.verified, 61);
            assert_eq!(seen(&volume, SOURCE), seen(&volume, TARGET), "{path:?} {mode:?}");
            let again = run(&volume, &options(mode), path, 2);
            assert_eq!(
                (again.counters.inserted, again.counters.replaced),
                (0, 0),
                "{path:?} {mode:?}"
            );
            assert_eq!(again.counters.unchanged, 61);
        }
    }
}

#[test]
fn a_copy_beside_goes_into_one_dated_folder_and_a_second_run_adds_nothing() {
    for path in PATHS {
        let mut two = Two::new();
        fill(&mut two);
        let volume = two.close();
        let report = run(&volume, &options(Mode::CopyFolder), path, 2);
        assert_eq!(report.counters.inserted, 61);
        let folders: Vec<_> = seen(&volume, TARGET).into_keys().map(|(_, path)| path).collect();
        assert!(
            folders.iter().all(|path| path.contains("/Recovered Data 2003-10-21 ")),
            "{folders:?}"
        );
        let again = run(&volume, &options(Mode::CopyFolder), path, 2);
        assert_eq!((again.counters.inserted, again.counters.unchanged), (0, 61));
    }
}

#[test]
fn an_item_that_the_user_moved_stays_where_it_is() {
    for path in PATHS {
        let mut two = Two::new();
        let (promoted, bytes) = mail(5);
        let inbox = two.source.view().unwrap().folder_at(&two.ours, "#inbox#").unwrap().id;
        two.source.insert_mime(inbox, &promoted, &bytes).unwrap();
        let theirs = two.theirs.clone();
        let projects = two.target.ensure_folder(&theirs, "Projects").unwrap().id;
        two.target.insert_mime(projects, &promoted, &bytes).unwrap();
        let volume = two.close();
        let report = run(&volume, &options(Mode::Merge), path, 1);
        assert_eq!((report.counters.moved, report.counters.inserted), (1, 0));
        assert_eq!(subjects(&volume, TARGET, "Projects"), ["RE: Mail 5"]);
    }
}

#[test]
fn the_newer_version_wins_and_keeps_the_targets_ids() {
    for path in PATHS {
        for source_is_newer in [true, false] {
            let mut two = Two::new();
            let (promoted, bytes) = mail(5);
            let (mut edited, new_bytes) = mail(6);
            edited.subject = "edited".into();
            let put = |writer: &mut dialtone::store::StoreWriter, mailbox, edit: bool| {
                let inbox = writer.view().unwrap().folder_at(mailbox, "#inbox#").unwrap().id;
                let id = writer.insert_mime(inbox, &promoted, &bytes).unwrap();
                if edit {
                    writer.edit_item(id, &edited, &new_bytes).unwrap();
                }
            };
            put(&mut two.source, &two.ours, source_is_newer);
            put(&mut two.target, &two.theirs, !source_is_newer);
            let volume = two.close();
            let report = run(&volume, &options(Mode::Merge), path, 1);
            let expected = if source_is_newer { (1, 0) } else { (0, 1) };
            assert_eq!((report.counters.replaced, report.counters.conflict_kept_target), expected);
            assert_eq!(subjects(&volume, TARGET, "Inbox"), ["edited"]);
            let again = run(&volume, &options(Mode::Merge), path, 1);
            assert_eq!((again.counters.inserted, again.counters.replaced), (0, 0));
        }
    }
}
