//! Problem details (RFC 9457): every error answer, with a stable `type`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The media type of an error answer.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// What every `type` begins with.
const PREFIX: &str = "urn:skms:problem:";

macro_rules! problems {
    ($($variant:ident = $slug:literal, $status:literal, $title:literal, $doc:literal;)+) => {
        /// Every kind of problem. The slug is a promise: it is never renamed.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum ProblemKind { $(#[doc = $doc] $variant,)+ }

        impl ProblemKind {
            /// Every kind, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The last part of `type`.
            pub const fn slug(self) -> &'static str {
                match self { $(Self::$variant => $slug,)+ }
            }

            /// The whole `type`.
            pub const fn uri(self) -> &'static str {
                match self { $(Self::$variant => concat!("urn:skms:problem:", $slug),)+ }
            }

            /// The HTTP status it is answered with.
            pub const fn status(self) -> u16 {
                match self { $(Self::$variant => $status,)+ }
            }

            /// The short, fixed summary.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)+ }
            }

            /// What it means and what to do, in a sentence or two.
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $doc,)+ }
            }
        }
    };
}

problems! {
    MalformedRequest = "malformed-request", 400, "The request cannot be read",
        "The body is not JSON, a field is missing, unknown or of the wrong form (base64, instant), or a header or query cannot be read. Correct the request.";
    InvalidArgument = "invalid-argument", 422, "A value is not acceptable",
        "The request could be read, but a value is out of range, unknown (an algorithm, a format), or contradicts another. The detail names it.";
    Unauthenticated = "unauthenticated", 401, "Not authenticated",
        "No credential was given, or it is wrong, revoked or lapsed. Send a good token as a bearer credential, or a registered client certificate.";
    Forbidden = "forbidden", 403, "No policy allows this",
        "The caller is known, but no policy permits the act, or one forbids it. Where the very existence of the thing is private, the answer is not-found instead.";
    NotFound = "not-found", 404, "Absent, or not yours to see",
        "There is no such thing, or no policy lets the caller know of it; the answer is deliberately the same. Check the name, the namespace and the policies.";
    NoSuchRoute = "no-such-route", 404, "No such address",
        "Nothing is served at this path. The OpenAPI document at /api/v1/openapi.json lists what is.";
    MethodNotAllowed = "method-not-allowed", 405, "Wrong method for this address",
        "The path exists, but not with this method; the Allow header says with which.";
    RequestTimeout = "request-timeout", 408, "The request took too long to arrive or to answer",
        "The body did not arrive, or the answer was not ready, within the server's limit. Send it again.";
    ApprovalRequired = "approval-required", 409, "This waits for the approval of others",
        "A policy marks the act. `approval` names the request for approval, which others approve with skms approval approve; repeat the same call with it in the header SKMS-Approval (--approval). Nothing was done.";
    ApprovalRefused = "approval-refused", 403, "The approval does not count",
        "The request for approval is another's or for another act, was used, rejected or has expired, or the approver may not approve of it; the detail says which. Nothing was done.";
    AlreadyExists = "already-exists", 409, "The name is taken",
        "Something of this name already exists here. Choose another name.";
    Conflict = "conflict", 409, "Changed by someone else meanwhile",
        "The record changed while the act was under way; nothing was done. Read it again and retry.";
    IdempotencyKeyInUse = "idempotency-key-in-use", 409, "The first request with this key still runs",
        "A request with the same Idempotency-Key has begun and is not answered yet; nothing more was done. Send it again shortly.";
    SecretAlreadyGiven = "secret-already-given", 409, "The secret was given once already",
        "A token was made by an earlier request with the same Idempotency-Key. Its secret was in that answer and is kept nowhere. If that answer was lost, revoke the token that the detail names and ask again with a new key.";
    QuotaExceeded = "quota-exceeded", 409, "A quota is used up",
        "One more would be over a limit that the operator set for the namespace, keyring or principal. The detail names it. Remove what is not needed, or have the limit raised (skms limits).";
    WrongState = "wrong-state", 409, "The key's state forbids this",
        "The key version is suspended, deactivated, compromised, destroyed or not yet active, and that state does not allow the act. The detail names the state.";
    CompromisedAncestor = "compromised-ancestor", 409, "A key that this one depends on is compromised",
        "The key was derived from, agreed on by, unwrapped by or wrapped under a key that is compromised, and is refused with it. The detail names that key by its identifier. See docs/compromise.md for what can be saved.";
    JobRefuses = "job-refuses", 409, "The re-encryption job does not take this",
        "The job has ended, is paused, or waits for another batch than the one that was sent. The detail says which; nothing was done.";
    NoEvidence = "no-evidence", 409, "Nothing shows that nothing older is left",
        "The oldest version that processes is raised only when a re-encryption job shows that no ciphertext of an older one is left. The detail says what speaks against it. Finish a job over everything, or insist with force: what is left then cannot be decrypted until the minimum is lowered again.";
    NotEmpty = "not-empty", 409, "Something is still inside",
        "A namespace or keyring that still holds something cannot be deleted, nor a key with a version that is not destroyed.";
    UseLimit = "use-limit", 409, "The key version is used up",
        "The version reached the number of uses that its algorithm or its rules allow. Rotate the key.";
    PayloadTooLarge = "payload-too-large", 413, "The body is too large",
        "The body is over the server's limit. Encrypt large data locally under a data key.";
    BatchTooLarge = "batch-too-large", 413, "Too many items in one batch",
        "The batch has more items than the server's limit. Split it.";
    UnsupportedMediaType = "unsupported-media-type", 415, "The body must be JSON",
        "Send the body with Content-Type: application/json.";
    MisdirectedRequest = "misdirected-request", 421, "This server does not answer to that host name",
        "The Host header names a host this server was not set up to be. Use its own name or address.";
    UnsupportedOperation = "unsupported-operation", 422, "The algorithm does not do this",
        "The key's algorithm has no such operation or option. The detail says which.";
    UseNotPermitted = "use-not-permitted", 422, "The key was not made for this use",
        "The algorithm could, but the key's uses do not include it. Uses are fixed when the key is made.";
    NotExportable = "not-exportable", 422, "The key may not leave the server",
        "The key was not created exportable, and that cannot be changed afterwards.";
    InvalidKey = "invalid-key", 422, "The key does not pass its checks",
        "The key's bytes are malformed, inconsistent or too weak, or are not of the algorithm named.";
    WeakKey = "weak-key", 422, "The key is known to be compromised, or weak",
        "Something can be said against the key: its private half is known or can be computed, or it is weaker than its kind should be. The detail names each detector and what it found; docs/weak-keys.md has them all. Make a new key. A key that is only weak can be imported with the legacy permission weak-material, unless the detail says that none lets it in.";
    InvalidCertificate = "invalid-certificate", 422, "Nothing is certified like this",
        "The request, the profile or the authority does not allow the certificate, or what was sent for it does not hold. The detail names every rule that is broken.";
    ExchangeRefused = "exchange-refused", 422, "The key exchange was refused",
        "A message of the key exchange does not hold. The detail begins with the error's name in docs/exchange.md. Begin another exchange; if that fails too, somebody may stand between client and server.";
    StatementRefused = "statement-refused", 422, "The sealing key's statement was refused",
        "The statement does not hold, or is not the caller's. The detail begins with the error's name in docs/sealing.md.";
    RefusedAsUnsafe = "refused-as-unsafe", 422, "Not done without a legacy permission",
        "The act is unsafe by today's standards and needs an explicit, audited legacy permission on the key.";
    DecryptionFailed = "decryption-failed", 422, "Cannot decrypt",
        "The key, the version or the associated data is another, or the bytes were altered; which of them is deliberately not said.";
    PolicyInvalid = "policy-invalid", 422, "The policy does not hold together",
        "The policy is not valid Cedar, or does not fit the schema. The detail says where.";
    IdempotencyKeyReused = "idempotency-key-reused", 422, "The key belongs to another request",
        "An earlier request with the same Idempotency-Key was not this one, byte for byte. Use a fresh key for every new request.";
    UnsealFailed = "unseal-failed", 422, "That does not open a seal",
        "The passphrase, share or key file is not right for any seal of this store.";
    TooManyRequests = "too-many-requests", 429, "Too many requests",
        "The caller or its address is over a limit. Wait as long as Retry-After says.";
    Internal = "internal", 500, "The server failed",
        "Something that should not happen did; the server's log has the cause under the same request identifier.";
    StorageCorrupt = "storage-corrupt", 500, "A stored record does not verify",
        "A record was altered, replayed, moved or removed outside the server. Nothing was answered from it. Run skms storage verify and restore from a backup.";
    SelfTestFailed = "self-test-failed", 500, "A cryptographic self-test failed",
        "An algorithm gave a wrong known answer; the server uses it no more. Replace the machine or the build.";
    NotSupported = "not-supported", 501, "Not offered by this server",
        "The act is known, but this server was built or set up without it.";
    Sealed = "sealed", 503, "The server is sealed",
        "The server holds no keys until it is unsealed. Run skms unseal.";
    Uninitialized = "uninitialized", 503, "The server has no store yet",
        "The store was never set up. Run skms init where the server runs.";
    AlreadyUnsealed = "already-unsealed", 409, "The server is unsealed already",
        "There is nothing to unseal; the secret that was sent was not looked at.";
    Unavailable = "unavailable", 503, "The server cannot answer now",
        "The server is stopping, overloaded, or cannot make its record durable; nothing was done. Try again shortly.";
    StorageFull = "storage-full", 507, "The disk is full",
        "There is no room to record the act, so it was not done. Revoke, suspend and seal still work from their reserve.";
}

