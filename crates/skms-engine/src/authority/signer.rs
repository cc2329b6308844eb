//! An authority's key in use: permitted, counted and open, and a revocation
//! of it waits until what it signed is committed or thrown away.

use std::sync::Arc;

use skms_crypto::Message;
use skms_keys::{Operation, UnixSeconds, VersionNumber};
use skms_pki::issue::SigningScheme;

use super::load;
use crate::act::Act;
use crate::error::Result;
use crate::gate::{Authorized, Entry, KeyTarget};
use crate::opened::{InUse, Spend, take_for};
use crate::records::authority::SigningKeyRecord;

/// The key version that signs, and how.
pub(crate) struct Signer {
    in_use: InUse,
    scheme: SigningScheme,
}

impl Signer {
    /// Takes one use of the version of an authority's key.
    ///
    /// # Errors
    /// What the version's state or the key's limits say: a suspended key
    /// signs nothing.
    pub(crate) async fn take<A: Act>(
        entry: &Entry,
        key: &Authorized<A, KeyTarget>,
        record: &SigningKeyRecord,
    ) -> Result<Self> {
        Self::take_many(entry, key, record, 1).await
    }

    /// As [`Signer::take`], for so many signatures.
    pub(crate) async fn take_many<A: Act>(
        entry: &Entry,
        key: &Authorized<A, KeyTarget>,
        record: &SigningKeyRecord,
        signatures: u64,
    ) -> Result<Self> {
        let version = Some(VersionNumber(record.version));
        let spends = Spend::uses(signatures);
        let in_use = take_for(entry, key, Operation::Sign, version, spends).await?;
        Ok(Self {
            in_use,
            scheme: load::scheme(record)?,
        })
    }

    /// Whether the version of a key may sign at `now`, by its state and dates.
    ///
    /// # Errors
    /// Why it may not.
    pub(crate) fn may<A: Act>(
        key: &Authorized<A, KeyTarget>,
        record: &SigningKeyRecord,
        now: UnixSeconds,
    ) -> Result<()> {
        let version = Some(VersionNumber(record.version));
        let snapshot = key.target().snapshot();
        let permit = snapshot.key().permit(Operation::Sign, version, now);
        Ok(permit.map(drop)?)
    }

    /// Signs the message as it stands.
    ///
    /// # Errors
    /// [`crate::Error::StateForbids`] if the version was taken away meanwhile.
    pub(crate) async fn sign(&self, entry: &Entry, message: &[u8]) -> Result<Vec<u8>> {
        let options = self.scheme.sign_options();
        let signature = if self.in_use.is_slow(Operation::Sign) {
            let (key, message) = (Arc::clone(self.in_use.key()), message.to_vec());
            entry
                .rooms
                .slow
                .run(move || key.sign(Message::Raw(&message), &options))
                .await??
        } else {
            self.in_use.key().sign(Message::Raw(message), &options)?
        };
        self.still_live()?;
        Ok(signature)
    }

    /// Whether the version may still do what its use began with.
    ///
    /// # Errors
    /// What to answer if not.
    pub(crate) fn still_live(&self) -> Result<()> {
        if self.in_use.still_live() {
            Ok(())
        } else {
            Err(self.in_use.refusal(Operation::Sign))
        }
    }
}
