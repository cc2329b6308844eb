//! What is signed or verified: the message itself or its digest.

use skms_crypto::{Hash, Message};

/// A message, or its hash where the caller hashed it.
pub enum Payload {
    /// The message: hashed here, as the algorithm says.
    Raw(Vec<u8>),
    /// The digest of the message.
    Digest(Vec<u8>, Hash),
}

impl Payload {
    pub(crate) fn message(&self) -> Message<'_> {
        match self {
            Self::Raw(message) => Message::Raw(message),
            Self::Digest(digest, hash) => Message::Digest(digest, *hash),
        }
    }
}
