//! Keys: making, bringing, changing and handing them out.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::terms::{KeyFormat, KeyState, KeyUse, RevocationReason, WrapMode};
use super::versions::VersionView;
use crate::{Bytes, Moment, SecretB64, SecretText};

/// A key's rules. In a request, a field left out keeps its default (when
/// creating) or its present value (when updating).
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rules {
    /// A version made now stays in pre-activation until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activate_at: Option<Moment>,
    /// How long a version protects after its activation (SP 800-57 part 1,
    /// section 5.3.3).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub originator_usage_period_seconds: Option<u64>,
    /// How long a version processes after its activation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipient_usage_period_seconds: Option<u64>,
    /// Rotate so long after a version came into use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotate_every_seconds: Option<u64>,
    /// Rotate by the clock: five fields as in crontab(5), or `@yearly`,
    /// `@monthly`, `@weekly`, `@daily`, `@hourly`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "0 3 1 * *")]
    pub rotate_at: Option<String>,
    /// The time zone that `rotate_at` is in, by the IANA's name; UTC if left
    /// out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "Europe/Berlin")]
    pub zone: Option<String>,
    /// Rotate when the material is so old, since it was made or brought in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotate_at_age_seconds: Option<u64>,
    /// Rotate after so many protecting uses of a version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotate_after_uses: Option<u64>,
    /// Rotate after a version encrypted so many bytes, each text counted in
    /// whole blocks of 16.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotate_after_bytes: Option<u64>,
    /// Rotate when this key of the namespace got a new version: `KEYRING/NAME`,
    /// or its identifier, which is what is answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotate_with: Option<String>,
    /// Rotate when one of these happens: `owner-left`, `holder-left`,
    /// `algorithm-withdrawn`. A list takes the place of the one before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rotate_on: Vec<String>,
    /// Over how many seconds rotations that are due at one time are spread;
    /// docs/rotation.md says what it is if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotate_spread_seconds: Option<u64>,
    /// Warn so long before a rotation by date, the end of a usage period or the
    /// key's expiry; 0 for not at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warn_before_seconds: Option<u64>,
    /// Warn at so many percent of the uses or bytes of a rotation; 0 for not at
    /// all, 80 if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warn_at_percent: Option<u8>,
    /// Schedule a version that was replaced for destruction so long after its
    /// recipient-usage period.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destroy_old_after_seconds: Option<u64>,
    /// The key no longer protects after then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Moment>,
    /// How long destruction waits and can be cancelled; seven days by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destroy_window_seconds: Option<u64>,
    /// Legacy permissions, by name; each is audited.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub legacy: Vec<String>,
    /// In a request: rules to take away, by name, before the others are set:
    /// `originator-usage-period`, `recipient-usage-period`, `rotate-every`,
    /// `rotate-at`, `rotate-at-age`, `rotate-after-uses`, `rotate-after-bytes`,
    /// `rotate-with`, `rotate-on`, `rotate-spread`, `warn-before`,
    /// `warn-at-percent`, `destroy-old-after`, `expires-at`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub without: Vec<String>,
}

/// Makes a key; the server chooses its material.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateKeyRequest {
    /// Its name within the keyring.
    #[schema(example = "orders")]
    pub name: String,
    /// The algorithm; the keyring's default if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "AES-256-GCM")]
    pub algorithm: Option<String>,
    /// What it may be used for; the keyring's default, or everything the
    /// algorithm does that may go together, if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uses: Option<Vec<KeyUse>>,
    /// Whether it may leave the server; cannot be changed to true later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exportable: Option<bool>,
    /// Who answers for it; the caller if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Free labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// Its rules; the keyring's default if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules: Option<Rules>,
}

