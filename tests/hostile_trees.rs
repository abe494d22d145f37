//! Trees that are no trees: cycles, pages that hang in many places, levels without end, space accounts that overlap, lie
//! about the file or feed on each other. Each was made by hand for a way in which a writer could be led astray.
#![allow(clippy::unwrap_used)] // helpers of tests, like the tests

mod support;

use std::path::Path;
use std::sync::Arc;

use dialtone::ese::page::{NodeFlags, PageEditor, PageFlags, Pgno, layout};
use dialtone::ese::tree::{Change, Extent, Forest, Tree, TreeBuilder, TreeKind, read_space};
use dialtone::ese::txn::{DatabaseFile, Pager, Pages};
use dialtone::ese::{EseError, EseResult};
use dialtone::io::{MemoryVolume, Volume};

use support::hostile::{Base, base, exercise, key, page_mut, restamp, volume_of};
use support::{PATH, check_content, check_space, create_at, entries};

/// Lays out a page of `tree` by hand.
fn put_page(
    bytes: &mut [u8],
    tree: &Tree,
    pgno: Pgno,
    level: PageFlags,
    nodes: &[(Vec<u8>, Vec<u8>)],
) {
    let is_root = pgno == tree.root;
    let root_flag = if is_root { PageFlags::ROOT } else { PageFlags::empty() };
    let page = page_mut(bytes, pgno);
    let tag_0 = if is_root {
        let view = dialtone::ese::page::PageView::new(page, pgno).unwrap();
        view.external_header().unwrap().to_vec()
    } else {
        Vec::new()
    };
    let flags = tree.flags() | level | root_flag;
    let mut editor = PageEditor::format(page, pgno, tree.objid, flags, &tag_0);
    for (line, (key, data)) in nodes.iter().enumerate() {
        assert!(editor.insert_node(line, key, data), "page {pgno} is full");
    }
    restamp(bytes, pgno);
}

fn child(pgno: u32) -> Vec<u8> {
    pgno.to_le_bytes().to_vec()
}

/// Every way of reading and writing, none of which may panic or take long; answers how often something was noticed.
fn exercise_all(base: &Base, bytes: &[u8]) -> usize {
    let outcomes = (0..16).map(|variant| {
        exercise(&volume_of(bytes), &base.trees, variant)
            .unwrap_or_else(|text| panic!("variant {variant}: {text}"))
    });
    outcomes.map(|outcome| outcome.read_errors.min(1) + outcome.write_errors.len().min(1)).sum()
}

fn forest_of(volume: &MemoryVolume) -> Forest {
    Forest::new(Pager::open(Arc::new(volume.clone()), Path::new(PATH)).unwrap())
}

fn is_corrupt<T: std::fmt::Debug>(result: EseResult<T>) -> bool {
    matches!(result, Err(EseError::Corrupt { .. }))
}

#[test]
fn pages_that_hang_in_many_places_are_not_walked_once_for_each() {
    // Fifteen levels, each page naming the next one two hundred times: 200^15 ways to the leaf.
    let base = base();
    for tree in &base.trees[..3] {
        let mut bytes = base.bytes.clone();
        let pages: Vec<u32> = [tree.root.get()].into_iter().chain(40..54).collect();
        for (depth, pgno) in pages.iter().enumerate() {
            let next = pages.get(depth + 1).copied().unwrap_or(55);
            let lines = 200u32;
            let nodes: Vec<_> = (0..lines)
                .map(|line| {
                    let is_last = line + 1 == lines;
                    let key = if is_last { Vec::new() } else { format!("key {line:04}").into() };
                    (key, child(next))
                })
                .collect();
            let level = if next == 55 { PageFlags::PARENT_OF_LEAF } else { PageFlags::empty() };
            put_page(&mut bytes, tree, Pgno::fixed(*pgno), level, &nodes);
        }
        let leaf: Vec<_> = (0..30).map(|n| (key(n), vec![1; 8])).collect();
        put_page(&mut bytes, tree, Pgno::fixed(55), PageFlags::LEAF, &leaf);
        assert!(exercise_all(&base, &bytes) > 10);
    }
}

