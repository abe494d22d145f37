//! A report as one page of HTML that needs nothing else: style and pictures are in it, and it loads nothing from anywhere.

use super::document::{Block, Document};

/// Colours are named once, for paper and for the dark; pictures use the same names.
const STYLE: &str = "
:root { color-scheme: light dark; --paper: #fdfdfb; --ink: #20242b; --soft: #667080; --line: #d9dde3; --stripe: #f3f5f7;
  --a: #1f6fb2; --b: #d9731a; --c: #3d8f5f; --d: #8457a8; --e: #b4463f; --f: #a58a1f; --g: #3b939c;
  --wait: #dfe3e8; --wait-more: #c6ccd4; --wait-most: #adb5c0; --band: #1f6fb229; --good: #2e7d4f; --bad: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --paper: #15181d; --ink: #e4e7ec; --soft: #98a2b0; --line: #343b45;
  --stripe: #1d2229; --a: #6cb2ee; --b: #f2a356; --c: #74c795; --d: #c09be0; --e: #ee8f88; --f: #d9c25e; --g: #76c8d0;
  --wait: #2b323b; --wait-more: #3c4550; --wait-most: #505b69; --band: #6cb2ee30; --good: #74c795; --bad: #f2857d; } }
body { background: var(--paper); color: var(--ink); font: 16px/1.55 system-ui, sans-serif; margin: 0 auto;
  max-width: 62rem; padding: 2rem 1.25rem 4rem; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0 0 1rem; }
h2 { border-top: 1px solid var(--line); font-size: 1.2rem; margin: 2.5rem 0 .75rem; padding-top: 1.25rem; }
p { margin: .6rem 0; max-width: 50rem; }
.verdict { border-left: .3rem solid var(--good); font-weight: 600; padding: .3rem .8rem; }
.verdict.bad { border-color: var(--bad); color: var(--bad); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; margin: 1rem 0; }
th, td { padding: .3rem .8rem; text-align: right; vertical-align: top; }
td { white-space: nowrap; }
th:first-child, td:first-child { padding-left: .4rem; text-align: left; }
td:first-child { min-width: 11rem; white-space: normal; }
dl { display: grid; gap: .3rem 1.5rem; grid-template-columns: max-content 1fr; margin: 1rem 0; }
dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; }
th { border-bottom: 2px solid var(--line); color: var(--soft); font-weight: 600; vertical-align: bottom; }
tr:nth-child(even) td { background: var(--stripe); }
figure { margin: 1.25rem 0; }
figcaption { color: var(--soft); font-size: .9rem; margin-top: .25rem; max-width: 50rem; }
svg { display: block; height: auto; max-width: 100%; }
svg text { fill: var(--ink); font: 12px system-ui, sans-serif; }
svg .soft { fill: var(--soft); }
svg .grid { stroke: var(--line); }
svg .axis { stroke: var(--soft); }
@media print { body { max-width: none; } h2 { break-after: avoid; } figure, table { break-inside: avoid; } }
";

/// The document as a page.
pub fn html(document: &Document) -> String {
    let title = escaped(&document.title);
    let mut body = format!("<h1>{title}</h1>\n");
    for block in &document.blocks {
        match block {
            Block::Heading(text) => body.push_str(&format!("<h2>{}</h2>\n", escaped(text))),
            Block::Text(text) => body.push_str(&format!("<p>{}</p>\n", escaped(text))),
            Block::Verdict { is_good, text } => {
                let class = if *is_good { "verdict" } else { "verdict bad" };
                body.push_str(&format!("<p class=\"{class}\">{}</p>\n", escaped(text)));
            }
            Block::Plot { svg, caption } => {
                let caption = escaped(caption);
                body.push_str(&format!(
                    "<figure>\n{svg}\n<figcaption>{caption}</figcaption>\n</figure>\n"
                ));
            }
            Block::Facts(facts) => {
                body.push_str("<dl>\n");
                for (name, value) in facts {
                    body.push_str(&format!(
                        "<dt>{}</dt><dd>{}</dd>\n",
                        escaped(name),
                        escaped(value)
                    ));
                }
                body.push_str("</dl>\n");
            }
            Block::Table { head, rows } => {
                body.push_str("<div class=\"scroll\"><table>\n");
                row("th", head, &mut body);
                rows.iter().for_each(|cells| row("td", cells, &mut body));
                body.push_str("</table></div>\n");
            }
        }
    }
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{title}</title>\n\
         <style>{STYLE}</style>\n</head>\n<body>\n{body}</body>\n</html>\n"
    )
}

fn row(tag: &str, cells: &[String], body: &mut String) {
    body.push_str("<tr>");
    cells.iter().for_each(|text| body.push_str(&format!("<{tag}>{}</{tag}>", escaped(text))));
    body.push_str("</tr>\n");
}

/// Text that cannot become markup: names of files and machines come from outside.
pub fn escaped(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, c| {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_from_outside_stays_text() {
        let mut document = Document { title: "<b>".into(), ..Document::default() };
        document.table(&["x"], vec![vec!["<script>alert('1')</script>".into()]]);
        let page = html(&document);
        assert!(!page.contains("<script") && !page.contains("<b>"));
        assert!(page.contains("&lt;script&gt;alert(&#39;1&#39;)"));
    }
}
