//! The rules of the house that a compiler does not hold: imports point downwards, files and functions
//! stay small, every module says what it is for, `unsafe` lives in three files, nothing is left undone,
//! and no path of a developer's machine gets in. The source tree is read as text; the scanner's own
//! tests show that each rule catches a snippet that breaks it.

#![allow(clippy::unwrap_used)] // a test program: what cannot be read must fail it

use std::fs;
use std::path::{Path, PathBuf};

/// Longest file, in lines.
const FILE_LINES: usize = 600;
/// Longest function, in lines, signature and braces included.
const FUNCTION_LINES: usize = 70;
/// Functions allowed to be longer, as `file: name`. It stays empty.
const LONG_FUNCTIONS: &[&str] = &[];
/// The files in which `unsafe` may stand; each has a safe twin that tests compare with.
const UNSAFE_FILES: &[&str] =
    &["src/io/map.rs", "src/io/guard.rs", "src/ese/page/checksum/avx2.rs"];
/// Where Rust files are looked for.
const RUST_DIRS: &[&str] = &["src", "tests", "benches", "examples", "fuzz"];

/// The layers of the crate, top first. A module may use those on later lines only.
const LAYERS: &[&[&str]] = &[
    &["cli"],
    &["service", "ffi"],
    &["bench"],
    &["procedure"],
    &["recover"],
    &["backup"],
    &["synth"],
    &["mail"],
    &["store"],
    &["mapi"],
    &["stm"],
    &["ese"],
    &["io"],
];

/// The layers inside `ese`. `error` is the vocabulary of all; itself it names only `page`.
const ESE_LAYERS: &[&[&str]] = &[&["check"], &["table"], &["tree"], &["txn"], &["page"]];

/// One broken rule: where and what.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Finding {
    line: usize,
    text: String,
}

fn finding(line: usize, text: impl Into<String>) -> Finding {
    Finding { line, text: text.into() }
}

// ---- the rules over the real tree ----

#[test]
fn every_import_points_downwards() {
    judge("src", "rs", upward_imports);
}

#[test]
fn files_and_functions_stay_small() {
    for dir in RUST_DIRS {
        judge(dir, "rs", |path, text| {
            let mut findings = long_functions(text);
            findings.retain(|f| !LONG_FUNCTIONS.contains(&format!("{path}: {}", f.text).as_str()));
            findings.extend(long_file(text));
            findings
        });
    }
    judge("tests", "py", |_, text| long_file(text));
}

#[test]
fn every_module_starts_by_saying_what_it_is_for() {
    judge("src", "rs", |_, text| headless(text));
}

#[test]
fn nothing_is_left_undone() {
    for dir in RUST_DIRS {
        judge(dir, "rs", |_, text| undone(text));
    }
}

#[test]
fn unsafe_stands_only_where_it_is_allowed() {
    for dir in RUST_DIRS {
        judge(dir, "rs", misplaced_unsafe);
    }
}

#[test]
fn no_path_of_a_machine_is_written_down() {
    judge("", "", |_, text| machine_paths(text));
}

/// Applies a rule to every file under `dir` with the extension (any, if empty).
fn judge(dir: &str, extension: &str, rule: impl Fn(&str, &str) -> Vec<Finding>) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    walk(&root.join(dir), &mut files);
    let mut report = String::new();
    for file in files {
        let fits = extension.is_empty() || file.extension().is_some_and(|e| e == extension);
        // A file that is not text (a fixture) has no lines to judge.
        let Some(text) = fits.then(|| fs::read_to_string(&file).ok()).flatten() else { continue };
        let path = file.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
        for found in rule(&path, &text) {
            report += &format!("{path}:{}: {}\n", found.line, found.text);
        }
    }
    assert!(report.is_empty(), "the tree breaks a rule of the house:\n{report}");
}

/// Collects the files under a directory, without build output and the repository's own.
fn walk(dir: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(dir) else { return };
    let mut entries: Vec<_> = entries.map(|entry| entry.unwrap()).collect();
    entries.sort_by_key(|entry| entry.file_name());
    for entry in entries {
        let name = entry.file_name();
        let name = name.to_str().unwrap_or_default();
        let skipped = ["target", ".git", "corpus", "artifacts", "__pycache__", ".venv"];
        if entry.file_type().unwrap().is_dir() {
            if !skipped.contains(&name) {
                walk(&entry.path(), files);
            }
        } else if name != ".git" {
            files.push(entry.path());
        }
    }
}

