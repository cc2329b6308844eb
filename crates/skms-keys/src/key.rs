//! A key: versions under one name, and the rules they share. They are of one
//! algorithm until a rotation changes it, and each keeps its own.
//!
//! Each act is in a file of its own, takes the key as it is and the time, and
//! gives the key as it becomes and the steps its versions took; nothing is
//! changed in place. Acts first apply every date that has passed.

use std::collections::BTreeMap;
use std::ops::Deref;

use skms_crypto::{Algorithm, Uses};

use crate::change::Cause;
use crate::error::{Error, Result};
use crate::ids::{KeyId, KeyringId, NamespaceId};
use crate::name::Name;
use crate::operation::Operation;
use crate::permissions::{Permission, permission};
use crate::permits::{VersionPermits, Window};
use crate::rules::Rules;
use crate::state::{KeyState, OperationClass};
use crate::time::UnixSeconds;
use crate::version::{Version, VersionNumber};

mod activate;
mod confirm;
mod create;
mod destroy;
mod expire;
mod follow;
mod lineage;
mod minimum;
mod recover;
mod revoke;
mod rotate;
mod suspend;
mod update;

pub use create::NewKey;
pub use lineage::MAX_WRAPPINGS;
pub use recover::MAX_RECOVERY_SECONDS;
pub use revoke::Revoke;
pub use update::KeyUpdate;

/// The most versions a key may have: each change of a key looks at all of them.
pub const MAX_VERSIONS: u32 = 10_000;
/// The most tags a key may have.
pub const MAX_TAGS: usize = 64;
/// The longest tag, tag value or owner, in bytes.
pub const MAX_FIELD_LEN: usize = 256;
/// The longest message or reason, in bytes.
pub const MAX_MESSAGE_LEN: usize = 1024;

/// Everything a key is made of, to store it and to build it again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeyParts {
    /// Names it for ever.
    pub id: KeyId,
    /// The namespace it is in.
    pub namespace: NamespaceId,
    /// The keyring it is in.
    pub keyring: KeyringId,
    /// What it is called; one of a kind in its keyring.
    pub name: Name,
    /// What the material of its newest version is for, and of the next one. Older
    /// versions may be of others: [`KeyParts::algorithm_of`].
    pub algorithm: Algorithm,
    /// What it may be used for.
    pub uses: Uses,
    /// Who answers for it.
    pub owner: String,
    /// Free labels, for policies and people.
    pub tags: BTreeMap<String, String>,
    /// Whether its material may ever leave.
    pub exportable: bool,
    /// What holds for every version.
    pub rules: Rules,
    /// Its versions, oldest first, numbered from 1 without gaps.
    pub versions: Vec<Version>,
    /// Older versions neither process nor protect.
    pub minimum_decrypt_version: VersionNumber,
    /// Older versions do not protect.
    pub minimum_encrypt_version: VersionNumber,
    /// The version of the key by [`Rules::rotate_with`] that this one last
    /// followed; `None` until it is first looked at.
    pub followed: Option<VersionNumber>,
    /// Whether its owner left, and the key was rotated or is to be rotated for
    /// that ([`crate::Occasion::OwnerLeft`]). Until the owner is back, or is
    /// another, this is answered.
    pub orphaned: bool,
    /// When it was made.
    pub created_at: UnixSeconds,
}

/// A key whose parts belong together.
///
/// Its parts can be read through it and changed by its acts only.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Key(KeyParts);

/// Leave for one operation with one version, now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub struct Permit {
    /// The version to use.
    pub version: VersionNumber,
    /// What the operation counts as.
    pub class: OperationClass,
}

impl Deref for Key {
    type Target = KeyParts;

    fn deref(&self) -> &KeyParts {
        &self.0
    }
}

impl Key {
    /// A key from its stored parts.
    ///
    /// # Errors
    /// [`Error::InvalidParts`], or the error of the field, for parts that no
    /// act could have produced.
    pub fn from_parts(parts: KeyParts) -> Result<Self> {
        parts.check()?;
        Ok(Self(parts))
    }

