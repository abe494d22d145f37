//! Which source folder goes into which target folder. Source: recover-semantics 4.
//!
//! Works on two hierarchies; creates nothing. Order of the rules: role, id, name (F4); roles and ids are claimed for all folders
//! before the first name is looked at. What is left out keeps its place, because folders below it may take part.

use std::collections::{HashMap, HashSet};

use super::counters::Counters;
use super::decide::Mode;
use super::filter::{FilterFolder, takes_part};
use super::folder_names::{Above, Names, dated_name, hold_one_kind, numbered};
use super::hierarchy::Hierarchy;
use super::options::Options;
use super::plan::{FolderMatch, FolderPlan, FolderTarget, LeftOut, NewParent};
use crate::mapi::{FileTime, FolderId, ReplId};
use crate::store::{
    DEPTH_MAX, ENTRY_ID_ROLES, FolderBrief, FolderKind, LOGON_ROLES, NewFolder, Role,
};

/// Where folders without a way to the root are hung (F16).
const ORPHANS: &str = "Recovered Orphans";

/// Matches the folders of a mailbox. `target` is none for a mailbox that is to be made. `translate` gives the target's short
/// name for a replica of the source that both know.
pub fn match_folders(
    source: &Hierarchy,
    target: Option<&Hierarchy>,
    translate: &dyn Fn(ReplId) -> Option<ReplId>,
    options: &Options,
) -> Vec<FolderPlan> {
    let mut matcher = Matcher {
        source,
        target,
        options,
        plans: Vec::new(),
        depths: Vec::new(),
        places: HashMap::new(),
        claims: HashMap::new(),
        taken: HashSet::new(),
        names: Names::default(),
        own: HashMap::new(),
    };
    matcher.claim(translate);
    if matcher.is_copy_folder() {
        matcher.add_copy_folder();
    }
    for folder in source.iter() {
        let above = folder.parent.filter(|_| folder.id != source.root());
        matcher.add(folder, above.and_then(|parent| matcher.places.get(&parent).copied()));
    }
    for (folder, above) in source.orphans() {
        let above = above.and_then(|parent| matcher.places.get(&parent).copied());
        let above = above.unwrap_or_else(|| matcher.orphans_place());
        matcher.add(folder, Some(above));
    }
    matcher.plans
}

struct Matcher<'m> {
    source: &'m Hierarchy,
    target: Option<&'m Hierarchy>,
    options: &'m Options,
    plans: Vec<FolderPlan>,
    /// Levels below the target's root of each plan's target.
    depths: Vec<usize>,
    /// Place in `plans` of each source folder.
    places: HashMap<FolderId, usize>,
    /// Target folders that role or id give to a source folder.
    claims: HashMap<FolderId, (FolderMatch, FolderId)>,
    /// Target folders that have their source folder, or must not get one.
    taken: HashSet<FolderId>,
    /// Names of new folders.
    names: Names,
    /// Places of folders that no source folder stands for.
    own: HashMap<&'static str, usize>,
}

impl<'m> Matcher<'m> {
    fn is_copy_folder(&self) -> bool {
        self.options.rules.mode == Mode::CopyFolder
    }

    /// Gives target folders to the source folders of the same role, then of the same id.
    fn claim(&mut self, translate: &dyn Fn(ReplId) -> Option<ReplId>) {
        let Some(target) = self.target else { return };
        // What is put there could be sent, run or shown as something else.
        let closed = target.roles().iter().filter(|(role, _)| is_closed(*role));
        self.taken.extend(closed.map(|(_, id)| *id));
        if self.is_copy_folder() {
            return;
        }
        for (role, id) in self.source.roles() {
            if let Some(same) = target.of_role(target_role(*role)) {
                self.claims.insert(*id, (FolderMatch::Role, same));
                self.taken.insert(same);
            }
        }
        for folder in self.source.all() {
            if self.claims.contains_key(&folder.id) || folder.kind == FolderKind::Search {
                continue;
            }
            if let Some(same) = self.same_id(target, folder, translate) {
                self.claims.insert(folder.id, (FolderMatch::Id, same));
                self.taken.insert(same);
            }
        }
    }

    /// Same lineage: the replica that issued the id is known to both, and the folder came into being at the same time (F7).
    fn same_id(
        &self,
        target: &Hierarchy,
        folder: &FolderBrief,
        translate: &dyn Fn(ReplId) -> Option<ReplId>,
    ) -> Option<FolderId> {
        let replica = translate(folder.id.replica)?;
        let same = target.get(FolderId::new(replica, folder.id.counter))?;
        let is_same = same.created.is_some()
            && same.created == folder.created
            && same.kind == folder.kind
            && !self.taken.contains(&same.id);
        is_same.then_some(same.id)
    }

