//! Principals that are suspended, by rules and by hand.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use skms_crypto::{Algorithm, Format, KeyMaterial, SecretBytes};
use skms_engine::acts::compromise::{Order, Reach, Rotation};
use skms_engine::acts::create_key::NewKeySpec;
use skms_engine::acts::import_key::Incoming;
use skms_engine::acts::namespaces;
use skms_engine::acts::tokens::NewToken;
use skms_engine::{Error, KeyRef};
use tokio::task::JoinSet;

use crate::common::{House, at, caller};
use crate::ready_made;

#[tokio::test]
async fn a_verdict_on_a_principal_shuts_it_out_until_it_is_undone() {
    let house = House::new().await;
    house
        .rule("misused-principal", &ready_made("misused-principal"))
        .await
        .unwrap();
    let eve = house.caller_in("eve", &["reader"]).await;
    let eves_other = house.caller_in("eve", &["crypto-user"]).await;
    let bob = house.caller_in("bob", &["reader"]).await;
    house.verdict_on("eve", 899).await.unwrap();
    assert!(house.gets_in(&eve).await);
    let answered = house.verdict_on("eve", 900).await.unwrap();
    assert_eq!(answered.acts[0].state, "done", "{answered:?}");
    for out in [&eve, &eves_other] {
        assert!(!house.gets_in(out).await);
    }
    assert!(house.gets_in(&bob).await && house.gets_in(&house.root).await);
    // A new credential of the same principal is no way round.
    let new = NewToken {
        principal: "eve".into(),
        groups: Default::default(),
        ttl_seconds: None,
        description: String::new(),
    };
    let engine = &house.engine;
    let issued = engine.create_token(&house.root, "root", new).await.unwrap();
    let token = String::from_utf8(issued.token.into_public()).unwrap();
    let refused = engine.authenticate_token(&token).await;
    assert!(matches!(refused, Err(Error::PrincipalSuspended { .. })));
    let all = engine.list_suspended(&house.root, "root").await.unwrap();
    assert_eq!((all.len(), all[0].name.as_str()), (1, "eve"));
    assert_eq!(all[0].reason, "by the rule misused-principal");
    // It outlasts a restart.
    let house = house.restart().await;
    let engine = &house.engine;
    assert!(engine.authenticate_token(&token).await.is_err());
    let id = house.acts().await[0].id.to_string();
    engine
        .undo_rule_act(&house.root, "root", &id)
        .await
        .unwrap();
    let eve = caller(engine, &token).await;
    assert!(house.gets_in(&eve).await);
    let house = house.restart().await;
    let eve = caller(&house.engine, &token).await;
    assert!(house.gets_in(&eve).await);
}

#[tokio::test]
async fn by_hand_it_works_the_same_and_needs_leave() {
    let house = House::new().await;
    let engine = &house.engine;
    let eve = house.caller_in("eve", &["reader"]).await;
    let refused = engine
        .suspend_principal(&eve, ("root", "root"), ("", false))
        .await;
    assert!(refused.is_err());
    let done = engine
        .suspend_principal(&house.root, ("root", "eve"), ("odd", false))
        .await;
    assert_eq!(done.unwrap().by, "root");
    assert!(!house.gets_in(&eve).await);
    let twice = engine
        .suspend_principal(&house.root, ("root", "eve"), ("", false))
        .await;
    assert!(matches!(twice, Err(Error::Exists { .. })), "{twice:?}");
    engine
        .resume_principal(&house.root, ("root", "eve"))
        .await
        .unwrap();
    let twice = engine.resume_principal(&house.root, ("root", "eve")).await;
    assert!(matches!(twice, Err(Error::NotFound { .. })));
    for reason in ["a\nb".to_owned(), "x".repeat(257)] {
        let at = ("root", "eve");
        assert!(
            engine
                .suspend_principal(&house.root, at, (&reason, false))
                .await
                .is_err()
        );
    }
}

