//! Checking that pages form a tree: depth, bounds, order across pages, links. Source: ese-physical 6.4, 7, 11.1.

use std::collections::HashSet;

use super::pack::Entry;
use super::{DEPTH_MAX, Tree};
use crate::ese::page::view::compare_parts;
use crate::ese::page::{Dbtime, PageFlags, PageView, Pgno, rules};
use crate::ese::txn::Pages;

/// A rule that a tree breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeFinding {
    /// The page.
    pub pgno: Pgno,
    /// The rule, a short fixed name.
    pub rule: &'static str,
    /// What was found.
    pub detail: String,
}

/// What a check of one tree gives.
#[derive(Debug, Default)]
pub struct TreeReport {
    /// Broken rules, in the order of the walk.
    pub findings: Vec<TreeFinding>,
    /// Every page of the tree, the root first.
    pub pages: Vec<Pgno>,
    /// Entries on leaves that are not deleted.
    pub entries: u64,
    /// Highest dbtime on a page.
    pub dbtime_max: u64,
}

/// Walks the whole tree in key order and checks every page of it. Never fails: what cannot be read is a finding.
pub fn verify_tree<P: Pages + ?Sized>(pages: &P, tree: &Tree, dbtime_limit: Dbtime) -> TreeReport {
    let mut walk = Walk {
        pages,
        tree,
        dbtime_limit,
        report: TreeReport::default(),
        seen: HashSet::new(),
        leaf_depth: None,
        last_leaf: None,
        last_entry: None,
    };
    walk.visit(tree.root, 0, None, &[]);
    walk.finish();
    walk.report
}

struct Walk<'w, P: ?Sized> {
    pages: &'w P,
    tree: &'w Tree,
    dbtime_limit: Dbtime,
    report: TreeReport,
    seen: HashSet<Pgno>,
    leaf_depth: Option<usize>,
    /// The leaf before, and where it says that the next one is.
    last_leaf: Option<(Pgno, Option<Pgno>)>,
    last_entry: Option<Entry>,
}

