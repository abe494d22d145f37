//! A report as a list of blocks, so that its two faces, Markdown and HTML, say the same.

/// A part of a report.
#[derive(Debug, Clone, PartialEq)]
pub enum Block {
    /// The beginning of a section.
    Heading(String),
    /// Sentences.
    Text(String),
    /// A line that matters more than others.
    Verdict {
        /// Whether it is good news.
        is_good: bool,
        /// What it says.
        text: String,
    },
    /// Names with what they stand for.
    Facts(Vec<(String, String)>),
    /// Rows of cells; all columns but the first are numbers.
    Table {
        /// Names of the columns.
        head: Vec<String>,
        /// The rows.
        rows: Vec<Vec<String>>,
    },
    /// A picture; where there are none, its caption tells where the numbers are.
    Plot {
        /// SVG, without a size of its own.
        svg: String,
        /// What it shows.
        caption: String,
    },
}

/// A report.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Document {
    /// What it is about.
    pub title: String,
    /// Its parts.
    pub blocks: Vec<Block>,
}

impl Document {
    /// Begins a section.
    pub fn heading(&mut self, text: &str) {
        self.blocks.push(Block::Heading(text.to_owned()));
    }

    /// Adds sentences.
    pub fn text(&mut self, text: impl Into<String>) {
        self.blocks.push(Block::Text(text.into()));
    }

    /// Adds a table, unless it has no rows.
    pub fn table(&mut self, head: &[&str], rows: Vec<Vec<String>>) {
        if !rows.is_empty() {
            let head = head.iter().map(|&name| name.to_owned()).collect();
            self.blocks.push(Block::Table { head, rows });
        }
    }

    /// Adds a picture.
    pub fn plot(&mut self, svg: String, caption: &str) {
        self.blocks.push(Block::Plot { svg, caption: caption.to_owned() });
    }
}

/// Bytes for people: `4.20 GB`, in powers of ten.
pub fn bytes_text(bytes: f64) -> String {
    let units = [(1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "KB")];
    let unit = units.into_iter().find(|(size, _)| bytes.abs() >= *size);
    unit.map_or_else(
        || format!("{bytes:.0} B"),
        |(size, name)| format!("{} {name}", figures(bytes / size)),
    )
}

/// A time for people: `840 ms`, `12.3 s`, `4 min 05 s`, `3 h 12 min`.
pub fn seconds_text(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match seconds {
        s if s < 0.9995 => format!("{} ms", figures(s * 1e3)),
        s if s < 99.5 => format!("{} s", figures(s)),
        s if s < 3599.5 => format!("{} min {:02} s", whole / 60, whole % 60),
        _ => format!("{} h {:02} min", whole / 3600, whole % 3600 / 60),
    }
}

/// Three figures, with the thousands of larger numbers kept apart.
pub fn figures(value: f64) -> String {
    match value.abs() {
        v if v >= 999.5 => thousands(value.round()),
        v if v >= 99.95 => format!("{value:.0}"),
        v if v >= 9.995 => format!("{value:.1}"),
        v if v >= 0.0995 || v == 0.0 => format!("{value:.2}"),
        v if v >= 1e-6 => {
            let decimals = (2.0 - v.log10().floor()).clamp(0.0, 12.0) as usize;
            format!("{value:.decimals$}")
        }
        _ => format!("{value:.2e}"),
    }
}

/// A number of things.
pub fn count_text(count: u64) -> String {
    thousands(count as f64)
}

fn thousands(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let mut text = String::from(if value < 0.0 { "-" } else { "" });
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_figures_and_a_unit() {
        for (bytes, text) in
            [(12.0, "12 B"), (4.2e9, "4.20 GB"), (123.4e6, "123 MB"), (1e12, "1.00 TB")]
        {
            assert_eq!(bytes_text(bytes), text);
        }
        for (seconds, text) in [
            (0.0123, "12.3 ms"),
            (12.34, "12.3 s"),
            (245.0, "4 min 05 s"),
            (11_520.0, "3 h 12 min"),
        ] {
            assert_eq!(seconds_text(seconds), text);
        }
        assert_eq!(figures(1_234_567.0), "1,234,567");
        assert_eq!(figures(-1234.0), "-1,234");
        assert_eq!(figures(0.0), "0.00");
        assert_eq!(figures(0.00899), "0.00899");
        assert_eq!(count_text(12), "12");
    }
}
