//! Many workers on few mails that everybody shares, with a commit after every few of them: nobody waits for somebody who waits for him.
//!
//! Once a worker that verified kept the last commit and waited for the shared contents, whose holder waited for the writer, which waited
//! for the last commit to be let go.

#![allow(clippy::unwrap_used)] // a test program

mod recover_stage;
mod recover_support;
mod store_support;

use std::path::Path;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use dialtone::io::{MemoryVolume, Volume};
use dialtone::recover::{RunOptions, WritePath, recover};

use recover_stage::{merge, ours};
use recover_support::{SOURCE, TARGET, Two, seen};
use store_support::profile;

const MAILBOXES: u8 = 16;
const RUNS: usize = 12;
/// No run takes a second; one that hangs hangs for ever.
const PATIENCE: Duration = Duration::from_secs(120);

/// Mailboxes that all hold the same mails, and some of their own.
fn stores() -> MemoryVolume {
    let mut two = Two::new();
    let mut hand = ours(&mut two);
    let shared: Vec<_> = (0..12).map(|number| hand.put("#inbox#", number)).collect();
    for number in 2..=MAILBOXES {
        hand.mailbox = hand.writer.add_mailbox(&profile(number)).unwrap();
        for mail in &shared {
            hand.copy(*mail, "#inbox#", 0);
        }
        hand.put("Own", 100 + u32::from(number));
    }
    (2..=MAILBOXES).for_each(|number| drop(two.target.add_mailbox(&profile(number)).unwrap()));
    two.close()
}

#[test]
fn workers_that_share_everything_do_not_wait_for_each_other_for_ever() {
    let (done, is_done) = mpsc::channel();
    std::thread::spawn(move || {
        for _ in 0..RUNS {
            let volume = stores();
            let shared: Arc<dyn Volume> = Arc::new(volume.clone());
            let run = RunOptions {
                path: WritePath::Parallel,
                workers: 8,
                commit_bytes: 1500,
                ..RunOptions::new([7; 16])
            };
            let (from, to) = (Path::new(SOURCE), Path::new(TARGET));
            let report = recover(&shared, from, to, &merge(), &run, &mut |_| {}).unwrap();
            assert_eq!(report.failed(), 0);
            assert!(seen(&volume, SOURCE) == seen(&volume, TARGET), "all mail is there");
            done.send(()).unwrap();
        }
    });
    for number in 0..RUNS {
        is_done.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("run {number} did not end"));
    }
}