#[test]
fn a_page_that_is_its_own_child_or_sibling_ends_in_an_error() {
    let base = base();
    let tree = base.trees[0];
    for target in [tree.root.get(), 40] {
        let mut bytes = base.bytes.clone();
        let nodes = [(b"m".to_vec(), child(40)), (Vec::new(), child(target))];
        put_page(&mut bytes, &tree, tree.root, PageFlags::empty(), &nodes);
        put_page(&mut bytes, &tree, Pgno::fixed(40), PageFlags::empty(), &nodes);
        assert!(exercise_all(&base, &bytes) > 16, "child {target}");
        let mut forest = forest_of(&volume_of(&bytes));
        assert!(is_corrupt(forest.insert(&tree, b"zzz", b"x")));
    }
    let mut bytes = base.bytes.clone();
    for (pgno, _) in base.used_pages() {
        page_mut(&mut bytes, pgno)[layout::PREVIOUS..layout::PREVIOUS + 4]
            .copy_from_slice(&pgno.get().to_le_bytes());
        page_mut(&mut bytes, pgno)[layout::NEXT..layout::NEXT + 4]
            .copy_from_slice(&pgno.get().to_le_bytes());
        restamp(&mut bytes, pgno);
    }
    assert!(exercise_all(&base, &bytes) > 10);
}

#[test]
fn a_page_named_twice_by_its_parent_is_not_joined_with_itself() {
    let base = base();
    let tree = base.trees[0];
    let mut bytes = base.bytes.clone();
    let nodes = [(b"m".to_vec(), child(40)), (Vec::new(), child(40))];
    put_page(&mut bytes, &tree, tree.root, PageFlags::PARENT_OF_LEAF, &nodes);
    put_page(&mut bytes, &tree, Pgno::fixed(40), PageFlags::LEAF, &[(key(1), vec![1])]);
    let mut forest = forest_of(&volume_of(&bytes));
    assert!(is_corrupt(forest.delete(&tree, &key(1), &[])));
    assert!(forest.commit().is_err(), "P12");
    assert!(exercise_all(&base, &bytes) > 10);
}

#[test]
fn links_into_another_tree_are_not_followed_by_a_writer() {
    let base = base();
    let (tree, other) = (base.trees[0], base.trees[3]);
    let leaves = base.used_pages();
    let mut bytes = base.bytes.clone();
    for (pgno, _) in leaves.iter().filter(|(pgno, owner)| *owner == tree && *pgno != tree.root) {
        page_mut(&mut bytes, *pgno)[layout::NEXT..layout::NEXT + 4]
            .copy_from_slice(&other.root.get().to_le_bytes());
        restamp(&mut bytes, *pgno);
    }
    let volume = volume_of(&bytes);
    let mut forest = forest_of(&volume);
    let between = |n: u32| format!("key {:04}x", n * 10).into_bytes();
    let result = (0..40).try_for_each(|n| forest.insert(&tree, &between(n), &[1; 900]));
    assert!(is_corrupt(result), "a split needs the next leaf");
    let root = forest.page(other.root).unwrap().to_vec();
    assert_eq!(root, page_mut(&mut bytes, other.root), "the other tree is untouched");
}

#[test]
fn keys_too_long_for_branch_pages_end_in_an_error_and_not_in_endless_levels() {
    let base = base();
    let tree = base.trees[0];
    let long = |byte: u8| {
        let mut key = vec![b'k'; 3700];
        key.push(byte);
        key
    };
    let mut bytes = base.bytes.clone();
    let nodes: Vec<_> = [long(1), long(9)].map(|key| (key, vec![1; 4])).into();
    let page = page_mut(&mut bytes, Pgno::fixed(40));
    let flags = tree.flags() | PageFlags::LEAF;
    let mut editor =
        PageEditor::format(page, Pgno::fixed(40), tree.objid, flags, &vec![b'k'; 3700]);
    for (line, (key, data)) in nodes.iter().enumerate() {
        assert!(editor.insert_node(line, key, data));
    }
    restamp(&mut bytes, Pgno::fixed(40));
    let root = [(Vec::new(), child(40))];
    put_page(&mut bytes, &tree, tree.root, PageFlags::PARENT_OF_LEAF, &root);
    let mut forest = forest_of(&volume_of(&bytes));
    let result = forest.replace(&tree, &long(9), &[2; 300]);
    assert!(matches!(result, Err(EseError::Limit { .. })), "{result:?}");
    assert!(forest.pager().last_page() < 2000, "the file has not grown without end");
    // The same by asking for it.
    let mut forest = forest_of(&volume_of(&base.bytes));
    let result = forest.insert(&base.trees[3], &[b'k'; 2001], b"x");
    assert!(matches!(result, Err(EseError::Limit { .. })), "{result:?}");
}

