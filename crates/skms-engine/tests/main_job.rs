//! The main job through the engine: keys made, used, rotated, revoked, and
//! all of it there after a restart.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use common::{House, at, opening, plain};
use skms_crypto::{Algorithm, SignOptions};
use skms_engine::Error;
use skms_engine::acts::payload::Payload;
use skms_engine::acts::{decrypt, encrypt, reencrypt, sign, verify};
use skms_keys::{KeyState, RevocationReason, Revoke, UnixSeconds, VersionNumber, Versions};

#[tokio::test]
async fn what_is_encrypted_is_decrypted_after_a_restart() {
    let house = House::new().await;
    house.create("orders", Algorithm::Aes256Gcm).await;
    let sealed = house.encrypt("orders", b"attack at dawn").await.unwrap();
    assert_eq!(sealed.version, VersionNumber(1));
    let house = house.restart().await;
    let opened = house.decrypt("orders", &sealed).await.unwrap();
    assert_eq!(opened.expose(), b"attack at dawn");
}

#[tokio::test]
async fn a_flipped_bit_another_key_or_other_context_is_refused() {
    let house = House::new().await;
    house.create("one", Algorithm::Xaes256Gcm).await;
    house.create("two", Algorithm::Xaes256Gcm).await;
    let sealed = house.encrypt("one", b"secret").await.unwrap();
    for position in 0..sealed.ciphertext.len() {
        let mut altered = sealed.ciphertext.clone();
        altered[position] ^= 1;
        let refused = house
            .engine
            .operate_one::<decrypt::Decrypt>(
                &house.root,
                at("one"),
                opening(&altered, sealed.version),
            )
            .await;
        assert!(matches!(refused, Err(Error::Integrity)), "{position}");
    }
    assert!(matches!(
        house.decrypt("two", &sealed).await,
        Err(Error::Integrity)
    ));
    let mut elsewhere = opening(&sealed.ciphertext, sealed.version);
    elsewhere.associated_data = b"another context".to_vec();
    let refused = house
        .engine
        .operate_one::<decrypt::Decrypt>(&house.root, at("one"), elsewhere)
        .await;
    assert!(matches!(refused, Err(Error::Integrity)));
}

#[tokio::test]
async fn rotation_keeps_the_old_readable_and_reencryption_moves_it() {
    let house = House::new().await;
    house.create("data", Algorithm::Aes256GcmSiv).await;
    let old = house.encrypt("data", b"payload").await.unwrap();
    let rotated = house
        .engine
        .rotate_key(&house.root, at("data"), None)
        .await
        .unwrap();
    assert_eq!(rotated.key().newest().unwrap().number, VersionNumber(2));
    let new = house.encrypt("data", b"payload").await.unwrap();
    assert_eq!(new.version, VersionNumber(2));
    assert_eq!(
        house.decrypt("data", &old).await.unwrap().expose(),
        b"payload"
    );
    let moved = house
        .engine
        .reencrypt(
            &house.root,
            at("data"),
            vec![reencrypt::Request {
                ciphertext: old.ciphertext.clone(),
                associated_data: b"context".to_vec(),
                version: old.version,
                to: None,
                options: skms_crypto::EncryptOptions::default(),
            }],
        )
        .await
        .unwrap()
        .pop()
        .unwrap()
        .unwrap();
    assert_eq!(moved.version, VersionNumber(2));
    house
        .engine
        .update_key(
            &house.root,
            at("data"),
            skms_keys::KeyUpdate::default(),
            Some(VersionNumber(2)),
            None,
            Some(skms_engine::acts::reencryption::Evidence::Insisted),
        )
        .await
        .unwrap();
    assert!(house.decrypt("data", &old).await.is_err());
    assert_eq!(
        house.decrypt("data", &moved).await.unwrap().expose(),
        b"payload"
    );
}

#[tokio::test]
async fn a_compromised_key_does_nothing_until_a_grant_and_then_only_reads() {
    let house = House::new().await;
    house.create("leaked", Algorithm::ChaCha20Poly1305).await;
    let sealed = house.encrypt("leaked", b"still mine").await.unwrap();
    let revoke = Revoke {
        versions: Versions::All,
        reason: RevocationReason::KeyCompromise,
        message: "found in a paste".into(),
        compromise_occurred_at: None,
    };
    let revoked = house
        .engine
        .revoke_key(&house.root, at("leaked"), revoke)
        .await
        .unwrap();
    assert_eq!(revoked.key().newest().unwrap().state, KeyState::Compromised);
    for refused in [
        house.decrypt("leaked", &sealed).await.err(),
        house.encrypt("leaked", b"more").await.err(),
    ] {
        assert!(
            matches!(
                refused,
                Some(Error::StateForbids {
                    state: KeyState::Compromised,
                    ..
                })
            ),
            "{refused:?}"
        );
    }
    let until = UnixSeconds(common::START_MS / 1000 + 600);
    house
        .engine
        .grant_recovery(
            &house.root,
            at("leaked"),
            Versions::All,
            until,
            "re-encrypt",
        )
        .await
        .unwrap();
    let opened = house.decrypt("leaked", &sealed).await.unwrap();
    assert_eq!(opened.expose(), b"still mine");
    assert!(house.encrypt("leaked", b"more").await.is_err());
    house.config.clock.advance_seconds(601);
    assert!(house.decrypt("leaked", &sealed).await.is_err());
    let house = house.restart().await;
    assert!(house.decrypt("leaked", &sealed).await.is_err());
}

