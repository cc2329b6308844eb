//! How many requests wait, and how many that have ended are kept.

use std::sync::Arc;

use skms_engine::approvals::Asked;
use skms_engine::{Caller, Error, KeySnapshot, Result};

use crate::common::House;
use crate::{asking, destroying, waits};

fn numbered(number: usize) -> Asked {
    destroying().with("x", &number.to_string())
}

async fn ask(house: &House, by: &Arc<Caller>, asked: Asked) -> Result<Arc<KeySnapshot>> {
    house.destroy(&asking(by, asked)).await
}

fn full<T>(result: Result<T>) -> String {
    match result {
        Err(Error::QuotaExceeded { what, .. }) => what,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it was done"),
    }
}

#[tokio::test]
async fn so_many_wait_and_whatever_ends_makes_room() {
    let house = House::marked().await;
    let dora = house.dora().await;
    let mut ids = Vec::new();
    for number in 0..64 {
        ids.push(waits(ask(&house, &dora, numbered(number)).await));
    }
    assert!(full(ask(&house, &dora, numbered(64)).await).contains("one principal"));
    // One that waits already is found all the same.
    assert_eq!(waits(ask(&house, &dora, numbered(7)).await), ids[7]);
    let other = house.caller_in("other", &["root"]).await;
    waits(ask(&house, &other, numbered(64)).await);
    drop((dora, other));
    let house = house.restart().await;
    let dora = house.dora().await;
    full(ask(&house, &dora, numbered(64)).await);
    // One is rejected, one is used.
    let carol = house.officer("carol").await;
    let rejected = house.engine.reject_approval(&carol, ("root", &ids[0]), "");
    rejected.await.unwrap();
    waits(ask(&house, &dora, numbered(64)).await);
    full(ask(&house, &dora, numbered(65)).await);
    house.approved(&ids[1]).await;
    let call = numbered(1).with_approvals(&ids[1]).unwrap();
    ask(&house, &dora, call).await.unwrap();
    waits(ask(&house, &dora, numbered(65)).await);
    full(ask(&house, &dora, numbered(66)).await);
    // The others run out.
    drop((dora, carol));
    house.config.clock.advance_seconds(3601);
    let dora = house.dora().await;
    waits(ask(&house, &dora, numbered(66)).await);
    assert_eq!(house.engine.expire_approvals().await.unwrap(), 65);
    for number in 67..130 {
        waits(ask(&house, &dora, numbered(number)).await);
    }
    full(ask(&house, &dora, numbered(130)).await);
}

#[tokio::test]
async fn long_requests_take_up_their_share_and_are_not_kept_for_long() {
    let house = House::marked().await;
    let long = |number| numbered(number).with("y", &"y".repeat(250_000));
    for round in 0..6 {
        let dora = house.dora().await;
        for number in 0..16 {
            waits(ask(&house, &dora, long(100 * round + number)).await);
        }
        assert!(full(ask(&house, &dora, long(99)).await).contains("bytes"));
        drop(dora);
        house.config.clock.advance_seconds(3601);
        // They are in the store until it is noted that they have run out.
        let dora = house.dora().await;
        full(ask(&house, &dora, long(99)).await);
        assert_eq!(house.engine.expire_approvals().await.unwrap(), 16);
    }
    house.engine.expire_approvals().await.unwrap();
    let list = house.engine.list_approvals(&house.root, "root").await;
    let list = list.unwrap();
    assert!((60..68).contains(&list.len()), "{}", list.len());
    // The newest are those that are left.
    let newest = list
        .iter()
        .filter(|one| one.facts.parameters[1].1.starts_with('5'));
    assert_eq!(newest.count(), 16);
}
