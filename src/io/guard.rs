//! The handler that turns a bus error in a mapped file into an unreadable page.
//!
//! The handler runs in the middle of any instruction that touches a map, so it may only do what is safe
//! there: load and store atomics, and call `mmap`. It takes no lock, allocates nothing, logs nothing.
//! It knows no files, only address ranges:
//!
//! 1. A fault inside a registered range sets the bit of its system page, *then* puts a zero page there
//!    (so whoever reads the zeros can already see the bit), and returns: the instruction runs again.
//! 2. Every other bus error goes to the handler that was there before, or to the default action.
//!
//! Ranges stand in a fixed table. A slot is guarded by a version, odd while the slot changes (a
//! sequence lock): the handler skips a changing slot, which is right, since the range it looks for is
//! borrowed by the very thread that faulted and so cannot be changing.
#![allow(unsafe_code)]

use std::io;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU64, AtomicUsize, Ordering::SeqCst, fence};
use std::sync::{Mutex, OnceLock, PoisonError};

use libc::{c_int, c_void, sigaction, siginfo_t};
use memmap2::{MmapMut, MmapRaw};

/// How many maps can be guarded at once. A job maps a few files; past this, files are read by position.
const SLOT_COUNT: usize = 256;
const BITS: usize = u64::BITS as usize;

/// `si_code` of bus errors that an access raised: no such address, the medium failed, and memory found
/// broken while it was read (`BUS_ADRERR`, `BUS_OBJERR`, `BUS_MCEERR_AR`). Others carry no usable address.
const ACCESS_CODES: [c_int; 3] = [2, 3, 4];

/// One guarded range, as the handler sees it. Empty when `len_bytes` is 0.
struct Slot {
    version: AtomicUsize,
    start: AtomicUsize,
    len_bytes: AtomicUsize,
    lost: AtomicPtr<AtomicU64>,
}

impl Slot {
    const fn empty() -> Self {
        Self {
            version: AtomicUsize::new(0),
            start: AtomicUsize::new(0),
            len_bytes: AtomicUsize::new(0),
            lost: AtomicPtr::new(ptr::null_mut()),
        }
    }

    /// Replaces the content. Callers hold `REGISTRY`, so there is one writer at a time.
    fn set(&self, start: usize, len_bytes: usize, lost: *mut AtomicU64) {
        self.version.fetch_add(1, SeqCst);
        self.start.store(start, SeqCst);
        self.len_bytes.store(len_bytes, SeqCst);
        self.lost.store(lost, SeqCst);
        self.version.fetch_add(1, SeqCst);
    }

    /// Byte offset of `address` in the range and the range's bits, if the range holds it.
    fn find(&self, address: usize) -> Option<(usize, *mut AtomicU64)> {
        let version = self.version.load(SeqCst);
        let offset = address.checked_sub(self.start.load(SeqCst))?;
        let len_bytes = self.len_bytes.load(SeqCst);
        let lost = self.lost.load(SeqCst);
        let is_stable = version.is_multiple_of(2) && self.version.load(SeqCst) == version;
        (is_stable && offset < len_bytes).then_some((offset, lost))
    }
}

static SLOTS: [Slot; SLOT_COUNT] = [const { Slot::empty() }; SLOT_COUNT];
/// Orders changes of `SLOTS`. The handler never takes it.
static REGISTRY: Mutex<()> = Mutex::new(());
/// Set before the handler is installed, and only read afterwards.
static PREVIOUS: OnceLock<Installed> = OnceLock::new();

/// What the handler needs to know besides the slots.
struct Installed {
    page_bytes: usize,
    previous: sigaction,
}

/// A registered range: faults in it are turned into zeros until this is dropped.
#[derive(Debug)]
pub(super) struct GuardedRange {
    slot_index: usize,
    page_bytes: usize,
    /// One bit per system page of the range, set when a bus error hit it.
    /// Memory of the system's, in words of 64 bits: zero to begin with and only there once touched, so
    /// that a huge sparse file costs nothing.
    lost: MmapRaw,
}

impl GuardedRange {
    /// Registers a range, and installs the handler if this is the first one. `None` if the table is full.
    ///
    /// # Safety
    /// `start` must be the page-aligned start of a private or shared read-only mapping of at least
    /// `len_bytes`, owned by the caller, which stays mapped until the result has been dropped.
    pub(super) unsafe fn new(start: *const u8, len_bytes: usize) -> io::Result<Option<Self>> {
        let page_bytes = install()?;
        let start = start as usize;
        assert!(start.is_multiple_of(page_bytes) && len_bytes > 0, "a map starts at a system page");
        let word_count = len_bytes.div_ceil(page_bytes).div_ceil(BITS);
        let lost = MmapRaw::from(MmapMut::map_anon(word_count * size_of::<AtomicU64>())?);
        let _registry = REGISTRY.lock().unwrap_or_else(PoisonError::into_inner);
        let free = SLOTS.iter().enumerate().find(|(_, slot)| slot.len_bytes.load(SeqCst) == 0);
        let Some((slot_index, slot)) = free else { return Ok(None) };
        slot.set(start, len_bytes.next_multiple_of(page_bytes), lost.as_mut_ptr().cast());
        Ok(Some(Self { slot_index, page_bytes, lost }))
    }

