//! Giving runs their place in a tree, and the pages that are lent out for building them.

use super::descent::Target;
use super::insert::Step;
use super::pack::{Division, Entry, Packing, divide, entries_of, separator, write_page};
use super::run::{Run, RunForm, RunPages};
use super::space::Extent;
use super::{Change, Forest, Tree};
use crate::ese::error::{EseError, EseResult, Refusal};
use crate::ese::page::view::compare_parts;
use crate::ese::page::{PageFlags, Pgno};
use crate::ese::txn::Pages;

/// Where a run goes: between which pages, and how the leaf there is divided.
struct Gap {
    leaf: Step,
    branches: Vec<Step>,
    left: Vec<Entry>,
    right: Vec<Entry>,
}

impl Forest {
    /// Reserves adjacent free pages of the tree with root `fdp`, at least one, `want` where possible, for a run that is built elsewhere.
    /// Until they are spliced they count as free at every commit.
    ///
    /// # Errors
    /// As [`Self::allocate_page`].
    pub fn lend_pages(&mut self, fdp: Pgno, want: u32) -> EseResult<Extent> {
        let extent = self.take_extent(fdp, 1, want.max(1))?;
        self.written_space(fdp)?.lent.add(extent);
        Ok(extent)
    }

    /// Takes back reserved pages that were not used.
    ///
    /// # Errors
    /// [`EseError::Corrupt`] for pages that were not lent.
    pub fn take_back(&mut self, fdp: Pgno, extent: Extent) -> EseResult<()> {
        self.end_loan(fdp, extent)?;
        let space = self.change_space(fdp)?;
        extent.pages().for_each(|pgno| space.now.available.add_page(pgno, &space.now.owned));
        Ok(())
    }

    fn end_loan(&mut self, fdp: Pgno, extent: Extent) -> EseResult<()> {
        let space = self.change_space(fdp)?;
        if !space.lent.covers(extent) {
            let reason = format!("pages {}..{} were not lent", extent.first(), extent.last);
            return Err(EseError::corrupt(fdp, reason));
        }
        space.lent.take_all(extent);
        Ok(())
    }

    /// Gives up a run that will not be spliced: its pages are free again.
    ///
    /// # Errors
    /// As [`Self::take_back`].
    pub fn discard(&mut self, run: Run) -> EseResult<()> {
        self.undivided(|forest| {
            if let RunForm::Pages(pages) = &run.form {
                for pgno in &pages.numbers {
                    forest.take_back(run.tree.fdp, Extent { last: *pgno, count: 1 })?;
                }
            }
            forest.take_back_all(run.tree.fdp, &run.spare)
        })
    }

    fn take_back_all(&mut self, fdp: Pgno, spare: &[Extent]) -> EseResult<()> {
        spare.iter().try_for_each(|extent| self.take_back(fdp, *extent))
    }

    /// Puts a run into its tree. Pages between whose first and last entry the tree has none are linked in whole, and only their
    /// parents change; of the others the entries are merged one by one.
    ///
    /// # Errors
    /// [`Refusal::DuplicateKey`] when the tree has one of the entries already; the writer is dead then when changes were made.
    pub fn splice(&mut self, run: Run) -> EseResult<u64> {
        self.undivided(|forest| {
            let Run { tree, entries, form, spare } = run;
            forest.take_back_all(tree.fdp, &spare)?;
            match form {
                RunForm::Entries(entries) => {
                    let changes = entries.into_iter().map(insert);
                    forest.merge(&tree, changes)?;
                }
                RunForm::Pages(pages) => {
                    forest.adopt_pages(&tree, &pages)?;
                    forest.place_pages(&tree, pages)?;
                }
            }
            Ok(entries)
        })
    }

    /// Takes the pages of a run into use.
    fn adopt_pages(&mut self, tree: &Tree, pages: &RunPages) -> EseResult<()> {
        let ends = [pages.numbers.first(), pages.numbers.last()];
        for extent in extents_of(&pages.numbers) {
            self.end_loan(tree.fdp, extent)?;
        }
        for pgno in &pages.numbers {
            if !ends.contains(&Some(pgno)) {
                self.pager.adopt(*pgno)?;
            }
        }
        for (pgno, bytes) in ends.into_iter().zip([&pages.first, &pages.last]) {
            if let Some(pgno) = pgno {
                self.pager.allocate(*pgno)?.copy_from_slice(bytes);
            }
        }
        Ok(())
    }

