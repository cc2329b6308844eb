//! A bounded exhaustive search over a Dolev-Yao attacker: two clients, two
//! servers and a dishonest party that is both, two requests, two answers.
//! Whoever is in the middle may drop, repeat, redirect and put together
//! anything from what was seen, and sign with his own key; cryptography is
//! perfect. All of it is tried, and the claims of docs/exchange.md, "What is
//! promised", are checked in every state.
//!
//! The search is a plain breadth-first one over sets. The crate `stateright`
//! would do as well, and brings a web server, a second `rand` and a third hash
//! map; this is shorter than its configuration.
//!
//! What the messages bind is data here, so that what each binding is for can
//! be shown: without it the search finds an attack.

mod claims;
mod terms;
mod world;

use std::collections::{HashSet, VecDeque};

use claims::broken;
use terms::{Bindings, Party};
use world::{Rules, State};

/// How a search ended.
struct Found {
    states: usize,
    /// The first claim that did not hold.
    attack: Option<&'static str>,
}

fn search(rules: &Rules) -> Found {
    let mut seen: HashSet<State> = HashSet::new();
    let mut queue: VecDeque<State> = VecDeque::new();
    for start in State::starts() {
        seen.insert(start.clone());
        queue.push_back(start);
    }
    while let Some(state) = queue.pop_front() {
        if let Some(claim) = broken(&state, rules) {
            let states = seen.len();
            return Found {
                states,
                attack: Some(claim),
            };
        }
        for next in state.steps(rules) {
            if !seen.contains(&next) {
                seen.insert(next.clone());
                queue.push_back(next);
            }
        }
    }
    Found {
        states: seen.len(),
        attack: None,
    }
}

fn attack(change: impl FnOnce(&mut Bindings)) -> Option<&'static str> {
    let mut rules = Rules::default();
    change(&mut rules.bindings);
    search(&rules).attack
}

#[test]
fn every_claim_holds_in_every_state() {
    let found = search(&Rules::default());
    assert_eq!(found.attack, None);
    // A search that goes nowhere finds nothing: this one went everywhere.
    assert!(found.states > 30_000, "{} states", found.states);
}

#[test]
fn both_sides_finish_in_some_state() {
    let rules = Rules {
        reachable: true,
        ..Rules::default()
    };
    assert_eq!(search(&rules).attack, Some("both finished"));
}

/// Key-compromise impersonation: a stolen identity key makes its thief that
/// party to others, and nobody else to that party.
#[test]
fn a_stolen_identity_key_is_one_partys_loss() {
    for stolen in [Party::A, Party::S] {
        let rules = Rules {
            stolen: Some(stolen),
            ..Rules::default()
        };
        let found = search(&rules);
        assert_eq!(found.attack, None, "{stolen:?}");
        // He has more to try than without it.
        assert!(found.states > 40_000, "{} states", found.states);
    }
    // If the thief counted as the party itself, this would be an attack.
    let rules = Rules {
        stolen: Some(Party::A),
        blamed: true,
        ..Rules::default()
    };
    assert_eq!(search(&rules).attack, Some("the server's peer"));
}

#[test]
fn without_a_binding_there_is_an_attack() {
    let attacks = [
        (
            "the intended server",
            attack(|it| it.server = false),
            "the server's peer",
        ),
        (
            "the ephemeral key",
            attack(|it| it.ephemeral = false),
            "the server's peer",
        ),
        (
            "the nonce",
            attack(|it| it.nonce = false),
            "the server's peer",
        ),
        ("the replay store", attack(|it| it.replay = false), "replay"),
        (
            "message 1 in message 2",
            attack(|it| it.first = false),
            "the client's peer",
        ),
        (
            "the encapsulation",
            attack(|it| it.encapsulation = false),
            "secrecy",
        ),
        (
            "message 2 in message 3",
            attack(|it| it.confirmation = false),
            "confirmation",
        ),
    ];
    for (what, found, wanted) in attacks {
        assert_eq!(found, Some(wanted), "without {what}");
    }
}
