//! The database away, slow, elsewhere, and back.
//!
//! A wire between store and server is cut and held; no test waits for a
//! clock, but for what the store itself says.

use std::sync::Arc;
use std::time::Duration;

use skms_store::postgres::Options;
use skms_store::store::{Batch, Row, Write};
use skms_store::{Error, Kind, PostgresStore, RecordId, Store};

use crate::place::{Database, server};
use crate::proxy::{Proxy, Wire};
use crate::suite::{init, put, value};

fn options(database: &Database<'_>, proxy: &Proxy) -> Options {
    let mut options = database.options_at(proxy.port);
    options.timeout = Duration::from_secs(2);
    options
}

fn row(number: u8, revision: u64) -> Row {
    Row {
        kind: Kind::Key,
        id: RecordId([number; 16]),
        revision,
        index: None,
        scope: None,
        sealed: vec![number],
    }
}

fn create(number: u8) -> Batch {
    Batch {
        writes: vec![Write::Put {
            row: row(number, 1),
            expected: None,
        }],
        ..Batch::default()
    }
}

fn is_away(result: &Result<(), Error>) -> bool {
    matches!(result, Err(Error::Unavailable(_) | Error::Undecided(_)))
}

/// Asks until it is there again: it has to come back by itself.
async fn until_back(store: &dyn Store, number: u8) -> Option<Row> {
    loop {
        match store.get(Kind::Key, RecordId([number; 16])).await {
            Ok(row) => return row,
            Err(Error::Unavailable(_)) => tokio::time::sleep(Duration::from_millis(50)).await,
            Err(other) => panic!("{other}"),
        }
    }
}

async fn commit_until_back(store: &dyn Store, number: u8) {
    loop {
        match store.commit(create(number)).await {
            Ok(()) => return,
            Err(Error::Unavailable(_)) => tokio::time::sleep(Duration::from_millis(50)).await,
            Err(other) => panic!("{other}"),
        }
    }
}

#[tokio::test]
async fn what_needs_it_fails_while_it_is_away_and_it_comes_back_by_itself() {
    let Some(server) = server() else { return };
    let database = server.schema().await;
    let proxy = Proxy::to(server.port()).await;
    let store = PostgresStore::open(options(&database, &proxy))
        .await
        .unwrap();
    store.commit(create(1)).await.unwrap();
    for (wire, number) in [(Wire::Cut, 2), (Wire::Held, 3)] {
        proxy.set(wire);
        let commits: Vec<_> = (0..20).map(|n| store.commit(create(100 + n))).collect();
        for commit in commits {
            let result = commit.await;
            assert!(is_away(&result), "{wire:?}: {result:?}");
        }
        let read = store.get(Kind::Key, RecordId([1; 16])).await;
        assert!(matches!(read, Err(Error::Unavailable(_))), "{read:?}");
        let read = store.scan(Kind::Key, None, None, 9).await;
        assert!(matches!(read, Err(Error::Unavailable(_))), "{read:?}");
        assert!(store.snapshot().await.is_err());
        proxy.set(Wire::Open);
        commit_until_back(&store, number).await;
        assert_eq!(until_back(&store, number).await, Some(row(number, 1)));
        assert_eq!(until_back(&store, 1).await, Some(row(1, 1)));
    }
    // What was refused while it was away is not there.
    for number in 100..120 {
        assert_eq!(until_back(&store, number).await, None);
    }
    store.close().await.unwrap();
}

/// The COMMIT arrives and its answer is lost. The store finds out.
#[tokio::test]
async fn a_commit_whose_answer_was_lost_is_found_out() {
    let Some(server) = server() else { return };
    let database = server.schema().await;
    let proxy = Proxy::to(server.port()).await;
    let store = PostgresStore::open(options(&database, &proxy))
        .await
        .unwrap();
    for number in 1..=3 {
        proxy.lose_the_next_commits_answer();
        let commit = store.commit(create(number));
        proxy.lost().await;
        // The connection breaks, and the next one works.
        proxy.cut().await;
        proxy.set(Wire::Open);
        commit.await.unwrap();
        assert_eq!(until_back(&store, number).await, Some(row(number, 1)));
    }
    let row = database
        .admin()
        .await
        .query_one("SELECT sequence FROM skms_state", &[])
        .await
        .unwrap();
    assert_eq!(row.get::<_, i64>(0), 3);
}