// ---- layering ----

/// Paths in a file of `src` that name a module above it.
fn upward_imports(path: &str, text: &str) -> Vec<Finding> {
    let own = module_of(path);
    if own.is_empty() {
        return Vec::new(); // lib.rs and main.rs stand outside the layers
    }
    let mut findings = Vec::new();
    for (line, target) in paths_in(&own, &tokens(&blank(text))) {
        if let Some(reason) = upward(&own, &target) {
            findings.push(finding(line, format!("{}: {reason}", target.join("::"))));
        }
    }
    findings.dedup();
    findings
}

/// The module path of a source file: `src/ese/page/tag.rs` is `ese::page::tag`.
fn module_of(path: &str) -> Vec<String> {
    let inner = path.trim_start_matches("src/").trim_end_matches(".rs");
    let mut parts: Vec<String> = inner.split('/').map(str::to_string).collect();
    if parts.last().is_some_and(|p| ["mod", "lib", "main"].contains(&p.as_str())) {
        parts.pop();
    }
    parts
}

/// Why a module may not use a path, if so.
fn upward(own: &[String], target: &[String]) -> Option<String> {
    let (from, to) = (own.first()?, target.first()?);
    if !is_module(to) {
        return None; // an item that lib.rs re-exports
    }
    if from != to {
        return compare(LAYERS, from, to);
    }
    let (Some(from), Some(to)) = (own.get(1), target.get(1)) else { return None };
    if own[0] != "ese" || from == to || !is_module(to) || to == "error" {
        return None;
    }
    if from == "error" {
        return (to != "page").then(|| format!("error may not use {to}"));
    }
    compare(ESE_LAYERS, from, to)
}

fn compare(layers: &[&[&str]], from: &str, to: &str) -> Option<String> {
    let rank = |name: &str| layers.iter().position(|layer| layer.contains(&name));
    match (rank(from), rank(to)) {
        (None, _) => Some(format!("{from} is not in the list of layers in tests/tidy.rs")),
        (_, None) => Some(format!("{to} is not in the list of layers in tests/tidy.rs")),
        (Some(above), Some(below)) if below > above => None,
        _ => Some(format!("{from} may not use {to}, which stands above or beside it")),
    }
}

/// Modules are lower case; types, constants and macros of the crate root are not judged here.
fn is_module(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
}

