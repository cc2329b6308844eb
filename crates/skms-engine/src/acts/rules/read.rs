//! Reads and lists rules.

use std::sync::Arc;

use skms_evidence::Outcome;
use skms_policy::{Action, ResourceRef};

use super::{List, Read, View};
use crate::caller::Caller;
use crate::draft::EventDraft;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::gate::Entry;
use crate::rules::AutoRule;
use crate::rules::judge::remembered;
use crate::target::Target;

impl Engine {
    /// One rule.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an absent one and one not visible.
    pub async fn read_rule(
        &self,
        caller: &Arc<Caller>,
        namespace: &str,
        name: &str,
    ) -> Result<View> {
        let entry = self.enter(caller)?;
        let allowed = entry
            .authorize::<Read>(entry.rule_target(namespace, name))
            .await?;
        let found = async { entry.view_of(&*entry.rule(namespace, name)?).await };
        let found = found.await;
        let view = entry.failed(&allowed, found).await?;
        entry
            .record(EventDraft::of(&entry, &allowed, Outcome::Success)?)
            .await?;
        Ok(view)
    }

    /// The rules of a namespace that the caller may read, by name.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an absent namespace and one not visible.
    pub async fn list_rules(&self, caller: &Arc<Caller>, namespace: &str) -> Result<Vec<View>> {
        let entry = self.enter(caller)?;
        let allowed = entry
            .authorize::<List>(Target::namespace(namespace))
            .await?;
        let listed = async {
            if entry.rooms.places.namespace(namespace).is_none() {
                return Err(Error::NotFound { what: "namespace" });
            }
            let mut views = Vec::new();
            for rule in entry.rooms.rules.of(namespace) {
                let resource = ResourceRef::rule(namespace, &rule.record.name)
                    .stored(rule.id.0, rule.revision);
                if entry.may_see(Action::RuleRead, &resource) {
                    views.push(entry.view_of(&rule).await?);
                }
            }
            Ok(views)
        };
        let listed = listed.await;
        let views = entry.failed(&allowed, listed).await?;
        entry
            .record(EventDraft::of(&entry, &allowed, Outcome::Success)?)
            .await?;
        Ok(views)
    }
}

impl Entry {
    /// A rule with how often it may act and how many of its acts are held.
    pub(super) async fn view_of(&self, rule: &AutoRule) -> Result<View> {
        let mut guard = self.rooms.judge.0.lock().await;
        let memory = remembered(&self.rooms, &mut guard).await?;
        let keys = memory.keys(&self.rooms, &rule.namespace_name).await?;
        let held = memory
            .held(&rule.id.to_string(), rule.record.edition)
            .count();
        Ok(View::of(rule, (rule.limit(keys).text(), held)))
    }
}
