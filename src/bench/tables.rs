//! The files of a report: pages for people, tables and JSON for programs.

use std::fs;
use std::path::Path;

use super::error::{BenchResult, at};
use super::html::html;
use super::inside::Inside;
use super::markdown::markdown;
use super::pages::document;
use super::state::{Sample, State, write_json, write_whole};
use super::summary::Summary;

/// Writes every file of a report into a directory: `report.md`, `report.html`, `report.json`, `profile.json` when enough was measured,
/// and `samples.csv`, `service.csv`, `series.csv`, `mailboxes.csv`, `inside.csv`, `queues.csv`.
///
/// # Errors
/// [`super::BenchError::Io`].
pub fn write_report(dir: &Path, state: &State, summary: &Summary) -> BenchResult<()> {
    fs::create_dir_all(dir).map_err(at(dir, "create"))?;
    let document = document(summary);
    let files = [
        ("report.md", markdown(&document)),
        ("report.html", html(&document)),
        ("samples.csv", samples(state)),
        ("service.csv", service(summary)),
        ("series.csv", series(summary)),
        ("mailboxes.csv", mailboxes(summary)),
        ("inside.csv", inside(state)),
        ("queues.csv", queues(state)),
    ];
    for (name, text) in files {
        write_whole(&dir.join(name), text.as_bytes())?;
    }
    if let Some(profile) = &summary.profile {
        profile.save(&dir.join("profile.json"))?;
    }
    write_json(&dir.join("report.json"), summary)
}

/// Lines of a table whose cells are numbers or names without commas.
fn table(head: &str, rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut text = format!("{head}\n");
    for row in rows {
        text.push_str(&row.join(","));
        text.push('\n');
    }
    text
}

/// A number, or nothing where it is not known.
fn cell<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}

fn samples(state: &State) -> String {
    let head = "step,repeat,wall_seconds,cpu_seconds,committer_cpu_seconds,bytes,written_bytes,device_written_bytes,\
                device_read_bytes,memory_before_bytes,memory_peak_bytes,mailboxes,items_looked,items_inserted,items_replaced,\
                items_verified,charged_bytes,commits,edb_growth_bytes,stm_growth_bytes,log_bytes,items_placed,\
                contents_copied,check_errors";
    let row = |sample: &Sample| {
        let (cost, job) = (&sample.cost, sample.job.as_ref());
        vec![
            sample.step.clone(),
            sample.repeat.to_string(),
            cost.wall_seconds.to_string(),
            cost.cpu_seconds.to_string(),
            cost.caller_cpu_seconds.to_string(),
            sample.bytes.to_string(),
            cell(cost.written_bytes),
            cell(cost.device_written_bytes),
            cell(cost.device_read_bytes),
            cell(cost.memory_before_bytes),
            cell(cost.memory_peak_bytes),
            cell(job.map(|job| job.mailboxes)),
            cell(job.map(|job| job.looked)),
            cell(job.map(|job| job.inserted)),
            cell(job.map(|job| job.replaced)),
            cell(job.map(|job| job.verified)),
            cell(job.map(|job| job.charged_bytes)),
            cell(job.map(|job| job.commits)),
            cell(job.map(|job| job.growth.edb)),
            cell(job.map(|job| job.growth.stm)),
            cell(job.map(|job| job.log_bytes)),
            cell(job.map(|job| job.placed)),
            cell(job.map(|job| job.contents_copied)),
            cell(sample.check.map(|check| check.errors)),
        ]
    };
    table(head, state.samples.iter().map(row))
}

/// Samples that know their inside.
fn insides(state: &State) -> impl Iterator<Item = (&Sample, &Inside)> {
    state.samples.iter().filter_map(|sample| Some((sample, sample.job.as_ref()?.inside.as_ref()?)))
}

fn inside(state: &State) -> String {
    let rows = insides(state).flat_map(|(sample, inside)| {
        inside.stages.iter().map(move |one| {
            vec![
                sample.step.clone(),
                sample.repeat.to_string(),
                inside.workers.to_string(),
                one.crew.clone(),
                one.stage.clone(),
                one.waits.to_string(),
                one.seconds.to_string(),
                inside.share(one).to_string(),
                one.from_seconds.to_string(),
                one.to_seconds.to_string(),
            ]
        })
    });
    table("step,repeat,workers,crew,stage,waits,thread_seconds,share,from_seconds,to_seconds", rows)
}

fn queues(state: &State) -> String {
    let rows = insides(state).flat_map(|(sample, inside)| {
        inside.queues.iter().map(move |one| {
            vec![
                sample.step.clone(),
                sample.repeat.to_string(),
                one.queue.clone(),
                cell(one.capacity),
                one.sent.to_string(),
                one.mean().to_string(),
                one.max.to_string(),
            ]
        })
    });
    table("step,repeat,queue,capacity,sent,mean,max", rows)
}

fn service(summary: &Summary) -> String {
    let curve = summary.service.iter().flat_map(|service| &service.curve);
    let numbers =
        |point: &super::timeline::Served| [point.at_seconds, point.mailboxes, point.bytes];
    table(
        "seconds,mailboxes_share,bytes_share",
        curve.map(|point| numbers(point).map(|n| n.to_string()).to_vec()),
    )
}

fn series(summary: &Summary) -> String {
    let timeline = summary.service.as_ref().map(|service| &service.timeline);
    let bins = timeline.into_iter().flat_map(|timeline| {
        let at = |number: usize| number as f64 * timeline.bin_seconds;
        timeline.bins.iter().enumerate().map(move |(number, bin)| {
            let counts = [bin.items, bin.bytes, bin.mailboxes].map(|count| count.to_string());
            [at(number).to_string(), at(number + 1).to_string()].into_iter().chain(counts).collect()
        })
    });
    table("from_seconds,to_seconds,items,bytes,mailboxes", bins)
}

fn mailboxes(summary: &Summary) -> String {
    let finished = summary.service.iter().flat_map(|service| &service.timeline.finished);
    let row = |one: &super::timeline::Finished| {
        vec![
            one.at_seconds.to_string(),
            one.seconds.to_string(),
            one.items.to_string(),
            one.bytes.to_string(),
        ]
    };
    table("done_at_seconds,seconds,items,bytes", finished.map(row))
}
