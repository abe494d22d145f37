//! A folder as its row has it, and the tree that the folders of a mailbox make.

use std::cmp::Ordering;

use crate::ese::error::EseResult;
use crate::ese::txn::Pages;
use crate::mapi::{ChangeKey, ChangeNumber, FileTime, FolderId, Pcl, SourceKey};
use crate::stm::Fields;

use super::codec::{Ids, decoded, fold_name};
use super::counts::FolderCounts;
use super::schema::columns as col;

/// Levels of folders below the root; deeper ones are orphans. Source: recover-semantics F16.
pub const DEPTH_MAX: usize = 300;

/// What kind of folder it is (`L3601`). Source: exchange-store 9.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FolderKind {
    /// Root of a mailbox: 0.
    Root,
    /// Ordinary: 1.
    Generic,
    /// Search folder, whose rows are links: 2.
    Search,
    /// Another number.
    Other(i32),
}

impl FolderKind {
    /// The stored number.
    pub fn number(self) -> i32 {
        match self {
            Self::Root => 0,
            Self::Generic => 1,
            Self::Search => 2,
            Self::Other(number) => number,
        }
    }

    /// The kind of a stored number.
    pub fn from_number(number: i32) -> Self {
        match number {
            0 => Self::Root,
            1 => Self::Generic,
            2 => Self::Search,
            other => Self::Other(other),
        }
    }
}

/// A folder.
#[derive(Debug, Clone, PartialEq)]
pub struct Folder {
    /// Its id.
    pub id: FolderId,
    /// The folder that holds it; none for a root.
    pub parent: Option<FolderId>,
    /// The root of its mailbox.
    pub root: FolderId,
    /// What kind it is.
    pub kind: FolderKind,
    /// Name to show.
    pub name: String,
    /// Comment.
    pub comment: String,
    /// Container class; empty when it has none.
    pub class: String,
    /// Its counters.
    pub counts: FolderCounts,
    /// Number of folders in it.
    pub subfolders: i64,
    /// Creation.
    pub created: Option<FileTime>,
    /// Last modification of the folder itself.
    pub modified: Option<FileTime>,
    /// Latest change of an item in it (`T670a`).
    pub commit_time_max: Option<FileTime>,
    /// Next article number.
    pub next_article: i32,
    /// Items that were ever deleted from it; wraps.
    pub deleted_total: i32,
    /// Last change of the folder itself.
    pub change: Option<ChangeNumber>,
    /// The same, globally.
    pub change_key: Option<ChangeKey>,
    /// Changes that it contains.
    pub pcl: Pcl,
    /// Where it was born.
    pub source_key: Option<SourceKey>,
}

impl Folder {
    pub(crate) fn read<P: Pages + ?Sized>(fields: &Fields<'_, '_, P>) -> EseResult<Self> {
        Ok(Self {
            id: fields.folder_id(col::FOLDER)?,
            parent: fields.folder_id_or_null(col::PARENT)?,
            root: fields.folder_id(col::ROOT)?,
            kind: FolderKind::from_number(fields.i32(col::FOLDER_TYPE)?),
            name: fields.text(col::NAME)?,
            comment: fields.text(col::COMMENT)?,
            class: fields.narrow_text(col::CLASS)?,
            counts: FolderCounts::read(fields)?,
            subfolders: fields.i32(col::SUBFOLDER_COUNT)?.into(),
            created: fields.time(col::CREATED)?,
            modified: fields.time(col::MODIFIED)?,
            commit_time_max: fields.time(col::COMMIT_TIME_MAX)?,
            next_article: fields.i32(col::NEXT_ARTICLE)?,
            deleted_total: fields.i32(col::DELETED_TOTAL)?,
            change: fields.change_number(col::CHANGE)?,
            change_key: decoded(fields, col::CHANGE_KEY, ChangeKey::from_bytes)?,
            pcl: decoded(fields, col::PCL, Pcl::from_bytes)?.unwrap_or_default(),
            source_key: decoded(fields, col::SOURCE_KEY, SourceKey::from_bytes)?,
        })
    }
}

/// What a tree needs to know of a folder.
pub trait InTree {
    /// Its id.
    fn id(&self) -> FolderId;
    /// The folder that holds it; none for a root.
    fn parent(&self) -> Option<FolderId>;
    /// Name to show.
    fn name(&self) -> &str;
}

impl InTree for Folder {
    fn id(&self) -> FolderId {
        self.id
    }

    fn parent(&self) -> Option<FolderId> {
        self.parent
    }

    fn name(&self) -> &str {
        &self.name
    }
}

