//! Which source folder goes into which target folder. Source: recover-semantics 4.
//!
//! Works on two folder trees; creates nothing. Order of the rules: role, id, name (F4). What is left out keeps its place, because
//! folders below it may take part.

use std::collections::{HashMap, HashSet};

use super::decide::Mode;
use super::filter::{FilterFolder, takes_part};
use super::options::Options;
use super::plan::{FolderMatch, FolderPlan, FolderTarget, LeftOut, NewParent};
use crate::mapi::{FileTime, FolderId, ReplId};
use crate::store::{Folder, FolderKind, FolderTree, NewFolder, Role, fold_name};

/// Where folders without a way to the root are hung (F16).
const ORPHANS: &str = "Recovered Orphans";

/// The folders of one mailbox and what they are for.
#[derive(Debug)]
pub struct FolderSide<'t> {
    /// The folders.
    pub tree: &'t FolderTree,
    /// Their roles.
    pub roles: &'t [(Role, FolderId)],
}

impl FolderSide<'_> {
    fn role_of(&self, id: FolderId) -> Option<Role> {
        self.roles.iter().find(|(_, folder)| *folder == id).map(|(role, _)| *role)
    }

    /// The folder of a role, if it is there.
    pub fn of_role(&self, role: Role) -> Option<FolderId> {
        self.roles.iter().find(|(known, _)| *known == role).map(|(_, folder)| *folder)
    }

    fn top(&self) -> Option<FolderId> {
        self.of_role(Role::IpmSubtree)
    }
}

/// Matches the folders of a mailbox. `target` is none for a mailbox that is to be made. `translate` gives the target's short
/// name for a replica of the source that both know.
pub fn match_folders(
    source: &FolderSide<'_>,
    target: Option<&FolderSide<'_>>,
    translate: &dyn Fn(ReplId) -> Option<ReplId>,
    options: &Options,
) -> Vec<FolderPlan> {
    let mut matcher = Matcher {
        source,
        target,
        translate,
        options,
        plans: Vec::new(),
        places: HashMap::new(),
        taken: HashSet::new(),
        new_names: HashSet::new(),
    };
    matcher.take_roles();
    if options.rules.mode == Mode::CopyFolder {
        matcher.add_copy_folder();
    }
    for (folder, _) in source.tree.iter() {
        matcher.add(folder);
    }
    let mut orphans = source.tree.orphans().peekable();
    if orphans.peek().is_some() {
        let above = matcher.add_orphans_folder();
        orphans.for_each(|folder| matcher.add_below(folder, Some(above)));
    }
    matcher.plans
}

struct Matcher<'m> {
    source: &'m FolderSide<'m>,
    target: Option<&'m FolderSide<'m>>,
    translate: &'m dyn Fn(ReplId) -> Option<ReplId>,
    options: &'m Options,
    plans: Vec<FolderPlan>,
    /// Place in `plans` of each source folder.
    places: HashMap<FolderId, usize>,
    /// Target folders that have their source folder.
    taken: HashSet<FolderId>,
    /// Names of new folders, folded, under the place of their parent.
    new_names: HashSet<(Above, String)>,
}

/// A parent in the target, existing or planned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Above {
    Existing(FolderId),
    Planned(usize),
}

