//! Folder names that would lead out of the directory, links that lie in wait there, and stores with damage: nothing leaves the
//! directory, nothing is left out without a word, nothing panics.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use dialtone::ese::page::Pgno;
use dialtone::ese::page::checksum::stamp;
use dialtone::io::MemoryVolume;
use dialtone::mail::{ExportError, MailError, MailFormat, StoredForm, export_mailbox};
use dialtone::mapi::FolderId;
use dialtone::store::{NewFolder, Role, Store, StoreWriter};

use crate::files::{fixtures, read_all};
use crate::stage::{FORMATS, export, export_damaged, files, mailbox, store_of};
use crate::store_support::{PATH, create, mime, open, overwrite, path, promoted};
use crate::support::random::{Random, Slice};
use crate::tamper::{set, tamper};

const FOLDER_ID: &str = "Q6748";
const PARENT: &str = "Q6749";
const NAME: &str = "U3001";

fn put(writer: &mut StoreWriter, folder: FolderId, number: u32) {
    let bytes = mime(number, 3_000);
    writer.insert_mime(folder, &promoted(number, &bytes), &bytes).unwrap();
}

/// A mail in a folder of each name, below the IPM subtree and nested in the one before.
fn with_folders(names: &[&str]) -> MemoryVolume {
    let (volume, mut writer) = create(1);
    let mailbox = writer.add_mailbox(&crate::store_support::profile(1)).unwrap();
    let top = mailbox.logon_folder(Role::IpmSubtree).unwrap();
    let mut above = top;
    for (number, name) in (0_u32..).zip(names) {
        let flat = writer.create_folder(top, &NewFolder::named(name)).unwrap();
        put(&mut writer, flat, 2 * number);
        above = match above == top {
            true => flat,
            false => writer.create_folder(above, &NewFolder::named(name)).unwrap(),
        };
        put(&mut writer, above, 2 * number + 1);
    }
    writer.close().unwrap();
    volume
}

fn expected(mails: u32) -> Vec<Vec<u8>> {
    let mut all: Vec<_> = (0..mails).map(|number| mime(number, 3_000)).collect();
    all.sort();
    all
}

fn bytes_below(root: &Path) -> Vec<Vec<u8>> {
    let mut all: Vec<_> = read_all(root).into_iter().map(|message| message.bytes).collect();
    all.sort();
    all
}

#[test]
fn hostile_folder_names_stay_inside_and_apart() {
    let long = "Ж".repeat(250);
    let names = [
        "..",
        "../../up",
        "/etc",
        "a/b",
        "a\\b",
        "a:b",
        "CON",
        "nul.txt",
        "\u{0}",
        "\n",
        "cur",
        "new",
        "tmp",
        "mbox",
        "x.mbox",
        "x",
        "00000001.eml",
        ".hidden",
        "trailing.",
        " blank ",
        "\u{202e}txt",
        "ÄRGER",
        "C:\\Windows",
        &long,
    ];
    let volume = with_folders(&names);
    for format in FORMATS {
        let around = tempfile::tempdir().unwrap();
        let out = around.path().join("deep/out");
        let report = export(&volume, "User 1", None, format, &out);
        assert_eq!(report.written.messages, 2 * names.len() as u64);
        let found = files(around.path());
        for name in found.keys() {
            assert!(name.starts_with("deep/out/"), "{name}");
            for part in name.split('/') {
                let is_safe = |c: char| !c.is_control() && !"\\*?\"<>|".contains(c);
                assert!(part.len() <= 200 && part.chars().all(is_safe), "{name:?}");
                assert!(format == MailFormat::Maildir || !part.contains(':'), "{name:?}");
                assert!(!part.starts_with('.') && !part.ends_with(['.', ' ']), "{name:?}");
            }
        }
        let mut folded: Vec<_> = found.keys().map(|name| name.to_lowercase()).collect();
        folded.sort();
        folded.dedup();
        assert_eq!(folded.len(), found.len(), "names that differ in case only");
        assert_eq!(bytes_below(&out), expected(2 * names.len() as u32), "{format:?}");
    }
}