/// The folders of one mailbox as a tree. Always ends: cycles and folders without a way to the root are orphans.
///
/// Everything is looked up in sorted lists: no store can name its folders so that a look-up becomes slow.
#[derive(Debug, Clone)]
pub struct FolderTree<F = Folder> {
    folders: Vec<F>,
    /// Places in `folders`, parents before children, with the depth of each.
    order: Vec<(usize, usize)>,
    orphans: Vec<usize>,
    /// Depths by place; none for orphans.
    depths: Vec<Option<usize>>,
    /// Places by id.
    by_id: Vec<(FolderId, usize)>,
    /// All but the root, by parent, folded name and id.
    children: Vec<FolderChild>,
}

/// A folder as the one that holds it knows it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FolderChild {
    parent: FolderId,
    /// Its name, folded.
    name: String,
    /// Its id.
    pub id: FolderId,
    place: usize,
}

impl<F: InTree> FolderTree<F> {
    /// The tree of these folders below `root`; siblings in the order of their folded names.
    pub fn new(root: FolderId, folders: Vec<F>) -> Self {
        let mut by_id: Vec<_> =
            folders.iter().enumerate().map(|(place, folder)| (folder.id(), place)).collect();
        by_id.sort_unstable();
        let child_of = |(place, folder): (usize, &F)| {
            let parent = folder.parent().filter(|_| folder.id() != root)?;
            Some(FolderChild { parent, name: fold_name(folder.name()), id: folder.id(), place })
        };
        let mut children: Vec<_> = folders.iter().enumerate().filter_map(child_of).collect();
        children.sort_unstable();
        let depths = vec![None; folders.len()];
        let (order, orphans) = (Vec::with_capacity(folders.len()), Vec::new());
        let mut tree = Self { folders, order, orphans, depths, by_id, children };
        tree.put_in_order(root);
        tree
    }

    fn put_in_order(&mut self, root: FolderId) {
        let mut stack: Vec<_> = self.place_of(root).map(|place| (place, 0)).into_iter().collect();
        while let Some((place, depth)) = stack.pop() {
            let (Some(folder), Some(slot)) = (self.folders.get(place), self.depths.get_mut(place))
            else {
                continue;
            };
            if depth > DEPTH_MAX || slot.is_some() {
                continue;
            }
            *slot = Some(depth);
            self.order.push((place, depth));
            let id = folder.id();
            let below = run_of(&self.children, |child| child.parent.cmp(&id)).iter().rev();
            stack.extend(below.map(|child| (child.place, depth + 1)));
        }
        let orphans = self.depths.iter().enumerate().filter(|(_, depth)| depth.is_none());
        self.orphans = orphans.map(|(place, _)| place).collect();
    }

    /// The place of a folder; of several with one id, the last one's.
    fn place_of(&self, id: FolderId) -> Option<usize> {
        run_of(&self.by_id, |(other, _)| other.cmp(&id)).last().map(|(_, place)| *place)
    }

    /// The folders of this name in `parent`, orphans too, the lowest id first; names compare as [`fold_name`] says.
    pub fn children(&self, parent: FolderId, name: &str) -> &[FolderChild] {
        let name = fold_name(name);
        run_of(&self.children, |child| {
            child.parent.cmp(&parent).then_with(|| child.name.as_str().cmp(&name))
        })
    }

    /// Levels below the root; none for an orphan.
    pub fn depth(&self, id: FolderId) -> Option<usize> {
        self.depths.get(self.place_of(id)?).copied().flatten()
    }

    /// The folders with their depth, the root first with depth 0, each before those in it.
    pub fn iter(&self) -> impl Iterator<Item = (&F, usize)> {
        self.order
            .iter()
            .filter_map(|(place, depth)| self.folders.get(*place).map(|folder| (folder, *depth)))
    }

    /// Folders that have no way to the root, or lie too deep.
    pub fn orphans(&self) -> impl Iterator<Item = &F> {
        self.orphans.iter().filter_map(|place| self.folders.get(*place))
    }

    /// The folder with this id.
    pub fn get(&self, id: FolderId) -> Option<&F> {
        self.folders.get(self.place_of(id)?)
    }

    /// The folder of that name in `parent`; names compare as [`fold_name`] says.
    pub fn child(&self, parent: FolderId, name: &str) -> Option<&F> {
        let name = fold_name(name);
        let mut folders = self.iter().map(|(folder, _)| folder);
        folders.find(|folder| folder.parent() == Some(parent) && fold_name(folder.name()) == name)
    }

    /// The names from below `top` down to the folder, joined by slashes; empty for `top` itself, and where `top` is not above.
    /// A slash or backslash in a name has a backslash before it.
    pub fn path(&self, id: FolderId, top: FolderId) -> String {
        let mut names = Vec::new();
        let mut at = Some(id);
        for _ in 0..=DEPTH_MAX {
            match at.filter(|id| *id != top).and_then(|id| self.get(id)) {
                Some(folder) => {
                    names.push(folder.name().replace('\\', "\\\\").replace('/', "\\/"));
                    at = folder.parent();
                }
                None => break,
            }
        }
        if at != Some(top) {
            return String::new();
        }
        names.reverse();
        names.join("/")
    }
}

