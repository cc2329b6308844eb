//! One connection: made, set up, checked to lead to the database we know.

use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use super::failure::{explain, words};
use super::options::Options;
use super::tls::Connector;
use crate::error::{Error, Result};
use crate::hex;

/// "SKMS": the first half of the advisory lock's name; the second is the
/// schema's.
const LOCK: i32 = 0x534b_4d53;

/// How often a lock that somebody has is tried again.
const LOCK_EVERY: Duration = Duration::from_millis(100);

/// What all connections of a store share.
pub(super) struct Shared {
    pub(super) options: Options,
    pub(super) connector: Connector,
    /// Tells this run of the program from every other.
    pub(super) run: [u8; 16],
    /// Which database this is: made with its tables, and known since the
    /// store was opened.
    pub(super) database: OnceLock<[u8; 16]>,
    /// How many groups the database has acknowledged to this run.
    pub(super) acknowledged: AtomicI64,
    /// Batches submitted and not answered.
    pub(super) waiting: AtomicUsize,
    condition: Mutex<Condition>,
}

/// Whether the database may be believed.
enum Condition {
    Good,
    /// A COMMIT went out and no answer came: what is read now may change.
    Doubt(String),
    /// Somebody else wrote; what this program remembers is no longer true.
    Lost(String),
}

impl Shared {
    pub(super) fn new(options: Options) -> Result<Self> {
        Ok(Self {
            connector: Connector::new(&options.tls)?,
            options,
            run: skms_crypto::rand::array()?,
            database: OnceLock::new(),
            acknowledged: AtomicI64::new(0),
            waiting: AtomicUsize::new(0),
            condition: Mutex::new(Condition::Good),
        })
    }

    pub(super) fn timeout(&self) -> Duration {
        self.options.timeout
    }

    fn change(&self, act: impl FnOnce(&mut Condition)) {
        act(&mut self
            .condition
            .lock()
            .unwrap_or_else(PoisonError::into_inner));
    }

    pub(super) fn doubt(&self, why: &str) {
        self.change(|condition| {
            if matches!(condition, Condition::Good) {
                *condition = Condition::Doubt(why.to_owned());
            }
        });
    }

    pub(super) fn settled(&self) {
        self.change(|condition| {
            if matches!(condition, Condition::Doubt(_)) {
                *condition = Condition::Good;
            }
        });
    }

    /// For good: only a restart makes what is in memory true again.
    pub(super) fn lose(&self, why: &str) -> Error {
        self.change(|condition| *condition = Condition::Lost(why.to_owned()));
        Error::Failed(why.to_owned())
    }

    /// Refuses to read what may not be true.
    pub(super) fn readable(&self) -> Result<()> {
        let condition = self
            .condition
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        match &*condition {
            Condition::Good => Ok(()),
            Condition::Doubt(why) => Err(Error::Unavailable(format!(
                "whether the last change was written is not known yet ({why})"
            ))),
            Condition::Lost(why) => Err(Error::Failed(why.clone())),
        }
    }

    /// Why nothing is true any more, if so.
    pub(super) fn lost(&self) -> Option<String> {
        match &*self
            .condition
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
        {
            Condition::Lost(why) => Some(why.clone()),
            Condition::Good | Condition::Doubt(_) => None,
        }
    }

    /// Refuses to write once somebody else did.
    pub(super) fn writable(&self) -> Result<()> {
        match &*self
            .condition
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
        {
            Condition::Lost(why) => Err(Error::Failed(why.clone())),
            Condition::Good | Condition::Doubt(_) => Ok(()),
        }
    }

    fn mark(&self) -> String {
        let run = hex::encode(&self.run);
        run.get(..12).unwrap_or_default().to_owned()
    }
}

/// What a connection is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Write,
    Read,
    /// One long transaction that only reads.
    Snapshot,
    /// Work that takes as long as it takes.
    Maintain,
}

impl Role {
    fn name(self) -> &'static str {
        match self {
            Self::Write => "write",
            Self::Read => "read",
            Self::Snapshot => "snapshot",
            Self::Maintain => "maintain",
        }
    }
}

/// What the database says of itself.
pub(super) struct State {
    pub(super) database: [u8; 16],
    /// Groups committed, ever.
    pub(super) sequence: i64,
    /// The run that has or last had the lock.
    pub(super) writer: Vec<u8>,
}

