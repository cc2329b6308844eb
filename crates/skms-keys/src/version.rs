//! One version of a key: its state, its dates, and what was decided about it.

use std::fmt;

use skms_crypto::Algorithm;

use crate::due::Why;
use crate::ids::KeyId;
use crate::reason::RevocationReason;
use crate::state::KeyState;
use crate::time::UnixSeconds;

/// The number of a version in its key, from 1 and without gaps.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VersionNumber(pub u32);

impl VersionNumber {
    /// The version a key is created with.
    pub const FIRST: VersionNumber = VersionNumber(1);

    /// Where it is among a key's versions, counted from 0.
    pub(crate) fn place(self) -> Option<usize> {
        usize::try_from(self.0).ok()?.checked_sub(1)
    }
}

impl fmt::Display for VersionNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for VersionNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v{}", self.0)
    }
}

/// One version of a key, by the key's identifier: what dependents point at.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct VersionRef {
    /// The key.
    pub key: KeyId,
    /// The version.
    pub version: VersionNumber,
}

impl fmt::Display for VersionRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.key, self.version)
    }
}

/// How far the compromise of a version reaches among what depends on it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, PartialOrd, Ord)]
pub enum Taint {
    /// It stops with the version: its dependents stay in use.
    None,
    /// To those that depend on it by themselves, and no further.
    Direct,
    /// To everything that depends on it.
    #[default]
    All,
}

/// Where a version's material comes from.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Origin {
    /// Generated here, and never elsewhere unless exported.
    Generated,
    /// Brought in: somebody else has had it.
    Imported,
    /// Agreed on with a peer, who has it too, by Diffie-Hellman with a key
    /// that is here.
    Agreed {
        /// Our key.
        key: KeyId,
        /// Its version.
        version: VersionNumber,
        /// SHA-256 of the peer's public key.
        peer: [u8; 32],
    },
    /// Derived from a key that is here: who has that has this.
    Derived(VersionRef),
    /// Brought in wrapped by a key that is here: who has that and saw the
    /// wrapped form has this.
    Unwrapped(VersionRef),
}

impl Origin {
    /// The version of a key here that this material stands and falls with.
    #[must_use]
    pub const fn parent(&self) -> Option<VersionRef> {
        match *self {
            Self::Generated | Self::Imported => None,
            Self::Agreed { key, version, .. } => Some(VersionRef { key, version }),
            Self::Derived(parent) | Self::Unwrapped(parent) => Some(parent),
        }
    }
}

/// A revocation, as it was made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Revocation {
    /// Why.
    pub reason: RevocationReason,
    /// When it took effect.
    pub at: UnixSeconds,
    /// In words; may be empty, at most 1,024 bytes.
    pub message: String,
}

/// Leave to process with a compromised version, so that data is re-encrypted
/// and not lost.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RecoveryGrant {
    /// When it was given.
    pub granted_at: UnixSeconds,
    /// When it ends; the version may not process at this time or after it.
    pub until: UnixSeconds,
    /// Who gave it.
    pub granted_by: String,
    /// What for; at most 1,024 bytes.
    pub reason: String,
}

/// One version of a key.
///
/// All fields are readable, so that the engine can store it; only the acts of
/// [`crate::Key`] produce a changed one that a key accepts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Version {
    /// Its number in the key.
    pub number: VersionNumber,
    /// What its material is for, if the key changed its algorithm since; `None`
    /// for the key's. Ask [`crate::Key::algorithm_of`].
    pub algorithm: Option<Algorithm>,
    /// Its state, as last recorded. What it may do at a moment follows from
    /// the dates too: ask [`crate::Key::permit`].
    pub state: KeyState,
    /// When it was made or brought in.
    pub created_at: UnixSeconds,
    /// When it is to come into use, while it waits for that.
    pub activate_at: UnixSeconds,
    /// When it came into use.
    pub activated_at: Option<UnixSeconds>,
    /// When it was suspended, while it is.
    pub suspended_at: Option<UnixSeconds>,
    /// When it stopped protecting for good.
    pub deactivated_at: Option<UnixSeconds>,
    /// When it was marked compromised; kept after its destruction.
    pub compromised_at: Option<UnixSeconds>,
    /// When the compromise happened, as far as is known.
    pub compromise_occurred_at: Option<UnixSeconds>,
    /// When it is to be destroyed, while that can still be taken back.
    pub destroy_at: Option<UnixSeconds>,
    /// When its material was erased.
    pub destroyed_at: Option<UnixSeconds>,
    /// The revocation in force: the worst so far, see [`crate::Key::revoke`].
    pub revocation: Option<Revocation>,
    /// The recovery grant in force, in the compromised state only.
    pub recovery_grant: Option<RecoveryGrant>,
    /// How many uses have been handed out in blocks, as durably recorded. At
    /// least as many as were made.
    pub uses_reserved: u64,
    /// How many bytes to encrypt have been handed out in blocks, as durably
    /// recorded. At least as many as were encrypted, where they are counted.
    pub bytes_reserved: u64,
    /// The public key as a DER `SubjectPublicKeyInfo`; `None` for a symmetric
    /// key. Kept after the destruction, to know the key by.
    pub public_spki: Option<Vec<u8>>,
    /// SHA-256 of the public key, if there is one.
    pub fingerprint: Option<[u8; 32]>,
    /// Where the material comes from.
    pub origin: Origin,
    /// Versions of keys here under which the material left the house.
    pub wrapped_by: Vec<VersionRef>,
    /// Compromised versions that it depends on and that do not count against
    /// it, since policy stopped their cascade here.
    pub spared_from: Vec<VersionRef>,
    /// How far its own compromise reaches, if it is.
    pub taint: Taint,
    /// What of its dates and counts was warned of.
    pub warned: Vec<Why>,
    /// What called for it, by the caller's short digests: each calls once.
    pub made_for: Vec<[u8; 16]>,
}

