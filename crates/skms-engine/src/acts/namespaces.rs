//! Tenants: create, list, read, delete.

use std::sync::Arc;

use skms_evidence::Outcome;
use skms_keys::{Name, NamespaceId, UnixSeconds};
use skms_policy::{Action, ResourceRef};
use skms_store::{Change, Kind, RecordId};

use crate::act::act;
use crate::caller::Caller;
use crate::draft::EventDraft;
use crate::engine::{Engine, Rooms};
use crate::error::{Error, Result};
use crate::idempotency::Once;
use crate::places::{self, Namespace, SYSTEM_SCOPE};
use crate::records;
use crate::records::namespace::NamespaceRecord;
use crate::records::principal::PrincipalRecord;
use crate::records::token::TokenRecord;
use crate::target::Target;

act!(Create, NamespaceCreate, "Creates a namespace.");
act!(List, NamespaceList, "Lists the namespaces.");
act!(Read, NamespaceRead, "Reads a namespace.");
act!(Delete, NamespaceDelete, "Deletes an empty namespace.");

/// The namespace that exists from the start and cannot be deleted.
pub const ROOT: &str = skms_keys::Namespace::ROOT;

/// Records that one step reads.
const STEP: usize = 256;

/// What is told about a namespace.
#[derive(Clone, Debug)]
pub struct View {
    /// Its identifier.
    pub id: NamespaceId,
    /// Its name.
    pub name: String,
    /// When it was made.
    pub created_at: UnixSeconds,
}

impl View {
    fn made(id: RecordId, record: NamespaceRecord) -> Self {
        Self {
            id: NamespaceId(id.0),
            name: record.name,
            created_at: UnixSeconds(record.created_at),
        }
    }
}

impl From<&Namespace> for View {
    fn from(namespace: &Namespace) -> Self {
        Self {
            id: namespace.id,
            name: namespace.name.clone(),
            created_at: UnixSeconds(namespace.created_at),
        }
    }
}

impl Engine {
    /// Creates a namespace.
    ///
    /// # Errors
    /// [`Error::Exists`]; [`Error::Invalid`] for a name that is none.
    pub async fn create_namespace(&self, caller: &Arc<Caller>, name: &str) -> Result<View> {
        let entry = self.enter(caller)?;
        let allowed = entry.authorize::<Create>(Target::namespace(name)).await?;
        let name = Name::new(name).map_err(Error::from);
        let name = entry.failed(&allowed, name).await?;
        let once = entry.once(SYSTEM_SCOPE).await;
        let claim = match entry.failed(&allowed, once).await? {
            Once::First(claim) => claim,
            Once::Again(id, record) => {
                entry.record_again(&allowed, id).await?;
                return Ok(View::made(id, record));
            }
        };
        let guard = entry.rooms.lock_changes().await;
        if entry.rooms.places.namespace(name.as_str()).is_some() {
            return entry
                .failed(
                    &allowed,
                    Err(Error::Exists {
                        what: "a namespace of that name",
                    }),
                )
                .await;
        }
        let id = RecordId::random()?;
        let record = NamespaceRecord {
            name: name.as_str().to_owned(),
            created_at: entry.now().0,
        };
        let mut changes = vec![Change::Put {
            namespace: SYSTEM_SCOPE,
            kind: Kind::Namespace,
            id,
            name: Some(record.name.clone()),
            expected: None,
            plaintext: records::encode(&record)?,
        }];
        changes.extend(claim.remember(id, &record)?);
        let event = EventDraft::of(&entry, &allowed, Outcome::Success)?;
        entry
            .change((guard, claim), changes, event, move |rooms, revisions| {
                let namespace = Namespace {
                    id: NamespaceId(id.0),
                    name: record.name,
                    created_at: record.created_at,
                    revision: revisions.first().copied().unwrap_or(1),
                    keyrings: Default::default(),
                };
                let view = View::from(&namespace);
                rooms.places.put_namespace(namespace);
                Ok(view)
            })
            .await
    }

    /// The namespaces that the caller may read, by name.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the caller may not list.
    pub async fn list_namespaces(&self, caller: &Arc<Caller>) -> Result<Vec<View>> {
        let entry = self.enter(caller)?;
        let allowed = entry.authorize::<List>(Target::system()).await?;
        let views = entry
            .rooms
            .places
            .list()
            .iter()
            .filter(|namespace| {
                let resource = ResourceRef::namespace(&namespace.name)
                    .stored(namespace.id.0, namespace.revision);
                entry.may_see(Action::NamespaceRead, &resource)
            })
            .map(|namespace| View::from(namespace.as_ref()))
            .collect();
        entry
            .record(EventDraft::of(&entry, &allowed, Outcome::Success)?)
            .await?;
        Ok(views)
    }

    /// One namespace.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an absent one and one not visible.
    pub async fn read_namespace(&self, caller: &Arc<Caller>, name: &str) -> Result<View> {
        let entry = self.enter(caller)?;
        let allowed = entry.authorize::<Read>(Target::namespace(name)).await?;
        let found = entry.rooms.places.namespace(name);
        let outcome = match &found {
            Some(_) => Outcome::Success,
            None => Outcome::failed("absent"),
        };
        entry
            .record(EventDraft::of(&entry, &allowed, outcome)?)
            .await?;
        found
            .map(|namespace| View::from(namespace.as_ref()))
            .ok_or(Error::NotFound { what: "namespace" })
    }

