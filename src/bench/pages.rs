//! What a report says, section by section.

use super::document::{Block, Document, bytes_text, count_text, figures, seconds_text};
use super::inside_pages::{bytes, inside};
use super::parameters::{Cache, Given, Subject};
use super::plot::{Bar, Chart, Mark, Series, bars};
use super::profile::Spread;
use super::steps::{COPY, CP, EXCHANGE, MAKE, MERGE_PART, PART, READ, RERUN, WORKERS};
use super::summary::{
    EXMERGE_BYTES_PER_HOUR, OverMailboxes, Service, SizeSweep, Sla, Stage, Summary,
};
use super::timeline::Bin;

/// A line that is drawn further than this many times the largest measured store tells what to try, not what to promise.
const FAR: f64 = 4.0;

/// The report as a document.
pub fn document(summary: &Summary) -> Document {
    let mut page = Document { title: title(summary), ..Document::default() };
    first_words(summary, &mut page);
    correctness(summary, &mut page);
    head(summary, &mut page);
    stages(summary, &mut page);
    if let Some(service) = &summary.service {
        service_section(service, &mut page);
    }
    inside(summary, &mut page);
    workers(summary, &mut page);
    if let Some(sweep) = &summary.sizes {
        sizes(sweep, &mut page);
    }
    swap(summary, &mut page);
    cost(summary, &mut page);
    references(summary, &mut page);
    model(summary, &mut page);
    method(summary, &mut page);
    page
}

fn title(summary: &Summary) -> String {
    format!(
        "Restore window: {} on {} cores",
        bytes_text(summary.source_bytes as f64),
        summary.machine.cores
    )
}

fn first_words(summary: &Summary, page: &mut Document) {
    let Some(copy) = summary.stage(COPY) else {
        page.text(
            "The copy of all mailboxes has not been measured yet; run the command again to go on.",
        );
        return;
    };
    let rate = copy.bytes_per_second.map_or(0.0, |rate| rate.median);
    let mut text = format!(
        "Recovering all mailboxes of {} into an empty store took {} (least {}, most {}): {} a second, read back and verified.",
        bytes_text(summary.source_bytes as f64),
        seconds_text(copy.seconds.median),
        seconds_text(copy.seconds.min),
        seconds_text(copy.seconds.max),
        bytes_text(rate),
    );
    if let Subject::Given { to: Some(_), .. } = summary.parameters.subject {
        text = text.replace("an empty store", "the target");
    }
    if let Some(ratio) = summary.ratio(COPY, CP) {
        text.push_str(&format!(
            " That is {} times as long as a plain copy of the same files, synced, in the same run.",
            figures(ratio)
        ));
    }
    page.text(text);
}

fn correctness(summary: &Summary, page: &mut Document) {
    let found = &summary.correctness;
    let text = if found.is_clean() {
        format!(
            "Correct: the merge with nothing to do inserted 0 and replaced 0 items; check found 0 errors in the recovered store; in {} recoveries no mailbox failed, no item was lost, every sum came out.",
            found.recoveries
        )
    } else if !found.is_complete {
        "Not judged: the re-run or the check has not been measured yet.".to_owned()
    } else {
        format!(
            "Not correct: the merge with nothing to do inserted {} and replaced {}; check found {} errors; {} mailboxes failed, {} items were lost, {} reports do not add up. Figures of speed mean nothing until this is mended.",
            found.rerun_inserted,
            found.rerun_replaced,
            found.check_errors,
            found.mailboxes_failed,
            found.items_lost,
            found.sums_wrong
        )
    };
    page.blocks.push(Block::Verdict { is_good: found.is_clean(), text });
}

