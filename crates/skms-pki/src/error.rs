//! What can go wrong in this room, and whose fault it is.

/// The result of everything in this crate that can fail to read its input.
pub type Result<T> = std::result::Result<T, Error>;

/// Why an input could not be used. A path that was found wanting is no error
/// but a [`crate::path::Refusal`], which explains itself at length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The sender's fault: bytes that are not what they should be, by DER or
    /// by the structure's own standard.
    #[error("malformed {what}: {why}")]
    Malformed {
        /// Which structure.
        what: &'static str,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The sender's fault: well-formed, and its signature does not hold.
    #[error("the signature of the {what} does not hold: {why}")]
    Signature {
        /// Which structure.
        what: &'static str,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The caller's mistake: a name to look for that no certificate can hold.
    #[error("invalid name to look for: {0}")]
    ReferenceName(&'static str),
}

/// What the parsers give inside: the reason alone, the structure's name is
/// added where it is known.
pub(crate) type Parse<T> = std::result::Result<T, &'static str>;

pub(crate) trait In<T> {
    /// Names the structure that the reason is about.
    fn within(self, what: &'static str) -> Result<T>;
}

impl<T> In<T> for Parse<T> {
    fn within(self, what: &'static str) -> Result<T> {
        self.map_err(|why| Error::Malformed { what, why })
    }
}
