//! Moving a store to PostgreSQL and back.

use std::sync::Arc;

use skms_store::migrate::migrate;
use skms_store::{Error, Sealed, SqliteStore, Store};

use crate::place::server;
use crate::suite::{init, put, unseal, value};

#[tokio::test]
async fn it_goes_there_and_back_and_nothing_is_lost() {
    let Some(server) = server() else { return };
    let place = server.schema().await;
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str| SqliteStore::open(directory.path().join(name)).unwrap();
    let store = init(Arc::new(file("first"))).await;
    for number in 1..=50 {
        store
            .commit(vec![put(number, None, "value")], None)
            .await
            .unwrap();
    }
    store
        .commit(vec![put(1, Some(1), "new")], None)
        .await
        .unwrap();
    store.store().close().await.unwrap();
    drop(store);

    let there = place.open().await;
    let moved = migrate(&file("first"), &there, |_| {}).await.unwrap();
    assert_eq!(moved.rows.values().sum::<u64>(), 50 + 65);
    there.close().await.unwrap();
    let store = unseal(Arc::new(place.open().await)).await.unwrap();
    assert_eq!(value(&store, 1).await.as_deref(), Some("new"));
    assert_eq!(value(&store, 50).await.as_deref(), Some("value"));
    assert!(store.verify().await.unwrap().is_sound());
    store
        .commit(vec![put(51, None, "there")], None)
        .await
        .unwrap();
    store.store().close().await.unwrap();
    drop(store);

    let there = place.open().await;
    // It is not empty any more.
    let again = migrate(&file("first"), &there, |_| {}).await;
    assert!(matches!(again, Err(Error::NotEmpty)), "{again:?}");
    let back = file("second");
    let returned = migrate(&there, &back, |_| {}).await.unwrap();
    assert_eq!(returned.install, moved.install);
    assert!(returned.top_revision > moved.top_revision);
    back.close().await.unwrap();
    drop(back);
    let store = unseal(Arc::new(file("second"))).await.unwrap();
    assert_eq!(value(&store, 51).await.as_deref(), Some("there"));
    assert!(store.verify().await.unwrap().is_sound());
}

/// Another hand takes a row of the target away while rows still arrive.
#[tokio::test]
async fn a_difference_at_the_end_is_found() {
    let Some(server) = server() else { return };
    let place = server.schema().await;
    let directory = tempfile::tempdir().unwrap();
    let file = SqliteStore::open(directory.path().join("first")).unwrap();
    let store = init(Arc::new(file)).await;
    let many = (1..=200).map(|number| put(number, None, &"x".repeat(50_000)));
    store.commit(many.collect(), None).await.unwrap();
    let there: Arc<dyn Store> = Arc::new(place.open().await);
    let admin = place.admin().await;
    // One row does not stay.
    admin
        .batch_execute(
            "CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS
               $$ BEGIN DELETE FROM skms_record WHERE kind = 3 AND get_byte(id, 0) = 7;
                  RETURN NULL; END $$;
             CREATE TRIGGER lose AFTER INSERT ON skms_record
               FOR EACH STATEMENT EXECUTE FUNCTION lose();",
        )
        .await
        .unwrap();
    let result = migrate(store.store().as_ref(), there.as_ref(), |_| {}).await;
    assert!(matches!(result, Err(Error::Differs)), "{result:?}");
    let opened = Sealed::open(Arc::clone(&there)).await.map(|_| ());
    assert!(matches!(opened, Err(Error::Incomplete)), "{opened:?}");
    admin
        .batch_execute("DROP TRIGGER lose ON skms_record")
        .await
        .unwrap();
    let moved = migrate(store.store().as_ref(), there.as_ref(), |_| {})
        .await
        .unwrap();
    assert!(moved.resumed > 0);
}
