//! Pictures as SVG: lines over a plane, and bars. They use the colours of the page around them.

use std::fmt::Write as _;

use super::html::escaped;

/// The size of a picture in its own units; a page may show it smaller.
const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 340.0;
/// Space around the plane.
const LEFT: f64 = 70.0;
const RIGHT: f64 = 24.0;
const TOP: f64 = 34.0;
const BOTTOM: f64 = 48.0;

/// How points of a series are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// A line from one to the next.
    Line,
    /// A line that keeps its height until the next.
    Steps,
    /// A line of dashes.
    Dashes,
    /// A dot each.
    Dots,
}

/// Points with a name.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// For the legend.
    pub name: String,
    /// One of the colours of the page: `a`, `b`, `c` or `soft`.
    pub colour: &'static str,
    /// How they are drawn.
    pub mark: Mark,
    /// The points.
    pub points: Vec<(f64, f64)>,
    /// From where to where each was measured, if it was more than once.
    pub whiskers: Vec<(f64, f64, f64)>,
}

/// How numbers of an axis are written.
pub type Label = fn(f64) -> String;

/// Lines and points over a plane.
#[derive(Debug, Clone)]
pub struct Chart {
    /// What the horizontal axis is.
    pub x_name: String,
    /// What the vertical axis is.
    pub y_name: String,
    /// How its numbers are written.
    pub x_label: Label,
    /// How its numbers are written.
    pub y_label: Label,
    /// The end of the vertical axis, where it has a natural one.
    pub y_max: Option<f64>,
    /// The only places of the horizontal axis that have a number, where they are few.
    pub x_ticks: Option<Vec<f64>>,
    /// A band: place, lower and upper end.
    pub band: Vec<(f64, f64, f64)>,
    /// A level line with its name.
    pub level: Option<(f64, String)>,
    /// The series.
    pub series: Vec<Series>,
}

impl Chart {
    /// The picture; empty text when there is nothing to draw.
    pub fn svg(&self) -> String {
        let all = || self.series.iter().flat_map(|series| &series.points);
        let largest = |values: &mut dyn Iterator<Item = f64>| values.fold(0.0_f64, f64::max);
        let x_max =
            largest(&mut all().map(|point| point.0).chain(self.band.iter().map(|band| band.0)));
        let whiskers =
            self.series.iter().flat_map(|series| &series.whiskers).map(|whisker| whisker.2);
        let level = self.level.iter().map(|level| level.0);
        let y_found = largest(
            &mut all()
                .map(|point| point.1)
                .chain(self.band.iter().map(|band| band.2))
                .chain(whiskers)
                .chain(level),
        );
        if all().next().is_none() || x_max <= 0.0 {
            return String::new();
        }
        let y_max = self.y_max.unwrap_or(y_found * 1.06).max(f64::MIN_POSITIVE);
        let plane = Plane { x_max, y_max };
        let mut out = open(HEIGHT, &format!("{} over {}", self.y_name, self.x_name));
        self.axes(&plane, &mut out);
        plane.band(&self.band, &mut out);
        if let Some((value, name)) = &self.level {
            let y = plane.y(*value);
            let _ = writeln!(
                out,
                "<line x1=\"{LEFT}\" y1=\"{y:.1}\" x2=\"{:.1}\" y2=\"{y:.1}\" style=\"stroke:var(--b)\" stroke-dasharray=\"2 4\" stroke-width=\"1.5\"/>",
                WIDTH - RIGHT
            );
            let _ = writeln!(
                out,
                "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                WIDTH - RIGHT - 4.0,
                y - 6.0,
                escaped(name)
            );
        }
        self.series.iter().for_each(|series| plane.series(series, &mut out));
        self.legend(&mut out);
        out.push_str("</svg>");
        out
    }

