//! The stores that measurements need, in a folder of the working directory that only this module fills and empties.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::{BenchResult, at};
use super::files::copy_pair;
use super::parameters::{Parameters, Subject, age_of};
use super::steps::StoreKind;
use crate::io::Volume;
use crate::store::{Store, StoreIdentity, StoreWriter};
use crate::synth::{Profile, Synth, Twin, build};

/// The folder of the stores.
const FOLDER: &str = "stores";
/// The database in each folder.
const DATABASE: &str = "priv1.edb";

/// How many times smaller the store of small items is.
const SMALL_PART: u64 = 4;

/// The stores of a working directory.
#[derive(Debug)]
pub struct Stores<'s> {
    volume: &'s Arc<dyn Volume>,
    root: PathBuf,
    parameters: &'s Parameters,
}

impl<'s> Stores<'s> {
    /// Those of a directory.
    pub fn new(volume: &'s Arc<dyn Volume>, dir: &Path, parameters: &'s Parameters) -> Self {
        Self { volume, root: dir.join(FOLDER), parameters }
    }

    /// Where a store is, or will be.
    pub fn path(&self, kind: StoreKind) -> PathBuf {
        self.root.join(kind.name()).join(DATABASE)
    }

    /// A place for a store that is thrown away.
    pub fn scratch(&self, name: &str) -> BenchResult<PathBuf> {
        let folder = self.root.join(format!("scratch-{name}"));
        remove_folder(&folder)?;
        fs::create_dir_all(&folder).map_err(at(&folder, "create"))?;
        Ok(folder.join(DATABASE))
    }

    /// Throws it away.
    pub fn discard(&self, scratch: &Path) -> BenchResult<()> {
        scratch.parent().map_or(Ok(()), remove_folder)
    }

    /// Throws all stores away.
    ///
    /// # Errors
    /// [`super::BenchError::Io`].
    pub fn discard_all(&self) -> BenchResult<()> {
        remove_folder(&self.root)
    }

    /// Whether the store is there: whole, for a folder gets its name when everything in it is.
    pub fn has(&self, kind: StoreKind) -> bool {
        self.path(kind).exists()
    }

    /// A finished store in a scratch folder becomes this one.
    pub fn adopt(&self, scratch: &Path, kind: StoreKind) -> BenchResult<()> {
        let (from, to) = (scratch.parent().unwrap_or(scratch), self.root.join(kind.name()));
        remove_folder(&to)?;
        fs::rename(from, &to).map_err(at(&to, "rename"))
    }

    /// Makes a store; [`StoreKind::Recovered`] is made by a recovery instead.
    pub fn make(&self, kind: StoreKind) -> BenchResult<()> {
        let path = self.scratch("making")?;
        match (&self.parameters.subject, kind) {
            (_, StoreKind::Empty) => self.create_like(StoreKind::Source, &path)?,
            (_, StoreKind::SmallEmpty) => self.create_like(StoreKind::Small, &path)?,
            (_, StoreKind::PartEmpty(one_in)) => {
                self.create_like(StoreKind::Part(one_in), &path)?
            }
            (Subject::Given { from, .. }, StoreKind::Source) => {
                copy_pair(Path::new(&from.path), &path)?
            }
            (Subject::Given { to: Some(to), .. }, _) => copy_pair(Path::new(&to.path), &path)?,
            (Subject::Given { to: None, .. }, _) => self.create_like(StoreKind::Source, &path)?,
            (Subject::Made { size_bytes, mailboxes, seed, age }, kind) => {
                let profile = age_of(age).unwrap_or_default();
                let base = Synth {
                    mailboxes: *mailboxes,
                    size_bytes: *size_bytes,
                    seed: *seed,
                    profile,
                    twin: None,
                };
                build(self.volume.clone(), &path, &synth_of(base, kind), &mut |_| {})?;
            }
        }
        self.adopt(&path, kind)
    }

    /// A store without a mailbox, in a scratch folder.
    pub fn bare(&self) -> BenchResult<PathBuf> {
        let path = self.scratch("making")?;
        let identity = StoreIdentity::from_seed(0xd1a2);
        StoreWriter::create(self.volume.clone(), &path, &identity)?.close()?;
        Ok(path)
    }

    fn create_like(&self, like: StoreKind, path: &Path) -> BenchResult<()> {
        let like = Store::open(&**self.volume, &self.path(like))?;
        // The same store every time: nothing that is measured may depend on chance.
        let identity = StoreIdentity::from_seed(0xd1a1);
        let writer = StoreWriter::create_like(self.volume.clone(), path, &identity, &like)?;
        Ok(writer.close()?)
    }
}

/// The store of a kind, beside the source.
fn synth_of(base: Synth, kind: StoreKind) -> Synth {
    let twin = |same, moved, edited, new| Twin { same, moved, edited, new, seed: 1 };
    match kind {
        StoreKind::Twin => Synth { twin: Some(twin(0.90, 0.03, 0.02, 0.05)), ..base },
        StoreKind::DialTone => Synth { twin: Some(twin(0.0, 0.0, 0.0, 0.05)), ..base },
        StoreKind::Small => {
            let seed = base.seed.wrapping_add(1);
            let size_bytes = base.size_bytes / SMALL_PART;
            Synth { size_bytes, seed, profile: Profile::Small, ..base }
        }
        _ => base,
    }
}

fn remove_folder(folder: &Path) -> BenchResult<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(at(folder, "remove")(error))
        }
        _ => Ok(()),
    }
}
