//! What forbids the server to do something by itself: a `forbid` that names the
//! action, holds, and is written where it counts.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::sync::Arc;

use common::set;
use skms_policy::{Action, Context, Principal, PrincipalKind, Request, ResourceRef};

fn forbids(namespace: &str, text: &str) -> bool {
    let principal = Principal::new(PrincipalKind::System, "root", "incident").unwrap();
    let policies = set(&[(namespace, text)]);
    policies.forbids_by_name(&Request {
        principal: &Arc::new(principal),
        action: Action::KeyCascade,
        resource: &ResourceRef::key("orders", "ring", "k"),
        context: &Context {
            now_unix: 1_767_225_600,
            ..Context::default()
        },
    })
}

#[test]
fn what_names_the_action_and_holds_forbids() {
    for text in [
        r#"forbid (principal, action == SKMS::Action::"key.cascade", resource);"#,
        r#"forbid (principal, action in [SKMS::Action::"key.read", SKMS::Action::"key.cascade"], resource);"#,
        r#"forbid (principal, action == SKMS::Action::"key.cascade", resource == SKMS::Key::"orders/ring/k");"#,
        r#"forbid (principal, action == SKMS::Action::"key.cascade", resource) unless { context.tls };"#,
        r#"permit (principal, action, resource);
           forbid (principal, action == SKMS::Action::"key.cascade", resource in SKMS::Keyring::"orders/ring");"#,
    ] {
        assert!(forbids("root", text), "{text}");
    }
}

#[test]
fn what_was_written_about_callers_does_not() {
    for text in [
        "forbid (principal, action, resource);",
        "forbid (principal, action, resource) unless { context.tls };",
        "forbid (principal, action, resource) unless { context.certificate };",
        // Fails for everybody.
        r#"forbid (principal, action == SKMS::Action::"key.cascade", resource)
           when { context.now + 9223372036854775807 > 0 };"#,
        "forbid (principal, action, resource) when { context.now + 9223372036854775807 > 0 };",
        // Others.
        r#"forbid (principal, action == SKMS::Action::"key.cascade", resource == SKMS::Key::"orders/ring/other");"#,
        r#"forbid (principal, action == SKMS::Action::"key.compromise", resource);"#,
        r#"forbid (principal, action in SKMS::Action::"manage", resource);"#,
        r#"forbid (principal, action == SKMS::Action::"key.cascade", resource) when { context.tls };"#,
        r#"permit (principal, action == SKMS::Action::"key.cascade", resource);"#,
    ] {
        assert!(!forbids("root", text), "{text}");
    }
    // A tenant's word does not bind the server.
    let text = r#"forbid (principal, action == SKMS::Action::"key.cascade", resource);"#;
    assert!(!forbids("orders", text));
}
