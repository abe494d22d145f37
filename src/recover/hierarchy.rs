//! The folders of one mailbox as matching sees them: the tree, what each folder is for, and look-ups that do not walk it.

use std::collections::{HashMap, HashSet};

use crate::ese::error::{EseError, EseResult};
use crate::ese::txn::Pages;
use crate::mapi::FolderId;
use crate::store::{
    DEPTH_MAX, FolderBrief, FolderChild, FolderTree, LOGON_ROLES, Mailbox, Role, View,
};

/// The folders of one mailbox and what they are for.
#[derive(Debug)]
pub struct Hierarchy {
    root: FolderId,
    tree: FolderTree<FolderBrief>,
    roles: Vec<(Role, FolderId)>,
}

impl Hierarchy {
    /// The hierarchy of these folders. Roles count only for folders of this mailbox: a damaged row may name those of another.
    pub fn new(
        root: FolderId,
        tree: FolderTree<FolderBrief>,
        roles: Vec<(Role, FolderId)>,
    ) -> Self {
        let mut known = vec![(Role::Root, root)];
        for (role, id) in roles {
            let is_new = known.iter().all(|(other, folder)| *other != role && *folder != id);
            if is_new && tree.get(id).is_some() {
                known.push((role, id));
            }
        }
        Self { root, tree, roles: known }
    }

    /// The hierarchy of a mailbox; damage is an error.
    ///
    /// # Errors
    /// [`EseError::Corrupt`], [`EseError::Io`].
    pub fn read<P: Pages + ?Sized>(view: &View<'_, P>, mailbox: &Mailbox) -> EseResult<Self> {
        let mut lost = Vec::new();
        let tree = view.folder_briefs(mailbox.root, &mut lost)?;
        match lost.into_iter().next() {
            Some(error) => Err(error),
            None => {
                let roles = roles_in(view, mailbox, &tree)?;
                Ok(Self::new(mailbox.root, tree, roles))
            }
        }
    }

    /// What can be read of the hierarchy of a mailbox, and what was wrong with the rest. Folders below one that is lost are
    /// orphans.
    ///
    /// # Errors
    /// [`EseError::Corrupt`] when the index of folders cannot be walked; [`EseError::Io`].
    pub fn read_what_is_left<P: Pages + ?Sized>(
        view: &View<'_, P>,
        mailbox: &Mailbox,
    ) -> EseResult<(Self, Vec<EseError>)> {
        let mut lost = Vec::new();
        let tree = view.folder_briefs(mailbox.root, &mut lost)?;
        let roles = match roles_in(view, mailbox, &tree) {
            Err(error @ EseError::Io(_)) => return Err(error),
            // The row of the Inbox or the root is among the lost ones: what the mailbox row says is left.
            Err(_) => LOGON_ROLES.into_iter().zip(mailbox.logon_folders.iter().copied()).collect(),
            Ok(roles) => roles,
        };
        Ok((Self::new(mailbox.root, tree, roles), lost))
    }

    /// The folders that have a way to the root, parents before children.
    pub fn iter(&self) -> impl Iterator<Item = &FolderBrief> {
        self.tree.iter().map(|(folder, _)| folder)
    }

    /// Every folder.
    pub fn all(&self) -> impl Iterator<Item = &FolderBrief> {
        self.iter().chain(self.tree.orphans())
    }

    /// The folder with this id.
    pub fn get(&self, id: FolderId) -> Option<&FolderBrief> {
        self.tree.get(id)
    }

    /// What a folder is for.
    pub fn role_of(&self, id: FolderId) -> Option<Role> {
        self.roles.iter().find(|(_, folder)| *folder == id).map(|(role, _)| *role)
    }

    /// The folder of a role, if it is there.
    pub fn of_role(&self, role: Role) -> Option<FolderId> {
        self.roles.iter().find(|(known, _)| *known == role).map(|(_, folder)| *folder)
    }

    /// All roles that are there.
    pub fn roles(&self) -> &[(Role, FolderId)] {
        &self.roles
    }

    /// The root of the mailbox.
    pub fn root(&self) -> FolderId {
        self.root
    }

    /// The root of what users see; that of the mailbox where damage has taken it.
    pub fn top(&self) -> FolderId {
        self.of_role(Role::IpmSubtree).unwrap_or(self.root)
    }

    /// The folders of this name in `parent`, the lowest id first; orphans too.
    pub fn children(&self, parent: FolderId, name: &str) -> &[FolderChild] {
        self.tree.children(parent, name)
    }

    /// Levels below the root.
    pub fn depth(&self, id: FolderId) -> usize {
        self.tree.depth(id).unwrap_or(DEPTH_MAX)
    }

    /// The names from `above` down to the folder.
    pub fn path(&self, id: FolderId, above: FolderId) -> String {
        self.tree.path(id, above)
    }

    /// The roles of a folder and of those above it, each with the path from there.
    pub fn roles_above(&self, folder: &FolderBrief) -> Vec<(Role, String)> {
        let mut found = Vec::new();
        let mut at = Some(folder);
        // Bounded, because the parents of orphans may go in a circle.
        for _ in 0..=DEPTH_MAX {
            let Some(here) = at else { break };
            if let Some(role) = self.role_of(here.id) {
                found.push((role, self.path(folder.id, here.id)));
            }
            at = here.parent.and_then(|parent| self.get(parent));
        }
        found
    }

    /// Folders without a way to the root, parents before children as far as there are any: with each the orphan that holds it.
    /// A circle is cut at its lowest id.
    pub fn orphans(&self) -> Vec<(&FolderBrief, Option<FolderId>)> {
        let mut waiting: Vec<&FolderBrief> = self.tree.orphans().collect();
        waiting.sort_unstable_by_key(|folder| folder.id);
        let ids: HashSet<FolderId> = waiting.iter().map(|folder| folder.id).collect();
        let mut below: HashMap<FolderId, Vec<&FolderBrief>> = HashMap::new();
        for folder in &waiting {
            if let Some(parent) = folder.parent.filter(|parent| ids.contains(parent)) {
                below.entry(parent).or_default().push(folder);
            }
        }
        let has_parent =
            |folder: &&&FolderBrief| folder.parent.is_some_and(|parent| ids.contains(&parent));
        // First what hangs from nothing, then what is left: circles.
        let tops = waiting.iter().filter(|folder| !has_parent(folder));
        let tops: Vec<&FolderBrief> = tops.chain(&waiting).copied().collect();
        let mut seen = HashSet::new();
        let mut found = Vec::new();
        for top in tops {
            let mut stack = vec![(top, None)];
            while let Some((folder, above)) = stack.pop() {
                if seen.insert(folder.id) {
                    found.push((folder, above));
                    let inner = below.get(&folder.id).into_iter().flatten().rev();
                    stack.extend(inner.map(|inner| (*inner, Some(folder.id))));
                }
            }
        }
        found
    }
}

/// The roles of the folders of a mailbox, which are known.
fn roles_in<P: Pages + ?Sized>(
    view: &View<'_, P>,
    mailbox: &Mailbox,
    tree: &FolderTree<FolderBrief>,
) -> EseResult<Vec<(Role, FolderId)>> {
    view.roles_among(mailbox, &mut |id| Ok(tree.get(id).is_some()))
}
