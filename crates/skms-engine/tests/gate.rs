//! Who may pass the gate, what the refused see, and what the log says.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::sync::Arc;

use common::{House, START_MS, at, caller, opening, plain};
use skms_crypto::Algorithm;
use skms_engine::acts::{
    create_key::NewKeySpec,
    datakey, decrypt, encrypt,
    principals::{NewPrincipal, ShownBy},
};
use skms_engine::{Caller, Error, KeyRef};
use skms_evidence::Outcome;

async fn try_encrypt(house: &House, who: &Arc<Caller>, key: KeyRef<'_>) -> Error {
    house
        .engine
        .operate_one::<encrypt::Encrypt>(who, key, plain(b"x"))
        .await
        .err()
        .unwrap()
}

#[tokio::test]
async fn without_a_policy_an_existing_key_looks_absent() {
    let house = House::new().await;
    house.create("hidden", Algorithm::Aes256Gcm).await;
    let nobody = house.caller_in("nobody", &[]).await;
    let existing = try_encrypt(&house, &nobody, at("hidden")).await;
    let absent = try_encrypt(&house, &nobody, at("no-such-key")).await;
    assert!(matches!(existing, Error::NotFound { .. }));
    assert_eq!(existing.to_string(), absent.to_string());
    let reader = house.caller_in("reader", &["reader"]).await;
    let seen = try_encrypt(&house, &reader, at("hidden")).await;
    assert!(matches!(seen, Error::Forbidden { .. }), "{seen}");
}

#[tokio::test]
async fn a_policy_opens_and_its_deletion_closes_at_once() {
    let house = House::new().await;
    house.create("shared", Algorithm::Aes256Gcm).await;
    let app = house.caller_in("app", &[]).await;
    assert!(matches!(
        try_encrypt(&house, &app, at("shared")).await,
        Error::NotFound { .. }
    ));
    let text = r#"permit (
        principal == SKMS::Principal::"app",
        action == SKMS::Action::"key.encrypt",
        resource == SKMS::Key::"root/default/shared"
    );"#;
    let engine = &house.engine;
    engine
        .write_policy(&house.root, "root", "app", text)
        .await
        .unwrap();
    engine
        .operate_one::<encrypt::Encrypt>(&app, at("shared"), plain(b"x"))
        .await
        .unwrap();
    engine
        .delete_policy(&house.root, "root", "app")
        .await
        .unwrap();
    assert!(matches!(
        try_encrypt(&house, &app, at("shared")).await,
        Error::NotFound { .. }
    ));
    let broken = engine
        .write_policy(&house.root, "root", "app", "permit (principal, action")
        .await;
    assert!(matches!(broken, Err(Error::Policy(_))));
    assert!(
        engine
            .read_policy(&house.root, "root", "app")
            .await
            .is_err()
    );
}

#[tokio::test]
async fn a_revoked_token_is_refused_on_calls_that_already_hold_its_session() {
    let house = House::new().await;
    house.create("k", Algorithm::Aes256Gcm).await;
    let user = house.caller_in("user", &["crypto-user"]).await;
    let engine = &house.engine;
    engine
        .operate_one::<encrypt::Encrypt>(&user, at("k"), plain(b"x"))
        .await
        .unwrap();
    let own = engine.read_self(&user).await.unwrap();
    let id = own.token.unwrap().id;
    engine.revoke_token(&house.root, "root", id).await.unwrap();
    assert!(matches!(
        try_encrypt(&house, &user, at("k")).await,
        Error::Unauthenticated
    ));
}

#[tokio::test]
async fn tokens_end_and_wrong_ones_never_begin() {
    let house = House::new().await;
    let user = house.caller_in("user", &["crypto-user"]).await;
    house.config.clock.advance_seconds(3601);
    assert!(matches!(
        try_encrypt(&house, &user, at("k")).await,
        Error::Unauthenticated
    ));
    let mut wrong = house.root_token.clone();
    wrong.pop();
    for token in [
        "",
        "skms_",
        "nonsense",
        wrong.as_str(),
        &"skms_".repeat(100),
    ] {
        assert!(matches!(
            house.engine.authenticate_token(token).await,
            Err(Error::Unauthenticated)
        ));
    }
}

