//! The one connection that writes. It holds the lock that keeps a second
//! server out, so lock and writing live and die together: a server that lost
//! the one cannot do the other.
//!
//! When the connection breaks while committing, nobody is left to guess: the
//! lock is free again only when the old connection's transaction has ended,
//! and then the count of committed groups tells how.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::Instant;

use super::group::{Broken, Transaction, Waiting};
use super::schema::{self, Writes};
use super::session::{Role, Session, Shared, State, too_slow};
use crate::error::{Error, Result};

/// The most batches in one transaction.
const GROUP_MAX: usize = 512;

/// The most bytes of them, but for one batch that is larger by itself.
const GROUP_BYTES: usize = 8 << 20;

/// How often one group is tried.
const TRIES: u32 = 8;

/// After a failed attempt to connect, callers are told so at once for as long
/// as this; then one of them, or nobody, tries again.
const PAUSE: Duration = Duration::from_millis(500);

/// How long a server that starts waits for the lock of one that just ended.
const LOCK_PATIENCE: Duration = Duration::from_millis(1500);

pub(super) struct Writer {
    shared: Arc<Shared>,
    link: Option<Link>,
    /// Groups committed, as this side knows.
    sequence: i64,
    /// A group went out after that, and it is not known whether it was
    /// committed.
    doubt: bool,
    /// The last attempt to connect failed.
    failed: Option<(Instant, Error)>,
}

struct Link {
    session: Session,
    writes: Writes,
}

impl Writer {
    /// Connects for the first time: takes the lock, prepares the tables.
    pub(super) async fn open(shared: Arc<Shared>) -> Result<Self> {
        let session = Session::connect(&shared, Role::Write).await?;
        let opened = async {
            session.lock(&shared, LOCK_PATIENCE).await?;
            schema::prepare(&session.client).await?;
            let state = session.state().await?;
            session
                .client
                .execute(
                    "UPDATE skms_state SET writer = $1, opened = now()",
                    &[&shared.run.as_slice()],
                )
                .await
                .map_err(super::failure::explain)?;
            let writes = Writes::prepare(&session.client).await?;
            Ok::<(State, Writes), Error>((state, writes))
        };
        // Migrating may take a while; being refused does not.
        let (state, writes) = opened.await?;
        // The first and only time.
        let _ = shared.database.set(state.database);
        shared.acknowledged.store(state.sequence, Ordering::Release);
        Ok(Self {
            shared,
            link: Some(Link { session, writes }),
            sequence: state.sequence,
            doubt: false,
            failed: None,
        })
    }

    /// Runs until every sender is gone, then lets go of the lock.
    pub(super) async fn run(mut self, mut jobs: UnboundedReceiver<Waiting>) {
        let mut held = None;
        loop {
            let first = match held.take() {
                Some(waiting) => waiting,
                None => tokio::select! {
                    biased;
                    job = jobs.recv() => match job {
                        Some(waiting) => waiting,
                        None => break,
                    },
                    () = self.lost() => {
                        // Regained at once, not when somebody next writes.
                        let until = Instant::now() + self.shared.timeout();
                        let _ = self.connected(until).await;
                        continue;
                    }
                },
            };
            let mut bytes = first.weight();
            let mut group = vec![first];
            while group.len() < GROUP_MAX {
                let Ok(next) = jobs.try_recv() else { break };
                bytes = bytes.saturating_add(next.weight());
                if bytes > GROUP_BYTES {
                    held = Some(next);
                    break;
                }
                group.push(next);
            }
            self.commit(group).await;
        }
        if let Some(link) = self.link.take() {
            link.session.leave(&self.shared).await;
        }
    }

    /// Waits until there is something to mend.
    async fn lost(&mut self) {
        if self.shared.writable().is_err() {
            return std::future::pending().await;
        }
        match &mut self.link {
            Some(link) => {
                link.session.ended().await;
                self.link = None;
            }
            None => tokio::time::sleep(PAUSE).await,
        }
    }

    async fn commit(&mut self, mut group: Vec<Waiting>) {
        let until = Instant::now() + self.shared.timeout();
        let outcomes = match self.decide(&mut group, until).await {
            Ok(outcomes) => outcomes,
            Err(error) => group.iter().map(|_| Err(error.again())).collect(),
        };
        let answered = group.len();
        for (waiting, outcome) in group.into_iter().zip(outcomes) {
            let Waiting { batch, answer } = waiting;
            // What it holds is let go before anybody goes on.
            drop(batch);
            // The asker may be gone.
            let _ = answer.send(outcome);
        }
        self.shared.waiting.fetch_sub(answered, Ordering::AcqRel);
    }

