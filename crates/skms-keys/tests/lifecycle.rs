//! Whole lives of keys: dates, rotation, suspension, revocation, recovery,
//! destruction, minimum versions; and what must be refused along the way.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::collections::BTreeMap;

use common::{START, V1, V2, aes, at, later, new_key, revoke, state_of};
use skms_crypto::{Algorithm, Uses};
use skms_keys::{
    Cause, Error, Key, KeyState, KeyUpdate, MAX_RECOVERY_SECONDS, NewVersion, Operation,
    RevocationReason, Revoke, Rules, UnixSeconds, VersionNumber, Versions,
};

use KeyState::{Active, Compromised, Deactivated, Destroyed, PreActivation, Suspended};

const V3: VersionNumber = VersionNumber(3);
const ALL: Versions = Versions::All;

fn encrypts(key: &Key, now: i64) -> Option<VersionNumber> {
    key.permit(Operation::Encrypt, None, at(now))
        .ok()
        .map(|permit| permit.version)
}

fn decrypts(key: &Key, version: VersionNumber, now: i64) -> bool {
    key.permit(Operation::Decrypt, Some(version), at(now))
        .is_ok()
}

fn rotated(key: &Key, now: i64) -> Key {
    key.rotate(NewVersion::generated(), at(now)).unwrap().0
}

#[test]
fn a_new_key_is_active_at_once_or_at_its_date() {
    let key = aes(Rules::default());
    assert_eq!(state_of(&key, V1), Active);
    assert_eq!(key.version(V1).unwrap().activated_at, Some(START));

    let algorithm = Algorithm::Aes256Gcm;
    let mut new = new_key(algorithm, algorithm.row().uses, Rules::default());
    new.first = later(60);
    let (key, steps) = Key::create(new, START).unwrap();
    assert!(steps.is_empty());
    assert_eq!(state_of(&key, V1), PreActivation);
    assert_eq!((encrypts(&key, 59), encrypts(&key, 60)), (None, Some(V1)));
    let (key, steps) = key.expire(at(75)).unwrap();
    assert_eq!(steps.len(), 1);
    assert_eq!(
        (steps[0].cause, steps[0].at),
        (Cause::ActivationDate, at(60))
    );
    assert_eq!(key.version(V1).unwrap().activated_at, Some(at(60)));
}

#[test]
fn nothing_was_in_use_before_it_was_made() {
    let key = aes(Rules::default()).rotate(later(-50), at(10)).unwrap().0;
    assert_eq!(key.version(V2).unwrap().activated_at, Some(at(10)));
    assert_eq!(key.version(V1).unwrap().deactivated_at, Some(at(10)));
}

#[test]
fn what_was_never_in_use_has_nothing_to_process() {
    let key = aes(Rules::default()).rotate(later(100), at(1)).unwrap().0;
    let one = Versions::One(V2);
    let key = revoke(&key, one, RevocationReason::Superseded, 2)
        .unwrap()
        .0;
    assert_eq!(state_of(&key, V2), Deactivated);
    assert!(matches!(
        key.permit(Operation::Decrypt, Some(V2), at(200)),
        Err(Error::StateForbids { .. })
    ));
    assert_eq!(encrypts(&key, 200), Some(V1));
}

#[test]
fn impossible_keys_are_not_made() {
    let algorithm = Algorithm::Aes256Gcm;
    let good = new_key(algorithm, algorithm.row().uses, Rules::default());
    let spoil: [fn(&mut skms_keys::NewKey); 8] = [
        |new| new.uses = Uses::EMPTY,
        |new| new.algorithm = Algorithm::Ed25519,
        |new| new.owner = "x".repeat(257),
        |new| new.owner = "a\nb".into(),
        |new| new.tags = BTreeMap::from([(String::new(), String::new())]),
        |new| new.tags = (0..65).map(|n| (n.to_string(), String::new())).collect(),
        |new| new.rules.expires_at = Some(START),
        |new| {
            new.rules.expires_at = Some(at(50));
            new.first = later(50);
        },
    ];
    assert!(Key::create(good.clone(), START).is_ok());
    for spoil in spoil {
        let mut new = good.clone();
        spoil(&mut new);
        assert!(Key::create(new.clone(), START).is_err(), "{new:?}");
    }
}