#[test]
fn folders_whose_names_a_tool_wiped_lose_no_mail() {
    let volume = with_folders(&["a", "b", "c"]);
    tamper(&volume, PATH, |writer| set(writer, "Folders", None, NAME, Some(&[])));
    for format in FORMATS {
        let out = tempfile::tempdir().unwrap();
        let report = export(&volume, "User 1", None, format, out.path());
        assert_eq!(report.written.messages, 6);
        assert_eq!(bytes_below(out.path()), expected(6), "{format:?}");
    }
}

/// The place of the folder of this name among the rows of the table.
fn place_of(volume: &MemoryVolume, name: &str) -> usize {
    let store = open(volume);
    let mut names = Vec::new();
    store.view().each_folder(&mut |folder| folder.map(|folder| names.push(folder.name))).unwrap();
    names.iter().position(|known| known == name).unwrap()
}

#[test]
fn folders_that_hang_nowhere_are_told_and_their_mail_is_kept() {
    for parent in [Some(&[9_u8; 8][..]), None] {
        let volume = with_folders(&["a", "b", "c"]);
        let place = place_of(&volume, "b");
        tamper(&volume, PATH, |writer| set(writer, "Folders", Some(place), PARENT, parent));
        let out = tempfile::tempdir().unwrap();
        let (report, told) = export_damaged(&volume, "User 1", out.path());
        assert_eq!((report.written.messages, report.failed, told.len()), (6, 1, 1), "{told:?}");
        assert!(told[0].contains("hangs below no folder"), "{told:?}");
        assert_eq!(bytes_below(out.path()), expected(6));
        let recovered = out.path().join("Recovered Orphans/b");
        assert_eq!(read_all(&recovered).len(), 1);
    }
}

#[test]
fn folders_in_a_circle_are_told_and_their_mail_is_kept() {
    let volume = with_folders(&["a", "b", "c"]);
    let (store, place) = (open(&volume), place_of(&volume, "a"));
    let (view, mailbox) = mailbox(&store, "User 1");
    // a lies in a/b, which lies in a.
    let inner = view.folder_at(&mailbox, "a/b").unwrap().id.to_store();
    drop(store);
    tamper(&volume, PATH, |writer| set(writer, "Folders", Some(place), PARENT, Some(&inner)));
    let out = tempfile::tempdir().unwrap();
    let (report, told) = export_damaged(&volume, "User 1", out.path());
    assert_eq!((report.written.messages, report.failed), (6, 3), "{told:?}");
    assert_eq!(bytes_below(out.path()), expected(6));
}

#[test]
fn a_folder_row_that_cannot_be_read_is_told() {
    let volume = with_folders(&["a", "b", "c"]);
    let place = place_of(&volume, "c");
    tamper(&volume, PATH, |writer| set(writer, "Folders", Some(place), "N65e0", Some(&[1; 3])));
    let out = tempfile::tempdir().unwrap();
    let (report, told) = export_damaged(&volume, "User 1", out.path());
    assert!(report.failed > 0 && told.len() as u64 == report.failed, "{told:?}");
    assert!(report.written.messages >= 4);
}

#[test]
fn a_content_that_fails_its_checksum_is_told_and_the_others_come() {
    let volume = with_folders(&["a", "b", "c"]);
    let stm = Path::new(PATH).with_extension("stm");
    let mut bytes = volume.file_bytes(&stm).unwrap();
    let needle = &mime(3, 3_000)[200..264];
    let at = bytes.windows(needle.len()).position(|window| window == needle).unwrap();
    bytes[at] ^= 0x55;
    overwrite(&volume, &stm, &bytes);
    let out = tempfile::tempdir().unwrap();
    let (report, told) = export_damaged(&volume, "User 1", out.path());
    assert_eq!((report.written.messages, report.failed, told.len()), (5, 1, 1), "{told:?}");
    let mut left = expected(6);
    left.retain(|bytes| *bytes != mime(3, 3_000));
    assert_eq!(bytes_below(out.path()), left);
}

