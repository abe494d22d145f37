//! Checking that pages form a tree: depth, bounds, order across pages, links. Source: ese-physical 6.4, 7, 11.1.

use std::collections::HashSet;

use super::pack::Entry;
use super::{DEPTH_MAX, Tree};
use crate::ese::page::view::compare_parts;
use crate::ese::page::{Dbtime, NodeFlags, PageFlags, PageView, Pgno, rules};
use crate::ese::txn::Pages;

/// Findings of one tree that are kept; hostile pages could give one for every entry.
const FINDINGS_MAX: usize = 1000;

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
    /// Broken rules, in the order of the walk; of very many the first ones.
    pub findings: Vec<TreeFinding>,
    /// How many more there were.
    pub more_findings: u64,
    /// Every page that belongs to the tree, the root first; left empty by [`verify_tree_with`].
    pub pages: Vec<Pgno>,
    /// Entries on leaves that are not deleted.
    pub entries: u64,
    /// Highest dbtime on a page.
    pub dbtime_max: u64,
}

/// Is told of each page that belongs to the tree, before its content is looked at. An error, rule and detail, becomes a
/// finding, and the walk does not go into the page.
pub type ClaimPage<'c> = dyn FnMut(Pgno) -> Result<(), (&'static str, String)> + 'c;

/// Walks the whole tree in key order and checks every page of it. Never fails: what cannot be read is a finding.
pub fn verify_tree<P: Pages + ?Sized>(pages: &P, tree: &Tree, dbtime_limit: Dbtime) -> TreeReport {
    let (mut seen, mut in_order) = (HashSet::new(), Vec::new());
    let mut claim = |pgno| {
        if !seen.insert(pgno) {
            return Err(("cycle", "the tree reaches this page twice".to_owned()));
        }
        in_order.push(pgno);
        Ok(())
    };
    let report = verify_tree_with(pages, tree, dbtime_limit, &mut claim);
    TreeReport { pages: in_order, ..report }
}

/// As [`verify_tree`], but the caller keeps the account of pages and must refuse one that was there before: so a walk over
/// all trees of a database visits each page once, however they hang together.
pub fn verify_tree_with<P: Pages + ?Sized>(
    pages: &P,
    tree: &Tree,
    dbtime_limit: Dbtime,
    claim: &mut ClaimPage<'_>,
) -> TreeReport {
    let report = TreeReport::default();
    let mut walk = Walk {
        pages,
        tree,
        dbtime_limit,
        claim,
        report,
        leaf_depth: None,
        last_leaf: None,
        is_behind_gap: false,
        last_entry: None,
    };
    walk.visit(tree.root, &Level { depth: 0, parent: None, lower: None, upper: &[] });
    walk.finish();
    walk.report
}

struct Walk<'w, P: ?Sized> {
    pages: &'w P,
    tree: &'w Tree,
    dbtime_limit: Dbtime,
    claim: &'w mut ClaimPage<'w>,
    report: TreeReport,
    leaf_depth: Option<usize>,
    /// The leaf before, and where it says that the next one is.
    last_leaf: Option<(Pgno, Option<Pgno>)>,
    /// Pages before this one could not be read.
    is_behind_gap: bool,
    last_entry: Option<Entry>,
}

/// What the way down to a page says of it.
struct Level<'l> {
    depth: usize,
    /// The parent, and whether it says that its children are leaves.
    parent: Option<(Pgno, bool)>,
    /// Entries must lie in `lower..upper`; an empty `upper` is infinity.
    lower: Option<&'l [u8]>,
    upper: &'l [u8],
}

