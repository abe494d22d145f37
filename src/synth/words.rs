//! What mails are written with: words, names, character sets, and the two encodings that make bytes into text. Knows no mail.

use encoding_rs::{Encoding, GBK, ISO_2022_JP, KOI8_R, WINDOWS_1251, WINDOWS_1252};

use super::random::Random;

#[rustfmt::skip]
pub(super) const WORDS: [&str; 64] = [
    "anchor", "ballast", "barometer", "beacon", "berth", "bilge", "bosun", "bow", "bridge",
    "buoy", "cabin", "cable", "canvas", "capstan", "cargo", "chart", "compass", "crew", "current",
    "deck", "dinghy", "dock", "draft", "ebb", "fathom", "ferry", "fleet", "fog", "galley", "gale",
    "gangway", "halyard", "harbour", "hatch", "helm", "hull", "jetty", "keel", "knot", "ladder",
    "lantern", "ledger", "lighthouse", "log", "mast", "mooring", "night", "oar", "pier", "pilot",
    "port", "quay", "reef", "rigging", "rudder", "sail", "signal", "sounding", "starboard",
    "stern", "tide", "tiller", "wake", "watch",
];
pub(super) const NAMES: [(&str, &str); 12] = [
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
const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
/// Bytes in one line of base64.
pub(super) const LINE_BYTES: usize = 57;

/// A character set with some words that need it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Charset {
    /// As mails name it.
    pub label: &'static str,
    encoding: Option<&'static Encoding>,
    /// Words with letters beyond ASCII; none in most mails.
    pub words: &'static [&'static str],
    /// Share of mails.
    share: f64,
}

const CHARSETS: [Charset; 7] = [
    Charset { label: "utf-8", encoding: None, words: &[], share: 0.80 },
    Charset {
        label: "iso-8859-1",
        encoding: Some(WINDOWS_1252),
        words: &["Flaschenzug für Öl", "la marée", "el muñón", "três nós", "båt i ås"],
        share: 0.08,
    },
    Charset {
        label: "utf-8",
        encoding: None,
        words: &["Küste", "łódź", "λιμάνι", "⚓"],
        share: 0.04,
    },
    Charset {
        label: "windows-1251",
        encoding: Some(WINDOWS_1251),
        words: &["якорь", "берег", "волна", "парус"],
        share: 0.03,
    },
    Charset {
        label: "koi8-r", encoding: Some(KOI8_R), words: &["море", "канат"], share: 0.01
    },
    Charset {
        label: "gb2312", encoding: Some(GBK), words: &["码头", "灯塔", "风"], share: 0.02
    },
    Charset {
        label: "iso-2022-jp",
        encoding: Some(ISO_2022_JP),
        words: &["みなと", "灯台", "ふね"],
        share: 0.02,
    },
];

impl Charset {
    /// One of them, by their shares.
    pub fn pick(random: &mut Random) -> Self {
        let mut left = random.unit();
        for charset in CHARSETS {
            left -= charset.share;
            if left < 0.0 {
                return charset;
            }
        }
        CHARSETS[0]
    }

    /// A text in this character set.
    pub fn encode(&self, text: &str) -> Vec<u8> {
        match self.encoding {
            None => text.as_bytes().to_vec(),
            Some(encoding) => encoding.encode(text).0.into_owned(),
        }
    }

    /// A subject, as an encoded word where it needs one.
    pub fn header(&self, text: String) -> String {
        if text.is_ascii() {
            return text;
        }
        let mut word = Vec::new();
        base64(&self.encode(&text), &mut word);
        format!("=?{}?B?{}?=", self.label, String::from_utf8_lossy(&word))
    }
}

/// Some words, of which nobody should make sense.
pub(super) fn words(random: &mut Random, least: u64, most: u64) -> String {
    let count = least + random.below(most - least + 1);
    let chosen = (0..count).map(|_| random.pick(&WORDS).copied().unwrap_or("tide"));
    chosen.collect::<Vec<_>>().join(" ")
}

/// Somebody: a name, and what stands before the `@`.
pub(super) fn name(random: &mut Random) -> (&'static str, &'static str) {
    random.pick(&NAMES).copied().unwrap_or(NAMES[0])
}

/// Adds bytes as base64, without line ends.
pub(super) fn base64(bytes: &[u8], out: &mut Vec<u8>) {
    let digit = |group: u32, shift: u32| BASE64[(group >> shift & 63) as usize];
    let (groups, rest) = bytes.as_chunks::<3>();
    for [a, b, c] in groups {
        let group = u32::from_be_bytes([0, *a, *b, *c]);
        out.extend([digit(group, 18), digit(group, 12), digit(group, 6), digit(group, 0)]);
    }
    match *rest {
        [a] => {
            let group = u32::from(a) << 16;
            out.extend([digit(group, 18), digit(group, 12), b'=', b'=']);
        }
        [a, b] => {
            let group = u32::from(a) << 16 | u32::from(b) << 8;
            out.extend([digit(group, 18), digit(group, 12), digit(group, 6), b'=']);
        }
        _ => {}
    }
}

/// Adds lines of base64 straight from the numbers: they decode to bytes that nothing compresses.
pub(super) fn noise(length_bytes: usize, random: &mut Random, out: &mut Vec<u8>) {
    for _ in 0..length_bytes.div_ceil(LINE_BYTES) {
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

/// Adds bytes as quoted-printable; lines that are too long are broken.
pub(super) fn quoted_printable(bytes: &[u8], out: &mut Vec<u8>) {
    let mut column = 0;
    for byte in bytes {
        match byte {
            b'\r' | b'\n' => {
                out.push(*byte);
                column = 0;
                continue;
            }
            b'=' | 127.. => {
                let digit = |half: u8| b"0123456789ABCDEF"[usize::from(half & 15)];
                out.extend([b'=', digit(byte >> 4), digit(*byte)]);
                column += 3;
            }
            _ => {
                out.push(*byte);
                column += 1;
            }
        }
        if column > 72 {
            out.extend_from_slice(b"=\r\n");
            column = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_padded_to_whole_groups() {
        let encoded = |bytes: &[u8]| {
            let mut out = Vec::new();
            base64(bytes, &mut out);
            String::from_utf8(out).unwrap()
        };
        let seen = ["", "f", "fo", "foo", "foob"].map(|text| encoded(text.as_bytes()));
        assert_eq!(seen, ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg=="]);
    }

    #[test]
    fn every_character_set_can_write_its_words() {
        for charset in CHARSETS {
            for word in charset.words {
                let bytes = charset.encode(word);
                let encoding = Encoding::for_label(charset.label.as_bytes()).unwrap();
                assert_eq!(encoding.decode(&bytes).0, *word, "{}", charset.label);
            }
        }
        let sum: f64 = CHARSETS.iter().map(|charset| charset.share).sum();
        assert!((sum - 1.0).abs() < 1e-9);
    }

    #[test]
    fn quoted_printable_breaks_lines_and_escapes_what_is_not_ascii() {
        let mut out = Vec::new();
        quoted_printable(&[b'a'; 80], &mut out);
        assert_eq!(out.iter().position(|byte| *byte == b'='), Some(73));
        out.clear();
        quoted_printable(b"a=\xe9\r\n", &mut out);
        assert_eq!(out, b"a=3D=E9\r\n");
    }
}
