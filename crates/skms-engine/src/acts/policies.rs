//! Policies: write, read, list, delete. A document is compiled before its
//! record is written, and the set with it swapped in before the answer; the
//! other documents are those that memory has.

use std::sync::Arc;

use skms_evidence::Outcome;
use skms_keys::UnixSeconds;
use skms_policy::{Action, Document, PolicyName, ROOT_NAMESPACE};
use skms_store::{Change, Kind, RecordId, SealedStore};

use crate::act::{Act, act};
use crate::caller::Caller;
use crate::draft::EventDraft;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::gate::{Authorized, Entry};
use crate::places;
use crate::records;
use crate::records::policy::PolicyRecord;
use crate::target::Target;

act!(Write, PolicyWrite, "Writes a policy.");
act!(Read, PolicyRead, "Reads a policy.");
act!(List, PolicyList, "Lists a namespace's policies.");
act!(Delete, PolicyDelete, "Deletes a policy.");

/// What is told about a policy.
#[derive(Clone, Debug)]
pub struct View {
    /// Its name in its namespace.
    pub name: String,
    /// The Cedar text.
    pub text: String,
    /// When it was first written.
    pub created_at: UnixSeconds,
    /// When it was last written.
    pub updated_at: UnixSeconds,
}

impl From<PolicyRecord> for View {
    fn from(record: PolicyRecord) -> Self {
        Self {
            name: record.name,
            text: record.text,
            created_at: UnixSeconds(record.created_at),
            updated_at: UnixSeconds(record.updated_at),
        }
    }
}

impl Engine {
    /// Writes a policy, new or in place of the one of that name. It is in
    /// force when this returns.
    ///
    /// # Errors
    /// [`Error::Policy`] with the place of the mistake; then nothing changed.
    pub async fn write_policy(
        &self,
        caller: &Arc<Caller>,
        namespace: &str,
        name: &str,
        text: &str,
    ) -> Result<View> {
        let entry = self.enter(caller)?;
        let target = entry.policy_target(namespace, name).await?;
        let compile = || {
            let name = PolicyName::new(namespace, name)?;
            Ok(Document::compile(&name, text)?)
        };
        let (allowed, document) = entry.authorize_checked::<Write, _>(target, compile).await?;
        let guard = entry.rooms.lock_changes().await;
        let Some(place) = entry.rooms.places.namespace(namespace) else {
            return entry
                .failed(&allowed, Err(Error::NotFound { what: "namespace" }))
                .await;
        };
        let scope = place.id.0;
        let existing = entry.rooms.store.find(scope, Kind::Policy, name).await?;
        let before = existing.as_ref().map(|stored| (stored.id, stored.revision));
        let same = entry.same_policy(&allowed, before);
        entry.failed(&allowed, same).await?;
        let now = entry.now().0;
        let (id, expected, created_at) = match &existing {
            Some(stored) => {
                let old: PolicyRecord = records::decode(stored.plaintext.expose())?;
                (stored.id, Some(stored.revision), old.created_at)
            }
            None => (RecordId::random()?, None, now),
        };
        let record = PolicyRecord {
            name: name.to_owned(),
            text: text.to_owned(),
            created_at,
            updated_at: now,
        };
        let change = Change::Put {
            namespace: scope,
            kind: Kind::Policy,
            id,
            name: Some(name.to_owned()),
            expected,
            plaintext: records::encode(&record)?,
        };
        let event = EventDraft::of(&entry, &allowed, Outcome::Success)?;
        entry
            .change(guard, vec![change], event, move |rooms, _| {
                rooms.change_policies(|set| set.with(document));
                Ok(View::from(record))
            })
            .await
    }

    /// A policy's text.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an absent one and one not visible.
    pub async fn read_policy(
        &self,
        caller: &Arc<Caller>,
        namespace: &str,
        name: &str,
    ) -> Result<View> {
        let entry = self.enter(caller)?;
        let allowed = entry
            .authorize::<Read>(Target::policy(namespace, name))
            .await?;
        let found = match entry.rooms.places.namespace(namespace) {
            Some(place) => {
                entry
                    .rooms
                    .store
                    .find(place.id.0, Kind::Policy, name)
                    .await?
            }
            None => None,
        };
        let outcome = match &found {
            Some(_) => Outcome::Success,
            None => Outcome::failed("absent"),
        };
        entry
            .record(EventDraft::of(&entry, &allowed, outcome)?)
            .await?;
        match found {
            Some(stored) => Ok(records::decode::<PolicyRecord>(stored.plaintext.expose())?.into()),
            None => Err(Error::NotFound { what: "policy" }),
        }
    }

