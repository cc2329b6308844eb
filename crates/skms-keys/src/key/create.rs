//! A new key.

use std::collections::BTreeMap;

use skms_crypto::{Algorithm, Uses};

use super::{Key, KeyParts};
use crate::change::{Change, Changed};
use crate::error::{Error, Result};
use crate::ids::{KeyId, KeyringId, NamespaceId};
use crate::name::Name;
use crate::rules::Rules;
use crate::time::UnixSeconds;
use crate::version::{NewVersion, Version, VersionNumber};

/// What the caller says about a key that is to be made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewKey {
    /// 128 bits from the caller's randomness.
    pub id: KeyId,
    /// The namespace it goes in.
    pub namespace: NamespaceId,
    /// The keyring it goes in.
    pub keyring: KeyringId,
    /// What it is called.
    pub name: Name,
    /// What its material is for.
    pub algorithm: Algorithm,
    /// What it may be used for.
    pub uses: Uses,
    /// Who answers for it; at most 256 bytes.
    pub owner: String,
    /// Free labels; at most 64, each and each value at most 256 bytes.
    pub tags: BTreeMap<String, String>,
    /// Whether its material may ever leave.
    pub exportable: bool,
    /// What holds for every version.
    pub rules: Rules,
    /// Its first version.
    pub first: NewVersion,
}

impl Key {
    /// Makes a key with one version, which waits for its activation date or
    /// is active at once (transitions 1 and 4).
    ///
    /// # Errors
    /// Rules, uses or fields that may not be; an expiry before the first use.
    pub fn create(new: NewKey, now: UnixSeconds) -> Result<Changed> {
        let first = Version::waiting(VersionNumber::FIRST, new.first, now);
        if new
            .rules
            .expires_at
            .is_some_and(|expiry| expiry <= now || expiry <= first.activate_at)
        {
            return Err(Error::InvalidRules("the key expires before its first use"));
        }
        let parts = KeyParts {
            id: new.id,
            namespace: new.namespace,
            keyring: new.keyring,
            name: new.name,
            algorithm: new.algorithm,
            uses: new.uses,
            owner: new.owner,
            tags: new.tags,
            exportable: new.exportable,
            rules: new.rules,
            versions: vec![first],
            minimum_decrypt_version: VersionNumber::FIRST,
            minimum_encrypt_version: VersionNumber::FIRST,
            followed: None,
            orphaned: false,
            created_at: now,
        };
        Change::create(parts, now).finish()
    }
}
