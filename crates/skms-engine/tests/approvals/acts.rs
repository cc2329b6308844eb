//! Every act that the design names, under a mark.

use std::sync::Arc;

use skms_crypto::{Algorithm, EncryptOptions, Format};
use skms_engine::acts::create_key::NewKeySpec;
use skms_engine::acts::decrypt::Decrypt;
use skms_engine::acts::{export_key, import_key::WrappedWith};
use skms_engine::approvals::Asked;
use skms_engine::{Caller, Result};
use skms_keys::{RevocationReason, Revoke, UnixSeconds, Versions};

use crate::common::{House, START_MS, at, opening};
use crate::{OFFICERS, asking, mark, refused, waits};

/// Has an act wait, be approved, and done; once.
async fn through<T>(
    house: &House,
    operation: &str,
    act: impl AsyncFn(Arc<Caller>) -> Result<T>,
) -> T {
    let dora = house.dora().await;
    let asked = || Asked::new(operation);
    assert!(
        refused(act(Arc::clone(&dora)).await).contains("cannot ask"),
        "{operation}"
    );
    let id = waits(act(asking(&dora, asked())).await);
    let approved = asking(&dora, asked().with_approvals(&id).unwrap());
    let _still = waits(act(Arc::clone(&approved)).await);
    house.approved(&id).await;
    let done = act(approved).await.unwrap();
    let view = house.approval(&id).await;
    assert_eq!(view.state, "used", "{operation}");
    done
}

#[tokio::test]
async fn export_plain_and_wrapped() {
    let house = House::new().await;
    let engine = &house.engine;
    let spec = NewKeySpec {
        algorithm: Some(Algorithm::Aes256Gcm),
        exportable: Some(true),
        ..NewKeySpec::default()
    };
    engine.create_key(&house.root, at("k"), spec).await.unwrap();
    house.create("kek", Algorithm::Aes256Kwp).await;
    house.policy("officers", OFFICERS).await;
    house
        .policy("marks", &mark("SKMS::Action::\"key.export\""))
        .await;
    let export = async |caller: Arc<Caller>, wrapped: bool| {
        let request = export_key::Request {
            version: None,
            format: Format::Raw,
            passphrase: None,
            wrapped_with: wrapped.then(|| WrappedWith {
                keyring: "default".into(),
                name: "kek".into(),
                version: None,
                options: EncryptOptions::default(),
            }),
        };
        engine.export_key(&caller, at("k"), request).await
    };
    let plain = through(&house, "key-export", async |caller| {
        export(caller, false).await
    })
    .await;
    assert_eq!(plain.bytes.expose().len(), 32);
    let id = waits(export(asking(&house.root, Asked::new("w")), true).await);
    // The approvers see which key wraps it, and it is that very one.
    let beside = house.approval(&id).await.facts.beside;
    assert_eq!(
        (beside.len(), beside[0].name.as_str()),
        (1, "root/default/kek")
    );
    through(&house, "wrapped", async |caller| export(caller, true).await).await;
}

#[tokio::test]
async fn a_recovery_grant() {
    let house = House::new().await;
    let engine = &house.engine;
    house.create("k", Algorithm::Aes256Gcm).await;
    let sealed = house.encrypt("k", b"secret").await.unwrap();
    let revoke = Revoke {
        versions: Versions::All,
        reason: RevocationReason::KeyCompromise,
        message: String::new(),
        compromise_occurred_at: None,
    };
    engine
        .revoke_key(&house.root, at("k"), revoke)
        .await
        .unwrap();
    house.policy("officers", OFFICERS).await;
    house
        .policy("marks", &mark("SKMS::Action::\"key.recovery-grant\""))
        .await;
    let until = UnixSeconds(START_MS / 1000 + 3600);
    through(&house, "key-recovery-grant", async |caller| {
        engine
            .grant_recovery(&caller, at("k"), Versions::All, until, "data")
            .await
    })
    .await;
    assert_eq!(
        house.decrypt("k", &sealed).await.unwrap().expose(),
        b"secret"
    );
}

