//! Names for folders that recovery makes: dated, numbered, and never one that is in use. Source: recover-semantics F9 to F11, Y5.

use std::collections::{HashMap, HashSet};

use super::plan::NewParent;
use crate::mapi::{FileTime, FolderId};
use crate::store::fold_name;

/// A parent in the target, existing or planned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Above {
    /// It is there.
    Existing(FolderId),
    /// It is in the plan, at this place.
    Planned(usize),
}

impl From<Above> for NewParent {
    fn from(above: Above) -> Self {
        match above {
            Above::Existing(id) => Self::Existing(id),
            Above::Planned(place) => Self::Planned(place),
        }
    }
}

/// Names of new folders, folded, under their parents.
#[derive(Debug, Default)]
pub(super) struct Names {
    used: HashSet<(Above, String)>,
    /// The last numbered name of each name that is known to be gone, so that many equal siblings do not try them all again.
    gone: HashMap<(Above, String), u64>,
}

impl Names {
    /// Uses a name; false when it is in use.
    pub(super) fn take(&mut self, above: Above, name: &str) -> bool {
        self.used.insert((above, fold_name(name)))
    }

    /// The number to try after `number`, which is gone; 0 is the name itself.
    pub(super) fn next(&mut self, above: Above, name: &str, number: u64) -> u64 {
        let gone = self.gone.entry((above, fold_name(name))).or_default();
        *gone = number.max(*gone);
        gone.saturating_add(1)
    }
}

/// The name itself, or what stands in for it: `Name (recovered)`, `Name (recovered) 2`, and so on (F10).
pub(super) fn numbered(name: &str, number: u64) -> String {
    match number {
        0 => name.to_owned(),
        1 => format!("{name} (recovered)"),
        number => format!("{name} (recovered) {number}"),
    }
}

/// Whether folders of these container classes hold items of one kind: their first two words are the same. A folder without a class
/// holds mail.
pub(super) fn hold_one_kind(class: &str, other: &str) -> bool {
    let [mut ours, mut theirs] = [class, other].map(|class| {
        let class = if class.is_empty() { "IPF.Note" } else { class };
        class.split('.').take(2)
    });
    loop {
        match (ours.next(), theirs.next()) {
            (None, None) => return true,
            (Some(one), Some(other)) if one.eq_ignore_ascii_case(other) => {}
            _ => return false,
        }
    }
}

/// `Recovered Data YYYY-MM-DD HH.MM`, in UTC (Y5).
pub(super) fn dated_name(start: FileTime) -> String {
    const MINUTE: i64 = 600_000_000;
    let (year, month, day, _) = start.to_civil();
    let minutes = start.0.div_euclid(MINUTE).rem_euclid(24 * 60);
    let (hour, minute) = (minutes / 60, minutes % 60);
    format!("Recovered Data {year:04}-{month:02}-{day:02} {hour:02}.{minute:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_two_words_of_a_class_say_what_a_folder_holds() {
        for (class, other) in [
            ("", "IPF.Note"),
            ("ipf.note", "IPF.Note.OutlookHomepage"),
            ("IPF", "ipf"),
            ("IPF.", "IPF..x"),
        ] {
            assert!(hold_one_kind(class, other) && hold_one_kind(other, class), "{class} {other}");
        }
        for (class, other) in [("", "IPF.Task"), ("IPF", "IPF.Note"), ("IPF.Note", "IPM.Note")] {
            assert!(!hold_one_kind(class, other) && !hold_one_kind(other, class));
        }
    }
}
