//! When things were done: mailboxes one by one, and items and bytes in bins of equal length.

use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::recover::Progress;

/// The length of a bin, in seconds, while the job is short.
const SHORT_BIN_SECONDS: f64 = 0.1;
/// And from so many of those bins on, ten are taken together.
const SHORT_BINS_MAX: usize = 300;

/// A mailbox that is done: written, committed, read back.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Finished {
    /// When, in seconds since the job began.
    pub at_seconds: f64,
    /// How long it took from its plan on; other mailboxes were under way meanwhile.
    pub seconds: f64,
    /// Its items.
    pub items: u64,
    /// Bytes charged for what was written of it.
    pub bytes: u64,
}

/// What happened in a bin of time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bin {
    /// Items decided about, or written.
    pub items: u64,
    /// Bytes charged for them.
    pub bytes: u64,
    /// Mailboxes done.
    pub mailboxes: u64,
}

/// A job over time.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Timeline {
    /// Mailboxes in the order in which they were done.
    pub finished: Vec<Finished>,
    /// The length of a bin in seconds.
    pub bin_seconds: f64,
    /// The bins, from the beginning on.
    pub bins: Vec<Bin>,
    /// When the last of it was done and the store closed.
    pub end_seconds: f64,
}

/// A point of the service curve: the shares, 0 to 1, that were done at a time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Served {
    /// Seconds since the job began.
    pub at_seconds: f64,
    /// Share of mailboxes.
    pub mailboxes: f64,
    /// Share of bytes; of items where nothing was written.
    pub bytes: f64,
}

/// Listens to a job.
#[derive(Debug)]
pub struct Recorder {
    began: Instant,
    timeline: Timeline,
}

impl Recorder {
    /// Begins now.
    pub fn start() -> Self {
        let timeline = Timeline { bin_seconds: SHORT_BIN_SECONDS, ..Timeline::default() };
        Self { began: Instant::now(), timeline }
    }

    /// Takes news of the job.
    pub fn note(&mut self, progress: &Progress<'_>) {
        let at_seconds = self.began.elapsed().as_secs_f64();
        match progress {
            Progress::Started { .. } => {}
            Progress::Items { items, bytes } => {
                let bin = self.bin(at_seconds);
                bin.items += items;
                bin.bytes += bytes;
            }
            Progress::Mailbox(mailbox) => {
                self.bin(at_seconds).mailboxes += 1;
                self.timeline.finished.push(Finished {
                    at_seconds,
                    seconds: mailbox.seconds,
                    items: mailbox.counters.scanned,
                    bytes: mailbox.write_bytes,
                });
            }
        }
    }

    fn bin(&mut self, at_seconds: f64) -> &mut Bin {
        let number = (at_seconds / SHORT_BIN_SECONDS) as usize;
        let bins = &mut self.timeline.bins;
        if bins.len() <= number {
            bins.resize(number + 1, Bin::default());
        }
        &mut bins[number]
    }

    /// The job is over.
    pub fn finish(mut self) -> Timeline {
        self.timeline.end_seconds = self.began.elapsed().as_secs_f64();
        let timeline = self.timeline;
        if timeline.bins.len() > SHORT_BINS_MAX { timeline.coarser(10) } else { timeline }
    }
}

impl Timeline {
    /// Takes bins together.
    fn coarser(mut self, factor: usize) -> Self {
        let sum = |bins: &[Bin]| {
            bins.iter().fold(Bin::default(), |sum, bin| Bin {
                items: sum.items + bin.items,
                bytes: sum.bytes + bin.bytes,
                mailboxes: sum.mailboxes + bin.mailboxes,
            })
        };
        self.bins = self.bins.chunks(factor).map(sum).collect();
        self.bin_seconds *= factor as f64;
        self
    }

    /// The service curve: one point for each mailbox done, ending with all.
    pub fn curve(&self) -> Vec<Served> {
        let total_bytes: u64 = self.finished.iter().map(|one| one.bytes).sum();
        let weight = |one: &Finished| if total_bytes > 0 { one.bytes } else { one.items };
        let total: u64 = self.finished.iter().map(weight).sum();
        let share = |part: u64, all: u64| if all == 0 { 1.0 } else { part as f64 / all as f64 };
        let count = self.finished.len() as u64;
        let mut done = 0;
        let numbered = (1u64..).zip(&self.finished);
        numbered
            .map(|(number, one)| {
                done += weight(one);
                Served {
                    at_seconds: one.at_seconds,
                    mailboxes: share(number, count),
                    bytes: if number == count { 1.0 } else { share(done, total) },
                }
            })
            .collect()
    }
}

/// When a share was reached for the first time, by one of the two shares of the curve.
pub fn reached_at(curve: &[Served], share: f64, of: fn(&Served) -> f64) -> Option<f64> {
    curve.iter().find(|point| of(point) >= share - 1e-12).map(|point| point.at_seconds)
}

/// The value that `per_cent` of all values do not exceed (nearest rank).
pub fn percentile(values: &[f64], per_cent: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (per_cent / 100.0 * sorted.len() as f64).ceil().max(1.0) as usize;
    sorted.get(rank - 1).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_nearest_ranks() {
        let values: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        for (per_cent, value) in
            [(0.0, 1.0), (1.0, 1.0), (50.0, 50.0), (95.0, 95.0), (100.0, 100.0)]
        {
            assert_eq!(percentile(&values, per_cent), Some(value));
        }
        assert_eq!(percentile(&[], 50.0), None);
        assert_eq!(percentile(&[7.0], 99.0), Some(7.0));
    }

    #[test]
    fn a_curve_rises_to_all_of_both() {
        let one = |at_seconds, bytes| Finished { at_seconds, seconds: 1.0, items: 1, bytes };
        let finished = vec![one(1.0, 70), one(2.0, 20), one(4.0, 10)];
        let curve = Timeline { finished, ..Timeline::default() }.curve();
        let shares: Vec<f64> = curve.iter().map(|point| point.bytes).collect();
        assert_eq!(shares, [0.7, 0.9, 1.0]);
        assert_eq!(reached_at(&curve, 0.5, |point| point.bytes), Some(1.0));
        assert_eq!(reached_at(&curve, 0.5, |point| point.mailboxes), Some(2.0));
        assert_eq!(reached_at(&curve, 1.0, |point| point.mailboxes), Some(4.0));
        assert!(reached_at(&[], 0.5, |point| point.bytes).is_none());
    }

    #[test]
    fn long_jobs_get_longer_bins_and_lose_nothing() {
        let bins = (0..25).map(|number| Bin { items: number, bytes: 1, mailboxes: 0 }).collect();
        let long = Timeline { bins, bin_seconds: 0.1, ..Timeline::default() }.coarser(10);
        assert_eq!(long.bins.len(), 3);
        assert_eq!(long.bins.iter().map(|bin| bin.items).sum::<u64>(), 300);
        assert_eq!(long.bins[2].bytes, 5);
        assert!((long.bin_seconds - 1.0).abs() < 1e-9);
    }
}
