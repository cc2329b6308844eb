//! When a key is due for a new version: by period, by the clock, by age and by
//! what it was used for.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use common::{START, V1, V2, aes, at, later, revoke};
use skms_crypto::Algorithm;
use skms_keys::{
    Due, DueAct, Error, Key, KeyId, KeyUpdate, MAX_VERSIONS, NewVersion, RevocationReason, Revoke,
    Rules, Schedule, UnixSeconds, VersionNumber, Versions, Why, counted_bytes,
};

const DAY: u64 = 86_400;
/// 1970-02-01T00:00:00Z, after [`START`].
const FEBRUARY: i64 = 2_678_400;

fn no_spread(rules: Rules) -> Rules {
    Rules {
        rotate_spread_seconds: Some(0),
        warn_before_seconds: Some(0),
        ..rules
    }
}

fn rotation(key: &Key) -> Option<(UnixSeconds, Why)> {
    let agenda = key.agenda();
    let mut rotations = agenda.iter().filter(|item| item.act == DueAct::Rotate);
    let found = rotations.next().map(|item| (item.at, item.why));
    assert_eq!(rotations.next(), None, "one rotation at a time");
    found
}

fn named(key: &Key, id: u8) -> Key {
    let mut parts = key.parts().clone();
    parts.id = KeyId([id; 16]);
    Key::from_parts(parts).unwrap()
}

#[test]
fn the_first_of_several_rules_counts() {
    let rules = no_spread(Rules {
        rotate_after_seconds: Some(90 * DAY),
        rotate_at: Some(Schedule::read("0 0 1 * *", None).unwrap()),
        rotate_at_age_seconds: Some(60 * DAY),
        ..Rules::default()
    });
    let key = aes(rules);
    assert_eq!(rotation(&key), Some((UnixSeconds(FEBRUARY), Why::RotateAt)));
    let without = |change: fn(&mut Rules)| {
        let mut rules = rules;
        change(&mut rules);
        rotation(&aes(rules))
    };
    let age = START.plus(60 * DAY);
    assert_eq!(
        without(|rules| rules.rotate_at = None),
        Some((age, Why::RotateAtAge))
    );
    let period = START.plus(90 * DAY);
    let alone = without(|rules| {
        rules.rotate_at = None;
        rules.rotate_at_age_seconds = None;
    });
    assert_eq!(alone, Some((period, Why::RotateEvery)));
}

#[test]
fn age_counts_while_a_version_waits_and_the_period_does_not() {
    let rules = no_spread(Rules {
        rotate_after_seconds: Some(1000),
        ..Rules::default()
    });
    let key = aes(rules).rotate(later(500), at(0)).unwrap().0;
    let key = key.expire(at(500)).unwrap().0;
    assert_eq!(rotation(&key), Some((at(1500), Why::RotateEvery)));
    let aged = Rules {
        rotate_after_seconds: None,
        rotate_at_age_seconds: Some(1000),
        ..rules
    };
    let update = KeyUpdate {
        rules: Some(aged),
        ..KeyUpdate::default()
    };
    let key = key.update(update, at(500)).unwrap().0;
    assert_eq!(rotation(&key), Some((at(1000), Why::RotateAtAge)));
}

