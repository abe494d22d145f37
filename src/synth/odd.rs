//! The tails: mails that are rare, and that every reader of mail meets. Sources: distributions.md, proposal 5.

use std::fmt::Write as _;

use super::message::{Letter, Mail, head};
use super::random::Random;
use super::words::words;

/// Kinds of odd mails; a store of some size has each once.
pub(super) const ODD_MAILS: u64 = 8;
/// Bytes of the longest block of headers.
const HEADER_BYTES: usize = 135_000;
/// Parts of the mail with the most.
const PARTS: usize = 320;

/// Odd mail `which`, below [`ODD_MAILS`].
pub(super) fn odd(which: u64, letter: &Letter, random: &mut Random) -> Mail {
    let mut out = head(letter, words(random, 2, 5).as_str(), random);
    let bytes = match which {
        0 => long_headers(out, random),
        1 => many_parts(out, random),
        // No body at all, not even an empty line of it.
        2 => out.into_bytes(),
        3 => empty_attachment(out),
        4 => raw_header(out),
        label => {
            let labels = ["default", "unknown-8bit", "chinesebig5"];
            let label = labels[(label % 3) as usize];
            _ = write!(out, "Content-Type: text/plain; charset={label}\r\n\r\n");
            let mut bytes = out.into_bytes();
            bytes.extend_from_slice(b"caf\xe9 \xa4\xa4\xa4\xe5 \xff\r\n");
            bytes
        }
    };
    Mail { bytes, attached_bytes: 0 }
}

fn long_headers(mut out: String, random: &mut Random) -> Vec<u8> {
    for number in 0.. {
        if out.len() >= HEADER_BYTES {
            break;
        }
        _ = write!(
            out,
            "X-Relay-{number}: {}\r\n\t{}\r\n",
            words(random, 3, 9),
            words(random, 3, 9)
        );
    }
    out.push_str("\r\nThe way here was long.\r\n");
    out.into_bytes()
}

fn many_parts(mut out: String, random: &mut Random) -> Vec<u8> {
    out.push_str("Content-Type: multipart/mixed; boundary=\"=_many\"\r\n");
    for number in 0..PARTS {
        _ = write!(
            out,
            "\r\n--=_many\r\nContent-Type: text/plain; name=\"part-{number}.txt\"\r\n\
             Content-Disposition: attachment; filename=\"part-{number}.txt\"\r\n\r\n{}",
            words(random, 1, 20)
        );
    }
    out.push_str("\r\n--=_many--\r\n");
    out.into_bytes()
}

fn empty_attachment(mut out: String) -> Vec<u8> {
    out.push_str(
        "Content-Type: multipart/mixed; boundary=\"=_none\"\r\n\r\n--=_none\r\n\
         Content-Type: text/plain\r\n\r\nThe file is attached.\r\n--=_none\r\n\
         Content-Type: application/octet-stream; name=\"nothing.bin\"\r\n\
         Content-Disposition: attachment; filename=\"nothing.bin\"\r\n\
         Content-Transfer-Encoding: base64\r\n\r\n\r\n--=_none--\r\n",
    );
    out.into_bytes()
}

/// Bytes above 127 in a header, with nothing that says what they mean.
fn raw_header(out: String) -> Vec<u8> {
    let mut bytes = out.into_bytes();
    bytes.extend_from_slice(
        b"Organization: Sch\xf6ne K\xfcste\r\nComments: \xcd\xf3\xe6\xed\xee\r\n",
    );
    bytes.extend_from_slice(b"Content-Type: text/plain; charset=us-ascii\r\n\r\n\xa4 and more\r\n");
    bytes
}