    /// One verdict a batch, or one error for all of them.
    async fn decide(&mut self, group: &mut [Waiting], until: Instant) -> Result<Vec<Result<()>>> {
        let mut careful = false;
        for _ in 0..TRIES {
            self.connected(until).await?;
            let Some(link) = &self.link else {
                return Err(too_slow(self.shared.timeout()));
            };
            let transaction = Transaction {
                client: &link.session.client,
                writes: &link.writes,
                sequence: self.sequence,
                careful,
                until,
            };
            match transaction.run(group).await {
                Ok(done) => {
                    self.acknowledge(done.sequence);
                    return Ok(done.outcomes);
                }
                Err(Broken::Again {
                    careful: more,
                    error,
                }) => {
                    careful |= more;
                    if Instant::now() >= until {
                        return Err(error);
                    }
                }
                Err(Broken::Refused(error)) => return Err(error),
                Err(Broken::Gone(error)) => {
                    self.link = None;
                    if Instant::now() >= until {
                        return Err(error);
                    }
                }
                Err(Broken::Short) => {
                    self.link = None;
                    return Err(self.shared.lose(
                        "the database did not write all it was given and said nothing: a trigger, a rule or a row policy is on its tables",
                    ));
                }
                Err(Broken::Taken) => {
                    self.link = None;
                    return Err(self.taken());
                }
                Err(Broken::Doubt { outcomes, why }) => {
                    let before = self.sequence;
                    self.link = None;
                    self.doubt = true;
                    self.shared.doubt(&why);
                    self.find_out(until, &why).await?;
                    if self.sequence > before {
                        return Ok(outcomes);
                    }
                }
            }
        }
        Err(Error::Unavailable(
            "the transaction failed again and again".to_owned(),
        ))
    }

    /// Connects again until it is known how the last group ended.
    async fn find_out(&mut self, until: Instant, why: &str) -> Result<()> {
        loop {
            match self.connected(until).await {
                Ok(()) => return Ok(()),
                Err(error @ (Error::Failed(_) | Error::OtherInstall { .. })) => return Err(error),
                Err(_) if Instant::now() + PAUSE >= until => {
                    return Err(Error::Undecided(why.to_owned()));
                }
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
        }
    }

    fn acknowledge(&mut self, sequence: i64) {
        self.sequence = sequence;
        self.doubt = false;
        self.shared.acknowledged.store(sequence, Ordering::Release);
        self.shared.settled();
    }

    fn taken(&self) -> Error {
        self.shared.lose(
            "another server has written to the database in the meantime; what this one remembers is no longer true",
        )
    }

    /// Makes sure that there is a connection with the lock, or says why not.
    async fn connected(&mut self, until: Instant) -> Result<()> {
        self.shared.writable()?;
        if let Some(link) = &self.link {
            if !link.session.client.is_closed() {
                return Ok(());
            }
            self.link = None;
        }
        if let Some((at, error)) = &self.failed
            && at.elapsed() < PAUSE
        {
            return Err(error.again());
        }
        let made = tokio::time::timeout_at(until, self.connect());
        let error = match made.await {
            Ok(Ok(())) => {
                self.failed = None;
                return Ok(());
            }
            Ok(Err(error)) => error,
            Err(_) => too_slow(self.shared.timeout()),
        };
        let told = error.again();
        self.failed = Some((Instant::now(), error));
        Err(told)
    }

    async fn connect(&mut self) -> Result<()> {
        let session = Session::connect(&self.shared, Role::Write).await?;
        let locked = session.lock(&self.shared, LOCK_PATIENCE).await;
        let state = session.recognise(&self.shared).await?;
        // Whoever has or had the lock in between has left its name.
        let ours = state.writer == self.shared.run;
        if ours {
            locked?;
        }
        let next = self.sequence.saturating_add(i64::from(self.doubt));
        if !ours || state.sequence > next {
            return Err(self.taken());
        }
        let writes = Writes::prepare(&session.client).await?;
        self.link = Some(Link { session, writes });
        self.acknowledge(state.sequence);
        Ok(())
    }
}
