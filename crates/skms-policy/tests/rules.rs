//! Automatic rules: what is accepted, what is refused, and when they hold.
#![allow(clippy::unwrap_used, missing_docs)]

use std::collections::{BTreeMap, BTreeSet};

use skms_policy::PolicyName;
use skms_policy::rule::{
    About, Answer, Asked, KeyFacts, Match, Occasion, Question, Quota, Rule, Trigger, Whom,
};

fn compile(text: &str) -> Result<Rule, String> {
    let name = PolicyName::new("team", "unused").unwrap();
    Rule::compile(&name, text).map_err(|error| error.to_string())
}

fn asked(occasion: Occasion<'_>, about_key: bool, unused: i64) -> Asked {
    let tags = BTreeMap::from([("env".to_owned(), "prod\"\n".to_owned())]);
    let groups = BTreeSet::from(["ops".to_owned()]);
    let key = KeyFacts {
        name: "k",
        keyring: "payments",
        algorithm: "AES-256-GCM",
        owner: "alice",
        tags: &tags,
        exportable: false,
        state: "active",
        version: 3,
        age_seconds: 10,
        key_age_seconds: 20,
        uses: 7,
        used: true,
        unused_seconds: unused,
        period_ends_in_seconds: Some(30),
        expires_in_seconds: None,
        suspended_seconds: None,
    };
    Asked::new(&Question {
        now: 1000,
        namespace: "team",
        whom: Whom {
            namespace: "team",
            id: "alice",
            kind: "token",
            groups: &groups,
            exists: true,
            suspended: false,
        },
        about: if about_key {
            About::Key(key)
        } else {
            About::Namespace
        },
        occasion,
    })
    .unwrap()
}

fn event<'a>(action: &'a str, outcome: &'a str) -> Occasion<'a> {
    Occasion::Event {
        action,
        outcome,
        reason: "why",
        cause: "",
        target: "key",
        source: Some([192, 0, 2, 1].into()),
        system: false,
        rule: "",
    }
}

const UNUSED: &str = r#"@rule("unused") @answer("suspend") @limit("5 per day")
permit (principal, action == SKMS::Action::"rule.time", resource in SKMS::Keyring::"team/payments")
when { resource.unused_seconds > 7776000 && resource.state == "active" };"#;

#[test]
fn a_rule_says_what_it_is_asked_on_and_what_to_do() {
    let rule = compile(UNUSED).unwrap();
    assert_eq!(rule.triggers(), [Trigger::Time]);
    assert_eq!(rule.answer(), Answer::Suspend);
    let quota = Quota {
        acts: 5,
        seconds: 86_400,
    };
    assert_eq!(rule.limit(), Some(quota));
    assert!(rule.looks_at("resource", "unused_seconds"));
    assert!(!rule.looks_at("resource", "owner") && rule.doubts().is_empty());
    let any = compile(r#"@answer("warn") permit (principal, action, resource);"#).unwrap();
    assert_eq!(any.triggers(), Trigger::ALL);
    let revoke = compile(
        r#"@answer("revoke") @reason("keyCompromise") @follows("one, two")
        permit (principal, action in [SKMS::Action::"rule.finding", SKMS::Action::"rule.time"],
        resource);"#,
    );
    let revoke = revoke.unwrap();
    assert_eq!(revoke.triggers(), [Trigger::Time, Trigger::Finding]);
    assert_eq!(revoke.reason(), Some("keyCompromise"));
    assert_eq!(revoke.follows(), ["one", "two"]);
    let compromise = compile(
        r#"@answer("compromise") @cascade("direct") @rotate("all") permit (principal,
        action == SKMS::Action::"rule.finding", resource);"#,
    );
    let compromise = compromise.unwrap();
    assert_eq!(compromise.answer(), Answer::Compromise);
    assert!(compromise.answer().needs_key() && compromise.reason().is_none());
    let said = (compromise.cascade(), compromise.rotate());
    assert_eq!(said, (Some("direct"), Some("all")));
}

