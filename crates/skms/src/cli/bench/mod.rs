//! `skms bench`: how fast the server is, for whoever runs it.
//!
//! Each unit of concurrency is a connection of its own with one request at a
//! time. The key that is worked with is made for this and removed at the end,
//! also when the user ends it early.

mod histogram;
mod keys;
mod load;
mod operation;
mod plot;
mod report;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use self::keys::Keys;
use self::operation::{Operation, Work};
use self::report::{Latency, Report};
use super::Global;
use super::duration;
use super::error::{CliError, Result};
use super::exit::Exit;
use super::output;

/// Bytes of an item, at most: what a server takes in one request unless it is
/// told otherwise.
const SIZE_MAX: usize = 1 << 20;
/// Connections, at most.
const CONCURRENCY_MAX: usize = 4096;
/// Items in a request, at most: what a server takes.
const BATCH_MAX: usize = 1000;
/// How long a measurement may take, in seconds.
const DURATION_MAX: u64 = 86_400;

/// Measure the server: throughput, time to the answer, its CPU time.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    skms bench --operation sign --algorithm Ed25519 --concurrency 64\n  \
    skms bench --operation encrypt --size 4096 --duration 30s --plot encrypt.svg\n\n\
    The measured key is made for this and removed at the end. The load and the\n\
    server share a machine or a network: measure from where the callers are.")]
pub struct Bench {
    /// What is done
    #[arg(long, value_enum, default_value = "encrypt")]
    operation: Operation,
    /// The algorithm of the key, or the hash; the operation's usual one if left out
    #[arg(long, short = 'a', value_name = "NAME")]
    algorithm: Option<String>,
    /// Bytes of each item
    #[arg(long, value_name = "BYTES", default_value_t = 32)]
    size: usize,
    /// Items in one request
    #[arg(long, value_name = "ITEMS", default_value_t = 1)]
    batch: usize,
    /// Connections, each with one request at a time
    #[arg(long, short = 'c', value_name = "CONNECTIONS", default_value_t = 32)]
    concurrency: usize,
    /// How long to measure, such as 10s or 5m
    #[arg(long, short = 'd', value_name = "DURATION", default_value = "10s", value_parser = duration::seconds)]
    duration: u64,
    /// The keyring in which keys are made
    #[arg(long, value_name = "NAME", default_value = "default")]
    keyring: String,
    /// Draw throughput and times to the answer as SVG into this file
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
}

impl Bench {
    /// Measures, and shows what came out.
    ///
    /// # Errors
    /// The command line asks for what cannot be, the server refuses, or a key
    /// that was made could not be removed.
    pub async fn run(self, global: &Global) -> Result<()> {
        self.check()?;
        let client = global.client()?;
        // A plot that cannot be written is better known before than after.
        let plot = self
            .plot
            .as_deref()
            .map(output::NewFile::create)
            .transpose()?;
        let operation = self.operation;
        let algorithm = self
            .algorithm
            .clone()
            .or_else(|| operation.default_algorithm().map(str::to_owned));
        let keys = Arc::new(Keys::new(client.clone(), self.keyring.clone())?);
        let measured = self.measure(global, &keys, algorithm.clone()).await;
        // Whatever happened: what was made goes.
        let removed = keys.remove().await;
        let measured = measured?;

        let seconds = measured.elapsed.as_secs_f64();
        let requests = measured.times.total();
        let per_second = requests as f64 / seconds.max(f64::MIN_POSITIVE);
        let report = Report {
            operation: operation.name(),
            algorithm: algorithm.filter(|_| operation.takes_algorithm()),
            size_bytes: self.size,
            batch: self.batch,
            concurrency: self.concurrency,
            seconds,
            requests,
            refused: measured.refused,
            requests_per_second: per_second,
            items_per_second: per_second * self.batch as f64,
            latency_ms: Latency::of(&measured.times),
            server_cpu_us: measured
                .server_cpu
                .filter(|_| requests > 0)
                .map(|time| time.as_secs_f64() * 1e6 / requests as f64),
            each_second: measured.each_second.clone(),
            interrupted: measured.interrupted,
        };
        global.show(&report, report::print)?;
        if let Some(mut file) = plot {
            let drawn = plot::svg(&report, &measured.times);
            std::io::Write::write_all(&mut file, drawn.as_bytes())
                .map_err(|error| CliError::failure(format!("cannot write the plot: {error}")))?;
            file.finish()?;
        }
        removed?;
        match report.interrupted {
            false => Ok(()),
            true => Err(CliError::new(Exit::Interrupted, "stopped before its time")),
        }
    }

    /// Refuses what cannot be before anything is made.
    fn check(&self) -> Result<()> {
        let range = |option: &str, value: usize, max: usize| match value {
            1.. if value <= max => Ok(()),
            _ => Err(CliError::usage(format!(
                "--{option} is from 1 to {max}, not {value}"
            ))),
        };
        range("size", self.size, SIZE_MAX)?;
        range("batch", self.batch, BATCH_MAX)?;
        range("concurrency", self.concurrency, CONCURRENCY_MAX)?;
        let name = self.operation.name();
        if self.batch > 1 && !self.operation.takes_batches() {
            return Err(CliError::usage(format!(
                "{name} is done one at a time: leave --batch out"
            )));
        }
        if self.algorithm.is_some() && !self.operation.takes_algorithm() {
            return Err(CliError::usage(format!(
                "{name} has no algorithm: leave --algorithm out"
            )));
        }
        if !(1..=DURATION_MAX).contains(&self.duration) {
            return Err(CliError::usage("--duration is from 1s to 1d"));
        }
        Ok(())
    }

    async fn measure(
        &self,
        global: &Global,
        keys: &Arc<Keys>,
        algorithm: Option<String>,
    ) -> Result<load::Measured> {
        let key = match self.operation.needs_key() {
            true => keys.make(self.operation, algorithm.clone()).await?,
            false => String::new(),
        };
        let work = Work::prepare(
            keys.client(),
            self.operation,
            (&self.keyring, &key),
            algorithm,
            self.size,
            self.batch,
        )
        .await?;
        let clients = (0..self.concurrency)
            .map(|_| global.client_without_retries())
            .collect::<Result<Vec<_>>>()?;
        let load = load::Load {
            work,
            keyring: self.keyring.clone(),
            key,
            time: Duration::from_secs(self.duration),
        };
        load.run(clients, keys).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        bench: Bench,
    }

    fn check(words: &[&str]) -> std::result::Result<(), String> {
        let line = Line::try_parse_from([&["bench"], words].concat())
            .map_err(|error| error.to_string())?;
        line.bench.check().map_err(|error| error.to_string())
    }

    #[test]
    fn what_cannot_be_is_refused_by_name() {
        check(&["--operation", "verify", "--batch", "1000"]).unwrap();
        for (words, fault) in [
            (&["--size", "0"][..], "--size"),
            (&["--size", "1048577"], "--size"),
            (&["--concurrency", "0"], "--concurrency"),
            (&["--batch", "1001"], "--batch"),
            (&["--operation", "random", "--batch", "2"], "--batch"),
            (
                &["--operation", "random", "--algorithm", "x"],
                "--algorithm",
            ),
            (&["--duration", "0s"], "--duration"),
            (&["--duration", "10"], "--duration"),
            (&["--operation", "fly"], "fly"),
        ] {
            let error = check(words).unwrap_err();
            assert!(error.contains(fault), "{words:?}: {error}");
        }
    }
}
