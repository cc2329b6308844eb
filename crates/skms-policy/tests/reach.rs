//! What the accepted documents reach.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use common::{ask, name, set, token};
use skms_policy::{
    Action, Context, Document, PolicySet, Principal, PrincipalKind, Request, ResourceKind,
    ResourceRef, builtin,
};

#[test]
fn nothing_is_allowed_by_default_and_forbid_wins() {
    let alice = token("root", "alice", &[]);
    let key = ResourceRef::key("root", "ring", "k");
    let nothing = ask(&PolicySet::empty(), &alice, Action::KeyEncrypt, &key);
    assert!(!nothing.allowed && nothing.policies.is_empty() && nothing.errors.is_empty());

    let permit = (
        "root",
        "permit (principal == SKMS::Principal::\"alice\", action, resource);",
    );
    let forbid = (
        "root",
        "forbid (principal, action, resource in SKMS::Keyring::\"root/ring\");",
    );
    assert!(ask(&set(&[permit]), &alice, Action::KeyEncrypt, &key).allowed);
    assert!(
        !ask(
            &set(&[permit]),
            &token("root", "bob", &[]),
            Action::KeyEncrypt,
            &key
        )
        .allowed
    );
    let both = ask(&set(&[permit, forbid]), &alice, Action::KeyEncrypt, &key);
    assert!(!both.allowed);
    assert_eq!(both.policies, [name("root", "p1")]);
    let elsewhere = ResourceRef::key("root", "other", "k");
    assert!(
        ask(
            &set(&[permit, forbid]),
            &alice,
            Action::KeyEncrypt,
            &elsewhere
        )
        .allowed
    );
}

#[test]
fn a_statement_that_fails_counts_against_the_caller() {
    // Overflow is the one failure the validator cannot rule out.
    let failing = "(principal, action, resource) when { context.now + 9223372036854775807 > 0 };";
    let alice = token("root", "alice", &[]);
    let key = ResourceRef::key("root", "ring", "k");
    let context = Context {
        now_unix: 1,
        ..Context::default()
    };
    let decide = |policies: &PolicySet| {
        policies.decide(&Request {
            principal: &alice,
            action: Action::KeyEncrypt,
            resource: &key,
            context: &context,
        })
    };
    let permit = decide(&set(&[("root", &format!("permit {failing}"))]));
    assert!(!permit.allowed);
    assert_eq!(permit.errors.len(), 1);
    let forbid = decide(&set(&[
        ("root", "permit (principal, action, resource);"),
        ("root", &format!("forbid {failing}")),
    ]));
    assert!(!forbid.allowed);
    assert_eq!(forbid.policies, [name("root", "p1")]);
    assert!(!forbid.cacheable);
}

#[test]
fn an_action_on_the_wrong_kind_of_thing_is_refused_whatever_policies_say() {
    let everything = set(&[("root", "permit (principal, action, resource);")]);
    let alice = token("root", "alice", &[]);
    let ring = ResourceRef::keyring("root", "ring");
    let refused = ask(&everything, &alice, Action::KeyEncrypt, &ring);
    assert!(!refused.allowed);
    assert_eq!(refused.errors.len(), 1);
    assert!(ask(&everything, &alice, Action::KeyList, &ring).allowed);
}

/// A resource of the kind, in the namespace.
fn some<'a>(kind: ResourceKind, namespace: &'a str) -> ResourceRef<'a> {
    match kind {
        ResourceKind::System => ResourceRef::system(),
        ResourceKind::Namespace => ResourceRef::namespace(namespace),
        ResourceKind::Keyring => ResourceRef::keyring(namespace, "ring"),
        ResourceKind::Key => ResourceRef::key(namespace, "ring", "key"),
        ResourceKind::Policy => ResourceRef::policy(namespace, "policy"),
        ResourceKind::Token => ResourceRef::token(namespace, "token"),
        ResourceKind::Principal => ResourceRef::principal(namespace, "person"),
        ResourceKind::Authority => ResourceRef::authority(namespace, "ca"),
        ResourceKind::Trust => ResourceRef::trust(namespace, "corp"),
        ResourceKind::KeyGroup => ResourceRef::key_group(namespace, "group"),
        ResourceKind::Channel => ResourceRef::channel(namespace, "pager"),
        ResourceKind::SshAuthority => ResourceRef::ssh_authority(namespace, "ca"),
        ResourceKind::SshRole => ResourceRef::ssh_role(namespace, "ca", "role"),
        ResourceKind::Tsa => ResourceRef::tsa(namespace, "clock"),
        ResourceKind::Rule => ResourceRef::rule(namespace, "unused"),
        _ => panic!("a kind this test does not know"),
    }
}

