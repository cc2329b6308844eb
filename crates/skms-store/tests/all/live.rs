//! The database changed from outside while the server runs: what is read is
//! what this process wrote, or it is refused.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rusqlite::{Connection, params};
use skms_store::sealed::Progress;
use skms_store::{Change, Error, Kind, SealInput, Sealed, SealedStore};

use crate::common::*;

const KINDS: [Kind; 7] = [
    Kind::Namespace,
    Kind::Keyring,
    Kind::Key,
    Kind::Material,
    Kind::Token,
    Kind::Policy,
    Kind::Principal,
];

fn write(kind: Kind, number: u8, expected: Option<u64>, value: &str) -> Change {
    Change::Put {
        namespace: NS,
        kind,
        id: id(number),
        name: Some(format!("name {number}")),
        expected,
        plaintext: secret(value),
    }
}

fn remove(kind: Kind, number: u8, expected: u64) -> Change {
    Change::Delete {
        namespace: NS,
        kind,
        id: id(number),
        expected,
    }
}

fn raw(directory: &Path) -> Connection {
    Connection::open(database(directory)).unwrap()
}

type Saved = (i64, Option<Vec<u8>>, Option<Vec<u8>>, Vec<u8>);

fn save(directory: &Path, kind: Kind, number: u8) -> Saved {
    raw(directory)
        .query_row(
            "SELECT revision, entry, scope, sealed FROM record WHERE kind = ?1 AND id = ?2",
            params![kind.number(), id(number).0],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)),
        )
        .unwrap()
}

fn replay(directory: &Path, kind: Kind, number: u8, (revision, entry, scope, sealed): &Saved) {
    raw(directory)
        .execute(
            "INSERT OR REPLACE INTO record (kind, id, revision, entry, scope, sealed) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![kind.number(), id(number).0, revision, entry, scope, sealed],
        )
        .unwrap();
}

async fn refused(store: &SealedStore, kind: Kind, number: u8) {
    let altered = |error: Option<Error>| {
        let error = error.expect("believed");
        assert!(matches!(error, Error::Altered { .. }), "{error:?}");
    };
    altered(store.get(NS, kind, id(number)).await.err());
    altered(store.get_each(NS, kind, &[id(1), id(number)]).await.err());
    let name = format!("name {number}");
    altered(store.find(NS, kind, &name).await.err());
    altered(store.scan(NS, kind, None, 100).await.err());
    altered(store.scan(NS, kind, None, 2).await.err());
    altered(store.scan_all(kind, None, 100).await.err());
    // The neighbours are still served, and so are pages without it.
    assert!(store.get(NS, kind, id(1)).await.unwrap().is_some());
    let others = store.get_each(NS, kind, &[id(1), id(9), id(3)]).await;
    let there = others
        .unwrap()
        .iter()
        .map(Option::is_some)
        .collect::<Vec<_>>();
    assert_eq!(there, [true, false, true]);
    assert!(store.find(NS, kind, "name 3").await.unwrap().is_some());
    let page = store.scan(NS, kind, Some(id(2)), 100).await.unwrap();
    assert_eq!(page.len(), 1);
    assert!(store.get(NS, kind, id(9)).await.unwrap().is_none());
    assert!(store.find(NS, kind, "name 9").await.unwrap().is_none());
}

/// Records 1 to 3 of a kind.
async fn three(directory: &Path, kind: Kind) -> SealedStore {
    let store = init(directory).await;
    let changes = (1..=3).map(|number| write(kind, number, None, "old"));
    store.commit(changes.collect(), None).await.unwrap();
    store
}

#[tokio::test]
async fn an_older_revision_put_back_is_refused() {
    for kind in KINDS {
        let directory = tempfile::tempdir().unwrap();
        let store = three(directory.path(), kind).await;
        let old = save(directory.path(), kind, 2);
        store
            .commit(vec![write(kind, 2, Some(1), "new")], None)
            .await
            .unwrap();
        let new = save(directory.path(), kind, 2);
        replay(directory.path(), kind, 2, &old);
        refused(&store, kind, 2).await;
        assert!(matches!(
            store
                .commit(vec![write(kind, 2, Some(1), "third")], None)
                .await,
            Err(Error::Altered { .. })
        ));
        // Nothing else was wrong.
        replay(directory.path(), kind, 2, &new);
        let record = store.get(NS, kind, id(2)).await.unwrap().unwrap();
        assert_eq!(record.plaintext.expose(), b"new");
        assert!(store.verify().await.unwrap().is_sound());
    }
}

#[tokio::test]
async fn a_deleted_record_brought_back_is_refused() {
    for (kind, again) in KINDS
        .into_iter()
        .flat_map(|kind| [(kind, false), (kind, true)])
    {
        let directory = tempfile::tempdir().unwrap();
        let mut store = three(directory.path(), kind).await;
        let old = save(directory.path(), kind, 2);
        store.commit(vec![remove(kind, 2, 1)], None).await.unwrap();
        if again {
            // As it was read at unsealing.
            close(store).await;
            store = unseal(directory.path()).await.unwrap();
        }
        assert!(store.get(NS, kind, id(2)).await.unwrap().is_none());
        replay(directory.path(), kind, 2, &old);
        refused(&store, kind, 2).await;
    }
}

#[tokio::test]
async fn an_earlier_life_of_a_record_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let store = three(directory.path(), Kind::Key).await;
    let old = save(directory.path(), Kind::Key, 2);
    store
        .commit(vec![remove(Kind::Key, 2, 1)], None)
        .await
        .unwrap();
    store
        .commit(vec![write(Kind::Key, 2, None, "second life")], None)
        .await
        .unwrap();
    // The same revision, of another record.
    replay(directory.path(), Kind::Key, 2, &old);
    refused(&store, Kind::Key, 2).await;
}

