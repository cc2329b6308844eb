//! Bringing a version into use before its date.

use super::Key;
use crate::change::{Cause, Change, Changed};
use crate::error::Result;
use crate::time::UnixSeconds;
use crate::transitions::Event;
use crate::version::VersionNumber;

impl Key {
    /// Activates a version that waits for its date; what it replaces is
    /// deactivated.
    ///
    /// # Errors
    /// [`crate::Error::TransitionForbidden`] unless it is in pre-activation
    /// and not about to be destroyed.
    pub fn activate(&self, number: VersionNumber, now: UnixSeconds) -> Result<Changed> {
        let mut change = Change::begin(self, now)?;
        let version = change.version(number)?;
        if version.is_pending_destruction() {
            return Err(change.forbidden(version, Event::Activate));
        }
        change.step(number, Event::Activate, Cause::Requested)?;
        change.version_mut(number)?.activate_at = now;
        change.finish()
    }
}
