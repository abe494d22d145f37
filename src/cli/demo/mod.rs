//! `demo`: the dial-tone story, played with the mail that comes with the program.
//!
//! ```text
//!   old.edb ── the server fails ──► dialtone.edb (empty, same mailboxes) ── a day of mail ──► recover, both modes
//! ```

mod mail;
mod story;
mod tables;

use std::path::{Path, PathBuf};

use serde_json::json;

use super::exit::Failure;
use super::output::Output;
use crate::ese::EseError;
use crate::ese::error::Refusal;
use crate::io::IoError;

/// What `demo` is asked for.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Keep the stores in this directory, which must not exist or be empty; without it they are removed at the end
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// Runs the command.
pub fn run(options: &Options, output: &mut Output) -> Result<(), Failure> {
    match &options.dir {
        Some(directory) => {
            require_empty(directory)?;
            play(directory, output)?;
            say(output, &format!("The stores are in {}.", directory.display()))
        }
        None => {
            let directory =
                std::env::temp_dir().join(format!("dialtone-demo-{}", std::process::id()));
            require_empty(&directory)?;
            let played = play(&directory, output);
            let removed = std::fs::remove_dir_all(&directory);
            played?;
            removed.map_err(|error| IoError::os(&directory, "remove", error))?;
            say(output, "The stores were removed; --dir DIR keeps them.")
        }
    }
}

fn require_empty(directory: &Path) -> Result<(), Failure> {
    let failed = |error| IoError::os(directory, "create", error);
    std::fs::create_dir_all(directory).map_err(failed)?;
    let mut entries = std::fs::read_dir(directory).map_err(failed)?;
    if entries.next().is_some() {
        let reason = "the directory is not empty; the demo never mixes with what is there";
        return Err(EseError::refused(Refusal::BadRequest, reason).in_file(directory).into());
    }
    Ok(())
}

/// A sentence of the story.
fn say(output: &mut Output, text: &str) -> Result<(), Failure> {
    if output.is_json() {
        output.line("story", &[("text", json!(text))])?;
    } else {
        output.text(text)?;
    }
    Ok(())
}

fn play(directory: &Path, output: &mut Output) -> Result<(), Failure> {
    let mail = directory.join("mail");
    let count = mail::unpack(&mail)?;
    say(output, &format!("{count} files of mail that come with the program are unpacked."))?;
    story::Story::new(directory, &mail).play(output)
}
