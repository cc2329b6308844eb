//! Reads a key's metadata, lists keys, hands out public halves.

use std::sync::Arc;

use skms_crypto::{Algorithm, Format, PublicKey};
use skms_evidence::Outcome;
use skms_keys::{Key, VersionNumber};
use skms_policy::{Action, ResourceRef};
use skms_store::{Kind, RecordId};

use crate::act::act;
use crate::caller::Caller;
use crate::draft::EventDraft;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::gate::KeyRef;
use crate::opened::KeySnapshot;
use crate::page::Page;
use crate::records;
use crate::records::key::KeyRecord;
use crate::target::Target;

act!(Read, KeyRead, "Reads a key's metadata and versions.");
act!(List, KeyList, "Lists a keyring's keys.");
act!(Public, KeyPublic, "Reads a key's public half.");

/// A public key.
#[derive(Clone, Debug)]
pub struct PublicHalf {
    /// In the format asked for.
    pub bytes: Vec<u8>,
    /// The version's algorithm.
    pub algorithm: Algorithm,
    /// The version it is of.
    pub version: VersionNumber,
    /// SHA-256 of its DER `SubjectPublicKeyInfo`.
    pub fingerprint: [u8; 32],
}

impl Engine {
    /// A key's metadata.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an absent one and one not visible.
    pub async fn read_key(&self, caller: &Arc<Caller>, at: KeyRef<'_>) -> Result<Arc<KeySnapshot>> {
        let entry = self.enter(caller)?;
        let allowed = entry.authorize_key::<Read>(at).await?;
        let snapshot = allowed.target().snapshot();
        entry
            .record(EventDraft::of_key(&entry, &allowed, Outcome::Success)?)
            .await?;
        Ok(snapshot)
    }

    /// The keys of a keyring that the caller may read, in order of their
    /// identifiers.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an absent keyring and one not visible.
    pub async fn list_keys(
        &self,
        caller: &Arc<Caller>,
        namespace: &str,
        keyring: &str,
        page: &Page,
    ) -> Result<(Vec<Key>, Option<RecordId>)> {
        let entry = self.enter(caller)?;
        let allowed = entry
            .authorize::<List>(Target::keyring(namespace, keyring))
            .await?;
        let Some((id, ring)) = entry.rooms.places.ring(namespace, keyring) else {
            return entry
                .failed(&allowed, Err(Error::NotFound { what: "keyring" }))
                .await;
        };
        let listed = page
            .collect(&entry.rooms.store, id.0, Kind::Key, |stored| {
                let record: KeyRecord = records::decode(stored.plaintext.expose())?;
                let key = record.into_domain(stored.id, id)?;
                if key.keyring != ring.ring.id {
                    return Ok(None);
                }
                let resource = ResourceRef::key(namespace, keyring, key.name.as_str())
                    .stored(key.id.0, stored.revision)
                    .with_algorithm(key.algorithm.name())
                    .with_owner(&key.owner)
                    .with_exportable(key.exportable)
                    .with_tags(&key.tags);
                let visible = entry.may_see(Action::KeyRead, &resource);
                Ok(visible.then_some(key))
            })
            .await?;
        entry
            .record(EventDraft::of(&entry, &allowed, Outcome::Success)?)
            .await?;
        Ok(listed)
    }

    /// The public half of a version; of the newest by default.
    ///
    /// # Errors
    /// [`Error::KeyForbids`] for a symmetric key.
    pub async fn public_key(
        &self,
        caller: &Arc<Caller>,
        at: KeyRef<'_>,
        version: Option<VersionNumber>,
        format: Format,
    ) -> Result<PublicHalf> {
        let entry = self.enter(caller)?;
        let allowed = entry.authorize_key::<Public>(at).await?;
        let snapshot = allowed.target().snapshot();
        let key = snapshot.key();
        let found = match version {
            Some(number) => key.version(number)?,
            None => key.newest()?,
        };
        let algorithm = key.algorithm_of(found.number);
        let spki = found.public_spki.as_deref().ok_or_else(|| {
            Error::KeyForbids(format!("a key for {algorithm} has no public half"))
        })?;
        let public = PublicKey::import(spki, Format::SpkiDer, Some(algorithm))?;
        let half = PublicHalf {
            bytes: public.export(format)?,
            algorithm,
            version: found.number,
            fingerprint: public.fingerprint(),
        };
        let event =
            EventDraft::of_key(&entry, &allowed, Outcome::Success)?.versions([half.version]);
        entry.record(event).await?;
        Ok(half)
    }
}
