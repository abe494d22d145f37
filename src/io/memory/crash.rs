//! The disk states that a crash may leave. The fault model stands at the head of the parent module.

use std::path::Path;

use super::disk::{Disk, Event, directory_of};
use super::{FileId, MemoryVolume};

/// The smallest unit that a disk writes whole.
const SECTOR_BYTES: u64 = 512;

/// Which of the possible states an image shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CrashKind {
    /// Only what was durable.
    NothingUnsynced,
    /// Every event up to the cut.
    EverythingIssued,
    /// Every event but the one with this index in [`MemoryVolume::events`], which was not yet durable:
    /// a write, a length change, or a creation, removal or rename.
    EachUnsyncedLost(usize),
    /// Every event, but of the last write, not yet durable, only the first bytes: once its first half,
    /// once its first sector.
    LastTorn {
        /// How many bytes of the write are there. The write ends at a sector's border.
        kept_bytes: u64,
    },
}

/// What is left out of the events of an image.
#[derive(Clone, Copy)]
enum Omission {
    None,
    AllAtRisk,
    One(usize),
    Tail { index: usize, kept_bytes: u64 },
}

/// A series of events cut off by a crash, with what was durable before the first one at risk already
/// applied.
struct Crash {
    disk: Disk,
    events: Vec<Event>,
    /// Index of the first event that `disk` does not have yet.
    first: usize,
    /// Indexes of the events that were not durable.
    at_risk: Vec<usize>,
    next_file: u64,
}

/// Builds the images one by one; see [`MemoryVolume::crash_images`].
pub(super) fn images(
    mut base: Disk,
    events: Vec<Event>,
    next_file: u64,
) -> impl Iterator<Item = (CrashKind, MemoryVolume)> {
    let at_risk = events_at_risk(&events);
    let first = at_risk.first().copied().unwrap_or(events.len());
    for event in events.iter().take(first) {
        base.apply(event);
    }
    let crash = Crash { disk: base, events, first, at_risk, next_file };
    let kinds = crash.kinds();
    kinds.into_iter().map(move |(kind, omission)| (kind, crash.image(omission)))
}

impl Crash {
    fn kinds(&self) -> Vec<(CrashKind, Omission)> {
        let mut kinds = vec![(CrashKind::EverythingIssued, Omission::None)];
        if !self.at_risk.is_empty() {
            kinds.push((CrashKind::NothingUnsynced, Omission::AllAtRisk));
        }
        if self.at_risk.len() > 1 {
            let one = |&index| (CrashKind::EachUnsyncedLost(index), Omission::One(index));
            kinds.extend(self.at_risk.iter().map(one));
        }
        let is_write =
            |index: &&usize| matches!(self.events.get(**index), Some(Event::Write { .. }));
        if let Some(&index) = self.at_risk.iter().rev().find(is_write) {
            let torn = torn_lengths(&self.events[index]).into_iter().map(|kept_bytes| {
                (CrashKind::LastTorn { kept_bytes }, Omission::Tail { index, kept_bytes })
            });
            kinds.extend(torn);
        }
        kinds
    }

    fn image(&self, omission: Omission) -> MemoryVolume {
        let mut disk = self.disk.clone();
        for (index, event) in self.events.iter().enumerate().skip(self.first) {
            match omission {
                Omission::AllAtRisk if self.at_risk.binary_search(&index).is_ok() => {}
                Omission::One(lost) if lost == index => {}
                Omission::Tail { index: torn, kept_bytes } if torn == index => {
                    disk.apply(&first_part(event, kept_bytes));
                }
                _ => disk.apply(event),
            }
        }
        MemoryVolume::from_disk(disk, self.next_file)
    }
}

