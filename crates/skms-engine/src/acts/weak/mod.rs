//! Weak keys: what was found, the lists of known keys, and the sweep.

mod lists;
mod read;

use crate::act::act;

pub use crate::weak::SubjectKind;
pub use crate::weak::noted::Noted;
pub use lists::ListView;
pub use read::SweepView;

act!(Findings, WeakList, "Lists what was found.");
act!(Start, WeakSweep, "Asks for a sweep.");
act!(Lists, WeakBlocklistList, "Lists the lists of known keys.");
act!(Import, WeakBlocklistImport, "Imports a list of known keys.");
act!(Remove, WeakBlocklistRemove, "Removes a list of known keys.");

/// The most bytes of a list.
pub const LIST_BYTES_MAX: usize = 8 << 20;

/// The most bytes of all lists: they are in memory.
pub const ALL_BYTES_MAX: usize = 128 << 20;

/// The most lists.
pub const LISTS_MAX: usize = 256;
