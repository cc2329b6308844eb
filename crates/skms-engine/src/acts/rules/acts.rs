//! What rules did, and letting go what they hold.

use std::collections::HashMap;
use std::sync::Arc;

use skms_evidence::{DetailKey, Outcome};
use skms_policy::{Action, ResourceRef};
use skms_store::RecordId;

use super::{ActView, List, Release};
use crate::caller::Caller;
use crate::draft::EventDraft;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::gate::{Authorized, Entry};
use crate::records::rule::ActState;
use crate::rules::PART;
use crate::rules::asking::holding;
use crate::rules::judge::{Claim, KnownAct, STEP, doubt, remembered};
use crate::target::Target;

/// What became of held acts.
#[derive(Clone, Debug)]
pub struct Released {
    /// How many there were.
    pub acts: usize,
    /// How many were done; none where they were dropped.
    pub done: usize,
}

impl Engine {
    /// What the rules of a namespace did, newest first, as far as the caller may
    /// read the rules.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an absent namespace and one not visible.
    pub async fn list_rule_acts(
        &self,
        caller: &Arc<Caller>,
        namespace: &str,
    ) -> Result<Vec<ActView>> {
        let entry = self.enter(caller)?;
        let allowed = entry
            .authorize::<List>(Target::namespace(namespace))
            .await?;
        let listed = async {
            let place = entry.rooms.places.namespace(namespace);
            let place = place.ok_or(Error::NotFound { what: "namespace" })?;
            let mut guard = entry.rooms.judge.0.lock().await;
            let memory = remembered(&entry.rooms, &mut guard).await?;
            let own = memory.acts.values();
            let own = own.filter(|act| act.namespace == place.id);
            let mut acts: Vec<&KnownAct> = own.collect();
            let mut visible: HashMap<&str, bool> = HashMap::new();
            acts.retain(|act| {
                let rule = act.record.rule.as_str();
                *visible.entry(rule).or_insert_with(|| {
                    let resource = ResourceRef::rule(namespace, rule);
                    entry.may_see(Action::RuleRead, &resource)
                })
            });
            acts.sort_by_key(|act| (std::cmp::Reverse(act.record.at), act.id));
            let views = acts.into_iter().map(|act| {
                let rule = entry.rooms.rules.find(namespace, &act.record.rule);
                ActView::of(act, rule.as_deref())
            });
            Ok(views.collect())
        };
        let listed: Result<Vec<ActView>> = listed.await;
        let views = entry.failed(&allowed, listed).await?;
        entry
            .record(EventDraft::of(&entry, &allowed, Outcome::Success)?)
            .await?;
        Ok(views)
    }

    /// Lets go every act that a rule holds because it is over its limit, and
    /// does them; or drops them. Released acts count against no limit.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Invalid`] where it holds none.
    pub async fn release_rule(
        &self,
        caller: &Arc<Caller>,
        (namespace, name): (&str, &str),
        discard: bool,
    ) -> Result<Released> {
        let entry = self.enter(caller)?;
        let (standing, holds) = entry.holding((namespace, name)).await?;
        let target = entry.rule_target(namespace, name);
        let target = match &standing {
            Some(standing) => target.standing(standing.clone()),
            None => target,
        };
        let check = || match &standing {
            None => Err(Error::NotFound { what: "rule" }),
            Some(_) if !holds => Err(Error::Invalid("the rule holds no acts".into())),
            Some(_) => Ok(()),
        };
        let (allowed, ()) = entry.authorize_checked::<Release, _>(target, check).await?;
        let approved = standing.filter(|_| entry.claims.any());
        let decided = entry
            .let_go(&allowed, (namespace, name), (discard, approved.as_deref()))
            .await;
        let acts = entry.failed(&allowed, decided).await?;
        let done = match discard {
            true => 0,
            false => self.carry_out(&acts).await?,
        };
        Ok(Released {
            acts: acts.ids.len(),
            done,
        })
    }

