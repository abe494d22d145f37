//! What is promoted from ordinary and from awkward mail.

use super::*;
use crate::mail::to_mapi;
use crate::mapi::{AttachmentBody, decode_recipients, fingerprint_of_mapi};

fn of(mime: &str) -> Promoted {
    promote(mime.as_bytes(), &Envelope::default())
}

fn unix(seconds: i64) -> Option<FileTime> {
    Some(FileTime::from_unix_seconds(seconds))
}

#[test]
fn the_usual_headers_become_properties() {
    let mail = of(
        "From: Ann <ann@example.org>\nTo: b@example.org\nBcc: c@example.org\nCc: D <d@example.org>\n\
        Subject: FW: Plan\nDate: Thu, 22 Aug 2002 11:36:23 +0000\nMessage-Id: <1@x>\nX-Priority: 1 (Highest)\n\n\
        Hello  you\n",
    );
    assert_eq!((mail.subject_prefix.as_str(), mail.normalized_subject.as_str()), ("FW: ", "Plan"));
    assert_eq!(mail.sender, Party::smtp("Ann", "ann@example.org"));
    assert_eq!(mail.represented, mail.sender);
    assert_eq!(mail.display_list(RecipientKind::Cc), "D");
    let kinds: Vec<_> = mail.recipients.iter().map(|r| r.kind.to_i32()).collect();
    assert_eq!(kinds, [1, 2, 3]);
    assert_eq!((mail.submit_time, mail.delivery_time), (unix(1_030_016_183), unix(1_030_016_183)));
    assert_eq!((mail.message_id.as_str(), mail.importance), ("<1@x>", Importance::High));
    assert_eq!((mail.text_length, mail.has_attachments), (9, false));
    assert_eq!(mail.message_class, "IPM.Note");
}

#[test]
fn the_delivery_time_comes_from_the_mail_before_it_comes_from_its_file() {
    let date = "Date: Thu, 22 Aug 2002 11:36:23 +0000\n";
    let line = Envelope { from_line_time: unix(5), flags: None };
    let received =
        format!("Received: by x; soon\nReceived: by b; Thu, 22 Aug 2002 11:40:00 +0000\n{date}\n");
    assert_eq!(promote(received.as_bytes(), &line).delivery_time, unix(1_030_016_400));
    let delivered = format!("Delivery-date: Thu, 22 Aug 2002 11:40:00 +0000\n{date}\n");
    assert_eq!(promote(delivered.as_bytes(), &line).delivery_time, unix(1_030_016_400));
    assert_eq!(promote(date.as_bytes(), &line).delivery_time, unix(1_030_016_183));
    assert_eq!(promote(b"Subject: x\n\n", &line).delivery_time, unix(5));
    assert_eq!(of("Subject: x\n\n").delivery_time, None);
}

#[test]
fn flags_of_the_file_go_before_those_of_the_headers() {
    let mime = b"Status: RO\nX-Status: AF\n\n";
    let all = ItemFlags::READ | ItemFlags::REPLIED | ItemFlags::FLAGGED;
    assert_eq!(promote(mime, &Envelope::default()).flags, all);
    let told = Envelope { flags: Some(ItemFlags::DRAFT), from_line_time: None };
    assert_eq!(promote(mime, &told).flags, ItemFlags::DRAFT);
    assert_eq!(
        status_flags(b"X-Mozilla-Status: 1003\n\n"),
        ItemFlags::READ | ItemFlags::REPLIED | ItemFlags::FORWARDED
    );
    assert_eq!(status_flags(b"Status: O\n\n"), ItemFlags::empty());
}

#[test]
fn kinds_of_mail_get_their_classes() {
    let calendar = |method: &str, state: &str| {
        format!(
            "Content-Type: text/calendar; method={method}\n\nBEGIN:VCALENDAR\nATTENDEE;PARTSTAT={state}:x\n"
        )
    };
    let report = |kind: &str, field: &str| {
        format!(
            "Content-Type: multipart/report; report-type={kind}; boundary=x\n\n--x\n\nhi\n--x\n\
            Content-Type: message/{kind}\n\n{field}\n--x--\n"
        )
    };
    for (mime, class) in [
        (calendar("REQUEST", ""), "IPM.Schedule.Meeting.Request"),
        (calendar("cancel", ""), "IPM.Schedule.Meeting.Canceled"),
        (calendar("REPLY", "ACCEPTED"), "IPM.Schedule.Meeting.Resp.Pos"),
        (calendar("REPLY", "DECLINED"), "IPM.Schedule.Meeting.Resp.Neg"),
        (calendar("PUBLISH", ""), "IPM.Note"),
        ("Content-Type: text/calendar\n\nMETHOD:REQUEST\n".into(), "IPM.Schedule.Meeting.Request"),
        (report("delivery-status", "Action: failed"), "REPORT.IPM.Note.NDR"),
        (report("delivery-status", "Action: delivered"), "REPORT.IPM.Note.DR"),
        (
            report("disposition-notification", "Disposition: manual; displayed"),
            "REPORT.IPM.Note.IPNRN",
        ),
        (
            "Content-Type: multipart/signed; boundary=x\n\n--x\n\nhi\n--x--\n".into(),
            "IPM.Note.SMIME.MultipartSigned",
        ),
        ("Content-Type: application/pkcs7-mime\n\nx".into(), "IPM.Note.SMIME"),
    ] {
        assert_eq!(of(&mime).message_class, class, "{mime}");
    }
}

