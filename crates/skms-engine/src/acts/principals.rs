//! Principals that authenticate by a TLS client certificate: register, list,
//! delete.

use std::collections::BTreeSet;
use std::sync::Arc;

use skms_evidence::Outcome;
use skms_keys::UnixSeconds;
use skms_pki::issue::principal_uri;
use skms_policy::{Action, Principal, PrincipalKind};
use skms_store::{Change, Kind, RecordId};

use crate::act::{Act, act};
use crate::acts::groups::leave_all;
use crate::caller::Caller;
use crate::draft::EventDraft;
use crate::engine::{Engine, Rooms};
use crate::error::{Error, Result};
use crate::gate::{Authorized, Entry};
use crate::idempotency::Once;
use crate::page::Page;
use crate::places::{self, SYSTEM_SCOPE};
use crate::records;
use crate::records::principal::PrincipalRecord;
use crate::sessions::{bound_name, certified, registration_name, vouched_name};
use crate::target::Target;

act!(
    Write,
    PrincipalWrite,
    "Registers a client certificate as a principal."
);
act!(List, PrincipalList, "Lists a namespace's principals.");
act!(Read, PrincipalRead, "Reads a principal.");
act!(Delete, PrincipalDelete, "Deletes a principal.");

/// What a principal shows who it is by.
#[derive(Clone, Debug)]
pub enum ShownBy {
    /// One certificate: the SHA-256 of its DER, 64 hex digits.
    Fingerprint(String),
    /// Any certificate of the profile `principal` that this authority of the
    /// namespace, by name, issued to it.
    Authority(String),
    /// Any certificate that is good by this trust of the namespace, by name, and
    /// has this name in the form that counts for the trust.
    Trust {
        /// The trust.
        trust: String,
        /// The name.
        identity: String,
    },
}

/// Which certificate is whose.
#[derive(Clone, Debug)]
pub struct NewPrincipal {
    /// The principal's name.
    pub name: String,
    /// What it shows who it is by.
    pub shown_by: ShownBy,
    /// The groups that policies will see it in.
    pub groups: BTreeSet<String>,
    /// When the registration ends.
    pub expires_at: Option<UnixSeconds>,
}

/// What is told about a principal.
#[derive(Clone, Debug)]
pub struct View {
    /// The record's identifier.
    pub id: RecordId,
    /// The principal's name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// The certificate's fingerprint; empty where an authority vouches.
    pub fingerprint: String,
    /// The identifier of the authority that vouches.
    pub authority: Option<String>,
    /// The identifier of the trust that vouches.
    pub trust: Option<String>,
    /// For whom that trust vouches.
    pub identity: Option<String>,
    /// Its groups.
    pub groups: BTreeSet<String>,
    /// When it was registered.
    pub created_at: UnixSeconds,
    /// When the registration ends.
    pub expires_at: Option<UnixSeconds>,
}

impl View {
    fn of(id: RecordId, record: PrincipalRecord) -> Self {
        Self {
            id,
            name: record.name,
            namespace: record.namespace,
            fingerprint: record.fingerprint,
            authority: record.authority,
            trust: record.trust,
            identity: record.identity,
            groups: record.groups,
            created_at: UnixSeconds(record.created_at),
            expires_at: record.expires_at.map(UnixSeconds),
        }
    }

    fn target(&self, revision: u64) -> Target {
        Target::principal(&self.namespace, &self.name, self.groups.clone())
            .stored(self.id.0, revision)
    }
}