    /// Its parts, to look at.
    #[must_use]
    pub const fn parts(&self) -> &KeyParts {
        &self.0
    }

    /// Its parts, to keep.
    #[must_use]
    pub fn into_parts(self) -> KeyParts {
        self.0
    }

    /// Leave for `operation`, with the version named or, where `version` is
    /// `None`, with the newest that may do it now.
    ///
    /// # Errors
    /// Why not: the key's uses, the version's state, its dates, a pending
    /// destruction, or the minimum versions.
    pub fn permit(
        &self,
        operation: Operation,
        version: Option<VersionNumber>,
        now: UnixSeconds,
    ) -> Result<Permit> {
        self.check_use(operation)?;
        let class = match version {
            Some(_) => operation.class_of_named(),
            None => operation.class(),
        };
        let found = match version {
            Some(number) => self.version(number)?,
            None => self
                .version_for(class, now)
                .map_or_else(|| self.newest(), |number| self.version(number))?,
        };
        if !self.permits_of(found).allows(class, now) {
            return Err(self.refusal(found, operation, class, now));
        }
        if found.state == KeyState::Compromised && !operation.may_recover() {
            return Err(self.state_forbids(found, operation));
        }
        Ok(Permit {
            version: found.number,
            class,
        })
    }

    /// The newest version that may do operations of `class` at `now`.
    #[must_use]
    pub fn version_for(&self, class: OperationClass, now: UnixSeconds) -> Option<VersionNumber> {
        self.versions
            .iter()
            .rev()
            .find(|version| self.permits_of(version).allows(class, now))
            .map(|version| version.number)
    }

    /// What a version may do and when, for the hot path.
    ///
    /// # Errors
    /// [`Error::UnknownVersion`].
    pub fn version_permits(&self, number: VersionNumber) -> Result<VersionPermits> {
        Ok(self.permits_of(self.version(number)?))
    }

    /// Whether a version protects no more only because a newer one took its
    /// place: whoever had begun to use it then may end.
    #[must_use]
    pub fn is_superseded(&self, number: VersionNumber) -> bool {
        let newer = |newer: &Version| newer.number > number && newer.activated_at.is_some();
        self.version(number).is_ok_and(|version| {
            version.state == KeyState::Deactivated
                && version.revocation.is_none()
                && !version.is_pending_destruction()
        }) && self.versions.iter().any(newer)
    }

    /// Checks that the record may be deleted: every version is destroyed.
    ///
    /// # Errors
    /// [`Error::NotDestroyed`].
    pub fn check_deletable(&self) -> Result<()> {
        if self
            .versions
            .iter()
            .any(|version| version.state != KeyState::Destroyed)
        {
            return Err(Error::NotDestroyed { key: self.id });
        }
        Ok(())
    }

    /// Checks that the key was made for `operation`, whatever its state.
    ///
    /// # Errors
    /// [`Error::UseForbidden`] or [`Error::NotExportable`].
    pub fn check_use(&self, operation: Operation) -> Result<()> {
        if operation == Operation::Export {
            if !self.exportable {
                return Err(Error::NotExportable { key: self.id });
            }
        } else if self.uses.intersection(operation.needed_uses()).is_empty() {
            return Err(Error::UseForbidden {
                key: self.id,
                operation,
            });
        }
        Ok(())
    }

    fn permits_of(&self, version: &Version) -> VersionPermits {
        if version.is_pending_destruction() {
            return VersionPermits::NONE;
        }
        VersionPermits {
            protect: self.protect_window(version),
            process: self.process_window(version),
        }
    }

    fn protect_window(&self, version: &Version) -> Window {
        if version.number < self.minimum_for(OperationClass::Protect) {
            return Window::CLOSED;
        }
        let (state, from) = effective(version);
        match permission(state, OperationClass::Protect) {
            Permission::Allowed => {
                let (end, _) = self.protect_end(version);
                Window {
                    from,
                    until: end.min(self.replaced_at(version)),
                }
            }
            Permission::Refused | Permission::UnderRecoveryGrant => Window::CLOSED,
        }
    }