fn head(summary: &Summary, page: &mut Document) {
    let (machine, parameters) = (&summary.machine, &summary.parameters);
    let not_told = "not told by the system".to_owned();
    let given =
        |given: &Given| format!("{} ({})", given.path, bytes_text(given.bytes.total() as f64));
    let stores = match &parameters.subject {
        Subject::Made { size_bytes, mailboxes, seed, age } => {
            format!(
                "made: {}, {mailboxes} mailboxes, mail of {age}, seed {seed}",
                bytes_text(*size_bytes as f64)
            )
        }
        Subject::Given { from, to: None } => format!("a copy of {}", given(from)),
        Subject::Given { from, to: Some(to) } => {
            format!("copies of {} and {}", given(from), given(to))
        }
    };
    let cache = match parameters.cache {
        Cache::Cold => "cold: files were dropped from the cache before the clock started",
        Cache::Warm => "warm: files were read once before the clock started",
    };
    let rows = [
        ("stores", stores),
        ("processor", format!("{}, {} cores", machine.cpu, machine.cores)),
        ("memory", machine.memory_bytes.map_or(not_told.clone(), |bytes| bytes_text(bytes as f64))),
        ("system", machine.system.clone()),
        ("disk", machine.disk.clone()),
        (
            "disk writes, synced",
            summary.disk_bytes_per_second.map_or(not_told, |rate| {
                spread_text(&rate, |rate| format!("{}/s", bytes_text(rate)))
            }),
        ),
        ("cache", cache.to_owned()),
        ("memory allowed for a recovery", bytes_text(parameters.memory_bytes as f64)),
        ("workers", parameters.workers.to_string()),
        ("repeats", parameters.repeats.to_string()),
        (
            "program",
            format!(
                "dialtone {}, commit {}",
                machine.version,
                machine.commit.as_deref().unwrap_or("not told by its builder")
            ),
        ),
        ("date", machine.date.clone()),
    ];
    page.heading("What was measured");
    page.blocks.push(Block::Facts(rows.map(|(name, value)| (name.to_owned(), value)).to_vec()));
}

/// Median and, if it was measured more than once, least and greatest.
fn spread_text(spread: &Spread, text: impl Fn(f64) -> String) -> String {
    if spread.min == spread.max {
        return text(spread.median);
    }
    format!("{} ({} to {})", text(spread.median), text(spread.min), text(spread.max))
}

fn maybe(spread: Option<&Spread>, text: impl Fn(f64) -> String) -> String {
    spread.map_or_else(|| "-".to_owned(), |spread| text(spread.median))
}

fn stages(summary: &Summary, page: &mut Document) {
    page.heading("Stages");
    let colour = |stage: &Stage| match stage.id.as_str() {
        READ | CP | EXCHANGE => "b",
        id if id.starts_with(MAKE) => "soft",
        _ => "a",
    };
    let bar = |stage: &Stage| Bar {
        name: stage.title.clone(),
        colour: colour(stage),
        value: stage.seconds.median,
        spread: (stage.seconds.min, stage.seconds.max),
        text: seconds_text(stage.seconds.median),
    };
    let is_shown = |stage: &&Stage| {
        !stage.id.starts_with(PART)
            && !stage.id.starts_with(MERGE_PART)
            && !stage.id.starts_with(WORKERS)
    };
    let drawn: Vec<Bar> = summary.stages.iter().filter(is_shown).map(bar).collect();
    page.plot(bars(&drawn, "Wall time of each stage"), "Wall time of each stage: median, with the least and the greatest. Grey: making stores. Orange: what a plain reading, a plain copy and the renames of a swap take");
    let row = |stage: &Stage| {
        vec![
            stage.title.clone(),
            stage.repeats.to_string(),
            seconds_text(stage.seconds.min),
            seconds_text(stage.seconds.median),
            seconds_text(stage.seconds.max),
            maybe(stage.bytes_per_second.as_ref(), |rate| figures(rate / 1e6)),
            maybe(stage.items_per_second.as_ref(), figures),
            maybe(stage.mailboxes_per_hour.as_ref(), figures),
        ]
    };
    page.table(
        &["stage", "n", "least", "median", "most", "MB/s", "items/s", "mailboxes/h"],
        summary.stages.iter().map(row).collect(),
    );
    page.text("MB/s is of the source's files (of the recovered store's in a check, of what was made in a making). A recovery includes reading back and verifying what was written; items are those that were looked at.");
}

