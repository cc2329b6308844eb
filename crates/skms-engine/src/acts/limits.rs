//! A namespace's limits: read them, set them. Setting them is the server
//! operator's, not the tenant's: it is an act on the server.

use std::collections::HashMap;
use std::sync::Arc;

use skms_evidence::{DetailKey, Outcome};
use skms_store::{Change, Kind, RecordId, SealedStore};

use crate::act::act;
use crate::caller::Caller;
use crate::draft::EventDraft;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::limits::{Limits, Rate};
use crate::places::Places;
use crate::records;
use crate::records::limits::NAME;
use crate::target::Target;

act!(Read, LimitsRead, "Reads a namespace's limits.");
act!(Write, LimitsWrite, "Sets a namespace's limits.");

/// Most keyrings or principals that have a limit of their own.
const NAMED_MAX: usize = 1000;

/// The limits of every namespace that has any, by the namespace's name.
pub(crate) async fn load(
    store: &SealedStore,
    places: &Places,
) -> Result<HashMap<String, Arc<Limits>>> {
    let mut all = HashMap::new();
    for namespace in places.list() {
        let found = store.find(namespace.id.0, Kind::Setting, NAME).await?;
        if let Some(stored) = found {
            let limits: Limits = records::decode(stored.plaintext.expose())?;
            all.insert(namespace.name.clone(), Arc::new(limits));
        }
    }
    Ok(all)
}

impl Engine {
    /// What is set for a namespace.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an absent namespace and one not visible.
    pub async fn read_limits(&self, caller: &Arc<Caller>, namespace: &str) -> Result<Limits> {
        let entry = self.enter(caller)?;
        let allowed = entry
            .authorize::<Read>(Target::namespace(namespace))
            .await?;
        let found = match entry.rooms.places.namespace(namespace) {
            Some(_) => Ok(entry.rooms.limits(namespace)),
            None => Err(Error::NotFound { what: "namespace" }),
        };
        let found = entry.failed(&allowed, found).await?;
        entry
            .record(EventDraft::of(&entry, &allowed, Outcome::Success)?)
            .await?;
        Ok(found
            .map(|limits| Limits::clone(&limits))
            .unwrap_or_default())
    }

    /// Sets what holds for a namespace from now on. What is over a new limit
    /// already stays; no more is made.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an absent namespace; [`Error::Invalid`] for
    /// rates that cannot be.
    pub async fn write_limits(
        &self,
        caller: &Arc<Caller>,
        namespace: &str,
        limits: Limits,
    ) -> Result<Limits> {
        let entry = self.enter(caller)?;
        let allowed = entry.authorize::<Write>(Target::system()).await?;
        entry.failed(&allowed, check(&limits)).await?;
        // No create is under way while this is held: what counted without a
        // limit has committed before the limit is there.
        let guard = entry.rooms.lock_changes().await;
        let place = entry.rooms.places.namespace(namespace);
        let place = place.ok_or(Error::NotFound { what: "namespace" });
        let place = entry.failed(&allowed, place).await?;
        let store = &entry.rooms.store;
        let known = store.find(place.id.0, Kind::Setting, NAME).await?;
        let change = Change::Put {
            namespace: place.id.0,
            kind: Kind::Setting,
            id: known
                .as_ref()
                .map_or_else(RecordId::random, |known| Ok(known.id))?,
            name: Some(NAME.to_owned()),
            expected: known.map(|known| known.revision),
            plaintext: records::encode(&limits)?,
        };
        let event = EventDraft::of(&entry, &allowed, Outcome::Success)?
            .namespace(namespace)
            .detail(DetailKey::Changed, names(&limits));
        let namespace = namespace.to_owned();
        entry
            .change(guard, vec![change], event, move |rooms, _| {
                rooms.set_limits(&namespace, Some(Arc::new(limits.clone())));
                rooms.limiter.changed(&namespace, &limits);
                Ok(limits)
            })
            .await
    }
}

fn check(limits: &Limits) -> Result<()> {
    if limits.keyrings.len() > NAMED_MAX || limits.rates.len() > NAMED_MAX {
        return Err(Error::TooLarge {
            what: "the number of names with a limit of their own",
            limit: NAMED_MAX as u64,
        });
    }
    for rate in limits.rates.values().chain(&limits.rate) {
        Rate::new(rate.per_second, rate.burst)?;
    }
    Ok(())
}

/// What is limited, for the event.
fn names(limits: &Limits) -> String {
    let all = [
        ("keys", limits.keys.is_some()),
        ("keys_per_keyring", limits.keys_per_keyring.is_some()),
        ("keyrings", !limits.keyrings.is_empty()),
        (
            "tokens_per_principal",
            limits.tokens_per_principal.is_some(),
        ),
        ("rate", limits.rate.is_some()),
        ("rates", !limits.rates.is_empty()),
    ];
    let named: Vec<&str> = all
        .into_iter()
        .filter_map(|(name, set)| set.then_some(name))
        .collect();
    named.join(" ")
}
