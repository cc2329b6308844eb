//! The end of material, and the way back until then.
//!
//! A version that is scheduled for destruction keeps its state and does
//! nothing: neither protects nor processes. Whoever still needs it notices
//! while it can be restored, and that is what the window is for.

use super::Key;
use crate::change::{Cause, Change, Changed, Versions};
use crate::error::{Error, Result};
use crate::rules::MAX_DESTROY_WINDOW_SECONDS;
use crate::state::KeyState;
use crate::time::UnixSeconds;
use crate::transitions::Event;

impl Key {
    /// Schedules versions for destruction, after the window of the key's
    /// rules or a longer one. A version that is scheduled keeps its date; one
    /// that waits for a confirmation, which nobody has used yet, is due at once.
    ///
    /// # Errors
    /// [`Error::InvalidField`] for a window shorter than the rules' or over
    /// ten years; [`Error::TransitionForbidden`] for one version that is
    /// destroyed; [`Error::NothingToDo`] if all are.
    pub fn schedule_destroy(
        &self,
        versions: Versions,
        window_seconds: Option<u64>,
        now: UnixSeconds,
    ) -> Result<Changed> {
        let least = self.rules.destroy_window_seconds;
        let window = window_seconds.unwrap_or(least);
        if window < least || window > MAX_DESTROY_WINDOW_SECONDS {
            return Err(Error::InvalidField {
                what: "window before the destruction",
                why: "it is shorter than the key's rules say, or over ten years",
            });
        }
        let mut change = Change::begin(self, now)?;
        let mut found = false;
        for number in change.targets(versions)? {
            let version = change.version(number)?;
            if version.state != KeyState::Destroyed {
                let at = match version.destroy_at {
                    Some(end) if version.awaits_confirmation() => end.min(now),
                    Some(at) => at,
                    None => now.plus(window),
                };
                change.version_mut(number)?.destroy_at = Some(at);
                found = true;
            } else if matches!(versions, Versions::One(_)) {
                return Err(change.forbidden(version, Event::Destroy));
            }
        }
        if !found {
            return Err(change.nothing_to_do());
        }
        change.finish()
    }

    /// Cancels scheduled destructions. The versions are what they were, with
    /// every date that passed meanwhile applied.
    ///
    /// # Errors
    /// [`Error::TransitionForbidden`] for one version that is not scheduled, or
    /// that only a confirmation keeps; [`Error::NothingToDo`] if all are such.
    /// A destroyed version is gone.
    pub fn restore(&self, versions: Versions, now: UnixSeconds) -> Result<Changed> {
        let mut change = Change::begin(self, now)?;
        let mut found = false;
        for number in change.targets(versions)? {
            let version = change.version(number)?;
            if version.is_pending_destruction() && !version.awaits_confirmation() {
                let waiting = version.state == KeyState::PreActivation;
                let version = change.version_mut(number)?;
                version.destroy_at = None;
                if waiting {
                    // It was not in use before now, whatever its date said.
                    version.activate_at = version.activate_at.max(now);
                }
                found = true;
            } else if matches!(versions, Versions::One(_)) {
                return Err(change.forbidden(version, Event::Resume));
            }
        }
        if !found {
            return Err(change.nothing_to_do());
        }
        change.finish()
    }

    /// Destroys every version whose window has ended. The caller erases their
    /// material in the same batch; without that, do not store the result.
    ///
    /// # Errors
    /// None that a valid key can cause.
    pub fn complete_destroy(&self, now: UnixSeconds) -> Result<Changed> {
        let mut change = Change::begin(self, now)?;
        for number in change.targets(Versions::All)? {
            let version = change.version(number)?;
            if version.destroy_at.is_some_and(|at| at <= now) {
                change.step(number, Event::Destroy, Cause::WindowEnded)?;
            }
        }
        change.finish()
    }
}