#[test]
fn bodies_and_attachments_are_told_apart() {
    let mime = "Content-Type: multipart/mixed; boundary=x\n\n\
        --x\nContent-Type: multipart/related; boundary=r\n\n\
        --r\nContent-Type: multipart/alternative; boundary=a\n\n--a\n\ntext\n--a\nContent-Type: text/html\n\n<i>html</i>\n\
        --a\nContent-Type: text/calendar\n\nBEGIN:VCALENDAR\n--a--\n\
        --r\nContent-Type: image/gif; name=logo.gif\nContent-ID: <logo@x>\n\nGIF\n--r--\n\
        --x\nContent-Type: text/plain; name=notes.txt\n\nfile\n\
        --x\n\nfooter < end\n--x--\n";
    let form = to_mapi(mime.as_bytes(), &Envelope::default());
    assert_eq!(form.body_text.as_deref(), Some("text\r\nfooter < end"));
    assert_eq!(form.body_html.as_deref(), Some("<i>html</i>\r\n<pre>footer &lt; end</pre>"));
    let shown: Vec<_> =
        form.attachments.iter().map(|a| (a.info.name.as_str(), a.info.inline)).collect();
    assert_eq!(shown, [("", true), ("logo.gif", true), ("notes.txt", false)]);
    assert_eq!(form.attachments[1].info.content_id, "logo@x");
    assert_eq!(form.attachments[2].body, AttachmentBody::Data(b"file".to_vec()));
    assert!(form.promoted.has_attachments);
    assert_eq!(form.promoted, promote(mime.as_bytes(), &Envelope::default()));
    assert_eq!(decode_recipients(&form.recipients_blob), Ok(vec![]));
}

#[test]
fn embedded_mail_is_taken_apart_to_a_fixed_depth() {
    let mut mime = b"Subject: innermost\n\nend".to_vec();
    for _ in 0..100 {
        mime = [&b"Content-Type: message/rfc822\n\n"[..], &mime].concat();
    }
    let mut form = to_mapi(&mime, &Envelope::default());
    let mut depth = 0;
    while let Some(AttachmentBody::Message { message, mime }) =
        form.attachments.pop().map(|a| a.body)
    {
        assert!(mime.ends_with(b"end"));
        (form, depth) = (*message, depth + 1);
    }
    assert_eq!(depth, 8);
}

#[test]
fn p_of_the_mapi_form_sees_bodies_attachments_and_embedded_mail() {
    let mail = |text: &str, data: &str, inner: &str| {
        let mime = format!(
            "Subject: x\nContent-Type: multipart/mixed; boundary=x\n\n--x\n\n{text}\n\
            --x\nContent-Type: a/b\n\n{data}\n--x\nContent-Type: message/rfc822\n\nSubject: y\n\n{inner}\n--x--\n"
        );
        fingerprint_of_mapi(&to_mapi(mime.as_bytes(), &Envelope::default()))
    };
    let first = mail("text", "data", "inner");
    assert_eq!(first, mail("text", "data", "inner"));
    for other in [
        mail("next", "data", "inner"),
        mail("text", "date", "inner"),
        mail("text", "data", "other"),
    ] {
        assert_ne!(first, other);
    }
}

#[test]
fn broken_mail_gives_empty_fields() {
    for mime in
        ["", "\n\n", ":", "no header at all", "Subject\n: x\n", "From:\nDate: never\nTo: ,,<>;\n\n"]
    {
        let mail = of(mime);
        assert_eq!(
            (mail.subject.as_str(), mail.submit_time, mail.recipients.len()),
            ("", None, 0),
            "{mime:?}"
        );
        assert_eq!(mail.size_bytes, mime.len() as u64);
    }
}