impl ProblemKind {
    /// Finds a kind by its whole `type`.
    pub fn from_uri(uri: &str) -> Option<Self> {
        let slug = uri.strip_prefix(PREFIX)?;
        Self::ALL.iter().copied().find(|kind| kind.slug() == slug)
    }
}

/// A problem, as answered with `application/problem+json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// The kind: `urn:skms:problem:<slug>`, explained in docs/problems.md.
    #[serde(rename = "type")]
    #[schema(example = "urn:skms:problem:not-found")]
    pub type_uri: String,
    /// The kind in a few fixed words.
    pub title: String,
    /// The HTTP status (of this item, within a batch).
    #[schema(example = 404)]
    pub status: u16,
    /// What was the matter this time. Never holds a secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The path that was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// The request's identifier, as in `X-Request-Id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The request for approval that waits, where one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<String>,
}

impl Problem {
    /// A problem of a kind, with no detail yet.
    pub fn new(kind: ProblemKind) -> Self {
        Self {
            type_uri: kind.uri().to_owned(),
            title: kind.title().to_owned(),
            status: kind.status(),
            detail: None,
            instance: None,
            request_id: None,
            approval: None,
        }
    }

    /// Says what was the matter this time.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Says which request for approval waits.
    #[must_use]
    pub fn with_approval(mut self, id: impl Into<String>) -> Self {
        self.approval = Some(id.into());
        self
    }

