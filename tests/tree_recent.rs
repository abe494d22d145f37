//! Look-ups from a remembered place against look-ups from the root: the same entries, and the same errors, in sound trees, in trees
//! with pages that cannot be read, and in trees whose sibling links lie.

#![allow(clippy::unwrap_used)] // helpers of tests, like the tests

mod support;

use std::path::Path;
use std::sync::Arc;

use dialtone::ese::page::{PageEditor, PageView, Pgno};
use dialtone::ese::tree::{Cursor, DATABASE_ROOT, Tree, TreeBuilder, TreeKind};
use dialtone::ese::txn::{DatabaseFile, Pages, RecentPages};
use dialtone::io::{MemoryVolume, Volume};
use proptest::prelude::*;

use support::hostile::{page_mut, restamp, volume_of};
use support::{PATH, create};

const ENTRIES: u32 = 1500;
/// Keys are multiples of this, so that there are keys between them.
const KEY_STEP: u32 = 3;

/// The bytes of a database with one tree, and the tree's leaves in order.
struct Base {
    bytes: Vec<u8>,
    tree: Tree,
    leaves: Vec<Pgno>,
}

fn key_of(number: u32) -> [u8; 8] {
    (0x00ab_cdef_0000_0000 + u64::from(number)).to_be_bytes()
}

/// Entries of all sizes: hundreds of leaves of few in a tree of three levels, or some leaves of many.
fn base(kind: TreeKind) -> Base {
    let memory = MemoryVolume::new();
    let volume: Arc<dyn Volume> = Arc::new(memory.clone());
    let mut forest = create(&volume);
    let objid = forest.pager_mut().next_objid().unwrap();
    let tree = forest.create_tree(DATABASE_ROOT, objid, kind, 4).unwrap();
    let mut builder = TreeBuilder::new(&forest, tree).unwrap();
    for number in 0..ENTRIES {
        let large = number % 3 == 0 && !tree.is_by_data();
        let len_bytes = if large { 3000 } else { 8 + number as usize % 50 };
        let key = key_of(number * KEY_STEP);
        builder.push(&mut forest, &key, &vec![number as u8 | 1; len_bytes]).unwrap();
    }
    builder.finish(&mut forest).unwrap();
    forest.commit().unwrap();
    forest.close().unwrap();
    let file = DatabaseFile::open(&*volume, Path::new(PATH)).unwrap();
    let mut leaves = Vec::new();
    let mut cursor = Cursor::new(&file, tree);
    let mut found = cursor.first().unwrap();
    while found {
        let pgno = cursor.place().unwrap().0;
        if leaves.last() != Some(&pgno) {
            leaves.push(pgno);
        }
        found = cursor.next().unwrap();
    }
    Base { bytes: memory.file_bytes(PATH).unwrap(), tree, leaves }
}

#[derive(Debug, Clone)]
enum Damage {
    /// The leaf at this place cannot be read.
    Unreadable(prop::sample::Index),
    /// Its link to the next one names another leaf.
    Next(prop::sample::Index, prop::sample::Index),
    /// Its link to the one before does.
    Previous(prop::sample::Index, prop::sample::Index),
}

fn damage(base: &Base, all: &[Damage]) -> Vec<u8> {
    let mut bytes = base.bytes.clone();
    for one in all {
        let leaf = |at: &prop::sample::Index| base.leaves[at.index(base.leaves.len())];
        match one {
            Damage::Unreadable(at) => page_mut(&mut bytes, leaf(at))[2000..2100].fill(0x5a),
            Damage::Next(at, to) | Damage::Previous(at, to) => {
                let pgno = leaf(at);
                let page = page_mut(&mut bytes, pgno);
                let (_, next) = PageView::new(page, pgno).unwrap().raw_links();
                let mut editor = PageEditor::over(page, pgno);
                match one {
                    // The last leaf stays the last one: a cursor looks at the end of a tree only where it is.
                    Damage::Next(..) if next != 0 => editor.set_next(Some(leaf(to))),
                    _ => editor.set_previous(Some(leaf(to))),
                }
                restamp(&mut bytes, pgno);
            }
        }
    }
    bytes
}

