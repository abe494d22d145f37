//! Modified UTF-7: how folder names of Maildir++ (and IMAP) write what is not ASCII (RFC 3501, 5.1.3).

use super::transfer::base64;

/// Reads a name; what is not well formed stays as it is written.
pub(super) fn decode(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    let mut rest = name;
    while let Some((plain, tail)) = rest.split_once('&') {
        text.push_str(plain);
        match tail.split_once('-') {
            Some(("", after)) => {
                text.push('&');
                rest = after;
            }
            Some((code, after)) => match utf16_run(code) {
                Some(run) => {
                    text.push_str(&run);
                    rest = after;
                }
                None => {
                    text.push('&');
                    rest = tail;
                }
            },
            None => {
                text.push('&');
                rest = tail;
            }
        }
    }
    text.push_str(rest);
    text
}

/// The text of a run of base64 (with `,` for `/`) over big-endian UTF-16.
fn utf16_run(code: &str) -> Option<String> {
    if !code.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'+' || b == b',') {
        return None;
    }
    let bytes = base64(code.replace(',', "/").as_bytes());
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
    use super::decode;

    #[test]
    fn names_decode_and_broken_ones_stay() {
        assert_eq!(decode("Entw&APw-rfe"), "Entwürfe");
        assert_eq!(decode("R&-D"), "R&D");
        assert_eq!(decode("&ZeVnLIqe-"), "日本語");
        for broken in ["plain", "a&b", "&!!-", "&A-", "&2AA-", "&"] {
            assert_eq!(decode(broken), broken);
        }
    }
}
