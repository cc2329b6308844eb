//! Who may open the database, and which databases are refused.

use std::sync::Arc;

use skms_store::postgres::Options;
use skms_store::{Error, PostgresStore, Store};

use crate::place::server;
use crate::suite::{init, put, unseal, value};

fn refused(result: Result<PostgresStore, Error>) -> Error {
    match result {
        Err(error) => error,
        Ok(_) => panic!("it was opened"),
    }
}

#[tokio::test]
async fn a_second_server_is_refused_until_the_first_is_gone() {
    let Some(server) = server() else { return };
    let database = server.database().await;
    let first = init(Arc::new(database.open().await)).await;
    let error = refused(PostgresStore::open(database.options()).await);
    assert!(matches!(error, Error::DatabaseInUse { .. }), "{error}");
    let said = error.to_string();
    assert!(
        said.contains(&database.name) && said.contains("127.0.0.1"),
        "{said}"
    );
    first.commit(vec![put(1, None, "v")], None).await.unwrap();
    first.store().close().await.unwrap();
    let second = unseal(Arc::new(database.open().await)).await.unwrap();
    assert_eq!(value(&second, 1).await.as_deref(), Some("v"));
    // Two databases of one server, and two schemas of one database, are two.
    let other = server.database().await;
    let beside = other.open().await;
    let admin = database.admin().await;
    admin.batch_execute("CREATE SCHEMA beside").await.unwrap();
    let address = database
        .address("127.0.0.1", server.port(), "sslmode=disable")
        .replace("%3Dpublic", "%3Dbeside");
    let schema = PostgresStore::open(Options::parse(&address, None).unwrap())
        .await
        .unwrap();
    schema.close().await.unwrap();
    beside.close().await.unwrap();
}

#[tokio::test]
async fn a_newer_schema_is_refused_and_left_alone() {
    let Some(server) = server() else { return };
    let database = server.schema().await;
    init(Arc::new(database.open().await))
        .await
        .store()
        .close()
        .await
        .unwrap();
    let admin = database.admin().await;
    admin
        .batch_execute("UPDATE skms_state SET version = 99")
        .await
        .unwrap();
    let writer = "SELECT writer, sequence FROM skms_state";
    let before = admin.query_one(writer, &[]).await.unwrap();
    let error = refused(PostgresStore::open(database.options()).await);
    assert!(matches!(error, Error::Newer { found: 99, .. }), "{error}");
    let after = admin.query_one(writer, &[]).await.unwrap();
    assert_eq!(before.get::<_, &[u8]>(0), after.get::<_, &[u8]>(0));
    assert_eq!(before.get::<_, i64>(1), after.get::<_, i64>(1));
}

/// What a server of one version back left is brought up to date and served;
/// then that version would be refused.
#[tokio::test]
async fn a_schema_one_version_back_is_brought_up_to_date() {
    let Some(server) = server() else { return };
    let database = server.schema().await;
    let store = init(Arc::new(database.open().await)).await;
    store.commit(vec![put(1, None, "v")], None).await.unwrap();
    store.store().close().await.unwrap();
    let admin = database.admin().await;
    let version = async || -> i32 {
        let row = admin.query_one("SELECT version FROM skms_state", &[]);
        row.await.unwrap().get(0)
    };
    let newest = version().await;
    assert_eq!(newest, 2);
    admin
        .batch_execute(
            "ALTER TABLE skms_state DROP COLUMN opened;
             ALTER TABLE skms_record RESET (autovacuum_vacuum_scale_factor);
             UPDATE skms_state SET version = 1",
        )
        .await
        .unwrap();
    let store = unseal(Arc::new(database.open().await)).await.unwrap();
    assert_eq!(version().await, newest);
    assert_eq!(value(&store, 1).await.as_deref(), Some("v"));
    store.commit(vec![put(2, None, "w")], None).await.unwrap();
    assert!(store.verify().await.unwrap().is_sound());
    // What never was a version is refused.
    store.store().close().await.unwrap();
    admin
        .batch_execute("UPDATE skms_state SET version = -1")
        .await
        .unwrap();
    let error = refused(PostgresStore::open(database.options()).await);
    assert!(matches!(error, Error::Malformed(_)), "{error}");
}

