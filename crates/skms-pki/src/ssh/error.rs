//! Why no SSH certificate was made, and whose fault that is.

/// What everything in [`crate::ssh`] gives.
pub type Result<T> = std::result::Result<T, Error>;

/// Why an input was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The sender's fault: bytes or text that are not what they should be.
    #[error("not an OpenSSH public key or certificate: {0}")]
    Malformed(&'static str),
    /// The caller's mistake: a key that is too weak or of a kind that is not
    /// certified.
    #[error("{0}")]
    Key(String),
    /// The caller's mistake: a rule that cannot be.
    #[error("{0}")]
    Role(String),
    /// The caller's mistake: everything that the role does not let through.
    #[error("refused: {}", .0.join("; "))]
    Refused(Vec<String>),
    /// A signature that is not the authority's: a fault in the signer.
    #[error("the signature does not hold: {0}")]
    Signature(&'static str),
}
