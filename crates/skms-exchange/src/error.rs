//! Why an exchange, or a sealed message, was refused.

use skms_pki::path::{Refusal, Rule};

/// The result of everything in this crate that can fail.
pub type Result<T> = std::result::Result<T, Error>;

/// Which message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    /// The initiator's request.
    First,
    /// The responder's answer.
    Second,
    /// The initiator's confirmation.
    Third,
}

impl Message {
    /// Its number, which is also the type in its payload.
    #[must_use]
    pub const fn number(self) -> u64 {
        match self {
            Self::First => 1,
            Self::Second => 2,
            Self::Third => 3,
        }
    }
}

/// Why an exchange was refused. All but the last two are the peer's doing, or
/// that of somebody between; none carries a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Over the limit for this message.
    #[error("a message of more than {limit} bytes")]
    TooLong {
        /// The most it may have, in bytes.
        limit: usize,
    },
    /// Not in the encoding of docs/exchange.md.
    #[error("malformed message: {0}")]
    Malformed(&'static str),
    /// A message of another type: out of order, or reflected to its sender.
    #[error("a message of type {found} where type {wanted} is expected")]
    WrongMessage {
        /// The type that belongs here.
        wanted: u64,
        /// The type that it says it is of.
        found: u64,
    },
    /// No version in common, or one that was not offered.
    #[error("no version of the protocol in common")]
    UnsupportedVersion,
    /// Meant for somebody else.
    #[error("the message is for another server")]
    WrongServer,
    /// Older than the window.
    #[error("the message is too old")]
    Stale,
    /// Further ahead than the skew.
    #[error("the message comes from the future: compare the clocks")]
    FromTheFuture,
    /// The chain's first certificate is not the one that was hashed.
    #[error("the certificate is not the one that the message names")]
    WrongCertificate,
    /// The peer's certificate was refused.
    #[error("the peer's certificate was refused: {0}")]
    Certificate(CertificateFault),
    /// The peer has one's own key.
    #[error("both sides have the same key")]
    SameParty,
    /// `alg` is not one of the protocol's, or not the key's.
    #[error("a signature algorithm that is not accepted, or not the key's")]
    SignatureAlgorithm,
    /// The signature does not hold.
    #[error("the signature does not hold")]
    Signature,
    /// The message was here before.
    #[error("the message was replayed")]
    Replayed,
    /// Nothing offered is accepted.
    #[error("no suite in common")]
    NoCommonSuite,
    /// A suite that was not offered.
    #[error("a suite that was not offered")]
    SuiteNotOffered,
    /// A public key that is none, or gives a zero secret.
    #[error("an invalid public key")]
    PublicKey,
    /// An encapsulation that is none, or gives a zero secret.
    #[error("an invalid encapsulation")]
    Encapsulation,
    /// A message that answers or confirms another one.
    #[error("the message belongs to another exchange")]
    Transcript,
    /// Not what was asked for.
    #[error("another key than was asked for: {0}")]
    Grant(&'static str),
    /// The MAC does not hold.
    #[error("the confirmation does not hold")]
    Confirmation,
    /// A MAC under a key of the TLS connection does not hold, or there is no
    /// connection that has one.
    #[error("the other end is not the other end of this TLS connection")]
    Channel,
    /// What is sealed does not open.
    #[error("what is sealed does not open")]
    Sealed,
    /// After its time.
    #[error("the message came too late")]
    TooLate,
    /// Somebody else's statement than was asked for.
    #[error("the statement is not of whom was asked for")]
    WrongName,
    /// Sealed to another statement.
    #[error("the message is sealed to somebody else, or to a statement that is not here")]
    WrongRecipient,
    /// Sealed by somebody else than was expected.
    #[error("the message is by somebody else than was expected")]
    WrongSender,
    /// After the statement's end.
    #[error("the statement has ended")]
    StatementExpired,
    /// Before the statement's beginning.
    #[error("the statement does not count yet")]
    StatementNotYetValid,
    /// Another one took the statement's place.
    #[error("another statement took the place of this one")]
    StatementSuperseded,
    /// Its owner took it back.
    #[error("the statement was withdrawn")]
    StatementWithdrawn,
    /// The directory knows its owner no more.
    #[error("the principal is not registered, or not any more")]
    PrincipalUnknown,
    /// The signed commitment is to another content.
    #[error("the signature is for another content")]
    Commitment,
    /// The caller's own mistake: something that has no place in a message.
    #[error("{0}")]
    Input(&'static str),
    /// The caller's own: randomness, or a signature that is not the identity
    /// key's.
    #[error("{0}")]
    Own(&'static str),
}

/// Why a certificate was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateFault {
    /// After notAfter.
    #[error("a certificate of its path has expired")]
    Expired,
    /// Before notBefore.
    #[error("a certificate of its path is not valid yet")]
    NotYetValid,
    /// Revoked.
    #[error("it or one above it is revoked")]
    Revoked,
    /// On hold.
    #[error("it or one above it is on hold")]
    OnHold,
    /// Nobody says whether it is revoked.
    #[error("whether it is revoked is not known")]
    RevocationUnknown,
    /// Its extKeyUsage or keyUsage is for something else.
    #[error("it is not for this purpose")]
    Purpose,
    /// It does not have the name that it should.
    #[error("it does not have the name that it should")]
    Name,
    /// Any other rule, or no path to an anchor.
    #[error("it leads to nobody who is trusted ({0})")]
    Untrusted(Rule),
}

impl From<&Refusal> for CertificateFault {
    fn from(refusal: &Refusal) -> Self {
        match refusal.rule() {
            Rule::Expired => Self::Expired,
            Rule::NotYetValid => Self::NotYetValid,
            Rule::Revoked => Self::Revoked,
            Rule::Held => Self::OnHold,
            Rule::RevocationUnknown => Self::RevocationUnknown,
            Rule::ExtendedKeyUsage | Rule::KeyUsage => Self::Purpose,
            Rule::Name => Self::Name,
            other => Self::Untrusted(other),
        }
    }
}

impl CertificateFault {
    /// Its name in docs/exchange.md.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Expired => "certificate-expired",
            Self::NotYetValid => "certificate-not-yet-valid",
            Self::Revoked => "certificate-revoked",
            Self::OnHold => "certificate-on-hold",
            Self::RevocationUnknown => "revocation-unknown",
            Self::Purpose => "certificate-purpose",
            Self::Name => "certificate-name",
            Self::Untrusted(_) => "certificate-untrusted",
        }
    }
}

