//! The writer's lock: one process at a time changes a database.
//!
//! The lock is an exclusive `flock` on the database file itself. It belongs to an open descriptor, so the
//! system drops it when the process ends, however it ends, and a second descriptor in the same process is
//! refused like any other. Readers take no lock.
//!
//! `<path>.lock` is no lock: it only says *who* holds it, for the message. It is written once the lock
//! is got and removed on release. A left-over one without a lock behind it belongs to a writer that
//! died: it is replaced, with a warning. Between getting the lock and writing the file, a refused
//! process can still read the data of the owner before; the refusal itself is always right.

use std::fmt::{self, Debug};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::fs::FlockOperation;
use rustix::io::Errno;

use super::{IoError, IoResult};

/// How often the lock is tried anew when the path came to name another file meanwhile.
const MAX_ATTEMPTS: usize = 8;
/// More than this of an owner file is not ours and not read.
const MAX_OWNER_BYTES: u64 = 4096;

/// The right to write a database, given by [`Volume::lock_writer`](super::Volume::lock_writer).
/// Released on drop.
#[derive(Debug)]
pub struct WriterLock {
    _held: Box<dyn Held>,
}

/// Anything whose drop releases a lock.
trait Held: Debug + Send + Sync {}
impl<T: Debug + Send + Sync> Held for T {}

impl WriterLock {
    /// Wraps whatever holds a volume's lock until it is dropped.
    pub fn new(held: impl Debug + Send + Sync + 'static) -> Self {
        Self { _held: Box::new(held) }
    }
}

/// Who holds a lock, as `<path>.lock` tells it: three lines, `pid=`, `host=`, `since=` (seconds since 1970).
#[derive(Debug, Clone, PartialEq, Eq)]
struct Owner {
    pid: u32,
    host: String,
    since_seconds: u64,
}

impl Owner {
    fn this_process() -> Self {
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { pid: std::process::id(), host, since_seconds: since.as_secs() }
    }

    fn to_text(&self) -> String {
        format!("pid={}\nhost={}\nsince={}\n", self.pid, self.host, self.since_seconds)
    }

    /// Reads what [`to_text`](Self::to_text) wrote; anything else is no owner.
    fn parse(text: &str) -> Option<Self> {
        let field =
            |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        let host = field("host")?;
        if host.chars().any(char::is_control) {
            return None;
        }
        Some(Self {
            pid: field("pid")?.parse().ok()?,
            host: host.to_owned(),
            since_seconds: field("since")?.parse().ok()?,
        })
    }
}

/// Completes "process ... is writing this file".
impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let age_seconds = now.saturating_sub(self.since_seconds);
        write!(f, "{} on host {} (for {age_seconds} s)", self.pid, self.host)
    }
}

/// A lock on a file of the operating system. The fields are dropped in order, after `drop`: the owner's
/// data goes while the lock still stands, so that it can only be this owner's.
#[derive(Debug)]
struct FileLock {
    owner_path: PathBuf,
    locked: File,
}

impl Drop for FileLock {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.owner_path) {
            let path = self.owner_path.display();
            tracing::warn!(%path, %error, "the owner's data of a released lock stays behind");
        }
        // Closing would do, but a child that another thread is just starting holds a copy of the descriptor until it
        // executes its program, and the lock with it.
        if let Err(error) = rustix::fs::flock(&self.locked, FlockOperation::Unlock) {
            tracing::warn!(%error, "a lock is released late");
        }
    }
}

/// Takes the writer's lock of the file at `path`, or fails at once.
pub(super) fn lock_file(path: &Path) -> IoResult<WriterLock> {
    let owner_path = owner_path(path);
    for _ in 0..MAX_ATTEMPTS {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(path)
            .map_err(|source| IoError::os(path, "open for locking", source))?;
        let try_lock = || rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive);
        match rustix::io::retry_on_intr(try_lock) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Err(refusal(path, &owner_path)),
            Err(errno) => return Err(IoError::os(path, "lock", errno)),
        }
        // A rename may have put another file in this one's place between open and lock.
        if names_this_file(path, &file).map_err(|source| IoError::os(path, "look-up", source))? {
            replace_owner(&owner_path)
                .map_err(|source| IoError::os(&owner_path, "write", source))?;
            return Ok(WriterLock::new(FileLock { owner_path, locked: file }));
        }
    }
    let source = io::Error::other("the file is replaced again and again");
    Err(IoError::os(path, "lock", source))
}

/// `<path>.lock`
fn owner_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    PathBuf::from(name)
}

