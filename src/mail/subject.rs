//! Subjects: the prefix of a reply or forward, and the rest.

/// Parts a subject into prefix and normalized subject; joined again they are the subject.
///
/// A prefix is one to three letters, a colon and a blank at the start: `RE: `, `FW: `, `AW: `. Others (`Fwd: `, which has three, is one;
/// `Antw: ` is none) stay in the subject. Source: exchange-store 12.6 (`U3d`, `Ue1d`); the rule is the published one of MAPI.
pub(super) fn split(subject: &str) -> (&str, &str) {
    let Some((head, _)) = subject.split_once(": ") else { return ("", subject) };
    let letters = head.chars().count();
    if (1..=3).contains(&letters) && head.chars().all(char::is_alphabetic) {
        subject.split_at(head.len() + 2)
    } else {
        ("", subject)
    }
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn short_words_before_a_colon_are_prefixes() {
        assert_eq!(split("RE: Plan"), ("RE: ", "Plan"));
        assert_eq!(split("Fwd: RE: x"), ("Fwd: ", "RE: x"));
        assert_eq!(split("回复: 计划"), ("回复: ", "计划"));
    }

    #[test]
    fn other_subjects_have_none() {
        for subject in ["", "Plan", "Antw: x", "R2: x", ": x", "RE:x", "[list] RE: x", "Plan: x"] {
            assert_eq!(split(subject), ("", subject));
        }
    }
}
