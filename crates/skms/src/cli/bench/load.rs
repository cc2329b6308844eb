//! The load: one task for each connection, until the time is over or the user
//! ends it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use skms_client::Client;
use skms_wire::native::ProblemKind;
use tokio::task::JoinSet;

use super::histogram::Histogram;
use super::keys::Keys;
use super::operation::Work;
use crate::cli::error::{CliError, Result};
use crate::cli::progress;

/// What is to be done.
pub struct Load {
    pub work: Work,
    pub keyring: String,
    pub key: String,
    pub time: Duration,
}

/// What was measured.
#[derive(Debug, Default)]
pub struct Measured {
    /// Times to the good answers.
    pub times: Histogram,
    /// Good answers of each second in turn.
    pub each_second: Vec<u64>,
    /// Requests that a busy server put off.
    pub refused: u64,
    /// From the first request to the last answer.
    pub elapsed: Duration,
    /// CPU time that the server used meanwhile, if it says.
    pub server_cpu: Option<Duration>,
    /// The user ended it before its time.
    pub interrupted: bool,
}

/// What the tasks share.
struct Shared {
    load: Load,
    start: Instant,
    stop: AtomicBool,
}

/// What one task counted.
#[derive(Default)]
struct Counted {
    times: Histogram,
    each_second: Vec<u64>,
    refused: u64,
    failure: Option<CliError>,
}

impl Load {
    /// Runs it over these connections.
    ///
    /// # Errors
    /// The first failure of a request that is not the server being busy; or
    /// there was no good answer at all.
    pub async fn run(self, clients: Vec<Client>, keys: &Arc<Keys>) -> Result<Measured> {
        // Connections are made before the clock starts.
        for client in &clients {
            client.health().await?;
        }
        let before = server_cpu(keys.client()).await;
        let time = self.time;
        let shared = Arc::new(Shared {
            load: self,
            start: Instant::now(),
            stop: AtomicBool::new(false),
        });
        let mut tasks = JoinSet::new();
        for client in clients {
            tasks.spawn(worker(Arc::clone(&shared), client, Arc::clone(keys)));
        }
        let mut measured = Measured::default();
        let wait = async {
            tokio::select! {
                () = tokio::time::sleep(time) => false,
                // Without a signal to wait for, the time ends it.
                Ok(()) = tokio::signal::ctrl_c() => true,
            }
        };
        let everyone_failed = async {
            // Tasks end by themselves only when they fail.
            while !shared.stop.load(Ordering::Relaxed) {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        measured.interrupted = progress::wait("Measuring", async {
            tokio::select! {
                interrupted = wait => interrupted,
                () = everyone_failed => false,
            }
        })
        .await;
        shared.stop.store(true, Ordering::Relaxed);
        let mut failure = None;
        while let Some(counted) = tasks.join_next().await {
            let counted =
                counted.map_err(|error| CliError::failure(format!("a task broke off: {error}")))?;
            measured.take(&counted);
            failure = failure.or(counted.failure);
        }
        measured.elapsed = shared.start.elapsed();
        let after = server_cpu(keys.client()).await;
        measured.server_cpu = before
            .zip(after)
            .and_then(|(before, after)| after.checked_sub(before));
        match failure {
            Some(failure) => Err(failure),
            None if measured.times.total() == 0 => Err(CliError::failure(
                "the server gave no good answer in this time",
            )
            .hint("measure for longer, or over fewer connections")),
            None => Ok(measured),
        }
    }
}

impl Measured {
    fn take(&mut self, counted: &Counted) {
        self.times.add(&counted.times);
        self.refused += counted.refused;
        if self.each_second.len() < counted.each_second.len() {
            self.each_second.resize(counted.each_second.len(), 0);
        }
        for (sum, more) in self.each_second.iter_mut().zip(&counted.each_second) {
            *sum += more;
        }
    }
}

async fn worker(shared: Arc<Shared>, client: Client, keys: Arc<Keys>) -> Counted {
    let mut counted = Counted::default();
    let load = &shared.load;
    while !shared.stop.load(Ordering::Relaxed) {
        let begun = Instant::now();
        let at = (load.keyring.as_str(), load.key.as_str());
        match load.work.once(&client, at, || keys.fresh()).await {
            Ok(()) => {
                counted.times.record(begun.elapsed());
                let second = shared.start.elapsed().as_secs();
                let second = usize::try_from(second).unwrap_or(usize::MAX);
                if counted.each_second.len() <= second {
                    counted.each_second.resize(second + 1, 0);
                }
                if let Some(count) = counted.each_second.get_mut(second) {
                    *count += 1;
                }
            }
            Err(error) if is_busy(&error) => {
                counted.refused += 1;
                // Whoever is put off should not come back at once.
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            Err(error) => {
                counted.failure = Some(error);
                shared.stop.store(true, Ordering::Relaxed);
            }
        }
    }
    counted
}

/// Whether the server has too much to do, which is no fault of the request.
fn is_busy(error: &CliError) -> bool {
    let kind = error.problem.as_ref().and_then(|problem| problem.kind());
    matches!(
        kind,
        Some(ProblemKind::Unavailable | ProblemKind::TooManyRequests)
    )
}

/// The CPU time that the server's process has used so far, if its metrics can
/// be read and say so.
async fn server_cpu(client: &Client) -> Option<Duration> {
    let text = client.metrics().await.ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("process_cpu_seconds_total "))?;
    Duration::try_from_secs_f64(line.trim().parse().ok()?).ok()
}
