//! A key: its metadata, with every version's state. The secret material of a
//! version is a record of its own, found by [`material_name`].

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use skms_keys::{
    Key, KeyId, KeyParts, KeyringId, Name, NamespaceId, Origin, RecoveryGrant, Revocation, Taint,
    UnixSeconds, Version, VersionNumber, VersionRef, Why,
};
use skms_store::{Kind, RecordId};

use super::rules::RulesRecord;
use super::{Record, unhex, uses_from, uses_names};
use crate::error::{Error, Result};
use crate::sessions::hex;

/// A key's record; its namespace is the scope it lives in.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct KeyRecord {
    keyring: String,
    name: String,
    algorithm: String,
    uses: Vec<String>,
    owner: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    tags: BTreeMap<String, String>,
    exportable: bool,
    rules: RulesRecord,
    versions: Vec<VersionRecord>,
    minimum_decrypt_version: u32,
    minimum_encrypt_version: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    followed: Option<u32>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    orphaned: bool,
    created_at: i64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct VersionRecord {
    number: u32,
    /// Where it is not the key's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    algorithm: Option<String>,
    state: String,
    created_at: i64,
    activate_at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    activated_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    suspended_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    deactivated_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    compromised_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    compromise_occurred_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    destroy_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    destroyed_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    revocation: Option<RevocationRecord>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    recovery_grant: Option<GrantRecord>,
    uses_reserved: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    bytes_reserved: u64,
    /// DER of the public key, in hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    public_spki: Option<String>,
    imported: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    agreed: Option<AgreedRecord>,
    /// What it was derived from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    derived: Option<VersionRecordRef>,
    /// What unwrapped it when it was brought in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unwrapped: Option<VersionRecordRef>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    wrapped_by: Vec<VersionRecordRef>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    spared_from: Vec<VersionRecordRef>,
    /// How far a compromise reaches: `none` or `direct`, where not to all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    taint: Option<String>,
    /// What of its dates and counts was warned of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    warned: Vec<String>,
    /// What called for it, in hex.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    made_for: Vec<String>,
}

/// For serde, which hands numbers over by reference.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// A version of another key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct VersionRecordRef {
    key: String,
    version: u32,
}

impl From<VersionRef> for VersionRecordRef {
    fn from(of: VersionRef) -> Self {
        Self {
            key: of.key.to_string(),
            version: of.version.0,
        }
    }
}

impl VersionRecordRef {
    pub(crate) fn into_domain(self) -> Result<VersionRef> {
        Ok(VersionRef {
            key: self.key.parse().map_err(|_| damaged("another key"))?,
            version: VersionNumber(self.version),
        })
    }
}

fn refs(of: &[VersionRef]) -> Vec<VersionRecordRef> {
    of.iter().copied().map(VersionRecordRef::from).collect()
}

fn read_refs(of: Vec<VersionRecordRef>) -> Result<Vec<VersionRef>> {
    of.into_iter().map(VersionRecordRef::into_domain).collect()
}

