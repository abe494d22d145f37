//! What a reader sees of a message: the text, the HTML, the attachments. Decides; the bytes stay in their parts.
//!
//! The body is a sequence of pieces. An alternative is one piece with a text and an HTML form; a text that stands between attachments, or that
//! a mailing list added, is a piece of its own. What has a file name or calls itself an attachment is one.

use mail_parser::decoders::html::html_to_text;

use super::fields::{ids, text};
use super::mime::Part;
use super::promote::subject_of;
use crate::mapi::AttachmentInfo;

/// A piece of the body: one form or both.
#[derive(Debug, Clone, Copy, Default)]
struct Piece<'p, 'a> {
    text: Option<&'p Part<'a>>,
    html: Option<&'p Part<'a>>,
}

/// An attachment: its part, and whether it belongs to the text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Attached<'p, 'a> {
    pub(super) part: &'p Part<'a>,
    pub(super) inline: bool,
}

/// The message as a reader sees it.
#[derive(Debug, Default)]
pub(super) struct Bodies<'p, 'a> {
    pieces: Vec<Piece<'p, 'a>>,
    /// In the order of the message.
    pub(super) attachments: Vec<Attached<'p, 'a>>,
    /// The first calendar part, wherever it stands.
    pub(super) calendar: Option<&'p Part<'a>>,
}

/// Where a part stands.
#[derive(Debug, Clone, Copy)]
enum Place {
    Root,
    Mixed,
    /// In an alternative: fills the forms of the last piece.
    Alternative,
    /// Behind the first part of a related multipart, or a signature.
    Beside,
}

impl<'p, 'a> Bodies<'p, 'a> {
    /// Sorts the parts of a message.
    pub(super) fn of(root: &'p Part<'a>) -> Self {
        let mut bodies = Self::default();
        bodies.sort(root, Place::Root);
        bodies
    }

    // The depth of the recursion is that of the tree, which the parser bounds.
    fn sort(&mut self, part: &'p Part<'a>, place: Place) {
        if part.children.is_empty() {
            return self.leaf(part, place);
        }
        let inner = |first: bool| match (part.content_type.sub.as_str(), place) {
            ("related" | "signed", _) if !first => Place::Beside,
            ("alternative", Place::Root | Place::Mixed) => Place::Alternative,
            (_, Place::Root) => Place::Mixed,
            _ => place,
        };
        if matches!(
            (part.content_type.sub.as_str(), place),
            ("alternative", Place::Root | Place::Mixed)
        ) {
            self.pieces.push(Piece::default());
        }
        for (at, child) in part.children.iter().enumerate() {
            self.sort(child, inner(at == 0));
        }
    }

    fn leaf(&mut self, part: &'p Part<'a>, place: Place) {
        let kind = &part.content_type;
        if kind.is("text", "calendar") {
            self.calendar = self.calendar.or(Some(part));
        }
        let plain = kind.is("text", "plain") || kind.main.is_empty() || kind.main == "multipart";
        let html = kind.is("text", "html");
        let beside = matches!(place, Place::Beside);
        // Other forms of the text (a calendar object, rich text) are kept, but are nothing beside it.
        let other_form = matches!(place, Place::Alternative);
        if (plain || html)
            && !beside
            && !is_set_apart(part, place)
            && self.take_text(part, html, place)
        {
            return;
        }
        let inline = beside || other_form || is_named_by_a_body(part);
        self.attachments.push(Attached { part, inline });
    }

    /// Puts a text into the body; `false` when its form is already there.
    fn take_text(&mut self, part: &'p Part<'a>, html: bool, place: Place) -> bool {
        if !matches!(place, Place::Alternative) {
            self.pieces.push(Piece::default());
        }
        let Some(piece) = self.pieces.last_mut() else { return false };
        let form = if html { &mut piece.html } else { &mut piece.text };
        let free = form.is_none();
        if free {
            *form = Some(part);
        }
        free
    }

    /// The text body: all pieces that have text, an HTML piece between them as text. `None` when no piece has text.
    pub(super) fn text(&self) -> Option<String> {
        self.pieces.iter().find(|piece| piece.text.is_some())?;
        let piece = |piece: &Piece<'_, '_>| match (piece.text, piece.html) {
            (Some(text), _) => Some(text.text()),
            (None, Some(html)) => Some(html_to_text(&html.text())),
            (None, None) => None,
        };
        Some(self.pieces.iter().filter_map(piece).collect::<Vec<_>>().join("\r\n"))
    }

    /// The HTML body: all pieces, text between them as preformatted text. `None` when no piece has HTML.
    pub(super) fn html(&self) -> Option<String> {
        self.pieces.iter().find(|piece| piece.html.is_some())?;
        let piece = |piece: &Piece<'_, '_>| match (piece.html, piece.text) {
            (Some(html), _) => Some(html.text()),
            (None, Some(text)) => Some(format!("<pre>{}</pre>", escaped(&text.text()))),
            (None, None) => None,
        };
        Some(self.pieces.iter().filter_map(piece).collect::<Vec<_>>().join("\r\n"))
    }

    /// Whether an attachment stands beside the text, for the paper clip.
    pub(super) fn has_attachments(&self) -> bool {
        self.attachments.iter().any(|attached| !attached.inline)
    }
}

/// Whether a text is meant to be a file, not part of the body. A lone text stays the body even if it has a name.
fn is_set_apart(part: &Part<'_>, place: Place) -> bool {
    let root = matches!(place, Place::Root);
    part.disposition.main == "attachment" || (!root && !part.file_name().is_empty())
}

/// Whether a body may show it in its place.
fn is_named_by_a_body(part: &Part<'_>) -> bool {
    part.disposition.main != "attachment"
        && part.content_type.main == "image"
        && part.headers.first("Content-ID").is_some()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

impl Attached<'_, '_> {
    /// What lists show of the attachment whose decoded data is so long.
    pub(super) fn info(&self, data: &[u8]) -> AttachmentInfo {
        let part = self.part;
        let embedded_message = part.is_message();
        let mut name = part.file_name();
        if name.is_empty() && embedded_message {
            name = subject_of(data);
        }
        if name.is_empty() {
            name = part.headers.first("Content-Description").map(text).unwrap_or_default();
        }
        let id = part.headers.first("Content-ID").and_then(|value| ids(value).into_iter().next());
        AttachmentInfo {
            name,
            mime_type: part.content_type.mime_type(),
            size_bytes: u64::try_from(data.len()).unwrap_or(u64::MAX),
            content_id: id.unwrap_or_default().trim_matches(['<', '>']).to_string(),
            inline: self.inline,
            embedded_message,
        }
    }
}
