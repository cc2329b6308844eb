//! Documents that are refused, and where the refusal points.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;
use std::collections::BTreeSet;

use common::name;
use skms_policy::{
    Document, Error, PolicyName, PolicySet, Position, Principal, PrincipalKind, builtin,
};

#[test]
fn bad_documents_are_refused_and_say_where() {
    let at = |line, column| Some(Position { line, column });
    let cases: &[(&str, Option<Position>, &str)] = &[
        (
            "permit (principal, action, resource)",
            at(1, 37),
            "end of input",
        ),
        (
            "permit (principal,\n  action resource);",
            at(2, 10),
            "resource",
        ),
        ("permit (principal, action);", at(1, 26), "resource"),
        (
            "// a comment\npermit (principal, action == SKMS::Action::\"key.encript\", resource);",
            at(2, 30),
            "key.encript",
        ),
        (
            "permit (principal, action, resource)\nwhen { principal.nam == \"x\" };",
            at(2, 8),
            "nam",
        ),
        (
            "permit (principal in SKMS::Grup::\"x\", action, resource);",
            at(1, 22),
            "Grup",
        ),
        (
            "permit (principal, action, resource)\n\nwhen { context.source_ip.isLoopback() };",
            at(3, 8),
            "source_ip",
        ),
        (
            "permit (principal, action, resource) when { context.now == \"noon\" };",
            at(1, 45),
            "",
        ),
        (
            "permit (principal == ?principal, action, resource);",
            at(1, 22),
            "?principal",
        ),
        (
            "permit (principal, action, resource) when { principal.id == \"a\u{202e}b\" };",
            at(1, 61),
            "",
        ),
        ("// nothing but this", None, "no permit or forbid"),
        ("", None, "no permit or forbid"),
    ];
    for (text, position, said) in cases {
        let error = Document::compile(&name("root", "bad"), text).unwrap_err();
        assert_eq!(error.position(), *position, "{text:?}: {error}");
        let message = error.to_string();
        assert!(message.contains(said), "{text:?}: {message}");
        assert!(message.contains("root/bad"), "{message}");
        assert!(!message.contains("policy0"), "{message}");
        let compiled = PolicySet::compile([(name("root", "bad"), (*text).to_owned())]);
        assert!(compiled.is_err(), "{text:?}");
    }
}

#[test]
fn the_second_statement_s_mistakes_are_found_too() {
    let text = "permit (principal, action, resource);\n\
                forbid (principal, action, resource) when { resource.nothing };\n\
                permit (principal, action == SKMS::Action::\"x\", resource);";
    let Error::Validation { findings, .. } =
        Document::compile(&name("root", "p"), text).unwrap_err()
    else {
        panic!("expected a validation error");
    };
    let lines: BTreeSet<u32> = findings
        .iter()
        .filter_map(|finding| finding.position)
        .map(|position| position.line)
        .collect();
    assert_eq!(lines, BTreeSet::from([2, 3]));
}

#[test]
fn doubts_are_told_but_not_refused() {
    let text =
        "permit (principal, action == SKMS::Action::\"key.encrypt\", resource is SKMS::Policy);";
    let document = Document::compile(&name("root", "p"), text).unwrap();
    let doubts = document.doubts();
    assert!(
        doubts
            .iter()
            .any(|doubt| doubt.message.contains("applicable action")),
        "{doubts:?}"
    );
    let clean =
        "permit (principal, action == SKMS::Action::\"key.encrypt\", resource is SKMS::Key);";
    assert!(
        Document::compile(&name("root", "p"), clean)
            .unwrap()
            .doubts()
            .is_empty()
    );
}

#[test]
fn names_that_could_be_mistaken_for_others_are_refused() {
    for bad in ["", "a/b", "a\"b", "a\\b", "a\nb"] {
        assert!(Principal::new(PrincipalKind::Token, "root", bad).is_err());
        assert!(Principal::new(PrincipalKind::Token, bad, "x").is_err());
        assert!(PolicyName::new(bad, "x").is_err());
        assert!(PolicyName::new("root", bad).is_err());
        assert!(
            Principal::new(PrincipalKind::Token, "root", "x")
                .unwrap()
                .with_groups([bad])
                .is_err()
        );
    }
}

#[test]
fn two_documents_of_one_name_are_refused() {
    let text = "permit (principal, action, resource);".to_owned();
    let twice = [
        (name("root", "p"), text.clone()),
        (name("root", "p"), text.clone()),
    ];
    assert!(matches!(
        PolicySet::compile(twice),
        Err(Error::Duplicate { .. })
    ));
    let apart = [(name("root", "p"), text.clone()), (name("a", "p"), text)];
    assert!(PolicySet::compile(apart).is_ok());
}

#[test]
fn too_much_of_anything_is_refused_and_the_most_allowed_fits_the_stack() {
    let deep = |text: String| {
        // The smallest stack this runs on is a worker thread's.
        std::thread::Builder::new()
            .stack_size(2 * 1024 * 1024)
            .spawn(move || Document::compile(&name("root", "deep"), &text).map(|_| ()))
            .unwrap()
            .join()
            .unwrap()
    };
    let head = "permit (principal, action, resource) when { ";
    let shapes: [(&str, &str, &str); 7] = [
        ("context.tls && ", "true", ""),
        ("context.tls && context.tls || ", "true", ""),
        ("(", "true", ")"),
        ("!", "true", ""),
        ("if context.tls then true else ", "true", ""),
        ("[", "1", "].contains(1)"),
        ("{\"a\": ", "true", "}.a"),
    ];
    for (open, middle, close) in shapes {
        for repeat in [10usize, 28, 80, 399, 5_000, 50_000] {
            let text = format!(
                "{head}{}{middle}{} }};",
                open.repeat(repeat),
                close.repeat(repeat)
            );
            let result = deep(text);
            if repeat >= 5_000 {
                assert!(
                    matches!(result, Err(Error::TooLarge { .. })),
                    "{open} × {repeat}"
                );
            }
        }
    }
    assert!(deep(format!("{head}{}true }};", "context.tls && ".repeat(200))).is_ok());

    let many = "permit (principal, action, resource);\n".repeat(257);
    assert!(matches!(
        deep(many),
        Err(Error::TooLarge {
            what: "statements",
            ..
        })
    ));
    assert!(deep("permit (principal, action, resource);\n".repeat(256)).is_ok());
    let long = format!(
        "// {}\npermit (principal, action, resource);",
        "x".repeat(64 * 1024)
    );
    assert!(matches!(
        deep(long),
        Err(Error::TooLarge { what: "bytes", .. })
    ));
}

#[test]
fn the_fuzz_target_survives_what_is_here() {
    for (_, text) in builtin::initial().unwrap() {
        skms_policy::fuzzing::policy_document(text.as_bytes());
        for cut in (0..text.len()).step_by(7) {
            skms_policy::fuzzing::policy_document(&text.as_bytes()[..cut]);
        }
        let mut flipped = text.into_bytes();
        for at in (0..flipped.len()).step_by(11) {
            flipped[at] ^= 0x15;
            skms_policy::fuzzing::policy_document(&flipped);
        }
    }
    skms_policy::fuzzing::policy_document(&[0xff, 0xfe]);
}
