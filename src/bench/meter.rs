//! What a piece of work costs: wall time, processor time, memory, bytes read and written.
//!
//! Memory is the anonymous part of the resident set, sampled while the work runs: pages of mapped files belong to the system and do
//! not count. Where the system does not tell a figure it is `None`, and never a guess.

use std::fs;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

/// Time between two looks at the memory.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// What something cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// Wall time in seconds.
    pub wall_seconds: f64,
    /// Processor time of all threads, in seconds; that of the sampling is in it.
    pub cpu_seconds: f64,
    /// Processor time of the thread that asked for the work, in seconds: of a recovery, the committer's.
    pub caller_cpu_seconds: f64,
    /// Bytes handed to the system in write calls.
    pub written_bytes: Option<u64>,
    /// Bytes that the system says it wrote to the device, or will.
    pub device_written_bytes: Option<u64>,
    /// Bytes that the system fetched from the device.
    pub device_read_bytes: Option<u64>,
    /// Anonymous memory before, in bytes.
    pub memory_before_bytes: Option<u64>,
    /// The most anonymous memory that was seen, in bytes.
    pub memory_peak_bytes: Option<u64>,
}

/// Does the work and tells what it cost.
pub fn measure<T>(work: impl FnOnce() -> T) -> (T, Cost) {
    let is_done = AtomicBool::new(false);
    let peak = AtomicU64::new(0);
    let memory_before_bytes = anonymous_bytes();
    thread::scope(|scope| {
        let sampler = scope.spawn(|| {
            while !is_done.load(Ordering::Acquire) {
                peak.fetch_max(anonymous_bytes().unwrap_or(0), Ordering::Relaxed);
                thread::park_timeout(LOOK_EVERY);
            }
        });
        let before = Reading::now();
        let result = work();
        let after = Reading::now();
        is_done.store(true, Ordering::Release);
        sampler.thread().unpark();
        let last = anonymous_bytes();
        let seen = peak.load(Ordering::Relaxed);
        let memory_peak_bytes =
            last.map(|last| last.max(seen).max(memory_before_bytes.unwrap_or(0)));
        (result, Cost { memory_before_bytes, memory_peak_bytes, ..after.since(&before) })
    })
}

/// The state of all clocks and counters.
struct Reading {
    at: Instant,
    process: Duration,
    thread: Duration,
    io: Option<IoCounters>,
}

impl Reading {
    fn now() -> Self {
        let clock = |id| {
            let time = clock_gettime(id);
            let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
            Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
        };
        Self {
            io: io_counters(),
            process: clock(ClockId::ProcessCPUTime),
            thread: clock(ClockId::ThreadCPUTime),
            at: Instant::now(),
        }
    }

    fn since(&self, before: &Self) -> Cost {
        let counted = |of: fn(&IoCounters) -> u64| {
            let (after, before) = (self.io.as_ref()?, before.io.as_ref()?);
            Some(of(after).saturating_sub(of(before)))
        };
        Cost {
            wall_seconds: (self.at - before.at).as_secs_f64(),
            cpu_seconds: self.process.saturating_sub(before.process).as_secs_f64(),
            caller_cpu_seconds: self.thread.saturating_sub(before.thread).as_secs_f64(),
            written_bytes: counted(|io| io.written),
            device_written_bytes: counted(|io| io.device_written),
            device_read_bytes: counted(|io| io.device_read),
            memory_before_bytes: None,
            memory_peak_bytes: None,
        }
    }
}

struct IoCounters {
    written: u64,
    device_written: u64,
    device_read: u64,
}

/// What the process has read and written so far; `None` where the system does not count.
fn io_counters() -> Option<IoCounters> {
    let text = fs::read_to_string("/proc/self/io").ok()?;
    let field = |name| number_after(&text, name);
    Some(IoCounters {
        written: field("wchar:")?,
        device_written: field("write_bytes:")?,
        device_read: field("read_bytes:")?,
    })
}

/// Anonymous resident memory of the process in bytes; `None` where the system does not tell.
pub fn anonymous_bytes() -> Option<u64> {
    let text = fs::read_to_string("/proc/self/status").ok()?;
    number_after(&text, "RssAnon:").map(|kilobytes| kilobytes.saturating_mul(1024))
}

/// The number behind a name at the beginning of a line.
pub(super) fn number_after(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_timed_and_its_memory_seen() {
        const BYTES: usize = 32 << 20;
        let (sum, cost) = measure(|| {
            let block = vec![1u8; BYTES];
            thread::sleep(Duration::from_millis(30));
            block.iter().map(|byte| u64::from(*byte)).sum::<u64>()
        });
        assert_eq!(sum, BYTES as u64);
        assert!(cost.wall_seconds >= 0.03);
        assert!(cost.cpu_seconds >= cost.caller_cpu_seconds);
        if let (Some(before), Some(peak)) = (cost.memory_before_bytes, cost.memory_peak_bytes) {
            assert!(peak >= before + BYTES as u64 / 2, "{cost:?}");
        }
    }

    #[test]
    fn numbers_are_found_behind_names_at_the_beginning_of_a_line() {
        assert_eq!(number_after("a b: 3\nb:  42 kB\n", "b:"), Some(42));
        assert_eq!(number_after("a: x\n", "a:"), None);
    }
}