    /// Deletes a namespace that holds nothing any more.
    ///
    /// # Errors
    /// [`Error::NotEmpty`] while it still holds keyrings or policies, or has an
    /// incident that is not finished;
    /// [`Error::Invalid`] for the root namespace.
    pub async fn delete_namespace(&self, caller: &Arc<Caller>, name: &str) -> Result<()> {
        let entry = self.enter(caller)?;
        let allowed = entry.authorize::<Delete>(Target::namespace(name)).await?;
        let guard = entry.rooms.lock_changes().await;
        let Some(namespace) = entry.rooms.places.namespace(name) else {
            return entry
                .failed(&allowed, Err(Error::NotFound { what: "namespace" }))
                .await;
        };
        if name == ROOT {
            return entry
                .failed(
                    &allowed,
                    Err(Error::Invalid("the root namespace stays".into())),
                )
                .await;
        }
        if entry.rooms.incidents.is_open_in(namespace.id.0) {
            let unfinished = Error::NotEmpty(
                "an incident of the namespace is not finished: wait for it, and take its report",
            );
            return entry.failed(&allowed, Err(unfinished)).await;
        }
        let store = &entry.rooms.store;
        if !namespace.keyrings.is_empty()
            || places::any(store, namespace.id.0, Kind::Key).await?
            || places::any(store, namespace.id.0, Kind::Policy).await?
            || places::any(store, namespace.id.0, Kind::Authority).await?
            || places::any(store, namespace.id.0, Kind::SshAuthority).await?
            || places::any(store, namespace.id.0, Kind::Tsa).await?
            || places::any(store, namespace.id.0, Kind::Trust).await?
            || places::any(store, namespace.id.0, Kind::Group).await?
            || places::any(store, namespace.id.0, Kind::Rule).await?
            || places::any(store, namespace.id.0, Kind::Channel).await?
        {
            return entry
                .failed(
                    &allowed,
                    Err(Error::NotEmpty(
                        "the namespace is not empty: delete its groups, keyrings, policies, rules, authorities, trusts and notification channels first",
                    )),
                )
                .await;
        }
        let mut changes = vec![Change::Delete {
            namespace: SYSTEM_SCOPE,
            kind: Kind::Namespace,
            id: RecordId(namespace.id.0),
            expected: namespace.revision,
        }];
        // Its credentials go with it: a namespace of the same name made later
        // must not find them.
        let credentials = credentials(&entry.rooms, name).await?;
        changes.extend(
            credentials
                .iter()
                .map(|(kind, id, revision)| Change::Delete {
                    namespace: SYSTEM_SCOPE,
                    kind: *kind,
                    id: *id,
                    expected: *revision,
                }),
        );
        changes.extend(left(&entry.rooms, namespace.id.0).await?);
        let suspended = entry.rooms.suspended.without_namespace(name)?;
        let suspended = suspended.map(|changing| {
            let (change, committing) = changing.split();
            changes.push(change);
            (changes.len() - 1, committing)
        });
        let event = EventDraft::of(&entry, &allowed, Outcome::Success)?;
        let (name, id) = (name.to_owned(), namespace.id);
        entry
            .change(guard, changes, event, move |rooms, revisions| {
                if let Some((at, committing)) = suspended {
                    let revision = revisions.get(at).copied().unwrap_or_default();
                    committing.put_in_force(&rooms.suspended, revision);
                }
                rooms.quotas.forget(id);
                rooms.set_limits(&name, None);
                for (_, id, _) in &credentials {
                    rooms.sessions.end(*id);
                }
                rooms.places.remove_namespace(&name);
                Ok(())
            })
            .await
    }
}

/// What is left in a namespace without keys: its limits, findings, incidents and
/// the like. Nobody could read any of it any more.
async fn left(rooms: &Rooms, scope: [u8; 16]) -> Result<Vec<Change>> {
    let mut changes = Vec::new();
    let written_by_acts = |kind: &Kind| !matches!(kind, Kind::Head | Kind::Outbox);
    for kind in Kind::ALL.into_iter().filter(written_by_acts) {
        let mut after = None;
        loop {
            let page = rooms.store.scan(scope, kind, after, STEP).await?;
            let last = page.len() < STEP;
            after = page.last().map(|record| record.id);
            changes.extend(page.into_iter().map(|stored| Change::Delete {
                namespace: scope,
                kind,
                id: stored.id,
                expected: stored.revision,
            }));
            if last {
                break;
            }
        }
    }
    Ok(changes)
}

/// The tokens and registered certificates of a namespace.
async fn credentials(rooms: &Rooms, name: &str) -> Result<Vec<(Kind, RecordId, u64)>> {
    let tokens = places::all::<TokenRecord>(&rooms.store, SYSTEM_SCOPE).await?;
    let principals = places::all::<PrincipalRecord>(&rooms.store, SYSTEM_SCOPE).await?;
    let tokens = tokens
        .into_iter()
        .filter(|(_, _, record)| record.namespace == name)
        .map(|(id, revision, _)| (Kind::Token, id, revision));
    let principals = principals
        .into_iter()
        .filter(|(_, _, record)| record.namespace == name)
        .map(|(id, revision, _)| (Kind::Principal, id, revision));
    Ok(tokens.chain(principals).collect())
}