#[test]
fn a_time_by_the_clock_calls_once_whatever_the_clock_does() {
    let rules = no_spread(Rules {
        rotate_at: Some(Schedule::read("0 0 1 * *", None).unwrap()),
        ..Rules::default()
    });
    let key = aes(rules);
    let first = UnixSeconds(FEBRUARY);
    assert!(key.due(UnixSeconds(FEBRUARY - 1)).is_empty());
    assert_eq!(
        key.due(first),
        [Due {
            at: first,
            version: V1,
            act: DueAct::Rotate,
            why: Why::RotateAt
        }]
    );
    // Many months were missed: one rotation, and the next is one to come.
    let late = UnixSeconds(FEBRUARY + 200 * 86_400);
    let (rotated, _) = key.rotate(NewVersion::generated(), late).unwrap();
    assert!(rotated.due(late).is_empty());
    assert!(rotation(&rotated).unwrap().0 > late);
    // The clock goes back after a rotation in time: it is not due again, and a
    // rotation by hand then does not make it so either.
    let (rotated, _) = key.rotate(NewVersion::generated(), first.plus(5)).unwrap();
    let back = UnixSeconds(FEBRUARY - 3600);
    assert!(rotated.due(back).is_empty());
    let (again, _) = rotated.rotate(NewVersion::generated(), back).unwrap();
    assert!(
        again.due(first.plus(60)).is_empty(),
        "1 February called already"
    );
    assert_eq!(
        rotation(&again).unwrap().0,
        UnixSeconds(FEBRUARY + 28 * 86_400)
    );
}

#[test]
fn keys_of_one_date_are_spread_within_the_bound_and_keep_their_places() {
    let rules = Rules {
        rotate_after_seconds: Some(90 * DAY),
        ..Rules::default()
    };
    let due = |rules: Rules, id: u8| rotation(&named(&aes(rules), id)).unwrap().0;
    let dates: Vec<_> = (0..=255).map(|id| due(rules, id)).collect();
    let (end, day) = (START.plus(90 * DAY), DAY);
    assert!(dates.iter().all(|at| *at <= end && end.since(*at) <= day));
    let hours: std::collections::BTreeSet<_> =
        dates.iter().map(|at| end.since(*at) / 3600).collect();
    assert!(hours.len() >= 20, "{hours:?}");
    assert_eq!(due(rules, 77), due(rules, 77));
    // By the clock: after the time, and not longer than is said.
    let by_clock = Rules {
        rotate_at: Some(Schedule::read("0 0 1 * *", None).unwrap()),
        rotate_spread_seconds: Some(600),
        ..Rules::default()
    };
    let dates: Vec<_> = (0..=255).map(|id| due(by_clock, id)).collect();
    assert!(
        dates
            .iter()
            .all(|at| at.since(UnixSeconds(FEBRUARY)) <= 600)
    );
    assert!(dates.iter().all(|at| *at >= UnixSeconds(FEBRUARY)));
    assert!(dates.iter().max() > dates.iter().min());
    // Times that are close together are not spread into one another.
    let often = Rules {
        rotate_at: Some(Schedule::read("* * * * *", None).unwrap()),
        ..Rules::default()
    };
    let dates: Vec<_> = (0..=255).map(|id| due(often, id)).collect();
    let minute = UnixSeconds(START.0 / 60 * 60 + 60);
    assert!(dates.iter().all(|at| at.since(minute) <= 6));
}

#[test]
fn bytes_call_for_a_rotation_and_stop_nothing() {
    let rules = Rules {
        warn_at_percent: Some(0),
        ..Rules::default()
    };
    let key = aes(rules);
    // 2^38 by the draft on the limits of AEADs, three quarters of it.
    assert_eq!(key.rotation_bytes(V1), Some((1 << 38) / 4 * 3));
    let rules = Rules {
        rotate_after_bytes: Some(1 << 20),
        ..rules
    };
    let key = aes(rules);
    assert_eq!(key.rotation_bytes(V1), Some(1 << 20));
    assert_eq!(key.byte_block(V1), (1 << 20) / 64);
    let (key, granted) = key.reserve_bytes(V1, (1 << 20) - 1).unwrap();
    assert_eq!(granted, (1 << 20) - 1);
    assert!(key.due(at(1)).is_empty());
    let (key, _) = key.reserve_bytes(V1, 1).unwrap();
    assert_eq!(rotation(&key), Some((START, Why::RotateAfterBytes)));
    // More than is wanted is counted all the same.
    let (key, _) = key.reserve_bytes(V1, u64::MAX).unwrap();
    assert_eq!(key.version(V1).unwrap().bytes_reserved, u64::MAX);
    let (key, _) = key.rotate(NewVersion::generated(), at(2)).unwrap();
    assert_eq!(key.version(V2).unwrap().bytes_reserved, 0);
    assert!(key.due(at(3)).is_empty());
    assert!(key.reserve_bytes(VersionNumber(3), 1).is_err());
    assert_eq!([0, 1, 16, 17].map(counted_bytes), [0, 16, 16, 32]);
    let free = Algorithm::Xaes256Gcm;
    let new = common::new_key(free, free.row().uses, Rules::default());
    assert!(!Key::create(new, START).unwrap().0.counts_bytes(V1));
}

