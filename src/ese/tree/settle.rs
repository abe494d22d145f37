//! Bringing the stored space trees and space headers up to date with what a writer has in memory, at commit.

use super::forest::{DATABASE_ROOT, WrittenSpace};
use super::space::{Extent, ExtentSet, Extents};
use super::{Forest, Tree};
use crate::ese::error::{EseError, EseResult};
use crate::ese::page::{PageEditor, Pgno};

/// Rounds of bringing space trees up to date; each one changes a few nodes, so a handful is enough.
const STORE_ROUNDS_MAX: usize = 1000;

impl Forest {
    /// Writes changed spaces into their trees. Doing so may itself take or free pages, so it goes on until nothing differs;
    /// each round changes a few nodes only.
    pub(super) fn store_spaces(&mut self) -> EseResult<()> {
        let rounds_max = STORE_ROUNDS_MAX + 16 * self.spaces.len();
        for _ in 0..rounds_max {
            let Some(fdp) = self.changed.pop_last() else { return Ok(()) };
            self.store_space(fdp)?;
        }
        Err(unsettled(DATABASE_ROOT))
    }

    fn store_space(&mut self, fdp: Pgno) -> EseResult<()> {
        if let Some((owned_tree, available_tree)) = self.written_space(fdp)?.now.space_trees() {
            self.store_extents(fdp, &owned_tree, |space| {
                (space.now.owned.clone(), &mut space.stored_owned)
            })?;
            self.store_extents(fdp, &available_tree, |space| {
                (space.available_after_commit(), &mut space.stored_available)
            })?;
        } else {
            let space = self.written_space(fdp)?;
            let free_bits = space
                .available_after_commit()
                .iter()
                .flat_map(|extent| extent.pages().collect::<Vec<_>>())
                .filter_map(|pgno| pgno.get().checked_sub(fdp.get() + 1))
                .filter(|distance| *distance < 32)
                .fold(0, |bits, distance| bits | 1 << distance);
            space.now.header.extents = Extents::Single { free_bits };
        }
        let space = self.written_space(fdp)?;
        if space.now.header != space.stored_header {
            let header = space.now.header;
            space.stored_header = header;
            let page = self.pager.edit(fdp)?;
            PageEditor::over(page, fdp).set_external_header(&header.encode());
        }
        Ok(())
    }

    /// Makes one space tree hold the extents that it should.
    fn store_extents(
        &mut self,
        fdp: Pgno,
        tree: &Tree,
        sets: impl Fn(&mut WrittenSpace) -> (ExtentSet, &mut ExtentSet),
    ) -> EseResult<()> {
        for _ in 0..STORE_ROUNDS_MAX {
            let (wanted, stored) = sets(self.written_space(fdp)?);
            let gone: Vec<Extent> =
                stored.iter().filter(|extent| !holds(&wanted, *extent)).collect();
            let new: Vec<Extent> = wanted.iter().filter(|extent| !holds(stored, *extent)).collect();
            if gone.is_empty() && new.is_empty() {
                return Ok(());
            }
            // What is stored is noted before the tree is changed: changing it may change the wanted set again.
            *stored = wanted;
            for extent in gone {
                self.delete(tree, &extent.last.get().to_be_bytes(), &[])?;
            }
            for extent in new {
                let key = extent.last.get().to_be_bytes();
                self.insert(tree, &key, &extent.count.to_le_bytes())?;
            }
        }
        Err(unsettled(fdp))
    }
}

fn unsettled(fdp: Pgno) -> EseError {
    EseError::corrupt(fdp, "storing the free space changes the free space again and again")
}

fn holds(set: &ExtentSet, extent: Extent) -> bool {
    set.extent_of(extent.last) == Some(extent)
}