impl<P: Pages + ?Sized> Walk<'_, P> {
    fn find(&mut self, pgno: Pgno, rule: &'static str, detail: impl Into<String>) {
        if self.report.findings.len() < FINDINGS_MAX {
            self.report.findings.push(TreeFinding { pgno, rule, detail: detail.into() });
        } else {
            self.report.more_findings += 1;
        }
    }

    /// Checks the page `pgno` and everything below it.
    fn visit(&mut self, pgno: Pgno, level: &Level<'_>) {
        if let Err((rule, detail)) = self.try_visit(pgno, level) {
            self.find(pgno, rule, detail);
            // Nobody knows which leaves are missing here.
            self.last_leaf = None;
            self.is_behind_gap = true;
        }
    }

    /// As [`Self::visit`]; an error is what keeps the page from being looked at.
    fn try_visit(&mut self, pgno: Pgno, level: &Level<'_>) -> Result<(), (&'static str, String)> {
        if level.depth >= DEPTH_MAX {
            return Err(("depth", format!("deeper than {DEPTH_MAX} levels")));
        }
        let page = self.pages.page(pgno).map_err(|error| ("page", error.to_string()))?;
        let view = page.view().map_err(|error| ("page", error.to_string()))?;
        if view.objid() != self.tree.objid {
            let (found, expected) = (view.objid(), self.tree.objid);
            return Err(("objid", format!("object {found} instead of {expected}")));
        }
        (self.claim)(pgno)?;
        self.check_flags(&view, level);
        if view.flags().intersects(PageFlags::EMPTY | PageFlags::PRE_INIT | PageFlags::REPAIR) {
            return Err(("flags", format!("{:#x} on a page in use", view.flags().bits())));
        }
        let rules = rules::check_page(&view);
        if view.is_leaf() {
            self.check_links(&view);
        }
        if let Err(error) = rules {
            self.find(pgno, "node", error.to_string());
            return Ok(());
        }
        self.check_node_flags(&view);
        if view.is_leaf() {
            self.check_leaf(&view, level);
        } else {
            self.check_branch(&view, level);
        }
        Ok(())
    }

    fn check_flags(&mut self, view: &PageView<'_>, level: &Level<'_>) {
        let pgno = view.pgno();
        let flags = view.flags();
        let kind = self.tree.flags();
        if flags & PageFlags::TREE_KIND != kind {
            self.find(
                pgno,
                "flags",
                format!("{:#x}, the tree has {:#x}", flags.bits(), kind.bits()),
            );
        }
        if view.is_root() != (level.depth == 0) {
            self.find(pgno, "flags", "the root flag is on the wrong page");
        }
        if view.is_leaf() && view.has(PageFlags::PARENT_OF_LEAF) {
            self.find(pgno, "flags", "leaf and parent of leaf at once");
        }
        if let Some((parent, _)) = level.parent.filter(|(_, says)| *says != view.is_leaf()) {
            self.find(parent, "flags", "parent-of-leaf flag and the child's level disagree");
        }
        self.report.dbtime_max = self.report.dbtime_max.max(view.dbtime().0);
        if view.dbtime() > self.dbtime_limit {
            let detail =
                format!("dbtime {} above the header's {}", view.dbtime(), self.dbtime_limit);
            self.find(pgno, "dbtime", detail);
        }
    }

    /// Node flags that the place of the node forbids. Source: ese-physical 6.2, 6.3.
    fn check_node_flags(&mut self, view: &PageView<'_>) {
        let pgno = view.pgno();
        for line in 0..view.node_count() {
            let Ok(node) = view.node(line) else { continue };
            let is_compressed = node.flags.contains(NodeFlags::COMPRESSED);
            if is_compressed && (view.is_root() || node.key.prefix.len() == 1) {
                let detail = format!("line {line}: a key may not be compressed like this");
                self.find(pgno, "node", detail);
            }
            if !view.is_leaf() && node.flags.contains(NodeFlags::VERSIONED) {
                self.find(pgno, "node", format!("line {line}: a branch node with versions"));
            }
        }
    }

    fn check_branch(&mut self, view: &PageView<'_>, level: &Level<'_>) {
        let upper = level.upper;
        let pgno = view.pgno();
        if view.raw_links() != (0, 0) {
            self.find(pgno, "links", "a branch page has sibling links");
        }
        if view.node_count() == 0 {
            return self.find(pgno, "node", "a branch page without nodes");
        }
        let mut low = level.lower.map(<[u8]>::to_vec);
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
            let parent = Some((pgno, view.has(PageFlags::PARENT_OF_LEAF)));
            let lower = low.as_deref();
            self.visit(child, &Level { depth: level.depth + 1, parent, lower, upper: &key });
            low = Some(key);
        }
    }

    fn check_leaf(&mut self, view: &PageView<'_>, level: &Level<'_>) {
        let Level { depth, lower, upper, .. } = *level;
        let pgno = view.pgno();
        if *self.leaf_depth.get_or_insert(depth) != depth {
            self.find(pgno, "depth", "leaves at different depths");
        }
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
            self.report.entries += u64::from(!node.flags.contains(NodeFlags::DELETED));
        }
        self.check_order_across(view);
    }

    fn check_links(&mut self, view: &PageView<'_>) {
        let pgno = view.pgno();
        let before = self.last_leaf.map(|(last, _)| last);
        let is_behind_gap = std::mem::take(&mut self.is_behind_gap);
        if view.previous() != before && !is_behind_gap {
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