#[test]
fn a_root_without_room_for_branches_ends_in_an_error() {
    let base = base();
    let tree = base.trees[3];
    let mut bytes = base.bytes.clone();
    // The newer, longer form of a space header: its first byte has bit 0 set.
    let page = page_mut(&mut bytes, tree.root);
    let view = dialtone::ese::page::PageView::new(page, tree.root).unwrap();
    let header = view.external_header().unwrap().to_vec();
    let long_header = [vec![1], header, vec![0; 4027]].concat();
    let flags = tree.flags() | PageFlags::ROOT | PageFlags::LEAF;
    PageEditor::format(page, tree.root, tree.objid, flags, &long_header);
    restamp(&mut bytes, tree.root);
    let mut forest = forest_of(&volume_of(&bytes));
    assert!(is_corrupt(forest.insert(&tree, b"key", &[1; 100])));
    let forest = forest_of(&volume_of(&bytes));
    assert!(is_corrupt(TreeBuilder::new(&forest, tree).map(drop)));
    assert!(exercise_all(&base, &bytes) > 0);
}

/// Overwrites words of a tree's space header.
fn set_space_header(bytes: &mut [u8], tree: &Tree, words: &[(usize, u32)]) {
    let page = page_mut(bytes, tree.root);
    let view = dialtone::ese::page::PageView::new(page, tree.root).unwrap();
    let at = 40 + view.tag(0).unwrap().offset;
    for (index, word) in words {
        page[at + index * 4..at + index * 4 + 4].copy_from_slice(&word.to_le_bytes());
    }
    restamp(bytes, tree.root);
}

#[test]
fn a_single_extent_of_giant_length_costs_nothing() {
    let base = base();
    let tree = base.trees[3];
    for pages in [65, 1 << 20, 0x7fe0_0000, u32::MAX] {
        let mut bytes = base.bytes.clone();
        set_space_header(&mut bytes, &tree, &[(0, pages), (2, 0), (3, u32::MAX)]);
        let volume = volume_of(&bytes);
        let file = DatabaseFile::open(&volume, Path::new(PATH)).unwrap();
        assert!(is_corrupt(read_space(&file, tree.root)), "{pages} pages");
        assert!(exercise_all(&base, &bytes) > 16);
    }
}

#[test]
fn trees_that_draw_space_from_one_another_do_not_recurse() {
    let base = base();
    let (a, b) = (base.trees[0], base.trees[3]);
    let mut bytes = base.bytes.clone();
    set_space_header(&mut bytes, &a, &[(1, b.root.get())]);
    set_space_header(&mut bytes, &b, &[(1, a.root.get()), (3, 0)]);
    let mut forest = forest_of(&volume_of(&bytes));
    assert!(is_corrupt(forest.take_extent(b.root, 1, 1)));
    assert!(exercise_all(&base, &bytes) > 10);
    set_space_header(&mut bytes, &b, &[(1, b.root.get())]);
    let mut forest = forest_of(&volume_of(&bytes));
    assert!(is_corrupt(forest.take_extent(b.root, 1, 1)), "from itself");
}

/// Last pages and lengths.
type Extents = &'static [(u32, u32)];

/// Replaces the extents in one space tree of the database root.
fn set_extents(bytes: &mut [u8], is_owned: bool, extents: &[(u32, u32)]) {
    let root = support::database_root();
    let pgno = Pgno::fixed(if is_owned { 2 } else { 3 });
    let space_tree = Tree { root: pgno, is_space: true, ..root };
    let nodes: Vec<_> = extents
        .iter()
        .map(|(last, count)| (last.to_be_bytes().to_vec(), count.to_le_bytes().to_vec()))
        .collect();
    put_page(bytes, &space_tree, pgno, PageFlags::LEAF, &nodes);
}

