//! Mail that is written from properties promotes to the same properties.

use super::*;
use crate::mail::{Envelope, promote, to_mapi};
use crate::mapi::{BodyDigest, Content, Fingerprint, ItemFlags};

fn soft(mail: &Promoted) -> Fingerprint {
    Content::of_promoted(mail, BodyDigest::NONE).soft(&mail.attachments, mail.text_length)
}

/// Through the MAPI form and back; the mail that came out and its properties.
fn again(mime: &[u8]) -> (Promoted, Promoted, Vec<u8>) {
    let form = to_mapi(mime, &Envelope::default());
    let written = to_mime(&form);
    assert_eq!(to_mime(&form), written);
    (form.promoted, promote(&written, &Envelope::default()), written)
}

#[test]
fn a_rich_mail_comes_back_with_all_its_properties() {
    let mime = "Received: from a by b; Fri, 23 Aug 2002 10:00:00 +0000\r\n\
        From: =?utf-8?q?J=C3=BCrgen?= <j@example.org>\r\nSender: Desk <desk@example.org>\r\n\
        To: \"Ann, A.\" <ann@example.org>, b@example.org\r\nCc: Team <t@example.net>\r\n\
        Subject: RE: =?utf-8?q?Gr=C3=BC=C3=9Fe_an_alle_die_heute_nicht_da_sein_konnten_und_an_den_Rest?=\r\n\
        Date: Thu, 22 Aug 2002 12:36:23 +0200\r\nMessage-ID: <1@example.org>\r\nIn-Reply-To: <0@example.org>\r\n\
        References: <r@example.org> <0@example.org>\r\nImportance: high\r\nSensitivity: Private\r\nKeywords: red, blue\r\n\
        MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n\
        --x\r\nContent-Type: multipart/alternative; boundary=y\r\n\r\n--y\r\n\r\nHello  there\r\n--y\r\n\
        Content-Type: text/html\r\n\r\n<p>Hello</p>\r\n--y--\r\n\
        --x\r\nContent-Type: image/png; name=\"pé.png\"\r\nContent-ID: <c1>\r\nContent-Transfer-Encoding: base64\r\n\r\naGk=\r\n\
        --x\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\nbody\r\n\
        --x\r\nContent-Type: application/pdf; name=a.pdf\r\n\r\ndata\r\n--x--\r\n";
    let (before, after, written) = again(mime.as_bytes());
    assert_eq!(before.attachments.len(), 3);
    assert!(before.attachments[0].inline && before.attachments[1].embedded_message);
    assert!(written.is_ascii());
    let same = Promoted {
        search_key: before.search_key,
        size_bytes: before.size_bytes,
        mime_type: before.mime_type.clone(),
        ..after.clone()
    };
    assert_eq!(same, before);
    assert_eq!(soft(&after), soft(&before));
}

#[test]
fn mail_of_one_form_and_empty_mail_come_back() {
    for mime in [
        &b"Content-Type: text/html\r\n\r\n<b>x</b>"[..],
        b"Subject: only a subject\r\n\r\n",
        b"",
        b"Content-Type: application/pdf; name=a.pdf\r\n\r\n%PDF",
        b"Content-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\n--=_0-0\r\n",
    ] {
        let (before, after, written) = again(mime);
        assert_eq!(soft(&after), soft(&before), "{}", String::from_utf8_lossy(&written));
    }
}

#[test]
fn line_ends_in_properties_begin_no_fields() {
    let mut form = to_mapi(b"Subject: x\r\n\r\nbody", &Envelope::default());
    let evil = "a\r\nX-Evil: 1\r\n\r\nbody".to_string();
    form.promoted.subject = evil.clone();
    form.promoted.message_id = evil.clone();
    form.promoted.references = vec![evil.clone()];
    form.promoted.categories = vec![evil.clone()];
    form.promoted.sender = Party::smtp(evil.clone(), evil.clone());
    form.attachments = vec![MapiAttachment {
        info: AttachmentInfo {
            name: evil.clone(),
            mime_type: format!("text/plain{evil}"),
            content_id: evil,
            ..Default::default()
        },
        body: AttachmentBody::Data(vec![1]),
    }];
    let written = String::from_utf8(to_mime(&form)).unwrap();
    assert!(!written.contains("\nX-Evil"), "{written}");
    assert_eq!(promote(written.as_bytes(), &Envelope::default()).flags, ItemFlags::empty());
}

#[test]
fn base64_is_the_known_one() {
    for (plain, coded) in
        [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")]
    {
        assert_eq!(base64(plain.as_bytes()), coded);
    }
}
