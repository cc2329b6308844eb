//! The directory of sealing keys (docs/sealing.md), in JSON.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Bytes, Moment};

/// Publishes the caller's own sealing key.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PublishStatementRequest {
    /// The statement, as docs/sealing.md has it.
    pub statement: Bytes,
}

/// How a statement stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum StatementStatus {
    /// Nothing is against it.
    Good,
    /// Another one took its place.
    Superseded,
    /// Its owner took it back.
    Withdrawn,
    /// It has ended, or has not begun.
    Expired,
    /// Its owner's certificate is on hold.
    CertificateOnHold,
    /// Its owner's certificate is revoked.
    CertificateRevoked,
    /// Its owner's certificate has ended.
    CertificateExpired,
    /// Its owner is registered no more.
    PrincipalUnknown,
}

/// The statement of a sealing key of the caller's own.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct StatementView {
    /// What it is known by, in hexadecimal.
    pub hash: String,
    /// The statement; not of one that has no place in the directory any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statement: Option<Bytes>,
    /// The algorithm of its key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "X-Wing")]
    pub algorithm: Option<String>,
    /// How it stands.
    pub status: StatementStatus,
    /// When it was published.
    pub published_at: Moment,
    /// The last moment at which it counts.
    pub not_after: Moment,
    /// When it was taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withdrawn_at: Option<Moment>,
}

/// The caller's own statements.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct OwnStatements {
    /// The present one first, and those before it that could still count.
    pub statements: Vec<StatementView>,
}

/// Looks up a principal's sealing key.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LookUpStatementRequest {
    /// The principal's name in the namespace.
    #[schema(example = "alice")]
    pub principal: String,
    /// 32 random bytes that were never sent before.
    pub nonce: Bytes,
}

/// What the directory has of a principal. It is signed; a client still has to
/// judge it.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct LookedUpStatement {
    /// The statement, as its owner signed it.
    pub statement: Bytes,
    /// How it stands, as docs/sealing.md has it, signed by the server.
    pub status: Bytes,
    /// Revocation lists (DER) of those who certified the owner and the server,
    /// as far as they are published here.
    pub crls: Vec<Bytes>,
}

/// Asks for the revocation lists about certificates.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DirectoryCrlsRequest {
    /// At most eight certificates (DER).
    pub certificates: Vec<Bytes>,
}

/// Revocation lists. They are signed; a client still has to judge them.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct DirectoryCrls {
    /// The lists (DER), as far as they are published here.
    pub crls: Vec<Bytes>,
}