#[tokio::test]
async fn a_registered_certificate_is_a_principal_and_another_is_not() {
    let house = House::new().await;
    let certificate = b"stands for the DER of a certificate";
    let fingerprint: String = skms_crypto::Hash::Sha256
        .digest(certificate)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let new = NewPrincipal {
        name: "service".into(),
        shown_by: ShownBy::Fingerprint(fingerprint),
        groups: ["crypto-user".to_owned()].into(),
        expires_at: None,
    };
    let engine = &house.engine;
    engine
        .register_principal(&house.root, "root", new)
        .await
        .unwrap();
    let session = engine
        .authenticate_certificate(&[certificate.to_vec()], "root")
        .await
        .unwrap();
    assert_eq!(session.principal.id(), "service");
    assert!(matches!(
        engine
            .authenticate_certificate(&[b"another".to_vec()], "root")
            .await,
        Err(Error::Unauthenticated)
    ));
    engine
        .delete_principal(&house.root, "root", "service")
        .await
        .unwrap();
    assert!(matches!(
        engine
            .authenticate_certificate(&[certificate.to_vec()], "root")
            .await,
        Err(Error::Unauthenticated)
    ));
}

#[tokio::test]
async fn every_act_leaves_an_event_refused_ones_too() {
    let house = House::new().await;
    house.create("watched", Algorithm::Aes256Gcm).await;
    house.encrypt("watched", b"x").await.unwrap();
    let nobody = house.caller_in("nobody", &[]).await;
    try_encrypt(&house, &nobody, at("watched")).await;
    let (events, next) = house
        .engine
        .read_events(&house.root, "root", 0, 100)
        .await
        .unwrap();
    let actions: Vec<_> = events
        .iter()
        .map(|recorded| {
            (
                recorded.event.action.as_str(),
                recorded.event.principal.as_str(),
                recorded.event.outcome.name(),
            )
        })
        .collect();
    assert_eq!(
        actions,
        [
            ("system.init", "skms", "success"),
            ("system.unseal", "skms", "success"),
            ("key.create", "root", "success"),
            ("key.encrypt", "root", "success"),
            ("token.create", "root", "success"),
            ("key.encrypt", "nobody", "denied"),
        ]
    );
    assert_eq!(next, 6);
    let denied = &events[5].event;
    assert!(matches!(denied.outcome, Outcome::Denied { .. }));
    assert_eq!(denied.source, Some([192, 0, 2, 1].into()));
    // A tenant does not read the server's record.
    assert!(
        house
            .engine
            .read_events(&nobody, "root", 0, 10)
            .await
            .is_err()
    );
}

#[tokio::test]
async fn a_sealed_engine_does_nothing_and_comes_back() {
    let house = House::new().await;
    house.create("k", Algorithm::Aes256Gcm).await;
    let sealed = house.encrypt("k", b"kept").await.unwrap();
    let nobody = house.caller_in("nobody", &[]).await;
    assert!(house.engine.seal(&nobody).await.is_err());
    house.engine.seal(&house.root).await.unwrap();
    assert!(matches!(house.encrypt("k", b"x").await, Err(Error::Sealed)));
    assert!(matches!(
        house.engine.authenticate_token(&house.root_token).await,
        Err(Error::Sealed)
    ));
    house.engine.unseal(house.key_input()).await.unwrap();
    // The old session ended with the seal; a new one begins.
    assert!(matches!(
        house.encrypt("k", b"x").await,
        Err(Error::Unauthenticated)
    ));
    let root = caller(&house.engine, &house.root_token).await;
    let opened = house
        .engine
        .operate_one::<decrypt::Decrypt>(
            &root,
            at("k"),
            opening(&sealed.ciphertext, sealed.version),
        )
        .await
        .unwrap();
    assert_eq!(opened.plaintext.expose(), b"kept");
}

#[tokio::test]
async fn namespaces_are_closed_to_each_other() {
    let house = House::new().await;
    let (engine, root) = (&house.engine, &house.root);
    for name in ["team-a", "team-b"] {
        engine.create_namespace(root, name).await.unwrap();
        engine
            .create_keyring(root, name, "default", skms_keys::Defaults::default())
            .await
            .unwrap();
        let key = KeyRef {
            namespace: name,
            keyring: "default",
            name: "k",
        };
        engine
            .create_key(root, key, Default::default())
            .await
            .unwrap();
    }
    // Team A's policy speaks of everything and reaches team A only.
    engine
        .write_policy(
            root,
            "team-a",
            "all",
            "permit (principal, action, resource);",
        )
        .await
        .unwrap();
    let new = skms_engine::acts::tokens::NewToken {
        principal: "alice".into(),
        groups: Default::default(),
        ttl_seconds: None,
        description: String::new(),
    };
    let issued = engine.create_token(root, "team-a", new).await.unwrap();
    let token = String::from_utf8(issued.token.into_public()).unwrap();
    let alice = caller(engine, &token).await;
    let key = |namespace| KeyRef {
        namespace,
        keyring: "default",
        name: "k",
    };
    let sealed = engine
        .operate_one::<encrypt::Encrypt>(&alice, key("team-a"), plain(b"x"))
        .await
        .unwrap();
    assert!(!sealed.ciphertext.is_empty());
    assert!(matches!(
        try_encrypt(&house, &alice, key("team-b")).await,
        Error::NotFound { .. }
    ));
    assert!(engine.delete_namespace(root, "team-a").await.is_err());
}

