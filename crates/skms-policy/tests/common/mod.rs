//! What the tests ask with.
#![allow(dead_code)] // Each test file uses its part.

pub mod made_up;

use std::sync::Arc;

use skms_policy::{
    Action, Context, Decision, PolicyName, PolicySet, Principal, PrincipalKind, Request,
    ResourceRef,
};
pub fn name(namespace: &str, name: &str) -> PolicyName {
    PolicyName::new(namespace, name).unwrap()
}

pub fn set(documents: &[(&str, &str)]) -> PolicySet {
    PolicySet::compile(
        documents.iter().enumerate().map(|(at, (namespace, text))| {
            (name(namespace, &format!("p{at}")), (*text).to_owned())
        }),
    )
    .unwrap()
}

pub fn token(namespace: &str, id: &str, groups: &[&str]) -> Arc<Principal> {
    Arc::new(
        Principal::new(PrincipalKind::Token, namespace, id)
            .unwrap()
            .with_groups(groups.iter().copied())
            .unwrap(),
    )
}

pub fn ask(
    policies: &PolicySet,
    principal: &Arc<Principal>,
    action: Action,
    resource: &ResourceRef<'_>,
) -> Decision {
    policies.decide(&Request {
        principal,
        action,
        resource,
        context: &Context::default(),
    })
}