/// Brings a key made elsewhere.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ImportKeyRequest {
    /// Its name within the keyring.
    pub name: String,
    /// The key's bytes in `format`, or the wrapped bytes when `wrapped_with`
    /// is given.
    pub key: SecretB64,
    /// How the (unwrapped) bytes are written; found out if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<KeyFormat>,
    /// The algorithm; must be given where the bytes do not say (raw bytes).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub algorithm: Option<String>,
    /// Opens an encrypted PKCS#8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passphrase: Option<SecretText>,
    /// The key here that unwraps the bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wrapped_with: Option<WrappingKey>,
    /// As in [`CreateKeyRequest`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uses: Option<Vec<KeyUse>>,
    /// As in [`CreateKeyRequest`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exportable: Option<bool>,
    /// As in [`CreateKeyRequest`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// As in [`CreateKeyRequest`].
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// As in [`CreateKeyRequest`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules: Option<Rules>,
}

/// Makes a key that is agreed on with the holder of another key (ECDH, X25519,
/// or finite-field Diffie-Hellman), as docs/agreement.md says. Neither the
/// private share nor the key leaves the server for it.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AgreeKeyRequest {
    /// The peer's public key.
    pub peer_public_key: Bytes,
    /// How it is written; found out if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer_format: Option<KeyFormat>,
    /// Who the peer is: bound into the key.
    #[schema(example = "bob@example.org")]
    pub peer_party: String,
    /// Who we are: bound into the key; `skms:NAMESPACE/KEYRING/KEY` of the key
    /// that agrees if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own_party: Option<String>,
    /// The hash under HKDF: SHA-256 if left out, SHA-384 or SHA-512.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
    /// HKDF's salt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub salt: Option<Bytes>,
    /// Our version; the newest if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// The new key's keyring; the agreeing key's if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keyring: Option<String>,
    /// The new key's name.
    pub name: String,
    /// The new key's algorithm, a symmetric one; the keyring's default if left
    /// out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub algorithm: Option<String>,
    /// As in [`CreateKeyRequest`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uses: Option<Vec<KeyUse>>,
    /// As in [`CreateKeyRequest`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exportable: Option<bool>,
    /// As in [`CreateKeyRequest`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// As in [`CreateKeyRequest`].
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// As in [`CreateKeyRequest`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules: Option<Rules>,
}

/// A key that was agreed on, and what its peer derives it with.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AgreeKeyResponse {
    /// The key.
    pub key: KeyView,
    /// The version of our key that agreed.
    pub version: u32,
    /// Who we are.
    pub own_party: String,
    /// What is bound into the key (docs/agreement.md): no secret.
    pub fixed_info: Bytes,
}

/// Makes a key that is derived from another one (HKDF), as docs/compromise.md
/// says. It stands and falls with that.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeriveKeyRequest {
    /// The version to derive from; the newest if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// What else is bound into the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<Bytes>,
    /// The new key's keyring; that of the key it is derived from if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keyring: Option<String>,
    /// The new key's name.
    pub name: String,
    /// The new key's algorithm, a symmetric one; the keyring's default if left
    /// out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub algorithm: Option<String>,
    /// As in [`CreateKeyRequest`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uses: Option<Vec<KeyUse>>,
    /// As in [`CreateKeyRequest`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exportable: Option<bool>,
    /// As in [`CreateKeyRequest`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// As in [`CreateKeyRequest`].
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// As in [`CreateKeyRequest`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules: Option<Rules>,
}

/// A key that was derived.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DeriveKeyResponse {
    /// The key.
    pub key: KeyView,
    /// The version that it was derived from.
    pub version: u32,
}

/// A key of the same namespace that wraps or unwraps another.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WrappingKey {
    /// The keyring it is in.
    pub keyring: String,
    /// Its name.
    pub name: String,
    /// Its version; the newest if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// How it wraps; `direct` if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<WrapMode>,
    /// The OAEP hash; SHA-256 if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oaep_hash: Option<String>,
    /// The OAEP MGF1 hash; the OAEP hash if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oaep_mgf_hash: Option<String>,
}

