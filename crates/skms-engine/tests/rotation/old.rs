//! Versions that were replaced: they process until their period ends, and are
//! destroyed then, unless something needs them.

use skms_crypto::Algorithm;
use skms_engine::acts::authorities::{self, Extent, Foundation, NewAuthority};
use skms_engine::acts::certificates::{NewCertificate, SubjectKey};
use skms_engine::acts::create_key::NewKeySpec;
use skms_engine::acts::derive_key::NewDerivation;
use skms_evidence::DetailKey;
use skms_keys::{KeyState, RevocationReason, Rules, VersionNumber, Versions};
use skms_pki::issue::ProfileKind;

use crate::common::{House, at};
use crate::{DAY, detail};

fn fading() -> Rules {
    Rules {
        rotate_after_seconds: Some(30 * DAY as u64),
        rotate_spread_seconds: Some(0),
        originator_usage_period_seconds: Some(31 * DAY as u64),
        recipient_usage_period_seconds: Some(90 * DAY as u64),
        destroy_old_after_seconds: Some(DAY as u64),
        warn_before_seconds: Some(0),
        ..Rules::default()
    }
}

impl House {
    async fn state(&self, name: &str, version: u32) -> KeyState {
        let read = self.engine.read_key(&self.root, at(name)).await.unwrap();
        read.key().version(VersionNumber(version)).unwrap().state
    }

    async fn pass(&self, days: i64) {
        for _ in 0..days {
            self.config.clock.advance_seconds(DAY);
            self.settle().await;
        }
    }
}

#[tokio::test]
async fn an_old_version_processes_then_waits_its_window_and_goes() {
    let house = House::new().await;
    house
        .with_rules("card", Algorithm::Xaes256Gcm, fading())
        .await;
    let sealed = house.encrypt("card", b"x").await.unwrap();
    house.pass(89).await;
    assert_eq!(house.newest("card").await, 3);
    assert_eq!(house.state("card", 1).await, KeyState::Deactivated);
    house.decrypt("card", &sealed).await.unwrap();
    house.pass(1).await;
    assert!(
        house.decrypt("card", &sealed).await.is_err(),
        "its period is over"
    );
    house.pass(1).await;
    // Scheduled, with seven days in which it can be taken back.
    let read = house
        .engine
        .read_key(&house.root, at("card"))
        .await
        .unwrap();
    let first = read.key().version(VersionNumber(1)).unwrap();
    assert!(first.is_pending_destruction());
    let (engine, root) = (&house.engine, &house.root);
    let one = Versions::One(VersionNumber(1));
    house.pass(7).await;
    assert_eq!(house.state("card", 1).await, KeyState::Destroyed);
    assert!(engine.restore_key(root, at("card"), one).await.is_err());
    assert_ne!(house.state("card", 2).await, KeyState::Destroyed);
    house.encrypt("card", b"x").await.unwrap();
}

#[tokio::test]
async fn what_something_needs_is_kept_and_said_once() {
    let house = House::new().await;
    house
        .with_rules("master", Algorithm::HkdfSha256, fading())
        .await;
    let (engine, root) = (&house.engine, &house.root);
    let wanted = NewDerivation {
        version: None,
        context: Vec::new(),
        spec: NewKeySpec {
            algorithm: Some(Algorithm::Xaes256Gcm),
            ..NewKeySpec::default()
        },
    };
    engine
        .derive_key(root, at("master"), at("child"), wanted)
        .await
        .unwrap();
    house.pass(110).await;
    assert_eq!(house.state("master", 1).await, KeyState::Deactivated);
    let kept = house.acts("key.warn").await;
    assert_eq!(kept.len(), 1, "said once");
    let reason = detail(&kept[0], DetailKey::Reason);
    assert!(reason.contains("derived"), "{reason}");
    // Rotations go on meanwhile.
    assert!(house.newest("master").await >= 4);
    // It goes when what needs it is gone.
    engine
        .destroy_key(root, at("child"), Versions::All, None)
        .await
        .unwrap();
    house.pass(20).await;
    assert_eq!(house.state("child", 1).await, KeyState::Destroyed);
    assert_eq!(house.state("master", 1).await, KeyState::Destroyed);
}

#[tokio::test]
async fn a_version_with_a_good_certificate_is_kept_also_one_that_was_on_hold() {
    let house = House::new().await;
    house.create("ca", Algorithm::EcP256).await;
    let new = NewAuthority {
        name: "ca".to_owned(),
        keyring: "default".to_owned(),
        key: "ca".to_owned(),
        subject: "CN=ca".parse().unwrap(),
        foundation: Foundation::Root,
        extent: Extent::default(),
        signature: None,
        rules: authorities::Rules {
            hold_suspended: true,
            ..authorities::Rules::default()
        },
    };
    let (engine, root) = (&house.engine, &house.root);
    engine.create_authority(root, "root", new).await.unwrap();
    house.with_rules("leaf", Algorithm::EcP256, fading()).await;
    let wanted = NewCertificate {
        profile: ProfileKind::TlsServer.into(),
        key: SubjectKey::Kept {
            keyring: "default".to_owned(),
            key: "leaf".to_owned(),
            version: None,
        },
        subject: None,
        names: vec!["www.example.org".parse().unwrap()],
        lifetime_seconds: Some(200 * DAY as u64),
    };
    let issued = engine.issue_certificate(root, "root", "ca", wanted).await;
    let serial = issued.unwrap().certificate.serial.to_string();
    // On hold for a moment, and good again.
    let all = Versions::All;
    engine.suspend_key(root, at("leaf"), all).await.unwrap();
    engine.resume_key(root, at("leaf"), all).await.unwrap();
    let scheduled = async || {
        let read = engine.read_key(root, at("leaf")).await.unwrap();
        let first = read.key().version(VersionNumber(1)).unwrap();
        first.is_pending_destruction()
    };
    house.pass(95).await;
    assert!(!scheduled().await, "its certificate is good");
    let hold = RevocationReason::CertificateHold;
    let held = engine.revoke_certificate(root, "root", "ca", &serial, hold, None);
    held.await.unwrap();
    house.pass(2).await;
    assert!(!scheduled().await, "its certificate may be good again");
    let gone = RevocationReason::Superseded;
    let revoked = engine.revoke_certificate(root, "root", "ca", &serial, gone, None);
    revoked.await.unwrap();
    house.pass(2).await;
    assert!(scheduled().await);
}
