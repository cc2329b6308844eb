//! A batch that is under way while its key is taken away.

use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use skms_crypto::{Algorithm, SignOptions, Use, Uses};
use skms_engine::Error;
use skms_engine::acts::create_key::NewKeySpec;
use skms_engine::acts::payload::Payload;
use skms_engine::acts::sign;
use skms_keys::{RevocationReason, Revoke, Versions};

use crate::common::{House, at};
use crate::{batch, item, job, read, rotate};

async fn sign(house: &House) {
    let request = sign::Request {
        payload: Payload::Raw(b"x".to_vec()),
        version: None,
        options: SignOptions::default(),
    };
    let signed = house
        .engine
        .operate_one::<sign::Sign>(&house.root, at("slow"), request);
    signed.await.unwrap();
}

/// Everything that takes its time has so many threads: with signatures on all of
/// them, and more that wait, an RSA decryption has begun and not been done.
async fn a_batch_is_overtaken(revoke: bool) {
    let house = Arc::new(House::new().await);
    house.create("slow", Algorithm::SlhDsaSha2_128f).await;
    let spec = NewKeySpec {
        algorithm: Some(Algorithm::Rsa2048),
        uses: Some(Uses::of(&[Use::Encrypt, Use::Decrypt])),
        ..NewKeySpec::default()
    };
    let made = house.engine.create_key(&house.root, at("orders"), spec);
    made.await.unwrap();
    let old = house.encrypt("orders", b"one").await.unwrap();
    rotate(&house, "orders").await;
    let new = house.encrypt("orders", b"two").await.unwrap();
    let id = job(&house, "orders").await;
    // Both versions are open, and the signing key is.
    let first = vec![item(&old), item(&new)];
    batch(&house, id, 1, first).await.unwrap();
    sign(&house).await;
    let before = read(&house, id).await;

    let slow = 12 * available_parallelism().unwrap().get();
    let mut signers = Vec::new();
    for _ in 0..slow {
        let house = Arc::clone(&house);
        signers.push(tokio::spawn(async move { sign(&house).await }));
    }
    let waiting = async |jobs: usize| {
        while house.engine.load().slow_jobs < jobs {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    waiting(slow).await;
    let by = Arc::clone(&house);
    let second = vec![item(&old)];
    let under_way = tokio::spawn(async move { batch(&by, id, 2, second).await });
    waiting(slow + 1).await;
    let (engine, root) = (&house.engine, &house.root);
    if revoke {
        let order = Revoke {
            versions: Versions::All,
            reason: RevocationReason::KeyCompromise,
            message: String::new(),
            compromise_occurred_at: None,
        };
        engine.revoke_key(root, at("orders"), order).await.unwrap();
    } else {
        let suspended = engine.suspend_key(root, at("orders"), Versions::All);
        suspended.await.unwrap();
    }
    let refused = under_way.await.unwrap();
    assert!(
        matches!(refused, Err(Error::StateForbids { .. })),
        "{refused:?}"
    );
    let after = read(&house, id).await;
    assert_eq!((after.next, after.digest), (before.next, before.digest));
    assert_eq!(after.progress, before.progress);
    for signer in signers {
        signer.await.unwrap();
    }
}

#[tokio::test]
async fn a_batch_that_a_suspension_overtakes_is_not_counted() {
    a_batch_is_overtaken(false).await;
}

#[tokio::test]
async fn a_batch_that_a_revocation_overtakes_is_not_counted() {
    a_batch_is_overtaken(true).await;
}
