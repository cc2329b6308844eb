//! Suspends principals: every credential of theirs is refused, on connections
//! that are open too, until somebody resumes them. Their tokens and
//! registrations stay as they are.

use std::collections::BTreeSet;
use std::sync::Arc;

use skms_evidence::{DetailKey, Outcome};
use skms_keys::UnixSeconds;
use skms_policy::Action;
use skms_store::Change;

use super::revoke::Extra;
use crate::act::act;
use crate::caller::Caller;
use crate::draft::EventDraft;
use crate::engine::{Engine, Rooms};
use crate::error::{Error, Result};
use crate::gate::{Authorized, Entry};
use crate::records::rule::SuspensionRecord;
use crate::suspended::somebody_is_left;
use crate::target::Target;
use crate::words::is_plain;

act!(List, PrincipalList, "Lists the suspended principals.");
act!(Suspend, PrincipalSuspend, "Suspends a principal.");
act!(Resume, PrincipalResume, "Resumes a suspended principal.");

/// The longest reason, in bytes.
const REASON_MAX: usize = 256;

/// What is told about a suspended principal.
#[derive(Clone, Debug)]
pub struct View {
    /// Its name.
    pub name: String,
    /// Since when.
    pub at: UnixSeconds,
    /// By whom.
    pub by: String,
    /// Why.
    pub reason: String,
    /// Whether there is a live token or registration of that name; for whoever
    /// may list principals.
    pub exists: Option<bool>,
}

impl View {
    fn of(record: SuspensionRecord, exists: Option<bool>) -> Self {
        Self {
            name: record.name,
            at: UnixSeconds(record.at),
            by: record.by,
            reason: record.reason,
            exists,
        }
    }
}

impl Engine {
    /// The suspended principals of a namespace, by name.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the caller may not list principals.
    pub async fn list_suspended(&self, caller: &Arc<Caller>, namespace: &str) -> Result<Vec<View>> {
        let entry = self.enter(caller)?;
        let allowed = entry
            .authorize::<List>(Target::namespace(namespace))
            .await?;
        let listed = match entry.rooms.places.namespace(namespace) {
            Some(_) => Ok(entry.rooms.suspended.of(namespace)),
            None => Err(Error::NotFound { what: "namespace" }),
        };
        let listed = entry.failed(&allowed, listed).await?;
        let roll = entry.rooms.credentials.read(&entry.rooms.store).await?;
        let now = entry.now().0;
        let exists = |name: &str| roll.of(namespace, name, now).next().is_some();
        entry
            .record(EventDraft::of(&entry, &allowed, Outcome::Success)?)
            .await?;
        let listed = listed.into_iter().map(|one| {
            let exists = exists(&one.name);
            View::of(one, Some(exists))
        });
        Ok(listed.collect())
    }

    /// Suspends a principal, whether it has a credential now or not; oneself
    /// only by insisting on it.
    ///
    /// # Errors
    /// [`Error::Exists`] where it is already; [`Error::Invalid`] where nobody
    /// else could resume it.
    pub async fn suspend_principal(
        &self,
        caller: &Arc<Caller>,
        (namespace, name): (&str, &str),
        (reason, insisted): (&str, bool),
    ) -> Result<View> {
        let entry = self.enter(caller)?;
        let target = principal(&entry.rooms, namespace, name).await?;
        let own = &caller.session.principal;
        let oneself = (own.namespace(), own.id()) == (namespace, name);
        let check = || match oneself && !insisted {
            true => Err(Error::Invalid(format!(
                "{namespace}/{name} is yourself: every credential of yours would be refused, \
                 and another one has to resume you. If that is meant, insist (force, --force)"
            ))),
            false => Ok(()),
        };
        let (allowed, ()) = entry.authorize_checked::<Suspend, _>(target, check).await?;
        let done = suspend(&entry, &allowed, reason, Extra::default()).await;
        entry.failed(&allowed, done).await
    }

    /// Resumes a principal.
    ///
    /// # Errors
    /// [`Error::NotFound`] where it is not suspended.
    pub async fn resume_principal(
        &self,
        caller: &Arc<Caller>,
        (namespace, name): (&str, &str),
    ) -> Result<()> {
        let entry = self.enter(caller)?;
        let target = principal(&entry.rooms, namespace, name).await?;
        let allowed = entry.authorize::<Resume>(target).await?;
        let done = resume(&entry, &allowed, Extra::default()).await;
        entry.failed(&allowed, done).await
    }
}

