//! Runs against an ordered map: whole pages linked into random trees, between commits, beside loans that are given back.

#![allow(clippy::unwrap_used)] // a test program

mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use dialtone::ese::EseResult;
use dialtone::ese::page::{ObjId, PageSize, Pgno};
use dialtone::ese::tree::{
    DATABASE_ROOT, Extent, Forest, PageSupply, Run, RunBuilder, Tree, TreeKind,
};
use dialtone::ese::txn::{AheadWriter, DatabaseFile};
use dialtone::io::{MemoryVolume, Volume};
use proptest::prelude::*;

use support::{Model, PATH, check_content, check_space, create, place, reopen};

struct Lender<'f>(&'f mut Forest);

impl PageSupply for Lender<'_> {
    fn lend_pages(&mut self, fdp: Pgno, want: u32) -> EseResult<Extent> {
        self.0.lend_pages(fdp, want)
    }
}

fn build(
    forest: &mut Forest,
    writer: &AheadWriter,
    tree: Tree,
    entries: &[(Vec<u8>, Vec<u8>)],
) -> Option<Run> {
    let mut builder = RunBuilder::new(tree, PageSize::KIB4);
    for (key, data) in entries {
        builder.push(&mut Lender(forest), writer, key, data).unwrap();
    }
    builder.finish(&mut Lender(forest), writer).unwrap()
}

/// A key that no other is the beginning of.
fn key(number: u32) -> Vec<u8> {
    [b"key".as_slice(), &number.to_be_bytes(), &[0]].concat()
}

fn make_tree(forest: &mut Forest, kind: TreeKind) -> Tree {
    let tree = forest.create_tree(DATABASE_ROOT, ObjId(9), kind, 4).unwrap();
    forest.commit().unwrap();
    tree
}

#[derive(Debug, Clone)]
enum Step {
    /// Entries one by one.
    Insert(Vec<u32>),
    /// A run of `count` entries from `first` on, so many apart, of so many bytes.
    Run {
        first: u32,
        count: u32,
        apart: u32,
        bytes: usize,
    },
    /// The same, given up.
    Discard {
        count: u32,
    },
    Delete(Vec<u32>),
    Commit,
    Reopen,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let run = (0u32..60_000, 1u32..400, prop_oneof![Just(1u32), 1u32..200], 8usize..1500);
    let step = prop_oneof![
        3 => prop::collection::vec(0u32..60_000, 1..80).prop_map(Step::Insert),
        6 => run.prop_map(|(first, count, apart, bytes)| Step::Run { first, count, apart, bytes }),
        1 => (1u32..200).prop_map(|count| Step::Discard { count }),
        1 => prop::collection::vec(0u32..60_000, 1..80).prop_map(Step::Delete),
        2 => Just(Step::Commit),
        1 => Just(Step::Reopen),
    ];
    prop::collection::vec(step, 1..25)
}

fn entry(tree: &Tree, number: u32, bytes: usize) -> (Vec<u8>, Vec<u8>) {
    let bytes = if tree.is_by_data() { bytes.min(150) } else { bytes };
    (key(number), vec![number as u8 | 1; bytes])
}

/// The entries of a run that the model does not have yet.
fn run_entries(tree: &Tree, model: &Model, step: &Step) -> Vec<(Vec<u8>, Vec<u8>)> {
    let Step::Run { first, count, apart, bytes } = *step else { return Vec::new() };
    let numbers = (0..count).map(|at| first + at * apart);
    let entries = numbers.map(|number| entry(tree, number, bytes));
    entries.filter(|(key, data)| !model.contains_key(&place(tree, key, data))).collect()
}