#[test]
fn damaged_stores_are_exported_as_far_as_they_go() {
    let (volume, _) = store_of(&["Ann"], StoredForm::Mixed, &fixtures().join("maildir"));
    let stm = Path::new(PATH).with_extension("stm");
    let (edb, stream) = (volume.file_bytes(PATH).unwrap(), volume.file_bytes(&stm).unwrap());
    let seed = Slice::of_this_run("damaged stores to export").seed();
    let mut dice = Random::new(seed);
    let (mut ended, mut failed) = (0, 0);
    for case in 0..80 {
        let mut bytes = edb.clone();
        damage(&mut bytes, &mut dice);
        let volume = MemoryVolume::new();
        overwrite(&volume, PATH, &bytes);
        overwrite(&volume, &stm, &stream);
        let out = tempfile::tempdir().unwrap();
        let run = AssertUnwindSafe(|| {
            let store = Store::open(&volume, &path()).ok()?;
            let mailbox = store.view().find_mailbox("Ann").ok()?;
            let (view, format) = (store.view(), FORMATS[case % 3]);
            export_mailbox(&view, &mailbox, None, format, out.path(), &mut |_, _| {}).ok()
        });
        let result = catch_unwind(run);
        assert!(result.is_ok(), "seed {seed}, case {case}: a panic");
        if let Ok(Some(report)) = result {
            ended += 1;
            failed += usize::from(report.failed > 0);
        }
    }
    println!("{ended} of 80 exports ended, {failed} of them with something to tell");
    assert!(ended > 0);
}

/// Changes some bytes of some pages; the pages stay sound to their checksums.
fn damage(edb: &mut [u8], dice: &mut Random) {
    let pages = edb.len() / 4096 - 2;
    for _ in 0..1 + dice.below(12) {
        let number = 1 + dice.below(pages) as u32;
        let start = (number as usize + 1) * 4096;
        let page = &mut edb[start..start + 4096];
        if page.iter().all(|byte| *byte == 0) {
            continue;
        }
        for _ in 0..1 + dice.below(6) {
            page[40 + dice.below(4056)] = [0, 1, 0x7f, 0x80, 0xff][dice.below(5)];
        }
        stamp(page, Pgno::new(number).unwrap());
    }
}

#[cfg(unix)]
#[test]
fn links_in_the_directory_are_not_followed() {
    let volume = with_folders(&["a"]);
    for format in FORMATS {
        let around = tempfile::tempdir().unwrap();
        let (out, outside) = (around.path().join("out"), around.path().join("outside"));
        fs::create_dir(&out).unwrap();
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("file"), "untouched").unwrap();
        let (name, target) = match format {
            MailFormat::Mbox => ("a.mbox", outside.join("file")),
            MailFormat::Eml | MailFormat::Maildir => ("a", outside.clone()),
        };
        std::os::unix::fs::symlink(&target, out.join(name)).unwrap();
        let store = open(&volume);
        let (view, mailbox) = mailbox(&store, "User 1");
        let result = export_mailbox(&view, &mailbox, None, format, &out, &mut |_, _| {});
        let refused = matches!(
            result,
            Err(ExportError::Files(MailError::InTheWay { .. } | MailError::Os { .. }))
        );
        assert!(refused, "{format:?}: {result:?}");
        let left = files(&outside);
        assert_eq!(
            left.into_iter().collect::<Vec<_>>(),
            [("file".to_string(), b"untouched".to_vec())]
        );
    }
}

#[test]
fn a_folder_whose_id_is_gone_keeps_nothing_from_the_others() {
    // The row of the Inbox itself: its children become orphans, its items are nobody's.
    let volume = with_folders(&["a", "b"]);
    let place = place_of(&volume, "a");
    tamper(&volume, PATH, |writer| {
        let table = writer.table("Folders").unwrap();
        let row = crate::tamper::bookmarks(writer, &table)[place].clone();
        assert!(table.columns.iter().any(|column| column.name == FOLDER_ID));
        writer.delete(&table, &row).unwrap();
    });
    let out = tempfile::tempdir().unwrap();
    let (report, told) = export_damaged(&volume, "User 1", out.path());
    // a held two mails that no folder holds now; a/b is an orphan.
    assert_eq!((report.written.messages, report.failed), (2, 1), "{told:?}");
}
