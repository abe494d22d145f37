//! Trees and the pages they own: every page of the database has exactly one fate.
//!
//! `owned = available + reserved + split buffers + pages of the tree and its space trees + owned by its children`, and no
//! page twice. A tree is walked before its children and every page is marked once, so that the whole check is one visit
//! to each page, however broken trees hang together. Source: ese-physical 6.4, 7, 8.

use std::collections::HashSet;

use super::Severity;
use super::report::Report;
use crate::ese::page::{ObjId, Pgno};
use crate::ese::table::database::Database;
use crate::ese::table::schema::{TableDef, index_tree};
use crate::ese::tree::{
    DATABASE_ROOT, Extent, ExtentSet, SpaceHeader, Tree, TreeKind, TreeSpace, read_space,
    verify_tree_with,
};
use crate::ese::txn::Pages;

/// Pages with two fates after which free extents are not marked any more: a bound for hostile files, whose trees may all
/// claim the same pages.
const CONFLICTS_MAX: u32 = 1 << 20;

/// Checks all trees of the database and the space between them. Answers the roots of trees that share pages with others, or
/// whose pages form a cycle.
pub fn check(database: &Database, report: &mut Report<'_>) -> HashSet<Pgno> {
    let fates = vec![Fate::Unknown; database.file().last_page() as usize + 1];
    let tangled = HashSet::new();
    let mut walk = Walk { database, fates, conflicts_left: CONFLICTS_MAX, tangled, report };
    let root = Tree::new(DATABASE_ROOT, ObjId(1), TreeKind::Table);
    let owned = walk.tree("the database", root, None);
    for table in database.schema().tables() {
        walk.table(table, owned.as_ref());
    }
    if let Some(owned) = owned {
        walk.leaks(None, &owned.sound);
    }
    walk.tangled
}

/// What a page is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Unknown,
    Used,
    Free,
    /// Owned by a tree that neither uses it nor lists it as free.
    Lost,
}

/// The pages of a tree whose space could be read.
struct Owned {
    all: ExtentSet,
    /// Extents that no other tree has a claim on.
    sound: Vec<Extent>,
}

/// The tree that another draws its space from.
#[derive(Clone, Copy)]
struct Parent<'p> {
    root: Pgno,
    owned: Option<&'p ExtentSet>,
}

impl<'p> Parent<'p> {
    fn new(root: Pgno, owned: Option<&'p Owned>) -> Option<Self> {
        Some(Self { root, owned: owned.map(|owned| &owned.all) })
    }
}

struct Walk<'w, 's> {
    database: &'w Database,
    fates: Vec<Fate>,
    conflicts_left: u32,
    tangled: HashSet<Pgno>,
    report: &'w mut Report<'s>,
}

impl Walk<'_, '_> {
    fn table(&mut self, table: &TableDef, database_owned: Option<&Owned>) {
        let parent = Parent::new(DATABASE_ROOT, database_owned);
        let owned = self.tree(&table.name, table.tree(), parent);
        let parent = Parent::new(table.root, owned.as_ref());
        for index in &table.indexes {
            self.child(&format!("{}.{}", table.name, index.name), index_tree(index), parent);
        }
        if let Some(tree) = table.long_value_tree() {
            self.child(&format!("{}.LV", table.name), tree, parent);
        }
        if let Some(owned) = owned {
            self.leaks(Some(&table.name), &owned.sound);
        }
    }

    fn child(&mut self, name: &str, tree: Tree, parent: Option<Parent<'_>>) {
        if let Some(owned) = self.tree(name, tree, parent) {
            self.leaks(Some(name), &owned.sound);
        }
    }

