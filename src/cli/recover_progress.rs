//! What `recover` tells while it runs: bars on a terminal, JSON lines, and the files of the job beside the target.

use std::fs;
use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::json;

use super::output::Output;
use super::recover::option_json;
use super::recover_report::{report_text, tell_mailbox};
use crate::recover::{JobReport, Progress, RunOptions};

/// The shortest time between two lines of progress.
const LINE_EVERY: Duration = Duration::from_secs(1);

/// Tells people or programs how far a job is.
pub struct Teller<'t> {
    output: &'t mut Output,
    folder: &'t JobFolder,
    run: &'t RunOptions,
    bar: Option<indicatif::ProgressBar>,
    mailboxes: u64,
    done: u64,
    items: u64,
    bytes: u64,
    last_line: Instant,
    is_kept: bool,
    failed: io::Result<()>,
}

impl<'t> Teller<'t> {
    pub fn new(output: &'t mut Output, folder: &'t JobFolder, run: &'t RunOptions) -> Self {
        let is_shown = !output.is_json() && io::stderr().is_terminal();
        let bar = is_shown.then(|| {
            let bar = indicatif::ProgressBar::new(0);
            let look = "{bar:30} {percent}% {pos}/{len} items, {per_sec}, {eta} left {msg}";
            if let Ok(style) = indicatif::ProgressStyle::with_template(look) {
                bar.set_style(style);
            }
            bar
        });
        Self {
            output,
            folder,
            run,
            bar,
            mailboxes: 0,
            done: 0,
            items: 0,
            bytes: 0,
            last_line: Instant::now(),
            is_kept: false,
            failed: Ok(()),
        }
    }

    /// Takes news of the job.
    pub fn tell(&mut self, progress: &Progress<'_>) {
        match progress {
            Progress::Started { mailboxes, items, .. } => {
                self.mailboxes = *mailboxes;
                if let Some(bar) = &self.bar {
                    bar.set_length(*items);
                }
                return self.told(progress);
            }
            Progress::Items { items, bytes } => {
                self.items += items;
                self.bytes += bytes;
                if let Some(bar) = &self.bar {
                    bar.inc(*items);
                }
            }
            Progress::Mailbox(_) => {
                self.done += 1;
                if let Some(bar) = &self.bar {
                    bar.set_message(format!("({} of {} mailboxes)", self.done, self.mailboxes));
                }
            }
        }
        // Not before: a job that is refused leaves nothing behind.
        if !std::mem::replace(&mut self.is_kept, true) {
            self.folder.start(self.run);
        }
        self.told(progress);
    }

    fn told(&mut self, progress: &Progress<'_>) {
        if self.output.is_json() && self.failed.is_ok() {
            self.failed = self.line(progress);
        }
    }

    fn line(&mut self, progress: &Progress<'_>) -> io::Result<()> {
        match progress {
            Progress::Started { mailboxes, items, bytes } => {
                let fields = [
                    ("run", option_json(self.run)),
                    ("mailboxes", json!(mailboxes)),
                    ("items", json!(items)),
                    ("bytes", json!(bytes)),
                ];
                self.output.line("started", &fields)?;
            }
            Progress::Mailbox(mailbox) => self.output.raw(&tell_mailbox(mailbox))?,
            Progress::Items { .. } if self.last_line.elapsed() < LINE_EVERY => return Ok(()),
            Progress::Items { .. } => {
                self.last_line = Instant::now();
                let fields = [
                    ("mailboxes_done", json!(self.done)),
                    ("items", json!(self.items)),
                    ("bytes", json!(self.bytes)),
                ];
                self.output.line("progress", &fields)?;
            }
        }
        self.output.flush()
    }

    /// Takes the bars away.
    ///
    /// # Errors
    /// When a line could not be written.
    pub fn end(self) -> io::Result<()> {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
        self.failed
    }
}

/// The job's own files: `<store>.jobs/ID/options.json`, written when it starts, and `report.json`, written when it ends. They are for
/// people and for programs that ask later; nothing depends on them, so that a failure to write one is told and no more.
pub struct JobFolder(Option<PathBuf>);

impl JobFolder {
    /// The folder of a job; a dry run has none.
    pub fn of(store: &Path, run: &RunOptions) -> Self {
        let mut jobs = store.as_os_str().to_owned();
        jobs.push(".jobs");
        let job = uuid::Uuid::from_bytes(run.job).to_string();
        Self((!run.dry_run).then(|| PathBuf::from(jobs).join(job)))
    }

    fn start(&self, run: &RunOptions) {
        let arguments: Vec<_> = std::env::args().skip(1).collect();
        let text = json!({"arguments": arguments, "run": option_json(run)});
        // A folder that cannot be written is told at the end.
        let _ = self.put("options.json", format!("{text:#}\n").as_bytes());
    }

    /// Writes the report; answers what went wrong, if anything did.
    pub fn finish(&self, report: &JobReport, run: &RunOptions) -> Option<String> {
        let result = self.put("report.json", &report_text(report, run));
        let place = self.0.as_deref().unwrap_or(Path::new(""));
        let told = |error| format!("the report could not be kept in {}: {error}", place.display());
        result.err().map(told)
    }

    fn put(&self, name: &str, text: &[u8]) -> io::Result<()> {
        let Some(folder) = &self.0 else { return Ok(()) };
        fs::create_dir_all(folder)?;
        let draft = folder.join(format!("{name}.part"));
        fs::write(&draft, text)?;
        fs::rename(draft, folder.join(name))
    }
}
