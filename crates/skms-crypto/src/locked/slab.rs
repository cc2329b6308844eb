//! A slab of 32-byte slots in pages of their own.

use std::fmt;
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, PoisonError};

use zeroize::Zeroize;

use crate::error::{Error, Result};

/// Length of a slot, in bytes.
const SLOT_LEN: usize = 32;

/// A fixed number of 32-byte slots for keys. Cheap to clone: clones share it.
#[derive(Clone)]
pub struct Slab(Arc<Pages>);

/// One key in a [`Slab`]; erased when dropped.
pub struct SlotRef {
    slab: Arc<Pages>,
    index: usize,
}

struct Pages {
    /// The whole mapping, guard pages included.
    mapping: NonNull<libc::c_void>,
    mapping_len: usize,
    /// The first slot.
    slots: NonNull<[u8; SLOT_LEN]>,
    /// Indexes nobody holds.
    free: Mutex<Vec<usize>>,
    locked: bool,
}

// SAFETY: the mapping belongs to this value alone. A slot is written only
// while its index is in nobody else's hands (between leaving and re-entering
// `free`), and read only through the one `SlotRef` that holds it.
unsafe impl Send for Pages {}
// SAFETY: as above; `free` has its own lock.
unsafe impl Sync for Pages {}

impl Slab {
    /// Room for `slots` keys. Whether the system let the pages be locked is
    /// [`Slab::is_locked`]'s to say: a slab that could not be is still used.
    ///
    /// # Errors
    /// [`Error::Library`] when the system gives no memory.
    pub fn new(slots: usize) -> Result<Self> {
        Pages::map(slots).map(|pages| Self(Arc::new(pages)))
    }

    /// Whether the pages are locked in memory.
    #[must_use]
    pub fn is_locked(&self) -> bool {
        self.0.locked
    }

    /// Copies a key in; the caller erases its own copy.
    ///
    /// # Errors
    /// [`Error::Library`] when every slot is taken.
    pub fn put(&self, key: &[u8; SLOT_LEN]) -> Result<SlotRef> {
        self.put_with(|slot| {
            slot.copy_from_slice(key);
            Ok(())
        })
    }

    /// Fills a slot in place, so that no copy is made elsewhere.
    ///
    /// # Errors
    /// [`Error::Library`] when every slot is taken; whatever `fill` returns.
    pub fn put_with(
        &self,
        fill: impl FnOnce(&mut [u8; SLOT_LEN]) -> Result<()>,
    ) -> Result<SlotRef> {
        let index = self
            .0
            .free()
            .pop()
            .ok_or(Error::Library("no free slot of locked memory"))?;
        // From here the slot goes back, erased, on every path.
        let slot = SlotRef {
            slab: Arc::clone(&self.0),
            index,
        };
        // SAFETY: the index came from `free`, so this is the only reference.
        fill(unsafe { &mut *self.0.slot(index) })?;
        Ok(slot)
    }
}

impl fmt::Debug for Slab {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Slab(locked: {})", self.0.locked)
    }
}

impl SlotRef {
    /// Lends the key to `act`.
    pub fn with<R>(&self, act: impl FnOnce(&[u8; SLOT_LEN]) -> R) -> R {
        // SAFETY: written before this value was handed out, and not again
        // before it is dropped; the pages live as long as `slab`.
        act(unsafe { &*self.slab.slot(self.index) })
    }
}

impl Drop for SlotRef {
    fn drop(&mut self) {
        // SAFETY: `&mut self` is the only holder of this index.
        unsafe { (*self.slab.slot(self.index)).zeroize() };
        self.slab.free().push(self.index);
    }
}

impl fmt::Debug for SlotRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SlotRef(<redacted>)")
    }
}

