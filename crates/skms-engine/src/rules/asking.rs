//! What a rule holds because it is over its limit asks for approval by itself,
//! where a policy marks its release.

use std::sync::Arc;

use skms_crypto::hash::sha256;
use skms_policy::{Action, Principal, PrincipalKind};
use skms_store::RecordId;

use super::AutoRule;
use super::judge::Memory;
use crate::approvals::approvers::counting;
use crate::approvals::asked::Asked;
use crate::approvals::request::{lacking, load, over};
use crate::approvals::{Aim, Claim};
use crate::error::Result;
use crate::gate::Entry;
use crate::sessions::hex;
use crate::target::Target;

/// As whom the rules of a namespace ask.
const RULES: &str = "rules";
/// The call that releases what a rule holds.
const OPERATION: &str = "rule-release";

/// What a rule holds: how many acts, and a digest of which they are.
pub(crate) fn holding(memory: &Memory, rule: &AutoRule) -> String {
    let (id, edition) = (rule.id.to_string(), rule.record.edition);
    let held = memory.held(&id, edition);
    let mut ids: Vec<[u8; 16]> = held.map(|act| act.id.0).collect();
    ids.sort_unstable();
    let digest = sha256(&[ids.as_flattened()]);
    let digest = hex(digest.get(..16).unwrap_or_default());
    format!("edition {edition}, holds {} acts: {digest}", ids.len())
}

impl Entry {
    /// Asks those who have to approve of a release, if a policy marks it.
    ///
    /// # Errors
    /// What the store refuses, and too many requests that wait.
    pub(super) async fn ask_for_release(&self, memory: &Memory, rule: &AutoRule) -> Result<()> {
        let (namespace, name) = (&*rule.namespace_name, rule.record.name.as_str());
        let target = Target::rule(namespace, name).stored(rule.id.0, rule.revision);
        let aim = Aim::Other(Box::new(target.standing(holding(memory, rule))));
        let text = |value: &str| serde_json::Value::from(value).to_string();
        let asked = Asked::new(OPERATION)
            .with(":namespace", &text(namespace))
            .with(":rule", &text(name))
            .with_reason("the rule would do more than its limit lets it do by itself")?;
        let release = (Action::RuleRelease, &aim);
        self.prepare(&asks(namespace)?, release, &asked).await?;
        Ok(())
    }

    /// A rule's own request, claimed, if everybody approved who has to.
    pub(crate) async fn approved_release(&self, id: RecordId) -> Result<Option<Claim>> {
        let Ok(held) = self.rooms.approvals.hold(id) else {
            return Ok(None);
        };
        let Some(known) = load(&self.rooms, id).await? else {
            return Ok(None);
        };
        let facts = &known.record.facts;
        let own = facts.requester.kind == PrincipalKind::System.name()
            && facts.requester.name == RULES
            && facts.operation == OPERATION;
        if !own || over(&known.record, self.now().0).is_some() {
            return Ok(None);
        }
        let name = facts.target.name.split_once('/');
        let found = name.and_then(|(space, rule)| self.rooms.rules.find(space, rule));
        let Some(rule) = found.filter(|rule| {
            let same = facts.target.id.as_ref() == Some(&rule.id.to_string());
            same && *rule.namespace_name == *facts.requester.namespace
        }) else {
            return Ok(None);
        };
        let target = Target::rule(&rule.namespace_name, &rule.record.name);
        let target = target.stored(rule.id.0, rule.revision);
        let marks = self.marks_on(&asks(&rule.namespace_name)?, Action::RuleRelease, &target)?;
        // Without a mark nobody is asked, and somebody releases it by hand.
        if marks.is_empty() {
            return Ok(None);
        }
        let (counting, others) = counting(&self.rooms, facts, &known.record.given).await?;
        if lacking(&marks, &counting, &others).is_some() {
            return Ok(None);
        }
        Ok(Some(Claim {
            held,
            revision: known.revision,
            record: known.record,
            approvers: counting.into_iter().map(|one| one.who).collect(),
            key: None,
            spent: false,
        }))
    }
}

fn asks(namespace: &str) -> Result<Arc<Principal>> {
    let asks = Principal::new(PrincipalKind::System, namespace, RULES)?;
    Ok(Arc::new(asks))
}