#[test]
fn wrong_extents_are_refused_before_a_live_page_is_given_away() {
    let base = base();
    let cases: [(&str, bool, Extents); 8] = [
        ("overlapping owned extents", true, &[(40, 40), (64, 30)]),
        ("an owned extent past the end of the file", true, &[(5000, 5000)]),
        ("a giant owned extent", true, &[(0x7fef_fff0, 0x7fef_fff0)]),
        ("an extent longer than its last page", true, &[(64, 65)]),
        ("overlapping free extents", false, &[(60, 10), (64, 6)]),
        ("free pages that are not owned", false, &[(100, 10)]),
        ("free pages that a tree owns", false, &[(64, 62)]),
        ("roots of the space trees said to be free", false, &[(3, 2)]),
    ];
    for (what, is_owned, extents) in cases {
        let mut bytes = base.bytes.clone();
        set_extents(&mut bytes, is_owned, extents);
        let mut forest = forest_of(&volume_of(&bytes));
        let tree = forest.pager_mut().next_objid().unwrap();
        let root = support::database_root().root;
        let made = forest.create_tree(root, tree, TreeKind::Table, 1);
        let given = forest.take_extent(base.trees[0].root, 1, 40);
        assert!(is_corrupt(made) || is_corrupt(given), "{what}");
        assert!(exercise_all(&base, &bytes) > 0, "{what}");
    }
}

#[test]
fn a_page_given_to_two_trees_is_taken_once() {
    let base = base();
    let mut forest = forest_of(&volume_of(&base.bytes));
    let pgno = forest.take_extent(support::database_root().root, 1, 1).unwrap().last;
    forest.pager_mut().allocate(pgno).unwrap();
    assert!(is_corrupt(forest.pager_mut().allocate(pgno).map(drop)));
    assert!(is_corrupt(forest.free_page(base.trees[3].root, pgno)), "given to a stranger");
    assert!(is_corrupt(forest.free_page(base.trees[3].root, base.trees[3].root)), "a root");
}

#[test]
fn nodes_marked_as_deleted_are_no_entries_and_do_not_mislead_a_split() {
    let base = base();
    let tree = base.trees[0];
    let mut bytes = base.bytes.clone();
    let leaf = base.used_pages().into_iter().find(|(pgno, owner)| {
        let page = page_mut(&mut bytes, *pgno);
        let view = dialtone::ese::page::PageView::new(page, *pgno).unwrap();
        *owner == tree && view.is_leaf() && view.node_count() > 6
    });
    let (leaf, _) = leaf.unwrap();
    let page = page_mut(&mut bytes, leaf);
    let view = dialtone::ese::page::PageView::new(page, leaf).unwrap();
    let marked: Vec<Vec<u8>> = (0..4).map(|line| view.node(line).unwrap().key.to_vec()).collect();
    let after = view.node(5).unwrap().key.to_vec();
    for line in 0..4 {
        let at = page.len() - layout::TAG_BYTES * (line + 2) + 3;
        page[at] |= NodeFlags::DELETED.bits() << 5;
    }
    restamp(&mut bytes, leaf);
    let volume = volume_of(&bytes);
    let file = DatabaseFile::open(&volume, Path::new(PATH)).unwrap();
    let mut model: support::Model = entries(&file, &tree)
        .unwrap()
        .into_iter()
        .map(|(key, data)| ((key, Vec::new()), data))
        .collect();
    assert!(marked.iter().all(|key| !model.contains_key(&(key.clone(), Vec::new()))));
    let mut forest = forest_of(&volume);
    assert!(forest.delete(&tree, &marked[0], &[]).is_err(), "deleted already");
    assert!(forest.replace(&tree, &marked[1], b"new").is_err(), "deleted already");
    let mut put = |forest: &mut Forest, key: Vec<u8>, length: usize| {
        forest.insert(&tree, &key, &vec![6; length]).unwrap();
        model.insert((key, Vec::new()), vec![6; length]);
    };
    put(&mut forest, [after.as_slice(), b"!"].concat(), 3500);
    put(&mut forest, marked[2].clone(), 100);
    forest.merge(&tree, [Change::Put { key: marked[3].clone(), data: vec![7] }]).unwrap();
    model.insert((marked[3].clone(), Vec::new()), vec![7]);
    forest.commit().unwrap();
    forest.close().unwrap();
    let file = DatabaseFile::open(&volume, Path::new(PATH)).unwrap();
    check_content(&file, &tree, &model);
    check_space(&file, &base.trees);
}

