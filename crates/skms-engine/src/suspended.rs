//! Principals that are suspended: every credential of theirs is refused until
//! somebody resumes them. Nearly always nobody is, and asking then costs one
//! load.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use skms_policy::{Action, Context, Principal, PrincipalKind, ROOT_NAMESPACE, Request};
use skms_store::{Change, Kind, RecordId, SealedStore};

use crate::engine::Rooms;
use crate::error::{Error, Result};
use crate::places::{Places, SYSTEM_SCOPE};
use crate::records;
use crate::records::rule::{SuspendedRecord, SuspensionRecord};
use crate::target::Target;

/// The most principals of a namespace that are suspended at once, and of the
/// root namespace. Each has a record of its own for all of them, so that none
/// can keep another from suspending anybody.
const EACH_MAX: usize = 1_000;
const ROOT_MAX: usize = 10_000;

/// Who could resume a principal must be able to for so many seconds more.
const STILL_THERE_SECONDS: i64 = 3600;

/// A principal: namespace and name.
pub(crate) type Who = (String, String);

/// All of them, in memory.
#[derive(Default)]
pub(crate) struct Suspended {
    any: AtomicBool,
    /// How often they were changed since the unseal.
    changes: AtomicU64,
    state: RwLock<State>,
}

#[derive(Clone, Default)]
struct State(BTreeMap<String, Arc<Own>>);

/// Those of one namespace, by name.
#[derive(Clone, Default)]
struct Own {
    all: BTreeMap<String, SuspensionRecord>,
    /// The setting and its revision, once it was written.
    stored: Option<(RecordId, u64)>,
}

/// A change of who is suspended, to be put in force once it is committed.
pub(crate) struct Changing {
    namespace: String,
    next: Own,
    change: Change,
}

impl Suspended {
    /// Reads them.
    pub(crate) async fn load(store: &SealedStore, places: &Places) -> Result<Self> {
        let mut state = State::default();
        for namespace in places.list() {
            let name = SuspendedRecord::name(&namespace.name);
            let found = store.find(SYSTEM_SCOPE, Kind::Setting, &name).await?;
            let Some(stored) = found else {
                continue;
            };
            let record: SuspendedRecord = records::decode(stored.plaintext.expose())?;
            let all = record.all.into_iter();
            let own = Own {
                all: all.map(|one| (one.name.clone(), one)).collect(),
                stored: Some((stored.id, stored.revision)),
            };
            state.0.insert(namespace.name.clone(), Arc::new(own));
        }
        Ok(Self {
            any: AtomicBool::new(state.any()),
            changes: AtomicU64::new(0),
            state: RwLock::new(state),
        })
    }

    /// Takes over what was read anew.
    pub(crate) fn replace(&self, other: Self) {
        let state = other
            .state
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        let mut own = self.state.write().unwrap_or_else(PoisonError::into_inner);
        self.any.store(state.any(), Ordering::SeqCst);
        *own = state;
        self.changes.fetch_add(1, Ordering::SeqCst);
    }

    /// Puts those of a namespace in force.
    fn put(&self, namespace: String, own: Own) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        state.0.insert(namespace, Arc::new(own));
        self.any.store(state.any(), Ordering::SeqCst);
        self.changes.fetch_add(1, Ordering::SeqCst);
    }

    /// How often they were changed: whoever read them before the same number
    /// knows them still.
    pub(crate) fn changes(&self) -> u64 {
        self.changes.load(Ordering::SeqCst)
    }

    fn read(&self, namespace: &str) -> Arc<Own> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        state.0.get(namespace).cloned().unwrap_or_default()
    }

    /// Lets everybody through who is not suspended. Parts of the server never
    /// are.
    ///
    /// # Errors
    /// [`Error::PrincipalSuspended`].
    #[inline]
    pub(crate) fn check(&self, principal: &Principal) -> Result<()> {
        if !self.any.load(Ordering::SeqCst) {
            return Ok(());
        }
        let credential = matches!(
            principal.kind(),
            PrincipalKind::Token | PrincipalKind::Certificate
        );
        match credential && self.has(principal.namespace(), principal.id()) {
            true => Err(Error::PrincipalSuspended {
                namespace: principal.namespace().to_owned(),
                name: principal.id().to_owned(),
            }),
            false => Ok(()),
        }
    }

    /// Whether a principal is suspended.
    pub(crate) fn has(&self, namespace: &str, name: &str) -> bool {
        self.any.load(Ordering::SeqCst) && self.read(namespace).all.contains_key(name)
    }

    /// Those of a namespace, by name.
    pub(crate) fn of(&self, namespace: &str) -> Vec<SuspensionRecord> {
        self.read(namespace).all.values().cloned().collect()
    }

    /// Suspends one; the caller holds the rooms' change lock.
    ///
    /// # Errors
    /// [`Error::Exists`] where it is already; [`Error::TooLarge`].
    pub(crate) fn with(&self, one: SuspensionRecord) -> Result<Changing> {
        let namespace = one.namespace.clone();
        let mut next = Own::clone(&self.read(&namespace));
        let most = match namespace == ROOT_NAMESPACE {
            true => ROOT_MAX,
            false => EACH_MAX,
        };
        if next.all.len() >= most {
            return Err(Error::TooLarge {
                what: "the number of suspended principals of a namespace",
                limit: most as u64,
            });
        }
        if next.all.insert(one.name.clone(), one).is_some() {
            return Err(Error::Exists {
                what: "the principal's suspension",
            });
        }
        changing(namespace, next)
    }

    /// Lets one go; the caller holds the rooms' change lock.
    ///
    /// # Errors
    /// [`Error::NotFound`] where it is not suspended.
    pub(crate) fn without(&self, namespace: &str, name: &str) -> Result<Changing> {
        let mut next = Own::clone(&self.read(namespace));
        next.all.remove(name).ok_or(Error::NotFound {
            what: "suspended principal",
        })?;
        changing(namespace.to_owned(), next)
    }

    /// That nobody is left when a namespace goes, if anybody was suspended; the
    /// caller holds the rooms' change lock.
    pub(crate) fn without_namespace(&self, namespace: &str) -> Result<Option<Changing>> {
        let mut next = Own::clone(&self.read(namespace));
        if next.all.is_empty() {
            return Ok(None);
        }
        next.all.clear();
        changing(namespace.to_owned(), next).map(Some)
    }
}

