//! When a piece may be linked in: not before the contents that its items hold, and not while it takes a content from under the items of
//! another.

use std::collections::{HashMap, HashSet};

use super::committer::Committer;
use super::piece::{Operation, Piece};
use super::shared::Claims;
use crate::ese::error::EseResult;
use crate::mapi::InstanceId;

/// A piece that cannot go in yet.
pub struct Waiting {
    /// The piece.
    pub piece: Piece,
    /// A content that is still on its way, without which it cannot; none for a piece that waits for the commit.
    pub missing: Option<InstanceId>,
}

impl Committer<'_, '_> {
    /// Links a piece in, and those that have waited for its contents; or lets it wait, too.
    pub(super) fn admit(&mut self, piece: Piece) -> EseResult<()> {
        let mut next = Some(piece);
        while let Some(piece) = next {
            match self.take_in(&piece) {
                Ok(()) => self.link(piece)?,
                Err(missing) => self.waiting.push(Waiting { piece, missing }),
            }
            next = self.take_awaited();
        }
        Ok(())
    }

    /// Takes in a piece that can be linked in at once: it lets nothing go, and holds nothing that is still on its way. Answers
    /// otherwise what is missing.
    fn take_in(&self, piece: &Piece) -> Result<(), Option<InstanceId>> {
        if !piece.operations.is_empty() {
            return Err(None);
        }
        let mut claims = self.shared.claims();
        let missing = needs_of(piece).find(|need| claims.outstanding.contains(need));
        match missing {
            None => claims.take_in(piece),
            missing => return Err(missing),
        }
        Ok(())
    }

    /// A piece that waits for what is there now.
    fn take_awaited(&mut self) -> Option<Piece> {
        let claims = self.shared.claims();
        let is_there = |waiting: &Waiting| {
            waiting.missing.is_some_and(|missing| !claims.outstanding.contains(&missing))
        };
        let place = self.waiting.iter().position(is_there)?;
        Some(self.waiting.swap_remove(place).piece)
    }

    /// Takes the pieces whose items hold nothing that is still on its way, and that take no content from under the items of a piece
    /// which is; the others wait.
    pub(super) fn take_ready(&mut self) -> Vec<Piece> {
        let mut claims = self.shared.claims();
        let waiting = std::mem::take(&mut self.waiting).into_iter();
        let mut pieces: Vec<Piece> = waiting.map(|waiting| waiting.piece).collect();
        loop {
            let brought: HashSet<InstanceId> =
                pieces.iter().flat_map(|piece| piece.parcel.brings().iter().copied()).collect();
            let mut kept_here: HashMap<InstanceId, usize> = HashMap::new();
            for promised in pieces.iter().flat_map(|piece| &piece.promised) {
                *kept_here.entry(*promised).or_default() += 1;
            }
            let is_ready = |piece: &mut Piece| {
                let missing = |need| claims.outstanding.contains(&need) && !brought.contains(&need);
                let wanted = |old| {
                    claims.promised.get(&old).copied().unwrap_or(0)
                        > kept_here.get(&old).copied().unwrap_or(0)
                };
                !needs_of(piece).any(missing) && !replaced_by(piece).any(wanted)
            };
            let late: Vec<Piece> = pieces.extract_if(.., |piece| !is_ready(piece)).collect();
            if late.is_empty() {
                break;
            }
            self.waiting.extend(late.into_iter().map(|piece| {
                let missing = needs_of(&piece).find(|need| claims.outstanding.contains(need));
                Waiting { missing: missing.filter(|_| piece.operations.is_empty()), piece }
            }));
        }
        for piece in &pieces {
            claims.take_in(piece);
        }
        pieces
    }
}

impl Claims {
    /// A piece goes in with this batch.
    fn take_in(&mut self, piece: &Piece) {
        for brought in piece.parcel.brings() {
            self.outstanding.remove(brought);
        }
        for promised in &piece.promised {
            if let Some(count) = self.promised.get_mut(promised) {
                *count = count.saturating_sub(1);
            }
        }
        self.promised.retain(|_, count| *count > 0);
        self.going.extend(replaced_by(piece));
    }
}

/// Contents that a piece's replacements let go.
fn replaced_by(piece: &Piece) -> impl Iterator<Item = InstanceId> + '_ {
    piece.operations.iter().filter_map(|operation| match operation {
        Operation::Replace { old, .. } => Some(*old),
        Operation::MarkRead(_) | Operation::Partial { .. } => None,
    })
}

/// Contents that a piece's items hold, but that it does not bring.
fn needs_of(piece: &Piece) -> impl Iterator<Item = InstanceId> + '_ {
    let replaced = piece.operations.iter().filter_map(|operation| match operation {
        Operation::Replace { new, .. } => Some(new.instance),
        Operation::MarkRead(_) | Operation::Partial { .. } => None,
    });
    piece.parcel.needs().chain(replaced.filter(|need| !piece.parcel.brings().contains(need)))
}
