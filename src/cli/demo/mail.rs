//! The mail of the demo: the fixtures of this repository, carried inside the program, and a few mails of the day itself.

use std::path::Path;

use include_dir::{Dir, DirEntry, include_dir};

use crate::cli::exit::Failure;
use crate::io::IoError;

static FIXTURES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/fixtures/mail");

/// Mail that arrives while the old store is away: name and text.
pub const NEW_MAIL: [(&str, &str); 4] = [
    (
        "1.eml",
        "From: Harbour Office <office@example.org>\r\nTo: ann@example.org\r\nSubject: We are on the dial tone\r\n\
         Date: Tue, 13 Jan 2004 09:05:00 +0100\r\nMessage-ID: <day-1@example.org>\r\n\r\n\
         The old store is being restored. Your mailbox is empty until then, but new mail arrives.\r\n",
    ),
    (
        "2.eml",
        "From: Keeper <keeper@example.org>\r\nTo: ann@example.org\r\nSubject: The lamp again\r\n\
         Date: Tue, 13 Jan 2004 10:40:00 +0100\r\nMessage-ID: <day-2@example.org>\r\n\r\nIt flickers at slack water.\r\n",
    ),
    (
        "3.eml",
        "From: Pilot <bo@example.org>\r\nTo: ann@example.org\r\nSubject: Tide tables for the week\r\n\
         Date: Tue, 13 Jan 2004 11:15:00 +0100\r\nMessage-ID: <day-3@example.org>\r\n\
         Content-Type: text/html; charset=utf-8\r\n\r\n<p>High water <b>06:12</b> and 18:40.</p>\r\n",
    ),
    (
        "4.eml",
        "From: Cleo <cleo@example.org>\r\nTo: bo@example.org\r\nSubject: Mooring fees\r\n\
         Date: Tue, 13 Jan 2004 15:30:00 +0100\r\nMessage-ID: <day-4@example.org>\r\n\r\nPaid yesterday, receipt attached next time.\r\n",
    ),
];

/// The edited version of a mail: what the user wrote on the day.
pub const EDITED: &str = "From: Ann <ann@example.org>\r\nTo: keeper@example.org\r\nSubject: Order for the tower (second draft)\r\n\
     Date: Tue, 13 Jan 2004 12:00:00 +0100\r\nMessage-ID: <edited@example.org>\r\n\r\n\
     Two lenses, one wick, and a longer ladder than last time.\r\n";

/// Unpacks the fixtures, and the mail of the day beside them; answers how many files there are.
pub fn unpack(directory: &Path) -> Result<usize, Failure> {
    let today = directory.join("today");
    let failed = |error| Failure::from(IoError::os(directory, "create", error));
    std::fs::create_dir_all(&today).map_err(failed)?;
    for (name, text) in NEW_MAIL {
        std::fs::write(today.join(name), text).map_err(failed)?;
    }
    Ok(unpack_entries(FIXTURES.entries(), directory)? + NEW_MAIL.len())
}

fn unpack_entries(entries: &[DirEntry<'_>], directory: &Path) -> Result<usize, Failure> {
    let mut count = 0;
    for entry in entries {
        let path = directory.join(entry.path());
        let failed = |error| Failure::from(IoError::os(&path, "create", error));
        match entry {
            DirEntry::Dir(inner) => {
                std::fs::create_dir_all(&path).map_err(failed)?;
                count += unpack_entries(inner.entries(), directory)?;
            }
            DirEntry::File(file) => {
                std::fs::write(&path, file.contents()).map_err(failed)?;
                count += 1;
            }
        }
    }
    Ok(count)
}
