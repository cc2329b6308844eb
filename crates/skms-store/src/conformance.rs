//! The generic suites every [`crate::Store`] and every [`crate::Journal`] must
//! pass.
//!
//! Each takes a function that makes a fresh, empty one. They panic where the
//! contract is broken, as tests do.

#![allow(clippy::unwrap_used, reason = "a suite of tests")]

mod journal;
mod store;

pub use journal::journal_suite;
pub use store::store_suite;

use std::future::Future;

/// Runs futures together in the background of the test's own runtime.
async fn together<T: Send + 'static>(
    futures: Vec<impl Future<Output = T> + Send + 'static>,
) -> Vec<T> {
    let tasks: Vec<_> = futures.into_iter().map(tokio::spawn).collect();
    let mut results = Vec::with_capacity(tasks.len());
    for task in tasks {
        results.push(task.await.unwrap());
    }
    results
}
