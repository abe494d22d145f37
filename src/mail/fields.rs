//! Values of header fields: text, addresses, dates, ids, parameters. Field by field, with the parsers of `mail-parser`.
//!
//! Those parsers take time that grows faster than the length of some hostile values, so values are cut before they see them.

use std::borrow::Cow;

use mail_parser::parsers::MessageStream;
use mail_parser::{Addr, Address, ContentType, DateTime, HeaderValue};

use super::charset;
use super::from_line::parse_date_words;
use crate::mapi::{FileTime, Party};

/// Longest value of a list of addresses or ids, in bytes.
const LIST_BYTES: usize = 1 << 20;
/// Longest other value.
const VALUE_BYTES: usize = 1 << 16;
/// Longest value with parameters: their continuations are put together one by one.
const PARAMETER_BYTES: usize = 1 << 13;
/// Broken encoded words each cost a look at the whole rest: at most so many bytes are looked at.
const ENCODED_WORD_WORK: usize = 1 << 25;
/// Length to which a value is cut when they would cost more.
const ENCODED_WORD_BYTES: usize = 1 << 14;

/// The value as UTF-8 with one line end behind it, as the parsers want it, cut to a bearable length.
fn prepared(value: &[u8], limit: usize) -> Vec<u8> {
    let mut value = value.get(..limit).unwrap_or(value);
    let words = value.windows(2).filter(|pair| *pair == b"=?").count();
    if words.saturating_mul(value.len()) > ENCODED_WORD_WORK {
        value = value.get(..ENCODED_WORD_BYTES).unwrap_or(value);
    }
    let text = match std::str::from_utf8(value) {
        Ok(_) => Cow::Borrowed(value),
        Err(_) => Cow::Owned(charset::guess(value).into_bytes()),
    };
    let mut line = text.trim_ascii_end().to_vec();
    line.push(b'\n');
    line
}

/// Text without the control characters that a line of text must not have.
fn clean(text: &str) -> String {
    text.chars().filter(|c| !c.is_control() || *c == '\t').collect::<String>().trim().to_string()
}

/// A text value: unfolded, encoded words decoded.
pub(super) fn text(value: &[u8]) -> String {
    let line = prepared(value, VALUE_BYTES);
    match MessageStream::new(&line).parse_unstructured() {
        HeaderValue::Text(text) => clean(&text),
        _ => String::new(),
    }
}

/// A short word: an encoding, a level of importance.
pub(super) fn word(value: &[u8]) -> String {
    let text = text(value);
    text.split([' ', '\t', ';', '(']).next().unwrap_or_default().to_ascii_lowercase()
}

/// The mailboxes of an address list, members of groups included.
pub(super) fn parties(value: &[u8]) -> Vec<Party> {
    let line = prepared(value, LIST_BYTES);
    let party = |addr: &Addr<'_>| {
        let part = |text: &Option<Cow<'_, str>>| clean(text.as_deref().unwrap_or_default());
        Party::smtp(part(&addr.name), part(&addr.address))
    };
    let parties: Vec<Party> = match MessageStream::new(&line).parse_address() {
        HeaderValue::Address(Address::List(list)) => list.iter().map(party).collect(),
        HeaderValue::Address(Address::Group(groups)) => {
            groups.iter().flat_map(|group| &group.addresses).map(party).collect()
        }
        _ => Vec::new(),
    };
    parties.into_iter().filter(|party| !party.is_empty()).collect()
}

/// The ids of a list, each in angle brackets.
pub(super) fn ids(value: &[u8]) -> Vec<String> {
    let line = prepared(value, LIST_BYTES);
    let bracketed = |id: Cow<'_, str>| format!("<{}>", clean(&id));
    match MessageStream::new(&line).parse_id() {
        HeaderValue::Text(id) => vec![bracketed(id)],
        HeaderValue::TextList(ids) => ids.into_iter().map(bracketed).collect(),
        _ => Vec::new(),
    }
}

/// A date: as RFC 5322 writes it, behind the last semicolon of a `Received` field, or as C does (`asctime`).
pub(super) fn date(value: &[u8]) -> Option<FileTime> {
    let line = prepared(value, VALUE_BYTES);
    let behind = line.rsplit(|byte| *byte == b';').next().unwrap_or(&line);
    let parsed = match MessageStream::new(behind).parse_date() {
        HeaderValue::DateTime(date) => time_of(date),
        _ => None,
    };
    parsed.or_else(|| parse_date_words(std::str::from_utf8(behind).ok()?))
}

fn time_of(date: DateTime) -> Option<FileTime> {
    let second = date.second.min(59); // a leap second
    let date = DateTime { second, ..date };
    (date.is_valid() && date.year >= 1970).then(|| FileTime::from_unix_seconds(date.to_timestamp()))
}

/// A value with parameters: `Content-Type`, `Content-Disposition`.
#[derive(Debug, Clone, Default)]
pub(super) struct Parameters {
    /// What stands before the slash, or the only word; lower case.
    pub(super) main: String,
    /// What stands behind the slash; lower case, empty when there is none.
    pub(super) sub: String,
    attributes: Vec<(String, String)>,
}

