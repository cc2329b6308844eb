//! Problems (RFC 8555, section 6.7; RFC 9773, section 7.4).

use serde::Serialize;

use super::requests::Identifier;

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident $name:literal $status:literal;)+) => {
        /// What went wrong.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum ProblemKind { $($(#[$doc])* $variant,)+ }

        impl ProblemKind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// Its name within ACME's own.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// Its URN.
            #[must_use]
            pub const fn urn(self) -> &'static str {
                match self {
                    $(Self::$variant => concat!("urn:ietf:params:acme:error:", $name),)+
                }
            }

            /// The HTTP status that goes with it.
            #[must_use]
            pub const fn status(self) -> u16 {
                match self { $(Self::$variant => $status,)+ }
            }
        }
    };
}

kinds! {
    /// There is no such account.
    AccountDoesNotExist "accountDoesNotExist" 400;
    /// The certificate is replaced already.
    AlreadyReplaced "alreadyReplaced" 409;
    /// The certificate is revoked already.
    AlreadyRevoked "alreadyRevoked" 400;
    /// The certification request cannot be.
    BadCsr "badCSR" 400;
    /// The nonce was not given out, or was used.
    BadNonce "badNonce" 400;
    /// The key is of a kind or strength that is not taken.
    BadPublicKey "badPublicKey" 400;
    /// The reason may not be given.
    BadRevocationReason "badRevocationReason" 400;
    /// The signature's algorithm is not taken.
    BadSignatureAlgorithm "badSignatureAlgorithm" 400;
    /// The server could not be connected to.
    Connection "connection" 400;
    /// A look-up in the DNS failed.
    Dns "dns" 400;
    /// An account is bound to a key of the operator's.
    ExternalAccountRequired "externalAccountRequired" 403;
    /// The answer was another than the right one.
    IncorrectResponse "incorrectResponse" 403;
    /// An address of the holder's cannot be used.
    InvalidContact "invalidContact" 400;
    /// The request cannot be read.
    Malformed "malformed" 400;
    /// The order is not ready to be finalized.
    OrderNotReady "orderNotReady" 403;
    /// Too much was asked for.
    RateLimited "rateLimited" 429;
    /// The server does not issue for the identifier.
    RejectedIdentifier "rejectedIdentifier" 400;
    /// The server's own fault, or it is sealed.
    ServerInternal "serverInternal" 500;
    /// A TLS handshake failed.
    Tls "tls" 400;
    /// It may not do this.
    Unauthorized "unauthorized" 403;
    /// A contact of another scheme than is supported.
    UnsupportedContact "unsupportedContact" 400;
    /// An identifier of another type than is supported.
    UnsupportedIdentifier "unsupportedIdentifier" 400;
    /// The terms have to be agreed to.
    UserActionRequired "userActionRequired" 403;
}

impl ProblemKind {
    /// The kind of that name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }
}

/// A problem document.
#[derive(Clone, Debug, Serialize)]
pub struct Problem {
    /// What went wrong.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// In words.
    pub detail: String,
    /// The HTTP status.
    pub status: u16,
    /// What it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identifier: Option<Identifier>,
    /// The algorithms that are taken, with `badSignatureAlgorithm`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub algorithms: Vec<&'static str>,
}

impl Problem {
    /// One of this kind.
    pub fn new(kind: ProblemKind, detail: impl Into<String>) -> Self {
        Self {
            kind: kind.urn(),
            detail: detail.into(),
            status: kind.status(),
            identifier: None,
            algorithms: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_are_written_with_their_urns() {
        let problem = Problem::new(ProblemKind::BadNonce, "used");
        assert_eq!(
            serde_json::to_string(&problem).unwrap(),
            r#"{"type":"urn:ietf:params:acme:error:badNonce","detail":"used","status":400}"#
        );
        for kind in ProblemKind::ALL {
            assert_eq!(ProblemKind::by_name(kind.name()), Some(*kind));
        }
        assert_eq!(ProblemKind::by_name("nonesuch"), None);
    }
}
