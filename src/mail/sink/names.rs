//! Names of folders as names of files: safe on every file system, and different where the folders are.
//!
//! A folder's name is hostile: it may hold separators, be `..`, differ from another only in case, or be longer than a file name may be. The
//! same folders in the same order get the same names.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use super::MailFormat;

/// Longest name in bytes; leaves room for an extension and a number.
const NAME_BYTES: usize = 120;
/// Folders nested deeper are put beside each other at this level.
const MAX_DEPTH: usize = 20;

/// Names that mean devices on Windows.
const DEVICES: [&str; 22] = [
    "con", "prn", "aux", "nul", "com1", "com2", "com3", "com4", "com5", "com6", "com7", "com8",
    "com9", "lpt1", "lpt2", "lpt3", "lpt4", "lpt5", "lpt6", "lpt7", "lpt8", "lpt9",
];

/// The directories of a Maildir. Folders never get these names, in no format: readers would take the directory around them for one.
const MAILDIR: [&str; 3] = ["cur", "new", "tmp"];

/// A folder that has its place.
#[derive(Debug)]
pub(super) struct PlacedFolder {
    /// Its directory; its file, for mbox.
    pub(super) path: PathBuf,
    next_number: u64,
}

impl PlacedFolder {
    /// The number of the next message, from 1.
    pub(super) fn take_number(&mut self) -> u64 {
        self.next_number = self.next_number.saturating_add(1);
        self.next_number
    }
}

/// Gives each folder its place.
#[derive(Debug)]
pub(super) struct FolderNames {
    root: PathBuf,
    format: MailFormat,
    /// The directory of each folder path that has one.
    directories: HashMap<Vec<String>, PathBuf>,
    placed: HashMap<Vec<String>, PlacedFolder>,
    /// Names that are taken in each directory, in lower case.
    taken: HashMap<PathBuf, HashSet<String>>,
}

