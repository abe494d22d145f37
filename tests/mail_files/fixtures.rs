//! What the fixtures say, read by us: a wrong decoder or a wrong rule shows here by the name of the message.

use std::collections::BTreeMap;

use dialtone::mail::{promote, to_mapi, to_mime};
use dialtone::mapi::{
    BodyDigest, Content, FileTime, Importance, ItemFlags, MapiMessage, Sensitivity,
};

use crate::support::{fixture_mail, fixtures};

/// The MAPI form of every EML fixture, by its path below `eml`.
fn forms() -> BTreeMap<String, MapiMessage> {
    let root = fixtures().join("eml");
    let mut forms = BTreeMap::new();
    for message in fixture_mail() {
        if let Ok(path) = message.origin.strip_prefix(&root) {
            let name = path.to_str().unwrap().to_string();
            forms.insert(name, to_mapi(&message.bytes, &message.envelope()));
        }
    }
    forms
}

#[test]
fn there_are_enough_of_them_and_each_has_its_folder() {
    let messages = fixture_mail();
    let mut folders = BTreeMap::new();
    for message in &messages {
        *folders.entry(message.folder_path.join("/")).or_insert(0) += 1;
    }
    assert!(messages.len() >= 90, "{}", messages.len());
    for (folder, count) in [
        ("archive/Tides 2004", 4),
        ("eml/Inbox/Letters from abroad", 17),
        ("eml/Lists/Tide Watch", 5),
        ("maildir", 5),
        ("maildir/Archive/Logbooks", 2),
        ("maildir/Entwürfe", 2),
    ] {
        assert_eq!(folders.get(folder), Some(&count), "{folder} of {folders:?}");
    }
}

#[test]
fn charsets_and_encodings_are_read() {
    let forms = forms();
    for (name, subject, text) in [
        ("latin1-8bit", "Grüße aus Lübeck", "Möwenschrei"),
        ("latin1-qp", "Áncora", "Mañana pedimos otra, más pequeña = más barata."),
        ("latin9-euro", "20 € pour la corde", "20 €, le nœud"),
        ("windows1252-quotes", "“Windy” – a review", "€7… and isn’t"),
        ("windows1250-polish", "Żagle i łódź", "łódź czeka na brzegu"),
        ("koi8r", "Погода на неделю", "только в четверг"),
        ("windows1251", "Якорь", "цепь пока нет"),
        ("shift-jis", "灯台の写真", "夕方の光"),
        ("iso2022jp", "船の時刻表", "遅れないでください"),
        ("gb18030", "渔港来信", "下周出海"),
        ("big5", "漁市場", "請改天再來"),
        ("euc-kr", "등대", "다음 달에"),
        ("greek", "Λιμάνι", "θέσεις ελεύθερες"),
        ("hebrew", "שלום מהנמל", "תודה לכולם"),
        (
            "utf7",
            "utf-7, for the last one who still sends it",
            "Zwölf Boxkämpfer und ein Ruderer. 1 + 1 = 2.",
        ),
        ("utf8-base64", "📬 Post vom Kai", "жареный лук, 焼き魚 und ein Stück Käsekuchen 🍰"),
        ("utf8-8bit", "naïve café", "a façade"),
    ] {
        let form = &forms[&format!("Inbox/Letters from abroad/{name}.eml")];
        assert_eq!(form.promoted.subject, subject, "{name}");
        let body = form.body_text.as_deref().unwrap();
        assert!(body.contains(text), "{name}: {body}");
    }
}

