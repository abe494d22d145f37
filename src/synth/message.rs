//! One mail, from numbers: headers, a body of words, attachments. Deterministic, and cheap to make.

use std::fmt::Write as _;

use super::profile::{Kind, Shape};
use super::random::Random;
use super::words::{Charset, LINE_BYTES, WORDS, base64, name, noise, quoted_printable, words};
use crate::mapi::FileTime;

const ENDINGS: [(&str, &str); 6] = [
    ("doc", "application/msword"),
    ("xls", "application/vnd.ms-excel"),
    ("txt", "text/plain"),
    ("pdf", "application/pdf"),
    ("jpg", "image/jpeg"),
    ("zip", "application/zip"),
];
/// So many of the endings stand for files full of text.
const TEXTUAL: usize = 3;
/// Longest body in bytes.
const BODY_MAX: f64 = 2e6;

/// What is written about a mail, beside its random filling.
#[derive(Debug, Clone)]
pub(super) struct Letter {
    /// Number that no other mail of the store has.
    pub number: u64,
    /// When it was sent.
    pub sent: FileTime,
    /// Version: an edited mail has a higher one.
    pub version: u32,
    /// What it is.
    pub kind: Kind,
    /// What its thread is about.
    pub topic: String,
    /// Numbers of the mails it answers, the first of the thread first.
    pub ancestors: Vec<u64>,
}

/// A mail.
#[derive(Debug)]
pub(super) struct Mail {
    /// Its MIME.
    pub bytes: Vec<u8>,
    /// How many of the bytes are attachments in base64.
    pub attached_bytes: usize,
}

/// Writes a mail as MIME.
pub(super) fn mime(shape: &Shape, letter: &Letter, random: &mut Random) -> Mail {
    let charset = Charset::pick(random);
    let subject = match random.pick(charset.words) {
        Some(word) => charset.header(format!("{} {word}", letter.topic)),
        None => letter.topic.clone(),
    };
    let head = head(letter, &subject, random);
    if letter.kind == Kind::Note {
        note(shape, letter, head, &charset, random)
    } else {
        Mail { bytes: entry(letter, head, random).into_bytes(), attached_bytes: 0 }
    }
}

/// The fields that every mail has.
pub(super) fn head(letter: &Letter, subject: &str, random: &mut Random) -> String {
    let (from, to) = (name(random), name(random));
    let (number, version) = (letter.number, letter.version);
    let reply = if letter.ancestors.is_empty() { "" } else { "RE: " };
    let date = date(letter.sent);
    let mut out = format!(
        "Received: from relay.harbour.example by mail.harbour.example; {date}\r\n\
         From: {} <{}@harbour.example>\r\nTo: {} <{}@harbour.example>\r\n\
         Subject: {reply}{subject}\r\nDate: {date}\r\nMessage-ID: <{number:016x}.{version}@harbour.example>\r\n\
         MIME-Version: 1.0\r\n",
        from.0, from.1, to.0, to.1,
    );
    // Writing to a string does not fail.
    if random.chance(0.25) {
        let copied = (0..=random.below(4)).map(|_| name(random));
        let copied: Vec<_> =
            copied.map(|(name, at)| format!("{name} <{at}@harbour.example>")).collect();
        _ = write!(out, "Cc: {}\r\n", copied.join(",\r\n\t"));
    }
    if let Some(parent) = letter.ancestors.last() {
        _ = write!(out, "In-Reply-To: <{parent:016x}.0@harbour.example>\r\nReferences:");
        for ancestor in &letter.ancestors {
            _ = write!(out, "\r\n <{ancestor:016x}.0@harbour.example>");
        }
        out.push_str("\r\n");
    }
    if random.chance(0.2) {
        _ = write!(out, "Keywords: {}\r\n", words(random, 1, 2));
    }
    if random.chance(0.05) {
        out.push_str("Importance: high\r\n");
    }
    out
}

fn note(
    shape: &Shape,
    letter: &Letter,
    mut out: String,
    charset: &Charset,
    random: &mut Random,
) -> Mail {
    let attachments = attachment_sizes(shape, random);
    let is_html = random.chance(shape.html);
    let body_bytes = random.log_normal(shape.body.0, shape.body.1).clamp(20.0, BODY_MAX) as usize;
    let boundary = format!("=_part-{:016x}", letter.number);
    if !attachments.is_empty() {
        _ = write!(
            out,
            "Content-Type: multipart/mixed; boundary=\"{boundary}\"\r\n\r\n--{boundary}\r\n"
        );
    }
    let kind = if is_html { "html" } else { "plain" };
    _ = write!(out, "Content-Type: text/{kind}; charset={}\r\n", charset.label);
    let mut bytes = if charset.words.is_empty() {
        // Plain ASCII, which most mails are: the quick way.
        out.push_str("\r\n");
        body(&mut out, body_bytes, is_html, letter.version, charset, random);
        out.into_bytes()
    } else {
        let mut text = String::new();
        body(&mut text, body_bytes, is_html, letter.version, charset, random);
        transferred(out, &charset.encode(&text), random)
    };
    let head_bytes = bytes.len();
    for size_bytes in &attachments {
        attachment(&mut bytes, &boundary, *size_bytes, random);
    }
    let attached_bytes = bytes.len() - head_bytes;
    if !attachments.is_empty() {
        bytes.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    }
    Mail { bytes, attached_bytes }
}

