//! A simulated disk, for tests alone: SQLite and the journal run on it as
//! they are, and it does to them what disks do.
//!
//! It keeps apart what a running system sees and what would survive the loss
//! of power: of every file's bytes, by sectors of 512, and of every name in a
//! directory. At a crash an arbitrary part of what was not synced survives. On
//! the way it returns errors, fills up, and fails syncs, after which what was
//! written is still seen and may never reach the disk although later syncs
//! succeed, as Linux has it. Everything follows from a seed.
//!
//! No thread of a store or journal runs beside it: their work is done in
//! steps ([`SimulatedDisk::step`]), in an order that follows from the seed
//! too.
//!
//! What it does not do: it has one process and no locks, reorders nothing
//! across a sync, damages nothing that a sync made durable, and knows no file
//! system of its own, so that a directory's changes survive or not each by
//! itself.

mod disk;
mod file;
mod life;
mod nonces;
mod random;
mod vfs;

pub use disk::{Faults, Loss, SimulatedDisk};
pub(crate) use file::SimulatedFile;
pub use random::Random;