impl State {
    fn any(&self) -> bool {
        self.0.values().any(|own| !own.all.is_empty())
    }
}

impl Changing {
    /// Takes the change out, to be committed.
    pub(crate) fn split(self) -> (Change, Committing) {
        let (namespace, next) = (self.namespace, self.next);
        (self.change, Committing { namespace, next })
    }
}

/// What is left of a change while it is being committed.
pub(crate) struct Committing {
    namespace: String,
    next: Own,
}

impl Committing {
    /// Puts it in force.
    pub(crate) fn put_in_force(self, suspended: &Suspended, revision: u64) {
        let mut next = self.next;
        if let Some((_, known)) = &mut next.stored {
            *known = revision;
        }
        suspended.put(self.namespace, next);
    }
}

fn changing(namespace: String, mut next: Own) -> Result<Changing> {
    let (id, expected) = match next.stored {
        Some((id, revision)) => (id, Some(revision)),
        None => (RecordId::random()?, None),
    };
    next.stored = Some((id, expected.unwrap_or_default()));
    let record = SuspendedRecord {
        all: next.all.values().cloned().collect(),
    };
    let change = Change::Put {
        namespace: SYSTEM_SCOPE,
        kind: Kind::Setting,
        id,
        name: Some(SuspendedRecord::name(&namespace)),
        expected,
        plaintext: records::encode(&record)?,
    };
    Ok(Changing {
        namespace,
        next,
        change,
    })
}

/// Makes sure that somebody is left who could resume a principal.
///
/// # Errors
/// [`Error::Invalid`] where nobody is: whoever suspended the last one locked
/// everybody out.
pub(crate) async fn somebody_is_left(rooms: &Rooms, target: &Target) -> Result<()> {
    let whom = (target.namespace.as_str(), target.name.as_str());
    let now = rooms.clock.now().0;
    let context = Context {
        now_unix: now,
        source_ip: None,
        tls: true,
        certificate: false,
    };
    let policies = rooms.policies.load();
    let roll = rooms.credentials.read(&rooms.store).await?;
    for one in roll.all() {
        let (namespace, name) = (one.who.0.as_str(), one.who.1.as_str());
        let short = one.ends < now.saturating_add(STILL_THERE_SECONDS);
        if (namespace, name) == whom || short || rooms.suspended.has(namespace, name) {
            continue;
        }
        let principal = Principal::new(one.kind, namespace, name)?;
        let principal = principal.with_groups(one.groups.clone())?;
        let principal = Arc::new(principal);
        let resource = target.resource();
        let allowed = policies.decide(&Request {
            principal: &principal,
            action: Action::PrincipalResume,
            resource: &resource,
            context: &Context {
                certificate: one.kind == PrincipalKind::Certificate,
                ..context
            },
        });
        if allowed.allowed {
            return Ok(());
        }
    }
    Err(Error::Invalid(format!(
        "nobody else could resume {}: suspending it could lock everybody out",
        target.path()
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn suspend(all: &Suspended, namespace: &str, name: String) -> Result<()> {
        let record = SuspensionRecord {
            namespace: namespace.to_owned(),
            name,
            at: 0,
            by: String::new(),
            reason: String::new(),
        };
        let (_, committing) = all.with(record)?.split();
        committing.put_in_force(all, 1);
        Ok(())
    }

    #[test]
    fn whom_one_namespace_suspends_leaves_the_others_their_room() {
        let all = Suspended::default();
        for at in 0..EACH_MAX {
            suspend(&all, "team", format!("n{at}")).unwrap();
        }
        let more = suspend(&all, "team", "more".to_owned());
        assert!(matches!(more, Err(Error::TooLarge { .. })));
        for namespace in ["other", ROOT_NAMESPACE] {
            suspend(&all, namespace, "eve".to_owned()).unwrap();
            assert!(all.has(namespace, "eve") && !all.has(namespace, "n1"));
        }
        assert_eq!((all.of("team").len(), all.of("other").len()), (EACH_MAX, 1));
        let (_, gone) = all.without_namespace("team").unwrap().unwrap().split();
        gone.put_in_force(&all, 2);
        assert!(!all.has("team", "n1") && all.has("other", "eve"));
        assert!(all.without_namespace("team").unwrap().is_none());
        suspend(&all, "team", "n1".to_owned()).unwrap();
    }
}
