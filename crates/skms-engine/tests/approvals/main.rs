//! Acts that wait for the approval of others.
#![allow(clippy::unwrap_used, missing_docs)]

#[path = "../common/mod.rs"]
mod common;

mod acts;
mod refusals;
mod room;
mod signed;

use std::sync::Arc;

use skms_crypto::Algorithm;
use skms_engine::acts::approvals::{NewApproval, View};
use skms_engine::approvals::{Asked, Calling};
use skms_engine::{Caller, Error, KeySnapshot, Result};
use skms_evidence::Event;
use skms_keys::Versions;

use common::{House, at};

pub const OFFICERS: &str = r#"permit (principal in SKMS::Group::"officers",
action in [SKMS::Action::"approval.approve", SKMS::Action::"approval.read",
    SKMS::Action::"approval.list", SKMS::Action::"approval.reject"], resource);"#;

/// Two officers for whatever `of` names.
pub fn mark(of: &str) -> String {
    format!(
        "@approvals(\"2\") @approvers(\"SKMS::Group::\\\"officers\\\"\") @valid_for(\"1h\")\n\
         forbid (principal, action in [{of}], resource);"
    )
}

impl House {
    /// One key, and destruction marked.
    pub async fn marked() -> Self {
        let house = Self::new().await;
        house.create("k", Algorithm::Aes256Gcm).await;
        house.policy("officers", OFFICERS).await;
        house
            .policy("marks", &mark("SKMS::Action::\"key.destroy\""))
            .await;
        house
    }

    pub async fn policy(&self, name: &str, text: &str) {
        let written = self.engine.write_policy(&self.root, "root", name, text);
        written.await.unwrap();
    }

    /// Somebody who may do everything, in the end.
    pub async fn dora(&self) -> Arc<Caller> {
        self.caller_in("dora", &["root"]).await
    }

    pub async fn officer(&self, name: &str) -> Arc<Caller> {
        self.caller_in(name, &["officers"]).await
    }

    pub async fn destroy(&self, caller: &Arc<Caller>) -> Result<Arc<KeySnapshot>> {
        let engine = &self.engine;
        engine
            .destroy_key(caller, at("k"), Versions::All, None)
            .await
    }

    pub async fn approval(&self, id: &str) -> View {
        let read = self.engine.read_approval(&self.root, "root", id);
        read.await.unwrap()
    }

    pub async fn approve(&self, by: &Arc<Caller>, id: &str) -> Result<View> {
        let hash = hex(&self.approval(id).await.facts.hash());
        let new = NewApproval {
            hash,
            ..NewApproval::default()
        };
        self.engine.approve(by, ("root", id), new).await
    }

    /// Two officers approve.
    pub async fn approved(&self, id: &str) {
        for name in ["alice", "bob"] {
            let officer = self.officer(name).await;
            self.approve(&officer, id).await.unwrap();
        }
    }

    pub async fn events(&self) -> Vec<Event> {
        let read = self.engine.read_events(&self.root, "root", 0, 1000);
        let (all, _) = read.await.unwrap();
        all.into_iter().map(|one| one.event).collect()
    }

    /// Events of one action, with their outcomes.
    pub async fn outcomes(&self, action: &str) -> Vec<String> {
        let mut all = self.events().await;
        all.retain(|event| event.action.as_str() == action);
        let named = all.iter().map(|event| event.outcome.name().to_owned());
        named.collect()
    }
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The same caller, by a way that can ask for approval.
pub fn asking(caller: &Arc<Caller>, asked: Asked) -> Arc<Caller> {
    Arc::new(Caller {
        calling: Calling {
            asked: Some(Arc::new(asked)),
            ..Calling::default()
        },
        ..Caller::clone(caller)
    })
}

/// The call that destroys the key, as the native face would tell it.
pub fn destroying() -> Asked {
    Asked::new("key-destroy").with(":key", "\"k\"")
}

/// That call with an approval.
pub fn with(caller: &Arc<Caller>, id: &str) -> Arc<Caller> {
    asking(caller, destroying().with_approvals(id).unwrap())
}

/// The request that an act waits for.
pub fn waits<T>(result: Result<T>) -> String {
    match result {
        Err(Error::ApprovalRequired { id, .. }) => id,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it was done"),
    }
}

/// Why an approval does not count.
pub fn refused<T>(result: Result<T>) -> String {
    match result {
        Err(Error::ApprovalRefused(why)) => why,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it was done"),
    }
}
