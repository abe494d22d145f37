//! Trees against an ordered map: random inserts, replacements, deletes, batches, commits and reopened files must
//! give the same entries, and the pages must form trees that own their space exactly.

#![allow(clippy::unwrap_used)] // helpers of tests, like the tests

mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use dialtone::ese::tree::{Change, DATABASE_ROOT, Forest, Tree, TreeBuilder, TreeKind};
use dialtone::ese::txn::DatabaseFile;
use dialtone::io::{MemoryVolume, Volume};
use proptest::prelude::*;

use support::{Model, PATH, check_content, check_space, create, place, reopen};

#[derive(Debug, Clone)]
enum Step {
    Insert(Vec<u8>, Vec<u8>),
    Replace(prop::sample::Index, Vec<u8>),
    Delete(prop::sample::Index),
    DeleteRange(prop::sample::Index, usize),
    Merge(Vec<(Vec<u8>, Vec<u8>)>),
    Commit,
    Reopen,
}

fn key() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        3 => prop::collection::vec(any::<u8>(), 1..12),
        2 => (any::<u16>()).prop_map(|n| [b"common-prefix-".as_slice(), &n.to_be_bytes()].concat()),
        1 => prop::collection::vec(0u8..2, 200..250),
    ]
}

fn data() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => prop::collection::vec(any::<u8>(), 1..30),
        2 => prop::collection::vec(any::<u8>(), 100..900),
        1 => prop::collection::vec(any::<u8>(), 2000..3700),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        30 => (key(), data()).prop_map(|(key, data)| Step::Insert(key, data)),
        6 => (any::<prop::sample::Index>(), data()).prop_map(|(at, data)| Step::Replace(at, data)),
        8 => any::<prop::sample::Index>().prop_map(Step::Delete),
        2 => (any::<prop::sample::Index>(), 1usize..80).prop_map(|(at, n)| Step::DeleteRange(at, n)),
        3 => prop::collection::vec((key(), data()), 1..60).prop_map(Step::Merge),
        1 => Just(Step::Commit),
        1 => Just(Step::Reopen),
    ];
    prop::collection::vec(step, 1..120)
}

/// No key of a real index is the beginning of another: the encodings of ese-logical 6 end themselves. Trees ordered by
/// data rely on it, because separators compare key and data in one string.
fn ended(tree: &Tree, mut key: Vec<u8>) -> Vec<u8> {
    if tree.is_by_data() {
        key.iter_mut().for_each(|byte| *byte = (*byte).max(1));
        key.push(0);
    }
    key
}

/// Applies one step to the model and to the forest.
fn apply(forest: &mut Forest, tree: &Tree, model: &mut Model, step: Step) {
    let pick = |model: &Model, at: prop::sample::Index| {
        (!model.is_empty())
            .then(|| model.iter().nth(at.index(model.len())).unwrap())
            .map(|(place, data)| (place.clone(), data.clone()))
    };
    match step {
        Step::Insert(key, mut data) => {
            let key = ended(tree, key);
            if tree.is_by_data() {
                data.truncate(200)
            }
            let at = place(tree, &key, &data);
            let result = forest.insert(tree, &key, &data);
            assert_eq!(result.is_ok(), !model.contains_key(&at), "{result:?}");
            if result.is_ok() {
                model.insert(at, data);
            }
        }
        Step::Replace(at, data) if !tree.is_by_data() => {
            let Some(((key, _), _)) = pick(model, at) else { return };
            forest.replace(tree, &key, &data).unwrap();
            model.insert(place(tree, &key, &data), data);
        }
        Step::Replace(..) => {}
        Step::Delete(at) => {
            let Some((at, data)) = pick(model, at) else { return };
            forest.delete(tree, &at.0, &data).unwrap();
            assert!(forest.delete(tree, &at.0, &data).is_err());
            model.remove(&at);
        }
        Step::DeleteRange(at, count) => {
            let Some((start, _)) = pick(model, at) else { return };
            let range: Vec<_> = model
                .range(start..)
                .take(count)
                .map(|(place, data)| (place.clone(), data.clone()))
                .collect();
            for (at, data) in range {
                forest.delete(tree, &at.0, &data).unwrap();
                model.remove(&at);
            }
        }
        Step::Merge(entries) => merge(forest, tree, model, entries),
        Step::Commit => forest.commit().unwrap(),
        Step::Reopen => unreachable!("handled by the caller"),
    }
}

