//! The report of a recovery: as JSON lines, and as tables for people.

use std::io;

use serde_json::{Map, Value as Json, json};

use super::json::put_string;
use super::output::Output;
use super::recover::option_json;
use crate::recover::{
    BadItem, ContentCounts, Counters, FolderMatch, FolderReport, JobReport, LeftOut, MailboxMatch,
    MailboxReport, QueueDepth, RunOptions, SideCounters, SkippedMailbox, Stage, StageReport,
    StageTime,
};

/// Mailboxes that a table shows one by one.
const MAILBOXES_SHOWN: usize = 40;

fn counters_json(counters: &Counters) -> Json {
    let pairs = counters.named().into_iter().map(|(name, count)| (name.to_owned(), json!(count)));
    Json::Object(pairs.collect::<Map<_, _>>())
}

fn side_json(side: &SideCounters) -> Json {
    json!({
        "hidden_inserted": side.hidden_inserted,
        "hidden_unchanged": side.hidden_unchanged,
        "hidden_left": side.hidden_left,
        "dumpster_inserted": side.dumpster_inserted,
        "dumpster_unchanged": side.dumpster_unchanged,
        "dumpster_left": side.dumpster_left,
        "queued_left": side.queued_left,
        "search_folders_left": side.search_folders_left,
        "target_only": side.target_only,
        "future_time": side.future_time,
        "partial": side.partial,
        "read_flags": side.read_flags,
        "folders_created": side.folders_created,
        "fingerprints": side.fingerprints,
    })
}

fn matched(matched: MailboxMatch) -> &'static str {
    match matched {
        MailboxMatch::Guid => "guid",
        MailboxMatch::ByDn => "by_dn",
        MailboxMatch::Map => "map",
        MailboxMatch::Created => "created",
    }
}

fn folder_rule(rule: FolderMatch) -> &'static str {
    match rule {
        FolderMatch::Role => "role",
        FolderMatch::Id => "id",
        FolderMatch::Name => "name",
        FolderMatch::Created => "created",
        FolderMatch::LeftOut(LeftOut::Search) => "left_search_folder",
        FolderMatch::LeftOut(LeftOut::Queue) => "left_queue",
        FolderMatch::LeftOut(LeftOut::Client) => "left_client",
        FolderMatch::LeftOut(LeftOut::Filter) => "left_filter",
        FolderMatch::LeftOut(LeftOut::NotCreated) => "left_not_created",
        FolderMatch::LeftOut(LeftOut::Empty) => "left_empty",
        FolderMatch::LeftOut(LeftOut::Unreadable) => "left_unreadable",
    }
}

/// Appends counters as an object. Most of a report is this, so that no values are made for it.
fn put_counters(out: &mut Vec<u8>, counters: &Counters) {
    for (at, (name, count)) in counters.named().into_iter().enumerate() {
        out.extend_from_slice(if at == 0 { b"{\"" } else { b",\"" });
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"\":");
        match u8::try_from(count) {
            // Most are 0.
            Ok(digit @ 0..=9) => out.push(b'0' + digit),
            _ => {
                // Writing to memory cannot fail.
                let _ = serde_json::to_writer(&mut *out, &count);
            }
        }
    }
    out.push(b'}');
}

/// Appends what is told of one folder.
fn put_folder(out: &mut Vec<u8>, folder: &FolderReport) {
    out.extend_from_slice(b"{\"path\":");
    put_string(out, &folder.path);
    out.extend_from_slice(b",\"match\":");
    put_string(out, folder_rule(folder.matched));
    out.extend_from_slice(b",\"counters\":");
    put_counters(out, &folder.counters);
    out.push(b'}');
}

fn bad_json(all: &[BadItem]) -> Json {
    let one = |bad: &BadItem| {
        let id = bad.item.map(|item| item.message.to_string());
        json!({"folder": bad.folder_path, "item": id, "reason": bad.reason})
    };
    all.iter().map(one).collect()
}

