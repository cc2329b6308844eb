//! Revocation against uses in flight, dates against the agenda, a database
//! rolled back, and what may leave the house.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use common::{House, at, plain};
use skms_crypto::{Algorithm, EncryptOptions, Format, KeyMaterial, SecretBytes, SignOptions};
use skms_engine::acts::create_key::NewKeySpec;
use skms_engine::acts::import_key::{Incoming, WrappedWith};
use skms_engine::acts::payload::Payload;
use skms_engine::acts::{agree, encrypt, export_key, sign};
use skms_engine::{Engine, Error};
use skms_keys::{KeyState, RevocationReason, Revoke, Rules, VersionNumber, Versions};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_rotation_refuses_nobody() {
    let house = Arc::new(House::new().await);
    house.create("key", Algorithm::Aes256Gcm).await;
    let rotated = Arc::new(AtomicBool::new(false));
    let users: Vec<_> = (0..4)
        .map(|_| {
            let (house, rotated) = (Arc::clone(&house), Arc::clone(&rotated));
            tokio::spawn(async move {
                let mut newest = 0;
                while !rotated.load(Ordering::SeqCst) {
                    let sealed = house.encrypt("key", b"x").await.unwrap();
                    assert!(sealed.version.0 >= newest, "an older version came back");
                    newest = sealed.version.0;
                }
            })
        })
        .collect();
    for number in 2..40 {
        let done = house.engine.rotate_key(&house.root, at("key"), None);
        done.await.unwrap();
        let sealed = house.encrypt("key", b"x").await.unwrap();
        assert_eq!(sealed.version.0, number);
    }
    rotated.store(true, Ordering::SeqCst);
    for user in users {
        user.await.unwrap();
    }
}