fn service_section(service: &Service, page: &mut Document) {
    page.heading("When users have their mail back");
    let line = |name: &str, colour, of: fn(&super::timeline::Served) -> f64| {
        let mut points = vec![(0.0, 0.0)];
        points.extend(service.curve.iter().map(|point| (point.at_seconds, of(point))));
        points.push((service.timeline.end_seconds, 1.0));
        Series { name: name.into(), colour, mark: Mark::Steps, points, whiskers: Vec::new() }
    };
    let chart = Chart {
        x_name: "seconds since the copy began".into(),
        y_name: "share done".into(),
        x_label: figures_short,
        y_label: |value| format!("{:.0} %", value * 100.0),
        y_max: Some(1.0),
        x_ticks: None,
        band: Vec::new(),
        level: None,
        series: vec![
            line("mailboxes", "a", |point| point.mailboxes),
            line("bytes", "b", |point| point.bytes),
        ],
    };
    page.plot(chart.svg(), "Service curve of the copy: share of mailboxes, and of bytes, that are written, committed and read back. The repeat with the median wall time");
    let mut rows =
        vec![vec!["first mailbox".to_owned(), seconds_text(service.first_seconds), "-".to_owned()]];
    let times = super::summary::SHARES
        .iter()
        .zip(service.mailboxes_seconds.iter().zip(&service.bytes_seconds));
    rows.extend(times.map(|(share, (mailboxes, bytes))| {
        vec![format!("{:.0} % done", share * 100.0), seconds_text(*mailboxes), seconds_text(*bytes)]
    }));
    page.table(&["after", "of mailboxes", "of bytes"], rows);
    let row = |name: &str, of: &OverMailboxes, text: fn(f64) -> String| {
        [name.to_owned()].into_iter().chain([of.mean, of.p50, of.p95, of.p99].map(text)).collect()
    };
    let rate = |value: f64| format!("{} MB/s", figures(value / 1e6));
    page.table(
        &["over mailboxes", "mean", "p50", "p95", "p99"],
        vec![
            row("time of a mailbox, not exceeded by", &service.seconds, seconds_text),
            row("bytes, reached by", &service.bytes_per_second, rate),
            row("items/s, reached by", &service.items_per_second, figures),
            row("mailboxes/h, reached by", &service.mailboxes_per_hour, figures),
        ],
    );
    page.text("The mean of a rate is of the whole job; the others are those of single mailboxes, several of which are under way at a time: a rate under p95 is one that 95 of 100 mailboxes reached.");
    throughput(service, page);
}

/// The time series: what was done in each bin, as a rate.
fn throughput(service: &Service, page: &mut Document) {
    let timeline = &service.timeline;
    let seconds = timeline.bin_seconds.max(1e-9);
    type Rate = fn(&Bin) -> f64;
    let rates: [(&str, &str, &str, Rate); 2] = [
        (
            "MB/s",
            "bytes taken in",
            "Bytes of mail that the committer took in over time; what is missing at the end is committing and reading back",
            |bin| bin.bytes as f64 / 1e6,
        ),
        (
            "items/s",
            "items taken in",
            "Items that were decided about, or taken in by the committer, over time",
            |bin| bin.items as f64,
        ),
    ];
    for (unit, what, caption, rate) in rates {
        let bins = timeline.bins.iter().enumerate();
        let mut points: Vec<(f64, f64)> =
            bins.map(|(number, bin)| (number as f64 * seconds, rate(bin) / seconds)).collect();
        points.push((points.len() as f64 * seconds, 0.0));
        let chart = Chart {
            x_name: "seconds since the copy began".into(),
            y_name: unit.into(),
            x_label: figures_short,
            y_label: figures_short,
            y_max: None,
            x_ticks: None,
            band: Vec::new(),
            level: None,
            series: vec![Series {
                name: format!("{what}, every {} s", figures_short(seconds)),
                colour: "a",
                mark: Mark::Steps,
                points,
                whiskers: Vec::new(),
            }],
        };
        page.plot(chart.svg(), caption);
    }
}

