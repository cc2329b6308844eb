//! What is due, and when: for the jobs that keep the records up to date.

use crate::key::Key;
use crate::state::KeyState;
use crate::time::UnixSeconds;
use crate::version::VersionNumber;

/// What there is to do.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
#[non_exhaustive]
pub enum DueAct {
    /// A version's activation date: [`Key::expire`].
    Activate,
    /// The end of a version's originator-usage period, or the key's expiry:
    /// [`Key::expire`].
    Deactivate,
    /// The end of a recovery grant: [`Key::expire`].
    EndRecovery,
    /// The end of the window before a destruction: [`Key::complete_destroy`].
    Destroy,
    /// The age or use count at which a new version is wanted: [`Key::rotate`].
    Rotate,
}

/// Something that is to be done with a version at a time.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct Due {
    /// When; for a use count that has been reached, the version's activation.
    pub at: UnixSeconds,
    /// The version.
    pub version: VersionNumber,
    /// What.
    pub act: DueAct,
}

impl Key {
    /// What is due at `now`, the longest overdue first.
    #[must_use]
    pub fn due(&self, now: UnixSeconds) -> Vec<Due> {
        let mut due = self.agenda();
        due.retain(|item| item.at <= now);
        // A rotation that would be refused is not due: nobody could do it.
        if due.iter().any(|item| item.act == DueAct::Rotate) && self.check_rotation(now).is_err() {
            due.retain(|item| item.act != DueAct::Rotate);
        }
        due
    }

    /// When something is due next, counted from the key as it is recorded;
    /// `None` if never. A job looks again at this time or when the key
    /// changes, whichever is first.
    #[must_use]
    pub fn next_due(&self) -> Option<UnixSeconds> {
        self.agenda().first().map(|item| item.at)
    }

    /// Everything that will be due, by time.
    fn agenda(&self) -> Vec<Due> {
        let mut agenda = Vec::new();
        for version in &self.versions {
            let mut add = |act, at| {
                if at < UnixSeconds::NEVER {
                    let version = version.number;
                    agenda.push(Due { at, version, act });
                }
            };
            if let Some(at) = version.destroy_at {
                add(DueAct::Destroy, at);
            }
            if let Some(grant) = &version.recovery_grant {
                add(DueAct::EndRecovery, grant.until);
            }
            match version.state {
                KeyState::PreActivation if !version.is_pending_destruction() => {
                    add(DueAct::Activate, version.activate_at);
                }
                KeyState::Active => {
                    add(DueAct::Deactivate, self.protect_end(version).0);
                    if let Some(at) = self.rotation_due(version) {
                        add(DueAct::Rotate, at);
                    }
                }
                _ => {}
            }
        }
        agenda.sort();
        agenda
    }

    /// When the active version is to be replaced, by age or by uses.
    fn rotation_due(&self, version: &crate::version::Version) -> Option<UnixSeconds> {
        let activated_at = version.activated_at?;
        if self
            .rotation_uses()
            .is_some_and(|uses| version.uses_reserved >= uses)
        {
            return Some(activated_at);
        }
        self.rules
            .rotate_after_seconds
            .map(|seconds| activated_at.plus(seconds))
    }
}
