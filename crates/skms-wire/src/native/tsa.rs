//! Time-stamping authorities (RFC 3161).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::documents::SigningCertificate;
use crate::Moment;

/// Makes a time-stamping authority on a key that is there. Give `certificate`
/// or `chain`.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateTsaRequest {
    /// Its name in the namespace.
    #[schema(example = "clock")]
    pub name: String,
    /// The keyring of its key.
    #[serde(default = "default_keyring")]
    pub keyring: String,
    /// Its key.
    pub key: String,
    /// A certificate of the key, for time-stamps alone, that was issued here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<SigningCertificate>,
    /// One from elsewhere, with those above it, nearest first (PEM).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chain: Option<String>,
    /// How to sign, such as `RSA-PSS-SHA-256`; the key's usual way if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheme: Option<String>,
    /// The policies to stamp under, as object identifiers; the first where a
    /// request names none.
    #[schema(example = json!(["1.3.6.1.4.1.99999.1"]))]
    pub policies: Vec<String>,
    /// How far its time may be off, in seconds, 1 to 60; stamps do not say if
    /// left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accuracy_seconds: Option<u32>,
    /// Whether its stamps can be put in order by their times alone: these have
    /// milliseconds then, and no two are the same.
    #[serde(default)]
    pub ordering: bool,
    /// How many stamps it gives in a second in the long run, 1 to 1000; 200
    /// times as many at once.
    #[serde(default = "default_per_second")]
    pub per_second: u32,
}

fn default_keyring() -> String {
    "default".to_owned()
}

fn default_per_second() -> u32 {
    5
}

/// A time-stamping authority.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct TsaView {
    /// Its identifier.
    pub id: String,
    /// The namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Where its requests go: the path at this server.
    #[schema(example = "/tsa/team/clock")]
    pub path: String,
    /// The keyring of its key.
    pub keyring: String,
    /// Its key.
    pub key: String,
    /// The key's version.
    pub key_version: u32,
    /// How it signs.
    #[schema(example = "ECDSA-SHA-256")]
    pub scheme: String,
    /// Its certificate and those above it (PEM).
    pub chain: String,
    /// Until when these are good.
    pub not_after: Moment,
    /// The policies that it stamps under, the usual one first.
    pub policies: Vec<String>,
    /// How far its time may be off, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accuracy_seconds: Option<u32>,
    /// Whether its stamps can be put in order by their times alone.
    pub ordering: bool,
    /// How many stamps it gives in a second in the long run.
    pub per_second: u32,
    /// When it was made.
    pub created_at: Moment,
}
