//! `recover`: mailboxes from one store into another.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::ValueEnum;
use serde_json::{Value as Json, json};

use super::estimate::tell_dry_run;
use super::exit::Failure;
use super::output::{Output, Warning};
use super::recover_progress::{JobFolder, Teller};
use super::recover_report::{print_report, tell_total};
use super::source::IoMode;
use crate::ese::EseError;
use crate::ese::error::Refusal;
use crate::io::{IoError, Volume};
use crate::mapi::{FileTime, MailboxGuid};
use crate::recover::{
    ConflictRule, DeletedRule, DumpsterRule, Grade, HiddenRule, JobReport, Mode, MovedRule,
    Options, Progress, RunOptions, WritePath, recover, recover_into_copy,
};

/// What `recover` is asked for.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The store to recover from; it is only read
    #[arg(long, value_name = "SRC.edb")]
    from: PathBuf,
    /// The store to recover into
    #[arg(long, value_name = "DST.edb")]
    to: PathBuf,
    /// merge: add what is missing, the newest version wins; copy: lay the source over the target
    #[arg(long, value_enum)]
    mode: ModeArgument,
    /// Where a copy goes: over the existing folders, or under one new folder
    #[arg(long, value_enum, default_value = "overlay")]
    into: Layout,
    /// Name of that folder
    #[arg(long, value_name = "NAME")]
    folder_name: Option<String>,
    /// Only this mailbox of the source, by GUID, owner or name; may be repeated
    #[arg(long, value_name = "M")]
    mailbox: Vec<String>,
    /// File of lines SOURCE-GUID,TARGET-GUID for mailboxes that belong together whatever their GUIDs
    #[arg(long, value_name = "FILE")]
    map: Option<PathBuf>,
    /// guid: mailboxes match by their GUID only; any: also by an owner that is unique in both stores
    #[arg(long = "match", value_enum, default_value = "any")]
    matching: Matching,
    /// Make mailboxes that the target lacks
    #[arg(long)]
    create_missing: bool,
    /// Only this folder of the source (Name/Sub, #inbox#; with /* all below it); may be repeated
    #[arg(long, value_name = "F")]
    folder: Vec<String>,
    /// Not this folder; may be repeated
    #[arg(long, value_name = "F")]
    exclude_folder: Vec<String>,
    /// Make no folders: items of missing ones are left out
    #[arg(long)]
    no_create_folders: bool,
    /// Make empty folders too (merge)
    #[arg(long)]
    empty_folders: bool,
    /// Put items of the Outbox into Drafts
    #[arg(long)]
    include_outbox: bool,
    /// Which version of an edited item stays (merge)
    #[arg(long, value_enum, default_value = "latest")]
    conflict: Conflict,
    /// What is done about items that lie in another folder of the target (merge)
    #[arg(long, value_enum, default_value = "skip")]
    moved: Moved,
    /// What is done about items that were deleted in the target since (merge)
    #[arg(long, value_enum, default_value = "respect")]
    deleted: Deleted,
    /// What the recovery is for; undelete brings deleted items back
    #[arg(long, value_enum, default_value = "dial-tone")]
    intent: Intent,
    /// Soft-deleted items of the source
    #[arg(long, value_enum, default_value = "exclude")]
    dumpster: Dumpster,
    /// Hidden items of the source: views, forms, settings
    #[arg(long, value_enum, default_value = "by-class")]
    fai: Fai,
    /// union: an item that both have becomes read when the source's is
    #[arg(long, value_enum, default_value = "keep")]
    read_state: ReadState,
    /// Tell what would be done; write nothing
    #[arg(long)]
    dry_run: bool,
    /// replay: lay the journal of an interrupted writer over the source, in memory
    #[arg(long, value_enum, default_value = "refuse")]
    dirty: Dirty,
    /// drop: leave out mails that cannot be read whole, rather than save what can be read
    #[arg(long, value_enum, default_value = "keep")]
    partial: Partial,
    /// full: compare contents by a strong hash in the end, reading the source once more
    #[arg(long, value_enum, default_value = "quick")]
    verify: Verify,
    /// Make a copy of the target pair under this name and recover into it; the target is only read
    #[arg(long, value_name = "NEW.edb")]
    out: Option<PathBuf>,
    /// Go on with the job of this id: mailboxes that it completed are left as they are
    #[arg(long, value_name = "ID")]
    job: Option<uuid::Uuid>,
    /// Memory to use, for example 256MiB
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    memory: Option<u64>,
    /// Threads that read and build pages
    #[arg(long, value_name = "N")]
    workers: Option<usize>,
    /// How pages are read
    #[arg(long, value_enum, default_value = "map")]
    io: IoMode,
    /// Go on although much could not be read: a grade of poor is no error then
    #[arg(long)]
    accept_loss: bool,
    /// One writer, one item after the other
    #[arg(long, value_enum, default_value = "parallel", hide = true)]
    path: WriteWay,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ModeArgument {
    Merge,
    Copy,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Layout {
    Overlay,
    Folder,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Matching {
    Any,
    Guid,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Conflict {
    Latest,
    Source,
    Target,
    All,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Moved {
    Skip,
    Duplicate,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Deleted {
    Respect,
    Resurrect,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Intent {
    DialTone,
    Undelete,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Dumpster {
    Exclude,
    Preserve,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Fai {
    Skip,
    ByClass,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ReadState {
    Keep,
    Union,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Dirty {
    Refuse,
    Replay,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Partial {
    Keep,
    Drop,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Verify {
    Quick,
    Full,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum WriteWay {
    Plain,
    Parallel,
}

/// A size with a unit: `4096`, `64KiB`, `256MiB`, `4GB`.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| format!("{text} is no size"))?;
    let factor: u64 = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        "t" | "tib" => 1 << 40,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "tb" => 1_000_000_000_000,
        _ => return Err(format!("{unit} is no unit; use KiB, MiB, GiB, KB, MB or GB")),
    };
    number.checked_mul(factor).ok_or_else(|| format!("{text} is too much"))
}

impl Arguments {
    fn options(&self) -> Result<Options, Failure> {
        let mode = match (self.mode, self.into) {
            (ModeArgument::Merge, _) => Mode::Merge,
            (ModeArgument::Copy, Layout::Overlay) => Mode::CopyOverlay,
            (ModeArgument::Copy, Layout::Folder) => Mode::CopyFolder,
        };
        let mut options = Options::new(mode, now().0);
        options.rules.conflict = match self.conflict {
            Conflict::Latest => ConflictRule::Latest,
            Conflict::Source => ConflictRule::Source,
            Conflict::Target => ConflictRule::Target,
            Conflict::All => ConflictRule::All,
        };
        if self.moved == Moved::Duplicate {
            options.rules.moved = MovedRule::Duplicate;
        }
        if self.deleted == Deleted::Resurrect || self.intent == Intent::Undelete {
            options.rules.deleted = DeletedRule::Resurrect;
        }
        options.mailboxes.only.clone_from(&self.mailbox);
        options.mailboxes.by_guid_only = self.matching == Matching::Guid;
        options.mailboxes.create_missing = self.create_missing;
        options.mailboxes.map = self.map.as_deref().map(read_map).transpose()?.unwrap_or_default();
        options.folders.include.clone_from(&self.folder);
        options.folders.exclude.clone_from(&self.exclude_folder);
        options.folders.create_none = self.no_create_folders;
        options.folders.create_empty = self.empty_folders;
        options.folders.include_outbox = self.include_outbox;
        options.folders.copy_folder.clone_from(&self.folder_name);
        if self.dumpster == Dumpster::Preserve {
            options.dumpster = DumpsterRule::Preserve;
        }
        if self.fai == Fai::Skip {
            options.hidden = HiddenRule::Skip;
        }
        options.drop_partial = self.partial == Partial::Drop;
        options.unite_read_state = self.read_state == ReadState::Union;
        Ok(options)
    }

    fn run_options(&self) -> RunOptions {
        let job = self.job.unwrap_or_else(uuid::Uuid::new_v4);
        let mut run = RunOptions::new(*job.as_bytes());
        run.resume = self.job.is_some();
        run.verify_full = self.verify == Verify::Full;
        run.dry_run = self.dry_run;
        run.replay_source = self.dirty == Dirty::Replay;
        run.workers = self.workers.unwrap_or(run.workers).clamp(1, 256);
        run.memory_bytes = self.memory.unwrap_or(run.memory_bytes);
        if self.path == WriteWay::Plain {
            run.path = WritePath::Plain;
        }
        run
    }
}

/// The time.
pub fn now() -> FileTime {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let seconds = since.map_or(0, |since| since.as_secs());
    FileTime::from_unix_seconds(i64::try_from(seconds).unwrap_or(i64::MAX))
}

/// Lines of two GUIDs, divided by a comma; empty lines and those that begin with `#` do not count.
fn read_map(path: &Path) -> Result<Vec<(MailboxGuid, MailboxGuid)>, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| IoError::os(path, "open", error))?;
    let lines = text.lines().map(str::trim).enumerate();
    let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    let parse = |(number, line): (usize, &str)| {
        let pair = line
            .split_once(',')
            .and_then(|(from, to)| Some((from.trim().parse().ok()?, to.trim().parse().ok()?)));
        pair.ok_or_else(|| {
            let reason = format!("line {}: two GUIDs divided by a comma are expected", number + 1);
            EseError::refused(Refusal::BadRequest, reason).in_file(path).into()
        })
    };
    lines.map(parse).collect()
}

/// Runs the command.
pub fn run(arguments: &Arguments, output: &mut Output) -> Result<(), Failure> {
    let options = arguments.options()?;
    let run = arguments.run_options();
    let volume: Arc<dyn Volume> = Arc::new(arguments.io.volume());
    let folder = JobFolder::of(arguments.out.as_deref().unwrap_or(&arguments.to), &run);
    let mut teller = Teller::new(output, &folder, &run);
    let paths = (&*arguments.from, &*arguments.to);
    let mut watch = |progress: Progress<'_>| teller.tell(&progress);
    let result = match &arguments.out {
        Some(copy) => {
            let paths = (paths.0, paths.1, copy.as_path());
            recover_into_copy(&volume, paths, &options, &run, &mut watch)
        }
        None => recover(&volume, paths.0, paths.1, &options, &run, &mut watch),
    };
    teller.end()?;
    let report = result.map_err(suspended)?;
    warn(&report, output)?;
    if let Some(problem) = folder.finish(&report, &run) {
        output.warn(Warning { code: "E_IO", message: &problem, table: None, page: None })?;
    }
    if output.is_json() {
        tell_total(&report, &run, output)?;
    } else {
        print_report(&report, &run, output)?;
    }
    if run.dry_run {
        tell_dry_run(&report, &arguments.from, output)?;
    }
    judge(&report, arguments.accept_loss)
}

/// A disk that fills up while the job runs is no failure of the job.
fn suspended(error: EseError) -> Failure {
    match &error {
        EseError::Io(machine) if machine.is_no_space() => Failure::Suspended(error),
        _ => error.into(),
    }
}

fn warn(report: &JobReport, output: &mut Output) -> Result<(), Failure> {
    let mut say = |code: &str, message: String| {
        output.warn(Warning { code, message: &message, table: None, page: None })
    };
    for skipped in &report.skipped {
        let mut message =
            format!("mailbox {} is left out: {}", skipped.name, skipped.reason.word());
        if !skipped.candidates.is_empty() {
            message.push_str(&format!("; perhaps meant: {}", skipped.candidates.join(", ")));
        }
        say("E_MBX_SKIPPED", message)?;
    }
    for mailbox in &report.mailboxes {
        for failure in &mailbox.failures {
            say("E_MBX_FAILED", format!("mailbox {}: {failure}", mailbox.name))?;
        }
        for part in &mailbox.partial {
            let place = format!("mailbox {}, folder {}", mailbox.name, part.folder_path);
            say("E_PARTIAL_ITEM", format!("{place}: an item was saved in part: {}", part.reason))?;
        }
        for bad in &mailbox.bad {
            let place = format!("mailbox {}, folder {}", mailbox.name, bad.folder_path);
            say("E_BAD_ITEM", format!("{place}: an item was lost: {}", bad.reason))?;
        }
    }
    if !report.columns_left.is_empty() {
        let columns = report.columns_left.join(", ");
        say("E_COLUMNS_LEFT", format!("properties that the target has no place for: {columns}"))?;
    }
    Ok(())
}

fn judge(report: &JobReport, accept_loss: bool) -> Result<(), Failure> {
    if !report.adds_up() {
        return Err(Failure::SumsDiffer);
    }
    match report.failed() {
        0 if report.grade() == Grade::Poor && !accept_loss => Err(Failure::NeedsApproval),
        0 => Ok(()),
        failed => Err(Failure::MailboxesFailed(failed)),
    }
}

/// One option as JSON, for the record of a run.
pub fn option_json(run: &RunOptions) -> Json {
    let job = uuid::Uuid::from_bytes(run.job).to_string();
    json!({"job": job, "workers": run.workers, "memory_bytes": run.memory_bytes, "dry_run": run.dry_run})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_binary_and_decimal_units() {
        assert_eq!(parse_size("256MiB"), Ok(256 << 20));
        assert_eq!(parse_size("4GB"), Ok(4_000_000_000));
        assert_eq!(parse_size("7"), Ok(7));
        for wrong in ["", "MiB", "4QB", "99999999999GiB", "-1"] {
            assert!(parse_size(wrong).is_err(), "{wrong}");
        }
    }
}
