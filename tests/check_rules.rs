//! Each rule of `check` finds the damage it is there for: one sound database, one change at a time, the checksum stamped
//! anew so that nothing but the rule itself can notice.

#![allow(clippy::unwrap_used)]

mod real_data;

use std::path::Path;
use std::sync::Arc;

use dialtone::ese::check::{Finding, Severity, Summary, check, check_quick};
use dialtone::ese::page::checksum;
use dialtone::ese::page::header::{DbHeader, DbState, LogTime, Signature};
use dialtone::ese::page::{Dbtime, ObjId, PageEditor, PageFlags, PageView, Pgno};
use dialtone::ese::table::column::{ColumnFlags, ColumnType};
use dialtone::ese::table::write::{
    DatabaseWriter, FieldValue, NewColumn, NewDatabase, NewIndex, NewTable,
};
use dialtone::io::{MemoryVolume, Volume};

const PATH: &str = "/db/check.edb";
const PAGE: usize = 4096;
/// Object ids of the user's table and its trees.
const TABLE: ObjId = ObjId(8);
const INDEX: ObjId = ObjId(9);
const LONG_VALUES: ObjId = ObjId(11);
const SHADOW: ObjId = ObjId(3);

/// A table of 400 rows with a unique and another index, every tenth row with a long value.
fn sound() -> Vec<u8> {
    let memory = MemoryVolume::new();
    let volume: Arc<dyn Volume> = Arc::new(memory.clone());
    let sign_db = Signature { random: 1, created: LogTime::NEVER, computer: [0; 16] };
    let new = NewDatabase { sign_db, sign_slv: Signature::NONE };
    let mut writer = DatabaseWriter::create(volume, Path::new(PATH), &new).unwrap();
    let table = NewTable::new("Rows")
        .column(NewColumn::new("Id", ColumnType::Long).flagged(ColumnFlags::NOT_NULL))
        .column(NewColumn::new("Number", ColumnType::Long))
        .column(NewColumn::new("Body", ColumnType::LongBinary))
        .primary(NewIndex::new("ById", &["Id"]))
        .index(NewIndex::new("ByNumber", &["Number"]))
        .index(NewIndex::new("Unique", &["Number", "Id"]).unique());
    let table = writer.create_table(&table).unwrap();
    for id in 0..400i32 {
        let body = vec![b'x'; if id % 10 == 0 { 9000 } else { 60 }];
        let (number, id) = ((id % 37).to_le_bytes(), id.to_le_bytes());
        let row = [FieldValue::Bytes(&id), FieldValue::Bytes(&number), FieldValue::Bytes(&body)];
        writer.insert(&table, &row).unwrap();
    }
    writer.close().unwrap();
    memory.file_bytes(PATH).unwrap()
}

fn run(bytes: &[u8], quick: bool) -> (Summary, Vec<Finding>) {
    let volume = real_data::volume_with(Path::new(PATH), bytes);
    let mut findings = Vec::new();
    let mut sink = |finding: &Finding| findings.push(finding.clone());
    let run = if quick { check_quick } else { check };
    let summary = run(&volume, Path::new(PATH), &mut sink).unwrap();
    (summary, findings)
}

fn page_of(bytes: &mut [u8], pgno: u32) -> &mut [u8] {
    let start = (pgno as usize + 1) * PAGE;
    &mut bytes[start..start + PAGE]
}

/// The first page of a tree with these flags, and without those.
fn find(bytes: &[u8], objid: ObjId, with: PageFlags, without: PageFlags) -> u32 {
    let pages = (bytes.len() / PAGE - 2) as u32;
    (1..=pages)
        .find(|pgno| {
            let start = (*pgno as usize + 1) * PAGE;
            let page = PageView::new(&bytes[start..start + PAGE], Pgno::fixed(*pgno));
            page.is_ok_and(|page| {
                page.objid() == objid && page.has(with) && !page.flags().intersects(without)
            })
        })
        .unwrap()
}

fn leaf(bytes: &[u8], objid: ObjId) -> u32 {
    find(bytes, objid, PageFlags::LEAF, PageFlags::ROOT | PageFlags::SPACE_TREE)
}