/// The part of a sorted list that `order` calls equal.
fn run_of<T>(sorted: &[T], order: impl Fn(&T) -> Ordering) -> &[T] {
    let start = sorted.partition_point(|one| order(one).is_lt());
    let rest = sorted.get(start..).unwrap_or_default();
    rest.get(..rest.partition_point(|one| order(one).is_eq())).unwrap_or_default()
}

/// The names of a path as [`FolderTree::path`] writes it.
pub fn split_path(path: &str) -> Vec<String> {
    let mut names = vec![String::new()];
    let mut characters = path.chars();
    while let Some(c) = characters.next() {
        let name = match c {
            '/' => {
                names.push(String::new());
                continue;
            }
            '\\' => characters.next().unwrap_or('\\'),
            other => other,
        };
        if let Some(last) = names.last_mut() {
            last.push(name);
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapi::{GlobCnt, ReplId};

    fn id(number: u64) -> FolderId {
        FolderId::new(ReplId(1), GlobCnt::new(number).unwrap())
    }

    fn folder(number: u64, parent: Option<u64>, name: &str) -> Folder {
        Folder {
            id: id(number),
            parent: parent.map(id),
            root: id(1),
            kind: FolderKind::Generic,
            name: name.to_owned(),
            comment: String::new(),
            class: String::new(),
            counts: FolderCounts::default(),
            subfolders: 0,
            created: None,
            modified: None,
            commit_time_max: None,
            next_article: 1,
            deleted_total: 0,
            change: None,
            change_key: None,
            pcl: Pcl::default(),
            source_key: None,
        }
    }

    #[test]
    fn parents_come_before_children_and_siblings_by_name() {
        let folders = vec![
            folder(4, Some(2), "x/y"),
            folder(3, Some(1), "b"),
            folder(2, Some(1), "A"),
            folder(1, None, "root"),
        ];
        let tree = FolderTree::new(id(1), folders);
        let names: Vec<_> = tree.iter().map(|(f, depth)| (f.name.as_str(), depth)).collect();
        assert_eq!(names, [("root", 0), ("A", 1), ("x/y", 2), ("b", 1)]);
        assert_eq!(tree.path(id(4), id(1)), "A/x\\/y");
        assert_eq!(split_path("A/x\\/y"), ["A", "x/y"]);
        assert_eq!(tree.path(id(1), id(1)), "");
        assert_eq!(tree.child(id(1), "a").unwrap().id, id(2));
    }

    #[test]
    fn folders_of_one_name_are_told_by_their_ids_and_orphans_have_no_depth() {
        let folders = vec![
            folder(1, None, "root"),
            folder(7, Some(1), "same"),
            folder(5, Some(1), "Same"),
            folder(6, Some(5), "same"),
            folder(9, Some(8), "SAME"),
        ];
        let tree = FolderTree::new(id(1), folders);
        let named = |parent, name| -> Vec<FolderId> {
            tree.children(id(parent), name).iter().map(|child| child.id).collect()
        };
        assert_eq!(named(1, "SAME"), [id(5), id(7)]);
        assert_eq!((named(5, "same"), named(8, "same")), (vec![id(6)], vec![id(9)]));
        assert_eq!((named(1, "sam"), named(2, "same")), (vec![], vec![]));
        let depths = [1, 5, 6, 9, 10].map(|number| tree.depth(id(number)));
        assert_eq!(depths, [Some(0), Some(1), Some(2), None, None]);
    }

    #[test]
    fn cycles_and_lost_folders_are_orphans() {
        let folders = vec![
            folder(1, Some(5), "root"),
            folder(5, Some(6), "a"),
            folder(6, Some(5), "b"),
            folder(7, Some(99), "lost"),
            folder(8, Some(8), "its own parent"),
        ];
        let tree = FolderTree::new(id(1), folders);
        assert_eq!(tree.iter().count(), 1);
        assert_eq!(tree.orphans().count(), 4);
        assert_eq!(tree.path(id(5), id(1)), "");
    }

    #[test]
    fn folders_too_deep_are_orphans() {
        let chain = (1..=400).map(|n| folder(n, (n > 1).then(|| n - 1), "f")).collect();
        let tree = FolderTree::new(id(1), chain);
        assert_eq!(tree.iter().count(), DEPTH_MAX + 1);
        assert_eq!(tree.orphans().count(), 400 - DEPTH_MAX - 1);
    }
}