#[test]
fn every_action_can_be_permitted_by_itself_and_by_its_groups() {
    let alice = token("root", "alice", &[]);
    for action in Action::ALL {
        let only = set(&[(
            "root",
            &format!("permit (principal, action == SKMS::Action::\"{action}\", resource);"),
        )]);
        for other in Action::ALL {
            for kind in other.applies_to() {
                let decision = ask(&only, &alice, *other, &some(*kind, "root"));
                assert_eq!(
                    decision.allowed,
                    action == other,
                    "{action} {other} {kind:?}"
                );
                assert!(decision.errors.is_empty(), "{other}: {:?}", decision.errors);
            }
        }
        for (group, _) in skms_policy::ACTION_GROUPS {
            let by_group = set(&[(
                "root",
                &format!("permit (principal, action in SKMS::Action::\"{group}\", resource);"),
            )]);
            for kind in action.applies_to() {
                assert_eq!(
                    ask(&by_group, &alice, *action, &some(*kind, "root")).allowed,
                    action.is_in(group),
                    "{action} in {group}"
                );
            }
        }
    }
}

#[test]
fn a_tenant_s_document_reaches_no_further_than_the_tenant() {
    let all = "permit (principal, action, resource);";
    let none = "forbid (principal, action, resource);";
    let alice = token("a", "alice", &["root", "admin"]);
    let policies = set(&[("a", all)]);
    for action in Action::ALL {
        for kind in action.applies_to() {
            let own = ask(&policies, &alice, *action, &some(*kind, "a")).allowed;
            assert_eq!(own, *kind != ResourceKind::System, "{action} {kind:?}");
            for other in ["root", "b"] {
                assert!(!ask(&policies, &alice, *action, &some(*kind, other)).allowed);
            }
        }
    }
    let policies = set(&[("root", all), ("a", none)]);
    assert!(
        ask(
            &policies,
            &alice,
            Action::KeyRead,
            &some(ResourceKind::Key, "b")
        )
        .allowed
    );
    assert!(
        !ask(
            &policies,
            &alice,
            Action::KeyRead,
            &some(ResourceKind::Key, "a")
        )
        .allowed
    );
}

#[test]
fn a_tenant_s_forbid_does_not_bind_the_root_namespace() {
    let all = "permit (principal, action, resource);";
    let none = "forbid (principal, action, resource);";
    // Fails for every request, and so would forbid.
    let failing = "forbid (principal, action, resource) \
                   when { context.now + 9223372036854775807 > 0 };";
    let (chief, own, foreign) = (
        token("root", "x", &[]),
        token("a", "x", &[]),
        token("b", "x", &[]),
    );
    let context = Context {
        now_unix: 1,
        ..Context::default()
    };
    for forbids in [none, failing] {
        let policies = set(&[("root", all), ("a", forbids)]);
        let by_root = set(&[("root", all), ("root", forbids)]);
        for action in Action::ALL {
            for kind in action.applies_to() {
                if *kind == ResourceKind::System {
                    continue;
                }
                let resource = some(*kind, "a");
                let may = |policies: &PolicySet, principal| {
                    policies.decide(&Request {
                        principal,
                        action: *action,
                        resource: &resource,
                        context: &context,
                    })
                };
                let decision = may(&policies, &chief);
                assert!(decision.allowed && decision.errors.is_empty(), "{action}");
                assert!(!may(&policies, &own).allowed, "{action}");
                assert!(!may(&policies, &foreign).allowed, "{action}");
                assert!(!may(&by_root, &chief).allowed, "{action}");
            }
        }
    }
    // What a tenant permits, it permits to them too.
    let permits = set(&[("a", all)]);
    let key = some(ResourceKind::Key, "a");
    assert!(ask(&permits, &chief, Action::KeyEncrypt, &key).allowed);
}

