//! B+ trees: cursors, inserts and splits, sorted batches and runs, space trees.
//!
//! A tree is a root page (FDP) with branch levels below it and leaves at the bottom, all leaves at one depth and linked
//! in key order. The root's page number never changes. Knows nothing of what a key or a record means.
//! Source: ese-physical 6-8.

mod access;
mod batch;
mod build;
mod cursor;
mod delete;
mod descent;
mod forest;
mod insert;
mod near;
mod pack;
mod path;
mod run;
mod scrub;
mod settle;
mod space;
mod splice;
mod verify;

pub use batch::Change;
pub use build::{TreeBuilder, TreeShape};
pub use cursor::Cursor;
pub use forest::{DATABASE_ROOT, Forest};
pub use run::{PageSupply, Run, RunBuilder};
pub use space::{Extent, ExtentSet, Extents, SpaceHeader, TreeSpace, read_space, tree_of_root};
pub use verify::{ClaimPage, TreeFinding, TreeReport, verify_tree, verify_tree_with};

use crate::ese::page::{ObjId, PageFlags, Pgno};
use crate::ese::txn::TreeMark;

/// Deepest tree that is followed. A 4 KiB database full of one-byte records would need seven levels.
pub const DEPTH_MAX: usize = 16;

/// What a tree holds, and so which type flags its pages carry. Source: ese-physical 7.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TreeKind {
    /// Records of a table, or the database root.
    Table,
    /// Secondary index with unique keys.
    UniqueIndex,
    /// Secondary index ordered by key and data.
    NonUniqueIndex,
    /// Long values.
    LongValue,
}

impl TreeKind {
    /// Type flags of every page of such a tree.
    pub fn flags(self) -> PageFlags {
        match self {
            Self::Table => PageFlags::empty(),
            Self::UniqueIndex => PageFlags::INDEX,
            Self::NonUniqueIndex => PageFlags::INDEX | PageFlags::NON_UNIQUE,
            Self::LongValue => PageFlags::LONG_VALUE,
        }
    }
}

/// A tree, by the place of its root.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tree {
    /// Root page.
    pub root: Pgno,
    /// Root of the tree whose space the pages come from: the tree itself, or the one that a space tree belongs to.
    pub fdp: Pgno,
    /// Id stamped on every page.
    pub objid: ObjId,
    /// What it holds.
    pub kind: TreeKind,
    /// Whether this is the space tree (owned or available extents) of a tree of that kind.
    pub is_space: bool,
}

impl Tree {
    /// A tree that is no space tree.
    pub fn new(root: Pgno, objid: ObjId, kind: TreeKind) -> Self {
        Self { root, fdp: root, objid, kind, is_space: false }
    }

    /// Type flags of every page of the tree.
    pub fn flags(&self) -> PageFlags {
        let space = if self.is_space { PageFlags::SPACE_TREE } else { PageFlags::empty() };
        self.kind.flags() | space
    }

    /// The tree as its pages name it.
    pub(super) fn mark(&self) -> TreeMark {
        TreeMark { root: self.root, objid: self.objid, flags: self.flags() }
    }

    /// Whether entries are ordered by key and data: a bookmark is both.
    ///
    /// Separators of such trees compare key and data in one string, which gives the same order only because no index
    /// key is the beginning of another (ese-logical 6).
    pub fn is_by_data(&self) -> bool {
        self.kind == TreeKind::NonUniqueIndex && !self.is_space
    }
}
