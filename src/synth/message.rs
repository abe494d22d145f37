//! One mail, from numbers: headers, a body of words, attachments. Deterministic, and cheap to make.

use std::fmt::Write as _;

use super::profile::{ATTACHMENT_MAX, Shape};
use super::random::Random;
use crate::mapi::FileTime;

const WORDS: [&str; 64] = [
    "anchor",
    "ballast",
    "barometer",
    "beacon",
    "berth",
    "bilge",
    "bosun",
    "bow",
    "bridge",
    "buoy",
    "cabin",
    "cable",
    "canvas",
    "capstan",
    "cargo",
    "chart",
    "compass",
    "crew",
    "current",
    "deck",
    "dinghy",
    "dock",
    "draft",
    "ebb",
    "fathom",
    "ferry",
    "fleet",
    "fog",
    "galley",
    "gale",
    "gangway",
    "halyard",
    "harbour",
    "hatch",
    "helm",
    "hull",
    "jetty",
    "keel",
    "knot",
    "ladder",
    "lantern",
    "ledger",
    "lighthouse",
    "log",
    "mast",
    "mooring",
    "night",
    "oar",
    "pier",
    "pilot",
    "port",
    "quay",
    "reef",
    "rigging",
    "rudder",
    "sail",
    "signal",
    "sounding",
    "starboard",
    "stern",
    "tide",
    "tiller",
    "wake",
    "watch",
];
const NAMES: [(&str, &str); 12] = [
    ("Ada Strand", "ada.strand"),
    ("Bruno Kai", "bruno.kai"),
    ("Cecilia Mole", "cecilia.mole"),
    ("Dov Pier", "dov.pier"),
    ("Edda Werft", "edda.werft"),
    ("Felix Lotse", "felix.lotse"),
    ("Greta Boje", "greta.boje"),
    ("Hugo Tau", "hugo.tau"),
    ("Ida Reede", "ida.reede"),
    ("Jonas Mast", "jonas.mast"),
    ("Karla Bug", "karla.bug"),
    ("Lars Heck", "lars.heck"),
];
const ENDINGS: [(&str, &str); 6] = [
    ("doc", "application/msword"),
    ("xls", "application/vnd.ms-excel"),
    ("pdf", "application/pdf"),
    ("jpg", "image/jpeg"),
    ("zip", "application/zip"),
    ("txt", "text/plain"),
];
/// Bytes of an attachment in one line of base64.
const LINE_BYTES: u64 = 57;
const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// What is written about a mail, beside its random filling.
#[derive(Debug, Clone, Copy)]
pub(super) struct Letter {
    /// Number that no other mail of the store has.
    pub number: u64,
    /// When it was sent.
    pub sent: FileTime,
    /// Version: an edited mail has a higher one.
    pub version: u32,
}

/// Writes a mail as MIME.
pub(super) fn mime(shape: &Shape, letter: Letter, random: &mut Random) -> Vec<u8> {
    let mut out = String::new();
    let (from, to) = (name(random), name(random));
    let subject = words(random, 2, 7);
    let attachments = attachment_sizes(shape, random);
    let is_html = random.chance(shape.html);
    let body_bytes = random.log_normal(shape.body.0, shape.body.1).clamp(20.0, 2e6) as usize;
    let reply = if random.chance(0.4) { "RE: " } else { "" };
    let version = letter.version;
    // Writing to a string does not fail.
    _ = write!(
        out,
        "Received: from relay.harbour.example by mail.harbour.example; {date}\r\n\
         From: {} <{}@harbour.example>\r\nTo: {} <{}@harbour.example>\r\n\
         Subject: {reply}{subject}\r\nDate: {date}\r\nMessage-ID: <{:016x}.{version}@harbour.example>\r\n\
         MIME-Version: 1.0\r\n",
        from.0,
        from.1,
        to.0,
        to.1,
        letter.number,
        date = date(letter.sent),
    );
    if letter.number.is_multiple_of(5) {
        _ = write!(out, "Keywords: {}\r\n", words(random, 1, 2));
    }
    let kind = if is_html { "html" } else { "plain" };
    let boundary = format!("=_part-{:016x}", letter.number);
    if !attachments.is_empty() {
        _ = write!(
            out,
            "Content-Type: multipart/mixed; boundary=\"{boundary}\"\r\n\r\n--{boundary}\r\n"
        );
    }
    _ = write!(out, "Content-Type: text/{kind}; charset=utf-8\r\n\r\n");
    body(&mut out, body_bytes, is_html, letter.version, random);
    let mut bytes = out.into_bytes();
    for size_bytes in &attachments {
        attachment(&mut bytes, &boundary, *size_bytes, random);
    }
    if !attachments.is_empty() {
        bytes.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    }
    bytes
}

fn name(random: &mut Random) -> (&'static str, &'static str) {
    random.pick(&NAMES).copied().unwrap_or(NAMES[0])
}

/// Some words, of which nobody should make sense.
pub(super) fn words(random: &mut Random, least: u64, most: u64) -> String {
    let count = least + random.below(most - least + 1);
    let chosen = (0..count).map(|_| random.pick(&WORDS).copied().unwrap_or("tide"));
    chosen.collect::<Vec<_>>().join(" ")
}

fn attachment_sizes(shape: &Shape, random: &mut Random) -> Vec<u64> {
    if !random.chance(shape.with_attachments) {
        return Vec::new();
    }
    let count = match random.unit() {
        at if at < 0.7 => 1,
        at if at < 0.9 => 2,
        _ => 3,
    };
    let (median, sigma) = shape.attachment;
    (0..count).map(|_| random.log_normal(median, sigma).clamp(1.0, ATTACHMENT_MAX) as u64).collect()
}

fn body(out: &mut String, length_bytes: usize, is_html: bool, version: u32, random: &mut Random) {
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
    }
    out.push_str(if is_html { "</p></body></html>\r\n" } else { "\r\n" });
}

/// Lines of base64 straight from the numbers: they decode to bytes that nothing compresses.
fn attachment(out: &mut Vec<u8>, boundary: &str, size_bytes: u64, random: &mut Random) {
    let (ending, kind) = random.pick(&ENDINGS).copied().unwrap_or(ENDINGS[0]);
    let name = words(random, 1, 3).replace(' ', "-");
    out.extend_from_slice(
        format!(
            "\r\n--{boundary}\r\nContent-Type: {kind}; name=\"{name}.{ending}\"\r\n\
             Content-Disposition: attachment; filename=\"{name}.{ending}\"\r\n\
             Content-Transfer-Encoding: base64\r\n\r\n"
        )
        .as_bytes(),
    );
    let lines = size_bytes.div_ceil(LINE_BYTES);
    out.reserve(lines as usize * 78);
    for _ in 0..lines {
        for _ in 0..8 {
            let mut number = random.next();
            for _ in 0..10 {
                out.push(BASE64[(number & 63) as usize]);
                number >>= 6;
            }
        }
        // 76 characters a line: what is over goes.
        out.truncate(out.len() - 4);
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
