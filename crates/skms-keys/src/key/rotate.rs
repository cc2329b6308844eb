//! A new version in place of the one in use, of the key's algorithm or another.

use skms_crypto::Algorithm;

use super::Key;
use crate::change::{Change, Changed};
use crate::due::Why;
use crate::error::{Error, Result};
use crate::key::{KeyParts, MAX_VERSIONS};
use crate::state::KeyState;
use crate::time::UnixSeconds;
use crate::version::{NewVersion, Version, VersionNumber};

impl Key {
    /// Adds a version. When it comes into use, at once or at its date, the
    /// one before is deactivated: it goes on processing, and protects no
    /// more.
    ///
    /// A compromised or superseded key may be rotated, since that is the
    /// remedy. A suspended, withdrawn, expired or dying one may not: a right
    /// to rotate is not a right to undo those.
    ///
    /// # Errors
    /// [`Error::RotationRefused`], with the reason.
    pub fn rotate(&self, new: NewVersion, now: UnixSeconds) -> Result<Changed> {
        self.rotate_into(self.algorithm, new, now)
    }

    /// As [`Key::rotate`], with a version of another algorithm, which the key has
    /// from then on. The versions before keep theirs.
    ///
    /// # Errors
    /// As [`Key::rotate`] and [`Key::check_algorithm`].
    pub fn rotate_into(
        &self,
        algorithm: Algorithm,
        new: NewVersion,
        now: UnixSeconds,
    ) -> Result<Changed> {
        self.check_algorithm(algorithm)?;
        let mut change = Change::begin(self, now)?;
        check_rotation(&change.parts, new.activate_at.unwrap_or(now))?;
        // No more than there may be of them.
        let number = VersionNumber(change.parts.newest()?.number.0.saturating_add(1));
        let mut version = Version::waiting(number, new, now);
        // The key's own end was warned of, whichever version protects then.
        if change.parts.newest()?.warned.contains(&Why::ExpiresAt) {
            version.warned.push(Why::ExpiresAt);
        }
        let before = std::mem::replace(&mut change.parts.algorithm, algorithm);
        if before != algorithm {
            for older in &mut change.parts.versions {
                older.algorithm.get_or_insert(before);
            }
        }
        change.parts.versions.push(version);
        change.finish()
    }

    /// Checks that the key may get a new version at `now`, before material
    /// is made for it.
    ///
    /// # Errors
    /// As [`Key::rotate`].
    pub fn check_rotation(&self, now: UnixSeconds) -> Result<()> {
        check_rotation(&Change::begin(self, now)?.parts, now)
    }

    /// Checks that a version of the key may be of `algorithm`: it does all that
    /// the key is for, and has a public half if the key has one.
    ///
    /// # Errors
    /// [`Error::AlgorithmUnfit`].
    pub fn check_algorithm(&self, algorithm: Algorithm) -> Result<()> {
        match self.unfit(algorithm) {
            None => Ok(()),
            Some(why) => Err(Error::AlgorithmUnfit {
                key: self.id,
                algorithm,
                why,
            }),
        }
    }
}

impl KeyParts {
    /// Why no version may be of an algorithm.
    pub(crate) fn unfit(&self, algorithm: Algorithm) -> Option<&'static str> {
        if algorithm.is_symmetric() != self.algorithm.is_symmetric() {
            return Some("a symmetric key stays one, and a key pair a key pair");
        }
        if !self.uses.is_subset_of(algorithm.row().uses) {
            return Some("it does not do all that the key is for");
        }
        None
    }
}

/// `parts` with their dates applied.
fn check_rotation(parts: &KeyParts, activate_at: UnixSeconds) -> Result<()> {
    let refused = |why| Err(Error::RotationRefused { key: parts.id, why });
    // Destroyed versions are out of it: the newest of the others decides.
    let Some(head) = parts
        .versions
        .iter()
        .rev()
        .find(|version| version.state != KeyState::Destroyed)
    else {
        return refused("all its versions are destroyed: create a new key");
    };
    if parts
        .versions
        .last()
        .is_some_and(|last| last.number.0 >= MAX_VERSIONS)
    {
        return refused("it has 10,000 versions, as many as a key may have: create a new key");
    }
    if head.is_pending_destruction() {
        return refused("it is scheduled for destruction: restore it first");
    }
    match head.state {
        KeyState::Suspended => return refused("it is suspended: resume or revoke it first"),
        KeyState::PreActivation => {
            return refused("a version already waits for its date: activate or destroy that first");
        }
        KeyState::Active | KeyState::Deactivated | KeyState::Compromised | KeyState::Destroyed => {}
    }
    if head
        .revocation
        .as_ref()
        .is_some_and(|revocation| revocation.reason.ends_key())
    {
        return refused("it was revoked for good: create a new key");
    }
    if parts
        .rules
        .expires_at
        .is_some_and(|expiry| expiry <= activate_at)
    {
        return refused("it has expired or will before then: extend it first");
    }
    Ok(())
}