/// As before, but nobody can find out in time: nothing is read meanwhile that
/// could still change, and later it is known.
#[tokio::test]
async fn while_a_commit_is_undecided_nothing_is_read() {
    let Some(server) = server() else { return };
    let database = server.schema().await;
    let proxy = Proxy::to(server.port()).await;
    let store = PostgresStore::open(options(&database, &proxy))
        .await
        .unwrap();
    store.commit(create(1)).await.unwrap();
    until_back(&store, 1).await;
    proxy.lose_the_next_commits_answer();
    let commit = store.commit(create(2));
    proxy.lost().await;
    proxy.set(Wire::Held);
    let result = commit.await;
    assert!(matches!(result, Err(Error::Undecided(_))), "{result:?}");
    let read = store.get(Kind::Key, RecordId([1; 16])).await;
    assert!(matches!(read, Err(Error::Unavailable(_))), "{read:?}");
    assert!(matches!(
        store.snapshot().await.err(),
        Some(Error::Unavailable(_))
    ));
    proxy.set(Wire::Open);
    // It had been committed.
    assert_eq!(until_back(&store, 2).await, Some(row(2, 1)));
    commit_until_back(&store, 3).await;
}

/// The connection breaks before the COMMIT leaves: nothing was written, and
/// the batch is done on the next connection without its caller noticing.
#[tokio::test]
async fn a_connection_that_broke_while_idle_costs_nobody_anything() {
    let Some(server) = server() else { return };
    let database = server.database().await;
    let store = database.open().await;
    let admin = database.admin().await;
    for number in 1..=5 {
        store.commit(create(number)).await.unwrap();
        admin
            .execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                 WHERE datname = current_database() AND application_name LIKE 'skms %'",
                &[],
            )
            .await
            .unwrap();
    }
    assert_eq!(until_back(&store, 5).await, Some(row(5, 1)));
}

#[tokio::test]
async fn a_locked_table_makes_commits_fail_and_not_hang() {
    let Some(server) = server() else { return };
    let database = server.schema().await;
    let proxy = Proxy::to(server.port()).await;
    let store = PostgresStore::open(options(&database, &proxy))
        .await
        .unwrap();
    let mut admin = database.admin().await;
    let blocked = admin.transaction().await.unwrap();
    blocked
        .batch_execute("LOCK TABLE skms_record IN SHARE MODE")
        .await
        .unwrap();
    // Reads go on; writes are refused, and with certainty.
    assert_eq!(store.get(Kind::Key, RecordId([1; 16])).await.unwrap(), None);
    let result = store.commit(create(1)).await;
    assert!(matches!(result, Err(Error::Unavailable(_))), "{result:?}");
    blocked.rollback().await.unwrap();
    store.commit(create(1)).await.unwrap();
}

