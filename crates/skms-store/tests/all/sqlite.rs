//! The SQLite backend: the suite, its files, and who may open them.

use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use skms_store::conformance::store_suite;
use skms_store::sqlite::Options;
use skms_store::store::Batch;
use skms_store::{Error, SqliteStore, Store};

use crate::common::{close, database, init, open_store, put, unseal, value};

#[tokio::test]
async fn passes_the_suite() {
    let directory = tempfile::tempdir().unwrap();
    let count = std::sync::atomic::AtomicU32::new(0);
    store_suite(|| async {
        let number = count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let path = directory.path().join(format!("{number}.db"));
        let options = Options {
            reserve_bytes: 4096,
            ..Options::default()
        };
        Arc::new(SqliteStore::open_with(path, &options).unwrap()) as Arc<dyn Store>
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn passes_the_suite_on_threads() {
    let directory = tempfile::tempdir().unwrap();
    let count = std::sync::atomic::AtomicU32::new(0);
    store_suite(|| async {
        let number = count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let path = directory.path().join(format!("{number}.db"));
        let options = Options {
            reserve_bytes: 0,
            readers: 1,
            ..Options::default()
        };
        Arc::new(SqliteStore::open_with(path, &options).unwrap()) as Arc<dyn Store>
    })
    .await;
}

/// Holds a store, and takes its time to let go of it.
struct Slow(#[expect(dead_code, reason = "held for as long as this is")] Arc<SqliteStore>);

impl Drop for Slow {
    fn drop(&mut self) {
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
}

/// A batch may hold its own store, as the sealed layer's do. Once it is
/// answered it does not any more, or whoever opens the store next would find
/// it in use.
#[tokio::test]
async fn an_answered_batch_holds_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("skms.db");
    let store = Arc::new(SqliteStore::open(&path).unwrap());
    let slow = Slow(Arc::clone(&store));
    let batch = Batch {
        finalise: Some(Box::new(move |_| {
            let _held = &slow;
            Ok(Vec::new())
        })),
        ..Batch::default()
    };
    store.commit(batch).await.unwrap();
    drop(store);
    SqliteStore::open(&path).unwrap();
}

#[tokio::test]
async fn files_are_their_owners_only() {
    let directory = tempfile::tempdir().unwrap();
    let path = database(directory.path());
    std::fs::write(&path, b"").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).unwrap();
    let store = init(directory.path()).await;
    store
        .commit(vec![put(1, None, None, "v")], None)
        .await
        .unwrap();
    let (_journal, _) =
        crate::common::open_journal(&store, directory.path(), &crate::common::small_segments())
            .unwrap();
    let mut seen = 0;
    for place in [
        directory.path().to_owned(),
        directory.path().join("journal"),
    ] {
        for entry in std::fs::read_dir(place).unwrap() {
            let entry = entry.unwrap();
            let mode = entry.metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0, "{:?} has {mode:o}", entry.path());
            seen += 1;
        }
    }
    assert!(seen >= 5, "{seen} files");
}

#[tokio::test]
async fn a_second_server_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let store = init(directory.path()).await;
    assert!(matches!(
        SqliteStore::open(database(directory.path())),
        Err(Error::InUse { .. })
    ));
    store
        .commit(vec![put(1, None, None, "v")], None)
        .await
        .unwrap();
    close(store).await;
    let store = unseal(directory.path()).await.unwrap();
    assert_eq!(value(&store, 1).await.unwrap().as_deref(), Some("v"));
}

#[tokio::test]
async fn a_newer_schema_is_refused_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    close(init(directory.path()).await).await;
    let path = database(directory.path());
    let raw = rusqlite::Connection::open(&path).unwrap();
    raw.pragma_update(None, "user_version", 2).unwrap();
    drop(raw);
    let before = std::fs::read(&path).unwrap();
    let error = SqliteStore::open(&path).unwrap_err();
    assert!(
        matches!(
            error,
            Error::Newer {
                found: 2,
                supported: 1,
                ..
            }
        ),
        "{error}"
    );
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[tokio::test]
async fn other_files_are_refused_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let other = directory.path().join("other.db");
    let raw = rusqlite::Connection::open(&other).unwrap();
    raw.execute_batch("CREATE TABLE mine (a)").unwrap();
    drop(raw);
    let text = directory.path().join("text");
    std::fs::write(&text, "not a database, but longer than a header".repeat(99)).unwrap();
    for path in [other, text] {
        let before = std::fs::read(&path).unwrap();
        assert!(matches!(SqliteStore::open(&path), Err(Error::Malformed(_))));
        assert_eq!(std::fs::read(&path).unwrap(), before);
    }
    assert!(SqliteStore::open(directory.path().join("no/such/directory")).is_err());
}

#[tokio::test]
async fn what_was_deleted_is_overwritten() {
    let directory = tempfile::tempdir().unwrap();
    let store = init(directory.path()).await;
    store
        .commit(vec![put(1, None, None, &"x".repeat(300))], None)
        .await
        .unwrap();
    let row = store
        .store()
        .get(skms_store::Kind::Key, crate::common::id(1))
        .await
        .unwrap()
        .unwrap();
    store.forget().await.unwrap();
    let holds = || {
        let bytes = std::fs::read(database(directory.path())).unwrap();
        bytes
            .windows(64)
            .any(|window| window == &row.sealed[100..164])
    };
    assert!(holds(), "the row is found while it is there");
    store
        .commit(vec![crate::common::delete(1, 1)], None)
        .await
        .unwrap();
    store.forget().await.unwrap();
    assert!(!holds(), "and not after it was deleted");
    drop(open_store(directory.path()));
}
