//! Carries acts out: by the same walks as everybody's, as the part of the
//! server that rules are, with the act's own record in the same batch. So an
//! act is done once, whatever happens in between.

use std::collections::BTreeSet;

use skms_evidence::{DetailKey, Outcome};
use skms_keys::{Key, KeyState, RevocationReason, Revoke, UnixSeconds, VersionNumber, Versions};
use skms_policy::rule::Answer;

use super::judge::{Claim, KnownAct, doubt, remembered};
use super::question::kept_off;
use super::{PART, decide};
use crate::act::Act;
use crate::acts::certificates::Verdict;
use crate::acts::revoke::{Extra, RevokeKey, reaching_with};
use crate::acts::rotate::{self, Rotate};
use crate::acts::suspend::Suspend;
use crate::acts::suspension;
use crate::caller::Caller;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::gate::{Authorized, Entry, KeyRef, KeyTarget};
use crate::keychange::{Fate, With};
use crate::opened::KeySnapshot;
use crate::records::rule::{ActKey, ActState};

/// How long an act that meets trouble is tried again.
const TRIED_SECONDS: i64 = 86_400;

/// How an attempt ended that is not an act.
enum Not {
    /// It cannot be done.
    Failed(String),
    /// It is not to be done.
    Skipped(String),
}

impl Engine {
    /// Carries acts out that are pending, one after the other. What cannot be
    /// done now stays pending for a day, and holds up none of the others. What
    /// is remembered is free meanwhile: to make a key, or to wait for whoever
    /// uses one, may take seconds, and other namespaces go on.
    pub(crate) async fn carry_out(&self, claim: &Claim) -> Result<usize> {
        let (mut done, mut trouble) = (0, None);
        for id in &claim.ids {
            let caller = Caller::system(PART)?;
            let entry = self.enter(&caller)?;
            let judge = std::sync::Arc::clone(&entry.rooms.judge);
            let pending = {
                let mut guard = judge.0.lock().await;
                let memory = remembered(&entry.rooms, &mut guard).await?;
                memory.acts.get(id).cloned()
            };
            let Some(act) = pending.filter(|act| act.record.state == ActState::Pending) else {
                continue;
            };
            let late = entry.now().0.saturating_sub(act.record.at) > TRIED_SECONDS;
            let tried = match entry.carry_out(act.clone()).await {
                Err(error) if late => {
                    let not = Not::Failed(error.to_string());
                    entry.not_done(act, not).await
                }
                other => other,
            };
            let mut guard = judge.0.lock().await;
            let memory = remembered(&entry.rooms, &mut guard).await?;
            match tried {
                Ok(act) => {
                    memory.settled(act);
                    done += 1;
                }
                Err(error) => {
                    memory.failed.insert(*id);
                    doubt(&mut guard, &error);
                    trouble = trouble.or(Some(error));
                }
            }
        }
        match trouble {
            None => Ok(done),
            Some(error) => Err(error),
        }
    }
}

impl Entry {
    /// Gives the act as its record is now.
    async fn carry_out(&self, act: KnownAct) -> Result<KnownAct> {
        let record = &act.record;
        let now = self.now().0;
        let rule = self.rooms.rules.find(&act.namespace_name, &record.rule);
        let dry = rule.as_ref().is_some_and(|rule| rule.record.dry_run);
        let answer = record.answer.parse().unwrap_or(Answer::Warn);
        if record.expires_at.is_some_and(|end| end <= now) {
            let not = Not::Skipped("the verdict has ended".to_owned());
            return self.not_done(act, not).await;
        }
        if rule.is_none() {
            let not = Not::Skipped("the rule is gone".to_owned());
            return self.not_done(act, not).await;
        }
        if dry {
            return self.say(act, ActState::DryRun).await;
        }
        match answer {
            Answer::Suspend | Answer::Revoke | Answer::Compromise | Answer::Rotate => {
                self.change_for(act, answer).await
            }
            Answer::SuspendPrincipal => self.suspend_for(act).await,
            _ => self.say(act, ActState::Done).await,
        }
    }