/// An open connection.
pub(super) struct Session {
    pub(super) client: Client,
    driver: JoinHandle<()>,
}

impl Drop for Session {
    fn drop(&mut self) {
        // Closes the socket at once, whatever was on its way.
        self.driver.abort();
    }
}

impl Session {
    /// Connects, sets the limits and checks what the server promises.
    pub(super) async fn connect(shared: &Shared, role: Role) -> Result<Self> {
        let timeout = shared.timeout();
        let made = tokio::time::timeout(timeout, Self::connect_unhurried(shared, role));
        made.await.unwrap_or_else(|_| Err(too_slow(timeout)))
    }

    async fn connect_unhurried(shared: &Shared, role: Role) -> Result<Self> {
        let mut config = shared.options.config.clone();
        config.application_name(format!("skms {} {}", role.name(), shared.mark()));
        config.connect_timeout(shared.timeout());
        config.tcp_user_timeout(shared.timeout());
        config.keepalives_idle(Duration::from_secs(10));
        let (client, connection) = config
            .connect(shared.connector.clone())
            .await
            .map_err(refused)?;
        let driver = tokio::spawn(async move {
            // Why it ended is told to whoever waits for an answer.
            let _ = connection.await;
        });
        let session = Self { client, driver };
        session.set_up(shared, role).await?;
        Ok(session)
    }

    async fn set_up(&self, shared: &Shared, role: Role) -> Result<()> {
        let timeout = shared.timeout().as_millis();
        let (statement, lock, idle) = match role {
            // The server gives up a little before this side does.
            Role::Write | Role::Read => (timeout * 4 / 5, timeout * 3 / 5, timeout * 2),
            Role::Snapshot => (timeout.max(60_000), timeout, 0),
            Role::Maintain => (0, timeout, 0),
        };
        // A lock whose holder is gone is let go of soon: the keep-alives.
        let sql = format!(
            "SET statement_timeout = {statement}; SET lock_timeout = {lock};
             SET idle_in_transaction_session_timeout = {idle};
             SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5;
             SET tcp_keepalives_count = 3; SET client_min_messages = error;"
        );
        self.client.batch_execute(&sql).await.map_err(explain)?;
        let row = self
            .client
            .query_one(
                "SELECT current_setting('fsync'), current_setting('full_page_writes'),
                   current_setting('synchronous_commit'), pg_is_in_recovery(),
                   current_setting('server_version_num')::int4",
                &[],
            )
            .await
            .map_err(explain)?;
        if row.try_get::<_, bool>(3).map_err(explain)? {
            return Err(Error::Unavailable(
                "the server that answers is a standby".to_owned(),
            ));
        }
        if row.try_get::<_, i32>(4).map_err(explain)? < 130_000 {
            return Err(Error::UnsafeDatabase(
                "it is older than PostgreSQL 13".to_owned(),
            ));
        }
        if shared.options.allow_lossy {
            return Ok(());
        }
        for (column, setting) in ["fsync", "full_page_writes", "synchronous_commit"]
            .into_iter()
            .enumerate()
        {
            if row.try_get::<_, &str>(column).map_err(explain)? == "off" {
                return Err(Error::UnsafeDatabase(format!(
                    "{setting} is off, so that it may forget what it acknowledged"
                )));
            }
        }
        Ok(())
    }

    /// Waits until the connection has ended by itself.
    pub(super) async fn ended(&mut self) {
        // A second wait would find it ended, too, and must not poll it again.
        if !self.driver.is_finished() {
            let _ = (&mut self.driver).await;
        }
    }

    /// Lets go of what the server holds for this connection, and waits until
    /// it has.
    pub(super) async fn leave(self, shared: &Shared) {
        let farewell = async {
            // It ends with the connection anyway, only a little later.
            let _ = self
                .client
                .batch_execute("SELECT pg_advisory_unlock_all()")
                .await;
        };
        let _ = tokio::time::timeout(shared.timeout(), farewell).await;
    }