    /// The folder that holds the copy (Y5); it stands for the root of what users see. One of that name is used again (Y6).
    fn add_copy_folder(&mut self) {
        let start = FileTime(self.options.rules.planned_start);
        let name = self.options.folders.copy_folder.clone().filter(|name| !name.is_empty());
        let name = name.unwrap_or_else(|| dated_name(start));
        let above = self.target_top();
        let place = self.add_own_folder(name, above);
        let top = self.source.top();
        self.places.insert(top, place);
        let is_wanted = self.source.get(top).is_none_or(|top| self.is_wanted(top, &top.name));
        if let Some(plan) = self.plans.get_mut(place) {
            plan.source = Some(top);
            if !is_wanted {
                plan.matched = FolderMatch::LeftOut(LeftOut::Filter);
            }
        }
    }

    /// Where folders go that have no better place.
    fn default_above(&mut self) -> Above {
        let copy = self.places.get(&self.source.top()).filter(|_| self.is_copy_folder());
        let copy = copy.and_then(|place| self.above_of(*place));
        copy.unwrap_or_else(|| self.target_top())
    }

    /// The root of what users see in the target.
    fn target_top(&mut self) -> Above {
        match self.target {
            Some(target) => Above::Existing(target.top()),
            None => Above::Planned(self.new_subtree()),
        }
    }

    /// The subtree of a mailbox that is to be made.
    fn new_subtree(&mut self) -> usize {
        let known = self.places.get(&self.source.top()).copied();
        let is_subtree = |place: &usize| {
            let target = self.plans.get(*place).map(|plan| &plan.target);
            target == Some(&FolderTarget::Role(Role::IpmSubtree))
        };
        if let Some(place) = known.filter(is_subtree).or(self.own.get("").copied()) {
            return place;
        }
        let target = FolderTarget::Role(Role::IpmSubtree);
        let place = self.push(None, String::new(), FolderMatch::Role, target);
        self.own.insert("", place);
        place
    }

    fn orphans_place(&mut self) -> usize {
        if let Some(place) = self.own.get(ORPHANS) {
            return *place;
        }
        let above = self.default_above();
        let place = self.add_own_folder(ORPHANS.to_owned(), above);
        self.own.insert(ORPHANS, place);
        place
    }

    /// A folder that no source folder stands for.
    fn add_own_folder(&mut self, name: String, above: Above) -> usize {
        let (matched, target) = self.find_or_create(NewFolder::named(&name), above, None);
        self.push(None, name, matched, target)
    }

    fn push(
        &mut self,
        source: Option<&FolderBrief>,
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
        self.depths.push(self.depth_of(&target));
        let role = source.and_then(|folder| self.source.role_of(folder.id));
        let is_role_lost = role.is_some()
            && !self.is_copy_folder()
            && !matches!(matched, FolderMatch::Role | FolderMatch::LeftOut(_));
        self.plans.push(FolderPlan {
            source: source.map(|folder| folder.id),
            path,
            matched,
            target,
            is_role_lost,
            counters: Counters::default(),
            write_bytes: 0,
        });
        place
    }

    fn depth_of(&self, target: &FolderTarget) -> usize {
        match target {
            FolderTarget::Existing(id) => self.target.map_or(0, |target| target.depth(*id)),
            FolderTarget::New { parent: NewParent::Existing(id), .. } => {
                self.target.map_or(0, |target| target.depth(*id)).saturating_add(1)
            }
            FolderTarget::New { parent: NewParent::Planned(above), .. } => {
                self.depths.get(*above).map_or(0, |depth| depth.saturating_add(1))
            }
            FolderTarget::Role(role) => {
                std::iter::successors(role.parent(), |role| role.parent()).count()
            }
            FolderTarget::None => 0,
        }
    }

    fn add(&mut self, folder: &FolderBrief, above: Option<usize>) {
        if self.places.contains_key(&folder.id) {
            return;
        }
        let role = self.source.role_of(folder.id);
        let path = self.path(folder, above);
        let left_out = self.left_out(folder, role, above, &path);
        let (matched, target) = match left_out {
            Some(LeftOut::Filter) | None => self.place_of(folder, role, above),
            Some(reason) => (FolderMatch::LeftOut(reason), FolderTarget::None),
        };
        let matched = left_out.map_or(matched, FolderMatch::LeftOut);
        self.push(Some(folder), path, matched, target);
    }

    /// The names from the IPM subtree down; that of the folder alone for those beside it.
    fn path(&self, folder: &FolderBrief, above: Option<usize>) -> String {
        let name = folder.name.replace('\\', "\\\\").replace('/', "\\/");
        let tops = [Some(self.source.top()), Some(self.source.root())];
        let above = above.and_then(|above| self.plans.get(above));
        match above.filter(|plan| !plan.path.is_empty() && !tops.contains(&plan.source)) {
            Some(plan) => format!("{}/{name}", plan.path),
            None => name,
        }
    }

