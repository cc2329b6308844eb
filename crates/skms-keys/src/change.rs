//! How an act changes a key: a copy, steps from the transition table, and a
//! check of the whole at the end.

use crate::error::{Error, Result};
use crate::key::{Key, KeyParts};
use crate::reason::RevocationReason;
use crate::state::KeyState;
use crate::time::UnixSeconds;
use crate::transitions::{Event, next};
use crate::version::{Version, VersionNumber};

/// The versions an act is about.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Versions {
    /// Every version that the act can apply to.
    All,
    /// This version; the act fails if it cannot apply.
    One(VersionNumber),
}

/// Why a version changed its state.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Cause {
    /// Somebody asked for it.
    Requested,
    /// It was revoked, for this reason.
    Revoked(RevocationReason),
    /// Its activation date came.
    ActivationDate,
    /// A newer version came into use.
    Replaced,
    /// Its originator-usage period ended.
    PeriodEnded,
    /// The key expired.
    Expired,
    /// The window before its destruction ended.
    WindowEnded,
}

impl Cause {
    /// Its name, lower case; a revocation's is the reason's.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Cause::Requested => "requested",
            Cause::Revoked(reason) => reason.name(),
            Cause::ActivationDate => "activation-date",
            Cause::Replaced => "replaced",
            Cause::PeriodEnded => "period-ended",
            Cause::Expired => "expired",
            Cause::WindowEnded => "window-ended",
        }
    }
}

/// A step that a version took. SP 800-57 part 1, section 7, has the date and
/// time of each recorded.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Transition {
    /// The version.
    pub version: VersionNumber,
    /// The state it left.
    pub from: KeyState,
    /// What happened.
    pub event: Event,
    /// The state it entered.
    pub to: KeyState,
    /// When that took effect. Earlier than the act, for a date that passed
    /// while nobody looked.
    pub at: UnixSeconds,
    /// Why.
    pub cause: Cause,
}

/// What an act gives: the key as it is now, and the steps its versions took.
pub type Changed = (Key, Vec<Transition>);

/// A key that is being changed.
pub(crate) struct Change {
    pub(crate) parts: KeyParts,
    pub(crate) now: UnixSeconds,
    transitions: Vec<Transition>,
}

impl Change {
    /// Starts from `key`, with every date that has passed by `now` applied:
    /// an act sees the key as it is, not as it was last recorded.
    pub(crate) fn begin(key: &Key, now: UnixSeconds) -> Result<Self> {
        let mut change = Self {
            parts: key.parts().clone(),
            now,
            transitions: Vec::new(),
        };
        change.settle()?;
        Ok(change)
    }

    /// Starts a new key.
    pub(crate) fn create(parts: KeyParts, now: UnixSeconds) -> Self {
        Self {
            parts,
            now,
            transitions: Vec::new(),
        }
    }

    /// Ends the change: dates once more, since the act may have set some, and
    /// then the invariants.
    pub(crate) fn finish(mut self) -> Result<Changed> {
        self.settle()?;
        Ok((Key::from_parts(self.parts)?, self.transitions))
    }

    /// The numbers of the versions an act is about.
    pub(crate) fn targets(&self, versions: Versions) -> Result<Vec<VersionNumber>> {
        match versions {
            Versions::All => Ok(self.parts.versions.iter().map(|v| v.number).collect()),
            Versions::One(number) => Ok(vec![self.version(number)?.number]),
        }
    }

    pub(crate) fn version(&self, number: VersionNumber) -> Result<&Version> {
        self.parts.version(number)
    }

    pub(crate) fn version_mut(&mut self, number: VersionNumber) -> Result<&mut Version> {
        let key = self.parts.id;
        let versions = &mut self.parts.versions;
        let found = number.place().and_then(|place| versions.get_mut(place));
        found
            .filter(|version| version.number == number)
            .ok_or(Error::UnknownVersion {
                key,
                version: number,
            })
    }

    pub(crate) fn nothing_to_do(&self) -> Error {
        Error::NothingToDo { key: self.parts.id }
    }

    /// That the table has no such step for a version.
    pub(crate) fn forbidden(&self, version: &Version, event: Event) -> Error {
        Error::TransitionForbidden {
            key: self.parts.id,
            version: version.number,
            state: version.state,
            event,
        }
    }

    /// Takes one step of the table with one version, now.
    pub(crate) fn step(&mut self, number: VersionNumber, event: Event, cause: Cause) -> Result<()> {
        self.step_at(number, event, cause, self.now)
    }

    /// Takes one step of the table with one version, effective at `at`.
    pub(crate) fn step_at(
        &mut self,
        number: VersionNumber,
        event: Event,
        cause: Cause,
        at: UnixSeconds,
    ) -> Result<()> {
        let version = self.version(number)?;
        let from = version.state;
        let to = next(from, event).ok_or_else(|| self.forbidden(version, event))?;
        let version = self.version_mut(number)?;
        version.state = to;
        version.suspended_at = None;
        match event {
            Event::Activate => version.activated_at = Some(at),
            Event::Suspend => version.suspended_at = Some(at),
            Event::Resume | Event::Await => {}
            // A version that was suspended after its deactivation keeps the
            // date of that.
            Event::Deactivate => version.deactivated_at = version.deactivated_at.or(Some(at)),
            Event::Compromise => version.compromised_at = version.compromised_at.or(Some(at)),
            Event::Destroy => {
                version.destroyed_at = Some(at);
                version.destroy_at = None;
                version.recovery_grant = None;
            }
        }
        self.transitions.push(Transition {
            version: number,
            from,
            event,
            to,
            at,
            cause,
        });
        if event == Event::Activate {
            self.replace_older(number, at)?;
        }
        Ok(())
    }

    /// Deactivates what the version that just came into use replaces.
    ///
    /// SP 800-57 part 1, section 7.2: a key that was replaced is deactivated.
    /// So at most one version of a key protects, and an older one never comes
    /// back when a newer one is taken away.
    fn replace_older(&mut self, newer: VersionNumber, at: UnixSeconds) -> Result<()> {
        let older: Vec<_> = self
            .parts
            .versions
            .iter()
            .filter(|version| version.number < newer && version.state == KeyState::Active)
            .map(|version| version.number)
            .collect();
        for number in older {
            self.step_at(number, Event::Deactivate, Cause::Replaced, at)?;
        }
        Ok(())
    }

    /// Applies every date that has passed: activations, ends of periods, the
    /// key's expiry, ends of recovery grants. Destructions are left to
    /// [`Key::complete_destroy`], since material must go with them.
    fn settle(&mut self) -> Result<()> {
        let numbers = self.targets(Versions::All)?;
        for number in numbers {
            let version = self.version(number)?;
            if version.state == KeyState::PreActivation
                && !version.is_pending_destruction()
                && version.activate_at <= self.now
            {
                let at = version.activate_at;
                self.step_at(number, Event::Activate, Cause::ActivationDate, at)?;
            }
            let version = self.version(number)?;
            let (end, cause) = self.parts.protect_end(version);
            if version.state == KeyState::Active && end <= self.now {
                // Not before it began, where a rule was tightened.
                let at = end.max(version.activated_at.unwrap_or(end));
                self.step_at(number, Event::Deactivate, cause, at)?;
            }
            let now = self.now;
            let version = self.version_mut(number)?;
            if version
                .recovery_grant
                .as_ref()
                .is_some_and(|grant| grant.until <= now)
            {
                version.recovery_grant = None;
            }
        }
        Ok(())
    }
}