#[test]
fn a_tenant_s_groups_are_not_the_root_namespace_s() {
    let policies = PolicySet::compile(builtin::initial().unwrap()).unwrap();
    assert!(policies.doubts().is_empty(), "{:?}", policies.doubts());
    let key = some(ResourceKind::Key, "a");
    assert!(
        ask(
            &policies,
            &token("root", "x", &["root"]),
            Action::KeyExport,
            &key
        )
        .allowed
    );
    assert!(
        !ask(
            &policies,
            &token("a", "x", &["root"]),
            Action::KeyExport,
            &key
        )
        .allowed
    );
    assert!(
        !ask(
            &policies,
            &token("root", "x", &["admin"]),
            Action::KeyExport,
            &key
        )
        .allowed
    );
    assert!(
        ask(
            &policies,
            &token("root", "x", &["admin"]),
            Action::KeyCreate,
            &key
        )
        .allowed
    );
    assert!(
        !ask(
            &policies,
            &token("a", "x", &["admin"]),
            Action::KeyCreate,
            &key
        )
        .allowed
    );
}

#[test]
fn a_role_s_document_serves_any_namespace() {
    for role in builtin::Role::ALL {
        let policies = PolicySet::compile([role.document("team-a").unwrap()]).unwrap();
        assert!(policies.doubts().is_empty(), "{:?}", policies.doubts());
        let member = token("team-a", "x", &[role.name()]);
        let outsider = token("team-a", "x", &[]);
        let foreign = token("root", "x", &[role.name()]);
        let key = some(ResourceKind::Key, "team-a");
        assert!(ask(&policies, &member, Action::KeyRead, &key).allowed);
        assert!(!ask(&policies, &outsider, Action::KeyRead, &key).allowed);
        assert!(!ask(&policies, &foreign, Action::KeyRead, &key).allowed);
        let uses = ask(&policies, &member, Action::KeyEncrypt, &key).allowed;
        assert_eq!(
            uses,
            matches!(role, builtin::Role::Admin | builtin::Role::CryptoUser)
        );
        assert!(!ask(&policies, &member, Action::KeyExport, &key).allowed);
    }
}

#[test]
fn conditions_see_what_they_name() {
    let tags = BTreeMap::from([("env".to_owned(), "prod".to_owned())]);
    let groups = BTreeSet::from(["root".to_owned()]);
    let alice = Arc::new(
        Principal::new(PrincipalKind::Certificate, "root", "alice")
            .unwrap()
            .with_attribute("team", "blue"),
    );
    let key = ResourceRef::key("root", "ring", "k")
        .with_algorithm("ML-KEM-768")
        .with_owner("alice")
        .with_exportable(true)
        .with_tags(&tags);
    let new_token = ResourceRef::token("root", "t").with_groups(&groups);
    let context = Context {
        now_unix: 1_700_000_000,
        source_ip: Some("::ffff:10.1.2.3".parse().unwrap()),
        tls: true,
        certificate: true,
    };
    let truths = [
        (
            "resource is SKMS::Key && resource.algorithm == \"ML-KEM-768\"",
            true,
        ),
        (
            "resource is SKMS::Key && resource.owner == principal.id",
            true,
        ),
        ("resource is SKMS::Key && resource.exportable", true),
        (
            "resource is SKMS::Key && resource.hasTag(\"env\") && resource.getTag(\"env\") == \"prod\"",
            true,
        ),
        ("resource is SKMS::Key && resource.hasTag(\"team\")", false),
        (
            "principal.hasTag(\"team\") && principal.getTag(\"team\") == \"blue\"",
            true,
        ),
        ("principal.kind == \"certificate\"", true),
        ("context.now >= 1700000000", true),
        ("context.tls && context.certificate", true),
        (
            "context has source_ip && context.source_ip.isInRange(ip(\"10.0.0.0/8\"))",
            true,
        ),
        (
            "context has source_ip && context.source_ip.isInRange(ip(\"192.168.0.0/16\"))",
            false,
        ),
    ];
    for (condition, expected) in truths {
        let policies = set(&[(
            "root",
            &format!("permit (principal, action, resource) when {{ {condition} }};"),
        )]);
        let decision = policies.decide(&Request {
            principal: &alice,
            action: Action::KeyRead,
            resource: &key,
            context: &context,
        });
        assert!(
            decision.errors.is_empty(),
            "{condition}: {:?}",
            decision.errors
        );
        assert_eq!(decision.allowed, expected, "{condition}");
    }
    let policies = set(&[(
        "root",
        "permit (principal, action == SKMS::Action::\"token.create\", resource) \
         unless { resource.groups.contains(\"root\") };",
    )]);
    assert!(!ask(&policies, &alice, Action::TokenCreate, &new_token).allowed);
    let plain = ResourceRef::token("root", "t");
    assert!(ask(&policies, &alice, Action::TokenCreate, &plain).allowed);
}