    fn process_window(&self, version: &Version) -> Window {
        if version.number < self.minimum_for(OperationClass::Process) {
            return Window::CLOSED;
        }
        let (state, from) = effective(version);
        match permission(state, OperationClass::Process) {
            Permission::Allowed => {
                // Never in use, so there is nothing it could process.
                let Some(began) = began(version) else {
                    return Window::CLOSED;
                };
                let until = self
                    .rules
                    .recipient_usage_period_seconds
                    .map_or(UnixSeconds::NEVER, |period| began.plus(period));
                Window { from, until }
            }
            Permission::UnderRecoveryGrant => match &version.recovery_grant {
                Some(grant) => Window {
                    from: UnixSeconds::MIN,
                    until: grant.until,
                },
                None => Window::CLOSED,
            },
            Permission::Refused => Window::CLOSED,
        }
    }

    /// When the next version, which waits for its date, takes over.
    fn replaced_at(&self, version: &Version) -> UnixSeconds {
        self.versions
            .iter()
            .filter(|newer| newer.number > version.number)
            .filter(|newer| newer.state == KeyState::PreActivation)
            .filter(|newer| !newer.is_pending_destruction())
            .map(|newer| newer.activate_at)
            .min()
            .unwrap_or(UnixSeconds::NEVER)
    }

    /// Why a version may not do an operation at `now`.
    fn refusal(
        &self,
        version: &Version,
        operation: Operation,
        class: OperationClass,
        now: UnixSeconds,
    ) -> Error {
        let (key, number) = (self.id, version.number);
        if let Some(destroy_at) = version.destroy_at {
            return Error::PendingDestruction {
                key,
                version: number,
                destroy_at,
                operation,
            };
        }
        let (state, from) = effective(version);
        let by_state = match permission(state, class) {
            Permission::Allowed => from > now || began(version).is_none(),
            Permission::Refused | Permission::UnderRecoveryGrant => true,
        };
        if by_state {
            return self.state_forbids(version, operation);
        }
        let minimum = self.minimum_for(class);
        if number < minimum {
            return Error::BelowMinimum {
                key,
                version: number,
                minimum,
                class,
            };
        }
        Error::OutsidePeriod {
            key,
            version: number,
            class,
        }
    }

    fn state_forbids(&self, version: &Version, operation: Operation) -> Error {
        Error::StateForbids {
            key: self.id,
            version: version.number,
            state: version.state,
            operation,
        }
    }
}

/// A version's state and the time since which it holds, with its activation
/// date taken in: nobody has to record that for it to happen.
fn effective(version: &Version) -> (KeyState, UnixSeconds) {
    match version.state {
        KeyState::PreActivation => (KeyState::Active, version.activate_at),
        other => (other, UnixSeconds::MIN),
    }
}

/// When a version came, or will come, into use; `None` if never.
fn began(version: &Version) -> Option<UnixSeconds> {
    match version.state {
        KeyState::PreActivation => Some(version.activate_at),
        _ => version.activated_at,
    }
}

impl KeyParts {
    /// A version by its number.
    ///
    /// # Errors
    /// [`Error::UnknownVersion`].
    pub fn version(&self, number: VersionNumber) -> Result<&Version> {
        // They are numbered from 1 without gaps.
        let found = number.place().and_then(|place| self.versions.get(place));
        found
            .filter(|version| version.number == number)
            .ok_or(Error::UnknownVersion {
                key: self.id,
                version: number,
            })
    }

    /// What a version's material is for. A version that is not there yet will be
    /// of the key's algorithm.
    #[must_use]
    pub fn algorithm_of(&self, number: VersionNumber) -> Algorithm {
        let found = self.version(number).ok();
        found.map_or(self.algorithm, |version| self.algorithm_in(version))
    }

    /// As [`KeyParts::algorithm_of`], of a version of this key.
    pub(crate) fn algorithm_in(&self, version: &Version) -> Algorithm {
        version.algorithm.unwrap_or(self.algorithm)
    }