/// Changes what may be changed about a key. A field left out is not touched.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateKeyRequest {
    /// Rules to change; those left out stay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules: Option<Rules>,
    /// The whole new set of tags.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<BTreeMap<String, String>>,
    /// The new owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Versions below this no longer process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum_decrypt_version: Option<u32>,
    /// Versions below this no longer protect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum_encrypt_version: Option<u32>,
    /// The re-encryption job that shows that no ciphertext is left of a version
    /// below `minimum_decrypt_version`. Raising that needs this or `force`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_job: Option<String>,
    /// Raises `minimum_decrypt_version` whatever may be left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub force: Option<bool>,
}

/// A key: everything but its material.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct KeyView {
    /// Its lasting identifier: 128 bits, written as a UUID is.
    pub id: String,
    /// The namespace it lives in.
    pub namespace: String,
    /// The keyring it is in.
    pub keyring: String,
    /// Its name.
    pub name: String,
    /// Its algorithm.
    pub algorithm: String,
    /// What it may be used for.
    pub uses: Vec<KeyUse>,
    /// The state of its newest version.
    pub state: KeyState,
    /// When its newest version is destroyed, where that is scheduled; until then
    /// it does nothing, whatever its state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destroy_at: Option<Moment>,
    /// Its newest version.
    pub latest_version: u32,
    /// Versions below this do not process.
    pub minimum_decrypt_version: u32,
    /// Versions below this do not protect.
    pub minimum_encrypt_version: u32,
    /// Whether it may leave the server.
    pub exportable: bool,
    /// Who answers for it.
    pub owner: String,
    /// Free labels.
    pub tags: BTreeMap<String, String>,
    /// Its rules.
    pub rules: Rules,
    /// When it was made.
    pub created_at: Moment,
}

/// A key after an act, and the versions the act changed or made.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct KeyChange {
    /// The key as it now is.
    pub key: KeyView,
    /// The versions that changed.
    pub versions: Vec<VersionView>,
}

/// Adds a version.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RotateRequest {
    /// The algorithm of the new version, and of the key from then on; it has to
    /// do all that the key is for. The versions before keep theirs. The key's
    /// own if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub algorithm: Option<String>,
}

/// Suspends or resumes; all versions in a fitting state if none is named.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VersionRequest {
    /// The version; all that the act fits if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
}

/// Revokes one version, or all.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RevokeRequest {
    /// The reason; a compromise ends processing too.
    pub reason: RevocationReason,
    /// The version; all if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// A note for the record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// When a compromise is thought to have happened; now if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub occurred_at: Option<Moment>,
}

/// Permits processing with a compromised version for a while.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RecoveryGrantRequest {
    /// The version; all compromised ones if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// When the grant lapses.
    pub until: Moment,
    /// Why; kept in the record.
    pub reason: String,
}

/// Hands out the secret half of an exportable key.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExportRequest {
    /// The version; the newest if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// How to write it; raw for symmetric keys and PKCS#8 PEM for others if
    /// left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<KeyFormat>,
    /// Encrypts a PKCS#8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passphrase: Option<SecretText>,
    /// The key here that wraps what leaves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wrapped_with: Option<WrappingKey>,
}

/// A key that left the server.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct ExportResponse {
    /// Its bytes in `format`, wrapped if that was asked for.
    pub key: SecretB64,
    /// How the bytes (once unwrapped) are written.
    pub format: KeyFormat,
    /// Its algorithm.
    pub algorithm: String,
    /// Its version.
    pub version: u32,
}

/// Which public key to answer with, from the query string.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublicKeyQuery {
    /// The version; the newest if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// How to write it; `spki-pem` if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<KeyFormat>,
}

/// A public key.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct PublicKeyResponse {
    /// Its bytes in `format`.
    pub public_key: Bytes,
    /// How the bytes are written.
    pub format: KeyFormat,
    /// Its algorithm.
    pub algorithm: String,
    /// Its version.
    pub version: u32,
    /// SHA-256 of the SubjectPublicKeyInfo, lower-case hexadecimal.
    pub fingerprint: String,
}