fn refusal(path: &Path, owner_path: &Path) -> IoError {
    let owner = read_owner(owner_path).ok().flatten();
    let owner = owner.map_or_else(|| "of unknown id".to_owned(), |owner| owner.to_string());
    IoError::Locked { path: path.to_path_buf(), owner }
}

fn names_this_file(path: &Path, file: &File) -> io::Result<bool> {
    let held = file.metadata()?;
    match std::fs::metadata(path) {
        Ok(named) => Ok((named.dev(), named.ino()) == (held.dev(), held.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// The owner that an owner file names; `None` if it is not there or says nothing that can be read.
fn read_owner(owner_path: &Path) -> io::Result<Option<Owner>> {
    let file = match File::open(owner_path) {
        Ok(file) if file.metadata()?.is_file() => file,
        Ok(_) => return Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    file.take(MAX_OWNER_BYTES).read_to_end(&mut bytes)?;
    Ok(Owner::parse(&String::from_utf8_lossy(&bytes)))
}

/// Writes this process's data, in place of any that a dead writer left. The caller holds the lock.
fn replace_owner(owner_path: &Path) -> io::Result<()> {
    match std::fs::symlink_metadata(owner_path) {
        Ok(_) => {
            let owner = read_owner(owner_path).ok().flatten();
            let owner = owner.map_or_else(|| "of unknown id".to_owned(), |owner| owner.to_string());
            let path = owner_path.display();
            tracing::warn!(%path, "taking over from process {owner}, which ended without a release");
            // Removed, not overwritten: it could be a link to somewhere else.
            std::fs::remove_file(owner_path)?;
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let mut file = OpenOptions::new().write(true).create_new(true).open(owner_path)?;
    file.write_all(Owner::this_process().to_text().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn database() -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("priv.edb");
        std::fs::write(&path, b"content").unwrap();
        (directory, path)
    }

    #[test]
    fn a_refusal_names_the_owner_and_a_release_leaves_no_file() {
        let (_directory, path) = database();
        let lock = lock_file(&path).unwrap();
        let refused = lock_file(&path).unwrap_err();
        let wanted = format!("process {} on host ", std::process::id());
        assert!(refused.to_string().contains(&wanted), "{refused}");
        drop(lock);
        assert!(!owner_path(&path).exists());
        lock_file(&path).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"content");
    }

    #[test]
    fn owner_data_without_a_lock_behind_it_is_taken_over() {
        let (_directory, path) = database();
        for left_over in [&b"pid=1\nhost=gone\nsince=0\n"[..], b"", b"\xFF\xFEnonsense"] {
            std::fs::write(owner_path(&path), left_over).unwrap();
            let _lock = lock_file(&path).unwrap();
            let owner = read_owner(&owner_path(&path)).unwrap().unwrap();
            assert_eq!(owner.pid, std::process::id());
        }
    }

    #[test]
    fn a_left_over_link_is_replaced_and_its_target_kept() {
        let (directory, path) = database();
        let precious = directory.path().join("precious");
        std::fs::write(&precious, b"keep").unwrap();
        std::os::unix::fs::symlink(&precious, owner_path(&path)).unwrap();
        let _lock = lock_file(&path).unwrap();
        assert_eq!(std::fs::read(&precious).unwrap(), b"keep");
    }

    #[test]
    fn a_lock_without_readable_owner_data_still_refuses() {
        let (_directory, path) = database();
        let _lock = lock_file(&path).unwrap();
        std::fs::write(owner_path(&path), b"pid=x").unwrap();
        let refused = lock_file(&path).unwrap_err();
        assert!(refused.to_string().contains("process of unknown id is writing"), "{refused}");
    }

    #[test]
    fn the_lock_follows_the_file_through_a_rename() {
        let (directory, path) = database();
        let _lock = lock_file(&path).unwrap();
        let renamed = directory.path().join("renamed.edb");
        std::fs::rename(&path, &renamed).unwrap();
        assert!(matches!(lock_file(&renamed), Err(IoError::Locked { .. })));
    }

    #[test]
    fn owner_text_is_read_back_and_nonsense_is_not_an_owner() {
        let owner = Owner { pid: 7, host: "mail=1".to_owned(), since_seconds: 1_700_000_000 };
        assert_eq!(Owner::parse(&owner.to_text()), Some(owner));
        for text in ["", "pid=1", "pid=-1\nhost=a\nsince=1", "pid=1\nhost=\x1b[2J\nsince=1"] {
            assert_eq!(Owner::parse(text), None, "{text:?}");
        }
    }
}
