//! One suite that every volume must pass: the operating system's files with and without a map, files
//! in memory, and both behind a fault volume that has nothing planned.
//!
//! Whatever runs on one volume then runs on the others, which is what lets the tests of the layers above
//! use the one in memory.
#![allow(clippy::unwrap_used)] // helpers of tests, like the tests

use std::path::{Path, PathBuf};
use std::sync::Arc;

use dialtone::io::{
    FaultPlan, FaultVolume, IoError, MemoryVolume, OpenMode, RealVolume, Storage, Volume,
};
use tempfile::TempDir;

/// A volume under test with a directory to work in.
struct Bench {
    name: &'static str,
    volume: Box<dyn Volume>,
    root: PathBuf,
    can_map: bool,
    _directory: Option<TempDir>,
}

impl Bench {
    fn real(name: &'static str, volume: impl Volume + 'static, can_map: bool) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().to_path_buf();
        Self { name, volume: Box::new(volume), root, can_map, _directory: Some(directory) }
    }

    fn memory(name: &'static str, volume: impl Volume + 'static) -> Self {
        let root = PathBuf::from("/memory");
        Self { name, volume: Box::new(volume), root, can_map: false, _directory: None }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    fn create(&self, name: &str, bytes: &[u8]) -> Arc<dyn Storage> {
        let file = self.volume.open(&self.path(name), OpenMode::CreateNew).unwrap();
        file.write_all_at(bytes, 0).unwrap();
        file
    }

    /// Everything in the file, through a reader's handle.
    fn content(&self, name: &str) -> Vec<u8> {
        let file = self.volume.open(&self.path(name), OpenMode::Read).unwrap();
        let mut bytes = vec![0; file.len_bytes().unwrap() as usize];
        file.read_exact_at(&mut bytes, 0).unwrap();
        bytes
    }
}

/// Runs a test on every volume, each in an empty directory.
fn on_every_volume(test: fn(&Bench)) {
    let fault_memory = FaultVolume::new(MemoryVolume::new(), FaultPlan::none());
    let fault_real = FaultVolume::new(RealVolume::mapped(), FaultPlan::none());
    for bench in [
        Bench::real("real, mapped", RealVolume::mapped(), true),
        Bench::real("real, pread", RealVolume::pread(), false),
        Bench::memory("memory", MemoryVolume::new()),
        Bench::memory("fault over memory", fault_memory),
        Bench::real("fault over real", fault_real, false),
    ] {
        println!("on volume: {}", bench.name);
        test(&bench);
    }
}

/// The number of the operating system's error.
fn errno<T: std::fmt::Debug>(result: Result<T, IoError>) -> Option<i32> {
    match result.unwrap_err() {
        IoError::Os { source, .. } => source.raw_os_error(),
        other => panic!("not an operating system error: {other}"),
    }
}

#[test]
fn what_is_written_is_read_back() {
    on_every_volume(|bench| {
        let file = bench.create("a", b"0123456789");
        assert_eq!(file.path(), bench.path("a"));
        file.write_all_at(b"xyz", 4).unwrap();
        file.write_all_at(b"", 1_000_000).unwrap();
        let mut middle = [0; 5];
        file.read_exact_at(&mut middle, 3).unwrap();
        assert_eq!(&middle, b"3xyz7");
        file.sync().unwrap();
        assert_eq!(bench.content("a"), b"0123xyz789");
    });
}

#[test]
fn a_gap_before_a_write_is_zeros() {
    on_every_volume(|bench| {
        let file = bench.create("a", b"1");
        file.write_all_at(b"2", 10_000).unwrap();
        let mut wanted = vec![0; 10_001];
        (wanted[0], wanted[10_000]) = (b'1', b'2');
        assert_eq!(bench.content("a"), wanted);
    });
}

#[test]
fn a_length_change_cuts_or_fills_with_zeros() {
    on_every_volume(|bench| {
        let file = bench.create("a", &[7; 9000]);
        file.set_len(5000).unwrap();
        assert_eq!(bench.content("a"), [7; 5000]);
        file.set_len(9000).unwrap();
        let content = bench.content("a");
        assert!(content[..5000] == [7; 5000] && content[5000..] == [0; 4000]);
        file.set_len(0).unwrap();
        assert_eq!(file.len_bytes().unwrap(), 0);
    });
}

#[test]
fn preallocation_extends_and_never_cuts() {
    on_every_volume(|bench| {
        let file = bench.create("a", b"abc");
        file.preallocate(8192).unwrap();
        assert_eq!(file.len_bytes().unwrap(), 8192);
        file.preallocate(100).unwrap();
        file.preallocate(0).unwrap();
        assert_eq!(file.len_bytes().unwrap(), 8192);
        assert_eq!(&bench.content("a")[..4], b"abc\0");
    });
}

#[test]
fn a_read_past_the_end_says_how_long_the_file_is() {
    on_every_volume(|bench| {
        let file = bench.create("a", &[1; 100]);
        for offset_bytes in [96, 100, 5000] {
            let error = file.read_exact_at(&mut [0; 8], offset_bytes).unwrap_err();
            let IoError::ShortFile { wanted_bytes: 8, end_bytes: 100, offset_bytes: from, .. } =
                error
            else {
                panic!("{error}");
            };
            assert_eq!(from, offset_bytes);
        }
        file.read_exact_at(&mut [], 100).unwrap();
    });
}