    /// Ends an act by an event alone.
    async fn say(&self, mut act: KnownAct, state: ActState) -> Result<KnownAct> {
        let outcome = match state {
            ActState::Failed => Outcome::failed(act.record.why.as_deref().unwrap_or_default()),
            ActState::Skipped => Outcome::denied(act.record.why.as_deref().unwrap_or_default()),
            _ => Outcome::Success,
        };
        act.record.state = state;
        act.record.done_at = Some(self.now().0);
        let place = (act.namespace_name.as_str(), act.record.rule.as_str());
        let mut event = self.of_rule(place, outcome)?.explained(act.explained());
        if let Some(subject) = act.subject() {
            event = event.also(&subject);
        }
        if state == ActState::DryRun {
            let said = format!("a dry run: {} was not done", act.record.answer);
            event = event.detail(DetailKey::Reason, said);
        }
        let committed = self
            .rooms
            .recorder
            .commit(vec![act.change()?], &event.finish(), false)
            .await?;
        self.rooms.recorder.settle(committed).await?;
        Ok(act)
    }

    async fn not_done(&self, mut act: KnownAct, not: Not) -> Result<KnownAct> {
        let (state, why) = match not {
            Not::Failed(why) => (ActState::Failed, why),
            Not::Skipped(why) => (ActState::Skipped, why),
        };
        act.record.why = Some(why);
        self.say(act, state).await
    }

    /// An act on a key.
    async fn change_for(&self, act: KnownAct, answer: Answer) -> Result<KnownAct> {
        let Some(known) = act.record.key.clone() else {
            let not = Not::Failed("it is about no key".to_owned());
            return self.not_done(act, not).await;
        };
        if let Some(why) = kept_off(&self.rooms, &act.namespace_name, &known.id, answer) {
            return self.not_done(act, Not::Skipped(why)).await;
        }
        let at = KeyRef {
            namespace: &act.namespace_name,
            keyring: &known.keyring,
            name: &known.name,
        };
        let found = self.rooms.keys.resolve(&self.rooms, at).await?;
        let Some(cell) = found.filter(|cell| cell.snapshot().id_text() == known.id) else {
            let not = Not::Failed("the key is gone".to_owned());
            return self.not_done(act, not).await;
        };
        if let Some(compromise) = &act.record.compromise {
            let snapshot = cell.snapshot();
            let off = self.kept_off_below(&snapshot, compromise.reach).await?;
            if let Some(why) = off {
                return self.not_done(act, Not::Skipped(why)).await;
            }
        }
        let mut done = act.clone();
        done.record.state = ActState::Done;
        done.record.done_at = Some(self.now().0);
        let changed = match answer {
            Answer::Rotate => self.rotate_for(&cell, &done).await.map(drop),
            Answer::Revoke => self.revoke_for(&cell, &done).await.map(drop),
            Answer::Compromise => self.compromise_for(&cell, &mut done).await,
            _ => {
                let snapshot = cell.snapshot();
                done.record.versions = to_be_suspended(snapshot.key(), self.now());
                self.suspend_key_for(&cell, &done).await.map(drop)
            }
        };
        match changed {
            Ok(()) => Ok(done),
            // The key's own state stands in the way: the event of that is there.
            Err(error @ (Error::Key(_) | Error::KeyForbids(_) | Error::Invalid(_))) => {
                let not = Not::Failed(error.to_string());
                self.not_done(act, not).await
            }
            Err(error) => Err(error),
        }
    }

    async fn suspend_key_for(
        &self,
        cell: &KeyTarget,
        done: &KnownAct,
    ) -> Result<std::sync::Arc<KeySnapshot>> {
        let allowed = self.authorize_as_system::<Suspend>(cell)?;
        let expected: BTreeSet<u32> = done.record.versions.iter().copied().collect();
        let work = |key: &Key, now: UnixSeconds| {
            // Which versions it was is what an undoing goes by.
            match to_be_suspended(key, now)
                .into_iter()
                .collect::<BTreeSet<_>>()
                == expected
            {
                true => Ok(key.suspend(Versions::All, now)?),
                false => Err(Error::Conflict),
            }
        };
        let authorities = self.rooms.authorities.of(&done.namespace_name);
        if authorities.iter().any(|one| one.rules.hold_suspended) {
            let extra = || extra(done);
            return reaching_with(self, &allowed, (Fate::Held, true), &extra, work).await;
        }
        self.with(&allowed, done, true, work).await
    }

