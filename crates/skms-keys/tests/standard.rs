//! The two tables against SP 800-57 part 1 rev. 5, section 7, and every act
//! and operation in every state against what follows from them. What is
//! expected is written here from the standard's text, in another shape than
//! the tables.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::collections::BTreeSet;

use common::{START, V1, at, key_in, revoke, state_of};
use skms_crypto::{Algorithm, Uses};
use skms_keys::permissions::{self, Permission, permission};
use skms_keys::transitions::{self, Event, Source, next};
use skms_keys::{
    Error, Key, KeyState, Operation, OperationClass, Result, RevocationReason, UnixSeconds,
    Versions,
};

use KeyState::{Active, Compromised, Deactivated, Destroyed, PreActivation, Suspended};

/// The transitions that section 7 numbers, with the words it gives them.
const NUMBERED: [(u8, KeyState, KeyState, &str); 14] = [
    (2, PreActivation, Destroyed, "not needed in the future"),
    (
        3,
        PreActivation,
        Compromised,
        "integrity or confidentiality suspect",
    ),
    (4, PreActivation, Active, "becomes available for use"),
    (5, Active, Destroyed, "cryptoperiod reached or replaced"),
    (
        6,
        Active,
        Compromised,
        "integrity or confidentiality suspect",
    ),
    (7, Active, Suspended, "not to be used for a period of time"),
    (
        8,
        Active,
        Deactivated,
        "no longer to be used to apply protection",
    ),
    (9, Suspended, Destroyed, "no compromise determined"),
    (10, Suspended, Active, "reason for the suspension gone"),
    (11, Suspended, Compromised, "suspect or confirmed"),
    (12, Suspended, Deactivated, "suspension no longer required"),
    (13, Deactivated, Destroyed, "no longer needed"),
    (14, Deactivated, Compromised, "suspect"),
    (15, Compromised, Destroyed, "no longer needed"),
];

#[test]
fn every_numbered_transition_is_there_once_and_no_other_claims_a_number() {
    let claimed: Vec<_> = transitions::TABLE
        .iter()
        .filter_map(|row| match row.source {
            Source::Standard(number) => Some((number, row.from, row.to)),
            Source::House(why) => {
                assert!(!why.is_empty());
                None
            }
        })
        .collect();
    let numbered: Vec<_> = NUMBERED.iter().map(|row| (row.0, row.1, row.2)).collect();
    let (a, b): (BTreeSet<_>, BTreeSet<_>) = (claimed.iter().collect(), numbered.iter().collect());
    assert_eq!(a, b);
    assert_eq!(claimed.len(), numbered.len());
}

/// What each event may do, event by event.
fn expected_transition(from: KeyState, event: Event) -> Option<KeyState> {
    let one_of = |states: &[KeyState], to| states.contains(&from).then_some(to);
    match event {
        Event::Activate => one_of(&[PreActivation], Active),
        Event::Resume => one_of(&[Suspended], Active),
        Event::Await => one_of(&[Suspended], PreActivation),
        Event::Suspend => one_of(&[PreActivation, Active, Deactivated], Suspended),
        Event::Deactivate => one_of(&[PreActivation, Active, Suspended], Deactivated),
        Event::Compromise => match from {
            Compromised => None,
            Destroyed => Some(Destroyed),
            _ => Some(Compromised),
        },
        Event::Destroy => (from != Destroyed).then_some(Destroyed),
    }
}

#[test]
fn every_state_and_event() {
    for from in KeyState::ALL {
        for event in Event::ALL {
            assert_eq!(
                next(from, event),
                expected_transition(from, event),
                "{from} {event}"
            );
        }
    }
}

fn reachable(from: KeyState) -> BTreeSet<KeyState> {
    let mut seen = BTreeSet::from([from]);
    let mut open = vec![from];
    while let Some(state) = open.pop() {
        for to in Event::ALL
            .into_iter()
            .filter_map(|event| next(state, event))
        {
            if seen.insert(to) {
                open.push(to);
            }
        }
    }
    seen
}

