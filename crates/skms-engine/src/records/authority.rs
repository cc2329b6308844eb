//! A certificate authority.

use serde::{Deserialize, Serialize};
use skms_store::Kind;

use super::Record;
use super::der::Der;
use crate::authority::named::NamedProfile;

/// An authority's record; its namespace is the scope it lives in.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct AuthorityRecord {
    pub(crate) name: String,
    pub(crate) subject: Der,
    /// The key of the next certificate.
    pub(crate) key: SigningKeyRecord,
    /// A request for a certificate from elsewhere, while it waits for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) request: Option<Der>,
    pub(crate) created_at: i64,
    pub(crate) rules: AuthorityRulesRecord,
    /// How far its certificates reach, for the next ones.
    pub(crate) extent: ExtentRecord,
    /// One for each key that was certified, oldest first.
    pub(crate) issuers: Vec<IssuerRecord>,
    /// How clients of ACME get certificates here, if they do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) acme: Option<super::acme::AcmeRecord>,
    /// Profiles of its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) named: Vec<NamedProfile>,
    /// How clients of EST get certificates here, if they do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) est: Option<EstRecord>,
}

/// How an authority is open to EST.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct EstRecord {
    /// Names of profiles.
    pub(crate) profiles: Vec<String>,
    /// Whether a certificate alone is enough to renew it.
    pub(crate) renewal_by_certificate: bool,
    /// The algorithm of keys that are made here.
    pub(crate) key_algorithm: String,
}

/// A version of a key, and how it signs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SigningKeyRecord {
    pub(crate) keyring: String,
    pub(crate) key: String,
    /// The key's identifier: another key of that name is not this one.
    pub(crate) id: String,
    pub(crate) version: u32,
    pub(crate) algorithm: String,
    /// The name of the scheme.
    pub(crate) signature: String,
}

/// How an authority issues and publishes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct AuthorityRulesRecord {
    /// Names of profiles; empty for all but those of authorities.
    pub(crate) profiles: Vec<String>,
    pub(crate) max_lifetime_seconds: Option<u64>,
    pub(crate) publish_url: Option<String>,
    pub(crate) crl_seconds: u64,
    pub(crate) crl_shards: u32,
    pub(crate) ocsp_seconds: u64,
    /// The key that signs OCSP responses instead of the authority's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ocsp_signer: Option<SigningKeyRecord>,
    #[serde(default)]
    pub(crate) ocsp_presign: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) hold_suspended: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) listener: bool,
}

/// How far an authority's certificates reach.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct ExtentRecord {
    pub(crate) path_length: Option<u8>,
    /// Subtrees, each with its form.
    pub(crate) permitted: Vec<String>,
    pub(crate) excluded: Vec<String>,
}

/// One certified key of an authority.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct IssuerRecord {
    pub(crate) number: u32,
    pub(crate) key: SigningKeyRecord,
    pub(crate) certificate: Der,
    /// The certificates above it, nearest first.
    pub(crate) chain: Vec<Der>,
    /// Other certificates of the same name and key.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) cross: Vec<Der>,
    /// Who signs OCSP responses for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ocsp: Option<DelegateRecord>,
}

/// A key and its certificate as an OCSP signer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DelegateRecord {
    pub(crate) certificate: Der,
    pub(crate) key: SigningKeyRecord,
}

impl Record for AuthorityRecord {
    const KIND: Kind = Kind::Authority;
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands references")]
fn is_false(value: &bool) -> bool {
    !value
}