#[test]
fn rotating_hands_protection_over_and_keeps_the_old_data_readable() {
    let key = aes(Rules::default());
    let (key, steps) = key.rotate(NewVersion::generated(), at(10)).unwrap();
    assert_eq!(encrypts(&key, 10), Some(V2));
    assert_eq!(
        (state_of(&key, V1), state_of(&key, V2)),
        (Deactivated, Active)
    );
    assert!(decrypts(&key, V1, 10) && decrypts(&key, V2, 10));
    assert!(matches!(
        key.permit(Operation::Encrypt, Some(V1), at(10)),
        Err(Error::StateForbids { .. })
    ));
    let causes: Vec<_> = steps
        .iter()
        .map(|step| (step.version, step.cause))
        .collect();
    assert_eq!(causes, [(V2, Cause::ActivationDate), (V1, Cause::Replaced)]);
}

#[test]
fn a_rotation_can_wait_for_its_date_or_be_brought_forward() {
    let key = aes(Rules::default());
    let key = key.rotate(later(100), at(10)).unwrap().0;
    assert_eq!(state_of(&key, V2), PreActivation);
    assert_eq!(
        (encrypts(&key, 99), encrypts(&key, 100)),
        (Some(V1), Some(V2))
    );
    assert!(!decrypts(&key, V2, 99) && decrypts(&key, V2, 100));
    assert!(
        matches!(
            key.rotate(NewVersion::generated(), at(20)),
            Err(Error::RotationRefused { .. })
        ),
        "one waits already"
    );
    let early = key.activate(V2, at(30)).unwrap().0;
    assert_eq!(encrypts(&early, 30), Some(V2));
    assert_eq!(state_of(&early, V1), Deactivated);
    // One that is given up leaves the old one in place.
    let without = revoke(&key, Versions::One(V2), RevocationReason::KeyCompromise, 20);
    let without = without.unwrap().0;
    assert_eq!(encrypts(&without, 200), Some(V1));
}

#[test]
fn a_right_to_rotate_undoes_nothing() {
    let key = aes(Rules {
        destroy_window_seconds: 0,
        ..Rules::default()
    });
    let refused = |key: &Key| {
        let rotated = key.rotate(NewVersion::generated(), at(20));
        let checked = key.check_rotation(at(20));
        assert_eq!(rotated.is_err(), checked.is_err());
        matches!(rotated, Err(Error::RotationRefused { .. }))
    };
    assert!(!refused(&key));
    let suspended = key.suspend(ALL, at(1)).unwrap().0;
    assert!(refused(&suspended));
    for reason in RevocationReason::ALL {
        let Ok((revoked, _)) = revoke(&key, ALL, reason, 1) else {
            continue;
        };
        let stays_down = reason.ends_key() || reason == RevocationReason::CertificateHold;
        assert_eq!(refused(&revoked), stays_down, "{reason}");
    }
    let dying = key.schedule_destroy(ALL, Some(100), at(1)).unwrap().0;
    assert!(refused(&dying));
    let gone = key.schedule_destroy(ALL, None, at(1)).unwrap().0;
    assert!(refused(&gone.complete_destroy(at(1)).unwrap().0));
    // With the newest destroyed, the one before it decides.
    let two = key.rotate(later(100), at(1)).unwrap().0;
    let two = two
        .schedule_destroy(Versions::One(V2), None, at(2))
        .unwrap()
        .0;
    let two = two.complete_destroy(at(2)).unwrap().0;
    assert_eq!(state_of(&two, V2), Destroyed);
    assert!(!refused(&two));
    assert!(refused(&two.suspend(ALL, at(3)).unwrap().0));
    let expiring = key
        .update(
            KeyUpdate {
                rules: Some(Rules {
                    expires_at: Some(at(20)),
                    ..Rules::default()
                }),
                ..KeyUpdate::default()
            },
            at(1),
        )
        .unwrap()
        .0;
    assert!(refused(&expiring));
}