impl Error {
    /// Whether the peer, or somebody between, was refused: what leaves an event.
    /// Otherwise the mistake is the caller's.
    #[must_use]
    pub const fn is_refusal(&self) -> bool {
        !matches!(self, Self::Input(_) | Self::Own(_))
    }

    /// Its name in docs/exchange.md or docs/sealing.md, made to be searched for. The caller's own
    /// mistakes are `input` and `own`, and are no refusals of a peer.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::TooLong { .. } => "too-long",
            Self::Malformed(_) => "malformed",
            Self::WrongMessage { .. } => "wrong-message",
            Self::UnsupportedVersion => "unsupported-version",
            Self::WrongServer => "wrong-server",
            Self::Stale => "stale",
            Self::FromTheFuture => "from-the-future",
            Self::WrongCertificate => "wrong-certificate",
            Self::Certificate(fault) => fault.name(),
            Self::SameParty => "same-party",
            Self::SignatureAlgorithm => "signature-algorithm",
            Self::Signature => "signature",
            Self::Replayed => "replayed",
            Self::NoCommonSuite => "no-common-suite",
            Self::SuiteNotOffered => "suite-not-offered",
            Self::PublicKey => "public-key",
            Self::Encapsulation => "encapsulation",
            Self::Transcript => "transcript",
            Self::Grant(_) => "grant",
            Self::Confirmation => "confirmation",
            Self::Channel => "channel",
            Self::Sealed => "sealed",
            Self::TooLate => "too-late",
            Self::WrongName => "wrong-name",
            Self::WrongRecipient => "wrong-recipient",
            Self::WrongSender => "wrong-sender",
            Self::StatementExpired => "statement-expired",
            Self::StatementNotYetValid => "statement-not-yet-valid",
            Self::StatementSuperseded => "statement-superseded",
            Self::StatementWithdrawn => "statement-withdrawn",
            Self::PrincipalUnknown => "principal-unknown",
            Self::Commitment => "commitment",
            Self::Input(_) => "input",
            Self::Own(_) => "own",
        }
    }
}

