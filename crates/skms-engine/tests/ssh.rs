//! SSH authorities under restarts, misuse and time: what is certified is
//! known, what is revoked stays revoked, and what counts is kept.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::sync::Arc;

use common::{House, at};
use skms_crypto::Algorithm;
use skms_engine::acts::ssh::{CertificateView, NewAuthority, NewCertificate, What};
use skms_engine::{Caller, Error, IdempotencyKey, Page};
use skms_keys::{RevocationReason, Revoke, Versions};
use skms_pki::ssh::{Asked, Certificate, CertificateType, Krl, PublicKey, Revoked, Role};

/// A public key that nobody has the other half of.
const KEY: &str = "ssh-ed25519 \
    AAAAC3NzaC1lZDI1NTE5AAAAIFP7VaWE6lFaqakVNBW4SKcWMJ0XzpEmXCQDFZUpnRqS someone";

async fn authority(house: &House, name: &str, key: &str) -> Result<(), Error> {
    let new = NewAuthority {
        name: name.to_owned(),
        certificate_type: CertificateType::User,
        keyring: "default".to_owned(),
        key: key.to_owned(),
        signature: None,
    };
    let (engine, root) = (&house.engine, &house.root);
    engine.create_ssh_authority(root, "root", new).await?;
    let role = |_| Role {
        principals: vec!["alice".to_owned()],
        default_principals: vec!["alice".to_owned()],
        ..Role::default()
    };
    engine
        .write_ssh_role(root, ("root", name, "ops"), role)
        .await?;
    Ok(())
}

async fn users() -> House {
    let house = House::new().await;
    house.create("users", Algorithm::Ed25519).await;
    authority(&house, "users", "users").await.unwrap();
    house
}

async fn sign_as(house: &House, caller: &Arc<Caller>) -> Result<CertificateView, Error> {
    let new = NewCertificate {
        public_key: KEY.to_owned(),
        asked: Asked::default(),
    };
    let place = ("root", "users", "ops");
    let engine = &house.engine;
    engine.sign_ssh_certificate(caller, place, new).await
}

async fn sign(house: &House) -> Result<CertificateView, Error> {
    sign_as(house, &house.root).await
}

async fn revoke(house: &House, what: Vec<What>) -> Result<u64, Error> {
    let (engine, root) = (&house.engine, &house.root);
    let view = engine.revoke_ssh(root, "root", "users", what).await?;
    Ok(view.krl_version)
}

fn serial(view: &CertificateView) -> What {
    What::Serial(view.certificate.grant.serial.to_string())
}

/// What the list names that is published.
fn list(house: &House) -> (u64, Revoked) {
    let list = house.engine.published_ssh_list("root", "users").unwrap();
    let read = Krl::decode(&list.bytes).unwrap();
    assert_eq!(read.version, list.version);
    (list.version, read.revoked)
}

fn listed(house: &House, view: &CertificateView) -> bool {
    let Certificate { key, grant, .. } = &view.certificate;
    list(house).1.names(grant.serial, &grant.key_id, key)
}

async fn all(house: &House) -> Vec<CertificateView> {
    let (engine, root) = (&house.engine, &house.root);
    let page = Page::new(100, None).unwrap();
    let found = engine.list_ssh_certificates(root, "root", "users", &page);
    found.await.unwrap().0
}

#[tokio::test]
async fn what_is_certified_and_revoked_outlasts_a_restart() {
    let house = users().await;
    let kept = sign(&house).await.unwrap();
    let gone = sign(&house).await.unwrap();
    assert_eq!(list(&house), (0, Revoked::default()));
    assert_eq!(revoke(&house, vec![serial(&gone)]).await.unwrap(), 1);
    // Twice is once, also in one request.
    let twice = vec![
        serial(&gone),
        What::KeyId("x".into()),
        What::KeyId("x".into()),
    ];
    assert_eq!(revoke(&house, twice).await.unwrap(), 2);
    assert!(listed(&house, &gone) && !listed(&house, &kept));
    let before = list(&house);

    let house = house.restart().await;
    assert_eq!(list(&house), before);
    let lines: Vec<_> = all(&house).await.into_iter().map(|one| one.line).collect();
    assert_eq!(lines, [kept.line, gone.line]);
    sign(&house).await.unwrap();
}

#[tokio::test]
async fn a_number_that_was_not_given_revokes_nothing_beside_it() {
    let house = users().await;
    let one = sign(&house).await.unwrap();
    let missing = vec![serial(&one), What::Serial("7".into())];
    let refused = revoke(&house, missing).await;
    assert!(
        matches!(refused, Err(Error::NotFound { .. })),
        "{refused:?}"
    );
    for odd in ["", "0", "-1", "1e3", "18446744073709551616"] {
        let refused = revoke(&house, vec![What::Serial(odd.into())]).await;
        assert!(matches!(refused, Err(Error::Invalid(_))), "{odd}");
    }
    let refused = revoke(&house, vec![What::KeyId("x".into()); 1001]).await;
    assert!(matches!(refused, Err(Error::TooLarge { .. })));
    assert!(revoke(&house, Vec::new()).await.is_err());
    assert_eq!(list(&house).0, 0);
}

