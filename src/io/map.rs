//! A file mapped read-only, with a guard against bus errors.
//!
//! Touching a mapped byte that the file no longer has, or that its medium cannot deliver, raises a bus
//! error instead of an error value. The guard (`guard.rs`) turns that into zeros and a note, which
//! [`Map::is_unreadable`] reads. This module knows nothing of what the bytes mean.
//!
//! What a caller must know:
//!
//! - The note is made when a byte is touched. So ask *after* reading, and read before trusting: a range
//!   that was never touched is not known to be readable.
//! - A page can be lost later than it was first read (the cache dropped it, the medium died). Copy out
//!   what must stay, or ask again at the end.
//! - A file cut short *within* a system page gives zeros there without a bus error: checksums find that.
//! - Handing mapped bytes straight to a system call is not guarded: the call fails with `EFAULT`.
//! - Each lost page that does not touch another one costs two of the process's maps; Linux allows
//!   65,530. Past that a bus error ends the process as it would have without the guard.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use memmap2::{Advice, Mmap, MmapOptions, UncheckedAdvice};

use super::guard::GuardedRange;

/// Addresses kept free behind a file that grows, so that it need not be mapped anew each time: what the system has learned of the
/// map would be lost, and every page faults again.
#[cfg(target_pointer_width = "64")]
pub(super) const GROWTH_BYTES: usize = 4 << 30;
#[cfg(not(target_pointer_width = "64"))]
pub(super) const GROWTH_BYTES: usize = 0;

/// A file mapped read-only. Clones share the map; the last one unmaps it.
#[derive(Debug, Clone)]
pub struct Map {
    /// `None` for an empty file, which has nothing to map.
    region: Option<Arc<Region>>,
}

/// The map proper. The guard stands first, so that it is dropped first: no address may be guarded that
/// the system could already have given to someone else.
#[derive(Debug)]
struct Region {
    guard: GuardedRange,
    mapping: Mmap,
    /// How much of the mapping the file has, in bytes. What lies behind is nobody's to touch.
    len_bytes: AtomicUsize,
}

impl Region {
    fn bytes(&self) -> &[u8] {
        let len_bytes = self.len_bytes.load(Ordering::Acquire);
        self.mapping.get(..len_bytes).unwrap_or(&self.mapping)
    }
}

impl Map {
    /// Maps the whole file as long as it is now, with room to [`grow`](Self::grow) by `growth_bytes` if the system has so many
    /// addresses to spare. `None` if no more maps can be guarded.
    pub(super) fn new(file: &File, growth_bytes: usize) -> io::Result<Option<Self>> {
        let len_bytes = file.metadata()?.len();
        if len_bytes == 0 {
            return Ok(Some(Self { region: None }));
        }
        let Ok(len_bytes) = usize::try_from(len_bytes) else { return Ok(None) };
        // SAFETY: the map is read-only and lives as long as the slice that is lent out of it. Another
        // process may still write or cut the file, which Rust's memory model has no word for: a cut is
        // caught by the guard, and what changes under a reader is only ever plain bytes, which every
        // decoder above treats as hostile and bounds-checks after loading them.
        let map = |len_bytes| unsafe { MmapOptions::new().len(len_bytes).map(file) };
        let mapping = map(len_bytes.saturating_add(growth_bytes)).or_else(|_| map(len_bytes))?;
        // SAFETY: the range is the mapping just made, ours alone, and `Region` drops the guard before
        // the mapping.
        let guard = unsafe { GuardedRange::new(mapping.as_ptr(), mapping.len())? };
        let len_bytes = AtomicUsize::new(len_bytes);
        Ok(guard.map(|guard| Self { region: Some(Arc::new(Region { guard, mapping, len_bytes })) }))
    }

    /// Shows more of a file that has grown to `len_bytes`; false if there is no room for that, and it must be mapped anew. Clones show
    /// it, too.
    pub fn grow(&self, len_bytes: u64) -> bool {
        let Some(region) = &self.region else { return len_bytes == 0 };
        match usize::try_from(len_bytes) {
            Ok(len_bytes) if len_bytes <= region.mapping.len() => {
                region.len_bytes.fetch_max(len_bytes, Ordering::Release);
                true
            }
            _ => false,
        }
    }

