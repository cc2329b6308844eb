//! Random bytes and hashes: the two acts that need no key.

use std::sync::Arc;

use skms_crypto::{Hash, SecretBytes, rand};
use skms_evidence::Outcome;

use crate::act::act;
use crate::caller::Caller;
use crate::draft::EventDraft;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::target::Target;

act!(Generate, RandomGenerate, "Generates random bytes.");
act!(Compute, HashCompute, "Hashes data.");

/// Most random bytes at once.
pub const MAX_RANDOM: usize = 65_536;

impl Engine {
    /// `length` bytes from the library's generator.
    ///
    /// # Errors
    /// [`Error::TooLarge`] over [`MAX_RANDOM`]; [`Error::Invalid`] for none.
    pub async fn random(&self, caller: &Arc<Caller>, length: usize) -> Result<SecretBytes> {
        let entry = self.enter(caller)?;
        let allowed = entry.authorize::<Generate>(Target::system()).await?;
        if length == 0 {
            return entry
                .failed(
                    &allowed,
                    Err(Error::Invalid("ask for at least one byte".into())),
                )
                .await;
        }
        if length > MAX_RANDOM {
            return entry
                .failed(
                    &allowed,
                    Err(Error::TooLarge {
                        what: "the number of random bytes",
                        limit: MAX_RANDOM as u64,
                    }),
                )
                .await;
        }
        let bytes = rand::secret(length)?;
        entry
            .record(EventDraft::of(&entry, &allowed, Outcome::Success)?)
            .await?;
        Ok(bytes)
    }

    /// The hash of `data`.
    ///
    /// # Errors
    /// Only those of every act.
    pub async fn hash(&self, caller: &Arc<Caller>, hash: Hash, data: &[u8]) -> Result<Vec<u8>> {
        let entry = self.enter(caller)?;
        let allowed = entry.authorize::<Compute>(Target::system()).await?;
        let digest = hash.digest(data);
        entry
            .record(EventDraft::of(&entry, &allowed, Outcome::Success)?)
            .await?;
        Ok(digest)
    }
}
