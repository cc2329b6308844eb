//! The recovery grant that an incident's data needs, asked for ahead.

use std::sync::Arc;

use skms_crypto::Algorithm;
use skms_engine::acts::approvals::NewApproval;
use skms_engine::acts::compromise::verify_report;
use skms_engine::approvals::{Asked, Calling};
use skms_engine::{Caller, Error};
use skms_keys::{UnixSeconds, Versions};

use crate::common::{House, START_MS, at};
use crate::{compromise, order};

const POLICY: &str = r#"@approvals("1") @approvers("SKMS::Group::\"officers\"")
forbid (principal, action == SKMS::Action::"key.recovery-grant", resource);
permit (principal in SKMS::Group::"officers",
action in [SKMS::Action::"approval.approve", SKMS::Action::"approval.read"], resource);"#;

#[tokio::test]
async fn the_report_names_a_grant_that_approval_opens() {
    let house = House::new().await;
    let engine = &house.engine;
    house.create("k", Algorithm::Aes256Gcm).await;
    let sealed = house.encrypt("k", b"to be saved").await.unwrap();
    let written = engine.write_policy(&house.root, "root", "marks", POLICY);
    written.await.unwrap();
    let begun = compromise(&house, "k", order()).await;
    house.engine.finish_incidents().await.unwrap();
    let done = house.engine.read_incident(&house.root, "root", begun.id);
    let done = done.await.unwrap();
    let key = engine.incident_key(&house.root, "root").await.unwrap();
    let report = verify_report(&done.report.unwrap(), &key.pem).unwrap();
    let row = &report["reencrypt"][0];
    let id = row["approval"].as_str().unwrap().to_owned();
    let command = row["grant"].as_str().unwrap();
    assert_eq!(row["ready"], false);
    assert_eq!(row["rotate"], "skms key rotate default/k");
    assert!(command.contains(&format!("--approval {id}")), "{command}");
    let (_, until) = command.split_once("--until ").unwrap();
    let until = until.split(' ').next().unwrap();

    let view = engine
        .read_approval(&house.root, "root", &id)
        .await
        .unwrap();
    assert_eq!(view.facts.requester.path(), "root/root");
    assert!(view.facts.target.standing.starts_with("1 compromised"));
    // What the command would send, by the native face.
    let reason = format!("incident {}", done.id);
    let body = serde_json::json!({"until": until, "reason": reason});
    let asked = Asked::new("key-recovery-grant")
        .with(":namespace", "\"root\"")
        .with(":keyring", "\"default\"")
        .with(":key", "\"k\"")
        .with_body(&body);
    let caller = Arc::new(Caller {
        calling: Calling {
            asked: Some(Arc::new(asked.with_approvals(&id).unwrap())),
            ..Calling::default()
        },
        ..Caller::clone(&house.root)
    });
    let until = UnixSeconds(START_MS / 1000 + 7 * 86_400);
    let grant = async || {
        let granted = engine.grant_recovery(&caller, at("k"), Versions::All, until, &reason);
        granted.await
    };
    assert!(matches!(grant().await, Err(Error::ApprovalRequired { .. })));
    let alice = house.caller_in("alice", &["officers"]).await;
    let hash = view.facts.hash();
    let new = NewApproval {
        hash: hash.iter().map(|byte| format!("{byte:02x}")).collect(),
        ..NewApproval::default()
    };
    engine.approve(&alice, ("root", &id), new).await.unwrap();
    assert!(house.decrypt("k", &sealed).await.is_err());
    grant().await.unwrap();
    let saved = house.decrypt("k", &sealed).await.unwrap();
    assert_eq!(saved.expose(), b"to be saved");
}

#[tokio::test]
async fn without_a_mark_nobody_is_asked() {
    let house = House::new().await;
    house.create("k", Algorithm::Aes256Gcm).await;
    let begun = compromise(&house, "k", order()).await;
    house.engine.finish_incidents().await.unwrap();
    let done = house.engine.read_incident(&house.root, "root", begun.id);
    let done = done.await.unwrap();
    let key = house
        .engine
        .incident_key(&house.root, "root")
        .await
        .unwrap();
    let report = verify_report(&done.report.unwrap(), &key.pem).unwrap();
    assert!(report["reencrypt"][0].get("approval").is_none());
    let all = house.engine.list_approvals(&house.root, "root").await;
    assert!(all.unwrap().is_empty());
}
