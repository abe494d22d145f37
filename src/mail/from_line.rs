//! The `From ` line that begins each message of an mbox: reading, judging, writing.
//!
//! A line is one only if a date stands in it, after at most one word or quoted text for the sender:
//!
//! ```text
//! From ann@example.org Thu Aug 22 12:36:23 2002
//! From "ann b"@example.org  Thu Aug 22 12:36 MET DST 2002 remote from host
//! From - Thu, 22 Aug 2002 12:36:23 +0200
//! ```
//!
//! Behind the date we may write marks of our own (see [`MboxMarks`]); other programs ignore them.

use crate::mapi::unix_seconds;
use crate::mapi::{FileTime, ItemFlags};

/// A longer line is none.
const LINE_BYTES: usize = 1_000;

/// What our writer adds behind the date, so that the message comes back byte for byte.
///
/// `mboxrd`: lines of the message that begin with `From ` have been quoted, by putting `>` before every line of the form `>*From `.
/// `noeol`: the message did not end with a line end. `flags=RS`: its flags, in the letters of Maildir.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MboxMarks {
    /// Lines have been quoted.
    pub quoted: bool,
    /// The last line end is not the message's own.
    pub no_line_end: bool,
    /// Flags.
    pub flags: Option<ItemFlags>,
}

/// A `From ` line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FromLine {
    /// The time it tells; without a zone in the line, taken as UTC.
    pub time: FileTime,
    /// Our marks.
    pub marks: MboxMarks,
}

impl FromLine {
    /// Reads a line, if it is a `From ` line.
    pub fn parse(line: &[u8]) -> Option<Self> {
        let rest = line.strip_prefix(b"From ").filter(|rest| rest.len() <= LINE_BYTES)?;
        let rest = String::from_utf8_lossy(rest);
        let rest = rest.trim();
        let words = |text| date_in(text).map(|(time, tail)| Self { time, marks: marks(tail) });
        words(rest).or_else(|| words(behind_sender(rest)?))
    }

    /// Writes a line, line end included. A sender that a reader could stumble over is left out.
    pub fn write(sender: &str, time: Option<FileTime>, marks: MboxMarks) -> String {
        let plain = |c: char| c.is_ascii_graphic() && c != '"';
        let fits = !sender.is_empty() && sender.len() <= 200 && sender.chars().all(plain);
        let sender = if fits { sender } else { "MAILER-DAEMON" };
        let mut line = format!("From {sender} {}", asctime(time));
        if let Some(flags) = marks.flags {
            line += &format!(" flags={}", super::sink::flag_letters(flags));
        }
        line += if marks.quoted { " mboxrd" } else { "" };
        line += if marks.no_line_end { " noeol" } else { "" };
        line.push('\n');
        line
    }
}

/// What stands behind the first word, or behind a quoted text and what sticks to it.
fn behind_sender(text: &str) -> Option<&str> {
    let quoted =
        text.strip_prefix('"').and_then(|inner| inner.split_once('"')).map(|found| found.1);
    let (_, rest) = quoted.unwrap_or(text).split_once([' ', '\t'])?;
    Some(rest)
}

fn marks(tail: &str) -> MboxMarks {
    let mut marks = MboxMarks::default();
    for word in tail.split_ascii_whitespace() {
        match word {
            "mboxrd" => marks.quoted = true,
            "noeol" => marks.no_line_end = true,
            _ => {
                let flags = word.strip_prefix("flags=").map(super::source::maildir_flags);
                marks.flags = marks.flags.or(flags);
            }
        }
    }
    marks
}

const WEEKDAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// `Thu Aug 22 12:36:23 2002`, in UTC; the beginning of 1970 for no time.
fn asctime(time: Option<FileTime>) -> String {
    let time = time.unwrap_or(FileTime::from_unix_seconds(0));
    let (year, month, day, second) = time.to_civil();
    let name = |names: &[&'static str], number: u32| {
        usize::try_from(number).ok().and_then(|at| names.get(at)).copied().unwrap_or("Thu")
    };
    let (weekday, month) =
        (name(&WEEKDAYS, time.weekday()), name(&MONTHS, month.saturating_sub(1)));
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{weekday} {month} {day:2} {hour:02}:{minute:02}:{second:02} {year:04}")
}

/// `Thu, 22 Aug 2002 12:36:23 +0000`.
pub(super) fn rfc5322_date(time: FileTime) -> String {
    let words = asctime(Some(time));
    let mut words = words.split_ascii_whitespace();
    let mut next = || words.next().unwrap_or_default();
    let (weekday, month, day, clock, year) = (next(), next(), next(), next(), next());
    format!("{weekday}, {day} {month} {year} {clock} +0000")
}

/// A date of the forms above, with nothing before it; `None` when it is none.
pub(super) fn parse_date_words(text: &str) -> Option<FileTime> {
    date_in(text.trim()).map(|found| found.0)
}

/// The date at the start of a text, and what stands behind it.
fn date_in(text: &str) -> Option<(FileTime, &str)> {
    let (weekday, rest) = word(text)?;
    position(&WEEKDAYS, weekday.trim_end_matches(','))?;
    let (first, rest) = word(rest)?;
    let (second, rest) = word(rest)?;
    if let Some(month) = position(&MONTHS, first) {
        let (clock, rest) = word(rest)?;
        let (zone, year, rest) = zones_and_year(rest)?;
        let (after, rest) = zone_behind(rest);
        let seconds = seconds(year, month, second, clock)?;
        Some((moved(seconds, zone.or(after)), rest))
    } else {
        let month = position(&MONTHS, second)?;
        let (year, rest) = word(rest)?;
        let (clock, rest) = word(rest)?;
        let (zone, rest) = zone_behind(rest);
        let seconds = seconds(year_number(year)?, month, first, clock)?;
        Some((moved(seconds, zone), rest))
    }
}

