//! A set that grew and shrank a document at a time is the set that would be
//! compiled from the documents it holds.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::collections::BTreeMap;

use common::made_up::{Asked, asked, pick, statement};
use proptest::prelude::*;
use skms_policy::{Document, PolicyName, PolicySet};

/// Beside ordinary statements one that can never apply, which is doubtful,
/// and one whose evaluation fails.
fn any_statement() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => statement(),
        1 => Just(
            "permit (principal, action == SKMS::Action::\"key.encrypt\", resource is SKMS::Policy);"
                .to_owned()
        ),
        1 => Just(
            "permit (principal, action, resource) when { context.now + 9223372036854775807 > 0 };"
                .to_owned()
        ),
    ]
}

/// A document written, or none: the one of that name deleted.
type Step = (PolicyName, Option<String>);

fn step() -> impl Strategy<Value = Step> {
    (
        (pick(&["root", "a"]), pick(&["p0", "p1", "p2", "p3"])),
        prop_oneof![
            3 => proptest::collection::vec(any_statement(), 1..4).prop_map(|all| Some(all.join("\n"))),
            1 => Just(None),
        ],
    )
        .prop_map(|((namespace, name), text)| (PolicyName::new(namespace, name).unwrap(), text))
}

fn taken(set: &PolicySet, (name, text): &Step) -> PolicySet {
    match text {
        Some(text) => set.with(Document::compile(name, text).unwrap()),
        None => set.without(name),
    }
}

/// Everything a set tells, but its epoch.
fn told(set: &PolicySet, requests: &[Asked]) -> String {
    let decisions: Vec<_> = requests
        .iter()
        .map(|asked| asked.of(set, &asked.context()))
        .collect();
    let (statements, mentions) = (set.statements(), set.mentions());
    format!(
        "{statements} {mentions:?}\n{:?}\n{decisions:#?}",
        set.doubts()
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_set_that_grew_is_the_set_compiled_at_once(
        steps in proptest::collection::vec(step(), 1..12),
        requests in proptest::collection::vec(asked(), 1..6),
    ) {
        let mut documents = BTreeMap::new();
        let mut set = PolicySet::empty();
        let mut before = told(&set, &requests);
        for step in &steps {
            let next = taken(&set, step);
            match &step.1 {
                Some(text) => documents.insert(step.0.clone(), text.clone()),
                None => documents.remove(&step.0),
            };
            // Compiled in the other order, which must not matter.
            let fresh = PolicySet::compile(documents.clone().into_iter().rev()).unwrap();
            let now = told(&next, &requests);
            prop_assert_eq!(&now, &told(&fresh, &requests));
            // The set before is as it was, under an epoch of its own.
            prop_assert_eq!(&before, &told(&set, &requests));
            prop_assert!(set.epoch() < next.epoch() && next.epoch() < fresh.epoch());
            (set, before) = (next, now);
        }
    }
}

#[test]
fn taking_out_what_is_not_there_changes_nothing_but_the_epoch() {
    let name = common::name("root", "p");
    let set = common::set(&[("root", "permit (principal, action, resource);")]);
    let same = set.without(&name);
    assert_eq!(same.statements(), 1);
    assert_ne!(same.epoch(), set.epoch());
    assert_eq!(PolicySet::empty().without(&name).statements(), 0);
}
