//! Keys that wait for somebody's confirmation.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use common::{START, V1, aes, at, later, new_key, state_of};
use skms_crypto::Algorithm;
use skms_keys::{Cause, DueAct, Error, Key, KeyState, Operation, Rules, VersionNumber, Versions};

/// One that waits until `until`.
fn waiting(until: i64) -> Key {
    let algorithm = Algorithm::Aes256Gcm;
    let mut new = new_key(algorithm, algorithm.row().uses, Rules::default());
    new.first = later(5);
    let (key, _) = Key::create(new, START).unwrap();
    key.await_confirmation(V1, at(until), START).unwrap().0
}

fn works(key: &Key, now: i64) -> bool {
    key.permit(Operation::Encrypt, None, at(now)).is_ok()
}

#[test]
fn it_comes_into_use_by_its_confirmation_and_not_by_a_date() {
    let key = waiting(60);
    for now in [0, 5, 59, 60, 1_000_000] {
        assert!(!works(&key, now), "{now}");
    }
    let (key, steps) = key.confirm(V1, at(60)).unwrap();
    assert_eq!(state_of(&key, V1), KeyState::Active);
    assert_eq!(steps.len(), 1);
    assert_eq!((steps[0].cause, steps[0].at), (Cause::Requested, at(60)));
    assert!(works(&key, 60));
    assert_eq!(key.next_due(), None);
    // Once.
    assert!(matches!(
        key.confirm(V1, at(60)),
        Err(Error::TransitionForbidden { .. })
    ));
}

#[test]
fn what_is_not_confirmed_in_time_is_destroyed() {
    let key = waiting(60);
    assert!(key.confirm(V1, at(61)).is_err());
    assert_eq!(key.next_due(), Some(at(61)));
    assert_eq!(key.due(at(61))[0].act, DueAct::Destroy);
    let key = key.complete_destroy(at(61)).unwrap().0;
    assert_eq!(state_of(&key, V1), KeyState::Destroyed);
    assert!(key.confirm(V1, at(60)).is_err());
}

#[test]
fn only_what_waits_for_it_is_confirmed() {
    // One in use, one with a date, and one that does not exist.
    let active = aes(Rules::default());
    assert!(active.confirm(V1, at(1)).is_err());
    assert!(active.await_confirmation(V1, at(60), at(1)).is_err());
    let dated = active.rotate(later(50), at(10)).unwrap().0;
    assert!(dated.confirm(VersionNumber(2), at(20)).is_err());
    assert!(dated.confirm(VersionNumber(3), at(20)).is_err());
}

#[test]
fn whoever_orders_its_destruction_gets_it_at_once() {
    for longest in [None, Some(2 * Rules::default().destroy_window_seconds)] {
        let ordered = waiting(60).schedule_destroy(Versions::All, longest, at(10));
        let key = ordered.unwrap().0;
        for late in [10, 11, 60] {
            assert!(key.confirm(V1, at(late)).is_err(), "{late}");
        }
        let key = key.complete_destroy(at(10)).unwrap().0;
        assert_eq!(state_of(&key, V1), KeyState::Destroyed);
    }
    // Too late for that, it is due since its end.
    let late = waiting(60).schedule_destroy(Versions::All, None, at(90));
    assert_eq!(late.unwrap().0.next_due(), Some(at(61)));
}

#[test]
fn nothing_but_the_confirmation_keeps_it() {
    let key = waiting(60);
    assert!(matches!(
        key.restore(Versions::One(V1), at(10)),
        Err(Error::TransitionForbidden { .. })
    ));
    assert!(matches!(
        key.restore(Versions::All, at(10)),
        Err(Error::NothingToDo { .. })
    ));
    assert!(key.confirm(V1, at(20)).is_ok());
}