impl<P: Pages + ?Sized> Walk<'_, P> {
    fn find(&mut self, pgno: Pgno, rule: &'static str, detail: impl Into<String>) {
        self.report.findings.push(TreeFinding { pgno, rule, detail: detail.into() });
    }

    /// Checks the page `pgno`, whose entries must lie in `lower..upper`; an empty `upper` is infinity.
    fn visit(&mut self, pgno: Pgno, depth: usize, lower: Option<&[u8]>, upper: &[u8]) {
        if depth >= DEPTH_MAX {
            return self.find(pgno, "depth", format!("deeper than {DEPTH_MAX} levels"));
        }
        if !self.seen.insert(pgno) {
            return self.find(pgno, "cycle", "the tree reaches this page twice");
        }
        self.report.pages.push(pgno);
        let page = match self.pages.page(pgno) {
            Ok(page) => page,
            Err(error) => return self.find(pgno, "page", error.to_string()),
        };
        let view = match page.view() {
            Ok(view) => view,
            Err(error) => return self.find(pgno, "page", error.to_string()),
        };
        if !self.check_member(&view, depth) {
            return;
        }
        if let Err(error) = rules::check_page(&view) {
            return self.find(pgno, "node", error.to_string());
        }
        if view.is_leaf() {
            self.check_leaf(&view, depth, lower, upper);
        } else {
            self.check_branch(&view, depth, lower, upper);
        }
    }

    /// Whether the page belongs here at all; only then does looking further make sense.
    fn check_member(&mut self, view: &PageView<'_>, depth: usize) -> bool {
        let pgno = view.pgno();
        if view.objid() != self.tree.objid {
            let detail = format!("object {} instead of {}", view.objid(), self.tree.objid);
            self.find(pgno, "objid", detail);
            return false;
        }
        let flags = view.flags();
        let kind = self.tree.flags();
        if flags & PageFlags::TREE_KIND != kind {
            self.find(
                pgno,
                "flags",
                format!("{:#x}, the tree has {:#x}", flags.bits(), kind.bits()),
            );
        }
        if flags.intersects(PageFlags::EMPTY | PageFlags::PRE_INIT | PageFlags::REPAIR) {
            self.find(pgno, "flags", format!("{:#x} on a page in use", flags.bits()));
            return false;
        }
        if view.is_root() != (depth == 0) {
            self.find(pgno, "flags", "the root flag is on the wrong page");
        }
        if view.is_leaf() && view.has(PageFlags::PARENT_OF_LEAF) {
            self.find(pgno, "flags", "leaf and parent of leaf at once");
        }
        self.report.dbtime_max = self.report.dbtime_max.max(view.dbtime().0);
        if view.dbtime() > self.dbtime_limit {
            let detail =
                format!("dbtime {} above the header's {}", view.dbtime(), self.dbtime_limit);
            self.find(pgno, "dbtime", detail);
        }
        true
    }

    fn check_branch(
        &mut self,
        view: &PageView<'_>,
        depth: usize,
        lower: Option<&[u8]>,
        upper: &[u8],
    ) {
        let pgno = view.pgno();
        if view.raw_links() != (0, 0) {
            self.find(pgno, "links", "a branch page has sibling links");
        }
        if view.node_count() == 0 {
            return self.find(pgno, "node", "a branch page without nodes");
        }
        let mut low = lower.map(<[u8]>::to_vec);
        let last = view.node_count() - 1;
        for line in 0..=last {
            let (Ok(node), Ok(child)) = (view.node(line), view.child(line)) else { continue };
            let key = node.key.to_vec();
            if line == last && key != upper {
                self.find(pgno, "separator", "the last key differs from the parent's bound");
            } else if line != last && !upper.is_empty() && key.as_slice() >= upper {
                self.find(pgno, "separator", "a key is not below the parent's bound");
            }
            if !key.is_empty() && low.as_ref().is_some_and(|low| key <= *low) {
                self.find(pgno, "separator", "a key is not above the bound before it");
            }
            let parent_of_leaf = view.has(PageFlags::PARENT_OF_LEAF);
            if self
                .pages
                .page(child)
                .is_ok_and(|page| page.view().is_ok_and(|child| child.is_leaf() != parent_of_leaf))
            {
                self.find(pgno, "flags", "parent-of-leaf flag and the child's level disagree");
            }
            self.visit(child, depth + 1, low.as_deref(), &key);
            low = Some(key);
        }
    }

    fn check_leaf(
        &mut self,
        view: &PageView<'_>,
        depth: usize,
        lower: Option<&[u8]>,
        upper: &[u8],
    ) {
        let pgno = view.pgno();
        if *self.leaf_depth.get_or_insert(depth) != depth {
            self.find(pgno, "depth", "leaves at different depths");
        }
        self.check_links(view);
        if view.node_count() == 0 && depth > 0 {
            self.find(pgno, "node", "an empty leaf");
        }
        let by_data = self.tree.is_by_data();
        for line in 0..view.node_count() {
            let Ok(node) = view.node(line) else { continue };
            let data: &[u8] = if by_data { node.data } else { &[] };
            let bookmark = [node.key.prefix, node.key.suffix, data];
            if !upper.is_empty() && compare_parts(bookmark, [upper, &[], &[]]).is_ge() {
                self.find(
                    pgno,
                    "separator",
                    format!("line {line} is not below the parent's bound"),
                );
            }
            if lower.is_some_and(|low| compare_parts(bookmark, [low, &[], &[]]).is_lt()) {
                self.find(pgno, "separator", format!("line {line} is below the bound before it"));
            }
            self.report.entries +=
                u64::from(!node.flags.contains(crate::ese::page::NodeFlags::DELETED));
        }
        self.check_order_across(view);
    }

    fn check_links(&mut self, view: &PageView<'_>) {
        let pgno = view.pgno();
        let before = self.last_leaf.map(|(last, _)| last);
        if view.previous() != before {
            let link = |pgno: Option<Pgno>| Pgno::link(pgno);
            let detail =
                format!("previous page {}, should be {}", link(view.previous()), link(before));
            self.find(pgno, "links", detail);
        }
        if let Some((last, next)) = self.last_leaf
            && next != Some(pgno)
        {
            self.find(last, "links", format!("next page {}, should be {pgno}", Pgno::link(next)));
        }
        self.last_leaf = Some((pgno, view.next()));
    }

    /// The first entry must stand after the last one of the leaf before.
    fn check_order_across(&mut self, view: &PageView<'_>) {
        let entry = |line: usize| {
            let node = view.node(line).ok()?;
            Some(Entry { key: node.key.to_vec(), data: node.data.to_vec() })
        };
        let count = view.node_count();
        if let (Some(before), Some(first)) = (&self.last_entry, entry(0)) {
            let order = before.key.cmp(&first.key);
            let is_after = order.is_lt()
                || order.is_eq() && self.tree.is_by_data() && before.data < first.data;
            if !is_after {
                self.find(
                    view.pgno(),
                    "order",
                    "the first entry does not stand after the leaf before",
                );
            }
        }
        if let Some(last) = count.checked_sub(1).and_then(entry) {
            self.last_entry = Some(last);
        }
    }

    fn finish(&mut self) {
        if let Some((last, Some(next))) = self.last_leaf {
            self.find(last, "links", format!("the last leaf names page {next} as the next one"));
        }
    }
}
