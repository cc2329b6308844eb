//! Where the tests' databases are.

use std::path::PathBuf;
use std::str::FromStr as _;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use skms_store::PostgresStore;
use skms_store::postgres::Options;
use tokio_postgres::{Client, Config, NoTls};

/// A server to make databases on.
pub struct Server {
    pub address: Config,
    pub folder: PathBuf,
}

/// The server that the tests were given; says so when there is none.
pub fn server() -> Option<Server> {
    let variable = |name| std::env::var(name).ok().filter(|text| !text.is_empty());
    match (
        variable("SKMS_TEST_POSTGRES"),
        variable("SKMS_TEST_POSTGRES_FOLDER"),
    ) {
        (Some(address), Some(folder)) => Some(Server {
            address: Config::from_str(&address).unwrap(),
            folder: folder.into(),
        }),
        _ => {
            eprintln!(
                "skipped: SKMS_TEST_POSTGRES names no server (`cargo xtask test` starts one)"
            );
            None
        }
    }
}

impl Server {
    pub async fn connect(&self, database: &str) -> Client {
        let mut config = self.address.clone();
        config.dbname(database);
        let (client, connection) = config.connect(NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }

    pub fn port(&self) -> u16 {
        self.address.get_ports()[0]
    }

    /// A new, empty schema: cheap, and a place of its own.
    pub async fn schema(&self) -> Database<'_> {
        let name = unused();
        let admin = self.connect("postgres").await;
        admin
            .batch_execute(&format!(
                "DROP SCHEMA IF EXISTS {name} CASCADE; CREATE SCHEMA {name}"
            ))
            .await
            .unwrap();
        Database {
            server: self,
            name: "postgres".to_owned(),
            schema: name,
        }
    }

    /// A new, empty database, for what is the same in all of its schemas.
    pub async fn database(&self) -> Database<'_> {
        let name = unused();
        let admin = self.connect("postgres").await;
        admin
            .batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
            .await
            .unwrap();
        admin
            .batch_execute(&format!("CREATE DATABASE {name}"))
            .await
            .unwrap();
        Database {
            server: self,
            name,
            schema: "public".to_owned(),
        }
    }
}

fn unused() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("skms_{}_{count}", std::process::id())
}

/// A place of one test; it stays for whoever looks for a failure's cause, and
/// goes with the server.
pub struct Database<'a> {
    pub server: &'a Server,
    pub name: String,
    pub schema: String,
}

impl Database<'_> {
    pub fn address(&self, host: &str, port: u16, parameters: &str) -> String {
        let user = self.server.address.get_user().unwrap();
        let password = String::from_utf8_lossy(self.server.address.get_password().unwrap());
        format!(
            "postgres://{user}:{password}@{host}:{port}/{}?{parameters}\
             &options=-csearch_path%3D{}",
            self.name, self.schema
        )
    }

    pub fn options_at(&self, port: u16) -> Options {
        let mut options =
            Options::parse(&self.address("127.0.0.1", port, "sslmode=disable"), None).unwrap();
        options.timeout = Duration::from_secs(20);
        options
    }

    pub fn options(&self) -> Options {
        self.options_at(self.server.port())
    }

    pub async fn open(&self) -> PostgresStore {
        PostgresStore::open(self.options()).await.unwrap()
    }

    /// As an administrator, beside the store.
    pub async fn admin(&self) -> Client {
        let client = self.server.connect(&self.name).await;
        client
            .batch_execute(&format!("SET search_path = {}", self.schema))
            .await
            .unwrap();
        client
    }
}