#[test]
fn everything_is_reached_and_nothing_comes_back() {
    assert_eq!(reachable(PreActivation), KeyState::ALL.into());
    assert_eq!(reachable(Destroyed), [Destroyed].into());
    assert_eq!(reachable(Compromised), [Compromised, Destroyed].into());
    for state in KeyState::ALL {
        assert!(reachable(state).contains(&Destroyed), "{state}");
    }
    // Into use there are two ways only, and none from a compromise.
    for from in KeyState::ALL {
        for event in Event::ALL {
            if next(from, event) == Some(Active) {
                assert!(matches!(
                    (from, event),
                    (PreActivation, Event::Activate) | (Suspended, Event::Resume)
                ));
            }
        }
    }
}

/// Sections 7.1 to 7.6, by class; suspended and compromised keys process
/// nothing by themselves, as the table says and argues.
fn expected_permission(state: KeyState, class: OperationClass) -> Permission {
    match (class, state) {
        (OperationClass::Protect, Active) => Permission::Allowed,
        (OperationClass::Protect, _) => Permission::Refused,
        (OperationClass::Process, Active | Deactivated) => Permission::Allowed,
        (OperationClass::Process, Compromised) => Permission::UnderRecoveryGrant,
        (OperationClass::Process, PreActivation | Suspended | Destroyed) => Permission::Refused,
    }
}

#[test]
fn every_state_and_class_has_one_row() {
    for state in KeyState::ALL {
        for class in OperationClass::ALL {
            assert_eq!(permission(state, class), expected_permission(state, class));
            let rows = permissions::TABLE
                .iter()
                .filter(|row| row.state == state && row.class == class);
            assert_eq!(rows.count(), 1, "{state} {class}");
        }
    }
}

/// An algorithm that can do the operation, and the uses it needs.
fn made_for(operation: Operation) -> (Algorithm, Uses) {
    let needed = operation.needed_uses();
    let algorithm = Algorithm::all()
        .iter()
        .copied()
        .find(|a| operation == Operation::Export || !needed.intersection(a.row().uses).is_empty())
        .unwrap();
    (algorithm, algorithm.row().uses)
}

/// The operations that apply protection, named one by one.
fn protects(operation: Operation) -> bool {
    use Operation as O;
    match operation {
        O::Encrypt | O::Wrap | O::DataKey | O::Sign | O::Mac | O::Encapsulate => true,
        O::Derive | O::Agree => true,
        O::Decrypt | O::Unwrap | O::Verify | O::MacVerify | O::Decapsulate | O::Export => false,
        other => panic!("{other} is not in this list: decide what it does"),
    }
}

#[test]
fn every_operation_in_every_state_named_or_not_granted_or_not_dying_or_not() {
    let mut tried = 0;
    for operation in Operation::ALL {
        let (algorithm, uses) = made_for(operation);
        for state in KeyState::ALL {
            for (named, granted, dying) in (0..8).map(|n| (n & 1 > 0, n & 2 > 0, n & 4 > 0)) {
                let mut key = key_in(state, algorithm, uses);
                if granted && state == Compromised {
                    let grant = key.grant_recovery(Versions::All, at(100), "ann", "move", START);
                    key = grant.unwrap().0;
                }
                if dying && state != Destroyed {
                    let scheduled = key.schedule_destroy(Versions::All, Some(1000), START);
                    key = scheduled.unwrap().0;
                }
                // Who names a version of a deriving key wants a secret again.
                let processes = !protects(operation)
                    || named && matches!(operation, Operation::Derive | Operation::Agree);
                let expected = !dying
                    && match state {
                        Active => true,
                        Deactivated => processes,
                        Compromised => granted && processes && operation != Operation::Export,
                        PreActivation | Suspended | Destroyed => false,
                    };
                let got = key.permit(operation, named.then_some(V1), at(10));
                assert_eq!(
                    got.is_ok(),
                    expected,
                    "{operation} {state} named={named} granted={granted} dying={dying}: {got:?}"
                );
                if let Ok(permit) = got {
                    assert_eq!(permit.version, V1);
                    assert_eq!(permit.class == OperationClass::Process, processes);
                }
                // A grant ends, and with it the leave.
                if state == Compromised {
                    assert!(key.permit(operation, Some(V1), at(100)).is_err());
                }
                tried += 1;
            }
        }
    }
    assert_eq!(tried, 14 * 6 * 8);
}

