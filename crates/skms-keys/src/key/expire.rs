//! Dates that pass by themselves.

use super::Key;
use crate::change::{Change, Changed};
use crate::error::Result;
use crate::time::UnixSeconds;

impl Key {
    /// Records every date that has passed by `now`: activations, ends of
    /// usage periods, the key's expiry, ends of recovery grants. No steps if
    /// there were none.
    ///
    /// [`Key::permit`] does not wait for this: the dates bind from the moment
    /// they pass. Destructions are [`Key::complete_destroy`]'s.
    ///
    /// # Errors
    /// None that a valid key can cause.
    pub fn expire(&self, now: UnixSeconds) -> Result<Changed> {
        Change::begin(self, now)?.finish()
    }
}
