//! Random walks: acts on whole keys in any order, at any time, with what must
//! hold after every one of them.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::collections::BTreeMap;

use common::{START, later, new_key};
use proptest::prelude::*;
use skms_crypto::Algorithm;
use skms_keys::permissions::{Permission, permission};
use skms_keys::transitions::{Event, next};
use skms_keys::{
    Changed, Key, KeyState, KeyUpdate, NewVersion, Operation, OperationClass, Result,
    RevocationReason, Revoke, Rules, UnixSeconds, VersionNumber, Versions,
};

#[derive(Clone, Debug)]
enum Act {
    Rotate { delay: Option<i64>, other: bool },
    Activate(VersionNumber),
    Suspend(Versions),
    Resume(Versions),
    Revoke(Versions, RevocationReason),
    Grant(Versions, u64),
    Withdraw(Versions),
    Destroy(Versions, Option<u64>),
    Restore(Versions),
    Complete,
    Expire,
    Minimum(Option<VersionNumber>, Option<VersionNumber>),
    Rules(Box<Rules>),
    Reserve(VersionNumber, u64),
}

fn number() -> impl Strategy<Value = VersionNumber> {
    (1..6_u32).prop_map(VersionNumber)
}

fn versions() -> impl Strategy<Value = Versions> {
    prop_oneof![
        Just(Versions::All),
        number().prop_map(Versions::One),
        number().prop_map(Versions::One),
    ]
}

fn rules() -> impl Strategy<Value = Rules> {
    let period = || proptest::option::of(1..400_u64);
    (
        period(),
        period(),
        period(),
        proptest::option::of(0..1500_i64),
        0..100_u64,
    )
        .prop_map(|(originator, recipient, rotate, expires, window)| Rules {
            originator_usage_period_seconds: originator,
            recipient_usage_period_seconds: recipient
                .max(originator)
                .filter(|_| recipient.is_some()),
            rotate_after_seconds: rotate,
            expires_at: expires.map(|seconds| UnixSeconds(START.0 + seconds)),
            destroy_window_seconds: window,
            destroy_old_after_seconds: recipient.filter(|period| period % 2 == 0),
            ..Rules::default()
        })
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => (proptest::option::of(-20..200_i64), any::<bool>())
            .prop_map(|(delay, other)| Act::Rotate { delay, other }),
        1 => number().prop_map(Act::Activate),
        2 => versions().prop_map(Act::Suspend),
        3 => versions().prop_map(Act::Resume),
        3 => (versions(), proptest::sample::select(&RevocationReason::ALL[..]))
            .prop_map(|(versions, reason)| Act::Revoke(versions, reason)),
        1 => (versions(), 1..100_u64).prop_map(|(versions, length)| Act::Grant(versions, length)),
        1 => versions().prop_map(Act::Withdraw),
        2 => (versions(), proptest::option::of(0..300_u64))
            .prop_map(|(versions, window)| Act::Destroy(versions, window)),
        2 => versions().prop_map(Act::Restore),
        2 => Just(Act::Complete),
        1 => Just(Act::Expire),
        1 => (proptest::option::of(number()), proptest::option::of(number()))
            .prop_map(|(decrypt, encrypt)| Act::Minimum(decrypt, encrypt)),
        1 => rules().prop_map(|rules| Act::Rules(Box::new(rules))),
        1 => (number(), 0..10_000_u64).prop_map(|(version, uses)| Act::Reserve(version, uses)),
    ]
}

fn take(key: &Key, act: &Act, now: UnixSeconds) -> Result<Changed> {
    match act {
        Act::Rotate { delay, other } => {
            let new = match delay {
                Some(delay) => later(now.0 - START.0 + delay),
                None => NewVersion::generated(),
            };
            match other {
                true => key.rotate_into(Algorithm::Xaes256Gcm, new, now),
                false => key.rotate(new, now),
            }
        }
        Act::Activate(version) => key.activate(*version, now),
        Act::Suspend(versions) => key.suspend(*versions, now),
        Act::Resume(versions) => key.resume(*versions, now),
        Act::Revoke(versions, reason) => key.revoke(
            &Revoke {
                versions: *versions,
                reason: *reason,
                message: String::new(),
                compromise_occurred_at: None,
            },
            now,
        ),
        Act::Grant(versions, length) => {
            key.grant_recovery(*versions, now.plus(*length), "ann", "", now)
        }
        Act::Withdraw(versions) => key.withdraw_recovery(*versions, now),
        Act::Destroy(versions, window) => key.schedule_destroy(*versions, *window, now),
        Act::Restore(versions) => key.restore(*versions, now),
        Act::Complete => key.complete_destroy(now),
        Act::Expire => key.expire(now),
        Act::Minimum(decrypt, encrypt) => key.set_minimum_versions(*decrypt, *encrypt, now),
        Act::Rules(rules) => key.update(
            KeyUpdate {
                rules: Some(**rules),
                ..KeyUpdate::default()
            },
            now,
        ),
        Act::Reserve(version, uses) => {
            let (key, granted) = key.reserve_uses(*version, *uses)?;
            assert!(granted >= 1);
            Ok((key, Vec::new()))
        }
    }
}

fn permitted(key: &Key, now: UnixSeconds) -> Vec<Option<VersionNumber>> {
    let numbers = key.versions.iter().map(|version| Some(version.number));
    let numbers: Vec<_> = std::iter::once(None).chain(numbers).collect();
    [Operation::Encrypt, Operation::Decrypt, Operation::Export]
        .into_iter()
        .flat_map(|operation| numbers.iter().map(move |number| (operation, *number)))
        .map(|(operation, number)| {
            key.permit(operation, number, now)
                .ok()
                .map(|permit| permit.version)
        })
        .collect()
}

