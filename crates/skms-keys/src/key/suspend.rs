//! Holding versions back, and letting them go.

use super::Key;
use crate::change::{Cause, Change, Changed, Versions};
use crate::error::Result;
use crate::reason::RevocationReason;
use crate::state::KeyState;
use crate::time::UnixSeconds;
use crate::transitions::Event;
use crate::version::VersionNumber;

impl Key {
    /// Suspends versions: they do nothing until they are resumed.
    ///
    /// For all versions it takes every one that can be used or soon will be,
    /// and passes over the rest. A version that is suspended stays so; one
    /// that is compromised loses its recovery grant.
    ///
    /// # Errors
    /// [`crate::Error::TransitionForbidden`] for one version that is
    /// compromised, without a grant, or destroyed;
    /// [`crate::Error::NothingToDo`] if all are.
    pub fn suspend(&self, versions: Versions, now: UnixSeconds) -> Result<Changed> {
        let mut change = Change::begin(self, now)?;
        change.apply(versions, Event::Suspend, Cause::Requested)?;
        change.finish()
    }

    /// Resumes versions. Each goes where its dates put it: into use; to the
    /// deactivated, if its period is over or a newer version took its place;
    /// or back to waiting for its activation.
    ///
    /// # Errors
    /// [`crate::Error::TransitionForbidden`] for one version that is not
    /// suspended, [`crate::Error::NothingToDo`] if none is.
    pub fn resume(&self, versions: Versions, now: UnixSeconds) -> Result<Changed> {
        let mut change = Change::begin(self, now)?;
        let mut resumed = false;
        for number in change.targets(versions)? {
            let version = change.version(number)?;
            if version.state == KeyState::Suspended {
                change.resume(number)?;
                resumed = true;
            } else if matches!(versions, Versions::One(_)) {
                return Err(change.forbidden(version, Event::Resume));
            }
        }
        if !resumed {
            return Err(change.nothing_to_do());
        }
        change.finish()
    }
}

impl Change {
    /// Lets one suspended version go.
    fn resume(&mut self, number: VersionNumber) -> Result<()> {
        let version = self.version(number)?;
        let (end, _) = self.parts.protect_end(version);
        let replaced = self
            .parts
            .versions
            .iter()
            .any(|newer| newer.number > number && newer.activated_at.is_some());
        let over = version.deactivated_at.is_some() || replaced || end <= self.now;
        let (event, late) = match version.activated_at {
            // A date that passed meanwhile counts from now: it was not in use.
            None if version.deactivated_at.is_none() => (Event::Await, true),
            Some(_) if !over => (Event::Resume, false),
            _ => (Event::Deactivate, false),
        };
        self.step(number, event, Cause::Requested)?;
        let now = self.now;
        let version = self.version_mut(number)?;
        if late {
            version.activate_at = version.activate_at.max(now);
        }
        if version
            .revocation
            .as_ref()
            .is_some_and(|held| held.reason == RevocationReason::CertificateHold)
        {
            version.revocation = None;
        }
        Ok(())
    }
}
