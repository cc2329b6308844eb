//! External authorities that say who principals are.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::validation::PathCertificate;
use crate::{Bytes, Moment};

/// Which name of a certificate says whose it is. A certificate has to have
/// exactly one of that form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum TrustIdentity {
    /// The URI of the subject's alternative names, as SPIFFE has it.
    Uri,
    /// Their DNS name.
    Dns,
    /// Their mailbox.
    Email,
    /// The subject's common name.
    Cn,
    /// The whole subject.
    Subject,
}

/// How much must be known about revocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TrustRevocation {
    /// What a list names is refused; what none is about passes.
    IfKnown,
    /// A list that is up to date must be about the principal's certificate, and
    /// not name it.
    Leaf,
    /// So for every certificate of the path but the anchor.
    Path,
}

/// Trusts an external authority to say who principals are. Nobody is a
/// principal by that: bind names to principals. Every file is DER or PEM, in
/// base64; PEM may have several blocks.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateTrustRequest {
    /// Its name in the namespace.
    #[schema(example = "corp")]
    pub name: String,
    /// The certificates that paths end at. They never change.
    pub anchors: Vec<Bytes>,
    /// Which name of a certificate counts. It never changes.
    pub identity: TrustIdentity,
    /// Certificates between those and the principals', for clients that do not
    /// send them, and for revocation lists that they sign.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub intermediates: Vec<Bytes>,
    /// Certificate revocation lists.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub crls: Vec<Bytes>,
    /// How much must be known about revocation; `path` once there are lists if
    /// left out, `if-known` before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revocation: Option<TrustRevocation>,
}

/// Changes a trust; what is left out stays.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateTrustRequest {
    /// Certificates in the place of the intermediates before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intermediates: Option<Vec<Bytes>>,
    /// How much must be known about revocation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revocation: Option<TrustRevocation>,
}

/// Imports certificate revocation lists.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ImportTrustCrlRequest {
    /// The lists: DER, or PEM with any number of blocks.
    pub crl: Bytes,
}

/// An external authority of principals.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct TrustView {
    /// Its identifier.
    pub id: String,
    /// The namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Which name of a certificate counts.
    pub identity: TrustIdentity,
    /// How much must be known about revocation.
    pub revocation: TrustRevocation,
    /// The certificates that paths end at.
    pub anchors: Vec<PathCertificate>,
    /// Certificates between those and the principals'.
    pub intermediates: Vec<PathCertificate>,
    /// Its revocation lists.
    pub crls: Vec<TrustCrlView>,
    /// When it was named.
    pub created_at: Moment,
}

/// A revocation list that was imported.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct TrustCrlView {
    /// Who issued it.
    pub issuer: String,
    /// Its number, hexadecimal, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    /// When it was issued.
    pub this_update: Moment,
    /// By when the next one is due: from then on it shows that nobody is good.
    pub next_update: Moment,
    /// How many certificates it names.
    pub entries: u64,
    /// When it was imported.
    pub imported_at: Moment,
}