    /// Checks one tree with its space trees; answers what it owns.
    fn tree(&mut self, name: &str, tree: Tree, parent: Option<Parent<'_>>) -> Option<Owned> {
        if tree.objid > self.database.file().header().objid_last() {
            let message = format!("object {} is above the header's last one", tree.objid);
            self.report.error("objid", name, Some(tree.root), message);
        }
        if self.fates.get(tree.root.get() as usize) == Some(&Fate::Used) {
            self.tangled.insert(tree.root);
            let message = "the root page belongs to another tree";
            self.report.error("ownership", name, Some(tree.root), message);
            return None;
        }
        let Some(space) = self.read_space(name, tree) else {
            self.pages_of(name, &tree, None);
            return None;
        };
        self.check_header(name, &tree, &space.header, parent.map(|parent| parent.root));
        let sound = self.owned_extents(name, &space.owned, parent);
        self.pages_of(name, &tree, Some(&space.owned));
        if let Some((owned, available)) = space.space_trees() {
            self.pages_of(&format!("{name} (owned extents)"), &owned, Some(&space.owned));
            self.pages_of(&format!("{name} (available extents)"), &available, Some(&space.owned));
        }
        self.free_extents(name, &space);
        Some(Owned { all: space.owned, sound })
    }

    fn read_space(&mut self, name: &str, tree: Tree) -> Option<TreeSpace> {
        match read_space(self.database.file(), tree.root) {
            Ok(space) => Some(space),
            Err(error) => {
                self.report.unreadable("space", name, &error);
                None
            }
        }
    }

    fn check_header(
        &mut self,
        name: &str,
        tree: &Tree,
        header: &SpaceHeader,
        parent: Option<Pgno>,
    ) {
        let mut error =
            |message: String| self.report.error("space", name, Some(tree.root), message);
        if header.parent != parent {
            let number = |pgno: Option<Pgno>| Pgno::link(pgno);
            error(format!("parent page {}, should be {}", number(header.parent), number(parent)));
        }
        if header.is_non_unique != (tree.kind == TreeKind::NonUniqueIndex) {
            error("the space header and the catalog disagree about unique keys".into());
        }
    }

    /// Verifies a tree's pages and marks them.
    fn pages_of(&mut self, name: &str, tree: &Tree, owned: Option<&ExtentSet>) {
        let file = self.database.file();
        let (mut foreign, mut listed) = (Vec::new(), Vec::new());
        let mut claim = |pgno: Pgno| {
            if owned.is_some_and(|owned| !owned.contains(pgno)) {
                foreign.push(pgno);
            }
            let Some(slot) = self.fates.get_mut(pgno.get() as usize) else { return Ok(()) };
            match std::mem::replace(slot, Fate::Used) {
                Fate::Used => {
                    self.tangled.insert(tree.fdp);
                    Err(("ownership", "a second way leads to this page".to_owned()))
                }
                Fate::Free | Fate::Lost if owned.is_some() => {
                    listed.push(pgno);
                    Ok(())
                }
                _ => Ok(()),
            }
        };
        let verified = verify_tree_with(file, tree, file.header().dbtime(), &mut claim);
        for finding in &verified.findings {
            self.report.error(finding.rule, name, Some(finding.pgno), &finding.detail);
        }
        if verified.more_findings > 0 {
            let message = format!("{} more findings in this tree", verified.more_findings);
            self.report.error("tree", name, Some(tree.root), message);
        }
        for pgno in foreign {
            let message = "a page of the tree is not among its owned pages";
            self.report.error("ownership", name, Some(pgno), message);
        }
        for pgno in listed {
            let message = "a page of the tree is free in another, or owned by another";
            self.report.error("ownership", name, Some(pgno), message);
        }
    }

    /// What a tree owns must belong to its parent, and to none but it. Answers the extents that do.
    fn owned_extents(
        &mut self,
        name: &str,
        owned: &ExtentSet,
        parent: Option<Parent<'_>>,
    ) -> Vec<Extent> {
        let last_page = self.database.file().last_page();
        let mut sound = Vec::new();
        for extent in owned.iter() {
            if parent.is_some() && extent.last.get() > last_page {
                let message = "an owned extent reaches past the end of the file";
                self.report.error("space", name, Some(extent.last), message);
                continue;
            }
            if let Some(Parent { root, owned: Some(of_parent) }) = parent {
                self.within_parent(name, extent, root, of_parent);
            }
            let is_taken = |pgno: &u32| {
                self.fates.get(*pgno as usize).is_some_and(|fate| *fate != Fate::Unknown)
            };
            match self.in_file(extent).find(is_taken) {
                Some(taken) => {
                    let message = "an owned page has another use, or is owned by another tree too";
                    self.report.error("ownership", name, Pgno::new(taken), message);
                }
                None => sound.push(extent),
            }
        }
        sound
    }

