//! What a report says of the inside of recoveries: shares of time, queues, and where bytes went.

use super::document::{Document, bytes_text, count_text, figures, seconds_text};
use super::inside::{Inside, QUEUES, title};
use super::plot::{Part, Stack, stacks};
use super::profile::Spread;
use super::steps::{COPY, MERGE, RERUN, SMALL, SWAP_COPY, SWAP_MERGE};
use super::summary::{Stage as Measured, Summary};
use crate::recover::{Crew, Stage};

/// The recoveries that are shown, each with a short name.
const SHOWN: [(&str, &str); 6] = [
    (COPY, "copy"),
    (MERGE, "merge"),
    (RERUN, "nothing to do"),
    (SWAP_MERGE, "swapped"),
    (SWAP_COPY, "not swapped"),
    (SMALL, "small items"),
];

/// A recovery that was measured: its short name, and what is known of it.
struct Shown<'s> {
    name: &'static str,
    measured: &'s Measured,
    inside: &'s Inside,
}

fn shown(summary: &Summary) -> Vec<Shown<'_>> {
    let one = |(id, name): (&str, &'static str)| {
        let measured = summary.stage(id)?;
        Some(Shown { name, measured, inside: measured.inside.as_ref()? })
    };
    SHOWN.into_iter().filter_map(one).collect()
}

/// The stages of a crew, work before waiting.
fn stages_of(crew: Crew) -> Vec<Stage> {
    let mut stages: Vec<Stage> =
        Stage::ALL.into_iter().filter(|stage| stage.crew() == crew).collect();
    stages.sort_by_key(|stage| stage.is_waiting());
    stages
}

/// The section on what threads were at.
pub fn inside(summary: &Summary, page: &mut Document) {
    let shown = shown(summary);
    if shown.is_empty() {
        return;
    }
    page.heading("Inside a recovery");
    page.text("What the threads were at, from the first moment to the last. Workers plan mailboxes, read contents and sum them up, build pages, and read back what is committed; one thread, the committer, links pages into the store and commits. The repeat with the median wall time.");
    for (crew, caption) in [
        (
            Crew::Worker,
            "Wall time of all workers by what they were at; blank: before they began and after they ended. Grey: waiting",
        ),
        (Crew::Committer, "Wall time of the committer by what it was at. Grey: waiting"),
    ] {
        page.plot(crew_stacks(&shown, crew), caption);
    }
    shares(&shown, page);
    if let Some(copy) = shown.iter().find(|one| one.name == "copy") {
        spans(copy.inside, page);
    }
    queues(&shown, page);
}