    /// Says which path was asked.
    #[must_use]
    pub fn with_instance(mut self, instance: impl Into<String>) -> Self {
        self.instance = Some(instance.into());
        self
    }

    /// Says which request it was.
    #[must_use]
    pub fn with_request_id(mut self, request_id: impl Into<String>) -> Self {
        self.request_id = Some(request_id.into());
        self
    }

    /// Its kind, if this build knows it.
    pub fn kind(&self) -> Option<ProblemKind> {
        ProblemKind::from_uri(&self.type_uri)
    }
}

/// The text of docs/problems.md, from the table above.
pub fn documentation() -> String {
    let mut page = String::from(
        "# Problems\n\n\
         Every error is answered with `application/problem+json` (RFC 9457). The `type` is\n\
         `urn:skms:problem:` and one of the names below; names are never changed or reused.\n\
         `detail` is for people and may change. `request_id` finds the cause in the server's log.\n\n\
         This page is generated from the table in `crates/skms-wire/src/native/problem.rs`;\n\
         a test compares them.\n\n",
    );
    for kind in ProblemKind::ALL {
        page.push_str(&format!(
            "## {}\n\n{} · *{}*\n\n{}\n\n",
            kind.slug(),
            kind.status(),
            kind.title(),
            kind.meaning()
        ));
    }
    page.pop();
    page
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn kinds_are_distinct_and_found_again() {
        let slugs: BTreeSet<_> = ProblemKind::ALL.iter().map(|kind| kind.slug()).collect();
        assert_eq!(slugs.len(), ProblemKind::ALL.len());
        for kind in ProblemKind::ALL {
            assert_eq!(ProblemKind::from_uri(kind.uri()), Some(*kind));
            assert_eq!(kind.uri(), format!("{PREFIX}{}", kind.slug()));
            assert!((400..600).contains(&kind.status()));
        }
        assert_eq!(ProblemKind::from_uri("urn:skms:problem:nonesuch"), None);
        assert_eq!(ProblemKind::from_uri("not-found"), None);
    }

    #[test]
    fn json_has_the_members_of_rfc_9457() {
        let problem = Problem::new(ProblemKind::NotFound)
            .with_detail("no key of that name")
            .with_instance("/api/v1/keyrings/default/keys/x")
            .with_request_id("r1");
        let json = serde_json::to_value(&problem).unwrap();
        assert_eq!(json["type"], "urn:skms:problem:not-found");
        assert_eq!(json["status"], 404);
        let back: Problem = serde_json::from_value(json).unwrap();
        assert_eq!(back, problem);
    }

    #[test]
    fn the_documentation_is_up_to_date() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/problems.md");
        let written = std::fs::read_to_string(path).unwrap();
        assert!(
            written == documentation(),
            "docs/problems.md differs from the table; write it anew with \
             `cargo run -p skms-wire --example problems > docs/problems.md`"
        );
    }
}
