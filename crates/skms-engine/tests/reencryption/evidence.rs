//! What a job shows about what may be left, and its signed report.

use skms_engine::Error;
use skms_engine::acts::compromise::{verify_job_report, verify_report};
use skms_engine::acts::reencryption::{Evidence, Step};
use skms_keys::{KeyUpdate, VersionNumber};
use skms_store::RecordId;

use super::common::{House, at};
use super::{batch, item, job, rotate, tell, two_versions, unreadable};

async fn raise(house: &House, to: u32, evidence: Option<Evidence>) -> Result<u32, Error> {
    let (update, to) = (KeyUpdate::default(), Some(VersionNumber(to)));
    let changed = house
        .engine
        .update_key(&house.root, at("orders"), update, to, None, evidence);
    Ok(changed.await?.key().minimum_decrypt_version.0)
}

async fn refused(house: &House, to: u32, id: RecordId) -> String {
    match raise(house, to, Some(Evidence::Job(id))).await {
        Err(Error::NoEvidence(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_minimum_is_raised_on_evidence_alone() {
    let house = House::new().await;
    let (old, new) = two_versions(&house, "orders").await;
    let none = raise(&house, 2, None).await;
    assert!(matches!(none, Err(Error::NoEvidence(_))), "{none:?}");
    let id = job(&house, "orders").await;
    assert!(refused(&house, 2, id).await.contains("it is ready"));
    let mut items: Vec<_> = old.iter().map(item).collect();
    items.push(item(&new));
    batch(&house, id, 1, items).await.unwrap();
    assert!(refused(&house, 2, id).await.contains("it is running"));
    tell(&house, id, Step::Finish { complete: false })
        .await
        .unwrap();
    assert!(refused(&house, 2, id).await.contains("that these were all"));
    tell(&house, id, Step::Finish { complete: true })
        .await
        .unwrap();
    // It is about one key, and about what there was.
    house
        .create("other", skms_crypto::Algorithm::Aes256Gcm)
        .await;
    let elsewhere = house.engine.update_key(
        &house.root,
        at("other"),
        KeyUpdate::default(),
        Some(VersionNumber(2)),
        None,
        Some(Evidence::Job(id)),
    );
    assert!(matches!(
        elsewhere.await,
        Err(Error::NotFound { what: "job" })
    ));
    rotate(&house, "orders").await;
    assert!(
        refused(&house, 3, id)
            .await
            .contains("4 of 4 were moved to a version below it")
    );
    assert_eq!(raise(&house, 2, Some(Evidence::Job(id))).await.unwrap(), 2);
    let gone = house.decrypt("orders", &old[0]).await;
    assert!(
        gone.unwrap_err()
            .to_string()
            .contains("below the minimum version 2")
    );
    // Lowering takes nothing from anybody and needs no evidence.
    assert_eq!(raise(&house, 1, None).await.unwrap(), 1);
    house.decrypt("orders", &old[0]).await.unwrap();
    assert_eq!(raise(&house, 3, Some(Evidence::Insisted)).await.unwrap(), 3);
}

#[tokio::test]
async fn failures_an_empty_list_and_an_early_start_show_nothing() {
    let house = House::new().await;
    let (old, _) = two_versions(&house, "orders").await;
    let id = job(&house, "orders").await;
    batch(&house, id, 1, vec![item(&old[0]), unreadable("x")])
        .await
        .unwrap();
    tell(&house, id, Step::Finish { complete: true })
        .await
        .unwrap();
    assert!(
        refused(&house, 2, id)
            .await
            .contains("1 of 2 could not be moved")
    );
    let id = job(&house, "orders").await;
    tell(&house, id, Step::Finish { complete: true })
        .await
        .unwrap();
    assert!(
        refused(&house, 2, id)
            .await
            .contains("it saw no ciphertext")
    );
    // Begun before version 3 was there: its list may lack what version 2 made
    // since then.
    let id = job(&house, "orders").await;
    batch(&house, id, 1, vec![item(&old[0])]).await.unwrap();
    house.config.clock.advance_seconds(5);
    rotate(&house, "orders").await;
    tell(&house, id, Step::Finish { complete: true })
        .await
        .unwrap();
    assert!(
        refused(&house, 3, id)
            .await
            .contains("before version 3 was in use")
    );
    assert_eq!(raise(&house, 2, Some(Evidence::Job(id))).await.unwrap(), 2);
}

#[tokio::test]
async fn a_report_is_checked_without_the_server() {
    let house = House::new().await;
    let (old, _) = two_versions(&house, "orders").await;
    let id = job(&house, "orders").await;
    batch(&house, id, 1, vec![item(&old[0]), unreadable("x")])
        .await
        .unwrap();
    let view = tell(&house, id, Step::Finish { complete: true })
        .await
        .unwrap();
    let made = house
        .engine
        .job_report(&house.root, "root", id)
        .await
        .unwrap();
    let says = verify_job_report(&made.report, &made.key.pem).unwrap();
    assert_eq!(says["job"], id.to_string());
    assert_eq!(says["key"]["name"], "orders");
    assert_eq!(says["state"], "failed");
    assert_eq!(says["counts"]["moved"], 1);
    assert_eq!(says["counts"]["from"]["1"], 1);
    assert_eq!(says["failures"][0]["item"], 2);
    assert_eq!(says["sha256"], view.digest);
    assert_eq!(says["complete"], true);
    // It is no report on an incident, and none that was altered.
    assert!(verify_report(&made.report, &made.key.pem).is_err());
    let mut parts = made.report.split('.');
    let (header, payload, signature) = (
        parts.next().unwrap(),
        parts.next().unwrap(),
        parts.next().unwrap(),
    );
    let altered = format!("{header}.{}A.{signature}", &payload[..payload.len() - 1]);
    assert!(verify_job_report(&altered, &made.key.pem).is_err());
}