#[test]
fn absurd_offsets_are_errors() {
    on_every_volume(|bench| {
        let file = bench.create("a", &[1; 100]);
        for offset_bytes in [u64::MAX, u64::MAX - 4, i64::MAX as u64 - 2] {
            assert!(file.read_exact_at(&mut [0; 8], offset_bytes).is_err());
            assert!(file.write_all_at(&[0; 8], offset_bytes).is_err());
        }
        assert!(file.set_len(u64::MAX).is_err());
        assert!(file.preallocate(u64::MAX).is_err());
        assert_eq!(file.len_bytes().unwrap(), 100);
    });
}

#[test]
fn the_open_mode_says_what_must_be_there() {
    on_every_volume(|bench| {
        let open = |name, mode| bench.volume.open(&bench.path(name), mode);
        assert_eq!(errno(open("a", OpenMode::Read)), Some(libc::ENOENT));
        assert_eq!(errno(open("a", OpenMode::Write)), Some(libc::ENOENT));
        assert!(open("a", OpenMode::Read).unwrap_err().is_not_found());
        assert!(!bench.volume.exists(&bench.path("a")).unwrap());
        bench.create("a", b"kept");
        assert!(bench.volume.exists(&bench.path("a")).unwrap());
        assert_eq!(errno(open("a", OpenMode::CreateNew)), Some(libc::EEXIST));
        open("a", OpenMode::Write).unwrap();
        assert_eq!(bench.content("a"), b"kept");
    });
}

#[test]
fn a_handle_for_reading_does_not_write() {
    on_every_volume(|bench| {
        bench.create("a", b"kept");
        let reader = bench.volume.open(&bench.path("a"), OpenMode::Read).unwrap();
        assert!(reader.write_all_at(b"gone", 0).is_err());
        assert!(reader.set_len(0).is_err());
        assert!(reader.preallocate(100).is_err());
        assert_eq!(bench.content("a"), b"kept");
    });
}

#[test]
fn removing_and_renaming_move_names_and_open_handles_stay() {
    on_every_volume(|bench| {
        let (a, b) = (bench.path("a"), bench.path("b"));
        bench.create("b", b"replaced");
        let handle = bench.create("a", b"first");
        bench.volume.rename(&a, &b).unwrap();
        assert!(!bench.volume.exists(&a).unwrap());
        assert_eq!(bench.content("b"), b"first");
        handle.write_all_at(b"FIRST", 0).unwrap();
        assert_eq!(bench.content("b"), b"FIRST");
        bench.volume.rename(&b, &b).unwrap();
        bench.volume.sync_parent(&b).unwrap();

        bench.volume.remove(&b).unwrap();
        assert!(!bench.volume.exists(&b).unwrap());
        bench.create("b", b"another");
        handle.write_all_at(b"still", 0).unwrap();
        handle.sync().unwrap();
        assert_eq!(bench.content("b"), b"another");
        assert!(bench.volume.remove(&a).unwrap_err().is_not_found());
        assert!(bench.volume.rename(&a, &b).unwrap_err().is_not_found());
    });
}

#[test]
fn one_writer_at_a_time_holds_the_lock() {
    on_every_volume(|bench| {
        let path = bench.path("a.edb");
        assert!(bench.volume.lock_writer(&path).unwrap_err().is_not_found());
        bench.create("a.edb", b"content");
        bench.create("b.edb", b"content");
        let lock = bench.volume.lock_writer(&path).unwrap();
        let _other_file = bench.volume.lock_writer(&bench.path("b.edb")).unwrap();
        let refused = bench.volume.lock_writer(&path).unwrap_err();
        let IoError::Locked { owner, .. } = &refused else { panic!("{refused}") };
        assert!(owner.starts_with(&std::process::id().to_string()), "{owner}");
        assert_eq!(bench.content("a.edb"), b"content", "readers are not kept out");
        drop(lock);
        drop(bench.volume.lock_writer(&path).unwrap());
        assert!(!bench.volume.exists(&bench.path("a.edb.lock")).unwrap());
    });
}

#[test]
fn a_map_where_there_is_one_holds_what_reads_give() {
    on_every_volume(|bench| {
        let bytes: Vec<u8> = (0..20_000_u32).map(|n| (n % 251) as u8).collect();
        let file = bench.create("a", &bytes);
        let map = file.map().unwrap();
        assert_eq!(map.is_some(), bench.can_map);
        let Some(map) = map else { return };
        drop(file);
        bench.volume.remove(&bench.path("a")).unwrap();
        assert_eq!(map.bytes(), bytes, "a map outlives handle and name");
        assert!(!map.is_unreadable(0, 20_000));
        assert!(map.is_unreadable(0, 20_001));
    });
}

#[test]
fn threads_share_a_handle() {
    on_every_volume(|bench| {
        let file = bench.create("a", b"");
        std::thread::scope(|scope| {
            for number in 0..4_u8 {
                let file = Arc::clone(&file);
                scope.spawn(move || {
                    for round in 0..50_u64 {
                        let offset_bytes = (round * 4 + u64::from(number)) * 100;
                        file.write_all_at(&[number; 100], offset_bytes).unwrap();
                        let mut back = [9; 100];
                        file.read_exact_at(&mut back, offset_bytes).unwrap();
                        assert_eq!(back, [number; 100]);
                    }
                });
            }
        });
        let content = bench.content("a");
        assert_eq!(content.len(), 20_000);
        assert!(content.chunks(100).enumerate().all(|(n, chunk)| chunk == [(n % 4) as u8; 100]));
    });
}

#[test]
fn errors_name_the_file() {
    on_every_volume(|bench| {
        let error = bench.volume.open(Path::new("/no/such/file.edb"), OpenMode::Read).unwrap_err();
        assert!(error.to_string().starts_with("/no/such/file.edb: open failed: "), "{error}");
    });
}