    /// The length up to which the map can grow, in bytes.
    pub fn room_bytes(&self) -> usize {
        self.region.as_ref().map_or(0, |region| region.mapping.len())
    }

    /// The bytes of the file. Unreadable parts turn to zeros when they are touched.
    pub fn bytes(&self) -> &[u8] {
        self.region.as_ref().map_or(&[], |region| region.bytes())
    }

    /// Tells whether a bus error has hit a system page that holds some of these bytes, or whether some
    /// of them lie outside the map.
    pub fn is_unreadable(&self, offset_bytes: u64, len_bytes: u64) -> bool {
        let end = offset_bytes.checked_add(len_bytes);
        if end.is_none_or(|end| end > self.bytes().len() as u64) {
            return true;
        }
        let Some(region) = &self.region else { return false };
        // Both fit: the end was compared with the length of a slice.
        region.guard.is_lost(offset_bytes as usize, len_bytes as usize)
    }

    /// Tells the system that the map will be read from front to back. A hint: failing changes nothing.
    pub fn advise_sequential(&self) {
        self.advise(Advice::Sequential);
    }

    /// Tells the system that the map will be read here and there, so that reading ahead is a waste.
    pub fn advise_random(&self) {
        self.advise(Advice::Random);
    }

    /// Asks the system to read a range ahead. A hint: failing, or a range outside the map, changes nothing.
    pub fn will_need(&self, offset_bytes: u64, len_bytes: u64) {
        let Some(region) = &self.region else { return };
        let (Ok(offset), Ok(len)) = (usize::try_from(offset_bytes), usize::try_from(len_bytes))
        else {
            return;
        };
        if offset.checked_add(len).is_none_or(|end| end > region.bytes().len()) {
            return;
        }
        if let Err(error) = region.mapping.advise_range(Advice::WillNeed, offset, len) {
            tracing::debug!(%error, "the system took no advice about a map");
        }
    }

    /// Tells the system that the map will hardly be read any more, so that unmapping it later is quick. What is read all the same is
    /// there again.
    pub fn let_go(&self) {
        let Some(region) = &self.region else { return };
        // SAFETY: the mapping is shared and read-only, so a page that is dropped comes back from the file with the same bytes; nothing
        // is lost but the time for that.
        let result = unsafe { region.mapping.unchecked_advise(UncheckedAdvice::DontNeed) };
        if let Err(error) = result {
            tracing::debug!(%error, "the system took no advice about a map");
        }
    }