#[tokio::test]
async fn policies_and_the_marks_themselves() {
    let house = House::new().await;
    let engine = &house.engine;
    house.policy("officers", OFFICERS).await;
    let both = "SKMS::Action::\"policy.write\", SKMS::Action::\"policy.delete\"";
    house.policy("marks", &mark(both)).await;
    let text = "permit (principal, action, resource) when { false };";
    through(&house, "policy-write", async |caller| {
        engine.write_policy(&caller, "root", "new", text).await
    })
    .await;
    // To take the mark away takes what it asks for.
    through(&house, "policy-delete", async |caller| {
        engine.delete_policy(&caller, "root", "marks").await
    })
    .await;
    house.policy("free", text).await;
}

#[tokio::test]
async fn the_removal_of_a_seal() {
    let house = House::new().await;
    let engine = &house.engine;
    house.policy("officers", OFFICERS).await;
    let new = skms_store::NewSeal::KeyFile {
        name: "second".into(),
        key: skms_crypto::SecretArray::from_slice(&[8; 32]).unwrap(),
    };
    let (seal, _) = engine.add_seal(&house.root, new).await.unwrap();
    house
        .policy("marks", &mark("SKMS::Action::\"seal.remove\""))
        .await;
    through(&house, "seal-remove", async |caller| {
        engine.remove_seal(&caller, seal).await
    })
    .await;
    assert_eq!(engine.seal_status().await.unwrap().seals.len(), 1);
}

#[tokio::test]
async fn a_batch_is_one_act() {
    let house = House::new().await;
    let engine = &house.engine;
    house.create("k", Algorithm::Aes256Gcm).await;
    let sealed = house.encrypt("k", b"secret").await.unwrap();
    house.policy("officers", OFFICERS).await;
    house
        .policy("marks", &mark("SKMS::Action::\"key.decrypt\""))
        .await;
    let results = through(&house, "decrypt", async |caller| {
        let items = (0..3).map(|_| opening(&sealed.ciphertext, sealed.version));
        engine
            .operate::<Decrypt>(&caller, at("k"), items.collect())
            .await
    })
    .await;
    assert!(results.len() == 3 && results.iter().all(Result::is_ok));
    // Other operations go on as ever.
    house.encrypt("k", b"more").await.unwrap();
    assert_eq!(
        house.outcomes("key.decrypt").await.last().unwrap(),
        "success"
    );
}

#[tokio::test]
async fn making_what_is_not_there_yet() {
    let house = House::new().await;
    let engine = &house.engine;
    house.policy("officers", OFFICERS).await;
    let three = "SKMS::Action::\"namespace.create\", SKMS::Action::\"namespace.delete\", \
                 SKMS::Action::\"key.create\"";
    house.policy("marks", &mark(three)).await;
    through(&house, "namespace-create", async |caller| {
        engine.create_namespace(&caller, "team").await
    })
    .await;
    through(&house, "namespace-delete", async |caller| {
        engine.delete_namespace(&caller, "team").await
    })
    .await;
    through(&house, "key-create", async |caller| {
        let spec = NewKeySpec {
            algorithm: Some(Algorithm::Aes256Gcm),
            ..NewKeySpec::default()
        };
        engine.create_key(&caller, at("k"), spec).await
    })
    .await;
    house.encrypt("k", b"x").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_at_once_one_is_answered() {
    let house = House::new().await;
    house.create("k", Algorithm::Aes256Gcm).await;
    let sealed = house.encrypt("k", b"secret").await.unwrap();
    house.policy("officers", OFFICERS).await;
    house
        .policy("marks", &mark("SKMS::Action::\"key.decrypt\""))
        .await;
    let dora = house.dora().await;
    // What can be done any number of times, but for its approval.
    let decrypt = |caller: Arc<Caller>| {
        let engine = house.engine.clone();
        let (ciphertext, version) = (sealed.ciphertext.clone(), sealed.version);
        async move {
            let item = opening(&ciphertext, version);
            engine.operate_one::<Decrypt>(&caller, at("k"), item).await
        }
    };
    let id = waits(decrypt(asking(&dora, Asked::new("decrypt"))).await);
    house.approved(&id).await;
    let asked = Asked::new("decrypt").with_approvals(&id).unwrap();
    let approved = asking(&dora, asked);
    let tries: Vec<_> = (0..16)
        .map(|_| tokio::spawn(decrypt(Arc::clone(&approved))))
        .collect();
    let mut answered = 0;
    for one in tries {
        answered += usize::from(one.await.unwrap().is_ok());
    }
    assert_eq!(answered, 1);
}
