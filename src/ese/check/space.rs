//! Trees and the pages they own: every page of the database has exactly one fate. Source: ese-physical 6.4, 7, 8.

use super::{Report, Severity};
use crate::ese::page::{ObjId, Pgno};
use crate::ese::table::database::Database;
use crate::ese::table::schema::{TableDef, index_tree};
use crate::ese::tree::{
    DATABASE_ROOT, Extent, ExtentSet, SpaceHeader, Tree, TreeKind, TreeSpace, read_space,
    verify_tree,
};
use crate::ese::txn::Pages;

/// Findings of one tree that are told; a broken tree could give one for every entry.
const FINDINGS_PER_TREE: usize = 20;

/// Checks all trees of the database and the space between them.
pub fn check(database: &Database, report: &mut Report<'_>) {
    let pages = database.file();
    let mut walk =
        Walk { database, fates: vec![Fate::Unknown; pages.last_page() as usize + 1], report };
    let root = Tree::new(DATABASE_ROOT, ObjId(1), TreeKind::Table);
    let Some(owned) = walk.tree("the database", root, None) else { return };
    for table in database.schema().tables() {
        walk.table(table, &owned);
    }
    walk.leaks(&owned);
}

/// What a page is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Unknown,
    Used,
    Free,
}

struct Walk<'w, 's> {
    database: &'w Database,
    fates: Vec<Fate>,
    report: &'w mut Report<'s>,
}

impl Walk<'_, '_> {
    fn table(&mut self, table: &TableDef, database_owned: &ExtentSet) {
        let parent = Some((DATABASE_ROOT, database_owned));
        let Some(owned) = self.tree(&table.name, table.tree(), parent) else { return };
        for index in &table.indexes {
            let name = format!("{}.{}", table.name, index.name);
            self.tree(&name, index_tree(index), Some((table.root, &owned)));
        }
        if let Some(tree) = table.long_value_tree() {
            self.tree(&format!("{}.LV", table.name), tree, Some((table.root, &owned)));
        }
    }

    /// Checks one tree with its space trees; answers what it owns.
    fn tree(
        &mut self,
        name: &str,
        tree: Tree,
        parent: Option<(Pgno, &ExtentSet)>,
    ) -> Option<ExtentSet> {
        let file = self.database.file();
        if tree.objid > file.header().objid_last() {
            let message = format!("object {} is above the header's last one", tree.objid);
            self.report.error("objid", name, Some(tree.root), message);
        }
        let space = match self.read_space(name, tree) {
            Some(space) => space,
            None => {
                self.pages_of(name, &tree, None);
                return None;
            }
        };
        self.check_header(name, &tree, &space.header, parent.map(|(root, _)| root));
        if let Some((owned, available)) = space.space_trees() {
            self.pages_of(&format!("{name} (owned extents)"), &owned, Some(&space.owned));
            self.pages_of(&format!("{name} (available extents)"), &available, Some(&space.owned));
        }
        self.pages_of(name, &tree, Some(&space.owned));
        for (what, set) in [
            ("free", &space.available),
            ("reserved", &space.reserved),
            ("split buffer", &space.split_buffer),
        ] {
            for extent in set.iter() {
                self.free_extent(name, what, extent, &space.owned);
            }
        }
        if let Some((parent, parent_owned)) = parent {
            for extent in space.owned.iter() {
                self.owned_extent(name, extent, parent, parent_owned);
            }
        }
        Some(space.owned)
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

    /// Verifies a tree's pages and claims them.
    fn pages_of(&mut self, name: &str, tree: &Tree, owned: Option<&ExtentSet>) {
        let file = self.database.file();
        let verified = verify_tree(file, tree, file.header().dbtime());
        for finding in verified.findings.iter().take(FINDINGS_PER_TREE) {
            let message = finding.detail.clone();
            self.report.error(finding.rule, name, Some(finding.pgno), message);
        }
        if let Some(more) = verified.findings.len().checked_sub(FINDINGS_PER_TREE + 1) {
            let message = format!("{} more findings in this tree", more + 1);
            self.report.error("tree", name, Some(tree.root), message);
        }
        for pgno in verified.pages {
            if owned.is_some_and(|owned| !owned.contains(pgno)) {
                let message = "a page of the tree is not among its owned pages";
                self.report.error("ownership", name, Some(pgno), message);
            }
            self.claim(name, pgno, Fate::Used);
        }
    }

    fn claim(&mut self, name: &str, pgno: Pgno, fate: Fate) {
        let Some(slot) = self.fates.get_mut(pgno.get() as usize) else { return };
        let before = std::mem::replace(slot, fate);
        let message = match (before, fate) {
            (Fate::Unknown, _) => return,
            (Fate::Used, Fate::Used) => "the page belongs to two trees",
            (Fate::Free, Fate::Free) => "the page is free in two trees",
            _ => "the page is in use and free at once",
        };
        self.report.error("ownership", name, Some(pgno), message);
    }

    fn free_extent(&mut self, name: &str, what: &str, extent: Extent, owned: &ExtentSet) {
        if extent.last.get() > self.database.file().last_page() {
            let message = format!("a {what} extent reaches past the end of the file");
            return self.report.error("space", name, Some(extent.last), message);
        }
        let within =
            owned.extent_of(extent.last).is_some_and(|whole| whole.contains(extent.first()));
        if !within && extent.pages().any(|pgno| !owned.contains(pgno)) {
            let message = format!("a {what} extent is not among the owned pages");
            self.report.error("space", name, Some(extent.last), message);
        } else if !within {
            let message = format!("a {what} extent spans two owned extents");
            self.report.find(Severity::Warning, "space", Some(name), Some(extent.last), message);
        }
        extent.pages().for_each(|pgno| self.claim(name, pgno, Fate::Free));
    }

    fn owned_extent(&mut self, name: &str, extent: Extent, parent: Pgno, owned: &ExtentSet) {
        if extent.last.get() > self.database.file().last_page() {
            let message = "an owned extent reaches past the end of the file";
            return self.report.error("space", name, Some(extent.last), message);
        }
        if let Some(pgno) = extent.pages().find(|pgno| !owned.contains(*pgno)) {
            let message =
                format!("an owned page does not belong to the parent tree at page {parent}");
            self.report.error("ownership", name, Some(pgno), message);
        }
    }

    /// Pages that the database owns and nobody uses or lists as free: wasted, but harmless.
    fn leaks(&mut self, owned: &ExtentSet) {
        let is_lost = |pgno: &Pgno| self.fates.get(pgno.get() as usize) == Some(&Fate::Unknown);
        let lost: Vec<Pgno> = owned
            .iter()
            .flat_map(|extent| extent.pages().filter(is_lost).collect::<Vec<_>>())
            .collect();
        if let Some(first) = lost.first() {
            let message = format!("{} pages are neither in use nor free", lost.len());
            self.report.find(Severity::Warning, "leak", None, Some(*first), message);
        }
    }
}
