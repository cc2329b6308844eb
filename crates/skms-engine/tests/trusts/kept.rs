//! An authority that is kept here below an external one: it names nobody by a
//! trust, for what it revokes is on none of the trust's lists.

use skms_crypto::Algorithm;
use skms_engine::acts::authorities::{Extent, Foundation, NewAuthority, Rules};
use skms_engine::acts::certificates::{NewCertificate, SubjectKey};
use skms_pki::issue::ProfileKind;

use crate::openssl::{Ca, der};
use crate::{ALICE, Stage};

/// Makes an authority here that waits for `ca` to certify it; its request.
async fn waiting(stage: &Stage, namespace: &str) -> Vec<u8> {
    let (engine, root) = (&stage.house.engine, &stage.house.root);
    stage.house.create("below", Algorithm::EcP256).await;
    let new = NewAuthority {
        name: "below".to_owned(),
        keyring: "default".to_owned(),
        key: "below".to_owned(),
        subject: "O=Corp,CN=below".parse().unwrap(),
        foundation: Foundation::External,
        extent: Extent::default(),
        signature: None,
        rules: Rules::default(),
    };
    let made = engine.create_authority(root, namespace, new).await.unwrap();
    made.request.unwrap()
}

async fn install(stage: &Stage, certificate: &[u8], ca: &Ca) {
    let chain = vec![der(certificate), der(&ca.pem())];
    let (engine, root) = (&stage.house.engine, &stage.house.root);
    engine
        .install_authority_certificate(root, "root", "below", chain)
        .await
        .unwrap();
}

/// A client's certificate by the authority that is kept here, with those above.
async fn issue(stage: &Stage) -> Vec<Vec<u8>> {
    let (engine, root) = (&stage.house.engine, &stage.house.root);
    let new = NewCertificate {
        profile: ProfileKind::TlsClient.into(),
        key: SubjectKey::New(Algorithm::EcP256),
        subject: None,
        names: vec![ALICE.parse().unwrap()],
        lifetime_seconds: None,
    };
    let made = engine.issue_certificate(root, "root", "below", new);
    made.await.unwrap().certificate.chain
}

#[tokio::test]
async fn an_authority_that_is_kept_here_names_nobody_by_a_trust() {
    let stage = Stage::new().await;
    let corp = stage.root("corp");
    stage.corp(&corp).await;
    let alice = corp.client("alice", ALICE);
    let before = stage.login("root", &[alice.der()]).await.unwrap();
    let request = waiting(&stage, "root").await;
    assert!(!stage.goes_on(&before).await, "an authority was made");
    let before = stage.login("root", &[alice.der()]).await.unwrap();
    let certificate = corp.certify("below", &request);
    install(&stage, &certificate, &corp).await;
    assert!(!stage.goes_on(&before).await, "an authority was certified");
    let why = stage.why(&issue(&stage).await).await;
    assert!(why.contains("is kept here"), "{why}");
    // The external authority's own still are who they were.
    assert!(stage.enters(&alice).await);
    let other = corp.below("other", "/O=Corp/CN=other", crate::AUTHORITY);
    let bob = [other.client("bob", ALICE).der(), der(&other.pem())];
    assert!(stage.login("root", &bob).await.is_ok());
}