#[test]
fn usage_periods_end_protection_and_then_processing() {
    let key = aes(Rules {
        originator_usage_period_seconds: Some(100),
        recipient_usage_period_seconds: Some(300),
        ..Rules::default()
    });
    for (now, protects, processes) in [
        (99, true, true),
        (100, false, true),
        (299, false, true),
        (300, false, false),
    ] {
        assert_eq!(encrypts(&key, now).is_some(), protects, "{now}");
        assert_eq!(decrypts(&key, V1, now), processes, "{now}");
    }
    assert!(matches!(
        key.permit(Operation::Encrypt, None, at(100)),
        Err(Error::OutsidePeriod { .. })
    ));
    let (key, steps) = key.expire(at(150)).unwrap();
    assert_eq!(steps.len(), 1);
    assert_eq!((steps[0].cause, steps[0].at), (Cause::PeriodEnded, at(100)));
    assert_eq!(key.version(V1).unwrap().deactivated_at, Some(at(100)));
    // Longer periods do not bring it back.
    let rules = Rules::default();
    let update = KeyUpdate {
        rules: Some(rules),
        ..KeyUpdate::default()
    };
    let key = key.update(update, at(160)).unwrap().0;
    assert_eq!(encrypts(&key, 170), None);
    assert!(decrypts(&key, V1, 1000), "the new rule sets no end");
    assert_eq!(encrypts(&rotated(&key, 170), 170), Some(V2));
}

#[test]
fn an_expired_key_stops_protecting_in_every_version() {
    let key = aes(Rules {
        expires_at: Some(at(100)),
        originator_usage_period_seconds: Some(80),
        ..Rules::default()
    });
    let key = rotated(&key, 50);
    assert_eq!((encrypts(&key, 99), encrypts(&key, 100)), (Some(V2), None));
    let (key, steps) = key.expire(at(101)).unwrap();
    assert_eq!(steps[0].cause, Cause::Expired);
    assert!(decrypts(&key, V1, 500) && decrypts(&key, V2, 500));
    assert!(key.rotate(NewVersion::generated(), at(102)).is_err());
}

#[test]
fn suspending_a_key_stops_every_version_and_resuming_puts_each_in_its_place() {
    let key = rotated(&aes(Rules::default()), 10);
    let key = key.rotate(later(100), at(20)).unwrap().0;
    let (held, steps) = key.suspend(ALL, at(30)).unwrap();
    assert_eq!(steps.len(), 3);
    for version in [V1, V2, V3] {
        assert_eq!(state_of(&held, version), Suspended);
        assert!(!decrypts(&held, version, 200));
    }
    assert_eq!(encrypts(&held, 200), None, "nor does the date bring one in");
    let (again, steps) = held.suspend(ALL, at(31)).unwrap();
    assert!(steps.is_empty());
    assert_eq!(again, held, "the first date stays");

    let back = held.resume(ALL, at(40)).unwrap().0;
    let states = [V1, V2, V3].map(|version| state_of(&back, version));
    assert_eq!(states, [Deactivated, Active, PreActivation]);
    assert_eq!(back.version(V1).unwrap().deactivated_at, Some(at(10)));
    assert_eq!(
        (encrypts(&back, 99), encrypts(&back, 100)),
        (Some(V2), Some(V3))
    );

    // Resumed after the waiting one's date: it comes into use then, not before.
    let late = held.resume(ALL, at(150)).unwrap().0;
    assert_eq!(encrypts(&late, 150), Some(V3));
    assert_eq!(late.version(V3).unwrap().activated_at, Some(at(150)));
    assert_eq!(state_of(&late, V2), Deactivated);
    assert!(late.resume(ALL, at(151)).is_err());
}