fn crew_stacks(shown: &[Shown<'_>], crew: Crew) -> String {
    let colours = ["a", "b", "c", "d", "e", "f", "g"];
    let waits = ["wait", "wait-more", "wait-most"];
    let stages = stages_of(crew);
    let working = stages.iter().filter(|stage| !stage.is_waiting()).count();
    let parts: Vec<Part> = stages
        .iter()
        .enumerate()
        .map(|(at, stage)| Part {
            name: title(*stage),
            colour: match at.checked_sub(working) {
                Some(at) => waits[at % waits.len()],
                None => colours[at % colours.len()],
            },
            is_pale: stage.is_waiting(),
        })
        .collect();
    let share = |one: &Shown<'_>, stage: &Stage| {
        one.inside.stage(*stage).map_or(0.0, |stage| one.inside.share(stage))
    };
    let rows: Vec<Stack> = shown
        .iter()
        .map(|one| Stack {
            name: one.name.to_owned(),
            shares: stages.iter().map(|stage| share(one, stage)).collect(),
            text: seconds_text(one.inside.wall_seconds),
        })
        .collect();
    let name = match crew {
        Crew::Worker => "Shares of the workers' time",
        Crew::Committer => "Shares of the committer's time",
    };
    stacks(&parts, &rows, name)
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

fn shares(shown: &[Shown<'_>], page: &mut Document) {
    let mut head = vec!["share of time"];
    head.extend(shown.iter().map(|one| one.name));
    let mut rows = Vec::new();
    for crew in [Crew::Worker, Crew::Committer] {
        let who = match crew {
            Crew::Worker => "workers",
            Crew::Committer => "committer",
        };
        let mut busy = vec![format!("{who}: at work")];
        busy.extend(shown.iter().map(|one| percent(one.inside.busy_share(crew))));
        rows.push(busy);
        for stage in stages_of(crew) {
            let mut row = vec![format!("{who}: {}", title(stage))];
            let share = |one: &Shown<'_>| {
                let stage = one.inside.stage(stage);
                stage.map_or_else(|| "-".to_owned(), |stage| percent(one.inside.share(stage)))
            };
            row.extend(shown.iter().map(share));
            rows.push(row);
        }
    }
    page.table(&head, rows);
    page.text("Of the wall time of all workers together, and of the committer. A thread that is at work may wait for a core, where there are fewer cores than threads, or for the disk: \"workers busy\" under Cost is processor time.");
}

fn spans(inside: &Inside, page: &mut Document) {
    let row = |stage: Stage| {
        let one = inside.stage(stage)?;
        Some(vec![
            format!("{}: {}", one.crew, title(stage)),
            seconds_text(one.seconds),
            seconds_text(one.from_seconds),
            seconds_text(one.to_seconds),
            seconds_text(one.to_seconds - one.from_seconds),
        ])
    };
    let crews = [Crew::Worker, Crew::Committer];
    let stages = crews.into_iter().flat_map(stages_of);
    page.table(
        &["in the copy", "thread time", "first begun at", "last ended at", "wall time"],
        stages.filter_map(row).collect(),
    );
}

fn queues(shown: &[Shown<'_>], page: &mut Document) {
    let mut rows = Vec::new();
    for (name, what) in QUEUES {
        let text = |value: f64| match name {
            "room_bytes" => bytes_text(value),
            _ => figures(value),
        };
        for one in shown {
            let Some(queue) = one.inside.queue(name) else { continue };
            rows.push(vec![
                format!("{what}: {}", one.name),
                count_text(queue.sent),
                text(queue.mean()),
                match name {
                    "room_bytes" => bytes_text(queue.max as f64),
                    _ => count_text(queue.max),
                },
                queue.capacity.map_or_else(|| "-".to_owned(), |most| bytes_text(most as f64)),
            ]);
        }
    }
    page.table(&["what waits", "put in", "waiting then, mean", "most", "limit"], rows);
    page.text("Queues are looked at whenever something is put in. Mailboxes that are not planned yet wait from the beginning and are not counted.");
}

/// Where bytes went.
pub fn bytes(summary: &Summary, page: &mut Document) {
    let bytes = |of: Option<&Spread>| of.map_or_else(|| "-".to_owned(), |of| bytes_text(of.median));
    let row = |one: &Shown<'_>| {
        let of = one.measured;
        let shared = of.shared_share.map_or_else(|| "-".to_owned(), percent);
        vec![
            one.name.to_owned(),
            bytes_text(of.bytes as f64),
            bytes(of.device_read_bytes.as_ref()),
            of.logical_bytes.map_or_else(|| "-".to_owned(), |bytes| bytes_text(bytes as f64)),
            bytes(of.written_bytes.as_ref()),
            bytes(of.log_bytes.as_ref()),
            bytes(of.growth_bytes.as_ref()),
            shared,
        ]
    };
    page.table(
        &[
            "recovery",
            "source's files",
            "from the device",
            "mail written",
            "bytes written",
            "of them log",
            "target grows by",
            "items that shared a content",
        ],
        shown(summary).iter().map(row).collect(),
    );
    page.text("Mail written is what is charged to mailboxes, each for itself. Files are read through a map, so that the system tells only what had to come from the device, of source and target together. The log is the journal. Items that shared a content needed no copy of their own: another item had brought it, or the target had it.");
}