/// The principal as a target, with all the groups that it is known in.
pub(crate) async fn principal(rooms: &Rooms, namespace: &str, name: &str) -> Result<Target> {
    let roll = rooms.credentials.read(&rooms.store).await?;
    let own = roll.of(namespace, name, rooms.clock.now().0);
    let groups: BTreeSet<String> = own.flat_map(|one| one.groups.iter().cloned()).collect();
    Ok(Target::principal(namespace, name, groups))
}

/// Suspends a principal for a part of the server.
///
/// # Errors
/// As for [`Engine::suspend_principal`].
pub(crate) async fn suspend_as_system(
    entry: &Entry,
    (namespace, name): (&str, &str),
    reason: &str,
    extra: Extra,
) -> Result<()> {
    let target = principal(&entry.rooms, namespace, name).await?;
    let allowed = entry.authorize_target_as_system::<Suspend>(target)?;
    suspend(entry, &allowed, reason, extra).await.map(drop)
}

async fn suspend(
    entry: &Entry,
    allowed: &Authorized<Suspend, Target>,
    reason: &str,
    extra: Extra,
) -> Result<View> {
    if reason.len() > REASON_MAX || !is_plain(reason) {
        return Err(Error::Invalid(format!(
            "a reason has at most {REASON_MAX} bytes and no control characters, nor any that \
             turn text round"
        )));
    }
    let target = allowed.target();
    let guard = entry.rooms.lock_changes().await;
    if entry.rooms.places.namespace(&target.namespace).is_none() {
        return Err(Error::NotFound { what: "namespace" });
    }
    skms_policy::Principal::new(
        skms_policy::PrincipalKind::Token,
        target.namespace.as_str(),
        target.name.as_str(),
    )?;
    somebody_is_left(&entry.rooms, target).await?;
    let record = SuspensionRecord {
        namespace: target.namespace.clone(),
        name: target.name.clone(),
        at: entry.now().0,
        by: entry.caller.session.principal.id().to_owned(),
        reason: reason.to_owned(),
    };
    let place = Target::namespace(&target.namespace);
    let exists = match entry.may_see(Action::PrincipalList, &place.resource()) {
        true => {
            let roll = entry.rooms.credentials.read(&entry.rooms.store).await?;
            let mut own = roll.of(&target.namespace, &target.name, record.at);
            Some(own.next().is_some())
        }
        false => None,
    };
    let view = View::of(record.clone(), exists);
    let (change, committing) = entry.rooms.suspended.with(record)?.split();
    let event = EventDraft::of(entry, allowed, Outcome::Success)?
        .detail(DetailKey::Reason, reason)
        .explained(extra.said)
        .urgent();
    let (namespace, name) = (target.namespace.clone(), target.name.clone());
    let changes: Vec<Change> = std::iter::once(change).chain(extra.also).collect();
    entry
        .change(guard, changes, event, move |rooms, revisions| {
            let revision = revisions.first().copied().unwrap_or_default();
            committing.put_in_force(&rooms.suspended, revision);
            rooms.sessions.end_principal(&namespace, &name);
            Ok(view)
        })
        .await
}

/// Resumes a principal, with an act's record in the same batch.
pub(crate) async fn resume(
    entry: &Entry,
    allowed: &Authorized<Resume, Target>,
    extra: Extra,
) -> Result<()> {
    let target = allowed.target();
    let guard = entry.rooms.lock_changes().await;
    let changing = entry
        .rooms
        .suspended
        .without(&target.namespace, &target.name)?;
    let (change, committing) = changing.split();
    let event = EventDraft::of(entry, allowed, Outcome::Success)?.explained(extra.said);
    let changes: Vec<Change> = std::iter::once(change).chain(extra.also).collect();
    entry
        .change(guard, changes, event, move |rooms, revisions| {
            let revision = revisions.first().copied().unwrap_or_default();
            committing.put_in_force(&rooms.suspended, revision);
            Ok(())
        })
        .await
}
