//! Keys that somebody else has to confirm before they come into use.
//!
//! A key that was agreed upon with a peer waits in pre-activation until the
//! peer shows that it has the key too. What is not confirmed in time is
//! destroyed, so that no key is kept that only one side has.

use super::Key;
use crate::change::{Cause, Change, Changed};
use crate::error::Result;
use crate::state::KeyState;
use crate::time::UnixSeconds;
use crate::transitions::Event;
use crate::version::VersionNumber;

impl Key {
    /// Has a version wait for a confirmation, until `until` and no longer: then
    /// it is destroyed. Its date does not bring it into use.
    ///
    /// # Errors
    /// [`crate::Error::TransitionForbidden`] unless it is in pre-activation.
    pub fn await_confirmation(
        &self,
        number: VersionNumber,
        until: UnixSeconds,
        now: UnixSeconds,
    ) -> Result<Changed> {
        let mut change = Change::begin(self, now)?;
        let version = change.version(number)?;
        if version.state != KeyState::PreActivation {
            return Err(change.forbidden(version, Event::Destroy));
        }
        let version = change.version_mut(number)?;
        version.activate_at = UnixSeconds::NEVER;
        version.destroy_at = Some(until.plus(1));
        change.finish()
    }

    /// Activates a version that was confirmed before its end.
    ///
    /// # Errors
    /// [`crate::Error::TransitionForbidden`] unless it waits for that and its
    /// end has not come.
    pub fn confirm(&self, number: VersionNumber, now: UnixSeconds) -> Result<Changed> {
        let mut change = Change::begin(self, now)?;
        let version = change.version(number)?;
        let in_time = version.destroy_at.is_some_and(|end| now < end);
        if !version.awaits_confirmation() || !in_time {
            return Err(change.forbidden(version, Event::Activate));
        }
        let version = change.version_mut(number)?;
        version.destroy_at = None;
        version.activate_at = now;
        change.step(number, Event::Activate, Cause::Requested)?;
        change.finish()
    }
}
