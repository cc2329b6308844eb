//! Automatic rules on a real engine: every trigger, each with what it must not
//! touch; limits, undoing, crashes.
#![allow(clippy::unwrap_used, missing_docs)]

#[path = "../common/mod.rs"]
mod common;
#[path = "../trusts/openssl.rs"]
mod openssl;

mod approvals;
mod certified;
mod compromise;
mod limits;
mod principals;
mod safety;
mod triggers;

use std::sync::Arc;

use common::{House, at};
use skms_crypto::Algorithm;
use skms_engine::acts::create_key::NewKeySpec;
use skms_engine::acts::events::Recorded;
use skms_engine::acts::rules::{ActView, NewRule, Trial, View};
use skms_engine::acts::verdicts::{Answered, NewVerdict, Subject};
use skms_engine::{Caller, KeyRef, Result};
use skms_evidence::{DetailKey, DetailValue};
use skms_keys::{KeyState, Rules};

pub const DAY: i64 = 86_400;

/// A ready-made rule, as docs/rules.md has it.
pub fn ready_made(name: &str) -> String {
    let page = include_str!("../../../../docs/rules.md");
    let mut blocks = page.split("```cedar\n").skip(1);
    let named = format!("@rule({name:?})");
    let found = blocks.find(|block| block.contains(&named));
    let (text, _) = found.expect(name).split_once("```").unwrap();
    text.to_owned()
}

impl House {
    /// Makes the namespace `team`, with a keyring.
    pub async fn team(&self) {
        let (engine, root) = (&self.engine, &self.root);
        engine.create_namespace(root, "team").await.unwrap();
        let defaults = skms_keys::Defaults::default();
        engine
            .create_keyring(root, "team", "default", defaults)
            .await
            .unwrap();
    }

    pub async fn rule(&self, name: &str, text: &str) -> Result<(View, Trial)> {
        self.rule_in("root", name, text).await
    }

    pub async fn rule_in(&self, namespace: &str, name: &str, text: &str) -> Result<(View, Trial)> {
        let new = NewRule {
            text: text.to_owned(),
            enabled: true,
            dry_run: false,
        };
        self.engine
            .write_rule(&self.root, (namespace, name), new)
            .await
    }

    pub async fn key(&self, name: &str, owner: &str, rules: Rules) {
        let spec = NewKeySpec {
            algorithm: Some(Algorithm::Aes256Gcm),
            owner: Some(owner.to_owned()),
            rules: Some(rules),
            ..NewKeySpec::default()
        };
        self.engine
            .create_key(&self.root, at(name), spec)
            .await
            .unwrap();
    }

    pub async fn states(&self, at: KeyRef<'_>) -> Vec<KeyState> {
        let key = self.engine.read_key(&self.root, at).await.unwrap();
        key.key().versions.iter().map(|one| one.state).collect()
    }

    pub async fn state(&self, name: &str) -> KeyState {
        *self.states(at(name)).await.last().unwrap()
    }

    pub async fn acts(&self) -> Vec<ActView> {
        self.engine
            .list_rule_acts(&self.root, "root")
            .await
            .unwrap()
    }

    pub async fn acts_of(&self, rule: &str, state: &str) -> usize {
        let all = self.acts().await;
        let these = all
            .iter()
            .filter(|act| act.rule == rule && act.state == state);
        these.count()
    }

    pub async fn events(&self) -> Vec<Recorded> {
        let mut all = Vec::new();
        loop {
            let from = all.last().map_or(0, |last: &Recorded| last.sequence + 1);
            let read = self.engine.read_events(&self.root, "root", from, 1000);
            let (some, _) = read.await.unwrap();
            let less = some.len() < 1000;
            all.extend(some);
            if less {
                return all;
            }
        }
    }

    /// The events of an act that rules did.
    pub async fn by_rules(&self, action: &str) -> Vec<Recorded> {
        let mut all = self.events().await;
        all.retain(|one| {
            one.event.principal.as_str() == "rules" && one.event.action.as_str() == action
        });
        all
    }

    pub async fn verdict_on(&self, who: &str, score: u16) -> Result<Answered> {
        self.verdict(Subject::Principal(who.to_owned()), score)
            .await
    }

    pub async fn verdict(&self, subject: Subject, score: u16) -> Result<Answered> {
        let verdict = NewVerdict {
            subject,
            score,
            reason: "unlike everything before".to_owned(),
            evidence: Vec::new(),
            expires_at: None,
        };
        self.engine
            .submit_verdict(&self.root, "root", verdict)
            .await
    }

    /// Whether somebody still gets in.
    pub async fn gets_in(&self, caller: &Arc<Caller>) -> bool {
        self.engine.read_self(caller).await.is_ok()
    }
}

pub fn key_subject(name: &str) -> Subject {
    Subject::Key {
        keyring: "default".to_owned(),
        name: name.to_owned(),
    }
}

pub fn detail(recorded: &Recorded, key: DetailKey) -> String {
    match recorded.event.details.get(key) {
        Some(DetailValue::Text(text)) => text.as_str().to_owned(),
        Some(DetailValue::Number(number)) => number.to_string(),
        other => panic!("{key}: {other:?}"),
    }
}
