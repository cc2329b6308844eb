//! Why an exchange was refused.

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
    /// An ephemeral key that is none, or gives a zero secret.
    #[error("an invalid ephemeral public key")]
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
    /// The sealed key does not open.
    #[error("the sealed key does not open")]
    Sealed,
    /// After its time.
    #[error("the message came too late")]
    TooLate,
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
    /// It does not have the server's name.
    #[error("it does not have the server's name")]
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

    /// Its name in docs/exchange.md, made to be searched for. The caller's own
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

    /// The names in docs/exchange.md, "Errors", are all there are.
    #[test]
    fn every_name_is_in_the_paper() {
        let paper = include_str!("../../../docs/exchange.md");
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
        let errors = [
            Error::TooLong { limit: 0 },
            Error::Malformed(""),
            Error::WrongMessage {
                wanted: 0,
                found: 0,
            },
            Error::UnsupportedVersion,
            Error::WrongServer,
            Error::Stale,
            Error::FromTheFuture,
            Error::WrongCertificate,
            Error::SameParty,
            Error::SignatureAlgorithm,
            Error::Signature,
            Error::Replayed,
            Error::NoCommonSuite,
            Error::SuiteNotOffered,
            Error::PublicKey,
            Error::Encapsulation,
            Error::Transcript,
            Error::Grant(""),
            Error::Confirmation,
            Error::Channel,
            Error::Sealed,
            Error::TooLate,
        ];
        let (_, table) = paper.split_once("## Errors").unwrap();
        let (table, _) = table.split_once("\n## ").unwrap();
        let all = errors.into_iter().chain(faults.map(Error::Certificate));
        let mut names: Vec<_> = all
            .map(|error| {
                assert!(error.is_refusal());
                error.name()
            })
            .collect();
        for name in &names {
            assert!(table.contains(&format!("`{name}`")), "{name}");
        }
        names.sort_unstable();
        names.dedup();
        // Nothing in the table's first column is unknown to us.
        let first = table.lines().filter_map(|line| line.strip_prefix("| `"));
        let listed: usize = first
            .map(|line| line.split(" | ").next().unwrap().matches(", `").count() + 1)
            .sum();
        assert_eq!(listed, names.len());
        assert!(!Error::Own("").is_refusal() && !Error::Input("").is_refusal());
    }
}