#[test]
fn a_version_replaced_or_run_out_while_suspended_does_not_come_back() {
    let key = aes(Rules {
        originator_usage_period_seconds: Some(100),
        ..Rules::default()
    });
    let held = key.suspend(ALL, at(10)).unwrap().0;
    assert_eq!(state_of(&held.resume(ALL, at(99)).unwrap().0, V1), Active);
    let (over, steps) = held.resume(ALL, at(100)).unwrap();
    assert_eq!(state_of(&over, V1), Deactivated);
    assert_eq!(steps.len(), 1, "and is not active in between");
    let waiting = key.rotate(later(50), at(10)).unwrap().0;
    let held = waiting.suspend(Versions::One(V1), at(20)).unwrap().0;
    let held = held.expire(at(60)).unwrap().0;
    assert_eq!(
        (state_of(&held, V1), state_of(&held, V2)),
        (Suspended, Active)
    );
    let back = held.resume(ALL, at(70)).unwrap().0;
    assert_eq!(
        (state_of(&back, V1), state_of(&back, V2)),
        (Deactivated, Active)
    );
}

#[test]
fn the_worst_revocation_is_in_force_whatever_the_order() {
    use RevocationReason as R;
    let one = |first, second| {
        let key = aes(Rules::default());
        let key = revoke(&key, ALL, first, 1).unwrap().0;
        let key = revoke(&key, ALL, second, 2).map_or(key, |changed| changed.0);
        let version = key.version(V1).unwrap();
        (version.state, version.revocation.as_ref().unwrap().reason)
    };
    let compromised = (Compromised, R::KeyCompromise);
    assert_eq!(one(R::KeyCompromise, R::Superseded), compromised);
    assert_eq!(one(R::Superseded, R::KeyCompromise), compromised);
    assert_eq!(one(R::CertificateHold, R::KeyCompromise), compromised);
    assert_eq!(one(R::KeyCompromise, R::CertificateHold), compromised);
    assert_eq!(one(R::KeyCompromise, R::CaCompromise), compromised);
    let withdrawn = (Deactivated, R::PrivilegeWithdrawn);
    assert_eq!(one(R::CertificateHold, R::PrivilegeWithdrawn), withdrawn);
    assert_eq!(one(R::PrivilegeWithdrawn, R::Unspecified), withdrawn);
    // A hold on what is withdrawn holds it too, and ends withdrawn.
    let key = revoke(&aes(Rules::default()), ALL, R::PrivilegeWithdrawn, 1)
        .unwrap()
        .0;
    let held = revoke(&key, ALL, R::CertificateHold, 2).unwrap().0;
    assert!(!decrypts(&held, V1, 2));
    let back = held.resume(ALL, at(3)).unwrap().0;
    let version = back.version(V1).unwrap();
    assert_eq!(version.state, Deactivated);
    assert_eq!(
        version.revocation.as_ref().unwrap().reason,
        R::PrivilegeWithdrawn
    );
}

#[test]
fn a_hold_ends_without_a_trace_in_force() {
    let key = aes(Rules::default());
    let held = revoke(&key, ALL, RevocationReason::CertificateHold, 1)
        .unwrap()
        .0;
    assert!(held.version(V1).unwrap().revocation.is_some());
    assert!(matches!(
        revoke(&held, ALL, RevocationReason::RemoveFromCrl, 2),
        Err(Error::NotARevocation(_))
    ));
    let back = held.resume(ALL, at(2)).unwrap().0;
    assert_eq!(back, key);
}