#[test]
fn awkward_mail_is_read_as_far_as_it_goes() {
    let forms = forms();
    for (name, subject, text) in [
        ("from-lines-in-body", "Poems that begin with From", "\n>From here a quoted line"),
        (
            "from-line-in-front",
            "Saved from a mail reader, with its From line",
            "The first line of this file",
        ),
        ("no-headers", "", "There are no headers here"),
        ("headers-broken-off", "the header ends without an empty line", "X-Looks-Like: a header"),
        ("raw-8bit-headers", "Überfahrt fällt aus", "Die Fähre bleibt"),
        ("raw-utf8-headers", "Færgen er aflyst ⚓", "Kom tilbage"),
        ("wrong-charset-label", "caf\u{fffd}", "the byte é stands for itself"),
        ("utf8-label-latin1-bytes", "liar", "small fjord: \u{fffd}\u{fffd}\u{fffd}"),
        ("boundary-never-closed", "cut off by the line", "The connection broke while"),
        ("boundary-missing", "a multipart that forgot its boundary", "Which was it?"),
        ("base64-broken", "base64 with sand in it", "This line"),
        (
            "qp-broken",
            "quoted-printable, mostly",
            "100 =% sure, =XY is no byte, é is one, trailing blanks\r\ngo away",
        ),
        ("mixed-line-ends", "three kinds of line end", "old mac\ralone"),
        ("duplicate-headers", "first subject", "Everything said twice."),
        ("deeply-nested", "dolls in dolls", "The smallest doll."),
        ("uuencode-in-text", "the way we used to attach", "begin 644 hello.txt"),
    ] {
        let form = &forms[&format!("Awkward/{name}.eml")];
        assert_eq!(form.promoted.subject, subject, "{name}");
        let body = form.body_text.as_deref().unwrap_or_default();
        assert!(body.contains(text), "{name}: {body:?}");
    }
    for (name, time) in
        [("no-date-no-id", None), ("bad-date", None), ("asctime-date", Some(1_071_390_600))]
    {
        let expected = time.map(FileTime::from_unix_seconds);
        assert_eq!(forms[&format!("Awkward/{name}.eml")].promoted.submit_time, expected, "{name}");
    }
}

#[test]
fn attachments_have_names_types_and_sizes() {
    let forms = forms();
    let of = |name: &str| -> Vec<(String, String, u64, bool)> {
        let infos = &forms[name].promoted.attachments;
        infos
            .iter()
            .map(|a| (a.name.clone(), a.mime_type.clone(), a.size_bytes, a.inline))
            .collect()
    };
    let row = |name: &str, kind: &str, size: u64, inline: bool| {
        (name.to_string(), kind.to_string(), size, inline)
    };
    assert_eq!(of("Inbox/attachment-text.eml"), [row("paint list.txt", "text/plain", 115, false)]);
    assert_eq!(
        of("Inbox/attachment-binary.eml"),
        [
            row("corner.bmp", "image/bmp", 70, false),
            row("soundings.dat", "application/octet-stream", 1_500, false)
        ]
    );
    assert_eq!(
        of("Inbox/attachment-empty.eml"),
        [row("agreed.bin", "application/octet-stream", 0, false)]
    );
    assert_eq!(of("Inbox/attachment-rfc2231-name.eml")[0].0, "marées de décembre.csv");
    assert_eq!(of("Inbox/attachment-encoded-word-name.eml")[0].0, "Übersicht.pdf");
    let embedded = of("Inbox/embedded-message.eml");
    assert_eq!(
        (embedded[0].0.as_str(), embedded[0].1.as_str()),
        ("La bouée verte", "message/rfc822")
    );
    assert_eq!(of("Inbox/embedded-base64.eml")[0].0, "bouee.eml");
    assert_eq!(of("Lists/Tide Watch/digest.eml").len(), 2);
    assert_eq!(of("Awkward/many-parts.eml").len(), 60);
    assert_eq!(of("Awkward/attachment-only.eml")[0].0, "scan0001.png");
    assert!(of("Inbox/related-inline-image.eml")[0].3);
    for (name, clip) in [
        ("Inbox/related-inline-image.eml", false),
        ("Inbox/nested-three-levels.eml", true),
        ("Projects/Lighthouse/signed.eml", false),
        ("Projects/Lighthouse/meeting-request.eml", false),
        ("Lists/Tide Watch/list-footer-part.eml", true),
        ("Inbox/plain-short.eml", false),
    ] {
        assert_eq!(forms[name].promoted.has_attachments, clip, "{name}");
    }
}