/// Every path that starts at the crate, with its line, `use` groups taken apart.
fn paths_in(own: &[String], tokens: &[Token]) -> Vec<(usize, Vec<String>)> {
    let mut found = Vec::new();
    let mut modules: Vec<(usize, String)> = Vec::new();
    let mut depth = 0;
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        let follows =
            |offset: usize, text: &str| tokens.get(at + offset).is_some_and(|t| t.text == text);
        match token.text.as_str() {
            "{" => depth += 1,
            "}" => {
                depth -= 1;
                modules.retain(|(opened, _)| *opened <= depth);
            }
            "mod" if follows(2, "{") => modules.push((depth + 1, tokens[at + 1].text.clone())),
            "crate" | "super" | "self" if follows(1, "::") && !is_continued(tokens, at) => {
                let mut base = own.to_vec();
                base.extend(modules.iter().map(|(_, name)| name.clone()));
                at = tree(tokens, at, base, &mut found);
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    found
}

/// Whether the token only continues a path that began before it.
fn is_continued(tokens: &[Token], at: usize) -> bool {
    at > 0 && tokens[at - 1].text == "::"
}

/// Reads one path, or a group of them, and returns the index behind it.
fn tree(
    tokens: &[Token],
    mut at: usize,
    mut path: Vec<String>,
    found: &mut Vec<(usize, Vec<String>)>,
) -> usize {
    let line = tokens.get(at).map_or(0, |t| t.line);
    while let Some(token) = tokens.get(at) {
        match token.text.as_str() {
            "crate" => path.clear(),
            "super" => _ = path.pop(),
            "self" | "::" => {}
            "{" if at > 0 && tokens[at - 1].text == "::" => {
                return group(tokens, at + 1, &path, found);
            }
            text if is_word(text)
                && (at == 0 || tokens[at - 1].text == "::" || is_group_start(tokens, at)) =>
            {
                path.push(text.to_string());
            }
            _ => break,
        }
        at += 1;
    }
    found.push((line, path));
    at
}

/// Reads the members of a `{...}` group and returns the index behind its closing brace.
fn group(
    tokens: &[Token],
    mut at: usize,
    base: &[String],
    found: &mut Vec<(usize, Vec<String>)>,
) -> usize {
    while let Some(token) = tokens.get(at) {
        match token.text.as_str() {
            "}" => return at + 1,
            "," => at += 1,
            "as" => at += 2,
            "*" => {
                found.push((token.line, base.to_vec()));
                at += 1;
            }
            text if is_word(text) => at = tree(tokens, at, base.to_vec(), found),
            _ => at += 1,
        }
    }
    at
}

fn is_group_start(tokens: &[Token], at: usize) -> bool {
    ["{", ","].contains(&tokens[at - 1].text.as_str())
}

// ---- size, heads, leftovers ----

fn long_file(text: &str) -> Vec<Finding> {
    let lines = text.lines().count();
    let long = lines > FILE_LINES;
    long.then(|| finding(lines, format!("{lines} lines, more than {FILE_LINES}")))
        .into_iter()
        .collect()
}

/// Functions longer than the limit; the text of each finding is the function's name.
fn long_functions(text: &str) -> Vec<Finding> {
    let tokens = tokens(&blank(text));
    let mut findings = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let Some(name) = tokens.get(at + 1).filter(|t| token.text == "fn" && is_word(&t.text))
        else {
            continue;
        };
        if let Some(end) = body_end(&tokens, at)
            && end + 1 - token.line > FUNCTION_LINES
        {
            findings.push(finding(token.line, name.text.clone()));
        }
    }
    findings
}

/// The line of the brace that closes the function starting at a token; None for a declaration.
fn body_end(tokens: &[Token], start: usize) -> Option<usize> {
    let (mut round, mut curly) = (0, 0);
    for token in &tokens[start..] {
        match token.text.as_str() {
            "(" | "[" => round += 1,
            ")" | "]" => round -= 1,
            ";" if round == 0 && curly == 0 => return None,
            "{" => curly += 1,
            "}" => {
                curly -= 1;
                if curly == 0 && round == 0 {
                    return Some(token.line);
                }
            }
            _ => {}
        }
    }
    None
}

fn headless(text: &str) -> Vec<Finding> {
    let bare = !text.starts_with("//! ");
    bare.then(|| finding(1, "the file does not start with `//! ` and its purpose"))
        .into_iter()
        .collect()
}

fn undone(text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let code = tokens(&blank(text));
    for pair in code.windows(2) {
        if ["todo", "unimplemented", "dbg"].contains(&pair[0].text.as_str()) && pair[1].text == "!"
        {
            findings.push(finding(pair[0].line, format!("{}!", pair[0].text)));
        }
    }
    for three in code.windows(3) {
        if three[0].text == "[" && three[1].text == "ignore" && three[2].text != "=" {
            findings.push(finding(three[0].line, "a test is ignored without a reason"));
        }
    }
    // Spelt apart, so that this file passes its own rule.
    for mark in [["FIX", "ME"].concat(), ["XX", "X"].concat()] {
        for (index, line) in text.lines().enumerate() {
            if line.split(|c: char| !c.is_alphanumeric()).any(|word| word == mark) {
                findings.push(finding(index + 1, mark.clone()));
            }
        }
    }
    findings
}

fn misplaced_unsafe(path: &str, text: &str) -> Vec<Finding> {
    let used = tokens(&blank(text)).into_iter().find(|t| t.text == "unsafe");
    let allowed = UNSAFE_FILES.contains(&path);
    used.filter(|_| !allowed)
        .map(|t| finding(t.line, "unsafe is not allowed in this file"))
        .into_iter()
        .collect()
}

/// Absolute paths that only some developer's machine has.
fn machine_paths(text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, line) in text.lines().enumerate() {
        for root in ["work", "root", "home", "farm"].map(|name| format!("/{name}")) {
            for (at, _) in line.match_indices(&root) {
                let before = line[..at].chars().next_back();
                let after = line[at + root.len()..].chars().next();
                let absolute =
                    !before.is_some_and(|c| c.is_alphanumeric() || "._-/}$>)".contains(c));
                if absolute && after == Some('/') {
                    findings.push(finding(index + 1, format!("a path under {root}")));
                }
            }
        }
    }
    findings
}

