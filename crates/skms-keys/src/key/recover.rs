//! Leave to read what a compromised key protected.

use super::{Key, MAX_FIELD_LEN, MAX_MESSAGE_LEN, check_text};
use crate::change::{Change, Changed, Versions};
use crate::error::{Error, Result};
use crate::state::KeyState;
use crate::time::UnixSeconds;
use crate::transitions::Event;
use crate::version::RecoveryGrant;

/// The longest recovery grant: thirty days. It can be given again.
pub const MAX_RECOVERY_SECONDS: u64 = 30 * 24 * 60 * 60;

impl Key {
    /// Lets compromised versions process until `until`, so that their data is
    /// re-encrypted and not lost. They protect nothing and cannot be exported
    /// meanwhile. A new grant replaces the one before.
    ///
    /// No version changes its state.
    ///
    /// # Errors
    /// [`Error::InvalidField`] for an end that is past or over thirty days
    /// off, or texts that are too long; [`Error::TransitionForbidden`] for
    /// one version that is not compromised; [`Error::NothingToDo`] if none is.
    pub fn grant_recovery(
        &self,
        versions: Versions,
        until: UnixSeconds,
        granted_by: &str,
        reason: &str,
        now: UnixSeconds,
    ) -> Result<Changed> {
        check_text("principal", granted_by, MAX_FIELD_LEN)?;
        check_text("reason", reason, MAX_MESSAGE_LEN)?;
        if until <= now || until > now.plus(MAX_RECOVERY_SECONDS) {
            return Err(Error::InvalidField {
                what: "end of the recovery grant",
                why: "it must be in the future and within thirty days",
            });
        }
        self.set_grant(versions, now, || {
            Some(RecoveryGrant {
                granted_at: now,
                until,
                granted_by: granted_by.to_owned(),
                reason: reason.to_owned(),
            })
        })
    }

    /// Takes recovery grants back. A version without one is left as it is.
    ///
    /// # Errors
    /// As [`Key::grant_recovery`].
    pub fn withdraw_recovery(&self, versions: Versions, now: UnixSeconds) -> Result<Changed> {
        self.set_grant(versions, now, || None)
    }

    fn set_grant(
        &self,
        versions: Versions,
        now: UnixSeconds,
        grant: impl Fn() -> Option<RecoveryGrant>,
    ) -> Result<Changed> {
        let mut change = Change::begin(self, now)?;
        let mut found = false;
        for number in change.targets(versions)? {
            let version = change.version(number)?;
            if version.state == KeyState::Compromised {
                change.version_mut(number)?.recovery_grant = grant();
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
}
