//! Revocation, with a reason.

use super::{Key, MAX_MESSAGE_LEN, check_text};
use crate::change::{Cause, Change, Changed, Versions};
use crate::error::{Error, Result};
use crate::reason::RevocationReason;
use crate::state::KeyState;
use crate::time::UnixSeconds;
use crate::transitions::{Event, next};
use crate::version::{Revocation, VersionNumber};

/// What is revoked, and why.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Revoke {
    /// Which versions.
    pub versions: Versions,
    /// Why. It decides the state: a compromise leads to compromised, a hold
    /// to suspended, anything else to deactivated.
    pub reason: RevocationReason,
    /// In words; may be empty, at most 1,024 bytes.
    pub message: String,
    /// When a compromise happened, as far as is known. Kept for a compromise
    /// only.
    pub compromise_occurred_at: Option<UnixSeconds>,
}

impl Key {
    /// Revokes versions.
    ///
    /// It always gets through: repeating it is no error, and of several
    /// revocations of a version the worst is in force, whatever their order.
    /// A compromise outdoes all, anything outdoes a hold, and otherwise the
    /// first stands. For all versions it takes every one that the reason can
    /// still change. Recovery grants end with it, whatever the reason; a new
    /// one can be given. A destroyed version can be named to record that it
    /// was compromised.
    ///
    /// # Errors
    /// [`Error::NotARevocation`] for `removeFromCRL`;
    /// [`Error::TransitionForbidden`] for one version that is beyond the
    /// reason; [`Error::NothingToDo`] if all are; [`Error::InvalidField`].
    pub fn revoke(&self, revoke: &Revoke, now: UnixSeconds) -> Result<Changed> {
        check_text("message", &revoke.message, MAX_MESSAGE_LEN)?;
        if revoke.compromise_occurred_at.is_some_and(|at| at > now) {
            return Err(Error::InvalidField {
                what: "date of the compromise",
                why: "it is in the future",
            });
        }
        let event = revoke
            .reason
            .event()
            .ok_or(Error::NotARevocation(revoke.reason))?;
        let mut change = Change::begin(self, now)?;
        let reached = change.apply(revoke.versions, event, Cause::Revoked(revoke.reason))?;
        for number in reached {
            let version = change.version_mut(number)?;
            if outdoes(revoke.reason, version.revocation.as_ref()) {
                version.revocation = Some(Revocation {
                    reason: revoke.reason,
                    at: now,
                    message: revoke.message.clone(),
                });
            }
            if event == Event::Compromise {
                // The earliest date that anybody gave: the careful one.
                let dates = [
                    version.compromise_occurred_at,
                    revoke.compromise_occurred_at,
                ];
                version.compromise_occurred_at = dates.into_iter().flatten().min();
            }
        }
        change.finish()
    }
}

/// Whether a new revocation takes the place of the one in force.
fn outdoes(new: RevocationReason, old: Option<&Revocation>) -> bool {
    let weight = |reason: RevocationReason| match reason.event() {
        Some(Event::Compromise) => 2,
        Some(Event::Suspend) | None => 0,
        Some(_) => 1,
    };
    old.is_none_or(|old| weight(new) > weight(old.reason))
}

impl Change {
    /// Takes a step with every version it is about, and says which versions
    /// are now where it leads, those that were there before included.
    pub(super) fn apply(
        &mut self,
        versions: Versions,
        event: Event,
        cause: Cause,
    ) -> Result<Vec<VersionNumber>> {
        let goal = match event {
            Event::Suspend => KeyState::Suspended,
            Event::Compromise => KeyState::Compromised,
            _ => KeyState::Deactivated,
        };
        let named = matches!(versions, Versions::One(_));
        let mut reached = Vec::new();
        for number in self.targets(versions)? {
            // Whoever stops a key stops what a grant still lets it do.
            if self.version_mut(number)?.recovery_grant.take().is_some() {
                reached.push(number);
                continue;
            }
            let version = self.version(number)?;
            if version.state == KeyState::Destroyed && !named {
                continue;
            }
            let recorded = version.state == KeyState::Destroyed && version.is_compromised();
            if version.state != goal && !recorded {
                if next(version.state, event).is_some() {
                    self.step(number, event, cause)?;
                } else if named {
                    return Err(self.forbidden(version, event));
                } else {
                    continue;
                }
            } else if recorded && event != Event::Compromise {
                return Err(self.forbidden(version, event));
            }
            reached.push(number);
        }
        if reached.is_empty() {
            return Err(self.nothing_to_do());
        }
        Ok(reached)
    }
}