/// Merges a batch that deletes every third entry that is there already and puts the others.
fn merge(forest: &mut Forest, tree: &Tree, model: &mut Model, entries: Vec<(Vec<u8>, Vec<u8>)>) {
    let mut batch = BTreeMap::new();
    for (key, mut data) in entries {
        let key = ended(tree, key);
        if tree.is_by_data() {
            data.truncate(200)
        }
        batch.insert(place(tree, &key, &data), data);
    }
    let changes: Vec<Change> = batch
        .iter()
        .enumerate()
        .map(|(index, (at, data))| {
            let (key, data) = (at.0.clone(), data.clone());
            if index % 3 == 0 && model.contains_key(at) {
                Change::Delete { key, data }
            } else {
                Change::Put { key, data }
            }
        })
        .collect();
    for (change, (at, data)) in changes.iter().zip(&batch) {
        match change {
            Change::Delete { .. } => {
                model.remove(at);
            }
            _ => {
                model.insert(at.clone(), data.clone());
            }
        }
    }
    forest.merge(tree, changes).unwrap();
}

fn run(kinds: &[TreeKind], steps: Vec<(usize, Step)>) {
    let memory = MemoryVolume::new();
    let volume: Arc<dyn Volume> = Arc::new(memory);
    let mut forest = create(&volume);
    let mut trees = Vec::new();
    let mut parent = DATABASE_ROOT;
    for (number, kind) in kinds.iter().enumerate() {
        let objid = forest.pager_mut().next_objid().unwrap();
        let tree = forest.create_tree(parent, objid, *kind, 1 + number as u32 * 3).unwrap();
        if number == 0 {
            parent = tree.root;
        }
        trees.push(tree);
    }
    let mut models = vec![Model::new(); trees.len()];
    for (index, step) in steps {
        let index = index % trees.len();
        if let Step::Reopen = step {
            forest.commit().unwrap();
            forest.close().unwrap();
            let file = DatabaseFile::open(&*volume, Path::new(PATH)).unwrap();
            check_space(&file, &trees);
            forest = reopen(&volume);
        } else {
            apply(&mut forest, &trees[index], &mut models[index], step);
        }
    }
    forest.commit().unwrap();
    forest.close().unwrap();
    let file = DatabaseFile::open(&*volume, Path::new(PATH)).unwrap();
    for (tree, model) in trees.iter().zip(&models) {
        check_content(&file, tree, model);
    }
    check_space(&file, &trees);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn trees_hold_what_an_ordered_map_holds(
        steps in prop::collection::vec((0usize..3, steps()), 1..4),
    ) {
        let kinds = [TreeKind::Table, TreeKind::NonUniqueIndex, TreeKind::LongValue];
        let steps = steps.into_iter().flat_map(|(tree, steps)| {
            steps.into_iter().enumerate().map(move |(number, step)| (tree + number % 2, step))
        });
        run(&kinds, steps.collect());
    }
}

#[test]
fn a_tree_of_many_levels_is_emptied_from_either_end_and_from_the_middle() {
    for order in ["forward", "backward", "middle"] {
        let volume: Arc<dyn Volume> = Arc::new(MemoryVolume::new());
        let mut forest = create(&volume);
        let objid = forest.pager_mut().next_objid().unwrap();
        let tree = forest.create_tree(DATABASE_ROOT, objid, TreeKind::Table, 4).unwrap();
        let keys: Vec<Vec<u8>> =
            (0u32..6000).map(|n| [n.to_be_bytes().as_slice(), &[7; 120]].concat()).collect();
        let mut model = Model::new();
        for key in &keys {
            forest.insert(&tree, key, &[1; 60]).unwrap();
            model.insert((key.clone(), Vec::new()), vec![1; 60]);
        }
        forest.commit().unwrap();
        let half = keys.len() / 2;
        let doomed: Vec<&Vec<u8>> = match order {
            "forward" => keys.iter().collect(),
            "backward" => keys.iter().rev().collect(),
            _ => keys[half..].iter().chain(keys[..half].iter().rev()).collect(),
        };
        for (count, key) in doomed.iter().enumerate() {
            forest.delete(&tree, key, &[]).unwrap();
            model.remove(&((*key).clone(), Vec::new()));
            if count % 1500 == 700 {
                forest.commit().unwrap();
                let file = DatabaseFile::open(&*volume, Path::new(PATH)).unwrap();
                check_content(&file, &tree, &model);
                check_space(&file, &[tree]);
            }
        }
        forest.commit().unwrap();
        forest.close().unwrap();
        let file = DatabaseFile::open(&*volume, Path::new(PATH)).unwrap();
        check_content(&file, &tree, &model);
        check_space(&file, &[tree]);
    }
}