#[test]
fn classes_grades_and_flags_are_told_from_the_headers() {
    let forms = forms();
    for (name, class) in [
        ("Inbox/plain-short.eml", "IPM.Note"),
        ("Inbox/bounce.eml", "REPORT.IPM.Note.NDR"),
        ("Inbox/read-receipt.eml", "REPORT.IPM.Note.IPNRN"),
        ("Projects/Lighthouse/meeting-request.eml", "IPM.Schedule.Meeting.Request"),
        ("Projects/Lighthouse/meeting-accept.eml", "IPM.Schedule.Meeting.Resp.Pos"),
        ("Projects/Lighthouse/meeting-decline.eml", "IPM.Schedule.Meeting.Resp.Neg"),
        ("Projects/Lighthouse/meeting-cancel.eml", "IPM.Schedule.Meeting.Canceled"),
        ("Projects/Lighthouse/signed.eml", "IPM.Note.SMIME.MultipartSigned"),
        ("Projects/Lighthouse/encrypted.eml", "IPM.Note.SMIME"),
    ] {
        assert_eq!(forms[name].promoted.message_class, class, "{name}");
    }
    let drill = &forms["Inbox/alternative.eml"].promoted;
    assert_eq!(drill.importance, Importance::High);
    let late = &forms["Inbox/keywords-and-low-priority.eml"].promoted;
    assert_eq!((late.importance, late.sensitivity), (Importance::Low, Sensitivity::Personal));
    assert_eq!(late.categories, ["harbour", "winter", "someday"]);
    let seen = &forms["Inbox/status-headers.eml"].promoted;
    assert_eq!(seen.flags, ItemFlags::READ | ItemFlags::REPLIED | ItemFlags::FLAGGED);
    let ice = &forms["Inbox/sender-on-behalf.eml"].promoted;
    assert_eq!(
        (ice.sender.name.as_str(), ice.represented.name.as_str()),
        ("Front Desk", "Harbour Master")
    );
    let tower = &forms["Projects/Lighthouse/tower-4.eml"].promoted;
    assert_eq!((tower.subject_prefix.as_str(), tower.references.len()), ("FW: ", 4));
    assert_eq!(tower.in_reply_to, "<tower.3@example.org>");
    let groups = &forms["Inbox/groups-and-comments.eml"].promoted;
    assert_eq!(groups.recipients.len(), 4, "{:?}", groups.recipients);
    assert_eq!(forms["Inbox/long-folded-headers.eml"].promoted.recipients.len(), 59);
}

#[test]
fn flags_of_maildir_names_and_times_of_from_lines_are_read() {
    let messages = fixture_mail();
    let of = |subject: &str| {
        let found = messages.iter().map(|m| promote(&m.bytes, &m.envelope()));
        found.into_iter().find(|mail| mail.subject == subject).unwrap()
    };
    assert_eq!(of("Read and answered").flags, ItemFlags::READ | ItemFlags::REPLIED);
    assert_eq!(of("A draft thrown away").flags, ItemFlags::DRAFT | ItemFlags::DELETED);
    assert_eq!(of("Not seen yet").flags, ItemFlags::empty());
    assert_eq!(of("Low water record").flags, ItemFlags::READ);
    let odd = of("A From line with a quoted sender and no seconds");
    assert_eq!(odd.delivery_time, Some(FileTime::from_unix_seconds(1_073_722_500)));
}

#[test]
fn mail_written_from_the_mapi_form_is_softly_the_same() {
    for (name, form) in forms() {
        let mime = to_mime(&form);
        let again = promote(&mime, &Default::default());
        let soft = |mail: &dialtone::mapi::Promoted| {
            Content::of_promoted(mail, BodyDigest::NONE).soft(&mail.attachments, mail.text_length)
        };
        assert_eq!(
            soft(&again),
            soft(&form.promoted),
            "{name}:\n{}",
            String::from_utf8_lossy(&mime)
        );
    }
}
