//! Mail files into stores and out again: bytes, folders and flags that come back, contents that are shared, the MAPI form, damaged
//! stores and hostile names, and the two commands from outside.
//!
//! The real mail of the shared data directory takes part where it is there; a line says so where it is not.
#![allow(clippy::unwrap_used)] // a test program

#[path = "import_export/commands.rs"]
mod commands;
#[path = "import_export/forms.rs"]
mod forms;
#[path = "import_export/hostile.rs"]
mod hostile;
#[path = "import_export/real.rs"]
mod real;
#[path = "import_export/round_trip.rs"]
mod round_trip;
#[path = "import_export/stage.rs"]
mod stage;
mod store_support;
mod support;
#[path = "recover_stage/tamper.rs"]
#[allow(dead_code)] // written for another program
mod tamper;
#[path = "import_export/unpack.rs"]
mod unpack;

#[path = "mail_files/support.rs"]
mod files;