#[tokio::test]
async fn a_server_that_may_forget_is_refused_unless_allowed() {
    let Some(server) = server() else { return };
    let database = server.database().await;
    let admin = database.admin().await;
    admin
        .batch_execute(&format!(
            "ALTER DATABASE {} SET synchronous_commit = off",
            database.name
        ))
        .await
        .unwrap();
    let error = refused(PostgresStore::open(database.options()).await);
    assert!(matches!(error, Error::UnsafeDatabase(_)), "{error}");
    assert!(error.to_string().contains("synchronous_commit"), "{error}");
    let mut options = database.options();
    options.allow_lossy = true;
    PostgresStore::open(options).await.unwrap();
}

#[tokio::test]
async fn wrong_addresses_are_refused_in_words_without_the_password() {
    let Some(server) = server() else { return };
    let database = server.database().await;
    let good = database.address("127.0.0.1", server.port(), "sslmode=disable");
    let password = String::from_utf8_lossy(server.address.get_password().unwrap()).into_owned();
    for (address, word) in [
        (
            good.replace(&format!(":{password}@"), ":hunter2@"),
            "password",
        ),
        (good.replace(&database.name, "nonesuch"), "nonesuch"),
        (
            good.replace(&format!(":{}/", server.port()), ":1/"),
            "refused",
        ),
        (good.replace("%3Dpublic", "%3Dnonesuch"), "schema"),
    ] {
        let options = Options::parse(&address, None).unwrap();
        let error = refused(PostgresStore::open(options).await).to_string();
        assert!(error.contains(word), "{word}: {error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}

#[tokio::test]
async fn certificates_are_verified_in_full() {
    let Some(server) = server() else { return };
    let database = server.database().await;
    let open = async |host: &str, mode: &str, roots: Option<&str>| {
        let mut parameters = format!("sslmode={mode}");
        if let Some(roots) = roots {
            let roots = server.folder.join(roots);
            parameters.push_str(&format!("&sslrootcert={}", roots.display()));
        }
        let address = database.address(host, server.port(), &parameters);
        PostgresStore::open(Options::parse(&address, None).unwrap()).await
    };
    let over_tls = "SELECT count(*) FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid)
                    WHERE s.ssl AND a.datname = current_database()
                      AND a.application_name LIKE 'skms write %'";
    let admin = database.admin().await;
    for (host, mode, roots) in [
        ("localhost", "verify-full", Some("ca.pem")),
        ("127.0.0.1", "verify-full", Some("ca.pem")),
        ("127.0.0.1", "require", None),
    ] {
        let store = open(host, mode, roots).await.unwrap();
        let row = admin.query_one(over_tls, &[]).await.unwrap();
        assert_eq!(row.get::<_, i64>(0), 1, "{host} {mode}");
        store.close().await.unwrap();
    }
    // Another authority; the right one, and a name that is not the server's.
    let error = refused(open("localhost", "verify-full", Some("other-ca.pem")).await);
    assert!(error.to_string().contains("certificate"), "{error}");
    let error = refused(open("localhost", "verify-full", None).await);
    assert!(error.to_string().contains("certificate"), "{error}");
    let named = database
        .address("db.example", server.port(), "sslmode=verify-full")
        .replace("?", "?hostaddr=127.0.0.1&");
    let named = format!(
        "{named}&sslrootcert={}",
        server.folder.join("ca.pem").display()
    );
    let error = refused(PostgresStore::open(Options::parse(&named, None).unwrap()).await);
    assert!(error.to_string().contains("certificate"), "{error}");
    let missing = refused(open("localhost", "verify-full", Some("nonesuch.pem")).await);
    assert!(matches!(missing, Error::Io { .. }), "{missing}");
}
