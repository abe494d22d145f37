//! The two faces of every command: JSON lines on standard output, or text for people there. Warnings are counted,
//! because they decide the exit code.

use std::borrow::Cow;
use std::io::{self, BufWriter, Write};

use serde_json::Value as Json;

use super::exit::{Exit, Failure, judge};
use super::json::put_string;
use crate::ese::EseError;
use crate::ese::page::Pgno;
use crate::ese::table::note::{Note, place_of};

/// Bytes gathered before they are written.
const BUFFER_BYTES: usize = 256 << 10;

/// One JSON line with its newline: `type` first, then the fields in this order.
pub fn json_line(kind: &str, fields: &[(&str, Json)]) -> Vec<u8> {
    let mut line = b"{\"type\":".to_vec();
    put_string(&mut line, kind);
    for (name, value) in fields {
        line.push(b',');
        put_string(&mut line, name);
        line.push(b':');
        // Writing to memory cannot fail.
        let _ = serde_json::to_writer(&mut line, value);
    }
    line.extend_from_slice(b"}\n");
    line
}

/// The first line of every JSON run.
pub fn hello(command: &str) -> Vec<u8> {
    let version = env!("CARGO_PKG_VERSION").into();
    let (program, command) = ("dialtone".into(), command.into());
    json_line(
        "hello",
        &[("v", 1.into()), ("program", program), ("version", version), ("command", command)],
    )
}

/// Text without characters that could steer a terminal: names come from files that anybody may have made.
pub fn printable(text: &str) -> Cow<'_, str> {
    let steers = |c: char| c.is_control() && c != '\n';
    if !text.contains(steers) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(
        text.chars().map(|c| if steers(c) { char::REPLACEMENT_CHARACTER } else { c }).collect(),
    )
}

/// Something that could not be read.
#[derive(Debug, Clone, Copy)]
pub struct Warning<'w> {
    /// The error code.
    pub code: &'w str,
    /// For people; names the place.
    pub message: &'w str,
    /// The table concerned.
    pub table: Option<&'w str>,
    /// The page concerned.
    pub page: Option<Pgno>,
}

/// Where a command writes what it has to say.
pub struct Output {
    is_json: bool,
    out: BufWriter<Box<dyn Write>>,
    warnings: u64,
}

impl Output {
    /// An output of that face over standard output, or over a buffer of a test.
    pub fn new(is_json: bool, out: Box<dyn Write>) -> Self {
        Self { is_json, out: BufWriter::with_capacity(BUFFER_BYTES, out), warnings: 0 }
    }

    /// Whether this run speaks JSON.
    pub fn is_json(&self) -> bool {
        self.is_json
    }

    /// Says which program speaks, before anything else.
    pub fn hello(&mut self, command: &str) -> io::Result<()> {
        if self.is_json { self.out.write_all(&hello(command)) } else { Ok(()) }
    }

    /// Writes one JSON line.
    pub fn line(&mut self, kind: &str, fields: &[(&str, Json)]) -> io::Result<()> {
        self.out.write_all(&json_line(kind, fields))
    }

    /// Writes bytes as they are: text, or a JSON line made elsewhere.
    pub fn raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)
    }

    /// Hands everything on, for a reader that follows.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// Writes a line of text for people.
    pub fn text(&mut self, line: &str) -> io::Result<()> {
        self.out.write_all(printable(line).as_bytes())?;
        self.out.write_all(b"\n")
    }

    /// Tells and counts a warning.
    pub fn warn(&mut self, warning: Warning<'_>) -> io::Result<()> {
        self.warnings += 1;
        if !self.is_json {
            // What was printed before belongs before it; a standard error that is closed is nobody's loss.
            self.out.flush()?;
            let _ = writeln!(io::stderr(), "warning: {}", printable(warning.message));
            return Ok(());
        }
        let mut fields = vec![("code", warning.code.into()), ("message", warning.message.into())];
        fields.extend(warning.table.map(|table| ("table", table.into())));
        fields.extend(warning.page.map(|page| ("page", page.get().into())));
        self.line("warning", &fields)
    }

    /// Warns of an error that did not end the command.
    pub fn warn_error(&mut self, error: &EseError, table: Option<&str>) -> io::Result<()> {
        let (code, message) = (judge(error).1, error.to_string());
        let page = place_of(error).and_then(|place| place.pgno);
        self.warn(Warning { code, message: &message, table, page })
    }

    /// Warns of what a reader noted.
    pub fn warn_note(&mut self, note: &Note) -> io::Result<()> {
        let (table, message) = (note.table.as_deref(), &note.message);
        let of_table = table.map(|table| format!("table {table}: {message}"));
        let message = match &of_table {
            Some(of_table) if note.pgno.is_none() => of_table,
            _ => message,
        };
        self.warn(Warning { code: "E_CORRUPT", message, table, page: note.pgno })
    }

    /// Ends the run: tells what went wrong, if anything did, and how the program exits.
    pub fn finish(mut self, result: Result<(), Failure>) -> Exit {
        let result = result.and_then(|()| Ok(self.out.flush()?));
        let exit = match &result {
            Ok(()) if self.warnings > 0 => Exit::Warnings,
            Ok(()) => Exit::Done,
            Err(failure) if failure.is_closed_pipe() => return Exit::Done,
            Err(failure) => failure.exit(),
        };
        let ended = match &result {
            Ok(()) => Ok(()),
            Err(failure) => self.tell(failure),
        };
        let ended = ended.and_then(|()| self.say_exit(exit)).and_then(|()| self.out.flush());
        match ended.map_err(Failure::Output) {
            Ok(()) => exit,
            Err(failure) if failure.is_closed_pipe() => exit,
            Err(failure) => {
                let _ = writeln!(io::stderr(), "error: {failure}");
                Exit::Failed
            }
        }
    }

    fn tell(&mut self, failure: &Failure) -> io::Result<()> {
        let message = failure.to_string();
        let _ = writeln!(io::stderr(), "error: {}", printable(&message));
        if !self.is_json {
            return Ok(());
        }
        let code = failure.error_code();
        self.line("error", &[("code", code.into()), ("message", message.into())])
    }

    fn say_exit(&mut self, exit: Exit) -> io::Result<()> {
        if !self.is_json {
            return Ok(());
        }
        let code = exit.code();
        self.line("exit", &[("code", code.into()), ("warnings", self.warnings.into())])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_from_a_file_cannot_steer_the_terminal() {
        assert_eq!(printable("a\u{1b}[2Jb\nc\u{9b}"), "a\u{fffd}[2Jb\nc\u{fffd}");
        assert!(matches!(printable("Größe \u{1f98a}"), Cow::Borrowed(_)));
    }
}