impl Matcher<'_> {
    fn is_copy_folder(&self) -> bool {
        self.options.rules.mode == Mode::CopyFolder
    }

    /// Folders that a role will claim are nobody else's.
    fn take_roles(&mut self) {
        if let (Some(target), false) = (self.target, self.is_copy_folder()) {
            let roles = self.source.roles.iter().filter_map(|(role, _)| target.of_role(*role));
            self.taken.extend(roles);
        }
    }

    /// The folder that holds the copy: plan 0 (Y5). One of that name is used again (Y6).
    fn add_copy_folder(&mut self) {
        let start = FileTime(self.options.rules.planned_start);
        let name = self.options.folders.copy_folder.clone().unwrap_or_else(|| dated_name(start));
        let place = self.add_own_folder(name);
        // It stands for the root of what users see.
        if let Some(top) = self.source.top() {
            self.places.insert(top, place);
            self.plans[place].source = Some(top);
        }
    }

    fn add_orphans_folder(&mut self) -> usize {
        if self.is_copy_folder() { 0 } else { self.add_own_folder(ORPHANS.to_owned()) }
    }

    /// A folder under the IPM subtree that no source folder stands for.
    fn add_own_folder(&mut self, name: String) -> usize {
        let top = self.target.and_then(FolderSide::top);
        let found = top.and_then(|top| self.free_child(top, &name));
        let (matched, target) = match (found, top) {
            (Some(found), _) => (FolderMatch::Name, FolderTarget::Existing(found.id)),
            (None, Some(top)) => {
                let folder = NewFolder::named(&name);
                (
                    FolderMatch::Created,
                    FolderTarget::New { parent: NewParent::Existing(top), folder },
                )
            }
            (None, None) => (FolderMatch::Created, FolderTarget::Role(Role::IpmSubtree)),
        };
        self.push(None, name, matched, target)
    }

    fn push(
        &mut self,
        source: Option<&Folder>,
        path: String,
        matched: FolderMatch,
        target: FolderTarget,
    ) -> usize {
        let place = self.plans.len();
        if let FolderTarget::Existing(id) = target {
            self.taken.insert(id);
        }
        if let Some(folder) = source {
            self.places.insert(folder.id, place);
        }
        let source = source.map(|folder| folder.id);
        let counters = super::Counters::default();
        self.plans.push(FolderPlan { source, path, matched, target, counters, write_bytes: 0 });
        place
    }

    fn add(&mut self, folder: &Folder) {
        if self.places.contains_key(&folder.id) {
            return;
        }
        let above = folder.parent.filter(|_| Some(folder.id) != self.root());
        let above = above.and_then(|parent| self.places.get(&parent).copied());
        self.add_below(folder, above);
    }

    fn root(&self) -> Option<FolderId> {
        self.source.of_role(Role::Root)
    }

    fn add_below(&mut self, folder: &Folder, above: Option<usize>) {
        let role = self.source.role_of(folder.id);
        let path = self.path(folder);
        let left_out = self.left_out(folder, role, above, &path);
        let (matched, target) = match left_out {
            Some(reason @ (LeftOut::Search | LeftOut::Queue | LeftOut::Client)) => {
                (FolderMatch::LeftOut(reason), FolderTarget::None)
            }
            _ => self.place_of(folder, role, above),
        };
        let matched = left_out.map_or(matched, FolderMatch::LeftOut);
        self.push(Some(folder), path, matched, target);
    }

    fn path(&self, folder: &Folder) -> String {
        let top = self.source.top().or(self.root()).unwrap_or(folder.id);
        let path = self.source.tree.path(folder.id, top);
        if path.is_empty() { folder.name.clone() } else { path }
    }

    fn left_out(
        &self,
        folder: &Folder,
        role: Option<Role>,
        above: Option<usize>,
        path: &str,
    ) -> Option<LeftOut> {
        if folder.kind == FolderKind::Search {
            return Some(LeftOut::Search);
        }
        match role {
            Some(Role::Outbox) if self.options.folders.include_outbox => {}
            Some(Role::Outbox | Role::SpoolerQueue | Role::DeferredAction) => {
                return Some(LeftOut::Queue);
            }
            Some(
                Role::Finder | Role::CommonViews | Role::Views | Role::Shortcuts | Role::Schedule,
            ) => {
                return Some(LeftOut::Client);
            }
            _ => {}
        }
        let above = above.and_then(|above| self.plans.get(above)).map(|plan| plan.matched);
        if let Some(FolderMatch::LeftOut(
            reason @ (LeftOut::Search | LeftOut::Queue | LeftOut::Client),
        )) = above
        {
            return Some(reason);
        }
        let roles = self.roles_above(folder);
        let is_wanted = takes_part(&self.options.folders, FilterFolder { path, roles: &roles });
        (!is_wanted).then_some(LeftOut::Filter)
    }

    /// The roles of a folder and of those above it, each with the path from there.
    fn roles_above(&self, folder: &Folder) -> Vec<(Role, String)> {
        let mut found = Vec::new();
        let mut at = Some(folder);
        while let Some(here) = at {
            if let Some(role) = self.source.role_of(here.id) {
                found.push((role, self.source.tree.path(folder.id, here.id)));
            }
            let parent = here.parent.filter(|parent| *parent != here.id && found.len() < 32);
            at = parent.and_then(|parent| self.source.tree.get(parent));
        }
        found
    }

    fn place_of(
        &mut self,
        folder: &Folder,
        role: Option<Role>,
        above: Option<usize>,
    ) -> (FolderMatch, FolderTarget) {
        if self.is_copy_folder() {
            return self.place_in_copy(folder, role, above);
        }
        let Some(target) = self.target else {
            return self.place_in_new_mailbox(folder, role, above);
        };
        let role = if role == Some(Role::Outbox) { Some(Role::Drafts) } else { role };
        if let Some(same) = role.and_then(|role| target.of_role(role)) {
            return (FolderMatch::Role, FolderTarget::Existing(same));
        }
        if let Some(same) = self.same_id(target, folder) {
            return (FolderMatch::Id, FolderTarget::Existing(same));
        }
        self.place_by_name(folder, above)
    }

    /// Same lineage: the replica that issued the id is known to both, and the folder came into being at the same time (F7).
    fn same_id(&self, target: &FolderSide<'_>, folder: &Folder) -> Option<FolderId> {
        let replica = (self.translate)(folder.id.replica)?;
        let same = target.tree.get(FolderId::new(replica, folder.id.counter))?;
        let is_same = same.created.is_some()
            && same.created == folder.created
            && same.kind == folder.kind
            && !self.taken.contains(&same.id);
        is_same.then_some(same.id)
    }

    fn place_by_name(
        &mut self,
        folder: &Folder,
        above: Option<usize>,
    ) -> (FolderMatch, FolderTarget) {
        let top = self.target.and_then(FolderSide::top);
        let above = match above.and_then(|above| Some((above, self.plans.get(above)?))) {
            Some((_, FolderPlan { target: FolderTarget::Existing(id), .. })) => {
                Some(Above::Existing(*id))
            }
            Some((place, FolderPlan { target: FolderTarget::New { .. }, .. })) => {
                Some(Above::Planned(place))
            }
            _ => top.map(Above::Existing),
        };
        let Some(above) = above else { return (FolderMatch::Created, FolderTarget::None) };
        let Above::Existing(parent) = above else { return self.create(folder, above, false) };
        let twin = self.target.and_then(|side| side.tree.child(parent, &folder.name));
        match twin {
            Some(twin) if self.fits(folder, twin) => {
                (FolderMatch::Name, FolderTarget::Existing(twin.id))
            }
            Some(_) => match self.recovered_twin(folder, parent) {
                Some(id) => (FolderMatch::Name, FolderTarget::Existing(id)),
                None => self.create(folder, above, true),
            },
            None => self.create(folder, above, false),
        }
    }

    /// A folder that an earlier run made because the name was taken (F10), so that a second run finds it again.
    fn recovered_twin(&self, folder: &Folder, parent: FolderId) -> Option<FolderId> {
        let side = self.target?;
        recovered_names(&folder.name).take(100).find_map(|name| {
            let twin = side.tree.child(parent, &name)?;
            self.fits(folder, twin).then_some(twin.id)
        })
    }

    fn fits(&self, folder: &Folder, twin: &Folder) -> bool {
        twin.kind == FolderKind::Generic
            && !self.taken.contains(&twin.id)
            && kind_of_items(&folder.class) == kind_of_items(&twin.class)
    }

    fn free_child(&self, parent: FolderId, name: &str) -> Option<&Folder> {
        let child = self.target?.tree.child(parent, name)?;
        (!self.taken.contains(&child.id)).then_some(child)
    }

    fn create(
        &mut self,
        folder: &Folder,
        above: Above,
        is_taken: bool,
    ) -> (FolderMatch, FolderTarget) {
        let side = self.target;
        let is_free = |name: &str, new: &HashSet<(Above, String)>| {
            let exists = match (above, side) {
                (Above::Existing(parent), Some(side)) => side.tree.child(parent, name).is_some(),
                _ => false,
            };
            !exists && !new.contains(&(above, fold_name(name)))
        };
        let plain = (!is_taken).then(|| folder.name.clone()).into_iter();
        let mut names = plain.chain(recovered_names(&folder.name));
        let name = names.find(|name| is_free(name, &self.new_names));
        let name = name.unwrap_or_else(|| folder.name.clone());
        self.new_names.insert((above, fold_name(&name)));
        let parent = match above {
            Above::Existing(id) => NewParent::Existing(id),
            Above::Planned(place) => NewParent::Planned(place),
        };
        let folder = NewFolder {
            name,
            class: folder.class.clone(),
            comment: folder.comment.clone(),
            kind: FolderKind::Generic,
            created: folder.created,
        };
        (FolderMatch::Created, FolderTarget::New { parent, folder })
    }

    /// Below the folder of the copy everything is a plain folder found by name (Y7). What stands beside the subtree, and holds no
    /// items of clients, goes there too.
    fn place_in_copy(
        &mut self,
        folder: &Folder,
        role: Option<Role>,
        above: Option<usize>,
    ) -> (FolderMatch, FolderTarget) {
        let Some(above) = above.filter(|_| role != Some(Role::Root)) else {
            return (FolderMatch::LeftOut(LeftOut::Client), FolderTarget::None);
        };
        let is_placed = |plan: &FolderPlan| !matches!(plan.target, FolderTarget::None);
        let is_below = self.plans.get(above).is_some_and(is_placed);
        self.place_by_name(folder, Some(if is_below { above } else { 0 }))
    }

    fn place_in_new_mailbox(
        &mut self,
        folder: &Folder,
        role: Option<Role>,
        above: Option<usize>,
    ) -> (FolderMatch, FolderTarget) {
        match (role, above) {
            (Some(role), _) => (FolderMatch::Role, FolderTarget::Role(role)),
            (None, Some(above)) => self.create(folder, Above::Planned(above), false),
            (None, None) => (FolderMatch::Created, FolderTarget::None),
        }
    }
}

/// `Name (recovered)`, `Name (recovered) 2`, and so on (F10).
fn recovered_names(name: &str) -> impl Iterator<Item = String> {
    let first = format!("{name} (recovered)");
    let next = first.clone();
    std::iter::once(first).chain((2..=10_000).map(move |number| format!("{next} {number}")))
}

/// What a container class says about the items in it: its first two words; a folder without one holds mail.
fn kind_of_items(class: &str) -> String {
    let class = if class.is_empty() { "IPF.Note" } else { class };
    class.split('.').take(2).collect::<Vec<_>>().join(".").to_ascii_lowercase()
}

/// `Recovered Data YYYY-MM-DD HH.MM`, in UTC (Y5).
fn dated_name(start: FileTime) -> String {
    const MINUTE: i64 = 600_000_000;
    let (year, month, day, _) = start.to_civil();
    let minutes = start.0.div_euclid(MINUTE).rem_euclid(24 * 60);
    let (hour, minute) = (minutes / 60, minutes % 60);
    format!("Recovered Data {year:04}-{month:02}-{day:02} {hour:02}.{minute:02}")
}
