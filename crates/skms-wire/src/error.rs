//! Why a text form was refused.

/// A text that is not in the form its field requires. Always the sender's
/// mistake; the message never repeats the text, which may be secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Not canonical, padded, standard base64 (RFC 4648 section 4).
    #[error("not standard base64 with padding")]
    Base64,
    /// Not `skms:v<version>:<base64>`.
    #[error("not a ciphertext: {0}")]
    Ciphertext(&'static str),
    /// Not an RFC 3339 instant in UTC.
    #[error("not an RFC 3339 instant in UTC: {0}")]
    Moment(&'static str),
    /// A body or query that is not the message it should be.
    #[error("{0}")]
    Message(String),
}

/// A result whose error is a refused text form.
pub type Result<T> = std::result::Result<T, Error>;