/// What holds of every key at every time.
fn check_key(key: &Key, now: UnixSeconds) {
    assert_eq!(&Key::from_parts(key.parts().clone()).unwrap(), key);

    // What is permitted follows from the recorded state and never exceeds it.
    let recorded = key.expire(now).unwrap().0;
    let mut protecting = Vec::new();
    for version in &recorded.versions {
        for class in OperationClass::ALL {
            let allowed = key
                .version_permits(version.number)
                .unwrap()
                .allows(class, now);
            if !allowed {
                continue;
            }
            assert!(!version.is_pending_destruction());
            assert!(version.number >= key.minimum_decrypt_version);
            match permission(version.state, class) {
                Permission::Allowed => {}
                Permission::UnderRecoveryGrant => assert!(version.recovery_grant.is_some()),
                Permission::Refused => panic!("{class} with a {} version", version.state),
            }
            if class == OperationClass::Protect {
                protecting.push(version.number);
            }
        }
    }
    assert!(protecting.len() <= 1, "{protecting:?} protect at once");

    // Recording dates changes nothing that anybody can see, and is done once.
    assert_eq!(permitted(key, now), permitted(&recorded, now));
    let (again, steps) = recorded.expire(now).unwrap();
    assert!(steps.is_empty());
    assert_eq!(again, recorded);

    // What is due gets done, and then is not due.
    let (done, _) = key.complete_destroy(now).unwrap();
    let left: Vec<_> = done
        .due(now)
        .into_iter()
        .filter(|due| {
            use skms_keys::DueAct::{DestroyOld, Rotate, Warn};
            !matches!(due.act, Rotate | DestroyOld | Warn)
        })
        .collect();
    assert_eq!(left, []);
}

/// What an act may not do to any version.
fn check_step(before: &Key, changed: &Changed, now: UnixSeconds) {
    let (after, steps) = changed;
    let mut states: BTreeMap<_, _> = after
        .versions
        .iter()
        .map(|version| (version.number, KeyState::PreActivation))
        .collect();
    for version in &before.versions {
        states.insert(version.number, version.state);
        let then = after.version(version.number).unwrap();
        if version.state == KeyState::Destroyed {
            assert_eq!(then.state, KeyState::Destroyed);
        }
        if version.is_compromised() {
            assert_eq!(then.compromised_at, version.compromised_at);
            assert!(matches!(
                then.state,
                KeyState::Compromised | KeyState::Destroyed
            ));
        }
        // Once over, always over, and since when does not change.
        if version.deactivated_at.is_some() {
            assert_eq!(then.deactivated_at, version.deactivated_at);
            let protect = after.version_permits(version.number).unwrap().protect;
            assert!(protect.is_closed());
        }
        if version.activated_at.is_some() {
            assert_eq!(then.activated_at, version.activated_at);
        }
        assert!(then.uses_reserved >= version.uses_reserved);
        assert_eq!(
            after.algorithm_of(version.number),
            before.algorithm_of(version.number)
        );
    }
    for step in steps {
        let state = states.get_mut(&step.version).unwrap();
        assert_eq!(step.from, *state);
        assert_eq!(next(step.from, step.event), Some(step.to));
        assert!(step.at <= now);
        *state = step.to;
    }
    for version in &after.versions {
        assert_eq!(states[&version.number], version.state);
    }
    // Destruction comes only from a window that ended.
    for step in steps.iter().filter(|step| step.event == Event::Destroy) {
        let scheduled = before.version(step.version).unwrap().destroy_at;
        assert!(scheduled.is_some_and(|at| at <= now));
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 400,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_life_of_a_key(
        first in proptest::option::of(-20..100_i64),
        rules in rules(),
        acts in proptest::collection::vec((act(), 0..60_u64), 1..60),
    ) {
        let algorithm = Algorithm::Aes256Gcm;
        let mut new = new_key(algorithm, algorithm.row().uses, rules);
        if let Some(delay) = first {
            new.first = later(delay);
        }
        let Ok((mut key, _)) = Key::create(new, START) else {
            return Ok(());
        };
        let mut now = START;
        for (act, passed) in &acts {
            now = now.plus(*passed);
            check_key(&key, now);
            if let Ok(changed) = take(&key, act, now) {
                check_step(&key, &changed, now);
                key = changed.0;
                check_key(&key, now);
            }
        }
    }

    /// Whatever came before, these get through and do what they are for.
    #[test]
    fn suspend_and_revoke_always_work(
        acts in proptest::collection::vec((act(), 0..60_u64), 0..30),
        rules in rules(),
    ) {
        let algorithm = Algorithm::Aes256Gcm;
        let Ok((mut key, _)) = Key::create(new_key(algorithm, algorithm.row().uses, rules), START)
        else {
            return Ok(());
        };
        let mut now = START;
        for (act, passed) in &acts {
            now = now.plus(*passed);
            if let Ok((changed, _)) = take(&key, act, now) {
                key = changed;
            }
        }
        // Now, or at any time to come.
        let usable = |key: &Key, class| {
            let numbers = key.versions.iter().map(|version| version.number);
            let mut permits = numbers.map(|number| key.version_permits(number).unwrap());
            permits.any(|permits| {
                let window = permits.window(class);
                !window.is_closed() && window.until > now
            })
        };
        for act in [
            Act::Suspend(Versions::All),
            Act::Revoke(Versions::All, RevocationReason::KeyCompromise),
        ] {
            // Where it is refused, nothing is left that could be used.
            let stopped = take(&key, &act, now).map_or_else(|_| key.clone(), |changed| changed.0);
            for class in OperationClass::ALL {
                prop_assert!(!usable(&stopped, class), "{act:?} left {stopped:?}");
            }
        }
    }
}
