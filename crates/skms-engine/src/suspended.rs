//! Principals that are suspended: every credential of theirs is refused until
//! somebody resumes them. Nearly always nobody is, and asking then costs one
//! load.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock};

use skms_policy::{Action, Context, Principal, PrincipalKind, Request};
use skms_store::{Change, Kind, RecordId, SealedStore};

use crate::engine::Rooms;
use crate::error::{Error, Result};
use crate::places::{self, SYSTEM_SCOPE};
use crate::records;
use crate::records::principal::PrincipalRecord;
use crate::records::rule::{SuspendedRecord, SuspensionRecord};
use crate::records::token::TokenRecord;
use crate::target::Target;

/// The most principals that are suspended at once.
const SUSPENDED_MAX: usize = 10_000;

/// Who could resume a principal must be able to for so many seconds more.
const STILL_THERE_SECONDS: i64 = 3600;

/// A principal: namespace and name.
pub(crate) type Who = (String, String);

/// All of them, in memory.
#[derive(Default)]
pub(crate) struct Suspended {
    any: AtomicBool,
    state: RwLock<State>,
}

#[derive(Clone, Default)]
struct State {
    all: BTreeMap<Who, SuspensionRecord>,
    /// The setting and its revision, once it was written.
    stored: Option<(RecordId, u64)>,
}

/// A change of who is suspended, to be put in force once it is committed.
pub(crate) struct Changing {
    next: State,
    change: Change,
}

impl Suspended {
    /// Reads them.
    pub(crate) async fn load(store: &SealedStore) -> Result<Self> {
        let name = SuspendedRecord::NAME;
        let found = store.find(SYSTEM_SCOPE, Kind::Setting, name).await?;
        let Some(stored) = found else {
            return Ok(Self::default());
        };
        let record: SuspendedRecord = records::decode(stored.plaintext.expose())?;
        let all: BTreeMap<Who, SuspensionRecord> = record
            .all
            .into_iter()
            .map(|one| ((one.namespace.clone(), one.name.clone()), one))
            .collect();
        Ok(Self {
            any: AtomicBool::new(!all.is_empty()),
            state: RwLock::new(State {
                all,
                stored: Some((stored.id, stored.revision)),
            }),
        })
    }

    /// Takes over what was read anew.
    pub(crate) fn replace(&self, other: Self) {
        let state = other
            .state
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        self.put(state);
    }

    fn put(&self, state: State) {
        let mut own = self.state.write().unwrap_or_else(PoisonError::into_inner);
        self.any.store(!state.all.is_empty(), Ordering::SeqCst);
        *own = state;
    }

    fn read(&self) -> State {
        self.state
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Lets everybody through who is not suspended. Parts of the server never
    /// are.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`].
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
            true => Err(Error::Unauthenticated),
            false => Ok(()),
        }
    }

    /// Whether a principal is suspended.
    pub(crate) fn has(&self, namespace: &str, name: &str) -> bool {
        self.any.load(Ordering::SeqCst)
            && self
                .state
                .read()
                .unwrap_or_else(PoisonError::into_inner)
                .all
                .contains_key(&(namespace.to_owned(), name.to_owned()))
    }

    /// Those of a namespace, by name.
    pub(crate) fn of(&self, namespace: &str) -> Vec<SuspensionRecord> {
        let all = self.read().all.into_values();
        all.filter(|one| one.namespace == namespace).collect()
    }

    /// Suspends one; the caller holds the rooms' change lock.
    ///
    /// # Errors
    /// [`Error::Exists`] where it is already; [`Error::TooLarge`].
    pub(crate) fn with(&self, one: SuspensionRecord) -> Result<Changing> {
        let mut next = self.read();
        if next.all.len() >= SUSPENDED_MAX {
            return Err(Error::TooLarge {
                what: "the number of suspended principals",
                limit: SUSPENDED_MAX as u64,
            });
        }
        let who = (one.namespace.clone(), one.name.clone());
        if next.all.insert(who, one).is_some() {
            return Err(Error::Exists {
                what: "the principal's suspension",
            });
        }
        changing(next)
    }

    /// Lets one go; the caller holds the rooms' change lock.
    ///
    /// # Errors
    /// [`Error::NotFound`] where it is not suspended.
    pub(crate) fn without(&self, namespace: &str, name: &str) -> Result<Changing> {
        let mut next = self.read();
        let who = (namespace.to_owned(), name.to_owned());
        next.all.remove(&who).ok_or(Error::NotFound {
            what: "suspended principal",
        })?;
        changing(next)
    }

    /// Those that are left when a namespace goes, if any of them were its; the
    /// caller holds the rooms' change lock.
    pub(crate) fn without_namespace(&self, namespace: &str) -> Result<Option<Changing>> {
        let mut next = self.read();
        let before = next.all.len();
        next.all.retain(|(whose, _), _| whose != namespace);
        match next.all.len() == before {
            true => Ok(None),
            false => changing(next).map(Some),
        }
    }
}

impl Changing {
    /// Takes the change out, to be committed.
    pub(crate) fn split(self) -> (Change, Committing) {
        (self.change, Committing { next: self.next })
    }
}

/// What is left of a change while it is being committed.
pub(crate) struct Committing {
    next: State,
}

impl Committing {
    /// Puts it in force.
    pub(crate) fn put_in_force(self, suspended: &Suspended, revision: u64) {
        let mut next = self.next;
        if let Some((_, known)) = &mut next.stored {
            *known = revision;
        }
        suspended.put(next);
    }
}

fn changing(mut next: State) -> Result<Changing> {
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
        name: Some(SuspendedRecord::NAME.to_owned()),
        expected,
        plaintext: records::encode(&record)?,
    };
    Ok(Changing { next, change })
}

/// The groups of each live credential of a principal, and whether there is any.
pub(crate) async fn credentials(rooms: &Rooms) -> Result<Vec<Credential>> {
    let now = rooms.clock.now().0;
    let tokens = places::all::<TokenRecord>(&rooms.store, SYSTEM_SCOPE).await?;
    let registered = places::all::<PrincipalRecord>(&rooms.store, SYSTEM_SCOPE).await?;
    let tokens = tokens.into_iter().map(|(_, _, record)| Credential {
        who: (record.namespace, record.principal),
        kind: PrincipalKind::Token,
        groups: record.groups,
        ends: record.expires_at.unwrap_or(i64::MAX),
    });
    let registered = registered.into_iter().map(|(_, _, record)| Credential {
        who: (record.namespace, record.name),
        kind: PrincipalKind::Certificate,
        groups: record.groups,
        ends: record.expires_at.unwrap_or(i64::MAX),
    });
    let mut all: Vec<Credential> = tokens.chain(registered).collect();
    all.retain(|one| one.ends > now);
    Ok(all)
}

/// What somebody is let in by.
pub(crate) struct Credential {
    pub(crate) who: Who,
    pub(crate) kind: PrincipalKind,
    pub(crate) groups: std::collections::BTreeSet<String>,
    pub(crate) ends: i64,
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
    for one in credentials(rooms).await? {
        let (namespace, name) = (one.who.0.as_str(), one.who.1.as_str());
        let short = one.ends < now.saturating_add(STILL_THERE_SECONDS);
        if (namespace, name) == whom || short || rooms.suspended.has(namespace, name) {
            continue;
        }
        let principal = Principal::new(one.kind, namespace, name)?;
        let principal = std::sync::Arc::new(principal.with_groups(one.groups)?);
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
