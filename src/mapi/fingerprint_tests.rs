//! What changes P and what does not.

use super::*;
use crate::mapi::{Guid, PropertySetGuid, RecipientKind};

struct Sample {
    class: String,
    prefix: String,
    subject: String,
    sender: Party,
    recipients: Vec<Recipient>,
    time: Option<FileTime>,
    body: BodyDigest,
    attachments: Vec<(AttachmentInfo, [u8; 32])>,
    categories: Vec<String>,
    named: Vec<(NamedProperty, Vec<u8>)>,
    importance: Importance,
}

fn sample() -> Sample {
    let recipient = |kind, address: &str| Recipient { kind, party: Party::smtp("N", address) };
    let set = PropertySetGuid(Guid([1; 16]));
    let info = AttachmentInfo { name: "a.txt".into(), size_bytes: 3, ..Default::default() };
    Sample {
        class: "IPM.Note".into(),
        prefix: "RE: ".into(),
        subject: "Plan".into(),
        sender: Party::smtp("Ann", "ann@example.org"),
        recipients: vec![
            recipient(RecipientKind::To, "b@example.org"),
            recipient(RecipientKind::Cc, "c@example.org"),
        ],
        time: Some(FileTime::from_unix_seconds(1_000_000)),
        body: BodyDigest::of(BodyKind::Text, b"hello"),
        attachments: vec![(info.clone(), content_hash(b"abc")), (info, content_hash(b"abd"))],
        categories: vec!["red".into(), "blue".into()],
        named: vec![
            (NamedProperty { set, name: PropName::Number(2) }, vec![1]),
            (NamedProperty { set, name: PropName::Text("x".into()) }, vec![2]),
        ],
        importance: Importance::Normal,
    }
}

impl Sample {
    fn content(&self) -> Content<'_> {
        Content {
            message_class: &self.class,
            subject_prefix: &self.prefix,
            normalized_subject: &self.subject,
            sender: &self.sender,
            represented: &self.sender,
            recipients: &self.recipients,
            delivery_time: self.time,
            submit_time: self.time,
            body: self.body,
            attachments: &self.attachments,
            importance: self.importance,
            sensitivity: Sensitivity::Normal,
            categories: &self.categories,
            named: &self.named,
        }
    }

    fn p(&self) -> Fingerprint {
        self.content().fingerprint()
    }

    fn soft(&self) -> Fingerprint {
        let infos: Vec<_> = self.attachments.iter().map(|a| a.0.clone()).collect();
        self.content().soft(&infos, 5)
    }
}

fn changed(change: impl FnOnce(&mut Sample)) -> Sample {
    let mut sample = sample();
    change(&mut sample);
    sample
}

#[test]
fn order_of_recipients_categories_and_named_properties_does_not_matter() {
    let same = changed(|s| {
        s.recipients.reverse();
        s.categories.reverse();
        s.named.reverse();
    });
    assert_eq!(same.p(), sample().p());
}

#[test]
fn everything_that_a_user_sees_changes_p() {
    let changes: [fn(&mut Sample); 14] = [
        |s| s.class.push_str(".x"),
        |s| s.prefix.clear(),
        |s| s.subject.push('!'),
        |s| (s.prefix, s.subject) = ("RE".into(), ": Plan".into()), // the same text, parted elsewhere
        |s| s.sender.name.push('e'),
        |s| s.recipients[0].kind = RecipientKind::Bcc,
        |s| s.recipients[0].party.name.clear(),
        |s| s.time = None,
        |s| s.body.kind = BodyKind::Html,
        |s| s.body = BodyDigest::of(BodyKind::Text, b"hello "),
        |s| s.attachments.reverse(),
        |s| s.categories[0].push('r'),
        |s| s.named[0].1[0] = 9,
        |s| s.importance = Importance::High,
    ];
    let mut seen = vec![sample().p()];
    for change in changes {
        let p = changed(change).p();
        assert!(!seen.contains(&p), "change {}", seen.len());
        seen.push(p);
    }
}

#[test]
fn the_soft_form_looks_past_names_forms_and_parts_of_seconds() {
    let alike = changed(|s| {
        s.body = BodyDigest::of(BodyKind::Mime, b"other");
        s.recipients[0].party.name = "Someone".into();
        s.recipients[1].party.address = "C@Example.ORG".into();
        s.time = s.time.map(|t| FileTime(t.0 + 9));
        s.attachments[0].1 = [0; 32];
        s.class = "IPM.Other".into();
    });
    assert_eq!(alike.soft(), sample().soft());
    assert_ne!(alike.p(), sample().p());
    let other = changed(|s| s.attachments[0].0.size_bytes = 4);
    assert_ne!(other.soft(), sample().soft());
    assert_ne!(sample().content().soft(&[], 5), sample().content().soft(&[], 6));
}

#[test]
fn the_form_is_pinned() {
    // A changed form would make every item of older stores a conflict; this value may only change with the context string.
    let hex: String = sample().p().0.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, "30c2ca394b014150cce3e79c694cd010");
}

#[test]
fn text_is_measured_with_its_white_space_folded() {
    assert_eq!(folded_length(""), 0);
    assert_eq!(folded_length("  \r\n\t "), 0);
    assert_eq!(folded_length(" a\r\n\r\nbé  c "), 6);
}
