//! The only place that touches files.

mod error;

pub use error::{IoError, IoResult};
