//! What a restore leaves for the next unsealing.
//!
//! A backup does not know what happened after it. Above all it does not know
//! how often keys were used with a random nonce since; so the first
//! unsealing has work to do before it lets anybody in, and an event to
//! record. The mark is a plain value beside the rows; whoever can remove it
//! can just as well put the database back by hand, which is the limit that
//! the threat model states.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::sealed::SealedStore;
use crate::store::{Batch, Meta, MetaWrite, Store};

/// The mark's name among the plain values.
pub(crate) const NAME: &str = "restored";

/// That a store is not the newest there ever was.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RestoreMark {
    /// Names the restore; its event's id, 32 hexadecimal digits.
    pub id: String,
    /// When it was done, in milliseconds since 1970.
    pub at_ms: i64,
    /// What was done, as the event's action: `storage.restore` or
    /// `storage.accept-loss`.
    pub action: String,
    /// What was lost, in words, for the event.
    pub words: String,
}

impl RestoreMark {
    /// A mark of what is done now.
    ///
    /// # Errors
    /// [`Error::Crypto`] when the system gives no randomness.
    pub fn new(action: &str, at_ms: i64, words: String) -> Result<Self> {
        let id: [u8; 16] = skms_crypto::rand::array()?;
        Ok(Self {
            id: crate::hex::encode(&id),
            at_ms,
            action: action.to_owned(),
            words,
        })
    }

    /// The id of its event.
    ///
    /// # Errors
    /// [`Error::Malformed`].
    pub fn event_id(&self) -> Result<[u8; 16]> {
        crate::hex::decode(&self.id)
            .and_then(|bytes| bytes.try_into().ok())
            .ok_or(Error::Malformed("restore mark"))
    }

    /// The write that leaves it.
    pub(crate) fn write(&self, before: Option<u64>) -> Result<MetaWrite> {
        Ok(MetaWrite {
            name: NAME,
            expected: before,
            bytes: serde_json::to_vec(self).map_err(|_| Error::Malformed("restore mark"))?,
        })
    }
}

async fn meta(store: &dyn Store) -> Result<Option<Meta>> {
    // Cleared by emptying: a plain value is never removed.
    Ok(store
        .meta(NAME)
        .await?
        .filter(|meta| !meta.bytes.is_empty()))
}

impl SealedStore {
    /// The mark that a restore left, until [`SealedStore::clear_mark`].
    ///
    /// # Errors
    /// [`Error::Malformed`], and the backend's.
    pub async fn restore_mark(&self) -> Result<Option<RestoreMark>> {
        let Some(meta) = meta(self.store().as_ref()).await? else {
            return Ok(None);
        };
        serde_json::from_slice(&meta.bytes)
            .map(Some)
            .map_err(|_| Error::Malformed("restore mark"))
    }

    /// Says that what the mark asks for is done.
    ///
    /// # Errors
    /// The backend's.
    pub async fn clear_mark(&self) -> Result<()> {
        let Some(meta) = meta(self.store().as_ref()).await? else {
            return Ok(());
        };
        let cleared = MetaWrite {
            name: NAME,
            expected: Some(meta.revision),
            bytes: Vec::new(),
        };
        self.store()
            .commit(Batch {
                meta: vec![cleared],
                ..Batch::default()
            })
            .await
    }
}
