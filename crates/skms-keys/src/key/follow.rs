//! What a version was made for, beyond the rules that the key itself is due by:
//! events that called for it, and another key that the key rotates with.

use super::Key;
use crate::change::{Change, Changed};
use crate::error::Result;
use crate::time::UnixSeconds;
use crate::version::VersionNumber;

/// Events that one version remembers.
const MAX_MADE_FOR: usize = 64;

impl Key {
    /// Notes what called for the newest version, or for one before it.
    ///
    /// # Errors
    /// None that a valid key can cause.
    pub fn note_made_for(&self, events: &[[u8; 16]], now: UnixSeconds) -> Result<Changed> {
        let mut change = Change::begin(self, now)?;
        let newest = change.parts.newest()?.number;
        let known = &mut change.version_mut(newest)?.made_for;
        for event in events {
            if !known.contains(event) {
                known.push(*event);
            }
        }
        let over = known.len().saturating_sub(MAX_MADE_FOR);
        known.drain(..over);
        change.finish()
    }

    /// Whether a version was made for this event, or one would have been.
    #[must_use]
    pub fn was_made_for(&self, event: &[u8; 16]) -> bool {
        let mut versions = self.versions.iter();
        versions.any(|version| version.made_for.contains(event))
    }

    /// Notes which version of the key that it rotates with it has followed.
    ///
    /// # Errors
    /// None that a valid key can cause.
    pub fn follow(&self, version: VersionNumber, now: UnixSeconds) -> Result<Changed> {
        let mut change = Change::begin(self, now)?;
        change.parts.followed = Some(version);
        change.finish()
    }

    /// Notes that the owner left, or is back.
    ///
    /// # Errors
    /// None that a valid key can cause.
    pub fn note_orphaned(&self, orphaned: bool, now: UnixSeconds) -> Result<Changed> {
        let mut change = Change::begin(self, now)?;
        change.parts.orphaned = orphaned;
        change.finish()
    }

    /// The newest version that is or was in use: what keys that rotate with this
    /// one follow.
    #[must_use]
    pub fn newest_in_use(&self) -> Option<VersionNumber> {
        let mut versions = self.versions.iter().rev();
        versions
            .find(|version| version.activated_at.is_some())
            .map(|version| version.number)
    }
}