    fn axes(&self, plane: &Plane, out: &mut String) {
        let bottom = HEIGHT - BOTTOM;
        for value in ticks(plane.y_max, 5) {
            let y = plane.y(value);
            let _ = writeln!(
                out,
                "<line class=\"grid\" x1=\"{LEFT}\" y1=\"{y:.1}\" x2=\"{:.1}\" y2=\"{y:.1}\"/>",
                WIDTH - RIGHT
            );
            let _ = writeln!(
                out,
                "<text class=\"soft\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                LEFT - 8.0,
                y + 4.0,
                escaped(&(self.y_label)(value))
            );
        }
        let places = self.x_ticks.clone().unwrap_or_else(|| ticks(plane.x_max, 8));
        for value in places {
            let x = plane.x(value);
            let _ = writeln!(
                out,
                "<line class=\"axis\" x1=\"{x:.1}\" y1=\"{bottom}\" x2=\"{x:.1}\" y2=\"{:.1}\"/>",
                bottom + 5.0
            );
            let _ = writeln!(
                out,
                "<text class=\"soft\" x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
                bottom + 19.0,
                escaped(&(self.x_label)(value))
            );
        }
        let _ = writeln!(
            out,
            "<line class=\"axis\" x1=\"{LEFT}\" y1=\"{bottom}\" x2=\"{:.1}\" y2=\"{bottom}\"/>",
            WIDTH - RIGHT
        );
        let _ = writeln!(
            out,
            "<text class=\"soft\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            WIDTH - RIGHT,
            HEIGHT - 8.0,
            escaped(&self.x_name)
        );
        let _ =
            writeln!(out, "<text class=\"soft\" x=\"4\" y=\"16\">{}</text>", escaped(&self.y_name));
    }

    /// The names of the series, right above the plane, each behind its mark.
    fn legend(&self, out: &mut String) {
        /// Room for a letter; a legend may be loose, but not on top of itself.
        const LETTER: f64 = 6.8;
        let width = |series: &Series| 34.0 + LETTER * series.name.chars().count() as f64;
        let total: f64 = self.series.iter().map(width).sum();
        let mut x = (WIDTH - RIGHT - total).max(LEFT);
        for series in &self.series {
            let colour = series.colour;
            let mark = match series.mark {
                Mark::Dots => format!(
                    "<circle cx=\"{:.1}\" cy=\"12\" r=\"4\" style=\"fill:var(--{colour})\"/>",
                    x + 9.0
                ),
                mark => {
                    let dashes =
                        if mark == Mark::Dashes { " stroke-dasharray=\"6 4\"" } else { "" };
                    format!(
                        "<line x1=\"{x:.1}\" y1=\"12\" x2=\"{:.1}\" y2=\"12\" style=\"stroke:var(--{colour})\" stroke-width=\"2.5\"{dashes}/>",
                        x + 18.0
                    )
                }
            };
            let _ = writeln!(
                out,
                "{mark}<text x=\"{:.1}\" y=\"16\">{}</text>",
                x + 24.0,
                escaped(&series.name)
            );
            x += width(series);
        }
    }
}

/// Where values are in a picture.
struct Plane {
    x_max: f64,
    y_max: f64,
}

impl Plane {
    fn x(&self, value: f64) -> f64 {
        LEFT + value / self.x_max * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, value: f64) -> f64 {
        let share = (value / self.y_max).min(1.02);
        HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)
    }

    fn band(&self, band: &[(f64, f64, f64)], out: &mut String) {
        if band.is_empty() {
            return;
        }
        let upper = band.iter().map(|(x, _, high)| (*x, *high));
        let lower = band.iter().rev().map(|(x, low, _)| (*x, *low));
        let points: Vec<String> =
            upper.chain(lower).map(|(x, y)| format!("{:.1},{:.1}", self.x(x), self.y(y))).collect();
        let _ =
            writeln!(out, "<polygon points=\"{}\" style=\"fill:var(--band)\"/>", points.join(" "));
    }

    fn series(&self, series: &Series, out: &mut String) {
        let colour = series.colour;
        for (x, low, high) in &series.whiskers {
            let (x, low, high) = (self.x(*x), self.y(*low), self.y(*high));
            let _ = writeln!(
                out,
                "<path d=\"M{x:.1} {low:.1}V{high:.1}M{:.1} {low:.1}h8M{:.1} {high:.1}h8\" style=\"stroke:var(--{colour})\" stroke-width=\"1.5\"/>",
                x - 4.0,
                x - 4.0
            );
        }
        let places = series.points.iter().map(|(x, y)| (self.x(*x), self.y(*y)));
        if series.mark == Mark::Dots {
            for (x, y) in places {
                let _ = writeln!(
                    out,
                    "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\" style=\"fill:var(--{colour})\"/>"
                );
            }
            return;
        }
        let mut path = String::new();
        for (number, (x, y)) in places.enumerate() {
            let _ = match (number, series.mark) {
                (0, _) => write!(path, "M{x:.1} {y:.1}"),
                (_, Mark::Steps) => write!(path, "H{x:.1}V{y:.1}"),
                _ => write!(path, "L{x:.1} {y:.1}"),
            };
        }
        let dashes = if series.mark == Mark::Dashes { " stroke-dasharray=\"6 4\"" } else { "" };
        let _ = writeln!(
            out,
            "<path d=\"{path}\" style=\"stroke:var(--{colour})\" fill=\"none\" stroke-width=\"2\" stroke-linejoin=\"round\"{dashes}/>"
        );
    }
}