/// What is told of one mailbox besides its folders.
fn mailbox_fields(mailbox: &MailboxReport) -> Vec<(&'static str, Json)> {
    vec![
        ("guid", json!(mailbox.guid.to_string())),
        ("name", json!(mailbox.name)),
        ("match", json!(matched(mailbox.matched))),
        ("state", json!(mailbox.state.word())),
        ("grade", json!(mailbox.grade.word())),
        ("counters", counters_json(&mailbox.counters)),
        ("side", side_json(&mailbox.side)),
        ("write_bytes", json!(mailbox.write_bytes)),
        ("verified", json!(mailbox.verified)),
        ("bytes_before", json!(mailbox.bytes_before)),
        ("bytes_after", json!(mailbox.bytes_after)),
        ("over_quota_after", json!(mailbox.is_over_quota())),
        ("quota_bytes", json!(mailbox.quota_bytes)),
        ("seconds", json!(mailbox.seconds)),
        ("bad", bad_json(&mailbox.bad)),
        ("partial", bad_json(&mailbox.partial)),
        ("failures", json!(mailbox.failures)),
    ]
}

/// Appends the fields of an object, each but the first with a comma before it.
fn put_fields(out: &mut Vec<u8>, fields: &[(&'static str, Json)]) {
    for (at, (name, value)) in fields.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        put_string(out, name);
        out.push(b':');
        // Writing to memory cannot fail.
        let _ = serde_json::to_writer(&mut *out, value);
    }
}

/// Appends the fields of a mailbox.
fn put_mailbox(out: &mut Vec<u8>, mailbox: &MailboxReport) {
    put_fields(out, &mailbox_fields(mailbox));
    out.extend_from_slice(b",\"folders\":[");
    let told = |folder: &&FolderReport| folder.counters.scanned > 0 || folder.has_target;
    for (at, folder) in mailbox.folders.iter().filter(told).enumerate() {
        if at > 0 {
            out.push(b',');
        }
        put_folder(out, folder);
    }
    out.push(b']');
}

/// The line of one mailbox.
pub fn tell_mailbox(mailbox: &MailboxReport) -> Vec<u8> {
    let mut line = b"{\"type\":\"mailbox\",".to_vec();
    put_mailbox(&mut line, mailbox);
    line.extend_from_slice(b"}\n");
    line
}

/// The whole report as one object, for the job's folder: each mailbox on a line of its own.
pub fn report_text(report: &JobReport, run: &RunOptions) -> Vec<u8> {
    let mut text = b"{\"total\":{".to_vec();
    put_fields(&mut text, &total_fields(report, run));
    text.extend_from_slice(b"},\n\"mailboxes\":[");
    for (at, mailbox) in report.mailboxes.iter().enumerate() {
        text.extend_from_slice(if at == 0 { b"\n{" } else { b",\n{" });
        put_mailbox(&mut text, mailbox);
        text.push(b'}');
    }
    text.extend_from_slice(b"],\n\"skipped\":[");
    for (at, skipped) in report.skipped.iter().enumerate() {
        text.extend_from_slice(if at == 0 { b"\n{" } else { b",\n{" });
        put_fields(&mut text, &skipped_fields(skipped));
        text.push(b'}');
    }
    text.extend_from_slice(b"]}\n");
    text
}

fn skipped_fields(skipped: &SkippedMailbox) -> Vec<(&'static str, Json)> {
    vec![
        ("guid", json!(skipped.guid.to_string())),
        ("name", json!(skipped.name)),
        ("reason", json!(skipped.reason.word())),
        ("candidates", json!(skipped.candidates)),
    ]
}

/// The lines of the whole job.
pub fn tell_total(report: &JobReport, run: &RunOptions, output: &mut Output) -> io::Result<()> {
    for skipped in &report.skipped {
        output.line("skipped", &skipped_fields(skipped))?;
    }
    output.line("report", &total_fields(report, run))
}

fn total_fields(report: &JobReport, run: &RunOptions) -> Vec<(&'static str, Json)> {
    vec![
        ("run", option_json(run)),
        ("mailboxes", json!(report.mailboxes.len())),
        ("failed", json!(report.failed())),
        ("grade", json!(report.grade().word())),
        ("counters", counters_json(&report.counters)),
        ("side", side_json(&report.side)),
        ("columns_left", json!(report.columns_left)),
        ("write_bytes", json!(report.write_bytes)),
        ("verified", json!(report.verified)),
        ("commits", json!(report.commits)),
        ("done_before", json!(report.done_before)),
        ("log_bytes", json!(report.log_bytes)),
        ("contents", contents_json(&report.contents)),
        ("seconds", json!(report.seconds)),
        ("stages", report.stages.as_ref().map_or(Json::Null, stages_json)),
    ]
}

fn contents_json(contents: &ContentCounts) -> Json {
    json!({"items": contents.items, "copied": contents.copied})
}

/// Where the time went. What no thread was ever at is left out.
fn stages_json(report: &StageReport) -> Json {
    let one = |(stage, time): (Stage, StageTime)| {
        let (from, to) = time.span?;
        Some(json!({
            "stage": stage.word(),
            "crew": stage.crew().word(),
            "waits": stage.is_waiting(),
            "seconds": time.seconds,
            "share": report.share(stage),
            "from_seconds": from,
            "to_seconds": to,
        }))
    };
    let queue = |depth: &QueueDepth| json!({"capacity": depth.capacity, "sent": depth.sent, "mean": depth.mean(), "max": depth.max});
    json!({
        "workers": report.workers,
        "wall_seconds": report.wall_seconds,
        "stages": report.named().filter_map(one).collect::<Json>(),
        "to_committer": queue(&report.to_committer),
        "to_workers": queue(&report.to_workers),
        "room_bytes": queue(&report.room),
    })
}

/// The report for people.
pub fn print_report(report: &JobReport, run: &RunOptions, output: &mut Output) -> io::Result<()> {
    let mut table = comfy_table::Table::new();
    table.load_preset(comfy_table::presets::NOTHING);
    table.set_header([
        "mailbox",
        "state",
        "scanned",
        "inserted",
        "replaced",
        "unchanged",
        "moved",
        "kept",
        "other",
        "lost",
    ]);
    for mailbox in report.mailboxes.iter().take(MAILBOXES_SHOWN) {
        table.add_row(row(&mailbox.name, mailbox.state.word(), &mailbox.counters));
    }
    let hidden = report.mailboxes.len().saturating_sub(MAILBOXES_SHOWN);
    let total = if hidden > 0 { format!("all ({hidden} not shown)") } else { "all".to_owned() };
    table.add_row(row(&total, report.grade().word(), &report.counters));
    for column in table.column_iter_mut().skip(2) {
        column.set_cell_alignment(comfy_table::CellAlignment::Right);
    }
    output.text(&table.to_string())?;
    let SideCounters { hidden_inserted, hidden_left, queued_left, dumpster_left, .. } = report.side;
    let side = [
        ("hidden items inserted", hidden_inserted),
        ("hidden items left", hidden_left),
        ("items in queues left", queued_left),
        ("soft-deleted items left", dumpster_left),
        ("folders made", report.side.folders_created),
        ("only in the target, kept", report.side.target_only),
    ];
    let side: Vec<String> = side
        .iter()
        .filter(|(_, count)| *count > 0)
        .map(|(name, count)| format!("{count} {name}"))
        .collect();
    if !side.is_empty() {
        output.text(&side.join(", "))?;
    }
    let megabytes = report.write_bytes as f64 / 1e6;
    let seconds = report.seconds;
    output.text(&if run.dry_run {
        format!("dry run: {megabytes:.1} MB would be written; nothing was changed ({seconds:.2} s)")
    } else {
        let (commits, verified) = (report.commits, report.verified);
        format!("{megabytes:.1} MB written in {commits} commits, {verified} items read back, {seconds:.2} s")
    })
}

fn row(name: &str, state: &str, counters: &Counters) -> Vec<String> {
    let kept = counters.conflict_kept_target + counters.moved_conflict_kept + counters.tie;
    let other = counters.deleted_in_target + counters.filtered + counters.skipped_no_folder;
    let numbers = [
        counters.scanned,
        counters.inserted,
        counters.replaced,
        counters.unchanged,
        counters.moved,
        kept,
        other,
        counters.bad,
    ];
    let text = [name.to_owned(), state.to_owned()];
    text.into_iter().chain(numbers.iter().map(u64::to_string)).collect()
}
