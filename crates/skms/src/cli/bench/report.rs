//! What was measured, as text and as JSON.

use serde::Serialize;

use super::histogram::Histogram;
use crate::cli::error::Result;
use crate::cli::output;

/// The whole result.
#[derive(Debug, Serialize)]
pub struct Report {
    /// What was measured.
    pub operation: &'static str,
    /// With which algorithm.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub algorithm: Option<String>,
    /// Bytes of an item.
    pub size_bytes: usize,
    /// Items in one request.
    pub batch: usize,
    /// Connections, each with one request at a time.
    pub concurrency: usize,
    /// How long it was measured.
    pub seconds: f64,
    /// Good answers.
    pub requests: u64,
    /// Requests that the server put off because it had too much to do.
    pub refused: u64,
    /// Good answers a second.
    pub requests_per_second: f64,
    /// Items a second.
    pub items_per_second: f64,
    /// Time to the answer.
    pub latency_ms: Latency,
    /// CPU time of the server for each request, all its work counted; absent
    /// where the server's metrics cannot be read.
    pub server_cpu_us: Option<f64>,
    /// Good answers of each second in turn.
    pub each_second: Vec<u64>,
    /// Ended by the user before its time.
    pub interrupted: bool,
}

/// Times to the answer, in milliseconds.
#[derive(Debug, Serialize)]
pub struct Latency {
    pub mean: f64,
    pub p50: f64,
    pub p90: f64,
    pub p99: f64,
    #[serde(rename = "p99.9")]
    pub p999: f64,
    pub max: f64,
}

impl Latency {
    /// From what was counted.
    pub fn of(histogram: &Histogram) -> Self {
        let part = |part| histogram.quantile_us(part) as f64 / 1e3;
        Self {
            mean: histogram.mean_us() / 1e3,
            p50: part(0.5),
            p90: part(0.9),
            p99: part(0.99),
            p999: part(0.999),
            max: histogram.max_us() as f64 / 1e3,
        }
    }
}

/// Prints the report as text.
///
/// # Errors
/// Nobody reads it.
pub fn print(report: &Report) -> Result<()> {
    let what = match &report.algorithm {
        Some(algorithm) => format!("{} ({algorithm})", report.operation),
        None => report.operation.to_owned(),
    };
    let milliseconds = |value: f64| format!("{value:.3} ms");
    let latency = &report.latency_ms;
    let mut fields = vec![
        ("operation", what),
        ("item", format!("{} bytes", report.size_bytes)),
        ("connections", report.concurrency.to_string()),
        ("measured", format!("{:.1} s", report.seconds)),
        (
            "requests",
            format!(
                "{}, {:.0} a second",
                report.requests, report.requests_per_second
            ),
        ),
    ];
    if report.batch > 1 {
        fields.push((
            "items",
            format!(
                "{} in each, {:.0} a second",
                report.batch, report.items_per_second
            ),
        ));
    }
    if report.refused > 0 {
        fields.push(("put off", format!("{} by the busy server", report.refused)));
    }
    fields.extend([
        ("mean", milliseconds(latency.mean)),
        ("p50", milliseconds(latency.p50)),
        ("p90", milliseconds(latency.p90)),
        ("p99", milliseconds(latency.p99)),
        ("p99.9", milliseconds(latency.p999)),
        ("max", milliseconds(latency.max)),
        (
            "server CPU",
            match report.server_cpu_us {
                Some(time) => format!("{time:.1} µs a request"),
                None => "not known (the server's metrics cannot be read)".to_owned(),
            },
        ),
    ]);
    if report.interrupted {
        fields.push(("note", "interrupted before its time".to_owned()));
    }
    output::fields(&fields)
}
