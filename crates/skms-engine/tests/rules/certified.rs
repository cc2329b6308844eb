//! Certificates of keys kept here that somebody revoked.

use skms_crypto::{Algorithm, Use, Uses};
use skms_engine::KeyRef;
use skms_engine::acts::authorities::{Extent, Foundation, NewAuthority, Rules, Subject, View};
use skms_engine::acts::certificates::{NewCertificate, SubjectKey};
use skms_engine::acts::create_key::NewKeySpec;
use skms_engine::acts::trusts::NewTrust;
use skms_keys::{KeyState, RevocationReason};
use skms_pki::Identity;
use skms_pki::issue::ProfileKind;
use tempfile::TempDir;

use crate::common::{House, at};
use crate::openssl::{AUTHORITY, Ca, EVER, Leaf, der};
use crate::ready_made;

/// An authority on a key of the default keyring; below somebody else's if
/// `external`.
pub async fn authority(house: &House, namespace: &str, key: &str, external: Option<()>) -> View {
    let new = NewAuthority {
        name: key.to_owned(),
        keyring: "default".to_owned(),
        key: key.to_owned(),
        subject: format!("CN={key}").parse().unwrap(),
        foundation: match external {
            Some(()) => Foundation::External,
            None => Foundation::Root,
        },
        extent: Extent::default(),
        signature: None,
        rules: Rules::default(),
    };
    let engine = &house.engine;
    engine
        .create_authority(&house.root, namespace, new)
        .await
        .unwrap()
}

async fn signing_key(house: &House, at: KeyRef<'_>) {
    let spec = NewKeySpec {
        algorithm: Some(Algorithm::EcP256),
        uses: Some(Uses::of(&[Use::Sign])),
        ..NewKeySpec::default()
    };
    house
        .engine
        .create_key(&house.root, at, spec)
        .await
        .unwrap();
}

fn rule(condition: &str) -> String {
    format!(
        "@answer(\"suspend\") permit (principal, action == \
         SKMS::Action::\"rule.certificate\", resource) when {{ {condition} }};"
    )
}

#[tokio::test]
async fn the_key_of_a_certificate_that_was_revoked_here_is_suspended() {
    let house = House::new().await;
    signing_key(&house, at("ca")).await;
    authority(&house, "root", "ca", None).await;
    for name in ["web", "mail"] {
        signing_key(&house, at(name)).await;
    }
    let text = rule("!context.elsewhere && context.reason == \"privilegeWithdrawn\"");
    house.rule("withdrawn", &text).await.unwrap();
    let engine = &house.engine;
    let mut serials = Vec::new();
    for name in ["web", "mail"] {
        let new = NewCertificate {
            profile: ProfileKind::TlsServer.into(),
            key: SubjectKey::Kept {
                keyring: "default".to_owned(),
                key: name.to_owned(),
                version: None,
            },
            subject: None,
            names: vec!["www.example.org".parse().unwrap()],
            lifetime_seconds: None,
        };
        let issued = engine
            .issue_certificate(&house.root, "root", "ca", new)
            .await;
        serials.push(issued.unwrap().certificate.serial.to_string());
    }
    let reasons = [
        RevocationReason::PrivilegeWithdrawn,
        RevocationReason::Superseded,
    ];
    for (serial, reason) in serials.iter().zip(reasons) {
        engine
            .revoke_certificate(&house.root, "root", "ca", serial, reason, None)
            .await
            .unwrap();
    }
    engine.judge_events().await.unwrap();
    assert_eq!(house.state("web").await, KeyState::Suspended);
    assert_eq!(house.state("mail").await, KeyState::Active);
    let acts = house.acts().await;
    assert_eq!((acts.len(), acts[0].trigger.as_str()), (1, "certificate"));
}

