//! Counting findings, and telling not too many of them. Knows no rule.
//!
//! Every finding is counted. Of one rule in one object the first [`TOLD_OF_KIND`] are told, of all [`TOLD_MAX`]; a note at
//! the end says how many of each kind were left out. So a damaged store gives pages of findings, not gigabytes.

use std::collections::BTreeMap;

use super::{Finding, Severity, Summary};
use crate::ese::error::EseError;
use crate::ese::page::Pgno;
use crate::ese::table::note::place_of;

/// Findings of one rule in one object that are told.
pub const TOLD_OF_KIND: u64 = 100;
/// Findings that are told at all.
const TOLD_MAX: u64 = 10_000;

/// Counts findings and passes them on.
pub struct Report<'s> {
    sink: &'s mut dyn FnMut(&Finding),
    pub summary: Summary,
    /// How many there were of each kind. Bounded: a kind is new only as long as findings are told.
    kinds: BTreeMap<(&'static str, Option<String>), u64>,
    told: u64,
    /// Findings behind [`TOLD_MAX`] whose kind is not listed.
    unlisted: u64,
}

impl<'s> Report<'s> {
    pub fn new(sink: &'s mut dyn FnMut(&Finding)) -> Self {
        Self { sink, summary: Summary::default(), kinds: BTreeMap::new(), told: 0, unlisted: 0 }
    }

    fn tell(&mut self, finding: Finding) {
        self.count(finding.severity);
        let kind = (finding.rule, finding.object.clone());
        if self.told >= TOLD_MAX && !self.kinds.contains_key(&kind) {
            self.unlisted += 1;
            return;
        }
        let of_kind = self.kinds.entry(kind).or_insert(0);
        *of_kind += 1;
        if *of_kind <= TOLD_OF_KIND && self.told < TOLD_MAX {
            self.told += 1;
            (self.sink)(&finding);
        } else {
            self.unlisted += u64::from(*of_kind <= TOLD_OF_KIND);
        }
    }

    fn count(&mut self, severity: Severity) {
        match severity {
            Severity::Error => self.summary.errors += 1,
            Severity::Warning => self.summary.warnings += 1,
            Severity::Note => self.summary.notes += 1,
        }
    }

    /// Says what was left out; answers the counts.
    pub fn finish(mut self) -> Summary {
        let mut say = |rule: &'static str, object: Option<String>, more: u64| {
            let message = format!("{more} more findings of this kind are counted, but not told");
            (self.sink)(&Finding { severity: Severity::Note, rule, object, pgno: None, message });
            self.summary.notes += 1;
        };
        for ((rule, object), count) in std::mem::take(&mut self.kinds) {
            if let Some(more) = count.checked_sub(TOLD_OF_KIND).filter(|more| *more > 0) {
                say(rule, object, more);
            }
        }
        if self.unlisted > 0 {
            say("any", None, self.unlisted);
        }
        self.summary
    }

    pub fn find(
        &mut self,
        severity: Severity,
        rule: &'static str,
        object: Option<&str>,
        pgno: Option<Pgno>,
        message: impl Into<String>,
    ) {
        let (object, message) = (object.map(str::to_owned), message.into());
        self.tell(Finding { severity, rule, object, pgno, message });
    }

    pub fn error(
        &mut self,
        rule: &'static str,
        object: &str,
        pgno: Option<Pgno>,
        message: impl Into<String>,
    ) {
        self.find(Severity::Error, rule, Some(object), pgno, message);
    }

    /// Turns an error of reading into a finding; what this program does not support is a note.
    pub fn unreadable(&mut self, rule: &'static str, object: &str, error: &EseError) {
        let pgno = place_of(error).and_then(|place| place.pgno);
        let severity = match error {
            EseError::Unsupported { .. } => Severity::Note,
            _ => Severity::Error,
        };
        self.find(severity, rule, Some(object), pgno, error.to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_findings_are_counted_and_of_one_kind_the_first_ones_are_told() {
        let mut told = Vec::new();
        let mut sink = |finding: &Finding| told.push(finding.clone());
        let mut report = Report::new(&mut sink);
        for number in 1..=130 {
            report.error("row", "A", Pgno::new(number), "bad");
        }
        report.error("row", "B", None, "bad");
        let summary = report.finish();
        assert_eq!((summary.errors, summary.notes), (131, 1));
        assert_eq!(told.len() as u64, TOLD_OF_KIND + 2);
        let last = told.last().map(|last| (last.rule, last.object.as_deref(), last.severity));
        assert_eq!(last, Some(("row", Some("A"), Severity::Note)));
        assert!(told.iter().any(|last| last.message.starts_with("30 more")), "{told:?}");
    }

    #[test]
    fn there_is_an_end_to_findings_of_many_kinds() {
        let mut told = 0;
        let mut sink = |_: &Finding| told += 1;
        let mut report = Report::new(&mut sink);
        for number in 0..2 * TOLD_MAX {
            report.error("row", &number.to_string(), None, "bad");
        }
        let kinds = report.kinds.len() as u64;
        assert_eq!((kinds, report.finish().errors), (TOLD_MAX, 2 * TOLD_MAX));
        assert_eq!(told, TOLD_MAX + 1);
    }
}