/// Something of the crypto room's that no message can cause.
pub(crate) fn own(_: skms_crypto::Error) -> Error {
    Error::Own("the crypto library failed")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names under "Errors" in the two papers are all there are.
    #[test]
    fn every_name_is_in_the_papers() {
        let faults = [
            CertificateFault::Expired,
            CertificateFault::NotYetValid,
            CertificateFault::Revoked,
            CertificateFault::OnHold,
            CertificateFault::RevocationUnknown,
            CertificateFault::Purpose,
            CertificateFault::Name,
            CertificateFault::Untrusted(Rule::NoIssuer),
        ];
        let shared = [
            Error::TooLong { limit: 0 },
            Error::Malformed(""),
            Error::WrongMessage {
                wanted: 0,
                found: 0,
            },
            Error::UnsupportedVersion,
            Error::Stale,
            Error::FromTheFuture,
            Error::WrongCertificate,
            Error::SignatureAlgorithm,
            Error::Signature,
            Error::NoCommonSuite,
            Error::PublicKey,
            Error::Encapsulation,
            Error::Transcript,
            Error::Sealed,
        ];
        let exchange = [
            Error::WrongServer,
            Error::SameParty,
            Error::Replayed,
            Error::SuiteNotOffered,
            Error::Grant(""),
            Error::Confirmation,
            Error::Channel,
            Error::TooLate,
        ];
        let sealing = [
            Error::WrongName,
            Error::WrongRecipient,
            Error::WrongSender,
            Error::StatementExpired,
            Error::StatementNotYetValid,
            Error::StatementSuperseded,
            Error::StatementWithdrawn,
            Error::PrincipalUnknown,
            Error::Commitment,
        ];
        let common = || {
            let faults = faults.clone().map(Error::Certificate);
            shared.clone().into_iter().chain(faults)
        };
        let papers = [
            (
                include_str!("../../../docs/exchange.md"),
                common().chain(exchange).collect::<Vec<_>>(),
            ),
            (
                include_str!("../../../docs/sealing.md"),
                common().chain(sealing).collect(),
            ),
        ];
        for (paper, errors) in papers {
            let mut names: Vec<_> = errors
                .iter()
                .map(|error| {
                    assert!(error.is_refusal());
                    error.name()
                })
                .collect();
            names.sort_unstable();
            assert_eq!(listed(paper), names);
        }
        assert!(!Error::Own("").is_refusal() && !Error::Input("").is_refusal());
    }

    /// What stands in the first column of a paper's table of errors.
    fn listed(paper: &str) -> Vec<&str> {
        let (_, table) = paper.split_once("## Errors").unwrap();
        let (table, _) = table.split_once("\n## ").unwrap();
        let first = table
            .lines()
            .filter(|line| line.starts_with("| `"))
            .filter_map(|line| line.trim_start_matches("| ").split(" | ").next());
        let mut names: Vec<_> = first
            .flat_map(|names| names.split(", "))
            .map(|name| name.trim_matches('`'))
            .collect();
        names.sort_unstable();
        names
    }
}