#[test]
fn revoking_says_what_it_was_told_and_checks_it() {
    let key = aes(Rules::default());
    let mut told = Revoke {
        versions: ALL,
        reason: RevocationReason::KeyCompromise,
        message: "laptop stolen".into(),
        compromise_occurred_at: Some(at(3)),
    };
    let (revoked, steps) = key.revoke(&told, at(5)).unwrap();
    assert_eq!(
        steps[0].cause,
        Cause::Revoked(RevocationReason::KeyCompromise)
    );
    let version = revoked.version(V1).unwrap();
    assert_eq!(version.compromised_at, Some(at(5)));
    assert_eq!(version.compromise_occurred_at, Some(at(3)));
    let revocation = version.revocation.as_ref().unwrap();
    assert_eq!(
        (revocation.at, &*revocation.message),
        (at(5), "laptop stolen")
    );
    // The earliest date known is kept.
    told.compromise_occurred_at = Some(at(1));
    let again = revoked.revoke(&told, at(6)).unwrap().0;
    assert_eq!(
        again.version(V1).unwrap().compromise_occurred_at,
        Some(at(1))
    );
    assert_eq!(again.version(V1).unwrap().compromised_at, Some(at(5)));
    told.compromise_occurred_at = Some(at(6));
    assert!(key.revoke(&told, at(5)).is_err(), "in the future");
    told.compromise_occurred_at = None;
    told.message = "x".repeat(1025);
    assert!(key.revoke(&told, at(5)).is_err());
    told.message = "\u{1b}[2J".into();
    assert!(key.revoke(&told, at(5)).is_err());
}

#[test]
fn a_compromise_of_one_version_leaves_the_others_and_of_all_leaves_none() {
    let key = rotated(&aes(Rules::default()), 10);
    let one = revoke(&key, Versions::One(V1), RevocationReason::KeyCompromise, 20);
    let one = one.unwrap().0;
    assert!(!decrypts(&one, V1, 20));
    assert_eq!(encrypts(&one, 20), Some(V2));
    let newest = revoke(&key, Versions::One(V2), RevocationReason::KeyCompromise, 20);
    let newest = newest.unwrap().0;
    assert_eq!(encrypts(&newest, 20), None, "an older one does not step in");
    assert!(decrypts(&newest, V1, 20));
    let all = revoke(&key, ALL, RevocationReason::KeyCompromise, 20)
        .unwrap()
        .0;
    assert!(!decrypts(&all, V1, 20) && !decrypts(&all, V2, 20));
    // And the remedy is at hand.
    let fresh = rotated(&all, 30);
    assert_eq!(encrypts(&fresh, 30), Some(V3));
    assert!(!decrypts(&fresh, V1, 30));
}

#[test]
fn a_recovery_grant_reads_until_it_ends_and_does_nothing_else() {
    let key = revoke(
        &aes(Rules::default()),
        ALL,
        RevocationReason::KeyCompromise,
        1,
    );
    let key = key.unwrap().0;
    let grant =
        |key: &Key, until: UnixSeconds| key.grant_recovery(ALL, until, "ann", "re-encrypt", at(10));
    assert!(!decrypts(&key, V1, 10));
    let granted = grant(&key, at(20)).unwrap().0;
    assert!(decrypts(&granted, V1, 19));
    assert!(!decrypts(&granted, V1, 20));
    assert_eq!(encrypts(&granted, 15), None);
    assert!(granted.permit(Operation::Export, Some(V1), at(15)).is_err());
    assert!(
        key.expire(at(10))
            .unwrap()
            .0
            .version(V1)
            .unwrap()
            .recovery_grant
            .is_none()
    );
    // It goes by its end, by being withdrawn, and with the material.
    let ended = granted.expire(at(20)).unwrap().0;
    assert_eq!(ended.version(V1).unwrap().recovery_grant, None);
    let withdrawn = granted.withdraw_recovery(ALL, at(12)).unwrap().0;
    assert!(!decrypts(&withdrawn, V1, 12));
    let dying = granted.schedule_destroy(ALL, None, at(12)).unwrap().0;
    assert!(!decrypts(&dying, V1, 12));
    // Whoever suspends or revokes stops it too.
    let held = granted.suspend(ALL, at(12)).unwrap().0;
    assert_eq!(held, withdrawn);
    for reason in [
        RevocationReason::KeyCompromise,
        RevocationReason::Superseded,
    ] {
        assert_eq!(revoke(&granted, ALL, reason, 12).unwrap().0, withdrawn);
    }
    for until in [at(10), at(9), at(11 + MAX_RECOVERY_SECONDS as i64)] {
        assert!(grant(&key, until).is_err(), "{until}");
    }
    let fresh = rotated(&key, 2);
    let both = grant(&fresh, at(20)).unwrap().0;
    assert!(both.version(V2).unwrap().recovery_grant.is_none());
    assert!(matches!(
        fresh.grant_recovery(Versions::One(V2), at(20), "ann", "", at(10)),
        Err(Error::TransitionForbidden { .. })
    ));
}

