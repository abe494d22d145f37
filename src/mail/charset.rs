//! Bytes of mail as text. Never fails: a wrong or unknown charset gives replacement characters, or the Western reading.

use encoding_rs::WINDOWS_1252;
use mail_parser::decoders::charsets::map::charset_decoder;

/// Decodes text by its charset label. Without a known label: UTF-8 if it is that, else Windows-1252.
pub(super) fn decode(label: Option<&str>, bytes: &[u8]) -> String {
    let label = label.map(str::trim).unwrap_or_default();
    if ["utf-8", "utf8"].iter().any(|name| label.eq_ignore_ascii_case(name)) {
        return String::from_utf8_lossy(bytes).into_owned();
    }
    if label.to_ascii_lowercase().ends_with("utf-7") {
        return super::utf7::decode(bytes); // also unicode-1-1-utf-7
    }
    match charset_decoder(label.as_bytes()).filter(|_| !label.is_empty()) {
        Some(decoder) => decoder(bytes),
        None => guess(bytes),
    }
}

/// Text without a label.
pub(super) fn guess(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_string(),
        Err(_) => WINDOWS_1252.decode_without_bom_handling(bytes).0.into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_decide_and_unknown_ones_are_guessed() {
        assert_eq!(decode(Some("koi8-r"), b"\xf0\xd2\xc9"), "При");
        assert_eq!(decode(Some(" ISO-8859-15 "), b"\xa4"), "€");
        assert_eq!(decode(Some("unknown-8bit"), b"caf\xe9"), "café");
        assert_eq!(decode(Some("chinesebig5"), "é".as_bytes()), "é");
        assert_eq!(decode(Some("utf-8"), b"a\xff"), "a\u{fffd}");
        assert_eq!(decode(None, b"\x80"), "€");
        assert_eq!(decode(Some(""), b""), "");
    }
}
