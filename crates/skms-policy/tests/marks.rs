//! Marks: what they match, and how they are refused when they are written.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use common::{ask, name, set, token};
use skms_policy::{Action, Document, Error, Position, ResourceRef};

const ALL: &str = "permit (principal, action, resource);";
const DESTROY: &str = "(principal, action == SKMS::Action::\"key.destroy\", resource);";

#[test]
fn marks_that_cannot_mean_what_they_say_are_refused_with_their_place() {
    let cases: &[(&str, (u32, u32), &str)] = &[
        ("@approvals(\"0\") forbid", (1, 1), "no number from 1 to 16"),
        (
            "@approvals(\"17\") forbid",
            (1, 1),
            "no number from 1 to 16",
        ),
        (
            "@approvals(\"two\") forbid",
            (1, 1),
            "no number from 1 to 16",
        ),
        (
            "@approvals(\"+2\") forbid",
            (1, 1),
            "no number from 1 to 16",
        ),
        ("@approvals(\"\") forbid", (1, 1), "no number from 1 to 16"),
        ("@approvals forbid", (1, 1), "no number from 1 to 16"),
        ("@approvals(\"2\") permit", (1, 1), "stands on a permit"),
        ("@signed(\"true\") forbid", (1, 1), "without @approvals"),
        (
            "@approvals(\"2\")\n@approvers(\"officers\") forbid",
            (2, 1),
            "no group or principal",
        ),
        (
            "@approvals(\"2\")\n  @approvers(\"SKMS::Key::\\\"a\\\"\") forbid",
            (2, 3),
            "no group or principal",
        ),
        (
            "@approvals(\"2\") @approvers(\"\") forbid",
            (1, 17),
            "no group or principal",
        ),
        (
            "@approvals(\"2\") @approvers(\"SKMS::Principal::\\\"a\\\"\") forbid",
            (1, 17),
            "names 1 principals",
        ),
        (
            "@approvals(\"2\") @approvers(\"SKMS::Principal::\\\"a\\\", SKMS::Principal::\\\"a\\\"\") forbid",
            (1, 17),
            "names 1 principals",
        ),
        (
            "@approvals(\"2\") @valid_for(\"0d\") forbid",
            (1, 17),
            "1 minute to 30 days",
        ),
        (
            "@approvals(\"2\") @valid_for(\"1 day\") forbid",
            (1, 17),
            "1 minute to 30 days",
        ),
        (
            "@approvals(\"2\") @signed(\"yes\") forbid",
            (1, 17),
            "neither",
        ),
        (
            "@approvals(\"2\") @aprovers(\"x\") forbid",
            (1, 17),
            "no annotation of marks",
        ),
    ];
    for (text, (line, column), said) in cases {
        let text = format!("{text} {DESTROY}");
        let error = Document::compile(&name("root", "bad"), &text).unwrap_err();
        assert!(matches!(error, Error::Mark { .. }), "{text}: {error}");
        let (line, column) = (*line, *column);
        assert_eq!(
            error.position(),
            Some(Position { line, column }),
            "{text}: {error}"
        );
        assert!(error.to_string().contains(said), "{text}: {error}");
    }
    let second =
        format!("{ALL}\n// @approvals(\"9\")\n@id(\"a;b\") @approvals(\"x\") forbid {DESTROY}");
    let error = Document::compile(&name("root", "bad"), &second).unwrap_err();
    assert_eq!(
        error.position(),
        Some(Position {
            line: 3,
            column: 12
        }),
        "{error}"
    );
}

#[test]
fn what_must_get_through_cannot_be_marked() {
    for action in Action::ALL {
        let text = format!(
            "@approvals(\"1\") forbid (principal, action == SKMS::Action::\"{action}\", resource);"
        );
        let compiled = Document::compile(&name("root", "p"), &text);
        assert_eq!(compiled.is_err(), action.waits_for_nobody(), "{action}");
    }
    for action in [
        Action::KeyRevoke,
        Action::KeySuspend,
        Action::KeyCompromise,
        Action::CertificateRevoke,
        Action::TokenRevoke,
        Action::SystemSeal,
        Action::ApprovalApprove,
    ] {
        assert!(action.waits_for_nobody(), "{action}");
    }
    // Of a mark on everything they are left out.
    let policies = set(&[
        ("root", ALL),
        (
            "root",
            "@approvals(\"1\") forbid (principal, action, resource);",
        ),
    ]);
    let alice = token("root", "alice", &[]);
    let key = ResourceRef::key("root", "default", "k");
    assert!(ask(&policies, &alice, Action::KeyRevoke, &key).allowed);
    assert!(policies.may_mark(Action::KeyDestroy) && !policies.may_mark(Action::KeyRevoke));
    let decision = ask(&policies, &alice, Action::KeyDestroy, &key);
    assert!(!decision.allowed && decision.marks.len() == 1);
}