    /// Takes the lock that keeps a second server out, for as long as this
    /// connection lasts.
    ///
    /// # Errors
    /// [`Error::DatabaseInUse`] when another has it for longer than
    /// `patience`. A connection of this very run that the server has not
    /// noticed to be gone is ended.
    pub(super) async fn lock(&self, shared: &Shared, patience: Duration) -> Result<()> {
        let until = Instant::now() + patience;
        loop {
            let row = self
                .client
                .query_one(
                    "SELECT pg_try_advisory_lock($1, hashtext(coalesce(current_schema()::text, '')))",
                    &[&LOCK],
                )
                .await
                .map_err(explain)?;
            if row.try_get(0).map_err(explain)? {
                return Ok(());
            }
            let holder = self.holder(shared).await?;
            if Instant::now() >= until {
                return Err(Error::DatabaseInUse {
                    database: shared.options.to_string(),
                    holder,
                });
            }
            tokio::time::sleep(LOCK_EVERY).await;
        }
    }

    /// Who has the lock, in words; ends it if it is a former connection of
    /// this run.
    async fn holder(&self, shared: &Shared) -> Result<String> {
        let row = self
            .client
            .query_opt(
                "SELECT a.pid, coalesce(a.application_name, ''),
                   coalesce(host(a.client_addr), 'this machine'),
                   coalesce(to_char(a.backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'), '')
                 FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
                 WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2
                   AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
                   AND l.classid = $1::int4::oid
                   AND l.objid = hashtext(coalesce(current_schema()::text, ''))::oid",
                &[&LOCK],
            )
            .await
            .map_err(explain)?;
        let Some(row) = row else {
            return Ok("it let go of it just now".to_owned());
        };
        let pid: i32 = row.try_get(0).map_err(explain)?;
        let (name, address, since): (&str, &str, &str) = (
            row.try_get(1).map_err(explain)?,
            row.try_get(2).map_err(explain)?,
            row.try_get(3).map_err(explain)?,
        );
        if name.starts_with("skms write ") && name.ends_with(&shared.mark()) {
            // Where this is not permitted, the server's own time-outs do it.
            let _ = self
                .client
                .query_one("SELECT pg_terminate_backend($1)", &[&pid])
                .await;
        }
        Ok(format!(
            "connected from {address} since {since} UTC, process {pid} of the database"
        ))
    }

    /// What the database says of itself.
    pub(super) async fn state(&self) -> Result<State> {
        let row = self
            .client
            .query_opt("SELECT database, sequence, writer FROM skms_state", &[])
            .await;
        let row = match row {
            Err(error) if error.code() == Some(&SqlState::UNDEFINED_TABLE) => None,
            other => other.map_err(explain)?,
        };
        let row = row.ok_or(Error::Malformed("database: not an skms store"))?;
        Ok(State {
            database: row
                .try_get::<_, &[u8]>(0)
                .map_err(explain)?
                .try_into()
                .map_err(|_| Error::Malformed("database: its identity"))?,
            sequence: row.try_get(1).map_err(explain)?,
            writer: row.try_get(2).map_err(explain)?,
        })
    }

    /// Checks that the same database answers as before, with everything that
    /// was acknowledged: another server may have taken the address over.
    pub(super) async fn recognise(&self, shared: &Shared) -> Result<State> {
        let acknowledged = shared.acknowledged.load(Ordering::Acquire);
        let state = self.state().await?;
        if let Some(expected) = shared.database.get().filter(|id| **id != state.database) {
            return Err(Error::OtherInstall {
                what: "the database that answers",
                expected: hex::encode(expected),
                found: hex::encode(&state.database),
            });
        }
        if state.sequence < acknowledged {
            return Err(Error::Behind {
                database: u64::try_from(state.sequence).unwrap_or_default(),
                seen: u64::try_from(acknowledged).unwrap_or_default(),
            });
        }
        Ok(state)
    }
}

/// Why there is no connection: what the operator has to mend is told apart
/// from what passes.
fn refused(error: tokio_postgres::Error) -> Error {
    match error.code() {
        // Password, role, database: wrong until somebody mends it.
        Some(code) if matches!(code.code().get(..2), Some("28" | "3D" | "42")) => {
            Error::Unavailable(format!("it refuses us: {}", words(&error)))
        }
        _ => Error::Unavailable(words(&error)),
    }
}

pub(super) fn too_slow(timeout: Duration) -> Error {
    Error::Unavailable(format!("no answer within {} ms", timeout.as_millis()))
}