#[test]
fn what_is_no_rule_is_refused_in_words() {
    let body = "permit (principal, action, resource);";
    let time = r#"action == SKMS::Action::"rule.time""#;
    let cases: [(String, &str); 23] = [
        (body.to_owned(), "no @answer"),
        (format!("@answer(\"burn\") {body}"), "none of warn, suspend"),
        (format!("@answer(\"revoke\") {body}"), "needs a @reason"),
        (format!("@answer(\"warn\") @reason(\"x\") {body}"), "@reason belongs"),
        (format!("@answer(\"revoke\") @reason(\"keyCompromise\") @cascade(\"all\") {body}"), "@cascade and @rotate belong"),
        (format!("@answer(\"rotate\") @rotate(\"all\") {body}"), "@cascade and @rotate belong"),
        (format!("@answer(\"warn\") @limit(\"5\") {body}"), "5 per day"),
        (format!("@answer(\"warn\") @limt(\"5 per day\") {body}"), "@limt is no annotation"),
        (format!("@answer(\"warn\") @rule(\"other\") {body}"), "not the name"),
        (format!("@answer(\"warn\") @follows(\"\") {body}"), "@follows"),
        (format!("@answer(\"warn\") {body} {body}"), "not one statement"),
        (String::new(), "not one statement"),
        ("@answer(\"warn\") forbid (principal, action, resource);".to_owned(), "a rule is one permit"),
        ("@answer(\"warn\") permit (principal == ?principal, action, resource);".to_owned(), "template"),
        ("@answer(\"warn\") permit (".to_owned(), "does not parse"),
        (format!("@answer(\"warn\") permit (principal, {time}, resource) when {{ context.score > 1 }};"), "score"),
        (format!("@answer(\"warn\") permit (principal, {time}, resource) when {{ resource.age > 1 }};"), "age"),
        (format!("@answer(\"warn\") permit (principal, {time}, resource) when {{ resource.age_seconds > \"1\" }};"), "schema"),
        (format!("@answer(\"warn\") permit (principal, {time}, resource) when {{ resource.expires_in_seconds < 1 }};"), "optional"),
        (format!("@answer(\"warn\") permit (principal, {time}, resource) when {{ resource.getTag(\"env\") == \"x\" }};"), "tag"),
        ("@answer(\"warn\") permit (principal, action == SKMS::Action::\"rule.tim\", resource);".to_owned(), "rule.tim"),
        ("@answer(\"warn\") permit (principal, action == SKMS::Action::\"key.revoke\", resource);".to_owned(), "key.revoke"),
        (format!("@answer(\"warn\") {body} {}", " ".repeat(70_000)), "over the limit"),
    ];
    for (text, why) in cases {
        let said = compile(&text).unwrap_err();
        assert!(said.contains(why), "{text}: {said}");
        assert!(said.starts_with("rule team/unused "), "{said}");
    }
}

#[test]
fn a_rule_holds_where_its_condition_does_and_says_what_it_saw() {
    let rule = compile(UNUSED).unwrap();
    let long = asked(Occasion::Time, true, 7_776_001);
    assert_eq!(
        rule.matches(&long),
        Match::Yes("resource.state = \"active\", resource.unused_seconds = 7776001".to_owned())
    );
    let at_the_edge = asked(Occasion::Time, true, 7_776_000);
    assert_eq!(rule.matches(&at_the_edge), Match::No);
    // Not what it is asked on.
    let other = asked(event("key.encrypt", "success"), true, 7_776_001);
    assert_eq!(rule.matches(&other), Match::No);
    // Not where it is for.
    let elsewhere = UNUSED.replace("team/payments", "team/others");
    assert_eq!(compile(&elsewhere).unwrap().matches(&long), Match::No);
}