#[test]
fn a_refusal_says_what_stood_in_the_way() {
    let (algorithm, uses) = made_for(Operation::Encrypt);
    for state in [
        PreActivation,
        Suspended,
        Deactivated,
        Compromised,
        Destroyed,
    ] {
        let key = key_in(state, algorithm, uses);
        let refused = key.permit(Operation::Encrypt, None, START).unwrap_err();
        assert!(
            matches!(refused, Error::StateForbids { state: said, .. } if said == state),
            "{refused}"
        );
    }
    let key = key_in(Active, algorithm, uses);
    let dying = key
        .schedule_destroy(Versions::All, Some(9), START)
        .unwrap()
        .0;
    assert!(matches!(
        dying.permit(Operation::Decrypt, Some(V1), START),
        Err(Error::PendingDestruction { destroy_at, .. }) if destroy_at == at(9)
    ));
    assert!(matches!(
        key.permit(Operation::Sign, None, START),
        Err(Error::UseForbidden { .. })
    ));
    assert!(matches!(
        key.permit(Operation::Decrypt, Some(common::V2), START),
        Err(Error::UnknownVersion { .. })
    ));
}

#[test]
fn every_operation_needs_its_use() {
    for &algorithm in Algorithm::all() {
        let row = algorithm.row();
        let key = key_in(Active, algorithm, row.default_uses);
        for operation in Operation::ALL {
            let covered = operation == Operation::Export
                || operation
                    .needed_uses()
                    .iter()
                    .any(|one| row.default_uses.contains(one));
            let got = key.permit(operation, None, START);
            assert_eq!(got.is_ok(), covered, "{algorithm} {operation}");
        }
    }
}

type ActOn = (
    &'static str,
    fn(&Key) -> Result<(Key, Vec<skms_keys::Transition>)>,
);

/// Each act on the one version, and the state it leads to from each state;
/// `None` where it must be refused.
fn acts() -> Vec<(ActOn, [Option<KeyState>; 6])> {
    const ONE: Versions = Versions::One(V1);
    let no = None;
    let to = Some;
    let mut acts: Vec<(ActOn, [Option<KeyState>; 6])> = vec![
        // From: pre-activation, active, suspended, deactivated, compromised,
        // destroyed.
        (
            ("activate", |k| k.activate(V1, at(1))),
            [to(Active), no, no, no, no, no],
        ),
        (
            ("suspend", |k| k.suspend(ONE, at(1))),
            [
                to(Suspended),
                to(Suspended),
                to(Suspended),
                to(Suspended),
                no,
                no,
            ],
        ),
        (
            ("resume", |k| k.resume(ONE, at(1))),
            [no, no, to(Active), no, no, no],
        ),
        (
            ("grant", |k| k.grant_recovery(ONE, at(9), "ann", "", at(1))),
            [no, no, no, no, to(Compromised), no],
        ),
        (
            ("withdraw", |k| k.withdraw_recovery(ONE, at(1))),
            [no, no, no, no, to(Compromised), no],
        ),
        (
            ("restore", |k| k.restore(ONE, at(1))),
            [no, no, no, no, no, no],
        ),
        (
            ("schedule", |k| k.schedule_destroy(ONE, Some(5), at(1))),
            [
                to(PreActivation),
                to(Active),
                to(Suspended),
                to(Deactivated),
                to(Compromised),
                no,
            ],
        ),
        (
            ("schedule and restore", |k| {
                k.schedule_destroy(ONE, Some(5), at(1))?
                    .0
                    .restore(ONE, at(2))
            }),
            [
                to(PreActivation),
                to(Active),
                to(Suspended),
                to(Deactivated),
                to(Compromised),
                no,
            ],
        ),
        (
            ("schedule and complete", |k| {
                k.schedule_destroy(ONE, Some(5), at(1))?
                    .0
                    .complete_destroy(at(6))
            }),
            [
                to(Destroyed),
                to(Destroyed),
                to(Destroyed),
                to(Destroyed),
                to(Destroyed),
                no,
            ],
        ),
        (
            ("complete too early", |k| {
                k.schedule_destroy(ONE, Some(5), at(1))?
                    .0
                    .complete_destroy(at(5))
            }),
            [
                to(PreActivation),
                to(Active),
                to(Suspended),
                to(Deactivated),
                to(Compromised),
                no,
            ],
        ),
    ];
    macro_rules! revocations {
        ($($reason:ident => $row:expr;)*) => {
            $(acts.push((
                (stringify!($reason), |k| revoke(k, ONE, RevocationReason::$reason, 1)),
                $row,
            ));)*
        };
    }
    let compromise = [
        to(Compromised),
        to(Compromised),
        to(Compromised),
        to(Compromised),
        to(Compromised),
        to(Destroyed),
    ];
    let deactivate = [
        to(Deactivated),
        to(Deactivated),
        to(Deactivated),
        to(Deactivated),
        no,
        no,
    ];
    revocations! {
        KeyCompromise => compromise;
        CaCompromise => compromise;
        AaCompromise => compromise;
        Unspecified => deactivate;
        AffiliationChanged => deactivate;
        Superseded => deactivate;
        CessationOfOperation => deactivate;
        PrivilegeWithdrawn => deactivate;
        CertificateHold => [to(Suspended), to(Suspended), to(Suspended), to(Suspended), no, no];
        RemoveFromCrl => [no, no, no, no, no, no];
    }
    acts
}

