//! Why a document was not signed, or its signature does not count.

use skms_crypto::Hash;

use crate::issue::IssueError;
use crate::path::Refusal;

/// Why a document was not signed, or why its signature does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DocumentError {
    /// The sender's fault: bytes that cannot be read.
    #[error(transparent)]
    Unreadable(#[from] crate::Error),
    /// The caller's mistake: a combination that makes no sense.
    #[error("{0}")]
    Input(&'static str),
    /// The caller's mistake: a digest that was made by another hash, or is not
    /// as long as that hash's are.
    #[error("a digest by {wanted} is needed, and one by {given} was given")]
    Hash {
        /// By which hash it is said to be.
        given: Hash,
        /// Which one is needed.
        wanted: Hash,
    },
    /// The document carries no signature.
    #[error("nobody signed it")]
    NoSigner,
    /// Content that is missing, given twice, or of another type than asked for.
    #[error("the content: {0}")]
    Content(&'static str),
    /// The content is not what was signed.
    #[error("the content is not the one that was signed")]
    Altered,
    /// A signed attribute that is missing, doubled or wrong.
    #[error("the signed attributes: {0}")]
    Attribute(&'static str),
    /// Algorithms that are not known, too weak, or do not go together.
    #[error("the algorithms: {0}")]
    Algorithm(&'static str),
    /// The signature is not the signer's over these bytes.
    #[error("the signature does not hold: {0}")]
    Signature(&'static str),
    /// The signer's certificate is neither in the document nor beside it.
    #[error("the signer's certificate is not at hand")]
    NoCertificate,
    /// The signer's certificate is not for this.
    #[error("the signer's certificate: {0}")]
    Usage(&'static str),
    /// The signer's certificate leads to no anchor, or is revoked.
    #[error("the signer's certificate: {0}")]
    Path(Box<Refusal>),
}

impl From<IssueError> for DocumentError {
    /// What is made here from der's writers and the schemes: times without an
    /// encoding and signatures that do not hold.
    fn from(error: IssueError) -> Self {
        match error {
            IssueError::Unreadable(error) => Self::Unreadable(error),
            IssueError::Signature(why) => Self::Signature(why),
            IssueError::Input(why) => Self::Input(why),
            _ => Self::Input("refused by its own profile"),
        }
    }
}
