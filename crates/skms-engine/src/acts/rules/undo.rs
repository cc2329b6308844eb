//! Undoes what a rule did, where the state machine has a way back.

use std::sync::Arc;

use skms_keys::{Key, KeyState, UnixSeconds, VersionNumber, Versions};
use skms_policy::rule::Answer;
use skms_store::RecordId;

use super::{ActView, Undo};
use crate::acts::resume::Resume;
use crate::acts::revoke::reaching_with;
use crate::acts::suspension;
use crate::caller::Caller;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::gate::{Entry, KeyRef};
use crate::keychange::Fate;
use crate::records::rule::ActState;
use crate::rules::answer::extra;
use crate::rules::judge::{KnownAct, doubt, remembered};
use crate::target::Target;

impl Engine {
    /// Undoes an act of a rule: the versions that it suspended are resumed, or
    /// the principal is. The caller needs permission for that as well. The same
    /// edition of a rule about time does not do it again.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Invalid`] for what has no way back, and
    /// says so.
    pub async fn undo_rule_act(
        &self,
        caller: &Arc<Caller>,
        namespace: &str,
        act: &str,
    ) -> Result<ActView> {
        let entry = self.enter(caller)?;
        let found = entry.known_act(namespace, act).await?;
        let rule = found.as_ref().map(|act| act.record.rule.clone());
        let name = rule.as_deref().unwrap_or(act);
        let allowed = entry
            .authorize::<Undo>(entry.rule_target(namespace, name))
            .await?;
        let Some(act) = found else {
            let nothing = Err(Error::NotFound {
                what: "act of a rule",
            });
            return entry.failed(&allowed, nothing).await;
        };
        let ready = undoable(&act);
        entry.failed(&allowed, ready).await?;
        let judge = Arc::clone(&entry.rooms.judge);
        let mut guard = judge.0.lock().await;
        let memory = remembered(&entry.rooms, &mut guard).await?;
        // As it is now: somebody else may have undone it meanwhile.
        let current = memory.acts.get(&act.id).cloned();
        let ready = match &current {
            Some(act) => undoable(act),
            None => Err(Error::Conflict),
        };
        entry.failed(&allowed, ready).await?;
        let mut undone = current.unwrap_or(act);
        undone.record.state = ActState::Undone;
        undone.record.undone_at = Some(entry.now().0);
        undone.record.undone_by = Some(entry.caller.session.principal.id().to_owned());
        let done = match undone.record.principal.clone() {
            Some((whose, name)) => entry.undo_principal(&undone, (&whose, &name)).await,
            None => entry.undo_key(&undone).await,
        };
        if let Err(error) = done {
            if !matches!(error, Error::Invalid(_) | Error::NotFound { .. }) {
                doubt(&mut guard, &error);
            }
            drop(guard);
            return entry.failed(&allowed, Err(error)).await;
        }
        let view = ActView::of(&undone, None);
        memory.settled(undone);
        Ok(view)
    }
}

impl Entry {
    async fn known_act(&self, namespace: &str, act: &str) -> Result<Option<KnownAct>> {
        let (Ok(id), Some(place)) = (
            act.parse::<RecordId>(),
            self.rooms.places.namespace(namespace),
        ) else {
            return Ok(None);
        };
        let mut guard = self.rooms.judge.0.lock().await;
        let memory = remembered(&self.rooms, &mut guard).await?;
        let found = memory.acts.get(&id).cloned();
        Ok(found.filter(|act| act.namespace == place.id))
    }

    async fn undo_key(&self, undone: &KnownAct) -> Result<()> {
        let gone = Error::NotFound { what: "key" };
        let Some(known) = &undone.record.key else {
            return Err(gone);
        };
        let at = KeyRef {
            namespace: &undone.namespace_name,
            keyring: &known.keyring,
            name: &known.name,
        };
        let allowed = self.authorize_key::<Resume>(at).await?;
        if allowed.target().snapshot().id_text() != known.id {
            return Err(gone);
        }
        let numbers = &undone.record.versions;
        let work = |key: &Key, now: UnixSeconds| resume(key, numbers, now);
        let extra = || extra(undone);
        let how = (Fate::Released, false);
        reaching_with(self, &allowed, how, &extra, work)
            .await
            .map(drop)
    }

    async fn undo_principal(
        &self,
        undone: &KnownAct,
        (namespace, name): (&str, &str),
    ) -> Result<()> {
        let target: Target = suspension::principal(&self.rooms, namespace, name).await?;
        let allowed = self.authorize::<suspension::Resume>(target).await?;
        suspension::resume(self, &allowed, extra(undone)?).await
    }
}

/// Resumes the versions of these numbers that are still suspended.
fn resume(key: &Key, numbers: &[u32], now: UnixSeconds) -> Result<skms_keys::Changed> {
    let mut all = (key.clone(), Vec::new());
    for number in numbers {
        let number = VersionNumber(*number);
        let suspended = all
            .0
            .version(number)
            .is_ok_and(|version| version.state == KeyState::Suspended);
        if suspended {
            let (key, steps) = all.0.resume(Versions::One(number), now)?;
            all.0 = key;
            all.1.extend(steps);
        }
    }
    match all.1.is_empty() {
        true => Err(Error::Invalid(
            "no version that the rule suspended is still suspended".into(),
        )),
        false => Ok(all),
    }
}

/// Whether there is a way back from an act.
fn undoable(act: &KnownAct) -> Result<()> {
    let record = &act.record;
    let no = |why: String| Err(Error::Invalid(why));
    match record.state {
        ActState::Done => {}
        ActState::Undone => return no("the act is undone already".to_owned()),
        ActState::Held | ActState::Pending => {
            return no("the act is not done yet: drop it with release --discard".to_owned());
        }
        _ => return no("the act was not done".to_owned()),
    }
    let reason = record.reason.as_deref().unwrap_or_default();
    match record.answer.parse() {
        Ok(Answer::Suspend | Answer::SuspendPrincipal) => Ok(()),
        Ok(Answer::Revoke) => no(format!(
            "a revocation as {reason} cannot be undone: the key stays as it is; rotate it or \
             make another one"
        )),
        Ok(Answer::Compromise) => {
            let ordered = record.compromise.as_ref();
            let incident = ordered.and_then(|one| one.incident.as_deref());
            no(format!(
                "a compromise cannot be undone: the key and what depends on it stay compromised; \
                 the incident {} says what was touched, and what to do about it",
                incident.unwrap_or_default()
            ))
        }
        Ok(Answer::Rotate) => no(
            "a rotation cannot be undone: the version before goes on processing what it \
             protected"
                .to_owned(),
        ),
        _ => no("a warning changed nothing".to_owned()),
    }
}