/// Indexes of the changes that no later sync covers.
fn events_at_risk(events: &[Event]) -> Vec<usize> {
    let mut synced_files: Vec<FileId> = Vec::new();
    let mut synced_directories: Vec<&Path> = Vec::new();
    let mut at_risk = Vec::new();
    for (index, event) in events.iter().enumerate().rev() {
        let is_synced = |path: &Path| synced_directories.contains(&directory_of(path));
        let is_durable = match event {
            Event::Write { file, .. } | Event::SetLen { file, .. } => synced_files.contains(file),
            Event::Create { path, .. } | Event::Remove { path } => is_synced(path),
            Event::Rename { from, to, .. } => is_synced(from) && is_synced(to),
            Event::Sync { file, .. } => {
                if !synced_files.contains(file) {
                    synced_files.push(*file);
                }
                true
            }
            Event::SyncDirectory { directory } => {
                if !synced_directories.contains(&directory.as_path()) {
                    synced_directories.push(directory);
                }
                true
            }
        };
        if !is_durable {
            at_risk.push(index);
        }
    }
    at_risk.reverse();
    at_risk
}

/// After how many bytes a torn write stops: at the sector border nearest before its middle, and after its
/// first sector. Empty for a write within one sector, which cannot tear.
fn torn_lengths(event: &Event) -> Vec<u64> {
    let Event::Write { offset_bytes, bytes, .. } = event else { return Vec::new() };
    let len = bytes.len() as u64;
    let middle = offset_bytes + len / 2;
    let half = (middle - middle % SECTOR_BYTES).saturating_sub(*offset_bytes);
    let first_sector = SECTOR_BYTES - offset_bytes % SECTOR_BYTES;
    let mut lengths = vec![half, first_sector];
    lengths.retain(|&kept| kept > 0 && kept < len);
    lengths.dedup();
    lengths
}

