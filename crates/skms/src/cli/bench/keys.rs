//! The keys that a measurement makes, and their removal.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use skms_client::{Client, Error};
use skms_wire::native::ProblemKind;
use skms_wire::native::keys::VersionRequest;

use super::operation::Operation;
use crate::cli::error::{CliError, Result};
use crate::cli::{output, progress};

/// How long the server may take to erase what it was told to destroy.
const PATIENCE: Duration = Duration::from_secs(30);
/// Keys that are removed at once.
const AT_ONCE: u64 = 32;

/// Where keys are made, and how many there are.
pub struct Keys {
    client: Client,
    keyring: String,
    /// What all their names begin with.
    prefix: String,
    /// The next one's number.
    next: AtomicU64,
}

impl Keys {
    /// None yet.
    ///
    /// # Errors
    /// There is no randomness to name them with.
    pub fn new(client: Client, keyring: String) -> Result<Self> {
        let name: [u8; 6] = skms_crypto::rand::array()
            .map_err(|error| CliError::failure(format!("no randomness: {error}")))?;
        Ok(Self {
            client,
            keyring,
            prefix: format!("bench-{}", output::hex(&name)),
            next: AtomicU64::new(0),
        })
    }

    /// Who makes and removes them.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// A name that none has yet; whatever becomes of it is removed.
    pub fn fresh(&self) -> String {
        self.name(self.next.fetch_add(1, Ordering::Relaxed))
    }

    fn name(&self, number: u64) -> String {
        format!("{}-{number}", self.prefix)
    }

    /// Makes a key to work with.
    ///
    /// # Errors
    /// What the server says.
    pub async fn make(&self, operation: Operation, algorithm: Option<String>) -> Result<String> {
        let name = self.fresh();
        let request = operation.key(name.clone(), algorithm);
        self.client.create_key(&self.keyring, &request).await?;
        Ok(name)
    }

    /// Removes all of them: first all are marked for destruction, so that the
    /// server erases them together, then each is deleted.
    ///
    /// # Errors
    /// One could not be removed: the message says which, and why.
    pub async fn remove(&self) -> Result<()> {
        let work = async {
            self.each(|name| self.destroy(name)).await?;
            self.each(|name| self.delete(name)).await
        };
        progress::wait("Removing the keys", work).await
    }

    /// Does something with every key, some at once.
    async fn each<F>(&self, act: impl Fn(String) -> F) -> Result<()>
    where
        F: Future<Output = Result<()>>,
    {
        let count = self.next.load(Ordering::Relaxed);
        let next = AtomicU64::new(0);
        let (next, act) = (&next, &act);
        let workers = (0..AT_ONCE.min(count)).map(|_| async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= count {
                    return Ok(());
                }
                act(self.name(number)).await?;
            }
        });
        join_all(workers).await
    }

    async fn destroy(&self, name: String) -> Result<()> {
        let all = VersionRequest::default();
        match self.client.destroy_key(&self.keyring, &name, &all).await {
            Err(error) if !is(&error, ProblemKind::NotFound) => Err(self.failed(&name, error)),
            // Or it was never made: the request for it was refused or cut off.
            _ => Ok(()),
        }
    }

    async fn delete(&self, name: String) -> Result<()> {
        let start = std::time::Instant::now();
        loop {
            match self.client.delete_key(&self.keyring, &name).await {
                // Its window has no length, but erasing is the server's job.
                Err(error) if is(&error, ProblemKind::NotEmpty) && start.elapsed() < PATIENCE => {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                Err(error) if !is(&error, ProblemKind::NotFound) => {
                    return Err(self.failed(&name, error));
                }
                _ => return Ok(()),
            }
        }
    }

    fn failed(&self, name: &str, error: Error) -> CliError {
        let error = CliError::from(error);
        CliError {
            message: format!("cannot remove the key {}/{name}: {error}", self.keyring),
            ..error
        }
    }
}

fn is(error: &Error, kind: ProblemKind) -> bool {
    matches!(error, Error::Problem(problem) if problem.kind() == Some(kind))
}

/// Runs all of them at once and returns the first failure.
async fn join_all(work: impl Iterator<Item = impl Future<Output = Result<()>>>) -> Result<()> {
    let mut left: Vec<_> = work.map(Box::pin).collect();
    let mut outcome = Ok(());
    std::future::poll_fn(|context| {
        left.retain_mut(|one| match one.as_mut().poll(context) {
            std::task::Poll::Pending => true,
            std::task::Poll::Ready(result) => {
                if outcome.is_ok() {
                    outcome = result;
                }
                false
            }
        });
        match left.is_empty() {
            true => std::task::Poll::Ready(()),
            false => std::task::Poll::Pending,
        }
    })
    .await;
    outcome
}
