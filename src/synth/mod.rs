//! Stores of any size, made from nothing but a seed: for benchmarks, and for tests that need more mail than anybody has.
//!
//! The same arguments give the same files, byte for byte. Every item is a function of the seed, its mailbox and its number, so
//! that a *twin* can be made without reading the first store: the same mailboxes with a chosen share of the items the same, moved,
//! edited or deleted, and new ones. Sizes and shapes follow distributions.md and exchange-store 7. Knows nothing of recovery.
//!
//! | file | what it is for |
//! |---|---|
//! | `random` | numbers from a seed, and the distributions drawn from them |
//! | `profile` | how large and how many: the shape of an age |
//! | `words` | what mails are written with: words, names, character sets |
//! | `message` | one mail |
//! | `odd` | the mails that are rare |
//! | `wish` | which items a mailbox has, and how many |
//! | `build` | the store |

mod build;
mod message;
mod odd;
mod profile;
mod random;
mod wish;
mod words;

pub use build::{SynthReport, build};
pub use profile::{Profile, Twin};

/// What store is made.
#[derive(Debug, Clone, PartialEq)]
pub struct Synth {
    /// Number of mailboxes.
    pub mailboxes: u32,
    /// Size of the finished pair of files in bytes: within a tenth from 20 MB on. Files grow in steps, and smaller stores show them.
    pub size_bytes: u64,
    /// Where everything comes from.
    pub seed: u64,
    /// The shape.
    pub profile: Profile,
    /// The twin of that store instead of the store itself.
    pub twin: Option<Twin>,
}