    /// Gives adopted pages their places, as many at a time as go between two entries of the tree.
    fn place_pages(&mut self, tree: &Tree, pages: RunPages) -> EseResult<()> {
        let mut left = Some(pages);
        while let Some(mut pages) = left.take() {
            let (gap, fitting) = self.find_gap(tree, &pages)?;
            let taken = fitting.max(1);
            if taken < pages.numbers.len() {
                left = Some(self.split_run(tree, &mut pages, taken)?);
            }
            match (fitting, gap) {
                (0, _) => self.merge_pages(tree, &pages)?,
                (_, gap) => self.link_run(tree, gap, &pages)?,
            }
        }
        Ok(())
    }

    /// Leaves the first `count` pages in `pages` and answers the others.
    fn split_run(&self, tree: &Tree, pages: &mut RunPages, count: usize) -> EseResult<RunPages> {
        let end_of = |pgno: Option<&Pgno>, is_last: bool| -> EseResult<Entry> {
            let pgno = *pgno.ok_or_else(|| EseError::corrupt_bytes("a run without pages"))?;
            let entries = entries_of(&self.pager.page(pgno)?.view()?)?;
            let end = if is_last { entries.last() } else { entries.first() };
            let Entry { key, data } = end.ok_or_else(|| EseError::corrupt(pgno, "no entries"))?;
            let data = if tree.is_by_data() { data.clone() } else { Vec::new() };
            Ok(Entry { key: key.clone(), data })
        };
        let numbers = pages.numbers.split_off(count);
        let separators = pages.separators.split_off(count);
        // That between the two parts: linking makes its own.
        pages.separators.truncate(count - 1);
        let last_entry = end_of(pages.numbers.last(), true)?;
        Ok(RunPages {
            first_entry: end_of(numbers.first(), false)?,
            last_entry: std::mem::replace(&mut pages.last_entry, last_entry),
            numbers,
            separators,
            first: Vec::new(),
            last: Vec::new(),
        })
    }

    /// The place between two entries of the tree where the run begins, and how many of its pages go there.
    fn find_gap(&self, tree: &Tree, pages: &RunPages) -> EseResult<(Gap, usize)> {
        let Entry { key, data } = &pages.first_entry;
        let path = self.descend(tree, Target::of(tree, key, data))?;
        if path.is_found {
            let reason = "an entry of the run exists already";
            return Err(EseError::refused(Refusal::DuplicateKey, reason).in_tree(tree.objid));
        }
        let (leaf, branches) = path.split();
        let bound = self.upper_bound(branches)?;
        let mut left = self.leaf_entries(tree, leaf.pgno)?;
        let is_before =
            |entry: &Entry| entry.cmp_place(&pages.first_entry, tree.is_by_data()).is_lt();
        let right = left.split_off(left.partition_point(is_before));
        // All of the next leaf stands at or above the bound.
        let limits = (bound.as_deref(), right.first());
        let fitting = pages.fitting(tree, limits);
        Ok((Gap { leaf, branches: branches.to_vec(), left, right }, fitting))
    }

    fn link_run(&mut self, tree: &Tree, gap: Gap, pages: &RunPages) -> EseResult<()> {
        let is_root = gap.branches.is_empty();
        let (before, after) =
            if is_root { (None, None) } else { self.links_of(tree, gap.leaf.pgno)? };
        let mut children = Children { pages: Vec::new(), separators: Vec::new(), last: None };
        // The leaf keeps its page for one of its halves; a root moves all that it has to new ones.
        let mut own = (!is_root).then_some(gap.leaf.pgno);
        let left = self.write_side(tree, &gap.left, &mut own)?;
        children.add(tree, &left, &gap.left)?;
        children.add_run(tree, pages)?;
        let right = self.write_side(tree, &gap.right, &mut own)?;
        children.add(tree, &right, &gap.right)?;
        if let Some(empty) = own {
            // A leaf without an entry left: it can only be the empty one that a last delete leaves behind.
            self.free_page(tree.fdp, empty)?;
        }
        self.link_around(tree, &children.pages, pages, before, after)?;
        let Children { pages, separators, .. } = children;
        if is_root {
            self.raise_root(tree, PageFlags::PARENT_OF_LEAF, separators, &pages)
        } else {
            self.replace_child(tree, &gap.branches, separators, &pages)
        }
    }

    /// Writes one side of a divided leaf into its own page, or new ones. Answers the pages, each with its number of entries.
    fn write_side(
        &mut self,
        tree: &Tree,
        entries: &[Entry],
        own: &mut Option<Pgno>,
    ) -> EseResult<Vec<(Pgno, usize)>> {
        let area_bytes = self.pager.page_size().data_bytes();
        let mut written = Vec::new();
        for range in divide(entries, Packing::of(tree, area_bytes), Division::Full) {
            let (pgno, is_own) = match own.take() {
                Some(pgno) => (pgno, true),
                None => (self.allocate_page(tree.fdp, None)?, false),
            };
            let part = &entries[range];
            let is_unchanged = is_own && self.leaf_entries(tree, pgno)?.len() == part.len();
            if !is_unchanged {
                write_page(self.pager.edit(pgno)?, pgno, tree, PageFlags::LEAF, part);
            }
            written.push((pgno, part.len()));
        }
        Ok(written)
    }