#[tokio::test]
async fn a_database_that_is_another_or_behind_is_not_believed() {
    let Some(server) = server() else { return };
    let database = server.schema().await;
    let proxy = Proxy::to(server.port()).await;
    let sealed = init(Arc::new(
        PostgresStore::open(options(&database, &proxy))
            .await
            .unwrap(),
    ))
    .await;
    sealed.commit(vec![put(1, None, "v")], None).await.unwrap();
    let admin = database.admin().await;
    let changed = async |sql: &str, told: fn(&Result<(), Error>) -> bool| {
        proxy.cut().await;
        admin.batch_execute(sql).await.unwrap();
        proxy.set(Wire::Open);
        loop {
            let result = sealed.store().commit(create(9)).await;
            if told(&result) {
                break;
            }
            // What was told before is told for a moment longer.
            assert!(result.is_err(), "it was believed");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    changed(
        "CREATE TABLE kept AS SELECT * FROM skms_state;
         UPDATE skms_state SET sequence = sequence - 1",
        |result| matches!(result, Err(Error::Behind { .. })),
    )
    .await;
    changed(
        "UPDATE skms_state SET sequence = sequence + 1, database = uuid_send(gen_random_uuid())",
        |result| matches!(result, Err(Error::OtherInstall { .. })),
    )
    .await;
    let read = sealed.get([1; 16], Kind::Key, RecordId([1; 16])).await;
    assert!(read.is_err(), "{read:?}");
    // The right one is believed again.
    changed(
        "UPDATE skms_state s SET database = k.database FROM kept k",
        Result::is_ok,
    )
    .await;
    assert_eq!(
        until_back(sealed.store().as_ref(), 9).await,
        Some(row(9, 1))
    );
}

#[tokio::test]
async fn a_server_that_another_relieved_stops_for_good() {
    let Some(server) = server() else { return };
    let database = server.schema().await;
    let proxy = Proxy::to(server.port()).await;
    let first = init(Arc::new(
        PostgresStore::open(options(&database, &proxy))
            .await
            .unwrap(),
    ))
    .await;
    first.commit(vec![put(1, None, "v")], None).await.unwrap();
    // It cannot be reached, and its lock falls.
    proxy.cut().await;
    let second = loop {
        match PostgresStore::open(database.options()).await {
            Ok(store) => break store,
            Err(Error::DatabaseInUse { .. }) => {}
            Err(other) => panic!("{other}"),
        }
    };
    // While the second has the lock, the first writes nothing.
    proxy.set(Wire::Open);
    let error = loop {
        match first.store().commit(create(8)).await {
            Err(Error::Unavailable(_)) => tokio::time::sleep(Duration::from_millis(50)).await,
            Err(other) => break other,
            Ok(()) => panic!("two servers write"),
        }
    };
    assert!(matches!(error, Error::Failed(_)), "{error}");
    assert!(first.store().lost().is_some());
    second.commit(create(7)).await.unwrap();
    second.close().await.unwrap();
    // Nor after it: what it remembers is no longer true.
    let error = loop {
        match first.store().commit(create(8)).await {
            Err(Error::Unavailable(_)) => tokio::time::sleep(Duration::from_millis(50)).await,
            Err(other) => break other,
            Ok(()) => panic!("it wrote on what it remembers"),
        }
    };
    assert!(matches!(error, Error::Failed(_)), "{error}");
    let read = first.get([1; 16], Kind::Key, RecordId([1; 16])).await;
    assert!(matches!(read, Err(Error::Failed(_))), "{read:?}");
}

/// Whoever changes the rows while a batch is worked out makes it start again,
/// and what it is told is right.
#[tokio::test]
async fn batches_are_right_although_somebody_meddles() {
    let Some(server) = server() else { return };
    let database = server.schema().await;
    let store = Arc::new(database.open().await);
    let sealed = init(Arc::clone(&store) as Arc<dyn Store>).await;
    let admin = database.admin().await;
    let meddling = async {
        for _ in 0..100 {
            let meddled = admin
                .batch_execute("UPDATE skms_record SET scope = scope WHERE kind IN (3, 9)")
                .await;
            // Of two that wait for each other, either may be given up.
            let given_up = |error: &tokio_postgres::Error| {
                error.code() == Some(&tokio_postgres::error::SqlState::T_R_DEADLOCK_DETECTED)
            };
            assert!(meddled.as_ref().err().is_none_or(given_up), "{meddled:?}");
        }
    };
    let writing = async {
        for number in 1..=100 {
            loop {
                match sealed.commit(vec![put(number, None, "v")], None).await {
                    Ok(_) => break,
                    Err(Error::Unavailable(_)) => {}
                    Err(other) => panic!("{other}"),
                }
            }
        }
    };
    tokio::join!(meddling, writing);
    for number in 1..=100 {
        assert_eq!(value(&sealed, number).await.as_deref(), Some("v"));
    }
    assert!(sealed.verify().await.unwrap().is_sound());
}
