//! What rules did, and letting go what they hold.

use std::collections::HashMap;
use std::sync::Arc;

use skms_evidence::{DetailKey, Outcome};
use skms_policy::{Action, ResourceRef};

use super::{ActView, List, Release};
use crate::caller::Caller;
use crate::draft::EventDraft;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::records::rule::ActState;
use crate::rules::judge::{KnownAct, STEP, doubt, remembered};
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
        let allowed = entry
            .authorize::<Release>(entry.rule_target(namespace, name))
            .await?;
        let decided = async {
            let rule = entry.rule(namespace, name)?;
            let judge = Arc::clone(&entry.rooms.judge);
            let mut guard = judge.0.lock().await;
            let memory = remembered(&entry.rooms, &mut guard).await?;
            let (id, edition) = (rule.id.to_string(), rule.record.edition);
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
            let event = EventDraft::of(&entry, &allowed, Outcome::Success)?
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
                            let recorder = &entry.rooms.recorder;
                            let committed = recorder.commit(changes, &event, false).await?;
                            recorder.settle(committed).await
                        }
                        _ => {
                            entry.rooms.store.commit(changes, None).await?;
                            Ok(())
                        }
                    }
                };
                if let Err(error) = done.await {
                    doubt(&mut guard, &error);
                    return Err(error);
                }
                let memory = remembered(&entry.rooms, &mut guard).await?;
                some.iter().cloned().for_each(|act| memory.settled(act));
            }
            Ok(held.into_iter().map(|act| act.id).collect::<Vec<_>>())
        };
        let decided = decided.await;
        let acts = entry.failed(&allowed, decided).await?;
        let done = match discard {
            true => 0,
            false => self.carry_out(&acts).await?,
        };
        Ok(Released {
            acts: acts.len(),
            done,
        })
    }
}
