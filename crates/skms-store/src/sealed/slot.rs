//! One 256-bit key in locked memory.

use std::sync::{Mutex, PoisonError};

use skms_crypto::locked::{Slab, SlotRef};

use crate::error::Result;

/// Slots in one slab: 16 KiB, within the usual limit of lockable memory.
const SLOTS: usize = 512;

/// The slabs of the process. One serves a server; tests open many stores.
static SLABS: Mutex<Vec<Slab>> = Mutex::new(Vec::new());

/// A key's slot, erased when dropped.
pub(crate) struct Slot(SlotRef);

impl Slot {
    pub(crate) fn new(key: &[u8; 32]) -> Result<Self> {
        let mut slabs = SLABS.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = slabs.iter().find_map(|slab| slab.put(key).ok()) {
            return Ok(Self(slot));
        }
        let slab = Slab::new(SLOTS)?;
        let slot = slab.put(key)?;
        slabs.push(slab);
        Ok(Self(slot))
    }

    pub(crate) fn random() -> Result<Self> {
        let key = skms_crypto::SecretArray::<32>::random()?;
        Self::new(key.expose())
    }

    pub(crate) fn with<R>(&self, act: impl FnOnce(&[u8; 32]) -> R) -> R {
        self.0.with(act)
    }
}

/// Whether every slab of keys is locked against swapping.
pub(crate) fn all_locked() -> bool {
    SLABS
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .iter()
        .all(Slab::is_locked)
}