/// The first `kept_bytes` of a write, as a write.
fn first_part(event: &Event, kept_bytes: u64) -> Event {
    let mut event = event.clone();
    if let Event::Write { bytes, .. } = &mut event {
        let kept: Vec<u8> = bytes.iter().copied().take(kept_bytes as usize).collect();
        *bytes = kept.into();
    }
    event
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::{OpenMode, Volume};
    use proptest::prelude::*;
    use std::collections::BTreeMap;
    use std::path::PathBuf;

    fn volume_with(name: &str, bytes: &[u8]) -> MemoryVolume {
        let volume = MemoryVolume::new();
        volume.insert_file(name, bytes);
        volume
    }

    fn write(volume: &MemoryVolume, name: &str, bytes: &[u8], offset_bytes: u64) {
        let file = volume.open(Path::new(name), OpenMode::Write).unwrap();
        file.write_all_at(bytes, offset_bytes).unwrap();
    }

    fn sync(volume: &MemoryVolume, name: &str) {
        volume.open(Path::new(name), OpenMode::Read).unwrap().sync().unwrap();
    }

    fn create(volume: &MemoryVolume, name: &str) {
        volume.open(Path::new(name), OpenMode::CreateNew).unwrap();
    }

    /// The images after all events, each as its files.
    fn images_now(volume: &MemoryVolume) -> Vec<(CrashKind, BTreeMap<PathBuf, Vec<u8>>)> {
        let files = |image: &MemoryVolume| {
            let named = |path: PathBuf| (path.clone(), image.file_bytes(&path).unwrap());
            image.paths().into_iter().map(named).collect()
        };
        let images = volume.crash_images(volume.event_count());
        images.map(|(kind, image)| (kind, files(&image))).collect()
    }

    fn files<const N: usize>(list: [(&str, &[u8]); N]) -> BTreeMap<PathBuf, Vec<u8>> {
        list.into_iter().map(|(name, bytes)| (name.into(), bytes.to_vec())).collect()
    }

    #[test]
    fn with_everything_synced_there_is_one_image() {
        let volume = volume_with("a", b"old");
        write(&volume, "a", b"new", 0);
        sync(&volume, "a");
        let all = (CrashKind::EverythingIssued, files([("a", b"new")]));
        assert_eq!(images_now(&volume), [all]);
    }

    #[test]
    fn a_sync_covers_only_what_came_before_it_and_only_its_file() {
        let volume = volume_with("a", b"....");
        volume.insert_file("b", b"....");
        write(&volume, "a", b"1", 0);
        write(&volume, "b", b"1", 0);
        sync(&volume, "a");
        write(&volume, "a", b"2", 1);
        let images = images_now(&volume);
        let lost = |index| CrashKind::EachUnsyncedLost(index);
        assert_eq!(
            images,
            [
                (CrashKind::EverythingIssued, files([("a", b"12.."), ("b", b"1...")])),
                (CrashKind::NothingUnsynced, files([("a", b"1..."), ("b", b"....")])),
                (lost(1), files([("a", b"12.."), ("b", b"....")])),
                (lost(3), files([("a", b"1..."), ("b", b"1...")])),
            ]
        );
    }

    #[test]
    fn a_cut_before_the_sync_does_not_know_of_it() {
        let volume = volume_with("a", b"old");
        write(&volume, "a", b"new", 0);
        sync(&volume, "a");
        let kinds: Vec<_> = volume.crash_images(1).map(|(kind, _)| kind).collect();
        assert_eq!(kinds, [CrashKind::EverythingIssued, CrashKind::NothingUnsynced]);
        let (_, lost) = volume.crash_images(1).nth(1).unwrap();
        assert_eq!(lost.file_bytes("a").unwrap(), b"old");
        let (_, untouched) = volume.crash_images(0).next().unwrap();
        assert_eq!(untouched.file_bytes("a").unwrap(), b"old");
    }

    #[test]
    fn a_synced_file_is_lost_unless_its_directory_was_synced() {
        let volume = MemoryVolume::new();
        create(&volume, "d/a");
        write(&volume, "d/a", b"x", 0);
        sync(&volume, "d/a");
        volume.sync_parent(Path::new("other/a")).unwrap();
        let images = images_now(&volume);
        assert_eq!(images[0].1, files([("d/a", b"x")]));
        assert_eq!(images[1], (CrashKind::NothingUnsynced, files([])));
        volume.sync_parent(Path::new("d/b")).unwrap();
        assert_eq!(images_now(&volume).len(), 1);
    }

    #[test]
    fn a_renamed_file_has_its_old_name_or_its_new_one() {
        let volume = volume_with("new", b"2");
        volume.insert_file("name", b"1");
        volume.rename(Path::new("new"), Path::new("name")).unwrap();
        let both = images_now(&volume);
        assert_eq!(both[0].1, files([("name", b"2")]));
        assert_eq!(both[1].1, files([("name", b"1"), ("new", b"2")]));
    }

    #[test]
    fn a_rename_of_an_unsynced_file_may_leave_it_empty() {
        let volume = volume_with("name", b"1");
        create(&volume, "new");
        write(&volume, "new", b"2", 0);
        volume.rename(Path::new("new"), Path::new("name")).unwrap();
        volume.sync_parent(Path::new("name")).unwrap();
        let (_, nothing) = images_now(&volume).remove(1);
        assert_eq!(nothing, files([("name", b"")]));
    }

    #[test]
    fn a_lost_removal_leaves_the_old_content() {
        let volume = volume_with("a", b"1");
        volume.remove(Path::new("a")).unwrap();
        let images = images_now(&volume);
        assert_eq!(images[0].1, files([]));
        assert_eq!(images[1].1, files([("a", b"1")]));
    }

    #[test]
    fn the_last_unsynced_write_tears_at_sectors() {
        let volume = volume_with("a", &[1; 4096]);
        write(&volume, "a", &[2; 4096], 0);
        let torn: Vec<_> = images_now(&volume).into_iter().skip(2).collect();
        let kinds: Vec<_> = torn.iter().map(|(kind, _)| *kind).collect();
        let kept = |kept_bytes| CrashKind::LastTorn { kept_bytes };
        assert_eq!(kinds, [kept(2048), kept(512)]);
        let half = [[2; 2048], [1; 2048]].concat();
        assert_eq!(torn[0].1, files([("a", &half)]));
        assert_eq!(torn[1].1[Path::new("a")][510..514], [2, 2, 1, 1]);
    }

    #[test]
    fn tears_lie_on_sector_borders_of_the_file() {
        let lengths = |offset_bytes, len: usize| {
            let (path, file, bytes) = (PathBuf::new(), FileId(0), vec![0; len].into());
            torn_lengths(&Event::Write { path, file, offset_bytes, bytes })
        };
        assert_eq!(lengths(0, 512), [0_u64; 0]);
        assert_eq!(lengths(100, 412), [0_u64; 0]);
        assert_eq!(lengths(100, 413), [412]);
        assert_eq!(lengths(0, 1024), [512]);
        assert_eq!(lengths(100, 4096), [1948, 412]);
    }

    #[test]
    fn an_image_is_a_volume_of_its_own() {
        let volume = volume_with("a", b"1");
        let _lock = volume.lock_writer(Path::new("a")).unwrap();
        write(&volume, "a", b"2", 0);
        let (_, image) = volume.crash_images(1).nth(1).unwrap();
        let _no_lock_survives = image.lock_writer(Path::new("a")).unwrap();
        write(&image, "a", b"3", 0);
        create(&image, "b");
        assert_eq!(volume.file_bytes("a").unwrap(), b"2");
        assert_eq!(image.file_bytes("a").unwrap(), b"3");
        assert_eq!(image.event_count(), 2);
    }

    /// One random step on files `0..3` of one directory.
    fn step() -> impl Strategy<Value = (u8, u8, u8)> {
        (0_u8..8, 0_u8..3, any::<u8>())
    }

    fn take(volume: &MemoryVolume, (what, which, value): (u8, u8, u8)) {
        let name = PathBuf::from(format!("f{which}"));
        let open = |mode| volume.open(&name, mode);
        // Steps that do not fit the moment fail and record nothing.
        let _ = match what {
            0..=2 => open(OpenMode::Write)
                .and_then(|f| f.write_all_at(&[value; 3], u64::from(value) % 50)),
            3 => open(OpenMode::Write).and_then(|f| f.set_len(u64::from(value) % 50)),
            4 => open(OpenMode::Read).and_then(|f| f.sync()),
            5 => open(OpenMode::CreateNew).map(drop),
            6 if value % 2 == 0 => volume.sync_parent(&name),
            6 => volume.remove(&name),
            _ => volume.rename(&name, Path::new(&format!("f{}", value % 3))),
        };
    }

    /// Whether event `index` is durable, said the other way round than the code says it.
    fn is_durable(events: &[Event], index: usize) -> bool {
        let later = &events[index + 1..];
        match &events[index] {
            Event::Write { file, .. } | Event::SetLen { file, .. } => later
                .iter()
                .any(|event| matches!(event, Event::Sync { file: synced, .. } if synced == file)),
            Event::Sync { .. } | Event::SyncDirectory { .. } => true,
            _ => later.iter().any(|event| matches!(event, Event::SyncDirectory { .. })),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]
        #[test]
        fn images_equal_a_plain_replay_without_the_lost_events(
            steps in prop::collection::vec(step(), 0..25),
        ) {
            let volume = volume_with("f0", b"start");
            steps.into_iter().for_each(|one| take(&volume, one));
            let events = volume.events();
            for (kind, image) in volume.crash_images(events.len()) {
                let mut disk = volume.state().base.clone();
                for (index, event) in events.iter().enumerate() {
                    let is_lost = match kind {
                        CrashKind::NothingUnsynced => !is_durable(&events, index),
                        CrashKind::EachUnsyncedLost(lost) => index == lost,
                        CrashKind::EverythingIssued => false,
                        CrashKind::LastTorn { .. } => unreachable!("no write spans two sectors"),
                    };
                    if let CrashKind::EachUnsyncedLost(lost) = kind {
                        prop_assert!(!is_durable(&events, lost));
                    }
                    if !is_lost {
                        disk.apply(event);
                    }
                }
                let wanted = MemoryVolume::from_disk(disk, 0);
                prop_assert_eq!(image.paths(), wanted.paths());
                for path in image.paths() {
                    prop_assert_eq!(image.file_bytes(&path), wanted.file_bytes(&path), "{:?}", kind);
                }
            }
        }
    }
}