impl Engine {
    /// Registers a certificate. A principal may have several.
    ///
    /// # Errors
    /// [`Error::Exists`] when the namespace has registered the certificate
    /// already.
    pub async fn register_principal(
        &self,
        caller: &Arc<Caller>,
        namespace: &str,
        new: NewPrincipal,
    ) -> Result<View> {
        let entry = self.enter(caller)?;
        let allowed = entry
            .authorize::<Write>(Target::principal(namespace, &new.name, new.groups.clone()))
            .await?;
        let shared = entry.rooms.share_changes().await;
        let claim = match entry.rooms.places.namespace(namespace) {
            Some(place) => entry.once(place.id.0).await,
            None => Err(Error::NotFound { what: "namespace" }),
        };
        let claim = match entry.failed(&allowed, claim).await? {
            Once::First(claim) => claim,
            Once::Again(id, record) => {
                entry.record_again(&allowed, id).await?;
                return Ok(View::of(id, record));
            }
        };
        Principal::new(PrincipalKind::Certificate, namespace, new.name.as_str())?
            .with_groups(new.groups.iter().cloned())?;
        let shown = shown_by(&entry, namespace, &new);
        let (registered_as, shown) = entry.failed(&allowed, shown).await?;
        let store = &entry.rooms.store;
        let known = store
            .find(SYSTEM_SCOPE, Kind::Principal, &registered_as)
            .await?;
        if known.is_some() {
            return entry
                .failed(
                    &allowed,
                    Err(Error::Exists {
                        what: "that registration",
                    }),
                )
                .await;
        }
        let id = RecordId::random()?;
        let record = PrincipalRecord {
            name: new.name,
            namespace: namespace.to_owned(),
            fingerprint: shown.fingerprint,
            authority: shown.authority,
            trust: shown.trust,
            identity: shown.identity,
            groups: new.groups,
            created_at: entry.now().0,
            expires_at: new.expires_at.map(|at| at.0),
        };
        let mut changes = vec![Change::Put {
            namespace: SYSTEM_SCOPE,
            kind: Kind::Principal,
            id,
            name: Some(registered_as),
            expected: None,
            plaintext: records::encode(&record)?,
        }];
        changes.extend(claim.remember(id, &record)?);
        let event = EventDraft::of(&entry, &allowed, Outcome::Success)?.groups(&record.groups);
        entry
            .change((shared, claim), changes, event, move |_, _| {
                Ok(View::of(id, record))
            })
            .await
    }

    /// The registrations of a namespace that the caller may read, in order of
    /// their identifiers.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the caller may not list them.
    pub async fn list_principals(
        &self,
        caller: &Arc<Caller>,
        namespace: &str,
        page: &Page,
    ) -> Result<(Vec<View>, Option<RecordId>)> {
        let entry = self.enter(caller)?;
        let allowed = entry
            .authorize::<List>(Target::namespace(namespace))
            .await?;
        let listed = page
            .collect(
                &entry.rooms.store,
                SYSTEM_SCOPE,
                Kind::Principal,
                |record| {
                    let revision = record.revision;
                    let decoded = records::decode::<PrincipalRecord>(record.plaintext.expose())?;
                    let view = View::of(record.id, decoded);
                    let target = view.target(revision);
                    let visible = view.namespace == namespace
                        && entry.may_see(Action::PrincipalRead, &target.resource());
                    Ok(visible.then_some(view))
                },
            )
            .await?;
        entry
            .record(EventDraft::of(&entry, &allowed, Outcome::Success)?)
            .await?;
        Ok(listed)
    }

    /// A principal's registrations; there is at least one.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an absent one and one not visible.
    pub async fn read_principal(
        &self,
        caller: &Arc<Caller>,
        namespace: &str,
        name: &str,
    ) -> Result<Vec<View>> {
        let entry = self.enter(caller)?;
        let found = load(&entry.rooms, namespace, name).await?;
        let allowed = authorize_each::<Read>(&entry, namespace, name, &found).await?;
        entry
            .record(EventDraft::of(&entry, &allowed, Outcome::Success)?)
            .await?;
        Ok(found.into_iter().map(|(view, _)| view).collect())
    }

