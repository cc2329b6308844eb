//! Moves a ciphertext to the newest version of its key without showing the
//! plaintext to anybody: two uses of one key, both permitted, one event.

use std::sync::Arc;

use skms_crypto::EncryptOptions;
use skms_evidence::Outcome;
use skms_keys::{Operation, VersionNumber, counted_bytes};

use super::encrypt::Encrypted;
use crate::act::act;
use crate::caller::Caller;
use crate::draft::EventDraft;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::gate::{Authorized, Entry, KeyRef, KeyTarget};
use crate::opened::{InUse, Spend, take_for};
use crate::operate::MAX_BATCH;

act!(
    Reencrypt,
    KeyReencrypt,
    "Moves a ciphertext to the newest version of its key."
);

/// One ciphertext.
pub struct Request {
    /// As it was encrypted.
    pub ciphertext: Vec<u8>,
    /// What is bound to it, before and after.
    pub associated_data: Vec<u8>,
    /// The version that made it.
    pub version: VersionNumber,
    /// The version to move to; the newest active one by default.
    pub to: Option<VersionNumber>,
    /// The algorithm's choices, before and after.
    pub options: EncryptOptions,
}

impl Engine {
    /// Re-encrypts `items`, each with its own result, in order.
    ///
    /// # Errors
    /// As for every operation on a key.
    pub async fn reencrypt(
        &self,
        caller: &Arc<Caller>,
        at: KeyRef<'_>,
        items: Vec<Request>,
    ) -> Result<Vec<Result<Encrypted>>> {
        if items.len() > MAX_BATCH {
            return Err(Error::TooLarge {
                what: "the batch",
                limit: MAX_BATCH as u64,
            });
        }
        let entry = self.enter(caller)?;
        let allowed = entry.authorize_key::<Reencrypt>(at).await?;
        let mut held = Vec::with_capacity(items.len() * 2);
        let mut results = Vec::with_capacity(items.len());
        for item in items {
            results.push(one(&entry, &allowed, item, &mut held).await);
        }
        if let Some(gone) = held.iter().find(|in_use| !in_use.still_live()) {
            for result in results.iter_mut().filter(|result| result.is_ok()) {
                *result = Err(gone.refusal(Operation::Encrypt));
            }
        }
        let failed = results.iter().filter(|result| result.is_err()).count();
        let outcome = match results.iter().find_map(|result| result.as_ref().err()) {
            Some(reason) if failed == results.len() => Outcome::failed(reason),
            _ => Outcome::Success,
        };
        let event = EventDraft::of_key(&entry, &allowed, outcome)?
            .versions(held.iter().map(InUse::version))
            .items(results.len(), failed);
        entry.record(event).await?;
        Ok(results)
    }
}

async fn one(
    entry: &Entry,
    allowed: &Authorized<Reencrypt, KeyTarget>,
    item: Request,
    held: &mut Vec<InUse>,
) -> Result<Encrypted> {
    let named = Some(item.version);
    let from = take_for(entry, allowed, Operation::Decrypt, named, Spend::ONE_USE).await?;
    // The plaintext is shorter than this by tag and nonce.
    let text = counted_bytes(item.ciphertext.len());
    let spends = Spend {
        uses: 1,
        bytes: text.saturating_add(counted_bytes(item.associated_data.len())),
    };
    let to = take_for(entry, allowed, Operation::Encrypt, item.to, spends).await?;
    let (old, new) = (Arc::clone(from.key()), Arc::clone(to.key()));
    let slow = from.is_slow(Operation::Decrypt);
    let work = move || -> Result<Vec<u8>> {
        let options = &item.options;
        let plaintext = old.decrypt(&item.ciphertext, &item.associated_data, options)?;
        Ok(new.encrypt(plaintext.expose(), &item.associated_data, options)?)
    };
    let ciphertext = if slow {
        entry.rooms.slow.run(work).await??
    } else {
        work()?
    };
    let version = to.version();
    held.push(from);
    held.push(to);
    Ok(Encrypted {
        ciphertext,
        version,
    })
}
