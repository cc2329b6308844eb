//! The suite that every store must pass, and what is PostgreSQL's own.

use std::sync::Arc;

use skms_crypto::SecretBytes;
use skms_crypto::passphrase::Argon2id;
use skms_store::conformance::store_suite;
use skms_store::sealed::Progress;
use skms_store::{
    Change, Kind, NewSeal, PostgresStore, RecordId, SealInput, Sealed, SealedStore, Store,
};

use crate::place::{Database, server};

async fn make(database: Database<'_>) -> Arc<dyn Store> {
    Arc::new(database.open().await)
}

#[tokio::test]
async fn passes_the_suite() {
    let Some(server) = server() else { return };
    store_suite(|| async { make(server.schema().await).await }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn passes_the_suite_on_threads_and_with_one_reader() {
    let Some(server) = server() else { return };
    store_suite(|| async {
        let database = server.schema().await;
        let mut options = database.options();
        options.readers = 1;
        Arc::new(PostgresStore::open(options).await.unwrap()) as Arc<dyn Store>
    })
    .await;
}

/// The suite again over TLS, as a role that has its database and nothing else.
#[tokio::test]
async fn passes_the_suite_over_tls_as_a_plain_role() {
    let Some(server) = server() else { return };
    store_suite(|| async {
        let database = server.schema().await;
        let role = format!("role_{}", database.schema);
        let admin = database.admin().await;
        admin
            .batch_execute(&format!(
                "DROP ROLE IF EXISTS {role};
                 CREATE ROLE {role} LOGIN PASSWORD 'plain';
                 ALTER SCHEMA {} OWNER TO {role};",
                database.schema
            ))
            .await
            .unwrap();
        let address = format!(
            "postgres://{role}:plain@localhost:{}/postgres?sslmode=verify-full&sslrootcert={}\
             &options=-csearch_path%3D{}",
            server.port(),
            server.folder.join("ca.pem").display(),
            database.schema,
        );
        let options = skms_store::postgres::Options::parse(&address, None).unwrap();
        Arc::new(PostgresStore::open(options).await.unwrap()) as Arc<dyn Store>
    })
    .await;
}

pub fn secret(text: &str) -> SecretBytes {
    SecretBytes::new(text.as_bytes().to_vec())
}

pub fn put(number: u8, expected: Option<u64>, value: &str) -> Change {
    Change::Put {
        namespace: [1; 16],
        kind: Kind::Key,
        id: RecordId([number; 16]),
        name: Some(format!("name-{number}")),
        expected,
        plaintext: secret(value),
    }
}

pub async fn init(store: Arc<dyn Store>) -> SealedStore {
    let seal = NewSeal::Passphrase {
        name: "main".into(),
        passphrase: secret("correct horse battery"),
        cost: Argon2id::fast_for_tests(),
    };
    SealedStore::init(store, vec![seal]).await.unwrap().store
}

pub async fn unseal(store: Arc<dyn Store>) -> Result<SealedStore, skms_store::Error> {
    let sealed = Sealed::open(store).await?;
    let secret = SealInput::Passphrase(secret("correct horse battery"));
    match sealed.submit(secret).await? {
        Progress::Unsealed(store) => Ok(store),
        waiting => panic!("{waiting:?}"),
    }
}

pub async fn value(store: &SealedStore, number: u8) -> Option<String> {
    let record = store
        .get([1; 16], Kind::Key, RecordId([number; 16]))
        .await
        .unwrap();
    record.map(|record| String::from_utf8(record.plaintext.expose().to_vec()).unwrap())
}

#[tokio::test]
async fn a_sealed_store_lives_on_it_across_restarts() {
    let Some(server) = server() else { return };
    let database = server.schema().await;
    let store = init(Arc::new(database.open().await)).await;
    for number in 1..=40 {
        store
            .commit(vec![put(number, None, "first")], None)
            .await
            .unwrap();
    }
    let many = (1..=40).map(|number| put(number, Some(1), "second"));
    store.commit(many.collect(), None).await.unwrap();
    assert!(store.verify().await.unwrap().is_sound());
    store.store().close().await.unwrap();
    drop(store);

    let store = unseal(Arc::new(database.open().await)).await.unwrap();
    for number in 1..=40 {
        assert_eq!(value(&store, number).await.as_deref(), Some("second"));
    }
    store.rotate_storage_key().await.unwrap();
    assert!(store.verify().await.unwrap().is_sound());
}

/// What is in the database is sealed: no value and no name can be read there.
#[tokio::test]
async fn nothing_readable_is_in_the_database() {
    let Some(server) = server() else { return };
    let database = server.schema().await;
    let store = init(Arc::new(database.open().await)).await;
    store
        .commit(vec![put(1, None, "a-planted-secret")], None)
        .await
        .unwrap();
    let admin = database.admin().await;
    for needle in ["a-planted-secret", "name-1", "correct horse"] {
        let found = admin
            .query_one(
                "SELECT (SELECT count(*) FROM skms_record
                   WHERE position($1::bytea IN sealed) > 0
                     OR position($1::bytea IN coalesce(entry, '')) > 0)
                 + (SELECT count(*) FROM skms_meta WHERE position($1::bytea IN bytes) > 0)",
                &[&needle.as_bytes()],
            )
            .await
            .unwrap();
        assert_eq!(found.get::<_, i64>(0), 0, "{needle}");
    }
}

/// A row that an administrator of the database puts back is refused.
#[tokio::test]
async fn a_replayed_row_is_refused() {
    let Some(server) = server() else { return };
    let database = server.schema().await;
    let store = init(Arc::new(database.open().await)).await;
    let admin = database.admin().await;
    store.commit(vec![put(1, None, "old")], None).await.unwrap();
    admin
        .batch_execute("CREATE TABLE kept AS SELECT * FROM skms_record WHERE kind = 3")
        .await
        .unwrap();
    store
        .commit(vec![put(1, Some(1), "new")], None)
        .await
        .unwrap();
    let put_back = "UPDATE skms_record r SET revision = k.revision, sealed = k.sealed
                    FROM kept k WHERE r.kind = k.kind AND r.id = k.id";
    assert_eq!(admin.execute(put_back, &[]).await.unwrap(), 1);
    let read = store.get([1; 16], Kind::Key, RecordId([1; 16])).await;
    assert!(matches!(read, Err(skms_store::Error::Altered { .. })));
    assert!(!store.verify().await.unwrap().is_sound());
    drop(store);
    let again = unseal(Arc::new(database.open().await)).await;
    assert!(matches!(again, Err(skms_store::Error::HeadMismatch { .. })));
}