#[tokio::test]
async fn a_revoked_key_or_identifier_is_certified_no_more() {
    let house = users().await;
    let one = sign(&house).await.unwrap();
    revoke(&house, vec![What::Key(KEY.into())]).await.unwrap();
    assert!(listed(&house, &one));
    let refused = sign(&house).await;
    assert!(matches!(refused, Err(Error::Invalid(_))), "{refused:?}");
    assert_eq!(all(&house).await.len(), 1);
}

#[tokio::test]
async fn only_a_compromised_authority_takes_along_what_it_signed() {
    let revoke_key = async |house: &House, reason| {
        let revoke = Revoke {
            versions: Versions::All,
            reason,
            message: String::new(),
            compromise_occurred_at: None,
        };
        let (engine, root) = (&house.engine, &house.root);
        engine.revoke_key(root, at("users"), revoke).await.unwrap();
    };
    for (reason, version) in [
        (RevocationReason::Superseded, 0),
        (RevocationReason::KeyCompromise, 1),
    ] {
        let house = users().await;
        let one = sign(&house).await.unwrap();
        revoke_key(&house, reason).await;
        let refused = sign(&house).await;
        assert!(matches!(refused, Err(Error::StateForbids { .. })));
        let (found, named) = list(&house);
        assert_eq!(found, version);
        let line = house.engine.published_ssh_key("root", "users").unwrap();
        let own = PublicKey::from_line(&line).unwrap();
        assert_eq!(named.keys.contains(&own.sha256()), version == 1);
        // Its own certificates are not named one by one.
        assert!(!listed(&house, &one));
        let house = house.restart().await;
        assert_eq!(list(&house), (found, named));
    }
    // Somebody named the key before: the compromise is no less.
    let house = users().await;
    let line = house.engine.published_ssh_key("root", "users").unwrap();
    revoke(&house, vec![What::Key(line)]).await.unwrap();
    revoke_key(&house, RevocationReason::KeyCompromise).await;
    assert_eq!(list(&house).0, 1);
}

#[tokio::test]
async fn an_authority_goes_when_nothing_counts_any_more() {
    let house = users().await;
    sign(&house).await.unwrap();
    let (engine, root) = (&house.engine, &house.root);
    let delete = async || engine.delete_ssh_authority(root, "root", "users").await;
    assert!(matches!(delete().await, Err(Error::NotEmpty(_))));
    house.config.clock.advance_seconds(3599);
    assert!(matches!(delete().await, Err(Error::NotEmpty(_))));
    house.config.clock.advance_seconds(1);
    delete().await.unwrap();
    assert!(matches!(delete().await, Err(Error::NotFound { .. })));
    let list = engine.published_ssh_list("root", "users");
    assert!(matches!(list, Err(Error::NotFound { .. })));
    // One of the same name is another, and knows nothing of the first's.
    authority(&house, "users", "users").await.unwrap();
    assert!(all(&house).await.is_empty());
    let house = house.restart().await;
    assert!(all(&house).await.is_empty());
}

#[tokio::test]
async fn the_key_beneath_an_authority_stays_the_same() {
    let house = users().await;
    let (engine, root) = (&house.engine, &house.root);
    let refused = engine.rotate_key(root, at("users"), None).await;
    assert!(matches!(refused, Err(Error::KeyForbids(_))));
    house.create("sealing", Algorithm::Aes256Gcm).await;
    house.create("quantum", Algorithm::MlDsa65).await;
    for key in ["sealing", "quantum"] {
        let refused = authority(&house, "other", key).await;
        assert!(matches!(refused, Err(Error::KeyForbids(_))), "{key}");
    }
    // Of two on one key, neither's list would name what the other revoked.
    let refused = authority(&house, "other", "users").await;
    assert!(matches!(refused, Err(Error::Exists { .. })));
    house.create("spare", Algorithm::Ed25519).await;
    engine
        .suspend_key(root, at("spare"), Versions::All)
        .await
        .unwrap();
    let refused = authority(&house, "other", "spare").await;
    assert!(matches!(refused, Err(Error::StateForbids { .. })));
}

#[tokio::test]
async fn the_same_request_is_certified_once() {
    let house = users().await;
    let once = Arc::new(Caller {
        idempotency: Some(IdempotencyKey::new("k".into(), [1; 32]).unwrap()),
        calling: skms_engine::approvals::Calling::default(),
        ..Caller::clone(&house.root)
    });
    let first = sign_as(&house, &once).await.unwrap();
    let again = sign_as(&house, &once).await.unwrap();
    assert_eq!(first.line, again.line);
    assert_eq!(all(&house).await.len(), 1);
}