#[tokio::test]
async fn suspension_is_lifted_and_destruction_is_taken_back_in_time() {
    let house = House::new().await;
    house.create("paused", Algorithm::Aes128Gcm).await;
    let sealed = house.encrypt("paused", b"x").await.unwrap();
    let (engine, root) = (&house.engine, &house.root);
    engine
        .suspend_key(root, at("paused"), Versions::All)
        .await
        .unwrap();
    assert!(house.decrypt("paused", &sealed).await.is_err());
    engine
        .resume_key(root, at("paused"), Versions::All)
        .await
        .unwrap();
    house.decrypt("paused", &sealed).await.unwrap();
    engine
        .destroy_key(root, at("paused"), Versions::All, None)
        .await
        .unwrap();
    assert!(house.decrypt("paused", &sealed).await.is_err());
    engine
        .restore_key(root, at("paused"), Versions::All)
        .await
        .unwrap();
    house.decrypt("paused", &sealed).await.unwrap();
    engine
        .destroy_key(root, at("paused"), Versions::All, None)
        .await
        .unwrap();
    assert!(engine.delete_key(root, at("paused")).await.is_err());
    house.config.clock.advance_seconds(8 * 24 * 3600);
    assert_eq!(engine.do_what_is_due().await.unwrap(), 1);
    let read = engine.read_key(root, at("paused")).await.unwrap();
    assert_eq!(read.key().newest().unwrap().state, KeyState::Destroyed);
    assert!(
        engine
            .restore_key(root, at("paused"), Versions::All)
            .await
            .is_err()
    );
    engine.delete_key(root, at("paused")).await.unwrap();
    assert!(matches!(
        engine.read_key(root, at("paused")).await,
        Err(Error::NotFound { .. })
    ));
    house.create("paused", Algorithm::Aes128Gcm).await;
    assert!(house.decrypt("paused", &sealed).await.is_err());
}

#[tokio::test]
async fn signatures_of_every_family_verify_and_altered_messages_do_not() {
    let house = House::new().await;
    for (name, algorithm) in [
        ("rsa", Algorithm::Rsa2048),
        ("ec", Algorithm::EcP256),
        ("ed", Algorithm::Ed25519),
        ("ml", Algorithm::MlDsa65),
    ] {
        house.create(name, algorithm).await;
        let signed = house
            .engine
            .operate_one::<sign::Sign>(
                &house.root,
                at(name),
                sign::Request {
                    payload: Payload::Raw(b"message".to_vec()),
                    version: None,
                    options: SignOptions::default(),
                },
            )
            .await
            .unwrap();
        for (message, expected) in [(&b"message"[..], true), (&b"massage"[..], false)] {
            let valid = house
                .engine
                .operate_one::<verify::Verify>(
                    &house.root,
                    at(name),
                    verify::Request {
                        payload: Payload::Raw(message.to_vec()),
                        signature: signed.signature.clone(),
                        version: None,
                        options: SignOptions::default(),
                    },
                )
                .await
                .unwrap()
                .valid;
            assert_eq!(valid, expected, "{algorithm}");
        }
        // A signing key does not encrypt.
        assert!(house.encrypt(name, b"x").await.is_err());
    }
}

#[tokio::test]
async fn a_batch_gives_each_item_its_own_result() {
    let house = House::new().await;
    house.create("batch", Algorithm::Aes256Gcm).await;
    let items = (0..10u8).map(|n| plain(&[n])).collect();
    let sealed: Vec<_> = house
        .engine
        .operate::<encrypt::Encrypt>(&house.root, at("batch"), items)
        .await
        .unwrap()
        .into_iter()
        .map(Result::unwrap)
        .collect();
    let items = sealed
        .iter()
        .enumerate()
        .map(|(n, one)| {
            let mut bytes = one.ciphertext.clone();
            if n == 3 {
                bytes[0] ^= 1;
            }
            opening(&bytes, one.version)
        })
        .collect();
    let opened = house
        .engine
        .operate::<decrypt::Decrypt>(&house.root, at("batch"), items)
        .await
        .unwrap();
    for (n, result) in opened.iter().enumerate() {
        match result {
            Ok(opened) => assert_eq!(opened.plaintext.expose(), [u8::try_from(n).unwrap()]),
            Err(error) => {
                assert_eq!(n, 3);
                assert!(matches!(error, Error::Integrity));
            }
        }
    }
    let too_many = (0..1001).map(|_| plain(b"x")).collect();
    assert!(matches!(
        house
            .engine
            .operate::<encrypt::Encrypt>(&house.root, at("batch"), too_many)
            .await,
        Err(Error::TooLarge { .. })
    ));
}