#[test]
fn a_mark_waits_a_forbid_forbids_and_nothing_permits() {
    let one = format!("@approvals(\"1\") forbid {DESTROY}");
    let two = format!("@approvals(\"2\") @signed(\"true\") @valid_for(\"2h\") forbid {DESTROY}");
    let alice = token("root", "alice", &[]);
    let key = ResourceRef::key("root", "default", "k");
    let of = |texts: &[&str]| {
        let documents: Vec<_> = texts.iter().map(|text| ("root", *text)).collect();
        ask(&set(&documents), &alice, Action::KeyDestroy, &key)
    };
    // Every mark that matches has to be fulfilled.
    let decision = of(&[ALL, &one, &two]);
    assert!(!decision.allowed);
    let asked: Vec<_> = (decision.marks.iter())
        .map(|mark| (mark.approvals(), mark.signed(), mark.valid_seconds()))
        .collect();
    assert_eq!(asked, [(1, false, 86_400), (2, true, 7200)]);
    assert_eq!(decision.policies.len(), 3);
    // A plain forbid wins, and without a permit there is nothing to approve.
    let forbids = format!("forbid {DESTROY}");
    for texts in [[ALL, &one, &forbids].as_slice(), &[&one], &[&one, &forbids]] {
        let decision = of(texts);
        assert!(!decision.allowed && decision.marks.is_empty());
        assert!(!decision.policies.is_empty());
    }
    // One that cannot be evaluated is one that matches.
    let fails = "@approvals(\"1\") forbid (principal, action, resource is SKMS::Key) \
                 when { resource.getTag(\"x\") == \"y\" && 9223372036854775807 + 1 > 0 };";
    let odd = Document::compile(&name("root", "p"), fails);
    assert!(odd.is_err() || !of(&[ALL, fails]).allowed);
}

#[test]
fn approvers_are_whom_the_mark_names() {
    let text = format!(
        "@approvals(\"1\") @approvers(\"SKMS::Group::\\\"officers\\\", SKMS::Principal::\\\"team/eve\\\"\") \
         forbid {DESTROY}"
    );
    let policies = set(&[("root", ALL), ("root", &text)]);
    let key = ResourceRef::key("root", "default", "k");
    let decision = ask(
        &policies,
        &token("root", "x", &[]),
        Action::KeyDestroy,
        &key,
    );
    let mark = &decision.marks[0];
    assert!(mark.accepts(&token("root", "a", &["officers"])));
    assert!(mark.accepts(&token("team", "eve", &[])));
    assert!(!mark.accepts(&token("root", "eve", &[])));
    // A tenant's group of that name is another.
    assert!(!mark.accepts(&token("team", "a", &["officers"])));
}

#[test]
fn a_tenant_s_marks_name_its_own_and_bind_its_own() {
    let mark = |whom: &str| {
        format!("@approvals(\"1\") @approvers(\"SKMS::Group::\\\"{whom}\\\"\") forbid {DESTROY}")
    };
    for (whom, fits) in [
        ("team/o", true),
        ("o", false),
        ("other/o", false),
        ("team/", false),
    ] {
        let compiled = Document::compile(&name("team", "p"), &mark(whom));
        assert_eq!(compiled.is_ok(), fits, "{whom}");
    }
    let policies = set(&[("root", ALL), ("team", &mark("team/o"))]);
    let key = ResourceRef::key("team", "default", "k");
    let decide = |who| ask(&policies, &who, Action::KeyDestroy, &key);
    assert_eq!(decide(token("team", "a", &[])).marks.len(), 1);
    assert!(decide(token("root", "a", &[])).allowed);
    let elsewhere = ResourceRef::key("root", "default", "k");
    assert!(
        ask(
            &policies,
            &token("team", "a", &[]),
            Action::KeyDestroy,
            &elsewhere
        )
        .allowed
    );
}

#[test]
fn what_is_taken_out_marks_nothing_any_more() {
    let document = name("root", "marks");
    let text = format!("@approvals(\"1\") forbid {DESTROY}");
    let none = set(&[("root", ALL)]);
    assert!(!none.has_marks());
    let with = none.with(Document::compile(&document, &text).unwrap());
    assert!(with.has_marks() && !none.has_marks());
    let again = with.with(Document::compile(&document, ALL).unwrap());
    assert!(!again.has_marks() && !with.without(&document).has_marks());
}