    /// Ends every registration of a principal, and its calls with them. It is a
    /// member of no group any more.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an absent one and one not visible.
    pub async fn delete_principal(
        &self,
        caller: &Arc<Caller>,
        namespace: &str,
        name: &str,
    ) -> Result<()> {
        let entry = self.enter(caller)?;
        let found = load(&entry.rooms, namespace, name).await?;
        let allowed = authorize_each::<Delete>(&entry, namespace, name, &found).await?;
        // Nobody makes it a member of a group meanwhile.
        let guard = entry.rooms.lock_changes().await;
        let (left, groups) = leave_all(&entry.rooms, (namespace, name)).await?;
        let mut event = EventDraft::of(&entry, &allowed, Outcome::Success)?;
        for group in &groups {
            event = event.group(group);
        }
        let ids: Vec<RecordId> = found.iter().map(|(view, _)| view.id).collect();
        let deleted = found.into_iter().map(|(view, revision)| Change::Delete {
            namespace: SYSTEM_SCOPE,
            kind: Kind::Principal,
            id: view.id,
            expected: revision,
        });
        let changes = left.into_iter().chain(deleted).collect();
        entry
            .change(guard, changes, event.urgent(), move |rooms, revisions| {
                for (mut group, revision) in groups.into_iter().zip(revisions) {
                    group.revision = *revision;
                    rooms.groups.put(group);
                }
                for id in ids {
                    rooms.sessions.end(id);
                }
                Ok(())
            })
            .await
    }
}

/// What the record says about how the principal shows who it is.
#[derive(Default)]
struct Shown {
    fingerprint: String,
    authority: Option<String>,
    trust: Option<String>,
    identity: Option<String>,
}

/// The name that the registration is looked up by, and what it says.
fn shown_by(entry: &Entry, namespace: &str, new: &NewPrincipal) -> Result<(String, Shown)> {
    match &new.shown_by {
        ShownBy::Fingerprint(given) => {
            let fingerprint = given.to_ascii_lowercase();
            let digits = fingerprint.bytes().all(|byte| byte.is_ascii_hexdigit());
            if fingerprint.len() != 64 || !digits {
                return Err(Error::Invalid(
                    "a fingerprint is the SHA-256 of the certificate's DER: 64 hex digits".into(),
                ));
            }
            let name = registration_name(namespace, &fingerprint);
            let shown = Shown {
                fingerprint,
                ..Shown::default()
            };
            Ok((name, shown))
        }
        ShownBy::Authority(name) => {
            // Its certificates have the name in a URI.
            principal_uri(namespace, certified::PRINCIPAL, &new.name)?;
            let authority = entry.authority(namespace, name)?.id_text();
            let name = vouched_name(namespace, &authority, &new.name);
            let shown = Shown {
                authority: Some(authority),
                ..Shown::default()
            };
            Ok((name, shown))
        }
        ShownBy::Trust { trust, identity } => {
            let found = entry.rooms.trusts.find(namespace, trust);
            let trust = found.ok_or(Error::NotFound { what: "trust" })?;
            let read = trust.identity.read(identity);
            let identity = read.map_err(|error| Error::Invalid(error.to_string()))?;
            let shown = Shown {
                trust: Some(trust.id_text()),
                identity: Some(identity),
                ..Shown::default()
            };
            let identity = shown.identity.as_deref().unwrap_or_default();
            Ok((bound_name(namespace, &trust.id_text(), identity), shown))
        }
    }
}

/// One name may have several registrations, each with its own groups: policy
/// must permit the act on every one of them.
async fn authorize_each<A: Act>(
    entry: &Entry,
    namespace: &str,
    name: &str,
    found: &[(View, u64)],
) -> Result<Authorized<A, Target>> {
    let mut allowed = None;
    for (view, revision) in found {
        allowed = Some(entry.authorize::<A>(view.target(*revision)).await?);
    }
    match allowed {
        Some(allowed) => Ok(allowed),
        None => {
            let absent = Target::principal(namespace, name, BTreeSet::new());
            let allowed = entry.authorize::<A>(absent).await?;
            let nothing = Err(Error::NotFound { what: "principal" });
            entry.failed(&allowed, nothing).await
        }
    }
}

async fn load(rooms: &Rooms, namespace: &str, name: &str) -> Result<Vec<(View, u64)>> {
    Ok(places::all::<PrincipalRecord>(&rooms.store, SYSTEM_SCOPE)
        .await?
        .into_iter()
        .map(|(id, revision, record)| (View::of(id, record), revision))
        .filter(|(view, _)| view.namespace == namespace && view.name == name)
        .collect())
}