/// A signature takes its time, and more of them wait for a thread.
#[tokio::test]
async fn a_rotation_waits_for_uses_that_it_overtakes_and_lets_them_end() {
    const USES: usize = 32;
    let house = Arc::new(House::new().await);
    house.create("key", Algorithm::SlhDsaSha2_128f).await;
    let sign = async |house: &House| {
        let request = sign::Request {
            payload: Payload::Raw(b"x".to_vec()),
            version: None,
            options: SignOptions::default(),
        };
        let signed = house
            .engine
            .operate_one::<sign::Sign>(&house.root, at("key"), request);
        signed.await.map(|signed| signed.version.0)
    };
    sign(&house).await.unwrap();
    let ended = Arc::<AtomicUsize>::default();
    let uses: Vec<_> = (0..USES)
        .map(|_| {
            let (house, ended) = (Arc::clone(&house), Arc::clone(&ended));
            tokio::spawn(async move {
                let signed = sign(&house).await;
                ended.fetch_add(1, Ordering::SeqCst);
                signed
            })
        })
        .collect();
    tokio::task::yield_now().await;
    let done = house.engine.rotate_key(&house.root, at("key"), None);
    done.await.unwrap();
    assert_eq!(ended.load(Ordering::SeqCst), USES, "it did not wait");
    for signed in uses {
        assert_eq!(signed.await.unwrap().unwrap(), 1);
    }
    assert_eq!(sign(&house).await.unwrap(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_answer_goes_out_after_a_revocation_returned() {
    let house = Arc::new(House::new().await);
    for round in 0..20 {
        let name = format!("key-{round}");
        house.create(&name, Algorithm::Aes256Gcm).await;
        let revoked = Arc::new(AtomicBool::new(false));
        let users: Vec<_> = (0..4)
            .map(|_| {
                let (house, revoked, name) =
                    (Arc::clone(&house), Arc::clone(&revoked), name.clone());
                tokio::spawn(async move {
                    loop {
                        // Read before asking: set means the revocation had
                        // returned before this call began.
                        let before = revoked.load(Ordering::SeqCst);
                        match house.encrypt(&name, b"x").await {
                            Ok(_) => assert!(!before, "used after its revocation"),
                            Err(Error::StateForbids { .. }) => return,
                            Err(other) => panic!("{other}"),
                        }
                    }
                })
            })
            .collect();
        tokio::task::yield_now().await;
        let revoke = Revoke {
            versions: Versions::All,
            reason: RevocationReason::KeyCompromise,
            message: String::new(),
            compromise_occurred_at: None,
        };
        house
            .engine
            .revoke_key(&house.root, at(&name), revoke)
            .await
            .unwrap();
        revoked.store(true, Ordering::SeqCst);
        for user in users {
            user.await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_key_that_is_due_by_uses_is_rotated_by_the_agenda() {
    let house = House::new().await;
    let rules = Rules {
        rotate_after_uses: Some(64),
        ..Rules::default()
    };
    let spec = NewKeySpec {
        algorithm: Some(Algorithm::Aes256Gcm),
        rules: Some(rules),
        ..NewKeySpec::default()
    };
    let (engine, root) = (&house.engine, &house.root);
    engine.create_key(root, at("busy"), spec).await.unwrap();
    for _ in 0..64 {
        house.encrypt("busy", b"x").await.unwrap();
    }
    engine.do_what_is_due().await.unwrap();
    engine.sweep_agenda().await.unwrap();
    engine.do_what_is_due().await.unwrap();
    let read = engine.read_key(root, at("busy")).await.unwrap();
    assert_eq!(read.key().newest().unwrap().number, VersionNumber(2));
    assert_eq!(
        house.encrypt("busy", b"x").await.unwrap().version,
        VersionNumber(2)
    );
}

#[tokio::test]
async fn uses_counted_before_a_crash_are_not_counted_again() {
    let house = House::new().await;
    house.create("counted", Algorithm::Aes256Gcm).await;
    house.encrypt("counted", b"x").await.unwrap();
    let reserved = |house: &House| {
        let (engine, root) = (Arc::clone(&house.engine), Arc::clone(&house.root));
        async move {
            let read = engine.read_key(&root, at("counted")).await.unwrap();
            read.key().newest().unwrap().uses_reserved
        }
    };
    let first = reserved(&house).await;
    assert!(first >= 1);
    let house = house.restart().await;
    house.encrypt("counted", b"x").await.unwrap();
    assert!(reserved(&house).await > first);
}

#[tokio::test]
async fn an_originator_period_ends_without_anybody_looking() {
    let house = House::new().await;
    let rules = Rules {
        originator_usage_period_seconds: Some(60),
        ..Rules::default()
    };
    let spec = NewKeySpec {
        algorithm: Some(Algorithm::Xaes256Gcm),
        rules: Some(rules),
        ..NewKeySpec::default()
    };
    let (engine, root) = (&house.engine, &house.root);
    engine.create_key(root, at("brief"), spec).await.unwrap();
    let sealed = house.encrypt("brief", b"x").await.unwrap();
    house.config.clock.advance_seconds(60);
    assert!(house.encrypt("brief", b"x").await.is_err());
    house.decrypt("brief", &sealed).await.unwrap();
    engine.do_what_is_due().await.unwrap();
    let read = engine.read_key(root, at("brief")).await.unwrap();
    assert_eq!(read.key().newest().unwrap().state, KeyState::Deactivated);
}

#[tokio::test]
async fn a_database_rolled_back_by_itself_is_refused() {
    let house = House::new().await;
    house.create("kept", Algorithm::Aes256Gcm).await;
    house.engine.shut().await.unwrap();
    let database = house.config.database();
    let mut house = house.restart().await;
    // What the attacker kept: the database of an earlier moment.
    let kept = house.dir.path().join("kept.db");
    house.engine.shut().await.unwrap();
    let config = house.config.clone();
    let key = house.key_input();
    house.root = {
        let engine = Arc::clone(&house.engine);
        drop(engine);
        house.root
    };
    std::fs::copy(&database, &kept).unwrap();
    let house = house.restart().await;
    house.create("later", Algorithm::Aes256Gcm).await;
    house.engine.shut().await.unwrap();
    drop(house.root);
    drop(house.engine);
    for suffix in ["-wal", "-shm"] {
        let mut path = database.clone().into_os_string();
        path.push(suffix);
        let _ = std::fs::remove_file(path);
    }
    std::fs::copy(&kept, &database).unwrap();
    let engine = Engine::open(config).await.unwrap();
    let refused = engine.unseal(key).await.unwrap_err();
    assert!(
        matches!(
            refused,
            Error::Store(
                skms_store::Error::RolledBack { .. } | skms_store::Error::JournalCut { .. }
            )
        ),
        "{refused}"
    );
    assert!(engine.is_sealed());
}

#[tokio::test]
async fn only_exportable_keys_leave_and_only_derived_secrets_otherwise() {
    let house = House::new().await;
    let (engine, root) = (&house.engine, &house.root);
    house.create("stays", Algorithm::X25519).await;
    let spec = NewKeySpec {
        algorithm: Some(Algorithm::X25519),
        exportable: Some(true),
        ..NewKeySpec::default()
    };
    engine.create_key(root, at("leaves"), spec).await.unwrap();
    let export = |name| async move {
        let request = export_key::Request {
            version: None,
            format: Format::Pkcs8Der,
            passphrase: None,
            wrapped_with: None,
        };
        engine.export_key(root, at(name), request).await
    };
    let refused = export("stays").await.err().unwrap();
    assert!(matches!(refused, Error::Key(_)), "{refused}");
    let left = export("leaves").await.unwrap();
    assert_eq!(left.algorithm, Algorithm::X25519);
    let peer = KeyMaterial::generate(Algorithm::X25519).unwrap();
    let peer = peer.public_key().unwrap().unwrap().spki_der().to_vec();
    let agree = |name, kdf| {
        let peer = peer.clone();
        async move {
            let request = agree::Request {
                peer,
                format: Format::SpkiDer,
                kdf,
                version: None,
            };
            engine
                .operate_one::<agree::Agree>(root, at(name), request)
                .await
        }
    };
    assert!(matches!(
        agree("stays", agree::Kdf::None).await,
        Err(Error::KeyForbids(_))
    ));
    agree("leaves", agree::Kdf::None).await.unwrap();
    let derived = agree(
        "stays",
        agree::Kdf::Hkdf {
            hash: skms_crypto::Hash::Sha256,
            salt: Vec::new(),
            info: b"alice and bob".to_vec(),
            length: 48,
        },
    )
    .await
    .unwrap();
    assert_eq!(derived.secret.len(), 48);
}

#[tokio::test]
async fn a_key_comes_in_wrapped_by_a_key_that_is_here() {
    let house = House::new().await;
    let (engine, root) = (&house.engine, &house.root);
    house.create("kek", Algorithm::Aes256Kwp).await;
    let secret = SecretBytes::new(skms_crypto::rand::array::<32>().unwrap().to_vec());
    let wrapped = engine
        .operate_one::<skms_engine::acts::wrap::Wrap>(
            root,
            at("kek"),
            skms_engine::acts::wrap::Request {
                key: secret,
                version: None,
                options: EncryptOptions::default(),
            },
        )
        .await
        .unwrap();
    let incoming = |bytes: Vec<u8>| Incoming {
        bytes: SecretBytes::new(bytes),
        format: Format::Raw,
        passphrase: None,
        wrapped_with: Some(WrappedWith {
            keyring: "default".into(),
            name: "kek".into(),
            version: None,
            options: EncryptOptions::default(),
        }),
    };
    let spec = || NewKeySpec {
        algorithm: Some(Algorithm::Aes256Gcm),
        ..NewKeySpec::default()
    };
    let mut altered = wrapped.wrapped.clone();
    altered[5] ^= 1;
    assert!(
        engine
            .import_key(root, at("guest"), spec(), incoming(altered))
            .await
            .is_err()
    );
    let imported = engine
        .import_key(root, at("guest"), spec(), incoming(wrapped.wrapped))
        .await
        .unwrap();
    assert_eq!(imported.key().algorithm, Algorithm::Aes256Gcm);
    house.encrypt("guest", b"x").await.unwrap();
}

#[tokio::test]
async fn nothing_planted_is_readable_in_any_file() {
    let house = House::new().await;
    let (name, owner, message) = ("PLANTED-KEY-NAME", "PLANTED-OWNER", "PLANTED-MESSAGE");
    let spec = NewKeySpec {
        algorithm: Some(Algorithm::Aes256Gcm),
        owner: Some(owner.into()),
        ..NewKeySpec::default()
    };
    let (engine, root) = (&house.engine, &house.root);
    engine.create_key(root, at(name), spec).await.unwrap();
    let request = encrypt::Request {
        plaintext: SecretBytes::new(b"PLANTED-PLAINTEXT".to_vec()),
        ..plain(b"")
    };
    engine
        .operate_one::<encrypt::Encrypt>(root, at(name), request)
        .await
        .unwrap();
    let revoke = Revoke {
        versions: Versions::All,
        reason: RevocationReason::Superseded,
        message: message.into(),
        compromise_occurred_at: None,
    };
    engine.revoke_key(root, at(name), revoke).await.unwrap();
    let mut searched = 0;
    let mut folders = vec![house.dir.path().to_owned()];
    while let Some(folder) = folders.pop() {
        for item in std::fs::read_dir(folder).unwrap() {
            let path = item.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let bytes = std::fs::read(&path).unwrap();
            searched += bytes.len();
            for planted in [
                "PLANTED",
                "AES-256-GCM",
                "key.encrypt",
                "default",
                house.root_token.as_str(),
                &house.root_token[5..],
            ] {
                assert!(
                    !bytes
                        .windows(planted.len())
                        .any(|window| window.eq_ignore_ascii_case(planted.as_bytes())),
                    "{planted} in {}",
                    path.display()
                );
            }
        }
    }
    assert!(searched > 100_000, "searched {searched} bytes only");
}

#[tokio::test]
async fn a_change_that_waited_behind_a_failed_one_is_in_force_afterwards() {
    let house = House::new().await;
    let (engine, root) = (&house.engine, &house.root);
    house.create("k", Algorithm::Aes256Gcm).await;
    let sealed = house.encrypt("k", b"x").await.unwrap();
    // Somebody else holds the database: commits fail until they let go.
    let outside = rusqlite::Connection::open(house.config.database()).unwrap();
    outside.execute_batch("BEGIN IMMEDIATE").unwrap();
    let revoke = Revoke {
        versions: Versions::All,
        reason: RevocationReason::KeyCompromise,
        message: String::new(),
        compromise_occurred_at: None,
    };
    let first_failed = std::cell::Cell::new(false);
    let pause = || tokio::time::sleep(std::time::Duration::from_millis(50));
    let (rotated, revoked, ()) = tokio::join!(
        async {
            let rotated = engine.rotate_key(root, at("k"), None).await;
            first_failed.set(true);
            rotated
        },
        async {
            pause().await;
            engine.revoke_key(root, at("k"), revoke).await
        },
        async {
            while !first_failed.get() {
                pause().await;
            }
            // The second waits for the database now; somebody reads the key
            // into memory meanwhile, and then it is let go.
            pause().await;
            engine.read_key(root, at("k")).await.unwrap();
            outside.execute_batch("ROLLBACK").unwrap();
        }
    );
    assert!(rotated.is_err(), "the database was held by somebody else");
    if revoked.is_err() {
        let again = Revoke {
            versions: Versions::All,
            reason: RevocationReason::KeyCompromise,
            message: String::new(),
            compromise_occurred_at: None,
        };
        engine.revoke_key(root, at("k"), again).await.unwrap();
    }
    assert!(house.decrypt("k", &sealed).await.is_err());
    assert!(house.encrypt("k", b"x").await.is_err());
    let read = engine.read_key(root, at("k")).await.unwrap();
    assert_eq!(
        read.key().version(VersionNumber(1)).unwrap().state,
        KeyState::Compromised
    );
}

#[tokio::test]
async fn policy_decides_on_the_key_that_is_made() {
    let house = House::new().await;
    let (engine, root) = (&house.engine, &house.root);
    let text = r#"permit (principal == SKMS::Principal::"maker", action in [SKMS::Action::"key.create", SKMS::Action::"key.import"], resource)
        when { !resource.exportable && resource.algorithm != "Ed25519" }
        unless { resource.hasTag("env") && resource.getTag("env") == "prod" };"#;
    engine
        .write_policy(root, "root", "maker", text)
        .await
        .unwrap();
    let defaults = skms_keys::Defaults {
        exportable: true,
        ..skms_keys::Defaults::default()
    };
    engine
        .create_keyring(root, "root", "open", defaults)
        .await
        .unwrap();
    let maker = house.caller_in("maker", &[]).await;
    let in_open = skms_engine::KeyRef {
        keyring: "open",
        ..at("k")
    };
    // The keyring's default would make it exportable.
    assert!(
        engine
            .create_key(&maker, in_open, NewKeySpec::default())
            .await
            .is_err()
    );
    let incoming = || Incoming {
        bytes: KeyMaterial::generate(Algorithm::Ed25519)
            .unwrap()
            .export(Format::Pkcs8Der, None)
            .unwrap(),
        format: Format::Auto,
        passphrase: None,
        wrapped_with: None,
    };
    // The bytes say what policy forbids, the request does not.
    assert!(
        engine
            .import_key(&maker, at("signer"), NewKeySpec::default(), incoming())
            .await
            .is_err()
    );
    let tagged = NewKeySpec {
        tags: [("env".to_owned(), "prod".to_owned())].into(),
        ..NewKeySpec::default()
    };
    assert!(
        engine
            .create_key(&maker, at("tagged"), tagged)
            .await
            .is_err()
    );
    engine
        .create_key(&maker, at("fine"), NewKeySpec::default())
        .await
        .unwrap();
}

#[tokio::test]
async fn a_seal_added_by_a_caller_who_hangs_up_has_its_event() {
    let house = House::new().await;
    let (engine, root) = (Arc::clone(&house.engine), Arc::clone(&house.root));
    let hasty = tokio::spawn(async move {
        let seal = skms_store::NewSeal::passphrase(
            "hidden",
            SecretBytes::new(b"correct horse battery".to_vec()),
        );
        engine.add_seal(&root, seal).await.map(|_| ())
    });
    // Long enough to begin, much too short for Argon2id.
    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    hasty.abort();
    let _ = hasty.await;
    let (engine, root) = (&house.engine, &house.root);
    for _ in 0..600 {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        let seals = engine.seal_status().await.unwrap().seals.len();
        let (events, _) = engine.read_events(root, "root", 0, 1000).await.unwrap();
        let told = events
            .iter()
            .any(|recorded| recorded.event.action.as_str() == "seal.add");
        if seals == 2 && told {
            return;
        }
    }
    panic!("the seal or its event never came");
}

#[tokio::test]
async fn the_window_before_a_destruction_is_not_shortened() {
    let house = House::new().await;
    let (engine, root) = (&house.engine, &house.root);
    house.create("k", Algorithm::Aes256Gcm).await;
    let window = |seconds| skms_keys::KeyUpdate {
        rules: Some(Rules {
            destroy_window_seconds: seconds,
            ..Rules::default()
        }),
        ..skms_keys::KeyUpdate::default()
    };
    let shorter = engine
        .update_key(root, at("k"), window(0), None, None, None)
        .await;
    assert!(matches!(shorter, Err(Error::KeyForbids(_))));
    engine
        .update_key(root, at("k"), window(30 * 24 * 3600), None, None, None)
        .await
        .unwrap();
}

/// Nothing was written, so nothing has to be read again: whoever is at work
/// stays who he is.
#[tokio::test]
async fn what_a_full_disk_refuses_ends_no_session() {
    let mut house = House::new().await;
    let size = std::fs::metadata(house.config.database()).unwrap().len();
    house.config.files.limit_bytes = Some(size);
    let house = house.restart().await;
    let (engine, root) = (&house.engine, &house.root);
    let full = |error: &Error| matches!(error, Error::Store(skms_store::Error::Full));
    for number in 0.. {
        let spec = NewKeySpec {
            algorithm: Some(Algorithm::Aes256Gcm),
            ..NewKeySpec::default()
        };
        let name = format!("filling-{number}");
        let made = engine.create_key(root, at(&name), spec).await;
        if let Err(error) = made {
            assert!(full(&error), "{error}");
            break;
        }
        assert!(number < 5000, "there is no end to the room");
    }
    // What is smaller may still fit, for a while.
    let mut refused = 0;
    for number in 0.. {
        let new = skms_engine::acts::tokens::NewToken {
            principal: "late".into(),
            groups: std::collections::BTreeSet::new(),
            ttl_seconds: Some(3600),
            description: String::new(),
        };
        if let Err(error) = engine.create_token(root, "root", new).await {
            assert!(full(&error), "{error}");
            refused += 1;
        }
        if refused == 3 {
            break;
        }
        assert!(number < 5000, "there is no end to the room");
    }
    assert!(engine.recognise_token(&house.root_token).is_some());
}