impl Parameters {
    /// Reads a value; an unreadable one is empty.
    pub(super) fn parse(value: &[u8]) -> Self {
        let line = prepared(value, PARAMETER_BYTES);
        match MessageStream::new(&line).parse_content_type() {
            HeaderValue::ContentType(found) => Self::of(found),
            _ => Self::default(),
        }
    }

    fn of(found: ContentType<'_>) -> Self {
        let attribute =
            |a: mail_parser::Attribute<'_>| (a.name.to_ascii_lowercase(), a.value.into());
        Self {
            main: found.c_type.to_ascii_lowercase(),
            sub: found.c_subtype.unwrap_or_default().to_ascii_lowercase(),
            attributes: found.attributes.unwrap_or_default().into_iter().map(attribute).collect(),
        }
    }

    /// A parameter as it is written.
    pub(super) fn raw(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|a| a.0 == name).map(|a| a.1.as_str())
    }

    /// A parameter as text: many programs put encoded words into file names.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.raw(name).map(|value| text(value.as_bytes())).filter(|value| !value.is_empty())
    }

    /// Main and sub type with a slash between; empty when there is none.
    pub(super) fn mime_type(&self) -> String {
        if self.sub.is_empty() { self.main.clone() } else { format!("{}/{}", self.main, self.sub) }
    }

    /// Whether these are main and sub type.
    pub(super) fn is(&self, main: &str, sub: &str) -> bool {
        self.main == main && self.sub == sub
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_unfolded_and_decoded() {
        assert_eq!(
            text(b" =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n =?utf-8?b?IGFu?= all\r\n"),
            "Grüße an all"
        );
        assert_eq!(text(b" caf\xe9\r\n"), "café");
        assert_eq!(text(b" a\x00b\x07 =?x"), "ab =?x");
        assert_eq!(text(b""), "");
    }

    #[test]
    fn addresses_come_with_names_groups_and_comments() {
        let list = parties(
            b" \"Ann, A.\" <ann@example.org>, bob@example.org (Bob),\r\n team: c@example.org;",
        );
        assert_eq!(
            list,
            [
                Party::smtp("Ann, A.", "ann@example.org"),
                Party::smtp("Bob", "bob@example.org"),
                Party::smtp("", "c@example.org"),
            ]
        );
        assert_eq!(parties(b" undisclosed-recipients:;"), []);
        assert_eq!(parties(b" <>"), []);
        assert_eq!(
            parties(b" M\xfcller <m@example.org>"),
            [Party::smtp("Müller", "m@example.org")]
        );
    }

    #[test]
    fn dates_are_read_in_several_forms() {
        let unix = |value: &[u8]| date(value).map(FileTime::to_unix_seconds);
        assert_eq!(unix(b" Thu, 22 Aug 2002 12:36:23 +0100\r\n"), Some(1_030_016_183));
        assert_eq!(unix(b" 22 Aug 02 11:36:23 GMT (summer)"), Some(1_030_016_183));
        assert_eq!(unix(b" Thu Aug 22 11:36:23 2002"), Some(1_030_016_183));
        assert_eq!(unix(b" from a by b; Thu,\r\n 22 Aug 2002 12:36:23 +0100"), Some(1_030_016_183));
        for broken in
            [&b" soon"[..], b"", b" 99 Foo 2002 12:00:00 +0000", b" Thu, 22 Aug 1602 1:1:1 Z"]
        {
            assert_eq!(unix(broken), None);
        }
    }

    #[test]
    fn parameters_are_read_with_continuations_and_encodings() {
        let found = Parameters::parse(
            b" Text/PLAIN; charset=\"utf-8\";\r\n name*0*=iso-8859-1''caf%E9; name*1=.txt; x==?utf-8?q?=C3=A9?=",
        );
        assert!(found.is("text", "plain"));
        assert_eq!(found.raw("charset"), Some("utf-8"));
        assert_eq!(found.text("name").as_deref(), Some("café.txt"));
        assert_eq!(Parameters::parse(b"").mime_type(), "");
        assert_eq!(Parameters::parse(b" attachment; filename=a b.txt").main, "attachment");
    }

    #[test]
    fn ids_get_their_brackets() {
        assert_eq!(
            ids(b" <a@example.org>\r\n <b@example.org>"),
            ["<a@example.org>", "<b@example.org>"]
        );
        assert_eq!(ids(b" bare@example.org"), ["<bare@example.org>"]);
        assert_eq!(ids(b" "), [""; 0]);
    }

    #[test]
    fn hostile_values_take_no_long_time() {
        let started = std::time::Instant::now();
        for piece in ["=?aa?q?x", "=?aa?b?", "a*1=x;", "\"(", "(", "<", "\\", ":;", "=?", "[fwd:"] {
            let value = piece.repeat((4 << 20) / piece.len());
            let value = value.as_bytes();
            _ = (text(value), parties(value), ids(value), date(value), Parameters::parse(value));
        }
        assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
    }
}