fn play(kind: TreeKind, steps: Vec<Step>) {
    let volume: Arc<dyn Volume> = Arc::new(MemoryVolume::new());
    let mut forest = create(&volume);
    let tree = make_tree(&mut forest, kind);
    let mut model: Model = BTreeMap::new();
    for step in steps {
        match &step {
            Step::Insert(numbers) => {
                for number in numbers {
                    let (key, data) = entry(&tree, *number, 40);
                    if model.insert(place(&tree, &key, &data), data.clone()).is_none() {
                        forest.insert(&tree, &key, &data).unwrap();
                    } else if !tree.is_by_data() {
                        forest.replace(&tree, &key, &data).unwrap();
                    }
                }
            }
            Step::Run { .. } => {
                let entries = run_entries(&tree, &model, &step);
                let writer = forest.pager().ahead_writer();
                let Some(run) = build(&mut forest, &writer, tree, &entries) else { continue };
                assert_eq!(forest.splice(run).unwrap(), entries.len() as u64);
                for (key, data) in entries {
                    model.insert(place(&tree, &key, &data), data);
                }
            }
            Step::Discard { count } => {
                let entries: Vec<_> = (0..*count).map(|n| entry(&tree, n, 700)).collect();
                let writer = forest.pager().ahead_writer();
                if let Some(run) = build(&mut forest, &writer, tree, &entries) {
                    forest.commit().unwrap();
                    forest.discard(run).unwrap();
                }
            }
            Step::Delete(numbers) => {
                for number in numbers {
                    let wanted = key(*number);
                    let found = model.keys().find(|(key, _)| *key == wanted).cloned();
                    if let Some((key, data)) = found {
                        forest.delete(&tree, &key, &data).unwrap();
                        model.remove(&(key, data));
                    }
                }
            }
            Step::Commit => forest.commit().unwrap(),
            Step::Reopen => {
                forest.commit().unwrap();
                forest.close().unwrap();
                forest = reopen(&volume);
            }
        }
    }
    forest.commit().unwrap();
    forest.close().unwrap();
    let file = DatabaseFile::open(&*volume, Path::new(PATH)).unwrap();
    check_content(&file, &tree, &model);
    check_space(&file, &[tree]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn runs_and_single_changes_of_tables_agree_with_a_map(steps in steps()) {
        play(TreeKind::Table, steps);
    }

    #[test]
    fn runs_and_single_changes_of_indexes_agree_with_a_map(steps in steps()) {
        play(TreeKind::NonUniqueIndex, steps);
    }
}

#[test]
fn runs_built_side_by_side_are_linked_in_any_order_and_at_a_later_commit() {
    let volume: Arc<dyn Volume> = Arc::new(MemoryVolume::new());
    let mut forest = create(&volume);
    let tree = make_tree(&mut forest, TreeKind::Table);
    let writer = forest.pager().ahead_writer();
    let mut model = Model::new();
    let mut runs = Vec::new();
    for part in [2u32, 0, 3, 1] {
        let entries: Vec<_> = (0..2_000).map(|at| entry(&tree, part * 10_000 + at, 900)).collect();
        runs.extend(build(&mut forest, &writer, tree, &entries));
        forest.commit().unwrap();
        for (key, data) in entries {
            model.insert(place(&tree, &key, &data), data);
        }
    }
    for run in runs {
        assert!(run.page_count() > 400);
        forest.splice(run).unwrap();
        forest.commit().unwrap();
    }
    forest.close().unwrap();
    let file = DatabaseFile::open(&*volume, Path::new(PATH)).unwrap();
    check_content(&file, &tree, &model);
    check_space(&file, &[tree]);
}

#[test]
fn a_run_holds_the_pages_at_its_ends_and_no_buffer() {
    let volume: Arc<dyn Volume> = Arc::new(MemoryVolume::new());
    let mut forest = create(&volume);
    let tree = make_tree(&mut forest, TreeKind::Table);
    let writer = forest.pager().ahead_writer();
    // One buffer, not full; and several.
    for count in [200u32, 2_000] {
        let entries: Vec<_> = (0..count).map(|at| entry(&tree, at, 900)).collect();
        let run = build(&mut forest, &writer, tree, &entries).unwrap();
        let of_pages = run.page_count() * 64;
        assert!(run.held_bytes() < 4 * PageSize::KIB4.bytes() + of_pages, "{}", run.held_bytes());
        forest.discard(run).unwrap();
    }
}

#[test]
fn a_run_with_an_entry_that_exists_is_refused() {
    let volume: Arc<dyn Volume> = Arc::new(MemoryVolume::new());
    let mut forest = create(&volume);
    let tree = make_tree(&mut forest, TreeKind::Table);
    let (taken, data) = entry(&tree, 300, 10);
    forest.insert(&tree, &taken, &data).unwrap();
    let writer = forest.pager().ahead_writer();
    let entries: Vec<_> = (0..1_000).map(|at| entry(&tree, at, 500)).collect();
    let run = build(&mut forest, &writer, tree, &entries).unwrap();
    let error = forest.splice(run).unwrap_err();
    assert!(error.to_string().contains("exists already"), "{error}");
    assert!(forest.commit().is_err(), "half a run is never committed");
}