    /// Tells whether a fault has hit a system page that holds one of these bytes of the range.
    pub(super) fn is_lost(&self, offset_bytes: usize, len_bytes: usize) -> bool {
        let Some(last) = len_bytes.checked_sub(1).and_then(|n| offset_bytes.checked_add(n)) else {
            return false;
        };
        // The caller asks after it has read. Without the fence, its reads could still be carried out
        // after the look at the bits, and a fault then would go unseen.
        fence(SeqCst);
        any_bit(self.lost(), offset_bytes / self.page_bytes, last / self.page_bytes)
    }

    fn lost(&self) -> &[AtomicU64] {
        let word_count = self.lost.len() / size_of::<AtomicU64>();
        // SAFETY: the memory lives as long as `self`, starts at a system page, was zeroed by the system
        // (a valid atomic), and is only ever used as these atomics.
        unsafe { std::slice::from_raw_parts(self.lost.as_ptr().cast(), word_count) }
    }
}

impl Drop for GuardedRange {
    fn drop(&mut self) {
        let _registry = REGISTRY.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = SLOTS.get(self.slot_index) {
            slot.set(0, 0, ptr::null_mut());
        }
    }
}

/// Tells whether one of the bits `first..=last` is set; bits past the end are not.
fn any_bit(words: &[AtomicU64], first: usize, last: usize) -> bool {
    let (first_word, last_word) = (first / BITS, last / BITS);
    words.iter().enumerate().take(last_word.saturating_add(1)).skip(first_word).any(|(at, word)| {
        let from = if at == first_word { u64::MAX << (first % BITS) } else { u64::MAX };
        let to = if at == last_word { u64::MAX >> (BITS - 1 - last % BITS) } else { u64::MAX };
        word.load(SeqCst) & from & to != 0
    })
}

/// The size of a system page.
pub(super) fn page_bytes() -> io::Result<usize> {
    // SAFETY: asks for a constant of the system.
    let answer = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    match usize::try_from(answer) {
        Ok(page_bytes) if page_bytes.is_power_of_two() => Ok(page_bytes),
        _ => Err(io::Error::other("the system does not tell the size of its pages")),
    }
}

