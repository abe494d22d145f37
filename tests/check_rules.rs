//! Each rule of `check` finds the damage it is there for, and no other rule is set off by it: one sound database, one change
//! at a time. Then the real databases, which are clean but for what is known.

#![allow(clippy::unwrap_used)]

#[path = "check_rules/cases.rs"]
mod cases;
#[path = "check_rules/made.rs"]
mod made;
#[path = "support/random.rs"]
#[allow(dead_code, reason = "other test programs use the rest of it")]
mod random;
mod real_data;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use dialtone::ese::check::{Finding, Severity, Summary, check, check_quick};
use dialtone::ese::page::{PageEditor, PageFlags, PageView, Pgno, checksum};
use dialtone::ese::table::key::{IndexKeys, index_has_unicode};
use dialtone::ese::txn::Pages as _;
use made::{BY_NUMBER, PAGE, PATH, edit, leaf, page_of, sound, stamp};
use random::Random;

fn run(bytes: &[u8], quick: bool) -> (Summary, Vec<Finding>) {
    let volume = real_data::volume_with(Path::new(PATH), bytes);
    let mut findings = Vec::new();
    let mut sink = |finding: &Finding| findings.push(finding.clone());
    let run = if quick { check_quick } else { check };
    let summary = run(&volume, Path::new(PATH), &mut sink).unwrap();
    (summary, findings)
}

