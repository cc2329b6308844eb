//! What ACME has names of its own for (RFC 8555, section 6.7).

macro_rules! refusals {
    ($($(#[$doc:meta])* $variant:ident $name:literal;)+) => {
        /// Why a request was refused, or control not proved.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Refusal { $($(#[$doc])* $variant,)+ }

        impl Refusal {
            /// Every one.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// ACME's name of it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }
        }
    };
}

refusals! {
    /// There is no such account.
    NoAccount "accountDoesNotExist";
    /// The certificate is replaced already (RFC 9773, section 7.4).
    AlreadyReplaced "alreadyReplaced";
    /// The certificate is revoked already.
    AlreadyRevoked "alreadyRevoked";
    /// The certification request is not what the order is for.
    BadCsr "badCSR";
    /// The key cannot be an account's.
    BadPublicKey "badPublicKey";
    /// The reason may not be given.
    BadReason "badRevocationReason";
    /// Nobody could be connected to.
    Connection "connection";
    /// The name does not resolve.
    Dns "dns";
    /// An account has to be bound to a key of the operator's.
    ExternalAccountRequired "externalAccountRequired";
    /// The answer was not the right one.
    IncorrectResponse "incorrectResponse";
    /// A contact that cannot be.
    InvalidContact "invalidContact";
    /// The request says what cannot be.
    Malformed "malformed";
    /// The order is not ready.
    OrderNotReady "orderNotReady";
    /// Too many of something.
    RateLimited "rateLimited";
    /// Nothing is issued for the identifier.
    RejectedIdentifier "rejectedIdentifier";
    /// A handshake failed.
    Tls "tls";
    /// It is not the account's to do.
    Unauthorized "unauthorized";
    /// A contact of another scheme.
    UnsupportedContact "unsupportedContact";
    /// The terms have to be agreed to.
    TermsNotAgreed "userActionRequired";
}

/// A refusal in words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct Refused {
    /// Which one.
    pub refusal: Refusal,
    /// In words.
    pub detail: String,
}

impl Refusal {
    /// As an error, in these words.
    pub(crate) fn because(self, detail: impl Into<String>) -> crate::Error {
        crate::Error::Acme(Refused {
            refusal: self,
            detail: detail.into(),
        })
    }
}