#[test]
fn a_rotation_that_was_missed_is_due_when_the_period_has_ended() {
    let rules = no_spread(Rules {
        originator_usage_period_seconds: Some(1000),
        rotate_after_seconds: Some(900),
        ..Rules::default()
    });
    let key = aes(rules).expire(at(5000)).unwrap().0;
    // Out of use, recorded, and still to be replaced.
    assert_eq!(rotation(&key), Some((at(900), Why::RotateEvery)));
    assert_eq!(key.due(at(5000)).len(), 1);
    let (key, _) = key.rotate(NewVersion::generated(), at(5000)).unwrap();
    assert_eq!(rotation(&key), Some((at(5900), Why::RotateEvery)));
    // Revoked for good, it is not.
    let revoke = Revoke {
        versions: Versions::All,
        reason: RevocationReason::CessationOfOperation,
        message: String::new(),
        compromise_occurred_at: None,
    };
    let key = key.revoke(&revoke, at(5100)).unwrap().0;
    assert_eq!(rotation(&key), None);
}

#[test]
fn the_agenda_lists_everything_in_order() {
    let key = aes(Rules {
        originator_usage_period_seconds: Some(1000),
        rotate_after_seconds: Some(300),
        rotate_spread_seconds: Some(0),
        warn_before_seconds: Some(0),
        destroy_window_seconds: 50,
        ..Rules::default()
    });
    let key = key.rotate(later(100), at(1)).unwrap().0;
    let acts = |key: &Key, now: i64| -> Vec<_> {
        let due = key.due(at(now));
        due.iter().map(|due| (due.version.0, due.act)).collect()
    };
    assert_eq!(key.next_due(), Some(at(100)));
    assert!(acts(&key, 99).is_empty());
    assert_eq!(acts(&key, 100), [(2, DueAct::Activate)]);
    let key = key.expire(at(100)).unwrap().0;
    assert_eq!(acts(&key, 100), []);
    let due = Due {
        at: at(400),
        version: V2,
        act: DueAct::Rotate,
        why: Why::RotateEvery,
    };
    assert_eq!(key.due(at(400)), [due]);
    let dying = key
        .schedule_destroy(Versions::One(V1), None, at(110))
        .unwrap()
        .0;
    assert_eq!(dying.next_due(), Some(at(160)));
    assert_eq!(acts(&dying, 160), [(1, DueAct::Destroy)]);
    assert_eq!(
        acts(&dying, 1100),
        [
            (1, DueAct::Destroy),
            (2, DueAct::Rotate),
            (2, DueAct::Deactivate)
        ]
    );
    // A rotation that would be refused is not asked for.
    let held = dying.schedule_destroy(Versions::One(V2), Some(10_000), at(110));
    assert_eq!(
        acts(&held.unwrap().0, 1100),
        [(1, DueAct::Destroy), (2, DueAct::Deactivate)]
    );
    let bad = revoke(&key, Versions::All, RevocationReason::KeyCompromise, 110)
        .unwrap()
        .0;
    let bad = bad
        .grant_recovery(Versions::All, at(120), "ann", "", at(110))
        .unwrap()
        .0;
    assert_eq!(
        acts(&bad, 120),
        [(1, DueAct::EndRecovery), (2, DueAct::EndRecovery)]
    );
    let quiet = aes(Rules::default());
    assert_eq!(quiet.next_due(), None);
}