    fn left_out(
        &self,
        folder: &FolderBrief,
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
        if self.is_copy_folder() && folder.id == self.source.root() {
            // What stands beside the subtree is no part of a copy (Y7).
            return Some(LeftOut::Client);
        }
        (!self.is_wanted(folder, path)).then_some(LeftOut::Filter)
    }

    fn is_wanted(&self, folder: &FolderBrief, path: &str) -> bool {
        let options = &self.options.folders;
        let has_filter = !(options.include.is_empty() && options.exclude.is_empty());
        !has_filter || {
            let roles = self.source.roles_above(folder);
            takes_part(options, FilterFolder { path, roles: &roles })
        }
    }

    fn place_of(
        &mut self,
        folder: &FolderBrief,
        role: Option<Role>,
        above: Option<usize>,
    ) -> (FolderMatch, FolderTarget) {
        if let Some((matched, id)) = self.claims.get(&folder.id) {
            return (*matched, FolderTarget::Existing(*id));
        }
        let made = role.map(target_role).filter(|role| is_made_with_mailbox(*role));
        if let (None, Some(role), false) = (self.target, made, self.is_copy_folder()) {
            return (FolderMatch::Role, FolderTarget::Role(role));
        }
        let above = above.and_then(|above| self.above_of(above));
        let mut above = above.unwrap_or_else(|| self.default_above());
        if self.depth_below(above) > DEPTH_MAX {
            let place = self.orphans_place();
            above = self.above_of(place).unwrap_or(above);
        }
        let new = NewFolder {
            name: if folder.name.is_empty() { "Unnamed".to_owned() } else { folder.name.clone() },
            class: folder.class.clone(),
            comment: folder.comment.clone(),
            kind: FolderKind::Generic,
            created: folder.created,
        };
        self.find_or_create(new, above, folder.parent)
    }

    /// A plan's target as a parent.
    fn above_of(&self, place: usize) -> Option<Above> {
        match self.plans.get(place)?.target {
            FolderTarget::Existing(id) => Some(Above::Existing(id)),
            FolderTarget::New { .. } | FolderTarget::Role(_) => Some(Above::Planned(place)),
            FolderTarget::None => None,
        }
    }

    fn depth_below(&self, above: Above) -> usize {
        let depth = match above {
            Above::Existing(id) => self.target.map_or(0, |target| target.depth(id)),
            Above::Planned(place) => self.depths.get(place).copied().unwrap_or(0),
        };
        depth.saturating_add(1)
    }

    /// The folder of that name, else the first of the names that stand in for it (F10), else a new one. `siblings` is the parent
    /// in the source: a name that another folder there has is not made up for this one.
    fn find_or_create(
        &mut self,
        mut new: NewFolder,
        above: Above,
        siblings: Option<FolderId>,
    ) -> (FolderMatch, FolderTarget) {
        let wanted = std::mem::take(&mut new.name);
        let mut number = 0;
        loop {
            let name = numbered(&wanted, number);
            let is_anothers = number > 0
                && siblings.is_some_and(|parent| !self.source.children(parent, &name).is_empty());
            let there = match (above, self.target) {
                (Above::Existing(parent), Some(target)) => target.children(parent, &name),
                _ => &[],
            };
            let twin = there.iter().find(|twin| self.fits(&new.class, twin.id));
            match twin.filter(|_| !is_anothers) {
                Some(twin) => return (FolderMatch::Name, FolderTarget::Existing(twin.id)),
                None if there.is_empty() && !is_anothers && self.names.take(above, &name) => {
                    new.name = name;
                    return (
                        FolderMatch::Created,
                        FolderTarget::New { parent: above.into(), folder: new },
                    );
                }
                None => number = self.names.next(above, &wanted, number),
            }
        }
    }

    fn fits(&self, class: &str, twin: FolderId) -> bool {
        let Some(target) = self.target else { return false };
        // In a copy beside, nothing goes into a folder that clients know by its role.
        let is_open = !self.is_copy_folder() || target.role_of(twin).is_none();
        target.get(twin).is_some_and(|twin| {
            is_open
                && twin.kind == FolderKind::Generic
                && !self.taken.contains(&twin.id)
                && hold_one_kind(class, &twin.class)
        })
    }
}

/// Items of the Outbox go to Drafts, if anywhere (F15).
fn target_role(role: Role) -> Role {
    if role == Role::Outbox { Role::Drafts } else { role }
}

/// Target folders that nothing is recovered into by name.
fn is_closed(role: Role) -> bool {
    matches!(
        role,
        Role::Outbox
            | Role::SpoolerQueue
            | Role::DeferredAction
            | Role::Finder
            | Role::CommonViews
            | Role::Views
            | Role::Shortcuts
            | Role::Schedule
    )
}

/// The other roles are given by clients; such a folder becomes a plain one (F6).
fn is_made_with_mailbox(role: Role) -> bool {
    LOGON_ROLES.contains(&role) || ENTRY_ID_ROLES.iter().any(|(made, _)| *made == role)
}