#[tokio::test]
async fn nobody_is_locked_out_for_good() {
    let house = House::new().await;
    house
        .rule("misused-principal", &ready_made("misused-principal"))
        .await
        .unwrap();
    let engine = &house.engine;
    // The only one who could resume anybody.
    let answered = house.verdict_on("root", 1000).await.unwrap();
    assert_eq!(answered.acts[0].state, "skipped");
    let why = answered.acts[0].why.clone().unwrap();
    assert!(why.contains("lock everybody out"), "{why}");
    assert!(house.gets_in(&house.root).await);
    let by_hand = engine
        .suspend_principal(&house.root, ("root", "root"), ("", false))
        .await;
    assert!(matches!(by_hand, Err(Error::Invalid(_))));
    // A second administrator whose token ends soon is none.
    let new = NewToken {
        principal: "brief".into(),
        groups: ["admin".to_owned()].into(),
        ttl_seconds: Some(60),
        description: String::new(),
    };
    engine.create_token(&house.root, "root", new).await.unwrap();
    let answered = house.verdict_on("root", 1000).await.unwrap();
    assert_eq!(answered.acts[0].state, "skipped");
    // With another one there it is done; and then that one is the last.
    let second = house.caller_in("second", &["admin"]).await;
    let answered = house.verdict_on("root", 1000).await.unwrap();
    assert_eq!(answered.acts[0].state, "done");
    assert!(!house.gets_in(&house.root).await);
    let last = engine
        .suspend_principal(&second, ("root", "second"), ("", false))
        .await;
    assert!(matches!(last, Err(Error::Invalid(_))));
    engine
        .resume_principal(&second, ("root", "root"))
        .await
        .unwrap();
    let root = caller(engine, &house.root_token).await;
    assert!(house.gets_in(&root).await);
}

#[tokio::test]
async fn a_tenant_s_rule_does_not_reach_those_who_run_the_server() {
    let house = House::new().await;
    let engine = &house.engine;
    engine
        .create_namespace(&house.root, "team")
        .await
        .map(|_: namespaces::View| ())
        .unwrap();
    let event = r#"@answer("suspend-principal")
        permit (principal, action == SKMS::Action::"rule.event", resource is SKMS::Namespace)
        when { context.action == "policy.list" };"#;
    house.rule_in("team", "event", event).await.unwrap();
    let _second = house.caller_in("second", &["root"]).await;
    engine.list_policies(&house.root, "team").await.unwrap();
    engine.judge_events().await.unwrap();
    assert!(house.gets_in(&house.root).await);
    let acts = engine.list_rule_acts(&house.root, "team").await.unwrap();
    assert_eq!(acts[0].state, "skipped", "{acts:?}");
    let why = acts[0].why.clone().unwrap();
    assert!(why.contains("of another namespace"), "{why}");
}

#[tokio::test]
async fn an_event_names_the_principal_that_did_it() {
    let house = House::new().await;
    house.create("held", Algorithm::Aes256Gcm).await;
    let engine = &house.engine;
    let all = skms_keys::Versions::All;
    engine
        .suspend_key(&house.root, at("held"), all)
        .await
        .unwrap();
    let text = r#"@answer("suspend-principal")
        permit (principal in SKMS::Group::"crypto-user", action == SKMS::Action::"rule.event", resource is SKMS::Key)
        when { context.outcome == "failed" && resource.state == "suspended" };"#;
    house.rule("after", text).await.unwrap();
    let eve = house.caller_in("eve", &["crypto-user"]).await;
    let bob = house.caller_in("bob", &["crypto-user"]).await;
    let held = at("held");
    let item = crate::common::plain(b"x");
    let used = engine
        .operate_one::<skms_engine::acts::encrypt::Encrypt>(&eve, held, item)
        .await;
    assert!(used.is_err());
    // Not in the group.
    assert!(house.encrypt("held", b"x").await.is_err());
    engine.judge_events().await.unwrap();
    assert!(!house.gets_in(&eve).await);
    assert!(house.gets_in(&bob).await && house.gets_in(&house.root).await);
}

