//! Keys to try things with.
#![allow(dead_code)] // Each test program uses its own part of this.

use std::collections::BTreeMap;

use skms_crypto::{Algorithm, Uses};
use skms_keys::{
    Changed, Key, KeyId, KeyState, KeyringId, Name, NamespaceId, NewKey, NewVersion, Result,
    RevocationReason, Revoke, Rules, UnixSeconds, VersionNumber, Versions,
};

/// When every test's key is made.
pub const START: UnixSeconds = UnixSeconds(1_000_000);
/// The version most tests are about.
pub const V1: VersionNumber = VersionNumber(1);
/// The one after it.
pub const V2: VersionNumber = VersionNumber(2);

/// `seconds` after [`START`].
pub fn at(seconds: i64) -> UnixSeconds {
    UnixSeconds(START.0 + seconds)
}

pub fn new_key(algorithm: Algorithm, uses: Uses, rules: Rules) -> NewKey {
    NewKey {
        id: KeyId([3; 16]),
        namespace: NamespaceId([1; 16]),
        keyring: KeyringId([2; 16]),
        name: Name::new("card").unwrap(),
        algorithm,
        uses,
        owner: "payments".into(),
        tags: BTreeMap::new(),
        exportable: true,
        rules,
        first: NewVersion::generated(),
    }
}

/// An active AES key under these rules.
pub fn aes(rules: Rules) -> Key {
    let algorithm = Algorithm::Aes256Gcm;
    let new = new_key(algorithm, algorithm.row().uses, rules);
    Key::create(new, START).unwrap().0
}

pub fn revoke(
    key: &Key,
    versions: Versions,
    reason: RevocationReason,
    now: i64,
) -> Result<Changed> {
    let revoke = Revoke {
        versions,
        reason,
        message: String::new(),
        compromise_occurred_at: None,
    };
    key.revoke(&revoke, at(now))
}

/// A version that comes into use `seconds` after [`START`].
pub fn later(seconds: i64) -> NewVersion {
    NewVersion {
        activate_at: Some(at(seconds)),
        ..NewVersion::generated()
    }
}

/// A key of `algorithm` whose only version is in `state`, everything done at
/// [`START`]; in pre-activation until 1,000 seconds later.
pub fn key_in(state: KeyState, algorithm: Algorithm, uses: Uses) -> Key {
    let mut rules = Rules {
        destroy_window_seconds: 0,
        ..Rules::default()
    };
    rules.legacy.mixed_uses = true;
    let mut new = new_key(algorithm, uses, rules);
    if state == KeyState::PreActivation {
        new.first = later(1000);
    }
    let key = Key::create(new, START).unwrap().0;
    let all = Versions::All;
    let changed = match state {
        KeyState::PreActivation | KeyState::Active => key.expire(START),
        KeyState::Suspended => key.suspend(all, START),
        KeyState::Deactivated => revoke(&key, all, RevocationReason::Superseded, 0),
        KeyState::Compromised => revoke(&key, all, RevocationReason::KeyCompromise, 0),
        KeyState::Destroyed => key
            .schedule_destroy(all, None, START)
            .and_then(|(key, _)| key.complete_destroy(START)),
    };
    let key = changed.unwrap().0;
    assert_eq!(state_of(&key, V1), state);
    key
}

pub fn state_of(key: &Key, number: VersionNumber) -> KeyState {
    key.version(number).unwrap().state
}
