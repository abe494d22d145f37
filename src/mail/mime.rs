//! The parts of a message: a tree over its bytes, nothing decoded. Knows multiparts; decides nothing about bodies.
//!
//! Bounded whatever the message says: at most [`MAX_DEPTH`] levels and [`MAX_PARTS`] parts; what lies deeper or behind stays one part.
//! Messages inside a message are leaves here; who wants their parts parses them as messages of their own.

use super::fields::{Parameters, word};
use super::headers::{Headers, split};
use super::{charset, transfer};

/// Levels of multiparts that are taken apart.
const MAX_DEPTH: usize = 30;
/// Parts of one message that are told apart.
const MAX_PARTS: usize = 10_000;

/// A part: a leaf, or a multipart with its children.
#[derive(Debug, Default)]
pub(super) struct Part<'a> {
    /// Its header fields; the message's own for the root.
    pub(super) headers: Headers<'a>,
    /// The bytes behind the header, not decoded.
    pub(super) body: &'a [u8],
    /// `Content-Type`, or what stands for it where there is none.
    pub(super) content_type: Parameters,
    /// `Content-Disposition`; empty when there is none.
    pub(super) disposition: Parameters,
    /// The parts of a multipart that has any.
    pub(super) children: Vec<Part<'a>>,
}

impl<'a> Part<'a> {
    /// Parses a message.
    pub(super) fn parse(message: &'a [u8]) -> Self {
        let mut left = MAX_PARTS;
        part(message, 0, &mut left, "text/plain")
    }

    /// The content, decoded.
    pub(super) fn data(&self) -> std::borrow::Cow<'a, [u8]> {
        transfer::decode(&self.encoding(), self.body)
    }

    /// The content as text, by its charset.
    pub(super) fn text(&self) -> String {
        charset::decode(self.content_type.raw("charset"), &self.data())
    }

    fn encoding(&self) -> String {
        self.headers.first("Content-Transfer-Encoding").map(word).unwrap_or_default()
    }

    /// The file name it gives itself; empty when it does not.
    pub(super) fn file_name(&self) -> String {
        let named = self.disposition.text("filename").or_else(|| self.content_type.text("name"));
        named.unwrap_or_default()
    }

    /// Whether it holds a message of its own.
    pub(super) fn is_message(&self) -> bool {
        self.content_type.main == "message"
            && ["rfc822", "global"].contains(&self.content_type.sub.as_str())
    }
}

fn part<'a>(bytes: &'a [u8], depth: usize, left: &mut usize, default: &str) -> Part<'a> {
    let (headers, body) = split(bytes);
    let parameters = |name| headers.first(name).map(Parameters::parse).unwrap_or_default();
    let mut content_type = parameters("Content-Type");
    if content_type.main.is_empty() {
        content_type = Parameters::parse(default.as_bytes());
    }
    let mut part = Part {
        disposition: parameters("Content-Disposition"),
        headers,
        body,
        content_type,
        children: Vec::new(),
    };
    if part.content_type.main == "multipart" && depth < MAX_DEPTH {
        let boundary = part.content_type.raw("boundary").unwrap_or_default().trim_end().to_string();
        let digest = part.content_type.sub == "digest";
        let default = if digest { "message/rfc822" } else { "text/plain" };
        if !boundary.is_empty() {
            part.children = children(body, &boundary, depth, left, default);
        }
    }
    part
}

fn children<'a>(
    body: &'a [u8],
    boundary: &str,
    depth: usize,
    left: &mut usize,
    default: &str,
) -> Vec<Part<'a>> {
    let mut parts = Vec::new();
    let mut start: Option<usize> = None;
    let mut at = 0;
    for line in body.split_inclusive(|byte| *byte == b'\n') {
        let begin = at;
        at += line.len();
        let Some(last) = delimiter(line, boundary) else { continue };
        if let Some(start) = start.take() {
            let bytes = without_line_end(body.get(start..begin).unwrap_or_default());
            parts.push(part(bytes, depth + 1, left, default));
        }
        if last {
            return parts;
        }
        if *left == 0 {
            // Everything that follows stays one part, so that nothing is lost from sight.
            break;
        }
        *left -= 1;
        start = Some(at);
    }
    if let Some(rest) = start.and_then(|start| body.get(start..)) {
        parts.push(part(rest, depth + 1, left, default));
    }
    parts
}

/// Whether a line delimits parts; `Some(true)` for the one behind the last part.
fn delimiter(line: &[u8], boundary: &str) -> Option<bool> {
    let rest = line.strip_prefix(b"--")?.strip_prefix(boundary.as_bytes())?.trim_ascii_end();
    match rest {
        b"" => Some(false),
        [b'-', b'-', ..] => Some(true),
        _ => None,
    }
}

/// The line end before a delimiter belongs to the delimiter.
fn without_line_end(bytes: &[u8]) -> &[u8] {
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    bytes.strip_suffix(b"\r").unwrap_or(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(part: &Part<'_>) -> String {
        let inner: Vec<_> = part.children.iter().map(shape).collect();
        let own = part.content_type.mime_type();
        if inner.is_empty() {
            format!("{own}:{}", String::from_utf8_lossy(part.body))
        } else {
            format!("{own}[{}]", inner.join(" "))
        }
    }

    fn shape_of(message: &str) -> String {
        shape(&Part::parse(message.as_bytes()))
    }

    #[test]
    fn nested_multiparts_become_a_tree() {
        let message = "Content-Type: multipart/mixed; boundary=a\n\npreamble\n--a\n\
            Content-Type: multipart/alternative; boundary=ab\n\n--ab\n\none\n--ab\nContent-Type: text/html\n\ntwo\n--ab--\n\
            --a\n\nthree\n\n--a--\nepilogue\n";
        assert_eq!(
            shape_of(message),
            "multipart/mixed[multipart/alternative[text/plain:one text/html:two] text/plain:three\n]"
        );
    }

    #[test]
    fn missing_ends_and_missing_boundaries_lose_nothing() {
        assert_eq!(
            shape_of("Content-Type: multipart/mixed; boundary=a\n\n--a\n\none\n"),
            "multipart/mixed[text/plain:one\n]"
        );
        assert_eq!(shape_of("Content-Type: multipart/mixed\n\n--a\n"), "multipart/mixed:--a\n");
        assert_eq!(
            shape_of("Content-Type: multipart/mixed; boundary=a\n\nno part\n"),
            "multipart/mixed:no part\n"
        );
        assert_eq!(shape_of(""), "text/plain:");
    }

    #[test]
    fn parts_of_a_digest_are_messages() {
        let digest = "Content-Type: multipart/digest; boundary=a\r\n\r\n--a\r\n\r\nSubject: x\r\n\r\nbody\r\n--a--\r\n";
        let part = Part::parse(digest.as_bytes());
        assert!(part.children[0].is_message());
        assert_eq!(part.children[0].body, b"Subject: x\r\n\r\nbody");
    }

    #[test]
    fn depth_and_number_of_parts_are_bounded() {
        let mut deep = String::new();
        for level in 0..10_000 {
            deep += &format!("Content-Type: multipart/mixed; boundary=b{level}\n\n--b{level}\n");
        }
        let mut part = &Part::parse(deep.as_bytes());
        let mut depth = 0;
        while let Some(child) = part.children.first() {
            (part, depth) = (child, depth + 1);
        }
        assert_eq!(depth, MAX_DEPTH);
        let wide =
            format!("Content-Type: multipart/mixed; boundary=a\n\n{}", "--a\n\n".repeat(20_000));
        assert_eq!(Part::parse(wide.as_bytes()).children.len(), MAX_PARTS);
    }
}
