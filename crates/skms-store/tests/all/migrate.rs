//! Moving a store: everything arrives, and a move that was interrupted
//! anywhere is either unfinished for all to see, or finished.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use skms_store::migrate::migrate;
use skms_store::store::{Batch, BoxFuture, Forgotten, Meta, Row, Snapshot};
use skms_store::{Error, Kind, RecordId, Sealed, SqliteStore, Store};

use crate::common::{close, init, open_store, put, unseal, value};

/// Commits a number of times and then never again, as a process that ends.
struct Stops {
    inner: Arc<dyn Store>,
    left: AtomicU32,
}

impl Store for Stops {
    fn get(&self, kind: Kind, id: RecordId) -> BoxFuture<'_, Result<Option<Row>, Error>> {
        self.inner.get(kind, id)
    }

    fn find(&self, kind: Kind, index: [u8; 32]) -> BoxFuture<'_, Result<Option<Row>, Error>> {
        self.inner.find(kind, index)
    }

    fn scan(
        &self,
        kind: Kind,
        scope: Option<[u8; 32]>,
        after: Option<RecordId>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<Row>, Error>> {
        self.inner.scan(kind, scope, after, limit)
    }

    fn commit(&self, batch: Batch) -> BoxFuture<'_, Result<(), Error>> {
        let stop = |left: u32| left.checked_sub(1);
        match self
            .left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, stop)
        {
            Ok(_) => self.inner.commit(batch),
            Err(_) => Box::pin(async { Err(Error::Closed) }),
        }
    }

    fn meta(&self, name: &'static str) -> BoxFuture<'_, Result<Option<Meta>, Error>> {
        self.inner.meta(name)
    }

    fn snapshot(&self) -> BoxFuture<'_, Result<Box<dyn Snapshot>, Error>> {
        self.inner.snapshot()
    }

    fn forget(&self) -> BoxFuture<'_, Result<Forgotten, Error>> {
        self.inner.forget()
    }

    fn close(&self) -> BoxFuture<'_, Result<(), Error>> {
        self.inner.close()
    }
}

async fn filled(directory: &Path) {
    let store = init(directory).await;
    let large = "x".repeat(3 << 20);
    for number in 1..=4 {
        store
            .commit(
                vec![put(number, Some(&format!("n{number}")), None, &large)],
                None,
            )
            .await
            .unwrap();
    }
    let small = (5..=200)
        .map(|number| put(number, None, None, "v"))
        .collect();
    store.commit(small, None).await.unwrap();
    close(store).await;
}

#[tokio::test]
async fn wherever_it_is_interrupted_it_can_be_run_again() {
    let source = tempfile::tempdir().unwrap();
    filled(source.path()).await;
    let from = open_store(source.path()).unwrap();
    let mut interrupted = 0;
    for commits in 0.. {
        let target = tempfile::tempdir().unwrap();
        let inner = open_store(target.path()).unwrap();
        let stops = Stops {
            inner: Arc::clone(&inner),
            left: AtomicU32::new(commits),
        };
        match migrate(from.as_ref(), &stops, |_| {}).await {
            Err(Error::Closed) => interrupted += 1,
            Ok(_) => break,
            Err(other) => panic!("{other}"),
        }
        // It never looks complete.
        let opened = Sealed::open(Arc::clone(&inner)).await.map(|_| ());
        assert!(
            matches!(opened, Err(Error::Incomplete | Error::NotInitialised)),
            "{opened:?}"
        );
        let moved = migrate(from.as_ref(), inner.as_ref(), |_| {})
            .await
            .unwrap();
        assert!(moved.resumed > 0 || commits < 3, "{commits}");
        assert_eq!(moved.rows.values().sum::<u64>(), 200 + 65);
        inner.close().await.unwrap();
        drop((stops, inner));
        let store = unseal(target.path()).await.unwrap();
        assert_eq!(value(&store, 200).await.unwrap().as_deref(), Some("v"));
        assert!(store.verify().await.unwrap().is_sound());
        close(store).await;
    }
    assert!(interrupted >= 4, "{interrupted}");
}

#[tokio::test]
async fn a_source_that_changed_in_between_is_copied_anew() {
    let (source, target) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    filled(source.path()).await;
    let to = open_store(target.path()).unwrap();
    let from = open_store(source.path()).unwrap();
    let stops = Stops {
        inner: Arc::clone(&to),
        left: AtomicU32::new(3),
    };
    assert!(migrate(from.as_ref(), &stops, |_| {}).await.is_err());
    from.close().await.unwrap();
    let store = unseal(source.path()).await.unwrap();
    // The name goes to another, what had been copied is gone, and new.
    store
        .commit(vec![crate::common::delete(1, 1)], None)
        .await
        .unwrap();
    store
        .commit(
            vec![put(201, Some("n1"), None, "w"), put(2, None, Some(1), "w")],
            None,
        )
        .await
        .unwrap();
    close(store).await;
    let from = open_store(source.path()).unwrap();
    migrate(from.as_ref(), to.as_ref(), |_| {}).await.unwrap();
    to.close().await.unwrap();
    let store = unseal(target.path()).await.unwrap();
    assert_eq!(value(&store, 1).await.unwrap(), None);
    assert_eq!(value(&store, 2).await.unwrap().as_deref(), Some("w"));
    assert_eq!(value(&store, 201).await.unwrap().as_deref(), Some("w"));
    assert!(store.verify().await.unwrap().is_sound());
}

#[tokio::test]
async fn what_cannot_be_moved_is_refused_and_left_alone() {
    let (source, target) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let empty = SqliteStore::open(source.path().join("empty")).unwrap();
    filled(target.path()).await;
    let to = open_store(target.path()).unwrap();
    // Nothing to move; something there already.
    let result = migrate(&empty, to.as_ref(), |_| {}).await;
    assert!(matches!(result, Err(Error::NotInitialised)), "{result:?}");
    close(init(source.path()).await).await;
    let from = open_store(source.path()).unwrap();
    let result = migrate(from.as_ref(), to.as_ref(), |_| {}).await;
    assert!(matches!(result, Err(Error::NotEmpty)), "{result:?}");
    // Half of another install's.
    let stops = Stops {
        inner: Arc::new(empty),
        left: AtomicU32::new(1),
    };
    assert!(migrate(to.as_ref(), &stops, |_| {}).await.is_err());
    let result = migrate(from.as_ref(), stops.inner.as_ref(), |_| {}).await;
    assert!(
        matches!(result, Err(Error::OtherInstall { .. })),
        "{result:?}"
    );
    // Half a store is no source either.
    let elsewhere = SqliteStore::open(source.path().join("elsewhere")).unwrap();
    let result = migrate(stops.inner.as_ref(), &elsewhere, |_| {}).await;
    assert!(matches!(result, Err(Error::Incomplete)), "{result:?}");
    to.close().await.unwrap();
    assert_eq!(
        value(&unseal(target.path()).await.unwrap(), 5)
            .await
            .unwrap()
            .as_deref(),
        Some("v")
    );
}
