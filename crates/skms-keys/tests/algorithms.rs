//! A key that changes its algorithm: the versions before keep theirs.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use common::{START, V1, V2, aes, at, later, new_key};
use skms_crypto::{Algorithm, Use, Uses};
use skms_keys::{Error, Key, KeyParts, NewVersion, Rules, UseReserve, VersionNumber};

const V3: VersionNumber = VersionNumber(3);
/// SP 800-38D, section 8.3.
const LIMIT: u64 = 1 << 32;

fn into(key: &Key, algorithm: Algorithm, now: i64) -> Key {
    let rotated = key.rotate_into(algorithm, NewVersion::generated(), at(now));
    rotated.unwrap().0
}

#[test]
fn each_version_keeps_the_algorithm_that_it_was_made_for() {
    let key = aes(Rules::default());
    let key = into(&key, Algorithm::Xaes256Gcm, 1);
    assert_eq!(key.algorithm, Algorithm::Xaes256Gcm);
    assert_eq!(key.algorithm_of(V1), Algorithm::Aes256Gcm);
    assert_eq!(key.algorithm_of(V2), Algorithm::Xaes256Gcm);
    // The next one is of the key's, unless somebody says otherwise.
    let (key, _) = key.rotate(NewVersion::generated(), at(2)).unwrap();
    assert_eq!(key.algorithm_of(V3), Algorithm::Xaes256Gcm);
    assert_eq!(key.algorithm_of(VersionNumber(4)), Algorithm::Xaes256Gcm);
    // Back again: nothing is lost of what was between.
    let key = into(&key, Algorithm::Aes256Gcm, 3);
    let all = key.versions.iter().map(|one| key.algorithm_of(one.number));
    assert_eq!(
        all.collect::<Vec<_>>(),
        [
            Algorithm::Aes256Gcm,
            Algorithm::Xaes256Gcm,
            Algorithm::Xaes256Gcm,
            Algorithm::Aes256Gcm
        ]
    );
    assert_eq!(Key::from_parts(key.parts().clone()).unwrap(), key);
}

#[test]
fn one_that_waits_for_its_date_changes_nothing_for_the_one_in_use() {
    let key = aes(Rules::default());
    let rotated = key.rotate_into(Algorithm::Xaes256Gcm, later(100), at(1));
    let (key, _) = rotated.unwrap();
    assert_eq!(key.algorithm_of(V1), Algorithm::Aes256Gcm);
    assert_eq!(key.use_limit(V1), Some(LIMIT));
    assert_eq!(key.use_limit(V2), None);
}

#[test]
fn limits_are_of_the_version_s_algorithm() {
    let key = into(&aes(Rules::default()), Algorithm::Xaes256Gcm, 1);
    assert!(key.counts_uses(V1) && key.counts_bytes(V1));
    assert!(!key.counts_uses(V2) && !key.counts_bytes(V2));
    assert!(matches!(
        UseReserve::for_uses(&key, V1).take(1),
        skms_keys::Taken::NeedsBlock
    ));
    assert!(matches!(
        UseReserve::for_uses(&key, V2).take(1),
        skms_keys::Taken::Taken { .. }
    ));
    // The old one stops at its limit, the new one has none.
    let (full, granted) = key.reserve_uses(V1, u64::MAX).unwrap();
    assert_eq!(granted, LIMIT);
    assert!(matches!(
        full.reserve_uses(V1, 1),
        Err(Error::UseLimit { limit: LIMIT, .. })
    ));
    assert_eq!(full.reserve_uses(V2, LIMIT + 1).unwrap().1, LIMIT + 1);
    // The other way round, what was used without a limit is no hindrance.
    let xaes = Algorithm::Xaes256Gcm;
    let new = new_key(xaes, xaes.row().uses, Rules::default());
    let (key, _) = Key::create(new, START).unwrap();
    let (key, _) = key.reserve_uses(V1, LIMIT + 1).unwrap();
    let key = into(&key, Algorithm::Aes256Gcm, 1);
    assert_eq!(key.use_limit(V2), Some(LIMIT));
    assert_eq!(key.version(V1).unwrap().uses_reserved, LIMIT + 1);
}

#[test]
fn a_restored_record_counts_by_each_version_s_algorithm() {
    let key = into(&aes(Rules::default()), Algorithm::Xaes256Gcm, 1);
    let burnt = key.burn_uses().unwrap().unwrap();
    assert_eq!(burnt.version(V1).unwrap().uses_reserved, LIMIT);
    assert_eq!(burnt.version(V2).unwrap().uses_reserved, 0);
}

#[test]
fn what_does_not_do_what_the_key_is_for_is_refused() {
    let unfit = |key: &Key, algorithm| {
        let rotated = key.rotate_into(algorithm, NewVersion::generated(), at(1));
        matches!(rotated, Err(Error::AlgorithmUnfit { algorithm: named, .. }) if named == algorithm)
    };
    let key = aes(Rules::default());
    assert!(unfit(&key, Algorithm::Aes256Kw));
    assert!(unfit(&key, Algorithm::HmacSha256));
    // It encrypts and decrypts, and is a key pair.
    assert!(unfit(&key, Algorithm::Rsa3072));
    assert!(!unfit(&key, Algorithm::ChaCha20Poly1305));
    let of = |algorithm, uses: &[Use]| {
        let new = new_key(algorithm, Uses::of(uses), Rules::default());
        Key::create(new, START).unwrap().0
    };
    let signs = of(Algorithm::EcP256, &[Use::Sign, Use::Verify]);
    assert!(!unfit(&signs, Algorithm::MlDsa65));
    assert!(unfit(&signs, Algorithm::X25519));
    assert!(unfit(&signs, Algorithm::HmacSha256));
    let agrees = of(Algorithm::EcP256, &[Use::Agree]);
    assert!(!unfit(&agrees, Algorithm::X25519));
    assert!(unfit(&agrees, Algorithm::Ed25519));
}

#[test]
fn what_no_rotation_could_have_made_is_not_read() {
    let key = into(&aes(Rules::default()), Algorithm::Xaes256Gcm, 1);
    let spoilt = |spoil: fn(&mut KeyParts)| {
        let mut parts = key.parts().clone();
        spoil(&mut parts);
        Key::from_parts(parts).is_err()
    };
    assert!(!spoilt(|_| {}));
    assert!(spoilt(|parts| {
        parts.versions[0].algorithm = Some(Algorithm::HmacSha256);
    }));
    assert!(spoilt(|parts| {
        parts.versions[0].algorithm = Some(Algorithm::Rsa3072);
    }));
    assert!(spoilt(|parts| {
        parts.versions[1].algorithm = Some(Algorithm::Aes256Gcm);
    }));
}