#[test]
fn destruction_waits_can_be_taken_back_and_is_final() {
    let rules = Rules {
        destroy_window_seconds: 100,
        ..Rules::default()
    };
    let key = rotated(&aes(rules), 5);
    assert!(key.schedule_destroy(ALL, Some(99), at(10)).is_err());
    assert!(key.schedule_destroy(ALL, Some(u64::MAX), at(10)).is_err());
    let (dying, steps) = key.schedule_destroy(ALL, None, at(10)).unwrap();
    assert!(steps.is_empty(), "the states are what they were");
    assert_eq!(encrypts(&dying, 11), None);
    assert!(!decrypts(&dying, V1, 11) && !decrypts(&dying, V2, 11));
    // Asking again moves no date.
    let again = dying.schedule_destroy(ALL, Some(5000), at(50)).unwrap().0;
    assert_eq!(again.version(V1).unwrap().destroy_at, Some(at(110)));
    // The day before, and it is all as before.
    let back = dying.restore(ALL, at(109)).unwrap().0;
    assert_eq!(back, key);
    assert!(back.restore(ALL, at(109)).is_err());
    // One of two.
    let half = dying.restore(Versions::One(V2), at(20)).unwrap().0;
    assert_eq!(encrypts(&half, 20), Some(V2));
    let (half, steps) = half.complete_destroy(at(110)).unwrap();
    assert_eq!(steps.len(), 1);
    assert_eq!(
        (state_of(&half, V1), state_of(&half, V2)),
        (Destroyed, Active)
    );
    assert!(half.restore(Versions::One(V1), at(111)).is_err());
    assert!(half.check_deletable().is_err());
    // All of it.
    assert!(dying.complete_destroy(at(109)).unwrap().1.is_empty());
    let (gone, steps) = dying.complete_destroy(at(110)).unwrap();
    assert!(steps.iter().all(|step| step.cause == Cause::WindowEnded));
    assert!(gone.check_deletable().is_ok());
    assert!(gone.schedule_destroy(ALL, None, at(120)).is_err());
    assert_eq!(gone.complete_destroy(at(120)).unwrap().0, gone);
}

#[test]
fn a_waiting_version_that_was_to_die_starts_when_it_is_restored() {
    let key = aes(Rules::default()).rotate(later(50), at(1)).unwrap().0;
    let dying = key
        .schedule_destroy(Versions::One(V2), None, at(10))
        .unwrap()
        .0;
    assert_eq!(
        encrypts(&dying, 60),
        Some(V1),
        "the old one stays meanwhile"
    );
    assert!(dying.activate(V2, at(20)).is_err());
    let back = dying.restore(ALL, at(80)).unwrap().0;
    assert_eq!(encrypts(&back, 80), Some(V2));
    assert_eq!(back.version(V2).unwrap().activated_at, Some(at(80)));
}

#[test]
fn a_compromised_version_can_die_and_stays_known_as_compromised() {
    let key = revoke(
        &aes(Rules::default()),
        ALL,
        RevocationReason::KeyCompromise,
        1,
    );
    let key = key.unwrap().0.schedule_destroy(ALL, None, at(2)).unwrap().0;
    let gone = key.complete_destroy(at(10_000_000)).unwrap().0;
    let version = gone.version(V1).unwrap();
    assert_eq!(version.state, Destroyed);
    assert!(version.is_compromised());
    assert!(version.revocation.is_some());
}