fn word(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_start();
    let end = text.find([' ', '\t']).unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

fn position(names: &[&str], word: &str) -> Option<u32> {
    let at = names.iter().position(|name| name.eq_ignore_ascii_case(word))?;
    u32::try_from(at).ok()
}

/// Up to two words of a zone, then the year.
fn zones_and_year(mut rest: &str) -> Option<(Option<i64>, i64, &str)> {
    let mut zone = None;
    for _ in 0..3 {
        let (found, tail) = word(rest)?;
        if let Some(year) = year_number(found) {
            return Some((zone, year, tail));
        }
        zone = zone.or(zone_seconds(found));
        rest = tail;
    }
    None
}

fn year_number(word: &str) -> Option<i64> {
    let digits = word.len() == 4 && word.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| word.parse().ok()).flatten().filter(|year| (1970..=9999).contains(year))
}

/// A numeric zone behind the date, if there is one.
fn zone_behind(rest: &str) -> (Option<i64>, &str) {
    match word(rest).and_then(|(found, tail)| Some((zone_seconds(found)?, tail))) {
        Some((zone, tail)) => (Some(zone), tail),
        None => (None, rest),
    }
}

/// Seconds that a zone like `+0130` is ahead of UTC. Names of zones are not read: they mean different things.
fn zone_seconds(word: &str) -> Option<i64> {
    let (sign, digits) = match word.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let number: i64 = digits.parse().ok().filter(|_| digits.len() == 4)?;
    (0..2400).contains(&number).then(|| sign * (number / 100 * 3_600 + number % 100 * 60))
}

fn moved(seconds: i64, zone: Option<i64>) -> FileTime {
    FileTime::from_unix_seconds(seconds.saturating_sub(zone.unwrap_or(0)))
}

/// Seconds since 1970 of a year, a month counted from 0, a day and a clock time with or without seconds.
fn seconds(year: i64, month: u32, day: &str, clock: &str) -> Option<i64> {
    let mut parts = clock.split(':').map(|part| part.parse::<u32>().ok());
    let (hour, minute) = (parts.next()??, parts.next()??);
    let second = parts.next().unwrap_or(Some(0))?.min(59);
    if hour > 23 || minute > 59 || parts.next().is_some() {
        return None;
    }
    unix_seconds(year, month + 1, day.parse().ok()?, hour * 3_600 + minute * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unix(line: &str) -> Option<i64> {
        FromLine::parse(line.as_bytes()).map(|found| found.time.to_unix_seconds())
    }

    #[test]
    fn lines_with_a_date_are_from_lines() {
        let noon = Some(1_030_016_183);
        for line in [
            "From ann@example.org Thu Aug 22 11:36:23 2002\n",
            "From ann@example.org  Thu Aug 22 11:36:23 2002\r\n",
            "From - Thu Aug 22 11:36:23 2002",
            "From  Thu Aug 22 11:36:23 2002",
            "From \"ann b\"@example.org Thu Aug 22 11:36:23 2002",
            "From a Thu Aug 22 12:36:23 +0100 2002",
            "From a Thu Aug 22 12:36:23 2002 +0100",
            "From a Thu Aug 22 11:36:23 MET DST 2002 remote from host",
            "From a Thu, 22 Aug 2002 13:36:23 +0200",
        ] {
            assert_eq!(unix(line), noon, "{line}");
        }
        assert_eq!(unix("From a Thu Aug  2 11:36 2002"), Some(1_028_288_160));
    }

    #[test]
    fn other_lines_are_not() {
        for line in [
            "From here on it gets easier.",
            "From: ann@example.org Thu Aug 22 11:36:23 2002",
            ">From ann@example.org Thu Aug 22 11:36:23 2002",
            "From what I heard Thu Aug 22 11:36:23 2002",
            "From a Thu Aug 32 11:36:23 2002",
            "From a Thu Aug 22 24:36:23 2002",
            "From a Thu Aug 22 2002",
            "From ",
            "from a Thu Aug 22 11:36:23 2002",
        ] {
            assert_eq!(unix(line), None, "{line}");
        }
        let long = format!("From {} Thu Aug 22 11:36:23 2002", "a".repeat(2_000));
        assert_eq!(unix(&long), None);
    }

    #[test]
    fn what_is_written_is_read_again() {
        let flags = Some(ItemFlags::READ | ItemFlags::REPLIED);
        let time = Some(FileTime::from_unix_seconds(1_030_016_183));
        for marks in [
            MboxMarks::default(),
            MboxMarks { quoted: true, no_line_end: true, flags },
            MboxMarks { flags: Some(ItemFlags::empty()), ..Default::default() },
        ] {
            for sender in ["ann@example.org", "", "two words", "\"q\"@example.org", "new\nline"] {
                let line = FromLine::write(sender, time, marks);
                assert_eq!(line.matches('\n').count(), 1);
                let read = FromLine::parse(line.as_bytes()).unwrap();
                assert_eq!((Some(read.time), read.marks), (time, marks), "{line}");
            }
        }
        let line = FromLine::write("", None, MboxMarks::default());
        assert_eq!(line, "From MAILER-DAEMON Thu Jan  1 00:00:00 1970\n");
    }
}
