//! On the validated module: what the registry offers is approved by the
//! module's own service indicator, and the rest is refused.

use super::*;
use crate::formats::Format;
use crate::hash::Hash;
use crate::open::{EncryptOptions, Message, OpenKey, SignOptions, SignatureScheme};
use crate::{KeyMaterial, PublicKey};

const DATA: &[u8] = b"twenty-four octets here!";

fn fresh(algorithm: Algorithm) -> OpenKey {
    OpenKey::open(&KeyMaterial::generate(algorithm).unwrap()).unwrap()
}

fn refused<T>(result: Result<T>) -> String {
    match result.err() {
        Some(error @ Error::OutsideModule { .. }) => error.to_string(),
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn this_is_the_module_of_the_certificate() {
    check().unwrap();
    assert_eq!(module(), Some(MODULE));
    assert!(notes().any(|note| note.contains("5314")));
    aws_lc_rs::try_fips_mode().unwrap();
}

/// Uses the key for everything that it is offered for. `OpenKey` gives nothing
/// back that the module did not count as an approved service.
fn exercise(algorithm: Algorithm) {
    let (key, options, sign) = (
        fresh(algorithm),
        EncryptOptions::default(),
        SignOptions::default(),
    );
    let uses = algorithm.offered_uses();
    if uses.contains(Use::Encrypt) {
        let sealed = key.encrypt(DATA, b"aad", &options).unwrap();
        let opened = key.decrypt(&sealed, b"aad", &options).unwrap();
        assert_eq!(opened.expose(), DATA, "{algorithm}");
        assert!(key.decrypt(&sealed, b"other", &options).is_err());
        let mut appended = b"before".to_vec();
        key.encrypt_into(DATA, b"", &mut appended).unwrap();
        let sealed = appended.strip_prefix(b"before").unwrap();
        assert!(key.decrypt(sealed, b"", &options).is_ok());
    }
    if uses.contains(Use::Wrap) {
        let wrapped = key.wrap(DATA, &options).unwrap();
        assert_eq!(key.unwrap(&wrapped, &options).unwrap().expose(), DATA);
    }
    if uses.contains(Use::Mac) {
        let tag = key.mac(DATA).unwrap();
        assert!(key.mac_verify(DATA, &tag).unwrap());
        assert!(!key.mac_verify(b"other", &tag).unwrap());
    }
    if uses.contains(Use::Derive) {
        let derived = key.derive(b"salt", b"info", 40).unwrap();
        assert_eq!(derived.expose().len(), 40);
    }
    if uses.contains(Use::Sign) {
        let signature = key.sign(Message::Raw(DATA), &sign).unwrap();
        let verify = |message| {
            key.verify(Message::Raw(message), &signature, &sign)
                .unwrap()
        };
        assert!(verify(DATA) && !verify(b"other"), "{algorithm}");
    }
    if uses.contains(Use::Agree) {
        let other = fresh(algorithm);
        let public: &PublicKey = other.public_key().unwrap();
        let mine = key.agree(public).unwrap();
        let theirs = other.agree(key.public_key().unwrap()).unwrap();
        assert!(mine.ct_eq(theirs.expose()));
    }
    if uses.contains(Use::Encapsulate) {
        let (ciphertext, shared) = key.encapsulate().unwrap();
        let again = key.decapsulate(&ciphertext).unwrap();
        assert!(again.ct_eq(shared.expose()));
    }
}

#[test]
fn whatever_is_offered_is_an_approved_service() {
    let offered: Vec<_> = Algorithm::all()
        .iter()
        .copied()
        .filter(|algorithm| algorithm.is_offered())
        .collect();
    assert!(offered.len() > 20, "{offered:?}");
    for algorithm in offered {
        ensure_uses(algorithm, algorithm.offered_uses()).unwrap();
        exercise(algorithm);
    }
}

#[test]
fn whatever_is_not_offered_is_refused_by_name() {
    let outside: Vec<_> = Algorithm::all()
        .iter()
        .copied()
        .filter(|algorithm| !algorithm.is_offered())
        .collect();
    assert!(outside.len() > 15, "{outside:?}");
    for algorithm in outside {
        let said = refused(KeyMaterial::generate(algorithm));
        assert!(said.contains(algorithm.name()) && said.contains("FIPS 140-3"));
        refused(KeyMaterial::import(
            &[7; 32],
            Format::Raw,
            Some(algorithm),
            None,
        ));
        refused(ensure_uses(algorithm, algorithm.row().default_uses));
    }
}

#[test]
fn a_key_of_an_ordinary_build_is_read_and_not_used() {
    let record = KeyMaterial::from_record(Algorithm::XChaCha20Poly1305, &[7; 32]).unwrap();
    refused(OpenKey::open(&record));
    // Its record is the seed, which this module does not give back itself.
    let record = KeyMaterial::from_record(Algorithm::MlKem768, &[7; 64]).unwrap();
    let (key, again) = (OpenKey::open(&record), OpenKey::open(&record));
    let (ciphertext, shared) = key.unwrap().encapsulate().unwrap();
    let opened = again.unwrap().decapsulate(&ciphertext).unwrap();
    assert!(opened.ct_eq(shared.expose()));
}

#[test]
fn rsa_signs_and_does_not_encrypt() {
    let key = fresh(Algorithm::Rsa2048);
    let options = EncryptOptions::default();
    refused(key.encrypt(DATA, b"", &options));
    refused(key.decrypt(&[1; 256], b"", &options));
    refused(key.wrap(DATA, &options));
    refused(key.unwrap(&[1; 256], &options));
    let said = refused(ensure_uses(
        Algorithm::Rsa2048,
        Uses::of(&[Use::Encrypt, Use::Decrypt]),
    ));
    assert!(said.starts_with("RSA-2048: one of these uses"), "{said}");
    for scheme in [SignatureScheme::RsaPss, SignatureScheme::RsaPkcs1v15] {
        let options = SignOptions {
            scheme: Some(scheme),
            ..SignOptions::default()
        };
        let signature = key.sign(Message::Raw(DATA), &options).unwrap();
        assert!(
            key.verify(Message::Raw(DATA), &signature, &options)
                .unwrap()
        );
        assert!(!key.verify(Message::Raw(b""), &signature, &options).unwrap());
    }
    // The certificate's tests had salts as long as the hash.
    refused(key.sign(
        Message::Raw(DATA),
        &SignOptions {
            salt_length: Some(20),
            ..SignOptions::default()
        },
    ));
}

#[test]
fn only_a_signature_that_hashes_inside_the_module_is_approved() {
    let digest = Hash::Sha256.digest(DATA);
    let (elsewhere, options) = (
        Message::Digest(&digest, Hash::Sha256),
        SignOptions::default(),
    );
    for algorithm in [Algorithm::EcP256, Algorithm::Rsa2048] {
        let key = fresh(algorithm);
        let said = refused(key.sign(elsewhere, &options));
        assert!(said.contains("a digest made elsewhere"), "{said}");
        let signature = key.sign(Message::Raw(DATA), &options).unwrap();
        refused(key.verify(elsewhere, &signature, &options));
    }
}

#[test]
fn the_indicator_tells_what_is_not_approved() {
    // A nonce from outside makes AES-GCM encryption no approved service.
    let key = crate::symmetric::SymmetricKey::new(Algorithm::Aes256Gcm, &[3; 32]).unwrap();
    refused(approved(Algorithm::Aes256Gcm, "this encryption", || {
        key.answer(&[1; 12], DATA, b"")
    }));
    // And a derivation must say what it is for.
    let key = fresh(Algorithm::HkdfSha256);
    refused(key.derive(b"salt", b"", 32));
}

#[test]
fn what_another_library_would_do_with_a_key_is_refused() {
    let key = fresh(Algorithm::EcP256);
    let public = key.public_key().unwrap();
    refused(crate::byok::hpke_wrap(public, DATA, b"info"));
    refused(crate::byok::hpke_unwrap(&key, &[4; 100], b"info"));
}
