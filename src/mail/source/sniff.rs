//! What kind of mail file a file is, by its name and its first bytes.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use crate::mail::error::{MailError, MailResult};
use crate::mail::from_line::FromLine;
use crate::mail::headers::name_length;

/// So much of a file is looked at.
const HEAD_BYTES: u64 = 4_096;

/// The kind of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Begins with a `From ` line with a date.
    Mbox,
    /// One message.
    Eml,
    /// Does not look like mail.
    Other,
}

/// Looks at a file.
pub(super) fn kind(path: &Path) -> MailResult<Kind> {
    let file = File::open(path).map_err(MailError::os(path, "open"))?;
    let mut head = Vec::new();
    file.take(HEAD_BYTES).read_to_end(&mut head).map_err(MailError::os(path, "read"))?;
    // What collections of test mail are named; a zero byte tells Outlook's own `.msg` files, which are no MIME, from them.
    let is_named = has_extension(path, &["eml"])
        || has_extension(path, &["msg", "raw", "mime"]) && !head.contains(&0);
    Ok(kind_of(&head, is_named))
}

fn kind_of(head: &[u8], is_named: bool) -> Kind {
    let first = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
    if FromLine::parse(first).is_some() {
        Kind::Mbox
    } else if is_named || begins_like_mail(head) {
        Kind::Eml
    } else {
        Kind::Other
    }
}

/// Whether the first lines hold a header field before anything that could not stand there. Mail of test collections begins with
/// broken lines now and then, so a few are let pass; a zero byte ends the search.
fn begins_like_mail(head: &[u8]) -> bool {
    let lines = head.split(|byte| *byte == b'\n').take(3);
    lines.take_while(|line| !line.contains(&0)).any(|line| {
        let colon = name_length(line);
        colon.is_some_and(|colon| {
            let letter = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'-';
            line.get(..colon).is_some_and(|name| name.trim_ascii_end().iter().all(letter))
        })
    })
}

fn has_extension(path: &Path, extensions: &[&str]) -> bool {
    let found = path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    extensions.contains(&found.as_str())
}

/// Whether a file is named as mboxes are: `.mbox`, `.mbx`, or no extension at all.
pub(super) fn is_mbox_name(path: &Path) -> bool {
    has_extension(path, &["mbox", "mbx", ""])
}

/// The folder that an mbox of this name is, within that of its directory; `None` when it is the directory's own.
pub(super) fn mbox_folder(name: &str) -> Option<String> {
    let stem = [".mbox", ".mbx"].iter().find_map(|end| name.strip_suffix(end));
    let stem = stem.filter(|stem| !stem.is_empty()).unwrap_or(name);
    (stem != "mbox" || stem != name).then(|| stem.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_lines_decide() {
        assert_eq!(kind_of(b"From a Thu Aug 22 11:36:23 2002\nA: b\n", false), Kind::Mbox);
        assert_eq!(kind_of(b"From here on\n", false), Kind::Other);
        assert_eq!(kind_of(b"Subject: x\n", false), Kind::Eml);
        assert_eq!(kind_of(b"broken line\nSubject: x\n", false), Kind::Eml);
        assert_eq!(kind_of(b"\xd0\xcf\x11\xe0\0\0\nA: b\n", false), Kind::Other);
        assert_eq!(kind_of(b"{\"a\": 1}\n", false), Kind::Other);
        assert_eq!(kind_of(b"", true), Kind::Eml);
    }

    #[test]
    fn mbox_names_give_folders() {
        assert_eq!(mbox_folder("Sent.mbox").as_deref(), Some("Sent"));
        assert_eq!(mbox_folder("inbox").as_deref(), Some("inbox"));
        assert_eq!(mbox_folder("mbox"), None);
        assert_eq!(mbox_folder("mbox.mbox").as_deref(), Some("mbox"));
        assert_eq!(mbox_folder(".mbox").as_deref(), Some(".mbox"));
        assert!(is_mbox_name(Path::new("a/Inbox")) && !is_mbox_name(Path::new("a/1.txt")));
    }
}
