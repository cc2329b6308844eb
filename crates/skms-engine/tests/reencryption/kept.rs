//! How many jobs there are, and when they go.

use skms_crypto::Algorithm;
use skms_engine::acts::reencryption::{
    JOBS_PER_KEY, JOBS_PER_NAMESPACE, JobState, KEPT_SECONDS, NewJob, Step, View,
};
use skms_engine::{Error, Result};
use skms_evidence::{DetailKey, DetailValue};

use crate::common::{House, at};
use crate::{batch, item, job, read, tell, two_versions};

async fn create(house: &House, name: &str) -> Result<View> {
    let made = house
        .engine
        .create_job(&house.root, at(name), NewJob::default());
    made.await
}

fn refused(made: Result<View>, of: &str) {
    match made {
        Err(Error::QuotaExceeded { what, .. }) => assert!(what.contains(of), "{what}"),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("one too many"),
    }
}

#[tokio::test]
async fn ended_jobs_go_after_their_time() {
    let house = House::new().await;
    let (old, _) = two_versions(&house, "orders").await;
    let (ended, open) = (job(&house, "orders").await, job(&house, "orders").await);
    batch(&house, ended, 1, vec![item(&old[0])]).await.unwrap();
    house.config.clock.advance_seconds(1);
    batch(&house, open, 1, vec![item(&old[0])]).await.unwrap();
    house.config.clock.advance_seconds(-1);
    tell(&house, ended, Step::Finish { complete: true })
        .await
        .unwrap();
    assert_eq!(house.engine.forget_ended_jobs().await.unwrap(), 0);
    house.config.clock.advance_seconds(KEPT_SECONDS - 1);
    assert_eq!(house.engine.forget_ended_jobs().await.unwrap(), 0);
    house.config.clock.advance_seconds(1);
    assert_eq!(house.engine.forget_ended_jobs().await.unwrap(), 1);
    let gone = house.engine.read_job(&house.root, "root", ended).await;
    assert!(matches!(gone, Err(Error::NotFound { .. })));
    let open = read(&house, open).await;
    assert_eq!((open.progress.items, open.state), (1, JobState::Running));
}

#[tokio::test]
async fn a_job_that_nobody_goes_on_with_ends_and_goes() {
    let house = House::new().await;
    let (old, _) = two_versions(&house, "orders").await;
    let (left, paused, used) = (
        job(&house, "orders").await,
        job(&house, "orders").await,
        job(&house, "orders").await,
    );
    batch(&house, left, 1, vec![item(&old[0])]).await.unwrap();
    tell(&house, paused, Step::Pause).await.unwrap();
    house.config.clock.advance_seconds(KEPT_SECONDS - 1);
    batch(&house, used, 1, vec![item(&old[0])]).await.unwrap();
    house.engine.forget_ended_jobs().await.unwrap();
    assert_eq!(read(&house, left).await.state, JobState::Running);
    house.config.clock.advance_seconds(1);
    assert_eq!(house.engine.forget_ended_jobs().await.unwrap(), 0);
    assert_eq!(read(&house, used).await.state, JobState::Running);
    for id in [left, paused] {
        let view = read(&house, id).await;
        assert_eq!(view.state, JobState::Cancelled);
        assert_eq!(view.ended_by.as_deref(), Some("jobs"));
        assert_eq!(view.ended_at, Some(house.config.clock.now()));
        assert!(!view.complete);
    }
    let again = batch(&house, left, 1, vec![item(&old[0])]).await;
    assert!(
        matches!(again, Err(Error::JobRefuses(_))),
        "its answer went"
    );
    let events = house.engine.read_events(&house.root, "root", 0, 1000);
    let (mut events, _) = events.await.unwrap();
    events.retain(|one| one.event.principal.as_str() == "jobs");
    let said: Vec<_> = events
        .iter()
        .map(|one| {
            assert_eq!(one.event.action.as_str(), "job.update");
            let target = &one.event.targets[0];
            assert_eq!(target.name.as_str(), "root/default/orders");
            assert!(!target.id.as_str().is_empty());
            let details = &one.event.details;
            match (
                details.get(DetailKey::FromState),
                details.get(DetailKey::ToState),
            ) {
                (Some(DetailValue::Text(from)), Some(DetailValue::Text(to))) => {
                    (from.as_str().to_owned(), to.as_str().to_owned())
                }
                other => panic!("{other:?}"),
            }
        })
        .collect();
    let mut said: Vec<_> = said.iter().map(|(from, to)| (&**from, &**to)).collect();
    said.sort_unstable();
    assert_eq!(said, [("paused", "cancelled"), ("running", "cancelled")]);
    house.config.clock.advance_seconds(KEPT_SECONDS);
    assert_eq!(house.engine.forget_ended_jobs().await.unwrap(), 2);
    assert_eq!(read(&house, used).await.state, JobState::Cancelled);
}

