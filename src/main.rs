//! The `dialtone` binary: exits with the code that [`dialtone::cli::run`] returns.

use std::process::ExitCode;

fn main() -> ExitCode {
    dialtone::cli::run(std::env::args_os())
}