    /// The policies of a namespace, by name.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the caller may not list them.
    pub async fn list_policies(&self, caller: &Arc<Caller>, namespace: &str) -> Result<Vec<View>> {
        let entry = self.enter(caller)?;
        let allowed = entry
            .authorize::<List>(Target::namespace(namespace))
            .await?;
        let Some(place) = entry.rooms.places.namespace(namespace) else {
            return entry
                .failed(&allowed, Err(Error::NotFound { what: "namespace" }))
                .await;
        };
        let mut views: Vec<View> = places::all::<PolicyRecord>(&entry.rooms.store, place.id.0)
            .await?
            .into_iter()
            .map(|(_, _, record)| View::from(record))
            .filter(|view| {
                let target = Target::policy(namespace, &view.name);
                entry.may_see(Action::PolicyRead, &target.resource())
            })
            .collect();
        views.sort_by(|a, b| a.name.cmp(&b.name));
        entry
            .record(EventDraft::of(&entry, &allowed, Outcome::Success)?)
            .await?;
        Ok(views)
    }

    /// Deletes a policy; what only it permitted is refused when this returns.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Invalid`] for the one policy without
    /// which nobody could write another.
    pub async fn delete_policy(
        &self,
        caller: &Arc<Caller>,
        namespace: &str,
        name: &str,
    ) -> Result<()> {
        let entry = self.enter(caller)?;
        let target = entry.policy_target(namespace, name).await?;
        let is_there = target.id.is_some();
        let check = || match is_there {
            false => Err(Error::NotFound { what: "policy" }),
            true if namespace == ROOT_NAMESPACE && name == "root" => Err(Error::Invalid(
                "the policy root/root stays: without it nobody could write another; \
                 write it anew to narrow it"
                    .into(),
            )),
            true => Ok(()),
        };
        let (allowed, ()) = entry.authorize_checked::<Delete, _>(target, check).await?;
        let guard = entry.rooms.lock_changes().await;
        let Some(place) = entry.rooms.places.namespace(namespace) else {
            return entry
                .failed(&allowed, Err(Error::NotFound { what: "policy" }))
                .await;
        };
        let scope = place.id.0;
        let Some(stored) = entry.rooms.store.find(scope, Kind::Policy, name).await? else {
            return entry
                .failed(&allowed, Err(Error::NotFound { what: "policy" }))
                .await;
        };
        let same = entry.same_policy(&allowed, Some((stored.id, stored.revision)));
        entry.failed(&allowed, same).await?;
        let policy_name = PolicyName::new(namespace, name)?;
        let change = Change::Delete {
            namespace: scope,
            kind: Kind::Policy,
            id: stored.id,
            expected: stored.revision,
        };
        let event = EventDraft::of(&entry, &allowed, Outcome::Success)?;
        entry
            .change(guard, vec![change], event, move |rooms, _| {
                rooms.change_policies(|set| set.without(&policy_name));
                Ok(())
            })
            .await
    }
}

impl Entry {
    /// The policy as a target: with its revision if there is one.
    async fn policy_target(&self, namespace: &str, name: &str) -> Result<Target> {
        let target = Target::policy(namespace, name);
        let Some(place) = self.rooms.places.namespace(namespace) else {
            return Ok(target);
        };
        let found = self.rooms.store.find(place.id.0, Kind::Policy, name);
        Ok(match found.await? {
            Some(stored) => target.stored(stored.id.0, stored.revision),
            None => target,
        })
    }

    /// Whether what is changed is the text that others approved to change; the
    /// caller holds the change lock.
    fn same_policy<A: Act>(
        &self,
        allowed: &Authorized<A, Target>,
        now: Option<(RecordId, u64)>,
    ) -> Result<()> {
        let target = allowed.target();
        let then = target.id.map(|id| (RecordId(id), target.revision));
        match self.claims.any() && then != now {
            true => Err(Error::ApprovalRefused(
                "what it is about has changed since".into(),
            )),
            false => Ok(()),
        }
    }
}

/// Every policy document of every namespace.
pub(crate) async fn load(
    store: &SealedStore,
    places: &places::Places,
) -> Result<Vec<(PolicyName, String)>> {
    let mut documents = Vec::new();
    for namespace in places.list() {
        for (_, _, record) in places::all::<PolicyRecord>(store, namespace.id.0).await? {
            let name = PolicyName::new(namespace.name.as_str(), record.name)?;
            documents.push((name, record.text));
        }
    }
    Ok(documents)
}
