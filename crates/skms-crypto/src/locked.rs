//! Memory that holds the root and storage keys: locked against swapping, left
//! out of core dumps and child processes, between guard pages. And the
//! process-wide settings that go with it.
//!
//! It cannot lock what the crypto library keeps on its own heap (expanded
//! schedules); [`lock_process`] does that where the system permits it, and
//! says so where not.

mod process;
mod slab;

pub use process::{Report, lock_process, raise_open_files};
pub use slab::{Slab, SlotRef};
