//! Certificate authorities.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Moment;

/// Makes an authority on a key that is there.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateAuthorityRequest {
    /// Its name within the namespace.
    #[schema(example = "issuing")]
    pub name: String,
    /// The keyring of its key.
    #[serde(default = "default_keyring")]
    #[schema(example = "default")]
    pub keyring: String,
    /// Its key: one that signs.
    pub key: String,
    /// Its distinguished name, outermost part first.
    #[schema(example = "C=CH,O=Example,CN=Example Issuing CA")]
    pub subject: String,
    /// The authority of this namespace that certifies it. Without one it is a
    /// root, or waits for a certificate from elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// It waits for a certificate from an authority elsewhere, for which the
    /// answer has a request.
    #[serde(default, skip_serializing_if = "is_false")]
    pub external: bool,
    /// How long its certificate is to last, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifetime_seconds: Option<u64>,
    /// How many authorities may stand between it and an end entity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_length: Option<u8>,
    /// How its own certificate and those it issues are signed, by name, where
    /// the key leaves a choice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "RSA-PSS-SHA-256")]
    pub signature: Option<String>,
    /// The names that it may issue for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name_constraints: Option<NameConstraints>,
    /// How it issues and publishes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules: Option<AuthorityRules>,
}

fn default_keyring() -> String {
    "default".to_owned()
}

/// For `skip_serializing_if`.
#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_false(value: &bool) -> bool {
    !value
}

/// Names that an authority is held to (RFC 5280, section 4.2.1.10), each with
/// its form before a colon: `dns:example.org`, `email:example.org`,
/// `uri:.example.org`, `ip:10.0.0.0/8`, `dn:O=Example`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NameConstraints {
    /// Of these forms, nothing else.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub permitted: Vec<String>,
    /// Never these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub excluded: Vec<String>,
}

/// How an authority issues and publishes. What is left out is as usual, or
/// stays as it is.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AuthorityRules {
    /// The profiles that it issues by; by default all those of end entities but
    /// `ocsp-signer`, whose holders say what is revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = json!(["tls-server", "tls-client"]))]
    pub profiles: Option<Vec<String>>,
    /// The longest lifetime of its certificates, in seconds, where it is to be
    /// shorter than the profile's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_lifetime_seconds: Option<u64>,
    /// Where others find what the server publishes under `/pki`: certificates
    /// point there. Plain HTTP, as RFC 5280 has it. An empty text takes it away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "http://pki.example.org")]
    pub publish_url: Option<String>,
    /// How long a revocation list is good, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crl_seconds: Option<u64>,
    /// Into how many lists the certificates are divided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crl_shards: Option<u32>,
    /// How long an OCSP response is good, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ocsp_seconds: Option<u64>,
    /// A key of the namespace that signs OCSP responses instead of the
    /// authority's own, in its newest version: a keyring and a name, or a name
    /// in the keyring `default`. The authority issues the certificate for that
    /// (profile `ocsp-signer`) and renews it. An empty text takes it away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "default/ocsp")]
    pub ocsp_signer: Option<String>,
    /// Whether OCSP responses are signed before anybody asks, of up to 50,000
    /// certificates of an issuer that have not ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ocsp_presign: Option<bool>,
    /// Whether certificates of a key that is kept here are on hold
    /// (certificateHold) while it is suspended, but for those of the profile
    /// `tls-server-web`; no by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold_suspended: Option<bool>,
    /// Whether the server takes its own listener's certificate from it: at most
    /// one authority, and one of the root namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listener: Option<bool>,
}

