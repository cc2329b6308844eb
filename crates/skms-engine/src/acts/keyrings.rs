//! Keyrings: create, list, read, delete.

use std::sync::Arc;

use skms_evidence::Outcome;
use skms_keys::{Defaults, Keyring, KeyringId, Name};
use skms_policy::{Action, ResourceRef};
use skms_store::{Change, Kind, RecordId};

use crate::act::act;
use crate::caller::Caller;
use crate::draft::EventDraft;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::idempotency::Once;
use crate::records;
use crate::records::keyring::KeyringRecord;
use crate::target::Target;

act!(Create, KeyringCreate, "Creates a keyring.");
act!(List, KeyringList, "Lists a namespace's keyrings.");
act!(Read, KeyringRead, "Reads a keyring.");
act!(Delete, KeyringDelete, "Deletes an empty keyring.");

/// The keyring that every namespace's first key can go into.
pub const DEFAULT: &str = "default";

impl Engine {
    /// Creates a keyring.
    ///
    /// # Errors
    /// [`Error::Exists`]; [`Error::Invalid`] or [`Error::KeyForbids`] for a
    /// name or defaults that cannot be.
    pub async fn create_keyring(
        &self,
        caller: &Arc<Caller>,
        namespace: &str,
        name: &str,
        defaults: Defaults,
    ) -> Result<Keyring> {
        let entry = self.enter(caller)?;
        let allowed = entry
            .authorize::<Create>(Target::keyring(namespace, name))
            .await?;
        let claim = match entry.rooms.places.namespace(namespace) {
            Some(place) => entry.once(place.id.0).await.map(|once| (place.id, once)),
            None => Err(Error::NotFound { what: "namespace" }),
        };
        let claim = match entry.failed(&allowed, claim).await? {
            (_, Once::First(claim)) => claim,
            (place, Once::Again(id, record)) => {
                let ring = KeyringRecord::into_domain(record, id, place)?;
                entry.record_again(&allowed, id).await?;
                return Ok(ring);
            }
        };
        let guard = entry.rooms.lock_changes().await;
        let Some(place) = entry.rooms.places.namespace(namespace) else {
            return entry
                .failed(&allowed, Err(Error::NotFound { what: "namespace" }))
                .await;
        };
        if place.keyrings.contains_key(name) {
            return entry
                .failed(
                    &allowed,
                    Err(Error::Exists {
                        what: "a keyring of that name",
                    }),
                )
                .await;
        }
        let id = RecordId::random()?;
        let ring = Keyring::create(
            KeyringId(id.0),
            place.id,
            Name::new(name)?,
            defaults,
            entry.now(),
        )?;
        let record = KeyringRecord::from(&ring);
        let mut changes = vec![Change::Put {
            namespace: place.id.0,
            kind: Kind::Keyring,
            id,
            name: Some(name.to_owned()),
            expected: None,
            plaintext: records::encode(&record)?,
        }];
        changes.extend(claim.remember(id, &record)?);
        let event = EventDraft::of(&entry, &allowed, Outcome::Success)?;
        let namespace = namespace.to_owned();
        entry
            .change((guard, claim), changes, event, move |rooms, revisions| {
                let revision = revisions.first().copied().unwrap_or(1);
                rooms.places.set_ring(
                    &namespace,
                    ring.name.as_str(),
                    Some((ring.clone(), revision)),
                )?;
                Ok(ring)
            })
            .await
    }

    /// The keyrings of a namespace that the caller may read, by name.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an absent namespace and one not visible.
    pub async fn list_keyrings(
        &self,
        caller: &Arc<Caller>,
        namespace: &str,
    ) -> Result<Vec<Keyring>> {
        let entry = self.enter(caller)?;
        let allowed = entry
            .authorize::<List>(Target::namespace(namespace))
            .await?;
        let Some(place) = entry.rooms.places.namespace(namespace) else {
            return entry
                .failed(&allowed, Err(Error::NotFound { what: "namespace" }))
                .await;
        };
        let mut rings: Vec<Keyring> = place
            .keyrings
            .values()
            .filter(|ring| {
                let resource = ResourceRef::keyring(namespace, ring.ring.name.as_str())
                    .stored(ring.ring.id.0, ring.revision);
                entry.may_see(Action::KeyringRead, &resource)
            })
            .map(|ring| ring.ring.clone())
            .collect();
        rings.sort_by(|a, b| a.name.as_str().cmp(b.name.as_str()));
        entry
            .record(EventDraft::of(&entry, &allowed, Outcome::Success)?)
            .await?;
        Ok(rings)
    }

    /// One keyring.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an absent one and one not visible.
    pub async fn read_keyring(
        &self,
        caller: &Arc<Caller>,
        namespace: &str,
        name: &str,
    ) -> Result<Keyring> {
        let entry = self.enter(caller)?;
        let allowed = entry
            .authorize::<Read>(Target::keyring(namespace, name))
            .await?;
        let found = entry.rooms.places.ring(namespace, name);
        let outcome = match &found {
            Some(_) => Outcome::Success,
            None => Outcome::failed("absent"),
        };
        entry
            .record(EventDraft::of(&entry, &allowed, outcome)?)
            .await?;
        found
            .map(|(_, ring)| ring.ring.clone())
            .ok_or(Error::NotFound { what: "keyring" })
    }

    /// Deletes a keyring that holds no key any more.
    ///
    /// # Errors
    /// [`Error::NotEmpty`] while it holds keys.
    pub async fn delete_keyring(
        &self,
        caller: &Arc<Caller>,
        namespace: &str,
        name: &str,
    ) -> Result<()> {
        let entry = self.enter(caller)?;
        let allowed = entry
            .authorize::<Delete>(Target::keyring(namespace, name))
            .await?;
        let guard = entry.rooms.lock_changes().await;
        let Some((id, ring)) = entry.rooms.places.ring(namespace, name) else {
            return entry
                .failed(&allowed, Err(Error::NotFound { what: "keyring" }))
                .await;
        };
        if entry.rooms.ring_holds_keys(id, ring.ring.id).await? {
            return entry
                .failed(
                    &allowed,
                    Err(Error::NotEmpty(
                        "the keyring is not empty: delete its keys first",
                    )),
                )
                .await;
        }
        let change = Change::Delete {
            namespace: id.0,
            kind: Kind::Keyring,
            id: RecordId(ring.ring.id.0),
            expected: ring.revision,
        };
        let event = EventDraft::of(&entry, &allowed, Outcome::Success)?;
        let (namespace, name) = (namespace.to_owned(), name.to_owned());
        entry
            .change(guard, vec![change], event, move |rooms, _| {
                rooms.places.set_ring(&namespace, &name, None)
            })
            .await
    }
}
