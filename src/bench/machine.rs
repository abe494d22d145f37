//! On what it was measured: the head of a report.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::meter::number_after;
use crate::mapi::FileTime;

/// The machine, the program and the day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// Name of the processor.
    pub cpu: String,
    /// Cores that the process may use.
    pub cores: usize,
    /// Memory in bytes.
    pub memory_bytes: Option<u64>,
    /// Operating system and release.
    pub system: String,
    /// File system and device of the working directory.
    pub disk: String,
    /// Version of the program.
    pub version: String,
    /// Commit that the program was built from, when whoever built it said so.
    pub commit: Option<String>,
    /// When the measurement began, in UTC.
    pub date: String,
}

const UNKNOWN: &str = "not known";

impl Machine {
    /// This machine, with the disk that holds `dir`.
    pub fn here(dir: &Path) -> Self {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let cpu = cpuinfo.lines().find_map(|line| line.strip_prefix("model name"));
        let cpu = cpu.map(|text| text.trim_start_matches([' ', '\t', ':']).trim().to_owned());
        let meminfo = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let memory = number_after(&meminfo, "MemTotal:");
        let uname = rustix::system::uname();
        let word = |text: &std::ffi::CStr| text.to_string_lossy().into_owned();
        Self {
            cpu: cpu.unwrap_or_else(|| word(uname.machine())),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory_bytes: memory.map(|kilobytes| kilobytes.saturating_mul(1024)),
            system: format!("{} {}", word(uname.sysname()), word(uname.release())),
            disk: disk_of(dir).unwrap_or_else(|| UNKNOWN.to_owned()),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            commit: option_env!("DIALTONE_COMMIT").map(str::to_owned),
            date: now().to_string(),
        }
    }
}

/// The time.
pub(super) fn now() -> FileTime {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let seconds = since.map_or(0, |since| since.as_secs());
    FileTime::from_unix_seconds(i64::try_from(seconds).unwrap_or(i64::MAX))
}

/// File system and device of the mount that holds a directory.
fn disk_of(dir: &Path) -> Option<String> {
    let dir = fs::canonicalize(dir).ok()?;
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    let parsed = mounts.lines().filter_map(parse_mount);
    let holds = parsed.filter(|mount| dir.starts_with(mount.point));
    // Of two mounts at one place, the later one is seen.
    let mount = holds.max_by_key(|mount| mount.point.len())?;
    Some(format!("{} on {}", mount.kind, mount.device))
}

struct Mount<'m> {
    point: &'m str,
    kind: &'m str,
    device: &'m str,
}

/// A line of mountinfo: the mount point is the fifth field; behind a dash stand kind and device.
fn parse_mount(line: &str) -> Option<Mount<'_>> {
    let (place, what) = line.split_once(" - ")?;
    let mut what = what.split(' ');
    Some(Mount { point: place.split(' ').nth(4)?, kind: what.next()?, device: what.next()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_are_read_with_and_without_optional_fields() {
        let line = "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/sda rw";
        let mount = parse_mount(line).unwrap();
        assert_eq!((mount.point, mount.kind, mount.device), ("/mnt2", "ext3", "/dev/sda"));
        let line = "1 0 8:1 / / rw - ext4 /dev/vda rw";
        assert_eq!(parse_mount(line).unwrap().point, "/");
        assert!(parse_mount("1 0").is_none());
    }
}
