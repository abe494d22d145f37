//! The writer on databases that it did not make: their accounts of space are accepted, every tree takes entries and gives
//! them back, pages are accounted for afterwards, and a crash in between leaves them as they were.
#![allow(clippy::unwrap_used)] // helpers of tests, like the tests

mod real_data;
mod support;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use dialtone::ese::page::{Dbtime, Pgno};
use dialtone::ese::table::database::Database;
use dialtone::ese::table::schema::index_tree;
use dialtone::ese::tree::{DATABASE_ROOT, Forest, Tree, read_space, verify_tree};
use dialtone::ese::txn::{DatabaseFile, Pager};
use dialtone::io::MemoryVolume;

use support::{PATH, entries};

/// All trees that the catalog knows; several tables may share the indexes and long values of a template.
fn trees(volume: &MemoryVolume) -> Vec<Tree> {
    let database = Database::open(volume, Path::new(PATH)).unwrap();
    let mut trees: Vec<Tree> = Vec::new();
    for def in database.schema().tables() {
        let indexes = def.indexes.iter().map(index_tree);
        trees.extend(std::iter::once(def.tree()).chain(indexes).chain(def.long_value_tree()));
    }
    let mut seen = BTreeSet::new();
    trees.retain(|tree| seen.insert(tree.root));
    trees
}

/// Pages of all trees and free pages: none may have two fates. Answers how many there are.
fn check_fates(file: &DatabaseFile, trees: &[Tree], name: &str) -> usize {
    let mut fates = BTreeSet::new();
    for tree in trees.iter().chain([&support::database_root()]) {
        let space = read_space(file, tree.root).unwrap();
        let parts =
            space.space_trees().into_iter().flat_map(|(owned, available)| [owned, available]);
        for part in parts.chain([*tree]) {
            let report = verify_tree(file, &part, Dbtime(u64::MAX));
            assert_eq!(report.findings, [], "{name}: {part:?}");
            for pgno in report.pages {
                assert!(fates.insert(pgno), "{name}: page {pgno} has two fates");
            }
        }
        for extent in space.available.iter() {
            for pgno in extent.pages() {
                assert!(fates.insert(pgno), "{name}: free page {pgno} is in use");
            }
        }
    }
    fates.len()
}

fn key(number: u8) -> Vec<u8> {
    // No key of an index begins with this byte, and none is the beginning of another.
    [[0xfe; 6].as_slice(), &[number, 0]].concat()
}

/// Adds entries of all lengths to every tree, or takes them away again.
fn change(forest: &mut Forest, trees: &[Tree], is_added: bool) {
    for tree in trees {
        for number in 0..40u8 {
            let length = if tree.is_by_data() { 40 } else { usize::from(number) * 60 + 1 };
            let data = vec![number; length];
            if is_added {
                forest.insert(tree, &key(number), &data).unwrap();
            } else {
                forest.delete(tree, &key(number), &data).unwrap();
            }
        }
    }
}

fn all_entries(volume: &MemoryVolume, trees: &[Tree]) -> Vec<Vec<(Vec<u8>, Vec<u8>)>> {
    let file = DatabaseFile::open(volume, Path::new(PATH)).unwrap();
    trees.iter().map(|tree| entries(&file, tree).unwrap()).collect()
}

fn open(volume: &MemoryVolume) -> Forest {
    Forest::new(Pager::open(Arc::new(volume.clone()), Path::new(PATH)).unwrap())
}

/// Writes into one database, takes it back, and crashes in between; false when its format is only read.
fn write_into(name: &str, bytes: &[u8]) -> bool {
    let volume = real_data::volume_with(Path::new(PATH), bytes);
    match Pager::open(Arc::new(volume.clone()), Path::new(PATH)) {
        Ok(pager) => pager.close().unwrap(),
        Err(error) => {
            assert!(error.refusal().is_some(), "{name}: {error}");
            return false;
        }
    }
    let trees = trees(&volume);
    let before = all_entries(&volume, &trees);
    let file = DatabaseFile::open(&volume, Path::new(PATH)).unwrap();
    let fates = check_fates(&file, &trees, name);
    let owned = read_space(&file, DATABASE_ROOT).unwrap().owned.page_count();

    let mut forest = open(&volume);
    change(&mut forest, &trees, true);
    forest.commit().unwrap();
    let during = all_entries(&volume, &trees);
    assert!(during.iter().zip(&before).all(|(now, then)| now.len() == then.len() + 40), "{name}");
    change(&mut forest, &trees, false);
    forest.pager_mut().spill().unwrap();
    drop(forest); // a crash before the commit

    let mut forest = open(&volume);
    let roots: Vec<Pgno> = trees.iter().map(|tree| tree.root).collect();
    forest.scrub_after_crash(&roots).unwrap();
    assert!(all_entries(&volume, &trees) == during, "{name}: P2");
    change(&mut forest, &trees, false);
    forest.commit().unwrap();
    forest.close().unwrap();
    assert!(all_entries(&volume, &trees) == before, "{name}");
    let file = DatabaseFile::open(&volume, Path::new(PATH)).unwrap();
    let grown = read_space(&file, DATABASE_ROOT).unwrap().owned.page_count() - owned;
    assert_eq!(check_fates(&file, &trees, name) as u64, fates as u64 + grown, "{name}: lost pages");
    true
}

#[test]
fn databases_of_other_programs_take_entries_and_give_them_back() {
    let mut written = 0;
    for directory in ["ese", "ese-engine"] {
        let Some(directory) = real_data::shared(directory) else { return };
        for (name, path) in real_data::databases(&directory) {
            written += usize::from(write_into(&name, &real_data::gunzip(&path)));
        }
    }
    assert!(written >= 10, "{written} databases have the format that is written");
}
