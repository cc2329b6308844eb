//! Why something could not be looked at.

/// The result of reading.
pub type Result<T> = std::result::Result<T, Error>;

/// Why something could not be looked at: all of it is the fault of what was
/// sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It is no public key that can be read.
    #[error("not a public key: {0}")]
    Key(&'static str),
    /// It is no list, or not a whole one.
    #[error("the list of keys is refused: {0}")]
    List(String),
}

impl Error {
    pub(crate) fn list(reason: impl Into<String>) -> Self {
        Self::List(reason.into())
    }
}