/// A bar with its spread.
#[derive(Debug, Clone, PartialEq)]
pub struct Bar {
    /// What it is.
    pub name: String,
    /// One of the colours of the page.
    pub colour: &'static str,
    /// Its length: the median.
    pub value: f64,
    /// The least and the greatest.
    pub spread: (f64, f64),
    /// The number behind it.
    pub text: String,
}

/// Bars that lie, one below the other; empty text of none.
pub fn bars(bars: &[Bar], name: &str) -> String {
    /// Room for names, and for a bar with the space around it.
    const NAMES: f64 = 392.0;
    const ROW: f64 = 26.0;
    const NUMBERS: f64 = 90.0;
    let max = bars.iter().map(|bar| bar.spread.1.max(bar.value)).fold(0.0_f64, f64::max);
    if max <= 0.0 {
        return String::new();
    }
    let length = |value: f64| value / max * (WIDTH - NAMES - NUMBERS);
    let mut out = open(ROW * bars.len() as f64 + 8.0, name);
    for (number, bar) in bars.iter().enumerate() {
        let y = 4.0 + ROW * number as f64;
        let colour = bar.colour;
        let _ = writeln!(
            out,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            NAMES - 10.0,
            y + 16.0,
            escaped(&bar.name)
        );
        let _ = writeln!(
            out,
            "<rect x=\"{NAMES}\" y=\"{:.1}\" width=\"{:.1}\" height=\"16\" rx=\"2\" style=\"fill:var(--{colour})\"/>",
            y + 4.0,
            length(bar.value).max(1.0)
        );
        let (low, high) = (NAMES + length(bar.spread.0), NAMES + length(bar.spread.1));
        if high - low > 1.0 {
            let middle = y + 12.0;
            let _ = writeln!(
                out,
                "<path d=\"M{low:.1} {middle:.1}H{high:.1}M{low:.1} {:.1}v8M{high:.1} {:.1}v8\" style=\"stroke:var(--ink)\" stroke-width=\"1.3\"/>",
                middle - 4.0,
                middle - 4.0
            );
        }
        let _ = writeln!(
            out,
            "<text class=\"soft\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            high.max(NAMES + length(bar.value)) + 8.0,
            y + 16.0,
            escaped(&bar.text)
        );
    }
    out.push_str("</svg>");
    out
}

/// What the bars of a picture are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// For the legend.
    pub name: &'static str,
    /// One of the colours of the page.
    pub colour: &'static str,
    /// Whether the colour is close to the paper's.
    pub is_pale: bool,
}

/// A bar made of parts.
#[derive(Debug, Clone, PartialEq)]
pub struct Stack {
    /// What it is.
    pub name: String,
    /// The share of each part, of 1 in all.
    pub shares: Vec<f64>,
    /// The number behind it.
    pub text: String,
}

