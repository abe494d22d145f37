//! What the end-to-end tests of recovery play with: what users do to the mailboxes of two stores, in one line each.
#![allow(clippy::unwrap_used)] // helpers of tests, like the tests
#![allow(dead_code)] // each test program uses a part

use dialtone::mapi::{FileTime, FolderId};
use dialtone::recover::{Counters, JobReport, Mode, Options, WritePath};
use dialtone::store::{Item, ItemId, Mailbox, StoreWriter};

use crate::recover_support::{Two, mail, options, run};
use crate::store_support::NOW;

/// Both ways of writing.
pub const PATHS: [WritePath; 2] = [WritePath::Plain, WritePath::Parallel];

/// One side of [`Two`].
pub struct Hand<'h> {
    pub writer: &'h mut StoreWriter,
    pub mailbox: Mailbox,
}

/// The source.
pub fn ours(two: &mut Two) -> Hand<'_> {
    Hand { writer: &mut two.source, mailbox: two.ours.clone() }
}

/// The target.
pub fn theirs(two: &mut Two) -> Hand<'_> {
    Hand { writer: &mut two.target, mailbox: two.theirs.clone() }
}

impl Hand<'_> {
    pub fn folder(&mut self, path: &str) -> FolderId {
        self.writer.ensure_folder(&self.mailbox, path).unwrap().id
    }

    /// Mail `number` arrives in a folder.
    pub fn put(&mut self, path: &str, number: u32) -> ItemId {
        let folder = self.folder(path);
        let (promoted, bytes) = mail(number);
        self.writer.insert_mime(folder, &promoted, &bytes).unwrap()
    }

    /// The user changes an item so many seconds after [`NOW`]; it gets this subject.
    pub fn edit(&mut self, id: ItemId, subject: &str, seconds: i64) {
        self.at(seconds);
        let number = 5000 + subject.bytes().map(u32::from).sum::<u32>();
        let (mut promoted, bytes) = mail(number);
        promoted.subject = subject.to_owned();
        self.writer.edit_item(id, &promoted, &bytes).unwrap();
        self.at(0);
    }

    /// The user copies an item, at that time.
    pub fn copy(&mut self, id: ItemId, path: &str, seconds: i64) -> ItemId {
        let folder = self.folder(path);
        self.at(seconds);
        let copy = self.writer.copy_item(id, folder).unwrap();
        self.at(0);
        copy
    }

    pub fn shift(&mut self, id: ItemId, path: &str) -> ItemId {
        let folder = self.folder(path);
        self.writer.move_item(id, folder).unwrap()
    }

    pub fn item(&mut self, id: ItemId) -> Item {
        self.writer.view().unwrap().item(id).unwrap().unwrap()
    }

    /// Makes an item a hidden one of this class.
    pub fn hide(&mut self, id: ItemId, class: &str) {
        let mut item = self.item(id);
        item.associated = true;
        item.headers.class = class.to_owned();
        self.writer.replace_item(id, &item).unwrap();
    }

    fn at(&mut self, seconds: i64) {
        self.writer.set_now(FileTime(NOW.0 + seconds * 10_000_000));
    }
}

/// Lets both ways of writing recover the same two stores; answers each one's volume and report. A second run must find nothing to do.
pub fn play(
    set: &dyn Fn(&mut Two),
    options: &Options,
    look: &mut dyn FnMut(&dialtone::io::MemoryVolume, &JobReport),
) {
    for path in PATHS {
        let mut two = Two::new();
        set(&mut two);
        let volume = two.close();
        let report = run(&volume, options, path, 2);
        look(&volume, &report);
        let again = run(&volume, options, path, 2);
        let Counters { inserted, replaced, .. } = again.counters;
        assert_eq!((inserted, replaced), (0, 0), "{path:?}: a second run {:?}", again.counters);
        assert_eq!(again.side.hidden_inserted, 0, "{path:?}");
    }
}

pub fn merge() -> Options {
    options(Mode::Merge)
}