    fn within_parent(&mut self, name: &str, extent: Extent, root: Pgno, of_parent: &ExtentSet) {
        if !of_parent.covers(extent) {
            let message = format!(
                "the owned extent {}..{} does not belong to the parent tree at page {root}",
                extent.first(),
                extent.last
            );
            self.report.error("ownership", name, Some(extent.last), message);
        } else if !of_parent
            .extent_of(extent.last)
            .is_some_and(|whole| whole.contains(extent.first()))
        {
            let message = format!("an owned extent spans two of the parent tree at page {root}");
            self.report.find(Severity::Warning, "space", Some(name), Some(extent.last), message);
        }
    }

    /// The page numbers of an extent that the file has.
    fn in_file(&self, extent: Extent) -> impl Iterator<Item = u32> + use<> {
        extent.first().get()..=extent.last.get().min(self.database.file().last_page())
    }

    fn free_extents(&mut self, name: &str, space: &TreeSpace) {
        for (what, set) in [
            ("free", &space.available),
            ("reserved", &space.reserved),
            ("split buffer", &space.split_buffer),
        ] {
            for extent in set.iter() {
                // Pages that the engine has shelved may lie behind the end of the file.
                let is_shelved = what == "reserved" && space.tree.root == DATABASE_ROOT;
                let is_behind_end = extent.last.get() > self.database.file().last_page();
                if is_behind_end && is_shelved {
                    continue;
                }
                if is_behind_end {
                    let message = format!("a {what} extent reaches past the end of the file");
                    self.report.error("space", name, Some(extent.last), message);
                }
                self.free_extent(name, what, extent, &space.owned);
            }
        }
    }

    fn free_extent(&mut self, name: &str, what: &str, extent: Extent, owned: &ExtentSet) {
        if !owned.covers(extent) {
            let message = format!("a {what} extent is not among the owned pages");
            return self.report.error("space", name, Some(extent.last), message);
        }
        if !owned.extent_of(extent.last).is_some_and(|whole| whole.contains(extent.first())) {
            let message = format!("a {what} extent spans two owned extents");
            self.report.find(Severity::Warning, "space", Some(name), Some(extent.last), message);
        }
        let (mut conflicts, mut first) = (0, None);
        for number in self.in_file(extent) {
            let Some(slot) = self.fates.get_mut(number as usize) else { continue };
            if *slot == Fate::Unknown {
                *slot = Fate::Free;
            } else if self.conflicts_left > 0 {
                self.conflicts_left -= 1;
                conflicts += 1;
                first = first.or(Pgno::new(number));
            } else {
                break;
            }
        }
        if conflicts > 0 {
            let (from, last) = (extent.first(), extent.last);
            let message =
                format!("{conflicts} pages of the {what} extent {from}..{last} are in use too");
            self.report.error("ownership", name, first, message);
        }
    }

    /// Pages that a tree owns and nobody uses or lists as free: wasted, but harmless.
    fn leaks(&mut self, name: Option<&str>, owned: &[Extent]) {
        let (mut lost, mut first) = (0, None);
        for extent in owned {
            for number in self.in_file(*extent) {
                let Some(slot) = self.fates.get_mut(number as usize) else { continue };
                if *slot == Fate::Unknown {
                    *slot = Fate::Lost;
                    lost += 1;
                    first = first.or(Pgno::new(number));
                }
            }
        }
        if lost > 0 {
            let message = format!("{lost} pages are neither in use nor free");
            self.report.find(Severity::Warning, "leak", name, first, message);
        }
    }
}