/// A profile of an authority's own: one of those that come along, held to less.
/// It never adds to the one that it is based on, but for policies. What is left
/// out is as there.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AuthorityProfile {
    /// The profile that comes along, on which it is based.
    #[schema(example = "tls-server")]
    pub base: String,
    /// Domains that DNS names must be in or below.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(example = json!(["team.example.org"]))]
    pub domains: Vec<String>,
    /// Domains that mailboxes must be in or below.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub email_domains: Vec<String>,
    /// Hosts of URIs, or domains that they are below.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub uri_hosts: Vec<String>,
    /// Networks that addresses must be in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(example = json!(["10.0.0.0/8"]))]
    pub networks: Vec<String>,
    /// Distinguished names, outermost part first, that subjects must begin with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subjects: Vec<String>,
    /// Whether wildcards are refused.
    #[serde(default, skip_serializing_if = "is_false")]
    pub no_wildcards: bool,
    /// Whether there must be a subject.
    #[serde(default, skip_serializing_if = "is_false")]
    pub subject_required: bool,
    /// The most names of a certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub most_names: Option<u32>,
    /// Algorithms that keys may be for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(example = json!(["EC-P256", "ML-DSA-65"]))]
    pub algorithms: Vec<String>,
    /// From so many bits of security strength.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum_strength_bits: Option<u16>,
    /// The longest lifetime in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_lifetime_seconds: Option<u64>,
    /// The lifetime in seconds where nobody asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_lifetime_seconds: Option<u64>,
    /// Purposes (extKeyUsage) out of those of the base, dotted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(example = json!(["1.3.6.1.5.5.7.3.1"]))]
    pub purposes: Vec<String>,
    /// Certificate policies, dotted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<String>,
}

/// An authority.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AuthorityView {
    /// Its lasting identifier: 128 bits, written as a UUID is.
    pub id: String,
    /// The namespace it lives in.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The keyring of its newest key.
    pub keyring: String,
    /// Its newest key.
    pub key: String,
    /// Its distinguished name.
    pub subject: String,
    /// One for each key that was certified, oldest first; the last one issues.
    /// Empty while it waits for a certificate.
    pub issuers: Vec<IssuerView>,
    /// A request for a certificate from elsewhere (PKCS #10, PEM), while it
    /// waits for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// How it issues and publishes.
    pub rules: AuthorityRules,
    /// Profiles of its own, by name, beside those of `rules`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub profiles: BTreeMap<String, AuthorityProfile>,
    /// When it was made.
    pub created_at: Moment,
}

/// A certified key of an authority.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct IssuerView {
    /// Its number, from 1: what it publishes is found under it.
    pub number: u32,
    /// The keyring of the key.
    pub keyring: String,
    /// The key.
    pub key: String,
    /// The version of the key.
    pub key_version: u32,
    /// Its certificate, PEM.
    pub certificate: String,
    /// The certificates above it, PEM, nearest first.
    pub chain: Vec<String>,
    /// Other certificates of its name and key, PEM.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cross: Vec<String>,
    /// Its certificate's serial number, hexadecimal.
    pub serial: String,
    /// Its first valid second.
    pub not_before: Moment,
    /// Its last valid second.
    pub not_after: Moment,
    /// How many of its certificates are revoked or on hold.
    pub revoked: u64,
}

/// Changes an authority's rules.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateAuthorityRequest {
    /// How it issues and publishes; what is left out stays.
    pub rules: AuthorityRules,
}

/// Gives an authority a certificate that was issued elsewhere.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InstallCertificateRequest {
    /// The certificate and those above it, PEM, nearest first. It must be for
    /// the authority's name and for a version of its key.
    pub certificates: String,
}

/// Certifies an authority anew: on a new key, or on the same one for another
/// lifetime.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RenewAuthorityRequest {
    /// The keyring of the new key; `default` if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keyring: Option<String>,
    /// The new key; the one before goes on signing lists for what it issued.
    /// Without it the same key is certified again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// How long the new certificate is to last, in seconds; as long as the
    /// one before by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifetime_seconds: Option<u64>,
}

/// Certifies another authority: one of this namespace by name, or any by its
/// request.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CertifyRequest {
    /// An authority of this namespace, which gets a cross-certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority: Option<String>,
    /// Another authority's request (PKCS #10, PEM).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// How long the certificate is to last, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifetime_seconds: Option<u64>,
    /// How many authorities may stand below it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_length: Option<u8>,
    /// The names that it may issue for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name_constraints: Option<NameConstraints>,
}