#[tokio::test]
async fn a_record_that_was_removed_or_hidden_is_refused() {
    let hide = [
        "DELETE FROM record WHERE kind = ?1 AND id = ?2",
        "UPDATE record SET scope = (SELECT scope FROM record WHERE kind = 3 AND id = x'08080808080808080808080808080808') WHERE kind = ?1 AND id = ?2",
        "UPDATE record SET scope = zeroblob(32) WHERE kind = ?1 AND id = ?2",
        "UPDATE record SET id = x'0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a', entry = NULL WHERE kind = ?1 AND id = ?2",
    ];
    for (sql, again) in hide.into_iter().flat_map(|sql| [(sql, false), (sql, true)]) {
        let directory = tempfile::tempdir().unwrap();
        let mut store = three(directory.path(), Kind::Key).await;
        store
            .commit(
                vec![Change::Put {
                    namespace: OTHER_NS,
                    kind: Kind::Key,
                    id: id(8),
                    name: None,
                    expected: None,
                    plaintext: secret("other"),
                }],
                None,
            )
            .await
            .unwrap();
        if again {
            close(store).await;
            store = unseal(directory.path()).await.unwrap();
        }
        raw(directory.path())
            .execute(sql, params![Kind::Key.number(), id(2).0])
            .unwrap();
        for refused in [
            store.get(NS, Kind::Key, id(2)).await.err(),
            store.get_each(NS, Kind::Key, &[id(2)]).await.err(),
            store.find(NS, Kind::Key, "name 2").await.err(),
            store.scan(NS, Kind::Key, None, 100).await.err(),
            store.scan_all(Kind::Key, None, 100).await.err(),
        ] {
            assert!(matches!(refused, Some(Error::Altered { .. })), "{sql}");
        }
        assert!(store.get(NS, Kind::Key, id(3)).await.unwrap().is_some());
    }
}

#[tokio::test]
async fn a_store_shared_with_others_trusts_what_opens() {
    let directory = tempfile::tempdir().unwrap();
    close(three(directory.path(), Kind::Token).await).await;
    let sealed = Sealed::open(open_store(directory.path()).unwrap())
        .await
        .unwrap()
        .shared();
    let Progress::Unsealed(store) = sealed
        .submit(SealInput::Passphrase(secret(PASSPHRASE)))
        .await
        .unwrap()
    else {
        panic!("one passphrase suffices");
    };
    let old = save(directory.path(), Kind::Token, 2);
    store
        .commit(vec![remove(Kind::Token, 2, 1)], None)
        .await
        .unwrap();
    replay(directory.path(), Kind::Token, 2, &old);
    assert!(store.get(NS, Kind::Token, id(2)).await.unwrap().is_some());
    assert!(!store.verify().await.unwrap().is_sound());
}

#[tokio::test]
async fn a_commit_whose_caller_went_away_is_known_all_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let store = three(directory.path(), Kind::Token).await;
    for round in 1..=20 {
        {
            let change = vec![write(Kind::Token, 2, Some(round), "new")];
            let mut commit = Box::pin(store.commit(change, None));
            std::future::poll_fn(|context| {
                let _ = commit.as_mut().poll(context);
                std::task::Poll::Ready(())
            })
            .await;
        }
        // Submitted after it, so done after it.
        store.commit(Vec::new(), None).await.unwrap();
        let record = store.get(NS, Kind::Token, id(2)).await.unwrap().unwrap();
        assert_eq!(record.revision, round + 1);
    }
    assert!(store.verify().await.unwrap().is_sound());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn readers_are_never_misled_by_writers() {
    let directory = tempfile::tempdir().unwrap();
    let store = init(directory.path()).await;
    let stop = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..4_u8)
        .map(|reader| {
            let (store, stop) = (store.clone(), Arc::clone(&stop));
            tokio::spawn(async move {
                let mut read = 0_u32;
                while !stop.load(Ordering::Relaxed) {
                    let number = (read % 8) as u8;
                    let name = format!("name {number}");
                    match reader {
                        0 => drop(store.get(NS, Kind::Key, id(number)).await.unwrap()),
                        1 => drop(store.find(NS, Kind::Key, &name).await.unwrap()),
                        2 => drop(store.scan(NS, Kind::Key, None, 5).await.unwrap()),
                        _ => drop(store.scan_all(Kind::Key, None, 50).await.unwrap()),
                    }
                    read += 1;
                }
                read
            })
        })
        .collect();
    // Each writer makes, changes, renames and removes its own two records.
    let writers: Vec<_> = (0..4_u8)
        .map(|writer| {
            let store = store.clone();
            tokio::spawn(async move {
                for _ in 0..60 {
                    for number in [writer, writer + 4] {
                        let steps = [
                            write(Kind::Key, number, None, "a"),
                            write(Kind::Key, number, Some(1), "b"),
                            put(number, None, Some(2), "c"),
                            write(Kind::Key, number, Some(3), "d"),
                            remove(Kind::Key, number, 4),
                        ];
                        for step in steps {
                            store.commit(vec![step], None).await.unwrap();
                        }
                    }
                }
            })
        })
        .collect();
    store.rotate_storage_key().await.unwrap();
    for writer in writers {
        store.reseal_some(10).await.unwrap();
        writer.await.unwrap();
    }
    stop.store(true, Ordering::Relaxed);
    for reader in readers {
        assert!(reader.await.unwrap() > 0);
    }
    assert!(store.scan(NS, Kind::Key, None, 9).await.unwrap().is_empty());
    assert!(store.verify().await.unwrap().is_sound());
}