/// A number of an axis: no more figures than it needs.
fn figures_short(value: f64) -> String {
    let text = format!("{value:.3}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text.is_empty() { "0".to_owned() } else { text.to_owned() }
}

fn workers(summary: &Summary, page: &mut Document) {
    let points = &summary.workers;
    let Some(first) = points.iter().find(|point| point.workers == 1) else { return };
    page.heading("Workers");
    let base = first.seconds.median;
    let measured = Series {
        name: "measured".into(),
        colour: "a",
        mark: Mark::Line,
        points: points
            .iter()
            .map(|point| (point.workers as f64, base / point.seconds.median))
            .collect(),
        whiskers: points
            .iter()
            .map(|point| (point.workers as f64, base / point.seconds.max, base / point.seconds.min))
            .collect(),
    };
    let dots = Series {
        name: "median of repeats".into(),
        mark: Mark::Dots,
        whiskers: Vec::new(),
        ..measured.clone()
    };
    let most = points.iter().map(|point| point.workers).max().unwrap_or(1) as f64;
    let ideal = Series {
        name: "each worker counts in full".into(),
        colour: "soft",
        mark: Mark::Dashes,
        points: vec![(1.0, 1.0), (most, most)],
        whiskers: Vec::new(),
    };
    let chart = Chart {
        x_name: "workers".into(),
        y_name: "times as fast as one worker".into(),
        x_label: figures_short,
        y_label: figures_short,
        y_max: None,
        x_ticks: Some(points.iter().map(|point| point.workers as f64).collect()),
        band: Vec::new(),
        level: None,
        series: vec![ideal, measured, dots],
    };
    page.plot(chart.svg(), "Copy of all mailboxes by number of workers, as a multiple of one worker's speed; bars show the repeats");
    let row = |point: &super::profile::WorkerPoint| {
        vec![
            point.workers.to_string(),
            seconds_text(point.seconds.min),
            seconds_text(point.seconds.median),
            seconds_text(point.seconds.max),
            figures(base / point.seconds.median),
        ]
    };
    page.table(
        &["workers", "least", "median", "most", "times as fast as one"],
        points.iter().map(row).collect(),
    );
    page.text("Beside the workers one thread commits; on a machine with few cores it has its share of them.");
}

fn sizes(sweep: &SizeSweep, page: &mut Document) {
    page.heading("Size");
    let (scale, unit) = if sweep.points.iter().any(|point| point.bytes >= 1_000_000_000) {
        (1e9, "GB")
    } else {
        (1e6, "MB")
    };
    let points =
        sweep.points.iter().map(|point| (point.bytes as f64 / scale, point.seconds)).collect();
    let line = sweep.line.iter().map(|(bytes, band)| (bytes / scale, band.mid)).collect();
    let shown = sweep.line.last().map_or(0.0, |(_, band)| band.high);
    let level = sweep.sla.filter(|sla| sla.seconds <= shown * 2.0);
    let chart = Chart {
        x_name: format!("{unit} of the source"),
        y_name: "seconds".into(),
        x_label: figures_short,
        y_label: figures_short,
        y_max: None,
        x_ticks: None,
        band: sweep.line.iter().map(|(bytes, band)| (bytes / scale, band.low, band.high)).collect(),
        level: level.map(|sla| (sla.seconds, format!("agreed: {}", seconds_text(sla.seconds)))),
        series: vec![
            Series {
                name: "measured".into(),
                colour: "b",
                mark: Mark::Dots,
                points,
                whiskers: Vec::new(),
            },
            Series {
                name: "fitted line, 95 % band".into(),
                colour: "a",
                mark: Mark::Line,
                points: line,
                whiskers: Vec::new(),
            },
        ],
    };
    page.plot(chart.svg(), "Copy of smaller stores, made of one in eight, four, two mailboxes of the source, and of all; the line is fitted to every repeat");
    let rate = if sweep.seconds_per_byte > 0.0 {
        format!("one second for each {}", bytes_text(1.0 / sweep.seconds_per_byte))
    } else {
        "nothing that can be told for more bytes".to_owned()
    };
    page.text(format!(
        "The line: {} and {rate}. Measurements lie around it with a relative spread of {} %.",
        seconds_text(sweep.fixed_seconds),
        figures(sweep.spread * 100.0)
    ));
    if let Some(sla) = &sweep.sla {
        let largest = sweep.points.iter().map(|point| point.bytes).max().unwrap_or(0);
        page.text(promise(sla, largest as f64));
    }
}

/// What an agreed time allows.
fn promise(sla: &Sla, largest_bytes: f64) -> String {
    let store = |bytes: Option<f64>| bytes.map_or_else(|| "no bytes at all".to_owned(), bytes_text);
    let times = sla.safe_bytes.unwrap_or(0.0) / largest_bytes.max(1.0);
    let advice = if times > FAR {
        let times = figures(times);
        format!(
            "That is {times} times the largest measured store, far beyond what was seen: measure with a larger --size before promising it."
        )
    } else {
        "The latter may be promised.".to_owned()
    };
    format!(
        "Within the agreed {}: a store of {} by the line, of {} by the upper end of the 95 % band. {advice}",
        seconds_text(sla.seconds),
        store(sla.bytes),
        store(sla.safe_bytes)
    )
}

fn swap(summary: &Summary, page: &mut Document) {
    let Some((swapped, unswapped)) = summary.swap() else { return };
    page.heading("Swap, or no swap");
    let bar = |stage: &Stage, colour| Bar {
        name: if colour == "a" {
            "swapped: merge the small store".into()
        } else {
            "not swapped: copy the large store".into()
        },
        colour,
        value: stage.seconds.median,
        spread: (stage.seconds.min, stage.seconds.max),
        text: seconds_text(stage.seconds.median),
    };
    page.plot(
        bars(&[bar(swapped, "a"), bar(unswapped, "b")], "Swap against no swap"),
        "The same two stores brought together in both directions",
    );
    let row = |name: &str, stage: &Stage| {
        vec![
            name.to_owned(),
            spread_text(&stage.seconds, seconds_text),
            maybe(stage.growth_bytes.as_ref(), bytes_text),
            stage.written.map_or_else(|| "-".to_owned(), count_text),
        ]
    };
    page.table(
        &["direction", "time", "target grows by", "items written"],
        vec![
            row("swapped: dial-tone store into the restored one", swapped),
            row("not swapped: restored store into the dial-tone one", unswapped),
        ],
    );
    let times = unswapped.seconds.median / swapped.seconds.median;
    let outage = summary.stage(EXCHANGE).map(|stage| {
        format!(" Users wait for the exchange of the files: {} for six renames, each of them synced; dismounting and mounting are not in it.", spread_text(&stage.seconds, seconds_text))
    });
    page.text(format!(
        "Swapped, the work is {} times as fast.{}",
        figures(times),
        outage.unwrap_or_default()
    ));
}

fn cost(summary: &Summary, page: &mut Document) {
    page.heading("Cost");
    let share = |value: f64| format!("{} %", figures(value * 100.0));
    let memory =
        |of: Option<Spread>| of.map_or_else(|| "not measured".to_owned(), |of| bytes_text(of.max));
    let row = |stage: &Stage| {
        vec![
            stage.title.clone(),
            maybe(stage.cpu_seconds_per_gb.as_ref(), figures),
            maybe(stage.workers_busy.as_ref(), share),
            maybe(stage.committer_busy.as_ref(), share),
            memory(stage.memory_before_bytes),
            memory(stage.memory_peak_bytes),
            maybe(stage.write_amplification.as_ref(), figures),
            maybe(stage.device_read_share.as_ref(), figures),
        ]
    };
    let is_shown = |stage: &&Stage| stage.bytes > 0 && !stage.id.starts_with(MAKE);
    page.table(
        &[
            "stage",
            "CPU s/GB",
            "workers busy",
            "committer busy",
            "memory before",
            "memory, most",
            "bytes written per byte",
            "bytes from the device per byte",
        ],
        summary.stages.iter().filter(is_shown).map(row).collect(),
    );
    page.text("Memory is the largest anonymous part of the whole process that was seen, looked at every 10 ms, beside what it had when the clock started: earlier measurements leave some behind. Pages of mapped files do not count. Bytes written are all that was handed to the system (database, stream, journal) for each byte of the part of the source that was written. Bytes from the device say how cold the cache was.");
    bytes(summary, page);
    if let Some(shared) = summary.shared_share {
        page.text(format!(
            "In the recovered store {} of the items share a content with another one.",
            share(shared)
        ));
    }
}

fn references(summary: &Summary, page: &mut Document) {
    page.heading("Reference lines");
    let bytes = summary.source_bytes as f64;
    let exmerge = bytes / EXMERGE_BYTES_PER_HOUR * 3600.0;
    let copy = summary.stage(COPY).map(|stage| stage.seconds.median);
    let row = |name: &str, seconds: f64| {
        let times = copy.map_or_else(|| "-".to_owned(), |copy| figures(copy / seconds));
        vec![name.to_owned(), seconds_text(seconds), figures(bytes / seconds / 1e6), times]
    };
    let stages = [
        (COPY, "copy of all mailboxes"),
        (RERUN, "merge with nothing to do"),
        (READ, "plain reading of the pair"),
        (CP, "plain copy of the pair, synced"),
    ];
    let mut rows: Vec<Vec<String>> = stages
        .iter()
        .filter_map(|(id, name)| Some(row(name, summary.stage(id)?.seconds.median)))
        .collect();
    rows.push(row("ExMerge at its published 1 GB an hour", exmerge));
    page.table(&["what", "time", "MB/s", "copy takes so many times as long"], rows);
    if let Some(copy) = copy {
        let times = figures(exmerge / copy);
        page.text(format!("The copy is {times} times as fast as ExMerge's published pace."));
    }
    page.text("The line of ExMerge is computed from the published figure, not measured. All others were measured in this run, in the same state of the cache.");
}

fn model(summary: &Summary, page: &mut Document) {
    let Some(profile) = &summary.profile else { return };
    let Ok(model) = profile.model() else { return };
    page.heading("What predictions are made from");
    let rows = model.costs().map(|(name, seconds)| vec![name.to_owned(), cost_text(name, seconds)]);
    page.table(&["cost of", "is"], rows.collect());
    page.text(format!(
        "Time is the sum of these, each times its number (an item is written among others by the share of the source that the target has already), fitted to the medians of {} recoveries with {} workers; relative spread {} %, {} degrees of freedom. A cost of 0 could not be told apart from the others. `dialtone estimate` and `dialtone recover --dry-run` use it.",
        profile.observations.len(),
        profile.workers,
        figures(model.spread() * 100.0),
        model.freedom()
    ));
}

/// A cost in units that can be read.
pub fn cost_text(name: &str, seconds: f64) -> String {
    match name {
        _ if seconds == 0.0 => "0".to_owned(),
        "byte written" => format!("{} s/GB", figures(seconds * 1e9)),
        "item looked at" | "item written" | "item written among others" => {
            format!("{} us", figures(seconds * 1e6))
        }
        _ => format!("{} ms", figures(seconds * 1e3)),
    }
}

fn method(summary: &Summary, page: &mut Document) {
    page.heading("How it was measured");
    page.text(format!(
        "Each measurement was made {} times in one process, on files in one directory, into a fresh copy of its target each time; tables show medians, and least and greatest where they fit. The parts are stores of their own, made of one in so many mailboxes of the source, of all sizes alike. Every single sample is in samples.csv, the service curve in service.csv, the time series in series.csv, mailboxes in mailboxes.csv, what threads were at in inside.csv, queues in queues.csv, everything in report.json.",
        summary.parameters.repeats
    ));
}