impl Pages {
    fn map(slots: usize) -> Result<Self> {
        const FAILED: Error = Error::Library("no memory for locked pages");
        // SAFETY: asks for a constant of the system.
        let page =
            usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).map_err(|_| FAILED)?;
        let body = slots
            .max(1)
            .checked_mul(SLOT_LEN)
            .and_then(|bytes| bytes.checked_next_multiple_of(page))
            .ok_or(FAILED)?;
        let mapping_len = body.checked_add(2 * page).ok_or(FAILED)?;
        // SAFETY: a fresh anonymous mapping touches nobody's memory.
        let mapping = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                mapping_len,
                libc::PROT_NONE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        if mapping == libc::MAP_FAILED {
            return Err(FAILED);
        }
        let mapping = NonNull::new(mapping).ok_or(FAILED)?;
        // SAFETY: one page into the mapping, which is longer.
        let start = unsafe { mapping.byte_add(page) };
        let mut pages = Self {
            mapping,
            mapping_len,
            slots: start.cast(),
            free: Mutex::new((0..slots).rev().collect()),
            locked: false,
        };
        // SAFETY: `start` and `body` lie inside the mapping, short of the
        // guard pages at both ends.
        unsafe {
            if libc::mprotect(start.as_ptr(), body, libc::PROT_READ | libc::PROT_WRITE) != 0 {
                return Err(FAILED);
            }
            pages.locked = libc::mlock(start.as_ptr(), body) == 0;
            #[cfg(target_os = "linux")]
            {
                libc::madvise(start.as_ptr(), body, libc::MADV_DONTDUMP);
                libc::madvise(start.as_ptr(), body, libc::MADV_WIPEONFORK);
            }
        }
        Ok(pages)
    }

    fn slot(&self, index: usize) -> *mut [u8; SLOT_LEN] {
        // SAFETY: indexes come from `free`, which counts only slots that fit.
        unsafe { self.slots.add(index) }.as_ptr()
    }

    fn free(&self) -> std::sync::MutexGuard<'_, Vec<usize>> {
        // A panic between two list operations leaves a list that is whole.
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // Every `SlotRef` holds a reference, so all slots are erased by now.
        // SAFETY: the mapping belongs to this value; nobody points into it.
        unsafe { libc::munmap(self.mapping.as_ptr(), self.mapping_len) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_keep_their_keys_apart() {
        let slab = Slab::new(200).unwrap();
        let slots: Vec<_> = (0..200).map(|i| slab.put(&[i; 32]).unwrap()).collect();
        for (i, slot) in (0..).zip(&slots) {
            slot.with(|key| assert_eq!(key, &[i; 32]));
        }
        assert!(slab.put(&[0; 32]).is_err());
        drop(slots);
        assert!(slab.put(&[0; 32]).is_ok());
    }

    #[test]
    fn a_dropped_slot_is_erased_and_reused() {
        let slab = Slab::new(1).unwrap();
        drop(slab.put(&[7; 32]).unwrap());
        let slot = slab
            .put_with(|key| {
                assert_eq!(key, &[0; 32]);
                Ok(())
            })
            .unwrap();
        drop(slot);
        assert!(slab.put_with(|_| Err(Error::Decrypt)).is_err());
        assert!(
            slab.put(&[1; 32]).is_ok(),
            "a failed fill gives its slot back"
        );
    }

    #[test]
    fn a_slot_outlives_its_slab() {
        let slab = Slab::new(1).unwrap();
        let slot = slab.put(&[9; 32]).unwrap();
        drop(slab);
        slot.with(|key| assert_eq!(key, &[9; 32]));
        assert_eq!(format!("{slot:?}"), "SlotRef(<redacted>)");
    }

    #[test]
    fn impossible_sizes_are_refused() {
        assert!(Slab::new(usize::MAX).is_err());
        assert!(Slab::new(usize::MAX / 64).is_err());
        let empty = Slab::new(0).unwrap();
        assert!(empty.put(&[0; 32]).is_err());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_kernel_says_the_pages_are_locked_and_undumped() {
        let slab = Slab::new(1).unwrap();
        let slot = slab.put(&[1; 32]).unwrap();
        let address = slot.with(|key| key.as_ptr() as usize);
        let maps = std::fs::read_to_string("/proc/self/smaps").unwrap();
        let mut flags = None;
        let mut inside = false;
        for line in maps.lines() {
            if let Some((range, _)) = line.split_once(' ')
                && let Some((from, to)) = range.split_once('-')
                && let (Ok(from), Ok(to)) = (
                    usize::from_str_radix(from, 16),
                    usize::from_str_radix(to, 16),
                )
            {
                inside = (from..to).contains(&address);
            } else if inside && let Some(found) = line.strip_prefix("VmFlags:") {
                flags = Some(found.to_owned());
            }
        }
        let flags = flags.expect("the mapping is listed");
        assert!(flags.contains(" dd"), "{flags}");
        assert!(flags.contains(" wf"), "{flags}");
        assert_eq!(flags.contains(" lo"), slab.is_locked(), "{flags}");
    }
}