// ---- a small lexer ----

/// A word, `::`, or one other character, with its line.
#[derive(Debug, Clone)]
struct Token {
    line: usize,
    text: String,
}

fn is_word(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

fn tokens(code: &str) -> Vec<Token> {
    let mut found = Vec::new();
    for (index, line) in code.lines().enumerate() {
        let mut rest = line.trim_start();
        while let Some(first) = rest.chars().next() {
            let word = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            let length = match word {
                0 if rest.starts_with("::") => 2,
                0 => first.len_utf8(),
                length => length,
            };
            let (text, tail) = rest.split_at(length);
            found.push(Token { line: index + 1, text: text.to_string() });
            rest = tail.trim_start();
        }
    }
    found
}

/// The source with comments, strings and characters blanked out, line by line in place.
fn blank(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (length, kept) = match skipped_length(rest, out.chars().next_back()) {
            Some(length) => (length, ""),
            None => (first.len_utf8(), &rest[..first.len_utf8()]),
        };
        let (piece, tail) = rest.split_at(length);
        out.push_str(kept);
        if kept.is_empty() {
            out.push(' ');
            out.extend(piece.chars().filter(|c| *c == '\n'));
        }
        rest = tail;
    }
    out
}

/// The length of the comment or literal that starts here, if one does.
fn skipped_length(rest: &str, before: Option<char>) -> Option<usize> {
    if rest.starts_with("//") {
        return Some(rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return Some(block_comment(rest));
    }
    let in_word = before.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let raw = rest.strip_prefix('b').unwrap_or(rest);
    if let Some(hashes) = raw.strip_prefix('r').filter(|_| !in_word) {
        let count = hashes.len() - hashes.trim_start_matches('#').len();
        if hashes[count..].starts_with('"') {
            let close = format!("\"{}", "#".repeat(count));
            let body = rest.len() - hashes.len() + count + 1;
            return Some(
                rest[body..].find(&close).map_or(rest.len(), |end| body + end + close.len()),
            );
        }
    }
    match rest.chars().next()? {
        '"' => Some(quoted(rest, '"')),
        // A lifetime has no closing quote right behind its first character.
        '\'' if rest[1..].starts_with('\\') => Some(quoted(rest, '\'')),
        '\'' => {
            let mut after = rest.char_indices().skip(2);
            after.next().filter(|(_, c)| *c == '\'').map(|(at, _)| at + 1)
        }
        _ => None,
    }
}

fn quoted(rest: &str, close: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == close => return at + c.len_utf8(),
            _ => {}
        }
    }
    rest.len()
}

