//! Which source folders take part by their names or roles. Source: recover-semantics 4, last paragraph.

use super::options::FolderOptions;
use crate::store::{Role, fold_name, split_path};

/// A folder as filters see it.
#[derive(Debug, Clone, Copy)]
pub struct FilterFolder<'f> {
    /// Names from the IPM subtree down, as [`crate::store::FolderTree::path`] writes them.
    pub path: &'f str,
    /// The roles of the folder and of those above it, with the path from each down to this folder.
    pub roles: &'f [(Role, String)],
}

/// Whether a folder takes part: excluding is stronger than including, and nothing included means all.
pub fn takes_part(options: &FolderOptions, folder: FilterFolder<'_>) -> bool {
    let hits = |patterns: &[String]| patterns.iter().any(|pattern| matches(pattern, folder));
    !hits(&options.exclude) && (options.include.is_empty() || hits(&options.include))
}

/// `Name/Sub` or `#role#/Sub`; with `/*` at the end the folder and all below it.
fn matches(pattern: &str, folder: FilterFolder<'_>) -> bool {
    let (pattern, with_all_below) = match pattern.strip_suffix("/*") {
        Some(top) => (top, true),
        None => (pattern, false),
    };
    let mut names: Vec<String> = split_path(pattern).iter().map(|name| fold_name(name)).collect();
    let role = pattern.starts_with('#').then(|| names.first().cloned()).flatten();
    let role = role.and_then(|first| role_of(&first));
    let below = match role {
        Some(role) => {
            names.remove(0);
            folder.roles.iter().find(|(known, _)| *known == role).map(|(_, below)| below.as_str())
        }
        None => Some(folder.path),
    };
    let Some(below) = below else { return false };
    let own: Vec<String> = split_path(below).iter().map(|name| fold_name(name)).collect();
    if with_all_below { own.starts_with(&names) } else { own == names }
}

/// `#inbox#` in any case, with or without the underscores of the role's word.
fn role_of(text: &str) -> Option<Role> {
    let bare = |text: &str| text.to_lowercase().replace(['_', ' ', '-'], "");
    let word = bare(text.strip_prefix('#')?.strip_suffix('#')?);
    Role::all().find(|role| bare(role.word()) == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hits(pattern: &str, path: &str, roles: &[(Role, &str)]) -> bool {
        let roles: Vec<_> =
            roles.iter().map(|(role, below)| (*role, (*below).to_owned())).collect();
        matches(pattern, FilterFolder { path, roles: &roles })
    }

    #[test]
    fn names_match_whatever_their_case_and_a_star_takes_all_below() {
        assert!(hits("plan/a", "Plan/A", &[]));
        assert!(!hits("plan", "Plan/A", &[]));
        assert!(hits("plan/*", "Plan/A/B", &[]));
        assert!(hits("plan/*", "Plan", &[]));
        assert!(!hits("plan/*", "Planning", &[]));
    }

    #[test]
    fn roles_match_in_any_language() {
        let roles = [(Role::Inbox, "Projekte")];
        assert!(hits("#Inbox#/projekte", "Posteingang/Projekte", &roles));
        assert!(hits("#INBOX#/*", "Posteingang/Projekte", &roles));
        assert!(!hits("#inbox#", "Posteingang/Projekte", &roles));
        assert!(hits("#SentItems#", "Gesendet", &[(Role::SentItems, "")]));
        assert!(hits("\\#1", "#1", &[]));
    }

    #[test]
    fn excluding_is_stronger_than_including() {
        let options = FolderOptions {
            include: vec!["a/*".into()],
            exclude: vec!["a/b".into()],
            ..FolderOptions::default()
        };
        let takes = |path| takes_part(&options, FilterFolder { path, roles: &[] });
        assert!(takes("a") && takes("a/b/c") && !takes("a/b") && !takes("c"));
    }
}
