//! MIME from the MAPI form, for mail that has no MIME of its own. Deterministic: the same properties give the same bytes.
//!
//! What comes out is a mail that promotes to the same properties (P-soft is equal), not the bytes that a MAPI form was once made from.
//! Values come from a store and may be hostile: a line end in one of them never begins a header field of its own.

use std::fmt::Write as _;

use super::from_line::rfc5322_date;
use crate::mapi::{
    AttachmentBody, AttachmentInfo, FileTime, Importance, MapiAttachment, MapiMessage, Party,
    Promoted, RecipientKind, Sensitivity,
};

/// Longest line of base64.
const BASE64_LINE: usize = 76;
/// Bytes of text in one encoded word, so that the word keeps to 75 characters.
const WORD_BYTES: usize = 42;

/// Writes a mail with CRLF line ends.
pub fn to_mime(message: &MapiMessage) -> Vec<u8> {
    let mut out = header(&message.promoted).into_bytes();
    let boundary = free_boundary(message);
    let text = message.body_text.as_deref();
    let html = message.body_html.as_deref();
    if message.attachments.is_empty() {
        bodies(&mut out, text, html, &format!("{boundary}-alt"));
        return out;
    }
    push(&mut out, &format!("Content-Type: multipart/mixed; boundary=\"{boundary}\"\r\n\r\n"));
    if text.is_some() || html.is_some() {
        push(&mut out, &format!("--{boundary}\r\n"));
        bodies(&mut out, text, html, &format!("{boundary}-alt"));
    }
    for attachment in &message.attachments {
        push(&mut out, &format!("--{boundary}\r\n"));
        attachment_part(&mut out, attachment);
    }
    push(&mut out, &format!("--{boundary}--\r\n"));
    out
}

fn push(out: &mut Vec<u8>, text: &str) {
    out.extend(text.as_bytes());
}

fn header(mail: &Promoted) -> String {
    let mut out = String::new();
    let mut field = |name: &str, value: String| {
        if !value.is_empty() {
            _ = write!(out, "{name}: {value}\r\n"); // writing to a string does not fail
        }
    };
    let date = |time: Option<FileTime>| time.map(rfc5322_date).unwrap_or_default();
    if mail.delivery_time != mail.submit_time {
        field("Delivery-Date", date(mail.delivery_time));
    }
    field("From", party(&mail.represented));
    if mail.sender != mail.represented {
        field("Sender", party(&mail.sender));
    }
    for (name, kind) in
        [("To", RecipientKind::To), ("Cc", RecipientKind::Cc), ("Bcc", RecipientKind::Bcc)]
    {
        let list = mail.recipients.iter().filter(|r| r.kind == kind).map(|r| party(&r.party));
        field(name, list.collect::<Vec<_>>().join(",\r\n "));
    }
    field("Subject", words(&mail.subject));
    field("Date", date(mail.submit_time));
    field("Message-ID", one_line(&mail.message_id));
    field("In-Reply-To", one_line(&mail.in_reply_to));
    let references: Vec<_> = mail.references.iter().map(|id| one_line(id)).collect();
    field("References", references.join("\r\n "));
    let importance = match mail.importance {
        Importance::Low => "low",
        Importance::Normal => "",
        Importance::High => "high",
    };
    field("Importance", importance.to_string());
    let sensitivity = match mail.sensitivity {
        Sensitivity::Normal => "",
        Sensitivity::Personal => "Personal",
        Sensitivity::Private => "Private",
        Sensitivity::Confidential => "Company-Confidential",
    };
    field("Sensitivity", sensitivity.to_string());
    field("Keywords", words(&mail.categories.join(", ")));
    field("MIME-Version", "1.0".to_string());
    out
}

/// The body: one form, an alternative of two, or an empty text.
fn bodies(out: &mut Vec<u8>, text: Option<&str>, html: Option<&str>, boundary: &str) {
    match (text, html) {
        (Some(text), Some(html)) => {
            push(
                out,
                &format!(
                    "Content-Type: multipart/alternative; boundary=\"{boundary}\"\r\n\r\n--{boundary}\r\n"
                ),
            );
            body(out, "plain", text);
            push(out, &format!("--{boundary}\r\n"));
            body(out, "html", html);
            push(out, &format!("--{boundary}--\r\n"));
        }
        (None, Some(html)) => body(out, "html", html),
        (text, None) => body(out, "plain", text.unwrap_or_default()),
    }
}