#[tokio::test]
async fn a_deleted_namespace_takes_its_credentials_with_it() {
    let house = House::new().await;
    let (engine, root) = (&house.engine, &house.root);
    engine.create_namespace(root, "short").await.unwrap();
    let new = skms_engine::acts::tokens::NewToken {
        principal: "alice".into(),
        groups: Default::default(),
        ttl_seconds: None,
        description: String::new(),
    };
    let issued = engine.create_token(root, "short", new).await.unwrap();
    let token = String::from_utf8(issued.token.into_public()).unwrap();
    engine.authenticate_token(&token).await.unwrap();
    engine.delete_namespace(root, "short").await.unwrap();
    engine.create_namespace(root, "short").await.unwrap();
    assert!(matches!(
        engine.authenticate_token(&token).await,
        Err(Error::Unauthenticated)
    ));
}

#[tokio::test]
async fn a_refused_credential_leaves_an_event_without_the_credential() {
    let house = House::new().await;
    let engine = &house.engine;
    for _ in 0..30 {
        engine
            .record_refused_credential(("token", None, None), Some([198, 51, 100, 7].into()), "r")
            .await
            .unwrap();
    }
    let (events, _) = engine
        .read_events(&house.root, "root", 2, 100)
        .await
        .unwrap();
    assert_eq!(events.len(), 10);
    assert_eq!(events[0].event.action.as_str(), "credential.refused");
}

#[tokio::test]
async fn what_one_namespace_makes_of_a_certificate_does_not_count_in_another() {
    let house = House::new().await;
    let (engine, root) = (&house.engine, &house.root);
    let certificate = b"stands for a client of team B";
    let fingerprint: String = skms_crypto::Hash::Sha256
        .digest(certificate)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    for name in ["team-a", "team-b"] {
        engine.create_namespace(root, name).await.unwrap();
    }
    let new = |name: &str| NewPrincipal {
        name: name.into(),
        shown_by: ShownBy::Fingerprint(fingerprint.clone()),
        groups: Default::default(),
        expires_at: None,
    };
    // Team A is first, and learns and gains nothing by it.
    engine
        .register_principal(root, "team-a", new("mallory"))
        .await
        .unwrap();
    assert!(matches!(
        engine
            .authenticate_certificate(&[certificate.to_vec()], "team-b")
            .await,
        Err(Error::Unauthenticated)
    ));
    engine
        .register_principal(root, "team-b", new("service"))
        .await
        .unwrap();
    let session = engine
        .authenticate_certificate(&[certificate.to_vec()], "team-b")
        .await
        .unwrap();
    assert_eq!(session.principal.id(), "service");
    assert!(matches!(
        engine
            .register_principal(root, "team-b", new("again"))
            .await,
        Err(Error::Exists { .. })
    ));
    // The root namespace's registrations serve everywhere.
    engine
        .register_principal(root, "root", new("operator"))
        .await
        .unwrap();
    let session = engine
        .authenticate_certificate(&[certificate.to_vec()], "team-c")
        .await
        .unwrap();
    assert_eq!(session.principal.namespace(), "root");
}