fn warnings(key: &Key) -> Vec<(i64, Why)> {
    let agenda = key.agenda();
    let warnings = agenda.iter().filter(|item| item.act == DueAct::Warn);
    warnings
        .map(|item| (item.at.0 - START.0, item.why))
        .collect()
}

#[test]
fn warnings_come_ahead_once_and_again_for_other_rules() {
    let rules = Rules {
        rotate_after_seconds: Some(10_000),
        originator_usage_period_seconds: Some(20_000),
        recipient_usage_period_seconds: Some(100 * DAY),
        expires_at: Some(at(30_000)),
        rotate_spread_seconds: Some(0),
        ..Rules::default()
    };
    let key = aes(rules);
    let week = 7 * DAY as i64;
    assert_eq!(
        warnings(&key),
        [
            (9_000, Why::RotateEvery),
            (18_000, Why::OriginatorUsagePeriod),
            (27_000, Why::ExpiresAt),
            (100 * DAY as i64 - week, Why::RecipientUsagePeriod),
        ]
    );
    let due = key.due(at(9_500));
    assert_eq!(due.len(), 1);
    assert_eq!(key.warned_date(V1, Why::RotateEvery), Some(at(10_000)));
    let said = key
        .note_warned(&[(V1, Why::RotateEvery)], at(9_500))
        .unwrap()
        .0;
    assert!(said.due(at(9_500)).is_empty());
    // What is past is not warned of.
    assert!(
        said.due(at(25_000))
            .iter()
            .all(|item| item.act != DueAct::Warn)
    );
    // Another rule is another date.
    let update = KeyUpdate {
        rules: Some(Rules {
            rotate_after_seconds: Some(15_000),
            warn_before_seconds: Some(60),
            ..rules
        }),
        ..KeyUpdate::default()
    };
    let key = said.update(update, at(9_600)).unwrap().0;
    assert_eq!(warnings(&key)[0], (14_940, Why::RotateEvery));
    // The key's own end was said, whichever version is in use then.
    let key = key
        .note_warned(&[(V1, Why::ExpiresAt)], at(9_700))
        .unwrap()
        .0;
    let key = key.rotate(NewVersion::generated(), at(9_800)).unwrap().0;
    let of_two: Vec<_> = key
        .agenda()
        .into_iter()
        .filter(|item| item.version == V2)
        .collect();
    assert!(
        of_two
            .iter()
            .any(|item| item.why == Why::RotateEvery && item.act == DueAct::Warn)
    );
    assert!(
        of_two
            .iter()
            .all(|item| item.why != Why::ExpiresAt || item.act != DueAct::Warn)
    );
    // A warning is not said before the version was in use, and not at all for 0.
    let early = Rules {
        warn_before_seconds: Some(1_000_000_000),
        ..rules
    };
    assert!(warnings(&aes(early)).iter().all(|(at, _)| *at == 0));
    let silent = Rules {
        warn_before_seconds: Some(0),
        ..rules
    };
    assert_eq!(warnings(&aes(silent)), []);
}

#[test]
fn counts_are_warned_of_at_their_part() {
    let rules = Rules {
        rotate_after_uses: Some(1000),
        rotate_after_bytes: Some(1000),
        warn_at_percent: Some(50),
        ..Rules::default()
    };
    let key = aes(rules);
    assert_eq!(warnings(&key), []);
    let (key, _) = key.reserve_uses(V1, 499).unwrap();
    assert_eq!(warnings(&key), []);
    let (key, _) = key.reserve_uses(V1, 1).unwrap();
    assert_eq!(warnings(&key), [(0, Why::RotateAfterUses)]);
    let (key, _) = key.reserve_bytes(V1, 500).unwrap();
    assert_eq!(warnings(&key).len(), 2);
    let usual = Rules {
        warn_at_percent: None,
        ..rules
    };
    let (key, _) = aes(usual).reserve_uses(V1, 799).unwrap();
    assert_eq!(warnings(&key), []);
    let (key, _) = key.reserve_uses(V1, 1).unwrap();
    assert_eq!(warnings(&key).len(), 1);
}