/// What the caller says about a version that is to be made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewVersion {
    /// When it is to come into use; `None` for at once.
    pub activate_at: Option<UnixSeconds>,
    /// The public key as a DER `SubjectPublicKeyInfo`, if there is one.
    pub public_spki: Option<Vec<u8>>,
    /// SHA-256 of the public key, if there is one.
    pub fingerprint: Option<[u8; 32]>,
    /// Where the material comes from.
    pub origin: Origin,
    /// How often an imported key protected data elsewhere, as far as is
    /// known: it counts against the limit of the algorithm.
    pub uses_elsewhere: u64,
}

impl NewVersion {
    /// A version generated here, with no public half, in use at once.
    #[must_use]
    pub const fn generated() -> Self {
        Self {
            activate_at: None,
            public_spki: None,
            fingerprint: None,
            origin: Origin::Generated,
            uses_elsewhere: 0,
        }
    }
}

impl Version {
    /// A version before its activation; the key activates it.
    pub(crate) fn waiting(number: VersionNumber, new: NewVersion, now: UnixSeconds) -> Self {
        Self {
            number,
            algorithm: None,
            state: KeyState::PreActivation,
            created_at: now,
            // A date that is past means at once: no version was in use before
            // it was made.
            activate_at: new.activate_at.map_or(now, |at| at.max(now)),
            activated_at: None,
            suspended_at: None,
            deactivated_at: None,
            compromised_at: None,
            compromise_occurred_at: None,
            destroy_at: None,
            destroyed_at: None,
            revocation: None,
            recovery_grant: None,
            uses_reserved: new.uses_elsewhere,
            bytes_reserved: 0,
            public_spki: new.public_spki,
            fingerprint: new.fingerprint,
            origin: new.origin,
            wrapped_by: Vec::new(),
            spared_from: Vec::new(),
            taint: Taint::All,
            warned: Vec::new(),
            made_for: Vec::new(),
        }
    }

    /// The versions of keys here whose compromise is this one's, too: what its
    /// material comes from, and what it left the house under.
    pub fn parents(&self) -> impl Iterator<Item = VersionRef> + '_ {
        let others = self.wrapped_by.iter().copied();
        self.origin.parent().into_iter().chain(others)
    }

    /// Whether its dependents are to be refused for its sake.
    #[must_use]
    pub const fn taints(&self) -> bool {
        self.compromised_at.is_some() && !matches!(self.taint, Taint::None)
    }

    /// Whether its destruction is scheduled and can still be taken back.
    #[must_use]
    pub const fn is_pending_destruction(&self) -> bool {
        self.destroy_at.is_some()
    }

    /// Whether somebody else has to confirm it first: see
    /// [`crate::Key::await_confirmation`]. Its destruction is scheduled
    /// meanwhile, and only the confirmation takes that back.
    #[must_use]
    pub fn awaits_confirmation(&self) -> bool {
        self.state == KeyState::PreActivation
            && self.activate_at == UnixSeconds::NEVER
            && self.destroy_at.is_some()
    }

    /// Whether it was destroyed, or will be, as a key that others may know.
    #[must_use]
    pub const fn is_compromised(&self) -> bool {
        self.compromised_at.is_some()
    }

    /// Checks that the state and the dates agree.
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        let holds = match self.state {
            KeyState::PreActivation => self.activated_at.is_none() && self.deactivated_at.is_none(),
            KeyState::Active => self.activated_at.is_some() && self.deactivated_at.is_none(),
            KeyState::Suspended => true,
            KeyState::Deactivated => self.deactivated_at.is_some(),
            KeyState::Compromised => self.compromised_at.is_some(),
            KeyState::Destroyed => self.destroyed_at.is_some() && self.destroy_at.is_none(),
        };
        let is = |state: KeyState| self.state == state;
        if !holds {
            return Err("a version's state and dates disagree");
        }
        if is(KeyState::Suspended) != self.suspended_at.is_some() {
            return Err("a version is suspended without a date, or has one and is not");
        }
        if self.destroyed_at.is_some() && !is(KeyState::Destroyed) {
            return Err("a destroyed version is back");
        }
        if self.compromised_at.is_some() && !is(KeyState::Compromised) && !is(KeyState::Destroyed) {
            return Err("a compromised version is back");
        }
        if self.recovery_grant.is_some() && !is(KeyState::Compromised) {
            return Err("a recovery grant on a version that is not compromised");
        }
        Ok(())
    }
}
