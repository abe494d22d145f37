//! `synth`: a store of any size from a seed.

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::sync::Arc;

use clap::ValueEnum;
use serde_json::json;

use super::exit::Failure;
use super::output::Output;
use super::recover::parse_size;
use crate::io::RealVolume;
use crate::synth::{Profile, Synth, Twin, build};

/// What `synth` is asked for.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The database to create; its streaming file gets the same name with the ending stm
    store: PathBuf,
    /// Number of mailboxes
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    mailboxes: u32,
    /// Size of the two files together, for example 4GB; met within a tenth from 20MB on
    #[arg(long, value_parser = parse_size)]
    size: u64,
    /// The same seed gives the same store
    #[arg(long, default_value_t = 2003)]
    seed: u64,
    /// The shape of mail
    #[arg(long, value_enum, default_value = "2003")]
    profile: ProfileArgument,
    /// Make the twin of the store that the other arguments describe: the same mailboxes and, of its items, these shares in per
    /// cent, for example same=90,moved=3,edited=2,new=5; the rest is deleted. Mailboxes, size, seed and profile must be those
    /// that the first store was made with
    #[arg(long, value_name = "SHARES", value_parser = parse_twin)]
    twin: Option<Twin>,
    /// Another seed makes another choice of those
    #[arg(long, default_value_t = 1, requires = "twin")]
    twin_seed: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ProfileArgument {
    /// Mean of 15 to 25 KB a message
    #[value(name = "2003")]
    Year2003,
    /// Mean of 50 KB
    #[value(name = "2007")]
    Year2007,
    /// Mean of 75 KB
    #[value(name = "2010")]
    Year2010,
    /// Items of 2 to 8 KB
    Small,
}

fn parse_twin(text: &str) -> Result<Twin, String> {
    let mut twin = Twin { same: 0.0, moved: 0.0, edited: 0.0, new: 0.0, seed: 1 };
    for part in text.split(',') {
        let (name, share) = part.split_once('=').ok_or_else(|| format!("{part} has no share"))?;
        let share: f64 = share.trim().parse().map_err(|_| format!("{share} is no number"))?;
        if !(0.0..=100.0).contains(&share) {
            return Err(format!("{share} is no share in per cent"));
        }
        let slot = match name.trim() {
            "same" => &mut twin.same,
            "moved" => &mut twin.moved,
            "edited" => &mut twin.edited,
            "new" => &mut twin.new,
            other => return Err(format!("{other} is none of same, moved, edited, new")),
        };
        *slot = share / 100.0;
    }
    let sum = twin.same + twin.moved + twin.edited;
    if sum > 1.000_001 {
        Err(format!("the shares add up to {:.0} %", sum * 100.0))
    } else {
        Ok(twin)
    }
}

/// Runs the command.
pub fn run(options: &Options, output: &mut Output) -> Result<(), Failure> {
    let profile = match options.profile {
        ProfileArgument::Year2003 => Profile::Year2003,
        ProfileArgument::Year2007 => Profile::Year2007,
        ProfileArgument::Year2010 => Profile::Year2010,
        ProfileArgument::Small => Profile::Small,
    };
    let synth = Synth {
        mailboxes: options.mailboxes,
        size_bytes: options.size,
        seed: options.seed,
        profile,
        twin: options.twin.map(|twin| Twin { seed: options.twin_seed, ..twin }),
    };
    let is_shown = !output.is_json() && std::io::stderr().is_terminal();
    let bar = is_shown.then(|| indicatif::ProgressBar::new(options.size));
    let volume = Arc::new(RealVolume::pread());
    let report = build(volume, &options.store, &synth, &mut |bytes| {
        if let Some(bar) = &bar {
            bar.inc(bytes);
        }
    })?;
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    if output.is_json() {
        let fields = [
            ("file", json!(options.store.display().to_string())),
            ("mailboxes", json!(report.mailboxes)),
            ("items", json!(report.items)),
            ("bytes", json!(report.bytes)),
            ("same", json!(report.same)),
            ("moved", json!(report.moved)),
            ("edited", json!(report.edited)),
            ("deleted", json!(report.deleted)),
            ("new", json!(report.new)),
        ];
        output.line("made", &fields)?;
        return Ok(());
    }
    let mut text = format!(
        "made {}: {} mailboxes, {} items, {:.1} MB of mail",
        options.store.display(),
        report.mailboxes,
        report.items,
        report.bytes as f64 / 1e6
    );
    if options.twin.is_some() {
        text.push_str(&format!(
            "; {} as in the first store, {} moved, {} edited, {} deleted, {} new",
            report.same, report.moved, report.edited, report.deleted, report.new
        ));
    }
    output.text(&text)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_read_and_their_sum_is_bounded() {
        let twin = parse_twin("same=90,moved=3,edited=2,new=5").unwrap();
        assert_eq!((twin.same, twin.moved, twin.edited, twin.new), (0.9, 0.03, 0.02, 0.05));
        for wrong in ["same", "same=x", "other=3", "same=90,moved=20", "new=101"] {
            assert!(parse_twin(wrong).is_err(), "{wrong}");
        }
    }
}