fn block_comment(rest: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < rest.len() {
        if rest[at..].starts_with("/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if rest[at..].starts_with("*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return at;
            }
        } else {
            at += rest[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

// ---- the scanner judged in its turn ----

fn lines_of(findings: Vec<Finding>) -> Vec<usize> {
    findings.into_iter().map(|f| f.line).collect()
}

#[test]
fn the_scanner_catches_upward_imports_however_they_are_written() {
    let caught = |path: &str, code: &str| lines_of(upward_imports(path, code));
    let page = "src/ese/page/tag.rs";
    assert_eq!(caught(page, "\nuse crate::ese::tree::Cursor;"), [2]);
    assert_eq!(caught(page, "use crate::{\n io::Storage,\n ese::{page::Tag, txn},\n};"), [3]);
    assert_eq!(caught(page, "use super::super::table::Row;"), [1]);
    assert_eq!(caught(page, "use super::{super::{table::Row, page::Tag}, header};"), [1]);
    assert_eq!(caught(page, "fn f() {\n crate::ese::tree::walk();\n}"), [2]);
    assert_eq!(
        caught(page, "mod tests {\n use super::*;\n use super::super::super::txn::Txn;\n}"),
        [3]
    );
    assert_eq!(caught("src/io/disk.rs", "use crate::ese::EseError;"), [1]);
    assert_eq!(caught("src/ese/mod.rs", "use crate::cli::run;"), [1]);
    assert_eq!(caught("src/ese/error.rs", "use crate::ese::tree::Cursor;"), [1]);
    assert_eq!(caught("src/ffi/mod.rs", "use crate::service::Server;"), [1]);
    assert_eq!(caught("src/novel/mod.rs", "use crate::io::Storage;"), [1]);
}

#[test]
fn the_scanner_lets_downward_imports_pass() {
    let caught = |path: &str, code: &str| lines_of(upward_imports(path, code));
    let table = "src/ese/table/row.rs";
    let good = "use crate::ese::{EseError, error::Place, page::Tag, tree::Cursor as C, txn::*};\n\
                use super::{catalog::Table, super::page};\npub(super) fn f() { self::g(); super::h(); }\n\
                // use crate::cli::run;\nconst S: &str = \"crate::cli::run\";";
    assert_eq!(caught(table, good), [0; 0]);
    assert_eq!(caught("src/cli/dump.rs", "use crate::{ese::table::Table, io};"), [0; 0]);
    assert_eq!(caught("src/ese/error.rs", "use crate::ese::page::Pgno;"), [0; 0]);
    assert_eq!(caught("src/lib.rs", "pub mod cli;"), [0; 0]);
}

#[test]
fn the_scanner_measures_functions_by_their_braces() {
    let code = |lines: usize| {
        format!("impl T {{\n  fn long(a: [u8; 3]) {{\n{}  }}\n}}\n", "    f('{');\n".repeat(lines))
    };
    assert_eq!(long_functions(&code(FUNCTION_LINES - 2)), []);
    assert_eq!(long_functions(&code(FUNCTION_LINES - 1)), [finding(2, "long")]);
    assert_eq!(long_functions("trait T { fn a(&self) -> u8; fn b(); }"), []);
    assert_eq!(lines_of(long_file(&"x\n".repeat(FILE_LINES + 1))), [FILE_LINES + 1]);
    assert_eq!(long_file(&"x\n".repeat(FILE_LINES)), []);
}

#[test]
fn the_scanner_catches_leftovers_and_not_words_in_strings() {
    let bad = "fn f() {\n todo!()\n}\n#[ignore]\nfn g() { dbg!(1); unimplemented!() }";
    assert_eq!(lines_of(undone(bad)), [2, 5, 5, 4]);
    assert_eq!(lines_of(undone(&format!("// {}ME: later", "FIX"))), [1]);
    assert_eq!(
        undone("#[ignore = \"needs a disk\"]\nconst S: &str = \"todo!()\"; // dbg!\nlet XXXL = 1;"),
        []
    );
    assert_eq!(lines_of(headless("use std::fs;\n//! late")), [1]);
    assert_eq!(headless("//! Pages."), []);
}

#[test]
fn the_scanner_catches_unsafe_and_machine_paths() {
    assert_eq!(lines_of(misplaced_unsafe("src/ese/mod.rs", "fn f() {\n unsafe { g() }\n}")), [2]);
    assert_eq!(misplaced_unsafe("src/io/map.rs", "unsafe { g() }"), []);
    assert_eq!(misplaced_unsafe("src/ese/mod.rs", "#![deny(unsafe_code)] // unsafe"), []);
    let path = |root: &str| machine_paths(&format!("let p = \"/{root}/x\"; // a/{root}/b"));
    for root in ["work", "root", "home", "farm"] {
        assert_eq!(lines_of(path(root)), [1], "{root}");
    }
    assert_eq!(
        machine_paths("https://example.org/home/x docs/work/x /homework/x $HOME/work/x"),
        []
    );
}

#[test]
fn the_lexer_blanks_strings_comments_and_characters_but_keeps_lines() {
    let source = "a /* b /* c */\n d */ e \"f\\\"g\" r#\"h\"i\"# 'j' '\\'' &'k l b'm' // n\no";
    let words: Vec<_> = tokens(&blank(source)).into_iter().filter(|t| is_word(&t.text)).collect();
    let shown: Vec<_> = words.iter().map(|t| format!("{}{}", t.text, t.line)).collect();
    assert_eq!(shown, ["a1", "e2", "k2", "l2", "b2", "o3"]);
}
