//! UTF-7 (RFC 2152), and its modified form in which folder names of Maildir++ (and IMAP) are written (RFC 3501, 5.1.3).
//!
//! A mark begins a run of base64 over big-endian UTF-16, a hyphen ends it, both together stand for the mark. What is not well
//! formed stays as it is written.

use super::transfer::base64;

/// Reads a text in UTF-7: the mark is `+`, and whatever is not base64 ends a run.
pub(super) fn decode(bytes: &[u8]) -> String {
    let text = super::charset::guess(bytes);
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some((plain, tail)) = rest.split_once('+') {
        out.push_str(plain);
        let end = tail.find(|c: char| !is_base64(c)).unwrap_or(tail.len());
        let (code, after) = tail.split_at(end);
        match utf16_run(code) {
            Some(run) => out.push_str(&run),
            None => {
                out.push('+');
                out.push_str(code);
            }
        }
        rest = after.strip_prefix('-').unwrap_or(after);
    }
    out + rest
}

/// Reads a name in the modified form: the mark is `&`, `,` stands for `/`, and only `-` ends a run.
pub(super) fn decode_name(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut rest = name;
    while let Some((plain, tail)) = rest.split_once('&') {
        out.push_str(plain);
        let run = tail.split_once('-').and_then(|(code, after)| match code {
            "" => Some(("&".to_string(), after)),
            _ if code.contains('/') => None,
            _ => utf16_run(&code.replace(',', "/")).map(|run| (run, after)),
        });
        match run {
            Some((run, after)) => {
                out.push_str(&run);
                rest = after;
            }
            None => {
                out.push('&');
                rest = tail;
            }
        }
    }
    out + rest
}

fn is_base64(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '+' || c == '/'
}

/// The text of a run; `None` when it is none.
fn utf16_run(code: &str) -> Option<String> {
    if code.is_empty() || !code.chars().all(is_base64) {
        return None;
    }
    let bytes = base64(code.as_bytes());
    if bytes.is_empty() || bytes.len() % 2 == 1 {
        return None;
    }
    let units = bytes.chunks_exact(2).map(|pair| match pair {
        [high, low] => u16::from_be_bytes([*high, *low]),
        _ => 0xfffd, // chunks_exact gives pairs only
    });
    char::decode_utf16(units).collect::<Result<String, _>>().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_decode_and_broken_ones_stay() {
        assert_eq!(decode_name("Entw&APw-rfe"), "Entwürfe");
        assert_eq!(decode_name("R&-D"), "R&D");
        assert_eq!(decode_name("&ZeVnLIqe-"), "日本語");
        for broken in ["plain", "a&b", "&!!-", "&A-", "&2AA-", "&"] {
            assert_eq!(decode_name(broken), broken);
        }
    }

    #[test]
    fn text_decodes_and_a_doubled_mark_is_a_plus() {
        assert_eq!(decode(b"Zw+APY-lf 1 +- 1"), "Zwölf 1 + 1");
        assert_eq!(decode(b"+ZeVnLIqe, end"), "日本語, end");
        assert_eq!(decode(b"1 + 1"), "1 + 1");
        assert_eq!(decode(b"+2AA-x"), "+2AAx");
        assert_eq!(decode(b""), "");
    }
}
