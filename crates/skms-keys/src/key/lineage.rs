//! What a version depends on, beyond where it comes from, and how far a
//! compromise goes along that.

use super::{Key, Revoke};
use crate::change::{Change, Changed};
use crate::error::{Error, Result};
use crate::time::UnixSeconds;
use crate::version::{Taint, VersionNumber, VersionRef};

/// Versions of other keys that one version may have left the house under.
pub const MAX_WRAPPINGS: usize = 256;

impl Key {
    /// Notes that a version's material leaves wrapped by `under`. No version
    /// changes its state. Noting it again changes nothing.
    ///
    /// # Errors
    /// [`Error::UnknownVersion`]; [`Error::InvalidField`] over
    /// [`MAX_WRAPPINGS`] of them.
    pub fn note_wrapping(
        &self,
        version: VersionNumber,
        under: VersionRef,
        now: UnixSeconds,
    ) -> Result<Changed> {
        let mut change = Change::begin(self, now)?;
        let known = &mut change.version_mut(version)?.wrapped_by;
        if !known.contains(&under) {
            if known.len() >= MAX_WRAPPINGS {
                return Err(Error::InvalidField {
                    what: "wrapping key",
                    why: "the version left under too many keys already: rotate it",
                });
            }
            known.push(under);
        }
        change.finish()
    }

    /// Revokes versions as [`Key::revoke`] does, for a compromise that reaches as
    /// far as `taint` says. What was refused before is not let in again.
    ///
    /// # Errors
    /// As [`Key::revoke`]; [`Error::NotARevocation`] for any other reason than
    /// a compromise.
    pub fn compromise(&self, revoke: &Revoke, taint: Taint, now: UnixSeconds) -> Result<Changed> {
        if !revoke.reason.is_compromise() {
            return Err(Error::NotARevocation(revoke.reason));
        }
        let before: Vec<_> = self.compromised().collect();
        let (key, transitions) = self.revoke(revoke, now)?;
        let mut change = Change::begin(&key, now)?;
        for number in change.targets(revoke.versions)? {
            let version = change.version_mut(number)?;
            if version.is_compromised() {
                let known = before.contains(&number).then_some(version.taint);
                version.taint = known.map_or(taint, |known| known.max(taint));
            }
        }
        Ok((change.finish()?.0, transitions))
    }

    /// The versions that somebody else may know.
    pub fn compromised(&self) -> impl Iterator<Item = VersionNumber> + '_ {
        let versions = self.versions.iter();
        versions
            .filter(|version| version.is_compromised())
            .map(|version| version.number)
    }

    /// Notes that compromised versions which `version` depends on do not count
    /// against it.
    ///
    /// # Errors
    /// [`Error::UnknownVersion`].
    pub fn spare(
        &self,
        version: VersionNumber,
        from: &[VersionRef],
        now: UnixSeconds,
    ) -> Result<Changed> {
        let mut change = Change::begin(self, now)?;
        let known = &mut change.version_mut(version)?.spared_from;
        for one in from {
            if !known.contains(one) {
                known.push(*one);
            }
        }
        change.finish()
    }
}