/// A text in base64: no content can be read as a boundary, and every line end comes back.
fn body(out: &mut Vec<u8>, kind: &str, text: &str) {
    push(
        out,
        &format!(
            "Content-Type: text/{kind}; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        ),
    );
    base64_lines(out, text.as_bytes());
}

fn attachment_part(out: &mut Vec<u8>, attachment: &MapiAttachment) {
    let info = &attachment.info;
    let embedded = matches!(attachment.body, AttachmentBody::Message { .. });
    push(out, &format!("Content-Type: {}\r\n", mime_type(info, embedded)));
    let place = if info.inline { "inline" } else { "attachment" };
    push(out, &format!("Content-Disposition: {place}"));
    if !info.name.is_empty() {
        let percent = percent_encoded(&info.name);
        push(out, &format!(";\r\n filename*=utf-8''{percent}"));
    }
    push(out, "\r\n");
    if !info.content_id.is_empty() {
        push(out, &format!("Content-ID: <{}>\r\n", one_line(&info.content_id)));
    }
    if embedded {
        push(out, "\r\n");
        out.extend(attachment.body.bytes());
        push(out, "\r\n");
    } else {
        push(out, "Content-Transfer-Encoding: base64\r\n\r\n");
        base64_lines(out, attachment.body.bytes());
    }
}

fn mime_type(info: &AttachmentInfo, embedded: bool) -> String {
    let token = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-+._".contains(&b))
    };
    let sound = info.mime_type.split_once('/').is_some_and(|(main, sub)| token(main) && token(sub));
    match (embedded, sound && !info.mime_type.starts_with("multipart/")) {
        (true, _) => "message/rfc822".to_string(),
        (false, true) => info.mime_type.clone(),
        (false, false) => "application/octet-stream".to_string(),
    }
}

/// Someone, as an address list writes them.
fn party(party: &Party) -> String {
    let address: String =
        party.address.chars().filter(|c| c.is_ascii_graphic() && !"<>,;\"".contains(*c)).collect();
    let plain = |c: char| c.is_ascii_alphanumeric() || " .-_'".contains(c);
    let name = if party.name.chars().all(plain) && !party.name.is_empty() {
        format!("\"{}\"", party.name)
    } else {
        encoded_words(&party.name)
    };
    match (name.is_empty(), address.is_empty()) {
        (true, true) => String::new(),
        (true, false) => format!("<{address}>"),
        (false, true) => name,
        (false, false) => format!("{name} <{address}>"),
    }
}

/// Text for a header field: as it is where that is safe, else in encoded words.
fn words(text: &str) -> String {
    let plain = |c: char| c.is_ascii_graphic() || c == ' ';
    let short = text.split(' ').all(|word| word.len() < 60);
    if text.chars().all(plain) && short && !text.contains("=?") && text.len() < 900 {
        text.to_string()
    } else {
        encoded_words(text)
    }
}

fn encoded_words(text: &str) -> String {
    let mut encoded = Vec::new();
    let mut piece = String::new();
    for c in text.chars() {
        if piece.len() + c.len_utf8() > WORD_BYTES {
            encoded.push(encoded_word(&piece));
            piece.clear();
        }
        piece.push(c);
    }
    if !piece.is_empty() {
        encoded.push(encoded_word(&piece));
    }
    encoded.join("\r\n ")
}

fn encoded_word(text: &str) -> String {
    format!("=?utf-8?B?{}?=", base64(text.as_bytes()))
}

/// A value without the characters that would end its line.
fn one_line(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

fn percent_encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._".contains(&byte) {
            out.push(char::from(byte));
        } else {
            _ = write!(out, "%{byte:02X}"); // writing to a string does not fail
        }
        out
    })
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digit = |group: u32, shift: u32| {
        let at = usize::try_from(group >> shift & 63).unwrap_or_default();
        ALPHABET.get(at).copied().map_or('A', char::from)
    };
    let mut out = String::with_capacity(bytes.len().div_ceil(3).saturating_mul(4));
    for chunk in bytes.chunks(3) {
        let at = |index: usize| chunk.get(index).copied().unwrap_or_default();
        let group = u32::from_be_bytes([0, at(0), at(1), at(2)]);
        out.push(digit(group, 18));
        out.push(digit(group, 12));
        out.push(if chunk.len() > 1 { digit(group, 6) } else { '=' });
        out.push(if chunk.len() > 2 { digit(group, 0) } else { '=' });
    }
    out
}

fn base64_lines(out: &mut Vec<u8>, bytes: &[u8]) {
    for line in bytes.chunks(BASE64_LINE / 4 * 3) {
        push(out, &base64(line));
        push(out, "\r\n");
    }
}

/// A boundary that no embedded message contains. Everything else is base64, in which it cannot occur.
fn free_boundary(message: &MapiMessage) -> String {
    let key: String =
        message.promoted.search_key.0.iter().map(|byte| format!("{byte:02x}")).collect();
    let bodies = message.attachments.iter().map(|attachment| &attachment.body);
    let raw: Vec<_> = bodies.filter(|body| body.method() == 5).map(AttachmentBody::bytes).collect();
    let mut number = 0_u32;
    loop {
        let boundary = format!("=_{key}-{number}");
        let taken =
            |bytes: &&[u8]| bytes.windows(boundary.len()).any(|at| at == boundary.as_bytes());
        // A body can hold only so many of the four thousand million.
        if !raw.iter().any(taken) || number == u32::MAX {
            return boundary;
        }
        number += 1;
    }
}

#[cfg(test)]
#[path = "write_tests.rs"]
mod tests;
