//! The command line: arguments, terminal output, JSON lines. It decides nothing about the data.
//!
//! | file | what it is for |
//! |---|---|
//! | `exit` | exit codes and error codes, the only place that knows them |
//! | `output` | the two faces of every command: JSON lines, or text for people |
//! | `json` | values as JSON, written straight into a buffer |
//! | `source` | how a database is opened |
//! | `info`, `dump`, `check` | commands for any ESE database, one file each |
//! | `demo` | the story of a recovery |
//! | `create`, `synth`, `import`, `export`, `ls`, `show`, `recover` | commands for mailbox stores |
//! | `bench`, `estimate` | the restore window, measured and predicted |
//! | `recover_progress`, `recover_report` | what a recovery tells while it runs, and in the end |

mod bench;
mod check;
mod create;
mod demo;
mod dump;
mod estimate;
mod exit;
mod export;
mod import;
mod info;
mod json;
mod ls;
mod output;
mod recover;
mod recover_progress;
mod recover_report;
mod show;
mod source;
mod synth;

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use exit::{Exit, Failure};
use output::Output;

/// Recovers mailboxes from one mailbox store into another, and reads ESE databases.
#[derive(Debug, Parser)]
#[command(name = "dialtone", version, propagate_version = true)]
struct Arguments {
    /// Print JSON lines on standard output and nothing else there
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Play the dial-tone story with the mail that comes with the program, in both modes of recovery
    Demo(demo::Options),
    /// Show what a database is: header, state, space, tables
    Info(info::Options),
    /// Show the schema and every row of a database
    Dump(dump::Options),
    /// Check a database: pages, trees, space, catalog, rows, indexes, long values; of a mailbox store also its mail
    Check(check::Options),
    /// Create an empty mailbox store: a database and its streaming file
    Create(create::Options),
    /// List the mailboxes of a store, the folders of a mailbox, or the items of a folder
    Ls(ls::Options),
    /// Show a store, mailbox, folder or message in detail
    Show(show::Options),
    /// Import mail files into mailboxes of a store
    Import(import::Options),
    /// Export a mailbox as mail files
    Export(export::Options),
    /// Make a store of any size from a seed
    Synth(synth::Options),
    /// Recover mailboxes from one store into another
    Recover(Box<recover::Arguments>),
    /// Measure the restore window of this machine, and record its profile
    Bench(Box<bench::Options>),
    /// Predict how long a recovery takes and what it adds, from the profile
    Estimate(Box<estimate::Options>),
}

impl Command {
    fn name(&self) -> &'static str {
        match self {
            Self::Demo(_) => "demo",
            Self::Info(_) => "info",
            Self::Dump(_) => "dump",
            Self::Check(_) => "check",
            Self::Create(_) => "create",
            Self::Ls(_) => "ls",
            Self::Show(_) => "show",
            Self::Import(_) => "import",
            Self::Export(_) => "export",
            Self::Synth(_) => "synth",
            Self::Recover(_) => "recover",
            Self::Bench(_) => "bench",
            Self::Estimate(_) => "estimate",
        }
    }

    fn run(&self, output: &mut Output) -> Result<(), Failure> {
        match self {
            Self::Demo(options) => demo::run(options, output),
            Self::Info(options) => info::run(options, output),
            Self::Dump(options) => dump::run(options, output),
            Self::Check(options) => check::run(options, output),
            Self::Create(options) => create::run(options, output),
            Self::Ls(options) => ls::run(options, output),
            Self::Show(options) => show::run(options, output),
            Self::Import(options) => import::run(options, output),
            Self::Export(options) => export::run(options, output),
            Self::Synth(options) => synth::run(options, output),
            Self::Recover(arguments) => recover::run(arguments, output),
            Self::Bench(options) => bench::run(options, output),
            Self::Estimate(options) => estimate::run(options, output),
        }
    }
}

/// Runs one command line and returns the exit code of design section 6.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let wants_json = arguments.iter().any(|argument| argument == "--json");
    let exit = match Arguments::try_parse_from(arguments) {
        Ok(parsed) => {
            start_log();
            catch_unwind(AssertUnwindSafe(|| run_command(&parsed))).unwrap_or_else(|_| {
                let message = "the program broke one of its own rules; please report this";
                last_words(wants_json, "E_INTERNAL", message, Exit::Internal);
                Exit::Internal
            })
        }
        Err(error) if !error.use_stderr() => {
            // Help and version, which were asked for. A reader that went away does not matter.
            let _ = error.print();
            Exit::Done
        }
        Err(error) => {
            let _ = error.print();
            if wants_json {
                let _ = io::stdout().write_all(&output::hello("usage"));
                let message = error.kind().to_string();
                last_words(true, "E_USAGE", &message, Exit::Usage);
            }
            Exit::Usage
        }
    };
    exit.into()
}

fn run_command(arguments: &Arguments) -> Exit {
    let mut output = Output::new(arguments.json, Box::new(io::stdout().lock()));
    let result = output
        .hello(arguments.command.name())
        .map_err(Failure::Output)
        .and_then(|()| arguments.command.run(&mut output));
    output.finish(result)
}

/// The lines that end a JSON run which no [`Output`] could end.
fn last_words(wants_json: bool, code: &str, message: &str, exit: Exit) {
    if wants_json {
        let mut stdout = io::stdout();
        let error = [("code", code.into()), ("message", message.into())];
        let _ = stdout.write_all(&output::json_line("error", &error));
        let _ = stdout.write_all(&output::json_line("exit", &[("code", exit.code().into())]));
    } else {
        let _ = writeln!(io::stderr(), "error: {message}");
    }
}

/// What the library logs goes to standard error: warnings, or what `DIALTONE_LOG` asks for.
fn start_log() {
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::try_from_env("DIALTONE_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    // Fails only where a caller has set a log of its own, which is then the one to use.
    let _ = log.without_time().try_init();
}