#[test]
fn what_others_wrote_is_quoted_in_words() {
    let rule = compile(
        r#"@answer("warn") permit (principal, action == SKMS::Action::"rule.time", resource)
        when { resource.hasTag("env") && resource.getTag("env") like "prod*" && principal.groups.contains("ops") };"#,
    );
    let words = match rule.unwrap().matches(&asked(Occasion::Time, true, 0)) {
        Match::Yes(words) => words,
        other => panic!("{other:?}"),
    };
    assert!(
        words.contains(r#"resource.tag:env = "prod\"\n""#),
        "{words}"
    );
    assert!(words.contains(r#"principal.groups = {"ops"}"#), "{words}");
    assert!(!words.contains('\n'));
}

#[test]
fn a_condition_that_fails_does_not_hold() {
    let rule = compile(
        r#"@answer("warn") permit (principal, action == SKMS::Action::"rule.time", resource)
        when { resource.unused_seconds * 9223372036854775807 > 0 };"#,
    );
    let rule = rule.unwrap();
    assert_eq!(rule.matches(&asked(Occasion::Time, true, 0)), Match::No);
    let trouble = rule.matches(&asked(Occasion::Time, true, 2));
    assert!(matches!(trouble, Match::Trouble(_)), "{trouble:?}");
}

#[test]
fn events_that_a_rule_cannot_hold_for_are_known_from_its_text() {
    let rule = compile(
        r#"@answer("warn") permit (principal, action == SKMS::Action::"rule.event", resource)
        when { "failed" == context.outcome && (context.action == "key.sign" && context.now > 0) };"#,
    );
    let rule = rule.unwrap();
    assert!(rule.may_hold_for("key.sign", "failed"));
    assert!(!rule.may_hold_for("key.sign", "success"));
    assert!(!rule.may_hold_for("key.verify", "failed"));
    let hit = asked(event("key.sign", "failed"), false, 0);
    assert!(matches!(rule.matches(&hit), Match::Yes(_)));
    let either = compile(
        r#"@answer("warn") permit (principal, action == SKMS::Action::"rule.event", resource)
        when { context.outcome == "failed" || context.action == "key.sign" }
        unless { context.outcome == "denied" };"#,
    );
    let either = either.unwrap();
    for (action, outcome) in [("key.sign", "denied"), ("a", "failed"), ("a", "b")] {
        assert!(either.may_hold_for(action, outcome));
    }
}

#[test]
fn every_trigger_has_the_facts_that_the_schema_gives_it() {
    let occasions = [
        (Occasion::Time, "context.now > 0"),
        (
            event("a", "b"),
            "context.reason == \"why\" && context.cause == \"\" && !context.system && context.rule == \"\" && context.target == \"key\" && context has source && context.source == ip(\"192.0.2.1\")",
        ),
        (
            Occasion::Finding {
                detector: "roca",
                gravity: "compromised",
                proven: true,
                reason: "r",
                version: 2,
            },
            "context.detector == \"roca\" && context.proven && context.gravity == \"compromised\" && context.reason == \"r\" && context.found_version == 2",
        ),
        (
            Occasion::Certificate {
                issuer: "corp",
                serial: "0a",
                issuer_namespace: "team",
                elsewhere: true,
                reason: "superseded",
                version: 1,
            },
            "context.issuer == \"corp\" && context.issuer_namespace == \"team\" && context.serial == \"0a\" && context.elsewhere && context.reason == \"superseded\" && context.certified_version == 1",
        ),
        (
            Occasion::Verdict {
                score: 900,
                reason: "odd",
                by: "watch",
                evidence: 2,
            },
            "context.score >= 900 && context.reason == \"odd\" && context.by == \"watch\" && context.evidence == 2",
        ),
    ];
    let key = "resource.name == \"k\" && resource.keyring == \"payments\" && resource.namespace == \"team\" \
        && resource.algorithm == \"AES-256-GCM\" && resource.owner == \"alice\" && !resource.exportable \
        && resource.version == 3 && resource.age_seconds == 10 && resource.key_age_seconds == 20 \
        && resource.uses == 7 && resource.used && resource has period_ends_in_seconds && resource.period_ends_in_seconds == 30 && !(resource has expires_in_seconds) \
        && !(resource has suspended_seconds) && principal.id == \"alice\" && principal.kind == \"token\" \
        && principal.namespace == \"team\" && principal.exists && !principal.suspended";
    for (occasion, condition) in occasions {
        let asked = asked(occasion, true, 0);
        let trigger = asked.trigger().name();
        let text = format!(
            "@answer(\"warn\") permit (principal in SKMS::Group::\"team/ops\", \
             action == SKMS::Action::\"rule.{trigger}\", \
             resource is SKMS::Key in SKMS::Namespace::\"team\") when {{ {condition} }} when {{ {key} }};"
        );
        let rule = compile(&text).unwrap();
        assert!(matches!(rule.matches(&asked), Match::Yes(_)), "{trigger}");
    }
}