#[test]
fn every_act_in_every_state() {
    for ((name, act), expected) in acts() {
        for (state, expected) in KeyState::ALL.into_iter().zip(expected) {
            let key = key_in(state, Algorithm::Aes256Gcm, Algorithm::Aes256Gcm.row().uses);
            let got = act(&key);
            match (&got, expected) {
                (Ok((after, steps)), Some(to)) => {
                    assert_eq!(state_of(after, V1), to, "{name} from {state}");
                    follow(&key, after, steps);
                }
                (Err(_), None) => {}
                _ => panic!("{name} from {state}: {got:?}, expected {expected:?}"),
            }
        }
    }
}

/// The steps that an act reports lead from what was to what is.
fn follow(before: &Key, after: &Key, steps: &[skms_keys::Transition]) {
    let mut state = state_of(before, V1);
    for step in steps {
        assert_eq!(step.from, state);
        assert_eq!(next(step.from, step.event), Some(step.to));
        state = step.to;
    }
    assert_eq!(state, state_of(after, V1));
}

#[test]
fn a_compromise_after_the_destruction_is_recorded_and_changes_no_state() {
    let key = key_in(
        Destroyed,
        Algorithm::Aes256Gcm,
        Algorithm::Aes256Gcm.row().uses,
    );
    assert!(!key.version(V1).unwrap().is_compromised());
    let one = Versions::One(V1);
    let (key, steps) = revoke(&key, one, RevocationReason::KeyCompromise, 5).unwrap();
    assert_eq!(steps.len(), 1);
    let version = key.version(V1).unwrap();
    assert_eq!(version.compromised_at, Some(at(5)));
    assert_eq!(version.state, Destroyed);
    // Once is enough, and all versions together do not mean those long gone.
    let again = revoke(&key, one, RevocationReason::KeyCompromise, 6).unwrap();
    assert!(again.1.is_empty());
    assert_eq!(again.0.version(V1).unwrap().compromised_at, Some(at(5)));
    assert!(matches!(
        revoke(&key, Versions::All, RevocationReason::KeyCompromise, 7),
        Err(Error::NothingToDo { .. })
    ));
    assert!(revoke(&key, one, RevocationReason::Superseded, 7).is_err());
}

#[test]
fn windows_need_no_job_to_have_run() {
    // Asked about any moment, an unrecorded date counts like a recorded one.
    let key = key_in(
        PreActivation,
        Algorithm::Aes256Gcm,
        Algorithm::Aes256Gcm.row().uses,
    );
    let permitted = |key: &Key, now: UnixSeconds| {
        key.permit(Operation::Encrypt, None, now).is_ok()
            && key.permit(Operation::Decrypt, None, now).is_ok()
    };
    assert!(!permitted(&key, at(999)));
    assert!(permitted(&key, at(1000)));
    let recorded = key.expire(at(1000)).unwrap().0;
    assert_eq!(state_of(&recorded, V1), Active);
    assert!(permitted(&recorded, at(1000)));
}