#[test]
fn a_tree_built_in_one_run_reads_like_one_filled_entry_by_entry() {
    for (count, kind) in [0, 1, 3, 40, 5000, 60_000]
        .into_iter()
        .zip([TreeKind::Table, TreeKind::NonUniqueIndex].into_iter().cycle())
    {
        let volume: Arc<dyn Volume> = Arc::new(MemoryVolume::new());
        let mut forest = create(&volume);
        let objid = forest.pager_mut().next_objid().unwrap();
        let tree = forest.create_tree(DATABASE_ROOT, objid, kind, 4).unwrap();
        let mut builder = TreeBuilder::new(&forest, tree).unwrap();
        let mut model = Model::new();
        for n in 0..count {
            let key = format!("key {:08}", if tree.is_by_data() { n / 7 } else { n }).into_bytes();
            let data = format!("data {n:08}").into_bytes();
            builder.push(&mut forest, &key, &data).unwrap();
            if n % 9000 == 4000 {
                // Memory is short in the middle of a run; the next leaf's page is reserved but empty.
                forest.pager_mut().spill().unwrap();
            }
            model.insert(place(&tree, &key, &data), data);
        }
        let shape = builder.finish(&mut forest).unwrap();
        assert_eq!(shape.entries, count);
        for n in 0..50 {
            let (key, data) = (format!("key {:08}x", n * 37).into_bytes(), b"late".to_vec());
            forest.insert(&tree, &key, &data).unwrap();
            model.insert(place(&tree, &key, &data), data);
        }
        forest.commit().unwrap();
        forest.close().unwrap();
        let file = DatabaseFile::open(&*volume, Path::new(PATH)).unwrap();
        check_content(&file, &tree, &model);
        check_space(&file, &[tree]);
    }
}

#[test]
fn free_pages_in_hundreds_of_places_fill_a_space_tree_of_two_levels() {
    let volume: Arc<dyn Volume> = Arc::new(MemoryVolume::new());
    let mut forest = create(&volume);
    let objid = forest.pager_mut().next_objid().unwrap();
    let tree = forest.create_tree(DATABASE_ROOT, objid, TreeKind::Table, 4).unwrap();
    let mut model = Model::new();
    let key = |n: u32| n.to_be_bytes().to_vec();
    // One entry a page, so that every second deletion frees a page with neighbours in use.
    for n in 0..1400 {
        let data = vec![n as u8; 3000];
        forest.insert(&tree, &key(n), &data).unwrap();
        model.insert((key(n), Vec::new()), data);
    }
    forest.commit().unwrap();
    for n in (0..1400).step_by(2) {
        forest.delete(&tree, &key(n), &[]).unwrap();
        model.remove(&(key(n), Vec::new()));
    }
    forest.commit().unwrap();
    let space = forest.space(tree.root).unwrap();
    assert!(space.available.iter().count() > 400, "the free pages lie scattered");
    let (_, available) = space.space_trees().unwrap();
    let root = forest.page(available.root).unwrap();
    assert!(!root.view().unwrap().is_leaf(), "the space tree has two levels");
    // And back again: the free pages are taken, the space tree shrinks.
    for n in (0..1400).step_by(2) {
        let data = vec![7; 3000];
        forest.insert(&tree, &key(n), &data).unwrap();
        model.insert((key(n), Vec::new()), data);
    }
    forest.commit().unwrap();
    forest.close().unwrap();
    let file = DatabaseFile::open(&*volume, Path::new(PATH)).unwrap();
    check_content(&file, &tree, &model);
    check_space(&file, &[tree]);
}