#[test]
fn minimum_versions_put_older_ones_out_of_use_and_back() {
    let key = rotated(&rotated(&aes(Rules::default()), 1), 2);
    let set = |key: &Key, decrypt, encrypt| key.set_minimum_versions(decrypt, encrypt, at(3));
    let raised = set(&key, Some(V2), None).unwrap().0;
    assert!(!decrypts(&raised, V1, 3) && decrypts(&raised, V2, 3));
    assert!(matches!(
        raised.permit(Operation::Decrypt, Some(V1), at(3)),
        Err(Error::BelowMinimum { minimum: V2, .. })
    ));
    assert_eq!(set(&raised, Some(V1), None).unwrap().0, key);
    for wrong in [VersionNumber(0), VersionNumber(4)] {
        assert!(set(&key, Some(wrong), None).is_err());
        assert!(set(&key, None, Some(wrong)).is_err());
    }
    // What could not be read back is not written.
    let waiting = key.rotate(later(100), at(3)).unwrap().0;
    for minimums in [
        (Some(VersionNumber(4)), None),
        (None, Some(VersionNumber(4))),
    ] {
        let raised = set(&waiting, minimums.0, minimums.1).unwrap().0;
        assert_eq!(encrypts(&raised, 50), None);
        assert_eq!(encrypts(&raised, 100), Some(VersionNumber(4)));
        assert_eq!(decrypts(&raised, V3, 50), minimums.0.is_none());
    }
}

#[test]
fn updates_change_what_they_name() {
    let key = aes(Rules::default());
    let update = KeyUpdate {
        owner: Some("fraud".into()),
        tags: Some(BTreeMap::from([("env".into(), "test".into())])),
        ..KeyUpdate::default()
    };
    let updated = key.update(update, at(1)).unwrap().0;
    assert_eq!((&*updated.owner, &*updated.tags["env"]), ("fraud", "test"));
    assert_eq!(updated.rules, key.rules);
    let export = |key: &Key, exportable| {
        let update = KeyUpdate {
            exportable: Some(exportable),
            ..KeyUpdate::default()
        };
        key.update(update, at(1))
    };
    assert_eq!(export(&key, true).unwrap().0, key);
    let closed = export(&key, false).unwrap().0;
    assert!(closed.permit(Operation::Export, None, at(2)).is_err());
    assert!(export(&closed, true).is_err(), "closed for good");
    let rules = Rules {
        rotate_after_seconds: Some(0),
        ..Rules::default()
    };
    let update = KeyUpdate {
        rules: Some(rules),
        ..KeyUpdate::default()
    };
    assert!(key.update(update, at(1)).is_err());
}

#[test]
fn stored_parts_that_no_act_made_are_refused() {
    let key = rotated(&aes(Rules::default()), 10);
    assert_eq!(Key::from_parts(key.parts().clone()).unwrap(), key);
    let spoil: [fn(&mut skms_keys::KeyParts); 16] = [
        |parts| parts.versions.clear(),
        |parts| parts.versions.swap(0, 1),
        |parts| parts.versions[1].number = V3,
        |parts| parts.versions[0].state = Active,
        |parts| {
            parts.versions[0].state = Active;
            parts.versions[0].deactivated_at = None;
        },
        |parts| parts.versions[1].activated_at = None,
        |parts| parts.versions[1].state = Suspended,
        |parts| parts.versions[1].suspended_at = Some(START),
        |parts| parts.versions[1].state = Compromised,
        |parts| parts.versions[1].compromised_at = Some(START),
        |parts| parts.versions[1].destroyed_at = Some(START),
        |parts| parts.versions[1].state = Destroyed,
        |parts| parts.versions[0].state = PreActivation,
        |parts| parts.minimum_decrypt_version = V3,
        |parts| parts.minimum_encrypt_version = VersionNumber(0),
        |parts| parts.uses = Uses::EMPTY,
    ];
    for (at, spoil) in spoil.iter().enumerate() {
        let mut parts = key.parts().clone();
        spoil(&mut parts);
        assert!(Key::from_parts(parts).is_err(), "{at}");
    }
}