#[test]
fn old_versions_are_due_when_they_process_no_more_and_newer_ones_never() {
    let rules = Rules {
        recipient_usage_period_seconds: Some(1000),
        destroy_old_after_seconds: Some(100),
        destroy_window_seconds: 50,
        warn_before_seconds: Some(0),
        ..Rules::default()
    };
    let old = |key: &Key| {
        let agenda = key.agenda();
        let old = agenda
            .into_iter()
            .filter(|item| item.act == DueAct::DestroyOld);
        old.map(|item| (item.version, item.at)).collect::<Vec<_>>()
    };
    let key = aes(rules);
    assert_eq!(old(&key), []);
    let key = key.rotate(NewVersion::generated(), at(300)).unwrap().0;
    assert_eq!(old(&key), [(V1, at(1100))]);
    let key = key
        .schedule_destroy(Versions::One(V1), None, at(1100))
        .unwrap()
        .0;
    assert_eq!(old(&key), []);
    assert_eq!(key.version(V1).unwrap().destroy_at, Some(at(1150)));
    let key = key.expire(at(5000)).unwrap().0;
    assert_eq!(old(&key), [], "the newest stays");
}

#[test]
fn what_a_version_was_made_for_is_remembered() {
    let key = aes(Rules::default());
    let (key, _) = key.note_made_for(&[[1; 16], [2; 16]], at(1)).unwrap();
    let (key, _) = key.rotate(NewVersion::generated(), at(2)).unwrap();
    assert!(key.was_made_for(&[1; 16]) && key.was_made_for(&[2; 16]));
    assert!(!key.was_made_for(&[3; 16]));
    let many: Vec<_> = (0..100).map(|number| [number; 16]).collect();
    let (key, _) = key.note_made_for(&many, at(3)).unwrap();
    assert_eq!(key.newest().unwrap().made_for.len(), 64);
    let leader = Rules {
        rotate_with: Some(KeyId([7; 16])),
        ..Rules::default()
    };
    let (key, _) = key.follow(V2, at(4)).unwrap();
    assert_eq!(key.followed, Some(V2));
    let update = KeyUpdate {
        rules: Some(leader),
        ..KeyUpdate::default()
    };
    assert_eq!(key.update(update, at(5)).unwrap().0.followed, None);
    assert_eq!(key.newest_in_use(), Some(V2));
    let waits = key.rotate(later(900), at(6)).unwrap().0;
    assert_eq!(waits.newest_in_use(), Some(V2));
}

#[test]
fn what_is_past_and_what_is_refused_does_not_come() {
    let rules = Rules {
        rotate_after_seconds: Some(1000),
        rotate_spread_seconds: Some(0),
        ..Rules::default()
    };
    let key = aes(rules);
    let acts = |key: &Key, now| {
        let coming = key.coming(at(now));
        coming.iter().map(|item| item.act).collect::<Vec<_>>()
    };
    assert_eq!(acts(&key, 0), [DueAct::Warn, DueAct::Rotate]);
    assert_eq!(acts(&key, 999), [DueAct::Warn, DueAct::Rotate]);
    assert_eq!(acts(&key, 1000), [DueAct::Rotate], "it is no warning now");
    let (held, _) = key.suspend(Versions::All, at(1)).unwrap();
    assert_eq!(acts(&held, 500), [], "it is suspended");
    let (held, _) = held.resume(Versions::All, at(2)).unwrap();
    assert_eq!(acts(&held, 1000), [DueAct::Rotate]);
    let (goes, _) = key.schedule_destroy(Versions::All, None, at(1)).unwrap();
    assert_eq!(acts(&goes, 2), [DueAct::Destroy]);
    let ends = Rules {
        expires_at: Some(at(2000)),
        warn_before_seconds: Some(0),
        ..rules
    };
    let key = aes(ends);
    assert_eq!(acts(&key, 1500), [DueAct::Rotate, DueAct::Deactivate]);
    assert_eq!(acts(&key, 2000), [DueAct::Deactivate], "nobody rotates it");
}