#[test]
fn a_registration_is_judged_by_its_own_groups_even_the_caller_s_own() {
    let registers = "permit (principal, action == SKMS::Action::\"principal.write\", resource)";
    let conditions = [
        "unless { resource.groups.contains(\"root\") }",
        "unless { resource in SKMS::Group::\"root\" }",
        "when { principal.groups.containsAll(resource.groups) }",
    ];
    let (none, root) = (BTreeSet::new(), BTreeSet::from(["root".to_owned()]));
    let caller = token("root", "reg", &["plain"]);
    for condition in conditions {
        let policies = set(&[("root", &format!("{registers} {condition};"))]);
        for id in ["reg", "other"] {
            let target = ResourceRef::principal("root", id);
            let may = |groups| {
                let target = target.with_groups(groups);
                ask(&policies, &caller, Action::PrincipalWrite, &target).allowed
            };
            assert!(!may(&root), "{id} {condition}");
            assert!(may(&none), "{id} {condition}");
        }
    }
    // Nor does the registration lend the caller its groups.
    let members = set(&[(
        "root",
        "permit (principal in SKMS::Group::\"root\", action, resource);",
    )]);
    let target = ResourceRef::principal("root", "reg").with_groups(&root);
    for action in [Action::PrincipalWrite, Action::PrincipalDelete] {
        assert!(!ask(&members, &caller, action, &target).allowed);
    }
    // A caller of the group, on a registration outside it.
    let only_root = set(&[(
        "root",
        "permit (principal, action, resource in SKMS::Group::\"root\");",
    )]);
    let caller = token("root", "reg", &["root"]);
    for (groups, allowed) in [(&none, false), (&root, true)] {
        let target = ResourceRef::principal("root", "reg").with_groups(groups);
        assert_eq!(
            ask(&only_root, &caller, Action::PrincipalDelete, &target).allowed,
            allowed
        );
    }
}

#[test]
fn a_registration_is_named_as_its_principal_is() {
    let policies = set(&[(
        "root",
        "permit (principal, action, resource == SKMS::Registration::\"a/robot\");",
    )]);
    let alice = token("root", "alice", &[]);
    for (namespace, id, allowed) in [
        ("a", "robot", true),
        ("root", "robot", false),
        ("a", "x", false),
    ] {
        let target = ResourceRef::principal(namespace, id);
        let decision = ask(&policies, &alice, Action::PrincipalRead, &target);
        assert_eq!(decision.allowed, allowed, "{namespace} {id}");
    }
    // What names a principal as the resource says nothing, and is told so.
    let document = Document::compile(
        &name("root", "p"),
        "permit (principal, action == SKMS::Action::\"principal.read\", \
         resource == SKMS::Principal::\"robot\");",
    );
    assert!(document.is_err() || document.is_ok_and(|document| !document.doubts().is_empty()));
}

#[test]
fn a_token_is_known_by_whom_it_speaks_for() {
    let policies = set(&[(
        "root",
        "permit (principal, action == SKMS::Action::\"token.create\", resource) \
         when { resource.principal == \"team-a/robot\" };",
    )]);
    let alice = token("root", "alice", &[]);
    let token = ResourceRef::token("team-a", "t");
    for (whom, allowed) in [
        ("team-a/robot", true),
        ("robot", false),
        ("team-a/alice", false),
    ] {
        let token = token.with_principal(whom);
        assert_eq!(
            ask(&policies, &alice, Action::TokenCreate, &token).allowed,
            allowed,
            "{whom}"
        );
    }
    assert!(!ask(&policies, &alice, Action::TokenCreate, &token).allowed);
}
