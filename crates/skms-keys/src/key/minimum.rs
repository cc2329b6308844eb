//! The oldest versions that may still be used.

use super::Key;
use crate::change::{Change, Changed};
use crate::error::Result;
use crate::time::UnixSeconds;
use crate::version::VersionNumber;

impl Key {
    /// Sets the oldest version that may process, the oldest that may protect,
    /// or both; `None` leaves one as it is. They can be lowered again: what
    /// is below a minimum is out of use and not gone.
    ///
    /// # Errors
    /// [`crate::Error::UnknownVersion`] for a version that does not exist.
    pub fn set_minimum_versions(
        &self,
        decrypt: Option<VersionNumber>,
        encrypt: Option<VersionNumber>,
        now: UnixSeconds,
    ) -> Result<Changed> {
        let mut change = Change::begin(self, now)?;
        if let Some(number) = decrypt {
            change.parts.minimum_decrypt_version = change.version(number)?.number;
        }
        if let Some(number) = encrypt {
            change.parts.minimum_encrypt_version = change.version(number)?.number;
        }
        change.finish()
    }
}