/// By which key, and with whom, a version was agreed on.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct AgreedRecord {
    key: String,
    version: u32,
    /// SHA-256 of the peer's public key, in hex.
    peer: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct RevocationRecord {
    reason: String,
    at: i64,
    message: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct GrantRecord {
    granted_at: i64,
    until: i64,
    granted_by: String,
    reason: String,
}

impl Record for KeyRecord {
    const KIND: Kind = Kind::Key;
}

/// The name a key is looked up by in its namespace.
pub(crate) fn key_name(keyring: KeyringId, name: &str) -> String {
    format!("{keyring}/{name}")
}

/// The name a version's material is looked up by in its namespace.
pub(crate) fn material_name(key: KeyId, version: VersionNumber) -> String {
    format!("{key}/{version}")
}

impl From<&Key> for KeyRecord {
    fn from(key: &Key) -> Self {
        Self {
            keyring: key.keyring.to_string(),
            name: key.name.as_str().to_owned(),
            algorithm: key.algorithm.name().to_owned(),
            uses: uses_names(key.uses),
            owner: key.owner.clone(),
            tags: key.tags.clone(),
            exportable: key.exportable,
            rules: RulesRecord::from(&key.rules),
            versions: key.versions.iter().map(VersionRecord::from).collect(),
            minimum_decrypt_version: key.minimum_decrypt_version.0,
            minimum_encrypt_version: key.minimum_encrypt_version.0,
            followed: key.followed.map(|version| version.0),
            orphaned: key.orphaned,
            created_at: key.created_at.0,
        }
    }
}

impl From<&Version> for VersionRecord {
    fn from(version: &Version) -> Self {
        let seconds = |at: Option<UnixSeconds>| at.map(|at| at.0);
        Self {
            number: version.number.0,
            algorithm: version.algorithm.map(|one| one.name().to_owned()),
            state: version.state.name().to_owned(),
            created_at: version.created_at.0,
            activate_at: version.activate_at.0,
            activated_at: seconds(version.activated_at),
            suspended_at: seconds(version.suspended_at),
            deactivated_at: seconds(version.deactivated_at),
            compromised_at: seconds(version.compromised_at),
            compromise_occurred_at: seconds(version.compromise_occurred_at),
            destroy_at: seconds(version.destroy_at),
            destroyed_at: seconds(version.destroyed_at),
            revocation: version
                .revocation
                .as_ref()
                .map(|revocation| RevocationRecord {
                    reason: revocation.reason.name().to_owned(),
                    at: revocation.at.0,
                    message: revocation.message.clone(),
                }),
            recovery_grant: version.recovery_grant.as_ref().map(|grant| GrantRecord {
                granted_at: grant.granted_at.0,
                until: grant.until.0,
                granted_by: grant.granted_by.clone(),
                reason: grant.reason.clone(),
            }),
            uses_reserved: version.uses_reserved,
            bytes_reserved: version.bytes_reserved,
            public_spki: version.public_spki.as_deref().map(hex),
            imported: matches!(version.origin, Origin::Imported | Origin::Unwrapped(_)),
            agreed: match &version.origin {
                Origin::Agreed { key, version, peer } => Some(AgreedRecord {
                    key: key.to_string(),
                    version: version.0,
                    peer: hex(peer),
                }),
                _ => None,
            },
            derived: match version.origin {
                Origin::Derived(parent) => Some(parent.into()),
                _ => None,
            },
            unwrapped: match version.origin {
                Origin::Unwrapped(parent) => Some(parent.into()),
                _ => None,
            },
            wrapped_by: refs(&version.wrapped_by),
            spared_from: refs(&version.spared_from),
            taint: taint_name(version.taint).map(str::to_owned),
            warned: version
                .warned
                .iter()
                .map(|why| why.name().to_owned())
                .collect(),
            made_for: version.made_for.iter().map(|event| hex(event)).collect(),
        }
    }
}

/// The name of a reach, if it is not the usual one.
pub(crate) const fn taint_name(taint: Taint) -> Option<&'static str> {
    match taint {
        Taint::None => Some("none"),
        Taint::Direct => Some("direct"),
        Taint::All => None,
    }
}

/// The reach of that name.
pub(crate) fn taint_from(name: Option<&str>) -> Result<Taint> {
    match name {
        None => Ok(Taint::All),
        Some("direct") => Ok(Taint::Direct),
        Some("none") => Ok(Taint::None),
        Some(_) => Err(damaged("taint")),
    }
}

fn damaged(reason: &str) -> Error {
    Error::Record {
        kind: "key",
        reason: reason.to_owned(),
    }
}

impl KeyRecord {
    pub(crate) fn into_domain(self, id: RecordId, namespace: NamespaceId) -> Result<Key> {
        let keyring: KeyringId = self.keyring.parse().map_err(|_| damaged("keyring"))?;
        let versions: Result<Vec<Version>> = self
            .versions
            .into_iter()
            .map(VersionRecord::into_domain)
            .collect();
        Ok(Key::from_parts(KeyParts {
            id: KeyId(id.0),
            namespace,
            keyring,
            name: Name::new(&self.name).map_err(|_| damaged("name"))?,
            algorithm: self.algorithm.parse().map_err(|_| damaged("algorithm"))?,
            uses: uses_from(&self.uses).ok_or_else(|| damaged("uses"))?,
            owner: self.owner,
            tags: self.tags,
            exportable: self.exportable,
            rules: self.rules.into_domain()?,
            versions: versions?,
            minimum_decrypt_version: VersionNumber(self.minimum_decrypt_version),
            minimum_encrypt_version: VersionNumber(self.minimum_encrypt_version),
            followed: self.followed.map(VersionNumber),
            orphaned: self.orphaned,
            created_at: UnixSeconds(self.created_at),
        })?)
    }
}