#[tokio::test]
async fn a_key_has_so_many_unfinished_jobs_and_no_more() {
    let house = House::new().await;
    for name in ["orders", "others"] {
        house.create(name, Algorithm::Aes256Gcm).await;
    }
    let mut made = Vec::new();
    for _ in 0..JOBS_PER_KEY {
        made.push(job(&house, "orders").await);
    }
    refused(create(&house, "orders").await, "of the key default/orders");
    create(&house, "others").await.unwrap();
    // What ended, or is forgotten, gives its room back.
    tell(&house, made[0], Step::Cancel).await.unwrap();
    create(&house, "orders").await.unwrap();
    refused(create(&house, "orders").await, "of the key default/orders");
    let finish = Step::Finish { complete: false };
    tell(&house, made[1], finish).await.unwrap();
    // After a restart they are counted anew.
    let house = house.restart().await;
    create(&house, "orders").await.unwrap();
    refused(create(&house, "orders").await, "of the key default/orders");
    house.config.clock.advance_seconds(KEPT_SECONDS);
    house.engine.forget_ended_jobs().await.unwrap();
    create(&house, "orders").await.unwrap();
}

#[tokio::test]
async fn jobs_that_are_made_at_once_stay_within_the_limit() {
    let house = std::sync::Arc::new(House::new().await);
    house.create("orders", Algorithm::Aes256Gcm).await;
    let tasks: Vec<_> = (0..JOBS_PER_KEY + 10)
        .map(|_| {
            let house = std::sync::Arc::clone(&house);
            tokio::spawn(async move { create(&house, "orders").await.is_ok() })
        })
        .collect();
    let mut made = 0;
    for task in tasks {
        made += u64::from(task.await.unwrap());
    }
    assert_eq!(made, JOBS_PER_KEY);
}

#[tokio::test]
async fn a_namespace_has_so_many_unfinished_jobs_and_no_more() {
    let house = House::new().await;
    let keys = JOBS_PER_NAMESPACE / JOBS_PER_KEY;
    for number in 0..=keys {
        let name = format!("key-{number}");
        house.create(&name, Algorithm::Aes256Gcm).await;
    }
    for number in 0..keys {
        for _ in 0..JOBS_PER_KEY {
            job(&house, &format!("key-{number}")).await;
        }
    }
    let last = format!("key-{keys}");
    refused(create(&house, &last).await, "in the namespace root");
}

#[tokio::test]
async fn jobs_of_incidents_take_no_room() {
    use skms_engine::acts::compromise::{Order, Reach, Rotation};
    let house = House::new().await;
    house.create("orders", Algorithm::Aes256Gcm).await;
    for _ in 0..JOBS_PER_KEY {
        job(&house, "orders").await;
    }
    let order = Order {
        versions: skms_keys::Versions::All,
        reason: "lost".into(),
        since: None,
        reach: Reach::All,
        rotation: Rotation::All,
    };
    let begun = house
        .engine
        .compromise_key(&house.root, at("orders"), order);
    begun.await.unwrap();
    house.engine.finish_incidents().await.unwrap();
    let page = skms_engine::Page::new(1000, None).unwrap();
    let listed = house.engine.list_jobs(&house.root, "root", &page);
    let (listed, _) = listed.await.unwrap();
    assert_eq!(listed.len() as u64, JOBS_PER_KEY + 1);
    let own = listed.iter().find(|job| job.incident.is_none()).unwrap();
    tell(&house, own.id, Step::Cancel).await.unwrap();
    create(&house, "orders").await.unwrap();
    refused(create(&house, "orders").await, "of the key default/orders");
}