impl FolderNames {
    pub(super) fn new(root: PathBuf, format: MailFormat) -> Self {
        let directories = HashMap::from([(Vec::new(), root.clone())]);
        let reserved = match format {
            MailFormat::Mbox => HashSet::from(["mbox".to_string()]),
            MailFormat::Eml | MailFormat::Maildir => HashSet::new(),
        };
        let taken = HashMap::from([(root.clone(), reserved)]);
        Self { root, format, directories, placed: HashMap::new(), taken }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// The place of a folder, and whether it has just been given.
    pub(super) fn folder(&mut self, folder_path: &[String]) -> (&mut PlacedFolder, bool) {
        let is_new = !self.placed.contains_key(folder_path);
        let path = if is_new { self.place(folder_path) } else { PathBuf::new() };
        let placed = self.placed.entry(folder_path.to_vec());
        (placed.or_insert(PlacedFolder { path, next_number: 0 }), is_new)
    }

    fn place(&mut self, folder_path: &[String]) -> PathBuf {
        let directory = self.directory(folder_path);
        match self.format {
            MailFormat::Eml | MailFormat::Maildir => directory,
            MailFormat::Mbox if folder_path.is_empty() => self.root.join("mbox"),
            MailFormat::Mbox => {
                let mut name = directory.file_name().unwrap_or_default().to_os_string();
                name.push(".mbox");
                directory.with_file_name(name)
            }
        }
    }

    /// The directory of a folder; its parents get theirs first.
    fn directory(&mut self, folder_path: &[String]) -> PathBuf {
        if let Some(known) = self.directories.get(folder_path) {
            return known.clone();
        }
        let levels = folder_path.len().min(MAX_DEPTH);
        let mut directory = self.root.clone();
        for level in 1..=levels {
            // The last level stands for all that would lie deeper.
            let path = if level == MAX_DEPTH {
                folder_path
            } else {
                folder_path.get(..level).unwrap_or_default()
            };
            directory = match self.directories.get(path) {
                Some(known) => known.clone(),
                None => {
                    let wanted = path.last().map_or("", String::as_str);
                    let named = directory.join(self.free_name(&directory, wanted));
                    self.directories.insert(path.to_vec(), named.clone());
                    named
                }
            };
        }
        directory
    }

    /// A safe name that is not taken in a directory, and takes it.
    fn free_name(&mut self, directory: &Path, wanted: &str) -> String {
        let format = self.format;
        let taken = self.taken.entry(directory.to_path_buf()).or_default();
        let safe = safe_name(wanted);
        let mut number = 1_u64;
        loop {
            let name = if number == 1 { safe.clone() } else { format!("{safe} ({number})") };
            // A folder of mbox is a file and, for its folders, a directory; files of EML must not meet a folder of their name.
            let lower = name.to_lowercase();
            let file = format!("{lower}.mbox");
            let clashes = taken.contains(&lower)
                || MAILDIR.contains(&lower.as_str())
                || (format == MailFormat::Mbox && taken.contains(&file))
                || (format == MailFormat::Eml && lower.ends_with(".eml"));
            if !clashes {
                if format == MailFormat::Mbox {
                    taken.insert(file);
                }
                taken.insert(lower);
                return name;
            }
            number = number.saturating_add(1);
        }
    }
}

/// A name that every file system takes and that means nothing to it; never empty.
fn safe_name(name: &str) -> String {
    let reserved = |c: char| c.is_control() || "/\\:*?\"<>|".contains(c);
    let mut safe = String::new();
    for c in name.trim().chars().map(|c| if reserved(c) { '_' } else { c }) {
        if safe.len().saturating_add(c.len_utf8()) > NAME_BYTES {
            break;
        }
        safe.push(c);
    }
    // Leading dots hide a name or climb; trailing dots and blanks are dropped by some file systems.
    let kept = safe.trim_end_matches(['.', ' ']).len();
    let tail = "_".repeat(safe.len().saturating_sub(kept).min(1));
    safe.truncate(kept);
    safe += &tail;
    let stem = safe.split('.').next().unwrap_or_default().trim_end().to_lowercase();
    if safe.is_empty() || safe.starts_with('.') || DEVICES.contains(&stem.as_str()) {
        safe.insert(0, '_');
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(format: MailFormat) -> FolderNames {
        FolderNames::new(PathBuf::from("out"), format)
    }

    fn place(names: &mut FolderNames, path: &[&str]) -> String {
        let path: Vec<String> = path.iter().map(|part| part.to_string()).collect();
        names.folder(&path).0.path.to_str().unwrap().to_string()
    }

    #[test]
    fn hostile_names_become_harmless() {
        for (name, safe) in [
            ("Inbox", "Inbox"),
            ("a/b\\c:d", "a_b_c_d"),
            ("..", "_"),
            (".", "_"),
            ("", "_"),
            ("  ", "_"),
            (".hidden", "_.hidden"),
            ("end.", "end_"),
            ("CON", "_CON"),
            ("nul.txt", "_nul.txt"),
            ("con .x", "_con .x"),
            ("a\0b\n", "a_b"),
            ("日本/語", "日本_語"),
        ] {
            assert_eq!(safe_name(name), safe, "{name:?}");
        }
        let long = safe_name(&"ü".repeat(500));
        assert_eq!(long, "ü".repeat(60));
    }

    #[test]
    fn folders_that_would_meet_are_told_apart() {
        let mut eml = names(MailFormat::Eml);
        assert_eq!(place(&mut eml, &["A", "b"]), "out/A/b");
        assert_eq!(place(&mut eml, &["a"]), "out/a (2)");
        assert_eq!(place(&mut eml, &["A"]), "out/A");
        assert_eq!(place(&mut eml, &["A", "B"]), "out/A/B (2)");
        assert_eq!(place(&mut eml, &["a/c"]), "out/a_c");
        assert_eq!(place(&mut eml, &["a_c"]), "out/a_c (2)");
        assert_eq!(place(&mut eml, &["00000001.eml"]), "out/00000001.eml (2)");
        assert_eq!(place(&mut eml, &[]), "out");
    }

    #[test]
    fn files_and_directories_of_mboxes_do_not_meet() {
        let mut mbox = names(MailFormat::Mbox);
        assert_eq!(place(&mut mbox, &["A"]), "out/A.mbox");
        assert_eq!(place(&mut mbox, &["A.mbox", "x"]), "out/A.mbox (2)/x.mbox");
        assert_eq!(place(&mut mbox, &["A", "x"]), "out/A/x.mbox");
        assert_eq!(place(&mut mbox, &["mbox"]), "out/mbox (2).mbox");
        assert_eq!(place(&mut mbox, &[]), "out/mbox");
        let mut reversed = names(MailFormat::Mbox);
        assert_eq!(place(&mut reversed, &["A.mbox", "x"]), "out/A.mbox/x.mbox");
        assert_eq!(place(&mut reversed, &["A"]), "out/A (2).mbox");
    }

    #[test]
    fn no_folder_looks_like_a_part_of_a_maildir() {
        for format in [MailFormat::Eml, MailFormat::Maildir] {
            let mut names = names(format);
            assert_eq!(place(&mut names, &["cur"]), "out/cur (2)");
            assert_eq!(place(&mut names, &["x", "TMP"]), "out/x/TMP (2)");
        }
        let mut mbox = names(MailFormat::Mbox);
        assert_eq!(place(&mut mbox, &["cur", "new"]), "out/cur (2)/new (2).mbox");
    }

    #[test]
    fn very_deep_folders_end_beside_each_other() {
        let mut eml = names(MailFormat::Eml);
        let deep = vec!["d"; 500];
        let mut deeper = deep.clone();
        deeper.push("d");
        let (first, second) = (place(&mut eml, &deep), place(&mut eml, &deeper));
        assert_eq!(first.matches('/').count(), MAX_DEPTH);
        assert_eq!(second, format!("{first} (2)"));
    }
}
