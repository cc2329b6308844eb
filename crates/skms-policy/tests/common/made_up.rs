//! Statements and requests made up at random, from few names so that they meet.

use std::{collections::BTreeSet, sync::Arc};

use proptest::prelude::*;
use skms_policy::{
    Action, Context, Decision, PolicySet, Principal, PrincipalKind, Request, ResourceRef,
};

#[derive(Debug, Clone)]
pub struct Asked {
    pub namespace: String,
    pub id: String,
    pub groups: BTreeSet<String>,
    pub action: Action,
    pub target: (String, String, String),
    pub algorithm: String,
    pub tls: bool,
    pub now: i64,
}

impl Asked {
    pub fn context(&self) -> Context {
        Context {
            now_unix: self.now,
            tls: self.tls,
            ..Context::default()
        }
    }

    pub fn of(&self, policies: &PolicySet, context: &Context) -> Decision {
        let principal = Principal::new(
            PrincipalKind::Token,
            self.namespace.as_str(),
            self.id.as_str(),
        );
        let principal = principal
            .unwrap()
            .with_groups(self.groups.iter().map(String::as_str))
            .unwrap();
        let (namespace, ring, key) = &self.target;
        let resource = ResourceRef::key(namespace, ring, key).with_algorithm(&self.algorithm);
        policies.decide(&Request {
            principal: &Arc::new(principal),
            action: self.action,
            resource: &resource,
            context,
        })
    }
}

pub fn pick(values: &'static [&'static str]) -> impl Strategy<Value = String> {
    proptest::sample::select(values).prop_map(str::to_owned)
}

fn actions() -> impl Strategy<Value = Action> {
    proptest::sample::select(
        &[
            Action::KeyEncrypt,
            Action::KeyDecrypt,
            Action::KeyCreate,
            Action::KeyRead,
            Action::KeyExport,
            Action::KeyDerive,
        ][..],
    )
}

pub fn asked() -> impl Strategy<Value = Asked> {
    (
        pick(&["root", "a"]),
        pick(&["p0", "p1"]),
        proptest::collection::btree_set(pick(&["g0", "g1", "g2"]), 0..3),
        actions(),
        (
            pick(&["root", "a"]),
            pick(&["r0", "r1"]),
            pick(&["k0", "k1"]),
        ),
        pick(&["AES-256-GCM", "RSA-3072"]),
        any::<bool>(),
        0i64..200,
    )
        .prop_map(
            |(namespace, id, groups, action, target, algorithm, tls, now)| Asked {
                namespace,
                id,
                groups,
                action,
                target,
                algorithm,
                tls,
                now,
            },
        )
}

pub fn statement() -> impl Strategy<Value = String> {
    (
        pick(&["permit", "permit", "forbid"]),
        pick(&[
            "principal",
            "principal is SKMS::Principal",
            "principal == SKMS::Principal::\"p0\"",
            "principal == SKMS::Principal::\"a/p0\"",
            "principal in SKMS::Group::\"g0\"",
            "principal in SKMS::Group::\"a/g0\"",
            "principal in SKMS::Principal::\"p1\"",
            "principal in SKMS::Namespace::\"a\"",
            "principal is SKMS::Principal in SKMS::Group::\"g1\"",
        ]),
        pick(&[
            "action",
            "action == SKMS::Action::\"key.encrypt\"",
            "action in SKMS::Action::\"use\"",
            "action in SKMS::Action::\"protect\"",
            "action in [SKMS::Action::\"key.read\", SKMS::Action::\"process\"]",
            "action in SKMS::Action::\"key.export\"",
        ]),
        pick(&[
            "resource",
            "resource is SKMS::Key",
            "resource == SKMS::Key::\"a/r0/k0\"",
            "resource in SKMS::Keyring::\"a/r0\"",
            "resource in SKMS::Keyring::\"root/r1\"",
            "resource in SKMS::Namespace::\"root\"",
            "resource is SKMS::Key in SKMS::Namespace::\"a\"",
        ]),
        pick(&[
            "",
            "",
            " when { context.tls }",
            " when { context.now > 100 }",
            " unless { principal.groups.contains(\"g2\") }",
            " when { resource is SKMS::Key && resource.algorithm like \"AES*\" }",
        ]),
    )
        .prop_map(|(effect, principal, action, resource, condition)| {
            format!("{effect} ({principal}, {action}, {resource}){condition};")
        })
}