/// Changes one page and stamps it.
fn edit(bytes: &mut [u8], pgno: u32, change: impl FnOnce(&mut PageEditor<'_>)) {
    let page = page_of(bytes, pgno);
    change(&mut PageEditor::over(page, Pgno::fixed(pgno)));
    checksum::stamp(page, Pgno::fixed(pgno));
}

/// Changes raw bytes of a page and stamps it.
fn poke(bytes: &mut [u8], pgno: u32, offset: usize, value: &[u8]) {
    let page = page_of(bytes, pgno);
    page[offset..offset + value.len()].copy_from_slice(value);
    checksum::stamp(page, Pgno::fixed(pgno));
}

fn set_header(bytes: &mut [u8], change: impl FnOnce(&mut DbHeader)) {
    let mut header = DbHeader::decode(&bytes[..PAGE]).unwrap();
    change(&mut header);
    let page = header.encode();
    bytes[..PAGE].copy_from_slice(&page);
    bytes[PAGE..2 * PAGE].copy_from_slice(&page);
}

/// Key and data of node `line`.
fn node(bytes: &mut [u8], pgno: u32, line: usize) -> (Vec<u8>, Vec<u8>) {
    let page = PageView::new(page_of(bytes, pgno), Pgno::fixed(pgno)).unwrap();
    let node = page.node(line).unwrap();
    (node.key.to_vec(), node.data.to_vec())
}

/// Offset of the space header (tag 0) of a root.
fn tag_0(bytes: &mut [u8], pgno: u32) -> usize {
    let page = PageView::new(page_of(bytes, pgno), Pgno::fixed(pgno)).unwrap();
    40 + page.tag(0).unwrap().offset
}

type Damage = fn(&mut Vec<u8>);

const CASES: [(&str, &str, Severity, Damage); 24] = [
    ("one wrong bit", "checksum", Severity::Warning, |bytes| page_of(bytes, 13)[900] ^= 4),
    ("two wrong bits", "checksum", Severity::Error, |bytes| {
        page_of(bytes, 200)[900] ^= 4;
        page_of(bytes, 200)[100] ^= 1;
    }),
    ("a damaged shadow header", "header", Severity::Error, |bytes| bytes[PAGE + 60] ^= 1),
    ("a dirty state", "state", Severity::Error, |bytes| {
        set_header(bytes, |header| header.set_state(DbState::Dirty));
    }),
    ("a file that ends too early", "length", Severity::Error, |bytes| {
        let length = bytes.len() - 3 * PAGE;
        bytes.truncate(length);
    }),
    ("bytes after the last page", "length", Severity::Error, |bytes| bytes.extend([1; 100])),
    ("an object id above the last one", "objid", Severity::Error, |bytes| {
        set_header(bytes, |header| header.set_objid_last(ObjId(9)));
    }),
    ("a change counter above the header's", "dbtime", Severity::Error, |bytes| {
        let pgno = leaf(bytes, TABLE);
        edit(bytes, pgno, |page| page.set_dbtime(Dbtime(1 << 40)));
    }),
    ("a leaf of another tree", "objid", Severity::Error, |bytes| {
        let pgno = leaf(bytes, TABLE);
        poke(bytes, pgno, 24, &77u32.to_le_bytes());
    }),
    ("a leaf that lost its index flag", "flags", Severity::Error, |bytes| {
        let pgno = leaf(bytes, INDEX);
        edit(bytes, pgno, |page| page.set_flags(PageFlags::LEAF));
    }),
    ("a broken link between leaves", "links", Severity::Error, |bytes| {
        let pgno = leaf(bytes, TABLE);
        edit(bytes, pgno, |page| page.set_next(None));
    }),
    ("two nodes that changed places", "node", Severity::Error, |bytes| {
        let pgno = leaf(bytes, TABLE);
        let page = page_of(bytes, pgno);
        let (a, b) = (PAGE - 8, PAGE - 12);
        for byte in 0..4 {
            page.swap(a + byte, b + byte);
        }
        checksum::stamp(page, Pgno::fixed(pgno));
    }),
    ("free bytes that do not add up", "node", Severity::Error, |bytes| {
        let pgno = leaf(bytes, TABLE);
        poke(bytes, pgno, 28, &7u16.to_le_bytes());
    }),
    ("a separator above the entries behind it", "separator", Severity::Error, |bytes| {
        let root = find(bytes, TABLE, PageFlags::ROOT, PageFlags::SPACE_TREE);
        let (mut key, child) = node(bytes, root, 0);
        *key.last_mut().unwrap() += 1;
        edit(bytes, root, |page| {
            page.delete_node(0);
            assert!(page.insert_node(0, &key, &child));
        });
    }),
    ("a parent that hands out no space", "space", Severity::Error, |bytes| {
        let root = find(bytes, INDEX, PageFlags::ROOT, PageFlags::SPACE_TREE);
        let offset = tag_0(bytes, root);
        poke(bytes, root, offset + 4, &1u32.to_le_bytes());
    }),
    ("a unique index that says it is none", "space", Severity::Error, |bytes| {
        let root = find(bytes, ObjId(10), PageFlags::ROOT, PageFlags::SPACE_TREE);
        let offset = tag_0(bytes, root) + 8;
        let flags = page_of(bytes, root)[offset] | 2;
        poke(bytes, root, offset, &[flags]);
    }),
    ("a page in use that is listed as free", "ownership", Severity::Error, |bytes| {
        // Available extents of the catalog: one node, last page 23; it is made to reach back to the leaves.
        let (key, _) = node(bytes, 6, 0);
        edit(bytes, 6, |page| assert!(page.replace_data(0, &11u32.to_le_bytes())));
        assert_eq!(key, 23u32.to_be_bytes());
    }),
    ("a page that nobody owns any more", "leak", Severity::Warning, |bytes| {
        let (_, data) = node(bytes, 3, 0);
        let count = u32::from_le_bytes(data.try_into().unwrap()) - 1;
        edit(bytes, 3, |page| assert!(page.replace_data(0, &count.to_le_bytes())));
    }),
    ("a row that is gone from the shadow", "shadow", Severity::Error, |bytes| {
        let pgno = leaf(bytes, SHADOW);
        edit(bytes, pgno, |page| page.delete_node(3));
    }),
    ("a record under a key that is not its own", "key", Severity::Error, |bytes| {
        let pgno = leaf(bytes, TABLE);
        let (_, mut record) = node(bytes, pgno, 5);
        record[4] ^= 0x40;
        edit(bytes, pgno, |page| assert!(page.replace_data(5, &record)));
    }),
    ("an index that misses an entry", "index", Severity::Error, |bytes| {
        let pgno = leaf(bytes, INDEX);
        edit(bytes, pgno, |page| page.delete_node(3));
    }),
    ("a reference count that is too low", "long value", Severity::Error, |bytes| {
        let (pgno, line) = long_value_root(bytes);
        let (_, mut data) = node(bytes, pgno, line);
        data[0] = 0;
        edit(bytes, pgno, |page| assert!(page.replace_data(line, &data)));
    }),
    ("a reference count that is too high", "long value", Severity::Warning, |bytes| {
        let (pgno, line) = long_value_root(bytes);
        let (_, mut data) = node(bytes, pgno, line);
        data[0] = 2;
        edit(bytes, pgno, |page| assert!(page.replace_data(line, &data)));
    }),
    ("a long value without its last chunk", "long value", Severity::Error, |bytes| {
        let (pgno, line) = long_value_root(bytes);
        let (_, mut data) = node(bytes, pgno, line);
        data[4..].copy_from_slice(&20_000u32.to_le_bytes());
        edit(bytes, pgno, |page| assert!(page.replace_data(line, &data)));
    }),
];

/// Page and line of the root of a long value.
fn long_value_root(bytes: &mut [u8]) -> (u32, usize) {
    let pgno = leaf(bytes, LONG_VALUES);
    let count = PageView::new(page_of(bytes, pgno), Pgno::fixed(pgno)).unwrap().node_count();
    let line = (0..count).find(|line| node(bytes, pgno, *line).0.len() == 4).unwrap();
    (pgno, line)
}

#[test]
fn every_rule_finds_its_damage() {
    let sound = sound();
    let (summary, findings) = run(&sound, false);
    assert_eq!(findings, [], "the base is clean");
    assert_eq!((summary.rows, summary.index_entries, summary.long_values), (577, 885, 40));
    for (what, rule, severity, damage) in CASES {
        let mut bytes = sound.clone();
        damage(&mut bytes);
        assert_ne!(bytes, sound, "{what}: nothing was changed");
        let (_, findings) = run(&bytes, false);
        let found = findings.iter().any(|found| found.rule == rule && found.severity == severity);
        assert!(found, "{what}: no {rule} among {findings:#?}");
    }
}

#[test]
fn a_quick_check_sees_checksums_and_headers_only() {
    let mut bytes = sound();
    assert_eq!(run(&bytes, true).1, []);
    let pgno = leaf(&bytes, INDEX);
    edit(&mut bytes, pgno, |page| page.delete_node(3));
    assert_eq!(run(&bytes, true).1, [], "a missing entry is beyond a quick check");
    page_of(&mut bytes, pgno)[1000] ^= 3;
    let (summary, findings) = run(&bytes, true);
    assert_eq!(summary.errors, 1);
    assert_eq!((findings[0].rule, findings[0].pgno), ("checksum", Pgno::new(pgno)));
}

/// What is really wrong with the real files, by rule; all others are clean.
fn known_damage(name: &str) -> &'static [(&'static str, u64)] {
    match name {
        // Old disk contents behind the last page that the database owns.
        "SRUDB.dat" => &[("checksum", 16)],
        // Left by a program that did not shut down.
        "goese-qmgr.db" => &[("state", 1)],
        // Its shadow catalog is empty, and three pages were written after the header: one holds an index entry whose
        // row never came.
        "plaso-Catalog1.edb" => &[("dbtime", 3), ("index", 2), ("shadow", 128)],
        _ => &[],
    }
}

#[test]
fn real_databases_are_clean_but_for_their_known_damage() {
    for directory in ["ese", "ese-engine"] {
        let Some(directory) = real_data::shared(directory) else { return };
        for (name, path) in real_data::databases(&directory) {
            let (_, findings) = run(&real_data::gunzip(&path), false);
            let mut errors = std::collections::BTreeMap::new();
            for finding in findings.iter().filter(|finding| finding.severity == Severity::Error) {
                *errors.entry(finding.rule).or_insert(0) += 1;
            }
            let errors: Vec<(&str, u64)> = errors.into_iter().collect();
            assert_eq!(errors, known_damage(&name), "{name}: {findings:#?}");
        }
    }
}
