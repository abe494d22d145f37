//! Maildirs: where their messages lie, what their file names tell, how their folders are named.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use crate::mail::error::{MailError, MailResult};
use crate::mail::utf7;
use crate::mapi::ItemFlags;

/// The directories of a Maildir itself.
const OWN: [&str; 3] = ["cur", "new", "tmp"];

/// Whether a directory is a Maildir: it has `cur` and `new`, and they are directories, not links.
pub(super) fn is_one(path: &Path) -> bool {
    ["cur", "new"]
        .iter()
        .all(|name| fs::symlink_metadata(path.join(name)).is_ok_and(|metadata| metadata.is_dir()))
}

/// Whether a subdirectory belongs to the Maildir itself.
pub(super) fn is_own(name: &OsStr) -> bool {
    OWN.iter().any(|own| name == *own)
}

/// The folder that a subdirectory is; `None` when it is none.
///
/// In a Maildir `.A.B` is A/B with its names in modified UTF-7. Elsewhere a directory is a folder of its name;
/// `.sbd` at the end, which some mail programs add to the directory of a folder's folders, is dropped.
pub(super) fn folder_of(name: &OsStr, hidden: bool, in_maildir: bool) -> Option<Vec<String>> {
    let name = name.to_string_lossy();
    match (hidden, in_maildir) {
        (true, false) => None,
        (true, true) => {
            let parts: Vec<String> =
                name.split('.').filter(|part| !part.is_empty()).map(utf7::decode_name).collect();
            (!parts.is_empty()).then_some(parts)
        }
        (false, true) if OWN.contains(&&*name) => None,
        (false, _) => {
            let stem = name.strip_suffix(".sbd").filter(|stem| !stem.is_empty());
            Some(vec![stem.unwrap_or(&name).to_string()])
        }
    }
}

/// The message files of a Maildir, those of `cur` and `new` together, in the order of their names.
pub(super) fn files(maildir: &Path, skipped: &mut u64) -> MailResult<Vec<PathBuf>> {
    let mut found = Vec::new();
    for name in ["cur", "new"] {
        let directory = maildir.join(name);
        for entry in fs::read_dir(&directory).map_err(MailError::os(&directory, "list"))? {
            let entry = entry.map_err(MailError::os(&directory, "list"))?;
            let kind = entry.file_type().map_err(MailError::os(&directory, "list"))?;
            let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
            if kind.is_file() && !hidden {
                found.push(entry.path());
            } else {
                *skipped = skipped.saturating_add(1);
            }
        }
    }
    found.sort_by(|a, b| a.file_name().cmp(&b.file_name()));
    Ok(found)
}

/// The flags of a message file's name: the letters behind `:2,` (or `;2,` or `!2,`, where a file system forbids the colon).
pub(super) fn flags_of_name(name: &OsStr) -> ItemFlags {
    let name = name.to_string_lossy();
    let letters = [":2,", ";2,", "!2,"].iter().find_map(|mark| name.rsplit_once(mark));
    letters.map_or(ItemFlags::empty(), |(_, letters)| maildir_flags(letters))
}

/// The letter of each flag, in the order in which names hold them.
pub(in crate::mail) const LETTERS: [(char, ItemFlags); 6] = [
    ('D', ItemFlags::DRAFT),
    ('F', ItemFlags::FLAGGED),
    ('P', ItemFlags::FORWARDED),
    ('R', ItemFlags::REPLIED),
    ('S', ItemFlags::READ),
    ('T', ItemFlags::DELETED),
];

/// The flags of these letters; other letters (keywords of some servers) are passed over.
pub fn maildir_flags(letters: &str) -> ItemFlags {
    let known = LETTERS.iter().filter(|(letter, _)| letters.contains(*letter));
    known.fold(ItemFlags::empty(), |flags, (_, flag)| flags | *flag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_flags() {
        let flags = |name: &str| flags_of_name(OsStr::new(name));
        assert_eq!(flags("1030016183.1.host:2,RS"), ItemFlags::REPLIED | ItemFlags::READ);
        assert_eq!(flags("1030016183.1.host,S=9:2,FPTDa"), maildir_flags("DFPT"));
        assert_eq!(flags("1030016183.1.host!2,S"), ItemFlags::READ);
        assert_eq!(flags("1030016183.S.host"), ItemFlags::empty());
        assert_eq!(flags("x:1,S"), ItemFlags::empty());
    }

    #[test]
    fn directories_tell_folders() {
        let folder =
            |name: &str, maildir| folder_of(OsStr::new(name), name.starts_with('.'), maildir);
        assert_eq!(folder(".Archive.Entw&APw-rfe", true).unwrap(), ["Archive", "Entwürfe"]);
        assert_eq!(folder("Sent", true).unwrap(), ["Sent"]);
        assert_eq!(folder("Inbox.sbd", false).unwrap(), ["Inbox"]);
        assert_eq!(folder("cur", false).unwrap(), ["cur"]);
        assert_eq!(
            (folder("cur", true), folder(".git", false), folder("..", true)),
            (None, None, None)
        );
    }
}