    async fn revoke_for(
        &self,
        cell: &KeyTarget,
        done: &KnownAct,
    ) -> Result<std::sync::Arc<KeySnapshot>> {
        let allowed = self.authorize_as_system::<RevokeKey>(cell)?;
        let reason: RevocationReason = done
            .record
            .reason
            .as_deref()
            .unwrap_or_default()
            .parse()
            .map_err(Error::from)?;
        let revoke = Revoke {
            versions: Versions::All,
            reason,
            message: format!("by the rule {}", done.record.rule),
            compromise_occurred_at: None,
        };
        let verdict = Verdict {
            reason,
            at: self.now(),
            invalid_since: None,
        };
        let fate = Fate::Revoked(verdict, Versions::All);
        let extra = || extra(done);
        reaching_with(self, &allowed, (fate, true), &extra, |key, now| {
            Ok(key.revoke(&revoke, now)?)
        })
        .await
    }

    async fn rotate_for(
        &self,
        cell: &KeyTarget,
        done: &KnownAct,
    ) -> Result<std::sync::Arc<KeySnapshot>> {
        let allowed = self.authorize_as_system::<Rotate>(cell)?;
        let snapshot = cell.snapshot();
        let algorithm = rotate::check(self, &snapshot, None)?;
        let (material, next) = rotate::next(self, &snapshot, algorithm, None).await?;
        let mut extra = extra(done)?;
        extra.also.push(material);
        extra.said.extend(next.said(&snapshot));
        let with = With {
            also: extra.also,
            said: extra.said,
            ..With::default()
        };
        let rotated = self
            .change_key(&allowed, with, move |key, now| next.follow(key, now))
            .await?;
        self.rooms.weak.made(&rotated);
        Ok(rotated)
    }

    /// Changes a key with an act's record in the same batch.
    async fn with<A: Act>(
        &self,
        allowed: &Authorized<A, KeyTarget>,
        done: &KnownAct,
        urgent: bool,
        work: impl FnOnce(&Key, UnixSeconds) -> Result<skms_keys::Changed>,
    ) -> Result<std::sync::Arc<KeySnapshot>> {
        let extra = extra(done)?;
        let with = With {
            also: extra.also,
            said: extra.said,
            urgent,
            ..With::default()
        };
        self.change_key(allowed, with, work).await
    }

    /// An act on a principal.
    async fn suspend_for(&self, act: KnownAct) -> Result<KnownAct> {
        let Some((namespace, name)) = act.record.principal.clone() else {
            let not = Not::Failed("it is about no principal".to_owned());
            return self.not_done(act, not).await;
        };
        if namespace != act.namespace_name {
            let why = "the principal is of another namespace, whose rules it is subject to";
            return self.not_done(act, Not::Skipped(why.to_owned())).await;
        }
        let mut done = act.clone();
        done.record.state = ActState::Done;
        done.record.done_at = Some(self.now().0);
        let why = format!("by the rule {}", done.record.rule);
        match suspension::suspend_as_system(self, (&namespace, &name), &why, extra(&done)?).await {
            Ok(()) => Ok(done),
            Err(error @ (Error::Invalid(_) | Error::Exists { .. } | Error::TooLarge { .. })) => {
                self.not_done(act, Not::Skipped(error.to_string())).await
            }
            Err(error) => Err(error),
        }
    }
}

/// The act's record as it is to be, and what the event says.
pub(crate) fn extra(act: &KnownAct) -> Result<Extra> {
    Ok(Extra {
        also: vec![act.change()?],
        said: act.explained(),
    })
}

/// The versions that suspending a key would suspend.
fn to_be_suspended(key: &Key, now: UnixSeconds) -> Vec<u32> {
    let Ok((after, _)) = key.suspend(Versions::All, now) else {
        return Vec::new();
    };
    let was = |number: VersionNumber| {
        let version = key.version(number);
        version.is_ok_and(|version| version.state == KeyState::Suspended)
    };
    let now_suspended = after
        .versions
        .iter()
        .filter(|version| version.state == KeyState::Suspended && !was(version.number));
    now_suspended.map(|version| version.number.0).collect()
}

/// The key that a snapshot is of, for an act's record.
pub(crate) fn act_key(snapshot: &KeySnapshot) -> ActKey {
    let at = snapshot.at();
    ActKey {
        keyring: at.keyring.to_owned(),
        name: at.name.to_owned(),
        id: snapshot.id_text().to_owned(),
    }
}

pub(crate) use decide::Intent;