#[test]
fn entries_of_every_length_up_to_the_limit_find_a_page() {
    let volume: Arc<dyn Volume> = Arc::new(MemoryVolume::new());
    let mut forest = support::create(&volume);
    let objid = forest.pager_mut().next_objid().unwrap();
    let root = support::database_root().root;
    let tree = forest.create_tree(root, objid, TreeKind::Table, 4).unwrap();
    let mut model = support::Model::new();
    let (mut longest, mut refused) = (0, 0);
    for length in 4000..4060usize {
        let key = format!("{length:05}").into_bytes();
        let data = vec![8; length - key.len()];
        match forest.insert(&tree, &key, &data) {
            Ok(()) => {
                longest = length;
                model.insert((key, Vec::new()), data);
            }
            Err(EseError::Limit { .. }) => refused += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!((longest, refused), (4044, 15));
    forest.commit().unwrap();
    forest.close().unwrap();
    let file = DatabaseFile::open(&*volume, Path::new(PATH)).unwrap();
    check_content(&file, &tree, &model);
}

#[test]
fn a_tree_of_more_pages_than_a_bitmap_holds_keeps_account_of_all() {
    for pages in [32, 33, 34, 35, 40, 300] {
        let volume: Arc<dyn Volume> = Arc::new(MemoryVolume::new());
        let mut forest = support::create(&volume);
        let objid = forest.pager_mut().next_objid().unwrap();
        let root = support::database_root().root;
        let tree = forest.create_tree(root, objid, TreeKind::LongValue, pages).unwrap();
        let mut model = support::Model::new();
        for number in 0..45u32 {
            if number % 10 == 0 {
                forest.commit().unwrap();
                forest.close().unwrap();
                forest = support::reopen(&volume);
            }
            let (key, data) = (number.to_be_bytes().to_vec(), vec![number as u8; 3000]);
            forest.insert(&tree, &key, &data).unwrap();
            model.insert((key, Vec::new()), data);
        }
        forest.commit().unwrap();
        forest.close().unwrap();
        let file = DatabaseFile::open(&*volume, Path::new(PATH)).unwrap();
        check_content(&file, &tree, &model);
        check_space(&file, &[tree]);
    }
}

#[test]
fn an_engine_made_extent_beyond_its_bitmap_is_used_only_with_space_trees() {
    let memory = MemoryVolume::new();
    let volume: Arc<dyn Volume> = Arc::new(memory.clone());
    create_at(&volume, Path::new(PATH), 64).unwrap();
    let mut forest = support::reopen(&volume);
    let objid = forest.pager_mut().next_objid().unwrap();
    let root = support::database_root().root;
    let tree = forest.create_tree(root, objid, TreeKind::LongValue, 33).unwrap();
    // Seven more pages behind the 33 that the bitmap tells of.
    let more = Extent::new(tree.root.checked_add(39).unwrap(), 7).unwrap();
    forest.take_exactly(root, more).unwrap();
    assert!(is_corrupt(forest.take_exactly(root, more)), "taken twice");
    forest.commit().unwrap();
    forest.close().unwrap();
    let mut bytes = memory.file_bytes(PATH).unwrap();
    set_space_header(&mut bytes, &tree, &[(0, 40)]);
    let volume: Arc<dyn Volume> = Arc::new(volume_of(&bytes));
    let mut model = support::Model::new();
    for number in 0..50u32 {
        let mut forest = support::reopen(&volume);
        let (key, data) = (number.to_be_bytes().to_vec(), vec![number as u8; 3000]);
        forest.insert(&tree, &key, &data).unwrap();
        model.insert((key, Vec::new()), data);
        forest.commit().unwrap();
        forest.close().unwrap();
        let file = DatabaseFile::open(&*volume, Path::new(PATH)).unwrap();
        check_space(&file, &[tree]);
    }
    let file = DatabaseFile::open(&*volume, Path::new(PATH)).unwrap();
    check_content(&file, &tree, &model);
}

#[test]
fn a_run_longer_than_the_memory_for_changed_pages_is_written_on_the_way() {
    let volume: Arc<dyn Volume> = Arc::new(MemoryVolume::new());
    let mut forest = support::create(&volume);
    let objid = forest.pager_mut().next_objid().unwrap();
    let root = support::database_root().root;
    let tree = forest.create_tree(root, objid, TreeKind::LongValue, 4).unwrap();
    let mut builder = TreeBuilder::new(&forest, tree).unwrap();
    let count = 10_000u32;
    for number in 0..count {
        builder.push(&mut forest, &number.to_be_bytes(), &[number as u8; 3500]).unwrap();
    }
    builder.finish(&mut forest).unwrap();
    forest.commit().unwrap();
    forest.close().unwrap();
    let file = DatabaseFile::open(&*volume, Path::new(PATH)).unwrap();
    assert_eq!(entries(&file, &tree).unwrap().len() as u32, count);
    check_space(&file, &[tree]);
}