#[tokio::test]
async fn the_key_of_a_certificate_that_an_imported_list_names_is_suspended() {
    let house = House::new().await;
    let folder = TempDir::new().unwrap();
    let corp = Ca::root(folder.path(), "corp", "/O=Corp/CN=Corp", AUTHORITY);
    let engine = &house.engine;
    house.team().await;
    let of = |name| KeyRef {
        namespace: "team",
        ..at(name)
    };
    for name in ["near", "far"] {
        signing_key(&house, of(name)).await;
        let waiting = authority(&house, "team", name, Some(())).await;
        let pem = corp.certify(name, &waiting.request.unwrap());
        let chain = vec![der(&pem), der(&corp.pem())];
        engine
            .install_authority_certificate(&house.root, "team", name, chain)
            .await
            .unwrap();
    }
    let new = NewTrust {
        name: "corp".into(),
        anchors: vec![corp.pem()],
        intermediates: vec![],
        lists: vec![],
        identity: Identity::Uri,
        checking: None,
    };
    engine.create_trust(&house.root, "team", new).await.unwrap();
    let text = ready_made("revoked-elsewhere");
    let name = "revoked-elsewhere";
    house.rule_in("team", name, &text).await.unwrap();
    let import = async || {
        let list = corp.crl(EVER);
        engine
            .import_trust_lists(&house.root, ("team", "corp"), list)
            .await
            .unwrap();
        engine.judge_events().await.unwrap();
    };
    import().await;
    assert_eq!(house.states(of("far")).await, [KeyState::Active]);
    corp.revoke(&Leaf::of_authority(folder.path(), "far"));
    import().await;
    assert_eq!(house.states(of("far")).await, [KeyState::Suspended]);
    assert_eq!(house.states(of("near")).await, [KeyState::Active]);
    let acts = engine.list_rule_acts(&house.root, "team").await.unwrap();
    assert_eq!((acts.len(), acts[0].state), (1, "done"));
    // The next list names it again, which is nothing new.
    import().await;
    let acts = engine.list_rule_acts(&house.root, "team").await.unwrap();
    assert_eq!(acts.len(), 1);
}

#[tokio::test]
async fn strangers_revocations_are_none_of_a_namespace_s_business() {
    let house = House::new().await;
    let (engine, root) = (&house.engine, &house.root);
    house.team().await;
    engine.create_namespace(root, "other").await.unwrap();
    let defaults = skms_keys::Defaults::default();
    let ring = engine.create_keyring(root, "other", "default", defaults);
    ring.await.unwrap();
    let of = |namespace, name| KeyRef {
        namespace,
        ..at(name)
    };
    // Both are called alike.
    for namespace in ["other", "root"] {
        signing_key(&house, of(namespace, "corp")).await;
        authority(&house, namespace, "corp", None).await;
    }
    let theirs = |name| of("team", name);
    for name in ["web", "sub"] {
        signing_key(&house, theirs(name)).await;
    }
    let web = authority(&house, "team", "web", Some(())).await;
    let sub = authority(&house, "team", "sub", Some(())).await;
    let anything = rule("context.issuer == \"corp\" && context.reason == \"superseded\"");
    let anything = format!("@limit(\"9 per day\") {anything}");
    house.rule_in("team", "any", &anything).await.unwrap();
    let revoke = async |namespace, serial: String| {
        let reason = RevocationReason::Superseded;
        engine
            .revoke_certificate(root, namespace, "corp", &serial, reason, None)
            .await
            .unwrap();
        engine.judge_events().await.unwrap();
    };
    // Whoever has a request that was signed once can have it certified.
    let request = web.request.unwrap();
    for (namespace, state) in [("other", KeyState::Active), ("root", KeyState::Suspended)] {
        let new = NewCertificate {
            profile: ProfileKind::TlsServer.into(),
            key: SubjectKey::Request(request.clone()),
            subject: Some("CN=www.example.org".parse().unwrap()),
            names: vec!["www.example.org".parse().unwrap()],
            lifetime_seconds: None,
        };
        let issued = engine.issue_certificate(root, namespace, "corp", new).await;
        revoke(namespace, issued.unwrap().certificate.serial.to_string()).await;
        assert_eq!(house.states(theirs("web")).await, [state], "{namespace}");
    }
    // An authority of theirs that is below it is another matter.
    let subject = Subject::Request(sub.request.unwrap());
    let extent = Extent::default();
    let made = engine
        .certify_authority(root, "other", "corp", subject, extent)
        .await
        .unwrap();
    let serial = made.serial.to_string();
    let chain = made.chain.clone();
    engine
        .install_authority_certificate(root, "team", "sub", chain)
        .await
        .unwrap();
    revoke("other", serial).await;
    assert_eq!(house.states(theirs("sub")).await, [KeyState::Suspended]);
    // The rule can tell them apart.
    let acts = engine.list_rule_acts(root, "team").await.unwrap();
    let told = |issuer: &str| acts.iter().any(|act| act.trigger_id.starts_with(issuer));
    assert!(
        told("root/corp ") && told("other/corp ") && acts.len() == 2,
        "{acts:?}"
    );
}