#[tokio::test]
async fn whoever_is_called_alike_elsewhere_is_somebody_else() {
    let house = House::new().await;
    let (engine, root) = (&house.engine, &house.root);
    house.team().await;
    engine.create_namespace(root, "other").await.unwrap();
    let issue = async |namespace| {
        let new = NewToken {
            principal: "alice".into(),
            groups: BTreeSet::new(),
            ttl_seconds: Some(3600),
            description: String::new(),
        };
        let issued = engine.create_token(root, namespace, new).await.unwrap();
        let token = String::from_utf8(issued.token.into_public()).unwrap();
        (issued.view.id, caller(engine, &token).await)
    };
    let (_, innocent) = issue("team").await;
    let (id, elsewhere) = issue("other").await;
    let denied = r#"@answer("suspend-principal") @limit("9 per day")
        permit (principal, action == SKMS::Action::"rule.event", resource)
        when { context.outcome == "denied" };"#;
    house.rule_in("team", "denied", denied).await.unwrap();
    let key = KeyRef {
        namespace: "team",
        ..at("nothing")
    };
    // Refused, and then gone before anybody looks.
    assert!(engine.read_key(&elsewhere, key).await.is_err());
    engine.revoke_token(root, "other", id).await.unwrap();
    engine.judge_events().await.unwrap();
    assert!(house.gets_in(&innocent).await);
    let acts = async || engine.list_rule_acts(root, "team").await.unwrap();
    let first = acts().await;
    let whom = Some(("other".to_owned(), "alice".to_owned()));
    assert_eq!((first.len(), first[0].state), (1, "skipped"), "{first:?}");
    assert_eq!(first[0].principal, whom);
    // Whom it is about all the same.
    assert!(engine.read_key(&innocent, key).await.is_err());
    engine.judge_events().await.unwrap();
    assert!(!house.gets_in(&innocent).await);
    assert_eq!(
        acts()
            .await
            .iter()
            .filter(|act| act.state == "done")
            .count(),
        1
    );
}

#[tokio::test]
async fn reasons_that_turn_text_round_are_refused_wherever_they_are_shown() {
    let house = House::new().await;
    let (engine, root) = (&house.engine, &house.root);
    house.create("one", Algorithm::Aes256Gcm).await;
    for (reason, good) in [
        ("odd \u{202e}x", false),
        ("odd\u{2028}", false),
        ("odd", true),
    ] {
        let suspended = engine
            .suspend_principal(root, ("root", "eve"), (reason, false))
            .await;
        assert_eq!(suspended.is_ok(), good, "{suspended:?}");
        let order = Order {
            versions: skms_keys::Versions::All,
            reason: reason.to_owned(),
            since: None,
            reach: Reach::default(),
            rotation: Rotation::default(),
        };
        let marked = engine.compromise_key(root, at("one"), order).await;
        assert_eq!(marked.is_ok(), good, "{:?}", marked.err());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_suspension_does_not_wait_for_what_is_coming_in() {
    let house = House::new().await;
    house.caller_in("eve", &["reader"]).await;
    let key = KeyMaterial::generate(Algorithm::EcP256).unwrap();
    let passphrase = b"a passphrase that is stretched for long";
    let sealed = key.export(Format::Pkcs8Der, Some(passphrase)).unwrap();
    let mut imports = JoinSet::new();
    for number in 0..16 {
        let bytes = SecretBytes::new(sealed.expose().to_vec());
        let (engine, root) = (Arc::clone(&house.engine), Arc::clone(&house.root));
        imports.spawn(async move {
            let incoming = Incoming {
                bytes,
                format: Format::Pkcs8Der,
                passphrase: Some(SecretBytes::new(passphrase.to_vec())),
                wrapped_with: None,
            };
            let name = format!("in-{number}");
            let made = engine.import_key(&root, at(&name), NewKeySpec::default(), incoming);
            made.await.map(drop)
        });
    }
    // All have begun.
    tokio::time::sleep(Duration::from_millis(20)).await;
    let suspended = house
        .engine
        .suspend_principal(&house.root, ("root", "eve"), ("stolen", false));
    suspended.await.unwrap();
    let mut done = 0;
    while imports.try_join_next().is_some() {
        done += 1;
    }
    assert!(done < 16, "it waited for all of them");
    while let Some(imported) = imports.join_next().await {
        imported.unwrap().unwrap();
    }
}
