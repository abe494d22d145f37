//! A report as Markdown. Pictures are for the other face; their captions stay.

use super::document::{Block, Document};

/// The document as a page of Markdown.
pub fn markdown(document: &Document) -> String {
    let mut out = format!("# {}\n", document.title);
    for block in &document.blocks {
        out.push('\n');
        match block {
            Block::Heading(text) => out.push_str(&format!("## {text}\n")),
            Block::Text(text) => out.push_str(&format!("{text}\n")),
            Block::Verdict { text, .. } => out.push_str(&format!("**{text}**\n")),
            Block::Plot { caption, .. } => {
                out.push_str(&format!("*{caption}: see report.html.*\n"))
            }
            Block::Table { head, rows } => table(head, rows, &mut out),
            Block::Facts(facts) => {
                facts
                    .iter()
                    .for_each(|(name, value)| out.push_str(&format!("- **{name}**: {value}\n")));
            }
        }
    }
    out
}

/// A table whose columns are as wide as their longest cell, so that it can be read as it is.
fn table(head: &[String], rows: &[Vec<String>], out: &mut String) {
    let cell = |text: &str| text.replace('|', "\\|");
    let all: Vec<Vec<String>> = std::iter::once(head)
        .chain(rows.iter().map(Vec::as_slice))
        .map(|row| row.iter().map(|text| cell(text)).collect())
        .collect();
    let width =
        |at: usize| all.iter().filter_map(|row| row.get(at)).map(|text| text.chars().count()).max();
    let widths: Vec<usize> = (0..head.len()).map(|at| width(at).unwrap_or(0).max(3)).collect();
    for (number, row) in all.iter().enumerate() {
        for (at, width) in widths.iter().enumerate() {
            let text = row.get(at).map_or("", String::as_str);
            let pad = " ".repeat(width.saturating_sub(text.chars().count()));
            out.push_str(&if at == 0 {
                format!("| {text}{pad} ")
            } else {
                format!("| {pad}{text} ")
            });
        }
        out.push_str("|\n");
        if number == 0 {
            for (at, width) in widths.iter().enumerate() {
                let line = "-".repeat(*width);
                out.push_str(&if at == 0 {
                    format!("| {line} ")
                } else {
                    format!("| {}: ", &line[1..])
                });
            }
            out.push_str("|\n");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_line_up_and_cannot_be_broken_by_their_cells() {
        let mut document = Document { title: "T".into(), ..Document::default() };
        document.table(
            &["what", "n"],
            vec![vec!["a|b".into(), "1".into()], vec!["longer".into(), "12345".into()]],
        );
        let text = markdown(&document);
        let lines: Vec<&str> = text.lines().filter(|line| line.starts_with('|')).collect();
        assert_eq!(lines[0], "| what   |     n |");
        assert_eq!(lines[1], "| ------ | ----: |");
        assert_eq!(lines[2], "| a\\|b   |     1 |");
        assert_eq!(lines[3], "| longer | 12345 |");
    }
}