    /// The newest version, whatever its state.
    ///
    /// # Errors
    /// None for a [`Key`], which has at least one.
    pub fn newest(&self) -> Result<&Version> {
        self.versions
            .last()
            .ok_or(Error::InvalidParts("a key without versions"))
    }

    /// The oldest version that may do operations of `class`. What could not
    /// be processed afterwards is not protected either.
    #[must_use]
    pub fn minimum_for(&self, class: OperationClass) -> VersionNumber {
        match class {
            OperationClass::Process => self.minimum_decrypt_version,
            OperationClass::Protect => self
                .minimum_encrypt_version
                .max(self.minimum_decrypt_version),
        }
    }

    /// When a version stops protecting by its key's rules, and which rule.
    pub(crate) fn protect_end(&self, version: &Version) -> (UnixSeconds, Cause) {
        let expiry = self.rules.expires_at.unwrap_or(UnixSeconds::NEVER);
        let period = self
            .rules
            .originator_usage_period_seconds
            .zip(began(version))
            .map_or(UnixSeconds::NEVER, |(period, began)| began.plus(period));
        if expiry < period {
            (expiry, Cause::Expired)
        } else {
            (period, Cause::PeriodEnded)
        }
    }

    fn check(&self) -> Result<()> {
        self.rules.check()?;
        self.rules.check_uses(self.algorithm, self.uses)?;
        check_text("owner", &self.owner, MAX_FIELD_LEN)?;
        check_tags(&self.tags)?;
        self.check_versions().map_err(Error::InvalidParts)
    }

    fn check_versions(&self) -> std::result::Result<(), &'static str> {
        let newest = self.versions.last().ok_or("a key without versions")?;
        for (expected, version) in (1..).zip(&self.versions) {
            if version.number != VersionNumber(expected) {
                return Err("versions are not numbered from 1 without gaps");
            }
            version.check()?;
            let algorithm = self.algorithm_in(version);
            if version.number == newest.number && algorithm != self.algorithm {
                return Err("the newest version is not of the key's algorithm");
            }
            if self.unfit(algorithm).is_some() {
                return Err("a version's algorithm does not do what the key is for");
            }
            if version.state == KeyState::PreActivation && version.number != newest.number {
                return Err("a version waits for its activation behind a newer one");
            }
            if algorithm
                .row()
                .max_random_nonce_uses
                .is_some_and(|limit| version.uses_reserved > limit)
            {
                return Err("a version has more uses than its algorithm allows");
            }
        }
        let in_use = self
            .versions
            .iter()
            .rposition(|version| version.activated_at.is_some());
        let active = |at: usize| {
            self.versions
                .get(at)
                .is_some_and(|version| version.state == KeyState::Active)
        };
        if (0..self.versions.len()).any(|at| active(at) && Some(at) != in_use) {
            return Err("a version that was replaced is active");
        }
        let minimums = [self.minimum_decrypt_version, self.minimum_encrypt_version];
        if minimums
            .iter()
            .any(|&minimum| minimum < VersionNumber::FIRST || minimum > newest.number)
        {
            return Err("a minimum version does not exist");
        }
        Ok(())
    }
}

/// Checks a text that is stored and shown: bounded, no control characters.
pub(crate) fn check_text(what: &'static str, text: &str, limit: usize) -> Result<()> {
    if text.len() > limit {
        return Err(Error::InvalidField {
            what,
            why: "it is too long",
        });
    }
    if text.chars().any(char::is_control) {
        return Err(Error::InvalidField {
            what,
            why: "it has control characters",
        });
    }
    Ok(())
}

fn check_tags(tags: &BTreeMap<String, String>) -> Result<()> {
    if tags.len() > MAX_TAGS {
        return Err(Error::InvalidField {
            what: "tags",
            why: "there are more than 64",
        });
    }
    for (tag, value) in tags {
        if tag.is_empty() {
            return Err(Error::InvalidField {
                what: "tag",
                why: "it is empty",
            });
        }
        check_text("tag", tag, MAX_FIELD_LEN)?;
        check_text("tag value", value, MAX_FIELD_LEN)?;
    }
    Ok(())
}