/// Bars of one length that lie, one below the other, each divided into parts; empty text of none.
pub fn stacks(parts: &[Part], stacks: &[Stack], name: &str) -> String {
    const NAMES: f64 = 120.0;
    const ROW: f64 = 28.0;
    const NUMBERS: f64 = 80.0;
    /// Parts narrower than this have no room for their number.
    const NUMBER: f64 = 40.0;
    if stacks.is_empty() {
        return String::new();
    }
    let full = WIDTH - NAMES - NUMBERS;
    let (legend, top) = parts_legend(parts);
    let mut out = open(top + ROW * stacks.len() as f64 + 4.0, name);
    out.push_str(&legend);
    for (number, stack) in stacks.iter().enumerate() {
        let y = top + ROW * number as f64;
        let text = y + 18.0;
        let _ = writeln!(
            out,
            "<text x=\"{:.1}\" y=\"{text:.1}\" text-anchor=\"end\">{}</text>",
            NAMES - 10.0,
            escaped(&stack.name)
        );
        let mut x = NAMES;
        for (part, share) in parts.iter().zip(&stack.shares) {
            let width = share * full;
            let per_cent = format!("{:.0} %", share * 100.0);
            let colour = part.colour;
            let _ = writeln!(
                out,
                "<rect x=\"{x:.1}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"20\" style=\"fill:var(--{colour})\"><title>{}: {per_cent}</title></rect>",
                y + 4.0,
                escaped(part.name)
            );
            if width >= NUMBER {
                let ink = if part.is_pale { "ink" } else { "paper" };
                let _ = writeln!(
                    out,
                    "<text x=\"{:.1}\" y=\"{text:.1}\" text-anchor=\"middle\" style=\"fill:var(--{ink})\">{per_cent}</text>",
                    x + width / 2.0
                );
            }
            x += width;
        }
        let _ = writeln!(
            out,
            "<text class=\"soft\" x=\"{:.1}\" y=\"{text:.1}\">{}</text>",
            NAMES + full + 8.0,
            escaped(&stack.text)
        );
    }
    out.push_str("</svg>");
    out
}

/// The names of parts behind their colours, in as many lines as they need; and where the picture goes on below.
fn parts_legend(parts: &[Part]) -> (String, f64) {
    const LINE: f64 = 20.0;
    const LETTER: f64 = 6.8;
    let (mut out, mut x, mut y) = (String::new(), 0.0, 4.0);
    for part in parts {
        let width = 34.0 + LETTER * part.name.chars().count() as f64;
        if x + width > WIDTH {
            (x, y) = (0.0, y + LINE);
        }
        let _ = writeln!(
            out,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"12\" height=\"12\" rx=\"2\" style=\"fill:var(--{})\"/><text x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            part.colour,
            x + 18.0,
            y + 10.5,
            escaped(part.name)
        );
        x += width;
    }
    (out, y + LINE + 4.0)
}

fn open(height: f64, name: &str) -> String {
    format!(
        "<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{}\">\n",
        escaped(name)
    )
}

/// Round numbers from 0 to a maximum, at most so many and one.
fn ticks(max: f64, count: usize) -> Vec<f64> {
    if !(max.is_finite() && max > 0.0) {
        return Vec::new();
    }
    let rough = max / count as f64;
    let power = 10f64.powf(rough.log10().floor());
    let step =
        [1.0, 2.0, 5.0, 10.0].into_iter().map(|times| times * power).find(|step| *step >= rough);
    let step = step.unwrap_or(10.0 * power);
    let last = (max / step + 1e-9).floor() as u32;
    (0..=last).map(|number| f64::from(number) * step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_few() {
        assert_eq!(ticks(1.0, 5), [0.0, 0.2, 0.4, 0.6000000000000001, 0.8, 1.0]);
        assert_eq!(ticks(37.0, 5), [0.0, 10.0, 20.0, 30.0]);
        assert!(ticks(0.0, 5).is_empty() && ticks(f64::NAN, 5).is_empty());
    }

    #[test]
    fn a_chart_of_nothing_is_no_picture() {
        let chart = Chart {
            x_name: "x".into(),
            y_name: "y".into(),
            x_label: |value| value.to_string(),
            y_label: |value| value.to_string(),
            y_max: None,
            x_ticks: None,
            band: Vec::new(),
            level: None,
            series: Vec::new(),
        };
        assert_eq!(chart.svg(), "");
        assert_eq!(bars(&[], "none"), "");
        assert_eq!(stacks(&[], &[], "none"), "");
    }
}