/// A body that needs more than seven bits, in one of the ways in which such bodies travel.
fn transferred(mut head: String, body: &[u8], random: &mut Random) -> Vec<u8> {
    let way = random.below(3);
    let name = ["8bit", "quoted-printable", "base64"][way as usize];
    _ = write!(head, "Content-Transfer-Encoding: {name}\r\n\r\n");
    let mut bytes = head.into_bytes();
    match way {
        0 => bytes.extend_from_slice(body),
        1 => quoted_printable(body, &mut bytes),
        _ => base64_lines(body, &mut bytes),
    }
    bytes
}

/// A meeting, or what a client keeps that is no mail: a short text.
fn entry(letter: &Letter, mut out: String, random: &mut Random) -> String {
    let place = words(random, 1, 3);
    if letter.kind != Kind::Meeting {
        let about = words(random, 5, 60);
        _ = write!(out, "Content-Type: text/plain\r\n\r\nWhere: {place}\r\n{about}\r\n");
        return out;
    }
    let (year, month, day, _) = letter.sent.to_civil();
    let (hour, number) = (8 + random.below(9), letter.number);
    _ = write!(
        out,
        "Content-Type: multipart/alternative; boundary=\"=_meet\"\r\n\r\n--=_meet\r\n\
         Content-Type: text/plain\r\n\r\nWhere: {place}\r\n--=_meet\r\n\
         Content-Type: text/calendar; method=REQUEST; charset=utf-8\r\n\r\n\
         BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Harbour//EN\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\n\
         UID:{number:016x}@harbour.example\r\nDTSTART:{year:04}{month:02}{day:02}T{hour:02}0000Z\r\n\
         DTSTAMP:{year:04}{month:02}{day:02}T000000Z\r\nSEQUENCE:{}\r\nLOCATION:{place}\r\n\
         SUMMARY:{}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n--=_meet--\r\n",
        letter.version, letter.topic,
    );
    out
}

fn attachment_sizes(shape: &Shape, random: &mut Random) -> Vec<usize> {
    if !random.chance(shape.with_attachments) {
        return Vec::new();
    }
    let count = match random.unit() {
        at if at < 0.7 => 1,
        at if at < 0.9 => 2,
        _ => 3,
    };
    let (median, sigma) = shape.attachment;
    (0..count)
        .map(|_| random.log_normal(median, sigma).clamp(1.0, shape.attachment_max) as usize)
        .collect()
}

fn body(
    out: &mut String,
    length_bytes: usize,
    is_html: bool,
    version: u32,
    charset: &Charset,
    random: &mut Random,
) {
    let end = out.len() + length_bytes;
    if is_html {
        out.push_str("<html><body><p>");
    }
    if version > 0 {
        _ = write!(out, "This is version {version}. ");
    }
    let mut line = 0;
    while out.len() < end {
        // One number gives several words: they are the larger part of all the work.
        let mut number = random.next();
        for _ in 0..10 {
            let word = WORDS[(number & 63) as usize];
            number >>= 6;
            out.push_str(word);
            line += word.len() + 1;
            if line > 68 {
                out.push_str(if is_html { "</p>\r\n<p>" } else { "\r\n" });
                line = 0;
            } else {
                out.push(' ');
            }
        }
        if let Some(word) = random.pick(charset.words) {
            out.push_str(word);
            out.push(' ');
        }
    }
    out.push_str(if is_html { "</p></body></html>\r\n" } else { "\r\n" });
}

/// Half of them are text, which compresses; the others are noise, which does not.
fn attachment(out: &mut Vec<u8>, boundary: &str, size_bytes: usize, random: &mut Random) {
    let which = random.below(ENDINGS.len() as u64) as usize;
    let (ending, kind) = ENDINGS[which];
    let name = words(random, 1, 3).replace(' ', "-");
    out.extend_from_slice(
        format!(
            "\r\n--{boundary}\r\nContent-Type: {kind}; name=\"{name}.{ending}\"\r\n\
             Content-Disposition: attachment; filename=\"{name}.{ending}\"\r\n\
             Content-Transfer-Encoding: base64\r\n\r\n"
        )
        .as_bytes(),
    );
    out.reserve(size_bytes / LINE_BYTES * 78 + 78);
    if which < TEXTUAL {
        base64_lines(&text(size_bytes, random), out);
    } else {
        noise(size_bytes, random, out);
    }
}

fn text(length_bytes: usize, random: &mut Random) -> Vec<u8> {
    let mut out = Vec::with_capacity(length_bytes + 128);
    while out.len() < length_bytes {
        let mut number = random.next();
        for _ in 0..10 {
            out.extend_from_slice(WORDS[(number & 63) as usize].as_bytes());
            out.push(b' ');
            number >>= 6;
        }
        out.extend_from_slice(b"\r\n");
    }
    out.truncate(length_bytes);
    out
}

fn base64_lines(bytes: &[u8], out: &mut Vec<u8>) {
    for line in bytes.chunks(LINE_BYTES) {
        base64(line, out);
        out.extend_from_slice(b"\r\n");
    }
}

fn date(time: FileTime) -> String {
    const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (year, month, day, second) = time.to_civil();
    let name = |names: &[&'static str], at: u32| names.get(at as usize).copied().unwrap_or("Jan");
    let (weekday, month) = (name(&DAYS, time.weekday()), name(&MONTHS, month.saturating_sub(1)));
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{weekday}, {day} {month} {year} {hour:02}:{minute:02}:{second:02} +0000")
}
