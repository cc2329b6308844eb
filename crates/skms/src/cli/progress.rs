//! Signs of life on standard error, for anything that takes over a second.

use std::future::Future;
use std::io::IsTerminal as _;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Work that takes less than this shows nothing.
const PATIENCE: Duration = Duration::from_secs(1);

fn wanted() -> bool {
    std::io::stderr().is_terminal()
}

fn coloured() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Waits for work and, once it has taken a second, says what is being done.
pub async fn wait<T>(what: &str, work: impl Future<Output = T>) -> T {
    tokio::pin!(work);
    if !wanted() {
        return work.await;
    }
    if let Ok(done) = tokio::time::timeout(PATIENCE, &mut work).await {
        return done;
    }
    let template = if coloured() {
        "{spinner:.cyan} {msg} ({elapsed})"
    } else {
        "{spinner} {msg} ({elapsed})"
    };
    let spinner = ProgressBar::new_spinner().with_message(what.to_owned());
    if let Ok(style) = ProgressStyle::with_template(template) {
        spinner.set_style(style);
    }
    spinner.enable_steady_tick(Duration::from_millis(120));
    let done = work.await;
    spinner.finish_and_clear();
    done
}

/// Counts bytes; shown only once it has taken a second.
pub struct Bytes {
    bar: ProgressBar,
    /// Asked once: it is a call of the system, and there may be very many
    /// pieces.
    wanted: bool,
    started: std::time::Instant,
}

impl Bytes {
    /// Begins to count, up to `total` if that is known.
    pub fn new(what: &str, total: Option<u64>) -> Self {
        let bar = match total {
            Some(total) => ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::hidden()),
            None => ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden()),
        }
        .with_message(what.to_owned());
        let shape = match (total.is_some(), coloured()) {
            (true, true) => "{msg} [{bar:30.cyan}] {bytes}/{total_bytes} {bytes_per_sec} {eta}",
            (true, false) => "{msg} [{bar:30}] {bytes}/{total_bytes} {bytes_per_sec} {eta}",
            (false, _) => "{msg} {bytes} {bytes_per_sec}",
        };
        if let Ok(style) = ProgressStyle::with_template(shape) {
            bar.set_style(style.progress_chars("=> "));
        }
        Self {
            bar,
            wanted: wanted(),
            started: std::time::Instant::now(),
        }
    }

    /// More bytes are done.
    pub fn add(&self, bytes: u64) {
        self.bar.inc(bytes);
        if self.wanted && self.bar.is_hidden() && self.started.elapsed() >= PATIENCE {
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
    }
}

impl Drop for Bytes {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
