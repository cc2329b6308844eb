//! SSH certificate authorities, their roles and their certificates.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Bytes, Moment};

/// Whom certificates are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum SshCertificateType {
    /// People and programs that log in.
    User,
    /// Servers.
    Host,
}

/// Makes an SSH certificate authority on the newest version of a key.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateSshAuthorityRequest {
    /// Its name in the namespace.
    #[schema(example = "users")]
    pub name: String,
    /// Whom it certifies.
    pub certificate_type: SshCertificateType,
    /// The keyring of its key.
    #[serde(default = "default_keyring")]
    pub keyring: String,
    /// Its key: Ed25519, EC-P256, EC-P384, EC-P521 or RSA, for signing.
    pub key: String,
    /// How an RSA key signs: RSA-PKCS1-SHA-512 (the default) or
    /// RSA-PKCS1-SHA-256.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
}

fn default_keyring() -> String {
    "default".to_owned()
}

/// An SSH certificate authority.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SshAuthorityView {
    /// Its identifier.
    pub id: String,
    /// The namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Whom it certifies.
    pub certificate_type: SshCertificateType,
    /// The keyring of its key.
    pub keyring: String,
    /// Its key.
    pub key: String,
    /// The key's version.
    pub key_version: u32,
    /// How it signs, in SSH's words.
    #[schema(example = "ssh-ed25519")]
    pub signature: String,
    /// Its public key, as servers and clients are given it
    /// (`TrustedUserCAKeys`, `@cert-authority`).
    pub public_key: String,
    /// SHA-256 of its public key, as OpenSSH shows it.
    #[schema(example = "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU")]
    pub fingerprint: String,
    /// Its roles by name.
    pub roles: BTreeMap<String, SshRoleView>,
    /// The version of its revocation list: how many entries it has.
    pub krl_version: u64,
    /// When it was made.
    pub created_at: Moment,
}

/// What certificates of a role are like.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SshRoleView {
    /// Principals that may be asked for: names, `*.example.org` for all that
    /// end so, or `*` for any.
    pub principals: Vec<String>,
    /// Given where nothing is asked for.
    pub default_principals: Vec<String>,
    /// How long certificates last where nothing is asked for.
    pub default_seconds: u64,
    /// How long they last at most.
    pub max_seconds: u64,
    /// Extensions where nothing is asked for.
    pub extensions: Vec<String>,
    /// Extensions that may be asked for besides.
    pub allowed_extensions: Vec<String>,
    /// The only command that certificates are good for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub force_command: Option<String>,
    /// Networks that logins may come from; any if there are none.
    pub source_addresses: Vec<String>,
    /// Whether a security key must have verified its user.
    pub verify_required: bool,
    /// Kinds of keys that are certified; all that there are if none is named.
    pub key_types: Vec<String>,
    /// The pattern of key identifiers.
    pub key_id: String,
}

/// Writes a role, new or in place of the one of that name.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PutSshRoleRequest {
    /// Principals that may be asked for: names, `*.example.org` for all that
    /// end so, or `*` for any.
    pub principals: Vec<String>,
    /// Given where nothing is asked for.
    #[serde(default)]
    pub default_principals: Vec<String>,
    /// How long certificates last where nothing is asked for; by default an
    /// hour, or the longest if that is less.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_seconds: Option<u64>,
    /// How long they last at most; by default a day, or the
    /// usual if that is more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_seconds: Option<u64>,
    /// Extensions of user certificates where nothing is asked for; by default
    /// permit-pty. Host certificates have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extensions: Option<Vec<String>>,
    /// Extensions that may be asked for besides.
    #[serde(default)]
    pub allowed_extensions: Vec<String>,
    /// The only command that certificates are good for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub force_command: Option<String>,
    /// Networks that logins may come from; any if there are none.
    #[serde(default)]
    pub source_addresses: Vec<String>,
    /// Whether a security key must have verified its user.
    #[serde(default)]
    pub verify_required: bool,
    /// Kinds of keys that are certified, such as ssh-ed25519; all that there
    /// are if none is named.
    #[serde(default)]
    pub key_types: Vec<String>,
    /// The pattern of key identifiers, which servers write into their logs;
    /// `{caller}`, `{role}`, `{principals}` and `{serial}` are replaced. By
    /// default `{caller}/{role}/{serial}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_id: Option<String>,
}

/// Certifies a public key by a role. What is left out is the role's.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SshSignRequest {
    /// The line of an `id_….pub` file.
    pub public_key: String,
    /// Names that the certificate is good for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub principals: Vec<String>,
    /// How long it lasts, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifetime_seconds: Option<u64>,
    /// Exactly these extensions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extensions: Option<Vec<String>>,
    /// The only command it is good for, where the role has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub force_command: Option<String>,
    /// Networks, within the role's, that logins may come from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub source_addresses: Vec<String>,
}

/// An SSH certificate.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SshCertificateView {
    /// Its serial number, in decimal; up to 2^64 − 1, so a text.
    pub serial: String,
    /// The authority.
    pub authority: String,
    /// The role it was made by.
    pub role: String,
    /// Whom it is for.
    pub certificate_type: SshCertificateType,
    /// What servers write into their logs.
    pub key_id: String,
    /// Names it is good for.
    pub principals: Vec<String>,
    /// Its first valid second.
    pub valid_after: Moment,
    /// The first second it is not valid any more.
    pub valid_before: Moment,
    /// What restricts it, with values where there are any.
    pub critical_options: BTreeMap<String, Option<String>>,
    /// What it permits.
    pub extensions: BTreeMap<String, Option<String>>,
    /// SHA-256 of the certified key, as OpenSSH shows it.
    pub key_fingerprint: String,
    /// Whether the authority's revocation list names it.
    pub revoked: bool,
    /// Who asked for it.
    pub issued_to: String,
    /// When it was issued.
    pub issued_at: Moment,
    /// The line of an `id_…-cert.pub` file; absent in lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<String>,
}

/// Adds to an authority's revocation list, for good.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SshRevokeRequest {
    /// Serial numbers of its certificates, in decimal.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub serials: Vec<String>,
    /// Key identifiers of its certificates.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub key_ids: Vec<String>,
    /// Public keys, whoever certified them: lines of `.pub` files.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub public_keys: Vec<String>,
}

/// An SSH authority's key revocation list.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct SshKrlResponse {
    /// Its version.
    pub version: u64,
    /// The list (PROTOCOL.krl), base64.
    pub krl: Bytes,
}