    /// Links everything but the inside of the run, which is linked already.
    fn link_around(
        &mut self,
        tree: &Tree,
        children: &[Pgno],
        run: &RunPages,
        before: Option<Pgno>,
        after: Option<Pgno>,
    ) -> EseResult<()> {
        let (Some(first), Some(last)) = (run.numbers.first(), run.numbers.last()) else {
            return Ok(());
        };
        let start = children.iter().position(|pgno| pgno == first).unwrap_or(0);
        let (left, rest) = children.split_at(start);
        let right = rest.get(run.numbers.len()..).unwrap_or_default();
        self.link_pages(tree, before, left, Some(*first))?;
        self.link_pages(tree, Some(*last), right, after)
    }

    /// Merges the entries of a run that has no gap to itself, page by page, and frees its pages.
    fn merge_pages(&mut self, tree: &Tree, pages: &RunPages) -> EseResult<()> {
        for pgno in &pages.numbers {
            let entries = entries_of(&self.pager.page(*pgno)?.view()?)?;
            self.free_page(tree.fdp, *pgno)?;
            self.merge(tree, entries.into_iter().map(insert))?;
        }
        Ok(())
    }
}

impl RunPages {
    /// How many pages from the first on have all their entries below `bound`, which compares as key and data in one string, and `next`.
    fn fitting(&self, tree: &Tree, (bound, next): (Option<&[u8]>, Option<&Entry>)) -> usize {
        let data_of =
            |entry: &Entry| if tree.is_by_data() { entry.data.clone() } else { Vec::new() };
        let last = &self.last_entry;
        let is_under_bound = bound.is_none_or(|bound| {
            compare_parts([&last.key, &last.data, &[]], [bound, &[], &[]]).is_lt()
        });
        if is_under_bound && next.is_none_or(|next| last.cmp_place(next, tree.is_by_data()).is_lt())
        {
            return self.numbers.len();
        }
        let next = next.map(|next| (next, data_of(next)));
        // What is below a separator is below all that the separator is not above.
        self.separators.partition_point(|separator| {
            bound.is_none_or(|bound| separator.as_slice() <= bound)
                && next.as_ref().is_none_or(|(next, data)| {
                    compare_parts([separator, &[], &[]], [&next.key, data, &[]]).is_le()
                })
        })
    }
}

/// The new children of a branch page, in order.
struct Children {
    pages: Vec<Pgno>,
    separators: Vec<Vec<u8>>,
    last: Option<Entry>,
}

impl Children {
    fn add(&mut self, tree: &Tree, written: &[(Pgno, usize)], entries: &[Entry]) -> EseResult<()> {
        let mut rest = entries;
        for (pgno, count) in written {
            let (part, others) = rest.split_at(*count);
            if let (Some(first), Some(last)) = (part.first(), part.last()) {
                self.bound(tree, first)?;
                self.last = Some(last.clone());
            }
            self.pages.push(*pgno);
            rest = others;
        }
        Ok(())
    }

    fn add_run(&mut self, tree: &Tree, run: &RunPages) -> EseResult<()> {
        self.bound(tree, &run.first_entry)?;
        self.pages.extend(&run.numbers);
        self.separators.extend(run.separators.iter().cloned());
        self.last = Some(run.last_entry.clone());
        Ok(())
    }

    fn bound(&mut self, tree: &Tree, next: &Entry) -> EseResult<()> {
        if let Some(last) = &self.last {
            let between = separator(last, next, tree.is_by_data());
            self.separators.push(between.map_err(|error| error.in_tree(tree.objid))?);
        }
        Ok(())
    }
}

fn insert(Entry { key, data }: Entry) -> Change {
    Change::Insert { key, data }
}

/// Adjacent numbers as extents.
fn extents_of(numbers: &[Pgno]) -> Vec<Extent> {
    let mut extents: Vec<Extent> = Vec::new();
    for pgno in numbers {
        match extents.last_mut() {
            Some(extent) if extent.last.checked_add(1) == Some(*pgno) => {
                *extent = Extent { last: *pgno, count: extent.count + 1 };
            }
            _ => extents.push(Extent { last: *pgno, count: 1 }),
        }
    }
    extents
}