    /// Lets go what a rule holds if those who have to approve of that did: then
    /// the request that the rule made by itself is used up. Does nothing for a
    /// request that was made by anybody else, or that lacks something still.
    ///
    /// # Errors
    /// [`Error::ApprovalRefused`] where the rule holds something else by now.
    pub(crate) async fn release_if_approved(&self, id: RecordId) -> Result<()> {
        let entry = self.enter(&Caller::system(PART)?)?;
        let Some(claim) = entry.approved_release(id).await? else {
            return Ok(());
        };
        let facts = claim.record.facts.clone();
        let Some((namespace, name)) = facts.target.name.split_once('/') else {
            return Err(Error::Internal("a rule without a namespace"));
        };
        entry.claims.put(claim);
        let target = entry.rule_target(namespace, name);
        let allowed = entry.authorize_target_as_system::<Release>(target)?;
        let how = (false, Some(facts.target.standing.as_str()));
        let decided = entry.let_go(&allowed, (namespace, name), how).await;
        let acts = entry.failed(&allowed, decided).await?;
        self.carry_out(&acts).await.map(drop)
    }
}

impl Entry {
    /// How many acts a rule holds, and a digest of which: what a release is
    /// approved for, and whether it holds any. `None` for a rule that is not
    /// there.
    async fn holding(&self, (namespace, name): (&str, &str)) -> Result<(Option<String>, bool)> {
        let Ok(rule) = self.rule(namespace, name) else {
            return Ok((None, false));
        };
        let judge = Arc::clone(&self.rooms.judge);
        let mut guard = judge.0.lock().await;
        let memory = remembered(&self.rooms, &mut guard).await?;
        let (id, edition) = (rule.id.to_string(), rule.record.edition);
        let holds = memory.held(&id, edition).next().is_some();
        Ok((Some(holding(memory, &rule)), holds))
    }

    /// Lets acts go, or drops them; if others approved, only those that they
    /// approved of.
    async fn let_go(
        &self,
        allowed: &Authorized<Release, Target>,
        (namespace, name): (&str, &str),
        (discard, approved): (bool, Option<&str>),
    ) -> Result<Claim> {
        let rule = self.rule(namespace, name)?;
        let judge = Arc::clone(&self.rooms.judge);
        let mut guard = judge.0.lock().await;
        let memory = remembered(&self.rooms, &mut guard).await?;
        let (id, edition) = (rule.id.to_string(), rule.record.edition);
        if approved.is_some_and(|standing| standing != holding(memory, &rule)) {
            return Err(Error::ApprovalRefused(
                "what it is about has changed since".into(),
            ));
        }
        let mut held: Vec<KnownAct> = memory.held(&id, edition).cloned().collect();
        if held.is_empty() {
            return Err(Error::Invalid("the rule holds no acts".into()));
        }
        held.sort_by_key(|act| (act.record.at, act.id));
        for act in &mut held {
            act.record.released = true;
            act.record.state = match discard {
                true => ActState::Discarded,
                false => ActState::Pending,
            };
        }
        let event = EventDraft::of(self, allowed, Outcome::Success)?
            .detail(DetailKey::Count, held.len() as u64)
            .detail(DetailKey::RuleEdition, edition)
            .detail(
                DetailKey::ToState,
                if discard { "discarded" } else { "released" },
            );
        let event = event.finish();
        for (at, some) in held.chunks(STEP).enumerate() {
            let changes = some.iter().map(KnownAct::change).collect::<Result<_>>()?;
            let done = async {
                match at {
                    0 => {
                        let recorder = &self.rooms.recorder;
                        let committed = recorder.commit(changes, &event, false).await?;
                        recorder.settle(committed).await
                    }
                    _ => {
                        self.rooms.store.commit(changes, None).await?;
                        Ok(())
                    }
                }
            };
            if let Err(error) = done.await {
                doubt(&mut guard, &error);
                return Err(error);
            }
            let memory = remembered(&self.rooms, &mut guard).await?;
            some.iter().cloned().for_each(|act| memory.settled(act));
        }
        // By nobody else: they are done when the call returns.
        Ok(judge.claim(held.into_iter().map(|act| act.id)))
    }
}
