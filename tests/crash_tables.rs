//! The crash battery one floor higher: rows with index entries and long values, tables made and dropped. The process is cut
//! at every write and sync; afterwards a writer opens the database, ends it, and `check` must find nothing while the rows
//! are those of the last commit that had returned, or of the one that was under way.
#![allow(clippy::unwrap_used)] // helpers of tests, like the tests

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use dialtone::ese::check::{Finding, check};
use dialtone::ese::page::header::{LogTime, Signature};
use dialtone::ese::table::column::{ColumnFlags, ColumnType};
use dialtone::ese::table::database::Database;
use dialtone::ese::table::write::{
    DatabaseWriter, FieldValue, NewColumn, NewDatabase, NewIndex, NewTable,
};
use dialtone::io::{MemoryVolume, Volume};

const PATH: &str = "/db/crash.edb";

/// Tables by name, each with its rows: bookmark to record.
type Content = BTreeMap<String, BTreeMap<Vec<u8>, Vec<u8>>>;

/// Content after a commit, and the events by which it was begun and had returned.
struct Commit {
    content: Content,
    begun: usize,
    returned: usize,
}

fn new_table(name: &str) -> NewTable {
    NewTable::new(name)
        .column(NewColumn::new("Id", ColumnType::Long).flagged(ColumnFlags::NOT_NULL))
        .column(NewColumn::new("Number", ColumnType::Long))
        .column(NewColumn::new("Body", ColumnType::LongBinary))
        .primary(NewIndex::new("ById", &["Id"]))
        .index(NewIndex::new("ByNumber", &["-Number"]))
}

fn content(volume: &dyn Volume) -> Content {
    let database = Database::open(volume, Path::new(PATH)).unwrap();
    let mut content = Content::new();
    for table in database.tables().filter(|table| !table.def().is_system()) {
        let fields = table.fields(1 << 20);
        let mut rows = table.rows();
        let mut found = BTreeMap::new();
        let mut is_on_row = rows.first().unwrap();
        while is_on_row {
            let row = rows.row().unwrap().unwrap();
            let mut values = Vec::new();
            for column in &table.def().columns {
                fields.each(&row, column, &mut |value| values.extend(value.unwrap().into_owned()));
            }
            found.insert(row.bookmark().to_vec(), values);
            is_on_row = rows.next().unwrap();
        }
        content.insert(table.def().name.clone(), found);
    }
    content
}

struct Scenario {
    volume: MemoryVolume,
    writer: DatabaseWriter,
    bookmarks: BTreeMap<i32, Vec<u8>>,
    commits: Vec<Commit>,
}

impl Scenario {
    fn start() -> Self {
        let volume = MemoryVolume::new();
        let dynamic: Arc<dyn Volume> = Arc::new(volume.clone());
        let sign_db = Signature { random: 1, created: LogTime::NEVER, computer: [0; 16] };
        let new = NewDatabase { sign_db, sign_slv: Signature::NONE };
        DatabaseWriter::create(dynamic.clone(), Path::new(PATH), &new).unwrap().close().unwrap();
        volume.forget_events();
        let writer = DatabaseWriter::open(dynamic, Path::new(PATH)).unwrap();
        let commits = vec![Commit { content: content(&volume), begun: 0, returned: 0 }];
        Self { volume, writer, bookmarks: BTreeMap::new(), commits }
    }

    fn commit(&mut self) {
        let begun = self.volume.event_count();
        self.writer.commit().unwrap();
        let returned = self.volume.event_count();
        // The reader lays the journal over pages that are the same: this is what the file holds.
        self.commits.push(Commit { content: content(&self.volume), begun, returned });
    }

    fn insert(&mut self, id: i32, body_bytes: usize) {
        let table = self.writer.table("Rows").unwrap();
        let (number, body) = ((id % 7).to_le_bytes(), vec![id as u8; body_bytes]);
        let key = id.to_le_bytes();
        let row = [FieldValue::Bytes(&key), FieldValue::Bytes(&number), FieldValue::Bytes(&body)];
        self.bookmarks.insert(id, self.writer.insert(&table, &row).unwrap());
    }

    fn update(&mut self, id: i32, number: i32, body_bytes: usize) {
        let table = self.writer.table("Rows").unwrap();
        let (number, body) = (number.to_le_bytes(), vec![0xee; body_bytes]);
        let changes = [(1, FieldValue::Bytes(&number)), (2, FieldValue::Bytes(&body))];
        self.writer.update(&table, &self.bookmarks[&id], &changes).unwrap();
    }

    fn delete(&mut self, id: i32) {
        let table = self.writer.table("Rows").unwrap();
        self.writer.delete(&table, &self.bookmarks.remove(&id).unwrap()).unwrap();
    }

    /// About 300 operations in eight commits.
    fn play(mut self) -> (MemoryVolume, Vec<Commit>) {
        self.writer.create_table(&new_table("Rows")).unwrap();
        self.commit();
        for id in 0..120 {
            self.insert(id, if id % 9 == 0 { 9000 } else { 40 + id as usize });
            if id % 60 == 59 {
                self.commit();
            }
        }
        for id in (0..120).step_by(3) {
            self.update(id, id * 3, if id % 2 == 0 { 5000 } else { 10 });
        }
        let table = self.writer.create_table(&new_table("Second")).unwrap();
        self.commit();
        (0..120).step_by(2).for_each(|id| self.delete(id));
        self.writer.drop_table(&table).unwrap();
        self.commit();
        (200..300).for_each(|id| self.insert(id, 300));
        self.commit();
        (200..300).step_by(2).for_each(|id| self.delete(id));
        self.commit();
        self.writer.close().unwrap();
        (self.volume, self.commits)
    }
}

/// Opens what a crash left for writing and ends it; then nothing may be wrong with it.
fn recovered(image: &MemoryVolume) -> Content {
    let volume: Arc<dyn Volume> = Arc::new(image.clone());
    let writer = DatabaseWriter::open(volume, Path::new(PATH)).unwrap();
    writer.close().unwrap();
    let mut findings: Vec<Finding> = Vec::new();
    let mut sink = |finding: &Finding| findings.push(finding.clone());
    check(image, Path::new(PATH), &mut sink).unwrap();
    assert_eq!(findings, [], "check after recovery");
    content(image)
}

#[test]
fn whatever_write_is_the_last_the_rows_are_those_of_a_commit_and_check_is_clean() {
    let (volume, commits) = Scenario::start().play();
    let mut images = 0;
    for cut in 0..=volume.event_count() {
        let low = commits.iter().rposition(|commit| commit.returned <= cut).unwrap();
        let high = commits.iter().rposition(|commit| commit.begun < cut.max(1)).unwrap().max(low);
        for (kind, image) in volume.crash_images(cut) {
            let found = recovered(&image);
            let at = (low..=high).find(|at| commits[*at].content == found);
            assert!(
                at.is_some(),
                "cut {cut}, {kind:?}: the content is none of commits {low} to {high}"
            );
            images += 1;
        }
    }
    assert!(images > 200, "only {images} crash images");
}
