//! A remembered decision answers only the very same question.
#![allow(clippy::unwrap_used, missing_docs)]

use std::sync::Arc;

use skms_policy::{
    Action, Context, DecisionCache, PolicyName, PolicySet, Principal, PrincipalKind, Request,
    ResourceRef,
};

fn set(text: &str) -> PolicySet {
    let name = PolicyName::new("root", "p").unwrap();
    PolicySet::compile([(name, text.to_owned())]).unwrap()
}

fn principal(id: &str, groups: &[&str]) -> Arc<Principal> {
    Arc::new(
        Principal::new(PrincipalKind::Token, "root", id)
            .unwrap()
            .with_groups(groups.iter().copied())
            .unwrap(),
    )
}

fn key() -> ResourceRef<'static> {
    ResourceRef::key("root", "ring", "k").stored([7; 16], 1)
}

struct Asker<'a> {
    cache: DecisionCache,
    policies: &'a PolicySet,
}

impl Asker<'_> {
    fn ask(
        &self,
        principal: &Arc<Principal>,
        action: Action,
        resource: &ResourceRef<'_>,
        context: &Context,
    ) -> bool {
        let request = Request {
            principal,
            action,
            resource,
            context,
        };
        let decision = self.cache.decide(self.policies, &request);
        assert_eq!(decision.allowed, self.policies.decide(&request).allowed);
        decision.allowed
    }
}

#[test]
fn the_same_question_is_remembered_once() {
    let policies = set("permit (principal, action, resource) when { context.tls };");
    let asker = Asker {
        cache: DecisionCache::new(1000),
        policies: &policies,
    };
    let tls = Context {
        tls: true,
        ..Context::default()
    };
    for now_unix in 0..10 {
        // Neither the time nor the address is mentioned, so they do not count.
        let context = Context {
            now_unix,
            source_ip: Some(std::net::Ipv4Addr::from(u32::try_from(now_unix).unwrap()).into()),
            ..tls
        };
        assert!(asker.ask(&principal("a", &[]), Action::KeyRead, &key(), &context));
    }
    assert_eq!(asker.cache.len(), 1);
    assert!(!asker.ask(
        &principal("a", &[]),
        Action::KeyRead,
        &key(),
        &Context::default()
    ));
    assert_eq!(asker.cache.len(), 2);
}

#[test]
fn every_part_of_the_question_counts() {
    let policies = set(
        "permit (principal in SKMS::Group::\"g\", action == SKMS::Action::\"key.read\", \
         resource in SKMS::Keyring::\"root/ring\") when { resource.owner == principal.id };",
    );
    let asker = Asker {
        cache: DecisionCache::new(1000),
        policies: &policies,
    };
    let context = Context::default();
    let member = principal("a", &["g"]);
    let owned = key().with_owner("a");
    assert!(asker.ask(&member, Action::KeyRead, &owned, &context));
    assert!(!asker.ask(&principal("a", &[]), Action::KeyRead, &owned, &context));
    assert!(!asker.ask(&principal("b", &["g"]), Action::KeyRead, &owned, &context));
    assert!(!asker.ask(&member, Action::KeyEncrypt, &owned, &context));
    let next_revision = key().stored([7; 16], 2).with_owner("b");
    assert!(!asker.ask(&member, Action::KeyRead, &next_revision, &context));
    let recreated = key().stored([8; 16], 1).with_owner("b");
    assert!(!asker.ask(&member, Action::KeyRead, &recreated, &context));
    let moved = ResourceRef::key("root", "other", "k")
        .stored([7; 16], 1)
        .with_owner("a");
    assert!(!asker.ask(&member, Action::KeyRead, &moved, &context));
    let elsewhere = ResourceRef::key("a", "ring", "k")
        .stored([7; 16], 1)
        .with_owner("a");
    assert!(!asker.ask(&member, Action::KeyRead, &elsewhere, &context));
    assert!(asker.ask(&member, Action::KeyRead, &owned, &context));
}

#[test]
fn another_epoch_is_another_question() {
    let cache = DecisionCache::new(1000);
    let alice = principal("a", &[]);
    let context = Context::default();
    let ask = |policies: &PolicySet| {
        cache
            .decide(
                policies,
                &Request {
                    principal: &alice,
                    action: Action::KeyRead,
                    resource: &key(),
                    context: &context,
                },
            )
            .allowed
    };
    let permit = set("permit (principal, action, resource);");
    let forbid = set("forbid (principal, action, resource);");
    assert_ne!(permit.epoch(), forbid.epoch());
    for _ in 0..3 {
        assert!(ask(&permit));
        assert!(!ask(&forbid));
        assert!(!ask(&PolicySet::empty()));
    }
}

#[test]
fn what_is_not_stored_or_depends_on_time_is_not_remembered() {
    let policies = set(
        "permit (principal, action, resource) when { context.now < 100 };\n\
         permit (principal == SKMS::Principal::\"always\", action, resource);\n\
         forbid (principal == SKMS::Principal::\"never\", action, resource);\n\
         forbid (principal == SKMS::Principal::\"night\", action, resource) when { context.now > 50 };",
    );
    let asker = Asker {
        cache: DecisionCache::new(1000),
        policies: &policies,
    };
    let at = |now_unix| Context {
        now_unix,
        ..Context::default()
    };
    for now in [10, 60, 200, 10] {
        let other = asker.ask(&principal("other", &[]), Action::KeyRead, &key(), &at(now));
        assert_eq!(other, now < 100);
        let night = asker.ask(&principal("night", &[]), Action::KeyRead, &key(), &at(now));
        assert_eq!(night, now <= 50);
    }
    assert!(asker.cache.is_empty());
    assert!(asker.ask(&principal("always", &[]), Action::KeyRead, &key(), &at(10)));
    assert_eq!(asker.cache.len(), 1);
    assert!(!asker.ask(&principal("never", &[]), Action::KeyRead, &key(), &at(10)));
    assert_eq!(asker.cache.len(), 2);

    let policies = set(
        "permit (principal, action, resource) when { resource is SKMS::Key && resource.algorithm == \"AES-256-GCM\" };",
    );
    let asker = Asker {
        cache: DecisionCache::new(1000),
        policies: &policies,
    };
    let fresh = ResourceRef::key("root", "ring", "new");
    let alice = principal("a", &[]);
    assert!(asker.ask(
        &alice,
        Action::KeyCreate,
        &fresh.with_algorithm("AES-256-GCM"),
        &at(0)
    ));
    assert!(!asker.ask(
        &alice,
        Action::KeyCreate,
        &fresh.with_algorithm("RSA-3072"),
        &at(0)
    ));
    assert!(asker.cache.is_empty());
}

#[test]
fn it_never_grows_past_its_bound() {
    let policies = set("permit (principal, action, resource);");
    let asker = Asker {
        cache: DecisionCache::new(100),
        policies: &policies,
    };
    for at in 0..2000 {
        let resource = ResourceRef::key("root", "ring", "k").stored([0; 16], at);
        assert!(asker.ask(
            &principal("a", &[]),
            Action::KeyRead,
            &resource,
            &Context::default()
        ));
    }
    assert!(asker.cache.len() <= asker.cache.capacity());
    assert!(asker.cache.capacity() < 200);
    assert!(asker.cache.len() > 50);
}
