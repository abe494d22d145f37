//! Mail in and out: what is read from the messages of `fixtures/mail`, that every message comes back byte for byte through every
//! format, and that hostile mail, mboxes, trees and folder names do no harm.
//!
//! The real mail of the shared data directory takes part where it is there; a line says so where it is not.
#![allow(clippy::unwrap_used)] // a test program: what cannot be read must fail it

#[path = "mail_files/fixtures.rs"]
mod fixtures;
#[path = "mail_files/hostile.rs"]
mod hostile;
#[path = "mail_files/round_trip.rs"]
mod round_trip;
#[path = "mail_files/support.rs"]
mod support;