/// Installs the handler once per process; answers the size of a system page.
fn install() -> io::Result<usize> {
    let _registry = REGISTRY.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(installed) = PREVIOUS.get() {
        return Ok(installed.page_bytes);
    }
    let page_bytes = page_bytes()?;
    // SAFETY: an all-zero `sigaction` is a valid value: default action, no flags, empty mask.
    let (mut previous, mut ours): (sigaction, sigaction) = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is valid for a write; a null new action only asks for the old one.
    if unsafe { libc::sigaction(libc::SIGBUS, ptr::null(), &raw mut previous) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // From here on the handler may run, and must find this.
    PREVIOUS.get_or_init(|| Installed { page_bytes, previous });
    ours.sa_sigaction = on_bus_error as extern "C" fn(_, _, _) as usize;
    // On the alternate stack where there is one: the previous handler may be the one for stack overflow.
    ours.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_RESTART;
    // SAFETY: `ours` is a complete action whose function has the three-argument signature that
    // SA_SIGINFO asks for and does only what is safe in a handler (module head).
    if unsafe { libc::sigaction(libc::SIGBUS, &raw const ours, ptr::null_mut()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(page_bytes)
}

extern "C" fn on_bus_error(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    // SAFETY: the location belongs to this thread and is always valid. The interrupted code may be
    // between a system call and its look at errno, so the value is put back.
    let errno = unsafe { *libc::__errno_location() };
    // SAFETY: the kernel passes a valid `siginfo_t` to a SA_SIGINFO handler.
    let code = unsafe { (*info).si_code };
    // SAFETY: as above; `si_addr` is the meaningful member for the codes that are let through.
    let is_repaired = ACCESS_CODES.contains(&code) && repair(unsafe { (*info).si_addr() } as usize);
    if !is_repaired {
        pass_on(signal, code, info, context);
    }
    // SAFETY: as above.
    unsafe { *libc::__errno_location() = errno };
}

/// Puts a zero page where `address` is, if that is in a guarded range. Runs in the handler.
fn repair(address: usize) -> bool {
    let Some(installed) = PREVIOUS.get() else { return false };
    let Some((offset, lost)) = SLOTS.iter().find_map(|slot| slot.find(address)) else {
        return false;
    };
    let page_index = offset / installed.page_bytes;
    // SAFETY: registered ranges are live and disjoint, so `address` is in the map that the faulting
    // thread borrows; that borrow keeps the range and its bits alive. The bits were allocated for
    // every system page of the range, and `offset` is inside it.
    unsafe { (*lost.add(page_index / BITS)).fetch_or(1 << (page_index % BITS), SeqCst) };
    let page_start = address - address % installed.page_bytes;
    // SAFETY: the page lies whole inside the guarded range, which is ours and read-only; replacing it
    // leaves all borrows pointing at mapped, readable memory.
    let placed = unsafe {
        libc::mmap(
            page_start as *mut c_void,
            installed.page_bytes,
            libc::PROT_READ,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED,
            -1,
            0,
        )
    };
    placed != libc::MAP_FAILED
}

/// Does what would have happened without this handler. Runs in the handler.
fn pass_on(signal: c_int, code: c_int, info: *mut siginfo_t, context: *mut c_void) {
    let previous = PREVIOUS.get().map(|installed| &installed.previous);
    let action = previous.map_or(libc::SIG_DFL, |previous| previous.sa_sigaction);
    // Codes above 0 come from the kernel: an ignored fault would only come again, so it ends the
    // process even where the signal is ignored. A sent signal can be ignored.
    if action == libc::SIG_IGN && code <= 0 {
        return;
    }
    if action == libc::SIG_DFL || action == libc::SIG_IGN {
        // SAFETY: both calls are async-signal-safe. The signal is blocked until this handler returns,
        // and then ends the process.
        unsafe {
            libc::signal(signal, libc::SIG_DFL);
            libc::raise(signal);
        }
        return;
    }
    if previous.is_some_and(|previous| previous.sa_flags & libc::SA_SIGINFO != 0) {
        // SAFETY: the action is neither special value and was registered with SA_SIGINFO, so it is a
        // function of this signature. Its arguments are the kernel's own.
        let handler: extern "C" fn(c_int, *mut siginfo_t, *mut c_void) =
            unsafe { std::mem::transmute(action) };
        handler(signal, info, context);
    } else {
        // SAFETY: as above, registered without SA_SIGINFO, so of the one-argument signature.
        let handler: extern "C" fn(c_int) = unsafe { std::mem::transmute(action) };
        handler(signal);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt;
    use std::process::Command;

    #[test]
    fn any_bit_looks_at_exactly_the_bits_asked_for() {
        for set in [0, 1, 63, 64, 100, 191] {
            let words: Vec<AtomicU64> = (0..3).map(|_| AtomicU64::new(0)).collect();
            words[set / BITS].store(1 << (set % BITS), SeqCst);
            for first in 0..192 {
                for last in first..192 {
                    assert_eq!(any_bit(&words, first, last), (first..=last).contains(&set));
                }
            }
            assert!(!any_bit(&words, 192, 1000));
            assert!(any_bit(&words, 0, usize::MAX));
        }
    }

    const CHILD: &str = "DIALTONE_TEST_BUS_ERROR_CHILD";

    /// Runs one test of this file again in a process of its own, with `CHILD` set.
    fn status_of_child(test: &str) -> std::process::ExitStatus {
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", test])
            .env(CHILD, "1")
            .output()
            .unwrap()
            .status
    }

    /// Registers a range, so that the handler is there, and keeps it.
    fn guard_some_range() -> (MmapMut, GuardedRange) {
        let mapping = MmapMut::map_anon(1).unwrap();
        // SAFETY: the mapping is the caller's and dropped by it together with the guard.
        let guard = unsafe { GuardedRange::new(mapping.as_ptr(), 1) }.unwrap().unwrap();
        (mapping, guard)
    }

    #[test]
    fn a_fault_outside_every_guarded_range_still_ends_the_process() {
        if std::env::var_os(CHILD).is_some() {
            let _guard = guard_some_range();
            let file = tempfile::tempfile().unwrap();
            file.set_len(1).unwrap();
            // SAFETY: nobody else has the file; the fault to come is what this test is about.
            let unguarded = unsafe { memmap2::Mmap::map(&file) }.unwrap();
            file.set_len(0).unwrap();
            std::process::exit(i32::from(std::hint::black_box(&unguarded)[0]));
        }
        let status = status_of_child(
            "io::guard::tests::a_fault_outside_every_guarded_range_still_ends_the_process",
        );
        assert_eq!(status.signal(), Some(libc::SIGBUS), "{status}");
    }

    extern "C" fn leave_with_42(_: c_int) {
        // SAFETY: `_exit` is async-signal-safe and takes any status.
        unsafe { libc::_exit(42) }
    }

    #[test]
    fn a_bus_error_that_was_sent_reaches_the_handler_that_was_there_before() {
        if std::env::var_os(CHILD).is_some() {
            // SAFETY: the handler has the right signature and does nothing but end the process.
            unsafe { libc::signal(libc::SIGBUS, leave_with_42 as extern "C" fn(_) as usize) };
            let _guard = guard_some_range();
            // SAFETY: raising a signal is always allowed.
            unsafe { libc::raise(libc::SIGBUS) };
            std::process::exit(1);
        }
        let status = status_of_child(
            "io::guard::tests::a_bus_error_that_was_sent_reaches_the_handler_that_was_there_before",
        );
        assert_eq!(status.code(), Some(42), "{status}");
    }
}