fn judge(cases: &[cases::Case]) {
    let sound = sound();
    let mut failed = Vec::new();
    for case in cases {
        let what = case.what;
        let mut bytes = sound.clone();
        (case.damage)(&mut bytes);
        assert_ne!(bytes, sound, "{what}: nothing was changed");
        let (_, findings) = run(&bytes, false);
        let told = findings.iter().filter(|found| found.severity != Severity::Note);
        let told: BTreeSet<_> = told.map(|found| (found.rule, found.severity)).collect();
        let expected: BTreeSet<_> = case.told.iter().copied().collect();
        if told != expected {
            failed.push(format!("{what}: expected {expected:?}, told {told:?}"));
            failed.extend(findings.iter().map(|found| format!("    {found:?}")));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn the_base_is_clean() {
    let (summary, findings) = run(&sound(), false);
    assert_eq!(findings, []);
    let Summary { rows, index_entries, long_values, .. } = summary;
    assert_eq!((rows, index_entries, long_values), (601, 891, 41));
}

#[test]
fn damage_of_file_and_header_is_found() {
    judge(cases::FILE);
}

#[test]
fn damage_of_trees_is_found() {
    judge(cases::TREES);
}

#[test]
fn damage_of_space_is_found() {
    judge(cases::SPACE);
}

#[test]
fn damage_of_the_catalog_is_found() {
    judge(cases::CATALOGS);
}

#[test]
fn damage_of_records_keys_and_indexes_is_found() {
    judge(cases::RECORDS);
}

#[test]
fn damage_of_long_values_is_found() {
    judge(cases::LONG_VALUES);
}

#[test]
fn a_quick_check_sees_checksums_and_headers_only() {
    let mut bytes = sound();
    assert_eq!(run(&bytes, true).1, []);
    let pgno = leaf(&bytes, BY_NUMBER);
    edit(&mut bytes, pgno, |page| page.delete_node(3));
    assert_eq!(run(&bytes, true).1, [], "a missing entry is beyond a quick check");
    page_of(&mut bytes, pgno)[1000] ^= 3;
    let (summary, findings) = run(&bytes, true);
    assert_eq!(summary.errors, 1);
    assert_eq!((findings[0].rule, findings[0].pgno), ("checksum", Pgno::new(pgno)));
}

#[test]
fn very_many_findings_are_counted_but_not_all_told() {
    let mut bytes = sound();
    for pgno in 1..=150 {
        page_of(&mut bytes, pgno)[1000] ^= 3;
    }
    let (summary, findings) = run(&bytes, true);
    assert_eq!((summary.errors, summary.notes), (150, 1));
    assert_eq!(findings.len(), 101);
}

/// What is really wrong with the real files, by rule; all others are clean.
fn known_damage(name: &str) -> &'static [(&'static str, u64)] {
    match name {
        // Old disk contents behind the last page that the database owns.
        "SRUDB.dat" => &[("checksum", 16)],
        // Left by a program that did not shut down.
        "goese-qmgr.db" => &[("state", 1)],
        // Its shadow catalog is empty (128 rows, of which 100 are told), and three pages were written after the header: one
        // holds an index entry whose row never came.
        "plaso-Catalog1.edb" => &[("dbtime", 3), ("index", 2), ("shadow", 100)],
        _ => &[],
    }
}

fn all_real(mut visit: impl FnMut(&str, Vec<u8>)) {
    for directory in ["ese", "ese-engine"] {
        let Some(directory) = real_data::shared(directory) else { return };
        for (name, path) in real_data::databases(&directory) {
            visit(&name, real_data::gunzip(&path));
        }
    }
}

#[test]
fn real_databases_are_clean_but_for_their_known_damage() {
    all_real(|name, bytes| {
        let (_, findings) = run(&bytes, false);
        let mut errors = BTreeMap::new();
        for finding in findings.iter().filter(|finding| finding.severity == Severity::Error) {
            *errors.entry(finding.rule).or_insert(0) += 1;
        }
        let errors: Vec<(&str, u64)> = errors.into_iter().collect();
        assert_eq!(errors, known_damage(name), "{name}: {findings:#?}");
    });
}

/// Keys of Unicode text are opaque, but an entry that is gone is missed all the same.
#[test]
fn a_missing_entry_of_a_unicode_index_is_found() {
    let mut tried = 0;
    all_real(|name, mut bytes| {
        if !known_damage(name).is_empty() {
            return;
        }
        let Some((object, pgno)) = unicode_leaf(&bytes) else { return };
        let page_bytes = real_data::open_bytes(PATH, &bytes).unwrap().file().page_size().bytes();
        let start = (pgno as usize + 1) * page_bytes;
        let page = &mut bytes[start..start + page_bytes];
        PageEditor::over(page, Pgno::fixed(pgno)).delete_node(1);
        checksum::stamp(page, Pgno::fixed(pgno));
        let (_, findings) = run(&bytes, false);
        let errors = findings.iter().filter(|found| found.severity == Severity::Error);
        let errors: Vec<_> = errors.map(|found| (found.rule, found.object.as_deref())).collect();
        assert_eq!(errors, [("index", Some(&*object)); 2], "{name}: {findings:#?}");
        tried += 1;
    });
    if real_data::shared("ese").is_some() {
        assert!(tried > 0, "no database with a Unicode index of one entry a row");
    }
}

/// A leaf with several entries of an index on Unicode text that gives a row one entry at most; small pages only.
fn unicode_leaf(bytes: &[u8]) -> Option<(String, u32)> {
    let database = real_data::open_bytes(PATH, bytes).unwrap();
    let page_bytes = database.file().page_size().bytes();
    for table in database.tables().filter(|_| page_bytes <= 8192) {
        for index in &table.def().indexes {
            let keys = IndexKeys::new(index, &table.def().columns).unwrap();
            if !index_has_unicode(index, &table.def().columns) || !keys.gives_one_entry_at_most() {
                continue;
            }
            let mut cursor = table.index(&index.name).unwrap();
            if cursor.first().unwrap() {
                let pgno = cursor.place().unwrap().0;
                let start = (pgno.get() as usize + 1) * page_bytes;
                let page = PageView::new(&bytes[start..start + page_bytes], pgno).unwrap();
                if page.has(PageFlags::LEAF) && page.node_count() > 2 {
                    return Some((format!("{}.{}", table.def().name, index.name), pgno.get()));
                }
            }
        }
    }
    None
}

/// Lies with right checksums: whatever a page says, the check ends, soon, and says something.
#[test]
fn random_lies_never_end_a_check() {
    let sound = sound();
    let pages = sound.len() / PAGE - 2;
    let mut random = Random::new(20_261_122);
    let mut found = 0;
    for round in 0..600 {
        let mut bytes = sound.clone();
        for _ in 0..=random.below(3) {
            let pgno = 1 + random.below(pages) as u32;
            // The header, the tags and the first nodes are where lies have the most power.
            let at = match random.below(3) {
                0 => random.below(40),
                1 => PAGE - 1 - random.below(64),
                _ => random.below(PAGE),
            };
            page_of(&mut bytes, pgno)[at] = random.below(256) as u8;
            stamp(&mut bytes, pgno);
        }
        let start = std::time::Instant::now();
        let (summary, findings) = run(&bytes, false);
        assert!(start.elapsed().as_secs() < 10, "round {round} took {:?}", start.elapsed());
        assert!(findings.len() < 1000, "round {round}: {summary:?}");
        found += u64::from(!findings.is_empty());
    }
    assert!(found > 200, "only {found} of 600 lies were noticed");
}