/// Key and data where a cursor stands; an error is as good as any other.
type Seen = Result<Option<(Vec<u8>, Vec<u8>)>, ()>;

fn seen<P: Pages>(cursor: &Cursor<'_, P>, found: dialtone::ese::EseResult<bool>) -> Seen {
    match found {
        Ok(false) => Ok(None),
        Ok(true) => match cursor.entry() {
            Ok(node) => Ok(node.map(|node| (node.key.to_vec(), node.data.to_vec()))),
            Err(_) => Err(()),
        },
        Err(_) => Err(()),
    }
}

/// One look-up and some steps from there.
#[derive(Debug, Clone)]
struct Search {
    number: u32,
    is_exact: bool,
    steps: usize,
}

fn run<P: Pages>(cursor: &mut Cursor<'_, P>, search: &Search) -> Vec<Seen> {
    let key = key_of(search.number);
    let found = if search.is_exact { cursor.find(&key) } else { cursor.seek(&key) };
    let first = seen(cursor, found);
    let mut all = vec![first.clone()];
    // From nowhere there is no next one.
    if let Ok(Some(_)) = first {
        for _ in 0..search.steps {
            let found = cursor.next();
            all.push(seen(cursor, found));
        }
    }
    all
}

fn compare(base: &Base, bytes: &[u8], searches: &[Search]) {
    let volume = volume_of(bytes);
    let file = DatabaseFile::open(&volume, Path::new(PATH)).unwrap();
    let recent = RecentPages::new(&file);
    let mut kept = Cursor::new(&recent, base.tree);
    let mut own = Cursor::new(&file, base.tree);
    for (number, search) in searches.iter().enumerate() {
        let right = run(&mut Cursor::new(&file, base.tree), search);
        // Cursors that are kept and new ones share what is remembered.
        let remembered = match number % 3 {
            0 => run(&mut Cursor::new(&recent, base.tree), search),
            _ => run(&mut kept, search),
        };
        assert_eq!(remembered, right, "search {number}: {search:?}");
        assert_eq!(run(&mut own, search), right, "search {number} without memory: {search:?}");
    }
}

fn searches() -> impl Strategy<Value = Vec<Search>> {
    let far = 0..(ENTRIES + 2) * KEY_STEP;
    // Where to, from where the last one was: mostly a little further.
    let step = prop_oneof![
        6 => (0u32..3).prop_map(|entries| (None, entries * KEY_STEP)),
        2 => (0u32..40).prop_map(|further| (None, further)),
        1 => far.prop_map(|place| (Some(place), 0)),
    ];
    let search = (step, any::<bool>(), 0usize..80);
    prop::collection::vec(search, 1..60).prop_map(|all| {
        let mut number = 0;
        let mut place = |((place, further), is_exact, steps): ((Option<u32>, u32), bool, usize)| {
            number = place.unwrap_or(number + further);
            let steps = if steps > 60 { steps } else { steps % 4 };
            Search { number, is_exact, steps }
        };
        all.into_iter().map(&mut place).collect()
    })
}

fn damages() -> impl Strategy<Value = Vec<Damage>> {
    let index = || any::<prop::sample::Index>();
    let one = prop_oneof![
        index().prop_map(Damage::Unreadable),
        (index(), index()).prop_map(|(at, to)| Damage::Next(at, to)),
        (index(), index()).prop_map(|(at, to)| Damage::Previous(at, to)),
    ];
    prop::collection::vec(one, 0..4)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_found_from_a_remembered_place_is_what_is_found_from_the_root(
        searches in searches(),
        damages in damages(),
    ) {
        for kind in [TreeKind::LongValue, TreeKind::NonUniqueIndex] {
            let base = base(kind);
            compare(&base, &damage(&base, &damages), &searches);
        }
    }
}
