//! Counters for Prometheus (text format 0.0.4). Every series exists from the
//! start, and labels hold routes and kinds only, never a name.

use std::{
    fmt::Write as _,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use http::StatusCode;
use skms_engine::NotificationCounts;
use skms_keys::UnixSeconds;
use skms_wire::native::{ProblemKind, routes::ROUTES};

use crate::net::load::{Load, Shed, Turned};
use crate::net::usage::Usage;

/// Upper bounds of the duration buckets, in microseconds.
const BUCKETS: [u64; 12] = [
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 100_000, 500_000, 2_500_000, 10_000_000,
];
/// Classes of statuses: 2xx, 4xx, 5xx.
const CLASSES: [&str; 3] = ["2xx", "4xx", "5xx"];

#[derive(Default)]
struct OfRoute {
    by_class: [AtomicU64; CLASSES.len()],
}

/// What the server counts.
pub struct Metrics {
    started: Instant,
    routes: Vec<OfRoute>,
    buckets: [AtomicU64; BUCKETS.len()],
    microseconds: AtomicU64,
    problems: Vec<AtomicU64>,
    connections: AtomicU64,
    open_connections: AtomicI64,
    handshakes_failed: AtomicU64,
    /// What was turned away.
    pub turned: Turned,
    workers: Mutex<Vec<Arc<Load>>>,
}

/// What others know at the moment of asking.
#[derive(Debug, Clone, Copy, Default)]
pub struct Now {
    /// What the engine has queued.
    pub engine: skms_engine::Load,
    /// Bytes that large bodies take.
    pub body_bytes: usize,
    /// Streams of events that are open.
    pub event_streams: usize,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

/// Counts a connection as open until it is dropped.
pub struct OpenConnection(Arc<Metrics>);

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.open_connections.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What the engine holds in memory.
#[derive(Default)]
pub struct Held {
    /// Keys, opened or not.
    pub keys: usize,
    /// RSA keys made ahead, by algorithm.
    pub stock: Vec<(&'static str, usize)>,
    /// When the first of the authorities' newest certificates ends.
    pub first_authority_ends: Option<UnixSeconds>,
    /// What there is of notifications.
    pub notifications: NotificationCounts,
}

impl Held {
    fn write(&self, out: &mut String) -> std::fmt::Result {
        writeln!(out, "# HELP skms_keys_in_memory Keys that are in memory.")?;
        writeln!(out, "# TYPE skms_keys_in_memory gauge")?;
        writeln!(out, "skms_keys_in_memory {}", self.keys)?;
        writeln!(out, "# HELP skms_rsa_stock RSA keys made ahead.")?;
        writeln!(out, "# TYPE skms_rsa_stock gauge")?;
        for (algorithm, ready) in &self.stock {
            writeln!(out, "skms_rsa_stock{{algorithm=\"{algorithm}\"}} {ready}")?;
        }
        if let Some(end) = self.first_authority_ends {
            let name = "skms_authority_first_end_timestamp_seconds";
            writeln!(
                out,
                "# HELP {name} When the first of the authorities' newest certificates ends.\n\
                 # TYPE {name} gauge\n{name} {}",
                end.0
            )?;
        }
        self.write_notifications(out)
    }

    fn write_notifications(&self, out: &mut String) -> std::fmt::Result {
        let counts = &self.notifications;
        let name = "skms_notifications_channels";
        writeln!(
            out,
            "# HELP {name} Notification channels.\n# TYPE {name} gauge"
        )?;
        for (status, count) in [
            ("working", counts.working),
            ("failing", counts.failing),
            ("disabled", counts.disabled),
        ] {
            writeln!(out, "{name}{{status=\"{status}\"}} {count}")?;
        }
        for (name, kind, help, value) in [
            (
                "skms_notifications_waiting",
                "gauge",
                "Notifications that wait to be delivered.",
                counts.waiting as u64,
            ),
            (
                "skms_notifications_dead_letters",
                "gauge",
                "Notifications that were given up.",
                counts.dead as u64,
            ),
            (
                "skms_notifications_delivered_total",
                "counter",
                "Notifications delivered since the server was unsealed.",
                counts.delivered,
            ),
            (
                "skms_notifications_failed_total",
                "counter",
                "Deliveries that were not taken since then.",
                counts.failed,
            ),
        ] {
            writeln!(
                out,
                "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}"
            )?;
        }
        Ok(())
    }
}

fn add(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl Metrics {
    /// Everything at zero.
    #[must_use]
    pub fn new() -> Self {
        Self {
            started: Instant::now(),
            routes: ROUTES.iter().map(|_| OfRoute::default()).collect(),
            buckets: Default::default(),
            microseconds: AtomicU64::new(0),
            problems: ProblemKind::ALL.iter().map(|_| AtomicU64::new(0)).collect(),
            connections: AtomicU64::new(0),
            open_connections: AtomicI64::new(0),
            handshakes_failed: AtomicU64::new(0),
            turned: Turned::default(),
            workers: Mutex::default(),
        }
    }

    /// Counts a worker's requests from now on.
    pub fn worker(&self, load: Arc<Load>) {
        self.workers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(load);
    }

    /// A request to the route at `place` was answered.
    pub fn request(&self, place: usize, status: StatusCode, elapsed: Duration) {
        let class = match status.as_u16() {
            500.. => 2,
            400..=499 => 1,
            _ => 0,
        };
        if let Some(counter) = self.routes.get(place).and_then(|r| r.by_class.get(class)) {
            add(counter);
        }
        let microseconds = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
        if let Some(bucket) = BUCKETS
            .iter()
            .position(|bound| microseconds <= *bound)
            .and_then(|at| self.buckets.get(at))
        {
            add(bucket);
        }
        self.microseconds.fetch_add(microseconds, Ordering::Relaxed);
    }

    /// A request was answered with a problem.
    pub fn problem(&self, kind: ProblemKind) {
        let place = ProblemKind::ALL.iter().position(|known| *known == kind);
        if let Some(counter) = place.and_then(|at| self.problems.get(at)) {
            add(counter);
        }
    }

    /// A connection was opened; it counts until the answer is dropped.
    pub fn connection(self: &Arc<Self>) -> OpenConnection {
        add(&self.connections);
        self.open_connections.fetch_add(1, Ordering::Relaxed);
        OpenConnection(Arc::clone(self))
    }

    /// A TLS handshake came to nothing.
    pub fn handshake_failed(&self) {
        add(&self.handshakes_failed);
    }

    /// All of it as text.
    #[must_use]
    pub fn text(&self, sealed: bool, held: &Held, now: &Now) -> String {
        let mut out = String::with_capacity(16 * 1024);
        // Writing to a string does not fail.
        let _ = self
            .write(&mut out, sealed)
            .and_then(|()| held.write(&mut out))
            .and_then(|()| self.write_load(&mut out, now));
        out
    }

    /// How much is under way and waits, and what was turned away.
    fn write_load(&self, out: &mut String, now: &Now) -> std::fmt::Result {
        let workers = self.workers.lock().unwrap_or_else(PoisonError::into_inner);
        writeln!(out, "# HELP skms_shed_total Turned away before any work.")?;
        writeln!(out, "# TYPE skms_shed_total counter")?;
        for why in Shed::ALL {
            let count = self.turned.count(why);
            writeln!(out, "skms_shed_total{{reason=\"{}\"}} {count}", why.name())?;
        }
        writeln!(out, "# HELP skms_requests_under_way Requests of a worker.")?;
        writeln!(out, "# TYPE skms_requests_under_way gauge")?;
        for (number, load) in workers.iter().enumerate() {
            let requests = load.requests();
            writeln!(
                out,
                "skms_requests_under_way{{worker=\"{number}\"}} {requests}"
            )?;
        }
        let slow = &now.engine;
        for (name, kind, help, value) in [
            (
                "skms_body_memory_bytes",
                "gauge",
                "What large bodies take.",
                now.body_bytes.to_string(),
            ),
            (
                "skms_event_streams",
                "gauge",
                "Streams of events that are open.",
                now.event_streams.to_string(),
            ),
            (
                "skms_slow_jobs",
                "gauge",
                "Slow work that waits or runs.",
                slow.slow_jobs.to_string(),
            ),
            (
                "skms_slow_refused_total",
                "counter",
                "Slow work refused for the length of its queue.",
                slow.slow_refused.to_string(),
            ),
            (
                "skms_slow_wait_seconds",
                "gauge",
                "What new slow work would wait.",
                seconds(u64::try_from(slow.slow_wait.as_micros()).unwrap_or(u64::MAX)),
            ),
        ] {
            writeln!(
                out,
                "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}"
            )?;
        }
        Ok(())
    }

    fn write(&self, out: &mut String, sealed: bool) -> std::fmt::Result {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        writeln!(out, "# HELP skms_build_info The version that runs.")?;
        writeln!(out, "# TYPE skms_build_info gauge")?;
        writeln!(
            out,
            "skms_build_info{{version=\"{}\"}} 1",
            env!("CARGO_PKG_VERSION")
        )?;
        writeln!(out, "# HELP skms_uptime_seconds Since the server started.")?;
        writeln!(out, "# TYPE skms_uptime_seconds gauge")?;
        writeln!(
            out,
            "skms_uptime_seconds {}",
            self.started.elapsed().as_secs()
        )?;
        writeln!(out, "# HELP skms_sealed Whether no key can be read.")?;
        writeln!(out, "# TYPE skms_sealed gauge")?;
        writeln!(out, "skms_sealed {}", u8::from(sealed))?;

        write_usage(out, Usage::now())?;
        writeln!(out, "# HELP skms_connections_total Connections accepted.")?;
        writeln!(out, "# TYPE skms_connections_total counter")?;
        writeln!(out, "skms_connections_total {}", get(&self.connections))?;
        writeln!(out, "# HELP skms_connections_open Connections open now.")?;
        writeln!(out, "# TYPE skms_connections_open gauge")?;
        let open = self.open_connections.load(Ordering::Relaxed);
        writeln!(out, "skms_connections_open {open}")?;
        writeln!(
            out,
            "# HELP skms_handshakes_failed_total TLS handshakes that failed."
        )?;
        writeln!(out, "# TYPE skms_handshakes_failed_total counter")?;
        writeln!(
            out,
            "skms_handshakes_failed_total {}",
            get(&self.handshakes_failed)
        )?;

        writeln!(out, "# HELP skms_requests_total Requests answered.")?;
        writeln!(out, "# TYPE skms_requests_total counter")?;
        let mut requests = 0u64;
        for (route, counted) in ROUTES.iter().zip(&self.routes) {
            for (class, counter) in CLASSES.iter().zip(&counted.by_class) {
                let count = get(counter);
                requests = requests.saturating_add(count);
                writeln!(
                    out,
                    "skms_requests_total{{route=\"{}\",status=\"{class}\"}} {count}",
                    route.id
                )?;
            }
        }
        writeln!(
            out,
            "# HELP skms_problems_total Requests answered with a problem."
        )?;
        writeln!(out, "# TYPE skms_problems_total counter")?;
        for (kind, counter) in ProblemKind::ALL.iter().zip(&self.problems) {
            writeln!(
                out,
                "skms_problems_total{{kind=\"{}\"}} {}",
                kind.slug(),
                get(counter)
            )?;
        }
        writeln!(
            out,
            "# HELP skms_request_duration_seconds From head to answer."
        )?;
        writeln!(out, "# TYPE skms_request_duration_seconds histogram")?;
        let mut below = 0u64;
        for (bound, bucket) in BUCKETS.iter().zip(&self.buckets) {
            below = below.saturating_add(get(bucket));
            writeln!(
                out,
                "skms_request_duration_seconds_bucket{{le=\"{}\"}} {below}",
                seconds(*bound)
            )?;
        }
        writeln!(
            out,
            "skms_request_duration_seconds_bucket{{le=\"+Inf\"}} {requests}"
        )?;
        writeln!(
            out,
            "skms_request_duration_seconds_sum {}",
            seconds(get(&self.microseconds))
        )?;
        writeln!(out, "skms_request_duration_seconds_count {requests}")
    }
}

/// What the process uses, under the names that Prometheus' own clients give it.
fn write_usage(out: &mut String, usage: Usage) -> std::fmt::Result {
    if let Some(hundredths) = usage.cpu_hundredths {
        writeln!(out, "# HELP process_cpu_seconds_total CPU time used.")?;
        writeln!(out, "# TYPE process_cpu_seconds_total counter")?;
        let (seconds, rest) = (hundredths / 100, hundredths % 100);
        writeln!(out, "process_cpu_seconds_total {seconds}.{rest:02}")?;
    }
    for (name, help, value) in [
        (
            "process_resident_memory_bytes",
            "How much of it is in memory.",
            usage.resident_bytes,
        ),
        ("process_open_fds", "Descriptors open.", usage.descriptors),
        ("process_threads", "Threads.", usage.threads),
    ] {
        if let Some(value) = value {
            writeln!(out, "# HELP {name} {help}")?;
            writeln!(out, "# TYPE {name} gauge")?;
            writeln!(out, "{name} {value}")?;
        }
    }
    Ok(())
}

/// Microseconds as seconds, without rounding.
fn seconds(microseconds: u64) -> String {
    format!(
        "{}.{:06}",
        microseconds / 1_000_000,
        microseconds % 1_000_000
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_series_is_there_from_the_start_and_counts() {
        let metrics = Arc::new(Metrics::new());
        let fresh = metrics.text(true, &Held::default(), &Now::default());
        for why in Shed::ALL {
            assert!(fresh.contains(&format!("reason=\"{}\"}} 0\n", why.name())));
        }
        assert!(fresh.contains("skms_sealed 1\n"));
        for route in ROUTES {
            assert!(fresh.contains(&format!("route=\"{}\",status=\"5xx\"}} 0\n", route.id)));
        }
        for name in [
            "process_cpu_seconds_total",
            "process_resident_memory_bytes",
            "process_open_fds",
            "process_threads",
        ] {
            assert!(fresh.contains(&format!("\n{name} ")), "{name}");
        }
        let open = metrics.connection();
        metrics.request(0, StatusCode::OK, Duration::from_micros(300));
        metrics.request(0, StatusCode::NOT_FOUND, Duration::from_secs(60));
        metrics.problem(ProblemKind::NotFound);
        let text = metrics.text(false, &Held::default(), &Now::default());
        assert!(text.contains("skms_connections_open 1\n"));
        assert!(text.contains("kind=\"not-found\"} 1\n"));
        assert!(text.contains("le=\"0.000250\"} 0\n"));
        assert!(text.contains("le=\"0.000500\"} 1\n"));
        assert!(text.contains("le=\"10.000000\"} 1\n"));
        assert!(text.contains("le=\"+Inf\"} 2\n"));
        drop(open);
        assert!(
            metrics
                .text(false, &Held::default(), &Now::default())
                .contains("skms_connections_open 0\n")
        );
    }
}