impl VersionRecord {
    fn into_domain(self) -> Result<Version> {
        let at = |seconds: Option<i64>| seconds.map(UnixSeconds);
        let public_spki = self
            .public_spki
            .map(|text| unhex(&text).ok_or_else(|| damaged("public_spki")))
            .transpose()?;
        let fingerprint = public_spki
            .as_deref()
            .map(|spki| skms_crypto::Hash::Sha256.digest(spki))
            .and_then(|digest| digest.try_into().ok());
        Ok(Version {
            number: VersionNumber(self.number),
            algorithm: self
                .algorithm
                .map(|name| name.parse().map_err(|_| damaged("algorithm")))
                .transpose()?,
            state: self.state.parse().map_err(|_| damaged("state"))?,
            created_at: UnixSeconds(self.created_at),
            activate_at: UnixSeconds(self.activate_at),
            activated_at: at(self.activated_at),
            suspended_at: at(self.suspended_at),
            deactivated_at: at(self.deactivated_at),
            compromised_at: at(self.compromised_at),
            compromise_occurred_at: at(self.compromise_occurred_at),
            destroy_at: at(self.destroy_at),
            destroyed_at: at(self.destroyed_at),
            revocation: self
                .revocation
                .map(|record| {
                    Ok::<_, Error>(Revocation {
                        reason: record.reason.parse().map_err(|_| damaged("reason"))?,
                        at: UnixSeconds(record.at),
                        message: record.message,
                    })
                })
                .transpose()?,
            recovery_grant: self.recovery_grant.map(|record| RecoveryGrant {
                granted_at: UnixSeconds(record.granted_at),
                until: UnixSeconds(record.until),
                granted_by: record.granted_by,
                reason: record.reason,
            }),
            uses_reserved: self.uses_reserved,
            bytes_reserved: self.bytes_reserved,
            public_spki,
            fingerprint,
            origin: match (self.agreed, self.derived, self.unwrapped, self.imported) {
                (Some(agreed), ..) => agreed.into_domain()?,
                (_, Some(parent), ..) => Origin::Derived(parent.into_domain()?),
                (_, _, Some(parent), _) => Origin::Unwrapped(parent.into_domain()?),
                (.., true) => Origin::Imported,
                (.., false) => Origin::Generated,
            },
            wrapped_by: read_refs(self.wrapped_by)?,
            spared_from: read_refs(self.spared_from)?,
            taint: taint_from(self.taint.as_deref())?,
            warned: self
                .warned
                .iter()
                .map(|name| Why::from_name(name))
                .collect::<Option<_>>()
                .ok_or_else(|| damaged("warned"))?,
            made_for: self
                .made_for
                .iter()
                .map(|event| unhex(event).and_then(|event| event.try_into().ok()))
                .collect::<Option<_>>()
                .ok_or_else(|| damaged("made_for"))?,
        })
    }
}

impl AgreedRecord {
    fn into_domain(self) -> Result<Origin> {
        let peer = unhex(&self.peer).and_then(|digest| digest.try_into().ok());
        Ok(Origin::Agreed {
            key: self.key.parse().map_err(|_| damaged("agreed"))?,
            version: VersionNumber(self.version),
            peer: peer.ok_or_else(|| damaged("agreed"))?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As it was written before versions had algorithms of their own.
    const OLDER: &str = r#"{
        "keyring": "00000000-0000-0000-0000-000000000002", "name": "card",
        "algorithm": "AES-128-GCM", "uses": ["encrypt", "decrypt"], "owner": "ann",
        "exportable": false, "rules": {"destroy_window_seconds": 604800},
        "versions": [
            {"number": 1, "state": "deactivated", "created_at": 1, "activate_at": 1,
             "activated_at": 1, "deactivated_at": 2, "uses_reserved": 256, "imported": false},
            {"number": 2, "state": "active", "created_at": 2, "activate_at": 2,
             "activated_at": 2, "uses_reserved": 0, "imported": false}
        ],
        "minimum_decrypt_version": 1, "minimum_encrypt_version": 1, "created_at": 1
    }"#;

    fn read(text: &str) -> Result<Key> {
        let record: KeyRecord = serde_json::from_str(text).unwrap();
        record.into_domain(RecordId([3; 16]), NamespaceId([1; 16]))
    }

    #[test]
    fn records_from_before_are_read_and_algorithms_kept() {
        use skms_crypto::Algorithm::{Aes128Gcm, Aes256Gcm};
        let key = read(OLDER).unwrap();
        let of = |key: &Key, number| key.algorithm_of(VersionNumber(number));
        assert_eq!([of(&key, 1), of(&key, 2)], [Aes128Gcm, Aes128Gcm]);
        // What says nothing of it is written as before.
        let written = serde_json::to_string(&KeyRecord::from(&key)).unwrap();
        assert_eq!(written.matches("algorithm").count(), 1);
        let new = skms_keys::NewVersion::generated();
        let (key, _) = key.rotate_into(Aes256Gcm, new, UnixSeconds(3)).unwrap();
        let written = serde_json::to_string(&KeyRecord::from(&key)).unwrap();
        let back = read(&written).unwrap();
        assert_eq!(back, key);
        assert_eq!(
            [of(&back, 1), of(&back, 2), of(&back, 3)],
            [Aes128Gcm, Aes128Gcm, Aes256Gcm]
        );
        let odd = written.replace("AES-128-GCM", "ROT-13");
        assert!(read(&odd).is_err());
    }
}
