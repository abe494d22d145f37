//! A fixed series of changes to a database of bare trees, and what each commit of it must leave.

use std::path::Path;
use std::sync::Arc;

use dialtone::ese::EseResult;
use dialtone::ese::tree::{Change, DATABASE_ROOT, Forest, Tree, TreeKind};
use dialtone::ese::txn::{Pager, Pages};
use dialtone::io::{SyncMark, Volume};

use super::random::Random;
use super::{Model, PATH, place};

/// One step. Trees are named by the order of their creation.
#[derive(Debug, Clone)]
pub enum Op {
    NewTree {
        kind: TreeKind,
        parent: Option<usize>,
        pages: u32,
    },
    DropTree(usize),
    Insert(usize, Vec<u8>, Vec<u8>),
    Replace(usize, Vec<u8>, Vec<u8>),
    Delete(usize, Vec<u8>, Vec<u8>),
    Merge(usize, Vec<Change>),
    Spill,
    /// Somebody beside the writer syncs the file.
    SyncBeside,
    /// And tells the writer.
    NoteSynced,
    Commit,
    Reopen,
}

/// What a commit leaves: the dbtime that names it, and all trees.
#[derive(Debug, Clone)]
pub struct Snapshot {
    pub dbtime: u64,
    pub trees: Vec<(Tree, Model)>,
}

impl Snapshot {
    /// The trees without their content.
    pub fn bare_trees(&self) -> Vec<Tree> {
        self.trees.iter().map(|(tree, _)| *tree).collect()
    }
}

/// Applies ops to a database and to the maps.
pub struct Player {
    volume: Arc<dyn Volume>,
    forest: Option<Forest>,
    trees: Vec<Option<(Tree, Model)>>,
    synced: SyncMark,
}

impl Player {
    /// Opens the database at [`PATH`], which has no trees yet.
    pub fn start(volume: &Arc<dyn Volume>) -> EseResult<Self> {
        let pager = Pager::open(volume.clone(), Path::new(PATH))?;
        let forest = Some(Forest::new(pager));
        Ok(Self { volume: volume.clone(), forest, trees: Vec::new(), synced: SyncMark::default() })
    }

    /// The state as of now.
    pub fn snapshot(&self) -> Snapshot {
        let dbtime = self.forest.as_ref().map_or(0, |forest| forest.pager().header().dbtime().0);
        Snapshot { dbtime, trees: self.trees.iter().flatten().cloned().collect() }
    }

    /// The open database; none after a failed close or reopening.
    pub fn forest(&mut self) -> Option<&mut Forest> {
        self.forest.as_mut()
    }

    /// Ends the job.
    pub fn close(self) -> EseResult<()> {
        self.forest.map_or(Ok(()), Forest::close)
    }

    /// Makes one step; the maps change only when it succeeds.
    pub fn play(&mut self, op: &Op) -> EseResult<()> {
        let Some(forest) = &mut self.forest else { return Ok(()) };
        match op {
            Op::NewTree { kind, parent, pages } => {
                let parent = parent
                    .map_or(DATABASE_ROOT, |index| self.trees[index].as_ref().unwrap().0.root);
                let objid = forest.pager_mut().next_objid()?;
                let tree = forest.create_tree(parent, objid, *kind, *pages)?;
                self.trees.push(Some((tree, Model::new())));
            }
            Op::DropTree(index) => {
                forest.drop_tree(self.trees[*index].as_ref().unwrap().0.root)?;
                self.trees[*index] = None;
            }
            Op::Insert(index, key, data) => {
                let (tree, model) = self.trees[*index].as_mut().unwrap();
                forest.insert(tree, key, data)?;
                model.insert(place(tree, key, data), data.clone());
            }
            Op::Replace(index, key, data) => {
                let (tree, model) = self.trees[*index].as_mut().unwrap();
                forest.replace(tree, key, data)?;
                model.insert(place(tree, key, data), data.clone());
            }
            Op::Delete(index, key, data) => {
                let (tree, model) = self.trees[*index].as_mut().unwrap();
                forest.delete(tree, key, data)?;
                model.remove(&place(tree, key, data));
            }
            Op::Merge(index, changes) => {
                let (tree, model) = self.trees[*index].as_mut().unwrap();
                forest.merge(tree, changes.clone())?;
                changes.iter().for_each(|change| apply(tree, model, change));
            }
            Op::Spill => forest.pager_mut().spill()?,
            Op::SyncBeside => {
                let pager = forest.pager_mut();
                pager.alive()?;
                let mark = pager.sync_mark();
                if let Err(error) = pager.storage().sync() {
                    pager.give_up();
                    return Err(error.into());
                }
                self.synced = mark;
            }
            Op::NoteSynced => forest.pager_mut().note_synced(self.synced),
            Op::Commit => forest.commit()?,
            Op::Reopen => {
                self.forest.take().map_or(Ok(()), Forest::close)?;
                self.forest = Some(Forest::new(Pager::open(self.volume.clone(), Path::new(PATH))?));
            }
        }
        Ok(())
    }
}

fn apply(tree: &Tree, model: &mut Model, change: &Change) {
    match change {
        Change::Insert { key, data } | Change::Put { key, data } => {
            model.insert(place(tree, key, data), data.clone());
        }
        Change::Delete { key, data } => {
            model.remove(&place(tree, key, data));
        }
    }
}

/// Keys that do not begin one another, in no order; a third of them share a long prefix.
fn key(number: usize) -> Vec<u8> {
    let scattered = (number as u32).wrapping_mul(0x9e37_79b1);
    match number % 3 {
        0 => [b"a common prefix of many keys ".as_slice(), &scattered.to_be_bytes()].concat(),
        _ => [&scattered.to_be_bytes()[..], b"x"].concat(),
    }
}

