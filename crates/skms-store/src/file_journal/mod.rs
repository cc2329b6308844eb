//! [`crate::Journal`] over files: segments, one writer, group commit.

use skms_crypto::rest::RecordKey;

use crate::error::Result;
use crate::sealed::TermNumber;

/// Where the sealing keys of segments come from.
pub trait SegmentKeys: Send + Sync + 'static {
    /// The install the journal belongs to.
    fn install(&self) -> [u8; 16];

    /// The term for new segments.
    ///
    /// # Errors
    /// [`crate::Error::Sealed`].
    fn current_term(&self) -> Result<TermNumber>;

    /// The key of one segment.
    ///
    /// # Errors
    /// [`crate::Error::Sealed`], [`crate::Error::StaleKeys`] for a term whose
    /// key is gone.
    fn segment_key(&self, term: TermNumber, segment: u64, salt: &[u8; 32]) -> Result<RecordKey>;
}