    fn advise(&self, advice: Advice) {
        let Some(region) = &self.region else { return };
        if let Err(error) = region.mapping.advise(advice) {
            tracing::debug!(%error, ?advice, "the system took no advice about a map");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    /// A temporary file with `page_count` system pages, each filled with its number plus one.
    fn file_of_pages(page_count: usize) -> (File, usize) {
        let page_bytes = crate::io::guard::page_bytes().unwrap();
        let mut file = tempfile::tempfile().unwrap();
        for page in 0..page_count {
            file.write_all(&vec![page as u8 + 1; page_bytes]).unwrap();
        }
        (file, page_bytes)
    }

    #[test]
    fn a_page_lost_to_truncation_reads_as_zeros_and_is_reported() {
        let (file, page) = file_of_pages(4);
        let map = Map::new(&file, 0).unwrap().unwrap();
        assert_eq!(map.bytes()[3 * page], 4);
        assert!(!map.is_unreadable(0, 4 * page as u64));

        file.set_len(2 * page as u64).unwrap();
        assert!(map.bytes()[3 * page..].iter().all(|&byte| byte == 0), "lost bytes read as zeros");

        let page = page as u64;
        assert!(map.is_unreadable(3 * page, page));
        assert!(map.is_unreadable(3 * page - 1, 2), "a range that reaches into the lost page");
        assert!(!map.is_unreadable(2 * page, page), "lost as well, but nobody has touched it yet");
        assert!(!map.is_unreadable(0, 3 * page));
        assert!(!map.is_unreadable(3 * page, 0), "nothing asked for, nothing unreadable");
        assert_eq!(map.bytes()[0], 1, "the rest is still the file");
    }

    #[test]
    fn many_threads_may_hit_the_same_lost_pages() {
        let (file, page) = file_of_pages(64);
        let map = Map::new(&file, 0).unwrap().unwrap();
        file.set_len(page as u64).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                let map = map.clone();
                scope.spawn(move || {
                    for number in 1..64 {
                        assert_eq!(map.bytes()[number * page], 0);
                        assert!(map.is_unreadable((number * page) as u64, 1));
                    }
                });
            }
        });
        assert!(!map.is_unreadable(0, page as u64));
    }

    #[test]
    fn faults_are_noted_in_the_map_they_hit_and_forgotten_with_it() {
        let (whole, page) = file_of_pages(2);
        let (cut, _) = file_of_pages(2);
        let whole = Map::new(&whole, 0).unwrap().unwrap();
        for _ in 0..300 {
            // More rounds than there are slots: a dropped map gives its slot back.
            cut.set_len(2 * page as u64).unwrap();
            let map = Map::new(&cut, 0).unwrap().expect("a slot is free");
            assert!(!map.is_unreadable(0, 2 * page as u64));
            cut.set_len(0).unwrap();
            assert_eq!(map.bytes()[page], 0);
            assert!(map.is_unreadable(page as u64, 1) && !map.is_unreadable(0, 1));
        }
        assert!(!whole.is_unreadable(0, 2 * page as u64));
        assert_eq!(whole.bytes()[page], 2);
    }

    #[test]
    fn bytes_outside_the_map_count_as_unreadable() {
        let (file, page) = file_of_pages(1);
        let map = Map::new(&file, 0).unwrap().unwrap();
        map.advise_sequential();
        map.advise_random();
        assert!(map.is_unreadable(page as u64, 1));
        assert!(map.is_unreadable(u64::MAX, 1));
        assert!(!map.is_unreadable(page as u64, 0));
    }

    #[test]
    fn a_huge_sparse_file_is_mapped_at_no_cost() {
        let file = tempfile::tempfile().unwrap();
        if file.set_len(1 << 43).is_err() {
            println!("skipped: this file system holds no sparse file of 8 TiB");
            return;
        }
        let Ok(map) = Map::new(&file, 0) else {
            println!("skipped: this machine maps no 8 TiB");
            return;
        };
        let map = map.unwrap();
        file.set_len(0).unwrap();
        let last = (1_usize << 43) - 1;
        assert_eq!(map.bytes()[last], 0);
        assert!(map.is_unreadable(last as u64, 1));
        assert!(!map.is_unreadable(0, 1 << 30));
    }

    #[test]
    fn a_map_with_room_grows_with_its_file_and_shows_no_more_than_the_file_has() {
        let (mut file, page) = file_of_pages(2);
        let map = Map::new(&file, 2 * page).unwrap().unwrap();
        let clone = map.clone();
        assert_eq!((map.bytes().len(), map.room_bytes()), (2 * page, 4 * page));
        assert!(map.is_unreadable(2 * page as u64, 1));
        file.write_all(&vec![3; page]).unwrap();
        assert!(map.grow(3 * page as u64));
        assert_eq!((clone.bytes().len(), clone.bytes()[2 * page]), (3 * page, 3));
        assert!(!map.is_unreadable(0, 3 * page as u64));
        assert!(map.grow(2 * page as u64) && map.bytes().len() == 3 * page, "it never shrinks");
        assert!(!map.grow(5 * page as u64), "no room for that");
        assert_eq!(map.bytes().len(), 3 * page);
    }

    #[test]
    fn what_was_let_go_can_be_read_again_and_lost_pages_stay_lost() {
        let (file, page) = file_of_pages(3);
        let map = Map::new(&file, 0).unwrap().unwrap();
        file.set_len(2 * page as u64).unwrap();
        assert_eq!((map.bytes()[0], map.bytes()[2 * page]), (1, 0));
        map.let_go();
        assert_eq!((map.bytes()[page], map.bytes()[2 * page]), (2, 0));
        assert!(map.is_unreadable(2 * page as u64, 1) && !map.is_unreadable(0, 2 * page as u64));
    }

    #[test]
    fn an_empty_file_has_an_empty_map() {
        let map = Map::new(&tempfile::tempfile().unwrap(), 0).unwrap().unwrap();
        assert!(map.bytes().is_empty());
        assert!(!map.is_unreadable(0, 0) && map.is_unreadable(0, 1));
    }
}