/// Writes the series: it keeps its own account of what is there, so that each step succeeds.
struct Writer {
    ops: Vec<Op>,
    random: Random,
    /// Keys and data in each tree, in order of insertion.
    held: Vec<Vec<(Vec<u8>, Vec<u8>)>>,
    next_key: usize,
}

impl Writer {
    fn new_tree(&mut self, kind: TreeKind, parent: Option<usize>, pages: u32) {
        self.held.push(Vec::new());
        self.ops.push(Op::NewTree { kind, parent, pages });
    }

    fn fresh(&mut self, data_bytes: usize) -> (Vec<u8>, Vec<u8>) {
        self.next_key += 1;
        let length = data_bytes / 2 + self.random.below(data_bytes / 2) + 1;
        (key(self.next_key), self.random.bytes(length))
    }

    fn insert(&mut self, tree: usize, count: usize, data_bytes: usize) {
        for _ in 0..count {
            let (key, data) = self.fresh(data_bytes);
            self.held[tree].push((key.clone(), data.clone()));
            self.ops.push(Op::Insert(tree, key, data));
        }
    }

    fn replace(&mut self, tree: usize, count: usize, data_bytes: usize) {
        for _ in 0..count {
            let at = self.random.below(self.held[tree].len());
            let (_, data) = self.fresh(data_bytes);
            self.held[tree][at].1 = data.clone();
            self.ops.push(Op::Replace(tree, self.held[tree][at].0.clone(), data));
        }
    }

    fn delete(&mut self, tree: usize, count: usize) {
        for _ in 0..count.min(self.held[tree].len()) {
            let at = self.random.below(self.held[tree].len());
            let (key, data) = self.held[tree].swap_remove(at);
            self.ops.push(Op::Delete(tree, key, data));
        }
    }

    /// A batch of new entries and of deletes.
    fn merge(&mut self, tree: usize, inserts: usize, deletes: usize, data_bytes: usize) {
        let mut changes = Vec::new();
        for _ in 0..deletes.min(self.held[tree].len()) {
            let at = self.random.below(self.held[tree].len());
            let (key, data) = self.held[tree].swap_remove(at);
            changes.push(Change::Delete { key, data });
        }
        for _ in 0..inserts {
            let (key, data) = self.fresh(data_bytes);
            self.held[tree].push((key.clone(), data.clone()));
            changes.push(Change::Insert { key, data });
        }
        changes.sort_by(|a, b| bookmark(a).cmp(&bookmark(b)));
        self.ops.push(Op::Merge(tree, changes));
    }
}

fn bookmark(change: &Change) -> (&[u8], &[u8]) {
    match change {
        Change::Insert { key, data } | Change::Put { key, data } | Change::Delete { key, data } => {
            (key, data)
        }
    }
}

/// About 300 steps: three kinds of trees, splits and joins, one extent and many, pages freed and used again, trees
/// dropped, the file grown twice, pages written early, and the database closed and opened in between.
pub fn long_script() -> Vec<Op> {
    let (ops, held) = (Vec::new(), Vec::new());
    let mut w = Writer { ops, random: Random::new(7), held, next_key: 0 };
    w.new_tree(TreeKind::Table, None, 1);
    w.new_tree(TreeKind::NonUniqueIndex, Some(0), 4);
    w.new_tree(TreeKind::LongValue, Some(0), 1);
    w.insert(0, 12, 60);
    w.insert(1, 12, 20);
    w.ops.push(Op::Commit);
    w.insert(2, 14, 3000);
    w.ops.push(Op::Spill);
    w.merge(0, 50, 5, 300);
    w.insert(2, 4, 3000);
    w.insert(1, 20, 100);
    w.ops.push(Op::Commit);
    w.replace(0, 12, 900);
    w.delete(0, 20);
    w.delete(2, 12);
    w.ops.extend([Op::SyncBeside, Op::NoteSynced, Op::Commit]);
    w.merge(0, 20, 5, 300);
    w.ops.extend([Op::Spill, Op::SyncBeside, Op::NoteSynced]);
    w.insert(1, 6, 100);
    w.insert(2, 3, 3000);
    w.ops.push(Op::Commit);
    w.insert(2, 2, 3000);
    w.ops.push(Op::SyncBeside);
    w.replace(0, 3, 900);
    w.insert(2, 3, 3000);
    w.ops.extend([Op::Spill, Op::NoteSynced, Op::Commit]);
    w.insert(0, 25, 500);
    w.merge(1, 40, 20, 120);
    w.ops.extend([Op::Spill, Op::Commit, Op::Reopen]);
    w.new_tree(TreeKind::UniqueIndex, None, 300);
    w.insert(3, 20, 400);
    w.insert(0, 10, 100);
    w.ops.push(Op::Commit);
    w.ops.push(Op::DropTree(3));
    w.insert(2, 8, 3600);
    w.ops.push(Op::Commit);
    w.new_tree(TreeKind::LongValue, Some(0), 5);
    w.insert(4, 12, 2500);
    w.delete(0, 30);
    w.ops.extend([Op::Spill, Op::DropTree(4), Op::Commit]);
    w.delete(1, 35);
    w.delete(2, 12);
    w.merge(0, 5, 20, 100);
    w.ops.extend([Op::Commit, Op::Reopen]);
    w.insert(2, 3, 3000);
    w.replace(2, 3, 3600);
    w.ops.push(Op::Commit);
    w.ops
}

/// How many pages the file has room for, to see it grow.
pub fn last_page(player: &mut Player) -> u32 {
    player.forest().map_or(0, |forest| forest.pager().last_page())
}