#[test]
fn a_key_has_ten_thousand_versions_at_most() {
    let (key, _) = aes(Rules::default())
        .rotate(NewVersion::generated(), at(1))
        .unwrap();
    let mut parts = key.parts().clone();
    let (old, newest) = (parts.versions[0].clone(), parts.versions[1].clone());
    parts.versions = (1..MAX_VERSIONS)
        .map(|number| {
            let mut version = old.clone();
            version.number = VersionNumber(number);
            version
        })
        .collect();
    let mut last = newest;
    last.number = VersionNumber(MAX_VERSIONS);
    let before = {
        let mut parts = parts.clone();
        parts.versions.pop();
        last.number = VersionNumber(MAX_VERSIONS - 1);
        parts.versions.push(last.clone());
        Key::from_parts(parts).unwrap()
    };
    let (full, _) = before.rotate(NewVersion::generated(), at(2)).unwrap();
    assert_eq!(full.newest().unwrap().number, VersionNumber(MAX_VERSIONS));
    let refused = full.rotate(NewVersion::generated(), at(3));
    assert!(matches!(refused, Err(Error::RotationRefused { .. })));
    for number in [0, MAX_VERSIONS + 1, u32::MAX] {
        let none = full.version(VersionNumber(number));
        assert!(matches!(none, Err(Error::UnknownVersion { .. })));
    }
}

#[test]
fn rules_that_were_changed_meanwhile_are_not_written_over() {
    let key = aes(Rules::default());
    let update = |days| KeyUpdate {
        rules: Some(Rules {
            rotate_after_seconds: Some(days * DAY),
            ..Rules::default()
        }),
        rules_before: Some(Rules::default()),
        ..KeyUpdate::default()
    };
    let (key, _) = key.update(update(1), at(1)).unwrap();
    let refused = key.update(update(2), at(2));
    assert!(matches!(refused, Err(Error::RulesChanged { .. })));
    let (key, _) = key
        .update(
            KeyUpdate {
                rules_before: None,
                ..update(2)
            },
            at(2),
        )
        .unwrap();
    assert_eq!(key.rules.rotate_after_seconds, Some(2 * DAY));
}

#[test]
fn rotations_are_spread_over_so_many_seconds_where_nobody_says() {
    let due = |rules: Rules, id: u8| rotation(&named(&aes(rules), id)).unwrap().0;
    // The first place and the last one.
    let ends = |rules: Rules| (due(rules, 0).0, due(rules, 255).0);
    let clock = |cron: &str| Rules {
        rotate_at: Some(Schedule::read(cron, None).unwrap()),
        ..Rules::default()
    };
    // By the clock five minutes, and a tenth of the time between two at most.
    assert_eq!(ends(clock("0 0 * * *")), (1_036_800, 1_037_100));
    assert_eq!(ends(clock("0 0 1 1 *")), (31_536_000, 31_536_300));
    assert_eq!(ends(clock("0 * * * *")), (1_000_800, 1_001_100));
    assert_eq!(ends(clock("*/10 * * * *")), (1_000_200, 1_000_260));
    // By period a twentieth, and a day at most.
    let every = |seconds: u64| Rules {
        rotate_after_seconds: Some(seconds),
        ..Rules::default()
    };
    assert_eq!(ends(every(864_000)), (1_864_000, 1_820_800));
    assert_eq!(ends(every(7_776_000)), (8_776_000, 8_689_600));
    let spread = |period| Rules::default().spread_of(period);
    assert_eq!([0, 19, 20, 1000].map(spread), [0, 0, 1, 50]);
    assert_eq!([1_728_000, 1_728_020].map(spread), [86_400, 86_400]);
    assert_eq!(spread(1_727_980), 86_399);
    let said = Rules {
        rotate_spread_seconds: Some(7),
        ..Rules::default()
    };
    assert_eq!(said.spread_of(1000), 7);
}