#[tokio::test]
async fn an_authorised_act_that_fails_leaves_its_event() {
    let house = House::new().await;
    let (engine, root) = (&house.engine, &house.root);
    house.create("k", Algorithm::Aes256Gcm).await;
    let before = engine.newest_event().unwrap().unwrap();
    let at_k = at("k");
    assert!(
        engine
            .create_key(root, at_k, Default::default())
            .await
            .is_err()
    );
    assert!(engine.delete_key(root, at_k).await.is_err());
    assert!(engine.create_namespace(root, "root").await.is_err());
    assert!(engine.create_namespace(root, "a/b").await.is_err());
    assert!(engine.delete_namespace(root, "root").await.is_err());
    assert!(engine.delete_policy(root, "root", "none").await.is_err());
    assert!(
        engine
            .write_policy(root, "root", "p", "permit(")
            .await
            .is_err()
    );
    assert!(engine.random(root, 0).await.is_err());
    engine
        .suspend_key(root, at_k, skms_keys::Versions::All)
        .await
        .unwrap();
    assert!(engine.rotate_key(root, at_k, None).await.is_err());
    let (events, _) = engine
        .read_events(root, "root", before + 1, 100)
        .await
        .unwrap();
    let told: Vec<_> = events
        .iter()
        .map(|recorded| {
            let event = &recorded.event;
            (event.action.as_str(), event.outcome.name())
        })
        .collect();
    assert_eq!(
        told,
        [
            ("key.create", "failed"),
            ("key.delete", "failed"),
            ("namespace.create", "failed"),
            ("namespace.create", "failed"),
            ("namespace.delete", "failed"),
            ("policy.delete", "failed"),
            ("policy.write", "failed"),
            ("random.generate", "failed"),
            ("key.suspend", "success"),
            ("key.rotate", "failed"),
        ]
    );
}

#[tokio::test]
async fn an_identifier_tells_when_a_key_was_made_and_nothing_of_other_writes() {
    let house = House::new().await;
    let mut beginnings = Vec::new();
    for name in ["first", "second"] {
        let spec = NewKeySpec::default();
        let made = house.engine.create_key(&house.root, at(name), spec).await;
        let id = made.unwrap().key().id.0;
        beginnings.push(u64::from_be_bytes(*id.first_chunk().unwrap()) >> 16);
        house
            .create(&format!("{name}-other"), Algorithm::Aes256Gcm)
            .await;
    }
    let now = u64::try_from(START_MS).unwrap();
    assert_eq!(beginnings, [now, now]);
}

#[tokio::test]
async fn a_key_called_by_its_identifier_is_the_same_key_and_no_other() {
    let house = House::new().await;
    house.create("k", Algorithm::Aes256Gcm).await;
    let engine = &house.engine;
    let request = || datakey::Request {
        length: 16,
        associated_data: b"file".to_vec(),
        version: None,
        with_plaintext: true,
    };
    let made = engine
        .operate_one::<datakey::DataKey>(&house.root, at("k"), request())
        .await
        .unwrap();
    let id = made.key.unwrap().to_string();
    let by_id = |id| KeyRef {
        keyring: "-",
        name: id,
        ..at("")
    };
    let open = async |who: &Arc<Caller>, key: KeyRef<'_>| {
        let item = decrypt::Request {
            associated_data: b"file".to_vec(),
            ..opening(&made.ciphertext, made.version)
        };
        engine.operate_one::<decrypt::Decrypt>(who, key, item).await
    };
    let opened = open(&house.root, by_id(&id)).await.unwrap();
    assert_eq!(
        opened.plaintext.expose(),
        made.plaintext.as_ref().unwrap().expose()
    );

    // Policy sees the names, and whoever may not see the key learns nothing.
    let nobody = house.caller_in("nobody", &[]).await;
    let unknown = "00000000-0000-7000-8000-000000000000";
    let hidden = open(&nobody, by_id(&id)).await.err().unwrap();
    let absent = open(&nobody, by_id(unknown)).await.err().unwrap();
    assert!(matches!(hidden, Error::NotFound { .. }));
    assert_eq!(hidden.to_string(), absent.to_string());
    let text = r#"permit (
        principal == SKMS::Principal::"nobody",
        action == SKMS::Action::"key.decrypt",
        resource == SKMS::Key::"root/default/k"
    );"#;
    engine
        .write_policy(&house.root, "root", "one", text)
        .await
        .unwrap();
    open(&nobody, by_id(&id)).await.unwrap();

    for wrong in ["k", "", unknown, &id[1..]] {
        let refused = open(&house.root, by_id(wrong)).await;
        assert!(matches!(refused, Err(Error::NotFound { .. })), "{wrong:?}");
    }
    // Another namespace has no such key.
    engine.create_namespace(&house.root, "other").await.unwrap();
    let elsewhere = KeyRef {
        namespace: "other",
        ..by_id(&id)
    };
    let refused = engine
        .operate_one::<encrypt::Encrypt>(&house.root, elsewhere, plain(b"x"))
        .await;
    assert!(matches!(refused, Err(Error::NotFound { .. })));
    // Nor may a keyring be called so.
    assert!(matches!(
        engine.read_key(&house.root, by_id(&id)).await,
        Err(Error::NotFound { .. })
    ));
}
