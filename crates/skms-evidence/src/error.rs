//! Why evidence could not be read.

/// The result of everything in this crate that can fail.
pub type Result<T> = std::result::Result<T, Error>;

/// Why bytes are not what they should be.
///
/// All are the fault of whoever wrote or altered the bytes.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Not an event of this format.
    #[error("not an event: {0}")]
    Malformed(#[from] serde_json::Error),
    /// An event of a format that this build does not know.
    #[error("event format {0} is not known here")]
    UnknownFormat(u32),
    /// An event, but not as [`crate::Event::encode`] writes it. Each event
    /// has one encoding, or its leaf would not be its own.
    #[error("an event that is not in its one encoding")]
    NotCanonical,
    /// A word that is not in the named list.
    #[error("unknown {0}")]
    UnknownName(&'static str),
    /// Bytes that are not a frontier.
    #[error("not a frontier: {0}")]
    MalformedFrontier(&'static str),
    /// The tree is full: 2^63 leaves.
    #[error("the tree is full")]
    TreeFull,
}
