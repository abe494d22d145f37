//! What tests of trees, crashes and hostile files share: databases of bare trees, the ordered maps that they must equal,
//! and the accounting of every page.
#![allow(clippy::unwrap_used)] // helpers of tests, like the tests
#![allow(dead_code)] // each test program uses a part

pub mod hostile;
pub mod random;
pub mod script;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use dialtone::ese::EseResult;
use dialtone::ese::page::header::{DbHeader, FileKind, LogTime, NewHeader, OsVersion, Signature};
use dialtone::ese::page::{Dbtime, ObjId, Pgno};
use dialtone::ese::tree::{
    Cursor, DATABASE_ROOT, Extent, Forest, Tree, TreeKind, read_space, verify_tree,
};
use dialtone::ese::txn::{DatabaseFile, Pager};
use dialtone::io::Volume;

/// The database of most tests.
pub const PATH: &str = "/db/model.edb";

/// What a tree should hold: place to data.
pub type Model = BTreeMap<(Vec<u8>, Vec<u8>), Vec<u8>>;

/// The signature that all databases of the tests carry.
pub fn signature() -> Signature {
    Signature { random: 0x5eed_cafe, created: LogTime::NEVER, computer: [7; 16] }
}

/// A clean database of `pages` pages at `path` that holds nothing but its root.
pub fn create_at(volume: &Arc<dyn Volume>, path: &Path, pages: u32) -> EseResult<()> {
    let header = DbHeader::new_database(&NewHeader {
        kind: FileKind::Database,
        sign_db: signature(),
        sign_slv: Signature::NONE,
        dbtime: Dbtime(1),
        objid_last: ObjId(1),
        os_version: OsVersion { major: 6, minor: 2, build: 9200, service_pack: 0 },
    });
    let pager = Pager::create(volume.clone(), path, header)?;
    let mut forest = Forest::new(pager);
    forest.pager_mut().extend(pages)?;
    let file = Extent { last: Pgno::fixed(pages), count: pages };
    forest.create_fixed_tree(None, database_root(), file)?;
    forest.commit()?;
    forest.close()
}

/// A database of 16 pages at [`PATH`], open for writing.
pub fn create(volume: &Arc<dyn Volume>) -> Forest {
    create_at(volume, Path::new(PATH), 16).unwrap();
    reopen(volume)
}

/// Opens the database at [`PATH`] for writing.
pub fn reopen(volume: &Arc<dyn Volume>) -> Forest {
    Forest::new(Pager::open(volume.clone(), Path::new(PATH)).unwrap())
}

/// The database's own tree.
pub fn database_root() -> Tree {
    Tree::new(DATABASE_ROOT, ObjId(1), TreeKind::Table)
}

/// In a tree ordered by data the place is key and data; elsewhere the key alone.
pub fn place(tree: &Tree, key: &[u8], data: &[u8]) -> (Vec<u8>, Vec<u8>) {
    (key.to_vec(), if tree.is_by_data() { data.to_vec() } else { Vec::new() })
}

/// Every page has exactly one fate: in use by one tree, or free in one tree.
pub fn check_space(file: &DatabaseFile, trees: &[Tree]) {
    let mut used = BTreeSet::new();
    for tree in trees.iter().chain([&database_root()]) {
        let space = read_space(file, tree.root).unwrap();
        let space_trees = space.space_trees().into_iter().flat_map(|(oe, ae)| [oe, ae]);
        for part in space_trees.chain([*tree]) {
            let report = verify_tree(file, &part, Dbtime(u64::MAX));
            assert_eq!(report.findings, [], "tree {part:?}");
            for pgno in report.pages {
                assert!(used.insert(pgno), "page {pgno} has two fates");
                assert!(space.owned.contains(pgno), "page {pgno} is not owned by {tree:?}");
            }
        }
        for pgno in space.available.iter().flat_map(|extent| extent.pages().collect::<Vec<_>>()) {
            assert!(used.insert(pgno), "page {pgno} is free and in use");
            assert!(space.owned.contains(pgno), "free page {pgno} is not owned");
        }
    }
    let owned = read_space(file, DATABASE_ROOT).unwrap().owned.page_count();
    assert_eq!(used.len() as u64, owned, "pages without a fate");
}

/// All entries of a tree in order.
pub fn entries(file: &DatabaseFile, tree: &Tree) -> EseResult<Vec<(Vec<u8>, Vec<u8>)>> {
    let mut cursor = Cursor::new(file, *tree);
    let mut found = Vec::new();
    let mut is_on_entry = cursor.first()?;
    while is_on_entry {
        if let Some(node) = cursor.entry()? {
            found.push((node.key.to_vec(), node.data.to_vec()));
        }
        is_on_entry = cursor.next()?;
    }
    Ok(found)
}

/// A tree holds what its map holds, seen forwards, backwards and by seeking.
pub fn check_content(file: &DatabaseFile, tree: &Tree, model: &Model) {
    let expected: Vec<_> =
        model.iter().map(|((key, _), data)| (key.clone(), data.clone())).collect();
    assert_eq!(entries(file, tree).unwrap(), expected);
    let mut cursor = Cursor::new(file, *tree);
    let mut back = Vec::new();
    let mut on = cursor.last().unwrap();
    while on {
        let node = cursor.entry().unwrap().unwrap();
        back.push((node.key.to_vec(), node.data.to_vec()));
        on = cursor.previous().unwrap();
    }
    back.reverse();
    assert_eq!(back, expected, "backwards");
    for ((key, data), _) in model.iter().step_by(7) {
        assert!(cursor.seek_bookmark(key, data).unwrap());
        assert_eq!(cursor.entry().unwrap().unwrap().key.to_vec(), *key);
    }
}
