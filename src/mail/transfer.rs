//! Content transfer encodings: base64 and quoted-printable, read as leniently as readers of mail do.
//!
//! What is not in the alphabet is skipped (base64) or taken as it stands (quoted-printable); the output is never longer than the input.

use std::borrow::Cow;

/// Decodes a body by the value of its `Content-Transfer-Encoding`; other encodings are returned as they are.
pub(super) fn decode<'a>(encoding: &str, bytes: &'a [u8]) -> Cow<'a, [u8]> {
    if encoding.eq_ignore_ascii_case("base64") {
        Cow::Owned(base64(bytes))
    } else if encoding.eq_ignore_ascii_case("quoted-printable") {
        Cow::Owned(quoted_printable(bytes))
    } else {
        Cow::Borrowed(bytes)
    }
}

/// Value of each byte in the base64 alphabet; 255 for others.
const BASE64_VALUES: [u8; 256] = {
    let mut values = [255; 256];
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut at = 0;
    while at < alphabet.len() {
        values[alphabet[at] as usize] = at as u8;
        at += 1;
    }
    values
};

pub(super) fn base64(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() / 4 * 3 + 3);
    let mut group = 0_u32;
    let mut digits = 0;
    for byte in bytes {
        let value = BASE64_VALUES.get(usize::from(*byte)).copied().unwrap_or(255);
        if value < 64 {
            group = group << 6 | u32::from(value);
            digits += 1;
            if digits == 4 {
                let [_, a, b, c] = group.to_be_bytes();
                out.extend([a, b, c]);
                (group, digits) = (0, 0);
            }
        } else if *byte == b'=' {
            // Padding ends a group; some mail glues several encodings together, so reading goes on.
            flush(&mut out, group, digits);
            (group, digits) = (0, 0);
        }
    }
    flush(&mut out, group, digits);
    out
}

/// Writes the whole bytes of an unfinished group.
fn flush(out: &mut Vec<u8>, group: u32, digits: u32) {
    match digits {
        2 => out.extend(u8::try_from(group >> 4)),
        3 => {
            let [_, _, a, b] = (group >> 2).to_be_bytes();
            out.extend([a, b]);
        }
        _ => {}
    }
}

fn quoted_printable(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let text = line.trim_ascii_end();
        let end = line.get(text.len()..).unwrap_or_default();
        // White space before a line end was added on the way; the line end itself stays as it is.
        let line_end = match end {
            [.., b'\r', b'\n'] => &b"\r\n"[..],
            [.., b'\n'] => &b"\n"[..],
            rest => rest,
        };
        let (text, soft) = match text.strip_suffix(b"=") {
            Some(text) => (text, true),
            None => (text, false),
        };
        unquote(text, &mut out);
        if !soft {
            out.extend(line_end);
        }
    }
    out
}

fn unquote(mut text: &[u8], out: &mut Vec<u8>) {
    while let Some(at) = text.iter().position(|byte| *byte == b'=') {
        let (plain, rest) = text.split_at(at);
        out.extend(plain);
        let byte = match rest {
            [_, high, low, ..] => hex(*high).zip(hex(*low)).map(|(high, low)| high << 4 | low),
            _ => None,
        };
        out.push(byte.unwrap_or(b'='));
        text = rest.get(if byte.is_some() { 3 } else { 1 }..).unwrap_or_default();
    }
    out.extend(text);
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_reads_its_lines_and_survives_rubbish() {
        assert_eq!(base64(b"aGVs\r\nbG8="), b"hello");
        assert_eq!(base64(b"aGVsbG8"), b"hello");
        assert_eq!(base64(b"aGk=aGk="), b"hihi");
        assert_eq!(base64(b"a*G-k!=="), b"hi");
        assert_eq!(base64(b""), b"");
        assert_eq!(base64(b"a"), b"");
    }

    #[test]
    fn quoted_printable_joins_soft_breaks_and_keeps_what_is_no_code() {
        assert_eq!(quoted_printable(b"a=C3=A9 b=\r\nc=3d\r\n"), "aé bc=\r\n".as_bytes());
        assert_eq!(quoted_printable(b"100 =% =\n"), b"100 =% ");
        assert_eq!(quoted_printable(b"x  \t\ny"), b"x\ny");
        assert_eq!(quoted_printable(b"= \nz="), b"z");
        assert_eq!(quoted_printable(b"=4"), b"=4");
    }

    #[test]
    fn other_encodings_are_left_alone() {
        assert_eq!(&*decode("8bit", b"=41"), b"=41");
        assert_eq!(&*decode("BASE64", b"aGk="), b"hi");
    }
}
