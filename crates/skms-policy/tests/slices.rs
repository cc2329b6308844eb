//! The indexed slice decides exactly as Cedar does over the whole set.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::sync::LazyLock;

use cedar_policy as cedar;
use common::made_up::{Asked, asked, pick, statement};
use proptest::prelude::*;
use skms_policy::{Context, PolicyName, PolicySet};

/// Every statement whose document has a say: the root namespace's always, a
/// tenant's on its own resources, and none that forbids the root namespace's
/// principals something.
fn in_force(statements: &[(String, String)], asked: &Asked) -> String {
    let mut all = String::new();
    for (written, text) in statements {
        let tenant_binds = asked.namespace != "root" || text.starts_with("permit");
        if written == "root" || (*written == asked.target.0 && tenant_binds) {
            all.push_str(text);
            all.push('\n');
        }
    }
    all
}

/// The request in JSON, built here a second time and independently.
fn by_cedar(text: &str, asked: &Asked) -> bool {
    let qualify = |name: &str| match asked.namespace.as_str() {
        "root" => name.to_owned(),
        namespace => format!("{namespace}/{name}"),
    };
    let (namespace, ring, key) = &asked.target;
    let reference =
        |kind: &str, id: String| serde_json::json!({"type": format!("SKMS::{kind}"), "id": id});
    let principal = reference("Principal", qualify(&asked.id));
    let keyring = reference("Keyring", format!("{namespace}/{ring}"));
    let resource = reference("Key", format!("{namespace}/{ring}/{key}"));
    let mut parents: Vec<_> = asked
        .groups
        .iter()
        .map(|group| reference("Group", qualify(group)))
        .collect();
    parents.push(reference("Namespace", asked.namespace.clone()));
    let json = serde_json::json!([
        {"uid": principal, "parents": parents, "tags": {}, "attrs": {
            "id": asked.id, "namespace": asked.namespace, "kind": "token", "groups": asked.groups}},
        {"uid": resource, "parents": [keyring], "tags": {}, "attrs": {
            "name": key, "keyring": ring, "namespace": namespace, "algorithm": asked.algorithm,
            "owner": "", "exportable": false}},
        {"uid": keyring, "parents": [reference("Namespace", namespace.clone())],
            "attrs": {"name": ring, "namespace": namespace}},
    ]);
    static SCHEMA: LazyLock<cedar::Schema> = LazyLock::new(|| {
        cedar::Schema::from_cedarschema_str(skms_policy::SCHEMA)
            .unwrap()
            .0
    });
    let schema: &cedar::Schema = &SCHEMA;
    // Checked against the schema, so the room's own entities must fit it too.
    let entities = cedar::Entities::from_json_value(json, Some(schema)).unwrap();
    let uid = |value: &serde_json::Value| cedar::EntityUid::from_json(value.clone()).unwrap();
    let context = cedar::Context::from_json_value(
        serde_json::json!({"now": asked.now, "tls": asked.tls, "certificate": false}),
        None,
    )
    .unwrap();
    let action = uid(&reference("Action", asked.action.name().to_owned()));
    let request = cedar::Request::new(
        uid(&principal),
        action,
        uid(&resource),
        context,
        Some(schema),
    )
    .unwrap();
    let set: cedar::PolicySet = text.parse().unwrap();
    let response = cedar::Authorizer::new().is_authorized(&request, &set, &entities);
    assert_eq!(response.diagnostics().errors().count(), 0);
    response.decision() == cedar::Decision::Allow
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_slice_decides_as_the_whole_set(
        statements in proptest::collection::vec((pick(&["root", "root", "a"]), statement()), 0..12),
        requests in proptest::collection::vec(asked(), 1..8),
    ) {
        // One document each, so that the reasons can be told apart.
        let documents = statements.iter().enumerate().map(|(at, (written, text))| {
            (PolicyName::new(written.as_str(), format!("p{at}")).unwrap(), text.clone())
        });
        let policies = PolicySet::compile(documents).unwrap();
        for asked in requests {
            let whole = in_force(&statements, &asked);
            let context = asked.context();
            let decision = asked.of(&policies, &context);
            prop_assert!(decision.errors.is_empty(), "{:?}", decision.errors);
            prop_assert_eq!(decision.allowed, by_cedar(&whole, &asked), "{:?} under\n{}", asked, whole);
            // The policies it names decide the same by themselves.
            let named: Vec<(PolicyName, String)> = decision
                .policies
                .iter()
                .map(|name| {
                    let at: usize = name.name()[1..].parse().unwrap();
                    (name.clone(), statements[at].1.clone())
                })
                .collect();
            if decision.allowed {
                prop_assert_eq!(named.len(), 1);
            }
            let again = asked.of(&PolicySet::compile(named).unwrap(), &context);
            prop_assert_eq!(again.allowed, decision.allowed);
            prop_assert_eq!(again.policies.len(), decision.policies.len());
            // A cacheable answer is the same at any other time.
            if decision.cacheable {
                for now_unix in [0, 50, 101, 1_000_000] {
                    let context = Context { now_unix, ..context };
                    let later = asked.of(&policies, &context);
                    prop_assert_eq!(later.allowed, decision.allowed);
                }
            }
        }
    }
}
