//! Where an mbox is cut, and that nothing else of it changes.

use super::*;

const LINE: &str = "From a@example.org Thu Aug 22 11:36:23 2002";

fn read(text: &str) -> Vec<MboxMail> {
    let mut reader = MboxReader::new(text.as_bytes(), 1 << 20);
    std::iter::from_fn(|| reader.next_mail()).map(|mail| mail.unwrap()).collect()
}

fn bodies(text: &str) -> Vec<String> {
    read(text).into_iter().map(|mail| String::from_utf8(mail.bytes).unwrap()).collect()
}

#[test]
fn messages_are_cut_at_from_lines_behind_empty_lines() {
    let text = format!("{LINE}\nA: 1\n\none\n\n{LINE}\nA: 2\n\ntwo\n\n");
    assert_eq!(bodies(&text), ["A: 1\n\none\n", "A: 2\n\ntwo\n"]);
    let crlf = text.replace('\n', "\r\n");
    assert_eq!(bodies(&crlf), ["A: 1\r\n\r\none\r\n", "A: 2\r\n\r\ntwo\r\n"]);
}

#[test]
fn other_lines_that_begin_with_from_stay_in_the_message() {
    let body = format!("A: 1\n\none\n{LINE}\nFrom here on\n\nFrom the sea\n>{LINE}\n\n>{LINE}\n");
    assert_eq!(bodies(&format!("{LINE}\n{body}\n{LINE}\nA: 2\n")), [body.as_str(), "A: 2\n"]);
}

#[test]
fn the_end_of_the_file_may_be_without_its_empty_line() {
    assert_eq!(bodies(&format!("{LINE}\nA: 1\n\none")), ["A: 1\n\none"]);
    assert_eq!(bodies(&format!("{LINE}\nA: 1\n\none\n")), ["A: 1\n\none\n"]);
    assert_eq!(bodies(&format!("{LINE}\nA: 1\n\none\n\n\n")), ["A: 1\n\none\n\n"]);
    assert_eq!(bodies(&format!("{LINE}\n")), [""]);
    assert_eq!(bodies(&format!("{LINE}\n\n")), [""]);
    assert_eq!(bodies(&format!("{LINE}\n\n{LINE}\n\n")), ["", ""]);
    assert_eq!(bodies(LINE), [""]);
    assert_eq!(bodies(""), [""; 0]);
}

#[test]
fn what_is_cut_off_can_be_put_back() {
    let text = format!("{LINE}\nA: 1\r\n\r\none\r\n\r\n{LINE}\n\nx\n\n\n{LINE}\ny");
    let again: String = read(&text)
        .into_iter()
        .map(|mail| {
            let bytes = [mail.bytes, mail.separator].concat();
            format!("{LINE}\n{}", String::from_utf8(bytes).unwrap())
        })
        .collect();
    assert_eq!(again, text);
}

#[test]
fn only_our_marks_make_the_reader_change_bytes() {
    let text = format!("{LINE} mboxrd noeol\nA: 1\n\n>From x\n>>From y\n> From z\nend\n\n");
    assert_eq!(bodies(&text), ["A: 1\n\nFrom x\n>From y\n> From z\nend"]);
    let plain = text.replace(" mboxrd noeol", "");
    assert_eq!(bodies(&plain), ["A: 1\n\n>From x\n>>From y\n> From z\nend\n"]);
}

#[test]
fn a_file_without_a_from_line_is_no_mbox() {
    let mut reader = MboxReader::new(&b"Subject: x\n\n"[..], 100);
    assert!(matches!(reader.next_mail(), Some(Err(MboxFault::NotMbox))));
    assert!(reader.next_mail().is_none());
}

#[test]
fn a_message_over_the_limit_is_left_out_and_the_next_one_is_read() {
    let text = format!("{LINE}\n{}\n\n{LINE}\nsmall\n", "x".repeat(300_000));
    let mut reader = MboxReader::new(text.as_bytes(), 1_000);
    assert!(matches!(reader.next_mail(), Some(Err(MboxFault::TooLarge(1_000)))));
    assert_eq!(reader.next_mail().unwrap().unwrap().bytes, b"small\n");
}

#[test]
fn lines_longer_than_a_piece_do_not_look_like_new_lines() {
    // The second piece of this line begins like a separator behind an empty line.
    let long = format!("\n{}{LINE}\n", "x".repeat(1 << 16));
    let text = format!("{LINE}\nA: 1\n{long}");
    assert_eq!(bodies(&text), [format!("A: 1\n{long}")]);
}
